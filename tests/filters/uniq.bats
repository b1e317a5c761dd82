#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
load common

@test "uniq: adjacent duplicates are dropped" {
    feed 'a\tx\na\tx\na\ty\na\tx\n' tl-uniq
    gives 'a\tx\na\ty\na\tx\n'
}

@test "uniq: -a drops all duplicates of the file" {
    feed 'a\tx\na\tx\na\ty\na\tx\n' tl-uniq -a
    gives 'a\tx\na\ty\n'
}

@test "uniq: -c counts, in the order of the first" {
    feed 'a\ty\na\tx\na\tx\na\ty\n' tl-uniq -c
    gives 'a\ty\t1\na\tx\t2\na\ty\t1\n'
    feed 'a\ty\na\tx\na\tx\na\ty\n' tl-uniq -ac
    gives 'a\ty\t2\na\tx\t2\n'
}

@test "uniq: lines of different tags differ" {
    feed 'a\tx\nb\tx\na\tx\n' tl-uniq
    gives 'a\tx\nb\tx\na\tx\n'
    feed 'a\tx\nb\tx\na\tx\n' tl-uniq -a
    gives 'a\tx\nb\tx\n'
}

@test "uniq: compares all bytes" {
    feed 'a\tx\x00y\na\tx\x00z\na\tx\x00z\na\tx\na\tx\r\na\t\na\t\n' tl-uniq
    gives 'a\tx\x00y\na\tx\x00z\na\tx\na\tx\r\na\t\n'
    feed 'a\tx\x00y\na\tx\x00z\na\tx\x00z\na\tx\na\tx\r\na\t\na\t\n' tl-uniq -a
    gives 'a\tx\x00y\na\tx\x00z\na\tx\na\tx\r\na\t\n'
}

@test "uniq: each file begins anew" {
    feed '!hello 1\na\tx\na\tx\n!end 1\na\tx\n!fence 2\na\tx\n!end 3\n' tl-uniq
    gives '!hello 1 card state share\na\tx\n!end 1 1,0,0\na\tx\n!fence 2 1\n!end 3 0,0\n'
    feed '!hello 1\na\tx\na\tx\n!end 1\na\tx\n!fence 2\na\tx\n!end 3\n' tl-uniq -c
    gives '!hello 1 card state share\na\tx\t2\n!end 1 0*2,1\n!fence 2 0\na\tx\t2\n!end 3 0,1\n'
    feed '!hello 1\na\tx\na\tx\n!end 1\na\tx\n!end 3\n' tl-uniq -a
    gives '!hello 1 card state share\na\tx\n!end 1 1,0,0\na\tx\n!end 3 1,0\n'
}

@test "uniq: many different lines agree with awk" {
    awk 'BEGIN { for (i = 0; i < 60000; i++) print (i * 7919) % 20011 }' >"$BATS_TEST_TMPDIR/lines"
    tl-tag k <"$BATS_TEST_TMPDIR/lines" | tl-uniq -a | tl-untag >"$BATS_TEST_TMPDIR/ours"
    awk '!seen[$0]++' "$BATS_TEST_TMPDIR/lines" | cmp - "$BATS_TEST_TMPDIR/ours"
    tl-tag k <"$BATS_TEST_TMPDIR/lines" | tl-uniq -ac | tl-untag >"$BATS_TEST_TMPDIR/ours"
    awk '{ n[$0]++ } n[$0] == 1 { key[++keys] = $0 }
        END { for (i = 1; i <= keys; i++) print key[i] "\t" n[key[i]] }' "$BATS_TEST_TMPDIR/lines" |
        cmp - "$BATS_TEST_TMPDIR/ours"
}

@test "uniq: options, limits and bad input as every filter" {
    behaves tl-uniq
    behaves tl-uniq -a
    refuses tl-uniq stray
}
