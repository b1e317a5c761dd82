/* SPDX-License-Identifier: MIT */
/* Which names are files for us, and what a file is called where its name is taken already. */
#ifndef NAMES_H
#define NAMES_H

#include "buf.h"

#include <stdbool.h>

enum { NAME_BYTES = 255 }; /* the longest name that a folder holds */

/* Does the name say that its producer is not ready: .x, x.part, x.tmp? */
bool names_unfinished(const char *name);

/* Append the name as its version: 1 is the name itself, 2 is NAME.~2~, and so on. What would be
 * longer than room bytes loses bytes at the end of NAME, never a part of a UTF-8 character. */
void names_version(struct buf *to, const char *name, unsigned long version, size_t room);

/* Is the name a version, NAME.~2~? If so, the length of NAME. */
bool names_unversioned(const char *name, size_t *n);

/* Append the name of the reason that lies beside a failed file. */
void names_reason(struct buf *to, const char *name, unsigned long version);

#endif
