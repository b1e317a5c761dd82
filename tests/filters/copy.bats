#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
load common

@test "copy: the line once under each tag, in that order" {
    feed 'a\tx\na\ty\n' tl-copy b c
    gives 'b\tx\nc\tx\nb\ty\nc\ty\n'
}

@test "copy: -k keeps the line first" {
    feed 'a\tx\n' tl-copy -k b a
    gives 'a\tx\nb\tx\na\tx\n'
}

@test "copy: any byte passes" {
    feed "$BAD" tl-copy a
    gives "$BAD\n"
}

@test "copy: tells how many came out, promises map only for one" {
    feed '!hello 1\na\tx\na\ty\n!fence 1\n!end 2\n' tl-copy -k b
    gives '!hello 1 card stateless share\na\tx\nb\tx\na\ty\nb\ty\n!fence 1 2*2\n!end 2 0\n'
    feed '!hello 1\n' tl-copy b
    gives '!hello 1 card stateless map share\n'
}

@test "copy: options, limits and bad input as every filter" {
    behaves tl-copy b c
    refuses tl-copy
    refuses tl-copy 'not a tag'
    refuses tl-copy "$(printf 'x%.0s' {1..64})"
}

@test "copy: a tag of 63 bytes is one" {
    tag=$(printf 'x%.0s' {1..63})
    feed 'a\ty\n' tl-copy "$tag"
    gives "$tag\ty\n"
}
