# SPDX-License-Identifier: MIT
"""One run of a command: its wall time, and CPU time and peak memory of its whole process tree.

Each run is watched by a process of its own that adopts orphans (PR_SET_CHILD_SUBREAPER), so that no
descendant escapes the account of CPU time (getrusage) or of memory (the sum of proportional set
sizes, looked at every few milliseconds), and none outlives the run.
Trust: the commands are the bench's own.
"""

import ctypes
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Callable, Optional, Union

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
TIME_LIMIT = 300.0  # seconds a run may take before it has failed
LOOK = 0.05  # seconds between two looks at memory; less in the beginning
libc = ctypes.CDLL(None, use_errno=True)


@dataclass
class Work:
    """What a run is. The clock starts at begin, and ends with the command or when done says so."""

    argv: list
    cwd: str
    stdin: Union[str, int, None] = None  # a path or a descriptor
    stdout: Union[str, int, None] = None
    env: Optional[dict] = None
    ready: Optional[Callable[[], bool]] = None  # a daemon: wait for this first,
    begin: Optional[Callable[[], object]] = None  # then do this,
    done: Optional[Callable[[], bool]] = None  # until this; then it is told to end
    report: Optional[Callable[[], dict]] = None  # more to say of the run, while it still lives
    limit: float = TIME_LIMIT


class RunFailed(Exception):
    """The run did not do its work; the text says why."""


class Differs(RunFailed):
    """It did other work: not the same bytes came out."""


def measure(work):
    """Run it; a dict of wall, cpu, peak (bytes), and what report said."""
    sys.stdout.flush()
    readable, writable = os.pipe()
    watcher = os.fork()
    if watcher == 0:
        os.close(readable)
        _watch_and_tell(work, writable)
    os.close(writable)
    try:
        with os.fdopen(readable, "rb") as pipe:
            said = pipe.read()
    except BaseException:
        os.kill(watcher, signal.SIGTERM)
        raise
    finally:
        os.waitpid(watcher, 0)
    answer = json.loads(said or b'{"error": "its watcher died"}')
    if "error" in answer:
        raise RunFailed(answer["error"])
    return answer


def _watch_and_tell(work, writable):
    """In the watcher: never returns, and leaves nothing behind."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        answer = _watch(work)
    except (RunFailed, OSError) as e:
        answer = {"error": str(e)}
    except BaseException as e:  # an interrupt, too, must end the tree
        answer = {"error": f"{type(e).__name__} {e}"}
    _end_tree()
    os.write(writable, json.dumps(answer).encode())
    os._exit(0)


def _watch(work):
    log = os.path.join(work.cwd, ".stderr")
    with open(os.devnull if work.stdin is None else work.stdin, "rb") as stdin, open(
        os.devnull if work.stdout is None else work.stdout, "wb"
    ) as stdout, open(log, "wb") as stderr:
        started = time.monotonic()
        child = subprocess.Popen(
            work.argv, cwd=work.cwd, env=work.env, stdin=stdin, stdout=stdout, stderr=stderr
        )
    memory = _Memory()
    exited = os.pidfd_open(child.pid)
    deadline = started + work.limit
    if work.ready:
        _until(work.ready, exited, memory, deadline)
        started = time.monotonic()
    if work.begin:
        work.begin()
        memory.look(memory.next)
    ended = _until(work.done, exited, memory, deadline)
    report = work.report() if work.report else {}
    if work.done:
        child.terminate()
    _finish(child, work, log)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "wall": ended - started,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": memory.peak,
        **report,
    }


def _until(condition, exited, memory, deadline):
    """Wait for the condition, or without one for the exit; the time at which it was so."""
    poll = select.poll()
    poll.register(exited, select.POLLIN)
    pause = 2
    while True:
        gone = bool(poll.poll(pause if condition else memory.wait_ms()))
        now = time.monotonic()
        if condition and condition():
            return now
        pause = max(2, (time.monotonic() - now) * 10 * 1000)  # looking must not cost much
        if gone and condition:
            raise RunFailed("it ended before its work was done")
        if gone:
            return now
        if now > deadline:
            raise RunFailed("not done in time")
        memory.look(now)


def _finish(child, work, log):
    """The command has ended, or was told to: wait for it and all it has left."""
    try:
        status = child.wait(timeout=20)
    except subprocess.TimeoutExpired as e:
        raise RunFailed("it did not end when told to") from e
    if status and not work.done:
        with open(log, "rb") as f:
            text = f.read().decode(errors="replace").strip().splitlines()
        raise RunFailed(f"exit status {status}: {text[-1] if text else 'no message'}")
    if work.done:
        _end_tree()
    deadline = time.monotonic() + 10
    while _reaped() is not None:
        if time.monotonic() > deadline:
            raise RunFailed("it left processes behind")
        time.sleep(0.002)


def _reaped():
    """Reap one orphan: its pid, 0 if all that are there live, None if there is none."""
    try:
        return os.waitpid(-1, os.WNOHANG)[0]
    except ChildProcessError:
        return None


def _end_tree():
    while True:
        for pid in descendants():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if _reaped() is None:
            return
        time.sleep(0.002)


def descendants():
    """Pids of all processes below this one."""
    found, look = [], [os.getpid()]
    while look:
        pid = look.pop()
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as f:
                    below = [int(n) for n in f.read().split()]
                found += below
                look += below
        except OSError:
            continue  # it has ended
    return found


class _Memory:
    """The peak, from looks that take no more than about a twentieth of the time."""

    def __init__(self):
        self.peak = 0
        self.next = time.monotonic()
        self.looks = 0

    def wait_ms(self):
        return max(0, (self.next - time.monotonic()) * 1000)

    def look(self, now):
        if now < self.next:
            return
        total = sum(_proportional(pid) for pid in descendants())
        self.peak = max(self.peak, total)
        self.looks += 1
        took = time.monotonic() - now
        self.next = now + max(20 * took, min(LOOK, 0.005 * self.looks))


def _proportional(pid):
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
            for line in f:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass  # it has ended
    return 0
