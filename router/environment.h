/* SPDX-License-Identifier: MIT */
/* The environment of a command: tl-router(1), ENVIRONMENT, says what stays. */
#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

/* What a command gets of our environment; more: further names, NULL-terminated, or NULL. The list
 * is the caller's to free, its strings are not. */
char **environment_clean(char *const *more);

#endif
