"""How much of a result was read again by another way, for a terminal and as JSON."""

from __future__ import annotations

from typing import Any

from flushproof.auditing import Audit
from flushproof.report.words import many
from flushproof.search.closed import ONE_IN


def audit_text(audit: Audit) -> str:
    """`Audited: 2,000 steps run by Python itself, 500 states' successors found again, 40 of them by Z3.`, and what was not."""
    parts = [f"{many(audit.steps, 'step')} run by Python itself"]
    again = audit.again
    if again is not None and again.states and again.sampled:
        states = f"{again.states:,} state{'' if again.states == 1 else 's'}'" + ("s" if again.states == 1 else "")
        by_z3 = f", {audit.by_z3} of them by Z3" if audit.by_z3 else ""
        parts.append(f"{states} successors found again{by_z3}")
    elif again is not None and again.states:
        parts.append(f"{many(again.states, 'state')} met on walks found again")
    text = f"Audited: {', '.join(parts)}."
    if again is not None and again.missed is not None:
        if again.states == again.of:
            text += " These are all states."
        else:
            text += (
                f" That is {_percent(again.states / again.of)} of all states; if one in {ONE_IN:,} missed a successor, it would "
                f"have gone unnoticed with a chance of {_percent(again.missed)}."
            )
    if audit.went_on:
        text += f" From {many(audit.went_on, 'state')} on, whoever waited was seen to go on."
    for left in (*audit.could_not_run, *(again.left_out if again else ())):
        text += f" The audit could not run: {left}."
    return text


def audit_json(audit: Audit | None) -> dict[str, Any] | None:
    """The same for machines."""
    if audit is None:
        return None
    again = audit.again
    return {
        "walks": audit.walks,
        "steps": audit.steps,
        "denied": audit.denied,
        "states": again.states if again else None,
        "of": again.of if again else None,
        "successors": again.successors if again else None,
        "evaluated_twice": again.evaluated if again else None,
        "by_z3": audit.by_z3,
        "went_on": audit.went_on,
        "missed": again.missed if again else None,
        "could_not_run": [*audit.could_not_run, *(again.left_out if again else ())],
        "seconds": round(audit.seconds, 6),
    }


def _percent(share: float) -> str:
    """`12%`, `0.3%`; never rounded to nothing, nor to everything."""
    if share in (0, 1):
        return f"{share:.0%}"
    for digits in range(8):
        text = f"{share:.{digits}%}"
        if float(text[:-1]) not in (0, 100):
            return text
    return "almost 0%" if share < 0.5 else "almost 100%"
