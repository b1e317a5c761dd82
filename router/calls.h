/* SPDX-License-Identifier: MIT */
/* The system calls that a sandbox leaves. */
#ifndef CALLS_H
#define CALLS_H

#include <linux/filter.h>

/* A filter for seccomp(2) that goes together with that version of Landlock; dies if there is no
 * memory. The caller frees the program's filter. */
struct sock_fprog calls_program(int abi);

#endif
