/* SPDX-License-Identifier: MIT */
/* Bytes made presentable: file names, payloads and numbers in messages, JSON and worker lines. */
#ifndef TEXT_H
#define TEXT_H

#include "buf.h"

#include <stdbool.h>
#include <stddef.h>

/* Length of the valid UTF-8 sequence at s (1 to 4), or 0. */
size_t text_utf8(const char *s, size_t n);

/* Append as printable text: control bytes, backslash and invalid UTF-8 become \n \t \\ \xNN. */
void text_escape(struct buf *to, const char *s, size_t n);

/* Append a JSON string with its quotes. Bytes that are not UTF-8 appear as the text \xNN. */
void text_json(struct buf *to, const char *s, size_t n);

/* Append as one word of a worker line: bytes outside [A-Za-z0-9._/-] become %XX. */
void text_percent(struct buf *to, const char *s, size_t n);

/* Undo text_percent in place; false if a % is not followed by two hex digits or NUL results. */
bool text_unpercent(char *s);

/* "64M", "256K", "1G" or plain bytes, 1 and up; false if it is not one or overflows. */
bool text_size(const char *s, size_t *bytes);

/* "30s", "500ms", "5m", "2h", or plain seconds, in milliseconds; false if it is not one. */
bool text_duration(const char *s, long *ms);

/* A whole number of at least least and at most most; otherwise false, and value stays as it was. */
bool text_number(const char *s, long least, long most, long *value);

#endif
