/* SPDX-License-Identifier: MIT */
/* tl-sample: some of the lines, always the same ones. Trust: any text; holds one line. */
#include "hash.h"
#include "tagline.h"
#include "text.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static const char usage[] =
    "usage: tl-sample -n COUNT | -p FRACTION\n"
    "Pass some of the lines, drop the others.\n"
    "  -n  the first of every COUNT lines of a file\n"
    "  -p  about FRACTION (0 to 1) of all lines, chosen by their text alone\n";

/* A decimal fraction from 0 to 1, by hand: strtod would follow the locale and take "nan". */
static bool fraction(const char *s, double *value)
{
    double unit = 1;
    *value = 0;
    if (strspn(s, "0123456789.") != strlen(s) || !strpbrk(s, "0123456789"))
        return false;
    for (; *s && *s != '.'; s++)
        *value = *value * 10 + (*s - '0');
    if (*s == '.')
        for (s++; *s && *s != '.'; s++)
            *value += (*s - '0') * (unit /= 10);
    return !*s && *value <= 1;
}

/* Where in the row of COUNT lines the next one stands. */
static void save(struct tl *tl, void *place)
{
    char text[24];
    tl_save(tl, text, (size_t)snprintf(text, sizeof text, "%ld", *(long *)place));
}

static void load(struct tl *tl, void *place, const char *record, size_t len)
{
    if (len == 0 || !text_number(record, 0, LONG_MAX, place))
        tl_fail(tl, EX_DATAERR, "a saved state that is not of this filter");
}

static int every(long count)
{
    struct tl *tl = tl_open(0);
    struct tl_line line;
    long place = 0;
    tl_state(tl, save, load, &place);
    while (tl_file(tl)) {
        for (; tl_read(tl, &line); place = (place + 1) % count)
            if (place == 0)
                tl_write(tl, line.tag, line.text, line.len);
        place = 0;
    }
    return tl_close(tl);
}

/* The key is fixed: the same line is chosen on every machine and in every run. */
static int chosen(double part)
{
    static const struct hash_key key = {{0, 0}};
    struct tl *tl = tl_open(TL_STATELESS);
    struct tl_line line;
    while (tl_read(tl, &line)) {
        uint64_t top = hash_bytes(&key, line.text, line.len) >> 11; /* 53 bits: exact as a double */
        if ((double)top < part * 0x1p53)
            tl_write(tl, line.tag, line.text, line.len);
    }
    return tl_close(tl);
}

int main(int argc, char **argv)
{
    int c;
    long count = 0;
    double part = -1;
    while ((c = tl_getopt(argc, argv, "n:p:", usage)) != -1)
        if (c == 'n' && !text_number(optarg, 1, LONG_MAX, &count))
            tl_die(EX_USAGE, "-n %s: is not a number from 1 up", optarg);
        else if (c == 'p' && !fraction(optarg, &part))
            tl_die(EX_USAGE, "-p %s: is not a number from 0 to 1", optarg);
    tl_operands(argc, argv, 0, 0);
    if ((count > 0) == (part >= 0))
        tl_die(EX_USAGE, "say either -n COUNT or -p FRACTION");
    return count ? every(count) : chosen(part);
}
