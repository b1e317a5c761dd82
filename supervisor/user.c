/* SPDX-License-Identifier: MIT */
/* Giving up root. Trust: what was done with root's rights before is reading the command line; what
 * comes after is the user's, and nothing leads back. */
#include "user.h"
#include "tagline.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sysexits.h>
#include <unistd.h>

static bool is_now(uid_t uid, gid_t gid)
{
    uid_t u[3];
    gid_t g[3];
    return getresuid(&u[0], &u[1], &u[2]) == 0 && getresgid(&g[0], &g[1], &g[2]) == 0 &&
           u[0] == uid && u[1] == uid && u[2] == uid && g[0] == gid && g[1] == gid && g[2] == gid;
}

void user_become(const char *name)
{
    errno = 0;
    const struct passwd *pw = getpwnam(name);
    if (!pw && errno)
        tl_die(EX_OSERR, "--user %s: %m", name);
    if (!pw)
        tl_die(EX_USAGE, "--user %s: there is no such user", name);
    uid_t uid = pw->pw_uid;
    gid_t gid = pw->pw_gid;
    if (geteuid() == uid && getuid() == uid)
        return;
    if (geteuid() != 0)
        tl_die(EX_NOPERM, "--user %s: only root can become another user", name);
    if (setenv("HOME", pw->pw_dir, 1) != 0 || setenv("USER", name, 1) != 0 ||
        setenv("LOGNAME", name, 1) != 0)
        tl_die(EX_OSERR, "environment: %m");
    if (initgroups(name, gid) != 0 || setresgid(gid, gid, gid) != 0 ||
        setresuid(uid, uid, uid) != 0)
        tl_die(EX_OSERR, "--user %s: %m", name);
    if (!is_now(uid, gid) || setuid(0) == 0)
        tl_bug("--user %s: root was not given up", name);
}
