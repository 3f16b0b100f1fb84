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

import enum

from flushproof.model.language.declare import Ghost, Map, at, check, choose, event, require

from .sorts import Cpu
from .xen_dirty_cpumask import Context
from .xen_pages import Frame, PageType


class Access(enum.Enum):
    """How UPDATE_VA_MAPPING writes the L1 entry: through the linear map (until January 2009), or through a mapping of the frame
    that it found in the L2 entry, once its type is checked (since 2d0557c5cb)."""

    LINEAR = 0
    MAPPED = 1


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


class LinearAccesses(LinearMap):
    """Who uses the linear map, and what must be there then: a fault, and UPDATE_VA_MAPPING in the process `hypercall`.

    Needs besides the TLB `lower`, the contexts of `DirtyCpus`, and the knobs `access` and `multicall`.
    """

    @event
    def linear_read(self, cpu: Cpu, table: Frame):
        """{cpu} reads the L2 entry, through the linear map, in {table}"""
        require(at(self.hypercall, cpu, "map_guest_l1e: read the L2 entry through the linear map"))
        require(self.upper.entry[cpu, table])
        root = self.cr3[cpu]
        check(
            "no-stale-linear-access",
            root is not None and self.permitted(root, table),
            "The L4 entry that leads to {table} was overwritten, and the update has returned.",
        )
        check(
            "linear-map-shows-tables",
            self.type[table] == PageType.L2,
            "{table} is no L2 table: its content is whatever the guest writes there.",
        )

    @event
    def linear_l1_read(self, cpu: Cpu, page: Frame):
        """a fault on {cpu}: guest_get_eff_l1e reads the L1 entry, through the linear map, in {page}"""
        require(at(self.hypercall, cpu, "Xen is entered: {call}"))
        self.check_l1_read(cpu, page)

    @event
    def linear_write(self, cpu: Cpu, page: Frame):
        """{cpu} writes the L1 entry, through the linear map, in {page}"""
        require(self.access == Access.LINEAR and at(self.hypercall, cpu, "mod_l1_entry: write the L1 entry"))
        require(self.lower.entry[cpu, page])
        check(
            "no-stale-linear-access",
            self.walk_permitted(cpu, page),
            "An entry on the way to {page} was overwritten, and the update has returned.",
        )
        check("no-type-confusion", self.type[page] == PageType.L1 and self.refs[page] > 0, "{page} is no L1 table in use.")

    @event
    def mapped_write(self, cpu: Cpu, page: Frame):
        """{cpu} writes the L1 entry, through a mapping of the frame, in {page}"""
        require(self.access == Access.MAPPED and at(self.hypercall, cpu, "mod_l1_entry: write the L1 entry"))
        require(self.l1_page[cpu] == page)
        check("no-type-confusion", self.type[page] == PageType.L1 and self.refs[page] > 0, "{page} is no L1 table in use.")

    @event
    def linear_l1_read_in_multicall(self, cpu: Cpu, page: Frame):
        """a fault on {cpu} within a multicall: guest_get_eff_l1e reads the L1 entry, through the linear map, in {page}"""
        require(self.xpti and self.multicall and at(self.hypercall, cpu, "multicall: the next call"))
        self.check_l1_read(cpu, page)

    def check_l1_read(self, cpu, page):
        require(self.context[cpu] == Context.RUNNING and self.lower.entry[cpu, page])
        check(
            "no-stale-linear-access",
            self.walk_permitted(cpu, page),
            "An entry on the way to {page} was overwritten, and the update has returned.",
        )
        check(
            "linear-map-shows-tables",
            self.type[page] == PageType.L1,
            "{page} is no L1 table: its content is whatever the guest writes there.",
        )
