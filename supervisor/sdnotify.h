/* SPDX-License-Identifier: MIT */
/* Words to a service manager: as of sd_notify(3) to the socket that it names in $NOTIFY_SOCKET, and
 * as of s6 a newline to a descriptor. Where nobody asked, nothing is sent. */
#ifndef SDNOTIFY_H
#define SDNOTIFY_H

/* Remember the socket and take it out of the environment, so that no child speaks in our name.
 * ready_fd: where to write a newline when we are ready; -1: nowhere. */
void sdnotify_open(int ready_fd);

void sdnotify_close(void);

/* Send one message, lines "NAME=VALUE". A manager that does not listen is no error of ours. */
void sdnotify_send(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The start is over; later: a reload is. */
void sdnotify_ready(void);

/* Send "STATUS=" and this text, unless it is what was sent last. */
void sdnotify_status(const char *text);

/* Give a sign of life if one is due. To be called where something was achieved, and nowhere else:
 * a loop that is stuck must not say that it lives. */
void sdnotify_alive(long long now);

/* When the next sign is due, or -1 if nobody wants any. */
long long sdnotify_next(void);

#endif
