# SPDX-License-Identifier: MIT
"""Long runs: files keep coming while somebody of the family is killed, stopped or signalled at random
moments; in the end every line of the ledger must be accounted for."""

import contextlib
import os
import random
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import scene as stage
from suites import DURABILITIES, Outcome, Suite

LEAST_GAP = 0.1  # seconds between two blows
BATCH = 200  # at most so many files come at a time,
MOST_FILES = 30000  # or about so many over all: they and what becomes of them lie in memory
LARGE, LARGE_LINES = 400, 40000  # one of so many files has so many lines
OPTIONS = ["--settle", "100ms", "--backoff", "10ms..50ms", "--retries", "1000000"]
ODD = (b"f", b"-f ", b"f\n\t", b"%s$(f)", b"\xff\xfe", "f\u00e9".encode())
STOPPED = 0.3
AGAIN_SECONDS = 1800  # for a run over all files at the end
WITH_US = ("setpriv", "--pdeathsig", "TERM")  # should we be stopped, it ends too


def children_of(pid):
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        return [int(child) for child in text.split()]
    return []


def family(pid):
    """Of a supervisor: itself, its routers, their commands."""
    routers = children_of(pid)
    return [pid], routers, [child for router in routers for child in children_of(router)]


def send(pids, sig):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sig)


class Soak(Suite):
    """A supervisor under load, with a blow every 0.1 to 5 seconds."""

    name = "soak"
    seconds = 20
    gap = 5.0
    seed = 1
    scenes = ("one", "sinks", "commands", "cycle", "copies", "saved")

    def why_not(self):
        return None

    def trials(self, scenes):
        for scene in scenes:
            for durability in DURABILITIES:
                yield f"{self.name}:{scene}:{durability}:{self.seconds}:{self.gap}:{self.seed}"

    def play(self, trial):
        _, name, durability, seconds, gap, seed = trial.split(":")
        self.chance = random.Random(f"{name}{durability}{seed}")
        self.scene = replace(stage.SCENES[name], inputs={}, taken={})
        self.ledger = {}
        self.place.fresh(self.scene)
        outcome = Outcome(trial, 0)
        outcome.reached = self.batter(durability, float(seconds), float(gap))
        outcome.wrong += self.end(durability)
        outcome.log = self.place.log.read_text(errors="replace")[-4000:]
        outcome.files = len(self.ledger)
        return outcome

    def start(self, durability):
        argv = [*WITH_US, *self.place.command(self.scene, durability, options=OPTIONS)]
        with self.place.log.open("ab") as log:
            return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def batter(self, durability, seconds, gap):
        """The number of blows."""
        until = time.monotonic() + seconds
        self.batch = min(BATCH, int(MOST_FILES * (LEAST_GAP + gap) / seconds))
        blows = 0
        self.supervisor = self.start(durability)
        while time.monotonic() < until:
            self.drop()
            time.sleep(self.chance.uniform(min(LEAST_GAP, gap / 10), gap))
            blows += self.strike_one()
            self.reap()
            if self.supervisor.poll() is not None:
                self.supervisor = self.start(durability)
        return blows

    def reap(self):
        """The orphans that have ended; the supervisor is waited for by itself."""
        peek = os.WEXITED | os.WNOHANG | os.WNOWAIT
        with contextlib.suppress(ChildProcessError):
            while (one := os.waitid(os.P_ALL, 0, peek)) and one.si_pid != self.supervisor.pid:
                os.waitpid(one.si_pid, 0)

    def drop(self):
        """Some files more, each by a rename; the ledger knows them before."""
        incoming = os.path.join(self.place.queue, b"unprocessed")
        for _ in range(self.chance.randrange(self.batch)):
            name = self.chance.choice(ODD) + b"%d" % len(self.ledger)
            data = self.text()
            self.ledger[name] = stage.digest(data)
            with open(os.path.join(incoming, b".tmp"), "wb") as f:
                f.write(data)
            os.rename(os.path.join(incoming, b".tmp"), os.path.join(incoming, name))

    def text(self):
        lines = [b"%d " % len(self.ledger) + line for line in stage.LINES.split(b"\n")]
        large = self.chance.randrange(LARGE) == 0
        count = LARGE_LINES if large else self.chance.choice((0, 1, 9, 300))
        return b"\n".join(self.chance.choices([*lines, b"error: x", b"> y", b""], k=count))

    def strike_one(self):
        """Deal one blow; whether there was anybody to deal it to."""
        supervisor, routers, commands = family(self.supervisor.pid)
        how = self.chance.choice(("supervisor", "router", "command", "all", "stop", "hup", "term"))
        victims = {"router": routers, "command": commands, "stop": routers}.get(how, supervisor)
        if not victims:
            return False
        one = [self.chance.choice(victims)]
        if how == "all":
            send([*supervisor, *routers, *commands], signal.SIGKILL)
        elif how == "stop":
            send(one, signal.SIGSTOP)
            time.sleep(STOPPED)
            send(one, signal.SIGCONT)
        elif how == "hup":
            for _ in range(20):
                send(one, signal.SIGHUP)
        elif how == "term":
            send(one, signal.SIGTERM)
            time.sleep(self.chance.uniform(0, STOPPED))
            send(one, signal.SIGTERM)
        else:
            send(one, signal.SIGKILL)
        if how in ("supervisor", "all", "term"):
            self.supervisor.wait(stage.PATIENCE)
        return True

    def end(self, durability):
        """Let it end, and compare with a run over the same files that nobody disturbs."""
        wrong = []
        send([self.supervisor.pid], signal.SIGTERM)
        self.supervisor.wait(stage.PATIENCE)
        if (status := self.place.drain(self.scene, durability, AGAIN_SECONDS)) != 0:
            wrong.append(("stuck", f"the drain ends with {status}"))
        if left := stage.reap_orphans():
            wrong.append(("stuck", f"{len(left)} processes"))
        found = stage.snapshot(self.place.queue)
        for name, digest in self.ledger.items():
            if found.get(b"processed/" + name) != digest:
                wrong.append(("lost", stage.shown(b"processed/" + name)))
        return wrong + self.compare(found)

    def compare(self, found):
        again = stage.Place(self.place.path / "undisturbed")
        again.fresh(self.scene)
        processed = os.path.join(self.place.queue, b"processed")
        for name in os.listdir(processed):
            os.link(os.path.join(processed, name), os.path.join(again.queue, b"unprocessed", name))
        if again.drain(self.scene, "process", AGAIN_SECONDS) != 0:
            raise RuntimeError(f"the undisturbed run fails: {again.log.read_text()[-4000:]}")
        return stage.check_end(self.place, stage.Expected(stage.snapshot(again.queue), 0), False)
