/* SPDX-License-Identifier: MIT */
/*
 * What somebody wants of a supervisor that runs: files in .tagline/control, as ask.c puts them
 * there. Trust: the folder is ours alone; whoever can write there could as well stop us. A name in
 * it is compared, never used as a path.
 */
#include "msg.h"
#include "names.h"
#include "super.h"
#include "tagline.h"
#include "text.h"
#include "times.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Nothing in it: somebody only waits until we have looked. */
static void obey(struct super *s, const struct buf *name)
{
    struct buf shown = {0};
    if (name->len == 0)
        return;
    text_escape(&shown, name->data, name->len);
    if (work_hasten(s, name->data, times_ms()))
        msg_at(MSG_INFO, "retry: %s: now, as it was asked", buf_str(&shown));
    else
        tl_warn("retry: %s: does not wait to be tried again", buf_str(&shown));
    buf_free(&shown);
}

static void take_order(void *arg, const char *file)
{
    struct super *s = arg;
    struct buf name = {0};
    char path[STORE_PATH];
    if (strncmp(file, QUEUE_ASK, strlen(QUEUE_ASK)) != 0 || names_unfinished(file))
        return;
    store_path(path, QUEUE_CONTROL, file);
    if (store_read(&s->store, path, &name, NAME_BYTES) == 0) {
        buf_str(&name);
        obey(s, &name);
    }
    if (unlinkat(s->store.root, path, 0) != 0 && errno != ENOENT)
        tl_warn("%s/%s: cannot be removed: %m", s->store.path, path);
    buf_free(&name);
}

void orders_look(struct super *s)
{
    struct identity id;
    s->watch.asked = false;
    if (s->state == SUPER_DRAINING)
        return;
    if (store_look(&s->store, QUEUE_PAUSE, &id) == 0)
        super_pause(s, true);
    else if (errno == ENOENT)
        super_pause(s, false);
    /* What cannot be read now is looked at again in a second. */
    store_each(&s->store, QUEUE_CONTROL, take_order, s);
}
