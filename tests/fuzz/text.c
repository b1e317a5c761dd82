/* SPDX-License-Identifier: MIT */
/* Any bytes made presentable: as a word they come back, as a message they are harmless, in JSON
 * they are UTF-8. And the words that mean sizes, times and numbers. */
#include "text.h"
#include "fuzz.h"

static void must_be_harmless(const struct buf *b)
{
    for (size_t i = 0, n; i < b->len; i += n) {
        n = text_utf8(b->data + i, b->len - i);
        MUST(n > 0);
        MUST((unsigned char)b->data[i] >= ' ' && b->data[i] != 127);
    }
}

static void numbers(const char *word)
{
    size_t bytes;
    long value;
    if (text_size(word, &bytes))
        MUST(bytes > 0);
    if (text_duration(word, &value))
        MUST(value >= 0);
    if (text_number(word, -5, 5, &value))
        MUST(value >= -5 && value <= 5);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf b = {0};
    char *word = xstrndup((const char *)data, size);
    numbers(word);
    text_escape(&b, word, size);
    must_be_harmless(&b);
    b.len = 0;
    text_json(&b, word, size);
    must_be_harmless(&b);
    b.len = 0;
    text_percent(&b, word, strlen(word));
    MUST(!memchr(b.data ? b.data : "", ' ', b.len));
    char *back = xstrdup(buf_str(&b));
    MUST(text_unpercent(back) && strcmp(back, word) == 0);
    free(back);
    if (!text_unpercent(word))
        word[0] = '\0'; /* whatever it holds now, it may be freed */
    free(word);
    buf_free(&b);
    return 0;
}
