"""Why emulated TLBIs take all that they must (`kvm-trapped-tlbi`), for any number of PEs and vcpus."""

from flushproof.model.hardware.sorts import Cpu, Vcpu
from flushproof.model.hardware.two_stage import Age, Kind, Stage
from flushproof.model.language.declare import at, lemma, local
from flushproof.model.systems.kvm_trapped_tlbi import Context, Order, TrappedTlbi

# Where a CPU is in the host, by label, for the lemmas.
TLBIS = ("TLBI {tlbi}", "TLBI {tlbi}, the guest's operand", "TLBI {tlbi}, sanitised operand")
WAITS, ADVANCES = "DSB ISH", "load the host's context; advance the PC"
EMULATES = ("load the guest's context", *TLBIS, WAITS, ADVANCES)
STORES = "STR the descriptor; entries made of what was there are OLD"
STAGE2_TLBIS = ("stage 2: TLBI IPAS2E1IS", "stage 2: TLBI VMALLS12E1IS")
ENTERS, EXITS, PUTS = "enters the guest", "is back from the guest", "vcpu_put: DSB ISH in __switch_to"
STAGE2_IN_CONTEXT = (
    "stage 2: TLBI VMALLE1IS",
    "stage 2: DSB ISH",
    *STAGE2_TLBIS,
    "stage 2: DSB ISH (2)",
    "stage 2: TLBI VMALLE1IS (2)",
    "stage 2: DSB ISH (3)",
    "stage 2: load the host's context",
)


class TrappedTlbiProof(TrappedTlbi, proof=True):
    """An old entry of either stage is about to be invalidated while its translation may still be used."""

    @lemma
    def a_guest_runs_the_loaded_vcpu(self):
        return all(
            self.vcpus.loaded[cpu] == self.guest[cpu] and at(self.host, cpu, EXITS)
            for cpu in Cpu
            if self.guest[cpu] is not None
        )

    @lemma
    def a_loaded_vcpu_is_the_threads(self):
        return all(
            self.vcpus.loaded[cpu] == local(self.host, cpu, "run_vcpu.vcpu")
            for cpu in Cpu
            if at(self.host, cpu, *EMULATES, ENTERS, EXITS)
        )

    @lemma
    def a_vcpu_is_emulated_where_it_is_loaded(self):
        return all(
            self.vcpus.loaded[cpu] == local(self.host, cpu, "run_vcpu.emulate.vcpu") and self.trapped[vcpu]
            for cpu in Cpu
            for vcpu in Vcpu
            if at(self.host, cpu, *EMULATES) and self.vcpus.loaded[cpu] == vcpu
        )

    @lemma
    def who_runs_a_vcpu_has_loaded_one(self):
        return all(
            (self.vcpus.loaded[cpu] is not None) == at(self.host, cpu, *EMULATES, ENTERS, EXITS, PUTS) for cpu in Cpu
        )

    @lemma
    def a_vcpu_is_loaded_once(self):
        return all(
            a == b
            for a in Cpu
            for b in Cpu
            for vcpu in Vcpu
            if self.vcpus.loaded[a] == vcpu and self.vcpus.loaded[b] == vcpu
        )

    @lemma
    def who_remaps_holds_the_guests_lock(self):
        return all((self.page_table_lock == vcpu) == (not at(self.remap, vcpu, STORES)) for vcpu in Vcpu)

    @lemma
    def a_trapped_vcpu_is_between_tlbi_and_dsb(self):
        return all(
            at(self.remap, vcpu, "DSB") and all(self.guest[cpu] != vcpu for cpu in Cpu)
            for vcpu in Vcpu
            if self.trapped[vcpu]
        )

    @lemma
    def who_enters_was_emulated(self):
        return all(
            not self.trapped[vcpu]
            for cpu in Cpu
            for vcpu in Vcpu
            if at(self.host, cpu, ENTERS) and self.vcpus.loaded[cpu] == vcpu
        )

    # stage 1

    @lemma
    def who_stores_stage_1_has_the_vcpu_that_remaps(self):
        return all(
            self.vcpus.loaded[cpu] == self.page_table_lock
            and any(at(self.remap, vcpu, "DSB ISHST") for vcpu in Vcpu if vcpu == self.page_table_lock)
            for cpu in Cpu
            if self.tlb.descriptors.storing[cpu, Stage.STAGE1]
        )

    @lemma
    def an_old_descriptor_is_read_until_the_new_one_is_seen(self):
        return all(
            any(self.tlb.descriptors.storing[cpu, stage] for cpu in Cpu)
            for stage in Stage
            if self.tlb.descriptors.old[stage]
        )

    @lemma
    def an_emulated_tlbi_is_pending_or_performed(self):
        return all(
            self.trapped[vcpu]
            and all(
                self.tlb.tlbi.pending[cpu, other, Kind.STAGE1]
                if at(self.host, cpu, WAITS)
                else not at(self.host, cpu, ADVANCES)
                for cpu in Cpu
                if self.vcpus.loaded[cpu] == vcpu
            )
            for vcpu in Vcpu
            for other in Cpu
            for age in Age
            if at(self.remap, vcpu, "DSB") and self.tlb.combined[other, Age.OLD, age]
        )

    @lemma
    def no_old_stage_1_once_it_is_gone(self):
        return all(
            not self.tlb.combined[cpu, Age.OLD, age] and not self.tlb.descriptors.old[Stage.STAGE1]
            for vcpu in Vcpu
            for cpu in Cpu
            for age in Age
            if self.stage1_is_gone[vcpu]
        )

    @lemma
    def the_guests_context_is_loaded_for_its_tlbi(self):
        return all(
            self.in_guest_context[cpu]
            == (
                at(self.host, cpu, *STAGE2_IN_CONTEXT)
                or (self.context != Context.HOST and at(self.host, cpu, *TLBIS, WAITS, ADVANCES))
            )
            for cpu in Cpu
        )

    # stage 2

    @lemma
    def who_unmaps_holds_mmu_lock(self):
        return all(
            (self.mmu_lock.holder == cpu)
            == at(self.host, cpu, "stage 2: DSB ISHST", "stage 2: load the guest's context", *STAGE2_IN_CONTEXT)
            for cpu in Cpu
        )

    @lemma
    def who_stores_stage_2_waits_until_it_is_seen(self):
        return all(
            at(self.host, cpu, "stage 2: DSB ISHST") for cpu in Cpu if self.tlb.descriptors.storing[cpu, Stage.STAGE2]
        )

    @lemma
    def stage_2_is_not_gone_while_it_is_invalidated(self):
        return self.mmu_lock.holder is None or not self.stage2_is_gone

    @lemma
    def old_stage_2_entries_are_about_to_be_invalidated(self):
        kind = Kind.STAGE2 if self.order == Order.STAGE2_THEN_STAGE1 else Kind.STAGE12
        return all(
            at(self.host, cpu, "stage 2: DSB ISHST", "stage 2: load the guest's context", *STAGE2_TLBIS)
            or (at(self.host, cpu, "stage 2: DSB ISH (2)") and self.tlb.tlbi.pending[cpu, other, kind])
            for cpu in Cpu
            for other in Cpu
            if self.mmu_lock.holder == cpu and self.tlb.stage2[other, Age.OLD]
        )

    @lemma
    def so_are_old_combined_entries(self):
        return all(
            at(
                self.host,
                cpu,
                "stage 2: DSB ISHST",
                "stage 2: load the guest's context",
                *STAGE2_TLBIS,
                "stage 2: TLBI VMALLE1IS (2)",
            )
            or (
                at(self.host, cpu, "stage 2: DSB ISH (2)")
                and (self.order == Order.STAGE2_THEN_STAGE1 or self.tlb.tlbi.pending[cpu, other, Kind.STAGE12])
            )
            or (at(self.host, cpu, "stage 2: DSB ISH (3)") and self.tlb.tlbi.pending[cpu, other, Kind.STAGE1])
            for cpu in Cpu
            for other in Cpu
            for age in Age
            if self.mmu_lock.holder == cpu and self.tlb.combined[other, age, Age.OLD]
        )

    @lemma
    def no_old_stage_2_but_in_an_unmap(self):
        return self.mmu_lock.holder is not None or all(
            not self.tlb.combined[cpu, age, Age.OLD]
            and not self.tlb.stage2[cpu, Age.OLD]
            and not self.tlb.descriptors.old[Stage.STAGE2]
            for cpu in Cpu
            for age in Age
        )
