/* SPDX-License-Identifier: MIT */
/*
 * The processes of a flow's nodes: start, feed, read, and what it means when one ends. Trust: a
 * command may crash, hang, stop reading, stop writing, and leave children behind.
 */
#include "contract.h"
#include "run.h"
#include "start.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    BLOCK = 256 * 1024,
    MOST_IOV = 64,
    GRACE_MS = 1000, /* for what a dead process's children hold open */
};

/* What a command's end means for the job: the statuses of sysexits(3) speak for themselves. */
static int status_of(const struct node *def, const struct proc *p)
{
    int wait_status = p->wait_status;
    /* As much CPU time as was used up now would be the next time. */
    if (def->terms.cpu && WIFSIGNALED(wait_status) &&
        (WTERMSIG(wait_status) == SIGXCPU ||
         (WTERMSIG(wait_status) == SIGKILL && !def->terms.renewed && p->cpu >= def->terms.cpu)))
        return EX_DATAERR;
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
        return def->kind == NODE_FILTER ? EX_SOFTWARE : EX_DATAERR;
    }
}

/* A process could not be started, by that errno. */
static void fail_start(struct engine *e, size_t node, int why, enum start_step step,
                       struct buf *culprit)
{
    const char *command = flow_node(e->flow, node)->argv[0];
    bool system = why == EAGAIN || why == EMFILE || why == ENFILE || why == ENOMEM;
    bool sandbox = step == START_SANDBOX;
    char text[512];
    snprintf(text, sizeof text, "%s: cannot start%s: %s%s%s", command,
             sandbox ? " in a sandbox" : "", buf_str(culprit), culprit->len ? ": " : "",
             strerror(why));
    engine_fail_system(e,
                       system          ? EX_OSERR
                       : sandbox       ? EX_UNAVAILABLE
                       : why == ENOENT ? EXIT_NOT_FOUND
                                       : EXIT_CANNOT_RUN,
                       why, node, text);
}

void node_start(struct engine *e, size_t node)
{
    struct link *l = &e->links[node];
    struct proc *p = &e->procs[node];
    const struct node *def = flow_node(e->flow, node);
    struct buf culprit = {0};
    enum start_step step;
    int why = start_command(p, def->tag, def->argv, &def->terms, e->pipe, &step, &culprit);
    if (why)
        fail_start(e, node, why, step, &culprit);
    buf_free(&culprit);
    if (why)
        return;
    l->eof = l->blocked = false;
    l->err_open = true;
    l->doomed = 0;
    l->active = engine_now_ms();
    l->starts++;
    engine_watch(e, EPOLL_CTL_ADD, p->out, EPOLLIN, W_OUT, node);
    engine_watch(e, EPOLL_CTL_ADD, p->err, EPOLLIN, W_ERR, node);
    engine_watch(e, EPOLL_CTL_ADD, p->in, 0, W_IN, node);
}

/* All that is left of an ended process goes; it has been reaped. */
static void clean_process(struct engine *e, size_t node)
{
    struct proc *p = &e->procs[node];
    engine_drop(e, &p->in);
    engine_drop(e, &p->out);
    engine_drop(e, &p->err);
    p->pid = 0;
}

/* A command has ended and should not have; what limits it may be why. */
static void fail_ended(struct engine *e, size_t node, const char *when)
{
    const struct node *def = flow_node(e->flow, node);
    const struct proc *p = &e->procs[node];
    char text[512];
    snprintf(text, sizeof text, "%s %s%s%s%s", def->argv[0], proc_how(p->wait_status), when,
             def->terms.limits ? "; its limits: " : "", def->terms.limits ? def->terms.limits : "");
    engine_fail_ended(e, status_of(def, p), p->wait_status, node, text);
}

/* A command has ended and its output is read: is the work done? */
static void settle_command(struct engine *e, size_t node)
{
    const struct node *def = flow_node(e->flow, node);
    struct proc *p = &e->procs[node];
    int status = WIFEXITED(p->wait_status) ? WEXITSTATUS(p->wait_status) : -1;
    if (status < 0 || !(def->ok[status / 8] & 1 << status % 8)) {
        fail_ended(e, node, "");
        return;
    }
    core_command_deaf(e->core, node);
    if (!core_command_full(e->core, node))
        return; /* it needed no more of the file, but the file goes on */
    clean_process(e, node);
    core_command_ended(e->core, node);
}

void node_fail_ended(struct engine *e, size_t node)
{
    fail_ended(e, node, " before the end");
}

/* It is half dead: for how long we are patient. */
static void doom(struct engine *e, size_t node)
{
    if (!e->links[node].doomed)
        e->links[node].doomed = engine_now_ms() + GRACE_MS;
    e->timed = true;
}

/* A process that has ended, or closed its output, is dealt with when both are true. */
void node_settle(struct engine *e, size_t node)
{
    struct proc *p = &e->procs[node];
    struct link *l = &e->links[node];
    if (!p->pid || !(p->ended || l->eof))
        return;
    if (!p->ended || !l->eof) {
        doom(e, node);
        return;
    }
    while (l->err_open && poll(&(struct pollfd){.fd = p->err, .events = POLLIN}, 1, 0) == 1)
        if (!proc_stderr(p))
            l->err_open = false;
    if (flow_node(e->flow, node)->kind == NODE_FILTER)
        node_fail_ended(e, node);
    else
        settle_command(e, node);
}

/* A child has ended, or several: signals do not queue. */
void nodes_reap(struct engine *e)
{
    for (size_t i = 0; i < e->flow->nlanes; i++)
        if (e->procs[i].pid && !e->procs[i].ended && proc_reap(&e->procs[i]))
            node_settle(e, i);
}

/* Patience is over with what keeps an ended process's output open, or lives on without one. */
static void lose_patience(struct engine *e, size_t node)
{
    struct proc *p = &e->procs[node];
    struct link *l = &e->links[node];
    l->doomed = 0;
    kill(-p->pid, SIGKILL); /* the whole group; ESRCH: it is gone */
    if (p->ended && !l->eof) {
        engine_drop(e, &p->out); /* somebody who left the group may hold it: do not wait for him */
        l->eof = true;
    } else if (!p->ended && flow_node(e->flow, node)->kind == NODE_FILTER) {
        engine_fail(e, EX_SOFTWARE, node, "closed its pipes before the end");
    }
    node_settle(e, node);
}

void nodes_check_deadlines(struct engine *e)
{
    long now = engine_now_ms();
    if (!e->timed || now < e->look)
        return;
    e->look = now + TICK_MS;
    e->timed = false;
    for (size_t i = 0; i < e->flow->nlanes; i++) {
        struct link *l = &e->links[i];
        long timeout = flow_node(e->flow, i)->timeout_ms;
        if (!e->procs[i].pid)
            continue;
        if (l->doomed && now >= l->doomed)
            lose_patience(e, i);
        else if (timeout && core_node_busy(e->core, i) && now - l->active > timeout) {
            char text[80];
            snprintf(text, sizeof text, "no answer for %ld ms", timeout);
            engine_fail(e, EX_TEMPFAIL, i, text);
        }
        e->timed = e->timed || l->doomed || (timeout && core_node_busy(e->core, i));
    }
}

void node_stop_writing(struct engine *e, size_t node)
{
    engine_drop(e, &e->procs[node].in);
    if (flow_node(e->flow, node)->kind == NODE_COMMAND)
        core_command_deaf(e->core, node);
    else
        doom(e, node);
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
            l->active = engine_now_ms();
            e->timed = e->timed || flow_node(e->flow, node)->timeout_ms;
            core_node_wrote(e->core, node, (size_t)wrote);
        } else if (errno == EAGAIN) {
            l->blocked = true;
            engine_watch(e, EPOLL_CTL_MOD, p->in, EPOLLOUT, W_IN, node);
        } else if (errno == EPIPE) {
            node_stop_writing(e, node);
        } else if (errno != EINTR) {
            engine_fail_system(e, EX_OSERR, errno, node, strerror(errno));
            return;
        }
    }
}

/* Start a command for its work, feed it, and close its input when it has all. */
static void pump_command(struct engine *e, size_t node)
{
    struct proc *p = &e->procs[node];
    if (!p->pid && core_command_due(e->core, node))
        node_start(e, node);
    if (!p->pid || core_failure(e->core))
        return;
    core_node_wrote(e->core, node, 0); /* a run without lines is over at once */
    write_node(e, node);
    if (p->in < 0 || (p->ended && e->links[node].eof))
        core_command_deaf(e->core, node);
    if (core_command_full(e->core, node) && p->in >= 0)
        engine_drop(e, &p->in);
    if (p->ended && e->links[node].eof)
        node_settle(e, node);
}

void nodes_pump(struct engine *e)
{
    size_t node;
    for (size_t i = 0; i < e->ncommands && !core_failure(e->core); i++)
        pump_command(e, e->commands[i]);
    while (!core_failure(e->core) && (node = core_next_fed(e->core)) != NOWHERE)
        if (flow_node(e->flow, node)->kind == NODE_FILTER)
            write_node(e, node);
}

void node_read(struct engine *e, size_t node)
{
    struct proc *p = &e->procs[node];
    struct link *l = &e->links[node];
    if (p->out < 0 || core_failure(e->core))
        return;
    ssize_t n = read(p->out, core_node_room(e->core, node, BLOCK), BLOCK);
    if (n > 0) {
        l->active = engine_now_ms();
        core_node_took(e->core, node, (size_t)n);
    } else if (n == 0) {
        l->eof = true;
        engine_drop(e, &p->out);
        node_settle(e, node);
    } else if (errno != EAGAIN && errno != EINTR) {
        engine_fail_system(e, EX_OSERR, errno, node, strerror(errno));
    }
}

void nodes_renew_cpu(struct engine *e)
{
    for (size_t i = 0; i < e->flow->nlanes; i++) {
        const struct node *def = flow_node(e->flow, i);
        if (def->terms.cpu && def->terms.renewed)
            proc_renew_cpu(&e->procs[i], def->terms.cpu);
    }
}

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

static void lane_usage(struct engine *e, size_t lane, double *cpu, uint64_t *memory,
                       uint64_t *restarts)
{
    struct link *l = &e->links[lane];
    double now = 0;
    uint64_t resident = 0;
    if (e->procs[lane].pid && !e->procs[lane].ended)
        usage_of(e->procs[lane].pid, &now, &resident);
    *memory += resident;
    *cpu += now > l->cpu_told ? now - l->cpu_told : now;
    l->cpu_told = now;
    /* The first start is none, and a command is started for every file. */
    uint64_t told = l->starts_told ? l->starts_told : 1;
    bool stays = flow_node(e->flow, lane)->kind == NODE_FILTER;
    *restarts += stays && l->starts > told ? l->starts - told : 0;
    l->starts_told = l->starts;
}

void engine_usage(struct engine *e, size_t node, double *cpu, uint64_t *memory, uint64_t *restarts)
{
    *cpu = 0;
    *memory = *restarts = 0;
    for (size_t copy = 0; copy < e->flow->nodes[node].jobs; copy++)
        lane_usage(e, flow_lane(e->flow, node, copy), cpu, memory, restarts);
}
