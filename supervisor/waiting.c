/* SPDX-License-Identifier: MIT */
/* Which files may be taken. Trust: names, sizes and times are whatever producers make them; time by
 * their clocks is only believed where it lies far enough in the past. */
#include "waiting.h"
#include "buf.h"

#include <stdlib.h>
#include <string.h>

enum { STEP = 50 }; /* milliseconds: files that are due together are looked at together */

void waiting_init(struct waiting *w, long settle, const struct choice *choice)
{
    *w = (struct waiting){.settle = settle, .choice = choice, .next_due = -1, .pass = 1};
    w->ready = xcalloc(choice->nlevels, sizeof *w->ready);
}

static void drop(struct dict_link *link)
{
    free(link);
}

void waiting_free(struct waiting *w)
{
    dict_clear(&w->files, drop);
    free(w->ready);
}

struct waiting_file *waiting_find(const struct waiting *w, const char *name)
{
    return (struct waiting_file *)dict_find(&w->files, name);
}

/* The queue that it is in, in its state, or NULL. */
static struct waiting_queue *queue_of(struct waiting *w, const struct waiting_file *f)
{
    switch (f->state) {
    case WAITING_READY:
        return &w->ready[f->level];
    case WAITING_NEW:
    case WAITING_SETTLING:
    case WAITING_BLOCKED:
    case WAITING_DELAYED:
        return &w->timed;
    case WAITING_REFUSED:
        break;
    }
    return NULL;
}

static void enqueue(struct waiting *w, struct waiting_file *f)
{
    struct waiting_queue *q = queue_of(w, f);
    w->refused += f->state == WAITING_REFUSED;
    w->blocked += f->state == WAITING_BLOCKED;
    if (!q)
        return;
    f->next = NULL;
    f->prev = q->last;
    if (q->last)
        q->last->next = f;
    else
        q->first = f;
    q->last = f;
    if (q == &w->timed && (w->next_due < 0 || f->due < w->next_due))
        w->next_due = f->due;
}

static void dequeue(struct waiting *w, struct waiting_file *f)
{
    struct waiting_queue *q = queue_of(w, f);
    w->refused -= f->state == WAITING_REFUSED;
    w->blocked -= f->state == WAITING_BLOCKED;
    if (!q)
        return;
    if (f->prev)
        f->prev->next = f->next;
    else
        q->first = f->next;
    if (f->next)
        f->next->prev = f->prev;
    else
        q->last = f->prev;
    f->next = f->prev = NULL;
}

static void become(struct waiting *w, struct waiting_file *f, enum waiting_state state,
                   long long due)
{
    if (f->state == state && state == WAITING_READY)
        return; /* keeps its place */
    dequeue(w, f);
    f->state = state;
    f->due = (due + STEP - 1) / STEP * STEP;
    f->turn = ++w->turns;
    enqueue(w, f);
}

static struct waiting_file *add(struct waiting *w, const char *name, long long due)
{
    size_t n = strlen(name) + 1;
    struct waiting_file *f = xcalloc(1, sizeof *f + n);
    memcpy(f->name, name, n);
    f->state = WAITING_NEW;
    f->due = due;
    f->level = choice_level(w->choice, name);
    f->pass = w->pass;
    dict_add(&w->files, &f->link, f->name);
    enqueue(w, f);
    return f;
}

bool waiting_room(const struct waiting *w, const char *name)
{
    return w->files.count < WAITING_MOST ||
           (w->files.count < 2 * WAITING_MOST &&
            choice_urgent(w->choice, choice_level(w->choice, name)));
}

void waiting_created(struct waiting *w, const char *name, long long now)
{
    if (!waiting_find(w, name) && waiting_room(w, name))
        add(w, name, now + w->settle);
}

/* When may a file be taken that nobody has closed before our eyes? Now if its mtime is old enough,
 * else when it has stayed the same until it would be. */
static void settle(struct waiting *w, struct waiting_file *f, bool same, long long age,
                   long long now)
{
    if ((same && f->due <= now) || age >= w->settle || w->settle == 0)
        become(w, f, WAITING_READY, 0);
    else if (!same || f->state == WAITING_NEW)
        become(w, f, WAITING_SETTLING, now + w->settle - (age > 0 ? age : 0));
}

bool waiting_seen(struct waiting *w, const char *name, const struct identity *id, bool complete,
                  long long age, long long now)
{
    struct waiting_file *f = waiting_find(w, name);
    if (!f && !waiting_room(w, name))
        return false;
    if (!f)
        f = add(w, name, now);
    bool refused_before = f->state == WAITING_REFUSED;
    bool same = f->state == WAITING_SETTLING && store_same(&f->id, id);
    bool delayed = f->state == WAITING_DELAYED && now < f->due && store_same(&f->id, id);
    f->pass = w->pass;
    w->bytes -= f->id.size;
    f->id = *id;
    if (!id->regular) {
        f->id.size = 0;
        become(w, f, WAITING_REFUSED, 0);
        return !refused_before;
    }
    w->bytes += id->size;
    if (delayed)
        return false; /* we put it back ourselves, and hear of that too */
    if (complete)
        become(w, f, WAITING_READY, 0);
    else if (f->state != WAITING_READY)
        settle(w, f, same, age, now);
    return false;
}

void waiting_forget(struct waiting *w, struct waiting_file *f)
{
    dequeue(w, f);
    w->bytes -= f->id.size;
    dict_remove(&w->files, &f->link);
    free(f);
}

struct waiting_file *waiting_first(const struct waiting *w)
{
    bool fair = w->taken + 1 >= WAITING_FAIR;
    struct waiting_file *best = NULL;
    for (size_t i = 0; i < w->choice->nlevels; i++) {
        struct waiting_file *f = w->ready[i].first;
        if (f && (!best || (fair && f->turn < best->turn)))
            best = f;
    }
    return best;
}

void waiting_taken(struct waiting *w, struct waiting_file *f)
{
    w->taken = (w->taken + 1) % WAITING_FAIR;
    waiting_forget(w, f);
}

void waiting_block(struct waiting *w, struct waiting_file *f, long ms, long long now)
{
    become(w, f, WAITING_BLOCKED, now + ms);
}

void waiting_delay(struct waiting *w, struct waiting_file *f, long ms, long long now)
{
    become(w, f, WAITING_DELAYED, now + ms);
}

void waiting_unblock(struct waiting *w, const char *name)
{
    struct waiting_file *f = waiting_find(w, name);
    if (f && f->state == WAITING_BLOCKED)
        become(w, f, WAITING_READY, 0);
}

struct waiting_file *waiting_due(struct waiting *w, long long now)
{
    if (w->next_due < 0 || now < w->next_due)
        return NULL;
    w->next_due = -1;
    for (struct waiting_file *f = w->timed.first; f; f = f->next) {
        if (f->due <= now) {
            w->next_due = now; /* there may be more */
            return f;
        }
        if (w->next_due < 0 || f->due < w->next_due)
            w->next_due = f->due;
    }
    return NULL;
}

long long waiting_next_due(const struct waiting *w)
{
    return w->next_due;
}

void waiting_begin_pass(struct waiting *w)
{
    w->pass++;
}

void waiting_end_pass(struct waiting *w)
{
    for (size_t i = 0; i < w->files.nslots; i++) {
        for (struct dict_link *l = w->files.slots[i], *next; l; l = next) {
            struct waiting_file *f = (struct waiting_file *)l;
            next = l->next;
            if (f->pass != w->pass)
                waiting_forget(w, f);
        }
    }
}

size_t waiting_count(const struct waiting *w)
{
    return w->files.count - w->refused;
}

int64_t waiting_oldest(const struct waiting *w)
{
    int64_t oldest = 0;
    for (size_t i = 0; i < w->files.nslots; i++) {
        for (struct dict_link *l = w->files.slots[i]; l; l = l->next) {
            const struct waiting_file *f = (const struct waiting_file *)l;
            if (f->id.regular && (oldest == 0 || f->id.mtime < oldest))
                oldest = f->id.mtime;
        }
    }
    return oldest;
}
