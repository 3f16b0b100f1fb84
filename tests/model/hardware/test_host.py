"""The lock and the scheduler."""

import pytest
from flushproof.model.hardware import Cpu, Lock, Vcpu, Vcpus
from flushproof.model.language.declare import Knob, Map, System, invariant, process, reachable

from .explored import named, violated


class Section(System):
    """Each CPU runs any vcpu and passes through a section, locked or not; or takes a look at it in one step."""

    locked = Knob(bool, True, "enter the section with the lock held")
    looks_locked = Knob(bool, True, "take the lock for the look, too")

    inside: Map[Cpu, bool]
    saw_another: Map[Cpu, bool]

    lock = Lock()
    vcpus = Vcpus()

    @process(Cpu)
    def passes(self, cpu):
        yield "vcpu_load"
        self.vcpus.load(cpu)
        if self.locked:
            yield "locks"
            with self.lock(cpu):
                self.inside[cpu] = True
                yield "unlocks"
                self.inside[cpu] = False
        else:
            yield "enters"
            self.inside[cpu] = True
            yield "leaves"
            self.inside[cpu] = False
        yield "looks"
        if self.looks_locked:
            self.lock.acquire_and_release()
        self.saw_another[cpu] = any(self.inside[other] for other in Cpu)
        yield "vcpu_put"
        self.saw_another[cpu] = False
        self.vcpus.put(cpu)

    @invariant(because="{a} and {b} are both inside")
    def one_inside(self):
        return all(a == b for a in Cpu for b in Cpu if self.inside[a] and self.inside[b])

    @invariant(because="{cpu} has seen another one inside")
    def a_look_sees_nobody(self):
        return all(not self.saw_another[cpu] for cpu in Cpu)

    @invariant(because="{vcpu} is on {a} and on {b}")
    def a_vcpu_is_on_one_cpu(self):
        return all(
            a == b
            for a in Cpu
            for b in Cpu
            for vcpu in Vcpu
            if self.vcpus.loaded[a] == vcpu and self.vcpus.loaded[b] == vcpu
        )

    @reachable
    def both_run(self):
        return all(self.vcpus.loaded[cpu] is not None for cpu in Cpu)


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        ({}, set()),
        ({"locked": False, "looks_locked": False}, {"one-inside", "a-look-sees-nobody"}),
        ({"looks_locked": False}, {"a-look-sees-nobody"}),
    ],
    ids=named,
)
def test_a_lock_excludes(knobs: dict[str, object], expected: set[str]) -> None:
    assert violated(Section, knobs) == expected


def test_a_vcpu_waits_for_its_cpu() -> None:
    assert violated(Section, vcpu=1) == {"both-run"}
    assert violated(Section, vcpu=3) == set()
