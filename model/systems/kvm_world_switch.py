"""The registers of a world switch one by one, and the workaround for speculative-AT errata (KVM/arm64, since 2020).

`kvm-vcpu-switch` switches all registers of a guest in one step, since nothing is walked while the hypervisor executes.  CPUs with
errata 1165522, 1319367, 1319537 and 1530923 do walk then: an AT instruction that is executed speculatively uses whatever mixture
is in the registers, and what it finds is cached under the VMID in VTTBR_EL2.  Linux has ARM64_WORKAROUND_SPECULATIVE_AT for them:
TCR_EL1.EPD0 and EPD1 are set, with SCTLR_EL1.M, before anything else is written, and go back last.

What is modelled
    All of `kvm-vcpu-switch`, and each register of EL1&0 by itself, in the order of the code: SCTLR_EL1, TCR_EL1, TTBR0_EL1 and
    TTBR1_EL1 (one step: no stage-1 tables are half a guest's), VTTBR_EL2, HCR_EL2.VM.  Without VHE at each entry and exit; in the
    flush of vcpu_load VTTBR_EL2 alone, around the TLBI.  With VHE the host's own regime is EL2&0: a guest's registers stay as they
    are until the next guest's are written, and HCR_EL2.TGE has them not be used but in the guest and in the flush.
    A walk that began before an exception to EL2 may end behind it, until a DSB waits for it: without VHE that is `walk_barrier`, at
    each entry, exit and flush (v6.4); with VHE the DSB of __switch_to, which `handover=on` goes without.
    `mmu_off=on`: a vcpu may run with its MMU off, from its beginning to its end; its tables then mean nothing.
What is left out
    pKVM's host, which has a stage 2; TCR_EL1 but for EPD0 and EPD1; a guest that switches its MMU on or off while it runs; the
    32-bit registers; a write that takes effect later than one behind it, where no ISB stands in between.

What the verdicts mean
    no-foreign-hit: also of entries that come from no vcpu's tables, made of the host's registers and a guest's.
    host-keeps-its-regime: without VHE, nothing of a guest is cached under VMID 0 when the host goes on.
    The rest is as in `kvm-vcpu-switch`.  With `stale_context=off` all policies hold that wait for walks: the order of the writes is
    of no matter then.  `walks-go-on` breaks with the erratum and without: the workaround has no walk begin, and ends none.

Sources: arch/arm64/kvm/hyp: nvhe/switch.c (__kvm_vcpu_run, __activate_traps, __deactivate_traps), include/hyp/sysreg-sr.h
(__sysreg_restore_el1_state), nvhe/tlb.c and vhe/tlb.c (enter_vmid_context, exit_vmid_context), vhe/sysreg-sr.c
(__vcpu_load_switch_sysregs); the series "KVM: arm64: Synchronise speculative page table walks on translation regime change",
April 2023; Arm ARM DDI 0487, D8.
"""

from flushproof.model.hardware import Cpu, Invalidations, Page, Tlb, Vcpu, Vm
from flushproof.model.hardware.el1_context import El1Context, Stray
from flushproof.model.language.declare import Expect, Knob, Map, OrderedEnum, Policy, Rigid, check, event, require
from flushproof.model.systems.kvm_vcpu_switch import VcpuSwitch


class LoadBarrier(OrderedEnum):
    """Where vcpu_load waits for walks that a guest began: nowhere; before it writes EL1 registers, as Linux does for guests with
    nested virtualization; before its flush, which writes VTTBR_EL2."""

    NONE = 0
    REGISTERS = 1
    FLUSH = 2


class WorldSwitch(El1Context, VcpuSwitch):
    """While one guest's registers make way for another's, no walk mixes them."""

    name = "kvm-world-switch"
    sizes = {Cpu: 2, Vm: 1, Vcpu: 2, Page: 2}

    stale_context = Knob(
        bool, True, "the CPU has one of the speculative-AT errata: it walks in the middle of a switch", toggle=True
    )
    mmu_off = Knob(bool, False, "a vcpu may have its stage-1 MMU off (SCTLR_EL1.M is 0), as while it boots", toggle=True)
    epd_in_flush = Knob(
        bool, True, "enter_vmid_context sets TCR_EL1.EPD0, EPD1 and SCTLR_EL1.M before VTTBR_EL2", order="rising"
    )
    epd_in_switch = Knob(
        bool, True, "entry and exit set TCR_EL1.EPD0 and EPD1 first, and restore TCR_EL1 last (without VHE)", order="rising"
    )
    tcr_last = Knob(bool, True, "with that, SCTLR_EL1 is restored before TCR_EL1, not behind it", order="rising")
    walk_barrier = Knob(
        bool, True, "a DSB at EL2 before the first register is written: walks that began have ended (without VHE)", order="rising"
    )
    load_barrier = Knob(LoadBarrier, LoadBarrier.NONE, "a DSB for walks in vcpu_load (with VHE)", order="rising")

    tlbi_spares_walks = Knob(
        bool, False, "a walk that began before a TLBI may end behind it, with an entry that it would have removed", toggle=True
    )

    off_of: Rigid[Map[Vcpu, bool]]

    def runs_flat(self, vcpu):
        return self.mmu_off and self.off_of[vcpu]

    def in_context(self, cpu):
        """The vcpu's tables are walked, and stage 2 is the VM's."""
        return self.walks_tables(cpu) and not self.s2_off[cpu]

    def walks_for(self, cpu, vcpu):
        """Also the end of a walk that it began: stage 2 is then that of VTTBR_EL2, as is the VMID.  A vcpu whose MMU is off has no
        tables: what TTBR0_EL1 and TTBR1_EL1 lead to is then MIXED, and none of its entries."""
        ends = self.guests_walk[cpu] == vcpu and not self.s2_off[cpu]
        return (super().walks_for(cpu, vcpu) or ends) and not self.runs_flat(vcpu)

    def load(self, cpu):
        if self.load_barrier == LoadBarrier.FLUSH:
            self.dsb(cpu)
        return super().load(cpu)

    def dsb(self, cpu):
        super().dsb(cpu)
        self.walks_end(cpu)

    def flush_vmid(self, cpu, vm):
        self.tlb.drop_tagged(cpu, vm)
        self.strays.drop_tagged(cpu, vm)
        if not self.tlbi_spares_walks:
            self.walks_end(cpu)

    strays = Tlb(tag=(Vm,), holds=(Stray,), walk=El1Context.walks_for_a_vm, title="TLB entries of no vcpu's tables")
    hosts = Tlb(tag=(), holds=(), walk=El1Context.walks_for_the_host, title="guests' TLB entries under VMID 0")
    tlbi = Invalidations(Vm, perform=flush_vmid)

    # ------------------------------------------------------------------------------------------------------- the world switch

    def run(self, cpu):
        """__kvm_vcpu_run.  With VHE, TGE has nobody see the order in which registers are written."""
        if not self.vhe:
            yield from self.activate(cpu)
        yield from super().run(cpu)
        if not self.vhe:
            yield from self.deactivate(cpu)

    def enter_guest(self, cpu):
        if self.vhe:
            if self.load_barrier != LoadBarrier.NONE:
                self.dsb(cpu)
            self.s1_off[cpu] = self.runs_flat(self.vcpus.loaded[cpu])
            super().enter_guest(cpu)
        else:
            self.in_guest[cpu] = True

    def exit_guest(self, cpu):
        waited_for = self.switch_barrier and not self.handover if self.vhe else self.walk_barrier
        if not waited_for:
            self.guests_walk[cpu] = self.vcpus.loaded[cpu]
        self.leave(cpu)

    def activate(self, cpu):
        """__sysreg_restore_state_nvhe, __load_stage2, __activate_traps."""
        if self.epd_in_switch:
            yield "restores TCR_EL1 with EPD0, EPD1; ISB"
            self.epd[cpu] = True
        else:
            yield "restores SCTLR_EL1 and TCR_EL1"
            self.s1_off[cpu] = self.runs_flat(self.vcpus.loaded[cpu])
        self.the_hosts_walks_go_on(cpu)
        yield "restores TTBR0_EL1, TTBR1_EL1"
        self.el1[cpu] = self.vcpus.loaded[cpu]
        yield "__load_stage2: writes VTTBR_EL2"
        self.vttbr[cpu] = self.vm_of[self.vcpus.loaded[cpu]]
        yield "__activate_traps: sets HCR_EL2.VM"
        self.s2_off[cpu] = False
        if self.epd_in_switch and not self.tcr_last:
            yield "restores TCR_EL1 too early"
            self.epd[cpu] = False
        if self.epd_in_switch:
            yield "restores SCTLR_EL1; ISB"
            self.s1_off[cpu] = self.runs_flat(self.vcpus.loaded[cpu])
        if self.epd_in_switch and self.tcr_last:
            yield "restores TCR_EL1"
            self.epd[cpu] = False

    def the_hosts_walks_go_on(self, cpu):
        """Behind its exception to EL2, where nothing waits for them."""
        if not self.vhe and not self.walk_barrier:
            self.hosts_walk[cpu] = True

    def deactivate(self, cpu):
        """__deactivate_traps, __load_host_stage2, __sysreg_restore_state_nvhe."""
        if self.epd_in_switch:
            yield "__deactivate_traps: sets TCR_EL1.EPD0, EPD1; ISB"
            self.epd[cpu] = True
            yield "sets SCTLR_EL1.M; ISB"
            self.s1_off[cpu] = False
        yield "clears HCR_EL2.VM"
        self.s2_off[cpu] = True
        yield "__load_host_stage2: writes VTTBR_EL2"
        self.vttbr[cpu] = None
        if not self.epd_in_switch:
            yield "restores the host's SCTLR_EL1 and TCR_EL1"
            self.s1_off[cpu] = False
        yield "restores the host's TTBR0_EL1, TTBR1_EL1"
        self.el1[cpu] = None
        if self.epd_in_switch:
            yield "restores the host's TCR_EL1"
            self.epd[cpu] = False

    # ---------------------------------------------------------------------------------------- around the TLBI of vcpu_load

    def enter_vmid_context(self, cpu):
        self.the_hosts_walks_go_on(cpu)
        if self.epd_in_flush:
            yield "enter_vmid_context: sets TCR_EL1.EPD0, EPD1"
            self.epd[cpu] = True
            yield "sets SCTLR_EL1.M"
            self.s1_off[cpu] = False
        yield from super().enter_vmid_context(cpu)
        if self.vhe:
            yield "clears HCR_EL2.TGE, ISB"
            self.tge_clear[cpu] = True

    def exit_vmid_context(self, cpu):
        """With VHE, VTTBR_EL2 stays as it is: it is that of the vcpu which is loaded next."""
        if self.vhe:
            yield "sets HCR_EL2.TGE, ISB"
            self.tge_clear[cpu] = False
        else:
            yield from super().exit_vmid_context(cpu)
        if self.epd_in_flush:
            yield "exit_vmid_context: restores SCTLR_EL1"
            self.s1_off[cpu] = self.el1[cpu] is not None and self.runs_flat(self.el1[cpu])
            yield "exit_vmid_context: restores TCR_EL1"
            self.epd[cpu] = False

    # ------------------------------------------------------------------------------------------------------------ properties

    @event
    def stray_hit(self, cpu: Cpu, vcpu: Vcpu, vm: Vm, stray: Stray):
        """{vcpu} uses an entry that no vcpu's tables hold"""
        require(self.runs(cpu, vcpu) and self.vttbr[cpu] == vm and self.strays.entry[cpu, vm, stray])
        check(
            "no-foreign-hit",
            stray == Stray.FLAT_MAPPED and self.runs_flat(vcpu),
            "On {cpu}, {vcpu} hits an entry under the VMID of {vm} that was made while the registers were not its own.",
        )

    @event
    def host_runs(self, cpu: Cpu):
        """the host runs, and may use what is cached under VMID 0"""
        require(not self.vhe and self.vttbr[cpu] is None and self.el1[cpu] is None and not self.epd[cpu])
        check("host-keeps-its-regime", not self.hosts.entry[cpu], "On {cpu}, the host finds what was walked for a guest.")

    policies = {
        "none": Policy(
            "no workaround",
            {"epd_in_flush": False, "epd_in_switch": False},
            "no-foreign-hit",
            also=(
                Expect("no-foreign-hit", {"vhe": True}),
                Expect("holds", {"stale_context": False}),
                Expect("holds", {"stale_context": False, "vhe": True}),
            ),
        ),
        "flush": Policy(
            "the workaround in enter_vmid_context alone",
            {"epd_in_switch": False},
            "host-keeps-its-regime",
            also=(
                Expect("holds", {"vhe": True}),
                Expect("holds", {"vhe": True, "mmu_off": True}),
                Expect("no-foreign-hit", {"vhe": True, "handover": True}, {"vm": 2}),
                Expect("no-foreign-hit", {"vhe": True, "handover": True, "tlbi_spares_walks": True}),
                Expect("holds", {"vhe": True, "handover": True, "exit_barrier": True}),
            ),
        ),
        "switch": Policy("the workaround in the world switch alone", {"epd_in_flush": False}, "no-foreign-hit"),
        "both": Policy(
            "both, as in Linux (ARM64_WORKAROUND_SPECULATIVE_AT)",
            {},
            "holds",
            also=(Expect("holds", {"mmu_off": True}),),
        ),
        "tcr-first": Policy(
            "both, but TCR_EL1 is restored before SCTLR_EL1",
            {"tcr_last": False},
            "holds",
            also=(Expect("no-foreign-hit", {"mmu_off": True}),),
        ),
        "walks-go-on": Policy(
            "both, and nothing waits for walks that began before EL2 was entered (Linux before v6.4)",
            {"walk_barrier": False},
            "no-foreign-hit",
            also=(Expect("no-foreign-hit", {"stale_context": False}),),
        ),
    }
