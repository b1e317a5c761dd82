/* SPDX-License-Identifier: MIT */
/* Standard input and output. Trust: the descriptors may be anything, non-blocking or closed too. */
#include "io.h"
#include "tagline.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

/* Wait for a descriptor that somebody made non-blocking. An interruption only means: try again. */
static void wait_for(int fd, short events)
{
    if (poll(&(struct pollfd){.fd = fd, .events = events}, 1, -1) < 0 && errno != EINTR)
        tl_die(EX_OSERR, "poll: %m");
}

size_t io_read(char *to, size_t room)
{
    for (;;) {
        ssize_t n = read(STDIN_FILENO, to, room);
        if (n >= 0)
            return (size_t)n;
        if (errno == EAGAIN)
            wait_for(STDIN_FILENO, POLLIN);
        else if (errno != EINTR)
            tl_die(EX_IOERR, "standard input: %m");
    }
}

bool io_ready(void)
{
    return poll(&(struct pollfd){.fd = STDIN_FILENO, .events = POLLIN}, 1, 0) > 0;
}

void io_write(const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = write(STDOUT_FILENO, bytes, n);
        if (done >= 0) {
            bytes += done;
            n -= (size_t)done;
        } else if (errno == EAGAIN) {
            wait_for(STDOUT_FILENO, POLLOUT);
        } else if (errno == EPIPE) {
            exit(EX_IOERR);
        } else if (errno != EINTR) {
            tl_die(EX_IOERR, "standard output: %m");
        }
    }
}

void io_close(void)
{
    if (close(STDOUT_FILENO) != 0 && errno != EINTR)
        tl_die(EX_IOERR, "standard output: %m");
}
