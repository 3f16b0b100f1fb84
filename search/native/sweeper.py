"""States expanded by the million, each page of the table and of the array touched once for all of their successors.

What the compiled functions do, and why it is right, is said in `sweep`; here is the order in which they do it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from .library import Library
from .memory import Memory, address_of
from .sweep import COMPARE, ENTER, PARTS, PROBE

LEAST, MOST = 1 << 12, 1 << 24
"""So many successors are collected at once at least, whatever the memory, and at most."""

LEAST_WINDOW = 1 << 20
"""So many bytes of what lies on disk are gone through at once at least, before their memory is given back."""


class Context(Protocol):
    """A context of `loop`."""

    address: int

    def get(self, name: str) -> int:
        """An item."""

    def set(self, **items: int) -> None:
        """Changes items."""


@dataclass(frozen=True)
class Stored:
    """Items of so many bytes each, and where they lie."""

    memory: Memory
    bytes: int
    items: int


class Sweeper:
    """What sweeps need besides the states and the table.

    memory: how many bytes it may take; most: how many successors are collected at once at most; spare: there may be as many more.
    size: how many are collected at once.
    """

    def __init__(self, library: Library, memory: int, most: int, spare: int) -> None:
        self.library = library
        each = {"buffer": 8 * library.layout.words, "starts": 4, "candidates": 4, "order": 4}
        if library.permutations > 1:
            each["weights"] = 8
        if library.compact:
            each["heads"] = 8
        stored = library.layout.state_bytes  # of those of them that are new
        self.size = max(LEAST, min(MOST, most, memory * 15 // 16 // (sum(each.values()) + stored // 2)))
        self._window = max(LEAST_WINDOW, memory // 16)
        self._memories = {name: Memory((self.size + spare) * size) for name, size in each.items()}
        self._ends = np.zeros(PARTS, dtype=np.int64)

    def close(self) -> None:
        """Gives all memory back."""
        for memory in self._memories.values():
            memory.close()

    def expand(
        self, context: Context, first: int, last: int, room: int, states: Memory, table: Stored, compared: Stored
    ) -> int:
        """Expands the states from `first` on, before `last`, as far as there is room for their successors.

        compared: what a stored state is told by: the states themselves, or their fingerprints.

        Returns:
            Where it stopped; where a state could not be stored, `first`: none counts as expanded then.
        """
        items = {name: memory.address for name, memory in self._memories.items()} | {"ends": address_of(self._ends)}
        before = {name: context.get(name) for name in items}
        context.set(**items, head=first, end=last, enough=min(room, self.size))
        try:
            self.library.collect(context.address)
            states.let_go()
            self._look_up(context, table, compared)
            if context.get("full"):
                context.set(head=first, transitions=context.get("transitions") - context.get("pending"))
        finally:
            context.set(**before)
        return context.get("head")

    def _look_up(self, context: Context, table: Stored, compared: Stored) -> None:
        left = context.get("pending")
        context.set(floor=compared.items)
        # What is stored meanwhile is met too, and compared: its numbers must have a part in the order.
        compared = replace(compared, items=compared.items + left)
        while left and not context.get("full"):
            while left:
                self._through(context, table, PROBE, self.library.probe)
                left = self._through(context, compared, COMPARE, self.library.compare)
            left = self._through(context, table, ENTER, self.library.enter)

    def _through(self, context: Context, stored: Stored, which: int, function: Callable[[int], int]) -> int:
        """Does this with the successors that `which` asks for, in their order; the sum of what it gives."""
        shift = max(0, stored.items.bit_length() - PARTS.bit_length() + 1)
        context.set(which=which, shift=shift)
        self.library.arrange(context.address)
        part = stored.bytes << shift
        together = max(1, self._window // part)
        low = result = 0
        for first in range(0, PARTS, together):
            last = min(PARTS, first + together)
            high = int(self._ends[last - 1])
            if low < high:
                context.set(low=low, high=high)
                result += function(context.address)
                stored.memory.let_go(first * part, last * part)
            low = high
        return result
