"""The proof as a graph: which lemmas each conjunct rests on, by the unsatisfiable cores, and for which actions.

A failure is a node of its own colour, with the steps that break it: this is where to think.
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Mapping
from typing import Any

import networkx as nx

from ..formulas.conjuncts import Conjunct
from ..formulas.printing import show
from .induction import Proof

WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN = 220, 52, 28, 78, 20
"""Of a node in a picture, and the room between nodes, in pixels."""

MANY = 12
"""More nodes are not told apart in layers: they stand below each other, with an arc for each edge."""

LINE, NARROW, ROOMY = 22, (246, 90), (440, 400)
"""Of nodes below each other: their height, and for either form their width and the room for arcs, in pixels."""

_COLOURS: Mapping[str, tuple[str, str]] = {
    "property": ("#d7ecd9", "#2c7a3f"),
    "lemma": ("#e6eef8", "#3a628f"),
    "unused": ("#f3f3f3", "#9a9a9a"),
    "failed": ("#f9dcdc", "#b3261e"),
}


def proof_graph(proof: Proof) -> nx.DiGraph[Conjunct]:
    """A node for each conjunct, an edge to each other one that some step needed to keep it.

    Nodes have `role` ("property" or "lemma"), `status` ("property", "lemma", "unused" or "failed"), `formula`, and
    `broken_by`, the actions that break it; edges have `actions`.
    """
    graph: nx.DiGraph[Conjunct] = nx.DiGraph(system=proof.system.name)
    used, failed = proof.used(), {r.conjunct for r in proof.failures}
    for conjunct in proof.conjuncts:
        status = conjunct.role if conjunct in used else "failed" if conjunct in failed else "unused"
        broken_by = [r.step for r in proof.failures if r.conjunct == conjunct]
        graph.add_node(
            conjunct, role=conjunct.role, status=status, formula=show(conjunct.formula), broken_by=broken_by
        )
    for result in proof.results:
        for needed in result.core:
            if needed != result.conjunct:
                if not graph.has_edge(result.conjunct, needed):
                    graph.add_edge(result.conjunct, needed, actions=[])
                graph.edges[result.conjunct, needed]["actions"].append(result.step)
    return graph


def mermaid(proof: Proof) -> str:
    """The graph as a Mermaid flowchart; an edge tells for how many actions, or for which one."""
    graph = proof_graph(proof)
    ids = {part: f"n{i}" for i, part in enumerate(graph)}
    lines = ["flowchart TD"]
    for part, data in graph.nodes(data=True):
        text = part.name if not data["broken_by"] else f"{part.name}<br/>broken by {_few(data['broken_by'])}"
        opening, closing = ("([", "])") if data["role"] == "property" else ("[", "]")
        lines.append(f'    {ids[part]}{opening}"{_quoted(text)}"{closing}:::{data["status"]}')
    for source, target, data in graph.edges(data=True):
        lines.append(f'    {ids[source]} -->|"{_quoted(_few(data["actions"]))}"| {ids[target]}')
    for status, (fill, line) in _COLOURS.items():
        lines.append(f"    classDef {status} fill:{fill},stroke:{line}")
    return "\n".join(lines) + "\n"


def _few(actions: list[str]) -> str:
    return actions[0] if len(actions) == 1 else f"{len(actions)} actions"


def _quoted(text: str) -> str:
    return text.replace('"', "#quot;")


# -------------------------------------------------------------------------------------------------------------------
# SVG


def svg(proof: Proof, narrow: bool = False) -> str:
    """The graph as a picture: properties on top, what they rest on below; names show formulas and actions when
    pointed at.  Where nodes are many, or the room is narrow, they stand below each other.

    Nodes are of class `part`, with their number as `data-part`; edges of class `edge`, with those of their ends.
    """
    graph = proof_graph(proof)
    places = _places(graph)
    if narrow or len(graph) > MANY:
        width, height, parts = _below_each_other(graph, sorted(places, key=lambda n: places[n][::-1]), NARROW if narrow else ROOMY)
    else:
        width = max((x for x, _ in places.values()), default=0) + WIDTH + MARGIN
        height = max((y for _, y in places.values()), default=0) + HEIGHT + MARGIN
        parts = [
            *(_edge(places[a], places[b], _said(graph, a, b)) for a, b in graph.edges),
            *(_node(places[n], n.name, graph.nodes[n], number) for number, n in enumerate(graph)),
        ]
    head = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family="sans-serif" font-size="12"'
    tip = '<path d="M0 0L8 4L0 8z" fill="#777"/></marker></defs>'
    marker = '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {head}>', marker + tip, *parts, "</svg>", ""])


def _said(graph: nx.DiGraph[Conjunct], source: Conjunct, target: Conjunct) -> str:
    """What an edge has besides its line: its ends, and for which actions it is there."""
    numbers = {part: number for number, part in enumerate(graph)}
    ends = f'class="edge" data-from="{numbers[source]}" data-to="{numbers[target]}"'
    actions = html.escape(", ".join(graph.edges[source, target]["actions"]))
    return f'{ends} fill="none" stroke="#777" marker-end="url(#tip)"><title>{actions}</title></path>'


def _below_each_other(graph: nx.DiGraph[Conjunct], order: list[Conjunct], room: tuple[int, int]) -> tuple[int, int, list[str]]:
    """Width, height and the pictures of edges and nodes: arcs to the right of the names, the longer the further out.

    What an unused node needs is drawn faintly.
    """
    row = {part: number for number, part in enumerate(order)}
    (left, arcs), parts = room, []
    letters = left // 7
    for source, target in graph.edges:
        y1, y2 = (MARGIN / 2 + (row[part] + 0.5) * LINE for part in (source, target))
        out = left + 14 + 1.1 * arcs * (abs(row[source] - row[target]) / len(order)) ** 0.5
        faint = ' stroke-opacity=".15"' if graph.nodes[source]["status"] == "unused" else ""
        parts.append(f'<path d="M{left} {y1}C{out:.0f} {y1} {out:.0f} {y2} {left} {y2}"{faint} {_said(graph, source, target)}')
    for number, part in enumerate(graph):
        data, y = graph.nodes[part], MARGIN / 2 + row[part] * LINE
        fill, line = _COLOURS[data["status"]]
        name = part.name if len(part.name) <= letters else part.name[: letters - 1] + "…"
        corner = LINE / 2 if data["role"] == "property" else 3
        box = f'<rect x="2" y="{y + 1}" width="{left - 4}" height="{LINE - 3}" rx="{corner}" fill="{fill}" stroke="{line}"/>'
        text = f'<text x="10" y="{y + LINE / 2 + 3.5}" font-size="11">{html.escape(name)}</text>'
        parts.append(f'<g class="part" data-part="{number}"><title>{html.escape(_note(part.name, data))}</title>{box}{text}</g>')
    return left + arcs, MARGIN + len(order) * LINE, parts


def _places(graph: nx.DiGraph[Conjunct]) -> dict[Conjunct, tuple[int, int]]:
    """Layers by distance from the properties; unreached nodes below.  Within a layer, under what needs them."""
    roots = [n for n, data in graph.nodes(data=True) if data["role"] == "property"]
    depth: dict[Conjunct, int] = {}
    for level, parts in enumerate(nx.bfs_layers(graph, roots)):
        depth.update(dict.fromkeys(parts, level))
    lowest = max(depth.values(), default=-1) + 1
    layers: dict[int, list[Conjunct]] = {}
    for part in graph:
        layers.setdefault(depth.get(part, lowest), []).append(part)
    column: dict[Conjunct, float] = {}
    places = {}
    for level in sorted(layers):
        layer = sorted(layers[level], key=lambda n: _mean([column[p] for p in graph.predecessors(n) if p in column]))
        for i, part in enumerate(layer):
            column[part] = i
            places[part] = (MARGIN + i * (WIDTH + GAP_X), MARGIN + level * (HEIGHT + GAP_Y))
    return places


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _edge(source: tuple[int, int], target: tuple[int, int], said: str) -> str:
    x1, x2 = source[0] + WIDTH / 2, target[0] + WIDTH / 2
    down = target[1] > source[1]
    y1, y2 = (source[1] + HEIGHT, target[1]) if down else (source[1], target[1] + HEIGHT)
    if target[1] == source[1]:
        y1 = y2 = source[1] + HEIGHT
    bend = GAP_Y / 2 if down or target[1] == source[1] else -GAP_Y / 2
    last = y2 - bend if down else y2 + abs(bend)
    return f'<path d="M{x1} {y1}C{x1} {y1 + bend} {x2} {last} {x2} {y2}" {said}'


def _note(name: str, data: Mapping[str, Any]) -> str:
    """What is said of a node that is pointed at."""
    return f"{name}: broken by {', '.join(data['broken_by'])}" if data["broken_by"] else f"{name}: {data['formula']}"


def _node(place: tuple[int, int], name: str, data: Mapping[str, Any], number: int) -> str:
    x, y = place
    fill, line = _COLOURS[data["status"]]
    broken_by = data["broken_by"]
    lines = textwrap.wrap(name, 32)[:2] + ([f"broken by {_few(broken_by)}"] if broken_by else [])
    first = y + HEIGHT / 2 + 4 - 7.5 * (len(lines) - 1)
    text = "".join(
        f'<text x="{x + WIDTH / 2}" y="{first + 15 * i}" text-anchor="middle">{html.escape(row)}</text>'
        for i, row in enumerate(lines)
    )
    corner = HEIGHT / 2 if data["role"] == "property" else 7
    box = f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="{corner}" fill="{fill}" stroke="{line}"/>'
    return f'<g class="part" data-part="{number}"><title>{html.escape(_note(name, data))}</title>{box}{text}</g>'
