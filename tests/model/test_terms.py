"""Making and changing expressions of the intermediate representation: what is folded has the meaning of what was written."""

from __future__ import annotations

from flushproof.model.ir import (
    BOOL,
    FALSE,
    TRUE,
    CounterSort,
    Eq,
    Expr,
    IntSort,
    Ite,
    Less,
    Lit,
    OptionSort,
    Quant,
    Read,
    Scalarset,
    Some,
    The,
    Var,
    terms,
)

PAGE = Scalarset("Page")
P, Q = Var("p", PAGE), Var("q", PAGE)
C = Read("c", (), BOOL)


def test_substitution_captures_nothing() -> None:
    """In `exists q. on[p, q]` the name q for p is not the q that is bound."""
    some = Quant("exists", Q, Read("on", (P, Q), BOOL))
    found = terms.substitute(some, {P: Q})
    assert isinstance(found, Quant) and found.var is not Q
    assert found.body is Read("on", (Q, found.var), BOOL)
    assert terms.free_vars(found) == {Q}


def test_the_element_of_an_option_that_is_none_on_one_way() -> None:
    none = Lit(None, OptionSort(PAGE))
    assert terms.the(terms.ite(C, Some(P), none)) is P
    assert terms.the(terms.ite(C, none, Some(P))) is P
    other = Read("at", (), OptionSort(PAGE))
    assert terms.the(terms.ite(C, other, none)) is The(other)


def test_sums_of_sums() -> None:
    n = Read("n", (), IntSort(0, 3))
    assert terms.plus(terms.plus(n, 1), 1) is terms.plus(n, 2)
    assert terms.plus(terms.plus(n, 2), -2) is n


def test_nothing_is_below_0_of_a_counter_and_not_everything_above() -> None:
    sort = CounterSort("Generation")
    zero, now = Lit(0, sort), Read("now", (), sort)
    assert terms.less(now, zero) is FALSE and terms.less(zero, zero) is FALSE
    assert terms.less(zero, now) is Less(zero, now)


def test_fresh_values_are_above_all_others() -> None:
    generation = CounterSort("Generation")
    first, second, now = Var("first", generation), Var("second", generation), Read("now", (), generation)

    def said(expr: Eq | Less) -> object:
        return terms.without_fresh(expr, (first, second))

    assert said(Less(now, first)) is TRUE and said(Less(first, now)) is FALSE
    assert said(Less(first, second)) is TRUE and said(Less(second, first)) is FALSE
    assert said(Eq(first, second)) is FALSE and said(Eq(now, second)) is FALSE and said(Eq(first, first)) is TRUE


def test_a_value_that_is_fresh_under_a_condition_is_compared_on_each_way() -> None:
    """`require(new != (new if c else now))` is possible where c does not hold, and `==` where it does."""
    generation = CounterSort("Generation")
    first, second, now = Var("first", generation), Var("second", generation), Read("now", (), generation)
    option = Read("last", (), OptionSort(generation))

    def said(expr: Expr) -> Expr:
        return terms.without_fresh(expr, (first, second))

    mixed = Ite(C, first, now)
    assert said(Eq(first, mixed)) is C and said(Eq(mixed, first)) is C
    assert said(terms.not_(Eq(first, mixed))) is terms.not_(C)
    assert said(Eq(mixed, second)) is FALSE and said(Less(mixed, second)) is TRUE
    assert said(Less(first, Ite(C, second, now))) is C
    assert said(Eq(mixed, now)) is terms.not_(C)
    assert said(Eq(option, Some(first))) is FALSE and said(Eq(Some(now), option)) is Eq(Some(now), option)


def test_a_known_number_that_does_not_fit_is_folded_to_the_nearest_end() -> None:
    """As every reading has it of one that is not known (`model/ir/evaluate.py`)."""
    one, digit = IntSort(1, 1), IntSort(1, 3)
    n = Var("n", digit)
    for value, nearest in ((-1, 1), (0, 1), (1, 1), (3, 3), (4, 3)):
        least = Lit(value - 1, IntSort(value - 1, value - 1))
        assert terms.narrow(terms.plus(least, Lit(1, one)), digit) is Lit(nearest, digit)
    less = terms.narrow(terms.plus(n, Lit(-3, IntSort(-3, -3))), digit)
    assert terms.substitute(less, {n: Lit(1, digit)}) is Lit(1, digit)
