/* SPDX-License-Identifier: MIT */
/*
 * The core without processes: nodes are functions here, and a seeded schedule decides who reads,
 * writes and answers when, in pieces of any size, and who shares how much memory. The result must
 * not depend on it.
 */
#include "../../router/core.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PIECES = 4 }; /* of shared memory, if they are of 64 bytes */

/* What a node does with one line: prints lines, counts them. */
typedef void line_fn(struct buf *out, const char *tag, const char *text, unsigned *count);

struct fake {
    struct buf in, out; /* bytes it got, bytes it will print */
    struct card_writer card;
    line_fn *fn;
    bool keeps;   /* says "bye" at the end of the file */
    char *region; /* shared, or NULL */
};

struct rig {
    struct flow *flow;
    struct graph *graph;
    struct core *core;
    struct fake nodes[8];
    struct job *job;
    struct buf result;
    unsigned seed;
};

static unsigned pick(struct rig *r, unsigned n)
{
    r->seed = r->seed * 1103515245u + 12345u;
    return (r->seed >> 16) % n;
}

static void put(struct buf *out, const char *tag, const char *text, unsigned *count)
{
    buf_addf(out, "%s\t%s\n", tag, text);
    ++*count;
}

/* "x..." parts: a copy goes each way; "d" is dropped; others stay. */
static void part(struct buf *out, const char *tag, const char *text, unsigned *count)
{
    if (*text == 'd')
        return;
    if (*text == 'x')
        put(out, "b", text, count);
    put(out, *text == 'y' ? "b" : tag, text, count);
}

static void bang(struct buf *out, const char *tag, const char *text, unsigned *count)
{
    char more[64];
    snprintf(more, sizeof more, "%s!", text);
    put(out, tag, more, count);
}

static void drop(struct buf *out, const char *tag, const char *text, unsigned *count)
{
    if (*text != 'd')
        put(out, tag, text, count);
}

static void same(struct buf *out, const char *tag, const char *text, unsigned *count)
{
    put(out, tag, text, count);
}

/* "(...)" loses a layer and goes round; other lines leave. */
static void peel(struct buf *out, const char *tag, const char *text, unsigned *count)
{
    char inner[64];
    size_t n = strlen(text);
    if (n < 2 || *text != '(') {
        put(out, tag, text, count);
        return;
    }
    snprintf(inner, sizeof inner, "%.*s", (int)(n - 2), text + 1);
    put(out, "again", inner, count);
}

static void begin(struct rig *r, const char *text, line_fn *const *fns, unsigned seed)
{
    struct problems p = {0};
    *r = (struct rig){.seed = seed};
    r->flow = flow_parse("f", text, strlen(text), &p);
    assert_int_equal(p.count, 0);
    for (size_t i = 0; i < r->flow->nnodes; i++) {
        r->nodes[i].fn = fns[i];
        r->nodes[i].keeps = strcmp(r->flow->nodes[i].tag, "keep") == 0;
        r->flow->nodes[i].card = true;
        r->flow->nodes[i].stateless = !r->nodes[i].keeps;
        r->flow->nodes[i].shares = seed % 2 == 0 && pick(r, 3) > 0;
    }
    r->graph = graph_new(r->flow, false, false);
    r->core = core_new(r->flow, r->graph, false);
    for (size_t i = 0; i < r->flow->nnodes; i++)
        if (r->flow->nodes[i].shares) {
            r->nodes[i].region = xcalloc(PIECES, 64);
            core_share(r->core, i, r->nodes[i].region, PIECES * 64, 4U << pick(r, 5));
        }
    r->job = core_begin(r->core, 1, NULL, false);
}

static void finish(struct rig *r)
{
    core_free(r->core);
    graph_free(r->graph);
    flow_free(r->flow);
    for (size_t i = 0; i < 8; i++) {
        buf_free(&r->nodes[i].in);
        buf_free(&r->nodes[i].out);
        buf_free(&r->nodes[i].card.text);
        free(r->nodes[i].region);
    }
    buf_free(&r->result);
}

/* Give the node some of the bytes that wait for it. */
static void feed(struct rig *r, size_t node)
{
    struct iovec iov[4];
    size_t n = core_node_iov(r->core, node, iov, 4);
    if (n == 0)
        return;
    size_t len = 1 + pick(r, (unsigned)iov[0].iov_len);
    buf_add(&r->nodes[node].in, iov[0].iov_base, len);
    core_node_wrote(r->core, node, len);
}

static void one_line(struct fake *f, const char *tag, const char *text)
{
    unsigned count = 0;
    f->fn(&f->out, tag, text, &count);
    card_add(&f->card, count);
}

/* The lines that stand in shared memory, before the answer to what names them. */
static void lines_in_region(struct fake *f, const char *tag, const size_t *n)
{
    struct buf texts = {0};
    buf_add(&texts, f->region + n[0], n[1]);
    buf_addc(&texts, '\0');
    for (char *save, *t = texts.data; *t; t = save + 1) {
        save = strchr(t, '\n');
        *save = '\0';
        one_line(f, tag, t);
    }
    buf_free(&texts);
}

/* Leave what came out in shared memory, if it fits: without tags, if all have the node's. */
static void leave_in_region(struct fake *f, const char *tag, const size_t *n, size_t from,
                            char *word)
{
    struct buf texts = {0};
    size_t len = f->out.len - from;
    bool keep = true;
    for (const char *at = f->out.data + from; at < f->out.data + f->out.len && keep;) {
        const char *nl = memchr(at, '\n', (size_t)(f->out.data + f->out.len - at));
        const char *tab = memchr(at, '\t', (size_t)(nl - at));
        keep = (size_t)(tab - at) == strlen(tag) && memcmp(at, tag, strlen(tag)) == 0;
        buf_add(&texts, tab + 1, (size_t)(nl - tab));
        at = nl + 1;
    }
    size_t bytes = keep ? texts.len : len;
    if (bytes && bytes <= n[3]) {
        memcpy(f->region + n[2], keep ? texts.data : f->out.data + from, bytes);
        sprintf(word, " %c%zu", keep ? '=' : '@', bytes);
        f->out.len = from;
    }
    buf_free(&texts);
}

/* The node works on one whole line, if it has one. */
static void work(struct rig *r, size_t node)
{
    const char *tag = r->flow->nodes[node].tag;
    struct fake *f = &r->nodes[node];
    char *nl = f->in.len ? memchr(f->in.data, '\n', f->in.len) : NULL;
    if (!nl)
        return;
    *nl = '\0';
    if (*f->in.data == '!') {
        bool end = strncmp(f->in.data, "!end", 4) == 0;
        size_t n[4] = {0}, from = f->out.len;
        char left[32] = "";
        sscanf(f->in.data, "!%*s %*u %zu %zu %zu %zu", &n[0], &n[1], &n[2], &n[3]);
        if (n[1])
            lines_in_region(f, tag, n);
        card_close(&f->card);
        if (end && f->keeps)
            buf_adds(&f->out, "keep\tbye\n");
        if (end)
            card_add(&f->card, f->keeps);
        card_close(&f->card);
        if (n[3])
            leave_in_region(f, tag, n, from, left);
        buf_addf(&f->out, "%s %s%s\n", f->in.data, buf_str(&f->card.text), left);
        f->card.text.len = 0;
    } else {
        char *tab = strchr(f->in.data, '\t');
        *tab = '\0';
        one_line(f, f->in.data, tab + 1);
    }
    buf_shift(&f->in, (size_t)(nl + 1 - f->in.data));
}

/* The core reads some of what the node printed. */
static void drain(struct rig *r, size_t node)
{
    struct buf *out = &r->nodes[node].out;
    if (!out->len)
        return;
    size_t n = 1 + pick(r, (unsigned)out->len);
    memcpy(core_node_room(r->core, node, n), out->data, n);
    buf_shift(out, n);
    core_node_took(r->core, node, n);
}

/* Run the text through; the schedule is the seed's. */
static void run(struct rig *r, const char *text)
{
    size_t at = 0, len = strlen(text);
    bool ended = false;
    for (int steps = 0; !r->job->done; steps++) {
        size_t node = pick(r, (unsigned)r->flow->nnodes);
        if (steps > 1000000 || core_failure(r->core))
            fail_msg("%s", steps > 1000000 ? "it hangs" : buf_str(&r->core->failure.text));
        switch (pick(r, 5)) {
        case 0:
            if (at < len) {
                size_t n = 1 + pick(r, (unsigned)(len - at));
                memcpy(core_input_room(r->core, n), text + at, n);
                at += n;
                core_input_took(r->core, n);
            } else if (!ended) {
                core_input_end(r->core);
                ended = true;
            }
            break;
        case 1:
            if (pick(r, 4) == 0 && !ended)
                core_input_cut(r->core);
            break;
        case 2:
            feed(r, node);
            break;
        case 3:
            work(r, node);
            break;
        default:
            drain(r, node);
        }
    }
    for (size_t i = 0; i < r->graph->noutlets; i++)
        for (struct batch *b = r->job->streams[i].first; b; b = b->next)
            buf_add(&r->result, b->bytes.data, b->bytes.len);
}

static void assert_same_for_all_schedules(const char *flow, line_fn *const *fns, const char *in,
                                          const char *expected)
{
    for (unsigned seed = 1; seed <= 500; seed++) {
        struct rig r;
        begin(&r, flow, fns, seed);
        run(&r, in);
        if (strcmp(buf_str(&r.result), expected) != 0)
            fail_msg("seed %u: got\n%s", seed, r.result.data);
        finish(&r);
    }
}

static void lines_that_part_meet_in_order(void **state)
{
    (void)state;
    line_fn *const fns[] = {part, bang, same};
    assert_same_for_all_schedules("set epoch 3\nstart -> a b : x\na -> end : x\nb -> end : x\n",
                                  fns, "1\nx2\n3\nd4\ny5\nx6\n7",
                                  "1!\nx2\nx2!\n3!\ny5\nx6\nx6!\n7!\n");
}

static void a_cycle_keeps_the_order_of_lines(void **state)
{
    (void)state;
    line_fn *const fns[] = {peel, same};
    assert_same_for_all_schedules("set epoch 4\nstart -> end again : x\nagain -> start : x\n", fns,
                                  "a\n((b))\n(c)\nd\n(((e)))\n", "a\nb\nc\nd\ne\n");
}

static void epochs_do_not_show_in_a_chain(void **state)
{
    (void)state;
    line_fn *const fns[] = {bang, same, bang};
    assert_same_for_all_schedules("set epoch 1\nstart -> a : x\na -> b : x\nb -> end : x\n", fns,
                                  "1\n2\n\n4\n", "1!!\n2!!\n!!\n4!!\n");
}

/* The node where lines part gets none in the last epoch; what comes at the end has its place. */
static void the_end_has_its_place_without_lines(void **state)
{
    (void)state;
    line_fn *const fns[] = {drop, part, bang, same};
    assert_same_for_all_schedules("set epoch 2\nstart -> a : x\na -> end b : x\n"
                                  "b -> keep : x\nkeep -> end : x\n",
                                  fns, "x1\ny2\nd3\nd4\n", "x1!\nx1\ny2!\nbye\n");
}

/* What a node prints, and the failure that it must give. */
static void assert_failure(const char *flow, const char *printed, int status, const char *text)
{
    line_fn *const fns[] = {same, same};
    struct rig r;
    begin(&r, flow, fns, 1);
    memcpy(core_input_room(r.core, 2), "1\n", 2);
    core_input_took(r.core, 2);
    core_input_end(r.core);
    while (core_node_iov(r.core, 0, &(struct iovec){0}, 1))
        feed(&r, 0);
    size_t n = strlen(printed);
    memcpy(core_node_room(r.core, 0, n), printed, n);
    core_node_took(r.core, 0, n);
    const struct failure *f = core_failure(r.core);
    if (!f)
        fail_msg("\"%s\" gave no failure", printed);
    assert_int_equal(f->status, status);
    if (!strstr(buf_str(&r.core->failure.text), text))
        fail_msg("\"%s\" gave: %s", printed, r.core->failure.text.data);
    finish(&r);
}

static void lies_are_found_out(void **state)
{
    (void)state;
    const char *flow = "start -> end other : x\nother => null\n";
    assert_failure(flow, "!fence 1 1\n", 70, "answered what was not asked");
    assert_failure(flow, "!end 2 1,0\n", 70, "answered what was not asked");
    assert_failure(flow, "!end 11 1,0\n", 70, "answered what was not asked");
    assert_failure(flow, "!hello 1\n", 70, "answered what was not asked");
    assert_failure(flow, "!end 1 1,0\n", 70, "count of lines");
    assert_failure(flow, "start\t1\n!end 1 1\n", 70, "count of lines");
    assert_failure(flow, "start\t1\n!end 1 0,1,0\n", 70, "count of lines");
    assert_failure(flow, "start\t1\n!end 1 1,\n", 70, "count of lines");
    assert_failure(flow, "start\t1\n!end 1 99999999999999999999*9,0\n", 70, "count of lines");
    assert_failure(flow, "start\t1\n!end 1\n", 70, "promised to count");
    assert_failure(flow, "start\t1\n!end 1 1,0 @5\n", 70, "left no lines where it says");
    assert_failure(flow, "elsewhere\t1\n", 65, "not among those");
    assert_failure(flow, "end1\n", 70, "does not begin with a tag");
    assert_failure(flow, "\t1\n", 65, "not among those");
    assert_failure("set max-line 4\nstart -> end : x\n", "start\t12345\n", 65,
                   "longer than max-line");
    assert_failure(
        "set max-line 4\nstart -> end : x\n",
        "start\t1234567890123456789012345678901234567890123456789012345678901234567890123", 65,
        "longer");
}

static void endless_cycles_end(void **state)
{
    (void)state;
    struct rig r;
    line_fn *const fns[] = {same};
    begin(&r, "set max-rounds 9\nstart -> start end : x\n", fns, 1);
    memcpy(core_input_room(r.core, 2), "1\n", 2);
    core_input_took(r.core, 2);
    core_input_end(r.core);
    for (int i = 0; i < 100000 && !core_failure(r.core); i++) {
        feed(&r, 0);
        work(&r, 0);
        drain(&r, 0);
    }
    assert_non_null(core_failure(r.core));
    assert_int_equal(core_failure(r.core)->status, 65);
    assert_non_null(strstr(buf_str(&r.core->failure.text), "still circle after 9 rounds"));
    finish(&r);
}

static void order_inserts_behind_its_parent(void **state)
{
    (void)state;
    struct order *o = order_new();
    uint32_t first = order_append(o, 3);
    assert_null(order_labels(o));
    uint32_t child = order_after(o, first);
    uint32_t later = order_after(o, first + 2);
    uint32_t end = order_append(o, 1);
    const uint32_t *label = order_labels(o);
    const uint32_t want[] = {first, child, first + 1, first + 2, later, end};
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(label[want[i]], i);
    order_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_that_part_meet_in_order),
        cmocka_unit_test(a_cycle_keeps_the_order_of_lines),
        cmocka_unit_test(epochs_do_not_show_in_a_chain),
        cmocka_unit_test(the_end_has_its_place_without_lines),
        cmocka_unit_test(lies_are_found_out),
        cmocka_unit_test(endless_cycles_end),
        cmocka_unit_test(order_inserts_behind_its_parent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
