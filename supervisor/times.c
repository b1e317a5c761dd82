/* SPDX-License-Identifier: MIT */
/* Reading clocks. Trust: the wall clock may jump either way; only ages of files hang on it. */
#include "times.h"
#include "tagline.h"

#include <time.h>

static struct timespec read_clock(clockid_t id)
{
    struct timespec t;
    if (clock_gettime(id, &t) != 0)
        tl_bug("clock_gettime: %m");
    return t;
}

long long times_ms(void)
{
    struct timespec t = read_clock(CLOCK_MONOTONIC);
    return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

long long times_us(void)
{
    struct timespec t = read_clock(CLOCK_MONOTONIC);
    return (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t times_wall(void)
{
    struct timespec t = read_clock(CLOCK_REALTIME);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}
