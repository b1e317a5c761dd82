/* SPDX-License-Identifier: MIT */
/* White space as filters understand it: ASCII, whatever the locale says. */
#ifndef SPACE_H
#define SPACE_H

#include <stdbool.h>
#include <stddef.h>

static inline bool space_is(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The text without white space at both ends; len becomes its length. */
static inline char *space_trim(char *text, size_t *len)
{
    while (*len > 0 && space_is(text[*len - 1]))
        --*len;
    while (*len > 0 && space_is(*text)) {
        text++;
        --*len;
    }
    return text;
}

#endif
