"""States of which only some free locations have values yet, as a system of its own.

Each free variable becomes an option: None where no value was chosen.  What the initial action asks of them all is turned into
what can be told of those that are known: that it may still come true.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from flushproof.model.ir import (
    BOOL,
    TRUE,
    Action,
    And,
    Eq,
    Expr,
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
    Some,
    StateVar,
    System,
    The,
    Var,
    default_value,
    terms,
)
from flushproof.model.ir.instance import Instance
from flushproof.model.ir.terms import and_, eq, ite, not_, or_


def partial(instance: Instance) -> Instance:
    """The free variables of the instance, each value optional; its initial action is possible where values may be added so that
    the original one is."""
    system = instance.system
    free = tuple(replace(_optional(v), kind="state") for v in system.variables if v.free)
    guard = system.init.guard
    parts = guard.args if isinstance(guard, And) else (guard,)
    known = _Known(system)
    asked = and_(*(known.truth(part)[1] for part in parts if not terms.free_vars(part)))
    begins = Action("init", (), asked, ())
    return replace(
        instance,
        system=System(system.name, system.title, "", system.sorts, system.sizes, free, begins, (), (), TRUE),
    )


def _optional(variable: StateVar) -> StateVar:
    return replace(variable, sort=OptionSort(variable.sort))  # type: ignore[arg-type]  # an option of an option, here alone


class _Known:
    """Expressions told apart by what is known of them."""

    def __init__(self, system: System) -> None:
        self.variables = system.variable

    def truth(self, expr: Expr) -> tuple[Expr, Expr]:
        """Whether a truth value is certainly true, and whether it may be."""
        match expr:
            case Lit() | Var():
                return expr, expr
            case Read() | The():
                known, value = self.value(expr)
                return and_(known, value), or_(not_(known), value)
            case Not():
                surely, perhaps = self.truth(expr.arg)
                return not_(perhaps), not_(surely)
            case And() | Or():
                join = and_ if isinstance(expr, And) else or_
                both = [self.truth(arg) for arg in expr.args]
                return join(*(surely for surely, _ in both)), join(*(perhaps for _, perhaps in both))
            case Quant():
                surely, perhaps = self.truth(expr.body)
                return Quant(expr.kind, expr.var, surely), Quant(expr.kind, expr.var, perhaps)
            case Ite():
                (surely, perhaps), (then, may_then), (other, may_other) = map(
                    self.truth, (expr.cond, expr.then, expr.other)
                )
                certain = or_(and_(surely, then), and_(not_(perhaps), other), and_(then, other))
                return certain, or_(and_(perhaps, may_then), and_(not_(surely), may_other))
            case Eq() | Less():
                (known_left, left), (known_right, right) = self.value(expr.left), self.value(expr.right)
                known = and_(known_left, known_right)
                compared: Expr = eq(left, right) if isinstance(expr, Eq) else terms.less(left, right)
                return and_(known, compared), or_(not_(known), compared)
            case Some() | Plus() | Negated() | Narrow():
                raise AssertionError(expr)
        assert_never(expr)

    def value(self, expr: Expr) -> tuple[Expr, Expr]:
        """Whether a value is known, and the value if it is."""
        match expr:
            case Lit() | Var():
                return TRUE, expr
            case Read():
                args = [self.value(arg) for arg in expr.args]
                variable = self.variables[expr.name]
                if not variable.free:
                    return TRUE, Lit(default_value(expr.sort), expr.sort)
                held = Read(expr.name, tuple(arg for _, arg in args), _optional(variable).sort)
                return and_(*(known for known, _ in args), not_(Eq(held, Lit(None, held.sort)))), The(held)
            case Some() | The() | Negated() | Narrow():
                known, value = self.value(expr.arg)
                return known, replace(expr, arg=value)
            case Plus():
                parts = [self.value(arg) for arg in expr.args]
                return and_(*(known for known, _ in parts)), Plus(tuple(value for _, value in parts))
            case Ite() if expr.sort != BOOL:
                surely, perhaps = self.truth(expr.cond)
                (known_then, then), (known_other, other) = self.value(expr.then), self.value(expr.other)
                known = or_(and_(surely, known_then), and_(not_(perhaps), known_other))
                return known, ite(surely, then, other)
            case Not() | And() | Or() | Quant() | Ite() | Eq() | Less():
                surely, perhaps = self.truth(expr)
                return or_(surely, not_(perhaps)), surely
        assert_never(expr)
