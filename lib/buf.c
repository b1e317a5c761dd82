/* SPDX-License-Identifier: MIT */
/* The byte buffer and the allocator that dies. */
#include "buf.h"
#include "tagline.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

void *xcalloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size ? size : 1);
    if (!p)
        tl_die(EX_TEMPFAIL, "memory: %m");
    return p;
}

void *xrealloc(void *p, size_t n, size_t size)
{
    if (size && n > SIZE_MAX / size)
        tl_die(EX_TEMPFAIL, "memory: %zu objects of %zu bytes are too many", n, size);
    n *= size;
    p = realloc(p, n ? n : 1);
    if (!p)
        tl_die(EX_TEMPFAIL, "memory: %m");
    return p;
}

char *xstrndup(const char *s, size_t n)
{
    char *p = xcalloc(n + 1, 1);
    memcpy(p, s, n);
    return p;
}

char *xstrdup(const char *s)
{
    return xstrndup(s, strlen(s));
}

char *buf_room(struct buf *b, size_t n)
{
    if (n > SIZE_MAX / 4 - b->len)
        tl_die(EX_TEMPFAIL, "memory: a buffer of %zu bytes is too large", n);
    if (b->cap - b->len < n || !b->data) {
        size_t cap = b->cap ? b->cap : 256;
        while (cap < b->len + n)
            cap *= 2;
        b->data = xrealloc(b->data, cap, 1);
        b->cap = cap;
    }
    return b->data + b->len;
}

void buf_add(struct buf *b, const void *bytes, size_t n)
{
    if (n)
        memcpy(buf_room(b, n), bytes, n);
    b->len += n;
}

void buf_adds(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_addc(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_addv(struct buf *b, const char *format, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (n < 0)
        tl_bug("buf_addv: bad format %s", format);
    vsnprintf(buf_room(b, (size_t)n + 1), (size_t)n + 1, format, ap);
    b->len += (size_t)n;
}

void buf_addf(struct buf *b, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    buf_addv(b, format, ap);
    va_end(ap);
}

void buf_shift(struct buf *b, size_t n)
{
    if (n == 0)
        return; /* there may be no data at all */
    memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
}

const char *buf_str(struct buf *b)
{
    *buf_room(b, 1) = '\0';
    return b->data;
}

void buf_free(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}
