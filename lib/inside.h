/* SPDX-License-Identifier: MIT */
/* The inside of a filter's input and output: what tagline.c and control.c share. */
#ifndef INSIDE_H
#define INSIDE_H

#include "buf.h"
#include "card.h"
#include "tagline.h"

#include <stdint.h>

enum at { AT_START, AT_LINE, AT_FILE_END, AT_INPUT_END };

/* The tag that was checked last, so that the same one need not be again. */
struct known_tag {
    char tag[TL_TAG_MAX];
    size_t len; /* 0: none */
};

struct tl {
    struct known_tag read_tag, written_tag;
    unsigned promises;
    size_t max_line;
    struct buf in;
    size_t next;     /* of in: where the next line begins */
    size_t scanned;  /* of in: no newline before this */
    struct buf *out; /* own or lent: where output is collected */
    struct buf own;  /* ... to be written */
    struct buf lent; /* ... or to be left in the shared region; the bytes are the router's */
    bool plain;      /* lent holds texts alone: all lines so far kept the node's tag */
    bool mixed;      /* ... which is not to be expected of further ones */
    bool open;       /* between tl_begin and tl_end */
    size_t begun;    /* of out: where the text of tl_begin begins */
    size_t room;     /* what tl_begin gave */
    enum at at;
    bool input_closed;     /* end of all input was read */
    bool routed;           /* !hello was seen: somebody reads our answers */
    bool tells;            /* ... and they tell how many lines came out for each */
    bool counting;         /* a line was read, and what comes out belongs to it */
    char due[160];         /* "!fence ..." or "!end ..." to be answered behind the lines of part */
    char *part, *part_end; /* lines of the shared region that are to be read */
    char *region;          /* memory shared with the router, or NULL */
    char tag[TL_TAG_MAX + 1]; /* of all lines in it */
    size_t region_size;
    size_t taken;     /* bytes of input since something was last written, up to ... */
    size_t mark;      /* ... this place of in */
    uint64_t emitted; /* lines that are not in card yet */
    struct card_writer card;
    unsigned long long lineno;
    void (*save)(struct tl *tl, void *arg); /* NULL: no state that could be saved */
    void (*load)(struct tl *tl, void *arg, const char *record, size_t len);
    void *state;       /* their arg */
    bool saving;       /* save was called and has not returned */
    struct buf record; /* parts of the record that is being loaded */
};

/* Write what was collected, also what was to be left in the region. */
void tl_flush(struct tl *tl);

/* Write the state out; take a line of it, what stands behind "!load ". */
void state_save(struct tl *tl);
void state_load(struct tl *tl, const char *part, size_t len);

/* Obey a control line; the answer to a fence or an end is due when its lines have been read. What
 * is unknown is echoed, as the rule says. */
void control_obey(struct tl *tl, char *line, size_t len);
bool control_ends_file(const struct tl *tl); /* the answer that is due */
void control_answer(struct tl *tl);          /* give it */

#endif
