/* SPDX-License-Identifier: MIT */
/*
 * From the bytes that a source emits to batches for its destinations. This runs for every byte:
 * lines for one destination that stand together are copied together.
 */
#include "contract.h"
#include "core.h"
#include "hash.h"
#include "tagline.h"

#include <stdlib.h>
#include <string.h>

static uint64_t hash(const char *tag, size_t len)
{
    static const struct hash_key key; /* the tags are the flow's: no need for a secret */
    return hash_bytes(&key, tag, len);
}

static size_t find_way(const struct source *s, const char *tag, size_t len)
{
    for (uint64_t h = hash(tag, len);; h++) {
        uint32_t i = s->table[h & s->mask];
        if (i == 0)
            return NOWHERE;
        if (s->ways[i - 1].len == len && memcmp(s->ways[i - 1].tag, tag, len) == 0)
            return i - 1;
    }
}

/* ---- setting up ---- */

static size_t slot_for(struct source *s, size_t dest)
{
    for (size_t i = 0; i < s->nslots; i++)
        if (s->slots[i].dest == dest)
            return i;
    s->slots = xrealloc(s->slots, s->nslots + 1, sizeof *s->slots);
    s->slots[s->nslots] = (struct slot){.dest = dest};
    return s->nslots++;
}

/* Lines that carry tag (or none, if the source is not tagged) go to the flow's destination dest. */
static void add_way(struct core *c, struct source *s, const char *tag, size_t dest)
{
    const struct flow *f = c->flow;
    struct way w = {.tag = tag, .len = strlen(tag), .slot = NOWHERE, .sink = NOWHERE};
    bool wants_tag = dest < f->nnodes ? f->nodes[dest].kind == NODE_FILTER && !f->nodes[dest].shares
                                      : c->graph->together;
    if (wants_tag) {
        w.put = flow_tag(f, dest);
        w.put_len = strlen(w.put);
    }
    w.as_is = s->tagged ? wants_tag && strcmp(w.put, tag) == 0 : !wants_tag;
    if (dest >= f->nnodes)
        w.sink = dest - f->nnodes;
    size_t to = dest < f->nnodes ? dest : c->graph->outlet_of[w.sink];
    if (to != NOWHERE)
        w.slot = slot_for(s, to);
    s->ways = xrealloc(s->ways, s->nways + 1, sizeof *s->ways);
    s->ways[s->nways++] = w;
}

static void hash_ways(struct source *s)
{
    size_t size = 4;
    while (size < 2 * s->nways)
        size *= 2;
    s->mask = size - 1;
    s->table = xcalloc(size, sizeof *s->table);
    for (size_t i = 0; i < s->nways; i++) {
        if (find_way(s, s->ways[i].tag, s->ways[i].len) != NOWHERE)
            continue;
        uint64_t h = hash(s->ways[i].tag, s->ways[i].len);
        while (s->table[h & s->mask])
            h++;
        s->table[h & s->mask] = (uint32_t)i + 1;
    }
}

/* Whose lines these are. */
size_t source_stage(const struct core *c, const struct source *s)
{
    const struct flow *f = c->flow;
    return s->index < f->nlanes ? c->graph->stage_of[f->lane_node[s->index]] : STAGE_INPUT;
}

void source_init(struct core *c, struct source *s, size_t index, bool tagged)
{
    const struct flow *f = c->flow;
    *s = (struct source){.index = index, .tagged = tagged, .stop = SIZE_MAX};
    s->track = c->graph->stages[source_stage(c, s)].track_out;
    if (index < f->nlanes) {
        const struct node *n = flow_node(f, index);
        add_way(c, s, n->tag, n->next[0]); /* the tag was left as it was */
        for (size_t i = 0; i < n->nnext; i++)
            if (n->next[i] != f->lane_node[index])
                add_way(c, s, n->next_tags[i], n->next[i]);
    } else if (tagged) {
        for (size_t d = 0; d < f->nnodes + f->nsinks; d++)
            add_way(c, s, flow_tag(f, d), d);
    } else {
        add_way(c, s, "", f->start);
    }
    hash_ways(s);
}

void source_free(struct core *c, struct source *s)
{
    for (size_t i = 0; i < s->nslots; i++)
        batch_put_all(c, s->slots[i].open);
    free(s->slots);
    free(s->ways);
    free(s->table);
    buf_free(&s->in);
}

/* ---- one line ---- */

static struct batch *open_batch(struct core *c, struct source *s, struct way *w)
{
    struct slot *slot = &s->slots[w->slot];
    if (!slot->open)
        slot->open = batch_open(c, slot->dest);
    return slot->open;
}

/* Copy the lines that stand together. */
static void source_flush(struct core *c, struct source *s)
{
    if (s->span_way && s->span_way->slot != NOWHERE) {
        struct batch *b = s->slots[s->span_way->slot].open;
        batch_add(c, b, s->span, (size_t)(s->in.data + s->scanned - s->span));
    }
    s->span_way = NULL;
}

/* Count the line for its sink and its batch; false if it is discarded. */
static bool count(struct core *c, struct source *s, struct way *w, struct job *job, size_t len)
{
    if (w->sink != NOWHERE) {
        job->sinks[w->sink].lines++;
        job->sinks[w->sink].bytes += len;
    }
    if (w->slot != NOWHERE) {
        struct batch *b = open_batch(c, s, w);
        if (s->track)
            batch_id(b, (uint32_t)s->lines);
        b->lines++;
    }
    s->lines++;
    s->bytes += len;
    return w->slot != NOWHERE;
}

static struct job *job_of(const struct core *c, const struct source *s)
{
    if (s == &c->input)
        return c->reading;
    const struct node_state *n = &c->nodes[s->index];
    return n->first ? n->first->job : n->job; /* a whole-file command prints when it likes */
}

/* line: its first byte; text: behind the tag; end: behind the newline. s->scanned must say how far
 * the lines before this one reach. */
static void emit(struct core *c, struct source *s, struct way *w, const char *line,
                 const char *text, const char *end)
{
    if (s->span_way && (s->span_way != w || !w->as_is))
        source_flush(c, s);
    if (!count(c, s, w, job_of(c, s), (size_t)(end - text)))
        return;
    if (w->as_is) {
        if (!s->span_way) {
            s->span = line;
            s->span_way = w;
        }
        return;
    }
    struct batch *b = s->slots[w->slot].open;
    size_t len = (size_t)(end - text);
    char *to = batch_room(c, b, w->put_len + 1 + len);
    if (w->put) {
        memcpy(to, w->put, w->put_len);
        to += w->put_len;
        *to++ = '\t';
        b->bytes.len += w->put_len + 1;
    }
    memcpy(to, text, len);
    b->bytes.len += len;
}

static void fail_at(struct core *c, const struct source *s, int status, const char *what,
                    const char *line, size_t len)
{
    bool input = s == &c->input;
    core_fail(c, status, input ? NOWHERE : s->index, job_of(c, s), "%s: \"%.*s\"", what,
              (int)(len < 80 ? len : 80), line);
    core_fail_line(c, line, len);
}

/* The way of a tagged line, or NULL after a failure. */
static struct way *look_up(struct core *c, struct source *s, const char *line, size_t len)
{
    struct way *recent = &s->ways[s->recent];
    if (len > recent->len && line[recent->len] == '\t' &&
        memcmp(line, recent->tag, recent->len) == 0)
        return recent;
    size_t near = len < TL_TAG_MAX + 1 ? len : TL_TAG_MAX + 1;
    const char *tab = memchr(line, '\t', near);
    if (!tab) {
        fail_at(c, s, s == &c->input ? EX_DATAERR : EX_SOFTWARE,
                "a line does not begin with a tag and a tab", line, len);
        return NULL;
    }
    size_t i = find_way(s, line, (size_t)(tab - line));
    if (i == NOWHERE) {
        fail_at(c, s, EX_DATAERR,
                s == &c->input ? "the tag of a line is not in the flow"
                               : "the tag of a line is not among those after the arrow",
                line, len);
        return NULL;
    }
    s->recent = i;
    return &s->ways[i];
}

/* How many newlines: in columns of bytes, which a compiler adds up many at a time, and which cannot
 * overflow in so many rows. */
static uint32_t count_lines(const char *text, size_t len)
{
    enum { COLUMNS = 64, ROWS = UINT8_MAX };
    uint32_t n = 0;
    while (len >= COLUMNS) {
        uint8_t counts[COLUMNS] = {0};
        size_t rows = len / COLUMNS < ROWS ? len / COLUMNS : ROWS;
        for (size_t row = 0; row < rows; row++, text += COLUMNS)
            for (size_t i = 0; i < COLUMNS; i++)
                counts[i] = (uint8_t)(counts[i] + (text[i] == '\n'));
        for (size_t i = 0; i < COLUMNS; i++)
            n += counts[i];
        len -= rows * COLUMNS;
    }
    for (size_t i = 0; i < len; i++)
        n += text[i] == '\n';
    return n;
}

static bool lines_fit(const char *text, size_t len, size_t most)
{
    const char *end = text + len;
    for (const char *next; len > most && text < end; text = next + 1) {
        next = memchr(text, '\n', (size_t)(end - text));
        if (!next || (size_t)(next - text) > most)
            return false;
    }
    return true;
}

/* Behind the last whole line that begins before stop; at, if there is none. */
static size_t last_line(const struct source *s, size_t at)
{
    const char *data = s->in.data;
    const char *nl = NULL;
    if (s->stop < s->in.len)
        nl = memchr(data + s->stop - 1, '\n', s->in.len - (s->stop - 1));
    if (!nl)
        nl = memrchr(data + at, '\n', (s->stop < s->in.len ? s->stop : s->in.len) - at);
    return nl ? (size_t)(nl + 1 - data) : at;
}

/* Lines that all go one way as they are need not be looked at one by one. Returns where they end;
 * at, if that is no way to take them. */
static size_t take_block(struct core *c, struct source *s, size_t at)
{
    struct way *w = &s->ways[0];
    if (s->tagged || s->track || !w->as_is || at >= s->stop)
        return at;
    size_t end = last_line(s, at);
    const char *text = s->in.data + at;
    if (!lines_fit(text, end - at, c->flow->max_line))
        return at;
    uint32_t n = count_lines(text, end - at);
    struct job *job = job_of(c, s);
    if (n && w->sink != NOWHERE) {
        job->sinks[w->sink].lines += n;
        job->sinks[w->sink].bytes += end - at;
    }
    if (n && w->slot != NOWHERE) {
        struct batch *b = open_batch(c, s, w);
        batch_add(c, b, text, end - at);
        b->lines += n;
    }
    s->lines += n;
    s->bytes += end - at;
    return end;
}

size_t source_parse(struct core *c, struct source *s, size_t at)
{
    const size_t most = c->flow->max_line;
    at = take_block(c, s, at);
    s->scanned = at;
    while (at < s->in.len && at < s->stop) {
        const char *line = s->in.data + at;
        size_t from = s->clean > at ? s->clean : at;
        const char *nl = memchr(s->in.data + from, '\n', s->in.len - from);
        size_t len = nl ? (size_t)(nl - line) : s->in.len - at;
        if (s->tagged && *line == CONTROL)
            break;
        if (len > most + (s->tagged ? TL_TAG_MAX + 1 : 0)) {
            fail_at(c, s, EX_DATAERR, "a line is longer than max-line", line, len);
            break;
        }
        if (!nl) {
            s->clean = s->in.len;
            break;
        }
        struct way *w = s->tagged ? look_up(c, s, line, len) : &s->ways[0];
        if (!w)
            break;
        const char *text = s->tagged ? line + w->len + 1 : line;
        if ((size_t)(nl - text) > most) {
            fail_at(c, s, EX_DATAERR, "a line is longer than max-line", line, len);
            break;
        }
        emit(c, s, w, line, text, nl + 1);
        at += len + 1;
        s->scanned = at;
    }
    source_flush(c, s);
    return at;
}

bool source_texts(struct core *c, struct source *s, struct batch *piece)
{
    struct way *w = &s->ways[0];
    struct batch *to = piece;
    const char *text = piece->bytes.data;
    size_t len = piece->bytes.len;
    if (len == 0 || text[len - 1] != '\n' || !lines_fit(text, len, c->flow->max_line)) {
        batch_put(c, piece);
        return false;
    }
    uint32_t n = count_lines(text, len);
    if (w->sink != NOWHERE) {
        job_of(c, s)->sinks[w->sink].lines += n;
        job_of(c, s)->sinks[w->sink].bytes += len;
    }
    if (w->slot != NOWHERE && !w->put && !s->slots[w->slot].open &&
        s->slots[w->slot].dest >= c->flow->nnodes) {
        s->slots[w->slot].open = piece; /* into the file from where it is */
    } else if (w->slot != NOWHERE) {
        to = open_batch(c, s, w);
        if (w->put)
            batch_add_tagged(c, to, w->put, piece);
        else
            batch_add(c, to, text, len);
    }
    for (uint32_t i = 0; s->track && w->slot != NOWHERE && i < n; i++) {
        batch_id(to, (uint32_t)s->lines + i);
        to->lines++;
    }
    if (!s->track)
        to->lines += n;
    if (to != piece || w->slot == NOWHERE)
        batch_put(c, piece);
    s->lines += n;
    s->bytes += len;
    return true;
}

/* Forget the bytes before at: they are lines that have been dealt with. */
void source_drop(struct source *s, size_t at)
{
    if (at == 0)
        return;
    buf_shift(&s->in, at);
    s->clean = s->clean > at ? s->clean - at : 0;
    s->scanned = 0;
}
