/* SPDX-License-Identifier: MIT */
/* The conversation with a worker (tl-router(1), WORKER). Trust: a worker may die, stop or be killed
 * at any moment, in the middle of an answer too; whatever it does not answer whole is not done. */
#include "talk.h"
#include "tagline.h"
#include "text.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void talk_hang_up(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void talk_write(struct worker *w)
{
    while (w->to.len > 0 && w->in >= 0) {
        ssize_t n = write(w->in, w->to.data, w->to.len);
        if (n > 0)
            buf_shift(&w->to, (size_t)n);
        else if (n < 0 && errno == EAGAIN)
            return;
        else if (n < 0 && errno != EINTR)
            talk_hang_up(&w->in); /* it is ending; waitpid will say how */
    }
    if (w->state == WORKER_ENDING && w->to.len == 0)
        talk_hang_up(&w->in);
}

/* A path of the queue as a word, or the end of one. */
static void say_path(struct worker *w, const char *queue, const char *path)
{
    text_percent(&w->to, queue, strlen(queue));
    buf_addc(&w->to, '/');
    text_percent(&w->to, path, strlen(path));
}

void talk_give(const struct pool *p, struct worker *w, struct job *job, bool alone,
               const char *queue, long long now)
{
    char path[STORE_PATH];
    buf_addf(&w->to, WORKER_JOB " %lu ", job->id);
    say_path(w, queue, job_input(job, path));
    buf_addc(&w->to, ' ');
    say_path(w, queue, job_folder(job, path));
    buf_addc(&w->to, ' ');
    text_percent(&w->to, job->name, strlen(job->name));
    if (job->trace)
        buf_adds(&w->to, " " WORKER_TRACE);
    if (p->checkpoint) {
        buf_adds(&w->to, " " WORKER_CHECKPOINT);
        say_path(w, queue, job_checkpoint(job, path));
        buf_addf(&w->to, " " WORKER_EVERY "%s%s", p->checkpoint, p->sync ? " " WORKER_SYNC : "");
    }
    buf_addc(&w->to, '\n');
    if (w->njobs == 0)
        w->since = now;
    w->jobs[w->njobs++] = job;
    w->flight += job->input.size;
    w->alone = alone;
    talk_write(w);
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

/* Is it an answer for a job that went to others? Then its folder is free. */
static bool was_taken(struct pool *p, struct worker *w, int64_t id)
{
    for (size_t i = 0; i < w->ntaken; i++) {
        if ((int64_t)w->taken[i] != id)
            continue;
        p->handler.left(p->handler.arg, w->taken[i]);
        w->taken[i] = w->taken[--w->ntaken];
        return true;
    }
    return false;
}

/* It has answered; what it took counts for how much it gets. */
static void keep_pace(struct worker *w, long long now)
{
    long took = (long)(now - w->since);
    w->pace = w->pace < 0 ? took : (3 * w->pace + took) / 4;
    w->since = now;
    w->stuck = false;
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
        return was_taken(p, w, r->id);
    keep_pace(w, now);
    if (w->ntaken > 0 && w->njobs == 0) { /* it would only do again what others do */
        w->state = WORKER_ENDING;
        pool_kill(w);
    }
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
        talk_hang_up(&w->out);
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
        talk_hang_up(&w->out);
    }
}

/* It will say no more: it is about to end, or nobody will ever hear its answers. */
static void fall_silent(struct worker *w, bool closed, long long now)
{
    if (!closed) {
        tl_warn("worker %d: cannot be read: %m; killed", (int)w->pid);
        pool_kill(w);
    }
    talk_hang_up(&w->out);
    if (!w->deadline)
        w->deadline = now + POOL_GRACE_MS;
}

void talk_read(struct pool *p, struct worker *w, long long now)
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
