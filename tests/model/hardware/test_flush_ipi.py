"""Flushes of other CPUs: who was asked has flushed when the sender goes on, whoever else flushes meanwhile."""

import pytest
from flushproof.model.hardware import Cpu, FlushIpi
from flushproof.model.language.declare import Knob, Map, System, action, at, invariant, process, reachable, require

from .explored import named, violated


class WithoutLock(FlushIpi):
    """The same, but nobody takes flush_lock."""

    def send(self, cpu, mask):
        for other in Cpu:
            self.pending[other] = other != cpu and mask[cpu, other]

    def wait(self, cpu):
        require(all(not self.pending[other] for other in Cpu))


class Flushes(System):
    """Each CPU makes the others' TLBs stale now and then, and flushes them."""

    waits = Knob(bool, True, "wait until all have flushed")

    stale: Map[Cpu, Cpu, bool]
    mask: Map[Cpu, Cpu, bool]
    ipi = FlushIpi()

    @action
    def interrupt(self, cpu: Cpu):
        require(self.ipi.pending[cpu])
        self.stale[:, cpu] = False
        self.ipi.acknowledge(cpu)

    @process(Cpu)
    def change(self, cpu):
        yield "change"
        for other in Cpu:
            self.stale[cpu, other] = other != cpu
            self.mask[cpu, other] = True
        yield "send"
        self.ipi.send(cpu, self.mask)
        yield "wait"
        if self.waits:
            self.ipi.wait(cpu)
        else:
            self.ipi.holder = None
        yield "go on"
        self.stale[cpu, :] = False

    @invariant(because="{cpu} goes on, though {other} has not flushed")
    def all_have_flushed(self):
        return all(not self.stale[cpu, other] for cpu in Cpu for other in Cpu if at(self.change, cpu, "go on"))

    @reachable
    def two_flush_at_once(self):
        return any(at(self.change, a, "send") and at(self.change, b, "wait") for a in Cpu for b in Cpu)


class FlushesWithoutLock(Flushes):
    """One CPU overwrites the mask that another waits for."""

    ipi = WithoutLock()


@pytest.mark.parametrize(
    ("cls", "knobs", "cpus", "expected"),
    [
        (Flushes, {}, 2, set()),
        (Flushes, {}, 3, set()),
        (Flushes, {"waits": False}, 2, {"all-have-flushed"}),
        (FlushesWithoutLock, {}, 2, {"all-have-flushed"}),
    ],
    ids=named,
)
def test_each_ingredient(cls: type[System], knobs: dict[str, bool], cpus: int, expected: set[str]) -> None:
    assert violated(cls, knobs, cpu=cpus) == expected
