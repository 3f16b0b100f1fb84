"""Two stages: which TLBI removes what, and why their order matters."""

import enum

import pytest
from flushproof.model.hardware import Cpu, Scope
from flushproof.model.hardware.two_stage import Age, Kind, TwoStageTlb
from flushproof.model.language.declare import Knob, Map, System, final, invariant, process, reachable, require

from .explored import named, violated


class Changed(enum.Enum):
    """Whose descriptor changes."""

    STAGE1 = 0
    STAGE2 = 1


class Invalidating(System):
    """One CPU changes a descriptor and invalidates it, with up to two TLBIs; the guest is live on every CPU."""

    changed = Knob(Changed, Changed.STAGE2, "whose descriptor")
    first = Knob(Kind, Kind.STAGE2, "the first TLBI")
    second = Knob(Kind, Kind.STAGE1, "the second TLBI")
    scope = Knob(Scope, Scope.BROADCAST, "of both")
    store_barrier = Knob(bool, True, "DSB ISHST behind the store")
    barrier_between = Knob(bool, True, "DSB between the two")
    barrier_behind = Knob(bool, True, "DSB behind both")

    started: bool
    done: Map[Cpu, bool]

    def live(self, cpu):
        return True

    tlb = TwoStageTlb(walks=live)

    @process(Cpu)
    def changes(self, cpu):
        yield "store"
        require(not self.started)
        self.started = True
        if self.changed == Changed.STAGE1:
            self.tlb.store_stage1(cpu)
        else:
            self.tlb.store_stage2(cpu)
        yield "DSB ISHST"
        if self.store_barrier:
            self.tlb.store_barrier(cpu)
        yield "first TLBI"
        self.tlb.tlbi.issue(cpu, self.scope, self.first)
        yield "DSB"
        if self.barrier_between:
            self.tlb.barrier(cpu)
        yield "second TLBI"
        self.tlb.tlbi.issue(cpu, self.scope, self.second)
        yield "DSB"
        if self.barrier_behind:
            self.tlb.barrier(cpu)
        self.done[cpu] = True

    @final
    def nothing_is_left_to_do(self):
        return self.started

    def holds_old(self, cpu):
        if self.changed == Changed.STAGE1:
            return any(self.tlb.combined[cpu, Age.OLD, age] for age in Age)
        return any(self.tlb.combined[cpu, age, Age.OLD] for age in Age)

    @invariant(because="{cpu} is done, and {other} still holds an entry made of the old descriptor")
    def gone_everywhere(self):
        return all(not self.holds_old(other) for cpu in Cpu for other in Cpu if self.done[cpu])

    @invariant(because="{cpu} is done, and still holds an entry made of the old descriptor")
    def gone_here(self):
        return all(not self.holds_old(cpu) for cpu in Cpu if self.done[cpu])

    @reachable
    def it_was_there(self):
        return all(self.holds_old(cpu) for cpu in Cpu)


HERE, EVERYWHERE = "gone-here", "gone-everywhere"
ONE, TWO, BOTH = "stage1", "stage2", "stage12"


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        ({}, set()),
        ({"first": ONE, "second": TWO}, {HERE, EVERYWHERE}),
        ({"first": TWO, "second": TWO}, {HERE, EVERYWHERE}),
        ({"first": ONE, "second": ONE}, {HERE, EVERYWHERE}),
        ({"first": BOTH, "second": TWO}, set()),
        ({"barrier_between": False}, {HERE, EVERYWHERE}),
        ({"barrier_behind": False}, {HERE, EVERYWHERE}),
        ({"store_barrier": False}, {HERE, EVERYWHERE}),
        ({"scope": "local"}, {EVERYWHERE}),
        ({"changed": ONE}, set()),
        ({"changed": ONE, "first": ONE}, set()),
        ({"changed": ONE, "second": TWO}, {HERE, EVERYWHERE}),
    ],
    ids=named,
)
@pytest.mark.parametrize("fill", ["eager", "lazy", "literal"])
def test_what_each_tlbi_removes(knobs: dict[str, object], expected: set[str], fill: str) -> None:
    assert violated(Invalidating, {**knobs, "tlb.fill": fill}) == expected
