"""flushproof, Rumur, SPIN and TLC on the same exported systems, one after the other, one thread each.

    python -m benchmarks.compare kvm-vmid-generation fixed Vm=2 --timeout 600
    python -m benchmarks.compare --all --plot docs/performance.svg

What the audit costs is measured by `benchmarks.audit_cost`.

Seconds are of the processor, so that other work on the machine disturbs them little; compiling is left out.  Symmetry and
partial order reduction are off everywhere.  Memory is the largest resident size of the whole process.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import median

from flushproof.model.ir.instance import Instance
from flushproof.search.explore import ask
from flushproof.search.native.engine import Search
from flushproof.search.native.library import Library
from flushproof.search.native.store import Store
from flushproof.search.task import Task
from tabulate import tabulate

from .checkers import CHECKERS, Run, Unfinished, execute, spin
from .plot import Series, plot
from .subject import Subject

ALL = [
    "kvm-vmid-generation fixed Cpu=2 Vcpu=2 Vm=2 Vmid=3",
    "kvm-vmid-generation fixed Cpu=2 Vcpu=3 Vm=2 Vmid=3",
    "kvm-vmid-generation fixed Cpu=3 Vcpu=3 Vm=2 Vmid=2",
    "kvm-vmid-generation fixed Cpu=3 Vcpu=3 Vm=2 Vmid=3",
    "kvm-vmid-allocator fixed Vmid=2",
    "kvm-vmid-allocator fixed Vmid=3",
    "kvm-vmid-allocator fixed Vmid=4",
    "kvm-vcpu-switch both",
    "kvm-icache tracked",
    "kvm-trapped-tlbi exact",
    "xen-tlbflush-clock invalidate-first",
    "xen-tlbflush-clock invalidate-first Page=2",
    "xen-pv-paging per-batch Frame=4",
    "xen-pv-paging per-batch",
]
"""Every shipped system, at sizes of 10^4 to 10^7 states, the smaller one first."""


def flushproof(subject: Subject, timeout: float, symmetry: bool = False, workers: int = 1) -> Run:
    """In a process of its own, so that its memory can be told."""
    command = [sys.executable, "-m", "benchmarks.compare", *subject.words(), "--alone", "--workers", str(workers)]
    command += ["--symmetry"] if symmetry else []
    text, _, _ = execute(command, Path(__file__).resolve().parents[1], timeout)
    last = text.rpartition("\n{")[2]
    try:
        return Run(**json.loads("{" + last.removeprefix("{")))
    except json.JSONDecodeError:
        raise SystemExit(text) from None


def alone(instance: Instance, symmetry: bool = False, workers: int = 1) -> Run:
    """flushproof in this process; searches that take no time are repeated, and the median counts."""
    asked = ask(instance, None)
    task = Task(instance, asked.invariants, asked.reachables, asked.deadlock, symmetry=symmetry)
    library = Library(instance, (*asked.invariants, *asked.reachables), symmetry, shared=workers > 1, optimised=True)
    taken: list[float] = []
    while sum(taken) < 0.5 and len(taken) < 11:
        store = Store(library, None, workers)
        started = time.process_time()
        found = Search(task, store).run()
        taken.append(time.process_time() - started)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        store.close()
    return Run(
        found.states, found.transitions, median(taken), library.seconds, memory, next(iter(found.violated), None)
    )


def measure(subject: Subject, timeout: float, measured: Mapping[str, Mapping[str, Run]]) -> dict[str, Run]:
    """Each checker's run, as far as it is at hand, finishes, and is not hopeless by what was `measured` before.

    SPIN's hash table, which does not grow, is made for as many states as flushproof found.
    """
    runs = {}
    where = Path(tempfile.mkdtemp(prefix="flushproof-compare-"))
    try:
        ours = runs["flushproof"] = flushproof(subject, timeout)
        for name, checker in CHECKERS.items():
            if name == "SPIN":
                checker = partial(spin, table_bits=ours.states.bit_length())
            if name in hopeless(subject, ours.states, timeout, measured):
                print(f"left out: {name}: it would take more than {timeout:g} seconds", file=sys.stderr)
                continue
            try:
                runs[name] = checker(subject.instance(), where, timeout)
            except Unfinished as problem:
                print(f"left out: {name}: {problem}", file=sys.stderr)
    finally:
        shutil.rmtree(where)
    return runs


def hopeless(subject: Subject, states: int, timeout: float, measured: Mapping[str, Mapping[str, Run]]) -> set[str]:
    """Who was left out at another size of the same system and policy, or needs too long for as many states at the rate there."""
    others = [runs for words, runs in measured.items() if subject.words()[:2] == words.split()[:2]]
    return {n for runs in others for n in CHECKERS if n not in runs or states / rate(runs[n]) > timeout}


def show(runs: Mapping[str, Run]) -> str:
    """The runs as a table; ratios are flushproof's rate to the others', and the others' bytes to flushproof's."""
    first = runs["flushproof"]
    table = [
        [
            name,
            "holds" if run.violated is None else "violated",
            run.states,
            run.transitions,
            f"{run.seconds:.2f}",
            f"{run.compile_seconds:.1f}",
            f"{rate(run) / 1e6:.3f}",
            f"{run.memory_bytes / run.states:.0f}",
            f"{rate(first) / rate(run):.1f}",
            f"{run.memory_bytes / run.states / (first.memory_bytes / first.states):.1f}",
        ]
        for name, run in runs.items()
    ]
    heads = [
        "",
        "verdict",
        "states",
        "transitions",
        "CPU s",
        "compile s",
        "M states/s",
        "bytes/state",
        "faster",
        "smaller",
    ]
    return tabulate(table, heads, disable_numparse=True)


def overview(measured: Mapping[str, Mapping[str, Run]]) -> str:
    """All results as one table for a document: states per second, and how many times faster flushproof is than each."""
    rows = []
    for words, runs in measured.items():
        ours = runs["flushproof"]
        rates = [f"{rate(runs[name]) / 1e6:.2g} M/s" if name in runs else "-" for name in ("flushproof", *CHECKERS)]
        ratios = {name: rate(ours) / rate(runs[name]) for name in CHECKERS if name in runs}
        faster = [f"{ratios[name]:.{int(ratios[name] < 10)}f}" if name in ratios else "-" for name in CHECKERS]
        rows.append([words, f"{ours.states:,}", f"{ours.transitions:,}", *rates, *faster])
    heads = ["", "states", "transitions", "flushproof", *CHECKERS, *(f"× {name}" for name in CHECKERS)]
    return tabulate(rows, heads, tablefmt="github", disable_numparse=True)


def rate(run: Run) -> float:
    """States per second."""
    return run.states / max(run.seconds, 1e-3)


def picture(measured: Mapping[str, Mapping[str, Run]]) -> str:
    """The cost of a state against the number of states; points of one system and policy are joined."""
    series = []
    for name in ("flushproof", *CHECKERS):
        lines: dict[tuple[str, ...], list[tuple[float, float]]] = {}
        for words, runs in measured.items():
            if name in runs:
                system = tuple(word for word in words.split() if "=" not in word)
                lines.setdefault(system, []).append((runs[name].states, 1e6 / rate(runs[name])))
        series.append(Series(name, [sorted(line) for line in lines.values()]))
    return plot(series, "states", "µs of the processor for each state")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("subject", nargs="*", metavar="SYSTEM [POLICY] [SORT=N ...]")
    parser.add_argument("--all", action="store_true", help="every shipped system, two of them at several sizes")
    parser.add_argument("--timeout", type=float, default=600, help="seconds of the processor for each checker")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="a JSON file of results, to go on with and to add to")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the cost against the size into an SVG file")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--symmetry", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--workers", type=int, default=1, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.alone:
        print(json.dumps(asdict(alone(Subject.parse(asked.subject).instance(), asked.symmetry, asked.workers))))
        return
    if bool(asked.subject) == asked.all:
        parser.error("name a system, or say --all")
    measured: dict[str, dict[str, Run]] = {}
    if asked.keep and asked.keep.exists():
        kept = json.loads(asked.keep.read_text())
        measured = {words: {name: Run(**run) for name, run in runs.items()} for words, runs in kept.items()}
    for words in ALL if asked.all else [" ".join(asked.subject)]:
        if words not in measured:
            before, subject = os.getloadavg()[0], Subject.parse(words.split())
            measured[words] = measure(subject, asked.timeout, measured)
            print(f"{words}  (load of the machine: {before:.1f} before, {os.getloadavg()[0]:.1f} after)")
            print(show(measured[words]), end="\n\n", flush=True)
        if asked.keep:
            asked.keep.write_text(json.dumps(measured, default=asdict, indent=1))
    if len(measured) > 1:
        print(overview(measured))
    if asked.plot:
        asked.plot.write_text(picture(measured))


if __name__ == "__main__":
    main()
