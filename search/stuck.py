"""Waits without an end: which process waits in some reachable state for what can never come, whatever else goes on.

One search for each process (see `reductions.watched`), which must see everything.  From the states that it stored the engine goes
back against the steps; where it never comes, the wait is for ever.  What is claimed of the last state of a trace is looked at again
by the interpreter: it follows every way from there, as far as there is room, and the process waits in each state.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from flushproof.model.errors import FlushproofError
from flushproof.model.ir import TRUE, Clause, Property, terms
from flushproof.model.ir.instance import Instance, State
from flushproof.model.ir.trace import Step, Trace
from flushproof.model.ir.waits import NO_STUCK, waits

from .outcome import Later, Violated
from .reductions.watched import Watching, watchings
from .reference.interpreter import Reference
from .replay import Replay, ReplayError, binding
from .task import Engine, Limits, Points, Progress, Task, Visited

MOST_FOLLOWED = 10_000
"""So many states behind the last one of a trace are looked at again."""


def refuse_stuck(instance: Instance, engine: Engine, bound: int | None) -> None:
    """Where `no-stuck` cannot be looked for.

    Raises:
        FlushproofError: the engine keeps no states, steps are cut off, or a step's condition cannot be told beforehand.
    """
    list(watchings(instance))
    if bound is not None:
        raise FlushproofError(
            f"'{NO_STUCK}' cannot be asked with counters up to a bound: what a step that is cut off would make possible counts as "
            "impossible. Leave out --rename off."
        )
    if engine.cannot_look_back is not None:
        raise FlushproofError(f"'{NO_STUCK}' cannot be asked {engine.cannot_look_back}")


def look_for_stuck(
    instance: Instance,
    engine: Engine,
    symmetry: bool,
    limits: Limits,
    progress: Callable[[Progress], None] | None = None,
    audit: Callable[[Watching, Visited], None] | None = None,
    points: Points | None = None,
) -> Later:
    """Searches for waits without an end, process by process; points: see `Task`.

    audit: called with what is stored for each process that has none.

    Raises:
        FlushproofError: it cannot be asked of this system.
    """
    started = time.monotonic()
    found = Later()
    for watching in watchings(instance):
        left = limits
        if limits.seconds is not None:
            spent = time.monotonic() - started - found.compile_seconds
            left = replace(limits, seconds=max(limits.seconds - spent, 0.001))
        goal = watching.goes_on
        task = Task(
            watching.instance, (), (goal,), False, None, symmetry, left, progress, possible=goal.name, points=points
        )
        if audit is not None:
            task = replace(task, audit=lambda visited, _, watching=watching: audit(watching, visited))  # type: ignore[misc]
        searched = engine.search(task)
        found = replace(
            found,
            waits={**found.waits, watching.process: searched.states},
            compile_seconds=found.compile_seconds + searched.compile_seconds,
        )
        if searched.stopped is not None:
            found = replace(found, reason=f"{searched.stopped} while the waits of '{watching.process}' were looked at")
            break
        path = searched.violated.get(goal.name)
        if path is not None and (found.violated is None or len(path) - 1 < found.violated.depth):
            trace = _trace(instance, watching, Replay(watching.instance, symmetry, points=points), path)
            found = replace(found, violated=Violated(goal.name, len(path) - 1, trace))
    return replace(found, seconds=time.monotonic() - started)


def _trace(instance: Instance, watching: Watching, replay: Replay, path: tuple[State, ...]) -> Trace:
    """The trace along a path of the watched system, told of the system itself."""
    initial, steps = replay.steps(goal := watching.goes_on.name, path)
    last, element = watching.apart(steps[-1].state if steps else initial)
    state = watching.apart(initial)[0]
    moves = tuple(Step(s.action, s.binding, watching.apart(s.state)[0]) for s in steps)
    for number, wait in enumerate(waits(instance.system)):
        if wait.process == watching.process and last[instance.slot(wait.pc.name, element)] == wait.pc_code:
            return Trace(instance, state, moves, goal, number, binding(wait.who, element))
    raise ReplayError(f"replaying {instance.system.name}: nobody waits at the end of the trace of '{goal}'")


def followed(trace: Trace) -> tuple[Mapping[State, frozenset[State]], bool]:
    """Follows all ways from the end of a trace to a wait without an end: the states with their successors, and whether that is all.

    Raises:
        ReplayError: the process can go on, or the system comes to a final state.
    """
    instance, reference = trace.instance, Reference(trace.instance)
    assert trace.clause is not None
    wait = waits(instance.system)[trace.clause]
    witness = trace.witness or {}
    element = {var: terms.literal(var.of, witness[var.name]) for var in wait.who}
    goes_on = terms.or_(terms.not_(terms.substitute(wait.waiting, element)), instance.system.final)
    violation = reference.checker(Property(trace.property, (Clause((), TRUE, terms.not_(goes_on)),)))
    ways = [trace.states[-1]]
    seen: dict[State, frozenset[State]] = {}
    for state in ways:
        if state in seen:
            continue
        if len(seen) == MOST_FOLLOWED:
            return seen, False
        if violation(state) is not None:
            raise ReplayError(f"replaying {instance.system.name}: the wait at the end of the trace has an end")
        seen[state] = frozenset(after for _, _, after in reference.successors(state))
        ways += sorted(seen[state])
    return seen, True
