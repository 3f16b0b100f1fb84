"""What random walks met, for a terminal and as JSON."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from flushproof.auditing import Audit
from flushproof.model.ir.instance import Instance
from flushproof.report.audit import audit_json, audit_text
from flushproof.report.catalog import table
from flushproof.report.jsonform import VERSION, begun_json, set_besides, trace_json
from flushproof.report.trace import Look, trace_text
from flushproof.report.verdict import heading
from flushproof.report.waiting import fill
from flushproof.report.words import many
from flushproof.search.simulate import Simulation

SAMPLING = (
    "Each walk starts anew, in a random initial state; each step takes one of the actions that are possible, all with the same "
    "chance, and then one of its bindings: so a rare action is taken more often than among all steps, and no chance is equal "
    "among states."
)
"""How a walk is made."""

NOTHING_MET = "INCONCLUSIVE: no walk met a violation, which is not a proof."
"""What is concluded from walks that met none."""


def endless(instance: Instance) -> tuple[str, ...]:
    """What is about all that can follow a state, of which no walk can tell."""
    return (*instance.system.asks, *(p.name for p in instance.system.progress))


def walked_text(found: Simulation) -> str:
    """How much was walked."""
    end = f" {found.reason}." if found.reason else ""
    return (
        f"{many(found.walks, 'walk')} with seed {found.seed}, {many(found.steps, 'step')}, "
        f"{many(found.states, 'distinct state')}, the longest walk {many(found.deepest, 'step')}, {found.seconds:.2f} s.{end}"
    )


def simulation_text(instance: Instance, found: Simulation, look: Look, audit: Audit | None = None) -> str:
    """The verdict, the nearest violation, how often each action was taken, and what is not to be concluded."""
    parts = [heading(instance, look)]
    if found.violations:
        first = found.violations[0]
        steps = many(len(first.trace.steps), "step")
        parts.append(look.bad(f"VIOLATED: {first.property}") + f", met after {steps} (a walk, not a shortest way)")
        parts.append(trace_text(first.trace, look))
        also = [v.property for v in found.violations[1:]]
        confirmed = "Z3 confirmed this trace: its initial state, each step, and the violation."
        parts.append(look.wrapped(confirmed + (f" Also met: {', '.join(also)}." if also else "")))
    else:
        word, rest = NOTHING_MET.split(":", 1)
        parts.append(look.wrapped(f"{look.unsure(word)}:{rest}"))
    parts.append(table(["action", "taken"], [(fill(name, {}), f"{count:,}") for name, count in found.taken.items()], look))
    if found.costs:
        rows = [
            (name, f"{count:,}", f"{1000 * count / found.steps:.1f}") for name, count in sorted(found.costs.items())
        ]
        parts.append(table(["cost", "times", "per 1000 steps"], rows, look))
    if found.never_taken:
        parts.append(look.unsure(look.wrapped(f"Never taken: {', '.join(fill(name, {}) for name in found.never_taken)}.")))
    if found.not_reached:
        parts.append(look.unsure(look.wrapped(f"Not reached: {', '.join(found.not_reached)}.")))
    if names := endless(instance):
        parts.append(look.wrapped(f"No walk can tell of: {', '.join(names)}."))
    parts.append(look.faint(look.wrapped(f"Walked: {walked_text(found)} {SAMPLING}")))
    if audit is not None:
        parts.append(look.faint(look.wrapped(audit_text(audit))))
    return "\n\n".join(parts)


def simulation_json(
    instance: Instance, source: str, given: Collection[str], found: Simulation, audit: Audit | None = None
) -> dict[str, Any]:
    """The same for machines; the trace as in the JSON of a check.

    source: how to load the system; given: the knobs that were set besides the policy's.
    """
    first = found.violations[0] if found.violations else None
    return {
        "version": VERSION,
        "system": instance.system.name,
        "source": source,
        "policy": instance.policy,
        "knobs": dict(instance.knobs),
        "reached_by": begun_json(instance),
        "set": set_besides(instance, given),
        "sizes": dict(instance.sizes),
        "verdict": "violated" if first else "inconclusive",
        "property": first.property if first else None,
        "also_violated": [v.property for v in found.violations[1:]],
        "seed": found.seed,
        "walks": found.walks,
        "steps": found.steps,
        "longest": found.deepest,
        "states": found.states,
        "seconds": round(found.seconds, 6),
        "taken": dict(found.taken),
        "executed": dict(found.costs),
        "not_reached": list(found.not_reached),
        "reason": found.reason,
        "shortest": False if first else None,
        "certified": True if first else None,
        "audit": audit_json(audit),
        **trace_json(first.trace if first else None),
    }
