/* SPDX-License-Identifier: MIT */
/* Workers' answers: what is one is read, what is none is refused and not obeyed. */
#include "../../supervisor/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool parse(struct reply *r, const char *text)
{
    const char *why = NULL;
    bool good = reply_parse(r, text, strlen(text), &why);
    if (!good)
        assert_non_null(why);
    return good;
}

static void ready(void **state)
{
    (void)state;
    struct reply r;
    assert_true(parse(
        &r, "{\"ready\":true,\"order\":\"line\",\"nodes\":[\"a\",\"b\"],\"sinks\":[\"end\"]}"));
    assert_true(r.ready);
    assert_int_equal(r.nnodes, 2);
    assert_string_equal(r.nodes[1].node, "b");
    reply_free(&r);
}

static void done(void **state)
{
    (void)state;
    struct reply r;
    assert_true(parse(
        &r,
        "{\"id\":7,\"status\":0,\"lines\":3,\"bytes\":9,\"seconds\":0.5,\"nodes\":[{\"node\":"
        "\"start\",\"lines_in\":3,\"dropped\":1,\"cpu\":0.25,\"memory\":4096}],\"sinks\":[{"
        "\"tag\":\"end\",\"file\":\"a%20%FF\",\"lines\":2,\"bytes\":6},{\"tag\":\"no\",\"file\":"
        "null}],\"trace\":{\"text\":\"x\",\"path\":[[\"start\",\"end\",1]]}}"));
    assert_false(r.ready);
    assert_int_equal(r.id, 7);
    assert_int_equal(r.lines, 3);
    assert_int_equal(r.nodes[0].dropped, 1);
    assert_int_equal(r.nodes[0].memory, 4096);
    assert_int_equal(r.nsinks, 2);
    assert_string_equal(r.sinks[0].file, "a \xff");
    assert_null(r.sinks[1].file);
    assert_string_equal(r.trace_path, "[[\"start\",\"end\",1]]");
    reply_free(&r);
}

static void failed(void **state)
{
    (void)state;
    struct reply r;
    assert_true(parse(&r, "{\"id\":1,\"status\":70,\"error\":\"why\",\"node\":\"n\",\"line\":12}"));
    assert_int_equal(r.status, 70);
    assert_string_equal(r.error, "why");
    assert_int_equal(r.line, 12);
    assert_string_equal(r.errors, "");
    assert_string_equal(r.sample, "");
    assert_int_equal(r.first_line, 0);
    assert_int_equal(r.exit, -1);
    assert_int_equal(r.signal, -1);
    reply_free(&r);
    assert_true(parse(&r, "{\"id\":1,\"status\":75,\"signal\":9,\"exit\":3,\"first_line\":2,"
                          "\"last_line\":8,\"errno\":5,\"sample\":\"\\u0000a\\u0000\"}"));
    assert_int_equal(r.signal, 9);
    assert_int_equal(r.exit, 3);
    assert_int_equal(r.first_line, 2);
    assert_int_equal(r.last_line, 8);
    assert_int_equal(r.number, 5);
    assert_string_equal(r.sample, "\\x00a\\x00");
    reply_free(&r);
}

static void refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "nonsense",
        "[]",
        "{}",
        "{\"id\":1}",
        "{\"id\":\"1\",\"status\":0}",
        "{\"id\":1,\"id\":2,\"status\":0}",
        "{\"id\":1,\"status\":0,\"sinks\":[{\"tag\":\"t\"}]}",
        "{\"id\":1,\"status\":0,\"sinks\":[{\"tag\":\"t\",\"file\":\"..\"}]}",
        "{\"id\":1,\"status\":0,\"sinks\":[{\"tag\":\"t\",\"file\":\"a/b\"}]}",
        "{\"id\":1,\"status\":0,\"sinks\":[{\"tag\":\"t\",\"file\":\"a%2Fb\"}]}",
        "{\"id\":1,\"status\":0,\"sinks\":[{\"tag\":\"t\",\"file\":\"a%00b\"}]}",
        "{\"id\":1,\"status\":0,\"sinks\":[{\"tag\":\"t\",\"file\":\"\"}]}",
        "{\"id\":1,\"status\":0,\"sinks\":[{\"tag\":\"t\",\"file\":\"a%\"}]}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct reply r;
        assert_false(parse(&r, bad[i]));
        reply_free(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ready),
        cmocka_unit_test(done),
        cmocka_unit_test(failed),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
