"""Local invalidation between vcpus of one VM: the table of policies, and what each ingredient is for."""

import pytest
from flushproof.model.language.declare import Expect
from flushproof.model.language.instantiate import instantiate
from flushproof.model.systems.kvm_vcpu_switch import VcpuSwitch

from flushproof.proving import prove
from flushproof.report.words import Story
from tests.model.hardware.explored import contents
from tests.model.language.agree import agreed

from .verdicts import Cell, cells, found, verdict


@pytest.mark.parametrize("cell", cells(VcpuSwitch), ids=str)
def test_promised_verdict(cell: Cell) -> None:
    assert verdict(found(VcpuSwitch, cell)) == cell.expect.verdict


FOREIGN, STALE = "no-foreign-hit", "no-stale-hit"

TABLE = {
    "none": (FOREIGN, FOREIGN),
    "on-migration": (FOREIGN, FOREIGN),
    "last-ran": ("holds", STALE),
    "both": ("holds", "holds"),
    "always": ("holds", "holds"),
}


@pytest.mark.parametrize("policy", TABLE)
def test_the_table_is_promised(policy: str) -> None:
    """Each policy with HCR_EL2.FB set, and clear."""
    promised = {str(cell): cell.expect.verdict for cell in cells(VcpuSwitch)}
    assert (promised[policy], promised[f"{policy} fb=off"]) == TABLE[policy]


@pytest.mark.parametrize(
    ("policy", "fb", "counts"),
    [
        ("last-ran", True, (9992, 26208, 51)),
        ("last-ran-xen", True, (6967, 19153, 41)),
        ("both", True, (25745, 64567, 57)),
        ("both", False, (32705, 78287, 59)),
        ("always", True, (15062, 37088, 56)),
        ("always", False, (21862, 50418, 59)),
    ],
)
def test_state_counts(policy: str, fb: bool, counts: tuple[int, int, int]) -> None:
    outcome = found(VcpuSwitch, Cell(policy, Expect("holds", {"fb": fb})))
    assert (outcome.states, outcome.transitions, outcome.depth) == counts


@pytest.mark.parametrize("cell", cells(VcpuSwitch), ids=str)
@pytest.mark.parametrize("fill", ["lazy", "literal"])
def test_the_literal_tlb_agrees(cell: Cell, fill: str) -> None:
    assert verdict(found(VcpuSwitch, cell, {"tlb.fill": fill})) == cell.expect.verdict


def test_the_eager_tlb_is_exact() -> None:
    """With each state of the software, the same entries may be there."""
    eager, literal = (
        contents(instantiate(VcpuSwitch, "last-ran-xen", {"tlb.fill": fill}), "tlb.entry")
        for fill in ("eager", "literal")
    )
    assert eager == literal


@pytest.mark.parametrize("cell", cells(VcpuSwitch), ids=str)
def test_symmetry_changes_no_verdict(cell: Cell) -> None:
    plain = found(VcpuSwitch, cell, symmetry=False)
    orbits = found(VcpuSwitch, cell)
    assert verdict(plain) == verdict(orbits) == cell.expect.verdict
    if cell.expect.verdict == "holds":
        assert orbits.states < plain.states


@pytest.mark.parametrize("sizes", [{"vm": 2, "vcpu": 3}, {"cpu": 3}, {"cpu": 3, "vm": 2}, {"page": 3}], ids=str)
def test_last_ran_holds_on_larger_machines(sizes: dict[str, int]) -> None:
    assert verdict(found(VcpuSwitch, Cell("last-ran", Expect("holds")), sizes=sizes)) == "holds"


def test_python_and_the_ir_agree() -> None:
    assert agreed(VcpuSwitch, "both", {"Cpu": 2, "Vm": 1, "Vcpu": 2, "Page": 2})


# ---------------------------------------------------------------------------------------------------------------- traces


def test_without_a_flush_the_next_vcpu_hits_the_entry() -> None:
    """Load, run and put one vcpu, load and run another: it hits what the first one left."""
    outcome = found(VcpuSwitch, Cell("none", Expect(FOREIGN)))
    assert outcome.trace is not None
    *steps, last = outcome.trace.steps
    assert last.event and last.action == "tlb_hit" and last.binding["owner"] != last.binding["vcpu"]
    loads = [s for s in steps if "vcpu_load" in s.action]
    assert [s.binding["vcpu"] for s in loads] == [last.binding["owner"], last.binding["vcpu"]]
    assert {s.binding["cpu"] for s in steps} == {last.binding["cpu"]}
    assert len(steps) == 8


def test_without_broadcast_a_vcpu_finds_its_own_old_entry() -> None:
    """It leaves a CPU, invalidates its old mapping on another, and comes back."""
    outcome = found(VcpuSwitch, Cell("last-ran-xen", Expect(STALE, {"fb": False})))
    assert outcome.trace is not None
    steps = outcome.trace.steps
    last = steps[-1]
    assert last.action == "tlb_hit" and last.binding["owner"] == last.binding["vcpu"]
    where = [s.binding["cpu"] for s in steps if "enters the guest" in s.action]
    here, there = where[0], 1 - where[0]
    assert where == [here, there, here]
    assert [s.binding["cpu"] for s in steps if s.action in ("guest_invalidates", "guest_waits")] == [there] * 2
    assert len(steps) == 18


@pytest.mark.parametrize(
    ("knobs", "pending", "words"),
    [
        ({"fb": False}, False, "its TLBI and DSB are done"),
        ({"handover": True}, True, "has yet to perform a TLBI"),
        ({"guest_barrier": False}, True, "has yet to perform a TLBI"),
    ],
    ids=str,
)
def test_the_words_say_whether_the_tlbi_is_done(knobs: dict[str, object], pending: bool, words: str) -> None:
    outcome = found(VcpuSwitch, Cell("last-ran", Expect(STALE, knobs)))
    assert outcome.trace is not None and words in Story(outcome.trace).sentence
    slots = [i for i, slot in enumerate(outcome.trace.instance.slots) if slot.var == "tlbi.pending"]
    assert any(outcome.trace.states[-1][i] for i in slots) == pending


# ------------------------------------------------------------------------------------------------------------ ingredients


@pytest.mark.parametrize(
    ("policy", "knobs", "expected"),
    [
        ("last-ran", {"flush": "none"}, FOREIGN),
        ("last-ran", {"flush": "broadcast"}, "holds"),
        ("last-ran", {"switch_vttbr": "off"}, FOREIGN),
        ("last-ran", {"wait_for_flush": "off"}, FOREIGN),
        ("last-ran", {"switch_barrier": "off"}, STALE),
        ("last-ran", {"guest_barrier": "off"}, STALE),
        ("last-ran-xen", {"flush": "none"}, FOREIGN),
        ("last-ran-xen", {"switch_vttbr": "off"}, FOREIGN),
        ("last-ran-xen", {"wait_for_flush": "off"}, FOREIGN),
        ("last-ran-xen", {"switch_barrier": "off"}, STALE),
        ("both", {"fb": "off", "flush": "none"}, FOREIGN),
        ("both", {"fb": "off", "switch_vttbr": "off"}, FOREIGN),
        ("both", {"fb": "off", "wait_for_flush": "off"}, FOREIGN),
        ("both", {"fb": "off", "if_moved": "off"}, STALE),
        ("both", {"fb": "off", "if_other_ran": "off"}, FOREIGN),
        ("both", {"fb": "off", "switch_barrier": "off"}, "holds"),
        ("both", {"switch_barrier": "off"}, "holds"),
        ("always", {"flush": "none"}, FOREIGN),
        ("always", {"switch_vttbr": "off"}, FOREIGN),
        ("always", {"wait_for_flush": "off"}, FOREIGN),
    ],
    ids=str,
)
def test_each_ingredient(policy: str, knobs: dict[str, str], expected: str) -> None:
    assert verdict(found(VcpuSwitch, Cell(policy, Expect(expected, knobs)))) == expected


class SwitchedOutInTwoSteps(VcpuSwitch):
    """vcpu_put, behind which another thread may take the vcpu, and __switch_to."""

    name = "switched-out-in-two-steps"

    def vcpu_put(self, cpu):  # type: ignore[no-untyped-def]
        yield "vcpu_put"
        self.vcpus.put(cpu)
        yield "__switch_to"
        if self.switch_barrier:
            self.dsb(cpu)


@pytest.mark.parametrize(("cls", "steps"), [(VcpuSwitch, 27), (SwitchedOutInTwoSteps, 28)])
def test_one_step_more_where_the_thread_is_switched_out_in_two(cls: type[VcpuSwitch], steps: int) -> None:
    """Of the CPU that the vcpu comes back to; the other one need not be switched out."""
    outcome = found(cls, Cell("last-ran", Expect(STALE, {"switch_barrier": False})))
    assert outcome.trace is not None and len(outcome.trace.steps) == steps


# ----------------------------------------------------------------------------------------------------------------- proofs


@pytest.mark.parametrize("cell", [c for c in cells(VcpuSwitch) if c.expect.verdict == "holds"], ids=str)
def test_what_holds_is_proved_for_any_size(cell: Cell) -> None:
    proved = prove(VcpuSwitch, cell.policy, knobs=cell.expect.knobs)
    assert (proved.verdict, proved.kind, proved.wrong_lemmas) == ("holds", "any-size", ())


@pytest.mark.parametrize("cell", [c for c in cells(VcpuSwitch) if c.expect.verdict != "holds"], ids=str)
def test_what_is_broken_is_not_proved(cell: Cell) -> None:
    assert prove(VcpuSwitch, cell.policy, knobs=cell.expect.knobs).verdict == "violated"
