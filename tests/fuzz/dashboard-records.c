/* SPDX-License-Identifier: MIT */
/* The metrics FIFO, into which anybody may write: the records do not depend on the blocks in which
 * they come, and what the model keeps of them can be shown. */
#include "../../dashboard/human.h"
#include "../../dashboard/records.h"
#include "fuzz.h"
#include "text.h"

static struct model m;

static void must_be_clean(const char *text)
{
    size_t len = text ? strlen(text) : 0;
    for (size_t i = 0, n; i < len; i += n) {
        n = text_utf8(text + i, len - i);
        MUST(n > 0);
        MUST((unsigned char)text[i] >= ' ' && text[i] != 127);
    }
}

static void show(void)
{
    struct buf b = {0};
    if (m.known) {
        must_be_clean(m.queue.flow);
        must_be_clean(m.queue.state);
        must_be_clean(m.queue.reason);
        human_queue(&b, &m.queue);
        buf_addc(&b, ' ');
    }
    for (size_t i = 0; i < m.n_nodes; i++)
        must_be_clean(m.nodes[i].node);
    for (size_t i = 0; i < m.n_files; i++)
        human_file(&b, &m.files[i]);
    for (size_t i = 0; i < m.n_errors; i++)
        human_error(&b, &m.errors[i]);
    for (size_t i = 0; i < m.n_traces; i++)
        human_trace(&b, &m.traces[i]);
    must_be_clean(buf_str(&b));
    buf_free(&b);
}

/* Read all of it in blocks of so many bytes; take: into the model. */
static struct records read_all(const char *bytes, size_t n, size_t block, bool take)
{
    struct records r = {0};
    struct record record;
    while (n > 0) {
        size_t part = n < block ? n : block;
        records_push(&r, bytes, part);
        bytes += part;
        n -= part;
        while (records_next(&r, &record)) {
            MUST(record.len > 0 && record.line[0] == '{');
            if (take)
                model_take(&m, record.json);
            json_decref(record.json);
        }
    }
    records_cut(&r);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = {data, data + size};
    size_t block = 1 + fuzz_byte(&f), n;
    const char *bytes = fuzz_bytes(&f, SIZE_MAX, &n);
    struct records one = read_all(bytes, n, SIZE_MAX, true);
    struct records many = read_all(bytes, n, block, false);
    MUST(one.good == many.good && one.torn == many.torn && one.foreign == many.foreign &&
         one.newer == many.newer && one.overlong == many.overlong);
    records_free(&one);
    records_free(&many);
    show();
    model_free(&m);
    return 0;
}
