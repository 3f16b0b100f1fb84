"""Why guests run on through a rollover under numbers of their own (`kvm-vmid-allocator`), for any number of everything."""

from flushproof.model.hardware import Cpu, Vm, Vmid
from flushproof.model.hardware.vmid_words import Generation
from flushproof.model.language.declare import Ghost, Map, after, at, before, lemma, local
from flushproof.model.systems.kvm_vmid_allocator import Hotplug, VmidAllocator

FLUSHES = ("TLBI ALLE1", "TLBI ALLE1IS", "DSB ISH")
"""Where a CPU is once it has swept, by label."""


class VmidAllocatorProof(VmidAllocator, proof=True):
    """A VM owns its number until that is handed to another one, and entries are their numbers' owners'.

    `owns`: the VM was handed this number, and nobody else has been since.  `rolling` is true from the moment the generation is
    raised until the first number of the new one is handed out; `unflushed` CPUs have not performed the rollover's TLBI yet.
    """

    owns: Ghost[Map[Vm, Vmid, bool]]
    rolling: Ghost[bool]
    previous_generation: Ghost[Generation]
    unflushed: Ghost[Map[Cpu, bool]]

    @before("raises vmid_generation")
    def a_rollover_begins(self):
        self.rolling = True
        self.previous_generation = self.vmid_generation
        for other in Cpu:
            self.unflushed[other] = not self.offline[other]

    @after("find_next_zero_bit")
    def a_number_is_handed_out(self):
        self.rolling = False

    @after("takes cpu_vmid_lock", "find_next_zero_bit")
    def a_current_id_is_its_numbers_owner(self, cpu):
        """The VM keeps its number, or has got one, unless a rollover comes first."""
        vm = self.loaded[cpu]
        number = self.id.number[vm]
        if number is not None and self.id.generation[vm] == self.vmid_generation:
            for other in Vm:
                self.owns[other, number] = other == vm

    @before("sets active_vmids, releases the lock")
    def a_deferred_flush(self, cpu):
        if self.flush_pending[cpu]:
            self.unflushed[cpu] = False

    @after("performs_tlbi")
    def a_flush(self, cpu):
        self.unflushed[cpu] = False

    @after("goes_offline")
    def a_reset(self, cpu):
        """Its TLB is empty, and no invalidation reaches it."""
        self.unflushed[cpu] = False

    @after("comes_online")
    def a_return(self, cpu):
        """What is behind the sweep will reach it."""
        self.unflushed[cpu] = not self.swept[cpu]

    @after("vm_is_replaced")
    def a_new_vm_owns_nothing(self, vm):
        self.owns[vm, :] = False

    def is_settled(self, cpu):
        """The update is done: the CPU may load VTTBR, run the guest, or put the vcpu."""
        return at(
            self.vcpu_thread,
            cpu,
            "writes VTTBR",
            "writes VTTBR for this entry",
            "enters the guest",
            "exits the guest",
            "replaces VTTBR by the host's",
            "vcpu_put",
        )

    def is_rolling_over(self, cpu):
        return at(self.vcpu_thread, cpu, "raises vmid_generation", "xchg active_vmids of {swept}", *FLUSHES)

    def effective_generation(self, cpu):
        """Until the CPU is swept, the generation before the rollover is the one that counts there."""
        return self.vmid_generation if self.swept[cpu] else self.previous_generation

    @lemma
    def who_is_at_a_locked_point_holds_the_lock(self):
        return all(
            self.cpu_vmid_lock.holder == cpu
            for cpu in Cpu
            if self.is_rolling_over(cpu)
            or at(self.vcpu_thread, cpu, "find_next_zero_bit", "sets active_vmids, releases the lock")
        )

    @lemma
    def a_rollover_happens_under_the_lock(self):
        return all(
            not self.rolling
            for cpu in Cpu
            if self.cpu_vmid_lock.holder is None
            or at(self.vcpu_thread, cpu, "raises vmid_generation", "sets active_vmids, releases the lock")
        )

    @lemma
    def who_has_raised_the_generation_is_rolling(self):
        return all(self.rolling for cpu in Cpu if at(self.vcpu_thread, cpu, "xchg active_vmids of {swept}", *FLUSHES))

    @lemma
    def all_are_swept_but_in_the_sweep(self):
        return all(
            self.swept[other]
            for other in Cpu
            for cpu in Cpu
            if not self.rolling or at(self.vcpu_thread, cpu, *FLUSHES, "find_next_zero_bit")
        )

    @lemma
    def all_are_flushed_when_a_number_is_handed_out(self):
        return all(
            not self.unflushed[other]
            for other in Cpu
            for cpu in Cpu
            if not self.rolling or at(self.vcpu_thread, cpu, "find_next_zero_bit")
        )

    @lemma
    def the_barrier_waits_for_the_unflushed(self):
        return all(
            self.tlbi.pending[cpu, other]
            for other in Cpu
            for cpu in Cpu
            if self.unflushed[other] and at(self.vcpu_thread, cpu, "DSB ISH")
        )

    @lemma
    def only_the_rollover_invalidates(self):
        return all(
            at(self.vcpu_thread, cpu, "DSB ISH") for cpu in Cpu for other in Cpu if self.tlbi.pending[cpu, other]
        )

    @lemma
    def the_flush_comes_after_the_sweep(self):
        return all(self.unflushed[cpu] for cpu in Cpu if not self.swept[cpu] and not self.offline[cpu])

    @lemma
    def who_is_offline_has_no_vcpu_and_is_not_invalidated(self):
        return all(
            self.hotplug != Hotplug.NEVER
            and self.loaded[cpu] is None
            and not self.flushing[cpu]
            and not self.unflushed[cpu]
            and all(not self.tlbi.pending[issuer, cpu] for issuer in Cpu)
            for cpu in Cpu
            if self.offline[cpu]
        )

    @lemma
    def a_reset_leaves_nothing(self):
        return all(
            self.vttbr_vmid[cpu] is None
            and not self.orphans.entry[cpu, vmid]
            and all(not self.tlb.entry[cpu, vmid, vm] for vm in Vm)
            for cpu in Cpu
            for vmid in Vmid
            if self.offline[cpu] and self.hotplug == Hotplug.EMPTIED
        )

    def is_walked(self, cpu):
        return self.vttbr_vmid[cpu] is not None and self.walks(cpu, self.vttbr_vmid[cpu])

    @lemma
    def who_flushes_stage_2_has_no_vcpu(self):
        return all(
            self.flushing[cpu] == at(self.mmu_notifier, cpu, "TLBI IPAS2E1IS, DSB, exit_vmid_context")
            and (self.loaded[cpu] is None or not self.flushing[cpu])
            for cpu in Cpu
        )

    @lemma
    def who_is_walked_is_settled(self):
        return all(
            self.is_settled(cpu) and not at(self.vcpu_thread, cpu, "vcpu_put") for cpu in Cpu if self.is_walked(cpu)
        )

    @lemma
    def vttbr_is_that_of_the_loaded_vm(self):
        return all(
            self.vttbr_vm[cpu] == self.loaded[cpu] and self.vttbr_vmid[cpu] == self.id.number[self.loaded[cpu]]
            for cpu in Cpu
            if self.loaded[cpu] is not None
            and (self.is_walked(cpu) or at(self.vcpu_thread, cpu, "enters the guest", "exits the guest"))
        )

    @lemma
    def in_the_guest_means_at_its_exit(self):
        return all(self.in_guest[cpu] == at(self.vcpu_thread, cpu, "exits the guest") for cpu in Cpu)

    @lemma
    def a_thread_has_a_vm(self):
        return all((self.loaded[cpu] is None) == at(self.vcpu_thread, cpu, "vcpu_load") for cpu in Cpu)

    @lemma
    def an_id_is_whole(self):
        return all((self.id.generation[vm] is None) == (self.id.number[vm] is None) for vm in Vm)

    @lemma
    def who_has_an_active_id_has_a_vm(self):
        return all(self.loaded[cpu] is not None for cpu in Cpu if self.active_vmids.number[cpu] is not None)

    def read_id(self, cpu):
        """What was read from vmid->id without the lock."""
        generation = local(self.vcpu_thread, cpu, "kvm_arm_vmid_update.generation")
        return generation, local(self.vcpu_thread, cpu, "kvm_arm_vmid_update.number")

    def read_slot(self, cpu):
        """What was read from the active slot without the lock."""
        generation = local(self.vcpu_thread, cpu, "kvm_arm_vmid_update.old_generation")
        return generation, local(self.vcpu_thread, cpu, "kvm_arm_vmid_update.old_number")

    @lemma
    def a_current_id_that_was_read_is_still_the_vms(self):
        return all(
            self.read_id(cpu) == self.id.get(self.loaded[cpu])
            for cpu in Cpu
            if self.loaded[cpu] is not None
            and at(self.vcpu_thread, cpu, "reads active_vmids", "vmid_gen_match")
            and self.read_id(cpu)[0] == self.vmid_generation
        )

    @lemma
    def a_slot_that_was_not_zero_is_unchanged_or_swept(self):
        return all(
            self.read_slot(cpu)[0] is not None
            and (self.active_vmids.is_zero(cpu) or self.active_vmids.get(cpu) == self.read_slot(cpu))
            for cpu in Cpu
            if at(self.vcpu_thread, cpu, "vmid_gen_match", "fast path: active_vmids")
        )

    @lemma
    def an_id_that_matched_is_effective_unless_the_slot_was_swept(self):
        return all(
            self.read_id(cpu) == self.id.get(self.loaded[cpu])
            and self.id.generation[self.loaded[cpu]] == self.effective_generation(cpu)
            for cpu in Cpu
            if self.loaded[cpu] is not None
            and at(self.vcpu_thread, cpu, "fast path: active_vmids")
            and not self.active_vmids.is_zero(cpu)
        )

    @lemma
    def an_active_id_is_effective(self):
        return all(
            self.active_vmids.get(cpu) == self.id.get(self.loaded[cpu])
            and self.active_vmids.generation[cpu] == self.effective_generation(cpu)
            for cpu in Cpu
            if self.loaded[cpu] is not None and self.active_vmids.number[cpu] is not None
        )

    @lemma
    def who_is_settled_has_its_id_active_or_reserved(self):
        return all(
            self.active_vmids.number[cpu] is not None
            or (
                self.active_vmids.is_zero(cpu)
                and self.reserved_vmids.get(cpu) == self.id.get(self.loaded[cpu])
                and self.reserved_vmids.number[cpu] is not None
            )
            for cpu in Cpu
            if self.loaded[cpu] is not None and self.is_settled(cpu)
        )

    @lemma
    def a_current_id_has_its_number_marked(self):
        return all(
            self.vmid_map[self.id.number[vm]]
            for vm in Vm
            if self.id.number[vm] is not None and self.id.generation[vm] == self.vmid_generation
        )

    @lemma
    def no_id_is_current_in_a_rollover(self):
        return all(self.id.generation[vm] != self.vmid_generation for vm in Vm if self.rolling)

    @lemma
    def who_gets_a_new_id_has_none(self):
        """The VM that a number is for has no effective id, and is settled nowhere."""
        return all(
            self.id.generation[self.loaded[cpu]] != self.vmid_generation
            and (self.id.generation[self.loaded[cpu]] != self.previous_generation or not self.rolling)
            and not (self.is_settled(other) and self.loaded[other] == self.loaded[cpu])
            for cpu in Cpu
            for other in Cpu
            if self.loaded[cpu] is not None
            and (self.is_rolling_over(cpu) or at(self.vcpu_thread, cpu, "find_next_zero_bit"))
        )

    @lemma
    def who_sets_its_slot_has_a_current_id(self):
        return all(
            self.id.generation[self.loaded[cpu]] == self.vmid_generation
            for cpu in Cpu
            if self.loaded[cpu] is not None and at(self.vcpu_thread, cpu, "sets active_vmids, releases the lock")
        )

    @lemma
    def reserved_numbers_are_marked(self):
        return all(
            self.vmid_map[self.reserved_vmids.number[cpu]]
            for cpu in Cpu
            if self.reserved_vmids.number[cpu] is not None and self.swept[cpu]
        )

    @lemma
    def a_number_has_one_owner(self):
        return all(a == b for vmid in Vmid for a in Vm for b in Vm if self.owns[a, vmid] and self.owns[b, vmid])

    @lemma
    def a_reserved_id_owns_its_number(self):
        return all(
            self.owns[vm, self.id.number[vm]]
            for cpu in Cpu
            for vm in Vm
            if self.id.number[vm] is not None and self.is_reserved(cpu, vm)
        )

    @lemma
    def an_effective_id_owns_its_number(self):
        return all(
            self.owns[vm, self.id.number[vm]]
            for vm in Vm
            if self.id.number[vm] is not None
            and (
                self.id.generation[vm] == self.vmid_generation
                or (self.rolling and self.id.generation[vm] == self.previous_generation)
            )
        )

    @lemma
    def who_is_walked_owns_its_number(self):
        return all(
            self.owns[self.loaded[cpu], self.vttbr_vmid[cpu]]
            for cpu in Cpu
            if self.vttbr_vmid[cpu] is not None and self.loaded[cpu] is not None and self.is_walked(cpu)
        )

    @lemma
    def who_is_walked_has_its_number_marked(self):
        """Or its entries are about to be flushed."""
        return all(
            self.vmid_map[self.vttbr_vmid[cpu]] or self.unflushed[cpu]
            for cpu in Cpu
            if self.vttbr_vmid[cpu] is not None and self.is_walked(cpu)
        )

    @lemma
    def entries_under_a_clear_number_are_about_to_be_flushed(self):
        return all(
            self.vmid_map[vmid] or self.unflushed[cpu]
            for cpu in Cpu
            for vmid in Vmid
            for vm in Vm
            if self.tlb.entry[cpu, vmid, vm]
        )

    @lemma
    def orphans_under_a_clear_number_are_about_to_be_flushed(self):
        return all(
            self.vmid_map[vmid] or self.unflushed[cpu] for cpu in Cpu for vmid in Vmid if self.orphans.entry[cpu, vmid]
        )

    @lemma
    def entries_are_the_owners(self):
        return all(self.owns[vm, vmid] for cpu in Cpu for vmid in Vmid for vm in Vm if self.tlb.entry[cpu, vmid, vm])

    @lemma
    def orphans_have_no_owner(self):
        return all(
            not self.owns[vm, vmid] for cpu in Cpu for vmid in Vmid for vm in Vm if self.orphans.entry[cpu, vmid]
        )
