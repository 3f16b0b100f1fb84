"""Policies and their costs side by side, for a terminal and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flushproof.costing import Bill
from flushproof.model.errors import FlushproofError, nearest
from flushproof.model.ir import DROPPED
from flushproof.report.catalog import table
from flushproof.report.jsonform import VERSION
from flushproof.report.trace import Look
from flushproof.result import HOLDS
from flushproof.search.chances import WITHOUT_ASKING
from flushproof.search.costs import HAPPENED, Costs


def costs_text(bills: Sequence[Bill], look: Look, per: str | None = None, interrupted: bool = False) -> str:
    """One row for each policy: the verdict, then each operation per thousand events, then the dropped entries.

    per: the event to count by; all of them if None; interrupted: whether there are policies of which nothing is known.

    Raises:
        FlushproofError: none of the policies ever brings about that event.
    """
    events = {name for b in bills for name in b.costs.events}
    if per is not None and per not in events:
        hint = nearest(per, sorted(events), "events") if events else "It has none: see `occurs` in docs/language.md."
        raise FlushproofError(f"{bills[0].result.instance.system.name} has no event '{per}'. {hint}")
    names = sorted({name for b in bills for name in b.costs.counts} - {DROPPED, HAPPENED} - events)
    dropped = any(DROPPED in b.costs.counts for b in bills)
    headers = ["policy", "verdict", *names, *([DROPPED, "needless"] if dropped else []), "states"]
    base = f"a thousand {per} events" if per else "a thousand events of the world" if events else "a thousand steps"
    workload = bills[0].costs.workload
    under = f" under the workload '{workload}'" if workload not in WITHOUT_ASKING else ""
    heading = look.wrapped(f"In {base}{under}, on average over all walks of {_longest(bills):,} steps:")
    parts = [f"{look.strong(bills[0].result.instance.system.name)}\n{heading}"]
    parts.append(table(headers, [_row(b, names, per, dropped) for b in bills], look))
    if interrupted:
        parts.append(look.unsure("NOT FINISHED: an interrupt came before all policies were counted."))
    return "\n\n".join([*parts, look.faint("\n".join(map(look.wrapped, _notes(bills, events, dropped))))])


def _longest(bills: Sequence[Bill]) -> int:
    return round(max(b.costs.steps for b in bills))


def _notes(bills: Sequence[Bill], events: set[str], dropped: bool) -> list[str]:
    notes = []
    first = next((b.costs for b in bills if b.costs.complete), None)
    if first is not None and events:
        mix = sorted(first.per_thousand().items(), key=lambda item: -item[1])
        said = ", ".join(f"{name} {many:.0f}" for name, many in mix if name in events)
        notes.append(f"Of a thousand events: {said}; one step can be several.")
    if dropped:
        notes.append(
            f"{DROPPED}: cached entries that a step takes away. needless: how many of them no property required to go: had that "
            "entry stayed, nothing could have gone wrong. It is asked only of policies that hold."
        )
    if any(not b.costs.complete for b in bills):
        notes.append("≥: not counted; the time did not suffice to look at all states (--max-seconds).")
    if any(b.costs.undecided for b in bills):
        notes.append("…: at least so many; the time did not suffice to ask of every dropped entry.")
    return notes


def _row(bill: Bill, names: Sequence[str], per: str | None, dropped: bool) -> list[str]:
    costs, result = bill.costs, bill.result
    rates = costs.per_thousand(per)
    entries = [_rate(rates, DROPPED), _needless(costs, per) + ("…" if costs.undecided else "")]
    return [
        result.instance.policy or "",
        result.verdict if result.violated is None else f"violated: {result.violated}",
        *(_rate(rates, name) for name in names),
        *(entries if dropped else ()),
        f"{'' if costs.complete else '≥ '}{costs.states:,}",
    ]


def _rate(rates: Mapping[str, float], name: str) -> str:
    return f"{rates[name]:.1f}" if name in rates else ""


def _needless(costs: Costs, per: str | None) -> str:
    base = costs.by(per)
    return f"{1000 * costs.needless / base:.1f}" if costs.needless is not None and base else ""


def costs_json(bills: Sequence[Bill]) -> dict[str, Any]:
    """The same for machines, with what a walk does on average."""
    return {"version": VERSION, "costs": [_json(b) for b in bills]}


def _json(bill: Bill) -> dict[str, Any]:
    result, costs = bill.result, bill.costs
    return {
        "system": result.instance.system.name,
        "policy": result.instance.policy,
        "knobs": dict(result.instance.knobs),
        "sizes": dict(result.instance.sizes),
        "verdict": result.verdict,
        "property": result.violated,
        "workload": costs.workload,
        "states": costs.states,
        "steps": round(costs.steps, 6),
        "complete": costs.complete,
        "events": {HAPPENED: round(costs.counts.get(HAPPENED, 0.0), 6), **_rounded(costs, costs.events)},
        "counts": _rounded(costs, costs.counts.keys() - {HAPPENED, *costs.events}),
        "required": None if costs.required is None or result.verdict != HOLDS else round(costs.required, 6),
        "needless": None if costs.needless is None else round(costs.needless, 6),
        "undecided": round(costs.undecided, 6),
    }


def _rounded(costs: Costs, names: Any) -> Mapping[str, float]:
    return {name: round(costs.counts[name], 6) for name in sorted(names) if name in costs.counts}
