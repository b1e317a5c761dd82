# SPDX-License-Identifier: MIT
"""What one call of the bench works with: sizes, folders, generated data, helper programs."""

import glob
import os
import re
import subprocess
import sys

MIB = 1 << 20


def size(text):
    """Bytes of a size like 64M; 0 if it is none."""
    match = re.fullmatch(r"([0-9]+)([KMGT]?)", text)
    return int(match[1]) << " KMGT".index(match[2] or " ") * 10 if match else 0


class Setting:
    """Folders: dir (memory, as a rule) and disk are ours and empty. binaries: where tagline is."""

    def __init__(self, given, root, binaries, memory, disk):
        self.root, self.binaries, self.dir, self.disk = root, binaries, memory, disk
        self.quick = "quick" in given
        self.tiny = "self-test" in given
        self.size = given.get("size", self.pick(1024 * MIB, 32 * MIB, MIB // 4))
        self.runs = given.get("runs", self.pick(5, 3, 1))
        self.seed = given.get("seed", 1)
        self.sources = os.path.join(root, "scripts", "bench.d")
        self._made = {}
        os.environ["PATH"] = binaries + ":" + os.environ.get("PATH", "/usr/bin:/bin")

    def pick(self, full, quick, tiny):
        """One of three, by how much is asked for."""
        return tiny if self.tiny else quick if self.quick else full

    def tool(self, name):
        """Path of one of tagline's programs."""
        return os.path.join(self.binaries, name)

    def helper(self, name):
        """Path of a program of bench.d, built at first use."""
        path = os.path.join(self.dir, "bin-" + name)
        if not os.path.exists(path):
            compiler = os.environ.get("CC", "cc")
            flags = ["-std=c11", "-D_GNU_SOURCE", "-O3", "-I" + os.path.join(self.root, "lib")]
            source = os.path.join(self.sources, name + ".c")
            library = os.path.join(self.binaries, "libtagline.a")
            # A compiler that is interrupted leaves files where TMPDIR is.
            env = {**os.environ, "TMPDIR": self.dir}
            subprocess.run([compiler, *flags, "-o", path, source, library], env=env, check=True)
        return path

    def text(self, name, content):
        """Path of a file that holds the content: a flow, a script, a configuration."""
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(content)
        return path

    def room(self, bytes_):
        """Is there room for so much data, the results kept, those compared, and parts of them?"""
        there = os.statvfs(self.dir)
        if there.f_bavail * there.f_frsize >= 4 * bytes_:
            return True
        print(f"bench: {self.dir}: no room for {bytes_} bytes four times", file=sys.stderr)
        return False

    def data(self, what, *numbers):
        """Path of generated data; the same of before if it was asked for before."""
        path = os.path.join(self.dir, "-".join(["data", what, *map(str, numbers)]))
        if not os.path.exists(path):
            if not self.room(numbers[0]):
                sys.exit(73)
            argv = [self.helper("generate"), what, str(self.seed), *map(str, numbers)]
            with open(path, "wb") as f:
                subprocess.run(argv, stdout=f, check=True)
        return path

    def forget(self, path):
        """Remove data that is not needed again."""
        if os.path.exists(path):
            os.unlink(path)

    def files(self, folder, count, lines):
        """Make small files in a new folder; their names in order."""
        os.mkdir(folder)
        argv = [self.helper("generate"), "files", str(self.seed), str(count), str(lines)]
        subprocess.run(argv, cwd=folder, check=True)
        return sorted(os.listdir(folder))

    def daemon(self, name):
        """Path of a daemon that is installed, or that scripts/setup --bench has unpacked, and the
        environment in which it runs; the name alone if it is neither."""
        for folder in (*os.environ["PATH"].split(":"), "/usr/sbin", "/sbin"):
            if os.access(os.path.join(folder, name), os.X_OK):
                return os.path.join(folder, name), dict(os.environ), ""
        peers = os.path.join(self.root, "build", "peers")
        path = os.path.join(peers, "usr", "sbin", name)
        if not os.access(path, os.X_OK):
            return name, dict(os.environ), ""
        libraries = glob.glob(peers + "/usr/lib/*-linux-*") + glob.glob(peers + "/usr/lib/syslog-ng")
        return path, {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)}, peers
