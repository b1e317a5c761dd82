/* SPDX-License-Identifier: MIT */
/* Messages: one line each, whatever bytes they speak of. */
#include "tagline.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 2048 };

/* Format and write the line with one write(2), so that lines of several processes do not mix. */
static void say(const char *format, va_list ap)
{
    char line[LINE];
    int saved = errno;
    int n = snprintf(line, sizeof line, "%s: ", program_invocation_short_name);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
    errno = saved;
    n = vsnprintf(line + len, sizeof line - len, format, ap);
    if (n > 0)
        len += (size_t)n;
    if (len > sizeof line - 2)
        len = sizeof line - 2;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 127)
            line[i] = '?';
    line[len++] = '\n';
    if (write(STDERR_FILENO, line, len) < 0)
        return; /* nobody is left to tell */
}

void tl_warn(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    say(format, ap);
    va_end(ap);
}

void tl_die(int status, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    say(format, ap);
    va_end(ap);
    exit(status);
}

void tl_bug(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    say(format, ap);
    va_end(ap);
    abort();
}
