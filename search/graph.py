"""The states and steps of a small instance as a graph, to be walked through by people: as much of it as was asked for.

In a graph to walk through states are not taken together by symmetry, since an element that changes its name from step to step
cannot be followed; only of initial states that differ in names alone one is kept.  In one to look at they are.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import networkx as nx
from flushproof.model.ir.instance import Instance, State
from flushproof.model.ir.trace import Step

from .reductions.symmetry import Symmetry
from .walk import Walks


@dataclass(frozen=True)
class Edge:
    """A step that is possible in a state; target: the number of the state after it, None if that is not in the graph."""

    step: Step
    target: int | None


@dataclass(frozen=True)
class Graph:
    """What can happen.

    states: the initial ones first; starts: how many those are; edges: the steps of each state; parents: of each state the one from
    which it was reached first, -1 for an initial one; complete: whether every reachable state is in it, up to names.
    """

    instance: Instance
    states: tuple[State, ...]
    starts: int
    edges: tuple[tuple[Edge, ...], ...]
    parents: tuple[int, ...]
    complete: bool

    def as_networkx(self) -> nx.DiGraph[int]:
        """The numbers of the states as nodes, with their `depth`."""
        graph: nx.DiGraph[int] = nx.DiGraph()
        depth: list[int] = []
        for number, parent in enumerate(self.parents):
            depth.append(0 if parent < 0 else depth[parent] + 1)
            graph.add_node(number, depth=depth[number])
        graph.add_edges_from((n, e.target) for n, found in enumerate(self.edges) for e in found if e.target is not None)
        return graph


def graph(instance: Instance, most: int, along: Sequence[State] = (), by_names: bool = True) -> Graph:
    """The graph of an instance, breadth first.

    most: how many states it may have; along: a walk whose states are in it too; by_names: whether states that differ in names alone
    are told apart.
    """
    walks = Walks(instance)
    known: Callable[[State], State] = (lambda state: state) if by_names else Symmetry(instance).canonical
    states = walks.starts(most, along[:1])
    numbers = {known(state): number for number, state in enumerate(states)}
    starts, parents = len(numbers), [-1] * len(numbers)
    for before, after in itertools.pairwise(along):
        if known(after) not in numbers:
            numbers[known(after)] = len(numbers)
            states.append(after)
            parents.append(numbers[known(before)])
    edges: list[tuple[Edge, ...]] = []
    for state in states:  # which grows meanwhile
        found = []
        for step in walks.possible(state):
            after = known(step.state)
            if after not in numbers and len(numbers) < most:
                numbers[after] = len(numbers)
                states.append(step.state)
                parents.append(numbers[known(state)])
            found.append(Edge(step, numbers.get(after)))
        edges.append(tuple(found))
    complete = all(edge.target is not None for found in edges for edge in found) and starts < most
    return Graph(instance, tuple(states), starts, tuple(edges), tuple(parents), complete)
