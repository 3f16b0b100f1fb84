"""The states of a search and their visited set, and what is done with them through a compiled library."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from flushproof.model.errors import FlushproofError
from flushproof.model.ir.instance import Instance, State

from .beginning import guesses
from .checkpoint import Progressed
from .library import PRINT_BYTES, Library
from .loop import BATCH, CONTEXT, FIRST
from .memory import Memory, address_of

LOAD = 0.7
"""How full the visited set becomes before it grows."""

SMALLEST = 20
"""The visited set has 2 to the power of this entries at first; what is not touched costs nothing."""

TABLE_SHARE = 4
"""Where states lie on disk, the visited set does too once it would take more than this part of the memory limit."""

MOST_STATES = (1 << 31) - 2
"""A state's number must fit an entry of the visited set."""

_FORGET = 1 << 23
"""So many bytes are given back at once."""

STATES, PRINTS, ORIGINS = "states", "prints", "origins"
"""Files of a checkpoint, and what a compact search keeps of each state besides."""

MOST_SUCCESSORS = 1 << 24
"""So many successors of one state fit the buffer, as address space; memory comes as it is used."""


class Worker:
    """What one thread needs for itself: a context of `loop`, and a buffer of successors."""

    def __init__(self, batch: int, words: int) -> None:
        self.context = np.zeros(FIRST + 64, dtype=np.uint64)
        self.address = address_of(self.context)
        self.buffer = np.zeros((batch, words), dtype=np.uint64)
        self._notes = {name: np.ones(batch, dtype=np.uint64) for name in ("hashes", "weights", "heads")}
        self.set(buffer=address_of(self.buffer), **{name: address_of(a) for name, a in self._notes.items()})

    def get(self, name: str) -> int:
        """An item of the context."""
        return int(self.context[CONTEXT.index(name)])

    def set(self, **items: int) -> None:
        """Changes items of the context."""
        for name, value in items.items():
            self.context[CONTEXT.index(name)] = value


class Store:
    """States in the order in which they were found.

    limit: how many states may be stored; workers: how many threads expand states; file: where the states lie on disk, if
    they do; memory: how many bytes of memory there may be then, None for any number; kept: fingerprints and origins lie beside
    that file.  If the library is compact, states before those to be expanded can be forgotten, and their fingerprints stay.
    """

    def __init__(
        self,
        library: Library,
        limit: int | None,
        workers: int = 1,
        file: Path | None = None,
        memory: int | None = None,
        kept: bool = False,
    ) -> None:
        self.library, self.layout = library, library.layout
        self._file, self._in_memory = file, math.inf if file is None or memory is None else memory // TABLE_SHARE
        self.batch = BATCH + most_successors(self.layout.instance)
        self._count = np.zeros(1, dtype=np.uint64)
        self.workers = [Worker(self.batch, self.layout.words) for _ in range(workers)]
        self._pool = ThreadPoolExecutor(workers) if workers > 1 else None
        space = psutil.virtual_memory().total if file is None else psutil.disk_usage(str(file.parent)).free
        sizes = bytes_of(library)
        room = space // (PRINT_BYTES if library.compact and file is None else sum(sizes.values()))
        self.limit = min(MOST_STATES, room) if limit is None else min(limit, MOST_STATES, room)
        most = self.limit + workers * self.batch + 8
        self._states = Memory(most * self.layout.state_bytes, file)
        self._forgotten = 0
        self._set(counter=address_of(self._count), states=self._states.address, limit=self.limit)
        self._prints, self._origins = (
            Memory(most * sizes[name], file.with_name(name) if file is not None and kept else None)
            if name in sizes
            else None
            for name in (PRINTS, ORIGINS)
        )
        if self._prints and self._origins:
            self._set(prints=self._prints.address, origins=self._origins.address)
        self._table = self._new_table(max(SMALLEST, (4 * self.batch * workers).bit_length()))

    def close(self) -> None:
        """Gives all memory back."""
        if self._pool:
            self._pool.shutdown()
        self._states.close(self.count * self.layout.state_bytes)
        self._close_table()
        if self._prints and self._origins:
            self._prints.close(self.count * 8)
            self._origins.close(self.count * 2)

    # ------------------------------------------------------------------------------------------------------- on disk

    def restore(self, progressed: Progressed) -> None:
        """Takes up what is in the file."""
        first = self.workers[0]
        self._count[0] = progressed.count
        first.set(transitions=progressed.transitions, unreduced=progressed.unreduced)
        first.set(seen=sum(1 << i for i in progressed.seen))
        for i, number in progressed.seen.items():
            first.context[FIRST + i] = number
        if progressed.deadlock is not None:
            first.set(deadlock=progressed.deadlock + 1)
        self._close_table()
        self._table = self._new_table(max(SMALLEST, int(progressed.count / LOAD).bit_length()))
        self.library.rehash(first.address)

    def written(self, first: int) -> dict[str, bytes]:
        """What there is of all states from this one on, by file, after it was written to disk."""
        memories = {STATES: self._states, PRINTS: self._prints, ORIGINS: self._origins}
        new = {}
        for name, size in bytes_of(self.library).items():
            memory = memories[name]
            assert memory is not None
            memory.flush(first * size, self.count * size)
            new[name] = memory.copy(first * size, self.count * size)
        return new

    @property
    def on_disk(self) -> bool:
        """Whether the states lie in a file."""
        return self._states.file is not None

    def let_go(self) -> None:
        """Lets the system take back the memory of what is on disk."""
        for memory in (self._states, self._table, self._prints, self._origins):
            if memory is not None:
                memory.let_go()

    # ---------------------------------------------------------------------------------------------------- what was found

    @property
    def count(self) -> int:
        """How many states are stored."""
        return int(self._count[0])

    @property
    def transitions(self) -> int:
        """How many there were from expanded states."""
        return sum(worker.get("transitions") for worker in self.workers)

    @property
    def unreduced(self) -> int:
        """How many states the stored ones stand for by symmetry."""
        found = min(sum(worker.get("unreduced") for worker in self.workers), (1 << 64) - 1)  # as far as they count
        return found if self.library.permutations > 1 else self.count

    @property
    def full(self) -> bool:
        """Whether a state was not stored because of the limit."""
        return any(worker.get("full") for worker in self.workers)

    @property
    def deadlock(self) -> int | None:
        """The number of a first state without successors that is not final."""
        return min((w.get("deadlock") - 1 for w in self.workers if w.get("deadlock")), default=None)

    def seen(self) -> dict[int, int]:
        """For each property that was violated or reached, the number of a first such state."""
        found: dict[int, int] = {}
        for worker in self.workers:
            bits = worker.get("seen")
            for i in range(bits.bit_length()):
                if bits >> i & 1:
                    number = int(worker.context[FIRST + i])
                    found[i] = min(number, found.get(i, number))
        return found

    # ------------------------------------------------------------------------------------------------------- states

    def add(self, states: Sequence[State]) -> None:
        """Stores those that are new."""
        first = self.workers[0]
        for start in range(0, len(states), BATCH):
            packed = self.layout.pack(states[start : start + BATCH])
            first.buffer[: len(packed)] = packed
            first.set(pending=len(packed))
            self.library.insert(first.address)
            self.grow()

    def begin(self) -> Iterator[None]:
        """Stores the initial states; pauses now and then, as `expand` does."""
        symmetric = self.library.group is not None
        for rows in guesses(self.layout, _classes if symmetric else None):
            yield from self.start(rows)
            yield

    def start(self, rows: np.ndarray[Any, np.dtype[np.uint64]]) -> Iterator[None]:
        """Stores what the initial action makes of these words; pauses now and then, as `expand` does."""
        worker = self.workers[0]
        worker.set(guesses=address_of(rows), head=0, end=len(rows))
        while worker.get("head") < len(rows):
            worker.set(pause=int(LOAD * self.table_entries))
            self.library.begin(worker.address)
            yield

    def kept(self) -> np.ndarray[Any, np.dtype[np.uint64]]:
        """The words of all states."""
        return self.packed(0, self.count)

    def expand(self, first: int, last: int) -> int:
        """Expands the states from `first` on, before `last`.

        Returns:
            Where it paused, to let the table grow or because it is full; all states before are expanded, and none after.
        """
        self._set(pause=int(LOAD * (self.table_entries)))
        if self._pool is None:
            return self._expand(self.workers[0], first, last)
        share = max(1, min(4096, (last - first) // (4 * len(self.workers)) + 1))
        waiting = deque((start, min(last, start + share)) for start in range(first, last, share))
        while waiting:
            self._set(pause=int(LOAD * self.table_entries))
            self._together(self._pool, waiting)
            if self.full:
                return min(start for start, _ in waiting) if waiting else last
            self.grow()
        return last

    def _together(self, pool: ThreadPoolExecutor, waiting: deque[tuple[int, int]]) -> None:
        """Has all workers expand what is waiting; none works any more afterwards, even after an interrupt."""
        futures = [pool.submit(self._expand_shares, worker, waiting) for worker in self.workers]
        try:
            for future in futures:
                future.result()
        except BaseException:
            waiting.clear()
            wait(futures)
            raise

    def _expand(self, worker: Worker, first: int, last: int) -> int:
        worker.set(head=first, end=last)
        self.library.expand(worker.address)
        return worker.get("head")

    def _expand_shares(self, worker: Worker, waiting: deque[tuple[int, int]]) -> None:
        """Expands shares of a level as long as there are any and the table has room; what is left of one goes back."""
        while not self.crowded and not self.full:
            try:
                first, last = waiting.popleft()
            except IndexError:
                return
            head = self._expand(worker, first, last)
            if head < last:
                waiting.appendleft((head, last))

    def states(self, first: int, last: int) -> list[State]:
        """Stored states."""
        return self.layout.unpack(self.packed(first, last))

    def packed(self, first: int, last: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
        """The words of stored states."""
        size = self.layout.state_bytes
        return self.layout.widen(self._states.copy(first * size, last * size))

    def forget(self, last: int) -> None:
        """Gives back the memory of the states before `last`, except for their fingerprints; on disk they stay."""
        stop = last * self.layout.state_bytes
        if self._prints is not None and stop - self._forgotten >= _FORGET:
            self._forgotten = self._states.give_back(self._forgotten, stop)

    def fingerprint(self, number: int) -> int:
        """Of a stored state."""
        assert self._prints is not None
        return int.from_bytes(self._prints.copy(8 * number, 8 * number + 8), "little")

    def origin(self, number: int, first: int) -> int:
        """The state from which this one was found, known to be one of 65,536 from `first` on."""
        assert self._origins is not None
        low = int.from_bytes(self._origins.copy(2 * number, 2 * number + 2), "little")
        return first + (low - first) % (1 << 16)

    def predecessor(self, number: int, first: int, last: int) -> int:
        """The first state from `first` on, before `last`, that has the state as a successor.

        Raises:
            LookupError: none of them has.
        """
        worker, place = self.workers[0], self.batch - 1
        worker.buffer[place] = self.packed(number, number + 1)[0]
        worker.set(head=first, end=last, limit=place)
        found = self.library.predecessor(worker.address)
        worker.set(limit=self.limit)
        if found == last:
            raise LookupError(f"state {number} has no predecessor")
        return found

    # -------------------------------------------------------------------------------------------------------- table

    @property
    def table_entries(self) -> int:
        return self.workers[0].get("mask") + 1

    @property
    def table_bytes(self) -> int:
        return 4 * self.table_entries

    @property
    def table_growth(self) -> int:
        """How many bytes of memory the table takes beyond those that it has when it grows; none where it goes to disk."""
        return self.table_bytes if 2 * self.table_bytes <= self._in_memory else 0

    @property
    def crowded(self) -> bool:
        """Whether the table must grow before more states come."""
        return self.count >= int(LOAD * self.table_entries)

    def grow(self) -> None:
        """Doubles the table if it is crowded."""
        if self.crowded:
            bits = self.workers[0].get("index_bits")
            self._close_table()
            self._table = self._new_table(bits + 1)
            self.library.rehash(self.workers[0].address)

    def _new_table(self, bits: int) -> Memory:
        file = None
        if self._file is not None and 4 << bits > self._in_memory:
            file = self._file.with_name(f"{self._file.name}.table")
            file.unlink(missing_ok=True)
        table = Memory(4 << bits, file)
        self._set(table=table.address, mask=(1 << bits) - 1, index_bits=bits)
        return table

    def _close_table(self) -> None:
        self._table.close()
        if self._table.file is not None:
            self._table.file.unlink()

    def _set(self, **items: int) -> None:
        for worker in self.workers:
            worker.set(**items)


def _classes(instance: Instance) -> Callable[[], Store]:
    """Makes stores that keep one state of each class."""
    library = Library(instance, (), symmetry=True)
    return lambda: Store(library, None)


def bytes_of(library: Library) -> dict[str, int]:
    """What is stored of each state, and in how many bytes."""
    return {STATES: library.layout.state_bytes, **({PRINTS: 8, ORIGINS: 2} if library.compact else {})}


def most_successors(instance: Instance) -> int:
    """More successors than any state has, and more initial states than are made of one guess.

    Raises:
        FlushproofError: they are too many for a buffer.
    """
    system = instance.system
    ways = [math.prod(instance.cardinality(p.of) for p in action.params) for action in (system.init, *system.actions)]
    most = max(ways[0], sum(ways[1:]))
    if most > MOST_SUCCESSORS:
        raise FlushproofError(
            f"a state of {instance.system.name} may have {most} successors at these sizes, more than the native engine keeps "
            f"room for ({MOST_SUCCESSORS}): choose smaller sizes, or the reference engine."
        )
    return most
