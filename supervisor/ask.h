/* SPDX-License-Identifier: MIT */
/* tl-supervisor asked about a queue, or for something, beside the one that serves it. Each returns
 * the exit status, or ends the program with one line. */
#ifndef ASK_H
#define ASK_H

#include <stdbool.h>

int ask_status(const char *queue);
int ask_pause(const char *queue, bool pause);
int ask_retry(const char *queue, const char *name);

#endif
