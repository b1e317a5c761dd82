# SPDX-License-Identifier: MIT
# Least privilege: what a command of a flow gets, may use and may do; whom the supervisor lets write
# into its queue, and as whom it works.

bats_require_minimum_version 1.5.0
load helper

setup() {
    cd "$BATS_TEST_TMPDIR" || exit
}

teardown() {
    kill_marked
    [[ -z ${HOUSE-} ]] || rm -rf "$HOUSE"
}

# needs_sandbox: skip the test where the kernel has none.
needs_sandbox() {
    flow probe.flow <<<'start [sandbox] -> end : tl-upper'
    run tl-router --check "$FLOW"
    [[ $status != 69 ]] || skip "$output"
}

needs_root() {
    [[ $(id -u) == 0 ]] || skip "only root can be another user"
}

# through ATTRIBUTES COMMAND: one line goes through the command, which sees it at its end.
through() {
    echo "start [$1] -> end | $2" >through.flow
    run --separate-stderr tl-router through.flow <<<line
}

# ---- environment and descriptors ----

@test "environment: who, where, in which language and at what time, and what the flow asks for" {
    echo 'start [env=ASKED,MISSING env=OTHER] -> end | env' >e.flow
    run --separate-stderr env -i PATH="$PATH" HOME=/h USER=u LOGNAME=u LANG=C LC_ALL=C TZ=UTC TMPDIR=/tmp \
        TAGLINE_OWN=1 ASKED=a OTHER=o SECRET=s PYTHONPATH=/p LD_PRELOAD= ASKED_NOT=n \
        TAGLINE_LOCK_FD=9 NOTIFY_SOCKET=/n tl-router e.flow <<<x
    assert_success
    assert_equal "$(cut -d = -f 1 <<<"$output" | sort | tr '\n' ' ')" \
        'ASKED HOME LANG LC_ALL LOGNAME OTHER PATH TAGLINE_ENDS TAGLINE_MAX_LINE TAGLINE_OWN TMPDIR TZ USER '
    assert_line 'ASKED=a'
}

@test "environment: names of variables are checked" {
    local bad
    for bad in env= env=A,,B env=A= env=1A 'env=a-b'; do
        echo "start [$bad] -> end : tl-upper" >e.flow
        run tl-router --check e.flow
        assert_failure 78
        assert_output --partial "$bad: not names of variables; write env=NAME,NAME"
    done
}

@test "descriptors: a command has its three and no other, whatever the router was given" {
    exec 7</dev/null 8>kept
    through '' "sh -c 'cat >/dev/null; ls /proc/self/fd'"
    exec 7<&- 8>&-
    assert_success
    assert_equal "$(tr '\n' ' ' <<<"$output")" '0 1 2 3 ' # 3 is the folder that ls reads
}

@test "descriptors: a container that knows no close_range changes nothing" {
    needs_strace
    echo "start -> end | sh -c 'cat >/dev/null; ls /proc/self/fd'" >f.flow
    exec 7</dev/null
    run --separate-stderr strace -o /dev/null -e inject=close_range:error=EPERM tl-router f.flow <<<x
    exec 7<&-
    assert_success
    assert_equal "$(tr '\n' ' ' <<<"$output")" '0 1 2 3 '
}

@test "descriptors: those of a filter, too, and the lock of a queue is not among them" {
    cat >fds.sh <<'E'
while IFS= read -r line; do
    case $line in
    !*) printf '%s\n' "$line" ;;
    *)
        list=
        for fd in /proc/$$/fd/*; do list="$list ${fd##*/}"; done
        printf 'start\t%s\n' "$list"
        ;;
    esac
done
E
    echo 'start -> end : sh fds.sh' >f.flow
    exec 9>lock
    TAGLINE_LOCK_FD=9 run --separate-stderr tl-router f.flow <<<x
    exec 9>&-
    assert_success
    assert_output ' 0 1 10 2 3' # 10 is the script, 3 the folder that sh reads
}

@test "descriptors: a standard file that is closed stays so, and is no pipe's" {
    printf 'a\nb\n' >in
    mkdir out
    echo 'start -> end : tl-upper' >f.flow
    tl-router -o out f.flow in <&- 2>&-
    assert_file_is out/in $'A\nB'
    run -74 bash -c 'tl-router f.flow in >&-'
    assert_output --partial 'standard output: '
    run -74 bash -c 'tl-router f.flow <&-'
    assert_output 'tl-router: -: Bad file descriptor'
}

# ---- limits ----

@test "limits: are what the flow says, for each process of the command" {
    unchecked "valgrind lets nobody set limits of descriptors"
    through 'cpu=90s mem=1G files=24' "sh -c 'cat >/dev/null; sh -c \"ulimit -t; ulimit -v; ulimit -n\"'"
    assert_success
    assert_equal "$(tr '\n' ' ' <<<"$output")" '90 1048576 24 '
}

@test "limits: a part of a second is a whole one, and a limit only lowers" {
    echo "start [cpu=1500ms files=5000] -> end | sh -c 'cat >/dev/null; ulimit -t; ulimit -n'" >l.flow
    run bash -c 'ulimit -n 100; tl-router l.flow <<<x'
    assert_output $'2\n100'
}

@test "limits: too much CPU time is bad data, and the message says so" {
    through cpu=1 "sh -c 'cat >/dev/null; while :; do :; done'"
    assert_failure 65
    assert_one_line
    [[ $stderr == *'start: '*'sh was killed by signal 24 (CPU time limit exceeded); its limits: cpu=1' ]]
}

@test "limits: a command that heeds no warning is killed, and that is bad data as well" {
    through cpu=1 "perl -e '\$SIG{XCPU} = \"IGNORE\"; <STDIN>; 1 while 1'"
    assert_failure 65
    assert_one_line
    [[ $stderr == *'perl was killed by signal 9 (Killed); its limits: cpu=1' ]]
    through cpu=30 "perl -e '<STDIN>; kill KILL, \$\$'"
    assert_failure 75
}

@test "limits: CPU time begins anew with each file that is done" {
    cat >busy.py <<'E'
import sys, time
for line in sys.stdin:
    if line[0] != "!":
        until = time.process_time() + 0.8
        while time.process_time() < until:
            pass
    sys.stdout.write(line)
    sys.stdout.flush()
E
    echo 'start [cpu=2] -> end : /usr/bin/python3 busy.py' >l.flow
    echo x >a
    run --separate-stderr tl-router l.flow a a a
    assert_success
    assert_output $'x\nx\nx'
    run --separate-stderr tl-router l.flow <(printf 'x\nx\nx\n')
    assert_failure 65
}

@test "limits: no memory is the command's affair, and the message names the limit" {
    through mem=64M "perl -e '<STDIN>; \$x = \"a\" x 200e6; print length \$x'"
    assert_failure 65
    [[ ${stderr_lines[-1]} == *'its limits: mem=64M' ]]
    through mem=1G "perl -e '<STDIN>; \$x = \"a\" x 200e6; print length \$x'"
    assert_output 200000000
}

@test "limits: no descriptors are the command's affair as well" {
    unchecked "valgrind lets nobody set limits of descriptors"
    through files=6 "perl -e '<STDIN>; for (3..6) { open(\$f[\$_], \"/dev/null\") or die \"\$_: \$!\" }'"
    assert_failure 65
    [[ ${stderr_lines[0]} == *'6: Too many open files'* ]]
    [[ ${stderr_lines[-1]} == *'; its limits: files=6' ]]
}

@test "limits: what is none is said" {
    local bad
    for bad in cpu=0 cpu=x mem=0 mem=x files=3 files=x; do
        echo "start [$bad] -> end : tl-upper" >l.flow
        run tl-router --check l.flow
        assert_failure 78
        assert_output --partial "l.flow:1: $bad: not a"
    done
}

# ---- sandbox ----

# inside ATTRIBUTES WORD...: run the Python on standard input in a sandbox; each line that it prints
# tells what came of an attempt.
inside() {
    local attributes=$1
    shift
    cat >attempt.py - <<E
import ctypes, errno, mmap, os, resource, signal, socket, sys, time
libc = ctypes.CDLL(None, use_errno=True)

def attempt(name, what):
    try:
        result = what()
        print(name, "done" if result is None else result)
    except OSError as e:
        print(name, errno.errorcode[e.errno])

def call(number, *args):
    if libc.syscall(number, *args) < 0:
        raise OSError(ctypes.get_errno(), "")

sys.stdin.read()
$(cat)
E
    through "sandbox $attributes" "/usr/bin/python3 attempt.py $*"
    assert_success
}

# refused NAME...: each of these attempts failed for want of a right, and there were no others.
refused() {
    local name
    for name; do
        grep -qxE "$name (EPERM|EACCES|ENOSYS)" <<<"$output" || fail "$name: $output"
    done
    [[ $(wc -l <<<"$output") -eq $# ]] || fail "more than $*: $output"
}

@test "sandbox: no socket of any kind" {
    needs_sandbox
    inside '' <<'E'
attempt("inet", lambda: socket.socket(socket.AF_INET))
attempt("udp", lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
attempt("unix", lambda: socket.socket(socket.AF_UNIX))
attempt("netlink", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))
attempt("pair", lambda: socket.socketpair())
attempt("uring", lambda: call(425, 1, ctypes.create_string_buffer(120)))
E
    refused inet udp unix netlink pair uring
}

@test "sandbox: no file outside is read, and no folder listed" {
    needs_sandbox
    echo secret >secret
    ln -s "$PWD/secret" link
    inside '' <<'E'
here = os.getcwd()
attempt("file", lambda: open("secret").read())
attempt("link", lambda: open("link").read())
attempt("folder", lambda: os.listdir("."))
attempt("tmp", lambda: os.listdir("/tmp"))
attempt("root", lambda: os.listdir("/"))
attempt("passwd", lambda: open("/etc/passwd").read())
attempt("round", lambda: open("/proc/self/root" + here + "/secret").read())
attempt("cwd", lambda: open("/proc/self/cwd/secret").read())
attempt("parent", lambda: open("/proc/%d/environ" % os.getppid()).read())
attempt("status", lambda: open("/proc/%d/status" % os.getppid()).read())
attempt("terminal", lambda: open("/dev/tty"))
E
    refused file link folder tmp root passwd round cwd parent status terminal
}

@test "sandbox: nothing is created, written, changed, renamed or removed, not what it may read either" {
    needs_sandbox
    echo bytes >mine
    mkdir folder
    echo bytes >folder/file
    ls -lR --time-style=full-iso mine folder >before
    inside read=folder mine <<'E'
attempt("create", lambda: open("new", "w"))
attempt("append", lambda: open("mine", "a"))
attempt("update", lambda: open("folder/file", "r+"))
attempt("truncate", lambda: os.truncate("mine", 0))
attempt("opentruncate", lambda: os.open("mine", os.O_RDONLY | os.O_TRUNC))
attempt("remove", lambda: os.unlink("folder/file"))
attempt("rename", lambda: os.rename("folder/file", "folder/other"))
attempt("link", lambda: os.link("folder/file", "folder/other"))
attempt("symlink", lambda: os.symlink("a", "folder/other"))
attempt("mkdir", lambda: os.mkdir("folder/new"))
attempt("rmdir", lambda: os.rmdir("folder"))
attempt("fifo", lambda: os.mkfifo("folder/fifo"))
attempt("mode", lambda: os.chmod("mine", 0o777))
attempt("owner", lambda: os.chown("mine", os.getuid(), os.getgid()))
attempt("times", lambda: os.utime("mine"))
attempt("attribute", lambda: os.setxattr("mine", "user.a", b"b"))
attempt("usr", lambda: open("/usr/new", "w"))
attempt("tmp", lambda: open("/tmp/new", "x"))
attempt("shm", lambda: open("/dev/shm/new", "x"))
E
    refused create append update truncate opentruncate remove rename link symlink mkdir rmdir fifo mode \
        owner times attribute usr tmp shm
    [ ! -e new ]
    diff before <(ls -lR --time-style=full-iso mine folder)
}

@test "sandbox: no other process is looked into, ended or slowed down" {
    needs_sandbox
    [[ $(uname -m) == x86_64 ]] || skip "numbers of system calls are those of x86_64"
    mark sandbox
    sleep 1000 &
    local victim=$!
    inside '' "$victim" <<'E'
victim, parent = int(sys.argv[1]), os.getppid()
attempt("kill", lambda: os.kill(victim, signal.SIGKILL))
attempt("probe", lambda: os.kill(victim, 0))
attempt("parent", lambda: os.kill(parent, signal.SIGTERM))
attempt("thread", lambda: call(234, victim, victim, 9))
attempt("trace", lambda: call(101, 16, victim, 0, 0))
attempt("memory", lambda: open("/proc/%d/mem" % victim, "rb"))
attempt("vm", lambda: call(310, victim, 0, 0, 0, 0, 0))
attempt("limit", lambda: resource.prlimit(parent, resource.RLIMIT_CPU, (1, 1)))
attempt("nice", lambda: os.setpriority(os.PRIO_PROCESS, victim, 19))
attempt("sched", lambda: os.sched_setaffinity(victim, {0}))
attempt("sigio", lambda: call(72, 0, 8, victim))
attempt("own", lambda: resource.setrlimit(resource.RLIMIT_CPU, (9, 9)))
attempt("space", lambda: call(272, 0x10000000))
attempt("newuser", lambda: call(56, 0x10000000 | 17, 0, 0, 0, 0))
attempt("queue", lambda: call(68, 1, 0o1666))
attempt("shared", lambda: call(29, 1, 4096, 0o1666))
E
    refused kill probe parent thread trace memory vm limit nice sched sigio own space newuser queue shared
    kill "$victim" # it is still there
    run ! wait "$victim"
}

@test "sandbox: what the flow names can be read, and programs run" {
    needs_sandbox
    echo named >named
    mkdir folder other
    echo inside >folder/file
    echo other >other/file
    inside 'read=folder,other/file read=/etc/passwd' named <<'E'
attempt("named", lambda: open("named").read().strip())
attempt("folder", lambda: open("folder/file").read().strip())
attempt("list", lambda: os.listdir("folder"))
attempt("other", lambda: open("other/file").read().strip())
attempt("passwd", lambda: open("/etc/passwd").read().strip() and "read")
attempt("null", lambda: open("/dev/null", "w").write("x"))
attempt("random", lambda: len(open("/dev/urandom", "rb").read(4)))
attempt("self", lambda: len(os.listdir("/proc/self/fd")))
attempt("memory", lambda: mmap.mmap(-1, 4096).close())
sys.stdout.flush()
attempt("run", lambda: os.system("printf 'b\\na\\n' 2>/dev/null | sort | tr '\\n' ' '"))
attempt("kill", lambda: os.kill(os.getpid(), 0))
E
    assert_output 'named named
folder inside
list ['\''file'\'']
other other
passwd read
null 1
random 4
self 4
memory done
a b run 0
kill done'
}

@test "sandbox: filters of the library, awk, shells and copies in it give the same lines" {
    needs_sandbox
    unchecked "the leak sanitizer cannot trace in a sandbox"
    cat >plain.flow <<'E'
start [BOX] -> up keep : tl-match keep=a
up [BOX jobs=2] -> down : tl-upper
keep [BOX] -> down : sh -c "gawk 'BEGIN{FS=OFS=\"\t\"} /^!/{print; fflush(); next} {$2=$2 \"!\"; print}'"
down [BOX stateless] -> end | sed s/1/one/
E
    sed 's/BOX/sandbox cpu=60 files=32/' plain.flow >boxed.flow
    sed -i 's/\[BOX\] //; s/BOX //' plain.flow
    seq 20000 | sed 's/3$/a/' >in
    tl-router plain.flow in >expected
    tl-router boxed.flow in >got
    cmp expected got
    run tl-router --check boxed.flow
    assert_line --regexp '^sandbox: start up keep down; by seccomp and version [0-9]+ of Landlock$'
}

@test "sandbox: a router in it runs a flow of its own, with sandboxes of its own" {
    needs_sandbox
    unchecked "the leak sanitizer cannot trace in a sandbox"
    echo secret >secret
    cat >inner.flow <<'E'
start [sandbox read=inner.flow] -> more : tl-upper
more -> end | sh -c 'cat; cat secret 2>/dev/null || echo no secret'
E
    echo 'start [sandbox read=secret] -> end : tl-router -t inner.flow' >outer.flow
    run --separate-stderr tl-router outer.flow <<<x
    assert_success
    assert_output $'X\nsecret'
    sed -i 's/ read=secret//' outer.flow
    run --separate-stderr tl-router outer.flow <<<x
    assert_success
    assert_output $'X\nno secret'
}

@test "sandbox: a command that dies of it fails the job, and says why" {
    needs_sandbox
    echo secret >secret
    echo "start [sandbox] -> end | sh -c 'cat >/dev/null; exec cat secret'" >s.flow
    run --separate-stderr tl-router s.flow <<<x
    assert_failure 65
    [[ $stderr == *secret*'ermission denied'* ]]
}

@test "sandbox: ends with the router, however that ends" {
    needs_sandbox
    mark sandbox
    echo 'start [sandbox] -> end | cat' >s.flow
    mkfifo in
    tl-router s.flow in &
    local router=$!
    exec 8>in
    echo x >&8
    wait_until 10 pgrep -P "$router" -x cat
    kill -KILL "$router"
    exec 8>&-
    run ! wait "$router"
    no_processes_left
}

@test "sandbox: root loses its capabilities there, and works all the same" {
    needs_root
    needs_sandbox
    through sandbox "grep ^Cap /proc/self/status"
    assert_success
    assert_equal "$(tr -d '0\t\n' <<<"$output")" CapInh:CapPrm:CapEff:CapBnd:CapAmb:
}

@test "sandbox: a kernel that cannot refuses the flow, at --check and at work, and says which line" {
    local call mode
    needs_strace
    printf 'start -> boxed : tl-upper\nboxed [sandbox] -> end : tl-upper\n' >s.flow
    echo 'start -> end : tl-upper' >free.flow
    for call in landlock_create_ruleset:error=ENOSYS landlock_create_ruleset:error=EOPNOTSUPP seccomp:error=EINVAL; do
        for mode in --check --worker --summary; do
            run --separate-stderr strace -f -o /dev/null -e inject=$call tl-router $mode s.flow </dev/null
            assert_failure 69
            assert_one_line
            [[ $stderr == 's.flow:2: [sandbox] cannot be had on this kernel: it has no '* ]]
        done
        run -0 strace -f -o /dev/null -e inject=$call tl-router --check free.flow
    done
}

@test "sandbox: a kernel that claims more of Landlock than it has is taken for what it has" {
    needs_sandbox
    needs_strace
    run tl-router --check "$FLOW"
    local version
    version=$(sed -n 's/.*version \([0-9]*\) of Landlock/\1/p' <<<"$output")
    ((version > 1)) || skip "there is nothing less than that"
    run strace -f -o /dev/null -e inject=landlock_create_ruleset:error=EINVAL:when=2 tl-router --check "$FLOW"
    assert_success
    assert_line "sandbox: start; by seccomp and version $((version - 1)) of Landlock"
}

@test "sandbox: one that fails at the last step does not run the command without" {
    local call
    needs_sandbox
    needs_strace
    echo "start [sandbox] -> end | sh -c 'cat >/dev/null; echo ran >ran'" >s.flow
    for call in landlock_restrict_self:error=E2BIG landlock_add_rule:error=EINVAL \
        capset:error=EPERM prctl:error=EPERM:when=2+; do
        run --separate-stderr strace -f -o /dev/null -e inject=$call tl-router s.flow <<<x
        [[ $status == 69 || $status == 71 ]] || fail "$call: $status: $output $stderr"
        assert_one_line
        [[ $stderr == *'cannot start in a sandbox: '* ]]
        [ ! -e ran ]
    done
}

@test "sandbox: what read= names must be there, and there must be a sandbox" {
    echo 'start [sandbox read=/nonesuch] -> end : tl-upper' >s.flow
    run tl-router --check s.flow
    assert_failure 78
    assert_output 's.flow:1: read=/nonesuch: No such file or directory'
    echo 'start [read=/usr] -> end : tl-upper' >s.flow
    run tl-router --check s.flow
    assert_failure 78
    assert_output --partial 's.flow:1: read= opens files to a sandbox, and there is none'
}

@test "sandbox: --json tells all terms of a node" {
    echo 'start [cpu=2s mem=1M files=9 env=A,B sandbox read=/usr,/bin] -> end : tl-upper' >s.flow
    run jq -c '.nodes[0] | [.cpu, .mem, .files, .env, .sandbox, .read]' < <(tl-router --json s.flow)
    assert_output '[2,1048576,9,["A","B"],true,["/usr","/bin"]]'
}

# ---- whom the supervisor lets write ----

# once QUEUE OPTION...: what is there goes through up.flow.
once() {
    local queue=$1
    shift
    echo 'start -> end : tl-upper' >up.flow
    run --separate-stderr timeout 60 tl-supervisor --once --settle 0 --durability process -j 1 "$@" up.flow "$queue"
}

# a_queue: with all its folders, and a file that waits.
a_queue() {
    once queue
    assert_success
    echo line >queue/unprocessed/file
}

# refuses WHAT: one line that begins with it, the status of a wrong setting, and the file still waits.
refuses() {
    assert_failure 78
    assert_one_line
    [[ $stderr == "tl-supervisor: $1"* ]] || fail "$stderr"
    [ -f queue/unprocessed/file ]
}

takes() {
    assert_success
    assert_file_is queue/output/file LINE
}

# open_house: a folder that other users may enter, with the programs in it, for tests as one.
open_house() {
    needs_root
    HOUSE=$(mktemp -d "${TMPDIR:-/tmp}/tagline-house.XXXXXX")
    cp "$TL_BIN"/tl-{supervisor,router,upper} "$HOUSE"
    chmod -R a+rX "$HOUSE"
    setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$HOUSE/tl-router" ||
        skip "another user cannot come here"
    cd "$HOUSE" || return
    PATH=$HOUSE:$PATH
    echo 'start -> end : tl-upper' >up.flow
}

# other COMMAND...: run it as nobody, in the group given or its own.
other() {
    setpriv --reuid=65534 --regid="${GROUP_ID:-65534}" --clear-groups "$@"
}

@test "queue: a folder that anybody may write is refused, whichever it is" {
    local folder
    a_queue
    for folder in . unprocessed underprocess processed output failed .tagline .tagline/work .tagline/journal; do
        chmod o+w "queue/$folder"
        once queue
        refuses "$(realpath "queue/$folder"): may be written by anybody (mode 0"
        chmod o-w "queue/$folder"
    done
    once queue
    takes
}

@test "queue: a folder that others of its group may write is refused, whichever it is" {
    local folder
    needs_root
    a_queue
    for folder in . unprocessed processed .tagline/flow; do
        chgrp 65534 "queue/$folder"
        chmod g+w "queue/$folder"
        once queue
        refuses "$(realpath "queue/$folder"): may be written by others of its group"
        chmod g-w "queue/$folder"
    done
    once queue
    takes
}

@test "queue: a folder that belongs to another is refused, whichever it is" {
    local folder
    needs_root
    a_queue
    for folder in . unprocessed output .tagline; do
        chown 65534 "queue/$folder"
        once queue
        refuses "$(realpath "queue/$folder"): belongs to another user"
        chown 0 "queue/$folder"
    done
    once queue
    takes
}

@test "queue: a folder that is a link is refused, and so is a link to nowhere" {
    a_queue
    mv queue/output real
    ln -s ../real queue/output
    once queue
    refuses "$PWD/queue/output: is a symbolic link"
    rm queue/output
    ln -s nowhere queue/output
    once queue
    refuses "$PWD/queue/output: is a symbolic link"
    rm queue/output
    # Nothing is made where one leads.
    mkdir elsewhere
    rm -r queue/.tagline
    ln -s ../elsewhere queue/.tagline
    once queue
    refuses "$PWD/queue/.tagline: is a symbolic link"
    assert_equal "$(ls -A elsewhere)" ''
}

@test "queue: folders above it count, unless they are sticky" {
    mkdir above
    cd above
    a_queue
    chmod 777 .
    once queue
    refuses "$PWD: may be written by anybody"
    chmod 1777 .
    once queue
    takes
    cd ..
}

@test "queue: the link that leads to it may be anybody's; what it leads to counts" {
    a_queue
    ln -s queue link
    once link
    takes
    echo line >queue/unprocessed/file
    chmod o+w queue/failed
    once link
    refuses "$PWD/queue/failed: "
}

@test "queue: an own group may write, where every user has one" {
    needs_root # whose group has no other member
    [[ $(getent passwd | cut -d : -f 4 | grep -cx 0) == 1 && -z $(getent group 0 | cut -d : -f 4) ]] ||
        skip "the group of root has others in it"
    (umask 002 && mkdir -p queue/unprocessed queue/output)
    chgrp -R 0 queue
    once queue
    assert_success
    # An access list that lets others in shows in the same bit.
    python3 - queue/output <<'E' || skip "no access lists on this file system"
import os, struct, sys
entries = [(1, 7, -1), (2, 7, 65534), (4, 5, -1), (16, 7, -1), (32, 5, -1)]
os.setxattr(sys.argv[1], "system.posix_acl_access",
            struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *e) for e in entries))
E
    echo line >queue/unprocessed/file
    once queue
    refuses "$PWD/queue/output: may be written by others of its group"
}

@test "queue: what the supervisor makes passes, whatever the umask" {
    umask 0
    a_queue
    once queue
    takes
}

@test "queue: --insecure takes it as it is" {
    a_queue
    chmod -R a+w queue
    mv queue/output real
    ln -s ../real queue/output
    once queue --insecure
    takes
}

@test "producers: a group, when told; nobody else" {
    open_house
    a_queue
    chgrp 65534 queue/unprocessed
    chmod 2775 queue/unprocessed
    once queue
    refuses "$PWD/queue/unprocessed: may be written by others of its group"
    [[ $stderr == *'say --producers group if that is meant'* ]]
    GROUP_ID=65534 other sh -c 'umask 027; echo theirs >queue/unprocessed/theirs'
    once queue --producers group
    takes
    assert_file_is queue/output/theirs THEIRS
    echo line >queue/unprocessed/file
    chmod o+w queue/unprocessed
    once queue --producers group
    refuses "$PWD/queue/unprocessed: may be written by anybody"
}

@test "producers: what another user puts into a folder that gives it its group is read by the user of the supervisor" {
    open_house
    mkdir -p queue/unprocessed
    chown -R 65534:65534 queue
    chmod 3770 queue/unprocessed
    setpriv --reuid=1 --regid=65534 --clear-groups sh -c 'umask 027; echo theirs >queue/unprocessed/theirs'
    once queue --user nobody
    assert_failure 78
    once queue --user nobody --producers group
    assert_success
    assert_file_is queue/output/theirs THEIRS
    assert_equal "$(stat -c %U:%a queue/processed/theirs)" daemon:640
}

@test "producers: anybody, when told, and then the folder is sticky" {
    open_house
    a_queue
    chmod 777 queue/unprocessed
    once queue --producers anybody
    refuses "$PWD/queue/unprocessed: lets anybody remove the files of others"
    chmod 1777 queue/unprocessed
    other sh -c 'echo theirs >queue/unprocessed/theirs'
    run ! other rm -f queue/unprocessed/file
    once queue --producers anybody
    takes
    assert_file_is queue/output/theirs THEIRS
    chown 65534 queue/unprocessed
    chmod 755 queue/unprocessed
    echo line >queue/unprocessed/again
    once queue --producers anybody
    assert_success
    assert_file_is queue/output/again LINE
    chmod o+w queue/processed
    echo line >queue/unprocessed/file
    once queue --producers anybody
    refuses "$PWD/queue/processed: may be written by anybody"
    once queue --producers all
    assert_failure 64
    assert_one_line
}

# ---- as whom it works ----

@test "user: the queue is made, the flow read and filters run as that user, for good" {
    open_house
    cat >who.flow <<'E'
start -> end | sh -c 'cat >/dev/null; id -u; id -g; id -G; echo $HOME $USER; grep -E "^(CapPrm|CapEff)" /proc/self/status'
E
    mkdir place
    chown 65534:65534 place
    once place/queue --user nobody
    assert_success
    assert_equal "$(find place -printf '%u:%g\n' | sort -u)" nobody:nogroup
    cp up.flow place/queue/unprocessed/file
    chown 65534 place/queue/unprocessed/file
    run --separate-stderr timeout 60 tl-supervisor --once --settle 0 -j 1 --user nobody who.flow place/queue
    assert_success
    assert_file_is place/queue/output/file "65534
65534
65534
$(getent passwd nobody | cut -d : -f 6) nobody
CapPrm:	0000000000000000
CapEff:	0000000000000000"
    assert_equal "$(stat -c %U place/queue/output/file)" nobody
}

@test "user: what that user may not read or write is not touched" {
    open_house
    chmod 755 .
    once queue --user nobody
    assert_failure 73
    assert_one_line
    [ ! -e queue ]
    mkdir place
    chown 65534 place
    chmod 600 up.flow
    run --separate-stderr tl-supervisor --once --user nobody up.flow place/queue
    assert_failure 66
    assert_one_line
    [ ! -e place/queue ]
    chmod 644 up.flow
    # A queue of root's is not that user's.
    once queue
    assert_success
    once queue --user nobody
    assert_failure
    assert_one_line
}

@test "user: one who is nobody, and another one's, are refused; one's own is not" {
    once queue --user no-such-user
    assert_failure 64
    assert_one_line
    once queue --user "$(id -un)"
    assert_success
    open_house
    mkdir place
    chown 65534 place
    run --separate-stderr other tl-supervisor --once --user daemon up.flow place/queue
    assert_failure 77
    assert_one_line
    run --separate-stderr other tl-supervisor --once --user nobody up.flow place/queue
    assert_success
}

@test "user: another user than root has sandboxes, too" {
    needs_sandbox
    open_house
    echo secret >secret
    echo "start [sandbox cpu=9] -> end | sh -c 'cat >/dev/null; echo x >new; cat secret; head -c 4 \"\$0\"' up.flow" >s.flow
    run other tl-router s.flow </dev/null
    assert_output --partial 'cannot create new: Permission denied'
    assert_output --partial 'secret: Permission denied'
    assert_line star
}

# ---- all of it under a supervisor ----

@test "supervisor: filters get neither its descriptors nor its environment" {
    mkdir -p queue/unprocessed
    echo x >queue/unprocessed/file
    echo "start -> end | sh -c 'cat >/dev/null; ls /proc/self/fd; env | grep -c -e SECRET -e NOTIFY -e LOCK'" >f.flow
    sed -i 's/ | sh/ [ok=0,1] | sh/; s/^start -> end \(\[.*\]\)/start \1 -> end/' f.flow
    exec 8>kept
    SECRET=s NOTIFY_SOCKET=$PWD/none run -0 timeout 60 tl-supervisor --once --settle 0 -j 1 f.flow queue
    exec 8>&-
    assert_file_is queue/output/file $'0\n1\n2\n3\n0'
}

@test "supervisor: a file that takes too much CPU time fails, and holds up no other" {
    mkdir -p queue/unprocessed
    echo quick >queue/unprocessed/a
    echo loop >queue/unprocessed/b
    echo quick >queue/unprocessed/c
    echo "start [cpu=1] -> end | gawk '/loop/{while(1);}{print}'" >f.flow
    run timeout 60 tl-supervisor --once --settle 0 -j 1 f.flow queue
    assert_failure 65
    run jq -r '.class, .status, .attempts' queue/failed/b.reason
    assert_line --index 0 data
    assert_line --index 1 65
    run jq -r .error queue/failed/b.reason
    assert_output --partial 'CPU time limit exceeded); its limits: cpu=1'
    assert_equal "$(ls queue/output | tr '\n' ' ')" 'a c '
}

@test "supervisor: a sandbox that the kernel cannot make holds the flow and keeps the files" {
    needs_strace
    mkdir -p queue/unprocessed
    echo x >queue/unprocessed/file
    echo 'start [sandbox] -> end : tl-upper' >s.flow
    run timeout 60 strace -f -o /dev/null -e inject=landlock_create_ruleset:error=EOPNOTSUPP \
        tl-supervisor --once --settle 0 -j 1 s.flow queue
    assert_failure 69
    assert_output --partial 's.flow:1: [sandbox] cannot be had on this kernel'
    [ -f queue/unprocessed/file ]
}
