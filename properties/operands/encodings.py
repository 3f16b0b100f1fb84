"""What a TLB invalidation does with the 64 bits of its operand: the real encodings, for stage 1 of the EL1&0 regime.

Everything here is written with operators that Python's integers and Z3's bit-vectors of 64 bits both have, and is run on
either: on integers to show and to test, on bit-vectors to ask about *all* operands, contexts and TLB entries at once
(`properties/operands.py`).  Therefore conditions are `&`, `|` and comparisons, never `if`; a choice by a bit is arithmetic
(`spread`); and the fields of one call are all integers or all bit-vectors.

Encodings (Arm ARM DDI 0487, "A64 system instructions for TLB maintenance", TLBI VAE1, VAAE1, VALE1, VAALE1, ASIDE1,
VMALLE1):

    Xt       [63:48] ASID    [47:44] TTL, if FEAT_TTL (else RES0)    [43:0] VA[55:12]
    TCR_EL1  [15:14] TG0  [31:30] TG1  [36] AS  [37] TBI0  [38] TBI1
    VTTBR_EL2 [63:48] VMID

Rules followed (same place, and "TLB maintenance instructions"):

- The current VMID is part of every match.  A global entry matches any ASID in an operation by VA, and no operation by ASID.
- VA[55] tells which half of TCR_EL1 (TG0, TBI0 or TG1, TBI1) applies.  For a 16K or 64K granule the low 2 or 4 bits of the
  VA field are RES0 and ignored.
- With AS=0 an ASID has 8 bits; "the upper 8 bits are treated as if they were all zeros".  In an operand software must write
  them as zeros then, where the PE has 16: a guest that does not breaks the architecture, and is not asked about.
- With a TTL hint an entry need only be removed if its granule and level are those of the hint; a hint that is reserved is
  none.
- A last-level operation (VALE1) need not remove what is cached of tables.

**What the architecture leaves open.**  An operation that is executed under another TCR_EL1 than the one that was live when
an entry was made: whether granule, AS and TBI of the *present* context take part in the match.  `Hardware` says what a PE
does; its worst case is the default.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

Word = Any
"""64 bits: an integer, or a bit-vector."""

Truth = Any
"""A bool, or a formula."""


class Op(enum.Enum):
    """The TLBI operations for stage 1 of EL1&0, without their scope (each is local or broadcast)."""

    VAE1 = "by VA and ASID"
    VALE1 = "by VA and ASID, last level"
    VAAE1 = "by VA, all ASIDs"
    VAALE1 = "by VA, all ASIDs, last level"
    ASIDE1 = "by ASID"
    VMALLE1 = "everything of the VMID"

    @property
    def by_va(self) -> bool:
        return self in (Op.VAE1, Op.VALE1, Op.VAAE1, Op.VAALE1)

    @property
    def by_asid(self) -> bool:
        return self in (Op.VAE1, Op.VALE1, Op.ASIDE1)

    @property
    def last_level(self) -> bool:
        return self in (Op.VALE1, Op.VAALE1)


@dataclass(frozen=True)
class Granule:
    """A translation granule: its page's size (log2), and its codes in TTL[3:2], TCR_EL1.TG0 and TCR_EL1.TG1.

    block_levels: where a descriptor may be a block, and which levels a TTL hint may name besides 3.  With 64K pages a block of
    level 1 (4T) takes FEAT_LPA; the hint for it is valid without.
    """

    bits: int
    hint: int
    tg0: int
    tg1: int
    block_levels: tuple[int, ...]

    def size(self, level: int) -> int:
        """log2 of what one descriptor at this level covers, in bytes."""
        return self.bits + (3 - level) * (self.bits - 3)

    def __str__(self) -> str:
        return f"{1 << self.bits - 10}K"


GRANULES = (
    Granule(12, 0b01, 0b00, 0b10, (1, 2)),
    Granule(14, 0b10, 0b10, 0b01, (2,)),
    Granule(16, 0b11, 0b01, 0b11, (1, 2)),
)
LEVELS = (0, 1, 2, 3)

ASID = 0xFFFF << 48
ASID_UPPER = 0xFF00 << 48
TTL = 0xF << 44
VA = (1 << 44) - 1
HALF = 1 << 43
"""VA[55], in the operand: which half of the address space."""


@dataclass(frozen=True)
class Context:
    """What of a translation regime takes part in a TLBI: the values of TCR_EL1 and VTTBR_EL2."""

    tcr: Word
    vttbr: Word


@dataclass(frozen=True)
class Entry:
    """A TLB entry, as it was when it was made.

    name: ASID and VA[55:12] of its page, block or table range, where the operand has them; the other bits are 0.
    granule: as in TTL[3:2]; level: of the descriptor; table: 1 if it caches a table rather than a translation.
    everyone: 1 if it is global; top: VA[63:56] of the access that made it; vttbr: the VMID, where VTTBR_EL2 has it.
    """

    name: Word
    granule: Word
    level: Word
    table: Word
    everyone: Word
    top: Word
    vttbr: Word


@dataclass(frozen=True)
class Hardware:
    """What a PE does where the architecture leaves it open.

    ttl: it has FEAT_TTL.
    granule_by_context: an entry whose granule is not the present one is compared as if it were a page of the present one, with
        the operand's bits below that page taken as zeros.
    top_byte_by_context: an entry keeps VA[63:56], and TBI=0 in the present context makes it part of the comparison.
    asid_by_context: AS=0 in the present context makes the upper 8 bits of the operand's ASID count as zeros.
    """

    ttl: bool = True
    granule_by_context: bool = True
    top_byte_by_context: bool = True
    asid_by_context: bool = True


def spread(bit: Word) -> Word:
    """All ones if the lowest bit is 1, else all zeros."""
    return 0 - (bit & 1)


def never(word: Word) -> Truth:
    """False, of the kind that the word's comparisons are."""
    return word != word


def va_above(size: int) -> int:
    """The bits of the operand's VA field that lie above a range of 2^size bytes."""
    return VA & ~((1 << size - 12) - 1)


# --------------------------------------------------------------------------------------------------------------- contexts


def upper_half(word: Word) -> Word:
    """1 if the operand's address is in the upper half (TTBR1), else 0."""
    return (word >> 43) & 1


def has_granule(context: Context, word: Word, granule: Granule) -> Truth:
    """Whether the context translates the operand's address with this granule."""
    tg0, tg1 = (context.tcr >> 14) & 3, (context.tcr >> 30) & 3
    upper = upper_half(word)
    return ((upper == 0) & (tg0 == granule.tg0)) | ((upper == 1) & (tg1 == granule.tg1))


def is_legal(context: Context) -> Truth:
    """Whether TG0 and TG1 have meanings."""
    return (((context.tcr >> 14) & 3) != 0b11) & (((context.tcr >> 30) & 3) != 0b00)


def wide_asid(context: Context) -> Word:
    """TCR_EL1.AS: 1 if ASIDs have 16 bits."""
    return (context.tcr >> 36) & 1


def ignores_top_byte(context: Context, word: Word) -> Word:
    """TBI0 or TBI1, whichever applies to the operand's address."""
    upper = upper_half(word)
    return ((context.tcr >> 37) & (1 - upper)) | ((context.tcr >> 38) & upper)


def significant_asid(context: Context) -> Word:
    """The bits of an operand that are an ASID in this context."""
    return ASID & ~ASID_UPPER | ASID_UPPER & spread(wide_asid(context))


def ignored_va(context: Context, word: Word) -> Word:
    """The low bits of the VA field that are RES0 for the context's granule."""
    tcr, upper = context.tcr, upper_half(word)
    lower_16k, lower_64k = tcr >> 15, tcr >> 14
    upper_16k, upper_64k = (tcr >> 30) & (1 - ((tcr >> 31) & 1)), (tcr >> 30) & (tcr >> 31)
    is_16k = (lower_16k & (1 - upper)) | (upper_16k & upper)
    is_64k = (lower_64k & (1 - upper)) | (upper_64k & upper)
    return (0b0011 & spread(is_16k)) | (0b1111 & spread(is_64k))


def res0(op: Op, word: Word, context: Context, ttl: bool) -> Word:
    """The bits of the operand that mean nothing, for a guest that has or has not FEAT_TTL."""
    meaning: Word = 0 & word
    if op.by_asid:
        meaning = meaning | significant_asid(context)
    if op.by_va:
        meaning = meaning | (VA & ~ignored_va(context, word)) | (TTL if ttl else 0)
    return ((1 << 64) - 1) & ~meaning


def sanitised(op: Op, word: Word, context: Context) -> Word:
    """The operand reduced to what it means in this context; a TTL hint means less work, not another result, and is dropped."""
    return word & ~res0(op, word, context, ttl=False)


# ---------------------------------------------------------------------------------------------------------------- entries


def is_entry_of(entry: Entry, context: Context) -> Truth:
    """Whether a walk in this context can have made this entry."""
    shapes = never(entry.level)
    for granule in GRANULES:
        for level in LEVELS:
            shape = (entry.granule == granule.hint) & (entry.level == level) & has_granule(context, entry.name, granule)
            low = entry.name & VA & ~va_above(granule.size(level))
            kind = (
                entry.table == 1 if level not in (*granule.block_levels, 3) else (entry.table == 0) | (entry.level != 3)
            )
            shapes = shapes | (shape & kind & (low == 0))
    name = ((entry.name & TTL) == 0) & ((entry.name & ASID & ~significant_asid(context)) == 0)
    canonical = (entry.top == 0) & (upper_half(entry.name) == 0) | (entry.top == 0xFF) & (upper_half(entry.name) == 1)
    top = (entry.top == (entry.top & 0xFF)) & (canonical | ((ignores_top_byte(context, entry.name) & 1) == 1))
    bits = (entry.table == (entry.table & 1)) & (entry.everyone == (entry.everyone & 1))
    return (
        shapes
        & name
        & top
        & bits
        & (((entry.vttbr ^ context.vttbr) & ASID) == 0)
        & (entry.vttbr == (entry.vttbr & ASID))
    )


# ---------------------------------------------------------------------------------------------------------------- matching


def removes(op: Op, word: Word, context: Context, hardware: Hardware, entry: Entry) -> Truth:
    """Whether the operation, executed in this context, removes the entry for certain."""
    vmid = ((entry.vttbr ^ context.vttbr) & ASID) == 0
    if op is Op.VMALLE1:
        return vmid
    significant = significant_asid(context) if hardware.asid_by_context else ASID
    asid = ((word & significant) ^ (entry.name & ASID)) == 0
    if op is Op.ASIDE1:
        return vmid & asid & (entry.everyone == 0)
    found = vmid & matches_va(word, context, hardware, entry)
    if hardware.ttl:
        found = found & hint_allows(word, entry)
    if op.by_asid:
        found = found & (asid | (entry.everyone == 1))
    return found & (entry.table == 0) if op.last_level else found


def matches_va(word: Word, context: Context, hardware: Hardware, entry: Entry) -> Truth:
    """Whether the operand's address lies in the entry's range, as this PE compares them in this context."""
    differs = word ^ entry.name
    same = never(word)
    for granule in GRANULES:
        for level in LEVELS:
            shape = (entry.granule == granule.hint) & (entry.level == level)
            inside = (differs & va_above(granule.size(level))) == 0
            if hardware.granule_by_context:
                exact = (((word & ~ignored_va(context, word)) ^ entry.name) & VA) == 0
                inside = exact | (inside & has_granule(context, word, granule))
            same = same | (shape & inside)
    if hardware.top_byte_by_context:
        upper = upper_half(word)
        canonical = (entry.top == 0) & (upper == 0) | (entry.top == 0xFF) & (upper == 1)
        same = same & (canonical | ((ignores_top_byte(context, word) & 1) == 1))
    return same


def hint_allows(word: Word, entry: Entry) -> Truth:
    """Whether the TTL hint, if it is one, leaves the entry to be removed."""
    hint = word & TTL
    allowed: Truth = hint == 0
    valid: Truth = hint == 0
    for granule in GRANULES:
        for level in (*granule.block_levels, 3):
            given = hint == (granule.hint << 2 | level) << 44
            leaf = (entry.table == 0) & (entry.level == level)
            above = (entry.table == 1) & (entry.level < level)
            allowed = allowed | (given & (entry.granule == granule.hint) & (leaf | above))
            valid = valid | given
    return allowed | (valid == False)  # noqa: E712 - a formula has no `not`


# --------------------------------------------------------------------------------------------------------------- emulation


class Emulation(enum.Enum):
    """How a trapped TLBI is emulated: the operation that is executed instead, and in which context."""

    RAW = "the raw operand; the guest's VMID, the host's TCR_EL1 (the RFC of 2016)"
    SANITISED = "the operand reduced to its meaning; the guest's VMID, the host's TCR_EL1"
    NESTED = "the raw operand; the guest's VMID and TCR_EL1 (today's code for nested guests)"
    EXACT = "the operand reduced to its meaning; the guest's VMID and TCR_EL1"
    CAUTIOUS = "as sanitised if host and guest agree on granules, TBI and AS; else VMALLE1"
    NUKE = "VMALLE1 for everything"


TCR_MATTERS = 3 << 14 | 3 << 30 | 1 << 36 | 3 << 37
"""TG0, TG1, AS, TBI0 and TBI1 of TCR_EL1."""


def emulated(
    emulation: Emulation, op: Op, word: Word, guest: Context, host: Context, hardware: Hardware, entry: Entry
) -> Truth:
    """Whether the emulation of the guest's operation removes the entry for certain."""
    mixed = Context(host.tcr, guest.vttbr)
    match emulation:
        case Emulation.RAW:
            return removes(op, word, mixed, hardware, entry)
        case Emulation.SANITISED:
            return removes(op, sanitised(op, word, guest), mixed, hardware, entry)
        case Emulation.NESTED:
            return removes(op, word, guest, hardware, entry)
        case Emulation.EXACT:
            return removes(op, sanitised(op, word, guest), guest, hardware, entry)
        case Emulation.CAUTIOUS:
            agree = ((guest.tcr ^ host.tcr) & TCR_MATTERS) == 0
            everything = removes(Op.VMALLE1, word, mixed, hardware, entry)
            return everything & ((agree == False) | removes(op, sanitised(op, word, guest), mixed, hardware, entry))  # noqa: E712
        case Emulation.NUKE:
            return removes(Op.VMALLE1, word, mixed, hardware, entry)


def required(op: Op, word: Word, guest: Context, ttl: bool, entry: Entry) -> Truth:
    """Whether the architecture demands, of a guest with or without FEAT_TTL, that its operation removes the entry."""
    own = Hardware(ttl=ttl, granule_by_context=False, top_byte_by_context=False)
    return removes(op, word, guest, own, entry)


# ---------------------------------------------------------------------------------------------------------------- counting


def names(op: Op, granule: Granule, level: int, wide: bool) -> int:
    """How many (ASID, 4K page) names one operation concerns, its address being in a range of this granule and level; a power
    of two, since each bit of ASID and VA either takes part in the match or does not."""
    asids = 1 if op.by_asid else 1 << (16 if wide else 8)
    pages = 1 << granule.size(level) - 12 if op.by_va else 1 << 44
    return asids * pages


def superfluous(emulation: Emulation, op: Op, granule: Granule, level: int, wide: bool) -> int | None:
    """How many names the emulation removes beyond those of the operation, at most; None if that depends on the host's TCR_EL1."""
    match emulation:
        case Emulation.NESTED | Emulation.EXACT:
            return 0
        case Emulation.NUKE | Emulation.CAUTIOUS:
            return names(Op.VMALLE1, granule, level, wide) - names(op, granule, level, wide)
        case Emulation.RAW | Emulation.SANITISED:
            return 0 if op is Op.VMALLE1 else None
