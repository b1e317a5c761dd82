#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# tl-report: what it makes of a queue's folders and of recorded runs, and of bytes that are neither.

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert
load helper

setup() {
    REPORT=$ROOT/scripts/report
    Q=$BATS_TEST_TMPDIR/queue
    mkdir -p "$Q"/{unprocessed,underprocess,processed,failed,output}
}

@test "help, version, wrong usage" {
    run -0 "$REPORT" --help
    assert_line --index 0 'usage: tl-report QUEUE'
    run -0 "$REPORT" -h
    run -0 "$REPORT" --version
    assert_output "tl-report $(sed -n 's/.*TL_VERSION *"\(.*\)"/\1/p' "$ROOT/lib/tagline.h")"
    run -64 "$REPORT"
    run -64 "$REPORT" a b
    run -64 "$REPORT" --nonsense
    assert_output 'tl-report: --nonsense: no such option; see tl-report -h'
}

@test "what is not there is 66, what is no record is 65, what cannot be written is 74: one line each" {
    run -66 "$REPORT" "$BATS_TEST_TMPDIR/none"
    assert_equal "${#lines[@]}" 1
    run -66 "$REPORT" "$BATS_TEST_TMPDIR"
    assert_output "tl-report: $BATS_TEST_TMPDIR: not a queue: it has no folder unprocessed"
    echo hello >"$BATS_TEST_TMPDIR/hello"
    run -65 "$REPORT" "$BATS_TEST_TMPDIR/hello"
    assert_output "tl-report: $BATS_TEST_TMPDIR/hello: holds no record of tl-dashboard --json or tl-router --worker"
    : >"$BATS_TEST_TMPDIR/empty"
    run -65 "$REPORT" "$BATS_TEST_TMPDIR/empty"
    full() { "$REPORT" "$Q" >/dev/full; }
    run -74 full
    assert_equal "${#lines[@]}" 1
}

@test "without jq it says so, 69" {
    run -69 env PATH="$BATS_TEST_TMPDIR" /bin/sh "$REPORT" "$Q"
    assert_output 'tl-report: jq: not found; install it'
}

@test "an empty queue" {
    run -0 "$REPORT" "$Q"
    assert_output "queue $Q
  waiting          0 files        0 B
  running          0 files        0 B
  processed        0 files        0 B
  failed           0 files        0 B
  results          0 files        0 B"
}

@test "a queue: folders, reasons, results" {
    printf 12345 >"$Q/unprocessed/a"
    touch "$Q/unprocessed/.hidden" "$Q/unprocessed/x.part" "$Q/unprocessed/x.tmp"
    printf 1 >"$Q/underprocess/b"
    truncate -s 1234567 "$Q/processed/c"
    for n in 1 2 3; do
        printf xx >"$Q/failed/f$n"
        echo "{\"class\":\"data\",\"status\":65,\"node\":\"warn\",\"error\":\"line $n is too long: \\\"x$n\\\"\"}" >"$Q/failed/f$n.reason"
    done
    printf xx >"$Q/failed/g"
    printf '{"status":70,"node":"","error":"tl-x died"}' >"$Q/failed/g.reason"
    printf xx >"$Q/failed/h"
    printf '{torn' >"$Q/failed/h.reason"
    printf xx >"$Q/failed/only.reason"
    printf res >"$Q/output/r"
    run -0 "$REPORT" "$Q"
    assert_line '  waiting           1 file        5 B'
    assert_line '  running           1 file        1 B'
    assert_line '  processed         1 file     1.2 MB'
    assert_line '  failed           6 files       12 B'
    assert_line '  results           1 file        3 B'
    assert_line --index 7 '    3 files  status 65, node warn: line 1 is too long: "x1"'
    assert_line '     1 file  status 70: tl-x died'
    assert_line '        3 B  r'
}

@test "a queue with hostile names" {
    printf 1 >"$Q/processed/"$'new\nline'
    printf 1 >"$Q/processed/-x"
    printf 1 >"$Q/processed/"$'bad\xff'
    printf 1 >"$Q/output/"$'esc\e[2J\nx'
    printf 1 >"$Q/output/%s\$(false)\\"
    run -0 "$REPORT" "$Q"
    assert_line '  processed        3 files        3 B'
    assert_line '        1 B  esc?[2J?x'
    # shellcheck disable=SC2016,SC1003
    assert_line '        1 B  %s$(false)\'
}

@test "a recorded stream of a dashboard" {
    cat >"$BATS_TEST_TMPDIR/run" <<'EOF'
{"v":1,"type":"queue","time":1,"processed":2}
{"v":1,"type":"node","time":1,"node":"start","lines_in":1200,"lines_out":1200,"cpu":0.25}
{"v":1,"type":"node","time":2,"node":"start","lines_in":2200,"lines_out":2100,"dropped":100,"errors":0,"cpu":0.5}
not a record
{"v":1,"type":"file","time":1,"event":"claimed","name":"dpkg.log"}
{"v":1,"type":"file","time":1,"event":"done","name":"dpkg.log","size":1200345,"lines":14003,"seconds":0.21,"sinks":[{"tag":"end","file":"dpkg.log","lines":1200,"bytes":1000000}]}
{"v":1,"type":"file","time":1,"event":"done","name":"GPL\u001b","size":5,"lines":2,"seconds":0.01,"sinks":[{"tag":"end","file":"GPL-3","lines":674,"bytes":1},{"tag":"bad","file":null,"lines":3,"bytes":9}]}
{"v":1,"type":"file","time":1,"event":"failed","name":"x","status":65}
{"v":1,"type":"error","time":1,"node":"warn","text":"tl-match: broken"}
{"v":1,"type":"error","time":2,"node":"warn","text":"tl-match: broken"}
EOF
    run -0 "$REPORT" "$BATS_TEST_TMPDIR/run"
    assert_output "run $BATS_TEST_TMPDIR/run, 9 records
  done             2 files     1.2 MB  14,005 lines
  retried          0 files
  failed            1 file

node                         in          out      dropped   errors     cpu
  start                   2,200        2,100          100        0   0.5 s

sink                      files        lines        bytes
  end                         2        1,874       1.0 MB
  bad                         1            3          9 B

the slowest files
       0.21 s  dpkg.log
       0.01 s  GPL?

errors
          2  node warn: tl-match: broken"
}

@test "the answers of a router's worker are added up" {
    workers() {
        for id in 1 2; do
            echo "{\"id\":$id,\"status\":0,\"lines\":10,\"bytes\":100,\"nodes\":[{\"node\":\"start\",\"lines_in\":10,\"lines_out\":9,\"dropped\":1}],\"sinks\":[{\"tag\":\"end\",\"file\":\"a\",\"lines\":9,\"bytes\":120}]}"
        done
        echo '{"id":3,"status":70,"error":"it died","node":"start"}'
    }
    report() { workers | "$REPORT" -; }
    run -0 report
    assert_line --index 0 'run standard input, 3 records'
    assert_line --index 1 '  done             2 files      200 B  20 lines'
    assert_line --regexp '^  start +20 +18 +2 +0 '
    assert_line --regexp '^  end +2 +18 +240 B$'
    assert_line '          1  node start: it died'
}

@test "the answers of a real worker" {
    printf 'error: disk full\nwarn: hot\nfine\n' >"$BATS_TEST_TMPDIR/in"
    mkdir "$BATS_TEST_TMPDIR/dir"
    worker() {
        echo "job 1 $BATS_TEST_TMPDIR/in $BATS_TEST_TMPDIR/dir in" |
            tl-router --worker "$ROOT/scripts/flows/triage.flow" | "$REPORT" -
    }
    run -0 worker
    assert_line --index 1 '  done              1 file       32 B  3 lines'
    assert_line --regexp '^  end +1 +3 '
}
