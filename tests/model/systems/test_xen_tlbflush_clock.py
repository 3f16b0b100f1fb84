"""Xen's TLB flush clock: what each policy gives, and what each ingredient is for."""

from pathlib import Path

import pytest
from flushproof.model.language.declare import Expect
from flushproof.model.language.instantiate import instantiate
from flushproof.model.systems.xen_tlbflush_clock import XenTlbflushClock

from tests.model.hardware.explored import contents
from tests.model.language.agree import agreed

from .rewritten import rewritten
from .verdicts import Cell, cells, found, verdict

WRITABLE_TABLE = "no-writable-page-table"
SAFE = "invalidate-first"


@pytest.mark.parametrize("cell", cells(XenTlbflushClock), ids=str)
def test_promised_verdict(cell: Cell) -> None:
    assert verdict(found(XenTlbflushClock, cell)) == cell.expect.verdict


@pytest.mark.parametrize(
    ("policy", "knobs", "counts"),
    [
        (SAFE, {}, (14876, 31902, 47)),
        ("xsa-241", {"prompt": True, "sti_shadow": True}, (12660, 27506, 44)),
        ("no-filter", {}, (6119, 13536, 47)),
    ],
    ids=str,
)
def test_state_counts(policy: str, knobs: dict[str, bool], counts: tuple[int, int, int]) -> None:
    outcome = found(XenTlbflushClock, Cell(policy, Expect("holds", knobs)))
    assert (outcome.states, outcome.transitions, outcome.depth) == counts


@pytest.mark.parametrize("cell", [c for c in cells(XenTlbflushClock) if "requests" not in c.expect.knobs], ids=str)
def test_the_literal_tlb_agrees(cell: Cell) -> None:
    assert verdict(found(XenTlbflushClock, cell, {"tlb.fill": "literal"})) == cell.expect.verdict


def test_symmetry_changes_no_verdict() -> None:
    plain = found(XenTlbflushClock, Cell("no-filter", Expect("holds")), symmetry=False)
    assert verdict(plain) == "holds" and plain.states > 6119


def test_python_and_the_ir_agree() -> None:
    assert agreed(XenTlbflushClock, SAFE, {"Cpu": 2, "Page": 1})


# ---------------------------------------------------------------------------------------------------------------- traces


def test_xsa_241() -> None:
    """A CPU reads the clock, is interrupted to flush, and stores a stamp that is older than its own time."""
    cell = Cell("before-xsa-241", Expect(WRITABLE_TABLE, {"prompt": True, "requests": True}))
    outcome = found(XenTlbflushClock, cell)
    assert outcome.trace is not None
    actions = [(s.action.split(": ", 1)[-1], s.binding.get("cpu")) for s in outcome.trace.steps]
    reads = next(i for i, (a, _) in enumerate(actions) if a.startswith("_put_page_type: look at the count"))
    cpu = actions[reads][1]
    stores = next(i for i, (a, _) in enumerate(actions) if a.startswith("set_tlbflush_timestamp"))
    between = [s.action for s in outcome.trace.steps[reads + 1 : stores] if s.binding.get("cpu") == cpu]
    assert [a.split(":")[0] for a in between] == ["invalidate_interrupt"] * 3
    assert outcome.trace.steps[-1].binding["cpu"] == cpu


def test_what_xsa_241_left() -> None:
    """With interrupts off, the count still goes from 1 to 2 and back to 1 unnoticed, without an interrupt."""
    outcome = found(XenTlbflushClock, Cell("xsa-241", Expect(WRITABLE_TABLE)))
    assert outcome.trace is not None
    assert not any(s.action.startswith("invalidate_interrupt") for s in outcome.trace.steps)
    assert len(outcome.trace.steps) == 21


def test_what_xsa_241_left_to_an_interrupt() -> None:
    """Nothing but an interrupt takes time, and it comes between the stamp and the cmpxchg, with interrupts on again."""
    cell = Cell("xsa-241", Expect(WRITABLE_TABLE, {"prompt": True, "requests": True}))
    outcome = found(XenTlbflushClock, cell)
    assert outcome.trace is not None
    cpu = outcome.trace.steps[-1].binding["cpu"]
    mine = [s.action.split(": ", 1) for s in outcome.trace.steps[:-1] if s.binding.get("cpu") == cpu]
    stamps = next(i for i, a in enumerate(mine) if a[-1].startswith("_put_page_type: look at the count"))
    assert [a[0] for a in mine[stamps + 1 : stamps + 4]] == ["invalidate_interrupt"] * 3
    assert mine[stamps + 4][-1] == "_put_page_type: cmpxchg the count"


FLUSHES = "        yield from self.flush_ipi.flush(cpu, self.mask)\n"
WAITS_LONGER = """
        if any(self.mask[cpu, other] for other in Cpu if other != cpu):
            yield "flush_mask: take flush_lock and interrupt the others"
            self.flush_ipi.send(cpu, self.mask)
            yield "flush_mask: wait until they have flushed, and gone on"
            stamping = ("set_tlbflush_timestamp: store the stamp", "_put_page_type: cmpxchg the count")
            require(all(not at(self.xen, other, *stamping) for other in Cpu))
            self.flush_ipi.wait(cpu)
"""


@pytest.mark.parametrize(("cpus", "says"), [(2, "holds"), (3, WRITABLE_TABLE)])
@pytest.mark.parametrize("policy", ["before-xsa-241", "xsa-241"])
def test_who_uses_the_time_of_an_interrupt(policy: str, cpus: int, says: str, tmp_path: Path) -> None:
    """With 2 CPUs the sender, before what it interrupted goes on; with 3 another one, while the handler executes."""
    cls = rewritten(XenTlbflushClock, FLUSHES, WAITS_LONGER, tmp_path)
    cell = Cell(policy, Expect("holds", {"prompt": True, "requests": True}, {"cpu": cpus}))
    assert verdict(found(cls, cell)) == says


# ----------------------------------------------------------------------------------------------------------- ingredients


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        ({"retype": "flush-then-take"}, WRITABLE_TABLE),
        ({"tick": "after"}, WRITABLE_TABLE),
        ({"or_equal": "off"}, WRITABLE_TABLE),
        ({"zero_check": "off"}, WRITABLE_TABLE),
        ({"wrap": "restart"}, WRITABLE_TABLE),
        ({"wrap": "restart-then-flush"}, WRITABLE_TABLE),
        ({"note": "before", "writes_in_flush": "on"}, WRITABLE_TABLE),
        ({"note": "before"}, "holds"),
        ({"writes_in_flush": "on"}, "holds"),
        ({"period_check": "off"}, "holds"),
        ({"stamp": "irqs-on"}, "holds"),
    ],
    ids=str,
)
def test_each_ingredient(knobs: dict[str, str], expected: str) -> None:
    assert verdict(found(XenTlbflushClock, Cell(SAFE, Expect(expected, knobs)))) == expected


FROM = "from tests.model.hardware.test_flush_ipi import"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("        self.tlb.drop_all(cpu)\n", "        pass\n"),
        ("            self.tlbflush_timestamp[page] = stamp\n", "            pass\n"),
        ("flush_ipi = FlushIpi()", f"{FROM} WithoutWaiting\n\n    flush_ipi = WithoutWaiting()"),
        ("                self.mask[cpu, c] = c != cpu\n", "                self.mask[cpu, c] = c == cpu\n"),
        ("            self.mask[cpu, c] = self.need_flush(c, page)\n", "            self.mask[cpu, c] = c == cpu\n"),
        ("            self.validated[page] = False\n        yield", "        yield"),
        ("flush_ipi = FlushIpi()", f"{FROM} WithoutLock\n\n    flush_ipi = WithoutLock()"),
    ],
    ids=[
        "no flush",
        "no stamp",
        "no waiting",
        "no flush of others at a wrap",
        "no flush of others",
        "no validation",
        "no lock",
    ],
)
def test_what_the_source_cannot_do_without(old: str, new: str, tmp_path: Path) -> None:
    cls = rewritten(XenTlbflushClock, old, new, tmp_path)
    assert verdict(found(cls, Cell(SAFE, Expect(WRITABLE_TABLE)))) == WRITABLE_TABLE


def test_the_eager_tlb_is_exact() -> None:
    """With each state of the software, the same entries may be there."""
    eager, literal = (
        contents(instantiate(XenTlbflushClock, "no-filter", {"tlb.fill": fill}), "tlb.entry")
        for fill in ("eager", "literal")
    )
    assert eager == literal
