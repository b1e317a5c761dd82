/* SPDX-License-Identifier: MIT */
/*
 * The sandbox of a command: Landlock keeps files and other processes from it, a filter of system
 * calls what Landlock does not know of. tl-flow(5) says what is left. All is made ready by the
 * parent, so that the child between fork and exec has only system calls to make.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include "buf.h"

#include <stdbool.h>

/* What Landlock learned with which version. */
enum sandbox_abi {
    ABI_REFER = 2,
    ABI_TRUNCATE = 3,
    ABI_NET = 4,
    ABI_IOCTL = 5,
    ABI_SCOPE = 6,
};

struct sandbox;

/* The version of Landlock that this kernel has, or 0 and in *why what is missing. */
int sandbox_abi(const char **why);

/* A sandbox for kernels with that version; dies if there is no memory. */
struct sandbox *sandbox_new(int abi);
void sandbox_free(struct sandbox *s);

/* What one command may read, as a descriptor for sandbox_enter: the system's programs and
 * libraries, our filters, program itself, the regular files that words names, and all of read
 * (which may be NULL). -1 and errno, and in culprit what could not be opened. */
int sandbox_rules(const struct sandbox *s, const char *program, char *const *words,
                  char *const *read, struct buf *culprit);

/* In the child, before its descriptors are limited: it may read what /proc says of itself. */
void sandbox_allow_self(int rules);

/* In the child, after its limits are set: from now on, and whatever it executes. False and errno:
 * it did not work, and the child must not go on. */
bool sandbox_enter(const struct sandbox *s, int rules);

#endif
