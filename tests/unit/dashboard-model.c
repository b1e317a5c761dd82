/* SPDX-License-Identifier: MIT */
/* From records to what is known: fields, rates, lists, and what hostile records may not do. */
#include "../../dashboard/human.h"
#include "../../dashboard/model.h"
#include "metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct model m;

static int clear(void **state)
{
    (void)state;
    model_free(&m);
    return 0;
}

static bool take(const char *format, ...) __attribute__((format(printf, 1, 2)));
static bool take(const char *format, ...)
{
    char text[4096];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    bool news = model_take(&m, json);
    json_decref(json);
    return news;
}

/* Lists of objects are the only fields that are not taken as they are. */
static void every_metric_is_taken(void **state)
{
    (void)state;
    for (const struct metric *metric = metrics; metric->record; metric++) {
        bool found = strcmp(metric->field, "sinks") == 0 || strcmp(metric->field, "path") == 0;
        for (const struct model_field *f = model_fields; f->record; f++)
            if (strcmp(f->record, metric->record) == 0 && strcmp(f->field, metric->field) == 0) {
                found = true;
                assert_int_equal(f->is_text, metric->kind == METRIC_LABEL);
            }
        if (!found)
            fail_msg("%s.%s is declared but the model does not take it", metric->record,
                     metric->field);
    }
}

static void queue_is_the_latest(void **state)
{
    (void)state;
    take("{\"type\":\"queue\",\"time\":10,\"state\":\"starting\",\"waiting\":5}");
    take("{\"type\":\"queue\",\"time\":11,\"state\":\"running\",\"waiting\":7,\"oldest\":1.5}");
    assert_true(m.known);
    assert_string_equal(m.queue.state, "running");
    assert_string_equal(m.queue.reason, "");
    assert_true(m.queue.waiting == 7 && m.queue.oldest == 1.5 && m.queue.failed == 0);
}

static void rates_come_from_counters(void **state)
{
    struct series s = {0};
    double steps[8];
    (void)state;
    assert_true(series_rate(&s, 5) == 0 && series_steps(&s, steps, 8) == 0);
    series_add(&s, 100, 1000);
    assert_true(series_rate(&s, 5) == 0);
    series_add(&s, 101, 1010);
    series_add(&s, 103, 1070); /* a record between was lost */
    assert_true(series_rate(&s, 1) == 30);
    assert_true(series_rate(&s, 5) == 70.0 / 3);
    assert_int_equal(series_steps(&s, steps, 8), 2);
    assert_true(steps[0] == 10 && steps[1] == 30);
    assert_int_equal(series_steps(&s, steps, 1), 1);
    assert_true(steps[0] == 30);
}

static void rates_begin_anew_with_the_supervisor(void **state)
{
    struct series s = {0};
    (void)state;
    series_add(&s, 1, 500);
    series_add(&s, 2, 900);
    series_add(&s, 3, 20);
    assert_true(series_rate(&s, 5) == 0);
    series_add(&s, 4, 25);
    assert_true(series_rate(&s, 5) == 5);
    series_add(&s, 3.5, 30); /* the clock was set back */
    assert_true(series_rate(&s, 5) == 0);
    series_add(&s, 3.5, 30);
    assert_true(series_rate(&s, 5) == 0);
}

static void series_forgets_the_oldest(void **state)
{
    struct series s = {0};
    double steps[MODEL_SERIES];
    (void)state;
    for (int i = 0; i < 1000; i++)
        series_add(&s, i, i * i);
    assert_int_equal(series_steps(&s, steps, MODEL_SERIES), MODEL_SERIES);
    assert_true(steps[MODEL_SERIES - 1] == 999 * 999 - 998 * 998);
}

static void nodes_keep_their_order_and_leave(void **state)
{
    (void)state;
    take("{\"type\":\"node\",\"time\":1,\"node\":\"start\",\"lines_in\":10}");
    take("{\"type\":\"node\",\"time\":1,\"node\":\"error\",\"lines_in\":4}");
    take("{\"type\":\"node\",\"time\":2,\"node\":\"start\",\"lines_in\":30}");
    assert_int_equal(m.n_nodes, 2);
    assert_string_equal(m.nodes[0].node, "start");
    assert_true(m.nodes[0].lines_in == 30 && series_rate(&m.nodes[0].lines_passed, 5) == 20);
    take("{\"type\":\"node\",\"time\":12,\"node\":\"error\",\"lines_in\":4}");
    take("{\"type\":\"queue\",\"time\":13}");
    assert_int_equal(m.n_nodes, 1);
    assert_string_equal(m.nodes[0].node, "error");
}

static void nodes_are_bounded(void **state)
{
    (void)state;
    for (int i = 0; i < MODEL_NODES; i++)
        assert_true(take("{\"type\":\"node\",\"time\":1,\"node\":\"n%d\"}", i));
    assert_false(take("{\"type\":\"node\",\"time\":1,\"node\":\"more\"}"));
    assert_int_equal(m.n_nodes, MODEL_NODES);
}

static void file_stands_once(void **state)
{
    (void)state;
    take("{\"type\":\"file\",\"time\":1,\"event\":\"claimed\",\"name\":\"a\"}");
    take("{\"type\":\"file\",\"time\":2,\"event\":\"claimed\",\"name\":\"b\"}");
    take("{\"type\":\"file\",\"time\":3,\"event\":\"retried\",\"name\":\"a\",\"status\":75}");
    take("{\"type\":\"file\",\"time\":4,\"event\":\"done\",\"name\":\"a\",\"lines\":9,\"sinks\":[]"
         "}");
    assert_int_equal(m.n_files, 2);
    assert_string_equal(m.files[0].name, "a");
    assert_string_equal(m.files[0].event, "done");
    assert_true(m.files[0].lines == 9 && m.files[0].status == 0);
    take("{\"type\":\"file\",\"time\":5,\"event\":\"claimed\",\"name\":\"a\"}");
    assert_int_equal(m.n_files, 3); /* dropped once more: another file of that name */
}

static void lists_forget_the_oldest(void **state)
{
    (void)state;
    for (int i = 0; i < 3 * MODEL_FILES; i++) {
        take("{\"type\":\"file\",\"time\":%d,\"event\":\"done\",\"name\":\"f%d\"}", i, i);
        take("{\"type\":\"error\",\"time\":%d,\"text\":\"e%d\"}", i, i);
        take("{\"type\":\"trace\",\"time\":%d,\"path\":[[\"a\",\"b\",%d]]}", i, i);
    }
    assert_true(m.n_files == MODEL_FILES && m.n_errors == MODEL_ERRORS);
    assert_int_equal(m.n_traces, MODEL_TRACES);
    assert_string_equal(m.files[0].name, "f299");
    assert_string_equal(m.files[MODEL_FILES - 1].name, "f200");
    assert_string_equal(m.errors[0].text, "e299");
    assert_string_equal(m.traces[0].path, "a -> b 299");
}

static void error_said_twice_is_one(void **state)
{
    (void)state;
    assert_true(take("{\"type\":\"error\",\"time\":1,\"text\":\"no\"}"));
    assert_true(take("{\"type\":\"error\",\"time\":2,\"text\":\"no\"}"));
    assert_false(take("{\"type\":\"error\",\"time\":1,\"text\":\"no\"}"));
    assert_int_equal(m.n_errors, 2);
}

static void trace_with_strange_path(void **state)
{
    (void)state;
    take("{\"type\":\"trace\",\"time\":1,\"path\":[1,[],[\"a\"],[\"a\",\"b\",2],{\"x\":1},[\"b\","
         "\"c\",1]]}");
    assert_string_equal(m.traces[0].path, "a -> b 2, b -> c 1");
    take("{\"type\":\"trace\",\"time\":1,\"path\":\"no list\"}");
    assert_string_equal(m.traces[0].path, "");
}

static void texts_are_clean(void **state)
{
    static const struct {
        const char *raw, *clean;
    } cases[] = {
        {"plain ü 日本", "plain ü 日本"},
        {"a\033[2Jb", "a?[2Jb"},
        {"tab\there", "tab?here"},
        {"del\177", "del?"},
        {"c1\302\233x", "c1?x"},
        {"\342\200\256rtl", "?rtl"},
        {"line\342\200\250sep", "line?sep"},
        {"iso\342\201\246late", "iso?late"},
        {"bad \377\376", "bad ??"},
        {"", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *clean = model_clean(cases[i].raw);
        assert_string_equal(clean, cases[i].clean);
        free(clean);
    }
    take("{\"type\":\"file\",\"time\":1,\"event\":\"done\",\"name\":\"x\\u001b[31m\"}");
    assert_string_equal(m.files[0].name, "x?[31m");
}

static void numbers_for_people(void **state)
{
    char room[HUMAN];
    (void)state;
    assert_string_equal(human_count(room, 0), "0");
    assert_string_equal(human_count(room, 1.26), "1.3");
    assert_string_equal(human_count(room, 14003), "14,003");
    assert_string_equal(human_count(room, 999999), "999,999");
    assert_string_equal(human_count(room, 1000000), "1.0 M");
    assert_string_equal(human_bytes(room, 999), "999 B");
    assert_string_equal(human_bytes(room, 999.9), "1.0 kB");
    assert_string_equal(human_bytes(room, 123456789), "123 MB");
    assert_string_equal(human_duration(room, 0.314), "0.31 s");
    assert_string_equal(human_duration(room, 0.004), "0 s");
    assert_string_equal(human_duration(room, 4), "4.0 s");
    assert_string_equal(human_duration(room, 59.6), "1 m 00 s");
    assert_string_equal(human_duration(room, 7260), "2 h 01 m");
    human_bytes(room, 1e308); /* what a forged record may hold stays within the room */
    assert_true(strlen(room) < HUMAN);
    human_count(room, 1e308);
    assert_true(strlen(room) < HUMAN);
    human_duration(room, 1e308);
    assert_true(strlen(room) < HUMAN);
    human_clock(room, 1e308);
    assert_true(strlen(room) < HUMAN);
}

static void sparkline_scales_to_its_peak(void **state)
{
    struct buf b = {0};
    (void)state;
    human_spark(&b, (const double[]){0, 1, 7}, 3, false);
    assert_string_equal(buf_str(&b), "▁▂█");
    b.len = 0;
    human_spark(&b, (const double[]){0, 0, 0}, 3, true);
    assert_string_equal(buf_str(&b), "___");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_metric_is_taken),
        cmocka_unit_test_teardown(queue_is_the_latest, clear),
        cmocka_unit_test(rates_come_from_counters),
        cmocka_unit_test(rates_begin_anew_with_the_supervisor),
        cmocka_unit_test(series_forgets_the_oldest),
        cmocka_unit_test_teardown(nodes_keep_their_order_and_leave, clear),
        cmocka_unit_test_teardown(nodes_are_bounded, clear),
        cmocka_unit_test_teardown(file_stands_once, clear),
        cmocka_unit_test_teardown(lists_forget_the_oldest, clear),
        cmocka_unit_test_teardown(error_said_twice_is_one, clear),
        cmocka_unit_test_teardown(trace_with_strange_path, clear),
        cmocka_unit_test_teardown(texts_are_clean, clear),
        cmocka_unit_test(numbers_for_people),
        cmocka_unit_test(sparkline_scales_to_its_peak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
