"""`flushproof lessons`: the course, as pages."""

from __future__ import annotations

import os
from pathlib import Path

import click

from flushproof.commands.options import open_option, page_written, write
from flushproof.commands.progress import counted
from flushproof.lessons.course import course, lessons
from flushproof.model.errors import FlushproofError


@click.command("lessons", short_help="Write a course in TLB coherence, as pages.")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@open_option
def lessons_command(folder: Path, opens: bool) -> None:
    """Writes a course into DIR: a page for each lesson, with machines to walk through and puzzles to solve, and the systems that
    it is about. Everything in it is run now, which takes some minutes.

    \b
    flushproof lessons course --open

    Begin with DIR/index.html. The pages need no server and no network.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FlushproofError(f"{folder}: {error.strerror}") from None
    files = course(os.cpu_count() or 1)
    name, first = next(files)
    with counted("lessons", len(lessons())) as done:
        for other, text in files:
            write(folder / other, text.rstrip("\n"))
            if other.endswith(".html"):
                done()
    page_written(folder / name, first, opens)
