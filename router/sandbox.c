/* SPDX-License-Identifier: MIT */
/*
 * The sandbox. Trust: what runs inside may do its worst. It is left with its three pipes, read-only
 * files, memory, time, and children that are inside as well. What this kernel, or the library that
 * names its system calls, does not know is refused, not let through.
 */
#include "sandbox.h"
#include "calls.h"
#include "contract.h"
#include "tagline.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What the headers of Debian 12 do not have yet. */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif
#ifndef LANDLOCK_ACCESS_NET_BIND_TCP
#define LANDLOCK_ACCESS_NET_BIND_TCP    (1ULL << 0)
#define LANDLOCK_ACCESS_NET_CONNECT_TCP (1ULL << 1)
#endif
#ifndef LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
#define LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#define LANDLOCK_SCOPE_SIGNAL               (1ULL << 1)
#endif

#define READ_FILE (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_EXECUTE)
#define READ_ALL  (READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

struct sandbox {
    int abi;
    struct sock_fprog calls; /* what is left of the system calls */
};

/* ---- Landlock ---- */

/* As the kernel knows it since version 6; earlier ones take the rest as long as it is 0. */
struct ruleset {
    uint64_t files, net, scoped;
};

static int new_ruleset(int abi)
{
    struct ruleset all = {.files = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1};
    if (abi >= ABI_REFER)
        all.files |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= ABI_TRUNCATE)
        all.files |= LANDLOCK_ACCESS_FS_TRUNCATE;
    if (abi >= ABI_NET)
        all.net = LANDLOCK_ACCESS_NET_BIND_TCP | LANDLOCK_ACCESS_NET_CONNECT_TCP;
    if (abi >= ABI_IOCTL)
        all.files |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
    if (abi >= ABI_SCOPE)
        all.scoped = LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL;
    return (int)syscall(SYS_landlock_create_ruleset, &all, sizeof all, 0);
}

int sandbox_abi(const char **why)
{
    static int abi = -1;
    uint32_t refuse = SECCOMP_RET_ERRNO;
    *why = "it has no filters of system calls (seccomp)";
    if (abi < 0 && syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &refuse) != 0)
        return 0;
    *why = "it has no Landlock, or has it switched off";
    if (abi < 0)
        abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    /* There are kernels that claim a version and have less. */
    for (; abi > 0; abi--) {
        int rules = new_ruleset(abi);
        if (rules >= 0) {
            close(rules);
            break;
        }
    }
    return abi > 0 ? abi : 0;
}

/* Only system calls: the child uses it as well. */
static bool allow(int rules, int fd, uint64_t access)
{
    struct landlock_path_beneath_attr beneath = {.allowed_access = access, .parent_fd = fd};
    return syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) == 0;
}

/* A file, or a folder with all that is in it. */
static bool allow_path(int rules, const char *path, uint64_t more)
{
    struct stat st;
    int fd = open(path, O_PATH | O_CLOEXEC);
    bool done = fd >= 0 && fstat(fd, &st) == 0 &&
                allow(rules, fd, (S_ISDIR(st.st_mode) ? READ_ALL : READ_FILE) | more);
    int saved = errno;
    if (fd >= 0)
        close(fd);
    errno = saved;
    return done;
}

/* What programs and their interpreters need of a system; not all systems have all of it. */
static void allow_system(int rules)
{
    static const char *const paths[] = {
        "/usr",           "/bin",         "/sbin",         "/lib*",     "/etc/ld.so.cache",
        "/etc/localtime", "/etc/perl",    "/etc/python3*", "/dev/zero", "/dev/full",
        "/dev/random",    "/dev/urandom",
    };
    glob_t found = {0};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (glob(paths[i], i ? GLOB_APPEND : 0, NULL, &found) == GLOB_NOSPACE)
            tl_die(EX_OSERR, "out of memory");
    for (size_t i = 0; i < found.gl_pathc; i++)
        allow_path(rules, found.gl_pathv[i], 0);
    globfree(&found);
    allow_path(rules, "/dev/null", LANDLOCK_ACCESS_FS_WRITE_FILE);
}

/* The filters of the library lie beside this program. */
static void allow_beside(int rules)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(path, '/');
    if (!slash)
        return;
    slash[1] = '\0';
    DIR *dir = opendir(path);
    size_t room = (size_t)(path + sizeof path - (slash + 1));
    for (struct dirent *e; dir && (e = readdir(dir));)
        if (strncmp(e->d_name, "tl-", 3) == 0 && strlen(e->d_name) < room) {
            strcpy(slash + 1, e->d_name);
            allow_path(rules, path, 0);
        }
    if (dir)
        closedir(dir);
}

int sandbox_rules(const struct sandbox *s, const char *program, char *const *words,
                  char *const *read, struct buf *culprit)
{
    struct stat st;
    int rules = new_ruleset(s->abi);
    const char *bad = rules < 0 ? "Landlock" : NULL;
    if (!bad) {
        allow_system(rules);
        allow_beside(rules);
        if (!allow_path(rules, program, 0))
            bad = program;
    }
    for (; !bad && *words; words++)
        if (stat(*words, &st) == 0 && S_ISREG(st.st_mode) && !allow_path(rules, *words, 0))
            bad = *words;
    for (; !bad && read && *read; read++)
        if (!allow_path(rules, *read, 0))
            bad = *read;
    if (!bad)
        return rules;
    int saved = errno;
    buf_adds(culprit, bad);
    if (rules >= 0)
        close(rules);
    errno = saved;
    return -1;
}

struct sandbox *sandbox_new(int abi)
{
    struct sandbox *s = xcalloc(1, sizeof *s);
    *s = (struct sandbox){.abi = abi, .calls = calls_program(abi)};
    return s;
}

void sandbox_free(struct sandbox *s)
{
    free(s->calls.filter);
    free(s);
}

/* ---- the child ---- */

/* What a program of root could do beyond the rights of a user. Those that we have ourselves stay
 * until exec, which may need them to find the program. */
static bool drop_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 ||
        syscall(SYS_capget, &head, caps) != 0)
        return false;
    for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
        caps[i].inheritable = 0;
    int has;
    for (int cap = 0; (has = prctl(PR_CAPBSET_READ, cap, 0, 0, 0)) >= 0; cap++)
        if (has && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0 && geteuid() == 0)
            return false; /* without the right to, nobody but root gains any by exec */
    return syscall(SYS_capset, &head, caps) == 0;
}

/* Some programs look there to know their memory. */
void sandbox_allow_self(int rules)
{
    int fd = open("/proc/self", O_PATH | O_CLOEXEC);
    if (fd >= 0) {
        allow(rules, fd, READ_ALL);
        close(fd);
    }
}

/* A core would be a file. In a sandbox that is in another, this is so already. */
static bool no_core(void)
{
    struct rlimit core;
    return getrlimit(RLIMIT_CORE, &core) == 0 &&
           (core.rlim_max == 0 || setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}) == 0);
}

bool sandbox_enter(const struct sandbox *s, int rules)
{
    return no_core() && drop_capabilities() && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           syscall(SYS_landlock_restrict_self, rules, 0) == 0 &&
           syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &s->calls) == 0;
}
