"""Executions without an end in which nothing gets done: cycles without a step of progress, weakly fair to everyone.

All states and steps are made by the interpreter, without symmetry and with every step apart: who takes a step and who could is
what fairness is about, and both reductions blur it.  Of the graph without the steps of progress, the strongly connected parts are
what may repeat for ever.  A part is fair if whoever could take a step in each of its states takes one in it: then going through
all of it is a fair execution.  A part that is not fair has no fair cycle inside: whoever could take a step in all of it, and
takes none in it, could in all of any cycle, and takes none there.

States and steps are numbers in arrays.  A state to which, or from which, no step without progress leads is on no cycle: such states
are taken away until there are none, and the strongly connected parts are looked for in the rest.  That is tens of thousands of
states a second, not millions: `MOST_STATES` is where it ends.
"""

from __future__ import annotations

import time
from array import array
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import networkx as nx
import numpy as np
import psutil
from flushproof.model.errors import FlushproofError
from flushproof.model.ir import TRUE, Action, Progress
from flushproof.model.ir.evaluate import evaluate
from flushproof.model.ir.fairness import Unit, unit_of
from flushproof.model.ir.instance import Instance, State
from flushproof.model.ir.trace import Step, Trace

from .outcome import Later, Violated
from .reference.interpreter import Codes, Reference
from .replay import binding
from .task import Limits, Points

MOST_STATES = 1_000_000
"""Among so many states cycles are looked for."""


def refuse_cycles(bound: int | None) -> None:
    """Where cycles cannot be looked for.

    Raises:
        FlushproofError: steps are cut off.
    """
    if bound is not None:
        raise FlushproofError(
            "progress cannot be asked for with counters up to a bound: an execution without an end may need a step that is cut "
            "off. Leave out --rename off."
        )


@dataclass(frozen=True)
class _Move:
    """A step from one numbered state to another."""

    target: int
    action: Action
    codes: Codes
    unit: Unit


class _Graph:
    """All reachable states: by number, in the order of a breadth-first search, each with the state that it was found from.

    The steps from a state are those from `offsets[number]` on, in the order in which the interpreter makes them: of each its
    target, and the numbers of its action and of who takes it.
    """

    def __init__(self, instance: Instance, points: Points | None) -> None:
        self.instance, self.reference = instance, Reference(instance, points)
        self.states: list[State] = []
        self.came_from, self.offsets, self.targets = array("q"), array("q", [0]), array("q")
        self.actions, self.units = array("q"), array("q")
        self.known: dict[tuple[str, Codes], tuple[int, int]] = {}
        self.who: dict[Unit, int] = {}
        self.named = {action.name: number for number, action in enumerate(instance.system.actions)}

    def add(self, action: Action, codes: Codes, target: int) -> None:
        """A step from the last state that has steps."""
        known = self.known.get((action.name, codes))
        if known is None:
            unit = self.who.setdefault(unit_of(self.instance.system, action, codes), len(self.who))
            known = self.known[action.name, codes] = self.named[action.name], unit
        self.targets.append(target)
        self.actions.append(known[0])
        self.units.append(known[1])

    def moves(self, number: int) -> list[_Move]:
        """The steps from a state."""
        taken = self.reference.successors(self.states[number])
        targets = self.targets[self.offsets[number] : self.offsets[number + 1]]
        system = self.instance.system
        return [
            _Move(target, action, codes, unit_of(system, action, codes))
            for (action, codes, _), target in zip(taken, targets, strict=True)
        ]

    def enabled(self, number: int) -> set[Unit]:
        """Who could take a step."""
        return {move.unit for move in self.moves(number)}


class _Limit(Exception):
    """A limit was reached; the text says which."""


def look_for_cycles(
    instance: Instance, asked: Sequence[Progress], limits: Limits, points: Points | None = None
) -> Later:
    """Looks for an execution without an end, fair, that is without the progress of one of these; points: see `Task`."""
    started = time.monotonic()
    try:
        graph = _graph(instance, limits, points, started)
    except _Limit as limit:
        return Later(
            seconds=time.monotonic() - started, reason=f"{limit} while cycles without progress were looked for"
        )
    violated: Violated | None = None
    for progress in asked:
        found = _lasso(graph, progress)
        if found is not None and (violated is None or found.depth < violated.depth):
            violated = found
    return Later(violated, seconds=time.monotonic() - started)


def _graph(instance: Instance, limits: Limits, points: Points | None, started: float) -> _Graph:
    graph, process = _Graph(instance, points), psutil.Process()
    numbers: dict[State, int] = {}

    def number_of(state: State, before: int) -> int:
        number = numbers.setdefault(state, len(graph.states))
        if number == len(graph.states):
            if number == MOST_STATES:
                raise _Limit(f"the limit of {MOST_STATES:,} states, symmetry off,")
            graph.states.append(state)
            graph.came_from.append(before)
        return number

    for state in graph.reference.initial_states():
        number_of(state, -1)
    for number, state in enumerate(graph.states):
        if limits.seconds is not None and time.monotonic() - started > limits.seconds:
            raise _Limit(f"the limit of {limits.seconds:g} seconds")
        if limits.memory_bytes is not None and number % 4096 == 0 and process.memory_info().rss > limits.memory_bytes:
            raise _Limit(f"the limit of {limits.memory_bytes} bytes of memory")
        for action, codes, after in graph.reference.successors(state):
            graph.add(action, codes, number_of(after, number))
        graph.offsets.append(len(graph.targets))
    return graph


def _lasso(graph: _Graph, progress: Progress) -> Violated | None:
    """The nearest fair part without progress, and a way into it and through it."""
    part = _fair_part(graph, progress)
    if part is None:
        return None
    first = min(part)
    way = [first]
    while graph.came_from[way[-1]] >= 0:
        way.append(graph.came_from[way[-1]])
    way.reverse()
    prefix = [next(m for m in graph.moves(a) if m.target == b) for a, b in pairwise(way)]
    repeated = list(_round(graph, part, first, progress))
    steps = tuple(
        Step(m.action.name, binding(m.action.params, m.codes), graph.states[m.target]) for m in (*prefix, *repeated)
    )
    trace = Trace(graph.instance, graph.states[way[0]], steps, progress.name, cycle=len(prefix))
    return Violated(progress.name, len(prefix), trace)


def _fair_part(graph: _Graph, progress: Progress) -> frozenset[int] | None:
    """The states of the nearest part that can repeat for ever, fairly and without progress; None if there is none.

    Whoever could take a step in each state of a part takes one inside.
    """
    count, units = len(graph.states), max(len(graph.who), 1)
    offsets, targets, actions, who = (
        np.frombuffer(a, np.int64) if len(a) else np.zeros(0, np.int64)
        for a in (graph.offsets, graph.targets, graph.actions, graph.units)
    )
    sources = np.repeat(np.arange(count), np.diff(offsets))
    owing = np.ones(count, np.bool_)
    if progress.within is not TRUE:
        owing[:] = [bool(evaluate(progress.within, {}, state, graph.instance)) for state in graph.states]
    done = [graph.named[name] for name in progress.actions if name in graph.named]
    idle = owing[sources] & owing[targets] & ~np.isin(actions, done)
    part = _parts(count, sources[idle], targets[idle])
    inside = idle & (part[sources] >= 0) & (part[sources] == part[targets])
    taken = np.unique(part[sources[inside]] * units + who[inside])
    states, could = np.divmod(np.unique(sources * units + who), units)
    keys, often = np.unique((part[states] * units + could)[part[states] >= 0], return_counts=True)
    sizes = np.bincount(part[part >= 0], minlength=1)
    always = keys[often == sizes[keys // units]]
    unfair = np.unique(np.setdiff1d(always, taken) // units)
    fair = (part >= 0) & ~np.isin(part, unfair)
    return None if not fair.any() else frozenset(np.flatnonzero(part == part[np.argmax(fair)]).tolist())


_Numbers = np.ndarray[Any, np.dtype[np.int64]]


def _parts(count: int, sources: _Numbers, targets: _Numbers) -> _Numbers:
    """For each state the number of the strongly connected part that it is in; -1 where that has no step inside."""
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


def _inside(graph: _Graph, part: Collection[int], number: int, progress: Progress) -> Iterator[_Move]:
    """The steps within a part that are no progress."""
    return (m for m in graph.moves(number) if m.target in part and m.action.name not in progress.actions)


def _round(graph: _Graph, part: Collection[int], first: int, progress: Progress) -> Iterator[_Move]:
    """A way through a fair part, back to its first state, on which everyone takes a step or once could not."""
    pending = graph.enabled(first)
    here, left = first, True
    while pending or left:
        for move in _nearest(graph, part, here, progress, pending, first):
            yield move
            here = move.target
            pending = (pending - {move.unit}) & graph.enabled(here)
        left = here != first


def _nearest(
    graph: _Graph, part: Collection[int], start: int, progress: Progress, pending: set[Unit], first: int
) -> list[_Move]:
    """The shortest way from a state, within a part, to where fewer are pending; back to the first state if nobody is."""
    ways: deque[tuple[int, list[_Move]]] = deque([(start, [])])
    seen = {start}
    while ways:
        here, way = ways.popleft()
        for move in _inside(graph, part, here, progress):
            served = move.unit in pending or not pending <= graph.enabled(move.target)
            if served if pending else move.target == first:
                return [*way, move]
            if move.target not in seen:
                seen.add(move.target)
                ways.append((move.target, [*way, move]))
    raise AssertionError("a fair part has a way through it")
