"""Repairing a policy: the smallest sets of knob changes that make it safe.

A trace is hit by every change of knobs after which it is no trace any more; a repair hits all traces.  So the nearest policy that
no known trace forbids is searched through: it is a repair, or it gives one more trace to be hit.  Which policies a trace forbids is
known for all of them at once (see `search.family`), so that hitting sets need no solver: they are what is left of an array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flushproof.laboratory.decided import Decided, Told
from flushproof.laboratory.deciding import INTERRUPTED
from flushproof.laboratory.judging import Judge, Question
from flushproof.laboratory.lattice import Lattice, Point, Policies
from flushproof.result import HOLDS, Result

MOST = 8
"""So many repairs are looked for."""


@dataclass(frozen=True)
class Repair:
    """A safe policy, and what it changes: knob -> value.  Fewer of these changes, with whatever values, do not suffice.

    result: what `check` says of it.
    """

    point: Point
    changes: Mapping[str, str]
    result: Result


@dataclass(frozen=True)
class Repaired:
    """What makes a policy safe.

    before: what `check` says of the policy itself.
    repairs: the fewest changes first; another value of the same knobs is left out where it is declared to be stronger.
    everything: whether these are all repairs that there are; else they are the nearest ones.
    """

    decided: Decided
    before: Result
    repairs: tuple[Repair, ...]
    everything: bool

    @property
    def lattice(self) -> Lattice:
        return self.decided.lattice


def repair(question: Question, most: int = MOST, told: Callable[[Told | str], None] | None = None) -> Repaired:
    """Finds the smallest sets of changes of the open knobs that make the question's policy safe; an interrupt ends it early, and is
    not raised, once it is known what `check` says of the policy itself.

    most: so many of them; told: is told how far it has come.

    Raises:
        FlushproofError: as `Question.lattice`; there is no such property.
        AuditError, CertificateError: two readings of the system differ.
    """
    lattice = question.lattice()
    judge = Judge(question, lattice, told)
    (before,) = judge.checked([lattice.base])
    decided = judge.laboratory.decided
    repairs: list[Repair] = []
    try:
        for point in _nearest(judge, lattice, most) if before.verdict != HOLDS else ():
            (result,) = judge.checked([point])
            if result.verdict == HOLDS:
                repairs.append(Repair(point, lattice.differs(point, lattice.base), result))
        judge.laboratory.certify()
    except KeyboardInterrupt:
        decided.reason = INTERRUPTED
    left = _open(decided, lattice, [r.point for r in repairs])
    everything = before.verdict == HOLDS or (decided.reason is None and not left.any())
    return Repaired(decided, before, tuple(repairs), everything)


def _nearest(judge: Judge, lattice: Lattice, most: int) -> Iterator[Point]:
    """Safe policies, the nearest first, none of which changes all that an earlier one does."""
    laboratory, found = judge.laboratory, list[Point]()
    decided, far = laboratory.decided, _distances(lattice)
    while len(found) < most:
        left = _open(decided, lattice, found)
        if not left.any():
            return
        if laboratory.late():
            decided.reason = "the limit of time"
            return
        point = lattice.point(int(np.argmin(np.where(left, far, np.iinfo(far.dtype).max))))
        if not decided.safe[point]:
            laboratory.look(point)
        if decided.safe[point]:
            found.append(point)
            yield point


def _open(decided: Decided, lattice: Lattice, found: list[Point]) -> Policies:
    """The policies that may be further repairs."""
    left = ~(decided.unsafe | decided.unknown)
    for point in found:
        place = [
            sorted(v for v in range(len(axis.texts)) if value in axis.weaker[v])
            if value != mine
            else range(len(axis.texts))
            for axis, value, mine in zip(lattice.axes, point, lattice.base, strict=True)
        ]
        left[np.ix_(*place)] = False
    return left


def _distances(lattice: Lattice) -> npt.NDArray[np.int32]:
    """Of each policy: how many knobs it changes, and among as many, how far it goes."""
    far = np.zeros(lattice.shape, dtype=np.int32)
    for number, (axis, mine) in enumerate(zip(lattice.axes, lattice.base, strict=True)):
        shape = [1] * len(lattice.axes)
        shape[number] = len(axis.texts)
        here = [0 if v == mine else 1000 + abs(axis.height(v) - axis.height(mine)) for v in range(len(axis.texts))]
        far += np.array(here, dtype=np.int32).reshape(shape)
    return far
