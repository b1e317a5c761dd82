/* SPDX-License-Identifier: MIT */
/*
 * Taking on a flow: at the start, on HUP, and when a hold is over. The flow file is checked by a
 * tl-router --check of its own, copied under .tagline/flow, and tried by one worker; only when that
 * worker is ready do the others change. Workers only ever read the copy, so that one that dies
 * starts again with what is known to be good, whatever is on disk by then. Trust: the flow is the
 * operator's; it may be half-written when we look.
 */
#include "class.h"
#include "msg.h"
#include "sdnotify.h"
#include "spawn.h"
#include "super.h"
#include "tagline.h"
#include "text.h"
#include "times.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sha2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CHECK_MS = 60000,    /* tl-router --check must be through by then */
    HOLD_MS = 30000,     /* between two tries to go on with a flow that cannot run */
    REST_LEAST_MS = 100, /* before a worker that died is started again */
    REST_MOST_MS = 30000,
    FLOW_BYTES = 16 << 20,
};

static long hold_ms(const struct super *s)
{
    return s->opt.backoff_most < HOLD_MS ? s->opt.backoff_most : HOLD_MS;
}

/* Where the copy of a generation lies, relative to the queue. */
static void copy_path(const struct super *s, unsigned generation, struct buf *to)
{
    const char *slash = strrchr(s->opt.flow, '/');
    to->len = 0;
    buf_addf(to, STORE_FLOW "/%u/%s", generation, slash ? slash + 1 : s->opt.flow);
}

static void forget_copy(struct super *s, unsigned generation)
{
    char folder[64];
    snprintf(folder, sizeof folder, STORE_FLOW "/%u", generation);
    if (generation)
        store_remove_folder(&s->store, folder);
}

/* Read the flow as it is now; 0, or -1 and errno. */
static int read_flow(const struct super *s, struct buf *to)
{
    struct stat st;
    int fd = open(s->opt.flow, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int error = fd < 0 || fstat(fd, &st) != 0 ? errno : 0;
    if (!error && !S_ISREG(st.st_mode))
        error = EINVAL;
    for (ssize_t n = 1; !error && n > 0;) {
        n = read(fd, buf_room(to, 65536), 65536);
        if (n < 0)
            error = errno;
        else
            to->len += (size_t)n;
        if (to->len > FLOW_BYTES)
            error = EFBIG;
    }
    if (fd >= 0)
        close(fd);
    errno = error;
    return error ? -1 : 0;
}

/* The service manager hears that a reload is over however it went; the log says how. */
static void end_reload(struct adopt *a)
{
    if (a->reload && !a->again)
        sdnotify_ready();
    a->reload = a->again;
}

/* It is not the flow that is at fault but the system, and there is no old flow to go on with. */
static bool refused_by_system(struct super *s, int status, const char *why)
{
    if (s->adopt.generation || (status != EX_OSERR && status != EX_CANTCREAT && status != EX_IOERR))
        return false;
    super_hold(s, HOLD_STORM, "%s: %s (status %d)", s->opt.flow, why, status);
    return true;
}

static void refuse_flow(struct super *s, int status, const char *why)
{
    struct adopt *a = &s->adopt;
    a->phase = ADOPT_IDLE;
    forget_copy(s, a->next);
    if (refused_by_system(s, status, why))
        return;
    if (a->generation && s->state != SUPER_HOLDING) {
        msg_at(MSG_ERROR, "reload refused: %s: %s (status %d); the old flow goes on", s->opt.flow,
               why, status);
        report_trouble(s, why);
        return;
    }
    if (s->hold == HOLD_FLOW)
        msg_at(MSG_ERROR, "still held: %s: %s (status %d)", s->opt.flow, why, status);
    super_hold(s, HOLD_FLOW, "%s: %s (status %d)", s->opt.flow, why, status);
    if (a->generation) /* what cannot run may have been a missing command: try the old flow */
        s->hold = HOLD_WORKERS;
    s->hold_until = times_ms() + hold_ms(s);
    if (s->opt.once && !a->generation) {
        s->status = status > 0 && status < 128 ? status : EX_CONFIG;
        super_drain(s);
    }
}

/* The flow on disk is not fit for use; the old one, if there is one, goes on. */
static void refuse(struct super *s, int status, const char *why)
{
    refuse_flow(s, status, why);
    end_reload(&s->adopt);
}

void adopt_begin(struct super *s)
{
    struct adopt *a = &s->adopt;
    char why[128];
    if (a->phase != ADOPT_IDLE) {
        a->again = true;
        return;
    }
    a->again = false;
    a->text.len = 0;
    a->next = a->generation + 1;
    int got = read_flow(s, &a->text);
    a->check = got == 0 ? pool_check(&s->pool, s->opt.flow) : -1;
    if (a->check < 0) {
        int status = got == 0 || class_storm(errno) ? EX_OSERR : EX_NOINPUT;
        snprintf(why, sizeof why, "%s: %s", got == 0 ? "cannot be checked" : "cannot be read",
                 strerror(errno));
        refuse(s, status, why);
        return;
    }
    SHA256Data((const uint8_t *)a->text.data, a->text.len, a->next_hash);
    a->phase = ADOPT_CHECKING;
    a->deadline = times_ms() + CHECK_MS;
}

/* A worker slot that is free. */
static struct worker *free_worker(struct super *s, long long now)
{
    for (size_t i = 0; i < s->pool.n; i++) {
        struct worker *w = &s->pool.workers[i];
        if (w->state == WORKER_NONE && now >= w->rest)
            return w;
    }
    return NULL;
}

static int start_worker(struct super *s, struct worker *w, unsigned generation, long long now)
{
    struct buf copy = {0}, path = {0};
    copy_path(s, generation, &copy);
    buf_addf(&path, "%s/%s", s->store.path, buf_str(&copy));
    int result = pool_start(&s->pool, w, buf_str(&path), generation, now);
    int saved = errno;
    buf_free(&copy);
    buf_free(&path);
    errno = saved;
    return result;
}

/* The copy that workers read; 0, or -1 and errno. */
static int write_copy(struct super *s)
{
    struct adopt *a = &s->adopt;
    struct buf path = {0};
    char folder[64];
    snprintf(folder, sizeof folder, STORE_FLOW "/%u", a->next);
    forget_copy(s, a->next);
    copy_path(s, a->next, &path);
    int result = mkdirat(s->store.root, folder, 0700) == 0
                     ? store_write(&s->store, buf_str(&path), a->text.data, a->text.len)
                     : -1;
    int saved = errno;
    buf_free(&path);
    errno = saved;
    return result;
}

/* The check is through: is what it looked at still there? Then try it. */
static void checked(struct super *s, int status, long long now)
{
    struct adopt *a = &s->adopt;
    struct buf text = {0};
    a->phase = ADOPT_IDLE;
    if (status != 0) {
        refuse(s, status, "does not pass tl-router --check");
        return;
    }
    bool same = read_flow(s, &text) == 0 && text.len == a->text.len &&
                (text.len == 0 || memcmp(text.data, a->text.data, text.len) == 0);
    buf_free(&text);
    if (!same) {
        adopt_begin(s);
        return;
    }
    /* A slot that rests does so because of the flow in use. */
    struct worker *w = free_worker(s, LLONG_MAX);
    if (!w || write_copy(s) != 0 || start_worker(s, w, a->next, now) != 0) {
        refuse(s, EX_OSERR, w ? strerror(errno) : "no worker is free to try it");
        return;
    }
    a->phase = ADOPT_TRYING;
}

void adopt_reap(struct super *s, long long now)
{
    struct adopt *a = &s->adopt;
    int status;
    if (a->phase != ADOPT_CHECKING) {
        if (a->again && a->phase == ADOPT_IDLE)
            adopt_begin(s);
        return;
    }
    pid_t pid = waitpid(a->check, &status, WNOHANG);
    if (pid == a->check)
        checked(s, spawn_status(status), now);
    else if (now >= a->deadline && kill(-a->check, SIGKILL) != 0 && errno != ESRCH)
        tl_warn("tl-router --check: cannot be killed: %m");
}

/* The tried flow is the one in use from now on. */
static void take_on(struct super *s)
{
    struct adopt *a = &s->adopt;
    bool first = a->generation == 0;
    forget_copy(s, a->generation);
    a->phase = ADOPT_IDLE;
    a->generation = a->next;
    s->proved = false;
    memcpy(a->hash, a->next_hash, sizeof a->hash);
    for (size_t i = 0; i < s->pool.n; i++) {
        if (s->pool.workers[i].generation != a->generation)
            pool_retire(&s->pool.workers[i], times_ms());
        s->pool.workers[i].rest = 0;
    }
    msg_at(MSG_INFO, "%s: flow %s, %ld workers", first ? "ready" : "reloaded", s->opt.flow,
           s->opt.workers);
    super_resume(s);
    end_reload(a);
}

void adopt_worker_ready(struct super *s, struct worker *w)
{
    if (s->state == SUPER_DRAINING)
        return;
    if (s->adopt.phase == ADOPT_TRYING && w->generation == s->adopt.next)
        take_on(s);
    else if (s->hold == HOLD_WORKERS)
        super_resume(s);
}

/* A worker of the flow in use died without being asked to. */
static void died(struct super *s, struct worker *w, int status, bool was_ready)
{
    enum { IDLE_DEATHS = 3 };
    const char *how = status > 128 ? "signal" : "status";
    int number = status > 128 ? status - 128 : status;
    unsigned long chance = 0;
    if (getrandom(&chance, sizeof chance, GRND_NONBLOCK) < 0)
        chance = (unsigned long)w->pid;
    w->rest = times_ms() + class_backoff(REST_LEAST_MS, REST_MOST_MS, (long)w->deaths, chance);
    if (status < 128 && class_of(status) == OUTCOME_OPERATOR) {
        super_hold(s, HOLD_FLOW, "%s: a worker cannot %s (status %d)", s->opt.flow,
                   was_ready ? "go on" : "start", status);
        return;
    }
    tl_warn("worker %d: %s (%s %d)", (int)w->pid, was_ready ? "died" : "died before it was ready",
            how, number);
    if (status == EX_OSERR)
        super_hold(s, HOLD_STORM, "the system refuses workers what they need (status %d)", status);
    else if (s->idle_deaths >= IDLE_DEATHS)
        super_hold(s, HOLD_FLOW, "%s: filters die with nothing to do (%s %d)", s->opt.flow, how,
                   number);
    else if (!was_ready && pool_ready(&s->pool, s->adopt.generation) == 0)
        super_hold(s, HOLD_WORKERS, "workers die before they are ready (%s %d)", how, number);
}

void adopt_worker_gone(struct super *s, struct worker *w, int status, bool was_ready)
{
    bool tried = s->adopt.phase == ADOPT_TRYING && w->generation == s->adopt.next;
    if (s->state == SUPER_DRAINING)
        return;
    if (tried)
        refuse(s, status, "a worker cannot start with it");
    else if (w->deaths && w->generation == s->adopt.generation && s->hold != HOLD_FLOW)
        died(s, w, status, was_ready);
}

void adopt_crew(struct super *s, long long now)
{
    if (s->adopt.generation == 0 || s->state == SUPER_DRAINING || s->hold == HOLD_FLOW)
        return;
    while (pool_live(&s->pool, s->adopt.generation) < (size_t)s->opt.workers) {
        struct worker *w = free_worker(s, now);
        if (!w)
            return;
        if (start_worker(s, w, s->adopt.generation, now) != 0) {
            w->rest = now + 1000;
            super_storm(s, "cannot start a worker");
            return;
        }
    }
}

void adopt_cancel(struct super *s)
{
    struct adopt *a = &s->adopt;
    int status;
    a->again = false;
    if (a->phase == ADOPT_CHECKING) {
        kill(-a->check, SIGKILL);
        kill(a->check, SIGKILL); /* it may not have its own group yet */
        while (waitpid(a->check, &status, 0) < 0 && errno == EINTR)
            ;
    }
    a->phase = ADOPT_IDLE;
}

long long adopt_next(const struct super *s)
{
    long long next = s->adopt.phase == ADOPT_CHECKING ? s->adopt.deadline : -1;
    for (size_t i = 0; i < s->pool.n; i++) {
        const struct worker *w = &s->pool.workers[i];
        if (w->state == WORKER_NONE && w->rest && (next < 0 || w->rest < next) &&
            pool_live(&s->pool, s->adopt.generation) < (size_t)s->opt.workers)
            next = w->rest;
    }
    return next;
}
