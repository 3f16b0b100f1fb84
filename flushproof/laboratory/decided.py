"""What is known of a lattice while it is decided, and what follows from that by the declared orders."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from flushproof.laboratory.lattice import Lattice, Point, Policies, block
from flushproof.search.family import Shared


@dataclass(frozen=True)
class Refuted:
    """A declared order that does not hold: the weaker policy is safe, the stronger one, a step above it in this knob, is not."""

    knob: str
    weaker: Point
    stronger: Point


@dataclass
class Decided:
    """What is known of a lattice.

    lattice: with the orders that were not refuted.
    safe, unsafe: by a search, by a trace; unknown: those whose own search was stopped by a limit.
    families: the traces, each with the policies that share it; alone: how many other traces there are, each of one policy, to what
        no state alone tells; together they are about all unsafe ones.
    searches, states, seconds: what it took.
    confirmed: whether Z3 has confirmed the traces of `families`, which an interrupt leaves undone.
    reason: why it ended before everything was decided; None if it did not.
    """

    lattice: Lattice
    safe: Policies
    unsafe: Policies
    unknown: Policies
    families: list[Shared] = field(default_factory=list)
    alone: int = 0
    refuted: list[Refuted] = field(default_factory=list)
    searches: int = 0
    states: int = 0
    seconds: float = 0.0
    confirmed: bool = False
    reason: str | None = None

    _above: Policies | None = None
    _under: Policies | None = None
    _closed: tuple[Policies, Policies, Policies] | None = None

    @property
    def traces(self) -> int:
        """How many traces show of all unsafe policies that they are."""
        return len(self.families) + self.alone

    def learn(self) -> None:
        """What follows from `safe` and `unsafe` by the declared orders is to be found out anew."""
        self._above = self._under = self._closed = None

    def found_safe(self, point: Point) -> None:
        """A policy is safe, and what follows from that is added to what followed before."""
        self.above[self.lattice.above(point)] = self.safe[point] = True
        self._closed = None

    def found_unsafe(self, policies: Policies) -> None:
        """Policies are unsafe, and what follows from that is added to what followed before."""
        for known, more in ((self.under, self.lattice.downward(policies)), (self.unsafe, policies)):
            place = block(more)
            known[place] |= more[place]
        self._closed = None

    def found_one_unsafe(self, point: Point) -> None:
        """The same of one policy."""
        self.under[self.lattice.under(point)] = self.unsafe[point] = True
        self._closed = None

    @property
    def above(self) -> Policies:
        """What a search finds safe, and all that is stronger."""
        if self._above is None:
            self._above = self.lattice.upward(self.safe).copy()
        return self._above

    @property
    def under(self) -> Policies:
        """What a trace shows to be unsafe, and all that is weaker."""
        if self._under is None:
            self._under = self.lattice.downward(self.unsafe).copy()
        return self._under

    @property
    def holds(self) -> Policies:
        """Safe, by a search or by the declared order."""
        return self._by_order()[0]

    @property
    def fails(self) -> Policies:
        """Unsafe, by a trace or by the declared order."""
        return self._by_order()[1]

    @property
    def left(self) -> Policies:
        """Not decided."""
        return self._by_order()[2]

    def _by_order(self) -> tuple[Policies, Policies, Policies]:
        if self._closed is None:
            holds, fails = self.above & ~self.unsafe, self.under & ~self.safe
            self._closed = holds, fails, ~(holds | fails)
        return self._closed

    @property
    def weakest(self) -> list[Point]:
        """The weakest safe policies: safe by a search, and no policy one step weaker is safe; the cheapest to describe first."""
        holds = self.holds
        points = [tuple(map(int, p)) for p in np.argwhere(self.safe)]
        return [p for p in points if not any(holds[below] for below in self.lattice.below(p))]


@dataclass(frozen=True)
class Told:
    """How far it has come: policies decided by a search or trace of their own, by what was found for others, and left."""

    searched: int
    pruned: int
    left: int
