"""Z3's decision on projections agrees with the interpreter."""

from __future__ import annotations

import pytest
from flushproof.properties.confirmation.decide import decide, reads_slots
from flushproof.search.reference.interpreter import Reference

from tests.generated import instance as generated

from ..walks import reachable_states


@pytest.mark.parametrize("seed", range(40))
def test_the_decision_agrees_with_the_interpreter(seed: int) -> None:
    instance = generated(seed, loose=True)
    reference = Reference(instance)
    reachable = reachable_states(reference)
    for prop in instance.system.properties:
        slots = reads_slots(instance, prop)
        projections = sorted({tuple(state[s] for s in slots) for state in reachable})
        found = decide(instance, prop, projections)
        good = [reference.holds(prop, state) for state in reachable]
        assert found.holds == (all(good) if prop.kind == "invariant" else any(good))
        if found.projection is not None:
            example = [s for s in reachable if tuple(s[i] for i in slots) == found.projection]
            assert example, "the violating projection is one of those that were given"
            assert all(reference.holds(prop, s) == (prop.kind == "reachable") for s in example)
