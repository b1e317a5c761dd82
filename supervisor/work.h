/* SPDX-License-Identifier: MIT */
/* What claiming and judging share: the ways of a job that is not finished. */
#ifndef WORK_H
#define WORK_H

#include "super.h"

enum { WORK_AGAIN_MS = 1000 }; /* before another run after trouble that was not the file's */

/* One line about a job. */
void work_log(const struct job *j, const char *event, const char *why);
/* Run it again when that time has passed. */
void work_delay(struct super *s, struct job *j, long ms, long long now);
/* The same, but where very many do so already it waits in unprocessed. */
void work_retry(struct super *s, struct job *j, long ms, long long now);
/* Put the number of its runs on record; false if the system refuses, which then holds. */
bool work_count(struct super *s, const struct job *j);
/* The run was not the file's fault. */
void work_uncharge(struct super *s, struct job *j);
/* The file comes from failed: what was before is forgotten. */
void work_begin_anew(struct super *s, struct job *j);
/* The job is over, wherever its file is now. */
void work_forget(struct super *s, struct job *j);
/* Remove what the run has left. */
void work_drop(struct super *s, struct job *j);
/* The same, but what another run can go on from stays for it. */
void work_keep(struct super *s, struct job *j);
/* Give the file back to unprocessed; keep it if a newer one has its place. */
void work_return(struct super *s, struct job *j);

#endif
