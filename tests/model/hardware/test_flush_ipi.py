"""Flushes of other CPUs: who was asked has flushed when the sender goes on, whoever else flushes meanwhile."""

import pytest
from flushproof.model.hardware import Cpu, FlushIpi
from flushproof.model.language.declare import Knob, Map, System, action, at, invariant, process, reachable, require

from .explored import named, violated

SENDS, WAITS = "flush_mask: take flush_lock and interrupt the others", "flush_mask: wait until they have flushed"


class WithoutLock(FlushIpi):
    """The same, but nobody takes flush_lock."""

    def send(self, cpu, mask):
        for other in Cpu:
            self.flush_cpumask[other] = other != cpu and mask[cpu, other]

    def wait(self, cpu):
        require(all(not self.flush_cpumask[other] for other in Cpu))


class WithoutWaiting(FlushIpi):
    """The same, but nobody waits."""

    def wait(self, cpu):
        self.flush_lock = None


class Flushes(System):
    """Each CPU makes the others' TLBs stale now and then, and flushes them."""

    publishes = Knob(bool, True, "say what is to be flushed")

    stale: Map[Cpu, Cpu, bool]
    mask: Map[Cpu, Cpu, bool]
    flush_tlb_flag: bool
    ipi = FlushIpi()

    @action
    def interrupt(self, cpu: Cpu):
        require(self.ipi.flush_cpumask[cpu])
        if self.flush_tlb_flag:
            self.stale[:, cpu] = False
        self.ipi.acknowledge(cpu)

    @process(Cpu)
    def change(self, cpu):
        yield "change"
        for other in Cpu:
            self.stale[cpu, other] = other != cpu
            self.mask[cpu, other] = True
        yield from self.ipi.flush(cpu, self.mask, lambda under_way: self.publish(under_way and self.publishes))
        yield "go on"
        self.stale[cpu, :] = False

    def publish(self, flush_tlb):
        self.flush_tlb_flag = flush_tlb

    @invariant(because="{cpu} goes on, though {other} has not flushed")
    def all_have_flushed(self):
        return all(not self.stale[cpu, other] for cpu in Cpu for other in Cpu if at(self.change, cpu, "go on"))

    @invariant(because="the flag is set, and nobody flushes, or the other way round")
    def the_flag_is_of_the_flush_under_way(self):
        return not self.publishes or self.flush_tlb_flag == (self.ipi.flush_lock is not None)

    @reachable
    def two_flush_at_once(self):
        return any(at(self.change, a, SENDS) and at(self.change, b, WAITS) for a in Cpu for b in Cpu)


class FlushesWithoutLock(Flushes):
    """One CPU overwrites the mask that another waits for."""

    ipi = WithoutLock()


class FlushesWithoutWaiting(Flushes):
    """A CPU goes on before the others have flushed."""

    ipi = WithoutWaiting()


LOST = "the-flag-is-of-the-flush-under-way"


@pytest.mark.parametrize(
    ("cls", "knobs", "cpus", "expected"),
    [
        (Flushes, {}, 2, set()),
        (Flushes, {}, 3, set()),
        (Flushes, {"publishes": False}, 2, {"all-have-flushed"}),
        (FlushesWithoutWaiting, {}, 2, {"all-have-flushed"}),
        (FlushesWithoutLock, {}, 2, {"all-have-flushed", LOST}),
    ],
    ids=named,
)
def test_each_ingredient(cls: type[System], knobs: dict[str, bool], cpus: int, expected: set[str]) -> None:
    assert violated(cls, knobs, cpu=cpus) == expected
