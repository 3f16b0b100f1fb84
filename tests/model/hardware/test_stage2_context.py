"""VTTBR_EL2, and who walks with it: guests, and, with an erratum, whoever has loaded a VM's tables."""

from typing import Optional

import pytest
from flushproof.model.hardware import STALE_CONTEXT, Cpu, Tlb, Vm, Vmid
from flushproof.model.hardware.stage2_context import Stage2Context
from flushproof.model.hardware.vmid_words import VmidWords
from flushproof.model.language.declare import (
    Ghost,
    Knob,
    Map,
    System,
    action,
    choose,
    initially,
    invariant,
    process,
    reachable,
    require,
)

from .explored import named, violated


class Host(Stage2Context, System):
    """A VM with a number, which runs, or whose stage 2 is flushed, and which is replaced when nobody has it loaded."""

    sizes = {Cpu: 1, Vm: 1, Vmid: 1}

    replaced = Knob(bool, False, "VTTBR_EL2 is replaced by the host's where it is not needed")
    epd = Knob(bool, False, "nothing is walked in the flush")
    stale_context = STALE_CONTEXT

    loaded: Map[Cpu, Optional[Vm]]
    vttbr_vm: Map[Cpu, Optional[Vm]]
    vttbr_vmid: Map[Cpu, Optional[Vmid]]
    in_guest: Map[Cpu, bool]
    flushing: Map[Cpu, bool]
    has_run: Ghost[Map[Vm, bool]]

    id = VmidWords(Vm)
    tlb = Tlb(tag=(Vmid,), holds=(Vm,), by=(Vm,), walk=Stage2Context.walkable)
    orphans = Tlb(tag=(Vmid,), holds=(), walk=Stage2Context.walkable_orphan)

    @initially
    def numbered(self):
        vmid = choose(Vmid)
        for vm in Vm:
            self.id.number[vm] = vmid

    @process(Cpu)
    def vcpu_thread(self, cpu):
        yield "enters"
        require(not self.flushing[cpu])
        vm = choose(Vm)
        self.loaded[cpu] = vm
        self.load_stage2(cpu, vm)
        self.in_guest[cpu] = True
        self.has_run[vm] = True
        yield "exits"
        self.in_guest[cpu] = False
        self.loaded[cpu] = None
        if self.replaced:
            self.forget_stage2(cpu)

    @process(Cpu)
    def unmaps(self, cpu):
        yield "enters the VM's context"
        require(self.loaded[cpu] is None)
        self.load_stage2(cpu, choose(Vm))
        self.flushing[cpu] = True
        yield "leaves it"
        self.flushing[cpu] = False
        if self.replaced:
            self.forget_stage2(cpu)

    @action
    def is_replaced(self, vm: Vm):
        require(all(self.loaded[cpu] != vm and not self.flushing[cpu] for cpu in Cpu))
        for cpu in Cpu:
            if self.vttbr_vm[cpu] == vm:
                self.vttbr_vm[cpu] = None
            self.tlb.drop_all(cpu)
        self.has_run[vm] = False

    @invariant(because="{vm} has not run, and yet its tables were walked")
    def only_guests_are_walked(self):
        return all(self.has_run[vm] for cpu in Cpu for vmid in Vmid for vm in Vm if self.tlb.entry[cpu, vmid, vm])

    @reachable
    def a_guest_is_walked(self):
        return any(self.runs(cpu, vm, vmid) and self.tlb.entry[cpu, vmid, vm] for cpu in Cpu for vm in Vm for vmid in Vmid)

    @reachable
    def what_is_gone_is_walked(self):
        return any(self.orphans.entry[cpu, vmid] for cpu in Cpu for vmid in Vmid)


GONE, WALKED = "what-is-gone-is-walked", "only-guests-are-walked"


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        ({}, {GONE}),
        ({"stale_context": True}, {WALKED}),
        ({"stale_context": True, "epd": True}, {WALKED}),
        ({"stale_context": True, "replaced": True}, {WALKED, GONE}),
        ({"stale_context": True, "replaced": True, "epd": True}, {GONE}),
    ],
    ids=named,
)
def test_who_walks(knobs: dict[str, object], expected: set[str]) -> None:
    assert violated(Host, knobs) == expected
