/* SPDX-License-Identifier: MIT */
/* Bytes made presentable, and numbers read back. */
#include "text.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Well-formed byte sequences as in Unicode 15, table 3-7. */
size_t text_utf8(const char *s, size_t n)
{
    const unsigned char *u = (const unsigned char *)s;
    if (n == 0)
        return 0;
    if (u[0] < 0x80)
        return 1;
    size_t len = u[0] >= 0xf0 ? 4 : u[0] >= 0xe0 ? 3 : 2;
    if (u[0] < 0xc2 || u[0] > 0xf4 || len > n)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((u[i] & 0xc0) != 0x80)
            return 0;
    if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) ||
        (u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f))
        return 0;
    return len;
}

/* Append the sequence at s, n left, as text_escape does; returns how many bytes were taken. */
static size_t escape_one(struct buf *to, const char *s, size_t n)
{
    unsigned char c = (unsigned char)*s;
    size_t len = text_utf8(s, n);
    bool c1 = len == 2 && c == 0xc2 && (unsigned char)s[1] < 0xa0; /* terminal control characters */
    if (len == 0 || c1 || c < ' ' || c == 127) {
        if (c == '\n')
            buf_adds(to, "\\n");
        else if (c == '\t')
            buf_adds(to, "\\t");
        else
            buf_addf(to, "\\x%02x", c);
        return 1;
    }
    if (c == '\\')
        buf_addc(to, '\\');
    buf_add(to, s, len);
    return len;
}

void text_escape(struct buf *to, const char *s, size_t n)
{
    for (size_t i = 0; i < n;)
        i += escape_one(to, s + i, n - i);
}

void text_json(struct buf *to, const char *s, size_t n)
{
    buf_addc(to, '"');
    for (size_t i = 0; i < n;) {
        unsigned char c = (unsigned char)s[i];
        size_t len = text_utf8(s + i, n - i);
        if (len == 0)
            buf_addf(to, "\\\\x%02x", c);
        else if (c < ' ' || c == 127)
            buf_addf(to, "\\u%04x", c);
        else if (c == '"' || c == '\\')
            buf_addf(to, "\\%c", c);
        else
            buf_add(to, s + i, len);
        i += len ? len : 1;
    }
    buf_addc(to, '"');
}

static bool is_plain(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '/' || c == '-';
}

void text_percent(struct buf *to, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (is_plain(c))
            buf_addc(to, (char)c);
        else
            buf_addf(to, "%%%02X", c);
    }
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

bool text_unpercent(char *s)
{
    char *to = s;
    for (; *s; s++) {
        if (*s != '%') {
            *to++ = *s;
            continue;
        }
        int high = hex(s[1]);
        int low = high < 0 ? -1 : hex(s[2]);
        if (low < 0 || (high == 0 && low == 0))
            return false;
        *to++ = (char)(high * 16 + low);
        s += 2;
    }
    *to = '\0';
    return true;
}

bool text_number(const char *s, long least, long most, long *value)
{
    char *end;
    if (*s < '0' || *s > '9')
        return false;
    errno = 0;
    long number = strtol(s, &end, 10);
    if (errno != 0 || *end != '\0' || number < least || number > most)
        return false;
    *value = number;
    return true;
}

/* A number with one of the units behind it, scaled. */
static bool scaled(const char *s, const char *const *units, const long *factors, long *value)
{
    char digits[24];
    size_t n = strspn(s, "0123456789");
    if (n == 0 || n >= sizeof digits)
        return false;
    memcpy(digits, s, n);
    digits[n] = '\0';
    if (!text_number(digits, 0, LONG_MAX, value))
        return false;
    for (size_t i = 0; units[i]; i++)
        if (strcmp(s + n, units[i]) == 0)
            return !__builtin_mul_overflow(*value, factors[i], value);
    return false;
}

bool text_size(const char *s, size_t *bytes)
{
    static const char *const units[] = {"", "K", "M", "G", "T", NULL};
    static const long factors[] = {1, 1L << 10, 1L << 20, 1L << 30, 1L << 40};
    long value;
    if (!scaled(s, units, factors, &value) || value < 1 || (size_t)value > SIZE_MAX / 8)
        return false;
    *bytes = (size_t)value;
    return true;
}

bool text_duration(const char *s, long *ms)
{
    static const char *const units[] = {"", "ms", "s", "m", "h", "d", NULL};
    static const long factors[] = {1000, 1, 1000, 60000, 3600000, 86400000};
    return scaled(s, units, factors, ms);
}
