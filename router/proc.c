/* SPDX-License-Identifier: MIT */
/*
 * Child processes. Trust: a child is a command of the flow; it may crash, hang, ignore signals,
 * fork, and print anything. It gets its three pipes and no other descriptor, default signals, and
 * dies with the router.
 */
#include "proc.h"
#include "contract.h"
#include "tagline.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TAIL = 1024, MOST_LINE = 4096, KILL_GRACE_MS = 500, LOOK_MS = 20 };

static struct rlimit inherited_files;

void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd); /* a pipe or a descriptor we only read: nothing can be lost here */
    *fd = -1;
}

/* Filters beside this program are found first, so that a build tree works without installing. */
static void extend_path(void)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    const char *path = getenv("PATH");
    struct buf b = {0};
    if (n <= 0)
        return;
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    *(slash == self ? slash + 1 : slash) = '\0';
    buf_addf(&b, "%s:%s", self, path && *path ? path : "/usr/local/bin:/usr/bin:/bin");
    if (setenv("PATH", buf_str(&b), 1) != 0)
        tl_die(EX_OSERR, "PATH: %m");
    buf_free(&b);
}

void proc_setup(size_t max_line)
{
    char size[32];
    long lock;
    snprintf(size, sizeof size, "%zu", max_line);
    const char *lock_fd = getenv(ENV_LOCK_FD);
    if (lock_fd && text_number(lock_fd, 3, INT_MAX, &lock) &&
        fcntl((int)lock, F_SETFD, FD_CLOEXEC) != 0)
        tl_warn("%s=%s: %m", ENV_LOCK_FD, lock_fd);
    if (setenv(ENV_MAX_LINE, size, 1) != 0 || unsetenv(ENV_LOCK_FD) != 0 ||
        unsetenv("NOTIFY_SOCKET") != 0)
        tl_die(EX_OSERR, "environment: %m");
    extend_path();
    if (getrlimit(RLIMIT_NOFILE, &inherited_files) != 0)
        tl_die(EX_OSERR, "getrlimit: %m");
    struct rlimit most = {inherited_files.rlim_max, inherited_files.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &most) != 0)
        tl_warn("setrlimit: %m"); /* a small flow works all the same */
    signal(SIGPIPE, SIG_IGN);
}

static bool is_program(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

char *proc_find(const char *command)
{
    if (strchr(command, '/'))
        return is_program(command) ? xstrdup(command) : NULL;
    for (const char *dir = getenv("PATH"); dir && *dir;) {
        size_t n = strcspn(dir, ":");
        struct buf b = {0};
        buf_add(&b, n ? dir : ".", n ? n : 1);
        buf_addf(&b, "/%s", command);
        if (is_program(buf_str(&b)))
            return b.data;
        buf_free(&b);
        dir += n + (dir[n] == ':');
    }
    return NULL;
}

/* Which pipes are its own, for a filter that wants to know whether others stand between. */
static bool set_ends(const int *ends)
{
    char text[64];
    struct stat in, out;
    if (fstat(ends[0], &in) != 0 || fstat(ends[1], &out) != 0)
        return false;
    snprintf(text, sizeof text, "%llu:%llu", (unsigned long long)in.st_ino,
             (unsigned long long)out.st_ino);
    return setenv(ENV_ENDS, text, 1) == 0;
}

/* Everything a child starts with. We are one thread: what is not safe in others' children is. */
static _Noreturn void child(char **argv, const int *ends, int report, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    for (int sig = 1; sig < NSIG; sig++)
        signal(sig, SIG_DFL); /* fails for KILL and STOP, which are default anyway */
    setpgid(0, 0);
    bool ready = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent &&
                 setrlimit(RLIMIT_NOFILE, &inherited_files) == 0 && set_ends(ends) &&
                 sigprocmask(SIG_SETMASK, &none, NULL) == 0;
    for (int fd = 0; fd < 3 && ready; fd++)
        ready = dup2(ends[fd], fd) == fd;
    if (ready)
        execvp(argv[0], argv);
    int why = errno;
    if (write(report, &why, sizeof why) < 0)
        _exit(EX_OSERR);
    _exit(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
}

/* The errno of a failed exec, or 0: the pipe closes when exec succeeds. */
static int exec_result(int fd)
{
    int why = 0;
    ssize_t n;
    do
        n = read(fd, &why, sizeof why);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof why ? why : 0;
}

/* A pipe whose end number ours is ours and non-blocking. Its size is a wish. */
static bool make_pipe(int ends[2], int ours, size_t size)
{
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    if (size)
        fcntl(ends[0], F_SETPIPE_SZ, (int)size);
    return fcntl(ends[ours], F_SETFL, O_NONBLOCK) == 0;
}

static void close_pairs(int pairs[4][2])
{
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 2; j++)
            close_fd(&pairs[i][j]);
}

int proc_start(struct proc *p, const char *name, char **argv, size_t pipe)
{
    int pairs[4][2] = {{-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}};
    pid_t self = getpid();
    buf_free(&p->line);
    buf_free(&p->tail);
    *p = (struct proc){.name = name, .in = -1, .out = -1, .err = -1};
    bool piped = make_pipe(pairs[0], 1, pipe) && make_pipe(pairs[1], 0, pipe) &&
                 make_pipe(pairs[2], 0, 0) && pipe2(pairs[3], O_CLOEXEC) == 0;
    int why = piped ? 0 : errno;
    pid_t pid = piped ? fork() : -1;
    if (pid == 0)
        child(argv, (int[]){pairs[0][0], pairs[1][1], pairs[2][1]}, pairs[3][1], self);
    if (piped && pid < 0)
        why = errno;
    if (pid > 0) {
        setpgid(pid, pid); /* also done by the child: whoever is first */
        close_fd(&pairs[3][1]);
        why = exec_result(pairs[3][0]);
    }
    if (why) {
        if (pid > 0) {
            kill(pid, SIGKILL);
            waitpid(pid, NULL, 0);
        }
        close_pairs(pairs);
        return why;
    }
    p->pid = pid;
    p->in = pairs[0][1];
    p->out = pairs[1][0];
    p->err = pairs[2][0];
    pairs[0][1] = pairs[1][0] = pairs[2][0] = -1;
    close_pairs(pairs);
    return 0;
}

bool proc_reap(struct proc *p)
{
    if (p->pid && !p->ended) {
        pid_t pid = waitpid(p->pid, &p->wait_status, WNOHANG);
        p->ended = pid == p->pid;
        if (pid < 0 && errno != EINTR)
            tl_bug("waitpid %d: %m", (int)p->pid);
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

/* Wait until all have ended or the time is over, and pass on what they still say; says whether they
 * have ended. The end of standard error tells, unless a grandchild holds it: so look now and then.
 */
static bool wait_all(struct proc *list, size_t n, int ms)
{
    long until = now_ms() + ms;
    struct pollfd *fds = xcalloc(n, sizeof *fds);
    size_t left = n;
    for (;;) {
        left = 0;
        for (size_t i = 0; i < n; i++) {
            fds[i] = (struct pollfd){.fd = list[i].pid ? list[i].err : -1, .events = POLLIN};
            left += list[i].pid && !proc_reap(&list[i]);
        }
        long rest = until - now_ms();
        int slice = left == 0 || rest <= 0 ? 0 : rest < LOOK_MS ? (int)rest : LOOK_MS;
        int ready = poll(fds, n, slice);
        for (size_t i = 0; i < n && ready > 0; i++)
            if (fds[i].revents && !proc_stderr(&list[i]))
                close_fd(&list[i].err);
        if (rest <= 0 || (left == 0 && ready <= 0))
            break;
    }
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
