"""The laboratory against one check for each policy, and against declared orders that are wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
from flushproof.model.errors import FlushproofError, ModelError
from flushproof.model.ir.trace import Condition, Open
from flushproof.model.language.declare import Knob, System
from flushproof.model.language.load import load_system
from flushproof.model.language.policies import at_most, check_declared
from flushproof.properties.confirmation.certify import View, certify
from flushproof.search.task import Limits

from flushproof.checking import certified, check
from flushproof.laboratory.decided import Decided
from flushproof.laboratory.deciding import Laboratory
from flushproof.laboratory.lattice import Lattice, Policies, block, combinations, lattice_of, number_of
from flushproof.result import CertificateError
from tests.search.progressing import Queue, TryBoth

from .knobs import Flushes, Scope


def one_by_one(lattice: Lattice) -> Policies:
    """Which policies are safe, each by a check of its own with its knobs folded away."""
    found = lattice.none()
    for point in combinations(lattice):
        result = check(lattice.system, lattice.policy, knobs=lattice.set(point), sizes=lattice.sizes, audit=None)
        found[point] = result.verdict == "holds"
    return found


@pytest.mark.parametrize(
    ("system", "policy", "free"),
    [
        (Flushes, None, ()),
        (load_system("kvm-vcpu-switch"), "last-ran", ("if_other_ran", "flush")),
        (load_system("kvm-trapped-tlbi"), "nuke", ("context", "order")),
        (load_system("kvm-vmid-allocator"), "fixed", ("flush", "defer")),
        (load_system("xen-tlbflush-clock"), "xsa-241", ("filter", "wrap")),
        (TryBoth, None, ()),
        (Queue, None, ()),
    ],
)
def test_the_laboratory_agrees_with_one_check_for_each_policy(
    system: type[System], policy: str | None, free: Sequence[str]
) -> None:
    lattice = lattice_of(system, policy, free=free)
    decided = Laboratory(lattice).decide()
    wanted = one_by_one(lattice)
    assert decided.reason is None and not decided.left.any()
    assert (decided.holds == wanted).all() and (decided.fails == ~wanted).all()
    assert not (decided.safe & ~wanted).any() and not (decided.unsafe & wanted).any()
    assert bool(decided.traces) == decided.unsafe.any() and decided.traces <= np.count_nonzero(decided.unsafe)
    weakest = {p for p in combinations(lattice) if wanted[p] and not any(wanted[q] for q in decided.lattice.below(p))}
    assert set(decided.weakest) == weakest


def test_what_the_laboratory_says_rests_on_few_searches() -> None:
    knobs = [
        "if_other_ran",
        "if_first",
        "if_moved",
        "always",
        "flush",
        "switch_vttbr",
        "wait_for_flush",
        "switch_barrier",
    ]
    lattice = lattice_of(load_system("kvm-vcpu-switch"), free=knobs)
    laboratory = Laboratory(lattice)
    decided = laboratory.decide(confirm=False)
    assert lattice.count == 384 and decided.searches < 40
    assert (int(decided.holds.sum()), int(decided.fails.sum())) == (44, 340)


def test_an_order_that_is_declared_and_wrong_is_refuted_and_used_no_more() -> None:
    decided = Laboratory(lattice_of(Flushes)).decide()
    (refuted,) = decided.refuted
    assert refuted.knob == "lazy"
    lattice = decided.lattice
    assert lattice.differs(refuted.stronger, refuted.weaker) == {"lazy": "on"}
    assert decided.safe[refuted.weaker] and decided.unsafe[refuted.stronger]
    assert not next(a for a in lattice.axes if a.name == "lazy").ordered


def test_each_trace_is_one_of_each_policy_that_is_said_to_share_it() -> None:
    lattice = lattice_of(load_system("kvm-vcpu-switch"), free=("if_other_ran", "flush", "if_moved"))
    laboratory = Laboratory(lattice)
    decided = laboratory.decide()
    covered = lattice.none()
    for shared in decided.families:
        members = laboratory.families.members(shared.open)
        covered |= members
        for point in map(tuple, np.argwhere(members)):
            states = [laboratory.families.under(s, tuple(map(int, point))) for s in shared.trace.states]
            steps = [dataclasses.replace(s, state=t) for s, t in zip(shared.trace.steps, states[1:], strict=True)]
            certified(dataclasses.replace(shared.trace, initial=states[0], steps=tuple(steps)))
    assert (covered == decided.unsafe).all()


def test_z3_confirms_a_trace_for_no_policy_that_does_not_allow_it() -> None:
    lattice = lattice_of(Flushes, free=("at_load", "at_put"))
    laboratory = Laboratory(lattice)
    (shared, *_) = laboratory.decide().families
    view = View(shared.trace.instance)
    assert certify(shared.trace, shared.open, view).ok
    wider = Open(lattice.names, (Condition(("at_load",), frozenset({(0,), (1,)})),))
    for seen in (None, view):  # also where the same steps were confirmed under fewer policies before
        assert not certify(shared.trace, Open(lattice.names), seen).ok
        assert not certify(shared.trace, wider, seen).ok


def test_a_search_and_a_trace_that_contradict_each_other_are_no_verdict() -> None:
    laboratory = Laboratory(lattice_of(Flushes, free=("at_load", "at_put")))
    decided = laboratory.decide()
    safe, unsafe = (tuple(map(int, np.argwhere(found)[0])) for found in (decided.safe, decided.unsafe))
    decided.unsafe[safe] = decided.safe[unsafe] = True
    for point in (safe, unsafe):
        with pytest.raises(CertificateError, match=r"a search finds .* safe, under which there is a trace"):
            laboratory.explain(point)


def test_a_limit_leaves_policies_open_and_says_so() -> None:
    lattice = lattice_of(load_system("kvm-vcpu-switch"), free=("if_other_ran", "always"))
    decided = Laboratory(lattice, limits=Limits(states=500)).decide()
    assert decided.reason == "a limit of states or memory" and decided.left.any() and not decided.safe.any()
    decided = Laboratory(lattice, limits=Limits(seconds=0.001)).decide()
    assert decided.reason == "the limit of 0.001 seconds" and decided.left.all()


def test_only_the_properties_that_are_asked_for_count() -> None:
    lattice = lattice_of(load_system("kvm-vcpu-switch"), free=("switch_barrier", "if_other_ran"))
    every = Laboratory(lattice).decide().holds
    foreign = Laboratory(lattice, ["no-foreign-hit"]).decide().holds
    assert (foreign | ~every).all() and (foreign & ~every).any()
    with pytest.raises(FlushproofError, match="has no property 'no-such'"):
        Laboratory(lattice, ["no-such"])


# ------------------------------------------------------------------------------------------------------------- the lattice


def test_a_lattice_has_the_knobs_that_matter() -> None:
    lattice = lattice_of(Flushes)
    assert lattice.names == ("at_load", "at_put", "lazy", "way") and lattice.idle == ("unused",)
    assert lattice.count == 24 and lattice.base == (1, 0, 0, 0)
    assert lattice_of(Flushes, "none", {"at-put": "on"}).names == ("at_load", "lazy", "way")
    assert lattice.named() == {"none": (0, 0, 0, 0), "load": (1, 0, 0, 0), "both": (1, 1, 0, 0)}
    assert list(lattice.below((2, 1, 0, 1))) == [(1, 1, 0, 1), (2, 0, 0, 1)]


def test_what_is_above_and_below() -> None:
    lattice = lattice_of(Flushes, free=("at_load", "at_put"))
    for point in combinations(lattice):
        alone = lattice.none()
        alone[point] = True
        up, down = lattice.upward(alone), lattice.downward(alone)
        for other in combinations(lattice):
            assert up[other] == lattice.is_below(point, other) and down[other] == lattice.is_below(other, point)


def test_what_cannot_be_asked() -> None:
    with pytest.raises(FlushproofError, match="has no knob 'no'"):
        lattice_of(Flushes, free=("no",))
    with pytest.raises(FlushproofError, match="no knob that is left open"):
        lattice_of(
            Flushes,
            knobs=dict.fromkeys(("at_load",), "all")
            | dict.fromkeys(("at_put", "lazy", "unused"), "on")
            | {"way": "one"},
        )


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ("up", "its `order` is the str 'up'"),
        (((Scope.NONE, 3),), "which is no pair"),
        (((Scope.NONE, Scope.ALL), (Scope.ALL, Scope.NONE)), "each is weaker than the other"),
    ],
)
def test_an_order_must_be_one(order: object, said: str) -> None:
    wrong = type("Wrong", (Flushes,), {"at_load": Knob(Scope, Scope.NONE, "", order=order)})  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=said):
        check_declared(wrong)


def test_orders_of_values() -> None:
    rising, falling = (
        at_most(Knob(Scope, Scope.NONE, "", order="rising")),
        at_most(Knob(bool, False, "", order="falling")),
    )
    assert rising == ((True, True, True), (False, True, True), (False, False, True))
    assert falling == ((True, False), (True, True))
    pairs = at_most(Knob(Scope, Scope.NONE, "", order=((Scope.NONE, Scope.LOCAL), (Scope.LOCAL, Scope.ALL))))
    assert pairs == rising
    assert at_most(Knob(bool, False, "")) == ((True, False), (False, True))


def test_a_block_has_all_of_a_set_and_counts_are_those_of_the_whole() -> None:
    shape, random = (2, 3, 1, 2, 4), np.random.default_rng(15)
    for _ in range(300):
        like = [int(random.integers(2)) for _ in shape]
        some = random.random([1 if alike else size for size, alike in zip(shape, like, strict=True)]) < random.random()
        policies = np.broadcast_to(some, shape)
        for one in (policies, policies.copy()):
            inside = np.zeros(shape, dtype=np.bool_)
            inside[block(one)] = one[block(one)]
            assert (inside == policies).all() and number_of(one) == np.count_nonzero(policies)


def test_what_follows_from_an_unsafe_policy_is_the_same_alone_and_in_a_set() -> None:
    lattice = lattice_of(Flushes)
    for point in combinations(lattice):
        alone, together = (Decided(lattice, lattice.none(), lattice.none(), lattice.none()) for _ in range(2))
        policies = lattice.none()
        policies[point] = True
        alone.found_one_unsafe(point)
        together.found_unsafe(policies)
        assert (alone.unsafe == together.unsafe).all() and (alone.under == together.under).all()
        assert (alone.under == lattice.downward(policies)).all()
