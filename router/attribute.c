/* SPDX-License-Identifier: MIT */
/* Attributes. Trust: as for the parser of flows, whose words they are. */
#include "attribute.h"
#include "text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_JOBS = 1024, MOST_CPU = 1 << 30, LEAST_FILES = 4, MOST_FILES = 1 << 20 };

static bool parse_ok(struct node *node, const char *list)
{
    memset(node->ok, 0, sizeof node->ok);
    for (;;) {
        char *end;
        long status = strtol(list, &end, 10);
        if (end == list || status < 0 || status > 255)
            return false;
        node->ok[status / 8] |= (uint8_t)(1 << status % 8);
        if (*end == '\0')
            return true;
        if (*end != ',')
            return false;
        list = end + 1;
    }
}

static bool parse_jobs(struct node *node, const char *value)
{
    long jobs = 1;
    bool good = text_number(value, 1, MOST_JOBS, &jobs);
    node->jobs = (size_t)jobs;
    return good;
}

static bool parse_timeout(struct node *node, const char *value)
{
    return text_duration(value, &node->timeout_ms);
}

/* The system counts in seconds: a part of one is a whole one. */
static bool parse_cpu(struct node *node, const char *value)
{
    long ms;
    if (!text_duration(value, &ms) || ms <= 0 || ms / 1000 >= MOST_CPU)
        return false;
    node->terms.cpu = (ms + 999) / 1000;
    return true;
}

static bool parse_memory(struct node *node, const char *value)
{
    return text_size(value, &node->terms.memory);
}

static bool parse_files(struct node *node, const char *value)
{
    return text_number(value, LEAST_FILES, MOST_FILES, &node->terms.files);
}

/* Add what stands between the commas; false if any is empty or not good. */
static bool add_list(char ***list, const char *value, bool (*good)(const char *))
{
    size_t n = 0;
    while (*list && (*list)[n])
        n++;
    for (;;) {
        size_t len = strcspn(value, ",");
        *list = xrealloc(*list, n + 2, sizeof **list);
        (*list)[n] = xstrndup(value, len);
        (*list)[n + 1] = NULL;
        if (!len || !good((*list)[n++]))
            return false;
        if (!value[len])
            return true;
        value += len + 1;
    }
}

static bool is_variable(const char *name)
{
    for (const char *s = name; *s; s++)
        if (!isalnum((unsigned char)*s) && *s != '_')
            return false;
    return !isdigit((unsigned char)*name);
}

static bool is_path(const char *path)
{
    return *path != '\0';
}

static bool parse_env(struct node *node, const char *value)
{
    return add_list(&node->terms.env, value, is_variable);
}

static bool parse_read(struct node *node, const char *value)
{
    return add_list(&node->terms.read, value, is_path);
}

static const struct {
    const char *name;
    bool (*parse)(struct node *node, const char *value);
    const char *what, *example;
    bool limit;
} valued[] = {
    {"jobs", parse_jobs, "a number of copies", "4", false},
    {"timeout", parse_timeout, "a duration", "30s", false},
    {"ok", parse_ok, "exit statuses", "0,1", false},
    {"cpu", parse_cpu, "a time", "10s", true},
    {"mem", parse_memory, "a size", "256M", true},
    {"files", parse_files, "a number of descriptors from 4", "64", true},
    {"env", parse_env, "names of variables", "NAME,NAME", false},
    {"read", parse_read, "files or folders", "/srv/words", false},
};
enum { VALUED = sizeof valued / sizeof *valued };

static void no_such(struct flow *f, struct problems *p, struct node *node, const char *word)
{
    struct buf all = {0};
    for (size_t i = 0; i < VALUED; i++)
        buf_addf(&all, ", %s=%s", valued[i].name, valued[i].example);
    problem(p, f, node->line, "[%s]: no such attribute; there are stateless, map, sandbox%s", word,
            buf_str(&all));
    buf_free(&all);
}

static void remember_limit(struct terms *t, const char *word)
{
    struct buf all = {0};
    if (t->limits)
        buf_addf(&all, "%s ", t->limits);
    buf_adds(&all, word);
    free(t->limits);
    t->limits = xstrdup(buf_str(&all));
    buf_free(&all);
}

void attribute_parse(struct flow *f, struct problems *p, struct node *node, const char *word)
{
    if (strcmp(word, "stateless") == 0)
        node->stateless = true;
    else if (strcmp(word, "map") == 0)
        node->map = node->stateless = true;
    else if (strcmp(word, "sandbox") == 0)
        node->terms.sandbox = true;
    else {
        size_t n = strcspn(word, "="), i = 0;
        while (i < VALUED && (word[n] != '=' || strlen(valued[i].name) != n ||
                              memcmp(valued[i].name, word, n) != 0))
            i++;
        if (i == VALUED)
            no_such(f, p, node, word);
        else if (!valued[i].parse(node, word + n + 1))
            problem(p, f, node->line, "%s: not %s; write %s=%s", word, valued[i].what,
                    valued[i].name, valued[i].example);
        else if (valued[i].limit)
            remember_limit(&node->terms, word);
    }
}

void attribute_check(struct flow *f, struct problems *p, const struct node *node)
{
    if (node->terms.read && !node->terms.sandbox)
        problem(p, f, node->line,
                "read= opens files to a sandbox, and there is none; write sandbox too");
    if (node->kind == NODE_COMMAND && node->jobs > 1 && !node->stateless)
        problem(p, f, node->line, "copies cannot share a whole file; write %s [stateless jobs=%zu]",
                node->tag, node->jobs);
}

static void free_list(char **list)
{
    for (size_t i = 0; list && list[i]; i++)
        free(list[i]);
    free(list);
}

void attribute_free(struct node *node)
{
    free(node->terms.limits);
    free_list(node->terms.env);
    free_list(node->terms.read);
}
