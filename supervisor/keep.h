/* SPDX-License-Identifier: MIT */
/*
 * What --keep says: how old, and how many bytes, the files of processed, failed and output may
 * become before they are removed, the oldest first. A file's age is how long it has lain there: a
 * rename sets the time that counts (ctime), and whatever else sets it only makes a file younger.
 */
#ifndef KEEP_H
#define KEEP_H

#include "store.h"

#include <dirent.h>

enum keep_folder { KEEP_PROCESSED, KEEP_FAILED, KEEP_OUTPUT, KEEP_FOLDERS };

struct keep_limit {
    long age;      /* milliseconds; 0: any */
    int64_t bytes; /* of all files; 0: any */
};

struct keep_limits {
    struct keep_limit of[KEEP_FOLDERS];
};

/* A file that may have to go. */
struct keep_file {
    struct identity id;
    char *name;
};

struct keep {
    const struct store *store;
    const struct keep_limits *limits;
    size_t folder;            /* at which the pass is */
    DIR *dir;                 /* that it reads, or NULL */
    int64_t bytes;            /* it found so far */
    struct keep_file *oldest; /* some of the oldest; only if a limit is in bytes */
    size_t n;
    bool sorted;            /* all entries were read; the oldest are removed now */
    size_t at;              /* of them, the next */
    size_t removed, stayed; /* of this folder in this pass */
    int64_t removed_bytes;
    size_t known[KEEP_FOLDERS]; /* of those that stayed were told */
    int error;                  /* why one stayed */
    bool again;                 /* there is more to remove than one pass can */
    long long begun;            /* the pass */
    long long next;             /* when the next pass begins */
    int64_t total, total_bytes; /* removed since the start */
};

/* "FOLDER=AGE", "FOLDER=SIZE", several with commas between; false if it is not that. */
bool keep_parse(struct keep_limits *l, const char *text);
bool keep_wanted(const struct keep_limits *l);

void keep_init(struct keep *k, const struct store *store, const struct keep_limits *limits);
void keep_free(struct keep *k);

/* Go on with a pass for a moment, or begin one if it is time; true if there is more at once. */
bool keep_step(struct keep *k, long long now);
/* When keep_step has to be called next, or -1. */
long long keep_next(const struct keep *k);
/* Whole passes, until nothing is left that has to go. */
void keep_all(struct keep *k);

#endif
