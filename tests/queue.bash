# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2154 # variables that bats sets
# What the tests share that run a supervisor over a queue.

load helper

# queue_setup MARK [SETTLE]: a queue in the test's folder, and a flow; for setup.
queue_setup() {
    mark "$1"
    SETTLE=${2-50ms}
    Q=$BATS_TEST_TMPDIR/queue
    IN=$Q/unprocessed
    LOG=$BATS_TEST_TMPDIR/log
    GATE=$BATS_TEST_TMPDIR/gate
    mkdir -p "$IN"
    : >"$LOG"
    flow upper.flow <<'END'
start -> end : tl-upper
END
}

# once [OPTION...]: run over what is there, to the end; the log is in $LOG.
once() {
    timeout 60 tl-supervisor --once --settle 0 --backoff 10ms..50ms "$@" "$FLOW" "$Q" 2>>"$LOG"
}

# supervise [OPTION...]: start in the background and wait until it is ready; its pid is in $SUP.
supervise() {
    launch "$@"
    wait_until 20 logged ready:
}

launch() {
    : >"$LOG"
    tl-supervisor -j 2 --settle "$SETTLE" --backoff 10ms..50ms "$@" "$FLOW" "$Q" 2>"$LOG" 3>&- &
    SUP=$!
}

logged() { grep -qF -- "$1" "$LOG"; }
count_logged() { grep -cF -- "$1" "$LOG"; }
times_logged() { [[ $(count_logged "$1") -ge $2 ]]; }

# drop NAME [TEXT]: as a good producer does it.
drop() {
    printf '%s\n' "${2-hello}" >"$BATS_TEST_TMPDIR/dropping"
    mv -- "$BATS_TEST_TMPDIR/dropping" "$IN/$1"
}

stop() { # SIGNAL STATUS
    kill "-$1" "$SUP"
    ended_with "$2"
}

ended_with() { # STATUS
    local status=0
    wait "$SUP" || status=$?
    assert_equal "$status" "$1"
}

files_in() { find "$Q/$1" -mindepth 1 -type f | wc -l; }
has_files() { [[ $(files_in "$1") -eq $2 ]]; }
processed() { [[ -e $Q/processed/$1 ]]; }
failed() { [[ -e $Q/failed/$1.reason ]]; }
reason() { jq -r "$2" "$Q/failed/$1.reason"; }
workers() { pgrep -P "$SUP"; }
# Signals wait for the process to read them.
masked() { # PID
    [[ -n $(find "/proc/$1/fd" -lname 'anon_inode:\[signalfd\]') ]]
}

at_work() { [[ -e $BATS_TEST_TMPDIR/began ]]; }

nothing_left() {
    run -0 find "$IN" "$Q/underprocess" "$Q/.tagline/work" "$Q/.tagline/journal" -mindepth 1
    assert_output ""
}

# A flow that shows that it began with a file and waits for the gate to open.
gate_flow() {
    flow gate.flow <<END
start -> end | sh -c 'touch $BATS_TEST_TMPDIR/began; until [ -e $GATE ]; do sleep 0.02; done; cat'
END
}

# Kill the supervisor that supervise started.
crash() {
    kill -KILL "$SUP"
    wait "$SUP" 2>"$BATS_TEST_TMPDIR/killed" || [ $? -eq 137 ]
}

# journal_line FROM TO: a line of a record for a file as it is now.
journal_line() {
    local numbers
    numbers=$(cd "$Q" && stat -c '%i %s %.9Y %.9Z' "$1" | tr -d .)
    echo "move $numbers $1 $2"
}

# journal_write NUMBER: a whole record of the lines on standard input.
journal_write() {
    python3 -c '
import sys
text = b"tagline-journal 1\n" + sys.stdin.buffer.read()
h = 14695981039346656037
for byte in text:
    h = (h ^ byte) * 1099511628211 % 2**64
sys.stdout.buffer.write(text + b"end %d %016x\n" % (text.count(b"\n") - 1, h))
' >"$Q/.tagline/journal/$1"
}

# A queue as a crash leaves it between record and renames: the result lies in work.
crashed_queue() {
    mkdir -p "$Q/underprocess" "$Q/output" "$Q/processed" "$Q/.tagline/work/7" "$Q/.tagline/journal"
    echo input >"$Q/underprocess/file"
    echo the result >"$Q/.tagline/work/7/file"
}

crashed_record() {
    {
        journal_line .tagline/work/7/file output/file
        journal_line underprocess/file processed/file
    } | journal_write 3
}
