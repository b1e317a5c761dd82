/* SPDX-License-Identifier: MIT */
/* The log of attempts, lines "RUNS INODE NAME HISTORY" of which the last for a name counts. Trust:
 * the file is ours; a power cut may leave its end torn, which only forgets a run. */
#include "attempts.h"
#include "tagline.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG     QUEUE_STATE "/attempts"
#define LOG_NEW LOG ".new"

enum { LOG_LINES = 100000 }; /* written anew when longer and mostly stale */

#define LOG_MAX ((size_t)1 << 30)

struct count {
    struct dict_link link;
    struct history history;
    uint64_t inode;
    char name[];
};

static struct count *find(const struct attempts *a, const char *name)
{
    return (struct count *)dict_find(&a->counts, name);
}

static void drop(struct dict_link *link)
{
    free(link);
}

static void remember(struct attempts *a, const char *name, uint64_t inode, const struct history *h)
{
    struct count *c = find(a, name);
    if (c && h->runs == 0) {
        dict_remove(&a->counts, &c->link);
        free(c);
        return;
    }
    if (!c && h->runs > 0) {
        size_t n = strlen(name) + 1;
        c = xcalloc(1, sizeof *c + n);
        memcpy(c->name, name, n);
        dict_add(&a->counts, &c->link, c->name);
    }
    if (c) {
        c->history = *h;
        c->inode = inode;
    }
}

static void print(struct buf *to, const char *name, uint64_t inode, const struct history *h)
{
    buf_addf(to, "%ld %" PRIu64 " ", h->runs, inode);
    text_percent(to, name, strlen(name));
    buf_addc(to, ' ');
    history_print(h, to);
    buf_addc(to, '\n');
}

static void parse_line(struct attempts *a, char *line)
{
    struct history h = {0};
    uint64_t inode;
    int at = 0;
    if (sscanf(line, "%ld %" SCNu64 " %n", &h.runs, &inode, &at) != 2 || at == 0 || h.runs < 0)
        return;
    char *name = line + at;
    char *told = strchr(name, ' ');
    if (told) {
        *told = '\0';
        history_parse(&h, told + 1);
    }
    if (text_unpercent(name) && *name && !strchr(name, '/'))
        remember(a, name, inode, &h);
}

void attempts_parse(struct attempts *a, char *text)
{
    for (char *nl; (nl = strchr(text, '\n')); text = nl + 1) {
        *nl = '\0';
        parse_line(a, text);
    }
}

static void load(struct attempts *a)
{
    struct buf text = {0};
    if (store_read(a->store, LOG, &text, LOG_MAX) != 0 && errno != ENOENT)
        tl_warn("%s/" LOG ": %m; attempts are counted from the beginning", a->store->path);
    attempts_parse(a, (char *)(buf_str(&text), text.data));
    buf_free(&text);
}

/* Is the file still there that was counted? */
static bool of_use(const struct attempts *a, const struct count *c)
{
    static const char *const places[] = {QUEUE_UNDERPROCESS, QUEUE_UNPROCESSED};
    char path[STORE_PATH];
    struct identity id;
    for (size_t i = 0; i < 2; i++)
        if (strlen(c->name) <= 255 &&
            store_look(a->store, store_path(path, places[i], c->name), &id) == 0 &&
            id.inode == c->inode)
            return true;
    return false;
}

/* Write the log anew beside the old one, then put it in its place. */
static int rewrite(struct attempts *a)
{
    const struct store *s = a->store;
    struct buf text = {0};
    size_t lines = 0;
    for (size_t i = 0; i < a->counts.nslots; i++) {
        for (struct dict_link *l = a->counts.slots[i]; l; l = l->next) {
            struct count *c = (struct count *)l;
            if (of_use(a, c) && ++lines)
                print(&text, c->name, c->inode, &c->history);
        }
    }
    if (unlinkat(s->root, LOG_NEW, 0) != 0 && errno != ENOENT)
        tl_warn("%s/" LOG_NEW ": %m", s->path);
    int result = store_write(s, LOG_NEW, text.data, text.len);
    buf_free(&text);
    if (result != 0 || renameat(s->root, LOG_NEW, s->root, LOG) != 0)
        return -1;
    int log = openat(s->root, LOG, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
    if (log < 0)
        return -1;
    if (a->log >= 0)
        close(a->log);
    a->log = log;
    a->lines = lines;
    a->torn = false;
    return store_sync(s, QUEUE_STATE);
}

void attempts_open(struct attempts *a, const struct store *store)
{
    *a = (struct attempts){.store = store, .log = -1};
    load(a);
    if (rewrite(a) != 0)
        tl_die(EX_CANTCREAT, "%s/" LOG ": %m", store->path);
}

long attempts_of(const struct attempts *a, const char *name, uint64_t inode, struct history *h)
{
    const struct count *c = find(a, name);
    bool known = c && c->inode == inode;
    if (h)
        *h = known ? c->history : (struct history){0};
    return known ? c->history.runs : 0;
}

int attempts_set(struct attempts *a, const char *name, uint64_t inode, const struct history *h)
{
    if (h->runs == 0 && !find(a, name))
        return 0;
    remember(a, name, inode, h);
    if (a->lines > LOG_LINES && a->lines > 4 * a->counts.count)
        return rewrite(a);
    struct buf line = {0};
    if (a->torn)
        buf_addc(&line, '\n');
    print(&line, name, inode, h);
    ssize_t n = write(a->log, line.data, line.len);
    int result = n == (ssize_t)line.len ? 0 : -1;
    if (n >= 0)
        a->torn = result != 0;
    if (n >= 0 && result != 0)
        errno = ENOSPC;
    buf_free(&line);
    a->lines++;
    if (result == 0 && h->runs > 0 && a->store->power && fdatasync(a->log) != 0)
        result = -1;
    return result;
}

void attempts_close(struct attempts *a)
{
    close(a->log);
    dict_clear(&a->counts, drop);
}
