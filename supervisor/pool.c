/* SPDX-License-Identifier: MIT */
/* The pool of workers. Trust: a worker may die, stop or be killed at any moment, in the middle of
 * an answer too; whatever it does not answer whole is not done. */
#include "pool.h"
#include "spawn.h"
#include "tagline.h"
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

static void hang_up(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
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
    hang_up(&in[0]);
    hang_up(&out[1]);
    if (pid < 0) {
        hang_up(&in[1]);
        hang_up(&out[0]);
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

struct worker *pool_room(const struct pool *p, unsigned generation, bool alone, bool keep)
{
    struct worker *best = NULL;
    for (size_t i = 0; i < p->n; i++) {
        struct worker *w = &p->workers[i];
        if (w->state != WORKER_READY || w->generation != generation)
            continue;
        bool kept = keep;
        keep = false; /* only the first is kept */
        bool room = w->njobs == 0 ||
                    (w->njobs < POOL_DEPTH && w->flight < POOL_FLIGHT && !w->alone && !alone);
        if (!kept && room && (!best || w->njobs < best->njobs))
            best = w;
    }
    return best;
}

static void write_some(struct worker *w)
{
    while (w->to.len > 0 && w->in >= 0) {
        ssize_t n = write(w->in, w->to.data, w->to.len);
        if (n > 0)
            buf_shift(&w->to, (size_t)n);
        else if (n < 0 && errno == EAGAIN)
            return;
        else if (n < 0 && errno != EINTR)
            hang_up(&w->in); /* it is ending; waitpid will say how */
    }
    if (w->state == WORKER_ENDING && w->to.len == 0)
        hang_up(&w->in);
}

void pool_give(struct worker *w, struct job *job, bool alone, const char *queue)
{
    char path[STORE_PATH];
    buf_addf(&w->to, WORKER_JOB " %lu ", job->id);
    text_percent(&w->to, queue, strlen(queue));
    buf_addc(&w->to, '/');
    job_input(job, path);
    text_percent(&w->to, path, strlen(path));
    buf_addc(&w->to, ' ');
    text_percent(&w->to, queue, strlen(queue));
    buf_addc(&w->to, '/');
    job_folder(job, path);
    text_percent(&w->to, path, strlen(path));
    buf_addc(&w->to, ' ');
    text_percent(&w->to, job->name, strlen(job->name));
    buf_adds(&w->to, job->trace ? " " WORKER_TRACE "\n" : "\n");
    w->jobs[w->njobs++] = job;
    w->flight += job->input.size;
    w->alone = alone;
    write_some(w);
}

void pool_retire(struct worker *w, long long now)
{
    if (w->state == WORKER_NONE || w->state == WORKER_ENDING)
        return;
    w->state = WORKER_ENDING;
    w->deadline = w->njobs == 0 ? now + POOL_GRACE_MS : 0;
    write_some(w);
}

void pool_kill(const struct worker *w)
{
    if (w->state != WORKER_NONE && kill(-w->pid, SIGKILL) != 0 && kill(w->pid, SIGKILL) != 0 &&
        errno != ESRCH)
        tl_warn("worker %d: cannot be killed: %m", (int)w->pid);
}

/* The job in flight with that id, no longer in flight; or NULL. */
static struct job *take_job(struct worker *w, int64_t id)
{
    for (size_t i = 0; i < w->njobs; i++) {
        struct job *j = w->jobs[i];
        if ((int64_t)j->id != id)
            continue;
        memmove(&w->jobs[i], &w->jobs[i + 1], (w->njobs - i - 1) * sizeof *w->jobs);
        w->njobs--;
        w->flight -= j->input.size;
        w->alone = false;
        return j;
    }
    return NULL;
}

static bool obey(struct pool *p, struct worker *w, struct reply *r, long long now, const char **why)
{
    if (r->ready != (w->state == WORKER_STARTING)) {
        *why = r->ready ? "it is ready twice" : "it was not ready yet";
        /* One that was told to end before it was ready may say so still. */
        return r->ready && w->state == WORKER_ENDING;
    }
    if (r->ready) {
        w->state = WORKER_READY;
        w->deadline = 0;
        p->handler.ready(p->handler.arg, w, r);
        return true;
    }
    struct job *job = take_job(w, r->id);
    *why = "it was not asked for that job";
    if (!job)
        return false;
    if (w->state == WORKER_ENDING && w->njobs == 0)
        w->deadline = now + POOL_GRACE_MS;
    w->deaths = 0;
    p->handler.answer(p->handler.arg, w, job, r);
    return true;
}

/* One line that a worker printed. A worker that talks nonsense cannot be trusted with files. */
static void hear(struct pool *p, struct worker *w, const char *line, size_t n, long long now)
{
    struct reply r;
    const char *why = "";
    if (!reply_parse(&r, line, n, &why) || !obey(p, w, &r, now, &why)) {
        tl_warn("worker %d: a wrong answer: %s; killed", (int)w->pid, why);
        pool_kill(w);
        hang_up(&w->out);
    }
    reply_free(&r);
}

static void hear_lines(struct pool *p, struct worker *w, long long now)
{
    size_t at = 0;
    char *nl;
    while (w->out >= 0 && at < w->from.len &&
           (nl = memchr(w->from.data + at, '\n', w->from.len - at))) {
        char *line = w->from.data + at;
        at = (size_t)(nl + 1 - w->from.data);
        hear(p, w, line, (size_t)(nl - line), now);
    }
    buf_shift(&w->from, at);
    if (w->from.len > POOL_ANSWER) {
        tl_warn("worker %d: an answer of more than %d bytes; killed", (int)w->pid, POOL_ANSWER);
        pool_kill(w);
        hang_up(&w->out);
    }
}

/* It will say no more: it is about to end, or nobody will ever hear its answers. */
static void fall_silent(struct worker *w, bool closed, long long now)
{
    if (!closed) {
        tl_warn("worker %d: cannot be read: %m; killed", (int)w->pid);
        pool_kill(w);
    }
    hang_up(&w->out);
    if (!w->deadline)
        w->deadline = now + POOL_GRACE_MS;
}

static void read_some(struct pool *p, struct worker *w, long long now)
{
    while (w->out >= 0) {
        ssize_t n = read(w->out, buf_room(&w->from, 65536), 65536);
        if (n > 0) {
            w->from.len += (size_t)n;
            hear_lines(p, w, now);
        } else if (n < 0 && errno == EAGAIN) {
            return;
        } else if (n == 0 || errno != EINTR) {
            fall_silent(w, n == 0, now);
        }
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
        write_some(&p->workers[i]);
        read_some(p, &p->workers[i], now);
    }
}

/* It ended: what it had said before counts, what it had not is lost. */
static void bury(struct pool *p, struct worker *w, long long now)
{
    struct job *lost[POOL_DEPTH];
    int status;
    read_some(p, w, now);
    kill(-w->pid, SIGKILL); /* what is left of its group; its number is ours until it is reaped */
    while (waitpid(w->pid, &status, 0) != w->pid)
        if (errno != EINTR)
            tl_bug("waitpid %d: %m", (int)w->pid);
    bool was_ready = w->state != WORKER_STARTING;
    size_t nlost = w->njobs;
    memcpy(lost, w->jobs, nlost * sizeof *lost);
    hang_up(&w->in);
    hang_up(&w->out);
    w->deaths += w->state != WORKER_ENDING;
    w->state = WORKER_NONE;
    w->njobs = 0;
    w->flight = 0;
    w->alone = false;
    w->deadline = 0;
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
        long long at = p->workers[i].deadline;
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
