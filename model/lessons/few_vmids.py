"""Two numbers for three VMs: what happens when the VMIDs have run out?

Left out: everything that takes time.  Giving a VM its number is one step here, and no CPU is in a guest when the numbers are
taken back; `kvm-vmid-generation` and `kvm-vmid-allocator` are about what happens in between.  Try it:

    flushproof check few_vmids.py --policy local
"""

from typing import Annotated, Optional

from flushproof.model.hardware import Cpu, Scope, Tlb, Vm, Vmid
from flushproof.model.language import Knob, Map, Policy, System, View, action, check, choose, event, reachable, require


class FewVmids(System):
    """VMs get VMIDs as they come to run; when none is free, all are taken back, and TLBs are flushed."""

    name = "few-vmids"
    sizes = {Cpu: 2, Vm: 3, Vmid: 2}

    flush = Knob(Scope, Scope.BROADCAST, "which TLBs are flushed when all VMIDs are taken back", order="rising")
    policies = {
        "none": Policy("No TLB is flushed.", {"flush": Scope.NONE}, "no-foreign-hit"),
        "local": Policy("The CPU that found no VMID flushes its own.", {"flush": Scope.LOCAL}, "no-foreign-hit"),
        "broadcast": Policy("All TLBs are flushed.", {"flush": Scope.BROADCAST}, "holds"),
    }

    running: Annotated[Map[Cpu, Optional[Vm]], View("context", "in the guest of")]
    vmid: Annotated[Map[Vm, Optional[Vmid]], View("table", "VMID")]

    def walkable(self, cpu, vmid, vm):
        """The guest runs, under this VMID."""
        return self.running[cpu] is vm and self.vmid[vm] is vmid

    tlb = Tlb(tag=(Vmid,), holds=(Vm,), by=(Vm,), walk=walkable)

    def taken(self, vmid):
        return any(self.vmid[vm] is vmid for vm in Vm)

    @action
    def allot(self, vm: Vm):
        """{vm} gets {vmid}, which is free"""
        vmid = choose(Vmid, where=lambda v: not self.taken(v))
        require(self.vmid[vm] is None)
        self.vmid[vm] = vmid

    @action
    def roll_over(self, cpu: Cpu):
        """no VMID is free: {cpu} takes all of them back"""
        require(all(self.taken(vmid) for vmid in Vmid) and all(self.running[c] is None for c in Cpu))
        self.vmid[...] = None
        for c in Cpu:
            if self.flush is Scope.BROADCAST or (self.flush is Scope.LOCAL and c is cpu):
                self.tlb.drop_all(c)

    @action
    def enter(self, cpu: Cpu, vm: Vm):
        """{vm} is entered"""
        require(self.running[cpu] is None and self.vmid[vm] is not None and all(self.running[c] is not vm for c in Cpu))
        self.running[cpu] = vm

    @action
    def exit(self, cpu: Cpu):
        """the guest is left"""
        require(self.running[cpu] is not None)
        self.running[cpu] = None

    @event
    def hit(self, cpu: Cpu, vm: Vm, owner: Vm, vmid: Vmid):
        """{vm} uses an entry with {vmid}"""
        require(self.running[cpu] is vm and self.vmid[vm] is vmid and self.tlb.entry[cpu, vmid, owner])
        why = "On {cpu}, {vm} reaches the memory of {owner}: the entry has {vmid}, which {owner} had before."
        check("no-foreign-hit", vm is owner, why)

    @reachable
    def a_vm_waits_for_a_number(self):
        """All VMIDs are taken, and a VM has none."""
        return all(self.taken(vmid) for vmid in Vmid) and any(self.vmid[vm] is None for vm in Vm)
