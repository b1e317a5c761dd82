#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
load common

@test "suffix: the text stands at its place, also at an empty line" {
    feed 'a\thi\nb\t\n' tl-suffix '> '
    gives 'a\thi> \nb\t> \n'
}

@test "suffix: any byte passes, and no text is taken for a control line" {
    feed 'a\tf\na\t\x00\n' tl-suffix '!'
    gives 'a\tf!\na\t\x00!\n'
}

@test "suffix: an empty text changes nothing" {
    feed "$BAD" tl-suffix ''
    gives "$BAD\n"
}

@test "suffix: a text that looks like an option stands behind --" {
    feed 'a\tx\n' tl-suffix -- -n
    [ "$status" -eq 0 ]
    grep -q -- -n "$BATS_TEST_TMPDIR/out"
}

@test "suffix: a line that becomes longer than the limit is an error, the ones before it are written" {
    feed 'a\tx\na\t12345678\n' env TAGLINE_MAX_LINE=9 tl-suffix qw
    fails 65 'line 2: became longer than 9 bytes'
    wrote 'a\txqw\n'
}

@test "suffix: promises map and answers fences" {
    feed '!hello 1\na\t\n!fence 1\n!end 2\n' tl-suffix P
    gives '!hello 1 card stateless map share\na\tP\n!fence 1 1\n!end 2 0\n'
}

@test "suffix: options, limits and bad input as every filter" {
    behaves tl-suffix X
    refuses tl-suffix
    refuses tl-suffix one two
    refuses tl-suffix $'two\nlines'
}
