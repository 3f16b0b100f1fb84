"""What CPUs cache of the linear map, what updates that have returned leave of it, and what is written through it."""

from typing import Optional

import pytest
from flushproof.model.hardware import Cpu, Tlb
from flushproof.model.hardware.xen_linear_map import LinearMap
from flushproof.model.hardware.xen_pages import Frame, PageType, TypedPages
from flushproof.model.language.declare import (
    Ghost,
    Knob,
    Map,
    System,
    action,
    choose,
    initially,
    invariant,
    process,
    reachable,
    require,
)

from .explored import named, violated


class Updates(LinearMap, TypedPages, System):
    """A CPU changes entries of an L4 and of two L2 tables, several at once, and flushes before the update returns."""

    sizes = {Cpu: 1, Frame: 5}

    flush_upper = Knob(bool, True, "an update flushes upper entries")
    flush_lower = Knob(bool, True, "an update flushes lower entries")
    paging_structure_caches = Knob(bool, True, "cached upper entries are used for later walks")
    xpti = Knob(bool, False, "guests run on a table without the linear map")

    cr3: Map[Cpu, Optional[Frame]]
    mapped: Ghost[Map[Frame, bool]]

    upper = Tlb(tag=(), holds=(Frame,), walk=LinearMap.l4_entry)
    lower = Tlb(tag=(), holds=(Frame,), walk=LinearMap.l2_entry)

    def executes_guest(self, cpu):
        return True

    @initially
    def tables(self):
        root = choose(Frame)
        l2 = choose(Frame, where=lambda f: f != root)
        other = choose(Frame, where=lambda f: f not in (root, l2))
        l1 = choose(Frame, where=lambda f: f not in (root, l2, other))
        for f in Frame:
            self.type[f] = PageType.L4 if f == root else PageType.L2 if f in (l2, other) else PageType.L1
            self.entry[f] = l2 if f == root else l1 if f in (l2, other) else None
        self.mapped[l1] = True
        self.cr3[...] = root

    @process(Cpu)
    def update(self, cpu):
        more = True
        while more:
            yield "write"
            table = choose(Frame, where=lambda f: self.type[f] != PageType.L1)
            below = PageType.L2 if self.type[table] == PageType.L4 else PageType.L1
            new = choose(Frame)
            require(self.type[new] == below)
            old = self.entry[table]
            if old is not None and old != new:
                self.overwrote[cpu, table, old] = True
            self.entry[table] = new
            leaf = self.entry[new] if below == PageType.L2 else new
            if leaf is not None and (below == PageType.L2 or self.entry[self.cr3[cpu]] == table):
                self.mapped[leaf] = True
            more = choose(bool)
        yield "flush"
        for c in Cpu:
            if self.flush_upper:
                self.upper.drop_all(c)
            if self.flush_lower:
                self.lower.drop_all(c)
        yield "return"
        self.overwrote[cpu, ...] = False

    @invariant(because="{cpu} may use an L4 entry that was overwritten")
    def upper_entries_are_permitted(self):
        return all(
            root is not None and self.permitted(root, f)
            for cpu in Cpu
            for root in (self.cr3[cpu],)
            for f in Frame
            if self.upper.entry[cpu, f]
        )

    @invariant(because="{cpu} may use an L2 entry that was overwritten")
    def lower_entries_are_permitted(self):
        return all(self.walk_permitted(cpu, f) for cpu in Cpu for f in Frame if self.lower.entry[cpu, f])

    @reachable
    def the_linear_map_is_cached(self):
        return any(self.upper.entry[cpu, f] for cpu in Cpu for f in Frame)

    @reachable
    def a_cached_table_was_walked(self):
        """An L1 table is cached to which the root table has never led: an entry that was overwritten did."""
        return any(self.lower.entry[cpu, f] and not self.mapped[f] for cpu in Cpu for f in Frame)


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        ({}, set()),
        ({"flush_upper": False}, {"upper-entries-are-permitted", "lower-entries-are-permitted"}),
        ({"flush_lower": False}, {"lower-entries-are-permitted"}),
        ({"paging_structure_caches": False}, {"a-cached-table-was-walked"}),
        ({"xpti": True}, {"the-linear-map-is-cached", "a-cached-table-was-walked"}),
    ],
    ids=named,
)
def test_each_ingredient(knobs: dict[str, object], expected: set[str]) -> None:
    assert violated(Updates, knobs) == expected


class Writes(LinearMap, TypedPages, System):
    """A CPU writes an L1 entry, while the last reference to the L1 table may be dropped, and the guest given the page."""

    sizes = {Cpu: 1, Frame: 3}

    double_check = Knob(bool, True, "the L1 page's type is checked under its page_lock")
    paging_structure_caches = Knob(bool, True, "cached upper entries are used for later walks")
    xpti = Knob(bool, False, "guests run on a table without the linear map")

    cr3: Map[Cpu, Optional[Frame]]
    l1_page: Map[Cpu, Optional[Frame]]

    upper = Tlb(tag=(), holds=(Frame,), walk=LinearMap.l4_entry)
    lower = Tlb(tag=(), holds=(Frame,), walk=LinearMap.l2_entry)

    def executes_guest(self, cpu):
        return False

    @initially
    def tables(self):
        root = choose(Frame)
        l2 = choose(Frame, where=lambda f: f != root)
        l1 = choose(Frame, where=lambda f: f not in (root, l2))
        for f in Frame:
            self.type[f] = PageType.L4 if f == root else PageType.L2 if f == l2 else PageType.L1
            self.entry[f] = l2 if f == root else l1 if f == l2 else None
            self.refs[f] = 1
        self.cr3[...] = root

    @process(Cpu)
    def xen(self, cpu):
        yield from self.update_va_mapping(cpu)

    @action
    def drops_the_last_reference(self, page: Frame):
        require(self.type[page] == PageType.L1 and self.refs[page] > 0)
        self.put_page_type(page)

    @action
    def gives_to_the_guest(self, page: Frame):
        require(self.type[page] == PageType.L1 and self.refs[page] == 0)
        self.type[page] = PageType.WRITABLE

    @invariant(because="{cpu} writes to {page}, which is no L1 table")
    def an_l1_table_is_written(self):
        return all(self.type[page] == PageType.L1 for cpu in Cpu for page in Frame if self.l1_page[cpu] == page)

    @reachable
    def a_page_that_is_mapped_is_none(self):
        return any(self.type[page] == PageType.WRITABLE and self.lower.entry[cpu, page] for cpu in Cpu for page in Frame)


@pytest.mark.parametrize(("checks", "expected"), [(True, set()), (False, {"an-l1-table-is-written"})], ids=named)
def test_the_type_is_checked_again_before_a_write(checks: bool, expected: set[str]) -> None:
    assert violated(Writes, {"double_check": checks}) == expected
