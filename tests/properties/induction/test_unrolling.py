"""Bounded checks agree with the interpreter's exploring, and k-induction proves only what holds."""

from __future__ import annotations

import pytest
from flushproof.model.ir import Property
from flushproof.model.ir.instance import Instance
from flushproof.model.language.instantiate import instantiate
from flushproof.properties.confirmation.certify import certify
from flushproof.properties.induction.unrolling import check_bounded, k_induction
from flushproof.search.reference.interpreter import Reference

from tests.generated import instance as generated

from ..mechanisms import Generations, VcpuSwitch


def first_violation(instance: Instance, prop: Property, depth: int) -> int | None:
    """The length of a shortest way to a violation, if it is not longer than `depth`."""
    reference = Reference(instance)
    seen = set(reference.initial_states())
    level = seen
    for length in range(depth + 1):
        if any(not reference.holds(prop, s) for s in level):
            return length
        level = {after for s in level for _, _, after in reference.successors(s)} - seen
        seen |= level
    return None


@pytest.mark.parametrize("seed", range(25))
def test_bounded_checks_agree_with_exploring(seed: int) -> None:
    instance = generated(seed)
    for prop in instance.system.properties:
        if prop.kind == "invariant":
            expected = first_violation(instance, prop, 3)
            found = check_bounded(instance, prop, 3)
            if expected is None:
                assert (found.kind, found.depth, found.trace) == ("bounded", 3, None)
            else:
                assert (found.kind, found.depth) == ("violated", expected)
                assert found.trace is not None and sum(not s.event for s in found.trace.steps) == expected
                clause = prop.clauses[found.trace.clause or 0]
                assert [s.action for s in found.trace.steps if s.event] == ([clause.event] if clause.event else [])
                assert certify(found.trace).ok, certify(found.trace)


@pytest.mark.parametrize("seed", range(25))
def test_k_induction_proves_only_what_holds(seed: int) -> None:
    instance = generated(seed)
    for prop in instance.system.properties:
        if prop.kind == "invariant":
            expected = first_violation(instance, prop, 1000)
            found = k_induction(instance, prop, 3, seconds=20)
            if found.kind == "finite":
                assert expected is None
            elif found.kind == "violated":
                assert found.depth == expected and found.trace is not None and certify(found.trace).ok


def test_a_broken_switch_has_a_shortest_trace() -> None:
    instance = instantiate(VcpuSwitch, policy="none", lemmas=True)
    prop = next(p for p in instance.system.properties if p.name == "no-foreign-hit")
    found = check_bounded(instance, prop, 6)
    assert found.kind == "violated" and found.depth == 4 and found.trace is not None
    assert certify(found.trace).ok


def test_a_switch_is_proved_at_its_sizes_by_k_induction_with_lemmas() -> None:
    instance = instantiate(VcpuSwitch, policy="last-ran", lemmas=True)
    prop = next(p for p in instance.system.properties if p.name == "no-foreign-hit")
    assert k_induction(instance, prop, 1, instance.system.lemmas).kind == "finite"
    assert k_induction(instance, prop, 0).kind == "bounded"


def test_a_limit_is_no_proof() -> None:
    instance = instantiate(Generations, lemmas=True)
    prop = instance.system.properties[0]
    found = check_bounded(instance, prop, 30, seconds=0.5)
    assert found.kind == "bounded" and found.depth < 30
