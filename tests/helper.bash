# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What all test files share. TL_BIN: the directory with the programs under test (default: build).
# Nothing here waits for a fixed time: a test waits for a condition, with a deadline.

bats_load_library bats-support
bats_load_library bats-assert

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
case ${TL_BIN:-build} in
/*) TL_BIN=${TL_BIN:-} ;;
*) TL_BIN=$ROOT/${TL_BIN:-build} ;;
esac
PATH=$TL_BIN:$PATH
export ROOT TL_BIN PATH LC_ALL=C
umask 022 # a queue that a whole group may write would be refused

# wait_until SECONDS COMMAND...: run COMMAND every 20 ms until it succeeds; 1 at the deadline, which
# is PATIENCE times as far where all is slow. A pass never depends on speed.
wait_until() {
    local seconds=$(($1 * ${PATIENCE:-1})) deadline
    shift
    deadline=$(($(date +%s%N) + seconds * 1000000000))
    until "$@" >/dev/null 2>&1; do
        if (($(date +%s%N) > deadline)); then
            echo "still not so after $seconds s: $*" >&2
            return 1
        fi
        sleep 0.02
    done
}

# mark NAME: everything started from now on in this test carries NAME in its environment, so that
# marked_processes finds it wherever it went, also after its parent has died.
mark() {
    export TAGLINE_TEST_MARK=$1.$BATS_ROOT_PID.$BATS_SUITE_TEST_NUMBER
}

# The marked processes besides this shell and what runs in it: "PID STATE COMMAND" each. One grep
# for all, for there may be thousands; it is not marked itself.
marked_processes() {
    local pid
    while IFS=/ read -r _ _ pid _; do
        [[ $pid != "$BASHPID" && $pid != "$$" ]] || continue
        is_bats "$pid" || ps -o pid=,stat=,args= -p "$pid"
    done < <(env -u TAGLINE_TEST_MARK grep -lzxF "TAGLINE_TEST_MARK=$TAGLINE_TEST_MARK" \
        /proc/[0-9]*/environ 2>/dev/null)
}

# Is it the test's own shell, a subshell of it, or a helper of bats?
is_bats() {
    local args
    args=$(tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null) || return 0
    [[ $args == *bats-exec-test* || $args == *bats-exec-file* || -z $args ]]
}

# no_processes_left: what the test started is gone within ten seconds, zombies included. The test
# must have called mark before it started anything.
no_processes_left() {
    wait_until 10 none_marked || {
        marked_processes >&2
        return 1
    }
}

none_marked() {
    [[ -z $(marked_processes) ]]
}

# End what a test left behind, so that a failure does not disturb others. For teardown.
kill_marked() {
    local pid rest
    [[ -n ${TAGLINE_TEST_MARK-} ]] || return 0
    while read -r pid rest; do
        kill -KILL "$pid" 2>/dev/null || echo "# $pid had ended" >&2
    done < <(marked_processes)
}

# needs_strace: skip a test where nothing can be traced. The leak sanitizer cannot work beside it.
needs_strace() {
    strace -o /dev/null true 2>/dev/null || skip "strace cannot trace here"
    [[ -z ${ASAN_OPTIONS-} ]] || export ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0
}

# unchecked WHY: skip a test that is not for programs under sanitizers or valgrind.
unchecked() {
    [[ -z ${ASAN_OPTIONS-}${MEMCHECK-} ]] || skip "$1"
}

# small_disk DIR OPTIONS: mount a tmpfs there, or skip the test where that is not allowed.
# small_disk_gone DIR undoes it; call it in teardown.
small_disk() {
    mkdir -p "$1"
    [[ $(id -u) == 0 ]] || skip "only root can mount"
    mount -t tmpfs -o "mode=755,$2" tagline-test "$1" 2>/dev/null || skip "cannot mount here"
}

small_disk_gone() {
    ! mountpoint -q "$1" || umount "$1"
}

# flow NAME: write standard input to NAME in the test's folder; its path is in $FLOW.
flow() {
    FLOW=$BATS_TEST_TMPDIR/$1
    cat >"$FLOW"
}

# assert_one_line: the command printed one line to standard error, "program: what: why".
# Expects: run --separate-stderr
assert_one_line() {
    # shellcheck disable=SC2154 # set by bats
    if [[ ${#stderr_lines[@]} -ne 1 || $stderr != *:\ * ]]; then
        printf 'not one line "program: what: why":\n%s\n' "$stderr" >&2
        return 1
    fi
}

# assert_file_is PATH TEXT: the file holds the text and a newline.
assert_file_is() {
    printf '%s\n' "$2" | cmp -s - "$1" || {
        printf -- '-- %s should hold\n%s\n-- but holds\n%s\n--\n' "$1" "$2" "$(cat "$1")" >&2
        return 1
    }
}
