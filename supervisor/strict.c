/* SPDX-License-Identifier: MIT */
/*
 * Owners and modes. Trust: root and ourselves, and nobody else but those producers whom the
 * operator names, and these with the folder for them alone. Who can write elsewhere could make us
 * move, overwrite or publish what he likes.
 */
#include "strict.h"
#include "buf.h"
#include "tagline.h"
#include "text.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <sysexits.h>
#include <unistd.h>

static const char *const producers_names[] = {"self", "group", "anybody"};

int strict_producers_named(const char *name)
{
    for (int i = PRODUCERS_SELF; i <= PRODUCERS_ANYBODY; i++)
        if (strcmp(name, producers_names[i]) == 0)
            return i;
    return -1;
}

static bool is_trusted(uid_t uid)
{
    return uid == 0 || uid == geteuid();
}

/* Has the group no member but us? Where every user has a group of his own, it may write as well. */
static bool is_own_group(gid_t gid)
{
    uid_t self = geteuid();
    const struct passwd *pw = getpwuid(self);
    if (!pw || pw->pw_gid != gid)
        return false;
    char *name = xstrdup(pw->pw_name);
    const struct group *group = getgrgid(gid);
    bool own = group != NULL;
    for (size_t i = 0; own && group->gr_mem[i]; i++)
        own = strcmp(group->gr_mem[i], name) == 0;
    setpwent();
    while (own && (pw = getpwent()))
        own = pw->pw_gid != gid || pw->pw_uid == self;
    endpwent();
    free(name);
    return own;
}

/* Does its group hold others who may write? With an access list the bits of the group are those of
 * anybody on it. */
static bool group_writes(const char *path, const struct stat *st)
{
    return (st->st_mode & S_IWGRP) &&
           (!is_own_group(st->st_gid) || lgetxattr(path, "system.posix_acl_access", NULL, 0) > 0);
}

static _Noreturn void refuse(const char *path, const struct stat *st, const char *why,
                             const char *remedy)
{
    struct buf shown = {0};
    const struct passwd *owner = getpwuid(st->st_uid);
    text_escape(&shown, path, strlen(path));
    if (owner)
        tl_die(EX_CONFIG, "%s: %s (mode %04o, owner %s); %s", buf_str(&shown), why,
               st->st_mode & 07777, owner->pw_name, remedy);
    tl_die(EX_CONFIG, "%s: %s (mode %04o, owner %u); %s", buf_str(&shown), why, st->st_mode & 07777,
           (unsigned)st->st_uid, remedy);
}

#define CHMOD "write chmod go-w, or --insecure to take that risk"

/* In a sticky folder others can make files, but touch none of ours. */
static void check(const char *path, const struct stat *st, bool sticky_will_do)
{
    bool sticky = sticky_will_do && st->st_mode & S_ISVTX;
    if (!is_trusted(st->st_uid))
        refuse(path, st, "belongs to another user, who could change it",
               "write chown, or --insecure to take that risk");
    if (st->st_mode & S_IWOTH && !sticky)
        refuse(path, st, "may be written by anybody", CHMOD);
    if (!sticky && group_writes(path, st))
        refuse(path, st, "may be written by others of its group", CHMOD);
}

void strict_queue(const struct strict *s, const char *path)
{
    struct stat st;
    char *part = xstrdup(path);
    if (s->off) {
        free(part);
        return;
    }
    for (bool queue = true;; queue = false) {
        if (lstat(part, &st) != 0)
            tl_die(EX_OSERR, "%s: %m", part);
        check(part, &st, !queue);
        char *slash = strrchr(part, '/');
        if (!slash || !slash[1])
            break; /* that was the root */
        slash[slash == part] = '\0';
    }
    free(part);
}

static void check_producers(const struct strict *s, const char *path, const struct stat *st)
{
    bool anybody = s->producers == PRODUCERS_ANYBODY;
    if (!anybody && !is_trusted(st->st_uid))
        refuse(path, st, "belongs to another user",
               "say --producers anybody if others are to put files there");
    if (!anybody && st->st_mode & S_IWOTH)
        refuse(path, st, "may be written by anybody",
               "say --producers anybody if that is meant, or write chmod o-w");
    if (anybody && st->st_mode & S_IWOTH && !(st->st_mode & S_ISVTX))
        refuse(path, st, "lets anybody remove the files of others", "write chmod +t");
    if (s->producers == PRODUCERS_SELF && group_writes(path, st))
        refuse(path, st, "may be written by others of its group",
               "say --producers group if that is meant, or write chmod g-w");
}

void strict_folder(const struct strict *s, const char *queue, const char *folder,
                   const struct stat *st, bool for_producers)
{
    struct buf path = {0};
    if (s->off)
        return;
    buf_addf(&path, "%s/%s", queue, folder);
    if (S_ISLNK(st->st_mode))
        refuse(buf_str(&path), st, "is a symbolic link", "make it a folder, or say --insecure");
    if (for_producers)
        check_producers(s, buf_str(&path), st);
    else
        check(buf_str(&path), st, false);
    buf_free(&path);
}
