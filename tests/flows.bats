#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The example flows give exactly what their comments say, on small inputs and on inputs of many epochs.

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert
load helper

setup() {
    export LC_ALL=C
    FLOWS=$ROOT/scripts/flows
    IN=$BATS_TEST_TMPDIR/in
    OUT=$BATS_TEST_TMPDIR/out
    mkdir "$OUT"
}

@test "every example is a good flow, and its order is that of the lines" {
    for flow in "$FLOWS"/*.flow; do
        run -0 tl-router --check "$flow"
        assert_line 'order: line'
    done
}

@test "triage: errors, warnings and the rest, in the order they came" {
    printf 'Error: disk full\nwarning: hot\n  All Fine \nERROR: Disk FULL\nno error\n\nWarn' >"$IN"
    tl-router "$FLOWS/triage.flow" "$IN" >"$OUT/got"
    printf '%s\n' error_detected:_error:_disk_full 'WARNING COUNTED: warning: hot' all_fine \
        error_detected:_error:_disk_full no_error '' 'WARNING COUNTED: Warn' >"$OUT/expected"
    run -0 cmp "$OUT/expected" "$OUT/got"
}

@test "triage: an empty file gives an empty result" {
    : >"$IN"
    run -0 tl-router -o "$OUT" "$FLOWS/triage.flow" "$IN"
    run -0 stat -c %s "$OUT/in"
    assert_output 0
}

@test "triage: many epochs are as one" {
    seq 1 60000 | awk '{ print ($1 % 7 == 0 ? "Error " : $1 % 5 == 0 ? "WARN " : " Line  ") $1 " "}' >"$IN"
    awk '/^Error/ { $0 = "ERROR DETECTED: " $0 }
        /^WARN/ { print "WARNING COUNTED: " $0; next }
        { gsub(/^[ \t]+|[ \t]+$/, ""); gsub(/ /, "_"); print tolower($0) }' "$IN" >"$OUT/expected"
    tl-router "$FLOWS/triage.flow" "$IN" >"$OUT/got"
    run -0 cmp "$OUT/expected" "$OUT/got"
}

@test "words: counted whatever their case, the most frequent first" {
    printf 'The cat and the dog.\n\n-- The end, and THE\n42' >"$IN"
    run -0 tl-router "$FLOWS/words.flow" "$IN"
    assert_output "$(printf 'the\t4\nand\t2\ncat\t1\ndog\t1\nend\t1')"
}

@test "words: each file is counted on its own" {
    printf 'a b a\n' >"$IN.1"
    printf 'b\n' >"$IN.2"
    run -0 tl-router "$FLOWS/words.flow" "$IN.1" "$IN.2"
    assert_output "$(printf 'a\t2\nb\t1\nb\t1')"
}

@test "words: a long text is counted as sort and uniq count it" {
    seq 1 30000 | awk '{ print "w" substr("abcdefghij", $1 % 7 + 1, $1 % 3 + 1), "Common", "tail" }' >"$IN"
    tr '[:upper:]' '[:lower:]' <"$IN" | tr ' ' '\n' | sort | uniq -c | awk '{ print $2 "\t" $1 }' | sort -k 2,2nr -k 1,1 >"$OUT/expected"
    tl-router "$FLOWS/words.flow" "$IN" >"$OUT/got"
    run -0 cmp "$OUT/expected" "$OUT/got"
}

@test "unwrap: layer by layer until none is left, in the order of the input" {
    printf 'hello\n> one\n> > two\n>>> three\n> > > > four\n\n>\nnot > this\nlast' >"$IN"
    tl-router "$FLOWS/unwrap.flow" "$IN" >"$OUT/got"
    printf 'hello\none\ntwo\nthree\nfour\n\n\nnot > this\nlast\n' >"$OUT/expected"
    run -0 cmp "$OUT/expected" "$OUT/got"
}

@test "unwrap: many epochs and many rounds" {
    seq 1 20000 | awk '{ q = ""; for (i = 0; i < $1 % 9; i++) q = q "> "; print q "text " $1 }' >"$IN"
    sed -E 's/^(> ?)*//' "$IN" >"$OUT/expected"
    tl-router "$FLOWS/unwrap.flow" "$IN" >"$OUT/got"
    run -0 cmp "$OUT/expected" "$OUT/got"
}

@test "unwrap: more layers than max-rounds is an error that names the cycle" {
    awk 'BEGIN { for (i = 0; i < 3000; i++) printf "> "; print "deep" }' >"$IN"
    run -65 tl-router "$FLOWS/unwrap.flow" "$IN"
    assert_output --partial 'max-rounds'
}

@test "access: pages by hits, and what failed in a file of its own" {
    cat >"$IN" <<'EOF'
10.0.0.1 - - [24/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 512
10.0.0.2 - - [24/Nov/2026:10:00:01 +0000] "GET /a.html?x=1 HTTP/1.1" 200 99 "-" "Mozilla/5.0"
10.0.0.1 - - [24/Nov/2026:10:00:02 +0000] "GET /none HTTP/1.1" 404 9
this is no request
10.0.0.3 - ann [24/Nov/2026:10:00:03 +0000] "GET / HTTP/1.1" 304 -
10.0.0.3 - - [24/Nov/2026:10:00:04 +0000] "GET /\x22 HTTP/1.1" 200 0
10.0.0.3 - - [24/Nov/2026:10:00:05 +0000] "POST /form HTTP/1.1" 500 0
EOF
    run -0 tl-router -o "$OUT" "$FLOWS/access.flow" "$IN"
    run -0 cat "$OUT/in"
    assert_output "$(printf '/\t2\n/a.html?x=1\t1')"
    run -0 cat "$OUT/in.failed"
    assert_output '404 /none 10.0.0.1
500 /form 10.0.0.3'
}

@test "access: many epochs are as one" {
    seq 1 20000 | awk '{ printf "10.0.0.%d - - [t] \"GET /p%d HTTP/1.1\" %d 1\n", $1 % 9, $1 % 13, $1 % 10 ? 200 : 503 }' >"$IN"
    awk '$NF && $(NF - 1) == 200 { n[$6]++ } END { for (p in n) print p "\t" n[p] }' "$IN" | sort -k 2,2nr -k 1,1 >"$OUT/expected"
    awk '$(NF - 1) == 503 { print 503, $6, $1 }' "$IN" >"$OUT/expected.failed"
    tl-router -o "$OUT" "$FLOWS/access.flow" "$IN"
    run -0 cmp "$OUT/expected" "$OUT/in"
    run -0 cmp "$OUT/expected.failed" "$OUT/in.failed"
}

@test "orders: lines that are no good leave with their reason, and fail nothing" {
    printf '%s\n' '2026-11-24;ann;12.50' 'yesterday;bob;3' '' '2026-11-24;cy;lots' '2026-11-24;;3' \
        $'bad\t!x;y' $'2026-11-23;\xff;7' '!end 1' >"$IN"
    printf 'x\000;a;1' >>"$IN" # NUL, and no newline at the end
    run -0 tl-router -o "$OUT" "$FLOWS/orders.flow" "$IN"
    printf '%s\n' 'ann owes 12.50 since 2026-11-24' $'\xff owes 7 since 2026-11-23' | cmp - "$OUT/in"
    printf '%s\t%s\n' 'no date' 'yesterday;bob;3' 'not three fields' '' 'no amount' '2026-11-24;cy;lots' \
        'no customer' '2026-11-24;;3' 'not three fields' $'bad\t!x;y' 'not three fields' '!end 1' >"$OUT/expected"
    printf 'no date\tx\000;a;1\n' >>"$OUT/expected"
    run -0 cmp "$OUT/expected" "$OUT/in.bad"
}

@test "orders: many epochs are as one, and what was bad comes back out whole" {
    seq 1 30000 | awk '{ print ($1 % 7 ? "2026-11-24" : "today") ";c" $1 ";" ($1 % 5 ? $1 : "some") }' >"$IN"
    awk -F';' '$1 != "today" && $3 != "some" { print $2 " owes " $3 " since " $1 }' "$IN" >"$OUT/expected"
    awk -F';' '$1 == "today" { print "no date\t" $0; next } $3 == "some" { print "no amount\t" $0 }' "$IN" >"$OUT/expected.bad"
    tl-router -o "$OUT" "$FLOWS/orders.flow" "$IN"
    run -0 cmp "$OUT/expected" "$OUT/in"
    run -0 cmp "$OUT/expected.bad" "$OUT/in.bad"
    cut -f 2- "$OUT/in.bad" | sed 's/today/2026-11-24/; s/some/0/' >"$BATS_TEST_TMPDIR/mended"
    tl-router -o "$OUT" "$FLOWS/orders.flow" "$BATS_TEST_TMPDIR/mended"
    run -0 stat -c %s "$OUT/mended.bad"
    assert_output 0
    assert_equal "$(cat "$OUT/in" "$OUT/mended" | wc -l)" 30000
}
