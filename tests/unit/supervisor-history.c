/* SPDX-License-Identifier: MIT */
/* The runs of a file, and who is to blame for a flow that cannot run. */
#include "../../supervisor/blame.h"
#include "../../supervisor/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void is_printed(const struct history *h, const char *expected)
{
    struct buf b = {0};
    history_print(h, &b);
    assert_string_equal(buf_str(&b), expected);
    buf_free(&b);
}

static void runs_are_told(void **state)
{
    (void)state;
    struct history h = {0};
    history_end(&h, 75); /* of nothing */
    history_undo(&h);
    is_printed(&h, "");
    history_begin(&h, 1000);
    history_end(&h, 75);
    history_begin(&h, 2000);
    assert_int_equal(h.runs, 2);
    is_printed(&h, "1000:75,2000:0");
    history_undo(&h);
    assert_int_equal(h.runs, 1);
    is_printed(&h, "1000:75");
}

static void the_last_runs_are_told(void **state)
{
    (void)state;
    struct history h = {0};
    for (int i = 1; i <= HISTORY_TOLD + 5; i++)
        history_begin(&h, i);
    assert_int_equal(h.runs, HISTORY_TOLD + 5);
    assert_int_equal(h.n, HISTORY_TOLD);
    assert_int_equal(h.told[0].began, 6);
    assert_int_equal(h.told[h.n - 1].began, HISTORY_TOLD + 5);
    history_undo(&h);
    assert_int_equal(h.runs, HISTORY_TOLD + 4);
    assert_int_equal(h.told[h.n - 1].began, HISTORY_TOLD + 4);
}

static void reads_back(const char *text, const char *expected)
{
    struct history h = {0};
    history_parse(&h, text);
    is_printed(&h, expected);
}

/* What is torn or strange is left out, and never more is told than there is room for. */
static void any_text_is_parsed(void **state)
{
    (void)state;
    struct history h = {0};
    struct buf b = {0};
    reads_back("1000:75,2000:0", "1000:75,2000:0");
    reads_back("1000:75,20", "1000:75");
    reads_back("1000:75,", "1000:75");
    reads_back("1000:75;2000:0", "1000:75");
    static const char *const none[] = {"", ",", ":", "x", "1000", "1000:", ":75", "1000:x"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        reads_back(none[i], "");
    for (int i = 1; i <= 100; i++)
        buf_addf(&b, "%d:75,", i);
    history_parse(&h, buf_str(&b));
    assert_int_equal(h.n, HISTORY_TOLD);
    assert_int_equal(h.told[h.n - 1].began, 100);
    buf_free(&b);
}

/* The first time it is believed that the flow is at fault, and again if nothing went well. */
static void blamed_if_others_went_well(void **state)
{
    (void)state;
    struct blame b = {0};
    assert_int_equal(blame_file(&b, "bad", 1, b.era), BLAMED_FLOW);
    blame_good(&b, 0); /* began before the hold: says nothing */
    blame_next_era(&b);
    assert_int_equal(blame_file(&b, "bad", 1, b.era), BLAMED_FLOW_AGAIN);
    blame_good(&b, b.era);
    assert_int_equal(blame_file(&b, "bad", 1, b.era), BLAMED_FILE);
    assert_int_equal(blame_file(&b, "bad", 1, b.era), BLAMED_FLOW); /* put back from failed */
    blame_free(&b);
}

static void another_file_of_that_name_is_not_blamed(void **state)
{
    (void)state;
    struct blame b = {0};
    assert_int_equal(blame_file(&b, "x", 1, b.era), BLAMED_FLOW);
    blame_next_era(&b);
    blame_good(&b, b.era);
    assert_int_equal(blame_file(&b, "x", 2, b.era), BLAMED_FLOW);
    assert_int_equal(blame_file(&b, "y", 1, b.era), BLAMED_FLOW);
    blame_next_era(&b);
    blame_good(&b, b.era);
    assert_int_equal(blame_file(&b, "x", 2, b.era), BLAMED_FILE);
    blame_free(&b);
}

static void suspects_are_bounded(void **state)
{
    (void)state;
    struct blame b = {0};
    char name[16];
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_int_equal(blame_file(&b, name, 1, 0), BLAMED_FLOW);
        assert_in_range(b.files.count, 1, 1000);
    }
    blame_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_are_told),
        cmocka_unit_test(the_last_runs_are_told),
        cmocka_unit_test(any_text_is_parsed),
        cmocka_unit_test(blamed_if_others_went_well),
        cmocka_unit_test(another_file_of_that_name_is_not_blamed),
        cmocka_unit_test(suspects_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
