#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# scripts/bench on a few kilobytes: every program gives the same bytes as tagline, the numbers have
# their shape, nothing stays behind. No speed is asked for.

bats_require_minimum_version 1.5.0
load helper

setup() {
    unchecked "a checker is no measure"
    BENCH=$ROOT/scripts/bench
    mkdir "$BATS_TEST_TMPDIR/memory" "$BATS_TEST_TMPDIR/disk"
    mark bench
}

teardown() {
    kill_marked
}

# bench OPTIONS...: tiny data, folders of our own.
bench() {
    "$BENCH" --self-test --dir "$BATS_TEST_TMPDIR/memory" --disk "$BATS_TEST_TMPDIR/disk" "$@"
}

# The folders are as they were, and no process is left.
nothing_left() {
    run find "$BATS_TEST_TMPDIR/memory" "$BATS_TEST_TMPDIR/disk" -mindepth 1
    assert_output ''
    no_processes_left
}

# Every row is a run that gave the same bytes, or a program that is not installed; tagline is there.
# shellcheck disable=SC2016 # jq's variables
all_alike() {
    jq -e '.cases | length > 0 and all(.good
        and .rows[0].status == "ok" and .rows[0].ratio == 1
        and all(.rows[]; .status == "ok" or .status == "absent"))' "$1" >/dev/null || {
        jq -c '.cases[] | {title, bad: [.rows[] | select(.status != "ok") | [.program, .note]]}' "$1" >&2
        return 1
    }
}

@test "bench: help, and what is wrong with its command line" {
    run -0 "$BENCH" --help
    assert_line --index 0 --partial 'usage: scripts/bench '
    run -0 "$BENCH" -h
    run -64 "$BENCH" --nonsense
    assert_equal "${#lines[@]}" 1
    run -64 "$BENCH" --case T9
    assert_output 'bench: --case: T9: not one of T1 T2 T3 T4 T5 T6 T7'
    run -64 "$BENCH" --size big
    assert_output 'bench: --size: big: not a size'
    run -64 "$BENCH" --runs 0
    run -64 "$BENCH" operand
    run -69 env TL_BIN="$BATS_TEST_TMPDIR" "$BENCH"
    assert_output "bench: $BATS_TEST_TMPDIR/tl-router: not there; run make first"
    run -73 "$BENCH" --dir "$BATS_TEST_TMPDIR/none"
    assert_equal "${#lines[@]}" 1
}

@test "bench: every option is in its help, and the other way round" {
    run -0 "$BENCH" --help
    local option
    for option in $(grep -oE '^LONG = .*' "$BENCH" | grep -oE '"[a-z-]+' | tr -d '"'); do
        assert_output --partial "--$option"
    done
    for option in $(grep -oE '^ +(-h, )?--[a-z-]+' <<<"$output" | grep -oE -e '--[a-z-]+'); do
        grep -qE "^LONG = .*\"${option#--}[=\"]" "$BENCH" || fail "$option is not known"
    done
}

@test "bench: all programs make the same bytes of one file (T1, T2, T5, T6)" {
    bench --json --case T1,T2,T5,T6 >"$BATS_TEST_TMPDIR/json" 2>"$BATS_TEST_TMPDIR/tables"
    all_alike "$BATS_TEST_TMPDIR/json"
    run -0 jq -r '[.cases[].case] | unique | join(" ")' "$BATS_TEST_TMPDIR/json"
    assert_output 'T1 T2 T5 T6'
    run -0 jq -e '.cases[0].rows[] | select(.program == "mawk") | .wall > 0 and .rate > 0 and .min <= .max' \
        "$BATS_TEST_TMPDIR/json"
    run -0 jq -e '.machine | .cores > 0 and .kernel != ""' "$BATS_TEST_TMPDIR/json"
    nothing_left
}

@test "bench: all programs make the same bytes of many files, and answer line by line (T3, T4, T7)" {
    bench --json --case T3,T4,T7 >"$BATS_TEST_TMPDIR/json" 2>"$BATS_TEST_TMPDIR/tables"
    all_alike "$BATS_TEST_TMPDIR/json"
    run -0 jq -e '.cases[] | select(.unit == "ms") | .rows[0] | .p50 > 0 and .p50 <= .p99 and .p99 <= .max' \
        "$BATS_TEST_TMPDIR/json"
    nothing_left
}

@test "bench: a table for people" {
    run -0 --separate-stderr bench --case T2 --size 64K --runs 2
    assert_line --index 1 --partial 'median of 2 runs'
    assert_line --partial 'T2 triage.flow: 0 MB'
    assert_line --regexp '^ +wall s +min..max +MB/s +CPU s +peak MB +ratio$'
    assert_line --regexp '^  tagline +[0-9.]+ +[0-9.]+\.\.[0-9.]+ +[0-9.]+ .* 1\.00$'
    nothing_left
}

@test "bench: a program that gives other bytes is told, and fails it" {
    local bin=$BATS_TEST_TMPDIR/bin
    mkdir "$bin"
    printf '#!/bin/sh\necho other\n' >"$bin/gawk"
    chmod +x "$bin/gawk"
    PATH=$bin:$PATH run -70 --separate-stderr bench --case T2
    assert_line --regexp '^  gawk +differs: out$'
    assert_equal "${stderr_lines[-1]}" 'bench: T2: not all did their work alike; see the tables'
    nothing_left
}

@test "bench: what fails or is not there is a line of the table" {
    local bin=$BATS_TEST_TMPDIR/bin
    mkdir "$bin"
    printf '#!/bin/sh\necho "no, thanks" >&2\nexit 3\n' >"$bin/perl"
    chmod +x "$bin/perl"
    PATH=$bin:$PATH run -0 --separate-stderr bench --case T2
    assert_line --regexp '^  perl +failed: exit status 3: no, thanks$'
    nothing_left
}

@test "bench: interrupted, it leaves nothing" {
    "$BENCH" --self-test --dir "$BATS_TEST_TMPDIR/memory" --disk "$BATS_TEST_TMPDIR/disk" \
        --case T3 --runs 1000 >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
    local pid=$! ended=0
    wait_until 20 grep -q T3 "$BATS_TEST_TMPDIR/out"
    kill -TERM "$pid"
    wait "$pid" || ended=$?
    assert_equal "$ended" 143
    nothing_left
}
