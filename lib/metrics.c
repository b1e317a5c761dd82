/* SPDX-License-Identifier: MIT */
/* The table of metrics. Every record also carries "v" (METRICS_VERSION), "type", and "time"
 * (seconds since 1970, with fraction). */
#include "metrics.h"
#include "contract.h"

#include <stddef.h>

#define L METRIC_LABEL
#define C METRIC_COUNTER
#define G METRIC_GAUGE

const struct metric metrics[] = {
    {METRICS_QUEUE, "flow", L, "", "path of the flow file"},
    {METRICS_QUEUE, "state", L, "",
     "starting, running, paused, holding (claims nothing; see reason), draining"},
    {METRICS_QUEUE, "reason", L, "", "why it is holding, or empty"},
    {METRICS_QUEUE, "workers", G, "processes", "routers that run"},
    {METRICS_QUEUE, "waiting", G, "files", "in unprocessed, ready or settling"},
    {METRICS_QUEUE, "waiting_bytes", G, "bytes", "their size"},
    {METRICS_QUEUE, "oldest", G, "seconds", "age of the oldest of them"},
    {METRICS_QUEUE, "running", G, "files", "in underprocess"},
    {METRICS_QUEUE, "running_bytes", G, "bytes", "their size"},
    {METRICS_QUEUE, "processed", C, "files", "moved to processed"},
    {METRICS_QUEUE, "processed_bytes", C, "bytes", "their size"},
    {METRICS_QUEUE, "failed", C, "files", "moved to failed"},
    {METRICS_QUEUE, "failed_bytes", C, "bytes", "their size"},
    {METRICS_QUEUE, "removed", C, "files", "old ones, removed by --keep"},
    {METRICS_QUEUE, "removed_bytes", C, "bytes", "their size"},
    {METRICS_QUEUE, "retried", C, "runs", "runs that failed and are tried again"},
    {METRICS_QUEUE, "ignored", G, "files", "entries of unprocessed that are not regular files"},
    {METRICS_QUEUE, "lines", C, "lines", "input lines of processed files"},
    {METRICS_QUEUE, "uptime", G, "seconds", "since the supervisor started"},
    {METRICS_QUEUE, "records_dropped", C, "records", "metrics that nobody read in time"},
    {METRICS_NODE, "node", L, "", "tag of the node"},
    {METRICS_NODE, "lines_in", C, "lines", "given to it"},
    {METRICS_NODE, "bytes_in", C, "bytes", "their text, newlines included"},
    {METRICS_NODE, "lines_out", C, "lines", "that came out of it"},
    {METRICS_NODE, "bytes_out", C, "bytes", "their text, newlines included"},
    {METRICS_NODE, "dropped", C, "lines", "that gave nothing, where the command tells"},
    {METRICS_NODE, "errors", C, "errors", "jobs that failed at it"},
    {METRICS_NODE, "cpu", C, "seconds", "user and system time of its processes"},
    {METRICS_NODE, "memory", G, "bytes", "resident memory of its processes"},
    {METRICS_NODE, "restarts", C, "processes", "started beyond the first of each worker"},
    {METRICS_FILE, "event", L, "", "claimed, done, retried, failed"},
    {METRICS_FILE, "name", L, "", "file name, unprintable bytes escaped"},
    {METRICS_FILE, "size", G, "bytes", "of the input"},
    {METRICS_FILE, "lines", G, "lines", "of the input"},
    {METRICS_FILE, "seconds", G, "seconds", "from claim to this event"},
    {METRICS_FILE, "attempt", G, "runs", "which run this was, from 1"},
    {METRICS_FILE, "status", G, "", "exit status as of sysexits(3), 0 for done"},
    {METRICS_FILE, "sinks", L, "", "of done: list of {tag, file, lines, bytes}"},
    {METRICS_ERROR, "name", L, "", "the file that was worked on, or empty"},
    {METRICS_ERROR, "node", L, "", "the node at fault, or empty"},
    {METRICS_ERROR, "line", G, "", "input line, 0 where it is not known"},
    {METRICS_ERROR, "text", L, "", "what is wrong, one line"},
    {METRICS_TRACE, "name", L, "", "the file"},
    {METRICS_TRACE, "text", L, "", "the first bytes of its first line"},
    {METRICS_TRACE, "path", L, "",
     "list of [from, to, lines]: the hops of that line and its descendants"},
    {NULL, NULL, L, NULL, NULL},
};
