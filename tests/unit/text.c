/* SPDX-License-Identifier: MIT */
/* Bytes made presentable, numbers read back, and the hash that must never change. */
#include "text.h"
#include "hash.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BYTES(s) s, sizeof(s) - 1

static void utf8_is_told_from_bytes(void **state)
{
    (void)state;
    assert_int_equal(text_utf8(BYTES("a")), 1);
    assert_int_equal(text_utf8(BYTES("\0")), 1);
    assert_int_equal(text_utf8(BYTES("\xc3\xa9")), 2);
    assert_int_equal(text_utf8(BYTES("\xe2\x82\xac")), 3);
    assert_int_equal(text_utf8(BYTES("\xf0\x9f\x98\x80")), 4);
    assert_int_equal(text_utf8(BYTES("")), 0);
    assert_int_equal(text_utf8(BYTES("\x80")), 0);
    assert_int_equal(text_utf8(BYTES("\xc0\xaf")), 0);         /* overlong */
    assert_int_equal(text_utf8(BYTES("\xe0\x80\xaf")), 0);     /* overlong */
    assert_int_equal(text_utf8(BYTES("\xed\xa0\x80")), 0);     /* surrogate */
    assert_int_equal(text_utf8(BYTES("\xf4\x90\x80\x80")), 0); /* beyond Unicode */
    assert_int_equal(text_utf8(BYTES("\xff")), 0);
    assert_int_equal(text_utf8(BYTES("\xe2\x82")), 0); /* cut off */
    assert_int_equal(text_utf8(BYTES("\xc3(")), 0);
}

typedef void convert(struct buf *, const char *, size_t);

static void becomes(convert *f, const char *bytes, size_t n, const char *want)
{
    struct buf b = {0};
    f(&b, bytes, n);
    assert_string_equal(buf_str(&b), want);
    buf_free(&b);
}

static void escaped_text_is_printable(void **state)
{
    (void)state;
    becomes(text_escape, BYTES("plain \xc3\xa9"), "plain \xc3\xa9");
    becomes(text_escape, BYTES("a\nb\tc\\d"), "a\\nb\\tc\\\\d");
    becomes(text_escape, BYTES("\0\x1b\x7f\xff"), "\\x00\\x1b\\x7f\\xff");
    becomes(text_escape, BYTES("\xc2\x9b"), "\\xc2\\x9b"); /* a terminal takes it for ESC [ */
}

static void json_strings_are_json(void **state)
{
    (void)state;
    becomes(text_json, BYTES(""), "\"\"");
    becomes(text_json, BYTES("a\"b\\c\n"), "\"a\\\"b\\\\c\\u000a\"");
    becomes(text_json, BYTES("\0\xc3\xa9\xff"), "\"\\u0000\xc3\xa9\\\\xff\"");
}

static void percent_words_come_back(void **state)
{
    (void)state;
    becomes(text_percent, BYTES("a b%\n/x-.y_\xff"), "a%20b%25%0A/x-.y_%FF");
    for (int c = 1; c < 256; c++) {
        char one[] = {'x', (char)c, 'y', '\0'};
        struct buf b = {0};
        text_percent(&b, one, 3);
        char *back = xstrdup(buf_str(&b));
        assert_null(strpbrk(back, " \n\t"));
        assert_true(text_unpercent(back));
        assert_string_equal(back, one);
        buf_free(&b);
        free(back);
    }
}

static void bad_percent_words_are_told(void **state)
{
    (void)state;
    char bad[][8] = {"%", "%1", "%G0", "%0", "a%00b", "%%41", "%4"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(text_unpercent(bad[i]));
    char good[] = "%41%2f";
    assert_true(text_unpercent(good));
    assert_string_equal(good, "A/");
}

static void numbers(void **state)
{
    (void)state;
    long n;
    assert_true(text_number("0", 0, 9, &n));
    assert_int_equal(n, 0);
    assert_true(text_number("9223372036854775807", 0, LONG_MAX, &n));
    assert_true(n == LONG_MAX);
    static const char *const bad[] = {
        "", "-1", "+1", " 1", "1 ", "1x", "10", "0x1", "9223372036854775808"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(text_number(bad[i], 0, 9, &n));
    assert_true(n == LONG_MAX); /* still */
}

static void sizes(void **state)
{
    (void)state;
    size_t n;
    assert_true(text_size("64M", &n));
    assert_int_equal(n, 64u << 20);
    assert_true(text_size("1", &n));
    assert_int_equal(n, 1);
    assert_true(text_size("2K", &n));
    assert_int_equal(n, 2048);
    static const char *const bad[] = {
        "", "0", "M", "1m", "1KB", "-1", "1.5M", "9223372036854775807K", "99999999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(text_size(bad[i], &n));
}

static void durations(void **state)
{
    (void)state;
    long ms;
    assert_true(text_duration("30s", &ms));
    assert_int_equal(ms, 30000);
    assert_true(text_duration("500ms", &ms));
    assert_int_equal(ms, 500);
    assert_true(text_duration("5", &ms));
    assert_int_equal(ms, 5000);
    assert_true(text_duration("2h", &ms));
    assert_int_equal(ms, 7200000);
    static const char *const bad[] = {"", "s", "1x", "1 s", "-1s", "9223372036854775807d"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(text_duration(bad[i], &ms));
}

/* The numbers come from an independent implementation; tl-sample promises that they stay. */
static void hash_is_siphash(void **state)
{
    (void)state;
    static const struct hash_key key = {{0x0706050403020100, 0x0f0e0d0c0b0a0908}};
    char bytes[16];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)i;
    assert_true(hash_bytes(&key, bytes, 0) == UINT64_C(0xabac0158050fc4dc));
    assert_true(hash_bytes(&key, bytes, 7) == UINT64_C(0xd3927d989bb11140));
    assert_true(hash_bytes(&key, bytes, 8) == UINT64_C(0x369095118d299a8e));
    assert_true(hash_bytes(&key, bytes, 15) == UINT64_C(0xd320d86d2a519956));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_is_told_from_bytes),
        cmocka_unit_test(escaped_text_is_printable),
        cmocka_unit_test(json_strings_are_json),
        cmocka_unit_test(percent_words_come_back),
        cmocka_unit_test(bad_percent_words_are_told),
        cmocka_unit_test(numbers),
        cmocka_unit_test(sizes),
        cmocka_unit_test(durations),
        cmocka_unit_test(hash_is_siphash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
