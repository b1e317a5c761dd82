/* SPDX-License-Identifier: MIT */
/*
 * Which names of unprocessed are taken, and which of them first: what --include, --exclude and
 * --priority say. Patterns are those of fnmatch(3), and match whole names, byte by byte.
 */
#ifndef CHOICE_H
#define CHOICE_H

#include <stdbool.h>
#include <stddef.h>

enum { CHOICE_PRIORITY = 1000 }; /* most and, negative, least */

struct choice_rule {
    char *pattern; /* owned */
    long priority;
};

struct choice_list {
    struct choice_rule *rules;
    size_t n;
};

struct choice {
    struct choice_list include, exclude, priority;
    long *levels; /* the priorities there are, highest first; set by choice_close */
    size_t nlevels;
};

void choice_include(struct choice *c, const char *pattern);
void choice_exclude(struct choice *c, const char *pattern);
/* "PATTERN=N"; false if it is not that. */
bool choice_priority(struct choice *c, const char *text);
/* No rule will be added. */
void choice_close(struct choice *c);
void choice_free(struct choice *c);

/* Is a file of that name for us? Also not when its name says that it is unfinished. */
bool choice_takes(const struct choice *c, const char *name);
/* Its level: 0 is taken first. The first rule that fits decides; without one the priority is 0. */
size_t choice_level(const struct choice *c, const char *name);
/* Is it above what has no priority? */
bool choice_urgent(const struct choice *c, size_t level);

#endif
