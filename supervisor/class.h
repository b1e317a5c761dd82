/* SPDX-License-Identifier: MIT */
/* What the end of a run means for its file, and how long to wait before the next. */
#ifndef CLASS_H
#define CLASS_H

#include <stdbool.h>

enum outcome {
    OUTCOME_DONE,
    OUTCOME_DATA,      /* the file is at fault: it would fail again */
    OUTCOME_TEMPORARY, /* worth another run */
    OUTCOME_OPERATOR,  /* the flow or the machine is at fault, for every file */
};

enum outcome class_of(int status);
const char *class_name(enum outcome outcome);

/* Is it an error that says nothing about a file but that the system is in trouble? */
bool class_storm(int error);

/* Milliseconds before run number run + 1: doubles from least to most, then less up to a half by
 * chance (any number), so that files that failed together do not come back together. */
long class_backoff(long least, long most, long run, unsigned long chance);

#endif
