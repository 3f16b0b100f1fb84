"""The states of a small instance as a picture, SVG or PNG: which step leads where, and where something is violated.

States that differ in names alone are one, and steps between such are left out; the distance from the start grows downwards.  A
small graph says in words what its steps do; a larger one shows its shape.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import networkx as nx

from flushproof.model.ir.instance import State
from flushproof.model.ir.trace import walked
from flushproof.report.plotting import matplotlib, refuse_picture, write_figure
from flushproof.report.words import Story, many, title_of
from flushproof.search.graph import Graph
from flushproof.search.reductions.symmetry import Symmetry
from flushproof.search.walk import Walks

WORDS = 24
"""A graph with more edges than that has no words on them."""

CLEAR = 60
"""A graph with more states than that has small ones without numbers."""

WRAP = 20
"""What a step does is wrapped to so many characters."""

NOTE = "those that differ in names alone are one,\nand steps between such are left out; downwards: further from the start"
"""What stands below each picture."""

ARC = "arc3,rad=0.16"
"""How edges are bent, so that there and back are two."""

PLAIN, BAD, WAY, EDGE, INK = "#dce6f2", "#e9a79f", "#0b57a4", "#9aa3ad", "#1b1f24"

Place = Mapping[int, tuple[float, float]]
Pair = tuple[int, int]


def draw_states(graph: Graph, path: Path, along: Sequence[State] = ()) -> int:
    """Draws a graph of states into a file; how many it shows.

    along: a walk whose steps are marked.

    Raises:
        FlushproofError: the file is neither SVG nor PNG or cannot be written, or matplotlib is not installed.
    """
    refuse_picture(path)
    states, way = graph.as_networkx(), _way(graph, along)
    states.remove_edges_from([pair for pair in states.edges if pair[0] == pair[1]])
    place, small = _places(states), len(states) > CLEAR
    figure, axes = matplotlib().subplots(figsize=_size(place), layout="constrained")
    walks = Walks(graph.instance)
    broken = [n for n, state in enumerate(graph.states) if any(True for _ in walks.violated(state))]
    colours = [BAD if number in set(broken) else PLAIN for number in states]
    size = 30 if small else 340
    nx.draw_networkx_nodes(
        states, place, ax=axes, node_size=size, node_color=colours, edgecolors=INK,
        linewidths=[2.2 if number < graph.starts else 0.6 for number in states],
    )
    for edges, colour, width in ((set(states.edges) - way, EDGE, 0.6 if small else 0.9), (way, WAY, 2.0)):
        nx.draw_networkx_edges(
            states, place, sorted(edges), ax=axes, node_size=size, edge_color=colour, width=width, arrowsize=5 if small else 10,
            connectionstyle=ARC,
        )
    if not small:
        nx.draw_networkx_labels(states, place, ax=axes, font_size=8, font_color=INK)
    if states.number_of_edges() <= WORDS:
        words = {pair: "\n".join(textwrap.wrap("; ".join(dict.fromkeys(said)), WRAP)) for pair, said in _words(graph).items()}
        nx.draw_networkx_edge_labels(states, place, words, ax=axes, font_size=6, rotate=False, label_pos=0.36, connectionstyle=ARC)
    _explained(axes, graph, bool(broken), bool(way))
    write_figure(figure, path)
    return len(states)


def _way(graph: Graph, along: Sequence[State]) -> set[Pair]:
    """The edges of a walk; a step that leads back to where it began is none."""
    canonical = Symmetry(graph.instance).canonical
    numbers = {canonical(state): number for number, state in enumerate(graph.states)}
    return {pair for pair in pairwise(numbers[canonical(state)] for state in along) if pair[0] != pair[1]}


def _words(graph: Graph) -> Mapping[Pair, list[str]]:
    """What the steps from one state to another do."""
    found: dict[Pair, list[str]] = {}
    for number, (state, edges) in enumerate(zip(graph.states, graph.edges, strict=True)):
        for edge in edges:
            if edge.target not in (None, number):
                (row,) = Story(walked(graph.instance, state, (edge.step,))).rows
                found.setdefault((number, edge.target), []).append(row.words)
    return found


def _places(states: nx.DiGraph[int]) -> Place:
    """Row under row by the distance from the start; beside each other in the order of what leads there."""
    place: dict[int, tuple[float, float]] = {}
    for depth, row in enumerate(_rows(states)):
        above = {n: [place[p][0] for p in states.predecessors(n) if p in place] for n in row}
        wish = {n: sum(xs) / len(xs) if xs else 0.0 for n, xs in above.items()}
        for number, n in enumerate(sorted(row, key=lambda n: (wish[n], n))):
            place[n] = (number - (len(row) - 1) / 2, -float(depth))
    return place


def _rows(states: nx.DiGraph[int]) -> Iterator[list[int]]:
    depth = nx.get_node_attributes(states, "depth")
    for level in range(max(depth.values()) + 1):
        yield [number for number in states if depth[number] == level]


def _size(place: Place) -> tuple[float, float]:
    """Of the picture, in inches: room for each state, within a page or a screen."""
    wide = max(x for x, _ in place.values()) * 2 + 1
    high = 1 - min(y for _, y in place.values())
    return min(max(6.0, 1.7 * wide), 16.0), min(max(4.0, 0.95 * high), 16.0)


def _explained(axes: Any, graph: Graph, broken: bool, way: bool) -> None:
    """The title, and what the colours mean."""
    scope = "all states" if graph.complete else f"the nearest {len(graph.states):,} states"
    axes.set_title(f"{title_of(graph.instance)}: {many(len(graph.states), 'state')}", fontsize=11, loc="left")
    shown = [("#ffffff", 2.0, "start"), *([(BAD, 0.6, "something is violated")] if broken else [])]
    for colour, width, text in shown:
        axes.scatter([], [], c=colour, edgecolors=INK, linewidths=width, s=60, label=text)
    if way:
        axes.plot([], [], color=WAY, linewidth=2, label="the walk")
    axes.legend(loc="lower right", fontsize=8, frameon=False, bbox_to_anchor=(1.0, 1.0), ncols=3, borderpad=0)
    axes.set_xlabel(f"{scope}; {NOTE}", fontsize=8, loc="left")
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.margins(0.1, 0.05)
