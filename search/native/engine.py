"""The native engine: breadth-first search with compiled steps over packed states.

Long because it is one search, whose levels, limits, checkpoints and answers share what was explored so far.
"""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from flushproof.model.errors import FlushproofError
from flushproof.model.ir import Property
from flushproof.model.ir.instance import Instance, State

from ..task import NO_DEADLOCK, Found, Progress, Task, refuse_too_little_memory
from .checkpoint import Checkpoint, Progressed, identity_of
from .library import MOST_PROPERTIES, Library
from .loop import DEADLOCK, IMPOSSIBLE
from .steps import Budget
from .store import MOST_STATES, STATES, Bytes, Store, bytes_of, most_successors
from .visited import StoredStates

# States expanded between two looks at the clock, and seconds between two looks at memory and calls for progress.
_CHUNK = 1 << 16
_INTERVAL = 0.25
# Seconds between two checkpoints.
_SAVE_INTERVAL = 5.0
# States told of between two looks at memory.
_TOLD = 1 << 12
# Where states lie on disk, this part of the limit of memory is left free, and so many states are expanded at first.
_MARGIN = 25
_LEAST_CHUNK = 1 << 8


class NativeEngine:
    """Explores with code that is compiled for the instance.

    budget: how much code to make; workers: how many threads expand each level together.
    checkpoint: a directory that keeps the search, so that it can go on after a kill; resume: go on from what it keeps.
    spill: a directory on whose disk states and the visited set lie where memory has no room (with `Limits.memory_bytes`).
    compact: keep fingerprints of states instead of states, where those are smaller; then a state can be taken for another
        one, with the probability `Found.omission`.
    optimised: the code is made fast from the start, or (False) never, which takes a fifth of the time; None: once that pays.
    """

    name = "native"

    @property
    def cannot_look_back(self) -> str | None:
        if self.checkpoint is not None:
            return "with --checkpoint or --resume: it takes searches of its own, which no checkpoint keeps"
        if self.compact:
            return "with --compact: it goes back from states, of which fingerprints alone are left"
        return None

    def __init__(
        self,
        budget: Budget = Budget(),  # noqa: B008 - frozen
        workers: int = 1,
        checkpoint: Path | None = None,
        resume: bool = False,
        spill: Path | None = None,
        compact: bool = False,
        optimised: bool | None = None,
    ) -> None:
        self.budget, self.workers, self.compact, self.optimised = budget, workers, compact, optimised
        self.checkpoint, self.resume, self.spill = checkpoint, resume, spill
        self._compiled: tuple[Instance, tuple[Any, ...], Library] | None = None

    @property
    def plain(self) -> NativeEngine:
        return NativeEngine(self.budget, optimised=self.optimised)

    def search(self, task: Task) -> Found:
        """Carries out the task.

        Raises:
            FlushproofError: more properties than a search can watch; no workers; a directory that cannot be used, or whose
                checkpoint is of another search or damaged.
        """
        properties = (*task.invariants, *task.reachables)
        if len(properties) > MOST_PROPERTIES:
            raise FlushproofError(
                f"{len(properties)} properties are more than one search can watch ({MOST_PROPERTIES}); ask for fewer."
            )
        if self.workers < 1:
            raise FlushproofError(f"{self.workers} workers cannot search; there must be at least 1.")
        room = MOST_PROPERTIES - len(properties)
        task = replace(task, watched=task.watched[:room])
        formulas = [w.formula for w in task.watched]
        library = self._library(task, properties, formulas)
        if self.checkpoint is not None:
            assert task.points is None, "a checkpoint does not say which points a search is about"
            return self._kept(task, library, self.checkpoint)
        if self.spill is not None:
            with _temporary(self.spill) as file, closing(self._store(task, library, file)) as store:
                return Search(task, store).run()
        with closing(self._store(task, library)) as store:
            return Search(task, store).run()

    def _library(self, task: Task, properties: tuple[Property, ...], formulas: list[Property]) -> Library:
        """The instance compiled: what was compiled for the search before, where only the points differ."""
        sweeping = task.limits.memory_bytes is not None and (self.spill or self.checkpoint) is not None
        shared = self.workers > 1
        how = (properties, task.symmetry, self.budget, shared, self.compact, formulas, sweeping, self.optimised)
        if self._compiled is not None:
            before, as_before, library = self._compiled
            if before.system is task.instance.system and before.sizes == task.instance.sizes and as_before == how:
                return library
        library = Library(task.instance, *how)
        self._compiled = task.instance, how, library
        return library

    def _store(
        self, task: Task, library: Library, file: Path | None = None, kept: bool = False, stored: int = 0
    ) -> Store:
        try:
            return Store(library, task.limits.states, self.workers, file, task.limits.memory_bytes, kept, stored)
        except OSError as error:
            where = "" if file is None else str(file.parent)
            raise FlushproofError(f"{where} cannot hold a search: {error.strerror}.") from None

    def _kept(self, task: Task, library: Library, directory: Path) -> Found:
        """The search with a checkpoint."""
        names = [p.name for p in (*task.invariants, *task.reachables)] + [NO_DEADLOCK] * task.deadlock
        names += [f"watched {w.action or w.event} {w.checks or ''}" for w in task.watched]
        identity = identity_of(task.instance, names, task.symmetry, library.compact, library.meaning)
        with closing(Checkpoint(directory, identity, bytes_of(library))) as checkpoint:
            progressed = None
            if self.resume:
                progressed = checkpoint.load()
                if task.limits.states is not None and progressed.count > task.limits.states:
                    raise FlushproofError(
                        f"the checkpoint in {directory} holds {progressed.count} states already, more than the limit."
                    )
            else:
                checkpoint.create()
            stored = progressed.count if progressed else 0
            with closing(self._store(task, library, directory / STATES, kept=True, stored=stored)) as store:
                return Search(task, store, checkpoint, progressed).run()


@contextmanager
def _temporary(directory: Path) -> Iterator[Path]:
    """A file on the directory's disk, for as long as it is needed."""
    try:
        handle, name = tempfile.mkstemp(prefix="flushproof-", dir=directory)
    except OSError as error:
        raise FlushproofError(f"nothing can be written to {directory}: {error.strerror}.") from None
    os.close(handle)
    try:
        yield Path(name)
    finally:
        os.unlink(name)


class _Stop(Exception):
    """A limit was reached; the text says which."""


class Search:
    """One search.

    levels: the number of the first state of each level; chunks: of each part of a level that was expanded at once, the number of
    states stored before and that of its first state.
    """

    def __init__(
        self, task: Task, store: Store, checkpoint: Checkpoint | None = None, progressed: Progressed | None = None
    ) -> None:
        self.task, self.store = task, store
        self.checkpoint, self.progressed = checkpoint, progressed
        self.next_save = time.monotonic() + _SAVE_INTERVAL
        self.invariants = [p.name for p in task.invariants]
        self.reachables = [p.name for p in task.reachables]
        self.levels = [0]
        self.chunks: list[tuple[int, int]] = []
        self.head = 0
        self.looked, self.resident, self.dearest = 0, 0, 0.0
        self.told = 0
        self.restored = 0, 0
        self.interrupted = False
        self.reaching: Bytes | None = None
        self.process = psutil.Process()
        self.began = time.monotonic()
        self.compile_seconds = self.began - task.started
        self.next_look = self.began + _INTERVAL
        self.most = _CHUNK if store.library.compact else _CHUNK * len(store.workers)
        self.chunk = self.most if not self._pages_come_and_go else min(_LEAST_CHUNK, self.most)

    def run(self) -> Found:
        refuse_too_little_memory(self.task.limits, self.process.memory_info().rss + self.store.table_growth)
        stopped = None
        try:
            with self._interrupts_between_chunks():
                self._search()
                self._look_back()
            with suppress(_Stop):  # all is known, saved or not
                self._save()
        except _Stop as stop:
            stopped = str(stop) + self._kept()
        except KeyboardInterrupt:
            stopped = "an interrupt"
        store = self.store
        count, seen = store.count, store.seen()
        depth = self._level(count - 1) if count else 0
        names = [*self.invariants, *self.reachables]
        violating = {i: number for i, number in seen.items() if i < len(self.invariants)}
        if self.task.deadlock and store.deadlock is not None:
            violating[DEADLOCK] = store.deadlock
        reached = {
            names[i]: self._level(number) for i, number in seen.items() if len(self.invariants) <= i < len(names)
        }
        happened = frozenset(i - len(names) for i in seen if i >= len(names))
        paths = self._paths(violating, finished=stopped is None)
        violated = {NO_DEADLOCK if i == DEADLOCK else names[i]: path for i, path in paths.items()}
        if self.task.possible is not None and stopped is None:
            violated |= self._way_to_the_lost(self.task.possible)
        found = Found(
            count,
            store.transitions,
            depth,
            violated,
            reached,
            stopped,
            store.library.permutations,
            store.unreduced,
            omission(count, store.layout.words) if store.library.compact else None,
            self.compile_seconds + store.compile_seconds,
            happened,
            len(self.task.watched),
        )
        initial = self.levels[1] if len(self.levels) > 1 else count
        self.task.audited(StoredStates(store, initial, names), stopped, violated)
        return found

    def _kept(self) -> str:
        """What the checkpoint has once it is up to date after a stop, in brackets."""
        if self.checkpoint is None:
            return ""
        with suppress(OSError):
            self.store.release()
        try:
            self._save()
        except _Stop as why:
            return f" (the checkpoint has {self.checkpoint.saved}: {why})"
        if len(self.levels) == 1:
            return " (the checkpoint has none: the initial states are not complete)"
        return f" (the checkpoint has {self.checkpoint.saved})"

    def _search(self) -> None:
        store, limits = self.store, self.task.limits
        if self.progressed is None:
            self._add_initial()
            self.levels.append(store.count)
            self._save()
        else:
            with self._full_disk_said():
                store.restore(self.progressed)
            self.head, self.levels = self.progressed.head, list(self.progressed.levels)
            self.chunks = [(count, head) for count, head in self.progressed.chunks]
            self.restored = store.count, self.head
            self.looked = self.head
        while self.head < store.count:
            start, end = self.levels[-2:]
            if self.head == start and self._done():  # a level that was begun, before a kill perhaps, is finished
                break
            if limits.depth == len(self.levels) - 2:
                raise _Stop(f"the limit of depth {limits.depth}")
            while self.head < end:
                if store.sweeping:
                    self.chunk = _CHUNK if store.library.compact else MOST_STATES
                if store.library.compact and (not self.chunks or self.head + self.chunk > self.chunks[-1][1] + _CHUNK):
                    self.chunks.append((store.count, self.head))
                self.head = store.expand(self.head, min(end, self.head + self.chunk))
                self._look()
                store.forget(self.head)
            if store.count > end:
                self.levels.append(store.count)

    def _look_back(self) -> None:
        """Finds the states from which what must remain possible is not."""
        store, task = self.store, self.task
        if task.possible is None or self._done():
            return
        assert not store.library.compact, self.task.possible
        limit = task.limits.memory_bytes
        if limit is not None and int(self.process.memory_info().rss) + store.count > limit:
            raise _Stop(f"the limit of {limit} bytes of memory")
        which = len(self.invariants) + self.reachables.index(task.possible)
        self.reaching = store.reaching(which, self._look)

    def _way_to_the_lost(self, name: str) -> dict[str, tuple[State, ...]]:
        """A way to a first such state, the same with any number of workers."""
        if self.reaching is None or self.reaching.all():
            return {}
        level = self._level(int(np.argmin(self.reaching)))
        way = self.store.first_ways({IMPOSSIBLE: level}, [*self.levels, self.store.count], self.reaching)[IMPOSSIBLE]
        return {name: tuple(self.store.states(n, n + 1)[0] for n in way)}

    def _add_initial(self) -> None:
        for _ in self.store.begin(self.task.points):
            try:
                self._look()
            except _Stop as stop:
                raise _Stop(f"{stop} while initial states were made ({self.store.beginning})") from None

    def _done(self) -> bool:
        violated = [name for i, name in enumerate(self.invariants) if i in self.store.seen()]
        if self.task.deadlock and self.store.deadlock is not None:
            violated.append(NO_DEADLOCK)
        return self.task.done(dict.fromkeys(violated))

    def _look(self) -> None:
        """After each chunk: tells of new states; sees to the limits, the table and the disk; now and then reports progress."""
        store, limits, task = self.store, self.task.limits, self.task
        if task.on_state is not None:
            while self.told < store.count:
                start, self.told = self.told, min(store.count, self.told + _TOLD)
                for state in store.states(start, self.told):
                    task.on_state(state)
                self._see_to_memory()
        if store.full:
            raise _Stop(f"the limit of {store.limit} states" + (store.limited and f": {store.limited}"))
        self._see_to_memory()
        self._grow()
        if self.interrupted:
            raise _Stop("an interrupt")
        now = time.monotonic()
        if now >= self.next_save:
            self._save()
            self.next_save = time.monotonic() + _SAVE_INTERVAL
        if now < self.next_look:
            return
        self.next_look = now + _INTERVAL
        seconds, memory = self._seconds(now), int(self.process.memory_info().rss)
        if task.progress is not None:
            depth, queue = max(0, len(self.levels) - 2), store.count - self.head
            levels = tuple(after - before for before, after in pairwise(self.levels))
            found = (store.count, store.transitions, depth, queue)
            task.progress(Progress(*found, seconds, memory, levels, self.restored, store.beginning))
        if limits.seconds is not None and seconds > limits.seconds:
            raise _Stop(f"the limit of {limits.seconds:g} seconds")

    def _seconds(self, now: float) -> float:
        """Of exploring: what went into code does not count."""
        return now - self.began - self.store.compile_seconds

    @property
    def _pages_come_and_go(self) -> bool:
        """Whether how much memory is in use depends on what is looked at: it lies on disk, and there is a limit."""
        return self.store.on_disk and self.task.limits.memory_bytes is not None

    def _see_to_memory(self) -> None:
        """Stops at the limit of memory; otherwise allows for as many states as there is memory for, before the next look."""
        limit, store = self.task.limits.memory_bytes, self.store
        if limit is None:
            return
        memory = int(self.process.memory_info().rss)
        if self._pages_come_and_go:
            margin = max(1, limit // _MARGIN)
            expanded, self.looked = self.head - self.looked, self.head
            if expanded and not store.sweeping:
                # Each state that is expanded may touch pages anywhere: as many states as bring in half of the margin.
                cost = max(1, memory - self.resident) / expanded
                self.dearest = max(cost, 0.9 * self.dearest)
                wanted = int(margin / 2 / self.dearest)
                self.chunk = max(_LEAST_CHUNK // 4, min(wanted, 2 * self.chunk, self.most))
            if memory > limit - margin:
                store.let_go()
                memory = int(self.process.memory_info().rss)
            self.resident = memory
        if memory > limit:
            raise _Stop(f"the limit of {limit} bytes of memory")
        if not store.on_disk:
            store.allowed = store.count + max(1, (limit - memory) // sum(bytes_of(store.library).values()))

    def _grow(self) -> None:
        """Lets the table grow if it must, and secures room on the disk."""
        limit, store = self.task.limits.memory_bytes, self.store
        on_disk = False
        if limit is not None and store.crowded and store.table_growth:
            if store.on_disk:
                store.let_go()
            if int(self.process.memory_info().rss) + store.table_growth > limit:
                if not store.on_disk:
                    raise _Stop(f"the limit of {limit} bytes of memory: the visited set has to grow")
                on_disk = True
        with self._full_disk_said():
            store.grow(on_disk)

    @contextmanager
    def _full_disk_said(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise _Stop(f"the disk ({error.strerror})") from None
        except MemoryError:
            raise _Stop("the limit of this process's address space") from None

    def _save(self) -> None:
        """Brings the checkpoint up to date, if there is one."""
        store, checkpoint = self.store, self.checkpoint
        if checkpoint is not None and len(self.levels) > 1:
            progressed = Progressed(
                store.count,
                self.head,
                self.levels,
                store.transitions,
                store.unreduced,
                store.seen(),
                store.deadlock,
                self.chunks,
            )
            with self._full_disk_said():
                checkpoint.save(progressed, store.written(checkpoint.saved, checkpoint.sums))

    @contextmanager
    def _interrupts_between_chunks(self) -> Iterator[None]:
        """With a checkpoint, the first Ctrl-C (or SIGTERM) waits for the end of a chunk, so that nothing is lost; the second does
        not."""
        if self.checkpoint is None or threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(*_: object) -> None:
            if self.interrupted:
                raise KeyboardInterrupt
            self.interrupted = True

        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _level(self, number: int) -> int:
        """The depth of a state."""
        return bisect_right(self.levels, number, hi=len(self.levels)) - 1

    def _paths(self, violating: Mapping[int, int], finished: bool) -> dict[int, tuple[State, ...]]:
        """For each property, by its number, a way to a first state that violates it.

        If the search is finished, it is the same in every run: that which one worker finds who is never interrupted.
        """
        if self.store.library.compact:
            return {i: self._path_of_prints(number) for i, number in violating.items()}
        if not finished or (len(self.store.workers) == 1 and self.progressed is None and not self.store.swept):
            return {i: self._path(number) for i, number in violating.items()}
        levels = [*self.levels, self.store.count]
        ways = self.store.first_ways({i: self._level(number) for i, number in violating.items()}, levels)
        return {i: tuple(self.store.states(n, n + 1)[0] for n in ways[i]) for i in violating}

    def _path(self, number: int) -> tuple[State, ...]:
        """States from an initial one to this one, each a successor of the one before."""
        numbers = [number]
        for level in range(self._level(number) - 1, -1, -1):
            numbers.append(self.store.predecessor(numbers[-1], self.levels[level], self.levels[level + 1]))
        return tuple(self.store.states(n, n + 1)[0] for n in reversed(numbers))

    def _path_of_prints(self, number: int) -> tuple[State, ...]:
        """The same where only fingerprints are left: back to where it began by numbers, and forth by making the states anew."""
        initial = self.levels[1] if len(self.levels) > 1 else self.store.count
        numbers = [number]
        while numbers[-1] >= initial:
            _, first = self.chunks[bisect_right(self.chunks, (numbers[-1], self.store.count)) - 1]
            numbers.append(self.store.origin(numbers[-1], first))
        path = [self._initial(numbers.pop(), initial)]
        for wanted in map(self.store.fingerprint, reversed(numbers)):
            path.append(self._successor(path[-1], wanted))
        return tuple(path)

    def _initial(self, number: int, count: int) -> State:
        """An initial state, of which there are so many: they come in the same order again."""
        with closing(Store(self.store.library, count)) as store:
            for _ in store.begin():
                if store.count > number:
                    break
                store.grow()
            return store.states(number, number + 1)[0]

    def _successor(self, state: State, fingerprint: int) -> State:
        """The successor of a state that has this fingerprint."""
        with closing(Store(self.store.library, 1 + most_successors(self.task.instance))) as store:
            store.add([state])
            store.expand(0, 1)
            number = next(n for n in range(store.count) if store.fingerprint(n) == fingerprint)
            return store.states(number, number + 1)[0]


def omission(states: int, words: int) -> float:
    """An upper bound on the probability that a search that stored so many fingerprints has missed a state.

    A new state is missed if its fingerprint is that of one of the k stored before: with probability at most k (words + 1) / 2^64
    if each of the `words` + 1 rounds of the hash is like chance.  Up to the first miss, there is one new state for each k.
    """
    return min(1.0, (words + 1) * states * (states + 1) / 2**65)
