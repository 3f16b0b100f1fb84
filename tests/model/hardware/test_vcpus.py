"""Threads that run vcpus: what a vcpu finds on a CPU that knows who ran there last, and where each ran last."""

from typing import Optional

import pytest
from flushproof.model.hardware import Cpu, Vcpu
from flushproof.model.hardware.guest_context import GuestMode
from flushproof.model.hardware.vcpus import LastRan, VcpuThreads
from flushproof.model.language.declare import Knob, Map, System, at, choose, invariant, reachable

from .explored import named, violated


class Host(LastRan, VcpuThreads, GuestMode, System):
    """A vcpu leaves something where it runs, and a flush at vcpu_load takes all of it."""

    sizes = {Cpu: 2, Vcpu: 2}

    if_other_ran = Knob(bool, True, "flush if another vcpu ran here last")
    if_moved = Knob(bool, True, "flush if this vcpu ran on another CPU last")
    notes = Knob(bool, True, "note who runs, and where")
    stale_context = False

    last_vcpu_ran: Map[Cpu, Optional[Vcpu]]
    last_cpu: Map[Vcpu, Optional[Cpu]]
    in_guest: Map[Cpu, bool]
    left: Map[Cpu, Vcpu, bool]
    old: Map[Cpu, Vcpu, bool]

    def vm_index(self, vcpu):
        return ()

    def vcpu_load(self, cpu):
        yield "vcpu_load"
        vcpu = self.load(cpu)
        other_ran = self.ran_last(cpu, vcpu) != vcpu
        if (self.if_other_ran and other_ran) or (self.if_moved and self.moved(cpu, vcpu)):
            self.left[cpu, :] = False
            self.old[cpu, :] = False
        if self.notes:
            self.note(cpu, vcpu)

    def enters(self, cpu):
        return choose(bool)

    def enter_guest(self, cpu):
        super().enter_guest(cpu)
        for other in Cpu:
            if other != cpu:
                self.old[other, self.vcpus.loaded[cpu]] = self.left[other, self.vcpus.loaded[cpu]]
        self.left[cpu, self.vcpus.loaded[cpu]] = True

    def vcpu_put(self, cpu):
        yield "vcpu_put"

    @invariant(because="{cpu} runs a vcpu, and {vcpu} has left something there")
    def nothing_of_others(self):
        return all(
            self.vcpus.loaded[cpu] == vcpu or not self.left[cpu, vcpu]
            for cpu in Cpu
            for vcpu in Vcpu
            if self.in_guest[cpu]
        )

    @invariant(because="{vcpu} runs on {cpu}, and finds what it left there before it ran elsewhere")
    def nothing_old(self):
        return all(
            not self.old[cpu, vcpu]
            for cpu in Cpu
            for vcpu in Vcpu
            if self.in_guest[cpu] and self.vcpus.loaded[cpu] == vcpu
        )

    @invariant(because="{cpu} is in a guest, or is not, and its thread is elsewhere")
    def who_has_entered_is_in_the_guest(self):
        return all(self.in_guest[cpu] == at(self.vcpu_thread, cpu, "exits the guest") for cpu in Cpu)

    @reachable
    def a_vcpu_finds_what_it_left(self):
        return any(
            at(self.vcpu_thread, cpu, "enters the guest") and self.vcpus.loaded[cpu] == vcpu and self.left[cpu, vcpu]
            for cpu in Cpu
            for vcpu in Vcpu
        )

    @reachable
    def a_vcpu_is_preempted_before_it_enters(self):
        return any(
            at(self.vcpu_thread, cpu, "vcpu_put") and self.vcpus.loaded[cpu] == vcpu and not self.left[cpu, vcpu]
            for cpu in Cpu
            for vcpu in Vcpu
        )


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        ({}, set()),
        ({"if_other_ran": False}, {"nothing-of-others"}),
        ({"if_moved": False}, {"nothing-old"}),
        ({"notes": False}, {"a-vcpu-finds-what-it-left"}),
    ],
    ids=named,
)
def test_each_ingredient(knobs: dict[str, bool], expected: set[str]) -> None:
    assert violated(Host, knobs) == expected
