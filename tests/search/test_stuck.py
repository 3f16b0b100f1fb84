"""Waits without an end: by brute force, by both engines, with symmetry and without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flushproof.model.errors import FlushproofError
from flushproof.model.ir import (
    FALSE,
    TRUE,
    Expr,
    Read,
    terms,
)
from flushproof.model.ir.evaluate import decode, evaluate, transitions
from flushproof.model.ir.instance import Instance, State
from flushproof.model.ir.trace import Step, Trace
from flushproof.model.ir.waits import Wait, waits
from flushproof.model.language.declare import System
from flushproof.model.language.instantiate import instantiate
from flushproof.properties.confirmation.certify import Certificate, certify, forever
from flushproof.search.explore import explore
from flushproof.search.native.engine import NativeEngine
from flushproof.search.native.store import Store
from flushproof.search.reference.interpreter import Reference
from flushproof.search.replay import ReplayError
from flushproof.search.simulate import simulate
from flushproof.search.stuck import followed, look_for_stuck
from flushproof.search.task import Limits

from flushproof.auditing import Amount, AuditError
from flushproof.checking import Request, check, expectations
from flushproof.report.audit import audit_text
from flushproof.report.waiting import who_waits
from flushproof.report.words import Story
from flushproof.result import CertificateError
from tests.generated import instance
from tests.search.brute_force import reachable
from tests.search.test_explore import check_trace
from tests.search.waiting import RemoteFence, RequestAndWait, TlbFlush

SEEDS = range(120)


@cache
def made(seed: int) -> Instance:
    """A generated system, whose steps of a process say whose they are."""
    inst = instance(seed, process=True)

    def change(expr: Expr) -> Expr | None:
        return Read("process.pc", expr.args, expr.of) if isinstance(expr, Read) and expr.name == "pc" else None

    system = terms.map_system(inst.system, lambda e: terms.rewrite(e, change))
    variables = tuple(replace(v, name="process.pc") if v.name == "pc" else v for v in system.variables)
    actions = []
    for action in system.actions:
        updates = tuple(replace(u, var="process.pc") if u.var == "pc" else u for u in action.updates)
        process = action.name.startswith("process")
        label = f"L{action.name[-1]}" if process else None
        actions.append(replace(action, updates=updates, process="process" if process else None, label=label))
    init = system.init
    init = replace(init, updates=tuple(replace(u, var="process.pc") if u.var == "pc" else u for u in init.updates))
    return replace(inst, system=replace(system, variables=variables, actions=tuple(actions), init=init))


def is_lost(inst: Instance, found: tuple[Wait, ...], state: State, codes: tuple[int, ...]) -> bool:
    """Whether the process of these elements waits, and the state is not final."""
    if evaluate(inst.system.final, {}, state, inst):
        return False
    for wait in found:
        env = {v: decode(v.of, c) for v, c in zip(wait.who, codes, strict=True)}
        if not wait.begins and evaluate(wait.waiting, env, state, inst):
            return True
    return False


def nearest(inst: Instance) -> int | None:
    """The least depth of a state from which a process never comes to where it does not wait: AG EF, as it is written."""
    space = reachable(inst)
    found = waits(inst.system)
    after = {s: {t for a in inst.system.actions for _, t in transitions(a, s, inst)} for s in space.depth}
    depths: list[int] = []
    for codes in inst.assignments(tuple(v.of for v in found[0].who) if found else ()):
        lost = {state for state in space.depth if is_lost(inst, found, state, codes)}
        while True:
            kept = {state for state in lost if after[state] <= lost}
            if kept == lost:
                break
            lost = kept
        depths += [space.depth[state] for state in lost]
    return min(depths, default=None)


@pytest.mark.parametrize("seed", SEEDS)
def test_both_engines_agree_with_brute_force(seed: int) -> None:
    inst = made(seed)
    space = reachable(inst)
    if not 0 < len(space.depth) <= 300:
        pytest.skip("too many for the slow twin, or none")
    wanted = nearest(inst)
    for symmetry in (False, True):
        for engine in (None, NativeEngine(workers=1 + 2 * symmetry)):
            outcome = explore(inst, properties=["no-stuck"], symmetry=symmetry, engine=engine)
            assert outcome.verdict == ("holds" if wanted is None else "violated")
            assert [(v.property, v.depth) for v in outcome.violations] == (
                [] if wanted is None else [("no-stuck", wanted)]
            )
            if outcome.trace is not None:
                check_trace(outcome.trace)
                assert certify(outcome.trace).ok
                ways, everything = followed(outcome.trace)
                assert everything and ways.keys() <= space.depth.keys()
                if engine is None:
                    assert forever(outcome.trace, ways, 20) == (Certificate(True), min(len(ways), 20))


def test_generated_systems_are_worth_it() -> None:
    """Some have a wait without an end, late and not as a deadlock; some have waits that all end."""
    small = [s for s in SEEDS if 0 < len(reachable(made(s)).depth) <= 300]
    wanted = {seed: nearest(made(seed)) for seed in small}
    other = [s for s in small if explore(made(s), properties=["no-deadlock"]).verdict == "holds"]
    assert sum(depth is not None and depth > 0 for depth in wanted.values()) >= 5
    assert sum(wanted[s] is not None for s in other) >= 5
    assert sum(wanted[s] is None for s in small) >= 20


# ------------------------------------------------------------------------------------------------------- after real bugs

REAL = [(cls, name) for cls in (TlbFlush, RemoteFence, RequestAndWait) for name in cls.policies]


@pytest.mark.parametrize("symmetry", [False, True])
@pytest.mark.parametrize(("cls", "policy"), REAL)
def test_real_bugs_and_their_mends(cls: type[System], policy: str, symmetry: bool) -> None:
    """Each as its policy says, at three of each; what is broken is no deadlock at the end of the trace: somebody goes on."""
    inst = instantiate(cls, policy, {}, {sort.lower(): 3 for sort in instantiate(cls).sizes if sort != "Timer"})
    expected = cls.policies[policy].expect
    for engine in (None, NativeEngine()):
        outcome = explore(inst, focus="no-stuck", symmetry=symmetry, engine=engine)
        assert (outcome.property or outcome.verdict) == expected
        assert set(outcome.waits) and all(count >= outcome.states for count in outcome.waits.values())
    if outcome.trace is not None:
        ways, everything = followed(outcome.trace)
        assert everything and any(ways.values())


def test_the_trace_tells_who_waits_for_what() -> None:
    fence = instantiate(RemoteFence, "waits-alone")
    outcome = explore(fence, engine=NativeEngine())
    assert outcome.trace is not None and [v.property for v in outcome.violations] == ["no-stuck"]
    said = Story(outcome.trace).sentence
    waits_until, never = "waits until they are done", "and that never comes, whatever else happens."
    assert said in {
        f'sbi_remote_fence of cpu{a} waits at "{waits_until}" until not queued[cpu{b}, cpu{a}], {never}'
        for a, b in ((0, 1), (1, 0))
    }


def test_a_deadlock_tells_who_waits_for_what() -> None:
    """Whoever has begun, at its label; those that stand where they start only if there is nobody else."""
    trace = explore(instantiate(TlbFlush, "as-filed"), properties=["no-deadlock"]).trace
    assert trace is not None
    story = Story(trace)
    (mine,) = (w for w in story.waiting if w.process == "tlb_flush")
    other = {"cpu0": "cpu1", "cpu1": "cpu0"}[mine.who["cpu"]]
    until = f'waits at "waits for every ack" until not missing[{mine.who["cpu"]}, {other}]'
    assert story.sentence.startswith("Nothing more can happen here") and until in story.sentence
    assert [w.process for w in story.waiting if w.begins] == []
    fresh = replace(trace, steps=())
    assert {w.process for w in who_waits(fresh.instance, fresh.initial)} <= {"tlb_flush"}


def test_a_trace_to_a_wait_with_an_end_is_refused() -> None:
    """The same trace, one step shorter, or told of another process or label."""
    inst = instantiate(TlbFlush, "as-filed")
    trace = explore(inst, focus="no-stuck").trace
    assert trace is not None and trace.clause is not None and certify(trace).ok
    shorter = replace(trace, steps=trace.steps[:-1])
    assert not certify(shorter).ok
    assert not certify(replace(trace, witness={"cpu": 1 - (trace.witness or {})["cpu"]})).ok
    assert "begins" in certify(replace(trace, clause=trace.clause - 1)).reason
    assert not certify(replace(trace, clause=99)).ok and not certify(replace(trace, clause=None)).ok
    mended = replace(trace, instance=instantiate(TlbFlush, "as-filed", {"counts_all": False}))
    assert not certify(mended).ok


def test_a_wait_that_may_end_is_not_followed_as_one_without() -> None:
    """A trace that is right up to its last state, in which the process does wait, but not for ever."""
    inst = instantiate(TlbFlush, "after-idt")
    reference, state = Reference(inst), next(Reference(inst).initial_states())
    steps: list[Step] = []
    ways = [("smp_main", c) for c in (0, 0, 1, 1)] + [("tlb_flush", 0)]
    for process, cpu in ways:
        possible = ((a, s) for a, codes, s in reference.successors(state) if codes == (cpu,))
        action, state = next((a, s) for a, s in possible if a.process == process)
        steps.append(Step(action.name, {"cpu": cpu}, state))
    number = [wait.label for wait in waits(inst.system)].index("waits for every ack")
    initial = next(reference.initial_states())
    trace = Trace(inst, initial, tuple(steps), "no-stuck", number, {"cpu": 0})
    assert certify(trace).ok
    with pytest.raises(ReplayError, match="has an end"):
        followed(trace)
    ways_on = {state: frozenset(s for _, _, s in reference.successors(state))}
    assert forever(trace, ways_on, 9) == (Certificate(True), 1)
    assert "another successor" in forever(trace, {state: frozenset()}, 9)[0].reason
    after = {s: frozenset() for s in ways_on[state]}
    assert "does not wait" in forever(trace, after, 9)[0].reason


def test_final_states_excuse_a_wait() -> None:
    """As they excuse a deadlock."""
    inst = instantiate(TlbFlush, "as-filed")
    for final, verdict in ((TRUE, "holds"), (FALSE, "violated")):
        changed = replace(inst, system=replace(inst.system, final=final))
        assert explore(changed, properties=["no-stuck"], engine=NativeEngine()).verdict == verdict


def test_what_cannot_be_asked_is_refused() -> None:
    inst = instantiate(TlbFlush, "as-filed")
    with pytest.raises(FlushproofError, match="--compact"):
        explore(inst, engine=NativeEngine(compact=True))
    with pytest.raises(FlushproofError, match="cut off"):
        explore(inst, bound=3)
    with pytest.raises(FlushproofError, match="one way"):
        simulate(inst, properties=["no-stuck"])


def test_limits_give_no_verdict() -> None:
    inst = instantiate(RemoteFence, "processes-own", {}, {"cpu": 3})
    whole = explore(inst, engine=NativeEngine())
    assert whole.verdict == "holds"
    less = explore(inst, engine=NativeEngine(), limits=Limits(states=whole.states + 1))
    assert less.verdict == "inconclusive" and "waits of 'sbi_remote_fence'" in (less.reason or "")
    assert less.states == whole.states


def test_the_first_of_all_processes_is_shown() -> None:
    """Of several processes, the nearest wait without an end."""
    outcome = explore(instantiate(RequestAndWait, "everyone"), engine=NativeEngine())
    assert outcome.violations[0].property == "no-stuck" and set(outcome.waits) == {"memslot_update"}


HOLDING = [r for r in expectations() if r.expect == "holds"]


@pytest.mark.parametrize("request_", HOLDING, ids=str)
def test_whoever_waits_in_a_shipped_system_goes_on(request_: Request) -> None:
    """Under every policy and setting under which all else holds."""
    inst = instantiate(request_.system, request_.policy, request_.knobs, request_.sizes)
    found = look_for_stuck(inst, NativeEngine(), True, Limits())
    assert found.violated is None and found.reason is None and found.waits


# -------------------------------------------------------------------------------------------------------------- the audit


def test_whoever_goes_on_is_audited() -> None:
    result = check(TlbFlush, "after-idt", audit=Amount(1, None, False))
    assert result.audit is not None and result.audit.went_on == sum(result.waits.values()) > 10
    assert f"From {result.audit.went_on} states on, whoever waited was seen to go on." in audit_text(result.audit)


@pytest.mark.parametrize("policy", ["as-filed", "after-idt"])
def test_a_wait_without_an_end_that_the_engine_missed_is_noticed(
    policy: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An engine that marks each state as one from which all go on; where that is so, nothing is to be noticed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Store, "reaching", lambda self, which, look: np.ones(self.count, dtype=np.uint8))
    how: Any = {"properties": ["no-stuck"], "audit": Amount(1, None, False)}
    if policy == "after-idt":
        assert check(TlbFlush, policy, **how).verdict == "holds"
        return
    with pytest.raises(AuditError, match="waits for ever"):
        check(TlbFlush, policy, **how)


def test_a_wait_that_the_engine_made_up_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that finds no way back from where it should."""
    honest = Store.reaching

    def forgetful(self: Store, which: int, look: Callable[[], None]) -> Any:
        marks = honest(self, which, look)
        goal = np.zeros_like(marks)
        self._set(marks=goal.ctypes.data, which=which, bit=1)
        self._all(0, self.count, self.library.judge)
        return goal

    monkeypatch.setattr(Store, "reaching", forgetful)
    with pytest.raises(CertificateError, match="has an end"):
        check(TlbFlush, "after-idt", properties=["no-stuck"])
