#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2030,SC2031,SC2154 # variables that bats sets
# Checkpoints inside a file: a job that was killed in its middle goes on there and gives, byte for
# byte, what an undisturbed run gives; and where a checkpoint does not fit, it begins again.

bats_require_minimum_version 1.5.0
load queue

# A file of 3 MB in whose middle a line STOP stands, and what it gives in an undisturbed run.
setup_file() {
    cd "$BATS_FILE_TMPDIR" || exit
    awk 'BEGIN {
        srand(7)
        for (i = 0; i < 120000; i++)
            print i == 90000 ? "STOP" : sprintf("%05d text %d %d", rand() * 100000, i % 17, i / 3)
    }' >in
    # What it does depends on the file: it has cycles with state in them, state in all kinds of
    # filters, copies, and lines whose order depends on where epochs are cut.
    cat >gate.awk <<'END'
BEGIN { FS = OFS = "\t" }
/^!hello/ { print $0 " stateless map"; fflush(); next }
/^!/ { print; fflush(); next }
$2 == "STOP" && (getline x < "hold") >= 0 { close("hold"); system("kill -STOP " PROCINFO["pid"]) }
{ print }
END
    cat >whole.flow <<'END'
start -> ring : gawk -b -f gate.awk
ring -> out strip few : tl-match strip=^0 few='7$'
strip -> seen : tl-replace ^0 ''
seen -> ring : tl-uniq
few -> pairs : tl-sample -n 3
pairs -> out : tl-join -n 2
out [jobs=2] -> late : tl-suffix .
late [stateless] -> sum | tac
sum -> end total top : tl-count -p -t total -k '^(..)'
top -> end : tl-head
total => %f.total
END
    mkdir want
    printf 'job 1 in want in\n' | tl-router --worker whole.flow | tail -n 1 >want.json
    [[ $(jq .status want.json) == 0 && -s want/in.total ]]
}

setup() {
    queue_setup checkpoint
    cd "$BATS_TEST_TMPDIR" || exit
    ln "$BATS_FILE_TMPDIR/in" in
    cp "$BATS_FILE_TMPDIR"/{whole.flow,gate.awk} .
    mkdir dir
}

teardown() {
    kill_marked
}

# work [FLOW [WORDS [NAME]]]: the job, done to its end by a worker; the answer is in $answer.
work() {
    answer=$(printf 'job 1 in dir %s checkpoint=check %s\n' "${3:-in}" "${2:-every=128K}" |
        tl-router --worker "${1:-whole.flow}" 2>>errors | tail -n 1)
}

# start_work [FLOW [WORDS]]: the same in the background, by $worker, which does not end by itself.
start_work() {
    [[ -p requests ]] || mkfifo requests
    exec 8<>requests
    printf 'job 1 in dir in checkpoint=check %s\n' "${2:-every=128K}" >&8
    tl-router --worker "${1:-whole.flow}" <requests >answers 2>>errors 8>&- &
    worker=$!
}

# Its filters end with it.
kill_work() {
    kill -9 "$worker"
    wait "$worker" || :
    exec 8>&-
}

# The same, but killed where the gate is.
work_and_die() {
    : >hold
    start_work "${1:-whole.flow}"
    wait_until 60 gate_stopped
    kill_work
    rm hold
    [[ -s check ]]
}

gate_stopped() {
    local pid
    pid=$(pgrep -P "$worker" -xf 'gawk -b -f gate.awk') && [[ $(ps -o stat= "$pid") == T* ]]
}

# accounts FILE: what an answer says that must not depend on how it came to be.
accounts() { jq -c '[.status, .lines, .bytes, .sinks, [.nodes[] | del(.cpu, .memory, .restarts)]]' "$@"; }

# The results and the accounts are those of an undisturbed run.
as_undisturbed() {
    cmp dir/in "$BATS_FILE_TMPDIR/want/in"
    cmp dir/in.total "$BATS_FILE_TMPDIR/want/in.total"
    assert_equal "$(accounts <<<"$answer")" "$(accounts "$BATS_FILE_TMPDIR/want.json")"
}

went_on() {
    grep -Eq 'in: goes on at byte [1-9][0-9]*, line [1-9]' errors
    run -1 grep 'begun again' errors
}

began_again() { # WHY
    grep -F "in: begun again, because " errors | grep -F "$1" || {
        cat errors
        return 1
    }
    run -1 grep 'goes on' errors
}

@test "checkpoint: killed in the middle of a file, a worker's successor goes on there" {
    work_and_die
    work
    went_on
    as_undisturbed
    # Most of it was not done again: the gate stood behind three quarters.
    at=$(sed -n 's/.*goes on at byte \([0-9]*\).*/\1/p' errors)
    ((at > 1500000))
}

@test "checkpoint: killed again and again, at any moment" {
    local kills=0
    while ((kills < 20)); do
        start_work whole.flow 'every=256K sync'
        # A moment, not a condition: it is to be any.
        sleep "$((RANDOM % 300 * ${PATIENCE:-1}))e-3"
        kill_work
        kills=$((kills + 1))
    done
    work
    grep -q 'goes on' errors
    run -1 grep 'begun again' errors
    as_undisturbed
    no_processes_left
}

@test "checkpoint: a job that is not disturbed leaves its last one, and may be done again from it" {
    work
    as_undisturbed
    [[ -s check && ! -e check.tmp ]]
    work
    went_on
    as_undisturbed
}

@test "checkpoint: one that does not fit is told in one line, and the job begins again" {
    work_and_die
    mkdir safe
    cp -p check dir/* safe
    again() { # WHY COMMAND...: damage something, go on
        local why=$1
        shift
        cp safe/check check
        cp safe/in dir
        : >errors
        "$@"
        work
        began_again "$why"
        as_undisturbed
    }
    rewrite() { printf '%s' "$2" | dd of="$1" conv=notrunc status=none; }
    again 'its checkpoint is empty' truncate -s 0 check
    again 'its checkpoint is cut short' truncate -s -1 check
    again 'its checkpoint is cut short' truncate -s 100 check
    again 'its checkpoint is damaged' rewrite check X
    again 'the result in: is shorter than it was' truncate -s 1000 dir/in
}

@test "checkpoint: results that are gone, others, or not the same" {
    work_and_die
    mkdir safe
    cp -p check dir/* safe
    restore() { cp safe/check check && cp safe/in dir && : >errors; }
    rm dir/in
    work
    began_again 'the result in: No such file'
    as_undisturbed
    restore
    printf X | dd of=dir/in bs=1 seek=50000 conv=notrunc status=none
    work
    began_again 'the result in: is not what it was'
    as_undisturbed
    restore
    work whole.flow every=128K other
    began_again 'its results have other names'
    cmp dir/other "$BATS_FILE_TMPDIR/want/in"
}

@test "checkpoint: another flow, another input" {
    work_and_die
    mkdir safe
    cp -p check dir/* safe
    cp whole.flow other.flow
    echo '# the same, but who knows' >>other.flow
    work other.flow
    began_again 'the flow is another one since its checkpoint'
    as_undisturbed
    cp safe/check check
    cp safe/in dir
    : >errors
    cp in copy
    mv copy in
    work
    began_again 'it has changed since its checkpoint'
    as_undisturbed
}

@test "checkpoint: a command that does not take its state on lets the job begin again" {
    cat >moody.awk <<'END'
BEGIN { FS = OFS = "\t" }
/^!hello/ { print $0 " state"; fflush(); next }
/^!save/ { print "!state " n; print; fflush(); next }
/^!load/ { if ((getline x < "mood") >= 0) exit 3; n = substr($0, 7); print; fflush(); next }
/^!end/ { print "end\t" n; n = 0 }
/^!/ { print; fflush(); next }
{ n++ }
END
    flow moody.flow <<'END'
start -> n : gawk -b -f gate.awk
n -> end : gawk -b -f moody.awk
END
    work_and_die moody.flow
    cp check safe
    work moody.flow
    went_on
    assert_file_is dir/in 120000
    cp safe check
    : >errors
    : >mood
    work moody.flow
    grep -F 'in: begun again, because n: gawk exited with status 3' errors
    assert_file_is dir/in 120000
    assert_equal "$(jq .status <<<"$answer")" 0
}

@test "checkpoint: the input of an archive is passed over" {
    gzip -1 <in >packed
    rm in
    mv packed in
    work_and_die
    work
    went_on
    as_undisturbed
}

@test "checkpoint: what cannot be saved is named by --check, and begins again" {
    flow whole-file.flow <<'END'
start -> late : tl-upper
late -> end | sort
END
    run -0 tl-router --check "$FLOW"
    assert_line 'checkpoints: none, because late (line 2) runs to the end of a file; after a crash a file begins again'
    work "$FLOW"
    assert_equal "$(jq .status <<<"$answer")" 0
    [[ ! -e check ]]
    cmp dir/in <(tr a-z A-Z <in | sort)
    flow forgetful.flow <<'END'
start -> end : gawk -b '/^!/ { print; fflush(); next } { print }'
END
    run -0 tl-router --check "$FLOW"
    assert_line 'checkpoints: none, because start (line 1) is neither stateless nor able to save its state; after a crash a file begins again'
    run -0 tl-router --check whole.flow
    refute_output --partial checkpoints
}

@test "checkpoint: one that cannot be written is warned of, and the job goes on" {
    printf 'job 1 in dir in checkpoint=nowhere/check every=1M\n' |
        tl-router --worker whole.flow 2>errors | tail -n 1 >got
    answer=$(cat got)
    as_undisturbed
    grep -q 'in: no checkpoint can be written: No such file' errors
}

@test "checkpoint: by time too; several jobs of one worker keep apart" {
    seq 100 >small
    mkdir other
    printf '%s\n' 'job 1 small other a checkpoint=a every=1ms' 'job 2 in dir in checkpoint=check every=2ms' \
        'job 3 small other b checkpoint=b every=1ms' | tl-router --worker whole.flow 2>errors >got
    assert_equal "$(jq -c '[.id, .status]' got | tail -n 3 | paste -sd' ')" '[1,0] [2,0] [3,0]'
    answer=$(sed -n 3p got)
    as_undisturbed
    cmp other/a other/b
    [[ -s check ]]
}

@test "checkpoint: with sync, results are durable before the file that speaks of them" {
    needs_strace
    printf 'job 1 in dir in checkpoint=check every=1M sync\n' |
        strace -f -y -qq -e trace=fdatasync,fsync,rename -o calls \
            tl-router --worker whole.flow >got
    sed -n 's/^[0-9]* *\([a-z]*\)(.*/\1/p' calls | paste -sd' ' >order
    # The result that has bytes, its folder, the checkpoint, its name, its folder; again and again.
    run -0 grep -E '^(fdatasync (fdatasync )?fsync fsync rename fsync ?)+$' order
}

@test "checkpoint: requests that make no sense" {
    for words in 'checkpoint=x' 'every=1s' 'sync' 'checkpoint= every=1s' 'checkpoint=x every=' \
        'checkpoint=x every=0s' 'checkpoint=x every=1x' 'checkpoint=%zz every=1s' 'what'; do
        run --separate-stderr tl-router --worker whole.flow <<<"job 7 in dir in $words"
        assert_equal "$(jq -c '[.id, .status]' <<<"${lines[1]}")" '[7,64]'
    done
}

# ---- in a queue ----

# The gate's process, stopped, of whichever worker.
queue_gate() {
    GATE_PID=$(pgrep -xf 'gawk -b -f gate.awk' | while read -r pid; do
        grep -qzxF "TAGLINE_TEST_MARK=$TAGLINE_TEST_MARK" "/proc/$pid/environ" &&
            [[ $(ps -o stat= "$pid") == T* ]] && echo "$pid"
    done)
    [[ -n $GATE_PID ]]
}

# begin_queue [OPTION...]: a supervisor at work on the file, up to the gate.
begin_queue() {
    FLOW=$BATS_TEST_TMPDIR/whole.flow
    cp in "$IN/in"
    : >hold
    supervise -j 1 --checkpoint 128K "$@"
    wait_until 60 queue_gate
    rm hold
    run -0 find "$Q/.tagline/work" -name '*.*' -type f -size +0
    assert_output
}

queue_as_undisturbed() {
    wait_until 60 processed in
    cmp "$Q/output/in" "$BATS_FILE_TMPDIR/want/in"
    cmp "$Q/output/in.total" "$BATS_FILE_TMPDIR/want/in.total"
    wait_until 10 nothing_left
}

@test "checkpoint: kill -9 of supervisor, worker and filters: the next supervisor goes on" {
    begin_queue
    kill_marked
    ended_with 137
    supervise
    queue_as_undisturbed
    logged 'goes on at byte'
    stop TERM 0
}

@test "checkpoint: kill -9 of the worker alone, and of a filter" {
    begin_queue
    kill -9 "$(workers)"
    wait_until 60 logged 'goes on at byte'
    queue_as_undisturbed
    : >hold
    cp in "$IN/again"
    wait_until 60 queue_gate
    rm hold
    : >"$LOG"
    kill -9 "$GATE_PID"
    wait_until 60 logged 'again: goes on at byte'
    wait_until 60 processed again
    cmp "$Q/output/again" "$BATS_FILE_TMPDIR/want/in"
    stop TERM 0
}

@test "checkpoint: a run that goes on is still counted" {
    begin_queue --retries 1
    kill_marked
    ended_with 137
    : >hold
    supervise --retries 1
    wait_until 60 queue_gate
    logged 'goes on at byte'
    kill_marked
    ended_with 137
    rm hold
    run -65 once --retries 1
    failed in
    assert_equal "$(reason in '.attempts | length')" 2
    nothing_left
}

@test "checkpoint: none with off, none of a file that is gone or came back changed" {
    begin_queue
    kill_marked
    ended_with 137
    once --checkpoint off
    queue_as_undisturbed
    run -1 grep 'goes on' "$LOG"
    run -1 grep 'begun again' "$LOG"

    begin_queue
    kill_marked
    ended_with 137
    rm "$Q/underprocess/in"
    once
    nothing_left
    run -1 grep 'goes on' "$LOG"

    begin_queue
    kill_marked
    ended_with 137
    echo more >>"$Q/underprocess/in"
    once
    logged 'begun again, because it has changed since its checkpoint'
    [[ $(grep -ac more "$Q/processed/in.~2~") == 1 ]]
    nothing_left
}

@test "checkpoint: another flow begins the file again" {
    begin_queue
    kill_marked
    ended_with 137
    echo '# changed' >>whole.flow
    once
    logged 'begun again, because the flow is another one'
    queue_as_undisturbed
}

@test "checkpoint: killed again and again in a queue, at any moment" {
    local kills=0
    FLOW=$BATS_TEST_TMPDIR/whole.flow
    cp in "$IN/in"
    while ((kills < 20)); do
        launch -j 1 --retries 100 --checkpoint 256K
        # A moment, not a condition: it is to be any.
        sleep "0.$((RANDOM % 5))$((RANDOM % 10))"
        kill_tree
        kills=$((kills + 1))
    done
    once -j 1 --retries 100
    queue_as_undisturbed
}

# The supervisor and its workers; filters end with these.
kill_tree() {
    local all
    all=$(pgrep -P "$SUP" || :)
    # shellcheck disable=SC2086 # words
    kill -9 "$SUP" $all 2>/dev/null || :
    wait "$SUP" || :
}

@test "checkpoint: values that are none" {
    for value in '' 0 0s 1x on -1s; do
        run --separate-stderr tl-supervisor --checkpoint "$value" whole.flow "$Q"
        assert_failure 64
        assert_one_line
    done
}
