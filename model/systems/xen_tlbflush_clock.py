"""Xen's TLB flush clock: not flushing a CPU that has flushed since a page was last used (XSA-241, XSA-401).

**The mechanism.**  A PV guest may not keep a writable mapping of a page that becomes a page table, not even in a TLB.  So
Xen flushes when a page changes its type, but only those CPUs that have not flushed since the page's last type reference was
dropped.  It tells them by a logical clock: every TLB flush on any CPU ticks `tlbflush_clock` and notes the value in that
CPU's `tlbflush_time`; whoever drops the last reference notes the clock in the page's `tlbflush_timestamp`; a CPU needs the
flush unless its time is later than the page's stamp.  When the clock wraps to 0 it stands still until all CPUs have
flushed, and starts again.

**What is modelled.**  Pages with a type, a type count and the validated bit; each CPU maps a page (reference, then PTE),
unmaps it (PTE, then reference), flushes its TLB at any time (a CR3 write, a guest's request), and makes an unused page a
page table.  A TLB may hold a mapping from the moment its PTE is there until the CPU flushes; nobody flushes for unmapping:
that is the guest's business, and the guest is not trusted.  A flush is three steps with interrupts off; other CPUs are
flushed by an interrupt that waits for them, whose handler is a process of its own: what it interrupts stands still meanwhile
(`execution`).  _put_page_type reads the clock, stores the stamp and changes the count in three steps.

**What the verdict means.**  no-writable-page-table: once a page is a page table, no CPU writes to it through an old TLB entry.

**What is left out.**  Xen as a guest of another hypervisor, which flushes other CPUs by a hypercall in place of an interrupt
(hypervisor_flush_tlb).  That pages are freed and allocated again (the same stamp, filtered in the same way).  The opposite
change, from a page table to a writable page, is one step: read-only mappings break nothing here. tlbflush_filter looks at
all CPUs in one step; all of them run the domain.  Several references to a page by one CPU.  The clock has 2 bits instead of
32 (10 in debug builds of Xen): what matters is that it wraps, and that there are times before and after.

**The toggles `prompt` and `sti_shadow`.**  With `prompt=on` no other CPU flushes, maps the page, writes to it and unmaps it
between the few instructions of _put_page_type, unless a flush interrupt comes in between; `off`, the default, makes no
assumption about time: the CPU may be a virtual one, or be held by an SMI.  An interrupt may take any time, from its being sent to
the next instruction of what it interrupted: x86 promises no bound, and what else waits in the local APIC is taken before that
instruction.  With 2 CPUs the sender uses it, once the handler has acknowledged; with 3 another one does, while the handler
executes.  With `sti_shadow=on` no interrupt comes between the stamp and the cmpxchg: STI delays interrupts by one instruction,
and whether that is the cmpxchg is up to the compiler.

**The toggle `tso`.**  Release builds write PTEs by a plain store, and _put_page_type loads the clock before its first locked
instruction, so that the load may pass the store that cleared a PTE (`store_buffers`).  With `tso=on` that store becomes visible
with the CPU's next locked or serializing instruction: the cmpxchg of the count, the tick, the CR3 write of a flush; with
`prompt=on` too, for it is the cmpxchg itself that waits.

**Sources.**  Xen commits 23a183607a (2017, XSA-241) and 8cc5036bc3 (2022, XSA-401); xen/arch/x86/flushtlb.c, smp.c, mm.c
(_put_page_type, _get_page_type) and include/asm-x86/flushtlb.h at 16a20963b3; Intel SDM volume 3A, 4.10.4 (what a flush
invalidates), 8.2.3.4 and 8.2.5 (loads that pass stores, and what orders them).
"""

import enum
from typing import Annotated, Optional

from flushproof.model.hardware import Cpu, Execution, FlushIpi, Page, Tlb
from flushproof.model.hardware.costs import LOCAL_ALL
from flushproof.model.hardware.events import FLUSH_REQUEST, MAP, PAGE_RETYPED, ROLLOVER, UNMAP, VCPU_LOAD
from flushproof.model.hardware.store_buffers import StoreBuffers
from flushproof.model.language.declare import (
    Expect,
    Knob,
    Map,
    Policy,
    Range,
    System,
    View,
    at,
    check,
    choose,
    cost,
    event,
    initially,
    occurs,
    process,
    reachable,
    require,
    size,
)

WRAP_MASK = 3


class PageType(enum.Enum):
    """What Xen lets the guest use a page as."""

    WRITABLE = 0
    TABLE = 1


class Stamp(enum.Enum):
    """Whether interrupts are off from reading the clock to storing the stamp (since XSA-241)."""

    IRQS_ON = 0
    IRQS_OFF = 1


class Drop(enum.Enum):
    """How _put_page_type drops the last reference to a writable page.

    STAMP_THEN_DROP: store the stamp, then change the count if it is still 1, as Xen does.
    INVALIDATE_FIRST: clear the validated bit first, so that no new reference can be taken, as Xen does for page tables.
    """

    STAMP_THEN_DROP = 0
    INVALIDATE_FIRST = 1


class Retype(enum.Enum):
    """Whether _get_page_type flushes before it takes the page for the new type (until XSA-401), or after it."""

    FLUSH_THEN_TAKE = 0
    TAKE_THEN_FLUSH = 1


class Order(enum.Enum):
    """Whether something happens before or after the hardware's flush."""

    BEFORE = 0
    AFTER = 1


class Wrap(enum.Enum):
    """What new_tlbflush_clock_period does: restart the clock only, restart it and flush, or flush and restart it."""

    RESTART = 0
    RESTART_THEN_FLUSH = 1
    FLUSH_THEN_RESTART = 2


WRAP = ((Wrap.RESTART, Wrap.RESTART_THEN_FLUSH), (Wrap.RESTART, Wrap.FLUSH_THEN_RESTART))
"""A flush is more than none; when it is best is another question."""


class Work(enum.Enum):
    """What a CPU does next."""

    MAP = 0
    UNMAP = 1
    MAKE_TABLE = 2
    FREE_TABLE = 3
    FLUSH = 4
    FLUSH_ALL = 5
    NEW_PERIOD = 6


class XenTlbflushClock(StoreBuffers, System):
    """The clock that tells which CPUs need no flush when a page changes its type."""

    name = "xen-tlbflush-clock"
    sizes = {Page: 1}

    filter = Knob(bool, True, "CPUs that have flushed since are not flushed (off: tlb_clk_enabled = false)", order="falling")
    stamp = Knob(Stamp, Stamp.IRQS_OFF, "interrupts while a page is stamped", order="rising")
    drop = Knob(Drop, Drop.STAMP_THEN_DROP, "how the last reference to a writable page is dropped")
    retype = Knob(Retype, Retype.TAKE_THEN_FLUSH, "when a page is taken for a new type, and when the flush is")
    tick = Knob(Order, Order.BEFORE, "when the clock ticks: before or after the TLB is flushed (pre_flush)")
    note = Knob(Order, Order.AFTER, "when the CPU's time is noted: before or after the TLB is flushed (post_flush)")
    wrap = Knob(Wrap, Wrap.FLUSH_THEN_RESTART, "what happens when the clock has wrapped", order=WRAP)
    or_equal = Knob(bool, True, "NEED_FLUSH: a CPU whose time equals the stamp is flushed", order="rising")
    zero_check = Knob(bool, True, "NEED_FLUSH: every CPU is flushed while the clock is 0", order="rising")
    period_check = Knob(
        bool, True, "NEED_FLUSH: no CPU is flushed for a stamp later than the clock, which is of an earlier period", order="falling"
    )
    requests = Knob(bool, False, "the guest asks for flushes of all CPUs, at any time", toggle=True)
    prompt = Knob(bool, False, "no other CPU gets far between a stamp and what follows it, but for an interrupt", toggle=True)
    sti_shadow = Knob(
        bool, False, "the cmpxchg is the instruction after the STI that ends the stamp: no interrupt in between", toggle=True
    )
    tso = Knob(bool, False, "a PTE that was cleared waits in the CPU's store buffer, and loads pass it (SDM 8.2.3.4)", toggle=True)
    writes_in_flush = Knob(bool, False, "something writes through the guest's mapping while a CPU flushes", toggle=True)

    tlbflush_clock: Annotated[int, Range(0, WRAP_MASK)]
    tlbflush_time: Map[Cpu, Annotated[int, Range(0, WRAP_MASK)]]
    tlbflush_timestamp: Map[Page, Annotated[int, Range(0, WRAP_MASK)]]
    type: Map[Page, PageType]
    refs: Map[Page, Annotated[int, Range(0, size(Cpu))]]
    validated: Map[Page, bool]
    pte: Annotated[Map[Cpu, Page, bool], View("table", "page table")]

    store_buffer: Map[Cpu, Optional[Page]]
    cpus = Execution()
    softirq: Map[Cpu, bool]
    mask: Map[Cpu, Cpu, bool]
    flush_ipi = FlushIpi()

    def mapped(self, cpu, page):
        """Whether a writable mapping of the page is in the tables, which all CPUs walk."""
        return any(self.pte[c, page] for c in Cpu)

    tlb = Tlb(tag=(), holds=(Page,), walk=mapped)

    @initially
    def first_period(self):
        """The clock shows 1; pages are writable, and nobody has mapped one."""
        self.tlbflush_clock = 1
        for page in Page:
            self.validated[page] = True

    # ----------------------------------------------------------------------------------------------------------- flushing

    def do_tick(self, cpu):
        """The clock ticks, unless it stands still at 0; who makes it wrap will start the new period."""
        if self.tlbflush_clock == WRAP_MASK:
            self.softirq[cpu] = True
            self.tlbflush_clock = 0
        elif self.tlbflush_clock != 0:
            self.tlbflush_clock = self.tlbflush_clock + 1

    def do_tlb_flush(self, cpu):
        """Flush the TLB of this CPU with interrupts off."""
        yield "pre_flush: tick the clock"
        with self.cpus.irqs_disabled(cpu):
            yield from self.flush(cpu)

    @process(Cpu)
    def invalidate_interrupt(self, cpu):
        """the flush interrupt on {cpu}"""
        yield "pre_flush: tick the clock"
        with self.cpus.hardirq(cpu):
            require(self.flush_ipi.flush_cpumask[cpu])
            yield from self.flush(cpu)
            self.flush_ipi.acknowledge(cpu)

    def flush(self, cpu):
        """Tick, flush, note the time."""
        if self.tlbflush_clock != 0:
            self.drain(cpu)
        if self.tick == Order.BEFORE:
            self.do_tick(cpu)
        time = self.tlbflush_clock
        if self.note == Order.BEFORE:
            self.tlbflush_time[cpu] = time
        yield "flush the TLB"
        cost(LOCAL_ALL)
        self.drain(cpu)
        self.tlb.drop_all(cpu)
        yield "post_flush: note the time"
        if self.tick == Order.AFTER:
            self.do_tick(cpu)
            time = self.tlbflush_clock
        if self.note == Order.AFTER:
            self.tlbflush_time[cpu] = time

    def flush_mask(self, cpu):
        """Flush the CPUs of the mask, and wait until they have flushed."""
        if self.mask[cpu, cpu]:
            yield from self.do_tlb_flush(cpu)
            self.mask[cpu, cpu] = False
        yield from self.flush_ipi.flush(cpu, self.mask)
        self.mask[cpu, :] = False

    def need_flush(self, cpu, page):
        """NEED_FLUSH(tlbflush_time[cpu], page->tlbflush_timestamp): the CPU may not have flushed since the stamp."""
        time = self.tlbflush_time[cpu]
        stamp = self.tlbflush_timestamp[page]
        not_since = time < stamp or (self.or_equal and time == stamp)
        this_period = stamp <= self.tlbflush_clock or not self.period_check
        return not self.filter or (self.zero_check and self.tlbflush_clock == 0) or (not_since and this_period)

    # ------------------------------------------------------------------------------------------------------ one CPU's life

    @process(Cpu)
    def xen(self, cpu):
        """Xen on {cpu}"""
        yield "Xen is entered: {work}"
        with self.cpus.task(cpu):
            work = choose(Work)
            if work == Work.FLUSH:
                occurs(VCPU_LOAD)
                yield from self.do_tlb_flush(cpu)
            elif work == Work.FLUSH_ALL:
                require(self.requests)
                occurs(FLUSH_REQUEST)
                self.mask[cpu, :] = True
                yield from self.flush_mask(cpu)
            elif work == Work.NEW_PERIOD:
                require(self.softirq[cpu])
                occurs(ROLLOVER)
                yield from self.new_tlbflush_clock_period(cpu)
            else:
                page = choose(Page)
                if work == Work.MAP:
                    require(self.type[page] == PageType.WRITABLE and self.validated[page] and not self.pte[cpu, page])
                    occurs(MAP)
                    self.refs[page] = self.refs[page] + 1
                    yield "mod_l1_entry: write the PTE"
                    self.pte[cpu, page] = True
                elif work == Work.UNMAP:
                    require(self.pte[cpu, page])
                    occurs(UNMAP)
                    self.clear_pte(cpu, page)
                    yield from self.put_page_type(cpu, page)
                elif work == Work.MAKE_TABLE:
                    require(self.type[page] == PageType.WRITABLE and self.refs[page] == 0)
                    occurs(PAGE_RETYPED)
                    yield from self.get_table_type(cpu, page)
                else:
                    require(self.is_table(page))
                    occurs(PAGE_RETYPED)
                    self.tlbflush_timestamp[page] = self.tlbflush_clock
                    self.type[page] = PageType.WRITABLE
                    self.refs[page] = 0

    def new_tlbflush_clock_period(self, cpu):
        """The softirq of the CPU that made the clock wrap: it has flushed, and now flushes all others."""
        self.softirq[cpu] = False
        if self.wrap == Wrap.RESTART_THEN_FLUSH:
            self.tlbflush_clock = 1
        if self.wrap != Wrap.RESTART:
            for c in Cpu:
                self.mask[cpu, c] = c != cpu
            yield from self.flush_mask(cpu)
        if self.wrap != Wrap.RESTART_THEN_FLUSH:
            yield "new_tlbflush_clock_period: restart the clock"
            self.tlbflush_clock = 1

    def put_page_type(self, cpu, page):
        """Drop a reference to a writable page; with the last one goes a stamp."""
        while True:
            yield "_put_page_type: look at the count; the last one reads the clock"
            if self.refs[page] != 1:
                self.drain(cpu)
                self.refs[page] = self.refs[page] - 1
                return
            if self.drop == Drop.INVALIDATE_FIRST:
                self.drain(cpu)
                self.validated[page] = False
                yield "_put_page_type: read the clock, with the page invalidated"
            stamp = self.tlbflush_clock
            interrupted = self.stamp == Stamp.IRQS_ON and self.flush_ipi.flush_cpumask[cpu]
            passed = self.store_buffer[cpu] is not None
            if interrupted or passed or not self.prompt:
                if self.stamp == Stamp.IRQS_OFF:
                    self.cpus.local_irq_disable(cpu)
                yield "set_tlbflush_timestamp: store the stamp"
                require(not (self.prompt and self.flush_ipi.flush_cpumask[cpu] and not self.cpus.irqs_off[cpu]))
                self.cpus.local_irq_enable(cpu)
            self.tlbflush_timestamp[page] = stamp
            shadowed = self.stamp == Stamp.IRQS_OFF and self.sti_shadow
            if not self.prompt or (self.flush_ipi.flush_cpumask[cpu] and not shadowed):
                yield "_put_page_type: cmpxchg the count"
                require(not (self.prompt and self.flush_ipi.flush_cpumask[cpu]))
            self.drain(cpu)
            if self.refs[page] == 1:
                self.refs[page] = 0
                self.validated[page] = True
                return

    def get_table_type(self, cpu, page):
        """The page becomes a page table, once no CPU is believed to have a writable mapping of it."""
        if self.retype == Retype.TAKE_THEN_FLUSH:
            self.refs[page] = 1
            self.type[page] = PageType.TABLE
            self.validated[page] = False
        yield "tlbflush_filter: choose whom to flush"
        for c in Cpu:
            self.mask[cpu, c] = self.need_flush(c, page)
        yield from self.flush_mask(cpu)
        yield "_get_page_type: the page is a page table"
        if self.retype == Retype.TAKE_THEN_FLUSH:
            self.validated[page] = True
        elif self.type[page] == PageType.WRITABLE and self.refs[page] == 0:
            self.refs[page] = 1
            self.type[page] = PageType.TABLE

    # --------------------------------------------------------------------------------------------------------- properties

    @event
    def write(self, cpu: Cpu, page: Page):
        """{cpu} writes to {page} through a mapping in its TLB"""
        require(self.tlb.entry[cpu, page])
        require(self.writes_in_flush or (self.cpus.takes_irqs(cpu) and self.cpus.not_in_interrupt(cpu)))
        check("no-writable-page-table", not self.is_table(page), "{page} is a page table, which only Xen may write to.")

    def is_table(self, page):
        return self.type[page] == PageType.TABLE and self.validated[page]

    @reachable
    def a_page_table(self):
        """A page that some CPU could once write to is a page table."""
        return any(self.is_table(p) and self.tlbflush_timestamp[p] != 0 for p in Page)

    @reachable
    def a_flush_is_spared(self):
        """A page becomes a page table without a flush of every CPU."""
        return not self.filter or any(
            at(self.xen, c, "tlbflush_filter: choose whom to flush")
            and self.tlbflush_timestamp[p] != 0
            and not self.need_flush(c, p)
            for c in Cpu
            for p in Page
        )

    @reachable
    def the_clock_stands_still(self):
        """The clock has wrapped, and the CPU that made it wrap has not got to it yet."""
        return self.tlbflush_clock == 0

    @reachable
    def the_clock_runs_again(self):
        """A new period has begun: all have flushed, and a page has its stamp from the one before."""
        return self.tlbflush_clock != 0 and any(self.tlbflush_timestamp[p] > self.tlbflush_clock for p in Page)

    policies = {
        "before-xsa-241": Policy(
            "until 2017: an interrupt may come between reading the clock and storing the stamp",
            {"stamp": Stamp.IRQS_ON}, "no-writable-page-table",
            also=(
                Expect("no-writable-page-table", {"prompt": True, "requests": True}),
                Expect("no-writable-page-table", {"prompt": True, "requests": True, "sti_shadow": True}),
            ),
        ),
        "xsa-241": Policy(
            "23a183607a (2017), with 8cc5036bc3 (2022): interrupts are off while a page is stamped",
            {}, "no-writable-page-table",
            also=(
                Expect("no-writable-page-table", {"prompt": True, "requests": True}),
                Expect("holds", {"prompt": True, "requests": True, "sti_shadow": True}),
                Expect("no-writable-page-table", {"prompt": True, "sti_shadow": True, "tso": True}),
            ),
        ),
        "xsa-241-retype": Policy(
            "23a183607a (2017) as it was until 2022: the flush comes before the page is taken (XSA-401)",
            {"retype": Retype.FLUSH_THEN_TAKE}, "no-writable-page-table",
            also=(Expect("no-writable-page-table", {"prompt": True}),),
        ),
        "invalidate-first": Policy(
            "writable pages are dropped as page tables are: no new reference while the stamp is set",
            {"drop": Drop.INVALIDATE_FIRST}, "holds",
            also=(
                Expect("holds", {"prompt": True}),
                Expect("holds", {"stamp": Stamp.IRQS_ON}),
                Expect("holds", {"tso": True}),
                Expect("holds", {"tso": True, "prompt": True, "requests": True}),
                Expect("holds", {"tso": True, "stamp": Stamp.IRQS_ON}),
            ),
        ),
        "no-filter": Policy(
            "without the clock: every change of type flushes all CPUs",
            {"filter": False}, "holds",
            also=(Expect("holds", {"stamp": Stamp.IRQS_ON}), Expect("holds", {"tso": True, "prompt": True, "requests": True})),
        ),
    }
