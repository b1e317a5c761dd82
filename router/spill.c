/* SPDX-License-Identifier: MIT */
/*
 * Mappings of unlinked files. Trust: the folder is the operator's. Space is allocated before it is
 * touched, so that a full disk is an error here and not a signal later; a disk that fails to read
 * is one, and whoever started us runs the file again.
 */
#include "spill.h"
#include "proc.h"
#include "tagline.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, STEP = 16 << 20 };

struct spill {
    int fd;
    size_t passed; /* bytes that were let go last; a multiple of the page */
};

const char *spill_folder(void)
{
    const char *folder = getenv("TMPDIR");
    return folder && *folder ? folder : "/var/tmp";
}

static int open_unnamed(void)
{
    int fd = open(spill_folder(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
        return fd;
    struct buf name = {0};
    buf_addf(&name, "%s/tl-router.XXXXXX", spill_folder());
    fd = mkostemp((char *)(buf_str(&name), name.data), O_CLOEXEC);
    if (fd >= 0 && unlink(name.data) != 0)
        tl_warn("%s: %m", name.data);
    buf_free(&name);
    return fd;
}

/* Make the file and its mapping as large as need be. */
static bool grow(struct spill *s, struct buf *map, size_t n)
{
    size_t more = map->cap / 4 > STEP ? map->cap / 4 : STEP;
    size_t cap = (map->len + (n > more ? n : more) + PAGE - 1) & ~(size_t)(PAGE - 1);
    int why = posix_fallocate(s->fd, (off_t)map->cap, (off_t)(cap - map->cap));
    if (why) {
        errno = why;
        return false;
    }
    void *at = map->data ? mremap(map->data, map->cap, cap, MREMAP_MAYMOVE)
                         : mmap(NULL, cap, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
    if (at == MAP_FAILED)
        return false;
    map->data = at;
    map->cap = cap;
    return true;
}

struct spill *spill_new(struct buf *bytes, size_t n)
{
    struct spill *s = xcalloc(1, sizeof *s);
    struct buf map = {0};
    s->fd = open_unnamed();
    if (s->fd < 0 || !grow(s, &map, bytes->len + n)) {
        int why = errno;
        close_fd(&s->fd);
        free(s);
        errno = why;
        return NULL;
    }
    memcpy(map.data, bytes->data, bytes->len);
    map.len = bytes->len;
    buf_free(bytes);
    *bytes = map;
    return s;
}

bool spill_room(struct spill *s, struct buf *bytes, size_t n)
{
    if (n <= bytes->cap - bytes->len)
        return true;
    s->passed = 0;
    spill_pass(s, bytes, bytes->len);
    s->passed = 0;
    return grow(s, bytes, n);
}

void spill_pass(struct spill *s, const struct buf *bytes, size_t n)
{
    size_t upto = n & ~(size_t)(PAGE - 1);
    if (upto < s->passed + STEP)
        return;
    /* The file keeps them; if the system will not let go of the memory, nothing is lost. */
    if (madvise(bytes->data + s->passed, upto - s->passed, MADV_DONTNEED) == 0)
        s->passed = upto;
}

void spill_free(struct spill *s, struct buf *bytes)
{
    if (munmap(bytes->data, bytes->cap) != 0)
        tl_bug("munmap: %m");
    *bytes = (struct buf){0};
    close_fd(&s->fd);
    free(s);
}
