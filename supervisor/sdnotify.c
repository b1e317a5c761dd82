/* SPDX-License-Identifier: MIT */
/* A datagram a message. Trust: the socket's path, the times and the descriptor come from the
 * service manager. */
#include "sdnotify.h"
#include "contract.h"
#include "tagline.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un manager;
static socklen_t manager_len;
static int notify_fd = -1;
static int newline_fd = -1;
static long watchdog_ms;
static long long next_sign;
static char last_status[512];

/* $WATCHDOG_USEC is meant for one process only; signs of life come twice in that time. */
static void read_watchdog(void)
{
    const char *usec = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");
    long value, own;
    if (usec && text_number(usec, 1, LONG_MAX, &value) &&
        (!pid || (text_number(pid, 1, LONG_MAX, &own) && own == (long)getpid())))
        watchdog_ms = value / 2000 > 0 ? value / 2000 : 1;
}

static void open_newline(int fd)
{
    if (fd >= 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        tl_die(EX_USAGE, "--ready-fd: %d: %m", fd);
    newline_fd = fd;
}

void sdnotify_open(int ready_fd)
{
    open_newline(ready_fd);
    const char *path = getenv("NOTIFY_SOCKET");
    size_t n = path ? strlen(path) : 0;
    if (n > 1 && n < sizeof manager.sun_path && (path[0] == '/' || path[0] == '@')) {
        manager.sun_family = AF_UNIX;
        memcpy(manager.sun_path, path, n);
        if (path[0] == '@')
            manager.sun_path[0] = '\0';
        manager_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
        notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    }
    read_watchdog();
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

void sdnotify_close(void)
{
    if (notify_fd >= 0)
        close(notify_fd);
    if (newline_fd >= 0)
        close(newline_fd); /* it was never ready */
    notify_fd = newline_fd = -1;
}

void sdnotify_send(const char *format, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    if (notify_fd < 0 || n <= 0)
        return;
    size_t len = (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    if (sendto(notify_fd, text, len, MSG_NOSIGNAL, (struct sockaddr *)&manager, manager_len) < 0)
        return; /* as sd_notify(3): who asked for it and does not listen must not stop the service
                 */
}

void sdnotify_ready(void)
{
    ssize_t n = 0;
    sdnotify_send("READY=1");
    if (newline_fd < 0)
        return;
    do
        n = write(newline_fd, "\n", 1);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        tl_warn("--ready-fd: %d: %m", newline_fd); /* it works all the same */
    close(newline_fd);
    newline_fd = -1;
}

void sdnotify_status(const char *text)
{
    if (strncmp(text, last_status, sizeof last_status - 1) == 0)
        return;
    snprintf(last_status, sizeof last_status, "%s", text);
    sdnotify_send("STATUS=%s", last_status);
}

void sdnotify_alive(long long now)
{
    if (!watchdog_ms || now < next_sign)
        return;
    next_sign = now + watchdog_ms;
    sdnotify_send("WATCHDOG=1");
}

long long sdnotify_next(void)
{
    return watchdog_ms ? next_sign : -1;
}
