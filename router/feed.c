/* SPDX-License-Identifier: MIT */
/* The inputs of the tasks, one after the other, read while the core wants some. */
#include "contract.h"
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 256 * 1024 };

/* The task whose input comes next, or NULL. By hand one is done before the next is begun, so that
 * what comes before a failure does not depend on who was faster. */
static struct task *reading(const struct engine *e)
{
    struct task *t = e->tasks;
    if (e->one_by_one)
        return t && !t->ended ? t : NULL;
    while (t && t->ended)
        t = t->next;
    return t;
}

static void fail_open(struct engine *e, struct task *t)
{
    char text[512];
    int status = errno == ENOENT || errno == EISDIR  ? EX_NOINPUT
                 : errno == EACCES || errno == EPERM ? EX_NOPERM
                                                     : EX_OSERR;
    snprintf(text, sizeof text, "%.400s: %s", t->path, strerror(errno));
    engine_fail_task(e, status, errno, t->job, text);
}

/* Open the task's input, and begin its job. A task that cannot be opened waits for those before it,
 * and fails alone. */
static void open_input(struct engine *e, struct task *t)
{
    struct stat st;
    if (strcmp(t->path, "-") == 0)
        t->input = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    else
        t->input = open(t->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    bool good = t->input >= 0 && fstat(t->input, &st) == 0;
    if (good && S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        good = false;
    }
    if (!good) {
        int why = errno;
        close_fd(&t->input);
        errno = why;
        t->missing = true;
        if (t == e->tasks)
            fail_open(e, t);
        return;
    }
    t->opened = true;
    t->unpack = unpack_new(t->input, e->flow->unpack);
    t->began = now_seconds();
    t->live = S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || isatty(t->input);
    if (e->tagged)
        return;
    t->job = core_begin(e->core, t->id, t, t->trace);
    if (t->keep.path)
        resume_begin(e, t, &st);
}

/* Has a live input nothing to read now? */
static bool pauses(const struct task *t)
{
    return t->live && !unpack_holds(t->unpack) &&
           poll(&(struct pollfd){.fd = t->input, .events = POLLIN}, 1, 0) == 0;
}

static void fail_read(struct engine *e, struct task *t)
{
    char text[512];
    int error = errno;
    bool bad = error == EBADMSG && *unpack_error(t->unpack);
    snprintf(text, sizeof text, "%.300s: %s", t->path,
             bad ? unpack_error(t->unpack) : strerror(error));
    engine_fail_task(e, bad ? EX_DATAERR : EX_IOERR, bad ? 0 : error, t->job, text);
}

/* Pass over what was done before a checkpoint: at once where the file is what it holds. */
static void pass_over(struct engine *e, struct task *t)
{
    size_t most = t->keep.skip < BLOCK ? (size_t)t->keep.skip : BLOCK;
    ssize_t n = unpack_read(t->unpack, core_input_room(e->core, BLOCK), most);
    if (n > 0)
        t->keep.skip = unpack_jump(t->unpack, t->keep.offset) ? 0 : t->keep.skip - (size_t)n;
    else if (n == 0)
        engine_fail_task(e, EX_IOERR, 0, t->job, "it ends before its checkpoint");
    else if (errno != EINTR && errno != EAGAIN)
        fail_read(e, t);
}

/* Read one block; at the end of the file, close it. */
static void read_input(struct engine *e, struct task *t)
{
    ssize_t n = unpack_read(t->unpack, core_input_room(e->core, BLOCK), BLOCK);
    if (n > 0) {
        core_input_took(e->core, (size_t)n);
        if (pauses(t))
            core_input_cut(e->core);
    } else if (n == 0) {
        if (e->watched_input == t->input) {
            engine_unwatch(e, t->input);
            e->watched_input = -1;
        }
        task_close(t);
        t->ended = true;
        core_input_end(e->core);
    } else if (errno != EINTR && errno != EAGAIN) {
        fail_read(e, t);
    }
}

bool feed_more(const struct engine *e)
{
    const struct task *t = reading(e);
    if (!t || !core_wants_input(e->core) || core_failure(e->core))
        return false;
    if (!t->opened)
        return !resume_waits(e, t) && (!t->missing || t == e->tasks);
    if (t->keep.loading)
        return !save_busy(e);
    return !t->live || unpack_holds(t->unpack);
}

void feed_pump(struct engine *e)
{
    struct task *t = reading(e);
    if (!t || !core_wants_input(e->core) || core_failure(e->core))
        return;
    if (!t->opened && !resume_waits(e, t))
        open_input(e, t);
    if (!t->opened || core_failure(e->core))
        return;
    if (t->keep.loading)
        resume_step(e, t);
    else if (t->keep.skip)
        pass_over(e, t);
    else if (!pauses(t))
        read_input(e, t);
}

/* Watch a live input only while it is wanted. */
void feed_watch(struct engine *e)
{
    struct task *t = reading(e);
    bool wanted = t && t->opened && t->live && t->input >= 0 && core_wants_input(e->core);
    if (!wanted && e->watched_input >= 0) {
        engine_unwatch(e, e->watched_input);
        e->watched_input = -1;
    } else if (wanted && e->watched_input < 0) {
        engine_watch(e, EPOLL_CTL_ADD, t->input, EPOLLIN, W_INPUT, 0);
        e->watched_input = t->input;
    }
}
