#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# tl-supervisor when runs fail: classes, retries, reasons, storms, and who is held up by whom.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # programs in other languages; variables that bats sets

bats_require_minimum_version 1.5.0
load queue

setup() {
    queue_setup failures
}

teardown() {
    [ -n "$BATS_TEST_COMPLETED" ] || cat "$LOG" >&2
    kill_marked
    small_disk_gone "$Q"
}

# A flow of one ordinary command, a program of sh; $x is the first line.
command_flow() {
    flow command.flow < <(
        printf 'start -> end | sh -c '\''read -r x\n'
        cat
        printf '%s\n' "'"
    )
}

# Without the rights of root to override permissions, as whoever runs the tests.
[[ $(id -u) != 0 ]] || UNPRIVILEGED=(setpriv --bounding-set=-all --inh-caps=-all)

waits() { [[ -e $IN/$1 ]]; }
runs() { # how often the command noted that it ran
    [ ! -e "$BATS_TEST_TMPDIR/runs" ] || wc -l <"$BATS_TEST_TMPDIR/runs"
}
ran() { [[ $(runs) -ge $1 ]]; }

# --- reasons

@test "failures: a reason has the fields of its table, and no other" {
    flow short.flow <<<$'set max-line 8\nstart -> end : tl-upper'
    drop bad 'far too long'
    run -65 once
    jq -r 'keys_unsorted[]' "$Q/failed/bad.reason" | sort >"$BATS_TEST_TMPDIR/written"
    sed -n '/^\.Ss Reasons/,/^\.El/s/^\.It Cm //p' "$ROOT/supervisor/tagline-queue.5" | sed 's/ , /\n/' |
        sort | diff - "$BATS_TEST_TMPDIR/written"
    assert_equal "$(wc -l <"$Q/failed/bad.reason")" 1
}

@test "failures: a reason quotes the line, and knows the flow by its hash" {
    flow short.flow <<<$'set max-line 8\nstart -> end : tl-upper'
    printf 'good\n\000\t\xff"far too long\ngood\n' >"$IN/bad"
    run -65 once
    assert_equal "$(reason bad '[.class, .status, .line, .first_line, .last_line] | @json')" '["data",65,2,2,2]'
    assert_equal "$(reason bad .sample)" $'\\x00\t\\xff"far too long'
    assert_equal "$(reason bad .flow)" "$FLOW"
    assert_equal "$(reason bad .flow_sha256)" "$(sha256sum <"$FLOW" | cut -d' ' -f1)"
    assert_equal "$(reason bad '[.node, .exit, .signal] | @json')" '["",null,null]'
    assert_equal "$(reason bad 'now - .time | . > -1 and . < 60')" true
}

@test "failures: the hash is that of the flow that ran, not of the one on disk" {
    flow short.flow <<<$'set max-line 8\nstart -> end : tl-upper'
    supervise
    sha256sum <"$FLOW" | cut -d' ' -f1 >"$BATS_TEST_TMPDIR/first"
    echo '# nobody read this yet' >>"$FLOW"
    drop one 'far too long'
    wait_until 10 failed one
    kill -HUP "$SUP"
    wait_until 10 logged reloaded:
    drop two 'far too long'
    wait_until 10 failed two
    stop TERM 0
    assert_equal "$(reason one .flow_sha256)" "$(cat "$BATS_TEST_TMPDIR/first")"
    assert_equal "$(reason two .flow_sha256)" "$(sha256sum <"$FLOW" | cut -d' ' -f1)"
}

@test "failures: a reason tells the exit status, what was said, and the lines that were in work" {
    command_flow <<'END'
cat; seq 2000 >&2; exit 9
END
    drop bad $'one\ntwo\nthree'
    run -65 once
    assert_equal "$(reason bad '[.class, .node, .exit, .signal] | @json')" '["data","start",9,null]'
    assert_equal "$(reason bad '.stderr | split("\n") | [(.[0] | tonumber > 1000), .[-2]] | @json')" '[true,"2000"]'
    assert_equal "$(reason bad '[.line, .first_line, .last_line] | @json')" '[0,1,3]'
    assert_equal "$(reason bad '[.attempts, (.runs | length), .runs[0].status] | @json')" '[1,1,65]'
}

@test "failures: a reason tells the signal, and when each run began and how it ended" {
    command_flow <<'END'
kill -KILL $$
END
    drop bad
    run -65 once --retries 2
    assert_equal "$(reason bad '[.class, .status, .exit, .signal, .attempts] | @json')" '["temporary",75,null,9,3]'
    assert_equal "$(reason bad '[.runs[].status] | @json')" '[75,75,75]'
    assert_equal "$(reason bad '.runs as $r | $r[0].began < $r[1].began and $r[1].began < $r[2].began and $r[2].began <= .time')" true
}

@test "failures: a reason tells of a worker that was killed, and of runs nobody lived to tell of" {
    command_flow <<'END'
kill -KILL $PPID
END
    drop bad
    run -65 once --retries 1
    assert_equal "$(reason bad '[.class, .status, .exit, .signal, .node] | @json')" '["temporary",75,null,9,""]'
    assert_equal "$(reason bad '[.runs[].status] | @json')" '[75,75]'
    rm "$Q/failed/bad.reason"
    drop other
    mv "$IN/other" "$Q/underprocess/other" # as a supervisor leaves it that dies
    run -65 once --retries 0
    assert_equal "$(reason other '[.status, .attempts, .runs[0].status, .flow_sha256] | @json')" '[75,1,null,""]'
    assert_equal "$(reason other 'now - .runs[0].began | . > -1 and . < 60')" true
}

@test "failures: only the last sixteen of many runs are told" {
    command_flow <<'END'
exit 75
END
    drop bad
    run -65 once --retries 19 --backoff 0..0
    assert_equal "$(reason bad '[.attempts, (.runs | length)] | @json')" '[20,16]'
}

# --- retries

@test "failures: the time between runs doubles up to its most, less up to a half by chance" {
    command_flow <<'END'
exit 75
END
    for i in 1 2 3 4 5 6; do drop "f$i"; done
    run -65 once --retries 4 --backoff 40ms..100ms
    sed -n 's/.*run \([0-9]*\) of 5, next in \([0-9.]*\) s/\1 \2/p' "$LOG" >"$BATS_TEST_TMPDIR/waits"
    assert_equal "$(wc -l <"$BATS_TEST_TMPDIR/waits")" 24
    run -0 awk '{ most = $1 == 1 ? 0.04 : $1 == 2 ? 0.08 : 0.1
        if ($2 > most || $2 < most / 2 - 0.001) print "run", $1, "waits", $2 }' "$BATS_TEST_TMPDIR/waits"
    assert_output ''
    assert [ "$(cut -d' ' -f2 "$BATS_TEST_TMPDIR/waits" | sort -u | wc -l)" -gt 3 ]
}

@test "failures: a run is on record, and synced, before the worker hears of it" {
    needs_strace
    command_flow <<'END'
exit 75
END
    drop bad
    strace -qq -y -s 200 -o "$BATS_TEST_TMPDIR/trace" -e trace=write,fdatasync \
        tl-supervisor --once -j 1 --settle 0 --backoff 0..0 --retries 2 "$FLOW" "$Q" 2>"$LOG" || [ $? -eq 65 ]
    # run 2 and 3: RUNS INODE bad..., its sync, and only then the job
    sed -nE 's/^write\([0-9]+<[^>]*attempts>, "([0-9]+) [0-9]+ bad .*/count \1/p
        s/^fdatasync\([0-9]+<[^>]*attempts>\) += 0$/sync/p; s/^write\([0-9]+<pipe:[^>]*>, "job .*/job/p' \
        "$BATS_TEST_TMPDIR/trace" >"$BATS_TEST_TMPDIR/order"
    printf '%s\n' job count\ 1 sync count\ 2 sync job count\ 2 sync count\ 3 sync job |
        diff - <(head -n 11 "$BATS_TEST_TMPDIR/order")
}

@test "failures: case 5: a file that kills its worker ends in failed, the others with it do not" {
    command_flow <<'END'
[ "$x" != poison ] || kill -KILL $PPID; echo "$x"
END
    for i in $(seq 20); do drop "f$i" "text $i"; done
    drop poison poison
    run -65 once -j 1 --retries 3
    has_files output 20
    assert_equal "$(reason poison '[.attempts, .signal, (.runs | length)] | @json')" '[4,9,4]'
    has_files failed 2
}

@test "failures: case 5: a file that kills the supervisor ends in failed" {
    command_flow <<'END'
supervisor=$(ps -o ppid= -p $PPID); [ "$x" != poison ] || kill -KILL $supervisor; cat; echo "$x"
END
    drop poison poison
    drop good good
    local status=137 starts=0
    while [[ $status -eq 137 && $starts -lt 10 ]]; do
        starts=$((starts + 1))
        status=0
        once --retries 2 || status=$?
        no_processes_left
    done
    assert_equal "$status" 65
    assert_equal "$starts" 4 # three runs, each of which killed it, and the one that gave up
    assert_equal "$(reason poison '[.attempts, .status] | @json')" '[3,75]'
    assert_file_is "$Q/output/good" good
    has_files failed 2
}

@test "failures: new files pass those that are tried again, with one worker" {
    command_flow <<END
[ "\$x" != poison ] || { echo >>$BATS_TEST_TMPDIR/runs; exit 75; }; echo "\$x"
END
    supervise -j 1 --retries 1000000 --backoff 0..0
    for i in $(seq 20); do drop "poison$i" poison; done
    wait_until 10 ran 50
    for i in $(seq 5); do drop "new$i"; done
    wait_until 10 has_files processed 5
    has_files failed 0
    stop TERM 0
}

@test "failures: files behind one that takes long go to another worker, and come out once" {
    command_flow <<END
[ "\$x" != slow ] || until [ -e $GATE ]; do sleep 0.02; done; echo "\$x"
END
    supervise
    for i in $(seq 30); do drop "quick$i" "$i"; done # so that workers get many at a time
    wait_until 20 has_files processed 30
    mkdir "$BATS_TEST_TMPDIR/burst"
    for i in $(seq 24); do echo "$i" >"$BATS_TEST_TMPDIR/burst/f$i"; done
    echo slow >"$BATS_TEST_TMPDIR/burst/a-slow"
    kill -STOP "$SUP" # it finds them all at once
    python3 -c 'import os, sys; [os.rename(f.path, sys.argv[2] + "/" + f.name) for f in sorted(os.scandir(sys.argv[1]), key=lambda f: f.name)]' \
        "$BATS_TEST_TMPDIR/burst" "$IN"
    kill -CONT "$SUP"
    wait_until 20 has_files processed 54
    logged 'takes long: a-slow'
    [ -e "$Q/underprocess/a-slow" ]
    touch "$GATE"
    wait_until 10 processed a-slow
    stop TERM 0
    has_files output 55
    has_files failed 0
    assert_equal "$(count_logged retried:)" 0
    nothing_left
    no_processes_left
}

@test "failures: files that are tried again leave half of the workers, however long they take" {
    command_flow <<END
case \$x in poison*) ;; *) echo "\$x"; exit ;; esac
[ -e $BATS_TEST_TMPDIR/\$x ] || { touch $BATS_TEST_TMPDIR/\$x; exit 75; }
echo >>$BATS_TEST_TMPDIR/runs
until [ -e $GATE ]; do sleep 0.02; done
END
    for i in $(seq 6); do drop "poison$i" "poison$i"; done
    supervise -j 4
    wait_until 10 ran 2 # two hang now, and the others are due
    wait_until 10 times_logged retried: 6
    for i in $(seq 5); do drop "new$i"; done
    wait_until 10 has_files processed 5
    assert_equal "$(runs)" 2
    touch "$GATE"
    wait_until 10 has_files processed 11
    stop TERM 0
}

# --- put back

@test "failures: a file put back from failed begins anew, and its reason goes" {
    command_flow <<END
echo >>$BATS_TEST_TMPDIR/runs; [ -e $GATE ] || exit 75; echo "\$x"
END
    drop bad
    run -65 once --retries 1
    assert_equal "$(reason bad .attempts)" 2
    mv "$Q/failed/bad" "$IN/"
    run -65 once --retries 1
    assert_equal "$(reason bad .attempts)" 2
    assert_equal "$(runs)" 4
    has_files failed 2 # no second version of anything
    mv "$Q/failed/bad" "$IN/"
    touch "$GATE"
    once
    assert_file_is "$Q/output/bad" hello
    has_files failed 0
}

@test "failures: a version that is put back takes its own reason with it" {
    command_flow <<END
[ -e $GATE ] || exit 65; echo "\$x"
END
    drop bad one
    run -65 once
    drop bad two
    run -65 once
    touch "$GATE"
    mv "$Q/failed/bad.~2~" "$IN/"
    once
    assert_file_is "$Q/output/bad.~2~" two
    [ ! -e "$Q/failed/bad.~2~.reason" ]
    assert_file_is "$Q/failed/bad" one
    assert_equal "$(reason bad .name)" bad
}

@test "failures: a run on record of the time before failed does not count" {
    command_flow <<'END'
exit 75
END
    drop bad
    run -65 once --retries 1
    mv "$Q/failed/bad" "$IN/"
    # killed after the move to failed and before the log was told
    echo "2 $(stat -c %i "$IN/bad") bad" >>"$Q/.tagline/attempts"
    run -65 once --retries 1
    assert_equal "$(reason bad .attempts)" 2
    assert_equal "$(count_logged 'retried: bad: run 1 of 2')" 2
}

@test "failures: killed between the claim of a file put back and the removal of its reason" {
    mkdir -p "$Q/underprocess" "$Q/failed" "$Q/.tagline"
    echo text >"$Q/underprocess/bad"
    echo '{"name":"bad","class":"temporary","status":75}' >"$Q/failed/bad.reason"
    echo "6 $(stat -c %i "$Q/underprocess/bad") bad" >"$Q/.tagline/attempts"
    once --retries 1
    assert_file_is "$Q/output/bad" TEXT
    has_files failed 0
}

@test "failures: only a reason is removed: not that of a file in failed, nor an input of that name" {
    mkdir -p "$Q/failed"
    echo 'an input, not a reason' >"$Q/failed/one.reason"
    echo '{"name":"other","class":"data"}' >"$Q/failed/two.reason"
    echo '{"name":"three","class":"data"}' >"$Q/failed/three.reason"
    echo 'still here' >"$Q/failed/three"
    mkdir "$Q/failed/four.reason"
    for name in one two three four; do drop "$name"; done
    once
    assert_file_is "$Q/failed/one.reason" 'an input, not a reason'
    [ -e "$Q/failed/two.reason" ] && [ -e "$Q/failed/three.reason" ] && [ -d "$Q/failed/four.reason" ]
    has_files processed 4
}

# --- the flow cannot run

@test "failures: a filter that dies at the start: one loud line, no spin, no file touched" {
    flow dies.flow <<END
start -> end : sh -c 'echo >>$BATS_TEST_TMPDIR/runs; echo no licence found >&2; exit 3'
END
    drop file
    launch --backoff 10ms..1h
    wait_until 10 logged hold:
    drop other
    kill -HUP "$SUP"
    wait_until 10 logged 'still held:'
    assert_equal "$(count_logged hold:)" 1
    assert_equal "$(count_logged 'no licence found')" 2
    assert_equal "$(runs)" 2
    waits file && waits other
    assert_equal "$(reload_mended)" mended
    wait_until 10 has_files processed 2
    has_files failed 0
    stop TERM 0
}

# The flow is mended, and the supervisor told.
reload_mended() {
    echo 'start -> end : tl-upper' >"$FLOW"
    kill -HUP "$SUP"
    wait_until 10 logged resume: && echo mended
}

@test "failures: a filter that dies as soon as it has nothing to do: held, not started for ever" {
    flow idle.flow <<END
start -> end : sh -c 'echo >>$BATS_TEST_TMPDIR/runs; read hello; echo "\$hello"; until [ -e $GATE ]; do sleep 0.02; done; exit 3'
END
    supervise -j 1 --backoff 10ms..1h
    touch "$GATE"
    wait_until 20 logged 'filters die with nothing to do'
    drop file
    local before
    before=$(runs)
    wait_until 10 waits file
    [ "$before" -le 8 ]
    assert_equal "$(runs)" "$before"
    [ "$(count_logged hold:)" -le 2 ]
    assert_equal "$(reload_mended)" mended
    wait_until 10 processed file
    has_files failed 0
    stop TERM 0
}

@test "failures: a filter that dies soon after it was greeted fails no file, and is held" {
    flow soon.flow <<END
start -> end : sh -c 'read -r hello; echo "\$hello"; sleep 0.01; exit 3'
END
    for i in 1 2 3 4 5; do drop "f$i"; done
    launch --backoff 10ms..1h
    wait_until 20 logged hold:
    wait_until 10 has_files unprocessed 5
    has_files failed 0
    assert_equal "$(reload_mended)" mended
    wait_until 10 has_files processed 5
    stop TERM 0
}

@test "failures: a bad first file is found out all the same, and alone" {
    flow picky.flow <<'END'
start -> end : gawk '/^!/ { print; fflush(); next } /bad/ { exit 1 } { print }'
END
    drop bad bad
    run -65 once -j 1
    assert_equal "$(reason bad '[.class, .status, .exit, .attempts] | @json')" '["data",70,1,1]'
    drop bad2 bad
    drop bad3 bad
    run -65 once
    has_files failed 6
}

@test "failures: a command that says its configuration is missing holds the flow, and fails no file" {
    command_flow <<END
[ -e $GATE ] || { echo no configuration >&2; exit 78; }; echo "\$x"
END
    supervise --backoff 10ms..50ms
    for i in 1 2 3 4 5; do drop "f$i"; done
    wait_until 10 times_logged hold: 2 # it looks again from time to time
    has_files failed 0
    has_files output 0
    touch "$GATE"
    wait_until 10 has_files processed 5
    has_files failed 0
    stop TERM 0
}

@test "failures: with --once a flow that cannot run ends it, with its status, when that is sure" {
    command_flow <<END
echo >>$BATS_TEST_TMPDIR/runs; exit 78
END
    drop file
    run -78 once
    waits file
    assert_equal "$(runs)" 2
    command_flow <<'END'
[ "$x" != poison ] || exit 78; echo "$x"
END
    drop file poison
    drop good
    run -78 once # which of the two is at fault, one run does not show
    assert_file_is "$Q/output/good" hello
    waits file
}

@test "failures: one file whose runs say that nothing can run does not hold up the others for ever" {
    command_flow <<'END'
[ "$x" != poison ] || { echo no configuration >&2; exit 78; }; echo "$x"
END
    supervise -j 1 --backoff 10ms..50ms
    drop poison poison
    wait_until 10 logged hold:
    for i in 1 2 3 4 5; do drop "f$i"; done
    wait_until 10 has_files processed 5
    wait_until 10 failed poison
    assert_equal "$(reason poison '[.class, .status, .exit, .stderr] | @json')" '["operator",78,78,"no configuration\n"]'
    drop late
    wait_until 10 processed late
    stop TERM 0
    has_files failed 2
}

@test "failures: the failure of a command behind | does not take its worker and other files with it" {
    flow both.flow <<'END'
start -> mid : tl-upper
mid -> end | sh -c 'read -r x; [ "$x" != POISON ] || exit 9; echo "$x"'
END
    for i in $(seq 10); do drop "f$i" "text $i"; done
    drop bad poison
    run -65 once -j 1
    has_files output 10
    assert_equal "$(count_logged died)" 0
    assert_equal "$(count_logged retried:)" 0
}

# --- storms

# Under strace: the supervisor alone meets errors of the system.
supervise_with() { # INJECT... [-- OPTION...]
    local calls=()
    while [[ $# -gt 0 && $1 != -- ]]; do
        calls+=(-e "inject=$1")
        shift
    done
    shift $(($# > 0))
    needs_strace
    : >"$LOG"
    strace -qq -o "$BATS_TEST_TMPDIR/trace" "${calls[@]}" \
        tl-supervisor -j 1 --settle 50ms --backoff 10ms..50ms --retries 0 "$@" "$FLOW" "$Q" 2>"$LOG" 3>&- &
    SUP=$!
}

# How often it makes the call until it is ready, with a queue like this one.
calls_before_ready() { # CALL
    supervise_with "$1:delay_exit=0"
    wait_until 20 logged ready: >&2
    stop_traced >&2
    grep -c "^$1(" "$BATS_TEST_TMPDIR/trace"
}

stop_traced() {
    kill -TERM "$(pgrep -P "$SUP")"
    ended_with 0
}

@test "failures: case 6: EIO, EROFS, EDQUOT, ENOSPC wherever it may be: held, resumed, no file failed" {
    local trial call error when
    # a claim, another or a move, folders for results; the syncs are in supervisor.bats
    for trial in renameat2:EROFS:1 renameat2:EIO:3 mkdirat:EDQUOT:1 mkdirat:ENOSPC:2; do
        IFS=: read -r call error when <<<"$trial"
        rm -rf "$Q"
        mkdir -p "$IN" "$Q"/{underprocess,processed,output,failed} "$Q"/.tagline/{work,journal,flow}
        supervise_with "$call:error=$error:when=$(($(calls_before_ready "$call") + when))"
        wait_until 20 logged ready:
        drop one
        drop two
        wait_until 10 logged hold:
        wait_until 10 has_files processed 2
        logged resume:
        has_files output 2
        has_files failed 0
        stop_traced
        no_processes_left
    done
}

@test "failures: case 6: EMFILE in the supervisor: held, resumed, no file failed" {
    supervise -j 1 --retries 0
    local free=3
    while [ -e "/proc/$SUP/fd/$free" ]; do free=$((free + 1)); done
    prlimit --pid "$SUP" --nofile="$free:"
    for i in 1 2 3; do drop "f$i"; done
    wait_until 10 logged hold:
    has_files failed 0
    prlimit --pid "$SUP" --nofile=1024:
    wait_until 10 has_files processed 3
    logged resume:
    has_files failed 0
    stop TERM 0
}

@test "failures: case 6: EMFILE in a worker: held, resumed, no file failed" {
    supervise -j 1 --retries 0
    prlimit --pid "$(workers)" --nofile=4:
    for i in 1 2 3; do drop "f$i"; done
    wait_until 10 logged hold:
    wait_until 10 has_files processed 3
    logged 'Too many open files'
    has_files failed 0
    stop TERM 0
}

@test "failures: case 6: no processes: held, resumed, no file failed" {
    needs_strace
    flow cat.flow <<<'start -> end | cat'
    # Of each process the second and third: workers of the supervisor, commands of a worker.
    strace -f -qq -o "$BATS_TEST_TMPDIR/trace" -e trace=clone,clone3 -e 'inject=clone,clone3:error=EAGAIN:when=2..3' \
        tl-supervisor -j 1 --settle 50ms --backoff 10ms..50ms --retries 0 "$FLOW" "$Q" 2>"$LOG" 3>&- &
    SUP=$!
    for i in 1 2 3; do drop "f$i"; done
    wait_until 20 has_files processed 3
    logged hold:
    has_files failed 0
    stop_traced
}

@test "failures: case 6: a command that cannot write, and only says that it failed: the disk is looked at" {
    small_disk "$Q" size=600k
    mkdir -p "$IN"
    command_flow <<END
{ echo "\$x"; cat; } >$Q/scratch || exit 1; cat $Q/scratch
END
    supervise --durability process --retries 0
    head -c 300000 /dev/zero | tr '\0' x >"$Q/ballast"
    head -c 200000 /dev/zero | tr '\0' y >"$IN/.big"
    mv "$IN/.big" "$IN/big"
    wait_until 10 logged hold:
    has_files failed 0
    rm "$Q/ballast"
    wait_until 10 processed big
    has_files failed 0
    stop TERM 0
}

@test "failures: case 6: a file that alone cannot be read is no storm: it fails after its runs" {
    needs_strace
    drop unlucky
    drop lucky
    strace -f -qq -o "$BATS_TEST_TMPDIR/trace" -P "$Q/underprocess/unlucky" -e trace=read,pread64,readv -e inject=read,pread64,readv:error=EIO \
        tl-supervisor --once -j 1 --settle 0 --backoff 10ms..50ms --retries 2 "$FLOW" "$Q" 2>"$LOG" || [ $? -eq 65 ]
    assert_file_is "$Q/output/lucky" HELLO
    assert_equal "$(reason unlucky '[.class, .status, .attempts] | @json')" '["temporary",74,3]'
    reason unlucky .error | grep -q 'Input/output error'
    assert_equal "$(count_logged hold:)" 0
    assert_file_is "$Q/failed/unlucky" hello
}

# --- what the file system forbids

@test "failures: case 18: a file that may not be read fails, and is tried once" {
    drop secret
    drop open
    chmod 000 "$IN/secret"
    run -65 "${UNPRIVILEGED[@]}" timeout 60 tl-supervisor --once --settle 0 "$FLOW" "$Q" 2>>"$LOG"
    assert_equal "$(reason secret '[.class, .status, .attempts] | @json')" '["data",77,1]'
    reason secret .error | grep -q 'Permission denied'
    assert_file_is "$Q/output/open" HELLO
}

@test "failures: case 18: a file that may not be moved stays, is told once, and others go on" {
    [[ $(id -u) == 0 ]] || skip "only root can give files away"
    drop theirs
    drop ours
    chown 65534 "$IN" "$IN/theirs"
    chmod 1777 "$IN"
    "${UNPRIVILEGED[@]}" tl-supervisor -j 1 --producers anybody --settle 50ms "$FLOW" "$Q" 2>"$LOG" 3>&- &
    SUP=$!
    wait_until 10 processed ours
    wait_until 10 logged 'theirs: cannot be claimed: Operation not permitted'
    drop late
    wait_until 10 processed late
    waits theirs
    assert_equal "$(count_logged 'cannot be claimed')" 1
    stop TERM 0
    run -77 "${UNPRIVILEGED[@]}" timeout 60 tl-supervisor --producers anybody --once --settle 0 "$FLOW" "$Q"
    has_files failed 0
}

@test "failures: case 18: a folder that may not be written: held and told, not hot, resumed" {
    drop file
    mkdir -p "$Q/processed"
    chmod 555 "$Q/processed"
    "${UNPRIVILEGED[@]}" tl-supervisor -j 1 --producers anybody --settle 50ms "$FLOW" "$Q" 2>"$LOG" 3>&- &
    SUP=$!
    wait_until 20 logged hold:
    logged 'Permission denied'
    drop other
    wait_until 10 waits other
    [ -e "$Q/underprocess/file" ]
    chmod 755 "$Q/processed"
    wait_until 20 has_files processed 2
    assert [ "$(count_logged hold:)" -le 2 ]
    has_files failed 0
    stop TERM 0
}

# --- filters that end, stop, or leave others behind

@test "failures: case 21: a filter that exits 0 with half its output: no result, failed" {
    flow half.flow <<'END'
start -> end : gawk '/^!hello/ { print; fflush(); next } { print } NR == 3 { exit 0 }'
END
    drop bad $'1\n2\n3\n4\n5'
    run -65 once
    assert_equal "$(reason bad '[.class, .status, .exit, .node] | @json')" '["data",70,0,"start"]'
    has_files output 0
    assert_file_is "$Q/failed/bad" $'1\n2\n3\n4\n5'
}

@test "failures: case 21: a filter that is stopped: its timeout tells, and another run goes well" {
    flow stops.flow <<END
start [timeout=300ms] -> end : sh -c 'while read -r x; do \
    case \$x in start*) [ -e $GATE ] || { touch $GATE; kill -STOP \$\$; } ;; esac; echo "\$x"; done'
END
    drop file
    once
    assert_file_is "$Q/output/file" hello
    assert_equal "$(count_logged 'retried: file')" 1
    no_processes_left
}

@test "failures: case 21: filters that ignore TERM, or fork twice, outlive nobody" {
    flow stubborn.flow <<'END'
start -> mid : sh -c 'trap "" TERM HUP INT; read -r hello; echo "$hello"; (setsid sleep 1000 & ) ; while read -r x; do echo "$x"; done; while :; do sleep 1000; done'
mid -> end | sh -c 'cat; (sleep 1000 & sleep 1000 &) ; exit 0'
END
    supervise -j 1
    drop file
    wait_until 20 processed file
    assert_file_is "$Q/output/file" hello
    stop TERM 0
    pkill -KILL -f '^sleep 1000$' -s 0 || : # nobody is in our session
    has_files failed 0
}

# --- what lies about

@test "failures: case 25: torn, empty and foreign state does not keep it from starting" {
    mkdir -p "$Q"/.tagline/{journal,work/3,flow/9} "$Q/failed" "$Q/underprocess"
    head -c 3000 /dev/urandom >"$Q/.tagline/attempts"
    printf 'tagline-journal 99\nnew words\n' >"$Q/.tagline/journal/1"
    : >"$Q/.tagline/journal/2"
    head -c 500 /dev/urandom >"$Q/.tagline/journal/3"
    printf 'tagline-journal 1\nmove 1 2 3' >"$Q/.tagline/journal/4"
    echo half >"$Q/.tagline/work/3/result"
    printf '{"name":"fi' >"$Q/failed/file.reason"
    : >"$Q/failed/empty.reason"
    echo claimed >"$Q/underprocess/claimed"
    drop file
    drop empty
    once
    assert_file_is "$Q/output/file" HELLO
    assert_file_is "$Q/output/empty" HELLO
    assert_file_is "$Q/output/claimed" CLAIMED
    [ -e "$Q/.tagline/journal/1.foreign" ]
    has_files processed 3
    run -0 find "$Q/.tagline/work" "$Q/underprocess" "$IN" -mindepth 1
    assert_output ''
}

@test "failures: case 25: a log of attempts of tomorrow, or with a torn line, costs at most a count" {
    mkdir -p "$Q/.tagline" "$Q/underprocess"
    echo text >"$Q/underprocess/one"
    echo text >"$Q/underprocess/two"
    {
        echo 'tagline-attempts 2'
        echo "2 $(stat -c %i "$Q/underprocess/one") one 5:75,6:75 and what nobody knows yet"
        printf '2 %s tw' "$(stat -c %i "$Q/underprocess/two")"
    } >"$Q/.tagline/attempts"
    command_flow <<'END'
exit 75
END
    run -65 once --retries 2
    assert_equal "$(reason one '[.attempts, .runs[0].began, .runs[1].status] | @json')" '[3,0.005,75]'
    assert_equal "$(reason two .attempts)" 3
}
