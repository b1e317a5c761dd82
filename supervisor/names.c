/* SPDX-License-Identifier: MIT */
/* Names of files. Trust: any bytes but NUL and slash, 1 to 255 of them. */
#include "names.h"

#include <stdio.h>
#include <string.h>

#define REASON ".reason"

static bool ends(const char *name, const char *end)
{
    size_t n = strlen(name), e = strlen(end);
    return n >= e && strcmp(name + n - e, end) == 0;
}

bool names_unfinished(const char *name)
{
    return name[0] == '.' || ends(name, ".part") || ends(name, ".tmp");
}

/* The longest beginning of at most room bytes that cuts no UTF-8 character. */
static size_t fit(const char *name, size_t room)
{
    size_t n = strlen(name);
    if (n <= room)
        return n;
    for (size_t back = 0; back < 4 && back < room; back++)
        if (((unsigned char)name[room - back] & 0xc0) != 0x80)
            return room - back;
    return room; /* not UTF-8: anywhere is as good */
}

void names_version(struct buf *to, const char *name, unsigned long version, size_t room)
{
    char suffix[32] = "";
    if (version > 1)
        snprintf(suffix, sizeof suffix, ".~%lu~", version);
    buf_add(to, name, fit(name, room - strlen(suffix)));
    buf_adds(to, suffix);
}

bool names_unversioned(const char *name, size_t *n)
{
    size_t end = strlen(name);
    if (end < 2 || name[end - 1] != '~')
        return false;
    size_t digits = end - 1;
    while (digits > 0 && name[digits - 1] >= '0' && name[digits - 1] <= '9')
        digits--;
    if (digits < 3 || digits == end - 1 || strncmp(name + digits - 2, ".~", 2) != 0)
        return false;
    *n = digits - 2;
    return true;
}

void names_reason(struct buf *to, const char *name, unsigned long version)
{
    names_version(to, name, version, NAME_BYTES - strlen(REASON));
    buf_adds(to, REASON);
}
