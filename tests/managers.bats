#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# tl-supervisor under service managers: what it tells them, how its log suits them, and how it lives
# under the real ones.
# shellcheck disable=SC2030,SC2031,SC2154 # variables that bats sets

bats_require_minimum_version 1.5.0
load queue

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
    env -u TEST_MARK python3 "$ROOT/tests/listener.py" "$BATS_TEST_TMPDIR/socket" "$NOTES" "$Q" 3>&- &
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
        run -1 grep -zE '^(NOTIFY_SOCKET|WATCHDOG)' "/proc/$pid/environ"
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
    command -v strace || skip "strace is not installed"
    crashed_queue
    crashed_record
    listen
    strace -qq -o "$BATS_TEST_TMPDIR/trace" -e trace=renameat2 -e inject=renameat2:delay_enter=300000 \
        tl-supervisor "$FLOW" "$Q" 2>"$LOG" 3>&- &
    wait_until 20 noted READY=1
    assert_equal "$(heard | grep '^journal=' | head -n 1)" 'journal= output=file'
    assert_file_is "$Q/processed/file" input
    pkill -TERM -P $! -x tl-supervisor
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
    command -v strace || skip "strace is not installed"
    listen
    WATCHDOG_USEC=100000 strace -qq -o "$BATS_TEST_TMPDIR/trace" -e trace=fsync \
        -e inject=fsync:delay_enter=1500000:when=6 \
        tl-supervisor -j 1 --settle 50ms "$FLOW" "$Q" 2>"$LOG" 3>&- &
    wait_until 20 noted READY=1
    wait_until 10 times_noted WATCHDOG=1 3
    for i in 1 2 3; do drop "f$i"; done
    wait_until 20 has_files processed 3
    pkill -TERM -P $! -x tl-supervisor
    wait $!
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
