"""How far a search has come, in one line on a terminal's standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import MofNCompleteColumn
from rich.progress import Progress as ProgressBar

from flushproof.search.task import Progress


@contextmanager
def shown(what: str) -> Iterator[Callable[[Progress | str], None] | None]:
    """Shows progress while inside; yields what is to be told, or None where standard error is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    with Console(stderr=True).status(f"{what} …") as status:
        yield lambda progress: status.update(f"{what}: {progress if isinstance(progress, str) else in_words(progress)}")


def in_words(progress: Progress) -> str:
    """`1,204,330 states, 0.61 M/s, depth 31, 20,114 waiting, 310 MiB, 2 s, 1 to 4 s more if it shrinks on`."""
    memory = f"{progress.memory_bytes / 2**20:,.0f} MiB, {progress.seconds:.0f} s"
    if progress.beginning is not None:
        return f"initial states: {progress.states:,}, {progress.beginning}, {memory}"
    left = progress.seconds_left
    rest = "no end in sight" if left is None else f"{left[0]:.0f} to {left[1]:.0f} s more if it shrinks on"
    return (
        f"{progress.states:,} states, {progress.rate / 1e6:.2f} M/s, depth {progress.depth}, {progress.queue:,} waiting, "
        f"{memory}, {rest}"
    )


@contextmanager
def counted(what: str, total: int) -> Iterator[Callable[[], None]]:
    """Shows how many of `total` are done while inside; yields what is to be called for each."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    with ProgressBar(
        *ProgressBar.get_default_columns(), MofNCompleteColumn(), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)
