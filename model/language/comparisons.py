"""Symbolic execution of comparisons: like with like, `is` of what exists once, `<` of what has an order."""

from __future__ import annotations

import ast
import builtins
import enum
import inspect
from collections import Counter
from collections.abc import Mapping
from typing import Any

from flushproof.model import ir
from flushproof.model.ir import terms

from . import core, declare
from .arithmetic import Arithmetic
from .conversions import are_numbers, few, items_of
from .scopes import assigned, gone_through, statements
from .values import (
    MapRef,
    Object,
    Once,
    Path,
    Scope,
    Static,
    Value,
    is_none,
    is_number,
    is_token,
    sort_in,
)

CONTAINERS = (set, frozenset, list, range, Mapping)
"""Constants of the user's in which something may be, besides tuples."""


class Comparisons(Arithmetic):
    """Executes comparisons of two values."""

    def compare(self, op: ast.cmpop, left: Value, right: Value, node: ast.AST, path: Path, at: Scope) -> ir.Expr:
        match op:
            case ast.Eq():
                return self.equal(left, right, node, path, at)
            case ast.NotEq():
                return terms.not_(self.equal(left, right, node, path, at))
            case ast.Is():
                return self.identical(left, right, node, path, at)
            case ast.IsNot():
                return terms.not_(self.identical(left, right, node, path, at))
            case ast.In() | ast.NotIn():
                found = self.among(left, right, node, path, at)
                return found if isinstance(op, ast.In) else terms.not_(found)
        first, second = self.comparable(left, right, node, path, at)
        match op:
            case ast.Lt():
                return terms.less(first, second)
            case ast.Gt():
                return terms.less(second, first)
            case ast.LtE():
                return terms.not_(terms.less(second, first))
            case ast.GtE():
                return terms.not_(terms.less(first, second))
        raise AssertionError(op)

    def among(self, left: Value, right: Value, node: ast.AST, path: Path, at: Scope) -> ir.Expr:
        """``in``: equal to one of a fixed group of values."""
        items = items_of(right)
        if items is None and isinstance(right, Static) and isinstance(right.value, CONTAINERS):
            sort = self.sort_of(left)
            if isinstance(right.value, range) and sort is not None and are_numbers(sort_in(sort)):
                return self.in_range(left, right.value, node, at)
            items = tuple(map(Static, few(right.value, node, at)))
        if items is not None:
            return terms.or_(*(self.equal(left, item, node, path, at) for item in items))
        hint = "Write `x in (a, b)`, or read a Map[..., bool]."
        if isinstance(right, MapRef) and isinstance(node, ast.Compare) and len(node.ops) == 1:
            owner, index = at.source.text(node.comparators[-1]), at.source.text(node.left)
            at.source.fail(node, f"'{right.variable.name}' has a value for every index", f"Write {owner}[{index}].")
        if isinstance(right, Static) and isinstance(right.value, type):
            at.source.fail(node, f"`in` asks nothing of {right.value.__name__}: sorts are known when compiling", hint)
        at.source.fail(node, "`in` needs a tuple of values", hint)

    def in_range(self, left: Value, numbers: range, node: ast.AST, at: Scope) -> ir.Expr:
        """Whether a number, or the number of an option, is one of a range."""
        rising = numbers if numbers.step > 0 else numbers[::-1]
        value = self.expr(left, node, at)
        term = value
        if isinstance(value.sort, ir.OptionSort):
            few(numbers, node, at)  # Python looks for a None among all of them
            term = terms.the(value)
        mine = term.sort
        assert isinstance(mine, ir.IntSort)
        if rising.step != 1:
            found = terms.or_(*(terms.eq(term, ir.Lit(n, mine)) for n in few(rising, node, at) if mine.lo <= n <= mine.hi))
        elif not rising or rising[0] > mine.hi or rising[-1] < mine.lo:
            found = ir.FALSE
        else:
            above = ir.TRUE if rising[0] <= mine.lo else terms.not_(terms.less(term, ir.Lit(rising[0], mine)))
            below = ir.TRUE if rising[-1] >= mine.hi else terms.not_(terms.less(ir.Lit(rising[-1], mine), term))
            found = terms.and_(above, below)
        return found if term is value else terms.and_(terms.not_(terms.is_none(value)), found)

    def comparable(self, left: Value, right: Value, node: ast.AST, path: Path, at: Scope) -> tuple[ir.Expr, ir.Expr]:
        """Both values as terms of one sort that has an order; of an option, its element."""
        if any(items_of(v) is not None for v in (left, right)):
            at.source.fail(node, "tuples have no order here", "Compare their parts, one after another.")
        if isinstance(left, Static) and isinstance(right, Static):
            for constant in (left.value, right.value):
                if not (is_number(constant) or isinstance(constant, enum.Enum)):
                    at.source.fail(node, f"{constant!r} has no order")
        values = [self.element(v, node, path, at) for v in (left, right)]
        if isinstance(left, Static) and isinstance(right, Static):
            pair = self.joined(left, right)
            if pair is None:
                at.source.fail(node, f"{left.value!r} and {right.value!r} cannot be compared")
        else:
            pair = self.unify(values[0], values[1], node, at, path)
        self.ordered(pair[0].sort, node, at)
        return pair

    def element(self, value: Value, node: ast.AST, path: Path, at: Scope) -> Value:
        """The element of an option that is compared by order."""
        if isinstance(value, ir.Node) and isinstance(value.sort, ir.OptionSort):
            present = terms.not_(terms.is_none(value))
            self.owe(path, present, "None is compared with `<`, and has no order", node, at)
            return terms.the(value)
        return value

    def ordered(self, sort: ir.Sort, node: ast.AST, at: Scope) -> None:
        match sort:
            case ir.IntSort() | ir.CounterSort():
                return
            case ir.EnumSort():
                self.ordered_enumeration(sort, node, at)
                return
            case ir.Scalarset() if sort.ordered:
                return
            case ir.BoolSort():
                at.source.fail(node, "truth values have no order", "Combine them with `and`, `or` and `not`.")
        at.source.fail(
            node,
            f"the elements of {sort.name} have no order",
            f"Declare `class {sort.name}(Sort, ordered=True)` if they do; they are then no longer interchangeable.",
        )

    def ordered_enumeration(self, sort: ir.EnumSort, node: ast.AST, at: Scope) -> None:
        """See to it that Python orders the members as they are listed."""
        cls = self.declared.enumerations[sort.name]
        own = next((c for c in cls.__mro__ if "__lt__" in vars(c)), object)
        below = cls.__mro__[: cls.__mro__.index(own)]
        if any(n in vars(c) for c in below for n in ("__le__", "__gt__", "__ge__")):
            own = cls
        if own is declare.OrderedEnum:
            return
        if own is int and [m.value for m in cls] == sorted(m.value for m in cls):
            return
        if own is int:
            hint = "List the members from the smallest value to the largest."
            at.source.fail(node, f"the members of {sort.name} are not listed in the order of their values", hint)
        if own is object:
            hint = f"Write `class {sort.name}(OrderedEnum)` if they are ordered as they are listed."
            at.source.fail(node, f"the members of {sort.name} have no order", hint)
        hint = f"Use OrderedEnum, and list the members of {sort.name} in their order."
        at.source.fail(node, f"{sort.name} has an order of its own, which is not read", hint)

    def identical(self, left: Value, right: Value, node: ast.AST, path: Path, at: Scope) -> ir.Expr:
        """``is``: of elements, members, None and truth values, which exist once."""
        if isinstance(left, Static) and isinstance(right, Static):
            return terms.lit(left.value is right.value)
        if any(isinstance(v, Static) and is_token(v.value) for v in (left, right)) and comes_from_elsewhere(node, path, at):
            return ir.FALSE
        if self.none_in(left, right):
            return self.equal(left, right, node, path, at)
        sides = (node.left, *node.comparators) if isinstance(node, ast.Compare) and len(node.ops) == 1 else (node, node)
        for value, side in zip((left, right), sides, strict=True):
            self.refuse_plain(value, "`is` asks whether two are one object", side, at, "Write == or !=.")
            sort = self.sort_of(value)
            if sort is not None and isinstance(sort_in(sort), (ir.IntSort, ir.CounterSort)):
                at.source.fail(node, "`is` asks whether two numbers are one object", "Write == or !=.")
            if items_of(value) is not None:
                at.source.fail(node, "`is` asks whether two tuples are one object", "Write == or !=.")
        return self.equal(left, right, node, path, at)

    def none_in(self, *values: Value) -> bool:
        return any(map(is_none, values))

    def equal(self, left: Value, right: Value, node: ast.AST, path: Path, at: Scope) -> ir.Expr:
        first, second = items_of(left), items_of(right)
        if first is not None and second is not None:
            if len(first) != len(second):
                at.source.fail(node, f"a tuple of {len(first)} is never a tuple of {len(second)}")
            pairs = zip(first, second, strict=True)
            return terms.and_(*(self.equal(a, b, node, path, at) for a, b in pairs))
        if isinstance(left, Static) and isinstance(right, Static):
            return self.equal_constants(left.value, right.value, node, at)
        for parts, other in ((first, right), (second, left)):
            if parts is not None:
                if self.none_in(other):
                    return ir.FALSE
                hint = "Write tuple(...) around what is gone through once." if isinstance(other, Once) else ""
                at.source.fail(node, "a tuple is compared with a tuple only", hint)
        for value in (left, right):
            if not isinstance(value, (ir.Node, Static)):
                if self.none_in(left, right):
                    return ir.FALSE
                if isinstance(left, Object) and isinstance(right, Object):
                    return terms.lit(left.path == right.path)
                self.expr(value, node, at)
                at.source.fail(node, f"{at.source.text(node)} compares what is no value")
        options = any(isinstance(v, ir.Node) and isinstance(v.sort, ir.OptionSort) for v in (left, right))
        if not options and self.none_in(left, right) and (not asks_for_none(node) or comes_from_elsewhere(node, path, at)):
            return ir.FALSE
        one, other = self.unify(left, right, node, at, path)
        if isinstance(one.sort, ir.IntSort) and one.sort != other.sort:
            return terms.and_(terms.not_(terms.less(one, other)), terms.not_(terms.less(other, one)))
        return terms.eq(one, other)

    def equal_constants(self, left: Any, right: Any, node: ast.AST, at: Scope) -> ir.Expr:
        """As Python compares them, where they are of one kind."""
        if left is not None and right is not None:
            kinds = [self.kind_of(v) for v in (left, right)]
            if kinds[0] is not kinds[1]:
                at.source.fail(
                    node,
                    f"{left!r} and {right!r} are of different kinds, and never meant to be equal",
                    "Compare like with like.",
                )
        try:
            return terms.lit(bool(left == right))
        except Exception as error:  # it is the user's own code
            at.source.fail(node, f"comparing {type(left).__name__} raises {type(error).__name__}: {error}")

    def kind_of(self, value: Any) -> Any:
        return type if isinstance(value, type) else type(value)


def asks_for_none(node: ast.AST) -> bool:
    """Whether None itself is named, and not a variable that may be it."""
    return not isinstance(node, ast.Compare) or any(isinstance(n, ast.Constant) and n.value is None for n in ast.walk(node))


def comes_from_elsewhere(node: ast.AST, path: Path, at: Scope) -> bool:
    """Whether asking for None or a token is no slip where there is none: another way, call, round or assignment may give one."""
    if not isinstance(node, ast.Compare):
        return False
    asked = [x.target if isinstance(x, ast.NamedExpr) else x for x in (node.left, *node.comparators)]
    names = {x.id for x in asked if isinstance(x, ast.Name)}
    scope: Scope | None = at
    while scope is not None:
        function = scope.function
        given = [local for local, _ in function.parameters] if scope.caller is not None else []
        again = [local for local, times in Counter(assigned(function.body)).items() if times > 1]
        rounds = [local for local in function.locals.values() if local.shown in gone_through(function.body)]
        if any(x.shown in names and path.env.get((scope, x)) not in path.binders for x in (*given, *again, *rounds)):
            return True
        for s in statements(function.body):
            is_asked = any(x.shown in names for x in assigned((s,))) or any(s.node is x for x in asked)
            if is_asked and made_elsewhere(s, path, scope):
                return True
        scope = scope.outer
    return False


def made_elsewhere(s: core.Statement, path: Path, at: Scope) -> bool:
    """Whether a value is what a helper returns or a tuple holds: under another policy or in a class below it may be None."""
    match s:
        case core.Delegate() | core.Unpack() | core.Set(_, core.Use(core.Atom(core.Local(temporary=True)))):
            return True
        case core.Set(_, core.Call(core.Atom(core.Constant(word)))):
            return getattr(word, "__module__", "") not in (declare.__name__, builtins.__name__)
        case core.Set(_, core.Call()):
            return True
        case core.Set(_, core.Subscript(core.Atom(core.Local() as owner))):
            return items_of(path.env.get((at, owner), Static(None))) is not None
        case core.Set(_, core.Attribute(core.Atom(core.Local() as owner), name)):
            held = path.env.get((at, owner))
            return isinstance(held, Object) and isinstance(inspect.getattr_static(held.python, name, None), property)
    return False
