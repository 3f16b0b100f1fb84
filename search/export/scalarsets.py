"""Elements of scalarsets that have no numbers, so that a checker may rename them: None is a location without a value.

Such a model cannot take the first element where an option is None, as the other finite readings do.  What depends on an
element that may not be there is evaluated only under the condition, made here, that it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from flushproof.model.errors import FlushproofError
from flushproof.model.ir import (
    BOOL,
    FALSE,
    TRUE,
    Action,
    Eq,
    Expr,
    Ite,
    Less,
    Lit,
    Narrow,
    Negated,
    OptionSort,
    Plus,
    Read,
    Scalarset,
    Some,
    Sort,
    The,
    Var,
    terms,
    walk,
)
from flushproof.model.ir.instance import Instance

from .steps import Step


def scalarset(sort: Sort) -> Scalarset | None:
    """The unordered scalarset whose elements are values of this sort, or are held by options of it."""
    base = sort.base if isinstance(sort, OptionSort) else sort
    return base if isinstance(base, Scalarset) and not base.ordered else None


def may_lack(sort: Sort) -> bool:
    """Whether a value of this sort is None or an element of an unordered scalarset."""
    return isinstance(sort, OptionSort) and scalarset(sort) is not None


def refuse_what_has_numbers(instance: Instance) -> None:
    """Nothing is stored at None where None is no value, and no element is named.

    Raises:
        FlushproofError: a map of the instance is indexed by an option of a scalarset, or it adds up over all elements of one.
    """
    system = instance.system
    exprs = [e for a in (system.init, *system.actions) for e in terms.exprs_of(a)]
    exprs += [e for p in system.properties for c in p.clauses for e in (c.guard, c.expr)]
    for expr in walk(*exprs, system.final):
        if isinstance(expr, Lit) and expr.value is not None and (named := scalarset(expr.of)) is not None:
            raise FlushproofError(
                f"{system.name} counts or adds up over {named.name}, one element after the other, and those of a scalarset have no "
                "names: export it without scalarsets."
            )
    for variable in system.variables:
        for sort in variable.index:
            if may_lack(sort):
                raise FlushproofError(
                    f"{system.name}: '{variable.name}' is indexed by {sort.name}, and a scalarset has no index for None: "
                    "export it without scalarsets."
                )


def defined(expr: Expr) -> Expr:
    """When the value of an expression depends on no element that is not there; truth values are written so that they never do."""
    if expr.sort == BOOL:
        return TRUE
    match expr:
        case Read():
            return terms.and_(*map(defined, expr.args))
        case The():
            inside = defined(expr.arg)
            return terms.and_(inside, holds(expr.arg)) if may_lack(expr.arg.sort) else inside
        case Plus():
            return terms.and_(*map(defined, expr.args))
        case Some() | Negated() | Narrow():
            return defined(expr.arg)
        case Ite():
            return terms.ite(expr.cond, defined(expr.then), defined(expr.other))
        case _:
            return TRUE


def parts_defined(expr: Expr) -> Expr:
    """The same of what a truth value is made of, where it is no junction or quantifier of others."""
    return terms.and_(*(defined(part) for part in _parts(expr)))


def _parts(expr: Expr) -> tuple[Expr, ...]:
    match expr:
        case Read():
            return expr.args
        case The():
            return (expr.arg,)
        case Eq() | Less():
            return (expr.left, expr.right)
        case _:
            return ()


def holds(option: Expr) -> Expr:
    """That an option of a scalarset is not None: of locations alone."""
    match option:
        case Lit():
            return FALSE
        case Some():
            return TRUE
        case Ite():
            return terms.ite(option.cond, holds(option.then), holds(option.other))
        case _:
            return terms.not_(terms.is_none(option))


def element(option: Expr) -> Expr:
    """What an option of a scalarset holds, where it does: of locations alone."""
    match option:
        case Some():
            return option.arg
        case Ite() if holds(option.then) is FALSE:
            return element(option.other)
        case Ite() if holds(option.other) is FALSE:
            return element(option.then)
        case Ite():
            return terms.ite(option.cond, element(option.then), element(option.other))
        case _:
            return The(option)


def same(left: Expr, right: Expr) -> Expr:
    """That two options of a scalarset are equal, said of what they hold."""
    some, other = holds(left), holds(right)
    neither = terms.and_(terms.not_(some), terms.not_(other))
    if FALSE in (some, other):
        return neither
    return terms.or_(neither, terms.and_(some, other, terms.eq(element(left), element(right))))


def without_options(steps: Iterable[Step]) -> Iterator[Step]:
    """The steps, of whose parameters none is an option of a scalarset: one step for None, and one for the elements."""
    for step in steps:
        action = terms.map_action(step.action, lambda e: terms.rewrite(e, _false_of_none))
        if action.guard is FALSE:
            continue
        option = next((p for p in action.params if may_lack(p.of)), None)
        if option is None:
            yield replace(step, action=action)
            continue
        base = scalarset(option.of)
        assert base is not None
        binders = (binder for update in action.updates for binder in update.binders)
        held = terms.fresh_var(Var(option.name, base), (*action.params, *action.fresh, *binders))
        none = _with(action, option, Lit(None, option.of), ())
        yield from without_options([replace(step, action=none, chosen={**step.chosen, option: 0})])
        yield from without_options([replace(step, action=_with(action, option, Some(held), (held,)))])


def _with(action: Action, option: Var, value: Expr, instead: tuple[Var, ...]) -> Action:
    """The action with a value for one of its parameters, and these parameters in its place."""
    case = terms.map_action(action, lambda e: terms.substitute(e, {option: value}))
    return replace(case, params=tuple(q for p in action.params for q in (instead if p is option else (p,))))


def _false_of_none(expr: Expr) -> Expr | None:
    """A truth value that depends on the element of None is any, and false is the shortest."""
    return FALSE if expr.sort == BOOL and parts_defined(expr) is FALSE else None
