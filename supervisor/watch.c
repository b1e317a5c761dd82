/* SPDX-License-Identifier: MIT */
/*
 * The watch. libinotifytools keeps its state and its descriptor to itself: we find the descriptor,
 * make it close-on-exec and poll it, and begin anew whenever the folder goes away, because records
 * of folders that are gone are never freed. Trust: names in events are those of any producer.
 */
#include "watch.h"
#include "tagline.h"

#include <errno.h>
#include <fcntl.h>
#include <inotifytools/inotify.h>
#include <inotifytools/inotifytools.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { AGAIN = 30000 }; /* milliseconds before another try */

#define EVENTS (IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE_SELF | IN_MOVE_SELF)

void watch_init(struct watch *w, const struct store *store)
{
    struct buf path = {0}, control = {0};
    buf_addf(&path, "%s/" QUEUE_UNPROCESSED, store->path);
    buf_addf(&control, "%s/" QUEUE_CONTROL "/", store->path);
    *w = (struct watch){
        .path = xstrdup(buf_str(&path)), .control = xstrdup(buf_str(&control)), .fd = -1};
    buf_free(&path);
    buf_free(&control);
}

static void stop(struct watch *w)
{
    if (w->fd >= 0)
        inotifytools_cleanup();
    w->fd = -1;
}

void watch_free(struct watch *w)
{
    stop(w);
    free(w->path);
    free(w->control);
}

/* The library's descriptor: the only one of its kind that we have. */
static int find_fd(void)
{
    int found = -1;
    DIR *dir = opendir("/proc/self/fd");
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char link[32] = "";
        if (readlinkat(dirfd(dir), entry->d_name, link, sizeof link - 1) > 0 &&
            strcmp(link, "anon_inode:inotify") == 0)
            found = atoi(entry->d_name);
    }
    if (dir)
        closedir(dir);
    return found;
}

static bool start(struct watch *w)
{
    if (!inotifytools_initialize()) {
        errno = inotifytools_error() ? inotifytools_error() : errno;
        return false;
    }
    w->fd = find_fd();
    int saved = w->fd < 0 ? ENOENT : 0;
    if (!saved && fcntl(w->fd, F_SETFD, FD_CLOEXEC) != 0)
        saved = errno;
    if (!saved && !inotifytools_watch_file(w->path, EVENTS | IN_ONLYDIR))
        saved = inotifytools_error();
    if (!saved && !inotifytools_watch_file(w->control, EVENTS | IN_ONLYDIR))
        w->asked = true; /* words are then heard a second later */
    if (!saved)
        return true;
    inotifytools_cleanup();
    w->fd = -1;
    errno = saved;
    return false;
}

void watch_tick(struct watch *w, struct scan *scan, long long now)
{
    if (w->fd >= 0 || now < w->again)
        return;
    bool watching = start(w);
    if (!watching && !w->warned)
        tl_warn("%s: cannot be watched: %m; looking every second instead", w->path);
    w->warned = !watching;
    w->again = now + AGAIN;
    scan->blind = !watching;
    scan->wanted = true;
}

static void take(struct watch *w, struct scan *scan, const struct inotify_event *e, long long now)
{
    const char *folder = inotifytools_filename_from_wd(e->wd);
    if (folder && strcmp(folder, w->control) == 0)
        w->asked = true;
    else if (e->mask & (IN_CLOSE_WRITE | IN_MOVED_TO))
        scan_look(scan, e->name, true, now);
    else if (e->mask & IN_ISDIR)
        scan_look(scan, e->name, false, now);
    else if (e->mask & IN_CREATE && choice_takes(scan->waiting->choice, e->name))
        waiting_created(scan->waiting, e->name, now);
}

void watch_read(struct watch *w, struct scan *scan, long long now)
{
    bool gone = false;
    struct inotify_event *e;
    if (w->fd < 0)
        return;
    while ((e = inotifytools_next_events(0, 1))) {
        if (e->mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT))
            gone = true;
        else if (e->mask & IN_Q_OVERFLOW)
            scan->wanted = w->asked = true;
        else if (e->len > 0 && e->name[0])
            take(w, scan, e, now);
    }
    if (!gone)
        return;
    stop(w);
    w->again = now;
    scan->wanted = true;
}
