/* SPDX-License-Identifier: MIT */
/*
 * Commits. Trust: output, processed and failed are open to strangers, so names are checked when
 * they are chosen and again by the rename itself; results are what our worker wrote, and are
 * believed only as far as their sizes agree with its accounts.
 */
#include "publish.h"
#include "names.h"
#include "reason.h"
#include "tagline.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What became of the preparation of a job. */
enum prepared { PREPARED, PREPARED_NOT, REFUSED };

struct reserved {
    struct dict_link link;
    char path[];
};

/* The renames of one job, before its version is chosen: folder/version(name). */
struct plan {
    struct {
        char from[2 * STORE_PATH];
        const char *folder, *name;
        bool reason;
        struct identity id;
    } * moves;
    size_t n;
};

void publish_init(struct publish *p, const struct store *store, const char *flow,
                  struct publish_handler handler)
{
    *p = (struct publish){.store = store, .flow = flow, .handler = handler};
}

static void unreserve(struct dict_link *link)
{
    free(link);
}

void publish_free(struct publish *p)
{
    record_free(&p->record);
    dict_clear(&p->reserved, unreserve);
}

void publish_add(struct publish *p, struct job *job)
{
    job_add(&p->waiting, job);
}

bool publish_pending(const struct publish *p)
{
    return p->waiting.n || p->batch.n;
}

static void plan_add(struct plan *plan, const char *from, const char *folder, const char *name,
                     bool reason, const struct identity *id)
{
    plan->moves = xrealloc(plan->moves, plan->n + 1, sizeof *plan->moves);
    snprintf(plan->moves[plan->n].from, sizeof plan->moves->from, "%s", from);
    plan->moves[plan->n].folder = folder;
    plan->moves[plan->n].name = name;
    plan->moves[plan->n].reason = reason;
    plan->moves[plan->n++].id = *id;
}

/* What the worker promised of a file that several sinks may share. */
static int64_t promised(const struct reply *r, const char *file)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < r->nsinks; i++)
        if (r->sinks[i].file && strcmp(r->sinks[i].file, file) == 0)
            bytes += r->sinks[i].bytes;
    return bytes;
}

static bool shared_with_earlier(const struct reply *r, size_t sink)
{
    for (size_t i = 0; i < sink; i++)
        if (r->sinks[i].file && strcmp(r->sinks[i].file, r->sinks[sink].file) == 0)
            return true;
    return false;
}

/* One result: is it what the worker said, and durable? */
static enum prepared prepare_result(struct publish *p, struct job *j, const char *file,
                                    struct plan *plan)
{
    char folder[STORE_PATH], path[2 * STORE_PATH];
    struct identity id;
    snprintf(path, sizeof path, "%s/%s", job_folder(j, folder), file);
    if (store_look(p->store, path, &id) != 0 && errno != ENOENT)
        return REFUSED;
    if (errno == ENOENT || !id.regular || id.size != promised(&j->reply, file)) {
        errno = 0;
        job_fault(j, EX_SOFTWARE, "a result is not what the accounts say");
        j->end = JOB_FAIL;
        return PREPARED_NOT;
    }
    if (store_sync(p->store, path) != 0)
        return REFUSED;
    plan_add(plan, path, QUEUE_OUTPUT, file, false, &id);
    return PREPARED;
}

static enum prepared prepare_results(struct publish *p, struct job *j, struct plan *plan)
{
    char folder[STORE_PATH];
    const struct reply *r = &j->reply;
    for (size_t i = 0; i < r->nsinks; i++) {
        if (!r->sinks[i].file || shared_with_earlier(r, i))
            continue;
        errno = 0;
        enum prepared result = prepare_result(p, j, r->sinks[i].file, plan);
        if (result != PREPARED)
            return result;
    }
    return store_sync(p->store, job_folder(j, folder)) == 0 ? PREPARED : REFUSED;
}

/* The reason takes the place of what the run has left, which makes room on a full disk too. */
static enum prepared prepare_reason(struct publish *p, struct job *j, struct plan *plan)
{
    char folder[STORE_PATH], path[2 * STORE_PATH];
    struct buf text = {0};
    struct identity id;
    store_clean(p->store, job_folder(j, folder));
    snprintf(path, sizeof path, "%s/reason", folder);
    reason_print(j, p->flow, &text);
    int result = store_write(p->store, path, text.data, text.len);
    buf_free(&text);
    if (result != 0 || store_look(p->store, path, &id) != 0 || store_sync(p->store, folder) != 0)
        return REFUSED;
    plan_add(plan, path, QUEUE_FAILED, j->name, true, &id);
    return PREPARED;
}

/* Where a move of a plan goes under a version. */
static void target(const struct plan *plan, size_t i, unsigned long version, struct buf *to)
{
    to->len = 0;
    buf_adds(to, plan->moves[i].folder);
    buf_addc(to, '/');
    if (plan->moves[i].reason)
        names_reason(to, plan->moves[i].name, version);
    else
        names_version(to, plan->moves[i].name, version, NAME_BYTES);
}

/* 1: somebody has the name, 0: free, -1 and errno. */
static int taken(const struct publish *p, const char *path)
{
    struct identity id;
    if (dict_find(&p->reserved, path) || store_look(p->store, path, &id) == 0)
        return 1;
    return errno == ENOENT ? 0 : -1;
}

static unsigned long *hint(struct publish *p, const struct plan *plan, size_t i, bool claim)
{
    struct buf path = {0};
    target(plan, i, 1, &path);
    uint64_t hash = dict_hash(path.data, path.len);
    buf_free(&path);
    size_t slot = hash % PUBLISH_HINTS;
    if (p->hints[slot].hash != hash && !claim)
        return NULL;
    if (p->hints[slot].hash != hash)
        p->hints[slot].version = 0;
    p->hints[slot].hash = hash;
    return &p->hints[slot].version;
}

/* Is the version free for all moves of the plan? 1, 0, or -1 and errno. */
static int version_free(const struct publish *p, const struct plan *plan, unsigned long version)
{
    struct buf to = {0};
    int result = 1;
    for (size_t i = 0; i < plan->n && result == 1; i++) {
        target(plan, i, version, &to);
        int t = taken(p, buf_str(&to));
        result = t == 0 ? 1 : t > 0 ? 0 : -1;
    }
    int saved = errno;
    buf_free(&to);
    errno = saved;
    return result;
}

/* The first version that is free, or 0 and errno. */
static unsigned long choose_version(struct publish *p, const struct plan *plan)
{
    unsigned long version = 1;
    int is_free;
    while ((is_free = version_free(p, plan, version)) == 0) {
        if (version++ > 1)
            continue;
        for (size_t i = 0; i < plan->n; i++) {
            const unsigned long *known = hint(p, plan, i, false);
            if (known && *known > version)
                version = *known;
        }
    }
    if (is_free < 0)
        return 0;
    for (size_t i = 0; version > 1 && i < plan->n; i++)
        *hint(p, plan, i, true) = version;
    return version;
}

static void reserve(struct publish *p, const struct buf *path)
{
    struct reserved *r = xcalloc(1, sizeof *r + path->len + 1);
    memcpy(r->path, path->data, path->len);
    if (dict_find(&p->reserved, r->path))
        free(r); /* two cut names of one job that became the same; the rename will part them */
    else
        dict_add(&p->reserved, &r->link, r->path);
}

static bool commit_plan(struct publish *p, struct job *j, const struct plan *plan)
{
    struct buf to = {0};
    unsigned long version = choose_version(p, plan);
    for (size_t i = 0; version && i < plan->n; i++) {
        target(plan, i, version, &to);
        record_add(&p->record, &plan->moves[i].id, plan->moves[i].from, buf_str(&to));
        reserve(p, &to);
    }
    j->version = version;
    buf_free(&to);
    return version != 0;
}

/* Everything up to the record for one job; its plan is empty and is filled. */
static enum prepared prepare(struct publish *p, struct job *j, struct plan *plan)
{
    char path[STORE_PATH];
    struct identity now;
    if (store_look(p->store, job_input(j, path), &now) != 0) {
        if (errno != ENOENT)
            return REFUSED;
        p->handler.gone(p->handler.arg, j);
        return PREPARED_NOT;
    }
    bool changed = !store_same(&now, &j->input);
    enum prepared result = PREPARED;
    if (j->end == JOB_PUBLISH && changed) {
        p->handler.again(p->handler.arg, j, 0);
        return PREPARED_NOT;
    }
    if (j->end == JOB_PUBLISH)
        result = prepare_results(p, j, plan);
    if (j->end == JOB_FAIL) {
        plan->n = 0;
        result = prepare_reason(p, j, plan);
    }
    if (result == PREPARED) {
        const char *folder = j->end == JOB_FAIL ? QUEUE_FAILED : QUEUE_PROCESSED;
        plan_add(plan, path, folder, j->name, false, &now);
        result = commit_plan(p, j, plan) ? PREPARED : REFUSED;
    }
    return result;
}

/* Fill the batch. A job that the system refuses stays out: what could not be synced once must not
 * be trusted by a second sync that says nothing. */
static int choose(struct publish *p, void (*alive)(void))
{
    int error = 0;
    while (p->waiting.first && p->batch.n < PUBLISH_BATCH && p->record.n < PUBLISH_MOVES &&
           !error) {
        struct job *j = p->waiting.first;
        struct plan plan = {0};
        job_remove(&p->waiting, j);
        alive();
        switch (prepare(p, j, &plan)) {
        case PREPARED:
            job_add(&p->batch, j);
            break;
        case REFUSED:
            error = errno;
            p->handler.again(p->handler.arg, j, error);
            break;
        case PREPARED_NOT:
            break;
        }
        free(plan.moves);
    }
    if (p->batch.n)
        p->phase = PUBLISH_CHOSEN;
    errno = error;
    return error ? -1 : 0;
}

/* Nothing is on record yet: all run again. */
static void give_up(struct publish *p, int error)
{
    for (struct job *j; (j = p->batch.first);) {
        job_remove(&p->batch, j);
        p->handler.again(p->handler.arg, j, error);
    }
    record_free(&p->record);
    dict_clear(&p->reserved, unreserve);
    p->phase = PUBLISH_IDLE;
    errno = error;
}

/* The claim itself is never synced, but the record speaks of where it put the file. A record that
 * could not be written may be there all the same, so what it speaks of must stay as it is. */
static int write_record(struct publish *p)
{
    p->where = "cannot sync what was claimed";
    if (store_sync(p->store, STORE_WORK) != 0 || store_sync(p->store, QUEUE_UNDERPROCESS) != 0) {
        give_up(p, errno);
        return -1;
    }
    p->where = "cannot write the journal";
    if (journal_write(p->store, ++p->seq, &p->record) != 0)
        return -1;
    p->phase = PUBLISH_MOVING;
    return 0;
}

static void finish(struct publish *p)
{
    for (struct job *j; (j = p->batch.first);) {
        job_remove(&p->batch, j);
        job_drop(p->store, j);
        p->handler.finished(p->handler.arg, j);
    }
    record_free(&p->record);
    dict_clear(&p->reserved, unreserve);
    p->phase = PUBLISH_IDLE;
}

/* The renames are done. If they cannot be made durable the record stays: the next start reads it.
 */
static int settle(struct publish *p)
{
    int error = journal_sync(p->store, &p->record) == 0 ? 0 : errno;
    p->where = "cannot sync the queue's folders";
    if (!error && journal_remove(p->store, p->seq) != 0)
        tl_warn("%s: a journal record cannot be removed: %m", p->store->path);
    finish(p);
    errno = error;
    return error ? -1 : 0;
}

int publish_round(struct publish *p, void (*alive)(void))
{
    int refused = 0;
    if (p->phase == PUBLISH_IDLE) {
        p->where = "cannot prepare results";
        refused = choose(p, alive) == 0 ? 0 : errno;
    }
    if (p->phase == PUBLISH_CHOSEN && write_record(p) != 0)
        return -1;
    alive();
    if (p->phase == PUBLISH_MOVING) {
        if (journal_move(p->store, &p->record, false) != 0) {
            p->where = "cannot move results";
            return -1;
        }
        if (settle(p) != 0)
            return -1;
    }
    errno = refused;
    return refused ? -1 : 0;
}

void publish_abandon(struct publish *p)
{
    for (struct job *j; (j = p->waiting.first);) {
        job_remove(&p->waiting, j);
        p->handler.again(p->handler.arg, j, 0);
    }
}
