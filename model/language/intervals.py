"""How large a whole number can be where something is known of it: what makes a counting loop's variable finite."""

from __future__ import annotations

from collections.abc import Iterable

from flushproof.model import ir
from flushproof.model.ir import terms

from .values import Path

MOST_TERMS = 200
"""How many parts of a term are looked at; beyond that its sort's range has to do."""


def within(term: ir.Expr, path: Path) -> ir.IntSort:
    """The smallest range that the term is seen to be in, on this path."""
    assert isinstance(term.sort, ir.IntSort)
    lo, hi = Intervals(terms.conjuncts(path.known)).of(term)
    return (
        ir.IntSort(lo, hi) if lo <= hi else ir.IntSort(term.sort.lo, term.sort.lo)
    )  # nothing is: the path is never taken


class Intervals:
    """Ranges of terms, given facts that are all true."""

    def __init__(self, facts: Iterable[ir.Expr]) -> None:
        self.left = MOST_TERMS
        self.bounds: dict[ir.Expr, tuple[int | None, int | None]] = {}
        self.others: dict[ir.Expr, frozenset[int]] = {}
        for fact in facts:
            self.learn(fact)

    def learn(self, fact: ir.Expr) -> None:
        match fact:
            case ir.Less(term, ir.Lit(int() as bound, ir.IntSort())):
                self.bound(term, None, bound - 1)
            case ir.Less(ir.Lit(int() as bound, ir.IntSort()), term):
                self.bound(term, bound + 1, None)
            case ir.Not(ir.Less(term, ir.Lit(int() as bound, ir.IntSort()))):
                self.bound(term, bound, None)
            case ir.Not(ir.Less(ir.Lit(int() as bound, ir.IntSort()), term)):
                self.bound(term, None, bound)
            case ir.Eq(term, ir.Lit(int() as value, ir.IntSort())) | ir.Eq(ir.Lit(int() as value, ir.IntSort()), term):
                self.bound(term, value, value)
            case ir.Not(
                ir.Eq(term, ir.Lit(int() as value, ir.IntSort())) | ir.Eq(ir.Lit(int() as value, ir.IntSort()), term)
            ):
                self.other_than(term, value)
            case ir.Or((ir.Less(_, _) as one, ir.Less(_, _) as two)) | ir.Not(
                ir.And((ir.Not(ir.Less(_, _) as one), ir.Not(ir.Less(_, _) as two)))
            ) if one.left == two.right and one.right == two.left:  # unequal, of two ranges
                match one.left, one.right:
                    case (ir.Lit(int() as value), term) | (term, ir.Lit(int() as value)):
                        self.other_than(term, value)

    def other_than(self, term: ir.Expr, value: int) -> None:
        self.others[bare(term)] = self.others.get(bare(term), frozenset()) | {value}

    def bound(self, term: ir.Expr, lo: int | None, hi: int | None) -> None:
        term = bare(term)
        low, high = self.bounds.get(term, (None, None))
        self.bounds[term] = (largest(low, lo), smallest(high, hi))

    def of(self, term: ir.Expr) -> tuple[int, int]:
        assert isinstance(term.sort, ir.IntSort)
        lo, hi = term.sort.lo, term.sort.hi
        self.left -= 1
        if self.left > 0:
            match term:
                case ir.Lit(int() as value):
                    lo = hi = value
                case ir.Plus(args):
                    parts = [self.of(a) for a in args]
                    lo, hi = sum(p[0] for p in parts), sum(p[1] for p in parts)
                case ir.Negated(arg):
                    inner = self.of(arg)
                    lo, hi = -inner[1], -inner[0]
                case ir.Narrow(arg):
                    inner = self.of(arg)
                    lo, hi = max(lo, inner[0]), min(hi, inner[1])
                case ir.Ite(cond, then, other):
                    ways = [self.under(cond, then), self.under(terms.not_(cond), other)]
                    lo, hi = min(w[0] for w in ways), max(w[1] for w in ways)
        low, high = self.bounds.get(bare(term), (None, None))
        lo, hi = lo if low is None else max(lo, low), hi if high is None else min(hi, high)
        others = self.others.get(bare(term), ())
        while lo in others:
            lo += 1
        while hi in others:
            hi -= 1
        return lo, hi

    def under(self, cond: ir.Expr, term: ir.Expr) -> tuple[int, int]:
        """The term's range where the condition holds as well."""
        before, others = dict(self.bounds), dict(self.others)
        for fact in terms.conjuncts(cond):
            self.learn(fact)
        found = self.of(term)
        self.bounds, self.others = before, others
        return found


def bare(term: ir.Expr) -> ir.Expr:
    """The number without the ranges that it was put into."""
    while isinstance(term, ir.Narrow):
        term = term.arg
    return term


def largest(left: int | None, right: int | None) -> int | None:
    return right if left is None else left if right is None else max(left, right)


def smallest(left: int | None, right: int | None) -> int | None:
    return right if left is None else left if right is None else min(left, right)
