/* SPDX-License-Identifier: MIT */
/* Starting a router: the one place that says what a child of ours gets. */
#ifndef SPAWN_H
#define SPAWN_H

#include <sys/types.h>

struct spawn {
    char *const *argv; /* argv[0] is the path */
    int lock;          /* inherited under its number, told in the environment; -1: none */
    int in, out;       /* to become standard input and output; -1: /dev/null */
};

/* Returns the pid, or -1 and errno. A program that cannot be executed ends with 126 or 127. */
pid_t spawn_child(const struct spawn *s);

/* tl-router beside our own executable, else as PATH will find it. Owned by the caller. */
char *spawn_find_router(void);

/* The status of waitpid as a shell tells it. */
int spawn_status(int wait_status);

#endif
