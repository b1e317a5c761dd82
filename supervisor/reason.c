/* SPDX-License-Identifier: MIT */
/* Reasons. Trust: names and texts are any bytes; what lies in failed is open to strangers. */
#include "reason.h"
#include "class.h"
#include "names.h"
#include "tagline.h"
#include "text.h"
#include "times.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

static void print_text(struct buf *b, const char *key, const char *value)
{
    buf_addf(b, ",\"%s\":", key);
    text_json(b, value ? value : "", value ? strlen(value) : 0);
}

/* A number, or null for -1. */
static void print_maybe(struct buf *b, const char *key, int value)
{
    if (value < 0)
        buf_addf(b, ",\"%s\":null", key);
    else
        buf_addf(b, ",\"%s\":%d", key, value);
}

static void print_time(struct buf *b, const char *key, int64_t ms)
{
    buf_addf(b, "\"%s\":%" PRId64 ".%03d", key, ms / 1000, (int)(ms % 1000));
}

static void print_runs(struct buf *b, const struct history *h)
{
    buf_addf(b, ",\"attempts\":%ld,\"runs\":[", h->runs);
    for (size_t i = 0; i < h->n; i++) {
        buf_adds(b, i ? ",{" : "{");
        print_time(b, "began", h->told[i].began);
        print_maybe(b, "status", h->told[i].status ? h->told[i].status : -1);
        buf_addc(b, '}');
    }
    buf_addc(b, ']');
}

void reason_print(const struct job *j, const char *flow, struct buf *to)
{
    const struct fault *f = &j->fault;
    buf_adds(to, "{\"name\":");
    text_json(to, j->name, strlen(j->name));
    print_text(to, "class", class_name(class_of(f->status)));
    buf_addf(to, ",\"status\":%d", f->status);
    print_text(to, "error", f->error);
    print_text(to, "node", f->node);
    print_maybe(to, "exit", f->exit);
    print_maybe(to, "signal", f->signal);
    buf_addf(to, ",\"line\":%" PRId64 ",\"first_line\":%" PRId64 ",\"last_line\":%" PRId64, f->line,
             f->first_line, f->last_line);
    print_text(to, "sample", f->sample);
    print_text(to, "stderr", f->errors);
    print_runs(to, &j->history);
    print_text(to, "flow", flow);
    print_text(to, "flow_sha256", j->flow_hash);
    buf_addc(to, ',');
    print_time(to, "time", times_wall() / 1000000);
    buf_adds(to, "}\n");
}

/* Does the text begin as a reason of ours that says that name? */
static bool begins_with_name(const struct buf *text, const char *name, size_t n)
{
    struct buf b = {0};
    buf_adds(&b, "{\"name\":");
    text_json(&b, name, n);
    buf_adds(&b, ",\"class\":\"");
    bool same = text->len > b.len && memcmp(text->data, b.data, b.len) == 0;
    buf_free(&b);
    return same;
}

/* Is the file at path a reason for a file of that name, or of the one of which that is a version?
 * An input that failed may end in .reason too. */
static bool is_reason(const struct store *s, const char *path, const char *name)
{
    enum { REASON_MAX = 1 << 20 };
    struct buf text = {0};
    size_t n = strlen(name);
    bool is = store_read(s, path, &text, REASON_MAX) == 0 && begins_with_name(&text, name, n);
    if (!is && names_unversioned(name, &n))
        is = begins_with_name(&text, name, n);
    buf_free(&text);
    return is;
}

/* The path of a name's reason; false for a name that is too long for it to hold it whole, which may
 * share it with another. */
static bool own_path(const char *name, char *path)
{
    struct buf b = {0};
    names_reason(&b, name, 1);
    bool own = strncmp(buf_str(&b), name, strlen(name)) == 0;
    store_path(path, QUEUE_FAILED, b.data);
    buf_free(&b);
    return own;
}

bool reason_withdraw(const struct store *s, const char *name)
{
    char reason[STORE_PATH], file[STORE_PATH];
    struct identity id;
    if (!own_path(name, reason) || store_look(s, reason, &id) != 0 || !id.regular ||
        store_look(s, store_path(file, QUEUE_FAILED, name), &id) == 0 || errno != ENOENT ||
        !is_reason(s, reason, name))
        return false;
    if (unlinkat(s->root, reason, 0) != 0)
        tl_warn("%s/%s: a reason of the past cannot be removed: %m", s->path, reason);
    return true;
}
