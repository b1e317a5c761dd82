/* SPDX-License-Identifier: MIT */
/* Runs of a file as data. Trust: the text to parse is from our own log, which may be torn. */
#include "history.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void add(struct history *h, int64_t began, int status)
{
    if (h->n == HISTORY_TOLD)
        memmove(&h->told[0], &h->told[1], --h->n * sizeof h->told[0]);
    h->told[h->n].began = began;
    h->told[h->n++].status = status;
}

void history_begin(struct history *h, int64_t began)
{
    h->runs++;
    add(h, began, 0);
}

void history_end(struct history *h, int status)
{
    if (h->n > 0)
        h->told[h->n - 1].status = status;
}

void history_undo(struct history *h)
{
    h->runs -= h->runs > 0;
    h->n -= h->n > 0;
}

void history_print(const struct history *h, struct buf *to)
{
    for (size_t i = 0; i < h->n; i++)
        buf_addf(to, "%s%" PRId64 ":%d", i ? "," : "", h->told[i].began, h->told[i].status);
}

void history_parse(struct history *h, const char *text)
{
    int64_t began;
    int status, length = 0;
    h->n = 0;
    while (sscanf(text, "%" SCNd64 ":%d%n", &began, &status, &length) == 2) {
        add(h, began, status);
        text += length;
        if (*text++ != ',')
            return;
    }
}
