/* SPDX-License-Identifier: MIT */
/*
 * The bytes of an input, unpacked where it is a gzip, zstd or xz archive: a reader with an offset.
 * What an input is, its first bytes say; its name says nothing. Every call does at most one
 * read(2), so that an input that trickles holds nobody up, and memory does not grow with what comes
 * out.
 */
#ifndef UNPACK_H
#define UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct unpack;

/* most: bytes that an archive may hold; 0: no input is taken for an archive. The descriptor stays
 * the caller's. */
struct unpack *unpack_new(int fd, uint64_t most);
void unpack_free(struct unpack *u);

/* Up to n of the next bytes; 0 at the end; -1 and errno: EAGAIN when there are none yet, EBADMSG
 * when the archive is bad, which unpack_error explains. */
ssize_t unpack_read(struct unpack *u, char *to, size_t n);

/* After the first read: go to a place of the file, if it is no archive. False: it is one, or there
 * is no such way. */
bool unpack_jump(struct unpack *u, uint64_t offset);

/* May it have more to give without the descriptor having more? */
bool unpack_holds(const struct unpack *u);

const char *unpack_error(const struct unpack *u);

#endif
