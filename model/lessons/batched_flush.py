"""Reclaim clears many page table entries and flushes once, later: who else must know?

As in Linux: try_to_unmap() with TTU_BATCH_FLUSH sets mm->tlb_flush_batched, try_to_unmap_flush() flushes before pages are freed,
and since commit 3ea277194daa (2017) munmap() and mprotect() flush too when they find that a batch is pending.  What happens under
the page table lock is one step here.  Try it:

    flushproof check batched_flush.py --policy batched
"""

from enum import Enum

from flushproof.model.hardware import Cpu, Page, Tlb
from flushproof.model.language import Knob, Map, Policy, System, action, check, event, initially, reachable, require


class Flush(Enum):
    """When reclaim flushes what it has unmapped."""

    NEVER, BEFORE_FREE, AT_ONCE = range(3)


class BatchedFlush(System):
    """Reclaim unmaps pages one by one, flushes all TLBs once, and frees them; munmap() comes in between."""

    name = "batched-flush"
    sizes = {Cpu: 1, Page: 2}

    reclaim = Knob(
        Flush,
        Flush.BEFORE_FREE,
        "when reclaim flushes the TLBs: never, once before it frees pages, at each page",
        order="rising",
    )
    check_pending = Knob(
        bool, True, "munmap() flushes if reclaim has a batch pending (flush_tlb_batched_pending)", order="rising"
    )
    policies = {
        "unflushed": Policy("Reclaim flushes nothing.", {"reclaim": Flush.NEVER}, "no-use-after-free"),
        "batched": Policy("As before 3ea277194daa.", {"check_pending": False}, "no-access-after-munmap"),
        "pending": Policy("As since 3ea277194daa.", {}, "holds"),
        "at-once": Policy("No batches.", {"reclaim": Flush.AT_ONCE, "check_pending": False}, "holds"),
    }

    mapped: Map[Page, bool]
    victim: Map[Page, bool]
    free: Map[Page, bool]
    removed: Map[Page, bool]
    pending: bool

    def walkable(self, cpu, page):
        """The page table has an entry."""
        return self.mapped[page]

    tlb = Tlb(tag=(Page,), holds=(), walk=walkable)

    @initially
    def everything_is_mapped(self):
        self.mapped[...] = True

    @action
    def try_to_unmap(self, page: Page):
        """reclaim clears the entry of {page}"""
        require(self.mapped[page])
        self.mapped[page] = False
        self.victim[page] = True
        if self.reclaim is Flush.AT_ONCE:
            for cpu in Cpu:
                self.tlb.entry[cpu, page] = False
        else:
            self.pending = True

    @action
    def free_batch(self):
        """reclaim frees what it has unmapped, after the flush if there is one"""
        require(any(self.victim[page] for page in Page))
        if self.reclaim is Flush.BEFORE_FREE:
            for cpu in Cpu:
                self.tlb.drop_all(cpu)
        self.pending = False
        for page in Page:
            if self.victim[page]:
                self.victim[page] = False
                self.free[page] = True

    @action
    def munmap(self, page: Page):
        """munmap() removes {page}, and flushes it if it was mapped"""
        require(not self.removed[page] and not self.free[page])
        self.removed[page] = True
        if self.mapped[page] or (self.check_pending and self.pending):
            for cpu in Cpu:
                self.tlb.entry[cpu, page] = False
        self.mapped[page] = False

    @action
    def fault(self, page: Page):
        """a page fault maps {page} again"""
        require(not self.mapped[page] and not self.victim[page])
        self.mapped[page] = True
        self.free[page] = self.removed[page] = False

    @event
    def access(self, cpu: Cpu, page: Page):
        """a thread writes {page}, and hits the TLB"""
        require(self.tlb.entry[cpu, page])
        check("no-use-after-free", not self.free[page], "{cpu} writes {page}, which is free.")
        check("no-access-after-munmap", not self.removed[page], "{cpu} writes {page}, though munmap() of it has returned.")

    @reachable
    def a_batch_of_all_pages(self):
        """More than one page waits for one flush."""
        return all(self.victim[page] for page in Page)
