"""The search loop, in Python: slow, plain, and what faster engines are tested against."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Sequence

import numpy as np
import psutil
from flushproof.model.ir.instance import State

from ..moves import Kinds, Moves, Truths
from ..reductions.symmetry import Symmetry
from ..task import NO_DEADLOCK, Found, Progress, Task, refuse_too_little_memory
from .interpreter import Codes, Reference

# Seconds between two looks at memory and two calls of the progress callback.
_INTERVAL = 0.25
# States whose steps are taken between two looks at limits.
_LOOK = 4096


class ReferenceEngine:
    """Explores with the interpreter, on one core."""

    name = "reference"
    cannot_look_back = None

    @property
    def plain(self) -> ReferenceEngine:
        return self

    def search(self, task: Task) -> Found:
        """Carries out the task."""
        return _Search(task).run()


class _Stop(Exception):
    """A limit was reached; the text says which."""


class _Search:
    """One search.  `came_from` is the visited set: each state with the one that it was first found from."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.reference = Reference(task.instance, task.points)
        self.symmetry = Symmetry(task.instance) if task.symmetry else None
        self.group = self.symmetry.order if self.symmetry else 1
        self.canonical = self.symmetry.canonical if self.symmetry and self.group > 1 else _itself
        self.unreduced = 0
        self.came_from: dict[State, State | None] = {}
        self.level: list[State] = []
        self.found: list[State] = []
        self.levels: list[int] = []
        self.depth = 0
        self.transitions = 0
        self.violating: dict[str, State] = {}
        self.reached: dict[str, int] = {}
        self.unviolated = {p.name: self.reference.checker(p) for p in task.invariants}
        self.unreached = {p.name: self.reference.checker(p) for p in task.reachables}
        self.unmet = {n: self.reference.checker(w.formula) for n, w in enumerate(task.watched)}
        self.process = psutil.Process()
        self.compile_seconds = time.monotonic() - task.started
        self.next_look = task.started + _INTERVAL

    def run(self) -> Found:
        refuse_too_little_memory(self.task.limits, self.process.memory_info().rss)
        stopped = None
        try:
            self._search()
            if self.task.possible is not None and not self.task.done(self.violating):
                self._look_back(self.task.possible)
        except _Stop as stop:
            stopped = str(stop)
        except KeyboardInterrupt:
            stopped = "an interrupt"
        violated = {name: self._path(state) for name, state in self.violating.items()}
        depth = self.depth + bool(self.found)
        self.task.audited(_Visited(self), stopped, violated)
        return Found(
            len(self.came_from),
            self.transitions,
            depth,
            violated,
            self.reached,
            stopped,
            self.group,
            self.unreduced,
            compile_seconds=self.compile_seconds,
            happened=frozenset(range(len(self.task.watched))) - self.unmet.keys(),
            looked_for=len(self.task.watched),
        )

    def _search(self) -> None:
        for state in self.reference.initial_states():
            self._add(self.canonical(state), None)
            self._look()
        self.level, self.found = self.found, []
        self.levels.append(len(self.level))
        while self.level and not self.task.done(self.violating):
            if self.depth == self.task.limits.depth:
                raise _Stop(f"the limit of depth {self.depth}")
            for position, state in enumerate(self.level):
                self._expand(state)
                self._look(position)
            if not self.found:
                return
            self.level, self.found = self.found, []
            self.levels.append(len(self.level))
            self.depth += 1

    def _expand(self, state: State) -> None:
        before = self.transitions
        came_from, canonical = self.came_from, self.canonical
        for _, _, after in self.reference.successors(state):
            self.transitions += 1
            after = canonical(after)
            if after not in came_from:
                self._add(after, state)
        if self.transitions == before and self.task.deadlock and not self.reference.is_final(state):
            self.violating.setdefault(NO_DEADLOCK, state)

    def _look_back(self, name: str) -> None:
        """Notes the first state from which no state is reachable in which the property of this name is reached."""
        before: dict[State, list[State]] = {state: [] for state in self.came_from}
        for state in self.came_from:
            self._look()
            for _, _, after in self.reference.successors(state):
                before[self.canonical(after)].append(state)
        missed = self.reference.checker(next(p for p in self.task.reachables if p.name == name))
        reaching = [state for state in self.came_from if missed(state) is None]
        known = set(reaching)
        for state in reaching:
            new = [s for s in before[state] if s not in known]
            known.update(new)
            reaching.extend(dict.fromkeys(new))
        lost = next((state for state in self.came_from if state not in known), None)
        if lost is not None:
            self.violating[name] = lost

    def _add(self, state: State, before: State | None) -> None:
        """Stores a state, if it is new, and checks it."""
        if state in self.came_from:
            return
        if len(self.came_from) == self.task.limits.states:
            raise _Stop(f"the limit of {self.task.limits.states} states")
        self.came_from[state] = before
        self.found.append(state)
        self.unreduced += self.symmetry.orbit_size(state) if self.symmetry and self.group > 1 else 1
        for name, violation in list(self.unviolated.items()):
            if violation(state) is not None:
                self.violating[name] = state
                del self.unviolated[name]
        for name, missed in list(self.unreached.items()):
            if missed(state) is None:
                self.reached[name] = self.depth + (before is not None)
                del self.unreached[name]
        for number, met in list(self.unmet.items()):
            if met(state) is not None:
                del self.unmet[number]
        if self.task.on_state is not None:
            self.task.on_state(state)

    def _look(self, position: int = 0) -> None:
        """Now and then: reports progress, and looks at the limits of time and memory."""
        now = time.monotonic()
        if now < self.next_look:
            return
        self.next_look = now + _INTERVAL
        limits, seconds = self.task.limits, now - self.task.started - self.compile_seconds
        memory = self.process.memory_info().rss
        if self.task.progress is not None:
            queue = len(self.level) - position + len(self.found)
            told = Progress(
                len(self.came_from), self.transitions, self.depth, queue, seconds, memory, tuple(self.levels)
            )
            self.task.progress(told)
        if limits.seconds is not None and seconds > limits.seconds:
            raise _Stop(f"the limit of {limits.seconds:g} seconds")
        if limits.memory_bytes is not None and memory > limits.memory_bytes:
            raise _Stop(f"the limit of {limits.memory_bytes} bytes of memory")

    def _path(self, state: State | None) -> tuple[State, ...]:
        path: list[State] = []
        while state is not None:
            path.append(state)
            state = self.came_from[state]
        return tuple(reversed(path))


class _Visited:
    """The visited set, for an audit."""

    kept = True

    def __init__(self, search: _Search) -> None:
        self._search, self._canonical, self._set = search, search.canonical, search.came_from
        self._all = list(self._set)

    @property
    def count(self) -> int:
        return len(self._all)

    def states(self, numbers: Sequence[int]) -> list[State]:
        return [self._all[number] for number in numbers]

    def missing(self, states: Sequence[State]) -> Sequence[State]:
        return [state for state in states if self._canonical(state) not in self._set]

    def representatives(self, states: Sequence[State]) -> set[State]:
        return set(map(self._canonical, states))

    def where(self, reachable: str) -> Truths:
        search = self._search
        missed = search.reference.checker(next(p for p in search.task.reachables if p.name == reachable))
        return np.fromiter((missed(state) is None for state in self._all), np.bool_, self.count)

    def moves(self, kinds: Kinds, look: Callable[[], None]) -> Moves:
        numbers = {state: number for number, state in enumerate(self._all)}
        offsets, targets, taken = array("q", [0]), array("q"), array("q")
        known: dict[tuple[str, Codes], int] = {}
        for number, state in enumerate(self._all):
            for action, codes, after in self._search.reference.successors(state):
                kind = known.get((action.name, codes))
                if kind is None:
                    kind = known[action.name, codes] = kinds.number(action, codes)
                targets.append(numbers[self._canonical(after)])
                taken.append(kind)
            offsets.append(len(targets))
            if number % _LOOK == 0:
                look()
        return Moves(kinds, self._search.levels[0], np.array(offsets), np.array(targets), np.array(taken), 0.0)


def _itself(state: State) -> State:
    return state
