"""What a policy costs: its operations counted over everything that can happen, and the entries that it drops for nothing.

An operation is counted once for each transition of each reachable state that executes it: the same weight for all, so that the
numbers say what a policy does how often, and not how often a given load would make it do so.

A dropped entry was *required* to go if some property can be violated where it stays: where the step is taken, the entry is kept,
and anything may happen from there.  This asks about one entry at a time, and about one step: an entry that a later flush would
have taken away before anyone could hit it was dropped for nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from flushproof.model.ir import DROPPED, TAKEN_OVER
from flushproof.model.ir.instance import Instance, State

from .reductions.symmetry import Symmetry
from .reference.interpreter import Reference


@dataclass(frozen=True)
class Costs:
    """What was counted.

    states, transitions: over which; counts: how many of each operation, and how many dropped entries as "dropped".
    required: how many of those some property required to go, None where that was not asked; undecided: of how many the time
        did not suffice to say.
    complete: whether all states were looked at.
    """

    states: int
    transitions: int
    counts: Mapping[str, int]
    required: int | None = None
    undecided: int = 0
    complete: bool = True

    @property
    def per_thousand(self) -> Mapping[str, float]:
        """The counts per thousand steps."""
        return {name: 1000 * count / max(self.transitions, 1) for name, count in self.counts.items()}

    @property
    def needless(self) -> int | None:
        """How many dropped entries no property required to go."""
        return None if self.required is None else self.counts.get(DROPPED, 0) - self.required - self.undecided


def count(
    instance: Instance,
    states: Sequence[State],
    *,
    symmetry: bool = False,
    ask_required: bool = True,
    seconds: float | None = None,
) -> Costs:
    """Counts over all transitions from these states.

    states: all reachable ones, or with `symmetry` one of each orbit, which then stands for all of it.
    ask_required: whether to find out which dropped entries some property required; it takes a policy under which all properties
        hold, and all of its reachable states.
    seconds: after how many to stop.
    """
    return _Count(instance, states, symmetry, ask_required, seconds).run()


class _Count:
    def __init__(
        self, instance: Instance, states: Sequence[State], symmetry: bool, ask_required: bool, seconds: float | None
    ) -> None:
        in_force = instance.slot(TAKEN_OVER) if TAKEN_OVER in instance.system.variable else None
        self.states = states if in_force is None else [s for s in states if s[in_force]]
        self.reference = Reference(instance)
        self.symmetry = Symmetry(instance) if symmetry else None
        self.keep = Keep(self.reference, self.symmetry, states) if ask_required else None
        self.until = None if seconds is None else time.monotonic() + seconds
        self.counts: Counter[str] = Counter()
        self.transitions = self.required = self.undecided = 0

    def run(self) -> Costs:
        done = 0
        for state in self.states:
            if done % 1024 == 0 and self.late():
                break
            self.look(state, 1 if self.symmetry is None else self.symmetry.orbit_size(state))
            done += 1
        complete = done == len(self.states)
        required = self.required if self.keep is not None else None
        return Costs(done, self.transitions, dict(self.counts), required, self.undecided, complete)

    def late(self) -> bool:
        return self.until is not None and time.monotonic() > self.until

    def look(self, state: State, weight: int) -> None:
        """Counts what the steps from a state cost."""
        for action, codes, after in self.reference.successors(state):
            self.transitions += weight
            for name, slot in self.reference.costs(action, codes, state):
                self.counts[name] += weight
                if slot is not None and self.keep is not None:
                    self.judge(after, slot, weight)

    def judge(self, after: State, slot: int, weight: int) -> None:
        assert self.keep is not None
        verdict = self.keep.violates(after, slot, self.late)
        if verdict is None:
            self.undecided += weight
        elif verdict:
            self.required += weight


class Keep:
    """What may happen where an entry is kept that was dropped: whether some property can be violated from there.

    All reachable states are known to be safe, and so is what a search without a violation has seen; states on the way to a
    violation are known to be unsafe.  So each state is searched through once, however often it is asked about.
    """

    def __init__(self, reference: Reference, symmetry: Symmetry | None, reachable: Iterable[State]) -> None:
        self.reference = reference
        self.canonical: Callable[[State], State] = symmetry.canonical if symmetry else lambda state: state
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
