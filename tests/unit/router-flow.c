/* SPDX-License-Identifier: MIT */
/* The flow parser and what the graph makes of a flow. */
#include "../../router/flow.h"
#include "../../router/graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct flow *parse(const char *text, struct problems *p)
{
    *p = (struct problems){0};
    return flow_parse("f", text, strlen(text), p);
}

static void assert_problem(const char *text, const char *expected)
{
    struct problems p;
    struct flow *f = parse(text, &p);
    if (!p.count) {
        struct graph *g = graph_new(f, false, false);
        graph_check(g, &p);
        graph_free(g);
    }
    if (!strstr(buf_str(&p.text), expected))
        fail_msg("%s\ngave:\n%s\nnot: %s", text, p.text.data, expected);
    buf_free(&p.text);
    flow_free(f);
}

static void words_are_quoted_as_in_sh(void **state)
{
    (void)state;
    struct problems p;
    struct flow *f = parse("start->end:cmd 'a b' \"c\\\"d\" e\\ f '' g# \\\n  h # i\n", &p);
    const char *const want[] = {"cmd", "a b", "c\"d", "e f", "", "g#", "h"};
    assert_int_equal(p.count, 0);
    for (size_t i = 0; i < 7; i++)
        assert_string_equal(f->nodes[0].argv[i], want[i]);
    assert_null(f->nodes[0].argv[7]);
    assert_int_equal(f->nsinks, 1);
    assert_int_equal(f->sinks[0].line, 0);
    flow_free(f);
}

static void attributes_and_settings_are_read(void **state)
{
    (void)state;
    struct problems p;
    struct flow *f = parse("set max-line 1K\nset epoch 2M\nset max-rounds 7\nset order epoch\n"
                           "start [map timeout=1500ms] -> end : a\n"
                           "end [stateless ok=0,1] -> out | grep x\nout => \"%f.%%\"\n",
                           &p);
    assert_int_equal(p.count, 0);
    assert_int_equal(f->max_line, 1024);
    assert_int_equal(f->epoch, 2 << 20);
    assert_int_equal(f->max_rounds, 7);
    assert_int_equal(f->order, ORDER_EPOCH);
    assert_true(f->nodes[0].map && f->nodes[0].stateless);
    assert_int_equal(f->nodes[0].timeout_ms, 1500);
    assert_int_equal(f->nodes[1].kind, NODE_COMMAND);
    assert_int_equal(f->nodes[1].ok[0], 3);
    struct buf name = {0};
    flow_sink_file(&f->sinks[0], "in", &name);
    assert_string_equal(buf_str(&name), "in.%");
    buf_free(&name);
    flow_free(f);
}

static void every_mistake_has_its_line(void **state)
{
    (void)state;
    assert_problem("", "f: start is missing");
    assert_problem("\n\nstart -> nowhere : x\n", "f:3: nobody serves nowhere");
    assert_problem("start -> end : x\nstart -> end : y\n", "f:2: start stands in line 1 already");
    assert_problem("start -> end : x\nlost -> end : y\n", "f:2: lost is never reached");
    assert_problem("start -> start : x\n", "there is no way from start to a sink");
    assert_problem("start -> a end : x\na -> a | y\n", "f:2: there is no way from a");
    assert_problem("start -> a end : x\na -> start | y\n", "write a [stateless]");
    assert_problem("start -> end a : x\na -> end b : y\nb -> end b : z\n",
                   "f:3: a line that stays b");
    assert_problem("start -> end\n", "has no command");
    assert_problem("start -> : x\n", "goes nowhere");
    assert_problem("start -> end : 'x\n", "quote is never closed");
    assert_problem("start [jump] -> end : x\n", "no such attribute");
    assert_problem("start [jobs=0] -> end : x\n", "not a number of copies");
    assert_problem("start [jobs=99999999999999] -> end : x\n", "not a number of copies");
    assert_problem("start [jobs=2] -> end | x\n", "copies cannot share a whole file");
    assert_problem("start [ok=300] -> end | x\n", "not exit statuses");
    assert_problem("start [timeout=1y] -> end : x\n", "not a duration");
    assert_problem("start -> end : x | y\n", "| is not for shells");
    assert_problem("start -> end a | x\na => f\n", "goes to end alone");
    assert_problem("start -> end : x\nend => a/b\n", "write one without /");
    assert_problem("start -> end : x\nend => %g\n", "after % comes f");
    assert_problem("start -> end a : x\nend => o\na => o\n", "o is written by end");
    assert_problem("9x -> end : x\n", "\"9x\" is not a tag");
    assert_problem("set epoch 0\n", "\"0\" is not a size");
    assert_problem("set colour red\n", "set colour");
    assert_problem("what is this\n", "begins neither");
}

/* Written against the direction of its arrows, a chain is a chain all the same. */
static void order_of_lines_does_not_matter(void **state)
{
    (void)state;
    struct problems p;
    struct flow *f = parse("cc -> dd : x\naa -> bb : x\ndd -> end : x\nbb -> cc : x\n"
                           "start -> aa : x\n",
                           &p);
    struct graph *g = graph_new(f, false, false);
    graph_check(g, &p);
    assert_int_equal(p.count, 0);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(f->nodes[g->stages[i + 1].nodes[0]].tag,
                            ((const char *[]){"start", "aa", "bb", "cc", "dd"})[i]);
    graph_free(g);
    flow_free(f);
}

static void all_problems_are_reported(void **state)
{
    (void)state;
    struct problems p;
    struct flow *f = parse("start -> a b : x\nset epoch z\nstart => f\n", &p);
    assert_int_equal(p.count, 4);
    buf_free(&p.text);
    flow_free(f);
}

/* Which destinations are merged how, as "TAG=n|l|e ..." in order. */
static void assert_merges(const char *text, const char *tells, const char *expected)
{
    static const char letter[] = "nle";
    struct problems p;
    struct flow *f = parse(text, &p);
    struct buf got = {0};
    assert_int_equal(p.count, 0);
    for (size_t i = 0; i < f->nnodes; i++)
        if (strstr(tells, f->nodes[i].tag))
            f->nodes[i].card = f->nodes[i].stateless = true;
    struct graph *g = graph_new(f, false, false);
    for (size_t d = 0; d < g->ndests; d++)
        buf_addf(&got, "%s=%c ", flow_tag(f, d), letter[g->stages[graph_stage(g, d)].merge]);
    assert_string_equal(buf_str(&got), expected);
    buf_free(&got);
    graph_free(g);
    flow_free(f);
}

static void order_is_by_line_where_it_can_be_proved(void **state)
{
    (void)state;
    assert_merges("start -> end : x\n", "", "start=n end=n ");
    /* The node where lines part need not tell; those on the way must. */
    assert_merges("start -> aa bb : x\naa -> end : x\nbb -> end : x\n", "aa bb",
                  "start=n aa=n bb=n end=l ");
    assert_merges("start -> aa bb : x\naa -> end : x\nbb -> end : x\n", "start aa",
                  "start=n aa=n bb=n end=e ");
    /* A whole-file command gives nothing before the end: that is known. */
    assert_merges("start -> aa end : x\naa -> end | sort\n", "start", "start=n aa=n end=l ");
    assert_merges("start -> aa end : x\naa [stateless] -> end | sort\n", "start",
                  "start=n aa=n end=e ");
    /* In a cycle all must be stateless. */
    assert_merges("start -> end aa : x\naa -> start : x\n", "start aa", "start=l aa=l end=l ");
    assert_merges("start -> end aa : x\naa -> start : x\n", "start", "start=e aa=e end=e ");
    /* A mute node spoils only what meets behind it. */
    assert_merges("start -> aa bb : x\naa -> cc : x\nbb -> cc : x\ncc -> dd ee : x\n"
                  "dd -> end : x\nee -> end : x\n",
                  "start aa dd ee", "start=n aa=n bb=n cc=e dd=n ee=n end=l ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_quoted_as_in_sh),
        cmocka_unit_test(attributes_and_settings_are_read),
        cmocka_unit_test(every_mistake_has_its_line),
        cmocka_unit_test(order_of_lines_does_not_matter),
        cmocka_unit_test(all_problems_are_reported),
        cmocka_unit_test(order_is_by_line_where_it_can_be_proved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
