"""Symbolic evaluation of a model's Python expressions into terms of the intermediate representation."""

from __future__ import annotations

import ast
import builtins
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from flushproof.model import ir
from flushproof.model.errors import ModelError, nearest
from flushproof.model.ir import terms

from . import declare
from .declarations import Declarations
from .source import import_hint
from .types import to_sort
from .values import Closure, MapRef, Method, Name, Object, Path, Scope, Static, Step, Tup, Value, static_literal

MAX_DEPTH = 40

CONSTRUCTS = {
    ast.ListComp: "Use all(...), any(...), or a for loop over a sort.",
    ast.SetComp: "Use a Map[..., bool] as a set.",
    ast.DictComp: "Use a Map as a dictionary.",
    ast.List: "Use a Map; a fixed group of values is a tuple.",
    ast.Dict: "Use a Map as a dictionary.",
    ast.Set: "Use a Map[..., bool] as a set; a fixed group of values is a tuple.",
    ast.JoinedStr: "Messages name parameters in braces, as plain strings.",
    ast.Await: "Steps are separated by yield.",
    ast.NamedExpr: "Assign in a statement of its own.",
    ast.Lambda: "A lambda is allowed only as the `where` of choose().",
    ast.Yield: "A yield is a statement of its own, in a process.",
    ast.YieldFrom: "A `yield from` is a statement of its own, or the value of an assignment.",
}


class Evaluator:
    """Evaluates expressions on a path; `variables` are the declared state variables by name ("tlb.entry")."""

    def __init__(self, declared: Declarations) -> None:
        self.declared = declared
        self.variables = declared.variables
        self.ghosts = frozenset(v.name for v in self.variables.values() if v.kind == "ghost")
        self.step = Step()
        self.target = ""

    # ------------------------------------------------------------------------------------------------ to be completed

    def inline(
        self, method: Method, args: list[Value], keywords: dict[str, Value], node: ast.AST, path: Path, at: Scope
    ) -> Value:
        """The value of a call, whose effects go to `path`."""
        raise NotImplementedError

    def quantify(self, generator: ast.GeneratorExp, kind: str, path: Path, at: Scope) -> ir.Expr:
        raise NotImplementedError

    # --------------------------------------------------------------------------------------------------------- helpers

    def owe(self, path: Path, expr: ir.Expr, message: str, node: ast.AST, at: Scope) -> None:
        """Record that `expr` must hold here, unless what is known on the path says so already."""
        known = path.known
        facts = set(known.args) if isinstance(known, ir.And) else {known}
        parts = [p for p in (expr.args if isinstance(expr, ir.And) else (expr,)) if p not in facts]
        rest = terms.and_(*parts)
        if rest is not ir.TRUE:
            when = known
            for var in path.binders:
                if var in terms.free_vars(when) | terms.free_vars(rest):
                    rest = terms.implies(when, rest)
                    when = ir.TRUE
                    break
            self.step.obligations.append(
                ir.Obligation(when, terms.close(path.binders, rest), message, at.source.place(node))
            )

    def ghostly(self, *exprs: ir.Expr) -> str | None:
        """The name of a ghost variable that is read, if one is."""
        return min(terms.reads(*exprs) & self.ghosts, default=None)

    def no_ghost(self, what: str, node: ast.AST, at: Scope, *exprs: ir.Expr) -> None:
        ghost = self.ghostly(*exprs)
        if ghost and self.step.kind in ("action", "process"):
            at.source.fail(
                node,
                f"the ghost '{ghost}' is read by {what}",
                "Ghost state is for properties alone; make it plain state if the system really has it.",
            )

    # ----------------------------------------------------------------------------------------------------- conversions

    def expr(
        self, value: Value, node: ast.AST, at: Scope, sort: ir.Sort | None = None, path: Path | None = None
    ) -> ir.Expr:
        """The value as a term, of the given sort if one is given.

        Raises:
            ModelError: it is no value of that sort, or no value that a state can hold.
        """
        match value:
            case Static():
                made = self.static(value.value, sort)
                if made is None:
                    at.source.fail(node, *self.not_a_value(value.value, sort))
                value = made
            case MapRef():
                at.source.fail(
                    node,
                    f"'{value.variable.name}' is a map and needs an index",
                    f"Write {at.source.text(node)}[{', '.join(s.name.lower() for s in value.variable.index)}].",
                )
            case Method():
                name = value.function.__name__
                at.source.fail(node, f"'{name}' is a method and must be called", f"Write {at.source.text(node)}(...).")
            case Object() | Tup() | Closure():
                at.source.fail(node, f"{at.source.text(node)} is not a value that a state can hold")
        assert isinstance(value, ir.Node)
        return value if sort is None or value.sort == sort else self.coerce(value, sort, node, at, path)

    def static(self, value: Any, sort: ir.Sort | None) -> ir.Lit | None:
        """The literal for a Python constant, if it has this sort."""
        if isinstance(sort, ir.OptionSort):
            if value is None:
                return ir.Lit(None, sort)
            inner = self.static(value, sort.base)
            return None if inner is None else terms.some(inner)  # type: ignore[return-value]
        literal = static_literal(value)
        if literal is not None:
            return literal if sort is None or literal.of == sort else None
        if isinstance(value, int):
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
        shown = repr(value) if not isinstance(value, type) else f"the sort {value.__name__}"
        if sort is None:
            hint = "None needs something to be compared with or assigned to." if value is None else ""
            return f"{shown} is not a value that a state can hold", hint
        if isinstance(sort, ir.EnumSort):
            return (
                f"{shown} is no {sort.name}",
                f"The members are: {', '.join(f'{sort.name}.{m}' for m in sort.members)}.",
            )
        if isinstance(sort, ir.Scalarset) and not sort.ordered and isinstance(value, int):
            return (
                f"{shown} is no {sort.name}",
                f"The elements of {sort.name} are interchangeable and have no numbers; use choose({sort.name}) or a parameter.",
            )
        if value is None:
            return f"None is no {sort.name}", f"Declare it Optional[{sort.name}] if it may be None."
        return f"{shown} is no {sort.name}", ""

    def coerce(self, value: ir.Expr, sort: ir.Sort, node: ast.AST, at: Scope, path: Path | None) -> ir.Expr:
        have = value.sort
        if isinstance(sort, ir.OptionSort) and not isinstance(have, ir.OptionSort):
            return terms.some(self.expr(value, node, at, sort.base, path))
        if isinstance(have, ir.OptionSort) and not isinstance(sort, ir.OptionSort) and path is not None:
            text = at.source.text(node)
            self.owe(
                path, terms.not_(terms.is_none(value)), f"{text} is None where its {have.base.name} is used", node, at
            )
            return self.expr(terms.the(value), node, at, sort, path)
        if isinstance(have, ir.IntSort) and isinstance(sort, ir.IntSort):
            if have.lo < sort.lo and path is not None:
                fits = terms.not_(terms.less(value, ir.Lit(sort.lo, ir.IntSort(sort.lo, sort.lo))))
                self.owe(path, fits, f"{at.source.text(node)} is less than {sort.lo}", node, at)
            if have.hi > sort.hi and path is not None:
                fits = terms.not_(terms.less(ir.Lit(sort.hi, ir.IntSort(sort.hi, sort.hi)), value))
                self.owe(path, fits, f"{at.source.text(node)} is more than {sort.hi}", node, at)
            return terms.narrow(value, sort)
        at.source.fail(
            node,
            f"{at.source.text(node)} is a {have.name} where a {sort.name} is needed",
            self.conversion_hint(have, sort),
        )

    def conversion_hint(self, have: ir.Sort, want: ir.Sort) -> str:
        """Which maps lead from one sort to the other."""
        base = want.base if isinstance(want, ir.OptionSort) else want
        maps = [v.name for v in self.variables.values() if v.index == (have,) and v.sort in (base, ir.OptionSort(base))]
        return f"From {have.name} to {base.name} leads: {', '.join(f'self.{m}[...]' for m in maps)}." if maps else ""

    def truth(self, value: Value, node: ast.AST, at: Scope) -> ir.Expr:
        """The value as a condition."""
        if isinstance(value, Static) and (value.value is None or isinstance(value.value, (int, tuple, str))):
            return terms.lit(bool(value.value))
        expr = self.expr(value, node, at)
        if expr.sort != ir.BOOL:
            text = at.source.text(node)
            hint = (
                f"Write {text} is not None." if isinstance(expr.sort, ir.OptionSort) else "Compare it with something."
            )
            at.source.fail(node, f"{text} is a {expr.sort.name}, not a condition", hint)
        return expr

    def unify(self, left: Value, right: Value, node: ast.AST, at: Scope, path: Path | None) -> tuple[ir.Expr, ir.Expr]:
        """Both values as terms of one sort."""
        if isinstance(left, Static) and isinstance(right, Static):
            if is_number(left.value) and is_number(right.value):
                hull = ir.IntSort(min(left.value, right.value), max(left.value, right.value))
                return ir.Lit(left.value, hull), ir.Lit(right.value, hull)
            first = self.expr(left, node, at) if left.value is not None else None
            if first is None:
                return (second := self.expr(right, node, at, None, path)), second
            return first, self.expr(right, node, at, first.sort, path)
        if isinstance(left, Static):
            other, this = self.unify(right, left, node, at, path)
            return this, other
        first = self.expr(left, node, at)
        sort = first.sort
        if isinstance(right, Static):
            if right.value is None and not isinstance(sort, ir.OptionSort):
                at.source.fail(
                    node, f"a {sort.name} is never None", f"Declare it Optional[{sort.name}] if it may be None."
                )
            if isinstance(sort, ir.IntSort) and isinstance(right.value, int) and not isinstance(right.value, bool):
                return first, self.expr(right, node, at)
            return first, self.expr(right, node, at, sort, path)
        second = self.expr(right, node, at)
        if sort == second.sort or (isinstance(sort, ir.IntSort) and isinstance(second.sort, ir.IntSort)):
            return first, second
        if isinstance(second.sort, ir.OptionSort) and not isinstance(sort, ir.OptionSort):
            return self.expr(first, node, at, second.sort, path), second
        return first, self.expr(second, node, at, sort, path)

    # -------------------------------------------------------------------------------------------------- reading a state

    def read(self, variable: ir.StateVar, args: tuple[ir.Expr, ...], node: ast.AST, path: Path, at: Scope) -> ir.Expr:
        """The value of a location as the step has left it so far."""
        base = ir.Read(variable.name, args, variable.sort)
        if path.binders:
            self.step.reads.append((base, node, at))
        value: ir.Expr = base
        for update in path.updates:
            if update.var == variable.name:
                match, bind = match_location(update, args)
                written = terms.and_(match, terms.substitute(update.cond, bind))
                written = without(written, path.conds)
                value = terms.ite(written, terms.substitute(update.value, bind), value)
        return value

    def index(self, target: ast.Subscript, variable: ir.StateVar, path: Path, at: Scope) -> list[ir.Expr | None]:
        """The index expressions of a subscript; None for each position that a `:` or `...` leaves open."""
        nodes = target.slice.elts if isinstance(target.slice, ast.Tuple) else [target.slice]
        parts: list[tuple[ast.AST, Value | None]] = []
        for node in nodes:
            if isinstance(node, ast.Slice):
                if node.lower or node.upper or node.step:
                    at.source.fail(node, "a slice of a map takes no bounds", "Write `:` for all elements.")
                parts.append((node, None))
            elif isinstance(node, ast.Constant) and node.value is ...:
                parts += [(node, None)] * (len(variable.index) - len(nodes) + 1)
            elif isinstance(node, ast.Starred):
                inner = self.ev(node.value, path, at)
                if not isinstance(inner, Tup):
                    at.source.fail(node, "only a tuple can be unpacked here")
                parts += [(node, item) for item in inner.items]
            else:
                inner = self.ev(node, path, at)
                parts += [(node, i) for i in inner.items] if isinstance(inner, Tup) else [(node, inner)]
        if len(parts) != len(variable.index):
            count = f"{len(variable.index)} {'index' if len(variable.index) == 1 else 'indices'}"
            wanted = ", ".join(s.name for s in variable.index)
            given = [at.source.text(node) if value is not None else ":" for node, value in parts[: len(variable.index)]]
            form = ", ".join([*given, *":" * (len(variable.index) - len(given))])
            where = ", where `:` stands for all elements" if ":" in form else ""
            at.source.fail(
                target,
                f"'{variable.name}' has {count} ({wanted}), not {len(parts)}",
                f"Write {at.source.text(target.value)}[{form}]{where}.",
            )
        return [
            None if value is None else self.expr(value, node, at, sort, path)
            for (node, value), sort in zip(parts, variable.index, strict=True)
        ]

    # ------------------------------------------------------------------------------------------------------ expressions

    def ev(self, node: ast.expr, path: Path, at: Scope) -> Value:
        """The value of an expression; what it calls may write to the path."""
        match node:
            case ast.Constant():
                return Static(node.value)
            case ast.Name():
                return self.name(node, path, at)
            case ast.Attribute():
                return self.attribute(self.ev(node.value, path, at), node, path, at)
            case ast.Subscript():
                return self.subscript(node, path, at)
            case ast.Tuple():
                items: list[Value] = []
                for element in node.elts:
                    items += self.spread(element, path, at)
                return Tup(tuple(items))
            case ast.BoolOp():
                return self.junction(node, path, at)
            case ast.UnaryOp(ast.Not(), operand):
                return terms.not_(self.truth(self.ev(operand, path, at), operand, at))
            case ast.UnaryOp(ast.USub(), ast.Constant(int() as value)):
                return Static(-value)
            case ast.UnaryOp(ast.Invert(), operand):
                at.source.fail(node, "the language has no ~", f"Write `not {at.source.text(operand)}`.")
            case ast.BinOp():
                return self.sum(node, path, at)
            case ast.Compare():
                return self.compare(node, path, at)
            case ast.IfExp():
                return self.conditional(node, path, at)
            case ast.Call():
                return self.call(node, path, at)
            case ast.Lambda():
                return Closure(node, at)
        self.unsupported(node, at)

    def unsupported(self, node: ast.AST, at: Scope) -> NoReturn:
        name = type(node).__name__
        at.source.fail(node, f"the language has no {name}", CONSTRUCTS.get(type(node), ""))

    def spread(self, node: ast.expr, path: Path, at: Scope) -> list[Value]:
        """The values of an element of a tuple or an argument list, which may be starred."""
        if not isinstance(node, ast.Starred):
            return [self.ev(node, path, at)]
        value = self.ev(node.value, path, at)
        if isinstance(value, Static) and isinstance(value.value, tuple):
            return [Static(v) for v in value.value]
        if not isinstance(value, Tup):
            at.source.fail(node, "only a tuple can be unpacked here")
        return list(value.items)

    def name(self, node: ast.Name, path: Path, at: Scope) -> Value:
        key: Name = (at.id, node.id)
        if key in path.env:
            return path.env[key]
        function = at.source.function
        if key in path.maybe or node.id in function.__code__.co_varnames:
            at.source.fail(
                node, f"'{node.id}' is set on some ways to this place only", "Give it a value on each of them."
            )
        closure = inspect.getclosurevars(function)
        for space in (closure.nonlocals, function.__globals__, vars(builtins)):
            if node.id in space:
                return Static(space[node.id])
        at.source.fail(node, f"the name '{node.id}' is unknown", self.name_hint(node.id, path, at))

    def name_hint(self, name: str, path: Path, at: Scope) -> str:
        """What may be meant by a name that nothing has: a member without its `self`, a word not imported, a slip."""
        local = {known: value for (scope, known), value in path.env.items() if scope == at.id}
        for owner, value in local.items():
            if isinstance(value, Object) and (value.path + name in self.variables or hasattr(value.python, name)):
                return f"Did you mean '{owner}.{name}'?"
        if hint := import_hint(name):
            return hint
        space = at.source.function.__globals__
        known = [*local, *(n for n, v in space.items() if isinstance(v, (type, declare.Part)) or callable(v))]
        guess = nearest(name, known, "names").split(" The names are")[0]
        return guess if guess.startswith("Did") else ""

    def attribute(self, value: Value, node: ast.Attribute, path: Path, at: Scope) -> Value:
        match value:
            case Object():
                found = self.member(value, node.attr, node, path, at)
                if found is not None:
                    return found
                members = [n[len(value.path) :].split(".")[0] for n in self.variables if n.startswith(value.path)]
                members += [n for n in dir(value.python) if not n.startswith("_")]
                what = value.path[:-1] or "the system"
                guess = nearest(node.attr, members, f"members of {what}")
                at.source.fail(node, f"{what} has no '{node.attr}'", guess)
            case Static():
                if hasattr(value.value, node.attr):
                    return Static(getattr(value.value, node.attr))
                names = [n for n in dir(value.value) if not n.startswith("_")]
                text = at.source.text(node.value)
                at.source.fail(node, f"{text} has no '{node.attr}'", nearest(node.attr, names, f"members of {text}"))
            case ir.Node():
                sort = value.sort.name
                at.source.fail(
                    node,
                    f"a {sort} has no '{node.attr}'",
                    f"Facts about a {sort} are kept in maps: self.{node.attr}[{at.source.text(node.value)}].",
                )
            case _:
                at.source.fail(node, f"{at.source.text(node.value)} has no '{node.attr}'")

    def member(self, owner: Object, name: str, node: ast.AST, path: Path, at: Scope) -> Value | None:
        """What ``self.name`` is: state, a knob, a part, a method, a constant."""
        variable = self.variables.get(owner.path + name)
        if variable is not None:
            return MapRef(variable) if variable.index else self.read(variable, (), node, path, at)
        own = vars(owner.python).get(name) if isinstance(owner.python, declare.Part) else None
        if own is not None:
            if isinstance(own, declare.Part):
                return Object(f"{owner.path}{name}.", own)
            if inspect.isfunction(own):
                return Method(own, self.declared.parent(owner))
            return Static(own)
        cls = owner.python if isinstance(owner.python, type) else type(owner.python)
        try:
            found = inspect.getattr_static(cls, name)
        except AttributeError:
            return None
        match found:
            case declare.Part():
                return Object(f"{owner.path}{name}.", found)
            case staticmethod():
                return Static(found.__func__)
            case property():
                return self.inline(Method(found.fget, owner), [], {}, node, path, at)  # type: ignore[arg-type]
        return Method(found, owner) if inspect.isfunction(found) else Static(found)

    def subscript(self, node: ast.Subscript, path: Path, at: Scope) -> Value:
        value = self.ev(node.value, path, at)
        match value:
            case MapRef():
                args = self.index(node, value.variable, path, at)
                if None in args:
                    at.source.fail(node, "a slice can only be written", "Read with all(...) or any(...) over the sort.")
                return self.read(value.variable, tuple(a for a in args if a is not None), node, path, at)
            case Tup() | Static(tuple()):
                position = self.ev(node.slice, path, at) if not isinstance(node.slice, ast.Slice) else None
                items = value.items if isinstance(value, Tup) else tuple(map(Static, value.value))
                if (
                    isinstance(position, Static)
                    and isinstance(position.value, int)
                    and -len(items) <= position.value < len(items)
                ):
                    return items[position.value]
                at.source.fail(node, "a tuple is indexed by a constant")
            case _:
                at.source.fail(
                    node, f"{at.source.text(node.value)} is not a map", "Declare it as Map[...] to index it."
                )

    def junction(self, node: ast.BoolOp, path: Path, at: Scope) -> ir.Expr:
        """`and` and `or`, each operand evaluated only where Python would."""
        conj = isinstance(node.op, ast.And)
        parts: list[ir.Expr] = []
        sub = path.fork()
        for operand in node.values:
            part = self.truth(self.ev(operand, sub, at), operand, at)
            parts.append(part)
            if part is (ir.FALSE if conj else ir.TRUE):
                break
            sub.facts = (*sub.facts, part if conj else terms.not_(part))
        self.no_effects(sub, path, node, at)
        return terms.and_(*parts) if conj else terms.or_(*parts)

    def no_effects(self, sub: Path, path: Path, node: ast.AST, at: Scope) -> None:
        if sub.updates != path.updates:
            at.source.fail(node, "a condition must not change the state", "Make the change in a statement of its own.")

    def sum(self, node: ast.BinOp, path: Path, at: Scope) -> Value:
        left, right = self.ev(node.left, path, at), self.ev(node.right, path, at)
        if not isinstance(node.op, (ast.Add, ast.Sub)):
            at.source.fail(node, "integers are added to and subtracted from only", "")
        sign = 1 if isinstance(node.op, ast.Add) else -1
        if isinstance(left, Static) and isinstance(left.value, int) and sign == 1 and not isinstance(right, Static):
            left, right = right, left
        if isinstance(left, Static) and isinstance(right, Static):
            return Static(left.value + right.value if sign == 1 else left.value - right.value)
        term = self.expr(left, node.left, at)
        if isinstance(term.sort, ir.CounterSort):
            at.source.fail(node, "a counter is advanced by fresh(), not by adding", f"Write fresh({term.sort.name}).")
        if not isinstance(term.sort, ir.IntSort):
            at.source.fail(node, f"a {term.sort.name} cannot be added to")
        if not (isinstance(right, Static) and isinstance(right.value, int)):
            at.source.fail(node, "only a constant can be added to an integer")
        return terms.plus(term, sign * right.value)

    def compare(self, node: ast.Compare, path: Path, at: Scope) -> ir.Expr:
        parts: list[ir.Expr] = []
        left = self.ev(node.left, path, at)
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            right = self.ev(right_node, path, at)
            parts.append(self.comparison(op, left, right, node, path, at))
            left = right
        return terms.and_(*parts)

    def comparison(self, op: ast.cmpop, left: Value, right: Value, node: ast.Compare, path: Path, at: Scope) -> ir.Expr:
        match op:
            case ast.Eq() | ast.Is():
                return self.equal(left, right, node, path, at)
            case ast.NotEq() | ast.IsNot():
                return terms.not_(self.equal(left, right, node, path, at))
            case ast.In() | ast.NotIn():
                items = right.items if isinstance(right, Tup) else None
                if isinstance(right, Static) and isinstance(right.value, tuple):
                    items = tuple(map(Static, right.value))
                if items is None:
                    at.source.fail(
                        node, "`in` needs a tuple of values", "Write `x in (a, b)`, or read a Map[..., bool]."
                    )
                found = terms.or_(*(self.equal(left, item, node, path, at) for item in items))
                return found if isinstance(op, ast.In) else terms.not_(found)
        first, second = self.unify(left, right, node, at, path)
        self.ordered(first.sort, node, at)
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

    def ordered(self, sort: ir.Sort, node: ast.AST, at: Scope) -> None:
        match sort:
            case ir.IntSort() | ir.CounterSort() | ir.EnumSort():
                return
            case ir.Scalarset() if sort.ordered:
                return
        at.source.fail(
            node,
            f"the elements of {sort.name} have no order",
            f"Declare `class {sort.name}(Sort, ordered=True)` if they do; they are then no longer interchangeable.",
        )

    def equal(self, left: Value, right: Value, node: ast.AST, path: Path, at: Scope) -> ir.Expr:
        if isinstance(left, Static) and isinstance(right, Static):
            return terms.lit(left.value is right.value or left.value == right.value)
        if isinstance(left, Tup) and isinstance(right, Tup) and len(left.items) == len(right.items):
            pairs = zip(left.items, right.items, strict=True)
            return terms.and_(*(self.equal(a, b, node, path, at) for a, b in pairs))
        if isinstance(left, Tup) and isinstance(right, Static) and isinstance(right.value, tuple):
            return self.equal(left, Tup(tuple(map(Static, right.value))), node, path, at)
        first, second = self.unify(left, right, node, at, path)
        if isinstance(first.sort, ir.IntSort) and first.sort != second.sort:
            return terms.and_(terms.not_(terms.less(first, second)), terms.not_(terms.less(second, first)))
        return terms.eq(first, second)

    def conditional(self, node: ast.IfExp, path: Path, at: Scope) -> Value:
        cond = self.truth(self.ev(node.test, path, at), node.test, at)
        if isinstance(cond, ir.Lit):
            return self.ev(node.body if cond.value else node.orelse, path, at)
        yes, no = path.fork(cond), path.fork(terms.not_(cond))
        then, other = self.ev(node.body, yes, at), self.ev(node.orelse, no, at)
        self.no_effects(yes, path, node, at)
        self.no_effects(no, path, node, at)
        return self.choice(cond, then, other, node, at)

    def choice(self, cond: ir.Expr, then: Value, other: Value, node: ast.AST, at: Scope) -> Value:
        """`then` if `cond`, else `other`."""
        if isinstance(then, Tup) and isinstance(other, Tup) and len(then.items) == len(other.items):
            pairs = zip(then.items, other.items, strict=True)
            return Tup(tuple(self.choice(cond, a, b, node, at) for a, b in pairs))
        if isinstance(then, Static) and isinstance(other, Static) and then.value is None and other.value is None:
            return then
        first, second = self.joined(then, other, node, at)
        return terms.ite(cond, first, second)

    def joined(self, left: Value, right: Value, node: ast.AST, at: Scope) -> tuple[ir.Expr, ir.Expr]:
        """Both values in the smallest sort that holds both; an element and None meet in the option."""
        if isinstance(left, Static) and left.value is None and not isinstance(right, Static):
            second, first = self.joined(right, left, node, at)
            return first, second
        first = self.expr(left, node, at)
        if isinstance(right, Static) and right.value is None and not isinstance(first.sort, ir.OptionSort):
            option = ir.OptionSort(first.sort)
            return self.expr(first, node, at, option), ir.Lit(None, option)
        a, b = self.unify(left, right, node, at, None)
        if a.sort != b.sort and isinstance(a.sort, ir.IntSort) and isinstance(b.sort, ir.IntSort):
            hull = ir.IntSort(min(a.sort.lo, b.sort.lo), max(a.sort.hi, b.sort.hi))
            return terms.narrow(a, hull), terms.narrow(b, hull)
        return a, b

    # ------------------------------------------------------------------------------------------------------------ calls

    def call(self, node: ast.Call, path: Path, at: Scope) -> Value:
        function = self.ev(node.func, path, at)
        if isinstance(function, Static):
            builtin = BUILTINS.get(function.value) if callable(function.value) else None
            if builtin is not None:
                return builtin(self, node, path, at)
            if inspect.isfunction(function.value):
                function = Method(function.value, Object("", None))
        if isinstance(function, Closure):
            return self.apply(function, [self.ev(a, path, at) for a in node.args], node, path)
        if not isinstance(function, Method):
            known = ", ".join(sorted(f.__name__ for f in BUILTINS))
            at.source.fail(
                node,
                f"{at.source.text(node.func)} cannot be called in a model",
                f"Call the system's own methods, or one of: {known}.",
            )
        role = declare.role_of(function.function)
        if role is not None and role.kind not in ("closure", "hint"):
            at.source.fail(
                node,
                f"'{function.function.__name__}' is {articled(role.kind)} and happens by itself",
                "Move what both need into a plain method.",
            )
        args = [v for a in node.args for v in self.spread(a, path, at)]
        keywords = {k.arg: self.ev(k.value, path, at) for k in node.keywords if k.arg}
        return self.inline(function, args, keywords, node, path, at)

    def apply(self, function: Closure, args: list[Value], node: ast.AST, path: Path) -> Value:
        """The value of a lambda, whose parameters are visible in the scope where it stands."""
        names = [a.arg for a in function.node.args.args]
        if len(names) != len(args):
            function.scope.source.fail(node, f"the lambda takes {len(names)} arguments, not {len(args)}")
        before = dict(path.env)
        for name, value in zip(names, args, strict=True):
            path.env[function.scope.id, name] = value
        result = self.ev(function.node.body, path, function.scope)
        path.env = before
        return result

    def arguments(self, node: ast.Call, names: tuple[str, ...], at: Scope, needed: int) -> dict[str, ast.expr]:
        """The arguments of a built-in statement by name."""
        given = dict(zip(names, node.args, strict=False))
        given.update({k.arg: k.value for k in node.keywords if k.arg})
        unknown = given.keys() - set(names)
        if len(node.args) > len(names) or unknown or len(given) < needed:
            at.source.fail(node, f"{at.source.text(node.func)} takes ({', '.join(names)})")
        return given

    def require(self, node: ast.Call, path: Path, at: Scope) -> Value:
        test = self.arguments(node, ("condition",), at, 1)["condition"]
        if self.step.kind in ("invariant", "reachable", "lemma", "hint", "axiom", "final"):
            at.source.fail(node, "a property cannot require", "Return the condition instead.")
        cond = self.truth(self.ev(test, path, at), test, at)
        self.no_ghost("a guard", test, at, cond, *path.conds)
        if path.binders:
            at.source.fail(node, "a loop cannot require", "Write require(all(... for x in Sort)) instead of the loop.")
        self.step.guards.append(terms.implies(path.cond, cond))
        path.facts = (*path.facts, cond)
        return Static(None)

    def choose(self, node: ast.Call, path: Path, at: Scope) -> Value:
        given = self.arguments(node, ("sort", "where"), at, 1)
        sort_value = self.ev(given["sort"], path, at)
        if self.step.kind not in ("action", "process", "initially"):
            at.source.fail(node, f"{articled(self.step.kind)} cannot choose")
        if path.binders:
            at.source.fail(
                node, "a loop cannot choose", "Choose before the loop, or leave the map without an initial value."
            )
        sort, hint = None, ""
        try:
            sort = to_sort(sort_value.value) if isinstance(sort_value, Static) else None
        except ModelError as error:
            hint = error.hint
        if sort is None or isinstance(sort, ir.CounterSort):
            at.source.fail(given["sort"], f"{at.source.text(given['sort'])} is not a sort to choose from", hint)
        name = self.target or "choice"
        if not self.target and "where" in given and isinstance(given["where"], ast.Lambda) and given["where"].args.args:
            name = given["where"].args.args[0].arg
        cond = path.cond
        value: ir.Expr
        if cond is ir.TRUE:
            value = self.step.variable(name, sort)
        elif isinstance(sort, ir.OptionSort):
            value = self.step.variable(name, sort)
            self.step.guards.append(terms.or_(cond, terms.is_none(value)))
        else:
            # On paths that do not come here the choice is None, so that each step is counted once.
            option = self.step.variable(name, ir.OptionSort(sort))
            self.step.guards.append(terms.eq(cond, terms.not_(terms.is_none(option))))
            path.facts = (*path.facts, terms.not_(terms.is_none(option)))
            value = terms.the(option)
        chosen = value.arg if isinstance(value, ir.The) else value
        assert isinstance(chosen, ir.Var)
        self.step.params.append(chosen)
        if "where" in given:
            test = self.ev(given["where"], path, at)
            if not isinstance(test, Closure):
                at.source.fail(given["where"], "`where` takes a lambda", "Write where=lambda x: ...")
            wanted = self.truth(self.apply(test, [value], node, path), given["where"], at)
            self.no_ghost("a guard", given["where"], at, wanted)
            self.step.guards.append(terms.implies(cond, wanted))
            path.facts = (*path.facts, wanted)
        return value

    def fresh(self, node: ast.Call, path: Path, at: Scope) -> Value:
        given = self.arguments(node, ("counter",), at, 1)
        value = self.ev(given["counter"], path, at)
        if not (
            isinstance(value, Static) and isinstance(value.value, type) and issubclass(value.value, declare.Counter)
        ):
            at.source.fail(node, "fresh() takes a Counter class", "Write fresh(Generation).")
        sort = to_sort(value.value)
        var = self.step.variable(sort.name.lower(), sort)
        self.step.fresh.append(var)
        return var

    def cost(self, node: ast.Call, path: Path, at: Scope) -> Value:
        name = self.ev(self.arguments(node, ("name",), at, 1)["name"], path, at)
        if not (isinstance(name, Static) and isinstance(name.value, str) and name.value):
            at.source.fail(node, "cost() takes the operation's name as a plain string", 'Write cost("bc_tag").')
        self.counted(node, at)
        self.step.costs.append(ir.Cost(name.value, path.binders, path.cond))
        return Static(None)

    def dropped(self, node: ast.Call, path: Path, at: Scope) -> Value:
        entry = self.arguments(node, ("entry",), at, 1)["entry"]
        found = self.ev(entry, path, at)
        if not (isinstance(found, ir.Read) and found.sort == ir.BOOL):
            at.source.fail(
                entry,
                f"{at.source.text(entry)} is no cached entry as it was before this step",
                "Write dropped(self.entry[cpu, tag]) in front of what drops it, entry being a Map[..., bool].",
            )
        self.counted(node, at)
        self.step.costs.append(ir.Cost(ir.DROPPED, path.binders, terms.and_(path.cond, found), found))
        return Static(None)

    def counted(self, node: ast.Call, at: Scope) -> None:
        if self.step.kind not in ("action", "process"):
            at.source.fail(node, f"{articled(self.step.kind)} costs nothing", "Count in an @action or a @process.")

    def check(self, node: ast.Call, path: Path, at: Scope) -> Value:
        given = self.arguments(node, ("name", "condition", "because"), at, 3)
        name, because = self.ev(given["name"], path, at), self.ev(given["because"], path, at)
        if self.step.kind != "event":
            at.source.fail(node, "check() belongs in an event", "An @invariant returns its condition.")
        if not all(isinstance(v, Static) and isinstance(v.value, str) for v in (name, because)):
            at.source.fail(node, "check() takes the property's name and the explanation as plain strings")
        cond = self.truth(self.ev(given["condition"], path, at), given["condition"], at)
        guard = terms.and_(*self.step.guards, path.cond)
        assert isinstance(name, Static) and isinstance(because, Static)
        clause = ir.Clause((), guard, cond, message=because.value, place=at.source.place(node))
        self.step.clauses.append((name.value, clause))
        return Static(None)

    def quantifier(self, node: ast.Call, path: Path, at: Scope) -> Value:
        assert isinstance(node.func, ast.Name)
        if len(node.args) == 1 and isinstance(node.args[0], ast.GeneratorExp):
            return self.quantify(node.args[0], node.func.id, path, at)
        at.source.fail(node, f"{node.func.id}() takes a generator", f"Write {node.func.id}(... for x in Sort).")

    def product(self, node: ast.Call, path: Path, at: Scope) -> Value:
        at.source.fail(node, "each() belongs behind `in`", "Write for a, b in each(A, B).")

    def length(self, node: ast.Call, path: Path, at: Scope) -> Value:
        value = self.ev(node.args[0], path, at) if len(node.args) == 1 else None
        if isinstance(value, Tup):
            return Static(len(value.items))
        if isinstance(value, Static) and isinstance(value.value, (tuple, str)):
            return Static(len(value.value))
        if isinstance(value, MapRef):
            at.source.fail(
                node, "a map has no length", "Ask any(...) or all(...) of its elements, or keep a count of your own."
            )
        at.source.fail(node, "len() of a sort is not known: a system must be right for any size")

    def is_instance(self, node: ast.Call, path: Path, at: Scope) -> Value:
        at.source.fail(node, "sorts are known when compiling: isinstance() is not needed")

    def step_at(self, node: ast.Call, path: Path, at: Scope) -> Value:
        """``at(self.run, cpu, "label", ...)``: whether that process waits at one of the labels."""
        if self.step.kind in ("action", "process"):
            at.source.fail(
                node, "only properties and lemmas ask where a process is", "Keep what steps need in state of its own."
            )
        name, variable, args, rest = self.process_at(node, "labels", path, at)
        wanted = [v.value for v in rest if isinstance(v, Static)]
        assert isinstance(variable.sort, ir.EnumSort)
        for label in wanted:
            if label not in variable.sort.members:
                at.source.fail(
                    node, f"{name} has no label '{label}'", nearest(str(label), variable.sort.members, "labels")
                )
        where = self.read(variable, args, node, path, at)
        return terms.or_(*(terms.eq(where, ir.Lit(label, variable.sort)) for label in wanted))

    def process_at(
        self, node: ast.Call, what: str, path: Path, at: Scope
    ) -> tuple[str, ir.StateVar, tuple[ir.Expr, ...], list[Value]]:
        """The name and program counter of a process, the arguments that say which instance, and what comes behind them."""
        method, *rest = (v for a in node.args for v in self.spread(a, path, at))
        if not isinstance(method, Method):
            at.source.fail(node, f"{at.source.text(node.func)}() takes a process, its parameters and {what}")
        name = method.owner.path + method.function.__name__
        variable = self.variables.get(f"{name}.pc")
        if variable is None:
            at.source.fail(node, f"'{name}' is not a process")
        count = len(variable.index)
        args = tuple(self.expr(v, node, at, s, path) for v, s in zip(rest[:count], variable.index, strict=False))
        return name, variable, args, rest[count:]

    def local_at(self, node: ast.Call, path: Path, at: Scope) -> Value:
        """``local(self.run, cpu, "helper.name")``: what a process keeps in a local variable."""
        if self.step.kind not in ("lemma", "hint"):
            at.source.fail(node, "only lemmas read a local variable", "Keep what others read in state of its own.")
        name, _, args, rest = self.process_at(node, "the name of a local variable", path, at)
        wanted = rest[0].value if len(rest) == 1 and isinstance(rest[0], Static) else None
        variable = self.variables.get(f"{name}.{wanted}")
        if variable is None or wanted == "pc":
            kept = [v[len(name) + 1 :] for v in self.variables if v.startswith(f"{name}.") and v != f"{name}.pc"]
            text = f"{name} keeps no local '{wanted}' from one step to another"
            at.source.fail(node, text, nearest(str(wanted), kept, "locals that it keeps"))
        return self.read(variable, args, node, path, at)


BUILTINS: Mapping[Any, Callable[[Evaluator, ast.Call, Path, Scope], Value]] = {
    declare.require: Evaluator.require,
    declare.choose: Evaluator.choose,
    declare.fresh: Evaluator.fresh,
    declare.cost: Evaluator.cost,
    declare.dropped: Evaluator.dropped,
    declare.check: Evaluator.check,
    declare.each: Evaluator.product,
    declare.at: Evaluator.step_at,
    declare.local: Evaluator.local_at,
    all: Evaluator.quantifier,
    any: Evaluator.quantifier,
    len: Evaluator.length,
    isinstance: Evaluator.is_instance,
}


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


def is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def articled(noun: str) -> str:
    return f"{'an' if noun[0] in 'aei' else 'a'} {noun}"
