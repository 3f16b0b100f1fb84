"""The same work on many things, in several processes at once."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

DIED = "a process died before it had an answer (out of memory, killed, or a file that it needs was changed meanwhile)"


def each(work: Callable[[T], R], things: Sequence[T], jobs: int, *, apart: bool = False) -> Iterator[R | str]:
    """`work(thing)` of each thing, in order, from so many processes at once; `DIED` from where on one of them did not survive.

    apart: each in a process of its own, so that what came before has no influence.
    An interrupt reaches the caller alone.  Whoever stops to iterate ends the processes.
    """
    pool = ProcessPoolExecutor(
        min(jobs, len(things) or 1),
        multiprocessing.get_context("spawn"),
        _leave_interrupts_to_the_parent,
        max_tasks_per_child=1 if apart else None,
    )
    try:
        for future in [pool.submit(work, thing) for thing in things]:
            try:
                yield future.result()
            except BrokenProcessPool:
                yield DIED
    finally:
        working = multiprocessing.active_children()
        pool.shutdown(wait=False, cancel_futures=True)
        for process in working:
            process.terminate()


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
