#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# tl-dashboard: its views, what it does while supervisors come and go, and what hostile bytes may not do.

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert
load helper

setup() {
    export LC_ALL=C.UTF-8 TZ=UTC
    Q=$BATS_TEST_TMPDIR/queue
    OUT=$BATS_TEST_TMPDIR/out
    ERR=$BATS_TEST_TMPDIR/err
    mkdir "$Q"
    mkfifo "$Q/metrics"
    DASH=
    mark dashboard
}

teardown() {
    exec 9>&-
    if [ -n "$DASH" ] && kill -0 "$DASH" 2>/dev/null; then
        kill -KILL "$DASH"
        wait "$DASH" || :
    fi
    if [ -S "$BATS_TEST_TMPDIR/tmux" ]; then
        tmux -S "$BATS_TEST_TMPDIR/tmux" kill-server
        no_processes_left || { kill_marked; return 1; }
    fi
}

dashboard() { # in the background, its output in $OUT
    tl-dashboard "$@" >"$OUT" 2>"$ERR" 3>&- 9>&- &
    DASH=$!
}

# A supervisor is whoever holds fd 9.
supervisor() { exec 9>"$Q/metrics"; }

tell() { printf '%s\n' "$@" >&9; }

said() { grep -qF -- "$1" "$OUT"; }

queue_record() { # TIME [FIELDS]
    echo "{\"v\":1,\"type\":\"queue\",\"time\":$1,\"flow\":\"triage.flow\",\"state\":\"running\",\"reason\":\"\",\"workers\":2${2:+,$2}}"
}

ends_with() { # STATUS
    local status=0
    wait "$DASH" || status=$?
    DASH=
    assert_equal "$status" "$1"
}

ended() { ! kill -0 "$1" 2>/dev/null; }

# Processor time of a process in ticks.
ticks() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"; }

@test "help and version" {
    run -0 tl-dashboard --help
    assert_line --index 0 'usage: tl-dashboard [--json] [--once] QUEUE'
    run -0 tl-dashboard -h
    run -0 tl-dashboard --version
    assert_output --regexp '^tl-dashboard [0-9]+\.[0-9]+\.[0-9]+$'
}

@test "wrong usage is 64, in one line" {
    for args in "" "a b" "--nonsense q" "-x q" "--json"; do
        # shellcheck disable=SC2086
        run -64 tl-dashboard $args
        assert_equal "${#lines[@]}" 1
        assert_output --regexp '^tl-dashboard: .+'
    done
}

@test "a queue that is not there is 66" {
    run -66 tl-dashboard "$BATS_TEST_TMPDIR/none"
    assert_output "tl-dashboard: $BATS_TEST_TMPDIR/none: No such file or directory"
    touch "$BATS_TEST_TMPDIR/file"
    run -66 tl-dashboard "$BATS_TEST_TMPDIR/file"
}

@test "plain: says that it waits, then what happens, then that the supervisor has gone" {
    dashboard "$Q"
    wait_until 5 said "away     waiting for a supervisor of $Q"
    supervisor
    tell "$(queue_record 1000 '"waiting":3,"waiting_bytes":1200000,"oldest":4,"processed":7,"processed_bytes":2000')"
    wait_until 5 said '00:16:40 queue    running: 3 waiting (1.2 MB, oldest 4.0 s), 0 running, 7 processed (2.0 kB), 0 failed'
    tell '{"v":1,"type":"file","time":1001,"event":"claimed","name":"a b.log","size":1200000,"attempt":1}' \
         '{"v":1,"type":"file","time":1002,"event":"done","name":"a b.log","size":1200000,"lines":14003,"seconds":0.31,"attempt":1,"status":0}' \
         '{"v":1,"type":"file","time":1003,"event":"failed","name":"bad","size":5,"seconds":0.1,"attempt":2,"status":65}' \
         '{"v":1,"type":"error","time":1003,"name":"bad","node":"warn","line":12,"text":"no such thing"}' \
         '{"v":1,"type":"trace","time":1004,"name":"a b.log","text":"error: full","path":[["start","error",1],["error","end",2]]}'
    wait_until 5 said 'trace'
    exec 9>&-
    wait_until 5 said "away     it has ended; waiting for a supervisor of $Q"
    supervisor
    tell "$(queue_record 1010 '"processed":1')"
    wait_until 5 said '00:16:50 queue    running: 0 waiting, 0 running, 1 processed (0 B), 0 failed'
    run -0 grep -v -e away -e queue "$OUT"
    assert_line --index 0 '00:16:41 claimed    1.2 MB                           a b.log'
    assert_line --index 1 '00:16:42 done       1.2 MB   14,003 lines    0.31 s  a b.log'
    assert_line --index 2 '00:16:43 failed        5 B         status 65, run 2  bad'
    assert_line --index 3 '00:16:43 error    bad, line 12, node warn: no such thing'
    assert_line --index 4 '00:16:44 trace    a b.log: "error: full": start -> error 1, error -> end 2'
    kill -TERM "$DASH"
    ends_with 0
}

@test "plain: a queue that did not change is not told again" {
    dashboard "$Q"
    supervisor
    tell "$(queue_record 1000 '"waiting":1,"oldest":1')" "$(queue_record 1001 '"waiting":1,"oldest":2')"
    wait_until 5 said queue
    tell "$(queue_record 1002 '"waiting":1,"oldest":3')" "$(queue_record 1003 '"waiting":2,"oldest":4')"
    wait_until 5 said '2 waiting'
    run -0 grep -c queue <(grep -v away "$OUT")
    assert_output 2
}

@test "plain: an error that is told again after an attach is one line" {
    dashboard "$Q"
    supervisor
    tell '{"v":1,"type":"error","time":5,"text":"first"}' '{"v":1,"type":"error","time":5,"text":"first"}' \
         '{"v":1,"type":"error","time":6,"text":"second"}'
    wait_until 5 said second
    run -0 grep -c first "$OUT"
    assert_output 1
}

@test "plain: says when records stop coming" {
    dashboard "$Q"
    supervisor
    tell "$(queue_record 1000)"
    wait_until 8 said 'stale    the last record is 3 s old'
}

@test "json: records as they are, and nothing else" {
    supervisor_stream() {
        queue_record 1
        echo 'not a record'
        echo '{"v":1,"type":"queue","time":1,"waiting":"three"}'
        echo '{"v":2,"type":"queue","time":1}'
        printf '{"v":1,"type":"error","time":2,"text":"%05000d"}\n' 0
        echo '{ "v":1, "type":"node","time":3, "node":"start","lines_in":9007199254740993,"later":[1] }'
        printf '{"v":1,"type":"no'
    }
    dashboard --json "$Q"
    supervisor_stream >"$Q/metrics"
    supervisor
    tell '{"v":1,"type":"trace","time":4,"path":[]}'
    wait_until 5 said trace
    run -0 cat "$OUT"
    assert_equal "${#lines[@]}" 3
    assert_line --index 0 "$(queue_record 1)"
    assert_line --index 1 '{ "v":1, "type":"node","time":3, "node":"start","lines_in":9007199254740993,"later":[1] }'
    assert_line --index 2 '{"v":1,"type":"trace","time":4,"path":[]}'
    run -0 cat "$ERR"
    assert_output ''
}

@test "json: a record behind one that was torn is not lost" {
    dashboard --json "$Q"
    supervisor
    printf '{"v":1,"type":"node","time":1,"no' >&9
    tell "$(queue_record 2)"
    wait_until 5 said '"time":2,'
    run -0 cat "$OUT"
    assert_output "$(queue_record 2)"
}

@test "control characters never reach the terminal" {
    for option in '' --json; do
        # shellcheck disable=SC2086
        dashboard $option "$Q"
        supervisor
        tell '{"v":1,"type":"file","time":1,"event":"done","name":"a\u001b[2J\r\u009b1m\u202e\u007f"}'
        printf '{"v":1,"type":"error","time":2,"text":"raw \302\2331m \177 \342\200\256"}\r\n' >&9
        tell '{"v":1,"type":"error","time":3,"text":"last"}'
        wait_until 5 said last
        run ! grep -qaP '[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' "$OUT"
        exec 9>&-
        kill "$DASH"
        ends_with 0
    done
}

@test "a second dashboard is told so, 75" {
    dashboard --json "$Q"
    supervisor # opens when the first one has the FIFO
    tell "$(queue_record 1)"
    wait_until 5 said queue
    for option in '' --once --json; do
        # shellcheck disable=SC2086
        run -75 tl-dashboard $option "$Q"
        assert_output "tl-dashboard: $Q/metrics: another dashboard reads it; one can at a time"
    done
    kill "$DASH"
    ends_with 0
    exec 9>&-
    run -0 tl-dashboard --once "$Q"
}

@test "once: the first queue record, and the end" {
    dashboard --once "$Q"
    supervisor
    tell '{"v":1,"type":"error","time":5,"text":"first"}' "$(queue_record 1 '"processed":3,"processed_bytes":30')"
    ends_with 0
    run -0 cat "$OUT"
    assert_output 'queue    running: 0 waiting, 0 running, 3 processed (30 B), 0 failed'
}

@test "once: without a supervisor it counts the folders" {
    mkdir "$Q"/{unprocessed,underprocess,processed,failed}
    printf 12345 >"$Q/unprocessed/a"
    printf 12345 >"$Q/unprocessed/"$'new\nline'
    touch "$Q/unprocessed/.hidden" "$Q/unprocessed/x.part" "$Q/unprocessed/x.tmp"
    ln -s a "$Q/unprocessed/link"
    mkdir "$Q/unprocessed/dir"
    printf 1 >"$Q/processed/b"
    printf 22 >"$Q/failed/c"
    printf '{}' >"$Q/failed/c.reason"
    printf 333 >"$Q/failed/d.reason"
    run -0 tl-dashboard --once "$Q"
    assert_output --regexp '^queue    away \(counted from the folders\): 2 waiting \(10 B, oldest [0-9.]+ s\), 0 running, 1 processed \(1 B\), 2 failed$'
    run -0 --separate-stderr tl-dashboard --once --json "$Q"
    run -0 jq -c '[.v, .type, .state, .waiting, .waiting_bytes, .failed, .failed_bytes, .ignored]' <<<"$output"
    assert_output '[1,"queue","away",2,10,2,5,2]'
}

@test "once: an empty queue without FIFO or folders" {
    rm "$Q/metrics"
    run -0 tl-dashboard --once "$Q"
    assert_output 'queue    away (counted from the folders): 0 waiting, 0 running, 0 processed (0 B), 0 failed'
}

@test "waits for a FIFO that comes later, and finds one that was replaced" {
    rm "$Q/metrics"
    dashboard --json "$Q"
    mkfifo "$Q/metrics"
    supervisor
    tell "$(queue_record 1)"
    wait_until 5 said '"time":1,'
    exec 9>&-
    rm "$Q/metrics"
    mkfifo "$Q/metrics"
    supervisor
    tell "$(queue_record 2)"
    wait_until 5 said '"time":2,'
}

@test "something that is not a FIFO is said, not read, and waited out" {
    rm "$Q/metrics"
    queue_record 1 >"$Q/metrics"
    dashboard "$Q"
    wait_until 5 said "away     its metrics is not a FIFO; waiting for a supervisor of $Q"
    rm "$Q/metrics"
    ln -s /dev/zero "$Q/metrics"
    run -0 --separate-stderr timeout 20 tl-dashboard --once "$Q"
    assert_output --partial 'away'
    rm "$Q/metrics"
    mkfifo "$Q/metrics"
    supervisor
    tell "$(queue_record 2 '"waiting":44')"
    wait_until 5 said '44 waiting'
}

@test "does not spin while nobody writes" {
    dashboard "$Q"
    supervisor
    tell "$(queue_record 1)"
    wait_until 5 said queue
    exec 9>&-
    wait_until 5 said 'it has ended'
    local before
    before=$(ticks "$DASH")
    mkdir "$BATS_TEST_TMPDIR/other"
    run -0 tl-dashboard --once "$BATS_TEST_TMPDIR/other" # takes 2 s: it waits for a supervisor
    run -0 test "$(($(ticks "$DASH") - before))" -lt 20
}

@test "ends when nobody reads what it prints" {
    mkfifo "$BATS_TEST_TMPDIR/pipe"
    tl-dashboard "$Q" >"$BATS_TEST_TMPDIR/pipe" 2>"$ERR" 3>&- &
    DASH=$!
    read -r first <"$BATS_TEST_TMPDIR/pipe"
    assert [ -n "$first" ]
    wait_until 5 ended "$DASH"
    ends_with 74
}

@test "a full disk behind standard output is 74" {
    tl-dashboard "$Q" >/dev/full 2>"$ERR" 3>&- &
    DASH=$!
    wait_until 5 ended "$DASH"
    ends_with 74
    run -0 cat "$ERR"
    assert_output 'tl-dashboard: standard output: No space left on device'
}

@test "a flood of records and of dirt is taken, in order" {
    dashboard --json "$Q"
    awk 'BEGIN { for (i = 1; i <= 20000; i++) {
            printf "{\"v\":1,\"type\":\"error\",\"time\":%d,\"text\":\"x\"}\n", i
            if (i % 100 == 0) print "dirt \001\377 {"
        } }' >"$Q/metrics"
    wait_until 20 said '"time":20000,'
    run -0 jq -s 'length == 20000 and ([.[].time] == [range(1; 20001)])' "$OUT"
    assert_output true
}

# The screen, in a terminal of 80 columns and 24 rows.
screen() { tmux -S "$BATS_TEST_TMPDIR/tmux" "$@"; }
shown() { screen capture-pane -p | grep -qF -- "$1"; }
on_screen() {
    screen -f /dev/null new-session -d -x 80 -y 24 \
        "env LC_ALL=${1:-C.UTF-8} tl-dashboard '$Q'; echo \"status \$?\"; exec cat" 3>&-
    wait_until 10 shown "waiting for a supervisor of"
}

@test "screen: says that it waits, shows the queue, ends with q" {
    on_screen
    supervisor
    for i in 1 2 3; do
        tell "$(queue_record "$i" "\"waiting\":3,\"oldest\":4,\"processed\":$((i * 10)),\"processed_bytes\":$((i * 1000))")" \
             "{\"v\":1,\"type\":\"node\",\"time\":$i,\"node\":\"start\",\"lines_in\":$((i * 1500)),\"lines_out\":$((i * 1400)),\"dropped\":100}"
    done
    tell '{"v":1,"type":"file","time":1,"event":"done","name":"日本.log","size":1,"lines":1,"seconds":1}' \
         '{"v":1,"type":"error","time":1,"name":"f","node":"warn","text":"broken"}'
    wait_until 5 shown 'broken'
    run -0 screen capture-pane -p
    assert_line --regexp '^ tagline  /.* running  2 workers  up '
    assert_line --regexp '^ waiting +3 +0 B  for 4.0 s$'
    assert_line --regexp '^ processed +30 +3.0 kB '
    assert_line --regexp '10 files/s  ██$'
    assert_line --regexp '^ NODE +IN +OUT +LINES/S +DROPPED +ERRORS +CPU +MEMORY$'
    assert_line --regexp '^ start +4,500 +4,200 +1,500 +100 +0 '
    assert_line --regexp ' done .* 日本.log$'
    assert_line --regexp ' error    f, node warn: broken$'
    screen send-keys q
    wait_until 5 shown 'status 0'
}

@test "screen: follows the size of the terminal, down to nothing" {
    on_screen
    supervisor
    tell "$(queue_record 1)" '{"v":1,"type":"node","time":1,"node":"start","lines_in":5}'
    wait_until 5 shown start
    screen resize-window -x 120 -y 40
    wait_until 5 shown 'none yet: move files into unprocessed'
    screen resize-window -x 10 -y 3
    tell "$(queue_record 2)"
    wait_until 5 shown 'tagline'
    screen resize-window -x 80 -y 24
    wait_until 5 shown 'none yet: move files into unprocessed'
    screen send-keys q
    wait_until 5 shown 'status 0'
}

@test "screen: what fills it leaves the last row alone" {
    on_screen
    supervisor
    local i size
    tell "$(queue_record 1)"
    for i in {1..12}; do
        tell "{\"v\":1,\"type\":\"node\",\"time\":1,\"node\":\"node$i\",\"lines_in\":5}"
    done
    for i in {1..40}; do
        tell "{\"v\":1,\"type\":\"file\",\"time\":1,\"event\":\"done\",\"name\":\"file$i\",\"size\":1}"
    done
    for i in {1..9}; do
        tell "{\"v\":1,\"type\":\"trace\",\"time\":1,\"name\":\"f\",\"text\":\"way$i\",\"path\":[]}"
    done
    full() { screen capture-pane -p | grep -q "$1" && [[ $(screen capture-pane -p | tail -n 1) == ' q quits' ]]; }
    for size in '110 40' '110 41' '80 24'; do
        screen resize-window -x "${size% *}" -y "${size#* }"
        wait_until 5 full file40
    done
    screen resize-window -x 110 -y 40
    wait_until 5 full way9
    screen resize-window -x 80 -y 11
    wait_until 5 full node1
    screen send-keys q
    wait_until 5 shown 'status 0'
}

@test "screen: says that it holds and why, and that records stop or the supervisor ends" {
    on_screen
    supervisor
    tell '{"v":1,"type":"queue","time":1,"state":"holding","reason":"tl-nonsense: no such command","flow":"f"}'
    wait_until 5 shown 'holding: tl-nonsense: no such command'
    wait_until 8 shown 'last record'
    exec 9>&-
    wait_until 5 shown 'waiting for a supervisor'
    screen send-keys q
    wait_until 5 shown 'status 0'
}

@test "screen: without UTF-8 it is ASCII" {
    on_screen C
    supervisor
    for i in 1 2 3; do tell "$(queue_record "$i" "\"processed\":$((i * 10))")"; done
    wait_until 5 shown '10 files/s  ##'
    screen send-keys q
    wait_until 5 shown 'status 0'
}

@test "screen: a terminal that cannot be drawn on gets lines" {
    screen -f /dev/null new-session -d -x 80 -y 24 "TERM=nonsense tl-dashboard '$Q'; exec cat" 3>&-
    wait_until 5 shown 'plain lines instead'
    wait_until 5 shown 'away'
}

@test "screen: ends with its terminal" {
    on_screen
    supervisor
    tell "$(queue_record 1)"
    wait_until 5 shown 'running'
    screen kill-server
    no_processes_left || { kill_marked; return 1; }
}

@test "tagline-metrics(5) has every field of the table, with its kind, unit and meaning" {
    manual() {
        awk '$1 == ".Ss" { type = $2 } $1 == ".It" && $2 == "Li" && / Ta / {
                line = $0; sub(/^\.It Li /, "", line); gsub(/ Ta /, "|", line); print type "|" line }' \
            "$ROOT/dashboard/tagline-metrics.5"
    }
    table() {
        tr '\n' ' ' <"$ROOT/lib/metrics.c" | grep -oP '\{METRICS_\w+, "\w+", [LCG], "[^"]*", +"[^"]*"\}' |
            awk -F'"' '{ split($1, a, /[{,_]/); type = tolower(a[3]); split($3, k, /[, ]+/)
                kind = k[2] == "L" ? "label" : k[2] == "C" ? "counter" : "gauge"
                print type "|" $2 "|" kind "|" ($4 == "" ? "\\-" : $4) "|" $6 }'
    }
    run -0 grep -cE '^ +\{METRICS_' "$ROOT/lib/metrics.c"
    assert_equal "$output" "$(table | wc -l)"
    run -0 diff <(table) <(manual)
}

@test "tagline-metrics(5): the examples give what they say" {
    dashboard --json "$Q"
    supervisor
    tell '{"v":1,"type":"node","time":1,"node":"start","lines_in":1200}' \
         '{"v":1,"type":"node","time":1,"node":"error","lines_in":17}' \
         '{"v":1,"type":"file","time":1,"event":"claimed","name":"dpkg.log"}' \
         '{"v":1,"type":"file","time":1,"event":"done","name":"dpkg.log","seconds":0.21,"sinks":[{"tag":"end","file":"dpkg.log","lines":1200,"bytes":1}]}' \
         '{"v":1,"type":"file","time":1,"event":"done","name":"GPL-3","seconds":0.01,"sinks":[{"tag":"end","file":"GPL-3","lines":674,"bytes":1}]}' \
         '{"v":1,"type":"trace","time":1,"path":[["input","start",1],["start","error",1],["error","general",1],["general","end",1]]}' \
         '{"v":1,"type":"error","time":1,"node":"warn","text":"tl-match: broken"}'
    wait_until 5 said broken
    # In the examples the stream that was just recorded stands for the one that goes on.
    mandoc -T ascii -O width=200 "$ROOT/dashboard/tagline-metrics.5" | sed 's/.\x08//g' | expand |
        sed -n '/^EXAMPLES/,/^SEE ALSO/s/^           //p' \
        >"$BATS_TEST_TMPDIR/examples"
    run -0 grep -c '^\$ ' "$BATS_TEST_TMPDIR/examples"
    assert_output 5
    while IFS= read -r line; do
        case $line in
        '$ '*)
            printf '%s\n' "$line"
            (eval "${line#'$ tl-dashboard --json QUEUE |'}" <"$OUT") | expand
            ;;
        esac
    done <"$BATS_TEST_TMPDIR/examples" >"$BATS_TEST_TMPDIR/got"
    run -0 diff "$BATS_TEST_TMPDIR/examples" "$BATS_TEST_TMPDIR/got"
}
