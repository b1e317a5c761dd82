# SPDX-License-Identifier: MIT
# Much of it: a file of 2 GiB in little memory, ten thousand files in one burst.

bats_require_minimum_version 1.5.0
load helper

setup() {
    cd "$BATS_TEST_TMPDIR" || exit
    unchecked "a checker is no measure"
    mark scale
}

teardown() {
    kill_marked
}

# two_gib: 2 GiB of log lines, by copying one megabyte of them again and again.
two_gib() {
    seq -f '%.0f disk is full of numbers, which is no error: all is well, nothing to see here' 12000 |
        awk '{ $0 = NR % 10 == 3 ? "error: " $0 : NR % 10 == 7 ? "Warn " $0 : $0; print }' >block
    local size
    size=$(stat -c %s block)
    blocks=$(((2147483648 + size - 1) / size))
    for ((i = 0; i < 32; i++)); do cat block; done >blocks32
    for ((i = 0; i < blocks / 32; i++)); do cat blocks32; done
    for ((i = 0; i < blocks % 32; i++)); do cat block; done
}

# The largest resident memory that a process of the flow ever had, in KiB, is what wait4(2) tells of
# the router and all that it waited for.
peak() {
    awk '/Maximum resident/ { print $NF }' "$1"
}

@test "scale: 2 GiB through the reference flow, no process above 64 MiB" {
    local bytes lines
    two_gib | command time -v -o usage tl-router "$ROOT/scripts/flows/triage.flow" | wc -lc >counted
    read -r lines bytes <counted
    assert_equal "$(awk '/Exit status/ { print $NF }' usage)" 0
    # Every line arrives: what one block gives, as often as it was there.
    tl-router "$ROOT/scripts/flows/triage.flow" block >one
    [ "$(stat -c %s block)" -gt 900000 ]
    local blocks=$(((2147483648 + $(stat -c %s block) - 1) / $(stat -c %s block)))
    assert_equal "$lines" $(($(wc -l <block) * blocks))
    assert_equal "$bytes" $(($(stat -c %s one) * blocks))
    echo "# peak $(peak usage) KiB, $(awk '/Elapsed/ { print $NF }' usage)" >&3
    [ "$(peak usage)" -lt 65536 ]
    no_processes_left
}

@test "scale: paths that meet again and a cycle keep memory small too" {
    flow meet.flow <<'END'
start -> a b : tl-match b=error
a -> c : tl-copy c
b -> c : tl-split ' is '
c -> end d : tl-match 'd=^error: [0-9]'
d -> c : tl-replace '^error: ' ''
END
    tl-router --check meet.flow | grep -qx 'order: line'
    seq -f '%.0f disk is full of numbers' 8000 |
        awk '{ $0 = NR % 10 == 3 ? "error: " $0 : $0; print }' >block
    for ((i = 0; i < 400; i++)); do cat block; done |
        command time -v -o usage tl-router meet.flow | sha256sum >got
    assert_equal "$(awk '/Exit status/ { print $NF }' usage)" 0
    tl-router meet.flow block >one
    for ((i = 0; i < 400; i++)); do cat one; done | sha256sum | cmp - got
    echo "# peak $(peak usage) KiB, $(awk '/Elapsed/ { print $NF }' usage)" >&3
    [ "$(peak usage)" -lt 65536 ]
}

@test "scale: ten thousand files dropped in one burst are processed exactly once" {
    local n=10000
    printf 'start -> end : tl-upper\n' >up.flow
    mkdir -p stage queue
    awk -v n=$n 'BEGIN { for (i = 1; i <= n; i++) { f = sprintf("stage/f%05d", i); print "file " i >f; close(f) } }'
    tl-supervisor -j 2 up.flow queue 2>log &
    local supervisor=$!
    wait_until 20 test -d queue/unprocessed
    # One rename each, as fast as it goes; mv would look at each file again, and miss it.
    python3 -c 'import os
for name in os.listdir("stage"): os.rename("stage/" + name, "queue/unprocessed/" + name)'
    wait_until 120 enough queue/processed $n
    wait_until 20 drained queue
    kill -TERM $supervisor
    wait $supervisor
    assert_equal "$(find queue/processed -type f | wc -l)" $n
    assert_equal "$(find queue/output -type f | wc -l)" $n
    assert_equal "$(find queue/failed queue/underprocess queue/unprocessed -mindepth 1 | wc -l)" 0
    # Each input once and unharmed, each result once and right.
    seq -f 'file %.0f' $n | sort >want
    find queue/processed -type f -exec cat {} + | sort | cmp want -
    tr a-z A-Z <want | sort >WANT
    find queue/output -type f -exec cat {} + | sort | cmp WANT -
    cmp <(cd queue/processed && for f in f*; do echo "$f"; done) <(cd queue/output && for f in f*; do echo "$f"; done)
    no_processes_left
}

enough() {
    [ "$(find "$1" -type f | wc -l)" -ge "$2" ]
}

drained() {
    [ -z "$(find "$1/unprocessed" "$1/underprocess" -mindepth 1 -print -quit)" ]
}
