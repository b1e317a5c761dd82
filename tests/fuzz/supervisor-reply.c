/* SPDX-License-Identifier: MIT */
/* A line from a worker that is mad: it is refused, or what it says can become a path. */
#include "../../supervisor/reply.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reply r;
    const char *why = NULL;
    if (!reply_parse(&r, (const char *)data, size, &why)) {
        MUST(why);
    } else if (!r.ready && r.status == 0) {
        for (size_t i = 0; i < r.nsinks; i++) {
            const char *file = r.sinks[i].file;
            MUST(r.sinks[i].tag);
            MUST(!file || (*file && strlen(file) < 256 && !strchr(file, '/') &&
                           strcmp(file, ".") != 0 && strcmp(file, "..") != 0));
        }
    }
    for (size_t i = 0; i < r.nnodes; i++)
        MUST(r.nodes[i].node);
    reply_free(&r);
    return 0;
}
