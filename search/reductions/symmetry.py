"""Symmetry from the types: states that differ in the names of scalarset elements only are explored once.

An unordered scalarset has no order, and literals only in sums over all of its elements, so a permutation of its elements
maps steps to steps and violations to violations.  The group is the product of all permutations of each such sort; one
permutation acts on slots (`running[cpu0]` becomes `running[cpu1]`) and on values alike, options and rigid maps included.
Each orbit is represented by one state, found exactly and without trying the whole group.

Elements are first put in order of their *signatures*, which no renaming changes: what a state says of an element without
naming another one.  Elements with equal signatures form a cell.  Where each exchange of two of a cell leaves the state as
it is, any order will do.  Otherwise signatures are refined, by naming other elements by their cells; and where that does
not tell them apart either, each element of a cell in turn is taken for its first, and the least image wins.  Two elements
between which no renaming that leaves the state as it is makes a difference are tried once.

All this depends on the state up to renaming alone, so that two states of one orbit have the same candidates, hence the
same least one; a poor signature costs time, never soundness.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flushproof.model.ir import OptionSort, Scalarset, Sort
from flushproof.model.ir.instance import Instance, State

MOST_ELEMENTS = 12
"""Of a larger sort, so many elements are permuted, and the others keep their names: part of the group is sound as well."""

MOST_PERMUTATIONS, MOST_TOGETHER = 1 << 62, 60
"""The size of a group, and a set of all elements that it moves, fit a machine word; of the largest sorts, fewer elements are
permuted where they would not."""

Element = tuple[str, int]
"""A sort's name, and the number of an element that may be renamed."""

Table = tuple[int, ...]
Said = Sequence[int]  # of each code: a range where it is the code itself


@dataclass(frozen=True)
class Movable:
    """Which elements may be renamed: of each sort the first `counts[name]` (at least 2, or it is not there), of `sizes[name]`."""

    counts: Mapping[str, int]
    sizes: Mapping[str, int]

    @property
    def order(self) -> int:
        """How many permutations there are."""
        return math.prod(map(math.factorial, self.counts.values()))

    @property
    def fixed(self) -> Mapping[str, int]:
        """How many elements of each sort keep their names although others like them are renamed."""
        counts = self.counts
        return {name: size - counts.get(name, 0) for name, size in self.sizes.items() if counts.get(name, 0) < size}

    def only(self, names: Sequence[str]) -> Movable:
        """Those of these sorts."""
        return Movable({name: self.counts[name] for name in names}, {name: self.sizes[name] for name in names})

    def element(self, sort: Sort, code: int) -> Element | None:
        """The element that a code of any sort stands for, if that one may be renamed.

        This alone decides what a renaming changes: of indices and of values, options included.
        """
        if isinstance(sort, OptionSort):
            return self.element(sort.base, code - 1) if code else None
        if isinstance(sort, Scalarset) and not sort.ordered and code < self.counts.get(sort.name, 0):
            return sort.name, code
        return None

    def named(self, sort: Sort) -> list[int]:
        """The codes of a sort that stand for elements that may be renamed: they are among the first, behind None alone."""
        base = sort.base if isinstance(sort, OptionSort) else sort
        most = self.counts.get(base.name, 0) if isinstance(base, Scalarset) else 0
        return [code for code in range(most + 1) if self.element(sort, code) is not None]

    def renamed(self, sort: Sort, code: int, to: Mapping[str, Sequence[int]]) -> int:
        """The code after elements were renamed."""
        element = self.element(sort, code)
        return code if element is None else code + to[element[0]][element[1]] - element[1]


def movable(instance: Instance, most: int | None = None) -> Movable:
    """All elements of unordered scalarsets that a state can speak of, the smallest sorts first, as far as there is room."""
    most = MOST_ELEMENTS if most is None else most
    sorts: set[Scalarset] = set()
    for variable in instance.system.variables:
        for sort in (*variable.index, variable.sort):
            base = sort.base if isinstance(sort, OptionSort) else sort
            if isinstance(base, Scalarset) and not base.ordered:
                sorts.add(base)
    counts: dict[str, int] = {}
    sizes = {name: size for size, name in sorted((instance.sizes[s.name], s.name) for s in sorts) if size > 1}
    order = 1
    for name, size in sizes.items():
        count = min(size, most, MOST_TOGETHER - sum(counts.values()))
        while count > 1 and order * math.factorial(count) >= MOST_PERMUTATIONS:
            count -= 1
        if count > 1:
            order *= math.factorial(count)
            counts[name] = count
    return Movable(counts, sizes)


Cells = Mapping[str, tuple[tuple[int, ...], ...]]
"""For each sort, its elements in order, those that are not told apart together."""


@dataclass(frozen=True)
class _Seen:
    """A slot in which an element is seen.

    key: in what part, nothing named; others: the other elements that its index names; sort: of its value.
    """

    slot: int
    key: tuple[object, ...]
    others: tuple[Element, ...]
    sort: Sort


class Symmetry:
    """The symmetry of an instance; most: how many elements of a sort are permuted at most (None: `MOST_ELEMENTS`).

    movable: which elements are permuted; order: how many permutations there are.
    """

    def __init__(self, instance: Instance, most: int | None = None) -> None:
        self.instance = instance
        self.movable = movable(instance, most)
        self.order = self.movable.order
        self._moves: dict[tuple[Table, ...], tuple[tuple[int, Said], ...]] = {}

    def canonical(self, state: State) -> State:
        """The state that represents the orbit of `state`."""
        return self._least(state)[0]

    def orbit_size(self, state: State) -> int:
        """How many states the orbit of `state` has."""
        return self.order // self._least(state)[1]

    def image(self, state: State, to: Mapping[str, Sequence[int]]) -> State:
        """The state in which element i of each sort in `to` has become `to[sort][i]`."""
        key = tuple(tuple(to.get(name, range(count))) for name, count in self.movable.counts.items())
        moves = self._moves.get(key)
        if moves is None:
            moves = self._moves[key] = self._made_moves(dict(zip(self.movable.counts, key, strict=True)))
        return tuple([table[state[source]] for source, table in moves])

    def _made_moves(self, to: Mapping[str, Table]) -> tuple[tuple[int, Said], ...]:
        """Source and table of each slot of the image."""
        instance, tables = self.instance, dict[Sort, Said]()
        moves: list[tuple[int, Said]] = [(0, ())] * len(instance.slots)
        for source, slot in enumerate(instance.slots):
            if slot.sort not in tables:
                codes = instance.codes(slot.sort)
                named = self.movable.named(slot.sort)
                tables[slot.sort] = tuple(self.movable.renamed(slot.sort, c, to) for c in codes) if named else codes
            sorts = instance.system.variable[slot.var].index
            image = tuple(self.movable.renamed(s, i, to) for s, i in zip(sorts, slot.index, strict=True))
            moves[instance.slot(slot.var, image)] = source, tables[slot.sort]
        return tuple(moves)

    # ------------------------------------------------------------------------------------------------------- search

    def _least(self, state: State) -> tuple[State, int]:
        """The representative, and how many permutations of it leave it as it is."""
        if self.order == 1:
            return state, 1
        cells = {
            name: _split(tuple(range(count)), [self._signature(state, (name, i)) for i in range(count)])
            for name, count in self.movable.counts.items()
        }
        twins, factor = self._without_twins(state, cells)
        if _discrete(twins):
            return self._in_order(state, twins), factor
        image, count = self._search(state, self._refined(state, twins))
        return image, count * factor

    def _search(self, state: State, cells: Cells) -> tuple[State, int]:
        """The least image among all orders that the cells allow, and how many of them make it."""
        cells, factor = self._without_twins(state, cells)
        if _discrete(cells):
            return self._in_order(state, cells), factor
        name, number = next((n, i) for n, parts in cells.items() for i, part in enumerate(parts) if len(part) > 1)
        tried: list[tuple[int, State, tuple[State, int]]] = []
        results: list[tuple[State, int]] = []
        for element in cells[name][number]:
            known = next((r for e, _, r in tried if self._alike(state, name, e, element)), None)
            if known is None:
                child = self._refined(state, _first(cells, name, number, element))
                leaf = self._leaf(state, child)
                known = next((r for _, other, r in tried if other == leaf), None)
                if known is None:
                    known = self._search(state, child)
                    tried.append((element, leaf, known))
            results.append(known)
        least = min(image for image, _ in results)
        return least, factor * sum(count for image, count in results if image == least)

    def _leaf(self, state: State, cells: Cells) -> State:
        """Some image that the cells allow: equal ones of two elements show that a renaming makes one of the other."""
        while not _discrete(cells):
            name, number = next((n, i) for n, parts in cells.items() for i, part in enumerate(parts) if len(part) > 1)
            cells = self._refined(state, _first(cells, name, number, cells[name][number][0]))
        return self._in_order(state, cells)

    def _in_order(self, state: State, cells: Cells) -> State:
        """The image in which elements are numbered as they come."""
        to = {}
        for name, parts in cells.items():
            places = [0] * self.movable.counts[name]
            for place, element in enumerate(element for part in parts for element in part):
                places[element] = place
            to[name] = places
        return self.image(state, to)

    def _alike(self, state: State, name: str, one: int, other: int) -> bool:
        """Whether the exchange of two elements leaves the state as it is."""
        to = list(range(self.movable.counts[name]))
        to[one], to[other] = other, one
        return self.image(state, {name: to}) == state

    def _without_twins(self, state: State, cells: Cells) -> tuple[Cells, int]:
        """Cells of which any two elements are alike taken apart, and how many orders these have."""
        factor = 1
        apart: dict[str, tuple[tuple[int, ...], ...]] = {}
        for name, parts in cells.items():
            found: list[tuple[int, ...]] = []
            for part in parts:
                if len(part) > 1 and all(self._alike(state, name, part[0], other) for other in part[1:]):
                    factor *= math.factorial(len(part))
                    found += [(element,) for element in part]
                else:
                    found.append(part)
            apart[name] = tuple(found)
        return apart, factor

    def _refined(self, state: State, cells: Cells) -> Cells:
        """Cells split by what the state says of each element where others are named by their cells, until none splits."""
        while not _discrete(cells):
            names = {name: _places(parts) for name, parts in cells.items()}
            finer = {
                name: tuple(
                    finer
                    for part in parts
                    for finer in (
                        (part,)
                        if len(part) == 1
                        else _split(part, [self._refined_signature(state, names, (name, e)) for e in part])
                    )
                )
                for name, parts in cells.items()
            }
            if finer == cells:
                break
            cells = finer
        return cells

    # ---------------------------------------------------------------------------------------------------- signatures

    def _signature(self, state: State, element: Element) -> tuple[object, ...]:
        """What the state says of an element, nothing else named."""
        single, several, valued = self._parts[element]
        return (
            [table[state[slot]] for slot, table in single],
            [sorted([table[state[slot]] for slot in slots]) for slots, table in several],
            [[state[slot] for slot in slots].count(code) for slots, code in valued],
        )

    @cached_property
    def _parts(self) -> Mapping[Element, _Parts]:
        """For each element, where it is seen: alone, among several slots that are not told apart, and as a value."""
        parts: dict[Element, _Parts] = {}
        for element in self._elements():
            single: list[tuple[int, Said]] = []
            several: list[tuple[tuple[int, ...], Said]] = []
            groups: dict[tuple[object, ...], list[_Seen]] = {}
            for seen in self._seen[element]:
                groups.setdefault(seen.key, []).append(seen)
            for key in sorted(groups, key=repr):  # in an order that is the same for all elements
                group = groups[key]
                table = self._nameless(group[0].sort, element)
                if len(group) == 1:
                    single.append((group[0].slot, table))
                else:
                    several.append((tuple(seen.slot for seen in group), table))
            valued = [
                (slots, next(c for c in self.movable.named(sort) if self.movable.element(sort, c) == element))
                for slots, sort in self._holders[element[0]]
            ]
            parts[element] = single, several, valued
        return parts

    def _elements(self) -> Iterator[Element]:
        for name, count in self.movable.counts.items():
            for number in range(count):
                yield name, number

    def _nameless(self, sort: Sort, own: Element) -> Said:
        """What each code of the sort says, seen from one element: that one, another one, or itself."""
        if not self.movable.named(sort):
            return self.instance.codes(sort)
        return tuple(
            -1 if element == own else code if element is None else -2
            for code in self.instance.codes(sort)
            for element in (self.movable.element(sort, code),)
        )

    @cached_property
    def _seen(self) -> Mapping[Element, Sequence[_Seen]]:
        """The slots whose index names an element."""
        found: dict[Element, list[_Seen]] = {element: [] for element in self._elements()}
        for number, slot in enumerate(self.instance.slots):
            sorts = self.instance.system.variable[slot.var].index
            named = [self.movable.element(s, i) for s, i in zip(sorts, slot.index, strict=True)]
            for own in dict.fromkeys(element for element in named if element is not None):
                others = tuple(element for element in named if element is not None and element != own)
                key = tuple(
                    code if element is None else "own" if element == own else "other"
                    for element, code in zip(named, slot.index, strict=True)
                )
                found[own].append(_Seen(number, (slot.var, *key), others, slot.sort))
        return found

    @cached_property
    def _holders(self) -> Mapping[str, Sequence[tuple[tuple[int, ...], Sort]]]:
        """For each sort, the slots that may hold an element of it, those together that differ in named elements only."""
        groups: dict[str, dict[tuple[object, ...], list[int]]] = {name: {} for name in self.movable.counts}
        sorts: dict[str, Sort] = {}
        for number, slot in enumerate(self.instance.slots):
            value = slot.sort.base if isinstance(slot.sort, OptionSort) else slot.sort
            if isinstance(value, Scalarset) and value.name in groups:
                index = self.instance.system.variable[slot.var].index
                key = tuple(
                    "other" if self.movable.element(s, i) else i for s, i in zip(index, slot.index, strict=True)
                )
                groups[value.name].setdefault((slot.var, *key), []).append(number)
                sorts[slot.var] = slot.sort
        return {
            name: [(tuple(slots), sorts[str(key[0])]) for key, slots in found.items()] for name, found in groups.items()
        }

    def _refined_signature(
        self, state: State, names: Mapping[str, Mapping[int, int]], own: Element
    ) -> list[tuple[object, ...]]:
        """What the state says of an element, others named by their cells; only differences matter, so that options and fixed
        elements, which have codes of their own, are told from cells by a sign."""
        said: list[tuple[object, ...]] = []

        def value(sort: Sort, code: int) -> int:
            element = self.movable.element(sort, code)
            return code + 1 if element is None else 0 if element == own else -1 - names[element[0]][element[1]]

        for seen in self._seen[own]:
            others = tuple(names[name][number] for name, number in seen.others)
            said.append((repr(seen.key), others, value(seen.sort, state[seen.slot])))
        for slots, sort in self._holders[own[0]]:
            for slot in slots:
                if self.movable.element(sort, state[slot]) == own:
                    said.append((repr(self._place(slot)[0]), self._named(slot, names), 1))
        return sorted(said)

    def _named(self, slot: int, names: Mapping[str, Mapping[int, int]]) -> tuple[int, ...]:
        return tuple(names[name][number] for name, number in self._place(slot)[1])

    def _place(self, slot: int) -> tuple[tuple[object, ...], tuple[Element, ...]]:
        """A slot's variable and index, named elements apart."""
        found = self._places_of.get(slot)
        if found is None:
            where = self.instance.slots[slot]
            sorts = self.instance.system.variable[where.var].index
            named = [self.movable.element(s, i) for s, i in zip(sorts, where.index, strict=True)]
            key = tuple("other" if e else i for e, i in zip(named, where.index, strict=True))
            found = self._places_of[slot] = ("value", where.var, *key), tuple(e for e in named if e)
        return found

    @cached_property
    def _places_of(self) -> dict[int, tuple[tuple[object, ...], tuple[Element, ...]]]:
        return {}


_Parts = tuple[list[tuple[int, Said]], list[tuple[Table, Said]], list[tuple[Table, int]]]


def _split(part: Table, signatures: Sequence[Any]) -> tuple[Table, ...]:
    """A cell by signatures, in their order."""
    if signatures.count(signatures[0]) == len(part):
        return (part,)
    order = sorted(range(len(part)), key=signatures.__getitem__)
    groups = itertools.groupby(order, key=signatures.__getitem__)
    return tuple(tuple(part[i] for i in group) for _, group in groups)


def _places(parts: Sequence[Sequence[int]]) -> Mapping[int, int]:
    """The place at which each element's cell begins."""
    places, at = {}, 0
    for part in parts:
        places.update(dict.fromkeys(part, at))
        at += len(part)
    return places


def _first(cells: Cells, name: str, number: int, element: int) -> Cells:
    """One element taken for the first of its cell."""
    parts = cells[name]
    rest = tuple(e for e in parts[number] if e != element)
    return {**cells, name: (*parts[:number], (element,), rest, *parts[number + 1 :])}


def _discrete(cells: Cells) -> bool:
    return all(len(part) == 1 for parts in cells.values() for part in parts)
