"""The page in which the reader picks each step, and the graph that is in it."""

from __future__ import annotations

import itertools
from pathlib import Path

import networkx as nx
import pytest
from click.testing import CliRunner
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.search.graph import graph
from flushproof.search.reference.interpreter import Reference
from playwright.sync_api import Browser

from flushproof import cli
from flushproof.checking import check

from .browser import Opened

SWITCH = f"{Path(__file__).with_name('small.py')}:Switch"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both policies side by side."""
    file = tmp_path_factory.mktemp("explore") / "page.html"
    args = ["explore", SWITCH, "--policy", "none", "--beside", "always", "--html", str(file)]
    called = CliRunner().invoke(cli.main, args)
    assert called.exit_code == 0 and called.stdout.strip() == str(file), called.output
    return file


def test_the_graph_has_what_a_search_without_symmetry_finds() -> None:
    instance = instantiate(load_system(SWITCH), "always")
    found = graph(instance, 10_000)
    assert found.complete and len(found.states) == check(SWITCH, "always", symmetry=False, audit=None).states
    reference = Reference(instance)
    for state, edges in zip(found.states, found.edges, strict=True):
        assert [e.step.state for e in edges] == [after for _, _, after in reference.successors(state)]
        assert all(found.states[e.target] == e.step.state for e in edges if e.target is not None)


def test_of_initial_states_that_differ_in_names_one_is_kept() -> None:
    instance = instantiate(load_system("kvm-vcpu-switch"), "none", {}, {"cpu": 1})
    found = graph(instance, 300)
    assert found.starts == 1 < len(set(Reference(instance).initial_states()))
    assert not found.complete and len(found.states) == 300
    assert any(e.target is None for edges in found.edges for e in edges)


def test_where_nothing_can_begin_that_is_said() -> None:
    args = ["explore", "kvm-vcpu-switch", "--policy", "none", "--size", "cpu=1", "--size", "page=1"]
    called = CliRunner().invoke(cli.main, args)
    assert called.exit_code == 2 and "kvm-vcpu-switch has no initial state" in called.output, called.output


def test_a_walk_and_what_is_near_it_are_in_the_graph() -> None:
    trace = check("kvm-vcpu-switch", "last-ran", knobs={"fb": "off"}, audit=None).trace
    assert trace is not None
    found = graph(trace.instance, 200, trace.states)
    numbers = [found.states.index(state) for state in trace.states]
    assert len(found.states) == 200
    moves = itertools.pairwise(numbers)
    assert all(b in [e.target for e in found.edges[a]] or a == b for a, b in moves)


def test_what_can_still_be_violated_is_what_a_path_leads_to() -> None:
    from flushproof.report.explorer import _may, broken_in  # the page shows them in words only

    found = graph(instantiate(load_system(SWITCH), "none", {}, {"vcpu": 2, "cpu": 1}), 10_000)
    broken = dict(broken_in(found))
    names = sorted({name for said in broken.values() for name, _ in said})
    plain = found.as_networkx()
    for number, mask in enumerate(_may(found, broken, names)):
        later = {number, *nx.descendants(plain, number)}
        expected = {name for n in later for name, _ in broken.get(n, [])}
        assert {name for bit, name in enumerate(names) if mask >> bit & 1} == expected


def test_steps_are_picked_until_something_is_violated(browser: Browser, page: Path) -> None:
    opened = Opened(browser, page)
    first = opened.page.locator(".panel").first
    trace = check(SWITCH, "none", audit=None).trace
    assert trace is not None
    assert "All 144 states" in first.locator(".scope").inner_text()
    assert "Can still be violated from here: no-foreign-hit" in first.locator(".status").inner_text()
    for words in ("vcpu0 is loaded", "the walker fills an entry for vcpu0", "its vcpu is put", "vcpu1 is loaded"):
        first.locator(".choices button", has_text=words).first.click()
    assert "no-foreign-hit is violated: vcpu1 on cpu0 hits an entry that vcpu0 created." in first.locator(".status").inner_text()
    assert first.locator(".path li").count() == 4
    assert opened.said == [] and opened.asked == [page.as_uri()]


def test_the_other_policy_goes_along_and_says_where_it_cannot(browser: Browser, page: Path) -> None:
    opened = Opened(browser, page)
    first, second = opened.page.locator(".panel").all()
    for words in ("vcpu0 is loaded", "the walker fills an entry for vcpu0", "its vcpu is put", "vcpu1 is loaded"):
        first.locator(".choices button", has_text=words).first.click()
    assert second.locator(".path li").count() == 4
    assert second.locator(".status").inner_text() == "Nothing can be violated in any of these states."
    assert second.locator(".card .gone").all_inner_texts() == ["vcpu0\n(gone)"], "the load flushed it"
    assert first.locator(".card .gone").count() == 0 and "TLB\nvcpu0" in first.locator(".cards").inner_text()


def test_where_the_other_policy_has_no_such_step_that_is_said(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    args = ["--policy", "none", "--beside", "last-ran", "--max-states", "300", "--html", str(file)]
    assert CliRunner().invoke(cli.main, ["explore", "kvm-vcpu-switch", *args]).exit_code == 0
    opened = Opened(browser, file)
    first, second = opened.page.locator(".panel").all()
    assert "300 states are in this page, the nearest" in first.locator(".scope").inner_text()
    first.locator(".choices button", has_text="cpu0 vcpu_load").first.click()
    said = first.locator(".choices button", has_text="cpu0 stores last_vcpu_ran").all_inner_texts()
    assert len(said) == len({text.partition("\n")[0] for text in said}) > 1, "steps of the same words are told apart"
    first.locator(".choices button", has_text="cpu0 stores last_vcpu_ran").first.click()
    said = "The last step is not possible here, and is left out: cpu0: stores last_vcpu_ran (then: vcpu_put, __switch_to)."
    assert said in second.locator(".status").inner_text()
    assert (first.locator(".path button").count(), second.locator(".path button").count()) == (2, 1)
    second.locator(".choices button", has_text="cpu0 writes the VM's VTTBR").first.click()
    assert "and is left out: cpu0: writes the VM's VTTBR" in first.locator(".status").inner_text()
    assert (first.locator(".path button").count(), second.locator(".path button").count()) == (2, 2)
    first.locator(".choices button", has_text="cpu1 vcpu_load(vcpu1)").first.click()
    assert (first.locator(".path button").count(), second.locator(".path button").count()) == (3, 3), "both go on"


def test_the_address_holds_the_walk_and_keys_walk_it(browser: Browser, page: Path) -> None:
    opened = Opened(browser, page)
    opened.press("1", "1", "1")
    way = opened.texts(".panel:first-child .path li")
    assert len(way) == 3
    again = Opened(browser, page, at=opened.page.url.partition("#")[1] + opened.page.url.partition("#")[2])
    assert again.texts(".panel:first-child .path li") == way
    again.press("ArrowLeft")
    assert again.texts(".panel:first-child .path li") == way[:2]
    again.page.locator(".panel:first-child .path button").first.click()
    assert again.texts(".panel:first-child .path li") == way[:1]
    again.press("Home")
    assert again.texts(".panel:first-child .path li") == []
    spoiled = Opened(browser, page, at="#%5B0,%22no such step%22%5D")
    assert "is not possible here, and is left out: no such step." in spoiled.text(".status")


FUSE = """
from flushproof.model.language import System, action, invariant, require

class Fuse(System):
    burning: bool
    wet: bool

    @action
    def catches_fire(self):
        require(not self.wet)
        self.burning = True

    @action
    def gets_wet(self):
        self.wet = True

    @invariant("it burns")
    def no_fire(self):
        return not self.burning
"""
"""What can be violated until it gets wet, and then no longer."""


def test_who_walks_is_told_when_something_breaks_and_when_it_no_longer_can(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "fuse.py").write_text(FUSE)
    file = tmp_path / "page.html"
    called = CliRunner().invoke(cli.main, ["explore", f"{tmp_path / 'fuse.py'}:Fuse", "--html", str(file)])
    assert called.exit_code == 0, called.output
    opened = Opened(browser, file)
    fire, water = opened.texts(".choices button")
    assert "then no-fire is violated" in fire and "then no-fire can no longer be violated" in water
    assert opened.text(".status") == "Can still be violated from here: no-fire."
    opened.press("1")
    assert opened.text(".status") == "no-fire is violated: it burns."
    opened.press("ArrowLeft", "2")
    assert opened.text(".status") == "Can no longer be violated, whatever happens: no-fire."


def test_what_is_said_of_a_policy_stands_together(browser: Browser, page: Path) -> None:
    said = Opened(browser, page).texts(".facts dt")
    assert said[:5] == ["Policy", "Differs from the default", "Policy", "Differs from the default", "System"]


def test_the_keyboard_stays_where_it_was(browser: Browser, page: Path) -> None:
    opened = Opened(browser, page)
    opened.page.locator(".choices button").first.focus()
    opened.press("Enter", "Enter")
    assert opened.page.locator(".panel:first-child .path button").count() == 2
    assert opened.page.evaluate("document.activeElement.closest('.choices') !== null")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1400])
def test_no_barrier_and_no_overflow(browser: Browser, page: Path, width: int, scheme: str) -> None:
    opened = Opened(browser, page, width, scheme)
    opened.press("1", "1")
    assert opened.violations() == []
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_trace_at_other_sizes_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "trace.json"
    CliRunner().invoke(cli.main, ["check", SWITCH, "--policy", "none", "--save", str(file)])
    args = ["explore", SWITCH, "--policy", "none", "--from", str(file), "--html", str(tmp_path / "page.html")]
    assert CliRunner().invoke(cli.main, args).exit_code == 0
    for other in (["--size", "cpu=3"], ["--set", "flush=on"]):
        called = CliRunner().invoke(cli.main, [*args, *other])
        assert called.exit_code == 2 and "at other sizes or of another policy" in called.stderr


def test_from_a_trace_the_page_opens_at_its_end(browser: Browser, tmp_path: Path) -> None:
    saved, file = tmp_path / "trace.json", tmp_path / "page.html"
    assert CliRunner().invoke(cli.main, ["check", SWITCH, "--policy", "none", "--save", str(saved)]).exit_code == 1
    args = ["explore", SWITCH, "--policy", "none", "--from", str(saved), "--html", str(file)]
    assert CliRunner().invoke(cli.main, args).exit_code == 0
    opened = Opened(browser, file)
    assert "no-foreign-hit is violated: vcpu1 on cpu0 hits an entry that vcpu0 created." in opened.text(".status")
    way = opened.texts(".path li")
    assert len(way) == 4 and "the walker fills an entry" in way[1]
    opened.press("ArrowLeft")
    assert opened.texts(".path li") == way[:3]
    opened.press("ArrowLeft", "ArrowLeft")
    assert any("cpu0 TLB: + vcpu" in text for text in opened.texts(".choices button")), "entries are told as such"


def test_who_waits_is_told_where_they_stand(browser: Browser, tmp_path: Path) -> None:
    system = f"{Path(__file__).parents[1] / 'search' / 'waiting.py'}:TlbFlush"
    saved, file = tmp_path / "trace.json", tmp_path / "page.html"
    assert CliRunner().invoke(cli.main, ["check", system, "--policy", "as-filed", "--save", str(saved)]).exit_code == 1
    args = ["explore", system, "--policy", "as-filed", "--from", str(saved), "--html", str(file)]
    assert CliRunner().invoke(cli.main, args).exit_code == 0
    opened = Opened(browser, file)
    assert "next in tlb_flush\nwaits for every ack\nwaits\nuntil not missing[cpu0, cpu1]" in opened.texts(".card")[0]
    opened.press("Home")
    assert opened.page.locator(".card .wait").count() == 0
