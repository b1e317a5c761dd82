#!/bin/bash
# SPDX-License-Identifier: MIT
# kill.bash [KILLS [SEED [FILES [OPTION...]]]]: files are dropped in a queue while the supervisor, its
# routers and their filters are killed at random moments; then the queue is drained and every result
# compared with that of a run that nobody disturbed. OPTIONs go to tl-supervisor.
# Prints one line: kills, who was killed, how often while files were in work, files, seed; exits 1
# and says what is wrong if anything is lost, doubled, torn or left behind. TL_BIN: the directory
# with the programs.
set -u -o pipefail

KILLS=${1:-30} SEED=${2:-$RANDOM} FILES=${3:-2000}
shift $(($# < 3 ? $# : 3))
ROOT=$(cd "$(dirname "$0")/.." && pwd)
PATH=${TL_BIN:-$ROOT/build}:$PATH
export LC_ALL=C
RANDOM=$SEED
DIR=$(mktemp -d "${TMPDIR:-/tmp}/tl-kill.XXXXXX")
QUEUE=$DIR/queue
LOG=$DIR/log
SUPERVISOR=
declare -A killed=([supervisor]=0 [router]=0 [filter]=0)
kills=0 busy=0

finish() {
    [[ -z $SUPERVISOR ]] || kill -KILL "$SUPERVISOR" 2>"$DIR/nobody"
    rm -rf "$DIR"
}
trap finish EXIT

wrong() {
    echo "kill.bash: seed $SEED: $*" >&2
    tail -n 20 "$LOG" >&2
    exit 1
}

make_inputs() {
    mkdir -p "$DIR/inputs"
    awk -v n="$FILES" -v seed="$SEED" -v dir="$DIR/inputs" 'BEGIN {
        srand(seed)
        for (i = 1; i <= n; i++) {
            file = dir "/f" i
            lines = int(rand() * 20) + (i % 97 == 0 ? 3000 : 0)
            printf "" >file
            for (l = 0; l < lines; l++)
                print (rand() < 0.3 ? "error" : rand() < 0.3 ? "warn" : "note"), i, l, rand() >file
            close(file)
        }
    }'
    cat >"$DIR/flow" <<'END'
start -> general error warn : tl-match error=^error warn=^warn
error -> general : tl-prefix 'E '
warn -> warnings : tl-prefix 'W '
general -> end : tl-snake
warnings => %f.warnings
END
}

# The undisturbed run: NAME HASH of each input and result.
ledger() { # QUEUE
    (cd "$1" && find processed output -type f -exec sha256sum {} + | sort -k2)
}

start() {
    tl-supervisor --settle 100ms --backoff 10ms..50ms --retries 100 "$@" "$DIR/flow" "$QUEUE" 2>>"$LOG" &
    SUPERVISOR=$!
}

drop_some() {
    local n=$((FILES / KILLS + 1))
    # mv looks at what it moved, and complains where it was claimed before that
    find "$DIR/waiting" -type f | head -n "$n" | xargs -r mv -t "$QUEUE/unprocessed" 2>"$DIR/nobody"
}

# Somebody of the family: the supervisor, one of its routers, one of their filters.
victim() {
    local pid=$SUPERVISOR generation
    for ((generation = RANDOM % 3; generation > 0; generation--)); do
        mapfile -t children < <(pgrep -P "$pid")
        ((${#children[@]})) || break
        pid=${children[RANDOM % ${#children[@]}]}
    done
    echo "$pid"
}

# Kill one of them, and start the supervisor again if it was that.
strike() {
    local pid in_work name
    pid=$(victim)
    in_work=$(find "$QUEUE/underprocess" -type f -print -quit 2>"$DIR/nobody")
    name=$(cat "/proc/$pid/comm" 2>"$DIR/nobody")
    kill -KILL "$pid" 2>"$DIR/nobody" || return # it ended by itself
    kills=$((kills + 1))
    [[ -z $in_work ]] || busy=$((busy + 1))
    case $name in
    tl-supervisor | tl-router) name=${name#tl-} ;;
    *) name=filter ;;
    esac
    killed[$name]=$((killed[$name] + 1))
    [[ $pid == "$SUPERVISOR" ]] || return
    wait "$SUPERVISOR" 2>"$DIR/nobody"
    start "$@"
}

# It has its workers, so it holds the queue and minds its signals. One that was started a moment ago
# may still wait for an orphan of the one before to let go of the lock.
await_workers() {
    local deadline=$((SECONDS + 60))
    until pgrep -P "$SUPERVISOR" >"$DIR/nobody"; do
        ((SECONDS < deadline)) || wrong "the supervisor has no workers"
        sleep 0.02
    done
}

check() {
    local left
    left=$(find "$QUEUE/unprocessed" "$QUEUE/underprocess" "$QUEUE/failed" "$QUEUE/.tagline/work" \
        "$QUEUE/.tagline/journal" -mindepth 1)
    [[ -z $left ]] || wrong "left behind: ${left//$'\n'/ }"
    ledger "$QUEUE" >"$DIR/after"
    diff "$DIR/before" "$DIR/after" >"$DIR/differences" ||
        wrong "$(wc -l <"$DIR/differences") differences, the first: $(head -n 5 "$DIR/differences")"
}

make_inputs
mkdir -p "$DIR/undisturbed/unprocessed" "$QUEUE/unprocessed"
cp -p "$DIR/inputs/"* "$DIR/undisturbed/unprocessed/"
mv "$DIR/inputs" "$DIR/waiting"
tl-supervisor --once --settle 0 --durability process "$DIR/flow" "$DIR/undisturbed" 2>"$LOG" ||
    wrong "the undisturbed run failed"
ledger "$DIR/undisturbed" >"$DIR/before"

start "$@"
while ((kills < KILLS)); do
    drop_some & # so that some moments are in the middle of it
    dropper=$!
    sleep "0.$(printf %03d $((RANDOM % (RANDOM % 2 ? 250 : 25))))" # the moment is what is random here
    strike "$@"
    wait "$dropper"
done
drop_some
await_workers
kill -TERM "$SUPERVISOR"
wait "$SUPERVISOR" || wrong "TERM: exit status $?"
SUPERVISOR=
tl-supervisor --once --settle 0 --backoff 10ms..50ms --retries 100 "$@" "$DIR/flow" "$QUEUE" 2>>"$LOG" ||
    wrong "the last run failed"
check
((busy > 0)) || wrong "no file was in work at any kill: this says nothing"
echo "kill.bash: $kills kills (supervisor ${killed[supervisor]}, router ${killed[router]}," \
    "filter ${killed[filter]}; $busy while files were in work), $FILES files, seed $SEED:" \
    "nothing lost, doubled or torn"
