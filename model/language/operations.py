"""Symbolic execution of the core's operations: each takes values, and gives one."""

from __future__ import annotations

import ast
import enum
import inspect
import operator
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NoReturn, Optional, get_origin

from flushproof.model import ir
from flushproof.model.errors import nearest
from flushproof.model.ir import terms

from . import core, declare
from .conversions import Conversions, items_of
from .core import Atom, Constant, Local, Open, Star
from .source import import_hint
from .values import (
    Above,
    Access,
    Bad,
    Closure,
    Generated,
    Held,
    MapRef,
    Method,
    Name,
    Object,
    Once,
    Path,
    Product,
    Scope,
    Static,
    Tup,
    Value,
    articled,
    is_number,
)

MAX_DEPTH = 40
MOST_CASES = 1024
"""Arithmetic on two numbers of the state goes case by case, through so many at the most."""
SETTLED = ("invariant", "reachable", "lemma", "hint", "axiom", "final")
"""The kinds of methods that say something of one state."""

ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


class Operations(Conversions):
    """Executes operations on a path; what they call may write to it."""

    # ------------------------------------------------------------------------------------------------ to be completed

    def invoke(
        self,
        function: Value,
        args: list[Value],
        keywords: dict[str, Value],
        call: object,
        node: ast.AST,
        path: Path,
        at: Scope,
    ) -> Value:
        """The value of a call, whose effects go to `path`; `call` is the place that tells its scope from others."""
        raise NotImplementedError

    def word(
        self, call: core.Call, function: Static, node: ast.AST, path: Path, at: Scope, target: str
    ) -> Value | None:
        """The value of a call of one of the language's own words; None if it is none."""
        raise NotImplementedError

    # ------------------------------------------------------------------------------------------------------------- atoms

    def ev(self, atom: Atom, path: Path, at: Scope) -> Value:
        """The value of an atom; one that cannot be used is refused here."""
        found = self.look(atom, path, at)
        if isinstance(found, Bad):
            shown = atom.of.shown if isinstance(atom.of, Local) else at.source.text(atom.node)
            if isinstance(atom.of, Local) and atom.of.temporary:
                shown = at.source.text(atom.node)
            at.source.fail(atom.node, f"'{shown}' {found.message}", found.hint)
        return found

    def look(self, atom: Atom, path: Path, at: Scope) -> Value:
        match atom.of:
            case Constant(value):
                return Static(value)
            case Local() as local:
                found = path.env.get((at.of(local), local))
                return UNSET if found is None else found
            case core.Unknown(name):
                at.source.fail(atom.node, f"the name '{name}' is unknown", self.name_hint(name, path, at))

    def name_hint(self, name: str, path: Path, at: Scope) -> str:
        """What may be meant by a name that nothing has: a member without its `self`, a word not imported, a slip."""
        mine = {local.shown: value for (scope, local), value in path.env.items() if scope is at and not local.temporary}
        for owner, value in mine.items():
            if isinstance(value, Object) and (value.path + name in self.variables or hasattr(value.python, name)):
                return f"Did you mean '{owner}.{name}'?"
        if hint := import_hint(name):
            return hint
        space = at.source.function.__globals__
        known = [*mine, *(n for n, v in space.items() if isinstance(v, (type, declare.Part)) or callable(v))]
        guess = nearest(name, known, "names").split(" The names are")[0]
        return guess if guess.startswith("Did") else ""

    def items(self, items: tuple[core.Item, ...], path: Path, at: Scope) -> list[tuple[Atom, Value]]:
        """The values of a tuple's elements or of arguments, starred ones taken apart."""
        found: list[tuple[Atom, Value]] = []
        for item in items:
            if isinstance(item, Atom):
                found.append((item, self.ev(item, path, at)))
            else:
                found += [(item.atom, v) for v in self.starred(item, path, at)]
        return found

    def starred(self, star: Star, path: Path, at: Scope) -> tuple[Value, ...]:
        value = self.ev(star.atom, path, at)
        parts = value.items if isinstance(value, Once) else items_of(value)
        if parts is None:
            at.source.fail(star.atom.node, "only a tuple can be unpacked here")
        return parts

    # -------------------------------------------------------------------------------------------------------- operations

    def operate(self, operation: core.Operation, node: ast.AST, path: Path, at: Scope, target: str = "") -> Value:
        """The value of an operation.

        target: the user's name for the variable that gets it, for who reads a trace.
        """
        match operation:
            case core.Use(atom):
                return self.ev(atom, path, at)
            case core.Attribute():
                return self.attribute(self.ev(operation.owner, path, at), operation, node, path, at)
            case core.Subscript():
                return self.subscript(operation, node, path, at)
            case core.Slice():
                return self.slice(operation, node, path, at)
            case core.Call():
                return self.call(operation, node, path, at, target)
            case core.Binary():
                return self.binary(operation, node, path, at)
            case core.Compare():
                left, right = self.ev(operation.left, path, at), self.ev(operation.right, path, at)
                return self.compare(operation.operator, left, right, node, path, at)
            case core.Unary():
                return self.unary(operation, node, path, at)
            case core.Pack(items):
                return Tup(tuple(v for _, v in self.items(items, path, at)))
            case core.Super():
                return self.super(node, path, at)

    def unary(self, operation: core.Unary, node: ast.AST, path: Path, at: Scope) -> Value:
        operand = operation.operand
        match operation.operator:
            case ast.Not():
                return terms.not_(self.truth(self.ev(operand, path, at), operand.node, at))
            case ast.Invert():
                at.source.fail(node, "the language has no ~", f"Write `not {at.source.text(operand.node)}`.")
        value = self.ev(operand, path, at)
        if isinstance(value, Static) and is_number(value.value):
            return Static(-value.value if isinstance(operation.operator, ast.USub) else value.value)
        at.source.fail(node, "only a constant can be negated")

    def super(self, node: ast.AST, path: Path, at: Scope) -> Value:
        method: Scope | None = at
        while method is not None and method.outer is not None:
            method = method.outer
        assert method is not None
        function = method.source.function
        free = function.__code__.co_freevars
        first = next(iter(method.function.parameters), (None, None))[0]
        owner = path.env.get((method, first)) if first is not None else None
        if "__class__" not in free or not isinstance(owner, Object):
            at.source.fail(node, "super() has a meaning in a method only")
        cells: Any = function.__closure__
        cls: type = cells[free.index("__class__")].cell_contents
        return Above(owner, cls)

    # -------------------------------------------------------------------------------------------------- reading a state

    def read(self, variable: ir.StateVar, args: tuple[ir.Expr, ...], node: ast.AST, path: Path, at: Scope) -> ir.Expr:
        """The value of a location as the step has left it so far."""
        if path.binders:
            self.step.accesses.append(Access(variable.name, args, node, at))
        value: ir.Expr = ir.Read(variable.name, args, variable.sort)
        for update in path.updates:
            if update.var == variable.name:
                match, bind = match_location(update, args)
                written = terms.and_(match, terms.substitute(update.cond, bind))
                written = without(written, path.conds)
                value = terms.ite(written, terms.substitute(update.value, bind), value)
        return value

    def index(
        self,
        owner: ast.AST,
        parts: tuple[core.Item | Open, ...],
        variable: ir.StateVar,
        node: ast.AST,
        path: Path,
        at: Scope,
    ) -> list[ir.Expr | None]:
        """The index of a location as terms; None for each position that a `:` or `...` leaves open."""
        found: list[tuple[ast.AST, Value | None]] = []
        for part in parts:
            match part:
                case Open(":"):
                    found.append((part.node, None))
                case Open():
                    found += [(part.node, None)] * (len(variable.index) - len(parts) + 1)
                case Star():
                    found += [(part.atom.node, v) for v in self.starred(part, path, at)]
                case Atom():
                    value = self.ev(part, path, at)
                    several = items_of(value)
                    if several is not None and len(parts) > 1:
                        at.source.fail(part.node, "a tuple is no index", f"Write *{at.source.text(part.node)}.")
                    found += [(part.node, v) for v in (value,) if several is None]
                    found += [(part.node, v) for v in several or ()]
        if len(found) != len(variable.index):
            self.wrong_index(owner, found, variable, node, at)
        return [
            None if value is None else self.expr(value, where, at, sort, path)
            for (where, value), sort in zip(found, variable.index, strict=True)
        ]

    def wrong_index(
        self, owner: ast.AST, found: list[tuple[ast.AST, Value | None]], variable: ir.StateVar, node: ast.AST, at: Scope
    ) -> NoReturn:
        count = f"{len(variable.index)} {'index' if len(variable.index) == 1 else 'indices'}"
        wanted = ", ".join(s.name for s in variable.index)
        given = [at.source.text(n) if value is not None else ":" for n, value in found[: len(variable.index)]]
        form = ", ".join([*given, *":" * (len(variable.index) - len(given))])
        where = ", where `:` stands for all elements" if ":" in form else ""
        at.source.fail(
            node,
            f"'{variable.name}' has {count} ({wanted}), not {len(found)}",
            f"Write {at.source.text(owner)}[{form}]{where}.",
        )

    def subscript(self, operation: core.Subscript, node: ast.AST, path: Path, at: Scope) -> Value:
        value = self.ev(operation.owner, path, at)
        owner = operation.owner.node
        if isinstance(value, MapRef):
            args = self.index(owner, operation.index, value.variable, node, path, at)
            if None in args:
                at.source.fail(node, "a slice can only be written", "Read with all(...) or any(...) over the sort.")
            return self.read(value.variable, tuple(a for a in args if a is not None), node, path, at)
        position = None
        if operation.single and isinstance(operation.index[0], Atom):
            position = self.ev(operation.index[0], path, at)
        parts = items_of(value)
        if parts is not None:
            if (
                isinstance(position, Static)
                and is_number(position.value)
                and -len(parts) <= position.value < len(parts)
            ):
                chosen: Value = parts[position.value]
                return chosen
            at.source.fail(node, "a tuple is indexed by a constant", f"It has {len(parts)} parts.")
        if isinstance(value, Static) and value.value in (Optional, Annotated):
            return self.annotated(value.value, operation, node, path, at)
        if isinstance(value, Static) and isinstance(position, Static):
            if value.value is Optional and (isinstance(position.value, type) or get_origin(position.value)):
                return Static(Optional[position.value])
            names: Mapping[Any, Any] | None = value.value if isinstance(value.value, Mapping) else None
            if isinstance(value.value, type) and issubclass(value.value, enum.Enum):
                names = value.value.__members__
            if names is not None:
                try:
                    return Static(names[position.value])
                except KeyError:
                    at.source.fail(
                        node,
                        f"{at.source.text(owner)} has no {position.value!r}",
                        nearest(str(position.value), list(map(str, names)), "names"),
                    )
        at.source.fail(node, f"{at.source.text(owner)} is not a map", "Declare it as Map[...] to index it.")

    def annotated(self, form: Any, operation: core.Subscript, node: ast.AST, path: Path, at: Scope) -> Value:
        """``Optional[Cpu]`` or ``Annotated[int, Range(0, 3)]``, as it stands in `choose` and `each`."""
        given = [self.ev(part, path, at) if isinstance(part, Atom) else None for part in operation.index]
        parts = [v.value for v in given if isinstance(v, Static)]
        try:
            if len(parts) == len(given):
                return Static(form[parts[0] if operation.single else tuple(parts)])
        except TypeError:
            pass
        at.source.fail(
            node, f"{at.source.text(node)} is not a sort", "Write Optional[Cpu], or Annotated[int, Range(0, 3)]."
        )

    def slice(self, operation: core.Slice, node: ast.AST, path: Path, at: Scope) -> Value:
        value = self.ev(operation.owner, path, at)
        parts = items_of(value)
        if parts is None:
            at.source.fail(node, "a slice of a map takes no bounds", "Write `:` for all elements.")
        bounds = [None if b is None else self.ev(b, path, at) for b in operation.bounds]
        if not all(b is None or (isinstance(b, Static) and is_number(b.value)) for b in bounds):
            at.source.fail(node, "the bounds of a tuple's slice are constants")
        lower, upper, step = (b.value if isinstance(b, Static) else None for b in bounds)
        if step == 0:
            at.source.fail(node, "the step of a slice is not 0")
        return Tup(parts[lower:upper:step])

    # -------------------------------------------------------------------------------------------------------- attributes

    def attribute(self, value: Value, operation: core.Attribute, node: ast.AST, path: Path, at: Scope) -> Value:
        found: Value | None = None
        name = operation.mangled
        match value:
            case Object():
                found = self.member(value, name, node, path, at)
            case Above():
                mro = (value.owner.python if isinstance(value.owner.python, type) else type(value.owner.python)).__mro__
                above = next((c for c in mro[mro.index(value.cls) + 1 :] if name in vars(c)), None)
                if above is not None:
                    found = self.bound(vars(above)[name], value.owner, node, path, at)
            case Static():
                try:
                    found = Static(getattr(value.value, name))
                except AttributeError:
                    pass
                except Exception as error:  # it is the user's own code
                    owner = at.source.text(operation.owner.node)
                    at.source.fail(node, f"{owner}.{operation.name} raises {type(error).__name__}: {error}")
        return found if found is not None else self.no_attribute(value, operation, node, at)

    def no_attribute(self, value: Value, operation: core.Attribute, node: ast.AST, at: Scope) -> NoReturn:
        """Say what there is instead."""
        name, owner = operation.name, at.source.text(operation.owner.node)
        match value:
            case Object():
                members = [n[len(value.path) :].split(".")[0] for n in self.variables if n.startswith(value.path)]
                members += [n for n in dir(value.python) if not n.startswith("_")]
                what = value.path[:-1] or "the system"
                at.source.fail(node, f"{what} has no '{name}'", nearest(name, members, f"members of {what}"))
            case Above():
                at.source.fail(node, f"no class above {value.cls.__name__} has '{name}'")
            case Static():
                names = [n for n in dir(value.value) if not n.startswith("_")]
                at.source.fail(node, f"{owner} has no '{name}'", nearest(name, names, f"members of {owner}"))
            case ir.Node():
                sort = value.sort.name
                if isinstance(value.sort, ir.EnumSort):
                    hint = f"A member is compared as it is: {owner} == {sort}.{value.sort.members[0]}."
                else:
                    hint = f"Facts about a {sort} are kept in maps: self.{name}[{owner}]."
                at.source.fail(node, f"a {sort} has no '{name}'", hint)
        at.source.fail(node, f"{owner} has no '{name}'")

    def member(self, owner: Object, name: str, node: ast.AST, path: Path, at: Scope) -> Value | None:
        """What ``self.name`` is: state, a knob, a part, a method, a constant."""
        variable = self.variables.get(owner.path + name)
        if variable is not None:
            if variable.name in self.fixed:
                return self.fixed[variable.name]
            return MapRef(variable) if variable.index else self.read(variable, (), node, path, at)
        if isinstance(owner.python, declare.Part) and name in vars(owner.python):
            own = vars(owner.python)[name]
            if isinstance(own, declare.Part):
                return self.declared.part(own)
            if inspect.isfunction(own):
                return Method(own, self.declared.parent(owner))
            return Static(own)
        cls = owner.python if isinstance(owner.python, type) else type(owner.python)
        try:
            found = inspect.getattr_static(cls, name)
        except AttributeError:
            return None
        return self.bound(found, owner, node, path, at)

    def bound(self, found: Any, owner: Object, node: ast.AST, path: Path, at: Scope) -> Value:
        """What a class attribute is of an object of the class."""
        match found:
            case declare.Part():
                return self.declared.part(found)
            case staticmethod():
                return Static(found.__func__)
            case classmethod():
                at.source.fail(node, "the language has no classmethod", "Make it a plain method, or a staticmethod.")
            case property():
                if found.fget is None:
                    at.source.fail(node, "this property cannot be read")
                return self.invoke(Method(found.fget, owner), [], {}, node, node, path, at)
            case declare.Knob():
                return Static(found)
        if inspect.isfunction(found):
            return Method(found, owner)
        if hasattr(type(found), "__get__"):
            name = type(found).__name__.strip("_")
            at.source.fail(node, f"the language has no {name} around a method", "Write a plain method.")
        return Static(found)

    # -------------------------------------------------------------------------------------------------------- arithmetic

    def binary(self, operation: core.Binary, node: ast.AST, path: Path, at: Scope) -> Value:
        left, right = self.ev(operation.left, path, at), self.ev(operation.right, path, at)
        function = ARITHMETIC.get(type(operation.operator))
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
            at.source.fail(node, "numbers are combined by + - * // and % only")
        one = self.number(left, operation.left, path, at)
        other = self.number(right, operation.right, path, at)
        if isinstance(operation.operator, (ast.Add, ast.Sub)) and isinstance(other, ir.Lit):
            assert isinstance(other.value, int)
            return terms.plus(one, other.value if isinstance(operation.operator, ast.Add) else -other.value)
        if isinstance(operation.operator, ast.Add) and isinstance(one, ir.Lit):
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
            at.source.fail(atom.node, f"a {term.sort.name} is no number to calculate with")
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
        cases = {(a, b): function(a, b) for a in rows for b in columns if b or function not in (operator.floordiv, operator.mod)}
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
            at.source.fail(node, "&, | and ^ combine truth values only")
        match operation.operator:
            case ast.BitAnd():
                return terms.and_(first, second)
            case ast.BitOr():
                return terms.or_(first, second)
        return terms.not_(terms.eq(first, second))

    # ------------------------------------------------------------------------------------------------------- comparisons

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
                items = items_of(right)
                if items is None:
                    hint = "Write `x in (a, b)`, or read a Map[..., bool]."
                    at.source.fail(node, "`in` needs a tuple of values", hint)
                found = terms.or_(*(self.equal(left, item, node, path, at) for item in items))
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

    def comparable(self, left: Value, right: Value, node: ast.AST, path: Path, at: Scope) -> tuple[ir.Expr, ir.Expr]:
        """Both values as terms of one sort that has an order; of an option, its element."""
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
        for value in (left, right):
            sort = self.sort_of(value)
            if isinstance(value, Static) and is_number(value.value) and not self.none_in(left, right):
                at.source.fail(node, "`is` asks whether two numbers are one object", "Write == or !=.")
            base = sort.base if isinstance(sort, ir.OptionSort) else sort
            if isinstance(base, (ir.IntSort, ir.CounterSort)) and not self.none_in(left, right):
                at.source.fail(node, "`is` asks whether two numbers are one object", "Write == or !=.")
            if items_of(value) is not None and not self.none_in(left, right):
                at.source.fail(node, "`is` asks whether two tuples are one object", "Write == or !=.")
        return self.equal(left, right, node, path, at)

    def none_in(self, *values: Value) -> bool:
        return any(isinstance(v, Static) and v.value is None for v in values)

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

    # ------------------------------------------------------------------------------------------------------------- calls

    def call(self, operation: core.Call, node: ast.AST, path: Path, at: Scope, target: str) -> Value:
        function = self.ev(operation.function, path, at)
        if isinstance(function, Static) and callable(function.value):
            found = self.word(operation, function, node, path, at, target)
            if found is not None:
                return found
            if inspect.isfunction(function.value):
                function = Method(function.value, None)
        args = [v for _, v in self.items(operation.args, path, at)]
        keywords = self.keywords(operation, path, at)
        if isinstance(function, Object):
            return Held(function, Tup(tuple(args))) if not keywords else self.not_callable(operation, node, at)
        if isinstance(function, Static) and isinstance(function.value, type) and issubclass(function.value, enum.Enum):
            return self.enumeration(function.value, args, node, at)
        if not isinstance(function, (Method, Closure)):
            self.not_callable(operation, node, at)
        if isinstance(function, Method):
            role = declare.role_of(function.function)
            if role is not None and role.kind not in ("closure", "hint") and self.declared.happens(function):
                at.source.fail(
                    node,
                    f"'{function.function.__name__}' is {articled(role.kind)} and happens by itself",
                    "Move what both need into a plain method.",
                )
        elif function.function.generator:
            return Generated(function, args[0])
        return self.invoke(function, args, keywords, operation, node, path, at)

    def keywords(self, operation: core.Call, path: Path, at: Scope) -> dict[str, Value]:
        """Keyword arguments; a constant mapping behind `**` is taken apart."""
        found: dict[str, Value] = {}
        for name, atom in operation.keywords:
            value = self.ev(atom, path, at)
            if name is not None:
                given: Mapping[str, Value] = {name: value}
            elif isinstance(value, Static) and isinstance(value.value, Mapping):
                given = {str(k): Static(v) for k, v in value.value.items()}
            else:
                at.source.fail(atom.node, "only a constant mapping can be unpacked here")
            for key in given.keys() & found.keys():
                at.source.fail(atom.node, f"the argument '{key}' is given twice")
            found.update(given)
        return found

    def not_callable(self, operation: core.Call, node: ast.AST, at: Scope) -> NoReturn:
        text = at.source.text(operation.function.node)
        at.source.fail(
            node,
            f"{text} cannot be called in a model",
            f"Call the system's own methods, or one of: {', '.join(self.words())}.",
        )

    def words(self) -> list[str]:
        raise NotImplementedError

    def enumeration(self, cls: type[enum.Enum], args: list[Value], node: ast.AST, at: Scope) -> Value:
        """``Kind(1)``: the member with this value."""
        if len(args) == 1 and isinstance(args[0], Static):
            try:
                return Static(cls(args[0].value))
            except ValueError:
                at.source.fail(node, f"{cls.__name__} has no member with the value {args[0].value!r}")
        at.source.fail(
            node, f"{cls.__name__}(...) takes a constant", f"Name the member: {cls.__name__}.{next(iter(cls)).name}."
        )


UNSET = Bad("is set on some ways to this place only", "Give it a value on each of them.")

ITERABLES = (Product, Tup, Generated)


def are_constants(*values: Value) -> bool:
    return all(isinstance(v, Static) and is_number(v.value) for v in values)


def match_location(update: ir.Update, args: tuple[ir.Expr, ...]) -> tuple[ir.Expr, dict[ir.Var, ir.Expr]]:
    """When `update` writes the location `args` (its own condition aside), and what its binders then are."""
    bind = {mine: given for mine, given in zip(update.args, args, strict=True) if mine in update.binders}
    fixed = [
        terms.eq(terms.substitute(mine, bind), given)
        for mine, given in zip(update.args, args, strict=True)
        if mine not in update.binders
    ]
    return terms.and_(*fixed), bind


def without(cond: ir.Expr, known: tuple[ir.Expr, ...]) -> ir.Expr:
    """`cond` with those of its conjuncts left out that are known to hold."""
    facts = {part for k in known for part in (k.args if isinstance(k, ir.And) else (k,))}
    parts = cond.args if isinstance(cond, ir.And) else (cond,)
    if any(terms.not_(p) in facts for p in parts):
        return ir.FALSE
    return terms.and_(*(p for p in parts if p not in facts))


def variable_of(name: Name) -> str:
    """The user's name for a variable."""
    return name[1].shown
