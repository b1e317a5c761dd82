/* SPDX-License-Identifier: MIT */
/*
 * The start of a command, on both sides of the fork. Trust: the command is not to be trusted; it
 * gets three descriptors, a clean environment, default signals, its limits and its sandbox, and
 * dies with us.
 */
#include "start.h"
#include "contract.h"
#include "environment.h"
#include "sandbox.h"
#include "tagline.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct rlimit files;     /* as we were given it */
static bool raised;             /* ours is not that any more */
static struct sandbox *sandbox; /* made when first needed */

/* ---- before ---- */

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

/* A pipe that got the number of a standard file which is closed would be taken for it. What stands
 * in for that cannot be read or written either. */
static void open_standard(void)
{
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 &&
            (fd == 0 ? open("/dev/null", O_WRONLY) : open("/", O_PATH)) != fd)
            tl_die(EX_OSERR, "descriptor %d: %m", fd);
}

/* What whoever started us left open is ours alone; the lock of a queue is among it. */
static void keep_descriptors(void)
{
    if (close_range(3, UINT_MAX, CLOSE_RANGE_CLOEXEC) == 0)
        return;
    /* Some containers do not let it through. */
    for (long fd = 3, most = sysconf(_SC_OPEN_MAX); fd < most; fd++)
        if (fcntl((int)fd, F_SETFD, FD_CLOEXEC) != 0 && errno != EBADF)
            tl_die(EX_OSERR, "descriptor %ld: %m", fd);
}

void start_setup(size_t max_line)
{
    char size[32];
    snprintf(size, sizeof size, "%zu", max_line);
    open_standard();
    keep_descriptors();
    if (setenv(ENV_MAX_LINE, size, 1) != 0 || unsetenv(ENV_LOCK_FD) != 0)
        tl_die(EX_OSERR, "environment: %m");
    extend_path();
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        tl_die(EX_OSERR, "getrlimit: %m");
    /* In a sandbox it cannot be raised; a small flow works all the same. */
    struct rlimit most = {files.rlim_max, files.rlim_max};
    raised = setrlimit(RLIMIT_NOFILE, &most) == 0;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* then what is too large for ulimit -f is an error, and told */
}

static bool is_program(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

char *start_find(const char *command)
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

/* ---- the child ---- */

/* What its parent made ready for it. */
struct child {
    char **argv, **env;
    const struct terms *terms;
    int rules; /* of its sandbox; -1: none */
    int ends[3], report;
    pid_t parent;
};

/* What a child says before it becomes its command: nothing, or why it cannot. */
struct refusal {
    enum start_step step;
    int error;
};

/* Lower a limit; one that is lower already stays. */
static bool lower(int resource, rlim_t soft, rlim_t hard)
{
    struct rlimit now;
    if (getrlimit((__rlimit_resource_t)resource, &now) != 0)
        return false;
    now.rlim_max = hard < now.rlim_max ? hard : now.rlim_max;
    now.rlim_cur = soft < now.rlim_cur ? soft : now.rlim_cur;
    now.rlim_cur = now.rlim_cur < now.rlim_max ? now.rlim_cur : now.rlim_max;
    return setrlimit((__rlimit_resource_t)resource, &now) == 0;
}

/* A limit of CPU time that is renewed can only be a soft one, see proc_renew_cpu. What comes of it
 * is no fault to look into. */
static bool limit_cpu(const struct terms *t)
{
    rlim_t hard = t->renewed ? RLIM_INFINITY : (rlim_t)t->cpu + 1;
    return lower(RLIMIT_CPU, (rlim_t)t->cpu, hard) && lower(RLIMIT_CORE, 0, RLIM_INFINITY);
}

static bool set_limits(const struct terms *t)
{
    return (!t->files || lower(RLIMIT_NOFILE, (rlim_t)t->files, (rlim_t)t->files)) &&
           (!t->memory || lower(RLIMIT_AS, t->memory, t->memory)) && (!t->cpu || limit_cpu(t));
}

static bool set_up_child(const struct child *c)
{
    sigset_t none;
    sigemptyset(&none);
    for (int sig = 1; sig < NSIG; sig++)
        signal(sig, SIG_DFL); /* fails for KILL and STOP, which are default anyway */
    setpgid(0, 0);
    bool ready = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == c->parent &&
                 (!raised || setrlimit(RLIMIT_NOFILE, &files) == 0) &&
                 sigprocmask(SIG_SETMASK, &none, NULL) == 0;
    for (int fd = 0; fd < 3 && ready; fd++)
        ready = dup2(c->ends[fd], fd) == fd;
    return ready;
}

/* Everything a child does. Only calls that are safe after fork. */
static _Noreturn void child(const struct child *c)
{
    struct refusal why = {.step = START_CHILD};
    bool ready = set_up_child(c);
    if (ready && c->rules >= 0)
        sandbox_allow_self(c->rules);
    ready = ready && set_limits(c->terms);
    if (ready && c->rules >= 0) {
        why.step = START_SANDBOX;
        ready = sandbox_enter(sandbox, c->rules);
    }
    if (ready) {
        why.step = START_EXEC;
        execvpe(c->argv[0], c->argv, c->env);
    }
    why.error = errno;
    if (write(c->report, &why, sizeof why) < 0)
        _exit(EX_OSERR);
    _exit(why.error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
}

/* ---- the parent ---- */

/* The refusal of a child, or error 0: the pipe closes when exec succeeds. */
static struct refusal read_refusal(int fd)
{
    struct refusal why = {0};
    ssize_t n;
    do
        n = read(fd, &why, sizeof why);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof why ? why : (struct refusal){0};
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

/* Which pipes are its own, for a filter that wants to know whether others stand between. */
static bool tell_ends(const int *ends)
{
    char text[64];
    struct stat in, out;
    if (fstat(ends[0], &in) != 0 || fstat(ends[1], &out) != 0)
        return false;
    snprintf(text, sizeof text, "%llu:%llu", (unsigned long long)in.st_ino,
             (unsigned long long)out.st_ino);
    return setenv(ENV_ENDS, text, 1) == 0;
}

/* The rules of its sandbox; false and errno: there can be none. */
static bool make_rules(struct child *c, struct buf *culprit)
{
    const char *why;
    char *program = start_find(c->argv[0]);
    int abi = sandbox ? 0 : sandbox_abi(&why);
    if (abi)
        sandbox = sandbox_new(abi);
    errno = program ? EOPNOTSUPP : ENOENT;
    if (program && sandbox)
        c->rules = sandbox_rules(sandbox, program, c->argv + 1, c->terms->read, culprit);
    int saved = errno;
    free(program);
    errno = saved;
    return c->rules >= 0;
}

/* Fork, and wait until the child is what it is to be; 0 or an errno. */
static int start_child(struct child *c, int reports, pid_t *pid, enum start_step *step)
{
    *pid = fork();
    if (*pid < 0)
        return errno;
    if (*pid == 0)
        child(c);
    setpgid(*pid, *pid); /* also done by the child: whoever is first */
    close_fd(&c->report);
    struct refusal why = read_refusal(reports);
    *step = why.step;
    if (why.error) {
        kill(*pid, SIGKILL);
        waitpid(*pid, NULL, 0);
    }
    return why.error;
}

int start_command(struct proc *p, const char *name, char **argv, const struct terms *terms,
                  size_t pipe, enum start_step *step, struct buf *culprit)
{
    int pairs[4][2] = {{-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}};
    struct child c = {.argv = argv, .terms = terms, .rules = -1, .parent = getpid()};
    pid_t pid = 0;
    buf_free(&p->line);
    buf_free(&p->tail);
    *p = (struct proc){.name = name, .in = -1, .out = -1, .err = -1};
    *step = START_PIPES;
    bool ready = make_pipe(pairs[0], 1, pipe) && make_pipe(pairs[1], 0, pipe) &&
                 make_pipe(pairs[2], 0, 0) && pipe2(pairs[3], O_CLOEXEC) == 0;
    memcpy(c.ends, (int[]){pairs[0][0], pairs[1][1], pairs[2][1]}, sizeof c.ends);
    ready = ready && tell_ends(c.ends);
    if (ready && terms->sandbox) {
        *step = START_SANDBOX;
        ready = make_rules(&c, culprit);
    }
    int why = ready ? 0 : errno;
    if (ready) {
        c.report = pairs[3][1];
        pairs[3][1] = -1;
        c.env = environment_clean(terms->env);
        why = start_child(&c, pairs[3][0], &pid, step);
        close_fd(&c.report);
        free(c.env);
    }
    close_fd(&c.rules);
    if (!why) {
        p->pid = pid;
        p->in = pairs[0][1];
        p->out = pairs[1][0];
        p->err = pairs[2][0];
        pairs[0][1] = pairs[1][0] = pairs[2][0] = -1;
    }
    close_pairs(pairs);
    return why;
}
