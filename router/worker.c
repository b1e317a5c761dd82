/* SPDX-License-Identifier: MIT */
/*
 * The worker. Trust: requests come from a supervisor, or from a hand: a malformed one is answered,
 * not obeyed. A job that fails takes the filters with it, because what they hold in memory may be
 * half a file: they are started again and the other jobs run from their beginning.
 */
#include "worker.h"
#include "contract.h"
#include "describe.h"
#include "run.h"
#include "tagline.h"
#include "text.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 4096, STOP_GRACE_MS = 2000 };

struct worker {
    struct engine *engine;
    struct buf requests; /* read, not yet cut into lines */
    bool closing;        /* no request will come */
    double told;         /* when usage was last told */
};

static void say(const struct buf *b)
{
    for (size_t done = 0; done < b->len;) {
        ssize_t n = write(STDOUT_FILENO, b->data + done, b->len - done);
        if (n >= 0)
            done += (size_t)n;
        else if (errno != EINTR)
            tl_die(EX_IOERR, "standard output: %m");
    }
}

static const char a_request[] =
    "a request is: job ID INPUT DIR NAME [trace] [checkpoint=FILE every=TIME|SIZE [sync]]";

static void refuse(uint64_t id, const char *why)
{
    struct buf b = {0};
    buf_addf(&b, "{\"id\":%llu,\"status\":%d,\"error\":", (unsigned long long)id, EX_USAGE);
    text_json(&b, why, strlen(why));
    buf_adds(&b, "}\n");
    say(&b);
    buf_free(&b);
}

/* A word behind the first five; false: it is none. */
static bool take_option(struct task *t, char *word)
{
    size_t bytes;
    if (strcmp(word, WORKER_TRACE) == 0)
        return t->trace = true;
    if (strcmp(word, WORKER_SYNC) == 0)
        return t->keep.sync = true;
    if (strncmp(word, WORKER_CHECKPOINT, strlen(WORKER_CHECKPOINT)) == 0) {
        word += strlen(WORKER_CHECKPOINT);
        free(t->keep.path);
        t->keep.path = xstrdup(word);
        return *word && text_unpercent(t->keep.path);
    }
    if (strncmp(word, WORKER_EVERY, strlen(WORKER_EVERY)) != 0)
        return false;
    word += strlen(WORKER_EVERY);
    t->keep.every_ms = 0;
    t->keep.every_bytes = 0;
    if (text_duration(word, &t->keep.every_ms))
        return t->keep.every_ms > 0;
    bool good = text_size(word, &bytes);
    t->keep.every_bytes = bytes;
    return good;
}

/* A checkpoint needs a place and a time, and the other words need it. */
static bool is_whole(const struct task *t)
{
    bool every = t->keep.every_ms || t->keep.every_bytes;
    return t->keep.path ? every : !every && !t->keep.sync;
}

/* job ID INPUT DIR NAME [trace] [checkpoint=FILE every=TIME|SIZE [sync]] */
static void take_request(struct worker *w, char *line)
{
    enum { LEAST = 5, MOST = 10 };
    char *word[MOST] = {0};
    size_t n = 0;
    long id = 0;
    for (char *save, *p = strtok_r(line, " ", &save); p && n < MOST; p = strtok_r(NULL, " ", &save))
        word[n++] = p;
    if (n < LEAST || n == MOST || strcmp(word[0], WORKER_JOB) != 0 ||
        !text_number(word[1], 0, __LONG_MAX__, &id)) {
        refuse((uint64_t)id, a_request);
        return;
    }
    if (!text_unpercent(word[2]) || !text_unpercent(word[3]) || !text_unpercent(word[4]) ||
        strchr(word[4], '/')) {
        refuse((uint64_t)id, "INPUT, DIR or NAME: bad %XX, or a slash in NAME");
        return;
    }
    struct task *t = task_new((uint64_t)id, word[2]);
    bool good = true;
    for (size_t i = LEAST; i < n; i++)
        good = good && take_option(t, word[i]);
    if (!good || !is_whole(t)) {
        refuse(t->id, a_request);
        task_free(t);
        return;
    }
    out_init(&t->out, w->engine->flow, w->engine->graph, word[4], word[3], false);
    t->keep.found = t->keep.path;
    if (t->keep.path)
        out_keep(&t->out);
    engine_add(w->engine, t);
}

static void read_requests(struct worker *w)
{
    struct buf *b = &w->requests;
    ssize_t n = read(STDIN_FILENO, buf_room(b, BLOCK), BLOCK);
    if (n < 0 && errno == EINTR)
        return;
    if (n <= 0) {
        w->closing = true;
        engine_ignore_request(w->engine);
        return;
    }
    b->len += (size_t)n;
    size_t at = 0;
    char *nl;
    while ((nl = b->len > at ? memchr(b->data + at, '\n', b->len - at) : NULL)) {
        *nl = '\0';
        take_request(w, b->data + at);
        at = (size_t)(nl + 1 - b->data);
    }
    buf_shift(b, at);
}

static void answer_failed(struct worker *w, struct task *t, const struct failure *why)
{
    struct buf b = {0};
    describe_failed(w->engine, t, why, &b);
    say(&b);
    buf_free(&b);
}

static void answer_done(struct worker *w, struct task *t)
{
    struct engine *e = w->engine;
    struct buf b = {0}, why = {0};
    double now = now_seconds();
    if (out_finish(&t->out, &why)) {
        /* Reading /proc is dear: once a second will do, but the last word before a pause is told.
         */
        bool usage = now - w->told >= (e->tasks ? 1 : 0.1);
        describe_done(e, t, usage, &b);
        if (usage)
            w->told = now;
        say(&b);
    } else {
        struct failure f = {.status = EX_IOERR, .error = errno, .node = NOWHERE, .text = why};
        answer_failed(w, t, &f);
    }
    core_forget(e->core, t->job);
    task_free(t);
    buf_free(&b);
    buf_free(&why);
}

static _Noreturn void die_of(struct engine *e)
{
    const struct failure *f = engine_failure(e);
    struct buf b = {0};
    describe_failure(e->flow, f, &b);
    tl_warn("%s: %s", e->flow->path, buf_str(&b));
    buf_free(&b);
    int status = f->status;
    engine_stop(e, 0);
    engine_free(e);
    exit(status);
}

/* Take the failed task out of the list; the first if it is not known which one it is. */
static struct task *take_failed(struct engine *e, const struct job *job)
{
    struct task **p = &e->tasks;
    while (job && *p && (*p)->job != job)
        p = &(*p)->next;
    if (!*p)
        p = &e->tasks;
    struct task *t = *p;
    if (t)
        *p = t->next;
    return t;
}

/* The task is the first again, if it only failed to go on from its checkpoint. */
static bool begin_again(struct engine *e, struct task *t, const struct failure *f)
{
    struct buf why = {0};
    describe_failure(e->flow, f, &why);
    bool again = resume_failed(t, buf_str(&why));
    buf_free(&why);
    if (again) {
        t->next = e->tasks;
        e->tasks = t;
    }
    return again;
}

static void fail_job(struct worker *w)
{
    struct engine *e = w->engine;
    const struct failure *f = engine_failure(e);
    struct task *t = take_failed(e, f->job);
    if (!t)
        die_of(e); /* a filter died between jobs: whoever started us decides */
    bool again = begin_again(e, t, f);
    if (!again) {
        answer_failed(w, t, f);
        task_free(t);
    }
    engine_stop(e, 0);
    if (again)
        t->keep.found = false;
    if (!engine_start(e))
        die_of(e);
}

/* Stop at once; what was not answered will be run again by whoever asked. */
static _Noreturn void stop(struct engine *e)
{
    int sig = e->signal;
    sigset_t set;
    engine_stop(e, 0);
    engine_free(e);
    sigemptyset(&set);
    sigaddset(&set, sig);
    signal(sig, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    raise(sig);
    exit(EX_TEMPFAIL);
}

int worker_run(struct flow *flow, struct graph *graph)
{
    struct worker w = {.engine = engine_new(flow, graph, false, STDIN_FILENO)};
    struct engine *e = w.engine;
    struct buf ready = {0};
    if (!engine_start(e))
        die_of(e);
    if (flow->order == ORDER_LINE && !graph_line_order(graph)) {
        engine_stop(e, STOP_GRACE_MS);
        engine_free(e);
        tl_die(EX_CONFIG, "%s: order line cannot be promised; see tl-router --check", flow->path);
    }
    describe_ready(graph, &ready);
    say(&ready);
    buf_free(&ready);
    while (!w.closing || e->tasks) {
        enum turn turn = engine_turn(e);
        struct task *t;
        while (turn != TURN_FAILED && (t = engine_done(e)))
            answer_done(&w, t);
        if (turn == TURN_FAILED)
            fail_job(&w);
        else if (turn == TURN_REQUEST)
            read_requests(&w);
        else if (turn == TURN_SIGNAL && e->signal != SIGHUP)
            stop(e);
    }
    engine_stop(e, STOP_GRACE_MS);
    engine_free(e);
    buf_free(&w.requests);
    return EX_OK;
}
