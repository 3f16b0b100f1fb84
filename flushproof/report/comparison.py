"""Two policies on one trace, all of them on each other's, and what repairs one: for a terminal and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flushproof.laboratory.comparing import Compared, Moment, Versions, differences
from flushproof.laboratory.measuring import Measurement
from flushproof.laboratory.repairing import Repaired
from flushproof.model.ir.trace import Trace
from flushproof.model.language.instantiate import settings
from flushproof.report.catalog import table
from flushproof.report.jsonform import VERSION, state_json, trace_json
from flushproof.report.locations import location
from flushproof.report.measurement import measurement_json, measurement_text
from flushproof.report.trace import Look, trace_text
from flushproof.report.verdict import verdict_text
from flushproof.report.words import Story, many
from flushproof.result import HOLDS, INCONCLUSIVE

UNTOLD = "it is about all that is possible then, and `check` says it"
"""Why the steps of a trace under one policy tell nothing of a deadlock, or of what never comes, under another one."""


def compared_text(found: Compared, look: Look) -> str:
    """The verdicts, then the trace: what each step does under its own policy, and what is different under the other one."""
    lattice = found.lattice
    parts = [look.strong(f"{lattice.instance.system.name}: {found.names[0]} and {found.names[1]}")]
    parts += [f"{name}: {verdict_text(result, look)}" for name, result in zip(found.names, found.results, strict=True)]
    if found.trace is None:
        none = "was found that breaks" if any(r.verdict == INCONCLUSIVE for r in found.results) else "breaks"
        return "\n\n".join([*parts, f"No trace {none} either of them: there is nothing to show side by side."])
    mine, other = found.names[found.broken], found.names[1 - found.broken]
    rows = [
        [str(number), words, _difference(found, moment)]
        for number, (words, moment) in enumerate(zip(_words(found.trace), found.moments, strict=True), 1)
    ]
    parts.append(table(["", f"under {mine}", f"different under {other}"], rows, look))
    parts.append(look.bad(look.wrapped(f"✗ {mine}: {Story(found.trace).sentence}")))
    if found.parts is None:
        parts.append(f"The two do not part: after the same steps {other} is in the same state.")
    else:
        parts.append(look.strong(f"They part at step {found.parts + 1}."))
    end = f"violates {', '.join(found.violated)} there too" if found.violated else "violates nothing there"
    untold = "" if found.told else f" Of {found.trace.property} the same steps do not tell there: {UNTOLD}."
    parts.append(look.wrapped(f"After the same steps, as far as they are possible, {other} {end}.{untold}"))
    return "\n\n".join(parts)


def _words(trace: Trace) -> Iterator[str]:
    return (row.words for row in Story(trace).rows if not row.event)


def _difference(found: Compared, moment: Moment) -> str:
    """What is not the same under the other policy: the step itself, or locations; where a process stands is not told."""
    instance = found.lattice.instance
    texts = [] if moment.other.possible else ["not possible"]
    if moment.other.first:
        before = Trace(instance, moment.mine, moment.other.first, "")
        texts.append(f"first: {'; '.join(_words(before))}")
    for number in differences(found.lattice, moment):
        slot = instance.slots[number]
        texts.append(f"{location(instance, slot)} = {instance.show(slot.sort, moment.other.state[number])}")
    return ", ".join(texts)


def versions_text(found: Versions, look: Look) -> str:
    """A row for each policy that is violated: what each other one makes of its trace."""
    rows = [
        [
            name,
            f"{trace.property}, in {many(len(trace.steps), 'step')}",
            *(", ".join(v) or "·" for v in found.shared[name]),
        ]
        for name, trace in found.traces.items()
    ]
    head = look.strong(f"{found.lattice}: {many(len(found.traces), 'trace')} under {len(found.names)} policies")
    stopped = "an interrupt" if found.interrupted else "a limit"
    open_ = f"NOT FINISHED: {stopped} stopped the search under {', '.join(found.undecided)}." if found.undecided else ""
    left = [look.unsure(look.wrapped(open_))] if open_ else []
    if not rows:
        none = "No violation of a named policy was found." if left else "No named policy is violated here."
        return "\n\n".join([head, none, *left])
    note = "·: after the same steps, as far as they are possible, nothing is violated; which does not say that this policy is safe."
    if found.untold:
        what = ", ".join(dict.fromkeys(found.traces[name].property for name in found.untold))
        note += f" Of {what} the same steps do not tell under other policies: {UNTOLD}."
    return "\n\n".join([head, table(["trace of", "violates", *found.names], rows, look), look.faint(look.wrapped(note)), *left])


def repaired_text(found: Repaired, look: Look, measured: Measurement | None = None) -> str:
    """The policy's own trace, then each repair, and what each costs under a workload where that was measured."""
    lattice = found.lattice
    parts = [look.strong(f"{lattice} {settings(lattice.text(lattice.base))}".strip()), verdict_text(found.before, look)]
    if found.before.trace is not None:
        parts.append(trace_text(found.before.trace, look))
    if found.before.verdict == HOLDS:
        return "\n\n".join([*parts, "There is nothing to repair."])
    rows = [
        [str(len(r.changes)), settings(r.changes), f"{r.result.states:,} states searched through"]
        for r in found.repairs
    ]
    if rows:
        parts.append(look.good("What makes it safe:") + "\n\n" + table(["changes", "", ""], rows, look))
    if not found.everything:
        reason = found.decided.reason
        parts.append(look.unsure("There may be more" + (f": stopped by {reason}." if reason else " (see --most).")))
    elif not rows:
        parts.append(look.bad("No values of the open knobs make it safe."))
    else:
        parts.append(
            "No other set of changes does without all of one of these; stronger values of the same knobs are left out."
        )
    if measured is not None:
        parts.append(measurement_text(measured, look))
    decided = found.decided
    searches = many(decided.searches, "search", "searches")
    effort = f"{searches} and {many(decided.traces, 'trace')}, of {lattice.count:,} policies."
    return "\n\n".join([*parts, look.faint(effort)])


# ----------------------------------------------------------------------------------------------------------------- JSON


def compared_json(found: Compared) -> dict[str, Any]:
    """The same for machines."""
    instance = found.lattice.instance
    return {
        "version": VERSION,
        "system": instance.system.name,
        "sizes": dict(instance.sizes),
        "policies": [
            {"policy": name, "verdict": result.verdict, "property": result.violated}
            for name, result in zip(found.names, found.results, strict=True)
        ],
        "trace_of": None if found.trace is None else found.names[found.broken],
        "parts_at": found.parts,
        "also_violated_under_the_other": list(found.violated),
        "other": [
            {
                "first": [step.action for step in moment.other.first],
                "possible": moment.other.possible,
                "state": state_json(instance, moment.other.state),
            }
            for moment in found.moments
        ],
        **trace_json(found.trace),
    }


def versions_json(found: Versions) -> dict[str, Any]:
    """The same for machines, with all traces."""
    return {
        "version": VERSION,
        "system": found.lattice.instance.system.name,
        "sizes": dict(found.lattice.instance.sizes),
        "policies": list(found.names),
        "traces": [
            {
                "policy": name,
                "property": trace.property,
                "violated": {n: list(v) for n, v in zip(found.names, found.shared[name], strict=True)},
                **trace_json(trace),
            }
            for name, trace in found.traces.items()
        ],
        "undecided": list(found.undecided),
    }


def repaired_json(found: Repaired, measured: Measurement | None = None) -> dict[str, Any]:
    """The same for machines."""
    lattice = found.lattice
    return {
        "version": VERSION,
        "system": lattice.instance.system.name,
        "policy": lattice.policy,
        "sizes": dict(lattice.instance.sizes),
        "values": lattice.text(lattice.base),
        "verdict": found.before.verdict,
        "property": found.before.violated,
        "repairs": [
            {"changes": dict(r.changes), "verdict": r.result.verdict, "states": r.result.states} for r in found.repairs
        ],
        "everything": found.everything,
        "reason": found.decided.reason,
        "measured": measurement_json(measured, lattice),
        **trace_json(found.before.trace),
    }
