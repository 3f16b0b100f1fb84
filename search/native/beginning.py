"""What initial states are made of: every choice of values for the free variables, and defaults for the others, as packed states.

The initial action, compiled like a step, makes initial states of them.

Where there is symmetry, and there are many choices, one of each class is enough.  Values are then chosen for one location after the
other, in a system of its own (`partial`): of what differs in names only, one is kept before the next location is filled in, and
what cannot come to an initial state any more is dropped.  Which location is next does not matter: whatever it is, some
completion of each class has been begun by one of those that were kept.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from flushproof.model.errors import FlushproofError
from flushproof.model.ir import Lit, default_value
from flushproof.model.ir.instance import Instance

from ..reductions.counters import counters
from ..task import Points
from .layout import Layout
from .partial import partial

MANY = 1 << 14
"""Up to so many choices are tried one by one."""

_CHUNK = 1 << 14
_MOST = 1 << 62

Rows = np.ndarray[Any, np.dtype[np.uint64]]


class Classes(Protocol):
    """States of which one is kept of each class."""

    def start(self, rows: Rows) -> Iterator[None]:
        """Keeps one of each class of what the initial action makes of the rows; pauses now and then."""

    def kept(self) -> Rows:
        """The words of what was kept."""

    def grow(self) -> None:
        """Makes room for more."""

    def close(self) -> None:
        """Gives all memory back."""


def guesses(
    layout: Layout,
    classes: Callable[[Instance], Callable[[], Classes]] | None,
    tell: Callable[[str], None],
    points: Points | None = None,
) -> Iterator[Rows]:
    """The words of each guess, as rows, some at a time, or none now and then; counters are renamed by rank.

    classes: makes stores that keep one state of each class, where there is symmetry; tell: takes how far this is, as a phrase;
    points: see `Task`.

    Raises:
        FlushproofError: they cannot even be numbered.
    """
    instance = layout.instance
    variables = instance.system.variable
    begun = [] if points is None else [instance.slot(name) for name in points.names]
    free = [i for i, slot in enumerate(instance.slots) if variables[slot.var].free and i not in begun]
    counts = [instance.cardinality(instance.slots[i].sort) for i in free]
    total = math.prod(counts)
    counted = counters(instance)
    renamed = any(i in (*c.plain, *c.optional) for c in counted for i in free)
    if classes is not None and total > MANY and not renamed:
        yield from _one_of_each(layout, free, classes, tell, begun, points.rows if points else ())
        return
    if total > _MOST:
        raise FlushproofError(
            f"{instance.system.name} has too many initial states at these sizes: choose smaller ones."
        )
    starts = _begun(layout, _defaults(layout), begun, points.rows) if points else _defaults(layout)
    chunks = range(0, total, _CHUNK)
    for tried, (start, first) in enumerate(itertools.product(starts, chunks)):
        tell(f"{tried // len(chunks) * total + first:,} of {len(starts) * total:,} choices tried")
        rest = np.arange(first, min(first + _CHUNK, total), dtype=np.uint64)
        rows = np.repeat(start[np.newaxis], len(rest), axis=0)
        for slot, count in zip(reversed(free), reversed(counts), strict=True):
            field = layout.fields[slot]
            rows[:, field.word] |= rest % np.uint64(count) << np.uint64(field.shift)
            rest = rest // np.uint64(count)
        yield _renamed(layout, rows) if renamed else rows


def _defaults(layout: Layout) -> Rows:
    """One row, in which what is free is 0."""
    instance, variables = layout.instance, layout.instance.system.variable
    defaults = tuple(
        0 if variables[slot.var].free else instance.code(Lit(default_value(slot.sort), slot.sort))
        for slot in instance.slots
    )
    return layout.pack([defaults])


def _begun(layout: Layout, start: Rows, slots: Sequence[int], values: Sequence[Sequence[int]], plus: int = 0) -> Rows:
    """One row for each of the values in these slots of `start`; the codes are `plus` more."""
    rows = np.repeat(start, len(values), axis=0)
    for slot, codes in zip(slots, zip(*values, strict=True), strict=True):
        field = layout.fields[slot]
        rows[:, field.word] |= (np.array(codes, dtype=np.uint64) + np.uint64(plus)) << np.uint64(field.shift)
    return rows


def _renamed(layout: Layout, rows: Rows) -> Rows:
    states = [list(state) for state in layout.unpack(rows)]
    for counted in counters(layout.instance):
        for state in states:
            counted.rename(state)
    return layout.pack(map(tuple, states))


def _one_of_each(
    layout: Layout,
    free: list[int],
    classes: Callable[[Instance], Callable[[], Classes]],
    tell: Callable[[str], None],
    begun: Sequence[int],
    values: Sequence[Sequence[int]],
) -> Iterator[Rows]:
    """One guess of each class that may come to an initial state, and that begins with some of the values."""
    nothing = np.zeros((0, layout.words), dtype=np.uint64)
    filling = Layout(partial(layout.instance))
    rows = np.zeros((1, filling.words), dtype=np.uint64)
    everything = sorted((*free, *begun))
    if begun:
        rows = _begun(filling, rows, [everything.index(slot) for slot in begun], values, plus=1)
    make = classes(filling.instance)
    for filled in range(len(free)):
        found = make()
        try:
            for first in range(0, len(rows), _CHUNK):
                tell(f"{filled} of {len(free)} free values chosen, the next one in {first:,} of {len(rows):,} ways")
                for children in _filled(filling, rows[first : first + _CHUNK]):
                    for _ in found.start(children):
                        found.grow()
                        yield nothing
            rows = found.kept()
        finally:
            found.close()
    for first in range(0, len(rows), _CHUNK):
        some = rows[first : first + _CHUNK]
        guess = np.repeat(_defaults(layout), len(some), axis=0)
        for number, slot in enumerate(everything):
            field = layout.fields[slot]
            guess[:, field.word] |= (_codes(filling, some, number) - np.uint64(1)) << np.uint64(field.shift)
        yield guess


def _codes(layout: Layout, rows: Rows, slot: int) -> Rows:
    """What each row has in a slot."""
    field = layout.fields[slot]
    return rows[:, field.word] >> np.uint64(field.shift) & np.uint64((1 << field.bits) - 1)


def _filled(layout: Layout, rows: Rows) -> Iterator[Rows]:
    """The rows with each value in the first slot of each that has none."""
    left = np.ones(len(rows), dtype=bool)
    for number, slot in enumerate(layout.instance.slots):
        here = left & (_codes(layout, rows, number) == 0)
        left &= ~here
        some, field = rows[here], layout.fields[number]
        for code in range(1, layout.instance.cardinality(slot.sort)):
            if len(some):
                filled = some.copy()
                filled[:, field.word] |= np.uint64(code << field.shift)
                yield filled
