"""What the laboratory found of a system's policies, for a terminal and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from flushproof.laboratory.deciding import INTERRUPTED
from flushproof.laboratory.judging import (
    EXPLAINED,
    Answer,
    Judgement,
    Larger,
    Needed,
    Weakest,
    Why,
    values_that_are_safe,
)
from flushproof.laboratory.lattice import Point
from flushproof.laboratory.measuring import Measurement
from flushproof.model.ir.trace import Trace
from flushproof.model.language.instantiate import settings
from flushproof.report.catalog import table
from flushproof.report.jsonform import VERSION, trace_json
from flushproof.report.measurement import measurement_json, measurement_text
from flushproof.report.trace import Look, trace_text
from flushproof.report.verdict import verdict_text
from flushproof.report.words import Story, many
from flushproof.result import HOLDS, Result

MOST_LISTED = 24
"""So many of the weakest policies are listed, of more it is said how many there are; the JSON has all."""


def policies_text(answer: Answer, look: Look, traces: bool = False, measured: Measurement | None = None) -> str:
    """What is safe, the weakest safe policies and why nothing of them can be weaker; then the policy that was asked about.

    traces: print each trace in full, too; measured: what the policies cost under a workload.
    """
    parts = [_head(answer, look), _values(answer, look), _weakest(answer, look)]
    if answer.judged is not None:
        parts.append(_judged(answer, answer.judged, look))
    if measured is not None:
        parts.append(measurement_text(measured, look))
    parts += [look.unsure(look.wrapped(text)) for text in _caveats(answer)]
    if traces:
        parts += [_traced(answer, what, trace, look) for what, trace in _traces(answer)]
    parts.append(look.faint(look.wrapped(_effort(answer))))
    return "\n\n".join(part for part in parts if part)


def _head(answer: Answer, look: Look) -> str:
    lattice = answer.lattice
    sizes = settings({}, lattice.instance.sizes)
    lines = [look.strong(f"{lattice}: {'1 policy' if lattice.count == 1 else f'{lattice.count:,} policies'}")]
    lines.append(
        look.wrapped(f"{' × '.join(f'{a.name} {len(a.texts)}' for a in lattice.axes)}, at {sizes}", indent="  ")
    )
    if lattice.apart:
        lines.append(
            look.wrapped(
                "It compiles only once its knobs are known: each policy is searched through by itself.", indent="  "
            )
        )
    if lattice.idle:
        lines.append(look.wrapped(f"Nothing depends on these here: {', '.join(lattice.idle)}.", indent="  "))
    return "\n".join(lines)


def _values(answer: Answer, look: Look) -> str:
    left = answer.decided.left.any()
    rows = []
    before = None
    for knob, value, safe, total in values_that_are_safe(answer.decided):
        says = f"in {safe:,} of {total:,}" if safe else ("in none so far" if left else "in none")
        rows.append(["" if knob == before else knob, value, says])
        before = knob
    return table(["knob", "value", "safe"], rows, look)


def _weakest(answer: Answer, look: Look) -> str:
    found = answer.weakest
    if not found:
        return look.bad("No policy is safe." if answer.complete else "No policy was found safe.")
    so_far = " so far" if answer.decided.left.any() else ""
    lines = [look.strong(f"The weakest safe policies{so_far}: {len(found)}")]
    for number, one in enumerate(found[:MOST_LISTED], 1):
        lines.append("")
        lines.append(look.wrapped(one.text, indent="   ", first=f"{number:>2} "))
        names = [name for name, point in answer.lattice.named().items() if point == one.point]
        names += [
            f"weaker than {n}" for n, p in answer.lattice.named().items() if _below(answer, one, p) and n not in names
        ]
        if names:
            lines.append(look.faint(look.wrapped(f"({', '.join(names)})", indent="   ")))
        if one.result is not None and one.result.vacuous:
            lines.append(look.unsure(look.wrapped(_vacuous(answer, one, one.result), indent="   ")))
        if one.breaks:
            lines.append(look.bad(look.wrapped(f"It is not safe at {', nor at '.join(one.breaks)}.", indent="   ")))
        if one.steps:
            lines.append(_indented(table(["one step weaker", "", ""], [_row(w) for w in one.steps], _narrower(look))))
    if len(found) > MOST_LISTED:
        lines += ["", f"… and {len(found) - MOST_LISTED} more; --format json has all."]
    if len(found) > EXPLAINED:
        lines += [
            "",
            look.wrapped(f"The first {EXPLAINED} are explained; ask about another one with --policy and --set."),
        ]
    return "\n".join(lines)


def _vacuous(answer: Answer, one: Weakest, result: Result) -> str:
    """What says nothing there; where several policies are one row, of the one that was searched through."""
    text = answer.lattice.text(one.point)
    which = settings({name: text[name] for name, values in one.values.items() if len(values) > 1})
    asked = f"With {which}" if which else "There"
    idle = [name for name in result.vacuous if name not in result.not_reached]
    why = [f"no event ever comes to a check of {', '.join(idle)}"] if idle else []
    why += [f"{name} must be reached, and never is" for name in result.not_reached if name in result.vacuous]
    return f"It holds vacuously. {asked} {'; '.join(why)}."


def _below(answer: Answer, one: Weakest, point: Point) -> bool:
    """Whether a named policy is stronger than one of the weakest."""
    lattice = answer.lattice
    holds = answer.decided.holds[point]
    return bool(holds) and one.point != point and lattice.is_below(one.point, point)


def _row(why: Why) -> list[str]:
    return [f"{why.knob}: {why.value} → {why.other}", _says(why), _reason(why)]


def _says(why: Why) -> str:
    match why.safe:
        case True:
            return "safe"
        case False:
            if why.trace is None:
                return "not safe; a limit came before a shortest trace"
            return f"{why.trace.property}, in {many(len(why.trace.steps), 'step')}"
        case None:
            return "not known: a limit stopped the search"


def _reason(why: Why) -> str:
    if why.trace is not None:
        return Story(why.trace).sentence.partition(": ")[0].rstrip(".")
    if why.breaks:
        return f"not at {', nor at '.join(why.breaks)}"
    return "" if why.proved is None else "proved for any size" if why.proved else "not proved for any size"


def _judged(answer: Answer, judged: Judgement, look: Look) -> str:
    lattice = answer.lattice
    name = " ".join(filter(None, [lattice.policy, settings(lattice.knobs)]))
    lines = [look.strong(f"The policy {name}"), verdict_text(judged.result, look)]
    if judged.result.verdict != HOLDS:
        if judged.result.trace is not None:
            lines += ["", trace_text(judged.result.trace, look)]
        return "\n".join(lines)
    rows = [row for needed in judged.needed for row in _needed(needed)]
    if judged.breaks:
        lines.append(look.bad(look.wrapped(f"It is not safe at {', nor at '.join(judged.breaks)}.")))
    lines += ["", table(["knob", "", "instead", "", ""], rows, look)]
    if judged.redundant:
        under = [w for w in answer.weakest if lattice.is_below(w.point, judged.point)]
        text = f"By itself, each of these can be weaker: {', '.join(judged.redundant)}."
        if under:
            changes = " or ".join(settings(lattice.differs(w.point, judged.point)) for w in under)
            text += f" All that can go together leaves a policy with {changes}."
        lines += ["", look.unsure(look.wrapped(text))]
    elif not judged.unknown:
        lines += ["", look.good("Nothing of it can be weaker.")]
    if judged.unknown:
        text = f"A limit left open whether these can have another value: {', '.join(judged.unknown)}."
        lines += ["", look.unsure(look.wrapped(text))]
    return "\n".join(lines)


def _needed(needed: Needed) -> Iterator[list[str]]:
    head = [f"{needed.knob}={needed.value}", needed.need]
    for why in needed.others:
        yield [*head, why.other, _says(why), _reason(why)]
        head = ["", ""]


def _caveats(answer: Answer) -> Iterator[str]:
    lattice, decided = answer.lattice, answer.decided
    for refuted in decided.refuted:
        step = lattice.differs(refuted.stronger, refuted.weaker)
        yield (
            f"The declared order of '{refuted.knob}' is refuted, and was not used: with {settings(lattice.text(refuted.weaker))} "
            f"all holds, with {settings(step)} instead it does not."
        )
    if not answer.complete:
        left = int(np.count_nonzero(decided.left))
        open_ = (
            f"{left:,} policies are not decided. What is said of the others is so, but there may be more that are safe, and "
            "weaker ones."
        )
        done = "every policy is decided, but not all is explained, nor searched through at larger sizes."
        yield f"NOT FINISHED: stopped by {decided.reason or INTERRUPTED}; {open_ if left else done}"
    for at in answer.larger:
        traces = [next((at.broken[p] for p in one.points if p in at.broken), None) for one in answer.weakest]
        broken = [trace.property for trace in traces if trace is not None]
        if broken:
            which = "1 of the weakest policies is" if len(broken) == 1 else f"{len(broken)} of the weakest policies are"
            yield f"At {_grown(answer, at)}, {which} not safe: {', '.join(dict.fromkeys(broken))}."
    cut = [f"{_grown(answer, at)} (after {at.states:,} states)" for at in answer.larger if not at.complete]
    rows = [f"{_grown(answer, at)} (after {at.states:,} states)" for at in answer.larger if at.complete and not at.rows]
    if rows:
        yield f"Of policies that are one row, a limit left open others than the first at {', '.join(rows)}; see --larger."
    if cut:
        yield f"Larger sizes of which a limit left something open, for these policies: {', '.join(cut)}; see --larger."


def _grown(answer: Answer, at: Larger) -> str:
    """What is larger: `cpu=3`."""
    here = answer.lattice.instance.sizes
    return settings({}, {n: s for n, s in at.sizes.items() if here.get(n) != s})


def _effort(answer: Answer) -> str:
    decided = answer.decided
    safe, unsafe = int(np.count_nonzero(decided.safe)), int(np.count_nonzero(decided.unsafe))
    holds, fails = int(np.count_nonzero(decided.holds)), int(np.count_nonzero(decided.fails))
    text = f"Safe: {holds:,}"
    if holds:
        text += f"; {safe:,} of them searched through, a sample of their states read again"
        text += f"; {holds - safe:,} by the declared orders alone" if holds > safe else ""
    text += f". Not safe: {fails:,}"
    if fails:
        traces = "a trace" if decided.traces == 1 else f"one of {decided.traces:,} traces"
        text += f"; {unsafe:,} allow{'s' if unsafe == 1 else ''} {traces}"
        text += ", which Z3 confirmed for each" if decided.confirmed else ", which Z3 had no time to confirm"
        text += f"; {fails - unsafe:,} by the declared orders alone" if fails > unsafe else ""
    text += f". This took {many(decided.searches, 'search', 'searches')} ({many(decided.states, 'state')})"
    text += f" instead of {answer.lattice.count:,}" if decided.searches < answer.lattice.count else ""
    text += f", {decided.seconds:.1f} s."
    whole = [_grown(answer, at) for at in answer.larger if at.complete]
    if whole:
        text += f" The weakest policies were searched through with {', with '.join(whole)} too."
    return text


def _traces(answer: Answer) -> Iterator[tuple[str, Trace]]:
    """Each trace, and what it shows."""
    for number, one in enumerate(answer.weakest, 1):
        for why in one.steps:
            if why.trace is not None:
                yield f"Policy {number} with {why.knob}={why.other} instead of {why.value}", why.trace
    if answer.judged is not None:
        for why in (w for needed in answer.judged.needed for w in needed.others):
            if why.trace is not None:
                yield f"{answer.lattice.policy} with {why.knob}={why.other} instead of {why.value}", why.trace


def _traced(answer: Answer, what: str, trace: Trace, look: Look) -> str:
    return f"{look.strong(f'{what}: {trace.property}')}\n\n{trace_text(trace, look)}"


def _indented(text: str) -> str:
    return "\n".join(f"   {line}" for line in text.splitlines())


def _narrower(look: Look) -> Look:
    return Look(look.width - 3, look.colour)


# ----------------------------------------------------------------------------------------------------------------- JSON


def policies_json(answer: Answer, measured: Measurement | None = None) -> dict[str, Any]:
    """The same for machines, with all traces."""
    lattice, decided = answer.lattice, answer.decided
    return {
        "version": VERSION,
        "system": lattice.instance.system.name,
        "policy": lattice.policy,
        "knobs": dict(lattice.instance.knobs),
        "sizes": dict(lattice.instance.sizes),
        "properties": list(answer.properties),
        "free": {axis.name: list(axis.texts) for axis in lattice.axes},
        "idle": list(lattice.idle),
        "policies": lattice.count,
        "complete": answer.complete,
        "reason": decided.reason,
        "safe": _counts(decided.holds, decided.safe),
        "unsafe": _counts(decided.fails, decided.unsafe),
        "undecided": int(np.count_nonzero(decided.left)),
        "searches": decided.searches,
        "states": decided.states,
        "seconds": round(decided.seconds, 3),
        "values": [
            {"knob": knob, "value": value, "safe": safe, "policies": total}
            for knob, value, safe, total in values_that_are_safe(decided)
        ],
        "weakest": [_weakest_json(one) for one in answer.weakest],
        "refuted_orders": [
            {"knob": r.knob, "safe": lattice.text(r.weaker), "unsafe": lattice.text(r.stronger)}
            for r in decided.refuted
        ],
        "larger": [_larger_json(answer, at) for at in answer.larger],
        "judged": None if answer.judged is None else _judged_json(answer, answer.judged),
        "measured": measurement_json(measured, lattice),
    }


def _counts(both: Any, searched: Any) -> dict[str, int]:
    total, own = int(np.count_nonzero(both)), int(np.count_nonzero(searched))
    return {"policies": total, "decided": own, "by_order": total - own}


def _weakest_json(one: Weakest) -> dict[str, Any]:
    return {
        "values": {name: list(values) for name, values in one.values.items()},
        "checked": one.result is not None and one.result.verdict == HOLDS,
        "vacuous": [] if one.result is None else list(one.result.vacuous),
        "breaks_at": list(one.breaks),
        "steps": list(map(_why_json, one.steps)),
    }


def _why_json(why: Why) -> dict[str, Any]:
    return {
        "knob": why.knob,
        "value": why.value,
        "instead": why.other,
        "safe": why.safe,
        "proved_for_any_size": why.proved,
        "breaks_at": list(why.breaks),
        "property": None if why.trace is None else why.trace.property,
        **trace_json(why.trace),
    }


def _larger_json(answer: Answer, at: Larger) -> dict[str, Any]:
    broken: Sequence[tuple[Point, Trace]] = list(at.broken.items())
    return {
        "sizes": dict(at.sizes),
        "states": at.states,
        "complete": at.complete and at.rows,
        "broken": [
            {"values": answer.lattice.text(point), "property": trace.property, **trace_json(trace)}
            for point, trace in broken
        ],
    }


def _judged_json(answer: Answer, judged: Judgement) -> dict[str, Any]:
    return {
        "values": answer.lattice.text(judged.point),
        "verdict": judged.result.verdict,
        "property": judged.result.violated,
        "breaks_at": list(judged.breaks),
        "redundant": list(judged.redundant),
        "knobs": [
            {"knob": n.knob, "value": n.value, "need": n.need, "others": list(map(_why_json, n.others))}
            for n in judged.needed
        ],
        **trace_json(judged.result.trace),
    }
