"""One CPU and its TLB: when must munmap() flush?

Nothing is left out that matters here: there is one CPU, and no interrupt comes in between.  Try it:

    flushproof check one_tlb.py --policy before
"""

from enum import Enum
from typing import Annotated

from flushproof.model.hardware import Cpu, Page, Tlb
from flushproof.model.language import (
    Knob,
    Map,
    Policy,
    System,
    View,
    action,
    check,
    event,
    initially,
    process,
    reachable,
    require,
)


class When(Enum):
    """When the TLB is flushed."""

    NEVER, BEFORE, AFTER = range(3)


class OneTlb(System):
    """munmap() takes a page from a process and frees it, on a machine with one CPU."""

    name = "one-tlb"
    sizes = {Cpu: 1, Page: 1}

    flush = Knob(
        When,
        When.AFTER,
        "when munmap() flushes the TLB: never, before it clears the page table entry, or after that",
        order=((When.NEVER, When.BEFORE), (When.NEVER, When.AFTER)),
    )
    policies = {
        "never": Policy("The entry is cleared, and no more.", {"flush": When.NEVER}, "no-use-after-free"),
        "before": Policy("Flush, then clear the entry.", {"flush": When.BEFORE}, "no-use-after-free"),
        "after": Policy("Clear the entry, then flush.", {"flush": When.AFTER}, "holds"),
    }

    in_kernel: Annotated[Map[Cpu, bool], View("context", "in the kernel")]
    mapped: Map[Page, bool]
    free: Map[Page, bool]

    def walkable(self, cpu, page):
        """The page table has an entry: the walker may read it whenever it likes."""
        return self.mapped[page]

    tlb = Tlb(tag=(Page,), holds=(), walk=walkable)

    @initially
    def everything_is_mapped(self):
        self.mapped[...] = True

    @process(Cpu)
    def munmap(self, cpu):
        """the process calls munmap()"""
        require(all(self.mapped[page] for page in Page))
        self.in_kernel[cpu] = True
        if self.flush is When.BEFORE:
            yield "flushes the TLB"
            self.tlb.drop_all(cpu)
        yield "clears the page table entry"
        self.mapped[...] = False
        if self.flush is When.AFTER:
            yield "flushes the TLB"
            self.tlb.drop_all(cpu)
        yield "frees the page, and returns"
        self.free[...] = True
        self.in_kernel[cpu] = False

    @action
    def mmap(self, cpu: Cpu, page: Page):
        """{page} is allocated and mapped again"""
        require(not self.in_kernel[cpu] and self.free[page])
        self.free[page] = False
        self.mapped[page] = True

    @event
    def access(self, cpu: Cpu, page: Page):
        """the process reads {page}, and hits the TLB"""
        require(not self.in_kernel[cpu] and self.tlb.entry[cpu, page])
        check("no-use-after-free", not self.free[page], "{cpu} reaches {page} through its TLB, though {page} is free.")

    @reachable
    def a_page_is_free(self):
        """munmap() gets to its end."""
        return any(self.free[page] for page in Page)
