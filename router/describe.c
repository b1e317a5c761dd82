/* SPDX-License-Identifier: MIT */
/* A flow and its accounts, written down. */
#include "describe.h"
#include "sandbox.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static void json_key(struct buf *to, const char *key)
{
    if (to->len && !strchr("{[", to->data[to->len - 1]))
        buf_addc(to, ',');
    if (key)
        buf_addf(to, "\"%s\":", key);
}

static void json_string(struct buf *to, const char *key, const char *value)
{
    json_key(to, key);
    text_json(to, value, strlen(value));
}

static void json_number(struct buf *to, const char *key, uint64_t value)
{
    json_key(to, key);
    buf_addf(to, "%" PRIu64, value);
}

static void json_bool(struct buf *to, const char *key, bool value)
{
    json_key(to, key);
    buf_adds(to, value ? "true" : "false");
}

static void json_open(struct buf *to, const char *key, char bracket)
{
    json_key(to, key);
    buf_addc(to, bracket);
}

/* ---- --check ---- */

static void describe_cycles(const struct graph *g, struct buf *to)
{
    const struct flow *f = g->flow;
    for (size_t s = 1; s <= g->ncomponents; s++) {
        const struct stage *st = &g->stages[s];
        if (!st->cyclic)
            continue;
        buf_adds(to, "cycle:");
        for (size_t i = 0; i < st->nnodes; i++)
            buf_addf(to, " %s", f->nodes[st->nodes[i]].tag);
        buf_addf(to, "; ends when no line circles, fails after max-rounds %ld\n", f->max_rounds);
    }
}

static const char *dest_name(const struct graph *g, size_t dest)
{
    if (dest < g->flow->nnodes)
        return g->flow->nodes[dest].tag;
    for (size_t i = 0; i < g->flow->nsinks; i++)
        if (g->outlet_of[i] == dest)
            return g->flow->sinks[i].tag;
    return "?";
}

static void describe_mute(const struct graph *g, size_t dest, struct buf *to)
{
    const struct flow *f = g->flow;
    buf_addf(to, "order of %s: epoch", dest_name(g, dest));
    if (f->order == ORDER_EPOCH) {
        buf_adds(to, ", as set\n");
        return;
    }
    size_t blame = g->stages[graph_stage(g, dest)].blame;
    const struct node *n = &f->nodes[blame];
    bool cyclic = g->stages[g->stage_of[blame]].cyclic;
    bool counts = n->map || n->card;
    buf_addf(to, ", because %s (line %d) %s\n", n->tag, n->line,
             !counts  ? "does not tell what came out of each line; a library filter or [map] does"
             : cyclic ? "keeps state in a cycle, or shares one with a node that does not tell"
                      : "comes behind a meeting of lines that is ordered so");
}

static void describe_sandboxes(const struct flow *f, struct buf *to)
{
    const char *why;
    bool any = false;
    for (size_t i = 0; i < f->nnodes; i++)
        if (f->nodes[i].terms.sandbox) {
            buf_addf(to, "%s %s", any ? "" : "sandbox:", f->nodes[i].tag);
            any = true;
        }
    if (any)
        buf_addf(to, "; by seccomp and version %d of Landlock\n", sandbox_abi(&why));
}

static void describe_checkpoints(const struct flow *f, struct buf *to)
{
    const struct node *n = save_hindrance(f);
    if (n)
        buf_addf(to,
                 "checkpoints: none, because %s (line %d) %s; after a crash a file begins again\n",
                 n->tag, n->line,
                 n->kind == NODE_COMMAND ? "runs to the end of a file"
                                         : "is neither stateless nor able to save its state");
}

void describe_check(const struct graph *g, struct buf *to)
{
    const struct flow *f = g->flow;
    text_escape(to, f->path, strlen(f->path));
    buf_addf(to, ": good: %zu node%s, %zu sink%s\n", f->nnodes, f->nnodes == 1 ? "" : "s",
             f->nsinks, f->nsinks == 1 ? "" : "s");
    describe_cycles(g, to);
    describe_sandboxes(f, to);
    describe_checkpoints(f, to);
    if (graph_line_order(g))
        buf_adds(to, "order: line\n");
    for (size_t d = 0; d < g->ndests; d++)
        if (g->stages[graph_stage(g, d)].merge == MERGE_EPOCH)
            describe_mute(g, d, to);
}

/* ---- --graph and --json ---- */

static void dot_string(struct buf *to, const char *s)
{
    struct buf b = {0};
    text_escape(&b, s, strlen(s));
    for (size_t i = 0; i < b.len; i++) {
        if (b.data[i] == '"' || b.data[i] == '\\')
            buf_addc(to, '\\');
        buf_addc(to, b.data[i]);
    }
    buf_free(&b);
}

static void dot_node(const struct flow *f, size_t i, struct buf *to)
{
    const struct node *n = &f->nodes[i];
    buf_addf(to, "  \"%s\" [label=\"%s\\n", n->tag, n->tag);
    for (size_t j = 0; n->argv[j]; j++) {
        buf_addc(to, j ? ' ' : n->kind == NODE_COMMAND ? '|' : ':');
        buf_adds(to, j ? "" : " ");
        dot_string(to, n->argv[j]);
    }
    buf_adds(to, "\"];\n");
    for (size_t j = 0; j < n->nnext; j++)
        buf_addf(to, "  \"%s\" -> \"%s\"%s;\n", n->tag, n->next_tags[j], j ? "" : " [style=bold]");
}

void describe_dot(const struct graph *g, struct buf *to)
{
    const struct flow *f = g->flow;
    buf_adds(to, "digraph flow {\n  rankdir=LR;\n  node [shape=box];\n");
    for (size_t i = 0; i < f->nnodes; i++)
        dot_node(f, i, to);
    for (size_t i = 0; i < f->nsinks; i++) {
        buf_addf(to, "  \"%s\" [shape=note, label=\"%s\\n=> ", f->sinks[i].tag, f->sinks[i].tag);
        dot_string(to, f->sinks[i].file ? f->sinks[i].file : "null");
        buf_adds(to, "\"];\n");
    }
    buf_adds(to, "}\n");
}

static void json_strings(struct buf *to, const char *key, char *const *list, size_t n)
{
    json_open(to, key, '[');
    for (size_t i = 0; i < n; i++)
        json_string(to, NULL, list[i]);
    buf_addc(to, ']');
}

/* NULL-terminated, or NULL. */
static void json_list(struct buf *to, const char *key, char *const *list)
{
    size_t n = 0;
    while (list && list[n])
        n++;
    json_strings(to, key, list, n);
}

static void json_node(const struct node *n, struct buf *to)
{
    json_open(to, NULL, '{');
    json_string(to, "tag", n->tag);
    json_number(to, "line", (uint64_t)n->line);
    json_string(to, "kind", n->kind == NODE_FILTER ? ":" : "|");
    json_list(to, "command", n->argv);
    json_strings(to, "next", n->next_tags, n->nnext);
    json_bool(to, "stateless", n->stateless);
    json_bool(to, "map", n->map);
    json_number(to, "jobs", n->jobs);
    json_number(to, "timeout_ms", (uint64_t)n->timeout_ms);
    json_open(to, "ok", '[');
    for (uint64_t i = 0; i < 256; i++)
        if (n->ok[i / 8] & 1 << i % 8)
            json_number(to, NULL, i);
    buf_addc(to, ']');
    json_number(to, "cpu", (uint64_t)n->terms.cpu);
    json_number(to, "mem", n->terms.memory);
    json_number(to, "files", (uint64_t)n->terms.files);
    json_list(to, "env", n->terms.env);
    json_bool(to, "sandbox", n->terms.sandbox);
    json_list(to, "read", n->terms.read);
    buf_addc(to, '}');
}

void describe_json(const struct flow *f, struct buf *to)
{
    static const char *const orders[] = {"auto", "line", "epoch"};
    buf_addc(to, '{');
    json_string(to, "flow", f->path);
    json_open(to, "set", '{');
    json_number(to, "max-line", f->max_line);
    json_number(to, "max-rounds", (uint64_t)f->max_rounds);
    json_number(to, "epoch", f->epoch);
    json_number(to, "memory", f->memory);
    json_number(to, "unpack", f->unpack);
    json_string(to, "order", orders[f->order]);
    buf_addc(to, '}');
    json_open(to, "nodes", '[');
    for (size_t i = 0; i < f->nnodes; i++)
        json_node(&f->nodes[i], to);
    buf_addc(to, ']');
    json_open(to, "sinks", '[');
    for (size_t i = 0; i < f->nsinks; i++) {
        json_open(to, NULL, '{');
        json_string(to, "tag", f->sinks[i].tag);
        json_number(to, "line", (uint64_t)f->sinks[i].line);
        if (f->sinks[i].file) {
            json_string(to, "file", f->sinks[i].file);
        } else {
            json_key(to, "file");
            buf_adds(to, "null");
        }
        buf_addc(to, '}');
    }
    buf_adds(to, "]}\n");
}

/* ---- accounts ---- */

void describe_summary(const struct flow *f, const char *name, const struct task *t, struct buf *to)
{
    const struct job *job = t->job;
    text_escape(to, name, strlen(name));
    buf_addf(to, ": in %" PRIu64 " lines %" PRIu64 " bytes", job->input.lines, job->input.bytes);
    for (size_t i = 0; i < f->nnodes; i++)
        buf_addf(to, "; %s %" PRIu64 " -> %" PRIu64, f->nodes[i].tag, job->nodes[i].lines_in,
                 job->nodes[i].lines_out);
    for (size_t i = 0; i < f->nsinks; i++)
        buf_addf(to, "; => %s %" PRIu64 " lines %" PRIu64 " bytes", f->sinks[i].tag,
                 job->sinks[i].lines, job->sinks[i].bytes);
    buf_addf(to, "; %.3f s", now_seconds() - t->began);
}

void describe_ready(const struct graph *g, struct buf *to)
{
    const struct flow *f = g->flow;
    buf_addc(to, '{');
    json_bool(to, "ready", true);
    json_string(to, "order", graph_line_order(g) ? "line" : "epoch");
    json_open(to, "nodes", '[');
    for (size_t i = 0; i < f->nnodes; i++)
        json_string(to, NULL, f->nodes[i].tag);
    buf_addc(to, ']');
    json_open(to, "sinks", '[');
    for (size_t i = 0; i < f->nsinks; i++)
        json_string(to, NULL, f->sinks[i].tag);
    buf_adds(to, "]}\n");
}

static void json_account(struct engine *e, size_t i, const struct account *a, bool usage,
                         struct buf *to)
{
    json_open(to, NULL, '{');
    json_string(to, "node", e->flow->nodes[i].tag);
    json_number(to, "lines_in", a->lines_in);
    json_number(to, "bytes_in", a->bytes_in);
    json_number(to, "lines_out", a->lines_out);
    json_number(to, "bytes_out", a->bytes_out);
    json_number(to, "dropped", a->dropped);
    json_number(to, "errors", a->errors);
    if (usage) {
        double cpu;
        uint64_t memory, restarts;
        engine_usage(e, i, &cpu, &memory, &restarts);
        json_key(to, "cpu");
        buf_addf(to, "%.2f", cpu);
        json_number(to, "memory", memory);
        json_number(to, "restarts", restarts);
    }
    buf_addc(to, '}');
}

static void json_accounts(struct engine *e, const struct task *t, bool usage, struct buf *to)
{
    const struct job *job = t->job;
    json_number(to, "lines", job ? job->input.lines : 0);
    json_number(to, "bytes", job ? job->input.bytes : 0);
    json_key(to, "seconds");
    buf_addf(to, "%.6f", t->opened ? now_seconds() - t->began : 0);
    json_open(to, "nodes", '[');
    for (size_t i = 0; job && i < e->flow->nnodes; i++)
        json_account(e, i, &job->nodes[i], usage, to);
    buf_addc(to, ']');
}

static void json_sinks(const struct engine *e, const struct task *t, struct buf *to)
{
    const struct flow *f = e->flow;
    json_open(to, "sinks", '[');
    for (size_t i = 0; i < f->nsinks; i++) {
        json_open(to, NULL, '{');
        json_string(to, "tag", f->sinks[i].tag);
        json_key(to, "file");
        if (e->graph->outlet_of[i] == NOWHERE) {
            buf_adds(to, "null");
        } else {
            const struct buf *name = &t->out.names[e->graph->outlet_of[i] - f->nnodes];
            buf_addc(to, '"');
            text_percent(to, name->data, name->len);
            buf_addc(to, '"');
        }
        json_number(to, "lines", t->job->sinks[i].lines);
        json_number(to, "bytes", t->job->sinks[i].bytes);
        buf_addc(to, '}');
    }
    buf_addc(to, ']');
}

static void json_trace(const struct engine *e, const struct job *job, struct buf *to)
{
    enum { MOST = 200 };
    json_open(to, "trace", '{');
    json_key(to, "text");
    text_json(to, job->traced.data, job->traced.len < MOST ? job->traced.len : MOST);
    json_open(to, "path", '[');
    for (size_t i = 0; i < job->nhops; i++) {
        const struct hop *h = &job->hops[i];
        json_open(to, NULL, '[');
        json_string(to, NULL, h->from < e->flow->nnodes ? e->flow->nodes[h->from].tag : "input");
        json_string(to, NULL, dest_name(e->graph, h->to));
        json_number(to, NULL, h->lines);
        buf_addc(to, ']');
    }
    buf_adds(to, "]}");
}

void describe_done(struct engine *e, const struct task *t, bool usage, struct buf *to)
{
    buf_addc(to, '{');
    json_number(to, "id", t->id);
    json_number(to, "status", 0);
    json_accounts(e, t, usage, to);
    json_sinks(e, t, to);
    if (t->job->nhops)
        json_trace(e, t->job, to);
    buf_adds(to, "}\n");
}

void describe_failed(struct engine *e, const struct task *t, const struct failure *why,
                     struct buf *to)
{
    buf_addc(to, '{');
    json_number(to, "id", t->id);
    json_number(to, "status", (uint64_t)why->status);
    json_key(to, "error");
    text_json(to, why->text.data, why->text.len);
    json_string(to, "node", why->node == NOWHERE ? "" : e->flow->nodes[why->node].tag);
    json_number(to, "line", why->line);
    json_number(to, "first_line", why->first_line);
    json_number(to, "last_line", why->last_line);
    json_key(to, "sample");
    text_json(to, why->sample.data, why->sample.len);
    if (why->ended && WIFEXITED(why->wait_status))
        json_number(to, "exit", (uint64_t)WEXITSTATUS(why->wait_status));
    else if (why->ended)
        json_number(to, "signal", (uint64_t)WTERMSIG(why->wait_status));
    json_number(to, "errno", (uint64_t)why->error);
    json_key(to, "stderr");
    if (why->node != NOWHERE)
        text_json(to, e->procs[why->lane].tail.data, e->procs[why->lane].tail.len);
    else
        buf_adds(to, "\"\"");
    json_accounts(e, t, false, to);
    buf_adds(to, "}\n");
}

void describe_failure(const struct flow *f, const struct failure *why, struct buf *to)
{
    if (why->node != NOWHERE)
        buf_addf(to, "%s: ", f->nodes[why->node].tag);
    if (why->line)
        buf_addf(to, "input line %" PRIu64 ": ", why->line);
    text_escape(to, why->text.data, why->text.len);
}
