#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
load common

@test "join: -n joins by count, what is left comes at the end" {
    feed 'a\t1\na\t2\na\t3\n' tl-join -n 2
    gives 'a\t1 2\na\t3\n'
}

@test "join: without options the whole file is one line" {
    feed 'a\t1\na\t2\na\t3' tl-join
    gives 'a\t1 2 3\n'
}

@test "join: -b begins a record where the pattern matches" {
    feed 'a\tlost\na\t> one\na\t  more\na\t> two\n' tl-join -b '^>' -s '|'
    gives 'a\tlost\na\t> one|  more\na\t> two\n'
}

@test "join: -s, also empty" {
    feed 'a\t1\na\t2\n' tl-join -s ''
    gives 'a\t12\n'
    feed 'a\t1\na\t2\n' tl-join -s ', '
    gives 'a\t1, 2\n'
}

@test "join: lines of different tags are never joined" {
    feed 'a\t1\na\t2\nb\t3\na\t4\n' tl-join
    gives 'a\t1 2\nb\t3\na\t4\n'
}

@test "join: any byte passes, empty lines count" {
    feed 'a\t\na\t\na\t\x00\xff\r\n' tl-join -s +
    gives 'a\t++\x00\xff\r\n'
}

@test "join: each file begins anew, the held lines belong to the end" {
    feed '!hello 1\na\t1\na\t2\n!fence 1\na\t3\n!end 2\na\t4\n!end 3\n' tl-join -n 2
    gives '!hello 1 card state share\na\t1 2\n!fence 1 0,1\na\t3\n!end 2 0,1\na\t4\n!end 3 0,1\n'
}

@test "join: a joined line over the limit is an error before memory fills" {
    run bash -c 'yes 1234567 | tl-tag a | TAGLINE_MAX_LINE=1K tl-join'
    assert_failure 65
    assert_output --partial 'the joined line is longer than 1024 bytes'
}

@test "join: options, limits and bad input as every filter" {
    behaves tl-join -n 3
    refuses tl-join stray
    refuses tl-join -n 0
    refuses tl-join -n 2x
    refuses tl-join -n 2 -b x
    refuses tl-join -b '('
    refuses tl-join -s $'\n'
    refuses tl-join -n
}
