#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
load common

@test "trim: white space at both ends goes, inside it stays" {
    feed 'a\t  one  two \nb\tthree\n' tl-trim
    gives 'a\tone  two\nb\tthree\n'
}

@test "trim: every ASCII white space, and only that" {
    feed 'a\t\t\v\f\r x \r\f\v\t\na\t\xc2\xa0x\x85\na\t\x00 x\x00\n' tl-trim
    gives 'a\tx\na\t\xc2\xa0x\x85\na\t\x00 x\x00\n'
}

@test "trim: a line of nothing but white space becomes empty" {
    feed 'a\t \t \r\na\t\n' tl-trim
    gives 'a\t\na\t\n'
}

@test "trim: promises map and answers fences" {
    feed '!hello 1\na\t \n!fence 1\n!end 2\n' tl-trim
    gives '!hello 1 card stateless map share\na\t\n!fence 1 1\n!end 2 0\n'
}

@test "trim: options, limits and bad input as every filter" {
    behaves tl-trim
    refuses tl-trim stray
}
