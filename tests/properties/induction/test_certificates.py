"""Proofs written to files are checked again, and files that were tampered with are not believed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flushproof.model.errors import FlushproofError
from flushproof.model.language.instantiate import instantiate
from flushproof.properties.formulas.reading import clause_json, read_clause
from flushproof.properties.formulas.solver import answer_script, same_script, second_opinion
from flushproof.properties.induction.certificates import certificate, read, save, verify
from flushproof.properties.induction.induction import prove

from ..mechanisms import VcpuSwitch


@pytest.fixture(scope="module")
def content() -> dict[str, Any]:
    instance = instantiate(VcpuSwitch, policy="last-ran", lemmas=True)
    return certificate(prove(instance.system, instance.system.properties, instance.system.lemmas), instance)


def written(content: Any, path: Path) -> Path:
    file = path / "proof.json"
    file.write_text(json.dumps(content))
    return file


def test_a_proof_is_verified_against_the_system_that_it_is_about(content: dict[str, Any], tmp_path: Path) -> None:
    instance = instantiate(VcpuSwitch, policy="last-ran", lemmas=True)
    file = tmp_path / "proof.json"
    save(prove(instance.system, instance.system.properties, instance.system.lemmas), instance, file)
    questions = json.loads(file.read_text())["questions"]
    found = verify(read(file), instance, cvc5=False)
    assert found.ok and not found.complaints and len(found.checked) == len(questions) > 0
    assert content["policy"] == "last-ran" and content["knobs"]["fb"] == "on"


def test_cvc5_agrees(content: dict[str, Any], tmp_path: Path) -> None:
    pytest.importorskip("cvc5")
    found = verify(read(written(content, tmp_path)), instantiate(VcpuSwitch, policy="last-ran", lemmas=True))
    assert found.ok and found.confirmed_by_cvc5 == len(found.checked)


def without_a_question(content: dict[str, Any]) -> None:
    content["questions"] = [
        q for q in content["questions"] if (q["action"], q["conjunct"][1]) != ("load", "no-foreign-hit")
    ]


def without_a_lemma(content: dict[str, Any]) -> None:
    gone = ["lemma", "who-runs-ran-last", 0]
    content["conjuncts"] = [c for c in content["conjuncts"] if c["of"] != gone[1]]
    content["questions"] = [q for q in content["questions"] if q["conjunct"] != gone]
    for question in content["questions"]:
        question["needs"] = [key for key in question["needs"] if key != gone]


def with_a_property_more(content: dict[str, Any]) -> None:
    content["properties"].append("no-such-property")


def with_nothing_asked(content: dict[str, Any]) -> None:
    content["questions"][3]["smt2"] = "(check-sat)"


@pytest.mark.parametrize("tamper", [without_a_question, without_a_lemma, with_a_property_more, with_nothing_asked])
def test_an_incomplete_certificate_is_not_believed(
    content: dict[str, Any], tmp_path: Path, tamper: Callable[[dict[str, Any]], None]
) -> None:
    changed = json.loads(json.dumps(content))
    tamper(changed)
    instance = instantiate(VcpuSwitch, policy="last-ran", lemmas=True)
    assert not verify(read(written(changed, tmp_path)), instance, cvc5=False).ok
    assert not verify(read(written(content, tmp_path)), cvc5=False).ok, "compared with nothing"


def test_what_z3_does_not_answer_is_not_verified(
    content: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flushproof.properties.induction.certificates.answer_script", lambda script, limit: "unknown")
    found = verify(read(written(content, tmp_path)), instantiate(VcpuSwitch, policy="last-ran", lemmas=True), cvc5=False)
    assert found.checked and not found.complaints and not found.ok


def test_every_question_expects_that_there_is_no_counterexample(content: dict[str, Any], tmp_path: Path) -> None:
    changed = json.loads(json.dumps(content))
    changed["questions"][0]["expected"] = "sat"
    with pytest.raises(FlushproofError, match="question 1: `expected` is not 'unsat'"):
        read(written(changed, tmp_path))


def test_a_certificate_of_something_else_is_found_out(content: dict[str, Any], tmp_path: Path) -> None:
    instance = instantiate(VcpuSwitch, policy="last-ran", lemmas=True)
    changed = json.loads(json.dumps(content))
    question = next(q for q in changed["questions"] if (q["action"], q["conjunct"][1]) == ("load", "no-foreign-hit"))
    question["smt2"] = question["smt2"].replace("(check-sat)", "(assert false)\n(check-sat)")
    found = verify(read(written(changed, tmp_path)), instance, cvc5=False)
    (complaint,) = found.complaints
    assert question["action"] in complaint and "does not ask" in complaint
    assert all(c.ok for c in found.checked), "the questions that are asked are its own"
    other = instantiate(VcpuSwitch, policy="both", knobs={"fb": False}, lemmas=True)
    assert not verify(read(written(content, tmp_path)), other, cvc5=False).ok


@pytest.mark.parametrize(
    "content",
    ["nothing", [], {"format": "x"}, {"format": "flushproof-proof", "version": 99}, {"format": "flushproof-proof"}],
)
def test_what_is_no_certificate_is_refused(content: Any, tmp_path: Path) -> None:
    with pytest.raises(FlushproofError, match=r"proof\.json"):
        read(written(content, tmp_path))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FlushproofError, match="No such file"):
        read(tmp_path / "none.json")


def test_nothing_is_certified_where_nothing_is_proved() -> None:
    instance = instantiate(VcpuSwitch, policy="none", lemmas=True)
    properties = [p for p in instance.system.properties if p.name == "no-foreign-hit"]
    with pytest.raises(FlushproofError, match="no property is proved"):
        certificate(prove(instance.system, properties, ()), instance)


def test_scripts_are_compared_up_to_what_they_abbreviate() -> None:
    sorts = "(declare-sort A 0)(declare-fun p (A A) Bool)"
    one = sorts + "(assert (forall ((x A) (y A)) (p x y)))(check-sat)"
    assert same_script(one, "; a remark\n" + sorts + " (assert (forall ((x A) (y A))\n (let ((z (p x y))) z))) (check-sat)")
    assert same_script(one, sorts + "(assert (let ((z x)) (forall ((x A) (y A)) (p x y))))(check-sat)")
    assert not same_script(one, sorts + "(assert (forall ((x A) (y A)) (let ((x y)) (p x y))))(check-sat)")
    assert not same_script(one, sorts + "(assert (forall ((x A) (y A)) (p y x)))(check-sat)")
    assert not same_script(one, sorts + "(assert (exists ((x A) (y A)) (p x y)))(check-sat)")
    assert not same_script(one, one + "(check-sat)") and not same_script(one, one + ")") and not same_script(one, "(" + one)
    assert not same_script(one, "(" * 100_000 + ")" * 100_000)
    assert answer_script(one, 1) == "satisfiable"
    assert answer_script("(assert", 1) == "unknown"
    assert second_opinion(sorts + "(assert false)(check-sat)", 1) in ("unsatisfiable", None)


def test_clauses_are_read_as_they_were_written() -> None:
    for policy in VcpuSwitch.policies:
        system = instantiate(VcpuSwitch, policy=policy, lemmas=True).system
        for prop in (*system.properties, *system.lemmas):
            for clause in prop.clauses:
                again = read_clause(json.loads(json.dumps(clause_json(clause))), system)
                assert (again.params, again.guard, again.expr) == (clause.params, clause.guard, clause.expr)
