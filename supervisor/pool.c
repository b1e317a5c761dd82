/* SPDX-License-Identifier: MIT */
/* The pool of workers. Trust: a worker may die, stop or be killed at any moment, in the middle of
 * an answer too; whatever it does not answer whole is not done. */
#include "pool.h"
#include "spawn.h"
#include "tagline.h"
#include "talk.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void pool_init(struct pool *p, size_t n, int lock, struct pool_handler handler)
{
    *p = (struct pool){.workers = xcalloc(n, sizeof *p->workers),
                       .n = n,
                       .router = spawn_find_router(),
                       .lock = lock,
                       .handler = handler};
    for (size_t i = 0; i < n; i++)
        p->workers[i].in = p->workers[i].out = -1;
}

void pool_free(struct pool *p)
{
    for (size_t i = 0; i < p->n; i++) {
        buf_free(&p->workers[i].to);
        buf_free(&p->workers[i].from);
    }
    free(p->workers);
    free(p->router);
}

/* Two pipes; ours are [0] of out and [1] of in, and never block. */
static int make_pipes(int in[2], int out[2])
{
    in[0] = in[1] = out[0] = out[1] = -1;
    if (pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0 &&
        fcntl(in[1], F_SETFL, O_NONBLOCK) == 0 && fcntl(out[0], F_SETFL, O_NONBLOCK) == 0)
        return 0;
    return -1;
}

int pool_start(struct pool *p, struct worker *w, const char *flow, unsigned generation,
               long long now)
{
    int in[2], out[2];
    char *argv[] = {p->router, (char[]){"--worker"}, xstrdup(flow), NULL};
    pid_t pid = make_pipes(in, out) == 0
                    ? spawn_child(&(struct spawn){
                          .argv = argv, .lock = p->lock, .in = in[0], .out = out[1]})
                    : -1;
    int saved = errno;
    free(argv[2]);
    talk_hang_up(&in[0]);
    talk_hang_up(&out[1]);
    if (pid < 0) {
        talk_hang_up(&in[1]);
        talk_hang_up(&out[0]);
        errno = saved;
        return -1;
    }
    w->state = WORKER_STARTING;
    w->pid = pid;
    w->in = in[1];
    w->out = out[0];
    w->generation = generation;
    w->deadline = now + POOL_READY_MS;
    w->to.len = w->from.len = 0;
    w->pace = -1;
    w->stuck = false;
    return 0;
}

pid_t pool_check(const struct pool *p, const char *flow)
{
    char *argv[] = {p->router, (char[]){"--check"}, xstrdup(flow), NULL};
    pid_t pid = spawn_child(&(struct spawn){.argv = argv, .lock = -1, .in = -1, .out = -1});
    int saved = errno;
    free(argv[2]);
    errno = saved;
    return pid;
}

/* How many jobs it may have: where a file takes long, others must not wait behind it. */
static size_t depth(const struct worker *w)
{
    if (w->pace < 0)
        return 2;
    long jobs = POOL_QUEUE_MS / (w->pace + 1) + 1;
    return jobs < POOL_DEPTH ? (size_t)jobs : POOL_DEPTH;
}

struct worker *pool_room(const struct pool *p, unsigned generation, bool alone, bool keep)
{
    struct worker *best = NULL;
    for (size_t i = 0; i < p->n; i++) {
        struct worker *w = &p->workers[i];
        if (w->state != WORKER_READY || w->generation != generation || w->stuck || w->alone)
            continue;
        bool kept = keep;
        keep = false; /* only the first is kept */
        bool room = w->njobs == 0 || (w->njobs < depth(w) && w->flight < POOL_FLIGHT && !alone);
        if (!kept && room && (!best || w->njobs < best->njobs))
            best = w;
    }
    return best;
}

void pool_retire(struct worker *w, long long now)
{
    if (w->state == WORKER_NONE || w->state == WORKER_ENDING)
        return;
    w->state = WORKER_ENDING;
    w->deadline = w->njobs == 0 ? now + POOL_GRACE_MS : 0;
    talk_write(w);
}

void pool_kill(const struct worker *w)
{
    if (w->state != WORKER_NONE && kill(-w->pid, SIGKILL) != 0 && kill(w->pid, SIGKILL) != 0 &&
        errno != ESRCH)
        tl_warn("worker %d: cannot be killed: %m", (int)w->pid);
}

static void take_back(struct pool *p, struct worker *w)
{
    struct job *behind[POOL_DEPTH];
    size_t n = 0;
    while (w->njobs > 1) {
        struct job *j = w->jobs[--w->njobs];
        w->flight -= j->input.size;
        w->taken[w->ntaken++] = j->id;
        behind[n++] = j;
    }
    p->handler.behind(p->handler.arg, w, behind, n);
}

void pool_relieve(struct pool *p, long long now)
{
    for (size_t i = 0; i < p->n; i++) {
        struct worker *w = &p->workers[i];
        if (w->state != WORKER_READY || w->njobs == 0)
            continue;
        w->stuck = w->stuck || now - w->since >= POOL_STUCK_MS;
        if (w->stuck && w->njobs > 1 && pool_able(p, w->generation) > 0)
            take_back(p, w);
    }
}

size_t pool_polls(const struct pool *p, struct pollfd *polls)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++) {
        const struct worker *w = &p->workers[i];
        if (w->out >= 0)
            polls[n++] = (struct pollfd){.fd = w->out, .events = POLLIN};
        if (w->in >= 0 && w->to.len > 0)
            polls[n++] = (struct pollfd){.fd = w->in, .events = POLLOUT};
    }
    return n;
}

void pool_io(struct pool *p, long long now)
{
    for (size_t i = 0; i < p->n; i++) {
        talk_write(&p->workers[i]);
        talk_read(p, &p->workers[i], now);
    }
}

/* It ended: what it had said before counts, what it had not is lost. */
static void bury(struct pool *p, struct worker *w, long long now)
{
    struct job *lost[POOL_DEPTH];
    int status;
    talk_read(p, w, now);
    kill(-w->pid, SIGKILL); /* what is left of its group; its number is ours until it is reaped */
    while (waitpid(w->pid, &status, 0) != w->pid)
        if (errno != EINTR)
            tl_bug("waitpid %d: %m", (int)w->pid);
    bool was_ready = w->state != WORKER_STARTING;
    size_t nlost = w->njobs;
    memcpy(lost, w->jobs, nlost * sizeof *lost);
    talk_hang_up(&w->in);
    talk_hang_up(&w->out);
    w->deaths += w->state != WORKER_ENDING;
    w->state = WORKER_NONE;
    w->njobs = 0;
    w->flight = 0;
    w->alone = w->stuck = false;
    w->deadline = 0;
    while (w->ntaken > 0)
        p->handler.left(p->handler.arg, w->taken[--w->ntaken]);
    p->handler.gone(p->handler.arg, w, spawn_status(status), was_ready, lost, nlost);
}

void pool_reap(struct pool *p, long long now)
{
    for (size_t i = 0; i < p->n; i++) {
        struct worker *w = &p->workers[i];
        siginfo_t info = {0};
        if (w->state == WORKER_NONE)
            continue;
        if (waitid(P_PID, (id_t)w->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 && errno != EINTR)
            tl_bug("waitid %d: %m", (int)w->pid);
        if (info.si_pid == w->pid)
            bury(p, w, now);
        else if (w->deadline && now >= w->deadline) {
            tl_warn("worker %d: does not %s; killed", (int)w->pid,
                    w->state == WORKER_STARTING ? "become ready" : "end");
            w->deadline = 0;
            pool_kill(w);
        }
    }
}

long long pool_next(const struct pool *p)
{
    long long next = -1;
    for (size_t i = 0; i < p->n; i++) {
        const struct worker *w = &p->workers[i];
        long long at = w->deadline;
        if (!at && w->state == WORKER_READY && w->njobs > 1 && !w->stuck)
            at = w->since + POOL_STUCK_MS;
        if (at && (next < 0 || at < next))
            next = at;
    }
    return next;
}

size_t pool_running(const struct pool *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        n += p->workers[i].state != WORKER_NONE;
    return n;
}

size_t pool_jobs(const struct pool *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        n += p->workers[i].njobs;
    return n;
}

size_t pool_alone(const struct pool *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        n += p->workers[i].alone;
    return n;
}

size_t pool_able(const struct pool *p, unsigned generation)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        n += p->workers[i].state == WORKER_READY && p->workers[i].generation == generation &&
             !p->workers[i].stuck;
    return n;
}

size_t pool_live(const struct pool *p, unsigned generation)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        n += p->workers[i].state == WORKER_STARTING && p->workers[i].generation == generation;
    return n + pool_ready(p, generation);
}

size_t pool_ready(const struct pool *p, unsigned generation)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        n += p->workers[i].state == WORKER_READY && p->workers[i].generation == generation;
    return n;
}
