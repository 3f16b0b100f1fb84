"""A page in which the reader picks each step from those that are possible: what it changes, and what can break from there.

The graph of states is in the page, so that it needs nothing else; policies stand side by side, and take the same steps as long as
they can.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import networkx as nx

from flushproof.model.ir.instance import State
from flushproof.model.ir.trace import Trace
from flushproof.report.machine import Machine
from flushproof.report.page import embedded, rendered, what
from flushproof.report.words import Story, property_of, title_of
from flushproof.search.graph import Graph
from flushproof.search.reference.interpreter import Reference
from flushproof.search.task import NO_DEADLOCK, WELL_DEFINED


def explorer_page(graphs: Sequence[Graph], source: str) -> str:
    """The page of one or more policies of a system; source: how to load it again."""
    first = graphs[0].instance
    return rendered(
        "explore.html",
        title=f"Walk through {first.system.name}",
        panels=[
            {"title": title_of(g.instance), "states": len(g.states), "complete": g.complete, "policy": g.instance.policy or ""}
            for g in graphs
        ],
        facts=[fact for g in graphs for fact in what(g.instance, source)],
        data=embedded([_panel(g) for g in graphs]),
    )


def _panel(graph: Graph) -> dict[str, Any]:
    """All that the script gets of one policy."""
    instance = graph.instance
    machine = Machine(Story(_trace(graph, graph.states[0], NO_DEADLOCK)))
    steps: dict[tuple[str, str, str], int] = {}
    edges = []
    for state, found in zip(graph.states, graph.edges, strict=True):
        story = Story(_trace(graph, state, NO_DEADLOCK))
        row = []
        for edge in found:
            key = ", ".join([edge.step.action, *(f"{n} {c}" for n, c in sorted(edge.step.binding.items()))])
            said = (story.actor(0, edge.step).name, story.words(edge.step, state), key)
            row.append([-1 if edge.target is None else edge.target, steps.setdefault(said, len(steps))])
        edges.append(row)
    broken = dict(_broken(graph))
    names = list(dict.fromkeys(name for found in broken.values() for name, _ in found))
    plan = nx.multipartite_layout(graph.as_networkx(), subset_key="depth", align="horizontal")
    tree = [machine.difference(graph.states[p] if p >= 0 else None, s) for p, s in zip(graph.parents, graph.states, strict=True)]
    return {
        "policy": instance.policy or "",
        "owners": machine.owners(),
        "slots": [machine.slot(slot) for slot in instance.slots],
        "parents": list(graph.parents),
        "tree": tree,
        "starts": graph.starts,
        "steps": [{"who": who, "text": text, "key": key} for who, text, key in steps],
        "edges": edges,
        "broken": {str(number): found for number, found in broken.items()},
        "properties": names,
        "may": _may(graph, broken, names) if graph.complete else None,
        "plan": [[round(float(plan[n][0]), 4), round(float(plan[n][1]), 4)] for n in range(len(graph.states))],
        "values": machine.values(),
    }


def _trace(graph: Graph, state: State, name: str, clause: int | None = None, witness: dict[str, int] | None = None) -> Trace:
    return Trace(graph.instance, state, (), name, clause, witness)


def _broken(graph: Graph) -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """The states in which something is violated: the properties, each with the sentence that says what is wrong."""
    reference, instance = Reference(graph.instance), graph.instance
    invariants = [p for p in instance.system.properties if p.kind == "invariant"]
    if (defined := property_of(instance, WELL_DEFINED)) is not None:
        invariants.append(defined)
    checkers = [(prop, reference.checker(prop)) for prop in invariants]
    for number, state in enumerate(graph.states):
        found = []
        for prop, checker in checkers:
            if (violation := checker(state)) is not None:
                params = prop.clauses[violation.clause].params
                witness = {p.name: code for p, code in zip(params, violation.witness, strict=True)}
                found.append((prop.name, Story(_trace(graph, state, prop.name, violation.clause, witness)).sentence))
        if not graph.edges[number] and not reference.is_final(state):
            found.append((NO_DEADLOCK, Story(_trace(graph, state, NO_DEADLOCK)).sentence))
        if found:
            yield number, found


def _may(graph: Graph, broken: dict[int, list[tuple[str, str]]], names: list[str]) -> list[int]:
    """For each state which properties can be violated there or later: the sum of the powers of two of their numbers."""
    backwards = graph.as_networkx().reverse(copy=False)
    masks = [0] * len(graph.states)
    for bit, name in enumerate(names):
        ends = [number for number, found in broken.items() if any(said == name for said, _ in found)]
        for number in nx.multi_source_dijkstra_path_length(backwards, set(ends), weight=None) if ends else ():
            masks[number] |= 1 << bit
    return masks
