"""vmidalloc.tla: as many states as TLC finds, and when UniqueVMIDPerCPU breaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from flushproof.model.language.instantiate import instantiate
from flushproof.model.systems.tla_vmidalloc import Put, TlaVmidalloc
from flushproof.search.explore import explore
from flushproof.search.native.engine import NativeEngine
from flushproof.search.outcome import Outcome

from tests.model.language.agree import agreed

from .verdicts import Cell, cells, found, verdict

PER_CPU, SAME = "UniqueVMIDPerCPU", "SameVMIDActiveTask"
SPECS = {"task": 4, "vmid": 4}
"""The smallest with two CPUs that the spec's ASSUME allows, and that roll over."""


def search(
    policy: str, knobs: Mapping[str, Any], sizes: Mapping[str, int], properties: Sequence[str] | None = None
) -> Outcome:
    return explore(instantiate(TlaVmidalloc, policy, knobs, sizes), properties=properties, engine=NativeEngine())


@pytest.mark.parametrize("cell", cells(TlaVmidalloc), ids=str)
def test_promised_verdict(cell: Cell) -> None:
    assert verdict(found(TlaVmidalloc, cell)) == cell.expect.verdict


@pytest.mark.parametrize(
    ("policy", "sizes", "states"),
    [
        ("tip", {"cpu": 2, "task": 3, "vmid": 4}, 645_076),
        ("tip", {"cpu": 1, "task": 4, "vmid": 3}, 123_137),
        ("first", {"cpu": 1, "task": 4, "vmid": 3}, 53_962),
        ("put", {"cpu": 1, "task": 4, "vmid": 3}, 24_773),
    ],
)
def test_as_many_states_as_tlc(policy: str, sizes: dict[str, int], states: int) -> None:
    """With GENERATIONS = 3, and a VIEW that hides locals which no later step reads (`benchmarks.specs` runs both)."""
    inst = instantiate(TlaVmidalloc, policy, {}, sizes)
    outcome = explore(inst, properties=[], symmetry=False, bound=2, engine=NativeEngine())
    assert outcome.states == states


@pytest.mark.parametrize(
    ("policy", "knobs", "steps"),
    [
        ("tip", {}, 53),
        ("first", {}, 53),
        ("put", {"walkable": True}, 49),
        ("put-deferred", {}, 58),
        ("first", {"put": Put.ANY_TIME}, 49),
    ],
)
def test_shortest_traces_at_the_specs_sizes(policy: str, knobs: dict[str, Any], steps: int) -> None:
    outcome = search(policy, knobs, SPECS, [PER_CPU])
    assert outcome.trace is not None and len(outcome.trace.steps) == steps


def test_the_flush_of_a_rollover_fills_in_what_it_frees() -> None:
    """In `tip` the CPU that hits still names the old VM while the new one's id is active; the rollover is another CPU's."""
    outcome = search("tip", {}, SPECS, [PER_CPU])
    assert outcome.trace is not None
    steps = [(s.action.partition(": ")[2], s.binding["cpu"]) for s in outcome.trace.steps]
    rollover = next(i for i, (label, _) in enumerate(steps) if label == "new_vmid_out_of_vmids")
    hit = steps[-1][1]
    assert steps[rollover][1] != hit
    before = [label for label, cpu in steps[:rollover] if cpu == hit]
    assert before.count("fast_path") == 1 and before[-1] == "set_active_vmids"


def test_with_put_it_holds_through_any_number_of_rollovers_with_cnp_too() -> None:
    outcome = search("put", {"cnp": True}, {"cpu": 2, "task": 3, "vmid": 3})
    assert verdict(outcome) == "holds"
    assert (outcome.states, outcome.transitions, outcome.depth) == (615_910, 1_271_636, 212)


def test_the_first_commit_holds_with_deferred_flushes_as_its_message_says() -> None:
    outcome = search("first-deferred", {}, {}, [PER_CPU, SAME])
    assert (outcome.verdict, outcome.states) == ("holds", 362_300)


def test_symmetry_changes_no_verdict() -> None:
    sizes = {"cpu": 1, "task": 4, "vmid": 3}
    for policy in ("put", "tip", "first"):
        inst = instantiate(TlaVmidalloc, policy, {}, sizes)
        plain, orbits = (explore(inst, symmetry=s, engine=NativeEngine()) for s in (False, True))
        assert plain.verdict == orbits.verdict == "holds"
        assert orbits.states < plain.states


def test_python_and_the_ir_agree() -> None:
    for policy in ("tip", "first-meant", "put-deferred"):
        assert agreed(TlaVmidalloc, policy, {"Cpu": 2, "Task": 3, "Vmid": 3})
