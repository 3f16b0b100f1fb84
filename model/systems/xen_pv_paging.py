"""Xen's linear page tables and the TLB flushes that a PV guest's page-table updates need (XSA-286).

**The mechanism.**  A PV guest's page tables are the hardware's own; Xen checks every update (MMU_UPDATE).  One slot of each
L4 table, Xen's, points to the table itself: through that *linear map* the page tables appear as data.  UPDATE_VA_MAPPING
finds the L1 entry of an address there.  The linear map's translations consist of the guest's own L4 and L2 entries, so that
the TLB and the paging-structure caches keep copies of what an MMU_UPDATE overwrites.  The guest need not flush them: it
does not know of them.

**What is modelled.**  One domain, one virtual address.  Levels L4 -> L2 -> L1 (an L3 would repeat the L2's step: a test
adds it and finds every verdict the same); each table is a frame with one entry, the one that the address uses.  Page
types with type counts, page_lock and validation (`xen_pages`); hypercalls on all CPUs at once, in the code's order: lock,
reference, write, drop the old reference, accumulate, flush locally, send, wait.  What TLBs and paging-structure caches
hold of the linear map, and of that what may be used (`xen_linear_map`): what is in memory, and what an update overwrote
that has not returned.  Then XPTI's copy of the root table on each CPU (`xen_root_copy`), lazy context switches with
dirty_cpumask (`xen_dirty_cpumask`), and updates from another domain (pt_owner != current).

**What the verdicts mean.**  no-stale-linear-access: Xen never reads or writes a page table through what an update that has
returned overwrote (XSA-286).  linear-map-shows-tables: what it reads there is a page table, and not a page that the guest
writes to (XSA-401).  no-type-confusion: what it writes there is an L1 table in use.  no-stale-root-copy: so for the copy
that a guest runs on with XPTI.  foreign-updater-is-clean: who updates another domain's tables is not in its dirty_cpumask.

**What is left out.**  The guest's own accesses and its own flushes, superpages, the clock that filters the flush of
get_page_type (that is `xen-tlbflush-clock`), INVLPG, and sync_vcpu_execstate.  Interrupts are on in the context switch,
where Xen masks them: more interleavings, the same verdicts or worse.

**Sources.**  Xen commits 2d0557c5cb and 178c9c3991 (2009), 9d1d31ad94 (2018), 16a20963b3 and 055e1c3a3d (2020), edcfce5591,
bed7e6cad3 and cb199cc7de (2021), 8cc5036bc3 (2022, XSA-401); xen/arch/x86/mm.c, pv/mm.c, smp.c, flushtlb.c, domain.c and
x86_64/entry.S at 16a20963b3; the thread "x86/pv: Flush TLB in response to paging structure changes" (xen-devel, October
2020); Intel SDM volume 3A, 4.10.2 to 4.10.5 (TLBs, paging-structure caches, invalidation and its delay, other processors).
"""

import enum
from typing import Annotated, Optional

from flushproof.model.hardware import Cpu, FlushIpi, Tlb
from flushproof.model.hardware.costs import GUEST_EXITS, LOCAL_ALL
from flushproof.model.hardware.events import PAGE_RETYPED, UNMAP, VCPU_LOAD
from flushproof.model.hardware.xen_dirty_cpumask import Context, DirtyCpus, Scope
from flushproof.model.hardware.xen_linear_map import Access, LinearAccesses, LinearMap
from flushproof.model.hardware.xen_pages import RETYPE, Frame, PageType, Retype, TypedPages
from flushproof.model.hardware.xen_root_copy import RootCopies, RootFlush
from flushproof.model.language.declare import (
    Expect,
    Knob,
    Map,
    Policy,
    System,
    View,
    action,
    at,
    check,
    choose,
    cost,
    event,
    initially,
    invariant,
    occurs,
    process,
    reachable,
    require,
)


class Flush(enum.Enum):
    """When do_mmu_update flushes for an update of an upper level (flush_linear_pt).

    NEVER: as from 2009 to 2020.  ON_EXIT: only ask each CPU to copy its root table again when it returns to the guest.
    PER_BATCH: once, before the hypercall returns.  PER_ENTRY: after each entry of the batch.
    """

    NEVER = 0
    ON_EXIT = 1
    PER_BATCH = 2
    PER_ENTRY = 3


class Target(enum.Enum):
    """Which entries are flushed: all but those with the global bit, or all."""

    NON_GLOBAL = 0
    GLOBAL = 1


class Skip(enum.Enum):
    """Which updates are believed to need no flush.

    UNUSED: of a table whose type count says that nothing refers to it (edcfce5591).
    TOP: of the guest's top-level table (bed7e6cad3, where that is the L3 of a 32-bit guest).
    """

    NOTHING = 0
    UNUSED = 1
    TOP = 2


SKIP = ((Skip.UNUSED, Skip.NOTHING), (Skip.TOP, Skip.NOTHING))
"""Who skips less flushes more."""


class Call(enum.Enum):
    """What happens next on a CPU."""

    MMU_UPDATE = 0
    UPDATE_VA_MAPPING = 1
    RETYPE = 2
    SWITCH = 3
    RETURN = 4


class XenPvPaging(DirtyCpus, LinearAccesses, RootCopies, TypedPages, System):
    """Linear page tables of a Xen PV domain."""

    name = "xen-pv-paging"

    flush = Knob(Flush, Flush.PER_BATCH, "when do_mmu_update flushes the TLB after a change of an L2 or L4 entry", order="rising")
    scope = Knob(Scope, Scope.DIRTY, "which CPUs do_mmu_update flushes", order="rising")
    target = Knob(Target, Target.NON_GLOBAL, "whether the flush takes global entries too", order="rising")
    skip = Knob(Skip, Skip.NOTHING, "which updates are believed to need no flush", order=SKIP)
    root_flush = Knob(
        RootFlush, RootFlush.NEEDED, "who copies the root table again after a change of an L4 entry (XPTI)", order="rising"
    )
    access = Knob(Access, Access.MAPPED, "how UPDATE_VA_MAPPING writes the L1 entry")
    double_check = Knob(bool, True, "UPDATE_VA_MAPPING takes page_lock, which checks the type", order="rising")
    retype = Knob(Retype, Retype.TAKE_THEN_FLUSH, "when get_page_type flushes for a page that changes its type", order=RETYPE)
    set_first = Knob(bool, True, "a CPU is in dirty_cpumask before it loads the domain's CR3")
    clear_last = Knob(bool, True, "a CPU leaves dirty_cpumask after it has loaded another CR3")

    spare_local = Knob(bool, False, "this CPU is not flushed for an L4 that is not its root table", order="falling")
    sync_flushes = Knob(
        bool, False, "FLUSH_ROOT_PGTBL goes to other CPUs together with a flush of their TLBs (9d1d31ad94)", order="rising"
    )

    batches = Knob(bool, False, "an MMU_UPDATE has any number of entries rather than one", toggle=True)
    multicall = Knob(bool, True, "a multicall makes several hypercalls before it returns to the guest", toggle=True)
    retyping = Knob(bool, False, "pages change their types", toggle=True)
    xpti = Knob(bool, False, "the guest runs on a copy of its root table (XPTI)", toggle=True)
    own_roots = Knob(bool, False, "one vcpu has a root table of its own", toggle=True)
    lazy = Knob(bool, False, "CPUs go idle and keep the domain's CR3", toggle=True)
    foreign = Knob(bool, False, "other domains run, and update the domain's page tables (pt_owner != current->domain)", toggle=True)

    paging_structure_caches = Knob(bool, True, "cached upper entries are used for later walks (SDM 4.10.3)", toggle=True)
    pcid = Knob(bool, True, "PCID: TLB entries survive the CR3 writes of XPTI (SDM 4.10.1)", toggle=True)
    global_linear = Knob(
        bool, False, "what if upper entries, and so the linear map's, had the global bit, and a flush could leave them", toggle=True
    )

    in_guest: Annotated[Map[Cpu, bool], View("context", "in the guest")]
    interrupted: Map[Cpu, bool]
    l1_page: Map[Cpu, Optional[Frame]]
    scratch_cpumask: Map[Cpu, Cpu, bool]
    flush_tlb_flag: bool
    flush_root_flag: bool

    # ----------------------------------------------------------------------------------------------- what hardware caches

    upper = Tlb(tag=(), holds=(Frame,), walk=LinearMap.l4_entry, title="cache of L4 entries")
    lower = Tlb(tag=(), holds=(Frame,), walk=LinearMap.l2_entry)

    def flush_tlb(self, cpu):
        """FLUSH_TLB, or a CR3 write that flushes."""
        cost(LOCAL_ALL)
        if self.target == Target.GLOBAL or not self.global_linear:
            self.upper.drop_all(cpu)
            self.lower.drop_all(cpu)

    flush_ipi = FlushIpi()

    @action
    def invalidate_interrupt(self, cpu: Cpu):
        """{cpu} takes the flush interrupt: it flushes what the flags say, and acknowledges"""
        self.obey_flags(cpu)
        if self.xpti and self.executes_guest(cpu):
            self.in_guest[cpu] = False
            self.interrupted[cpu] = True
        self.flush_ipi.acknowledge(cpu)

    # ------------------------------------------------------------------------------------------------------ the beginning

    @initially
    def address_is_mapped(self):
        """A root table, an L2 table and an L1 table map the address; the other frames are free, all of one type."""
        root = choose(Frame)
        l2 = choose(Frame, where=lambda f: f != root)
        l1 = choose(Frame, where=lambda f: f != root and f != l2)
        other_root = choose(Frame, where=lambda f: f not in (l2, l1) and (f != root) == self.own_roots)
        its_cpu = choose(Cpu)
        spare = choose(Frame)
        spare_type = choose(PageType, where=lambda t: t != PageType.L4)
        free_type = choose(PageType, where=lambda t: t != PageType.L4)
        for f in Frame:
            top = f in (root, other_root)
            free = spare_type if f == spare else free_type
            self.type[f] = PageType.L4 if top else PageType.L2 if f == l2 else PageType.L1 if f == l1 else free
            self.pinned[f] = top or f == l2
            if f == l2:
                if self.own_roots:
                    self.refs[f] = 3
                else:
                    self.refs[f] = 2
            elif top or f == l1:
                self.refs[f] = 1
            self.entry[f] = l2 if top else l1 if f == l2 else None
        for cpu in Cpu:
            table = other_root if cpu == its_cpu else root
            self.guest_table[cpu] = table
            self.cr3[cpu] = table
            self.dirty_cpumask[cpu] = True
            self.in_guest[cpu] = True
            self.root_copy[cpu] = l2

    # ------------------------------------------------------------------------------------------------------ one CPU's life

    @process(Cpu)
    def hypercall(self, cpu):
        """the domain on {cpu}"""
        yield "Xen is entered: {call}"
        require(not self.interrupted[cpu])
        cost(GUEST_EXITS)
        call = choose(Call, where=lambda c: c != Call.RETURN)
        if call == Call.SWITCH:
            occurs(VCPU_LOAD)
            yield from self.context_switch(cpu)
            return
        self.in_guest[cpu] = not self.xpti
        while call != Call.RETURN:
            foreign = self.foreign and call == Call.MMU_UPDATE and self.context[cpu] == Context.AWAY
            require(self.context[cpu] == Context.RUNNING or foreign)
            if call == Call.MMU_UPDATE:
                occurs(UNMAP)
                yield from self.do_mmu_update(cpu)
            elif call == Call.UPDATE_VA_MAPPING:
                occurs(UNMAP)
                yield from self.update_va_mapping(cpu)
            else:
                require(self.retyping)
                occurs(PAGE_RETYPED)
                yield from self.get_page_type(cpu)
            if not (self.xpti and self.multicall):
                break
            yield "multicall: the next call"
            call = choose(Call, where=lambda c: c != Call.SWITCH)
        if self.xpti:
            yield "restore_all_guest"
            self.restore_all_guest(cpu)

    @action
    def returns_from_interrupt(self, cpu: Cpu):
        """{cpu} returns to the guest from the flush interrupt, by way of restore_all_guest"""
        require(self.interrupted[cpu])
        self.interrupted[cpu] = False
        self.restore_all_guest(cpu)

    # ---------------------------------------------------------------------------------------------------------- MMU_UPDATE

    def do_mmu_update(self, cpu):
        """A batch of updates of L4 and L2 entries, and the flush at its end."""
        flush_linear_pt = False
        spared = self.spare_local
        flush_root_pt_local = False
        flush_root_pt_others = False
        while True:
            table = choose(Frame)
            new = choose(Frame)
            require(self.type[table] in (PageType.L4, PageType.L2) and self.entry[table] != new)
            require(self.type[new] == (PageType.L2 if self.type[table] == PageType.L4 else PageType.L1))
            require(self.refs[table] > 0)
            self.page_lock(table)
            self.get_same_type(new)
            yield "update_intpte: write {new} into {table}"
            old = self.entry[table]
            self.entry[table] = new
            if old is not None:
                self.overwrote[cpu, table, old] = True
            yield "put_page_type: drop the old reference"
            local_in_use = self.context[cpu] == Context.RUNNING and self.guest_table[cpu] == table
            spared = spared and self.type[table] == PageType.L4 and not local_in_use
            flush_linear_pt = flush_linear_pt or self.must_flush(table)
            elsewhere = any(self.guest_table[c] == table for c in Cpu if c != cpu or not local_in_use)
            flush_root_pt_local = flush_root_pt_local or self.must_copy(table, local_in_use, RootFlush.LOCAL)
            flush_root_pt_others = flush_root_pt_others or self.must_copy(table, elsewhere, RootFlush.NEEDED)
            if old is not None:
                self.put_page_type(old)
            self.page_unlock(table)
            last_request = not self.batches or choose(bool)
            if last_request or self.flush == Flush.PER_ENTRY:
                tlb = flush_linear_pt and self.flush != Flush.ON_EXIT
                copies = flush_linear_pt and self.flush == Flush.ON_EXIT
                local, others = flush_root_pt_local or copies, flush_root_pt_others or copies
                yield from self.flush_dirty(cpu, self.scope, tlb, spared, local, others)
            if last_request:
                break
            yield "do_mmu_update: the next entry of the batch"
        self.overwrote[cpu, ...] = False

    def must_flush(self, table):
        """Whether an update of this table, whose page_lock is still held, sets flush_linear_pt."""
        unused = not self.hooked(table) and all(self.guest_table[c] != table for c in Cpu)
        skipped = (self.skip == Skip.UNUSED and unused) or (self.skip == Skip.TOP and self.type[table] == PageType.L4)
        return self.flush != Flush.NEVER and not skipped

    # --------------------------------------------------------------------------------------------------------- properties

    @event
    def guest_walk(self, cpu: Cpu, table: Frame):
        """the guest on {cpu} uses the copy of its root table, which leads to {table}"""
        require(self.xpti and self.executes_guest(cpu) and self.root_copy[cpu] == table)
        root = self.guest_table[cpu]
        check(
            "no-stale-root-copy",
            root is not None and self.permitted(root, table),
            "The L4 entry that leads to {table} was overwritten, and the update has returned.",
        )

    @invariant(because="{cpu} does not run the domain whose tables it updates, and yet is in its dirty_cpumask.")
    def foreign_updater_is_clean(self):
        """As the thread has it: if pt_owner != current->domain, its dirty_cpumask cannot have this CPU's bit set."""
        return all(
            not self.dirty_cpumask[cpu]
            for cpu in Cpu
            if self.context[cpu] == Context.AWAY
            and at(self.hypercall, cpu, "update_intpte: write {new} into {table}", "put_page_type: drop the old reference")
        )

    @reachable
    def a_cached_entry_is_old(self):
        """A TLB holds an entry of the root table that was overwritten."""
        return any(
            self.upper.entry[c, f] and root is not None and self.entry[root] != f
            for c in Cpu
            for f in Frame
            for root in (self.cr3[c],)
        )

    @reachable
    def an_l1_entry_is_written(self):
        """UPDATE_VA_MAPPING gets as far as the write."""
        return any(self.l1_page[c] is not None for c in Cpu)

    @reachable
    def two_updates_at_once(self):
        """Two tables are locked: by two CPUs, unless there is but one."""
        return all(a == b for a in Cpu for b in Cpu) or any(
            self.locked[a] and self.locked[b] for a in Frame for b in Frame if a != b
        )

    policies = {
        "2009": Policy(
            "2009 to 2020 (178c9c3991): no flush; the linear map is used, and the L1 page's type checked again",
            {"flush": Flush.NEVER, "retype": Retype.FLUSH_THEN_TAKE}, "no-stale-linear-access",
            also=(
                Expect("no-stale-linear-access", sizes={"cpu": 1}),
                Expect("no-stale-linear-access", {"paging_structure_caches": False}),
                Expect("no-stale-linear-access", {"xpti": True, "pcid": False}, {"cpu": 1, "frame": 4}),
            ),
        ),
        "2018": Policy(
            "2018 to 2020 with XPTI (9d1d31ad94): no flush but of the other CPUs that use an L4 table that changed",
            {"flush": Flush.NEVER, "retype": Retype.FLUSH_THEN_TAKE, "xpti": True, "sync_flushes": True}, "no-stale-linear-access",
            also=(Expect("no-stale-linear-access", sizes={"cpu": 1, "frame": 4}),),
        ),
        "per-batch": Policy(
            "2020 (16a20963b3), with 8cc5036bc3 of 2022: flush dirty_cpumask before the hypercall returns",
            {}, "holds",
            also=(
                Expect("holds", {"batches": True}, {"frame": 4}),
                Expect("holds", {"retyping": True}, {"frame": 4}),
                Expect("holds", {"lazy": True}),
                Expect("holds", {"foreign": True}),
                Expect("holds", {"xpti": True}, {"frame": 4}),
                Expect("holds", {"xpti": True, "pcid": False}, {"frame": 4}),
                Expect("holds", {"xpti": True, "own_roots": True}),
                Expect("holds", {"xpti": True, "lazy": True, "foreign": True}, {"frame": 4}),
                Expect("holds", {"paging_structure_caches": False}),
                Expect("no-stale-linear-access", {"global_linear": True}),
            ),
        ),
        "xsa-401": Policy(
            "2020 (16a20963b3) as it was until 2022: get_page_type flushes before it takes the page (XSA-401)",
            {"retype": Retype.FLUSH_THEN_TAKE, "retyping": True}, "linear-map-shows-tables",
            also=(Expect("holds", {"retyping": False}),),
        ),
        "per-entry": Policy(
            "flush after each entry of a batch",
            {"flush": Flush.PER_ENTRY}, "holds", also=(Expect("holds", {"batches": True}, {"frame": 4}),),
        ),
        "exit-resync": Policy(
            "only have root tables copied again on the way to the guest, where CR3 is written anyway (XPTI)",
            {"flush": Flush.ON_EXIT, "xpti": True, "pcid": False}, "no-stale-linear-access",
            also=(
                Expect("no-stale-linear-access", sizes={"cpu": 1}),
                Expect("no-stale-linear-access", {"multicall": False}),
                Expect("holds", {"multicall": False}, {"cpu": 1}),
                Expect("no-stale-linear-access", {"multicall": False, "pcid": True}, {"cpu": 1}),
            ),
        ),
        "skip-unused": Policy(
            "edcfce5591 (2021): no flush for a table whose type count says that nothing refers to it",
            {"skip": Skip.UNUSED}, "no-stale-linear-access",
            also=(Expect("holds", sizes={"cpu": 1}), Expect("holds", {"batches": True}, {"cpu": 1})),
        ),
        "skip-top": Policy(
            "bed7e6cad3 (2021): no flush for the guest's top-level table",
            {"skip": Skip.TOP}, "no-stale-linear-access", also=(Expect("no-stale-linear-access", sizes={"cpu": 1}),),
        ),
        "local-only": Policy(
            "flush this CPU only",
            {"scope": Scope.LOCAL}, "no-stale-linear-access",
            also=(Expect("holds", sizes={"cpu": 1}), Expect("no-stale-linear-access", {"foreign": True})),
        ),
        "all-cpus": Policy(
            "flush all CPUs rather than those in dirty_cpumask",
            {"scope": Scope.ALL}, "holds", also=(Expect("holds", {"lazy": True, "foreign": True}, {"frame": 4}),),
        ),
        "global": Policy(
            "FLUSH_TLB_GLOBAL, as 9d1d31ad94 had it for XPTI",
            {"target": Target.GLOBAL}, "holds", also=(Expect("holds", {"global_linear": True}),),
        ),
        "local-in-use": Policy(
            "per-batch, but this CPU is flushed only for levels below 4 and for an L4 that it uses: disputed in the thread",
            {"spare_local": True}, "holds",
            also=(
                Expect("holds", {"batches": True, "lazy": True, "foreign": True}, {"frame": 4}),
                Expect("holds", {"retyping": True}, {"frame": 4}),
                Expect("holds", {"xpti": True, "own_roots": True}),
                Expect("holds", {"xpti": True, "lazy": True, "foreign": True}, {"frame": 4}),
            ),
        ),
        "write-through": Policy(
            "per-batch, but the L1 entry is written through the linear map, as until 2d0557c5cb (2009)",
            {"access": Access.LINEAR}, "no-type-confusion", also=(Expect("holds", sizes={"cpu": 1}),),
        ),
        "root-nobody": Policy(
            "per-batch, without FLUSH_ROOT_PGTBL (XPTI)",
            {"xpti": True, "root_flush": RootFlush.NOBODY}, "no-stale-root-copy",
        ),
        "root-local": Policy(
            "per-batch, with FLUSH_ROOT_PGTBL for this CPU alone (XPTI)",
            {"xpti": True, "root_flush": RootFlush.LOCAL}, "no-stale-root-copy", also=(Expect("holds", sizes={"cpu": 1}),),
        ),
        "root-everywhere": Policy(
            "per-batch, with FLUSH_ROOT_PGTBL for every CPU and every level (XPTI): redundant",
            {"xpti": True, "root_flush": RootFlush.EVERYWHERE}, "holds",
        ),
    }
