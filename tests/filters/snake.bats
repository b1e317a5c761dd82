#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
load common

@test "snake: spaces become underscores, capitals small" {
    feed 'start\tERROR DETECTED: ERROR: disk full\n' tl-snake
    gives 'start\terror_detected:_error:_disk_full\n'
}

@test "snake: trims first, so white space at the ends leaves no underscore" {
    feed 'a\t \t Disk  Full \r\na\t   \n' tl-snake
    gives 'a\tdisk__full\na\t\n'
}

@test "snake: a tab inside is no space, other bytes stay" {
    feed 'a\tA\tB\na\t\xc3\x89 \x00Z\n' tl-snake
    gives 'a\ta\tb\na\t\xc3\x89_\x00z\n'
}

@test "snake: promises map and answers fences" {
    feed '!hello 1\na\tA B\n!fence 1\n!end 2\n' tl-snake
    gives '!hello 1 card stateless map share\na\ta_b\n!fence 1 1\n!end 2 0\n'
}

@test "snake: options, limits and bad input as every filter" {
    behaves tl-snake
    refuses tl-snake stray
}
