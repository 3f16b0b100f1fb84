"""`flushproof trace`: a saved trace, checked anew and shown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import click

from flushproof.checking import certified, followed_on
from flushproof.commands.options import draw, long_option, look, picture_option
from flushproof.model.errors import FlushproofError
from flushproof.model.ir.instance import Instance
from flushproof.model.ir.trace import WALK, Trace
from flushproof.model.language.instantiate import settings
from flushproof.report.jsonform import SavedTrace, read_trace, trace_json
from flushproof.report.page import saved_page
from flushproof.report.pictures import mermaid
from flushproof.report.review import mail_trace, markdown_trace
from flushproof.report.trace import trace_text
from flushproof.report.verdict import confirmed_text, heading
from flushproof.result import CertificateError


@click.command("trace", short_help="Show a saved trace, after Z3 has confirmed it again.")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "mermaid", "html", "mail", "markdown"]),
    default="text",
    show_default=True,
    help="How to print it.",
)
@picture_option
@long_option
@click.option("--system", "source", metavar="SYSTEM", help="Where the system is, if not where the file says.")
def trace_command(file: Path, form: str, picture: Path | None, source: str | None) -> None:
    """Reads a trace that `flushproof check --save FILE` wrote, lets Z3 confirm each step against the system as it is now, and
    shows it.

    Exit status: 0 if Z3 confirms it; 2 if the file is no trace, or no trace of the system as it is now.
    """
    saved = confirmed(file, source)
    trace = saved.trace
    if picture is not None:
        draw(trace, picture)
    match form:
        case "json":
            click.echo(json.dumps({**json.loads(file.read_text()), **trace_json(trace)}, indent=1))
        case "mermaid":
            click.echo(mermaid(trace))
        case "mail":
            click.echo(mail_trace(trace))
        case "markdown":
            click.echo(markdown_trace(trace))
        case "html":
            click.echo(saved_page(saved, json.loads(file.read_text())))
        case _:
            text = [heading(trace.instance, look()), trace_text(trace, look())]
            text.append(look().wrapped(confirmed_text(saved.followed, trace.property == WALK)))
            click.echo("\n\n".join(text), color=True)


def confirmed(file: Path, source: str | None) -> SavedTrace:
    """The trace in a file, once Z3 has confirmed it.

    Raises:
        FlushproofError: it is no trace of the system as it is now.
    """
    saved = read_trace(file, source)
    try:
        followed = followed_on(certified(saved.trace))
    except CertificateError as error:
        raise FlushproofError(f"{file}: {error}") from None
    return replace(saved, followed=followed)


def begun_by(file: Path, source: str, instance: Instance) -> Trace:
    """A saved trace of this instance, which Z3 confirms: under other knobs or at other sizes its states need not be reachable.

    Raises:
        FlushproofError: it is no trace of this instance.
    """
    trace = confirmed(file, source).trace
    theirs = trace.instance
    if (theirs.knobs, theirs.sizes) != (instance.knobs, instance.sizes):
        with_ = settings(theirs.knobs, theirs.sizes)
        raise FlushproofError(f"{file} is a trace at other sizes or of another policy; give those of the trace ({with_})")
    return trace
