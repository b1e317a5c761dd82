# SPDX-License-Identifier: MIT
"""Disks that lose their power or their room: queues on small file systems of their own. Root only."""

import ctypes
import os
import shutil
import subprocess
import time
from pathlib import Path

import blow
import scene as stage
import shim
from suites import ShimSuite, Suite, unblame

IMAGE_MB = 8
LIVE_SECONDS = 0.3  # how long they live on after a cut
MOST_SECONDS, SECONDS_STEP = 400, 23  # of the second cut: calls, and every so many of them
HOLD_SECONDS = 3  # until a full disk is noticed
CLONE_NEWNS = 0x20000
LIBC = ctypes.CDLL(None, use_errno=True)


def root_only(*programs):
    if os.getuid() != 0:
        return "only root can mount"
    lacking = [p for p in programs if not shutil.which(p)]
    return f"{lacking[0]} is not installed" if lacking else None


def mount(*args):
    subprocess.run(["mount", *args], check=True)


def unmount(where):
    """Also when somebody whom we killed is still on his way out."""
    deadline = time.monotonic() + stage.END_SECONDS
    while LIBC.umount2(os.fsencode(where), 0) != 0:
        if time.monotonic() > deadline:
            raise OSError(ctypes.get_errno(), f"cannot be unmounted: {where}")
        time.sleep(0.005)


def own_mounts(place):
    """From now on what this process mounts is seen by itself and its children alone, and goes with
    it. A mount that another trial still saw would keep a dead file system alive."""
    if os.getuid() == 0 and LIBC.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    if os.getuid() == 0:
        mount("--make-rprivate", "/")
    where = place.path / "mnt"
    where.mkdir(exist_ok=True)
    place.queue = os.fsencode(where / "queue")
    return where


class PowerCut(ShimSuite):
    """At a call the disk stops; what was not synced is gone. The queue is on an ext4 of its own.

    log: with what its log held; nolog: without; live: without, and the processes live on for a while.
    """

    name = "power"
    what = shim.CUT
    hows = {"log": (1, False), "nolog": (2, False), "live": (2, True)}

    def __init__(self, place, expected):
        super().__init__(place, expected)
        self.mounted = own_mounts(place)
        self.image = place.path / "image"

    def why_not(self):
        why = root_only("mkfs.ext4") or super().why_not()
        if not why and not Path("/dev/loop-control").exists():
            why = "there are no loop devices"
        return why

    def trials(self, scenes):
        for name in scenes:
            self.begin(name)
            command = self.place.command(stage.SCENES[name], "power")
            calls = self.shim.count(command)
            unmount(self.mounted)
            for at in range(1, calls + 1):
                yield f"{self.name}:{name}:power:{at}:{list(self.hows)[at % 3]}"

    def begin(self, name):
        """Mount a copy of an image that holds the scene."""
        scene_image = self.place.path / f"image-{name}"
        if not scene_image.exists():
            self.make(scene_image, name)
        shutil.copyfile(scene_image, self.image)
        mount("-o", "loop", str(self.image), str(self.mounted))

    def make(self, image, name):
        with image.open("wb") as f:
            f.truncate(IMAGE_MB << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
        mount("-o", "loop", str(image), str(self.mounted))
        self.place.fresh(stage.SCENES[name])
        unmount(self.mounted)

    def play(self, trial):
        self.begin(trial.split(":")[1])
        try:
            return super().play(trial)
        finally:
            unmount(self.mounted)

    def prepare(self, scene):
        self.place.clear(scene)

    def strike(self, scene, durability, rest):
        return self.cut(scene, durability, int(rest[0]), *self.hows[rest[1]])

    def cut(self, scene, durability, at, how, lives):
        """Run until the power is cut, and mount what is left."""
        self.shim.arm(self.what, at, how, lives)
        argv = self.shim.command(self.place.command(scene, durability), True)
        status = self.place.run(argv, seconds=LIVE_SECONDS if lives else stage.PATIENCE)
        said = self.place.log.read_text(errors="replace")
        wrong = [("stuck", f"for the cut {line}") for line in said.splitlines()
                 if ": failed: " in line and ": failed: bad: " not in line]
        if status is None and not lives:
            wrong.append(("stuck", "does not end"))
        if self.shim.told()[1] < 0:
            wrong.append(("stuck", "the power cannot be cut here"))
        stage.reap_orphans()  # they still hold the dead file system
        unmount(self.mounted)
        mount("-o", "loop", str(self.image), str(self.mounted))
        return wrong


class PowerAgain(PowerCut):
    """The power is cut late in a run, and again in the start after it."""

    name = "power/again"

    def trials(self, scenes):
        for trial in super().trials(scenes):
            *begin, at, how = trial.split(":")
            for second in range(int(at) % SECONDS_STEP + 1, MOST_SECONDS, SECONDS_STEP):
                yield ":".join([*begin, at, how, str(second)])

    def strike(self, scene, durability, rest):
        wrong = super().strike(scene, durability, rest)
        return wrong + self.cut(scene, durability, int(rest[2]), *self.hows["log"])


class FullDisk(Suite):
    """The disk is full with so many blocks or inodes more; later there is room, or all are killed."""

    name = "full"
    most = {"blocks": 24, "inodes": 32}
    full = False

    def __init__(self, place, expected):
        super().__init__(place, expected)
        self.mounted = own_mounts(place)

    def why_not(self):
        return root_only("mount") or (
            None if blow.namespaces_work() else "no PID namespaces: forbidden here"
        )

    def points(self, _scene, _durability):
        for what, most in self.most.items():
            for room in range(most):
                yield f"{what}:{room}:{'kill' if room % 3 == 0 else 'wait'}"

    def play(self, trial):
        mount("-t", "tmpfs", "tagline-crash", str(self.mounted))
        try:
            return super().play(trial)
        finally:
            unmount(self.mounted)

    def resize(self, what, room):
        st = os.statvfs(self.mounted)
        blocks = st.f_blocks - st.f_bfree + (room if what == "blocks" else 4096)
        inodes = st.f_files - st.f_ffree + (room if what == "inodes" else 4096)
        size = blocks * st.f_frsize
        mount("-o", f"remount,size={size},nr_inodes={inodes}", str(self.mounted))

    def noticed(self, child):
        """It holds, or has ended."""
        deadline = time.monotonic() + HOLD_SECONDS
        while child.poll() is None and time.monotonic() < deadline:
            if b": hold: " in self.place.log.read_bytes():
                return True
            time.sleep(0.01)
        return child.returncode not in (None, 0, stage.EX_DATAERR)

    def strike(self, scene, durability, rest):
        self.resize(rest[0], int(rest[1]))
        argv = blow.in_namespace(self.place.command(scene, durability))
        with self.place.log.open("ab") as log:
            child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.full = self.noticed(child)
        if rest[2] == "kill" and child.poll() is None:
            child.kill()
        self.resize("", 0)
        try:
            child.wait(stage.PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            return [("stuck", "does not go on when there is room")]
        return []

    def was_reached(self):
        return self.full

    def recover(self, scene, durability, expected, rest):
        return unblame(self.place, expected, "ENOSPC") + super().recover(
            scene, durability, expected, rest
        )


class FewDescriptors(Suite):
    """The supervisor and all below it may have only so many descriptors."""

    name = "limit"
    seconds = 3

    def why_not(self):
        return None if blow.namespaces_work() else "no PID namespaces: not root, or forbidden"

    def points(self, _scene, _durability):
        yield from range(4, 44)

    def strike(self, scene, durability, rest):
        argv = ["prlimit", f"--nofile={rest[0]}", *self.place.command(scene, durability)]
        self.status = self.place.run(blow.in_namespace(argv), seconds=self.seconds)
        return []

    def was_reached(self):
        return self.status not in (0, stage.EX_DATAERR)

    def recover(self, scene, durability, expected, rest):
        return unblame(self.place, expected, "EMFILE") + super().recover(
            scene, durability, expected, rest
        )


