"""Why it is right that nobody notices: mutants of the shipped systems (`benchmarks.mutation`) under which all verdicts stay; and of
steps that must not be split, what makes them one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .operators import Operator


@dataclass(frozen=True)
class Because:
    """One reason, and the mutants of one operator that it is about."""

    why: str
    operator: Operator
    names: tuple[str, ...]


OF_ALL: Mapping[Operator, str] = {
    "split": "Others may come in between, and all holds: the verdict does not rest on these being one step.",
}
"""What is the same reason for whatever nobody notices: such a mutant can do all that the system can, and more."""

LESS = "The hardware does less than it may, and what holds goes on to hold; the policies that are violated need it."
MORE = "Invalidating more than was asked for is always allowed."
SPURIOUS = "Nothing changes where it was not asked for: such a step does what has been done, or more."
NEXT_LOAD = "The next vcpu_load puts another one in its place."
OUT_OF_CONTEXT = "Out of the guest its context is not walked, and the next entry writes it anew; see `stale_context`."
NO_ORDER = "Neither looks at what the other one writes, and no other process can tell which came first."
OFF = (
    "One of the two is not there under this policy; what is left moves over a label at which nothing else waits for it."
)
TWO_BARRIERS = (
    "Two barriers follow a TLBI before anybody relies on it, of which one would do: besides the hypervisor's the guest's own DSB, "
    "or where the vcpu has moved that in __switch_to."
)

CHOSEN_BEFORE = "Whether the vcpu is put after this run may be chosen before it: nobody can tell."
OTHERS_FIRST = "Each CPU flushes by itself: the others may do so first."
ANY_WILL_DO = "Any free number will do, and the CPUs may be gone through in any order."
THERE_IS_ONE = (
    "What is chosen is free, or left to be gone through, by the other conjunct too; this one says that there is one."
)
THE_NUMBER_STAYS = "The number stays; only its generation is another one."
GONE_THROUGH_AGAIN = (
    "CPUs are gone through once more: what is swept again keeps what is reserved, and who is found again is up to date."
)
ALWAYS_TAKEN = "The number is always found taken, and another one is handed out: `keep=never` of kvm-vmid-allocator."
UNDER_THE_LOCK = "The map and the generation are written under the lock alone: who holds it may read them earlier or later."

REASONS: Mapping[str, tuple[Because, ...]] = {
    "kvm-icache": (
        Because(MORE, "left out", ("icache.invalidations.performs_tlbi / requires icache.invalidations.pending",)),
        Because(MORE, "actor", ("IC IALLU / by somebody else",)),
        Because(
            "A line that reaches memory without having been cleaned is newer there than it must be: fewer old bytes.",
            "left out",
            ("icache.reaches / requires icache.cleaning",),
        ),
        Because(
            "Under this policy the line is always executable: no exec fault is ever taken (`write-xor-execute` is about that), and "
            "one that is taken all the same cleans and invalidates.",
            "left out",
            (
                "exec_fault / requires guest",
                "exec_fault / requires executable",
                "exec_fault / writes icache.older",
                "exec_fault / writes icache.line",
                "exec_fault / writes executable",
            ),
        ),
        Because(
            "Entry and exit both synchronize the context, and one of them is enough.",
            "left out",
            ("enters the guest / writes icache.pipeline", "exits the guest / writes icache.pipeline"),
        ),
        Because(
            "The host cleans nothing here: only a vcpu's own DC would be waited for, and its DSB does that.",
            "left out",
            ("DSB; ISB / requires icache.cleaning",),
        ),
        Because(
            "A guest may leave at any time; that its thread does not know it makes it flush no less.",
            "actor",
            ("exits the guest / by somebody else",),
        ),
        Because(NO_ORDER, "reordered", ("vcpu_load: self.note(cpu, vcpu) | if flush:",)),
    ),
    "kvm-trapped-tlbi": (
        Because(MORE, "left out", ("tlb.tlbi.performs_tlbi / requires tlb.tlbi.pending",)),
        Because(
            MORE,
            "actor",
            (
                "TLBI {tlbi}, sanitised operand / by somebody else",
                "stage 2: TLBI IPAS2E1IS / by somebody else",
                "stage 2: TLBI VMALLE1IS (2) / by somebody else",
            ),
        ),
        Because(
            "A store that is seen although it was seen before changes nothing.",
            "left out",
            ("tlb.descriptors.store_is_seen / requires tlb.descriptors.storing",),
        ),
        Because(
            LESS,
            "left out",
            (
                "schedule {thread} / writes tlb.descriptors.old",
                "schedule {thread} / writes tlb.stage2",
                "schedule {thread} / writes tlb.combined",
            ),
        ),
        Because(
            TWO_BARRIERS,
            "left out",
            ("DSB ISH / requires tlb.tlbi.pending", "vcpu_put: DSB ISH in __switch_to / requires tlb.tlbi.pending"),
        ),
        Because(
            TWO_BARRIERS,
            "reordered",
            ("emulate: self.tlb.tlbi.issue(cpu, self.reached(cpu, tlbi), Kind.STAG… | self.tlb.barrier(cpu)",),
        ),
        Because(
            "The DSB comes behind the restored context: it waits for what was issued, whatever is loaded.",
            "reordered",
            ("emulate: self.tlb.barrier(cpu) | if self.context != Context.HOST:",),
        ),
        Because(
            "The store to the descriptor is complete before: a DSB ISHST stands behind it, the guest's or the host's.",
            "left out",
            (
                "DSB ISH / requires tlb.descriptors.storing",
                "stage 2: DSB ISH (2) / requires tlb.descriptors.storing",
                "stage 2: DSB ISH (3) / requires tlb.descriptors.storing",
            ),
        ),
        Because(
            "A vcpu whose TLBI is not emulated yet does nothing in the guest but wait for it.",
            "reordered",
            ("run_vcpu: if self.trapped[vcpu]: | yield from self.run(cpu)",),
        ),
        Because(
            CHOSEN_BEFORE,
            "reordered",
            ("run_vcpu: yield from self.run(cpu) | again = choose(bool)",),
        ),
        Because(
            "A guest may leave at any time; its TLB keeps what it has.", "actor", ("is back from the guest / by somebody else",)
        ),
        Because(
            "The instruction is emulated again at the next entry, and invalidates more.",
            "left out",
            ("load the host's context; advance the PC / writes trapped",),
        ),
        Because(
            "The instruction is taken as emulated one step early, by the thread that is about to do it.",
            "reordered",
            ("emulate: if self.context != Context.HOST: | self.trapped[vcpu] = False",),
        ),
        Because(NEXT_LOAD, "left out", ("vcpu_put: DSB ISH in __switch_to / writes vcpus.loaded",)),
        Because(
            "The host then unmaps once and never again; one time shows all that can go wrong, since what a TLB holds of an earlier "
            "one it holds of this one too.",
            "left out",
            ("stage 2: load the host's context / writes mmu_lock.holder",),
        ),
        Because(
            NO_ORDER,
            "reordered",
            (
                "emulate: if self.context != Context.HOST: | tlbi = self.executed(vcpu)",
                "executed: local = self.reach == Reach.LOCAL or (self.reach == Reach.A… | if self.operand == Operand.VMALL:",
                "unmap: self.tlb.store_barrier(cpu) | self.enter_vmid_context(cpu)",
            ),
        ),
        Because(
            OFF,
            "reordered",
            ("unmap: if self.order == Order.STAGE1_THEN_STAGE2: | if self.order == Order.BOTH_AT_ONCE:",),
        ),
    ),
    "kvm-vcpu-switch": (
        Because(MORE, "left out", ("tlbi.performs_tlbi / requires tlbi.pending",)),
        Because(MORE, "actor", ("TLBI VMALLE1 / by somebody else",)),
        Because(
            "The host's own regime is not the guest's; the next entry writes VTTBR anew.",
            "left out",
            ("restores the host's VTTBR / writes vttbr",),
        ),
        Because(
            "Each of the three effects of an exit keeps the guest's context from being walked.",
            "left out",
            ("exits the guest / writes in_guest", "exits the guest / writes vttbr", "exits the guest / writes el1"),
        ),
        Because(
            "The DSB comes after VTTBR is restored: a TLBI takes the VMID when it is issued, and the vcpu has yet to enter.",
            "reordered",
            ("vcpu_load: if self.wait_for_flush: | yield from self.exit_vmid_context(cpu)",),
        ),
    ),
    "kvm-vmid-allocator": (
        Because(MORE, "left out", ("tlbi.performs_tlbi / requires tlbi.pending",)),
        Because(MORE, "actor", ("TLBI ALLE1IS / by somebody else",)),
        Because(
            "A slot changes to 0 only, which has no generation: the number need not be kept.",
            "left out",
            ("reads active_vmids / writes vcpu_thread.kvm_arm_vmid_update.old_number",),
        ),
        Because(
            "An empty slot that is swept again keeps what is reserved.",
            "left out",
            ("xchg active_vmids of {swept} / requires swept",),
        ),
        Because(
            "A word is 0 if its generation is: the number is not looked at.",
            "left out",
            ("xchg active_vmids of {swept} / writes active_vmids.number",),
        ),
        Because(NEXT_LOAD, "left out", ("vcpu_put / writes loaded",)),
        Because(OUT_OF_CONTEXT, "left out", ("vcpu_put / writes vttbr_vm", "vcpu_put / writes vttbr_vmid")),
        Because(
            "A guest may leave at any time; its number stays active.", "actor", ("exits the guest / by somebody else",)
        ),
        Because(
            OFF,
            "reordered",
            (
                "kvm_arm_vmid_update: if updated: | if self.flush_pending[cpu]:",
                "vcpu_thread: if self.vttbr == Vttbr.AT_RUN: | yield from self.run(cpu)",
                "roll_over: if not self.sweep_first: | self.vmid_generation = fresh(Generation)",
            ),
        ),
        Because(
            "The slot is compared again by the cmpxchg, and what is read of vmid->id later is newer.",
            "reordered",
            (
                "kvm_arm_vmid_update: generation, number = self.id.get(self.loaded[cpu]) | old_generation, old_number = "
                "self.active_vmids.get(cpu)",
            ),
        ),
        Because(
            "One step: whether the lock is free decides whether it is taken, not what is seen.",
            "reordered",
            (
                "kvm_arm_vmid_update: self.cpu_vmid_lock.acquire(cpu) | updated = not self.is_current(cpu) or not "
                "self.recheck_lock…",
            ),
        ),
        Because(CHOSEN_BEFORE, "reordered", ("vcpu_thread: yield from self.run(cpu) | stay = choose(bool)",)),
        Because(
            "The vcpu runs once more, and perhaps updates again before it does, as under `merged`.",
            "reordered",
            ("vcpu_thread: stay = choose(bool) | enter = stay and self.update == Update.AT_LOAD",),
        ),
        Because(
            NO_ORDER,
            "reordered",
            (
                "keep_number: if number is None: | reserved = any((self.is_reserved(c, vm) for c in Cpu)) and …",
                "update_reserved: first = choose(Cpu, where=lambda c: self.is_reserved(c, vm)) | "
                "self.reserved_vmids.generation[first] = self.vmid_generation",
                "roll_over: self.vmid_map[...] = False | self.swept[...] = False",
            ),
        ),
    ),
    "kvm-vmid-generation": (
        Because("A spurious interrupt makes nobody go on.", "left out", ("takes_ipi / requires calls.pending_ipi",)),
        Because(MORE, "left out", ("tlbi.performs_tlbi / requires tlbi.pending",)),
        Because(MORE, "actor", ("TLBI ALLE1IS / by somebody else",)),
        Because(
            "The allocator does not count on a vcpu being on one CPU only.",
            "left out",
            ("vcpu_load({vcpu}); need_new_vmid_gen / requires vcpus.loaded",),
        ),
        Because(
            "With the generation stored last, who finds it current need not wait for the lock: VTTBR is there already.",
            "left out",
            (
                "takes kvm_vmid_lock; compares vmid_gen again / requires kvm_vmid_gen, kvm_vmid_lock.holder, vcpus.loaded, vm_of, "
                "vmid_gen",
            ),
        ),
        Because(
            "It only reads, and what somebody else has read decides nothing here.",
            "actor",
            ("local_irq_disable; reads kvm_vmid_gen / by somebody else",),
        ),
        Because(
            "A call is queued for whom one is queued already: it is taken once, or once more.",
            "left out",
            ("kvm_vmid_gen++; calls the other CPUs / requires calls.pending_ipi",),
        ),
        Because(
            "Who tries again may as well stay loaded.",
            "left out",
            ("compares it with vmid_gen again / writes vcpus.loaded",),
        ),
        Because(
            OUT_OF_CONTEXT,
            "left out",
            (
                "exits the guest / writes live_vm",
                "exits the guest / writes live_vmid",
            ),
        ),
        Because(
            "Not taken under `fixed`: of `loads=generations-swapped`, where a local would be read before it is written.",
            "reordered",
            (
                "vcpu_thread: own_vmid_gen = self.vmid_gen[self.vm_on(cpu)] | stale = own_vmid_gen != self.kvm_vmid_gen",
                "update_vttbr: own_vmid_gen = self.vmid_gen[self.vm_on(cpu)] | need = own_vmid_gen != self.kvm_vmid_gen",
            ),
        ),
        Because(
            OFF,
            "reordered",
            (
                "roll_over: self.called(cpu, self.call) | if self.wait_for_call:",
            ),
        ),
    ),
    "kvm-world-switch": (
        Because(
            MORE,
            "left out",
            (
                "tlbi.performs_tlbi / requires tlbi.pending",
            ),
        ),
        Because(
            "With EPD set no tables are walked: less is cached.",
            "actor",
            (
                "enter_vmid_context: sets TCR_EL1.EPD0, EPD1 / by somebody else",
                "restores TCR_EL1 with EPD0, EPD1; ISB / by somebody else",
                "__deactivate_traps: sets TCR_EL1.EPD0, EPD1; ISB / by somebody else",
            ),
        ),
        Because(
            MORE,
            "actor",
            (
                "TLBI VMALLE1 / by somebody else",
            ),
        ),
        Because(
            "With the erratum a guest's registers are walked whoever executes; and at no step would the guest, if it "
            "executed, hit what is not its own.",
            "actor",
            (
                "enters the guest / by somebody else",
            ),
        ),
        Because(
            "With the erratum a guest's registers are walked whoever executes; and at no step would the guest, if it "
            "executed, hit what is not its own.",
            "left out",
            (
                "exits the guest / writes in_guest",
            ),
        ),
        Because(
            "A guest may leave at any time.",
            "actor",
            (
                "exits the guest / by somebody else",
            ),
        ),
        Because(
            "With EPD set no tables are walked: less is cached.",
            "left out",
            (
                "exit_vmid_context: restores TCR_EL1 / writes epd",
                "restores TCR_EL1 / writes epd",
                "restores the host's TCR_EL1 / writes epd",
            ),
        ),
        Because(
            "With stage 2 left on nothing is walked without it: less is cached.",
            "left out",
            (
                "clears HCR_EL2.VM / writes s2_off",
            ),
        ),
        Because(
            "With stage 2 left on nothing is walked without it: less is cached.",
            "actor",
            (
                "__activate_traps: sets HCR_EL2.VM / by somebody else",
            ),
        ),
        Because(
            OFF,
            "reordered",
            (
                "deactivate: if not self.epd_in_switch: | self.el1[cpu] = None",
                "activate: if self.epd_in_switch: | self.the_hosts_walks_go_on(cpu)",
                "activate: self.the_hosts_walks_go_on(cpu) | self.el1[cpu] = self.vcpus.loaded[cpu]",
            ),
        ),
        Because(
            "Nothing is walked between the two, with EPD set: which comes first is of no matter.",
            "reordered",
            (
                "activate: self.el1[cpu] = self.vcpus.loaded[cpu] | self.vttbr[cpu] = self.vm_of[self.vcpus.loaded[cpu]]",
                "activate: self.vttbr[cpu] = self.vm_of[self.vcpus.loaded[cpu]] | self.s2_off[cpu] = False",
                "deactivate: self.s2_off[cpu] = True | self.vttbr[cpu] = None",
            ),
        ),
        Because(
            "Both are in one step then, and what is walked behind it is the host's.",
            "reordered",
            (
                "deactivate: self.el1[cpu] = None | if self.epd_in_switch:",
            ),
        ),
        Because(
            "What is walked before EPD is set goes with the TLBI, which comes behind both.",
            "reordered",
            (
                "enter_vmid_context: if self.epd_in_flush: | yield from super().enter_vmid_context(cpu)",
            ),
        ),
        Because(
            "Both come before VTTBR_EL2 is the VM's.",
            "reordered",
            (
                "enter_vmid_context: self.epd[cpu] = True | self.s1_off[cpu] = False",
            ),
        ),
        Because(
            "Both come behind VTTBR_EL2, which is the host's again.",
            "reordered",
            (
                "exit_vmid_context: self.s1_off[cpu] = self.el1[cpu] is not None and self.runs_… | self.epd[cpu] = False",
            ),
        ),
    ),
    "tla-asidalloc": (
        Because(
            "Without it no generation is this one: the lock is taken each time, and the id read again.",
            "left out",
            ("check_and_switch_context / writes sched.check_and_switch_context.generation",),
        ),
        Because(
            "A slot that is not empty has this generation already: a rollover empties all.",
            "left out",
            ("cmpxchg_active_asids / writes active_asids.generation",),
        ),
        Because(
            "Who has flushed does so again whenever it takes the lock, which is more.",
            "left out",
            ("tlb_flush_pending / writes tlb_flush_pending",),
        ),
        Because(
            THERE_IS_ONE,
            "left out",
            (
                "new_context_allocate_free_asid / requires asid_map.bit, cur_idx",
                "check_update_reserved_asid_for_each_cpu / requires cpus.bit",
                "flush_context_for_each_cpu / requires cpus.bit",
            ),
        ),
        Because(
            ANY_WILL_DO,
            "left out",
            (
                "check_update_reserved_asid_for_each_cpu / requires cpus.bit, 2",
                "flush_context_for_each_cpu / requires cpus.bit, 2",
                "new_context_ret_flush_context / requires asid_map.bit, 2",
                "set_asid / writes cur_idx",
            ),
        ),
        Because(
            THE_NUMBER_STAYS,
            "left out",
            ("check_update_reserved_asid_for_each_cpu / writes reserved_asids.number",),
        ),
        Because(GONE_THROUGH_AGAIN, "actor", ("check_update_reserved_asid / by somebody else",)),
        Because(
            "A page that is unmapped with no TLBI behind it, or once more, never counts as invalidated by that: less is asked.",
            "actor",
            ("pte_clear / by somebody else",),
        ),
        Because(MORE, "actor", ("tlbi / by somebody else",)),
        Because(
            "Both under the lock, where no rollover comes, and before TTBR0 is the task's.",
            "reordered",
            ("check_and_switch_context: if self.tlb_flush_pending[cpu]: | self.active_asids.set(cpu, generation, number)",),
        ),
        Because(ALWAYS_TAKEN, "reordered", ("new_context: old = self.asid_map.bit[number] | self.asid_map.bit[number] = True",)),
        Because(
            UNDER_THE_LOCK,
            "reordered",
            (
                "new_context: if reserved: | old = self.asid_map.bit[number]",
                "new_context: generation = self.asid_generation | yield from self.flush_context()",
            ),
        ),
        Because(
            "That a flush is pending is set and asked under the lock alone: before the sweep is as good as behind it.",
            "reordered",
            ("flush_context: while True: | self.tlb_flush_pending[...] = True",),
        ),
        Because(NO_ORDER, "reordered", ("flush_context: self.asid_map.fill(False) | self.cpus.fill(True)",)),
    ),
    "tla-vmidalloc": (
        Because(
            "While a CPU updates, nothing runs there that could be scheduled out once more.",
            "actor",
            ("sched_loop / by somebody else",),
        ),
        Because(
            "Behind a vcpu_put the slot holds INVALID_VMID, and behind a sweep nothing: the number of both is 0.",
            "left out",
            (
                "kvm_arm_vmid_update / writes sched.kvm_arm_vmid_update.old_number",
                "cmpxchg_active_vmids / writes sched.kvm_arm_vmid_update.old_number",
            ),
        ),
        Because(
            "It was set with `walkable=on` alone, which is violated before a VM comes back.",
            "left out",
            ("fast_path / writes scheduled_out",),
        ),
        Because(
            GONE_THROUGH_AGAIN,
            "actor",
            ("check_update_reserved_vmid / by somebody else",),
        ),
        Because(
            ANY_WILL_DO,
            "left out",
            (
                "check_update_reserved_vmid_for_each_cpu / requires cpus.bit, 2",
                "flush_context_for_each_cpu / requires cpus.bit, 2",
                "new_vmid_ret_flush_context / requires vmid_map.bit, 2",
                "set_vmid / writes cur_idx",
            ),
        ),
        Because(
            THERE_IS_ONE,
            "left out",
            (
                "check_update_reserved_vmid_for_each_cpu / requires cpus.bit",
                "flush_context_for_each_cpu / requires cpus.bit",
                "new_vmid_allocate_free_vmid / requires cur_idx, vmid_map.bit",
            ),
        ),
        Because(
            THE_NUMBER_STAYS,
            "left out",
            ("check_update_reserved_vmid_for_each_cpu / writes reserved_vmids.number",),
        ),
        Because(
            OFF,
            "reordered",
            (
                "sched_out: require(self.put == Put.NEVER or self.put == Put.ANY_TIME) | if self.put == Put.ANY_TIME:",
                "kvm_arm_vmid_update: if self.defer: | self.active_vmids.set(cpu, generation, number)",
            ),
        ),
        Because(
            ALWAYS_TAKEN,
            "reordered",
            ("new_vmid: old = self.vmid_map.bit[number] | self.vmid_map.bit[number] = True",),
        ),
        Because(
            UNDER_THE_LOCK,
            "reordered",
            (
                "new_vmid: if reserved: | old = self.vmid_map.bit[number]",
                "new_vmid: generation = self.vmid_generation | yield from self.flush_context()",
            ),
        ),
        Because(NO_ORDER, "reordered", ("flush_context: self.vmid_map.fill(False) | self.cpus.fill(True)",)),
    ),
    "xen-pv-paging": (
        Because(
            MORE,
            "left out",
            (
                "invalidate_interrupt / requires flush_ipi.flush_cpumask",
            ),
        ),
        Because(
            "A CPU that was interrupted stands still from then on, which is less.",
            "left out",
            (
                "returns_from_interrupt / writes interrupted",
            ),
        ),
        Because(
            "The root table is copied once more, or, on the way back, when it next changes.",
            "left out",
            (
                "returns_from_interrupt / writes root_pgt_changed",
                "write_ptbase: load the domain's CR3 / writes root_pgt_changed",
            ),
        ),
        Because(
            "Where a switch leads to the context that is there, or one that is away idles: more than there can be, and all "
            "holds.",
            "left out",
            (
                "Xen is entered: {call} / requires context",
                "Xen is entered: {call} / requires context, 2",
            ),
        ),
        Because(
            "No count comes to its end at this size, nor is an entry's table of another type.",
            "left out",
            (
                "Xen is entered: {call} / requires refs, 2",
                "Xen is entered: {call} / requires entry, refs, type, validating",
                "Xen is entered: {call} / requires entry, refs",
                "Xen is entered: {call} / requires entry, refs, 2",
                "page_lock: look at the L1 page's type / requires hypercall.update_va_mapping.page, refs, type, validating",
                "do_mmu_update: the next entry of the batch / requires refs, 2",
                "do_mmu_update: the next entry of the batch / requires entry, refs, type, validating",
                "do_mmu_update: the next entry of the batch / requires entry, refs",
                "do_mmu_update: the next entry of the batch / requires entry, refs, 2",
            ),
        ),
        Because(
            "Only where pages change their types (`retyping=on`), which is promised at another size and not asked here.",
            "left out",
            (
                "Xen is entered: {call} / requires validating",
                "Xen is entered: {call} / requires refs, validating",
                "Xen is entered: {call} / requires type, 2",
                "Xen is entered: {call} / writes validating",
                "Xen is entered: {call} / writes scratch_cpumask",
                "Xen is entered: {call} / writes hypercall.get_page_type.page",
                "Xen is entered: {call} / writes hypercall.get_page_type.type",
                "flush_local / writes upper.entry",
                "flush_local / writes lower.entry",
                "flush_local / writes scratch_cpumask",
                "get_page_type: {page} has its new type / writes type",
                "get_page_type: {page} has its new type / writes entry",
                "get_page_type: {page} has its new type / writes validating",
                "flush_mask: take flush_lock and interrupt the others / requires flush_ipi.flush_lock",
                "flush_mask: take flush_lock and interrupt the others / writes flush_ipi.flush_lock",
                "flush_mask: take flush_lock and interrupt the others / writes flush_ipi.flush_cpumask",
                "flush_mask: take flush_lock and interrupt the others / writes flush_tlb_flag",
                "flush_mask: take flush_lock and interrupt the others / writes flush_root_flag",
                "flush_mask: wait until they have flushed / requires flush_ipi.flush_lock",
                "flush_mask: wait until they have flushed / requires flush_ipi.flush_cpumask",
                "flush_mask: wait until they have flushed / writes flush_ipi.flush_lock",
                "flush_mask: wait until they have flushed / writes flush_tlb_flag",
                "flush_mask: wait until they have flushed / writes flush_root_flag",
                "flush_mask: wait until they have flushed / writes scratch_cpumask",
            ),
        ),
        Because(
            "A lock and a reference are taken that nobody gives back: less can be done.",
            "actor",
            (
                "Xen is entered: {call} / by somebody else",
                "do_mmu_update: the next entry of the batch / by somebody else",
            ),
        ),
        Because(
            "A CPU that is away goes on walking the domain's tables: what it caches, the CR3 write on its way back flushes.",
            "left out",
            (
                "write_ptbase: load another domain's CR3 / writes cr3",
            ),
        ),
        Because(
            "Two CR3 writes flush, on the way out and on the way back, and one of them is enough.",
            "left out",
            (
                "write_ptbase: load another domain's CR3 / writes upper.entry",
                "write_ptbase: load another domain's CR3 / writes lower.entry",
                "write_ptbase: load the domain's CR3 / writes upper.entry",
                "write_ptbase: load the domain's CR3 / writes lower.entry",
            ),
        ),
        Because(
            "CR3 is written once more, and each such write flushes.",
            "actor",
            (
                "write_ptbase: load another domain's CR3 / by somebody else",
                "write_ptbase: load the domain's CR3 / by somebody else",
            ),
        ),
        Because(
            "It reads any table, and not one that is cached: `page_lock` looks at the page's type wherever it was found.",
            "left out",
            (
                "map_guest_l1e: read the L2 entry through the linear map / requires upper.entry",
            ),
        ),
        Because(
            MORE,
            "actor",
            (
                "flush_local / by somebody else",
            ),
        ),
        Because(
            "An L1 table refers to nothing here: that it goes while somebody holds its lock harms nobody.",
            "left out",
            (
                "put_page_type: drop the old reference / requires entry, hypercall.do_mmu_update.old, locked, refs",
            ),
        ),
        Because(
            "The table stays locked, and nobody changes it again: less.",
            "left out",
            (
                "put_page_type: drop the old reference / writes locked",
            ),
        ),
        Because(
            "`spare_local` is off.",
            "left out",
            (
                "put_page_type: drop the old reference / writes hypercall.do_mmu_update.flush_dirty.spared",
                "put_page_type: drop the old reference / writes hypercall.do_mmu_update.spared",
            ),
        ),
        Because(
            "Only in batches (`batches=on`), which are promised at another size and not asked here.",
            "left out",
            (
                "put_page_type: drop the old reference / writes hypercall.do_mmu_update.flush_root_pt_local",
                "put_page_type: drop the old reference / writes hypercall.do_mmu_update.flush_root_pt_others",
                "do_mmu_update: the next entry of the batch / requires type",
                "do_mmu_update: the next entry of the batch / requires entry",
                "do_mmu_update: the next entry of the batch / requires type, 2",
                "do_mmu_update: the next entry of the batch / requires refs",
                "do_mmu_update: the next entry of the batch / requires locked",
                "do_mmu_update: the next entry of the batch / requires validating",
                "do_mmu_update: the next entry of the batch / writes locked",
                "do_mmu_update: the next entry of the batch / writes refs",
                "do_mmu_update: the next entry of the batch / writes hypercall.do_mmu_update.new",
                "do_mmu_update: the next entry of the batch / writes hypercall.do_mmu_update.table",
            ),
        ),
        Because(
            "What keeps the page's type is the reference that page_lock takes, not the lock.",
            "left out",
            (
                "page_lock: look at the L1 page's type / requires hypercall.update_va_mapping.page, locked, refs, type, "
                "validating",
                "page_lock: look at the L1 page's type / writes locked",
            ),
        ),
        Because(
            "What the next flush is about is written before it.",
            "left out",
            (
                "flush_local (2) / writes scratch_cpumask",
                "flush_mask: wait until they have flushed (2) / writes flush_tlb_flag",
                "flush_mask: wait until they have flushed (2) / writes flush_root_flag",
                "flush_mask: wait until they have flushed (2) / writes scratch_cpumask",
            ),
        ),
        Because(
            "What an update has overwritten counts as permitted for longer: the policies that are violated need its end.",
            "left out",
            (
                "flush_local (2) / writes overwrote",
                "flush_mask: wait until they have flushed (2) / writes overwrote",
            ),
        ),
        Because(
            "The page is named anew before the next write.",
            "left out",
            (
                "mod_l1_entry: write the L1 entry / writes l1_page",
            ),
        ),
        Because(
            "Who is overtaken in `flush_lock` waits for ever, for the lock that is no longer its own.",
            "left out",
            (
                "flush_mask: take flush_lock and interrupt the others (2) / requires flush_ipi.flush_lock",
            ),
        ),
        Because(
            "Who waits holds `flush_lock`: nobody else can have taken it.",
            "left out",
            (
                "flush_mask: wait until they have flushed (2) / requires flush_ipi.flush_lock",
            ),
        ),
        Because(
            "Both go in one step, and what is filled again is filled behind it.",
            "reordered",
            (
                "flush_tlb: self.upper.drop_all(cpu) | self.lower.drop_all(cpu)",
            ),
        ),
        Because(
            "A CPU that was interrupted stands still from then on, which is less.",
            "reordered",
            (
                "returns_from_interrupt: require(self.interrupted[cpu]) | self.interrupted[cpu] = False",
            ),
        ),
        Because(
            "What an update has overwritten counts as permitted for longer: the policies that are violated need its end.",
            "reordered",
            (
                "do_mmu_update: while True: | self.overwrote[cpu, ...] = False",
            ),
        ),
        Because(
            "One step: of two choices, conditions or counts either may come first.",
            "reordered",
            (
                "get_same_type: require(self.type[below] == PageType.L1 and (not self.valid… | self.add_reference(below)",
                "do_mmu_update: table = choose(Frame) | new = choose(Frame)",
                "do_mmu_update: require(self.type[table] in (PageType.L4, PageType.L2) and … | require(self.type[new] == "
                "(PageType.L2 if self.type[table] …",
                "do_mmu_update: require(self.type[new] == (PageType.L2 if self.type[table] … | require(self.refs[table] > 0)",
                "do_mmu_update: self.page_lock(table) | self.get_same_type(new)",
                "do_mmu_update: if old is not None: | self.page_unlock(table)",
            ),
        ),
        Because(
            "The reference is taken in the step that writes the entry: no page changes its type meanwhile.",
            "reordered",
            (
                "do_mmu_update: self.get_same_type(new) | old = self.entry[table]",
            ),
        ),
        Because(
            "Counts end one earlier, at five: less.",
            "reordered",
            ("add_reference: require(self.refs[page] < MOST_REFERENCES) | self.refs[page] = self.refs[page] + 1",),
        ),
        Because(
            "An L1 table refers to nothing here: that it goes while somebody holds its lock harms nobody.",
            "reordered",
            (
                "put_page_type: require(not (self.locked[below] and self.refs[below] == 2)) | self.refs[below] = "
                "self.refs[below] - 1",
            ),
        ),
        Because(
            "Only where pages change their types (`retyping=on`), which is promised at another size and not asked here.",
            "reordered",
            (
                "get_page_type: if self.retype == Retype.TAKE_THEN_FLUSH: | if self.retype != Retype.NO_FLUSH:",
                "get_page_type: if self.retype != Retype.NO_FLUSH: | if self.retype == Retype.TAKE_THEN_FLUSH or (self.refs[page…",
            ),
        ),
        Because(
            "A CPU never goes lazy then, which is less.",
            "reordered",
            ("context_switch: require(to != Context.LAZY or self.context[cpu] == Context.… | if to == Context.AWAY:",),
        ),
        Because(
            "CR3 is another domain's one step before its flush: meanwhile this CPU is in dirty_cpumask, and uses no linear map.",
            "reordered",
            ("context_switch: if not self.clear_last: | self.cr3[cpu] = None",),
        ),
        Because(
            "Two CR3 writes flush, on the way out and on the way back, and one of them is enough.",
            "reordered",
            ("context_switch: self.flush_tlb(cpu) | if self.clear_last:",),
        ),
        Because(
            "What is cached before the CPU is in dirty_cpumask goes with the flush, which comes behind both.",
            "reordered",
            ("context_switch: if self.set_first: | self.cr3[cpu] = self.guest_table[cpu]",),
        ),
        Because(
            OTHERS_FIRST,
            "reordered",
            ("flush_dirty: if self.flushes_itself(cpu): | yield from self.flush_ipi.flush(cpu, self.scratch_cpumask, …",),
        ),
        Because(
            "This CPU flushes one step earlier, behind the entry's write still; whoever is in dirty_cpumask one step later is "
            "flushed as well, or has left it, and flushed then.",
            "reordered",
            ("flush_dirty: for c in Cpu: | if self.flushes_itself(cpu):",),
        ),
        Because(
            "Where a CPU may run another domain it may go lazy, too, which is more, and all holds.",
            "reordered",
            (
                "context_switch: to = choose(Context, where=lambda c: c != self.context[cpu]) | require(self.lazy or "
                "(self.foreign and to != Context.LAZY))",
            ),
        ),
        Because(
            "`spare_local` is off.",
            "reordered",
            (
                "do_mmu_update: local_in_use = self.context[cpu] == Context.RUNNING and sel… | spared = spared and "
                "self.type[table] == PageType.L4 and (no…",
            ),
        ),
        Because(
            "`skip` is off: whether the table is in use decides nothing.",
            "reordered",
            (
                "must_flush: unused = not self.hooked(table) and all((self.guest_table[c… | skipped = self.skip == Skip.UNUSED and "
                "unused or (self.skip…",
            ),
        ),
        Because(
            "One step: who finds a page of another type returns, and names another one before it writes.",
            "reordered",
            ("update_va_mapping: if self.double_check: | self.l1_page[cpu] = page",),
        ),
        Because(
            "A page of another type stays locked, and nobody changes it again: less.",
            "reordered",
            ("update_va_mapping: if self.type[page] != PageType.L1 or self.refs[page] == 0 o… | self.page_lock(page)",),
        ),
    ),
    "xen-tlbflush-clock": (
        Because(
            OTHERS_FIRST,
            "reordered",
            ("flush_mask: if self.mask[cpu, cpu]: | yield from self.flush_ipi.flush(cpu, self.mask)",),
        ),
        Because(
            "It is one process on each CPU, and is not inside of itself when it begins.",
            "left out",
            (
                "pre_flush: tick the clock / requires cpus.hardirq.inside",
                "new_tlbflush_clock_period: restart the clock / requires cpus.softirq.inside",
            ),
        ),
        Because(
            "This system has no NMI handler: the guard is always true.",
            "left out",
            (
                "pre_flush: tick the clock / requires cpus.nmi.inside",
                "flush the TLB / requires cpus.nmi.inside",
                "post_flush: note the time / requires cpus.nmi.inside",
                "Xen is entered: {work} / requires cpus.nmi.inside",
                "pre_flush: tick the clock / requires cpus.nmi.inside (2)",
                "pre_flush: tick the clock (2) / requires cpus.nmi.inside",
                "flush_mask: take flush_lock and interrupt the others / requires cpus.nmi.inside",
                "new_tlbflush_clock_period: restart the clock / requires cpus.nmi.inside",
                "mod_l1_entry: write the PTE / requires cpus.nmi.inside",
                "_put_page_type: look at the count; the last one reads the clock / requires cpus.nmi.inside",
                "tlbflush_filter: choose whom to flush / requires cpus.nmi.inside",
                "flush the TLB / requires cpus.nmi.inside (2)",
                "flush the TLB (2) / requires cpus.nmi.inside",
                "flush_mask: wait until they have flushed / requires cpus.nmi.inside",
                "_put_page_type: read the clock, with the page invalidated / requires cpus.nmi.inside",
                "set_tlbflush_timestamp: store the stamp / requires cpus.nmi.inside",
                "_put_page_type: cmpxchg the count / requires cpus.nmi.inside",
                "pre_flush: tick the clock (3) / requires cpus.nmi.inside",
                "flush_mask: take flush_lock and interrupt the others (2) / requires cpus.nmi.inside",
                "_get_page_type: the page is a page table / requires cpus.nmi.inside",
                "post_flush: note the time / requires cpus.nmi.inside (2)",
                "post_flush: note the time (2) / requires cpus.nmi.inside",
                "flush the TLB (3) / requires cpus.nmi.inside",
                "flush_mask: wait until they have flushed (2) / requires cpus.nmi.inside",
                "flush_mask: take flush_lock and interrupt the others (3) / requires cpus.nmi.inside",
                "post_flush: note the time (3) / requires cpus.nmi.inside",
                "flush_mask: wait until they have flushed (3) / requires cpus.nmi.inside",
            ),
        ),
        Because(
            "The clock stands at 0 for longer, and while it does every CPU is flushed (`zero_check`).",
            "left out",
            (
                "pre_flush: tick the clock / writes softirq",
                "pre_flush: tick the clock / writes softirq (2)",
                "pre_flush: tick the clock (2) / writes softirq",
                "pre_flush: tick the clock (3) / writes softirq",
            ),
        ),
        Because(
            "A CPU's time is noted as 0, earlier than it is: it is flushed more often.",
            "left out",
            (
                "pre_flush: tick the clock / writes invalidate_interrupt.flush.time",
                "pre_flush: tick the clock / writes xen.do_tlb_flush.flush.time",
                "pre_flush: tick the clock (2) / writes xen.flush_mask.do_tlb_flush.flush.time",
                "pre_flush: tick the clock (3) / writes xen.get_table_type.flush_mask.do_tlb_flush.flush.time",
            ),
        ),
        Because(
            "Invalidating more than was asked for is always allowed.",
            "actor",
            (
                "flush the TLB / by somebody else",
                "flush the TLB / by somebody else (2)",
                "flush the TLB (2) / by somebody else",
                "flush the TLB (3) / by somebody else",
            ),
        ),
        Because(
            "Xen runs one task on each CPU: it is not inside of itself when it begins, and none but it asks.",
            "left out",
            (
                "Xen is entered: {work} / requires cpus.task.inside",
                "Xen is entered: {work} / writes cpus.task.inside",
            ),
        ),
        Because(
            "What a handler has interrupted may as well go on meanwhile.",
            "left out",
            (
                "Xen is entered: {work} / requires cpus.hardirq.inside",
                "pre_flush: tick the clock / requires cpus.hardirq.inside (2)",
                "pre_flush: tick the clock (2) / requires cpus.hardirq.inside",
                "flush_mask: take flush_lock and interrupt the others / requires cpus.hardirq.inside",
                "new_tlbflush_clock_period: restart the clock / requires cpus.hardirq.inside",
                "mod_l1_entry: write the PTE / requires cpus.hardirq.inside",
                "_put_page_type: look at the count; the last one reads the clock / requires cpus.hardirq.inside",
                "tlbflush_filter: choose whom to flush / requires cpus.hardirq.inside",
                "flush the TLB / requires cpus.hardirq.inside",
                "flush the TLB (2) / requires cpus.hardirq.inside",
                "flush_mask: wait until they have flushed / requires cpus.hardirq.inside",
                "_put_page_type: read the clock, with the page invalidated / requires cpus.hardirq.inside",
                "set_tlbflush_timestamp: store the stamp / requires cpus.hardirq.inside",
                "_put_page_type: cmpxchg the count / requires cpus.hardirq.inside",
                "pre_flush: tick the clock (3) / requires cpus.hardirq.inside",
                "flush_mask: take flush_lock and interrupt the others (2) / requires cpus.hardirq.inside",
                "_get_page_type: the page is a page table / requires cpus.hardirq.inside",
                "post_flush: note the time / requires cpus.hardirq.inside",
                "post_flush: note the time (2) / requires cpus.hardirq.inside",
                "flush the TLB (3) / requires cpus.hardirq.inside",
                "flush_mask: wait until they have flushed (2) / requires cpus.hardirq.inside",
                "flush_mask: take flush_lock and interrupt the others (3) / requires cpus.hardirq.inside",
                "post_flush: note the time (3) / requires cpus.hardirq.inside",
                "flush_mask: wait until they have flushed (3) / requires cpus.hardirq.inside",
            ),
        ),
        Because(
            "The softirq's own steps touch the clock and the other CPUs' flush alone: what it has interrupted may"
            " as well go on meanwhile, as another CPU does.",
            "left out",
            (
                "Xen is entered: {work} / requires cpus.softirq.inside",
                "pre_flush: tick the clock / requires cpus.softirq.inside",
                "pre_flush: tick the clock (2) / requires cpus.softirq.inside",
                "flush_mask: take flush_lock and interrupt the others / requires cpus.softirq.inside",
                "mod_l1_entry: write the PTE / requires cpus.softirq.inside",
                "_put_page_type: look at the count; the last one reads the clock / requires cpus.softirq.inside",
                "tlbflush_filter: choose whom to flush / requires cpus.softirq.inside",
                "flush the TLB / requires cpus.softirq.inside",
                "flush the TLB (2) / requires cpus.softirq.inside",
                "flush_mask: wait until they have flushed / requires cpus.softirq.inside",
                "_put_page_type: read the clock, with the page invalidated / requires cpus.softirq.inside",
                "set_tlbflush_timestamp: store the stamp / requires cpus.softirq.inside",
                "_put_page_type: cmpxchg the count / requires cpus.softirq.inside",
                "pre_flush: tick the clock (3) / requires cpus.softirq.inside",
                "flush_mask: take flush_lock and interrupt the others (2) / requires cpus.softirq.inside",
                "_get_page_type: the page is a page table / requires cpus.softirq.inside",
                "post_flush: note the time / requires cpus.softirq.inside",
                "post_flush: note the time (2) / requires cpus.softirq.inside",
                "flush the TLB (3) / requires cpus.softirq.inside",
                "flush_mask: wait until they have flushed (2) / requires cpus.softirq.inside",
                "flush_mask: take flush_lock and interrupt the others (3) / requires cpus.softirq.inside",
                "post_flush: note the time (3) / requires cpus.softirq.inside",
                "flush_mask: wait until they have flushed (3) / requires cpus.softirq.inside",
            ),
        ),
        Because(
            "While a page was a page table no TLB could get a writable mapping of it: the stamp of its last "
            "unmapping is late enough.",
            "left out",
            (
                "Xen is entered: {work} / writes tlbflush_timestamp",
            ),
        ),
        Because(
            "There is one page at this size, and no other value.",
            "left out",
            (
                "Xen is entered: {work} / writes xen.page",
                "Xen is entered: {work} / writes xen.put_page_type.page",
                "Xen is entered: {work} / writes xen.get_table_type.page",
            ),
        ),
        Because(
            "Who is overtaken in `flush_lock` waits for ever, for the lock that is no longer its own, and does "
            "nothing that rests on its flush.",
            "left out",
            (
                "flush_mask: take flush_lock and interrupt the others / requires flush_ipi.flush_lock",
                "flush_mask: take flush_lock and interrupt the others (2) / requires flush_ipi.flush_lock",
                "flush_mask: take flush_lock and interrupt the others (2) / writes flush_ipi.flush_lock",
                "flush_mask: take flush_lock and interrupt the others (3) / requires flush_ipi.flush_lock",
            ),
        ),
        Because(
            "The CPU enters Xen no more: it does less, and the others go on.",
            "left out",
            (
                "_put_page_type: look at the count; the last one reads the clock / writes cpus.task.inside",
                "post_flush: note the time (2) / writes cpus.task.inside",
            ),
        ),
        Because(
            "It chooses again, and who has flushed since then is rightly spared.",
            "actor",
            (
                "tlbflush_filter: choose whom to flush / by somebody else",
            ),
        ),
        Because(
            "Who waits holds `flush_lock`: nobody else can have taken it.",
            "left out",
            (
                "flush_mask: wait until they have flushed / requires flush_ipi.flush_lock",
                "flush_mask: wait until they have flushed (2) / requires flush_ipi.flush_lock",
                "flush_mask: wait until they have flushed (3) / requires flush_ipi.flush_lock",
            ),
        ),
        Because(
            "The mask is made anew before each flush.",
            "left out",
            (
                "flush_mask: wait until they have flushed / writes mask",
                "post_flush: note the time (2) / writes mask",
                "flush_mask: wait until they have flushed (2) / writes mask",
                "post_flush: note the time (3) / writes mask",
                "flush_mask: wait until they have flushed (3) / writes mask",
            ),
        ),
        Because(
            "This is `stamp=irqs-on`, with which the policy holds.",
            "left out",
            (
                "_put_page_type: read the clock, with the page invalidated / writes cpus.irqs_off",
            ),
        ),
        Because(
            "It turns interrupts off for a while on that CPU; what it reads is nobody's.",
            "actor",
            (
                "_put_page_type: read the clock, with the page invalidated / by somebody else",
            ),
        ),
        Because(
            "The page stays invalid until it is a page table: nobody maps it before, which is less.",
            "left out",
            (
                "_put_page_type: cmpxchg the count / writes validated",
            ),
        ),
        Because(
            "A flush that the guest has asked for: no page's type rests on it.",
            "left out",
            (
                "flush_mask: take flush_lock and interrupt the others (3) / writes flush_ipi.flush_cpumask",
            ),
        ),
        Because(
            "`note=before` alone reads the time there.",
            "reordered",
            (
                "flush: time = self.tlbflush_clock | if self.note == Order.BEFORE:",
            ),
        ),
        Because(
            "The TLB is flushed one step later, with interrupts off still, and behind the tick.",
            "reordered",
            (
                "flush: self.tlb.drop_all(cpu) | if self.tick == Order.AFTER:",
            ),
        ),
        Because(
            "The mask is made anew before each flush.",
            "reordered",
            (
                "flush_mask: yield from self.do_tlb_flush(cpu) | self.mask[cpu, cpu] = False",
            ),
        ),
        Because(
            "The mask is made anew before each flush.",
            "split",
            (
                "flush_mask: yield from self.do_tlb_flush(cpu) | self.mask[cpu, cpu] = False",
            ),
        ),
        Because(
            "A flush that the guest has asked for: no page's type rests on it.",
            "reordered",
            (
                "xen: self.mask[cpu, :] = True | yield from self.flush_mask(cpu)",
            ),
        ),
        Because(
            "Without `tso` nothing is unmapped any more, which is less; with it the store takes effect later, as "
            "without the exchange.",
            "reordered",
            (
                "xen: require(self.pte[cpu, page]) | self.clear_pte(cpu, page)",
            ),
        ),
        Because(
            "A page is invalid for a while also where the reference that goes is not the last: nobody maps it "
            "meanwhile, which is less.",
            "reordered",
            (
                "put_page_type: if self.refs[page] != 1: | if self.drop == Drop.INVALIDATE_FIRST:",
            ),
        ),
        Because(
            "The clock is read in the step that makes the page invalid: nobody takes a reference between the two.",
            "reordered",
            (
                "put_page_type: if self.drop == Drop.INVALIDATE_FIRST: | stamp = self.tlbflush_clock",
            ),
        ),
        Because(
            "The stamp is stored in the step that reads the clock: fewer interleavings.",
            "reordered",
            (
                "put_page_type: if interrupted or passed or (not self.prompt): | self.tlbflush_timestamp[page] = "
                "stamp",
            ),
        ),
        Because(
            "`shadowed` is false wherever `sti_shadow` is off, as it is here.",
            "reordered",
            (
                "put_page_type: shadowed = self.stamp == Stamp.IRQS_OFF and self.sti_shadow | if not self.prompt or "
                "(self.flush_ipi.flush_cpumask[cpu] and (not…",
            ),
        ),
        Because(
            "A store that waits is seen one step earlier; nothing lies between but that step.",
            "reordered",
            (
                "put_page_type: if not self.prompt or (self.flush_ipi.flush_cpumask[cpu] and (not… | self.drain(cpu)",
            ),
        ),
        Because(
            "This is `stamp=irqs-on`, with which the policy holds.",
            "reordered",
            (
                "put_page_type: if self.stamp == Stamp.IRQS_OFF: | require(not (self.prompt and "
                "self.flush_ipi.flush_cpumask[cpu] an…",
            ),
        ),
    ),
}

ONE_STEP: Mapping[str, tuple[Because, ...]] = {
    "kvm-trapped-tlbi": (
        Because(
            "The second statement is about the ghost that says that the page is gone: it is of the moment of the store.",
            "split",
            ("unmap: self.tlb.store_stage2(cpu) | self.stage2_is_gone = False",),
        ),
    ),
    "kvm-vmid-allocator": (
        Because(
            "One instruction: atomic64_cmpxchg_relaxed.",
            "split",
            (
                "kvm_arm_vmid_update: was_zero = self.active_vmids.is_zero(cpu) | unchanged = self.active_vmids.get(cpu) == "
                "(old_generation, …",
                "kvm_arm_vmid_update: unchanged = self.active_vmids.get(cpu) == (old_generation, … | if unchanged or "
                "self.fast_path != FastPath.CMPXCHG:",
            ),
        ),
        Because(
            "One instruction: atomic64_xchg_relaxed; what was reserved before is touched under the lock alone.",
            "split",
            (
                "sweep: still = self.active_vmids.is_zero(swept) and self.reserve =… | generation, number = "
                "self.reserved_vmids.get(swept) if stil…",
                "sweep: generation, number = self.reserved_vmids.get(swept) if stil… | if self.reserve == "
                "Reserve.NOTHING:",
                "sweep: if self.reserve == Reserve.NOTHING: | if number is None:",
                "sweep: if number is None: | if self.zero_slots:",
                "sweep: self.reserved_vmids.set(swept, generation, number) | if self.mark_reserved:",
            ),
        ),
    ),
    "tla-asidalloc": (
        Because(
            "One instruction: atomic64_cmpxchg_relaxed.",
            "split",
            ("check_and_switch_context: active = self.active_asids.get(cpu) | if active == (old_generation, old_number):",),
        ),
        Because(
            "One instruction: atomic64_xchg_relaxed.",
            "split",
            ("flush_context: generation, number = self.active_asids.get(c) | self.active_asids.set(c, *NULL_ASID)",),
        ),
    ),
    "tla-vmidalloc": (
        Because(
            "A choice of the model, of what is possible: chosen and then not possible any more, it is none.",
            "split",
            ("sched: task = choose(Task) | require(self.put != Put.OBLIGATORY or running is None or ta…",),
        ),
        Because(
            "One write, of VTTBR_EL2.",
            "split",
            ("kvm_arm_vmid_update: cpu_switch_kvm: self.active_task[cpu] = task | self.active_vmid[cpu] = number",),
        ),
        Because(
            "One instruction: atomic64_cmpxchg_relaxed.",
            "split",
            ("kvm_arm_vmid_update: active = self.active_vmids.get(cpu) | if active == (old_generation, old_number):",),
        ),
        Because(
            "One instruction: atomic64_xchg_relaxed.",
            "split",
            ("flush_context: generation, number = self.active_vmids.get(c) | self.active_vmids.set(c, *NULL_VMID)",),
        ),
    ),
    "xen-tlbflush-clock": (
        Because(
            "A choice of the model, of what is possible: chosen and then not possible any more, it is none.",
            "split",
            (
                "xen: work = choose(Work) | if work == Work.FLUSH:",
                "xen: page = choose(Page) | if work == Work.MAP:",
            ),
        ),
        Because(
            "Type, count and validated bit are one word, type_info, which one cmpxchg compares and exchanges.",
            "split",
            (
                "xen: require(self.type[page] == PageType.WRITABLE and self.valid… | self.refs[page] = self.refs[page] + 1",
                "xen: require(self.type[page] == PageType.WRITABLE and self.refs[… | yield from self.get_table_type(cpu, page)",
                "put_page_type: self.refs[page] = 0 | self.validated[page] = True",
                "get_table_type: self.refs[page] = 1 | self.type[page] = PageType.TABLE",
                "get_table_type: self.type[page] = PageType.TABLE | self.validated[page] = False",
            ),
        ),
        Because(
            "The last reference to a page table goes in one step of the model; in Xen the validated bit is cleared first, "
            "and the word is exchanged by a cmpxchg.",
            "split",
            (
                "xen: require(self.is_table(page)) | self.tlbflush_timestamp[page] = self.tlbflush_clock",
                "xen: self.tlbflush_timestamp[page] = self.tlbflush_clock | self.type[page] = PageType.WRITABLE",
                "xen: self.type[page] = PageType.WRITABLE | self.refs[page] = 0",
            ),
        ),
        Because(
            "One locked instruction, which waits for the store buffer: what it compares and what it writes is one word.",
            "split",
            (
                "put_page_type: if self.refs[page] != 1: | if self.drop == Drop.INVALIDATE_FIRST:",
                "put_page_type: self.drain(cpu) | self.refs[page] = self.refs[page] - 1",
                "put_page_type: drain: page = self.store_buffer[cpu] | if page is not None: (2)",
                "put_page_type: drain: page = self.store_buffer[cpu] | if page is not None: (3)",
                "put_page_type: self.drain(cpu) | self.validated[page] = False",
            ),
        ),
    ),
    "xen-pv-paging": (
        Because(
            "A choice of the model, of what is possible: chosen and then not possible any more, it is none.",
            "split",
            (
                "context_switch: to = choose(Context, where=lambda c: c != self.context[cpu]) | require(self.lazy or "
                "(self.foreign and to != Context.LAZY))",
                "hypercall: call = choose(Call, where=lambda c: c != Call.RETURN) | if call == Call.SWITCH:",
                "hypercall: if call == Call.SWITCH: | self.in_guest[cpu] = not self.xpti",
                "hypercall: self.in_guest[cpu] = not self.xpti | while call != Call.RETURN:",
                "hypercall: foreign = self.foreign and call == Call.MMU_UPDATE and (sel… | require(self.context[cpu] == "
                "Context.RUNNING or foreign)",
                "hypercall: require(self.context[cpu] == Context.RUNNING or foreign) | if call == Call.MMU_UPDATE:",
                "do_mmu_update: flush_linear_pt = False | spared = self.spare_local",
                "do_mmu_update: spared = self.spare_local | flush_root_pt_local = False",
                "do_mmu_update: flush_root_pt_local = False | flush_root_pt_others = False",
                "do_mmu_update: flush_root_pt_others = False | while True:",
                "do_mmu_update: table = choose(Frame) | new = choose(Frame)",
                "do_mmu_update: new = choose(Frame) | require(self.type[table] in (PageType.L4, PageType.L2) and …",
                "do_mmu_update: require(self.type[table] in (PageType.L4, PageType.L2) and … | require(self.type[new] == "
                "(PageType.L2 if self.type[table] …",
                "do_mmu_update: require(self.type[new] == (PageType.L2 if self.type[table] … | require(self.refs[table] > 0)",
            ),
        ),
        Because(
            "Lock bit and count are one word, type_info, which one cmpxchg compares and exchanges.",
            "split",
            (
                "do_mmu_update: page_lock: require(not self.locked[page]) | self.locked[page] = True",
                "do_mmu_update: page_lock: self.locked[page] = True | self.add_reference(page)",
                "do_mmu_update: page_unlock: self.locked[page] = False | self.refs[page] = self.refs[page] - 1",
                "do_mmu_update: put_page_type: require(not (self.locked[page] and self.refs[page] == 2)) | below = "
                "self.entry[page]",
                "do_mmu_update: put_page_type: below = self.entry[page] | if self.refs[page] == 1 and below is not None:",
            ),
        ),
        Because(
            "While Xen drops what a table refers to, its validated bit is clear: nobody takes a reference to it meanwhile.",
            "split",
            (
                "do_mmu_update: put_page_type: if self.refs[page] == 1 and below is not None: | self.refs[page] = "
                "self.refs[page] - 1",
            ),
        ),
        Because(
            "Taking page_lock and the new reference is one step: who comes between finds the lock bit, or the validated "
            "bit clear, and waits.",
            "split",
            (
                "do_mmu_update: require(self.refs[table] > 0) | self.page_lock(table)",
            ),
        ),
        Because(
            "The second statement is about the ghost that says what was overwritten: it is of the moment of the write.",
            "split",
            (
                "do_mmu_update: self.entry[table] = new | if old is not None:",
            ),
        ),
    ),
}
"""Splits that are noticed, and why the code takes no interrupt there, nor another CPU a turn."""


def reason(system: str, operator: Operator, name: str, noticed: bool) -> str | None:
    """Why a mutant is not noticed, or why a step that may not be split is one; None where none is given."""
    known = ONE_STEP.get(system, ()) if noticed else REASONS[system]
    written = _first(b.why for b in known if b.operator == operator and name in b.names)
    return written or (None if noticed else OF_ALL.get(operator))


def _first(reasons: Iterator[str]) -> str | None:
    return next(reasons, None)
