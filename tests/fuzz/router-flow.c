/* SPDX-License-Identifier: MIT */
/* A flow file: any bytes are either a flow or problems, each with its place, and a flow can be
 * analysed and shown. */
#include "../../router/describe.h"
#include "../../router/graph.h"
#include "fuzz.h"

/* Every problem is a line "flow:NUMBER: what" or "flow: what", and nothing in it can harm a
 * terminal. */
static void must_be_lines(struct problems *p)
{
    size_t lines = 0;
    const char *line = buf_str(&p->text);
    for (const char *nl; (nl = strchr(line, '\n')); line = nl + 1, lines++) {
        MUST(strncmp(line, "flow:", 5) == 0 && nl - line > 8);
        for (const char *c = line; c < nl; c++)
            MUST((unsigned char)*c >= ' ' && *c != 127);
    }
    MUST(*line == '\0' && lines == p->count);
}

static void show(const struct flow *f, const struct graph *g)
{
    struct buf b = {0};
    describe_check(g, &b);
    describe_dot(g, &b);
    describe_json(f, &b);
    for (size_t i = 0; i < f->nsinks; i++)
        if (f->sinks[i].file)
            flow_sink_file(&f->sinks[i], "a name", &b);
    buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct problems p = {0};
    struct flow *f = flow_parse("flow", size ? (const char *)data : "", size, &p);
    for (size_t i = 0; i < 4 && !p.count; i++) {
        struct graph *g = graph_new(f, i & 1, i & 2);
        graph_check(g, &p);
        if (!p.count)
            show(f, g);
        graph_free(g);
    }
    must_be_lines(&p);
    buf_free(&p.text);
    flow_free(f);
    return 0;
}
