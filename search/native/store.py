"""The states of a search and their visited set, and what is done with them through a compiled library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import psutil
from flushproof.model.language.instance import Instance, State

from .library import Library
from .loop import BATCH, CONTEXT, FIRST
from .memory import Memory, address_of

LOAD = 0.7
"""How full the visited set becomes before it grows."""

SMALLEST = 20
"""The visited set has 2 to the power of this entries at first; what is not touched costs nothing."""

MOST_STATES = (1 << 31) - 2
"""A state's number must fit an entry of the visited set."""


class Store:
    """States in the order in which they were found.

    limit: how many states may be stored.
    """

    def __init__(self, library: Library, limit: int | None) -> None:
        self.library, self.layout = library, library.layout
        self.batch = BATCH + most_successors(self.layout.instance)
        self.context = np.zeros(FIRST + 64, dtype=np.uint64)
        self._address = address_of(self.context)
        self._buffer = np.zeros((self.batch, self.layout.words), dtype=np.uint64)
        self._hashes = np.zeros(self.batch, dtype=np.uint64)
        self.limit = MOST_STATES if limit is None else min(limit, MOST_STATES)
        room = psutil.virtual_memory().total // self.layout.bytes
        self._states = Memory((min(self.limit, room) + self.batch + 8) * self.layout.bytes)
        self.set(
            buffer=address_of(self._buffer),
            hashes=address_of(self._hashes),
            states=self._states.address,
            limit=min(self.limit, room),
        )
        self._table = self._new_table(max(SMALLEST, (4 * self.batch).bit_length()))

    def close(self) -> None:
        """Gives all memory back."""
        self._states.close()
        self._table.close()

    # ------------------------------------------------------------------------------------------------------ context

    def get(self, name: str) -> int:
        return int(self.context[CONTEXT.index(name)])

    def set(self, **items: int) -> None:
        for name, value in items.items():
            self.context[CONTEXT.index(name)] = value

    @property
    def count(self) -> int:
        """How many states are stored."""
        return self.get("count")

    @property
    def full(self) -> bool:
        """Whether a state was not stored because of the limit."""
        return bool(self.get("full"))

    def seen(self) -> dict[int, int]:
        """For each property that was violated or reached, the number of the first such state."""
        bits = self.get("seen")
        return {i: int(self.context[FIRST + i]) for i in range(64) if bits >> i & 1}

    # ------------------------------------------------------------------------------------------------------- states

    def add(self, states: Sequence[State]) -> None:
        """Stores those that are new."""
        for start in range(0, len(states), BATCH):
            packed = self.layout.pack(states[start : start + BATCH])
            self._buffer[: len(packed)] = packed
            self.set(pending=len(packed))
            self._call(self.library.insert)
            self.grow()

    def expand(self, first: int, last: int) -> int:
        """Expands the states from `first` on, before `last`; returns where it paused to let the table grow, or was full."""
        self.set(head=first, end=last, pause=int(LOAD * (self.get("mask") + 1)))
        self._call(self.library.expand)
        return self.get("head")

    def states(self, first: int, last: int) -> list[State]:
        """Stored states."""
        return self.layout.unpack(self.packed(first, last))

    def packed(self, first: int, last: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
        """The words of stored states."""
        size = self.layout.bytes
        return self.layout.widen(self._states.copy(first * size, last * size))

    def predecessor(self, number: int, first: int, last: int) -> int:
        """The first state from `first` on, before `last`, that has the state as a successor.

        Raises:
            LookupError: none of them has.
        """
        place = self.batch - 1
        self._buffer[place] = self.packed(number, number + 1)[0]
        before = self.get("limit")
        self.set(head=first, end=last, limit=place)
        found = self._call(self.library.predecessor)
        self.set(limit=before)
        if found == last:
            raise LookupError(f"state {number} has no predecessor")
        return found

    def _call(self, function: Any) -> int:
        return int(function(self._address))

    # -------------------------------------------------------------------------------------------------------- table

    @property
    def crowded(self) -> bool:
        """Whether the table must grow before more states come."""
        return self.count >= int(LOAD * (self.get("mask") + 1))

    @property
    def table_bytes(self) -> int:
        return 4 * (self.get("mask") + 1)

    def grow(self) -> None:
        """Doubles the table if it is crowded."""
        if self.crowded:
            bits = self.get("index_bits")
            self._table.close()
            self._table = self._new_table(bits + 1)
            self._call(self.library.rehash)

    def _new_table(self, bits: int) -> Memory:
        table = Memory(4 << bits)
        self.set(table=table.address, mask=(1 << bits) - 1, index_bits=bits)
        return table


def most_successors(instance: Instance) -> int:
    """More successors than any state has."""
    return sum(math.prod(instance.cardinality(p.of) for p in action.params) for action in instance.system.actions)
