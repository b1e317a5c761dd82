#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2094 # what is read is compared, not written
# The filter library seen from outside, its manuals, and the templates.
load filters/common

# The library's user: built once, as an outsider would, with the library that is tested.
setup_file() {
    PROBE=$BATS_FILE_TMPDIR/probe
    SAN=
    if nm "$TL_BIN/libtagline.a" | grep -q __asan_; then
        SAN=-fsanitize=address,undefined
    fi
    # shellcheck disable=SC2086
    cc -std=c11 -Wall -Wextra -I"$ROOT/lib" $SAN -o "$PROBE" "$ROOT/tests/probe.c" "$TL_BIN/libtagline.a"
    export PROBE SAN
}

# A conversation with a program that stays alive: say puts a line in, hears waits for one.
converse() {
    mkfifo "$BATS_TEST_TMPDIR/to"
    "$@" <"$BATS_TEST_TMPDIR/to" >"$BATS_TEST_TMPDIR/from" 5>&- &
    CHILD=$!
    exec 5>"$BATS_TEST_TMPDIR/to"
}
# Leaks cannot be looked for in a traced program, if it was built to do that.
traced() { ASAN_OPTIONS=detect_leaks=0 strace "$@"; }
say() { printf %b "$1" >&5; }
hears() { wait_until 10 grep -qxF -- "$1" "$BATS_TEST_TMPDIR/from"; }
goodbye() {
    exec 5>&-
    wait "$CHILD"
}
teardown() {
    exec 5>&-
    if [ -n "${CHILD:-}" ] && kill -0 "$CHILD" 2>/dev/null; then
        kill -9 "$CHILD"
    fi
}

@test "a filter answers while its input stays open, file after file" {
    converse tl-count -t sum
    say '!hello 1\n'
    hears '!hello 1 card state share'
    say 'a\tx\na\ty\n!fence 1\n'
    hears '!fence 1 0*2'
    say '!end 2\n'
    hears '!end 2 1'
    say '!end 3\n'
    hears '!end 3 0'
    say 'a\tz\n!end 4\n'
    hears '!end 4 0,1'
    goodbye
    run cat "$BATS_TEST_TMPDIR/from"
    assert_output "$(printf '!hello 1 card state share\n!fence 1 0*2\nsum\ta\t2\n!end 2 1\n!end 3 0\nsum\ta\t1\n!end 4 0,1')"
}

@test "a line leaves at once when nothing more is there to read, also behind half a line" {
    converse tl-upper
    say 'a\tone\n'
    hears "$(printf 'a\tONE')"
    say 'a\ttwo\na\tth'
    hears "$(printf 'a\tTWO')"
    say 'ree\n'
    hears "$(printf 'a\tTHREE')"
    goodbye
}

@test "what can be read at once is written at once: one write for a thousand lines" {
    seq 1000 | tl-tag a >"$BATS_TEST_TMPDIR/in"
    traced -e trace=write,writev -o "$BATS_TEST_TMPDIR/calls" "$TL_BIN/tl-upper" \
        <"$BATS_TEST_TMPDIR/in" | cmp - "$BATS_TEST_TMPDIR/in"
    run grep -c '^writev\?(1, ' "$BATS_TEST_TMPDIR/calls"
    assert_output 1
}

@test "interrupted reads, writes and polls are done again" {
    printf 'a\tx\na\ty' >"$BATS_TEST_TMPDIR/in"
    for call in read write poll; do
        traced -P "$BATS_TEST_TMPDIR/in" -P "$BATS_TEST_TMPDIR/out" -o "$BATS_TEST_TMPDIR/calls" \
            -e trace=$call -e inject=$call:error=EINTR:when=1 \
            "$TL_BIN/tl-upper" <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out"
        printf 'a\tX\na\tY\n' | cmp - "$BATS_TEST_TMPDIR/out"
        grep -q 'EINTR.*INJECTED' "$BATS_TEST_TMPDIR/calls"
    done
}

@test "non-blocking ends and short writes: nothing is lost or doubled" {
    run python3 - "$TL_BIN/tl-upper" <<'PY'
import fcntl, os, subprocess, sys, threading
data = b"".join(b"a\t%d " % i + b"x" * (i % 700) + b"\n" for i in range(3000))
rin, win = os.pipe()
rout, wout = os.pipe()
fcntl.fcntl(wout, fcntl.F_SETPIPE_SZ, 4096)
os.set_blocking(rin, False)
os.set_blocking(wout, False)
child = subprocess.Popen([sys.argv[1]], stdin=rin, stdout=wout)
os.close(rin)
os.close(wout)
def feed():
    for i in range(0, len(data), 1777):
        os.write(win, data[i:i + 1777])
    os.close(win)
feeder = threading.Thread(target=feed)
feeder.start()
got = b""
while True:
    part = os.read(rout, 999)
    if not part:
        break
    got += part
feeder.join()
assert child.wait() == 0
assert got == data.replace(b"x", b"X")
PY
    assert_success
}

@test "byte by byte, with fences: the same answers" {
    talk='!hello 1\na\tx\na\ty\n!fence 1\n!fence 2\na\tz\n!end 3\n!end 4\na\t\x00\n!end 5\n'
    want='!hello 1 card stateless map share\na\tX\na\tY\n!fence 1 1*2\n!fence 2\na\tZ\n!end 3 1,0\n!end 4 0\na\t\x00\n!end 5 1,0\n'
    drip "$talk" tl-upper
    gives "$want"
    feed "$talk" tl-upper
    gives "$want"
}

@test "control lines: unknown ones come back byte by byte, the last may lack its newline" {
    feed '!\n!load \x00 x\n!hello 2\n!fenceless\n!endless\na\tx\n!end 1' tl-upper
    gives '!\n!load \x00 x\n!hello 2\n!fenceless\n!endless\na\tX\n!end 1\n'
    long=$(printf '1%.0s' {1..5000})
    feed "!hello 1\n!fence $long\n!end $long\n" tl-count
    gives "!hello 1 card state share\n!fence $long\n!end $long\n"
}

@test "lines before the first, between and after: counted where they came out" {
    feed '!hello 1\na\tx\na\ty\n!fence 1\na\tz\n!end 2\n' "$PROBE" frame
    gives '!hello 1 card share\nhead\t\na\tx\na\ty\n!fence 1 2,1\na\tz\nfoot\t\n!end 2 1,1\n'
}

@test "an epoch without lines before the first line of a file is answered before anything is written" {
    feed '!hello 1\n!fence 1\n!fence 2\na\tx\n!end 3\n' "$PROBE" frame
    gives '!hello 1 card share\n!fence 1\n!fence 2\nhead\t\na\tx\nfoot\t\n!end 3 2,1\n'
}

@test "an empty file is a file; no file at all is none; in a pipeline empty input is one" {
    feed '!hello 1\n!end 1\n!end 2\n' "$PROBE" frame
    gives '!hello 1 card share\nhead\t\nfoot\t\n!end 1 2\nhead\t\nfoot\t\n!end 2 2\n'
    feed '!hello 1\n' "$PROBE" frame
    gives '!hello 1 card share\n'
    feed '' "$PROBE" frame
    gives 'head\t\nfoot\t\n'
}

@test "a filter that stops reading: the rest of the file is answered, the next file is whole" {
    feed '!hello 1\na\tstop\na\tx\n!fence 1\na\ty\n!end 2\na\tz\n!end 3\n' "$PROBE" frame
    gives '!hello 1 card share\nhead\t\na\tstop\nfoot\t\n!fence 1 3,0\n!end 2 0,0\nhead\t\na\tz\nfoot\t\n!end 3 2,1\n'
    feed '!hello 1\na\tx\n!fence 1\na\ty\n!end 2\n!end 3\n' "$PROBE" skip
    gives '!hello 1 card share\nfile\t\n!fence 1 1\n!end 2 0,0\nfile\t\n!end 3 1\n'
    feed 'a\tstop\na\tx\n' "$PROBE" frame
    gives 'head\t\na\tstop\nfoot\t\n'
}

# continues FIRST SECOND COMMAND...: a filter that gets FIRST and is saved, and another that loads
# this and gets SECOND, give what one gives that gets both.
continues() {
    first=$1 second=$2
    shift 2
    feed "!hello 1\n$first!fence 1\n$second!end 2\na\tnext\n!end 3\n" "$@"
    grep -av '^!' "$BATS_TEST_TMPDIR/out" >"$BATS_TEST_TMPDIR/want" || :
    feed "!hello 1\n$first!fence 1\n!save 2\n" "$@"
    grep -aqx '!save 2' "$BATS_TEST_TMPDIR/out"
    sed -n 's/^!state /!load /p' "$BATS_TEST_TMPDIR/out" >"$BATS_TEST_TMPDIR/loads"
    # What was before the save came out before it; what the end of input brought belongs to nobody.
    sed '/^!save/,$d' "$BATS_TEST_TMPDIR/out" | grep -av '^!' >"$BATS_TEST_TMPDIR/got" || :
    # Saved again at once, before any line: it is the same state.
    { printf '!hello 1\n' && cat "$BATS_TEST_TMPDIR/loads" && printf '!save 1\n'; } |
        "$@" | sed -n 's/^!state /!load /p' >"$BATS_TEST_TMPDIR/again"
    cmp "$BATS_TEST_TMPDIR/loads" "$BATS_TEST_TMPDIR/again"
    { printf '!hello 1\n' && cat "$BATS_TEST_TMPDIR/loads" &&
        printf %b "$second!end 2\na\tnext\n!end 3\n"; } | "$@" >"$BATS_TEST_TMPDIR/rest"
    grep -a '^!load' "$BATS_TEST_TMPDIR/rest" | cmp - "$BATS_TEST_TMPDIR/loads"
    grep -av '^!' "$BATS_TEST_TMPDIR/rest" >>"$BATS_TEST_TMPDIR/got" || :
    cmp "$BATS_TEST_TMPDIR/want" "$BATS_TEST_TMPDIR/got"
}

@test "state: each filter that keeps one goes on from where another was saved" {
    some='a\tx\na\tx\na\ty\nb\tx\n'
    odd='a\t\\n\\\na\t\x00\x80\x5c\x5cn\na\t\n'
    for filter in 'tl-count' 'tl-count -p -k (.*)' 'tl-uniq' 'tl-uniq -c' 'tl-uniq -a' \
        'tl-uniq -ac' 'tl-join' 'tl-join -n 3' 'tl-join -b x' 'tl-head -n 2' 'tl-head -n 6' \
        'tl-head -n 0' 'tl-sample -n 3'; do
        # shellcheck disable=SC2086 # words
        continues "$some$odd" "$odd$some$some" $filter
        # shellcheck disable=SC2086 # words
        continues "" "$some" $filter
        # shellcheck disable=SC2086 # words
        continues "$some" "" $filter
    done
}

@test "state: a record of many megabytes travels in parts" {
    { printf '!hello 1\na\t' && head -c 20000000 /dev/zero | tr '\0' '\\' && printf '\n!save 1\n'; } |
        tl-uniq -a >"$BATS_TEST_TMPDIR/saved"
    sed -n 's/^!state /!load /p' "$BATS_TEST_TMPDIR/saved" >"$BATS_TEST_TMPDIR/loads"
    run awk 'length > 70000' "$BATS_TEST_TMPDIR/loads"
    assert_success
    assert_output ''
    { printf '!hello 1\n' && cat "$BATS_TEST_TMPDIR/loads" && printf '!save 1\n'; } | tl-uniq -a |
        sed -n 's/^!state /!load /p' | cmp - "$BATS_TEST_TMPDIR/loads"
}

@test "state: what is none is refused in one line; a filter without any only answers" {
    for load in 'x' '' '.x' '.\\x' '.' '#1\n!load .\t' ".3\tx" ".3\t$(printf 'a%.0s' {1..64})\tx"; do
        for filter in tl-count tl-head tl-uniq tl-join 'tl-sample -n 2'; do
            # shellcheck disable=SC2086 # words
            feed "!hello 1\n!load $load\n" $filter
            fails 65 'state'
        done
    done
    feed '!hello 1\n!save 7\n!load .x\na\tx\n!end 1\n' tl-upper
    gives '!hello 1 card stateless map share\n!save 7\n!load .x\na\tX\n!end 1 1,0\n'
    feed '!hello 1\n!save 7\n!load .x\na\tx\n!end 1\n' "$PROBE" frame
    gives '!hello 1 card share\n!save 7\n!load .x\nhead\t\na\tx\nfoot\t\n!end 1 2,1\n'
}

@test "state: line numbers go on" {
    feed '!hello 1\n!load #41\n!load .1\nno tag\n' tl-head
    fails 65 'line 42: does not begin'
}

@test "input that ends without its end: what is held comes out, nobody is answered" {
    feed '!hello 1\na\tx\n!fence 1\na\ty' "$PROBE" frame
    gives '!hello 1 card share\nhead\t\na\tx\n!fence 1 2\na\ty\nfoot\t\n'
}

@test "line numbers begin anew with each file" {
    feed '!hello 1\na\tx\na\ty\n!end 1\nbad\n' tl-upper
    fails 65 'line 1: '
    feed '!hello 1\na\tx\na\ty\n!end 1\na\tz\nbad\n' tl-count
    fails 65 'line 2: '
}

@test "what stood before a bad line is written, whatever the blocks" {
    feed 'a\tx\na\ty\nbad\n' tl-upper
    fails 65 'line 3: does not begin with a tag and a tab'
    wrote 'a\tX\na\tY\n'
    drip 'a\tx\na\ty\nbad\n' tl-upper
    fails 65 'line 3: does not begin with a tag and a tab'
    wrote 'a\tX\na\tY\n'
}

@test "tags: what is one and what is none" {
    feed 'A_z.9-\tx\n_\tx\n' tl-upper
    gives 'A_z.9-\tX\n_\tX\n'
    for tag in '' 9a -a .a 'a b' 'a\x00' '\xc3\xa9' "$(printf 'x%.0s' {1..64})"; do
        feed "$tag\tx\n" tl-upper
        fails 65 'line 1: does not begin with a tag and a tab'
    done
}

@test "a line exactly at the limit passes, one byte more does not" {
    tag=$(printf 't%.0s' {1..63})
    feed "$tag\t1234567\n" env TAGLINE_MAX_LINE=7 tl-upper
    gives "$tag\t1234567\n"
    feed "a\t12345678" env TAGLINE_MAX_LINE=7 tl-upper
    fails 65 'line 1: is longer than 7 bytes'
}

@test "a line without an end is refused before memory fills" {
    run bash -c '{ printf "a\t"; tr "\0" x </dev/zero; } | TAGLINE_MAX_LINE=1M tl-upper'
    assert_failure 65
    assert_output 'tl-upper: line 1: is longer than 1048576 bytes'
}

@test "a line of 20 MB passes" {
    { printf 'a\t'; head -c 20000000 /dev/zero | tr '\0' x; echo; } >"$BATS_TEST_TMPDIR/long"
    tl-lower <"$BATS_TEST_TMPDIR/long" | cmp - "$BATS_TEST_TMPDIR/long"
}

@test "faults of a filter: a newline in a text, a bad tag" {
    feed '!hello 1\na\tx\n' "$PROBE" newline
    fails 70 'line 1: a newline inside what was written'
    wrote '!hello 1 card share\n'
    feed 'a\tx\n' "$PROBE" tag
    fails 70 'line 1: "not a tag" is not a tag'
}

@test "faults of a filter: begin and end out of order abort it" {
    for fault in begin end room open; do
        feed 'a\tx\na\ty\n' "$PROBE" $fault
        assert_equal "$status" 134
    done
}

@test "a full disk, a closed output, a reader that has gone" {
    printf 'a\tx\n' >"$BATS_TEST_TMPDIR/in"
    run bash -c 'tl-upper <"$1" >/dev/full' - "$BATS_TEST_TMPDIR/in"
    assert_failure 74
    assert_output 'tl-upper: standard output: No space left on device'
    run bash -c 'tl-upper <"$1" >&-' - "$BATS_TEST_TMPDIR/in"
    assert_failure 74
    assert_output 'tl-upper: standard output: Bad file descriptor'
    run bash -c 'trap "" PIPE; yes "$(printf "a\tx")" 2>/dev/null | { tl-upper; echo $? >"$1"; } | head -n 1' \
        - "$BATS_TEST_TMPDIR/status"
    assert_output "$(printf 'a\tX')"
    assert_equal "$(cat "$BATS_TEST_TMPDIR/status")" 74
}

@test "an input that cannot be read" {
    run bash -c 'tl-upper </'
    assert_failure 74
    assert_output 'tl-upper: standard input: Is a directory'
    run bash -c 'tl-upper <&-'
    assert_failure 74
    assert_output 'tl-upper: standard input: Bad file descriptor'
}

@test "an error that only close reports" {
    out=$BATS_TEST_TMPDIR/out
    feed '' traced -P "$out" -o /dev/null -e trace=close -e inject=close:error=ENOSPC \
        sh -c 'exec tl-upper >"$1"' - "$out"
    fails 74 'tl-upper: standard output: No space left on device'
}

@test "help that does not arrive" {
    run bash -c 'tl-upper -h >/dev/full'
    assert_failure 74
    assert_output 'tl-upper: standard output: No space left on device'
}

@test "a filter that cannot tell what its ends are says so, and does not guess" {
    run bash -c "printf '!hello 1\\n' | TAGLINE_ENDS=1:2 tl-upper >&-"
    assert_failure 71
    assert_output 'tl-upper: standard input or output: Bad file descriptor'
}

@test "no memory, and no randomness" {
    unchecked "a checker takes what memory it likes"
    run bash -c '{ printf "a\t"; head -c 40000000 /dev/zero; echo; } | prlimit --as=30000000 tl-lower'
    assert_failure 75
    assert_output 'tl-lower: memory: Cannot allocate memory'
    feed 'a\tx\n' traced -o /dev/null -e trace=getrandom -e inject=getrandom:error=ENOSYS tl-uniq -a
    fails 71 'tl-uniq: getrandom: Function not implemented'
}

@test "messages are one line, whatever they speak of" {
    feed '' tl-tag $'two\nlines\e[31m'
    fails 64 'tl-tag: two?lines?[31m: is not a tag'
}

@test "templates: awk, live, any byte, byte by byte" {
    feed '!hello 1\na\tx\ty\na\t\n!fence 1\nb\tz\n!end 2\n' "$ROOT/scripts/templates/filter.awk"
    gives '!hello 1\na\tX\tY\na\t\n!fence 1\nb\tZ\n!end 2\n'
    drip '!hello 1\na\t\x00x\xff\r\n!end 2\n' "$ROOT/scripts/templates/filter.awk"
    gives '!hello 1\na\t\x00X\xff\r\n!end 2\n'
    converse "$ROOT/scripts/templates/filter.awk"
    say '!hello 1\n'
    hears '!hello 1'
    say 'a\tx\n!fence 1\n'
    hears '!fence 1'
    say '!end 2\n'
    hears '!end 2'
    goodbye
    run cat "$BATS_TEST_TMPDIR/from"
    assert_output "$(printf '!hello 1\na\tX\n!fence 1\n!end 2')"
}

@test "templates: python, live, any byte, state that belongs to the file" {
    feed '!hello 1\na\tx\ty\na\t\x00\xff\r\n!end 1\nb\tz' "$ROOT/scripts/templates/filter.py"
    gives '!hello 1\na\t1: x\ty\na\t2: \x00\xff\r\n!end 1\nb\t1: z\n'
    converse "$ROOT/scripts/templates/filter.py"
    say '!hello 1\n'
    hears '!hello 1'
    say 'a\tx\n!fence 1\n'
    hears '!fence 1'
    say 'a\ty\n!end 2\n'
    hears '!end 2'
    goodbye
    run cat "$BATS_TEST_TMPDIR/from"
    assert_output "$(printf '!hello 1\na\t1: x\n!fence 1\na\t2: y\n!end 2')"
}

@test "manuals: every transcript of the filters' pages is true" {
    cd "$BATS_TEST_TMPDIR"
    for page in "$ROOT"/filters/*.1; do
        "$ROOT/tests/filters/transcript" "$page"
    done
}

@test "manuals: the transcripts of tagline(5) are true" {
    cd "$BATS_TEST_TMPDIR"
    "$ROOT/tests/filters/transcript" "$ROOT/lib/tagline.5"
}

@test "manuals: the program of tagline(3) builds through pkg-config and does what it says" {
    cd "$BATS_TEST_TMPDIR"
    mkdir -p root/lib root/include
    ln -s "$TL_BIN/libtagline.a" root/lib/
    ln -s "$ROOT/lib/tagline.h" root/include/
    sed "s|@PREFIX@|$PWD/root|; s|@VERSION@|1|; s|^Libs:.*|& $SAN|" "$ROOT/lib/tagline.pc.in" >tagline.pc
    PKG_CONFIG_PATH=$PWD "$ROOT/tests/filters/transcript" "$ROOT/lib/tagline.3"
}

@test "manuals: a transcript that is not true is found" {
    cd "$BATS_TEST_TMPDIR"
    printf '.Bd -literal\n$ echo one\ntwo\n.Ed\n' >page
    run "$ROOT/tests/filters/transcript" page
    assert_failure 1
    printf 'no transcript\n' >page
    run "$ROOT/tests/filters/transcript" page
    assert_failure 2
}

@test "manuals: mandoc finds nothing to warn of" {
    run mandoc -Tlint -W warning "$ROOT"/filters/*.1 "$ROOT"/lib/*.3 "$ROOT"/lib/tagline.5
    refute_output --regexp '(WARNING|ERROR|UNSUPP)'
}

@test "manuals: each filter has a page with the options of its code, in the usage too" {
    for source in "$ROOT"/filters/*.c; do
        name=$(basename "$source" .c)
        code=$(sed -n 's/.*tl_getopt(argc, argv, "\([^"]*\)".*/\1/p' "$source" | tr -d : | fold -w 1 | sort)
        manual=$(sed -n 's/^\.It Fl \([a-gi-z]\)\( Ar .*\)*$/\1/p' "$ROOT/filters/$name.1" | sort)
        assert_equal "$name: $manual" "$name: $code"
        for letter in $code; do
            run "tl-$name" -h
            assert_output --regexp "[[-]$letter|-[a-z]+$letter"
        done
    done
}

@test "manuals: tagline(3) names every function of the header and no other" {
    header=$(grep -o '\<tl_[a-z_]*(' "$ROOT/lib/tagline.h" | tr -d '(' | sort -u)
    page=$(sed -n "s/^\\.F[no] \\(tl_[a-z_]*\\).*/\\1/p" "$ROOT/lib/tagline.3" | sort -u)
    assert_equal "$page" "$header"
    page=$(sed -n '/^\.Sh NAME/,/^\.Nd/s/^\.Nm \(tl_[a-z_]*\).*/\1/p' "$ROOT/lib/tagline.3" | sort -u)
    assert_equal "$page" "$header"
}
