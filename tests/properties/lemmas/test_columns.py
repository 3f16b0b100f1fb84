"""Many states at once: numpy and the interpreter agree on every property of every reachable state."""

from __future__ import annotations

import pytest
from flushproof.model.ir.terms import formula
from flushproof.properties.lemmas.columns import Columns
from flushproof.search.reference.interpreter import Reference

from tests.generated import instance as generated

from ..walks import reachable_states


@pytest.mark.parametrize("seed", range(80))
def test_columns_agree_with_the_interpreter(seed: int) -> None:
    instance = generated(seed, loose=True)
    reference = Reference(instance)
    states = reachable_states(reference)
    if not states:
        pytest.skip("no initial state")
    columns = Columns(instance, states)
    for prop in instance.system.properties:
        truths = columns.holds(formula(prop), {})
        assert truths.tolist() == [reference.holds(prop, s) for s in states]
