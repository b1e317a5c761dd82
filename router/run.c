/* SPDX-License-Identifier: MIT */
/*
 * One loop over all descriptors. Nothing here waits for one of them: what is readable is read, what
 * can be written is written, and what a process owes has a deadline. Back-pressure is at admission
 * only: input is read while the core wants some.
 */
#include "run.h"
#include "contract.h"
#include "tagline.h"
#include "text.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

enum {
    MOST_EVENTS = 64,
    PIPE_WISH = 1 << 20,
    PIPE_BUDGET = 48 << 20, /* of the 64 MiB of pipes that a user may have */
    PIPE_LEAST = 64 << 10,
    SHARE_BUDGET = 1 << 30, /* of all filters of a flow */
};

double now_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

long engine_now_ms(void)
{
    return (long)(now_seconds() * 1000);
}

void engine_watch(struct engine *e, int op, int fd, uint32_t events, enum what what, size_t node)
{
    struct epoll_event ev = {.events = events, .data.u64 = (uint64_t)what << 32 | node};
    if (epoll_ctl(e->epoll, op, fd, &ev) != 0)
        tl_die(EX_OSERR, "epoll_ctl: %m");
}

void engine_unwatch(struct engine *e, int fd)
{
    if (epoll_ctl(e->epoll, EPOLL_CTL_DEL, fd, NULL) != 0)
        tl_die(EX_OSERR, "epoll_ctl: %m");
}

/* Stop watching and close. */
void engine_drop(struct engine *e, int *fd)
{
    if (*fd >= 0)
        engine_unwatch(e, *fd);
    close_fd(fd);
}

/* ---- tasks ---- */

struct task *task_new(uint64_t id, const char *path)
{
    struct task *t = xcalloc(1, sizeof *t);
    t->id = id;
    t->path = xstrdup(path);
    t->input = -1;
    return t;
}

void task_close(struct task *t)
{
    unpack_free(t->unpack);
    t->unpack = NULL;
    close_fd(&t->input);
}

void task_free(struct task *t)
{
    task_close(t);
    out_free(&t->out);
    resume_abandon(t);
    free(t->keep.path);
    free(t->path);
    free(t);
}

void engine_add(struct engine *e, struct task *t)
{
    struct task **p = &e->tasks;
    while (*p)
        p = &(*p)->next;
    *p = t;
}

/* Is the first task over, and all that it gave written? A tagged one may be many jobs, or none. */
static bool is_done(const struct engine *e)
{
    const struct task *t = e->tasks;
    if (!t || !t->ended || (t->job ? !t->job->done : !e->tagged))
        return false;
    for (size_t i = 0; t->job && i < e->graph->noutlets; i++)
        if (t->job->streams[i].first)
            return false;
    return !e->tagged || !t->job || !t->job->next;
}

struct task *engine_done(struct engine *e)
{
    struct task *t = e->tasks;
    if (!is_done(e))
        return NULL;
    e->tasks = t->next;
    t->next = NULL;
    nodes_renew_cpu(e);
    return t;
}

/* ---- failures ---- */

/* The failure, to say more of it; NULL if there was one before. */
static struct failure *fail(struct engine *e, int status, size_t node, const char *text)
{
    struct failure *f = e->core ? &e->core->failure : &e->failed;
    if (f->status)
        return NULL;
    if (e->core) {
        const struct run *run = node == NOWHERE ? NULL : e->core->nodes[node].first;
        core_fail(e->core, status, node, run ? run->job : NULL, "%s", text);
    } else {
        f->status = status;
        f->node = node == NOWHERE ? NOWHERE : e->flow->lane_node[node];
        f->lane = node;
        buf_adds(&f->text, text);
    }
    return f;
}

void engine_fail(struct engine *e, int status, size_t node, const char *text)
{
    fail(e, status, node, text);
}

void engine_fail_system(struct engine *e, int status, int error, size_t node, const char *text)
{
    struct failure *f = fail(e, status, node, text);
    if (f)
        f->error = error;
}

void engine_fail_ended(struct engine *e, int status, int wait_status, size_t node, const char *text)
{
    struct failure *f = fail(e, status, node, text);
    if (f) {
        f->ended = true;
        f->wait_status = wait_status;
    }
}

/* A failure of one task's files, not of a node. */
void engine_fail_task(struct engine *e, int status, int error, struct job *job, const char *text)
{
    core_fail(e->core, status, NOWHERE, job, "%s", text);
    e->core->failure.line = e->core->failure.first_line = e->core->failure.last_line = 0;
    e->core->failure.error = error;
}

const struct failure *engine_failure(const struct engine *e)
{
    return e->failed.status ? &e->failed : e->core ? core_failure(e->core) : NULL;
}

/* ---- life ---- */

/* Large pipes are fast, but a user has only so many bytes of them: share. */
static size_t pipe_size(const struct flow *f)
{
    const char *wish = getenv("TAGLINE_PIPE_SIZE");
    size_t size = PIPE_WISH;
    if (wish && !text_size(wish, &size))
        tl_die(EX_USAGE, "TAGLINE_PIPE_SIZE: \"%s\" is not a size", wish);
    if (wish)
        return size;
    while (size > PIPE_LEAST && size * 2 * f->nlanes > PIPE_BUDGET)
        size /= 2;
    return size > PIPE_LEAST ? size : 0;
}

/* Memory to share with each filter: room for what is in flight, on its way in and out. Pages that
 * are not used are not there. */
static size_t region_size(const struct flow *f)
{
    const char *wish = getenv("TAGLINE_SHARE");
    size_t size = 4 * core_most_inflight(f);
    if (f->nlanes && size > SHARE_BUDGET / f->nlanes)
        size = SHARE_BUDGET / f->nlanes;
    if (wish && strcmp(wish, "0") == 0)
        return 0;
    if (wish && (!text_size(wish, &size) || size < 16384))
        tl_die(EX_USAGE, "TAGLINE_SHARE: \"%s\" is neither 0 nor a size of 16K or more", wish);
    return size & ~(size_t)4095;
}

/* A regular file cannot be watched, and is always readable. */
static void watch_request(struct engine *e)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = (uint64_t)W_REQUEST << 32};
    if (e->request < 0 || epoll_ctl(e->epoll, EPOLL_CTL_ADD, e->request, &ev) == 0)
        return;
    if (errno != EPERM)
        tl_die(EX_OSERR, "epoll_ctl: %m");
    e->request_ready = true;
}

struct engine *engine_new(struct flow *flow, struct graph *graph, bool tagged, int request)
{
    struct engine *e = xcalloc(1, sizeof *e);
    sigset_t set;
    *e = (struct engine){.flow = flow, .graph = graph, .tagged = tagged, .request = request};
    e->procs = xcalloc(flow->nlanes, sizeof *e->procs);
    e->links = xcalloc(flow->nlanes, sizeof *e->links);
    e->commands = xcalloc(flow->nlanes, sizeof *e->commands);
    for (size_t i = 0; i < flow->nlanes; i++) {
        e->procs[i] = (struct proc){.in = -1, .out = -1, .err = -1};
        e->links[i].shared = -1;
        if (flow_node(flow, i)->kind == NODE_COMMAND)
            e->commands[e->ncommands++] = i;
    }
    e->pipe = pipe_size(flow);
    e->region = region_size(flow);
    e->epoll = epoll_create1(EPOLL_CLOEXEC);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    if (e->epoll < 0 || sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        tl_die(EX_OSERR, "epoll: %m");
    e->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (e->signals < 0)
        tl_die(EX_OSERR, "signalfd: %m");
    engine_watch(e, EPOLL_CTL_ADD, e->signals, EPOLLIN, W_SIGNAL, 0);
    watch_request(e);
    e->watched_input = -1;
    return e;
}

void engine_ignore_request(struct engine *e)
{
    if (!e->request_ready)
        engine_unwatch(e, e->request);
    e->request_ready = false;
}

void engine_stop(struct engine *e, int grace_ms)
{
    for (size_t i = 0; i < e->flow->nlanes; i++) {
        struct proc *p = &e->procs[i];
        if (p->in >= 0)
            engine_drop(e, &p->in);
        if (p->out >= 0)
            engine_unwatch(e, p->out);
        if (p->err >= 0)
            engine_unwatch(e, p->err);
    }
    proc_stop(e->procs, e->flow->nlanes, grace_ms);
    save_abandon(e);
    if (e->core)
        core_free(e->core);
    e->core = NULL;
    share_end(e);
    for (struct task *t = e->tasks; t; t = t->next) {
        t->job = NULL;
        t->opened = t->ended = t->missing = false;
        t->keep.found = t->keep.path; /* it may have been made meanwhile */
        resume_abandon(t);
        if (t->input == e->watched_input && t->input >= 0) {
            engine_unwatch(e, t->input);
            e->watched_input = -1;
        }
        task_close(t);
        out_abandon(&t->out);
    }
}

void engine_free(struct engine *e)
{
    while (e->tasks) {
        struct task *next = e->tasks->next;
        task_free(e->tasks);
        e->tasks = next;
    }
    close_fd(&e->epoll);
    close_fd(&e->signals);
    buf_free(&e->failed.text);
    free(e->procs);
    free(e->links);
    free(e->commands);
    free(e);
}

/* ---- output ---- */

static void watch_stdout(struct engine *e, bool wanted)
{
    if (wanted != e->stdout_watched) {
        if (wanted)
            engine_watch(e, EPOLL_CTL_ADD, out_stdout(), EPOLLOUT, W_STDOUT, 0);
        else
            engine_unwatch(e, out_stdout());
        e->stdout_watched = wanted;
    }
}

/* In tagged mode the core begins the jobs: one after the other, they belong to the only task. */
static struct job *job_of(struct engine *e, struct task *t)
{
    if (!e->tagged)
        return t->job;
    while (e->core->jobs && e->core->jobs->done && e->core->jobs->next &&
           !e->core->jobs->streams[0].first) {
        core_forget(e->core, e->core->jobs);
        nodes_renew_cpu(e);
    }
    return t->job = e->core->jobs;
}

/* Write what is ready: standard output in the order of the tasks, files as they come. */
static void pump_outputs(struct engine *e)
{
    struct buf why = {0};
    struct task *failed = NULL;
    enum wrote w = out_text(&e->core->replies, &why);
    for (struct task *t = e->tasks; t && w != WROTE_FAILED; t = t->next) {
        struct job *job = job_of(e, t);
        if (!job)
            break;
        w = out_write(&t->out, e->core, job, &why);
        failed = t;
        if (e->tagged || (!t->out.dir && (w == WROTE_BLOCKED || !job->done)))
            break;
    }
    if (w == WROTE_FAILED) {
        if (errno == EPIPE && (!failed || !failed->out.dir)) {
            engine_stop(e, 0);
            signal(SIGPIPE, SIG_DFL);
            raise(SIGPIPE); /* the reader has had enough: end as others do */
        }
        engine_fail_task(e, EX_IOERR, errno, failed ? failed->job : NULL, buf_str(&why));
    }
    watch_stdout(e, w == WROTE_BLOCKED);
    buf_free(&why);
}

/* ---- the loop ---- */

int engine_take_signal(struct engine *e)
{
    struct signalfd_siginfo info;
    return read(e->signals, &info, sizeof info) == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}

static enum turn take_signal(struct engine *e)
{
    int sig = engine_take_signal(e);
    if (sig == SIGCHLD)
        nodes_reap(e);
    if (sig == 0 || sig == SIGCHLD)
        return TURN_MORE;
    e->signal = sig;
    return TURN_SIGNAL;
}

static enum turn dispatch(struct engine *e, const struct epoll_event *ev)
{
    size_t node = ev->data.u64 & UINT32_MAX;
    switch ((enum what)(ev->data.u64 >> 32)) {
    case W_OUT:
        node_read(e, node);
        break;
    case W_ERR:
        if (e->procs[node].err >= 0 && !proc_stderr(&e->procs[node])) {
            e->links[node].err_open = false;
            engine_drop(e, &e->procs[node].err);
        }
        break;
    case W_IN:
        if (e->procs[node].in >= 0) {
            e->links[node].blocked = false;
            core_feed(e->core, node);
            engine_watch(e, EPOLL_CTL_MOD, e->procs[node].in, 0, W_IN, node);
            if (ev->events & EPOLLERR)
                node_stop_writing(e, node); /* nobody reads it any more */
        }
        break;
    case W_SIGNAL:
        return take_signal(e);
    case W_REQUEST:
        return TURN_REQUEST;
    case W_INPUT:
    case W_STDOUT:
        break; /* the next pump sees to them */
    }
    return TURN_MORE;
}

enum turn engine_turn(struct engine *e)
{
    struct epoll_event events[MOST_EVENTS];
    enum turn result = e->request_ready ? TURN_REQUEST : TURN_MORE;
    feed_pump(e);
    nodes_pump(e);
    pump_outputs(e);
    if (core_failure(e->core))
        return TURN_FAILED;
    /* What is done the caller will take; what was written may have made room for input. */
    bool more = save_step(e) || e->request_ready || is_done(e) || feed_more(e);
    feed_watch(e);
    int timeout = more ? 0 : e->timed ? TICK_MS : -1;
    int n = epoll_wait(e->epoll, events, MOST_EVENTS, timeout);
    if (n < 0 && errno != EINTR)
        tl_die(EX_OSERR, "epoll_wait: %m");
    for (int i = 0; i < n && !core_failure(e->core); i++) {
        enum turn t = dispatch(e, &events[i]);
        result = t > result ? t : result;
    }
    if (!core_failure(e->core))
        nodes_check_deadlines(e);
    return core_failure(e->core) ? TURN_FAILED : result;
}
