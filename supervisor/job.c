/* SPDX-License-Identifier: MIT */
/* Jobs as data. Trust: names are any bytes. */
#include "job.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
