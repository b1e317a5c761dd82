#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# tl-supervisor: from one file to its surroundings. What crashes leave: crash-states.bats.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # programs in other languages; variables that bats sets

bats_require_minimum_version 1.5.0
load queue

setup() {
    queue_setup supervisor
}

teardown() {
    kill_marked
    small_disk_gone "$Q"
    small_disk_gone "$BATS_TEST_TMPDIR/other"
}

# --- the command line

@test "help and version" {
    run -0 tl-supervisor --help
    assert_line --index 0 'usage: tl-supervisor [options] FLOW QUEUE'
    run -0 tl-supervisor -h
    run -0 tl-supervisor --version
    assert_output --regexp '^tl-supervisor [0-9.]+$'
}

@test "wrong options: one line and 64" {
    local options=(--settle=x --durability=maybe --backoff=1s --backoff=2s..1s --retries=-1 -j0 -x --nonsense)
    for option in "${options[@]}"; do
        run -64 --separate-stderr tl-supervisor "$option" "$FLOW" "$Q"
        assert_one_line
    done
    run -64 --separate-stderr tl-supervisor "$FLOW"
    assert_one_line
    run -64 --separate-stderr tl-supervisor --settle
    assert_one_line
}

@test "a flow that is not there: 66" {
    run -66 --separate-stderr tl-supervisor "$BATS_TEST_TMPDIR/none.flow" "$Q"
    assert_one_line
}

# --- files

@test "a file that was there before comes out, and its input is kept as it was" {
    printf 'a\nb' >"$IN/file"
    once
    assert_file_is "$Q/output/file" $'A\nB'
    printf 'a\nb' | cmp - "$Q/processed/file"
    nothing_left
}

@test "a file dropped while it runs comes out" {
    supervise
    drop one
    wait_until 10 processed one
    assert_file_is "$Q/output/one" HELLO
    stop TERM 0
    nothing_left
    no_processes_left
}

@test "the folders are made where there are none" {
    rm -r "$Q"
    once
    for folder in unprocessed underprocess processed output failed .tagline; do
        [ -d "$Q/$folder" ]
    done
    [ -p "$Q/metrics" ]
}

@test "two thousand files in one burst, each once" {
    supervise --durability process
    mkdir "$BATS_TEST_TMPDIR/burst"
    (cd "$BATS_TEST_TMPDIR/burst" && seq 2000 | awk '{ print "line", $1 > "f" $1; close("f" $1) }')
    # not mv, which complains when a file is claimed before it has looked at it again
    python3 -c 'import os, sys; [os.rename(f.path, sys.argv[2] + "/" + f.name) for f in os.scandir(sys.argv[1])]' \
        "$BATS_TEST_TMPDIR/burst" "$IN"
    wait_until 60 has_files processed 2000
    stop TERM 0
    has_files output 2000
    seq 2000 | sed 's/.*/LINE &/' | sort >"$BATS_TEST_TMPDIR/expected"
    find "$Q/output" -type f -exec cat {} + | sort | cmp - "$BATS_TEST_TMPDIR/expected"
    nothing_left
}

@test "a taken name gets a version, and so do its results" {
    drop name first
    once
    drop name second
    once
    drop name third
    once
    assert_file_is "$Q/output/name" FIRST
    assert_file_is "$Q/output/name.~2~" SECOND
    assert_file_is "$Q/output/name.~3~" THIRD
    assert_file_is "$Q/processed/name.~2~" second
    assert_file_is "$Q/processed/name.~3~" third
}

@test "a result's taken name gives the input the same version" {
    mkdir "$Q/output"
    echo foreign >"$Q/output/name"
    drop name mine
    once
    assert_file_is "$Q/output/name" foreign
    assert_file_is "$Q/output/name.~2~" MINE
    assert_file_is "$Q/processed/name.~2~" mine
}

@test "a sink with one name for all files loses none of them" {
    flow fixed.flow <<'END'
start -> end : tl-upper
end => all.txt
END
    for i in $(seq 40); do drop "f$i" "text $i"; done
    once
    has_files output 40
    find "$Q/output" -type f -exec cat {} + | sort >"$BATS_TEST_TMPDIR/got"
    seq 40 | sed 's/^/TEXT /' | sort | cmp - "$BATS_TEST_TMPDIR/got"
}

@test "several sinks, one of them discarding" {
    flow sinks.flow <<'END'
start -> end bad noise : tl-match bad=^bad noise=^noise
bad => %f.bad
noise => null
END
    drop log $'good\nbad\nnoise'
    once
    assert_file_is "$Q/output/log" good
    assert_file_is "$Q/output/log.bad" bad
    has_files output 2
}

@test "hostile names" {
    local long name
    long=$(printf 'x%.0s' $(seq 255))
    local names=($'new\nline' $'tab\there' -x --help $'bad\xff\xfeutf8' %s%n%d '$(touch pwned)' "it's" ' ' '*' "$long")
    for name in "${names[@]}"; do printf 'text\n' >"$IN/$name"; done
    once -v
    for name in "${names[@]}"; do
        assert_file_is "$Q/output/$name" TEXT
        [ -e "$Q/processed/$name" ]
    done
    nothing_left
    logged 'done: new\nline'
    logged 'done: bad\xff\xfeutf8'
    [ ! -e pwned ]
}

@test "a name of 255 bytes that is taken is cut at a character" {
    local long kept
    long=$(printf 'é%.0s' $(seq 127))x # 255 bytes
    kept=$(printf 'é%.0s' $(seq 125))  # 250: one more would leave no room for .~2~
    drop "$long" one
    once
    drop "$long" two
    once
    assert_file_is "$Q/output/$long" ONE
    assert_file_is "$Q/output/$kept.~2~" TWO
    assert_file_is "$Q/processed/$kept.~2~" two
}

@test "links, FIFOs and folders stay, each with one warning" {
    ln -s /etc/passwd "$IN/link"
    mkfifo "$IN/pipe"
    mkdir "$IN/folder"
    drop file
    supervise
    wait_until 10 processed file
    drop another
    wait_until 10 processed another
    stop TERM 0
    [ -L "$IN/link" ] && [ -p "$IN/pipe" ] && [ -d "$IN/folder" ]
    for name in link pipe folder; do
        assert_equal "$(count_logged "unprocessed/$name: is not a regular file")" 1
    done
    has_files output 2
}

@test "unfinished names are left alone" {
    for name in .hidden a.part b.tmp; do drop "$name"; done
    drop whole
    once
    has_files output 1
    has_files unprocessed 3
}

@test "a hard link, which tells of no close, is taken when it has been quiet" {
    supervise
    echo hello >"$BATS_TEST_TMPDIR/elsewhere"
    ln "$BATS_TEST_TMPDIR/elsewhere" "$IN/linked"
    wait_until 10 processed linked
}

@test "a file that is still written is not taken before it is closed" {
    supervise --settle 1h
    exec 8>"$IN/growing"
    echo one >&8
    drop other
    wait_until 10 processed other
    [ -e "$IN/growing" ]
    echo two >&8
    exec 8>&-
    wait_until 10 processed growing
    assert_file_is "$Q/output/growing" $'ONE\nTWO'
}

@test "an mtime in the future does not keep a file waiting for ever" {
    drop future
    touch -d '+1 day' "$IN/future"
    supervise
    wait_until 10 processed future
}

@test "an input that changes while it is processed runs again" {
    gate_flow
    supervise
    drop file one
    wait_until 10 at_work
    echo two >>"$Q/underprocess/file"
    touch "$GATE"
    wait_until 10 processed file
    assert_file_is "$Q/output/file" $'one\ntwo'
    has_files output 1
    logged 'again: file: changed while it was processed'
}

@test "an input that is taken away while it is processed leaves nothing" {
    gate_flow
    supervise
    drop file
    wait_until 10 at_work
    rm "$Q/underprocess/file"
    touch "$GATE"
    wait_until 10 logged 'gone: file'
    stop TERM 0
    has_files output 0
    nothing_left
}

@test "a second file of a name waits for the first" {
    gate_flow
    supervise
    drop name one
    wait_until 10 at_work
    drop name two
    touch "$GATE"
    wait_until 10 processed 'name.~2~'
    assert_file_is "$Q/output/name" one
    assert_file_is "$Q/output/name.~2~" two
}

# --- failures

@test "bad data goes to failed at once, with a reason" {
    flow data.flow <<'END'
set max-line 8
start -> end : tl-upper
END
    drop bad $'short\nfar too long a line'
    drop good short
    run -65 once
    assert_file_is "$Q/output/good" SHORT
    assert_file_is "$Q/failed/bad" $'short\nfar too long a line'
    assert_equal "$(reason bad .name)" bad
    assert_equal "$(reason bad .class)" data
    assert_equal "$(reason bad .status)" 65
    assert_equal "$(reason bad .line)" 2
    assert_equal "$(reason bad .attempts)" 1
    assert_equal "$(reason bad .flow)" "$FLOW"
    has_files output 1
    nothing_left
}

@test "a failed file that is put back is processed when it is mended" {
    flow data.flow <<'END'
set max-line 8
start -> end : tl-upper
END
    drop bad 'far too long'
    run -65 once
    echo short >"$Q/failed/bad"
    mv "$Q/failed/bad" "$IN/"
    once
    assert_file_is "$Q/output/bad" SHORT
}

@test "a taken name in failed gets a version, its reason too" {
    flow undeclared.flow <<'END'
start -> end : gawk 'BEGIN { FS = OFS = "\t" } /^!/ { print; fflush(); next } { print "nowhere", $2 }'
END
    drop bad one
    run -65 once
    drop bad two
    run -65 once
    assert_file_is "$Q/failed/bad" one
    assert_file_is "$Q/failed/bad.~2~" two
    [ -e "$Q/failed/bad.reason" ] && [ -e "$Q/failed/bad.~2~.reason" ]
    assert_equal "$(reason bad .node)" start
    assert_equal "$(reason bad .class)" data
}

@test "a filter that lies about a fence: failed with status 70" {
    flow liar.flow <<'END'
start -> end : gawk '/^!hello/ { print; fflush(); next } /^!/ { print "!fence 4711"; fflush(); next } { print }'
END
    drop file
    run -65 once
    assert_equal "$(reason file .status)" 70
}

@test "a filter that crashes: tried again, then failed with what it said" {
    flow crash.flow <<'END'
start -> end : sh -c 'read hello; echo "$hello"; read line; echo "I die now" >&2; kill -SEGV $$'
END
    drop file
    run -65 once --retries 2
    assert_equal "$(reason file .status)" 75
    assert_equal "$(reason file .class)" temporary
    assert_equal "$(reason file .attempts)" 3
    assert_equal "$(reason file .node)" start
    reason file .stderr | grep 'I die now'
    times_logged 'retried: file' 2
}

@test "a filter that hangs: its timeout fails the job" {
    flow hang.flow <<'END'
start [timeout=200ms] -> end : sh -c 'read hello; echo "$hello"; exec sleep 1000'
END
    drop file
    run -65 once --retries 0
    assert_equal "$(reason file .status)" 75
    no_processes_left
}

@test "a temporary failure that passes is retried until it is done" {
    flow moody.flow <<END
start -> end | sh -c 'echo x >>$BATS_TEST_TMPDIR/runs; [ \$(wc -l <$BATS_TEST_TMPDIR/runs) -gt 3 ] || kill -KILL \$\$; cat'
END
    drop file
    once
    assert_file_is "$Q/output/file" hello
    times_logged 'retried: file' 3
    has_files failed 0
    [ ! -s "$Q/.tagline/attempts" ] || ! grep -q '^[1-9]' <(tail -n 1 "$Q/.tagline/attempts")
}

@test "one file that kills its filters does not fail the others" {
    flow poison.flow <<'END'
start -> end | sh -c 'read x; [ "$x" != poison ] || kill -KILL $PPID; echo "$x"'
END
    for i in $(seq 20); do drop "f$i" "text $i"; done
    drop poison poison
    run -65 once --retries 2
    has_files output 20
    assert_equal "$(reason poison .attempts)" 3
    assert_equal "$(reason poison .status)" 75
    has_files failed 2
}

@test "the command of a flow disappears: hold, then resume on HUP" {
    cp "$TL_BIN/tl-upper" "$BATS_TEST_TMPDIR/my-filter"
    flow mine.flow <<END
start -> end : $BATS_TEST_TMPDIR/my-filter
END
    supervise --backoff 10ms..1h
    mv "$BATS_TEST_TMPDIR/my-filter" "$BATS_TEST_TMPDIR/away"
    pkill -KILL -P "$SUP" || logged hold: # a worker that started late has found it gone
    wait_until 10 logged hold:
    drop file
    kill -HUP "$SUP"
    wait_until 10 logged 'still held:'
    [ -e "$IN/file" ]
    mv "$BATS_TEST_TMPDIR/away" "$BATS_TEST_TMPDIR/my-filter"
    kill -HUP "$SUP"
    wait_until 10 logged resume:
    wait_until 10 processed file
    has_files failed 0
    stop TERM 0
}

@test "a flow that is wrong from the start: hold, and go on when it is mended" {
    flow wrong.flow <<'END'
start -> nowhere : tl-upper
END
    drop file
    launch
    wait_until 10 logged hold:
    [ -e "$IN/file" ]
    echo 'start -> end : tl-upper' >"$FLOW" # found by the timer, without HUP
    wait_until 10 processed file
    stop TERM 0
}

@test "a flow that is wrong, with --once: its status" {
    flow wrong.flow <<'END'
start -> nowhere : tl-upper
END
    drop file
    run -78 once
    [ -e "$IN/file" ]
}

@test "a full disk: hold, nothing fails, resume when there is room" {
    small_disk "$Q" size=400k
    mkdir -p "$IN"
    supervise --durability process
    head -c 250000 /dev/zero | tr '\0' x >"$Q/ballast"
    head -c 100000 /dev/zero | tr '\0' y >"$IN/.big"
    mv "$IN/.big" "$IN/big"
    wait_until 10 logged hold:
    rm "$Q/ballast"
    wait_until 20 processed big
    logged resume:
    has_files failed 0
    assert_equal "$(wc -c <"$Q/output/big")" 100001
    stop TERM 0
}

# --- signals

@test "TERM finishes what was begun" {
    gate_flow
    supervise
    drop file
    wait_until 10 at_work
    kill -TERM "$SUP"
    wait_until 10 logged stop:
    drop late
    touch "$GATE"
    ended_with 0
    assert_file_is "$Q/output/file" hello
    [ -e "$IN/late" ]
    nothing_left_but late
    no_processes_left
}

nothing_left_but() {
    run -0 find "$IN" "$Q/underprocess" "$Q/.tagline/work" -mindepth 1
    assert_output "$IN/$1"
}

@test "a second TERM stops at once and gives everything back" {
    gate_flow
    supervise
    drop file
    wait_until 10 at_work
    kill -TERM "$SUP"
    wait_until 10 logged stop:
    stop TERM 0
    assert_file_is "$IN/file" hello
    nothing_left_but file
    no_processes_left
    touch "$GATE"
    once --retries 0 # the run that we cut off is not counted
    assert_file_is "$Q/output/file" hello
}

@test "INT is as TERM" {
    supervise
    stop INT 0
    no_processes_left
}

@test "HUP takes on a new flow" {
    supervise
    drop one
    wait_until 10 processed one
    echo 'start -> end : tl-prefix "> "' >"$FLOW"
    kill -HUP "$SUP"
    wait_until 10 logged reloaded:
    drop two
    wait_until 10 processed two
    assert_file_is "$Q/output/one" HELLO
    assert_file_is "$Q/output/two" '> hello'
    stop TERM 0
    no_processes_left
}

@test "HUP with a bad flow: refused, and workers that die do not take it either" {
    supervise
    echo 'start -> nowhere : tl-upper' >"$FLOW"
    kill -HUP "$SUP"
    wait_until 10 logged 'reload refused:'
    logged "$FLOW:1:"
    pkill -KILL -P "$SUP"
    wait_until 10 logged 'died'
    drop file
    wait_until 10 processed file
    assert_file_is "$Q/output/file" HELLO
    stop TERM 0
}

# --- one supervisor a queue

@test "removing .tagline while stopped loses no file" {
    gate_flow
    supervise
    drop file
    wait_until 10 at_work
    crash
    no_processes_left
    rm -r "$Q/.tagline"
    touch "$GATE"
    once
    assert_file_is "$Q/output/file" hello
    nothing_left
}

@test "two supervisors: the second says so and exits 75" {
    supervise
    run -75 --separate-stderr timeout 30 tl-supervisor "$FLOW" "$Q"
    assert_one_line
    assert_regex "$stderr" 'another supervisor'
    stop TERM 0
}

@test "an orphan worker keeps the next supervisor out until it is gone" {
    once
    flock "$Q/.tagline/lock" sh -c "touch $BATS_TEST_TMPDIR/began; until [ -e $GATE ]; do sleep 0.02; done" 3>&- &
    wait_until 10 at_work
    run -75 --separate-stderr timeout 30 tl-supervisor "$FLOW" "$Q"
    assert_one_line
    drop file
    launch
    touch "$GATE" # it is waited for, for a while
    wait_until 10 processed file
    stop TERM 0
}

@test "signals during start-up: TERM ends it, HUP does not" {
    mkdir -p "$Q/.tagline"
    flock "$Q/.tagline/lock" sh -c "touch $BATS_TEST_TMPDIR/began; until [ -e $GATE ]; do sleep 0.02; done" 3>&- &
    wait_until 10 test -e "$BATS_TEST_TMPDIR/began"
    tl-supervisor "$FLOW" "$Q" 2>"$LOG" 3>&- &
    local pid=$!
    wait_until 10 masked "$pid"
    kill -HUP "$pid"
    kill -TERM "$pid"
    wait "$pid"
    grep -q 'stop: told to' "$LOG"
    touch "$GATE"
}

@test "killed while it works, its workers end too and the next one starts at once" {
    gate_flow
    supervise -j 1
    drop file
    wait_until 10 at_work
    worker=$(workers)
    kill -STOP "$worker" # even one that cannot hear it at first
    crash
    # The kernel wakes it by itself where it now belongs to another session's init, as in most
    # places, but not in a container whose first process began this test.
    kill -CONT "$worker" 2>"$BATS_TEST_TMPDIR/gone" || [ ! -e "/proc/$worker" ]
    touch "$GATE"
    once
    assert_file_is "$Q/output/file" hello
    has_files output 1
    no_processes_left
}

# --- the surroundings

@test "a folder on another file system: one line at the start" {
    small_disk "$BATS_TEST_TMPDIR/other" size=100k
    mkdir "$Q/processed"
    mount --bind "$BATS_TEST_TMPDIR/other" "$Q/processed"
    run -78 --separate-stderr timeout 30 tl-supervisor "$FLOW" "$Q"
    umount "$Q/processed"
    assert_one_line
    assert_regex "$stderr" 'another file system'
}

@test "a removed folder is made again, and watched again" {
    supervise
    rm -r "$IN"
    wait_until 10 test -d "$IN"
    drop file
    wait_until 10 processed file
    stop TERM 0
}

@test "folders that are removed while a file is processed are made again, and nothing is lost" {
    gate_flow
    supervise -j 1
    drop file
    wait_until 10 at_work
    rm -r "$Q/output" "$Q/processed"
    touch "$GATE"
    wait_until 20 processed file
    assert_file_is "$Q/output/file" hello
    assert_file_is "$Q/processed/file" hello
    stop TERM 0
    nothing_left
}

@test "without inotify it looks every second, and says so once" {
    needs_strace
    strace -qq -o "$BATS_TEST_TMPDIR/trace" -e trace=inotify_init,inotify_init1 \
        -e inject=inotify_init,inotify_init1:error=EMFILE \
        tl-supervisor -j 1 --settle 50ms "$FLOW" "$Q" 2>"$LOG" 3>&- &
    SUP=$!
    wait_until 20 logged ready:
    logged 'cannot be watched'
    drop file
    wait_until 10 processed file
    kill -TERM "$(pgrep -P "$SUP")"
    ended_with 0
    assert_equal "$(count_logged 'cannot be watched')" 1
}

@test "a broken disk: hold, nothing fails, resume by itself" {
    needs_strace
    strace -qq -o "$BATS_TEST_TMPDIR/trace" -e trace=fsync -e inject=fsync:error=EIO:when=6..8 \
        tl-supervisor -j 1 --settle 50ms "$FLOW" "$Q" 2>"$LOG" 3>&- &
    SUP=$!
    wait_until 20 logged ready:
    for i in 1 2 3 4 5; do drop "f$i"; done
    wait_until 20 logged hold:
    wait_until 30 has_files processed 5
    logged resume:
    has_files output 5
    has_files failed 0
    kill -TERM "$(pgrep -P "$SUP")"
    ended_with 0
}

@test "a sync that failed is not trusted when it is repeated: the file runs again" {
    needs_strace
    flow count.flow <<END
start -> end | sh -c 'echo >>$BATS_TEST_TMPDIR/runs; cat'
END
    for folder in .tagline/work underprocess .tagline/work/1/file; do
        rm -f "$BATS_TEST_TMPDIR/runs" "$Q"/{output,processed}/*
        drop file
        timeout 60 strace -qq -o "$BATS_TEST_TMPDIR/trace" -P "$Q/$folder" -e trace=fsync \
            -e inject=fsync:error=EIO:when=1 tl-supervisor --once --settle 0 "$FLOW" "$Q" 2>>"$LOG"
        grep -q INJECTED "$BATS_TEST_TMPDIR/trace"
        assert_file_is "$Q/output/file" hello
        assert_equal "$(wc -l <"$BATS_TEST_TMPDIR/runs")" 2
    done
    nothing_left
}

@test "the queue is moved away: exit 75" {
    supervise
    mv "$Q" "$Q.moved"
    ended_with 75
    logged 'no longer there'
    no_processes_left
}

# --- metrics

@test "metrics: a reader gets whole records of every kind" {
    supervise
    timeout 20 cat "$Q/metrics" >"$BATS_TEST_TMPDIR/records" 3>&- &
    local reader=$!
    wait_until 10 grep -q '"type":"queue"' "$BATS_TEST_TMPDIR/records"
    drop file
    wait_until 10 grep -q '"event":"done"' "$BATS_TEST_TMPDIR/records"
    wait_until 10 grep -q '"type":"trace"' "$BATS_TEST_TMPDIR/records"
    wait_until 10 grep -q '"type":"queue".*"processed":1,' "$BATS_TEST_TMPDIR/records"
    stop TERM 0
    wait "$reader"
    run -0 jq -s -c 'map(select(.v != 1 or .time == null)) | length' "$BATS_TEST_TMPDIR/records"
    assert_output 0
    run -0 jq -r 'select(.type == "file") | "\(.event) \(.name) \(.size) \(.attempt) \(.status)"' "$BATS_TEST_TMPDIR/records"
    assert_output $'claimed file 6 1 0\ndone file 6 1 0'
    run -0 jq -c 'select(.event == "done") | .sinks' "$BATS_TEST_TMPDIR/records"
    assert_output '[{"tag":"end","file":"file","lines":1,"bytes":6}]'
    run -0 jq -s -c 'map(select(.type == "node")) | last | [.node, .lines_in, .lines_out]' "$BATS_TEST_TMPDIR/records"
    assert_output '["start",1,1]'
}

@test "metrics: each field of the table is written, and no other" {
    flow data.flow <<'END'
set max-line 8
start -> end : tl-upper
END
    supervise
    timeout 20 cat "$Q/metrics" >"$BATS_TEST_TMPDIR/records" 3>&- &
    wait_until 10 grep -q '"type":"queue"' "$BATS_TEST_TMPDIR/records"
    drop good
    drop bad 'far too long'
    wait_until 10 grep -q '"event":"failed"' "$BATS_TEST_TMPDIR/records"
    wait_until 10 grep -q '"type":"node"' "$BATS_TEST_TMPDIR/records"
    stop TERM 0
    jq -r '.type as $t | keys[] | select(IN("v", "type", "time") | not) | "\($t) \(.)"' \
        "$BATS_TEST_TMPDIR/records" | sort -u >"$BATS_TEST_TMPDIR/written"
    sed -n 's/^ *{METRICS_\([A-Z]*\), "\([a-z_]*\)".*/\L\1\E \2/p' "$ROOT/lib/metrics.c" | sort -u |
        diff - "$BATS_TEST_TMPDIR/written"
}

@test "metrics: whoever comes late gets the last errors and traces" {
    flow data.flow <<'END'
set max-line 8
start -> end : tl-upper
END
    supervise
    drop good
    drop bad 'far too long'
    wait_until 10 failed bad
    timeout 20 cat "$Q/metrics" >"$BATS_TEST_TMPDIR/records" 3>&- &
    wait_until 10 grep -q '"type":"error"' "$BATS_TEST_TMPDIR/records"
    run -0 jq -r 'select(.type == "error") | "\(.name) \(.line)"' "$BATS_TEST_TMPDIR/records"
    assert_output 'bad 1'
    stop TERM 0
}

# The supervisor has found a reader.
writes_metrics() { [[ -n $(find "/proc/$SUP/fd" -lname '*/metrics') ]]; }

@test "metrics: a reader that stops reading holds up nothing, and drops are counted" {
    supervise --durability process
    exec 7<>"$Q/metrics" # a reader that never reads
    wait_until 10 writes_metrics
    for i in $(seq 600); do echo "$i" >"$IN/.f$i" && mv "$IN/.f$i" "$IN/f$i"; done
    wait_until 60 has_files processed 600
    timeout 20 cat "$Q/metrics" >"$BATS_TEST_TMPDIR/records" 3>&- 7>&- &
    wait_until 10 grep -q '"records_dropped":[1-9]' "$BATS_TEST_TMPDIR/records"
    exec 7>&-
    stop TERM 0
    jq -e . "$BATS_TEST_TMPDIR/records" >"$BATS_TEST_TMPDIR/parsed"
}

@test "metrics: a reader that dies, and a file in the FIFO's place" {
    supervise
    timeout 20 head -n 1 "$Q/metrics" >"$BATS_TEST_TMPDIR/first" 3>&-
    drop one
    wait_until 10 processed one
    rm "$Q/metrics"
    echo mine >"$Q/metrics"
    wait_until 10 logged 'is not a FIFO'
    drop two
    wait_until 10 processed two
    assert_file_is "$Q/metrics" mine
    rm "$Q/metrics"
    wait_until 10 test -p "$Q/metrics"
    assert_equal "$(count_logged 'is not a FIFO')" 1
    assert_equal "$(stat -c %a "$Q/metrics")" 640
    stop TERM 0
}

@test "metrics: a record of the longest names still fits PIPE_BUF" {
    local long
    long=$(printf '\001%.0s' $(seq 255))
    supervise
    timeout 20 cat "$Q/metrics" >"$BATS_TEST_TMPDIR/records" 3>&- &
    wait_until 10 grep -q '"type":"queue"' "$BATS_TEST_TMPDIR/records"
    printf '%s\n' "$(head -c 5000 /dev/zero | tr '\0' '\001')" >"$IN/$long"
    wait_until 10 grep -q '"type":"trace"' "$BATS_TEST_TMPDIR/records"
    wait_until 10 grep -q '"event":"done"' "$BATS_TEST_TMPDIR/records"
    stop TERM 0
    run -0 awk 'length($0) + 1 > 4096' "$BATS_TEST_TMPDIR/records"
    assert_output ""
    jq -e . "$BATS_TEST_TMPDIR/records" >"$BATS_TEST_TMPDIR/parsed"
}

@test "workers inherit the lock and nothing else, their filters not even that" {
    supervise -j 1
    local worker filter
    worker=$(workers)
    filter=$(pgrep -P "$worker")
    run -0 readlink "/proc/$worker/fd/$(tr '\0' '\n' <"/proc/$worker/environ" | sed -n 's/^TAGLINE_LOCK_FD=//p')"
    assert_output "$Q/.tagline/lock"
    run -0 find "/proc/$worker/fd" -lname "$Q*"
    assert_equal "${#lines[@]}" 1
    run -0 find "/proc/$filter/fd" -lname "$Q*"
    assert_output ""
    stop TERM 0
}
