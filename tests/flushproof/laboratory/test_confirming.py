"""Traces confirmed by a process beside this one: the same is said as without it, whatever becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from flushproof.model.ir.trace import Open
from flushproof.search.family import Shared

from flushproof.laboratory import confirming
from flushproof.laboratory.confirming import Confirming
from flushproof.laboratory.decided import Decided
from flushproof.laboratory.deciding import Laboratory
from flushproof.laboratory.lattice import Lattice, lattice_of
from flushproof.result import CertificateError

from .knobs import Flushes


@pytest.fixture(autouse=True)
def early(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is worth its while from the first trace on, and is given one at a time."""
    monkeypatch.setattr(confirming, "MANY", 1)
    monkeypatch.setattr(confirming, "AT_ONCE", 1)


@pytest.fixture(scope="module")
def decided() -> Decided:
    """Decided without another process."""
    return Laboratory(lattice_of(Flushes)).decide(confirm=False)


@pytest.fixture
def beside() -> Iterator[Laboratory]:
    laboratory = Laboratory(lattice_of(Flushes), beside=True)
    yield laboratory
    laboratory.close()


def same(one: Decided, other: Decided) -> bool:
    return (
        (one.safe == other.safe).all()
        and (one.unsafe == other.unsafe).all()
        and [(f.trace.property, f.trace.states, f.open) for f in one.families]
        == [(f.trace.property, f.trace.states, f.open) for f in other.families]
        and (one.searches, one.confirmed, one.reason) == (other.searches, other.confirmed, other.reason)
    )


def test_the_same_with_a_process_beside(decided: Decided, beside: Laboratory) -> None:
    found = beside.decide(confirm=False)
    assert beside.confirming._worker is not None
    assert found.confirmed and len(found.families) > 1 and same(found, decided)
    assert {id(f) for f in found.families} <= set(beside.confirming._confirmed)


def test_what_it_leaves_undone_is_done_here(decided: Decided, beside: Laboratory) -> None:
    beside.decide(confirm=False, certify=False)
    worker = beside.confirming._worker
    assert worker is not None and not beside.decided.confirmed
    worker.process.kill()
    beside.certify()
    assert beside.confirming._worker is None and same(beside.decided, decided)
    assert {id(f) for f in beside.decided.families} <= set(beside.confirming._confirmed)


@pytest.mark.parametrize("own", [True, False])
def test_a_trace_that_z3_does_not_confirm_ends_it(decided: Decided, own: bool) -> None:
    shared = next(f for f in decided.families if f.open.conditions)
    wider = Shared(shared.trace, Open(shared.open.knobs))  # under all policies: not so
    others = [f for f in decided.families if f is not shared]
    found = Confirming(shared.trace.instance, beside=not own)
    try:
        with pytest.raises(CertificateError, match="Z3 does not confirm the trace to 'no-foreign-hit' for all that share it"):
            found.add(wider, 1000)
            found.finish([wider, *others])
    finally:
        found.close()


def test_nothing_is_confirmed_that_nobody_needs(decided: Decided) -> None:
    found = Confirming(decided.families[0].trace.instance)
    for shared in decided.families:
        found.add(replace(shared), 1)
    found.finish(decided.families[:1])
    assert [id(s) for s in found._confirmed.values()] == [id(decided.families[0])]
    found.finish(decided.families)
    assert set(found._confirmed) == {id(s) for s in decided.families}


def test_what_follows_by_the_order_is_kept_up_as_more_is_known() -> None:
    lattice: Lattice = lattice_of(Flushes)
    random = np.random.default_rng(1)
    for _ in range(30):
        known = Decided(lattice, lattice.none(), lattice.none(), lattice.none())
        for _ in range(6):
            if random.random() < 0.5:
                known.found_safe(lattice.point(int(random.integers(lattice.count))))
            else:  # conditions on some of the knobs
                shape = [n if random.random() < 0.5 else 1 for n in lattice.shape]
                known.found_unsafe(np.broadcast_to(random.random(shape) < 0.3, lattice.shape))
            assert (known.above == lattice.upward(known.safe)).all()
            assert (known.under == lattice.downward(known.unsafe)).all()
            assert (known.holds == lattice.upward(known.safe) & ~known.unsafe).all()
            assert (known.left == ~(known.holds | known.fails)).all()
