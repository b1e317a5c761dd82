#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016 # dollar signs for the filter, not the shell
load common

@test "replace: the first match, or none" {
    feed 'a\tone two one\na\tnothing\n' tl-replace one 1
    gives 'a\t1 two one\na\tnothing\n'
}

@test "replace: -g every match" {
    feed 'a\tone two one\n' tl-replace -g one 1
    gives 'a\t1 two 1\n'
}

@test "replace: groups by number, by name, the whole, and a dollar sign" {
    feed 'a\tjohn smith\n' tl-replace '(\w+) (?<last>\w+)' '${last}, $1 [$0] ${1}0 $$5'
    gives 'a\tsmith, john [john smith] john0 $5\n'
}

@test "replace: a group that took no part gives nothing" {
    feed 'a\tb\n' tl-replace '(a)|(b)' '<$1$2>'
    gives 'a\t<b>\n'
}

@test "replace: empty matches as Perl finds them" {
    feed 'a\tabc\na\t\n' tl-replace -g 'x*' -
    gives 'a\t-a-b-c-\na\t-\n'
    feed 'a\tbaac\n' tl-replace -g 'a*' '<$0>'
    gives 'a\t<>b<aa><>c<>\n'
}

@test "replace: anchors stand at the ends of the line only" {
    feed 'a\taaa\n' tl-replace -g '^a' b
    gives 'a\tbaa\n'
}

@test "replace: -i, and an empty replacement" {
    feed 'a\tXxyX\n' tl-replace -gi x ''
    gives 'a\ty\n'
}

@test "replace: works on bytes" {
    feed 'a\t\x00\xff\x00\r\n' tl-replace -g '\x00' N
    gives 'a\tN\xffN\r\n'
    feed "$BAD" tl-replace '^' ''
    gives "$BAD\n"
}

@test "replace: what becomes longer than the limit is an error" {
    feed 'a\txxxx\n' env TAGLINE_MAX_LINE=8 tl-replace -g x abc
    fails 65 'line 1: became longer than 8 bytes'
}

@test "replace: promises map and answers fences" {
    feed '!hello 1\na\tx\n!fence 1\n!end 2\n' tl-replace x y
    gives '!hello 1 card stateless map share\na\ty\n!fence 1 1\n!end 2 0\n'
}

@test "replace: options, limits and bad input as every filter" {
    behaves tl-replace x y
    refuses tl-replace x
    refuses tl-replace x y z
    refuses tl-replace '[' y
    refuses tl-replace x $'a\nb'
    refuses tl-replace x 'costs $'
    fails 64 'write $$ for a dollar sign'
    refuses tl-replace x '${1'
    refuses tl-replace x '$1'
    fails 64 'PATTERN has no group "1"'
    refuses tl-replace x '${name}'
    refuses tl-replace x '$99999999999999999999'
}
