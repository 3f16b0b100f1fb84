"""Expressions about the state after some updates, told in terms of the state before."""

from __future__ import annotations

from flushproof.model.ir import BOOL, TRUE, Read, Scalarset, Update, Var
from flushproof.search.reductions.fusion import _After

PAGE = Scalarset("Page")
P, Q = Var("p", PAGE), Var("q", PAGE)


def test_what_a_bulk_update_wrote_is_read_at_the_location_that_is_asked_for() -> None:
    after = _After((Update("on", (Q,), (Q,), TRUE, Read("mark", (Q,), BOOL)),))
    assert after(Read("on", (P,), BOOL)) is Read("mark", (P,), BOOL)
