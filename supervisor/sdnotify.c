/* SPDX-License-Identifier: MIT */
/* A datagram a message. Trust: the socket's path comes from the service manager. */
#include "sdnotify.h"
#include "text.h"

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
static long watchdog_ms;

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

void sdnotify_open(void)
{
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

long sdnotify_watchdog(void)
{
    return watchdog_ms;
}
