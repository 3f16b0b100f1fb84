"""The interpreter against the tree-walking evaluator, on generated systems."""

import itertools
from dataclasses import replace

import pytest
from flushproof.model.ir import TRUE, Action, And, Eq, Expr, Ite, Lit, Not, Or, Property, Quant, Update
from flushproof.model.ir.evaluate import costs, decode, evaluate, initial_states, renamed, transitions
from flushproof.model.ir.instance import Instance, State
from flushproof.search.reference import python_source
from flushproof.search.reference.interpreter import Reference

from tests.generated import instance
from tests.search.handwritten import PHASE, cpu, is_at, lock, other, phase


def some_states(reference: Reference, count: int = 12) -> list[State]:
    """Some of the first states in breadth-first order."""
    found = list(dict.fromkeys(itertools.islice(reference.initial_states(), 5)))
    for state in found:
        if len(found) >= count:
            break
        found += {after for _, _, after in itertools.islice(reference.successors(state), 20)} - set(found)
    return found[:count]


def slow_violation(inst: Instance, prop: Property, state: State):
    for number, clause in enumerate(prop.clauses):
        for codes in inst.assignments(tuple(p.of for p in clause.params)):
            env = {p: decode(p.of, c) for p, c in zip(clause.params, codes, strict=True)}
            if evaluate(clause.guard, env, state, inst) and not evaluate(clause.expr, env, state, inst):
                return number, codes
    return None


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("loose", [False, True])
@pytest.mark.parametrize("seed", range(60))
def test_interpreter_agrees_with_evaluator(seed: int, loose: bool, cut: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """cut: expressions are cut into assignments as soon as they nest, no quantifier is unrolled, and no function has two loops."""
    if cut:
        monkeypatch.setattr(python_source, "_DEEPEST", 2)
        monkeypatch.setattr(python_source, "_UNROLLED", 0)
        monkeypatch.setattr(python_source, "_MOST_LOOPS", 1)
    inst = instance(seed, loose)
    reference = Reference(inst)
    assert set(itertools.islice(reference.initial_states(), 200)) == set(itertools.islice(initial_states(inst), 200))
    for state in some_states(reference):
        assert renamed(state, inst) == state
        expected = [(a, codes, after) for a in inst.system.actions for codes, after in transitions(a, state, inst)]
        assert list(reference.successors(state)) == expected
        for action, codes, _ in expected:
            assert list(reference.costs(action, codes, state)) == list(costs(action, codes, state, inst))
        assert all(type(code) is int for _, _, after in expected for code in after)
        assert reference.is_final(state) == evaluate(inst.system.final, {}, state, inst)
        for prop in inst.system.properties:
            found = reference.checker(prop)(state)
            assert (found and (found.clause, found.witness)) == slow_violation(inst, prop, state)


def test_deep_expressions_compile() -> None:
    """Far deeper than Python's parser takes in one line."""
    expr: Expr = TRUE
    for _ in range(80):
        expr = Not(And((expr, Or((expr, TRUE)))))
    inst = lock(1)
    assert eval_closed(inst, expr) is True
    chain: Expr = Lit("IDLE", PHASE)
    for _ in range(150):
        chain = Ite(Eq(phase(cpu), Lit("IDLE", PHASE)), Lit("WAITING", PHASE), chain)
    step = Action("deep", (cpu,), TRUE, (Update("phase", (), (cpu,), TRUE, chain),))
    deep = Instance(replace(inst.system, actions=(step,)), inst.sizes)
    assert [after for _, _, after in Reference(deep).successors((0, 0))] == [(1, 0)]


@pytest.mark.parametrize("count", [16, 21, 45])
def test_a_step_may_have_more_parameters_than_python_nests_loops(count: int) -> None:
    inst = lock(1)
    params = tuple(replace(cpu, name=f"cpu{i}") for i in range(count))
    guard = And(tuple(Eq(phase(p), Lit("IDLE", PHASE)) for p in params))
    step = Action("wide", params, guard, (Update("phase", (), (params[-1],), TRUE, Lit("WAITING", PHASE)),))
    wide = Instance(replace(inst.system, actions=(step,)), inst.sizes)
    assert [after for _, _, after in Reference(wide).successors((0, 0))] == [(1, 0)]


def eval_closed(inst: Instance, expr: Expr) -> bool:
    return Reference(Instance(replace(inst.system, final=expr), inst.sizes)).is_final((0, 0))


def test_shared_values_stay_in_their_loops() -> None:
    """Two updates bind the same variable, and so does a quantifier inside; what they share is computed for each."""
    at_home = is_at(other, "IDLE")
    shared = And((Or((at_home, Eq(phase(other), phase(other)))), at_home, Or((at_home, Not(at_home)))))
    hidden = And((at_home, Not(Quant("forall", other, at_home)), Or((at_home, at_home))))
    nested = Or((Quant("exists", other, at_home), And((at_home, at_home))))
    updates = tuple(
        Update("phase", (other,), (other,), cond, Lit(value, PHASE))
        for cond, value in ((shared, "WAITING"), (And((shared, nested)), "INSIDE"), (hidden, "WAITING"))
    )
    inst = lock(3)
    step = Action("all", (), TRUE, updates)
    inst = Instance(replace(inst.system, actions=(step,)), inst.sizes)
    for state in itertools.product(range(3), range(3), range(3), [0]):
        expected = [(step, codes, after) for codes, after in transitions(step, state, inst)]
        assert list(Reference(inst).successors(state)) == expected
