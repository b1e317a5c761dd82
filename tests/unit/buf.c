/* SPDX-License-Identifier: MIT */
/* The byte buffer, and the set of byte strings that stands on it. */
#include "buf.h"
#include "set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

static void grows_and_keeps(void **state)
{
    (void)state;
    struct buf b = {0};
    for (int i = 0; i < 100000; i++)
        buf_addc(&b, (char)('a' + i % 26));
    assert_int_equal(b.len, 100000);
    assert_true(b.cap >= b.len);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(b.data[i], 'a' + i % 26);
    buf_free(&b);
    assert_null(b.data);
    assert_int_equal(b.cap, 0);
}

static void adds_bytes_strings_and_formats(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_add(&b, "a\0b", 3);
    buf_add(&b, NULL, 0);
    buf_adds(&b, "cd");
    buf_addf(&b, "%d-%s", 42, "e");
    assert_int_equal(b.len, 9);
    assert_memory_equal(b.data, "a\0bcd42-e", 9);
    assert_int_equal(buf_str(&b)[9], '\0');
    assert_int_equal(b.len, 9);
    buf_free(&b);
}

static void a_long_format_fits(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_addf(&b, "%0*d", 5000, 7);
    assert_int_equal(b.len, 5000);
    assert_int_equal(b.data[4999], '7');
    buf_free(&b);
}

static void shift_drops_the_front(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_shift(&b, 0);
    buf_adds(&b, "abcdef");
    buf_shift(&b, 2);
    assert_string_equal(buf_str(&b), "cdef");
    buf_shift(&b, 4);
    assert_string_equal(buf_str(&b), "");
    buf_free(&b);
}

static void room_does_not_count(void **state)
{
    (void)state;
    struct buf b = {0};
    memcpy(buf_room(&b, 10), "0123456789", 10);
    assert_int_equal(b.len, 0);
    b.len = 4;
    assert_string_equal(buf_str(&b), "0123");
    buf_free(&b);
}

/* What must die, dies with its status: run it in a child. */
static int status_of(void (*f)(void))
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(1);
        f();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void ask_too_much(void)
{
    struct buf b = {0};
    buf_room(&b, SIZE_MAX - 1);
}

static void overflow(void)
{
    xrealloc(NULL, SIZE_MAX / 2, 3);
}

static void too_much_dies(void **state)
{
    (void)state;
    assert_int_equal(status_of(ask_too_much), EX_TEMPFAIL);
    assert_int_equal(status_of(overflow), EX_TEMPFAIL);
}

static void set_finds_what_was_added(void **state)
{
    (void)state;
    struct set s = {0};
    char key[32];
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 5000; i++) {
            int n = snprintf(key, sizeof key, "key %d", i);
            struct set_item *item = set_add(&s, key, (size_t)n);
            assert_int_equal(item->count, round);
            item->count++;
        }
    assert_int_equal(s.len, 5000);
    assert_string_equal(s.items[0].key, "key 0");
    assert_string_equal(s.items[4999].key, "key 4999");
    set_clear(&s);
    assert_int_equal(s.len, 0);
    assert_int_equal(set_add(&s, "key 0", 5)->count, 0);
    set_clear(&s);
}

static void set_keys_are_bytes(void **state)
{
    (void)state;
    struct set s = {0};
    set_add(&s, "", 0)->count = 1;
    set_add(&s, "\0", 1)->count = 2;
    set_add(&s, "\0\0", 2)->count = 3;
    set_add(&s, "\xff", 1)->count = 4;
    set_add(&s, "a", 1)->count = 5;
    assert_int_equal(s.len, 5);
    assert_int_equal(set_add(&s, "\0", 1)->count, 2);
    set_sort(&s);
    static const uint64_t order[] = {1, 2, 3, 5, 4};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(s.items[i].count, order[i]);
    set_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_keeps),
        cmocka_unit_test(adds_bytes_strings_and_formats),
        cmocka_unit_test(a_long_format_fits),
        cmocka_unit_test(shift_drops_the_front),
        cmocka_unit_test(room_does_not_count),
        cmocka_unit_test(too_much_dies),
        cmocka_unit_test(set_finds_what_was_added),
        cmocka_unit_test(set_keys_are_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
