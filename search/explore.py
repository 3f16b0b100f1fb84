"""Exploring an instance: which properties, which engine, and what its answer means.

The engine says which properties are violated and by which sequence of states; here each such sequence is replayed on the
interpreter, step by step from a real initial state, so that a trace never rests on the engine alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from flushproof.model.errors import FlushproofError, nearest
from flushproof.model.ir import BOOL, FALSE, TAKEN_OVER, TRUE, Clause, Property, Read, System, terms
from flushproof.model.ir import Progress as ProgressProperty
from flushproof.model.ir.instance import Instance, State
from flushproof.model.ir.waits import NO_STUCK

from .cycles import look_for_cycles, refuse_cycles
from .outcome import Later, Outcome, Verdict, Violated
from .reductions.bounded import CUT, Bounded
from .reductions.fusion import Fused, fuse_hidden
from .reductions.symmetry import movable
from .reductions.watched import Watching
from .reference.breadth_first import ReferenceEngine
from .reference.interpreter import Reference
from .replay import Replay
from .stuck import look_for_stuck, refuse_stuck
from .task import NO_DEADLOCK, TO_BE_ASKED, WELL_DEFINED, Engine, Found, Limits, Points, Progress, Task, Visited
from .vacuity import never, watched


def property_names(instance: Instance) -> tuple[str, ...]:
    """The names of all properties, the system's own first, then the built-in ones."""
    own = [p.name for p in instance.system.properties] + [p.name for p in instance.system.progress]
    return (*own, NO_DEADLOCK, NO_STUCK, WELL_DEFINED)


def asked_names(instance: Instance) -> tuple[str, ...]:
    """The names of the properties that are looked for where none is named: all but the built-in ones that must be asked for."""
    return tuple(n for n in property_names(instance) if n not in TO_BE_ASKED or n in instance.system.asks)


def explore(
    instance: Instance,
    *,
    properties: Sequence[str] | None = None,
    focus: str | None = None,
    symmetry: bool = True,
    fuse: bool = False,
    bound: int | None = None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    progress: Callable[[Progress], None] | None = None,
    on_state: Callable[[State], None] | None = None,
    audit: Callable[[Searched], None] | None = None,
    engine: Engine | None = None,
    watch: bool = False,
    points: Points | None = None,
) -> Outcome:
    """Explores breadth-first, until a property is violated, everything is seen, or a limit is reached.

    properties: names of what to look for; None for all of the system's, "no-deadlock", "well-defined", and what the system
        asks for.  "no-stuck" is looked for last, in searches of its own, once everything is seen and nothing else is violated.
    focus: the search stops only when this one is violated; the first violation of each other is noted on the way.
    symmetry: explore orbits under the permutations of scalarsets instead of states.
    fuse: take hidden steps together with the one before them (see `fusion`): the verdict is the same and states are
        fewer, but counts and depths are those of fused steps, and a trace need not be a shortest one.
    bound: do not rename counters by rank, and cut off what needs more values than so many (see `bounded`): a search that
        meets such a step cannot say that something holds.
    progress, on_state, points: see `Task`.
    audit: called once with what is stored, after a search that saw everything and found no violation.
    engine: the interpreter if None.
    watch: note what never happens (`Outcome.never`): of hidden steps that are fused, nothing is said.

    Raises:
        FlushproofError: there is no property of that name; the system cannot start within the bound.
    """
    asked = ask(instance, properties)
    engine = engine or ReferenceEngine()
    _refuse(asked, instance, engine, bound)
    if focus is not None and focus not in asked.names:
        raise FlushproofError(f"The search is not asked for '{focus}'. {nearest(focus, asked.names, 'properties')}")
    fused = fuse_hidden(instance.system, (*asked.invariants, *asked.reachables)) if fuse else Fused(instance.system)
    task = Task(
        replace(instance, system=fused.system),
        asked.invariants,
        (*asked.reachables, *_taken_over(instance.system)),
        asked.deadlock,
        focus,
        symmetry,
        limits,
        progress,
        on_state,
        watched=watched(instance.system, _by_users(asked.invariants), fused.hidden) if watch else (),
        points=points,
    )
    if bound is not None:
        task = _bounded(task, instance, bound)
    auditing = 0.0
    if audit is not None:
        steps = instance if bound is None else replace(instance, system=Bounded(instance.system, bound).system)
        invariants = task.invariants

        def stored(visited: Visited, violated: Collection[str]) -> None:
            nonlocal auditing
            begun, deadlock = time.monotonic(), asked.deadlock and NO_DEADLOCK not in violated
            kept = tuple(p for p in invariants if p.name not in violated)
            audit(Searched(steps, kept, deadlock, symmetry, fused.hidden, visited, points=points))
            auditing = time.monotonic() - begun

        task = replace(task, audit=stored)
    found = engine.search(task)
    seconds = time.monotonic() - task.started - auditing
    violations = _nearest(_violations(task, instance, asked, fused.hidden, found), asked)
    outcome = _outcome(task, violations, found, fused.hidden, seconds, engine.name)
    if found.stopped is None and found.states and not task.done(found.violated):
        for later in _later(task, instance, asked, engine, _auditing_waits(audit, symmetry, points)):
            outcome = _with_later(outcome, later, focus, asked)
    outcome = _begun(outcome, instance)
    return outcome if bound is None else _cut(outcome, bound)


def _refuse(asked: Asked, instance: Instance, engine: Engine, bound: int | None) -> None:
    if asked.stuck:
        refuse_stuck(instance, engine, bound)
    if asked.progress:
        refuse_cycles(bound)


def _nearest(violations: Iterable[Violated], asked: Asked) -> list[Violated]:
    """The nearest first."""
    return sorted(violations, key=lambda v: (v.depth, asked.names.index(v.property)))


def _later(
    task: Task, instance: Instance, asked: Asked, engine: Engine, audit: Callable[[Watching, Visited], None] | None
) -> Iterator[Later]:
    """What is looked for once everything is seen."""
    if asked.stuck:
        yield look_for_stuck(instance, engine, task.symmetry, task.limits, task.progress, audit, task.points)
    if asked.progress:
        yield look_for_cycles(instance, engine, asked.progress, task.limits, task.progress, task.points)


def _with_later(outcome: Outcome, later: Later, focus: str | None, asked: Asked) -> Outcome:
    """The outcome of a search that saw everything, and what was found out about executions then."""
    timed = replace(
        outcome,
        waits={**outcome.waits, **later.waits},
        seconds=outcome.seconds + later.seconds - later.compile_seconds,
        compile_seconds=outcome.compile_seconds + later.compile_seconds,
    )
    if later.violated is not None:
        violations = _nearest((*outcome.violations, later.violated), asked)
        shown = next((v for v in violations if v.property == focus), violations[0])
        return replace(
            timed,
            verdict="violated",
            property=shown.property,
            trace=shown.trace,
            violations=tuple(violations),
            complete=False,
            never=None,
        )
    if later.reason is not None and not outcome.violations:
        return replace(timed, verdict="inconclusive", complete=False, never=None, reason=f"stopped by {later.reason}")
    return timed


@dataclass(frozen=True)
class Searched:
    """What a search has stored, and what it is about.

    instance: whose states they are, its steps not fused; symmetry: as in `Task`.
    invariants, deadlock: what was asked for, and not violated.
    hidden: actions that were fused to the end of the step before them: states in between are not stored.
    possible: what is reached from every state, where the search was for that alone.
    points: what the search began with, where it did not begin with everything.
    """

    instance: Instance
    invariants: tuple[Property, ...]
    deadlock: bool
    symmetry: bool
    hidden: tuple[str, ...]
    visited: Visited
    possible: Property | None = None
    points: Points | None = None


def _auditing_waits(
    audit: Callable[[Searched], None] | None, symmetry: bool, points: Points | None
) -> Callable[[Watching, Visited], None] | None:
    if audit is None:
        return None
    return lambda w, visited: audit(Searched(w.instance, (), False, symmetry, (), visited, w.goes_on, points))


def _bounded(task: Task, instance: Instance, bound: int) -> Task:
    """The same search without renaming of counters."""
    bounded = Bounded(task.instance.system, bound)
    on_state = task.on_state
    renamed = Reference(instance).renamed
    return replace(
        task,
        instance=replace(task.instance, system=bounded.system),
        invariants=tuple(
            terms.well_defined(Bounded(instance.system, bound).system)
            if p.name == WELL_DEFINED
            else bounded.property(p)
            for p in task.invariants
        ),
        reachables=(*map(bounded.property, task.reachables), bounded.cut),
        watched=tuple(replace(w, formula=bounded.property(w.formula)) for w in task.watched),
        on_state=on_state and (lambda state: on_state(renamed(state))),
    )


def _taken_over(system: System) -> tuple[Property, ...]:
    """That the policy under check has taken over, where another one reaches its initial states."""
    if system.handover is None:
        return ()
    in_force = Read(TAKEN_OVER, (), BOOL) if TAKEN_OVER in system.variable else FALSE
    return (Property(TAKEN_OVER, (Clause((), TRUE, in_force),), kind="reachable"),)


def never_takes_over(instance: Instance) -> str:
    """Why there is no verdict on a policy that was seen to take over in no state."""
    seen = f"no state that was seen of what {instance.begun} reaches"
    return f"no initial state was found: in {seen} is '{instance.system.handover}' possible"


def takes_over(instance: Instance, engine: Engine, limits: Limits) -> bool:
    """Whether a state was found in which the policy under check is in force; it goes no further than to the first one."""
    (handover,) = _taken_over(instance.system)
    never = replace(handover, kind="invariant", clauses=tuple(replace(c, expr=terms.not_(c.expr)) for c in handover.clauses))
    return TAKEN_OVER in engine.search(Task(instance, (never,), deadlock=False, limits=limits)).violated


def _begun(outcome: Outcome, instance: Instance) -> Outcome:
    """The outcome, `TAKEN_OVER` no longer among what is to be reached: of a policy that never begins everything is true."""
    if instance.system.handover is not None and TAKEN_OVER not in outcome.reached and outcome.verdict == "holds":
        outcome = replace(outcome, verdict="inconclusive", complete=False, reason=never_takes_over(instance), never=None)
    return replace(
        outcome,
        reached={name: depth for name, depth in outcome.reached.items() if name != TAKEN_OVER},
        not_reached=tuple(name for name in outcome.not_reached if name != TAKEN_OVER),
    )


def _cut(outcome: Outcome, bound: int) -> Outcome:
    """The outcome of a bounded search, `CUT` no longer among what is to be reached."""
    cut = outcome.reached.get(CUT)
    if cut is not None and outcome.verdict == "holds":
        reason = f"steps that need more than {bound} values of a counter were cut off, the first after {cut} steps"
        outcome = replace(outcome, verdict="inconclusive", complete=False, reason=outcome.reason or reason)
    return replace(
        outcome,
        reached={name: depth for name, depth in outcome.reached.items() if name != CUT},
        not_reached=tuple(name for name in outcome.not_reached if name != CUT),
        bound=bound,
        cut=cut,
    )


@dataclass(frozen=True)
class Asked:
    """The properties that a search is asked for; `names` are in order of declaration, the built-in ones last."""

    names: tuple[str, ...]
    invariants: tuple[Property, ...]
    reachables: tuple[Property, ...]
    deadlock: bool
    stuck: bool
    progress: tuple[ProgressProperty, ...]


def ask(instance: Instance, names: Sequence[str] | None) -> Asked:
    """The properties of these names; None is all of them.

    Raises:
        FlushproofError: there is no property of that name.
    """
    known = property_names(instance)
    for name in names or ():
        if name not in known:
            hint = nearest(name, known, "properties")
            raise FlushproofError(f"{instance.system.name} has no property '{name}'. {hint}")
    chosen = asked_names(instance) if names is None else tuple(name for name in known if name in names)
    own = [p for p in instance.system.properties if p.name in chosen]
    invariants = [p for p in own if p.kind == "invariant"]
    if WELL_DEFINED in chosen:
        invariants.append(terms.well_defined(instance.system))
    return Asked(
        chosen,
        tuple(invariants),
        tuple(p for p in own if p.kind == "reachable"),
        deadlock=NO_DEADLOCK in chosen,
        stuck=NO_STUCK in chosen,
        progress=tuple(p for p in instance.system.progress if p.name in chosen),
    )


def _violations(task: Task, instance: Instance, asked: Asked, hidden: tuple[str, ...], found: Found) -> list[Violated]:
    if not found.violated:
        return []
    replay = Replay(instance, task.symmetry, hidden, task.points)
    properties = {p.name: p for p in asked.invariants}
    return [
        Violated(name, len(path) - 1, replay.trace(name, properties.get(name), path))
        for name, path in found.violated.items()
    ]


def _outcome(
    task: Task, violations: list[Violated], found: Found, hidden: tuple[str, ...], seconds: float, engine: str
) -> Outcome:
    focus = next((v for v in violations if v.property == task.focus), violations[0] if violations else None)
    # Of nothing at all everything is true: a system without initial states has no verdict.
    complete = found.stopped is None and not task.done(found.violated) and found.states > 0
    verdict: Verdict = "violated" if focus else "holds" if complete else "inconclusive"
    return Outcome(
        verdict,
        focus.property if focus else None,
        focus.trace if focus else None,
        tuple(violations),
        complete,
        found.states,
        found.transitions,
        found.depth,
        seconds - found.compile_seconds,
        found.compile_seconds,
        found.reached,
        tuple(p.name for p in task.reachables if p.name not in found.reached),
        _reason(found),
        task.symmetry,
        found.group,
        found.unreduced,
        found.omission,
        engine,
        hidden,
        never=never(task.watched[: found.looked_for], found.happened, _by_users(task.invariants))
        if complete and task.watched
        else None,
        unwatched=len(task.watched) - found.looked_for,
        fixed=movable(task.instance).fixed if task.symmetry else {},
    )


def _by_users(invariants: Iterable[Property]) -> list[Property]:
    """Those that the system's own text declares."""
    return [p for p in invariants if p.name != WELL_DEFINED]


def _reason(found: Found) -> str | None:
    if found.stopped is None:
        return (
            None
            if found.states
            else "there is no initial state: what is asked of the rigid maps and of `init` cannot be met"
        )
    return (
        f"stopped by {found.stopped} after {found.states} {'state' if found.states == 1 else 'states'} "
        f"and {found.transitions} {'transition' if found.transitions == 1 else 'transitions'},"
        f" at depth {found.depth}"
    )
