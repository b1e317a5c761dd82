/* SPDX-License-Identifier: MIT */
/* The failure classes of tagline-queue(5). */
#include "class.h"
#include "contract.h"

#include <errno.h>
#include <stddef.h>

enum outcome class_of(int status)
{
    switch (status) {
    case EX_OK:
        return OUTCOME_DONE;
    case EX_OSERR:
    case EX_CANTCREAT:
    case EX_IOERR:
    case EX_TEMPFAIL:
        return OUTCOME_TEMPORARY;
    case EX_USAGE:
    case EX_UNAVAILABLE:
    case EX_CONFIG:
    case EXIT_CANNOT_RUN:
    case EXIT_NOT_FOUND:
        return OUTCOME_OPERATOR;
    default:
        return OUTCOME_DATA;
    }
}

const char *class_name(enum outcome outcome)
{
    static const char *const names[] = {"done", "data", "temporary", "operator"};
    return names[outcome];
}

static const int storms[] = {ENOSPC, EDQUOT, EROFS, EMFILE, ENFILE, ENOMEM, EAGAIN, EIO};

bool class_storm(int error)
{
    for (size_t i = 0; i < sizeof storms / sizeof *storms; i++)
        if (storms[i] == error)
            return true;
    return false;
}

long class_backoff(long least, long most, long run, unsigned long chance)
{
    long wait = least;
    for (long i = 1; i < run && wait < most; i++)
        wait = wait > most / 2 ? most : wait * 2;
    if (wait > most)
        wait = most;
    return wait - (long)(chance % ((unsigned long)wait / 2 + 1));
}
