"""The lattice of policies as a picture, SVG or PNG: what is safe, what is not, the named policies and the weakest safe ones.

A policy stands above those that are weaker.  A small lattice is drawn whole; of a larger one the named policies, the weakest safe
ones and the steps below those, with the order among them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import networkx as nx

from flushproof.laboratory.judging import Answer
from flushproof.laboratory.lattice import Lattice, Point, combinations
from flushproof.report.plotting import matplotlib, refuse_picture, write_figure

MOST_DRAWN = 400
"""A lattice with more policies is not drawn whole."""

SAFE, UNSAFE, UNKNOWN = "#2a9d63", "#c8553d", "#9a9a9a"

def draw(answer: Answer, path: Path) -> int:
    """Draws the lattice into a file; how many policies it shows.

    Raises:
        FlushproofError: as `refuse_picture`; the file cannot be written.
    """
    refuse_picture(path)
    lattice = answer.lattice
    names = _names(answer)
    graph = _graph(lattice, _shown(answer, names))
    figure, axes = matplotlib().subplots(figsize=_size(graph), layout="constrained")
    routed, place = _places(graph)
    nx.draw_networkx_edges(routed, place, ax=axes, arrows=False, edge_color="#d5d5d5", width=0.7)
    small = len(graph) > 60
    for colour, points in _by_colour(answer, graph.nodes).items():
        nx.draw_networkx_nodes(graph, place, nodelist=points, node_color=colour, node_size=22 if small else 90, ax=axes)
    weakest = [w.point for w in answer.weakest if w.point in graph]
    nx.draw_networkx_nodes(
        graph, place, nodelist=weakest, node_color=SAFE, edgecolors="black", linewidths=1.8, node_size=110, ax=axes
    )
    for point, name in names.items():
        axes.annotate(name, place[point], xytext=(4, 5), textcoords="offset points", fontsize=8, rotation=32)
    _explained(axes, answer, len(graph))
    write_figure(figure, path)
    return len(graph)


def _names(answer: Answer) -> dict[Point, str]:
    """What is written beside a policy: its names, or what makes one of the weakest."""
    found: dict[Point, list[str]] = {}
    for name, point in answer.lattice.named().items():
        found.setdefault(point, []).append(name)
    for number, one in enumerate(answer.weakest, 1):
        found.setdefault(one.point, []).append(f"weakest {number}")
    return {point: ", ".join(names) for point, names in found.items()}


def _shown(answer: Answer, names: Mapping[Point, str]) -> list[Point]:
    lattice = answer.lattice
    if lattice.count <= MOST_DRAWN:
        return list(combinations(lattice))
    below = (p for one in answer.weakest for p in lattice.below(one.point))
    return list(dict.fromkeys((*names, *below)))


def _graph(lattice: Lattice, points: Collection[Point]) -> Any:
    """An edge from each policy to each stronger one, without those that follow from others."""
    graph: Any = nx.DiGraph()
    graph.add_nodes_from(points)
    if len(points) == lattice.count:
        graph.add_edges_from((below, point) for point in points for below in lattice.below(point))
        return graph
    graph.add_edges_from((p, q) for p in points for q in points if p != q and lattice.is_below(p, q))
    return nx.transitive_reduction(graph)


def _places(graph: Any) -> tuple[Any, Mapping[Point, Any]]:
    """Layer over layer, by the longest way from below; beside each other in the order of what they stand on.

    An edge past a layer has a place of its own there: it would go through a policy otherwise, as if it ended there.  So the places
    come with the graph that has these besides.
    """
    layers = {point: 0 for point in graph}
    for point in nx.topological_sort(graph):
        layers[point] = max((layers[p] + 1 for p in graph.predecessors(point)), default=0)
    routed: Any = nx.DiGraph()
    routed.add_nodes_from(graph)
    for below, above in graph.edges:
        passed = {(*below, *above, layer): layer for layer in range(layers[below] + 1, layers[above])}
        layers.update(passed)
        nx.add_path(routed, (below, *passed, above))
    across: dict[Point, float] = {}
    for layer in range(max(layers.values()) + 1):
        mine = [p for p in routed if layers[p] == layer]
        wish = {p: sum(across[q] for q in routed.predecessors(p)) / max(1, routed.in_degree(p)) for p in mine}
        for number, point in enumerate(sorted(mine, key=lambda p: (wish[p], p))):
            across[point] = (number + 0.5) / len(mine)
    return routed, {point: (across[point], layers[point]) for point in routed}


def _by_colour(answer: Answer, points: Collection[Point]) -> Mapping[str, list[Point]]:
    decided = answer.decided
    found: dict[str, list[Point]] = {SAFE: [], UNSAFE: [], UNKNOWN: []}
    for point in points:
        found[SAFE if decided.holds[point] else UNSAFE if decided.fails[point] else UNKNOWN].append(point)
    return found


def _explained(axes: Any, answer: Answer, shown: int) -> None:
    """The title, what the colours mean, and what the weakest policies are."""
    lattice = answer.lattice
    part = "" if shown == lattice.count else f", {shown} of them drawn"
    axes.set_title(f"{lattice}: {lattice.count:,} policies{part}", fontsize=11, loc="left")
    lines = []
    for number, one in enumerate(answer.weakest[:8], 1):
        breaks = f", not safe at {', nor at '.join(one.breaks)}" if one.breaks else ""
        lines.append(f"weakest {number}: {one.text}{breaks}")
    axes.set_xlabel("\n".join(lines), fontsize=7, loc="left", wrap=True)
    axes.set_ylabel("stronger →", fontsize=9)
    for colour, text in ((SAFE, "safe"), (UNSAFE, "not safe"), (UNKNOWN, "not decided")):
        if colour != UNKNOWN or answer.decided.left.any():
            axes.scatter([], [], c=colour, label=text)
    axes.scatter([], [], c=SAFE, edgecolors="black", linewidths=1.8, s=60, label="weakest safe")
    axes.legend(loc="upper right", fontsize=8, frameon=False, ncols=4, bbox_to_anchor=(1.0, 1.07))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.margins(0.06)


def _size(graph: Any) -> tuple[float, float]:
    return (11.0, 7.5) if len(graph) > 24 else (9.0, 6.0)
