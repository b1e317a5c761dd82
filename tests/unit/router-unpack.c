/* SPDX-License-Identifier: MIT */
/*
 * Reading packed inputs: every size of a read, every place where an archive can be cut, every byte
 * of it changed. What must never happen is other bytes without an error.
 */
#include "../../router/unpack.h"
#include "buf.h"

#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <cmocka.h>

enum { ANY = 1 << 30, FORMATS = 3 };

static const char *const names[FORMATS] = {"gzip", "zstd", "xz"};

/* One archive of these bytes. */
static void pack(int format, const void *bytes, size_t n, struct buf *to)
{
    const size_t room = n + 4096;
    char *at = buf_room(to, room);
    if (format == 0) {
        z_stream z = {0};
        assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY), Z_OK);
        z.next_in = (Bytef *)(uintptr_t)bytes;
        z.avail_in = (uInt)n;
        z.next_out = (Bytef *)at;
        z.avail_out = (uInt)room;
        assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
        to->len += z.total_out;
        deflateEnd(&z);
    } else if (format == 1) {
        ZSTD_CCtx *c = ZSTD_createCCtx();
        ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
        size_t size = ZSTD_compress2(c, at, room, bytes, n);
        assert_false(ZSTD_isError(size));
        to->len += size;
        ZSTD_freeCCtx(c);
    } else {
        size_t size = 0;
        assert_int_equal(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC64, NULL, bytes, n, (uint8_t *)at,
                                                 &size, room),
                         LZMA_OK);
        to->len += size;
    }
}

struct result {
    struct buf bytes;
    int error; /* 0: came to an end */
    char why[200];
};

/* Read it all as a file that gives at most `step` bytes a read (through a pipe), into room for
 * `room`. */
static struct result unpack_all(const char *bytes, size_t n, size_t step, size_t room,
                                uint64_t most)
{
    struct result r = {0};
    int fds[2];
    size_t given = 0;
    assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
    struct unpack *u = unpack_new(fds[0], most);
    for (int idle = 0; idle < 4;) {
        if (!unpack_holds(u) && given < n) {
            ssize_t some = write(fds[1], bytes + given, n - given < step ? n - given : step);
            assert_true(some > 0);
            given += (size_t)some;
        } else if (given == n && fds[1] >= 0) {
            close(fds[1]);
            fds[1] = -1;
        }
        ssize_t got = unpack_read(u, buf_room(&r.bytes, room), room);
        r.error = got < 0 ? errno : 0;
        if (got == 0 || (got < 0 && r.error != EAGAIN))
            break;
        r.bytes.len += got > 0 ? (size_t)got : 0;
        idle = got < 0 && given == n ? idle + 1 : 0; /* it must not go on for ever */
    }
    if (r.error == EBADMSG)
        snprintf(r.why, sizeof r.why, "%s", unpack_error(u));
    unpack_free(u);
    close(fds[0]);
    if (fds[1] >= 0)
        close(fds[1]);
    return r;
}

static struct result unpack_one(const struct buf *archive, uint64_t most)
{
    return unpack_all(archive->data, archive->len, ANY, 65536, most);
}

static void is(struct result r, const char *bytes, size_t n)
{
    assert_int_equal(r.error, 0);
    assert_int_equal(r.bytes.len, n);
    assert_memory_equal(r.bytes.data, bytes, n);
    buf_free(&r.bytes);
}

static void is_bad(struct result r, const char *why)
{
    assert_int_equal(r.error, EBADMSG);
    if (!strstr(r.why, why))
        fail_msg("\"%s\" is not in \"%s\"", why, r.why);
    buf_free(&r.bytes);
}

static void text(struct buf *b)
{
    for (int i = 0; i < 300; i++)
        buf_addf(b, "line %d of many, %d\n", i, i * i % 97);
}

/* Two archives in one file, read in steps of every size up to a few. */
static void every_step(void **state)
{
    (void)state;
    struct buf plain = {0};
    text(&plain);
    for (int format = 0; format < FORMATS; format++) {
        struct buf archive = {0};
        pack(format, plain.data, 1000, &archive);
        pack(format, "", 0, &archive);
        pack(format, plain.data + 1000, plain.len - 1000, &archive);
        for (size_t step = 1; step < 20; step++)
            is(unpack_all(archive.data, archive.len, step, 65536, ANY), plain.data, plain.len);
        for (size_t room = 1; room < 20; room++)
            is(unpack_all(archive.data, archive.len, 4096, room, ANY), plain.data, plain.len);
        buf_free(&archive);
    }
    buf_free(&plain);
}

/* What is no archive comes as it is, also what begins like one. */
static void lines(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
    } inputs[] = {
        {"", 0},
        {"a\n", 2},
        {"\x1f", 1},
        {"\x1f\x8b", 2},
        {"\x1f\x8b\n", 3},
        {"(", 1},
        {"(\n", 2},
        {"(\xb5/\n", 4},
        {"\xfd"
         "7zXZ\n",
         6},
        {"P*M\x18\n", 5},
        {"P*M\x18\x05\0\0\0x", 9},
        {"\0\0\0\0\0\0\0\0\0", 9},
    };
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        for (size_t step = 1; step < 10; step++)
            is(unpack_all(inputs[i].bytes, inputs[i].n, step, 16, ANY), inputs[i].bytes,
               inputs[i].n);
}

static void not_wanted(void **state)
{
    (void)state;
    for (int format = 0; format < FORMATS; format++) {
        struct buf archive = {0};
        pack(format, "hello\n", 6, &archive);
        is(unpack_one(&archive, 0), archive.data, archive.len);
        buf_free(&archive);
    }
}

static void every_cut(void **state)
{
    (void)state;
    struct buf plain = {0};
    text(&plain);
    for (int format = 0; format < FORMATS; format++) {
        struct buf archive = {0};
        pack(format, plain.data, plain.len, &archive);
        for (size_t n = 8; n < archive.len; n++) {
            struct result r = unpack_all(archive.data, n, ANY, 65536, ANY);
            assert_memory_equal(r.bytes.data, plain.data, r.bytes.len);
            assert_non_null(strstr(r.why, names[format]));
            is_bad(r, "is cut short");
        }
        buf_free(&archive);
    }
    buf_free(&plain);
}

/* Any one bit wrong is found out, or makes no difference (a time or a name in a gzip header). */
static void every_bit(void **state)
{
    (void)state;
    struct buf plain = {0};
    buf_adds(&plain, "some line that is packed\nand another line that is packed\n");
    for (int format = 0; format < FORMATS; format++) {
        struct buf archive = {0};
        size_t found = 0;
        pack(format, plain.data, plain.len, &archive);
        for (size_t bit = 6 * 8; bit < archive.len * 8; bit++) {
            archive.data[bit / 8] = (char)(archive.data[bit / 8] ^ 1 << bit % 8);
            struct result r = unpack_one(&archive, ANY);
            if (r.error == EBADMSG) {
                found++;
            } else {
                assert_int_equal(r.error, 0);
                assert_int_equal(r.bytes.len, plain.len);
                assert_memory_equal(r.bytes.data, plain.data, plain.len);
            }
            buf_free(&r.bytes);
            archive.data[bit / 8] = (char)(archive.data[bit / 8] ^ 1 << bit % 8);
        }
        assert_true(found > archive.len * 8 / 2);
        buf_free(&archive);
    }
    buf_free(&plain);
}

static void garbage_behind(void **state)
{
    (void)state;
    for (int format = 0; format < FORMATS; format++) {
        struct buf archive = {0};
        pack(format, "hello\n", 6, &archive);
        buf_adds(&archive, "not an archive");
        is_bad(unpack_one(&archive, ANY), "is corrupt");
        buf_free(&archive);
    }
}

/* Blocks of an xz file may be padded with zeros; a frame of zstd may say nothing. */
static void padding(void **state)
{
    (void)state;
    struct buf xz = {0}, zstd = {0};
    pack(2, "hello\n", 6, &xz);
    buf_add(&xz, "\0\0\0\0", 4);
    is(unpack_one(&xz, ANY), "hello\n", 6);
    buf_add(&xz, "\0", 1);
    is_bad(unpack_one(&xz, ANY), "xz archive is c");
    buf_add(&zstd, "P*M\x18\4\0\0\0\x0f\0\0\0", 12);
    pack(1, "hello\n", 6, &zstd);
    is(unpack_one(&zstd, ANY), "hello\n", 6);
    buf_free(&xz);
    buf_free(&zstd);
}

/* A small archive may ask for a window of a GiB. */
static void memory_bound(void **state)
{
    (void)state;
    struct buf xz = {0}, zstd = {0};
    lzma_options_lzma options;
    assert_false(lzma_lzma_preset(&options, 0));
    options.dict_size = 1u << 30;
    lzma_filter filters[] = {{LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, NULL}};
    lzma_stream_flags flags = {.check = LZMA_CHECK_CRC64};
    lzma_block block = {.check = LZMA_CHECK_CRC64,
                        .filters = filters,
                        .compressed_size = LZMA_VLI_UNKNOWN,
                        .uncompressed_size = LZMA_VLI_UNKNOWN};
    char *at = buf_room(&xz, 4096);
    assert_int_equal(lzma_stream_header_encode(&flags, (uint8_t *)at), LZMA_OK);
    assert_int_equal(lzma_block_header_size(&block), LZMA_OK);
    assert_int_equal(lzma_block_header_encode(&block, (uint8_t *)at + LZMA_STREAM_HEADER_SIZE),
                     LZMA_OK);
    xz.len = LZMA_STREAM_HEADER_SIZE + block.header_size + 100;
    memset(at + xz.len - 100, 0, 100);
    is_bad(unpack_one(&xz, ANY), "needs more than 128 MiB");
    buf_add(&zstd, "\x28\xb5\x2f\xfd\x00\xa0\x00\x00\x00\x00\x00\x00", 12);
    is_bad(unpack_one(&zstd, ANY), "memory");
    buf_free(&xz);
    buf_free(&zstd);
}

static void size_bound(void **state)
{
    (void)state;
    struct buf plain = {0};
    text(&plain);
    for (int format = 0; format < FORMATS; format++) {
        struct buf archive = {0};
        pack(format, plain.data, plain.len, &archive);
        is(unpack_one(&archive, plain.len), plain.data, plain.len);
        is_bad(unpack_one(&archive, plain.len - 1), "holds more than");
        buf_free(&archive);
    }
    buf_free(&plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_step), cmocka_unit_test(lines),
        cmocka_unit_test(not_wanted), cmocka_unit_test(every_cut),
        cmocka_unit_test(every_bit),  cmocka_unit_test(garbage_behind),
        cmocka_unit_test(padding),    cmocka_unit_test(memory_bound),
        cmocka_unit_test(size_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
