"""What Z3 found about the operands of emulated TLB invalidations, for a terminal and as JSON."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from flushproof.properties.operands.encodings import ASID, GRANULES, TTL, VA, Entry, Granule, Op, superfluous
from flushproof.properties.operands.questions import FACTS, Case, Cause, Finding, Review, worst
from flushproof.report.catalog import table
from flushproof.report.trace import Look

VERSION = 1

QUESTION = (
    "Does the emulation of a trapped TLBI remove every TLB entry that the guest's own instruction must remove? Asked for all "
    "values of Xt, of the guest's and the host's TCR_EL1, of the VMID, and for all entries that the guest's context can have made."
)

LEGEND = (
    "An entry is missed: where guest and host are alike; where TCR_EL1 differs in TG0 and TG1, in TBI0 and TBI1, or in AS, and "
    "because of that; because of the hint in Xt[47:44]."
)


def operands_text(reviews: Sequence[Review], facts: Collection[str], detailed: bool, look: Look) -> str:
    """The table; with `detailed` also one case for each way in which an emulation fails."""
    granted = (
        "; ".join(FACTS[f] for f in FACTS if f in facts)
        or "nothing but the architecture, at its worst where it is open"
    )
    granted = f"Taken for granted: {granted}."
    parts = [look.wrapped(QUESTION), look.wrapped(granted), _table(reviews, look), look.faint(look.wrapped(LEGEND))]
    if detailed:
        parts += [_case(f, cause, look) for r in reviews for cause, f in _failures(r)]
        parts += [_excess(r, look) for r in reviews]
    else:
        parts.append(
            look.faint(
                look.wrapped("With --policy NAME: the register values and the entry that each failure is about.")
            )
        )
    return "\n\n".join(parts)


def _failures(review: Review) -> list[tuple[Cause, Finding]]:
    """For each cause the first operation that misses an entry."""
    firsts = [(cause, next((f for f in found if f.case is not None), None)) for cause, found in review.causes.items()]
    return [(cause, finding) for cause, finding in firsts if finding is not None]


def _table(reviews: Sequence[Review], look: Look) -> str:
    heads = [
        "policy",
        "verdict",
        "alike",
        "TG",
        "TBI",
        "AS",
        "hint",
        "removes more",
        "what is executed",
    ]
    rows = []
    for review in reviews:
        causes = [_cell(review.causes[cause]) for cause in Cause]
        more = {"holds": "never", "violated": "yes", "inconclusive": "?"}[worst(review.exact)]
        rows.append([review.emulation.name.lower(), review.verdict, *causes, more, review.emulation.value])
    return table(heads, rows, look)


def _cell(findings: Sequence[Finding]) -> str:
    return {"holds": "-", "violated": "misses", "inconclusive": "?"}[worst(findings)]


def _case(finding: Finding, cause: Cause, look: Look) -> str:
    case = finding.case
    assert case is not None
    title = f"{finding.emulation.name.lower()}, {cause.value}: {finding.op.name} misses an entry"
    rows = [
        ["Xt", _hex(case.word), _operand(case.word)],
        ["guest's TCR_EL1", _hex(case.guest_tcr), _tcr(case.guest_tcr)],
        ["host's TCR_EL1", _hex(case.host_tcr), _tcr(case.host_tcr)],
        ["VTTBR_EL2", _hex(case.vttbr), f"VMID {case.vttbr >> 48}"],
        ["the entry", "", _entry(case)],
    ]
    return look.bad(title) + "\n" + table(["", "value", "which is"], rows, look)


def _hex(value: int) -> str:
    return f"0x{value:016x}"


def _operand(word: int) -> str:
    hint = (word & TTL) >> 44
    return f"ASID {word >> 48:#x}, Xt[47:44] {hint:#06b}, VA[55:12] {word & VA:#x}"


def _granule(code: int, upper: bool) -> str:
    return next(str(g) for g in GRANULES if (g.tg1 if upper else g.tg0) == code)


def _tcr(tcr: int) -> str:
    tg0, tg1 = _granule(tcr >> 14 & 3, False), _granule(tcr >> 30 & 3, True)
    return f"TG0 {tg0}, TG1 {tg1}, AS {tcr >> 36 & 1}, TBI0 {tcr >> 37 & 1}, TBI1 {tcr >> 38 & 1}"


def _entry(case: Case) -> str:
    entry = case.entry
    granule = next(g for g in GRANULES if g.hint == entry.granule)
    what = "table" if entry.table else "page" if entry.level == 3 else "block"
    address = (entry.name & VA) << 12 | entry.top << 56
    tag = "global" if entry.everyone else f"ASID {(entry.name & ASID) >> 48:#x}"
    return f"{granule} granule, level {entry.level} {what} at {address:#018x}, {tag}, VMID {entry.vttbr >> 48}"


def _excess(review: Review, look: Look) -> str:
    """How much the emulation removes beyond what was asked, for a page of each granule."""
    heads = ["instead of", *(f"a {g} page" for g in GRANULES)]
    rows = [[f.op.name, *(_more(review, f.op, g) for g in GRANULES)] for f in review.exact]
    title = f"{review.emulation.name.lower()}: (ASID, 4K page) names removed beyond those of the operation, at most (16-bit ASIDs)"
    return look.wrapped(title) + "\n" + table(heads, rows, look)


def _more(review: Review, op: Op, granule: Granule) -> str:
    more = superfluous(review.emulation, op, granule, 3, wide=True)
    if more is None:
        return "depends on the host"
    if not more:
        return "0"
    low = (more & -more).bit_length() - 1
    high = more.bit_length()
    return f"2^{high} - " + ("1" if low == 0 else f"2^{low}")


# -------------------------------------------------------------------------------------------------------------------- JSON


def operands_json(reviews: Sequence[Review], facts: Collection[str]) -> Mapping[str, Any]:
    """Everything that was found; numbers as hexadecimal strings, since JSON's lose bits."""
    return {
        "version": VERSION,
        "assumed": [f for f in FACTS if f in facts],
        "policies": [
            {
                "policy": review.emulation.name.lower(),
                "verdict": review.verdict,
                "operations": [
                    {
                        "operation": found.op.name,
                        "verdict": found.verdict,
                        "case": _case_json(found.case),
                        "exact": exact.verdict,
                        "superfluous": {
                            str(g): superfluous(review.emulation, found.op, g, 3, wide=True) for g in GRANULES
                        },
                    }
                    for found, exact in zip(review.sound, review.exact, strict=True)
                ],
                "causes": {
                    cause.name.lower(): {f.op.name: {"verdict": f.verdict, "case": _case_json(f.case)} for f in found}
                    for cause, found in review.causes.items()
                },
            }
            for review in reviews
        ],
    }


def _case_json(case: Case | None) -> Mapping[str, Any] | None:
    if case is None:
        return None
    entry: Entry = case.entry
    registers = {
        "xt": case.word,
        "guest_tcr_el1": case.guest_tcr,
        "host_tcr_el1": case.host_tcr,
        "vttbr_el2": case.vttbr,
    }
    return {**{k: _hex(v) for k, v in registers.items()}, "entry": {k: hex(v) for k, v in asdict(entry).items()}}
