/* SPDX-License-Identifier: MIT */
/*
 * The commit journal: a record is a list of renames that are done all or not at all. It is a text,
 *     tagline-journal 1
 *     move INODE SIZE MTIME CTIME FROM TO
 *     end MOVES CHECKSUM
 * in a file of its own; paths are relative to the queue, one word each, %XX-escaped.
 */
#ifndef JOURNAL_H
#define JOURNAL_H

#include "store.h"

#include <stdbool.h>

struct move {
    char *from, *to;
    struct identity id; /* of what is to be moved */
    bool done;
};

struct record { /* owns its paths; zero it to begin */
    struct move *moves;
    size_t n;
};

enum journal_text {
    JOURNAL_WHOLE,
    JOURNAL_TORN,    /* cut short or damaged: nothing was moved yet */
    JOURNAL_FOREIGN, /* of another version */
};

void record_add(struct record *r, const struct identity *id, const char *from, const char *to);
void record_free(struct record *r);
void journal_print(const struct record *r, struct buf *to);
enum journal_text journal_parse(const char *text, size_t n, struct record *r);

/* Write the record as number seq, durable if the store is; 0, or -1 and errno. */
int journal_write(const struct store *s, unsigned long seq, const struct record *r);

/* Do the moves that are not done; 0, or -1 and errno at the first that cannot be done now. strict:
 * something may have happened since the record was written; move only what is still what it says.
 */
int journal_move(const struct store *s, struct record *r, bool strict);

/* Make the folders that the moves changed durable; 0, or -1 and errno. */
int journal_sync(const struct store *s, const struct record *r);

/* Forget the record; 0, or -1 and errno. */
int journal_remove(const struct store *s, unsigned long seq);

/* Roll every record forward that a crash left. Dies if the system refuses to move. Returns how many
 * moves were done. */
size_t journal_recover(const struct store *s);

#endif
