"""Clauses as JSON has them, and read back in terms of a system: how a proof's file says the lemmas that the system lacks.

Nothing that is read is believed: each name must be one of the system's, each sort must fit.  What was read is a
formula like any other, and has still to be proved.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from flushproof.model.errors import FlushproofError
from flushproof.model.ir import (
    BOOL,
    And,
    BoolSort,
    Clause,
    CounterSort,
    EnumSort,
    Eq,
    Expr,
    IntSort,
    Ite,
    Less,
    Lit,
    Narrow,
    Negated,
    Not,
    OptionSort,
    Or,
    Plus,
    Quant,
    Read,
    Scalarset,
    Some,
    Sort,
    System,
    The,
    Var,
    walk,
)

DEEPEST = 100
"""How deeply expressions may be nested."""

LARGEST = 1_000
"""No literal is beyond this."""

Bound: TypeAlias = Mapping[tuple[str, Sort], Var]


def clause_json(clause: Clause) -> dict[str, Any]:
    """The clause without what is for people only."""
    return {
        "params": [[p.name, p.of.name] for p in clause.params],
        "guard": _json(clause.guard),
        "expr": _json(clause.expr),
    }


def _json(expr: Expr) -> list[Any]:
    match expr:
        case Lit():
            return ["lit", expr.of.name, expr.value]
        case Var():
            return ["var", expr.name, expr.of.name]
        case Read():
            return ["read", expr.name, *map(_json, expr.args)]
        case And() | Or() | Plus():
            return [type(expr).__name__.lower(), *map(_json, expr.args)]
        case Not() | Some() | The() | Negated():
            return [type(expr).__name__.lower(), _json(expr.arg)]
        case Eq() | Less():
            return [type(expr).__name__.lower(), _json(expr.left), _json(expr.right)]
        case Ite():
            return ["ite", _json(expr.cond), _json(expr.then), _json(expr.other)]
        case Narrow():
            return ["narrow", _json(expr.arg), expr.of.name]
        case Quant():
            return [expr.kind, expr.var.name, expr.var.of.name, _json(expr.body)]


def read_clause(data: Any, system: System) -> Clause:
    """The clause that `clause_json` wrote.

    Raises:
        FlushproofError: it is none of this system.
    """
    reader = _Reading(system)
    if not isinstance(data, dict) or data.keys() != {"params", "guard", "expr"} or not isinstance(data["params"], list):
        raise FlushproofError("a lemma's clause has `params`, `guard` and `expr`")
    params = []
    for param in data["params"]:
        if not isinstance(param, list) or len(param) != 2:
            raise FlushproofError(f"a parameter is a name and a sort, and not {_short(param)}")
        params.append(Var(reader.text(param[0]), reader.sort(param[1])))
    if len(set(params)) < len(params):
        raise FlushproofError("two parameters of a clause are one")
    bound = {(p.name, p.of): p for p in params}
    guard, expr = (reader.of_sort(BOOL, data[key], bound, 0) for key in ("guard", "expr"))
    return Clause(tuple(params), guard, expr)


class _Reading:
    def __init__(self, system: System) -> None:
        self.system = system
        self.sorts: dict[str, set[Sort]] = {}
        for sort in self._all_sorts():
            self.sorts.setdefault(sort.name, set()).add(sort)
            if isinstance(sort, OptionSort):
                self.sorts.setdefault(sort.base.name, set()).add(sort.base)
            elif not isinstance(sort, OptionSort):
                self.sorts.setdefault(f"Optional[{sort.name}]", set()).add(OptionSort(sort))

    def _all_sorts(self) -> set[Sort]:
        system = self.system
        found: set[Sort] = {BOOL, *system.sorts}
        for variable in system.variables:
            found |= {*variable.index, variable.sort}
        for action in (system.init, *system.actions):
            found |= {v.of for v in (*action.params, *action.fresh)}
        clauses = [c for p in (*system.properties, *system.lemmas) for c in p.clauses]
        for clause in clauses:
            found |= {v.of for v in clause.params}
            found |= {e.sort for e in walk(clause.guard, clause.expr)}
        return found

    # ------------------------------------------------------------------------------------------------- small things

    def text(self, data: Any) -> str:
        if not isinstance(data, str) or not data:
            raise FlushproofError(f"{_short(data)} is no name")
        return data

    def sort(self, data: Any) -> Sort:
        name = self.text(data)
        found = self.sorts.get(name, set())
        if len(found) == 1:
            return next(iter(found))
        if found:
            raise FlushproofError(f"the system has several sorts called {name}")
        low, dots, high = name.partition("..")
        if dots:
            try:
                lo, hi = int(low), int(high)
            except ValueError:
                lo, hi = 1, 0
            if -LARGEST <= lo <= hi <= LARGEST and f"{lo}..{hi}" == name:
                return IntSort(lo, hi)
        raise FlushproofError(f"the system has no sort {_short(name)}")

    # ------------------------------------------------------------------------------------------------- expressions

    def of_sort(self, sort: Sort, data: Any, bound: Bound, depth: int) -> Expr:
        expr = self.expr(data, bound, depth)
        if expr.sort != sort:
            raise FlushproofError(f"{_short(data)} is of sort {expr.sort.name}, where {sort.name} is needed")
        return expr

    def expr(self, data: Any, bound: Bound, depth: int) -> Expr:
        """An expression, each kind of which has its own form.

        Long because it is a table of the kinds of expressions.
        """
        if depth > DEEPEST:
            raise FlushproofError(f"an expression is nested more than {DEEPEST} deep")
        if not isinstance(data, list) or not data or not isinstance(data[0], str):
            raise FlushproofError(f"{_short(data)} is no expression")
        head, *rest = data

        def inner(part: Any) -> Expr:
            return self.expr(part, bound, depth + 1)

        def truth(part: Any) -> Expr:
            return self.of_sort(BOOL, part, bound, depth + 1)

        match head, rest:
            case "lit", [sort, value]:
                return Lit(self.value(self.sort(sort), value), self.sort(sort))
            case "var", [name, sort]:
                var = bound.get((self.text(name), self.sort(sort)))
                if var is None:
                    raise FlushproofError(f"nothing binds '{name}' of {_short(sort)}")
                return var
            case "read", [name, *args]:
                variable = self.system.variable.get(self.text(name))
                if variable is None:
                    raise FlushproofError(f"the system has no variable '{name}'")
                if len(args) != len(variable.index):
                    raise FlushproofError(f"'{name}' has {len(variable.index)} indices, and not {len(args)}")
                index = zip(variable.index, args, strict=True)
                return Read(
                    variable.name, tuple(self.of_sort(s, a, bound, depth + 1) for s, a in index), variable.sort
                )
            case "and", [_, _, *_]:
                return And(tuple(map(truth, rest)))
            case "or", [_, _, *_]:
                return Or(tuple(map(truth, rest)))
            case "not", [arg]:
                return Not(truth(arg))
            case "eq", [left, right]:
                return Eq(*self.alike(inner(left), inner(right)))
            case "less", [left, right]:
                one, other = self.alike(inner(left), inner(right))
                if isinstance(one.sort, BoolSort | OptionSort) or (
                    isinstance(one.sort, Scalarset) and not one.sort.ordered
                ):
                    raise FlushproofError(f"{one.sort.name} has no order")
                return Less(one, other)
            case "ite", [cond, then, other]:
                return Ite(truth(cond), chosen := inner(then), self.of_sort(chosen.sort, other, bound, depth + 1))
            case "some", [arg]:
                held = inner(arg)
                if isinstance(held.sort, OptionSort):
                    raise FlushproofError(f"{_short(arg)} is an option already")
                return Some(held)
            case "the", [arg]:
                option = inner(arg)
                if not isinstance(option.sort, OptionSort):
                    raise FlushproofError(f"{_short(arg)} is no option")
                return The(option)
            case "plus", [_, _, *_]:
                return Plus(tuple(self.integer(inner(part)) for part in rest))
            case "negated", [arg]:
                return Negated(self.integer(inner(arg)))
            case "narrow", [arg, sort]:
                to = self.sort(sort)
                if not isinstance(to, IntSort):
                    raise FlushproofError(f"{to.name} is no range of numbers")
                return Narrow(self.integer(inner(arg)), to)
            case "forall" | "exists", [name, sort, body]:
                var = Var(self.text(name), self.sort(sort))
                within = {**bound, (var.name, var.of): var}
                return Quant(head, var, self.of_sort(BOOL, body, within, depth + 1))
        raise FlushproofError(f"{_short(data)} is no expression")

    def alike(self, left: Expr, right: Expr) -> tuple[Expr, Expr]:
        numbers = isinstance(left.sort, IntSort) and isinstance(right.sort, IntSort)
        if left.sort != right.sort and not numbers:
            raise FlushproofError(f"{left.sort.name} and {right.sort.name} are not compared")
        return left, right

    def integer(self, expr: Expr) -> Expr:
        if not isinstance(expr.sort, IntSort):
            raise FlushproofError(f"{expr.sort.name} is no range of numbers")
        return expr

    def value(self, sort: Sort, data: Any) -> bool | int | str | None:
        """The literal's value, if the sort has it."""
        whole = isinstance(data, int) and not isinstance(data, bool)
        match sort:
            case BoolSort() if isinstance(data, bool):
                return data
            case EnumSort() if isinstance(data, str) and data in sort.members:
                return data
            case IntSort() if whole and sort.lo <= data <= sort.hi:
                return int(data)
            case CounterSort() if whole and data == 0:
                return 0
            case Scalarset() if sort.ordered and whole and 0 <= data <= LARGEST:
                return int(data)
            case OptionSort():
                return None if data is None else self.value(sort.base, data)
        raise FlushproofError(f"{_short(data)} is no {sort.name}")


def _short(data: Any) -> str:
    """The beginning of whatever it is; a list that is nested deeply has no other short form."""
    if isinstance(data, list):
        return f"[{_short(data[0])}, …]" if data and not isinstance(data[0], list) else "a list"
    return repr(data)[:60] if not isinstance(data, dict) else "an object"
