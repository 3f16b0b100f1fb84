"""Xen's linear page tables: what a CPU may cache of them, what it may still use, and UPDATE_VA_MAPPING, which uses them.

Follows xen/arch/x86/mm.c and the Intel SDM, volume 3A, 4.10.2 to 4.10.5.  One slot of each L4 table points to the table itself,
so that page tables appear as data.  The translations to them consist of the guest's own entries:

- `upper` caches the L4 entry: a leaf for the linear map of the L2 table, and a paging-structure entry on the way to the L1 table;
- `lower` caches the L2 entry, a leaf for the linear map of the L1 table, found through the present L4 entry or, with
  paging-structure caches, through a cached one.

A cached entry may be used while it is in memory, and as long as an update that overwrote it has not returned.  No reading of
the manual or of Xen's comments asks for more, and nothing weaker would keep an update's promise.

This is a kind of system rather than a part of one: a system inherits it, and its state is its own.
"""

from flushproof.model.language.declare import Ghost, Map, choose

from .sorts import Cpu
from .xen_pages import Frame, PageType


class LinearMap:
    """A system of typed pages (`TypedPages`) with the state `cr3` and `l1_page`, the TLB `upper`, and the knobs `xpti`,
    `paging_structure_caches` and `double_check`; `overwrote` is what each CPU's update has overwritten so far."""

    overwrote: Ghost[Map[Cpu, Frame, Frame, bool]]

    def walkable(self, cpu):
        """Whether the linear map is in the tables that this CPU walks; XPTI's copy of the root does without."""
        return self.cr3[cpu] is not None and not (self.xpti and self.executes_guest(cpu))

    def l4_entry(self, cpu, frame):
        return self.walkable(cpu) and self.entry[self.cr3[cpu]] == frame

    def l2_entry(self, cpu, frame):
        return self.walkable(cpu) and any(
            self.entry[table] == frame
            and (self.entry[self.cr3[cpu]] == table or (self.paging_structure_caches and self.upper.entry[cpu, table]))
            for table in Frame
        )

    def update_va_mapping(self, cpu):
        """Find the L1 entry of the address through the linear map, and write it."""
        yield "map_guest_l1e: read the L2 entry through the linear map"
        table = choose(Frame, where=lambda f: self.upper.entry[cpu, f])
        page = self.entry[table]
        if page is None:
            return
        yield "page_lock: look at the L1 page's type"
        if self.double_check:
            if self.type[page] != PageType.L1 or self.refs[page] == 0 or self.validating[page]:
                return
            self.page_lock(page)
        self.l1_page[cpu] = page
        yield "mod_l1_entry: write the L1 entry"
        if self.double_check:
            self.page_unlock(self.l1_page[cpu])
        self.l1_page[cpu] = None

    def permitted(self, table, frame):
        """The entry is in memory, or an update that overwrote it has not returned yet."""
        return self.entry[table] == frame or any(self.overwrote[c, table, frame] for c in Cpu)

    def walk_permitted(self, cpu, page):
        """So is each entry on some way from the CPU's root table to this L1 page."""
        root = self.cr3[cpu]
        return root is not None and any(self.permitted(root, t) and self.permitted(t, page) for t in Frame)
