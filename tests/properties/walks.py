"""Random walks through an instance, as traces."""

from __future__ import annotations

import random
from dataclasses import replace

from flushproof.model.ir import FALSE, TRUE, Clause, Property
from flushproof.model.ir.instance import Instance
from flushproof.model.ir.trace import Step, Trace
from flushproof.search.reference.interpreter import Reference

NEVER = Property("never", (Clause((), TRUE, FALSE),))


def with_property(instance: Instance, prop: Property) -> Instance:
    """The instance with one more property."""
    return replace(instance, system=replace(instance.system, properties=(*instance.system.properties, prop)))


def random_walk(instance: Instance, rng: random.Random, length: int) -> Trace | None:
    """A trace of at most so many steps that ends by violating the property `never`, which nothing satisfies."""
    instance = with_property(instance, NEVER)
    reference = Reference(instance)
    starts = sorted(set(reference.initial_states()))
    if not starts:
        return None
    state = initial = rng.choice(starts)
    steps = []
    for _ in range(length):
        choices = list(reference.successors(state))
        if not choices:
            break
        action, codes, state = rng.choice(choices)
        steps.append(Step(action.name, dict(zip((p.name for p in action.params), codes, strict=True)), state))
    return Trace(instance, initial, tuple(steps), "never", 0, {})


def reachable_states(reference: Reference) -> list[tuple[int, ...]]:
    """All reachable states."""
    seen = set(reference.initial_states())
    frontier = sorted(seen)
    while frontier:
        found = {after for state in frontier for _, _, after in reference.successors(state)} - seen
        seen |= found
        frontier = sorted(found)
    return sorted(seen)
