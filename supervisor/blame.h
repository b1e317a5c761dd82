/* SPDX-License-Identifier: MIT */
/*
 * Files whose run ended as if the flow could not run at all. Once, that is believed, and holds the
 * flow. But a file that does it again, although the flow worked for another one meanwhile, is
 * itself to blame: one bad file must not hold up the others for ever.
 *
 * Time is counted in eras: one ends with each hold of the flow.
 */
#ifndef BLAME_H
#define BLAME_H

#include "dict.h"

struct blame {
    struct dict files;
    unsigned era;
    unsigned good; /* the last era that began a run that ended well */
};

void blame_free(struct blame *b);

/* The flow is taken on again after a hold. */
void blame_next_era(struct blame *b);

/* A run that began in that era ended well. */
void blame_good(struct blame *b, unsigned era);

enum blamed {
    BLAMED_FLOW,       /* the flow, as far as can be known */
    BLAMED_FLOW_AGAIN, /* the flow; for this file it is not the first time */
    BLAMED_FILE,
};

/* A run of the file that began in that era says that the flow cannot run: who is it? */
enum blamed blame_file(struct blame *b, const char *name, uint64_t inode, unsigned era);

#endif
