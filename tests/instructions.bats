# SPDX-License-Identifier: MIT
# How many instructions a fixed piece of work takes, counted by callgrind: the same on a busy machine
# and on an idle one. More than a tenth above what tests/instructions.txt records is a failure; less is
# a reason to record it anew (the test prints both).

load helper

setup() {
    unchecked "the work of a checker would be counted"
    # String functions are chosen by processor: count those that every one has.
    export GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-AVX512F,-AVX512VL,-AVX512BW,-EVEX,-ERMS,-FSRM
    cd "$BATS_TEST_TMPDIR" || return
    awk 'BEGIN {
        split("error warn info debug Error request user cache node took", word, " ")
        seed = 42
        for (i = 0; i < 16000; i++) {
            line = ""
            for (j = 0; j < 16; j++) {
                seed = (seed * 16807) % 2147483647
                line = line word[seed % 10 + 1] (seed % 7 ? " " : ": ") seed % 1000 " "
            }
            print line
        }
    }' >lines
    sed 's/^/start\t/' lines >tagged
}

# counted NAME INPUT COMMAND...: as many instructions as recorded, or at most a tenth more.
counted() {
    local name=$1 input=$2 count recorded
    shift 2
    valgrind --tool=callgrind --callgrind-out-file=callgrind --trace-children=no "$@" \
        <"$input" >/dev/null 2>log
    count=$(sed -n 's/.*Collected : //p' log)
    recorded=$(awk -v name="$name" '$1 == name { print $2 }' "$ROOT/tests/instructions.txt")
    echo "# $name: $count instructions, recorded $recorded" >&3
    [ -n "$count" ]
    [ -n "$recorded" ]
    [ "$count" -le $((recorded + recorded / 10)) ]
}

@test "instructions: the router, merging by line" {
    counted router lines "$TL_BIN/tl-router" "$ROOT/scripts/flows/triage.flow"
}

@test "instructions: the router, passing on" {
    echo 'start -> end : cat' >identity.flow
    counted identity lines "$TL_BIN/tl-router" identity.flow
}

@test "instructions: tl-match" {
    counted match tagged "$TL_BIN/tl-match" -i error=^error warn=^warn
}

@test "instructions: tl-upper" {
    counted upper tagged "$TL_BIN/tl-upper"
}

@test "instructions: tl-snake" {
    counted snake tagged "$TL_BIN/tl-snake"
}

@test "instructions: tl-replace" {
    counted replace tagged "$TL_BIN/tl-replace" -g '([a-z]+): ([0-9]+)' '$1=$2'
}
