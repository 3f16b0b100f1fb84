"""`flushproof list` and `flushproof show`."""

from __future__ import annotations

import click

from flushproof.commands.options import look, system_argument
from flushproof.model.language.core_text import core_of_system
from flushproof.model.language.load import load_system, shipped
from flushproof.report.catalog import list_text, show_text


@click.command("list", short_help="The systems that come with flushproof.")
def list_command() -> None:
    """The systems that come with flushproof, with their named policies."""
    click.echo(list_text(shipped(), look()))


@click.command("show", short_help="What a system models, its knobs, policies and properties.")
@system_argument()
@click.option("--core", is_flag=True, help="Show the code as it is compiled: one operation a line (docs/language.md).")
def show_command(system: str, core: bool) -> None:
    """What SYSTEM models and what it leaves out; its sizes, knobs, policies with their expected verdicts, and properties.

    SYSTEM is a name that `flushproof list` shows, or path/to/file.py:Class.
    """
    cls = load_system(system)
    click.echo(core_of_system(cls) if core else show_text(cls, look()))
