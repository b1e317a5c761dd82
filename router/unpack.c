/* SPDX-License-Identifier: MIT */
/*
 * Unpacking. Trust: an archive is a stranger's bytes, handed to the libraries that are made for
 * them: zlib, libzstd and liblzma. What they report ends the job as bad data; how much memory and
 * how many bytes an archive may ask for is bounded, for a small one may hold a huge file. A
 * checksum that an archive carries is always looked at.
 */
#include "unpack.h"
#include "buf.h"

#include <errno.h>
#include <lzma.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum {
    BLOCK = 64 << 10,        /* packed bytes read at a time */
    MEMORY_MIB = 128,        /* for xz; zstd has the same bound of its own */
    GZIP_WINDOW = 16 + 15,   /* the largest window, and a gzip header */
    MAGIC = sizeof(uint64_t) /* bytes of the longest beginning */
};

enum outcome {
    STEP_MORE, /* goes on; or waits for input */
    STEP_END,  /* an archive is complete; another may follow */
    STEP_BAD,  /* the error says why */
};

struct unpack;

struct format {
    const char *name;
    const char *magic;
    size_t size; /* of the magic */
    bool (*begin)(struct unpack *u);
    /* Unpack from in to out, as far as one of the two lasts. */
    enum outcome (*step)(struct unpack *u, char **out, size_t *room);
    void (*end)(struct unpack *u);
};

enum kind { UNDECIDED, PLAIN, PACKED };

struct unpack {
    enum kind kind;
    const struct format *format; /* of what is packed */
    int fd;
    bool eof;        /* the descriptor has no more */
    bool full;       /* the last step filled all the room: the library may hold more */
    bool complete;   /* the input may end here */
    uint64_t offset; /* of the next byte in what is unpacked */
    uint64_t most;
    size_t at, len; /* of what is in use of in */
    union {
        z_stream gzip;
        ZSTD_DStream *zstd;
        lzma_stream xz;
    } lib;
    char error[160];
    char *in; /* BLOCK bytes, or NULL while none are kept */
};

static enum outcome bad(struct unpack *u, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static enum outcome bad(struct unpack *u, const char *format, ...)
{
    va_list ap;
    int n = snprintf(u->error, sizeof u->error, "%s archive ", u->format->name);
    va_start(ap, format);
    vsnprintf(u->error + n, sizeof u->error - (size_t)n, format, ap);
    va_end(ap);
    return STEP_BAD;
}

/* What a library says of an archive that it cannot read. */
static enum outcome corrupt(struct unpack *u, const char *why)
{
    return bad(u, "is corrupt: %s (after %llu bytes unpacked)", why, (unsigned long long)u->offset);
}

/* ---- gzip ---- */

static bool gzip_begin(struct unpack *u)
{
    u->lib.gzip = (z_stream){0};
    return inflateInit2(&u->lib.gzip, GZIP_WINDOW) == Z_OK;
}

static enum outcome gzip_step(struct unpack *u, char **out, size_t *room)
{
    z_stream *z = &u->lib.gzip;
    z->next_in = (Bytef *)u->in + u->at;
    z->avail_in = (uInt)(u->len - u->at);
    z->next_out = (Bytef *)*out;
    z->avail_out = (uInt)*room;
    int result = inflate(z, Z_NO_FLUSH);
    u->at = u->len - z->avail_in;
    *out = (char *)z->next_out;
    *room = z->avail_out;
    if (result == Z_STREAM_END)
        return inflateReset(z) == Z_OK ? STEP_END : corrupt(u, "it cannot go on");
    if (result == Z_MEM_ERROR)
        return bad(u, "needs more memory than there is");
    if (result != Z_OK && result != Z_BUF_ERROR)
        return corrupt(u, z->msg ? z->msg : "what follows is none");
    return STEP_MORE;
}

static void gzip_end(struct unpack *u)
{
    inflateEnd(&u->lib.gzip);
}

/* ---- zstd ---- */

static bool zstd_begin(struct unpack *u)
{
    return (u->lib.zstd = ZSTD_createDStream());
}

static enum outcome zstd_step(struct unpack *u, char **out, size_t *room)
{
    ZSTD_inBuffer in = {u->in, u->len, u->at};
    ZSTD_outBuffer to = {*out, *room, 0};
    size_t result = ZSTD_decompressStream(u->lib.zstd, &to, &in);
    if (ZSTD_isError(result))
        return corrupt(u, ZSTD_getErrorName(result));
    u->at = in.pos;
    *out += to.pos;
    *room -= to.pos;
    return result == 0 ? STEP_END : STEP_MORE;
}

static void zstd_end(struct unpack *u)
{
    ZSTD_freeDStream(u->lib.zstd);
}

/* ---- xz ---- */

static bool xz_begin(struct unpack *u)
{
    u->lib.xz = (lzma_stream)LZMA_STREAM_INIT;
    return lzma_stream_decoder(&u->lib.xz, (uint64_t)MEMORY_MIB << 20, LZMA_CONCATENATED) ==
           LZMA_OK;
}

/* Only this library wants to be told of the end, because padding may stand before it. */
static enum outcome xz_step(struct unpack *u, char **out, size_t *room)
{
    lzma_stream *x = &u->lib.xz;
    x->next_in = (uint8_t *)u->in + u->at;
    x->avail_in = u->len - u->at;
    x->next_out = (uint8_t *)*out;
    x->avail_out = *room;
    lzma_ret result = lzma_code(x, u->eof ? LZMA_FINISH : LZMA_RUN);
    u->at = u->len - x->avail_in;
    *out = (char *)x->next_out;
    *room = x->avail_out;
    if (result == LZMA_STREAM_END)
        return STEP_END;
    if (result == LZMA_OK || result == LZMA_BUF_ERROR)
        return STEP_MORE;
    if (result == LZMA_MEMLIMIT_ERROR)
        return bad(u, "needs more than %d MiB of memory", MEMORY_MIB);
    if (result == LZMA_MEM_ERROR)
        return bad(u, "needs more memory than there is");
    return corrupt(u, result == LZMA_FORMAT_ERROR    ? "what follows is none"
                      : result == LZMA_OPTIONS_ERROR ? "its options are unknown"
                                                     : "its data is wrong");
}

static void xz_end(struct unpack *u)
{
    lzma_end(&u->lib.xz);
}

/* ---- what it is ---- */

/* No text in UTF-8 begins like one of these. The last is how pzstd(1) begins: an empty frame that
 * says how long the next one is. */
static const struct format formats[] = {
    {"gzip", "\x1f\x8b\x08", 3, gzip_begin, gzip_step, gzip_end},
    {"zstd", "\x28\xb5\x2f\xfd", 4, zstd_begin, zstd_step, zstd_end},
    {"xz", "\xfd\x37\x7a\x58\x5a\x00", 6, xz_begin, xz_step, xz_end},
    {"zstd", "\x50\x2a\x4d\x18\x04\x00\x00\x00", MAGIC, zstd_begin, zstd_step, zstd_end},
};

/* Look at the first n bytes; UNDECIDED if they begin like an archive and are too few to say. */
static enum kind look(struct unpack *u, const char *bytes, size_t n)
{
    enum kind kind = PLAIN;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        const struct format *f = &formats[i];
        if (memcmp(bytes, f->magic, n < f->size ? n : f->size) != 0)
            continue;
        u->format = f;
        if (n >= f->size)
            return PACKED;
        kind = UNDECIDED;
    }
    return kind;
}

struct unpack *unpack_new(int fd, uint64_t most)
{
    struct unpack *u = xcalloc(1, sizeof *u);
    u->fd = fd;
    u->most = most;
    u->kind = most ? UNDECIDED : PLAIN;
    return u;
}

void unpack_free(struct unpack *u)
{
    if (u && u->kind == PACKED)
        u->format->end(u);
    if (u)
        free(u->in);
    free(u);
}

static ssize_t get(struct unpack *u, char *to, size_t n)
{
    ssize_t got = u->eof ? 0 : read(u->fd, to, n);
    u->eof = got == 0;
    return got;
}

/* Bytes that were read to look at them and are lines after all. */
static ssize_t give_back(struct unpack *u, char *to, size_t n)
{
    size_t held = u->len - u->at < n ? u->len - u->at : n;
    memcpy(to, u->in + u->at, held);
    u->at += held;
    return (ssize_t)held;
}

/* The first read goes where lines are wanted, for lines it mostly is. What is an archive, or too
 * short to say, is kept here. */
static ssize_t decide(struct unpack *u, char *to, size_t n)
{
    bool first = u->len == 0;
    ssize_t got =
        first ? get(u, to, n < BLOCK ? n : BLOCK) : get(u, u->in + u->len, MAGIC - u->len);
    if (got < 0)
        return got;
    u->kind = got == 0 ? PLAIN : look(u, first ? to : u->in, u->len + (size_t)got);
    if (first && u->kind == PLAIN)
        return got;
    if (first) {
        u->in = xrealloc(NULL, BLOCK, 1);
        memcpy(u->in, to, (size_t)got);
    }
    u->len += (size_t)got;
    if (u->kind == PLAIN)
        return give_back(u, to, n);
    errno = EAGAIN;
    if (u->kind == PACKED && !u->format->begin(u)) {
        u->kind = PLAIN; /* the library has nothing that could be freed */
        errno = ENOMEM;
    }
    return -1;
}

/* Nothing came out, and the descriptor is at its end: is that where an archive ends? */
static ssize_t finish(struct unpack *u)
{
    if (u->complete)
        return 0;
    bad(u, "is cut short (after %llu bytes unpacked)", (unsigned long long)u->offset);
    errno = EBADMSG;
    return -1;
}

static ssize_t unpack_some(struct unpack *u, char *to, size_t n)
{
    char *out = to;
    size_t room = n;
    if (u->at == u->len && !u->full) {
        ssize_t got = get(u, u->in, BLOCK);
        if (got < 0)
            return got;
        u->at = 0;
        u->len = (size_t)got;
    }
    enum outcome outcome;
    do {
        size_t before = u->at;
        outcome = u->format->step(u, &out, &room);
        u->complete = outcome == STEP_END || (u->complete && u->at == before);
    } while (outcome == STEP_END && u->at < u->len && room > 0);
    u->full = room == 0;
    u->offset += n - room;
    if (outcome != STEP_BAD && u->offset > u->most)
        outcome =
            bad(u, "holds more than the %llu bytes of set unpack", (unsigned long long)u->most);
    errno = outcome == STEP_BAD ? EBADMSG : EAGAIN;
    if (outcome == STEP_BAD)
        return -1;
    if (room == n && u->eof && u->at == u->len)
        return finish(u);
    return room < n ? (ssize_t)(n - room) : -1;
}

ssize_t unpack_read(struct unpack *u, char *to, size_t n)
{
    switch (u->kind) {
    case UNDECIDED:
        return decide(u, to, n);
    case PLAIN:
        return u->at < u->len ? give_back(u, to, n) : get(u, to, n);
    case PACKED:
        break;
    }
    return unpack_some(u, to, n);
}

bool unpack_jump(struct unpack *u, uint64_t offset)
{
    if (u->kind != PLAIN || lseek(u->fd, (off_t)offset, SEEK_SET) < 0)
        return false;
    u->at = u->len;
    return true;
}

bool unpack_holds(const struct unpack *u)
{
    return u->kind == PACKED && (u->at < u->len || u->full);
}

const char *unpack_error(const struct unpack *u)
{
    return u->error;
}
