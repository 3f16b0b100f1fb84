"""Proofs for any number of elements: the fixed mechanisms are proved, and each mistake fails where one expects it."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pytest
from flushproof.model.ir import FALSE, TRUE, Clause, Expr, Property
from flushproof.model.language.declare import Map, Sort, System, action, invariant, require
from flushproof.model.language.instantiate import instantiate
from flushproof.properties.formulas.conjuncts import Conjunct
from flushproof.properties.formulas.solver import Question
from flushproof.properties.induction.counterexample import picture
from flushproof.properties.induction.induction import AnyNumber, Limits, Proof, Result, prove
from flushproof.search.reference.interpreter import Reference

from tests.generated import instance as generated

from ..mechanisms import Generations, VcpuSwitch, Vmid


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
    assert {r.step for r in found.failures} <= {"load", "unmap"}


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
    assert {r.step for r in first} == {action}
    assert conjunct in {r.conjunct.name for r in first}
    assert all(r.verdict == "failed" for r in first), "never unknown where a finite counterexample exists"


def test_a_counterexample_is_a_true_step() -> None:
    """The interpreter takes it too, and agrees about what holds before and after it."""
    found = proof(Generations, wait=False)
    for result in found.failures:
        example = result.counterexample
        assert example is not None and example.before is not None
        reference = Reference(example.instance)
        steps = [(a, after) for a, _, after in reference.successors(reference.renamed(example.before))]
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
    assert (failure.action, failure.conjunct.name) == (None, "never")


@pytest.mark.parametrize("said", [(FALSE, TRUE), (TRUE, FALSE)])
def test_a_property_is_proved_if_each_of_its_clauses_is(said: tuple[Expr, Expr]) -> None:
    both = Property("both", tuple(Clause((), TRUE, expr) for expr in said))
    assert prove(instantiate(Generations).system, (both,), ()).properties == {"both": False}


def test_without_a_needed_lemma_the_property_is_not_proved() -> None:
    system = instantiate(Generations, lemmas=True).system
    lemmas = [p for p in system.lemmas if p.name != "who-allocates-is-not-current"]
    found = prove(system, system.properties, lemmas)
    assert not found.proved
    assert all(r.counterexample is not None for r in found.failures), "never unknown where there is a finite one"
    assert max(r.seconds for r in found.failures) < 1


# ------------------------------------------------------------------------- few hypotheses, found at small sizes


def questions(found: Proof, assumed: tuple[Conjunct, ...]) -> Iterator[tuple[Result, Question]]:
    """The answers of a proof, each with its question where everything in `assumed` is a hypothesis."""
    asked = AnyNumber(found.system, assumed)
    for result in (*found.results, *found.failures):
        if result.action is None:
            yield result, asked.initiation(result.conjunct)
        elif result.verdict != "untouched":
            yield result, asked.consecution(result.action, result.conjunct)


@pytest.mark.parametrize("mistake", [None, "recheck"])
def test_few_hypotheses_say_what_all_of_them_say(mistake: str | None) -> None:
    """What small sizes suggest is only a faster way to the answer that Z3 gives with everything assumed."""
    found = proof(Generations, **({} if mistake is None else {mistake: False}))
    first = [r for r, number in zip(found.failures, found.rounds, strict=True) if number == 0]
    for result, question in questions(found, found.conjuncts):
        if result.verdict == "proved" or result in first:
            slow = question.ask(0.3, tracked=False).outcome
            assert slow == "unknown" or (slow == "unsatisfiable") == (result.verdict == "proved"), result


@pytest.mark.parametrize("seed", range(24))
def test_few_hypotheses_say_what_all_of_them_say_of_generated_systems(seed: int) -> None:
    system = generated(seed).system
    found = prove(system, system.properties, limits=Limits(retries=()))
    for result, question in questions(found, found.inductive):
        if result.verdict == "proved":
            assert question.ask(2.0, tracked=False).outcome != "satisfiable", result
            assert question.only(result.core).ask(2.0).outcome == "unsatisfiable", "a core suffices by itself"
    for result in found.failures:
        example = result.counterexample
        if example is not None and example.before is not None:
            reference = Reference(example.instance)
            steps = {(a, after) for a, _, after in reference.successors(reference.renamed(example.before))}
            assert (example.action, reference.renamed(example.after)) in steps
            assert not reference.holds(Property("wrong", (example.conjunct.clause,)), example.after)


def test_cores_are_small_and_true() -> None:
    found = proof(Generations)
    asked = [(r, q) for r, q in questions(found, found.inductive) if r.verdict == "proved"]
    assert sum(len(r.core) for r, _ in asked) / len(asked) < 5
    assert all(q.only(r.core).ask(2.0).outcome == "unsatisfiable" for r, q in asked)


def test_without_the_help_of_small_sizes_the_proof_is_the_same() -> None:
    system = instantiate(Generations, lemmas=True).system
    blind = prove(system, system.properties, system.lemmas, limits=Limits(small=1e-9, first=2.0))
    assert blind.proved and not blind.failures
    helped = {(r.action, r.conjunct): r.verdict for r in proof(Generations).results}
    assert {(r.action, r.conjunct): r.verdict for r in blind.results} == helped
    asked = [(r, q) for r, q in questions(blind, blind.inductive) if r.verdict == "proved"]
    assert sum(len(r.core) for r, _ in asked) / len(asked) < 5
    assert all(q.only(r.core).ask(2.0).outcome == "unsatisfiable" for r, q in asked)


class Person(Sort):
    """Somebody."""


class Pigeonholes(System):
    """Everyone gets a number of their own, as long as there are any."""

    number: Map[Person, Vmid | None]

    @action
    def gets_a_number(self, person: Person, number: Vmid) -> None:
        require(self.number[person] is None)
        free = any(all(self.number[p] != n for p in Person) for n in Vmid)
        require(not free or all(self.number[p] != number for p in Person))
        self.number[person] = number

    @invariant(because="{a} and {b} have one number.")
    def all_differ(self) -> bool:
        return all(self.number[a] is None or self.number[a] != self.number[b] for a in Person for b in Person if a != b)


def test_a_counterexample_may_need_more_of_one_sort_than_of_the_others() -> None:
    (failure,) = proof(Pigeonholes).failures
    assert failure.verdict == "failed" and failure.counterexample is not None
    sizes = failure.counterexample.instance.sizes
    assert sizes["Person"] > sizes["Vmid"]


class Crowd(System):
    """A number is given away as long as at most two others have one."""

    number: Map[Person, bool]

    @action
    def gets_a_number(self, person: Person) -> None:
        require(not self.number[person])
        three = any(
            self.number[a] and self.number[b] and self.number[c] and a != b and b != c and a != c
            for a in Person for b in Person for c in Person
        )  # fmt: skip
        require(three)
        self.number[person] = True

    @invariant(because="{a}, {b}, {c} and {d} have a number.")
    def at_most_three(self) -> bool:
        return all(
            not (self.number[a] and self.number[b] and self.number[c] and self.number[d])
            for a in Person for b in Person for c in Person for d in Person
            if a != b and a != c and a != d and b != c and b != d and c != d
        )  # fmt: skip


def test_a_counterexample_may_need_many_elements_and_is_shown_with_no_more() -> None:
    (failure,) = proof(Crowd).failures
    assert failure.verdict == "failed" and failure.counterexample is not None
    assert dict(failure.counterexample.instance.sizes) == {"Person": 4}


def test_where_z3_stops_at_its_limit_nothing_is_said() -> None:
    asked = [q for r, q in questions(proof(Generations), proof(Generations).conjuncts) if r.verdict == "proved"]
    assert {q.ask(0.002, tracked=False).outcome for q in asked} == {"unknown", "unsatisfiable"}


def test_reachability_is_asked_of_the_caller() -> None:
    system = instantiate(VcpuSwitch, policy="none", lemmas=True).system
    found = prove(system, system.properties, system.lemmas, reachable=lambda instance, state: True)
    example = found.failures[0].counterexample
    assert example is not None and example.reachable
    assert "is reached" in picture(example).remark


def test_what_a_proof_rests_on() -> None:
    found = proof(Generations)
    used = {c.name for c in found.used()}
    assert "no-vm-is-ahead" not in used, "nothing needs it"
    assert "who-enters-is-current-or-interrupted" in used
    needed = prove(found.system, found.system.properties, [p for p in found.system.lemmas if p.name in used])
    assert needed.proved
