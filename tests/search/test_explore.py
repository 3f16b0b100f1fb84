"""The explorer: counted by hand, against brute force on generated systems, and stopped in every way."""

from itertools import pairwise

import psutil
import pytest
from flushproof.model.errors import FlushproofError
from flushproof.model.ir import TRUE
from flushproof.model.ir.evaluate import initial_states, transitions
from flushproof.model.ir.instance import Instance, State
from flushproof.model.ir.terms import well_defined
from flushproof.model.ir.trace import Trace
from flushproof.search.explore import explore
from flushproof.search.outcome import Outcome
from flushproof.search.task import Limits, Progress

from tests.generated import instance
from tests.search.brute_force import first_violation, orbit, reachable, violates
from tests.search.handwritten import lock, rollover


def names(trace: Trace | None) -> list[str]:
    assert trace is not None
    return [step.action for step in trace.steps]


def check_trace(trace: Trace) -> None:
    """Every step is one of the system's, by the evaluator that explores nothing."""
    inst = trace.instance
    actions = {a.name: a for a in inst.system.actions}
    assert trace.initial in set(initial_states(inst))
    for number, (before, step) in enumerate(trace.transitions(), 1):
        if step.event:
            assert step.state == before and number == len(trace.steps) and step.binding == trace.witness
        else:
            action = actions[step.action]
            assert (tuple(step.binding.values()), step.state) in set(transitions(action, before, inst))
            assert list(step.binding) == [p.name for p in action.params]


# --------------------------------------------------------------------------------------------------- counted by hand


@pytest.mark.parametrize(
    ("n", "symmetry", "states", "transitions", "depth"),
    [(1, False, 3, 3, 2), (2, False, 8, 14, 3), (3, False, 20, 48, 4), (2, True, 5, 9, 3), (3, True, 7, 18, 4)],
)
def test_lock_is_counted(n: int, symmetry: bool, states: int, transitions: int, depth: int) -> None:
    outcome = explore(lock(n), symmetry=symmetry)
    assert (outcome.verdict, outcome.states, outcome.transitions, outcome.depth) == (
        "holds",
        states,
        transitions,
        depth,
    )
    assert outcome.complete and outcome.reason is None and outcome.trace is None
    assert outcome.reached["someone-gets-in"] == 2
    assert outcome.not_reached == (("all-are-in",) if n > 1 else ())


@pytest.mark.parametrize(("n", "symmetry", "states"), [(1, False, 4), (2, False, 12), (2, True, 8), (3, False, 52)])
def test_any_number_of_rollovers_is_finite(n: int, symmetry: bool, states: int) -> None:
    outcome = explore(rollover(n), symmetry=symmetry)
    assert (outcome.verdict, outcome.states) == ("holds", states)


@pytest.mark.parametrize("symmetry", [False, True])
@pytest.mark.parametrize("n", [2, 3])
def test_shortest_trace(n: int, symmetry: bool) -> None:
    outcome = explore(lock(n, guarded=False), properties=["exclusive"], symmetry=symmetry)
    assert (outcome.verdict, outcome.property) == ("violated", "exclusive")
    assert sorted(names(outcome.trace)) == ["take", "take", "want", "want"]
    assert outcome.trace is not None
    check_trace(outcome.trace)
    assert set(outcome.trace.witness or {}) == {"cpu", "other"}


def test_event_is_the_last_step() -> None:
    outcome = explore(lock(2, guarded=False, event="meet"), properties=["exclusive"])
    assert names(outcome.trace)[-1] == "meet" and len(names(outcome.trace)) == 5
    assert outcome.trace is not None and outcome.trace.steps[-1].event
    assert outcome.violations[0].depth == 4
    check_trace(outcome.trace)


def test_well_defined_shows_the_action() -> None:
    outcome = explore(lock(2, guarded=False))
    assert outcome.property == "well-defined"
    assert sorted(names(outcome.trace)) == ["take", "take", "want", "want"]
    assert outcome.trace is not None and outcome.trace.steps[-1].event and outcome.trace.steps[-1].action == "take"


def test_focus_goes_on_and_notes_the_others() -> None:
    outcome = explore(lock(2, guarded=False), focus="exclusive")
    assert outcome.property == "exclusive"
    assert [(v.property, v.depth) for v in outcome.violations] == [("well-defined", 3), ("exclusive", 4)]
    for violated in outcome.violations:
        check_trace(violated.trace)


def test_deadlock_and_final() -> None:
    outcome = explore(lock(2, released=False))
    assert (outcome.verdict, outcome.property) == ("violated", "no-deadlock")
    assert sorted(names(outcome.trace)) == ["take", "want", "want"]
    assert outcome.trace is not None and outcome.trace.clause is None
    assert explore(lock(2, released=False, final=TRUE)).verdict == "holds"
    assert explore(lock(2, released=False), properties=["exclusive"]).verdict == "holds"


# --------------------------------------------------------------------------------------------------- against brute force


def expected_violations(inst: Instance, asked: Outcome) -> dict[str, int]:
    space = reachable(inst)
    depths = {p.name: first_violation(inst, p, space) for p in (*inst.system.properties, well_defined(inst.system))}
    depths["no-deadlock"] = min((space.depth[s] for s in space.stuck), default=None)
    kinds = {p.name: p.kind for p in inst.system.properties}
    return {n: d for n, d in depths.items() if d is not None and kinds.get(n) != "reachable"}


@pytest.mark.parametrize("seed", range(80))
def test_explorer_agrees_with_brute_force(seed: int) -> None:
    inst = instance(seed)
    space = reachable(inst)
    if len(space.depth) > 300:
        pytest.skip("too many for the slow twin")
    everything = explore(inst, properties=[p.name for p in inst.system.properties if p.kind == "reachable"])
    assert everything.states == len({orbit(inst, state) for state in space.depth})
    plain = explore(inst, properties=[], symmetry=False)
    assert (plain.states, plain.transitions) == (len(space.depth), space.transitions)
    assert plain.depth == max(space.depth.values(), default=0)
    for prop in inst.system.properties:
        if prop.kind == "reachable":
            missed = [state for state in space.depth if violates(inst, prop, state)]
            depth = min((d for state, d in space.depth.items() if state not in missed), default=None)
            assert everything.reached.get(prop.name) == depth
    expected = expected_violations(inst, everything)
    for symmetry in (False, True):
        for name in [*(p.name for p in inst.system.properties if p.kind == "invariant"), "no-deadlock", "well-defined"]:
            outcome = explore(inst, focus=name, symmetry=symmetry)
            found = {v.property: v.depth for v in outcome.violations}
            assert found.get(name) == expected.get(name)
            assert found.items() <= expected.items()
            for violated in outcome.violations:
                check_trace(violated.trace)
        first = explore(inst, symmetry=symmetry)
        assert min(expected.values(), default=None) == (first.violations[0].depth if first.violations else None)
        verdict = "inconclusive" if not space.depth else "violated" if expected else "holds"
        assert first.verdict == verdict


def test_generated_systems_are_worth_it() -> None:
    """Some are deep, some violate something late, some have symmetry to reduce: else the tests above show nothing."""
    outcomes = [(explore(instance(s), properties=[]), explore(instance(s))) for s in range(80)]
    assert sum(full.depth >= 3 for full, _ in outcomes) >= 8
    assert sum(bool(o.violations) and o.violations[0].depth > 0 for _, o in outcomes) >= 5
    assert sum(o.verdict == "holds" for _, o in outcomes) >= 10
    assert sum(full.group >= 4 for full, _ in outcomes) >= 15


# ------------------------------------------------------------------------------------------------------------ stopping


def test_limit_of_states() -> None:
    outcome = explore(lock(3), symmetry=False, limits=Limits(states=19))
    assert (outcome.verdict, outcome.states) == ("inconclusive", 19)
    assert outcome.reason is not None and "limit of 19 states" in outcome.reason
    assert explore(lock(3), symmetry=False, limits=Limits(states=20)).verdict == "holds"


def test_limit_of_depth() -> None:
    outcome = explore(lock(3), limits=Limits(depth=4))
    assert outcome.verdict == "inconclusive" and "depth 4" in (outcome.reason or "")
    assert explore(lock(3), limits=Limits(depth=5)).verdict == "holds"
    assert explore(lock(2, guarded=False), properties=["exclusive"], limits=Limits(depth=4)).verdict == "violated"
    assert explore(lock(2, guarded=False), properties=["exclusive"], limits=Limits(depth=3)).verdict == "inconclusive"


def test_limit_of_time() -> None:
    outcome = explore(rollover(7), symmetry=False, limits=Limits(seconds=0))
    assert outcome.verdict == "inconclusive" and "limit" in (outcome.reason or "")
    assert outcome.states > 0


def test_limit_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flushproof.search.reference.breadth_first._INTERVAL", 0.0)
    limits, ballast = Limits(memory_bytes=psutil.Process().memory_info().rss + (50 << 20)), []

    def grow(_: object) -> None:
        ballast.append(b"1" * (8 << 20))

    outcome = explore(rollover(7), symmetry=False, limits=limits, on_state=grow)
    assert outcome.verdict == "inconclusive" and "bytes of memory" in (outcome.reason or "")
    assert 0 < outcome.states < 200  # what others freed meanwhile makes room for some more


def test_refuses_too_little_memory() -> None:
    with pytest.raises(FlushproofError, match="too small"):
        explore(rollover(7), limits=Limits(memory_bytes=1 << 20))


def test_interrupt() -> None:
    seen = 0

    def interrupt(_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == 10:
            raise KeyboardInterrupt

    outcome = explore(lock(3), symmetry=False, on_state=interrupt)
    assert (outcome.verdict, outcome.states) == ("inconclusive", 10)
    assert "interrupt" in (outcome.reason or "")


def test_progress_grows() -> None:
    reports: list[Progress] = []
    explore(rollover(7), symmetry=False, progress=reports.append, limits=Limits(seconds=1.2))
    assert 2 <= len(reports) <= 6
    for earlier, later in pairwise(reports):
        assert earlier.states <= later.states and earlier.transitions < later.transitions
        assert later.seconds - earlier.seconds > 0.2
    assert reports[-1].rate > 0 and reports[-1].memory_bytes > 10**6


def test_no_initial_state_is_no_verdict() -> None:
    inst = next(i for i in map(instance, range(100)) if not reachable(i).depth)
    outcome = explore(inst)
    assert outcome.verdict == "inconclusive" and "no initial state" in (outcome.reason or "")


def test_unknown_property_names_the_nearest() -> None:
    with pytest.raises(FlushproofError, match="Did you mean 'exclusive'"):
        explore(lock(2), properties=["exlusive"])
    with pytest.raises(FlushproofError, match="not asked for 'no-deadlock'"):
        explore(lock(2), properties=["exclusive"], focus="no-deadlock")


@pytest.mark.parametrize(("symmetry", "states"), [(False, 8), (True, 5)])
def test_observer_sees_every_state_once(symmetry: bool, states: int) -> None:
    seen: list[State] = []
    explore(lock(2), symmetry=symmetry, on_state=seen.append)
    assert len(seen) == len(set(seen)) == states
    assert {orbit(lock(2), state) for state in seen} == {orbit(lock(2), state) for state in reachable(lock(2)).depth}
