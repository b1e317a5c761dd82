#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
load common

@test "prefix: the text stands at its place, also at an empty line" {
    feed 'a\thi\nb\t\n' tl-prefix '> '
    gives 'a\t> hi\nb\t> \n'
}

@test "prefix: any byte passes, and no text is taken for a control line" {
    feed 'a\tf\na\t\x00\n' tl-prefix '!'
    gives 'a\t!f\na\t!\x00\n'
}

@test "prefix: an empty text changes nothing" {
    feed "$BAD" tl-prefix ''
    gives "$BAD\n"
}

@test "prefix: a text that looks like an option stands behind --" {
    feed 'a\tx\n' tl-prefix -- -n
    [ "$status" -eq 0 ]
    grep -q -- -n "$BATS_TEST_TMPDIR/out"
}

@test "prefix: a line that becomes longer than the limit is an error, the ones before it are written" {
    feed 'a\tx\na\t12345678\n' env TAGLINE_MAX_LINE=9 tl-prefix qw
    fails 65 'line 2: became longer than 9 bytes'
    wrote 'a\tqwx\n'
}

@test "prefix: promises map and answers fences" {
    feed '!hello 1\na\t\n!fence 1\n!end 2\n' tl-prefix P
    gives '!hello 1 card stateless map share\na\tP\n!fence 1 1\n!end 2 0\n'
}

@test "prefix: options, limits and bad input as every filter" {
    behaves tl-prefix X
    refuses tl-prefix
    refuses tl-prefix one two
    refuses tl-prefix $'two\nlines'
}
