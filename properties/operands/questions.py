"""Questions to Z3 about all operands of a TLB invalidation: does its emulation remove what the guest's own
instruction must?

One question ranges over every value of Xt, of the guest's and the host's TCR_EL1, every VMID, and every TLB entry
that the guest's context can have made.  It ends in a proof, or in one value of each register and one entry that
survives, which is then confirmed by running the same description of the hardware on integers.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

import z3  # type: ignore[import-untyped]
from flushproof.model.errors import FlushproofError, nearest

from ..formulas.solver import uninterrupted
from .encodings import (
    ASID,
    HALF,
    TCR_MATTERS,
    TTL,
    VA,
    Context,
    Emulation,
    Entry,
    Hardware,
    Op,
    Word,
    emulated,
    is_entry_of,
    is_legal,
    required,
    res0,
    significant_asid,
)

SECONDS = 60
"""Limit for one question; each takes a fraction of a second."""

Verdict = Literal["holds", "violated", "inconclusive"]


class Cause(enum.Enum):
    """Why an entry may be missed: in nothing that guest and host differ in, or by fields of TCR_EL1 that are not the same, or
    by what the hint is.  A field is to blame only where the entry would be removed if it were the same; so is the hint.
    """

    ALIKE = "guest and host alike"
    GRANULE = "TCR_EL1.TG0, TG1"
    TOP_BYTE = "TCR_EL1.TBI0, TBI1"
    ASID_WIDTH = "TCR_EL1.AS"
    HINT = "Xt[47:44]"

    @property
    def tcr(self) -> int:
        """The bits of TCR_EL1 that may differ."""
        return {Cause.GRANULE: 3 << 14 | 3 << 30, Cause.TOP_BYTE: 3 << 37, Cause.ASID_WIDTH: 1 << 36}.get(self, 0)

    def without(self, case: Case) -> Case:
        """The case as it would be but for this."""
        return replace(case, word=case.word & ~TTL) if self is Cause.HINT else replace(case, host_tcr=case.guest_tcr)


@dataclass(frozen=True)
class Assumptions:
    """What is taken for granted; by default nothing but the architecture.

    clean: guests write the bits of an operand that are RES0 as zeros.
    guest_ttl: the guest knows FEAT_TTL; to others the bits of the hint are RES0.
    hardware: what a PE does where the architecture leaves it open.
    """

    clean: bool = False
    guest_ttl: bool = False
    hardware: Hardware = Hardware()  # noqa: RUF009 - frozen


FACTS: Mapping[str, str] = {
    "res0-clean": "guests write the bits of an operand that are RES0 as zeros",
    "guest-ttl": "guests know FEAT_TTL, so that Xt[47:44] is a hint to them",
    "no-ttl": "the hardware has no FEAT_TTL",
    "own-granule": "a PE compares an entry by its own granule and level, whatever TCR_EL1 says now",
    "no-top-byte": "a PE does not compare VA[63:56], whatever TCR_EL1 says now",
    "whole-asid": "a PE compares all 16 bits of an ASID, whatever TCR_EL1 says now",
}
"""What can be assumed, by name."""


def assume(names: Collection[str]) -> Assumptions:
    """The assumptions of these names.

    Raises:
        FlushproofError: there is none of that name.
    """
    for name in names:
        if name not in FACTS:
            raise FlushproofError(f"There is no assumption '{name}'. {nearest(name, FACTS, 'assumptions')}")
    hardware = Hardware(
        ttl="no-ttl" not in names,
        granule_by_context="own-granule" not in names,
        top_byte_by_context="no-top-byte" not in names,
        asid_by_context="whole-asid" not in names,
    )
    return Assumptions("res0-clean" in names, "guest-ttl" in names, hardware)


@dataclass(frozen=True)
class Case:
    """One value of everything: the operand, both TCR_EL1, the guest's VMID (as in VTTBR_EL2), and an entry."""

    word: Word
    guest_tcr: Word
    host_tcr: Word
    vttbr: Word
    entry: Entry

    @property
    def guest(self) -> Context:
        return Context(self.guest_tcr, self.vttbr)

    @property
    def host(self) -> Context:
        return Context(self.host_tcr, 0 * self.vttbr)


@dataclass(frozen=True)
class Finding:
    """The answer about one operation: "holds" for all operands, "violated", with a case, or "inconclusive" if Z3 did
    not decide in time."""

    emulation: Emulation
    op: Op
    verdict: Verdict
    case: Case | None = None


def needed(op: Op, case: Case, assumptions: Assumptions) -> Word:
    """Whether the guest's own operation removes the entry of the case for certain."""
    return required(op, case.word, case.guest, assumptions.guest_ttl, case.entry)


def done(emulation: Emulation, op: Op, case: Case, assumptions: Assumptions) -> Word:
    """Whether its emulation does."""
    return emulated(emulation, op, case.word, case.guest, case.host, assumptions.hardware, case.entry)


def soundness(emulation: Emulation, op: Op, assumptions: Assumptions, only: Cause | None = None) -> Finding:
    """Whether every entry that the guest's operation must remove is removed.

    only: guest and host differ in nothing but this, and the entry is missed for that.
    """
    return _find(emulation, op, assumptions, only, missing=True)


def exactness(emulation: Emulation, op: Op, assumptions: Assumptions) -> Finding:
    """Whether no entry is removed that the guest's operation need not remove."""
    return _find(emulation, op, assumptions, None, missing=False)


@dataclass(frozen=True)
class Review:
    """All that is asked about one emulation.

    sound: for each operation, over everything at once; causes: what remains if guest and host differ in one thing only;
    exact: for each operation, whether nothing else is removed.
    """

    emulation: Emulation
    sound: Sequence[Finding]
    causes: Mapping[Cause, Sequence[Finding]]
    exact: Sequence[Finding]

    @property
    def verdict(self) -> Verdict:
        return worst(self.sound)


def worst(findings: Sequence[Finding]) -> Verdict:
    """ "violated" if any is, "holds" if all do."""
    verdicts = {f.verdict for f in findings}
    return "violated" if "violated" in verdicts else "inconclusive" if "inconclusive" in verdicts else "holds"


def review(emulation: Emulation, assumptions: Assumptions, ops: Sequence[Op] = tuple(Op)) -> Review:
    """Asks all questions about an emulation of these operations."""
    return Review(
        emulation,
        [soundness(emulation, op, assumptions) for op in ops],
        {cause: [soundness(emulation, op, assumptions, cause) for op in ops] for cause in Cause},
        [exactness(emulation, op, assumptions) for op in ops],
    )


def _find(emulation: Emulation, op: Op, assumptions: Assumptions, only: Cause | None, *, missing: bool) -> Finding:
    def wanted(case: Case) -> z3.BoolRef:
        facts = [needed(op, case, assumptions) == missing, done(emulation, op, case, assumptions) == (not missing)]
        if only not in (None, Cause.ALIKE):
            facts.append(done(emulation, op, only.without(case), assumptions) == missing)
        return z3.And(facts)

    verdict, case = _ask(op, assumptions, only, wanted)
    if case is not None:
        found = needed(op, case, assumptions), done(emulation, op, case, assumptions)
        if found != (missing, not missing) or not is_entry_of(case.entry, case.guest):
            raise AssertionError(f"Z3 and the integers disagree about {case}")
    return Finding(emulation, op, verdict, case)


def symbols() -> Case:
    """A case of unknowns."""
    word, guest, host, vttbr = z3.BitVecs("Xt guest_TCR_EL1 host_TCR_EL1 VTTBR_EL2", 64)
    return Case(word, guest, host, vttbr, Entry(*(z3.BitVec(f"entry.{f.name}", 64) for f in fields(Entry))))


def possible(op: Op, assumptions: Assumptions, only: Cause | None, case: Case) -> z3.BoolRef:
    """What is true of every case: legal contexts, an entry that the guest can have made, a guest that does its duty with ASIDs
    and keeps to the assumptions.
    """
    facts = [is_legal(case.guest), is_legal(case.host), is_entry_of(case.entry, case.guest)]
    facts.append((case.vttbr & ~ASID) == 0)
    if op.by_asid:
        # "the upper 8 bits of the ASID must be written to 0 by software when the context being invalidated only uses 8 bits"
        facts.append((case.word & ASID & ~significant_asid(case.guest)) == 0)
    if assumptions.clean:
        facts.append((case.word & res0(op, case.word, case.guest, assumptions.guest_ttl)) == 0)
    if only is not None:
        facts.append(((case.guest_tcr ^ case.host_tcr) & TCR_MATTERS & ~only.tcr) == 0)
        if only is not Cause.HINT:
            facts.append((case.word & TTL) == 0)
    return z3.And(facts)


def _ask(
    op: Op, assumptions: Assumptions, only: Cause | None, wanted: Callable[[Case], z3.BoolRef]
) -> tuple[Verdict, Case | None]:
    case = symbols()
    solver = z3.SolverFor("QF_BV")
    solver.set("timeout", SECONDS * 1000)
    solver.add(possible(op, assumptions, only, case), wanted(case))
    found = uninterrupted(solver, solver.check())
    if found == z3.unsat:
        return "holds", None
    if found != z3.sat:
        return "inconclusive", None
    return "violated", _simplest(solver, case)


def _simplest(solver: z3.Solver, case: Case) -> Case:
    """A case that is easy to read: each wish is granted that can be, beside those before it."""
    model = solver.model()
    for wish in _wishes(case):
        solver.push()
        solver.add(wish)
        if uninterrupted(solver, solver.check()) == z3.sat:
            model = solver.model()
        else:
            solver.pop()

    def number(word: z3.BitVecRef) -> int:
        return int(model.eval(word, model_completion=True).as_long())

    entry = Entry(*(number(getattr(case.entry, f.name)) for f in fields(Entry)))
    return Case(number(case.word), number(case.guest_tcr), number(case.host_tcr), number(case.vttbr), entry)


LINUX_4K = 2 << 30 | 1 << 36
"""TG0 and TG1 of 4K, ASIDs of 16 bits, no TBI."""

EXAMPLE = 0x40_0000 >> 12
"""VA[55:12] of an address that is aligned for every granule's page."""


def _wishes(case: Case) -> Iterator[z3.BoolRef]:
    """What makes a case easy to read, most important first: a page of the lower half, a host that is Linux, few
    differences.
    """
    entry = case.entry
    yield entry.table == 0
    yield entry.level == 3
    yield entry.everyone == 0
    yield (entry.name & HALF) == 0
    yield case.host_tcr == LINUX_4K
    yield (case.word & TTL) == 0
    for field in (3 << 30, 1 << 38, 1 << 37, 1 << 36, 3 << 14):
        yield ((case.guest_tcr ^ case.host_tcr) & field) == 0
    yield (case.guest_tcr & ~TCR_MATTERS) == 0
    yield (case.guest_tcr & (3 << 14)) == 1 << 14
    yield ((case.word ^ entry.name) & VA) == 0
    yield ((case.word ^ entry.name) & ASID) == 0
    yield case.vttbr == 1 << 48
    yield (entry.name & ASID) == 1 << 48
    yield (entry.name & VA) == EXAMPLE
    yield (case.word & ASID) == 1 << 48
    yield (case.word & ASID) == 0x5A01 << 48
    yield (case.word & VA) == EXAMPLE + 1
    yield (case.word & TTL) == 5 << 44
    yield entry.top == 0
    yield entry.top == 0x5A
