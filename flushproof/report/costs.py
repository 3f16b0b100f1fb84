"""Policies and their costs side by side, for a terminal and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flushproof.costing import Bill
from flushproof.model.ir import DROPPED
from flushproof.report.catalog import table
from flushproof.report.jsonform import VERSION
from flushproof.report.trace import Look
from flushproof.result import HOLDS


def costs_text(bills: Sequence[Bill], look: Look) -> str:
    """One row for each policy: the verdict, then each operation per thousand steps, then the dropped entries."""
    instance = bills[0].result.instance
    names = sorted({name for b in bills for name in b.costs.counts} - {DROPPED})
    headers = ["policy", "verdict", *names, DROPPED, "needless", "steps"]
    rows = [_row(b, names) for b in bills]
    head = [
        look.strong(instance.system.name),
        "Times in a thousand steps, over every step out of every reachable state:",
    ]
    parts = ["\n".join(head), table(headers, rows, look)]
    notes = [
        f"{DROPPED}: cached entries that a step takes away. needless: how many of them no property required to go: had that entry "
        "stayed, nothing could have gone wrong. It is asked only of policies that hold."
    ]
    if any(not b.costs.complete for b in bills):
        notes.append("≥: stopped by a limit; counted over some of the steps only.")
    if any(b.costs.undecided for b in bills):
        notes.append("…: at least so many; the time did not suffice to ask of every dropped entry.")
    return "\n\n".join([*parts, look.faint("\n".join(map(look.wrapped, notes)))])


def _row(bill: Bill, names: Sequence[str]) -> list[str]:
    costs, result = bill.costs, bill.result
    rates = costs.per_thousand
    needless = "" if costs.needless is None else f"{1000 * costs.needless / max(costs.transitions, 1):.1f}"
    return [
        result.instance.policy or "",
        result.verdict if result.violated is None else f"violated: {result.violated}",
        *(f"{rates[name]:.1f}" if name in rates else "" for name in (*names, DROPPED)),
        needless + ("…" if costs.undecided else ""),
        f"{'' if costs.complete else '≥ '}{costs.transitions:,}",
    ]


def costs_json(bills: Sequence[Bill]) -> dict[str, Any]:
    """The same for machines, with the counts themselves."""
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
        "states": costs.states,
        "steps": costs.transitions,
        "complete": costs.complete,
        "counts": dict(costs.counts),
        "required": costs.required if result.verdict == HOLDS else None,
        "needless": costs.needless,
        "undecided": costs.undecided,
    }
