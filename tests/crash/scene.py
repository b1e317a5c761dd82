# SPDX-License-Identifier: MIT
"""What is done to a queue, and what must be true of it afterwards.

A scene is a flow and a few tiny inputs. A place is a folder in which one trial after the other plays
a scene. What an undisturbed run makes of a scene is what every other run must end with.
"""

import contextlib
import ctypes
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BIN = Path(os.environ.get("TL_BIN") or "build")
BIN = BIN if BIN.is_absolute() else ROOT / BIN

FOLDERS = (b"unprocessed", b"underprocess", b"processed", b"failed", b"output")
INPUTS = FOLDERS[:4]  # where an input may be
OPTIONS = ["--once", "-v", "--settle", "0", "--backoff", "10ms..50ms"]
PATIENCE = 90  # seconds; only what hangs takes so long
END_SECONDS = 10  # for the last orphan to end
EX_DATAERR = 65
BUGS = (signal.SIGILL, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGSEGV)
BUG = re.compile(
    rb".*(?:signal (?:%s)\b|AddressSanitizer|runtime error: ).*" % b"|".join(b"%d" % b for b in BUGS)
)
PR_SET_CHILD_SUBREAPER = 36

LINES = b"error: a disk\nwarn: hot\n> > quoted\n> error: once\nplain  Text\nwarn: again"


@dataclass(frozen=True)
class Scene:
    flow: str  # {dir}: the place
    inputs: dict = field(
        default_factory=lambda: {b"a": LINES + b"\n", b"-b\nc": LINES[::-1], b"empty": b""}
    )
    workers: int = 2
    options: tuple = ()  # of the supervisor
    taken: dict = field(default_factory=dict)  # results of somebody else that are there before


SCENES = {
    "one": Scene("start -> end : tl-upper\n", workers=1),
    "sinks": Scene(
        "start -> general error warn : tl-match error=^error warn=^warn\n"
        "error -> general : tl-prefix 'E '\n"
        "warn -> warnings : tl-prefix 'W '\n"
        "general -> end : tl-snake\n"
        "warnings => %f.warnings\n",
        taken={b"a": b"of somebody else\n"},
    ),
    "commands": Scene("start [stateless] -> sorted | sed s/o/0/g\nsorted -> end | sort\n"),
    "cycle": Scene(
        "start -> end quoted : tl-match quoted='^> ?'\nquoted -> start : tl-replace '^> ?' ''\n"
    ),
    "copies": Scene("start [jobs=3] -> end : tl-upper\n"),
    "saved": Scene(  # checkpoints wherever there can be one: in a cycle, and in what counts
        "set epoch 64K\n"
        "start -> new quoted : tl-match quoted='^> ?'\n"
        "quoted -> start : tl-replace '^> ?' ''\n"
        "new -> end total : tl-count -p -t total -k '^(....)'\n"
        "total => %f.total\n",
        inputs={b"a": LINES * 16000, b"empty": b"", b"small": LINES},
        options=("--checkpoint", "64K"),
    ),
    "fails": Scene(
        "start -> end | sh {dir}/picky {dir}/mark\n",
        inputs={b"a": LINES + b"\n", b"bad": b"good\nbad\n", b"again": b"again\n"},
    ),
}

# Refuses a file with a line "bad", and each file with a line "again" once.
PICKY = """
while IFS= read -r line; do
    case $line in
    bad) exit 65 ;;
    again) [ -e "$1" ] || { : >"$1"; exit 75; } ;;
    esac
    printf '%s\\n' "$line"
done
"""


def digest(data):
    return hashlib.sha256(data).hexdigest()[:16]


def reason(data):
    """What must be the same in a reason, whenever it was written; None if it is torn."""
    try:
        told = json.loads(data)
        return digest(repr([told[k] for k in ("name", "class", "status", "node")]).encode())
    except (ValueError, KeyError):
        return None


def seen(path, name, data):
    return reason(data) if path == b"failed" and is_reason(name) else digest(data)


def snapshot(queue, folders=FOLDERS):
    """{b"folder/name": digest} of every file."""
    found = {}
    for folder in folders:
        where = os.path.join(queue, folder)
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(where):
                with open(os.path.join(where, name), "rb") as f:
                    found[folder + b"/" + name] = seen(folder, name, f.read())
    return found


def unversioned(name):
    return re.sub(rb"(\.~\d+~)+(?=$|\.reason)", b"", name)


def is_reason(name):
    return unversioned(name).endswith(b".reason")


def adopt_orphans():
    """Whatever a trial leaves running becomes a child of ours."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def children():
    task = f"/proc/self/task/{os.getpid()}/children"
    return [int(pid) for pid in Path(task).read_text(encoding="ascii").split()]


def reap_orphans():
    """Wait for all that is left of a trial; the pids of what does not end, which is killed."""
    deadline = time.monotonic() + END_SECONDS
    left = []
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG if not left else 0)
        except ChildProcessError:
            return left
        if pid == 0 and time.monotonic() > deadline:
            left = children()
            for child in left:
                os.kill(child, signal.SIGKILL)
        elif pid == 0:
            time.sleep(0.002)


CARRIED = r"\1 [\2 env=LD_PRELOAD,CRASH_SHIM] ->"


class Place:
    """A folder for trials: the queue, the flow, what the supervisor said."""

    def __init__(self, path):
        self.path = Path(path)
        self.path.mkdir(parents=True, exist_ok=True)
        self.queue = os.fsencode(self.path / "queue")
        self.log = self.path / "log"
        self.bugs = []  # programs that died of what only a bug can be
        (self.path / "picky").write_text(PICKY, encoding="ascii")

    def fresh(self, scene):
        """The scene before it begins, and nothing of the last one."""
        shutil.rmtree(self.queue, ignore_errors=True)
        for folder, files in ((b"unprocessed", scene.inputs), (b"output", scene.taken)):
            os.makedirs(os.path.join(self.queue, folder))
            for name, data in files.items():
                with open(os.path.join(self.queue, folder, name), "wb") as f:
                    f.write(data)
        self.clear(scene)

    def clear(self, scene):
        """What lies beside the queue as it is before the scene begins."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path / "mark")
        self.log.write_bytes(b"")
        self.bugs = []
        flow = scene.flow.replace("{dir}", str(self.path))
        # Commands get a clean environment, and the library that deals blows must reach them.
        flow = re.sub(r"^(\w+)(?: \[([^]]*)\])? ->", CARRIED, flow, flags=re.M)
        (self.path / "flow").write_text(flow, encoding="ascii")

    def command(self, scene, durability, bin_=BIN, options=OPTIONS):
        options = [*options, *scene.options, "-j", str(scene.workers), "--durability", durability]
        return [f"{bin_}/tl-supervisor", *options, str(self.path / "flow"), self.queue]

    def run(self, argv, env=None, seconds=PATIENCE):
        """The exit status, negative for a signal; None if it had to be killed."""
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "LC_ALL": "C", **(env or {})},
            )
            try:
                status = child.wait(seconds)
                if -status in BUGS:
                    self.bugs.append(f"{os.fsdecode(argv[0])} died of signal {-status}")
                return status
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
                return None

    def drain(self, scene, durability, seconds=PATIENCE):
        """Run what is left to its end, undisturbed."""
        return self.run(self.command(scene, durability), seconds=seconds)


@dataclass(frozen=True)
class Expected:
    files: dict  # what a queue must hold in the end
    status: int  # of the supervisor that brings it there


def undisturbed(place, scene):
    place.fresh(scene)
    status = place.drain(scene, "process")
    files = snapshot(place.queue)
    if status not in (0, EX_DATAERR) or len(files) <= len(scene.inputs):
        raise RuntimeError(f"the undisturbed run ends with {status}: {place.log.read_text()}")
    return Expected(files, status)


def results_of(name, files):
    """Of an input: those among the results that are its own."""
    return [f for f in files if f == b"output/" + name or f.startswith(b"output/" + name + b".")]


def shown(name):
    return repr(name)[2:-1]


def check_now(place, scene, expected, lax):
    """Right after the blow, nobody at work: what must be true at any moment."""
    wrong = []
    found = snapshot(place.queue)
    known = {unversioned(k): v for k, v in expected.files.items()} if lax else expected.files
    for name, data in scene.inputs.items():
        there = [f for f in found if f.split(b"/", 1)[0] in INPUTS
                 and unversioned(f.split(b"/", 1)[1]) == name]
        if not there or any(found[f] != digest(data) for f in there):
            wrong.append(("lost", shown(name)))
        if len(there) > 1:
            wrong.append(("doubled", shown(name)))
        if any(f.startswith(b"processed/") for f in there):
            wrong += [("lost", shown(f)) for f in results_of(name, expected.files)
                      if f not in found and not lax]
    for path, hash_ in found.items():
        if path.startswith(b"output/") and not (lax and b".~" in path):
            if known.get(path) != hash_:
                wrong.append(("torn", shown(path)))
        if path.startswith(b"failed/") and hash_ is None:
            wrong.append(("torn", shown(path)))
    return wrong


def check_end(place, expected, lax):
    """After the drain: the same files with the same bytes as an undisturbed run leaves."""
    wrong = []
    found = snapshot(place.queue)
    if lax:
        want = Counter((unversioned(p), h) for p, h in expected.files.items())
        have = Counter((unversioned(p), h) for p, h in found.items())
        wrong += [("lost", shown(p)) for p, _ in want - have]
        wrong += [("doubled", shown(p)) for p, _ in have - want]
    else:
        want = expected.files
        wrong += [("lost", shown(p)) for p in want if p not in found]
        wrong += [("doubled", shown(p)) for p in found if p not in want]
        wrong += [("torn", shown(p)) for p in want if p in found and found[p] != want[p]]
    log = place.log.read_bytes()
    wrong += [("stuck", bug) for bug in place.bugs]
    wrong += [("stuck", bug.decode(errors="replace")) for bug in BUG.findall(log)]
    reported = Counter(re.findall(rb": done: (.*)", log))
    wrong += [("doubled", f"{name.decode(errors='replace')} was done, and done again")
              for name, times in reported.items() if times > 1]
    for folder in (".tagline/work", ".tagline/journal"):
        left = []
        with contextlib.suppress(FileNotFoundError):
            left = os.listdir(os.path.join(place.queue, os.fsencode(folder)))
        wrong += [("stuck", f"{folder}/{shown(name)}") for name in left]
    return wrong


def put_back_failed(place, expected):
    """What failed because of a blow goes back, as an operator would do it; (names, complaints)."""
    wrong, names = [], []
    found = snapshot(place.queue, (b"failed",))
    reasons = {unversioned(path): path for path in found if is_reason(path)}
    for path in found:
        name = unversioned(path[len(b"failed/"):])
        told = reasons.get(b"failed/" + name + b".reason")
        if is_reason(path) or (told and found[told] == expected.files.get(unversioned(told))):
            continue
        if not told:
            wrong.append(("lost", shown(path) + ".reason"))
        else:
            os.unlink(os.path.join(place.queue, told))
        names.append(name)
        os.rename(os.path.join(place.queue, path), os.path.join(place.queue, b"unprocessed", name))
    return names, wrong
