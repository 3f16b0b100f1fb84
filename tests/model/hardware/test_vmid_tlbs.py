"""Guests under VMIDs: what breaks each rule, and that nothing does where numbers are unique and flushed before they are reused."""

from typing import Optional

import pytest
from flushproof.model.hardware import STALE_CONTEXT, Cpu, Tlb, Vm, Vmid
from flushproof.model.hardware.vmid_tlbs import VmidRules, VmidTlbs
from flushproof.model.language.declare import Knob, Map, Rigid, System, action, choose, initially, process, require

from .explored import named, violated


class Numbers(VmidTlbs, System):
    """Each VM has a number from the start; any of them runs anywhere, and is replaced where none of its tables is loaded."""

    unique = Knob(bool, True, "no two VMs have one number")
    numbered = Knob(bool, True, "every VM has a number")
    flush = Knob(bool, True, "a VM that is destroyed takes its entries along")
    stale_context = STALE_CONTEXT

    number: Rigid[Map[Vm, Optional[Vmid]]]
    loaded: Map[Cpu, Optional[Vm]]
    vmid: Map[Cpu, Optional[Vmid]]
    in_guest: Map[Cpu, bool]

    def vm_in_vttbr(self, cpu):
        return self.loaded[cpu]

    def vmid_in_vttbr(self, cpu):
        return self.vmid[cpu]

    def walkable(self, cpu, vmid, vm):
        return self.in_context(cpu) and self.loaded[cpu] == vm and self.vmid[cpu] == vmid

    def no_tables(self, cpu, vmid):
        return False

    tlb = Tlb(tag=(Vmid,), holds=(Vm,), by=(Vm,), walk=walkable)
    orphans = Tlb(tag=(Vmid,), holds=(), walk=no_tables)

    @initially
    def numbers(self):
        require(not self.unique or all(a == b or self.number[a] != self.number[b] for a in Vm for b in Vm))
        require(not self.numbered or all(self.number[vm] is not None for vm in Vm))

    @process(Cpu)
    def runs_a_guest(self, cpu):
        yield "enters"
        vm = choose(Vm)
        self.loaded[cpu] = vm
        self.vmid[cpu] = self.number[vm]
        self.in_guest[cpu] = True
        yield "exits"
        self.in_guest[cpu] = False
        self.loaded[cpu] = None

    @action
    def is_replaced(self, vm: Vm):
        require(all(self.loaded[cpu] != vm for cpu in Cpu))
        for cpu in Cpu:
            if self.flush:
                self.flush_guests(cpu)
            else:
                self.leave_orphans(cpu, vm)

    tlb_hit = VmidRules.tlb_hit
    orphan_hit = VmidRules.orphan_hit
    no_shared_vmid = VmidRules.no_shared_vmid
    vmid0_never_live = VmidRules.vmid0_never_live
    an_entry_survives_a_switch = VmidRules.an_entry_survives_a_switch


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        ({}, set()),
        ({"unique": False}, {"no-foreign-hit", "no-shared-vmid"}),
        ({"numbered": False}, {"vmid0-never-live"}),
        ({"flush": False}, {"no-foreign-hit"}),
    ],
    ids=named,
)
def test_each_rule(knobs: dict[str, object], expected: set[str]) -> None:
    assert violated(Numbers, knobs) == expected
