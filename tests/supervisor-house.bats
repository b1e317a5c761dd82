#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Housekeeping of a queue: which files are taken, which first, how many at a time; a disk that runs
# full; what is removed in the end; asking a supervisor how it is, and telling it to pause.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # programs in other languages; variables that bats sets

bats_require_minimum_version 1.5.0
load helper

setup() {
    mark house
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

teardown() {
    kill_marked
    small_disk_gone "$Q"
}

once() {
    timeout 60 tl-supervisor --once --settle 0 --backoff 10ms..50ms "$@" "$FLOW" "$Q" 2>>"$LOG"
}

supervise() {
    launch "$@"
    wait_until 20 logged ready:
}

launch() {
    : >"$LOG"
    tl-supervisor -j 2 --settle 0 --backoff 10ms..50ms "$@" "$FLOW" "$Q" 2>"$LOG" 3>&- &
    SUP=$!
}

logged() { grep -qF -- "$1" "$LOG"; }
count_logged() { grep -cF -- "$1" "$LOG"; }

drop() {
    printf '%s\n' "${2-hello}" >"$BATS_TEST_TMPDIR/dropping"
    mv -- "$BATS_TEST_TMPDIR/dropping" "$IN/$1"
}

stop() { # SIGNAL STATUS
    local status=0
    kill "-$1" "$SUP"
    wait "$SUP" || status=$?
    assert_equal "$status" "$2"
}

files_in() { find "$Q/$1" -mindepth 1 -type f | wc -l; }
names_in() { find "$Q/$1" -mindepth 1 -printf "%f\n" | sort | xargs; }
has_files() { [[ $(files_in "$1") -eq $2 ]]; }
processed() { [[ -e $Q/processed/$1 ]]; }

# A flow whose only node, once per line, waits until the gate is open, and notes what it gets.
gated_flow() {
    flow gated.flow <<END
start -> end [timeout=0] | sh -c 'while read -r line; do echo "\$line" >>"$BATS_TEST_TMPDIR/seen"; until [ -e "$GATE" ]; do sleep 0.02; done; echo "\$line"; done'
END
    sed -i 's/start -> end \[timeout=0\]/start [timeout=0] -> end/' "$FLOW"
}

# ---- which files ----

@test "house: --include and --exclude: what is not wanted stays, and does not count as waiting" {
    drop a.log
    drop b.log
    drop a.txt
    drop debug.log
    once --include '*.log' --include 'b*' --exclude 'debug*'
    assert_equal "$(names_in processed)" "a.log b.log"
    assert_equal "$(names_in unprocessed)" "a.txt debug.log"
    once
    has_files unprocessed 0
}

@test "house: --include takes what comes later by its name, too" {
    supervise --include '*.log'
    drop no.txt
    drop yes.log
    wait_until 20 processed yes.log
    [ -e "$IN/no.txt" ]
    drop renamed
    mv "$IN/renamed" "$IN/renamed.log"
    wait_until 20 processed renamed.log
    stop TERM 0
    assert_equal "$(ls "$IN")" no.txt
}

@test "house: --priority: urgent files first, unwanted ones last, others in their order" {
    local name
    for name in slow-1 one urgent-1 two urgent-2; do
        drop "$name" "$name"
    done
    touch "$GATE"
    gated_flow
    once -j 1 --priority 'urgent-*=10' --priority 'slow*=-1'
    run cat "$BATS_TEST_TMPDIR/seen"
    assert_line --index 0 --partial urgent-
    assert_line --index 1 --partial urgent-
    assert_line --index 4 slow-1
    assert_equal "${#lines[@]}" 5
}

@test "house: a stream of urgent files does not keep others waiting for ever" {
    local i
    gated_flow
    supervise -j 1 --max-inflight 1 --priority 'urgent-*=10'
    drop urgent-0 urgent-0
    wait_until 20 seen_are 1
    drop old old
    for i in {1..30}; do
        drop "urgent-$i" "urgent-$i"
    done
    touch "$GATE"
    wait_until 20 has_files processed 32
    assert_equal "$(head -n 8 "$BATS_TEST_TMPDIR/seen" | grep -cx old)" 1
    stop TERM 0
}

@test "house: wrong patterns, bounds and sizes are one line and 64" {
    local options
    while read -r -a options; do
        run --separate-stderr tl-supervisor "${options[@]}" "$FLOW" "$Q"
        assert_failure 64
        assert_one_line
        [[ $stderr == "tl-supervisor: ${options[0]}: "* ]]
    done <<'END'
--priority x
--priority x=y
--priority =1
--max-inflight 0
--max-inflight many
--min-free 0%
--min-free 100%
--min-free lots
END
}

# ---- how many ----

seen_are() { [[ $(wc -l <"$BATS_TEST_TMPDIR/seen") -eq $1 ]]; }

@test "house: --max-inflight bounds what is claimed over all workers" {
    local i
    gated_flow
    supervise -j 3 --max-inflight 2
    for i in {1..9}; do drop "f$i" "f$i"; done
    wait_until 20 has_files underprocess 2
    wait_until 20 seen_are 2
    assert_equal "$(files_in unprocessed)" 7
    touch "$GATE"
    wait_until 20 has_files processed 9
    stop TERM 0
}

@test "house: --max-inflight 1: files that are tried again and new ones take turns" {
    local i
    flow fails.flow <<'END'
start -> end | sh -c 'read -r line; case $line in bad*) exit 75 ;; *) echo "$line" ;; esac'
END
    for i in {1..5}; do drop "bad$i" "bad$i"; done
    supervise --max-inflight 1 --retries 1000000
    wait_until 20 logged "retried: bad5"
    for i in {1..20}; do drop "good$i" "good$i"; done
    wait_until 20 has_files processed 20
    stop TERM 0
    has_files unprocessed 5
}

# ---- a disk that runs full ----

@test "house: --min-free: nothing is claimed while the disk is full, told once, over by itself" {
    small_disk "$Q" size=4M
    head -c 3500K /dev/zero >"$Q/ballast"
    mkdir -p "$IN"
    drop a
    supervise --min-free 20%
    wait_until 20 logged "hold: "
    [[ $(grep hold: "$LOG") == *"% of the disk is free, less than 20%"* ]]
    [ -e "$IN/a" ]
    rm "$Q/ballast"
    wait_until 20 processed a
    logged "resume: files are claimed again"
    assert_equal "$(count_logged hold:)" 1
    head -c 3500K /dev/zero >"$Q/ballast"
    drop b
    wait_until 20 eval '[ "$(count_logged hold:)" = 2 ]'
    [ -e "$IN/b" ]
    stop TERM 0
}

@test "house: --min-free with a size that is there changes nothing" {
    drop a
    once --min-free 1K
    processed a
}

@test "house: --min-free is in the metrics while it holds" {
    drop a
    supervise --min-free 1000T
    tl-dashboard --json "$Q" >"$BATS_TEST_TMPDIR/records" &
    wait_until 20 grep -q '"state":"holding","reason":"[^"]*bytes of the disk are free' "$BATS_TEST_TMPDIR/records"
    stop TERM 0
    [ -e "$IN/a" ]
}
