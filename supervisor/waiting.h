/* SPDX-License-Identifier: MIT */
/*
 * The files in unprocessed that we know of, and which of them may be taken. No system call is made
 * here: whoever looks at the folder says what he saw and when, in milliseconds of a clock that only
 * goes forward.
 */
#ifndef WAITING_H
#define WAITING_H

#include "choice.h"
#include "dict.h"
#include "store.h"

enum {
    WAITING_MOST = 200000, /* files known at a time, and as many urgent ones; there may be more */
    WAITING_FAIR = 8,      /* one file in so many is taken for having waited longest */
};

enum waiting_state {
    WAITING_NEW,      /* created; nobody has looked yet */
    WAITING_SETTLING, /* taken when size and mtime stay as they are for long enough */
    WAITING_READY,
    WAITING_BLOCKED, /* cannot be claimed now: looked at again when due */
    WAITING_DELAYED, /* is to be run again, but not before it is due */
    WAITING_REFUSED, /* no regular file; stays where it is */
};

struct waiting_file {
    struct dict_link link;
    struct waiting_file *next, *prev; /* in the queue of ready ones, or that of those with a due */
    enum waiting_state state;
    struct identity id;
    long long due;
    size_t level;       /* of its priority; 0 is taken first */
    unsigned long turn; /* when it became ready, as a number that grows */
    unsigned long pass; /* of the scan that saw it last */
    char name[];
};

struct waiting_queue {
    struct waiting_file *first, *last;
};

struct waiting {
    struct dict files;
    const struct choice *choice;
    struct waiting_queue *ready; /* one a level */
    struct waiting_queue timed;
    unsigned long turns; /* given to files so far */
    unsigned taken;      /* since one was taken for having waited longest */
    long settle;         /* milliseconds */
    long long next_due;
    size_t refused, blocked;
    int64_t bytes; /* of all but the refused */
    unsigned long pass;
};

/* The choice stays the caller's. */
void waiting_init(struct waiting *w, long settle, const struct choice *choice);
void waiting_free(struct waiting *w);
struct waiting_file *waiting_find(const struct waiting *w, const char *name);

/* Is there room for a file of that name that we do not know? */
bool waiting_room(const struct waiting *w, const char *name);

/* A file of that name was created; it may still be written. */
void waiting_created(struct waiting *w, const char *name, long long now);

/* The file looks like this. complete: it was closed or moved in, so that it may be taken at once.
 * age: milliseconds since its mtime, negative if that lies in the future. Returns true when this is
 * the first time that it is seen and refused. */
bool waiting_seen(struct waiting *w, const char *name, const struct identity *id, bool complete,
                  long long age, long long now);

void waiting_forget(struct waiting *w, struct waiting_file *f);

/* The ready file whose turn it is, or NULL: the highest priority first, and the oldest in it; but
 * one in WAITING_FAIR is the oldest of all. It stays until it is taken, forgotten or blocked. */
struct waiting_file *waiting_first(const struct waiting *w);

/* It was claimed, and does not wait any more. */
void waiting_taken(struct waiting *w, struct waiting_file *f);

/* It cannot be claimed now; look again after so many milliseconds. */
void waiting_block(struct waiting *w, struct waiting_file *f, long ms, long long now);

/* It is not to be claimed before so many milliseconds have passed. */
void waiting_delay(struct waiting *w, struct waiting_file *f, long ms, long long now);

/* The name may have become free: what is blocked under it is ready. */
void waiting_unblock(struct waiting *w, const char *name);

/* The next file that is due to be looked at, or NULL; the caller says waiting_seen or _forget. */
struct waiting_file *waiting_due(struct waiting *w, long long now);
/* When waiting_due may have one, or -1. */
long long waiting_next_due(const struct waiting *w);

/* A scan of the whole folder begins; what it has not seen by its end is forgotten. */
void waiting_begin_pass(struct waiting *w);
void waiting_end_pass(struct waiting *w);

/* Files that wait, and the oldest mtime among them (0 if none). */
size_t waiting_count(const struct waiting *w);
int64_t waiting_oldest(const struct waiting *w);

#endif
