"""Values as terms of a sort: literals, the smallest sort that holds two values, and what a value owes where it is used."""

from __future__ import annotations

import ast
import enum
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from flushproof.model import ir
from flushproof.model.ir import terms

from .declarations import Declarations
from .values import (
    Bad,
    Closure,
    MapRef,
    Method,
    Path,
    Scope,
    Static,
    Step,
    Tup,
    Value,
    articled,
    is_number,
    is_token,
    same,
    sort_in,
    static_literal,
)

MOST_VALUES = 1024
"""A sum, a count or a loop over a range goes through so many values at the most."""


class Conversions:
    """Terms from values; `variables` are the declared state variables by name ("tlb.entry")."""

    def __init__(self, declared: Declarations) -> None:
        self.declared = declared
        self.variables = declared.variables
        self.ghosts = {v.name for v in self.variables.values() if v.kind == "ghost"}
        self.step = Step()
        self.fixed: dict[str, ir.Expr] = {}
        """Knobs whose values are known while compiling, by name."""
        self.named: dict[ir.Named, None] = {}
        """The elements that are named by their numbers."""
        self.spelled: dict[ir.Lit, ir.Place] = {}
        """Where an element's number stands first in the source, whatever it is there for."""

    # ------------------------------------------------------------------------------------------------------- obligations

    def owe(self, path: Path, expr: ir.Expr, message: str, node: ast.AST, at: Scope) -> None:
        """Record that `expr` must hold here, unless what is known on the path says so already."""
        known = path.known
        facts = set(terms.conjuncts(known))
        parts = [p for p in terms.conjuncts(expr) if p not in facts]
        rest = terms.and_(*parts)
        if rest is not ir.TRUE:
            when = known
            if any(var in terms.free_vars(when) | terms.free_vars(rest) for var in path.binders):
                rest, when = terms.implies(when, rest), ir.TRUE
            closed = terms.close(path.binders, rest)
            self.step.obligations.append(ir.Obligation(when, closed, message, at.source.place(node)))

    def no_ghost(self, what: str, node: ast.AST, at: Scope, *exprs: ir.Expr) -> None:
        ghost = min(terms.reads(*exprs) & self.ghosts, default=None)
        if ghost and self.step.kind in ("action", "process", "closure", "initially"):
            at.source.fail(
                node,
                f"the ghost '{self.shown(ghost)}' is read by {what}",
                "Ghost state is for properties alone; make it plain state if the system really has it.",
            )

    def shown(self, variable: str) -> str:
        """What a user calls a variable: a local that became a ghost is called by its own name."""
        return variable.partition("@")[0]

    # -------------------------------------------------------------------------------------------------------- as a term

    def expr(
        self, value: Value, node: ast.AST, at: Scope, sort: ir.Sort | None = None, path: Path | None = None
    ) -> ir.Expr:
        """The value as a term, of the given sort if one is given.

        path: where a value that may not fit is used: it then owes that it fits.

        Raises:
            ModelError: it is no value of that sort, or no value that a state can hold.
        """
        match value:
            case Static():
                made = self.static(value.value, sort)
                if made is None:
                    at.source.fail(node, *self.not_a_value(value.value, sort))
                value = made
                for _, literal in numbered(value):
                    self.spelled.setdefault(literal, at.source.place(node))
            case MapRef():
                name, index = value.variable.name, ", ".join(s.name.lower() for s in value.variable.index)
                node = member_in(node, name.rpartition(".")[2])
                at.source.fail(node, f"'{name}' is a map and needs an index", f"Write {at.source.text(node)}[{index}].")
            case Method():
                name = value.function.__name__
                node = member_in(node, name)
                at.source.fail(node, f"'{name}' is a method and must be called", f"Write {at.source.text(node)}(...).")
            case Bad():
                at.source.fail(node, value.message, value.hint)
        if not isinstance(value, ir.Node):
            hint = "A state holds single values: name each part of the tuple." if isinstance(value, Tup) else ""
            at.source.fail(node, f"{at.source.text(node)} is not a value that a state can hold", hint)
        if path is not None and isinstance(sort_in(value.sort), ir.Scalarset):
            for when, literal in numbered(value):
                self.named[ir.Named(literal, terms.and_(path.known, when), at.source.place(node))] = None
        return value if sort is None or value.sort == sort else self.coerce(value, sort, node, at, path)

    def static(self, value: Any, sort: ir.Sort | None) -> ir.Expr | None:
        """The literal for a Python constant, if it has this sort."""
        if isinstance(sort, ir.OptionSort):
            if value is None:
                return ir.Lit(None, sort)
            inner = self.static(value, sort.base)
            return None if inner is None else terms.some(inner)
        if isinstance(value, enum.Enum) and not isinstance(value, enum.Flag):
            self.declared.know(type(value))
        literal = static_literal(value)
        if literal is not None:
            return literal if sort is None or literal.of == sort else None
        if is_number(value):
            if sort is None:
                return ir.Lit(value, ir.IntSort(value, value))
            if isinstance(sort, ir.IntSort) and sort.lo <= value <= sort.hi:
                return ir.Lit(value, sort)
            if isinstance(sort, ir.CounterSort) and value == 0:
                return ir.Lit(0, sort)
            if isinstance(sort, ir.Scalarset) and sort.ordered and value >= 0:
                return ir.Lit(value, sort)
        return None

    def not_a_value(self, value: Any, sort: ir.Sort | None) -> tuple[str, str]:
        """Why a constant has no place here, and what has."""
        shown = f"the sort {value.__name__}" if isinstance(value, type) else "object()" if is_token(value) else repr(value)
        if isinstance(value, float):
            return f"{shown} is no whole number", "The language has truth values, elements, members and whole numbers."
        if sort is None:
            hint = "None needs something to be compared with or assigned to." if value is None else ""
            return f"{shown} is not a value that a state can hold", hint
        if isinstance(sort, ir.EnumSort):
            members = ", ".join(f"{sort.name}.{m}" for m in sort.members)
            return f"{shown} is no {sort.name}", f"The members are: {members}."
        if isinstance(sort, ir.Scalarset) and not sort.ordered and isinstance(value, int):
            return (
                f"{shown} is no {sort.name}",
                f"The elements of {sort.name} are interchangeable and have no numbers; use choose({sort.name}) or a parameter.",
            )
        if value is None:
            return f"None is no {sort.name}", f"Declare it Optional[{sort.name}] if it may be None."
        if isinstance(value, type) and sort_in(sort).name == value.__name__:
            return f"{shown} is no element of it", f"Write choose({value.__name__}), or use a parameter."
        base = sort_in(sort)
        if isinstance(base, ir.IntSort) and isinstance(value, enum.Enum) and is_number(value.value):
            member = f"{type(value).__name__}.{value.name}"
            return f"{member} is no number", f"Write {member}.value."
        if isinstance(base, ir.IntSort) and is_number(value):
            return f"{shown} is not one of {base.name}", "Its range is the one that was declared."
        if isinstance(base, ir.CounterSort) and is_number(value):
            return f"{shown} is no {base.name}", f"A counter begins at 0, and is advanced by fresh({base.name})."
        return f"{shown} is no {sort.name}", f"A {sort.name} is {kind_of(base)}."

    def coerce(self, value: ir.Expr, sort: ir.Sort, node: ast.AST, at: Scope, path: Path | None) -> ir.Expr:
        """A term of another sort as one of this sort; what may not fit is owed."""
        have = value.sort
        if widened(have, sort):
            return widen(value, sort)
        if isinstance(sort, ir.OptionSort) and not isinstance(have, ir.OptionSort):
            return terms.some(self.expr(value, node, at, sort.base, path))
        if isinstance(have, ir.OptionSort) and not isinstance(sort, ir.OptionSort) and path is not None:
            present = terms.not_(terms.is_none(value))
            self.owe(path, present, f"{at.source.text(node)} is None where its {have.base.name} is used", node, at)
            return self.expr(terms.the(value), node, at, sort, path)
        if are_options_of_numbers(have, sort) and path is not None:
            assert isinstance(sort, ir.OptionSort)
            inner = path.fork(terms.not_(terms.is_none(value)))
            fits = self.expr(terms.the(value), node, at, sort.base, inner)
            return terms.ite(terms.is_none(value), ir.Lit(None, sort), terms.some(fits))
        if isinstance(have, ir.IntSort) and isinstance(sort, ir.IntSort) and path is not None:
            if have.lo < sort.lo:
                fits = terms.not_(terms.less(value, number(sort.lo)))
                self.owe(path, fits, f"{at.source.text(node)} is less than {sort.lo}", node, at)
            if have.hi > sort.hi:
                fits = terms.not_(terms.less(number(sort.hi), value))
                self.owe(path, fits, f"{at.source.text(node)} is more than {sort.hi}", node, at)
            return terms.narrow(value, sort)
        at.source.fail(
            node,
            f"{at.source.text(node)} is {articled(have.name)} where {articled(sort.name)} is needed",
            self.conversion_hint((have, sort)),
        )

    def conversion_hint(self, *ways: tuple[ir.Sort, ir.Sort]) -> str:
        """Which maps lead from one sort to the other, in the first way in which some do; or how to declare both."""
        for have, want in ways:
            base = sort_in(want)
            maps = [v.name for v in self.variables.values() if v.index == (have,) and sort_in(v.sort) == base]
            if maps:
                return f"From {have.name} to {base.name} leads: {', '.join(f'self.{m}[...]' for m in maps)}."
        both = [sort_in(sort) for sort in ways[0]]
        ordered = next((s for s in both if isinstance(s, ir.Scalarset) and s.ordered), None)
        if ordered and any(isinstance(s, ir.IntSort) for s in both):
            number = f"Annotated[int, Range(0, size({ordered.name}) - 1)]"
            return f"Declare both as {ordered.name}, or both as {number}: of numbers, an element is only one that is written there."
        return "Declare both as one sort, or keep in a Map which belongs to which."

    def truth(self, value: Value, node: ast.AST, at: Scope) -> ir.Expr:
        """The value as a condition: a truth value, or a number that is not 0."""
        if isinstance(value, Static):
            if isinstance(value.value, bool) or is_number(value.value):
                return terms.lit(bool(value.value))
            text = at.source.text(node)
            if value.value is None:
                hint = "Write False." if isinstance(node, ast.Constant) else "Does a helper lack its `return`?"
                at.source.fail(node, f"{text} is always None, not a condition", hint)
            if isinstance(value.value, type):
                hint = "Ask all(... for x in ...) or any(... for x in ...) of its elements."
                at.source.fail(node, f"{text} is a sort, not a condition", hint)
            shown = value.value if isinstance(value.value, enum.Enum) else repr(value.value)
            at.source.fail(node, f"{text} is always {shown}, not a condition", "Compare it with something.")
        if isinstance(value, Tup):
            text = at.source.text(node)
            hint = "Combine its parts with `and` or `or`." if isinstance(node, ast.Tuple) else f"Write len({text}) > 0."
            at.source.fail(node, f"{text} is a tuple, not a condition", hint)
        expr = self.expr(value, node, at)
        if isinstance(expr.sort, ir.IntSort):  # as in Python, and in C: `if self.flags & 1:`
            zero = expr.sort.lo <= 0 <= expr.sort.hi
            return terms.not_(terms.eq(expr, ir.Lit(0, expr.sort))) if zero else ir.TRUE
        if expr.sort != ir.BOOL:
            text = at.source.text(node)
            option = isinstance(expr.sort, ir.OptionSort)
            asked = text if isinstance(node, (ast.Attribute, ast.Name, ast.Subscript, ast.Call)) else f"({text})"
            hint = f"Write {asked} is not None." if option else "Compare it with something."
            at.source.fail(node, f"{text} is {articled(expr.sort.name)}, not a condition", hint)
        return expr

    # ---------------------------------------------------------------------------------------------- two values, one sort

    def joined(self, left: Value, right: Value) -> tuple[ir.Expr, ir.Expr] | None:
        """Both values in the smallest sort that holds both, or None if there is none."""
        sorts: list[Any] = [self.sort_of(v) for v in (left, right)]
        if None in sorts:
            return None
        sort = join(*sorts)
        if sort is None or sort is NONE:
            return None
        made = [self.widened_value(v, sort) for v in (left, right)]
        return None if made[0] is None or made[1] is None else (made[0], made[1])

    def sort_of(self, value: Value) -> ir.Sort | None:
        """The sort of a value that a state can hold, the smallest of its range; None for any other value."""
        if isinstance(value, ir.Node):
            return value.sort
        if isinstance(value, Static):
            if value.value is None:
                none: ir.Sort = NONE
                return none
            literal = self.static(value.value, None)
            return None if literal is None else literal.sort
        return None

    def widened_value(self, value: Value, sort: ir.Sort) -> ir.Expr | None:
        if isinstance(value, Static):
            return self.static(value.value, sort)
        return widen(value, sort) if isinstance(value, ir.Node) and widened(value.sort, sort) else None

    def choice(self, cond: ir.Expr, then: Value, other: Value) -> Value:
        """`then` if `cond`, else `other`."""
        if same(then, other):
            return then
        for bad in (then, other):
            if isinstance(bad, Bad):
                return bad
        if isinstance(then, (Tup, Static)) and isinstance(other, (Tup, Static)):
            first, second = items_of(then), items_of(other)
            if first is not None and second is not None and len(first) == len(second):
                return Tup(tuple(self.choice(cond, a, b) for a, b in zip(first, second, strict=True)))
        if isinstance(then, ir.Node) and isinstance(other, Static) and is_number(other.value):
            pair = self.with_number(then, other.value)
        elif isinstance(other, ir.Node) and isinstance(then, Static) and is_number(then.value):
            pair = self.with_number(other, then.value)
            pair = None if pair is None else (pair[1], pair[0])
        else:
            pair = self.joined(then, other)
        if pair is None:
            return Bad("is not the same kind of thing on each way to here", unlike(then, other))
        made = terms.ite(cond, *pair)
        if any(self.is_plain(value, made.sort) for value in (then, other)):
            self.step.numbers.add(made)
        return made

    def is_plain(self, value: Value, sort: ir.Sort) -> bool:
        """Whether what is used as an element of an ordered sort is a plain number for Python, or may be."""
        if not isinstance(sort_in(sort), ir.Scalarset):
            return False
        return value in self.step.numbers if isinstance(value, ir.Node) else isinstance(value, Static) and value.value is not None

    def refuse_plain(self, value: Value, what: str, node: ast.AST, at: Scope, hint: str) -> None:
        """Refuse to ask of a number what only an element knows; state (`self.level`) always has elements."""
        if isinstance(value, ir.Node) and value in self.step.numbers and not isinstance(node, (ast.Attribute, ast.Subscript)):
            at.source.fail(node, f"{at.source.text(node)} may be a plain number here, and {what}", hint)

    def with_number(self, term: ir.Expr, number: int) -> tuple[ir.Expr, ir.Expr] | None:
        """A term and a number in one sort: the number may be an ordered sort's element, or a counter's 0."""
        if isinstance(sort_in(term.sort), ir.IntSort):
            return self.joined(term, Static(number))
        literal = self.static(number, term.sort)
        return None if literal is None else (term, literal)

    def select(self, conds: Sequence[ir.Expr], values: Sequence[Value]) -> Value:
        """The value of the one condition that holds."""
        result = values[-1]
        for cond, value in reversed(list(zip(conds, values, strict=True))[:-1]):
            result = self.choice(cond, value, result)
        return result

    def unify(self, left: Value, right: Value, node: ast.AST, at: Scope, path: Path) -> tuple[ir.Expr, ir.Expr]:
        """Both values as terms that can be compared for equality."""
        for value in (left, right):
            if not isinstance(value, (ir.Node, Static)):
                self.expr(value, node, at)
        if isinstance(left, ir.Node) and isinstance(right, Static):
            return self.with_static(left, right.value, node, at)
        if isinstance(left, Static) and isinstance(right, ir.Node):
            return self.with_static(right, left.value, node, at)[::-1]
        if isinstance(left, ir.Node) and isinstance(right, ir.Node) and are_numbers(left.sort, right.sort):
            return left, right  # of whatever ranges
        pair = self.joined(left, right)
        if pair is None:
            first, second = self.expr(left, node, at), self.expr(right, node, at)
            at.source.fail(
                node,
                f"{articled(first.sort.name)} is never {articled(second.sort.name)}",
                self.conversion_hint((first.sort, second.sort), (second.sort, first.sort)),
            )
        return pair

    def with_static(self, term: ir.Expr, value: Any, node: ast.AST, at: Scope) -> tuple[ir.Expr, ir.Expr]:
        sort = term.sort
        if value is None and not isinstance(sort, ir.OptionSort):
            hint = f"Declare it Optional[{sort.name}] if it may be None."
            at.source.fail(node, f"{articled(sort.name)} is never None", hint)
        if isinstance(sort, ir.IntSort) and is_number(value):
            return term, number(value)
        if isinstance(sort, ir.OptionSort) and isinstance(sort.base, ir.IntSort) and is_number(value):
            pair = self.joined(term, Static(value))
            assert pair is not None
            return pair
        return term, self.expr(Static(value), node, at, sort)


def kind_of(sort: ir.Sort) -> str:
    """What the values of a sort are, in words."""
    match sort:
        case ir.BoolSort():
            return "True or False"
        case ir.IntSort():
            return f"a whole number, one of {sort.name}"
        case ir.EnumSort():
            return f"a member of {sort.name}"
        case ir.CounterSort():
            return f"a value of the counter {sort.name}"
    return f"an element of {sort.name}"


def unlike(one: Value, other: Value) -> str:
    """What to write instead of a variable that is now one thing and now another, of different kinds."""
    match one, other:
        case (Static(str()), Static(str())):
            return "Texts are constants; what depends on the state is a member of an enumeration."
        case (Tup(), Static(None)) | (Static(None), Tup()):
            return "A tuple is not None: give each of its parts a variable that may be."
        case (Tup(), Tup()):
            return "A tuple has the same number of parts on each way."
        case (Method() | Closure(), Method() | Closure()):
            return "Write `if`, and call the one or the other."
    kinds = {type(v.sort) if isinstance(v, ir.Node) else type(v.value) for v in (one, other) if isinstance(v, (ir.Node, Static))}
    if kinds <= {ir.IntSort, int, ir.BoolSort, bool} and kinds & {ir.BoolSort, bool}:
        return "Compare the number with something, as in `n != 0`."
    return "Give each way a variable of its own."


def numbered(value: ir.Expr, when: ir.Expr = ir.TRUE) -> Iterator[tuple[ir.Expr, ir.Lit]]:
    """The elements of an ordered sort that a value may be because the source names them by their numbers, each with when it is."""
    match value:
        case ir.Lit(int(), ir.Scalarset()):
            yield when, value
        case ir.Some(arg):
            yield from numbered(arg, when)
        case ir.Ite(cond, then, other):
            yield from numbered(then, terms.and_(when, cond))
            yield from numbered(other, terms.and_(when, terms.not_(cond)))


def member_in(node: ast.AST, name: str) -> ast.AST:
    """Where an expression names this member of the system; the expression itself, if that cannot be seen."""
    return next((n for n in ast.walk(node) if isinstance(n, ast.Attribute) and n.attr == name), node)


class NoneSort:
    """The sort of None alone, which is no sort of the language: it joins with every other to an option."""

    name = "None"


NONE: Any = NoneSort()


def number(value: int) -> ir.Lit:
    return ir.Lit(value, ir.IntSort(value, value))


def are_numbers(*sorts: ir.Sort) -> bool:
    return all(isinstance(s, ir.IntSort) for s in sorts)


def are_options_of_numbers(*sorts: ir.Sort) -> bool:
    return all(isinstance(s, ir.OptionSort) and isinstance(s.base, ir.IntSort) for s in sorts)


def join(left: ir.Sort, right: ir.Sort) -> ir.Sort | None:
    """The smallest sort that holds the values of both, or None: ranges widen to their hull, and None makes an option."""
    if left == right:
        return left
    if left is NONE or right is NONE:
        other = right if left is NONE else left
        return other if isinstance(other, ir.OptionSort) else ir.OptionSort(other)
    if isinstance(left, ir.OptionSort) or isinstance(right, ir.OptionSort):
        base = join(*(s.base if isinstance(s, ir.OptionSort) else s for s in (left, right)))
        assert not isinstance(base, ir.OptionSort)
        return None if base is None else ir.OptionSort(base)
    if isinstance(left, ir.IntSort) and isinstance(right, ir.IntSort):
        return ir.IntSort(min(left.lo, right.lo), max(left.hi, right.hi))
    return None


def widened(have: ir.Sort, want: ir.Sort) -> bool:
    """Whether every value of the one sort is one of the other."""
    return join(have, want) == want


def widen(value: ir.Expr, sort: ir.Sort) -> ir.Expr:
    """The same value in a sort that holds all values of its own."""
    have = value.sort
    if have == sort:
        return value
    if isinstance(sort, ir.OptionSort):
        if not isinstance(have, ir.OptionSort):
            return terms.some(widen(value, sort.base))
        present = terms.some(widen(terms.the(value), sort.base))
        return terms.ite(terms.is_none(value), ir.Lit(None, sort), present)
    assert isinstance(sort, ir.IntSort)
    return terms.narrow(value, sort)


def items_of(value: Value) -> tuple[Value, ...] | None:
    """The parts of a tuple, also of one that is a constant; None for any other value."""
    if isinstance(value, Tup):
        return value.items
    if isinstance(value, Static) and isinstance(value.value, tuple) and not isinstance(value.value, enum.Enum):
        return tuple(map(Static, value.value))
    return None


def few(values: Iterable[Any], node: ast.AST, at: Scope) -> tuple[Any, ...]:
    """The values of a constant group, which are gone through one by one: a range may have more than anybody waits for."""
    if isinstance(values, range) and values[MOST_VALUES:]:
        at.source.fail(node, f"more than {MOST_VALUES:,} values are gone through here", "Compare with `<`, or take fewer.")
    return tuple(values)
