/* SPDX-License-Identifier: MIT */
/* inotify on unprocessed and on the folder with words to us, through libinotifytools. It only ever
 * hints; the scan decides. */
#ifndef WATCH_H
#define WATCH_H

#include "scan.h"

struct watch {
    char *path;      /* of the folder */
    char *control;   /* of that with words to us */
    bool asked;      /* something happened there */
    int fd;          /* to poll; -1: nothing wakes us */
    long long again; /* when to try again to watch */
    bool warned;
};

void watch_init(struct watch *w, const struct store *store);
void watch_free(struct watch *w);

/* Watch if we do not, and it is time to try. */
void watch_tick(struct watch *w, struct scan *scan, long long now);

/* Take the events there are; looks at their names, or wants a scan where names are not enough. */
void watch_read(struct watch *w, struct scan *scan, long long now);

#endif
