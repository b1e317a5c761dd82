#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compare tl-router with the reference (oracle_model.py) on random flows and inputs, byte for byte.

    tests/oracle.py [--seed N] [--count K] [--case I] [--epoch BYTES]

Case I of seed N is the same on every machine. Where the two differ, a folder with the smallest
example found is left behind and named. TL_BIN: the folder with the programs (default: build).
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from oracle_flows import flow_text, random_flow, random_input, settings, sink_file
from oracle_model import Endless, Plan, TooMuch, depth_first, meaning

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(os.environ.get("TL_BIN", "build"))
BIN = BIN if BIN.is_absolute() else ROOT / BIN
NAMES = ["in put", "%f", "caf\u00e9"]
PATIENCE = 120  # seconds; only a router that hangs takes so long
EX_DATAERR = 65


@dataclass
class Case:
    flow: object
    text: str
    inputs: list
    sizes: dict  # what the environment says of pipes and shared memory
    mode: str  # files, stdout, stdin
    disturb: bool  # stop and continue the filters at random

    def expected(self):
        """Of each input the lines of each sink, or None where it is endless."""
        plan = Plan(self.flow)
        return [self.result(plan, data) for data in self.inputs]

    @staticmethod
    def result(plan, data):
        try:
            return meaning(plan, data)
        except Endless:
            return None


# ---- cases ----


def check_reference(case, expected):
    """In line order the cuts must not show, and following each line to its end gives the same."""
    plan = Plan(case.flow)
    if not plan.provable or any(n.op.fickle for n in case.flow.nodes):
        return
    for data, sinks in zip(case.inputs, expected):
        if sinks is None:
            continue
        if depth_first(plan, data) != sinks:
            raise AssertionError("the reference contradicts itself (depth first)")
        epoch, case.flow.epoch = case.flow.epoch, 3
        try:
            if case.result(plan, data) not in (sinks, None):
                raise AssertionError("the reference contradicts itself (epochs)")
        finally:
            case.flow.epoch = epoch


def attempt(r, epoch):
    small = r.random() < 0.7
    flow = random_flow(r, small)
    settings(r, flow, epoch)
    flow.max_rounds = r.choice([1000] * 6 + [2, 30])
    inputs = [random_input(r, small) for _ in range(r.randint(1, 3))]
    if any(node.op.text_only for node in flow.nodes):
        inputs = [data.replace(b"\0", b"0") for data in inputs]
    mode = "files"
    if flow.sinks == ["end"]:
        mode = r.choice(["files", "stdout", "stdin"])
    if mode == "stdin":
        del inputs[1:]
    sizes = {"TAGLINE_PIPE_SIZE": r.choice(["", "4096", "1048576"]),
             "TAGLINE_SHARE": r.choice(["", "", "0", "16K", "64K"])}
    sizes = {name: value for name, value in sizes.items() if value}
    case = Case(flow, flow_text(flow, r), inputs, sizes, mode, r.random() < 0.05)
    return case, case.expected()


def make_case(seed, number, epoch):
    """A case and what it must give. Few endless ones are kept, and then alone."""
    r = random.Random(f"{seed}/{number}")
    while True:
        try:
            case, expected = attempt(r, epoch)
        except (TooMuch, RecursionError):
            continue
        endless = [i for i, sinks in enumerate(expected) if sinks is None]
        if endless and r.random() > 0.1:
            continue
        if endless:
            case.inputs, expected = [case.inputs[endless[0]]], [None]
        check_reference(case, expected)
        return case, expected


# ---- running ----


def children(pid):
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def stop_at_random(router, seed):
    """Stop and continue the router's filters until it has ended."""
    r = random.Random(seed)
    while router.poll() is None:
        held = []
        for pid in children(router.pid):
            try:
                held.append(os.pidfd_open(pid))
                signal.pidfd_send_signal(held[-1], signal.SIGSTOP)
            except OSError:
                continue  # it has ended
            if r.random() < 0.5:
                break
        time.sleep(r.random() * 0.01)
        for fd in held:
            try:
                signal.pidfd_send_signal(fd, signal.SIGCONT)
            except ProcessLookupError:
                pass  # it has ended
            os.close(fd)
        time.sleep(r.random() * 0.002)


def write_case(case, folder):
    (folder / "out").mkdir(parents=True)
    (folder / "flow").write_text(case.text)
    for name, data in zip(NAMES, case.inputs):
        (folder / name).write_bytes(data)


def command(case):
    words = ["tl-router"] + (["-o", "out"] if case.mode == "files" else []) + ["flow"]
    return words + (["./" + n for n in NAMES[:len(case.inputs)]] if case.mode != "stdin" else [])


def environment(case):
    env = dict(os.environ, PATH=f"{BIN}:{os.environ['PATH']}", LC_ALL="C")
    for name in ("TAGLINE_PIPE_SIZE", "TAGLINE_SHARE"):
        env.pop(name, None)
    env.update(case.sizes)
    return env


def run(case, folder):
    """Exit status (None: it hung), standard output, standard error."""
    stdin = open(folder / NAMES[0], "rb") if case.mode == "stdin" else subprocess.DEVNULL
    with subprocess.Popen(command(case), cwd=folder, env=environment(case), stdin=stdin,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as router:
        if case.disturb:
            threading.Thread(target=stop_at_random, args=(router, case.text), daemon=True).start()
        try:
            out, err = router.communicate(timeout=PATIENCE)
            return router.returncode, out, err
        except subprocess.TimeoutExpired:
            router.terminate()
            try:
                router.wait(10)
            except subprocess.TimeoutExpired:
                router.kill()
            return None, b"", b""
        finally:
            if case.mode == "stdin":
                stdin.close()


def joined(lines):
    return b"".join(line + b"\n" for line in lines)


def wanted_files(case, expected):
    return {sink_file(tag, name): joined(lines)
            for name, sinks in zip(NAMES, expected) if sinks
            for tag, lines in sinks.items() if tag not in case.flow.discarded}


def difference(case, expected, folder):
    """What is wrong in one line, or None."""
    status, out, err = run(case, folder)
    if status is None:
        return f"hangs: no end after {PATIENCE} s"
    if None in expected:
        if status != EX_DATAERR or b"max-rounds" not in err:
            return f"is endless, but exit status {status}: {err.decode(errors='replace')}"
        expected = []
    elif status != 0 or err:
        return f"exit status {status}: {err.decode(errors='replace')}"
    got = {p.name: p.read_bytes() for p in (folder / "out").iterdir()}
    if case.mode != "files":
        want = b"".join(joined(sinks["end"]) for sinks in expected)
        return "standard output differs" if expected and out != want else None
    want = wanted_files(case, expected)
    if set(got) != set(want):
        return f"files are {sorted(got)}, not {sorted(want)}"
    wrong = [name for name in want if want[name] != got[name]]
    return f"differs: {' '.join(wrong)}" if wrong else None


def fails(case):
    """The difference that a case shows in a fresh folder, or None."""
    try:
        expected = case.expected()
    except (TooMuch, RecursionError):
        return None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "case"
        write_case(case, folder)
        return difference(case, expected, folder)


# ---- a smaller example ----


def with_inputs(case, inputs):
    return Case(case.flow, case.text, inputs, case.sizes, case.mode, case.disturb)


def shrink(case, deadline):
    """Fewer inputs and fewer lines, as long as it fails and there is time."""
    for data in case.inputs:
        if len(case.inputs) > 1 and fails(with_inputs(case, [data])):
            case = with_inputs(case, [data])
    if len(case.inputs) > 1:
        return case
    lines = case.inputs[0].splitlines(keepends=True) if b"\r" not in case.inputs[0] else \
        [t + b"\n" for t in case.inputs[0].split(b"\n")]
    size = max(1, len(lines) // 2)
    while time.monotonic() < deadline:
        for at in range(0, len(lines), size):
            less = lines[:at] + lines[at + size:]
            if fails(with_inputs(case, [b"".join(less)])):
                lines = less
                case = with_inputs(case, [b"".join(lines)])
                break
            if time.monotonic() > deadline:
                break
        else:
            if size == 1:
                break
            size //= 2
    return case


def leave_example(case, seed, number):
    folder = Path(tempfile.mkdtemp(prefix=f"tagline-oracle-{seed}-{number}-"))
    write_case(case, folder / "case")
    expected = case.expected()
    why = difference(case, expected, folder / "case")
    (folder / "expected").mkdir()
    for name, sinks in zip(NAMES, expected):
        for tag, lines in (sinks or {}).items():
            (folder / "expected" / sink_file(tag, name)).write_bytes(joined(lines))
    rules = ", ".join(f"{t} by {rule}" for t, rule in Plan(case.flow).rule.items())
    sizes = "".join(f"{name}={value} " for name, value in case.sizes.items())
    words = " ".join(f"'{w}'" for w in command(case)) + (f" <'{NAMES[0]}'" if case.mode == "stdin" else "")
    (folder / "README").write_text(
        f"tests/oracle.py --seed {seed} --case {number}\n{why}\norder: {rules}\n"
        f"cd case && PATH={BIN}:$PATH LC_ALL=C {sizes}{words}\n")
    return folder


# ---- main ----


def compare(seed, number, epoch, accounts):
    """One case; True if all is well."""
    case, expected = make_case(seed, number, epoch)
    accounts["inputs"] += len(case.inputs)
    accounts["endless"] += None in expected
    accounts["cyclic"] += any(c.cyclic for c in Plan(case.flow).components)
    accounts["by line"] += "line" in Plan(case.flow).rule.values()
    accounts["by epoch"] += "epoch" in Plan(case.flow).rule.values()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "case"
        write_case(case, folder)
        why = difference(case, expected, folder)
    if not why:
        return True
    print(f"oracle: seed {seed} case {number}: {why}", file=sys.stderr, flush=True)
    if "hangs" not in why and fails(case):
        case = shrink(case, time.monotonic() + 30)
    print(f"oracle: example: {leave_example(case, seed, number)}", file=sys.stderr, flush=True)
    return False


def main():
    parser = argparse.ArgumentParser(description="Compare tl-router with a reference on random flows.")
    parser.add_argument("--seed", type=int, help="default: a random one")
    parser.add_argument("--count", type=int, default=1000, help="cases (%(default)s)")
    parser.add_argument("--case", type=int, help="run only this case of the seed")
    parser.add_argument("--epoch", type=int, help="set epoch to this everywhere")
    parser.add_argument("--most-failures", type=int, default=5, help="stop after so many (%(default)s)")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    numbers = range(options.count) if options.case is None else [options.case]
    accounts = dict.fromkeys(["inputs", "cyclic", "endless", "by line", "by epoch"], 0)
    print(f"oracle: seed {seed}", flush=True)
    failures = 0
    for number in numbers:
        failures += not compare(seed, number, options.epoch, accounts)
        if failures == options.most_failures:
            break
    told = ", ".join(f"{n} {what}" for what, n in accounts.items())
    print(f"oracle: seed {seed}: {len(numbers)} flows ({told}): {failures} differ")
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
