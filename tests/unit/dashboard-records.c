/* SPDX-License-Identifier: MIT */
/* Bytes to records: whole, torn, foreign, newer, overlong, cut at every place. */
#include "../../dashboard/records.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char good[] = "{\"v\":1,\"type\":\"queue\",\"time\":1.5,\"waiting\":3}\n";

static size_t take_all(struct records *r)
{
    struct record record;
    size_t n = 0;
    for (; records_next(r, &record); n++)
        json_decref(record.json);
    return n;
}

static size_t count(const char *bytes, struct records *after)
{
    struct records r = {0};
    records_push(&r, bytes, strlen(bytes));
    size_t n = take_all(&r);
    records_cut(&r);
    *after = r;
    records_free(&r);
    return n;
}

static void record_comes_as_it_was(void **state)
{
    struct records r = {0};
    struct record record;
    (void)state;
    records_push(&r, good, strlen(good));
    assert_true(records_next(&r, &record));
    assert_int_equal(record.len, strlen(good) - 1);
    assert_memory_equal(record.line, good, record.len);
    assert_int_equal(json_integer_value(json_object_get(record.json, "waiting")), 3);
    json_decref(record.json);
    assert_false(records_next(&r, &record));
    records_free(&r);
}

static void any_cut_gives_the_same(void **state)
{
    (void)state;
    char two[2 * sizeof good];
    snprintf(two, sizeof two, "%s%s", good, good);
    for (size_t at = 0; at <= strlen(two); at++) {
        struct records r = {0};
        records_push(&r, two, at);
        size_t n = take_all(&r);
        records_push(&r, two + at, strlen(two) - at);
        assert_int_equal(n + take_all(&r), 2);
        assert_int_equal(records_bad(&r), 0);
        records_free(&r);
    }
}

static void foreign_lines_are_counted(void **state)
{
    static const char *const lines[] = {
        "\n",
        "hello\n",
        "[1,2]\n",
        "{}\n",
        "{\"v\":1}\n",
        "{\"v\":\"1\",\"type\":\"queue\",\"time\":1}\n",
        "{\"v\":1,\"type\":\"queue\"}\n",
        "{\"v\":1,\"type\":\"tea\",\"time\":1}\n",
        "{\"v\":1,\"type\":\"queue\",\"time\":1,\"waiting\":\"3\"}\n",
        "{\"v\":1,\"type\":\"queue\",\"time\":1,\"waiting\":-3}\n",
        "{\"v\":1,\"type\":\"queue\",\"time\":1,\"state\":4}\n",
        "{\"v\":1,\"type\":\"queue\",\"time\":1,\"time\":2}\n",
        "{\"v\":1,\"type\":\"file\",\"time\":1,\"name\":\"\xff\"}\n",
        "{\"v\":1,\"type\":\"queue\",\"time\":1} {}\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct records r;
        assert_int_equal(count(lines[i], &r), 0);
        assert_int_equal(r.foreign, 1);
        assert_int_equal(records_bad(&r), 1);
    }
}

static void nul_inside_a_record_is_foreign(void **state)
{
    (void)state;
    for (size_t at = 1; at < strlen(good); at++) {
        char line[sizeof good];
        struct records r = {0};
        memcpy(line, good, sizeof good);
        memmove(line + at + 1, line + at, strlen(good) - at); /* over the final NUL */
        line[at] = '\0';
        records_push(&r, line, sizeof good);
        assert_int_equal(take_all(&r), 0);
        assert_int_equal(r.foreign, 1);
        records_free(&r);
    }
}

static void unknown_fields_pass(void **state)
{
    struct records r;
    (void)state;
    assert_int_equal(count("{\"v\":1,\"type\":\"node\",\"time\":1,\"new\":{\"a\":1}}\n", &r), 1);
}

static void newer_version_is_counted(void **state)
{
    struct records r;
    (void)state;
    assert_int_equal(count("{\"v\":2,\"type\":\"queue\",\"time\":\"noon\"}\n", &r), 0);
    assert_int_equal(r.newer, 1);
    assert_int_equal(r.foreign, 0);
}

static void torn_line_is_counted_at_the_cut(void **state)
{
    struct records r = {0};
    (void)state;
    records_push(&r, good, 10);
    assert_int_equal(take_all(&r), 0);
    assert_int_equal(records_bad(&r), 0);
    records_cut(&r);
    assert_int_equal(r.torn, 1);
    records_push(&r, good, strlen(good));
    assert_int_equal(take_all(&r), 1);
    records_free(&r);
}

static void torn_beginning_does_not_take_the_next_with_it(void **state)
{
    struct records r = {0};
    struct record record;
    (void)state;
    for (size_t n = 5; n < strlen(good) - 2; n++) {
        records_push(&r, good, n);
        records_push(&r, good, strlen(good));
        assert_true(records_next(&r, &record));
        assert_int_equal(record.len, strlen(good) - 1);
        assert_memory_equal(record.line, good, record.len);
        json_decref(record.json);
        assert_int_equal(records_bad(&r), n - 4);
    }
    records_free(&r);
}

static void cut_keeps_whole_lines(void **state)
{
    struct records r = {0};
    (void)state;
    records_push(&r, good, strlen(good));
    records_push(&r, good, 10);
    records_cut(&r);
    assert_int_equal(r.torn, 1);
    assert_int_equal(take_all(&r), 1);
    records_free(&r);
}

/* A record of exactly n bytes, newline included. */
static void push_long(struct records *r, size_t n)
{
    char text[3 * PIPE_BUF];
    size_t head =
        (size_t)snprintf(text, sizeof text, "{\"v\":1,\"type\":\"error\",\"time\":1,\"text\":\"");
    assert_true(n < sizeof text);
    memset(text + head, 'x', n - head - 3);
    memcpy(text + n - 3, "\"}\n", 3);
    records_push(r, text, n);
}

static void overlong_lines_are_skipped_to_their_end(void **state)
{
    struct records r = {0};
    (void)state;
    push_long(&r, PIPE_BUF);
    assert_int_equal(take_all(&r), 1);
    push_long(&r, PIPE_BUF + 1);
    push_long(&r, 2 * PIPE_BUF + 77);
    records_push(&r, good, strlen(good));
    assert_int_equal(take_all(&r), 1);
    assert_int_equal(r.overlong, 2);
    for (int i = 0; i < 100; i++) { /* no newline for long: nothing is kept */
        records_push(&r, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 64);
        assert_int_equal(take_all(&r), 0);
    }
    assert_true(r.in.len - r.next <= PIPE_BUF);
    records_cut(&r);
    assert_int_equal(r.overlong, 3);
    assert_int_equal(r.torn, 0);
    records_push(&r, good, strlen(good));
    assert_int_equal(take_all(&r), 1);
    records_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(record_comes_as_it_was),
        cmocka_unit_test(any_cut_gives_the_same),
        cmocka_unit_test(foreign_lines_are_counted),
        cmocka_unit_test(nul_inside_a_record_is_foreign),
        cmocka_unit_test(unknown_fields_pass),
        cmocka_unit_test(newer_version_is_counted),
        cmocka_unit_test(torn_line_is_counted_at_the_cut),
        cmocka_unit_test(torn_beginning_does_not_take_the_next_with_it),
        cmocka_unit_test(cut_keeps_whole_lines),
        cmocka_unit_test(overlong_lines_are_skipped_to_their_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
