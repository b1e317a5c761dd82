/* SPDX-License-Identifier: MIT */
/*
 * For LD_PRELOAD: counts the calls of all processes that share one control file, and deals one
 * blow, at the call that the file names: everything dies, that call fails, writes or reads half, or
 * the file system of the queue goes as in a power cut. Trust: the tests made the file.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum what { COUNT, KILL, FAIL, HALF, CUT, MANY };

/* As tests/crash/shim.py writes it. */
struct control {
    int64_t count, at;    /* of many: one call of that many */
    int32_t what, which;  /* which of the errors that fit; of a cut: the ioctl's argument */
    int32_t fired, lives; /* does anybody live on after a cut? */
    char queue[256];
    char struck[64]; /* PROGRAM: CALL */
};

/* Errors that fit, ended by 0. */
static const int disk[] = {EIO, ENOSPC, EDQUOT, EROFS, 0};
static const int names[] = {EIO, ENOSPC, EACCES, EROFS, 0};
static const int look[] = {EIO, ENOMEM, 0};
static const int stream[] = {EIO, EINTR, 0};
static const int waits[] = {EINTR, 0};
static const int more[] = {EMFILE, ENFILE, EIO, 0};
static const int born[] = {EAGAIN, ENOMEM, 0};
static const int room[] = {ENOMEM, 0};

static struct control *control;

__attribute__((constructor)) static void attach(void)
{
    /* Others that a flow runs may take an error for the end of their input, which is their affair.
     */
    bool ours = strncmp(program_invocation_short_name, "tl-", 3) == 0;
    const char *path = getenv("CRASH_SHIM");
    int fd = ours && path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *at = fd < 0 ? MAP_FAILED
                      : mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED)
        control = at;
    if (fd >= 0)
        close(fd);
}

static void *real(const char *name)
{
    void *at = dlsym(RTLD_NEXT, name);
    if (!at)
        abort();
    return at;
}

static _Noreturn void kill_all(void)
{
    kill(-1, SIGKILL); /* of the PID namespace; its first process then ends, too */
    raise(SIGKILL);
    abort();
}

/* EXT4_IOC_SHUTDOWN: what was not synced is lost, and everything says EIO from here on. */
static void cut_power(void)
{
    int (*open_real)(const char *, int, ...) = real("open64");
    int fd = open_real(control->queue, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    uint32_t how = (uint32_t)control->which;
    if (!control->lives)
        kill(-1, SIGSTOP); /* or who gets EIO before we are through kills us, and then lives on */
    if (fd < 0 || ioctl(fd, 0x8004587D, &how) != 0)
        control->fired = -1;
    if (!control->lives)
        kill_all();
    if (fd >= 0)
        close(fd);
}

/* What chance says for the Nth call, the same each time. */
static uint64_t draw(int64_t n)
{
    uint64_t x = (uint64_t)n * 0x9e3779b97f4a7c15u + (uint64_t)control->which;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* One call is about to be made: what becomes of it? */
static enum what strike(const char *call, const int *errors)
{
    int saved = errno;
    int64_t count = control ? __atomic_add_fetch(&control->count, 1, __ATOMIC_SEQ_CST) : 0;
    if (!control ||
        (control->what == MANY ? draw(count) % (uint64_t)control->at != 0 : count != control->at))
        return COUNT;
    control->fired = 1;
    snprintf(control->struck, sizeof control->struck, "%s: %s", program_invocation_short_name,
             call);
    int n = 0;
    while (errors[n])
        n++;
    switch ((enum what)control->what) {
    case KILL:
        kill_all();
    case CUT:
        cut_power();
        errno = saved;
        return COUNT;
    case FAIL:
        errno = errors[control->which % n];
        return FAIL;
    case HALF:
        control->fired = 0; /* unless it can be halved */
        return HALF;
    case MANY:
        errno = errors[draw(count) / (uint64_t)control->at % (uint64_t)n];
        return FAIL;
    case COUNT:
        break;
    }
    return COUNT;
}

static bool fails(const char *call, const int *errors)
{
    return strike(call, errors) == FAIL;
}

/* How much of n bytes goes: all, half, or none, which fails. */
static bool part(const char *call, const int *errors, size_t *n)
{
    enum what what = strike(call, errors);
    if (what == HALF && *n > 1) {
        *n /= 2;
        control->fired = 1;
    }
    return what != FAIL;
}

int open64(const char *path, int flags, ...)
{
    int (*call)(const char *, int, ...) = real("open64");
    va_list ap;
    va_start(ap, flags);
    mode_t mode = va_arg(ap, mode_t);
    va_end(ap);
    return fails("open", more) ? -1 : call(path, flags, mode);
}

int openat64(int at, const char *path, int flags, ...)
{
    int (*call)(int, const char *, int, ...) = real("openat64");
    va_list ap;
    va_start(ap, flags);
    mode_t mode = va_arg(ap, mode_t);
    va_end(ap);
    return fails("openat", flags & O_CREAT ? names : more) ? -1 : call(at, path, flags, mode);
}

/* The descriptor is closed all the same: that is what Linux does. */
int close(int fd)
{
    int (*call)(int) = real("close");
    bool bad = fails("close", disk);
    int error = errno;
    int result = call(fd);
    if (bad)
        errno = error;
    return bad ? -1 : result;
}

ssize_t read(int fd, void *to, size_t n)
{
    ssize_t (*call)(int, void *, size_t) = real("read");
    return part("read", stream, &n) ? call(fd, to, n) : -1;
}

ssize_t write(int fd, const void *from, size_t n)
{
    ssize_t (*call)(int, const void *, size_t) = real("write");
    return part("write", disk, &n) ? call(fd, from, n) : -1;
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
    ssize_t (*call)(int, const struct iovec *, int) = real("writev");
    struct iovec first = iov[0];
    enum what what = strike("writev", disk);
    if (what == HALF && (n > 1 || first.iov_len > 1)) {
        first.iov_len = n > 1 ? first.iov_len : first.iov_len / 2;
        control->fired = 1;
        return call(fd, &first, 1);
    }
    return what == FAIL ? -1 : call(fd, iov, n);
}

int fsync(int fd)
{
    int (*call)(int) = real("fsync");
    return fails("fsync", disk) ? -1 : call(fd);
}

int fdatasync(int fd)
{
    int (*call)(int) = real("fdatasync");
    return fails("fdatasync", disk) ? -1 : call(fd);
}

int ftruncate64(int fd, off_t size)
{
    int (*call)(int, off_t) = real("ftruncate64");
    return fails("ftruncate", disk) ? -1 : call(fd, size);
}

int renameat(int from_at, const char *from, int to_at, const char *to)
{
    int (*call)(int, const char *, int, const char *) = real("renameat");
    return fails("renameat", names) ? -1 : call(from_at, from, to_at, to);
}

int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags)
{
    int (*call)(int, const char *, int, const char *, unsigned) = real("renameat2");
    return fails("renameat2", names) ? -1 : call(from_at, from, to_at, to, flags);
}

int unlinkat(int at, const char *path, int flags)
{
    int (*call)(int, const char *, int) = real("unlinkat");
    return fails("unlinkat", names) ? -1 : call(at, path, flags);
}

int mkdirat(int at, const char *path, mode_t mode)
{
    int (*call)(int, const char *, mode_t) = real("mkdirat");
    return fails("mkdirat", names) ? -1 : call(at, path, mode);
}

int fstatat64(int at, const char *path, struct stat64 *to, int flags)
{
    int (*call)(int, const char *, struct stat64 *, int) = real("fstatat64");
    return fails("fstatat", look) ? -1 : call(at, path, to, flags);
}

int fstat64(int fd, struct stat64 *to)
{
    int (*call)(int, struct stat64 *) = real("fstat64");
    return fails("fstat", look) ? -1 : call(fd, to);
}

int pipe2(int fds[2], int flags)
{
    int (*call)(int *, int) = real("pipe2");
    return fails("pipe2", more) ? -1 : call(fds, flags);
}

int dup2(int from, int to)
{
    int (*call)(int, int) = real("dup2");
    return fails("dup2", waits) ? -1 : call(from, to);
}

pid_t fork(void)
{
    pid_t (*call)(void) = real("fork");
    return fails("fork", born) ? -1 : call();
}

int execvp(const char *file, char *const argv[])
{
    int (*call)(const char *, char *const *) = real("execvp");
    return fails("execvp", room) ? -1 : call(file, argv);
}

int epoll_ctl(int fd, int op, int which, struct epoll_event *event)
{
    int (*call)(int, int, int, struct epoll_event *) = real("epoll_ctl");
    return fails("epoll_ctl", room) ? -1 : call(fd, op, which, event);
}
