/* SPDX-License-Identifier: MIT */
/*
 * The start: make of what a crash left a queue that is as if nothing had happened. The journal
 * comes first, because its records speak of partial results; then these go; then each file that
 * lies in underprocess becomes a job again. A crash in the middle of this leaves nothing that the
 * next start does not do in the same way. Trust: what is under .tagline is ours, what is beside it
 * is not.
 */
#include "reason.h"
#include "super.h"
#include "tagline.h"
#include "text.h"
#include "times.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Look at what a crash left; false if it is gone. What cannot be told must not be guessed. */
static bool look(const struct super *s, const char *path, struct identity *id)
{
    if (store_look(&s->store, path, id) == 0)
        return true;
    if (errno != ENOENT)
        tl_die(EX_TEMPFAIL, "%s/%s: %m", s->store.path, path);
    return false;
}

/* A claim by link and unlink that was cut in two: the file is in both folders. */
static void finish_claim(struct super *s, const char *name, const struct identity *id)
{
    char path[STORE_PATH];
    struct identity there;
    if (look(s, store_path(path, QUEUE_UNPROCESSED, name), &there) && there.inode == id->inode &&
        unlinkat(s->store.root, path, 0) != 0)
        tl_die(EX_TEMPFAIL, "%s/" QUEUE_UNPROCESSED ": a claim cannot be finished: %m",
               s->store.path);
}

/* What lies there was being run, or waited to be run again. In the first case it may be what
 * brought us down, so the run counts; in the second all its runs are in the log. */
static void recover_file(void *arg, const char *name)
{
    struct super *s = arg;
    char path[STORE_PATH];
    struct identity id;
    struct buf shown = {0};
    if (!look(s, store_path(path, QUEUE_UNDERPROCESS, name), &id))
        return;
    if (!id.regular) {
        text_escape(&shown, name, strlen(name));
        tl_warn("%s/" QUEUE_UNDERPROCESS "/%s: is not a regular file; left where it is",
                s->store.path, buf_str(&shown));
        buf_free(&shown);
        return;
    }
    finish_claim(s, name, &id);
    struct job *j = job_new(name, &id, times_ms());
    attempts_of(&s->attempts, name, id.inode, &j->history);
    if (reason_withdraw(&s->store, name))
        j->history = (struct history){0};
    if (j->history.runs == 0) /* the claim changed its ctime, and a first run follows at once */
        history_begin(&j->history, id.ctime / 1000000);
    if (attempts_set(&s->attempts, name, id.inode, &j->history) != 0)
        tl_die(EX_CANTCREAT, "%s: the log of attempts: %m", s->store.path);
    if (j->history.runs > s->opt.retries) {
        job_fault(j, EX_TEMPFAIL, "the supervisor died in its last run");
        j->id = ++s->next_id;
        j->end = JOB_FAIL;
        if (mkdirat(s->store.root, job_folder(j, path), 0700) != 0)
            tl_die(EX_CANTCREAT, "%s/%s: %m", s->store.path, path);
        publish_add(&s->publish, j);
        return;
    }
    job_add(&s->delayed, j);
    s->next_retry = j->due; /* 0: at once */
}

void work_recover(struct super *s)
{
    size_t moves = journal_recover(&s->store);
    if (store_clean(&s->store, STORE_WORK) != 0)
        tl_die(EX_CANTCREAT, "%s/" STORE_WORK ": cannot be emptied", s->store.path);
    store_clean(&s->store, STORE_FLOW);
    attempts_open(&s->attempts, &s->store);
    if (store_each(&s->store, QUEUE_UNDERPROCESS, recover_file, s) != 0)
        tl_die(EX_IOERR, "%s/" QUEUE_UNDERPROCESS ": %m", s->store.path);
    if (moves || s->delayed.n || s->publish.waiting.n)
        tl_warn("recovered: %zu moves finished, %zu files to run again", moves,
                s->delayed.n + s->publish.waiting.n);
}
