"""What a policy costs: its operations counted over everything that can happen, and the entries that it drops for nothing.

What is counted is what walks do on average (`chances`), exactly and not by walking: each state has the probability that a walk is
there after so many steps.  The chances are those of the world, whatever the policy, and a situation weighs the same however many
states it is told apart into; so policies are compared by what they do per event of the world, and a property more changes nothing.

A dropped entry was *required* to go if some property can be violated where it stays: where the step is taken, the entry is kept,
and anything may happen from there.  This asks about one entry at a time, and about one step: an entry that a later flush would
have taken away before anyone could hit it was dropped for nothing.
"""

from __future__ import annotations

import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from flushproof.model.errors import FlushproofError
from flushproof.model.ir import DROPPED, TAKEN_OVER
from flushproof.model.ir.instance import Instance, State

from .chances import Law, Workload, alike
from .reductions.symmetry import Symmetry
from .reference.interpreter import Reference

STEPS = 1000
"""So long is a walk, if nobody says anything else."""

HAPPENED = "events"
"""The name under which steps are counted that are any event of the world."""

MOST_REMEMBERED = 1 << 18
"""Of so many states it is remembered which one stands for their orbit: most are come to by several steps."""

_STILL = 1e-13
"""Where the probabilities of all states together change less than this in a step, they stay as they are."""


@dataclass(frozen=True)
class Costs:
    """What walks do, on average.

    states: how many there are; steps: how many a walk makes.
    counts: how many of each operation and event, and how many dropped entries as "dropped"; `HAPPENED`: how many steps are events.
    required: how many of the dropped entries some property required to go, None where that was not asked; undecided: of how many
        the time did not suffice to say.
    complete: whether all states were looked at; nothing is counted if not.
    workload: the name of the law; events: of what is counted, what is no cost but an event.
    """

    states: int
    steps: float
    counts: Mapping[str, float]
    workload: str
    events: frozenset[str] = frozenset()
    required: float | None = None
    undecided: float = 0
    complete: bool = True

    def by(self, event: str | None = None) -> float:
        """What others are counted by: how often an event happens; any event, or any step where no step is one, if none is named."""
        return self.counts.get(event, 0.0) if event else self.counts.get(HAPPENED) or self.steps

    def per_thousand(self, event: str | None = None) -> Mapping[str, float]:
        """The counts per thousand of what `by` says; nothing where that never happens."""
        base = self.by(event)
        return {name: 1000 * count / base for name, count in self.counts.items()} if base else {}

    @property
    def needless(self) -> float | None:
        """How many dropped entries no property required to go."""
        return (
            None if self.required is None else max(0.0, self.counts.get(DROPPED, 0) - self.required - self.undecided)
        )


def count(
    instance: Instance,
    *,
    workload: Workload | None = None,
    steps: int = STEPS,
    symmetry: bool = False,
    ask_required: bool = True,
    seconds: float | None = None,
) -> Costs:
    """Counts what walks of so many steps do on average, from random initial states.

    instance: with its events (see `instantiate`), where costs are to be counted by them.
    workload: `alike` if None.
    symmetry: look at one state of each orbit.
    ask_required: whether to find out which dropped entries some property required; it takes a policy under which all properties
        hold.
    seconds: after how many to stop.

    Raises:
        FlushproofError: there is no initial state.
    """
    return _Count(instance, workload or alike(instance), symmetry, seconds).run(steps, ask_required)


class _Late(Exception):
    """The time is over."""


class _Count:
    """The graph of all states, and the chances of its steps.

    found: the states, in this order; numbers: their numbers in it.
    sources, targets, chances: of each step; counted: of each name the state, and how many of it its next step brings on average.
    making: the states from which the policy makes steps.
    dropped: each dropped entry: from which state, with which chance, the state after it, and the slot.
    """

    def __init__(self, instance: Instance, workload: Workload, symmetry: bool, seconds: float | None) -> None:
        self.in_force = instance.slot(TAKEN_OVER) if TAKEN_OVER in instance.system.variable else None
        self.reference = Reference(instance)
        self.law = Law(self.reference, workload)
        self.canonical: Callable[[State], State] = lambda state: state
        if symmetry:
            self.canonical = lru_cache(MOST_REMEMBERED)(Symmetry(instance).canonical)
        self.until = None if seconds is None else time.monotonic() + seconds
        self.numbers: dict[State, int] = {}
        self.found: list[State] = []
        self.sources, self.targets, self.chances = array("q"), array("q"), array("d")
        self.counted: dict[str, tuple[array[int], array[float]]] = {}
        self.making: set[int] = set()
        self.dropped: list[tuple[int, float, State, int]] = []

    def run(self, steps: int, ask_required: bool) -> Costs:
        try:
            initial = self.begin()
            self.look_at_all()
            visits, made = self.walk(initial, steps)
        except _Late:
            return Costs(len(self.numbers), 0.0, {}, self.law.workload.name, self.law.declared, complete=False)
        counts = {
            name: float(np.dot(visits[np.frombuffer(at, np.int64)], np.frombuffer(many, np.float64)))
            for name, (at, many) in self.counted.items()
        }
        counts = {name: number for name, number in counts.items() if number}
        required, undecided = self.judge(visits) if ask_required else (None, 0.0)
        name, events = self.law.workload.name, self.law.declared
        return Costs(len(self.numbers), made, counts, name, events, required, undecided)

    def late(self) -> bool:
        return self.until is not None and time.monotonic() > self.until

    def number(self, state: State) -> int:
        state = self.canonical(state)
        number = self.numbers.setdefault(state, len(self.found))
        if number == len(self.found):
            self.found.append(state)
        return number

    def begin(self) -> Mapping[int, float]:
        """The chances to begin: every way to choose values from which there is one is as likely as every other."""
        ways: list[Counter[int]] = []
        before = None
        for chosen, _, after in self.reference.beginnings():
            if chosen is not before:
                before = chosen
                ways.append(Counter())
                if self.late():
                    raise _Late
            ways[-1][self.number(after)] += 1
        if not ways:
            raise FlushproofError(f"{self.reference.instance.system.name} has no initial state at this size")
        chances: Counter[int] = Counter()
        for found in ways:
            for number, many in found.items():
                chances[number] += many / found.total() / len(ways)  # type: ignore[assignment]
        return chances

    def look_at_all(self) -> None:
        for number, state in enumerate(self.found):
            if number % 256 == 0 and self.late():
                raise _Late
            self.look(number, state)

    def look(self, number: int, state: State) -> None:
        """Notes the steps from a state: where they lead, and what they cost and are."""
        counts: Counter[str] = Counter()
        to: Counter[int] = Counter()
        for way, chance in self.law.choices(state).chances():
            to[self.number(way.after)] += chance  # type: ignore[assignment]
            if self.in_force is not None and not state[self.in_force]:
                continue  # what another policy does before this one takes over
            self.making.add(number)
            counted = self.law.counted(state, way)
            for name, slot in counted:
                counts[name] += chance  # type: ignore[assignment]
                if slot is not None:
                    self.dropped.append((number, chance, way.after, slot))
            if any(name in self.law.events for name, _ in counted):
                counts[HAPPENED] += chance  # type: ignore[assignment]
        for target, chance in to.items():
            self.sources.append(number)
            self.targets.append(target)
            self.chances.append(chance)
        for name, many in counts.items():
            at, numbers = self.counted.setdefault(name, (array("q"), array("d")))
            at.append(number)
            numbers.append(many)

    def walk(self, initial: Mapping[int, float], steps: int) -> tuple[npt.NDArray[np.float64], float]:
        """How often a walk is in each state on average, and how many steps it makes there in all under this policy."""
        size = len(self.numbers)
        sources, targets = np.frombuffer(self.sources, np.int64), np.frombuffer(self.targets, np.int64)
        chances = np.frombuffer(self.chances, np.float64)
        here: npt.NDArray[np.float64] = np.zeros(size)
        visits: npt.NDArray[np.float64] = np.zeros(size)
        for number, chance in initial.items():
            here[number] = chance
        for step in range(steps):
            if self.late():
                raise _Late
            then = np.bincount(targets, chances * here[sources], size).astype(np.float64)
            if np.abs(then - here).sum() < _STILL:
                visits += here * (steps - step)
                break
            visits += here
            here = then
        return visits, float(visits[np.fromiter(self.making, np.int64, len(self.making))].sum())

    def judge(self, visits: npt.NDArray[np.float64]) -> tuple[float, float]:
        """How many dropped entries were required to go, and of how many the time did not suffice to say."""
        keep = Keep(self.reference, self.canonical, ())
        keep.safe.update(self.numbers)
        required = undecided = 0.0
        for number, chance, after, slot in self.dropped:
            verdict = keep.violates(after, slot, self.late) if not self.late() else None
            many = chance * float(visits[number])
            if verdict is None:
                undecided += many
            elif verdict:
                required += many
        return required, undecided


class Keep:
    """What may happen where an entry is kept that was dropped: whether some property can be violated from there.

    All reachable states are known to be safe, and so is what a search without a violation has seen; states on the way to a
    violation are known to be unsafe.  So each state is searched through once, however often it is asked about.

    canonical: which state of its orbit stands for a state.
    """

    def __init__(
        self, reference: Reference, canonical: Callable[[State], State], reachable: Iterable[State]
    ) -> None:
        self.reference, self.canonical = reference, canonical
        self.safe = set(map(self.canonical, reachable))
        self.unsafe: set[State] = set()
        invariants = [p for p in reference.instance.system.properties if p.kind == "invariant"]
        self.checks = [reference.checker(p) for p in invariants]

    def violates(self, after: State, slot: int, late: Callable[[], bool] = lambda: False) -> bool | None:
        """Whether a violation can be reached from `after` with the entry in `slot` kept; None if it got too late to say."""
        kept = self.reference.settled((*after[:slot], 1, *after[slot + 1 :]))
        start = self.canonical(kept)
        parents: dict[State, State | None] = {start: None}
        queue = [start]
        for number, state in enumerate(queue):
            if state in self.safe:
                continue
            if state in self.unsafe or any(check(state) is not None for check in self.checks):
                self._mark_unsafe(state, parents)
                return True
            if number % 1024 == 1023 and late():
                return None
            for _, _, following in self.reference.successors(state):
                known = self.canonical(following)
                if known not in parents:
                    parents[known] = state
                    queue.append(known)
        self.safe.update(parents)
        return False

    def _mark_unsafe(self, state: State | None, parents: Mapping[State, State | None]) -> None:
        while state is not None:
            self.unsafe.add(state)
            state = parents[state]
