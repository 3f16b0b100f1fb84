"""What never happens: what engines say of it, compared with a look at every step and every state."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from flushproof.model.ir import (
    BOOL,
    FALSE,
    TRUE,
    Action,
    Clause,
    EnumSort,
    Eq,
    Lit,
    Property,
    Read,
    StateVar,
    System,
    Update,
)
from flushproof.model.ir.instance import Instance
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.search.explore import explore
from flushproof.search.native.engine import NativeEngine
from flushproof.search.reductions.fusion import fuse_hidden
from flushproof.search.reference.breadth_first import ReferenceEngine
from flushproof.search.reference.interpreter import Reference
from flushproof.search.task import Engine, Limits
from flushproof.search.vacuity import Never

from tests.generated import instance

ENGINES: Mapping[str, Engine] = {
    "reference": ReferenceEngine(),
    "native": NativeEngine(),
    "two workers": NativeEngine(workers=2),
    "compact": NativeEngine(compact=True),
}
SWITCH = instantiate(load_system("kvm-vcpu-switch"), "last-ran")
CLOCK = instantiate(load_system("xen-tlbflush-clock"), "no-filter")
ICACHE = instantiate(load_system("kvm-icache"), "always")


def by_hand(inst: Instance) -> Never:
    """Every step out of every reachable state, and each check's guard in each, one after the other."""
    reference = Reference(inst)
    seen = set(reference.initial_states())
    queue, taken = list(seen), set()
    while queue:
        for action, _, after in reference.successors(queue.pop()):
            taken.add(action.name)
            if after not in seen:
                seen.add(after)
                queue.append(after)
    guards = {
        (p.name, n): reference.checker(Property("", (Clause(c.params, c.guard, FALSE),)))
        for p in inst.system.properties
        for n, c in enumerate(p.clauses)
        if p.kind == "invariant" and c.event is not None
    }
    came = {key for key, guard in guards.items() if any(guard(state) is not None for state in seen)}
    checks = {(p.name, n): c.event for p in inst.system.properties for n, c in enumerate(p.clauses)}
    events = {checks[key] for key in guards} - {checks[key] for key in came}
    by_events = [p for p in inst.system.properties if p.kind == "invariant" and all(c.event for c in p.clauses)]
    return Never(
        tuple(a.name for a in inst.system.actions if a.name not in taken),
        tuple(sorted(e for e in events if e)),
        tuple(p.name for p in by_events if not any(name == p.name for name, _ in came)),
    )


def found(inst: Instance, engine: str, **how: bool) -> Never | None:
    """What the engine says where nothing stops it early."""
    never = explore(inst, engine=ENGINES[engine], watch=True, focus="never-violated", **how).never  # type: ignore[arg-type]
    return never and Never(never.actions, tuple(sorted(never.events)), never.properties)


def unviolated(inst: Instance) -> Instance:
    """With a property that always holds, which a search can go on for when others are violated."""
    focus = Property("never-violated", (Clause((), TRUE, TRUE),))
    return replace(inst, system=replace(inst.system, properties=(*inst.system.properties, focus)))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("symmetry", [False, True])
@pytest.mark.parametrize("seed", range(24))
def test_generated_systems(seed: int, symmetry: bool, engine: str) -> None:
    inst = instance(seed)
    if not list(Reference(inst).initial_states()):
        pytest.skip("it has no initial state")
    assert found(unviolated(inst), engine, symmetry=symmetry) == by_hand(inst)


def test_generated_systems_have_both() -> None:
    """Some things never happen in them, and others do."""
    nevers = [by_hand(instance(seed)) for seed in range(24)]
    assert any(n.actions for n in nevers) and any(n.events for n in nevers) and any(n.properties for n in nevers)
    assert not all(n.actions for n in nevers)


@pytest.mark.parametrize("engine", ["native", "two workers"])
@pytest.mark.parametrize("inst", [SWITCH, CLOCK, ICACHE], ids=lambda inst: inst.system.name)
def test_shipped_systems(inst: Instance, engine: str) -> None:
    assert found(unviolated(inst), engine, symmetry=True) == by_hand(inst)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("inst", [SWITCH, CLOCK], ids=lambda inst: inst.system.name)
def test_of_what_is_fused_nothing_is_said(inst: Instance, engine: str) -> None:
    hidden = fuse_hidden(inst.system, inst.system.properties).hidden
    whole = by_hand(inst)
    fused = found(unviolated(inst), engine, fuse=True)
    assert fused is not None
    assert fused.actions == tuple(a for a in whole.actions if a not in hidden)
    assert (fused.events, fused.properties) == (whole.events, whole.properties)


def test_of_a_search_that_ended_early_nothing_is_said() -> None:
    assert explore(instantiate(load_system("kvm-vcpu-switch"), "none"), watch=True).never is None


def labels(count: int) -> Instance:
    """More steps than a search has bits for, each leading to the next; the last one's label is led to by none."""
    phase = EnumSort("Phase", tuple(f"p{n}" for n in range(count)))
    at = Read("at", (), phase)

    def step(n: int) -> Action:
        after = Lit(f"p{min(n + 1, count - 2)}", phase)
        return Action(f"step {n}", (), Eq(at, Lit(f"p{n}", phase)), (Update("at", (), (), TRUE, after),))

    steps = tuple(map(step, range(count)))
    variables = (StateVar("at", (), phase), StateVar("on", (), BOOL))
    return Instance(System("labels", "Labels", "", (), {}, variables, Action("init", (), TRUE, ()), steps, ()), {})


def test_what_a_search_has_no_room_for_is_counted() -> None:
    few, many = labels(20), labels(80)
    assert explore(few, engine=NativeEngine(), watch=True).never == Never(("step 19",))
    outcome = explore(many, engine=NativeEngine(), watch=True)
    assert outcome.never == Never() and outcome.unwatched == 80 - 63
    assert explore(many, watch=True).never == Never(("step 79",))


def test_a_resumed_search_remembers(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    engine = NativeEngine(checkpoint=folder)
    assert explore(CLOCK, engine=engine, watch=True, limits=Limits(depth=9)).never is None
    resumed = explore(CLOCK, engine=NativeEngine(checkpoint=folder, resume=True), watch=True)
    assert resumed.never == explore(CLOCK, engine=NativeEngine(), watch=True).never
