/* SPDX-License-Identifier: MIT */
/* Numbers and events for people. The texts of the model are clean already. */
#include "human.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Over 999 P everything is "a lot"; a forged record must not break a column. */
static const double lot = 999e15;

/* At most three digits, or one behind the point, and a prefix of 1000. */
static const char *scaled(char room[HUMAN], double n, const char *unit)
{
    static const char *const prefix[] = {"", "k", "M", "G", "T", "P"};
    size_t i = 0;
    if (!(n < lot))
        n = lot;
    while (n >= 999.5 && i + 1 < sizeof prefix / sizeof *prefix) {
        n /= 1000;
        i++;
    }
    const char *space = i > 0 || unit[0] ? " " : "";
    snprintf(room, HUMAN, "%.*f%s%s%s", i > 0 && n < 99.95 ? 1 : 0, n, space, prefix[i], unit);
    return room;
}

const char *human_bytes(char room[HUMAN], double n)
{
    return scaled(room, n, "B");
}

const char *human_count(char room[HUMAN], double n)
{
    if (n >= 999999.5)
        return scaled(room, n, "");
    long whole = lround(n);
    if (whole >= 1000)
        snprintf(room, HUMAN, "%ld,%03ld", whole / 1000, whole % 1000);
    else if (n > 0 && n < 9.95 && fabs(n - (double)whole) > 0.05)
        snprintf(room, HUMAN, "%.1f", n);
    else
        snprintf(room, HUMAN, "%ld", whole);
    return room;
}

const char *human_duration(char room[HUMAN], double s)
{
    if (s >= 0.005 && s < 9.95) {
        snprintf(room, HUMAN, "%.*f s", s < 1 ? 2 : 1, s);
        return room;
    }
    long n = s < 1e9 ? lround(s) : 1000000000;
    if (n < 60)
        snprintf(room, HUMAN, "%ld s", n);
    else if (n < 3600)
        snprintf(room, HUMAN, "%ld m %02ld s", n / 60, n % 60);
    else if (n < 86400)
        snprintf(room, HUMAN, "%ld h %02ld m", n / 3600, n / 60 % 60);
    else
        snprintf(room, HUMAN, "%ld d %02ld h", n / 86400, n / 3600 % 24);
    return room;
}

const char *human_clock(char room[HUMAN], double when)
{
    time_t t = when > -1e12 && when < 1e12 ? (time_t)when : 0;
    struct tm tm;
    if (!localtime_r(&t, &tm) || strftime(room, HUMAN, "%H:%M:%S", &tm) == 0)
        snprintf(room, HUMAN, "--:--:--");
    return room;
}

void human_spark(struct buf *to, const double *values, size_t n, bool ascii)
{
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const chars[] = {"_", ".", ":", "-", "=", "+", "*", "#"};
    double most = 0;
    for (size_t i = 0; i < n; i++)
        if (values[i] > most)
            most = values[i];
    for (size_t i = 0; i < n; i++) {
        size_t level = most > 0 && values[i] > 0 ? (size_t)ceil(values[i] / most * 7) : 0;
        buf_adds(to, (ascii ? chars : blocks)[level > 7 ? 7 : level]);
    }
}

void human_file(struct buf *to, const struct model_file *f)
{
    char a[HUMAN], b[HUMAN], middle[4 * HUMAN] = "";
    if (strcmp(f->event, "done") == 0)
        snprintf(middle, sizeof middle, "%s lines %9s", human_count(a, f->lines),
                 human_duration(b, f->seconds));
    else if (strcmp(f->event, "claimed") != 0)
        snprintf(middle, sizeof middle, "status %s, run %s", human_count(a, f->status),
                 human_count(b, f->attempt));
    buf_addf(to, "%-8.12s %8s  %23s  %s", f->event, human_bytes(a, f->size), middle, f->name);
}

void human_error(struct buf *to, const struct model_error *e)
{
    char room[HUMAN];
    buf_addf(to, "%-8s %s", "error", e->name);
    if (e->line > 0)
        buf_addf(to, "%sline %s", e->name[0] ? ", " : "", human_count(room, e->line));
    if (e->node[0])
        buf_addf(to, "%snode %s", e->name[0] || e->line > 0 ? ", " : "", e->node);
    buf_addf(to, "%s%s", e->name[0] || e->line > 0 || e->node[0] ? ": " : "", e->text);
}

void human_trace(struct buf *to, const struct model_trace *t)
{
    buf_addf(to, "%-8s %s: \"%s\": %s", "trace", t->name, t->text, t->path);
}

/* The rate only while there is one: a line that is read later should not say 0. */
void human_queue(struct buf *to, const struct model_queue *q)
{
    char a[HUMAN], b[HUMAN];
    buf_addf(to, "%-8s %s", "queue", q->state);
    if (q->reason[0])
        buf_addf(to, " (%s)", q->reason);
    buf_addf(to, ": %s waiting", human_count(a, q->waiting));
    if (q->waiting > 0)
        buf_addf(to, " (%s, oldest %s)", human_bytes(a, q->waiting_bytes),
                 human_duration(b, q->oldest));
    buf_addf(to, ", %s running", human_count(a, q->running));
    buf_addf(to, ", %s processed (%s)", human_count(a, q->processed),
             human_bytes(b, q->processed_bytes));
    buf_addf(to, ", %s failed", human_count(a, q->failed));
    double rate = series_rate(&q->bytes_done, 5);
    if (rate > 0)
        buf_addf(to, ", %s/s", human_bytes(a, rate));
}
