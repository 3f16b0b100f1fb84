"""What a policy costs under a workload, measured: random walks, and how far their average may be from that of all walks.

There are `WALKS` walks, each from a random initial state with random numbers of its own; the same seed gives the same ones, and
every policy the same seeds.  A figure is a ratio: how often something was counted in all walks, to how many of their steps were
events.  Its margin is that of a 95 % confidence interval, by the differences among the walks (the ratio estimator's variance, and
Student's t for that many walks): nothing is assumed of the steps within a walk.  What no walk met has no margin.
"""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flushproof.model.ir import TAKEN_OVER
from flushproof.model.ir.instance import Instance

from .chances import Law, Workload, random_initial_state
from .reference.interpreter import Reference

WALKS = 30
"""So many walks are made."""

STUDENT = 2.0452
"""Of Student's t with 29 degrees of freedom, what 95 % lie within."""


@dataclass(frozen=True)
class Figure:
    """Per thousand events: the mean, and the margin to both sides of it."""

    mean: float
    margin: float


@dataclass(frozen=True)
class Sample:
    """What walks under a workload counted.

    steps: in all walks together; events: how many of them were events of the world, or all if none ever was.
    figures: of each operation and event, and of dropped entries.
    complete: whether all walks were made; a limit of time may come before.
    """

    steps: int
    events: int
    figures: Mapping[str, Figure]
    happened: frozenset[str]
    complete: bool = True


def sample(
    instance: Instance,
    workload: Workload,
    *,
    steps: int,
    seed: int = 0,
    seconds: float | None = None,
    told: Callable[[int], None] | None = None,
) -> Sample:
    """Walks `WALKS` times so many steps under a workload, and counts.

    instance: with its events (see `instantiate`); seconds: after how many to stop; told: is told how many walks were made.

    Raises:
        FlushproofError: there is no initial state.
    """
    reference = Reference(instance)
    law, until = Law(reference, workload), math.inf if seconds is None else time.monotonic() + seconds
    counts: list[Counter[str]] = []
    bases: list[tuple[int, int]] = []
    for number in range(WALKS):
        counted, events, made = _walk(law, random.Random(f"{seed}/{number}"), steps, until)
        if time.monotonic() > until:
            break
        counts.append(counted)
        bases.append((events, made))
        if told is not None:
            told(number + 1)
    complete = len(counts) == WALKS
    happened = sum(events for events, _ in bases)
    base = [events if happened else made for events, made in bases]
    names = {name for counted in counts for name in counted} if complete and any(base) else set()
    figures = {name: _figure([counted[name] for counted in counts], base) for name in sorted(names)}
    return Sample(sum(made for _, made in bases), sum(base), figures, law.declared, complete)


def _walk(law: Law, rng: random.Random, steps: int, until: float) -> tuple[Counter[str], int, int]:
    """One walk: what it counted, how many of its steps were events, and how many it made."""
    instance = law.reference.instance
    in_force = instance.slot(TAKEN_OVER) if TAKEN_OVER in instance.system.variable else None
    counted: Counter[str] = Counter()
    events = made = 0
    state = random_initial_state(law.reference, rng)
    while made < steps and time.monotonic() <= until:
        way = law.choices(state).pick(rng)
        if way is None:
            break
        if in_force is None or state[in_force]:
            names = [name for name, _ in law.counted(state, way)]
            counted.update(names)
            events += not law.events.isdisjoint(names)
            made += 1
        state = way.after
    return counted, events, made


def _figure(counts: list[int], base: list[int]) -> Figure:
    """The ratio of two sums over walks, per thousand."""
    walks, total = len(counts), sum(base)
    ratio = sum(counts) / total
    spread = sum((c - ratio * b) ** 2 for c, b in zip(counts, base, strict=True)) / (walks - 1)
    return Figure(1000 * ratio, 1000 * STUDENT * math.sqrt(spread / walks) / (total / walks))
