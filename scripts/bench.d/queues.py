# SPDX-License-Identifier: MIT
"""T3: many small files dropped in a folder. T7: does the cost of a unit stay the same?"""

import os
import socket

import daemons
from measure import Work
from programs import Case, Program
from streams import chain, megabytes, triage_programs

LINES = 50  # of a small file
FLOW = """\
start   -> general error end : tl-match 'error=ERROR| error' end=WARN
error   -> end               : tl-prefix 'ALERT '
general -> end               : tl-upper
"""
AWK = """\
index($0, "ERROR") || index($0, " error") { print "ALERT " $0; next }
index($0, "WARN") { print; next }
{ print toupper($0) }
"""
LOOP = """\
inotifywait -m -e close_write -e moved_to --format %f unprocessed |
    while IFS= read -r name; do
        mawk -f "$1" "unprocessed/$name" >"output/$name" && mv "unprocessed/$name" "processed/$name"
    done
"""
AT_ONCE_AWK = """\
FNR == 1 { if (out) close(out); out = "output/" substr(FILENAME, length("unprocessed/") + 1) }
index($0, "ERROR") || index($0, " error") { print "ALERT " $0 > out; next }
index($0, "WARN") { print > out; next }
{ print toupper($0) > out }
"""
AT_ONCE = """\
cd unprocessed && printf 'unprocessed/%s\\0' * >../.names && cd .. &&
    xargs -0 -n 5000 mawk -f "$1" <.names && mv unprocessed processed
"""


def _empty(folder):
    with os.scandir(folder) as entries:
        return next(entries, None) is None


def _results(names, below):
    return lambda folder: {name: [os.path.join(folder, below, name)] for name in names}


def _folders(folder, *names):
    for name in names:
        os.makedirs(os.path.join(folder, name))


def _drop(folder, names, into):
    """Move the files of the stage in, one by one, as a producer would."""

    def begin():
        for name in names:
            os.rename(os.path.join(folder, "stage", name), os.path.join(folder, into, name))

    return begin


def supervised(setting, flow, folder, durability, waiting):
    """A supervisor on a queue below the folder: with files waiting it ends when they are done,
    else it serves until the last that is dropped is done."""
    queue = os.path.join(folder, "queue")
    once = ["--once", "--settle", "0s"] if waiting else []
    argv = [setting.tool("tl-supervisor"), *once, "--durability", durability, flow, queue]
    if waiting:
        return Work(argv, folder)
    told, env = _notified()
    return Work(
        argv,
        folder,
        env=env,
        ready=lambda: _is_ready(told),
        done=lambda: all(_empty(os.path.join(queue, f)) for f in ("unprocessed", "underprocess")),
    )


def _notified():
    """A socket as service managers have one, and the environment that names it."""
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    told.bind("")  # a name that the kernel chooses
    return told, {**os.environ, "NOTIFY_SOCKET": "@" + told.getsockname()[1:].decode()}


def _is_ready(told):
    try:
        return b"READY=1" in told.recv(4096)
    except BlockingIOError:
        return False


def loop(setting, folder):
    """inotifywait, and for each file a mawk and a mv."""
    _folders(folder, "unprocessed", "output", "processed")
    awk = setting.text("t3.awk", AWK)

    def watching():
        with open(os.path.join(folder, ".stderr"), "rb") as f:
            return b"Watches established" in f.read()

    return Work(
        ["sh", "-c", LOOP, "sh", awk],
        folder,
        ready=watching,
        done=lambda: _empty(os.path.join(folder, "unprocessed")),
    )


def _tagline(setting, count, names, durability):
    flow = setting.text("t3.flow", FLOW)

    def work(folder):
        setting.files(os.path.join(folder, "stage"), count, LINES)
        run = supervised(setting, flow, folder, durability, False)
        run.begin = _drop(folder, names, "queue/unprocessed")
        return run

    name = "tagline" if durability == "process" else f"tagline, {durability}"
    return Program(name, work, _results(names, "queue/output"))


def _loop(setting, count, names):
    def work(folder):
        setting.files(os.path.join(folder, "stage"), count, LINES)
        run = loop(setting, folder)
        run.begin = _drop(folder, names, "unprocessed")
        return run

    return Program(
        "inotifywait, mawk loop", work, _results(names, "output"), needs=("inotifywait", "mawk")
    )


def _rsyslog(setting, count, names):
    """A result ends when its last line is there, which rsyslog does not tell: bytes do."""
    path = setting.daemon("rsyslogd")[0]
    expected = []

    def work(folder):
        _folders(folder, "unprocessed", "output")
        stage = os.path.join(folder, "stage")
        setting.files(stage, count, LINES)
        if not expected:
            expected.append(sum(_sizes(stage, names).values()))
        action = 'dynaFile="results" dynaFileCacheSize="1000"'
        actions = dict.fromkeys(daemons.SINKS, action)
        run = daemons.rsyslog_work(setting, folder, f"{folder}/unprocessed/*.log", actions)
        run.begin = _drop(folder, names, "unprocessed")
        run.limit = 30 + count / 100
        output = os.path.join(folder, "output")
        run.done = lambda: _all_there(output, count, expected[0])
        return run

    return Program("rsyslog", work, _results(names, "output"), needs=(path,), ordered=False)


def _sizes(folder, names):
    """Bytes of the result of each file."""
    sizes = {}
    for name in names:
        with open(os.path.join(folder, name), "rb") as f:
            text = f.read()
        errors = sum(b"ERROR" in line or b" error" in line for line in text.splitlines())
        sizes[name] = len(text) + errors * len("ALERT ")
    return sizes


def _all_there(output, count, expected):
    with os.scandir(output) as entries:
        sizes = [entry.stat().st_size for entry in entries]
    return len(sizes) == count and sum(sizes) >= expected


def _at_once(setting, count, names):
    awk = setting.text("t3-once.awk", AT_ONCE_AWK)

    def work(folder):
        _folders(folder, "output")
        setting.files(os.path.join(folder, "unprocessed"), count, LINES)
        return Work(["sh", "-c", AT_ONCE, "sh", awk], folder)

    return Program(
        "mawk, 5000 files a run", work, _results(names, "output"), needs=("mawk",), bound=True
    )


def _names(count):
    return [f"{n:06}.log" for n in range(count)]


def small_files(setting):
    """T3. The loop's watch overflows beyond some 16,000 files at once, silently."""
    count = setting.pick(20000, 1000, 10)
    names = _names(count)
    programs = [
        _tagline(setting, count, names, "process"),
        _loop(setting, count, names),
        _rsyslog(setting, count, names),
        _at_once(setting, count, names),
    ]
    yield Case("T3", f"{count} files of {LINES} lines, nothing synced", count, "files", programs)
    if not setting.quick and not setting.tiny:
        many = _names(100000)
        programs = [_tagline(setting, 100000, many, "process"), _at_once(setting, 100000, many)]
        title = f"100000 files of {LINES} lines, nothing synced"
        yield Case("T3", title, 100000, "files", programs)
    few = setting.pick(2000, 300, 10)
    names = _names(few)
    programs = [_tagline(setting, few, names, "power"), _loop(setting, few, names)]
    title = f"{few} files of {LINES} lines on a disk; tagline synced, the loop not"
    yield Case("T3", title, few, "files", programs, folder=setting.disk)


def _waiting(setting, count):
    """A queue in which the files wait already when the supervisor starts."""
    names = _names(count)
    flow = setting.text("t3.flow", FLOW)

    def work(folder):
        _folders(folder, "queue")
        setting.files(os.path.join(folder, "queue", "unprocessed"), count, LINES)
        return supervised(setting, flow, folder, "process", True)

    programs = [
        Program("tagline", work, _results(names, "queue/output")),
        _at_once(setting, count, names),
    ]
    return Case("T7", f"growth: {count} files waiting", count, "files", programs)


def growth(setting):
    """T7: MB/s, files/s and MB times nodes per second should not depend on the amount."""
    gib = 1 << 30
    sizes = setting.pick((gib >> 6, gib >> 4, gib >> 2, gib, gib << 2), (gib >> 6, gib >> 4), (4096,))
    for size in filter(setting.room, sizes):
        data = setting.data("log", size)
        programs = triage_programs(setting, data)[:2]
        title = f"growth: triage of {size / (1 << 20):.0f} MiB"
        yield Case("T7", title, megabytes(data), "MB", programs, lambda d=data: setting.forget(d))
    for count in setting.pick((1000, 10000, 100000), (500, 4000), (10,)):
        yield _waiting(setting, count)
    for nodes in setting.pick((10, 100, 1000), (10,), (3,)):
        bytes_ = setting.pick(6400 << 20, 80 << 20, 1 << 16) // nodes
        title = f"growth: a chain of {nodes} nodes, bytes times nodes as always"
        yield chain(setting, "T7", nodes, 200, bytes_, title=title, weight=nodes, unit="MB node")
