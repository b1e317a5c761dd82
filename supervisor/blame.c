/* SPDX-License-Identifier: MIT */
/* Who is to blame. Trust: names are any bytes. What is forgotten costs one more hold, no more. */
#include "blame.h"
#include "buf.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { SUSPECTS = 1000 };

struct suspect {
    struct dict_link link;
    uint64_t inode;
    unsigned era; /* of the run that made it one */
    char name[];
};

static void drop(struct dict_link *link)
{
    free(link);
}

void blame_free(struct blame *b)
{
    dict_clear(&b->files, drop);
}

void blame_next_era(struct blame *b)
{
    b->era++;
}

void blame_good(struct blame *b, unsigned era)
{
    if (era > b->good)
        b->good = era;
}

static void suspect(struct blame *b, const char *name, uint64_t inode, unsigned era)
{
    size_t n = strlen(name) + 1;
    if (b->files.count >= SUSPECTS)
        dict_clear(&b->files, drop);
    struct suspect *new = xcalloc(1, sizeof *new + n);
    memcpy(new->name, name, n);
    new->inode = inode;
    new->era = era;
    dict_add(&b->files, &new->link, new->name);
}

enum blamed blame_file(struct blame *b, const char *name, uint64_t inode, unsigned era)
{
    struct suspect *old = (struct suspect *)dict_find(&b->files, name);
    bool again = old && old->inode == inode;
    if (again && b->good <= old->era)
        return old->era == era ? BLAMED_FLOW : BLAMED_FLOW_AGAIN;
    if (old) {
        dict_remove(&b->files, &old->link);
        free(old);
    }
    if (again)
        return BLAMED_FILE;
    suspect(b, name, inode, era);
    return BLAMED_FLOW;
}
