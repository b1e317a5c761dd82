/* SPDX-License-Identifier: MIT */
/* PCRE2 for filters. Trust: expressions come from the user or a flow; the text may be anything, so
 * a search has PCRE2's match limit and a bounded stack. */
#include "pattern.h"
#include "buf.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <sysexits.h>

enum { STACK_FIRST = 32 * 1024, STACK_MOST = 16 * 1024 * 1024 };

struct pattern {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    bool compiled; /* to machine code */
};

_Noreturn static void refuse(const char *expression, int error, size_t offset)
{
    unsigned char why[256];
    pcre2_get_error_message(error, why, sizeof why);
    tl_die(EX_USAGE, "pattern \"%s\": at byte %zu: %s", expression, offset, (char *)why);
}

struct pattern *pattern_new(const char *expression, unsigned flags)
{
    int error;
    size_t offset;
    /* Bytes are no characters here: an expression must not switch UTF checks of the text on. */
    uint32_t options = PCRE2_NEVER_UTF | PCRE2_NEVER_UCP;
    if (flags & PATTERN_ANY_CASE)
        options |= PCRE2_CASELESS;
    struct pattern *p = xcalloc(1, sizeof *p);
    p->code = pcre2_compile((const unsigned char *)expression, PCRE2_ZERO_TERMINATED, options,
                            &error, &offset, NULL);
    if (!p->code)
        refuse(expression, error, offset);
    /* Where machine code is forbidden, PCRE2 interprets: slower, the same result. */
    p->compiled = pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE) == 0;
    p->data = pcre2_match_data_create_from_pattern(p->code, NULL);
    p->context = pcre2_match_context_create(NULL);
    p->stack = pcre2_jit_stack_create(STACK_FIRST, STACK_MOST, NULL);
    if (!p->data || !p->context || !p->stack)
        tl_die(EX_TEMPFAIL, "memory: %m");
    pcre2_jit_stack_assign(p->context, NULL, p->stack);
    return p;
}

void pattern_free(struct pattern *p)
{
    if (!p)
        return;
    pcre2_jit_stack_free(p->stack);
    pcre2_match_context_free(p->context);
    pcre2_match_data_free(p->data);
    pcre2_code_free(p->code);
    free(p);
}

int pattern_groups(const struct pattern *p)
{
    return (int)pcre2_get_ovector_count(p->data) - 1;
}

int pattern_named(const struct pattern *p, const char *name)
{
    int n = pcre2_substring_number_from_name(p->code, (const unsigned char *)name);
    return n > 0 ? n : -1;
}

static const struct span *search(struct tl *tl, struct pattern *p, const char *text, size_t len,
                                 size_t from, uint32_t options)
{
    _Static_assert(sizeof(struct span) == 2 * sizeof(PCRE2_SIZE) && NO_SPAN == PCRE2_UNSET,
                   "a span is a pair of PCRE2's offsets");
    const unsigned char *bytes = (const unsigned char *)text;
    /* The machine code can be called without pcre2_match's checks, but does not know all options.
     */
    int n = p->compiled && !options
                ? pcre2_jit_match(p->code, bytes, len, from, 0, p->data, p->context)
                : pcre2_match(p->code, bytes, len, from, options, p->data, p->context);
    if (n == PCRE2_ERROR_NOMATCH)
        return NULL;
    if (n < 0) {
        unsigned char why[256];
        pcre2_get_error_message(n, why, sizeof why);
        tl_fail(tl, EX_DATAERR, "the search for a match was given up: %s", (char *)why);
    }
    return (const struct span *)pcre2_get_ovector_pointer(p->data);
}

const struct span *pattern_find(struct tl *tl, struct pattern *p, const char *text, size_t len,
                                size_t from)
{
    return search(tl, p, text, len, from, 0);
}

const struct span *pattern_next(struct tl *tl, struct pattern *p, const char *text, size_t len,
                                struct span last)
{
    if (last.begin != last.end)
        return search(tl, p, text, len, last.end, 0);
    const struct span *found =
        search(tl, p, text, len, last.end, PCRE2_NOTEMPTY_ATSTART | PCRE2_ANCHORED);
    if (found || last.end == len)
        return found;
    return search(tl, p, text, len, last.end + 1, 0);
}
