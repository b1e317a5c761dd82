/* SPDX-License-Identifier: MIT */
/* The loop: wait for a wake-up or the next time that matters, then do one turn of everything.
 * Trust: a wake-up is a hint; each step looks for itself whether there is something to do. */
#include "msg.h"
#include "sdnotify.h"
#include "super.h"
#include "tagline.h"
#include "times.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { SECOND = 1000 };

int loop_signals(void)
{
    static const int taken[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        sigaddset(&set, taken[i]);
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        tl_die(EX_OSERR, "signals: %m");
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        tl_die(EX_OSERR, "signalfd: %m");
    return fd;
}

static void end_signal(struct super *s, const char *name)
{
    if (s->state != SUPER_DRAINING) {
        msg_at(MSG_INFO, "stop: SIG%s; finishing %zu files", name, pool_jobs(&s->pool));
        super_drain(s);
        return;
    }
    if (!s->now)
        tl_warn("stop: SIG%s again; at once", name);
    s->now = true;
    for (size_t i = 0; i < s->pool.n; i++)
        pool_kill(&s->pool.workers[i]);
}

static void hup_signal(struct super *s)
{
    if (s->state == SUPER_DRAINING)
        return;
    /* To the microsecond: a manager takes what is older than its request for another reload. */
    sdnotify_send("RELOADING=1\nMONOTONIC_USEC=%lld", times_us());
    s->adopt.reload = true;
    msg_at(MSG_INFO, "reload: %s", s->opt.flow);
    adopt_begin(s);
}

static void read_signals(struct super *s, int fd)
{
    struct signalfd_siginfo info;
    while (read(fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP)
            hup_signal(s);
        else if (info.ssi_signo == SIGTERM)
            end_signal(s, "TERM");
        else if (info.ssi_signo == SIGINT)
            end_signal(s, "INT");
        /* SIGCHLD: whoever ended is found by looking */
    }
}

/* The queue was moved away or unmounted: what we do now would be done to another one. */
static void check_place(struct super *s)
{
    if (s->state == SUPER_DRAINING || store_in_place(&s->store))
        return;
    msg_at(MSG_ERROR, "%s: the queue is no longer there (moved or unmounted)", s->store.path);
    s->status = EX_TEMPFAIL;
    super_drain(s);
}

/* A folder that was removed is made again; one that cannot be read is trouble of the system. */
static void check_folder(struct super *s)
{
    if (!s->scan.refused)
        return;
    errno = s->scan.error;
    if (errno == ENOENT && store_folders(&s->store) == 0) {
        tl_warn("%s: a folder of the queue was gone and is made again", s->store.path);
        s->scan.wanted = true;
        s->watch.again = 0;
    } else if (s->hold == HOLD_NONE) {
        super_storm(s, "cannot read " QUEUE_UNPROCESSED);
    }
    s->scan.refused = false;
}

static void second_step(struct super *s, long long now)
{
    if (now < s->next_second)
        return;
    s->next_second = now + SECOND;
    check_place(s);
    orders_look(s); /* the watch may have missed one */
    fifo_tick(&s->fifo);
    report_second(s);
    super_tell(s);
}

static void sooner(long long *next, long long at)
{
    if (at >= 0 && at < *next)
        *next = at;
}

/* How long nothing will have to be done unless something wakes us. */
static int idle_ms(const struct super *s, long long now)
{
    long long next = s->next_second;
    sooner(&next, sdnotify_next());
    if (s->hold != HOLD_NONE)
        sooner(&next, s->hold_until);
    sooner(&next, work_next(s));
    if (s->scan.wanted)
        next = now;
    sooner(&next, waiting_next_due(&s->waiting));
    sooner(&next, scan_next(&s->scan));
    sooner(&next, keep_next(&s->keep));
    sooner(&next, adopt_next(s));
    sooner(&next, pool_next(&s->pool));
    return next > now ? (int)(next - now) : 0;
}

/* One turn; true if there is more to do at once. */
static bool turn(struct super *s)
{
    long long now = times_ms();
    watch_tick(&s->watch, &s->scan, now);
    watch_read(&s->watch, &s->scan, now);
    if (s->watch.asked)
        orders_look(s);
    pool_io(&s->pool, now);
    pool_reap(&s->pool, now);
    if (s->state == SUPER_RUNNING)
        pool_relieve(&s->pool, now);
    adopt_reap(s, now);
    super_hold_step(s, now);
    second_step(s, now);
    scan_due(&s->scan, now);
    bool more = scan_step(&s->scan, now);
    more = keep_step(&s->keep, now) || more;
    check_folder(s);
    adopt_crew(s, now);
    work_dispatch(s, now);
    super_publish_step(s);
    if (s->opt.max_inflight)
        work_dispatch(s, now); /* what is published has made room */
    super_end_step(s);
    report_status(s);
    sdnotify_alive(now); /* the turn is through */
    return more || (publish_pending(&s->publish) && s->hold != HOLD_STORM);
}

int loop_run(struct super *s, int signals)
{
    enum { FIXED = 2 };
    struct pollfd *polls = xcalloc(FIXED + 2 * s->pool.n, sizeof *polls);
    bool more = true;
    adopt_begin(s);
    while (s->state != SUPER_STOPPED) {
        polls[0] = (struct pollfd){.fd = signals, .events = POLLIN};
        polls[1] = (struct pollfd){.fd = s->watch.fd, .events = POLLIN};
        size_t n = FIXED + pool_polls(&s->pool, polls + FIXED);
        if (poll(polls, n, more ? 0 : idle_ms(s, times_ms())) < 0 && errno != EINTR)
            tl_die(EX_OSERR, "poll: %m");
        read_signals(s, signals);
        more = turn(s);
    }
    close(signals);
    free(polls);
    return s->status;
}
