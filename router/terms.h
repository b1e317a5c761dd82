/* SPDX-License-Identifier: MIT */
/* On what terms a command runs: what the attributes of its node take from it or leave it. */
#ifndef TERMS_H
#define TERMS_H

#include <stdbool.h>
#include <stddef.h>

struct terms {
    long cpu;      /* seconds; 0: no limit, as below */
    bool renewed;  /* of cpu, as much again after each file */
    size_t memory; /* bytes of address space */
    long files;    /* descriptors */
    char *limits;  /* the three as written, for messages; NULL: none */
    char **env;    /* further variables that it gets; NULL-terminated, or NULL: none */
    bool sandbox;
    char **read; /* further files and folders that it may read; as env */
};

#endif
