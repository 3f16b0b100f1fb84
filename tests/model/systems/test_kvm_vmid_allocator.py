"""The allocator with active and reserved VMIDs: its versions, what each of its ingredients is for, and its proof for any size."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from flushproof.model.hardware import Scope
from flushproof.model.language.declare import Expect
from flushproof.model.language.instantiate import instantiate
from flushproof.model.systems.kvm_vmid_allocator import VmidAllocator
from flushproof.properties.induction.induction import Limits, prove
from flushproof.search.explore import explore
from flushproof.search.native.engine import NativeEngine
from flushproof.search.outcome import Outcome

from tests.model.hardware.explored import contents
from tests.model.language.agree import agreed

from .verdicts import Cell, cells, found, verdict

TWO_VMIDS, SHARED, FOREIGN, ZERO, FREE = (
    "one-vmid-per-vm",
    "no-shared-vmid",
    "no-foreign-hit",
    "vmid0-never-live",
    "a-vmid-is-free",
)


def quick(
    policy: str,
    knobs: Mapping[str, object] | None = None,
    sizes: Mapping[str, int] | None = None,
    focus: str | None = None,
    symmetry: bool = True,
) -> Outcome:
    """What the native engine finds."""
    instance = instantiate(VmidAllocator, policy, knobs, sizes)
    return explore(instance, focus=focus, symmetry=symmetry, engine=NativeEngine())


def setting(text: str) -> dict[str, str]:
    return dict(item.split("=") for item in text.split())


# -------------------------------------------------------------------------------------------------------------- verdicts


@pytest.mark.parametrize("cell", cells(VmidAllocator), ids=str)
def test_promised_verdict(cell: Cell) -> None:
    focus = None if cell.expect.verdict == "holds" else cell.expect.verdict
    assert verdict(quick(cell.policy, cell.expect.knobs, cell.expect.sizes, focus)) == cell.expect.verdict


@pytest.mark.parametrize(
    ("policy", "counts"),
    [
        ("merged", (58435, 146887, 117)),
        ("fixed", (42587, 108632, 117)),
    ],
)
def test_state_counts(policy: str, counts: tuple[int, int, int]) -> None:
    """By both engines."""
    native = quick(policy)
    assert (native.states, native.transitions, native.depth) == counts
    plain = found(VmidAllocator, Cell(policy, Expect("holds")))
    assert (plain.states, plain.transitions, plain.depth) == counts


@pytest.mark.parametrize("fill", ["lazy", "literal"])
@pytest.mark.parametrize("cell", [c for c in cells(VmidAllocator) if not c.expect.sizes], ids=str)
def test_the_literal_tlb_agrees(cell: Cell, fill: str) -> None:
    focus = None if cell.expect.verdict == "holds" else cell.expect.verdict
    knobs = {**cell.expect.knobs, "tlb.fill": fill, "orphans.fill": fill}
    assert verdict(quick(cell.policy, knobs, focus=focus)) == cell.expect.verdict


@pytest.mark.parametrize("entry", ["tlb.entry", "orphans.entry"])
def test_the_eager_tlb_is_exact(entry: str) -> None:
    """With each state of the software, the same entries may be there."""
    other = {"tlb.entry": "orphans.entry", "orphans.entry": "tlb.entry"}[entry]
    per_fill = []
    for fill in ("eager", "literal"):
        knobs = {"tlb.fill": fill, "orphans.fill": fill, "stale_context": True}
        instance = instantiate(VmidAllocator, "fixed", knobs, {"cpu": 1, "vm": 2, "vmid": 2})
        rest = [s for s in instance.slots if s.var != entry]
        software = [i for i, s in enumerate(rest) if s.var != other]
        per_fill.append({(tuple(state[i] for i in software), index) for state, index in contents(instance, entry)})
    assert per_fill[0] == per_fill[1]


@pytest.mark.parametrize("policy", VmidAllocator.policies)
def test_symmetry_changes_no_verdict(policy: str) -> None:
    expected = VmidAllocator.policies[policy].expect
    focus = None if expected == "holds" else expected
    plain, orbits = (quick(policy, focus=focus, symmetry=s) for s in (False, True))
    assert verdict(plain) == verdict(orbits) == expected
    assert orbits.states < plain.states


def test_python_and_the_ir_agree() -> None:
    assert agreed(VmidAllocator, "fixed", {"Cpu": 2, "Vm": 2, "Vmid": 2})


# ---------------------------------------------------------------------------------------------------------------- traces


def steps(outcome: Outcome, *words: str) -> list[tuple[str, int]]:
    """The steps whose names contain one of the words: which word, on which CPU."""
    assert outcome.trace is not None
    return [(word, s.binding["cpu"]) for s in outcome.trace.steps for word in words if word in s.action]


@pytest.mark.parametrize("policy", ["fixed", "merged"])
def test_a_stale_context_refills_behind_the_flush(policy: str) -> None:
    """A CPU has put its vcpu, so that its VMID is not reserved; its TLB is flushed, and filled again before VTTBR is written."""
    outcome = quick(policy, {"stale_context": True}, focus=FOREIGN)
    order = steps(outcome, "vcpu_put", "raises vmid_generation", "performs_tlbi", "writes VTTBR", "_hit")
    hitting = order[-1][1]
    mine = [word for word, cpu in order if cpu == hitting or word == "raises vmid_generation"]
    last_flush = len(mine) - 1 - mine[::-1].index("performs_tlbi")
    assert mine.index("vcpu_put") < last_flush
    assert mine[last_flush + 1 :] == ["writes VTTBR", "_hit"]


def test_vmid_0_is_loaded_before_another_cpu_allocates() -> None:
    """Both CPUs load vcpus of one VM.  The one that comes second to the lock finds the VMID valid, and keeps the VTTBR it has."""
    outcome = quick("vmid0", focus=ZERO)
    assert outcome.trace is not None
    (allocates,) = (cpu for word, cpu in steps(outcome, "find_next_zero_bit"))
    entered = steps(outcome, "enters the guest")[-1][1]
    assert entered != allocates
    assert ("writes VTTBR", entered) not in steps(outcome, "writes VTTBR")


def test_deferring_the_flush_fails_by_the_marker_even_without_stale_contexts() -> None:
    """The marker makes the slot that a rollover has zeroed look unswept: the next vcpu passes without the lock and the flush."""
    outcome = quick("deferred", focus=FOREIGN)
    order = steps(outcome, "vcpu_load", "takes cpu_vmid_lock", "_hit")
    hitting = order[-1][1]
    mine = [word for word, cpu in order if cpu == hitting]
    last_load = len(mine) - 1 - mine[::-1].index("vcpu_load")
    assert mine[last_load + 1 :] == ["_hit"]


def test_a_deferred_flush_is_not_weaker_than_whatever_is_flushed_at_once() -> None:
    """A CPU that flushes for itself does so where the rollover's own TLBI reaches nobody: no order of the two may be declared."""
    none: dict[str, object] = {"flush": Scope.NONE}
    assert verdict(quick("asid-like", none, {"vmid": 3})) == "holds"
    assert verdict(quick("asid-like", {**none, "defer": False}, {"vmid": 3}, FOREIGN)) == FOREIGN
    assert VmidAllocator.defer.order is None


@pytest.mark.parametrize("policy", ["restored-at-put", "fixed-nvhe"])
def test_a_stage_2_flush_walks_under_a_number_that_is_nobodys(policy: str) -> None:
    """enter_vmid_context loads a number that no slot of any CPU holds: behind the flush of the rollover that has freed it, the
    walker fills, unless the translation table walks are disabled meanwhile; and the number is handed out."""
    knobs = {"stale_context": True, "stage2_flush": True}
    outcome = quick(policy, knobs, focus=FOREIGN)
    order = steps(outcome, "performs_tlbi", "enter_vmid_context", "exit_vmid_context", "_hit")
    hitting = order[-1][1]
    mine = [word for word, cpu in order if cpu == hitting]
    assert mine == ["performs_tlbi", "enter_vmid_context", "exit_vmid_context", "_hit"]
    assert verdict(quick(policy, {**knobs, "epd": True})) == "holds"


def test_with_vhe_the_marker_is_stored_before_a_guests_walks_have_ended() -> None:
    """The DSB that waits for them comes later, in __switch_to: a number freed meanwhile comes back, if no TLBI ends them."""
    outcome = quick("fixed", {"late_walks": True}, focus=FOREIGN)
    order = steps(outcome, "vcpu_put", "performs_tlbi", "__switch_to", "_hit")
    hitting = order[-1][1]
    assert [word for word, cpu in order if cpu == hitting] == ["vcpu_put", "performs_tlbi", "__switch_to", "_hit"]
    assert outcome.trace is not None and len(outcome.trace.steps) == 45
    assert verdict(quick("fixed", {"late_walks": True, "put_barrier": True})) == "holds"


class WithoutVttbrBehindAFlush(VmidAllocator):
    """exit_vmid_context leaves no VTTBR behind, where VHE's leaves the VM's if no vcpu is loaded."""

    name = "without-vttbr-behind-a-flush"

    def exit_vmid_context(self, cpu):  # type: ignore[no-untyped-def]
        super().exit_vmid_context(cpu)
        self.forget_stage2(cpu)


def test_what_a_flush_of_stage_2_leaves_in_vttbr() -> None:
    """A deferred flush has entries made again out of it; without it a walk in the flush itself is left, in 57 steps for 44."""
    knobs = {"stale_context": True, "stage2_flush": True}
    instance = instantiate(WithoutVttbrBehindAFlush, "asid-like", knobs, {"vmid": 3})
    outcome = explore(instance, properties=[FOREIGN], engine=NativeEngine())
    assert outcome.trace is not None and len(outcome.trace.steps) == 57


def test_a_cpu_that_was_offline_misses_the_rollovers_broadcast() -> None:
    """Its entries are those of before, unless the reset empties its TLB; a flush that is pending for each CPU is not missed."""
    outcome = quick("fixed", {"hotplug": "kept"}, focus=FOREIGN)
    order = steps(outcome, "goes_offline", "TLBI ALLE1IS", "comes_online", "_hit")
    assert [word for word, _ in order] == ["goes_offline", "TLBI ALLE1IS", "comes_online", "_hit"]
    hitting, by = order[-1][1], order[1][1]
    assert [cpu for _, cpu in order] == [hitting, by, hitting, hitting] and by != hitting
    assert outcome.trace is not None and len(outcome.trace.steps) == 44
    leaves = next(i for i, step in enumerate(outcome.trace.steps) if step.action == "goes_offline")
    held = [
        slot.var
        for slot, old, new in zip(
            outcome.trace.instance.slots, outcome.trace.states[0], outcome.trace.states[leaves], strict=True
        )
        if slot.var in ("cpu_vmid_lock.holder", "loaded", "flushing") and old != new
    ]
    assert not held, "it leaves in stop_machine, which nobody joins with a vcpu loaded or interrupts off"
    assert verdict(quick("fixed", {"hotplug": "emptied"})) == "holds"
    assert verdict(quick("asid-like", {"hotplug": "kept"}, {"vmid": 3})) == "holds"


# ------------------------------------------------------------------------------------------------------------ ingredients


BROKEN = {
    "update=each-run": {ZERO, SHARED, TWO_VMIDS, FOREIGN},
    "zero_check=off": {FREE},
    "generation_check=off": {ZERO, SHARED, TWO_VMIDS},
    "fast_path=store": {SHARED, FOREIGN, TWO_VMIDS},
    "fast_path=xchg": {FREE},
    "recheck_locked=off": {TWO_VMIDS, SHARED, FOREIGN},
    "copies=none": {TWO_VMIDS, SHARED, FOREIGN},
    "keep=always": {SHARED, FOREIGN},
    "zero_slots=off": {SHARED, FOREIGN, TWO_VMIDS},
    "reserve=nothing": {SHARED, FOREIGN, TWO_VMIDS},
    "reserve=active": {SHARED, FOREIGN, TWO_VMIDS},
    "mark_reserved=off": {SHARED, FOREIGN},
    "sweep_first=off": {FOREIGN},
    "flush=none": {FOREIGN},
    "flush=local": {FOREIGN},
    "wait_for_flush=off": {FOREIGN},
    "defer=on": {FOREIGN},
    "invalid_on_put=off": {FREE},
    "stale_context=on": {FOREIGN},
}


@pytest.mark.parametrize(("changed", "property"), [(c, p) for c, ps in BROKEN.items() for p in sorted(ps)])
def test_each_ingredient_is_needed(changed: str, property: str) -> None:
    outcome = quick("fixed", setting(changed), focus=property)
    assert property in {v.property for v in outcome.violations}


@pytest.mark.parametrize("changed", BROKEN)
def test_an_ingredient_is_for_nothing_else(changed: str) -> None:
    instance = instantiate(VmidAllocator, "fixed", setting(changed))
    others = {TWO_VMIDS, SHARED, FOREIGN, ZERO, FREE} - BROKEN[changed]
    assert explore(instance, properties=sorted(others), engine=NativeEngine()).verdict == "holds"


def test_keeping_a_number_saves_work_only() -> None:
    """Without the shortcut a VM gets another number than before; nothing else changes."""
    assert verdict(quick("fixed", {"keep": "never"})) == "holds"


def test_one_reserved_copy_is_not_enough_for_three_cpus() -> None:
    """Two CPUs run through a rollover with one VMID; the next one frees it for the CPU whose copy stayed behind."""
    assert verdict(quick("fixed", {"copies": "first"})) == "holds"
    outcome = quick("fixed", {"copies": "first"}, {"cpu": 3}, focus=TWO_VMIDS)
    assert TWO_VMIDS in {v.property for v in outcome.violations}


@pytest.mark.parametrize("policy", ["fixed", "merged"])
def test_as_many_vmids_as_cpus_are_enough(policy: str) -> None:
    """The kernel warns unless there are more.  With the marker, who rolls over has nothing reserved; one fewer is too few."""
    assert verdict(quick(policy, sizes={"vmid": 2})) == "holds"
    assert FREE in {v.property for v in quick(policy, sizes={"vmid": 1}, focus=FREE).violations}


# ----------------------------------------------------------------------------------------------------------------- proofs


@pytest.mark.parametrize(
    ("policy", "knobs"),
    [
        ("fixed", {}),
        ("fixed", {"keep": "never"}),
        ("fixed", {"stage2_flush": True}),
        ("fixed", {"hotplug": "emptied"}),
        ("fixed", {"late_walks": True, "put_barrier": True}),
        ("merged", {}),
        ("restored-at-put", {"stale_context": True}),
        ("restored-at-put", {"stale_context": True, "stage2_flush": True, "epd": True}),
        ("fixed-nvhe", {"stale_context": True, "stage2_flush": True, "epd": True}),
    ],
    ids=str,
)
def test_proved_for_any_size(policy: str, knobs: dict[str, object]) -> None:
    """But for the property that needs counting: with fewer VMIDs than CPUs it does not hold."""
    system = instantiate(VmidAllocator, policy, knobs, lemmas=True).system
    wanted = [p for p in system.properties if p.kind == "invariant" and p.name != FREE]
    proof = prove(system, wanted, system.lemmas, limits=Limits(first=5.0))
    assert proof.proved, [(r.action, r.conjunct) for r in proof.failures]
    assert not proof.vacuous
