# SPDX-License-Identifier: MIT
"""The suites: each makes a list of trials, and can play one of them.

A trial is a text, SUITE:SCENE:DURABILITY:..., that says all there is to say: scripts/crash --trial
plays it again.
"""

import shutil
from dataclasses import dataclass, field

import blow
import scene as stage
from blow import Point, Tracer

DURABILITIES = ("power", "process")


@dataclass
class Outcome:
    trial: str
    reached: bool  # was there a blow at all?
    wrong: list = field(default_factory=list)  # (lost | doubled | torn | stuck, what)
    log: str = ""


class Suite:
    """How trials of one kind are made and played. One object a process."""

    name = ""
    lax = False

    def __init__(self, place, expected):
        self.place = place
        self.expected = expected  # {scene: Expected}
        self.tracer = Tracer(place)

    def why_not(self):
        """Why it cannot run here, or None."""
        return None if shutil.which("strace") else "strace is not installed"

    def trials(self):
        for scene in stage.SCENES:
            for durability in DURABILITIES:
                for rest in self.points(scene, durability):
                    yield f"{self.name}:{scene}:{durability}:{rest}"

    def points(self, scene, durability):
        raise NotImplementedError

    def play(self, trial):
        _, name, durability, *rest = trial.split(":")
        scene, expected = stage.SCENES[name], self.expected[name]
        self.place.fresh(scene)
        outcome = Outcome(trial, True)
        outcome.wrong += self.strike(scene, durability, rest)
        outcome.wrong += stage.check_now(self.place, scene, expected, self.is_lax(rest))
        outcome.wrong += self.recover(scene, durability, expected, rest)
        if left := stage.reap_orphans():
            outcome.wrong.append(("stuck", f"{len(left)} processes"))
        outcome.reached = self.was_reached()
        outcome.wrong += stage.check_end(self.place, expected, self.is_lax(rest))
        outcome.wrong = list(dict.fromkeys(outcome.wrong))
        if outcome.wrong:
            outcome.log = self.place.log.read_text(errors="replace")
        return outcome

    def strike(self, scene, durability, rest):
        raise NotImplementedError

    def was_reached(self):
        return blow.hit(self.tracer.traced())

    def is_lax(self, _rest):
        return False

    def recover(self, scene, durability, expected, _rest):
        status = self.place.drain(scene, durability)
        return [] if status in (0, expected.status) else [("stuck", f"the drain ends with {status}")]


class KillTree(Suite):
    """The supervisor dies at a call, and everything else with it in the same moment."""

    name = "kill/tree"
    again = 0  # how often the next start is killed too

    def why_not(self):
        return super().why_not() or (
            None if blow.namespaces_work() else "no PID namespaces: not root, or forbidden"
        )

    def points(self, scene, durability):
        return self.tracer.points(stage.SCENES[scene], durability, "supervisor")

    def strike(self, scene, durability, rest):
        point = Point.parse("supervisor", rest[0])
        argv = self.tracer.command(scene, durability, "supervisor", 1, blow.kill_flags(point))
        self.status = self.place.run(blow.in_namespace(argv))
        return [("stuck", "does not end")] if self.status is None else []

    def was_reached(self):
        return self.status == -9


class KillAlone(Suite):
    """The supervisor dies at a call; the next one starts while its orphans still live."""

    name = "kill/alone"
    role = "supervisor"

    def points(self, scene, durability):
        return self.tracer.points(stage.SCENES[scene], durability, self.role)

    def strike(self, scene, durability, rest):
        point = Point.parse(self.role, rest[0])
        argv = self.tracer.command(
            scene, durability, self.role, point.turn, blow.kill_flags(point)
        )
        return [("stuck", "does not end")] if self.place.run(argv) is None else []


class KillRouter(KillAlone):
    """A router dies at a call; the supervisor lives."""

    name = "kill/router"
    role = "router"


class KillFilter(KillAlone):
    """A filter dies at a call."""

    name = "kill/filter"
    role = "filter"


class FailSupervisor(Suite):
    """A call of the supervisor fails once."""

    name = "fail/supervisor"
    role = "supervisor"

    def points(self, scene, durability):
        for point in self.tracer.points(stage.SCENES[scene], durability, self.role):
            for error in blow.ERRORS.get(point.call, ()):
                yield f"{point}:{error}"

    def strike(self, scene, durability, rest):
        point = Point.parse(self.role, rest[0])
        argv = self.tracer.command(
            scene, durability, self.role, point.turn, blow.fail_flags(point, rest[1])
        )
        return [("stuck", "does not end")] if self.place.run(argv) is None else []

    def is_lax(self, rest):
        """A name that is said to be taken gets a version, as it should."""
        return rest[1] == "EEXIST"

    def recover(self, scene, durability, expected, rest):
        blamed, wrong = stage.put_back_failed(self.place, expected)
        if rest[1] in blow.STORMS:
            wrong += [("stuck", f"{stage.shown(n)} failed for trouble of the system") for n in blamed]
        return wrong + super().recover(scene, durability, expected, rest)


class FailRouter(FailSupervisor):
    """A call of a router fails once."""

    name = "fail/router"
    role = "router"


class FailFilter(FailSupervisor):
    """A call of a filter fails once."""

    name = "fail/filter"
    role = "filter"


SUITES = {s.name: s for s in (KillTree, KillAlone, KillRouter, KillFilter,
                              FailSupervisor, FailRouter, FailFilter)}
