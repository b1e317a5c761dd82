# SPDX-License-Identifier: MIT
"""T4: how long one line, or one small file, takes when nothing else is to be done."""

import ctypes
import os
import select
import struct
import time

from measure import RunFailed, Work, libc
from programs import Case, Program
from queues import FLOW, loop, supervised

PAUSE = 0.004  # seconds between two; the system is idle then
IN_CLOSE_WRITE, IN_MOVED_TO = 0x8, 0x80
IN_CLOEXEC = 0o2000000
LINE = b"2026-11-24T03:30:19.104Z web-01 app[4711]: INFO request completed with 200 in 14 ms\n"


def _wait(fd, seconds):
    if not select.select([fd], [], [], seconds)[0]:
        raise RunFailed(f"no answer within {seconds} s")


class _Rounds:
    """Latencies of one run, in ms: collected in begin, told by report."""

    def __init__(self, count, once):
        self.ms = []
        self.count = count
        self.once = once

    def begin(self):
        for n in range(-self.count // 10, self.count):
            time.sleep(PAUSE)
            took = self.once(n + self.count)
            if n >= 0:
                self.ms.append(took * 1e3)

    def report(self):
        return {"latencies": self.ms}


def _line(argv):
    """A program between two pipes; one line in, wait for the line out."""

    def once(to, back):
        started = time.perf_counter()
        os.write(to, LINE)
        got = b""
        while not got.endswith(b"\n"):
            _wait(back, 10)
            got += os.read(back, 65536)
        took = time.perf_counter() - started
        if got != LINE.upper():
            raise RunFailed("another line came out")
        return took

    def work(rounds, opened):
        def make(folder):
            stdin, to = os.pipe()
            back, stdout = os.pipe()
            opened[:] = [stdin, to, back, stdout]
            run = _Rounds(rounds, lambda _: once(to, back))
            return Work(
                argv, folder, stdin=stdin, stdout=stdout, begin=run.begin,
                done=lambda: True, report=run.report,
            )  # fmt: skip

        return make

    return work


def _line_program(name, argv, rounds, **how):
    opened = []

    def results(_):
        while opened:
            os.close(opened.pop())
        return {}

    return Program(name, _line(argv)(rounds, opened), results, **how)


class _Watch:
    """inotify on the folder of results."""

    def __init__(self, folder):
        self.fd = libc.inotify_init1(IN_CLOEXEC)
        path = ctypes.c_char_p(os.fsencode(folder))
        if self.fd < 0 or libc.inotify_add_watch(self.fd, path, IN_CLOSE_WRITE | IN_MOVED_TO) < 0:
            raise RunFailed("inotify: " + os.strerror(ctypes.get_errno()))

    def wait_for(self, name):
        while True:
            _wait(self.fd, 10)
            data = os.read(self.fd, 65536)
            while data:
                length = struct.unpack_from("iIII", data)[3]
                if data[16 : 16 + length].rstrip(b"\0") == name:
                    return
                data = data[16 + length :]


def _file_once(unprocessed, output):
    watch = []

    def once(n):
        if not watch:
            watch.append(_Watch(output))
        name = f"{n:06}.log"
        fd = os.open(os.path.join(unprocessed, name), os.O_WRONLY | os.O_CREAT, 0o666)
        os.write(fd, LINE * 50)
        started = time.perf_counter()
        os.close(fd)
        watch[0].wait_for(name.encode())
        took = time.perf_counter() - started
        with open(os.path.join(output, name), "rb") as f:
            if f.read() != LINE.upper() * 50:
                raise RunFailed("another result came out")
        return took

    return once


def _file_program(name, start, unprocessed, output, rounds, **how):
    def work(folder):
        run = start(folder)
        once = _file_once(os.path.join(folder, unprocessed), os.path.join(folder, output))
        measured = _Rounds(rounds, once)
        run.begin, run.report, run.done = measured.begin, measured.report, lambda: True
        return run

    return Program(name, work, lambda _: {}, **how)


def latencies(setting):
    """T4. What comes out is looked at in each round."""
    rounds = setting.pick(2000, 300, 5)
    up = setting.text("t4.flow", "start -> end : tl-upper\n")
    mawk = ["mawk", "-W", "interactive", "{ print toupper($0); fflush() }"]
    programs = [
        _line_program("tagline", [setting.tool("tl-router"), up], rounds),
        _line_program("mawk alone", mawk, rounds, needs=("mawk",), bound=True),
    ]
    yield Case("T4", f"one line in, one out, {rounds} times a run", rounds, "ms", programs)
    flow = setting.text("t3.flow", FLOW)
    programs = [
        _file_program(
            "tagline",
            lambda folder: supervised(setting, flow, folder, "process", False),
            "queue/unprocessed", "queue/output", rounds,
        ),
        _file_program(
            "inotifywait, mawk loop", lambda folder: loop(setting, folder),
            "unprocessed", "output", rounds, needs=("inotifywait", "mawk"),
        ),
    ]  # fmt: skip
    title = f"one file of 50 lines, from close to result, {rounds} times a run"
    yield Case("T4", title, rounds, "ms", programs)
