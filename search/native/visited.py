"""The states of a native search, for who looks at them again: which are stored, and whether a state is among them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing

import numpy as np
from flushproof.model.ir.instance import State

from ..moves import Kinds, Moves, Truths
from .moves import moves_of
from .store import Store, most_successors


class StoredStates:
    """What a finished search has stored (see `task.Visited`): so many initial states first; names: of its properties.

    To ask for a state is to try to store it: one that is missing is stored then, so that the search is of no use afterwards.
    """

    def __init__(self, store: Store, initial: int, names: Sequence[str]) -> None:
        self.store, self.initial, self.names = store, initial, names

    @property
    def count(self) -> int:
        return self.store.count

    @property
    def kept(self) -> bool:
        return not self.store.library.compact

    def states(self, numbers: Sequence[int]) -> list[State]:
        if isinstance(numbers, range) and numbers.step == 1:
            return self.store.states(numbers.start, numbers.stop)
        found = [self.store.states(number, number + 1)[0] for number in numbers]
        self.store.let_go()  # of the pages that were read for them, a limit of memory knows nothing
        return found

    def missing(self, states: Sequence[State]) -> Sequence[State]:
        before = self.store.count
        self.store.add(states)
        self.store.let_go()
        if self.store.full:  # one was not stored because there is no room for more
            return list(states)
        return self.store.states(before, self.store.count)

    def representatives(self, states: Sequence[State]) -> set[State]:
        with closing(Store(self.store.library, len(states) + most_successors(self.store.layout.instance))) as alone:
            alone.add(states)
            return set(alone.states(0, alone.count))

    def where(self, reachable: str) -> Truths:
        return self.store.judged(self.names.index(reachable)).astype(np.bool_)

    def moves(self, kinds: Kinds, look: Callable[[], None]) -> Moves:
        return moves_of(self.store, kinds, self.initial, look)
