/* SPDX-License-Identifier: MIT */
/* What the tags of a flow name. A hash makes that as quick for a thousand of them as for a few. */
#include "resolve.h"
#include "set.h"
#include "tagline.h"

#include <string.h>

/* The number of each destination by its tag; of a tag of two, the first. Nodes win over sinks. */
static struct set index_tags(const struct flow *f)
{
    struct set tags = {0};
    for (size_t i = 0; i < f->nnodes + f->nsinks; i++) {
        struct set_item *item = set_add(&tags, flow_tag(f, i), strlen(flow_tag(f, i)));
        item->count = item->count ? item->count : i + 1;
    }
    return tags;
}

/* The destination with this tag, or SIZE_MAX. */
static size_t find(struct set *tags, const char *tag)
{
    return (size_t)set_add(tags, tag, strlen(tag))->count - 1;
}

static int line_of(const struct flow *f, size_t dest)
{
    return dest < f->nnodes ? f->nodes[dest].line : f->sinks[dest - f->nnodes].line;
}

static void check_duplicates(const struct flow *f, struct problems *p, struct set *tags)
{
    struct set files = {0};
    for (size_t i = 1; i < f->nnodes + f->nsinks; i++) {
        size_t first = find(tags, flow_tag(f, i));
        int one = line_of(f, first), other = line_of(f, i);
        if (first < i)
            problem(p, f, one > other ? one : other,
                    "%s stands in line %d already; a tag has one line", flow_tag(f, i),
                    one < other ? one : other);
    }
    for (size_t i = 0; i < f->nsinks; i++) {
        const struct sink *s = &f->sinks[i];
        struct set_item *item = s->file ? set_add(&files, s->file, strlen(s->file)) : NULL;
        if (item && item->count)
            problem(p, f, s->line, "%s is written by %s in line %d already", s->file,
                    f->sinks[item->count - 1].tag, f->sinks[item->count - 1].line);
        else if (item)
            item->count = i + 1;
    }
    set_clear(&files);
}

static void check_next(const struct flow *f, struct problems *p, struct set *tags, size_t self)
{
    struct node *node = &f->nodes[self];
    struct set named = {0};
    node->next = xcalloc(node->nnext, sizeof *node->next);
    for (size_t i = 0; i < node->nnext; i++) {
        const char *tag = node->next_tags[i];
        node->next[i] = find(tags, tag);
        if (node->next[i] == SIZE_MAX)
            problem(p, f, node->line,
                    "nobody serves %s; write %s -> TAG... : COMMAND or %s => FILE", tag, tag, tag);
        if (node->next[i] == self && i > 0)
            problem(p, f, node->line,
                    "a line that stays %s goes to %s, so %s is never reached; write it first", tag,
                    node->next_tags[0], tag);
        if (set_add(&named, tag, strlen(tag))->count++)
            problem(p, f, node->line, "%s stands twice after ->", tag);
    }
    set_clear(&named);
}

/* An "end" that is named but not served is a sink for the input's name. */
static void add_end(struct flow *f)
{
    bool named = false, served = false;
    for (size_t i = 0; i < f->nnodes; i++)
        for (size_t j = 0; j < f->nodes[i].nnext; j++)
            named = named || strcmp(f->nodes[i].next_tags[j], "end") == 0;
    for (size_t i = 0; i < f->nnodes + f->nsinks; i++)
        served = served || strcmp(flow_tag(f, i), "end") == 0;
    if (!named || served)
        return;
    f->sinks = xrealloc(f->sinks, f->nsinks + 1, sizeof *f->sinks);
    f->sinks[f->nsinks++] = (struct sink){.tag = xstrdup("end"), .file = xstrdup("%f")};
}

void resolve_names(struct flow *f, struct problems *p)
{
    add_end(f);
    struct set tags = index_tags(f);
    check_duplicates(f, p, &tags);
    for (size_t i = 0; i < f->nnodes; i++)
        check_next(f, p, &tags, i);
    f->start = find(&tags, "start");
    set_clear(&tags);
    if (f->start == SIZE_MAX)
        problem(p, f, 0, "start is missing; write start -> TAG... : COMMAND");
}
