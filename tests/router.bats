# SPDX-License-Identifier: MIT
# tl-router as it is used: the flow language, running by hand, order, the worker's conversation.
# What happens when filters, flows or disks misbehave is in router-faults.bats.

bats_require_minimum_version 1.5.0
load helper

setup() {
    cd "$BATS_TEST_TMPDIR" || exit
    mark router
}

teardown() {
    kill_marked
}

# wrong MESSAGE: the flow on standard input is refused, with this among what is said.
wrong() {
    flow wrong.flow
    run --separate-stderr tl-router --check wrong.flow
    assert_failure 78
    refute_output
    local line
    for line in "${stderr_lines[@]}"; do
        [[ $line =~ ^wrong\.flow(:[0-9]+)?:\ . ]] || fail "not FILE:LINE: what: $line"
    done
    [[ $stderr == *"$1"* ]] || fail "wanted: $1; got: $stderr"
}

# ---- the flow file ----

@test "router: every error of a flow is reported, with its line" {
    flow bad.flow <<'END'
start -> nowhere : tl-upper
start -> end : tl-upper

1tag -> end : tl-upper
a [fast] -> end : tl-upper
b -> : tl-upper
set speed 9
c -> end :
what is this
END
    run --separate-stderr tl-router --check bad.flow
    assert_failure 78
    refute_output
    local line
    for line in 1 2 4 5 6 7 8 9; do
        [[ $stderr == *"bad.flow:$line: "* ]] || fail "line $line is not reported: $stderr"
    done
    [[ $stderr != *"bad.flow:3: "* ]]
}

@test "router: a flow that is wrong is refused before anything runs" {
    flow bad.flow <<<'start -> nowhere : sh -c "touch ran; cat"'
    run --separate-stderr tl-router bad.flow <<<hi
    assert_failure 78
    assert_equal "$stderr" "$(tl-router --check bad.flow 2>&1)"
    [ ! -e ran ]
}

@test "router: unknown commands" {
    wrong 'tl-nonesuch: no such command' <<<'start -> end : tl-nonesuch x'
    wrong './nonesuch' <<<'start -> end | ./nonesuch'
    printf 'not executable' >plain
    wrong './plain' <<<'start -> end : ./plain'
}

@test "router: tags that nobody serves, and those that nothing reaches" {
    wrong 'wrong.flow:1: nobody serves b' <<<'start -> end b : tl-copy -k b'
    wrong 'wrong.flow:2: island is never reached' <<'END'
start -> end : tl-upper
island -> end : tl-upper
END
    wrong 'wrong.flow:2: side is never reached' <<'END'
start -> end : tl-upper
side => %f.side
END
}

@test "router: duplicates" {
    wrong 'wrong.flow:2: start stands in line 1 already' <<'END'
start -> end : tl-upper
start -> end : tl-lower
END
    wrong 'wrong.flow:3: a stands in line 2 already' <<'END'
start -> a : tl-upper
a => x
a -> start : tl-lower
END
    wrong 'wrong.flow:3: x is written by a in line 2 already' <<'END'
start -> a b : tl-copy -k b
a => x
b => x
END
    wrong 'b stands twice' <<'END'
start -> b b : tl-upper
b => x
END
}

@test "router: no start, and no way to a sink" {
    wrong 'start is missing' <<<'a -> end : tl-upper'
    wrong 'start is missing' <<<''
    wrong 'wrong.flow:2: there is no way from a to a sink' <<'END'
start -> end a : tl-match a=x
a -> b : tl-upper
b -> a : tl-upper
END
}

@test "router: a long way to a sink is a way, in whatever order it is written" {
    flow long.flow <<'END'
d -> e : tl-upper
b -> c : tl-upper
e -> end : tl-upper
start -> a : tl-upper
c -> d : tl-upper
a -> b : tl-upper
END
    run tl-router --check long.flow
    assert_success
}

@test "router: attributes, settings and sinks that make no sense" {
    wrong 'no such attribute' <<<'start [quick] -> end : tl-upper'
    wrong 'timeout=soon' <<<'start [timeout=soon] -> end : tl-upper'
    wrong 'ok=256' <<<'start [ok=256] -> end | grep x'
    wrong '[ is never closed' <<<'start [map -> end : tl-upper'
    wrong 'set max-line' <<<$'set max-line lots\nstart -> end : tl-upper'
    wrong 'max-rounds' <<<$'set max-rounds 0\nstart -> end : tl-upper'
    wrong 'set order' <<<$'set order random\nstart -> end : tl-upper'
    wrong 'set NAME VALUE' <<<$'set epoch\nstart -> end : tl-upper'
    wrong 'is not a file name' <<<$'start -> x : tl-upper\nx => ../escape'
    wrong 'is not a file name' <<<$'start -> x : tl-upper\nx => ..'
    wrong 'after %' <<<$'start -> x : tl-upper\nx => %d'
    wrong 'has no command' <<<'start -> end :'
    wrong 'goes to end alone' <<<$'start -> end b | cat\nb => b'
    wrong 'write it first' <<<'start -> end start : tl-upper'
    wrong 'is not for shells' <<<'start -> end : tl-upper | tl-lower'
    wrong 'is never closed' <<<"start -> end : tl-prefix 'abc"
    wrong 'is not a tag' <<<'start -> 9 : tl-upper'
    wrong 'is not a tag' <<<"start -> $(printf 'x%.0s' {1..64}) : tl-upper"
    wrong 'NUL' < <(printf 'start -> end : tl-upper\n\0')
}

@test "router: a whole-file command in a cycle is refused, one run for each epoch is not" {
    wrong 'is in a cycle' <<'END'
start -> a : tl-upper
a -> b end : tl-match end=^$
b -> a | cut -b 2-
END
    flow good.flow <<'END'
start -> a : tl-upper
a -> b end : tl-match end=^$
b [map] -> a | cut -b 2-
END
    run tl-router good.flow <<<abc
    assert_success
    assert_output ''
    run tl-router --check good.flow
    assert_success
}

@test "router: a flow file that is not there, is a folder, or may be anything at all" {
    run --separate-stderr tl-router nonesuch.flow
    assert_failure 66
    assert_one_line
    run --separate-stderr tl-router /
    assert_failure 66
    assert_one_line
    head -c 5000 /dev/urandom | tr -d '\0' >random.flow
    run --separate-stderr tl-router --check random.flow
    assert_failure 78
}

@test "router: words are quoted as in sh, and nothing is expanded" {
    flow words.flow <<'END'
# a comment
start -> end : echo 'single $HOME' "double \" \\ 'q' $x" back\ slash mixed'a'"b"c '' # not this
END
    run jq -r '.nodes[0].command[]' < <(tl-router --json words.flow)
    assert_line --index 0 'echo'
    assert_line --index 1 'single $HOME'
    assert_line --index 2 "double \" \\ 'q' \$x"
    assert_line --index 3 'back slash'
    assert_line --index 4 'mixedabc'
    assert_equal "$(tl-router --json words.flow | jq '.nodes[0].command | length')" 6
    flow more.flow <<'END'
start -> end : printf a#b '#c' \
    continued \
    *.flow ~ "-> : | [x]"
END
    run jq -c '.nodes[0].command' < <(tl-router --json more.flow)
    assert_output '["printf","a#b","#c","continued","*.flow","~","-> : | [x]"]'
}

@test "router: end need not be written, and may be" {
    flow a.flow <<<'start -> end : tl-upper'
    flow b.flow <<<$'start -> end : tl-upper\nend => %f'
    mkdir a b
    echo x >in
    tl-router -o a a.flow in
    tl-router -o b b.flow in
    diff -r a b
    assert_file_is a/in X
}

# ---- --check, --graph, --json ----

@test "router: --check says that a flow is good, and its order" {
    flow triage.flow <<'END'
start   -> general error warn : tl-match -i error=^error warn=^warn
error   -> general            : tl-prefix 'ERROR DETECTED: '
warn    -> end                : tl-prefix 'WARNING COUNTED: '
general -> end                : tl-snake
END
    run --separate-stderr tl-router --check triage.flow
    assert_success
    assert_line --index 0 'triage.flow: good: 4 nodes, 1 sink'
    assert_line 'order: line'
    assert_equal "$stderr" ''
}

@test "router: --check names where only order epoch can be promised, and why" {
    flow mute.flow <<'END'
start -> a b : tl-match b=x
a -> end : cat
b -> end : tl-upper
END
    run tl-router --check mute.flow
    assert_success
    refute_line 'order: line'
    assert_line --regexp '^order of end: epoch, because a \(line 2\) '
    sed -i 's/^a ->/a [map] ->/' mute.flow
    run tl-router --check mute.flow
    assert_line 'order: line'
}

@test "router: --check names cycles and what bounds them" {
    flow cycle.flow <<'END'
set max-rounds 77
start -> end strip : tl-match 'strip=^".*"$'
strip -> start : tl-replace '^"(.*)"$' '$1'
END
    run tl-router --check cycle.flow
    assert_success
    assert_line --regexp '^cycle: start strip.*max-rounds 77'
}

@test "router: set order line refuses what cannot be proved; set order epoch proves nothing" {
    flow strict.flow <<'END'
set order line
start -> a b : tl-match b=x
a -> end : cat
b -> end : tl-upper
END
    run --separate-stderr tl-router --check strict.flow
    assert_failure 78
    [[ $stderr == strict.flow:*end* ]]
    run --separate-stderr tl-router strict.flow <<<hi
    assert_failure 78
    refute_output
    sed -i 's/line/epoch/; s/cat/tl-lower/' strict.flow
    run tl-router --check strict.flow
    assert_success
    assert_line --partial 'order of end: epoch'
}

@test "router: --graph prints DOT with every node, arrow and sink" {
    flow g.flow <<'END'
start -> end side : tl-match 'side="'
side => %f.side
END
    run tl-router --graph g.flow
    assert_success
    assert_line --index 0 --regexp '^digraph .*\{$'
    assert_line --regexp '"start" -> "end"'
    assert_line --regexp '"start" -> "side"'
    assert_output --partial '%f.side'
    assert_output --partial 'side=\"'
    assert_equal "${lines[-1]}" '}'
}

@test "router: --json is one object that jq reads" {
    flow j.flow <<'END'
set epoch 64K
set max-rounds 5
start [stateless timeout=30s] -> a : cat
a [ok=0,1] -> lost | grep 'x"y'
lost => null
END
    tl-router --json j.flow >j.json
    run jq -c '[.set.epoch, .set["max-rounds"], .nodes[0].tag, .nodes[0].stateless,
        .nodes[1].command[1], .nodes[1].ok, .sinks]' j.json
    assert_success
    assert_output '[65536,5,"start",true,"x\"y",[0,1],[{"tag":"lost","line":5,"file":null}]]'
    [ "$(wc -l <j.json)" -eq 1 ]
}

# ---- running by hand ----

@test "router: usage" {
    run --separate-stderr tl-router
    assert_failure 64
    assert_one_line
    run --separate-stderr tl-router --nonsense x.flow
    assert_failure 64
    assert_one_line
    run --separate-stderr tl-router -o
    assert_failure 64
    assert_one_line
    run --separate-stderr tl-router --check --summary x.flow
    assert_failure 64
    assert_one_line
    run tl-router -h
    assert_success
    assert_line --index 0 --partial 'usage: tl-router'
    run tl-router --version
    assert_success
    assert_output --regexp '^tl-router [0-9]+\.[0-9]+\.[0-9]+$'
}

@test "router: standard input and several files, each a job of its own, in their order" {
    flow n.flow <<<'start -> end : tl-count'
    printf 'a\nb\n' >one
    printf 'c' >two
    : >none
    run tl-router n.flow one none two - < <(printf '\n\n\n')
    assert_success
    assert_output $'start\t2\nstart\t1\nstart\t3'
    run tl-router n.flow <one
    assert_output $'start\t2'
}

@test "router: empty lines, NUL, CR, bad UTF-8, control and tagged lines as text, no last newline" {
    flow id.flow <<<'start -> end : tl-copy end'
    printf '\n\0\n\r\n\xff\xfe\n!end 1\n!hello 1\n!fence 1\nend\tx\n\t\nlast' >in
    tl-router id.flow in >out
    { cat in && echo; } | cmp - out
    printf '' | tl-router id.flow >out
    [ ! -s out ]
    printf '\n' | tl-router id.flow >out
    printf '\n' | cmp - out
}

@test "router: 20 MB of random bytes pass unharmed" {
    flow id.flow <<'END'
start -> mid : tl-copy mid
mid -> last | cat
last -> end : tl-copy end
END
    { head -c 20000000 /dev/urandom && echo; } >in
    tl-router id.flow in >out
    cmp in out
}

@test "router: lines of one byte, and one of 60 MB" {
    flow up.flow <<<'start -> end : tl-upper'
    yes a | head -n 300000 | tl-router up.flow | sort | uniq -c >out
    assert_equal "$(cat out)" ' 300000 A'
    { head -c 60000000 /dev/zero | tr '\0' x && printf '\nnext\n'; } >in
    tl-router up.flow in >out
    tr a-z A-Z <in | cmp - out
}

@test "router: -o writes one file a sink, %f for the name, also where nothing arrived" {
    flow s.flow <<'END'
start -> end odd even gone : tl-match odd=[13579]$ even=[02468]$ gone=^gone
odd => %f.odd
even => 100%%.%f
gone => null
END
    mkdir out
    printf '1\n2\nx\ngone\n3\n' >'in put'
    : >empty
    run --separate-stderr tl-router -o out s.flow 'in put' empty
    assert_success
    refute_output
    assert_equal "$stderr" ''
    assert_file_is 'out/in put' x
    assert_file_is 'out/in put.odd' $'1\n3'
    assert_file_is 'out/100%.in put' 2
    assert_equal "$(find out -type f -size 0 | sort | tr '\n' ' ')" 'out/100%.empty out/empty out/empty.odd '
    assert_equal "$(find out -type f | wc -l)" 6
}

@test "router: with -o nothing can be seen before the end, and then all of it" {
    flow s.flow <<'END'
start -> end : tl-upper
END
    mkdir out
    mkfifo in
    tl-router -o out s.flow in &
    exec 7>in
    echo one >&7
    sleep_until_read
    assert_equal "$(find out -type f ! -name '.*')" ''
    echo two >&7
    exec 7>&-
    wait $!
    assert_file_is out/in $'ONE\nTWO'
    assert_equal "$(find out -mindepth 1)" out/in
}

# The router has taken everything that was written to descriptor 7.
sleep_until_read() {
    wait_until 10 python3 -c 'import fcntl, sys, termios, array
n = array.array("i", [0]); fcntl.ioctl(7, termios.FIONREAD, n); sys.exit(n[0] != 0)'
}

@test "router: -o replaces results that were there, and leaves them if the job fails" {
    flow s.flow <<<"start -> end | sh -c 'cat; exit \$(cat status)'"
    mkdir out
    echo old >out/in
    echo new >in
    echo 1 >status
    run tl-router -o out s.flow in
    assert_failure 65
    assert_file_is out/in old
    assert_equal "$(find out -mindepth 1)" out/in
    echo 0 >status
    run tl-router -o out s.flow in
    assert_success
    assert_file_is out/in new
}

@test "router: a sink besides end needs -o or -t" {
    flow s.flow <<<$'start -> end side : tl-match side=x\nside => %f.side'
    run --separate-stderr tl-router s.flow <<<x
    assert_failure 64
    assert_one_line
    [[ $stderr == *side*-o* ]]
    run tl-router -t s.flow <<<$'start\tx\nstart\ty'
    assert_success
    assert_output $'side\tx\nend\ty'
}

@test "router: -t takes lines in at any tag" {
    flow s.flow <<<$'start -> mid : tl-prefix 1\nmid -> end : tl-prefix 2'
    run tl-router -t s.flow <<<$'start\ta\nmid\tb\nend\tc'
    assert_success
    assert_output $'end\t21a\nend\t2b\nend\tc'
    run --separate-stderr tl-router -t s.flow <<<$'other\ta'
    assert_failure 65
    assert_one_line
    run --separate-stderr tl-router -t s.flow <<<'no tag'
    assert_failure 65
    assert_one_line
}

@test "router: routers and filters compose in a pipeline" {
    flow one.flow <<<$'start -> end other : tl-match other=b\nother => x'
    flow two.flow <<'END'
start -> done other end : tl-match other=impossible end=impossible
end -> done : tl-upper
other => y
done => %f
END
    run bash -c 'printf "abc\nxyz\n" | tl-tag start | tl-router -t one.flow | tl-router -t two.flow | tl-suffix ! | tl-untag'
    assert_success
    assert_output $'abc!\nXYZ!'
}

@test "router: a router is a filter that another flow can use" {
    flow inner.flow <<<$'start -> mid : tl-upper\nmid -> end : tl-count -p'
    flow outer.flow <<<"start -> end mid : tl-router -t inner.flow
mid -> end : tl-prefix never"
    printf 'a\nb\n' >one
    printf 'c\n' >two
    run tl-router outer.flow one two
    assert_success
    assert_output $'A\nB\nmid\t2\nC\nmid\t1'
}

@test "router: what a flow's router answers as a filter keeps the one rule" {
    flow up.flow <<<'start -> end : tl-upper'
    run tl-router -t up.flow <<<$'!hello 1\nstart\ta\n!fence 1\n!fence 2\nstart\tb\n!unknown word\n!end 3\nstart\tc\n!end 4'
    assert_success
    assert_line --index 0 --regexp '^!hello 1( |$)'
    assert_line --index 1 $'end\tA'
    assert_line --index 2 --regexp '^!fence 1( |$)'
    assert_line --index 3 --regexp '^!fence 2( |$)'
    assert_line --index 4 $'end\tB'
    assert_line --index 5 '!unknown word'
    assert_line --index 6 --regexp '^!end 3( |$)'
    assert_line --index 7 $'end\tC'
    assert_line --index 8 --regexp '^!end 4( |$)'
}

@test "router: --summary prints one line of accounts that add up, for each file" {
    flow s.flow <<<$'start -> end lost : tl-match lost=x\nlost => null'
    printf 'a\nx\nbc\n' >in
    run --separate-stderr tl-router --summary s.flow in in
    assert_success
    assert_equal "${#stderr_lines[@]}" 2
    [[ $stderr =~ ^tl-router:\ in:\ .*3\ lines\ 7\ bytes.*start\ 3\ -\>\ 3.*end\ 2\ lines\ 5\ bytes ]]
    [[ $stderr =~ lost\ 1\ lines\ 2\ bytes ]]
}

@test "router: a line that trickles in comes out at once" {
    flow up.flow <<<$'start -> mid : tl-upper\nmid -> end : cat'
    mkfifo in
    tl-router up.flow <in >out &
    exec 7>in
    echo one >&7
    wait_until 10 grep -qx ONE out
    printf 'tw' >&7
    sleep_until_read
    assert_file_is out ONE
    echo o >&7
    wait_until 10 grep -qx TWO out
    exec 7>&-
    wait $!
    no_processes_left
}

# ---- what a flow means; the oracle has the general case ----

@test "router: the reference flow" {
    flow triage.flow <<'END'
start   -> general error warn : tl-match -i error=^error warn=^warn
error   -> general            : tl-prefix 'ERROR DETECTED: '
warn    -> end                : tl-prefix 'WARNING COUNTED: '
general -> end                : tl-snake
end     => %f
END
    run tl-router triage.flow <<<$'Error: Disk Full\nwarn: hot\n  Plain Line '
    assert_success
    assert_output $'error_detected:_error:_disk_full\nWARNING COUNTED: warn: hot\nplain_line'
}

@test "router: lines that parted meet again in their order" {
    flow meet.flow <<'END'
start -> short long : tl-match long=^x
long -> slow : tl-prefix l
slow -> end : sh -c 'unset TAGLINE_ENDS; dd bs=1 status=none | tl-split , | dd bs=1 status=none'
short -> end : tl-copy -k end
END
    run tl-router meet.flow <<<$'a\nx1,2\nb\nx3\nc'
    assert_success
    assert_output $'a\na\nlx1\n2\nb\nb\nlx3\nc\nc'
}

@test "router: end-of-file lines come last, node by node" {
    flow ends.flow <<'END'
start -> a b : tl-match b=b
b -> end : tl-uniq -c
a -> end : tl-count -p
END
    run tl-router ends.flow <<<$'b\na\nb\na'
    assert_success
    assert_output $'a\na\nb\t2\na\t2'
}

@test "router: a cycle unwraps layer by layer" {
    flow unwrap.flow <<'END'
start -> end strip : tl-match 'strip=^".*"$'
strip -> start : tl-replace '^"(.*)"$' '$1'
END
    run tl-router unwrap.flow <<<$'"""a"""\nb\n"c"\n""'
    assert_success
    assert_output $'a\nb\nc'
}

@test "router: any program is a node; ok= says which exit statuses are success" {
    flow any.flow <<'END'
start -> sorted | sort
sorted [ok=0,1] -> count | grep b
count -> end | wc -l
END
    run tl-router any.flow <<<$'bb\naa\nab'
    assert_success
    assert_output 2
    run tl-router any.flow <<<$'x'
    assert_success
    assert_output 0
    sed -i 's/ok=0,1/ok=0/' any.flow
    run --separate-stderr tl-router any.flow <<<$'x'
    assert_failure 65
    assert_one_line
    [[ $stderr == *sorted*"status 1"* ]]
}

@test "router: a command that stops reading early has done its work if it says so" {
    flow first.flow <<<'start -> end | head -n 2'
    run tl-router first.flow < <(seq 1000000)
    assert_success
    assert_output $'1\n2'
}

# same NAME=VALUE... -- FLOW IN: the same bytes as in the file want.
same() {
    local settings=()
    while [[ $1 != -- ]]; do
        settings+=("$1")
        shift
    done
    env "${settings[@]}" tl-router "$2" "$3" >got
    cmp want got
}

# A flow with every kind of meeting, and an input of some size for it.
meeting_flow() {
    flow "$1" <<END
set epoch $2
start -> a b c : $3 tl-match b=[0-3] c=[4-6]
a -> d end : $3 tl-copy -k end
b -> d : $3 tl-split 2
c [map] -> d | sed s/5/five/
d -> end e : tl-match e=^.7
e -> d : tl-replace 7 8
END
    [ -e in ] || seq 1 7 200000 | tail -n "${4:-5000}" >in
}

@test "router: the same bytes with pipes of 4 KiB and 1 MiB, epochs of one line and 1 MiB" {
    meeting_flow base.flow 256K
    tl-router --check base.flow | grep -qx 'order: line'
    tl-router base.flow in >want
    [ "$(wc -l <want)" -gt 5000 ]
    same TAGLINE_PIPE_SIZE=4096 -- base.flow in
    same TAGLINE_PIPE_SIZE=1048576 -- base.flow in
    meeting_flow line.flow 1
    same TAGLINE_PIPE_SIZE=4096 -- line.flow in
    meeting_flow big.flow 1M
    same TAGLINE_PIPE_SIZE=4096 -- big.flow in
    same TAGLINE_PIPE_SIZE=1048576 -- big.flow in
}

@test "router: the same bytes with filters that read and write one byte at a time" {
    meeting_flow base.flow 4K '' 600
    tl-router base.flow in >want
    printf '#!/bin/sh\nunset TAGLINE_ENDS\ndd bs=1 status=none | "$@" | dd bs=1 status=none\n' >bytewise
    chmod +x bytewise
    meeting_flow bytes.flow 4K ./bytewise
    same -- bytes.flow in
    same TAGLINE_SHARE=0 -- bytes.flow in
    same TAGLINE_SHARE=0 TAGLINE_PIPE_SIZE=4096 -- bytes.flow in
}

@test "router: the same bytes through pipes and shared memory, however small its pieces" {
    meeting_flow base.flow 256K '' 100000
    TAGLINE_SHARE=0 tl-router base.flow in >want
    for size in 16K 64K 1M 64M; do
        same TAGLINE_SHARE=$size -- base.flow in
    done
    meeting_flow small.flow 4K
    same TAGLINE_SHARE=16K -- small.flow in
    run env TAGLINE_SHARE=1 tl-router base.flow in
    assert_failure 64
    assert_output 'tl-router: TAGLINE_SHARE: "1" is neither 0 nor a size of 16K or more'
}

@test "router: what is over set memory goes into a file, and comes out the same" {
    meeting_flow base.flow 8M '' 500000
    seq 1 3 3000000 >in
    tl-router base.flow in >want
    { echo 'set memory 1'; cat base.flow; } >spill.flow
    needs_strace
    strace -f -o calls -e trace=openat tl-router spill.flow in >got
    cmp want got
    grep -q 'openat(.*O_TMPFILE' calls
}

@test "router: nothing but set memory keeps it below a limit that it meets without" {
    unchecked "a checker takes what memory it likes"
    flow held.flow <<<$'set memory 8M\nstart -> end | cat'
    seq 9000000 >in
    (ulimit -d 60000 && tl-router held.flow in >got)
    cmp in got
    flow held.flow <<<'start -> end | cat'
    run bash -c 'ulimit -d 60000 && tl-router held.flow in'
    assert_failure 75
}

@test "router: goes on when all that is in flight is answered at once" {
    flow copies.flow <<<$'set epoch 8M\nstart -> end other : tl-copy end other\nother => %f.other'
    seq 5000000 >in
    mkdir out
    timeout 60 tl-router -o out copies.flow in
    cmp in out/in
    cmp in out/in.other
}

@test "router: many sinks get their lines in blocks, however few come at a time" {
    gawk 'BEGIN {
        for (i = 0; i < 200; i++) tags = tags " t" i
        print "start ->" tags " : gawk \047BEGIN { FS = OFS = \"\\t\" } /^!/ { print; fflush(); next } { $1 = \"t\" $2 % 200; print }\047"
        for (i = 0; i < 200; i++) print "t" i " => t" i
    }' >wide.flow
    seq 100000 >in
    mkdir out
    needs_strace
    strace -f -o calls -e trace=writev tl-router -o out wide.flow in
    [ "$(cat out/t* | wc -l)" -eq 100000 ]
    diff out/t7 <(seq 7 200 100000)
    # 100,000 lines in some 700,000 bytes: no more than a few calls a file.
    [ "$(grep -c writev calls)" -lt 1000 ]
}

@test "router: a pipeline of filters inside a node is one, which does not tell" {
    flow inside.flow <<'END'
start -> end odd : tl-match odd=[13579]$
odd   -> end four : sh -c 'tl-split , | tl-prefix odd- | tl-match four=4'
four  => null
END
    run tl-router inside.flow <<<$'2\n1,4,3\n6'
    assert_success
    assert_output $'2\n6\nodd-1\nodd-3'
    run tl-router --check inside.flow
    assert_line --partial 'order of end: epoch, because odd'
}

@test "router: the same bytes when filters are stopped and continued at random" {
    seq 1 3 600000 >in
    meeting_flow base.flow 1K
    tl-router base.flow in >want
    RANDOM=4711
    tl-router base.flow in >got &
    local router=$! pid children stops=0
    while kill -0 $router 2>/dev/null; do
        children=$(cat "/proc/$router/task/$router/children" 2>/dev/null) || break
        for pid in $children; do
            ((RANDOM % 2)) || continue
            if kill -STOP "$pid" 2>/dev/null; then stops=$((stops + 1)); fi
        done
        for pid in $children; do
            kill -CONT "$pid" 2>/dev/null || continue
        done
    done
    wait $router
    echo "$stops stops"
    [ $stops -gt 0 ]
    cmp want got
}

# ---- the worker ----

# Start a worker with descriptors 8 (requests) and 9 (answers).
start_worker() {
    mkfifo requests answers
    tl-router --worker "$1" <requests >answers 2>errors &
    worker=$!
    exec 8>requests 9<answers
    IFS= read -r -t 20 ready <&9
}

# ask REQUEST: the answer goes into $answer.
ask() {
    printf '%s\n' "$1" >&8
    answered
}

answered() {
    IFS= read -r -t 20 answer <&9 || fail "no answer; $(cat errors)"
}

# is JQ-EXPRESSION VALUE: of the answer.
is() {
    assert_equal "$(jq -c "$1" <<<"$answer")" "$2"
}

end_worker() {
    exec 8>&-
    wait "$worker"
    exec 9<&-
    no_processes_left
}

@test "router: a conversation with a worker" {
    flow w.flow <<<$'start -> end odd : tl-match odd=[13579]$\nodd => %f.odd'
    mkdir out1 out2
    printf '1\n2\nx\n' >'in put'
    start_worker w.flow
    assert_equal "$(jq -c '[.ready, .nodes, .sinks]' <<<"$ready")" '[true,["start"],["odd","end"]]'
    ask 'job 17 in%20put out1 a%20%25b%0A'
    is '[.id, .status, .lines, .bytes]' '[17,0,3,6]'
    is '.sinks[] | select(.tag == "odd") | [.file, .lines, .bytes]' '["a%20%25b%0A.odd",1,2]'
    is '.nodes[0] | [.node, .lines_in, .lines_out, .bytes_in, .errors]' '["start",3,3,6,0]'
    assert_file_is "out1/a %b"$'\n.odd' 1
    assert_file_is "out1/a %b"$'\n' $'2\nx'
    ask 'job 18 in%20put out2 name'
    is '[.id, .status]' '[18,0]'
    assert_file_is out2/name.odd 1
    end_worker
    [ ! -s errors ]
}

@test "router: requests written ahead are answered in order" {
    flow w.flow <<<'start -> end : tl-count'
    local n
    start_worker w.flow
    for n in 1 2 3 4 5; do
        mkdir "out$n"
        seq $n >"in$n"
        printf 'job %d in%d out%d r\n' $n $n $n >&8
    done
    for n in 1 2 3 4 5; do
        answered
        is '[.id, .status, .lines]' "[$n,0,$n]"
        assert_file_is "out$n/r" $'start\t'$n
    done
    end_worker
}

@test "router: a job that fails is told, and the next one runs" {
    flow w.flow <<'END'
start -> end : sh -c 'while IFS= read -r l; do case $l in *bad*) echo "no good" >&2; exit 3;; esac; printf "%s\n" "$l"; done'
END
    mkdir out1 out2 out3 out4
    printf 'good\n' >good
    printf 'good\nbad\n' >bad
    start_worker w.flow
    ask 'job 1 bad out1 r'
    is '[.id, .node]' '[1,"start"]'
    is '.status != 0' true
    is '.stderr | contains("no good")' true
    assert_equal "$(find out1 -mindepth 1)" ''
    ask 'job 2 good out2 r'
    is '[.id, .status]' '[2,0]'
    assert_file_is out2/r good
    ask 'job 3 nonesuch out3 r'
    is '[.id, .status]' '[3,66]'
    ask 'job 4 good nonesuch r'
    is '.id' 4
    is '.status != 0' true
    ask 'job 5 good out4 r'
    is '[.id, .status]' '[5,0]'
    end_worker
}

@test "router: a worker says how a command ended, and which line was at fault" {
    flow w.flow <<'END'
set max-line 20
start -> mid end : tl-match mid=^x
mid -> end | sh -c 'read x; case $x in xkill) kill -KILL $$ ;; xexit) exit 9 ;; esac; cat'
END
    mkdir out
    printf 'good\nthis one is far too long\n' >long
    echo xkill >killer
    echo xexit >exits
    start_worker w.flow
    ask 'job 1 long out r'
    is '[.status, .line, .first_line, .last_line, .sample]' '[65,2,2,2,"this one is far too long"]'
    is '[.exit, .signal]' '[null,null]'
    ask 'job 2 killer out r'
    is '[.status, .exit, .signal, .node]' '[75,null,9,"mid"]'
    ask 'job 3 exits out r'
    is '[.status, .exit, .signal, .node, .sample]' '[65,9,null,"mid",""]'
    end_worker
}

@test "router: a worker quotes the last whole lines of standard error" {
    flow w.flow <<<$'start -> end | sh -c "seq 2000 >&2; exit 1"'
    mkdir out
    echo x >in
    start_worker w.flow
    ask 'job 1 in out r'
    is '.stderr | split("\n") | [(.[0] | tonumber > 1000), .[-2], .[-1]]' '[true,"2000",""]'
    is '.stderr | length | . > 900 and . <= 1024' true
    end_worker
}

@test "router: the way of a traced line" {
    flow w.flow <<<$'start -> a b : tl-match b=x\na -> end : tl-copy -k end\nb -> end : tl-upper'
    mkdir out
    printf 'hello\nx\n' >in
    start_worker w.flow
    ask 'job 1 in out r trace'
    is '.status' 0
    is '.trace.text' '"hello"'
    is '.trace.path' '[["input","start",1],["start","a",1],["a","end",2]]'
    assert_file_is out/r $'hello\nhello\nX'
    end_worker
}

@test "router: a request that makes no sense is answered with status 64" {
    flow w.flow <<<'start -> end : tl-upper'
    mkdir out
    echo a >in
    start_worker w.flow
    local request
    for request in 'jab 1 in out r' 'job x in out r' 'job 1 in out' 'job 1 in out r trick' \
        'job 1 in out a/b' 'job 1 in out %zz' ''; do
        ask "$request"
        is .status 64
        is '.error | length > 0' true
    done
    ask 'job 2 in out r'
    is '[.id, .status]' '[2,0]'
    end_worker
}

@test "router: copies of a stateless node give what one gives, and others are refused" {
    flow one.flow <<<$'start -> a end : tl-match a=[13579]$\na -> end : tl-prefix "odd "'
    flow copies.flow <<<$'start [jobs=3] -> a end : tl-match a=[13579]$\na [jobs=2] -> end : tl-prefix "odd "'
    seq 20000 >numbers
    tl-router one.flow numbers >expected
    tl-router copies.flow numbers | cmp - expected
    flow held.flow <<<'start [jobs=2] -> end : tl-count'
    run tl-router held.flow numbers
    assert_failure 78
    assert_output --partial "held.flow:1: start: jobs= is for commands that are stateless"
    flow mute.flow <<<$'start [stateless jobs=2] -> a end : cat\na -> end : cat'
    seq 20000 | tl-router mute.flow | cmp - numbers
}

@test "router: the transcripts of its manuals are true" {
    local page
    for page in router/tl-router.1 router/tl-flow.5 router/tagline-performance.7; do
        mkdir "$BATS_TEST_TMPDIR/$(basename "$page")"
        cd "$BATS_TEST_TMPDIR/$(basename "$page")"
        "$ROOT/tests/filters/transcript" "$ROOT/$page"
    done
}
