#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016 # dollar signs for the filter, not the shell
load common

@test "head: the first lines, ten if nothing is said" {
    feed 'a\t1\na\t2\na\t3\n' tl-head -n 2
    gives 'a\t1\na\t2\n'
    run bash -c 'seq 20 | tl-tag a | tl-head | tl-untag | wc -l'
    assert_output 10
}

@test "head: a shorter file passes whole, none is none" {
    feed "$BAD" tl-head -n 100
    gives "$BAD\n"
    feed 'a\tx\n' tl-head -n 0
    gives ''
}

@test "head: of each file; the rest of it is answered" {
    feed '!hello 1\na\t1\na\t2\n!fence 1\na\t3\n!end 2\na\t4\n!end 3\n!end 4\n' tl-head -n 1
    gives '!hello 1 card state share\na\t1\n!fence 1 1,0\n!end 2 0,0\na\t4\n!end 3 1,0\n!end 4 0\n'
}

@test "head: in a pipeline it stops reading, so an endless producer ends" {
    run timeout 20 bash -c 'set -o pipefail; yes | tl-tag a | tl-head -n 3; echo "${PIPESTATUS[2]}"'
    assert_output "$(printf 'a\ty\na\ty\na\ty\n0')"
}

@test "head: options, limits and bad input as every filter" {
    behaves tl-head -n 50
    refuses tl-head stray
    refuses tl-head -n -1
    refuses tl-head -n x
    refuses tl-head -n 99999999999999999999
}
