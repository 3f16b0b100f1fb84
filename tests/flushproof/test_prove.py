"""`flushproof prove`, `verify` and `simulate`, as a user gives them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result
from flushproof.model.language.load import load_system
from flushproof.properties.lemmas.search import Inference
from flushproof.search.task import Limits

from flushproof import proving
from flushproof.cli import main
from flushproof.proving import ProofRequest, ProofResult, prove, run_all
from flushproof.report.jsonform import schema
from flushproof.report.proof import lemmas_needed, proof_json, proof_text, table_json, table_text
from flushproof.report.trace import Look
from flushproof.result import NoVerdict

SYSTEM = '''
from typing import Optional

from flushproof.model.language.declare import *


class Cpu(Sort):
    """A CPU."""


class Turns(System):
    """CPUs take turns in a room that one may enter."""

    holder: Optional[Cpu]
    inside: Map[Cpu, bool]
    polite = Knob(bool, True, "enter only with the key")
    policies = {
        "polite": Policy("with the key", {"polite": True}, "holds"),
        "rude": Policy("without", {"polite": False}, "alone"),
    }

    @action
    def enter(self, cpu: Cpu):
        """{cpu} enters"""
        require(not self.inside[cpu])
        if self.polite:
            require(self.holder is None)
        self.holder = cpu
        self.inside[cpu] = True

    @action
    def leave(self, cpu: Cpu):
        """{cpu} leaves"""
        require(self.inside[cpu])
        self.inside[cpu] = False
        self.holder = None

    @invariant(because="{a} and {b} are inside at once.")
    def alone(self):
        return all(not (self.inside[a] and self.inside[b]) for a in Cpu for b in Cpu if a != b)
'''

LEMMA = """
    @lemma
    def who_is_inside_has_the_key(self):
        return all(self.holder == cpu for cpu in Cpu if self.inside[cpu])
"""

SPARE = """
    late: bool
    later: bool

    @action
    def ages(self):
        self.later = self.late
        self.late = self.late and self.later

    @lemma
    def who_has_the_key_is_inside(self):
        return all(self.inside[cpu] for cpu in Cpu if self.holder == cpu)

    @lemma
    def nobody_is_later(self):  # true, and not inductive: nothing says that nobody is late
        return not self.later
"""

WRONG = """
    @lemma
    def nobody_ever_enters(self):
        return all(not self.inside[cpu] for cpu in Cpu)
"""


def call(*args: str) -> Result:
    return CliRunner().invoke(main, list(args))


def data(*args: str) -> Any:
    found = json.loads(call(*args, "--format", "json").stdout)
    if args[0] == "prove":
        jsonschema.validate(found, schema())
    return found


def proofs(*requests: ProofRequest, jobs: int = 1) -> list[ProofResult]:
    results = list(run_all(requests, jobs))
    assert not any(isinstance(r, NoVerdict) for r in results), results
    return [r for r in results if isinstance(r, ProofResult)]


@pytest.fixture
def turns(tmp_path: Path) -> Any:
    def write(*lemmas: str) -> str:
        path = tmp_path / f"turns{len(lemmas)}{''.join(str(len(x)) for x in lemmas)}.py"
        path.write_text(SYSTEM + "".join(lemmas))
        return f"{path}:Turns"

    return write


def test_a_lemma_makes_the_proof(turns: Any) -> None:
    done = call("prove", turns(LEMMA), "--policy", "polite", "--infer", "0")
    assert done.exit_code == 0, done.output
    assert "PROVED for any size: alone" in done.stdout
    assert "who-is-inside-has-the-key" in done.stdout


@pytest.mark.parametrize(
    ("lemmas", "open_"),
    [((LEMMA, SPARE), "nobody-is-later"), ((SPARE,), "who-has-the-key-is-inside, nobody-is-later")],
)
def test_a_lemma_that_is_not_needed_is_named(turns: Any, tmp_path: Path, lemmas: tuple[str, ...], open_: str) -> None:
    """Whether it holds for any size, or a step is not shown to keep it, or the search for lemmas did without it."""
    page = tmp_path / "proof.html"
    asked = ("prove", turns(*lemmas), "--policy", "polite", "--infer", "20", "--audit", "off")
    found = data(*asked)
    assert (found["verdict"], found["proof"]) == ("holds", "any-size")
    assert found["not_needed"] == ["who-has-the-key-is-inside", "nobody-is-later"]
    done = " ".join(call(*asked, "--html", str(page)).stdout.split())
    said = f"Not needed: who-has-the-key-is-inside, nobody-is-later. Of these, not shown for any size: {open_}."
    assert said in done and said in page.read_text()


def test_what_is_needed_wrong_or_left_out_is_not_called_not_needed(turns: Any) -> None:
    assert data("prove", turns(LEMMA, WRONG), "--policy", "polite", "--infer", "0")["not_needed"] == []
    stuck = data("prove", turns(SPARE), "--policy", "polite", "--infer", "0")
    assert (stuck["verdict"], stuck["not_needed"]) == ("inconclusive", [])
    without = ("--without", "nobody-is-later", "--without", "who-has-the-key-is-inside")
    assert data("prove", turns(LEMMA, SPARE), "--policy", "polite", *without)["not_needed"] == []


def test_without_it_the_step_that_breaks_the_property_is_shown(turns: Any) -> None:
    done = call("prove", turns(), "--policy", "polite", "--infer", "0")
    assert done.exit_code == 3
    assert "PROVED for these sizes only: alone" in done.stdout and "not proved for any size" in done.stdout
    assert "enter(cpu=" in done.stdout and "breaks alone" in done.stdout
    unwritten = "No written lemma is in this proof"
    assert unwritten in done.stdout
    assert unwritten not in call("prove", turns(SPARE), "--policy", "polite", "--infer", "0").stdout
    assert "The state before is not reached at these sizes" in done.stdout


def test_the_lemma_is_found(turns: Any) -> None:
    found = data("prove", turns(), "--policy", "polite", "--infer", "20")
    assert (found["verdict"], found["proof"]) == ("holds", "any-size")
    assert found["found"]


@pytest.mark.parametrize(("name", "wrong"), [("Undefined", "well-defined"), ("Stuck", "no-deadlock")])
def test_a_model_that_makes_no_sense_is_never_proved(name: str, wrong: str) -> None:
    spec = f"{Path(__file__).with_name('small.py')}:{name}"
    assert data("check", spec)["property"] == wrong
    found = data("prove", spec, "--infer", "0")
    assert (found["verdict"], found["proof"], found["property"]) == ("violated", None, wrong)


def test_nothing_to_prove() -> None:
    done = call("prove", f"{Path(__file__).with_name('small.py')}:Nothing")
    assert done.exit_code == 2 and "nothing to prove" in done.output


def test_a_broken_policy_is_never_proved(turns: Any) -> None:
    done = call("prove", turns(LEMMA), "--policy", "rude")
    assert done.exit_code == 1
    found = data("prove", turns(LEMMA), "--policy", "rude")
    assert (found["verdict"], found["proof"], found["property"]) == ("violated", None, "alone")
    assert found["certified"] is True and len(found["trace"]) == 2


def test_a_wrong_lemma_gets_a_trace_and_is_not_used(turns: Any) -> None:
    found = data("prove", turns(LEMMA, WRONG), "--policy", "polite", "--infer", "0")
    assert found["verdict"] == "holds"
    assert len(found["wrong_lemmas"]["nobody-ever-enters"]["trace"]) == 1


def test_more_claims_than_one_search_watches(turns: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are looked at in several searches: what was wrong is wrong, and with its trace."""
    once = data("prove", turns(LEMMA, WRONG), "--policy", "polite", "--infer", "0")
    monkeypatch.setattr(proving, "MOST_PROPERTIES", 3)  # one claim, and what is built in
    found = data("prove", turns(LEMMA, WRONG), "--policy", "polite", "--infer", "0")
    for same in ("verdict", "proof", "wrong_lemmas", "states", "complete"):
        assert found[same] == once[same]
    broken = data("prove", turns(LEMMA, WRONG), "--policy", "rude", "--infer", "0")
    assert broken["verdict"] == "violated" and broken["property"] == "alone" and len(broken["trace"]) == 2


def test_the_kinds_of_proof_differ(turns: Any) -> None:
    assert data("prove", turns(LEMMA), "--infer", "0")["proof"] == "any-size"
    found = data("prove", turns(), "--infer", "0")
    assert (found["verdict"], found["proof"]) == ("inconclusive", "finite")
    assert found["properties"] == {"alone": {"proof": "finite", "by": "exploring", "depth": None}}


def test_unrolling_up_to_a_depth_is_no_proof(turns: Any) -> None:
    done = call("prove", turns(), "--by", "bounded", "--depth", "3")
    assert done.exit_code == 3
    assert "NO VIOLATION up to depth 3: alone" in done.stdout and "PROVED" not in done.stdout
    found = data("prove", turns(), "--by", "bounded", "--depth", "3")
    assert (found["verdict"], found["proof"], found["states"]) == ("inconclusive", "bounded", 0)
    assert found["properties"] == {"alone": {"proof": "bounded", "by": "bounded model checking", "depth": 3}}


def test_unrolling_finds_a_shortest_violation(turns: Any) -> None:
    for by in ("bounded", "k-induction"):
        found = data("prove", turns(LEMMA), "--policy", "rude", "--by", by)
        assert (found["verdict"], found["proof"], found["property"]) == ("violated", None, "alone")
        assert found["certified"] is True and len(found["trace"]) == 2


def test_k_induction_proves_for_the_given_sizes(turns: Any) -> None:
    done = call("prove", turns(), "--by", "k-induction", "--size", "cpu=3")
    assert done.exit_code == 0, done.output
    assert "PROVED for these sizes only: alone" in done.stdout and "by k-induction, k = " in done.stdout
    assert "any size" not in done.stdout.replace("not proved for any size", "")
    found = data("prove", turns(), "--by", "k-induction", "--size", "cpu=3")
    assert (found["verdict"], found["proof"]) == ("holds", "finite")
    assert found["properties"]["alone"]["by"] == "k-induction"


def test_k_induction_takes_over_where_exploring_stopped(turns: Any) -> None:
    system = load_system(turns())
    explored = prove(system, limits=Limits(states=1, seconds=20), by="induction")
    assert explored.explored is not None and not explored.explored.complete
    assert explored.kind in (None, "bounded") and explored.verdict == "inconclusive"
    found = prove(system, limits=Limits(states=1, seconds=20))
    assert found.shown["alone"].by == "k-induction" and found.kind == "finite"
    assert found.verdict == "inconclusive", "what was asked for is a proof for any size"


def test_what_nothing_was_shown_of_is_said_so(turns: Any) -> None:
    found = prove(load_system(turns()), limits=Limits(seconds=1e-9), by="bounded")
    assert (found.kind, found.verdict, dict(found.shown)) == (None, "inconclusive", {})
    assert "NOTHING SHOWN: alone" in proof_text(found, Look(100, False))


def test_the_table_of_all_proofs_keeps_the_kinds_apart(turns: Any) -> None:
    requests = [
        ProofRequest(load_system(turns(LEMMA)), "polite"),
        ProofRequest(load_system(turns()), "polite", by="induction"),
        ProofRequest(load_system(turns()), "polite", sizes={"cpu": 3}, by="bounded", depth=2),
    ]
    results = proofs(*requests)
    rows = [re.split(r"  +", line.strip()) for line in table_text(results, Look(160, False)).splitlines()[2:]]
    assert [row[1:7] for row in rows] == [
        ["polite", "alone", "-", "-", "1", "0"],
        ["polite", "-", "alone", "-", "0", "0"],
        ["polite cpu=3", "-", "-", "alone (2)", "0", "0"],
    ]
    jsonschema.validate(table_json(results), schema())


def test_lemmas_that_were_found_are_counted(turns: Any) -> None:
    (result,) = proofs(ProofRequest(load_system(turns()), "polite", infer=20))
    assert set(lemmas_needed(result)) == {"found"}
    (result,) = proofs(ProofRequest(load_system(turns(LEMMA)), "polite", infer=20))
    assert lemmas_needed(result) == {"written": 1}
    (result,) = proofs(ProofRequest(load_system("kvm-vcpu-switch"), "both"))
    assert set(lemmas_needed(result)) == {"written", "construction"}
    assert lemmas_needed(result, ("no-foreign-hit",)) < lemmas_needed(result)


def test_one_bad_request_among_many_is_told() -> None:
    bad, good = (ProofRequest(load_system("kvm-vcpu-switch"), p, by="bounded", depth=0) for p in ("bot", "both"))
    said, result = run_all([bad, good])
    assert isinstance(said, NoVerdict) and "Did you mean 'both'?" in said.reason and not said.internal
    assert isinstance(result, ProofResult)


def test_proofs_in_several_processes_are_the_same() -> None:
    requests = [ProofRequest(load_system("kvm-vcpu-switch"), p, by="bounded", depth=1) for p in ("both", "last-ran")]
    alone, together = proofs(*requests), proofs(*requests, jobs=2)
    assert [(r.instance.policy, r.shown) for r in alone] == [(r.instance.policy, r.shown) for r in together]
    assert all(proof_json(r) for r in together)


def test_a_proof_is_verified_from_its_file(turns: Any, tmp_path: Path) -> None:
    path = tmp_path / "proof.json"
    spec = turns(LEMMA)
    assert call("prove", spec, "--policy", "polite", "--save", str(path)).exit_code == 0
    done = call("verify", str(path), "--system", spec)
    assert done.exit_code == 0, done.output
    assert "VERIFIED" in done.stdout
    content = json.loads(path.read_text())
    del content["questions"][0]
    path.write_text(json.dumps(content))
    assert call("verify", str(path), "--system", spec).exit_code == 1
    path.write_text("{}")
    assert call("verify", str(path)).exit_code == 2


def test_a_proof_by_lemmas_that_the_system_lacks_says_what_they_are(turns: Any, tmp_path: Path) -> None:
    path, spec = tmp_path / "proof.json", turns()
    done = call("prove", spec, "--policy", "polite", "--infer", "20", "--save", str(path))
    assert "to be pasted into the system" in done.stdout
    assert "\nfrom flushproof.model.language import lemma\n" in done.stdout
    alone = call("verify", str(path))
    assert alone.exit_code == 3 and "not compared with any system" in alone.stdout
    assert call("verify", str(path), "--system", spec).exit_code == 0, "the file says what the lemma is"


def test_a_proof_is_drawn(turns: Any, tmp_path: Path) -> None:
    for suffix, start in ((".svg", "<svg"), (".mmd", "flowchart")):
        path = tmp_path / f"proof{suffix}"
        assert call("prove", turns(LEMMA), "--graph", str(path)).exit_code == 0
        assert path.read_text().lstrip().startswith(start)
    assert call("prove", turns(LEMMA), "--graph", str(tmp_path / "proof.bmp")).exit_code == 2


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["--property", "alon"], "Did you mean 'alone'?"),
        (["--policy", "polit"], "Did you mean 'polite'?"),
        (["--all"], "either a SYSTEM or --all"),
    ],
)
def test_bad_input(turns: Any, args: list[str], text: str) -> None:
    done = call("prove", turns(), *args)
    assert done.exit_code == 2 and text in done.stderr


def test_walks_find_a_violation_and_prove_nothing(turns: Any) -> None:
    done = call("simulate", turns(), "--policy", "rude", "--seed", "1", "--walks", "5", "--steps", "20")
    assert done.exit_code == 1 and "VIOLATED: alone" in done.stdout
    found = data("simulate", turns(), "--policy", "polite", "--walks", "5", "--steps", "20")
    assert (found["verdict"], found["property"], found["trace"]) == ("inconclusive", None, None)
    assert set(found["taken"]) == {"enter", "leave"}
    again = data("simulate", turns(), "--policy", "polite", "--walks", "5", "--steps", "20")
    of_time = {"seconds": 0, "audit": 0, "proof_audit": 0}
    assert {**found, **of_time} == {**again, **of_time}


HARD = '''
    odd: bool
    even: bool

    @action
    def copy(self):
        """copies"""
        self.even = self.odd

    @action
    def copy_back(self):
        """copies back"""
        self.odd = self.even

    @invariant("even")
    def never_even(self):
        return not self.even
'''


def test_a_search_that_ends_with_less_takes_nothing_back(turns: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have given up the lemmas on which another property rests."""

    def worse(system: Any, properties: Any, *_: Any, **__: Any) -> Inference:
        return Inference((), (), proving.induction(system, properties, ()), 0, 0.0, "it gave up")

    monkeypatch.setattr(proving, "infer", worse)
    (result,) = proofs(ProofRequest(load_system(turns(LEMMA, HARD)), "polite", infer=1.0))
    assert result.proof is not None
    assert result.proof.properties == {"alone": True, "never-even": False}
    assert lemmas_needed(result)["written"] == 1
