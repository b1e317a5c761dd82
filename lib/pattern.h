/* SPDX-License-Identifier: MIT */
/*
 * Regular expressions of filters: PCRE2 on bytes, compiled to machine code where the system allows
 * that. A search that gives up (a match limit) ends the program with status 65: it is never taken
 * for "no match". A program that uses this links libpcre2-8.
 */
#ifndef PATTERN_H
#define PATTERN_H

#include "tagline.h"

#include <stdbool.h>
#include <stddef.h>

struct pattern;

enum { PATTERN_ANY_CASE = 1 };

/* Compile, or say where the expression is wrong and exit with status 64. */
struct pattern *pattern_new(const char *expression, unsigned flags);
void pattern_free(struct pattern *p);

/* Number of groups besides the whole match, and the number of the group with a name (-1: none). */
int pattern_groups(const struct pattern *p);
int pattern_named(const struct pattern *p, const char *name);

/* Where a group matched: begin and end as offsets in the text; both -1 if it took no part. */
struct span {
    size_t begin, end;
};
#define NO_SPAN ((size_t)-1)

/* Find the first match that begins at or after from; spans[0] is the whole, spans[i] group i. The
 * spans belong to the pattern and stay until its next search. NULL: there is none. */
const struct span *pattern_find(struct tl *tl, struct pattern *p, const char *text, size_t len,
                                size_t from);

/* The next match after one that ended where last says, as Perl's /g finds it: never the same empty
 * one again. */
const struct span *pattern_next(struct tl *tl, struct pattern *p, const char *text, size_t len,
                                struct span last);

#endif
