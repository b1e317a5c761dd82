/* SPDX-License-Identifier: MIT */
/*
 * The end of a run: what a worker answered or left unsaid, and what the publisher made of it,
 * decide where the file goes next. Trust: an answer says what a flow made of a stranger's bytes;
 * its texts may hold anything.
 */
#include "class.h"
#include "super.h"
#include "tagline.h"
#include "times.h"
#include "work.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

static void fail(struct super *s, struct job *j)
{
    history_end(&j->history, j->fault.status);
    j->end = JOB_FAIL;
    publish_add(&s->publish, j);
}

/* A run that another may mend. */
static void retry(struct super *s, struct job *j)
{
    unsigned long chance = 0;
    char why[64];
    long long now = times_ms();
    if (j->history.runs > s->opt.retries) {
        fail(s, j);
        return;
    }
    history_end(&j->history, j->fault.status);
    work_count(s, j);
    if (getrandom(&chance, sizeof chance, GRND_NONBLOCK) < 0)
        chance = (unsigned long)now;
    long wait = class_backoff(s->opt.backoff_least, s->opt.backoff_most, j->history.runs, chance);
    snprintf(why, sizeof why, "run %ld of %ld, next in %ld.%03ld s", j->history.runs,
             s->opt.retries + 1, wait / 1000, wait % 1000);
    work_log(j, "retried", why);
    work_log(j, "because", j->fault.error ? j->fault.error : "");
    s->accounts.retried++;
    report_file(s, j, "retried", now);
    report_error(s, j);
    work_keep(s, j);
    work_retry(s, j, wait, now);
}

/* Did the run fail because the system is in trouble? While what it left still fills the disk. */
static bool is_storm(struct super *s, const struct fault *f)
{
    if (f->status != EX_OSERR && f->status != EX_CANTCREAT && f->status != EX_IOERR)
        return false;
    /* An input that cannot be read says EIO too; whether the system is ill, a probe must tell. */
    return (f->number != EIO && class_storm(f->number)) ||
           (store_probe(&s->store, true) != 0 && class_storm(errno));
}

/* The run says nothing about the file: it does not count, and another follows when it may. */
static void innocent(struct super *s, struct job *j)
{
    work_uncharge(s, j);
    work_keep(s, j);
    if (s->hold == HOLD_FLOW)
        work_return(s, j);
    else
        work_delay(s, j, WORK_AGAIN_MS, times_ms());
}

/* The system is not well. */
static void weather(struct super *s, struct job *j)
{
    super_hold(s, HOLD_STORM, "%s", j->fault.error);
    if (j->fault.number == ENOSPC || j->fault.number == EDQUOT)
        work_drop(s, j); /* what it takes others may need */
    innocent(s, j);
}

static void judge_temporary(struct super *s, struct job *j)
{
    if (is_storm(s, &j->fault))
        weather(s, j);
    else
        retry(s, j);
}

/* A filter ended by itself, and the flow has done no file yet: it may be one that dies at its
 * start, and that was greeted just before. Then it will do so with nothing to do, too. */
static bool is_doubtful(const struct super *s, const struct job *j)
{
    enum { DOUBTS = 3 };
    bool ended = j->fault.status == EX_SOFTWARE && j->fault.exit >= 0;
    return ended && !s->proved && j->doubts < (s->idle_deaths > 0 ? DOUBTS : 1);
}

static void judge_data(struct super *s, struct job *j)
{
    /* A command that cannot write somewhere may have no other word for it than any failure. */
    if (j->fault.exit >= 0 && store_probe(&s->store, false) != 0 && class_storm(errno)) {
        weather(s, j);
    } else if (is_doubtful(s, j)) {
        work_log(j, "again", "a filter ended, and none has done a file yet");
        j->doubts++;
        innocent(s, j);
    } else {
        fail(s, j);
    }
}

static void judge_operator(struct super *s, struct job *j)
{
    enum blamed blamed = blame_file(&s->blame, j->name, j->input.inode, j->era);
    report_error(s, j);
    if (blamed == BLAMED_FILE) {
        fail(s, j);
        return;
    }
    super_hold(s, HOLD_FLOW, "%s: %s (status %d)", *j->fault.node ? j->fault.node : s->opt.flow,
               j->fault.error, j->fault.status);
    if (s->opt.once && blamed == BLAMED_FLOW_AGAIN) {
        s->status = j->fault.status;
        super_drain(s);
    }
    innocent(s, j);
}

static void judge(struct super *s, struct job *j)
{
    char path[STORE_PATH];
    struct identity id;
    if (store_look(&s->store, job_input(j, path), &id) != 0 && errno == ENOENT) {
        work_log(j, "gone", "was taken away while it was processed");
        work_drop(s, j);
        work_forget(s, j);
        return;
    }
    switch (class_of(j->fault.status)) {
    case OUTCOME_DONE:
    case OUTCOME_DATA:
        judge_data(s, j);
        break;
    case OUTCOME_TEMPORARY:
        judge_temporary(s, j);
        break;
    case OUTCOME_OPERATOR:
        judge_operator(s, j);
        break;
    }
}

static void on_ready(void *arg, struct worker *w, const struct reply *reply)
{
    struct super *s = arg;
    accounts_add(&s->accounts, reply, (size_t)(w - s->pool.workers));
    adopt_worker_ready(s, w);
}

static void on_answer(void *arg, struct worker *w, struct job *j, struct reply *reply)
{
    struct super *s = arg;
    accounts_add(&s->accounts, reply, (size_t)(w - s->pool.workers));
    if (reply->trace_text)
        report_trace(s, j, reply);
    if (reply->status == 0) {
        s->idle_deaths = 0;
        s->proved = true;
        blame_good(&s->blame, j->era);
        reply_free(&j->reply);
        j->reply = *reply;
        *reply = (struct reply){0};
        j->end = JOB_PUBLISH;
        publish_add(&s->publish, j);
        return;
    }
    job_fault_reply(j, reply);
    judge(s, j);
}

/* It ended by itself, because of no file: its filters died between two, or cannot be started again,
 * or the system refuses it something. */
static bool had_own_reason(int status)
{
    bool filters = status == EX_SOFTWARE, system = status == EX_OSERR;
    return filters || system || (status < 128 && class_of(status) == OUTCOME_OPERATOR);
}

static void lost(struct super *s, struct job *j, int status)
{
    char why[96];
    if (s->now) {
        work_uncharge(s, j);
        work_drop(s, j);
        work_return(s, j);
        return;
    }
    if (had_own_reason(status)) {
        innocent(s, j);
        return;
    }
    bool killed = status > 128;
    int number = killed ? status - 128 : status;
    snprintf(why, sizeof why, "its worker died (%s %d)", killed ? "signal" : "status", number);
    job_fault(j, EX_TEMPFAIL, why);
    j->fault.signal = killed ? number : -1;
    j->fault.exit = killed ? -1 : number;
    judge(s, j);
}

static void on_gone(void *arg, struct worker *w, int status, bool was_ready, struct job **jobs,
                    size_t njobs)
{
    struct super *s = arg;
    accounts_gone(&s->accounts, (size_t)(w - s->pool.workers));
    s->idle_deaths += status > 0 && status < 128 && (njobs == 0 || had_own_reason(status));
    for (size_t i = 0; i < njobs; i++)
        lost(s, jobs[i], status);
    adopt_worker_gone(s, w, status, was_ready);
}

static void on_behind(void *arg, struct worker *w, struct job **jobs, size_t njobs)
{
    struct super *s = arg;
    char why[64];
    snprintf(why, sizeof why, "%zu files behind it go to other workers", njobs);
    work_log(w->jobs[0], "takes long", why);
    for (size_t i = 0; i < njobs; i++) {
        jobs[i]->id = 0; /* its folder is the worker's until it is left */
        work_uncharge(s, jobs[i]);
        work_delay(s, jobs[i], 0, times_ms());
    }
}

static void on_left(void *arg, unsigned long id)
{
    struct super *s = arg;
    job_drop_run(&s->store, id);
}

struct pool_handler work_pool_handler(struct super *s)
{
    return (struct pool_handler){.arg = s,
                                 .ready = on_ready,
                                 .answer = on_answer,
                                 .gone = on_gone,
                                 .behind = on_behind,
                                 .left = on_left};
}

static void on_finished(void *arg, struct job *j)
{
    struct super *s = arg;
    struct accounts *a = &s->accounts;
    char as[48] = "";
    if (j->version > 1)
        snprintf(as, sizeof as, "its name was taken, see .~%lu~", j->version);
    if (j->end == JOB_FAIL) {
        a->failed++;
        a->failed_bytes += j->input.size;
        work_log(j, "failed", j->fault.error ? j->fault.error : "");
        report_error(s, j);
    } else {
        a->processed++;
        a->processed_bytes += j->input.size;
        a->lines += j->reply.lines;
        if (s->opt.verbose)
            work_log(j, "done", as);
    }
    report_file(s, j, j->end == JOB_FAIL ? "failed" : "done", times_ms());
    s->storm_wait = 0;
    work_forget(s, j);
}

static void on_again(void *arg, struct job *j, int error)
{
    struct super *s = arg;
    if (!s->now && !error)
        work_log(j, "again", "changed while it was processed");
    work_uncharge(s, j);
    work_drop(s, j);
    work_delay(s, j, error ? WORK_AGAIN_MS : s->opt.settle, times_ms());
}

static void on_input_gone(void *arg, struct job *j)
{
    struct super *s = arg;
    work_log(j, "gone", "was taken away while it was processed");
    work_drop(s, j);
    work_forget(s, j);
}

struct publish_handler work_publish_handler(struct super *s)
{
    return (struct publish_handler){
        .arg = s, .finished = on_finished, .again = on_again, .gone = on_input_gone};
}
