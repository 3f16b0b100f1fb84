"""Deciding a lattice: which of its policies are safe, found with as few searches as it takes.

One search explores one policy, or many at once as rigid state.  What decides a policy, in this order of trust:

- *safe by a search* of its own that saw every reachable state, a sample of which is read again (the audit of `check`);
- *unsafe by a trace*: one that was found under it, or one found under another policy and replayed under this one; Z3 confirms each,
  for all policies that share it at once;
- *by the declared order* alone: stronger than a safe policy, or weaker than an unsafe one.  An order is used where a knob declares
  it, and wherever both ends of a step are decided otherwise it is checked; one that is refuted is used no more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import SupportsInt

import numpy as np

from flushproof.auditing import DEFAULT, Auditor
from flushproof.checking import certified, followed_on, looked_for
from flushproof.engines import engine_of
from flushproof.laboratory.confirming import Confirming
from flushproof.laboratory.decided import Decided, Refuted, Told
from flushproof.laboratory.lattice import Lattice, Point, Policies, block, number_of
from flushproof.model.errors import FlushproofError
from flushproof.model.ir.trace import Trace
from flushproof.properties.confirmation.certify import View
from flushproof.result import CertificateError
from flushproof.search.explore import Asked, ask, explore
from flushproof.search.family import Families, Rows, Shared
from flushproof.search.outcome import Outcome
from flushproof.search.task import Limits, Points

REPLAYED = 2000
"""So many policies that are not decided yet, at random, a new trace is replayed under; what it finds is about all others too."""

TOGETHER = 256
"""So many policies are explored in one search at most, where all of them are believed to be safe."""

IN_VAIN = 64
"""So many searches in a row that a limit of states or memory ends, and no more are begun: the next ones are as large."""

CONFIRMING = 0.25
"""This part of the time that deciding took, and a few seconds, goes to policies that only a declared order decided."""

INTERRUPTED = "an interrupt"
"""The reason of what ended early because somebody wanted it to."""

_SECONDS = 3.0


class Laboratory:
    """Decides the policies of one lattice.

    properties: names; all of the system's and the built-in ones if there are none.
    limits: `states` and `memory_bytes` of each search, `seconds` of all together.
    beside: whether Z3 may confirm traces in a process of its own, while deciding goes on; `close` ends it.
    """

    def __init__(
        self,
        lattice: Lattice,
        properties: Sequence[str] = (),
        limits: Limits = Limits(),  # noqa: B008 - frozen
        told: Callable[[Told], None] | None = None,
        beside: bool = False,
    ) -> None:
        self.properties, self.limits, self.told = looked_for(properties), limits, told
        self.engine = engine_of()
        self.judging = judging_by(lattice, properties)
        self.random = np.random.default_rng(0)
        self.begun = time.monotonic()
        none = lattice.none
        self.decided = Decided(lattice, none(), none(), none())
        self.confirming = Confirming(lattice.instance, beside)

    @cached_property
    def families(self) -> Families:
        """What a trace says of all policies at once."""
        lattice = self.decided.lattice
        return Families(lattice.instance, lattice.names, self.judging.invariants)

    @cached_property
    def auditor(self) -> Auditor:
        lattice, most = self.decided.lattice, self.limits.memory_bytes
        return Auditor(lattice.system, lattice.instance, lattice.policy, lattice.set(lattice.base), DEFAULT, most)

    def decide(self, confirm: bool = True, certify: bool = True) -> Decided:
        """Decides every policy, or as many as the limits allow; an interrupt ends it early, and is not raised.

        confirm: for a part of the time, search through those too that only a declared order decided.
        certify: wait until Z3 has confirmed the traces, also where it does so in another process; else `certify` is called later.

        Raises:
            CertificateError: Z3 does not confirm a trace.
            AuditError: two readings of the system differ.
        """
        decided = self.decided
        try:
            self._decide()
            if confirm and decided.reason is None:
                self._confirm(_SECONDS + CONFIRMING * (time.monotonic() - self.begun))
            if certify or not self.confirming.goes_on:
                self.certify()
        except KeyboardInterrupt:
            decided.reason = INTERRUPTED
        if decided.reason is None and decided.left.any():
            decided.reason = "a limit of states or memory"
        decided.seconds = time.monotonic() - self.begun
        return decided

    def explain(self, point: Point) -> Trace | None:
        """A shortest trace that shows why a policy is not safe; None if it is, or if a limit stopped the search.

        Raises:
            CertificateError: Z3 does not confirm it.
        """
        outcome = self._search([point])
        if outcome.trace is not None:
            self._found_alone(point, outcome.trace)
        elif outcome.verdict == "holds":
            self._found_safe([point])
        self._check_order()
        return outcome.trace

    def look(self, point: Point) -> None:
        """Searches through one policy, and keeps what that says of it and of others."""
        self._note([point], self._search([point]))
        self._tell()

    # ----------------------------------------------------------------------------------------------------------- deciding

    def _decide(self) -> None:
        at: Point | None = None
        vain = 0
        while (point := self._next(at, vain)) is not None:
            if self.late():
                self.decided.reason = f"the limit of {self.limits.seconds:g} seconds"
                return
            if vain == IN_VAIN:
                self.decided.reason = f"a limit of states or memory, which {IN_VAIN} searches in a row came to"
                return
            outcome = self._search([point])
            self._note([point], outcome)
            vain = vain + 1 if outcome.verdict == "inconclusive" else 0
            if outcome.verdict == "holds":
                at = point
            self._check_order()
            self._tell()

    def _next(self, at: Point | None, vain: int) -> Point | None:
        """What to search through next: a policy one step below the last safe one, or else one of the strongest that are left; where
        limits ended the last searches (`vain` of them), every other time any one: its trace may be within them."""
        left = self.decided.left & ~self.decided.unknown
        lattice = self.decided.lattice
        if vain % 2 and left.any():
            return lattice.point(int(self.random.choice(np.flatnonzero(left))))
        if at is not None:
            below = next((p for p in lattice.below(at) if left[p]), None)
            if below is not None:
                return below
        if not left.any():
            return None
        base = lattice.base
        if left[base]:
            return base
        return lattice.point(int(np.argmax(np.where(left, lattice.heights, -1))))

    def _search(self, points: Sequence[Point], seconds: float | None = None) -> Outcome:
        """Explores under these policies; seconds: at most."""
        left = self.seconds_left()
        seconds = left if seconds is None else seconds if left is None else min(left, seconds)
        outcome = self._explored(points, Limits(self.limits.states, self.limits.memory_bytes, seconds))
        self.decided.searches += 1
        self.decided.states += outcome.states
        raise_interrupt(outcome)
        return outcome

    def _explored(self, points: Sequence[Point], limits: Limits) -> Outcome:
        lattice = self.decided.lattice
        return explore(
            lattice.instance,
            properties=self.properties,
            limits=limits,
            engine=self.engine,
            audit=self.auditor.stored,
            points=Points(lattice.names, tuple(points)),
        )

    def _note(self, points: Sequence[Point], outcome: Outcome) -> None:
        """Keeps what a search says, and what its trace says of other policies."""
        if outcome.verdict == "holds":
            self._found_safe(points)
        elif outcome.trace is not None:
            self._replay(outcome.trace)
        else:
            for point in points:
                self.decided.unknown[point] = len(points) == 1

    def _replay(self, trace: Trace) -> None:
        decided, lattice = self.decided, self.decided.lattice
        own = self.families.values(trace.initial)
        if not self.families.tells_of(trace.property):
            self._found_alone(own, trace)
            return
        left, feared = np.flatnonzero(decided.left), np.flatnonzero(decided.fails & ~decided.unsafe)
        some = np.concatenate([self.random.choice(s, min(REPLAYED, len(s)), replace=False) for s in (left, feared)])
        rows: Rows = np.array(np.unravel_index(some, lattice.shape), dtype=np.int8).T
        for shared in self.families.share(trace, rows):
            policies = self.families.members(shared.open)
            place = block(policies)
            if (policies[place] > decided.unsafe[place]).any():
                self._found_unsafe(policies, shared.trace)
                decided.families.append(shared)
                decided.confirmed = False
                self.confirming.add(shared, number_of(policies))
        assert decided.unsafe[own]

    def _found_alone(self, point: Point, trace: Trace) -> None:
        """Keeps what a trace says of its own policy, once Z3 has confirmed it."""
        shown = confirmed(trace, self._view(trace))
        if self.decided.safe[point]:
            raise self._contradiction(point, shown)
        self.decided.alone += not self.decided.unsafe[point]
        self.decided.found_one_unsafe(point)

    def _found_unsafe(self, policies: Policies, trace: Trace) -> None:
        """Keeps what a trace says: no search has found one of these policies safe."""
        place = block(policies)
        if (policies[place] & self.decided.safe[place]).any():
            point = self.decided.lattice.point(int(np.argmax(policies & self.decided.safe)))
            raise self._contradiction(point, trace)
        self.decided.found_unsafe(policies)

    def _contradiction(self, point: Point, trace: Trace) -> CertificateError:
        where = self.decided.lattice.text(point)
        return CertificateError(f"a search finds {where} safe, under which there is a trace to '{trace.property}'")

    def _found_safe(self, points: Sequence[Point]) -> None:
        """Keeps what a search says: there is no trace under one of these policies."""
        decided = self.decided
        for point in points:
            if decided.unsafe[point]:
                where = decided.lattice.text(point)
                raise CertificateError(f"a search finds {where} safe, under which there is a trace to a violation")
            decided.found_safe(point)

    # --------------------------------------------------------------------------------------------------------------- order

    def _check_order(self) -> None:
        """Gives up each declared order that what is known refutes."""
        decided = self.decided
        while True:
            lattice = decided.lattice
            against = decided.above & decided.unsafe
            if not against.any():
                return
            found = next(lattice.edges(decided.safe, decided.unsafe), None) or self._between(against)
            if found is None:
                return
            decided.refuted.append(Refuted(*found))
            decided.lattice = lattice.without_order(found[0])
            decided.learn()

    def _between(self, against: Policies) -> tuple[str, Point, Point] | None:
        """A single step from a safe policy to an unsafe one, on the way between two that are further apart."""
        decided, lattice = self.decided, self.decided.lattice
        upper = lattice.point(int(np.argmax(against)))
        lower = next(p for p in map(_plain, np.argwhere(decided.safe)) if lattice.is_below(p, upper))
        while True:
            nearer = next(p for p in lattice.below(upper) if lattice.is_below(lower, p))
            if not (decided.safe[nearer] or decided.unsafe[nearer]):
                self.look(nearer)
            if decided.safe[nearer]:
                return next((k, p, q) for k, p, q in self._step(nearer, upper))
            if not decided.unsafe[nearer]:
                return None  # a limit stopped it: nothing is refuted
            upper = nearer

    def _step(self, weaker: Point, stronger: Point) -> list[tuple[str, Point, Point]]:
        names = self.decided.lattice.names
        return [(n, weaker, stronger) for n, v, w in zip(names, weaker, stronger, strict=True) if v != w]

    # ---------------------------------------------------------------------------------------------------------- confirming

    def _confirm(self, seconds: float) -> None:
        """Searches through policies that only a declared order decided, as far as the time goes."""
        until = time.monotonic() + seconds
        decided, lattice = self.decided, self.decided.lattice
        together = 8
        while time.monotonic() < until and not self.late():
            hoped = np.flatnonzero(decided.holds & ~decided.safe & ~decided.unknown)
            feared = np.flatnonzero(decided.fails & ~decided.unsafe & ~decided.unknown)
            if not len(hoped) and not len(feared):
                return
            one_by_one = not len(hoped) or (len(feared) and self.decided.searches % 2)
            chosen = self.random.choice(
                feared if one_by_one else hoped, 1 if one_by_one else min(together, len(hoped)), False
            )
            points = [lattice.point(int(number)) for number in chosen]
            outcome = self._search(points, max(0.01, until - time.monotonic()))
            if time.monotonic() < until or outcome.verdict != "inconclusive":
                self._note(points, outcome)
            if outcome.verdict == "inconclusive":
                together = max(1, together // 4)
            elif outcome.seconds < seconds / 10:
                together = min(TOGETHER, 2 * together)
            self._check_order()
            self._tell()
            if decided.lattice is not lattice:
                self._decide()
                lattice = decided.lattice

    # -------------------------------------------------------------------------------------------------------------- the rest

    def certify(self) -> None:
        """Z3 confirms the traces that it takes to show of every unsafe policy that it is: the largest families first."""
        decided = self.decided
        decided.confirmed = False
        shown = decided.lattice.none()
        kept = []
        sets = [(number_of(p), n, p) for n, p in enumerate(map(self._members, decided.families))]
        for _, number, policies in sorted(sets, key=lambda s: (-s[0], s[1])):
            place = block(policies)
            more = policies[place] > shown[place]
            if more.any():
                shown[place] |= more
                kept.append(decided.families[number])
        self.confirming.finish(kept)
        decided.families, decided.confirmed = kept, True

    def close(self) -> None:
        """Ends the process in which Z3 confirms traces."""
        self.confirming.close()

    def _view(self, trace: Trace) -> View | None:
        return self.confirming.view if trace.instance is self.confirming.instance else None

    def _members(self, shared: Shared) -> Policies:
        return self.families.members(shared.open)

    def late(self) -> bool:
        """Whether the time is over."""
        left = self.seconds_left()
        return left is not None and left <= 0.01

    def seconds_left(self) -> float | None:
        """How much of the time is left, and a moment at least; None where there is no limit."""
        if self.limits.seconds is None:
            return None
        return max(0.01, self.limits.seconds - (time.monotonic() - self.begun))

    def _tell(self) -> None:
        self.confirming.go_on()
        if self.told is not None:
            decided = self.decided
            left = int(np.count_nonzero(decided.left))
            self.told(Told(decided.searches, decided.lattice.count - left - decided.searches, left))


def judging_by(lattice: Lattice, properties: Sequence[str]) -> Asked:
    """The properties by which policies are judged: those of these names, or all that are looked for where none is named.

    Raises:
        FlushproofError: there is no property of that name, or it must be reached.
    """
    asked = ask(lattice.instance, looked_for(properties))
    if properties and asked.reachables:
        raise FlushproofError(
            f"'{asked.reachables[0].name}' must be reached, and many policies are judged by what must hold; "
            "`check --property` says of one policy whether it is reached"
        )
    return asked


def raise_interrupt(outcome: Outcome) -> None:
    """An interrupt, which a search takes for itself, is raised: somebody wants the whole to end.

    Raises:
        KeyboardInterrupt: it came.
    """
    if "an interrupt" in (outcome.reason or ""):
        raise KeyboardInterrupt


def confirmed(trace: Trace, view: View | None = None) -> Trace:
    """The trace, once Z3 has confirmed it, and that a wait at its end has none.

    view: as in `certified`.

    Raises:
        CertificateError: it did not.
    """
    followed_on(certified(trace, view))
    return trace


def _plain(numbers: Iterable[SupportsInt]) -> Point:
    return tuple(int(n) for n in numbers)


def decide(
    lattice: Lattice,
    properties: Sequence[str] = (),
    limits: Limits = Limits(),  # noqa: B008 - frozen
    told: Callable[[Told], None] | None = None,
) -> Decided:
    """Decides the policies of a lattice; see `Laboratory`.

    Raises:
        FlushproofError: there is no property of that name.
    """
    if not lattice.axes:
        raise FlushproofError("no open knob changes anything here")
    return Laboratory(lattice, properties, limits, told).decide()
