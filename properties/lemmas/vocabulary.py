"""What can be said about a few elements in a system's own words: the features that lemmas are made of.

A *feature* has one of several values in each state: a truth value, a program point, how two counters compare.  Its
terms are the reads of state variables at the elements in question, and those deeper reads that the system itself uses
(`vttbr[vm[cpu]]`).  Each of the system's hints is a feature too.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from flushproof.model.ir import (
    BoolSort,
    CounterSort,
    EnumSort,
    Eq,
    Expr,
    IntSort,
    Lit,
    Not,
    OptionSort,
    Quant,
    Read,
    Scalarset,
    Some,
    Sort,
    System,
    The,
    Var,
    children,
    walk,
)
from flushproof.model.ir.terms import and_, deciding, eq, free_vars, is_none, less, not_, or_, some, substitute

from .columns import Columns

MOST_VALUES = 40
"""A feature with more values than this (a wide integer) is left out."""


@dataclass(frozen=True)
class Feature:
    """Formulas of which exactly one is true in each state, for given values of their variables.

    weight: how many deep terms it has; what is said of all elements counts as four, since Z3 finds it hard.
    """

    values: tuple[Expr, ...]
    weight: int

    @cached_property
    def variables(self) -> frozenset[Var]:
        return frozenset().union(*(free_vars(v) for v in self.values))

    @cached_property
    def ordered(self) -> tuple[Var, ...]:
        """The variables by name."""
        return tuple(sorted(self.variables, key=lambda v: v.name))

    def codes(self, columns: Columns, env: Mapping[Var, int]) -> npt.NDArray[np.int8]:
        """Which of the values it has, in each state."""
        if len(self.values) == 2:
            return columns.value(self.values[1], env).astype(np.int8)
        codes: npt.NDArray[np.int8] = np.zeros(columns.count, np.int8)
        for number, value in enumerate(self.values[1:], 1):
            codes[columns.holds(value, env)] = number
        return codes

    def outside(self, allowed: frozenset[int]) -> Expr:
        """That the value is none of the given ones."""
        others = [v for i, v in enumerate(self.values) if i not in allowed]
        if len(others) <= len(allowed) or len(others) == 1:
            return or_(*others)
        return and_(*(not_(self.values[i]) for i in sorted(allowed)))


class Vocabulary:
    """The features of one system."""

    def __init__(self, system: System) -> None:
        self.system = system
        exprs = _expressions(system)
        self._patterns = tuple(_patterns(exprs, _is_deep_read))
        self._quantified = tuple(_patterns(exprs, _is_short_quantifier))

    def features(self, variables: Sequence[Var]) -> tuple[Feature, ...]:
        """Everything that can be said about these elements."""
        found: dict[tuple[Expr, ...], Feature] = {}
        terms = list(self._terms(variables))
        everything = self._single(terms), self._pairs(variables, terms), self._whole(variables), self._hinted(variables)
        for feature in itertools.chain(*everything):
            if 2 <= len(feature.values) <= MOST_VALUES and not any(isinstance(v, Lit) for v in feature.values):
                found.setdefault(feature.values, feature)
        return tuple(found.values())

    # -------------------------------------------------------------------------------------------------------------
    # terms

    def _terms(self, variables: Sequence[Var]) -> Iterator[_Term]:
        """Reads of all state variables at the given elements, simple ones first."""
        seen: set[Expr] = set()
        for var in self.system.variables:
            for args in itertools.product(*(_arguments(s, variables) for s in var.index)):
                read = Read(var.name, args, var.sort)
                seen.add(read)
                yield _Term(read, (), 0)
        for pattern in self._patterns:
            for deep in _instances(pattern, variables):
                if deep not in seen:
                    seen.add(deep)
                    yield _Term(deep, _present(deep), 1)

    # -----------------------------------------------------------------------------------------------------------
    # features

    def _single(self, terms: Iterable[_Term]) -> Iterator[Feature]:
        for term in terms:
            expr, sort = term.expr, term.expr.sort
            match sort:
                case BoolSort():
                    yield term.yes_or_no(expr)
                case EnumSort():
                    yield Feature(term.cases([eq(expr, Lit(m, sort)) for m in sort.members]), term.weight)
                case IntSort():
                    numbers = range(sort.lo, sort.hi + 1)
                    yield Feature(term.cases([eq(expr, Lit(n, sort)) for n in numbers]), term.weight)
                case OptionSort():
                    yield term.yes_or_no(is_none(expr))
                    if isinstance(sort.base, EnumSort):
                        members = [eq(expr, Lit(m, sort)) for m in sort.base.members]
                        yield Feature(term.cases([is_none(expr), *members]), term.weight)
                    elif isinstance(sort.base, BoolSort):
                        yield Feature(
                            term.cases([is_none(expr), eq(expr, Lit(False, sort)), eq(expr, Lit(True, sort))]),
                            term.weight,
                        )

    def _whole(self, variables: Sequence[Var]) -> Iterator[Feature]:
        """What the system itself says of all elements of a sort, or of any: "it is loaded nowhere"."""
        for pattern in self._quantified:
            for expr in _instances(pattern, variables):
                yield _Term(expr, (), 4).yes_or_no(expr)

    def _hinted(self, variables: Sequence[Var]) -> Iterator[Feature]:
        """What the system's author finds worth speaking of: as simple as a read, however long it is."""
        for hint in self.system.hints:
            for args in itertools.product(*(_arguments(p.of, variables) for p in hint.params)):
                expr = substitute(hint.expr, dict(zip(hint.params, args, strict=True)))
                yield _Term(expr, (), 0).yes_or_no(expr)

    def _pairs(self, variables: Sequence[Var], terms: Sequence[_Term]) -> Iterator[Feature]:
        by_base: dict[Sort, list[_Term]] = {}
        for term in (*(_Term(v, (), 0) for v in variables), *terms):
            sort = term.expr.sort
            base: Sort = sort.base if isinstance(sort, OptionSort) else sort
            if isinstance(base, Scalarset | CounterSort):
                by_base.setdefault(base, []).append(term)
        for base, group in by_base.items():
            if isinstance(base, CounterSort):
                group = [_Term(Lit(0, base), (), 0), *group]
            for one, other in itertools.combinations(group, 2):
                yield _compared(one, other, base)


@dataclass(frozen=True)
class _Term:
    """A term, and what must hold for it to be defined."""

    expr: Expr
    defined: tuple[Expr, ...]
    weight: int

    def yes_or_no(self, expr: Expr) -> Feature:
        holds = and_(*self.defined, expr)
        return Feature((not_(holds), holds), self.weight)

    def cases(self, cases: Sequence[Expr]) -> tuple[Expr, ...]:
        """The cases, and one more for "undefined"."""
        if not self.defined:
            return tuple(cases)
        defined = and_(*self.defined)
        return (*(and_(defined, c) for c in cases), not_(defined))


def _compared(one: _Term, other: _Term, base: Sort) -> Feature:
    left, right = one.expr, other.expr
    both = _Term(left, (*one.defined, *other.defined), one.weight + other.weight)
    options = [isinstance(t.sort, OptionSort) for t in (left, right)]
    ordered = isinstance(base, CounterSort) or (isinstance(base, Scalarset) and base.ordered)
    if ordered and not any(options) and not (isinstance(left, Lit) and isinstance(base, CounterSort)):
        return Feature(both.cases([less(left, right), eq(left, right), less(right, left)]), both.weight)
    if options == [False, True]:
        left = some(left)
    elif options == [True, False]:
        right = some(right)
    return both.yes_or_no(eq(left, right))


def _arguments(sort: Sort, variables: Sequence[Var]) -> list[Expr]:
    """What can stand as an index of this sort."""
    match sort:
        case BoolSort():
            return [Lit(False, sort), Lit(True, sort)]
        case EnumSort():
            return [Lit(m, sort) for m in sort.members]
        case IntSort() if sort.hi - sort.lo < MOST_VALUES:
            return [Lit(n, sort) for n in range(sort.lo, sort.hi + 1)]
        case OptionSort():
            base = [v for v in variables if v.of == sort.base]
            return [Lit(None, sort), *(some(v) for v in base)]
        case _:
            return [v for v in variables if v.of == sort]


def _expressions(system: System) -> list[Expr]:
    """Everything that the system says."""
    exprs = [e for a in (system.init, *system.actions) for e in deciding(a)]
    return exprs + [e for p in (*system.properties, *system.lemmas) for c in p.clauses for e in (c.guard, c.expr)]


def _patterns(exprs: Iterable[Expr], wanted: Callable[[Expr], bool]) -> Iterator[Expr]:
    """The wanted subexpressions, each once up to the names of variables."""
    seen: set[Expr] = set()
    for expr in walk(*exprs):
        if wanted(expr):
            named = {v: Var(f"{v.of.name}{i}", v.of) for i, v in enumerate(sorted(free_vars(expr), key=_order))}
            pattern = substitute(expr, named)
            if pattern not in seen:
                seen.add(pattern)
                yield pattern


def _is_deep_read(expr: Expr) -> bool:
    """Whether this reads at something that is itself read."""
    return isinstance(expr, Read) and not all(isinstance(a, Var | Lit) for a in expr.args) and _is_plain(expr)


def _is_short_quantifier(expr: Expr) -> bool:
    """Whether this says one simple thing of all elements of a scalarset, or of any."""
    if not isinstance(expr, Quant) or not isinstance(expr.var.of, Scalarset):
        return False
    body = expr.body.arg if isinstance(expr.body, Not) else expr.body
    if isinstance(body, Eq):
        sides = [s.arg if isinstance(s, Some) else s for s in (body.left, body.right)]
        return all(map(_is_plain, sides)) and not any(isinstance(e, The) for e in walk(*sides))
    return isinstance(body, Read) and _is_plain(body) and not any(isinstance(e, The) for e in walk(body))


def _order(var: Var) -> tuple[str, str]:
    return var.of.name, var.name


def _is_plain(expr: Expr) -> bool:
    """Whether the term is made of reads, elements and literals alone."""
    if not isinstance(expr, Read | The | Var | Lit):
        return False
    return all(map(_is_plain, children(expr)))


def _instances(pattern: Expr, variables: Sequence[Var]) -> Iterator[Expr]:
    """The pattern with its variables replaced by the given ones."""
    own = sorted(free_vars(pattern), key=_order)
    for chosen in itertools.product(*([v for v in variables if v.of == o.of] for o in own)):
        values: Mapping[Var, Expr] = dict(zip(own, chosen, strict=True))
        yield substitute(pattern, values)


def _present(expr: Expr) -> tuple[Expr, ...]:
    """What must hold for every `The` inside the term to be defined."""
    return tuple(not_(is_none(e.arg)) for e in walk(expr) if isinstance(e, The))


def signatures(system: System, most: int, each: int = 2) -> Iterator[tuple[Var, ...]]:
    """Tuples of variables to speak about: up to `each` of a sort and `most` in all, fewest first."""
    sorts = [s for s in system.sorts if isinstance(s, Scalarset)]
    counts = [c for c in itertools.product(range(each + 1), repeat=len(sorts)) if sum(c) <= most]
    for count in sorted(counts, key=lambda c: (sum(c), max(c, default=0), c)):
        yield tuple(Var(name, s) for s, n in zip(sorts, count, strict=True) for name in element_names(s, n))


def element_names(sort: Sort, count: int) -> list[str]:
    """The usual names of so many elements of a sort."""
    name = sort.name.lower()
    return [name] if count == 1 else [f"{name}{i}" for i in range(1, count + 1)]


def usual_variables(system: System, each: int) -> tuple[Var, ...]:
    """So many variables of each scalarset."""
    sorts = [s for s in system.sorts if isinstance(s, Scalarset)]
    return tuple(Var(f"{s.name.lower()}{i}", s) for s in sorts for i in range(1, each + 1))
