/* SPDX-License-Identifier: MIT */
/* Messages: one line each, whatever bytes they speak of. Trust: what a message quotes may be
 * anybody's, so control characters do not reach the log; the environment is the caller's. */
#include "msg.h"
#include "contract.h"
#include "tagline.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE = 2048 };

static const char *const form_names[] = {[MSG_PLAIN] = "plain", [MSG_JOURNAL] = "journal"};
static enum msg_form form = MSG_PLAIN;

/* Begin the line; returns its length. */
static size_t begin(char *line, enum msg_level level)
{
    return form == MSG_JOURNAL ? (size_t)sprintf(line, "<%d>", (int)level) : 0;
}

/* Write the line with one write(2), so that lines of several processes do not mix. */
static void finish(char *line, size_t len)
{
    if (len > LINE - 2)
        len = LINE - 2;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 127)
            line[i] = '?';
    line[len++] = '\n';
    if (write(STDERR_FILENO, line, len) < 0)
        return; /* nobody is left to tell */
}

static void say(enum msg_level level, const char *format, va_list ap)
{
    char line[LINE];
    int saved = errno;
    size_t len = begin(line, level);
    int n = snprintf(line + len, sizeof line - len, "%s: ", program_invocation_short_name);
    if (n > 0)
        len += (size_t)n < sizeof line - len ? (size_t)n : sizeof line - len - 1;
    errno = saved;
    n = vsnprintf(line + len, sizeof line - len, format, ap);
    if (n > 0)
        len += (size_t)n;
    finish(line, len);
}

void msg_at(enum msg_level level, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    say(level, format, ap);
    va_end(ap);
}

void msg_lines(enum msg_level level, const char *lines, size_t n)
{
    const char *end = lines + n;
    while (lines < end) {
        char line[LINE];
        const char *nl = memchr(lines, '\n', (size_t)(end - lines));
        size_t len = (size_t)((nl ? nl : end) - lines), prefix = begin(line, level);
        size_t fits = len < sizeof line - prefix ? len : sizeof line - prefix;
        memcpy(line + prefix, lines, fits);
        finish(line, prefix + fits);
        lines += nl ? len + 1 : len;
    }
}

void tl_warn(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    say(MSG_WARNING, format, ap);
    va_end(ap);
}

void tl_die(int status, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    say(MSG_ERROR, format, ap);
    va_end(ap);
    exit(status);
}

void tl_bug(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    say(MSG_CRITICAL, format, ap);
    va_end(ap);
    abort();
}

void msg_set_form(enum msg_form wanted)
{
    form = wanted;
}

int msg_form_named(const char *name)
{
    for (int i = MSG_PLAIN; i <= MSG_JOURNAL; i++)
        if (strcmp(name, form_names[i]) == 0)
            return i;
    return -1;
}

/* JOURNAL_STREAM is "DEVICE:INODE" of what the service manager made standard error. */
static bool is_journal(const char *stream)
{
    uintmax_t device, inode;
    struct stat st;
    return stream && sscanf(stream, "%ju:%ju", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void msg_take_form(void)
{
    const char *name = getenv(ENV_LOG);
    int named = name ? msg_form_named(name) : -1;
    if (named >= 0)
        form = (enum msg_form)named;
    else
        form = is_journal(getenv("JOURNAL_STREAM")) ? MSG_JOURNAL : MSG_PLAIN;
    unsetenv(ENV_LOG);
}

void msg_pass_form(void)
{
    if (setenv(ENV_LOG, form_names[form], 1) != 0)
        tl_die(EX_OSERR, "environment: %m");
}
