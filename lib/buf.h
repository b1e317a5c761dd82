/* SPDX-License-Identifier: MIT */
/*
 * The one byte buffer: grows by doubling, never beyond the largest object. Out of memory dies.
 * The holder of the struct owns the bytes; zero it to begin, buf_free it to end.
 */
#ifndef BUF_H
#define BUF_H

#include <stdarg.h>
#include <stddef.h>

struct buf {
    char *data;
    size_t len; /* bytes in use */
    size_t cap; /* bytes there are */
};

/* Room for n more bytes behind len; returns where they go. Does not change len. */
char *buf_room(struct buf *b, size_t n);
void buf_add(struct buf *b, const void *bytes, size_t n);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_addv(struct buf *b, const char *format, va_list ap) __attribute__((format(printf, 2, 0)));
/* Drop the first n bytes. */
void buf_shift(struct buf *b, size_t n);
/* The bytes as a C string (a NUL is put behind them and not counted). */
const char *buf_str(struct buf *b);
void buf_free(struct buf *b);

/* malloc and friends that die instead of returning NULL. */
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n, size_t size); /* n * size, checked */
char *xstrndup(const char *s, size_t n);
char *xstrdup(const char *s);

#endif
