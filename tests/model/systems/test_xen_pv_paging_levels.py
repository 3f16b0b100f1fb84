"""Xen's tables with all four levels: the shipped system leaves out the L3, and says that nothing depends on it."""

from dataclasses import replace
from pathlib import Path

import pytest
from flushproof.model.language.declare import System
from flushproof.model.systems.xen_pv_paging import XenPvPaging

from .rewritten import rewritten
from .verdicts import Cell, cells, found, verdict

CHANGES = (
    (
        """\
class Frame(Sort, size=5)""",
        """\
class Frame(Sort, size=6)""",
    ),
    (
        """\
    L2 = 2
    L4 = 3
""",
        """\
    L2 = 2
    L4 = 3
    L3 = 4
""",
    ),
    (
        """\
    def l2_entry(self, cpu, frame):
        return self.walkable(cpu) and any(
            self.entry[table] == frame
            and (self.entry[self.cr3[cpu]] == table or (self.paging_structure_caches and self.upper.entry[cpu, table]))
            for table in Frame
        )
""",
        """\
    def leads_to_l3(self, cpu, table):
        return self.entry[self.cr3[cpu]] == table or (self.paging_structure_caches and self.upper.entry[cpu, table])

    def l3_entry(self, cpu, frame):
        return self.walkable(cpu) and any(self.entry[t] == frame and self.leads_to_l3(cpu, t) for t in Frame)

    middle = Tlb(tag=(), holds=(Frame,), walk=l3_entry)

    def leads_to_l2(self, cpu, table):
        return (self.paging_structure_caches and self.middle.entry[cpu, table]) or any(
            self.entry[t] == table and self.leads_to_l3(cpu, t) for t in Frame
        )

    def l2_entry(self, cpu, frame):
        return self.walkable(cpu) and any(self.entry[t] == frame and self.leads_to_l2(cpu, t) for t in Frame)
""",
    ),
    (
        """\
            self.upper.drop_all(cpu)
""",
        """\
            self.upper.drop_all(cpu)
            self.middle.drop_all(cpu)
""",
    ),
    (
        """\
        l2 = choose(Frame, where=lambda f: f != root)
        l1 = choose(Frame, where=lambda f: f != root and f != l2)
        other_root = choose(Frame, where=lambda f: f not in (l2, l1) and (f != root) == self.own_roots)
""",
        """\
        l3 = choose(Frame, where=lambda f: f != root)
        l2 = choose(Frame, where=lambda f: f != root and f != l3)
        l1 = choose(Frame, where=lambda f: f != root and f != l2 and f != l3)
        other_root = choose(Frame, where=lambda f: f not in (l3, l2, l1) and (f != root) == self.own_roots)
""",
    ),
    (
        """\
PageType.L4 if top else PageType.L2 if f == l2 else""",
        """\
PageType.L4 if top else PageType.L3 if f == l3 else PageType.L2 if f == l2 else""",
    ),
    (
        """\
            self.pinned[f] = top or f == l2
            if f == l2:
                if self.own_roots:
                    self.refs[f] = 3
                else:
                    self.refs[f] = 2
""",
        """\
            self.pinned[f] = top or f == l2 or f == l3
            if f == l3:
                if self.own_roots:
                    self.refs[f] = 3
                else:
                    self.refs[f] = 2
            elif f == l2:
                self.refs[f] = 2
""",
    ),
    (
        """\
self.entry[f] = l2 if top else l1 if f == l2 else None""",
        """\
self.entry[f] = l3 if top else l2 if f == l3 else l1 if f == l2 else None""",
    ),
    (
        """\
self.root_copy[cpu] = l2
""",
        """\
self.root_copy[cpu] = l3
""",
    ),
    (
        """\
require(self.type[table] in (PageType.L4, PageType.L2) and self.entry[table] != new)
            require(self.type[new] == (PageType.L2 if self.type[table] == PageType.L4 else PageType.L1))
""",
        """\
require(self.type[table] in (PageType.L4, PageType.L3, PageType.L2) and self.entry[table] != new)
            require(self.type[new] == self.below(self.type[table]))
""",
    ),
    (
        """\
    def must_flush(self, table):""",
        """\
    def below(self, type):
        return PageType.L3 if type == PageType.L4 else PageType.L2 if type == PageType.L3 else PageType.L1

    def must_flush(self, table):""",
    ),
    (
        """\
            require(self.type[below] == PageType.L1 and not self.validating[below])
""",
        """\
            require(self.type[below] == self.below(self.type[page]) and not self.validating[below])
            bottom = self.entry[below]
            if self.refs[below] == 0 and bottom is not None:
                require(self.type[bottom] == PageType.L1 and not self.validating[bottom])
                self.add_reference(bottom)
""",
    ),
    (
        """\
            require(not (self.locked[below] and self.refs[below] == 2))
            self.refs[below] = self.refs[below] - 1
""",
        """\
            require(not (self.locked[below] and self.refs[below] == 2))
            bottom = self.entry[below]
            if self.refs[below] == 1 and bottom is not None:
                require(not (self.locked[bottom] and self.refs[bottom] == 2))
                self.refs[bottom] = self.refs[bottom] - 1
            self.refs[below] = self.refs[below] - 1
""",
    ),
    (
        """\
table = choose(Frame, where=lambda f: self.upper.entry[cpu, f])""",
        """\
if all(not self.middle.entry[cpu, f] for f in Frame):
            return
        table = choose(Frame, where=lambda f: self.middle.entry[cpu, f])""",
    ),
    (
        """\
        return root is not None and any(self.permitted(root, t) and self.permitted(t, page) for t in Frame)
""",
        """\
        return root is not None and any(
            self.permitted(root, t) and self.permitted(t, u) and self.permitted(u, page) for t in Frame for u in Frame
        )

    def l3_permitted(self, cpu, table):
        root = self.cr3[cpu]
        return root is not None and any(self.permitted(root, t) and self.permitted(t, table) for t in Frame)
""",
    ),
    (
        """\
        require(self.upper.entry[cpu, table])
        root = self.cr3[cpu]
        check(
            "no-stale-linear-access",
            root is not None and self.permitted(root, table),
""",
        """\
        require(self.middle.entry[cpu, table])
        check(
            "no-stale-linear-access",
            self.l3_permitted(cpu, table),
""",
    ),
)
"""What makes four levels of three: an L3 page type, what a CPU caches of L3 entries, and one more step of each walk."""


@pytest.mark.parametrize("cell", cells(XenPvPaging), ids=str)
def test_an_l3_changes_no_verdict(cell: Cell, tmp_path: Path) -> None:
    four_levels: type[System] = XenPvPaging
    for old, new in CHANGES:
        four_levels = rewritten(four_levels, old, new, tmp_path)
    sizes = {name: count + (name == "frame") for name, count in cell.expect.sizes.items()}  # one more, for the L3
    assert verdict(found(four_levels, replace(cell, expect=replace(cell.expect, sizes=sizes)))) == cell.expect.verdict
