/* SPDX-License-Identifier: MIT */
/* The states of the supervisor. Trust: none of its own data comes from outside; reasons for a hold
 * may quote any bytes and are shown escaped. */
#include "super.h"
#include "class.h"
#include "msg.h"
#include "sdnotify.h"
#include "tagline.h"
#include "text.h"
#include "times.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    STORM_LEAST_MS = 1000,
    STORM_MOST_MS = 30000,
    FLOW_HOLD_MS = 30000,
    DISK_MS = 1000,  /* between two looks at a disk that is full */
    DISK_SLACK = 10, /* it is no longer full when a tenth more than asked for is free */
};

const char *super_state_name(enum super_state state)
{
    static const char *const names[] = {"starting", "running",  "paused",
                                        "holding",  "draining", "stopped"};
    return names[state];
}

/* What may follow what. A drain ends only in a stop; nothing goes back to the start. */
static bool may_follow(enum super_state from, enum super_state to)
{
    switch (from) {
    case SUPER_STARTING:
    case SUPER_RUNNING:
    case SUPER_PAUSED:
    case SUPER_HOLDING:
        return to != SUPER_STARTING && to != SUPER_STOPPED;
    case SUPER_DRAINING:
        return to == SUPER_STOPPED;
    case SUPER_STOPPED:
        break;
    }
    return false;
}

void super_enter(struct super *s, enum super_state next)
{
    if (s->state == next)
        return;
    if (!may_follow(s->state, next))
        tl_bug("from %s to %s", super_state_name(s->state), super_state_name(next));
    bool first = s->state == SUPER_STARTING;
    s->state = next;
    if (next == SUPER_DRAINING)
        sdnotify_send("STOPPING=1");
    super_tell(s);
    /* The queue is recovered, and whether the flow can run is known. */
    if (first && next != SUPER_DRAINING)
        sdnotify_ready();
}

void super_tell(const struct super *s)
{
    char text[256 + sizeof s->reason];
    const char *state = super_state_name(s->state);
    if (s->hold != HOLD_NONE)
        snprintf(text, sizeof text, "%s: %s", state, s->reason);
    else
        snprintf(text, sizeof text,
                 "%s: %zu waiting, %zu in work, %" PRId64 " processed, %" PRId64 " failed", state,
                 waiting_count(&s->waiting), work_running(s), s->accounts.processed,
                 s->accounts.failed);
    sdnotify_status(text);
}

static long hold_ms(struct super *s, enum super_hold why)
{
    if (why == HOLD_DISK)
        return DISK_MS;
    if (why != HOLD_STORM)
        return s->opt.backoff_most < FLOW_HOLD_MS ? s->opt.backoff_most : FLOW_HOLD_MS;
    s->storm_wait = s->storm_wait ? s->storm_wait * 2 : STORM_LEAST_MS;
    if (s->storm_wait > STORM_MOST_MS)
        s->storm_wait = STORM_MOST_MS;
    return s->storm_wait;
}

/* A flow that cannot run lets go of all that was claimed, and of workers that would only repeat it.
 */
static void let_go(struct super *s, long long now)
{
    work_put_back_all(s);
    for (size_t i = 0; i < s->pool.n; i++)
        pool_retire(&s->pool.workers[i], now);
}

void super_hold(struct super *s, enum super_hold why, const char *format, ...)
{
    char text[sizeof s->reason];
    struct buf shown = {0};
    long long now = times_ms();
    va_list ap;
    /* A hold for the flow outranks the others; a second of the same kind says nothing new. */
    if (s->hold == HOLD_FLOW || s->hold == why)
        return;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    text_escape(&shown, text, strlen(text));
    bool known = s->hold != HOLD_NONE && strcmp(s->reason, buf_str(&shown)) == 0;
    snprintf(s->reason, sizeof s->reason, "%s", buf_str(&shown));
    buf_free(&shown);
    s->hold = why;
    long wait = hold_ms(s, why);
    s->hold_until = now + wait;
    if (s->state == SUPER_DRAINING)
        return;
    if (!known)
        msg_at(MSG_ERROR, "hold: %s; nothing is claimed, trying again in %ld.%03ld s%s", s->reason,
               wait / 1000, wait % 1000, why == HOLD_FLOW ? " or on HUP" : "");
    report_trouble(s, s->reason);
    super_enter(s, SUPER_HOLDING);
    if (why == HOLD_FLOW)
        let_go(s, now);
}

void super_storm(struct super *s, const char *what)
{
    super_hold(s, HOLD_STORM, "%s: %s: %s", s->store.path, what, strerror(errno));
}

/* Is there less room than there must be so that files are claimed? More, if that was so before. */
static bool is_less(const struct super *s, const struct room *room, double least)
{
    return (double)room->avail < least + (s->hold == HOLD_DISK ? least / DISK_SLACK : 0);
}

static bool part_short(const struct super *s, const struct room *room, const char *of,
                       struct buf *text)
{
    long percent = s->opt.min_free.percent;
    if (!percent || !is_less(s, room, (double)room->total * (double)percent / 100))
        return false;
    buf_addf(text, "%.1f%% of the %s free, less than %ld%%",
             100 * (double)room->avail / (double)room->total, of, percent);
    return true;
}

/* And how much is there? */
static bool disk_short(const struct super *s, struct buf *text)
{
    const struct least_free *least = &s->opt.min_free;
    struct room bytes, files;
    if ((!least->percent && !least->bytes) || store_free(&s->store, &bytes, &files) != 0)
        return false;
    if (part_short(s, &bytes, "disk is", text) || part_short(s, &files, "disk's inodes are", text))
        return true;
    if (!least->bytes || !is_less(s, &bytes, (double)least->bytes))
        return false;
    buf_addf(text, "%" PRIu64 " bytes of the disk are free, less than %" PRId64, bytes.avail,
             least->bytes);
    return true;
}

void super_check_disk(struct super *s)
{
    struct buf text = {0};
    if (s->state == SUPER_RUNNING && disk_short(s, &text))
        super_hold(s, HOLD_DISK, "%s: %s", s->store.path, buf_str(&text));
    buf_free(&text);
}

void super_resume(struct super *s)
{
    struct buf text = {0};
    bool is_short = s->hold == HOLD_DISK && disk_short(s, &text);
    buf_free(&text);
    if (is_short)
        return;
    bool held = s->hold != HOLD_NONE;
    s->hold = HOLD_NONE;
    if (held)
        blame_next_era(&s->blame);
    s->reason[0] = '\0';
    if (s->state == SUPER_DRAINING)
        return;
    if (held && !s->paused)
        msg_at(MSG_INFO, "resume: files are claimed again");
    super_enter(s, s->paused ? SUPER_PAUSED : SUPER_RUNNING);
}

void super_pause(struct super *s, bool pause)
{
    if (s->paused == pause)
        return;
    s->paused = pause;
    msg_at(MSG_INFO, pause ? "pause: nothing is claimed until tl-supervisor --resume"
                           : "resume: the pause is over");
    if (s->state == SUPER_RUNNING || s->state == SUPER_PAUSED)
        super_enter(s, pause ? SUPER_PAUSED : SUPER_RUNNING);
}

void super_drain(struct super *s)
{
    if (s->state == SUPER_DRAINING)
        return;
    adopt_cancel(s);
    super_enter(s, SUPER_DRAINING);
    s->hold = HOLD_NONE;
    work_put_back_all(s);
}

/* The storm may be over: can results be written, and what was ready be published? */
static bool calm(struct super *s)
{
    return store_folders(&s->store) == 0 && store_probe(&s->store, true) == 0;
}

void super_hold_step(struct super *s, long long now)
{
    if (s->hold == HOLD_NONE || now < s->hold_until || s->state == SUPER_DRAINING)
        return;
    if (s->hold == HOLD_DISK) {
        s->hold_until = now + DISK_MS;
        super_resume(s);
        return;
    }
    if (s->hold == HOLD_STORM && calm(s)) {
        if (s->adopt.generation)
            super_resume(s);
        else
            s->hold = HOLD_NONE; /* the flow comes first */
    } else {
        s->hold_until = now + hold_ms(s, s->hold);
    }
    if (s->adopt.phase != ADOPT_IDLE)
        return; /* it is being tried; to ask for another would put off what a reload waits for */
    if (s->hold != HOLD_STORM && (s->hold != HOLD_NONE || !s->adopt.generation))
        adopt_begin(s);
}

/* The service manager hears from us between two syncs, however many there are. */
static void alive(void)
{
    sdnotify_alive(times_ms());
}

void super_publish_step(struct super *s)
{
    if (!publish_pending(&s->publish) || s->hold == HOLD_STORM)
        return;
    if (publish_round(&s->publish, alive) == 0)
        return;
    super_storm(s, s->publish.where);
    if (s->state == SUPER_DRAINING) {
        msg_at(MSG_ERROR, "stop: %s; what is not published runs again at the next start",
               s->reason);
        s->status = EX_TEMPFAIL;
    }
}

/* With --once: is all done that could be found? */
static bool through(const struct super *s)
{
    return s->opt.once && s->state == SUPER_RUNNING && s->scan.passes > 0 && !s->scan.dir &&
           waiting_count(&s->waiting) == s->waiting.blocked && work_running(s) == 0;
}

void super_end_step(struct super *s)
{
    if (s->opt.once && s->state == SUPER_PAUSED && pool_jobs(&s->pool) == 0) {
        tl_warn("stop: %s: is paused; see tl-supervisor --resume", s->store.path);
        s->status = EX_TEMPFAIL;
        super_drain(s);
    }
    if (through(s)) {
        keep_all(&s->keep);
        s->status = s->accounts.failed ? EX_DATAERR : s->waiting.blocked ? EX_NOPERM : EX_OK;
        super_drain(s);
    }
    if (s->state != SUPER_DRAINING || pool_jobs(&s->pool) > 0)
        return;
    if (publish_pending(&s->publish) && s->hold == HOLD_NONE && !s->now)
        return;
    for (size_t i = 0; i < s->pool.n; i++)
        pool_retire(&s->pool.workers[i], times_ms());
    if (pool_running(&s->pool) > 0)
        return;
    publish_abandon(&s->publish);
    work_put_back_all(s);
    super_enter(s, SUPER_STOPPED);
}
