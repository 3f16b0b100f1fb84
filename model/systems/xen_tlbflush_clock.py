"""Xen's TLB flush clock: skipping the flush of a CPU that has flushed since a page was last used."""

import enum
from typing import Annotated

from flushproof.model.hardware.flush_ipi import FlushIpi
from flushproof.model.hardware.sorts import Cpu, Page
from flushproof.model.hardware.tlb import Tlb
from flushproof.model.language.declare import (
    Knob,
    Map,
    Policy,
    Range,
    System,
    check,
    choose,
    event,
    initially,
    process,
    require,
)

WRAP_MASK = 3


class PageType(enum.Enum):
    """What the page is in use as."""

    WRITABLE = 0
    TABLE = 1


class Stamp(enum.Enum):
    """How _put_page_type sets the page's stamp when it drops the last reference."""

    IRQS_ON = 0
    IRQS_OFF = 1


class Drop(enum.Enum):
    """How _put_page_type drops the last reference."""

    STAMP_THEN_DROP = 0
    INVALIDATE_FIRST = 1


class Retype(enum.Enum):
    """When _get_page_type flushes"""

    FLUSH_THEN_TAKE = 0
    TAKE_THEN_FLUSH = 1


class Order(enum.Enum):
    """When a flush does it"""

    BEFORE = 0
    AFTER = 1


class Wrap(enum.Enum):
    """What happens when the clock wraps."""

    IGNORED = 0
    RESTART_THEN_FLUSH = 1
    FLUSH_THEN_RESTART = 2


class Work(enum.Enum):
    """What a CPU does next."""

    MAP = 0
    UNMAP = 1
    MAKE_TABLE = 2
    FREE_TABLE = 3
    FLUSH = 4
    NEW_PERIOD = 5


class XenTlbflushClock(System):
    """tlbflush_clock."""

    name = "xen-tlbflush-clock"

    stamp = Knob(Stamp, Stamp.IRQS_OFF, "stamp")
    drop = Knob(Drop, Drop.INVALIDATE_FIRST, "drop")
    retype = Knob(Retype, Retype.TAKE_THEN_FLUSH, "retype")
    tick_when = Knob(Order, Order.BEFORE, "the clock ticks before or after the TLB is flushed")
    stamp_when = Knob(Order, Order.AFTER, "the CPU's time is set before or after")
    wrap = Knob(Wrap, Wrap.FLUSH_THEN_RESTART, "wrap")
    strict = Knob(bool, False, "NEED_FLUSH uses < rather than <=")
    zero_check = Knob(bool, True, "NEED_FLUSH says yes while the clock is 0")
    period_check = Knob(bool, True, "NEED_FLUSH says no when the stamp is of the last period")

    sizes = {Page: 1}

    tlbflush_clock: Annotated[int, Range(0, WRAP_MASK)]
    tlbflush_time: Map[Cpu, Annotated[int, Range(0, WRAP_MASK)]]
    tlbflush_timestamp: Map[Page, Annotated[int, Range(0, WRAP_MASK)]]
    type: Map[Page, PageType]
    refs: Map[Page, Annotated[int, Range(0, 4)]]
    validated: Map[Page, bool]
    pte: Map[Cpu, Page, bool]
    irqs_off: Map[Cpu, bool]
    in_handler: Map[Cpu, bool]
    softirq: Map[Cpu, bool]
    mask: Map[Cpu, Cpu, bool]
    flush_ipi = FlushIpi()

    def mapped(self, cpu, page):
        """A writable mapping of the page is in the tables, which all CPUs share."""
        return any(self.pte[c, page] for c in Cpu)

    tlb = Tlb(tag=(), holds=(Page,), walk=mapped)

    @initially
    def clock_runs(self):
        self.tlbflush_clock = 1
        for page in Page:
            self.validated[page] = True

    # ------------------------------------------------------------------------------------------------------ flushing

    def tick(self, cpu):
        """pre_flush: the clock's new value, unless it stands still at 0."""
        if self.tlbflush_clock == WRAP_MASK:
            self.softirq[cpu] = True
            self.tlbflush_clock = 0
        elif self.tlbflush_clock != 0:
            self.tlbflush_clock = self.tlbflush_clock + 1

    def do_tlb_flush(self, cpu):
        """Flush this CPU, with interrupts off."""
        yield "pre_flush: tick the clock, with interrupts off"
        require(not self.in_handler[cpu])
        self.irqs_off[cpu] = True
        if self.tick_when == Order.BEFORE:
            self.tick(cpu)
        time = self.tlbflush_clock
        yield "flush the TLB"
        if self.stamp_when == Order.BEFORE:
            self.tlbflush_time[cpu] = time
        self.tlb.drop_all(cpu)
        yield "post_flush: note the time"
        if self.tick_when == Order.AFTER:
            self.tick(cpu)
        if self.stamp_when == Order.AFTER:
            self.tlbflush_time[cpu] = time
        self.irqs_off[cpu] = False

    @process(Cpu)
    def invalidate_interrupt(self, cpu):
        """the flush interrupt on {cpu}"""
        yield "the flush interrupt: tick the clock"
        require(self.flush_ipi.pending[cpu] and not self.irqs_off[cpu])
        self.in_handler[cpu] = True
        if self.tick_when == Order.BEFORE:
            self.tick(cpu)
        time = self.tlbflush_clock
        yield "the flush interrupt: flush the TLB"
        if self.stamp_when == Order.BEFORE:
            self.tlbflush_time[cpu] = time
        self.tlb.drop_all(cpu)
        yield "the flush interrupt: note the time, and acknowledge"
        if self.tick_when == Order.AFTER:
            self.tick(cpu)
        if self.stamp_when == Order.AFTER:
            self.tlbflush_time[cpu] = time
        self.flush_ipi.acknowledge(cpu)
        self.in_handler[cpu] = False

    def need_flush(self, cpu, page):
        """NEED_FLUSH(tlbflush_time[cpu], page->tlbflush_timestamp)"""
        clock = self.tlbflush_clock
        stamp = self.tlbflush_timestamp[page]
        time = self.tlbflush_time[cpu]
        not_since = time < stamp or (time == stamp and not self.strict)
        return (self.zero_check and clock == 0) or (not_since and (stamp <= clock or not self.period_check))

    def flush_mask(self, cpu):
        """Flush the CPUs of the mask."""
        if self.mask[cpu, cpu]:
            yield from self.do_tlb_flush(cpu)
            self.mask[cpu, cpu] = False
        if any(self.mask[cpu, c] for c in Cpu if c != cpu):
            yield "take flush_lock and interrupt the others"
            require(not self.in_handler[cpu])
            self.flush_ipi.send(cpu, self.mask)
            yield "wait until they have flushed"
            require(not self.in_handler[cpu])
            self.flush_ipi.wait(cpu)
            self.mask[cpu, :] = False

    # ------------------------------------------------------------------------------------------------------ a CPU

    @process(Cpu)
    def xen(self, cpu):
        """Xen on {cpu}"""
        yield "the guest runs"
        require(not self.in_handler[cpu])
        work = choose(Work)
        if work == Work.FLUSH:
            yield from self.do_tlb_flush(cpu)
        elif work == Work.NEW_PERIOD:
            require(self.softirq[cpu])
            self.softirq[cpu] = False
            if self.wrap == Wrap.RESTART_THEN_FLUSH:
                self.tlbflush_clock = 1
            if self.wrap != Wrap.IGNORED:
                for c in Cpu:
                    self.mask[cpu, c] = c != cpu
                yield from self.flush_mask(cpu)
            if self.wrap != Wrap.RESTART_THEN_FLUSH:
                yield "new_tlbflush_clock_period: the clock starts again"
                require(not self.in_handler[cpu])
                self.tlbflush_clock = 1
        else:
            page = choose(Page)
            if work == Work.MAP:
                require(self.type[page] == PageType.WRITABLE and self.validated[page] and not self.pte[cpu, page])
                self.refs[page] = self.refs[page] + 1
                yield "write the PTE"
                require(not self.in_handler[cpu])
                self.pte[cpu, page] = True
            elif work == Work.UNMAP:
                require(self.pte[cpu, page])
                self.pte[cpu, page] = False
                yield from self.put_page_type(cpu, page)
            elif work == Work.MAKE_TABLE:
                require(self.type[page] == PageType.WRITABLE and self.refs[page] == 0)
                yield from self.get_table_type(cpu, page)
            else:
                require(self.type[page] == PageType.TABLE and self.validated[page])
                self.tlbflush_timestamp[page] = self.tlbflush_clock
                self.type[page] = PageType.WRITABLE
                self.refs[page] = 0

    def put_page_type(self, cpu, page):
        """Drop a reference to a writable page."""
        dropped = False
        while not dropped:
            yield "_put_page_type: look at the count, and read the clock for the last reference"
            require(not self.in_handler[cpu])
            if self.refs[page] != 1:
                self.refs[page] = self.refs[page] - 1
                return
            if self.drop == Drop.INVALIDATE_FIRST:
                self.validated[page] = False
                yield "set_tlbflush_timestamp: read the clock"
                require(not self.in_handler[cpu])
            stamp = self.tlbflush_clock
            self.irqs_off[cpu] = self.stamp == Stamp.IRQS_OFF
            yield "set_tlbflush_timestamp: store the stamp"
            require(not self.in_handler[cpu])
            self.tlbflush_timestamp[page] = stamp
            self.irqs_off[cpu] = False
            yield "_put_page_type: cmpxchg"
            require(not self.in_handler[cpu])
            dropped = self.refs[page] == 1
            if dropped:
                self.refs[page] = 0
                self.validated[page] = True

    def get_table_type(self, cpu, page):
        """The page becomes a page table, once no CPU can write to it."""
        if self.retype == Retype.TAKE_THEN_FLUSH:
            self.refs[page] = 1
            self.type[page] = PageType.TABLE
            self.validated[page] = False
        yield "tlbflush_filter"
        require(not self.in_handler[cpu])
        for c in Cpu:
            self.mask[cpu, c] = self.need_flush(c, page)
        yield from self.flush_mask(cpu)
        yield "_get_page_type: the page is a page table"
        require(not self.in_handler[cpu])
        if self.retype == Retype.TAKE_THEN_FLUSH:
            self.validated[page] = True
        elif self.type[page] == PageType.WRITABLE and self.refs[page] == 0:
            self.refs[page] = 1
            self.type[page] = PageType.TABLE

    # --------------------------------------------------------------------------------------------------- properties

    @event
    def guest_write(self, cpu: Cpu, page: Page):
        """the guest on {cpu} writes to {page}"""
        require(self.tlb.entry[cpu, page])
        check(
            "no-writable-page-table",
            not (self.type[page] == PageType.TABLE and self.validated[page]),
            "{page} is a page table",
        )

    policies = {
        "fixed": Policy("fixed", {}, "holds"),
        "xsa-241": Policy("fixed", {"drop": Drop.STAMP_THEN_DROP}, "holds"),
        "before-xsa-241": Policy("fixed", {"drop": Drop.STAMP_THEN_DROP, "stamp": Stamp.IRQS_ON}, "no-writable-page-table"),
    }
