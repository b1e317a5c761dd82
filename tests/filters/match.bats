#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
load common

@test "match: the first pattern that matches gives the tag, without one it stays" {
    feed 'start\terror one\nstart\twarn error\nstart\tquiet\n' tl-match error=^error warn=^warn any=error
    gives 'error\terror one\nwarn\twarn error\nstart\tquiet\n'
}

@test "match: the order of the patterns decides" {
    feed 's\twarn error\n' tl-match e=error w=warn
    gives 'e\twarn error\n'
    feed 's\twarn error\n' tl-match w=warn e=error
    gives 'w\twarn error\n'
}

@test "match: -i ignores the case of ASCII letters" {
    feed 's\tERROR\ns\tError\n' tl-match -i e=^error
    gives 'e\tERROR\ne\tError\n'
    feed 's\tERROR\n' tl-match e=^error
    gives 's\tERROR\n'
}

@test "match: a pattern may hold = and anything else; only the first = divides" {
    feed 's\tkey=1\ns\tkey=2\n' tl-match 'one=key=1$'
    gives 'one\tkey=1\ns\tkey=2\n'
}

@test "match: an empty pattern matches every line, so it is the else" {
    feed 's\tx\ns\t\n' tl-match x=x rest=
    gives 'x\tx\nrest\t\n'
}

@test "match: works on bytes: NUL, CR, bad UTF-8" {
    feed 's\ta\x00b\ns\tx\r\ns\t\xff\xfe\n' tl-match 'nul=\x00b' 'cr=\r$' 'bad=^\xff.$'
    gives 'nul\ta\x00b\ncr\tx\r\nbad\t\xff\xfe\n'
}

@test "match: a search that is given up is an error, not no match" {
    printf 's\tfirst\ns\t%s!\n' "$(printf 'a%.0s' {1..40})" >"$BATS_TEST_TMPDIR/text"
    feed "$(cat "$BATS_TEST_TMPDIR/text")\n" tl-match 'x=^(a+)+$'
    fails 65 'line 2: the search for a match was given up: match limit exceeded'
    wrote 's\tfirst\n'
}

@test "match: a long line with a pattern that needs much stack" {
    head -c 300000 /dev/zero | tr '\0' a >"$BATS_TEST_TMPDIR/long"
    { printf 's\t'; cat "$BATS_TEST_TMPDIR/long"; printf 'c\n'; } >"$BATS_TEST_TMPDIR/line"
    run bash -c 'tl-match "x=^(?:a|b)*c$" <"$1" | cut -f1' - "$BATS_TEST_TMPDIR/line"
    assert_output x
}

@test "match: patterns cannot switch UTF on" {
    refuses tl-match 'x=(*UTF)a'
}

@test "match: promises map and answers fences" {
    feed '!hello 1\ns\tx\ns\ty\n!fence 1\n!end 2\n' tl-match x=x
    gives '!hello 1 card stateless map share\nx\tx\ns\ty\n!fence 1 1*2\n!end 2 0\n'
}

@test "match: options, limits and bad input as every filter" {
    behaves tl-match x=x
    refuses tl-match
    refuses tl-match nothing
    refuses tl-match 1bad=x
    refuses tl-match 'x=(' 
    fails 64 'at byte 1: missing closing parenthesis'
}
