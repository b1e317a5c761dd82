#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Housekeeping of a queue: which files are taken, which first, how many at a time; a disk that runs
# full; what is removed in the end; asking a supervisor how it is, and telling it to pause.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # programs in other languages; variables that bats sets

bats_require_minimum_version 1.5.0
load queue

setup() {
    queue_setup house 0
}

teardown() {
    kill_marked
    small_disk_gone "$Q"
}

names_in() { find "$Q/$1" -mindepth 1 -printf "%f\n" | sort | xargs; }

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
    wait_until 20 seen_are 2
    # One that waited behind a file that takes long may wait elsewhere now.
    [[ $(files_in unprocessed) -ge 6 ]]
    seen_are 2
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

@test "house: --min-free: a disk may run out of inodes, too" {
    small_disk "$Q" size=4M,nr_inodes=100
    mkdir -p "$IN" "$Q/ballast"
    touch "$Q"/ballast/{1..75}
    drop a
    supervise --min-free 20%
    wait_until 20 logged "% of the disk's inodes are free, less than 20%"
    [ -e "$IN/a" ]
    rm "$Q"/ballast/*
    wait_until 20 processed a
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

# ---- asking and telling ----

status_says() { # WORDS STATUS
    local said=0
    tl-supervisor --status "$Q" >"$BATS_TEST_TMPDIR/status" || said=$?
    [[ $said -eq $2 ]] && grep -qE "$1" "$BATS_TEST_TMPDIR/status"
}

@test "house: --status: running, holding, paused, not running, each with its exit status" {
    drop a
    supervise
    wait_until 20 processed a
    wait_until 20 status_says '^state +running$' 0
    grep -qx "supervisor  pid $SUP, up .*, workers: 2" "$BATS_TEST_TMPDIR/status"
    grep -q "^queue       $Q$" "$BATS_TEST_TMPDIR/status"
    grep -q "^flow        $FLOW$" "$BATS_TEST_TMPDIR/status"
    wait_until 20 status_says '^processed   1, 1 since the start$' 0
    tl-supervisor --pause "$Q"
    status_says '^state +paused$' 78
    tl-supervisor --resume "$Q"
    stop TERM 0
    status_says '^state +not running$' 69
    grep -qx 'processed   1' "$BATS_TEST_TMPDIR/status"
    supervise --min-free 1000T
    wait_until 20 status_says '^state +holding: .*bytes of the disk are free' 75
    stop TERM 0
}

@test "house: --status shows the newest failures, whatever bytes are in their names" {
    flow small.flow <<<$'set max-line 8\nstart -> end : tl-upper'
    drop $'bad\n\x1b[31m' 'this line is too long'
    drop good short
    run once
    assert_failure 65
    run tl-supervisor --status "$Q"
    assert_failure 69
    assert_line 'failed      1'
    assert_line --partial 'bad\n\x1b[31m: '
    assert_line --partial 'longer than max-line'
}

@test "house: --status of a supervisor that was killed, and of what is no queue" {
    supervise
    crash
    wait_until 20 status_says '^state +not running$' 69
    mkdir "$BATS_TEST_TMPDIR/empty"
    run --separate-stderr tl-supervisor --status "$BATS_TEST_TMPDIR/empty"
    assert_failure 66
    assert_one_line
    run --separate-stderr tl-supervisor --status "$BATS_TEST_TMPDIR/none"
    assert_failure 66
    assert_one_line
}

@test "house: --status needs no reader of metrics and leaves the supervisor alone" {
    supervise
    local i
    for i in {1..20}; do
        drop "f$i"
        tl-supervisor --status "$Q" >"$BATS_TEST_TMPDIR/status" || fail "$(cat "$BATS_TEST_TMPDIR/status")"
    done
    wait_until 20 has_files processed 20
    stop TERM 0
    ! logged warning
}

@test "house: --pause takes effect before it returns, outlives a restart, and ends with --resume" {
    gated_flow
    supervise
    drop a
    wait_until 20 seen_are 1
    tl-supervisor --pause "$Q"
    drop b
    touch "$GATE"
    wait_until 20 processed a
    status_says '^state +paused$' 78
    stop TERM 0
    assert_equal "$(names_in unprocessed)" b
    supervise
    status_says '^state +paused$' 78
    assert_equal "$(names_in unprocessed)" b
    tl-supervisor --resume "$Q"
    wait_until 20 processed b
    stop TERM 0
}

@test "house: a pause that was asked for while nobody runs, or by hand, counts" {
    once
    tl-supervisor --pause "$Q"
    drop a
    run once
    assert_failure 75
    logged "is paused; see tl-supervisor --resume"
    [ -e "$IN/a" ]
    tl-supervisor --resume "$Q"
    tl-supervisor --resume "$Q"
    once
    processed a
    supervise
    touch "$Q/.tagline/control/pause"
    wait_until 20 logged "pause: "
    rm "$Q/.tagline/control/pause"
    wait_until 20 logged "resume: "
    stop TERM 0
}

@test "house: paused files that wait to be tried again wait on" {
    flow fails.flow <<<'start -> end | sh -c "cat >/dev/null; exit 75"'
    drop a
    supervise --retries 1000000
    wait_until 20 logged "retried: a"
    tl-supervisor --pause "$Q"
    local before
    before=$(count_logged "retried: a")
    drop b
    tl-supervisor --pause "$Q"
    (($(count_logged "retried: a") <= before + 1))
    [ -e "$IN/b" ]
    tl-supervisor --resume "$Q"
    wait_until 20 logged "retried: b"
    stop TERM 0
}

@test "house: --retry brings back a file that failed, with its count at nothing" {
    flow fails.flow <<END
start -> end | sh -c 'cat; [ -e "$GATE" ]'
END
    drop a
    run once
    assert_failure 65
    [ -e "$Q/failed/a" ]
    touch "$GATE"
    run --separate-stderr tl-supervisor --retry "$Q" a
    assert_success
    assert_equal "$stderr" "tl-supervisor: a: is in unprocessed again; no supervisor runs"
    once
    processed a
    has_files failed 0
    run --separate-stderr tl-supervisor --retry "$Q" a
    assert_failure 66
    assert_one_line
}

@test "house: --retry while a supervisor runs; a name that waits already is not overwritten" {
    flow fails.flow <<END
start -> end | sh -c 'cat; [ -e "$GATE" ]'
END
    drop a one
    supervise
    wait_until 20 test -e "$Q/failed/a.reason"
    tl-supervisor --pause "$Q"
    drop a two
    run --separate-stderr tl-supervisor --retry "$Q" a
    assert_failure 73
    assert_one_line
    assert_file_is "$Q/failed/a" one
    rm "$IN/a"
    tl-supervisor --retry "$Q" a
    touch "$GATE"
    tl-supervisor --resume "$Q"
    wait_until 20 processed a
    wait_until 20 has_files failed 0
    stop TERM 0
}

@test "house: --retry runs a file now that backs off" {
    flow fails.flow <<END
start -> end | sh -c 'cat; [ -e "$GATE" ] || exit 75'
END
    drop -a-
    supervise --backoff 1h..2h
    wait_until 20 logged "retried: -a-"
    wait_until 20 status_says '^in work     1, to be tried again: 1$' 0
    touch "$GATE"
    tl-supervisor --retry "$Q" -a-
    wait_until 20 processed -a-
    logged "retry: -a-: now, as it was asked"
    stop TERM 0
    assert_equal "$(find "$Q/.tagline/control" -type f)" ""
}

@test "house: --retry of a file that backs off when nobody runs says so" {
    flow fails.flow <<<'start -> end | sh -c "cat; exit 75"'
    drop a
    supervise --backoff 1h..2h
    wait_until 20 logged "retried: a"
    crash
    wait_until 20 status_says '^state +not running$' 69
    run --separate-stderr tl-supervisor --retry "$Q" a
    assert_failure 69
    assert_one_line
}

@test "house: wrong words to a supervisor are one line and 64" {
    once
    local words
    while read -r -a words; do
        run --separate-stderr tl-supervisor "${words[@]}"
        assert_failure 64
        assert_one_line
    done <<END
--status
--pause $Q more
--retry $Q
--retry $Q a/b
--retry $Q .
--retry $Q .hidden
--status --pause $Q
END
}

# ---- removing what is old ----

# older_than MS FILE...: they have lain where they are for longer.
older_than() {
    local ms=$1 file changed
    shift
    for file in "$@"; do
        changed=$(date -d "$(stat -c %z "$file")" +%s%N) || return
        (($(date +%s%N) - changed > ms * 1000000)) || return
    done
}

@test "house: --keep by age removes what has lain in its folder for longer, and nothing else" {
    drop a
    touch -d 2001-01-01 "$IN/a"
    once --keep processed=1h,output=1h
    processed a
    mkdir "$Q/processed/folder"
    ln -s /etc/passwd "$Q/processed/link"
    mkfifo "$Q/processed/fifo"
    touch "$Q/processed/.hidden" "$Q/unprocessed/b.part" "$Q/stranger" "$Q/processed/folder/inside"
    wait_until 20 older_than 100 "$Q"/processed/{a,folder,.hidden} "$Q/output/a"
    once --keep processed=100ms
    assert_equal "$(names_in processed)" ".hidden fifo folder inside link"
    assert_equal "$(names_in output)" a
    [[ -e $Q/unprocessed/b.part && -e $Q/stranger && -e /etc/passwd ]]
    logged "keep: processed: 1 old files removed, 6 bytes"
    once --keep output=100ms
    has_files output 0
}

@test "house: --keep by size removes the oldest until what is left fits" {
    local i
    for i in 5 4 3 2 1; do
        drop "f$i" "$(printf '%0399d' 0)"
        once
    done
    once --keep processed=1K
    assert_equal "$(names_in processed)" "f1 f2"
    assert_equal "$(files_in output)" 5
    once --keep processed=1K
    assert_equal "$(names_in processed)" "f1 f2"
}

@test "house: --keep by size: more files than are remembered at a time" {
    mkdir -p "$Q/processed"
    (cd "$Q/processed" && seq 100001 104500 | split -a 5 -l 1)
    once --keep processed=1K
    local bytes
    bytes=$(cat "$Q"/processed/* | wc -c)
    ((bytes <= 1024 && bytes > 1024 - 7)) || fail "$bytes bytes are left"
}

@test "house: --keep: a file that failed goes with its reason, a reason alone goes, too" {
    flow fails.flow <<<'start -> end | sh -c "cat; exit 65"'
    drop a
    drop b.reason
    drop taken
    run once
    assert_failure 65
    mv "$Q/failed/taken" "$BATS_TEST_TMPDIR"
    assert_equal "$(names_in failed)" "a a.reason b.reason b.reason.reason taken.reason"
    wait_until 20 older_than 100 "$Q"/failed/*
    once --keep failed=1h
    has_files failed 5
    once --keep failed=100ms
    has_files failed 0
    logged "keep: failed: 3 old files removed"
}

@test "house: --keep works while files are processed, and is in the metrics" {
    local i
    mkdir -p "$Q/output"
    for i in {1..20}; do echo old >"$Q/output/old$i"; done
    wait_until 20 older_than 100 "$Q"/output/*
    supervise --keep output=100ms --keep processed=30d
    tl-dashboard --json "$Q" >"$BATS_TEST_TMPDIR/records" &
    wait_until 20 has_files output 0
    drop a
    wait_until 20 processed a
    wait_until 20 grep -q '"removed":20,"removed_bytes":80,' "$BATS_TEST_TMPDIR/records"
    stop TERM 0
}

@test "house: --keep says once what it cannot remove, and goes on" {
    [[ $(id -u) == 0 ]] || skip "only root can make a file immutable"
    drop a
    once
    chattr +i "$Q/processed/a" 2>/dev/null || skip "no immutable files here"
    wait_until 20 older_than 100 "$Q/processed/a"
    once --keep processed=100ms
    chattr -i "$Q/processed/a"
    assert_equal "$(count_logged "keep: $Q/processed: 1 old files cannot be removed: ")" 1
}

@test "house: wrong words to --keep are one line and 64" {
    local words
    for words in '' processed processed= =1d processed=10 processed=0d unprocessed=1d processed=1x \
        'processed=1d,' 'processed=1d,,failed=1d' 'processed=1d failed=1d'; do
        run --separate-stderr tl-supervisor --keep "$words" "$FLOW" "$Q"
        assert_failure 64
        assert_one_line
    done
}

@test "house: --keep, killed at any removal: the next pass ends it, and nothing else is gone" {
    local n
    needs_strace
    flow fails.flow <<'END'
start -> end | sh -c 'read -r line; echo "$line"; [ "$line" = good ]'
END
    for n in 1 2 3 4; do drop "bad$n" bad; done
    drop good good
    run once
    assert_failure 65
    wait_until 20 older_than 100 "$Q"/failed/*
    for n in {1..12}; do
        timeout 60 strace -f -qq -o /dev/null -e trace=unlinkat -e inject=unlinkat:signal=KILL:when="$n" \
            tl-supervisor --once --settle 0 --keep failed=100ms --keep processed=1h "$FLOW" "$Q" 2>>"$LOG" || [ $? -eq 137 ]
    done
    once --keep failed=100ms --keep processed=1h
    has_files failed 0
    assert_equal "$(names_in processed) $(names_in output)" "good good"
    has_files underprocess 0
}

@test "house: the words to a supervisor are for its user" {
    [[ $(id -u) == 0 ]] || skip "only root can be somebody else"
    once
    local word
    for word in --status --pause --resume; do
        run --separate-stderr setpriv --reuid 65534 --regid 65534 --clear-groups "$TL_BIN/tl-supervisor" $word "$Q"
        [[ $status != 126 ]] || skip "others cannot run what is built here"
        assert_failure 77
        assert_one_line
    done
}
