"""Where processes never come: what can be told without exploring, from the values that are ever written.

Knobs fold away what a policy does not do, but not the steps that would come after it: a label that nothing leads to any
more.  Each variable of an enumeration holds what it starts with, or what some step that may be possible writes, whatever
the rest of the state.  Where it is compared with anything else, the outcome is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import TypeAlias

from flushproof.model.ir import (
    FALSE,
    TRUE,
    Action,
    BoolSort,
    EnumSort,
    Eq,
    Expr,
    Ite,
    Lit,
    Read,
    System,
    Update,
    default_value,
)
from flushproof.model.ir.terms import and_, rewrite, substitute

Held: TypeAlias = Mapping[str, Set[object]]
"""Of each variable of an enumeration the members that it may hold, at any index."""


def held(system: System) -> Held:
    """What variables hold in reachable states, or more."""
    found: dict[str, set[object]] = {
        v.name: set(v.sort.members) if v.free else {default_value(v.sort)}
        for v in system.variables
        if isinstance(v.sort, EnumSort)
    }
    growing = True
    while growing:
        growing = False
        known = simplifier(found)
        for action in (system.init, *system.actions):
            for update in action.updates:
                if update.var in found:
                    new = _values(update.value, found) - found[update.var]
                    if new and _happens(action, update, known):
                        found[update.var] |= new
                        growing = True
    return found


def simplifier(held: Held) -> Callable[[Expr], Expr]:
    """Simplifies expressions by what variables hold: the value is the same in every reachable state."""
    values = {name: frozenset(members) for name, members in held.items()}
    memo: dict[Expr, Expr] = {}

    def known(expr: Expr) -> Expr | None:
        match expr:
            case Eq(Read(name), Lit(value)) | Eq(Lit(value), Read(name)) if name in values:
                return FALSE if value not in values[name] else TRUE if len(values[name]) == 1 else None
            case _:
                return None

    return lambda expr: rewrite(expr, known, memo)


def _values(expr: Expr, held: Held) -> Set[object]:
    """What an expression of an enumeration can be."""
    match expr:
        case Lit(value):
            return {value}
        case Ite(_, then, other):
            return _values(then, held) | _values(other, held)
        case Read(name):
            return held[name]
        case _:
            assert isinstance(expr.sort, EnumSort)
            return set(expr.sort.members)


def _happens(action: Action, update: Update, known: Callable[[Expr], Expr]) -> bool:
    """Whether the guard leaves a value of each parameter, taken alone, with which the update's condition can hold."""
    both = known(and_(action.guard, update.cond))
    for param in action.params:
        if isinstance(param.of, (BoolSort, EnumSort)):
            values = (False, True) if isinstance(param.of, BoolSort) else param.of.members
            if all(substitute(both, {param: Lit(value, param.of)}) is FALSE for value in values):
                return False
    return both is not FALSE
