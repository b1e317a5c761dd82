#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# tl-supervisor under service managers: what it tells them, how its log suits them, and how it lives
# under the real ones.
# shellcheck disable=SC2030,SC2031,SC2154 # variables that bats sets

bats_require_minimum_version 1.5.0
load queue

setup_file() {
    SHARE=$BATS_FILE_TMPDIR/usr/share/tagline
    export SHARE
    make --no-print-directory -s -o all -C "$(dirname "$BATS_TEST_FILENAME")/.." ${TL_BIN:+B="$TL_BIN"} \
        PREFIX="$BATS_FILE_TMPDIR/usr" install
}

setup() {
    queue_setup managers
    NOTES=$BATS_TEST_TMPDIR/notes
}

teardown() {
    kill_marked
    [ -z "${LISTENER-}" ] || kill "$LISTENER"
}

# --- what it tells

# A manager's socket; what it hears is in $NOTES, as "SECONDS LINE".
listen() {
    env -u TAGLINE_TEST_MARK python3 "$ROOT/tests/listener.py" "$BATS_TEST_TMPDIR/socket" "$NOTES" "$Q" 3>&- &
    LISTENER=$!
    disown
    wait_until 10 test -S "$BATS_TEST_TMPDIR/socket"
    export NOTIFY_SOCKET=$BATS_TEST_TMPDIR/socket
}

# What was heard, without the times.
heard() { cut -d' ' -f2- "$NOTES"; }
noted() { heard | grep -qx -- "$1"; }
times_noted() { [[ $(heard | grep -cx -- "$1") -ge $2 ]]; }

@test "systemd: ready, alive, reloading, stopping; no child speaks in its name" {
    listen
    WATCHDOG_USEC=200000 supervise
    wait_until 10 noted READY=1
    wait_until 10 noted 'STATUS=running: 0 waiting, 0 in work, 0 processed, 0 failed'
    wait_until 10 times_noted WATCHDOG=1 3
    kill -HUP "$SUP"
    wait_until 10 times_noted READY=1 2
    wait_until 10 logged reloaded:
    for pid in $(workers); do
        run ! grep -zE '^(NOTIFY_SOCKET|WATCHDOG)' "/proc/$pid/environ" # one that checked is gone
    done
    drop file
    wait_until 10 noted 'STATUS=running: 0 waiting, 0 in work, 1 processed, 0 failed'
    stop TERM 0
    wait_until 10 noted STOPPING=1
    wait_until 10 noted 'STATUS=stopped: .* 1 processed, 0 failed'
    run -0 heard
    assert_equal "$(grep -cx READY=1 <<<"$output")" 2
}

@test "systemd: WATCHDOG_USEC meant for another process, or none: no signs of life" {
    listen
    WATCHDOG_USEC=1000 WATCHDOG_PID=1 supervise
    drop file
    wait_until 10 noted 'STATUS=running: .* 1 processed, 0 failed'
    stop TERM 0
    run -1 noted WATCHDOG=1
}

@test "systemd: ready only when what a crash left is rolled forward" {
    needs_strace
    crashed_queue
    crashed_record
    listen
    strace -qq -o "$BATS_TEST_TMPDIR/trace" -e trace=renameat2 -e inject=renameat2:delay_enter=300000 \
        tl-supervisor "$FLOW" "$Q" 2>"$LOG" 3>&- &
    wait_until 20 noted READY=1
    assert_equal "$(heard | grep '^journal=' | head -n 1)" 'journal= output=file'
    assert_file_is "$Q/processed/file" input
    pkill -TERM -P $!
    wait $!
}

@test "systemd: ready although the flow cannot run, with the reason; a reload mends it" {
    echo 'start -> nowhere : tl-upper' >"$FLOW"
    listen
    launch
    wait_until 10 noted READY=1
    wait_until 10 noted 'STATUS=holding: .*does not pass tl-router --check.*'
    kill -HUP "$SUP" # no better yet, but this reload is over, too
    wait_until 10 times_noted READY=1 2
    echo 'start -> end : tl-upper' >"$FLOW"
    kill -HUP "$SUP"
    wait_until 10 noted 'STATUS=running: .*'
    wait_until 10 times_noted READY=1 3
    stop TERM 0
}

@test "systemd: a reload is over although its check takes longer than a hold" {
    echo "start -> end : sh -c 'sleep 0.3; exit 78'" >"$FLOW"
    listen
    launch
    wait_until 10 noted READY=1
    kill -HUP "$SUP"
    wait_until 10 times_noted READY=1 2
    stop TERM 0
}

@test "systemd: each reload is later than its request, and is over however it went" {
    listen
    supervise
    wait_until 10 noted READY=1
    local asked i
    for i in 1 2 3; do
        asked=$(python3 -c 'import time; print(time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)')
        kill -HUP "$SUP"
        wait_until 10 times_noted RELOADING=1 $i
        assert [ "$(heard | sed -n 's/^MONOTONIC_USEC=//p' | tail -n 1)" -ge "$asked" ]
        wait_until 10 times_noted READY=1 $((i + 1))
        [ $i != 1 ] || echo 'start -> nowhere : tl-upper' >"$FLOW" # the second one is refused
    done
    logged 'reload refused'
    stop TERM 0
}

@test "systemd: a loop that is stuck does not say that it lives" {
    needs_strace
    listen
    WATCHDOG_USEC=100000 supervise
    wait_until 10 times_noted WATCHDOG=1 3
    strace -qq -o "$BATS_TEST_TMPDIR/trace" -e trace=fsync \
        -e inject=fsync:delay_enter=1500000:when=1 -p "$SUP" 2>"$BATS_TEST_TMPDIR/said" 3>&- &
    local tracer=$!
    wait_until 10 grep -q '^TracerPid:[[:space:]]*[1-9]' "/proc/$SUP/status" ||
        skip "may not trace: $(cat "$BATS_TEST_TMPDIR/said")"
    drop file
    wait_until 20 processed file
    local signs
    signs=$(heard | grep -cx WATCHDOG=1)
    wait_until 10 times_noted WATCHDOG=1 $((signs + 1)) # it lives again
    stop TERM 0
    wait "$tracer"
    # the longest silence is that of the sync
    run -0 awk '$2 == "WATCHDOG=1" { if (last && $1 - last > most) most = $1 - last; last = $1 }
        END { exit !(most >= 1.4) }' "$NOTES"
}

@test "systemd: told to stop, it finishes what it has begun" {
    gate_flow
    listen
    supervise -j 1
    drop file
    wait_until 10 at_work
    kill -TERM "$SUP"
    wait_until 10 noted STOPPING=1
    wait_until 10 noted 'STATUS=draining: 0 waiting, 1 in work, 0 processed, 0 failed'
    touch "$GATE"
    ended_with 0
    assert_file_is "$Q/output/file" hello
    nothing_left
    no_processes_left
}

@test "systemd: killed because it did not stop in time, nothing is lost" {
    gate_flow
    listen
    supervise -j 1
    drop file
    wait_until 10 at_work
    kill -TERM "$SUP"
    wait_until 10 noted STOPPING=1
    kill -KILL "$SUP" # and soon all that it started, as the manager does
    kill_marked
    touch "$GATE"
    unset NOTIFY_SOCKET
    once
    assert_file_is "$Q/output/file" hello
    has_files output 1
    nothing_left
}

@test "s6: --ready-fd gets a newline when it is ready, and nobody else has it" {
    mkfifo "$BATS_TEST_TMPDIR/ready"
    exec 7<>"$BATS_TEST_TMPDIR/ready"
    supervise --ready-fd 7
    read -r -t 10 -u 7 line
    [ -z "$line" ]
    # shellcheck disable=SC2046 # words
    run -0 find "/proc/$SUP/fd" $(workers | sed 's|.*|/proc/&/fd|') -lname "$BATS_TEST_TMPDIR/ready"
    assert_output ""
    stop TERM 0
    exec 7>&-
    for fd in 7 2 x; do
        run -64 --separate-stderr tl-supervisor --ready-fd $fd "$FLOW" "$Q"
        assert_one_line
    done
}

# --- how its log looks

@test "log: plain lines, unless told otherwise" {
    drop file
    once -v
    logged 'tl-supervisor: done: file'
    run -1 grep '^<' "$LOG"
    run -64 --separate-stderr tl-supervisor --log loud "$FLOW" "$Q"
    assert_one_line
}

@test "log: for the journal each line says how urgent it is, those of workers too" {
    flow data.flow <<'END'
set max-line 8
start -> end : sh -c 'echo from the filter >&2; exec tl-upper'
END
    drop good
    drop bad 'far too long'
    run -65 once -v --log journal
    run -1 grep -vE '^<[346]>tl-(supervisor|router): ' "$LOG"
    for line in '<6>tl-supervisor: start: ' '<6>tl-supervisor: ready: ' '<6>tl-supervisor: done: good' \
        '<3>tl-supervisor: failed: bad: ' '<4>tl-router: start: from the filter' '<6>tl-supervisor: stopped: '; do
        logged "$line" || fail "no $line in $(cat "$LOG")"
    done
}

@test "log: what is wrong with a flow is an error for the journal" {
    echo 'start -> nowhere : tl-upper' >"$FLOW"
    run -78 once --log journal
    logged "<3>$FLOW:1: nobody serves nowhere"
    logged '<3>tl-supervisor: hold: '
}

@test "log: a standard error that is the journal's stream is known by itself" {
    drop one
    JOURNAL_STREAM=$(stat -c %d:%i "$LOG") once
    logged '<6>tl-supervisor: ready: '
    : >"$LOG"
    JOURNAL_STREAM=$(stat -c %d:%i "$LOG") once --log plain
    run -1 grep '^<' "$LOG"
    JOURNAL_STREAM=1:2 once
    run -1 grep '^<' "$LOG"
}

@test "log: commands of a flow are not told: their lines go through the router" {
    flow env.flow <<'END'
start -> end | sh -c 'cat >/dev/null; env'
END
    drop file
    once --log journal
    run -1 grep TAGLINE_LOG "$Q/output/file"
    grep -q '^TAGLINE_MAX_LINE=' "$Q/output/file"
}

# --- under the real ones: what make install has put there, with a conf of the test

# service MANAGER: a copy of the folder in $SV, with a conf that a user could write.
service() {
    SV=$BATS_TEST_TMPDIR/scan/tagline-x
    mkdir -p "$BATS_TEST_TMPDIR/scan"
    cp -r "$SHARE/$1" "$SV"
    [ ! -e "$BATS_TEST_TMPDIR/timeout-kill" ] || cp "$BATS_TEST_TMPDIR/timeout-kill" "$SV"
    cat >"$SV/conf" <<END
FLOW=$FLOW
QUEUE=$Q
OPTIONS='-j 1 --settle 50ms'
RUNAS=$(id -un)
LOGS=$BATS_TEST_TMPDIR/logs
END
    LOG=$BATS_TEST_TMPDIR/logs/current
    cd "$BATS_TEST_TMPDIR" || return
    "$1_begin"
}

runit_runs() { sv status "$SV" | grep -q '^run: '; }
runit_begin() {
    runsv "$SV" >"$BATS_TEST_TMPDIR/said" 2>&1 3>&- &
    MANAGER=$!
    wait_until 10 runit_runs # sv check waits for nothing where nothing was started yet
}
runit_ready() { sv -w 20 check "$SV"; }
runit_pid() { cat "$SV/supervise/pid"; }
runit_reload() { sv hup "$SV"; }
runit_stop() { sv -w 20 down "$SV"; }
runit_stop_soon() { sv -w 1 force-stop "$SV"; }
runit_start() { sv -w 20 start "$SV"; }
runit_end() { sv exit "$SV"; }

s6_begin() {
    s6-svscan "$BATS_TEST_TMPDIR/scan" >"$BATS_TEST_TMPDIR/said" 2>&1 3>&- &
    MANAGER=$!
    wait_until 10 s6-svok "$SV"
}
s6_ready() { s6-svwait -U -t 20000 "$SV"; }
s6_pid() { s6-svstat -o pid "$SV"; }
s6_reload() { s6-svc -h "$SV"; }
s6_stop() { s6-svc -wD -T 20000 -d "$SV"; }
s6_stop_soon() { s6-svc -wD -T 20000 -d "$SV"; } # kills after what timeout-kill says
s6_start() { s6-svc -wU -T 20000 -u "$SV"; }
s6_end() { s6-svscanctl -t "$BATS_TEST_TMPDIR/scan"; }

is_other_pid() { # MANAGER PID
    local now
    now=$("$1_pid") && [[ $now -gt 1 && $now != "$2" ]]
}

# Start, ready after recovery, reload, log, stop.
serves() { # MANAGER
    crashed_queue
    crashed_record
    service "$1"
    run -0 "$1_ready"
    assert_file_is "$Q/output/file" 'the result' # it was recovered before that
    drop one
    wait_until 10 processed one
    echo 'start -> end : tl-prefix X' >"$FLOW"
    "$1_reload"
    wait_until 10 logged reloaded:
    drop two
    wait_until 10 processed two
    assert_file_is "$Q/output/two" Xhello
    run -0 "$1_stop"
    wait_until 10 logged 'stopped: 2 files processed, 0 failed'
    run -0 grep -cE '^[0-9]{4}-[0-9]{2}-[0-9]{2}.[0-9:.]+ +tl-supervisor: (start|ready|reload|reloaded|stop|stopped|recovered): ' "$LOG"
    assert_output 7
    "$1_end"
    wait "$MANAGER"
    no_processes_left
    nothing_left
}

# Killed in the middle of a file, it is started again, and the file is processed, once.
comes_back() { # MANAGER
    local pid
    gate_flow
    service "$1"
    run -0 "$1_ready"
    drop file
    wait_until 10 at_work
    pid=$("$1_pid")
    rm "$BATS_TEST_TMPDIR/began"
    kill -KILL "$pid"
    wait_until 20 is_other_pid "$1" "$pid"
    wait_until 20 at_work
    run -0 "$1_ready"
    touch "$GATE"
    wait_until 10 processed file
    assert_file_is "$Q/output/file" hello
    has_files output 1
    run -0 "$1_stop"
    "$1_end"
    wait "$MANAGER"
    no_processes_left
    nothing_left
}

# Told to stop it finishes what it has begun; killed when that takes too long, it begins again.
stops() { # MANAGER
    gate_flow
    service "$1"
    run -0 "$1_ready"
    drop file
    wait_until 10 at_work
    "$1_stop_soon" || true # runit's way to say that it had to kill
    wait_until 10 no_supervisor
    [ -e "$Q/underprocess/file" ]
    run -0 "$1_start"
    touch "$GATE"
    wait_until 10 processed file
    assert_file_is "$Q/output/file" hello
    rm "$GATE" "$BATS_TEST_TMPDIR/began"
    drop next
    wait_until 10 at_work
    "$1_stop" &
    wait_until 10 logged 'finishing 1 files'
    touch "$GATE"
    wait $!
    assert_file_is "$Q/output/next" hello
    "$1_end"
    wait "$MANAGER"
    no_processes_left
    nothing_left
}

no_supervisor() { [[ $(marked_processes) != *tl-supervisor* ]]; }

@test "runit: serves a queue" { serves runit; }
@test "runit: killed with -9 it comes back, nothing is lost" { comes_back runit; }
@test "runit: a stop drains; force-stop kills, and nothing is lost" { stops runit; }
@test "s6: serves a queue" { serves s6; }
@test "s6: killed with -9 it comes back, nothing is lost" { comes_back s6; }
@test "s6: a stop drains; over timeout-kill it kills, and nothing is lost" {
    echo 500 >"$BATS_TEST_TMPDIR/timeout-kill"
    stops s6
}

@test "systemd: the unit is one that systemd takes, and exposes little" {
    local unit=$BATS_FILE_TMPDIR/usr/lib/systemd/system/tagline@.service
    run systemd-analyze verify --man=no "$unit"
    assert_output ''
    assert_success
    cp "$unit" "$BATS_TEST_TMPDIR/tagline@x.service"
    run -0 systemd-analyze security --offline=yes --threshold=15 "$BATS_TEST_TMPDIR/tagline@x.service"
    run -0 systemd-sysusers --dry-run "$BATS_FILE_TMPDIR/usr/lib/sysusers.d/tagline.conf"
    assert_output --partial tagline
}
