/* SPDX-License-Identifier: MIT */
/* The journal's text: what is whole is read back, and every cut or changed byte is found out. */
#include "../../supervisor/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct record sample(void)
{
    struct record r = {0};
    struct identity a = {.inode = 12, .size = 0, .mtime = -5, .ctime = 7};
    struct identity b = {.inode = 18446744073709551615u, .size = 9223372036854775807};
    record_add(&r, &a, ".tagline/work/1/a b\n%\xff", "output/a b\n%\xff");
    record_add(&r, &b, "underprocess/x", "processed/x.~2~");
    return r;
}

static void whole(void **state)
{
    (void)state;
    struct record r = sample(), back = {0};
    struct buf text = {0};
    journal_print(&r, &text);
    assert_int_equal(journal_parse(text.data, text.len, &back), JOURNAL_WHOLE);
    assert_int_equal(back.n, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(back.moves[i].from, r.moves[i].from);
        assert_string_equal(back.moves[i].to, r.moves[i].to);
        assert_true(back.moves[i].id.inode == r.moves[i].id.inode);
        assert_true(back.moves[i].id.size == r.moves[i].id.size);
        assert_true(back.moves[i].id.mtime == r.moves[i].id.mtime);
        assert_true(back.moves[i].id.ctime == r.moves[i].id.ctime);
        assert_false(back.moves[i].done);
    }
    record_free(&r);
    record_free(&back);
    buf_free(&text);
}

static void cut_anywhere(void **state)
{
    (void)state;
    struct record r = sample(), back = {0};
    struct buf text = {0};
    journal_print(&r, &text);
    for (size_t n = 0; n < text.len; n++) {
        assert_int_not_equal(journal_parse(text.data, n, &back), JOURNAL_WHOLE);
        assert_int_equal(back.n, 0);
    }
    record_free(&r);
    buf_free(&text);
}

static void changed_anywhere(void **state)
{
    (void)state;
    struct record r = sample(), back = {0};
    struct buf text = {0};
    journal_print(&r, &text);
    for (size_t i = 0; i < text.len; i++) {
        text.data[i] ^= 1;
        assert_int_not_equal(journal_parse(text.data, text.len, &back), JOURNAL_WHOLE);
        text.data[i] ^= 1;
        char kept = text.data[i];
        text.data[i] = '\0';
        assert_int_not_equal(journal_parse(text.data, text.len, &back), JOURNAL_WHOLE);
        text.data[i] = kept;
    }
    record_free(&r);
    buf_free(&text);
}

static void foreign(void **state)
{
    (void)state;
    static const char text[] = "tagline-journal 2\nsomething new\n";
    struct record back = {0};
    assert_int_equal(journal_parse(text, sizeof text - 1, &back), JOURNAL_FOREIGN);
    assert_int_equal(journal_parse(text, 10, &back), JOURNAL_TORN);
    assert_int_equal(journal_parse("", 0, &back), JOURNAL_TORN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(changed_anywhere),
        cmocka_unit_test(foreign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
