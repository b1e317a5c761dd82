/* SPDX-License-Identifier: MIT */
/*
 * A tl-supervisor that serves nothing: it looks at the files of a queue and leaves word there for
 * the one that does. Trust: it is the operator's; names and reasons in the queue may hold any bytes
 * and are shown escaped; what the status file says is only shown.
 */
#include "ask.h"
#include "names.h"
#include "store.h"
#include "tagline.h"
#include "text.h"
#include "times.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    ANSWER_MS = 5000, /* how long a supervisor may take to look */
    LOOK_MS = 10,
    FILE_MAX = 1 << 20,
    NEWEST = 3,     /* failures that are shown */
    SEARCH = 20000, /* among so many */
};

/* ---- words ---- */

/* Leave a word, and wait until the supervisor has heard it: what was asked before is then in
 * effect. Dies if it does not listen. */
static void ask(const struct store *s, const char *word)
{
    char path[STORE_PATH], file[64];
    struct identity id;
    long long deadline = times_ms() + ANSWER_MS;
    snprintf(file, sizeof file, QUEUE_ASK "%d", (int)getpid());
    store_path(path, QUEUE_CONTROL, file);
    if (store_replace(s, path, word, strlen(word)) != 0)
        tl_die(EX_CANTCREAT, "%s/%s: %m", s->path, path);
    while (store_look(s, path, &id) == 0) {
        if (times_ms() >= deadline) {
            unlinkat(s->root, path, 0);
            tl_die(EX_TEMPFAIL, "%s: the supervisor does not answer; is it ending?", s->path);
        }
        poll(NULL, 0, LOOK_MS);
    }
}

int ask_pause(const char *queue, bool pause)
{
    static const char path[] = QUEUE_PAUSE;
    struct store s;
    store_visit(&s, queue);
    s.power = true; /* it is asked for until it is taken back */
    if (mkdirat(s.root, QUEUE_CONTROL, 0700) != 0 && errno != EEXIST)
        tl_die(EX_CANTCREAT, "%s/" QUEUE_CONTROL ": %m", s.path);
    if (pause ? store_replace(&s, path, "", 0) != 0 || store_sync(&s, path) != 0
              : unlinkat(s.root, path, 0) != 0 && errno != ENOENT)
        tl_die(EX_CANTCREAT, "%s/%s: %m", s.path, path);
    if (store_sync(&s, QUEUE_CONTROL) != 0)
        tl_die(EX_IOERR, "%s/" QUEUE_CONTROL ": %m", s.path);
    if (store_locked(&s))
        ask(&s, "");
    store_close(&s);
    return EX_OK;
}

static bool lies_in(const struct store *s, const char *folder, const char *name)
{
    char path[STORE_PATH];
    struct identity id;
    return store_look(s, store_path(path, folder, name), &id) == 0 && id.regular;
}

/* Its reason stays beside it no longer than until it is claimed: the supervisor sees to that. */
static void bring_back(const struct store *s, const char *name)
{
    char from[STORE_PATH], to[STORE_PATH];
    store_path(from, QUEUE_FAILED, name);
    store_path(to, QUEUE_UNPROCESSED, name);
    if (store_move(s, from, to) != 0)
        tl_die(errno == EACCES ? EX_NOPERM : EX_CANTCREAT, "%s: %s", name,
               errno == EEXIST ? "a file of that name waits in " QUEUE_UNPROCESSED " already"
                               : strerror(errno));
    if (!store_locked(s))
        tl_warn("%s: is in " QUEUE_UNPROCESSED " again; no supervisor runs", name);
}

int ask_retry(const char *queue, const char *name)
{
    struct store s;
    store_visit(&s, queue);
    if (!*name || strchr(name, '/') || strlen(name) > NAME_BYTES || names_unfinished(name))
        tl_die(EX_USAGE, "%s: is no name of a file of a queue", name);
    if (lies_in(&s, QUEUE_FAILED, name))
        bring_back(&s, name);
    else if (!lies_in(&s, QUEUE_UNDERPROCESS, name))
        tl_die(EX_NOINPUT, "%s: has not failed, and does not wait to be tried again", name);
    else if (!store_locked(&s))
        tl_die(EX_UNAVAILABLE, "%s: no supervisor runs; the next one tries it first", name);
    else
        ask(&s, name);
    store_close(&s);
    return EX_OK;
}

/* ---- the status ---- */

struct folder {
    size_t files;
    struct {
        char name[NAME_BYTES + 1];
        int64_t mtime;
    } newest[NEWEST];
    size_t looked;
    const struct store *store;
};

static void count_file(void *arg, const char *name)
{
    struct folder *f = arg;
    f->files += !names_unfinished(name);
}

static bool is_reason_name(const char *name)
{
    size_t n = strlen(name), suffix = strlen(".reason");
    return n > suffix && strcmp(name + n - suffix, ".reason") == 0;
}

/* Count what failed, and remember the newest reasons. */
static void count_failed(void *arg, const char *name)
{
    struct folder *f = arg;
    char path[STORE_PATH];
    struct identity id;
    if (!is_reason_name(name)) {
        count_file(arg, name);
        return;
    }
    if (f->looked++ > SEARCH || strlen(name) > NAME_BYTES ||
        store_look(f->store, store_path(path, QUEUE_FAILED, name), &id) != 0)
        return;
    size_t at = NEWEST;
    while (at > 0 && id.mtime > f->newest[at - 1].mtime)
        at--;
    if (at == NEWEST)
        return;
    memmove(&f->newest[at + 1], &f->newest[at], (NEWEST - 1 - at) * sizeof f->newest[0]);
    f->newest[at].mtime = id.mtime;
    strcpy(f->newest[at].name, name);
}

static struct folder look_into(const struct store *s, const char *path,
                               void (*each)(void *arg, const char *name))
{
    struct folder f = {.store = s};
    if (store_each(s, path, each, &f) != 0 && errno != ENOENT)
        tl_die(errno == EACCES ? EX_NOPERM : EX_IOERR, "%s/%s: %m", s->path, path);
    return f;
}

/* A JSON object in a file, or NULL. */
static json_t *load(const struct store *s, const char *path)
{
    struct buf b = {0};
    json_t *j = store_read(s, path, &b, FILE_MAX) == 0 && b.len
                    ? json_loadb(b.data, b.len, JSON_REJECT_DUPLICATES, NULL)
                    : NULL;
    buf_free(&b);
    return j;
}

static const char *string_of(const json_t *j, const char *key)
{
    const char *text = json_string_value(json_object_get(j, key));
    return text ? text : "";
}

static long long number_of(const json_t *j, const char *key)
{
    return json_integer_value(json_object_get(j, key));
}

static void put_row(struct buf *b, const char *key, const char *text)
{
    buf_addf(b, "%-12s", key);
    text_escape(b, text, strlen(text));
}

static void put_age(struct buf *b, long long seconds)
{
    if (seconds < 120)
        buf_addf(b, "%lld s", seconds < 0 ? 0 : seconds);
    else if (seconds < 7200)
        buf_addf(b, "%lld min", seconds / 60);
    else if (seconds < 2 * 86400)
        buf_addf(b, "%lld h", seconds / 3600);
    else
        buf_addf(b, "%lld days", seconds / 86400);
}

enum standing { NOT_RUNNING, STARTING, RUNNING, PAUSED, HOLDING, ENDING };

/* Who holds the lock and says nothing yet is starting; who has left it to his workers is gone. */
static enum standing find_standing(const struct store *s, const json_t *status)
{
    static const char *const states[] = {"",       "starting", "running",
                                         "paused", "holding",  "draining"};
    if (!store_locked(s))
        return NOT_RUNNING;
    for (enum standing i = STARTING; i <= ENDING; i++) {
        if (strcmp(string_of(status, "state"), states[i]) != 0)
            continue;
        pid_t pid = (pid_t)number_of(status, "pid");
        return pid > 0 && kill(pid, 0) != 0 && errno == ESRCH ? NOT_RUNNING : i;
    }
    return STARTING;
}

static int exit_status(enum standing standing)
{
    switch (standing) {
    case RUNNING:
        return EX_OK;
    case PAUSED:
        return EX_CONFIG;
    case STARTING:
    case HOLDING:
        return EX_TEMPFAIL;
    case NOT_RUNNING:
    case ENDING:
        break;
    }
    return EX_UNAVAILABLE;
}

static void put_supervisor(struct buf *b, const struct store *s, const json_t *status,
                           enum standing standing)
{
    static const char *const words[] = {"not running", "starting", "running",
                                        "paused",      "holding",  "ending"};
    struct identity id;
    bool paused = store_look(s, QUEUE_PAUSE, &id) == 0;
    put_row(b, "queue", s->path);
    buf_addc(b, '\n');
    put_row(b, "state", words[standing]);
    if (standing == HOLDING)
        buf_addf(b, ": %s", string_of(status, "reason"));
    if (paused && standing != PAUSED)
        buf_adds(b, standing == HOLDING ? "; paused, too" : ", paused");
    buf_addc(b, '\n');
    if (*string_of(status, "flow")) {
        put_row(b, "flow", string_of(status, "flow"));
        buf_addc(b, '\n');
    }
    if (standing == NOT_RUNNING || !status)
        return;
    put_row(b, "supervisor", "");
    buf_addf(b, "pid %lld, up ", number_of(status, "pid"));
    put_age(b, times_wall() / 1000000000 - number_of(status, "started"));
    buf_addf(b, ", workers: %lld\n", number_of(status, "workers"));
}

/* One folder; since: what the supervisor has moved there, -1 if none runs. */
static void put_folder(struct buf *b, const char *key, size_t files, long long since)
{
    put_row(b, key, "");
    buf_addf(b, "%zu", files);
    if (since >= 0)
        buf_addf(b, ", %lld since the start", since);
    buf_addc(b, '\n');
}

static void put_failures(struct buf *b, const struct store *s, const struct folder *failed)
{
    for (size_t i = 0; i < NEWEST && failed->newest[i].mtime; i++) {
        char path[STORE_PATH];
        json_t *reason = load(s, store_path(path, QUEUE_FAILED, failed->newest[i].name));
        if (reason) {
            put_row(b, "", string_of(reason, "name"));
            buf_adds(b, ": ");
            text_escape(b, string_of(reason, "error"), strlen(string_of(reason, "error")));
            buf_addc(b, '\n');
        }
        json_decref(reason);
    }
}

int ask_status(const char *queue)
{
    struct store s;
    struct buf b = {0};
    store_visit(&s, queue);
    json_t *status = load(&s, QUEUE_STATUS);
    enum standing standing = find_standing(&s, status);
    bool runs = standing != NOT_RUNNING && status;
    struct folder waiting = look_into(&s, QUEUE_UNPROCESSED, count_file);
    struct folder running = look_into(&s, QUEUE_UNDERPROCESS, count_file);
    struct folder processed = look_into(&s, QUEUE_PROCESSED, count_file);
    struct folder failed = look_into(&s, QUEUE_FAILED, count_failed);
    put_supervisor(&b, &s, status, standing);
    put_row(&b, "unprocessed", "");
    buf_addf(&b, "%zu", waiting.files);
    if (runs)
        buf_addf(&b, ", waiting: %lld", number_of(status, "waiting"));
    buf_addc(&b, '\n');
    put_row(&b, "in work", "");
    buf_addf(&b, "%zu", running.files);
    if (runs && number_of(status, "delayed"))
        buf_addf(&b, ", to be tried again: %lld", number_of(status, "delayed"));
    buf_addc(&b, '\n');
    put_folder(&b, "processed", processed.files, runs ? number_of(status, "processed") : -1);
    put_folder(&b, "failed", failed.files, runs ? number_of(status, "failed") : -1);
    put_failures(&b, &s, &failed);
    if (fwrite(b.data, 1, b.len, stdout) != b.len || fflush(stdout) != 0)
        tl_die(EX_IOERR, "standard output: %m");
    buf_free(&b);
    json_decref(status);
    store_close(&s);
    return exit_status(standing);
}
