"""Step fusion changes no verdict, on systems with a process; and it does fuse something."""

import itertools

import pytest
from flushproof.model.ir import (
    BOOL,
    FALSE,
    TRUE,
    Action,
    And,
    Clause,
    EnumSort,
    Eq,
    Expr,
    Lit,
    Not,
    Obligation,
    Property,
    Quant,
    Read,
    StateVar,
    System,
    Update,
    Var,
)
from flushproof.model.ir.instance import Instance, State
from flushproof.search.explore import explore
from flushproof.search.reductions.fusion import fuse_hidden
from flushproof.search.reference.interpreter import Codes, Reference

from tests.generated import CPU, instance
from tests.search.brute_force import is_violated
from tests.search.test_explore import check_trace

SEEDS = range(60)


def steps(reference: Reference, state: State) -> dict[tuple[str, Codes], State]:
    return {(action.name, codes): after for action, codes, after in reference.successors(state)}


def first_states(reference: Reference, count: int) -> list[State]:
    """States in breadth-first order."""
    found = dict.fromkeys(itertools.islice(reference.initial_states(), 10))
    queue = list(found)
    for state in queue:
        if len(queue) >= count:
            break
        new = {after for _, _, after in reference.successors(state)} - found.keys()
        found.update(dict.fromkeys(sorted(new)))
        queue += sorted(new)
    return queue[:count]


@pytest.mark.parametrize("seed", SEEDS)
def test_hidden_steps_are_hidden(seed: int) -> None:
    """By the definition, in every reachable state: they commute with all that is possible, and what is violated stays so."""
    inst = instance(seed, process=True)
    hidden = fuse_hidden(inst.system, inst.system.properties).hidden
    reference = Reference(inst)
    for state in first_states(reference, 40) if hidden else ():
        here = steps(reference, state)
        for step, after in here.items():
            if step[0] in hidden:
                there = steps(reference, after)
                for other, beside in here.items():
                    if other != step:
                        assert steps(reference, beside)[step] == there[other]
                assert violated(inst, state) <= violated(inst, after)


@pytest.mark.parametrize("seed", SEEDS)
def test_fused_steps_are_one_step_and_hidden_ones(seed: int) -> None:
    inst = instance(seed, process=True)
    fused = fuse_hidden(inst.system, inst.system.properties)
    reference, fusing = Reference(inst), Reference(Instance(fused.system, inst.sizes))
    for state in first_states(reference, 40) if fused.hidden else ():
        here, there = steps(reference, state), steps(fusing, state)
        assert here.keys() == there.keys()
        for step, after in here.items():
            assert there[step] in after_hidden(reference, after, fused.hidden)


def violated(inst: Instance, state: State) -> set[tuple[str, int, tuple[int, ...]]]:
    return {
        (prop.name, number, codes)
        for prop in inst.system.properties
        for number, clause in enumerate(prop.clauses)
        for codes in inst.assignments(tuple(p.of for p in clause.params))
        if is_violated(inst, clause, codes, state)
    }


def after_hidden(reference: Reference, state: State, hidden: tuple[str, ...]) -> set[State]:
    """The state, and all that hidden steps lead to from it."""
    found = [state]
    for known in found:
        found += {after for (name, _), after in steps(reference, known).items() if name in hidden} - set(found)
    return set(found)


@pytest.mark.parametrize("seed", SEEDS)
def test_fusion_changes_no_verdict(seed: int) -> None:
    inst, symmetry = instance(seed, process=True), seed % 2 == 0
    invariants = [p.name for p in inst.system.properties if p.kind == "invariant"]
    for name in [*invariants, "no-deadlock", "well-defined"]:
        plain = explore(inst, properties=[name], symmetry=symmetry)
        fused = explore(inst, properties=[name], symmetry=symmetry, fuse=True)
        assert plain.verdict == fused.verdict
        assert fused.states <= plain.states or plain.violations
        for violated in fused.violations:
            check_trace(violated.trace)
            assert len(violated.trace.steps) >= len(plain.violations[0].trace.steps)
    reachables = [p.name for p in inst.system.properties if p.kind == "reachable"]
    plain = explore(inst, properties=reachables, symmetry=symmetry)
    fused = explore(inst, properties=reachables, symmetry=symmetry, fuse=True)
    assert plain.reached.keys() == fused.reached.keys()
    assert fused.states <= plain.states


def test_something_is_fused() -> None:
    """Else the test above shows nothing."""
    reduced = 0
    for seed in SEEDS:
        inst = instance(seed, process=True)
        plain, fused = explore(inst, properties=[]), explore(inst, properties=[], fuse=True)
        assert (fused.states < plain.states) <= bool(fused.fused)
        reduced += fused.states < plain.states
    assert reduced > len(SEEDS) / 5


def test_what_a_property_sees_is_not_hidden() -> None:
    for seed in SEEDS:
        inst = instance(seed, process=True)
        unseen = fuse_hidden(inst.system, ())
        assert set(fuse_hidden(inst.system, inst.system.properties).hidden) <= set(unseen.hidden)


# ------------------------------------------------------------------------------------------------- one rule at a time

LABEL = EnumSort("Label", ("HERE", "THERE"))
cpu, other = Var("cpu", CPU), Var("other", CPU)


def local(of: Expr) -> Expr:
    return Read("local", (of,), BOOL)


def at(of: Var, label: str) -> Expr:
    return Eq(Read("pc", (of,), LABEL), Lit(label, LABEL))


def goes(label: str) -> Update:
    return Update("pc", (), (cpu,), TRUE, Lit(label, LABEL))


def sets(of: Expr, value: Expr, binders: tuple[Var, ...] = ()) -> Update:
    return Update("local", binders, (of,), TRUE, value)


def hidden_beside(*others: Action, step: Action | None = None, clause: Clause | None = None) -> bool:
    """Whether a step from HERE to THERE is hidden, which flips the CPU's local variable unless told otherwise."""
    step = step or Action("step", (cpu,), at(cpu, "HERE"), (goes("THERE"), sets(cpu, Not(local(cpu)))))
    back = Action("back", (cpu,), at(cpu, "THERE"), (goes("HERE"),))
    variables = (StateVar("pc", (CPU,), LABEL), StateVar("local", (CPU,), BOOL))
    properties = (Property("p", (clause,)),) if clause else ()
    init = Action("init", (), TRUE, ())
    system = System("hand", "", "", (CPU,), {"Cpu": 2}, variables, init, (step, back, *others), properties)
    return "step" in fuse_hidden(system, properties).hidden


def test_a_step_of_its_own_is_hidden() -> None:
    assert hidden_beside()
    assert hidden_beside(Action("elsewhere", (cpu,), at(cpu, "THERE"), (sets(cpu, FALSE),)))
    assert hidden_beside(clause=Clause((cpu,), at(cpu, "THERE"), local(cpu)))


@pytest.mark.parametrize(
    "rival",
    [
        Action("anyone", (cpu,), TRUE, (sets(cpu, FALSE),)),
        Action("same label", (cpu,), at(cpu, "HERE"), (sets(cpu, FALSE),)),
        Action("of another", (cpu, other), at(cpu, "THERE"), (sets(other, FALSE),)),
        Action("of all", (cpu,), at(cpu, "THERE"), (sets(other, FALSE, (other,)),)),
        Action("of all, by the same name", (cpu,), at(cpu, "THERE"), (sets(cpu, FALSE, (cpu,)),)),
        Action("reads", (cpu, other), And((at(cpu, "THERE"), local(other))), ()),
        Action("reads all", (cpu,), And((at(cpu, "THERE"), Quant("forall", cpu, local(cpu)))), ()),
    ],
    ids=lambda action: action.name,
)
def test_what_another_touches_is_not_hidden(rival: Action) -> None:
    assert not hidden_beside(rival)


def test_what_is_read_must_not_be_written_by_another() -> None:
    reads = Action("step", (cpu,), And((at(cpu, "HERE"), local(cpu))), (goes("THERE"),))
    assert hidden_beside(step=reads)
    assert not hidden_beside(Action("writes", (cpu,), TRUE, (sets(cpu, FALSE),)), step=reads)
    assert hidden_beside(Action("only reads", (cpu, other), And((at(cpu, "THERE"), local(other))), ()), step=reads)


@pytest.mark.parametrize(
    "clause",
    [
        Clause((cpu,), TRUE, local(cpu)),
        Clause((cpu,), at(cpu, "HERE"), local(cpu)),
        Clause((), TRUE, Quant("exists", cpu, at(cpu, "THERE"))),
        Clause((cpu,), at(cpu, "THERE"), Quant("exists", cpu, local(cpu))),
    ],
)
def test_what_a_property_reads_is_not_hidden(clause: Clause) -> None:
    assert not hidden_beside(clause=clause)


def test_choices_debts_and_others_are_not_hidden() -> None:
    here, moves = at(cpu, "HERE"), (goes("THERE"),)
    assert hidden_beside(step=Action("step", (cpu,), here, moves))
    assert not hidden_beside(step=Action("step", (cpu, other), here, moves))
    assert not hidden_beside(step=Action("step", (cpu,), here, moves, obligations=(Obligation(here, FALSE, ""),)))
    assert not hidden_beside(step=Action("step", (cpu,), here, (*moves, sets(other, FALSE, (other,)))))
    assert not hidden_beside(step=Action("step", (cpu,), And((here, Quant("exists", cpu, local(cpu)))), moves))
