/* SPDX-License-Identifier: MIT */
/* The checklist of a child. Trust: what runs is our router, with the user's commands below it. */
#include "spawn.h"
#include "buf.h"
#include "contract.h"
#include "msg.h"
#include "tagline.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUTER "tl-router"

static void default_signals(void)
{
    sigset_t none;
    for (int sig = 1; sig < NSIG; sig++)
        if (sig != SIGKILL && sig != SIGSTOP)
            signal(sig, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Become standard input or output; /dev/null where there is none. */
static void become(int fd, int standard)
{
    if (fd < 0)
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0 || dup2(fd, standard) < 0)
        tl_die(EX_OSERR, ROUTER ": cannot set up its standard files: %m");
}

static void inherit_lock(int lock)
{
    char number[16];
    snprintf(number, sizeof number, "%d", lock);
    if (lock >= 0 && (fcntl(lock, F_SETFD, 0) != 0 || setenv(ENV_LOCK_FD, number, 1) != 0))
        tl_die(EX_OSERR, ROUTER ": cannot inherit the lock: %m");
    if (lock < 0)
        unsetenv(ENV_LOCK_FD);
}

/* Everything else that is open is close-on-exec; sdnotify_open has cleared its part of the
 * environment. */
static _Noreturn void child(const struct spawn *s, pid_t parent)
{
    setpgid(0, 0);
    default_signals();
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent)
        _exit(EX_TEMPFAIL); /* the parent is gone already: nobody needs us */
    become(s->in, STDIN_FILENO);
    become(s->out, STDOUT_FILENO);
    inherit_lock(s->lock);
    msg_pass_form();
    execvp(s->argv[0], s->argv);
    int saved = errno;
    tl_warn("%s: cannot be run: %m", s->argv[0]);
    _exit(saved == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
}

pid_t spawn_child(const struct spawn *s)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0)
        child(s, parent);
    return pid;
}

char *spawn_find_router(void)
{
    char own[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", own, sizeof own - sizeof "/" ROUTER);
    if (n <= 0)
        return xstrdup(ROUTER);
    own[n] = '\0';
    char *slash = strrchr(own, '/');
    memcpy(slash ? slash + 1 : own, ROUTER, sizeof ROUTER);
    return xstrdup(access(own, X_OK) == 0 ? own : ROUTER);
}

int spawn_status(int wait_status)
{
    return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}
