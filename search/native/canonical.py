"""Canonical forms under symmetry, exactly and without trying the whole group.

    i64 @canonical(ptr state)       replaces the words at `state` by those of the representative of its orbit; returns
                                    how many permutations leave it as it is

Each element of a permuted scalarset has a *signature*: a number computed from the state that no renaming changes (which
label a CPU is at, say, and whether it holds a lock).  First the elements of each sort are put in order of their
signatures, by exchanging neighbours.  Where all signatures differ, that decides the permutation, and the state is
canonical.  Where some are equal, the representative is the least state among all orders of those that are equal: they
are walked through one by one, each an exchange of two neighbours away from the one before (as in bell ringing).

Two states of one orbit have the same signatures up to renaming, hence the same candidates, hence the same least one; so
a poor signature costs time, never soundness.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from flushproof.model.ir import OptionSort, Scalarset, Sort, StateVar

from ..reductions.symmetry import LARGEST_GROUP, permuted_sorts
from .code import Code, Value
from .expressions import read_field
from .layout import Layout

_MIX = 0x9E3779B97F4A7C15

# Beyond so many lines, exchanges and signatures are called rather than inlined.
_INLINED_LINES = 1200


@dataclass(frozen=True)
class Exchange:
    """The exchange of the elements `lower` and `lower + 1` of a sort."""

    sort: str
    lower: int


class Group:
    """The permutations of an instance's scalarsets.

    sorts: the permuted ones with their sizes; exchanges: of neighbours, which generate the group.
    """

    def __init__(self, layout: Layout) -> None:
        self.sorts: Mapping[str, int] = permuted_sorts(layout.instance, LARGEST_GROUP)
        self.order = math.prod(math.factorial(n) for n in self.sorts.values())
        self.exchanges = tuple(Exchange(sort, i) for sort, n in self.sorts.items() for i in range(n - 1))


def canonical_function(layout: Layout, group: Group) -> str:
    """`@canonical`, and what it uses: a function for each exchange and each signature, inlined while they are small."""
    small = _text(layout, group, "alwaysinline nounwind")
    return small if small.count("\n") <= _INLINED_LINES else _text(layout, group, "noinline nounwind")


def _text(layout: Layout, group: Group, attributes: str) -> str:
    count = len(group.exchanges)
    walks = [_walk(group, [bool(ties >> i & 1) for i in range(count)]) for ties in range(1 << count)]
    parts = [_tables(walks)]
    for number, exchange in enumerate(group.exchanges):
        code = Code(f"exchange{number}", "void", ["ptr %state"], attributes)
        before = _load(code, layout)
        for place, (word, old) in enumerate(zip(exchanged(code, layout, before, exchange), before, strict=True)):
            if word != old:
                code.set(code.address("%state", 8 * place), word)
        code.line("ret void")
        parts.append(code.text())
    for sort, size in group.sorts.items():
        for element in range(size):
            code = Code(_signature_name(group, sort, element), "i64", ["ptr %state"], attributes)
            signature = _Signatures(code, layout, group).signature(_load(code, layout), sort, element)
            code.line(f"ret i64 {signature}")
            parts.append(code.text())
    return "\n".join([*parts, _Canonical(layout, group).text()])


def _signature_name(group: Group, sort: str, element: int) -> str:
    return f"signature{list(group.sorts).index(sort)}_{element}"


def _load(code: Code, layout: Layout) -> list[Value]:
    """The words at `%state`."""
    return [code.get(code.address("%state", 8 * place)) for place in range(layout.words)]


class _Canonical:
    """Writes `@canonical`; `present` is a copy of the state that exchanges are carried out on."""

    def __init__(self, layout: Layout, group: Group) -> None:
        self.code = Code("canonical", "i64", ["ptr %state"], "noinline nounwind")
        self.layout, self.group = layout, group
        self.present = self.code.variable(f"[{layout.words} x i64]")

    def text(self) -> str:
        for place, word in enumerate(_load(self.code, self.layout)):
            self.code.set(self.code.address(self.present, 8 * place), word)
        numbers = {exchange: number for number, exchange in enumerate(self.group.exchanges)}
        for sort, size in self.group.sorts.items():
            for last in range(size - 1, 0, -1):
                for lower in range(last):
                    self._sort_neighbours(numbers[Exchange(sort, lower)])
        self.code.line(f"ret i64 {self._least_of_equals()}")
        return self.code.text()

    def _words(self) -> list[Value]:
        return [self.code.get(self.code.address(self.present, 8 * place)) for place in range(self.layout.words)]

    def _sort_neighbours(self, number: int) -> None:
        """Exchanges two elements if they are in the wrong order."""
        left, right = self._signatures(number)
        with self.code.when(self.code.op(f"icmp ugt i64 {left}, {right}")):
            self.code.line(f"call void @exchange{number}(ptr {self.present})")

    def _signatures(self, number: int) -> tuple[Value, Value]:
        """Of the two elements that an exchange is about."""
        exchange = self.group.exchanges[number]
        names = [_signature_name(self.group, exchange.sort, exchange.lower + i) for i in (0, 1)]
        left, right = (self.code.op(f"call i64 @{name}(ptr {self.present})") for name in names)
        return left, right

    def _least_of_equals(self) -> Value:
        """Goes through all orders of the elements that their signatures do not tell apart, and keeps the least state.

        Returns:
            How many orders make it; two differ by a permutation that leaves it as it is.
        """
        code = self.code
        made = code.variable("i64", 1)
        ties: Value = 0
        for number in range(len(self.group.exchanges)):
            ties = code.bits_or(ties, code.left(code.number(code.equal(*self._signatures(number))), number))
        least = [code.variable("i64", word) for word in self._words()]
        with code.when(code.op(f"icmp ne i64 {ties}, 0")):
            place = code.variable("ptr")
            start = code.op(f"load i32, ptr {code.op(f'getelementptr i32, ptr @walk_starts, i64 {ties}')}, align 4")
            code.set(place, code.op(f"getelementptr i8, ptr @walks, i32 {start}"), "ptr")
            with code.forever() as leave:
                here = code.get(place, "ptr")
                self._exchange_one(code.get(here, "i8"), leave)
                words = self._words()
                present = [code.get(v) for v in least]
                smaller = _smaller(code, words, present)
                again = code.number(_equal(code, words, present))
                code.set(made, code.choose(smaller, 1, code.add(code.get(made), again)))
                for variable, word in zip(least, words, strict=True):
                    code.set(variable, code.choose(smaller, word, code.get(variable)))
                code.set(place, code.address(here, 1), "ptr")
        for number, variable in enumerate(least):
            code.set(code.address("%state", 8 * number), code.get(variable))
        return code.get(made)

    def _exchange_one(self, which: str, leave: str) -> None:
        """Carries out the exchange number `which`; leaves at the end of the walk."""
        code = self.code
        together = code.new_block("exchanged")
        blocks = [code.new_block("exchange") for _ in self.group.exchanges]
        cases = " ".join(f"i8 {number}, label %{block}" for number, block in enumerate(blocks))
        code.line(f"switch i8 {which}, label %{leave} [ {cases} ]")
        for number, block in enumerate(blocks):
            code.start(block)
            code.line(f"call void @exchange{number}(ptr {self.present})")
            code.jump(together)
        code.start(together)


class _Signatures:
    """Writes signatures."""

    def __init__(self, code: Code, layout: Layout, group: Group) -> None:
        self.code, self.layout, self.group = code, layout, group
        self.instance = layout.instance

    def signature(self, words: Sequence[Value], sort: str, element: int) -> Value:
        """What can be said of an element without naming any other."""
        code = self.code
        signature: Value = 0
        for variable in self.instance.system.variables:
            for part in self._parts(words, variable, sort, element):
                signature = code.add(code.op(f"mul i64 {signature}, {_MIX - (1 << 64)}") if signature != 0 else 0, part)
        return signature

    def _parts(self, words: Sequence[Value], variable: StateVar, sort: str, element: int) -> Iterator[Value]:
        """What one variable says of the element.

        A location of its own says its value.  Where an index of another permuted sort is left open, or the element is the
        value, only sums over all locations are the same for all names.
        """
        code, instance = self.code, self.instance
        own = [i for i, s in enumerate(variable.index) if _named(s, sort)]
        open_ = [i for i, s in enumerate(variable.index) if not _named(s, sort) and self._permuted(s)]
        value = variable.sort.base if isinstance(variable.sort, OptionSort) else variable.sort
        sums: dict[tuple[int, ...], Value] = {}
        if len(own) == 1:
            for index in instance.assignments(variable.index):
                if index[own[0]] == element:
                    closed = tuple(i for place, i in enumerate(index) if place not in (own[0], *open_))
                    field = read_field(code, words, self.layout, instance.slot(variable.name, index))
                    part = self._nameless(variable.sort, field, sort, element)
                    if open_:
                        part = code.op(f"mul i64 {part}, {part}") if isinstance(part, str) else part
                    sums[closed] = code.add(sums.get(closed, 0), part)
        elif not own and _named(value, sort):
            code_of = element + isinstance(variable.sort, OptionSort)
            for index in instance.assignments(variable.index):
                closed = tuple(i for place, i in enumerate(index) if place not in open_)
                field = read_field(code, words, self.layout, instance.slot(variable.name, index))
                sums[closed] = code.add(sums.get(closed, 0), code.number(code.equal(field, code_of)))
        yield from sums.values()

    def _nameless(self, of: Sort, field: Value, sort: str, element: int) -> Value:
        """A value as far as it can be told without names of permuted elements."""
        code = self.code
        value = of.base if isinstance(of, OptionSort) else of
        if not self._permuted(value):
            return field
        said: Value = code.number(code.truth(field)) if isinstance(of, OptionSort) else 0
        if _named(value, sort):
            said = code.add(said, code.number(code.equal(field, element + isinstance(of, OptionSort))))
        return said

    def _permuted(self, sort: Sort) -> bool:
        return isinstance(sort, Scalarset) and not sort.ordered and sort.name in self.group.sorts


def _named(sort: Sort, name: str) -> bool:
    return isinstance(sort, Scalarset) and sort.name == name


def _smaller(code: Code, left: Sequence[Value], right: Sequence[Value]) -> Value:
    """Whether the words of `left` come before those of `right`."""
    result: Value = 0
    for a, b in reversed(list(zip(left, right, strict=True))):
        less = code.op(f"icmp ult i64 {a}, {b}")
        result = code.either(less, code.both(code.equal(a, b), result))
    return result


def _equal(code: Code, left: Sequence[Value], right: Sequence[Value]) -> Value:
    """Whether all words agree."""
    result: Value = 1
    for a, b in zip(left, right, strict=True):
        result = code.both(result, code.equal(a, b))
    return result


# ------------------------------------------------------------------------------------------------------------ exchanges


def exchanged(code: Code, layout: Layout, words: Sequence[Value], exchange: Exchange) -> list[Value]:
    """The words of the state in which two elements have exchanged their names."""
    moved = _move_fields(code, layout, words, exchange)
    return _rename_values(code, layout, moved, exchange)


def _move_fields(code: Code, layout: Layout, words: Sequence[Value], exchange: Exchange) -> list[Value]:
    """Moves each field to its new place; fields that move alike move together."""
    groups: dict[tuple[int, int, int], int] = {}
    for slot, image in enumerate(_images(layout, exchange)):
        source, target = layout.fields[slot], layout.fields[image]
        key = target.word, source.word, target.shift - source.shift
        groups[key] = groups.get(key, 0) | source.mask
    moved: list[Value] = [0] * len(words)
    for (target_word, source_word, shift), mask in groups.items():
        if not mask:
            continue
        part = code.bits_and(words[source_word], mask)
        part = code.left(part, shift) if shift >= 0 else code.right(part, -shift)
        moved[target_word] = code.bits_or(moved[target_word], part)
    return moved


def _images(layout: Layout, exchange: Exchange) -> Iterator[int]:
    """Where each slot goes."""
    instance = layout.instance
    swap = {exchange.lower: exchange.lower + 1, exchange.lower + 1: exchange.lower}
    for slot in instance.slots:
        sorts = instance.system.variable[slot.var].index
        index = tuple(
            swap.get(i, i) if _named(sort, exchange.sort) else i for sort, i in zip(sorts, slot.index, strict=True)
        )
        yield instance.slot(slot.var, index)


def _rename_values(code: Code, layout: Layout, words: Sequence[Value], exchange: Exchange) -> list[Value]:
    """Exchanges the two names where they are values, in all fields of one size in a word at once."""
    lanes: dict[tuple[int, int, int], int] = {}
    for slot, field in zip(layout.instance.slots, layout.fields, strict=True):
        option = isinstance(slot.sort, OptionSort)
        value = slot.sort.base if isinstance(slot.sort, OptionSort) else slot.sort
        if _named(value, exchange.sort):
            key = field.word, field.bits, exchange.lower + option
            lanes[key] = lanes.get(key, 0) | 1 << field.shift
    renamed = list(words)
    for (word, bits, first), lowest in lanes.items():
        present = words[word]
        either: Value = 0
        for wanted in (first, first + 1):
            holds: Value = lowest
            for bit in range(bits):
                lane = code.right(present, bit)
                if not wanted >> bit & 1:
                    lane = code.op(f"xor i64 {lane}, -1")
                holds = code.bits_and(lane, holds)
            either = code.bits_or(either, holds)
        for bit in range(bits):
            if (first ^ (first + 1)) >> bit & 1:
                renamed[word] = code.op(f"xor i64 {renamed[word]}, {code.left(either, bit)}")
    return renamed


# ---------------------------------------------------------------------------------------------------------------- walks


def _walk(group: Group, ties: Sequence[bool]) -> list[int]:
    """Numbers of exchanges that lead through all orders of the elements with equal signatures."""
    runs: list[list[int]] = []
    for number, (exchange, tie) in enumerate(zip(group.exchanges, ties, strict=True)):
        if tie:
            joined = runs and runs[-1][-1] == number - 1 and group.exchanges[number - 1].sort == exchange.sort
            if joined:
                runs[-1].append(number)
            else:
                runs.append([number])
    walk: list[int] = []
    for run in runs:
        inner = walk
        walk = list(inner)
        for step in _bells(len(run) + 1):
            walk += [run[step], *inner]
    return walk


def _bells(count: int) -> list[int]:
    """Exchanges of neighbouring places that lead through all orders of `count` things (Steinhaus, Johnson, Trotter)."""
    if count == 1:
        return []
    changes: list[int] = []
    down = True
    for step in [*_bells(count - 1), None]:
        sweep = range(count - 1)
        changes += reversed(sweep) if down else sweep
        if step is not None:
            changes.append(step + 1 if down else step)
        down = not down
    return changes


def _tables(walks: Sequence[Sequence[int]]) -> str:
    """All walks one after the other, each ended by 255, and where each starts."""
    starts = list(itertools.accumulate((len(walk) + 1 for walk in walks), initial=0))[:-1]
    items = [number for walk in walks for number in (*walk, 255)]
    everything = ", ".join(f"i8 {number - 256 if number > 127 else number}" for number in items)
    places = ", ".join(f"i32 {start}" for start in starts)
    return (
        f"@walks = internal constant [{len(items)} x i8] [{everything}]\n"
        f"@walk_starts = internal constant [{len(starts)} x i32] [{places}]\n"
    )
