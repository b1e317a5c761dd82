/* SPDX-License-Identifier: MIT */
/* The choice of names. Trust: the rules are the operator's, the names any producer's. */
#include "choice.h"
#include "buf.h"
#include "names.h"
#include "text.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

static void add(struct choice_list *l, char *pattern, long priority)
{
    l->rules = xrealloc(l->rules, l->n + 1, sizeof *l->rules);
    l->rules[l->n++] = (struct choice_rule){.pattern = pattern, .priority = priority};
}

void choice_include(struct choice *c, const char *pattern)
{
    add(&c->include, xstrdup(pattern), 0);
}

void choice_exclude(struct choice *c, const char *pattern)
{
    add(&c->exclude, xstrdup(pattern), 0);
}

bool choice_priority(struct choice *c, const char *text)
{
    const char *equals = strrchr(text, '=');
    bool negative = equals && equals[1] == '-';
    long priority;
    if (!equals || equals == text ||
        !text_number(equals + 1 + negative, 0, CHOICE_PRIORITY, &priority))
        return false;
    add(&c->priority, xstrndup(text, (size_t)(equals - text)), negative ? -priority : priority);
    return true;
}

static int higher_first(const void *a, const void *b)
{
    long x = *(const long *)a, y = *(const long *)b;
    return (x < y) - (x > y);
}

void choice_close(struct choice *c)
{
    size_t n = 0;
    c->levels = xcalloc(c->priority.n + 1, sizeof *c->levels); /* the last is 0, for no rule */
    for (size_t i = 0; i < c->priority.n; i++)
        c->levels[i] = c->priority.rules[i].priority;
    qsort(c->levels, c->priority.n + 1, sizeof *c->levels, higher_first);
    for (size_t i = 0; i <= c->priority.n; i++)
        if (n == 0 || c->levels[i] != c->levels[n - 1])
            c->levels[n++] = c->levels[i];
    c->nlevels = n;
}

static void clear(struct choice_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->rules[i].pattern);
    free(l->rules);
}

void choice_free(struct choice *c)
{
    clear(&c->include);
    clear(&c->exclude);
    clear(&c->priority);
    free(c->levels);
}

static const struct choice_rule *find(const struct choice_list *l, const char *name)
{
    for (size_t i = 0; i < l->n; i++)
        if (fnmatch(l->rules[i].pattern, name, 0) == 0)
            return &l->rules[i];
    return NULL;
}

bool choice_takes(const struct choice *c, const char *name)
{
    return !names_unfinished(name) && (c->include.n == 0 || find(&c->include, name)) &&
           !find(&c->exclude, name);
}

size_t choice_level(const struct choice *c, const char *name)
{
    const struct choice_rule *rule = find(&c->priority, name);
    size_t level = 0;
    while (c->levels[level] != (rule ? rule->priority : 0))
        level++;
    return level;
}

bool choice_urgent(const struct choice *c, size_t level)
{
    return c->levels[level] > 0;
}
