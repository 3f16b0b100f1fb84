"""Counterexamples to induction as pictures: two states beside each other, or the one that is wrong at the start."""

from __future__ import annotations

from xml.etree import ElementTree

from flushproof.model.ir import FALSE, TRUE, Clause, Property
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system, proof_of
from flushproof.properties.induction.induction import prove

from flushproof.lessons.asking import own_systems
from flushproof.report.stuck import svg

SYSTEM = instantiate(proof_of(load_system(str(next(p for p in own_systems() if p.stem == "last_ran")))), lemmas=True).system


def texts(drawn: str) -> list[str]:
    return [text.text or "" for text in ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")]


def test_what_the_step_changes_stands_beside_what_was_there() -> None:
    failure = prove(SYSTEM, SYSTEM.properties, ()).failures[0]
    assert failure.counterexample is not None
    said = texts(svg(failure.counterexample))
    assert said[:3] == ["The step: cpu0: vcpu0 is loaded", "before", "after"]
    assert "runs None" in said and "runs vcpu0" in said and "▪ entry, by vcpu1" in said
    assert "✗ no-foreign-hit does not hold." in " ".join(said)


def test_of_what_is_wrong_at_the_start_there_is_one_state() -> None:
    never = Property("never", (Clause((), TRUE, FALSE),))
    failure = prove(SYSTEM, (never,), ()).failures[0]
    assert failure.action is None and failure.counterexample is not None
    said = texts(svg(failure.counterexample))
    assert said[0] == "at the start" and "✗ never does not hold." in " ".join(said) and "after" not in said
