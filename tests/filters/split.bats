#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
load common

@test "split: pieces in order, under the same tag" {
    feed 'a\t1,2,3\nb\tx\n' tl-split ,
    gives 'a\t1\na\t2\na\t3\nb\tx\n'
}

@test "split: empty pieces are kept, -s skips them" {
    feed 'a\t,1,,2,\na\t\n' tl-split ,
    gives 'a\t\na\t1\na\t\na\t2\na\t\na\t\n'
    feed 'a\t,1,,2,\na\t\na\t,\n' tl-split -s ,
    gives 'a\t1\na\t2\n'
}

@test "split: the separator is a text, with -r an expression" {
    feed 'a\tx.y--z\n' tl-split .
    gives 'a\tx\na\ty--z\n'
    feed 'a\tx.y--z\n' tl-split -- --
    gives 'a\tx.y\na\tz\n'
    feed 'a\tx.y--z\n' tl-split -r '[.-]+'
    gives 'a\tx\na\ty\na\tz\n'
}

@test "split: an expression that matches nothing at a place does not divide there" {
    feed 'a\tab1c\n' tl-split -r '\d*'
    gives 'a\tab\na\tc\n'
}

@test "split: overlapping separators are found from the left" {
    feed 'a\txaaay\n' tl-split aa
    gives 'a\tx\na\tay\n'
}

@test "split: any byte passes" {
    feed 'a\t\x00|\xff\r\n' tl-split '|'
    gives 'a\t\x00\na\t\xff\r\n'
    feed 'a\tx\x00y\n' tl-split -r '\x00'
    gives 'a\tx\na\ty\n'
}

@test "split: tells how many pieces each line gave" {
    feed '!hello 1\na\t1,2\na\t,\na\tx\n!fence 1\na\t\n!end 2\n' tl-split -s ,
    gives '!hello 1 card stateless share\na\t1\na\t2\na\tx\n!fence 1 2,0,1\n!end 2 0,0\n'
}

@test "split: options, limits and bad input as every filter" {
    behaves tl-split ,
    refuses tl-split
    refuses tl-split ''
    refuses tl-split a b
    refuses tl-split -r '('
}
