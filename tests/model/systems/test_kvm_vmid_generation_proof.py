"""VMID rollover for any number of CPUs, VMs, vcpus, VMIDs and rollovers: the induction, and where it fails."""

import functools
from collections.abc import Sequence

import pytest
from flushproof.model.ir import System
from flushproof.model.language.instantiate import instantiate
from flushproof.model.systems.kvm_vmid_generation import VmidGeneration
from flushproof.properties.formulas.conjuncts import Conjunct, conjuncts
from flushproof.properties.induction.induction import Limits, Proof, Prover, Result

PATIENT = Limits(first=20.0)


def setting(text: str) -> dict[str, str]:
    return dict(item.split("=") for item in text.split())


@functools.cache
def claims(changed: str) -> tuple[System, tuple[Conjunct, ...]]:
    """The fixed policy with some knobs changed, all its invariants and all lemmas."""
    system = instantiate(VmidGeneration, "fixed", setting(changed), lemmas=True).system
    invariants = [p for p in system.properties if p.kind == "invariant"]
    return system, (*conjuncts(invariants, "property"), *conjuncts(system.lemmas, "lemma"))


def answers(changed: str) -> Proof:
    """Every question of the induction, asked once."""
    system, parts = claims(changed)
    prover = Prover(system, parts, PATIENT)
    results: list[Result] = []
    for part in parts:
        results += [prover.initiation(part), *(prover.consecution(a, part) for a in system.actions)]
    return Proof(system, parts, tuple(results), tuple(r for r in results if r.verdict in ("failed", "unknown")))


def test_the_fixed_policy_is_proved() -> None:
    proof = answers("")
    assert not proof.failures
    assert set(proof.properties) == {"one-vmid-per-vm", "no-shared-vmid", "vmid0-never-live", "no-foreign-hit"}


NEEDED_FOR = {
    "who-allocates-holds-the-lock": ("stores vmid_gen; releases kvm_vmid_lock", "no-vm-is-current-in-a-rollover"),
    "a-thread-has-a-vcpu": ("takes kvm_vmid_lock; compares vmid_gen again", "who-allocates-has-an-old-vm"),
    "interrupts-are-masked-from-the-last-check-to-the-exit": (
        "takes_ipi",
        "who-is-settled-is-current-or-waited-for",
    ),
    "in-the-guest-vttbr-is-the-vms": ("enters the guest", "one-vmid-per-vm"),
    "out-of-the-guest-vttbr-is-the-hosts": ("enters the guest", "one-vmid-per-vm"),
    "no-generation-is-ahead": ("vm_is_replaced", "no-vm-is-current-in-a-rollover"),
    "no-vm-is-current-in-a-rollover": (
        "local_irq_disable; reads kvm_vmid_gen",
        "entries-under-a-settled-number-are-the-vms-own",
    ),
    "who-allocates-has-an-old-vm": ("stores vttbr", "a-number-that-was-just-taken-is-nobody-elses"),
    "a-current-number-is-used": ("stores vttbr", "a-number-that-was-just-taken-is-nobody-elses"),
    "current-vms-have-different-numbers": (
        "local_irq_disable; reads kvm_vmid_gen",
        "settled-vms-have-different-numbers",
    ),
    "a-number-that-was-just-taken-is-nobody-elses": ("stores vmid_gen; releases kvm_vmid_lock", "a-current-number-is-used"),
    "who-is-settled-is-current-or-waited-for": ("stores vttbr", "in-the-guest-vttbr-is-the-vms"),
    "who-is-settled-has-a-number": ("enters the guest", "vmid0-never-live"),
    "settled-vms-have-different-numbers": ("enters the guest", "no-shared-vmid"),
    "an-entry-is-under-its-vms-number": ("vm_is_replaced", "an-old-vms-entry-is-about-to-be-flushed"),
    "an-old-vms-entry-is-about-to-be-flushed": ("stores vttbr", "an-entry-is-under-its-vms-number"),
    "entries-under-a-settled-number-are-the-vms-own": ("enters the guest", "no-foreign-hit#1"),
    "what-a-dead-vm-left-is-under-nobodys-number-or-about-to-be-flushed": (
        "stores vttbr",
        "nothing-is-left-under-a-number-that-was-just-taken",
    ),
    "nothing-is-left-under-a-number-that-was-just-taken": (
        "stores vmid_gen; releases kvm_vmid_lock",
        "what-a-dead-vm-left-is-under-nobodys-number-or-about-to-be-flushed",
    ),
    "nothing-is-left-under-a-settled-number": ("enters the guest", "no-foreign-hit#2"),
}
"""For each lemma, a step that may break another claim if the lemma did not hold."""


def test_no_lemma_is_missing_from_the_table() -> None:
    system, _ = claims("")
    mine = {p.name for p in system.lemmas if not p.name.endswith(("-set", "-unset"))}
    assert mine == set(NEEDED_FOR), "the tool itself says where a local variable is set"


@pytest.mark.parametrize("lemma", NEEDED_FOR)
def test_each_lemma_is_needed(lemma: str) -> None:
    system, parts = claims("")
    assert_fails(system, [c for c in parts if c.name != lemma], *NEEDED_FOR[lemma])


def assert_fails(system: System, parts: Sequence[Conjunct], step: str, broken: str) -> None:
    """The step leads from a state in which all parts hold to one in which one of them does not."""
    (action,) = (a for a in system.actions if a.name in (step, f"vcpu_thread: {step}"))
    (part,) = (c for c in parts if c.name == broken)
    result = Prover(system, parts, Limits(first=0.1, small=30.0, retries=())).consecution(action, part)
    assert result.verdict == "failed"
    assert result.counterexample is not None
    assert result.counterexample.before != result.counterexample.after


def test_the_start_makes_no_difference() -> None:
    """From `start=boot` all steps are the same, and all that is claimed holds at first too."""
    thread, _ = claims("start=thread")
    boot, parts = claims("start=boot")
    assert boot.actions == thread.actions
    prover = Prover(boot, parts, PATIENT)
    assert {prover.initiation(part).verdict for part in parts} == {"proved"}


def test_flushing_in_the_ipi_is_proved_too() -> None:
    """As in 2012, together with the read lock of v4.17."""
    assert not answers("locked_check=on call=flush flush=none").failures


FIRST_FAILURE = {
    "recheck_locked=off": ("takes kvm_vmid_lock", "who-allocates-has-an-old-vm"),
    "recheck_entry=off": ("local_irq_disable", "who-is-settled-is-current-or-waited-for"),
    "publish=generation-first": ("stores vmid_gen", "a-current-number-is-used"),
    "wait_for_call=off": ("kvm_vmid_gen++; calls the other CPUs", "who-is-settled-is-current-or-waited-for"),
    "call=none": ("kvm_vmid_gen++; calls the other CPUs", "who-is-settled-is-current-or-waited-for"),
    "flush=none": ("the other CPUs have acknowledged", "an-old-vms-entry-is-about-to-be-flushed"),
    "flush=local": ("TLBI ALLE1", "an-old-vms-entry-is-about-to-be-flushed"),
    "wait_for_flush=off": ("TLBI ALLE1IS", "an-old-vms-entry-is-about-to-be-flushed"),
}
"""Without an ingredient: the step that leaves the invariant, and a lemma that it breaks."""


@pytest.mark.parametrize("changed", FIRST_FAILURE)
def test_without_an_ingredient_the_induction_fails_where_it_is_missing(changed: str) -> None:
    assert_fails(*claims(changed), *FIRST_FAILURE[changed])
