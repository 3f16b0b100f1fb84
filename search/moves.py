"""All steps between the states that a search stored, by number: who takes each, and which parts of their graph can repeat for ever.

Of the graph without the steps of progress, the strongly connected parts are what may repeat for ever.  A part is fair if whoever
could take a step in each of its states takes one in it: then going through all of it is a fair execution.  A part that is not fair
has no fair cycle inside: whoever could take a step in all of it, and takes none in it, could in all of any cycle, and takes
none there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np
from flushproof.model.ir import Action
from flushproof.model.ir.fairness import Unit, unit_of
from flushproof.model.ir.instance import Instance

Numbers = np.ndarray[Any, np.dtype[Any]]
"""Whole numbers, of any width."""

Truths = np.ndarray[Any, np.dtype[np.bool_]]

_PIECE = 1 << 16
"""The steps from so many states are looked at together."""


class Kinds:
    """Steps told apart by their action and by who takes them: each pair is a *kind*, with a number.

    actions: of each kind the number of its action in the system; who: of each kind who takes it, as a number; units: how many
    there are to take steps.
    """

    def __init__(self, instance: Instance) -> None:
        self.instance, system = instance, instance.system
        self._first: dict[str, int] = {}
        self._counts: dict[str, tuple[int, ...]] = {}
        numbers: dict[Unit, int] = {}
        actions: list[int] = []
        who: list[int] = []
        for number, action in enumerate(system.actions):
            sorts = tuple(p.of for p in action.params)
            own = len(unit_of(system, action, range(len(sorts)))[1])
            self._first[action.name] = len(who)
            self._counts[action.name] = tuple(map(instance.cardinality, sorts[:own]))
            for codes in instance.assignments(sorts[:own]):
                actions.append(number)
                who.append(numbers.setdefault(unit_of(system, action, codes), len(numbers)))
        self.actions, self.who = np.array(actions, np.uint32), np.array(who, np.uint32)
        self.units = len(numbers)

    def weights(self, action: Action) -> tuple[int, tuple[int, ...]]:
        """The number of an action's kind is the first of these, and its parameters' codes, each so often: those that say who
        takes it, which come first."""
        counts = self._counts[action.name]
        return self._first[action.name], tuple(math.prod(counts[i + 1 :]) for i in range(len(counts)))

    def number(self, action: Action, codes: Sequence[int]) -> int:
        """The kind of a step."""
        first, weights = self.weights(action)
        return first + sum(w * c for w, c in zip(weights, codes, strict=False))

    def but(self, names: Sequence[str]) -> Truths:
        """Of each kind, whether its action is none of these names."""
        named = [number for number, action in enumerate(self.instance.system.actions) if action.name in names]
        return ~np.isin(self.actions, named)


@dataclass(frozen=True)
class Moves:
    """The steps from a state are those from `offsets` of its number on: of each the number of its `targets`, and its kind.

    States have numbers in the order of a breadth-first search, the first `initial` of them being initial ones.
    compile_seconds: how much of the time went into making code.
    """

    kinds: Kinds
    initial: int
    offsets: Numbers
    targets: Numbers
    taken: Numbers
    compile_seconds: float

    @property
    def count(self) -> int:
        """How many states there are."""
        return len(self.offsets) - 1

    def source(self, step: int) -> int:
        """Where a step begins."""
        return int(np.searchsorted(self.offsets, step, "right")) - 1

    def who(self, steps: Numbers | slice) -> Numbers:
        """Who takes these steps."""
        found: Numbers = self.kinds.who[self.taken[steps]]
        return found

    def of(self, number: int) -> slice:
        """The steps from a state."""
        return slice(int(self.offsets[number]), int(self.offsets[number + 1]))

    def enabled(self, number: int) -> set[int]:
        """Who could take a step."""
        return set(self.who(self.of(number)).tolist())

    def way(self, number: int) -> list[int]:
        """The steps of a shortest way to a state: back, always by the first step that leads there."""
        steps: list[int] = []
        while number >= self.initial:
            steps.append(int(np.argmax(self.targets == number)))
            number = self.source(steps[-1])
        return steps[::-1]

    def fair_part(self, idle: Truths, owing: Truths, look: Callable[[], None]) -> Truths | None:
        """Which states the nearest part has that can repeat for ever, fairly and by idle steps alone; None if there is none.

        idle: of each kind, whether it is no progress; owing: of each state, whether it may be in the part; look: called now and
        then, for who sees to limits.
        """
        count, units = self.count, max(self.kinds.units, 1)
        sources, targets = np.repeat(np.arange(count), np.diff(self.offsets)), self.targets.astype(np.int64)
        who = self.who(slice(None)).astype(np.int64)
        follows = owing[sources] & owing[targets] & idle[self.taken]
        part = _parts(count, sources[follows], targets[follows])
        look()
        inside = follows & (part[sources] >= 0) & (part[sources] == part[targets])
        taken = np.unique(part[sources[inside]] * units + who[inside])
        states, could = np.divmod(np.unique(sources * units + who), units)
        keys, often = np.unique((part[states] * units + could)[part[states] >= 0], return_counts=True)
        sizes = np.bincount(part[part >= 0], minlength=1)
        always = keys[often == sizes[keys // units]]
        unfair = np.unique(np.setdiff1d(always, taken) // units)
        fair = (part >= 0) & ~np.isin(part, unfair)
        found: Truths = part == part[np.argmax(fair)]
        return found if fair.any() else None

    def round(self, part: Truths, idle: Truths) -> list[int]:
        """The steps of a way through a fair part, from its first state back to it, on which everyone takes a step or once could
        not."""
        first = int(np.argmax(part))
        pending, here, steps = self.enabled(first), first, list[int]()
        while pending or here != first or not steps:
            for step in self._nearest(part, idle, here, pending, first):
                steps.append(step)
                here = int(self.targets[step])
                pending = (pending - {int(self.kinds.who[self.taken[step]])}) & self.enabled(here)
        return steps

    def _nearest(self, part: Truths, idle: Truths, start: int, pending: set[int], first: int) -> list[int]:
        """The shortest way from a state, within a part, to where fewer are pending; back to the first state if nobody is."""
        seen = np.zeros(self.count, np.bool_)
        seen[start] = True
        waiting = np.isin(np.arange(self.kinds.units), list(pending))
        here, ways = np.array([start]), list[tuple[Numbers, Numbers]]()
        while len(here):
            reached = list[tuple[Numbers, Numbers]]()
            for piece in np.split(here, range(_PIECE, len(here), _PIECE)):
                steps, _ = self._from(piece)
                steps = steps[idle[self.taken[steps]] & part[self.targets[steps]]]
                targets = self.targets[steps]
                served = waiting[self.who(steps)] | self._fewer(targets, waiting) if pending else targets == first
                if served.any():
                    way = [int(steps[np.argmax(served)])]
                    for states, before in reversed(ways):
                        way.append(int(before[np.argmax(states == self.source(way[-1]))]))
                    return way[::-1]
                steps = steps[~seen[targets]]
                new, at = np.unique(self.targets[steps], return_index=True)
                order = np.argsort(at)
                reached.append((new[order], steps[at[order]]))
                seen[new] = True
            here, steps = (np.concatenate(column) for column in zip(*reached, strict=True))
            ways.append((here, steps))
        raise AssertionError("a fair part has a way through it")

    def _from(self, states: Numbers) -> tuple[Numbers, Numbers]:
        """The steps from these states, and of each the place of its state among them."""
        first, counts = self.offsets[states].astype(np.int64), np.diff(self.offsets)[states].astype(np.int64)
        places = np.repeat(np.arange(len(states)), counts)
        return first[places] + np.arange(len(places)) - (np.cumsum(counts) - counts)[places], places

    def _fewer(self, states: Numbers, waiting: Truths) -> Truths:
        """Of each of these states, whether some who wait could take no step in it."""
        different, back = np.unique(states, return_inverse=True)
        steps, places = self._from(different)
        who = self.who(steps)
        pairs = np.unique((places * self.kinds.units + who)[waiting[who]])
        can = np.bincount(pairs // self.kinds.units, minlength=len(different))
        fewer: Truths = (can < waiting.sum())[back]
        return fewer


def _parts(count: int, sources: Numbers, targets: Numbers) -> Numbers:
    """For each state the number of the strongly connected part that it is in; -1 where that has no step inside.

    A state to which, or from which, no step leads is on no cycle: such states are taken away until there are none.
    """
    found = np.full(count, -1, np.int64)
    alone = np.unique(sources[sources == targets])
    sources, targets = (ends[sources != targets] for ends in (sources, targets))
    while True:
        onward = np.zeros((2, count), np.bool_)
        onward[0, sources], onward[1, targets] = True, True
        kept = onward[1, sources] & onward[0, targets]
        if kept.all():
            break
        sources, targets = sources[kept], targets[kept]
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_edges_from(zip(sources.tolist(), targets.tolist(), strict=True))
    number = 0
    for part in nx.strongly_connected_components(graph):
        if len(part) > 1:
            found[list(part)] = number
            number += 1
    alone = alone[found[alone] < 0]
    found[alone] = np.arange(number, number + len(alone))
    return found
