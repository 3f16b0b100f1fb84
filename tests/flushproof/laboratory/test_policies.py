"""`flushproof policies`, as a user sees it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import networkx as nx
import pytest
from click.testing import CliRunner, Result
from flushproof.search.explore import explore
from flushproof.search.task import Limits

from flushproof import cli
from flushproof.commands.policies import _status
from flushproof.laboratory import deciding, judging
from flushproof.laboratory.deciding import Laboratory
from flushproof.laboratory.judging import Answer, Judge, Larger, Question
from flushproof.laboratory.lattice import combinations, lattice_of
from flushproof.report import lattice
from flushproof.report.jsonform import schema
from flushproof.report.policies import policies_json, policies_text
from flushproof.report.trace import Look

from .crowded import Crowded
from .knobs import Flushes

FLUSHES = f"{Path(__file__).with_name('knobs.py')}:Flushes"
CROWDED = f"{Path(__file__).with_name('crowded.py')}:Crowded"
HALTS, STARVES = (f"{Path(__file__).with_name('endless.py')}:{name}" for name in ("Halts", "Starves"))


def call(*args: str) -> Result:
    return CliRunner().invoke(cli.main, ["policies", *args])


def data(*args: str) -> tuple[Any, int]:
    called = call(*args, "--format", "json")
    found = json.loads(called.stdout)
    jsonschema.validate(found, schema())
    return found, called.exit_code


def test_the_weakest_policies_with_reasons() -> None:
    called = call(FLUSHES, "--larger", "0")
    assert called.exit_code == 0, called.output
    text = " ".join(called.stdout.split())
    assert "24 policies" in text.splitlines()[0] and "Nothing depends on these here: unused." in text
    assert "The weakest safe policies: 2" in text
    assert "at_load=local at_put=off lazy=off way=any (load, weaker than both)" in text
    assert "at_load: local → none no-foreign-hit, in 5 steps" in text
    assert "The declared order of 'lazy' is refuted" in text


def test_the_same_as_json() -> None:
    found, status = data(FLUSHES)
    assert status == 0 and found["complete"] and found["policies"] == 24
    assert found["safe"]["policies"] + found["unsafe"]["policies"] == 24 and found["undecided"] == 0
    weakest = [w["values"] for w in found["weakest"]]
    assert {"at_load": ["local"], "at_put": ["off"], "lazy": ["off"], "way": ["one", "other"]} in weakest
    assert [r["knob"] for r in found["refuted_orders"]] == ["lazy"]
    for one in found["weakest"]:
        assert one["checked"] and all(s["safe"] is False and s["trace"] for s in one["steps"])
    assert {tuple(at["sizes"].values()) for at in found["larger"]} == {(3, 2), (2, 3)}


def test_a_policy_of_which_nothing_can_be_weaker() -> None:
    found, status = data(FLUSHES, "--policy", "load", "--free", "at_load", "--free", "at_put", "--larger", "0")
    assert status == 0
    assert [(k["knob"], k["need"]) for k in found["judged"]["knobs"]] == [
        ("at_load", "necessary"),
    ]
    assert (
        "Nothing of it can be weaker." in call(FLUSHES, "--policy", "load", "--free", "at_load", "--larger", "0").stdout
    )


def test_a_policy_with_something_redundant() -> None:
    args = (
        FLUSHES,
        "--policy",
        "both",
        "--set",
        "at_load=all",
        "--free",
        "at_load",
        "--free",
        "at_put",
        "--larger",
        "0",
    )
    found, status = data(*args)
    assert status == 4 and found["judged"]["redundant"] == ["at_load", "at_put"]
    needs = {k["knob"]: k["need"] for k in found["judged"]["knobs"]}
    assert needs == {"at_load": "redundant", "at_put": "redundant"}
    text = " ".join(call(*args).stdout.split())
    assert "By itself, each of these can be weaker: at_load, at_put." in text
    assert "at_load=none or at_load=local at_put=off" in text or "at_load=local at_put=off or at_load=none" in text


def test_a_policy_that_is_not_safe_is_shown_with_its_trace() -> None:
    called = call(FLUSHES, "--policy", "none", "--larger", "0")
    assert called.exit_code == 1 and "VIOLATED: no-foreign-hit" in called.stdout and "✗" in called.stdout


def test_what_is_cut_short_says_so() -> None:
    called = call(
        "kvm-vcpu-switch", "--free", "always", "--free", "if_other_ran", "--max-states", "500", "--larger", "0"
    )
    assert called.exit_code == 3 and "NOT FINISHED: stopped by a limit" in called.stdout


def test_where_every_search_is_too_large_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deciding, "IN_VAIN", 3)
    found, status = data(FLUSHES, "--max-states", "1")
    assert status == 3 and found["searches"] == 3 and found["undecided"] == 24
    assert "3 searches in a row" in found["reason"]


@pytest.mark.parametrize(("command", "asks"), [("policies", "judging"), ("repair", "repairing")])
def test_a_workload_of_which_nothing_happens_is_refused_before_anything_is_searched(
    command: str, asks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"flushproof.laboratory.{asks}.Judge", None)
    called = CliRunner().invoke(cli.main, [command, HALTS, "--workload", "build"])
    assert called.exit_code == 2 and "Nothing of the workload 'build' happens" in called.stderr


def test_what_a_limit_left_open_is_not_said_to_be_necessary(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is over when the reasons are asked for, of policies that only an order decided."""
    lattice_ = lattice_of(Flushes, "both", free=("at_load", "at_put"))
    judge = Judge(Question(Flushes, "both", free=("at_load", "at_put"), larger=0), lattice_, None)
    decided = judge.laboratory.decide()
    decided.safe[...] = decided.unsafe[...] = False
    decided.safe[0, 0] = True
    decided.learn()
    monkeypatch.setattr(judge.laboratory, "limits", Limits(states=1))
    judged = judge._judged(lattice_.base)
    assert judged.unknown == ("at_load", "at_put") and not judged.redundant
    found = Answer(decided, (), (), judged)
    text = policies_text(found, Look())
    assert "Nothing of it can be weaker" not in text and "A limit left open" in text
    assert [n["need"] for n in policies_json(found)["judged"]["knobs"]] == ["not known", "not known"]
    assert _status(found) == 3


def test_an_interrupt_ends_it_and_what_is_known_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    searched = Laboratory._explored

    def explored(self: Laboratory, *args: Any) -> Any:
        if self.decided.searches == 2:
            raise KeyboardInterrupt
        return searched(self, *args)

    monkeypatch.setattr(Laboratory, "_explored", explored)
    monkeypatch.setattr(judging, "run_all", None)  # nothing else is begun
    found, status = data(FLUSHES, "--policy", "load")
    assert status == 3 and found["reason"] == "an interrupt" and not found["complete"] and found["judged"] is None
    assert found["undecided"] > 0 and found["safe"]["policies"] > 0 and found["larger"] == []
    text = " ".join(call(FLUSHES).stdout.split())
    assert "stopped by an interrupt" in text and f"{found['undecided']} policies are not decided" in text
    assert "which Z3 had no time to confirm" in text and "Z3 confirmed" not in text


def test_an_interrupt_between_reasons_keeps_those_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    explained, asked = Laboratory.explain, list[Any]()

    def explain(self: Laboratory, point: Any) -> Any:
        asked.append(point)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return explained(self, point)

    monkeypatch.setattr(Laboratory, "explain", explain)
    found, status = data(FLUSHES)
    assert status == 3 and not found["complete"] and found["undecided"] == 0 and found["larger"] == []
    assert [len(w["steps"]) for w in found["weakest"]] == [1, 0]
    asked.clear()
    assert "every policy is decided, but not all is explained" in " ".join(call(FLUSHES).stdout.split())


def test_an_interrupt_at_a_larger_size_ends_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        judging, "explore", lambda *a, **k: replace(explore(*a, **k), verdict="inconclusive", reason="an interrupt")
    )
    found, status = data(FLUSHES)
    assert status == 3 and found["weakest"][0]["checked"] and found["larger"] == []


def test_no_larger_size_is_begun_when_the_time_is_over() -> None:
    judge = Judge(Question(Flushes, limits=Limits(seconds=1e-6)), lattice_of(Flushes, "both"), None)
    larger = list(judge._larger([judge.lattice.base]))
    assert [(at.states, at.complete) for at in larger] == [(0, False), (0, False)]


@pytest.mark.parametrize(
    ("system", "weakest", "broken"),
    [(HALTS, {"again": ["on"]}, "no-deadlock"), (STARVES, {"serves": ["on"]}, "someone-is-served")],
)
def test_a_policy_that_breaks_what_is_no_invariant_is_not_safe(
    system: str, weakest: dict[str, list[str]], broken: str
) -> None:
    found, status = data(system, "--larger", "0")
    assert status == 0 and found["complete"] and [w["values"] for w in found["weakest"]] == [weakest]
    assert [s["property"] for w in found["weakest"] for s in w["steps"]] == [broken]


def test_every_trace_on_demand() -> None:
    called = call(FLUSHES, "--free", "at_load", "--traces", "--larger", "0")
    assert "Policy 1 with at_load=none instead of local: no-foreign-hit" in called.stdout
    assert "vcpu1 hits" in called.stdout or "vcpu0 hits" in called.stdout


def test_a_weakest_policy_that_breaks_at_a_larger_size() -> None:
    found, status = data(CROWDED, "--set", "way=mask")
    (weakest,), (larger,) = found["weakest"], found["larger"]
    assert status == 0 and weakest["values"] == {"told": ["one"]} and weakest["breaks_at"] == ["cpu=3"]
    assert [b["property"] for b in larger["broken"]] == ["no-stale-hit"]


def test_of_several_weakest_policies_in_one_row_some_may_break_at_a_larger_size() -> None:
    found, _ = data(CROWDED, "--policy", "all", "--free", "way")
    (weakest,) = found["weakest"]
    assert weakest["values"] == {"way": ["mask", "list"]} and weakest["breaks_at"] == ["cpu=3 with way=list"]
    assert "It is not safe at cpu=3 with way=list." in call(CROWDED, "--policy", "all", "--free", "way").stdout


def test_a_limit_of_states_is_for_the_first_policy_of_each_row_before_others() -> None:
    lattice = lattice_of(Crowded, free=("way",))
    mask, other = combinations(lattice)

    def at(most: int) -> Larger:
        return next(Judge(Question(Crowded, free=("way",), larger=most), lattice, None)._larger([mask], [other]))

    whole = at(1000)
    assert whole.complete and whole.rows and list(whole.broken) == [other]
    first = next(found for found in map(at, range(1, whole.states)) if found.complete)
    assert not first.rows and not first.broken
    decided = Judge(Question(Crowded, free=("way",)), lattice, None).laboratory.decide()
    found = Answer(decided, (), (), larger=(first,))
    text = " ".join(policies_text(found, Look()).split())
    assert f"left open others than the first at cpu=3 (after {first.states} states); see --larger." in text
    assert [at["complete"] for at in policies_json(found)["larger"]] == [False]


def test_what_can_be_weaker_may_not_at_a_larger_size() -> None:
    found, status = data(CROWDED, "--policy", "all")
    told, way = found["judged"]["knobs"]
    assert status == 4 and (told["need"], way["need"]) == ("can be weakened", "a choice")
    breaks = {o["instead"]: (o["safe"], o["breaks_at"]) for o in (*told["others"], *way["others"])}
    assert breaks == {"one": (True, ["cpu=3"]), "nobody": (False, []), "list": (True, ["cpu=3"])}
    assert found["judged"]["breaks_at"] == []
    text = " ".join(call(CROWDED, "--policy", "all").stdout.split())
    assert "told=all can be weakened one safe not at cpu=3" in text


def test_a_policy_that_breaks_at_a_larger_size() -> None:
    found, status = data(CROWDED, "--policy", "one")
    assert status == 0 and found["judged"]["verdict"] == "holds" and found["judged"]["breaks_at"] == ["cpu=3"]
    assert "It is not safe at cpu=3.\n\nknob" in call(CROWDED, "--policy", "one").stdout


def test_what_is_proved_for_any_size_breaks_at_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Judge, "_proved", lambda self, why: True)
    called = call(CROWDED, "--policy", "all", "--free", "told", "--any-size")
    assert called.exit_code == 70 and "told=one is proved safe for any size, and there is a trace at cpu=3" in called.stderr


def test_what_a_limit_leaves_open_is_so_far_and_counts_the_traces_of_explanations() -> None:
    lattice = lattice_of(Crowded)
    judge = Judge(Question(Crowded, larger=0), lattice, None)
    judge.laboratory.look(lattice.base)  # as if a limit had come after the first search
    decided = judge.laboratory.decided
    decided.reason = "a limit"
    (one,) = judge._explained(list(judging.merged(decided.lattice, decided.weakest)))
    found = policies_text(Answer(decided, (), (one,)), Look())
    assert "The weakest safe policies so far: 1" in found
    safe, unsafe = judge.laboratory.explain((1, 0)), judge.laboratory.explain((0, 0))
    assert safe is None and unsafe is not None
    assert (decided.traces, int(decided.unsafe.sum())) == (1, 1)


def test_counts_are_said_in_words_that_fit() -> None:
    def text(*args: str) -> str:
        return " ".join(call(CROWDED, "--larger", "0", *args).stdout.split())

    way, told = text("--free", "way"), text("--free", "told")
    assert "Not safe: 0. This took 2 searches (" in way and "instead of" not in way
    assert "Safe: 2; 2 of" in told and "Not safe: 1; 1 allows a trace, which Z3 confirmed for each. This" in told


def test_at_a_larger_size_a_knob_may_be_of_no_matter() -> None:
    found, status = data(f"{Path(HALTS.partition(':')[0])}:Crowd")
    (larger,) = found["larger"]
    assert status == 0 and larger["sizes"] == {"Cpu": 3} and larger["complete"] and not larger["broken"]


def test_bad_input() -> None:
    assert "has no knob 'nothing'" in call(FLUSHES, "--free", "nothing").stderr
    assert call(FLUSHES, "--any-size").exit_code == 2
    called = call(HALTS, "--property", "nothing-does-this")
    assert called.exit_code == 2 and "'nothing-does-this' must be reached" in called.stderr
    called = call(FLUSHES, "--free", "unused")
    assert called.exit_code == 2 and "nothing depends on the open knobs" in called.stderr


def test_a_picture_of_the_lattice(tmp_path: Path) -> None:
    drawing = tmp_path / "lattice.svg"
    asked = ("--free", "at_load", "--free", "at_put", "--larger", "0", "--picture", str(drawing))
    assert call(FLUSHES, *asked).exit_code == 0
    text = drawing.read_text()
    for label in ("none", "load, weakest 1", "both", "weakest 2", "weakest safe", "flushes: 6 policies", "stronger →"):
        assert f">{label}<" in text, label
    assert call(FLUSHES, *asked).exit_code == 0 and drawing.read_text() == text
    pixels = tmp_path / "lattice.png"
    assert call(FLUSHES, *asked[:-1], str(pixels)).exit_code == 0 and pixels.read_bytes()[:4] == b"\x89PNG"


def test_an_edge_past_a_layer_goes_around_what_is_there() -> None:
    routed, place = lattice._places(nx.DiGraph([((0,), (1,)), ((1,), (3,)), ((2,), (3,))]))
    assert len(routed) == len(set(place.values())) == 5
    assert all(place[above][1] - place[below][1] == 1 for below, above in routed.edges)


def test_a_picture_says_what_breaks_at_a_larger_size(tmp_path: Path) -> None:
    drawing = tmp_path / "lattice.svg"
    assert call(CROWDED, "--picture", str(drawing)).exit_code == 0
    assert ">weakest 1: told=one way=any, not safe at cpu=3<" in drawing.read_text()


def test_of_a_large_lattice_a_part_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lattice, "MOST_DRAWN", 3)
    drawing = tmp_path / "lattice.svg"
    called = call(FLUSHES, "--free", "at_load", "--free", "at_put", "--larger", "0", "--picture", str(drawing))
    assert called.exit_code == 0 and "6 policies, 4 of them drawn" in drawing.read_text()


def test_a_picture_that_cannot_be_drawn_is_refused_before_anything_is_searched(tmp_path: Path) -> None:
    called = call(FLUSHES, "--picture", str(tmp_path / "lattice.gif"))
    assert called.exit_code == 2 and "a picture is .svg or .png" in called.stderr
    called = call(FLUSHES, "--picture", str(tmp_path / "nowhere" / "lattice.svg"))
    assert called.exit_code == 2 and "No such file" in called.stderr
