/* SPDX-License-Identifier: MIT */
/* The command line as all the programs read it. Trust: the words come from the user or a flow. */
#include "tagline.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* What getopt_long did not know: a letter, or a long word that it has already stepped over. */
_Noreturn static void unknown(char **argv)
{
    const char *word = argv[optind - 1];
    if (optopt > ' ' && strncmp(word, "--", 2) != 0)
        tl_die(EX_USAGE, "-%c: no such option; see %s -h", optopt, program_invocation_short_name);
    tl_die(EX_USAGE, "%s: no such option; see %s -h", word, program_invocation_short_name);
}

/* What -h and --version print must arrive as well. */
_Noreturn static void said(void)
{
    if (fflush(stdout) != 0)
        tl_die(EX_IOERR, "standard output: %m");
    exit(EX_OK);
}

int tl_getopt(int argc, char **argv, const char *options, const char *usage)
{
    static const struct option longs[] = {
        {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 1}, {0}};
    char letters[128];
    /* Options stand before operands, because a word of a command in them is not ours. */
    if ((size_t)snprintf(letters, sizeof letters, "+:h%s", options) >= sizeof letters)
        tl_bug("tl_getopt: too many options");
    opterr = 0;
    int c = getopt_long(argc, argv, letters, longs, NULL);
    switch (c) {
    case 'h':
        fputs(usage, stdout);
        said();
    case 1:
        printf("%s %s\n", program_invocation_short_name, TL_VERSION);
        said();
    case ':':
        tl_die(EX_USAGE, "-%c: needs a value; see %s -h", optopt, program_invocation_short_name);
    case '?':
        unknown(argv);
    default:
        return c;
    }
}

void tl_operands(int argc, char **argv, int least, int most)
{
    int n = argc - optind;
    if (n < least)
        tl_die(EX_USAGE, "an operand is missing; see %s -h", program_invocation_short_name);
    if (most >= 0 && n > most)
        tl_die(EX_USAGE, "%s: one operand too many; see %s -h", argv[optind + most],
               program_invocation_short_name);
}
