"""Z3 confirms true traces and refutes corrupted ones."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from flushproof.model.ir import (
    BOOL,
    TRUE,
    Action,
    Clause,
    CounterSort,
    Lit,
    OptionSort,
    Property,
    Read,
    Scalarset,
    StateVar,
    System,
    Update,
    Var,
)
from flushproof.model.ir.instance import Instance
from flushproof.model.ir.terms import and_, eq, is_none, less, not_, some
from flushproof.model.ir.trace import Step, Trace, walked
from flushproof.properties.confirmation.certify import certify
from flushproof.search.reference.interpreter import Reference

from tests.generated import instance as generated

from ..walks import random_walk

CPU, VM, GEN = Scalarset("Cpu"), Scalarset("Vm"), CounterSort("Gen")
cpu, vm, new = Var("cpu", CPU), Var("vm", VM), Var("new", GEN)
running, stamp, dirty = Read("running", (cpu,), OptionSort(VM)), Read("stamp", (vm,), GEN), Read("dirty", (vm,), BOOL)


def system(cpus: int = 2, vms: int = 2) -> Instance:
    """VMs enter CPUs, get new numbers, and must not run with the number 0."""
    enter = Action("enter", (cpu, vm), is_none(running), (Update("running", (), (cpu,), TRUE, some(vm)),), cpu=cpu)
    leave = Action(
        "leave",
        (cpu,),
        not_(is_none(running)),
        (Update("running", (), (cpu,), TRUE, Lit(None, OptionSort(VM))), Update("dirty", (vm,), (vm,), TRUE, TRUE)),
        cpu=cpu,
    )
    renumber = Action("renumber", (vm,), TRUE, (Update("stamp", (), (vm,), TRUE, new),), fresh=(new,))
    clause = Clause(
        (cpu, vm), eq(running, some(vm)), less(Lit(0, GEN), stamp), event="run", cpu=cpu, message="{vm} runs unnumbered"
    )
    return Instance(
        System(
            "numbers",
            "Numbers",
            "",
            (CPU, VM, GEN),
            {"Cpu": cpus, "Vm": vms},
            (
                StateVar("running", (CPU,), OptionSort(VM)),
                StateVar("stamp", (VM,), GEN),
                StateVar("dirty", (VM,), BOOL),
            ),
            Action("init", (), TRUE, ()),
            (enter, leave, renumber),
            (Property("numbered", (clause,)),),
        ),
        {"Cpu": cpus, "Vm": vms},
    )


def example() -> Trace:
    """vm0 gets a number and enters and leaves, vm1 enters without one; slots: running[2], stamp[2], dirty[2]."""
    steps = (
        Step("renumber", {"vm": 0}, (0, 0, 1, 0, 0, 0)),
        Step("enter", {"cpu": 0, "vm": 0}, (1, 0, 1, 0, 0, 0)),
        Step("leave", {"cpu": 0}, (0, 0, 1, 0, 1, 1)),
        Step("renumber", {"vm": 0}, (0, 0, 1, 0, 1, 1)),
        Step("enter", {"cpu": 1, "vm": 1}, (0, 2, 1, 0, 1, 1)),
        Step("run", {"cpu": 1, "vm": 1}, (0, 2, 1, 0, 1, 1), event=True),
    )
    return Trace(system(), (0, 0, 0, 0, 0, 0), steps, "numbered", 0, {"cpu": 1, "vm": 1})


def changed(trace: Trace, number: int, **what: object) -> Trace:
    steps = list(trace.steps)
    steps[number] = replace(steps[number], **what)  # type: ignore[arg-type]
    return replace(trace, steps=tuple(steps))


def test_a_true_trace_is_certified() -> None:
    certificate = certify(example())
    assert certificate.ok, certificate


@pytest.mark.parametrize(
    ("trace", "step", "reason"),
    [
        (replace(example(), initial=(0, 0, 0, 0, 1, 0)), 0, "initial"),
        (changed(example(), 1, binding={"cpu": 1, "vm": 0}), 2, "lead"),
        (changed(example(), 1, action="leave"), 2, "values"),
        (changed(example(), 1, action="jump"), 2, "no action"),
        (changed(example(), 2, binding={"cpu": 1}), 3, "guard"),
        (changed(example(), 2, state=(0, 0, 1, 0, 1, 0)), 3, "lead"),
        (changed(example(), 2, state=(0, 0, 1, 1, 1, 1)), 3, "lead"),
        (changed(example(), 2, state=(0, 0, 0, 0, 1, 1)), 3, "lead"),
        (changed(example(), 2, state=(0, 0, 1, 0, 1)), 3, "slots"),
        (changed(example(), 2, state=(0, 0, 1, 0, 1, 2)), 3, "code"),
        (changed(example(), 5, state=(0, 2, 1, 0, 1, 0)), 6, "changes"),
        (changed(example(), 5, binding={"cpu": 0, "vm": 1}), 6, "not possible"),
        (changed(example(), 5, action="walk"), 6, "not an event"),
        (replace(example(), witness={"cpu": 0, "vm": 1}), 6, "another event"),
        (replace(example(), steps=example().steps[:5], witness={"cpu": 0, "vm": 1}), 5, "does not violate"),
        (replace(example(), steps=example().steps[:2], witness={"cpu": 0, "vm": 0}), 2, "does not violate"),
        (replace(example(), property="numbered-well"), 6, "not an event"),
        (replace(example(), clause=1), 6, "no clause"),
        (replace(example(), steps=example().steps[:5], property="no-deadlock"), 5, "possible"),
    ],
)
def test_a_corrupted_trace_is_refuted(trace: Trace, step: int, reason: str) -> None:
    certificate = certify(trace)
    assert not certificate.ok
    assert certificate.step == step
    assert reason in certificate.reason


def test_a_walk_is_certified_step_by_step_and_claims_nothing() -> None:
    trace = example()
    walk = walked(trace.instance, trace.initial, trace.steps[:2])
    assert certify(walk).ok
    wrong = replace(walk, steps=(walk.steps[0], replace(walk.steps[1], state=trace.initial)))
    assert (certify(wrong).ok, certify(wrong).step) == (False, 2)
    for claim in (replace(walk, clause=0), replace(walk, witness={}), replace(walk, cycle=0)):
        assert certify(claim).reason == "a walk, which claims nothing of its end, comes with a claim"


def test_a_deadlock_is_certified_unless_it_is_final() -> None:
    at = Read("at", (), BOOL)
    stop = Action("stop", (), not_(at), (Update("at", (), (), TRUE, TRUE),))
    made = System("stop", "Stop", "", (), {}, (StateVar("at", (), BOOL),), Action("init", (), TRUE, ()), (stop,), ())
    trace = Trace(Instance(made, {}), (0,), (Step("stop", {}, (1,)),), "no-deadlock")
    assert certify(trace).ok
    assert "final" in certify(replace(trace, instance=Instance(replace(made, final=at), {}))).reason
    assert "possible" in certify(replace(trace, steps=())).reason


def test_a_witness_of_a_reachable_property_is_certified() -> None:
    numbered = Property("reached", (Clause((), TRUE, and_(less(Lit(0, GEN), Read("top", (), GEN)))),), "reachable")
    up = Action("up", (), TRUE, (Update("top", (), (), TRUE, new),), fresh=(new,))
    init = Action("init", (), TRUE, ())
    made = System("up", "Up", "", (GEN,), {}, (StateVar("top", (), GEN),), init, (up,), (numbered,))
    trace = Trace(Instance(made, {}), (0,), (Step("up", {}, (1,)),), "reached", 0, {})
    assert certify(trace).ok
    assert not certify(replace(trace, steps=())).ok


@pytest.mark.parametrize("seed", range(60))
def test_walks_of_the_interpreter_are_certified_and_their_corruptions_are_not(seed: int) -> None:
    """The twin of the interpreter: Z3 accepts each of its steps, and no state that it does not lead to."""
    rng = random.Random(seed)
    trace = random_walk(generated(seed, loose=True), rng, 5)
    if trace is None:
        pytest.skip("no initial state")
    certificate = certify(trace)
    assert certificate.ok, certificate
    if not trace.steps:
        return
    number = rng.randrange(len(trace.steps))
    step, before = trace.steps[number], trace.states[number]
    slot = rng.randrange(len(step.state))
    codes = set(trace.instance.codes(trace.instance.slots[slot].sort)) - {step.state[slot]}
    reference = Reference(trace.instance)
    for code in sorted(codes)[:3]:
        state = reference.renamed((*step.state[:slot], code, *step.state[slot + 1 :]))
        names = [p.name for p in next(a for a in trace.instance.system.actions if a.name == step.action).params]
        allowed = any(
            action.name == step.action and dict(zip(names, codes, strict=True)) == step.binding and after == state
            for action, codes, after in reference.successors(before)
        )
        corrupted = changed(replace(trace, steps=trace.steps[: number + 1]), number, state=state)
        assert certify(corrupted).ok == allowed, (number, slot, code)


def test_a_long_trace_of_a_large_system_is_certified() -> None:
    instance = system(cpus=10, vms=70)
    assert len(instance.slots) == 150
    state = [0] * 150
    steps = []
    for i in range(12):
        state[i % 10] = 1 + i
        steps.append(Step("enter", {"cpu": i % 10, "vm": i}, tuple(state)))
        state[i % 10] = 0
        state[80:] = [1] * 70
        steps.append(Step("leave", {"cpu": i % 10}, tuple(state)))
    state[3] = 6
    steps.append(Step("enter", {"cpu": 3, "vm": 5}, tuple(state)))
    trace = Trace(instance, (0,) * 150, tuple(steps), "numbered", 0, {"cpu": 3, "vm": 5})
    certificate = certify(trace)
    assert certificate.ok, certificate
