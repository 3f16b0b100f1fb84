"""Is what a search stored all that there is?  A random sample of it, looked at again by the interpreter.

Of each state in the sample all successors must be stored as well, up to the symmetry of the interpreter's own reading and not the
engine's; all that was asked for must hold, by two evaluations; and every value must be one of its sort.  Where only fingerprints
are left, random walks of the interpreter must find nothing that is not stored.
"""

from __future__ import annotations

import itertools
import math
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from flushproof.model.ir import Property, Var
from flushproof.model.ir.evaluate import decode, evaluate
from flushproof.model.ir.instance import Instance, State

from .explore import Searched
from .reductions.symmetry import Symmetry
from .reference.interpreter import Reference
from .task import WELL_DEFINED

ONE_IN = 1000
"""Of how many states one that misses a successor is spoken of."""

_CHUNK = 20
_EVALUATED = 20
_INITIAL = 50
_WALK = 100
_MOST_HIDDEN = 100_000
_WAYS = 2_000


class Omission(Exception):
    """What a search stored is not what the interpreter finds; the text says in what.  state: where."""

    def __init__(self, said: str, state: State) -> None:
        super().__init__(said)
        self.said, self.state = said, state


@dataclass(frozen=True)
class Again:
    """How much was looked at again.

    states: how many, of how many that are stored; successors: how many of theirs were found again; evaluated: of the states, those
        whose properties were evaluated a second time.
    sampled: the states are a random sample of those stored (or else they were met on walks).
    left_out: what could not be looked at, and why.
    """

    states: int = 0
    of: int = 0
    successors: int = 0
    evaluated: int = 0
    sampled: bool = True
    left_out: tuple[str, ...] = ()

    @property
    def missed(self) -> float | None:
        """The chance that the sample has none of the states that miss a successor, if one in a thousand (at least one) does."""
        if not self.sampled or not self.of:
            return None
        bad = max(1, self.of // ONE_IN)
        if self.of - bad < self.states:
            return 0.0
        return math.exp(
            sum(math.log1p(-bad / (self.of - i)) for i in range(self.states))
            if self.states < 100_000
            else self.states * math.log1p(-bad / self.of)
        )


class Sample:
    """A random sample of what a search has stored, or all of it in random order.

    looked: the states that were looked at, with their successors.
    """

    def __init__(self, searched: Searched, seed: int = 0) -> None:
        self.searched, self.instance = searched, searched.instance
        self.reference = Reference(searched.instance, searched.points)
        self.rng = random.Random(seed)
        self.checks = {p.name: self.reference.checker(p) for p in searched.invariants}
        self.most = tuple(self.instance.cardinality(slot.sort) for slot in self.instance.slots)
        self.looked: list[tuple[State, frozenset[State]]] = []
        self.successors = self.evaluated = 0

    @cached_property
    def canonical(self) -> Callable[[State], State]:
        return Symmetry(self.instance).canonical if self.searched.symmetry else lambda state: state

    @cached_property
    def everything(self) -> frozenset[State]:
        """All that is stored."""
        visited = self.searched.visited
        return frozenset(visited.states(range(visited.count)))

    def look(self, most: int | None, until: float | None) -> Again:
        """Looks at so many states, or until that time (`time.thread_time()`).

        Raises:
            Omission: something is missing, or does not hold.
        """
        visited, count = self.searched.visited, self.searched.visited.count
        if not visited.kept:
            return self._walk(most, until)
        if self.searched.hidden and count > _MOST_HIDDEN:
            why = f"the successors of stored states: with fused steps, of more than {_MOST_HIDDEN:,} states"
            return Again(of=count, left_out=(why,))
        self._beginnings()
        size = count if most is None else min(most, count)
        numbers = self.rng.sample(range(count), size)
        for start in range(0, size, _CHUNK):
            if until is not None and start and time.thread_time() > until:
                break
            self._chunk(visited.states(numbers[start : start + _CHUNK]))
        return Again(len(self.looked), count, self.successors, self.evaluated)

    def come_back(self, most: int | None, until: float | None) -> int:
        """From how many states of the sample the interpreter finds a way to what must remain possible.

        Raises:
            Omission: from one there is none, or a successor of one is not stored.
        """
        visited, found = self.searched.visited, 0
        assert self.searched.possible is not None
        missed = self.reference.checker(self.searched.possible)
        numbers = self.rng.sample(range(visited.count), visited.count if most is None else min(most, visited.count))
        for place, state in enumerate(visited.states([number])[0] for number in numbers):
            if until is not None and place and time.thread_time() > until:
                break
            ways, seen = [state], {state}
            for here in ways:
                if missed(here) is None or len(ways) > _WAYS:
                    break
                new = [s for _, _, s in self.reference.successors(here) if s not in seen]
                seen.update(new)
                ways += dict.fromkeys(new)
            else:
                raise Omission("whoever is watched waits for ever from a stored state on", state)
            found += missed(here) is None
            self._stored({s for _, _, s in self.reference.successors(state)}, "a successor of a stored state")
        return found

    def _beginnings(self) -> None:
        """Initial states are stored."""
        guessed = (self.reference.begun(self.reference.guess(self.rng)) for _ in range(_INITIAL))
        found = {state for states in guessed for state in itertools.islice(states, _INITIAL)}
        self._stored(found, "an initial state")

    def _chunk(self, states: Sequence[State]) -> None:
        after: dict[State, State] = {}
        for state in states:
            self._within(state)
            mine = {s: state for _, _, s in self.reference.successors(state)}
            if not mine and self.searched.deadlock and not self.reference.is_final(state):
                raise Omission("a stored state has no successor, which is a deadlock", state)
            self._holds(state)
            if len(self.looked) < _EVALUATED:
                self._holds_again(state)
            self.looked.append((state, frozenset(mine)))
            after.update(mine)
        for state in after:
            self._within(state)
        self.successors += len(after)
        if self.searched.hidden:
            for state in after:
                self._holds(state)
                self._stored_later(state)
        else:
            self._stored(after, "a successor of a stored state")

    def _within(self, state: State) -> None:
        """That every value is one of its sort."""
        for slot, code, most in zip(self.instance.slots, state, self.most, strict=True):
            if not 0 <= code < most:
                raise Omission(f"'{slot.var}' has the value number {code}, and its sort has {most}", state)

    def _holds(self, state: State) -> None:
        for name, violation in self.checks.items():
            if violation(state) is not None:
                raise Omission(f"'{name}' does not hold in a state that was found", state)

    def _holds_again(self, state: State) -> None:
        """The properties once more, by the plainest evaluation there is."""
        self.evaluated += 1
        for prop in self.searched.invariants:
            if prop.name != WELL_DEFINED and not holds(prop, state, self.instance):
                raise Omission(f"'{prop.name}' does not hold in a stored state, when it is evaluated plainly", state)

    def _stored(self, states: Iterable[State], what: str) -> None:
        """That these states are stored, and are what the engine takes them for."""
        wanted = list(states)
        if not wanted:
            return
        if not self.searched.hidden:
            self._are_classes(wanted)
        missing = self.searched.visited.missing(wanted)
        if missing:
            raise Omission(f"{what} is not among those that were found", missing[0])

    def _are_classes(self, states: Sequence[State]) -> None:
        """That the engine takes states for one exactly if the interpreter does."""
        mine = {self.canonical(state): state for state in states}
        its = [self.canonical(state) for state in self.searched.visited.representatives(states)]
        strange = next((state for canonical, state in mine.items() if canonical not in its), None)
        if strange is not None or len(its) != len(mine):
            raise Omission(
                "the engine takes states for one that differ in more than the names of elements",
                strange or next(iter(mine.values())),
            )

    def _stored_later(self, state: State) -> None:
        """That the state is stored, or one to which hidden steps lead from it."""
        ways, seen = [state], {state}
        for here in ways:
            if self.searched.visited.representatives([here]) <= self.everything:
                return
            for action, _, after in self.reference.successors(here):
                if action.name in self.searched.hidden and after not in seen:
                    seen.add(after)
                    ways.append(after)
        raise Omission(
            "a successor of a stored state was not found, nor is any state to which hidden steps lead from it", state
        )

    def _walk(self, most: int | None, until: float | None) -> Again:
        """Walks of the interpreter: what they meet is stored."""
        met: dict[State, None] = {}
        wanted = self.searched.visited.count if most is None else most
        steps = 0
        while len(met) < wanted and steps < 4 * wanted and (until is None or time.thread_time() < until):
            state = next((s for s in self._guesses() if s is not None), None)
            if state is None:
                break
            for _ in range(_WALK):
                steps += 1
                met[state] = None
                after = [s for _, _, s in self.reference.successors(state)]
                if not after or (until is not None and time.thread_time() > until):
                    break
                state = self.rng.choice(after)
        for state in met:
            self._within(state)
            self._holds(state)
        if not self.searched.hidden:
            missing = self.searched.visited.missing(list(met))
            if missing:
                raise Omission("a state met on a walk is not among those that were found", missing[0])
        count = self.searched.visited.count
        why = ("the successors of stored states: only fingerprints are kept, and random walks were followed instead",)
        return Again(len(set(map(self.canonical, met))), count, sampled=False, left_out=why)

    def _guesses(self) -> Iterator[State | None]:
        for _ in range(1000):
            yield self.reference.guess_initial_state(self.rng)
        yield next(self.reference.initial_states(), None)


def holds(prop: Property, state: State, instance: Instance) -> bool:
    """Whether an invariant holds in a state, by the plainest evaluation."""
    for clause in prop.clauses:
        for codes in instance.assignments(tuple(p.of for p in clause.params)):
            env: dict[Var, bool | int | str | None] = {
                p: decode(p.of, c) for p, c in zip(clause.params, codes, strict=True)
            }
            if evaluate(clause.guard, env, state, instance) and not evaluate(clause.expr, env, state, instance):
                return False
    return True
