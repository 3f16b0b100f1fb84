"""What exploring an instance came to."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from flushproof.model.ir.trace import Trace

from .vacuity import Never

Verdict = Literal["holds", "violated", "inconclusive"]


@dataclass(frozen=True)
class Violated:
    """A violated property.

    depth: how many transitions lead to the nearest violating state; trace: a shortest one, with the event as its last
    step where a clause has one.
    """

    property: str
    depth: int
    trace: Trace


@dataclass(frozen=True)
class Later:
    """What was found out about executions, once every state was seen.

    violated: the nearest violation, None if there is none; waits: how many states were stored for each process that may have to
    wait; seconds, compile_seconds: of all of it; reason: which limit ended it early.
    """

    violated: Violated | None = None
    waits: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    compile_seconds: float = 0.0
    reason: str | None = None


@dataclass(frozen=True)
class Outcome:
    """The verdict on the properties that were asked for.

    verdict: "violated" if one of them is; "holds" only if every reachable state was seen; otherwise "inconclusive".
    complete: every reachable state was seen.
    violations: every asked property of which a violation was met, nearest first; `property` and `trace` are the focus's
        if it is violated, or else those of the first.
    states: distinct ones (with symmetry: orbits); transitions: out of expanded ones; depth: of the deepest state found.
    seconds: of exploring, without compiling; compile_seconds: of making the engine ready.
    reached: the least depth of each "reachable" property that is; not_reached: the others, of which it is known that they
        cannot be reached only if the search is complete.
    reason: which limit or interrupt stopped the search, and how far it had come.
    symmetry: whether it was asked for; group: how many permutations were taken as one; unreduced: how many states those counted
        stand for, all of their permutations counted.
    fixed: of each sort of which not all elements were permuted, how many kept their names.
    omission: the probability that a state was taken for another one, and that therefore something was missed, is at most this; None
        where states themselves were compared.
    engine: the engine's name.
    fused: the hidden steps that were taken together with the one before them.
    waits: where waits without an end were looked for, how many states were stored for each process that may have to wait.
    bound: how many values of counters were explored, without renaming them; None if they were renamed, and so many there may be.
    cut: the least depth of a state in which a step was cut off by the bound; None if none was.
    never: what happened in no reachable state; None where that was not asked or is not known. unwatched: of how many actions and
        checks of events that was not looked for, for want of room.
    """

    verdict: Verdict
    property: str | None
    trace: Trace | None
    violations: tuple[Violated, ...]
    complete: bool
    states: int
    transitions: int
    depth: int
    seconds: float
    compile_seconds: float
    reached: Mapping[str, int]
    not_reached: tuple[str, ...]
    reason: str | None
    symmetry: bool
    group: int
    unreduced: int
    omission: float | None
    engine: str
    fused: tuple[str, ...] = ()
    bound: int | None = None
    cut: int | None = None
    never: Never | None = None
    unwatched: int = 0
    waits: Mapping[str, int] = field(default_factory=dict)
    fixed: Mapping[str, int] = field(default_factory=dict)

    @builtins.property
    def shortest(self) -> bool:
        """Whether a trace is known to be a shortest one: nothing that might be missing is nearer."""
        near = self.cut is None or all(v.depth <= self.cut + 1 for v in self.violations if v.trace is self.trace)
        lasso = self.trace is not None and self.trace.cycle is not None
        return near and not self.fused and self.omission is None and not lasso
