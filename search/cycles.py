"""Executions without an end in which nothing gets done: cycles without a step of progress, weakly fair to everyone.

All states and steps are made without symmetry and with every step apart: who takes a step and who could is what fairness is about,
and both reductions blur it.  So this is a search of its own, once the first has seen everything, with one worker; then all steps
are kept beside the states, and the parts of the graph that can repeat for ever are looked for (see `moves`).  Of the lasso that is
shown, the way to the cycle is a shortest one to any such cycle; the cycle need not be a shortest one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import psutil
from flushproof.model.errors import FlushproofError
from flushproof.model.ir import TRUE, Clause, Progress, Property
from flushproof.model.ir.instance import Instance
from flushproof.model.ir.trace import Step, Trace

from . import task as tasks
from .moves import Kinds, Moves
from .outcome import Later, Violated
from .reference.interpreter import Reference
from .replay import binding
from .task import Engine, Limits, Points, Task, Visited


def refuse_cycles(bound: int | None) -> None:
    """Where cycles cannot be looked for.

    Raises:
        FlushproofError: steps are cut off.
    """
    if bound is not None:
        raise FlushproofError(
            "progress cannot be asked for with counters up to a bound: an execution without an end may need a step that is cut "
            "off. Leave out --rename off."
        )


class _Limit(Exception):
    """A limit was reached; the text says which."""


def look_for_cycles(
    instance: Instance,
    engine: Engine,
    asked: Sequence[Progress],
    limits: Limits,
    progress: Callable[[tasks.Progress], None] | None = None,
    points: Points | None = None,
) -> Later:
    """Looks for an execution without an end, fair, that is without the progress of one of these; points: see `Task`.

    Raises:
        FlushproofError: see `Engine.search`.
    """
    owing = tuple(Property(p.name, (Clause((), TRUE, p.within),), "reachable") for p in asked)
    process = psutil.Process()
    compiled, violated = 0.0, list[Violated]()

    def look() -> None:
        if limits.seconds is not None and time.monotonic() - task.started > limits.seconds:
            raise _Limit(f"the limit of {limits.seconds:g} seconds")
        if limits.memory_bytes is not None and process.memory_info().rss > limits.memory_bytes:
            raise _Limit(f"the limit of {limits.memory_bytes} bytes of memory")

    def look_through(visited: Visited, _: object) -> None:
        nonlocal compiled
        moves = visited.moves(Kinds(instance), look)
        compiled = moves.compile_seconds
        for one in asked:
            found = _lasso(visited, moves, one, look)
            if found is not None:
                violated.append(_violated(instance, visited, moves, one, *found))

    task = Task(
        instance, (), owing, False, symmetry=False, limits=limits, progress=progress, audit=look_through, points=points
    )
    try:
        searched = engine.plain.search(task)
        stopped = searched.stopped
        compiled += searched.compile_seconds
    except _Limit as limit:
        stopped = str(limit)
    except MemoryError:
        stopped = "the limit of this process's address space"
    except KeyboardInterrupt:
        stopped = "an interrupt"
    return Later(
        min(violated, key=lambda v: v.depth, default=None),
        seconds=time.monotonic() - task.started,
        compile_seconds=compiled,
        reason=stopped and f"{stopped} while cycles without progress were looked for, symmetry off",
    )


def _lasso(visited: Visited, moves: Moves, progress: Progress, look: Callable[[], None]) -> tuple[list[int], list[int]] | None:
    """The steps of a shortest way to any fair cycle without progress, and of such a cycle from there."""
    idle = moves.kinds.but(progress.actions)
    part = moves.fair_part(idle, visited.where(progress.name), look)
    return None if part is None else (moves.way(int(np.argmax(part))), moves.round(part, idle))


def _violated(
    instance: Instance, visited: Visited, moves: Moves, progress: Progress, way: Sequence[int], cycle: Sequence[int]
) -> Violated:
    """The trace along these steps, told by the interpreter."""
    reference, kinds = Reference(instance), moves.kinds
    steps = list[Step]()
    state = start = visited.states([moves.source((*way, *cycle)[0])])[0]
    for number in (*way, *cycle):
        after = visited.states([int(moves.targets[number])])[0]
        action, codes = next(
            (action, codes)
            for action, codes, reached in reference.successors(state)
            if reached == after and kinds.number(action, codes) == moves.taken[number]
        )
        steps.append(Step(action.name, binding(action.params, codes), after))
        state = after
    return Violated(progress.name, len(way), Trace(instance, start, tuple(steps), progress.name, cycle=len(way)))
