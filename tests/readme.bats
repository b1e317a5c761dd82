#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Every command of README.md works, and prints what the README says.

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert
load helper

# The N-th ```sh block goes to blocks/N.sh, a ```text block directly after it to blocks/N.text.
extract() {
    mkdir -p "$BATS_TEST_TMPDIR/blocks"
    awk -v dir="$BATS_TEST_TMPDIR/blocks" '
        /^```$/ && open { open = 0; if (kind == "sh") after = NR; next }
        /^```sh$/ { kind = "sh"; file = sprintf("%s/%02d.sh", dir, ++n); printf "" > file; open = 1; next }
        /^```text$/ { if (NR != after + 1) exit 1
                      kind = "text"; file = sprintf("%s/%02d.text", dir, n); printf "" > file; open = 1; next }
        /^```/ { kind = "other"; open = 1; next }
        open && kind != "other" { print > file }' "$ROOT/README.md"
}

@test "every command of the README gives what it says" {
    extract
    cd "$BATS_TEST_TMPDIR"
    ln -s "$ROOT/scripts" "$ROOT/lib" .
    ln -s "$TL_BIN" build
    # One shell for all, as a reader has; what make would do is looked at by the tests of the demo.
    make() { command make -n -C "$ROOT" "$@" >/dev/null; }
    count=0
    for block in blocks/*.sh; do
        count=$((count + 1))
        echo "--- $block"
        cat "$block"
        # shellcheck disable=SC1090
        . "./$block" >"$BATS_TEST_TMPDIR/got" 2>"$BATS_TEST_TMPDIR/err"
        run -0 cat "$BATS_TEST_TMPDIR/err"
        assert_output ''
        [ ! -e "${block%.sh}.text" ] || diff -u "${block%.sh}.text" "$BATS_TEST_TMPDIR/got"
    done
    assert [ "$count" -ge 8 ]
}

@test "the flow that is explained is the flow that is shipped" {
    run -0 awk '/^```$/ { open = !open; next } open && /(->|=>)/' "$ROOT/README.md"
    explained=$(grep -A4 '^start   ->' <<<"$output")
    assert_equal "$explained" "$(grep -v -e '^#' -e '^$' "$ROOT/scripts/flows/triage.flow")"
}

@test "every file that the README points to is there" {
    run -0 grep -oE '\]\([^)h][^)]*\)' "$ROOT/README.md"
    for link in "${lines[@]}"; do
        link=${link#](}
        assert [ -e "$ROOT/${link%)}" ]
    done
}

@test "every manual page that the README names is there" {
    run -0 grep -oE '\b(tl|tagline)[a-z-]*\([135]\)' "$ROOT/README.md"
    for page in "${lines[@]}"; do
        name=${page%(*}
        run -0 find "$ROOT" -path "$ROOT/*/$name.${page//[^135]/}" -o -path "$ROOT/filters/${name#tl-}.${page//[^135]/}"
        assert [ -n "$output" ]
    done
}

@test "the demo works without a terminal, leaves nothing running and cleans up" {
    mark demo
    export TMPDIR=$BATS_TEST_TMPDIR
    run -0 "$ROOT/scripts/demo" --clean </dev/null
    assert_line --regexp '^demo: ([0-9]+) of \1 files, [0-9]+ MB, in [0-9.]+ seconds$'
    ((${#lines[@]} < 100)) || fail "${#lines[@]} lines"
    assert_line --regexp '^  failed +0 files'
    assert_line '  generated-100MB.log'
    no_processes_left
    run -0 find "$BATS_TEST_TMPDIR" -name 'tagline-demo*'
    assert_output ''
}

@test "the demo says what it cannot do" {
    run -64 "$ROOT/scripts/demo" --nonsense
    assert_equal "${#lines[@]}" 1
    TL_BIN=$BATS_TEST_TMPDIR run -69 "$ROOT/scripts/demo"
    assert_output "demo: $BATS_TEST_TMPDIR/tl-supervisor: not there; run make first"
}
