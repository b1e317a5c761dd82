/* SPDX-License-Identifier: MIT */
/* The log of attempts, torn or worse: what is counted has a name that can be one, and what is told
 * of runs is written back as it was read. */
#include "../../supervisor/attempts.h"
#include "fuzz.h"

static void drop(struct dict_link *link)
{
    free(link);
}

static void must_survive(const char *text)
{
    struct history h = {0}, again = {0};
    struct buf one = {0}, two = {0};
    history_parse(&h, text);
    MUST(h.n <= HISTORY_TOLD);
    history_print(&h, &one);
    history_parse(&again, buf_str(&one));
    history_print(&again, &two);
    MUST(h.n == again.n && strcmp(buf_str(&one), buf_str(&two)) == 0);
    buf_free(&one);
    buf_free(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct attempts a = {0};
    char *text = xstrndup((const char *)data, size);
    must_survive(text);
    attempts_parse(&a, text);
    for (size_t i = 0; i < a.counts.nslots; i++)
        for (struct dict_link *l = a.counts.slots[i]; l; l = l->next)
            MUST(*l->key && !strchr(l->key, '/') && dict_find(&a.counts, l->key) == l);
    dict_clear(&a.counts, drop);
    free(text);
    return 0;
}
