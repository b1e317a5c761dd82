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

@test "crash: claimed and running" {
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

@test "crash: record written, nothing moved: rolled forward, not run again" {
    crashed_queue
    crashed_record
    once
    assert_file_is "$Q/output/file" 'the result'
    assert_file_is "$Q/processed/file" input
    nothing_left
}

@test "crash: record written, the result moved: rolled forward" {
    crashed_queue
    crashed_record
    mv "$Q/.tagline/work/7/file" "$Q/output/file"
    once
    assert_file_is "$Q/output/file" 'the result'
    assert_file_is "$Q/processed/file" input
    has_files output 1
    nothing_left
}

@test "crash: all moved, the record still there, a newer file of that name claimed: that one runs" {
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

@test "crash: all moved, the record still there, the same file put back and claimed: it runs again" {
    crashed_queue
    crashed_record
    mv "$Q/.tagline/work/7/file" "$Q/output/file"
    mv "$Q/underprocess/file" "$Q/processed/file"
    mv "$Q/processed/file" "$Q/underprocess/file"
    once
    assert_file_is "$Q/output/file.~2~" INPUT
    nothing_left
}

@test "crash: a move by link and unlink cut in two" {
    crashed_queue
    crashed_record
    ln "$Q/.tagline/work/7/file" "$Q/output/file"
    once
    assert_file_is "$Q/output/file" 'the result'
    has_files output 1
    has_files processed 1
    nothing_left
}

@test "crash: a torn record: discarded, the file runs again" {
    crashed_queue
    crashed_record
    truncate -s -20 "$Q/.tagline/journal/3"
    : >"$Q/.tagline/journal/4"
    once
    times_logged torn 2
    assert_file_is "$Q/output/file" INPUT
    nothing_left
}

@test "crash: a record of another version is set aside" {
    mkdir -p "$Q/.tagline/journal"
    printf 'tagline-journal 99\nwhatever\n' >"$Q/.tagline/journal/1"
    drop file
    once
    logged 'another version'
    [ -e "$Q/.tagline/journal/1.foreign" ]
    assert_file_is "$Q/output/file" HELLO
}

@test "crash: failed, record written: rolled forward with its reason" {
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

@test "crash: the name was taken by a stranger before the record was rolled forward" {
    crashed_queue
    crashed_record
    echo foreign >"$Q/output/file"
    once
    assert_file_is "$Q/output/file" foreign
    assert_file_is "$Q/output/file.~2~" 'the result'
    assert_file_is "$Q/processed/file" input
}

@test "crash: a claim by link and unlink cut in two runs once" {
    mkdir -p "$Q/underprocess"
    drop file
    ln "$IN/file" "$Q/underprocess/file"
    once
    has_files processed 1
    has_files output 1
    nothing_left
}

@test "crash: partial results, a half-written log of attempts and flow copies are cleaned up" {
    mkdir -p "$Q/.tagline/work/9/deep" "$Q/.tagline/flow/4"
    echo partial >"$Q/.tagline/work/9/deep/x"
    echo junk >"$Q/.tagline/work/junk"
    printf '3 1 gone\n2 99999 fi' >"$Q/.tagline/attempts"
    echo half >"$Q/.tagline/attempts.new"
    drop file
    once
    assert_file_is "$Q/output/file" HELLO
    nothing_left
    [ ! -s "$Q/.tagline/attempts" ]
}

@test "crash: what waits to be retried keeps its count, and its end is failed" {
    mkdir -p "$Q/underprocess" "$Q/.tagline"
    echo text >"$Q/underprocess/file"
    echo "3 $(stat -c %i "$Q/underprocess/file") file" >"$Q/.tagline/attempts"
    run -65 once --retries 2
    assert_equal "$(reason file .attempts)" 3
    assert_equal "$(reason file .status)" 75
    assert_file_is "$Q/failed/file" text
}

@test "crash: a file that takes the supervisor with it each time ends in failed" {
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

@test "crash: a result that cannot be looked at is not taken for one that was moved" {
    command -v strace || skip "strace is not installed"
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
