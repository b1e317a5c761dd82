#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
load common

@test "upper: ASCII letters become capital, nothing else changes" {
    feed 'a\tHello, world 1\nb\t\xc3\xa9t\xc3\xa9 {|}~`@\n' tl-upper
    gives 'a\tHELLO, WORLD 1\nb\t\xc3\xa9T\xc3\xa9 {|}~`@\n'
}

@test "upper: any byte passes, the missing last newline is added" {
    feed "$BAD" tl-upper
    gives 'a\t\na\tX\r\na\t\x00Y\x00\na\t\xff\xc3\x28\na\t!FENCE 1\na\tB\tC\na\tLAST\n'
}

@test "upper: promises map and answers fences" {
    feed '!hello 1\na\tx\na\ty\n!fence 1\na\tz\n!end 2\n' tl-upper
    gives '!hello 1 card stateless map share\na\tX\na\tY\n!fence 1 1*2\na\tZ\n!end 2 1,0\n'
}

@test "upper: options, limits and bad input as every filter" {
    behaves tl-upper
    refuses tl-upper stray
}
