/* SPDX-License-Identifier: MIT */
/*
 * The start: make of what a crash left a queue that is as if nothing had happened. The journal
 * comes first, because its records speak of partial results; then these go, but for those that a
 * checkpoint speaks of; then each file that lies in underprocess becomes a job again. A crash in
 * the middle of this leaves nothing that the next start does not do in the same way. Trust: what is
 * under .tagline is ours, what is beside it is not.
 */
#include "reason.h"
#include "super.h"
#include "tagline.h"
#include "text.h"
#include "times.h"
#include "work.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
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

/* ---- what was made so far ---- */

struct kept { /* a checkpoint, and the folder that it speaks of */
    unsigned long id;
    uint64_t inode;
    bool used; /* its input is there */
};

struct keeping {
    struct super *s;
    struct kept *kept;
    size_t n;
};

static void note_kept(void *arg, const char *name)
{
    struct keeping *k = arg;
    struct kept found = {0};
    if (!job_checkpoint_of(name, &found.id, &found.inode))
        return;
    k->kept = xrealloc(k->kept, k->n + 1, sizeof *k->kept);
    k->kept[k->n++] = found;
    if (found.id > k->s->next_id)
        k->s->next_id = found.id;
}

/* The latest that was made for this input, or NULL. */
static struct kept *kept_of(const struct keeping *k, uint64_t inode)
{
    struct kept *best = NULL;
    for (size_t i = 0; i < k->n; i++)
        if (k->kept[i].inode == inode && (!best || k->kept[i].id > best->id))
            best = &k->kept[i];
    return best;
}

static void mark_kept(void *arg, const char *name)
{
    const struct keeping *k = arg;
    char path[STORE_PATH];
    struct identity id;
    struct kept *kept;
    if (look(k->s, store_path(path, QUEUE_UNDERPROCESS, name), &id) && id.regular &&
        (kept = kept_of(k, id.inode)))
        kept->used = true;
}

static bool is_kept(const struct keeping *k, const char *name)
{
    struct job j = {0};
    char path[STORE_PATH];
    const char *base = path + strlen(STORE_WORK) + 1;
    for (size_t i = 0; i < k->n; i++) {
        j.id = k->kept[i].id;
        j.input.inode = k->kept[i].inode;
        if (k->kept[i].used && ((job_folder(&j, path), strcmp(base, name) == 0) ||
                                (job_checkpoint(&j, path), strcmp(base, name) == 0)))
            return true;
    }
    return false;
}

static void clean_work(void *arg, const char *name)
{
    const struct keeping *k = arg;
    const struct store *store = &k->s->store;
    char path[STORE_PATH];
    store_path(path, STORE_WORK, name);
    if (is_kept(k, name) || unlinkat(store->root, path, 0) == 0)
        return;
    if (errno == EISDIR)
        store_remove_folder(store, path);
    if (faccessat(store->root, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        tl_die(EX_CANTCREAT, "%s/" STORE_WORK ": cannot be emptied", store->path);
}

/* Partial results whose input waits with a checkpoint stay, all others go. */
static void keep_work(struct keeping *k)
{
    const struct store *store = &k->s->store;
    if ((k->s->opt.checkpoint && (store_each(store, STORE_WORK, note_kept, k) != 0 ||
                                  store_each(store, QUEUE_UNDERPROCESS, mark_kept, k) != 0)) ||
        store_each(store, STORE_WORK, clean_work, k) != 0)
        tl_die(EX_IOERR, "%s/" QUEUE_STATE ": %m", store->path);
}

/* ---- files ---- */

/* What lies there was being run, or waited to be run again. In the first case it may be what
 * brought us down, so the run counts; in the second all its runs are in the log. */
static void recover_file(void *arg, const char *name)
{
    const struct keeping *k = arg;
    struct super *s = k->s;
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
    const struct kept *kept = kept_of(k, id.inode);
    if (kept) {
        j->id = kept->id;
        j->kept = true;
    }
    if (j->history.runs > s->opt.retries) {
        work_drop(s, j);
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
    struct keeping k = {.s = s};
    keep_work(&k);
    store_clean(&s->store, STORE_FLOW);
    attempts_open(&s->attempts, &s->store);
    if (store_each(&s->store, QUEUE_UNDERPROCESS, recover_file, &k) != 0)
        tl_die(EX_IOERR, "%s/" QUEUE_UNDERPROCESS ": %m", s->store.path);
    if (moves || s->delayed.n || s->publish.waiting.n)
        tl_warn("recovered: %zu moves finished, %zu files to run again", moves,
                s->delayed.n + s->publish.waiting.n);
    free(k.kept);
}
