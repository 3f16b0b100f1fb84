"""asidalloc.tla: as many states as TLC finds, and what CnP asks for."""

from __future__ import annotations

import pytest
from flushproof.model.language.instantiate import instantiate
from flushproof.model.systems.tla_asidalloc import TlaAsidalloc
from flushproof.search.explore import explore
from flushproof.search.native.engine import NativeEngine

from tests.model.language.agree import agreed

from .verdicts import Cell, cells, found, verdict

EMPTY, ALL, ACTIVE = "TLBEmptyInvalPTE", "UniqueASIDAllCPUs", "UniqueASIDActiveTask"
SPECS = {"cpu": 2, "task": 4, "asid": 4}
"""The smallest with two CPUs that the spec's ASSUME allows, and that roll over."""


@pytest.mark.parametrize("cell", cells(TlaAsidalloc), ids=str)
def test_promised_verdict(cell: Cell) -> None:
    assert verdict(found(TlaAsidalloc, cell)) == cell.expect.verdict


@pytest.mark.parametrize(
    ("policy", "bound", "states"),
    [("spec", 1, 110_084), ("spec-cnp", 1, 107_648)],
)
def test_as_many_states_as_tlc(policy: str, bound: int, states: int) -> None:
    """With one CPU, 3 tasks, 3 ASIDs, and a VIEW that hides locals which no later step reads (`benchmarks.specs` runs both)."""
    inst = instantiate(TlaAsidalloc, policy)
    outcome = explore(inst, properties=[], symmetry=False, bound=bound, engine=NativeEngine())
    assert outcome.states == states


def test_the_flush_of_all_tlbs_fills_in_what_is_unmapped() -> None:
    """The CPU that rolls over refills, for another one, an entry of which the page table entry is not mapped."""
    inst = instantiate(TlaAsidalloc, "spec-cnp", {}, {"cpu": 2})
    outcome = explore(inst, focus=EMPTY, engine=NativeEngine())
    assert outcome.property == EMPTY and outcome.trace is not None
    labels = [s.action.partition(": ")[2] for s in outcome.trace.steps]
    last = max(i for i, label in enumerate(labels) if label == "tlb_flush_pending")
    assert labels.index("pte_clear") < last


@pytest.mark.parametrize(
    ("policy", "property", "steps"),
    [("cnp-local-flush", ALL, 51), ("cnp-keeps-ttbr0", ALL, 51), ("cnp-keeps-ttbr0", ACTIVE, 51)],
)
def test_what_cnp_needs_at_the_specs_sizes(policy: str, property: str, steps: int) -> None:
    inst = instantiate(TlaAsidalloc, policy, {"unmapping": False}, SPECS)
    outcome = explore(inst, properties=[property], engine=NativeEngine())
    assert outcome.trace is not None and len(outcome.trace.steps) == steps


def test_symmetry_changes_no_verdict() -> None:
    inst = instantiate(TlaAsidalloc, "spec")
    plain, orbits = (explore(inst, symmetry=s, engine=NativeEngine()) for s in (False, True))
    assert plain.verdict == orbits.verdict == "holds"
    assert orbits.states < plain.states


def test_python_and_the_ir_agree() -> None:
    for policy in ("spec", "spec-cnp", "cnp-walks-ptes"):
        assert agreed(TlaAsidalloc, policy, {"Cpu": 2, "Task": 3, "Asid": 3})
