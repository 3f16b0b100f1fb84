"""What the exported models have in common, besides expressions (`printer`) and steps (`steps`).

After a step, counters are renamed by rank, so that the model has exactly the states that flushproof explores.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flushproof.model.errors import FlushproofError
from flushproof.model.ir import (
    FALSE,
    Action,
    Clause,
    EnumSort,
    Expr,
    IntSort,
    OptionSort,
    Property,
    Quant,
    Sort,
    Var,
    terms,
    walk,
)
from flushproof.model.ir.instance import Instance, State

from ..reference.interpreter import Codes, Reference
from ..task import WELL_DEFINED
from .names import Names, names_of
from .steps import nested

MOST_INITIAL = 20_000
"""An exported model lists its initial states one by one, if there are no more than this."""


def enumerations(instance: Instance) -> list[EnumSort]:
    """Every enumeration in the instance."""
    system = instance.system
    actions = (system.init, *system.actions)
    exprs = [e for a in actions for e in _expressions(a)]
    exprs += [e for p in system.properties for c in p.clauses for e in (c.guard, c.expr)]
    sorts: dict[Sort, None] = {}
    for variable in system.variables:
        sorts.update(dict.fromkeys((*variable.index, variable.sort)))
    for action in actions:
        sorts.update(dict.fromkeys(p.of for p in action.params))
    for expr in walk(*exprs, system.final):
        sorts[expr.sort] = None
        if isinstance(expr, Quant):
            sorts[expr.var.of] = None
    plain = (s.base if isinstance(s, OptionSort) else s for s in sorts)
    return list(dict.fromkeys(s for s in plain if isinstance(s, EnumSort)))


def names(instance: Instance) -> Names:
    """What the parts of the instance are called."""
    return names_of(instance, enumerations(instance), [p.name for p in all_properties(instance)])


def least_number(instance: Instance) -> int:
    """The least value that a sum of integers can come to on the way, 0 if none is below it."""
    system = instance.system
    exprs = [e for action in (system.init, *system.actions) for e in _expressions(action)]
    exprs += [e for prop in all_properties(instance) for c in prop.clauses for e in (c.guard, c.expr)]
    return min((e.sort.lo for e in walk(*exprs, system.final) if isinstance(e.sort, IntSort)), default=0)


def _expressions(action: Action) -> Iterable[Expr]:
    yield action.guard
    for update in action.updates:
        yield from (*update.args, update.cond, update.value)
    for obligation in action.obligations:
        yield from (obligation.when, obligation.expr)


@dataclass(frozen=True)
class Start:
    """How one initial state comes about: the values of the free locations, and of the initial action's parameters."""

    free: dict[int, int]
    codes: Codes
    state: State


def starts(instance: Instance) -> list[Start]:
    """Every initial state once.

    Raises:
        FlushproofError: there are none, or more than `MOST_INITIAL`.
    """
    found: dict[State, Start] = {}
    free = [number for number, slot in enumerate(instance.slots) if instance.system.variable[slot.var].free]
    for tried, (before, codes, after) in enumerate(Reference(instance).beginnings(), 1):
        found.setdefault(after, Start({number: before[number] for number in free}, codes, after))
        if len(found) > MOST_INITIAL or tried > 50 * MOST_INITIAL:
            raise FlushproofError(
                f"{instance.system.name} has more than {MOST_INITIAL} initial states at these sizes, or too many ways to "
                "make them, to write them down; choose smaller sizes."
            )
    if not found:
        raise FlushproofError(f"{instance.system.name} has no initial state at these sizes.")
    return list(found.values())


def all_properties(instance: Instance) -> list[Property]:
    """The system's properties, and that its steps are well defined, where there is anything to define."""
    built_in = terms.well_defined(instance.system)
    return [*instance.system.properties, *([built_in] if built_in.clauses else [])]


def property_formula(instance: Instance, prop: Property) -> Expr:
    """What holds in each state (of a "reachable" property: what is to be reached), closed."""
    fresh = {a.name: a.fresh for a in instance.system.actions} if prop.name == WELL_DEFINED else {}
    return terms.and_(*(_formula(clause, fresh.get(clause.event or "", ())) for clause in prop.clauses))


def _formula(clause: Clause, fresh: Sequence[Var]) -> Expr:
    """The clause as a closed formula, each quantifier as far inside as it can be."""
    bad = terms.without_fresh(terms.and_(clause.guard, terms.not_(clause.expr)), fresh)
    formula: Expr = FALSE
    for var, test in reversed(nested(clause.params, bad)):
        formula = terms.or_(terms.not_(test), formula)
        formula = formula if var is None else terms.forall(var, formula)
    return formula
