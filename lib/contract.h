/* SPDX-License-Identifier: MIT */
/*
 * What crosses a process boundary, and nothing else: control words, the queue's folders, the lines
 * between supervisor and router, the names in metrics. tagline(5), tl-router(1) and
 * tagline-metrics(5) say what they mean.
 */
#ifndef CONTRACT_H
#define CONTRACT_H

#include <sysexits.h>

/* Exit statuses outside sysexits(3) that a shell or exec gives: both mean that a command cannot
 * run. */
#define EXIT_CANNOT_RUN 126
#define EXIT_NOT_FOUND  127

/* Router to filter, and back (tagline(5)). */
#define CONTROL          '!'
#define CONTROL_HELLO    "!hello 1"
#define CONTROL_FENCE    "!fence "
#define CONTROL_END      "!end "
#define CONTROL_SHARE    "!share "
#define CONTROL_SAVE     "!save "
#define CONTROL_STATE    "!state " /* before the answer to save */
#define CONTROL_LOAD     "!load "
#define SHARE_OK         "ok" /* at the end of the answer: the region is mapped */
#define SHARE_LEFT       "@"  /* in an answer to a fence: bytes of output left in the region ... */
#define SHARE_LEFT_TEXTS "="  /* ... without their tags, which all lines kept */
#define CAN_CARD         "card" /* words of an answer to hello */
#define CAN_SHARE        "share"
#define CAN_STATELESS    "stateless"
#define CAN_MAP          "map"
#define CAN_STATE        "state"
#define ENV_MAX_LINE     "TAGLINE_MAX_LINE"
#define ENV_ENDS         "TAGLINE_ENDS" /* inodes of the pipes to and from a filter, "IN:OUT" */

#ifndef HELLO_SECONDS /* tests where all is slow are built with more */
#define HELLO_SECONDS 5
#endif

/* A queue (tagline-queue(5)). */
#define QUEUE_UNPROCESSED  "unprocessed"
#define QUEUE_UNDERPROCESS "underprocess"
#define QUEUE_PROCESSED    "processed"
#define QUEUE_OUTPUT       "output"
#define QUEUE_FAILED       "failed"
#define QUEUE_METRICS      "metrics"
#define QUEUE_STATE        ".tagline"

/* Words to the supervisor of a queue from another tl-supervisor, and what it says of itself: while
 * the file of the pause is there, nothing is claimed; one that asks is removed when it was looked
 * at, and names a file to run again now, or none. The status is one JSON object, replaced whole. */
#define QUEUE_CONTROL QUEUE_STATE "/control"
#define QUEUE_PAUSE   QUEUE_CONTROL "/pause"
#define QUEUE_ASK     "ask-"
#define QUEUE_STATUS  QUEUE_STATE "/status"

/*
 * Supervisor to router, one line a job on the router's standard input (tl-router --worker):
 *     job ID INPUT DIR NAME [trace] [checkpoint=FILE every=TIME|SIZE [sync]]
 * ID: a decimal number. INPUT: path of the file to read. DIR: an existing empty directory that
 * receives one file a sink. NAME: what %f stands for. FILE: where a checkpoint is kept; if one is
 * there, and DIR is as it was then, the job goes on from it. The words are separated by one space;
 * in each, bytes outside [A-Za-z0-9._/-] may be and space, newline, % must be written %XX. The
 * answer is one JSON object on one line (see tl-router(1), WORKER).
 */
#define WORKER_JOB        "job"
#define WORKER_TRACE      "trace"
#define WORKER_CHECKPOINT "checkpoint="
#define WORKER_EVERY      "every="
#define WORKER_SYNC       "sync"
/* In a worker's environment: the number of the descriptor that holds the lock of the queue for it;
 * its own children must not inherit it. */
#define ENV_LOCK_FD "TAGLINE_LOCK_FD"
/* ... and how its messages shall look, plain or journal. */
#define ENV_LOG "TAGLINE_LOG"

/* Metrics: "v" and "type" of each record (tagline-metrics(5)). */
#define METRICS_VERSION 1
#define METRICS_QUEUE   "queue"
#define METRICS_NODE    "node"
#define METRICS_FILE    "file"
#define METRICS_ERROR   "error"
#define METRICS_TRACE   "trace"

#endif
