"""Policies side by side: what each costs, whether it suffices, and how much of what it drops was dropped for nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from flushproof.checking import Request, run
from flushproof.model.language.instantiate import instantiate
from flushproof.result import HOLDS, Result
from flushproof.search.chances import Workload
from flushproof.search.costs import Costs, count
from flushproof.workloads import refuse_strange


@dataclass(frozen=True)
class Bill:
    """One policy: the verdict on it, and what it costs."""

    result: Result
    costs: Costs


def bill(request: Request, workload: Workload | None = None) -> Bill:
    """Checks a policy, and counts what it costs; see `search.costs`.

    The limits hold for exploring, and their seconds once more for counting.

    Raises:
        FlushproofError: as in `checking.check`.
        KeyboardInterrupt: it was interrupted.
    """
    counted = instantiate(request.system, request.policy, request.knobs, request.sizes, events=True)
    if workload is not None:
        refuse_strange(workload, (counted,))
    result = run(replace(request, audit=None))
    if result.interrupted:
        raise KeyboardInterrupt
    costs = count(
        counted,
        workload=workload,
        symmetry=request.symmetry,
        ask_required=result.verdict == HOLDS,
        seconds=request.limits.seconds,
    )
    return Bill(result, costs)


def bills(
    request: Request, workload: Workload | None = None, told: Callable[[str], None] | None = None
) -> Iterator[Bill]:
    """The bill of the request's policy, or of each policy of its system if it names none.

    told: is told which one comes next.
    """
    names: list[str | None] = [request.policy] if request.policy is not None else list(request.system.policies)
    for number, name in enumerate(names or [None], 1):
        if told is not None and name is not None:
            told(f"{name} ({number} of {len(names)})")
        yield bill(replace(request, policy=name), workload)
