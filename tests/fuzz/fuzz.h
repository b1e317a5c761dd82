/* SPDX-License-Identifier: MIT */
/*
 * What the fuzz targets share. A target is one file here that defines LLVMFuzzerTestOneInput;
 * PROGRAM-WHAT.c has the parts of that program, another name the library alone. It links with a
 * fuzzing engine (make fuzz), or with driver.c, which only feeds the inputs of corpus/.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must be so, whatever the input. */
#define MUST(what)                                                                                 \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what);                     \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* An input read from its beginning; what is not there any more reads as zero. */
struct fuzz {
    const uint8_t *at, *end;
};

static inline unsigned fuzz_byte(struct fuzz *f)
{
    return f->at < f->end ? *f->at++ : 0;
}

/* The next n bytes, or fewer at the end. */
static inline const char *fuzz_bytes(struct fuzz *f, size_t n, size_t *got)
{
    const char *bytes = (const char *)f->at;
    *got = n < (size_t)(f->end - f->at) ? n : (size_t)(f->end - f->at);
    f->at += *got;
    return bytes;
}

#endif
