"""What commands save is read by the others, and what they print is what the schema says."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result
from playwright.sync_api import Browser

from flushproof import cli
from flushproof.report.jsonform import schema

from .browser import Opened

SWITCH = f"{Path(__file__).with_name('small.py')}:Switch"
VCPU_SWITCH = "kvm-vcpu-switch"


def call(*args: str) -> Result:
    return CliRunner().invoke(cli.main, [*args])


def is_read(file: Path, steps: int | None = None) -> None:
    """Whether everything that reads a saved trace reads this one."""
    found = json.loads(file.read_text())
    jsonschema.validate(found, schema())
    assert steps is None or len(found["trace"]) == steps
    told = call("trace", str(file))
    assert told.exit_code == 0 and "Z3 confirmed this trace" in told.stdout, told.output
    page = file.with_suffix(".html")
    assert call("view", str(file), "--html", str(page)).exit_code == 0 and "VIOLATED" in page.read_text()


@pytest.mark.parametrize(
    "args",
    [
        ["simulate", SWITCH, "--policy", "none"],
        ["simulate", SWITCH, "--policy", "always", "--set", "flush=off"],
        ["prove", SWITCH, "--policy", "none"],
        ["prove", VCPU_SWITCH, "--policy", "none"],
        ["prove", VCPU_SWITCH, "--policy", "last-ran", "--set", "fb=off"],
        ["prove", SWITCH, "--policy", "none", "--by", "bounded"],
        ["check", SWITCH, "--policy", "none"],
    ],
)
def test_what_is_saved_and_what_is_printed_as_json_is_read_as_a_trace(tmp_path: Path, args: list[str]) -> None:
    saved, printed = tmp_path / "saved.json", tmp_path / "printed.json"
    called = call(*args, "--save", str(saved), "--format", "json", "--audit", "off")
    assert called.exit_code == 1, called.output
    printed.write_text(called.stdout)
    is_read(saved)
    is_read(printed, len(json.loads(saved.read_text())["trace"]))


def test_a_proofs_trace_has_the_state_that_a_checks_has(tmp_path: Path) -> None:
    found = []
    for command in ("check", "prove"):
        file = tmp_path / f"{command}.json"
        call(command, VCPU_SWITCH, "--policy", "none", "--save", str(file))
        found.append(json.loads(file.read_text()))
    checked, proved = found
    assert list(checked["initial"]) == list(proved["initial"]) and checked["violation"] == proved["violation"]


def test_where_nothing_was_violated_a_file_is_no_trace(tmp_path: Path) -> None:
    file = tmp_path / "walks.json"
    assert call("simulate", SWITCH, "--policy", "always", "--save", str(file)).exit_code == 3
    jsonschema.validate(json.loads(file.read_text()), schema())
    called = call("trace", str(file))
    assert called.exit_code == 2 and "it has no violation" in called.stderr


def test_all_checks_are_saved_in_a_folder_and_have_a_page(tmp_path: Path, browser: Browser) -> None:
    folder, page = tmp_path / "traces", tmp_path / "all.html"
    called = call("check", SWITCH, "--all", "--jobs", "1", "--save", str(folder), "--html", str(page))
    assert called.exit_code == 1, called.output
    files = {file.name for file in folder.iterdir()}
    assert files == {"switch_none.json", "switch_none_vcpu=1.json", "switch_always.json", "switch_wrong.json"}
    is_read(folder / "switch_none.json", 5)
    for width, scheme in ((360, "dark"), (1280, "light")):
        opened = Opened(browser, page, width, scheme)
        assert "1 not as expected" in opened.text("h1")
        rows = [text.split("\t") for text in opened.texts("tbody tr")]
        assert [(row[0], row[2], row[5]) for row in rows] == [
            ("✓", "none", "no-foreign-hit"),
            ("✓", "none", "holds"),
            ("✓", "always", "holds"),
            ("✗", "wrong", "holds"),
        ]
        assert not opened.page.locator("details[open]").count()
        opened.page.locator("tbody a").click()
        assert "vcpu1 is loaded" in opened.page.locator("details[open] pre").inner_text()
        assert opened.violations() == [] and opened.said == [] and opened.asked == [page.as_uri()]
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_page_of_walks_shows_the_trace_or_that_none_was_met(tmp_path: Path, browser: Browser) -> None:
    page = tmp_path / "walks.html"
    call("simulate", SWITCH, "--policy", "none", "--html", str(page), "--picture", str(tmp_path / "walk.svg"))
    opened = Opened(browser, page)
    assert opened.text("h1").startswith("VIOLATED") and "Among the walks; a shorter way may exist." in opened.text(".facts")
    assert (tmp_path / "walk.svg").read_text().startswith("<svg") and opened.violations() == []
    call("simulate", SWITCH, "--policy", "always", "--html", str(page))
    opened = Opened(browser, page)
    assert opened.text("h1") == "INCONCLUSIVE: no walk met a violation, which is not a proof."
    assert opened.texts("tbody th") == ["load", "put", "fill"] and opened.violations() == []


@pytest.mark.parametrize(
    "args",
    [
        ["list"],
        ["show", SWITCH],
        ["show", VCPU_SWITCH],
        ["show", "kvm-vmid-generation"],
        ["simulate", SWITCH],
        ["costs", SWITCH],
        ["costs", VCPU_SWITCH, "--policy", "last-ran"],
        ["operands", "--policy", "raw", "--op", "VAE1"],
        ["operands", "--policy", "nuke", "--op", "VMALLE1"],
    ],
)
def test_what_is_printed_as_json_is_what_the_schema_says(args: list[str]) -> None:
    called = call(*args, "--format", "json")
    jsonschema.validate(json.loads(called.stdout), schema())


def test_show_says_as_json_what_it_says_as_text() -> None:
    found = json.loads(call("show", VCPU_SWITCH, "--format", "json").stdout)
    text = " ".join(call("show", VCPU_SWITCH).stdout.split())
    assert all(name in text for kind in ("knobs", "policies", "properties") for name in found[kind])
    assert found["policies"]["none"]["expected"] == "no-foreign-hit" and found["knobs"]["fb"]["values"] == ["off", "on"]
    assert found["sizes"] == {"Vcpu": 2, "Vm": 1, "Cpu": 2, "Page": 2}
    refused = call("show", VCPU_SWITCH, "--core", "--format", "json")
    assert refused.exit_code == 2 and "--core is text" in refused.stderr
