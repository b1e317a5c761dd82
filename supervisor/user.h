/* SPDX-License-Identifier: MIT */
/* As whom the supervisor works. */
#ifndef USER_H
#define USER_H

/* Give up root for that user, for good; dies with one line if that cannot be. Does nothing if it is
 * who we are. */
void user_become(const char *name);

#endif
