/* SPDX-License-Identifier: MIT */
/*
 * A checkpoint of a job, as a file (tl-router(1), CHECKPOINTS): a text,
 *     tagline-checkpoint FORMAT PROGRAM
 *     flow HASH PROMISES
 *     input DEVICE INODE SIZE MTIME
 *     at OFFSET BOUNDARY STEP LINES BYTES
 *     node LINES_IN BYTES_IN LINES_OUT BYTES_OUT DROPPED ERRORS     for each node
 *     sink LINES BYTES                                              for each sink
 *     result NAME LENGTH HASH                                       for each file
 *     state LANE PAYLOAD                                            any number
 *     end BYTES HASH                                                of all before
 * A file that does not end so, to the byte, is none. It appears whole, by rename, or not at all.
 */
#ifndef CHECKPOINT_H
#define CHECKPOINT_H

#include "core.h"

#include <xxhash.h>
#ifdef __x86_64__
#include <xxh_x86dispatch.h> /* the same functions, four times as fast where the processor can */
#endif

struct kept { /* a result so far */
    char *name;
    uint64_t length, hash;
};

struct checkpoint { /* owns what it points to; zero it to begin */
    uint64_t flow;
    char *promises;
    struct input_id {
        uint64_t inode; /* no device: that may have another number after a start of the machine */
        int64_t size, mtime; /* nanoseconds since 1970 */
    } input;
    struct position at;
    struct tally read;
    struct account *nodes;
    size_t nnodes;
    struct tally *sinks;
    size_t nsinks;
    struct kept *results;
    size_t nresults;
};

void checkpoint_free(struct checkpoint *c);
void checkpoint_add_result(struct checkpoint *c, const char *name, uint64_t length, uint64_t hash);

/* All lines of the text but states and the end. */
void checkpoint_print(const struct checkpoint *c, struct buf *to);

/* Take one of these lines in, without its newline; line is a C string and is changed. False: it is
 * none of them. */
bool checkpoint_take(struct checkpoint *c, char *line);

uint64_t checkpoint_hash(const char *bytes, size_t n);

/* Both ways through the file; zero it to begin. */
struct checkpoint_file {
    int fd; /* -1: closed */
    char *path, *temporary;
    XXH3_state_t *hash;
    uint64_t bytes;    /* written, or behind what is in the buffer */
    uint64_t states;   /* to read: where the text ends that these are part of */
    struct buf buffer; /* to write; or read and not taken yet, from at on */
    size_t at;
};

/* Begin a new one; 0, or -1 and errno, and then nothing is left behind. */
int checkpoint_begin(struct checkpoint_file *f, const char *path, const struct checkpoint *c);
int checkpoint_write(struct checkpoint_file *f, const char *lines, size_t n);
/* Put it in the place of the one before. sync: it must survive a power cut. */
int checkpoint_end(struct checkpoint_file *f, bool sync);

/* Open one and check that it is whole. NULL, or why it cannot be used; "" if there is none. */
const char *checkpoint_open(struct checkpoint_file *f, const char *path, struct checkpoint *c);
/* The same of a file that is open; it is closed with the rest. */
const char *checkpoint_read(struct checkpoint_file *f, int fd, struct checkpoint *c);
/* The next state: its lane and payload, which stay until the next call. 1; 0 behind the last; -1 if
 * the file cannot be read, or is wrong. */
int checkpoint_state(struct checkpoint_file *f, size_t *lane, const char **payload, size_t *n);

/* Close it; a new one that was not ended is removed. */
void checkpoint_close(struct checkpoint_file *f);

#endif
