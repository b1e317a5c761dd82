/* SPDX-License-Identifier: MIT */
/*
 * Scans of unprocessed. Trust: entries come, go and change kind while we read; a name that is gone
 * when we look at it is no error. A pass goes in steps, so that a folder of a million files does
 * not hold up the rest of the work.
 */
#include "scan.h"
#include "names.h"
#include "tagline.h"
#include "text.h"
#include "times.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum {
    STEP = 2000,         /* entries a step */
    PERIOD = 5000,       /* milliseconds between passes that only make sure */
    PERIOD_BLIND = 1000, /* the same without inotify */
    COST = 50,           /* a pass may take one part in so many of the time */
};

void scan_init(struct scan *s, const struct store *store, struct waiting *waiting, bool blind)
{
    *s = (struct scan){.store = store, .waiting = waiting, .wanted = true, .blind = blind};
}

void scan_free(struct scan *s)
{
    if (s->dir)
        closedir(s->dir);
}

static void refuse(const struct scan *s, const char *name)
{
    struct buf text = {0};
    text_escape(&text, name, strlen(name));
    tl_warn("%s/" QUEUE_UNPROCESSED "/%s: is not a regular file; left where it is", s->store->path,
            buf_str(&text));
    buf_free(&text);
}

void scan_look(struct scan *s, const char *name, bool complete, long long now)
{
    char path[STORE_PATH];
    struct identity id;
    if (!choice_takes(s->waiting->choice, name))
        return;
    if (store_look(s->store, store_path(path, QUEUE_UNPROCESSED, name), &id) != 0) {
        struct waiting_file *f = waiting_find(s->waiting, name);
        if (f)
            waiting_forget(s->waiting, f);
        return;
    }
    long long age = (times_wall() - id.mtime) / 1000000;
    if (waiting_seen(s->waiting, name, &id, complete, age, now))
        refuse(s, name);
}

void scan_due(struct scan *s, long long now)
{
    for (struct waiting_file *f; (f = waiting_due(s->waiting, now));) {
        char name[NAME_BYTES + 1];
        memcpy(name, f->name, strlen(f->name) + 1); /* looking may free it */
        scan_look(s, name, false, now);
    }
}

/* What is known already needs no second look, but that it is there. */
static void visit(struct scan *s, const struct dirent *entry, long long now)
{
    struct waiting_file *f = waiting_find(s->waiting, entry->d_name);
    bool changed = f && f->state == WAITING_REFUSED &&
                   (entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN);
    if (f && !changed) {
        f->pass = s->waiting->pass;
        return;
    }
    if (!f && !waiting_room(s->waiting, entry->d_name))
        s->cut = true;
    else
        scan_look(s, entry->d_name, false, now);
}

/* What a pass that broke off has not seen may be there all the same. */
static void end_pass(struct scan *s, int error, long long now)
{
    long period = s->blind ? PERIOD_BLIND : PERIOD;
    long long cost = (times_ms() - s->begun) * COST;
    closedir(s->dir);
    s->dir = NULL;
    if (error) {
        s->refused = true;
        s->error = error;
        s->next = now + PERIOD_BLIND;
        return;
    }
    s->passes++;
    s->next = now + (cost > period ? cost : period);
    waiting_end_pass(s->waiting);
}

static bool begin_pass(struct scan *s, long long now)
{
    int fd =
        openat(s->store->root, QUEUE_UNPROCESSED, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    s->dir = fd < 0 ? NULL : fdopendir(fd);
    s->refused = !s->dir;
    s->error = errno;
    if (!s->dir && fd >= 0)
        close(fd);
    s->begun = now;
    s->next = now + PERIOD_BLIND;
    s->cut = false;
    s->wanted = false;
    if (s->dir)
        waiting_begin_pass(s->waiting);
    return s->dir;
}

/* Is a pass due? Also when the last had to leave files out and there is room again. */
static bool due(const struct scan *s, long long now)
{
    return now >= s->next || s->wanted || (s->cut && s->waiting->files.count < WAITING_MOST / 2);
}

bool scan_step(struct scan *s, long long now)
{
    if (!s->dir && (!due(s, now) || !begin_pass(s, now)))
        return false;
    for (int i = 0; i < STEP; i++) {
        errno = 0;
        struct dirent *entry = readdir(s->dir);
        if (!entry) {
            end_pass(s, errno, now);
            return false;
        }
        if (choice_takes(s->waiting->choice, entry->d_name))
            visit(s, entry, now);
    }
    return true;
}

long long scan_next(const struct scan *s)
{
    return s->next;
}
