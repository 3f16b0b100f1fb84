"""Why flushing at vcpu_load suffices (`kvm-vcpu-switch`), for any number of CPUs, VMs, vcpus and pages."""

from flushproof.model.hardware import Cpu, Page, Vcpu, Vm
from flushproof.model.language.declare import at, lemma, local
from flushproof.model.systems.kvm_vcpu_switch import Remap, VcpuSwitch


class VcpuSwitchProof(VcpuSwitch, proof=True):
    """An entry is of who ran last, or about to be invalidated."""

    @lemma
    def the_thread_runs_the_loaded_vcpu(self):
        return all(
            (self.vcpus.loaded[cpu] is None)
            == at(self.vcpu_thread, cpu, "vcpu_load({vcpu})")
            and (
                self.vcpus.loaded[cpu] == local(self.vcpu_thread, cpu, "vcpu_load.vcpu")
                or at(
                    self.vcpu_thread,
                    cpu,
                    "vcpu_load({vcpu})",
                    "enters the guest",
                    "exits the guest",
                    "vcpu_put, __switch_to",
                    "vcpu_put; KVM_RUN returns to user space",
                )
            )
            for cpu in Cpu
        )

    @lemma
    def a_vcpu_is_on_one_cpu(self):
        return all(
            a == b or self.vcpus.loaded[a] is None or self.vcpus.loaded[a] != self.vcpus.loaded[b]
            for a in Cpu
            for b in Cpu
        )

    @lemma
    def in_the_guest_the_context_is_the_vcpus(self):
        return all(
            self.in_guest[cpu]
            and self.el1[cpu] == self.vcpus.loaded[cpu]
            and self.vttbr[cpu] == self.vm_of[self.vcpus.loaded[cpu]]
            for cpu in Cpu
            if at(self.vcpu_thread, cpu, "exits the guest")
        )

    @lemma
    def out_of_the_guest_it_is_not(self):
        return all(
            not self.in_guest[cpu] and self.el1[cpu] is None
            for cpu in Cpu
            if not at(self.vcpu_thread, cpu, "exits the guest")
        )

    @lemma
    def the_flush_is_for_the_vcpus_vm(self):
        return all(
            self.vttbr[cpu] == self.vm_of[self.vcpus.loaded[cpu]]
            for cpu in Cpu
            if at(self.vcpu_thread, cpu, "TLBI VMALLE1", "TLBI VMALLE1IS", "DSB, ISB", "restores the host's VTTBR")
        )

    @lemma
    def who_has_stored_ran_here_last(self):
        return all(
            self.last_vcpu_ran[self.vm_of[self.vcpus.loaded[cpu]], cpu] == self.vcpus.loaded[cpu]
            and self.last_cpu[self.vcpus.loaded[cpu]] == cpu
            for cpu in Cpu
            if at(
                self.vcpu_thread,
                cpu,
                "enters the guest",
                "exits the guest",
                "vcpu_put, __switch_to",
                "vcpu_put; KVM_RUN returns to user space",
            )
        )

    @lemma
    def an_entry_is_of_who_ran_last(self):
        return all(
            self.vm_of[owner] == vm and self.last_vcpu_ran[vm, cpu] == owner
            for cpu in Cpu
            for vm in Vm
            for owner in Vcpu
            for page in Page
            if self.tlb.entry[cpu, vm, owner, page]
        )

    @lemma
    def a_flush_in_flight_will_take_the_entries(self):
        return all(
            self.tlbi.pending[cpu, cpu, vm]
            for cpu in Cpu
            for vm in Vm
            for owner in Vcpu
            for page in Page
            if self.tlb.entry[cpu, vm, owner, page]
            and self.vttbr[cpu] == vm
            and at(self.vcpu_thread, cpu, "DSB, ISB")
        )

    @lemma
    def behind_the_flush_no_entry_is_left(self):
        return all(
            not self.tlb.entry[cpu, vm, owner, page]
            for cpu in Cpu
            for vm in Vm
            for owner in Vcpu
            for page in Page
            if self.vcpus.loaded[cpu] is not None
            and self.vm_of[self.vcpus.loaded[cpu]] == vm
            and (
                at(self.vcpu_thread, cpu, "restores the host's VTTBR")
                or (at(self.vcpu_thread, cpu, "stores last_vcpu_ran") and self.must_flush(cpu, self.vcpus.loaded[cpu]))
            )
        )

    @lemma
    def who_removes_a_mapping_has_none(self):
        return all(self.invalid[vcpu] for vcpu in Vcpu if self.remap[vcpu] != Remap.IDLE)

    def movers_flush(self):
        """A vcpu that comes from another CPU finds an empty TLB."""
        return self.if_moved or self.always

    def matters(self, cpu, owner):
        """The vcpu may meet its entries on this CPU without a flush before."""
        return self.last_cpu[owner] == cpu or (self.fb and not self.movers_flush())

    def is_not_put(self, owner):
        """It is still on the CPU where it ran last: nobody has waited there for its TLBI."""
        where = self.last_cpu[owner]
        return self.vcpus.loaded[where] == owner and at(
            self.vcpu_thread, where, "exits the guest", "vcpu_put, __switch_to"
        )

    @lemma
    def an_old_entry_is_about_to_be_invalidated(self):
        return all(
            self.remap[owner] == Remap.STORED
            or (
                self.remap[owner] == Remap.INVALIDATING
                and self.last_cpu[owner] is not None
                and (self.movers_flush() or self.is_not_put(owner))
                and self.tlbi.pending[self.last_cpu[owner], cpu, vm]
            )
            for cpu in Cpu
            for vm in Vm
            for owner in Vcpu
            for page in Page
            if self.tlb.entry[cpu, vm, owner, page]
            and not self.mapped(owner, page)
            and self.matters(cpu, owner)
        )

    @lemma
    def the_private_machine_has_the_entry_too(self):
        return all(
            self.private.could_hit(owner, page)
            for cpu in Cpu
            for vm in Vm
            for owner in Vcpu
            for page in Page
            if self.tlb.entry[cpu, vm, owner, page] and self.matters(cpu, owner)
        )

    @lemma
    def the_private_machine_has_what_is_mapped(self):
        return all(self.private.could_hit(vcpu, page) for vcpu in Vcpu for page in Page if self.mapped(vcpu, page))
