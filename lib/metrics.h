/* SPDX-License-Identifier: MIT */
/*
 * Every field of every metrics record, declared once. The supervisor writes them, the dashboard
 * reads them, tagline-metrics(5) explains them, and a test holds the three against this table.
 */
#ifndef METRICS_H
#define METRICS_H

enum metric_kind {
    METRIC_LABEL,   /* text or list: says of what */
    METRIC_COUNTER, /* grows for as long as the supervisor runs */
    METRIC_GAUGE,   /* what is now */
};

struct metric {
    const char *record; /* METRICS_QUEUE, ... */
    const char *field;
    enum metric_kind kind;
    const char *unit; /* files, bytes, lines, seconds, ...; "" for labels */
    const char *meaning;
};

/* All of them, records together, the last with a NULL record. */
extern const struct metric metrics[];

#endif
