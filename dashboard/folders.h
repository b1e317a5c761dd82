/* SPDX-License-Identifier: MIT */
/* The state of a queue from its folders alone, for when no supervisor tells it. */
#ifndef FOLDERS_H
#define FOLDERS_H

#include <jansson.h>

/* Count the files and bytes in each folder: a queue record whose state is "away". Folders that are
 * not there count as empty. The caller's: json_decref it. */
json_t *folders_record(const char *queue);

#endif
