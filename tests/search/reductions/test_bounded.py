"""Counters renamed by rank and counters up to a bound: two ways to the same verdicts."""

import pytest
from flushproof.model.errors import FlushproofError
from flushproof.model.ir import CounterSort
from flushproof.model.ir.instance import Instance
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.search.explore import explore
from flushproof.search.native.engine import NativeEngine
from flushproof.search.task import Limits

from tests.generated import instance
from tests.search.native.test_native import facts

COUNTING = [seed for seed in range(90) if any(isinstance(s, CounterSort) for s in instance(seed).system.sorts)]


def compared(inst: Instance, bound: int, symmetry: bool, limits: Limits = Limits()) -> str:  # noqa: B008 - frozen
    """The verdict of a bounded search, held against the one of a search that renames."""
    bound = max(bound, len(inst.system.init.fresh))
    renamed = explore(inst, symmetry=symmetry, engine=NativeEngine())
    bounded = explore(inst, symmetry=symmetry, bound=bound, engine=NativeEngine(), limits=limits)
    assert (renamed.bound, bounded.bound) == (None, bound)
    nearest = min((v.depth for v in renamed.violations), default=None)
    match bounded.verdict:
        case "holds":
            assert bounded.cut is None
            assert (renamed.verdict, renamed.reached) == ("holds", bounded.reached)
        case "violated":
            assert nearest is not None
            if bounded.shortest:
                assert (bounded.property, bounded.violations[0].depth) == (renamed.property, nearest)
            assert bounded.violations[0].depth >= nearest
        case "inconclusive":
            assert nearest is None or bounded.cut is None or bounded.cut < nearest
            assert bounded.cut is None or not bounded.complete
    return bounded.verdict


@pytest.mark.parametrize("bound", [1, 2, 5])
@pytest.mark.parametrize("symmetry", [False, True])
@pytest.mark.parametrize("seed", COUNTING)
def test_renaming_changes_no_verdict(seed: int, symmetry: bool, bound: int) -> None:
    compared(instance(seed), bound, symmetry, Limits(states=100_000))


@pytest.mark.parametrize("seed", COUNTING)
def test_interpreter_agrees_on_bounded_systems(seed: int) -> None:
    inst, limits = instance(seed), Limits(depth=4)
    slow = explore(inst, symmetry=False, bound=2, limits=limits)
    fast = explore(inst, symmetry=False, bound=2, limits=limits, engine=NativeEngine())
    assert (facts(fast), fast.cut) == (facts(slow), slow.cut)


def test_each_verdict_occurs() -> None:
    found = {compared(instance(seed), 5, True, Limits(states=100_000)) for seed in COUNTING[:40]}
    assert found == {"holds", "violated", "inconclusive"}


@pytest.mark.parametrize("policy,verdict", [("v4.17", "violated"), ("fixed", "inconclusive")])
def test_renaming_changes_no_verdict_on_a_shipped_system(policy: str, verdict: str) -> None:
    assert compared(instantiate(load_system("kvm-vmid-generation"), policy), 3, True) == verdict


def test_a_cut_is_no_deadlock() -> None:
    """Where nothing but a fresh value is possible, a bound leaves no step; that is not what `no-deadlock` is about."""
    for seed in COUNTING:
        outcome = explore(instance(seed), bound=1, engine=NativeEngine(), properties=["no-deadlock"])
        if outcome.cut is not None and outcome.verdict == "inconclusive":
            assert "cut off" in (outcome.reason or "")
            return
    raise AssertionError("no generated system is cut off")


def test_a_bound_below_what_the_system_starts_with() -> None:
    for seed in COUNTING:
        inst = instance(seed)
        if inst.system.init.fresh:
            with pytest.raises(FlushproofError, match="too small"):
                explore(inst, bound=0, engine=NativeEngine())
            return
    raise AssertionError("no generated system begins with a fresh value")
