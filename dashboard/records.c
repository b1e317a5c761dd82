/* SPDX-License-Identifier: MIT */
/*
 * Bytes to metrics records. Trust: a supervisor writes them, but anybody who may write to the FIFO
 * can write anything: a line that is not a record is counted, never an error.
 */
#include "records.h"
#include "contract.h"
#include "metrics.h"

#include <limits.h>
#include <string.h>

void records_push(struct records *r, const char *bytes, size_t n)
{
    buf_shift(&r->in, r->next);
    r->next = 0;
    buf_add(&r->in, bytes, n);
}

static bool kind_fits(const json_t *value, enum metric_kind kind)
{
    switch (kind) {
    case METRIC_LABEL:
        return json_is_string(value) || json_is_array(value);
    case METRIC_COUNTER:
    case METRIC_GAUGE:
        return json_is_number(value) && json_number_value(value) >= 0;
    }
    return false;
}

/* A missing field is fine: a reader takes it as empty. So is one more: a later version may add it.
 */
bool records_valid(const json_t *json)
{
    const char *type = json_string_value(json_object_get(json, "type"));
    bool known = false;
    if (!type || !json_is_number(json_object_get(json, "time")))
        return false;
    for (const struct metric *m = metrics; m->record; m++) {
        if (strcmp(m->record, type) != 0)
            continue;
        const json_t *value = json_object_get(json, m->field);
        if (value && !kind_fits(value, m->kind))
            return false;
        known = true;
    }
    return known;
}

static json_t *load(const char *line, size_t len)
{
    /* jansson 2.14 takes a NUL behind a number for the end of a word, and goes on. */
    if (memchr(line, '\0', len))
        return NULL;
    return json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
}

/* A supervisor that died in the middle of a record leaves its beginning before the first record of
 * the next one. Go to the last beginning in a line that is no JSON; false where it has but one. */
static bool skip_torn(struct record *record)
{
    static const char begin[] = "{\"v\":";
    const char *end = record->line + record->len, *last = record->line;
    while ((size_t)(end - last) > strlen(begin)) {
        const char *at = memmem(last + 1, (size_t)(end - last - 1), begin, strlen(begin));
        if (!at)
            break;
        last = at;
    }
    if (last == record->line)
        return false;
    record->len = (size_t)(end - last);
    record->line = last;
    return true;
}

/* Parse one line into a record, or count why it is none. */
static json_t *parse(struct records *r, struct record *record)
{
    json_t *json = load(record->line, record->len);
    if (!json && skip_torn(record)) {
        r->torn++;
        json = load(record->line, record->len);
    }
    const json_t *version = json_object_get(json, "v");
    if (json_is_integer(version) && json_integer_value(version) > METRICS_VERSION) {
        r->newer++;
    } else if (json_is_integer(version) && json_integer_value(version) == METRICS_VERSION &&
               records_valid(json)) {
        r->good++;
        return json;
    } else {
        r->foreign++;
    }
    json_decref(json);
    return NULL;
}

/* The next whole line of at most PIPE_BUF bytes, newline included. */
static const char *cut(struct records *r, size_t *len)
{
    while (r->in.len > r->next) {
        const char *begin = r->in.data + r->next;
        size_t left = r->in.len - r->next;
        const char *nl = memchr(begin, '\n', left);
        if (!nl) {
            if (left < PIPE_BUF)
                return NULL;
            r->skipping = true;
            r->next = r->in.len;
            return NULL;
        }
        *len = (size_t)(nl - begin);
        r->next += *len + 1;
        if (!r->skipping && *len < PIPE_BUF)
            return begin;
        r->skipping = false;
        r->overlong++;
    }
    return NULL;
}

bool records_next(struct records *r, struct record *record)
{
    while ((record->line = cut(r, &record->len))) {
        record->json = parse(r, record);
        if (record->json)
            return true;
    }
    return false;
}

/* Whole lines that nobody has taken yet stay. */
void records_cut(struct records *r)
{
    size_t left = r->in.len - r->next;
    char *nl = left ? memrchr(r->in.data + r->next, '\n', left) : NULL;
    size_t tail = nl ? r->in.len - (size_t)(nl + 1 - r->in.data) : left;
    if (r->skipping && !nl) {
        r->overlong++;
        r->skipping = false;
    } else if (tail) {
        r->torn++;
    }
    r->in.len -= tail;
}

uint64_t records_bad(const struct records *r)
{
    return r->torn + r->foreign + r->newer + r->overlong;
}

void records_free(struct records *r)
{
    buf_free(&r->in);
    *r = (struct records){0};
}
