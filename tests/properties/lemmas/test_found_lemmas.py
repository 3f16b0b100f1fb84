"""A shipped system without the lemmas that were written for it: what is found, pasted back, and what is not proved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from flushproof.model.errors import FlushproofError
from flushproof.model.language.declare import System
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.properties.formulas.conjuncts import resting
from flushproof.properties.formulas.printing import show_lemma
from flushproof.properties.induction.induction import prove as induction
from flushproof.properties.lemmas.search import Effort, infer

from flushproof.proving import ALL_LEMMAS, ProofRequest, ProofResult, run, samples, written

SYSTEM = load_system("kvm-vcpu-switch")


@pytest.mark.parametrize(("policy", "fb"), [("last-ran", True), ("both", False), ("both", True)])
def test_found_lemmas_are_pasted_back_and_prove(policy: str, fb: bool, tmp_path: Path) -> None:
    found = run(ProofRequest(SYSTEM, policy, {"fb": fb}, infer=120.0, without=(ALL_LEMMAS,)))
    assert found.verdict == "holds" and found.kind == "any-size"
    assert proved_with_pasted(found, SYSTEM, tmp_path)


def test_with_hints_the_generation_allocator_needs_no_lemma(tmp_path: Path) -> None:
    system = load_system("kvm-vmid-generation")
    found = run(ProofRequest(system, "fixed", infer=240.0, without=(ALL_LEMMAS,)))
    assert found.verdict == "holds" and found.kind == "any-size" and len(found.properties) == 4
    assert proved_with_pasted(found, system, tmp_path)


def proved_with_pasted(found: ProofResult, system: type[System], folder: Path) -> bool:
    """Whether the found lemmas, printed and pasted into the system, prove the properties, with none besides but those that hold by
    construction."""
    assert found.inference is not None
    processes = {a.process for a in found.instance.system.actions if a.process is not None}
    lemmas = [show_lemma(p.name, c, processes) for p in found.inference.found for c in p.clauses]
    text = "\n\n".join("\n".join(f"    {line}" for line in lemma.splitlines()) for lemma in lemmas)
    file = folder / "pasted.py"
    head = f"from {system.__module__} import *\nfrom flushproof.model.language import *\n\n\n"
    file.write_text(f"{head}class Pasted({system.__name__}):\n{text}\n")
    knobs = found.instance.knobs
    again = instantiate(load_system(f"{file}:Pasted"), found.instance.policy, knobs, lemmas=True).system
    names = {p.name for p in found.inference.found}
    pasted = [p for p in again.lemmas if p.name in names or not written(p.name)]
    assert {p.name for p in pasted} >= names
    wanted = [p for p in again.properties if p.name in found.properties]
    return induction(again, wanted, (*pasted, *resting(again))).proved


def test_what_is_broken_is_not_proved_by_a_search() -> None:
    """`last-ran` is right only because the guest's TLBIs are broadcast."""
    system = instantiate(SYSTEM, "last-ran", {"fb": False}, lemmas=True).system
    bare = replace(system, lemmas=())
    stale = [p for p in bare.properties if p.name == "no-stale-hit"]
    assert not infer(bare, stale, samples(bare), effort=Effort(seconds=20.0)).proved


def test_a_lemma_that_does_not_exist_cannot_be_left_out() -> None:
    with pytest.raises(FlushproofError, match="'out-of-the-guest-it-is-not'"):
        run(ProofRequest(SYSTEM, "last-ran", without=("out-of-the-guest-it-is",)))
