"""What nobody can say the exports hold back: Rumur with its own symmetry, models written by hand, SPIN on two cores.

    python -m benchmarks.rivals [--symmetry] [--by-hand] [--cores] [--timeout SECONDS]

Without an option, all three.  Seconds are of the processor, of all threads and processes, compiling left out.  The models in
`benchmarks/handwritten` are of kvm-vmid-allocator under its policy `fixed`, with the same states and steps.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tabulate import tabulate

from .checkers import Run, Unfinished, rumur, run_rumur, run_spin, spin
from .compare import flushproof, rate
from .subject import Subject

BY_HAND = Path(__file__).with_name("handwritten") / "vmid_allocator"

SYMMETRIC = [
    "kvm-vmid-generation fixed Cpu=2 Vcpu=3 Vm=2 Vmid=3",
    "kvm-vmid-generation fixed Cpu=3 Vcpu=3 Vm=2 Vmid=2",
    "kvm-vmid-allocator fixed Vmid=3",
    "kvm-vcpu-switch both",
    "kvm-vcpu-switch both Vcpu=3 Page=3",
    "kvm-icache tracked",
    "xen-pv-paging per-batch",
]
"""With groups of 4 to 720 permutations."""

Rival = Callable[[Path, float], Run]


def symmetry(subject: Subject) -> Mapping[str, Rival]:
    """Rumur on scalarsets: one state of each class, as flushproof, or few of each."""
    instance = subject.instance()
    return {
        "Rumur, exhaustive": lambda where, timeout: rumur(instance, where, timeout, symmetry="exhaustive"),
        "Rumur, heuristic": lambda where, timeout: rumur(instance, where, timeout, symmetry="heuristic"),
    }


def by_hand(subject: Subject) -> Mapping[str, Rival]:
    """Rumur and SPIN, each on what is exported and on what is written by hand."""
    instance = subject.instance()
    vmids = instance.sizes["Vmid"]
    return {
        "Rumur, exported": lambda where, timeout: rumur(instance, where, timeout),
        "Rumur, by hand": lambda where, timeout: run_rumur(handwritten(".m", vmids, where), where, timeout),
        "SPIN, exported": lambda where, timeout: spin(instance, where, timeout),
        "SPIN, by hand": lambda where, timeout: run_spin(handwritten(".pml", vmids, where), where, timeout),
    }


def cores(subject: Subject) -> Mapping[str, Rival]:
    """SPIN's parallel breadth-first search."""
    vmids = subject.instance().sizes["Vmid"]
    return {
        "SPIN, by hand, 2 cores": lambda where, timeout: run_spin(
            handwritten(".pml", vmids, where), where, timeout, cores=2
        )
    }


def handwritten(suffix: str, vmids: int, where: Path) -> str:
    """Puts a model written by hand there, for so many VMIDs; its name."""
    text, count = re.subn(r"(VMIDS :?) ?3\b", rf"\1 {vmids}", BY_HAND.with_suffix(suffix).read_text())
    assert count == 1
    name = f"vmid_allocator{suffix}"
    (where / name).write_text(text)
    return name


def measured(words: str, rivals: Mapping[str, Rival], ours: Mapping[str, Run], timeout: float) -> Iterator[list[str]]:
    """A row for each: states, transitions, seconds of the processor, states each second, and how many times flushproof's first
    run is faster."""
    first = next(iter(ours.values()))
    runs: dict[str, Run | str] = dict(ours)
    for name, rival in rivals.items():
        with tempfile.TemporaryDirectory(prefix="flushproof-rivals-") as where:
            try:
                runs[name] = rival(Path(where), timeout)
            except Unfinished as problem:
                runs[name] = str(problem).splitlines()[-1]
    for name, run in runs.items():
        if isinstance(run, str):
            yield [words, name, run]
            continue
        counts = [f"{run.states:,}", f"{run.transitions:,}", f"{run.seconds:.2f}"]
        yield [words, name, *counts, f"{rate(run) / 1e6:.2g} M/s", f"{run.seconds / first.seconds:.2g}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--symmetry", action="store_true", help="Rumur with its own symmetry")
    parser.add_argument("--by-hand", action="store_true", help="models written by hand")
    parser.add_argument("--cores", action="store_true", help="SPIN on two cores, and flushproof with two workers")
    parser.add_argument("--timeout", type=float, default=600, help="seconds of the processor for each")
    asked = parser.parse_args()
    every = not (asked.symmetry or asked.by_hand or asked.cores)
    rows: list[list[str]] = []
    for words in SYMMETRIC if asked.symmetry or every else []:
        subject = Subject.parse(words.split())
        ours = {"flushproof": flushproof(subject, asked.timeout, symmetry=True)}
        rows += measured(words, symmetry(subject), ours, asked.timeout)
    for words in ("kvm-vmid-allocator fixed Vmid=2", "kvm-vmid-allocator fixed Vmid=3"):
        subject = Subject.parse(words.split())
        if asked.by_hand or every:
            rows += measured(words, by_hand(subject), {"flushproof": flushproof(subject, asked.timeout)}, asked.timeout)
        if asked.cores or every:
            ours = {"flushproof, 2 workers": flushproof(subject, asked.timeout, workers=2)}
            rows += measured(words, cores(subject), ours, asked.timeout)
    heads = ["", "", "states", "transitions", "seconds", "rate", "× seconds"]
    print(tabulate(rows, heads, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
