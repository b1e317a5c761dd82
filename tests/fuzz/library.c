/* SPDX-License-Identifier: MIT */
/*
 * The filter library fed with any bytes, control lines among them: what comes out, and the message
 * with which it gives up, do not depend on the blocks in which they come; nothing that is written
 * is no tagged line. The library's own input, output and end of the program are replaced here.
 */
#include "contract.h"
#include "fuzz.h"
#include "inside.h"
#include "io.h"

#include <setjmp.h>
#include <stdarg.h>

enum { REGION = 512 };

struct run {
    const char *at, *end; /* input that is not read yet */
    size_t block;
    struct buf out, state;
    char message[512];
    int status;
};

static struct run *now;
static jmp_buf ended;
static char region[REGION];

size_t io_read(char *to, size_t room)
{
    size_t n = (size_t)(now->end - now->at);
    n = n < room ? n : room;
    n = n < now->block ? n : now->block;
    memcpy(to, now->at, n);
    now->at += n;
    return n;
}

bool io_ready(void)
{
    return now->at < now->end;
}

void io_write(const char *bytes, size_t n)
{
    buf_add(&now->out, bytes, n);
}

void io_close(void)
{
}

void tl_warn(const char *format, ...)
{
    (void)format;
}

void tl_die(int status, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(now->message, sizeof now->message, format, ap);
    va_end(ap);
    now->status = status;
    longjmp(ended, 1);
}

void tl_bug(const char *format, ...)
{
    (void)format;
    abort();
}

/* A filter that drops some lines, copies others, gives some another tag, and has a last word. */
static void work(struct tl *tl, unsigned kind)
{
    struct tl_line line;
    while (tl_file(tl)) {
        while (tl_read(tl, &line)) {
            MUST(tl_is_tag(line.tag, strlen(line.tag)));
            MUST(line.len <= tl_max_line(tl) && line.text[line.len] == '\0');
            unsigned first = line.len ? (unsigned char)*line.text : 0;
            if (kind & TL_MAP || first % 4 != 1)
                tl_write(tl, first % 4 == 2 ? "other" : line.tag, line.text, line.len);
            if (!(kind & TL_MAP) && first % 4 == 3)
                tl_write(tl, line.tag, "", 0);
            if ((kind & 4) && first == 'q')
                break; /* the rest of the file is passed over */
        }
        if (!(kind & (TL_MAP | TL_STATELESS)))
            tl_write(tl, "end", "bye", 3);
    }
    MUST(tl_close(tl) == EX_OK);
}

/* Its state is what was loaded last. */
static void save(struct tl *tl, void *state)
{
    const struct buf *b = state;
    tl_save(tl, b->data, b->len);
}

static void load(struct tl *tl, void *state, const char *record, size_t len)
{
    struct buf *b = state;
    MUST(record[len] == '\0');
    b->len = 0;
    buf_add(b, record, len);
    if (len == 7)
        tl_fail(tl, EX_DATAERR, "a state that is none");
}

static void drive(struct run *r, const char *bytes, size_t n, size_t block, unsigned kind)
{
    static struct tl *volatile tl;
    *r = (struct run){.at = bytes, .end = bytes + n, .block = block};
    now = r;
    for (size_t i = 0; i < REGION; i++)
        region[i] = i % 8 == 7 ? '\n' : "start\tab"[i % 8];
    if (setjmp(ended)) {
        buf_free(&tl->record);
        buf_free(&tl->in);
        buf_free(&tl->own);
        buf_free(&tl->card.text);
        free(tl);
        return;
    }
    tl = tl_open(kind & (TL_STATELESS | TL_MAP));
    if (kind & 8) {
        strcpy(tl->tag, "start");
        tl->region = region;
        tl->region_size = REGION;
    }
    if (kind & 32)
        tl_state(tl, save, load, &r->state);
    work(tl, kind);
}

static void must_be_lines(struct run *r)
{
    const char *line = buf_str(&r->out), *end = line + r->out.len, *nl;
    for (; line < end; line = nl + 1) {
        nl = memchr(line, '\n', (size_t)(end - line));
        MUST(nl);
        const char *tab = memchr(line, '\t', (size_t)(nl - line));
        MUST(*line == CONTROL || (tab && tl_is_tag(line, (size_t)(tab - line))));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = {data, data + size};
    struct run whole, blocks;
    unsigned kind = fuzz_byte(&f);
    size_t block = 1 + fuzz_byte(&f), n;
    const char *bytes = fuzz_bytes(&f, SIZE_MAX, &n);
    if (setenv(ENV_MAX_LINE, kind & 16 ? "20" : "1M", 1) != 0)
        abort();
    drive(&whole, bytes, n, SIZE_MAX, kind);
    drive(&blocks, bytes, n, block, kind);
    must_be_lines(&whole);
    MUST(whole.status == blocks.status && strcmp(whole.message, blocks.message) == 0);
    /* A router that lies about the region does not get what was held back for it. */
    if (whole.status != EX_SOFTWARE) {
        MUST(whole.out.len == blocks.out.len);
        MUST(!whole.out.len || memcmp(whole.out.data, blocks.out.data, whole.out.len) == 0);
    }
    MUST(whole.state.len == blocks.state.len);
    buf_free(&whole.out);
    buf_free(&whole.state);
    buf_free(&blocks.out);
    buf_free(&blocks.state);
    return 0;
}
