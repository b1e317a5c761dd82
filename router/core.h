/* SPDX-License-Identifier: MIT */
/*
 * The router without input and output: fenced epochs over plain data.
 *
 * Whoever holds the descriptors puts the bytes that it read where core_*_room says, reports them
 * with core_*_took, takes the bytes to write from core_node_iov and the job's streams, and tells
 * when a command has ended. The core cuts, routes, merges, answers fences and keeps the accounts.
 * It never waits and never calls out. After a failure (core_failure) nothing but core_free is of
 * use.
 */
#ifndef CORE_H
#define CORE_H

#include "buf.h"
#include "card.h"
#include "flow.h"
#include "graph.h"
#include "order.h"
#include "region.h"
#include "spill.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

/* Lines that one source emitted for one destination in one epoch and round. */
struct batch {
    struct batch *next;
    struct buf bytes;      /* lines as the destination wants them: with tags or without */
    struct region *region; /* whose piece the bytes are in; NULL: they are the batch's own */
    struct spill *spill;   /* the file that they are in; NULL: in memory */
    uint32_t lines;
    uint32_t *ids; /* if tracked: of each line its emission number, identity once answered */
    uint32_t ids_cap;
    size_t source; /* 0: the input; others in the order of the flow, copies together */
    uint32_t round;
    size_t counted; /* bytes that count as in flight */
};

struct account {
    uint64_t lines_in, bytes_in, lines_out, bytes_out, dropped, errors;
};

struct tally {
    uint64_t lines, bytes;
};

/* Lines on their way into a file: a chain that the holder of the descriptors takes from. */
struct stream {
    struct batch *first, *last;
    size_t taken; /* bytes of first that are written already */
    size_t bytes; /* that are not */
};

struct hop {
    size_t from, to; /* source and destination of the graph */
    uint32_t lines;
};

/* One input on its way through the core. Made by core_begin, freed by the caller with core_forget
 * once done is set and its streams are empty. */
struct job {
    struct job *next;
    uint64_t id;
    void *owner;        /* the caller's */
    bool done;          /* all of it is in the streams */
    bool trace;         /* record the way of the first line */
    struct tally input; /* lines and bytes; bytes without tags, newlines included */
    struct account *nodes;
    struct tally *sinks;
    struct stream *streams; /* of each outlet */
    struct hop *hops;
    size_t nhops;
    struct buf traced; /* the line traced */
};

struct epoch {
    struct epoch *next;
    struct job *job;
    uint64_t first_line, lines; /* of the input, for messages */
    bool last, traced;
    struct batch **in;     /* of a destination: what it will get, in order of arrival */
    struct order **orders; /* of a domain */
    uint32_t *end_ids;     /* of a node, in the last epoch: where its end-of-file lines go */
    uint32_t *waiting;     /* of a stage: stages it waits for, then answers it waits for */
    uint32_t *lane_lines;  /* of a lane: lines emitted, where they get identities together */
    size_t unfinished;     /* stages */
    struct batch *reply;   /* control line to print when all is out, or NULL */
};

enum run_kind {
    RUN_LINES,
    RUN_SAVE, /* no lines: the node says what it holds */
    RUN_LOAD, /* ... or takes it on, line by line */
};

/* One batch of work for one node, up to one fence. */
struct run {
    struct run *next;
    enum run_kind kind;
    struct epoch *epoch; /* NULL if quiet: the epoch does not wait for it and may be gone */
    struct job *job;
    uint32_t round;
    bool end;              /* closed by !end */
    bool quiet;            /* of a whole-file command before its end: nobody answers */
    struct batch *batches; /* not yet written */
    struct batch *shared;  /* lines that need not be: the node reads them where they are */
    struct region *region; /* of the node */
    char *left;            /* its piece for what comes out, or NULL */
    char fence[160];       /* the control line, then nothing once written */
    size_t fence_len, fence_written;
    bool written;
    uint32_t *ids; /* of the lines given, if tracked */
    uint64_t lines;
};

/* Where a line with a certain tag goes. */
struct way {
    const char *tag; /* as emitted */
    size_t len;
    size_t slot;     /* NOWHERE: discarded */
    size_t sink;     /* NOWHERE: goes to a node */
    const char *put; /* tag to put before the text, NULL for none */
    size_t put_len;
    bool as_is; /* what was emitted is what the destination wants */
};

struct slot {
    size_t dest;
    struct batch *open;
};

/* Something that emits lines: a node, or the input. */
struct source {
    size_t index;     /* the lane, or nlanes for the input */
    bool tagged;      /* its lines carry tags */
    bool track;       /* emission numbers are needed */
    struct way *ways; /* the first is for lines that keep the tag */
    size_t nways;
    uint32_t *table; /* tags hashed, way + 1 */
    size_t mask;
    struct slot *slots;
    size_t nslots;
    struct buf in;         /* read, not yet cut into lines */
    size_t scanned;        /* of in: lines before this are dealt with */
    size_t clean;          /* of in: there is no newline between scanned and this */
    size_t stop;           /* of in: no line that begins here or later is taken */
    uint64_t lines, bytes; /* emitted in this run */
    const char *span;      /* lines for span_way, not yet copied */
    struct way *span_way;
    size_t recent; /* way of the last line */
};

struct node_state {
    struct source source;
    struct region region;     /* shared with it */
    struct run *first, *last; /* outstanding, in order */
    struct run *writing;      /* first that is not written */
    size_t offset;            /* of its first batch: written already */
    bool fed;                 /* is in the list of those that have something to be written */
    uint64_t fences;          /* sent so far */
    struct job *job;          /* whose work came last */
    struct batch *pending;    /* in a cycle: input of the next round */
    bool ended;               /* in a cycle: has got no line since its last !end */
};

/* Where the input stands between two epochs. */
struct position {
    uint64_t offset, boundary, step; /* of the next line, of the next cut, to the one after */
};

struct stage_state {
    struct epoch *next; /* to enter */
    struct epoch *now;  /* of a cycle: the epoch inside */
    uint32_t round;
    size_t running;
};

struct failure {
    int status; /* 0: none */
    int error;  /* errno, or 0 */
    bool ended; /* the node's process did, as wait_status says, and should not have */
    int wait_status;
    struct job *job;                /* at fault, or NULL */
    size_t node;                    /* NOWHERE: the input */
    size_t lane;                    /* of the node */
    uint64_t line;                  /* of the input, 0: not known */
    uint64_t first_line, last_line; /* it is among these, or 0 */
    struct buf text;
    struct buf sample; /* the first bytes of the line at fault, if that is known */
};

struct core {
    const struct flow *flow;
    struct graph *graph;
    bool tagged;
    struct source input;
    struct node_state *nodes;
    struct stage_state *stages;
    struct epoch *first, *last;    /* in flight */
    struct job *jobs, *last_job;   /* begun, not forgotten */
    struct job *reading;           /* whose input comes in */
    uint64_t base, boundary, step; /* offset of input.in, of the next cut, to the one after */
    bool routed;                   /* tagged, and !hello was seen: files end by !end */
    bool barrier;                  /* a control line waits until all before it is out */
    bool waits;                    /* ... and so does input behind it */
    bool pausing, paused;          /* no epoch begins any more at the next cut; that is reached */
    struct buf saved;              /* what nodes said that they hold */
    struct buf replies;            /* control lines to print before anything else */
    size_t *fed, nfed;             /* lanes that core_next_fed has not told yet */
    size_t inflight;               /* bytes */
    size_t held;                   /* ... of them in streams */
    struct batch *pool;            /* with bytes of their own */
    struct batch *bare;            /* without */
    size_t pool_bytes;
    size_t memory; /* bytes of all batches that are neither shared nor spilled */
    struct failure failure;
};

/* ---- core.c: life ---- */
/* Neither flow nor graph are copied. tagged: input lines carry tags and control lines. */
struct core *core_new(const struct flow *flow, struct graph *graph, bool tagged);
void core_free(struct core *c);
/* Lines may go to and from a lane through memory that it shares; it must outlive the core. */
void core_share(struct core *c, size_t lane, char *base, size_t size, size_t piece);
const struct failure *core_failure(const struct core *c); /* NULL: none */
void core_fail(struct core *c, int status, size_t node, struct job *job, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* The failure just told is this line's. */
void core_fail_line(struct core *c, const char *line, size_t len);

/* ---- input.c: from the file ---- */
struct job *core_begin(struct core *c, uint64_t id, void *owner, bool trace);
char *core_input_room(struct core *c, size_t n);
void core_input_took(struct core *c, size_t n);
void core_input_cut(struct core *c); /* the input pauses: let go what is whole */
void core_input_end(struct core *c); /* end of file: ends the job */
void core_forget(struct core *c, struct job *job);
bool core_wants_input(const struct core *c);
size_t core_most_inflight(const struct flow *f); /* bytes */

/* ---- core.c: to and from nodes; the node is a lane ---- */
size_t core_node_iov(struct core *c, size_t node, struct iovec *iov, size_t max);
void core_node_wrote(struct core *c, size_t node, size_t n);
/* A lane that got something to be written since it was asked for last, or NOWHERE; and put one
 * there, because it can take more now. */
size_t core_next_fed(struct core *c);
void core_feed(struct core *c, size_t node);
char *core_node_room(struct core *c, size_t node, size_t n);
void core_node_took(struct core *c, size_t node, size_t n);
bool core_node_busy(const struct core *c, size_t node); /* owes an answer */
/* Of a command: it needs a process for the work at hand; that process has all its input (close it);
 * it stopped reading (discard the rest); it ended with success. */
bool core_command_due(const struct core *c, size_t node);
bool core_command_full(const struct core *c, size_t node);
void core_command_deaf(struct core *c, size_t node);
void core_command_ended(struct core *c, size_t node);

/* ---- pause.c: standing still between two epochs ---- */
/* Let no epoch begin behind the next cut, until core_go_on. The end of the input ends this too. */
void core_pause(struct core *c);
/* That cut is reached, and nothing is in flight any more; lines may still be in streams. */
bool core_still(const struct core *c);
void core_go_on(struct core *c);
struct position core_position(const struct core *c);
/* The job that was just begun goes on at a position where it stood still before; its tallies and
 * accounts are the caller's to set. */
void core_go_to(struct core *c, struct position at);
/* While nothing is in flight: ask a lane what it holds, which comes in c->saved, one line
 * "state LANE PAYLOAD" for each of its; or let it take that on, n lines "!load PAYLOAD". Both are
 * over when core_node_busy is false. */
void core_save(struct core *c, size_t lane);
void core_load(struct core *c, size_t lane, const char *lines, size_t bytes, uint64_t n);

/* ---- stream.c: to files ---- */
int stream_iov(const struct stream *s, struct iovec *iov, int max);
void stream_took(struct core *c, struct stream *s, size_t n);
/* Is it worth a system call now? Not for files that get a line now and then. */
bool stream_due(const struct core *c, const struct job *job, const struct stream *s);

/* ---- shared by the files of the core ---- */
void stream_put(struct core *c, struct stream *s, struct batch *chain);
size_t stream_slack(const struct core *c); /* bytes held that do not hold up input */
struct batch *batch_get(struct core *c);
/* One for a lane, in a piece of the memory that it shares if there is any. */
struct batch *batch_for(struct core *c, size_t lane);
/* One whose bytes are in a piece already, which goes with it. */
struct batch *batch_of(struct core *c, struct region *r, char *piece, size_t len);
/* One for lines of one source, or of all that are merged, to a destination. */
struct batch *batch_open(struct core *c, size_t dest);
struct batch *batch_merged(struct core *c, size_t dest);
/* Behind the newline of the line at at. What a filter still shares may have lost it meanwhile. */
static inline const char *line_end(const char *at, const char *end)
{
    const char *nl = memchr(at, '\n', (size_t)(end - at));
    return nl ? nl + 1 : end;
}
char *batch_room(struct core *c, struct batch *b, size_t n);
void batch_add(struct core *c, struct batch *b, const void *bytes, size_t n);
/* The lines of texts, each with the tag before it. */
void batch_add_tagged(struct core *c, struct batch *to, const char *tag, const struct batch *texts);
/* For a lane that shares: the lines in one piece of its memory, if that can be; else with their
 * tags, for the pipe. */
struct batch *batch_pack(struct core *c, size_t lane, struct batch *chain);
void batch_free_all(struct core *c, struct batch *chain);
void batch_put(struct core *c, struct batch *b);
void batch_put_all(struct core *c, struct batch *chain);
void batch_id(struct batch *b, uint32_t id);
struct batch *batch_merge(struct core *c, struct epoch *e, size_t dest, struct batch *chain);

void source_init(struct core *c, struct source *s, size_t index, bool tagged);
void source_free(struct core *c, struct source *s);
/* Cut lines from s->in from byte at on, up to a control line or the end; returns where it stopped.
 */
size_t source_parse(struct core *c, struct source *s, size_t at);
/* The texts of whole lines that keep the tag, in a piece of shared memory that goes with the batch;
 * takes it over. False: they are no such lines. */
bool source_texts(struct core *c, struct source *s, struct batch *piece);
size_t source_rank(const struct core *c, size_t lane);
size_t source_stage(const struct core *c, const struct source *s);
void source_drop(struct source *s, size_t at);

/* A new epoch of the job being read; it is in flight at once and waits for epoch_admit. */
struct epoch *epoch_new(struct core *c, bool last);
/* Its input is whole: let the stages have it. */
void epoch_admit(struct core *c, struct epoch *e);
/* Hand the open batches of a source over to their destinations. */
void epoch_deliver(struct core *c, struct epoch *e, struct source *s, uint32_t round);
/* The identities of a domain. */
struct order *epoch_order(struct epoch *e, size_t domain);
/* Identities begin here: number the lines that the source emitted, and in the last epoch mark where
 * the end-of-file lines of the domain's nodes will stand. */
void epoch_identify(struct core *c, struct epoch *e, struct source *s, size_t domain);
void epoch_mark_ends(struct core *c, struct epoch *e, size_t domain);
void epoch_free(struct core *c, struct epoch *e);
/* Epochs end in the order in which they began. */
void epochs_retire(struct core *c);
/* A stage is through with an epoch; all nodes of a cycle have answered a round. */
void stage_finish(struct core *c, struct epoch *e, size_t stage);
void stage_turn(struct core *c, size_t stage);

/* Give a node lines, closed by a fence or the end; how many answers that takes. */
uint32_t run_give(struct core *c, struct epoch *e, size_t node, struct batch *lines, bool end);
void run_add(struct core *c, size_t lane, struct run *run);
void run_pop(struct core *c, struct node_state *n);
void run_free(struct core *c, struct run *run);
/* A control line of a filter: the answer that is due, or a breach of the protocol. */
void run_answer(struct core *c, size_t node, const char *line, size_t len);
/* The same of a run that is to save or load. */
void run_answer_state(struct core *c, size_t node, const char *line, size_t len);
/* The node has finished the first of its runs; card may be empty. */
void run_answered(struct core *c, size_t node, struct card_reader card);

/* Go on with input that waited for a control line's answer, if it has come. */
void input_resume(struct core *c);
/* The same after a pause. */
void input_go_on(struct core *c);

#endif
