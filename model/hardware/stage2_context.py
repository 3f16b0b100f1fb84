"""VTTBR_EL2 of each CPU: the VM whose stage-2 tables it holds, the number in it, and what may be walked for them.

Follows arch/arm64/kvm: __load_stage2; enter_vmid_context and exit_vmid_context in hyp/vhe/tlb.c and hyp/nvhe/tlb.c.  Rules
followed (Arm ARM DDI 0487, D8, TCR_EL1.EPD0 and EPD1):

- A CPU walks the tables in VTTBR_EL2, under the VMID in it, while EL1 is in context (`guest_context`), and not while TCR_EL1
  forbids it, as ARM64_WORKAROUND_SPECULATIVE_AT has it around the host's own TLBIs.
- A register that nobody may walk with is forgotten: what it holds makes no difference.

This is a kind of system rather than a part of one: a system inherits it, and its state is its own.
"""

from .vmid_tlbs import VmidTlbs


class Stage2Context(VmidTlbs):
    """A system with the state `vttbr_vm` and `vttbr_vmid` (None: the host's; a number of no VM's tables: of a VM that is gone) and
    `flushing`, the words `id` of VMs, and the knob `epd`."""

    def vm_in_vttbr(self, cpu):
        return self.vttbr_vm[cpu]

    def vmid_in_vttbr(self, cpu):
        return self.vttbr_vmid[cpu]

    def walks(self, cpu, vmid):
        """VTTBR_EL2 holds this VMID, EL1 is in context, and nothing forbids a walk."""
        disabled = self.flushing[cpu] and self.epd
        return self.in_context(cpu) and self.vttbr_vmid[cpu] == vmid and not disabled

    def walkable(self, cpu, vmid, vm):
        """The same, and this VM's tables."""
        return self.walks(cpu, vmid) and self.vttbr_vm[cpu] == vm

    def walkable_orphan(self, cpu, vmid):
        """The same, for the tables of a VM that is gone."""
        return self.walks(cpu, vmid) and self.vttbr_vm[cpu] is None

    def load_stage2(self, cpu, vm):
        """__load_stage2: VTTBR_EL2 gets the VM's tables and the number in vmid->id, 0 if it has none."""
        self.vttbr_vm[cpu] = vm
        self.vttbr_vmid[cpu] = self.id.number[vm]

    def forget_stage2(self, cpu):
        """VTTBR_EL2 is the host's, or matters to nobody."""
        self.vttbr_vm[cpu] = None
        self.vttbr_vmid[cpu] = None
