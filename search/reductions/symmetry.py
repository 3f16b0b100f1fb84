"""Symmetry from the types: states that differ in the names of scalarset elements only are explored once.

An unordered scalarset has neither literals nor an order, so a permutation of its elements maps steps to steps and
violations to violations.  The group is the product of all permutations of each such sort; one permutation acts on slots
(`running[cpu0]` becomes `running[cpu1]`) and on values alike, options and rigid maps included.  Each orbit is
represented by one state, found exactly: slot by slot, those permutations are kept whose image is least so far.

The search for the least image walks a tree that all permutations share.  A branch says where the image's next slot comes
from and how its value changes; permutations that agree on the slots so far share a path.  Most states tell their elements
apart within a few slots, and what remains is one permutation, applied at once.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from functools import cached_property

from flushproof.model.ir import OptionSort, Scalarset, Sort, StateVar
from flushproof.model.ir.instance import Instance, State

# More permutations are not worth their tables: the largest sorts are then left out, which is sound.
LARGEST_GROUP = 6000

Table = tuple[int, ...]


class Permutation:
    """How one element of the group maps a state: slot i of the image is `tables[i][state[sources[i]]]`."""

    def __init__(self, moves: tuple[tuple[int, Table], ...]) -> None:
        self.moves = moves

    def __call__(self, state: State) -> State:
        return tuple([table[state[source]] for source, table in self.moves])


class Symmetry:
    """The symmetry of an instance.

    sorts: the permuted scalarsets, by name, with their sizes; group: all permutations that move anything, and the
    identity.
    """

    def __init__(self, instance: Instance, largest: int = LARGEST_GROUP) -> None:
        self.sorts = permuted_sorts(instance, largest)
        moves = dict.fromkeys(_moves(instance, elements) for elements in _products(self.sorts))
        self.group = tuple(map(Permutation, moves))
        self._root = _Node(self.group, _telling_slots(instance))

    def canonical(self, state: State) -> State:
        """The state that represents the orbit of `state`."""
        return self._least(state)[0]

    def orbit_size(self, state: State) -> int:
        """How many states the orbit of `state` has."""
        return len(self.group) // self._least(state)[1]

    def _least(self, state: State) -> tuple[State, int]:
        """The least image of a state, and how many permutations make it."""
        nodes = [self._root]
        while any(len(node.permutations) > 1 for node in nodes):
            least = -1
            kept: list[_Node] = []
            for node in nodes:
                for source, table, child in node.branches:
                    code = table[state[source]]
                    if code < least or least < 0:
                        least, kept = code, [child]
                    elif code == least:
                        kept.append(child)
            nodes = kept
        if len(nodes) == 1:
            return nodes[0].permutations[0](state), 1
        images = [node.permutations[0](state) for node in nodes]
        image = min(images)
        return image, images.count(image)


class _Node:
    """The permutations that agree on the slots looked at so far; `slots` are the ones still to be looked at."""

    def __init__(self, permutations: tuple[Permutation, ...], slots: tuple[int, ...]) -> None:
        self.permutations, self.slots = permutations, slots

    @cached_property
    def branches(self) -> tuple[tuple[int, Table, _Node], ...]:
        """For each way in which the next slot of the image can be made: its source, its table, and who does so."""
        slot, *rest = self.slots
        ways: dict[tuple[int, Table], list[Permutation]] = {}
        for permutation in self.permutations:
            ways.setdefault(permutation.moves[slot], []).append(permutation)
        return tuple((source, table, _Node(tuple(who), tuple(rest))) for (source, table), who in ways.items())


def permuted_sorts(instance: Instance, largest: int) -> Mapping[str, int]:
    """The unordered scalarsets in use with more than one element, the smallest first, as long as the group stays small."""
    used = {s for v in instance.system.variables for s in _involved(v) if isinstance(s, Scalarset) and not s.ordered}
    sorts: dict[str, int] = {}
    total = 1
    for size, name in sorted((instance.sizes[s.name], s.name) for s in used):
        total *= math.factorial(size)
        if size > 1 and total <= largest:
            sorts[name] = size
    return sorts


def _involved(variable: StateVar) -> tuple[Sort, ...]:
    value = variable.sort
    return (*variable.index, value.base if isinstance(value, OptionSort) else value)


def _products(sorts: Mapping[str, int]) -> Iterator[Mapping[str, Table]]:
    """Every choice of one permutation for each sort, the identity first."""
    for choice in itertools.product(*(itertools.permutations(range(size)) for size in sorts.values())):
        yield dict(zip(sorts, choice, strict=True))


def _moves(instance: Instance, elements: Mapping[str, Table]) -> tuple[tuple[int, Table], ...]:
    """Source and table of each slot of the image, where each sort's elements are permuted as in `elements`."""
    moves: list[tuple[int, Table]] = [(0, ())] * len(instance.slots)
    tables: dict[Sort, Table] = {}

    def table(sort: Sort) -> Table:
        if sort not in tables:
            match sort:
                case OptionSort():
                    tables[sort] = (0, *(1 + code for code in table(sort.base)))
                case Scalarset() if sort.name in elements:
                    tables[sort] = elements[sort.name]
                case _:
                    tables[sort] = tuple(instance.codes(sort))
        return tables[sort]

    for source, slot in enumerate(instance.slots):
        sorts = instance.system.variable[slot.var].index
        image = tuple(table(sort)[code] for sort, code in zip(sorts, slot.index, strict=True))
        moves[instance.slot(slot.var, image)] = (source, table(slot.sort))
    return tuple(moves)


def _telling_slots(instance: Instance) -> tuple[int, ...]:
    """All slots, those first that tell elements apart soonest: of small variables that involve a scalarset."""

    def rank(slot: int) -> tuple[bool, int]:
        variable = instance.system.variable[instance.slots[slot].var]
        involved = any(isinstance(s, Scalarset) and not s.ordered for s in _involved(variable))
        return not involved, instance.locations(variable)

    return tuple(sorted(range(len(instance.slots)), key=rank))
