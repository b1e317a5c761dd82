#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
load common

@test "count: how many lines each tag had, sorted" {
    feed 'warn\tx\nerror\ty\nwarn\tz\n' tl-count
    gives 'error\terror\t1\nwarn\twarn\t2\n'
}

@test "count: -k counts what the first group matched, or the whole match" {
    feed 'a\tGET /x\na\tPUT /y\na\tGET /z\na\tnothing\n' tl-count -k '^([A-Z]+) '
    gives 'a\tGET\t2\na\tPUT\t1\n'
    feed 'a\tGET /x\na\tPUT /y\na\tGET /z\n' tl-count -k '^[A-Z]+'
    gives 'a\tGET\t2\na\tPUT\t1\n'
}

@test "count: a line whose group took no part does not count" {
    feed 'a\tx\na\ty\n' tl-count -k '(x)|y'
    gives 'a\tx\t1\n'
}

@test "count: -t sends the totals to one tag, over all tags" {
    feed 'a\tx\nb\tx\n' tl-count -k . -t total
    gives 'total\tx\t2\n'
    feed 'a\tx\nb\tx\n' tl-count -k .
    gives 'a\tx\t1\nb\tx\t1\n'
}

@test "count: -p passes the lines as well" {
    feed 'a\tx\na\ty\n' tl-count -p -t total
    gives 'a\tx\na\ty\ntotal\ta\t2\n'
}

@test "count: keys are bytes and sorted as bytes" {
    feed 'k\tb\nk\t\nk\ta\x00\nk\ta\nk\t\xff\nk\tB\nk\ta\x00\n' tl-count -k '^.*'
    gives 'k\t\t1\nk\tB\t1\nk\ta\t1\nk\ta\x00\t2\nk\tb\t1\nk\t\xff\t1\n'
}

@test "count: a key may hold tabs; the count stands behind the last" {
    feed 'k\tx\ty\n' tl-count -k '.+'
    gives 'k\tx\ty\t1\n'
}

@test "count: each file has its own totals, an empty one none" {
    feed '!hello 1\na\tx\na\ty\n!fence 1\na\tz\n!end 2\n!end 3\na\tu\n!end 4\n' tl-count
    gives '!hello 1 card state share\n!fence 1 0*2\na\ta\t3\n!end 2 0,1\n!end 3 0\na\ta\t1\n!end 4 0,1\n'
}

@test "count: a hundred thousand keys agree with sort and uniq" {
    seq 1 300000 | sed 's/.$//' >"$BATS_TEST_TMPDIR/keys"
    tl-tag k <"$BATS_TEST_TMPDIR/keys" | tl-count -k '.*' | tl-untag >"$BATS_TEST_TMPDIR/ours"
    LC_ALL=C sort "$BATS_TEST_TMPDIR/keys" | uniq -c | awk '{ print $2 "\t" $1 }' |
        sed 's/^\([0-9]*\)\t$/\t\1/' >"$BATS_TEST_TMPDIR/theirs"
    cmp "$BATS_TEST_TMPDIR/ours" "$BATS_TEST_TMPDIR/theirs"
    assert_equal "$(wc -l <"$BATS_TEST_TMPDIR/ours")" 30001
}

@test "count: options, limits and bad input as every filter" {
    behaves tl-count
    refuses tl-count stray
    refuses tl-count -t 'no tag'
    refuses tl-count -k '('
}
