#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What a crash leaves on disk, and what the next start makes of it: the rows of the table of
# tagline-queue(5), each made by hand.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # programs in other languages; variables that bats sets

bats_require_minimum_version 1.5.0
load queue

setup() {
    queue_setup crash-states
}

teardown() {
    kill_marked
}

@test "crash in 2: a supervisor killed while it runs a file" {
    gate_flow
    supervise
    drop file
    wait_until 10 at_work
    crash
    [ -e "$Q/underprocess/file" ]
    touch "$GATE"
    once
    assert_file_is "$Q/output/file" hello
    logged recovered:
    nothing_left
}

@test "crash before 5: rolled forward, not run again" {
    crashed_queue
    crashed_record
    once
    assert_file_is "$Q/output/file" 'the result'
    assert_file_is "$Q/processed/file" input
    nothing_left
}

@test "crash in 5: the result is moved, the input is not" {
    crashed_queue
    crashed_record
    mv "$Q/.tagline/work/7/file" "$Q/output/file"
    once
    assert_file_is "$Q/output/file" 'the result'
    assert_file_is "$Q/processed/file" input
    has_files output 1
    nothing_left
}

@test "crash after 7: a newer file of that name is claimed: that one runs" {
    crashed_queue
    crashed_record
    mv "$Q/.tagline/work/7/file" "$Q/output/file"
    mv "$Q/underprocess/file" "$Q/processed/file"
    echo newer >"$Q/underprocess/file"
    once
    assert_file_is "$Q/output/file" 'the result'
    assert_file_is "$Q/output/file.~2~" NEWER
    assert_file_is "$Q/processed/file.~2~" newer
}

@test "crash after 7: the same file is put back and claimed: it runs again" {
    crashed_queue
    crashed_record
    mv "$Q/.tagline/work/7/file" "$Q/output/file"
    mv "$Q/underprocess/file" "$Q/processed/file"
    mv "$Q/processed/file" "$Q/underprocess/file"
    once
    assert_file_is "$Q/output/file.~2~" INPUT
    nothing_left
}

@test "crash in 5, by link: cut in two, and finished" {
    crashed_queue
    crashed_record
    ln "$Q/.tagline/work/7/file" "$Q/output/file"
    once
    assert_file_is "$Q/output/file" 'the result'
    has_files output 1
    has_files processed 1
    nothing_left
}

@test "crash in 4: a torn and an empty record: discarded, the file runs again" {
    crashed_queue
    crashed_record
    truncate -s -20 "$Q/.tagline/journal/3"
    : >"$Q/.tagline/journal/4"
    once
    times_logged torn 2
    assert_file_is "$Q/output/file" INPUT
    nothing_left
}

@test "crash upgraded: a record of another version is set aside" {
    mkdir -p "$Q/.tagline/journal"
    printf 'tagline-journal 99\nwhatever\n' >"$Q/.tagline/journal/1"
    drop file
    once
    logged 'another version'
    [ -e "$Q/.tagline/journal/1.foreign" ]
    assert_file_is "$Q/output/file" HELLO
}

@test "crash before 5: of a file that failed: rolled forward with its reason" {
    crashed_queue
    mkdir "$Q/failed"
    echo '{"name":"file"}' >"$Q/.tagline/work/7/reason"
    {
        journal_line .tagline/work/7/reason failed/file.reason
        journal_line underprocess/file failed/file
    } | journal_write 1
    once
    assert_equal "$(reason file .name)" file
    assert_file_is "$Q/failed/file" input
    has_files output 0
    nothing_left
}

@test "crash upgraded: what is no record at all is set aside, too" {
    mkdir -p "$Q/.tagline/journal/5"
    ln -s /etc/passwd "$Q/.tagline/journal/6"
    truncate -s 65M "$Q/.tagline/journal/7"
    drop file
    once
    [ -d "$Q/.tagline/journal/5.foreign" ] && [ -L "$Q/.tagline/journal/6.foreign" ]
    [ -e "$Q/.tagline/journal/7.foreign" ]
    assert_file_is "$Q/output/file" HELLO
}

@test "crash in 5, taken: a stranger came between" {
    crashed_queue
    crashed_record
    echo foreign >"$Q/output/file"
    once
    assert_file_is "$Q/output/file" foreign
    assert_file_is "$Q/output/file.~2~" 'the result'
    assert_file_is "$Q/processed/file" input
}

@test "crash in 1, by link: cut in two, runs once" {
    mkdir -p "$Q/underprocess"
    drop file
    ln "$IN/file" "$Q/underprocess/file"
    once
    has_files processed 1
    has_files output 1
    nothing_left
}

@test "crash in a wait: the count is kept, and its end is failed" {
    mkdir -p "$Q/underprocess" "$Q/.tagline"
    echo text >"$Q/underprocess/file"
    echo "3 $(stat -c %i "$Q/underprocess/file") file" >"$Q/.tagline/attempts"
    run -65 once --retries 2
    assert_equal "$(reason file .attempts)" 3
    assert_equal "$(reason file .status)" 75
    assert_file_is "$Q/failed/file" text
}

@test "crash in 2: a file that takes the supervisor with it each time ends in failed" {
    gate_flow
    drop killer
    for _ in 1 2 3; do
        rm -f "$BATS_TEST_TMPDIR/began"
        supervise --retries 2
        wait_until 10 at_work
        crash
        no_processes_left
    done
    run -65 once --retries 2
    assert_equal "$(reason killer .attempts)" 3
    assert_file_is "$Q/failed/killer" hello
}

@test "crash in 5, unseen: a result that cannot be looked at is not taken for one that was moved" {
    needs_strace
    crashed_queue
    crashed_record
    run -75 strace -qq -o "$BATS_TEST_TMPDIR/trace" -P .tagline/work/7/file -e inject=newfstatat:error=EIO \
        tl-supervisor --once "$FLOW" "$Q"
    [ -e "$Q/.tagline/journal/3" ]
    once
    assert_file_is "$Q/output/file" 'the result'
    assert_file_is "$Q/processed/file" input
    nothing_left
}

@test "crash before 1: found by the scan" {
    mkdir -p "$Q/.tagline/work" "$Q/underprocess"
    drop file
    once
    assert_file_is "$Q/output/file" HELLO
    nothing_left
}

@test "crash put back: it runs, and its old reason goes" {
    mkdir "$Q/failed"
    echo '{"name":"file","class":"data"}' >"$Q/failed/file.reason"
    drop file
    once
    assert_file_is "$Q/output/file" HELLO
    has_files failed 0
}

@test "crash in 1, unsynced: the claim is lost, results of that run are not used" {
    mkdir -p "$Q/.tagline/work/1/deep"
    echo partial >"$Q/.tagline/work/1/file"
    echo partial >"$Q/.tagline/work/1/deep/x"
    echo junk >"$Q/.tagline/work/probe"
    drop file
    once
    assert_file_is "$Q/output/file" HELLO
    has_files output 1
    nothing_left
}

@test "crash in 2: partial results are removed, and the run counts" {
    crashed_queue
    FLOW=$BATS_TEST_TMPDIR/temporary.flow
    echo 'start -> end | sh -c "exit 75"' >"$FLOW"
    run -65 once --retries 1
    assert_equal "$(reason file .attempts)" 2
    assert_file_is "$Q/failed/file" input
    has_files output 0
}

# A file in underprocess, the results of run 7 and its checkpoint: what a worker leaves that is
# killed before it can say that it is done.
saved_queue() {
    once
    seq 200000 >"$Q/underprocess/file"
    CHECK=$Q/.tagline/work/7.$(stat -c %i "$Q/underprocess/file")
    mkdir "$Q/.tagline/work/7"
    tl-router --worker "$FLOW" <<<"job 7 $Q/underprocess/file $Q/.tagline/work/7 file checkpoint=$CHECK every=64K" |
        grep -q '"status":0'
    printf 'more than the checkpoint knows of' >>"$Q/.tagline/work/7/file"
    : >"$LOG"
}

saved_is_done() {
    seq 200000 | cmp - "$Q/output/file"
    nothing_left
}

@test "crash in 2, saved: the file goes on from its checkpoint" {
    saved_queue
    once
    logged 'goes on at byte'
    saved_is_done
    # Its run counts.
    saved_queue
    rm "$Q/output/file"
    run -65 once --retries 0
    assert_equal "$(reason file .attempts)" 1
    nothing_left
}

@test "crash in 2, saving: half of a new checkpoint is nothing, and goes" {
    saved_queue
    head -c 100 "$CHECK" >"$CHECK.tmp"
    once
    logged 'goes on at byte'
    saved_is_done
}

@test "crash saved for another: told, and the file runs from its beginning" {
    saved_queue
    truncate -s -1 "$CHECK"
    once
    logged 'begun again, because its checkpoint is cut short'
    saved_is_done
}

@test "crash saved for none: the checkpoint and its results go" {
    saved_queue
    rm "$Q/underprocess/file"
    mkdir "$Q/.tagline/work/9"
    : >"$Q/.tagline/work/8.15"
    once
    nothing_left
    has_files output 0
}

@test "crash in 3, unsynced: results without bytes are not taken for results" {
    crashed_queue
    : >"$Q/.tagline/work/7/file"
    once
    assert_file_is "$Q/output/file" INPUT
    nothing_left
}

@test "crash after 5: the record goes" {
    crashed_queue
    crashed_record
    mv "$Q/.tagline/work/7/file" "$Q/output/file"
    mv "$Q/underprocess/file" "$Q/processed/file"
    once
    assert_file_is "$Q/output/file" 'the result'
    assert_file_is "$Q/processed/file" input
    has_files output 1
    nothing_left
}

@test "crash log written, log rewritten: half a line and half a log are ignored" {
    mkdir -p "$Q/.tagline"
    printf '3 1 gone\n2 99999 fi' >"$Q/.tagline/attempts"
    echo half >"$Q/.tagline/attempts.new"
    drop file
    once
    assert_file_is "$Q/output/file" HELLO
    [ ! -s "$Q/.tagline/attempts" ]
    [ ! -e "$Q/.tagline/attempts.new" ]
}

@test "crash flow copied: half a copy is not the flow" {
    mkdir -p "$Q/.tagline/flow/1" "$Q/.tagline/flow/4"
    printf 'start -> e' >"$Q/.tagline/flow/1/upper.flow"
    drop file
    once
    assert_file_is "$Q/output/file" HELLO
    [ ! -e "$Q/.tagline/flow/4" ]
}

@test "crash told or asked: a status is written anew, a word is obeyed" {
    mkdir -p "$Q/.tagline/control"
    printf '{"pid":' >"$Q/.tagline/status"
    printf garbage >"$Q/.tagline/control/ask-7"
    supervise
    drop file
    wait_until 10 processed file
    wait_until 10 jq -e '.pid' "$Q/.tagline/status"
    [ ! -e "$Q/.tagline/control/ask-7" ]
    stop TERM 0
}

@test "crash in recovery: killed at each of its steps in turn, and then at none" {
    needs_strace
    crashed_queue
    crashed_record
    local call
    for call in newfstatat:when=8 renameat2:when=1 renameat2:when=2 unlinkat:when=1 mknodat:when=1; do
        run strace -o "$BATS_TEST_TMPDIR/trace" -e trace="${call%%:*}" \
            -e inject="${call%%:*}:signal=KILL:${call#*:}" tl-supervisor --once "$FLOW" "$Q"
        [ -e "$Q/underprocess/file" ] || [ -e "$Q/processed/file" ]
    done
    once
    assert_file_is "$Q/output/file" 'the result'
    assert_file_is "$Q/processed/file" input
    has_files output 1
    nothing_left
}

@test "crash removed: without .tagline the files in underprocess run again" {
    crashed_queue
    rm -r "$Q/.tagline"
    once
    assert_file_is "$Q/output/file" INPUT
    nothing_left
}

@test "crash old file removed: its reason alone goes when it is old itself" {
    mkdir "$Q/failed"
    echo '{"name":"gone","class":"data"}' >"$Q/failed/gone.reason"
    drop file
    once --keep failed=1h
    [ -e "$Q/failed/gone.reason" ]
    wait_until 10 eval '(($(date +%s%N) - $(stat -c %.9Z "$Q/failed/gone.reason" | tr -d .) > 50000000))'
    once --keep failed=50ms
    [ ! -e "$Q/failed/gone.reason" ]
    assert_file_is "$Q/output/file" HELLO
}

# The rows of the table in the manual.
states() {
    sed -n '/^A crash leaves one of these/,/^\.El/s/^\.It \([^S].*\) Ta .* Ta .*/\1/p' \
        "$ROOT/supervisor/tagline-queue.5"
}

@test "each state of the table has a test here, and each test a state" {
    local state
    [ "$(states | wc -l)" -gt 20 ]
    while read -r state; do
        grep -qE "^@test \"crash ([^:]*, )?${state}[:,]" "$BATS_TEST_FILENAME" || fail "no test: $state"
    done < <(states)
    while read -r state; do
        states | grep -qxF "$state" || fail "not in the table: $state"
    done < <(sed -n 's/^@test "crash \(log written, \)*\([^:]*\):.*/\2/p' "$BATS_TEST_FILENAME")
}
