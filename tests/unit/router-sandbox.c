/* SPDX-License-Identifier: MIT */
/*
 * The sandbox as it is on older kernels, whose Landlock knows less: what it cannot refuse there,
 * the filter of system calls must. Each attempt is made by a child inside.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../router/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NEWEST = 6 };

static char file[128], other[160];

static bool refused(long result)
{
    return result < 0 && (errno == EPERM || errno == EACCES || errno == ENOSYS);
}

static bool no_signal(void)
{
    return refused(kill(getppid(), 0)) && refused(syscall(SYS_tgkill, getppid(), getppid(), 0));
}

static bool own_group(void)
{
    return kill(0, 0) == 0;
}

static bool no_owner(void)
{
    return refused(fcntl(0, F_SETOWN, getppid()));
}

static bool no_truncation(void)
{
    struct open_how how = {.flags = O_RDONLY | O_TRUNC};
    return refused(truncate(file, 0)) && refused(open(file, O_RDONLY | O_TRUNC)) &&
           refused(open(file, O_WRONLY)) && refused(open(file, O_RDWR | O_TRUNC)) &&
           refused(syscall(SYS_openat2, AT_FDCWD, file, &how, sizeof how));
}

static bool no_rename(void)
{
    return refused(rename(file, other)) && refused(unlink(file));
}

static bool no_socket(void)
{
    return refused(socket(AF_INET, SOCK_STREAM, 0)) && refused(socket(AF_UNIX, SOCK_DGRAM, 0));
}

static bool no_mode(void)
{
    return refused(chmod(file, 0777)) && refused(chown(file, getuid(), getgid()));
}

static bool reads_file(void)
{
    char byte;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, &byte, 1) == 1;
}

static bool writes_null(void)
{
    int fd = open("/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0666);
    return fd >= 0 && write(fd, "x", 1) == 1;
}

static bool reads_no_other(void)
{
    return refused(open("/etc/passwd", O_RDONLY)) && refused(open("/", O_RDONLY | O_DIRECTORY));
}

static bool forks(void)
{
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static const struct {
    const char *name;
    bool (*holds)(void);
} attempts[] = {
    {"no signal to others", no_signal},
    {"a signal to its group", own_group},
    {"no signal by fcntl", no_owner},
    {"no truncation, by any call", no_truncation},
    {"no rename or removal", no_rename},
    {"no socket", no_socket},
    {"no change of mode or owner", no_mode},
    {"what was named is read", reads_file},
    {"/dev/null is written", writes_null},
    {"nothing else is read", reads_no_other},
    {"fork works", forks},
};

static void inside(const struct sandbox *s, int rules, bool (*holds)(void), const char *name)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        if (setpgid(0, 0) != 0 || !sandbox_enter(s, rules))
            _exit(2);
        _exit(holds() ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status)
        print_error("%s: status %d\n", name, status);
    assert_int_equal(status, 0);
}

static void try_all(int abi)
{
    char *words[] = {file, NULL};
    struct buf culprit = {0};
    struct stat st;
    struct sandbox *s = sandbox_new(abi);
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
        int rules = sandbox_rules(s, "/bin/true", words, NULL, &culprit);
        assert_true(rules >= 0);
        inside(s, rules, attempts[i].holds, attempts[i].name);
        close(rules);
    }
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_size, 5);
    sandbox_free(s);
}

/* As many as this kernel can be: a newer one can be an older one. */
static void test_versions(void **state)
{
    const char *why;
    int most = sandbox_abi(&why);
    (void)state;
    if (!most)
        skip();
    const char *place = getenv("TMPDIR");
    snprintf(file, sizeof file, "%s/router-sandbox.XXXXXX", place ? place : "/tmp");
    int fd = mkstemp(file);
    snprintf(other, sizeof other, "%s.other", file);
    assert_int_equal(write(fd, "bytes", 5), 5);
    close(fd);
    for (int abi = 1; abi <= most && abi <= NEWEST; abi++)
        try_all(abi);
    assert_int_equal(unlink(file), 0);
}

static void test_what_cannot_be_opened_is_told(void **state)
{
    char *words[] = {NULL}, *more[] = {(char[]){"/nonesuch"}, NULL};
    const char *why;
    struct buf culprit = {0};
    int most = sandbox_abi(&why);
    (void)state;
    if (!most)
        skip();
    struct sandbox *s = sandbox_new(most);
    assert_int_equal(sandbox_rules(s, "/bin/true", words, more, &culprit), -1);
    assert_int_equal(errno, ENOENT);
    assert_string_equal(buf_str(&culprit), "/nonesuch");
    buf_free(&culprit);
    sandbox_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_what_cannot_be_opened_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
