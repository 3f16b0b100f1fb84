"""How far a search has come, in one line on a terminal's standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

from flushproof.search.task import Progress


@contextmanager
def shown(what: str) -> Iterator[Callable[[Progress], None] | None]:
    """Shows progress while inside; yields what is to be told, or None where standard error is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    with Console(stderr=True).status(f"{what} …") as status:
        yield lambda progress: status.update(f"{what}: {in_words(progress)}")


def in_words(progress: Progress) -> str:
    """`1,204,330 states, 0.61 M/s, depth 31, 20,114 waiting, 310 MiB, 2 s`."""
    return (
        f"{progress.states:,} states, {progress.rate / 1e6:.2f} M/s, depth {progress.depth}, {progress.queue:,} waiting, "
        f"{progress.memory_bytes / 2**20:,.0f} MiB, {progress.seconds:.0f} s"
    )
