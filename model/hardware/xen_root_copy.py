"""XPTI's copy of a PV guest's root table on each CPU: what a guest runs on, without Xen's own mappings in it.

Follows restore_all_guest in xen/arch/x86/x86_64/entry.S, and the part of do_mmu_update in xen/arch/x86/mm.c that sends
FLUSH_ROOT_PGTBL.  A CPU copies its guest's root table on the way to the guest, with interrupts off, if `root_pgt_changed` says
that the table has changed; an update of a root table sets that on the CPUs that use it, on others by an interrupt.

This is a kind of system rather than a part of one: a system inherits it, and its state is its own.
"""

from typing import Annotated, Optional

from flushproof.model.language.declare import Map, OrderedEnum, View

from .sorts import Cpu
from .xen_pages import Frame, PageType


class RootFlush(OrderedEnum):
    """Who is told by FLUSH_ROOT_PGTBL to copy the root table again, with XPTI.

    NOBODY; LOCAL: this CPU, if it uses the table; NEEDED: also the others, if any of them uses it; EVERYWHERE: all CPUs, after
    each update of any level.
    """

    NOBODY = 0
    LOCAL = 1
    NEEDED = 2
    EVERYWHERE = 3


class RootCopies:
    """A system of typed pages (`TypedPages`) with the state `guest_table` and `in_guest` and the knobs `xpti`, `pcid` and
    `root_flush`; `flush_tlb(cpu)` is what a write of CR3 does without PCID."""

    root_copy: Annotated[Map[Cpu, Optional[Frame]], View("table", "copy of the root table")]
    root_pgt_changed: Map[Cpu, bool]

    def copy_root(self, cpu):
        """Copy the root table if it changed."""
        if self.root_pgt_changed[cpu]:
            self.root_copy[cpu] = self.entry[self.guest_table[cpu]]
        self.root_pgt_changed[cpu] = False

    def restore_all_guest(self, cpu):
        """With interrupts off: copy the root table if it changed, and load the copy."""
        if not self.pcid:
            self.flush_tlb(cpu)
        self.copy_root(cpu)
        self.in_guest[cpu] = True

    def must_copy(self, table, in_use, least):
        """Whether an update of this table sends FLUSH_ROOT_PGTBL, if that is done for a root_flush of at least `least`."""
        needed = self.type[table] == PageType.L4 and in_use and least <= self.root_flush
        return self.xpti and (needed or self.root_flush == RootFlush.EVERYWHERE)
