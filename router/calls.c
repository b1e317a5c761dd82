/* SPDX-License-Identifier: MIT */
/*
 * System calls, one by one. Trust: what is inside a sandbox may call anything, with any arguments.
 * Programs of all kinds must go on running, so those calls are named that go; of those that are
 * known to libseccomp the rest stays, and those that are not do not exist.
 */
#include "calls.h"
#include "buf.h"
#include "contract.h"
#include "sandbox.h"
#include "tagline.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_CALLS = 1024 };

#define NAMESPACES                                                                                 \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
     CLONE_NEWNET)

/* New ways out, ways into other processes and their settings, and changes to files that Landlock
 * does not see. */
static const char *const denied[] = {
    /* sockets */
    "socket", "socketpair", "socketcall",
    /* memory, settings and secrets of others, and of the system */
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease",
    "pidfd_getfd", "kcmp", "migrate_pages", "move_pages", "setpriority", "ioprio_set", "setrlimit",
    "perf_event_open", "bpf", "userfaultfd", "syslog", "fanotify_init", "add_key", "request_key",
    "keyctl",
    /* what processes share by a name that is no path */
    "msgget", "msgsnd", "msgctl", "semget", "semop", "semtimedop", "semctl", "shmget", "shmat",
    "shmctl", "ipc", "mq_open", "mq_unlink",
    /* another view of files */
    "unshare", "setns", "mount", "umount", "umount2", "pivot_root", "chroot", "open_tree",
    "move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr",
    /* what belongs to a file besides its bytes */
    "chmod", "fchmod", "fchmodat", "chown", "fchown", "lchown", "fchownat", "chown32", "fchown32",
    "lchown32", "utime", "utimes", "utimensat", "utimensat_time64", "futimesat", "setxattr",
    "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr"};

/* As if this kernel did not have them: programs know another way. clone3 keeps its flags where a
 * filter cannot see them, io_uring does all the rest. */
static const char *const absent[] = {"clone3", "io_uring_setup", "io_uring_enter",
                                     "io_uring_register"};

/* Before Landlock knows a right, the calls that need it go. */
static const char *const signals[] = {"tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo",
                                      "pidfd_send_signal"};
static const char *const truncates[] = {"truncate", "truncate64", "openat2"};

#define NAMED(list, name) is_named(list, sizeof(list) / sizeof *(list), name)

static bool is_named(const char *const *list, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], name) == 0)
            return true;
    return false;
}

/* One way in which a call is allowed: by up to two of its arguments. */
struct form {
    const char *name;
    int before; /* only for versions of Landlock before this; 0: always */
    unsigned n;
    struct scmp_arg_cmp arg[2];
};

#define EQUAL(i, value)        SCMP_CMP(i, SCMP_CMP_EQ, value, 0)
#define MASKED(i, mask, value) SCMP_CMP(i, SCMP_CMP_MASKED_EQ, mask, value)

static const struct form forms[] = {
    {"clone", 0, 1, {MASKED(0, NAMESPACES, 0)}},
    /* its own limits, and to look only */
    {"prlimit64", 0, 2, {EQUAL(0, 0), EQUAL(2, 0)}},
    {"sched_setaffinity", 0, 1, {EQUAL(0, 0)}},
    {"sched_setscheduler", 0, 1, {EQUAL(0, 0)}},
    {"sched_setparam", 0, 1, {EQUAL(0, 0)}},
    {"sched_setattr", 0, 1, {EQUAL(0, 0)}},
    /* all but those that send a signal to whom they like when there is input */
    {"fcntl", 0, 1, {EQUAL(1, F_DUPFD)}},
    {"fcntl", 0, 1, {EQUAL(1, F_DUPFD_CLOEXEC)}},
    {"fcntl", 0, 1, {EQUAL(1, F_GETFD)}},
    {"fcntl", 0, 1, {EQUAL(1, F_SETFD)}},
    {"fcntl", 0, 1, {EQUAL(1, F_GETFL)}},
    {"fcntl", 0, 1, {EQUAL(1, F_SETFL)}},
    {"fcntl", 0, 1, {EQUAL(1, F_GETLK)}},
    {"fcntl", 0, 1, {EQUAL(1, F_SETLK)}},
    {"fcntl", 0, 1, {EQUAL(1, F_SETLKW)}},
    {"fcntl", 0, 1, {EQUAL(1, F_OFD_GETLK)}},
    {"fcntl", 0, 1, {EQUAL(1, F_OFD_SETLK)}},
    {"fcntl", 0, 1, {EQUAL(1, F_OFD_SETLKW)}},
    {"fcntl", 0, 1, {EQUAL(1, F_GETPIPE_SZ)}},
    {"fcntl", 0, 1, {EQUAL(1, F_SETPIPE_SZ)}},
    {"fcntl", 0, 1, {EQUAL(1, F_ADD_SEALS)}},
    {"fcntl", 0, 1, {EQUAL(1, F_GET_SEALS)}},
    {"kill", ABI_SCOPE, 1, {EQUAL(0, 0)}}, /* its own group */
    /* O_TRUNC without a right to write, which Landlock did not see then */
    {"open", ABI_TRUNCATE, 1, {MASKED(1, O_TRUNC, 0)}},
    {"open", ABI_TRUNCATE, 1, {MASKED(1, O_ACCMODE, O_WRONLY)}},
    {"open", ABI_TRUNCATE, 1, {MASKED(1, O_ACCMODE, O_RDWR)}},
    {"openat", ABI_TRUNCATE, 1, {MASKED(2, O_TRUNC, 0)}},
    {"openat", ABI_TRUNCATE, 1, {MASKED(2, O_ACCMODE, O_WRONLY)}},
    {"openat", ABI_TRUNCATE, 1, {MASKED(2, O_ACCMODE, O_RDWR)}},
};

static void add_rule(scmp_filter_ctx filter, uint32_t action, int call, const struct form *form)
{
    int error = form ? seccomp_rule_add_array(filter, action, call, form->n, form->arg)
                     : seccomp_rule_add(filter, action, call, 0);
    if (error < 0)
        tl_bug("system call %d: no rule for it: %s", call, strerror(-error));
}

/* fcntl is fcntl64 where offsets once had 32 bits. */
static bool is_form_of(const struct form *form, const char *name)
{
    size_t n = strlen(form->name);
    return strncmp(form->name, name, n) == 0 && (!name[n] || strcmp(name + n, "64") == 0);
}

static void add_call(scmp_filter_ctx filter, int abi, int call, const char *name)
{
    bool whole = true;
    if (NAMED(absent, name))
        return;
    if (NAMED(denied, name) || (abi < ABI_SCOPE && NAMED(signals, name)) ||
        (abi < ABI_TRUNCATE && NAMED(truncates, name))) {
        add_rule(filter, SCMP_ACT_ERRNO(EPERM), call, NULL);
        return;
    }
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (is_form_of(&forms[i], name) && (!forms[i].before || abi < forms[i].before)) {
            add_rule(filter, SCMP_ACT_ALLOW, call, &forms[i]);
            whole = false;
        }
    if (whole)
        add_rule(filter, SCMP_ACT_ALLOW, call, NULL);
}

/* The program for the kernel, as libseccomp writes it to a file. */
static bool export_program(scmp_filter_ctx filter, struct sock_fprog *program)
{
    struct stat st;
    int fd = memfd_create("calls", MFD_CLOEXEC);
    bool done = fd >= 0 && seccomp_export_bpf(filter, fd) == 0 && fstat(fd, &st) == 0;
    if (done) {
        size_t n = (size_t)st.st_size / sizeof *program->filter;
        *program = (struct sock_fprog){.len = (unsigned short)n,
                                       .filter = xcalloc(n, sizeof *program->filter)};
        done = pread(fd, program->filter, (size_t)st.st_size, 0) == st.st_size;
    }
    if (fd >= 0)
        close(fd);
    return done;
}

struct sock_fprog calls_program(int abi)
{
    struct sock_fprog program;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    if (!filter || seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) != 0)
        tl_die(EX_OSERR, "libseccomp: out of memory");
    for (int call = 0; call < MOST_CALLS; call++) {
        char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, call);
        if (name)
            add_call(filter, abi, call, name);
        free(name);
    }
    if (!export_program(filter, &program))
        tl_die(EX_OSERR, "libseccomp: %m");
    seccomp_release(filter);
    return program;
}
