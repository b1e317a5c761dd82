/* SPDX-License-Identifier: MIT */
/*
 * The queue on disk: its folders, its lock, and the few ways in which we change it. All paths are
 * relative to the queue, so that a folder that is removed and made again is found again.
 */
#ifndef STORE_H
#define STORE_H

#include "buf.h"
#include "contract.h"
#include "strict.h"

#include <stdbool.h>
#include <stdint.h>

#define STORE_WORK    QUEUE_STATE "/work"
#define STORE_JOURNAL QUEUE_STATE "/journal"
#define STORE_FLOW    QUEUE_STATE "/flow"

enum {
    STORE_LOCK_SECONDS = 5, /* how long an orphan of the last supervisor may take to end */
    STORE_PATH = 320,       /* bytes: a folder of ours, a slash, a name */
};

struct store {
    char *path; /* absolute */
    int root;
    int lock;
    bool power; /* sync: what is reported must survive a power cut */
};

/* What makes a file the same file: a journal must not take a newer one of that name for it. */
struct identity {
    uint64_t inode;
    int64_t size;
    int64_t mtime; /* nanoseconds since 1970 */
    int64_t ctime; /* the same; store_same leaves it out, for chmod(1) makes no other file */
    bool regular;
};

/* Make and open the queue and take its lock. Dies with one line if it cannot, or may not because
 * others may write there. */
void store_open(struct store *s, const char *path, bool power, const struct strict *strict);

/* Open a queue that is there, to look at it beside its supervisor: no folder is made, no lock
 * taken. Dies with one line if it is none. */
void store_visit(struct store *s, const char *path);

/* Whoever waits for the lock can have it. */
void store_close(struct store *s);

/* Does a supervisor, or a worker that it left behind, hold the lock? */
bool store_locked(const struct store *s);

/* Make what folders are missing; 0, or -1 and errno. */
int store_folders(const struct store *s);

/* Is the queue still where it was? Not after it was moved or unmounted. */
bool store_in_place(const struct store *s);

/* What is there, links not followed; 0, or -1 and errno. */
int store_look(const struct store *s, const char *path, struct identity *id);
bool store_same(const struct identity *a, const struct identity *b);

/* Rename, never over something; 0, or -1 and errno (EEXIST). */
int store_move(const struct store *s, const char *from, const char *to);

/* Create a file with these bytes, durable if the store is; 0, or -1 and errno. */
int store_write(const struct store *s, const char *path, const char *bytes, size_t n);

/* Create or replace a file, whole or not at all for whoever reads it; it need not survive a power
 * cut. 0, or -1 and errno. */
int store_replace(const struct store *s, const char *path, const char *bytes, size_t n);

/* Make a file's bytes or a folder's entries durable if the store is; 0, or -1 and errno. */
int store_sync(const struct store *s, const char *path);

/* Read a whole file of at most max bytes; 0, or -1 and errno. */
int store_read(const struct store *s, const char *path, struct buf *to, size_t max);

/* Remove what is in a folder of ours; the number of entries that stayed. */
size_t store_clean(const struct store *s, const char *path);

/* Remove a folder of ours with what is in it. */
void store_remove_folder(const struct store *s, const char *path);

/* Call each with every name in a folder; 0, or -1 and errno. */
int store_each(const struct store *s, const char *path, void (*each)(void *arg, const char *name),
               void *arg);

struct room {
    uint64_t avail,
        total; /* what we may still take, and all there is for such as we; 0: no limit */
};

/* The room on the queue's disk, in bytes and in files; 0, or -1 and errno. */
int store_free(const struct store *s, struct room *bytes, struct room *files);

/* Could the queue take new results now? durable: sync them too, if the store does. 0, or -1 and
 * errno. */
int store_probe(const struct store *s, bool durable);

/* "FOLDER/NAME" in a buffer of STORE_PATH bytes; returns it. */
char *store_path(char *to, const char *folder, const char *name);

#endif
