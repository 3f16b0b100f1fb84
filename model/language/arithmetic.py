"""Symbolic execution of arithmetic: sums of numbers of the state, everything else case by case as Python calculates each."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from flushproof.model import ir
from flushproof.model.ir import terms

from . import core
from .atoms import Atoms
from .conversions import items_of
from .values import (
    Path,
    Scope,
    Static,
    Tup,
    Value,
    articled,
    is_number,
)

MOST_CASES = 1024
"""Arithmetic on two numbers of the state goes case by case, through so many at the most."""

MOST_BITS = 1024
"""Constants may have so many bits at the most."""

FUNCTIONS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
}

DIVISIONS, SHIFTS = (operator.floordiv, operator.mod), (operator.lshift, operator.rshift)


class Arithmetic(Atoms):
    """Executes unary and binary operations."""

    def unary(self, operation: core.Unary, node: ast.AST, path: Path, at: Scope) -> Value:
        operand = operation.operand
        value = self.ev(operand, path, at)
        if isinstance(operation.operator, ast.Not):
            return terms.not_(self.truth(value, operand.node, at))
        if isinstance(value, Static) and is_number(value.value):
            return Static(UNARY[type(operation.operator)](value.value))
        if isinstance(operation.operator, ast.Invert) and self.sort_of(value) == ir.BOOL:
            at.source.fail(node, "the language has no ~ of truth values", f"Write `not {at.source.text(operand.node)}`.")
        term = self.number(value, operand.node, path, at)
        match operation.operator:
            case ast.USub():
                return terms.negated(term)
            case ast.Invert():
                return terms.plus(terms.negated(term), -1)
        return term

    def binary(self, operation: core.Binary, node: ast.AST, path: Path, at: Scope) -> Value:
        left, right = self.ev(operation.left, path, at), self.ev(operation.right, path, at)
        function = FUNCTIONS.get(type(operation.operator))
        if function is not None and are_constants(left, right):
            assert isinstance(left, Static) and isinstance(right, Static)
            self.refuse_huge(function, left.value, right.value, node, at)
            try:
                return Static(function(left.value, right.value))
            except ZeroDivisionError:
                at.source.fail(node, "this divides by zero")
            except (ValueError, OverflowError) as error:
                at.source.fail(node, f"this cannot be calculated: {error}")
        first, second = items_of(left), items_of(right)
        if isinstance(operation.operator, ast.Add) and first is not None and second is not None:
            return Tup((*first, *second))
        if isinstance(operation.operator, ast.Mult):
            for parts, times in ((first, right), (second, left)):
                if parts is not None and items_of(times) is None:
                    return self.repeated(parts, times, node, at)
        if isinstance(operation.operator, (ast.BitAnd, ast.BitOr, ast.BitXor)) and ir.BOOL in map(
            self.sort_of, (left, right)
        ):
            return self.of_truths(operation, left, right, node, at)
        if function is None:
            hint = "Keep what else you need as state."
            at.source.fail(node, "numbers are combined by + - * // % & | ^ << and >> only", hint)
        moved = self.moved(operation, left, right, node, path, at)
        if moved is not None:
            return moved
        one = self.number(left, operation.left.node, path, at)
        other = self.number(right, operation.right.node, path, at)
        match operation.operator:
            case ast.Add():
                return terms.plus(one, other)
            case ast.Sub():
                return terms.plus(one, terms.negated(other))
        return self.tabulated(function, one, other, node, path, at)

    def repeated(self, parts: tuple[Value, ...], times: Value, node: ast.AST, at: Scope) -> Value:
        """``(None,) * 3``."""
        if not are_constants(times):
            at.source.fail(node, "how often a tuple is repeated is a constant", f"It has {len(parts)} parts.")
        assert isinstance(times, Static)
        if len(parts) * times.value > MOST_CASES:
            at.source.fail(node, f"a tuple has {MOST_CASES:,} parts at the most")
        return Tup(parts * times.value)

    def refuse_huge(self, function: Callable[[Any, Any], Any], left: int, right: int, node: ast.AST, at: Scope) -> None:
        """See to it that a constant has no more bits than there is room and time for."""
        more = {operator.lshift: right, operator.mul: right.bit_length()}.get(function, 0)
        if left and more + left.bit_length() > MOST_BITS:
            at.source.fail(node, f"this number has more than {MOST_BITS:,} bits", "A state holds numbers of some 32 bits.")

    # -------------------------------------------------------------------------------------------------- ordered elements

    def moved(
        self, operation: core.Binary, left: Value, right: Value, node: ast.AST, path: Path, at: Scope
    ) -> ir.Expr | None:
        """``level + 1`` and ``level - 1``: the element so many after one of an ordered sort; None where it is none."""
        sort = self.sort_of(left)
        base = sort.base if isinstance(sort, ir.OptionSort) else sort
        if not (isinstance(base, ir.Scalarset) and base.ordered and isinstance(left, ir.Node)):
            return None
        if not isinstance(operation.operator, (ast.Add, ast.Sub)) or not are_constants(right):
            hint = f"Write {at.source.text(operation.left.node)} + 1, or next(...): how far must be a constant."
            at.source.fail(node, f"{articled(base.name)} is no number to calculate with", hint)
        assert isinstance(right, Static)
        hint = f"Write it on the ways on which it is {articled(base.name)}."
        self.refuse_plain(left, "Python adds to a number otherwise than to an element", operation.left.node, at, hint)
        distance = right.value if isinstance(operation.operator, ast.Add) else -right.value
        term = self.expr(left, operation.left.node, at, base, path)
        inside, found = self.following(term, distance)
        self.owe(path, inside, f"{base.name} has no {at.source.text(node)}", node, at)
        return found

    def following(self, term: ir.Expr, distance: int) -> tuple[ir.Expr, ir.Expr]:
        """Whether there is an element so many after this one of an ordered sort or an enumeration, and which."""
        sort = term.sort
        assert isinstance(sort, (ir.Scalarset, ir.EnumSort))
        values = self.values(sort)
        pairs = list(zip(values[max(-distance, 0) :], values[max(distance, 0) :], strict=False))
        inside = [terms.eq(term, a) for a, _ in pairs]
        found: ir.Expr = values[0]
        for here, (_, b) in zip(inside, pairs, strict=True):
            found = terms.ite(here, b, found)
        return terms.or_(*inside), found

    def values(self, sort: ir.Sort) -> list[ir.Lit]:
        """All values of a sort, at these sizes."""
        return [terms.literal(sort, code) for code in range(self.declared.cardinality(sort))]

    # ----------------------------------------------------------------------------------------------------------- numbers

    def number(self, value: Value, node: ast.AST, path: Path, at: Scope) -> ir.Expr:
        """A whole number; of an option, its element."""
        term = self.expr(value, node, at)
        if isinstance(term.sort, ir.OptionSort) and isinstance(term.sort.base, ir.IntSort):
            term = self.expr(term, node, at, term.sort.base, path)
        if isinstance(term.sort, ir.CounterSort):
            hint = f"Write fresh({term.sort.name})."
            at.source.fail(node, "a counter is advanced by fresh(), not by adding", hint)
        if not isinstance(term.sort, ir.IntSort):
            hint = "Write `1 if ... else 0`." if term.sort == ir.BOOL else "Keep the number that you need in a map of its own."
            at.source.fail(node, f"{articled(term.sort.name)} is no number to calculate with", hint)
        return term

    def tabulated(
        self, function: Callable[[int, int], int], one: ir.Expr, other: ir.Expr, node: ast.AST, path: Path, at: Scope
    ) -> ir.Expr:
        """What Python makes of two numbers, case by case: both have few values."""
        assert isinstance(one.sort, ir.IntSort) and isinstance(other.sort, ir.IntSort)
        rows = range(one.sort.lo, one.sort.hi + 1)
        columns = range(other.sort.lo, other.sort.hi + 1)
        if len(rows) * len(columns) > MOST_CASES:
            at.source.fail(
                node,
                f"{len(rows):,} values and {len(columns):,} values are more than {MOST_CASES:,} cases together",
                "Give the numbers smaller ranges.",
            )
        wrong = [b for b in columns if (function in DIVISIONS and b == 0) or (function in SHIFTS and b < 0)]
        what = "divides by zero" if function in DIVISIONS else "shifts by less than 0"
        if len(wrong) == len(columns):
            at.source.fail(node, f"this {what}")
        if wrong:
            right = terms.and_(*(terms.not_(self.is_number(other, b)) for b in wrong))
            self.owe(path, right, f"{at.source.text(node)} {what}", node, at)
        cases: dict[int, list[ir.Expr]] = {}
        for a in rows:
            for b in columns:
                if b not in wrong:
                    here = terms.and_(self.is_number(one, a), self.is_number(other, b))
                    cases.setdefault(function(a, b), []).append(here)
        hull = ir.IntSort(min(cases), max(cases))
        table: ir.Expr = ir.Lit(hull.lo, hull)
        for value, conds in cases.items():
            table = terms.ite(terms.or_(*conds), ir.Lit(value, hull), table)
        return table

    def is_number(self, term: ir.Expr, value: int) -> ir.Expr:
        assert isinstance(term.sort, ir.IntSort)
        return terms.eq(term, ir.Lit(value, term.sort))

    def of_truths(self, operation: core.Binary, left: Value, right: Value, node: ast.AST, at: Scope) -> Value:
        """``a & b``, ``a | b`` and ``a ^ b`` of truth values."""
        first, second = (self.expr(v, a.node, at) for v, a in ((left, operation.left), (right, operation.right)))
        if not first.sort == second.sort == ir.BOOL:
            hint = "Write `1 if ... else 0`."
            at.source.fail(node, "&, | and ^ combine truth values, or numbers, and not one with the other", hint)
        match operation.operator:
            case ast.BitAnd():
                return terms.and_(first, second)
            case ast.BitOr():
                return terms.or_(first, second)
        return terms.not_(terms.eq(first, second))


UNARY: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
}


def are_constants(*values: Value) -> bool:
    return all(isinstance(v, Static) and is_number(v.value) for v in values)
