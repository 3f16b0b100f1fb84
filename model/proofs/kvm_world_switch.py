"""Why the workaround for speculative-AT errata suffices (`kvm-world-switch`), for any number of CPUs, VMs, vcpus and pages."""

from flushproof.model.hardware import Cpu, Page, Vcpu, Vm
from flushproof.model.hardware.el1_context import Stray
from flushproof.model.language.declare import at, lemma, local
from flushproof.model.proofs.kvm_vcpu_switch import VcpuSwitchProof
from flushproof.model.systems.kvm_world_switch import WorldSwitch

# Where a CPU is, by label, in the order of the code.
LOADS = "vcpu_load({vcpu})"
WRITES_VTTBR = "writes the VM's VTTBR, ISB"
CLEARS_TGE = "clears HCR_EL2.TGE, ISB"
INVALIDATES, WAITS = "TLBI VMALLE1", "DSB, ISB"
SETS_TGE = "sets HCR_EL2.TGE, ISB"
RESTORES_VTTBR = "restores the host's VTTBR"
RESTORES_M, RESTORES_EPD = "exit_vmid_context: restores SCTLR_EL1", "exit_vmid_context: restores TCR_EL1"
FLUSHES = (INVALIDATES, WAITS, RESTORES_VTTBR, SETS_TGE)
FLUSHED = (RESTORES_VTTBR, SETS_TGE, RESTORES_M, RESTORES_EPD)
STORES = "stores last_vcpu_ran"
S1_EARLY = ("restores SCTLR_EL1 and TCR_EL1", "restores TCR_EL1 with EPD0, EPD1; ISB")
TTBR, S2 = "restores TTBR0_EL1, TTBR1_EL1", "__load_stage2: writes VTTBR_EL2"
HCR_VM = "__activate_traps: sets HCR_EL2.VM"
S1_LATE = ("restores SCTLR_EL1; ISB", "restores TCR_EL1")
ENTERS, EXITS = "enters the guest", "exits the guest"
ACTIVATES = (*S1_EARLY, TTBR, S2, HCR_VM, *S1_LATE)
LEAVES, M_ON = "__deactivate_traps: sets TCR_EL1.EPD0, EPD1; ISB", "sets SCTLR_EL1.M; ISB"
HCR_NO_VM, HOST_S2 = "clears HCR_EL2.VM", "__load_host_stage2: writes VTTBR_EL2"
HOST_TTBR, HOST_TCR = "restores the host's TTBR0_EL1, TTBR1_EL1", "restores the host's TCR_EL1"
DEACTIVATES = (LEAVES, M_ON, HCR_NO_VM, HOST_S2, HOST_TTBR, HOST_TCR)
PUTS = ("vcpu_put, __switch_to", "vcpu_put; KVM_RUN returns to user space")


class WorldSwitchProof(WorldSwitch, proof=True):
    """Registers are as the code has written them; and nothing is walked while they are a mixture."""

    # as for all registers in one step

    a_vcpu_is_on_one_cpu = VcpuSwitchProof.a_vcpu_is_on_one_cpu
    in_the_guest_the_context_is_the_vcpus = VcpuSwitchProof.in_the_guest_the_context_is_the_vcpus
    an_entry_is_of_who_ran_last = VcpuSwitchProof.an_entry_is_of_who_ran_last
    who_removes_a_mapping_has_none = VcpuSwitchProof.who_removes_a_mapping_has_none
    movers_flush = VcpuSwitchProof.movers_flush
    matters = VcpuSwitchProof.matters
    an_old_entry_is_about_to_be_invalidated = VcpuSwitchProof.an_old_entry_is_about_to_be_invalidated
    the_private_machine_has_the_entry_too = VcpuSwitchProof.the_private_machine_has_the_entry_too
    the_private_machine_has_what_is_mapped = VcpuSwitchProof.the_private_machine_has_what_is_mapped

    # one by one

    @lemma
    def the_thread_runs_the_loaded_vcpu(self):
        return all(
            (self.vcpus.loaded[cpu] is None) == at(self.vcpu_thread, cpu, LOADS)
            and (
                self.vcpus.loaded[cpu] == local(self.vcpu_thread, cpu, "vcpu_load.vcpu")
                or at(self.vcpu_thread, cpu, LOADS, *ACTIVATES, ENTERS, EXITS, *DEACTIVATES, *PUTS)
            )
            for cpu in Cpu
        )

    @lemma
    def out_of_the_guest_it_is_not(self):
        return all(not self.in_guest[cpu] for cpu in Cpu if not at(self.vcpu_thread, cpu, EXITS))

    @lemma
    def stage_1_is_off_for_whom_it_should_be(self):
        """At the labels between a write of SCTLR_EL1 and the next, and with VHE until the next vcpu's."""
        return all(
            self.s1_off[cpu]
            == (
                self.el1[cpu] is not None
                and self.runs_flat(self.el1[cpu])
                and (
                    at(self.vcpu_thread, cpu, ENTERS, EXITS, LEAVES, M_ON, "restores TCR_EL1")
                    if not self.vhe
                    else not (self.epd_in_flush and at(self.vcpu_thread, cpu, WRITES_VTTBR, CLEARS_TGE, *FLUSHES, RESTORES_M))
                )
            )
            for cpu in Cpu
        )

    @lemma
    def nothing_is_walked_in_a_switch_or_a_flush(self):
        """With the workaround: TCR_EL1.EPD0 and EPD1."""
        return all(
            self.epd[cpu]
            == (
                (
                    self.epd_in_switch
                    and not self.vhe
                    and at(self.vcpu_thread, cpu, TTBR, S2, HCR_VM, *S1_LATE, M_ON, HCR_NO_VM, HOST_S2, HOST_TTBR, HOST_TCR)
                )
                or (
                    self.epd_in_flush
                    and self.stale_context
                    and at(self.vcpu_thread, cpu, "sets SCTLR_EL1.M", WRITES_VTTBR, CLEARS_TGE, *FLUSHES, RESTORES_M, RESTORES_EPD)
                )
            )
            for cpu in Cpu
        )

    @lemma
    def tge_is_clear_in_the_flush(self):
        return all(
            self.tge_clear[cpu]
            == (self.stale_context and self.vhe and at(self.vcpu_thread, cpu, INVALIDATES, WAITS, SETS_TGE))
            for cpu in Cpu
        )

    @lemma
    def the_registers_are_the_hosts_or_the_vcpus(self):
        """Without VHE, where one can see them one by one."""
        return all(
            (
                self.el1[cpu] == self.vcpus.loaded[cpu]
                if at(self.vcpu_thread, cpu, S2, HCR_VM, *S1_LATE, ENTERS, EXITS, LEAVES, M_ON, HCR_NO_VM, HOST_S2, HOST_TTBR)
                else self.el1[cpu] is None
            )
            and (
                self.vttbr[cpu] == self.vm_of[self.vcpus.loaded[cpu]]
                if at(self.vcpu_thread, cpu, HCR_VM, *S1_LATE, ENTERS, EXITS, LEAVES, M_ON, HCR_NO_VM, HOST_S2, *FLUSHES)
                and not at(self.vcpu_thread, cpu, SETS_TGE)
                else self.vttbr[cpu] is None
            )
            and self.s2_off[cpu]
            == (not at(self.vcpu_thread, cpu, *S1_LATE, ENTERS, EXITS, LEAVES, M_ON, HCR_NO_VM))
            for cpu in Cpu
            if not self.vhe
        )

    @lemma
    def stage_2_is_on_elsewhere(self):
        return all(not self.vhe or not self.s2_off[cpu] for cpu in Cpu)

    @lemma
    def the_flush_is_for_the_vcpus_vm(self):
        return all(
            self.vttbr[cpu] == self.vm_of[self.vcpus.loaded[cpu]]
            for cpu in Cpu
            if at(self.vcpu_thread, cpu, CLEARS_TGE, *FLUSHES)
        )

    @lemma
    def who_has_stored_ran_here_last(self):
        return all(
            self.last_vcpu_ran[self.vm_of[self.vcpus.loaded[cpu]], cpu] == self.vcpus.loaded[cpu]
            and self.last_cpu[self.vcpus.loaded[cpu]] == cpu
            for cpu in Cpu
            if at(self.vcpu_thread, cpu, *ACTIVATES, ENTERS, EXITS, *DEACTIVATES, *PUTS)
        )

    @lemma
    def nothing_is_made_of_a_mixed_context(self):
        return all(not self.hosts.entry[cpu] and not self.strays.entry[cpu, vm, Stray.MIXED_CONTEXTS] for cpu in Cpu for vm in Vm)

    @lemma
    def a_flat_entry_is_of_who_ran_last(self):
        return all(
            self.last_vcpu_ran[vm, cpu] is not None and self.runs_flat(self.last_vcpu_ran[vm, cpu])
            for cpu in Cpu
            for vm in Vm
            if self.strays.entry[cpu, vm, Stray.FLAT_MAPPED]
        )

    def has_entries(self, cpu, vm):
        """Of whomever."""
        return self.strays.entry[cpu, vm, Stray.FLAT_MAPPED] or any(
            self.tlb.entry[cpu, vm, owner, page] for owner in Vcpu for page in Page
        )

    @lemma
    def a_flush_in_flight_will_take_the_entries(self):
        return all(
            self.tlbi.pending[cpu, cpu, vm]
            for cpu in Cpu
            for vm in Vm
            if self.has_entries(cpu, vm) and self.vttbr[cpu] == vm and at(self.vcpu_thread, cpu, WAITS)
        )

    @lemma
    def behind_the_flush_no_entry_is_left(self):
        return all(
            not self.has_entries(cpu, vm)
            for cpu in Cpu
            for vm in Vm
            if self.vcpus.loaded[cpu] is not None
            and self.vm_of[self.vcpus.loaded[cpu]] == vm
            and (
                at(self.vcpu_thread, cpu, *FLUSHED)
                or (at(self.vcpu_thread, cpu, STORES) and self.must_flush(cpu, self.vcpus.loaded[cpu]))
            )
        )

    def is_not_put(self, owner):
        """It is still on the CPU where it ran last: nobody has waited there for its TLBI."""
        where = self.last_cpu[owner]
        return self.vcpus.loaded[where] == owner and at(
            self.vcpu_thread, where, EXITS, *DEACTIVATES, "vcpu_put, __switch_to"
        )
