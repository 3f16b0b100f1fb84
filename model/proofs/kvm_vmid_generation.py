"""Why a rollover gives no number to two VMs (`kvm-vmid-generation`), for any number of CPUs, VMs, vcpus, VMIDs and rollovers."""

from flushproof.model.hardware import Cpu, Vm, Vmid
from flushproof.model.language.declare import at, hint, lemma, local
from flushproof.model.systems.kvm_vmid_generation import Call, VmidGeneration


class VmidGenerationProof(VmidGeneration, proof=True):
    """Who is settled is current, or waited for by who rolls over; entries under a number are its VM's, or about to be flushed."""

    def is_current(self, vm):
        return self.vmid_gen[vm] == self.kvm_vmid_gen

    @hint
    def is_rolling_over(self, cpu: Cpu):
        """The new generation has begun, and the flush is not over."""
        return at(self.vcpu_thread, cpu, "the other CPUs have acknowledged", "TLBI ALLE1", "TLBI ALLE1IS", "DSB ISH")

    @hint
    def is_allocating(self, cpu: Cpu):
        return self.is_rolling_over(cpu) or at(
            self.vcpu_thread,
            cpu,
            "kvm_vmid_gen++; calls the other CPUs",
            "stores vttbr without a VMID",
            "stores vttbr",
            "stores vmid_gen; releases kvm_vmid_lock",
        )

    @hint
    def is_settled(self, cpu: Cpu):
        """It will run its VM under the VMID that is now in the VM's VTTBR, or does so already."""
        if at(self.vcpu_thread, cpu, "compares it with vmid_gen again"):
            return self.vmid_gen[self.vm_on(cpu)] == local(self.vcpu_thread, cpu, "current_vmid_gen")
        if at(self.vcpu_thread, cpu, "compares it with kvm_vmid_gen again"):
            return self.kvm_vmid_gen == local(self.vcpu_thread, cpu, "own_vmid_gen")
        return at(self.vcpu_thread, cpu, "enters the guest", "exits the guest")

    @hint
    def is_waited_for(self, cpu: Cpu):
        """Who holds the lock waits for this CPU to acknowledge the IPI."""
        holder = self.kvm_vmid_lock.holder
        return (
            holder is not None
            and self.calls.pending_ipi[cpu, holder]
            and at(self.vcpu_thread, holder, "the other CPUs have acknowledged")
        )

    @hint
    def is_unflushed(self, cpu: Cpu):
        """A rollover is under way, and this CPU has not flushed yet, be it for the TLBI or for the IPI."""
        if self.call == Call.FLUSH:
            return self.is_waited_for(cpu)
        holder = self.kvm_vmid_lock.holder
        return (
            holder is not None
            and self.is_rolling_over(holder)
            and (self.tlbi.pending[holder, cpu] or not at(self.vcpu_thread, holder, "DSB ISH"))
        )

    @lemma
    def who_allocates_holds_the_lock(self):
        return all(self.is_allocating(cpu) == (self.kvm_vmid_lock.holder == cpu) for cpu in Cpu)

    @lemma
    def a_thread_has_a_vcpu(self):
        return all(
            (self.vcpus.loaded[cpu] is None) == at(self.vcpu_thread, cpu, "vcpu_load({vcpu}); need_new_vmid_gen")
            for cpu in Cpu
        )

    @lemma
    def interrupts_are_masked_from_the_last_check_to_the_exit(self):
        return all(
            self.cpus.irqs_off[cpu]
            == at(
                self.vcpu_thread,
                cpu,
                "compares it with vmid_gen again",
                "compares it with kvm_vmid_gen again",
                "enters the guest",
                "exits the guest",
            )
            for cpu in Cpu
        )

    @lemma
    def in_the_guest_vttbr_is_the_vms(self):
        return all(
            self.in_guest[cpu]
            and self.live_vm[cpu] == self.vm_on(cpu)
            and self.live_vmid[cpu] == self.vttbr[self.vm_on(cpu)]
            for cpu in Cpu
            if at(self.vcpu_thread, cpu, "exits the guest")
        )

    @lemma
    def out_of_the_guest_vttbr_is_the_hosts(self):
        return all(
            not self.in_guest[cpu] and self.live_vm[cpu] is None and self.live_vmid[cpu] is None
            for cpu in Cpu
            if not at(self.vcpu_thread, cpu, "exits the guest")
        )

    @lemma
    def no_generation_is_ahead(self):
        return self.kvm_vmid_gen != 0 and all(self.vmid_gen[vm] <= self.kvm_vmid_gen for vm in Vm)

    @lemma
    def no_vm_is_current_in_a_rollover(self):
        return all(not self.is_current(vm) for vm in Vm for cpu in Cpu if self.is_rolling_over(cpu))

    @lemma
    def who_allocates_has_an_old_vm(self):
        return all(not self.is_current(self.vm_on(cpu)) for cpu in Cpu if self.is_allocating(cpu))

    @lemma
    def a_current_number_is_used(self):
        return all(self.vttbr[vm] is not None and self.handed_out[self.vttbr[vm]] for vm in Vm if self.is_current(vm))

    @lemma
    def current_vms_have_different_numbers(self):
        return all(
            a == b or self.vttbr[a] != self.vttbr[b]
            for a in Vm
            for b in Vm
            if self.is_current(a) and self.is_current(b)
        )

    @lemma
    def a_number_that_was_just_taken_is_nobody_elses(self):
        return all(
            self.vttbr[self.vm_on(cpu)] is not None
            and self.handed_out[self.vttbr[self.vm_on(cpu)]]
            and all(self.vttbr[vm] != self.vttbr[self.vm_on(cpu)] for vm in Vm if self.is_current(vm))
            for cpu in Cpu
            if at(self.vcpu_thread, cpu, "stores vmid_gen; releases kvm_vmid_lock")
        )

    @lemma
    def who_is_settled_is_current_or_waited_for(self):
        return all(self.is_current(self.vm_on(cpu)) or self.is_waited_for(cpu) for cpu in Cpu if self.is_settled(cpu))

    @lemma
    def who_is_settled_has_a_number(self):
        return all(self.vttbr[self.vm_on(cpu)] is not None for cpu in Cpu if self.is_settled(cpu))

    @lemma
    def settled_vms_have_different_numbers(self):
        return all(
            self.vm_on(a) == self.vm_on(b) or self.vttbr[self.vm_on(a)] != self.vttbr[self.vm_on(b)]
            for a in Cpu
            for b in Cpu
            if self.is_settled(a) and self.is_settled(b)
        )

    @lemma
    def an_entry_is_under_its_vms_number(self):
        return all(self.vttbr[vm] == vmid for cpu in Cpu for vmid in Vmid for vm in Vm if self.tlb.entry[cpu, vmid, vm])

    @lemma
    def an_old_vms_entry_is_about_to_be_flushed(self):
        return all(
            self.is_current(vm) or self.is_unflushed(cpu)
            for cpu in Cpu
            for vmid in Vmid
            for vm in Vm
            if self.tlb.entry[cpu, vmid, vm]
        )

    @lemma
    def entries_under_a_settled_number_are_the_vms_own(self):
        return all(
            vm == self.vm_on(cpu)
            for cpu in Cpu
            for vmid in Vmid
            for vm in Vm
            if self.is_settled(cpu) and self.vttbr[self.vm_on(cpu)] == vmid and self.tlb.entry[cpu, vmid, vm]
        )

    @lemma
    def what_a_dead_vm_left_is_under_nobodys_number_or_about_to_be_flushed(self):
        return all(
            self.is_unflushed(cpu)
            or (self.handed_out[vmid] and all(self.vttbr[vm] != vmid for vm in Vm if self.is_current(vm)))
            for cpu in Cpu
            for vmid in Vmid
            if self.orphans.entry[cpu, vmid]
        )

    @lemma
    def nothing_is_left_under_a_number_that_was_just_taken(self):
        return all(
            not self.orphans.entry[other, vmid]
            for cpu in Cpu
            for other in Cpu
            for vmid in Vmid
            if at(self.vcpu_thread, cpu, "stores vmid_gen; releases kvm_vmid_lock") and self.vttbr[self.vm_on(cpu)] == vmid
        )

    @lemma
    def nothing_is_left_under_a_settled_number(self):
        return all(
            self.vttbr[self.vm_on(cpu)] != vmid
            for cpu in Cpu
            for vmid in Vmid
            if self.is_settled(cpu) and self.orphans.entry[cpu, vmid]
        )
