# SPDX-License-Identifier: MIT
"""Blows that are counted over all processes together, by a library that is loaded into each."""

import mmap
import os
import shutil
import struct
import subprocess
from pathlib import Path

from blow import in_namespace

COUNT, KILL, FAIL, HALF, CUT, MANY = range(6)
LAYOUT = struct.Struct("=qqiiii256s64s")  # struct control of shim.c
SOURCE = Path(__file__).resolve().parent / "shim.c"

# The first process of the namespace does not carry the library: when all others are dead, it ends.
INIT = 'LD_PRELOAD="$1" CRASH_SHIM="$2"; export LD_PRELOAD CRASH_SHIM; shift 2; "$@" & wait $!'


def build(folder):
    """Compile the library; why that cannot be done, or None."""
    if not shutil.which("cc"):
        return "there is no C compiler"
    argv = ["cc", "-std=c11", "-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64", "-Wall", "-Wextra", "-O2"]
    argv += ["-shared", "-fPIC", "-o", str(folder / "shim.so"), str(SOURCE)]
    subprocess.run(argv, env={**os.environ, "TMPDIR": str(folder)}, check=True)
    return None


class Shim:
    """The library and its control file, in a place."""

    def __init__(self, place):
        self.place = place
        self.library = place.path / "shim.so"
        self.path = place.path / "control"
        self.control = None

    def ready(self):
        if self.control:
            return
        why = build(self.place.path)
        if why:
            raise RuntimeError(why)
        self.path.write_bytes(bytes(LAYOUT.size))
        with self.path.open("r+b") as f:
            self.control = mmap.mmap(f.fileno(), LAYOUT.size)

    def arm(self, what=COUNT, at=0, which=0, lives=False):
        self.ready()
        LAYOUT.pack_into(self.control, 0, 0, at, what, which, 0, lives, self.place.queue, b"")

    def told(self):
        """How many calls there were, whether there was a blow (-1: it failed), and whom it met."""
        count, _, _, _, fired, _, _, struck = LAYOUT.unpack_from(self.control)
        return count, fired, struck.rstrip(b"\0").decode()

    def command(self, argv, namespace):
        carried = [str(self.library), str(self.path), *argv]
        if namespace:
            return in_namespace(["sh", "-c", INIT, "sh", *carried])
        return ["env", f"LD_PRELOAD={carried[0]}", f"CRASH_SHIM={carried[1]}", *argv]

    def count(self, argv):
        self.arm()
        self.place.run(self.command(argv, False))
        return self.told()[0]
