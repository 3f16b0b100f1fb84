"""The states of a search and their visited set, and what is done with them through a compiled library.

Long because a store's memory, its table and its workers grow together or not at all.
"""

from __future__ import annotations

import math
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from flushproof.model.errors import FlushproofError
from flushproof.model.ir.instance import Instance, State

from ..task import Points
from .beginning import guesses
from .checkpoint import Progressed
from .library import PRINT_BYTES, Library
from .loop import BATCH, FILTER, FIRST, IMPOSSIBLE, PLACES
from .memory import Memory, address_of
from .sweeper import Stored, Sweeper

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

Bytes = np.ndarray[Any, np.dtype[np.uint8]]

LOAD = 0.7
"""How full the visited set becomes before it grows."""

SMALLEST = 20
"""The visited set has 2 to the power of this entries at first; what is not touched costs nothing."""

TABLE_SHARE = 4
"""Where states lie on disk, the visited set does too once it would take more than this part of the memory that it has."""

MOST_STATES = (1 << 31) - 2
"""A state's number must fit an entry of the visited set."""

SHARE = 4096
"""So many states of a level a worker takes at once."""

_FORGET = 1 << 23
"""So many bytes are given back at once."""

_AHEAD = (1 << 26, 1 << 23, 1 << 20, 0)
"""So many bytes of each file are secured at once beyond what is needed: as many as the disk has."""

_SPARE = 1 << 16
"""So many bytes of the disk are secured and never written to: given back, they have room for what is to be said at the end."""

_SUMMED = 1 << 22
"""So many bytes are read at once for a checksum."""

_LEAST_SPARE = 1 << 22
"""What a table is filled from and with takes so many bytes of memory at least, if it lies on disk."""

STATES, PRINTS, ORIGINS = "states", "prints", "origins"
"""Files of a checkpoint, and what a compact search keeps of each state besides."""

_LOOK = 1 << 19
"""So many states are looked back from between two looks at the clock."""

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
        return int(self.context[PLACES[name]])

    def set(self, **items: int) -> None:
        """Changes items of the context."""
        for name, value in items.items():
            self.context[PLACES[name]] = value


class Store:
    """States in the order in which they were found.

    limit: how many states may be stored; workers: how many threads expand states; file: where the states lie on disk, if
    they do; memory: how many bytes of memory there may be then, None for any number; kept: fingerprints and origins lie beside
    that file; stored: how many states the files hold already.  If the library is compact, states before those to be expanded
    can be forgotten, and their fingerprints stay.
    swept: whether states were expanded in sweeps, which find them in an order of their own.
    allowed: how many states there may be before `expand` and `begin` pause, for the caller to see to its own limits.
    beginning: while initial states are made, how far that is, as a phrase; compile_seconds: how much of that went into code.

    Raises:
        OSError: the files cannot be made.
    """

    def __init__(
        self,
        library: Library,
        limit: int | None,
        workers: int = 1,
        file: Path | None = None,
        memory: int | None = None,
        kept: bool = False,
        stored: int = 0,
    ) -> None:
        self.library, self.layout = library, library.layout
        self._base = int(psutil.Process().memory_info().rss)
        spared = math.inf if file is None or memory is None else max(0, memory - self._base) // TABLE_SHARE
        self._file, self._in_memory = file, spared
        self.batch = BATCH + most_successors(self.layout.instance)
        self._count = np.zeros(1, dtype=np.uint64)
        self.workers = [Worker(self.batch, self.layout.words) for _ in range(workers)]
        self._pool = ThreadPoolExecutor(workers) if workers > 1 else None
        sizes = bytes_of(library)
        on_disk = [f for f in (file, *(file.with_name(n) for n in sizes if kept)) if f.exists()] if file else []
        space = address_space() if file is None else psutil.disk_usage(str(file.parent)).free + taken(on_disk)
        room = space // (PRINT_BYTES if library.compact and file is None else sum(sizes.values()))
        asked = MOST_STATES if limit is None else limit
        self.limit = min(MOST_STATES, asked, max(room, stored))
        self.limited = "" if self.limit == asked else _no_room(file, self.limit)
        self.allowed = MOST_STATES
        self._margin = workers * self.batch + 8
        self._spare = _SPARE // self.layout.state_bytes if file else 0
        most = self.limit + self._margin + self._spare
        self._states = Memory(most * self.layout.state_bytes, file)
        self._forgotten = 0
        self._set(counter=address_of(self._count), states=self._states.address, limit=self.limit)
        self._prints, self._origins = (
            Memory(most * sizes[name], file.with_name(name) if file is not None and kept else None)
            if name in sizes
            else None
            for name in (PRINTS, ORIGINS)
        )
        self._secured = 0 if file else most
        self._memory = memory
        self._again = 0
        self._sweeper: Sweeper | None = None
        self.swept = False
        self.beginning: str | None = None
        self.compile_seconds = 0.0
        if self._prints and self._origins:
            self._set(prints=self._prints.address, origins=self._origins.address)
        self._table: Memory | None = None
        self._new_table(max(SMALLEST, (4 * self.batch * workers).bit_length()))

    def close(self) -> None:
        """Gives all memory back."""
        if self._pool:
            self._pool.shutdown()
        self._states.close(self.count * self.layout.state_bytes)
        self._close_table()
        self._close_sweeper()
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
        self._secure()
        self._close_table()
        self._new_table(max(SMALLEST, int(progressed.count / LOAD).bit_length()))
        self._rehash()

    def written(self, first: int, sums: Mapping[str, int]) -> dict[str, int]:
        """Writes what there is of all states from this one on to disk; its checksums, by file, those before being `sums`.

        Raises:
            OSError: it cannot be written.
        """
        found = {}
        for name, memory, size in self._kept():
            start, stop, total = first * size, self.count * size, sums[name]
            memory.flush(start, stop)
            for at in range(start, stop, _SUMMED):
                total = zlib.crc32(memory.copy(at, min(stop, at + _SUMMED)), total)
                if self._memory is not None:
                    memory.let_go()
            found[name] = total
        return found

    def release(self) -> None:
        """Gives back the room on the disk that was secured for more states."""
        for _, memory, size in self._kept():
            memory.release(self.count * size)
        if self.on_disk:
            self._secured = min(self._secured, self.count)

    def _kept(self) -> Iterator[tuple[str, Memory, int]]:
        """What there is of each state: its file's name, where it lies, and how many bytes of it a state has."""
        memories = {STATES: self._states, PRINTS: self._prints, ORIGINS: self._origins}
        for name, size in bytes_of(self.library).items():
            memory = memories[name]
            assert memory is not None
            yield name, memory, size

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
        return sum(worker.get("transitions") for worker in self.workers) - self._again

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

    def begin(self, points: Points | None = None) -> Iterator[None]:
        """Stores the initial states (those of the points, see `Task`); pauses now and then, as `expand` does."""
        symmetric = self.library.group is not None
        for rows in guesses(self.layout, self._classes if symmetric else None, self._tell, points):
            yield from self.start(rows)
            yield
        self.beginning = None

    def _tell(self, beginning: str) -> None:
        self.beginning = beginning

    def _classes(self, instance: Instance) -> Callable[[], Store]:
        """Makes stores that keep one state of each class."""
        library = Library(instance, (), symmetry=True)
        self.compile_seconds += library.seconds
        return lambda: Store(library, None)

    def start(self, rows: np.ndarray[Any, np.dtype[np.uint64]]) -> Iterator[None]:
        """Stores what the initial action makes of these words; pauses now and then, as `expand` does."""
        worker = self.workers[0]
        worker.set(guesses=address_of(rows), head=0, end=len(rows))
        while (head := worker.get("head")) < len(rows):
            worker.set(pause=self._pause)
            self.library.begin(worker.address)
            self.compile_seconds += self.library.worked(worker.get("head") - head)
            yield

    def kept(self) -> np.ndarray[Any, np.dtype[np.uint64]]:
        """The words of all states."""
        return self.packed(0, self.count)

    def expand(self, first: int, last: int) -> int:
        """Expands the states from `first` on, before `last`.

        Returns:
            Where it paused, for the caller to `grow` or to see to its limits, or because it is full; all states before are
            expanded, and of those after none counts as expanded.
        """
        head = self._expand_some(first, last)
        self.compile_seconds += self.library.worked(head - first)
        return head

    def _expand_some(self, first: int, last: int) -> int:
        self._set(pause=self._pause)
        if self.sweeping:
            return self._sweep(first, last)
        if self._pool is None:
            return self._expand(self.workers[0], first, last)
        share = max(1, min(SHARE, (last - first) // (4 * len(self.workers)) + 1))
        waiting = deque((start, min(last, start + share)) for start in range(first, last, share))
        done: list[tuple[int, int]] = []
        self._together(self._pool, lambda worker: self._expand_shares(worker, waiting, done))
        head = min((start for start, _ in waiting), default=last)
        # What was expanded beyond is expanded again, and finds nothing new then.
        self._again += sum(made for start, made in done if start >= head)
        return head

    @property
    def sweeping(self) -> bool:
        """Whether what is looked up has no room in memory, so that it is gone through in order.

        One worker does that, however many there are: what takes long is to bring in the pages.
        """
        if self._memory is not None and self.on_disk and self.library.sweeping and not self.swept:
            stored = sum(self.count * size for _, memory, size in self._kept() if memory.file)
            self.swept = stored + self.table_bytes > (self._memory - self._base) * 3 // 4
        return self.swept

    def _sweep(self, first: int, last: int) -> int:
        assert self._memory is not None and self._table is not None
        worker, room = self.workers[0], self._pause - self.count
        if room <= 0:
            return first
        if self._sweeper is None:
            self.let_go()
            free = self._memory - int(psutil.Process().memory_info().rss) - self._memory // 16
            self._sweeper = Sweeper(self.library, free, self.table_entries // 4, self.batch)
        table = Stored(self._table, 4, self.table_entries)
        prints = self._prints
        compared = Stored(prints, 8, self.count) if prints else Stored(self._states, self.layout.state_bytes, self.count)
        return self._sweeper.expand(worker, first, last, room, self._states, table, compared)

    def _together(self, pool: ThreadPoolExecutor, work: Callable[[Worker], None]) -> None:
        """Has all workers do this; none works any more afterwards, even after an interrupt."""
        futures = [pool.submit(work, worker) for worker in self.workers]
        try:
            for future in futures:
                future.result()
        except BaseException:
            self._set(pause=0)
            wait(futures)
            raise

    def _expand(self, worker: Worker, first: int, last: int) -> int:
        worker.set(head=first, end=last)
        self.library.expand(worker.address)
        return worker.get("head")

    def _expand_shares(self, worker: Worker, waiting: deque[tuple[int, int]], done: list[tuple[int, int]]) -> None:
        """Expands shares of a level as long as there are any and there is room; what is left of one goes back.

        done: takes the first state of what was expanded, and how many transitions that made.
        """
        while self.count < worker.get("pause") and not self.full:
            try:
                first, last = waiting.popleft()
            except IndexError:
                return
            before = worker.get("transitions")
            head = self._expand(worker, first, last)
            done.append((first, worker.get("transitions") - before))
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

    # -------------------------------------------------------------------------------------------------------- traces

    def first_ways(
        self, wanted: Mapping[int, int], levels: Sequence[int], reaching: Bytes | None = None
    ) -> dict[int, list[int]]:
        """For each property (or `DEADLOCK`, `IMPOSSIBLE`), a way to a state of this level that violates it: the numbers of states.

        Of all shortest ways the one that one worker finds first, whatever the order in which states were stored: that takes the
        first initial state, and then always the first successor, from which a violation in that level can be reached.
        levels: the number of the first state of each level, and where the last one ends; reaching: for `IMPOSSIBLE`, what
        `reaching` found.
        """
        ways = {}
        properties = list(wanted)
        for group in (properties[i : i + 8] for i in range(0, len(properties), 8)):
            marks = np.zeros(levels[max(wanted[p] for p in group) + 1], dtype=np.uint8)
            self._mark(marks, {p: wanted[p] for p in group}, levels, reaching)
            for bit, prop in enumerate(group):
                way = [int(np.argmax(marks[: levels[1]] >> bit & 1))]
                for level in range(1, wanted[prop] + 1):
                    way.append(self._next_marked(way[-1], levels[level], 1 << bit))
                ways[prop] = way
        return ways

    def _mark(
        self, marks: Bytes, wanted: Mapping[int, int], levels: Sequence[int], reaching: Bytes | None
    ) -> None:
        """Marks, in each level, the states from which a violation in its level can be reached: bit i for the i-th property."""
        filters = [np.zeros(FILTER, dtype=np.uint8) for _ in range(2)]
        self._set(marks=address_of(marks))
        for level in range(max(wanted.values()), -1, -1):
            below, here = filters
            here[:] = 0
            start, end = levels[level : level + 2]
            self._set(below=address_of(below), filter=address_of(here), floor=end)
            if below.any():
                self._all(start, end, self.library.mark)
            for bit, (prop, at) in enumerate(wanted.items()):
                if at == level and prop == IMPOSSIBLE:
                    assert reaching is not None
                    marks[start:end] |= (reaching[start:end] == 0).astype(np.uint8) << bit
                    here[:] = 1
                elif at == level:
                    self._set(which=prop, bit=1 << bit)
                    self._all(start, end, self.library.judge)
            filters = [here, below]

    def reaching(self, which: int, look: Callable[[], None]) -> Bytes:
        """Of each state, whether one can be reached from it in which the property of this number is reached.

        The way is back from those where it is: from the last state to the first, each looks for a marked successor, and all of it
        again until no mark is new.  No predecessors are stored; a state that is marked is not expanded again.
        look: called now and then, for who sees to limits.
        """
        marks, new = self.judged(which), True
        self._set(marks=address_of(marks))
        while new:
            new = False
            for end in range(self.count, 0, -_LOOK):
                new |= self._all(max(0, end - _LOOK), end, self.library.back) > 0
                look()
        return marks

    def judged(self, which: int) -> Bytes:
        """Of each state, whether the property of this number is violated, or reached, in it."""
        marks, unused = np.zeros(self.count, dtype=np.uint8), np.zeros(FILTER, dtype=np.uint8)
        self._set(marks=address_of(marks), filter=address_of(unused), which=which, bit=1)
        self._all(0, self.count, self.library.judge)
        return marks

    def _all(self, first: int, last: int, function: Callable[[int], int]) -> int:
        """Calls a function for the states from `first` on, before `last`, a share after the other, the last one first; the sum of
        its results."""
        shares = deque((at, min(last, at + SHARE)) for at in reversed(range(first, last, SHARE)))
        results: list[int] = []

        def some(worker: Worker) -> None:
            while True:
                try:
                    start, end = shares.popleft()
                except IndexError:
                    return
                worker.set(head=start, end=end)
                results.append(function(worker.address))

        if self._pool is None:
            some(self.workers[0])
        else:
            self._together(self._pool, some)
        return sum(results)

    def _next_marked(self, number: int, floor: int, bit: int) -> int:
        """The first successor, in the order in which steps are taken, with this mark and a number from `floor` on."""
        worker = self.workers[0]
        worker.set(head=number, floor=floor, bit=bit)
        return self.library.follow(worker.address)

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
        return self.count + self._coming // 2 >= int(LOAD * self.table_entries)

    @property
    def _coming(self) -> int:
        """How many states may be stored at once."""
        return 0 if self._sweeper is None else self._sweeper.size

    @property
    def _pause(self) -> int:
        """At how many states there is something to see to: nothing is written where there is no room."""
        return max(0, min(int(LOAD * self.table_entries), self._secured - self._margin - self._spare, self.allowed))

    def grow(self, on_disk: bool = False) -> None:
        """Doubles the table if it is crowded; secures room on the disk for more states.

        on_disk: the new table has no room in memory.

        Raises:
            OSError: the disk is full.  What is stored stays.
            MemoryError: there is no address space for a larger table.
        """
        self._secure()
        if self.crowded:
            bits = self.workers[0].get("index_bits")
            if on_disk:
                self._in_memory = self.table_bytes
            self._close_sweeper()  # the next one is made for a larger table
            self._close_table()
            self._new_table(bits + 1)
            self._rehash()

    def _secure(self) -> None:
        """Secures room for more states where less than a batch of each worker is left."""
        least = self.count + 2 * self._margin + self._spare + self._coming
        if self._secured >= least:
            return
        for ahead in _AHEAD:
            states = least + ahead // self.layout.state_bytes
            try:
                for _, memory, size in self._kept():
                    memory.secure(min(states * size, memory.size))
            except OSError:
                if not ahead:
                    raise
            else:
                self._secured = states
                return

    def _rehash(self) -> None:
        """Enters all states into the table; within the limit of memory, a part of those on disk after the other."""
        worker, table = self.workers[0], self._table
        assert table is not None
        part, step = self.table_entries, max(1, self.count)
        bounded = self._file is not None and self._memory is not None
        if bounded:
            self.let_go()
            assert self._memory is not None
            spare = self._memory - int(psutil.Process().memory_info().rss) - (0 if table.file else self.table_bytes)
            spare = max(_LEAST_SPARE, spare)
            if table.file is not None:
                part = min(part, 1 << (spare // 8).bit_length() - 1)  # half of it at most
            step = spare // 4 // self.layout.state_bytes
        for low in range(0, self.table_entries, part):
            for first in range(0, self.count, step):
                worker.set(head=first, end=min(self.count, first + step), low=low, high=low + part)
                self.library.rehash(worker.address)
                if bounded:
                    self._states.let_go()
            if bounded:
                self.let_go()

    def _new_table(self, bits: int) -> None:
        """An empty table.

        Raises:
            OSError: the disk is full.
        """
        file = None
        if self._file is not None and 4 << bits > self._in_memory:
            file = self._file.with_name(f"{self._file.name}.table")
            file.unlink(missing_ok=True)
        self._table = Memory(4 << bits, file)
        self._table.secure(4 << bits)
        self._set(table=self._table.address, mask=(1 << bits) - 1, index_bits=bits)

    def _close_sweeper(self) -> None:
        sweeper, self._sweeper = self._sweeper, None
        if sweeper is not None:
            sweeper.close()

    def _close_table(self) -> None:
        table, self._table = self._table, None
        if table is not None:
            table.close()
            if table.file is not None:
                table.file.unlink()

    def _set(self, **items: int) -> None:
        for worker in self.workers:
            worker.set(**items)


def taken(files: Iterable[Path]) -> int:
    """How many bytes of the disk the files take."""
    return sum(getattr(file.stat(), "st_blocks", 0) * 512 for file in files)


def address_space() -> int:
    """How many bytes states may take at most in memory."""
    total: int = psutil.virtual_memory().total
    if resource is not None:
        most = resource.getrlimit(resource.RLIMIT_AS)[0]
        if most != resource.RLIM_INFINITY:
            left: int = most - psutil.Process().memory_info().vms
            total = min(total, max(0, left) // 2)
    return total


def _no_room(file: Path | None, limit: int) -> str:
    if limit == MOST_STATES:
        return "more have no numbers"
    return "memory has no room for more" if file is None else f"the disk of {file.parent} has no room for more"


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
