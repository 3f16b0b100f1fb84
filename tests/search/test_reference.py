"""The interpreter against the tree-walking evaluator, on generated systems."""

import itertools

import pytest
from flushproof.model.language.evaluate import decode, evaluate, initial_states, renamed, transitions
from flushproof.model.language.instance import Instance, State
from flushproof.model.language.ir import Property
from flushproof.search.reference import Reference

from tests.generated import instance


def some_states(reference: Reference, count: int = 12) -> list[State]:
    """The first states in breadth-first order."""
    found = dict.fromkeys(itertools.islice(reference.initial_states(), 5))
    for state in itertools.islice(iter_growing(found), count):
        found.update((after, None) for _, _, after in itertools.islice(reference.successors(state), 20))
    return list(found)[:count]


def iter_growing(found: dict[State, None]):
    position = 0
    while position < len(found):
        yield list(found)[position]
        position += 1


def slow_violation(inst: Instance, prop: Property, state: State):
    for number, clause in enumerate(prop.clauses):
        for codes in inst.assignments(tuple(p.of for p in clause.params)):
            env = {p: decode(p.of, c) for p, c in zip(clause.params, codes, strict=True)}
            if evaluate(clause.guard, env, state, inst) and not evaluate(clause.expr, env, state, inst):
                return number, codes
    return None


@pytest.mark.parametrize("loose", [False, True])
@pytest.mark.parametrize("seed", range(60))
def test_interpreter_agrees_with_evaluator(seed: int, loose: bool) -> None:
    inst = instance(seed, loose)
    reference = Reference(inst)
    assert set(itertools.islice(reference.initial_states(), 200)) == set(itertools.islice(initial_states(inst), 200))
    for state in some_states(reference):
        assert renamed(state, inst) == state
        expected = [(a, codes, after) for a in inst.system.actions for codes, after in transitions(a, state, inst)]
        assert list(reference.successors(state)) == expected
        assert all(type(code) is int for _, _, after in expected for code in after)
        assert reference.is_final(state) == evaluate(inst.system.final, {}, state, inst)
        for prop in inst.system.properties:
            found = reference.checker(prop)(state)
            assert (found and (found.clause, found.witness)) == slow_violation(inst, prop, state)
