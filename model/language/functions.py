"""Those of Python's functions that the language has: all, any, len, range, zip, min, ..."""

from __future__ import annotations

import ast
import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flushproof.model import ir
from flushproof.model.ir import terms

from . import declare
from .conversions import few, items_of, number
from .statements import Executor
from .values import Generated, MapRef, Once, Path, Product, Scope, Static, Tup, Value, articled, is_number
from .wording import of_a_sort


@dataclass(frozen=True)
class Given:
    """An argument: its value, and the text that it stands for."""

    value: Value
    node: ast.AST


class Functions(Executor):
    """Executes calls of Python's functions."""

    def quantifier(self, kind: str, args: list[Given], node: ast.AST, path: Path, at: Scope) -> Value:
        if len(args) == 1:
            value = args[0].value
            if isinstance(value, Generated):
                return self.quantified(value, kind, node, path, at)
            items = value.items if isinstance(value, Once) else items_of(value)
            if items is not None:
                junction = terms.and_ if kind == "all" else terms.or_
                return junction(*(self.truth(i, args[0].node, at) for i in items))
        at.source.fail(node, f"{kind}() takes a generator", f"Write {kind}(... for x in Sort).")

    def length(self, args: list[Given], node: ast.AST, path: Path, at: Scope) -> Value:
        value = args[0].value if len(args) == 1 else None
        items = items_of(value) if value is not None else None
        if items is None and value is not None:
            items = members_of(value)
        if items is not None:
            return Static(len(items))
        if isinstance(value, Static) and isinstance(value.value, (str, range)):
            return Static(len(value.value) if isinstance(value.value, str) else len(few(value.value, node, at)))
        if isinstance(value, MapRef):
            hint = "Count its elements: count(self.on[c] for c in Cpu)."
            at.source.fail(node, "a map has no length", hint)
        at.source.fail(node, "a sort has no length", "Write size(Cpu): how many elements there are.")

    def tuple_of(self, args: list[Given], node: ast.AST, path: Path, at: Scope) -> Value:
        return Tup(tuple(v for a in args for v in self.several(a, "tuple", node, path, at)))

    def several(self, given: Given, what: str, node: ast.AST, path: Path, at: Scope) -> tuple[Value, ...]:
        """The values of what has a fixed number of them."""
        if isinstance(given.value, Generated):
            return self.collected(given.value, what, node, path, at)
        if (members := members_of(given.value)) is not None:
            return members
        iterated = self.iterated(given.value, given.node, at)
        if isinstance(iterated, Product):
            at.source.fail(node, *of_a_sort(what))
        return iterated

    def zipped(self, args: list[Given], node: ast.AST, path: Path, at: Scope) -> Value:
        return Once(tuple(map(Tup, zip(*(self.several(a, "zip", node, path, at) for a in args), strict=False))))

    def enumerated(self, args: list[Given], node: ast.AST, path: Path, at: Scope) -> Value:
        first = args[1].value.value if len(args) == 2 and isinstance(args[1].value, Static) else 0
        if not is_number(first):
            at.source.fail(node, "enumerate() counts from a constant")
        items = self.several(args[0], "enumerate", node, path, at) if args else ()
        return Once(tuple(Tup((Static(i), v)) for i, v in enumerate(items, first)))

    def reverse(self, args: list[Given], node: ast.AST, path: Path, at: Scope) -> Value:
        return Once(tuple(reversed(self.several(args[0], "reversed", node, path, at)))) if args else Once(())

    def ranged(self, args: list[Given], node: ast.AST, path: Path, at: Scope) -> Value:
        values: list[Any] = [a.value.value if isinstance(a.value, Static) else None for a in args]
        if not values or not all(map(is_number, values)) or (len(values) == 3 and values[2] == 0):
            at.source.fail(node, "range() takes constants", "Loop over a Sort, or over range(3).")
        return Static(range(*values))

    def bounds(self, args: list[Given], node: ast.AST, path: Path, at: Scope) -> Value:
        """``Range(0, 3)``, within an annotation."""
        values = [a.value.value if isinstance(a.value, Static) else None for a in args]
        if len(values) != 2 or not all(is_number(v) or isinstance(v, declare.Size) for v in values):
            at.source.fail(node, "Range() takes two whole numbers", "Write Range(0, 3), or Range(0, size(Cpu)).")
        return Static(declare.Range(values[0], values[1]))  # type: ignore[arg-type]

    def added(self, args: list[Given], node: ast.AST, path: Path, at: Scope) -> Value:
        """``sum(... for c in Cpu if ...)``; of truth values, as in Python, how many are true."""
        if not args:
            at.source.fail(node, "sum() takes numbers", "Write sum((a, b)).")
        found = [self.number(a.value, a.node, path, at) for a in args[1:]]
        for cond, value in self.emitted(args[0], "sum", node, path, at):
            if self.sort_of(value) == ir.BOOL:
                term = as_number(terms.and_(cond, self.truth(value, args[0].node, at)))
            else:
                term = self.number(value, args[0].node, path.fork(cond), at)
                term = terms.ite(cond, *self.or_zero(term, cond))
            found.append(term)
        return known(terms.plus(*found))

    def or_zero(self, term: ir.Expr, cond: ir.Expr) -> tuple[ir.Expr, ir.Expr]:
        """A number, and 0 where the condition does not hold, in one sort."""
        pair = (term, term) if cond is ir.TRUE else self.joined(term, Static(0))
        assert pair is not None
        return pair

    def extreme(self, name: str, args: list[Given], node: ast.AST, path: Path, at: Scope) -> Value:
        """``min`` and ``max`` of values that have an order: the first one, if several are."""
        values: list[Value] = [a.value for a in args]
        if len(args) == 1:
            emitted = self.emitted(args[0], name, node, path, at)
            if any(cond is not ir.TRUE for cond, _ in emitted):
                hint = f"Give each element a number: {name}(... if ... else 0 for c in Cpu)."
                at.source.fail(node, f"{name}() of what may be nothing at all", hint)
            values = [value for _, value in emitted]
        if not values:
            at.source.fail(node, f"{name}() takes at least one value", f"Write {name}(a, b).")
        best, *others = [self.element(v, node, path, at) for v in values]
        for other in others:
            less, than = (other, best) if name == "min" else (best, other)
            better = self.compare(ast.Lt(), less, than, node, path, at)
            best = self.choice(better, other, best) if not isinstance(better, ir.Lit) else (other if better.value else best)
        return best

    def emitted(self, given: Given, what: str, node: ast.AST, path: Path, at: Scope) -> list[tuple[ir.Expr, Value]]:
        """What a generator expression or a fixed group of values gives: each value, and when it is among them."""
        if isinstance(given.value, Generated):
            return self.unrolled(given.value, what, node, path, at)
        return [(ir.TRUE, value) for value in self.several(given, what, node, path, at)]

    def next_one(self, args: list[Given], node: ast.AST, path: Path, at: Scope) -> Value:
        """``next(level)``; ``next(level, 0)`` starts again behind the last."""
        first = args[0].value if args else None
        sort = self.sort_of(first) if first is not None else None
        base = sort.base if isinstance(sort, ir.OptionSort) else sort
        if isinstance(base, ir.CounterSort):
            hint = f"Write fresh({base.name}): it is greater than every value of {base.name}, so also than this one."
            at.source.fail(node, "a counter has no next value", hint)
        ordered = isinstance(base, ir.Scalarset) and base.ordered
        if first is None or not (ordered or isinstance(base, ir.EnumSort)):
            hint = "Write next(level) of an element of a Sort with ordered=True, or of a member of an OrderedEnum."
            at.source.fail(node, "next() takes an element that has a next one", hint)
        assert base is not None
        self.ordered(base, node, at)
        hint = f"Write next(...) on the ways on which it is {articled(base.name)}."
        self.refuse_plain(first, "Python knows what comes next of elements alone", args[0].node, at, hint)
        term = self.expr(first, args[0].node, at, base, path)
        inside, found = self.following(term, 1)
        if len(args) == 1:
            self.owe(path, inside, f"{at.source.text(args[0].node)} is the last {base.name}", node, at)
            return found
        default = args[1].value
        if isinstance(default, Static) and is_number(default.value):
            self.expr(default, args[1].node, at, base)  # it says so if there is no such element
        return self.choice(inside, found, default)

    def absolute(self, args: list[Given], node: ast.AST, path: Path, at: Scope) -> Value:
        value = args[0].value if len(args) == 1 else None
        if isinstance(value, Static) and is_number(value.value):
            return Static(abs(value.value))
        if value is None:
            at.source.fail(node, "abs() takes one number")
        term = self.number(value, args[0].node, path, at)
        return self.tabulated(lambda a, _: abs(a), term, number(0), node, path, at)

    def truth_of(self, args: list[Given], node: ast.AST, path: Path, at: Scope) -> Value:
        """``bool(x)``: whether a condition holds."""
        return self.truth(args[0].value, args[0].node, at) if args else Static(False)

    def is_instance(self, args: list[Given], node: ast.AST, path: Path, at: Scope) -> Value:
        hint = "Ask `is None`, or compare with a member."
        at.source.fail(node, "sorts are known when compiling: isinstance() is not needed", hint)


MOST_ARGUMENTS = {"abs": 1, "bool": 1, "next": 2, "sum": 2, "tuple": 1, "reversed": 1, "enumerate": 2, "range": 3}
"""How many arguments some of Python's functions take; of the others, who reads them says so."""

KEYWORDS = {
    "key": "Compare what it gives, as in `if self.age[c] < self.age[d]:`.",
    "default": "Give it as one more value: max(0, ...).",
    "strict": "Tuples have a fixed length: compare the lengths with len(...).",
}
"""What to write instead of keywords that Python's functions take and the language has not."""

PYTHON: Mapping[Any, Callable[[Functions, list[Given], ast.AST, Path, Scope], Value]] = {
    all: lambda x, *rest: x.quantifier("all", *rest),
    any: lambda x, *rest: x.quantifier("any", *rest),
    len: Functions.length,
    tuple: Functions.tuple_of,
    zip: Functions.zipped,
    enumerate: Functions.enumerated,
    reversed: Functions.reverse,
    range: Functions.ranged,
    declare.Range: Functions.bounds,
    sum: Functions.added,
    next: Functions.next_one,
    min: lambda x, *rest: x.extreme("min", *rest),
    max: lambda x, *rest: x.extreme("max", *rest),
    abs: Functions.absolute,
    bool: Functions.truth_of,
    isinstance: Functions.is_instance,
}


def members_of(value: Value) -> tuple[Value, ...] | None:
    """The members of an enumeration, in their order; None for any other value."""
    if isinstance(value, Static) and isinstance(value.value, type) and issubclass(value.value, enum.Enum):
        return tuple(map(Static, value.value))
    return None


def as_number(cond: ir.Expr) -> ir.Expr:
    """1 where the condition holds, and 0 elsewhere."""
    bit = ir.IntSort(0, 1)
    return terms.ite(cond, ir.Lit(1, bit), ir.Lit(0, bit))


def known(term: ir.Expr) -> Value:
    """The number as a constant, if it is one."""
    return Static(term.value) if isinstance(term, ir.Lit) else term
