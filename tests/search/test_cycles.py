"""Executions without progress: against fixpoints on generated systems, and on small ones with their mends."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TypeVar

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner
from flushproof.model.errors import FlushproofError, ModelError
from flushproof.model.ir import BOOL, TRUE, Expr, Progress, Quant, Read, Var
from flushproof.model.ir.evaluate import evaluate, transitions
from flushproof.model.ir.fairness import Unit, unit_of
from flushproof.model.ir.instance import Instance, State
from flushproof.model.ir.trace import Step, Trace
from flushproof.model.language.declare import Map, System, process, progress
from flushproof.model.language.instantiate import instantiate
from flushproof.properties.confirmation.certify import certify
from flushproof.search import cycles
from flushproof.search.cycles import look_for_cycles
from flushproof.search.explore import explore
from flushproof.search.moves import Kinds, Moves
from flushproof.search.native.engine import NativeEngine
from flushproof.search.reference.breadth_first import ReferenceEngine
from flushproof.search.reference.interpreter import Reference
from flushproof.search.simulate import simulate
from flushproof.search.task import Engine, Limits, Task

from flushproof.checking import check
from flushproof.cli import main
from flushproof.report.jsonform import schema
from tests.generated import FINITE
from tests.search.brute_force import reachable
from tests.search.progressing import Cpu, Polite, Queue, TryBoth
from tests.search.test_explore import check_trace
from tests.search.test_stuck import made as with_process

SEEDS = range(120)


@cache
def made(seed: int) -> Instance:
    """A generated system, some of whose steps are progress; some owe it only where a flag is set."""
    inst = with_process(seed)
    rng = random.Random(seed)
    names = [a.name for a in inst.system.actions]
    some = tuple(rng.sample(names, rng.randrange(min(3, len(names)))))
    flags = [v for v in inst.system.variables if v.kind == "state" and v.sort == BOOL and set(v.index) <= set(FINITE)]
    within: Expr = TRUE
    if flags and seed % 2:
        flag = rng.choice(flags)
        binders = tuple(Var(f"i{number}", sort) for number, sort in enumerate(flag.index))
        within = Read(flag.name, binders, BOOL)
        for binder in binders:
            within = Quant("exists", binder, within)
    return replace(inst, system=replace(inst.system, progress=(Progress("done", some, within=within),)))


Steps = dict[State, list[tuple[State, Unit, str]]]


def all_steps(inst: Instance) -> Steps:
    """Of each reachable state its steps: where each leads, who takes it, and its action."""
    return {
        state: [
            (after, unit_of(inst.system, a, codes), a.name)
            for a in inst.system.actions
            for codes, after in transitions(a, state, inst)
        ]
        for state in reachable(inst).depth
    }


def goes_round_for_nothing(inst: Instance, steps: Steps) -> bool:
    """Whether there is a fair execution without an end that has no progress from some state on: as a greatest fixpoint, of states
    from which, for everyone, a step of theirs or a state in which they have none can be reached by at least one step, inside."""
    can = {state: {unit for _, unit, _ in found} for state, found in steps.items()}
    done = inst.system.progress[0].actions
    inside = {state for state in steps if evaluate(inst.system.progress[0].within, {}, state, inst)}
    while True:
        kept = set(inside)
        for unit in {u for units in can.values() for u in units} | {("nobody", ())}:
            good: set[State] = set()
            while True:
                more = {
                    state
                    for state in kept - good
                    for after, who, name in steps[state]
                    if name not in done and after in kept
                    if who == unit or unit not in can[after] or after in good
                }
                if not more:
                    break
                good |= more
            kept = good
        if kept == inside:
            return bool(inside)
        inside = kept


Node = TypeVar("Node", bound=Hashable)
Who = TypeVar("Who", bound=Hashable)


def fair_part(start: Node, idle: Iterable[tuple[Node, Who, Node]], can: Mapping[Node, set[Who]]) -> set[Node]:
    """Wherever one comes by these steps and back to where one starts; nowhere if not everyone takes a step there or has none
    somewhere there."""
    onward, back = defaultdict[Node, set[Node]](set), defaultdict[Node, set[Node]](set)
    for source, _, target in idle:
        onward[source].add(target)
        back[target].add(source)
    part = _from(start, onward) & _from(start, back)
    taken = {who for source, who, target in idle if {source, target} <= part}
    return part if part and set.intersection(*(can[node] for node in part)) <= taken else set()


def _from(start: Node, leads: Mapping[Node, set[Node]]) -> set[Node]:
    """Where one comes by at least one step."""
    found, todo = set[Node](), [start]
    while todo:
        new = leads.get(todo.pop(), set()) - found
        found |= new
        todo += new
    return found


def nearest_cycle(inst: Instance, steps: Steps, depth: Mapping[State, int]) -> int:
    """After how many steps a fair cycle without progress can begin, at the earliest."""
    progress = inst.system.progress[0]
    inside = {state for state in steps if evaluate(progress.within, {}, state, inst)}
    idle = [
        (state, who, after)
        for state in inside
        for after, who, name in steps[state]
        if name not in progress.actions and after in inside
    ]
    can = {state: {who for _, who, _ in found} for state, found in steps.items()}
    return next(depth[state] for state in sorted(steps, key=lambda s: depth[s]) if fair_part(state, idle, can))


@pytest.mark.parametrize("seed", SEEDS)
def test_cycles_agree_with_fixpoints(seed: int) -> None:
    inst = made(seed)
    depth = reachable(inst).depth
    if not 0 < len(depth) <= 150:
        pytest.skip("too many for the slow twin, or none")
    steps = all_steps(inst)
    outcome = explore(inst, properties=["done"])
    native = explore(inst, properties=["done"], engine=NativeEngine(optimised=False))
    assert outcome.verdict == native.verdict == ("violated" if goes_round_for_nothing(inst, steps) else "holds")
    for found in (outcome, native):
        if found.trace is not None:
            trace = found.trace
            assert trace.cycle is not None and trace.states[trace.cycle] == trace.states[-1] and not found.shortest
            assert found.violations[0].depth == trace.cycle == nearest_cycle(inst, steps, depth)
            check_trace(trace)
            assert certify(trace).ok
            fairless = replace(inst, system=replace(inst.system, progress=(Progress("done", (trace.steps[-1].action,)),)))
            assert "is a step of" in certify(replace(trace, instance=fairless)).reason


def a_graph(rng: random.Random, kinds: Kinds) -> tuple[Moves, list[tuple[int, int, int]]]:
    """A graph of a few states, as steps by number and as triples: from where, of which kind, where to."""
    count = rng.randrange(1, 9)
    steps = sorted((rng.randrange(count), rng.randrange(len(kinds.who)), rng.randrange(count)) for _ in range(rng.randrange(14)))
    offsets = np.searchsorted([source for source, _, _ in steps], range(count + 1))
    taken, targets = (np.array([step[i] for step in steps], np.uint32) for i in (1, 2))
    return Moves(kinds, 1, offsets, targets, taken, 0.0), steps


def nearest(graph: Moves, steps: list[tuple[int, int, int]], idle: list[bool], owing: list[bool]) -> list[int]:
    """The states of the part that can repeat for ever and has the first state of all that are in one: looked for from each."""
    who = graph.kinds.who.tolist()
    inside = [(a, who[kind], b) for a, kind, b in steps if idle[kind] and owing[a] and owing[b]]
    can = {state: graph.enabled(state) for state in range(graph.count)}
    return sorted(next((part for state in can if (part := fair_part(state, inside, can))), ()))


def test_the_nearest_part_of_random_graphs() -> None:
    """By compiled code and by its twin; and both are put to graphs in which another part can repeat for ever as well."""
    inst = instantiate(TryBoth, "in-order")
    kinds, compiled = Kinds(inst), list[Moves]()
    task = Task(inst, (), (), False, symmetry=False, audit=lambda v, _: compiled.append(v.moves(kinds, lambda: None)))
    NativeEngine(optimised=False).plain.search(task)
    rng, farther = random.Random(1), 0
    for _ in range(1000):
        graph, steps = a_graph(rng, kinds)
        idle, owing = ([rng.random() < 0.9 for _ in range(n)] for n in (len(kinds.who), graph.count))
        expected = nearest(graph, steps, idle, owing)
        made = replace(compiled[0], offsets=graph.offsets.astype(np.uint64), targets=graph.targets, taken=graph.taken)
        for moves in (graph, made):
            part = moves.fair_part(np.array(idle), np.array(owing), lambda: None)
            assert ([] if part is None else np.flatnonzero(part).tolist()) == expected
        others = [mine and state not in expected for state, mine in enumerate(owing)]
        farther += bool(expected) and bool(nearest(graph, steps, idle, others))
    assert farther >= 50


def test_generated_systems_are_worth_it() -> None:
    """Some go round for nothing, and some only if that is not fair."""
    small = [inst for inst in map(made, SEEDS) if 0 < len(reachable(inst).depth) <= 150]
    found = [explore(inst, properties=["done"]).trace for inst in small]
    assert sum(trace is not None for trace in found) >= 10 and sum(trace is None for trace in found) >= 10
    assert sum(trace is not None and len(trace.steps) - (trace.cycle or 0) >= 3 for trace in found) >= 3
    assert sum(trace is not None and bool(trace.cycle) for trace in found) >= 5


# ------------------------------------------------------------------------------------------------------------ small systems


@pytest.mark.parametrize("cpus", [2, 3])
@pytest.mark.parametrize(("cls", "policy"), [(c, p) for c in (TryBoth, Queue, Polite) for p in c.policies])
def test_small_systems_and_their_mends(cls: type[System], policy: str, cpus: int) -> None:
    sizes = {"cpu": cpus} if cls is not Polite else {}
    result = check(cls, policy, sizes=sizes)
    assert result.as_expected is not False and result.found == cls.policies[policy].expect
    if result.trace is not None:
        assert result.trace.cycle is not None and not result.shortest


def test_what_certifies_no_cycle() -> None:
    trace = check(Queue, "retries").trace
    assert trace is not None and trace.cycle == 2 and len(trace.steps) == 6
    for wrong, reason in (
        (replace(trace, cycle=None), "says of no steps"),
        (replace(trace, cycle=6), "says of no steps"),
        (replace(trace, cycle=1), "is not the one"),
        (replace(trace, property="no-deadlock"), "is not about steps that repeat"),
        (replace(trace, steps=trace.steps[:-1]), "is not the one"),
    ):
        assert reason in certify(wrong).reason
    inst = instantiate(Polite, "comes")
    reference = Reference(inst)
    start = next(reference.initial_states())
    action, _, after = next(s for s in reference.successors(start) if s[0].process == "waits")
    unfair = Trace(inst, start, (Step(action.name, {}, after),), "it-is-served", cycle=0)
    assert after == start and "'interrupt' could always take a step" in certify(unfair).reason


@pytest.mark.parametrize(("source", "policy"), [("progressing.py:Queue", "retries"), ("waiting.py:TlbFlush", "as-filed")])
def test_a_saved_trace_is_read_back_and_forged_ones_are_not(source: str, policy: str, tmp_path: Path) -> None:
    file = tmp_path / "trace.json"
    system = str(Path(__file__).parent / source)
    CliRunner().invoke(main, ["check", system, "--policy", policy, "--save", str(file)])
    data = json.loads(file.read_text())
    jsonschema.validate(data, schema())
    for form in ("text", "json", "mermaid", "html"):
        shown = CliRunner().invoke(main, ["trace", str(file), "--format", form])
        assert shown.exit_code == 0, shown.output
    for key, value in (("repeats_from", 2), ("repeats_from", -1), ("clause", 1), ("text", "all is well"), ("waiting", None)):
        file.write_text(json.dumps({**data, "violation": {**data["violation"], key: value}}))
        refused = CliRunner().invoke(main, ["trace", str(file)])
        assert refused.exit_code == 2 and "Traceback" not in refused.output, (key, refused.output)


def test_what_a_system_asks_for_is_shown() -> None:
    source = str(Path(__file__).parent / "progressing.py:Queue")
    shown = CliRunner().invoke(main, ["show", source]).output
    assert "again and again" in shown and "a request is served" in shown and "no-stuck" in shown
    told = CliRunner().invoke(main, ["simulate", source, "--policy", "serves", "--walks", "2"]).output
    assert "No walk can tell of: a-request-is-served." in told


@pytest.mark.parametrize("engine", [ReferenceEngine(), NativeEngine(optimised=False)], ids=lambda e: e.name)
def test_limits_give_no_verdict(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    inst = instantiate(TryBoth, "in-order")
    states = explore(inst, properties=["no-deadlock"]).states
    outcome = explore(inst, limits=Limits(states=states), engine=engine)  # with symmetry, they are enough for the rest
    assert outcome.verdict == "inconclusive"
    assert f"the limit of {states} states while cycles without progress" in (outcome.reason or "")
    assert explore(inst, properties=["no-deadlock"], limits=Limits(states=states), engine=engine).verdict == "holds"
    found = look_for_cycles(inst, engine, inst.system.progress, Limits(seconds=1e-9))
    assert "the limit of 1e-09 seconds while cycles" in (found.reason or "") and found.violated is None
    monkeypatch.setattr(cycles, "Kinds", _interrupted)
    found = look_for_cycles(inst, engine, inst.system.progress, Limits())
    assert "an interrupt while cycles" in (found.reason or "") and found.violated is None


def _interrupted(instance: Instance) -> None:
    raise KeyboardInterrupt


def test_what_cannot_be_asked_is_refused() -> None:
    inst = instantiate(TryBoth, "in-order")
    with pytest.raises(FlushproofError, match="cut off"):
        explore(inst, bound=3)
    with pytest.raises(FlushproofError, match="one way"):
        simulate(inst, properties=["both-are-taken"])
    assert explore(inst, properties=["both-are-taken"], limits=Limits(seconds=60)).verdict == "holds"


def test_wrong_progress_is_refused_at_its_place() -> None:
    class Base(System):
        on: Map[Cpu, bool]

        @process(Cpu)
        def toggles(self, cpu):
            yield "toggles"
            self.on[cpu] = not self.on[cpu]

    class Unknown(Base):
        @progress("togles")
        def something(self):
            """something"""

    class Busy(Base):
        @progress("toggles")
        def something(self):
            return self.on

    class None_(Base):
        @progress()
        def something(self):
            """something"""

    class Taken(Base):
        @progress("toggles")
        def no_deadlock(self):
            """something"""

    for cls, said in (
        (Unknown, "no step begins at 'togles'.*toggles"),
        (Busy, "does nothing"),
        (None_, "names no step"),
        (Taken, "another property"),
    ):
        with pytest.raises(ModelError, match=f"(?s){said}"):
            instantiate(cls)
    with pytest.raises(ModelError, match="needs an argument"):
        progress(lambda self: None)
