"""The proof graph: what a property rests on, and where a failure is."""

from __future__ import annotations

from xml.etree import ElementTree

import networkx as nx
import pytest
from flushproof.model.language.instantiate import instantiate
from flushproof.properties.induction.graph import mermaid, proof_graph, svg
from flushproof.properties.induction.induction import Proof, prove

from ..mechanisms import VcpuSwitch


@pytest.fixture(scope="module", params=["last-ran", "none"])
def proof(request: pytest.FixtureRequest) -> Proof:
    system = instantiate(VcpuSwitch, policy=request.param, lemmas=True).system
    return prove(system, system.properties, system.lemmas)


def test_edges_are_what_the_cores_say(proof: Proof) -> None:
    graph = proof_graph(proof)
    assert set(graph) == set(proof.conjuncts)
    for name, needed in proof.needs().items():
        assert set(graph.successors(name)) == needed
    for source, target, actions in graph.edges(data="actions"):
        for action in actions:
            result = next(r for r in proof.results if (r.step, r.conjunct) == (action, source))
            assert target in result.core


def test_properties_reach_what_they_use_and_failures_are_marked(proof: Proof) -> None:
    graph = proof_graph(proof)
    status = nx.get_node_attributes(graph, "status")
    proved = [n for n, s in status.items() if s == "property"]
    reached = set(proved).union(*(nx.descendants(graph, n) for n in proved))
    assert reached == proof.used() == {n for n, s in status.items() if s in ("property", "lemma")}
    failed = {n for n, s in status.items() if s == "failed"}
    assert failed == {r.conjunct for r in proof.failures}
    assert all(graph.nodes[n]["broken_by"] for n in failed)


def test_pictures_show_every_node_and_edge(proof: Proof) -> None:
    graph = proof_graph(proof)
    space = "{http://www.w3.org/2000/svg}"
    numbers = {part: str(number) for number, part in enumerate(graph)}
    ends = sorted((numbers[a], numbers[b]) for a, b in graph.edges)
    for narrow in (False, True):
        picture = ElementTree.fromstring(svg(proof, narrow))
        assert [g.get("data-part") for g in picture.findall(f"{space}g")] == list(numbers.values())
        assert sorted((p.get("data-from"), p.get("data-to")) for p in picture.findall(f"{space}path")) == ends
    assert float(picture.get("width", "")) <= 336
    chart = mermaid(proof)
    assert chart.startswith("flowchart TD\n")
    assert chart.count("-->") == graph.number_of_edges()
    assert all(part.name in chart for part in graph)
    assert ("broken by" in chart) == bool(proof.failures)
