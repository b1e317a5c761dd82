/* SPDX-License-Identifier: MIT */
/*
 * Removing what is old. Trust: the folders are open to strangers; only regular files whose names do
 * not begin with a dot go, no link is followed, and a file that is not the one that was looked at
 * stays. A crash in the middle leaves files that the next pass removes: the file of a failure goes
 * before its reason, for a reason alone says still what it was about.
 */
#include "keep.h"
#include "msg.h"
#include "names.h"
#include "reason.h"
#include "tagline.h"
#include "text.h"
#include "times.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    STEP_MS = 20,   /* how long a step may take; the disk may be slow */
    OLDEST = 2000,  /* files that a pass can remove for their size; twice as many are held */
    PERIOD = 60000, /* milliseconds between passes */
    AGAIN = 1000,   /* the same where one was not enough */
    COST = 50,      /* a pass may take one part in so many of the time */
};

static const char *const folders[KEEP_FOLDERS] = {QUEUE_PROCESSED, QUEUE_FAILED, QUEUE_OUTPUT};

/* ---- limits ---- */

/* An age has a unit of time behind it, a size one of bytes: a bare number could be either. */
static bool parse_limit(struct keep_limit *l, const char *text)
{
    size_t n = strlen(text), bytes;
    long ms;
    if (n < 2 || (text[n - 1] >= '0' && text[n - 1] <= '9'))
        return false;
    if (text_duration(text, &ms) && ms > 0) {
        l->age = ms;
        return true;
    }
    if (!text_size(text, &bytes))
        return false;
    l->bytes = (int64_t)bytes;
    return true;
}

static bool parse_word(struct keep_limits *l, const char *word)
{
    for (size_t i = 0; i < KEEP_FOLDERS; i++) {
        size_t n = strlen(folders[i]);
        if (strncmp(word, folders[i], n) == 0 && word[n] == '=')
            return parse_limit(&l->of[i], word + n + 1);
    }
    return false;
}

bool keep_parse(struct keep_limits *l, const char *text)
{
    bool good = true;
    const char *comma;
    do {
        comma = strchrnul(text, ',');
        char *word = xstrndup(text, (size_t)(comma - text));
        good = good && parse_word(l, word);
        free(word);
        text = comma + 1;
    } while (*comma);
    return good;
}

static bool limited(const struct keep_limit *l)
{
    return l->age || l->bytes;
}

bool keep_wanted(const struct keep_limits *l)
{
    bool wanted = false;
    for (size_t i = 0; i < KEEP_FOLDERS; i++)
        wanted = wanted || limited(&l->of[i]);
    return wanted;
}

/* ---- files ---- */

void keep_init(struct keep *k, const struct store *store, const struct keep_limits *limits)
{
    *k = (struct keep){.store = store, .limits = limits, .next = -1};
    if (keep_wanted(limits))
        k->next = 0;
}

static void forget_oldest(struct keep *k, size_t from)
{
    for (size_t i = from; i < k->n; i++)
        free(k->oldest[i].name);
    k->n = from;
}

static void end_folder(struct keep *k)
{
    if (k->dir)
        closedir(k->dir);
    k->dir = NULL;
    forget_oldest(k, 0);
}

void keep_free(struct keep *k)
{
    end_folder(k);
    free(k->oldest);
}

static int older_first(const void *a, const void *b)
{
    const struct keep_file *x = a, *y = b;
    if (x->id.ctime != y->id.ctime)
        return x->id.ctime < y->id.ctime ? -1 : 1;
    return strcmp(x->name, y->name);
}

static void remember(struct keep *k, const char *name, const struct identity *id)
{
    if (!k->oldest)
        k->oldest = xcalloc(2 * OLDEST, sizeof *k->oldest);
    if (k->n == 2 * OLDEST) {
        qsort(k->oldest, k->n, sizeof *k->oldest, older_first);
        forget_oldest(k, OLDEST);
    }
    k->oldest[k->n++] = (struct keep_file){.id = *id, .name = xstrdup(name)};
}

/* The reason of a file in failed whose own it is, at path; its size. */
static int64_t reason_size(const struct keep *k, const char *name)
{
    struct buf reason = {0};
    char path[STORE_PATH];
    struct identity id;
    names_reason(&reason, name, 1);
    store_path(path, QUEUE_FAILED, buf_str(&reason));
    buf_free(&reason);
    return store_look(k->store, path, &id) == 0 && id.regular ? id.size : 0;
}

/* Is it the reason of a file that is there? Then it goes with that. */
static bool goes_with_another(const struct keep *k, const char *name)
{
    static const char suffix[] = ".reason";
    size_t n = strlen(name), end = sizeof suffix - 1;
    char path[STORE_PATH];
    struct identity id;
    if (k->folder != KEEP_FAILED || n <= end || strcmp(name + n - end, suffix) != 0)
        return false;
    char *file = xstrndup(name, n - end);
    bool there = store_look(k->store, store_path(path, QUEUE_FAILED, file), &id) == 0;
    free(file);
    return there;
}

/* Remove it if it is still the same. */
static void remove_file(struct keep *k, const char *name, const struct identity *id)
{
    char path[STORE_PATH];
    struct identity now;
    store_path(path, folders[k->folder], name);
    if (store_look(k->store, path, &now) != 0 || !store_same(id, &now) || now.ctime != id->ctime)
        return;
    int64_t size = id->size + (k->folder == KEEP_FAILED ? reason_size(k, name) : 0);
    if (unlinkat(k->store->root, path, 0) != 0) {
        if (errno != ENOENT) {
            k->error = errno;
            k->stayed++;
        }
        return;
    }
    if (k->folder == KEEP_FAILED && !reason_withdraw(k->store, name))
        size = id->size;
    k->removed++;
    k->removed_bytes += size;
    k->bytes -= size;
}

static void visit(struct keep *k, const char *name)
{
    const struct keep_limit *l = &k->limits->of[k->folder];
    char path[STORE_PATH];
    struct identity id;
    if (name[0] == '.' ||
        store_look(k->store, store_path(path, folders[k->folder], name), &id) != 0)
        return;
    if (!id.regular)
        return;
    k->bytes += id.size;
    if (goes_with_another(k, name))
        return;
    if (l->age && (times_wall() - id.ctime) / 1000000 > l->age)
        remove_file(k, name, &id);
    else if (l->bytes)
        remember(k, name, &id);
}

/* ---- passes ---- */

static void tell(struct keep *k)
{
    const char *folder = folders[k->folder];
    if (k->removed)
        msg_at(MSG_INFO, "keep: %s: %zu old files removed, %" PRId64 " bytes", folder, k->removed,
               k->removed_bytes);
    bool known = k->stayed <= k->known[k->folder];
    k->known[k->folder] = k->stayed;
    if (!known) {
        errno = k->error;
        tl_warn("keep: %s/%s: %zu old files cannot be removed: %m", k->store->path, folder,
                k->stayed);
    }
    k->total += (int64_t)k->removed;
    k->total_bytes += k->removed_bytes;
    k->removed = k->stayed = 0;
    k->removed_bytes = 0;
}

/* One entry more of the folder, or one removal for its size; false if nothing is left to do. */
static bool go_on(struct keep *k)
{
    int64_t most = k->limits->of[k->folder].bytes;
    struct dirent *entry = k->sorted ? NULL : readdir(k->dir);
    if (entry) {
        visit(k, entry->d_name);
        return true;
    }
    if (!k->sorted && k->n > 0)
        qsort(k->oldest, k->n, sizeof *k->oldest, older_first);
    k->sorted = true;
    if (k->bytes <= most || k->at == k->n)
        return false;
    remove_file(k, k->oldest[k->at].name, &k->oldest[k->at].id);
    k->at++;
    return true;
}

static void finish_folder(struct keep *k)
{
    int64_t most = k->limits->of[k->folder].bytes;
    k->again = k->again || (most && k->bytes > most && k->removed && !k->stayed);
    tell(k);
    end_folder(k);
}

/* A folder that is not there now is made again by the supervisor. */
static void open_folder(struct keep *k)
{
    const char *folder = folders[k->folder];
    int fd = openat(k->store->root, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    k->dir = fd < 0 ? NULL : fdopendir(fd);
    if (!k->dir && errno != ENOENT && k->known[k->folder] != SIZE_MAX) {
        tl_warn("keep: %s/%s: %m", k->store->path, folder);
        k->known[k->folder] = SIZE_MAX; /* once is enough */
    }
    if (!k->dir && fd >= 0)
        close(fd);
    k->bytes = 0;
    k->at = 0;
    k->sorted = false;
}

/* To the first folder, from this one on, that has a limit and can be read; false if there is none.
 */
static bool next_folder(struct keep *k, size_t from)
{
    for (k->folder = from; !k->dir && k->folder < KEEP_FOLDERS;) {
        if (limited(&k->limits->of[k->folder]))
            open_folder(k);
        k->folder += !k->dir;
    }
    return k->dir;
}

static bool end_pass(struct keep *k)
{
    long long now = times_ms(), cost = (now - k->begun) * COST;
    k->next = now + (k->again ? AGAIN : cost > PERIOD ? cost : PERIOD);
    k->again = false;
    return false;
}

bool keep_step(struct keep *k, long long now)
{
    if (!k->dir) {
        if (k->next < 0 || now < k->next)
            return false;
        k->begun = now;
        if (!next_folder(k, 0))
            return end_pass(k);
    }
    long long until = times_ms() + STEP_MS;
    while (go_on(k))
        if (times_ms() >= until)
            return true;
    finish_folder(k);
    return next_folder(k, k->folder + 1) || end_pass(k);
}

long long keep_next(const struct keep *k)
{
    return k->next;
}

void keep_all(struct keep *k)
{
    if (k->next < 0)
        return;
    do {
        if (k->dir)
            finish_folder(k);
        k->next = 0;
        while (keep_step(k, times_ms()))
            ;
    } while (k->next <= times_ms() + AGAIN);
}
