# SPDX-License-Identifier: MIT
# What the tests of the filters share: feed a program bytes, say what it must give.
load "${BASH_SOURCE[0]%/*}/../helper"

# feed BYTES COMMAND...: run it with these bytes (printf's %b) on standard input.
feed() {
    printf %b "$1" >"$BATS_TEST_TMPDIR/in"
    shift
    status=0
    "$@" <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || status=$?
}

# drip BYTES COMMAND...: the same, but each read(2) of it gets one byte.
drip() {
    printf %b "$1" >"$BATS_TEST_TMPDIR/in"
    shift
    status=0
    "$ROOT/tests/filters/drip" "$BATS_TEST_TMPDIR/in" |
        "$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || status=$?
}

# gives BYTES: that was all it wrote, and it succeeded.
gives() {
    printf %b "$1" >"$BATS_TEST_TMPDIR/want"
    if [ "$status" -ne 0 ] || [ -s "$BATS_TEST_TMPDIR/err" ] ||
        ! cmp -s "$BATS_TEST_TMPDIR/want" "$BATS_TEST_TMPDIR/out"; then
        {
            echo "status $status; wanted:"
            cat -A "$BATS_TEST_TMPDIR/want"
            echo "got:"
            cat -A "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/err"
        } >&2
        return 1
    fi
}

# fails STATUS MESSAGE: with this status and one line that contains the message.
fails() {
    local message
    message=$(cat "$BATS_TEST_TMPDIR/err")
    assert_equal "$status" "$1"
    assert_equal "$(wc -l <"$BATS_TEST_TMPDIR/err")" 1
    [[ $message == *"$2"* ]] || fail "wanted: $2; got: $message"
}

# wrote BYTES: that stands on standard output, whatever the status.
wrote() {
    printf %b "$1" | cmp - "$BATS_TEST_TMPDIR/out"
}

# An old friend for every filter: empty lines, CR, NUL, bad UTF-8, a control line as text, no last newline.
BAD='a\t\na\tx\r\na\t\x00y\x00\na\t\xff\xc3\x28\na\t!fence 1\na\tb\tc\na\tlast'

# behaves COMMAND...: what every filter of tagged lines must do.
behaves() {
    knows_options "$@"
    feed 'no tag\n' "$@"
    fails 65 'line 1: does not begin with a tag and a tab'
    feed 'a\tshort\na\tlong enough\n' env TAGLINE_MAX_LINE=10 "$@"
    fails 65 'line 2: is longer than 10 bytes'
    feed '' env TAGLINE_MAX_LINE=often "$@"
    fails 64 TAGLINE_MAX_LINE
    feed '' "$@"
    gives ''
    feed "$BAD" "$@"
    mv "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/whole"
    drip "$BAD" "$@"
    cmp "$BATS_TEST_TMPDIR/whole" "$BATS_TEST_TMPDIR/out"
    feed '!hello 1\n!fence 1\n!unknown \x00word\n!end 2\n' "$@"
    run cat -A "$BATS_TEST_TMPDIR/out"
    assert_line --index 0 --regexp '^!hello 1 card( stateless( map)?| state)? share\$$'
    assert_line --index 1 '!fence 1$'
    assert_line --index 2 '!unknown ^@word$'
    assert_line --index 3 '!end 2 0$'
}

# knows_options COMMAND...: help, version, and a wrong option.
knows_options() {
    run "$1" -h
    assert_success
    assert_line --index 0 --partial "usage: $1"
    run "$1" --help
    assert_success
    run "$1" --version
    assert_success
    assert_output --regexp "^$1 [0-9]+\.[0-9]+\.[0-9]+$"
    feed '' "$1" -Z
    fails 64 "$1: -Z: no such option"
    feed '' "$1" --nonsense
    fails 64 "$1: --nonsense: no such option"
}

# refuses COMMAND...: a wrong use of it is said in one line, with status 64.
refuses() {
    feed '' "$@"
    fails 64 "$1: "
}
