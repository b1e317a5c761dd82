/* SPDX-License-Identifier: MIT */
/*
 * Checkpoints as files: what is written comes back; of what is cut, changed or grown at any place,
 * nothing does.
 */
#include "../../router/checkpoint.h"
#include "buf.h"
#include "tagline.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[128], path[160], temporary[160];

static int make_folder(void **state)
{
    (void)state;
    const char *place = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/checkpoint-XXXXXX", place ? place : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/c", folder);
    snprintf(temporary, sizeof temporary, "%s/c.tmp", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static const char states[] = "state 0 \0 any\t\\ byte\xff\nstate 12 \nstate 3  two\n";

static struct checkpoint example(void)
{
    struct checkpoint c = {.flow = 0xfedcba9876543210,
                           .promises = xstrdup("07c"),
                           .input = {2, 300, -4},
                           .at = {100, 128, 64},
                           .read = {9, 100},
                           .nnodes = 2,
                           .nsinks = 1};
    c.nodes = xcalloc(2, sizeof *c.nodes);
    c.nodes[0] = (struct account){1, 2, 3, 4, 5, 6};
    c.nodes[1].dropped = UINT64_MAX;
    c.sinks = xcalloc(1, sizeof *c.sinks);
    c.sinks[0] = (struct tally){7, 8};
    checkpoint_add_result(&c, "a b\n%", 17, 0x0123456789abcdef);
    checkpoint_add_result(&c, "plain", 0, 0);
    return c;
}

/* The example as a file, and its bytes. */
static void make(struct buf *text)
{
    struct checkpoint c = example();
    struct checkpoint_file f;
    assert_int_equal(checkpoint_begin(&f, path, &c), 0);
    assert_int_equal(checkpoint_write(&f, states, sizeof states - 1), 0);
    assert_int_equal(access(temporary, F_OK), 0);
    assert_int_equal(checkpoint_end(&f, true), 0);
    checkpoint_close(&f);
    assert_int_equal(access(temporary, F_OK), -1);
    checkpoint_free(&c);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, buf_room(text, 4096), 4096);
    assert_true(n > 0);
    text->len = (size_t)n;
    close(fd);
}

static void put(const char *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, bytes, n), (ssize_t)n);
    close(fd);
}

/* The same with a last line that makes it whole. */
static void put_whole(const char *text, size_t n)
{
    struct buf b = {0};
    buf_add(&b, text, n);
    buf_addf(&b, "end %zu %016" PRIx64 "\n", n, checkpoint_hash(text, n));
    put(b.data, b.len);
    buf_free(&b);
}

static const char *opened(void)
{
    struct checkpoint c = {0};
    struct checkpoint_file f;
    const char *why = checkpoint_open(&f, path, &c);
    if (!why)
        checkpoint_close(&f);
    checkpoint_free(&c);
    return why;
}

static void test_comes_back(void **state)
{
    struct checkpoint want = example(), got = {0};
    struct checkpoint_file f;
    struct buf text = {0}, again = {0};
    const char *payload;
    size_t lane, n;
    (void)state;
    make(&text);
    assert_null(checkpoint_open(&f, path, &got));
    checkpoint_print(&want, &again);
    size_t head = again.len;
    again.len = 0;
    checkpoint_print(&got, &again);
    assert_int_equal(again.len, head);
    assert_memory_equal(again.data, text.data, head);
    assert_string_equal(got.results[0].name, "a b\n%");
    assert_int_equal(checkpoint_state(&f, &lane, &payload, &n), 1);
    assert_int_equal(lane, 0);
    assert_int_equal(n, 13);
    assert_memory_equal(payload, "\0 any\t\\ byte\xff", n);
    assert_int_equal(checkpoint_state(&f, &lane, &payload, &n), 1);
    assert_int_equal(lane, 12);
    assert_int_equal(n, 0);
    assert_int_equal(checkpoint_state(&f, &lane, &payload, &n), 1);
    assert_int_equal(lane, 3);
    assert_memory_equal(payload, " two", n);
    assert_int_equal(checkpoint_state(&f, &lane, &payload, &n), 0);
    assert_int_equal(checkpoint_state(&f, &lane, &payload, &n), 0);
    checkpoint_close(&f);
    checkpoint_free(&want);
    checkpoint_free(&got);
    buf_free(&text);
    buf_free(&again);
}

static void test_large_states(void **state)
{
    enum { LINES = 3, LONG = 700000 };
    struct checkpoint c = example(), got = {0};
    struct checkpoint_file f;
    struct buf line = {0};
    const char *payload;
    size_t lane, n;
    (void)state;
    buf_adds(&line, "state 1 ");
    memset(buf_room(&line, LONG), 'x', LONG);
    line.len += LONG;
    buf_addc(&line, '\n');
    assert_int_equal(checkpoint_begin(&f, path, &c), 0);
    for (int i = 0; i < LINES; i++)
        assert_int_equal(checkpoint_write(&f, line.data, line.len), 0);
    assert_int_equal(checkpoint_end(&f, false), 0);
    checkpoint_close(&f);
    assert_null(checkpoint_open(&f, path, &got));
    for (int i = 0; i < LINES; i++) {
        assert_int_equal(checkpoint_state(&f, &lane, &payload, &n), 1);
        assert_int_equal(n, LONG);
        assert_int_equal(payload[n - 1], 'x');
    }
    assert_int_equal(checkpoint_state(&f, &lane, &payload, &n), 0);
    checkpoint_close(&f);
    checkpoint_free(&c);
    checkpoint_free(&got);
    buf_free(&line);
}

static void test_damaged(void **state)
{
    struct buf text = {0};
    (void)state;
    make(&text);
    for (size_t n = 0; n < text.len; n++) {
        put(text.data, n);
        assert_string_equal(opened(), n ? "is cut short" : "is empty");
    }
    for (size_t i = 0; i < text.len; i++)
        for (int bit = 0; bit < 8; bit++) {
            text.data[i] = (char)(text.data[i] ^ 1 << bit);
            put(text.data, text.len);
            assert_non_null(opened());
            text.data[i] = (char)(text.data[i] ^ 1 << bit);
        }
    buf_addc(&text, '\n');
    put(text.data, text.len);
    assert_string_equal(opened(), "is cut short");
    memset(text.data, 0, text.len); /* what a power cut may leave */
    put(text.data, text.len);
    assert_string_equal(opened(), "is cut short");
    buf_free(&text);
}

static void test_other(void **state)
{
    static const char *const none[] = {
        "",
        "\n",
        "something else\n",
        "tagline-checkpoint 1 " TL_VERSION "\n",
        "tagline-checkpoint 1 " TL_VERSION "\nflow 0 0\n",
        "tagline-checkpoint 1 " TL_VERSION "\nflow 0 0\nat 0 1 1 0 0\nwhat\n",
        "tagline-checkpoint 1 " TL_VERSION "\nflow 0 0\nat 0 1 1 0 0\nsink 1 1\0\n",
    };
    (void)state;
    unlink(path);
    assert_string_equal(opened(), "");
    for (size_t i = 0; i < sizeof none / sizeof *none - 1; i++) {
        put_whole(none[i], strlen(none[i]));
        assert_non_null(opened());
    }
    put_whole(none[6], strlen(none[6]) + 2); /* the NUL too */
    assert_string_equal(opened(), "makes no sense");
    put_whole("tagline-checkpoint 2 9.9\nnew 1\n", 31);
    assert_string_equal(opened(), "is of another version");
    put_whole("tagline-checkpoint 1 0.0.0\n", 27);
    assert_string_equal(opened(), "is of another version");
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_string_equal(opened(), "cannot be read");
    rmdir(path);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_string_equal(opened(), "cannot be opened");
}

static void test_lines(void **state)
{
    static const char *const good[] = {
        "flow 0 0",       "flow ffffffffffffffff 0f", "input 0 0 0", "input 2 3 -4",
        "at 0 1 1 0 0",   "node 0 0 0 0 0 0",         "sink 0 0",    "result x 0 0",
        "result %0A 1 f",
    };
    static const char *const bad[] = {
        "",
        " ",
        "flow",
        "flow 0",
        "flow 0 ",
        "flow  0 0",
        "flow x 0",
        "flow 0 0 0",
        "flow 10000000000000000 0",
        "input 2 3",
        "input 2 3 --4",
        "input 2 3 -",
        "input -1 3 4",
        "input 2 3 99999999999999999999",
        "at 1 1 1 0 0",
        "at 0 2 1 0 0",
        "at 0 1 0 0 0",
        "at 0 1 1 0",
        "at +0 1 1 0 0",
        "node 0 0 0 0 0",
        "node 0 0 0 0 0 0 0",
        "node 0 0 0 0 0 18446744073709551616",
        "sink 0",
        "sink 0 0x1",
        "result x 0",
        "result %0 0 0",
        "result %00 0 0",
        "result x -1 0",
        "result x 9223372036854775808 0",
        "result x 0 g",
        "state 0 x",
        "end 0 0",
        "Flow 0 0",
    };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct checkpoint c = {0};
        char *line = xstrdup(good[i]);
        assert_true(checkpoint_take(&c, line));
        free(line);
        checkpoint_free(&c);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct checkpoint c = {0};
        char *line = xstrdup(bad[i]);
        if (checkpoint_take(&c, line))
            fail_msg("taken: %s", bad[i]);
        free(line);
        checkpoint_free(&c);
    }
}

static void test_not_written(void **state)
{
    struct checkpoint c = example();
    struct checkpoint_file f;
    (void)state;
    unlink(path);
    assert_int_equal(checkpoint_begin(&f, path, &c), 0);
    checkpoint_close(&f); /* given up */
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(access(temporary, F_OK), -1);
    assert_int_equal(checkpoint_begin(&f, "/nowhere/c", &c), -1);
    assert_int_equal(errno, ENOENT);
    checkpoint_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_back), cmocka_unit_test(test_large_states),
        cmocka_unit_test(test_damaged),    cmocka_unit_test(test_other),
        cmocka_unit_test(test_lines),      cmocka_unit_test(test_not_written),
    };
    return cmocka_run_group_tests_name("router-checkpoint", tests, make_folder, remove_folder);
}
