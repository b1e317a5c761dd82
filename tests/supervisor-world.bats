#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What producers, clocks, folders, signals and odd file systems do to a queue while it is at work.
# What cannot happen, and so has no test: a number of a process that is stale (what counts is a lock
# of the kernel's, which ends with its holders; a number is only shown); a second copy of a name from
# readdir while we rename (a claim is a rename, and the second finds nothing); a fault of the memory
# of an input that is cut short (inputs are read, never mapped).
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # programs in other languages; variables that bats sets

bats_require_minimum_version 1.5.0
load queue

setup() {
    queue_setup world
}

teardown() {
    kill_marked
    small_disk_gone "$Q"
}

# python PROGRAM [ARGUMENT...]: with the queue's path in Q and the gate's in GATE.
python() {
    Q=$Q GATE=$GATE BEGAN=$BATS_TEST_TMPDIR/began python3 -c "import mmap, os, sys, time
q, gate, began = os.environ['Q'], os.environ['GATE'], os.environ['BEGAN']
def wait_for(path):
    while not os.path.exists(path): time.sleep(0.01)
$1" "${@:2}"
}

traced() { # STRACE-OPTION... -- [OPTION...]: run it once under strace
    local options=()
    while [[ $1 != -- ]]; do
        options+=("$1")
        shift
    done
    shift
    needs_strace
    timeout 60 strace -qq -o "$BATS_TEST_TMPDIR/trace" "${options[@]}" \
        tl-supervisor --once --settle 0 --backoff 10ms..50ms "$@" "$FLOW" "$Q" 2>>"$LOG"
}

# --- producers

@test "world: a producer appends through its descriptor after the claim: the file runs again" {
    gate_flow
    supervise
    python '
f = open(q + "/.new", "wb", buffering=0)
f.write(b"one\n")
os.rename(q + "/.new", q + "/unprocessed/file")
wait_for(began)
f.write(b"two\n")
open(gate, "w")'
    wait_until 10 processed file
    assert_file_is "$Q/output/file" $'one\ntwo'
    has_files output 1
    stop TERM 0
}

@test "world: a producer writes by mmap after the claim: the file runs again" {
    [[ $(stat -f -c %T "$BATS_TEST_TMPDIR") != tmpfs ]] || skip "a tmpfs does not tell of such writes"
    gate_flow
    supervise
    python '
f = open(q + "/.new", "w+b", buffering=0)
f.write(b"one\n")
os.rename(q + "/.new", q + "/unprocessed/file")
wait_for(began)
m = mmap.mmap(f.fileno(), 0)
m[0:3] = b"ONE"
m.flush()
open(gate, "w")'
    wait_until 10 processed file
    assert_file_is "$Q/output/file" ONE
    has_files output 1
    stop TERM 0
}

@test "world: an input is cut short, or replaced, while it is processed: it runs again" {
    gate_flow
    supervise
    drop cut $'one\ntwo'
    wait_until 10 at_work
    truncate -s 4 "$Q/underprocess/cut"
    touch "$GATE"
    wait_until 10 processed cut
    assert_file_is "$Q/output/cut" one
    rm "$GATE" "$BATS_TEST_TMPDIR/began"
    drop new one
    wait_until 10 at_work
    echo two >"$Q/.new"
    mv "$Q/.new" "$Q/underprocess/new"
    touch "$GATE"
    wait_until 10 processed new
    assert_file_is "$Q/output/new" two
    stop TERM 0
}

@test "world: a file without a name gets one by linkat, and is taken" {
    supervise
    python '
f = os.open(q + "/unprocessed", os.O_TMPFILE | os.O_RDWR)
os.write(f, b"hello\n")
os.link("/proc/self/fd/%d" % f, q + "/unprocessed/file", src_dir_fd=f)'
    wait_until 10 processed file
    assert_file_is "$Q/output/file" HELLO
    stop TERM 0
}

@test "world: a copy with an old time, and one that rsync puts in place, come whole" {
    supervise
    head -c 3000000 /dev/zero | tr '\0' '\n' >"$BATS_TEST_TMPDIR/old"
    touch -d '10 years ago' "$BATS_TEST_TMPDIR/old"
    cp -p "$BATS_TEST_TMPDIR/old" "$IN/old"
    printf half >"$IN/.synced.Xa93kP"
    scanned_again
    [ -e "$IN/.synced.Xa93kP" ]
    printf 'half\nwhole\n' >"$IN/.synced.Xa93kP"
    mv "$IN/.synced.Xa93kP" "$IN/synced"
    wait_until 10 processed old
    wait_until 10 processed synced
    cmp "$BATS_TEST_TMPDIR/old" "$Q/output/old"
    assert_file_is "$Q/output/synced" $'HALF\nWHOLE'
    has_files output 2
    stop TERM 0
}

# The folder is looked at again: a file that comes now is found.
scanned_again() {
    drop "scan.$RANDOM"
    wait_until 10 eval '! ls "$IN"/scan.*'
    wait_until 10 eval 'ls "$Q"/processed/scan.*'
    rm -f "$Q"/{processed,output}/scan.*
}

@test "world: two names of one file are two inputs, also when one is being processed" {
    gate_flow
    supervise
    drop file
    wait_until 10 at_work
    ln "$Q/underprocess/file" "$IN/file"
    ln "$Q/underprocess/file" "$IN/other"
    touch "$GATE"
    wait_until 10 processed 'file.~2~'
    wait_until 10 processed other
    has_files output 3
    has_files processed 3
    stop TERM 0
    nothing_left
}

@test "world: a name that is now a file and now a link: no other file is ever read" {
    echo secret >"$BATS_TEST_TMPDIR/secret"
    supervise
    python '
until = time.monotonic() + 1
while time.monotonic() < until:
    with open(q + "/.file", "w") as f: f.write("fine\n")
    os.symlink(sys.argv[1], q + "/.link")
    os.rename(q + "/.file", q + "/unprocessed/x")
    os.rename(q + "/.link", q + "/unprocessed/x")
' "$BATS_TEST_TMPDIR/secret"
    stop TERM 0
    run -1 grep -rqi secret "$Q/output"
}

@test "world: a link in underprocess is left there and told of" {
    mkdir "$Q/underprocess"
    ln -s /etc/passwd "$Q/underprocess/link"
    once
    logged 'underprocess/link: is not a regular file'
    [ -L "$Q/underprocess/link" ]
    has_files output 0
}

@test "world: more events than inotify keeps: what it lost is found by the scan" {
    supervise
    kill -STOP "$SUP"
    python '
open(q + "/unprocessed/.a", "w")
for i in range(10000):
    os.rename(q + "/unprocessed/.a", q + "/unprocessed/.b")
    os.rename(q + "/unprocessed/.b", q + "/unprocessed/.a")
for i in range(50):
    with open(q + "/.new", "w") as f: f.write("text\n")
    os.rename(q + "/.new", q + "/unprocessed/f%d" % i)'
    kill -CONT "$SUP"
    wait_until 20 has_files processed 50
    has_files output 50
    stop TERM 0
}

@test "world: no watch is to be had: the folder is looked at, and that is said once" {
    needs_strace
    strace -qq -o "$BATS_TEST_TMPDIR/trace" -e trace=inotify_add_watch \
        -e inject=inotify_add_watch:error=ENOSPC \
        tl-supervisor -j 1 --settle 50ms "$FLOW" "$Q" 2>"$LOG" 3>&- &
    SUP=$!
    wait_until 20 logged ready:
    drop file
    wait_until 10 processed file
    assert_equal "$(count_logged 'cannot be watched')" 1
    kill -TERM "$(pgrep -P "$SUP")"
    ended_with 0
}

# --- clocks

@test "world: the clock jumps a day ahead and two days back: files are taken, and once" {
    local library
    library=/usr/lib/$(uname -m)-linux-gnu/faketime/libfaketime.so.1
    [ -e "$library" ] || skip "faketime is not installed"
    [[ -z ${ASAN_OPTIONS-} ]] || skip "the address sanitizer must be the first library"
    echo +0 >"$BATS_TEST_TMPDIR/clock"
    LD_PRELOAD=$library FAKETIME_TIMESTAMP_FILE=$BATS_TEST_TMPDIR/clock FAKETIME_NO_CACHE=1 \
        DONT_FAKE_MONOTONIC=1 NO_FAKE_STAT=1 launch
    wait_until 20 logged ready:
    local jump
    for jump in +1d -1d; do
        echo "$jump" >"$BATS_TEST_TMPDIR/clock"
        drop "moved$jump"
        echo text >"$BATS_TEST_TMPDIR/linked$jump"
        ln "$BATS_TEST_TMPDIR/linked$jump" "$IN/linked$jump"
        wait_until 10 processed "moved$jump"
        wait_until 10 processed "linked$jump"
    done
    has_files output 4
    stop TERM 0
}

# --- folders and file systems

@test "world: unprocessed is renamed: a new one is made and watched, the old one left alone" {
    supervise
    mv "$IN" "$Q/elsewhere"
    wait_until 10 test -d "$IN"
    echo stays >"$Q/elsewhere/file"
    drop new
    wait_until 10 processed new
    assert_file_is "$Q/elsewhere/file" stays
    has_files output 1
    stop TERM 0
}

@test "world: the queue is unmounted: it ends with 75" {
    small_disk "$Q" size=1m
    mkdir "$IN"
    supervise
    umount -l "$Q"
    ended_with 75
    logged 'no longer there'
    no_processes_left
}

@test "world: a file system without RENAME_NOREPLACE, or without links too: nothing is overwritten" {
    local without
    for without in renameat2:error=EINVAL renameat2:error=EINVAL,linkat:error=EPERM; do
        rm -rf "$Q"
        mkdir -p "$IN" "$Q/output"
        echo foreign >"$Q/output/file"
        drop file
        local options=() one
        for one in ${without//,/ }; do options+=(-e "inject=$one"); done
        traced -e trace=renameat2,linkat,renameat,unlinkat "${options[@]}" --
        grep -q INJECTED "$BATS_TEST_TMPDIR/trace"
        assert_file_is "$Q/output/file" foreign
        assert_file_is "$Q/output/file.~2~" HELLO
        has_files processed 1
        nothing_left
    done
}

@test "world: an error of a result that only close reports: the file runs again, and is whole" {
    unchecked "a close that is made to fail leaves its descriptor open"
    drop file
    traced -f -P "$Q/.tagline/work/1/file" -e trace=close -e inject=close:error=ENOSPC:when=1 --
    grep -q INJECTED "$BATS_TEST_TMPDIR/trace"
    assert_file_is "$Q/output/file" HELLO
    has_files failed 0
    nothing_left
}

# --- signals

@test "world: TERM during recovery: what was begun is rolled forward, then it ends" {
    crashed_queue
    crashed_record
    traced -e trace=renameat2 -e inject=renameat2:signal=TERM:when=1 --
    logged 'stop: SIGTERM'
    assert_file_is "$Q/output/file" 'the result'
    assert_file_is "$Q/processed/file" input
    nothing_left
}

@test "world: a burst of HUP while files come: each file once, and it runs on" {
    supervise
    local i
    for i in {1..30}; do
        drop "f$i"
        kill -HUP "$SUP"
    done
    wait_until 30 has_files processed 30
    has_files output 30
    stop TERM 0
    no_processes_left
}

@test "world: a scan of very many files lets the loop turn between its steps" {
    python 'for i in range(20000): open(q + "/unprocessed/.%d" % i, "w")'
    traced -e trace=getdents64,poll --
    # Of the folder there are many reads in a row; between the first and the last of them it polls.
    run -0 awk '/^getdents64/ && !/= 0$/ { if (++reads > 1 && polls) turns++; polls = 0 }
        /^poll/ { polls++ }
        END { print turns, reads; exit !(turns >= 5) }' "$BATS_TEST_TMPDIR/trace"
}
