/* SPDX-License-Identifier: MIT */
/*
 * From records to what is known. Trust: the records have the right kinds of fields
 * (records_valid), but their texts and numbers may be anything; what the model holds is bounded.
 */
#include "model.h"
#include "buf.h"
#include "contract.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

/* A node that no record has named for so many seconds of the queue's own time has left the flow. */
enum { NODE_GONE = 10 };

#define NUMBER(record, where, field)                                                               \
    {                                                                                              \
        record, #field, false, offsetof(struct where, field)                                       \
    }
#define TEXT(record, where, field)                                                                 \
    {                                                                                              \
        record, #field, true, offsetof(struct where, field)                                        \
    }

const struct model_field model_fields[] = {
    TEXT(METRICS_QUEUE, model_queue, flow),
    TEXT(METRICS_QUEUE, model_queue, state),
    TEXT(METRICS_QUEUE, model_queue, reason),
    NUMBER(METRICS_QUEUE, model_queue, time),
    NUMBER(METRICS_QUEUE, model_queue, workers),
    NUMBER(METRICS_QUEUE, model_queue, waiting),
    NUMBER(METRICS_QUEUE, model_queue, waiting_bytes),
    NUMBER(METRICS_QUEUE, model_queue, oldest),
    NUMBER(METRICS_QUEUE, model_queue, running),
    NUMBER(METRICS_QUEUE, model_queue, running_bytes),
    NUMBER(METRICS_QUEUE, model_queue, processed),
    NUMBER(METRICS_QUEUE, model_queue, processed_bytes),
    NUMBER(METRICS_QUEUE, model_queue, failed),
    NUMBER(METRICS_QUEUE, model_queue, failed_bytes),
    NUMBER(METRICS_QUEUE, model_queue, removed),
    NUMBER(METRICS_QUEUE, model_queue, removed_bytes),
    NUMBER(METRICS_QUEUE, model_queue, retried),
    NUMBER(METRICS_QUEUE, model_queue, ignored),
    NUMBER(METRICS_QUEUE, model_queue, lines),
    NUMBER(METRICS_QUEUE, model_queue, uptime),
    NUMBER(METRICS_QUEUE, model_queue, records_dropped),
    TEXT(METRICS_NODE, model_node, node),
    NUMBER(METRICS_NODE, model_node, time),
    NUMBER(METRICS_NODE, model_node, lines_in),
    NUMBER(METRICS_NODE, model_node, bytes_in),
    NUMBER(METRICS_NODE, model_node, lines_out),
    NUMBER(METRICS_NODE, model_node, bytes_out),
    NUMBER(METRICS_NODE, model_node, dropped),
    NUMBER(METRICS_NODE, model_node, errors),
    NUMBER(METRICS_NODE, model_node, cpu),
    NUMBER(METRICS_NODE, model_node, memory),
    NUMBER(METRICS_NODE, model_node, restarts),
    TEXT(METRICS_FILE, model_file, event),
    TEXT(METRICS_FILE, model_file, name),
    NUMBER(METRICS_FILE, model_file, time),
    NUMBER(METRICS_FILE, model_file, size),
    NUMBER(METRICS_FILE, model_file, lines),
    NUMBER(METRICS_FILE, model_file, seconds),
    NUMBER(METRICS_FILE, model_file, attempt),
    NUMBER(METRICS_FILE, model_file, status),
    TEXT(METRICS_ERROR, model_error, name),
    TEXT(METRICS_ERROR, model_error, node),
    TEXT(METRICS_ERROR, model_error, text),
    NUMBER(METRICS_ERROR, model_error, time),
    NUMBER(METRICS_ERROR, model_error, line),
    TEXT(METRICS_TRACE, model_trace, name),
    TEXT(METRICS_TRACE, model_trace, text),
    NUMBER(METRICS_TRACE, model_trace, time),
    {NULL, NULL, false, 0},
};

/* Code points that move the cursor or the direction of writing: C1, line separators, bidi. */
static bool moves(const char *s, size_t len)
{
    const unsigned char *u = (const unsigned char *)s;
    if (len == 1)
        return u[0] < ' ' || u[0] == 127;
    if (len == 2)
        return (u[0] == 0xc2 && u[1] < 0xa0) || (u[0] == 0xd8 && u[1] == 0x9c);
    if (len == 3 && u[0] == 0xe2 && u[1] == 0x80)
        return u[2] == 0x8e || u[2] == 0x8f || (u[2] >= 0xa8 && u[2] <= 0xae);
    return len == 3 && u[0] == 0xe2 && u[1] == 0x81 && u[2] >= 0xa6 && u[2] <= 0xa9;
}

char *model_clean(const char *text)
{
    struct buf b = {0};
    size_t left = strlen(text);
    while (left > 0) {
        size_t len = text_utf8(text, left);
        if (len == 0 || moves(text, len))
            buf_addc(&b, '?');
        else
            buf_add(&b, text, len);
        text += len ? len : 1;
        left -= len ? len : 1;
    }
    buf_str(&b);
    return b.data;
}

/* Fill a structure of the model from a record; its texts must be NULL or its own. */
static void fill(void *to, const char *type, const json_t *record)
{
    for (const struct model_field *f = model_fields; f->record; f++) {
        if (strcmp(f->record, type) != 0)
            continue;
        char *at = (char *)to + f->offset;
        const json_t *value = json_object_get(record, f->field);
        if (!f->is_text) {
            *(double *)(void *)at = json_number_value(value);
            continue;
        }
        char **text = (char **)(void *)at;
        const char *s = json_string_value(value);
        free(*text);
        *text = model_clean(s ? s : "");
    }
}

/* Free the texts of a structure and zero it. */
static void empty(void *of, size_t size, const char *type)
{
    for (const struct model_field *f = model_fields; f->record; f++)
        if (f->is_text && strcmp(f->record, type) == 0)
            free(*(char **)(void *)((char *)of + f->offset));
    memset(of, 0, size);
}

/* Room for one more at the front of a list of at most max; what falls off the end is freed. */
static void *push_front(void *list, size_t size, size_t *n, size_t max, const char *type)
{
    if (*n == max)
        empty((char *)list + --*n * size, size, type);
    memmove((char *)list + size, list, *n * size);
    memset(list, 0, size);
    ++*n;
    return list;
}

static void drop_gone_nodes(struct model *m)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->n_nodes; i++) {
        if (m->nodes[i].time < m->queue.time - NODE_GONE)
            empty(&m->nodes[i], sizeof m->nodes[i], METRICS_NODE);
        else
            m->nodes[kept++] = m->nodes[i];
    }
    if (kept < m->n_nodes)
        memset(&m->nodes[kept], 0, (m->n_nodes - kept) * sizeof m->nodes[0]);
    m->n_nodes = kept;
}

/* The queue is one: the latest record is what is known, and the counters go on. */
static bool take_queue(struct model *m, const json_t *record)
{
    struct model_queue *q = &m->queue;
    fill(q, METRICS_QUEUE, record);
    series_add(&q->files_done, q->time, q->processed);
    series_add(&q->bytes_done, q->time, q->processed_bytes);
    series_add(&q->lines_done, q->time, q->lines);
    drop_gone_nodes(m);
    m->known = true;
    return true;
}

/* Find the node by its name, or make room for it while there is any. */
static bool take_node(struct model *m, const json_t *record)
{
    struct model_node *node = NULL;
    const char *raw = json_string_value(json_object_get(record, "node"));
    char *name = model_clean(raw ? raw : "");
    for (size_t i = 0; i < m->n_nodes && !node; i++)
        if (strcmp(m->nodes[i].node, name) == 0)
            node = &m->nodes[i];
    free(name);
    if (!node && m->n_nodes == MODEL_NODES)
        return false;
    if (!node)
        node = &m->nodes[m->n_nodes++];
    fill(node, METRICS_NODE, record);
    series_add(&node->lines_passed, node->time, node->lines_in);
    return true;
}

/* A file that is done was claimed before: it stands in the list once, with its last event. */
static bool take_file(struct model *m, const json_t *record)
{
    struct model_file file = {0};
    fill(&file, METRICS_FILE, record);
    for (size_t i = 0; i < m->n_files; i++) {
        const char *event = m->files[i].event;
        bool open = strcmp(event, "claimed") == 0 || strcmp(event, "retried") == 0;
        if (!open || strcmp(m->files[i].name, file.name) != 0)
            continue;
        empty(&m->files[i], sizeof m->files[i], METRICS_FILE);
        m->n_files--;
        memmove(&m->files[i], &m->files[i + 1], (m->n_files - i) * sizeof file);
        memset(&m->files[m->n_files], 0, sizeof file);
        break;
    }
    struct model_file *to =
        push_front(m->files, sizeof file, &m->n_files, MODEL_FILES, METRICS_FILE);
    *to = file;
    return true;
}

/* A supervisor says the last errors again to whoever attaches: the same one twice is one. */
static bool take_error(struct model *m, const json_t *record)
{
    struct model_error error = {0};
    fill(&error, METRICS_ERROR, record);
    for (size_t i = 0; i < m->n_errors; i++) {
        if (m->errors[i].time == error.time && strcmp(m->errors[i].text, error.text) == 0) {
            empty(&error, sizeof error, METRICS_ERROR);
            return false;
        }
    }
    struct model_error *to =
        push_front(m->errors, sizeof error, &m->n_errors, MODEL_ERRORS, METRICS_ERROR);
    *to = error;
    return true;
}

/* The hops as one line of text: what is not [text, text, number] is left out. */
static char *path_text(const json_t *path)
{
    struct buf b = {0};
    for (size_t i = 0; i < json_array_size(path); i++) {
        const json_t *hop = json_array_get(path, i);
        const char *from = json_string_value(json_array_get(hop, 0));
        const char *to = json_string_value(json_array_get(hop, 1));
        if (from && to)
            buf_addf(&b, "%s%s -> %s %.0f", b.len ? ", " : "", from, to,
                     json_number_value(json_array_get(hop, 2)));
    }
    char *clean = model_clean(buf_str(&b));
    buf_free(&b);
    return clean;
}

/* The path is no field of the table: it is a list, and is kept as the text that is shown. */
static bool take_trace(struct model *m, const json_t *record)
{
    if (m->n_traces == MODEL_TRACES)
        free(m->traces[MODEL_TRACES - 1].path);
    struct model_trace *to =
        push_front(m->traces, sizeof *to, &m->n_traces, MODEL_TRACES, METRICS_TRACE);
    fill(to, METRICS_TRACE, record);
    to->path = path_text(json_object_get(record, "path"));
    return true;
}

bool model_take(struct model *m, const json_t *record)
{
    static const struct {
        const char *type;
        bool (*take)(struct model *, const json_t *);
    } takers[] = {
        {METRICS_QUEUE, take_queue}, {METRICS_NODE, take_node},   {METRICS_FILE, take_file},
        {METRICS_ERROR, take_error}, {METRICS_TRACE, take_trace},
    };
    const char *type = json_string_value(json_object_get(record, "type"));
    double time = json_number_value(json_object_get(record, "time"));
    if (!type)
        return false;
    if (time > m->time)
        m->time = time;
    for (size_t i = 0; i < sizeof takers / sizeof *takers; i++)
        if (strcmp(takers[i].type, type) == 0)
            return takers[i].take(m, record);
    return false;
}

void model_free(struct model *m)
{
    empty(&m->queue, sizeof m->queue, METRICS_QUEUE);
    for (size_t i = 0; i < m->n_nodes; i++)
        empty(&m->nodes[i], sizeof m->nodes[i], METRICS_NODE);
    for (size_t i = 0; i < m->n_files; i++)
        empty(&m->files[i], sizeof m->files[i], METRICS_FILE);
    for (size_t i = 0; i < m->n_errors; i++)
        empty(&m->errors[i], sizeof m->errors[i], METRICS_ERROR);
    for (size_t i = 0; i < m->n_traces; i++) {
        free(m->traces[i].path);
        empty(&m->traces[i], sizeof m->traces[i], METRICS_TRACE);
    }
    memset(m, 0, sizeof *m);
}
