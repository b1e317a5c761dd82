#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2094 # what is read is compared, not written
load common

@test "tag: each line gets the tag" {
    feed 'one\ntwo\n' tl-tag start
    gives 'start\tone\nstart\ttwo\n'
}

@test "tag: any byte passes, empty lines too, the missing last newline is added" {
    feed '\n!fence 1\na\tb\n\x00\xff\r\nlast' tl-tag s
    gives 's\t\ns\t!fence 1\ns\ta\tb\ns\t\x00\xff\r\ns\tlast\n'
    feed '' tl-tag s
    gives ''
}

@test "tag: byte by byte it is the same" {
    drip '\n!x\nab\x00c\nlast' tl-tag s
    gives 's\t\ns\t!x\ns\tab\x00c\ns\tlast\n'
}

@test "tag: a line leaves although more input may come" {
    mkfifo "$BATS_TEST_TMPDIR/pipe"
    tl-tag s <"$BATS_TEST_TMPDIR/pipe" >"$BATS_TEST_TMPDIR/out" &
    exec 5>"$BATS_TEST_TMPDIR/pipe"
    printf 'one\nhalf' >&5
    wait_until 10 grep -q one "$BATS_TEST_TMPDIR/out"
    run cat "$BATS_TEST_TMPDIR/out"
    assert_output "$(printf 's\tone')"
    exec 5>&-
    wait $!
    run cat "$BATS_TEST_TMPDIR/out"
    assert_output "$(printf 's\tone\ns\thalf')"
}

@test "tag: a line over the limit is an error and no part of it is written" {
    feed 'ok\n0123456789\nmore\n' env TAGLINE_MAX_LINE=9 tl-tag s
    fails 65 'line 2: is longer than 9 bytes'
    wrote 's\tok\n'
    drip 'ok\n0123456789\nmore\n' env TAGLINE_MAX_LINE=9 tl-tag s
    fails 65 'line 2: is longer than 9 bytes'
    wrote 's\tok\n'
}

@test "tag: a long line and many blocks come back whole" {
    head -c 3000000 /dev/urandom >"$BATS_TEST_TMPDIR/data"
    echo >>"$BATS_TEST_TMPDIR/data"
    tl-tag s <"$BATS_TEST_TMPDIR/data" | tl-untag | cmp - "$BATS_TEST_TMPDIR/data"
    tr -d '\n' <"$BATS_TEST_TMPDIR/data" >"$BATS_TEST_TMPDIR/line"
    echo >>"$BATS_TEST_TMPDIR/line"
    tl-tag s <"$BATS_TEST_TMPDIR/line" | tl-untag | cmp - "$BATS_TEST_TMPDIR/line"
}

@test "tag: a full disk is told" {
    status=0
    yes | head -n 10 | tl-tag s 2>"$BATS_TEST_TMPDIR/err" >/dev/full || status=$?
    fails 74 'tl-tag: standard output: No space left on device'
}

@test "tag: wrong uses" {
    knows_options tl-tag
    refuses tl-tag
    refuses tl-tag a b
    refuses tl-tag '!x'
    refuses tl-tag ''
    refuses tl-tag 'a b'
}
