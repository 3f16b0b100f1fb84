"""Policies side by side: what each costs, whether it suffices, and how much of what it drops was dropped for nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from flushproof.checking import Request, run
from flushproof.engines import engine_of
from flushproof.model.language.instance import State
from flushproof.model.language.instantiate import instantiate
from flushproof.result import HOLDS, Result
from flushproof.search.costs import Costs, count
from flushproof.search.explore import explore


@dataclass(frozen=True)
class Bill:
    """One policy: the verdict on it, and what it costs over all its reachable states."""

    result: Result
    costs: Costs


def bill(request: Request) -> Bill:
    """Checks a policy, and counts what it costs; see `search.costs`.

    The limits hold for the check, and their seconds once more for the counting.

    Raises:
        FlushproofError: as in `checking.check`.
    """
    result = run(request)
    started = time.monotonic()
    instance = instantiate(request.system, request.policy, request.knobs, request.sizes)
    states: list[State] = []
    outcome = explore(
        instance,
        properties=[],
        symmetry=request.symmetry,
        engine=engine_of(request.engine, request.resources),
        limits=request.limits,
        progress=request.progress,
        on_state=states.append,
    )
    seconds = request.limits.seconds
    costs = count(
        instance,
        states,
        symmetry=request.symmetry,
        ask_required=result.verdict == HOLDS and outcome.complete,
        seconds=None if seconds is None else max(seconds - (time.monotonic() - started), 0.0),
    )
    return Bill(result, replace(costs, complete=costs.complete and outcome.complete))


def bills(request: Request) -> Iterator[Bill]:
    """The bill of the request's policy, or of each policy of its system if it names none."""
    names: list[str | None] = [request.policy] if request.policy is not None else list(request.system.policies)
    for name in names or [None]:
        yield bill(replace(request, policy=name))
