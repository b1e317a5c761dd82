/* SPDX-License-Identifier: MIT */
/* Rates from cumulative counters, so that a record that was lost costs nothing but resolution. */
#include "model.h"

#include <string.h>

/* A counter that falls, or a clock that goes back, makes the past useless. */
void series_add(struct series *s, double time, double value)
{
    if (s->n > 0 && (value < s->value[s->n - 1] || time < s->time[s->n - 1]))
        s->n = 0;
    if (s->n > 0 && time == s->time[s->n - 1])
        s->n--; /* two in one instant have no rate: the later one counts */
    if (s->n == MODEL_SERIES + 1) {
        s->n--;
        memmove(s->time, s->time + 1, s->n * sizeof *s->time);
        memmove(s->value, s->value + 1, s->n * sizeof *s->value);
    }
    s->time[s->n] = time;
    s->value[s->n] = value;
    s->n++;
}

/* Over the newest stretch that is long enough, or over all there is. */
double series_rate(const struct series *s, double seconds)
{
    if (s->n < 2)
        return 0;
    size_t last = s->n - 1, from = last - 1;
    while (from > 0 && s->time[last] - s->time[from] < seconds)
        from--;
    return (s->value[last] - s->value[from]) / (s->time[last] - s->time[from]);
}

size_t series_steps(const struct series *s, double *steps, size_t n)
{
    size_t there = s->n > 0 ? s->n - 1 : 0;
    if (n > there)
        n = there;
    for (size_t i = 0; i < n; i++) {
        size_t at = s->n - n + i;
        steps[i] = (s->value[at] - s->value[at - 1]) / (s->time[at] - s->time[at - 1]);
    }
    return n;
}
