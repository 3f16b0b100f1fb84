"""Fresh values without naming them: they are above all others, in order."""

from __future__ import annotations

from flushproof.model.ir import FALSE, TRUE, CounterSort, Eq, Less, Read, Var
from flushproof.search.reductions.counters import without_fresh

GENERATION = CounterSort("Generation")
FIRST, SECOND = Var("first", GENERATION), Var("second", GENERATION)
NOW = Read("now", (), GENERATION)


def test_fresh_values_are_above_all_others() -> None:
    def said(expr: Eq | Less) -> object:
        return without_fresh(expr, (FIRST, SECOND))

    assert said(Less(NOW, FIRST)) is TRUE and said(Less(FIRST, NOW)) is FALSE
    assert said(Less(FIRST, SECOND)) is TRUE and said(Less(SECOND, FIRST)) is FALSE
    assert said(Eq(FIRST, SECOND)) is FALSE and said(Eq(NOW, SECOND)) is FALSE and said(Eq(FIRST, FIRST)) is TRUE
