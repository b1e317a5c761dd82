/* SPDX-License-Identifier: MIT */
/*
 * Memory shared with filters that know how: a memfd each, which the filter opens by its name under
 * /proc. What stands against it on either side (no memfd, no /proc, other user, a sandbox) means
 * that lines go through the pipes, as with all other programs. Trust: a filter may write into its
 * region at any time, but not change its size; the core checks whatever it reads there.
 */
#include "contract.h"
#include "run.h"
#include "tagline.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LEAST_PIECE = 16 << 10, LEAST_PIECES = 4 };

/* A piece holds an epoch and the tags that come with it. */
static size_t piece_size(const struct engine *e)
{
    size_t piece = 2 * e->flow->epoch;
    if (piece < LEAST_PIECE)
        piece = LEAST_PIECE;
    if (piece > e->region / LEAST_PIECES)
        piece = e->region / LEAST_PIECES;
    return piece;
}

/* A region of a size that will stay, and its descriptor; false: there is none. */
static bool make_region(size_t size, int *fd, char **region)
{
    *fd = memfd_create("tagline", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*fd < 0)
        return false;
    if (ftruncate(*fd, (off_t)size) == 0 &&
        fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0) {
        void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
        *region = at == MAP_FAILED ? NULL : at;
        return at != MAP_FAILED;
    }
    return false;
}

static void forget(struct engine *e, size_t node)
{
    struct link *l = &e->links[node];
    close_fd(&l->shared);
    if (l->region && munmap(l->region, e->region) != 0)
        tl_bug("munmap: %m");
    l->region = NULL;
}

static void describe(const struct engine *e, size_t node, char *line, size_t room)
{
    snprintf(line, room, CONTROL_SHARE "/proc/%d/fd/%d %zu %s\n", (int)getpid(),
             e->links[node].shared, e->region, flow_node(e->flow, node)->tag);
}

void share_offer(struct engine *e, size_t node)
{
    struct link *l = &e->links[node];
    char line[160];
    l->greeting = GREETED;
    if (!e->region)
        return;
    if (!make_region(e->region, &l->shared, &l->region)) {
        forget(e, node);
        return;
    }
    describe(e, node, line, sizeof line);
    if (write(e->procs[node].in, line, strlen(line)) == (ssize_t)strlen(line))
        l->greeting = SHARING;
    else if (errno != EPIPE) /* its end will be told */
        engine_fail(e, EX_OSERR, node, strerror(errno));
}

bool share_answered(struct engine *e, size_t node, const char *line)
{
    struct link *l = &e->links[node];
    char offer[160];
    describe(e, node, offer, sizeof offer);
    size_t n = strlen(offer) - 1;
    close_fd(&l->shared);
    if (strncmp(line, offer, n) != 0 || (line[n] && strcmp(line + n, " " SHARE_OK) != 0))
        return false;
    if (!line[n])
        forget(e, node);
    l->greeting = GREETED;
    return true;
}

void share_agree(struct engine *e)
{
    for (size_t i = 0; i < e->flow->nnodes; i++) {
        struct node *def = &e->flow->nodes[i];
        def->shares = true;
        for (size_t copy = 0; copy < def->jobs; copy++)
            def->shares = def->shares && e->links[flow_lane(e->flow, i, copy)].region;
    }
}

void share_begin(struct engine *e)
{
    for (size_t i = 0; i < e->flow->nlanes; i++)
        if (flow_node(e->flow, i)->shares)
            core_share(e->core, i, e->links[i].region, e->region, piece_size(e));
}

void share_end(struct engine *e)
{
    for (size_t i = 0; i < e->flow->nlanes; i++)
        forget(e, i);
}
