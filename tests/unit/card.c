/* SPDX-License-Identifier: MIT */
/* CARD: what the writer writes the reader reads, and nothing malformed is taken. */
#include "card.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void writes(const char *want, const uint64_t *counts, size_t n)
{
    struct card_writer w = {.times = 0};
    for (size_t i = 0; i < n; i++)
        card_add(&w, counts[i]);
    card_close(&w);
    assert_string_equal(buf_str(&w.text), want);
    buf_free(&w.text);
}

static void runs_are_coded(void **state)
{
    (void)state;
    writes("", NULL, 0);
    writes("0", (uint64_t[]){0}, 1);
    writes("1*3", (uint64_t[]){1, 1, 1}, 3);
    writes("1*2,0,3", (uint64_t[]){1, 1, 0, 3}, 4);
    writes("0,1,0,1", (uint64_t[]){0, 1, 0, 1}, 4);
    writes("18446744073709551615", (uint64_t[]){UINT64_MAX}, 1);
}

static void closing_keeps_runs_apart(void **state)
{
    (void)state;
    struct card_writer w = {.times = 0};
    card_add(&w, 1);
    card_close(&w);
    card_close(&w);
    card_add(&w, 1);
    card_close(&w);
    assert_string_equal(buf_str(&w.text), "1,1");
    buf_free(&w.text);
}

/* Number of runs read before the end or an error; whole says which of the two. */
static size_t reads(const char *text, bool *whole)
{
    struct card_reader r = {text, text + strlen(text)};
    uint64_t count, times;
    size_t n = 0;
    while (card_next(&r, &count, &times)) {
        assert_true(times > 0);
        n++;
    }
    *whole = r.at == r.end;
    return n;
}

static void good_text_is_read(void **state)
{
    (void)state;
    static const char text[] = "1*998,0,3*2";
    struct card_reader r = {text, text + strlen(text)};
    uint64_t count, times;
    assert_true(card_next(&r, &count, &times));
    assert_int_equal(count, 1);
    assert_int_equal(times, 998);
    assert_true(card_next(&r, &count, &times));
    assert_int_equal(count, 0);
    assert_int_equal(times, 1);
    assert_true(card_next(&r, &count, &times));
    assert_int_equal(count, 3);
    assert_int_equal(times, 2);
    assert_false(card_next(&r, &count, &times));
    assert_ptr_equal(r.at, r.end);
    bool whole;
    assert_int_equal(reads("", &whole), 0);
    assert_true(whole);
}

static void bad_text_is_told(void **state)
{
    (void)state;
    static const char *const bad[] = {",",
                                      "1,",
                                      ",1",
                                      "1,,2",
                                      "x",
                                      "1x",
                                      "1*",
                                      "*1",
                                      "1*0",
                                      "1*x",
                                      "-1",
                                      "1 ",
                                      "1*2*3",
                                      "+1",
                                      "1.5",
                                      "99999999999999999999",
                                      "1*99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        bool whole;
        reads(bad[i], &whole);
        if (whole)
            fail_msg("\"%s\" was taken", bad[i]);
    }
}

static void random_counts_come_back(void **state)
{
    (void)state;
    srandom(1);
    for (int round = 0; round < 200; round++) {
        uint64_t counts[100];
        struct card_writer w = {.times = 0};
        size_t n = (size_t)random() % 100;
        for (size_t i = 0; i < n; i++) {
            counts[i] = random() % 3 ? 1 : (uint64_t)random() % 1000;
            card_add(&w, counts[i]);
        }
        card_close(&w);
        struct card_reader r = {w.text.data, w.text.data + w.text.len};
        uint64_t count, times;
        size_t at = 0;
        while (card_next(&r, &count, &times))
            for (; times > 0; times--, at++)
                assert_int_equal(counts[at], count);
        assert_int_equal(at, n);
        assert_ptr_equal(r.at, r.end);
        buf_free(&w.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_are_coded),          cmocka_unit_test(closing_keeps_runs_apart),
        cmocka_unit_test(good_text_is_read),       cmocka_unit_test(bad_text_is_told),
        cmocka_unit_test(random_counts_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
