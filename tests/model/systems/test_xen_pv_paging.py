"""Xen's linear page tables: what each policy gives, and what each ingredient is for."""

from pathlib import Path

import pytest
from flushproof.model.language.declare import Expect
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.model.systems.xen_pv_paging import XenPvPaging
from flushproof.search.explore import explore
from flushproof.search.native.engine import NativeEngine

from tests.model.language.agree import agreed

from .rewritten import claiming, rewritten
from .verdicts import Cell, cells, found, verdict

SMALL = {"frame": 4}
STALE, CONFUSED, NO_TABLE, OLD_COPY = (
    "no-stale-linear-access",
    "no-type-confusion",
    "linear-map-shows-tables",
    "no-stale-root-copy",
)

AT_WRITE = 'at(self.hypercall, a, "update_intpte: write {new} into {table}")'
AT_NEXT = 'at(self.hypercall, a, "do_mmu_update: the next entry of the batch")'


@pytest.mark.parametrize("cell", cells(XenPvPaging), ids=str)
def test_promised_verdict(cell: Cell) -> None:
    assert verdict(found(XenPvPaging, cell)) == cell.expect.verdict


@pytest.mark.parametrize(
    ("knobs", "counts"),
    [
        ({}, (7867, 16218, 40)),
        ({"lazy": True}, (13596, 30925, 40)),
        ({"xpti": True, "own_roots": True}, (31909, 72083, 62)),
    ],
    ids=str,
)
def test_state_counts(knobs: dict[str, bool], counts: tuple[int, int, int]) -> None:
    outcome = found(XenPvPaging, Cell("per-batch", Expect("holds", knobs)))
    assert (outcome.states, outcome.transitions, outcome.depth) == counts


SMALLER = [c for c in cells(XenPvPaging) if c.policy in ("2009", "local-only", "skip-top", "write-through", "all-cpus")]


@pytest.mark.parametrize("cell", [c for c in SMALLER if "frame" not in c.expect.sizes], ids=str)
def test_a_literal_tlb_and_all_states_agree(cell: Cell) -> None:
    literal = {"upper.fill": "literal", "lower.fill": "literal"}
    assert verdict(found(XenPvPaging, cell, literal, SMALL)) == cell.expect.verdict
    assert verdict(found(XenPvPaging, cell, sizes=SMALL, symmetry=False)) == cell.expect.verdict


def test_python_and_the_ir_agree() -> None:
    assert agreed(XenPvPaging, "per-batch", {"Cpu": 1, "Frame": 4})


# ---------------------------------------------------------------------------------------------------------------- traces


def test_without_a_flush_one_hypercall_is_enough() -> None:
    """Lock, write, drop the reference, return: the next fault reads through what was overwritten."""
    outcome = found(XenPvPaging, Cell("2009", Expect(STALE, sizes={"cpu": 1})))
    assert outcome.trace is not None
    *steps, last = outcome.trace.steps
    assert [s.action for s in steps] == [
        "hypercall: Xen is entered: {call}",
        "hypercall: update_intpte: write {new} into {table}",
        "hypercall: put_page_type: drop the old reference",
    ]
    assert last.event and last.action == "linear_l1_read"


def test_an_unused_table_may_still_be_cached() -> None:
    """One CPU unhooks a table and has not flushed yet; another changes it, finds it unused, and returns without a flush."""
    outcome = found(XenPvPaging, Cell("skip-unused", Expect(STALE)))
    assert outcome.trace is not None
    *steps, last = outcome.trace.steps
    writes = [s for s in steps if "update_intpte" in s.action]
    assert len({s.binding["cpu"] for s in writes}) == 2
    assert not any("flush_local" in s.action for s in steps)
    assert last.event and last.action == "linear_l1_read"


@pytest.mark.parametrize("retype", ["no-flush", "flush-then-take", "take-then-flush"])
def test_2009_hurts_the_guest_alone(retype: str) -> None:
    """Xen looks at the type of what it found: it never writes to a page that is no page table, not even unflushed."""
    instance = instantiate(XenPvPaging, "2009", {"retyping": True, "retype": retype}, SMALL)
    assert explore(instance, properties=[CONFUSED], engine=NativeEngine()).verdict == "holds"


# -------------------------------------------------------------------------------------------------------- what is reached


@pytest.mark.parametrize(
    ("knobs", "state"),
    [
        ({"lazy": True}, "self.context[a] == Context.LAZY and self.upper.entry[a, f] and self.flush_ipi.flush_cpumask[a]"),
        ({"lazy": True}, "self.context[a] == Context.LAZY and self.upper.entry[a, f] and self.entry[self.cr3[a]] != f"),
        ({"foreign": True}, f"self.context[a] == Context.AWAY and self.locked[f] and {AT_WRITE}"),
        (
            {"foreign": True},
            "self.context[a] == Context.AWAY and self.flush_ipi.flush_lock == a and self.flush_ipi.flush_cpumask[b]",
        ),
        ({"retyping": True}, "self.validating[f] and self.lower.entry[a, f] and self.type[f] == PageType.L1"),
        ({"retyping": True}, "self.validating[f] and self.upper.entry[a, f] and self.flush_ipi.flush_lock == b and a != b"),
        ({"batches": True}, f"self.overwrote[a, f, g] and {AT_NEXT}"),
        ({"xpti": True}, "self.interrupted[a] and self.root_pgt_changed[a]"),
        ({"xpti": True}, "self.in_guest[a] and self.upper.entry[a, f] and self.root_copy[a] == g and f != g"),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else str(value),
)
def test_what_makes_a_setting_interesting_is_reached(knobs: dict[str, bool], state: str, tmp_path: Path) -> None:
    cls = claiming(XenPvPaging, f"any({state} for a in Cpu for b in Cpu for f in Frame for g in Frame)", tmp_path)
    assert verdict(found(cls, Cell("per-batch", Expect("holds", knobs)), sizes=SMALL)) == "holds"


# ----------------------------------------------------------------------------------------------------------- ingredients


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        ({"flush": "never"}, STALE),
        ({"flush": "on-exit"}, STALE),
        ({"scope": "local"}, STALE),
        ({"skip": "top"}, STALE),
        ({"double_check": "off"}, CONFUSED),
        ({"retyping": "on", "retype": "no-flush"}, NO_TABLE),
        ({"lazy": "on", "set_first": "off"}, STALE),
        ({"foreign": "on", "set_first": "off"}, STALE),
        ({"lazy": "on", "clear_last": "off"}, "holds"),
        ({"foreign": "on", "clear_last": "off"}, "holds"),
        ({"xpti": "on", "root_flush": "nobody"}, OLD_COPY),
        ({"xpti": "on", "root_flush": "local"}, OLD_COPY),
    ],
    ids=str,
)
def test_each_ingredient(knobs: dict[str, str], expected: str) -> None:
    cell = Cell("per-batch", Expect(expected, knobs))
    assert verdict(found(XenPvPaging, cell, sizes=SMALL)) == expected


ALL = {"retyping": "on"}
XPTI = {"xpti": "on"}
SWITCH = {"lazy": "on"}
FROM = "from tests.model.hardware.test_flush_ipi import"
WITHOUT_LOCK = f"{FROM} WithoutLock\n\n    flush_ipi = WithoutLock()"
WITHOUT_WAITING = f"{FROM} WithoutWaiting\n\n    flush_ipi = WithoutWaiting()"
LOCAL_FLUSH = "                if flush_linear_pt and not spared:\n                    self.flush_tlb(cpu)\n"
LEAVE = "            self.cr3[cpu] = None\n            self.flush_tlb(cpu)\n"
ENTER = "            self.cr3[cpu] = self.guest_table[cpu]\n            self.flush_tlb(cpu)\n"


@pytest.mark.parametrize(
    ("old", "new", "knobs", "expected"),
    [
        (LOCAL_FLUSH, "", {}, STALE),
        ("flush_ipi = FlushIpi()", WITHOUT_LOCK, {}, STALE),
        ("        if self.flush_tlb_flag:\n            self.flush_tlb(cpu)\n", "", {}, STALE),
        ("flush_ipi = FlushIpi()", WITHOUT_WAITING, {}, STALE),
        ("c != cpu and others and (scope == Scope.ALL or self.dirty_cpumask[c])", "False", {}, STALE),
        (LEAVE, LEAVE.splitlines()[0] + "\n", SWITCH, "holds"),
        (ENTER, ENTER.splitlines()[0] + "\n", SWITCH, "holds"),
        (
            "        self.locked[page] = True\n        self.add_reference(page)",
            "        self.locked[page] = True",
            ALL,
            "well-defined",
        ),
        # References are lost, until nobody can take one more.
        ("        require(not (self.locked[page] and self.refs[page] == 2))\n", "", ALL, "no-deadlock"),
        # What an L1 page refers to is not modelled, so that nothing is lost when page_unlock drops its last reference.
        ("            require(not (self.locked[below] and self.refs[below] == 2))\n", "", ALL, "holds"),
        ("            self.add_reference(below)\n", "            pass\n", ALL, "well-defined"),
        ("            self.validating[page] = True\n", "            pass\n", ALL, NO_TABLE),
        ("        if self.flush_root_flag:\n            self.root_pgt_changed[cpu] = True\n", "", XPTI, OLD_COPY),
        ("                if flush_root_pt_local:\n                    self.root_pgt_changed[cpu] = True\n", "", XPTI, OLD_COPY),
        ("            self.root_pgt_changed[cpu] = self.xpti\n", "", {**XPTI, **SWITCH}, OLD_COPY),
    ],
    ids=lambda value: value.strip()[:48] if isinstance(value, str) else None,
)
def test_what_the_source_cannot_do_without(
    old: str, new: str, knobs: dict[str, str], expected: str, tmp_path: Path
) -> None:
    cls = rewritten(XenPvPaging, old, new, tmp_path)
    cell = Cell("per-batch", Expect(expected, knobs))
    assert verdict(found(cls, cell, sizes=SMALL)) == expected


def test_three_cpus_need_the_flush_of_the_others_for_a_new_type(tmp_path: Path) -> None:
    """With two, who changes a type while an update is under way is the only CPU that can read through what it overwrites."""
    old = "self.flush_dirty(cpu, Scope.DIRTY, True,"
    cls = rewritten(XenPvPaging, old, old.replace("DIRTY", "LOCAL"), tmp_path)
    assert verdict(found(cls, Cell("per-batch", Expect("holds", ALL, SMALL)))) == "holds"
    three = {**SMALL, "cpu": 3}
    assert verdict(found(cls, Cell("per-batch", Expect(NO_TABLE, ALL, three)))) == NO_TABLE
    assert verdict(found(XenPvPaging, Cell("per-batch", Expect("holds", ALL, three)))) == "holds"


def test_one_flush_is_enough_for_a_cpu_that_is_away(tmp_path: Path) -> None:
    """Of the CR3 writes that leave the domain and come back to it, either may keep the TLB, but not both."""
    once = rewritten(XenPvPaging, LEAVE, LEAVE.splitlines()[0] + "\n", tmp_path)
    text = (tmp_path / "rewritten.py").read_text()
    (tmp_path / "twice.py").write_text(text.replace(ENTER, ENTER.splitlines()[0] + "\n"))
    twice = load_system(f"{tmp_path / 'twice.py'}:{once.__name__}")
    outcome = found(twice, Cell("per-batch", Expect(STALE, SWITCH)), sizes=SMALL)
    assert verdict(outcome) == STALE


@pytest.mark.parametrize("caches", [True, False])
def test_what_is_kept_of_upper_levels_is_called_what_it_is_with_and_without_paging_structure_caches(caches: bool) -> None:
    """An L4 entry is cached for later walks, and as the TLB's leaf of a linear address: that of the L2 table."""
    instance = instantiate(XenPvPaging, policy="2009", knobs={"paging_structure_caches": caches}, sizes=SMALL)
    seen = [v.view for v in instance.system.variables if v.view is not None and v.kind != "ghost"]
    titles = {view.title for view in seen if view.what == "cache"}
    assert titles == {"TLB", "cache of L4 entries"}
