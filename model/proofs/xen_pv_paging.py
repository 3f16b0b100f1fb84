"""Why the flush before the hypercall returns suffices (`xen-pv-paging`), for any number of CPUs and frames."""

from typing import Annotated, Optional

from flushproof.model.hardware import Cpu
from flushproof.model.hardware.tlb import Fill
from flushproof.model.hardware.xen_pages import MOST_REFERENCES, Frame, PageType
from flushproof.model.language.declare import Ghost, Map, Range, after, at, before, lemma, local
from flushproof.model.systems.xen_pv_paging import Context, Retype, XenPvPaging

# Where a CPU is in its hypercall, by label.  flush_dirty is called twice, by get_page_type and do_mmu_update: a label alone
# names both places, with (2) the second one.
ENTERED = "Xen is entered: {call}"
WRITES = "update_intpte: write {new} into {table}"
DROPS = "put_page_type: drop the old reference"
GOES_ON = "do_mmu_update: the next entry of the batch"
FLUSHES = "flush_local (2)"
SENDS = "flush_mask: take flush_lock and interrupt the others (2)"
WAITS = "flush_mask: wait until they have flushed (2)"
LOOKS = "page_lock: look at the L1 page's type"
WRITES_L1 = "mod_l1_entry: write the L1 entry"
LEAVES = "write_ptbase: load another domain's CR3"
HAS_LEFT = "leave dirty_cpumask"
COMES_BACK = "write_ptbase: load the domain's CR3"
RESUMES = ("restore_all_guest, after a context switch", "restore_all_guest, after a context switch (2)")
RETYPE_FLUSHES = "flush_local"
RETYPE_SENDS = "flush_mask: take flush_lock and interrupt the others"
RETYPE_WAITS = "flush_mask: wait until they have flushed"
RETYPES = "get_page_type: {page} has its new type"


class XenPvPagingProof(XenPvPaging, proof=True):
    """Whatever is cached is in memory, or an update that overwrote it has yet to flush.

    `retyped` and `flushed_for`: the page for which a CPU changes the type, and who has flushed for it, or need not.

    First-order formulas do not count, but they can tell that the references to a page, from the entries of tables in use (`number`)
    and in the hands of CPUs (`in_hand`, `number_in_hand`), have numbers of their own, each less than the count.  Where one goes,
    the last one takes its number.  A pin has the number 0, and page_lock none.
    """

    retyped: Ghost[Map[Cpu, Optional[Frame]]]
    flushed_for: Ghost[Map[Frame, Cpu, bool]]
    in_hand: Ghost[Map[Cpu, Optional[Frame]]]
    number: Ghost[Map[Frame, Annotated[int, Range(0, MOST_REFERENCES)]]]
    number_in_hand: Ghost[Map[Cpu, Annotated[int, Range(0, MOST_REFERENCES)]]]

    # what the steps do to the ghosts

    @after("address_is_mapped")
    def the_first_entries_have_numbers(self, root, other_root):
        self.number[root] = 1
        if self.own_roots:
            self.number[other_root] = 2

    @after(ENTERED, "multicall: the next call", GOES_ON)
    def a_reference_is_taken(self, cpu, new):
        """To the new page, and with the first one to a table another one from its entry to the page below."""
        below = self.entry[new]
        if self.refs[new] == 1 and below is not None:
            self.number[new] = self.counted(below) - 1
        self.in_hand[cpu] = new
        self.number_in_hand[cpu] = self.counted(new) - 1

    @after(WRITES)
    def an_entry_is_exchanged(self, cpu, table, old):
        """The table's entry has the reference that was in hand, with its number, and the old entry's is in hand now."""
        self.in_hand[cpu] = old
        given = self.number_in_hand[cpu]
        self.number_in_hand[cpu] = self.number[table]
        self.number[table] = given

    @before(DROPS)
    def a_reference_is_dropped(self, cpu, old):
        """And with the last one to a table the one from its entry; the last references to both pages take their numbers."""
        below = self.entry[old] if old is not None and self.refs[old] == 1 else None
        of_old = self.number_in_hand[cpu]
        of_below = self.number[old] if old is not None else 0
        for frame in Frame:
            page = self.entry[frame]
            if page is not None and page in (old, below) and self.number[frame] + 1 == self.counted(page):
                self.number[frame] = of_old if page == old else of_below
        for c in Cpu:
            page = self.in_hand[c]
            if (
                c != cpu
                and page is not None
                and page in (old, below)
                and self.number_in_hand[c] + 1 == self.counted(page)
            ):
                self.number_in_hand[c] = of_old if page == old else of_below
        self.in_hand[cpu] = None

    @after(ENTERED, "multicall: the next call")
    def a_page_is_taken(self, cpu, page):
        """For a new type; those CPUs have flushed that need not."""
        if self.retype == Retype.TAKE_THEN_FLUSH:
            self.retyped[cpu] = page
            for c in Cpu:
                self.flushed_for[page, c] = not self.dirty_cpumask[c]

    @before("flush_local")
    def it_flushes(self, cpu):
        if self.flushes_itself(cpu):
            self.has_flushed(cpu, self.retyped[cpu])

    @before("invalidate_interrupt")
    def it_flushes_for_another(self, cpu):
        if self.flush_ipi.flush_lock is not None:
            self.has_flushed(cpu, self.retyped[self.flush_ipi.flush_lock])

    def has_flushed(self, cpu, page):
        if page is not None:
            self.flushed_for[page, cpu] = True

    @after(RETYPES)
    def a_page_has_its_new_type(self, cpu, page):
        self.retyped[cpu] = None
        self.flushed_for[page, :] = False

    def counted(self, page):
        """The page's type references, but for that of page_lock."""
        return self.refs[page] - 1 if self.locked[page] else self.refs[page]

    # what is cached

    def awaits_flush(self, cpu, other):
        """Whether the update that this CPU makes has yet to flush the other one."""
        return (
            at(self.hypercall, cpu, WRITES, DROPS, GOES_ON)
            or (at(self.hypercall, cpu, FLUSHES) and self.will_flush(cpu, other, self.is_spared(cpu)))
            or (at(self.hypercall, cpu, SENDS) and self.will_interrupt(cpu, other))
            or (at(self.hypercall, cpu, WAITS) and self.flush_ipi.flush_cpumask[other])
        )

    def will_flush(self, cpu, other, spared):
        """Whether this CPU, about to flush, flushes the other one, or itself where that is not spared."""
        return self.will_interrupt(cpu, other) or (other == cpu and self.flushes_itself(cpu) and not spared)

    def will_interrupt(self, cpu, other):
        return self.scratch_cpumask[cpu, other] and other != cpu

    def is_spared(self, cpu):
        """Whether the update that this CPU makes leaves its own TLB alone."""
        return self.spare_local and local(self.hypercall, cpu, "do_mmu_update.flush_dirty.spared")

    def cacheable(self, cpu, table, frame):
        """The entry is in memory, or an update that overwrote it has yet to flush this CPU."""
        return self.entry[table] == frame or any(
            self.overwrote[c, table, frame] and self.awaits_flush(c, cpu) and (c != cpu or not self.spares(c, table))
            for c in Cpu
        )

    def spares(self, cpu, table):
        """Whether nothing that this CPU has cached came from what its batch has overwritten in the table, as things stand.

        That it had not when this was looked at, with the table locked, is all that is known: it may have another type by now.
        """
        return (
            self.spare_local
            and local(self.hypercall, cpu, "do_mmu_update.spared")
            and not self.is_yet_to_look(cpu, table)
        )

    def may_be_cached(self, page, cpu):
        """Unless the page changes its type, and the CPU has been flushed for it."""
        return not (self.retyping and self.flushed_for[page, cpu])

    @lemma
    def this_cpu_is_spared_no_flush(self):
        return self.spare_local or all(
            not local(self.hypercall, cpu, "do_mmu_update.spared")
            and not local(self.hypercall, cpu, "do_mmu_update.flush_dirty.spared")
            for cpu in Cpu
        )

    @lemma
    def an_upper_entry_is_in_memory_or_about_to_be_flushed(self):
        return all(
            self.cacheable(cpu, self.cr3[cpu], table) for cpu in Cpu for table in Frame if self.upper.entry[cpu, table]
        )

    @lemma
    def so_are_the_two_that_a_lower_entry_stands_for(self):
        return all(
            any(
                self.cacheable(cpu, self.cr3[cpu], t)
                and self.cacheable(cpu, t, page)
                and self.type[t] == PageType.L2
                and self.may_be_cached(t, cpu)
                for t in Frame
            )
            for cpu in Cpu
            for page in Frame
            if self.lower.entry[cpu, page]
        )

    @lemma
    def what_may_be_cached_is(self):
        return (not self.retyping or self.lower.fill != Fill.EAGER) or all(
            self.lower.entry[cpu, page] for cpu in Cpu for page in Frame if self.l2_entry(cpu, page)
        )

    @lemma
    def an_update_flushes(self):
        return all(
            local(self.hypercall, cpu, "do_mmu_update.flush_dirty.flush_linear_pt")
            for cpu in Cpu
            if at(self.hypercall, cpu, FLUSHES, SENDS)
        )

    @lemma
    def the_interrupt_flushes(self):
        return all(self.flush_tlb_flag for cpu in Cpu if at(self.hypercall, cpu, WAITS, RETYPE_WAITS))

    @lemma
    def who_waits_holds_flush_lock(self):
        return all((self.flush_ipi.flush_lock == cpu) == at(self.hypercall, cpu, WAITS, RETYPE_WAITS) for cpu in Cpu)

    # which tables a CPU walks

    @lemma
    def cr3_is_the_root_table_or_another_domains(self):
        return all(self.cr3[cpu] in (None, self.guest_table[cpu]) for cpu in Cpu)

    @lemma
    def who_is_here_walks(self):
        return all(
            (self.cr3[cpu] is not None)
            == (self.context[cpu] != Context.AWAY or at(self.hypercall, cpu, LEAVES, *RESUMES))
            for cpu in Cpu
        )

    @lemma
    def who_walks_is_in_dirty_cpumask(self):
        return all(
            self.dirty_cpumask[cpu] for cpu in Cpu if self.cr3[cpu] is not None or at(self.hypercall, cpu, COMES_BACK)
        )

    @lemma
    def who_is_away_is_not_in_dirty_cpumask(self):
        return all(
            at(self.hypercall, cpu, LEAVES, HAS_LEFT, COMES_BACK, *RESUMES)
            for cpu in Cpu
            if self.context[cpu] == Context.AWAY and self.dirty_cpumask[cpu]
        )

    @lemma
    def who_changes_cr3_is_away(self):
        return all(
            self.context[cpu] == Context.AWAY for cpu in Cpu if at(self.hypercall, cpu, LEAVES, HAS_LEFT, COMES_BACK)
        )

    # types

    def leads_down(self, table, frame):
        """From an L4 to an L2 table, or from an L2 to an L1 table."""
        return (self.type[table] == PageType.L4 and self.type[frame] == PageType.L2) or (
            self.type[table] == PageType.L2 and self.type[frame] == PageType.L1
        )

    @lemma
    def pages_keep_their_types(self):
        return self.retyping or all(not self.is_retyping(cpu) for cpu in Cpu)

    @lemma
    def a_root_table_is_a_pinned_l4_table(self):
        return all(
            self.pinned[self.guest_table[cpu]] and self.type[self.guest_table[cpu]] == PageType.L4 for cpu in Cpu
        )

    @lemma
    def an_entry_leads_down(self):
        """That of a table which is in use, where pages change their types."""
        return all(
            self.leads_down(table, self.entry[table])
            for table in Frame
            if self.entry[table] is not None and (self.refs[table] > 0 or not self.retyping)
        )

    @lemma
    def only_upper_tables_have_entries(self):
        return not self.retyping or all(
            self.type[table] in (PageType.L4, PageType.L2) for table in Frame if self.entry[table] is not None
        )

    @lemma
    def a_cached_upper_entry_leads_to_an_l2_table(self):
        return all(
            self.type[table] == PageType.L2 and self.may_be_cached(table, cpu)
            for cpu in Cpu
            for table in Frame
            if self.upper.entry[cpu, table]
        )

    @lemma
    def a_cached_lower_entry_leads_to_an_l1_table(self):
        return all(
            self.type[page] == PageType.L1 and self.may_be_cached(page, cpu)
            for cpu in Cpu
            for page in Frame
            if self.lower.entry[cpu, page]
        )

    def table(self, cpu):
        """The table that an update changes."""
        return local(self.hypercall, cpu, "do_mmu_update.table")

    @lemma
    def a_new_entry_leads_down(self):
        return all(
            self.leads_down(self.table(cpu), local(self.hypercall, cpu, "do_mmu_update.new"))
            for cpu in Cpu
            if at(self.hypercall, cpu, WRITES)
        )

    # type counts

    @lemma
    def a_pinned_page_is_in_use(self):
        return not self.retyping or all(self.counted(page) > 0 for page in Frame if self.pinned[page])

    def numbered(self, page, number):
        """Whether a reference to the page can have this number."""
        return number < self.counted(page) and (number > 0 or not self.pinned[page])

    @lemma
    def an_entry_in_use_is_counted(self):
        return not self.retyping or all(
            self.numbered(self.entry[table], self.number[table])
            for table in Frame
            if self.entry[table] is not None and self.refs[table] > 0
        )

    @lemma
    def what_is_in_hand_is_counted(self):
        return not self.retyping or all(
            self.numbered(self.in_hand[cpu], self.number_in_hand[cpu]) for cpu in Cpu if self.in_hand[cpu] is not None
        )

    @lemma
    def entries_have_numbers_of_their_own(self):
        return not self.retyping or all(
            table == other or self.number[table] != self.number[other]
            for table in Frame
            for other in Frame
            for page in Frame
            if self.entry[table] == page and self.refs[table] > 0
            if self.entry[other] == page and self.refs[other] > 0
        )

    @lemma
    def so_has_what_is_in_hand(self):
        return not self.retyping or all(
            self.number_in_hand[cpu] != self.number[table]
            for cpu in Cpu
            for table in Frame
            for page in Frame
            if self.in_hand[cpu] == page
            if self.entry[table] == page and self.refs[table] > 0
        )

    @lemma
    def so_has_what_two_have_in_hand(self):
        return not self.retyping or all(
            cpu == other or self.number_in_hand[cpu] != self.number_in_hand[other]
            for cpu in Cpu
            for other in Cpu
            for page in Frame
            if self.in_hand[cpu] == page
            if self.in_hand[other] == page
        )

    @lemma
    def an_update_has_one_reference_in_hand(self):
        return not self.retyping or all(
            self.in_hand[cpu]
            == (
                local(self.hypercall, cpu, "do_mmu_update.new")
                if at(self.hypercall, cpu, WRITES)
                else local(self.hypercall, cpu, "do_mmu_update.old")
                if at(self.hypercall, cpu, DROPS)
                else None
            )
            for cpu in Cpu
        )

    # page_lock

    def locks(self, cpu, page):
        """Whether this CPU holds the page's lock."""
        return (at(self.hypercall, cpu, WRITES, DROPS) and self.table(cpu) == page) or (
            at(self.hypercall, cpu, WRITES_L1) and self.l1_page[cpu] == page
        )

    @lemma
    def who_has_an_l1_page_writes_to_it(self):
        return all((self.l1_page[cpu] is not None) == at(self.hypercall, cpu, WRITES_L1) for cpu in Cpu)

    @lemma
    def an_l2_entry_was_present(self):
        return all(
            local(self.hypercall, cpu, "update_va_mapping.page") is not None
            for cpu in Cpu
            if at(self.hypercall, cpu, LOOKS)
        )

    @lemma
    def a_locks_page_is_locked(self):
        return all(self.locked[page] for cpu in Cpu for page in Frame if self.locks(cpu, page))

    @lemma
    def a_lock_has_one_holder(self):
        return all(a == b for a in Cpu for b in Cpu for page in Frame if self.locks(a, page) and self.locks(b, page))

    @lemma
    def a_locked_page_is_in_use(self):
        return all(self.refs[page] >= 2 for page in Frame if self.locked[page])

    # pages that change their types

    def is_retyping(self, cpu):
        """Whether this CPU gives a page a new type, and has taken it already."""
        return at(self.hypercall, cpu, RETYPE_FLUSHES, RETYPE_SENDS, RETYPE_WAITS, RETYPES) and not at(
            self.hypercall, cpu, FLUSHES, SENDS, WAITS
        )

    def retypes(self, cpu, page):
        """Whether this CPU gives the page a new type."""
        return self.is_retyping(cpu) and local(self.hypercall, cpu, "get_page_type.page") == page

    @lemma
    def a_page_that_changes_its_type_is_taken(self):
        return self.retype != Retype.TAKE_THEN_FLUSH or all(
            self.validating[page] for cpu in Cpu for page in Frame if self.retypes(cpu, page)
        )

    @lemma
    def a_taken_page_is_in_use_as_nothing(self):
        return all(self.refs[page] == 0 for page in Frame if self.validating[page])

    @lemma
    def a_taken_page_has_one_taker(self):
        return self.retype != Retype.TAKE_THEN_FLUSH or all(
            a == b for a in Cpu for b in Cpu for page in Frame if self.retypes(a, page) and self.retypes(b, page)
        )

    @lemma
    def for_a_page_that_changes_its_type_all_are_flushed(self):
        return (not self.retyping or self.retype != Retype.TAKE_THEN_FLUSH) or all(
            self.flushed_for[page, other]
            or (at(self.hypercall, cpu, RETYPE_FLUSHES) and self.will_flush(cpu, other, False))
            or (at(self.hypercall, cpu, RETYPE_SENDS) and self.will_interrupt(cpu, other))
            or (at(self.hypercall, cpu, RETYPE_WAITS) and self.flush_ipi.flush_cpumask[other])
            for cpu in Cpu
            for other in Cpu
            for page in Frame
            if self.retypes(cpu, page)
        )

    @lemma
    def only_for_a_page_that_is_taken(self):
        return not self.retyping or all(
            self.validating[page] for page in Frame for cpu in Cpu if self.flushed_for[page, cpu]
        )

    @lemma
    def who_changes_a_type_is_known(self):
        return not self.retyping or all(
            self.retyped[cpu]
            == (
                local(self.hypercall, cpu, "get_page_type.page")
                if self.retype == Retype.TAKE_THEN_FLUSH and self.is_retyping(cpu)
                else None
            )
            for cpu in Cpu
        )

    # XPTI's copies of root tables

    @lemma
    def a_root_copy_is_current_or_about_to_be_renewed(self):
        return not self.xpti or all(
            self.cacheable(cpu, self.guest_table[cpu], table)
            for cpu in Cpu
            for table in Frame
            if self.root_copy[cpu] == table and self.cr3[cpu] is not None and not self.root_pgt_changed[cpu]
        )

    @lemma
    def the_guest_runs_on_an_unchanged_copy(self):
        return not self.xpti or all(
            at(self.hypercall, cpu, ENTERED) and not self.root_pgt_changed[cpu]
            for cpu in Cpu
            if self.executes_guest(cpu)
        )

    @lemma
    def only_the_guest_is_interrupted(self):
        return not self.xpti or all(at(self.hypercall, cpu, ENTERED) for cpu in Cpu if self.interrupted[cpu])

    @lemma
    def nobody_interrupts_itself(self):
        return not self.xpti or all(not self.flush_ipi.flush_cpumask[cpu] for cpu in Cpu if self.flush_ipi.flush_lock == cpu)

    @lemma
    def who_idles_makes_no_update(self):
        return not (self.xpti or self.spare_local) or all(
            at(self.hypercall, cpu, ENTERED, *RESUMES) for cpu in Cpu if self.context[cpu] == Context.LAZY
        )

    @lemma
    def only_updates_overwrite(self):
        return not (self.xpti or self.spare_local) or all(
            at(self.hypercall, cpu, WRITES, DROPS, GOES_ON, FLUSHES, SENDS, WAITS)
            for cpu in Cpu
            for table in Frame
            for frame in Frame
            if self.overwrote[cpu, table, frame]
        )

    def is_yet_to_look(self, cpu, root):
        """Whether this CPU is about to look who uses the root table that it changed."""
        return at(self.hypercall, cpu, DROPS) and self.table(cpu) == root

    @lemma
    def an_update_of_a_root_table_concerns_who_uses_it(self):
        return not self.xpti or all(
            local(self.hypercall, cpu, "do_mmu_update.flush_root_pt_others") or self.is_yet_to_look(cpu, self.guest_table[other])
            for cpu in Cpu
            for other in Cpu
            for frame in Frame
            if other != cpu and self.overwrote[cpu, self.guest_table[other], frame]
        )

    @lemma
    def an_update_of_the_own_root_table_concerns_this_cpu(self):
        return not self.xpti or all(
            local(self.hypercall, cpu, "do_mmu_update.flush_root_pt_local") or self.is_yet_to_look(cpu, self.guest_table[cpu])
            for cpu in Cpu
            for frame in Frame
            if self.context[cpu] == Context.RUNNING and self.overwrote[cpu, self.guest_table[cpu], frame]
        )

    @lemma
    def whom_it_concerns_is_told(self):
        """At flush_local and in the interrupt."""
        return not self.xpti or all(
            local(self.hypercall, cpu, "do_mmu_update.flush_dirty.flush_root_pt_others")
            for cpu in Cpu
            if at(self.hypercall, cpu, FLUSHES, SENDS) and local(self.hypercall, cpu, "do_mmu_update.flush_root_pt_others")
        )

    @lemma
    def this_cpu_is_told(self):
        return not self.xpti or all(
            local(self.hypercall, cpu, "do_mmu_update.flush_dirty.flush_root_pt_local")
            for cpu in Cpu
            if at(self.hypercall, cpu, FLUSHES) and local(self.hypercall, cpu, "do_mmu_update.flush_root_pt_local")
        )

    @lemma
    def the_interrupt_tells(self):
        return not self.xpti or all(
            self.flush_root_flag
            for cpu in Cpu
            if at(self.hypercall, cpu, WAITS) and local(self.hypercall, cpu, "do_mmu_update.flush_root_pt_others")
        )
