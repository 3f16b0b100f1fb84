"""Fresh counters without renaming: whole numbers from 0 to a bound, and steps beyond it cut off.

The slow twin of renaming by rank (see `counters`), and its off-switch.  A system with counters becomes one without: each
counter is an integer, each fresh value a parameter that must be the one after the highest in the present state.  A step
that would need a value beyond the bound is not possible any more.  The state before it is marked by the property `CUT`,
and is no deadlock; up to one step after the first such state, nothing is missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from flushproof.model.errors import FlushproofError
from flushproof.model.ir import (
    TRUE,
    Action,
    And,
    Clause,
    CounterSort,
    Expr,
    IntSort,
    Lit,
    Obligation,
    OptionSort,
    Property,
    Read,
    Sort,
    StateVar,
    System,
    Var,
    terms,
)

CUT = "cut off"
"""The name of the "reachable" property that a step was cut off; no system can declare it."""


class Bounded:
    """A system whose counters have the values 0 to `most`.

    system: the bounded one; cut: the "reachable" property of states in which a step is cut off.

    Raises:
        FlushproofError: the system cannot even start.
    """

    def __init__(self, system: System, most: int) -> None:
        self.most = most
        self._memo: dict[Expr, Expr] = {}
        self._variables = tuple(replace(v, sort=self._sort(v.sort)) for v in system.variables)
        self._holding: Mapping[Sort, set[str]] = {
            sort: {v.name for v in system.variables if _holds(v, sort)}
            for sort in system.sorts
            if isinstance(sort, CounterSort)
        }
        _refuse_what_cannot_start(system, most)
        cut = terms.or_(*map(self._is_cut, system.actions))
        self.cut = Property(CUT, (Clause((), TRUE, cut),), "reachable")
        self.system = replace(
            system,
            sorts=tuple(s for s in system.sorts if not isinstance(s, CounterSort)),
            variables=self._variables,
            init=self._action(system.init),
            actions=tuple(map(self._action, system.actions)),
            properties=tuple(map(self.property, system.properties)),
            final=terms.or_(self._expr(system.final), cut),
            lemmas=(),
        )

    def property(self, prop: Property) -> Property:
        """A property of the original system, in terms of this one."""
        return terms.map_property(prop, self._expr)

    def _sort(self, sort: Sort) -> Sort:
        match sort:
            case CounterSort():
                return IntSort(0, self.most)
            case OptionSort(CounterSort()):
                return OptionSort(IntSort(0, self.most))
            case _:
                return sort

    def _expr(self, expr: Expr) -> Expr:
        return terms.rewrite(expr, self._resorted, self._memo)

    def _resorted(self, expr: Expr) -> Expr | None:
        match expr:
            case Lit(value, of):
                return Lit(value, self._sort(of))
            case Var(name, of):
                return Var(name, self._sort(of))
            case Read(name, args, of):
                return Read(name, args, self._sort(of))
            case _:
                return None

    def _action(self, action: Action) -> Action:
        """The action with its fresh values as parameters, which must be the ones after the highest."""
        made = terms.map_action(replace(action, costs=()), self._expr)
        values = [Var(v.name, self._sort(v.of)) for v in action.fresh]
        taken = (*action.params, *values)
        below: dict[Sort, Expr] = {}
        follows: list[Expr] = []
        for var, value in zip(action.fresh, values, strict=True):
            if var.of in below:
                follows.append(_follows(value, below[var.of]))
            else:
                follows += self._follows_all(var.of, value, taken)
            below[var.of] = value
        obligations = tuple(
            Obligation(terms.and_(*follows, o.when), o.expr, o.message, o.place) for o in made.obligations
        )
        return replace(
            made,
            params=(*made.params, *values),
            guard=terms.and_(*follows, made.guard),
            fresh=(),
            obligations=obligations,
        )

    def _follows_all(self, counter: Sort, value: Expr, taken: Iterable[Var]) -> Iterator[Expr]:
        """That a value is the one after the highest stored."""
        zero = Lit(0, value.sort)
        yield terms.less(zero, value)
        yield self._for_all(counter, taken, lambda stored: terms.less(stored, value))
        gap = self._for_all(counter, taken, lambda stored: _gap(stored, value))
        yield terms.not_(terms.and_(_gap(zero, value), gap))

    def _is_cut(self, action: Action) -> Expr:
        """That the action is possible, but for the values that it would need (which its guard knows nothing of)."""
        made = Counter(v.of for v in action.fresh)
        full = terms.or_(*(self._is_full(counter, count, action.params) for counter, count in made.items()))
        parts = action.guard.args if isinstance(action.guard, And) else (action.guard,)
        known = (self._expr(part) for part in parts if terms.free_vars(part).isdisjoint(action.fresh))
        return terms.not_(terms.close(action.params, terms.not_(terms.and_(full, *known))))

    def _is_full(self, counter: Sort, needed: int, taken: Iterable[Var]) -> Expr:
        """That there are not so many values after the highest stored."""
        if needed > self.most:
            return TRUE
        last = Lit(self.most - needed, IntSort(0, self.most))
        return terms.not_(self._for_all(counter, taken, lambda stored: terms.not_(terms.less(last, stored))))

    def _for_all(self, counter: Sort, taken: Iterable[Var], holds: Callable[[Expr], Expr]) -> Expr:
        """That something holds of every stored value of the counter."""
        parts: list[Expr] = []
        for variable in self._variables:
            if variable.name not in self._holding[counter]:
                continue
            index: list[Var] = []
            for sort in variable.index:
                index.append(terms.fresh_var(Var("at", sort), (*taken, *index)))
            stored: Expr = Read(variable.name, tuple(index), variable.sort)
            if isinstance(variable.sort, OptionSort):
                part = terms.or_(terms.is_none(stored), holds(terms.the(stored)))
            else:
                part = holds(stored)
            parts.append(terms.close(index, part))
        return terms.and_(*parts)


def _gap(lower: Expr, upper: Expr) -> Expr:
    """That there is a number between the two."""
    return terms.less(terms.plus(lower, 1), upper)


def _follows(value: Expr, other: Expr) -> Expr:
    """That a value is the one after another."""
    return terms.and_(terms.less(other, value), terms.not_(_gap(other, value)))


def _holds(variable: StateVar, counter: Sort) -> bool:
    return counter in (variable.sort, variable.sort.base if isinstance(variable.sort, OptionSort) else None)


def _refuse_what_cannot_start(system: System, most: int) -> None:
    counters = [s for s in system.sorts if isinstance(s, CounterSort)]
    for counter in counters:
        needed = sum(v.of == counter for v in system.init.fresh)
        if needed > most:
            raise FlushproofError(
                f"{system.name} begins with {needed} values of {counter.name}: a bound of {most} is too small."
            )
        if any(v.free and _holds(v, counter) for v in system.variables):
            raise FlushproofError(f"{system.name} begins with any value of {counter.name}: no bound is large enough.")
