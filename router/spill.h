/* SPDX-License-Identifier: MIT */
/*
 * Bytes in a file without a name, where memory would be too dear: the buffer is a mapping of it, so
 * that nobody who reads them need know. The file is in TMPDIR, or /var/tmp, and gone with the
 * process.
 */
#ifndef SPILL_H
#define SPILL_H

#include "buf.h"

#include <stdbool.h>

struct spill;

/* Move the bytes into a file, with room for n more; NULL: errno says why, and they are as before.
 */
struct spill *spill_new(struct buf *bytes, size_t n);
/* Room for n more; false: errno says why. */
bool spill_room(struct spill *s, struct buf *bytes, size_t n);
/* The first n bytes will not be looked at soon: they need not stay in memory. */
void spill_pass(struct spill *s, const struct buf *bytes, size_t n);
/* Forget file and bytes. */
void spill_free(struct spill *s, struct buf *bytes);

/* The folder, for messages. */
const char *spill_folder(void);

#endif
