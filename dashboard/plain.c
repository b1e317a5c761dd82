/* SPDX-License-Identifier: MIT */
/* The view for logs and pipes: a line an event, and a line on the queue when that has changed, at
 * most one a second. */
#include "contract.h"
#include "human.h"
#include "view.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SUMMARY_EVERY = 1 }; /* seconds */

static const char *queue;
static char told[512]; /* the last line on the queue, without its rate */
static double told_at = -SUMMARY_EVERY;
static enum feed_state state; /* that was told */
static bool begun, stale;

/* Print one line with its clock and free it. */
static void line(double time, struct buf *b)
{
    char clock[HUMAN];
    printf("%s %s\n", human_clock(clock, time), buf_str(b));
    buf_free(b);
}

static double wall(void)
{
    return (double)time(NULL);
}

static bool begin(const char *of)
{
    queue = of;
    return true;
}

static void record(const struct model *m, const struct record *r, bool news, double now)
{
    const char *type = json_string_value(json_object_get(r->json, "type"));
    struct buf b = {0};
    (void)now;
    if (!news)
        return;
    if (strcmp(type, METRICS_FILE) == 0) {
        human_file(&b, &m->files[0]);
        line(m->files[0].time, &b);
    } else if (strcmp(type, METRICS_ERROR) == 0) {
        human_error(&b, &m->errors[0]);
        line(m->errors[0].time, &b);
    } else if (strcmp(type, METRICS_TRACE) == 0) {
        human_trace(&b, &m->traces[0]);
        line(m->traces[0].time, &b);
    }
}

/* What of the queue is worth a line when it changes: not its ages and rates, which always do. */
static bool changed(const struct model_queue *q)
{
    char now[sizeof told];
    snprintf(now, sizeof now, "%.100s %.200s %.0f %.0f %.0f %.0f %.0f %.0f", q->state, q->reason,
             q->workers, q->waiting, q->running, q->processed, q->failed, q->retried);
    if (strcmp(now, told) == 0)
        return false;
    snprintf(told, sizeof told, "%s", now);
    return true;
}

/* Supervisors that come, go, or fall silent: one line at each change. */
static void tell_feed(const struct moment *at)
{
    struct buf b = {0};
    bool quiet = at->feed == FEED_WRITTEN && at->now - at->last > VIEW_STALE;
    if (at->feed != FEED_WRITTEN && (!begun || state == FEED_WRITTEN)) {
        const char *why = at->feed == FEED_NOT_FIFO ? "its metrics is not a FIFO; "
                          : begun                   ? "it has ended; "
                                                    : "";
        buf_addf(&b, "%-8s %swaiting for a supervisor of %s", "away", why, queue);
        line(wall(), &b);
        told[0] = '\0'; /* the next one begins with its own line */
    } else if (quiet && !stale) {
        buf_addf(&b, "%-8s the last record is %d s old", "stale", VIEW_STALE);
        line(wall(), &b);
    }
    stale = quiet;
    begun = true;
    state = at->feed;
}

static bool tick(const struct model *m, const struct moment *at)
{
    struct buf b = {0};
    tell_feed(at);
    if (m->known && at->now - told_at >= SUMMARY_EVERY && at->feed == FEED_WRITTEN &&
        changed(&m->queue)) {
        human_queue(&b, &m->queue);
        line(m->queue.time, &b);
        told_at = at->now;
    }
    view_flush();
    return true;
}

static void end(void)
{
    view_flush();
}

const struct view view_plain = {begin, record, tick, end};
