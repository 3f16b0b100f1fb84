"""Why no vcpu executes what another vcpu left in the I-cache (`kvm-icache`), for any number of PEs and vcpus."""

from flushproof.model.hardware.icache import Bytes, Mmu, Point
from flushproof.model.hardware.sorts import Cpu, Vcpu
from flushproof.model.hardware.tlb import Fill
from flushproof.model.language.declare import at, lemma
from flushproof.model.systems.kvm_icache import IcacheIsolation, Stage2, When


class IcacheIsolationProof(IcacheIsolation, proof=True):
    """An old line is gone before a vcpu meets it that could not have had it of its own."""

    def is_flushing(self, cpu):
        """Whether the PE will have dropped its lines before it enters the guest."""
        will = at(self.vcpu_thread, cpu, "TLBI VMALLE1") and self.must_flush_icache(cpu)
        does = at(self.vcpu_thread, cpu, "DSB; ISB") and self.icache.invalidations.pending[cpu, cpu]
        return will or at(self.vcpu_thread, cpu, "IC IALLU", "IC IALLUIS") or does

    def would_meet(self, cpu, vcpu):
        """Whether the vcpu, in the guest on this PE next, would find the lines that are there now."""
        is_here = self.when == When.ALWAYS and self.vcpus.loaded[cpu] == vcpu
        comes_unflushed = not (self.must_flush(cpu, vcpu) and self.must_flush_icache(cpu))
        return (is_here or comes_unflushed) and not self.is_flushing(cpu)

    def awaits(self, vcpu, cpu):
        """Whether an invalidation on this PE is pending that the vcpu's next DSB waits for."""
        where = self.last_cpu[vcpu]
        return where is not None and self.vcpus.loaded[where] == vcpu and self.icache.invalidations.pending[where, cpu]

    def leaves_behind(self, vcpu, cpu):
        """Whether the vcpu's DSB NSH did not wait for its invalidation on this PE; the DSB ISH at its vcpu_put will."""
        return not self.bsu and self.awaits(vcpu, cpu) and self.last_cpu[vcpu] != cpu

    def cleans(self, vcpu, point):
        """Whether a clean is under way that the vcpu's next DSB waits for."""
        where = self.last_cpu[vcpu]
        return where is not None and self.vcpus.loaded[where] == vcpu and self.icache.cleaning[where, point]

    @lemma
    def a_pe_that_runs_a_vcpu_has_loaded_it(self):
        return all(
            (self.vcpus.loaded[cpu] is None) == at(self.vcpu_thread, cpu, "vcpu_load({vcpu})")
            and (self.guest[cpu] is not None) == at(self.vcpu_thread, cpu, "exits the guest")
            and self.guest[cpu] in (None, self.vcpus.loaded[cpu])
            for cpu in Cpu
        )

    @lemma
    def a_loaded_vcpu_ran_last_and_ran_here(self):
        return all(
            self.last_vcpu_ran[cpu] == vcpu and self.last_cpu[vcpu] == cpu
            for cpu in Cpu
            for vcpu in Vcpu
            if self.vcpus.loaded[cpu] == vcpu
        )

    @lemma
    def who_patches_holds_the_mutex_and_has_its_mmu_on(self):
        return all(
            at(self.patch, vcpu, "STR the new bytes: what was fetched is OLDER now") == (self.text_mutex != vcpu)
            and (self.text_mutex != vcpu or self.mmu[vcpu] == Mmu.ON)
            for vcpu in Vcpu
        )

    @lemma
    def who_has_patched_has_its_mmu_on_and_nobody_patches(self):
        return all(self.text_mutex is None and self.mmu[vcpu] == Mmu.ON for vcpu in Vcpu if self.has_patched[vcpu])

    @lemma
    def a_vcpu_enables_its_mmu_in_steps(self):
        return all(
            at(self.enable_mmu, vcpu, "SCTLR_EL1.M := 1; ISB") == (self.mmu[vcpu] != Mmu.ENABLING) for vcpu in Vcpu
        )

    @lemma
    def old_bytes_leave_the_pou(self):
        return all(
            not self.icache.older[Point.POU]
            or at(self.patch, vcpu, "DC CVAU")
            or (at(self.patch, vcpu, "first DSB ISH") and self.cleans(vcpu, Point.POU))
            for vcpu in Vcpu
            if self.text_mutex == vcpu
        ) and (self.text_mutex is not None or not self.icache.older[Point.POU])

    @lemma
    def bytes_that_are_old_at_the_pou_are_old_at_the_poc(self):
        return self.icache.older[Point.POC] or not self.icache.older[Point.POU]

    @lemma
    def a_trapped_ic_has_cleaned_to_the_poc(self):
        """The guest executes an IC that can be trapped only without DIC."""
        return (not self.clean_to_poc or self.icache.dic) or (
            (self.text_mutex is not None or not self.icache.older[Point.POC])
            and all(
                not self.icache.older[Point.POC]
                or at(self.patch, vcpu, "DC CVAU", "first DSB ISH", "trapped IC IVAU: DC CVAC")
                or (at(self.patch, vcpu, "trapped IC IVAU: DSB ISH") and self.cleans(vcpu, Point.POC))
                for vcpu in Vcpu
                if self.text_mutex == vcpu
            )
        )

    @lemma
    def what_the_vmm_copied_is_all_that_is_fetched(self):
        """While nobody has stored since; what an exec fault is yet to clean aside."""
        seen = self.icache.older[Point.POU] or (self.icache.older[Point.POC] and self.off_looks_at_poc())
        return not self.vmm_text or (
            not ((self.executable or self.icache.fwb) and seen)
            and all(
                not self.icache.line[cpu, Bytes.OLDER] and not self.icache.pipeline[cpu, Bytes.OLDER] for cpu in Cpu
            )
        )

    @lemma
    def what_is_executable_is_not_written(self):
        return all(
            self.stage2 != Stage2.WRITE_XOR_EXECUTE or not self.executable or not self.icache.older[point]
            for point in Point
        )

    @lemma
    def who_ran_with_its_mmu_off_is_noted(self):
        return all(
            self.ran_with_mmu_off[cpu]
            for cpu in Cpu
            for vcpu in Vcpu
            if self.only_after_mmu_off and self.guest[cpu] == vcpu and self.mmu[vcpu] == Mmu.OFF
        )

    @lemma
    def whoever_invalidates_has_a_private_line_doomed(self):
        return all(
            at(self.patch, vcpu, "DSB ISH after IC IVAU") or (at(self.enable_mmu, vcpu, "DSB NSH") and other == vcpu)
            for vcpu in Vcpu
            for other in Vcpu
            if self.icache.own_doomed[vcpu, other]
        )

    @lemma
    def who_waits_for_its_invalidation_meets_no_other_old_line(self):
        return all(
            self.awaits(vcpu, cpu)
            for cpu in Cpu
            for vcpu in Vcpu
            if at(self.patch, vcpu, "DSB ISH after IC IVAU")
            and self.icache.line[cpu, Bytes.OLDER]
            and self.would_meet(cpu, vcpu)
        )

    @lemma
    def who_has_waited_meets_no_old_line(self):
        """For its invalidation; with DIC, for the new bytes to reach the PoU."""
        return all(
            not (self.icache.line[cpu, Bytes.OLDER] and self.would_meet(cpu, vcpu))
            for cpu in Cpu
            for vcpu in Vcpu
            if at(self.patch, vcpu, "ISB")
            or (self.icache.dic and self.text_mutex == vcpu and not self.icache.older[Point.POU])
        )

    @lemma
    def who_has_patched_meets_no_old_line(self):
        return all(
            not (self.icache.line[cpu, Bytes.OLDER] and self.would_meet(cpu, vcpu))
            for cpu in Cpu
            for vcpu in Vcpu
            if self.has_patched[vcpu]
        )

    @lemma
    def who_meets_an_old_line_could_have_it_of_its_own(self):
        return all(
            self.icache.own_line[vcpu] or self.leaves_behind(vcpu, cpu)
            for cpu in Cpu
            for vcpu in Vcpu
            if self.icache.line[cpu, Bytes.OLDER] and self.would_meet(cpu, vcpu)
        )

    @lemma
    def a_doomed_line_is_about_to_be_dropped(self):
        return all(
            self.awaits(issuer, cpu)
            for cpu in Cpu
            for vcpu in Vcpu
            for issuer in Vcpu
            if self.icache.own_doomed[issuer, vcpu]
            and self.icache.line[cpu, Bytes.OLDER]
            and self.would_meet(cpu, vcpu)
        )

    @lemma
    def what_is_cached_may_be_in_the_pipeline(self):
        return all(self.icache.own_pipeline[vcpu] for vcpu in Vcpu if self.icache.own_line[vcpu])

    @lemma
    def what_can_be_fetched_is_cached(self):
        return all(
            self.icache.own_line[vcpu] and all(not self.icache.own_doomed[u, vcpu] for u in Vcpu)
            for vcpu in Vcpu
            if self.icache.fetches(vcpu, Bytes.OLDER)
        )

    @lemma
    def who_has_patched_has_nothing_old_in_the_pipeline(self):
        return all(
            not self.icache.pipeline[cpu, Bytes.OLDER]
            for cpu in Cpu
            for vcpu in Vcpu
            if self.guest[cpu] == vcpu and self.has_patched[vcpu]
        )

    @lemma
    def what_is_in_the_pipeline_could_be_of_its_own(self):
        return all(
            self.icache.own_pipeline[vcpu]
            for cpu in Cpu
            for vcpu in Vcpu
            if self.guest[cpu] == vcpu and self.icache.pipeline[cpu, Bytes.OLDER]
        )

    @lemma
    def whatever_can_be_fetched_is_there(self):
        return self.icache.fill != Fill.EAGER or all(
            (self.icache.line[cpu, content] or not self.icache.allocates(cpu, content))
            and (self.icache.pipeline[cpu, content] or not self.icache.issues(cpu, content))
            for cpu in Cpu
            for content in Bytes
        )
