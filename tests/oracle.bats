# SPDX-License-Identifier: MIT
# The router against the reference, on random flows and inputs. ORACLE_COUNT: how many flows a test.
# The two long tests run beside each other.

load helper

oracle() {
    TMPDIR=$BATS_TEST_TMPDIR "$ROOT/tests/oracle.py" "$@"
}

# An example of a difference must outlive the folder of the test; what was compared is told.
compare() {
    run "$ROOT/tests/oracle.py" "$@" --count "${ORACLE_COUNT:-1500}"
    echo "# ${lines[-1]}" >&3
    assert_success
}

@test "oracle: random flows of a fixed seed give the bytes of the reference" {
    compare --seed 20261124
}

@test "oracle: random flows of a random seed give the bytes of the reference" {
    compare
}

@test "oracle: every line an epoch of its own" {
    run oracle --seed 5 --count "${ORACLE_COUNT:-100}" --epoch 1
    assert_success
}

@test "oracle: a router that is wrong by one byte is found, and an example of it is left" {
    mkdir "$BATS_TEST_TMPDIR/bin"
    cat >"$BATS_TEST_TMPDIR/bin/tl-router" <<END
#!/bin/sh
PATH='$PATH'
tl-router "\$@" || exit
if [ "\$1" = -o ]; then
    for f in out/*; do break; done
    [ -s "\$f" ] && printf x >>"\$f"
else
    echo x
fi
exit 0
END
    chmod +x "$BATS_TEST_TMPDIR/bin/tl-router"
    TL_BIN=$BATS_TEST_TMPDIR/bin run oracle --seed 6 --count 20 --most-failures 1
    assert_failure 1
    assert_output --partial "differ"
    assert_output --partial "oracle: example: $BATS_TEST_TMPDIR/tagline-oracle-6-"
    local example=("$BATS_TEST_TMPDIR"/tagline-oracle-6-*)
    [ -s "${example[0]}/README" ]
    [ -s "${example[0]}/case/flow" ]
    [ -d "${example[0]}/expected" ]
}
