/* SPDX-License-Identifier: MIT */
/* Which files may be taken when, without a file. */
#include "../../supervisor/waiting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SETTLE = 2000 };

static struct identity file_of(int64_t size, int64_t mtime)
{
    return (struct identity){.inode = 1, .size = size, .mtime = mtime, .regular = true};
}

static struct choice all; /* of a choice without rules */

static void begin(struct waiting *w)
{
    waiting_init(w, SETTLE, &all);
}

static void is_first(const struct waiting *w, const char *name)
{
    const struct waiting_file *f = waiting_first(w);
    assert_non_null(f);
    assert_string_equal(f->name, name);
}

static void complete_is_ready(void **state)
{
    (void)state;
    struct waiting w;
    struct identity id = file_of(10, 1);
    begin(&w);
    waiting_created(&w, "a", 1000);
    assert_null(waiting_first(&w));
    assert_false(waiting_seen(&w, "a", &id, true, 0, 1001));
    is_first(&w, "a");
    assert_int_equal(waiting_count(&w), 1);
    assert_int_equal(w.bytes, 10);
    waiting_forget(&w, waiting_first(&w));
    assert_null(waiting_first(&w));
    assert_int_equal(w.bytes, 0);
    waiting_free(&w);
}

static void old_is_ready_and_young_settles(void **state)
{
    (void)state;
    struct waiting w;
    struct identity id = file_of(10, 1);
    begin(&w);
    waiting_seen(&w, "old", &id, false, SETTLE, 100);
    is_first(&w, "old");
    waiting_seen(&w, "young", &id, false, 500, 100);
    assert_null(waiting_due(&w, 1500));
    assert_in_range(waiting_next_due(&w), 1600, 1650);
    struct waiting_file *f = waiting_due(&w, 1700);
    assert_string_equal(f->name, "young");
    waiting_seen(&w, "young", &id, false, 2100, 1700);
    assert_int_equal(f->state, WAITING_READY);
    waiting_free(&w);
}

/* The clock of the wall stands still or lies; ours does not. */
static void future_settles_by_our_clock(void **state)
{
    (void)state;
    struct waiting w;
    struct identity id = file_of(10, 1), grown = file_of(11, 1);
    begin(&w);
    waiting_seen(&w, "f", &id, false, -86400000, 0);
    struct waiting_file *f = waiting_find(&w, "f");
    assert_ptr_equal(waiting_due(&w, SETTLE), f);
    waiting_seen(&w, "f", &grown, false, -86400000, SETTLE); /* it grew: from the beginning */
    assert_int_equal(f->state, WAITING_SETTLING);
    assert_null(waiting_due(&w, SETTLE + SETTLE - 1));
    assert_ptr_equal(waiting_due(&w, 2 * SETTLE), f);
    waiting_seen(&w, "f", &grown, false, -86400000, 2 * SETTLE);
    is_first(&w, "f");
    assert_int_equal(w.bytes, 11);
    waiting_free(&w);
}

static void refused_once(void **state)
{
    (void)state;
    struct waiting w;
    struct identity link = {.inode = 3, .size = 7}, id = file_of(10, 1);
    begin(&w);
    assert_true(waiting_seen(&w, "l", &link, true, 0, 0));
    assert_false(waiting_seen(&w, "l", &link, false, 0, 10));
    assert_int_equal(w.refused, 1);
    assert_int_equal(waiting_count(&w), 0);
    assert_int_equal(w.bytes, 0);
    waiting_seen(&w, "l", &id, true, 0, 20); /* a file took its place */
    is_first(&w, "l");
    assert_int_equal(w.refused, 0);
    waiting_free(&w);
}

static void blocked_and_unblocked(void **state)
{
    (void)state;
    struct waiting w;
    struct identity id = file_of(10, 1);
    begin(&w);
    waiting_seen(&w, "a", &id, true, 0, 0);
    waiting_seen(&w, "b", &id, true, 0, 0);
    waiting_block(&w, waiting_first(&w), 1000, 0);
    is_first(&w, "b");
    assert_int_equal(w.blocked, 1);
    waiting_unblock(&w, "a");
    waiting_unblock(&w, "no such");
    assert_int_equal(w.blocked, 0);
    waiting_forget(&w, waiting_first(&w));
    is_first(&w, "a");
    waiting_free(&w);
}

/* That we moved the file in ourselves makes it no new one; that it changed does. */
static void delayed_until_due(void **state)
{
    (void)state;
    struct waiting w;
    struct identity id = file_of(10, 1);
    begin(&w);
    waiting_seen(&w, "a", &id, true, 0, 0);
    waiting_delay(&w, waiting_first(&w), 1000, 0);
    assert_false(waiting_seen(&w, "a", &id, true, 0, 10));
    assert_null(waiting_first(&w));
    assert_int_equal(w.blocked, 0);
    assert_int_equal(waiting_count(&w), 1);
    waiting_unblock(&w, "a");
    assert_null(waiting_first(&w));
    assert_null(waiting_due(&w, 999));
    assert_non_null(waiting_due(&w, 1000));
    waiting_seen(&w, "a", &id, false, SETTLE, 1000);
    is_first(&w, "a");
    waiting_delay(&w, waiting_first(&w), 1000, 1000);
    id.size++;
    waiting_seen(&w, "a", &id, true, 0, 1010);
    is_first(&w, "a");
    waiting_free(&w);
}

static void unseen_is_forgotten(void **state)
{
    (void)state;
    struct waiting w;
    struct identity id = file_of(10, 1);
    begin(&w);
    waiting_seen(&w, "gone", &id, true, 0, 0);
    waiting_begin_pass(&w);
    waiting_seen(&w, "there", &id, true, 0, 0);
    waiting_created(&w, "new", 0);
    waiting_end_pass(&w);
    assert_null(waiting_find(&w, "gone"));
    is_first(&w, "there");
    assert_non_null(waiting_find(&w, "new"));
    waiting_free(&w);
}

/* A great many files are neither slow nor more than can be known at a time. */
static void many(void **state)
{
    (void)state;
    struct waiting w;
    struct identity id = file_of(1, 5);
    char name[32];
    begin(&w);
    for (int i = 0; i < WAITING_MOST + 10; i++) {
        snprintf(name, sizeof name, "f%d", i);
        waiting_seen(&w, name, &id, i % 2, 0, i);
    }
    assert_int_equal(waiting_count(&w), WAITING_MOST);
    assert_int_equal(waiting_oldest(&w), 5);
    size_t taken = 0;
    for (struct waiting_file *f; (f = waiting_first(&w)); taken++)
        waiting_forget(&w, f);
    assert_int_equal(taken, WAITING_MOST / 2);
    long long now = WAITING_MOST + SETTLE + 100;
    for (struct waiting_file *f; (f = waiting_due(&w, now)); taken++) {
        memcpy(name, f->name, strlen(f->name) + 1);
        waiting_seen(&w, name, &id, false, 0, now);
        assert_int_equal(f->state, WAITING_READY);
    }
    assert_int_equal(taken, WAITING_MOST);
    waiting_free(&w);
}

static void add(struct waiting *w, const char *name)
{
    struct identity id = file_of(1, 1);
    waiting_seen(w, name, &id, true, 0, 0);
}

static void take(struct waiting *w, const char *name)
{
    is_first(w, name);
    waiting_taken(w, waiting_first(w));
}

/* Higher ones first, in the order in which they came; the first rule that fits decides. */
static void priorities(void **state)
{
    (void)state;
    struct choice c = {0};
    struct waiting w;
    assert_true(choice_priority(&c, "urgent-*=10"));
    assert_true(choice_priority(&c, "*=slow*=-5"));
    assert_true(choice_priority(&c, "urgent*=99"));
    choice_close(&c);
    waiting_init(&w, SETTLE, &c);
    add(&w, "a=slow");
    add(&w, "b");
    add(&w, "urgent-1");
    add(&w, "c");
    add(&w, "urgent2");
    add(&w, "urgent-3");
    take(&w, "urgent2");
    take(&w, "urgent-1");
    take(&w, "urgent-3");
    take(&w, "b");
    take(&w, "c");
    take(&w, "a=slow");
    assert_null(waiting_first(&w));
    waiting_free(&w);
    choice_free(&c);
}

/* However many urgent ones come, one in WAITING_FAIR is the one that has waited longest. */
static void none_starves(void **state)
{
    (void)state;
    struct choice c = {0};
    struct waiting w;
    char name[32];
    choice_priority(&c, "u*=1");
    choice_close(&c);
    waiting_init(&w, SETTLE, &c);
    add(&w, "u0");
    add(&w, "low1");
    add(&w, "low2");
    int urgent = 1;
    for (int i = 0; i < 4 * WAITING_FAIR; i++) {
        snprintf(name, sizeof name, "u%d", urgent++);
        add(&w, name);
        struct waiting_file *f = waiting_first(&w);
        if (i == WAITING_FAIR - 1)
            assert_string_equal(f->name, "low1");
        else if (i == 2 * WAITING_FAIR - 1)
            assert_string_equal(f->name, "low2");
        else
            assert_int_equal(f->name[0], 'u');
        waiting_taken(&w, f);
    }
    waiting_free(&w);
    choice_free(&c);
}

/* What is urgent is known, too, when more others wait than can be known. */
static void urgent_among_many(void **state)
{
    (void)state;
    struct choice c = {0};
    struct waiting w;
    char name[32];
    choice_priority(&c, "low*=-1");
    choice_priority(&c, "now*=1");
    choice_close(&c);
    waiting_init(&w, SETTLE, &c);
    for (int i = 0; i < WAITING_MOST; i++) {
        snprintf(name, sizeof name, "f%d", i);
        add(&w, name);
    }
    add(&w, "one-more");
    add(&w, "low-one");
    add(&w, "now-one");
    assert_null(waiting_find(&w, "one-more"));
    assert_null(waiting_find(&w, "low-one"));
    is_first(&w, "now-one");
    waiting_free(&w);
    choice_free(&c);
}

static void chosen(void **state)
{
    (void)state;
    struct choice c = {0};
    choice_close(&c);
    assert_true(choice_takes(&c, "any"));
    assert_false(choice_takes(&c, ".hidden"));
    assert_false(choice_takes(&c, "x.tmp"));
    choice_include(&c, "*.log");
    choice_include(&c, "[ab]?");
    choice_exclude(&c, "debug*");
    assert_true(choice_takes(&c, "x.log"));
    assert_true(choice_takes(&c, "\xff\n.log"));
    assert_true(choice_takes(&c, "a1"));
    assert_false(choice_takes(&c, "c1"));
    assert_false(choice_takes(&c, "debug.log"));
    assert_false(choice_takes(&c, ".x.log"));
    choice_free(&c);
}

static void wrong_priorities(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "x", "=1", "x=", "x=one", "x=1001", "x=-1001", "x=1 "};
    struct choice c = {0};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(choice_priority(&c, wrong[i]));
    choice_free(&c);
}

int main(void)
{
    choice_close(&all);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(complete_is_ready),
        cmocka_unit_test(old_is_ready_and_young_settles),
        cmocka_unit_test(future_settles_by_our_clock),
        cmocka_unit_test(refused_once),
        cmocka_unit_test(blocked_and_unblocked),
        cmocka_unit_test(delayed_until_due),
        cmocka_unit_test(unseen_is_forgotten),
        cmocka_unit_test(many),
        cmocka_unit_test(priorities),
        cmocka_unit_test(none_starves),
        cmocka_unit_test(urgent_among_many),
        cmocka_unit_test(chosen),
        cmocka_unit_test(wrong_priorities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
