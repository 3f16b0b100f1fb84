"""How Z3 reads the sorts of a system: values, their operations, and the axioms of the orders.

Two domains share one interface.  In a *finite* one, a scalarset is an enumeration of its elements and a counter is an
integer.  In one of *any number*, a scalarset is an uninterpreted sort, and a counter is an uninterpreted sort with a
strict total order and a least element for the literal 0.  Known values are single objects, and operations on them
fold at once: what depends on a known index or program point never reaches Z3.

To Z3 a name is all that a symbol is.  What is not a state variable has a character in its name that no name of a model
has: `$` behind a sort, `?` behind an option, `!` before a parameter, `~` before a number, `@` before that of a state.
"""

from __future__ import annotations

import functools
import itertools
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias, assert_never

import z3  # type: ignore[import-untyped]
from flushproof.model.errors import FlushproofError
from flushproof.model.ir import BoolSort, CounterSort, EnumSort, IntSort, Lit, OptionSort, Scalarset, Sort, System, Var
from flushproof.model.ir.instance import Instance

Formula: TypeAlias = z3.BoolRef
Term: TypeAlias = z3.ExprRef


@dataclass(frozen=True, eq=False)
class Maybe:
    """An option: whether there is an element, and which; `element` is None where nobody may ask (the literal None)."""

    present: Formula
    element: Term | None


Value: TypeAlias = Term | Maybe
Env: TypeAlias = Mapping[Var, Value]

YES: Formula = z3.BoolVal(True)
NO: Formula = z3.BoolVal(False)


# ------------------------------------------------------------------------------------------------------- connectives


def negation(arg: Formula) -> Formula:
    if arg is YES:
        return NO
    return YES if arg is NO else z3.Not(arg)


def conjunction(args: Iterable[Formula]) -> Formula:
    kept: list[Formula] = []
    for arg in args:
        if arg is NO:
            return NO
        if arg is not YES:
            kept.append(arg)
    if not kept:
        return YES
    return kept[0] if len(kept) == 1 else _joined(z3.Z3_mk_and, kept)


def disjunction(args: Iterable[Formula]) -> Formula:
    kept: list[Formula] = []
    for arg in args:
        if arg is YES:
            return YES
        if arg is not NO:
            kept.append(arg)
    if not kept:
        return NO
    return kept[0] if len(kept) == 1 else _joined(z3.Z3_mk_or, kept)


def _joined(make: Callable[..., Any], args: Sequence[Formula]) -> Formula:
    """`z3.And` or `z3.Or`, which take a tenth of the time for a search to find out that their arguments are formulas."""
    array = (z3.Ast * len(args))(*(arg.as_ast() for arg in args))
    context = z3.main_ctx()
    return z3.BoolRef(make(context.ref(), len(args), array), context)


def choice(cond: Formula, then: Value, other: Value) -> Value:
    """`then` if `cond`, else `other`."""
    if cond is YES or then is other:
        return then
    if cond is NO:
        return other
    if isinstance(then, Maybe):
        assert isinstance(other, Maybe)
        present = choice(cond, then.present, other.present)
        assert isinstance(present, z3.BoolRef)
        if then.element is None or other.element is None:
            return Maybe(present, other.element if then.element is None else then.element)
        element = choice(cond, then.element, other.element)
        assert not isinstance(element, Maybe)
        return Maybe(present, element)
    assert not isinstance(other, Maybe)
    if isinstance(then, z3.BoolRef):
        if then is YES:
            return disjunction((cond, other))
        if then is NO:
            return conjunction((negation(cond), other))
        if other is YES:
            return disjunction((negation(cond), then))
        if other is NO:
            return conjunction((cond, then))
    return z3.If(cond, then, other)


# ------------------------------------------------------------------------------------------------------------ domains


@functools.cache
def _enumeration(name: str, members: tuple[str, ...]) -> tuple[z3.SortRef, tuple[Term, ...]]:
    """An enumeration sort with its elements.

    Z3 has no two of one name, and systems have (the program counters of two policies): the name tells the members.
    """
    unique = f"{name}.{zlib.crc32(repr(members).encode()):08x}"
    sort, elements = z3.EnumSort(unique, [f"{name}${m}" for m in members])
    return sort, tuple(elements)


@functools.cache
def integer(value: int) -> Term:
    return z3.IntVal(value)


class Domain:
    """How Z3 reads the sorts of a system.

    sizes: the number of elements of each scalarset; None: any number.
    alike: no element of an unordered scalarset differs from the others: what `The` of None is may be any of them.
    """

    def __init__(self, system: System, sizes: Mapping[str, int] | None, *, alike: bool = False) -> None:
        self.system, self.sizes, self.alike = system, sizes, alike or sizes is None
        self._known: dict[int, Term] = {}
        self._sorts: dict[Sort, z3.SortRef] = {}
        self._elements: dict[Sort, tuple[Term, ...]] = {}
        self._orders: dict[Sort, z3.FuncDeclRef] = {}
        self._counted: dict[Sort, list[Term]] = {}
        self._nothing: dict[Sort, Term] = {}
        self._names = itertools.count()

    @property
    def any_number(self) -> bool:
        return self.sizes is None

    def sort(self, sort: Sort) -> z3.SortRef:
        """The sort that Z3 knows; an option has none of its own."""
        found = self._sorts.get(sort)
        if found is None:
            found = self._sorts[sort] = self._make_sort(sort)
        return found

    def _make_sort(self, sort: Sort) -> z3.SortRef:
        match sort:
            case BoolSort():
                self._elements[sort] = (NO, YES)
                return z3.BoolSort()
            case EnumSort():
                return self._listed(sort, *_enumeration(sort.name, sort.members))
            case IntSort():
                return z3.IntSort()
            case Scalarset():
                if self.sizes is None:
                    return z3.DeclareSort(sort.name)
                size = self.sizes[sort.name]
                return self._listed(sort, *_enumeration(f"{sort.name}.{size}", tuple(map(str, range(size)))))
            case CounterSort():
                return z3.DeclareSort(sort.name) if self.any_number else z3.IntSort()
            case OptionSort():
                raise TypeError(f"{sort.name} has no sort of its own")
        assert_never(sort)

    def _listed(self, sort: Sort, made: z3.SortRef, elements: tuple[Term, ...]) -> z3.SortRef:
        self._elements[sort] = elements
        self._known.update((id(e), e) for e in elements)
        return made

    def elements(self, sort: Sort) -> Sequence[Value] | None:
        """All values, if they can be listed, in the order of their codes."""
        if isinstance(sort, OptionSort):
            base = self.elements(sort.base)
            if base is None:
                return None
            return [Maybe(NO, None), *(Maybe(YES, e) for e in base if not isinstance(e, Maybe))]
        self.sort(sort)
        if isinstance(sort, IntSort) and sort not in self._elements:  # only now: most ranges are asked for no list
            self._elements[sort] = tuple(map(self.integer, range(sort.lo, sort.hi + 1)))
        return self._elements.get(sort)

    def integer(self, value: int) -> Term:
        return integer(value)

    def coded(self, sort: Sort, code: int) -> Value:
        """The value with this code (see `instance`); for listed sorts and, in a finite domain, counters."""
        if isinstance(sort, CounterSort):
            assert not self.any_number
            return integer(code)
        if isinstance(sort, IntSort):
            return self.integer(sort.lo + code)
        if isinstance(sort, OptionSort):
            if code == 0:
                return Maybe(NO, None)
            element = self.coded(sort.base, code - 1)
            assert not isinstance(element, Maybe)
            return Maybe(YES, element)
        elements = self.elements(sort)
        assert elements is not None, f"{sort.name} has no listed elements"
        return elements[code]

    def literal(self, literal: Lit) -> Value:
        sort, value = literal.of, literal.value
        match sort:
            case BoolSort():
                return YES if value else NO
            case EnumSort():
                return self.coded(sort, sort.members.index(str(value)))
            case IntSort():
                assert isinstance(value, int)
                return self.integer(value)
            case CounterSort():
                return self.nth(sort, 0) if self.any_number else integer(0)
            case Scalarset():
                assert isinstance(value, int)
                return self.nth(sort, value) if self.any_number else self.coded(sort, value)
            case OptionSort():
                if value is None:
                    return Maybe(NO, None)
                element = self.literal(Lit(value, sort.base))
                assert not isinstance(element, Maybe)
                return Maybe(YES, element)
        assert_never(sort)

    def nth(self, sort: Sort, index: int) -> Term:
        """In a domain of any number: the element of an ordered sort with `index` elements before it."""
        counted = self._counted.setdefault(sort, [])
        while len(counted) <= index:
            term = z3.Const(f"{sort.name}${len(counted)}", self.sort(sort))
            counted.append(term)
            self._known[id(term)] = term
        return counted[index]

    def anything(self, sort: Sort) -> Term:
        """What `The` of None is: the first element in a finite domain, some element where all are alike."""
        assert not isinstance(sort, OptionSort)
        if sort in self._nothing:
            return self._nothing[sort]
        if (self.alike and isinstance(sort, Scalarset)) or (self.any_number and isinstance(sort, CounterSort)):
            self._nothing[sort] = z3.Const(f"{sort.name}$none", self.sort(sort))
            return self._nothing[sort]
        value = self.coded(sort, 0)
        assert not isinstance(value, Maybe)
        return value

    def as_in_a_run(self) -> Iterator[Formula]:
        """In a finite domain whose elements are alike: that `The` of None is the first element, as where steps are run."""
        for sort, term in self._nothing.items():
            yield self.equal(term, self.coded(sort, 0))

    def named_in_order(self, constants: Iterable[tuple[Sort, Value]]) -> Iterator[Formula]:
        """In a finite domain whose elements are alike: that the first constant of a scalarset names its first element, the second
        one of its first two, and so on.  If there are values for them at all, there are such values."""
        named: dict[Sort, int] = {}
        for sort, value in constants:
            base = _alike(sort)
            if base is None:
                continue
            elements = self.elements(base)
            assert elements is not None
            term = value.element if isinstance(value, Maybe) else value
            named[base] = number = named.get(base, 0) + 1
            if term is not None and number < len(elements):
                here = disjunction(self.equal(term, element) for element in elements[:number])
                yield disjunction((negation(value.present), here)) if isinstance(value, Maybe) else here

    def in_order(self, variables: Sequence[Var], named: Mapping[Sort, int] = MappingProxyType({})) -> Iterator[Env]:
        """In a finite domain: all values for the variables that differ in more than the names of elements that are alike.

        named: how many elements of a scalarset have been named before.
        """
        if not variables:
            yield {}
            return
        first, *others = variables
        base, values = _alike(first.of), self.elements(first.of)
        assert values is not None, f"{first.of.name} has no listed elements"
        before = named.get(base, 0) if base is not None else 0
        for number, value in enumerate(values, 0 if base == first.of else -1):
            if base is not None and number > before:
                break
            after = named if base is None else {**named, base: max(before, number + 1)}
            for env in self.in_order(others, after):
                yield {first: value, **env}

    def constant(self, name: str, sort: Sort) -> Value:
        """A symbol for some value of the sort; see `within` for what must be said about it."""
        if isinstance(sort, OptionSort):
            return Maybe(z3.Bool(f"{name}?some"), z3.Const(f"{name}?the", self.sort(sort.base)))
        return z3.Const(name, self.sort(sort))

    def fresh_constant(self, name: str, sort: Sort) -> Term:
        """A symbol that nothing else uses."""
        return z3.Const(f"{name}~{next(self._names)}", self.sort(sort))

    def within(self, value: Value, sort: Sort) -> Formula:
        """That a symbol's value belongs to the sort, where Z3's sort is wider."""
        match sort:
            case IntSort():
                return z3.And(integer(sort.lo) <= value, value <= integer(sort.hi))
            case CounterSort():
                return YES if self.any_number else integer(0) <= value
            case OptionSort():
                assert isinstance(value, Maybe) and value.element is not None
                return self.within(value.element, sort.base)
            case _:
                return YES

    # ------------------------------------------------------------------------------------------------ operations

    def equal(self, left: Value, right: Value) -> Formula:
        if left is right:
            return YES
        if isinstance(left, Maybe):
            assert isinstance(right, Maybe)
            same = self.equal(left.present, right.present)
            if left.element is None or right.element is None:
                return same
            return conjunction((same, disjunction((negation(left.present), self.equal(left.element, right.element)))))
        assert not isinstance(right, Maybe)
        if isinstance(left, z3.BoolRef):
            for one, other in ((left, right), (right, left)):
                if one is YES:
                    return other
                if one is NO:
                    return negation(other)
        elif self._is_known(left) and self._is_known(right):
            return NO
        return left == right

    def _is_known(self, term: Term) -> bool:
        """Whether the term is a constant that differs from every other such constant."""
        return id(term) in self._known or (isinstance(term, z3.IntNumRef) and term is integer(term.as_long()))

    def before(self, sort: Sort, left: Term, right: Term) -> Formula:
        """`left < right`, both of one sort (integers: of any ranges)."""
        if left is right:
            return NO
        match sort:
            case IntSort():
                return _below(left, right)
            case CounterSort():
                return self.order(sort)(left, right) if self.any_number else _below(left, right)
            case Scalarset() if self.any_number:
                return self.order(sort)(left, right)
            case _:
                elements = self._elements[sort]
                return disjunction(
                    conjunction((self.equal(left, a), self.equal(right, b)))
                    for a, b in itertools.combinations(elements, 2)
                )

    def order(self, sort: Sort) -> z3.FuncDeclRef:
        if sort not in self._orders:
            z3_sort = self.sort(sort)
            self._orders[sort] = z3.Function(f"{sort.name}$before", z3_sort, z3_sort, z3.BoolSort())
        return self._orders[sort]

    def the(self, value: Value, sort: Sort) -> Term:
        """The element of an option; `sort` is the element's."""
        assert isinstance(value, Maybe)
        if value.element is None:
            return self.anything(sort)
        if self.any_number or value.present is YES:
            return value.element
        term = choice(value.present, value.element, self.anything(sort))
        assert not isinstance(term, Maybe)
        return term

    def sum(self, values: Sequence[Term]) -> Term:
        """The sum of integers."""
        known = sum(v.as_long() for v in values if isinstance(v, z3.IntNumRef))
        rest = [v for v in values if not isinstance(v, z3.IntNumRef)]
        if not rest:
            return integer(known)
        return z3.Sum(*rest, known) if known else z3.Sum(*rest) if len(rest) > 1 else rest[0]

    def negated(self, value: Term) -> Term:
        return integer(-value.as_long()) if isinstance(value, z3.IntNumRef) else -value

    def narrowed(self, value: Term, source: IntSort, target: IntSort) -> Term:
        """The integer, if it is in the target's range, else the end of that range that is next to it (a model owes that this never
        matters)."""
        term: Value = value
        if source.hi > target.hi:
            term = choice(_below(integer(target.hi), value), integer(target.hi), term)
        if source.lo < target.lo:
            term = choice(_below(value, integer(target.lo)), integer(target.lo), term)
        assert not isinstance(term, Maybe)
        return term

    def axioms(self) -> Iterator[Formula]:
        """What holds of the orders in a domain of any number; call after everything else has been translated."""
        if not self.any_number:
            return
        for sort in {**self._orders, **self._counted}:
            before, z3_sort = self.order(sort), self.sort(sort)
            a, b, c = (z3.Const(f"{sort.name}${n}", z3_sort) for n in "abc")
            yield z3.ForAll([a], z3.Not(before(a, a)))
            yield z3.ForAll([a, b, c], z3.Implies(z3.And(before(a, b), before(b, c)), before(a, c)))
            yield z3.ForAll([a, b], z3.Or(before(a, b), a == b, before(b, a)))
            counted = self._counted.get(sort, [])
            for low, high in itertools.pairwise(counted):
                yield before(low, high)
            for i, term in enumerate(counted):
                yield z3.ForAll([a], z3.Or(z3.Not(before(a, term)), *(a == t for t in counted[:i])))


def _below(left: Term, right: Term) -> Formula:
    """That one integer is less than another."""
    if isinstance(left, z3.IntNumRef) and isinstance(right, z3.IntNumRef):
        return YES if left.as_long() < right.as_long() else NO
    return left < right


def _alike(sort: Sort) -> Scalarset | None:
    """The scalarset whose elements are alike that the values of a sort belong to, if there is one."""
    base = sort.base if isinstance(sort, OptionSort) else sort
    return base if isinstance(base, Scalarset) and not base.ordered else None


def finite(instance: Instance, *, alike: bool = False) -> Domain:
    return Domain(instance.system, instance.sizes, alike=alike)


def any_number(system: System) -> Domain:
    """The domain in which every sort may have any number of elements.

    Raises:
        FlushproofError: the system speaks of how many a sort has.
    """
    if system.sized:
        names = ", ".join(sorted(system.sized))
        raise FlushproofError(f"{system.name} speaks of how many elements there are of {names}: it is another system at each size")
    return Domain(system, None)
