/* SPDX-License-Identifier: MIT */
/* Who besides us may write to a queue. Each function dies with one line if others may. */
#ifndef STRICT_H
#define STRICT_H

#include <stdbool.h>
#include <sys/stat.h>

/* Who may put files into unprocessed. */
enum strict_producers { PRODUCERS_SELF, PRODUCERS_GROUP, PRODUCERS_ANYBODY };

struct strict {
    bool off; /* look at nothing */
    enum strict_producers producers;
};

/* A name of one of them, or -1. */
int strict_producers_named(const char *name);

/* The queue itself and all folders above it: whoever may write to one could exchange the queue for
 * another. path is absolute and without links. */
void strict_queue(const struct strict *s, const char *path);

/* A folder in it: what lstat(2) says of it, and whether it is the one for producers. */
void strict_folder(const struct strict *s, const char *queue, const char *folder,
                   const struct stat *st, bool for_producers);

#endif
