# SPDX-License-Identifier: MIT
# Every parser that reads what a stranger, a crash or a broken program wrote, fed with the inputs of
# its corpus and each beginning of them; scripts/check runs this under the sanitizers too. make fuzz
# looks for new ones.

bats_require_minimum_version 1.5.0
load helper

# Which input of the corpus is it that the target does not like?
name_the_input() {
    local input
    for input in "$ROOT/tests/fuzz/corpus/$1"/*; do
        "$TL_BIN/fuzz-$1" "$input" >"$BATS_TEST_TMPDIR/said" 2>&1 ||
            printf '%s: %s\n' "$input" "$(head -n 5 "$BATS_TEST_TMPDIR/said")"
    done
}

@test "fuzz: every target stands its corpus" {
    local source name inputs
    for source in "$ROOT"/tests/fuzz/*.c; do
        name=$(basename "$source" .c)
        [ "$name" != driver ] || continue
        inputs=("$ROOT/tests/fuzz/corpus/$name"/*)
        [ -e "${inputs[0]}" ] || fail "$name has no corpus"
        run "$TL_BIN/fuzz-$name" "${inputs[@]}"
        [[ $status == 0 && $output =~ ^[0-9]+\ inputs$ ]] || fail "$name: $(name_the_input "$name")"
        [ "${output% inputs}" -gt "${#inputs[@]}" ]
    done
}

@test "fuzz: the driver says which file it cannot read" {
    run -66 --separate-stderr "$TL_BIN/fuzz-card" "$BATS_TEST_TMPDIR/none"
    assert_one_line
}
