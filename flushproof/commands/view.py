"""`flushproof view`: a saved trace as a page to step through."""

from __future__ import annotations

import json
from pathlib import Path

import click

from flushproof.commands.options import open_option, page_written
from flushproof.commands.trace import confirmed
from flushproof.model.errors import FlushproofError
from flushproof.report.page import saved_page


@click.command("view", short_help="Write a saved trace as a page to step through.")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--html",
    metavar="PAGE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write the page.  [default: beside FILE, with the ending .html]",
)
@open_option
@click.option("--system", "source", metavar="SYSTEM", help="Where the system is, if not where the file says.")
def view_command(file: Path, html: Path | None, opens: bool, source: str | None) -> None:
    """Reads a trace that `flushproof check --save FILE` wrote, lets Z3 confirm it against the system as it is now, and writes it as
    one page that needs nothing else: no server, no network.

    \b
    flushproof check kvm-vcpu-switch --policy none --save trace.json
    flushproof view trace.json --open

    In the page: ← and → take a step, Home and End go to the start and the end, / filters the state.

    Exit status: 0 if Z3 confirms the trace; 2 if the file is no trace, or no trace of the system as it is now.
    """
    page = file.with_suffix(".html") if html is None else html
    if page == file:
        raise FlushproofError(f"{file} is the trace itself; say where the page is to go with --html PAGE")
    saved = confirmed(file, source)
    page_written(page, saved_page(saved, json.loads(file.read_text(encoding="utf-8"))), opens)
