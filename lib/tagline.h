/* SPDX-License-Identifier: MIT */
/*
 * tagline: write a filter as a loop over tagged lines.
 *
 * A tagged line is TAG, a tab, the text, a newline (see tagline(5)). The library reads them in big
 * blocks from standard input, writes them in big blocks to standard output, and answers the control
 * lines of a router by itself. A whole filter:
 *
 *     struct tl *tl = tl_open(TL_STATELESS | TL_MAP);
 *     struct tl_line line;
 *     while (tl_read(tl, &line))
 *         tl_write(tl, line.tag, line.text, line.len);
 *     return tl_close(tl);
 *
 * A filter that keeps state uses two loops, because state belongs to one file:
 *
 *     struct tl *tl = tl_open(0);
 *     while (tl_file(tl)) {
 *         long n = 0;
 *         while (tl_read(tl, &line))
 *             n++;
 *         ... write what is left: it comes out at the end of the file ...
 *     }
 *     return tl_close(tl);
 *
 * What it holds between two lines a router can save, so that a file need not be done again from its
 * beginning after a crash, if the filter says how: see tl_state.
 *
 * Errors of the world (bad input, a failed read or write, no memory) end the program with one line
 * "program: what: why" on standard error and a status of sysexits(3); no function here returns
 * them.
 */
#ifndef TAGLINE_H
#define TAGLINE_H

#include <stdbool.h>
#include <stddef.h>

#define TL_VERSION "0.1.0"
#define TL_TAG_MAX 63 /* bytes in a tag */
#define TL_LINE_MAX                                                                                \
    ((size_t)64 << 20) /* bytes in a text, unless TAGLINE_MAX_LINE says otherwise                  \
                        */

/* What a filter promises; a router uses it to order and to parallelize. A false promise costs
 * order. */
enum {
    TL_STATELESS =
        1,      /* what comes out for a line depends on that line alone; nothing comes at the end */
    TL_MAP = 2, /* exactly one line comes out for each line, in order; implies TL_STATELESS */
};

struct tl; /* one filter's input and output; a program has one */

/* A line that was read. Its bytes belong to the library and stay until the next tl_read or tl_file.
 * text may hold any byte but a newline, NUL included, and may be changed in place. */
struct tl_line {
    const char *tag; /* a C string of 1 to TL_TAG_MAX bytes */
    char *text;      /* len bytes, then a NUL that does not count */
    size_t len;
};

/* Open standard input and output as a filter's. Reads TAGLINE_MAX_LINE (bytes) from the
 * environment. */
struct tl *tl_open(unsigned promises);

/* Begin the next file; false at the end of all input. In a shell pipeline all input is one file.
 * What the filter did not read of the file before is passed over. */
bool tl_file(struct tl *tl);

/* Read the next line; false at the end of the file. A stateless filter need not call tl_file: for
 * it, false is the end of all input. */
bool tl_read(struct tl *tl, struct tl_line *line);

/* Pass over the rest of the file, if there is a router that may want to save the state until then.
 * For a filter that has broken off its loop and is about to forget the state of the file. */
void tl_skip(struct tl *tl);

/* Say how the state of a file is saved and loaded; to be called behind tl_open. save calls tl_save
 * for each record that it wants kept. load gets one record after the other, in the same order, all
 * before the first line of a file, and then the state must be what it was. Both may be called in
 * any tl_read, tl_file or tl_skip. arg is handed to both. What a load cannot make sense of it
 * refuses by tl_fail. */
void tl_state(struct tl *tl, void (*save)(struct tl *tl, void *arg),
              void (*load)(struct tl *tl, void *arg, const char *record, size_t len), void *arg);

/* Keep a record: len bytes, any. load gets them with a NUL behind that does not count. */
void tl_save(struct tl *tl, const char *record, size_t len);

/* Write one line. tag: a C string, checked. text: len bytes without newline; it may be the text of
 * the line just read. Dies with EX_SOFTWARE (70) if either is not so. */
void tl_write(struct tl *tl, const char *tag, const char *text, size_t len);

/* Write one line in place: tl_begin gives room for up to room bytes of text, tl_end says how many
 * were used. Nothing may be read or written in between. */
char *tl_begin(struct tl *tl, const char *tag, size_t room);
void tl_end(struct tl *tl, size_t len);

/* The line in hand cannot be processed: write out what was written before, so that it does not
 * depend on the size of the blocks, then "program: line N: ..." and exit with status, as tl_die
 * does. */
_Noreturn void tl_fail(struct tl *tl, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The longest text allowed. Without tl (NULL): for a program that does not read tagged lines. */
size_t tl_max_line(const struct tl *tl);

/* Number of the line last read, from 1, counted from the start of the file. For messages. */
unsigned long long tl_lineno(const struct tl *tl);

/* Flush, check that everything was written, free; the exit status for main: EX_OK. */
int tl_close(struct tl *tl);

/* getopt(3) that also knows -h, --help and --version, and answers what it does not know with one
 * line and status 64. usage: what --help prints; its first line is the synopsis. */
int tl_getopt(int argc, char **argv, const char *options, const char *usage);

/* Behind the options stand at least and at most so many operands (most -1: any number); one line
 * and status 64 otherwise. */
void tl_operands(int argc, char **argv, int least, int most);

/* Is it a tag: [A-Za-z_][A-Za-z0-9_.-]{0,62}? */
bool tl_is_tag(const char *tag, size_t len);

/* One line "program: ..." on standard error, control characters made harmless; %m is errno.
 * tl_die then exits with status; tl_bug reports a fault of the program itself and aborts. */
void tl_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void tl_die(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void tl_bug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
