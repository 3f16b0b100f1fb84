"""Who executes on a PE, and in whose context a TLBI acts."""

import pytest
from flushproof.model.hardware import STALE_CONTEXT, Cpu, Invalidations, Scope, Vcpu
from flushproof.model.hardware.guest_context import GuestMode, RunningVcpus, VmidContext
from flushproof.model.language.declare import Knob, Map, System, invariant, process, reachable

from .explored import named, violated


class Emulates(RunningVcpus, VmidContext, GuestMode, System):
    """Each CPU runs any vcpu, which leaves something in the TLB that the host then invalidates, in the guest's context or not."""

    in_context_first = Knob(bool, True, "load the guest's context before the TLBI")
    restore = Knob(bool, True, "load the host's context after it")
    stale_context = STALE_CONTEXT

    in_guest: Map[Cpu, bool]
    used: Map[Vcpu, bool]
    entry: Map[Cpu, bool]
    clean: Map[Cpu, bool]

    def drop(self, cpu):
        self.entry[cpu] = False

    tlbi = Invalidations(perform=drop)

    @process(Cpu)
    def host(self, cpu):
        yield "enters"
        self.vcpus.load(cpu)
        self.clean[cpu] = False
        self.enter_guest(cpu)
        self.in_guest[cpu] = True
        yield "exits"
        self.entry[cpu] = True
        self.exit_guest(cpu)
        self.in_guest[cpu] = False
        if self.in_context_first:
            self.enter_vmid_context(cpu)
        yield "TLBI"
        self.tlbi.issue(cpu, self.applied(cpu, Scope.LOCAL))
        yield "DSB"
        self.tlbi.barrier(cpu)
        self.clean[cpu] = True
        if self.restore:
            self.exit_vmid_context(cpu)
        self.vcpus.put(cpu)

    @process(Vcpu)
    def guest_code(self, vcpu):
        yield "executes"
        cpu = self.pe(vcpu)
        self.used[vcpu] = self.guest[cpu] == vcpu
        yield "goes on"
        self.used[vcpu] = False

    @invariant(because="{cpu} has invalidated, and yet holds an entry")
    def what_is_invalidated_is_gone(self):
        return all(not (self.clean[cpu] and self.entry[cpu]) for cpu in Cpu)

    @invariant(because="{cpu} is about to enter a guest in the guest's context already")
    def the_host_runs_in_its_own_context(self):
        return all(not self.in_guest_context[cpu] for cpu in Cpu if self.guest[cpu] is not None)

    @invariant(because="the guest's tables are walked on {cpu} while the host runs")
    def only_guests_are_walked(self):
        return all(self.guest[cpu] is not None for cpu in Cpu if self.in_context(cpu))

    @reachable
    def both_execute(self):
        return all(self.guest[cpu] is not None for cpu in Cpu)

    @reachable
    def a_guest_goes_on_after_it_has_exited(self):
        return any(self.used[vcpu] and all(self.guest[cpu] != vcpu for cpu in Cpu) for vcpu in Vcpu)


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        ({}, set()),
        ({"in_context_first": False}, {"what-is-invalidated-is-gone"}),
        ({"restore": False}, {"the-host-runs-in-its-own-context"}),
        ({"stale_context": True}, {"only-guests-are-walked"}),
    ],
    ids=named,
)
def test_each_transition_matters(knobs: dict[str, object], expected: set[str]) -> None:
    assert violated(Emulates, knobs) == expected


def test_a_vcpu_executes_on_one_pe() -> None:
    assert violated(Emulates, vcpu=1) == {"both-execute"}
