/* SPDX-License-Identifier: MIT */
/*
 * The state of a filter on its way to a router's checkpoint and back. Trust: what is loaded was
 * saved by this filter, or by an older or newer one; a router vouches for the bytes, not for what
 * they mean.
 *
 * A record may hold any bytes and be of any size, a control line no newline, and none should be
 * long. So a record travels in parts: a sign whether more of it follows, then bytes with newline
 * and backslash written as two. A line of its own has the number of the line that was read last.
 */
#include "contract.h"
#include "inside.h"
#include "io.h"

#include <stdlib.h>
#include <string.h>

enum {
    PART = 32 * 1024, /* bytes of a record in one line */
    PART_MORE = '+',
    PART_LAST = '.',
    PART_LINE = '#',
};

void tl_state(struct tl *tl, void (*save)(struct tl *tl, void *arg),
              void (*load)(struct tl *tl, void *arg, const char *record, size_t len), void *arg)
{
    tl->save = save;
    tl->load = load;
    tl->state = arg;
}

static void escape(struct buf *to, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] == '\n')
            buf_adds(to, "\\n");
        else if (bytes[i] == '\\')
            buf_adds(to, "\\\\");
        else
            buf_addc(to, bytes[i]);
    }
}

/* False: it was not made by escape. */
static bool unescape(struct buf *to, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] != '\\') {
            buf_addc(to, bytes[i]);
        } else {
            char next = i + 1 < n ? bytes[++i] : '\0';
            if (next != 'n' && next != '\\')
                return false;
            buf_addc(to, next == 'n' ? '\n' : '\\');
        }
    }
    return true;
}

static void put_part(struct tl *tl, char sign, const char *bytes, size_t n)
{
    buf_adds(&tl->own, CONTROL_STATE);
    buf_addc(&tl->own, sign);
    escape(&tl->own, bytes, n);
    buf_addc(&tl->own, '\n');
    if (tl->own.len >= IO_BLOCK)
        tl_flush(tl);
}

void tl_save(struct tl *tl, const char *record, size_t len)
{
    if (!tl->saving)
        tl_bug("tl_save where nothing is saved");
    for (; len > PART; record += PART, len -= PART)
        put_part(tl, PART_MORE, record, PART);
    put_part(tl, PART_LAST, record, len);
}

void state_save(struct tl *tl)
{
    struct buf line = {0};
    if (!tl->save)
        return;
    buf_addf(&line, "%llu", tl->lineno);
    put_part(tl, PART_LINE, line.data, line.len);
    buf_free(&line);
    tl->saving = true;
    tl->save(tl, tl->state);
    tl->saving = false;
}

void state_load(struct tl *tl, const char *part, size_t len)
{
    struct buf *record = &tl->record;
    char sign = len ? *part : '\0';
    if (!tl->load)
        return; /* another filter's; ours needs none */
    bool good = sign == PART_MORE || sign == PART_LAST || sign == PART_LINE;
    if (!good || !unescape(record, part + 1, len - 1))
        tl_fail(tl, EX_DATAERR, "a state to load that is none");
    if (sign == PART_MORE)
        return;
    if (sign == PART_LINE)
        tl->lineno = strtoull(buf_str(record), NULL, 10);
    else
        tl->load(tl, tl->state, buf_str(record), record->len);
    record->len = 0;
}
