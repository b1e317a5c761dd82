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
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    BLOCK = 256 * 1024,
    MOST_IOV = 64,
    MOST_EVENTS = 64,
    TICK_MS = 100,   /* how often deadlines are looked at while any runs */
    GRACE_MS = 1000, /* for what a dead process's children hold open */
    PIPE_WISH = 1 << 20,
    PIPE_BUDGET = 48 << 20, /* of the 64 MiB of pipes that a user may have */
    PIPE_LEAST = 64 << 10,
};

/* What a descriptor is, in the upper half of epoll's data; the node is in the lower. */
enum what { W_OUT, W_ERR, W_IN, W_ENDED, W_INPUT, W_STDOUT, W_SIGNAL, W_REQUEST };

double now_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static long now_ms(void)
{
    return (long)(now_seconds() * 1000);
}

static void watch(struct engine *e, int op, int fd, uint32_t events, enum what what, size_t node)
{
    struct epoll_event ev = {.events = events, .data.u64 = (uint64_t)what << 32 | node};
    if (epoll_ctl(e->epoll, op, fd, &ev) != 0)
        tl_die(EX_OSERR, "epoll_ctl: %m");
}

static void unwatch(struct engine *e, int fd)
{
    if (epoll_ctl(e->epoll, EPOLL_CTL_DEL, fd, NULL) != 0)
        tl_die(EX_OSERR, "epoll_ctl: %m");
}

/* Stop watching and close. */
static void drop(struct engine *e, int *fd)
{
    if (*fd >= 0)
        unwatch(e, *fd);
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

void task_free(struct task *t)
{
    close_fd(&t->input);
    out_free(&t->out);
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
    return t;
}

/* ---- failures ---- */

static void fail(struct engine *e, int status, size_t node, const char *text)
{
    if (e->core) {
        const struct run *run = node == NOWHERE ? NULL : e->core->nodes[node].first;
        struct job *job = run ? run->epoch->job : NULL;
        core_fail(e->core, status, node, job, "%s", text);
    } else if (!e->failed.status) {
        e->failed.status = status;
        e->failed.node = node;
        buf_adds(&e->failed.text, text);
    }
}

/* A failure of one task's files, not of a node. */
static void fail_task(struct engine *e, int status, struct job *job, const char *text)
{
    core_fail(e->core, status, NOWHERE, job, "%s", text);
    e->core->failure.line = 0;
}

const struct failure *engine_failure(const struct engine *e)
{
    return e->failed.status ? &e->failed : e->core ? core_failure(e->core) : NULL;
}

/* What a command's end means for the job: the statuses of sysexits(3) speak for themselves. */
static int status_of(enum node_kind kind, int wait_status)
{
    if (WIFSIGNALED(wait_status))
        return EX_TEMPFAIL;
    int status = WEXITSTATUS(wait_status);
    switch (status) {
    case EX_USAGE:
    case EX_DATAERR:
    case EX_UNAVAILABLE:
    case EX_SOFTWARE:
    case EX_OSERR:
    case EX_CANTCREAT:
    case EX_IOERR:
    case EX_TEMPFAIL:
    case EX_NOPERM:
    case EX_CONFIG:
    case EXIT_CANNOT_RUN:
    case EXIT_NOT_FOUND:
        return status;
    default:
        return kind == NODE_FILTER ? EX_SOFTWARE : EX_DATAERR;
    }
}

/* ---- processes ---- */

static void start_process(struct engine *e, size_t node)
{
    struct proc *p = &e->procs[node];
    struct link *l = &e->links[node];
    int why = proc_start(p, e->flow->nodes[node].argv, e->pipe);
    if (why) {
        char text[300];
        snprintf(text, sizeof text, "%s: cannot start: %s", e->flow->nodes[node].argv[0],
                 strerror(why));
        bool system = why == EAGAIN || why == EMFILE || why == ENFILE || why == ENOMEM;
        fail(e, system ? EX_OSERR : why == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN, node, text);
        return;
    }
    l->eof = l->blocked = false;
    l->err_open = true;
    l->doomed = 0;
    l->active = now_ms();
    l->starts++;
    watch(e, EPOLL_CTL_ADD, p->out, EPOLLIN, W_OUT, node);
    watch(e, EPOLL_CTL_ADD, p->err, EPOLLIN, W_ERR, node);
    watch(e, EPOLL_CTL_ADD, p->watch, EPOLLIN, W_ENDED, node);
    watch(e, EPOLL_CTL_ADD, p->in, 0, W_IN, node);
}

/* All that is left of an ended process goes; it has been reaped. */
static void clean_process(struct engine *e, size_t node)
{
    struct proc *p = &e->procs[node];
    drop(e, &p->in);
    drop(e, &p->out);
    drop(e, &p->err);
    drop(e, &p->watch);
    p->pid = 0;
}

/* A command has ended and its output is read: is the work done? */
static void settle_command(struct engine *e, size_t node)
{
    const struct node *def = &e->flow->nodes[node];
    struct proc *p = &e->procs[node];
    int status = WIFEXITED(p->wait_status) ? WEXITSTATUS(p->wait_status) : -1;
    if (status < 0 || !(def->ok[status / 8] & 1 << status % 8)) {
        char text[256];
        snprintf(text, sizeof text, "%s %s", def->argv[0], proc_how(p->wait_status));
        fail(e, status_of(NODE_COMMAND, p->wait_status), node, text);
        return;
    }
    core_command_deaf(e->core, node);
    if (!core_command_full(e->core, node))
        return; /* it needed no more of the file, but the file goes on */
    clean_process(e, node);
    core_command_ended(e->core, node);
}

static void fail_ended(struct engine *e, size_t node)
{
    struct proc *p = &e->procs[node];
    char text[256];
    snprintf(text, sizeof text, "%s %s before the end", e->flow->nodes[node].argv[0],
             proc_how(p->wait_status));
    fail(e, status_of(NODE_FILTER, p->wait_status), node, text);
}

/* A process that has ended, or closed its output, is dealt with when both are true. */
static void settle(struct engine *e, size_t node)
{
    struct proc *p = &e->procs[node];
    struct link *l = &e->links[node];
    if (!p->pid || !(p->ended || l->eof))
        return;
    if (!p->ended || !l->eof) {
        if (!l->doomed)
            l->doomed = now_ms() + GRACE_MS;
        return;
    }
    while (l->err_open && poll(&(struct pollfd){.fd = p->err, .events = POLLIN}, 1, 0) == 1)
        if (!proc_stderr(p, e->flow->nodes[node].tag))
            l->err_open = false;
    if (e->flow->nodes[node].kind == NODE_FILTER)
        fail_ended(e, node);
    else
        settle_command(e, node);
}

/* Patience is over with what keeps an ended process's output open, or lives on without one. */
static void lose_patience(struct engine *e, size_t node)
{
    struct proc *p = &e->procs[node];
    struct link *l = &e->links[node];
    l->doomed = 0;
    kill(-p->pid, SIGKILL); /* the whole group; ESRCH: it is gone */
    if (p->ended && !l->eof) {
        drop(e, &p->out); /* somebody who left the group may hold it: do not wait for him */
        l->eof = true;
    } else if (!p->ended && e->flow->nodes[node].kind == NODE_FILTER) {
        fail(e, EX_SOFTWARE, node, "closed its pipes before the end");
    }
    settle(e, node);
}

static void check_deadlines(struct engine *e)
{
    long now = now_ms();
    for (size_t i = 0; i < e->flow->nnodes; i++) {
        struct link *l = &e->links[i];
        long timeout = e->flow->nodes[i].timeout_ms;
        if (!e->procs[i].pid)
            continue;
        if (l->doomed && now >= l->doomed)
            lose_patience(e, i);
        else if (timeout && core_node_busy(e->core, i) && now - l->active > timeout) {
            char text[80];
            snprintf(text, sizeof text, "no answer for %ld ms", timeout);
            fail(e, EX_TEMPFAIL, i, text);
        }
    }
}

/* ---- hello ---- */

/* Take the answer to hello out of what the filter printed; false: it is not all there yet. */
static bool take_hello(struct engine *e, size_t node, struct buf *in)
{
    struct node *def = &e->flow->nodes[node];
    char *nl = in->len ? memchr(in->data, '\n', in->len) : NULL;
    if (!nl)
        return false;
    *nl = '\0';
    size_t n = strlen(CONTROL_HELLO);
    if (strncmp(in->data, CONTROL_HELLO, n) != 0 || (in->data[n] && in->data[n] != ' ')) {
        fail(e, EX_SOFTWARE, node, "did not answer !hello; a command that is no filter needs |");
        return true;
    }
    for (char *save, *w = strtok_r(in->data + n, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
        def->card = def->card || strcmp(w, CAN_CARD) == 0;
        def->map = def->map || strcmp(w, CAN_MAP) == 0;
        def->stateless = def->stateless || def->map || strcmp(w, CAN_STATELESS) == 0;
    }
    e->links[node].greeted = true;
    return true;
}

/* Read what a process that was greeted prints, until it has answered. */
static void read_hello(struct engine *e, size_t node, struct buf *in)
{
    ssize_t n = read(e->procs[node].out, buf_room(in, 256), 256);
    if (n > 0) {
        in->len += (size_t)n;
        if (!take_hello(e, node, in) && in->len > 4096)
            fail(e, EX_SOFTWARE, node,
                 "did not answer !hello; a command that is no filter needs |");
    } else if (n == 0) {
        e->links[node].eof = true;
    }
}

static void greet_event(struct engine *e, const struct epoll_event *ev, struct buf *in)
{
    size_t node = ev->data.u64 & UINT32_MAX;
    struct link *l = &e->links[node];
    switch ((enum what)(ev->data.u64 >> 32)) {
    case W_OUT:
        if (!l->greeted && !l->eof)
            read_hello(e, node, &in[node]);
        if (l->eof)
            drop(e, &e->procs[node].out);
        break;
    case W_ERR:
        if (!proc_stderr(&e->procs[node], e->flow->nodes[node].tag)) {
            l->err_open = false;
            drop(e, &e->procs[node].err);
        }
        break;
    case W_ENDED:
        proc_reap(&e->procs[node]);
        drop(e, &e->procs[node].watch);
        while (l->err_open && proc_stderr(&e->procs[node], e->flow->nodes[node].tag) &&
               poll(&(struct pollfd){.fd = e->procs[node].err, .events = POLLIN}, 1, 0) == 1)
            ;
        fail_ended(e, node);
        break;
    case W_SIGNAL:
        fail(e, EX_TEMPFAIL, NOWHERE, "stopped by a signal");
        break;
    case W_IN:
    case W_INPUT:
    case W_STDOUT:
    case W_REQUEST:
        break;
    }
}

static size_t ungreeted(const struct engine *e)
{
    for (size_t i = 0; i < e->flow->nnodes; i++)
        if (e->flow->nodes[i].kind == NODE_FILTER && !e->links[i].greeted)
            return i;
    return NOWHERE;
}

/* Wait for all answers to hello. */
static void greet(struct engine *e)
{
    struct buf *in = xcalloc(e->flow->nnodes, sizeof *in);
    long until = now_ms() + HELLO_SECONDS * 1000;
    size_t node;
    while (!e->failed.status && (node = ungreeted(e)) != NOWHERE) {
        struct epoll_event events[MOST_EVENTS];
        long left = until - now_ms();
        int n = left > 0 ? epoll_wait(e->epoll, events, MOST_EVENTS, (int)left) : 0;
        if (n == 0) {
            fail(e, EX_SOFTWARE, node,
                 "did not answer !hello; a command that is no filter needs |");
        } else if (n < 0 && errno != EINTR) {
            tl_die(EX_OSERR, "epoll_wait: %m");
        }
        for (int i = 0; i < n && !e->failed.status; i++)
            greet_event(e, &events[i], in);
    }
    for (size_t i = 0; i < e->flow->nnodes; i++)
        buf_free(&in[i]);
    free(in);
}

bool engine_start(struct engine *e)
{
    static const char hello[] = CONTROL_HELLO "\n";
    for (size_t i = 0; i < e->flow->nnodes && !e->failed.status; i++) {
        e->links[i].greeted = false;
        if (e->flow->nodes[i].kind == NODE_COMMAND)
            continue;
        start_process(e, i);
        if (!e->failed.status && write(e->procs[i].in, hello, sizeof hello - 1) < 0 &&
            errno != EPIPE)
            fail(e, EX_OSERR, i, strerror(errno)); /* EPIPE: its end will be told */
    }
    greet(e);
    if (e->failed.status)
        return false;
    graph_order(e->graph);
    e->core = core_new(e->flow, e->graph, e->tagged);
    return true;
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
    while (size > PIPE_LEAST && size * 2 * f->nnodes > PIPE_BUDGET)
        size /= 2;
    return size > PIPE_LEAST ? size : 0;
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
    e->procs = xcalloc(flow->nnodes, sizeof *e->procs);
    e->links = xcalloc(flow->nnodes, sizeof *e->links);
    for (size_t i = 0; i < flow->nnodes; i++)
        e->procs[i] = (struct proc){.watch = -1, .in = -1, .out = -1, .err = -1};
    e->pipe = pipe_size(flow);
    e->epoll = epoll_create1(EPOLL_CLOEXEC);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    if (e->epoll < 0 || sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        tl_die(EX_OSERR, "epoll: %m");
    e->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (e->signals < 0)
        tl_die(EX_OSERR, "signalfd: %m");
    watch(e, EPOLL_CTL_ADD, e->signals, EPOLLIN, W_SIGNAL, 0);
    watch_request(e);
    e->watched_input = -1;
    return e;
}

void engine_ignore_request(struct engine *e)
{
    if (!e->request_ready)
        unwatch(e, e->request);
    e->request_ready = false;
}

void engine_stop(struct engine *e, int grace_ms)
{
    for (size_t i = 0; i < e->flow->nnodes; i++) {
        struct proc *p = &e->procs[i];
        if (p->in >= 0)
            drop(e, &p->in);
        if (p->out >= 0)
            unwatch(e, p->out);
        if (p->err >= 0)
            unwatch(e, p->err);
        if (p->watch >= 0)
            unwatch(e, p->watch);
    }
    proc_stop(e->procs, e->flow->nnodes, grace_ms);
    if (e->core)
        core_free(e->core);
    e->core = NULL;
    for (struct task *t = e->tasks; t; t = t->next) {
        t->job = NULL;
        t->opened = t->ended = false;
        if (t->input == e->watched_input && t->input >= 0) {
            unwatch(e, t->input);
            e->watched_input = -1;
        }
        close_fd(&t->input);
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
    free(e);
}

/* ---- input ---- */

/* The task whose input comes next, or NULL. */
static struct task *reading(const struct engine *e)
{
    struct task *t = e->tasks;
    while (t && t->ended)
        t = t->next;
    return t;
}

static void fail_open(struct engine *e, struct task *t)
{
    char text[512];
    int status = errno == ENOENT                     ? EX_NOINPUT
                 : errno == EACCES || errno == EPERM ? EX_NOPERM
                                                     : EX_OSERR;
    snprintf(text, sizeof text, "%.400s: %s", t->path, strerror(errno));
    fail_task(e, status, t->job, text);
}

/* Open the task's input, and begin its job. */
static void open_input(struct engine *e, struct task *t)
{
    struct stat st;
    t->opened = true;
    t->began = now_seconds();
    if (!e->tagged)
        t->job = core_begin(e->core, t->id, t, t->trace);
    if (strcmp(t->path, "-") == 0)
        t->input = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    else
        t->input = open(t->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (t->input < 0 || fstat(t->input, &st) != 0) {
        fail_open(e, t);
        return;
    }
    if (S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        fail_open(e, t);
        e->core->failure.status = EX_NOINPUT;
        return;
    }
    t->live = S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || isatty(t->input);
}

static bool pauses(int fd)
{
    return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) == 0;
}

/* Read one block; at the end of the file, close it. */
static void read_input(struct engine *e, struct task *t)
{
    ssize_t n = read(t->input, core_input_room(e->core, BLOCK), BLOCK);
    if (n > 0) {
        core_input_took(e->core, (size_t)n);
        if (t->live && pauses(t->input))
            core_input_cut(e->core);
    } else if (n == 0) {
        if (e->watched_input == t->input) {
            unwatch(e, t->input);
            e->watched_input = -1;
        }
        close_fd(&t->input);
        t->ended = true;
        core_input_end(e->core);
    } else if (errno != EINTR && errno != EAGAIN) {
        char text[512];
        snprintf(text, sizeof text, "%.400s: %s", t->path, strerror(errno));
        fail_task(e, EX_IOERR, t->job, text);
    }
}

/* Read what there is while the core wants it; true if a regular file has more. */
static bool pump_input(struct engine *e)
{
    struct task *t = reading(e);
    if (!t || !core_wants_input(e->core) || core_failure(e->core))
        return false;
    if (!t->opened)
        open_input(e, t);
    if (core_failure(e->core))
        return false;
    if (!t->live || !pauses(t->input))
        read_input(e, t);
    return !core_failure(e->core) && reading(e) && !(t == reading(e) && t->live) &&
           core_wants_input(e->core);
}

/* Watch a live input only while it is wanted. */
static void watch_input(struct engine *e)
{
    struct task *t = reading(e);
    bool wanted = t && t->opened && t->live && t->input >= 0 && core_wants_input(e->core);
    if (!wanted && e->watched_input >= 0) {
        unwatch(e, e->watched_input);
        e->watched_input = -1;
    } else if (wanted && e->watched_input < 0) {
        watch(e, EPOLL_CTL_ADD, t->input, EPOLLIN, W_INPUT, 0);
        e->watched_input = t->input;
    }
}

/* ---- nodes ---- */

static void stop_writing(struct engine *e, size_t node)
{
    drop(e, &e->procs[node].in);
    if (e->flow->nodes[node].kind == NODE_COMMAND)
        core_command_deaf(e->core, node);
    else if (!e->links[node].doomed)
        e->links[node].doomed = now_ms() + GRACE_MS;
}

static void write_node(struct engine *e, size_t node)
{
    struct proc *p = &e->procs[node];
    struct link *l = &e->links[node];
    struct iovec iov[MOST_IOV];
    size_t n;
    while (p->in >= 0 && !l->blocked && (n = core_node_iov(e->core, node, iov, MOST_IOV))) {
        ssize_t wrote = writev(p->in, iov, (int)n);
        if (wrote >= 0) {
            l->active = now_ms();
            core_node_wrote(e->core, node, (size_t)wrote);
        } else if (errno == EAGAIN) {
            l->blocked = true;
            watch(e, EPOLL_CTL_MOD, p->in, EPOLLOUT, W_IN, node);
        } else if (errno == EPIPE) {
            stop_writing(e, node);
        } else if (errno != EINTR) {
            fail(e, EX_OSERR, node, strerror(errno));
            return;
        }
    }
}

/* Start a command for its work, feed it, and close its input when it has all. */
static void pump_command(struct engine *e, size_t node)
{
    struct proc *p = &e->procs[node];
    if (!p->pid && core_command_due(e->core, node))
        start_process(e, node);
    if (!p->pid || core_failure(e->core))
        return;
    core_node_wrote(e->core, node, 0); /* a run without lines is over at once */
    write_node(e, node);
    if (p->in < 0 || (p->ended && e->links[node].eof))
        core_command_deaf(e->core, node);
    if (core_command_full(e->core, node) && p->in >= 0)
        drop(e, &p->in);
    if (p->ended && e->links[node].eof)
        settle(e, node);
}

static void pump_nodes(struct engine *e)
{
    for (size_t i = 0; i < e->flow->nnodes && !core_failure(e->core); i++) {
        if (e->flow->nodes[i].kind == NODE_COMMAND)
            pump_command(e, i);
        else if (e->core->nodes[i].writing)
            write_node(e, i);
    }
}

static void read_node(struct engine *e, size_t node)
{
    struct proc *p = &e->procs[node];
    struct link *l = &e->links[node];
    if (p->out < 0 || core_failure(e->core))
        return;
    ssize_t n = read(p->out, core_node_room(e->core, node, BLOCK), BLOCK);
    if (n > 0) {
        l->active = now_ms();
        core_node_took(e->core, node, (size_t)n);
    } else if (n == 0) {
        l->eof = true;
        drop(e, &p->out);
        settle(e, node);
    } else if (errno != EAGAIN && errno != EINTR) {
        fail(e, EX_OSERR, node, strerror(errno));
    }
}

/* ---- output ---- */

static void watch_stdout(struct engine *e, bool wanted)
{
    if (wanted != e->stdout_watched) {
        if (wanted)
            watch(e, EPOLL_CTL_ADD, out_stdout(), EPOLLOUT, W_STDOUT, 0);
        else
            unwatch(e, out_stdout());
        e->stdout_watched = wanted;
    }
}

/* In tagged mode the core begins the jobs: one after the other, they belong to the only task. */
static struct job *job_of(struct engine *e, struct task *t)
{
    if (!e->tagged)
        return t->job;
    while (e->core->jobs && e->core->jobs->done && e->core->jobs->next &&
           !e->core->jobs->streams[0].first)
        core_forget(e->core, e->core->jobs);
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
        fail_task(e, EX_IOERR, failed ? failed->job : NULL, buf_str(&why));
    }
    watch_stdout(e, w == WROTE_BLOCKED);
    buf_free(&why);
}

/* ---- the loop ---- */

static enum turn take_signal(struct engine *e)
{
    struct signalfd_siginfo info;
    if (read(e->signals, &info, sizeof info) != (ssize_t)sizeof info)
        return TURN_MORE;
    e->signal = (int)info.ssi_signo;
    return TURN_SIGNAL;
}

static enum turn dispatch(struct engine *e, const struct epoll_event *ev)
{
    size_t node = ev->data.u64 & UINT32_MAX;
    switch ((enum what)(ev->data.u64 >> 32)) {
    case W_OUT:
        read_node(e, node);
        break;
    case W_ERR:
        if (e->procs[node].err >= 0 && !proc_stderr(&e->procs[node], e->flow->nodes[node].tag)) {
            e->links[node].err_open = false;
            drop(e, &e->procs[node].err);
        }
        break;
    case W_IN:
        if (e->procs[node].in >= 0) {
            e->links[node].blocked = false;
            watch(e, EPOLL_CTL_MOD, e->procs[node].in, 0, W_IN, node);
            if (ev->events & EPOLLERR)
                stop_writing(e, node); /* nobody reads it any more */
        }
        break;
    case W_ENDED:
        if (e->procs[node].watch >= 0 && proc_reap(&e->procs[node])) {
            drop(e, &e->procs[node].watch);
            settle(e, node);
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

/* Does any process owe us something by a certain time? */
static bool has_deadlines(const struct engine *e)
{
    for (size_t i = 0; i < e->flow->nnodes; i++)
        if (e->procs[i].pid &&
            (e->links[i].doomed || (e->flow->nodes[i].timeout_ms && core_node_busy(e->core, i))))
            return true;
    return false;
}

enum turn engine_turn(struct engine *e)
{
    struct epoll_event events[MOST_EVENTS];
    enum turn result = e->request_ready ? TURN_REQUEST : TURN_MORE;
    bool more = pump_input(e) || e->request_ready;
    pump_nodes(e);
    pump_outputs(e);
    if (core_failure(e->core))
        return TURN_FAILED;
    more = more || is_done(e); /* the caller will take it */
    watch_input(e);
    int timeout = more ? 0 : has_deadlines(e) ? TICK_MS : -1;
    int n = epoll_wait(e->epoll, events, MOST_EVENTS, timeout);
    if (n < 0 && errno != EINTR)
        tl_die(EX_OSERR, "epoll_wait: %m");
    for (int i = 0; i < n && !core_failure(e->core); i++) {
        enum turn t = dispatch(e, &events[i]);
        result = t > result ? t : result;
    }
    if (!core_failure(e->core))
        check_deadlines(e);
    return core_failure(e->core) ? TURN_FAILED : result;
}

/* ---- usage ---- */

/* Fields of /proc/PID/stat, see proc(5). */
static void usage_of(pid_t pid, double *cpu, uint64_t *memory)
{
    char path[64], text[1024];
    unsigned long user, system;
    long pages;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    close_fd(&fd);
    if (n <= 0)
        return;
    text[n] = '\0';
    const char *rest = strrchr(text, ')');
    if (rest && sscanf(rest + 1,
                       " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d "
                       "%*d %*u %*u %ld",
                       &user, &system, &pages) == 3) {
        *cpu = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
        *memory = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
    }
}

void engine_usage(struct engine *e, size_t node, double *cpu, uint64_t *memory, uint64_t *restarts)
{
    struct link *l = &e->links[node];
    double now = 0;
    *memory = 0;
    if (e->procs[node].pid && !e->procs[node].ended)
        usage_of(e->procs[node].pid, &now, memory);
    *cpu = now > l->cpu_told ? now - l->cpu_told : now;
    l->cpu_told = now;
    /* The first start is none, and a command is started for every file. */
    uint64_t told = l->starts_told ? l->starts_told : 1;
    bool stays = e->flow->nodes[node].kind == NODE_FILTER;
    *restarts = stays && l->starts > told ? l->starts - told : 0;
    l->starts_told = l->starts;
}
