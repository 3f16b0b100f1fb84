"""The states as a picture."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.search.graph import graph

from flushproof import cli
from flushproof.checking import check

SWITCH = f"{Path(__file__).with_name('small.py')}:Switch"


def explore(*args: str) -> Result:
    return CliRunner().invoke(cli.main, ["explore", *args])


def texts(file: Path) -> list[str]:
    found = ElementTree.parse(file).getroot().iter("{http://www.w3.org/2000/svg}text")
    return [" ".join("".join(text.itertext()).split()) for text in found]


@pytest.mark.parametrize(("system", "policy"), [(SWITCH, "always"), ("kvm-vcpu-switch", "always")])
def test_up_to_names_the_graph_has_the_states_that_a_search_has(system: str, policy: str) -> None:
    found = graph(instantiate(load_system(system), policy, {}, {"cpu": 1}), 100_000, by_names=False)
    assert found.complete and len(found.states) == check(system, policy, sizes={"cpu": 1}, audit=None).states
    assert all(edge.target is not None for edges in found.edges for edge in edges)


def test_a_small_graph_says_what_its_steps_do(tmp_path: Path) -> None:
    file, again = tmp_path / "states.svg", tmp_path / "again.svg"
    args = [SWITCH, "--policy", "none", "--size", "cpu=1"]
    told = explore(*args, "--picture", str(file))
    assert told.exit_code == 0 and told.stdout == f"{file}: 7 states\n" and not Path("switch.html").exists()
    said = " ".join(texts(file))
    for number in range(7):
        assert re.search(rf"\b{number}\b", said)
    for words in ("switch, policy none: 7 states", "its vcpu is put", "vcpu1 is loaded", "something is violated", "all states; "):
        assert words in said
    explore(*args, "--picture", str(again))
    assert again.read_bytes() == file.read_bytes()


def test_the_walk_of_a_trace_is_marked_and_is_in_a_picture_of_a_part(tmp_path: Path) -> None:
    trace, file = tmp_path / "trace.json", tmp_path / "states.svg"
    CliRunner().invoke(cli.main, ["check", "kvm-vcpu-switch", "--policy", "none", "--save", str(trace)])
    args = ["kvm-vcpu-switch", "--policy", "none", "--from", str(trace), "--max-states", "20"]
    assert explore(*args, "--picture", str(file)).exit_code == 0
    said = " ".join(texts(file))
    assert "the walk" in said and "the nearest 20 states; " in said and "something is violated" in said
    assert file.read_text().count("stroke: #0b57a4") >= 8, "as many steps as the trace has"


def test_a_png_is_drawn_too_and_other_endings_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "states.png"
    assert explore(SWITCH, "--policy", "none", "--picture", str(file)).exit_code == 0
    assert file.read_bytes().startswith(b"\x89PNG")
    refused = explore(SWITCH, "--picture", str(tmp_path / "states.gif"))
    assert refused.exit_code == 2 and "a picture is .svg or .png" in refused.stderr


def test_with_a_page_both_are_written(tmp_path: Path) -> None:
    page, file = tmp_path / "page.html", tmp_path / "states.svg"
    told = explore(SWITCH, "--policy", "none", "--picture", str(file), "--html", str(page))
    assert told.stdout.split("\n")[1] == str(page) and page.exists() and file.exists()
