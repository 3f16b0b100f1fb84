"""`flushproof list` and `flushproof show`."""

from __future__ import annotations

import json

import click

from flushproof.checking import source_of
from flushproof.commands.options import look, system_argument, text_or_json
from flushproof.model.language.core_text import core_of_system
from flushproof.model.language.load import load_system, shipped
from flushproof.report.catalog import list_json, list_text, show_json, show_text


@click.command("list", short_help="The systems that come with flushproof.")
@text_or_json
def list_command(form: str) -> None:
    """The systems that come with flushproof, with their named policies."""
    click.echo(json.dumps(list_json(shipped()), indent=1) if form == "json" else list_text(shipped(), look()))


@click.command("show", short_help="What a system models, its knobs, policies and properties.")
@system_argument()
@click.option("--core", is_flag=True, help="Show the code as it is compiled: one operation a line (docs/language.md).")
@text_or_json
def show_command(system: str, core: bool, form: str) -> None:
    """What SYSTEM models and what it leaves out; its sizes, knobs, policies with their expected verdicts, and properties.

    SYSTEM is a name that `flushproof list` shows, or path/to/file.py:Class.
    """
    cls = load_system(system)
    if form == "json":
        if core:
            raise click.UsageError("--core is text: leave out --format json, or --core.")
        click.echo(json.dumps(show_json(cls, source_of(cls)), indent=1))
    else:
        click.echo(core_of_system(cls) if core else show_text(cls, look()))
