"""I-cache isolation between vcpus: the policies, the disputed readings, and what each instruction is for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from flushproof.model.language.declare import Expect
from flushproof.model.language.instantiate import instantiate
from flushproof.model.systems.kvm_icache import IcacheIsolation
from flushproof.properties.confirmation.certify import certify
from flushproof.properties.formulas.conjuncts import conjuncts
from flushproof.properties.induction.counterexample import SmallInduction
from flushproof.properties.induction.induction import touches
from flushproof.search.explore import explore

from flushproof.engines import engine_of
from flushproof.report.words import Story
from tests.model.hardware.explored import contents
from tests.model.language.agree import agreed

from .rewritten import claiming, rewritten
from .verdicts import Cell, cells, found, verdict

STALE, OPAQUE, VMM = "no-stale-fetch", "transparent", "vmm-text"
ONE_PE = {"cpu": 1}


@pytest.mark.parametrize("cell", cells(IcacheIsolation), ids=str)
def test_promised_verdict(cell: Cell) -> None:
    assert verdict(found(IcacheIsolation, cell)) == cell.expect.verdict


@pytest.mark.parametrize(
    ("policy", "counts"),
    [("ic-iallu", (55149, 135677, 71)), ("both", (55033, 134926, 77)), ("clean-to-poc", (45991, 116377, 57))],
)
def test_state_counts(policy: str, counts: tuple[int, int, int]) -> None:
    outcome = found(IcacheIsolation, Cell(policy, Expect("holds")))
    assert (outcome.states, outcome.transitions, outcome.depth) == counts


DISPUTED = {"icache.dic": "dic_reaches_poc", "icache.fwb": "fwb_reaches_fetch", "": "off_is_cacheable"}


@pytest.mark.parametrize("feature", DISPUTED)
def test_tlb_only_rests_on_the_disputed_readings(feature: str) -> None:
    """Without the flush all hangs on where a fetch with the MMU off comes from; the feature alone changes nothing."""
    knobs = {feature: True} if feature else {}
    plain = found(IcacheIsolation, Cell("tlb-only", Expect(STALE, knobs)))
    read = found(IcacheIsolation, Cell("tlb-only", Expect("holds", {**knobs, DISPUTED[feature]: True})))
    assert (verdict(plain), verdict(read)) == (STALE, "holds")


@pytest.mark.parametrize("reading", [{}, *({r: True} for r in DISPUTED.values())], ids=str)
def test_the_fix_rests_on_none(reading: dict[str, bool]) -> None:
    knobs = {"icache.dic": True, "icache.fwb": True, **reading}
    assert verdict(found(IcacheIsolation, Cell("ic-iallu", Expect("holds", knobs)))) == "holds"


FWB_IS_SEEN = {"icache.fwb": True, "fwb_reaches_fetch": True}
MAPPED_LATER = {"stage2": "on-first-fetch"}


@pytest.mark.parametrize(
    ("cleaned", "knobs", "expected"),
    [
        ("to-pou", {}, VMM),
        ("to-pou", {"icache.dic": True, "dic_reaches_poc": True}, "holds"),
        ("not", {"icache.dic": True, "dic_reaches_poc": True}, VMM),
        ("not", {"icache.dic": True, "dic_reaches_poc": True, "icache.idc": True}, "holds"),
        ("to-pou", {"off_is_cacheable": True}, "holds"),
        ("to-pou", {"icache.fwb": True}, VMM),
        ("to-pou", FWB_IS_SEEN, "holds"),
        ("not", FWB_IS_SEEN, "holds"),
        ("not", {"off_is_cacheable": True}, VMM),
        ("not", {"off_is_cacheable": True, "icache.idc": True}, "holds"),
        ("not", MAPPED_LATER, "holds"),
        ("not", {**MAPPED_LATER, "icache.fwb": True}, VMM),
        ("not", {**MAPPED_LATER, **FWB_IS_SEEN}, "holds"),
        ("to-poc", {**MAPPED_LATER, "icache.fwb": True}, "holds"),
    ],
    ids=str,
)
def test_how_far_the_vmm_must_clean(cleaned: str, knobs: dict[str, object], expected: str) -> None:
    """To where the guest's first fetches look, which is disputed; IDC takes it to the PoU, and KVM's first fault to the PoC."""
    cell = Cell("ic-iallu", Expect(expected, {**knobs, "vmm_cleans": cleaned}))
    assert verdict(found(IcacheIsolation, cell, sizes=ONE_PE)) == expected


@pytest.mark.parametrize("cell", cells(IcacheIsolation), ids=str)
@pytest.mark.parametrize("fill", ["lazy", "literal"])
def test_literal_fetches_agree(cell: Cell, fill: str) -> None:
    eager = verdict(found(IcacheIsolation, cell, sizes=ONE_PE))
    assert verdict(found(IcacheIsolation, cell, {"icache.fill": fill}, ONE_PE)) == eager


def test_literal_fetches_agree_on_two_pes() -> None:
    cell = Cell("tlb-only", Expect(STALE))
    assert verdict(found(IcacheIsolation, cell, {"icache.fill": "literal"})) == STALE


@pytest.mark.parametrize("what", ["icache.line", "icache.pipeline"])
def test_eager_fetches_are_exact(what: str) -> None:
    """With each state of the software, the same bytes may be there."""
    eager, literal = (
        contents(instantiate(IcacheIsolation, "tlb-only", {"icache.fill": fill}, {**ONE_PE, "vcpu": 1}), what)
        for fill in ("eager", "literal")
    )
    others = {"icache.line": "icache.pipeline", "icache.pipeline": "icache.line"}
    assert _without(eager, what, others[what]) == _without(literal, what, others[what])


def _without(found: set[tuple[tuple[int, ...], tuple[int, ...]]], what: str, other: str) -> set[object]:
    """The same, with the other cache left out of the state of the software."""
    slots = [s for s in instantiate(IcacheIsolation, "tlb-only", {}, {**ONE_PE, "vcpu": 1}).slots if s.var != what]
    keep = [i for i, s in enumerate(slots) if s.var != other]
    return {(tuple(state[i] for i in keep), index) for state, index in found}


@pytest.mark.parametrize("policy", ["tlb-only", "ic-iallu"])
def test_symmetry_changes_no_verdict(policy: str) -> None:
    cell = next(c for c in cells(IcacheIsolation) if c.policy == policy)
    plain = found(IcacheIsolation, cell, symmetry=False, sizes=ONE_PE)
    orbits = found(IcacheIsolation, cell, sizes=ONE_PE)
    assert verdict(plain) == verdict(orbits)
    assert orbits.states < plain.states


def test_python_and_the_ir_agree() -> None:
    assert agreed(IcacheIsolation, "ic-iallu", {"Cpu": 2, "Vcpu": 2})


def test_the_trace_is_the_threads() -> None:
    """Another vcpu's PE fetches the old bytes after the patching vcpu's invalidation; that vcpu comes to this PE, and executes."""
    outcome = found(IcacheIsolation, Cell("tlb-only", Expect(STALE)))
    assert outcome.trace is not None and certify(outcome.trace).ok
    steps = outcome.trace.steps
    last = steps[-1]
    assert last.action == "execute"
    labels = [s.action for s in steps]
    invalidated = labels.index("patch: DSB ISH after IC IVAU") if "patch: DSB ISH after IC IVAU" in labels else 0
    assert invalidated and labels.index("patch: STR the new bytes: what was fetched is OLDER now") < invalidated
    loads = [s.binding["cpu"] for s in steps if "vcpu_load(" in s.action]
    assert len(loads) == 3 and loads[-1] == last.binding["cpu"]


@pytest.mark.parametrize(("policy", "knobs"), [("ic-iallu", {"fb": False}), ("move-page", {"icache.vpipt": True, "vhe": False})])
def test_the_words_hold_where_the_vcpu_itself_fetched_the_line(policy: str, knobs: dict[str, object]) -> None:
    outcome = found(IcacheIsolation, Cell(policy, Expect(OPAQUE, knobs)))
    assert outcome.trace is not None
    assert len({s.binding["vcpu"] for s in outcome.trace.steps if "vcpu" in s.binding}) == 1, "no other vcpu is in it"
    assert "could not have executed on a machine of its own" in Story(outcome.trace).sentence


def test_the_host_moves_a_page_on_a_pe_that_has_left_its_guest() -> None:
    outcome = found(IcacheIsolation, Cell("move-page", Expect(OPAQUE, {"icache.vpipt": True, "vhe": False})), sizes=ONE_PE)
    assert outcome.trace is not None
    labels = [s.action for s in outcome.trace.steps]
    assert any("exits the guest" in label for label in labels[: labels.index("move_page")]) and len(labels) == 13


HOLDING = [c for c in cells(IcacheIsolation) if c.expect.verdict == "holds"]


@pytest.mark.parametrize("cell", HOLDING, ids=str)
def test_lemmas_hold(cell: Cell) -> None:
    """Each wherever its policy is said to hold."""
    instance = instantiate(IcacheIsolation, cell.policy, cell.expect.knobs, {}, lemmas=True)
    lemmas = replace(instance, system=replace(instance.system, properties=instance.system.lemmas))
    outcome = explore(lemmas, engine=engine_of())
    assert len(instance.system.lemmas) > 15 and outcome.verdict == "holds", outcome.property


INDUCTIVE = [c for c in HOLDING if c.policy != "clean-to-poc"]  # not transparent with three vcpus


@pytest.mark.parametrize("cell", INDUCTIVE, ids=str)
def test_the_lemmas_are_inductive_for_three_of_each(cell: Cell) -> None:
    """No step leads from a state with all properties and lemmas to one without: a proof for this number, without exploring."""
    instance = instantiate(IcacheIsolation, cell.policy, cell.expect.knobs, {"cpu": 3, "vcpu": 3}, lemmas=True)
    system = instance.system
    wanted = [p for p in system.properties if p.kind == "invariant"]
    parts = (*conjuncts(wanted, "property"), *conjuncts(system.lemmas, "lemma"))
    small = SmallInduction(instance, parts)
    assert {STALE, OPAQUE} <= {p.name for p in wanted}
    for part in parts:
        for action in (None, *system.actions):
            if action is None or touches(action, part):
                assert small.look(action, part).outcome == "unsatisfiable", (action, part.name)


@pytest.mark.parametrize(
    "state",
    [
        "at(self.patch, v, 'DSB ISH after IC IVAU') and all(self.vcpus.loaded[c] != v for c in Cpu)",
        "self.icache.invalidations.pending[a, a] and self.icache.invalidations.pending[b, a] and a != b",
        "self.has_patched[v] and self.icache.line[a, Bytes.OLDER] and self.guest[a] is not None",
        "at(self.vcpu_thread, a, 'IC IALLU') and self.last_vcpu_ran[a] == v"
        " and self.has_patched[v] and self.icache.line[a, Bytes.OLDER]",
        "self.icache.line[a, Bytes.OLDER] and self.icache.line[a, Bytes.NEWEST] and self.mmu[v] == Mmu.ENABLING",
    ],
    ids=[
        "preempted between IC IVAU and its DSB",
        "two PEs invalidate at once",
        "old bytes come back behind the patch",
        "vcpu_load finds them",
        "both are cached while a vcpu switches its MMU on",
    ],
)
def test_what_makes_it_interesting_is_reached(state: str, tmp_path: Path) -> None:
    cls = claiming(IcacheIsolation, f"any({state} for a in Cpu for b in Cpu for v in Vcpu)", tmp_path)
    assert verdict(found(cls, Cell("ic-iallu", Expect("holds")))) == "holds"


# ------------------------------------------------------------------------------------------------------------ ingredients

PE = "self.pe(vcpu)"
SYNCHRONIZES = "        self.icache.synchronize(cpu)\n"
ENTRY = f"    def enter_guest(self, cpu):\n{SYNCHRONIZES}"
EXIT = f"    def exit_guest(self, cpu):\n{SYNCHRONIZES}"


@pytest.mark.parametrize(
    ("policy", "old", "new", "expected"),
    [
        ("ic-iallu", "self.icache.ic(cpu, self.flush)", "pass", STALE),
        ("ic-iallu", 'yield "DSB; ISB"\n            self.icache.dsb(cpu)', 'yield "DSB; ISB"', STALE),
        ("ic-iallu", 'in __switch_to"\n        self.icache.dsb(cpu)', 'in __switch_to"', STALE),
        ("ic-iallu", f"self.icache.dc_cvau({PE})", "pass", STALE),
        ("ic-iallu", f'first DSB ISH"\n        self.icache.dsb({PE})', 'first DSB ISH"', STALE),
        ("ic-iallu", f"self.icache.ic({PE}, Scope.BROADCAST)", "pass", STALE),
        ("ic-iallu", f'after IC IVAU"\n            self.icache.dsb({PE})', 'after IC IVAU"', STALE),
        ("ic-iallu", f"self.icache.synchronize({PE})", "pass", STALE),
        ("ic-iallu", "self.mmu[vcpu] == Mmu.ON and self.text_mutex is None", "self.mmu[vcpu] == Mmu.ON", STALE),
        ("ic-iallu", "self.icache.ic(cpu, Scope.BROADCAST if self.fb else Scope.LOCAL)", "pass", OPAQUE),
        ("ic-iallu", "if self.bsu:\n            self.icache.dsb(cpu)\n", "if self.bsu:\n            pass\n", OPAQUE),
        (
            "ic-iallu",
            "        self.icache.synchronize(cpu)\n        self.icache.own_sync",
            "        self.icache.own_sync",
            OPAQUE,
        ),
        (
            "tracked",
            "        self.note_mmu_off(cpu, self.vcpus.loaded[cpu])\n",
            "",
            STALE,
        ),
        ("tracked", "= Mmu.OFF\n        self.note_mmu_off(cpu, vcpu)", "= Mmu.OFF", STALE),
        ("write-xor-execute", "self.icache.older[:] = False", "pass", STALE),
        ("write-xor-execute", " and self.writable()", "", STALE),
        ("clean-to-poc", f"self.icache.dc_cvac({PE})", "pass", STALE),
        (
            "clean-to-poc",
            f'trapped IC IVAU: DSB ISH"\n                self.icache.dsb({PE})',
            'trapped IC IVAU: DSB ISH"',
            STALE,
        ),
    ],
)
def test_each_instruction_is_needed(policy: str, old: str, new: str, expected: str, tmp_path: Path) -> None:
    broken = rewritten(IcacheIsolation, old, new, tmp_path)
    assert verdict(found(broken, Cell(policy, Expect(expected)))) == expected


@pytest.mark.parametrize(
    ("policy", "old", "new"),
    [
        ("ic-iallu", "        self.note(cpu, vcpu)\n", "        self.last_cpu[vcpu] = cpu\n"),
        ("ic-iallu", ENTRY, ENTRY.replace(SYNCHRONIZES, "")),
        ("ic-iallu", EXIT, EXIT.replace(SYNCHRONIZES, "")),
        ("write-xor-execute", "                self.icache.drop_line(pe)\n", "                pass\n"),
    ],
    ids=[
        "last_vcpu_ran not kept: it flushes at each load",
        "the exit has synchronized the context already",
        "the entry will synchronize the context",
        "the guest's own IC was enough, and nothing could fetch while the line was writable",
    ],
)
def test_what_is_not_needed(policy: str, old: str, new: str, tmp_path: Path) -> None:
    assert verdict(found(rewritten(IcacheIsolation, old, new, tmp_path), Cell(policy, Expect("holds")))) == "holds"


def test_one_synchronization_between_two_guests_is_needed(tmp_path: Path) -> None:
    without_exit = rewritten(IcacheIsolation, EXIT, EXIT.replace(SYNCHRONIZES, ""), tmp_path)
    without_both = rewritten(without_exit, ENTRY, ENTRY.replace(SYNCHRONIZES, ""), tmp_path)
    assert verdict(found(without_both, Cell("ic-iallu", Expect(STALE)))) == STALE
