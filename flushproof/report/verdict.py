"""What a check found, for a terminal: one check with its trace, or the table of many."""

from __future__ import annotations

import math
from collections.abc import Sequence

from flushproof.model.ir import Scalarset
from flushproof.model.ir.instance import Instance
from flushproof.model.language.instantiate import settings
from flushproof.report.catalog import table
from flushproof.report.trace import Look, Paint, trace_text
from flushproof.report.words import many
from flushproof.result import INCONCLUSIVE, MOST_STATES, VIOLATED, Result


def check_text(result: Result, look: Look) -> str:
    """One check: what was checked, the verdict, the trace if there is one, and what was explored."""
    parts = [heading(result.instance, look), _verdict(result, look)]
    if result.trace is not None:
        parts += [trace_text(result.trace, look), _certificate(result, look)]
    parts += [look.unsure(look.wrapped(warning)) for warning in warnings(result)]
    parts.append(look.faint(look.wrapped(_explored(result))))
    return "\n\n".join(parts)


def heading(instance: Instance, look: Look) -> str:
    """The system, the policy, its knobs and the sizes."""
    policy = f", policy {instance.policy}" if instance.policy else ""
    lines = [look.strong(f"{instance.system.name}{policy}")]
    if instance.knobs:
        lines.append(look.wrapped(settings(instance.knobs), indent="  "))
    lines.append(look.wrapped(_sizes(instance), indent="  "))
    return "\n".join(lines)


def _sizes(instance: Instance) -> str:
    sorts = [s for s in instance.system.sorts if isinstance(s, Scalarset)]
    return " ".join(f"{s.name.lower()}={instance.sizes[s.name]}" for s in sorts)


def _verdict(result: Result, look: Look) -> str:
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
    must_hold = [name for name in result.checked if kinds.get(name) != "reachable"]
    reached = [name for name in result.checked if name not in must_hold and name not in result.not_reached]
    text = look.wrapped(f"HOLDS{_unless(result)}: {', '.join(must_hold)}", indent="  ", first="")
    if reached:
        text += "\n" + look.wrapped(f"Reached: {', '.join(reached)}", indent="  ", first="")
    return _painted(text, look.good)


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
    word, colon, rest = text.partition(":")
    return paint(word) + colon + rest


def _certificate(result: Result, look: Look) -> str:
    text = "Z3 confirmed this trace: its initial state, each step, and the violation." if result.certified else ""
    also = f" Also violated on the way: {', '.join(result.also_violated)}." if result.also_violated else ""
    return look.wrapped(text + also)


def warnings(result: Result) -> list[str]:
    """What a user must know besides the verdict."""
    found = []
    if result.not_reached and result.violated not in result.not_reached:
        found.append(
            f"Warning: never reached, though the system says it must be: {', '.join(result.not_reached)}. "
            "A model that cannot do what it is about proves nothing."
        )
    if result.as_expected is False and result.found != result.expected:
        found.append(f"Warning: the policy '{result.instance.policy}' declares another verdict: {result.expected}.")
    return found


def _explored(result: Result) -> str:
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
        f"{result.seconds:.2f} s{rate} after {result.compile_seconds:.2f} s of compiling, engine {result.engine}.{decided}"
    )


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


def all_text(results: Sequence[Result], look: Look, asked: int, wrong: int = 0) -> str:
    """One row for each check, with the expected and the found verdict; `asked` is how many there should be, and `wrong` for
    how many of them the input was."""
    unchecked = [look.bad(f"{wrong} of {asked} could not be checked.")] if wrong else []
    if not results and wrong == asked:
        return unchecked[0]
    rows = [_row(result) for result in results]
    text = table(["", "system", "policy", "with", "expected", "found", "steps", "states", "seconds"], rows, look)
    return "\n".join([*_coloured(text, results, look), "", _total(results, look, asked), *unchecked])


def _row(result: Result) -> list[str]:
    mark = {True: "✓", False: "✗", None: "?"}[result.as_expected]
    instance = result.instance
    return [
        mark,
        instance.system.name,
        instance.policy or "",
        result.settings,
        result.expected or "",
        result.found + (" (!)" if result.not_reached else ""),
        str(len(result.trace.steps)) if result.trace else "",
        f"{result.states:,}",
        f"{result.seconds:.2f}",
    ]


def _coloured(text: str, results: Sequence[Result], look: Look) -> list[str]:
    paint = {"✓": look.good, "✗": look.bad, "?": look.unsure}
    return [paint[line[0]](line[0]) + line[1:] if line[:1] in paint else line for line in text.splitlines()]


def _total(results: Sequence[Result], look: Look, asked: int) -> str:
    bad = [r for r in results if r.as_expected is False]
    unsure = [r for r in results if r.verdict == INCONCLUSIVE]
    unreached = [r for r in results if r.not_reached]
    seconds = sum(r.seconds for r in results)
    count = f"{many(len(results), 'verdict')} in {seconds:.1f} s: "
    lines = []
    if len(results) < asked:
        count = f"only {len(results)} of {many(asked, 'verdict')} in {seconds:.1f} s: "
    if bad:
        lines.append(look.bad(f"{count}{len(bad)} not as expected."))
    elif unsure or len(results) < asked:
        lines.append(look.unsure(f"{count}{len(unsure)} inconclusive, the rest as expected."))
    else:
        lines.append(look.good(f"{count}all as expected, every counterexample confirmed by Z3."))
    if doubtful := [r for r in results if r.omission is not None]:
        chance = rounded_up(sum(r.omission or 0.0 for r in doubtful))
        lines.append(
            look.unsure(
                f"Fingerprints stood for states in {len(doubtful)} of them: one collided with probability < {chance}."
            )
        )
    for result in unreached:
        name = f"{result.instance.system.name} {result.instance.policy or ''} {result.settings}".strip()
        lines.append(look.unsure(f"(!) {name}: never reached: {', '.join(result.not_reached)}"))
    return "\n".join(lines)
