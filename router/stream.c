/* SPDX-License-Identifier: MIT */
/*
 * Lines on their way into a file. Small batches are put together: with a thousand sinks an epoch
 * has a line for each, and a system call for each line would cost more than all else.
 */
#include "core.h"

enum {
    TOGETHER = 64 << 10, /* a batch that others are added to is not larger */
    AT_ONCE = 4 << 20,   /* of a spilled batch: what is written comes into memory for it */
    HOLD = 32 << 20,     /* bytes that may wait to be written without holding up input */
};

void stream_put(struct core *c, struct stream *s, struct batch *chain)
{
    for (struct batch *next; chain; chain = next) {
        struct batch *b = chain, *last = s->last;
        next = b->next;
        b->next = NULL;
        s->bytes += b->bytes.len;
        c->held += b->bytes.len;
        if (last && last->bytes.len + b->bytes.len <= TOGETHER) {
            batch_add(c, last, b->bytes.data, b->bytes.len);
            last->counted += b->bytes.len;
            c->inflight += b->bytes.len;
            batch_put(c, b);
            continue;
        }
        if (last)
            last->next = b;
        else
            s->first = b;
        s->last = b;
    }
}

int stream_iov(const struct stream *s, struct iovec *iov, int max)
{
    int n = 0;
    size_t skip = s->taken;
    for (struct batch *b = s->first; b && n < max; b = b->next) {
        iov[n++] = (struct iovec){b->bytes.data + skip, b->bytes.len - skip};
        skip = 0;
        if (b->spill && iov[n - 1].iov_len > AT_ONCE) {
            iov[n - 1].iov_len = AT_ONCE;
            break;
        }
    }
    return n;
}

void stream_took(struct core *c, struct stream *s, size_t n)
{
    s->taken += n;
    s->bytes -= n;
    c->held -= n;
    while (s->first && s->taken >= s->first->bytes.len) {
        struct batch *b = s->first;
        s->taken -= b->bytes.len;
        s->first = b->next;
        if (!s->first)
            s->last = NULL;
        batch_put(c, b);
    }
    if (s->first && s->first->spill)
        spill_pass(s->first->spill, &s->first->bytes, s->taken);
}

bool stream_due(const struct core *c, const struct job *job, const struct stream *s)
{
    return s->first && (job->done || c->paused || s->bytes >= TOGETHER || c->held >= HOLD);
}

size_t stream_slack(const struct core *c)
{
    return c->held < HOLD ? c->held : HOLD;
}
