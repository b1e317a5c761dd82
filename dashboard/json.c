/* SPDX-License-Identifier: MIT */
/* The view for programs: each record as it came, one a line, each flushed. */
#include "tagline.h"
#include "view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

void view_flush(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return;
    if (errno == EPIPE)
        exit(EX_IOERR); /* the reader has gone: it has said why, or does not care */
    tl_die(EX_IOERR, "standard output: %m");
}

/* JSON forbids the control characters below space in a line, but DEL and C1 may stand in a string,
 * where their escapes mean the same: a terminal must not see them. */
void view_json_line(const char *line, size_t len)
{
    const unsigned char *u = (const unsigned char *)line;
    for (size_t i = 0; i < len; i++) {
        if (u[i] == 127)
            fputs("\\u007f", stdout);
        else if (u[i] == 0xc2 && i + 1 < len && u[i + 1] < 0xa0)
            printf("\\u%04x", u[++i]);
        else if (u[i] == '\r')
            putchar(' '); /* white space between the words of JSON */
        else
            putchar(u[i]);
    }
    putchar('\n');
    view_flush();
}

static bool begin(const char *queue)
{
    (void)queue;
    return true;
}

static void record(const struct model *m, const struct record *r, bool news, double now)
{
    (void)m, (void)news, (void)now;
    view_json_line(r->line, r->len);
}

static bool tick(const struct model *m, const struct moment *at)
{
    (void)m, (void)at;
    return true;
}

static void end(void)
{
    view_flush();
}

const struct view view_json = {begin, record, tick, end};
