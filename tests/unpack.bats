# SPDX-License-Identifier: MIT
# Packed inputs: gzip, zstd and xz, by hand, in a pipe, and dropped in a queue. Every way to cut or
# damage an archive is in tests/unit/router-unpack.c.
# shellcheck disable=SC2154 # variables that bats sets

bats_require_minimum_version 1.5.0
load helper

setup() {
    cd "$BATS_TEST_TMPDIR" || exit
    mark unpack
    flow upper.flow <<<'start -> end : tl-upper'
    seq -f 'line %.0f' 1 20000 >plain
    tr a-z A-Z <plain >expected
}

teardown() {
    kill_marked
}

# pack FORMAT: standard input to standard output.
pack() {
    "$1" -q -c
}

cut_in_two() {
    head -c $(($(stat -c %s "$1") / 2)) "$1"
}

@test "unpack: an archive of each kind gives the lines that are in it, whatever its name" {
    local format
    for format in gzip zstd xz; do
        pack $format <plain >"$format.log"
        tl-router upper.flow "$format.log" | cmp - expected
        tl-router upper.flow <"$format.log" | cmp - expected
        cat "$format.log" | tl-router upper.flow | cmp - expected
    done
    cp plain lines.gz
    tl-router upper.flow lines.gz | cmp - expected
}

@test "unpack: archives behind each other are one input" {
    local format
    for format in gzip zstd xz; do
        { head -n 5000 plain | pack $format; tail -n +5001 plain | pack $format; } >two
        tl-router upper.flow two | cmp - expected
    done
}

@test "unpack: a result has the name of its input as it is" {
    mkdir out
    pack gzip <plain >a.log.gz
    tl-router -o out upper.flow a.log.gz
    cmp out/a.log.gz expected
}

@test "unpack: order, accounts and copies are as of the lines that come out" {
    flow parts.flow <<'END'
start -> other end : tl-match other=7
other [jobs=2] -> end : tl-lower
END
    pack zstd <plain >packed
    tl-router --summary parts.flow packed 2>summary >result
    tl-router --summary parts.flow plain 2>expected_summary | cmp - result
    strip() { sed -E 's/[0-9.]+ s.*//; s/^[^:]*: [^:]*: //'; }
    assert_equal "$(strip <summary)" "$(strip <expected_summary)"
    [[ $(cat summary) == *20000* ]]
}

@test "unpack: tagged lines come in archives, too" {
    sed 's/^/start\t/' plain | pack xz >tagged
    tl-router -t upper.flow <tagged | cut -f 2 | cmp - expected
}

@test "unpack: an archive that is cut short is bad data, with its reason" {
    local format
    for format in gzip zstd xz; do
        pack $format <plain >whole
        cut_in_two whole >half
        run --separate-stderr tl-router upper.flow half
        assert_failure 65
        assert_one_line
        [[ $stderr == "tl-router: half: $format archive is cut short (after "*" bytes unpacked)" ]] ||
            fail "$stderr"
    done
}

@test "unpack: damage, and what stands behind an archive, is bad data" {
    pack gzip <plain >damaged
    printf X | dd of=damaged bs=1 seek=2000 conv=notrunc status=none
    run --separate-stderr tl-router upper.flow damaged
    assert_failure 65
    assert_one_line
    [[ $stderr == *"gzip archive is corrupt: "* ]]
    { pack gzip <plain; echo and on; } >"and on"
    run --separate-stderr tl-router upper.flow "and on"
    assert_failure 65
    [[ $stderr == *"gzip archive is corrupt: "* ]]
}

@test "unpack: nothing of a bad archive is in a folder of results" {
    mkdir out
    pack xz <plain >whole
    cut_in_two whole >half
    run tl-router -o out upper.flow half
    assert_failure 65
    assert_equal "$(ls -A out)" ""
}

@test "unpack: set unpack no takes packed bytes as they are" {
    flow raw.flow <<<$'set unpack no\nstart -> end : cat'
    pack gzip <plain >packed
    tl-router raw.flow packed >result
    cmp -n "$(stat -c %s packed)" packed result
}

@test "unpack: a small archive of a huge line needs the memory of max-line, not of what is in it" {
    flow line.flow <<<$'set max-line 1M\nstart -> end : cat'
    head -c 1G /dev/zero | pack zstd >bomb
    run --separate-stderr env time -f 'peak %M' tl-router line.flow bomb
    assert_failure 65
    [[ ${stderr_lines[0]} == *"longer than max-line"* ]]
    local peak=${stderr##*peak }
    ((peak < 150000)) || fail "$peak KiB"
}

@test "unpack: set unpack bounds what an archive may hold" {
    flow bound.flow <<<$'set unpack 1M\nstart -> end : cat'
    yes | head -c 1M | pack gzip >fits
    yes | head -c 1048578 | pack gzip >bomb
    tl-router bound.flow fits | cmp - <(yes | head -c 1M)
    run --separate-stderr tl-router bound.flow bomb
    assert_failure 65
    [[ $stderr == *"bomb: gzip archive holds more than the 1048576 bytes of set unpack"* ]]
    tl-router bound.flow <(yes | head -c 2M) | cmp - <(yes | head -c 2M)
}

@test "unpack: wrong sizes in set unpack are told" {
    flow wrong.flow <<<$'set unpack much\nstart -> end : cat'
    run --separate-stderr tl-router --check wrong.flow
    assert_failure 78
    assert_output ""
    [[ $stderr == *'wrong.flow:1: "much" is neither a size nor no; write set unpack 100G' ]]
}

@test "unpack: a line comes out of an archive that trickles as soon as it is in" {
    mkfifo in
    tl-router upper.flow <in >out &
    local router=$!
    exec 7>in
    python3 -c '
import sys, zlib
z = zlib.compressobj(6, zlib.DEFLATED, 31)
sys.stdout.buffer.write(z.compress(b"one\n") + z.flush(zlib.Z_SYNC_FLUSH))' >&7
    wait_until 10 grep -qx ONE out
    exec 7>&-
    local status=0
    wait $router || status=$?
    assert_equal $status 65
}

@test "unpack: in a queue, good ones are processed and bad ones failed with the reason" {
    local queue=$BATS_TEST_TMPDIR/queue in=$BATS_TEST_TMPDIR/queue/unprocessed
    mkdir -p "$in"
    pack gzip <plain >"$in/a.gz"
    pack zstd <plain >"$in/b"
    pack xz <plain >whole
    cut_in_two whole >"$in/c.xz"
    run timeout 60 tl-supervisor --once --settle 0 upper.flow "$queue"
    assert_failure 65
    cmp "$queue/output/a.gz" expected
    cmp "$queue/output/b" expected
    gzip -dc "$queue/processed/a.gz" | cmp - plain
    [ ! -e "$queue/output/c.xz" ]
    [ -e "$queue/failed/c.xz" ]
    assert_equal "$(jq -r '.class, .status' "$queue/failed/c.xz.reason" | xargs)" "data 65"
    [[ $(jq -r .error "$queue/failed/c.xz.reason") == *"c.xz: xz archive is cut short"* ]]
}
