"""Systems that need their knobs before they compile: each policy an instance of its own, and the same answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner
from flushproof.model.errors import ModelError
from flushproof.search.explore import explore
from flushproof.search.task import Limits

from flushproof import cli
from flushproof.laboratory.apart import Apart
from flushproof.laboratory.judging import Judge, Question
from flushproof.laboratory.lattice import combinations, lattice_of
from flushproof.report.jsonform import schema

from .knobs import Flushes
from .versions import Versions

VERSIONS = f"{Path(__file__).with_name('versions.py')}:Versions"


def call(*args: str) -> tuple[Any, int]:
    called = CliRunner().invoke(cli.main, [*args, "--format", "json"])
    found = json.loads(called.stdout)
    jsonschema.validate(found, schema())
    return found, called.exit_code


def test_each_policy_is_what_a_search_of_its_own_says() -> None:
    lattice = lattice_of(Versions, apart=True)
    assert lattice.apart and lattice.names == ("newer", "scope") and lattice.named()["older"] == (0, 1)
    decided = Apart(lattice).decide()
    for point in combinations(lattice):
        assert decided.holds[point] == (explore(lattice.at(point)).verdict == "holds") != decided.fails[point]
    assert decided.unsafe.sum() == decided.alone and not decided.families


def test_the_same_as_with_open_knobs_where_these_compile() -> None:
    together = Judge(Question(Flushes, larger=0), lattice_of(Flushes), None).answer()
    lattice = lattice_of(Flushes)
    apart = Apart(lattice).decide()
    assert (apart.holds == together.decided.holds).all() and (apart.fails == together.decided.fails).all()
    assert [r.knob for r in apart.refuted] == [r.knob for r in together.decided.refuted] == ["lazy"]
    assert apart.weakest == together.decided.weakest


def test_the_command_answers_and_says_how() -> None:
    found, status = call("policies", VERSIONS)
    assert status == 0 and found["complete"] and found["policies"] == 6 and found["idle"] == []
    assert [w["values"] for w in found["weakest"]] == [{"newer": ["off", "on"], "scope": ["local"]}]
    (step,) = found["weakest"][0]["steps"]
    assert step["instead"] == "none" and step["property"] == "no-foreign-hit" and len(step["trace"]) == 4
    assert {tuple(at["sizes"].values()) for at in found["larger"]} == {(3, 2), (2, 3)}
    assert all(at["complete"] and at["states"] > 0 and not at["broken"] for at in found["larger"])
    said = CliRunner().invoke(cli.main, ["policies", VERSIONS, "--larger", "0"]).stdout
    assert "each policy is searched through by itself" in " ".join(said.split())
    judged, status = call("policies", VERSIONS, "--policy", "none", "--larger", "0")
    assert status == 1 and judged["judged"]["property"] == "no-foreign-hit"
    repaired, status = call("repair", VERSIONS, "--policy", "none")
    assert status == 0 and [r["changes"] for r in repaired["repairs"]] == [{"scope": "local"}]


def test_knobs_that_are_fixed_are_known_while_others_are_open() -> None:
    lattice = lattice_of(Versions, "older", free=("scope",))
    assert not lattice.apart and lattice.names == ("scope",)


def test_what_does_not_compile_with_open_knobs_is_refused_where_one_trace_goes_through_all() -> None:
    with pytest.raises(ModelError, match="'before' is set on some ways to this place only"):
        lattice_of(Versions)


def test_a_limit_leaves_a_policy_undecided() -> None:
    decided = Apart(lattice_of(Versions, apart=True), limits=Limits(states=2)).decide()
    assert not decided.safe.any() and decided.unknown.any() and decided.left.any() and decided.reason is not None
