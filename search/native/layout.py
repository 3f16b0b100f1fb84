"""Packed states: where each slot of an instance lies in a few 64-bit words.

A slot has as many bits as its codes need, and never crosses a word.  The slots of one variable lie side by side, so that
a location that is known only while running is reached by a shift; where that would cost a word more, variables are cut
into pieces at the ends of words.

In memory a state has as many bytes of each word as the word uses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from flushproof.model.errors import FlushproofError
from flushproof.model.ir import Action, CounterSort, OptionSort, Sort, StateVar
from flushproof.model.ir.instance import Instance, State

WORD = 64


@dataclass(frozen=True)
class Piece:
    """Consecutive slots, `first` to `first + count - 1`, of `bits` bits each, from bit `shift` of word `word` upwards."""

    first: int
    count: int
    bits: int
    word: int
    shift: int


@dataclass(frozen=True)
class Field:
    """Where one slot lies."""

    word: int
    shift: int
    bits: int

    @property
    def mask(self) -> int:
        """The bits of the field, in place."""
        return ((1 << self.bits) - 1) << self.shift


MOST_WORDS = 64
"""Of a state that native code can be made for in a reasonable time."""


class Layout:
    """The packed form of an instance's states.

    pieces: of each variable, in order of its slots; fields: of each slot; words: how many.

    Raises:
        FlushproofError: states are too large.
    """

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        blocks = [_Block(v, instance) for v in instance.system.variables]
        whole, cut = _best_fit(blocks), _in_order(blocks)
        self.pieces = _rarest_above(whole if _words(whole) <= _words(cut) else cut, instance)
        self.words = max(1, _words(self.pieces))
        if self.words > MOST_WORDS:
            raise FlushproofError(
                f"a state of {instance.system.name} has {8 * self.words:,} bytes at these sizes, and the native engine is made for "
                f"{8 * MOST_WORDS} at most: choose smaller sizes, or the reference engine."
            )
        self.fields = tuple(
            Field(piece.word, piece.shift + i * piece.bits, piece.bits)
            for name in self.pieces
            for piece in self.pieces[name]
            for i in range(piece.count)
        )

    @cached_property
    def word_bytes(self) -> tuple[int, ...]:
        """How many bytes of each word are kept in memory."""
        used = [0] * self.words
        for field in self.fields:
            used[field.word] = max(used[field.word], field.shift + field.bits)
        return tuple(max(1, -(-bits // 8)) for bits in used)

    @property
    def state_bytes(self) -> int:
        """The size of a state in memory."""
        return sum(self.word_bytes)

    def pack(self, states: Iterable[State]) -> np.ndarray[Any, np.dtype[np.uint64]]:
        """The words of each state, as rows."""
        rows = list(states)
        codes = np.array(rows, dtype=np.uint64).reshape(len(rows), len(self.fields))
        packed = np.zeros((len(codes), self.words), dtype=np.uint64)
        for slot, field in enumerate(self.fields):
            packed[:, field.word] |= codes[:, slot] << np.uint64(field.shift)
        return packed

    def unpack(self, packed: np.ndarray[Any, np.dtype[np.uint64]]) -> list[State]:
        """The states of rows of words."""
        words = np.ascontiguousarray(packed.T)
        columns = [
            ((words[f.word] >> np.uint64(f.shift % WORD)) & np.uint64((1 << f.bits) - 1)).tolist() for f in self.fields
        ]
        return list(zip(*columns, strict=True)) if columns else [()] * len(packed)

    def trim(self, packed: np.ndarray[Any, np.dtype[np.uint64]]) -> bytes:
        """Rows of words as they lie in memory."""
        parts = packed.astype("<u8").view(np.uint8).reshape(len(packed), self.words, 8)
        kept = [parts[:, word, :count] for word, count in enumerate(self.word_bytes)]
        return np.concatenate(kept, axis=1).tobytes()

    def widen(self, memory: bytes | memoryview) -> np.ndarray[Any, np.dtype[np.uint64]]:
        """The rows of words of states that lie in memory; the inverse of `trim`."""
        rows = np.frombuffer(memory, dtype=np.uint8).reshape(-1, self.state_bytes)
        parts = np.zeros((len(rows), self.words, 8), dtype=np.uint8)
        at = 0
        for word, count in enumerate(self.word_bytes):
            parts[:, word, :count] = rows[:, at : at + count]
            at += count
        return parts.reshape(len(rows), self.words * 8).view("<u8").astype(np.uint64)


class _Block:
    """A variable to be placed: how many slots of how many bits."""

    def __init__(self, variable: StateVar, instance: Instance) -> None:
        self.name = variable.name
        self.first = instance.offsets[variable.name]
        self.count = instance.locations(variable)
        self.bits = (_codes(instance, variable.sort) - 1).bit_length()

    def piece(self, first: int, count: int, word: int, shift: int) -> Piece:
        """Some of the slots, `first` counting from the variable's own first."""
        return Piece(self.first + first, count, self.bits, word, shift)


def _codes(instance: Instance, sort: Sort) -> int:
    """How many codes a slot of this sort must hold; counters, until renamed, fresh values above all others too."""
    counter = sort.base if isinstance(sort, OptionSort) else sort
    codes = instance.cardinality(sort)
    if isinstance(counter, CounterSort):
        system = instance.system
        codes += max(_fresh(action, counter) for action in (system.init, *system.actions))
    return codes


def _fresh(action: Action, counter: CounterSort) -> int:
    """How many fresh values of a counter an action makes."""
    return sum(var.of == counter for var in action.fresh)


def _words(pieces: dict[str, tuple[Piece, ...]]) -> int:
    return max((piece.word + 1 for parts in pieces.values() for piece in parts), default=0)


def _best_fit(blocks: list[_Block]) -> dict[str, tuple[Piece, ...]]:
    """Variables whole as far as they fit a word, the largest first, each where least room is left."""
    used: list[int] = []
    placed: dict[str, tuple[Piece, ...]] = {}

    def place(bits: int) -> tuple[int, int]:
        fitting = [word for word, at in enumerate(used) if at + bits <= WORD]
        word = max(fitting, key=lambda w: used[w], default=len(used))
        if word == len(used):
            used.append(0)
        shift = used[word]
        used[word] += bits
        return word, shift

    for block in sorted(blocks, key=lambda b: -b.count * b.bits):
        most = WORD // block.bits if block.bits else max(block.count, 1)
        pieces = []
        for first in range(0, block.count, most):
            count = min(most, block.count - first)
            pieces.append(block.piece(first, count, *place(count * block.bits)))
        placed[block.name] = tuple(pieces)
    return {block.name: placed[block.name] for block in blocks}


def _rarest_above(placed: dict[str, tuple[Piece, ...]], instance: Instance) -> dict[str, tuple[Piece, ...]]:
    """In each word, what fewer steps write above what more do: then a step seldom changes which of two states is the smaller.

    Elements of scalarsets are put in the order of such numbers (`canonical`), and stay in it more often.
    """
    system = instance.system
    written = Counter(update.var for action in system.actions for update in action.updates)
    ends = [0] * _words(placed)
    moved: dict[Piece, Piece] = {}
    for name in sorted(placed, key=lambda name: -written[name]):
        for piece in placed[name]:
            moved[piece] = replace(piece, shift=ends[piece.word])
            ends[piece.word] += piece.count * piece.bits
    return {name: tuple(moved[piece] for piece in pieces) for name, pieces in placed.items()}


def _in_order(blocks: list[_Block]) -> dict[str, tuple[Piece, ...]]:
    """One variable after the other, cut at the ends of words."""
    word = shift = 0
    placed: dict[str, tuple[Piece, ...]] = {}
    for block in blocks:
        pieces: list[Piece] = []
        first = 0
        while first < block.count:
            room = (WORD - shift) // block.bits if block.bits else block.count
            if room == 0:
                word, shift = word + 1, 0
                continue
            count = min(room, block.count - first)
            pieces.append(block.piece(first, count, word, shift))
            first += count
            shift += count * block.bits
        placed[block.name] = tuple(pieces)
    return placed
