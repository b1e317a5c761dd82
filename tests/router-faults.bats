# SPDX-License-Identifier: MIT
# What tl-router does when filters, commands, flows, readers or disks misbehave: one clear line, the
# right exit status, nothing half written, no process left.

bats_require_minimum_version 1.5.0
load helper

setup() {
    cd "$BATS_TEST_TMPDIR" || exit
    mark faults
    printf 'one\ntwo\nthree\n' >in
}

teardown() {
    kill_marked
    small_disk_gone "$BATS_TEST_TMPDIR/disk"
}

# filter NAME: an executable from standard input: the case branches of a loop over lines. Lines for
# which there is none are printed back, so it obeys the protocol but for what the branches do.
filter() {
    {
        printf '#!/bin/bash\nwhile IFS= read -r line; do\ncase $line in\n'
        cat
        printf '*) printf "%%s\\n" "$line" ;;\nesac\ndone\n'
    } >"$1"
    chmod +x "$1"
}

# fails_at_start STATUS MESSAGE: start : ./bad fails the job with one line that names the node.
fails_at_start() {
    [ -e bad.flow ] || flow bad.flow <<<'start -> end : ./bad'
    mkdir out
    run --separate-stderr tl-router -o out bad.flow in
    assert_failure "$1"
    assert_one_line
    [[ $stderr == *start:* && $stderr == *"$2"* ]] || fail "wanted: start: ... $2; got: $stderr"
    assert_equal "$(find out -mindepth 1)" ''
    no_processes_left
}

# ends_with STATUS: the router that was started in the background.
ends_with() {
    local got=0
    wait "$router" || got=$?
    assert_equal "$got" "$1"
}

# ---- filters that break the protocol ----

@test "router: a filter that crashes" {
    filter bad <<<'*two) kill -SEGV $$ ;;'
    fails_at_start 75 'signal 11'
}

@test "router: a filter that exits early, whatever it says" {
    filter bad <<<'*two) exit 0 ;;'
    fails_at_start 70 'exited with status 0'
}

@test "router: a filter that exits with a status of sysexits passes it on" {
    filter bad <<<'*two) exit 69 ;;'
    fails_at_start 69 'exited with status 69'
}

@test "router: a filter that exits after the last answer, before it was told" {
    filter bad <<<'!end*) echo "$line"; exit 0 ;;'
    flow bad.flow <<<'start -> end : ./bad'
    run --separate-stderr tl-router bad.flow in in
    assert_failure
    assert_one_line
    no_processes_left
}

@test "router: a filter that answers the wrong fence" {
    filter bad <<<'!end*) echo "${line}9" ;;'
    fails_at_start 70 'answered what was not asked'
}

@test "router: a filter that answers a fence nobody sent" {
    filter bad <<<'*two) echo "!fence 1" ;;'
    fails_at_start 70 'answered what was not asked'
}

@test "router: a filter that forges a control line of its own" {
    filter bad <<<'*two) echo "!surprise" ;;'
    fails_at_start 70 '!surprise'
}

@test "router: a filter that emits a tag which is not declared" {
    filter bad <<<'*two) printf "other\tx\n" ;;'
    fails_at_start 65 'other'
}

@test "router: a filter that prints what is no tagged line" {
    filter bad <<<'*two) echo text ;;'
    fails_at_start 70 'text'
}

@test "router: a filter whose last line has no newline before its answer" {
    filter bad <<<'*three) printf "%s" "$line" ;;'
    run --separate-stderr timeout 30 tl-router <(echo 'start [timeout=1s] -> end : ./bad') in
    assert_failure
    assert_one_line
    no_processes_left
}

@test "router: a filter that lies about how many lines it gave" {
    filter bad <<'END'
'!hello 1') echo '!hello 1 card stateless map share' ;;
!end*) echo "$line 1,1,0" ;;
END
    fails_at_start 70 'count of lines'
}

@test "router: a filter that calls itself a map, and is none" {
    filter bad <<<'*two) ;;'
    flow bad.flow <<<'start [map] -> end : ./bad'
    fails_at_start 70 'map'
}

@test "router: a command that calls itself a map, and is none" {
    flow bad.flow <<<'start [map] -> end | grep o'
    fails_at_start 70 'map'
}

@test "router: a filter that hangs fails after its timeout, and not before it was asked" {
    filter bad <<<'*two) exec sleep 1000 ;;'
    flow bad.flow <<<'start [timeout=1s] -> end : ./bad'
    fails_at_start 75 'no answer for 1000 ms'
}

@test "router: a slow filter whose timeout is long enough is waited for" {
    filter slow <<<'*two) sleep 0.7; echo "$line" ;;'
    flow slow.flow <<<'start [timeout=20s] -> end : ./slow'
    run tl-router slow.flow in
    assert_success
    assert_output "$(cat in)"
}

@test "router: a program that is no filter is told to be used with |" {
    flow bad.flow <<<'start -> end : sleep 1000'
    run --separate-stderr tl-router bad.flow in
    assert_failure 70
    assert_one_line
    [[ $stderr == bad.flow:1:*start:*'|'* ]]
    no_processes_left
}

@test "router: cat is a filter" {
    flow cat.flow <<<'start -> end : cat'
    run tl-router cat.flow in
    assert_success
    assert_output "$(cat in)"
}

@test "router: a filter that ends at once, before it was greeted" {
    flow bad.flow <<<'start -> end : true'
    run --separate-stderr tl-router bad.flow in
    assert_failure 70
    assert_one_line
    no_processes_left
}

@test "router: a filter that never reads does not stop the others from being read" {
    filter bad <<<'!end*) seq -f "start	%.0f" 200000; echo "$line" ;;'
    flow big.flow <<<$'start -> mid : ./bad\nmid -> end : cat'
    seq 300000 >big
    run tl-router big.flow big
    assert_success
    assert_equal "${#lines[@]}" 500000
}

@test "router: what is wrong is named with its node and its input line" {
    filter bad <<<'*two) printf "other\tx\n" ;;'
    flow bad.flow <<<$'set epoch 1\nstart -> mid : cat\nmid -> end : ./bad'
    run --separate-stderr tl-router bad.flow in
    assert_failure 65
    assert_one_line
    [[ $stderr == *in:*mid:*"line 2"*other* ]]
}

# ---- standard error, grandchildren, signals ----

@test "router: a megabyte on standard error is passed on, and nothing waits for it" {
    filter loud <<<'*two) head -c 1000000 /dev/zero | tr "\0" x | fold -w 99 >&2; echo >&2; echo "$line" ;;'
    flow loud.flow <<<'start -> end : ./loud'
    run --separate-stderr tl-router loud.flow in
    assert_success
    assert_output "$(cat in)"
    [ "$(tr -dc x <<<"$stderr" | wc -c)" -eq 1000000 ]
    [[ ${stderr_lines[0]} == *start:\ xxx* ]]
    no_processes_left
}

@test "router: control characters of a filter's standard error do not reach the terminal" {
    filter loud <<<'*two) printf "a\033[2Jb\rc\n" >&2; echo "$line" ;;'
    flow loud.flow <<<'start -> end : ./loud'
    run --separate-stderr tl-router loud.flow in
    assert_success
    assert_equal "$(tr -dc '\033\r' <<<"$stderr" | wc -c)" 0
}

@test "router: a grandchild that keeps standard output open does not hold up the end" {
    filter keeper <<<'*two) sleep 1000 & echo "$line" ;;'
    flow keep.flow <<<$'start -> mid : ./keeper\nmid -> end | sh -c "cat; sleep 1000 & exit 0"'
    run timeout 60 tl-router keep.flow in
    assert_success
    assert_output "$(cat in)"
    no_processes_left
}

@test "router: a filter that ignores TERM and its end of input is ended" {
    filter stubborn <<<'!hello*) trap "" TERM HUP INT; echo "$line" ;;'
    echo 'while :; do sleep 1000; done' >>stubborn
    flow stubborn.flow <<<'start -> end : ./stubborn'
    run timeout 60 tl-router stubborn.flow in
    assert_success
    assert_output "$(cat in)"
    no_processes_left
}

@test "router: TERM ends it with its filters, and leaves no results" {
    flow up.flow <<<$'start -> mid : tl-upper\nmid -> end : cat'
    mkfifo slow
    mkdir out
    tl-router -o out up.flow slow &
    router=$!
    exec 7>slow
    echo a >&7
    wait_until 10 pgrep -P $router cat
    kill -TERM $router
    ends_with 143
    exec 7>&-
    assert_equal "$(find out -type f)" ''
    no_processes_left
}

@test "router: kill -9 of the router ends its filters" {
    flow up.flow <<<$'start -> mid : tl-upper\nmid -> end : sh -c "trap : TERM; cat"'
    mkfifo slow
    tl-router up.flow slow >out.txt &
    router=$!
    exec 7>slow
    echo a >&7
    wait_until 10 grep -q A out.txt
    kill -KILL $router
    ends_with 137
    exec 7>&-
    no_processes_left
}

@test "router: a wait that is interrupted is done again" {
    needs_strace
    flow sort.flow <<<'start -> end | sort -r'
    run -0 timeout 20 strace -qq -o trace -e trace=wait4 -e inject=wait4:error=EINTR:when=1+2 \
        tl-router sort.flow in
    assert_output $'two\nthree\none'
    grep -q INJECTED trace
}

@test "router: a filter that is killed by somebody" {
    flow up.flow <<<'start -> end : cat'
    mkfifo slow
    tl-router up.flow slow >out.txt 2>err.txt &
    router=$!
    exec 7>slow
    echo a >&7
    wait_until 10 grep -q a out.txt
    pkill -KILL -P $router cat
    ends_with 75
    exec 7>&-
    assert_equal "$(wc -l <err.txt)" 1
    grep -q 'start:.*signal 9' err.txt
    no_processes_left
}

# ---- commands behind | ----

@test "router: exit statuses of a command" {
    local says
    for says in 1 2 65 70 75 78 126; do
        flow exit.flow <<<"start -> end | sh -c 'cat; exit $says'"
        run --separate-stderr tl-router exit.flow in
        case $says in
        1 | 2) assert_failure 65 ;;
        *) assert_failure $says ;;
        esac
        assert_one_line
        [[ $stderr == *start:*"status $says"* ]]
    done
    flow exit.flow <<<"start [ok=0,3] -> end | sh -c 'cat; exit 3'"
    run tl-router exit.flow in
    assert_success
    flow exit.flow <<<"start [ok=3] -> end | cat"
    run tl-router exit.flow in
    assert_failure 65
    flow exit.flow <<<"start -> end | sh -c 'kill -KILL \$\$'"
    run --separate-stderr tl-router exit.flow in
    assert_failure 75
    assert_one_line
    no_processes_left
}

@test "router: a command that hangs fails after its timeout" {
    flow hang.flow <<<"start [timeout=1s] -> end | sh -c 'cat; sleep 1000'"
    run --separate-stderr tl-router hang.flow in
    assert_failure 75
    assert_one_line
    no_processes_left
}

# ---- lines and cycles ----

@test "router: a line over the limit is bad data, at the input and out of a filter" {
    flow small.flow <<<$'set max-line 10\nstart -> end : cat'
    printf '1234567890\n' >fits
    run tl-router small.flow fits
    assert_success
    assert_output 1234567890
    printf '1\n12345678901\n2\n' >over
    run --separate-stderr tl-router small.flow over
    assert_failure 65
    assert_one_line
    [[ $stderr == *over*"line 2"* ]]
    flow grows.flow <<<$'set max-line 10\nstart -> end : tl-prefix aaaaaaaa'
    run --separate-stderr tl-router grows.flow in
    assert_failure 65
    [[ $stderr == *start* ]]
    flow grows.flow <<<$'set max-line 10\nstart -> end : sed -u s/one/oneoneoneone/'
    run --separate-stderr tl-router grows.flow in
    assert_failure 65
    assert_one_line
    no_processes_left
}

@test "router: a line that never ends does not take memory beyond the limit" {
    unchecked "a checker takes what memory it likes"
    flow small.flow <<<$'set max-line 1M\nstart -> end : cat'
    run --separate-stderr bash -c 'ulimit -v 300000; head -c 2000000000 /dev/zero | tl-router small.flow'
    assert_failure 65
    [[ $stderr == *"line 1"* ]]
}

@test "router: lines that circle for ever fail the job and are named" {
    flow endless.flow <<<$'set max-rounds 50\nstart -> a : tl-upper\na -> b end : cat\nb -> a : cat'
    mkdir out
    run --separate-stderr tl-router -o out endless.flow in
    assert_failure 65
    assert_one_line
    [[ $stderr == *50\ rounds*max-rounds* && $stderr =~ (ONE|TWO|THREE) ]]
    assert_equal "$(find out -mindepth 1)" ''
    no_processes_left
}

# ---- inputs and outputs ----

@test "router: inputs that cannot be read" {
    flow up.flow <<<'start -> end : tl-upper'
    mkdir folder
    run --separate-stderr tl-router up.flow nonesuch
    assert_failure 66
    assert_one_line
    [[ $stderr == *nonesuch* ]]
    run --separate-stderr tl-router up.flow folder
    assert_failure 66
    assert_one_line
    run --separate-stderr tl-router up.flow in nonesuch
    assert_failure 66
    assert_output $'ONE\nTWO\nTHREE'
    no_processes_left
}

@test "router: an input that may not be read" {
    [[ $(id -u) == 0 ]] || skip "only root can become nobody"
    flow up.flow <<<'start -> end : cat'
    chmod 000 in
    run --separate-stderr setpriv --reuid=65534 --regid=65534 --clear-groups \
        "$(command -v tl-router)" /proc/self/fd/8 in 8<up.flow
    [[ $stderr != *up.flow* ]]
    assert_failure 77
    assert_one_line
}

@test "router: -o to a folder that is not there, and two inputs of one name" {
    flow up.flow <<<'start -> end : tl-upper'
    run --separate-stderr tl-router -o nonesuch up.flow in
    assert_failure
    assert_one_line
    [[ $stderr == *nonesuch* ]]
    mkdir out other
    cp in other/in
    run --separate-stderr tl-router -o out up.flow in other/in
    assert_failure 73
    assert_one_line
    assert_equal "$(find out -mindepth 1)" ''
    no_processes_left
}

@test "router: a reader that goes away early ends it quietly or with one line" {
    flow up.flow <<<'start -> end : tl-upper'
    run --separate-stderr bash -o pipefail -c 'yes | head -n 3000000 | tl-router up.flow | head -n 1'
    assert_output Y
    [[ ${#stderr_lines[@]} -le 1 ]]
    no_processes_left
}

@test "router: standard output that is full" {
    [ -e /dev/full ] || skip "no /dev/full here"
    flow up.flow <<<'start -> end : tl-upper'
    run --separate-stderr bash -c 'tl-router up.flow in >/dev/full'
    assert_failure 74
    assert_one_line
    no_processes_left
}

@test "router: a full disk fails the job and leaves nothing half written" {
    small_disk "$BATS_TEST_TMPDIR/disk" size=64k
    flow two.flow <<<$'start -> end side : tl-copy -k side\nside => %f.side'
    seq 100000 >big
    run --separate-stderr tl-router -o disk two.flow big
    assert_failure 74
    assert_one_line
    assert_equal "$(find disk -mindepth 1)" ''
    run tl-router -o disk two.flow in
    assert_success
    cmp in disk/in.side
    no_processes_left
}

@test "router: a result that cannot get its name leaves nothing half written" {
    flow up.flow <<<'start -> end : tl-upper'
    mkdir -p out/in
    run --separate-stderr tl-router -o out up.flow in
    assert_failure 74
    assert_one_line
    assert_equal "$(find out -mindepth 1)" out/in
    no_processes_left
}

@test "router: a limit on the size of files is told where it is met, and memory is not shared under it" {
    flow copy.flow <<<'start -> end : tl-copy end'
    run bash -c 'ulimit -f 64; tl-router copy.flow in'
    assert_success
    assert_output $'one\ntwo\nthree'
    seq 100000 >big
    mkdir out
    run --separate-stderr bash -c 'ulimit -f 64; tl-router -o out copy.flow big'
    assert_failure 74
    assert_one_line
    [[ $stderr == *"File too large"* ]] || fail "$stderr"
    assert_equal "$(find out -mindepth 1)" ''
}

@test "router: a full disk where what is over set memory goes" {
    small_disk "$BATS_TEST_TMPDIR/disk" size=8m
    flow held.flow <<<$'set memory 1M\nstart -> end | cat'
    seq 3000000 >big
    export TMPDIR=$BATS_TEST_TMPDIR/disk
    run --separate-stderr tl-router held.flow big
    assert_failure 74
    assert_one_line
    [[ $stderr == *"$TMPDIR: "*"set memory 1048576: No space left on device"* ]] || fail "$stderr"
    assert_output ''
    assert_equal "$(find disk -mindepth 1)" ''
}

# sharer NAME ANSWER: a filter that shares memory with the router, and does what the Python statements
# ANSWER say for each fence: region is the memory, n the numbers of the line, echo() prints it back
# with more. What they leave undone, the filter does well.
sharer() {
    {
        cat <<'END'
#!/usr/bin/env python3
import mmap, os, sys
region = None
def echo(more=""):
    print(line + more, flush=True)
for line in sys.stdin:
    line = line.rstrip("\n")
    if line.startswith("!hello"):
        echo(" share")
    elif line.startswith("!share"):
        fd = os.open(line.split(" ")[1], os.O_RDWR)
        region = mmap.mmap(fd, int(line.split(" ")[2]))
        echo(" ok")
    elif line[0] != "!":
        print(line)
    else:
        n = [int(word) for word in line.split(" ")[2:]]
END
        sed 's/^/        /'
    } >"$1"
    chmod +x "$1"
}

@test "router: a filter in another language can share memory" {
    sharer good <<'END'
texts = region[n[0]:n[0] + n[1]].upper()
region[n[2]:n[2] + len(texts)] = texts
echo(f" ={len(texts)}" if texts else "")
END
    flow good.flow <<<'start -> end : ./good'
    run tl-router good.flow in
    assert_success
    assert_output $'ONE\nTWO\nTHREE'
    sharer good <<'END'
texts = region[n[0]:n[0] + n[1]].splitlines(keepends=True)
lines = b"".join(b"end\t" + text for text in texts)
region[n[2]:n[2] + len(lines)] = lines
echo(f" @{len(lines)}" if lines else "")
END
    run tl-router good.flow in
    assert_success
    assert_output $'one\ntwo\nthree'
}

@test "router: a filter that says it left more in shared memory than there is room" {
    sharer bad <<<'echo(f" @{n[3] + 1}")'
    fails_at_start 70 'left no lines where it says: '
}

@test "router: a filter that left in shared memory what are no lines" {
    sharer bad <<'END'
region[n[2]:n[2] + 9] = b"start\tend"
echo(" @9")
END
    fails_at_start 70 'left no lines where it says: '
}

@test "router: a filter that left texts in shared memory that do not end, or are too long" {
    sharer bad <<'END'
region[n[2]:n[2] + 4] = b"half"
echo(" =4")
END
    fails_at_start 70 'left no lines where it says: '
    rmdir out
    sharer bad <<'END'
region[n[2]:n[2] + 9] = b"too long" + bytes([10])
echo(" =9")
END
    flow bad.flow <<<$'set max-line 7\nstart -> end : ./bad'
    fails_at_start 70 'left no lines where it says: '
}

@test "router: a filter that left a control line in shared memory" {
    sharer bad <<'END'
region[n[2]:n[2] + 8] = b"!fence 9"
region[n[2] + 8] = 10
echo(" @9")
END
    fails_at_start 70 'left no lines where it says: '
}

@test "router: a filter that left lines with a tag of its own in shared memory" {
    sharer bad <<'END'
region[n[2]:n[2] + 6] = b"none\tx"
region[n[2] + 6] = 10
echo(" @7")
END
    fails_at_start 65 'not among those after the arrow'
}

@test "router: a filter that names a place in shared memory without being asked" {
    sharer bad <<<'echo(" @x")'
    fails_at_start 70 'left no lines where it says: '
}

@test "router: a filter that would make shared memory smaller cannot" {
    sharer bad <<'END'
try:
    os.ftruncate(fd, 0)
    echo(" @1")
except PermissionError:
    print("start\tsealed")
    echo()
END
    flow bad.flow <<<'start -> end : ./bad'
    run tl-router bad.flow in
    assert_success
    assert_line sealed
}

@test "router: a filter that writes over all shared memory at any time spoils results, not the router" {
    sharer bad <<'END'
if n[1]:
    region[:] = os.urandom(1) * len(region)
    echo(f" @{n[1]}")
else:
    echo()
END
    flow bad.flow <<<$'set epoch 1\nstart -> mad : tl-copy mad\nmad -> a b end : ./bad\na -> c : tl-upper\nb -> c : tl-upper\nc -> end : tl-copy end'
    seq 300 >in
    run --separate-stderr tl-router bad.flow in
    # Whatever it left is no line, or the tag is none of the flow: status 65 or 70, never a signal.
    [[ $status == 65 || $status == 70 ]] || fail "status $status: $stderr"
    assert_one_line
}

@test "router: too few descriptors or processes are told, not met with a crash" {
    [[ -z ${ASAN_OPTIONS-} ]] || skip "the leak sanitizer needs descriptors"
    flow many.flow < <(
        echo "start -> n1 : cat"
        for n in $(seq 1 40); do echo "n$n -> n$((n + 1)) : cat"; done
        echo "n41 -> end : cat"
    )
    run --separate-stderr bash -c 'ulimit -n 20; tl-router many.flow in'
    assert_failure
    ((status == 71 || status == 75))
    assert_one_line
    no_processes_left
    run tl-router many.flow in
    assert_success
}
