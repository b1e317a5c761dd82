/* SPDX-License-Identifier: MIT */
/* What tl-supervisor was told on its command line. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "choice.h"
#include "keep.h"
#include "strict.h"

#include <stdbool.h>
#include <stdint.h>

/* What must be free on the disk for files to be claimed. */
struct least_free {
    long percent;
    int64_t bytes; /* both 0: nothing need be */
};

enum mode {
    MODE_SERVE,
    MODE_STATUS, /* the others speak to one that serves: see ask.h */
    MODE_PAUSE,
    MODE_RESUME,
    MODE_RETRY,
};

struct options {
    enum mode mode;
    const char *flow, *queue;
    const char *name; /* of the file to retry */
    long workers;
    long settle; /* milliseconds, as all times here */
    long backoff_least, backoff_most;
    long retries;
    const char *checkpoint; /* how often, as a worker takes it; NULL: never */
    long max_inflight;      /* 0: no bound but the workers' */
    struct least_free min_free;
    struct choice choice;
    struct keep_limits keep;
    int ready_fd; /* -1: none */
    bool power, once, verbose;
    const char *user; /* to become; NULL: who we are */
    struct strict strict;
};

/* Read the command line, with defaults for what it does not say. Ends the program where it is wrong
 * or only asked for help. */
void options_read(struct options *o, int argc, char **argv);

#endif
