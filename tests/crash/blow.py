# SPDX-License-Identifier: MIT
"""Blows: a process killed, or a system call failing, at one exact call, by strace(1).

strace counts the calls of each process by name, so a point is a process, a call and a number. A
process is the supervisor, or the Kth router or filter that is started: those run through a wrapper
that lets only the Kth be traced.
"""

import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from scene import BIN

# What can go wrong with a call, as its manual page says, besides what only a bug could cause. (That
# newfstatat says ENOENT of what is there, or getdents64 of a folder that was not removed, would be a
# lie that nothing can see through; and brk returns no error, but where memory ends.)
DISK = ("EIO", "ENOSPC", "EDQUOT", "EROFS", "EACCES")
ERRORS = {
    "openat": (*DISK, "ENOENT", "EEXIST", "EINTR", "EMFILE", "ENFILE", "ENOMEM"),
    "rename": (*DISK, "EXDEV", "ENOENT", "EINTR", "ENOMEM"),
    "renameat2": (*DISK, "EXDEV", "ENOENT", "EEXIST", "EINTR", "ENOMEM", "EINVAL"),
    "renameat": (*DISK, "EXDEV", "ENOENT"),
    "linkat": (*DISK, "EXDEV", "EEXIST", "EPERM"),
    "unlink": ("EIO", "EROFS", "EACCES", "ENOENT"),
    "unlinkat": ("EIO", "EROFS", "EACCES", "ENOENT"),
    "mkdir": (*DISK, "EEXIST"),
    "mkdirat": (*DISK, "EEXIST"),
    "mknodat": (*DISK, "EEXIST"),
    "read": ("EIO", "EINTR"),
    "pread64": ("EIO", "EINTR"),
    "write": ("EIO", "ENOSPC", "EDQUOT", "EINTR"),
    "writev": ("EIO", "ENOSPC", "EDQUOT", "EINTR"),
    "pwrite64": ("EIO", "ENOSPC", "EDQUOT", "EINTR"),
    "ftruncate": ("EIO", "EROFS", "EINTR"),
    "fsync": ("EIO", "ENOSPC", "EDQUOT", "EROFS"),
    "fdatasync": ("EIO", "ENOSPC", "EDQUOT", "EROFS"),
    "newfstatat": ("EIO", "EACCES", "ENOMEM"),
    "getdents64": ("EIO",),
    "access": ("EIO", "EACCES", "ENOENT"),
    "faccessat2": ("EIO", "EACCES", "ENOENT"),
    "readlink": ("EIO", "EACCES", "ENOENT"),
    "readlinkat": ("EIO", "EACCES", "ENOENT"),
    "flock": ("EINTR", "ENOLCK"),
    "execve": ("EACCES", "EIO", "EMFILE", "ENOENT", "ENOMEM"),
    "clone": ("EAGAIN", "ENOMEM"),
    "clone3": ("EAGAIN", "ENOMEM"),
    "vfork": ("EAGAIN", "ENOMEM"),
    "wait4": ("EINTR",),
    "waitid": ("EINTR",),
    "poll": ("EINTR", "ENOMEM"),
    "epoll_wait": ("EINTR",),
    "epoll_create1": ("EMFILE", "ENFILE", "ENOMEM"),
    "epoll_ctl": ("ENOSPC", "ENOMEM"),
    "pipe2": ("EMFILE", "ENFILE"),
    "socket": ("EMFILE", "EACCES"),
    "dup2": ("EMFILE", "EINTR"),
    "signalfd4": ("EMFILE", "ENOMEM"),
    "inotify_init": ("EMFILE", "ENFILE", "ENOMEM"),
    "inotify_init1": ("EMFILE", "ENFILE", "ENOMEM"),
    "inotify_add_watch": ("EACCES", "ENOMEM", "ENOSPC"),
    "getrandom": ("EINTR", "EAGAIN"),
    "mmap": ("ENOMEM", "EAGAIN"),
}
# Trouble of the whole system: no file may be blamed for it.
STORMS = ("EIO", "ENOSPC", "EDQUOT", "EROFS", "EMFILE", "ENFILE", "ENOMEM")

WRAPPER = """#!/bin/sh
. '{dir}/inject'
i=1
until (set -C && : >"{dir}/turn/$i") 2>/dev/null || [ $i = 200 ]; do i=$((i + 1)); done
case $TURN in
$i | all) exec strace -D -o "{dir}/trace.$i" $FLAGS '{real}' "$@" ;;
esac
exec '{real}' "$@"
"""


@dataclass(frozen=True)
class Point:
    role: str  # supervisor, router, filter
    turn: int  # which of them, in the order in which they start
    call: str
    n: int

    def __str__(self):
        who = "" if self.role == "supervisor" else f"{self.turn}."
        return f"{who}{self.call}.{self.n}"

    @staticmethod
    def parse(role, text):
        *turn, call, n = text.split(".")
        return Point(role, int(turn[0]) if turn else 1, call, int(n))


@dataclass
class Tracer:
    """Traces one role of the trials in a place."""

    place: object
    bins: dict = field(default_factory=dict)

    def bin_of(self, role):
        """A folder of programs in which those of the role are wrapped."""
        if role == "supervisor":
            return BIN
        if role not in self.bins:
            self.bins[role] = self._wrap(role)
        return self.bins[role]

    def _wrap(self, role):
        where = self.place.path / f"bin-{role}"
        where.mkdir()
        wrapped = [BIN / "tl-router"]
        shutil.copy2(BIN / "tl-supervisor", where)
        if role == "filter":
            shutil.copy2(BIN / "tl-router", where)
            wrapped = [p for p in BIN.glob("tl-*") if p.name not in
                       ("tl-supervisor", "tl-router", "tl-dashboard")]
        for real in wrapped:
            script = where / real.name
            script.write_text(WRAPPER.format(dir=self.place.path, real=real), encoding="ascii")
            script.chmod(0o755)
        return where

    def _clear(self):
        for old in self.place.path.glob("trace.*"):
            old.unlink()
        shutil.rmtree(self.place.path / "turn", ignore_errors=True)
        (self.place.path / "turn").mkdir()

    def command(self, scene, durability, role, turn, flags):
        """The argv of a supervisor of which that process is traced with these flags."""
        self._clear()
        argv = self.place.command(scene, durability, self.bin_of(role))
        if role == "supervisor":
            return ["strace", "-D", "-o", str(self.place.path / "trace.1"), *flags, *argv]
        inject = f"TURN={turn}\nFLAGS='{' '.join(flags)}'\n"
        (self.place.path / "inject").write_text(inject, encoding="ascii")
        return argv

    def traced(self):
        """What was traced: {turn: text}."""
        return {
            int(p.suffix[1:]): p.read_text(encoding="ascii", errors="replace")
            for p in self.place.path.glob("trace.*")
        }

    def points(self, scene, durability, role):
        """Every call of every process of the role in an undisturbed run, as points in order."""
        self.place.fresh(scene)
        return self.points_now(scene, durability, role)

    def points_now(self, scene, durability, role):
        """The same for a run that goes on from here."""
        status = self.place.run(self.command(scene, durability, role, "all", []))
        if status is None or status < 0:
            raise RuntimeError(f"strace: {status}: {self.place.log.read_text()}")
        found = []
        for turn, text in sorted(self.traced().items()):
            counts = {}
            for call in re.findall(r"^(\w+)\(", text, re.MULTILINE):
                counts[call] = counts.get(call, 0) + 1
                found.append(Point(role, turn, call, counts[call]))
        return [p for p in found if p.call not in ("exit_group", "exit", "execveat")]


def errors_of(point):
    """What can go wrong there. Without its first memory the loader can but crash; that is not ours."""
    return () if (point.call, point.n) == ("mmap", 1) else ERRORS.get(point.call, ())


def kill_flags(point):
    return [f"--trace={point.call}", f"--inject={point.call}:signal=KILL:when={point.n}"]


def fail_flags(point, error):
    return [f"--trace={point.call}", f"--inject={point.call}:error={error}:when={point.n}"]


def hit(texts):
    return any("killed by SIGKILL" in t or "(INJECTED)" in t for t in texts.values())


def in_namespace(argv):
    """The command as the first process of a PID namespace: if it dies, all die at that moment."""
    own = [] if os.getuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *own, "--pid", "--fork", "--kill-child", "--mount-proc", *argv]


def namespaces_work():
    return Path("/proc/self/ns/pid").exists() and os.spawnvp(
        os.P_WAIT, "sh", ["sh", "-c", " ".join(in_namespace(["true"])) + " 2>/dev/null"]
    ) == 0
