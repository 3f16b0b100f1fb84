"""A trace as objects, and results that show themselves in a notebook."""

from __future__ import annotations

import html
import sys
from pathlib import Path

import jsonschema
import nbformat
import pytest
from nbclient import NotebookClient
from playwright.sync_api import Browser

from flushproof import FlushproofError, Told, check, costs, policies, prove, simulate, told
from flushproof.report.jsonform import check_json, schema

from .browser import Opened

SWITCH = f"{Path(__file__).with_name('small.py')}:Switch"
NOTEBOOK = Path(__file__).resolve().parents[2] / "docs" / "notebook.ipynb"


@pytest.fixture(scope="module")
def trace() -> Told:
    return told(check(SWITCH, "none", audit=None))


def test_a_trace_says_what_its_json_says(trace: Told) -> None:
    data = check_json(check(SWITCH, "none", audit=None))
    assert trace.to_json() == {key: data[key] for key in trace.to_json()}
    for step, said in zip(trace, data["trace"], strict=True):
        assert (step.text, step.actor, step.cpu, step.event) == (
            said["text"],
            said["actor"]["name"],
            said["cpu"],
            said["event"],
        )
        assert {k: {"from": a, "to": b} for k, (a, b) in step.changes.items()} == said["changes"]
        for name, value in said["state"].items():
            var, _, index = name.rstrip("]").partition("[")
            found = step.state[var]
            for part in filter(None, index.split(", ")):
                found = found[part]
            assert found == value and type(found) is type(value)


def test_traces_are_sequences_and_compared_by_what_they_say(trace: Told) -> None:
    again = told(check(SWITCH, "none", audit=None))
    assert trace == again and len(trace) == 5 and list(trace) == list(trace.steps) and trace[-1].event
    assert trace[:2] == trace.steps[:2]
    assert trace != told(check("kvm-vcpu-switch", "none", audit=None))
    assert repr(trace) == "<Told: switch none: no-foreign-hit violated in 5 steps>"


def test_nobody_changes_a_trace(trace: Told) -> None:
    with pytest.raises(TypeError):
        trace.steps[0].state["running"] = None  # type: ignore[index]
    with pytest.raises(TypeError):
        trace.steps[0].state["running"]["cpu0"] = None


def test_a_table_has_each_location_that_ever_changes(trace: Told) -> None:
    table = trace.to_pandas()
    assert list(table.index) == [1, 2, 3, 4, 5]
    assert list(table["running[cpu0]"]) == ["vcpu0", "vcpu0", None, "vcpu1", "vcpu1"]
    assert set(table.columns) == {"actor", "process", "text", *(name for step in trace for name in step.changes)}


def test_without_pandas_that_is_said(trace: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(FlushproofError, match="pip install pandas"):
        trace.to_pandas()


def test_what_holds_has_no_trace() -> None:
    with pytest.raises(FlushproofError, match="has no trace"):
        told(check(SWITCH, "always", audit=None))
    with pytest.raises(FlushproofError, match="has no trace"):
        told(prove(SWITCH, "always", audit=None))
    assert told(prove(SWITCH, "none", audit=None)).property == "no-foreign-hit"


def test_results_show_their_page_in_a_frame_that_can_be_stepped_through(
    browser: Browser,
    tmp_path: Path,
    trace: Told,
) -> None:
    results = [check(SWITCH, "none", audit=None), check(SWITCH, "always", audit=None), prove(SWITCH, "always", audit=None)]
    shown = "".join(r._repr_html_() for r in (*results, trace))
    file = tmp_path / "notebook.html"
    file.write_text(f"<!doctype html><html lang=en><title>notebook</title>{shown}</html>", encoding="utf-8")
    opened = Opened(browser, file)
    frames = opened.page.frames[1:]
    titles = [frame.locator("h1").inner_text() for frame in frames]
    assert titles[0] == titles[3] and "vcpu1 on cpu0 hits" in titles[0]
    assert titles[1].startswith("HOLDS") and titles[2].startswith("PROVED for any size")
    frames[0].locator("#first").click()
    frames[0].locator("#forth").click()
    assert frames[0].locator("#when").inner_text() == "after step 1 of 5"
    frames[0].locator("h2", has_text="machine").click()
    opened.press("ArrowRight")
    assert frames[0].locator("#when").inner_text() == "after step 2 of 5"


def test_the_example_notebook_runs_and_shows_pages() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs for cell in code), "it is kept without outputs"
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    pages = [o["data"]["text/html"] for cell in code for o in cell.outputs if "text/html" in o.get("data", {})]
    assert len(pages) == 3 and sum("<iframe" in page for page in pages) == 2
    assert "no-foreign-hit is violated in 9 steps" in html.unescape(pages[0])
    assert "enters the guest" in pages[1]


def test_walks_policies_and_costs_say_what_their_commands_say() -> None:
    walked = simulate(SWITCH, "none", seed=3)
    jsonschema.validate(walked.to_json(), schema())
    assert walked.verdict == "violated" and walked.trace is not None and told(walked.trace).property == walked.violated
    assert "&lt;h1&gt;&lt;span class=&quot;mark bad&quot;&gt;VIOLATED" in walked._repr_html_()
    calm = simulate(SWITCH, "always", walks=3, steps=10)
    assert (calm.verdict, calm.violated, calm.trace) == ("inconclusive", None, None)
    assert repr(calm) == "<Walked: switch always: inconclusive, 3 walks>" and "INCONCLUSIVE" in calm._repr_html_()
    found = policies(SWITCH, larger=0)
    jsonschema.validate(found.to_json(), schema())
    assert repr(found) == "<Policies: switch: 2 policies, 1 safe, 1 weakest>" and found.weakest == ({"flush": "on"},)
    assert found.needed == {} and found._repr_html_().startswith("<pre>")
    bills = costs(SWITCH)
    jsonschema.validate(bills.to_json(), schema())
    assert [bill.result.instance.policy for bill in bills] == ["none", "always", "wrong"] and len(bills[1:]) == 2
    with pytest.raises(FlushproofError, match=r"Did you mean 'flush'\?"):
        policies(SWITCH, free=["flus"])
