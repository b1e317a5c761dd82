/* SPDX-License-Identifier: MIT */
/* What a view is: told each record once the model has taken it, and the time between. */
#ifndef VIEW_H
#define VIEW_H

#include "feed.h"
#include "model.h"

/* How things stand outside of the model. */
struct moment {
    double now;  /* seconds of the monotonic clock */
    double last; /* when the last record came; 0: never */
    enum feed_state feed;
    uint64_t bad; /* lines that were no record */
};

/* The last record of a queue that is alive is younger than this: it writes one a second. */
enum { VIEW_STALE = 3 };

struct view {
    /* False: this view cannot be had here (no such terminal); lines always can. */
    bool (*begin)(const char *queue);
    /* news: the model did not know it before. */
    void (*record)(const struct model *m, const struct record *r, bool news, double now);
    /* Called at least four times a second; false when the user wants to end. */
    bool (*tick)(const struct model *m, const struct moment *at);
    void (*end)(void);
};

extern const struct view view_json, view_plain, view_screen;

/* Write the line, without control characters, a newline, and flush; dies if that fails. */
void view_json_line(const char *line, size_t len);
/* Flush standard output and die with 74 if not everything could be written. */
void view_flush(void);

#endif
