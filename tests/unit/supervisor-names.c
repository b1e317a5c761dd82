/* SPDX-License-Identifier: MIT */
/* Names, versions of names, failure classes and back-off. */
#include "../../supervisor/class.h"
#include "../../supervisor/dict.h"
#include "../../supervisor/names.h"
#include "contract.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void unfinished(void **state)
{
    (void)state;
    static const char *const yes[] = {".", "..", ".x", "x.part", "x.tmp", ".part", "x.y.tmp"};
    static const char *const no[] = {"x", "part", "tmp", "x.part.gz", "x.tmp~", "-x", "x."};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        assert_true(names_unfinished(yes[i]));
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_false(names_unfinished(no[i]));
}

static void is_version(const char *name, unsigned long version, const char *expected)
{
    struct buf b = {0};
    names_version(&b, name, version, NAME_BYTES);
    assert_string_equal(buf_str(&b), expected);
    buf_free(&b);
}

static void versions(void **state)
{
    (void)state;
    is_version("x", 1, "x");
    is_version("x", 2, "x.~2~");
    is_version("x.~2~", 2, "x.~2~.~2~");
    is_version("x", 18446744073709551615u, "x.~18446744073709551615~");
}

static void is_version_of(const char *name, long expected)
{
    size_t n = 0;
    assert_int_equal(names_unversioned(name, &n) ? (long)n : -1, expected);
}

static void versions_are_known(void **state)
{
    (void)state;
    is_version_of("x.~2~", 1);
    is_version_of("x.~2~.~13~", 5);
    static const char *const none[] = {"x",    "x~",   "~",    "",      "x.~~",
                                       "x.~2", "x~2~", ".~2~", "x.~2a~"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        is_version_of(none[i], -1);
}

/* A name of 255 bytes keeps its length, and a character is kept whole or goes. */
static void long_names(void **state)
{
    (void)state;
    static const char *const parts[] = {"x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                                        "\x80"};
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
        char name[NAME_BYTES + 1] = "";
        size_t part = strlen(parts[p]);
        struct buf b = {0};
        for (size_t n = 0; n + part <= NAME_BYTES; n += part)
            memcpy(name + n, parts[p], part);
        names_version(&b, name, 1, NAME_BYTES);
        assert_string_equal(buf_str(&b), name);
        b.len = 0;
        names_version(&b, name, 2, NAME_BYTES);
        assert_in_range(b.len, NAME_BYTES - 3, NAME_BYTES);
        assert_int_equal((b.len - strlen(".~2~")) % part, 0);
        assert_memory_equal(b.data, name, b.len - strlen(".~2~"));
        b.len = 0;
        names_reason(&b, name, 12);
        assert_in_range(b.len, NAME_BYTES - 3, NAME_BYTES);
        assert_non_null(strstr(buf_str(&b), ".~12~.reason"));
        buf_free(&b);
    }
}

static void classes(void **state)
{
    (void)state;
    static const int data[] = {1, 65, 66, 67, 70, 76, 77, 200, -1};
    static const int temporary[] = {71, 73, 74, 75};
    static const int operators[] = {64, 69, 78, 126, 127};
    assert_int_equal(class_of(0), OUTCOME_DONE);
    for (size_t i = 0; i < sizeof data / sizeof *data; i++)
        assert_int_equal(class_of(data[i]), OUTCOME_DATA);
    for (size_t i = 0; i < sizeof temporary / sizeof *temporary; i++)
        assert_int_equal(class_of(temporary[i]), OUTCOME_TEMPORARY);
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        assert_int_equal(class_of(operators[i]), OUTCOME_OPERATOR);
}

static void storms(void **state)
{
    (void)state;
    static const int errors[] = {ENOSPC, EDQUOT, EROFS, EMFILE, ENFILE, ENOMEM, EAGAIN, EIO};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        assert_true(class_storm(errors[i]));
    assert_false(class_storm(ENOENT) || class_storm(EACCES) || class_storm(0));
}

static void backoff(void **state)
{
    (void)state;
    long expected[] = {0, 1000, 2000, 4000, 8000, 10000, 10000};
    for (long run = 1; run <= 6; run++)
        for (unsigned long chance = 0; chance < 20000; chance += 37) {
            long wait = class_backoff(1000, 10000, run, chance);
            assert_in_range(wait, expected[run] / 2, expected[run]);
        }
    assert_int_equal(class_backoff(1000, 10000, 1, 0), 1000);
    assert_int_equal(class_backoff(0, 0, 1000000, 12345), 0);
    assert_in_range(class_backoff(1, 9223372036854775807, 1000, 0), 1, 9223372036854775807);
}

struct thing {
    struct dict_link link;
    char name[16];
};

static size_t dropped;

static void drop(struct dict_link *link)
{
    dropped++;
    free(link);
}

static void dict(void **state)
{
    (void)state;
    enum { MANY = 5000 };
    struct dict d = {0};
    char name[16];
    assert_null(dict_find(&d, "1"));
    for (int i = 0; i < MANY; i++) {
        struct thing *t = calloc(1, sizeof *t);
        snprintf(t->name, sizeof t->name, "%d", i);
        dict_add(&d, &t->link, t->name);
    }
    for (int i = 0; i < MANY; i += 2) {
        snprintf(name, sizeof name, "%d", i);
        struct dict_link *l = dict_find(&d, name);
        assert_non_null(l);
        dict_remove(&d, l);
        free(l);
    }
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_int_equal(dict_find(&d, name) != NULL, i % 2);
    }
    dict_clear(&d, drop);
    assert_int_equal(dropped, MANY / 2);
    assert_int_equal(d.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unfinished), cmocka_unit_test(versions),
        cmocka_unit_test(long_names), cmocka_unit_test(versions_are_known),
        cmocka_unit_test(classes),    cmocka_unit_test(storms),
        cmocka_unit_test(backoff),    cmocka_unit_test(dict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
