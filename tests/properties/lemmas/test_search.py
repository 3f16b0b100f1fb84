"""Lemmas that are found: nothing is given, and what comes out proves the properties and can be pasted into the
system.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np
import pytest
from flushproof.model.ir import Property, Read, Var
from flushproof.model.ir import System as Compiled
from flushproof.model.ir.instance import Instance, State
from flushproof.model.ir.terms import closed, forall, formula, is_none
from flushproof.model.language.declare import Map, Sort, System, action, hint, invariant, require
from flushproof.model.language.instantiate import instantiate
from flushproof.properties.induction.induction import prove
from flushproof.properties.lemmas.columns import Columns
from flushproof.properties.lemmas.cubes import Excluder, Known
from flushproof.properties.lemmas.search import Effort, Inference, Sample, infer, sample_sizes
from flushproof.properties.lemmas.vocabulary import Vocabulary, usual_variables
from flushproof.search.explore import explore
from flushproof.search.reference.interpreter import Reference

from flushproof.processes import each
from tests.generated import instance as generated

from ..mechanisms import Generations, VcpuSwitch
from ..walks import reachable_states

T = TypeVar("T")


def bare(cls: type[System], policy: str | None = None, **knobs: bool) -> Compiled:
    """The system without its lemmas."""
    return replace(instantiate(cls, policy=policy, knobs=knobs, lemmas=True).system, lemmas=())


def samples(system: Compiled, *more: dict[str, int]) -> list[Sample]:
    """The reachable states, one of each orbit, at sizes of which there are not too many, and at those that are
    given.
    """
    found = []
    for sizes in (*(s for s in sample_sizes(system) if sum(s.values()) <= 6), *more):
        instance = Instance(system, sizes)
        states: list[State] = []
        explore(instance, properties=[], on_state=states.append)
        found.append(Sample(instance, states))
    return found


def alone(search: Callable[[T], Inference], what: T) -> Inference:
    """What a search finds in a process of its own: what Z3 comes upon first depends on what it was asked before."""
    (found,) = each(search, [what], jobs=1)
    assert not isinstance(found, str), found
    return found


def found_for(case: tuple[str, bool]) -> Inference:
    policy, fb = case
    system = bare(VcpuSwitch, policy, fb=fb)
    return infer(system, system.properties, samples(system), effort=Effort(seconds=200))


@pytest.mark.parametrize(("policy", "fb"), [("last-ran", True), ("both", False)])
def test_the_vcpu_switch_is_proved_without_help(policy: str, fb: bool) -> None:
    found = alone(found_for, (policy, fb))
    assert found.proof.proved
    assert found.lemmas == found.found and 3 <= len(found.lemmas) <= 8
    system = bare(VcpuSwitch, policy, fb=fb)
    for lemma in found.lemmas:
        fewer = [p for p in found.lemmas if p is not lemma]
        assert not prove(system, system.properties, fewer).proved, "each lemma is needed"


@pytest.mark.parametrize(("policy", "fb"), [("none", True), ("last-ran", False)])
def test_no_lemmas_prove_a_broken_policy(policy: str, fb: bool) -> None:
    found = alone(found_for, (policy, fb))
    assert not found.proof.proved
    assert not all(found.proof.properties.values())


ROLLOVERS = ({"Cpu": 2, "Vmid": 1, "Vm": 2}, {"Cpu": 2, "Vmid": 2, "Vm": 3})
"""Sizes with more VMs than numbers: otherwise no rollover happens, and nothing is learned about it."""


def all_but(deleted: str) -> tuple[Compiled, list[Property]]:
    """The generation allocator without its lemmas, and all of them but one."""
    compiled = instantiate(Generations, lemmas=True).system
    return bare(Generations), [p for p in compiled.lemmas if p.name != deleted]


def found_without(deleted: str) -> Inference:
    system, kept = all_but(deleted)
    return infer(system, system.properties, samples(system, *ROLLOVERS), kept, effort=Effort(seconds=400))


@pytest.mark.parametrize("deleted", ["who-allocates-is-not-current", "what-is-loaded-is-the-vttbr"])
def test_a_deleted_lemma_is_suggested_again(deleted: str) -> None:
    system, kept = all_but(deleted)
    assert not prove(system, system.properties, kept).proved
    found = alone(found_without, deleted)
    assert found.proof.proved and 1 <= len(found.found) <= 4
    assert prove(system, system.properties, found.lemmas).proved


class Box(Sort):
    pass


class Post(System):
    """Letters wait in boxes; who rings has put one into an open box, and it is found unless somebody takes it on."""

    open: Map[Box, bool]
    full: Map[Box, bool]
    rung: bool
    lost: bool

    @hint
    def is_waiting(self):
        return any(self.open[box] and self.full[box] for box in Box)

    @action
    def shut(self, box: Box):
        require(not self.full[box])
        self.open[box] = not self.open[box]

    @action
    def put(self, box: Box):
        self.open[box] = True
        self.full[box] = True
        self.rung = True

    @action
    def carry(self, box: Box, to: Box):
        require(self.full[box])
        self.full[box] = False
        self.open[to] = True
        self.full[to] = True

    @action
    def find(self):
        require(self.rung)
        self.lost = not self.is_waiting()

    @invariant(because="A letter is lost.")
    def nothing_is_lost(self):
        return not self.lost


def test_a_hint_says_what_the_vocabulary_cannot() -> None:
    system = bare(Post)
    assert len(system.hints) == 1 and not instantiate(Post).system.hints
    found = infer(system, system.properties, samples(system), effort=Effort(seconds=200))
    assert found.proof.proved and len(found.found) == 1
    without = replace(system, hints=())
    assert not infer(without, system.properties, samples(without), effort=Effort(seconds=5)).proof.proved


def test_a_search_that_gives_up_conjuncts_is_begun_again() -> None:
    """With the next seed, and with twice the patience each time; what it comes to in the end is said."""
    system, told = replace(bare(Post), hints=()), list[str]()
    effort = Effort(seconds=5, setbacks=1)
    found = infer(system, system.properties, samples(system), effort=effort, progress=told.append)
    assert not found.proof.proved
    ends = [i for i, text in enumerate(told) if text.startswith("not found with seed")]
    assert [told[i] for i in ends] == [f"not found with seed {n}" for n in range(len(ends))] and len(ends) > 1
    for number, (start, end) in enumerate(itertools.pairwise([0, *ends])):
        assert sum(text.startswith("given up") for text in told[start:end]) <= (1 << number) + 1


# --------------------------------------------------------------------------------------------------------------- its
# parts


@pytest.mark.parametrize("seed", range(30))
def test_a_feature_has_exactly_one_value(seed: int) -> None:
    instance = generated(seed)
    states = reachable_states(Reference(instance))[:50]
    if not states:
        pytest.skip("no initial state")
    columns = Columns(instance, states)
    variables = usual_variables(instance.system, 1)
    wide = columns.for_all(variables)
    for feature in Vocabulary(instance.system).features(variables):
        truths = np.array([wide.holds(value, {}) for value in feature.values])
        assert (truths.sum(axis=0) == 1).all(), feature.values
        assert (truths.argmax(axis=0) == feature.codes(wide, {})).all()


@pytest.mark.parametrize("seed", range(30))
def test_a_cube_is_had_by_the_unwanted_state_and_no_other(seed: int) -> None:
    """The clause is true in all known states, false in the unwanted one, and none of its literals can be left out."""
    instance = generated(seed)
    states = reachable_states(Reference(instance))
    if len(states) < 2:
        pytest.skip("nothing to tell apart")
    unwanted = random.Random(seed).choice(states)
    others = [s for s in states if s != unwanted]
    known = Columns(instance, others)
    variables = usual_variables(instance.system, 2)
    excluder = Excluder(Vocabulary(instance.system), variables, [Known(instance, others)], seed)
    for cube in excluder.cubes(instance, unwanted, 4, 8):
        expr = closed(cube.clause)
        assert known.holds(expr, {}).all()
        assert not Columns(instance, [unwanted]).holds(expr, {}).any()
        for literal in cube.literals:
            shorter = replace(cube, literals=tuple(x for x in cube.literals if x is not literal))
            assert not known.holds(closed(shorter.clause), {}).all()


def test_a_quantifier_binds_its_variable_also_where_columns_bind_one_of_that_name() -> None:
    system = bare(VcpuSwitch)
    instance = Instance(system, {"Cpu": 2, "Vm": 1, "Vcpu": 1})
    states = reachable_states(Reference(instance))
    cpu = Var("cpu", system.variable["running"].index[0])
    nowhere = forall(cpu, is_none(Read("running", (cpu,), system.variable["running"].sort)))
    plain, wide = Columns(instance, states), Columns(instance, states).for_all((cpu,))
    assert plain.holds(nowhere, {}).tolist() * 2 == wide.holds(nowhere, {}).tolist()


@pytest.mark.parametrize("seed", range(20))
def test_a_column_for_each_choice_of_elements(seed: int) -> None:
    instance = generated(seed)
    states = reachable_states(Reference(instance))[:20]
    if not states:
        pytest.skip("no initial state")
    columns = Columns(instance, states)
    for prop in instance.system.properties:
        for clause in prop.clauses:
            wide = columns.for_all(clause.params).holds(clause.expr, {})
            choices = instance.assignments(tuple(p.of for p in clause.params))
            one_by_one = [columns.holds(clause.expr, _env(clause.params, codes)) for codes in choices]
            assert wide.tolist() == [bool(x) for truths in one_by_one for x in truths]


def _env(params: tuple[Var, ...], codes: tuple[int, ...]) -> dict[Var, int]:
    return dict(zip(params, codes, strict=True))


def test_what_is_found_holds_in_all_reachable_states_of_other_sizes() -> None:
    found = alone(found_for, ("last-ran", True))
    instance = Instance(bare(VcpuSwitch, "last-ran"), {"Cpu": 2, "Vm": 2, "Vcpu": 3})
    columns = Columns(instance, reachable_states(Reference(instance)))
    lemma: Property
    for lemma in found.lemmas:
        assert columns.holds(formula(lemma), {}).all()
