"""Policies that begin in what another one reaches: against two searches one after the other on generated systems, and by hand."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner
from flushproof.model import ir
from flushproof.model.errors import FlushproofError, ModelError
from flushproof.model.hardware import Cpu
from flushproof.model.ir import terms
from flushproof.model.ir.evaluate import evaluate, initial_states, transitions
from flushproof.model.ir.instance import Begun, Instance, State
from flushproof.model.language.declare import (
    Knob,
    Map,
    Part,
    Policy,
    System,
    action,
    at,
    check,
    closure,
    cost,
    final,
    initially,
    invariant,
    lemma,
    process,
    progress,
    reachable,
    require,
)
from flushproof.model.language.handover import in_force, with_handover
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.questions import condition_of
from flushproof.properties.confirmation.certify import certify
from flushproof.search.costs import count
from flushproof.search.explore import explore
from flushproof.search.native.engine import NativeEngine
from flushproof.search.task import Limits

from flushproof import checking
from flushproof.cli import main
from flushproof.proving import ProofRequest, prove, run
from flushproof.report.jsonform import schema
from flushproof.result import Result
from tests import generated
from tests.search.brute_force import reachable as everything
from tests.search.brute_force import violates
from tests.search.test_explore import check_trace

SEEDS = range(80)
KNOB = ir.Read("knob", (), ir.BOOL)


@cache
def open_system(seed: int) -> tuple[ir.System, int]:
    """A generated system in which a knob forbids some steps under either value, and whose last step is a handover; and its size."""
    inst, rng = generated.instance(seed), random.Random(seed)
    system = inst.system

    calm = rng.random() < 0.5

    def some(a: ir.Action) -> ir.Action:
        ways = (ir.TRUE, KNOB) if not calm and rng.random() < 0.7 else (terms.not_(KNOB),)
        return replace(a, guard=terms.and_(a.guard, rng.choice(ways)))

    *steps, last = system.actions
    invariants = [terms.formula(p) for p in system.properties if p.kind == "invariant"]
    takes_over = replace(last, costs=(), obligations=(), guard=rng.choice((ir.TRUE, last.guard, last.guard)))
    if invariants and (calm or rng.random() < 0.3):  # it begins where they hold
        takes_over = replace(takes_over, params=(), fresh=(), guard=terms.and_(*invariants), updates=())
    made = replace(
        system,
        variables=(*system.variables, ir.StateVar("knob", (), ir.BOOL, "knob", free=True)),
        actions=(*map(some, steps), takes_over),
    )
    return made, len(steps)


def fixed(system: ir.System, value: bool) -> Instance:
    return Instance(terms.fix_knobs(system, {"knob": ir.Lit(value, ir.BOOL)}), system.sizes)


@cache
def both(seed: int) -> Instance:
    """The generated system under the knob's one value, in what the other reaches."""
    system, at_ = open_system(seed)
    last = system.actions[at_].name
    whole = with_handover(system, last)
    values = in_force(whole, {"knob": ir.Lit(True, ir.BOOL)}, {"knob": ir.Lit(False, ir.BOOL)}, ())
    return Instance(terms.fix_knobs(whole, values), system.sizes, begun=Begun("other", {"knob": "off"}, last))


def apart(seed: int) -> tuple[set[State], dict[State, list[State]]]:
    """Two searches instead: what is reached under the one value; and from the handovers there under the other, with successors."""
    system, at_ = open_system(seed)
    hands = system.actions[at_]
    alone = replace(system, actions=tuple(a for a in system.actions if a is not hands))
    before, after = fixed(alone, False), fixed(alone, True)
    first = set(everything(before).depth)
    found: dict[State, list[State]] = {}
    queue = [s for state in first for _, s in transitions(hands, state, after)]
    while queue:
        state = queue.pop()
        if state not in found:
            found[state] = [s for a in after.system.actions for _, s in transitions(a, state, after)]
            queue += found[state]
    assert first == set(everything(before).depth) and set(initial_states(before)) <= first
    return first, found


@pytest.mark.parametrize("seed", SEEDS)
def test_it_is_two_searches_one_after_the_other(seed: int) -> None:
    inst = both(seed)
    first, second = apart(seed)
    after = fixed(open_system(seed)[0], True)
    within = {p.name: p for p in inst.system.properties}
    broken = {
        p.name
        for p in after.system.properties
        if p.kind == "invariant" and any(violates(after, p, state) for state in second)
    }
    stuck = any(not ways and not evaluate(after.system.final, {}, s, after) for s, ways in second.items())
    for symmetry, engine in ((False, None), (True, NativeEngine())):
        for name in (*within, "no-deadlock"):
            made = explore(inst, properties=(name,), symmetry=symmetry, engine=engine)
            if name in broken or (stuck and name == "no-deadlock"):
                assert made.verdict == "violated" and made.trace is not None, name
                check_trace(made.trace)
                assert certify(made.trace).ok
                hands = [step.action for step in made.trace.steps].count(inst.system.handover or "")
                assert hands == 1
            elif within.get(name) is not None and within[name].kind == "reachable":
                assert (name in made.reached) == any(evaluate_clause(after, name, s) for s in second)
            else:
                assert made.verdict == ("holds" if second else "inconclusive"), name
                assert (made.unreduced if symmetry else made.states) == len(first) + len(second)


def evaluate_clause(inst: Instance, name: str, state: State) -> bool:
    prop = next(p for p in inst.system.properties if p.name == name)
    return bool(evaluate(prop.clauses[0].expr, {}, state, inst))


def test_the_generated_systems_say_something() -> None:
    """Some never take over; of the others some are violated in the second part alone, or in the first alone."""
    met = {"never": 0, "first alone": 0, "second": 0}
    for seed in SEEDS:
        first, second = apart(seed)
        after = fixed(open_system(seed)[0], True)
        for p in after.system.properties:
            if p.kind == "invariant":
                in_second = any(violates(after, p, s) for s in second)
                met["second"] += in_second
                met["first alone"] += bool(second) and not in_second and any(violates(after, p, s) for s in first)
        met["never"] += not second
    assert min(met.values()) >= 5, met


# ------------------------------------------------------------------------------------------------------------------ by hand


class Buffered(System):
    """CPUs write through a buffer of one entry; `drains`: it is empty when the next write comes, or else that one is lost."""

    drains = Knob(bool, True, "a write waits until the buffer is empty")
    hot = Knob(bool, False, "the buffer can be filled from outside", toggle=True)
    spare = Knob(bool, True, "nothing that matters here")

    buffer: Map[Cpu, bool]
    lost: Map[Cpu, bool]
    flushed: Map[Cpu, bool]

    @initially(reached_by="careful")
    def in_use(self):
        """every buffer is filled"""
        require(all(self.buffer[c] for c in Cpu))
        check("right-moment", all(at(self.write, c, "writes") for c in Cpu), "a CPU is in the middle of its write")

    @process(Cpu)
    def write(self, cpu):
        yield "writes"
        require(not self.drains or not self.buffer[cpu])
        cost("write")
        self.lost[cpu] = self.buffer[cpu]
        self.buffer[cpu] = True

    @action
    def drain(self, cpu: Cpu):
        """{cpu} drains"""
        require(self.drains and self.buffer[cpu] and self.spare)
        self.buffer[cpu] = False

    @invariant("{c} has lost a write")
    def nothing_is_lost(self):
        return all(not self.lost[c] for c in Cpu)

    @reachable
    def empty(self):
        return all(not self.buffer[c] for c in Cpu)

    @final
    def never(self):
        return False

    policies = {
        "careful": Policy("", {}, "holds"),
        "careless": Policy("", {"drains": False}, "nothing-is-lost"),
        "stubborn": Policy("", {"spare": False}, "no-deadlock"),
    }


class BufferedProof(Buffered, proof=True):
    """What holds under the other policy already."""

    @lemma
    def nothing_was_lost(self):
        return all(not self.lost[c] for c in Cpu)


class Elsewhere(Buffered):
    """The same, from what the policy itself reaches with another value of one knob."""

    @initially(reached_by={"spare": True})
    def in_use(self):
        """every buffer is filled"""
        require(all(self.buffer[c] for c in Cpu))

    policies = {
        "stubborn": Policy("", {"spare": False}, "no-deadlock"),
        "careless": Policy("", {"drains": False, "spare": False}, "nothing-is-lost"),
    }


def made(cls: type[System], policy: str | None = None, **more: Any) -> Result:
    return checking.check(cls, policy, audit=checking.Amount(None, None, timed=False), **more)


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_policies_begin_in_what_another_one_reaches(engine: str) -> None:
    for policy in Buffered.policies:
        result = made(Buffered, policy, engine=engine)
        assert result.found == Buffered.policies[policy].expect
        assert result.instance.begun is not None and result.instance.begun.policy == "careful"
    for policy in Elsewhere.policies:
        assert made(Elsewhere, policy, engine=engine).found == Elsewhere.policies[policy].expect


def test_a_trace_begins_with_how_the_other_policy_gets_there(tmp_path: Path) -> None:
    result = made(Buffered, "careless")
    assert result.trace is not None and result.certified and result.shortest
    actions = [step.action for step in result.trace.steps]
    assert actions == ["write: writes", "write: writes", "in_use", "write: writes"]
    ran = CliRunner().invoke(main, ["check", f"{__file__}:Buffered", "--policy", "careless"])
    assert "buffered, policy careless, after policy careful" in ran.output
    assert "the policy 'careless' takes over" in " ".join(ran.output.split()) and "taken_over" not in ran.output
    saved = CliRunner().invoke(main, ["check", f"{__file__}:Buffered", "--policy", "careless", "--format", "json"])
    data = json.loads(saved.stdout)
    jsonschema.validate(data, schema())
    assert data["reached_by"] == {"policy": "careful", "knobs": {"drains": "on"}, "step": "in_use"}
    file = tmp_path / "trace.json"
    file.write_text(saved.stdout)
    assert CliRunner().invoke(main, ["trace", str(file)]).exit_code == 0
    data["reached_by"]["policy"] = "careless"
    file.write_text(json.dumps(data))
    refused = CliRunner().invoke(main, ["trace", str(file)])
    assert refused.exit_code == 2 and "reached_by" in refused.output


def test_a_condition_that_is_typed_in_reads_the_knobs_in_force() -> None:
    inst = instantiate(Buffered, "careless")
    states: list[State] = []
    explore(inst, on_state=states.append, symmetry=False)
    drains, at_ = condition_of(Buffered, inst, "drains"), inst.slot(ir.TAKEN_OVER)
    assert {(drains(s), bool(s[at_])) for s in states} == {(True, False), (False, True)}


def test_the_same_policy_with_other_knobs_is_named_by_them() -> None:
    begun = made(Elsewhere, "stubborn").instance.begun
    assert begun is not None and begun.policy is None and dict(begun.knobs) == {"spare": "on"}


def test_toggles_are_the_same_under_both_policies() -> None:
    class Warm(Buffered):
        """A toggle is a situation: the other policy is in the same one."""

        @action
        def fill(self, cpu: Cpu):
            """{cpu}'s buffer is filled"""
            require(self.hot)
            self.buffer[cpu] = True

    begun = made(Warm, "careless", knobs={"hot": True}).trace
    assert begun is not None and "fill" in {step.action for step in begun.steps}


def test_what_is_owed_is_owed_from_the_handover_on() -> None:
    """A violation, a deadlock and a cycle of the other policy are none of this one's; what a limit leaves open does not hold."""

    class Past(System):
        """Under the other policy all goes wrong."""

        wrong = Knob(bool, False, "")
        broken: bool
        turn: bool

        @initially(reached_by={"wrong": True})
        def mended(self):
            """all is put right"""
            require(self.broken)
            self.broken = False

        @action
        def breaks(self):
            """it breaks"""
            require(self.wrong)
            self.broken = True

        @action
        def turns(self):
            """nothing gets done"""
            require(self.wrong and not self.broken)
            self.turn = not self.turn

        @action
        def works(self):
            """something gets done"""
            require(not self.wrong)
            self.turn = not self.turn

        @invariant("it is broken")
        def whole(self):
            return not self.broken

        @progress("works")
        def done(self):
            """something gets done"""

    for engine in ("native", "reference"):
        assert made(Past, engine=engine).found == "holds"
    assert made(Past, limits=Limits(depth=1)).verdict == "inconclusive"
    assert made(Past, limits=Limits(states=2)).verdict == "inconclusive"
    inst = instantiate(Past)
    found = count(inst, steps=10, ask_required=False)
    assert 0 < found.steps < 10, "of what the other policy does nothing is counted"


def test_a_policy_that_never_begins_has_no_verdict() -> None:
    class Never(Buffered):
        @initially(reached_by="careful")
        def in_use(self):
            """never"""
            require(all(self.lost[c] for c in Cpu))

    result = made(Never, "careless")
    assert result.verdict == "inconclusive" and "no initial state" in (result.reason or "")
    assert "in_use" in (result.reason or "")
    for by in ("auto", "induction", "k-induction", "bounded"):
        none = prove(Never, "stubborn", properties=("nothing-is-lost",), by=by)
        assert none.verdict == "inconclusive" and not none.shown and "no initial state" in (none.reason or "")


def test_a_proof_for_any_number_is_of_both_parts() -> None:
    """That nothing is lost is owed by the second alone, and is so already in the first: that is a lemma, about both."""
    result = prove(Buffered, "stubborn", properties=("nothing-is-lost", "right-moment"))
    assert result.kind == "any-size"
    without = run(ProofRequest(Buffered, "stubborn", properties=("nothing-is-lost",), without=("nothing-was-lost",)))
    assert without.kind != "any-size"
    assert prove(Buffered, "careless", properties=("nothing-is-lost",)).verdict == "violated"


def test_the_laboratory_judges_policies_from_there() -> None:
    ran = CliRunner().invoke(main, ["policies", f"{__file__}:Buffered", "--free", "drains", "--free", "spare", "--format", "json"])
    assert ran.exit_code in (0, 1), ran.output
    found = json.loads(ran.stdout)
    alone = [made(Buffered, knobs={"drains": d, "spare": s}).verdict for d in ("on", "off") for s in ("on", "off")]
    assert (found["safe"]["policies"], found["unsafe"]["policies"]) == (alone.count("holds"), alone.count("violated")) == (1, 3)
    refused = CliRunner().invoke(main, ["policies", f"{__file__}:Elsewhere", "--free", "drains"])
    assert refused.exit_code == 2 and "'drains' stays open" in refused.output


# ------------------------------------------------------------------------------------------------------------- what is refused


def refused() -> Iterator[tuple[type[System], str]]:
    class Twice(Buffered):
        @initially(reached_by="careless")
        def again(self):
            """a second time"""

    yield Twice, "second @initially"

    class Unknown(Buffered):
        @initially(reached_by="carefull")
        def in_use(self):
            """a policy that is not there"""

    yield Unknown, "no policy 'carefull'"

    class NoKnob(Buffered):
        @initially(reached_by={"drain": True})
        def in_use(self):
            """a knob that is not there"""

    yield NoKnob, "no knob 'drain'"

    class Number(Buffered):
        @initially(reached_by=3)  # type: ignore[call-overload]
        def in_use(self):
            """neither"""

    yield Number, "must be the name of a policy"

    class Filling(Part):
        """A part with a handover."""

        @initially(reached_by="careful")
        def filled(self):
            """it is filled"""

    class OfAPart(System):
        """Whose part has one."""

        part = Filling()
        policies = {"careful": Policy("", {}, "holds")}

    yield OfAPart, "a part has no policies"

    class Closing(Buffered):
        @closure
        def fills(self):
            for c in Cpu:
                if self.drains:
                    self.flushed[c] = True

        @invariant("it is not flushed")
        def always_flushed(self):
            return all(self.flushed[c] for c in Cpu)

    yield Closing, "a @closure reads the knob 'drains'"


@pytest.mark.parametrize(("cls", "why"), list(refused()))
def test_what_cannot_be_is_refused(cls: type[System], why: str) -> None:
    with pytest.raises((ModelError, FlushproofError), match=why):
        made(cls, knobs={"drains": False} if issubclass(cls, Buffered) else {})


def test_a_step_that_overrides_it_must_be_one_too() -> None:
    with pytest.raises(ModelError, match="overrides an initially"):

        class Plain(Buffered):
            def in_use(self):
                pass

        made(Plain, "careless")


