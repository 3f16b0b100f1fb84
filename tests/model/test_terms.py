"""Making and changing expressions of the intermediate representation: what is folded has the meaning of what was written."""

from __future__ import annotations

from flushproof.model.ir import (
    BOOL,
    FALSE,
    CounterSort,
    IntSort,
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
