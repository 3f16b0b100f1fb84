"""Codes as literals: an element of a scalarset too, which a model cannot name, but a finite reading can."""

from __future__ import annotations

from flushproof.model.ir import FALSE, TRUE, BoolSort, EnumSort, IntSort, Lit, OptionSort, Sort


def literal(sort: Sort, code: int) -> Lit:
    """The value with this code, also of a scalarset, whose elements have no literals otherwise."""
    match sort:
        case BoolSort():
            return TRUE if code else FALSE
        case EnumSort():
            return Lit(sort.members[code], sort)
        case IntSort():
            return Lit(sort.lo + code, sort)
        case OptionSort():
            return Lit(None if code == 0 else literal(sort.base, code - 1).value, sort)
        case _:
            return Lit(code, sort)
