"""What became of a proof, for a terminal and as JSON."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any, Literal

from flushproof.audit_proof import Audited
from flushproof.checking import certified
from flushproof.model.ir import TRUE, Scalarset
from flushproof.model.ir.trace import Trace, restricted
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.properties.formulas.conjuncts import Conjunct
from flushproof.properties.formulas.printing import show, show_lemma
from flushproof.properties.induction.certificates import Verification
from flushproof.properties.induction.counterexample import Counterexample, picture
from flushproof.properties.induction.induction import Proof, Result
from flushproof.proving import KINDS, Kind, ProofResult, Shown, written
from flushproof.report.audit import audit_json, audit_text
from flushproof.report.catalog import table
from flushproof.report.jsonform import VERSION, begun_json, state_json, trace_json
from flushproof.report.trace import Look, trace_text
from flushproof.report.verdict import heading
from flushproof.report.words import many
from flushproof.search.walk import Walks

Origin = Literal["written", "construction", "found"]
"""Of a lemma: it was written into the system; it holds of a stored local by construction; the tool found it in this run."""

SHOWN = 3
"""How many counterexamples to induction are shown; the JSON has all."""


def proof_text(result: ProofResult, look: Look) -> str:
    """The verdict, with the trace, the counterexamples to induction, or the lemmas that it rests on."""
    parts = [heading(result.instance, look), proof_verdict(result, look)]
    if result.violated is not None:
        parts.append(trace_text(result.violated.trace, look))
    if result.reason is not None:
        parts.append(look.unsure(look.wrapped(f"Not finished: {result.reason}.")))
    for wrong in result.wrong_lemmas:
        parts.append(look.bad(f"The lemma '{wrong.property}' does not hold:"))
        parts.append(trace_text(wrong.trace, look))
    parts.append(_found(result))
    parts += map(look.wrapped, searched_text(result))
    if result.proof is not None:
        parts += _missing(result, result.proof, look)
        parts.append(_rests_on(result.proof, look))
        parts.append(look.wrapped(not_needed_text(result)))
        if result.proof.vacuous:
            never = ", ".join(result.proof.vacuous)
            parts.append(look.unsure(look.wrapped(f"Warning: never possible where the invariant holds: {never}.")))
    if result.audited is not None:
        parts.append(look.faint(look.wrapped(audited_text(result.audited))))
    if result.proof is not None:
        parts.append(look.faint(look.wrapped(effort_text(result))))
    if result.audit is not None:
        parts.append(look.faint(look.wrapped(audit_text(result.audit))))
    return "\n\n".join(part for part in parts if part)


def proof_verdict(result: ProofResult, look: Look) -> str:
    """One line for each kind of proof, so that none can be taken for another."""
    if result.reason is not None and not result.shown and result.violated is None:
        return look.unsure("NO VERDICT") + f": {', '.join(result.properties)}"
    if result.violated is not None:
        steps = many(len(result.violated.trace.steps), "step")
        return look.bad(f"VIOLATED: {result.violated.property}") + f", in {steps}; there is nothing to prove"
    alike: dict[Shown | None, list[str]] = {}
    for name in result.properties:
        alike.setdefault(result.shown.get(name), []).append(name)
    lines = []
    for shown, names in sorted(alike.items(), key=lambda item: KINDS.index(item[0].kind) if item[0] else len(KINDS)):
        head, what = _kind(shown, result)
        paint = look.good if shown is not None and shown.kind == "any-size" else look.unsure
        lines += [paint(head) + f": {', '.join(names)}", f"  {what}"]
    return "\n".join(look.wrapped(line, indent="  ", first="") if len(line) > look.width else line for line in lines)


def _kind(shown: Shown | None, result: ProofResult) -> tuple[str, str]:
    """How a kind of proof is called, and what it rests on."""
    if shown is None:
        return "NOTHING SHOWN", "no step was looked at in time"
    if shown.kind == "any-size":
        least = f" with at least {elements(result.elements)}" if result.elements else ""
        counted = _counted(result)
        if not counted:
            return "PROVED", "the system has no sort of any number of elements"
        return f"PROVED for any size{least}", f"whatever the number of {counted}{' beyond that' if least else ''}"
    if shown.kind == "finite":
        by = "every reachable state was explored" if shown.by == "exploring" else f"by k-induction, k = {shown.depth}"
        return "PROVED for these sizes only", f"{by}; not proved for any size"
    why = f" ({result.explored.reason})" if result.explored and result.explored.reason else ""
    return f"NO VIOLATION up to depth {shown.depth}", f"at these sizes, by {shown.by}{why}; no proof of any kind"


def _counted(result: ProofResult) -> str:
    return ", ".join(s.name for s in result.instance.system.sorts if isinstance(s, Scalarset))


def _missing(result: ProofResult, proof: Proof, look: Look) -> list[str]:
    """The steps that leave the invariant with everything assumed: where to think. Where all is proved, nothing is missing."""
    if result.verdict == "holds":
        return []
    first = [f for f, number in zip(proof.failures, proof.rounds, strict=True) if number == 0]
    if not first:
        return []
    parts = [
        look.strong("Not inductive: ")
        + f"{len(first)} of the questions failed with everything assumed. A lemma is missing, or one is wrong."
    ]
    for failure in first[:SHOWN]:
        if failure.counterexample is not None:
            parts.append(str(picture(failure.counterexample)))
        else:
            parts.append(f"{failure.step} may break {failure.conjunct.name}: Z3 gives no answer in time")
    rest = [f"{f.step} breaks {f.conjunct.name}" for f in first[SHOWN:]]
    if rest:
        parts.append(look.wrapped(f"And {len(rest)} more: {'; '.join(rest)}."))
    return parts


def _found(result: ProofResult) -> str:
    """The lemmas that the search found and the proof needs, as they can be pasted into the system; those that it had come to, where
    it was stopped."""
    if result.inference is None or not result.inference.found:
        return ""
    what = "lemma" if result.inference.proof is not None else "candidate"
    processes = {a.process for a in result.instance.system.actions if a.process is not None}
    lemmas = [show_lemma(p.name, clause, processes) for p in result.inference.found for clause in p.clauses]
    words = sorted({"lemma", *re.findall(r"\b(at|local)\(self\.", "".join(lemmas))})
    head = f"Found {many(len(lemmas), what)}{'' if what == 'lemma' else ' so far, of which none is proved'}, to be pasted into the "
    head += "system; they need this import:"
    head += f"\n\nfrom flushproof.model.language import {', '.join(words)}"
    return "\n\n".join([head, *lemmas])


def searched_text(result: ProofResult) -> list[str]:
    """Of a proof that is not complete: that nobody wrote lemmas for it, if so, and why the search for some ended."""
    proof, said = result.proof, []
    if proof is not None and result.verdict != "holds" and not any(_origin(c, result) == "written" for c in _lemmas(proof)):
        said.append("No written lemma is in this proof; what it shows for any size needs none. docs/proofs.md tells how.")
    if result.inference is not None and not result.inference.proved:
        said.append(f"The search for lemmas ended after {result.inference.seconds:.1f} s: {result.inference.ended}.")
    return said


def _lemmas(proof: Proof) -> list[Conjunct]:
    return [c for c in proof.conjuncts if c.role == "lemma"]


def _rests_on(proof: Proof, look: Look) -> str:
    needs, used = proof.needs(), proof.used()
    lemmas = [c for c in proof.inductive if c.role == "lemma"]
    if not lemmas:
        return ""
    rows = [(c.name, "yes" if c in used else "no", ", ".join(sorted(n.name for n in needs[c]))) for c in lemmas]
    return table(["lemma (holds for any size)", "used", "needs"], rows, look)


def not_needed_text(result: ProofResult) -> str:
    """Which written lemmas the proof does without, or nothing: they would otherwise vanish without a word."""
    proof = result.proof
    if proof is None or not result.not_needed:
        return ""
    trivial = {c.of for c in proof.inductive if c.formula == TRUE}
    names = [name for name in result.not_needed if name not in trivial]
    shown = {c.of for c in proof.inductive} - {f.conjunct.of for f in proof.failures}
    unproved = [name for name in names if name not in shown]
    idle = len(result.not_needed) - len(names)
    said = [", ".join(names)] if names else []
    said += [f"{many(idle, 'lemma')} without content under these knobs"] if idle else []
    more = f" Of these, not shown for any size: {', '.join(unproved)}." if unproved else ""
    return f"Not needed: {'; '.join(said)}.{more}"


def effort_text(result: ProofResult) -> str:
    """How much Z3 was asked, and how long everything took."""
    proof = result.proof
    assert proof is not None
    asked = [r for r in (*proof.results, *proof.failures) if r.verdict != "untouched"]
    slowest = max((r.seconds for r in asked), default=0.0)
    explored = result.explored
    before = f"Explored before: {many(explored.states, 'state')}, {explored.seconds:.2f} s. " if explored else ""
    return (
        f"Z3: {many(len(asked), 'question')}, {proof.seconds:.2f} s, the slowest {slowest * 1000:.0f} ms. "
        f"{before}In all {result.seconds:.1f} s."
    )


def audited_text(found: Audited) -> str:
    """What was looked at again of a proof for any size."""
    sizes = [
        f"{' '.join(f'{name.lower()}={size}' for name, size in e.sizes.items())} ({many(e.states, 'state')}"
        f"{'' if e.complete else f', up to depth {e.depth}'})"
        for e in found.explored
    ]
    explored = f"explored beyond the given sizes: {'; '.join(sizes)}" if sizes else "no larger size was explored"
    verified = "verified by another process" if found.verified else f"not verified apart: {found.why_not}"
    return f"Audited in {found.seconds:.1f} s: {explored}. The certificate was {verified}."


def _audit_json(found: Audited | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "verified": found.verified,
        "explored": [
            {"sizes": dict(e.sizes), "states": e.states, "depth": e.depth, "complete": e.complete} for e in found.explored
        ],
        "seconds": round(found.seconds, 6),
    }


def plain_trace(result: ProofResult) -> Trace | None:
    """The trace to what is violated as `check` has it: without the state that only a proof reads.

    None where nothing is violated, or nothing is without that state.
    """
    if result.violated is None:
        return None
    found = result.violated.trace
    plain = instantiate(load_system(result.source), found.instance.policy, result.given, found.instance.sizes)
    walk = restricted(found, plain)
    traces = Walks(plain).violated(walk.initial, walk.steps)
    return next((certified(trace) for trace in traces if trace.property == found.property), None)


def proof_json(result: ProofResult) -> dict[str, Any]:
    """One proof."""
    proof = result.proof
    violated = result.violated
    trace = plain_trace(result) or (violated.trace if violated else None)
    return {
        "version": VERSION,
        "system": result.instance.system.name,
        "source": result.source,
        "set": dict(result.given),
        "shortest": None if trace is None else False,
        "policy": result.instance.policy,
        "knobs": dict(result.instance.knobs),
        "reached_by": begun_json(result.instance),
        "sizes": dict(result.instance.sizes),
        "verdict": result.verdict,
        "proof": result.kind,
        "property": violated.property if violated else None,
        "properties": {name: _shown_json(result.shown.get(name)) for name in result.properties},
        "lemmas": [] if proof is None else _lemmas_json(proof, result),
        "not_needed": list(result.not_needed),
        "found": [] if result.inference is None else [p.name for p in result.inference.found],
        "search_ended": None if result.inference is None else result.inference.ended,
        "reason": result.reason,
        "elements": dict(result.elements),
        "proof_audit": _audit_json(result.audited),
        "wrong_lemmas": {v.property: trace_json(v.trace) for v in result.wrong_lemmas},
        "questions": [] if proof is None else [_question_json(r) for r in (*proof.results, *proof.failures)],
        "vacuous": [] if proof is None else list(proof.vacuous),
        "states": 0 if result.explored is None else result.explored.states,
        "complete": result.explored is not None and result.explored.complete,
        "seconds": round(result.seconds, 6),
        "audit": audit_json(result.audit),
        "z3_seconds": 0.0 if proof is None else round(proof.seconds, 6),
        "certified": True if violated else None,
        **trace_json(trace),
    }


def _shown_json(shown: Shown | None) -> dict[str, Any] | None:
    return None if shown is None else {"proof": shown.kind, "by": shown.by, "depth": shown.depth}


def _lemmas_json(proof: Proof, result: ProofResult) -> list[dict[str, Any]]:
    used, holds = proof.used(), set(proof.inductive)
    return [
        {
            "name": c.name,
            "formula": show(c.formula),
            "origin": _origin(c, result),
            "holds": c in holds,
            "used": c in used,
        }
        for c in _lemmas(proof)
    ]


def _question_json(result: Result) -> dict[str, Any]:
    return {
        "action": result.step,
        "initial": result.action is None,
        "conjunct": result.conjunct.name,
        "verdict": result.verdict,
        "seconds": round(result.seconds, 6),
        "needs": [c.name for c in result.core],
        "counterexample": _counterexample_json(result.counterexample),
    }


def _counterexample_json(example: Counterexample | None) -> dict[str, Any] | None:
    if example is None:
        return None
    return {
        "sizes": dict(example.instance.sizes),
        "before": None if example.before is None else state_json(example.instance, example.before),
        "after": state_json(example.instance, example.after),
        "reachable": example.reachable,
    }


def table_text(results: Sequence[ProofResult], look: Look) -> str:
    """`prove --all`: one row for each policy."""
    return table(
        ["system", "policy", "any size", "these sizes", "up to a depth", "lemmas", "found", "Z3", "seconds"],
        [_row(r) for r in results],
        look,
    )


def _row(result: ProofResult) -> tuple[str, ...]:
    proof, lemmas = result.proof, lemmas_needed(result)
    return (
        result.instance.system.name,
        " ".join(filter(None, [result.instance.policy, result.settings])),
        *(_names(result, kind) for kind in KINDS),
        str(lemmas.total()),
        str(lemmas["found"]),
        f"{proof.seconds:.2f} s" if proof else "-",
        f"{result.seconds:.1f}",
    )


def _names(result: ProofResult, kind: Kind) -> str:
    shown = [(name, result.shown[name]) for name in result.properties if name in result.shown]
    return ", ".join(f"{n} ({s.depth})" if kind == "bounded" else n for n, s in shown if s.kind == kind) or "-"


def lemmas_needed(result: ProofResult, by: Container[str] | None = None) -> Counter[Origin]:
    """How many lemmas the proved properties rest on, by where they come from; `by`: only these properties."""
    if result.proof is None:
        return Counter()
    used = result.proof.used(by)
    return Counter(_origin(c, result) for c in _lemmas(result.proof) if c in used)


def _origin(lemma: Conjunct, result: ProofResult) -> Origin:
    if result.inference is not None and any(lemma.of == p.name for p in result.inference.found):
        return "found"
    return "written" if written(lemma.of) else "construction"


def table_json(results: Iterable[ProofResult]) -> dict[str, Any]:
    return {"version": VERSION, "proofs": [proof_json(r) for r in results]}


def elements(least: Mapping[str, int]) -> str:
    """How many elements there must be: `3 Levels`."""
    return ", ".join(f"{n} {name}" for name, n in least.items())


def verification_text(found: Verification, look: Look) -> str:
    """What became of a certificate."""
    claimed = found.certificate
    wrong = [c for c in found.checked if not c.ok]
    settings = "".join(f" {name}={value}" for name, value in claimed.given.items())
    policy = f", policy {claimed.policy}" if claimed.policy else ""
    least = f", with at least {elements(claimed.elements)}" if claimed.elements else ""
    parts = [
        look.strong(f"{claimed.system}{policy}{settings}"),
        f"claims for any size{least}: {', '.join(claimed.properties)}",
    ]
    if not found.compared:
        hint = f"flushproof verify {claimed.path} --system path/to/file.py:Class"
        parts.append(look.unsure("NOT VERIFIED") + f": not compared with any system, since none of flushproof's own is called "
                     f"{claimed.system}. Say where it is:\n  {hint}")  # fmt: skip
    parts += [look.bad(f"Wrong: {complaint}") for complaint in found.complaints]
    parts += [
        look.bad(f"Wrong: {c.action}, {c.conjunct}: Z3 says {c.z3}, cvc5 {c.cvc5 or 'was not asked'}") for c in wrong
    ]
    if found.ok:
        second = f", {found.confirmed_by_cvc5} of them confirmed by cvc5" if found.confirmed_by_cvc5 else ""
        parts.append(
            look.good("VERIFIED")
            + f": {many(len(found.checked), 'question')}, each answered as it must be{second}, {found.seconds:.2f} s"
        )
    return "\n".join(parts)
