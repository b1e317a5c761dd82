# SPDX-License-Identifier: MIT
"""What is compared: programs with their work, and whether two of them made the same bytes."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import Callable, Optional

from measure import Differs, RunFailed, Work

BLOCK = 1 << 20


@dataclass
class Program:
    """A contestant. work(folder) says what to run there; results(folder) where its results are: a
    dict of name to the list of files that, joined, are that result."""

    name: str
    work: Callable
    results: Callable
    needs: tuple = ()  # commands that must be there
    note: str = ""
    ordered: bool = True  # False: it need not keep the order of lines
    bound: bool = False  # not a peer: it shows what could be had


@dataclass
class Case:
    """One piece of work for several programs; the first is tagline."""

    key: str
    title: str
    amount: float
    unit: str  # of amount: MB, files
    programs: list
    clean: Optional[Callable] = None
    folder: str = ""  # where it is done, if not where the data is


def command(*argv, results, **work):
    """A program that is one command with all its files in its folder."""
    def make(folder):
        return Work(argv=list(argv), cwd=folder, **{k: os.path.join(folder, v) for k, v in work.items()})

    return make, lambda folder: {r: [os.path.join(folder, r)] for r in results}


def absent(program):
    """The first command that the program needs and that is not there, or None."""
    return next((c for c in program.needs if not find(c)), None)


def find(name):
    """A command by name or path; daemons are not on everybody's PATH."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return shutil.which(name, path=path)


def _blocks(paths):
    for path in paths:
        with open(path, "rb", buffering=0) as f:
            while block := f.read(BLOCK):
                yield block


def _same(one, other):
    """Are the bytes the same? Sizes first, so that blocks can be compared as they come."""
    if sum(map(os.path.getsize, one)) != sum(map(os.path.getsize, other)):
        return False
    if len(one) == len(other) == 1 or list(map(os.path.getsize, one)) == list(
        map(os.path.getsize, other)
    ):
        return all(a == b for a, b in zip(_blocks(one), _blocks(other)))
    return _joined_same(one, other)


def _joined_same(one, other):
    """The same, of files that are cut in different places."""
    left, right = _blocks(one), _blocks(other)
    a = b = b""
    while True:
        a = a or next(left, b"")
        b = b or next(right, b"")
        n = min(len(a), len(b))
        if n == 0:
            return a == b
        if a[:n] != b[:n]:
            return False
        a, b = a[n:], b[n:]


def _sorted_same(one, other, folder):
    """The same lines in any order."""
    sums = []
    for paths in (one, other):
        sort = subprocess.run(
            ["sh", "-c", 'cat -- "$@" | sort -S 25% -T . | cksum', "sh", *paths],
            cwd=folder,
            env={**os.environ, "LC_ALL": "C"},
            stdout=subprocess.PIPE,
            check=True,
        )
        sums.append(sort.stdout)
    return sums[0] == sums[1]


def compare(program, reference, results, folder, thorough):
    """Raise unless the results are the reference's. Lines in another order are looked at only when
    thorough, as sorting takes longer than the run."""
    for name, paths in reference.items():
        if not all(os.path.exists(path) for path in results[name]):
            raise RunFailed(f"{name} was not made")
        if _same(paths, results[name]):
            continue
        if program.ordered:
            raise Differs(name)
        if thorough and not _sorted_same(paths, results[name], folder):
            raise Differs(f"lines of {name}")
        program.note = "lines in another order"
