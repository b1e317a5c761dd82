#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The short form of make crash: a fixed choice of points of each suite; and that it finds what is
# wrong. scripts/crash says how to play again what failed.
# shellcheck disable=SC2030,SC2031 # variables that bats sets

bats_require_minimum_version 1.5.0
load helper

setup() {
    unchecked "each call would be a point, those of a checker too"
    mark crash
}

teardown() {
    kill_marked
}

crash() {
    run "$ROOT/scripts/crash" "$@"
    ((status != 69)) || skip "$(grep -F 'skipped: ' <<<"$output" | head -n 1)"
    echo "# ${lines[-1]}" >&3
}

# Is it so that all of these suites ran, and found nothing?
sound() { # SUITE...
    local suite
    assert_success
    for suite; do
        assert_line --regexp "^$suite +[1-9][0-9]* +[1-9][0-9]* +0 +0 +0 +0 "
    done
}

@test "killed at every call, alone and with all its family: nothing lost, doubled or torn" {
    local suites=(kill/tree kill/alone kill/router kill/filter kill/again shim/kill)
    crash "${suites[@]}" --scene sinks --trials 30 -j 2
    sound "${suites[@]}"
}

@test "every call fails with every error that fits: nothing lost, doubled or torn" {
    local suites=(fail/supervisor fail/router fail/filter fail/again shim/fail shim/half)
    crash "${suites[@]}" --scene cycle --trials 25 -j 6
    sound "${suites[@]}"
}

@test "the power is cut: nothing lost, doubled or torn" {
    crash power --scene fails --trials 40 -j 2
    sound power
}

@test "no room on the disk, no inodes: nothing fails, and work goes on when there is room" {
    crash full --scene fails --trials 25 -j 4
    sound full
}

@test "too few descriptors: nothing fails for it" {
    crash limit --scene one --trials 14 -j 6
    sound limit
}

@test "blows at random moments while files keep coming: nothing lost, doubled or torn" {
    crash soak --scene sinks,copies --seconds 3 --gap 0.25
    sound soak
    crash soak --scene commands --seconds 3 --gap 0.25 --seed $RANDOM
    sound soak
}

@test "where checkpoints are written, the next start goes on from one" {
    local at
    for ((at = 1000; at < 3000; at += 100)); do
        run "$ROOT/scripts/crash" --trial "shim/kill:saved:process:$at:0"
        assert_success
        [[ $output != *"a: goes on at byte "* ]] || return 0
    done
    fail "none of these kills left a checkpoint"
}

# A folder of programs with a tl-supervisor that first does what standard input says.
sabotaged() {
    mkdir "$BATS_TEST_TMPDIR/bin"
    cp "$TL_BIN"/tl-* "$BATS_TEST_TMPDIR/bin"
    mv "$BATS_TEST_TMPDIR/bin/tl-supervisor" "$BATS_TEST_TMPDIR/bin/real-supervisor"
    {
        printf '#!/bin/sh\nfor queue; do :; done\n'
        cat
        printf 'exec %q "$@"\n' "$BATS_TEST_TMPDIR/bin/real-supervisor"
    } >"$BATS_TEST_TMPDIR/bin/tl-supervisor"
    chmod +x "$BATS_TEST_TMPDIR/bin/tl-supervisor"
}

@test "it finds a start that loses, doubles or tears, and says how to see that again" {
    local bad
    for bad in 'lost:rm' 'doubled:cp -t $queue/output' 'torn:truncate -s 1'; do
        rm -rf "${BATS_TEST_TMPDIR:?}/bin"
        sabotaged <<<"for f in \$queue/underprocess/*; do [ ! -e \"\$f\" ] || ${bad#*:} \"\$f\"; done"
        TL_BIN=$BATS_TEST_TMPDIR/bin crash kill/tree --scene one --only renameat2 --trials 12 -j 2
        assert_failure 1
        assert_line --regexp "^${bad%%:*}: "
        assert_line --regexp "again: scripts/crash --trial 'kill/tree:one:"
    done
}

@test "it finds what --durability process loses when the power is cut" {
    local at
    for ((at = 150; at < 500; at += 15)); do # between the worker's first result and the end
        run "$ROOT/scripts/crash" --trial "power:one:process:$at:log"
        ((status == 0)) || break
    done
    assert_failure 1
    assert_line --regexp '^(torn|doubled): '
}

@test "wrong usage: one line and 64" {
    local words
    for words in nonsense '--trials x' '--scene nowhere' '--trial kill/tree' '--trial x:one' --what; do
        # shellcheck disable=SC2086 # words
        run -64 --separate-stderr "$ROOT/scripts/crash" $words
        assert_one_line
    done
}

@test "a suite that cannot run is skipped, and that is no success" {
    [[ $(id -u) == 0 ]] || skip "only root can become somebody else"
    run setpriv --reuid 65534 --clear-groups /usr/bin/python3 "$ROOT/scripts/crash" power
    [[ $output == *tl-supervisor* || $status -eq 69 ]] || skip "nobody cannot read the programs"
    assert_equal "$status" 69
    assert_line 'power: skipped: only root can mount'
    assert_line 'skipped: power'
}
