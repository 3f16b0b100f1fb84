"""Registers one by one, and the workaround for speculative-AT errata: the policies, what each part is for, and proofs."""

from pathlib import Path

import pytest
from flushproof.model.language.declare import Expect
from flushproof.model.language.instantiate import instantiate
from flushproof.model.systems.kvm_world_switch import LoadBarrier, WorldSwitch
from flushproof.search.explore import explore
from flushproof.search.native.engine import NativeEngine

from flushproof.proving import prove
from tests.model.language.agree import agreed

from .rewritten import claiming, rewritten
from .verdicts import Cell, cells, found, verdict

ENTRY, GO_ON = "self.the_hosts_walks_go_on(cpu)", "self.hosts_walk[cpu] = True"
FOREIGN, HOST = "no-foreign-hit", "host-keeps-its-regime"


@pytest.mark.parametrize("cell", cells(WorldSwitch), ids=str)
def test_promised_verdict(cell: Cell) -> None:
    assert verdict(found(WorldSwitch, cell)) == cell.expect.verdict


@pytest.mark.parametrize(
    ("policy", "knobs", "steps"),
    [
        ("none", {}, 13),
        ("none", {"vhe": True}, 10),
        ("flush", {}, 22),
        ("switch", {}, 15),
        ("tcr-first", {"mmu_off": True}, 19),
        ("walks-go-on", {}, 19),
        ("walks-go-on", {"stale_context": False}, 19),
        ("none", {"walk_barrier": False, "stale_context": False}, 13),
    ],
    ids=str,
)
def test_shortest_traces(policy: str, knobs: dict[str, bool], steps: int) -> None:
    outcome = found(WorldSwitch, Cell(policy, Expect(HOST if policy == "flush" else FOREIGN, knobs)))
    assert outcome.trace is not None and len(outcome.trace.steps) == steps


@pytest.mark.parametrize(
    ("policy", "knobs", "counts"),
    [("both", {}, 54714), ("both", {"mmu_off": True}, 234311), ("flush", {"vhe": True}, 64642)],
    ids=str,
)
def test_state_counts(policy: str, knobs: dict[str, bool], counts: int) -> None:
    assert found(WorldSwitch, Cell(policy, Expect("holds", knobs))).states == counts


@pytest.mark.parametrize(
    ("old", "policy", "knobs"),
    [
        ('            yield "sets SCTLR_EL1.M"\n            self.s1_off[cpu] = False\n', "flush", {"vhe": "on"}),
        ('            yield "sets SCTLR_EL1.M; ISB"\n            self.s1_off[cpu] = False\n', "both", {}),
    ],
    ids=["flush", "exit"],
)
def test_stage_1_must_be_on_where_epd_is_set(old: str, policy: str, knobs: dict[str, str], tmp_path: Path) -> None:
    """EPD forbids nothing while SCTLR_EL1.M is 0; of vcpus with their MMU on that cannot be seen."""
    without = rewritten(WorldSwitch, old, "", tmp_path)
    on, off = (found(without, Cell(policy, Expect("holds", {**knobs, "mmu_off": m}))) for m in ("off", "on"))
    assert verdict(on) == "holds" and verdict(off) in (FOREIGN, HOST)


def test_a_vcpu_whose_mmu_is_off_has_no_entries_of_its_own(tmp_path: Path) -> None:
    """Even where its TTBR0_EL1 is walked: what that leads to is nobody's table."""
    entry = "self.tlb.entry[c, m, v, p] and self.runs_flat(v) for c in Cpu for m in Vm for v in Vcpu for p in Page"
    claims = claiming(WorldSwitch, f"any({entry})", tmp_path)
    outcome = explore(instantiate(claims, "tcr-first", {"mmu_off": True}), properties=["interesting"], engine=NativeEngine())
    assert outcome.not_reached == ("interesting",)


def test_the_order_cannot_be_seen_without_the_erratum() -> None:
    """So all registers may be switched in one step, as in kvm-vcpu-switch."""
    for policy in WorldSwitch.policies:
        if policy == "walks-go-on":
            continue
        assert verdict(found(WorldSwitch, Cell(policy, Expect("holds", {"stale_context": False})))) == "holds"


@pytest.mark.parametrize(
    ("knobs", "sizes", "says"),
    [
        ({}, {"vm": 2}, FOREIGN),
        ({"load_barrier": LoadBarrier.REGISTERS}, {}, "no-stale-hit"),
        ({"load_barrier": LoadBarrier.REGISTERS, "if_moved": True}, {}, "holds"),
        ({"load_barrier": LoadBarrier.REGISTERS, "tlbi_spares_walks": True}, {}, FOREIGN),
        ({"load_barrier": LoadBarrier.FLUSH, "tlbi_spares_walks": True, "if_moved": True}, {}, "holds"),
        ({"exit_barrier": True}, {}, "holds"),
    ],
    ids=str,
)
def test_nothing_waits_for_a_guests_walks_where_its_vcpu_is_handed_over(
    knobs: dict[str, object], sizes: dict[str, int], says: str
) -> None:
    """With VHE, without the DSB of __switch_to."""
    cell = Cell("flush", Expect(says, {"vhe": True, "handover": True, **knobs}, sizes))
    assert verdict(found(WorldSwitch, cell)) == says


def test_the_dsb_of_nested_guests_would_do_for_all() -> None:
    knobs = {"vhe": True, "handover": True, "load_barrier": LoadBarrier.REGISTERS, "if_moved": True, "stale_context": False}
    assert verdict(found(WorldSwitch, Cell("none", Expect("holds", knobs, {"vm": 2})))) == "holds"


@pytest.mark.parametrize(
    ("old", "new", "spares", "says"),
    [
        (f"{ENTRY}\n        if self.epd_in_flush:", f"{GO_ON}\n        if self.epd_in_flush:", False, "holds"),
        (f"{ENTRY}\n        if self.epd_in_flush:", f"{GO_ON}\n        if self.epd_in_flush:", True, FOREIGN),
        (f'{ENTRY}\n        yield "restores TTBR0', f'{GO_ON}\n        yield "restores TTBR0', False, FOREIGN),
        ("else self.walk_barrier\n", "else False\n", False, HOST),
    ],
    ids=["flush", "flush-whose-tlbi-spares-walks", "entry", "exit"],
)
def test_each_way_into_el2_must_wait_for_walks(old: str, new: str, spares: bool, says: str, tmp_path: Path) -> None:
    """Without VHE, and without the erratum: left out at one place."""
    without = rewritten(WorldSwitch, old, new, tmp_path)
    cell = Cell("both", Expect("holds", {"stale_context": False, "tlbi_spares_walks": spares}))
    assert verdict(found(without, cell)) == says


@pytest.mark.parametrize("sizes", [{"vm": 2}, {"cpu": 3, "vcpu": 3}], ids=str)
def test_both_holds_on_larger_machines(sizes: dict[str, int]) -> None:
    assert verdict(found(WorldSwitch, Cell("both", Expect("holds")), sizes=sizes)) == "holds"


def test_python_and_the_ir_agree() -> None:
    assert agreed(WorldSwitch, "both", {"Cpu": 2, "Vm": 1, "Vcpu": 2, "Page": 2})


PROVED = [("both", {}), ("both", {"mmu_off": True}), ("flush", {"vhe": True}), ("flush", {"vhe": True, "mmu_off": True})]


@pytest.mark.parametrize(("policy", "knobs"), PROVED, ids=str)
def test_is_proved_for_any_size(policy: str, knobs: dict[str, bool]) -> None:
    proved = prove(WorldSwitch, policy, knobs=knobs)
    assert (proved.verdict, proved.kind, proved.wrong_lemmas) == ("holds", "any-size", ())
