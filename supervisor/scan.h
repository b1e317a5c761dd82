/* SPDX-License-Identifier: MIT */
/* Looking at unprocessed: what a scan of the folder or a look at one name finds goes to waiting. */
#ifndef SCAN_H
#define SCAN_H

#include "store.h"
#include "waiting.h"

#include <dirent.h>

struct scan {
    const struct store *store;
    struct waiting *waiting;
    DIR *dir;        /* of the pass that goes on, or NULL */
    long long begun; /* when it began */
    long long next;  /* when the next is to begin */
    bool wanted;     /* as soon as may be */
    bool blind;      /* nothing wakes us: scan often */
    bool cut;        /* the last pass found more files than can be known at a time */
    bool refused;    /* the folder could not be read; error says why */
    int error;
    unsigned long passes; /* that were finished */
};

void scan_init(struct scan *s, const struct store *store, struct waiting *waiting, bool blind);
void scan_free(struct scan *s);

/* Begin a pass if one is due, and go on with it for a moment. True while there is more at once. */
bool scan_step(struct scan *s, long long now);
/* When scan_step has to be called next. */
long long scan_next(const struct scan *s);

/* Look at one name; complete: it was closed after writing, or moved in. */
void scan_look(struct scan *s, const char *name, bool complete, long long now);
/* Look at those that are due. */
void scan_due(struct scan *s, long long now);

#endif
