/* SPDX-License-Identifier: MIT */
/* Words to a service manager, as of sd_notify(3). Without $NOTIFY_SOCKET nothing is sent. */
#ifndef SDNOTIFY_H
#define SDNOTIFY_H

/* Remember the socket and take it out of the environment, so that no child speaks in our name. */
void sdnotify_open(void);

/* Send one message, lines "NAME=VALUE". A manager that does not listen is no error of ours. */
void sdnotify_send(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Milliseconds between two signs of life, or 0 if none are asked for. */
long sdnotify_watchdog(void);

#endif
