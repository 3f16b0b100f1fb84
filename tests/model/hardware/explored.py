"""What the tests of the parts ask of a small system."""

from __future__ import annotations

from typing import Any

from flushproof.model.ir.instance import Instance, State
from flushproof.model.language.declare import System
from flushproof.model.language.instantiate import instantiate
from flushproof.search.explore import explore


def violated(cls: type[System], knobs: dict[str, Any] | None = None, **sizes: int) -> set[str]:
    """Every property that the system violates, the built-in ones too, and whatever it should reach and does not."""
    instance = instantiate(cls, None, knobs, dict(sizes))
    found = set()
    for name in (*(p.name for p in instance.system.properties), "no-deadlock", "well-defined"):
        outcome = explore(instance, properties=[name])
        if outcome.verdict != "holds" or name in outcome.not_reached:
            found.add(name)
    return found


def states(instance: Instance) -> set[State]:
    """All reachable states, without symmetry."""
    found: set[State] = set()
    outcome = explore(instance, properties=[], symmetry=False, on_state=found.add)
    assert outcome.complete
    return found


def contents(instance: Instance, entry: str) -> set[tuple[State, tuple[int, ...]]]:
    """Each reachable state of the software, with each location of the map `entry` that may be true in it."""
    entries = [i for i, s in enumerate(instance.slots) if s.var == entry]
    rest = [i for i, s in enumerate(instance.slots) if s.var != entry]
    return {
        (tuple(state[i] for i in rest), instance.slots[i].index)
        for state in states(instance)
        for i in entries
        if state[i]
    }


def named(value: object) -> str:
    """A test's name from one of its parameters, the same in every process."""
    return "{" + ", ".join(sorted(value)) + "}" if isinstance(value, set) else str(value)
