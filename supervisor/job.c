/* SPDX-License-Identifier: MIT */
/* Jobs as data. Trust: names are any bytes. */
#include "job.h"
#include "tagline.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct job *job_new(const char *name, const struct identity *input, long long now)
{
    struct job *j = xcalloc(1, sizeof *j);
    j->name = xstrdup(name);
    j->input = *input;
    j->claimed = now;
    return j;
}

static void fault_free(struct fault *f)
{
    free(f->error);
    free(f->node);
    free(f->errors);
    free(f->sample);
    *f = (struct fault){0};
}

void job_free(struct job *j)
{
    reply_free(&j->reply);
    fault_free(&j->fault);
    free(j->name);
    free(j);
}

void job_add(struct job_list *l, struct job *j)
{
    j->next = NULL;
    j->prev = l->last;
    if (l->last)
        l->last->next = j;
    else
        l->first = j;
    l->last = j;
    l->n++;
}

void job_remove(struct job_list *l, struct job *j)
{
    if (j->prev)
        j->prev->next = j->next;
    else
        l->first = j->next;
    if (j->next)
        j->next->prev = j->prev;
    else
        l->last = j->prev;
    j->next = j->prev = NULL;
    l->n--;
}

void job_fault(struct job *j, int status, const char *error)
{
    fault_free(&j->fault);
    j->fault = (struct fault){.status = status, .exit = -1, .signal = -1, .error = xstrdup(error)};
}

void job_fault_reply(struct job *j, const struct reply *r)
{
    fault_free(&j->fault);
    j->fault = (struct fault){.status = r->status,
                              .number = r->number,
                              .exit = r->exit,
                              .signal = r->signal,
                              .line = r->line,
                              .first_line = r->first_line,
                              .last_line = r->last_line,
                              .error = xstrdup(r->error),
                              .node = xstrdup(r->node),
                              .errors = xstrdup(r->errors),
                              .sample = xstrdup(r->sample)};
}

const char *job_shown(const struct job *j, struct buf *text)
{
    text->len = 0;
    text_escape(text, j->name, strlen(j->name));
    return buf_str(text);
}

char *job_input(const struct job *j, char *path)
{
    return store_path(path, QUEUE_UNDERPROCESS, j->name);
}

char *job_run_folder(unsigned long id, char *path)
{
    char name[24];
    snprintf(name, sizeof name, "%lu", id);
    return store_path(path, STORE_WORK, name);
}

char *job_folder(const struct job *j, char *path)
{
    return job_run_folder(j->id, path);
}

char *job_checkpoint(const struct job *j, char *path)
{
    char name[48];
    snprintf(name, sizeof name, "%lu.%" PRIu64, j->id, j->input.inode);
    return store_path(path, STORE_WORK, name);
}

bool job_checkpoint_of(const char *name, unsigned long *id, uint64_t *inode)
{
    char end;
    return strspn(name, "0123456789.") == strlen(name) &&
           sscanf(name, "%lu.%" SCNu64 "%c", id, inode, &end) == 2;
}

void job_drop(const struct store *s, const struct job *j)
{
    char path[STORE_PATH];
    size_t n = strlen(job_checkpoint(j, path));
    unlinkat(s->root, path, 0); /* mostly there is none */
    snprintf(path + n, sizeof path - n, ".tmp");
    unlinkat(s->root, path, 0);
    store_remove_folder(s, job_folder(j, path));
}

struct dropping {
    const struct store *store;
    unsigned long id;
};

static void drop_checkpoint(void *arg, const char *name)
{
    const struct dropping *d = arg;
    char path[STORE_PATH], *end;
    if (strtoul(name, &end, 10) == d->id && *end == '.')
        unlinkat(d->store->root, store_path(path, STORE_WORK, name), 0);
}

void job_drop_run(const struct store *s, unsigned long id)
{
    char path[STORE_PATH];
    struct dropping d = {s, id};
    store_remove_folder(s, job_run_folder(id, path));
    if (store_each(s, STORE_WORK, drop_checkpoint, &d) != 0)
        tl_warn("%s/" STORE_WORK ": %m", s->path); /* the next start removes it */
}
