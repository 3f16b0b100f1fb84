"""Locations as one writes them, one by one and several at once."""

from __future__ import annotations

from collections.abc import Collection

from flushproof.model.ir import Sort, StateVar
from flushproof.model.ir.instance import Instance, Slot

Index = tuple[int, ...]


def location(instance: Instance, slot: Slot) -> str:
    """A location as one writes it: `running[cpu0]`."""
    return _written(instance, instance.system.variable[slot.var], [{code} for code in slot.index], everything=False)


def locations(instance: Instance, var: StateVar, indices: Collection[Index], alike: Collection[Index]) -> list[str]:
    """Several locations of one variable, written as few: `pending[cpu0, all]`, `called[{cpu1, cpu2}, cpu0]`.

    indices: those that are meant; alike: those that have their value.  `all` stands for every element of a sort, where what is
    said of the ones that are meant is so of the others too.
    """
    found: list[str] = []
    left = sorted(set(indices))
    while left:
        ways = [_along(left[0], position, left) for position in range(len(var.index))] or [{left[0]}]
        largest = max(ways, key=len)
        sets = [{index[position] for index in largest} for position in range(len(var.index))]
        for position, sort in enumerate(var.index):
            row = _along(left[0], position, alike)
            if len(largest) > 1 and len(sets[position]) > 1 and len(row) == instance.cardinality(sort):
                sets[position] = set(instance.codes(sort))
        left = [index for index in left if index not in largest]
        found.append(_written(instance, var, sets, everything=True))
    return found


def _along(index: Index, position: int, among: Collection[Index]) -> set[Index]:
    """Those that differ from an index at one position at most."""
    return {o for o in among if o[:position] == index[:position] and o[position + 1 :] == index[position + 1 :]}


def _written(instance: Instance, var: StateVar, sets: list[set[int]], everything: bool) -> str:
    def part(sort: Sort, codes: set[int]) -> str:
        if everything and len(codes) > 1 and len(codes) == instance.cardinality(sort):
            return "all"
        shown = ", ".join(instance.show(sort, code) for code in sorted(codes))
        return shown if len(codes) == 1 else f"{{{shown}}}"

    index = ", ".join(part(sort, codes) for sort, codes in zip(var.index, sets, strict=True))
    return f"{var.name}[{index}]" if index else var.name
