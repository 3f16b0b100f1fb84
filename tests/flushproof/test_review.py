"""What reviewers and builds get of a result: mail, Markdown, JUnit, SARIF, pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result
from flushproof.model.language import load
from markdown_it import MarkdownIt
from playwright.sync_api import Browser
from sarif_pydantic import Sarif

from flushproof import checking, cli
from flushproof.checking import Request, check, run
from flushproof.report.review import COLUMNS
from flushproof.report.words import Story

from .browser import Opened

HERE = Path(__file__).parent
SWITCH = f"{HERE / 'small.py'}:Switch"
STALE = ("check", "kvm-vcpu-switch", "--policy", "last-ran", "--set", "fb=off", "--audit", "off")


def call(*args: str) -> Result:
    return CliRunner().invoke(cli.main, [*args])


@pytest.fixture
def only_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """`check --all` sees the small system as the only shipped one."""
    found = {"switch": load.load_system(SWITCH)}
    monkeypatch.setattr(checking, "shipped", lambda: found)


@pytest.mark.parametrize("args", [STALE, ("check", "kvm-icache", "--policy", "tlb-only"), ("check", SWITCH, "--policy", "always")])
def test_no_line_of_a_mail_is_longer_than_72_columns(args: tuple[str, ...]) -> None:
    text = call(*args, "--format", "mail").stdout
    assert max(map(len, text.splitlines())) <= COLUMNS and "\x1b" not in text
    assert ("How it came to that:" in text) == ("VIOLATED" in text)


def test_a_saved_trace_is_mailed_too(tmp_path: Path) -> None:
    file = tmp_path / "trace.json"
    call("check", SWITCH, "--policy", "none", "--save", str(file))
    text = call("trace", str(file), "--format", "mail").stdout
    assert "vcpu1 on cpu0 hits an entry that vcpu0 created." in text and max(map(len, text.splitlines())) <= COLUMNS
    assert call("trace", str(file), "--format", "markdown").stdout.startswith("**✗ vcpu1 on cpu0 hits")


def test_markdown_shows_every_step_as_it_is() -> None:
    trace = check("kvm-vcpu-switch", "last-ran", knobs={"fb": "off"}, audit=None).trace
    assert trace is not None
    text = call(*STALE, "--format", "markdown").stdout
    parsed = MarkdownIt("gfm-like", {"linkify": False}).parse(text)
    cells = [t.content for i, t in enumerate(parsed) if t.type == "inline" and parsed[i - 1].type == "td_open"]
    plain = ["".join(c.content for c in t.children or ()) for i, t in enumerate(parsed) if parsed[i - 1].type == "td_open"]
    for row in Story(trace).rows:
        assert row.words in plain
    assert len(cells) == len(trace.steps) * 4
    assert [t.info for t in parsed if t.type == "fence"] == ["mermaid"]


def test_junit_has_a_case_for_each_property() -> None:
    root = ElementTree.fromstring(call(*STALE, "--format", "junit").stdout.encode())
    cases = {case.get("name"): case for case in root.iter("testcase")}
    assert root.get("tests") == str(len(cases)) and root.get("failures") == "2"
    failure = cases["no-stale-hit"].find("failure")
    assert failure is not None and "vcpu0 hits its own old entry" in (failure.text or "")
    assert cases["no-foreign-hit"].find("skipped") is not None


def test_junit_of_a_search_that_was_cut_short_is_no_success() -> None:
    called = call("check", SWITCH, "--policy", "always", "--max-states", "3", "--format", "junit")
    root = ElementTree.fromstring(called.stdout.encode())
    assert called.exit_code == 3 and int(root.get("errors") or 0) > 0


@pytest.mark.usefixtures("only_small")
def test_of_many_checks_only_what_nobody_expects_fails() -> None:
    called = call("check", "--all", "--jobs", "1", "--format", "junit")
    root = ElementTree.fromstring(called.stdout.encode())
    failed = [case.get("name") for case in root.iter("testcase") if case.find("failure") is not None]
    assert called.exit_code == 1 and failed == ["wrong"]
    found = json.loads(call("check", "--all", "--jobs", "1", "--format", "sarif").stdout)
    Sarif.model_validate(found)
    assert [r["message"]["text"] for r in found["runs"][0]["results"]] == ["switch wrong: expected no-foreign-hit, found holds"]
    (rule,) = found["runs"][0]["tool"]["driver"]["rules"]
    assert rule["id"] == "verdict" and "declared" in rule["help"]["text"]
    called = call("check", "--all", "--jobs", "1", "--format", "markdown")
    text = called.stdout
    assert "INTERNAL" not in called.stderr
    assert text.startswith("4 verdicts, 1 not as expected.") and "| ✗ |" in text


def test_a_violation_that_nobody_declared_is_marked_as_wrong() -> None:
    args = ("check", SWITCH, "--all", "--policy", "always", "--set", "flush=off", "--jobs", "1")
    called = call(*args)
    assert called.exit_code == 1 and "✗   switch    always" in called.stdout and "1 not as expected" in called.stdout
    assert "| ✗ | switch | always |" in call(*args, "--format", "markdown").stdout


def test_what_cannot_be_checked_is_an_error_in_both(tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text(
        "from flushproof.model.language import Policy, System, action\n\n\n"
        "class Broken(System):\n"
        "    on: bool\n"
        "    policies = {'only': Policy('the only one', {}, 'holds')}\n\n"
        "    @action\n"
        "    def step(self):\n"
        "        self.on = [1]\n"
    )
    called = call("check", f"{file}:Broken", "--all", "--jobs", "1", "--format", "junit")
    root = ElementTree.fromstring(called.stdout.encode())
    (error,) = root.iter("error")
    assert called.exit_code == 2 and root.get("errors") == "1" and "broken.py" in (error.text or "")
    found = json.loads(call("check", f"{file}:Broken", "--all", "--jobs", "1", "--format", "sarif").stdout)
    invocation = Sarif.model_validate(found).runs[0].invocations[0]  # type: ignore[index]
    assert not invocation.execution_successful and not found["runs"][0]["results"]
    text = call("check", f"{file}:Broken", "--all", "--jobs", "1", "--format", "markdown").stdout
    assert "**No verdict** on broken only" in text and "broken.py" in text


def test_what_an_interrupt_left_out_is_missing_in_no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    def two_and_an_interrupt(requests: Sequence[Request], _jobs: int = 1) -> Iterator[Any]:
        yield from map(run, requests[:2])
        raise KeyboardInterrupt

    monkeypatch.setattr("flushproof.commands.check.run_all", two_and_an_interrupt)
    args = ("check", SWITCH, "--all", "--jobs", "1", "--format")
    junit = call(*args, "junit")
    root = ElementTree.fromstring(junit.stdout.encode())
    assert junit.exit_code == 3
    assert root.get("tests") == "4" and root.get("errors") == "2" and junit.stdout.count("an interrupt came first") > 1
    (sarif,) = json.loads(call(*args, "sarif").stdout)["runs"]
    assert not sarif["invocations"][0]["executionSuccessful"]
    assert call(*args, "markdown").stdout.count("**No verdict** on switch") == 2


def test_sarif_of_what_is_undecided_is_no_success() -> None:
    for args in (["kvm-vcpu-switch", "--policy", "last-ran"], ["kvm-vcpu-switch", "--policy", "last-ran", "--all", "--jobs", "1"]):
        (run,) = json.loads(call("check", *args, "--max-states", "10", "--format", "sarif").stdout)["runs"]
        (invocation,) = run["invocations"]
        assert not invocation["executionSuccessful"]
        assert run["results"] == []
        said, *_ = invocation["toolExecutionNotifications"]
        assert "kvm-vcpu-switch last-ran: inconclusive" in said["message"]["text"]


def test_sarif_points_at_the_line_of_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE.parents[1])
    found: dict[str, Any] = json.loads(call("check", SWITCH, "--policy", "none", "--format", "sarif").stdout)
    Sarif.model_validate(found)
    (result,) = found["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]
    line = (HERE / "small.py").read_text().splitlines()[place["region"]["startLine"] - 1]
    assert place["artifactLocation"] == {"uri": "tests/flushproof/small.py", "uriBaseId": "%SRCROOT%"}
    assert "no-foreign-hit" in line and result["ruleId"] == "no-foreign-hit"
    flow = result["codeFlows"][0]["threadFlows"][0]["locations"]
    assert [f["executionOrder"] for f in flow] == [1, 2, 3, 4, 5]
    assert flow[0]["location"]["message"]["text"] == "1. cpu0: vcpu0 is loaded"
    (rule,) = found["runs"][0]["tool"]["driver"]["rules"]
    assert rule["id"] == result["ruleId"]
    for where in ("shortDescription", "fullDescription", "help"):  # GitHub's code scanning asks for all three
        assert rule[where] == {"text": "Violated where: vcpu on cpu hits an entry that owner created."}


@pytest.mark.parametrize("ending", [".svg", ".png", ".mmd"])
def test_a_trace_is_drawn(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"trace{ending}"
    assert call("check", SWITCH, "--policy", "none", "--picture", str(file)).exit_code == 1
    starts = {".svg": b"<svg", ".png": b"\x89PNG", ".mmd": b"sequenceDiagram"}
    assert file.read_bytes().startswith(starts[ending])
    saved, again = tmp_path / "trace.json", tmp_path / f"again{ending}"
    call("check", SWITCH, "--policy", "none", "--save", str(saved))
    assert call("trace", str(saved), "--picture", str(again)).exit_code == 0
    assert again.read_bytes() == file.read_bytes()


def test_a_picture_of_another_kind_or_of_nothing_is_told(tmp_path: Path) -> None:
    other = call("check", SWITCH, "--picture", str(tmp_path / "trace.gif"))
    assert other.exit_code == 2 and ".svg, .png, .mmd" in other.stderr
    nothing = call("check", SWITCH, "--policy", "always", "--picture", str(tmp_path / "trace.svg"))
    assert nothing.exit_code == 0 and "no trace to draw" in nothing.stderr and not (tmp_path / "trace.svg").exists()
    all_ = call("check", SWITCH, "--all", "--picture", str(tmp_path / "trace.svg"))
    assert all_.exit_code == 2 and "draws no trace" in all_.stderr


def test_no_text_of_a_drawing_leaves_it_or_its_box(tmp_path: Path, browser: Browser) -> None:
    file = tmp_path / "trace.svg"
    call(*STALE, "--picture", str(file))
    page = Opened(browser, file).page
    wide = page.evaluate("document.documentElement.viewBox.baseVal.width")
    ends = page.eval_on_selector_all("text", "all => all.map(t => { const b = t.getBBox(); return [b.x, b.x + b.width] })")
    assert len(ends) > 28 and all(start >= 0 and end <= wide for start, end in ends)
