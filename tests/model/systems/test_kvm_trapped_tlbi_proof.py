"""Emulated TLB invalidations for any number of PEs and vcpus: what the lemmas prove, and what each of them is for."""

import functools

import pytest
from flushproof.model.ir import System
from flushproof.model.language.instantiate import instantiate
from flushproof.model.systems.kvm_trapped_tlbi import TrappedTlbi
from flushproof.properties.formulas.conjuncts import Conjunct, conjuncts
from flushproof.properties.induction.induction import Limits, Prover

from flushproof.proving import prove

from .verdicts import Cell, cells


@pytest.mark.parametrize("cell", [c for c in cells(TrappedTlbi) if c.expect.verdict == "holds"], ids=str)
def test_what_holds_is_proved_for_any_size(cell: Cell) -> None:
    proved = prove(TrappedTlbi, cell.policy, knobs=cell.expect.knobs)
    assert (proved.verdict, proved.kind, proved.wrong_lemmas) == ("holds", "any-size", ())


@pytest.mark.parametrize("cell", [c for c in cells(TrappedTlbi) if c.expect.verdict != "holds"], ids=str)
def test_what_is_broken_is_not_proved(cell: Cell) -> None:
    assert prove(TrappedTlbi, cell.policy, knobs=cell.expect.knobs).verdict == "violated"


@functools.cache
def claims() -> tuple[System, tuple[Conjunct, ...]]:
    """The policy that the discussion settled on, all its invariants and all lemmas."""
    system = instantiate(TrappedTlbi, "nuke", lemmas=True).system
    invariants = [p for p in system.properties if p.kind == "invariant"]
    return system, (*conjuncts(invariants, "property"), *conjuncts(system.lemmas, "lemma"))


NEEDED_FOR = {
    "a-guest-runs-the-loaded-vcpu": (
        "remap: STR the descriptor; entries made of what was there are OLD",
        "who-stores-stage-1-has-the-vcpu-that-remaps",
    ),
    "a-loaded-vcpu-is-the-threads": ("host: is back from the guest", "a-vcpu-is-emulated-where-it-is-loaded"),
    "a-vcpu-is-emulated-where-it-is-loaded": (
        "host: load the host's context; advance the PC",
        "who-enters-was-emulated",
    ),
    "who-runs-a-vcpu-has-loaded-one": ("host: schedule {thread}", "who-stores-stage-1-has-the-vcpu-that-remaps"),
    "a-vcpu-is-loaded-once": ("remap: TLBI {tlbi} traps", "a-trapped-vcpu-is-between-tlbi-and-dsb"),
    "who-remaps-holds-the-guests-lock": ("remap: DSB", "who-stores-stage-1-has-the-vcpu-that-remaps"),
    "a-trapped-vcpu-is-between-tlbi-and-dsb": ("remap: DSB", "no-stale-hit"),
    "who-enters-was-emulated": ("host: enters the guest", "a-trapped-vcpu-is-between-tlbi-and-dsb"),
    "who-stores-stage-1-has-the-vcpu-that-remaps": ("remap: DSB", "no-old-stage-1-once-it-is-gone"),
    "an-old-descriptor-is-read-until-the-new-one-is-seen": (
        "remap: TLBI {tlbi} traps",
        "old-stage-2-entries-are-about-to-be-invalidated",
    ),
    "an-emulated-tlbi-is-pending-or-performed": ("remap: DSB", "no-stale-hit"),
    "no-old-stage-1-once-it-is-gone": ("host: is back from the guest", "no-stale-hit"),
    "the-guests-context-is-loaded-for-its-tlbi": ("host: is back from the guest", "host-keeps-its-regime#2"),
    "who-unmaps-holds-mmu-lock": ("host: stage 2: load the host's context", "no-hit-after-unmap"),
    "who-stores-stage-2-waits-until-it-is-seen": (
        "remap: TLBI {tlbi} traps",
        "old-stage-2-entries-are-about-to-be-invalidated",
    ),
    "stage-2-is-not-gone-while-it-is-invalidated": ("host: is back from the guest", "no-hit-after-unmap"),
    "old-stage-2-entries-are-about-to-be-invalidated": ("remap: TLBI {tlbi} traps", "so-are-old-combined-entries"),
    "so-are-old-combined-entries": ("host: stage 2: load the host's context", "no-hit-after-unmap"),
    "no-old-stage-2-but-in-an-unmap": ("host: is back from the guest", "no-hit-after-unmap"),
}
"""For each lemma, a step that may break another claim if the lemma did not hold."""


def test_no_lemma_is_missing_from_the_table() -> None:
    system, _ = claims()
    mine = {p.name for p in system.lemmas if not p.name.endswith(("-set", "-unset"))}
    assert mine == set(NEEDED_FOR), "the tool itself says where a local variable is set"


@pytest.mark.parametrize("lemma", NEEDED_FOR)
def test_each_lemma_is_needed(lemma: str) -> None:
    system, parts = claims()
    step, broken = NEEDED_FOR[lemma]
    (action,) = (a for a in system.actions if a.name in (step, f"host: {step}"))
    (part,) = (c for c in parts if c.name == broken)
    rest = [c for c in parts if c.name != lemma]
    result = Prover(system, rest, Limits(first=0.1, small=30.0, retries=())).consecution(action, part)
    assert result.verdict == "failed"
    assert result.counterexample is not None
