/* SPDX-License-Identifier: MIT */
/*
 * The commit journal. Trust: records are ours, but a power cut may leave one torn and an older or
 * newer version one that we cannot read; neither stops the start.
 */
#include "journal.h"
#include "dict.h"
#include "names.h"
#include "tagline.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD       "tagline-journal "
#define HEAD_OURS  HEAD "1\n"
#define RECORD_MAX ((size_t)64 << 20)

void record_add(struct record *r, const struct identity *id, const char *from, const char *to)
{
    r->moves = xrealloc(r->moves, r->n + 1, sizeof *r->moves);
    r->moves[r->n++] = (struct move){.from = xstrdup(from), .to = xstrdup(to), .id = *id};
}

void record_free(struct record *r)
{
    for (size_t i = 0; i < r->n; i++) {
        free(r->moves[i].from);
        free(r->moves[i].to);
    }
    free(r->moves);
    *r = (struct record){0};
}

void journal_print(const struct record *r, struct buf *to)
{
    size_t begin = to->len;
    buf_adds(to, HEAD_OURS);
    for (size_t i = 0; i < r->n; i++) {
        const struct move *m = &r->moves[i];
        buf_addf(to, "move %" PRIu64 " %" PRId64 " %" PRId64 " %" PRId64 " ", m->id.inode,
                 m->id.size, m->id.mtime, m->id.ctime);
        text_percent(to, m->from, strlen(m->from));
        buf_addc(to, ' ');
        text_percent(to, m->to, strlen(m->to));
        buf_addc(to, '\n');
    }
    uint64_t sum = dict_hash(to->data + begin, to->len - begin);
    buf_addf(to, "end %zu %016" PRIx64 "\n", r->n, sum);
}

/* One "move" line without its newline. */
static bool parse_move(char *line, struct record *r)
{
    struct identity id = {.regular = true};
    int at = 0;
    if (sscanf(line, "move %" SCNu64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %n", &id.inode, &id.size,
               &id.mtime, &id.ctime, &at) != 4 ||
        at == 0)
        return false;
    char *from = line + at;
    char *to = strchr(from, ' ');
    if (!to)
        return false;
    *to++ = '\0';
    if (!text_unpercent(from) || !text_unpercent(to) || !strchr(to, '/'))
        return false;
    record_add(r, &id, from, to);
    return true;
}

/* The lines between head and end; text is changed. */
static bool parse_moves(char *text, struct record *r)
{
    char *line = text + strlen(HEAD_OURS);
    for (char *nl; (nl = strchr(line, '\n')); line = nl + 1) {
        *nl = '\0';
        if (!parse_move(line, r))
            return false;
    }
    return *line == '\0';
}

enum journal_text journal_parse(const char *text, size_t n, struct record *r)
{
    size_t moves;
    uint64_t sum;
    char *copy = xstrndup(text, n);
    char *end = strlen(copy) == n ? strstr(copy, "\nend ") : NULL;
    enum journal_text result = JOURNAL_TORN;
    if (strncmp(copy, HEAD, strlen(HEAD)) == 0 && strchr(copy, '\n') &&
        strncmp(copy, HEAD_OURS, strlen(HEAD_OURS)) != 0) {
        result = JOURNAL_FOREIGN;
    } else if (end && copy[n - 1] == '\n' &&
               sscanf(end, "\nend %zu %" SCNx64 "\n", &moves, &sum) == 2 &&
               sum == dict_hash(copy, (size_t)(end + 1 - copy))) {
        end[1] = '\0';
        if (parse_moves(copy, r) && r->n == moves)
            result = JOURNAL_WHOLE;
    }
    free(copy);
    if (result != JOURNAL_WHOLE)
        record_free(r);
    return result;
}

static char *record_path(char *to, unsigned long seq)
{
    char name[32];
    snprintf(name, sizeof name, "%lu", seq);
    return store_path(to, STORE_JOURNAL, name);
}

int journal_write(const struct store *s, unsigned long seq, const struct record *r)
{
    char path[STORE_PATH];
    struct buf text = {0};
    journal_print(r, &text);
    int result = store_write(s, record_path(path, seq), text.data, text.len);
    if (result == 0)
        result = store_sync(s, STORE_JOURNAL);
    if (result != 0) {
        int saved = errno;
        unlinkat(s->root, path, 0);
        errno = saved;
    }
    buf_free(&text);
    return result;
}

int journal_remove(const struct store *s, unsigned long seq)
{
    char path[STORE_PATH];
    return unlinkat(s->root, record_path(path, seq), 0);
}

/* The name was free when the record was written, and somebody else took it since. */
static int move_elsewhere(const struct store *s, struct move *m)
{
    const char *name = strrchr(m->to, '/') + 1;
    for (unsigned long version = 2;; version++) {
        struct buf to = {0};
        buf_add(&to, m->to, (size_t)(name - m->to));
        names_version(&to, name, version, NAME_BYTES);
        int result = store_move(s, m->from, buf_str(&to));
        if (result != 0 && errno == EEXIST) {
            buf_free(&to);
            continue;
        }
        if (result == 0) {
            tl_warn("%s/%s: was taken meanwhile; see the next version of that name", s->path,
                    m->to);
            free(m->to);
            m->to = xstrdup(buf_str(&to));
        }
        buf_free(&to);
        return result;
    }
}

/* What a crash left: 1 if the move is still to be made, 0 if not, -1 and errno if that cannot be
 * told. Nothing there, or a newer file of that name: it was moved already. (A rename changes ctime,
 * so a file that was moved and put back is not taken for one still to be moved.) */
static int move_left(const struct store *s, const struct move *m)
{
    struct identity id, there;
    if (store_look(s, m->from, &id) != 0)
        return errno == ENOENT ? 0 : -1;
    bool taken = store_look(s, m->to, &there) == 0;
    if (!taken && errno != ENOENT)
        return -1;
    if (taken && there.inode == id.inode)
        return unlinkat(s->root, m->from, 0); /* by link and unlink, and cut in two */
    return store_same(&id, &m->id) && id.ctime == m->id.ctime;
}

/* A rename says ENOENT also where the folder is missing into which it should go. */
static bool is_gone(const struct store *s, const char *path)
{
    struct identity id;
    int saved = errno;
    bool gone = store_look(s, path, &id) != 0 && errno == ENOENT;
    errno = saved;
    return gone;
}

static int move_one(const struct store *s, struct move *m, bool strict)
{
    int left = strict ? move_left(s, m) : 1;
    if (left <= 0)
        return left;
    if (store_move(s, m->from, m->to) == 0)
        return 0;
    if (errno == ENOENT && is_gone(s, m->from))
        return 0; /* somebody took it away */
    return errno == EEXIST ? move_elsewhere(s, m) : -1;
}

int journal_move(const struct store *s, struct record *r, bool strict)
{
    for (size_t i = 0; i < r->n; i++) {
        struct move *m = &r->moves[i];
        if (!m->done && move_one(s, m, strict) != 0)
            return -1;
        m->done = true;
    }
    return 0;
}

int journal_sync(const struct store *s, const struct record *r)
{
    static const char *const places[] = {QUEUE_OUTPUT, QUEUE_FAILED, QUEUE_PROCESSED,
                                         QUEUE_UNDERPROCESS};
    for (size_t p = 0; p < sizeof places / sizeof *places; p++) {
        size_t n = strlen(places[p]);
        bool changed = false;
        for (size_t i = 0; i < r->n && !changed; i++)
            changed = (strncmp(r->moves[i].to, places[p], n) == 0 && r->moves[i].to[n] == '/') ||
                      (strncmp(r->moves[i].from, places[p], n) == 0 && r->moves[i].from[n] == '/');
        if (changed && store_sync(s, places[p]) != 0)
            return -1;
    }
    return 0;
}

struct recovery {
    const struct store *store;
    size_t moves;
};

static void remove_record(const struct store *s, const char *path)
{
    if (unlinkat(s->root, path, 0) != 0)
        tl_die(EX_TEMPFAIL, "%s/%s: cannot be removed: %m", s->path, path);
}

/* Ours must not be numbered like it, and whoever wrote it may want it back. */
static void set_aside(const struct store *s, const char *path, const char *what)
{
    char aside[STORE_PATH + 16];
    snprintf(aside, sizeof aside, "%s.foreign", path);
    tl_warn("%s/%s: %s; left as %s", s->path, path, what, aside);
    if (renameat(s->root, path, s->root, aside) != 0)
        tl_die(EX_TEMPFAIL, "%s/%s: cannot be renamed: %m", s->path, path);
}

static void recover_record(struct recovery *rec, const char *path)
{
    const struct store *s = rec->store;
    struct buf text = {0};
    struct record r = {0};
    if (store_read(s, path, &text, RECORD_MAX) != 0) {
        if (errno != EISDIR && errno != ELOOP && errno != EFBIG)
            tl_die(EX_IOERR, "%s/%s: %m", s->path, path);
        set_aside(s, path, "is no record");
        buf_free(&text);
        return;
    }
    switch (journal_parse(text.data, text.len, &r)) {
    case JOURNAL_WHOLE:
        if (journal_move(s, &r, true) != 0 || journal_sync(s, &r) != 0)
            tl_die(EX_TEMPFAIL, "%s/%s: cannot finish what it says: %m", s->path, path);
        rec->moves += r.n;
        remove_record(s, path);
        break;
    case JOURNAL_TORN:
        tl_warn("%s/%s: torn; nothing was moved yet, the files in it run again", s->path, path);
        remove_record(s, path);
        break;
    case JOURNAL_FOREIGN:
        set_aside(s, path, "of another version of this program");
        break;
    }
    record_free(&r);
    buf_free(&text);
}

static void recover_one(void *arg, const char *name)
{
    struct recovery *rec = arg;
    char path[STORE_PATH];
    long seq;
    if (text_number(name, 0, LONG_MAX, &seq))
        recover_record(rec, store_path(path, STORE_JOURNAL, name));
}

size_t journal_recover(const struct store *s)
{
    struct recovery rec = {.store = s};
    if (store_each(s, STORE_JOURNAL, recover_one, &rec) != 0)
        tl_die(EX_IOERR, "%s/" STORE_JOURNAL ": %m", s->path);
    /* A record that is gone must not come back once the partial results are removed. */
    if (store_sync(s, STORE_JOURNAL) != 0)
        tl_die(EX_TEMPFAIL, "%s/" STORE_JOURNAL ": %m", s->path);
    return rec.moves;
}
