#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
load common

@test "lower: ASCII letters become small, nothing else changes" {
    feed 'a\tHello, WORLD 1\nb\t\xc3\x89T\xc3\x89 [\\\\]^_\n' tl-lower
    gives 'a\thello, world 1\nb\t\xc3\x89t\xc3\x89 [\\\\]^_\n'
}

@test "lower: any byte passes" {
    feed "$BAD" tl-lower
    gives "$BAD\n"
}

@test "lower: promises map and answers fences" {
    feed '!hello 1\na\tX\n!fence 1\n!end 2\n' tl-lower
    gives '!hello 1 card stateless map share\na\tx\n!fence 1 1\n!end 2 0\n'
}

@test "lower: options, limits and bad input as every filter" {
    behaves tl-lower
    refuses tl-lower stray
}
