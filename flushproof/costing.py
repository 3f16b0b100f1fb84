"""Policies side by side: what each costs, whether it suffices, and how much of what it drops was dropped for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from flushproof.checking import Request, run
from flushproof.engines import engine_of
from flushproof.model.ir.instance import State
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

    The limits hold for exploring, and their seconds once more for counting.

    Raises:
        FlushproofError: as in `checking.check`.
    """
    states: list[State] = []
    result = run(replace(request, audit=None), states.append)
    complete = result.verdict == HOLDS
    if not complete:  # a violation ended the search: what costs is all that can happen
        states.clear()
        complete = explore(
            result.instance,
            properties=[],
            symmetry=request.symmetry,
            engine=engine_of(request.engine, request.resources),
            limits=request.limits,
            progress=request.progress,
            on_state=states.append,
        ).complete
    costs = count(
        result.instance,
        states,
        symmetry=request.symmetry,
        ask_required=result.verdict == HOLDS,
        seconds=request.limits.seconds,
    )
    return Bill(result, replace(costs, complete=costs.complete and complete))


def bills(request: Request) -> Iterator[Bill]:
    """The bill of the request's policy, or of each policy of its system if it names none."""
    names: list[str | None] = [request.policy] if request.policy is not None else list(request.system.policies)
    for name in names or [None]:
        yield bill(replace(request, policy=name))
