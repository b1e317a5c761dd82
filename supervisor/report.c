/* SPDX-License-Identifier: MIT */
/* Accounts and records. Trust: names and texts are any bytes; each record is cut to what a FIFO
 * takes whole. */
#include "report.h"
#include "super.h"
#include "text.h"
#include "times.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SHORT = 1600
}; /* bytes that a text may take in a record: two and the numbers fit PIPE_BUF */

void accounts_init(struct accounts *a, size_t workers)
{
    *a = (struct accounts){.workers = workers};
}

void accounts_free(struct accounts *a)
{
    for (size_t i = 0; i < a->n; i++) {
        free(a->nodes[i].node);
        free(a->nodes[i].memory);
    }
    free(a->nodes);
}

static struct account *account_of(struct accounts *a, const char *node)
{
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->nodes[i].node, node) == 0)
            return &a->nodes[i];
    a->nodes = xrealloc(a->nodes, a->n + 1, sizeof *a->nodes);
    struct account *added = &a->nodes[a->n++];
    *added = (struct account){.node = xstrdup(node),
                              .memory = xcalloc(a->workers, sizeof *added->memory)};
    return added;
}

void accounts_add(struct accounts *a, const struct reply *r, size_t worker)
{
    for (size_t i = 0; i < r->nnodes; i++) {
        const struct reply_node *from = &r->nodes[i];
        struct account *to = account_of(a, from->node);
        to->lines_in += from->lines_in;
        to->bytes_in += from->bytes_in;
        to->lines_out += from->lines_out;
        to->bytes_out += from->bytes_out;
        to->dropped += from->dropped;
        to->errors += from->errors;
        to->restarts += from->restarts;
        to->cpu += from->cpu;
        if (!r->ready && from->memory >= 0)
            to->memory[worker] = from->memory;
    }
}

void accounts_gone(struct accounts *a, size_t worker)
{
    for (size_t i = 0; i < a->n; i++)
        a->nodes[i].memory[worker] = 0;
}

static void begin(struct buf *b, const char *type)
{
    int64_t now = times_wall();
    buf_addf(b, "{\"v\":%d,\"type\":\"%s\",\"time\":%" PRId64 ".%06d", METRICS_VERSION, type,
             now / 1000000000, (int)(now / 1000 % 1000000));
}

static void end(struct buf *b)
{
    buf_adds(b, "}\n");
}

static void put_number(struct buf *b, const char *key, int64_t value)
{
    buf_addf(b, ",\"%s\":%" PRId64, key, value);
}

static void put_seconds(struct buf *b, const char *key, double value)
{
    buf_addf(b, ",\"%s\":%.6f", key, value);
}

/* A text that may be anything, cut so that it takes no more than SHORT bytes. */
static void put_text(struct buf *b, const char *key, const char *text)
{
    size_t n = strlen(text);
    buf_addf(b, ",\"%s\":", key);
    size_t before = b->len;
    text_json(b, text, n < SHORT ? n : SHORT);
    if (b->len - before <= SHORT)
        return;
    b->len = before;
    text_json(b, text, SHORT / 6); /* no byte takes more than six */
}

/* The name of a file as it is shown: always whole, for 255 bytes fit. */
static void put_name(struct buf *b, const char *name)
{
    struct buf shown = {0};
    text_escape(&shown, name, strlen(name));
    put_text(b, "name", buf_str(&shown));
    buf_free(&shown);
}

static void report_queue(struct super *s)
{
    struct buf b = {0};
    const struct accounts *a = &s->accounts;
    int64_t oldest = waiting_oldest(&s->waiting);
    double age = oldest ? (double)(times_wall() - oldest) / 1e9 : 0;
    begin(&b, METRICS_QUEUE);
    put_text(&b, "flow", s->opt.flow);
    put_text(&b, "state", super_state_name(s->state));
    put_text(&b, "reason", s->hold == HOLD_NONE ? "" : s->reason);
    put_number(&b, "workers", (int64_t)pool_running(&s->pool));
    put_number(&b, "waiting", (int64_t)waiting_count(&s->waiting));
    put_number(&b, "waiting_bytes", s->waiting.bytes);
    put_seconds(&b, "oldest", age > 0 ? age : 0);
    put_number(&b, "running", (int64_t)work_running(s));
    put_number(&b, "running_bytes", work_running_bytes(s));
    put_number(&b, "processed", a->processed);
    put_number(&b, "processed_bytes", a->processed_bytes);
    put_number(&b, "failed", a->failed);
    put_number(&b, "failed_bytes", a->failed_bytes);
    put_number(&b, "removed", s->keep.total);
    put_number(&b, "removed_bytes", s->keep.total_bytes);
    put_number(&b, "retried", a->retried);
    put_number(&b, "ignored", (int64_t)s->waiting.refused);
    put_number(&b, "lines", a->lines);
    put_seconds(&b, "uptime", (double)(times_ms() - s->started) / 1e3);
    put_number(&b, "records_dropped", (int64_t)s->fifo.dropped);
    end(&b);
    fifo_write(&s->fifo, &b);
    buf_free(&b);
}

static void report_node(struct super *s, const struct account *n)
{
    struct buf b = {0};
    int64_t memory = 0;
    for (size_t i = 0; i < s->accounts.workers; i++)
        memory += n->memory[i];
    begin(&b, METRICS_NODE);
    put_text(&b, "node", n->node);
    put_number(&b, "lines_in", n->lines_in);
    put_number(&b, "bytes_in", n->bytes_in);
    put_number(&b, "lines_out", n->lines_out);
    put_number(&b, "bytes_out", n->bytes_out);
    put_number(&b, "dropped", n->dropped);
    put_number(&b, "errors", n->errors);
    put_seconds(&b, "cpu", n->cpu);
    put_number(&b, "memory", memory);
    put_number(&b, "restarts", n->restarts);
    end(&b);
    fifo_write(&s->fifo, &b);
    buf_free(&b);
}

void report_second(struct super *s)
{
    if (s->fifo.fd < 0)
        return;
    report_queue(s);
    for (size_t i = 0; i < s->accounts.n; i++)
        report_node(s, &s->accounts.nodes[i]);
}

/* No age is in it, so that nothing is written while nothing happens. It is not worth a word if it
 * cannot be written: a disk that is full or broken is told of elsewhere. */
void report_status(struct super *s)
{
    enum { PERIOD = 1000 };
    struct told *t = &s->told;
    struct buf b = {0};
    long long now = times_ms();
    if (t->state == (int)s->state && t->hold == (int)s->hold && now < t->next)
        return;
    if (!t->started)
        t->started = times_wall() / 1000000000;
    buf_addf(&b, "{\"v\":%d,\"pid\":%d,\"started\":%" PRId64, METRICS_VERSION, (int)getpid(),
             t->started);
    put_text(&b, "flow", s->opt.flow);
    put_text(&b, "state", super_state_name(s->state));
    put_text(&b, "reason", s->hold == HOLD_NONE ? "" : s->reason);
    put_number(&b, "workers", (int64_t)pool_running(&s->pool));
    put_number(&b, "waiting", (int64_t)waiting_count(&s->waiting));
    put_number(&b, "running", (int64_t)work_running(s));
    put_number(&b, "delayed", (int64_t)s->delayed.n);
    put_number(&b, "processed", s->accounts.processed);
    put_number(&b, "failed", s->accounts.failed);
    end(&b);
    bool same = t->text.len == b.len && memcmp(t->text.data, b.data, b.len) == 0;
    if (same || store_replace(&s->store, QUEUE_STATUS, b.data, b.len) == 0) {
        buf_free(&t->text);
        t->text = b;
        b = (struct buf){0};
    }
    t->state = (int)s->state;
    t->hold = (int)s->hold;
    t->next = now + PERIOD;
    buf_free(&b);
}

/* As many sinks as fit. */
static void put_sinks(struct buf *b, const struct reply *r)
{
    buf_adds(b, ",\"sinks\":[");
    for (size_t i = 0; i < r->nsinks; i++) {
        const struct reply_sink *sink = &r->sinks[i];
        size_t before = b->len;
        struct buf file = {0};
        if (sink->file)
            text_escape(&file, sink->file, strlen(sink->file));
        buf_addf(b, "%s{\"tag\":\"%s\",\"file\":", i ? "," : "", sink->tag);
        if (sink->file)
            text_json(b, file.data, file.len);
        else
            buf_adds(b, "null");
        put_number(b, "lines", sink->lines);
        put_number(b, "bytes", sink->bytes);
        buf_addc(b, '}');
        buf_free(&file);
        if (b->len > PIPE_BUF - sizeof "]}\n") {
            b->len = before;
            break;
        }
    }
    buf_addc(b, ']');
}

void report_file(struct super *s, const struct job *j, const char *event, long long now)
{
    if (s->fifo.fd < 0)
        return;
    struct buf b = {0};
    bool done = strcmp(event, "done") == 0;
    begin(&b, METRICS_FILE);
    put_text(&b, "event", event);
    put_name(&b, j->name);
    put_number(&b, "size", j->input.size);
    put_number(&b, "lines", done ? j->reply.lines : 0);
    put_seconds(&b, "seconds", (double)(now - j->claimed) / 1e3);
    put_number(&b, "attempt", j->history.runs);
    put_number(&b, "status", done ? 0 : j->fault.status);
    if (done)
        put_sinks(&b, &j->reply);
    end(&b);
    fifo_write(&s->fifo, &b);
    buf_free(&b);
}

static void write_error(struct super *s, const char *name, const char *node, int64_t line,
                        const char *text)
{
    struct buf b = {0};
    begin(&b, METRICS_ERROR);
    put_name(&b, name);
    put_text(&b, "node", node);
    put_number(&b, "line", line);
    put_text(&b, "text", text);
    end(&b);
    fifo_write_error(&s->fifo, &b);
    buf_free(&b);
}

void report_error(struct super *s, const struct job *j)
{
    const struct fault *f = &j->fault;
    write_error(s, j->name, f->node ? f->node : "", f->line, f->error ? f->error : "");
}

void report_trouble(struct super *s, const char *text)
{
    write_error(s, "", "", 0, text);
}

/* The hops that fit: tags hold no bracket, so "],[" parts them. */
static void put_path(struct buf *b, const char *path)
{
    size_t room = PIPE_BUF - b->len - sizeof ",\"path\":]}\n";
    size_t n = strlen(path);
    if (n > room) {
        for (n = room; n > 1 && strncmp(path + n - 1, "],[", 3) != 0;)
            n--;
    }
    buf_adds(b, ",\"path\":");
    buf_add(b, n > 1 ? path : "[", n > 1 ? n : 1);
    if (n < strlen(path))
        buf_addc(b, ']');
}

void report_trace(struct super *s, const struct job *j, const struct reply *r)
{
    struct buf b = {0};
    begin(&b, METRICS_TRACE);
    put_name(&b, j->name);
    put_text(&b, "text", r->trace_text);
    put_path(&b, r->trace_path);
    end(&b);
    fifo_write_trace(&s->fifo, &b);
    buf_free(&b);
}
