#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
load common

@test "untag: the text alone" {
    feed 'a\tone\nb\ttwo\tthree\n' tl-untag
    gives 'one\ntwo\tthree\n'
}

@test "untag: only the lines of the tags named" {
    feed 'a\tone\nb\ttwo\nab\tthree\na\tfour' tl-untag a c
    gives 'one\nfour\n'
    feed 'a\tone\nb\ttwo\n' tl-untag b a
    gives 'one\ntwo\n'
}

@test "untag: any byte passes, the missing last newline is added" {
    feed "$BAD" tl-untag
    gives '\nx\r\n\x00y\x00\n\xff\xc3\x28\n!fence 1\nb\tc\nlast\n'
}

@test "untag: byte by byte it is the same" {
    drip "$BAD" tl-untag
    gives '\nx\r\n\x00y\x00\n\xff\xc3\x28\n!fence 1\nb\tc\nlast\n'
}

@test "untag: control lines are no text" {
    feed '!hello 1 card share\na\tx\n!fence 1 1\n!end 2' tl-untag
    gives 'x\n'
}

@test "untag: what is no tagged line is an error, what stood before is written" {
    feed 'a\tx\nplain\na\ty\n' tl-untag
    fails 65 'line 2: does not begin with a tag and a tab'
    wrote 'x\n'
    feed '1a\tx\n' tl-untag
    fails 65 'line 1: does not begin'
    feed '\n' tl-untag
    fails 65 'line 1: does not begin'
    feed "$(printf 'x%.0s' {1..64})\ty\n" tl-untag
    fails 65 'line 1: does not begin'
    feed 'a\tx\nab' tl-untag
    fails 65 'line 2: ends inside its tag'
    feed 'a\tx\n0123456789\n' tl-untag q
    fails 65 'line 2: does not begin'
}

@test "untag: a tag of 63 bytes is one" {
    feed "$(printf 'x%.0s' {1..63})\ty\n" tl-untag
    gives 'y\n'
}

@test "untag: a line over the limit is an error and no part of it is written" {
    feed 'a\tok\na\t0123456789\n' env TAGLINE_MAX_LINE=9 tl-untag
    fails 65 'line 2: is longer than TAGLINE_MAX_LINE allows'
    wrote 'ok\n'
}

@test "untag: a line leaves although more input may come" {
    mkfifo "$BATS_TEST_TMPDIR/pipe"
    tl-untag <"$BATS_TEST_TMPDIR/pipe" >"$BATS_TEST_TMPDIR/out" &
    exec 5>"$BATS_TEST_TMPDIR/pipe"
    printf 's\tone\ns\thalf' >&5
    wait_until 10 grep -q one "$BATS_TEST_TMPDIR/out"
    exec 5>&-
    wait $!
    run cat "$BATS_TEST_TMPDIR/out"
    assert_output "$(printf 'one\nhalf')"
}

@test "untag: wrong uses" {
    knows_options tl-untag
    refuses tl-untag 'a b'
    refuses tl-untag ''
}
