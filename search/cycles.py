"""Executions without an end in which nothing gets done: cycles without a step of progress, weakly fair to everyone.

All states and steps are made by the interpreter, without symmetry and with every step apart: who takes a step and who could is
what fairness is about, and both reductions blur it.  Of the graph without the steps of progress, the strongly connected parts are
what may repeat for ever.  A part is fair if whoever could take a step in each of its states takes one in it: then going through
all of it is a fair execution.  A part that is not fair has no fair cycle inside: whoever could take a step in all of it, and
takes none in it, could in all of any cycle, and takes none there.

That is thousands of states a second, not millions: `MOST_STATES` is where it ends.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import networkx as nx
from flushproof.model.errors import FlushproofError
from flushproof.model.ir import Action, Progress
from flushproof.model.ir.evaluate import evaluate
from flushproof.model.ir.fairness import Unit, unit_of
from flushproof.model.ir.instance import Instance, State
from flushproof.model.ir.trace import Step, Trace

from .outcome import Later, Violated
from .reference.interpreter import Codes, Reference
from .replay import binding
from .task import Limits, Points

MOST_STATES = 100_000
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


@dataclass
class _Graph:
    """All reachable states: by number, in the order of a breadth-first search, each with the state that it was found from."""

    states: list[State] = field(default_factory=list)
    came_from: list[int] = field(default_factory=list)
    moves: list[list[_Move]] = field(default_factory=list)

    def enabled(self, number: int) -> set[Unit]:
        """Who could take a step."""
        return {move.unit for move in self.moves[number]}


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
        return Later(seconds=time.monotonic() - started, reason=f"{limit} while cycles without progress were looked for")
    violated: Violated | None = None
    for progress in asked:
        found = _lasso(instance, graph, progress)
        if found is not None and (violated is None or found.depth < violated.depth):
            violated = found
    return Later(violated, seconds=time.monotonic() - started)


def _graph(instance: Instance, limits: Limits, points: Points | None, started: float) -> _Graph:
    reference, graph = Reference(instance, points), _Graph()
    numbers: dict[State, int] = {}

    def number_of(state: State, before: int) -> int:
        if state not in numbers:
            if len(numbers) == MOST_STATES:
                raise _Limit(f"the limit of {MOST_STATES:,} states, symmetry off,")
            numbers[state] = len(graph.states)
            graph.states.append(state)
            graph.came_from.append(before)
        return numbers[state]

    for state in reference.initial_states():
        number_of(state, -1)
    for number, state in enumerate(graph.states):
        if limits.seconds is not None and time.monotonic() - started > limits.seconds:
            raise _Limit(f"the limit of {limits.seconds:g} seconds")
        graph.moves.append(
            [
                _Move(number_of(after, number), action, codes, unit_of(instance.system, action, codes))
                for action, codes, after in reference.successors(state)
            ]
        )
    return graph


def _lasso(instance: Instance, graph: _Graph, progress: Progress) -> Violated | None:
    """The nearest fair part without progress, and a way into it and through it."""
    owing = [bool(evaluate(progress.within, {}, state, instance)) for state in graph.states]
    idle: nx.DiGraph[int] = nx.DiGraph()
    idle.add_nodes_from(number for number, owes in enumerate(owing) if owes)
    idle.add_edges_from(
        (number, move.target)
        for number in idle.nodes
        for move in graph.moves[number]
        if move.action.name not in progress.actions and owing[move.target]
    )
    parts = [part for part in nx.strongly_connected_components(idle) if _is_fair(graph, part, progress)]
    if not parts:
        return None
    part = min(parts, key=min)
    first = min(part)
    way = [first]
    while graph.came_from[way[-1]] >= 0:
        way.append(graph.came_from[way[-1]])
    way.reverse()
    prefix = [next(m for m in graph.moves[a] if m.target == b) for a, b in pairwise(way)]
    repeated = list(_round(graph, part, first, progress))
    steps = tuple(
        Step(m.action.name, binding(m.action.params, m.codes), graph.states[m.target]) for m in (*prefix, *repeated)
    )
    trace = Trace(instance, graph.states[way[0]], steps, progress.name, cycle=len(prefix))
    return Violated(progress.name, len(prefix), trace)


def _inside(graph: _Graph, part: Collection[int], number: int, progress: Progress) -> Iterator[_Move]:
    """The steps within a part that are no progress."""
    return (m for m in graph.moves[number] if m.target in part and m.action.name not in progress.actions)


def _always_possible(graph: _Graph, part: Collection[int]) -> set[Unit]:
    """Who could take a step in each state of a part."""
    return set.intersection(*(graph.enabled(number) for number in part))


def _is_fair(graph: _Graph, part: Collection[int], progress: Progress) -> bool:
    """Whether a part has a step at all, and one of everyone who could always take one."""
    taken = {m.unit for number in part for m in _inside(graph, part, number, progress)}
    return bool(taken) and _always_possible(graph, part) <= taken


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
