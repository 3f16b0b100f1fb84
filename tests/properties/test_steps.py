"""All steps in one question: the same answers as one question for each action, and steps that are what they claim."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flushproof.properties.columns import Columns
from flushproof.properties.conjuncts import conjuncts
from flushproof.properties.counterexample import SmallInduction
from flushproof.properties.steps import Steps

from tests.generated import instance as generated


@pytest.mark.parametrize("more", [0, 1])
@pytest.mark.parametrize("seed", range(25))
def test_the_same_conjuncts_are_kept_as_action_by_action(seed: int, more: int) -> None:
    instance = generated(seed)
    instance = replace(instance, sizes={name: size + more for name, size in instance.sizes.items()})
    parts = list(conjuncts(instance.system.properties, "property"))
    steps, small = Steps(instance), SmallInduction(instance, parts)
    for part in parts:
        core = steps.keep(part, parts)
        broken = [a.name for a in instance.system.actions if small.breaks(a, part) is not None]
        assert (core is None) == bool(broken), (part.name, broken)
        if core is None:
            step = steps.breaking(part)
            assert step.action.name in broken
            before, after = Columns(instance, [step.before]), Columns(instance, [step.after])
            assert all(before.holds(p.formula, {}).all() for p in parts)
            assert not after.holds(part.formula, {}).any()
