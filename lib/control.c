/* SPDX-License-Identifier: MIT */
/*
 * A filter's side of the protocol, tagline(5). Trust: control lines come from a router or from
 * whoever types them; a region that they name is checked to lie inside the memory that is shared.
 */
#include "contract.h"
#include "inside.h"
#include "io.h"
#include "text.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Input after which answers are not held back any longer, so that others can go on with them. */
enum { ENOUGH = 32 * 1024 };

static bool starts(const char *s, const char *word)
{
    return strncmp(s, word, strlen(word)) == 0;
}

/* Print the line back, with what we have to add. */
static void echo(struct tl *tl, const char *line, size_t len, const char *more)
{
    buf_add(&tl->own, line, len);
    buf_adds(&tl->own, more);
    buf_addc(&tl->own, '\n');
    tl_flush(tl);
}

/* The same, but others of its kind follow: it goes with them. */
static void echo_later(struct tl *tl, const char *line, size_t len)
{
    buf_add(&tl->own, line, len);
    buf_addc(&tl->own, '\n');
    if (tl->next == tl->in.len || tl->own.len >= IO_BLOCK)
        tl_flush(tl);
}

/* Are our ends those of the router's pipes? In a pipeline inside a node there are programs between,
 * and what we could tell of our lines would not be true of what comes out of the node. */
static bool alone(void)
{
    const char *ends = getenv(ENV_ENDS);
    char ours[64];
    struct stat in, out;
    if (!ends)
        return true;
    if (fstat(STDIN_FILENO, &in) != 0 || fstat(STDOUT_FILENO, &out) != 0)
        tl_die(EX_OSERR, "standard input or output: %m"); /* no guess: the order hangs on it */
    snprintf(ours, sizeof ours, "%llu:%llu", (unsigned long long)in.st_ino,
             (unsigned long long)out.st_ino);
    return strcmp(ours, ends) == 0;
}

static void hello(struct tl *tl, const char *line, size_t len)
{
    char promises[64] = "";
    tl->routed = true;
    tl->tells = alone();
    if (tl->tells)
        snprintf(promises, sizeof promises, " " CAN_CARD "%s%s%s " CAN_SHARE,
                 tl->promises & TL_STATELESS ? " " CAN_STATELESS : "",
                 tl->promises & TL_MAP ? " " CAN_MAP : "", tl->save ? " " CAN_STATE : "");
    echo(tl, line, len, promises);
}

/* Map what path and size name; false: whatever stands against it, the pipe will do. */
static bool map(struct tl *tl, const char *path, size_t size)
{
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return false;
    void *region = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd); /* the mapping stays */
    if (region == MAP_FAILED)
        return false;
    tl->region = region;
    tl->region_size = size;
    return true;
}

/* "!share PATH SIZE TAG" */
static void share(struct tl *tl, const char *line, size_t len)
{
    char *copy = xstrndup(line + strlen(CONTROL_SHARE), len - strlen(CONTROL_SHARE));
    char *size = strchr(copy, ' ');
    char *tag = size ? strchr(size + 1, ' ') : NULL;
    size_t bytes;
    bool good = false;
    if (tl->tells && !tl->region && tag && tl_is_tag(tag + 1, strlen(tag + 1))) {
        *size = *tag = '\0';
        strcpy(tl->tag, tag + 1);
        good = text_size(size + 1, &bytes) && map(tl, copy, bytes);
    }
    free(copy);
    echo(tl, line, len, good ? " " SHARE_OK : "");
}

/* "!fence N IN LEN OUT ROOM": LEN bytes of texts, a line each, stand at IN of the region, and
 * output that fits into ROOM bytes may be left at OUT. */
static void borrow(struct tl *tl, const char *line)
{
    unsigned long long n[5];
    size_t i = 0;
    const char *at = strchr(line, ' ');
    for (char *end; tl->region && i < 5; i++, at = end) {
        n[i] = strtoull(at, &end, 10);
        if (end == at)
            break;
    }
    if (i < 5)
        return;
    bool inside = n[1] <= tl->region_size && n[2] <= tl->region_size - n[1] &&
                  n[3] <= tl->region_size && n[4] <= tl->region_size - n[3];
    /* What is written must not change what is not read yet. */
    bool apart = inside && (!n[2] || !n[4] || n[1] + n[2] <= n[3] || n[3] + n[4] <= n[1]);
    if (!apart || (n[2] && tl->region[n[1] + n[2] - 1] != '\n'))
        tl_die(EX_SOFTWARE, "\"%s\": not lines of the shared region", line);
    tl->part = tl->region + n[1];
    tl->part_end = tl->part + n[2];
    tl->taken += n[2];
    tl->lent = (struct buf){.data = tl->region + n[3], .cap = n[4]};
    if (n[4]) {
        tl->out = &tl->lent;
        tl->plain = !tl->mixed;
    }
}

void control_obey(struct tl *tl, char *line, size_t len)
{
    bool asks = starts(line, CONTROL_FENCE) || starts(line, CONTROL_END);
    if (asks && len < sizeof tl->due) {
        memcpy(tl->due, line, len + 1);
        borrow(tl, line);
    } else if (strcmp(line, CONTROL_HELLO) == 0) {
        hello(tl, line, len);
    } else if (starts(line, CONTROL_SHARE)) {
        share(tl, line, len);
    } else if (starts(line, CONTROL_SAVE)) {
        state_save(tl);
        echo(tl, line, len, "");
    } else if (starts(line, CONTROL_LOAD)) {
        state_load(tl, line + strlen(CONTROL_LOAD), len - strlen(CONTROL_LOAD));
        echo_later(tl, line, len);
    } else {
        echo(tl, line, len, "");
    }
}

bool control_ends_file(const struct tl *tl)
{
    return starts(tl->due, CONTROL_END);
}

/* The answer waits for others, if they are sure to come soon: many small files, one write. */
void control_answer(struct tl *tl)
{
    size_t left = tl->out == &tl->lent ? tl->lent.len : 0;
    card_close(&tl->card); /* the number of the end is never part of a run */
    if (control_ends_file(tl)) {
        if (tl->tells)
            card_add(&tl->card, tl->emitted);
        card_close(&tl->card);
        tl->emitted = 0;
        tl->lineno = 0;
    }
    tl->out = &tl->own;
    buf_adds(&tl->own, tl->due);
    if (tl->card.text.len)
        buf_addc(&tl->own, ' ');
    buf_add(&tl->own, tl->card.text.data, tl->card.text.len);
    if (left)
        buf_addf(&tl->own, " %s%zu", tl->plain ? SHARE_LEFT_TEXTS : SHARE_LEFT, left);
    tl->plain = false;
    buf_addc(&tl->own, '\n');
    tl->card.text.len = 0;
    tl->due[0] = '\0';
    if (tl->next == tl->in.len || tl->taken + tl->next - tl->mark >= ENOUGH)
        tl_flush(tl);
}
