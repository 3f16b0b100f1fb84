"""Symbolic execution of arithmetic: on two numbers of the state case by case, as Python calculates each."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from flushproof.model import ir
from flushproof.model.ir import terms

from . import core
from .atoms import Atoms
from .conversions import items_of, number
from .core import Atom
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

FUNCTIONS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


class Arithmetic(Atoms):
    """Executes unary and binary operations."""

    def unary(self, operation: core.Unary, node: ast.AST, path: Path, at: Scope) -> Value:
        operand = operation.operand
        match operation.operator:
            case ast.Not():
                return terms.not_(self.truth(self.ev(operand, path, at), operand.node, at))
            case ast.Invert():
                at.source.fail(node, "the language has no ~", f"Write `not {at.source.text(operand.node)}`.")
        value = self.ev(operand, path, at)
        negated = isinstance(operation.operator, ast.USub)
        if isinstance(value, Static) and is_number(value.value):
            return Static(-value.value if negated else value.value)
        term = self.number(value, operand, path, at)
        return self.calculated(operator.sub, number(0), term, node, path, at) if negated else term

    def binary(self, operation: core.Binary, node: ast.AST, path: Path, at: Scope) -> Value:
        left, right = self.ev(operation.left, path, at), self.ev(operation.right, path, at)
        function = FUNCTIONS.get(type(operation.operator))
        if function is not None and are_constants(left, right):
            try:
                return Static(function(left.value, right.value))  # type: ignore[union-attr]
            except ZeroDivisionError:
                at.source.fail(node, "this divides by zero")
        first, second = items_of(left), items_of(right)
        if isinstance(operation.operator, ast.Add) and first is not None and second is not None:
            return Tup((*first, *second))
        if isinstance(operation.operator, (ast.BitAnd, ast.BitOr, ast.BitXor)):
            return self.of_truths(operation, left, right, node, at)
        if function is None:
            at.source.fail(node, "numbers are combined by + - * // and % only", "Keep what else you need as state.")
        one = self.number(left, operation.left, path, at)
        other = self.number(right, operation.right, path, at)
        return self.calculated(function, one, other, node, path, at)

    def calculated(
        self, function: Callable[[int, int], int], one: ir.Expr, other: ir.Expr, node: ast.AST, path: Path, at: Scope
    ) -> ir.Expr:
        """The number that a function makes of two."""
        if function in (operator.add, operator.sub) and isinstance(other, ir.Lit):
            assert isinstance(other.value, int)
            return terms.plus(one, other.value if function is operator.add else -other.value)
        if function is operator.add and isinstance(one, ir.Lit):
            assert isinstance(one.value, int)
            return terms.plus(other, one.value)
        return self.tabulated(function, one, other, node, path, at)

    def number(self, value: Value, atom: Atom, path: Path, at: Scope) -> ir.Expr:
        """A whole number; of an option, its element."""
        term = self.expr(value, atom.node, at)
        if isinstance(term.sort, ir.OptionSort) and isinstance(term.sort.base, ir.IntSort):
            term = self.expr(term, atom.node, at, term.sort.base, path)
        if isinstance(term.sort, ir.CounterSort):
            hint = f"Write fresh({term.sort.name})."
            at.source.fail(atom.node, "a counter is advanced by fresh(), not by adding", hint)
        if not isinstance(term.sort, ir.IntSort):
            hint = "Write `1 if ... else 0`." if term.sort == ir.BOOL else "Keep the number that you need in a map of its own."
            at.source.fail(atom.node, f"{articled(term.sort.name)} is no number to calculate with", hint)
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
        if function in (operator.floordiv, operator.mod) and 0 in columns:
            nonzero = terms.not_(self.is_number(other, 0))
            self.owe(path, nonzero, f"{at.source.text(node)} divides by zero", node, at)
        cases = {
            (a, b): function(a, b)
            for a in rows
            for b in columns
            if b or function not in (operator.floordiv, operator.mod)
        }
        if not cases:
            at.source.fail(node, "this divides by zero")
        hull = ir.IntSort(min(cases.values()), max(cases.values()))
        table: ir.Expr = ir.Lit(hull.lo, hull)
        for (a, b), value in cases.items():
            here = terms.and_(self.is_number(one, a), self.is_number(other, b))
            table = terms.ite(here, ir.Lit(value, hull), table)
        return table

    def is_number(self, term: ir.Expr, value: int) -> ir.Expr:
        assert isinstance(term.sort, ir.IntSort)
        return terms.eq(term, ir.Lit(value, term.sort))

    def of_truths(self, operation: core.Binary, left: Value, right: Value, node: ast.AST, at: Scope) -> Value:
        """``a & b``, ``a | b`` and ``a ^ b`` of truth values."""
        first, second = (self.expr(v, a.node, at) for v, a in ((left, operation.left), (right, operation.right)))
        if not first.sort == second.sort == ir.BOOL:
            at.source.fail(node, "&, | and ^ combine truth values only", "Numbers are combined by + - * // and %.")
        match operation.operator:
            case ast.BitAnd():
                return terms.and_(first, second)
            case ast.BitOr():
                return terms.or_(first, second)
        return terms.not_(terms.eq(first, second))


def are_constants(*values: Value) -> bool:
    return all(isinstance(v, Static) and is_number(v.value) for v in values)
