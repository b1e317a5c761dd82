/* SPDX-License-Identifier: MIT */
/* An input that may be an archive: it comes to an end, gives no more than it may, and the same
 * whatever the room for it; and what is no archive comes as it is. */
#include "../../router/unpack.h"
#include "buf.h"
#include "fuzz.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MOST = 1 << 20, WIDE = 1 << 16 };

/* All of the file; errno at its end, 0 if that was a good one. */
static int take(int fd, size_t room, uint64_t most, struct buf *to)
{
    struct unpack *u = unpack_new(fd, most);
    int error = 0;
    size_t idle = 0;
    MUST(lseek(fd, 0, SEEK_SET) == 0);
    for (;;) {
        ssize_t got = unpack_read(u, buf_room(to, room), room);
        if (got == 0)
            break;
        error = got < 0 ? errno : 0;
        if (got < 0 && error != EAGAIN)
            break;
        to->len += got > 0 ? (size_t)got : 0;
        idle = got < 0 ? idle + 1 : 0;
        MUST(idle < 1000);
        error = 0;
    }
    MUST(error == 0 || (error == EBADMSG && *unpack_error(u)));
    unpack_free(u);
    return error;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf wide = {0}, narrow = {0}, raw = {0};
    int fd = memfd_create("input", MFD_CLOEXEC);
    MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    MUST(take(fd, WIDE, 0, &raw) == 0 && raw.len == size);
    MUST(size == 0 || memcmp(raw.data, data, size) == 0);
    int error = take(fd, WIDE, MOST, &wide);
    MUST(take(fd, 1 + size % 97, MOST, &narrow) == error);
    MUST(wide.len <= MOST && narrow.len <= MOST);
    if (!error)
        MUST(wide.len == narrow.len);
    size_t both = wide.len < narrow.len ? wide.len : narrow.len;
    MUST(both == 0 || memcmp(wide.data, narrow.data, both) == 0);
    close(fd);
    buf_free(&wide);
    buf_free(&narrow);
    buf_free(&raw);
    return 0;
}
