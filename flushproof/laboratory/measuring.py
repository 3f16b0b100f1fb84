"""What the policies of a decided lattice cost under a workload, and which of the safe ones cost less.

Two orders stand side by side.  One is of this workload: a policy costs less than another one if some figure is less for certain
(their intervals do not touch), and none is more.  The other one holds always: by the declared orders of the knobs (the scope of
a flush, its target, its waits) a weaker policy does no more.  That is an order of what is done, and not of its price: one
instruction can do what takes two otherwise, and a check that is left out can lead to more flushes; so where the two disagree,
that is said.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from flushproof.laboratory.decided import Decided
from flushproof.laboratory.judging import Answer
from flushproof.laboratory.lattice import Point
from flushproof.laboratory.repairing import Repaired
from flushproof.model.language.instantiate import instantiate, settings
from flushproof.search.chances import Workload
from flushproof.search.sampling import Sample, sample
from flushproof.workloads import refuse_strange

STEPS = 2000
"""So long is each walk, if nobody says anything else."""

MOST = 8
"""So many of the weakest safe policies are measured, next to the named ones."""


@dataclass(frozen=True)
class Row:
    """One policy: what it is called, whether it is safe (None: not known), and what it costs.

    cheaper: how many of the other safe policies cost less; None of one that is not safe.
    weaker: the names of the safe policies that do more than this one, whatever the workload; dearer: those of them that cost less.
    """

    name: str
    point: Point
    safe: bool | None
    sample: Sample
    cheaper: int | None = None
    weaker: tuple[str, ...] = ()
    dearer: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measurement:
    """The safe policies, the cheapest first, then the others; complete: whether all walks were made."""

    workload: Workload
    steps: int
    seed: int
    rows: tuple[Row, ...]
    complete: bool

    @property
    def operations(self) -> list[str]:
        """What is counted and is no event of the world, by name."""
        return sorted({name for row in self.rows for name in costs_of(row.sample)})


def costs_of(found: Sample) -> Collection[str]:
    """The names of what a sample counted and is no event."""
    return found.figures.keys() - found.happened


def measure(
    decided: Decided,
    names: Mapping[Point, str],
    workload: Workload,
    *,
    steps: int = STEPS,
    seed: int = 0,
    told: Callable[[str], None] | None = None,
) -> Measurement:
    """Measures policies of a lattice; an interrupt ends it early, and is not raised.

    names: which policies, and what they are called (`names_of`, `repairs_of`).

    Raises:
        FlushproofError: the workload speaks of what does not happen in the system.
    """
    lattice = decided.lattice
    instances = {
        point: instantiate(lattice.system, lattice.policy, lattice.set(point), lattice.sizes, events=True)
        for point in names
    }
    refuse_strange(workload, instances.values())
    found: dict[Point, Sample] = {}
    try:
        for point, name in names.items():
            if told is not None:
                told(f"walking under {name} ({len(found) + 1} of {len(names)})")
            found[point] = sample(instances[point], workload, steps=steps, seed=seed)
    except KeyboardInterrupt:
        pass
    safe = [point for point in found if decided.holds[point]]
    rows = []
    for point, counted in found.items():
        if point not in safe:
            rows.append(Row(names[point], point, False if decided.fails[point] else None, counted))
            continue
        cheaper = [other for other in safe if costs_less(found[other], counted)]
        above = [other for other in safe if other != point and lattice.is_below(point, other)]
        weaker, dearer = (tuple(names[p] for p in some) for some in (above, [p for p in above if p in cheaper]))
        rows.append(Row(names[point], point, True, counted, len(cheaper), weaker, dearer))
    rows.sort(key=lambda row: (row.cheaper is None, row.cheaper or 0, _total(row.sample)))
    return Measurement(workload, steps, seed, tuple(rows), len(found) == len(names))


def names_of(answer: Answer) -> Mapping[Point, str]:
    """The named policies of a lattice and its weakest safe ones, by what they are called."""
    found: dict[Point, list[str]] = {}
    for name, point in answer.lattice.named().items():
        found.setdefault(point, []).append(name)
    for number, one in enumerate(answer.weakest[:MOST], 1):
        found.setdefault(one.point, []).append(f"weakest {number}")
    return {point: ", ".join(names) for point, names in found.items()}


def repairs_of(found: Repaired) -> Mapping[Point, str]:
    """The policy that is repaired, and its repairs, by what they change."""
    lattice = found.lattice
    return {lattice.base: lattice.policy or "as it is", **{r.point: settings(r.changes) for r in found.repairs}}


def costs_less(one: Sample, other: Sample) -> bool:
    """Whether one policy costs less than another one, as far as walks can tell."""
    names = {*costs_of(one), *costs_of(other)}
    less = any(_certainly_less(one, other, name) for name in names)
    return less and not any(_certainly_less(other, one, name) for name in names)


def _certainly_less(one: Sample, other: Sample, name: str) -> bool:
    mine, theirs = one.figures.get(name), other.figures.get(name)
    return theirs is not None and (mine.mean + mine.margin if mine else 0.0) < theirs.mean - theirs.margin


def _total(found: Sample) -> float:
    return sum(found.figures[name].mean for name in costs_of(found))
