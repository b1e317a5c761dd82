/* SPDX-License-Identifier: MIT */
/* Counting the folders of a queue. Trust: names may be any bytes; only their numbers come out. */
#include "folders.h"
#include "contract.h"
#include "tagline.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct counted {
    long long files, bytes, others;
    double oldest; /* mtime; 0: none */
};

static bool ends(const char *name, const char *with)
{
    size_t n = strlen(name), w = strlen(with);
    return n > w && strcmp(name + n - w, with) == 0;
}

/* Names in unprocessed that no supervisor takes; tagline-queue(5). */
static bool is_unfinished(const char *name)
{
    return ends(name, ".part") || ends(name, ".tmp");
}

/* The reason of a failed file is not one more failed file. */
static bool is_reason(int dir, const char *name)
{
    static const char suffix[] = ".reason";
    char of[NAME_MAX + 1];
    size_t n = strlen(name);
    struct stat st;
    if (!ends(name, suffix) || n > NAME_MAX)
        return false;
    memcpy(of, name, n + 1);
    of[n - strlen(suffix)] = '\0';
    return fstatat(dir, of, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Files count with their size; what is no regular file is counted apart, as the supervisor does. */
static void count_one(int dir, const char *name, struct counted *c)
{
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return; /* it was moved on meanwhile */
    if (!S_ISREG(st.st_mode)) {
        c->others++;
        return;
    }
    double mtime = (double)st.st_mtim.tv_sec + (double)st.st_mtim.tv_nsec / 1e9;
    c->files++;
    c->bytes += st.st_size;
    if (c->oldest == 0 || mtime < c->oldest)
        c->oldest = mtime;
}

/* One pass over a folder that others change meanwhile: near enough for a summary. */
static struct counted count_folder(int queue, const char *folder)
{
    struct counted c = {0};
    int fd = openat(queue, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        if (errno != ENOENT)
            tl_warn("%s: %m; counted as empty", folder);
        if (fd >= 0)
            close(fd);
        return c;
    }
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        bool waits = strcmp(folder, QUEUE_UNPROCESSED) == 0;
        bool failed = strcmp(folder, QUEUE_FAILED) == 0;
        if (e->d_name[0] == '.' && (waits || !e->d_name[1] || strcmp(e->d_name, "..") == 0))
            continue;
        if ((waits && is_unfinished(e->d_name)) || (failed && is_reason(fd, e->d_name)))
            continue;
        count_one(fd, e->d_name, &c);
    }
    closedir(dir);
    return c;
}

json_t *folders_record(const char *queue)
{
    struct timespec ts;
    int fd = open(queue, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        tl_die(EX_NOINPUT, "%s: %m", queue);
    struct counted waiting = count_folder(fd, QUEUE_UNPROCESSED);
    struct counted running = count_folder(fd, QUEUE_UNDERPROCESS);
    struct counted processed = count_folder(fd, QUEUE_PROCESSED);
    struct counted failed = count_folder(fd, QUEUE_FAILED);
    close(fd);
    clock_gettime(CLOCK_REALTIME, &ts);
    double now = (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
    double oldest = waiting.oldest > 0 && waiting.oldest < now ? now - waiting.oldest : 0;
    json_t *record =
        json_pack("{si ss sf ss ss sI sI sf sI sI sI sI sI sI sI}", "v", METRICS_VERSION, "type",
                  METRICS_QUEUE, "time", now, "state", "away", "reason", "counted from the folders",
                  "waiting", waiting.files, "waiting_bytes", waiting.bytes, "oldest", oldest,
                  "running", running.files, "running_bytes", running.bytes, "processed",
                  processed.files, "processed_bytes", processed.bytes, "failed", failed.files,
                  "failed_bytes", failed.bytes, "ignored", waiting.others);
    if (!record)
        tl_die(EX_OSERR, "no memory");
    return record;
}
