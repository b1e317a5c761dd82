/* SPDX-License-Identifier: MIT */
/* Workers' answers. Trust: a worker is our program, but it may be killed in the middle of a line;
 * what is no whole answer is refused, and a file name in it is checked before it becomes a path. */
#include "reply.h"
#include "buf.h"
#include "names.h"
#include "text.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* A text; a NUL in it becomes \x00, as bytes that are not UTF-8 came already. */
static char *text_of(const json_t *object, const char *key)
{
    const json_t *text = json_object_get(object, key);
    const char *s = json_string_value(text);
    size_t n = json_string_length(text);
    struct buf b = {0};
    for (size_t at = 0; at < n;) {
        size_t part = strnlen(s + at, n - at);
        buf_add(&b, s + at, part);
        at += part;
        if (at++ < n)
            buf_adds(&b, "\\x00");
    }
    buf_str(&b);
    return b.data;
}

static int64_t number_of(const json_t *object, const char *key, int64_t otherwise)
{
    const json_t *n = json_object_get(object, key);
    return json_is_integer(n) ? json_integer_value(n) : otherwise;
}

static void read_node(struct reply_node *node, const json_t *from)
{
    if (json_is_string(from)) { /* of the first line */
        node->node = xstrdup(json_string_value(from));
        return;
    }
    node->node = text_of(from, "node");
    node->lines_in = number_of(from, "lines_in", 0);
    node->bytes_in = number_of(from, "bytes_in", 0);
    node->lines_out = number_of(from, "lines_out", 0);
    node->bytes_out = number_of(from, "bytes_out", 0);
    node->dropped = number_of(from, "dropped", 0);
    node->errors = number_of(from, "errors", 0);
    node->restarts = number_of(from, "restarts", 0);
    node->memory = number_of(from, "memory", -1);
    node->cpu = json_number_value(json_object_get(from, "cpu"));
}

static void read_nodes(struct reply *r, const json_t *nodes)
{
    size_t i;
    json_t *node;
    r->nodes = xcalloc(json_array_size(nodes), sizeof *r->nodes);
    json_array_foreach(nodes, i, node) read_node(&r->nodes[r->nnodes++], node);
}

/* A file name that is safe to put behind a folder. */
static bool is_name(const char *file)
{
    size_t n = strlen(file);
    return n >= 1 && n <= NAME_BYTES && !strchr(file, '/') && strcmp(file, ".") != 0 &&
           strcmp(file, "..") != 0;
}

static bool read_sink(struct reply_sink *sink, const json_t *from)
{
    const json_t *file = json_object_get(from, "file");
    sink->tag = text_of(from, "tag");
    sink->lines = number_of(from, "lines", 0);
    sink->bytes = number_of(from, "bytes", 0);
    if (!json_is_string(file))
        return json_is_null(file);
    sink->file = xstrdup(json_string_value(file));
    return text_unpercent(sink->file) && is_name(sink->file);
}

static bool read_sinks(struct reply *r, const json_t *sinks)
{
    size_t i;
    json_t *sink;
    r->sinks = xcalloc(json_array_size(sinks), sizeof *r->sinks);
    json_array_foreach(sinks, i, sink) if (!read_sink(&r->sinks[r->nsinks++], sink)) return false;
    return true;
}

static void read_trace(struct reply *r, const json_t *trace)
{
    if (!json_is_object(trace))
        return;
    r->trace_text = text_of(trace, "text");
    char *path = json_dumps(json_object_get(trace, "path"), JSON_COMPACT);
    r->trace_path = xstrdup(path ? path : "[]");
    free(path);
}

static bool read_job(struct reply *r, const json_t *answer, const char **why)
{
    const json_t *id = json_object_get(answer, "id");
    const json_t *status = json_object_get(answer, "status");
    if (!json_is_integer(id) || !json_is_integer(status)) {
        *why = "it has no id or no status";
        return false;
    }
    r->id = json_integer_value(id);
    r->status = (int)json_integer_value(status);
    r->lines = number_of(answer, "lines", 0);
    r->bytes = number_of(answer, "bytes", 0);
    r->line = number_of(answer, "line", 0);
    r->first_line = number_of(answer, "first_line", 0);
    r->last_line = number_of(answer, "last_line", 0);
    r->number = (int)number_of(answer, "errno", 0);
    r->exit = (int)number_of(answer, "exit", -1);
    r->signal = (int)number_of(answer, "signal", -1);
    r->seconds = json_number_value(json_object_get(answer, "seconds"));
    read_nodes(r, json_object_get(answer, "nodes"));
    read_trace(r, json_object_get(answer, "trace"));
    if (r->status != 0 || read_sinks(r, json_object_get(answer, "sinks")))
        return true;
    *why = "a sink in it has no usable file name";
    return false;
}

bool reply_parse(struct reply *r, const char *line, size_t n, const char **why)
{
    *r = (struct reply){0};
    json_t *answer = json_loadb(line, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    if (!json_is_object(answer)) {
        *why = "it is not a JSON object";
        json_decref(answer);
        return false;
    }
    r->error = text_of(answer, "error");
    r->node = text_of(answer, "node");
    r->errors = text_of(answer, "stderr");
    r->sample = text_of(answer, "sample");
    r->ready = json_is_true(json_object_get(answer, "ready"));
    bool good = true;
    if (r->ready)
        read_nodes(r, json_object_get(answer, "nodes"));
    else
        good = read_job(r, answer, why);
    json_decref(answer);
    return good;
}

void reply_free(struct reply *r)
{
    for (size_t i = 0; i < r->nnodes; i++)
        free(r->nodes[i].node);
    for (size_t i = 0; i < r->nsinks; i++) {
        free(r->sinks[i].tag);
        free(r->sinks[i].file);
    }
    free(r->nodes);
    free(r->sinks);
    free(r->error);
    free(r->node);
    free(r->errors);
    free(r->sample);
    free(r->trace_text);
    free(r->trace_path);
    *r = (struct reply){0};
}
