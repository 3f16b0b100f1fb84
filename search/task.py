"""What an engine is asked, and what it answers: the one interface between `explore` and the engines.

An engine explores breadth-first, one level after the other; level d is the set of states whose shortest way from an
initial state has d transitions.  So that an answer depends on neither the order inside a level nor the number of
workers, the levels have exact rules:

- Level 0 is the set of initial states.  For d = 0, 1, ...: every state of level d is expanded, which finds level d + 1.
- A state is checked against the invariants, and for what is to be reached, when it is found; an expanded state without
  successors in which `final` is false is a deadlock.
- The search stops before it expands a level when what it looks for (`Task.done`) was found by then; so a level that
  was begun is finished, unless a limit or an interrupt stops it.
- States are told apart after rank renaming of counters, and, with symmetry, up to the permutations of scalarsets.
  Transitions are counted before any of that: every action and binding that is possible in an expanded state, fresh
  values not counting as a choice.
- A state from which what must remain possible (`Task.possible`) is not reachable is looked for once everything is stored, against
  the direction of the steps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from flushproof.model.errors import FlushproofError, seconds, whole
from flushproof.model.ir import Property
from flushproof.model.ir.instance import Instance, State
from flushproof.model.ir.waits import NO_STUCK

from .forecast import most_left
from .moves import Kinds, Moves, Truths
from .vacuity import Watched

NO_DEADLOCK = "no-deadlock"
WELL_DEFINED = "well-defined"
TO_BE_ASKED = (NO_STUCK,)
"""Built-in properties that are looked for where they are named, or where a system asks for them."""


@dataclass(frozen=True)
class Limits:
    """Where to stop; None is no limit.

    states: how many distinct states to store; memory_bytes: of the whole process, resident; seconds: of exploring;
    depth: no state of this depth is expanded.

    Raises:
        FlushproofError: a limit that is no number, or too small for any search.
    """

    states: int | None = None
    memory_bytes: int | None = None
    seconds: float | None = None
    depth: int | None = None

    def __post_init__(self) -> None:
        for name, least in (("states", 1), ("memory_bytes", 1), ("depth", 0)):
            if (value := getattr(self, name)) is not None:
                whole(f"the limit '{name}'", value, least)
        if self.seconds is not None:
            seconds("the limit 'seconds'", self.seconds)


@dataclass(frozen=True)
class Progress:
    """How far a search has come.

    queue: how many states are found and not expanded yet; levels: how many states each level has, the last one being expanded.
    restored: of the states, and of those expanded, how many came from a checkpoint, and took none of the seconds.
    beginning: while initial states are made: how far that is, as a phrase.
    """

    states: int
    transitions: int
    depth: int
    queue: int
    seconds: float
    memory_bytes: int
    levels: tuple[int, ...] = ()
    restored: tuple[int, int] = (0, 0)
    beginning: str | None = None

    @property
    def seconds_left(self) -> tuple[float, float] | None:
        """At this rate: at least, for the queue, and at most, if levels go on shrinking as they do; None while they grow or hardly
        shrink."""
        most, expanded = most_left(self.levels), self.states - self.queue
        since = expanded - self.restored[1]
        if most is None or since <= 0:
            return None
        done = expanded - sum(self.levels[:-1])
        each = self.seconds / since
        return each * self.queue, each * max(self.queue, most - done)

    @property
    def rate(self) -> float:
        """States found per second so far."""
        return (self.states - self.restored[0]) / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True)
class Points:
    """Values that some free variables begin with: each of `rows` has a code for each of `names`, which have no index.

    They are what a policy leaves open: knobs that are rigid state, so that one search is about many policies.
    """

    names: tuple[str, ...]
    rows: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        assert self.rows and all(len(row) == len(self.names) for row in self.rows)


class Visited(Protocol):
    """What a search that saw everything has stored, while it is still there to be looked at."""

    @property
    def count(self) -> int:
        """How many states."""

    @property
    def kept(self) -> bool:
        """Whether the states themselves are there, and not their fingerprints alone."""

    def states(self, numbers: Sequence[int]) -> list[State]:
        """Those with these numbers, from 0 on, as they are stored."""

    def missing(self, states: Sequence[State]) -> Sequence[State]:
        """Those of the states (with symmetry: perhaps a permutation) that are not among those stored."""

    def representatives(self, states: Sequence[State]) -> set[State]:
        """What the engine stores for these states (with symmetry: one for each class)."""

    def where(self, reachable: str) -> Truths:
        """Of each state, whether this one of the task's reachables is reached in it."""

    def moves(self, kinds: Kinds, look: Callable[[], None]) -> Moves:
        """All steps between the states (without symmetry); look: called now and then, for who sees to limits."""


@dataclass(frozen=True)
class Task:
    """One search.

    invariants: what must hold in each state, most important first; `deadlock`: whether to look for deadlocks.
    reachables: properties of kind "reachable".
    watched: what to look for besides, without any effect on verdicts; an engine that has no room for all takes the first.
    possible: the name of one of the reachables: from every state, one must be reachable in which it is reached.
    focus: look for a violation of this one alone, and note the others on the way.
    symmetry: explore orbits of the permutations of scalarsets instead of states.
    progress: called at most a few times a second; on_state: called with each state when it is stored (with symmetry,
        with one of each orbit).  Neither may change anything.
    audit: called once with all that is stored and the names of what is violated all the same, after a search that saw everything
        and did not find what it looked for.
    points: begin with these values alone; None for every value that the free variables may have.
    started: `time.monotonic()` of the beginning.
    """

    instance: Instance
    invariants: tuple[Property, ...]
    reachables: tuple[Property, ...] = ()
    deadlock: bool = True
    focus: str | None = None
    symmetry: bool = True
    limits: Limits = Limits()
    progress: Callable[[Progress], None] | None = None
    on_state: Callable[[State], None] | None = None
    audit: Callable[[Visited, Collection[str]], None] | None = None
    watched: tuple[Watched, ...] = ()
    possible: str | None = None
    points: Points | None = None
    started: float = field(default_factory=time.monotonic)

    def audited(self, visited: Visited, stopped: str | None, violated: Mapping[str, object]) -> None:
        """Shows what is stored to who asked for it, where everything was seen."""
        if self.audit is not None and stopped is None and not self.done(violated) and visited.count:
            self.audit(visited, violated)

    def done(self, violated: Mapping[str, object]) -> bool:
        """Whether nothing is left to look for once these properties are violated."""
        return bool(violated) if self.focus is None else self.focus in violated


@dataclass(frozen=True)
class Found:
    """What a search found.

    depth: of the deepest state found.
    violated: for each violated property, a shortest way to a violation: states, each of which is a successor of the
        one before (with symmetry: of some permutation of it), the last one violating; for `Task.possible`, a shortest way to a
        state from which it cannot be reached any more.
    reached: for each reached "reachable" property the least depth.
    happened: the numbers of those in `Task.watched` that happened; looked_for: how many of them were looked for.
    stopped: which limit or interrupt ended the search early, as a phrase ("the limit of 1000 states"); None if none did.
    group: how many permutations of a state were taken as one (1: no symmetry); unreduced: how many states those stored stand
        for, all of their permutations counted.
    omission: the probability that a state was taken for another one is at most this; None where states are compared.
    compile_seconds: how much of the time went into making the engine ready.
    """

    states: int
    transitions: int
    depth: int
    violated: Mapping[str, tuple[State, ...]]
    reached: Mapping[str, int]
    stopped: str | None = None
    group: int = 1
    unreduced: int = 0
    omission: float | None = None
    compile_seconds: float = 0.0
    happened: frozenset[int] = frozenset()
    looked_for: int = 0


def refuse_too_little_memory(limits: Limits, needed: int) -> None:
    """Where a search could not even begin.

    Raises:
        FlushproofError: the limit of memory is below what is needed before the first state, in bytes.
    """
    if limits.memory_bytes is not None and limits.memory_bytes < needed:
        raise FlushproofError(
            f"a limit of {limits.memory_bytes / 2**20:,.4g} MiB of memory is too small: flushproof takes {needed / 2**20:,.0f} MiB "
            "before it stores the first state."
        )


class Engine(Protocol):
    """Something that searches."""

    @property
    def cannot_look_back(self) -> str | None:
        """Why it cannot look for what must remain possible (`Task.possible`), as the end of a sentence; None if it can."""

    @property
    def name(self) -> str:
        """As on the command line: "reference", "native"."""

    @property
    def plain(self) -> Engine:
        """One like it with one worker, that keeps whole states, and all of them in memory."""

    def search(self, task: Task) -> Found:
        """Carries out the task; an interrupt (Ctrl-C) ends it early and is not raised."""
