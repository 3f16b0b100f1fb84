"""What initial states are made of: every choice of values for the free variables, and defaults for the others, as packed states.

The initial action, compiled like a step, makes initial states of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from flushproof.model.errors import FlushproofError
from flushproof.model.ir import Lit, default_value

from ..reductions.counters import counters
from .layout import Layout

_CHUNK = 1 << 14
_MOST = 1 << 62


def guesses(layout: Layout) -> Iterator[np.ndarray[Any, np.dtype[np.uint64]]]:
    """The words of each guess, as rows, some at a time; counters are renamed by rank.

    Raises:
        FlushproofError: they cannot even be numbered.
    """
    instance = layout.instance
    variables = instance.system.variable
    free = [i for i, slot in enumerate(instance.slots) if variables[slot.var].free]
    counts = [instance.cardinality(instance.slots[i].sort) for i in free]
    total = math.prod(counts)
    if total > _MOST:
        raise FlushproofError(
            f"{instance.system.name} has too many initial states at these sizes: choose smaller ones."
        )
    defaults = tuple(
        0 if variables[slot.var].free else instance.code(Lit(default_value(slot.sort), slot.sort))
        for slot in instance.slots
    )
    start = layout.pack([defaults])
    counted = counters(instance)
    renamed = any(i in (*c.plain, *c.optional) for c in counted for i in free)
    for first in range(0, total, _CHUNK):
        rest = np.arange(first, min(first + _CHUNK, total), dtype=np.uint64)
        rows = np.repeat(start, len(rest), axis=0)
        for slot, count in zip(reversed(free), reversed(counts), strict=True):
            field = layout.fields[slot]
            rows[:, field.word] |= rest % np.uint64(count) << np.uint64(field.shift)
            rest = rest // np.uint64(count)
        yield _renamed(layout, rows) if renamed else rows


def _renamed(layout: Layout, rows: np.ndarray[Any, np.dtype[np.uint64]]) -> np.ndarray[Any, np.dtype[np.uint64]]:
    states = [list(state) for state in layout.unpack(rows)]
    for counted in counters(layout.instance):
        for state in states:
            counted.rename(state)
    return layout.pack(map(tuple, states))
