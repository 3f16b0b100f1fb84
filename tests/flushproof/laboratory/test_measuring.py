"""`flushproof policies --workload`: what policies cost under a workload, and in which order."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result
from flushproof.model.errors import FlushproofError
from flushproof.search.sampling import Figure, Sample

from flushproof import cli
from flushproof.laboratory.measuring import costs_less
from flushproof.report.jsonform import schema
from flushproof.workloads import KNOWN, SHIPPED, workload_of

from .test_policies import FLUSHES

ASKED = ("kvm-vcpu-switch", "--size", "cpu=1", "--free", "always", "--free", "if_other_ran", "--larger", "0")


def call(command: str, *args: str) -> Result:
    return CliRunner().invoke(cli.main, [command, *args])


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text('doc = "a test"\n[rates]\nvcpu_load = 2\nexit = 3\nunmap = 1.5\n')
    return path


def test_the_safe_policies_by_what_they_cost(own: Path, tmp_path: Path) -> None:
    drawing = tmp_path / "costs.svg"
    asked = (*ASKED, "--workload", str(own), "--walk-steps", "300", "--cost-picture", str(drawing))
    found = json.loads(call("policies", *asked, "--format", "json").stdout)
    jsonschema.validate(found, schema())
    measured = found["measured"]
    assert measured["workload"]["name"] == "mine" and measured["workload"]["rates"] == {"vcpu_load": 2, "exit": 3, "unmap": 1.5}
    rows = {row["name"]: row for row in measured["policies"]}
    last_ran, always, none = (next(rows[n] for n in rows if name in n.split(", ")) for name in ("last-ran", "always", "none"))
    assert last_ran["rank"] == 1 < always["rank"] and none["rank"] is None and none["safe"] is False
    assert any("always" in name.split(", ") or name == "both" for name in last_ran["weaker_than"])
    assert not last_ran["yet_costs_more_than"]
    flushes = [row["per_thousand"].get("local_tag", {"mean": 0})["mean"] for row in (none, last_ran, always)]
    assert 0 == flushes[0] < flushes[1] < flushes[2] and always["per_thousand"]["vcpu_load"]["event"]
    text = call("policies", *asked)
    assert text.exit_code == 0 and "Under the workload 'mine': a test" in text.stdout and "less is done by: " in text.stdout
    drawn = drawing.read_text()
    for label in ("kvm-vcpu-switch cpu=1: cost against safety", "local_tag", "none  ✗"):
        assert f">{label}<" in drawn, label
    assert call("policies", *asked).stdout.partition("Under")[2].partition("Safe:")[0] == (
        text.stdout.partition("Under")[2].partition("Safe:")[0]
    )


def test_what_does_less_and_costs_more_is_said() -> None:
    """VMALLS12E1IS does at once what takes two TLBIs and two DSBs otherwise: more is done by fewer operations."""
    asked = ("kvm-trapped-tlbi", "--size", "cpu=1", "--free", "order", "--free", "operand", "--policy", "nuke", "--larger", "0")
    found = json.loads(call("policies", *asked, "--workload", "build", "--walk-steps", "300", "--format", "json").stdout)
    rows = {row["name"].split(",")[0]: row for row in found["measured"]["policies"]}
    assert rows["nuke"]["weaker_than"] == rows["nuke"]["yet_costs_more_than"] == ["vmalls12"]
    assert rows["vmalls12"]["rank"] < rows["nuke"]["rank"]


def test_each_repair_has_its_cost(own: Path) -> None:
    asked = ("kvm-vcpu-switch", "--size", "cpu=1", "--policy", "none", "--free", "always", "--free", "if_other_ran", "--workload")
    found = json.loads(call("repair", *asked, str(own), "--format", "json").stdout)
    jsonschema.validate(found, schema())
    rows = {row["name"]: row for row in found["measured"]["policies"]}
    assert set(rows) == {"none", "always=on", "if_other_ran=on"} and rows["none"]["safe"] is False
    assert rows["if_other_ran=on"]["rank"] == 1 < rows["always=on"]["rank"]
    said = call("repair", *asked, str(own))
    assert said.exit_code == 0 and "Under the workload 'mine'" in said.stdout


def test_exact_costs_under_a_workload(own: Path) -> None:
    asked = ("kvm-vcpu-switch", "--size", "cpu=1", "--policy", "last-ran", "--workload", str(own), "--format", "json")
    (bill,) = json.loads(call("costs", *asked).stdout)["costs"]
    assert bill["workload"] == "mine" and bill["events"]["vcpu_load"] > 0


def test_less_is_less_of_something_for_certain_and_more_of_nothing() -> None:
    def made(**figures: tuple[float, float]) -> Sample:
        return Sample(100, 100, {n: Figure(*f) for n, f in figures.items()}, frozenset({"vcpu_load"}))

    cheap, dear, other = made(ipi=(5, 1)), made(ipi=(9, 1)), made(ipi=(5, 1), dsb_wait=(3, 1))
    assert costs_less(cheap, dear) and not costs_less(dear, cheap) and not costs_less(cheap, made(ipi=(7, 1.5)))
    assert costs_less(cheap, other) and not costs_less(other, dear) and not costs_less(dear, other)
    assert not costs_less(made(vcpu_load=(1, 0)), made(vcpu_load=(9, 0))), "events are no cost"


def test_what_is_shipped_speaks_of_events_that_there_are() -> None:
    assert set(SHIPPED) == {"pinned", "build", "overcommitted"}
    for workload in SHIPPED.values():
        assert set(workload.rates) == KNOWN and all(rate > 0 for rate in workload.rates.values()) and workload.doc


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[rates]\nvcpu_load = -1", "the rate of vcpu_load is -1. Write a number, 0 or more"),
        ("[rates]\nvcpu_load = true", "the rate of vcpu_load is True"),
        ("[rates]\nvcpu_load = nan", "the rate of vcpu_load is nan"),
        ("[rates]\nvcpu_load = 0", "every rate is 0"),
        ("pace = 0\n[rates]\nvcpu_load = 1", "the pace is 0"),
        ("doc = 3\n[rates]\nvcpu_load = 1", "the doc is no text"),
        ("doc = 'x'", "a workload has rates. Write [rates]"),
        ("[rate]\nvcpu_load = 1", "a workload has no 'rate'. Did you mean 'rates'?"),
        ("[rates\n", "is no TOML"),
    ],
)
def test_a_file_that_is_no_workload(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(FlushproofError) as refused:
        workload_of(str(path))
    assert says in str(refused.value) and str(path) in str(refused.value)


def test_what_is_refused_before_anything_is_walked(own: Path, tmp_path: Path) -> None:
    wrong = call("costs", "kvm-vcpu-switch", "--workload", "biuld")
    assert wrong.exit_code == 2 and "Did you mean 'build'?" in wrong.stderr
    own.write_text("[rates]\nvcpu_lod = 1\n")
    wrong = call("costs", "kvm-vcpu-switch", "--workload", str(own))
    assert wrong.exit_code == 2 and "'vcpu_lod', which is no event. Did you mean 'vcpu_load'?" in wrong.stderr
    wrong = call("policies", FLUSHES, "--workload", "build", "--larger", "0")
    assert wrong.exit_code == 2 and "Nothing of the workload 'build' happens in flushes" in wrong.stderr
    wrong = call("policies", FLUSHES, "--cost-picture", str(tmp_path / "costs.svg"))
    assert wrong.exit_code == 2 and "give a --workload" in wrong.stderr
    missing = call("costs", "kvm-vcpu-switch", "--workload", str(tmp_path / "none.toml"))
    assert missing.exit_code == 2 and "No such file" in missing.stderr
