"""What a check found, for a terminal: one check with its trace, or the table of many."""

from __future__ import annotations

import math
from collections.abc import Sequence

from flushproof.checking import is_wrong
from flushproof.model.ir import Scalarset
from flushproof.model.ir.instance import Instance
from flushproof.model.language.instantiate import settings
from flushproof.report.audit import audit_text
from flushproof.report.catalog import table
from flushproof.report.trace import Look, Paint, trace_text
from flushproof.report.waiting import fill
from flushproof.report.words import many, title_of
from flushproof.result import INCONCLUSIVE, MOST_STATES, VIOLATED, Followed, Result


def check_text(result: Result, look: Look) -> str:
    """One check: what was checked, the verdict, the trace if there is one, and what was explored."""
    parts = [heading(result.instance, look), verdict_text(result, look)]
    if result.trace is not None:
        parts += [trace_text(result.trace, look), _certificate(result, look)]
    parts += [
        look.unsure(look.wrapped(warning))
        for warning in (*warnings(result), *(f"Note: {hint}" for hint in result.hints))
    ]
    parts += [look.wrapped(line) for line in [never(result)] if line]
    parts.append(look.faint(look.wrapped(explored_text(result))))
    if result.audit is not None:
        parts.append(look.faint(look.wrapped(audit_text(result.audit))))
    return "\n\n".join(parts)


def heading(instance: Instance, look: Look) -> str:
    """The system, the policy, its knobs and the sizes."""
    lines = [look.strong(title_of(instance))]
    if instance.knobs:
        lines.append(look.wrapped(settings(instance.knobs), indent="  "))
    if sizes := _sizes(instance):
        lines.append(look.wrapped(sizes, indent="  "))
    return "\n".join(lines)


def _sizes(instance: Instance) -> str:
    sorts = [s for s in instance.system.sorts if isinstance(s, Scalarset)]
    return " ".join(f"{s.name.lower()}={instance.sizes[s.name]}" for s in sorts)


def _holds(result: Result) -> str:
    """`HOLDS at cpu=2 vm=1`, or `HOLDS, vacuously: ...`, with what the verdict is about."""
    sizes = _sizes(result.instance)
    if not result.vacuous:
        return f"HOLDS{f' at {sizes}' if sizes else ''}{_unless(result)}"
    unreached = [name for name in result.vacuous if name in result.not_reached]
    idle = [name for name in result.vacuous if name not in unreached]
    why = [f"no event ever came to a check of {', '.join(idle)}"] if idle else []
    why += [f"{', '.join(unreached)} must be reached, and never was"] if unreached else []
    return (
        f"HOLDS, vacuously: {'; '.join(why)}. A model that cannot do what it is about proves nothing"
        f"{_unless(result)}. What else held{f' at {sizes}' if sizes else ''}"
    )


def verdict_text(result: Result, look: Look) -> str:
    """The verdict in words, without the trace."""
    if result.verdict == VIOLATED:
        if result.trace is None:
            text = f"VIOLATED: {result.violated}, which asks for a state that no interleaving reaches{_unless(result)}"
            return _painted(look.wrapped(text), look.bad)
        text = look.bad(f"VIOLATED: {result.violated}") + f", in {many(len(result.trace.steps), 'step')}"
        return f"{text}; no other way is shorter" if result.shortest else text
    if result.verdict == INCONCLUSIVE:
        text = f"INCONCLUSIVE: {result.reason}. No violation was found before that, which is not a proof."
        return _painted(look.wrapped(text), look.unsure)
    kinds = {p.name: p.kind for p in result.instance.system.properties}
    idle = {*result.vacuous, *result.switched_off}
    must_hold = [name for name in result.checked if kinds.get(name) != "reachable" and name not in idle]
    reached = [n for n in result.checked if kinds.get(n) == "reachable" and n not in result.not_reached]
    text = look.wrapped(f"{_holds(result)}: {', '.join(must_hold)}", indent="  ", first="")
    if reached:
        text += "\n" + look.wrapped(f"Reached: {', '.join(reached)}", indent="  ", first="")
    off = [name for name in result.checked if name in result.switched_off]
    if off:
        text += "\n" + look.wrapped(f"Not in question with these knobs: {', '.join(off)}", indent="  ", first="")
    return _painted(text, look.unsure if result.vacuous else look.good)


def never(result: Result) -> str:
    """What never happened, though nothing else was looked for in vain."""
    parts = [f"Never possible: {', '.join(fill(name, {}) for name in result.never_possible)}."] if result.never_possible else []
    parts += [f"Events that never came up: {', '.join(result.never_came)}."] if result.never_came else []
    parts += [f"Knobs that nothing reads: {', '.join(result.unread)}."] if result.unread else []
    if result.unwatched:
        parts.append(f"Of {result.unwatched} further steps and checks it is not known whether they happened.")
    return " ".join(parts) if result.complete else ""


def _unless(result: Result) -> str:
    """The proviso of a verdict that rests on fingerprints: `, unless a fingerprint collided (probability < 3e-12)`."""
    if result.omission is None:
        return ""
    return f", unless a fingerprint collided (probability < {rounded_up(result.omission)})"


def rounded_up(probability: float) -> str:
    """`3e-12`, never less than the probability."""
    exponent = math.floor(math.log10(probability))
    digit = math.floor(probability / 10.0**exponent) + 1
    return f"{digit}e{exponent}" if digit < 10 else f"1e{exponent + 1}"


def _painted(text: str, paint: Paint) -> str:
    """The first word of a text in colour."""
    word = text[: text.index(next(c for c in text if not c.isalpha()))]
    return paint(word) + text[len(word) :]


def _certificate(result: Result, look: Look) -> str:
    text = confirmed_text(result.followed) if result.certified else ""
    also = f" Also violated on the way: {', '.join(result.also_violated)}." if result.also_violated else ""
    return look.wrapped(text + also)


def confirmed_text(followed: Followed | None, walk: bool = False) -> str:
    """What of a trace was confirmed; `followed`: where it is one to a wait without an end; walk: whether it claims no violation."""
    if walk:
        return "Z3 confirmed this walk: its initial state and each step."
    if followed is None:
        return "Z3 confirmed this trace: its initial state, each step, and the violation."
    those = "the only state" if followed.states == 1 else f"each of the {followed.states:,} states"
    if not followed.everything:
        those = f"each of the first {followed.states:,} states"
    by_z3 = "Z3 says the same" + ("" if followed.by_z3 == followed.states else f" of {followed.by_z3:,} of them")
    return (
        "Z3 confirmed this trace: its initial state, each step, and the wait at its end. "
        f"The interpreter found the wait in {those} that can follow{'' if followed.everything else ', of more'}; {by_z3}."
    )


def warnings(result: Result) -> list[str]:
    """What a user must know besides the verdict."""
    found = []
    if result.as_expected is False and result.found != result.expected:
        found.append(f"Warning: the policy '{result.instance.policy}' declares another verdict: {result.expected}.")
    return found


def explored_text(result: Result) -> str:
    """How much was explored, and how fast."""
    everything = "reachable state" if result.omission is None else "state that was found"
    done = f"Every {everything} was explored" if result.complete else "Explored"
    rate = f", {result.states / result.seconds:,.0f} states/s" if result.seconds > 0.5 else ""
    decided = (
        f" Z3 decided the properties on {many(result.decided, 'projected state')} and agrees."
        if result.decided is not None
        else ""
    )
    return (
        f"{done}: {_reduced(result)}, {many(result.transitions, 'transition')}, depth {result.depth}, "
        f"{result.seconds:.2f} s{rate} after {result.compile_seconds:.2f} s of compiling, engine {result.engine}."
        f"{_waits(result)}{decided}"
    )


def _waits(result: Result) -> str:
    """Where waits without an end were looked for: how many states that took."""
    if not result.waits:
        return ""
    each = ", ".join(f"{many(count, 'state')} for {process}" for process, count in result.waits.items())
    return f" Waits were looked at with one waiter watched: {each}."


def _reduced(result: Result) -> str:
    """How many states, and what makes them fewer: `249 states up to symmetry (943 without; 8 permutations)`."""
    states = many(result.states, "state")
    reductions = []
    if result.permutations > 1:
        states += " up to symmetry"
        more = "more than " if result.unreduced >= MOST_STATES else ""
        reductions += [f"{more}{result.unreduced:,} without", many(result.permutations, "permutation")]
    for sort, count in result.not_permuted.items():
        reductions.append(f"{count} of {result.instance.sizes[sort]} elements of {sort} not permuted")
    if result.fused:
        reductions.append(f"{many(len(result.fused), 'hidden step')} fused")
    if result.bound is not None:
        reductions.append(f"counters up to {result.bound}, not renamed")
    return f"{states} ({'; '.join(reductions)})" if reductions else states


def all_text(results: Sequence[Result], look: Look, asked: int, wrong: int, seconds: float) -> str:
    """One row for each check, with the expected and the found verdict.

    asked: how many there should be; wrong: of how many the input was; seconds: how long all of it took.
    """
    unchecked = [look.bad(f"{wrong} of {asked} could not be checked.")] if wrong else []
    if not results and wrong == asked:
        return unchecked[0]
    rows = [row_of(result) for result in results]
    text = table(["", "system", "policy", "with", "expected", "found", "steps", "states", "seconds"], rows, look)
    return "\n".join([*_coloured(text, results, look), "", total_text(results, look, asked, seconds), *unchecked])


def mark(result: Result) -> str:
    """What stands before a result among many: ✗ of one that is not what its policy declares, ? of one that is not compared."""
    return "✗" if is_wrong(result) else "✓" if result.as_expected else "?"


def row_of(result: Result) -> list[str]:
    """The cells of one result among many."""
    instance = result.instance
    return [
        mark(result),
        instance.system.name,
        instance.policy or "",
        result.settings,
        result.expected or "",
        result.found + (" (!)" if result.vacuous else ""),
        str(len(result.trace.steps)) if result.trace else "",
        f"{result.states:,}",
        f"{result.seconds:.2f}",
    ]


def _coloured(text: str, results: Sequence[Result], look: Look) -> list[str]:
    paint = {"✓": look.good, "✗": look.bad, "?": look.unsure}
    return [paint[line[0]](line[0]) + line[1:] if line[:1] in paint else line for line in text.splitlines()]


def total_text(results: Sequence[Result], look: Look, asked: int, seconds: float) -> str:
    """What many results come to."""
    bad = [r for r in results if is_wrong(r)]
    unsure = [r for r in results if r.verdict == INCONCLUSIVE]
    undeclared = [r for r in results if r.expected is None and r.verdict != INCONCLUSIVE]
    vacuous = [r for r in results if r.vacuous]
    exploring = sum(r.seconds for r in results)
    took = f"in {seconds:.1f} s, {exploring:.1f} s of them exploring"
    count = f"{many(len(results), 'verdict')} {took}: "
    lines = []
    if len(results) < asked:
        count = f"only {len(results)} of {many(asked, 'verdict')} {took}: "
    rest = f"{len(undeclared)} without a declared verdict, the rest" if undeclared else "the rest"
    if bad:
        lines.append(look.bad(f"{count}{len(bad)} not as expected."))
    elif unsure or len(results) < asked:
        lines.append(look.unsure(f"{count}{len(unsure)} inconclusive, {rest} as expected."))
    elif undeclared:
        lines.append(look.unsure(f"{count}{rest} as expected."))
    else:
        lines.append(look.good(f"{count}all as expected, every counterexample confirmed by Z3."))
    if doubtful := [r for r in results if r.omission is not None]:
        chance = rounded_up(sum(r.omission or 0.0 for r in doubtful))
        lines.append(
            look.unsure(
                f"Fingerprints stood for states in {len(doubtful)} of them: one collided with probability < {chance}."
            )
        )
    for result in vacuous:
        name = f"{result.instance.system.name} {result.instance.policy or ''} {result.settings}".strip()
        lines.append(look.unsure(f"(!) {name} holds vacuously: {', '.join(result.vacuous)}"))
    return "\n".join(lines)
