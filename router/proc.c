/* SPDX-License-Identifier: MIT */
/*
 * Child processes. Trust: a child is a command of the flow; it may crash, hang, ignore signals,
 * fork, and print anything.
 */
#include "proc.h"
#include "contract.h"
#include "tagline.h"
#include "text.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TAIL = 1024, MOST_LINE = 4096, KILL_GRACE_MS = 500, LOOK_MS = 20 };

void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd); /* a pipe or a descriptor we only read: nothing can be lost here */
    *fd = -1;
}

void proc_renew_cpu(const struct proc *p, long seconds)
{
    clockid_t clock;
    struct timespec used;
    struct rlimit limit;
    if (!p->pid || p->ended || clock_getcpuclockid(p->pid, &clock) != 0 ||
        clock_gettime(clock, &used) != 0 || prlimit(p->pid, RLIMIT_CPU, NULL, &limit) != 0)
        return; /* it is ending */
    rlim_t next = (rlim_t)(used.tv_sec + 1 + seconds);
    limit.rlim_cur = next < limit.rlim_max ? next : limit.rlim_max;
    if (prlimit(p->pid, RLIMIT_CPU, &limit, NULL) != 0 && errno != ESRCH)
        tl_warn("%s: its limit of CPU time cannot be renewed: %m", p->name);
}

bool proc_reap(struct proc *p)
{
    if (p->pid && !p->ended) {
        struct rusage used = {0};
        pid_t pid;
        do {
            pid = wait4(p->pid, &p->wait_status, WNOHANG, &used);
        } while (pid < 0 && errno == EINTR); /* nobody will tell of its end again */
        p->ended = pid == p->pid;
        p->cpu = used.ru_utime.tv_sec + used.ru_stime.tv_sec +
                 (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1000000;
        if (pid < 0)
            tl_bug("wait4 %d: %m", (int)p->pid);
    }
    return p->ended;
}

/* Pass one line on, and remember it for the report. */
static void pass_line(struct proc *p, const char *line, size_t len)
{
    struct buf b = {0};
    text_escape(&b, line, len);
    tl_warn("%s: %s", p->name, buf_str(&b));
    buf_addc(&b, '\n');
    buf_add(&p->tail, b.data, b.len);
    if (p->tail.len > TAIL) {
        size_t gone = p->tail.len - TAIL;
        const char *nl = memchr(p->tail.data + gone, '\n', TAIL - 1);
        buf_shift(&p->tail, nl ? (size_t)(nl + 1 - p->tail.data) : gone); /* whole lines */
    }
    buf_free(&b);
}

bool proc_stderr(struct proc *p)
{
    ssize_t n = read(p->err, buf_room(&p->line, 4096), 4096);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    p->line.len += (size_t)n;
    size_t at = 0;
    const char *nl;
    while ((nl = p->line.len > at ? memchr(p->line.data + at, '\n', p->line.len - at) : NULL)) {
        pass_line(p, p->line.data + at, (size_t)(nl - p->line.data) - at);
        at = (size_t)(nl + 1 - p->line.data);
    }
    buf_shift(&p->line, at);
    if (p->line.len && (n == 0 || p->line.len > MOST_LINE)) {
        pass_line(p, p->line.data, p->line.len);
        p->line.len = 0;
    }
    return n > 0;
}

static long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A descriptor that is readable when a child has ended; -1 if there is none to be had. */
static int watch_ends(void)
{
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGCHLD);
    return signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Wait until all have ended or the time is over, and pass on what they still say; says whether they
 * have ended. Others may take the signals that tell of ends: so look now and then. */
static bool wait_all(struct proc *list, size_t n, int ms)
{
    long until = now_ms() + ms;
    struct pollfd *fds = xcalloc(n + 1, sizeof *fds);
    struct signalfd_siginfo end;
    size_t left = n;
    fds[n] = (struct pollfd){.fd = watch_ends(), .events = POLLIN};
    for (;;) {
        left = 0;
        for (size_t i = 0; i < n; i++) {
            fds[i] = (struct pollfd){.fd = list[i].pid ? list[i].err : -1, .events = POLLIN};
            left += list[i].pid && !proc_reap(&list[i]);
        }
        long rest = until - now_ms();
        int slice = left == 0 || rest <= 0 ? 0 : rest < LOOK_MS ? (int)rest : LOOK_MS;
        int ready = poll(fds, n + 1, slice);
        for (size_t i = 0; i < n && ready > 0; i++)
            if (fds[i].revents && !proc_stderr(&list[i]))
                close_fd(&list[i].err);
        bool ended = ready > 0 && fds[n].revents && read(fds[n].fd, &end, sizeof end) > 0;
        if (rest <= 0 || (left == 0 && ready <= ended))
            break;
    }
    close_fd(&fds[n].fd);
    free(fds);
    return left == 0;
}

static void signal_all(struct proc *list, size_t n, int sig)
{
    for (size_t i = 0; i < n; i++)
        if (list[i].pid) {
            kill(-list[i].pid, sig); /* grandchildren too; ESRCH if all are gone */
            if (!list[i].ended)
                kill(list[i].pid, sig);
        }
}

void proc_stop(struct proc *list, size_t n, int grace_ms)
{
    for (size_t i = 0; i < n; i++)
        close_fd(&list[i].in);
    if (grace_ms && !wait_all(list, n, grace_ms)) {
        signal_all(list, n, SIGTERM);
        wait_all(list, n, KILL_GRACE_MS);
    }
    signal_all(list, n, SIGKILL);
    for (size_t i = 0; i < n; i++) {
        if (list[i].pid && !list[i].ended)
            while (waitpid(list[i].pid, &list[i].wait_status, 0) < 0 && errno == EINTR)
                ;
        close_fd(&list[i].out);
        close_fd(&list[i].err);
        list[i].pid = 0;
        buf_free(&list[i].line);
        buf_free(&list[i].tail);
    }
}

const char *proc_how(int wait_status)
{
    static char text[80];
    if (WIFSIGNALED(wait_status))
        snprintf(text, sizeof text, "was killed by signal %d (%s)", WTERMSIG(wait_status),
                 strsignal(WTERMSIG(wait_status)));
    else
        snprintf(text, sizeof text, "exited with status %d", WEXITSTATUS(wait_status));
    return text;
}
