/* SPDX-License-Identifier: MIT */
/*
 * A clean environment. Trust: ours may hold secrets of whoever started us, which are no filter's
 * business, and settings that would change what a filter makes of the same input.
 */
#include "environment.h"
#include "buf.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* Who, where, in which language and at what time. The last two are read by filters that are built
 * with sanitizers alone, which report as their tester asks. */
static const char *const kept[] = {"PATH",     "HOME", "USER",   "LOGNAME",      "LANG",
                                   "LANGUAGE", "TZ",   "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS"};
static const char *const kept_beginnings[] = {"LC_", "TAGLINE_"};

static bool is_kept(const char *name, size_t n, char *const *more)
{
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (strlen(kept[i]) == n && memcmp(kept[i], name, n) == 0)
            return true;
    for (size_t i = 0; i < sizeof kept_beginnings / sizeof *kept_beginnings; i++)
        if (strncmp(name, kept_beginnings[i], strlen(kept_beginnings[i])) == 0)
            return true;
    for (; more && *more; more++)
        if (strlen(*more) == n && memcmp(*more, name, n) == 0)
            return true;
    return false;
}

char **environment_clean(char *const *more)
{
    size_t n = 0, all = 0;
    while (environ[all])
        all++;
    char **clean = xcalloc(all + 1, sizeof *clean);
    for (size_t i = 0; i < all; i++)
        if (is_kept(environ[i], strcspn(environ[i], "="), more))
            clean[n++] = environ[i];
    return clean;
}
