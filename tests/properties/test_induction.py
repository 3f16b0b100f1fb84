"""Proofs for any number of elements: the fixed mechanisms are proved, and each mistake fails where one expects it."""

from __future__ import annotations

import functools

import pytest
from flushproof.model.language.declare import System
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.ir import FALSE, TRUE, Clause, Property
from flushproof.properties.counterexample import picture
from flushproof.properties.induction import Proof, prove
from flushproof.search.reference import Reference

from .mechanisms import Generations, VcpuSwitch


@functools.cache
def proof(cls: type[System], policy: str | None = None, **knobs: bool) -> Proof:
    system = instantiate(cls, policy=policy, knobs=knobs, lemmas=True).system
    return prove(system, system.properties, system.lemmas)


@pytest.mark.parametrize(("policy", "fb"), [("last-ran", True), ("both", True), ("both", False)])
def test_the_vcpu_switch_is_proved(policy: str, fb: bool) -> None:
    found = proof(VcpuSwitch, policy, fb=fb)
    assert found.proved and not found.failures and not found.vacuous


@pytest.mark.parametrize(("policy", "fb"), [("none", True), ("on-migration", True), ("last-ran", False)])
def test_a_broken_vcpu_switch_is_not_proved(policy: str, fb: bool) -> None:
    found = proof(VcpuSwitch, policy, fb=fb)
    assert not found.proved
    assert {r.action for r in found.failures} <= {"load", "unmap"}


def test_the_generations_are_proved_quickly() -> None:
    found = proof(Generations)
    assert found.proved and not found.failures and not found.vacuous
    assert found.properties == {"one-vmid-per-vm": True, "no-shared-vmid": True, "no-foreign-hit": True}
    assert found.seconds < 10
    assert max(r.seconds for r in found.results) < 1
    asked = [r for r in found.results if r.verdict == "proved"]
    assert len(asked) < len(found.results), "what an action does not touch is not asked about"


@pytest.mark.parametrize(
    ("mistake", "action", "conjunct"),
    [
        ("recheck", "look_again", "who-allocates-is-not-current"),
        ("recheck_off", "look_with_interrupts_off", "who-enters-is-current-or-interrupted"),
        ("wait", "flush_all", "who-enters-is-current-or-interrupted"),
        ("flush", "flush_all", "entries-have-their-vms-number"),
        ("generation_last", "take", "current-numbers-differ"),
    ],
)
def test_each_mistake_fails_at_the_step_that_one_expects(mistake: str, action: str, conjunct: str) -> None:
    found = proof(Generations, **{mistake: False})
    assert not found.proved
    first = [r for r, number in zip(found.failures, found.rounds, strict=True) if number == 0]
    assert {r.action for r in first} == {action}
    assert conjunct in {r.conjunct for r in first}
    assert all(r.verdict == "failed" for r in first), "never unknown where a finite counterexample exists"


def test_a_counterexample_is_a_true_step() -> None:
    """The interpreter takes it too, and agrees about what holds before and after it."""
    found = proof(Generations, wait=False)
    for result in found.failures:
        example = result.counterexample
        assert example is not None and example.before is not None
        reference = Reference(example.instance)
        steps = [(a.name, after) for a, _, after in reference.successors(reference.renamed(example.before))]
        assert (example.action, reference.renamed(example.after)) in steps
        wrong = Property("wrong", (example.conjunct.clause,))
        assert not reference.holds(wrong, example.after)
        assert reference.holds(wrong, example.before)


def test_a_counterexample_can_be_read() -> None:
    found = proof(Generations, flush=False)
    example = found.failures[0].counterexample
    assert example is not None
    text = str(picture(example))
    assert text.startswith("flush_all(cpu=cpu0) breaks entries-have-their-vms-number(c=cpu0, n=vmid1, v=vm0)")
    assert "entry[cpu0, vmid1, vm0]" in text and "ALLOCATE" in text


def test_a_lemma_that_does_not_hold_is_dropped_and_the_rest_is_proved() -> None:
    system = instantiate(Generations, lemmas=True).system
    never = Property("never", (Clause((), TRUE, FALSE),))
    found = prove(system, system.properties, (*system.lemmas, never))
    assert found.proved
    assert "never" not in {c.name for c in found.inductive}
    failure = found.failures[0]
    assert (failure.action, failure.conjunct) == ("initially", "never")


def test_without_a_needed_lemma_the_property_is_not_proved() -> None:
    system = instantiate(Generations, lemmas=True).system
    lemmas = [p for p in system.lemmas if p.name != "who-allocates-is-not-current"]
    assert not prove(system, system.properties, lemmas).proved


def test_reachability_is_asked_of_the_caller() -> None:
    system = instantiate(VcpuSwitch, policy="none", lemmas=True).system
    found = prove(system, system.properties, system.lemmas, reachable=lambda instance, state: True)
    example = found.failures[0].counterexample
    assert example is not None and example.reachable
    assert "is reached" in picture(example).remark


def test_what_a_proof_rests_on() -> None:
    found = proof(Generations)
    used = found.used()
    assert "no-vm-is-ahead" not in used, "nothing needs it"
    assert "who-enters-is-current-or-interrupted" in used
    needed = prove(found.system, found.system.properties, [p for p in found.system.lemmas if p.name in used])
    assert needed.proved
