"""Emulated TLBIs next to stage-2 invalidations: the policies, and what each step is for."""

from __future__ import annotations

from pathlib import Path

import pytest
from flushproof.model.language.declare import Expect
from flushproof.model.language.instantiate import instantiate
from flushproof.model.systems.kvm_trapped_tlbi import TrappedTlbi
from flushproof.properties.confirmation.certify import certify
from flushproof.search.explore import explore

from tests.model.hardware.explored import contents
from tests.model.language.agree import agreed

from .rewritten import claiming, rewritten
from .verdicts import Cell, cells, found, verdict

STALE, UNMAPPED, REGIME = "no-stale-hit", "no-hit-after-unmap", "host-keeps-its-regime"


@pytest.mark.parametrize("cell", cells(TrappedTlbi), ids=str)
def test_promised_verdict(cell: Cell) -> None:
    assert verdict(found(TrappedTlbi, cell)) == cell.expect.verdict


@pytest.mark.parametrize(
    ("policy", "knobs", "counts"),
    [
        ("nuke", {}, (20527, 54307, 42)),
        ("nuke", {"stale_context": True}, (5149, 14223, 34)),
        ("vmalls12", {}, (10315, 27726, 40)),
    ],
)
def test_state_counts(policy: str, knobs: dict[str, bool], counts: tuple[int, int, int]) -> None:
    outcome = found(TrappedTlbi, Cell(policy, Expect("holds", knobs)))
    assert (outcome.states, outcome.transitions, outcome.depth) == counts


@pytest.mark.parametrize("cell", cells(TrappedTlbi), ids=str)
@pytest.mark.parametrize("fill", ["lazy", "literal"])
def test_literal_walks_agree(cell: Cell, fill: str) -> None:
    eager = verdict(found(TrappedTlbi, cell, sizes={"cpu": 1}))
    assert verdict(found(TrappedTlbi, cell, {"tlb.fill": fill}, {"cpu": 1})) == eager


@pytest.mark.parametrize("policy", ["local-only", "stage1-first", "raw"])
def test_literal_walks_agree_on_two_pes(policy: str) -> None:
    cell = next(c for c in cells(TrappedTlbi) if c.policy == policy)
    assert verdict(found(TrappedTlbi, cell, {"tlb.fill": "literal"})) == cell.expect.verdict


def test_eager_walks_are_exact() -> None:
    """With each state of the software, the same entries may be there."""
    small = {"cpu": 1, "vcpu": 1}
    found: list[set[object]] = []
    for fill in ("eager", "literal"):
        instance = instantiate(TrappedTlbi, "stage1-first", {"tlb.fill": fill}, small)
        rest = [s for s in instance.slots if s.var != "tlb.combined"]
        keep = [i for i, s in enumerate(rest) if s.var != "tlb.stage2"]
        found.append({(tuple(state[i] for i in keep), index) for state, index in contents(instance, "tlb.combined")})
    assert found[0] == found[1]


@pytest.mark.parametrize("policy", ["nuke", "as-issued"])
def test_symmetry_changes_no_verdict(policy: str) -> None:
    cell = next(c for c in cells(TrappedTlbi) if c.policy == policy)
    plain, orbits = found(TrappedTlbi, cell, symmetry=False), found(TrappedTlbi, cell)
    assert verdict(plain) == verdict(orbits) == cell.expect.verdict
    assert orbits.states < plain.states


def test_python_and_the_ir_agree() -> None:
    assert agreed(TrappedTlbi, "nuke", {"Cpu": 2, "Vcpu": 2})


def test_an_interrupt_in_the_window_also_loses_the_vmid() -> None:
    """Apart from running host code in the guest's regime: the TLBI behind it acts on the host's."""
    outcome = explore(instantiate(TrappedTlbi, "interruptible"), properties=[STALE])
    assert outcome.property == STALE and outcome.trace is not None
    assert "preempts" in [s.action for s in outcome.trace.steps]


def test_stage_1_first_leaves_an_entry_made_in_between() -> None:
    outcome = found(TrappedTlbi, Cell("stage1-first", Expect(UNMAPPED)))
    assert outcome.trace is not None and certify(outcome.trace).ok
    labels = [s.action for s in outcome.trace.steps]
    first, second = (next(i for i, x in enumerate(labels) if x.endswith(t)) for t in ("TLBI VMALLE1IS", "TLBI IPAS2E1IS"))
    assert first < second < len(labels) - 1 and outcome.trace.steps[-1].action == "tlb_hit"


@pytest.mark.parametrize(
    "state",
    [
        "self.trapped[v] and all(self.vcpus.loaded[c] != v for c in Cpu)",
        "self.tlb.tlbi.pending[a, b, Kind.STAGE1] and self.guest[b] is not None and a != b",
        "self.trapped[v] and self.broadcast[v] and self.in_guest_context[a] and self.vcpus.loaded[a] == v",
        "self.in_guest_context[a] and self.mmu_lock.holder == a and self.guest[b] == v and self.tlb.stage2[b, Age.OLD]",
        "self.guest[b] == v and self.tlb.combined[b, Age.OLD, Age.OLD] and self.stage1_is_gone[v] == self.stage2_is_gone",
    ],
    ids=[
        "preempted between the trap and its handling",
        "another vcpu runs where the TLBI is still to be performed",
        "a broadcast is emulated",
        "stage 2 is invalidated under a running guest",
        "both stages are old at once",
    ],
)
def test_what_makes_it_interesting_is_reached(state: str, tmp_path: Path) -> None:
    cls = claiming(TrappedTlbi, f"any({state} for a in Cpu for b in Cpu for v in Vcpu)", tmp_path)
    assert verdict(found(cls, Cell("nuke", Expect("holds")))) == "holds"


# ------------------------------------------------------------------------------------------------------------ ingredients

NOTHING_OF_STAGE_2 = "                self.tlb.tlbi.issue(cpu, self.applied(cpu, Scope.BROADCAST), Kind.STAGE2)\n"
LAST_BARRIER = """                yield "stage 2: DSB ISH"
                self.tlb.barrier(cpu)
            yield "stage 2: load the host"""
LAST_TLBI = "                self.tlb.tlbi.issue(cpu, self.applied(cpu, Scope.BROADCAST), Kind.STAGE1)\n" + LAST_BARRIER
STAGE1_LAST = "            if self.order == Order.STAGE2_THEN_STAGE1:"
CONTEXT = "load the guest's context\"\n            self.enter_vmid_context(cpu)"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("self.tlb.tlbi.issue(cpu, self.reached(cpu, tlbi), Kind.STAGE1)", "pass", STALE),
        ("            if self.trapped[vcpu]:\n                yield from self.emulate(cpu, vcpu)\n", "", STALE),
        (f'yield "{CONTEXT}', 'yield "load nothing"', STALE),
        ('DSB ISHST"\n        self.tlb.store_barrier(self.pe(vcpu))', 'no DSB"', STALE),
        ('in __switch_to"\n        self.tlb.barrier(cpu)', 'in __switch_to"', STALE),
        ("require(self.page_table_lock is None)", "pass", STALE),
        ('2: DSB ISHST"\n            self.tlb.store_barrier(cpu)', '2: DSB ISHST"', UNMAPPED),
        (f'yield "stage 2: {CONTEXT}', 'yield "stage 2: load nothing"', UNMAPPED),
        (NOTHING_OF_STAGE_2, "                pass\n", UNMAPPED),
        (f"            self.tlb.barrier(cpu)\n{STAGE1_LAST}", STAGE1_LAST, UNMAPPED),
        (LAST_TLBI, "                pass\n" + LAST_BARRIER, UNMAPPED),
        (LAST_BARRIER, '            yield "stage 2: load the host', UNMAPPED),
        ("with self.mmu_lock(cpu):", "if True:", UNMAPPED),
        ('advance the PC"\n            self.exit_vmid_context(cpu)', 'advance the PC"', REGIME),
        ("2: load the host's context\"\n            self.exit_vmid_context(cpu)", '2: go on"', REGIME),
    ],
)
def test_each_step_is_needed(old: str, new: str, expected: str, tmp_path: Path) -> None:
    if "self.trapped[vcpu]:" in old:
        new = "            self.trapped[vcpu] = False\n"
    assert verdict(found(rewritten(TrappedTlbi, old, new, tmp_path), Cell("nuke", Expect(expected)))) == expected


EMULATED = ('yield "DSB ISH"\n        self.tlb.barrier(cpu)', 'yield "DSB ISH"')
GUESTS = (
    """        if self.broadcast[vcpu] or self.bsu:
            self.tlb.barrier(cpu)
        else:
            self.tlb.barrier_nsh(cpu)
""",
    "",
)


@pytest.mark.parametrize("barrier", [EMULATED, GUESTS], ids=["the emulation's", "the guest's"])
def test_either_barrier_behind_the_tlbi_is_enough(barrier: tuple[str, str], tmp_path: Path) -> None:
    """The guest's DSB follows on the same PE, or on another one behind the DSB of the host's __switch_to."""
    assert verdict(found(rewritten(TrappedTlbi, *barrier, tmp_path), Cell("nuke", Expect("holds")))) == "holds"


def test_one_barrier_behind_the_tlbi_is_needed(tmp_path: Path) -> None:
    neither = rewritten(rewritten(TrappedTlbi, *EMULATED, tmp_path), *GUESTS, tmp_path)
    assert verdict(found(neither, Cell("nuke", Expect(STALE)))) == STALE
