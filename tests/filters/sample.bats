#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
load common

@test "sample: -n the first of every so many lines" {
    feed 'a\t1\na\t2\na\t3\na\t4\na\t5\n' tl-sample -n 2
    gives 'a\t1\na\t3\na\t5\n'
    feed "$BAD" tl-sample -n 1
    gives "$BAD\n"
}

@test "sample: -n counts anew in each file" {
    feed '!hello 1\na\t1\na\t2\na\t3\n!end 1\na\t4\n!fence 2\na\t5\n!end 3\n' tl-sample -n 2
    gives '!hello 1 card state share\na\t1\na\t3\n!end 1 1,0,1,0\na\t4\n!fence 2 1\n!end 3 0,0\n'
}

@test "sample: -p 0 passes nothing, -p 1 everything" {
    feed "$BAD" tl-sample -p 0
    gives ''
    feed "$BAD" tl-sample -p 1
    gives "$BAD\n"
    feed "$BAD" tl-sample -p 1.0
    gives "$BAD\n"
}

@test "sample: -p about that part, the same in every run and in any order" {
    seq 10000 | tl-tag a | tl-sample -p .25 | sort >"$BATS_TEST_TMPDIR/one"
    seq 10000 | tac | tl-tag a | tl-sample -p 0.25 | sort >"$BATS_TEST_TMPDIR/two"
    cmp "$BATS_TEST_TMPDIR/one" "$BATS_TEST_TMPDIR/two"
    n=$(wc -l <"$BATS_TEST_TMPDIR/one")
    [ "$n" -gt 2300 ]
    [ "$n" -lt 2700 ]
}

@test "sample: -p with more passes what it passed with less" {
    seq 1000 | tl-tag a | tl-sample -p .1 | sort >"$BATS_TEST_TMPDIR/less"
    seq 1000 | tl-tag a | tl-sample -p .2 | sort >"$BATS_TEST_TMPDIR/more"
    run comm -23 "$BATS_TEST_TMPDIR/less" "$BATS_TEST_TMPDIR/more"
    assert_output ''
    [ -s "$BATS_TEST_TMPDIR/less" ]
}

@test "sample: -p is stateless" {
    feed '!hello 1\na\tx\n!fence 1\n!end 2\n' tl-sample -p 0
    gives '!hello 1 card stateless share\n!fence 1 0\n!end 2 0\n'
}

@test "sample: options, limits and bad input as every filter" {
    behaves tl-sample -n 1
    behaves tl-sample -p .5
    refuses tl-sample
    refuses tl-sample -n 2 -p .5
    refuses tl-sample -n 0
    refuses tl-sample -p 1.1
    refuses tl-sample -p nan
    refuses tl-sample -p .
    refuses tl-sample -p 0.5.5
    refuses tl-sample -p -1
    refuses tl-sample -n 2 stray
}
