# SPDX-License-Identifier: MIT
"""The suites: each makes a list of trials, and can play one of them.

A trial is a text, SUITE:SCENE:DURABILITY:..., that says all there is to say: scripts/crash --trial
plays it again.
"""

import shutil
from dataclasses import dataclass, field

import blow
import scene as stage
import shim
from blow import Point, Tracer

DURABILITIES = ("power", "process")


@dataclass
class Outcome:
    trial: str
    reached: int  # how many blows there were
    files: int = 0  # of a soak
    wrong: list = field(default_factory=list)  # (lost | doubled | torn | stuck, what)
    log: str = ""
    met: str = ""  # the call that was hit, where the trial does not say


class Suite:
    """How trials of one kind are made and played. One object a process."""

    name = ""
    scenes = tuple(stage.SCENES)

    def __init__(self, place, expected):
        self.place = place
        self.expected = expected  # {scene: Expected}
        self.tracer = Tracer(place)

    def why_not(self):
        """Why it cannot run here, or None."""
        return None if shutil.which("strace") else "strace is not installed"

    def trials(self, scenes):
        for scene in scenes:
            for durability in DURABILITIES:
                for rest in self.points(scene, durability):
                    yield f"{self.name}:{scene}:{durability}:{rest}"

    def points(self, scene, durability):
        raise NotImplementedError

    def play(self, trial):
        _, name, durability, *rest = trial.split(":")
        scene, expected = stage.SCENES[name], self.expected[name]
        self.prepare(scene)
        outcome = Outcome(trial, 1)
        outcome.wrong += self.strike(scene, durability, rest)
        outcome.wrong += stage.check_now(self.place, scene, expected, self.is_lax(rest))
        outcome.wrong += self.recover(scene, durability, expected, rest)
        if left := stage.reap_orphans():
            outcome.wrong.append(("stuck", f"{len(left)} processes"))
        outcome.reached = self.was_reached()
        outcome.wrong += stage.check_end(self.place, expected, self.is_lax(rest))
        outcome.wrong = list(dict.fromkeys(outcome.wrong))
        outcome.met = self.met()
        if outcome.wrong:
            outcome.log = self.place.log.read_text(errors="replace")
        return outcome

    def prepare(self, scene):
        self.place.fresh(scene)

    def strike(self, scene, durability, rest):
        raise NotImplementedError

    def was_reached(self):
        return blow.hit(self.tracer.traced())

    def met(self):
        return ""

    def is_lax(self, _rest):
        return False

    def recover(self, scene, durability, expected, _rest):
        status = self.place.drain(scene, durability)
        return [] if status in (0, expected.status) else [("stuck", f"the drain ends with {status}")]


class KillTree(Suite):
    """The supervisor dies at a call, and everything else with it in the same moment."""

    name = "kill/tree"
    status = None

    def why_not(self):
        return super().why_not() or (
            None if blow.namespaces_work() else "no PID namespaces: not root, or forbidden"
        )

    def points(self, scene, durability):
        return self.tracer.points(stage.SCENES[scene], durability, "supervisor")

    def strike(self, scene, durability, rest):
        return self.kill(scene, durability, rest[0])

    def kill(self, scene, durability, text):
        point = Point.parse("supervisor", text)
        argv = self.tracer.command(scene, durability, "supervisor", 1, blow.kill_flags(point))
        self.status = self.place.run(blow.in_namespace(argv))
        return [("stuck", "does not end")] if self.status is None else []

    def was_reached(self):
        return self.status in (-9, 1)  # unshare cannot kill itself, and says 1; no program of ours does


class KillAgain(KillTree):
    """All die in the middle of a commit, and the next start is killed at each of its calls."""

    name = "kill/again"

    def points(self, scene, durability):
        inputs = len(stage.SCENES[scene].inputs)
        renames = [p for p in super().points(scene, durability) if p.call == "renameat2"]
        for first in (renames[inputs], renames[inputs + 1], renames[-1]):
            self.place.fresh(stage.SCENES[scene])
            self.kill(stage.SCENES[scene], durability, str(first))
            for second in self.tracer.points_now(stage.SCENES[scene], durability, "supervisor"):
                yield from self.seconds(first, second)

    def seconds(self, first, second):
        yield f"{first}:{second}"

    def strike(self, scene, durability, rest):
        wrong = self.kill(scene, durability, rest[0])
        if self.was_reached():
            wrong += self.kill(scene, durability, rest[1])
        return wrong


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


def unblame(place, expected, error):
    """Put back what failed for it; trouble of the whole system must not be blamed on a file."""
    blamed, wrong = stage.put_back_failed(place, expected)
    if error in blow.STORMS:
        wrong += [("stuck", f"{stage.shown(name)} failed for {error}") for name in blamed]
    return wrong


class FailSupervisor(Suite):
    """A call of the supervisor fails once."""

    name = "fail/supervisor"
    role = "supervisor"

    def points(self, scene, durability):
        for point in self.tracer.points(stage.SCENES[scene], durability, self.role):
            for error in blow.errors_of(point):
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
        wrong = unblame(self.place, expected, rest[1])
        return wrong + super().recover(scene, durability, expected, rest)


class FailAgain(KillAgain):
    """All die in the middle of a commit, and at the next start a call fails."""

    name = "fail/again"

    def seconds(self, first, second):
        for error in blow.errors_of(second):
            yield f"{first}:{second}:{error}"

    def strike(self, scene, durability, rest):
        wrong = self.kill(scene, durability, rest[0])
        point = Point.parse("supervisor", rest[1])
        flags = blow.fail_flags(point, rest[2])
        argv = self.tracer.command(scene, durability, "supervisor", 1, flags)
        return wrong + ([("stuck", "does not end")] if self.place.run(argv) is None else [])

    def was_reached(self):
        return blow.hit(self.tracer.traced())

    def is_lax(self, rest):
        return rest[2] == "EEXIST"

    def recover(self, scene, durability, expected, rest):
        wrong = unblame(self.place, expected, rest[2])
        return wrong + super().recover(scene, durability, expected, rest)


class FailRouter(FailSupervisor):
    """A call of a router fails once."""

    name = "fail/router"
    role = "router"


class FailFilter(FailSupervisor):
    """A call of a filter fails once."""

    name = "fail/filter"
    role = "filter"


class ShimSuite(Suite):
    """Blows at the Nth call of all processes together."""

    what = shim.KILL
    errors = (0,)

    def __init__(self, place, expected):
        super().__init__(place, expected)
        self.shim = shim.Shim(place)

    def why_not(self):
        if not shutil.which("cc"):
            return "there is no C compiler"
        return None if blow.namespaces_work() else "no PID namespaces: not root, or forbidden"

    def points(self, scene, durability):
        self.place.fresh(stage.SCENES[scene])
        calls = self.shim.count(self.place.command(stage.SCENES[scene], durability))
        for at in range(1, calls + 1):
            for which in self.errors:
                yield f"{at}:{which}"

    def strike(self, scene, durability, rest):
        self.shim.arm(self.what, int(rest[0]), int(rest[1]))
        argv = self.shim.command(self.place.command(scene, durability), True)
        return [("stuck", "does not end")] if self.place.run(argv) is None else []

    def was_reached(self):
        return self.shim.told()[1] == 1

    def met(self):
        return self.shim.told()[2]


class ShimKill(ShimSuite):
    """All die at a call, whoever makes it."""

    name = "shim/kill"


class ShimFail(ShimSuite):
    """A call fails, whoever makes it; close fails after it has closed."""

    name = "shim/fail"
    what = shim.FAIL
    errors = (0, 1)

    def recover(self, scene, durability, expected, rest):
        wrong = unblame(self.place, expected, None)
        return wrong + super().recover(scene, durability, expected, rest)


class ShimHalf(ShimSuite):
    """A write or read does half of what it was asked for."""

    name = "shim/half"
    what = shim.HALF


class ShimMany(ShimFail):
    """One call of so many fails, by chance, as long as it runs; then nothing fails any more."""

    name = "shim/many"
    what = shim.MANY
    rates = (100, 200, 400)
    seconds = 8

    def points(self, _scene, _durability):
        for seed in range(60):
            for rate in self.rates:
                yield f"{rate}:{seed}"

    def strike(self, scene, durability, rest):
        self.shim.arm(self.what, int(rest[0]), int(rest[1]))
        argv = self.shim.command(self.place.command(scene, durability), True)
        self.place.run(argv, seconds=self.seconds)
        return []

    def recover(self, scene, durability, expected, rest):
        self.place.drain(scene, durability)  # may fail a file whose last run was cut short by us
        return super().recover(scene, durability, expected, rest)
