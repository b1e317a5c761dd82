/* SPDX-License-Identifier: MIT */
/*
 * The flow parser. Trust: the text is the operator's, but may be any bytes; every problem becomes
 * one line and parsing goes on behind it, so that one run tells all.
 */
#include "flow.h"
#include "attribute.h"
#include "resolve.h"
#include "tagline.h"
#include "text.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEFAULT_TIMEOUT_MS = 5 * 60 * 1000,
    DEFAULT_ROUNDS = 1000,
    DEFAULT_MEMORY = 256 << 20,
    DEFAULT_EPOCH = 256 << 10,
    DEFAULT_UNPACK_TIB = 1,
    EPOCH_PER_WAY = 16 << 10, /* a fence a node costs as much as some 10 KiB of lines */
};

struct word {
    char *text;
    bool quoted; /* any part was: then it is never an operator */
};

/* One logical line, cut into words. */
struct words {
    struct word *list;
    size_t n;
    int line;
};

void problem(struct problems *p, const struct flow *f, int line, const char *format, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    text_escape(&p->text, f->path, strlen(f->path));
    if (line)
        buf_addf(&p->text, ":%d", line);
    buf_adds(&p->text, ": ");
    text_escape(&p->text, text, strlen(text));
    buf_addc(&p->text, '\n');
    p->count++;
}

size_t flow_lane(const struct flow *f, size_t node, size_t copy)
{
    return copy == 0 ? node : f->nodes[node].more_lanes + copy - 1;
}

struct node *flow_node(const struct flow *f, size_t lane)
{
    return &f->nodes[f->lane_node[lane]];
}

static void number_lanes(struct flow *f)
{
    f->nlanes = f->nnodes;
    for (size_t i = 0; i < f->nnodes; i++) {
        f->nodes[i].more_lanes = f->nlanes;
        f->nlanes += f->nodes[i].jobs - 1;
    }
    f->lane_node = xcalloc(f->nlanes, sizeof *f->lane_node);
    for (size_t i = 0; i < f->nnodes; i++)
        for (size_t copy = 0; copy < f->nodes[i].jobs; copy++)
            f->lane_node[flow_lane(f, i, copy)] = i;
}

const char *flow_tag(const struct flow *f, size_t dest)
{
    return dest < f->nnodes ? f->nodes[dest].tag : f->sinks[dest - f->nnodes].tag;
}

void flow_sink_file(const struct sink *sink, const char *name, struct buf *to)
{
    for (const char *s = sink->file; *s; s++) {
        if (*s != '%')
            buf_addc(to, *s);
        else if (*++s == 'f')
            buf_adds(to, name);
        else
            buf_addc(to, '%');
    }
}

/* ---- words ---- */

struct scanner {
    const char *at, *end;
    int line;
    struct flow *flow;
    struct problems *problems;
};

static void add_word(struct words *w, const char *text, size_t n, bool quoted)
{
    w->list = xrealloc(w->list, w->n + 1, sizeof *w->list);
    w->list[w->n++] = (struct word){xstrndup(text, n), quoted};
}

/* A quoted part; the opening quote is behind us. A newline inside counts and stays. */
static void scan_quoted(struct scanner *s, struct buf *word, char quote)
{
    int line = s->line;
    while (s->at < s->end && *s->at != quote) {
        if (quote == '"' && *s->at == '\\' && s->at + 1 < s->end && strchr("\\\"\n", s->at[1])) {
            s->at++;
            s->line += *s->at == '\n';
            if (*s->at != '\n')
                buf_addc(word, *s->at);
            s->at++;
            continue;
        }
        s->line += *s->at == '\n';
        buf_addc(word, *s->at++);
    }
    if (s->at == s->end)
        problem(s->problems, s->flow, line, "a %c quote is never closed", quote);
    else
        s->at++;
}

static bool is_punct(char c)
{
    return c == ':' || c == '|' || c == '[' || c == ']';
}

/* One word. Before the command, the punctuation of the flow language is a word of its own. */
static void scan_word(struct scanner *s, struct words *w, bool in_command)
{
    struct buf word = {0};
    bool quoted = false;
    if (!in_command && is_punct(*s->at)) {
        add_word(w, s->at++, 1, false);
        return;
    }
    if (!in_command && s->at + 1 < s->end && (*s->at == '-' || *s->at == '=') && s->at[1] == '>') {
        add_word(w, s->at, 2, false);
        s->at += 2;
        return;
    }
    while (s->at < s->end && !strchr(" \t\r\n", *s->at)) {
        char c = *s->at;
        if (!in_command &&
            (is_punct(c) || (s->at + 1 < s->end && (c == '-' || c == '=') && s->at[1] == '>')))
            break;
        s->at++;
        if (c == '\'' || c == '"') {
            quoted = true;
            scan_quoted(s, &word, c);
        } else if (c == '\\' && s->at < s->end) {
            if (*s->at == '\n') {
                s->line++;
                s->at++;
                continue;
            }
            quoted = true;
            buf_addc(&word, *s->at++);
        } else {
            buf_addc(&word, c);
        }
    }
    if (word.len || quoted)
        add_word(w, word.len ? word.data : "", word.len, quoted);
    buf_free(&word);
}

static bool is_op(const struct words *w, size_t i, const char *op)
{
    return i < w->n && !w->list[i].quoted && strcmp(w->list[i].text, op) == 0;
}

/* The words of the next logical line; false at the end of the text. */
static bool scan_line(struct scanner *s, struct words *w)
{
    bool command = false, arrow = false;
    *w = (struct words){.line = s->line};
    if (s->at == s->end)
        return false;
    while (s->at < s->end && *s->at != '\n') {
        if (strchr(" \t\r", *s->at)) {
            s->at++;
        } else if (*s->at == '\\' && s->at + 1 < s->end && s->at[1] == '\n') {
            s->line++;
            s->at += 2;
        } else if (*s->at == '#') {
            while (s->at < s->end && *s->at != '\n')
                s->at++;
        } else {
            if (w->n == 0)
                w->line = s->line;
            scan_word(s, w, command);
            arrow =
                arrow || (w->n && is_op(w, w->n - 1, "->")) || (w->n && is_op(w, w->n - 1, "=>"));
            command = command || (arrow && (is_op(w, w->n - 1, ":") || is_op(w, w->n - 1, "|") ||
                                            is_op(w, w->n - 1, "=>")));
        }
    }
    if (s->at < s->end) {
        s->at++;
        s->line++;
    }
    return true;
}

static void free_words(struct words *w)
{
    for (size_t i = 0; i < w->n; i++)
        free(w->list[i].text);
    free(w->list);
}

/* ---- one line ---- */

static void check_tag(struct flow *f, struct problems *p, int line, const char *tag)
{
    if (!tl_is_tag(tag, strlen(tag)))
        problem(p, f, line,
                "\"%s\" is not a tag; write a letter or _, then up to %d of A-Z a-z 0-9 _ . -", tag,
                TL_TAG_MAX - 1);
}

/* Everything behind the command's ":" or "|". */
static void parse_command(struct flow *f, struct problems *p, struct node *node,
                          const struct words *w, size_t i)
{
    node->argv = xcalloc(w->n - i + 1, sizeof *node->argv);
    for (size_t n = 0; i < w->n; i++) {
        const char *text = w->list[i].text;
        if (!w->list[i].quoted && strlen(text) == 1 && strchr("|<>&;", *text))
            problem(p, f, node->line, "%s is not for shells; write sh -c '... %s ...', or quote it",
                    text, text);
        node->argv[n++] = xstrdup(text);
    }
    if (!node->argv[0] || !*node->argv[0])
        problem(p, f, node->line, "%s has no command; write %s -> ... : COMMAND", node->tag,
                node->tag);
}

/* TAG [attributes] -> TAG... : COMMAND */
static void parse_node(struct flow *f, struct problems *p, const struct words *w)
{
    f->nodes = xrealloc(f->nodes, f->nnodes + 1, sizeof *f->nodes);
    struct node *node = &f->nodes[f->nnodes++];
    *node = (struct node){
        .tag = xstrdup(w->list[0].text), .line = w->line, .jobs = 1, .timeout_ms = -1, .ok = {1}};
    check_tag(f, p, w->line, node->tag);
    size_t i = 1;
    if (is_op(w, i, "[")) {
        for (i++; i < w->n && !is_op(w, i, "]") && !is_op(w, i, "->"); i++)
            attribute_parse(f, p, node, w->list[i].text);
        if (is_op(w, i, "]"))
            i++;
        else
            problem(p, f, w->line, "[ is never closed");
    }
    if (!is_op(w, i, "->")) {
        problem(p, f, w->line, "-> is missing; write TAG -> TAG... : COMMAND");
        node->argv = xcalloc(1, sizeof *node->argv);
        return;
    }
    for (i++; i < w->n && !is_op(w, i, ":") && !is_op(w, i, "|"); i++) {
        check_tag(f, p, w->line, w->list[i].text);
        node->next_tags = xrealloc(node->next_tags, node->nnext + 1, sizeof *node->next_tags);
        node->next_tags[node->nnext++] = xstrdup(w->list[i].text);
    }
    if (node->nnext == 0)
        problem(p, f, w->line, "%s goes nowhere; write %s -> TAG... : COMMAND", node->tag,
                node->tag);
    node->kind = is_op(w, i, "|") ? NODE_COMMAND : NODE_FILTER;
    node->terms.renewed = node->kind == NODE_FILTER;
    if (node->timeout_ms < 0)
        node->timeout_ms = node->kind == NODE_FILTER ? DEFAULT_TIMEOUT_MS : 0;
    parse_command(f, p, node, w, i < w->n ? i + 1 : i);
    attribute_check(f, p, node);
    if (node->kind == NODE_COMMAND && node->nnext > 1)
        problem(p, f, w->line, "what a | command prints goes to %s alone; take %s away, or use :",
                node->next_tags[0], node->next_tags[1]);
}

/* TAG => FILE */
static void parse_sink(struct flow *f, struct problems *p, const struct words *w)
{
    struct sink sink = {.tag = xstrdup(w->list[0].text), .line = w->line};
    check_tag(f, p, w->line, sink.tag);
    const char *file = w->n == 3 ? w->list[2].text : "";
    if (w->n != 3)
        problem(p, f, w->line, "a sink has one file; write %s => FILE", sink.tag);
    else if (!*file || strchr(file, '/') || strcmp(file, ".") == 0 || strcmp(file, "..") == 0)
        problem(p, f, w->line, "\"%s\" is not a file name; write one without /", file);
    for (const char *s = strchr(file, '%'); s; s = s[1] ? strchr(s + 2, '%') : NULL)
        if (s[1] != 'f' && s[1] != '%')
            problem(p, f, w->line, "\"%s\": after %% comes f (the input's name) or %%", file);
    if (w->n == 3 && (w->list[2].quoted || strcmp(file, "null") != 0))
        sink.file = xstrdup(file);
    f->sinks = xrealloc(f->sinks, f->nsinks + 1, sizeof *f->sinks);
    f->sinks[f->nsinks++] = sink;
}

/* set NAME VALUE */
static void parse_set(struct flow *f, struct problems *p, const struct words *w)
{
    const char *name = w->n > 1 ? w->list[1].text : "";
    const char *value = w->n > 2 ? w->list[2].text : "";
    struct {
        const char *name;
        size_t *size;
    } sizes[] = {{"max-line", &f->max_line}, {"epoch", &f->epoch}, {"memory", &f->memory}};
    if (w->n != 3) {
        problem(p, f, w->line, "write set NAME VALUE");
        return;
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (strcmp(name, sizes[i].name) == 0) {
            if (!text_size(value, sizes[i].size) || *sizes[i].size > (size_t)1 << 40)
                problem(p, f, w->line, "\"%s\" is not a size; write set %s 64M", value, name);
            return;
        }
    if (strcmp(name, "max-rounds") == 0) {
        if (!text_number(value, 1, INT_MAX, &f->max_rounds))
            problem(p, f, w->line, "\"%s\" is not a number; write set max-rounds 1000", value);
    } else if (strcmp(name, "unpack") == 0) {
        if (strcmp(value, "no") == 0)
            f->unpack = 0;
        else if (!text_size(value, &f->unpack))
            problem(p, f, w->line, "\"%s\" is neither a size nor no; write set unpack 100G", value);
    } else if (strcmp(name, "order") == 0) {
        f->order = strcmp(value, "line") == 0 ? ORDER_LINE : ORDER_EPOCH;
        if (f->order == ORDER_EPOCH && strcmp(value, "epoch") != 0)
            problem(p, f, w->line, "set order %s: write line or epoch", value);
    } else
        problem(p, f, w->line,
                "set %s: there are max-line, max-rounds, epoch, memory, order, unpack", name);
}

static void parse_line(struct flow *f, struct problems *p, const struct words *w)
{
    bool node = is_op(w, 1, "->") || is_op(w, 1, "[");
    if (w->n == 0)
        return;
    if (is_op(w, 1, "=>"))
        parse_sink(f, p, w);
    else if (!node && strcmp(w->list[0].text, "set") == 0)
        parse_set(f, p, w);
    else if (node)
        parse_node(f, p, w);
    else
        problem(p, f, w->line,
                "\"%s\" begins neither TAG -> TAG... : COMMAND nor TAG => FILE nor set NAME VALUE",
                w->list[0].text);
}

/* ---- the whole ---- */

/* Enough for each of the ways on which the lines of an epoch may part. */
static size_t default_epoch(const struct flow *f)
{
    size_t ways = 1;
    for (size_t i = 0; i < f->nnodes; i++)
        ways += f->nodes[i].nnext ? f->nodes[i].nnext - 1 : 0;
    return ways * EPOCH_PER_WAY > DEFAULT_EPOCH ? ways * EPOCH_PER_WAY : DEFAULT_EPOCH;
}

struct flow *flow_parse(const char *path, const char *text, size_t len, struct problems *problems)
{
    struct flow *f = xcalloc(1, sizeof *f);
    *f =
        (struct flow){.path = xstrdup(path), .max_line = TL_LINE_MAX, .max_rounds = DEFAULT_ROUNDS};
    f->unpack = (size_t)DEFAULT_UNPACK_TIB << 40;
    f->memory = DEFAULT_MEMORY;
    struct scanner s = {text, text + len, 1, f, problems};
    struct words w;
    if (memchr(text, '\0', len)) {
        problem(problems, f, 0, "is not text: it holds a NUL byte");
        number_lanes(f);
        return f;
    }
    while (scan_line(&s, &w)) {
        parse_line(f, problems, &w);
        free_words(&w);
    }
    if (!f->epoch)
        f->epoch = default_epoch(f);
    resolve_names(f, problems);
    number_lanes(f);
    return f;
}

void flow_free(struct flow *f)
{
    for (size_t i = 0; i < f->nnodes; i++) {
        struct node *node = &f->nodes[i];
        for (size_t j = 0; node->argv && node->argv[j]; j++)
            free(node->argv[j]);
        for (size_t j = 0; j < node->nnext; j++)
            free(node->next_tags[j]);
        attribute_free(node);
        free(node->argv);
        free(node->next_tags);
        free(node->next);
        free(node->tag);
    }
    for (size_t i = 0; i < f->nsinks; i++) {
        free(f->sinks[i].tag);
        free(f->sinks[i].file);
    }
    free(f->lane_node);
    free(f->nodes);
    free(f->sinks);
    free(f->path);
    free(f);
}
