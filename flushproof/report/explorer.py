"""A page in which the reader picks each step from those that are possible: what it changes, and what can break from there.

The graph of states is in the page, so that it needs nothing else; policies stand side by side, and take the same steps where they
can.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import networkx as nx

from flushproof.model.ir.trace import Step, Trace, walked
from flushproof.report.machine import Machine
from flushproof.report.page import Fact, embedded, rendered, what
from flushproof.report.words import Story, title_of
from flushproof.search.graph import Graph
from flushproof.search.walk import Walks


def explorer_page(graphs: Sequence[Graph], source: str, *, along: Trace | None = None, bare: bool = False) -> str:
    """The page of one or more policies of a system.

    source: how to load it again; along: a walk through the first graph, at whose end the page opens; bare: within another page.
    """
    first = graphs[0].instance
    return rendered(
        "explore.html",
        title=f"Walk through {first.system.name}",
        panels=[
            {"title": title_of(g.instance), "states": len(g.states), "complete": g.complete, "policy": g.instance.policy or ""}
            for g in graphs
        ],
        facts=_facts(graphs, source),
        data=embedded({"panels": [_panel(g) for g in graphs], "walk": _begun(graphs[0], along)}),
        bare=bare,
    )


def _facts(graphs: Sequence[Graph], source: str) -> list[Fact]:
    """What is said of each policy alone, one policy after the other, and then what is said of all."""
    said = [what(graph.instance, source) for graph in graphs]
    common = [fact for fact in said[0] if all(fact in one for one in said)]
    return [*(fact for one in said for fact in one if fact not in common), *common]


def _panel(graph: Graph) -> dict[str, Any]:
    """All that the script gets of one policy."""
    instance = graph.instance
    machine = Machine(Story(walked(instance, graph.states[0])))
    steps: dict[tuple[str, str, str], int] = {}
    edges = []
    for state, found in zip(graph.states, graph.edges, strict=True):
        story = Story(walked(instance, state))
        row = []
        possible = [edge.step for edge in found]
        for edge, text in zip(found, story.told(possible, 0), strict=True):
            said = (story.actor(0, edge.step).name, text, _key(edge.step))
            row.append([-1 if edge.target is None else edge.target, steps.setdefault(said, len(steps))])
        edges.append(row)
    broken = dict(broken_in(graph))
    names = list(dict.fromkeys(name for found in broken.values() for name, _ in found))
    plan = nx.multipartite_layout(graph.as_networkx(), subset_key="depth", align="horizontal")
    may = _may(graph, broken, names) if graph.complete else None
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
        "may": may,
        "begin": next((start for start in range(graph.starts) if may is None or may[start]), 0),
        "waits": machine.waits(graph.states),
        "plan": [[round(float(plan[n][0]), 4), round(float(plan[n][1]), 4)] for n in range(len(graph.states))],
        "values": machine.values(),
    }


def _key(step: Step) -> str:
    """What tells a step from others, whatever the policy."""
    return ", ".join([step.action, *(f"{name} {code}" for name, code in sorted(step.binding.items()))])


def _begun(graph: Graph, along: Trace | None) -> list[Any] | None:
    """A walk as an address of the page has it: the number of its start, and its steps."""
    if along is None:
        return None
    return [graph.states.index(along.initial), *(_key(step) for step in along.steps if not step.event)]


def broken_in(graph: Graph) -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """The states in which something is violated: the properties, each with the sentence that says what is wrong."""
    walks = Walks(graph.instance)
    for number, state in enumerate(graph.states):
        if found := [(trace.property, Story(trace).sentence) for trace in walks.violated(state)]:
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
