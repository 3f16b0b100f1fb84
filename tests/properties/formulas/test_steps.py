"""All steps in one question: the same answers as one question for each action, and steps that are what they claim."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import z3  # type: ignore[import-untyped]
from flushproof.properties.formulas.conjuncts import conjuncts
from flushproof.properties.formulas.solver import OutOfTime
from flushproof.properties.formulas.steps import Steps
from flushproof.properties.induction.counterexample import SmallInduction
from flushproof.properties.lemmas.columns import Columns
from flushproof.properties.lemmas.vocabulary import Vocabulary, usual_variables

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


@pytest.mark.parametrize("seed", range(25))
def test_a_step_is_what_its_choices_and_its_state_make_it(seed: int) -> None:
    """Whatever step Z3 comes upon, also one that chooses None."""
    instance = generated(seed)
    parts = list(conjuncts(instance.system.properties, "property"))
    for number in range(6):
        steps = Steps(instance)
        steps.solver.set("random_seed", number)
        for part in parts:
            if steps.keep(part, parts) is None:
                assert len(steps.breaking(part).kept) <= len(instance.slots)


@pytest.mark.parametrize("seed", range(25))
def test_what_is_implied_is_what_nothing_contradicts(seed: int) -> None:
    """All claims at once, against one question for each."""
    instance = generated(seed)
    parts = list(conjuncts(instance.system.properties, "property"))
    steps = Steps(instance)
    broken = next((p for p in parts if steps.keep(p, parts) is None), None)
    if broken is None:
        pytest.skip("nothing is broken")
    step = steps.breaking(broken)
    assert steps.keep(broken, parts) is None, "looking at a step changes nothing"
    variables = usual_variables(instance.system, 1)
    env = dict.fromkeys(variables, 0)
    before = Columns(instance, [step.before])
    features = Vocabulary(instance.system).features(variables)
    claims = [(f.values[int(f.codes(before, env)[0])], env) for f in features]
    every = [i for i, claim in enumerate(claims) if steps.implied(step, parts, [claim])]
    assert steps.implied(step, parts, claims) == every


QUESTIONS: dict[str, Callable[[Steps], object]] = {
    "keep": lambda steps: steps.keep(next(conjuncts(steps.instance.system.properties, "property")), []),
    "other": lambda steps: steps.other((0,) * len(steps.instance.slots), []),
}


@pytest.mark.parametrize(("why", "raised"), [("interrupted from keyboard", KeyboardInterrupt), ("timeout", OutOfTime)])
@pytest.mark.parametrize("question", QUESTIONS)
def test_what_z3_does_not_answer_is_no_answer(
    question: str, why: str, raised: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Z3 takes Ctrl-C for itself while it works, and says "unknown"."""
    steps = Steps(generated(0))
    monkeypatch.setattr(z3.Solver, "check", lambda *_: z3.unknown)
    monkeypatch.setattr(z3.Solver, "reason_unknown", lambda _: why)
    with pytest.raises(raised):
        QUESTIONS[question](steps)
