"""TLB entries of guests under VMIDs, where VMs come and go: what a guest may hit, and what VMIDs are for.

Rules followed (Arm ARM DDI 0487, chapter D8, "VMID" and "TLB maintenance"):

- VTTBR_EL2 holds a VM's stage-2 tables and a VMID, and the TLB compares the VMID alone.  Whose tables an entry came from is
  remembered for the properties.
- Entries of a VM that is destroyed stay until something invalidates them; its tables are loaded nowhere then, or a CPU may still
  walk them.
- An invalidation that a guest executes acts on the VMID under which it runs.  VMID 0 is the host's.

`VmidTlbs` is a kind of system rather than a part of one: a system inherits it.  The properties in `VmidRules` are what any
host owes its guests; a system takes those that it is asked about, under their names, among its own.
"""

from flushproof.model.language.declare import check, event, invariant, reachable, require

from .guest_context import GuestMode
from .sorts import Cpu, Vm, Vmid


class VmidTlbs(GuestMode):
    """A system with the state `in_guest` and two TLBs tagged by VMID: `tlb`, whose entries remember their VM, and `orphans`, with
    those of VMs that are gone.

    It says with `vm_in_vttbr(cpu)` and `vmid_in_vttbr(cpu)` what VTTBR_EL2 holds (None: no VM's tables; VMID 0).
    """

    def runs(self, cpu, vm, vmid):
        """Whether the VM's guest executes on the CPU, under this VMID."""
        return self.in_guest[cpu] and self.vm_in_vttbr(cpu) == vm and self.vmid_in_vttbr(cpu) == vmid

    def flush_guests(self, cpu):
        """TLBI ALLE1, on one CPU."""
        self.tlb.drop_all(cpu)
        self.orphans.drop_all(cpu)

    def leave_orphans(self, cpu, vm):
        """The VM is destroyed, and what this CPU's TLB holds of it stays there."""
        for vmid in Vmid:
            if self.tlb.entry[cpu, vmid, vm]:
                self.tlb.entry[cpu, vmid, vm] = False
                self.orphans.entry[cpu, vmid] = True


class VmidRules:
    """Properties of any `VmidTlbs`: ``no_shared_vmid = VmidRules.no_shared_vmid`` in the system's class asks for one."""

    @event
    def tlb_hit(self, cpu: Cpu, vm: Vm, vmid: Vmid, owner: Vm):
        """{vm} uses an entry of {owner} under {vmid}"""
        require(self.runs(cpu, vm, vmid) and self.tlb.entry[cpu, vmid, owner])
        check(
            "no-foreign-hit",
            owner == vm,
            "On {cpu}, {vm} runs under {vmid} and hits an entry that {owner} made under that number.",
        )

    @event
    def orphan_hit(self, cpu: Cpu, vm: Vm, vmid: Vmid):
        """{vm} uses an entry under {vmid} that an earlier VM has left"""
        require(self.runs(cpu, vm, vmid))
        check(
            "no-foreign-hit",
            not self.orphans.entry[cpu, vmid],
            "On {cpu}, {vm} runs under {vmid} and hits an entry that a VM which is gone made under that number.",
        )

    @invariant(because="{a} and {b} run different VMs at once under one VMID: each can hit the other's entries.")
    def no_shared_vmid(self):
        return all(
            self.vmid_in_vttbr(a) != self.vmid_in_vttbr(b)
            for a in Cpu
            for b in Cpu
            if self.in_guest[a] and self.in_guest[b] and self.vm_in_vttbr(a) != self.vm_in_vttbr(b)
        )

    @invariant(because="{cpu} runs a guest under VMID 0, the host's.")
    def vmid0_never_live(self):
        return all(self.vmid_in_vttbr(cpu) is not None for cpu in Cpu if self.in_guest[cpu])

    @reachable
    def an_entry_survives_a_switch(self):
        """A VM runs where another VM's entry has survived, under another number."""
        return any(
            self.in_guest[cpu] and self.vm_in_vttbr(cpu) == vm and self.tlb.entry[cpu, vmid, other] and other != vm
            for cpu in Cpu
            for vm in Vm
            for other in Vm
            for vmid in Vmid
        )
