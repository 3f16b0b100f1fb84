"""Fresh counters in a finite state: renaming by rank.

Nothing but equality, order, the literal 0 and "greater than all" is ever asked of a counter, so two states that differ
in the distances between a counter's values alone behave alike.  Renaming 0 to 0 and the other values to 1, 2, ... in
order makes the states of any number of rollovers a finite set.
"""

from __future__ import annotations

from dataclasses import dataclass

from flushproof.model.ir import CounterSort, OptionSort
from flushproof.model.ir.instance import Instance, State


@dataclass(frozen=True)
class Counted:
    """One counter, and the slots that hold its values: themselves, or as options."""

    sort: CounterSort
    plain: tuple[int, ...]
    optional: tuple[int, ...]

    def highest(self, state: State) -> int:
        """The highest value in the state, at least 0."""
        plain = max((state[i] for i in self.plain), default=0)
        return max(plain, max((state[i] - 1 for i in self.optional), default=0))

    def rename(self, state: list[int]) -> None:
        """Renames the values by rank, in place."""
        values = {state[i] for i in self.plain}
        values.update(state[i] - 1 for i in self.optional if state[i])
        values.discard(0)
        if values and max(values) > len(values):
            ranks = {value: rank for rank, value in enumerate(sorted(values), 1)}
            ranks[0] = 0
            for i in self.plain:
                state[i] = ranks[state[i]]
            for i in self.optional:
                if state[i]:
                    state[i] = ranks[state[i] - 1] + 1


def counters(instance: Instance) -> tuple[Counted, ...]:
    """The counters of the instance, in order of declaration."""
    return tuple(
        Counted(
            sort,
            tuple(i for i, slot in enumerate(instance.slots) if slot.sort == sort),
            tuple(i for i, slot in enumerate(instance.slots) if slot.sort == OptionSort(sort)),
        )
        for sort in instance.system.sorts
        if isinstance(sort, CounterSort)
    )
