"""How much of a search is left: said only once its levels shrink, and then as a range.

Levels grow, and then shrink, faster and faster; some systems have two humps.  So as long as the last fifth of the levels is not
smaller than the fifth before it, nothing can be said.  Afterwards, a geometric series says how much is left if levels go on
shrinking as they do.  On the shipped systems twice that was at least what was left 99 times in 100, and never less than
nine tenths of it; a test keeps their levels.  Where levels hardly shrink, that is any number, and nobody can plan with it: it is
said only once no more is left than was found, so that a search takes at most as long again.
"""

from __future__ import annotations

from collections.abc import Sequence


def most_left(levels: Sequence[int]) -> int | None:
    """How many states there may be still, those of the last of these levels among them; None while they grow, or hardly shrink."""
    window = len(levels) // 5
    if not window:
        return None
    last, before = sum(levels[-window:]), sum(levels[-2 * window : -window])
    if last >= before:
        return None
    ratio: float = (last / before) ** (1 / window)
    most = round(2 * levels[-1] / (1 - ratio))
    return most if most <= sum(levels) else None
