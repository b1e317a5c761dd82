#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
load common

@test "template: drops lines without text" {
    feed 'a\tx\na\t\na\t \n' tl-template
    gives 'a\tx\na\t \n'
}

@test "template: any byte passes" {
    feed 'a\t\x00\na\t\r\n' tl-template
    gives 'a\t\x00\na\t\r\n'
}

@test "template: tells which line gave nothing" {
    feed '!hello 1\na\tx\na\t\n!fence 1\n!end 2\n' tl-template
    gives '!hello 1 card stateless share\na\tx\n!fence 1 1,0\n!end 2 0\n'
}

@test "template: options, limits and bad input as every filter" {
    behaves tl-template
    refuses tl-template stray
}
