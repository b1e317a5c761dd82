/* SPDX-License-Identifier: MIT */
/*
 * Jobs: claimed, handed to workers, kept for another run, given back. Trust: a file
 * may kill every worker that it meets, and may be exchanged or taken away at any moment; each run
 * begins by looking at what lies in underprocess now.
 */
#include "work.h"
#include "class.h"
#include "msg.h"
#include "names.h"
#include "reason.h"
#include "super.h"
#include "tagline.h"
#include "talk.h"
#include "text.h"
#include "times.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    DELAYED_MOST = 10000,    /* files that wait in underprocess for another run */
    BLOCK_SAME_MS = 1000,    /* a file of that name is at work; its end wakes us sooner */
    BLOCK_DENIED_MS = 60000, /* we may not take the file */
    TRACE_MS = 1000,
};

/* What is in order is no warning, and what somebody must look at is more than one. */
static enum msg_level level_of(const char *event)
{
    return strcmp(event, "done") == 0     ? MSG_INFO
           : strcmp(event, "failed") == 0 ? MSG_ERROR
                                          : MSG_WARNING;
}

void work_log(const struct job *j, const char *event, const char *why)
{
    struct buf name = {0}, text = {0};
    text_escape(&text, why, strlen(why));
    msg_at(level_of(event), "%s: %s%s%s", event, job_shown(j, &name), text.len ? ": " : "",
           buf_str(&text));
    buf_free(&name);
    buf_free(&text);
}

void work_delay(struct super *s, struct job *j, long ms, long long now)
{
    j->due = now + ms;
    job_add(&s->delayed, j);
    if (s->next_retry < 0 || j->due < s->next_retry)
        s->next_retry = j->due;
}

bool work_count(struct super *s, const struct job *j)
{
    if (attempts_set(&s->attempts, j->name, j->input.inode, &j->history) == 0)
        return true;
    super_storm(s, "cannot write the log of attempts");
    return false;
}

void work_uncharge(struct super *s, struct job *j)
{
    history_undo(&j->history);
    work_count(s, j);
}

void work_forget(struct super *s, struct job *j)
{
    const struct history none = {0};
    if (attempts_set(&s->attempts, j->name, j->input.inode, &none) != 0)
        super_storm(s, "cannot write the log of attempts");
    waiting_unblock(&s->waiting, j->name);
    job_free(j);
}

void work_begin_anew(struct super *s, struct job *j)
{
    j->history = (struct history){0};
    work_count(s, j);
}

void work_drop(struct super *s, struct job *j)
{
    if (j->id)
        job_drop(&s->store, j);
    reply_free(&j->reply);
    j->id = 0;
    j->kept = false;
}

void work_keep(struct super *s, struct job *j)
{
    char path[STORE_PATH];
    reply_free(&j->reply);
    j->kept = j->id && s->opt.checkpoint &&
              faccessat(s->store.root, job_checkpoint(j, path), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    if (!j->kept)
        work_drop(s, j);
}

/* Move the file back to unprocessed and end the job; false if its place is taken. */
static bool put_back(struct super *s, struct job *j)
{
    char from[STORE_PATH], to[STORE_PATH];
    if (store_move(&s->store, job_input(j, from), store_path(to, QUEUE_UNPROCESSED, j->name)) != 0)
        return false;
    work_drop(s, j);
    scan_look(&s->scan, j->name, true, times_ms());
    waiting_unblock(&s->waiting, j->name);
    job_free(j);
    return true;
}

void work_retry(struct super *s, struct job *j, long ms, long long now)
{
    char name[NAME_BYTES + 1];
    memcpy(name, j->name, strlen(j->name) + 1);
    if (s->delayed.n < DELAYED_MOST || !put_back(s, j)) {
        work_delay(s, j, ms, now);
        return;
    }
    struct waiting_file *f = waiting_find(&s->waiting, name);
    if (f)
        waiting_delay(&s->waiting, f, ms, now);
}

void work_put_back_all(struct super *s)
{
    for (struct job *j = s->delayed.first, *next; j; j = next) {
        next = j->next;
        job_remove(&s->delayed, j);
        if (!put_back(s, j))
            job_add(&s->delayed, j);
    }
}

void work_return(struct super *s, struct job *j)
{
    if (!put_back(s, j))
        work_delay(s, j, WORK_AGAIN_MS, times_ms());
}

bool work_hasten(struct super *s, const char *name, long long now)
{
    for (struct job *j = s->delayed.first; j; j = j->next) {
        if (strcmp(j->name, name) != 0)
            continue;
        j->due = s->next_retry = now;
        return true;
    }
    return false;
}

/* What lies in underprocess under the job's name must be a file, and is what the run is about. */
static bool look_again(struct super *s, struct job *j)
{
    char path[STORE_PATH];
    struct identity id;
    if (store_look(&s->store, job_input(j, path), &id) != 0) {
        if (errno != ENOENT) {
            super_storm(s, "cannot look at a claimed file");
            work_delay(s, j, WORK_AGAIN_MS, times_ms());
        } else {
            work_drop(s, j);
            work_forget(s, j);
        }
        return false;
    }
    if (!id.regular) {
        work_return(s, j); /* it was exchanged; the scan will say what it is */
        return false;
    }
    if (j->kept && !store_same(&j->input, &id))
        work_drop(s, j);
    j->input = id;
    return true;
}

/* Run the job now. The attempt is on record before the worker hears of it: a first one by the place
 * where the file lies, others in the log. */
static void begin_run(struct super *s, struct job *j, bool alone, bool keep, long long now)
{
    char folder[STORE_PATH];
    if (!look_again(s, j))
        return;
    bool kept = j->kept;
    j->kept = false;
    if (!kept)
        j->id = ++s->next_id;
    history_begin(&j->history, times_wall() / 1000000);
    j->era = s->blame.era;
    memcpy(j->flow_hash, s->adopt.hash, sizeof j->flow_hash);
    bool ready = kept || mkdirat(s->store.root, job_folder(j, folder), 0700) == 0;
    if (!ready)
        super_storm(s, "cannot make a folder for results");
    if (!ready || (j->history.runs > 1 && !work_count(s, j))) {
        history_undo(&j->history);
        work_keep(s, j);
        work_delay(s, j, WORK_AGAIN_MS, now);
        return;
    }
    j->trace = now >= s->next_trace;
    if (j->trace)
        s->next_trace = now + TRACE_MS;
    if (!j->told)
        report_file(s, j, "claimed", now);
    j->told = true;
    talk_give(&s->pool, pool_room(&s->pool, s->adopt.generation, alone, keep), j, alone,
              s->store.path, now);
}

/* The claim failed: is it the file, or the system? */
static void claim_failed(struct super *s, struct waiting_file *f, long long now)
{
    int error = errno;
    struct buf name = {0};
    if (error == ENOENT) {
        waiting_forget(&s->waiting, f);
        s->scan.wanted = s->scan.wanted || !store_in_place(&s->store);
        return;
    }
    if (error == EEXIST) {
        waiting_block(&s->waiting, f, BLOCK_SAME_MS, now);
        return;
    }
    if (class_storm(error) ||
        faccessat(s->store.root, QUEUE_UNPROCESSED, W_OK | X_OK, AT_EACCESS) != 0 ||
        faccessat(s->store.root, QUEUE_UNDERPROCESS, W_OK | X_OK, AT_EACCESS) != 0) {
        errno = error;
        super_storm(s, "cannot claim files");
        return;
    }
    text_escape(&name, f->name, strlen(f->name));
    errno = error;
    tl_warn("%s/" QUEUE_UNPROCESSED "/%s: cannot be claimed: %m", s->store.path, buf_str(&name));
    buf_free(&name);
    waiting_block(&s->waiting, f, BLOCK_DENIED_MS, now);
}

/* Claim the file by renaming it; the job, or NULL. */
static struct job *claim(struct super *s, struct waiting_file *f, long long now)
{
    char from[STORE_PATH], to[STORE_PATH];
    store_path(from, QUEUE_UNPROCESSED, f->name);
    store_path(to, QUEUE_UNDERPROCESS, f->name);
    if (store_move(&s->store, from, to) != 0) {
        claim_failed(s, f, now);
        return NULL;
    }
    struct job *j = job_new(f->name, &f->id, now);
    waiting_taken(&s->waiting, f);
    attempts_of(&s->attempts, j->name, j->input.inode, &j->history);
    if (reason_withdraw(&s->store, j->name))
        work_begin_anew(s, j);
    return j;
}

/* The first delayed job that is due, taken out; or NULL. */
static struct job *take_due(struct super *s, long long now)
{
    if (s->next_retry < 0 || now < s->next_retry)
        return NULL;
    s->next_retry = -1;
    for (struct job *j = s->delayed.first; j; j = j->next) {
        if (j->due <= now) {
            s->next_retry = now; /* there may be more */
            job_remove(&s->delayed, j);
            return j;
        }
        if (s->next_retry < 0 || j->due < s->next_retry)
            s->next_retry = j->due;
    }
    return NULL;
}

/* May one more be in work, with a worker or on its way to be published? */
static bool inflight_room(const struct super *s)
{
    size_t n = pool_jobs(&s->pool) + s->publish.waiting.n + s->publish.batch.n;
    return !s->opt.max_inflight || n < (size_t)s->opt.max_inflight;
}

/* Files that may have killed a worker run alone, so that they take no other with them; and never on
 * more than half of the workers, so that files that were never run find one whatever those do.
 * Where places are few, they take turns. */
static bool retry_may_run(const struct super *s)
{
    bool few = pool_able(&s->pool, s->adopt.generation) <= 1 ||
               (s->opt.max_inflight && s->opt.max_inflight <= s->opt.workers);
    if (!inflight_room(s) || (few && !s->retry_turn && waiting_first(&s->waiting)))
        return false;
    return s->opt.workers == 1 || pool_alone(&s->pool) < (size_t)s->opt.workers / 2;
}

static void dispatch_retries(struct super *s, long long now)
{
    struct job *j;
    while (s->state == SUPER_RUNNING && retry_may_run(s) &&
           pool_room(&s->pool, s->adopt.generation, true, false) && (j = take_due(s, now))) {
        begin_run(s, j, true, false, now);
        s->retry_turn = false;
    }
}

/* A file that was run before, and given back then: it is no new one. */
static void take_again(struct super *s, struct waiting_file *f, long long now)
{
    if (s->delayed.n >= DELAYED_MOST) {
        waiting_delay(&s->waiting, f, WORK_AGAIN_MS, now);
        return;
    }
    struct job *j = claim(s, f, now);
    if (j)
        work_delay(s, j, 0, now);
}

/* While a file waits to be run alone, a worker is kept from getting more, so that it becomes idle.
 */
static void dispatch_new(struct super *s, long long now)
{
    struct waiting_file *f;
    while (s->state == SUPER_RUNNING && inflight_room(s) && (f = waiting_first(&s->waiting))) {
        if (attempts_of(&s->attempts, f->name, f->id.inode, NULL) > 0) {
            take_again(s, f, now);
            continue;
        }
        bool keep = s->next_retry >= 0 && now >= s->next_retry && retry_may_run(s);
        if (!pool_room(&s->pool, s->adopt.generation, false, keep))
            return;
        struct job *j = claim(s, f, now);
        if (!j)
            continue;
        s->retry_turn = true;
        begin_run(s, j, false, keep, now);
    }
}

long long work_next(const struct super *s)
{
    bool can = s->state == SUPER_RUNNING && retry_may_run(s) &&
               pool_room(&s->pool, s->adopt.generation, true, false);
    return can ? s->next_retry : -1;
}

void work_dispatch(struct super *s, long long now)
{
    super_check_disk(s);
    dispatch_retries(s, now);
    dispatch_new(s, now);
}

size_t work_running(const struct super *s)
{
    return pool_jobs(&s->pool) + s->delayed.n + s->publish.waiting.n + s->publish.batch.n;
}

static int64_t list_bytes(const struct job_list *l)
{
    int64_t bytes = 0;
    for (const struct job *j = l->first; j; j = j->next)
        bytes += j->input.size;
    return bytes;
}

int64_t work_running_bytes(const struct super *s)
{
    int64_t bytes =
        list_bytes(&s->delayed) + list_bytes(&s->publish.waiting) + list_bytes(&s->publish.batch);
    for (size_t i = 0; i < s->pool.n; i++)
        bytes += s->pool.workers[i].flight;
    return bytes;
}
