"""How many of a search's accesses to memory miss the caches, by Cachegrind (of Valgrind), which simulates them.

    python -m benchmarks.misses kvm-vmid-generation fixed Vmid=2 --L1 48 12 --L2 1024 16 --L3 32768 16

The parts of a search are told apart as in `benchmarks.parts`: what a run that repeats one of them has more.  The simulated
caches have this machine's sizes (`lscpu -C`), hold data alone, and prefetch nothing by themselves; that code asks for lines
ahead of time does not make them fewer, only cheaper.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from flushproof.model.ir.instance import Instance
from tabulate import tabulate

from .parts import compiled, repeat, search, step
from .subject import Subject

LINE = 64
"""Bytes of a cache line."""

RUNS = ("compiled", "searched", "stepped", "repeated")
"""What a run does: compile; search as well; then the step functions once more; or the whole loop once more."""


@dataclass(frozen=True)
class Cache:
    """KiB and ways of one level."""

    kib: int
    ways: int

    def __str__(self) -> str:
        return f"{self.kib * 1024},{self.ways},{LINE}"


@dataclass(frozen=True)
class Counts:
    """Accesses to data, and those that missed the first cache and the last one."""

    accesses: int
    first: int
    last: int

    def __sub__(self, other: Counts) -> Counts:
        return Counts(self.accesses - other.accesses, self.first - other.first, self.last - other.last)


def alone(instance: Instance, run: str) -> int:
    """What is counted; tells how many states there are, if it gets as far."""
    library = compiled(instance)
    if run == "compiled":
        return 0
    _, _, store = search(library)
    if run == "stepped":
        step(store)
    if run == "repeated":
        repeat(store)
    count = store.count
    store.close()
    return count


def count(subject: Subject, run: str, first: Cache, last: Cache) -> tuple[int, Counts]:
    """The states and what Cachegrind counts in a run, with two levels of caches."""
    with tempfile.NamedTemporaryFile(suffix=".cachegrind") as out:
        command = ["valgrind", "--tool=cachegrind", "--cache-sim=yes", f"--cachegrind-out-file={out.name}"]
        command += [f"--D1={first}", f"--LL={last}", sys.executable, "-m", "benchmarks.misses", *subject.words()]
        done = subprocess.run(
            [*command, "--alone", run],
            cwd=Path(__file__).resolve().parents[1],
            capture_output=True,
            text=True,
            check=True,
        )
        return int(done.stdout), counts(Path(out.name).read_text())


def counts(text: str) -> Counts:
    """The sums in Cachegrind's file."""
    names, values = (re.findall(rf"^{what}: (.*)$", text, re.MULTILINE)[-1].split() for what in ("events", "summary"))
    of = dict(zip(names, map(int, values), strict=True))
    return Counts(of["Dr"] + of["Dw"], of["D1mr"] + of["D1mw"], of["DLmr"] + of["DLmw"])


def rows(states: int, found: Sequence[dict[str, Counts]]) -> Iterator[list[str]]:
    """For each part of the search: accesses and misses of each level, for each state.  `found`: by the last cache."""

    def row(name: str, of: Sequence[Counts]) -> list[str]:
        numbers = (of[0].accesses, of[0].first, *(c.last for c in of))
        return [name, *(f"{number / states:.2f}" for number in numbers)]

    steps = [f["stepped"] - f["searched"] for f in found]
    again = [f["repeated"] - f["searched"] for f in found]
    whole = [f["searched"] - f["compiled"] for f in found]
    yield row("step functions", steps)
    yield row("hashing and looking up successors", [a - s for a, s in zip(again, steps, strict=True)])
    yield row("storing new states, growing the table, properties", [w - a for w, a in zip(whole, again, strict=True)])
    yield row("all", whole)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("subject", nargs="+", metavar="SYSTEM [POLICY] [SORT=N ...]")
    for level, kib, ways in ((1, 48, 12), (2, 1024, 16), (3, 32768, 16)):
        parser.add_argument(f"--L{level}", nargs=2, type=int, default=(kib, ways), metavar=("KIB", "WAYS"))
    parser.add_argument("--alone", choices=RUNS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    subject = Subject.parse(asked.subject)
    if asked.alone:
        print(alone(subject.instance(), asked.alone))
        return
    first, *others = (Cache(*cache) for cache in (asked.L1, asked.L2, asked.L3))
    found = [{run: count(subject, run, first, last) for run in RUNS} for last in others]
    states = found[0]["searched"][0]
    print(f"{states} states; accesses to data, and misses, for each of them")
    sums = [{run: of for run, (_, of) in each.items()} for each in found]
    heads = ["", "accesses", *(f"miss L{level}" for level in (1, 2, 3))]
    print(tabulate(rows(states, sums), heads, disable_numparse=True))


if __name__ == "__main__":
    main()
