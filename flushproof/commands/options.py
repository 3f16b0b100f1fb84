"""What several commands have in common: how a system, its knobs and its sizes are given, and how a report looks."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from flushproof.auditing import DEFAULT, Amount
from flushproof.commands.completion import knobs_like, policies_like, sizes_like, systems_like
from flushproof.model.errors import FlushproofError
from flushproof.model.ir.trace import Trace
from flushproof.report.pictures import mermaid
from flushproof.report.sequence import png, svg
from flushproof.report.trace import Look
from flushproof.search.chances import Workload
from flushproof.workloads import SHIPPED, workload_of

F = TypeVar("F", bound=Callable[..., Any])

HOLDS, VIOLATED, BAD_INPUT, INCONCLUSIVE, INTERNAL = 0, 1, 2, 3, 70
"""Exit statuses; INTERNAL is a bug of flushproof's own, and never to be taken for a verdict."""


def _pairs(option: str, example: str) -> Callable[..., dict[str, str]]:
    return lambda _context, _parameter, texts: pairs(texts, option, example)


def system_argument(required: bool = True) -> Callable[[F], F]:
    """The system that a command is about."""
    metavar = "SYSTEM" if required else "[SYSTEM]"
    return click.argument("system", metavar=metavar, required=required, shell_complete=systems_like)


sizes_option = click.option(
    "--size",
    "sizes",
    metavar="SORT=N",
    multiple=True,
    callback=_pairs("--size", "--size SORT=N"),
    shell_complete=sizes_like,
    help="How many elements a sort has, as in cpu=3. Any number of times.",
)


def settings_options(function: F) -> F:
    """`--policy`, `--set`, `--size`: which instance of a system is meant."""
    for option in (
        sizes_option,
        click.option(
            "--set",
            "knobs",
            metavar="KNOB=VALUE",
            multiple=True,
            callback=_pairs("--set", "--set KNOB=VALUE"),
            shell_complete=knobs_like,
            help="The value of a knob; it wins over the policy's. Any number of times.",
        ),
        click.option(
            "--policy",
            metavar="NAME",
            shell_complete=policies_like,
            help="A named policy of the system: a set of knobs. Without it every knob has its default.",
        ),
    ):
        function = option(function)
    return function


def _workload(_context: click.Context, _parameter: click.Parameter, text: str | None) -> Workload | None:
    return None if text is None else workload_of(text)


workload_option = click.option(
    "--workload",
    metavar="NAME|FILE",
    callback=_workload,
    help=f"How often what happens: {', '.join(SHIPPED)}, or a FILE.toml with rates of your own (docs/costs.md).",
)
"""`--workload`: gives the command a `Workload`, or None."""

text_or_json = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print it."
)
"""`--format`, for what has no other form."""


html_option = click.option(
    "--html",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the result as a page that needs nothing else: the trace to step through, or what holds and why.",
)


def _picture(_context: click.Context, _parameter: click.Parameter, path: Path | None) -> Path | None:
    if path is not None and path.suffix not in PICTURES:
        raise click.BadParameter(f"{path}: a trace is drawn as {', '.join(PICTURES)}")
    return path


picture_option = click.option(
    "--picture",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_picture,
    help="Also draw the trace as a sequence diagram: FILE.svg, FILE.png, or FILE.mmd for Mermaid.",
)

PICTURES: dict[str, Callable[[Trace], str | bytes]] = {".svg": svg, ".png": png, ".mmd": mermaid}
"""What draws a trace, by the ending of the file."""


def draw(trace: Trace, path: Path) -> None:
    """Draws a trace into a file.

    Raises:
        FlushproofError: the file cannot be written, or what draws it is not installed.
    """
    drawn = PICTURES[path.suffix](trace)
    try:
        path.write_bytes(drawn.encode() if isinstance(drawn, str) else drawn)
    except OSError as error:
        raise FlushproofError(f"{path}: {error.strerror}") from None


def draw_if_any(trace: Trace | None, path: Path | None) -> None:
    """Draws the trace of a result where a picture is wanted; says so where the result has none.

    Raises:
        FlushproofError: as `draw`.
    """
    if path is not None and trace is None:
        click.echo(f"flushproof: there is no trace to draw in {path}", err=True)
    elif path is not None and trace is not None:
        draw(trace, path)


def along_option(what_for: str) -> Callable[[F], F]:
    """`--from`: a saved trace to start from."""
    return click.option(
        "--from",
        "along",
        metavar="TRACE",
        type=click.Path(path_type=Path),
        help=f"A trace that was saved of the same policy, {what_for}.",
    )


open_option = click.option("--open", "opens", is_flag=True, help="Show it in the browser.")
"""`--open`, of what writes a page."""


def page_written(page: Path, text: str, opens: bool) -> None:
    """Writes a page, says where, and shows it in the browser if that is wanted.

    Raises:
        FlushproofError: it cannot be written.
    """
    write(page, text)
    click.echo(page)
    if opens and not webbrowser.open(page.resolve().as_uri()):
        click.echo("flushproof: no browser was found; the page is there", err=True)


_LONG = "flushproof.long"


def _keep(context: click.Context, _parameter: click.Parameter, long: bool) -> None:
    context.meta[_LONG] = long


long_option = click.option(
    "--long",
    is_flag=True,
    expose_value=False,
    callback=_keep,
    help="Of a trace show each step in a row of its own, with all that made it possible.",
)
"""`--long`: what `look` says of traces."""


def _amount(_context: click.Context, _parameter: click.Parameter, text: str | None) -> Amount | None:
    return DEFAULT if text is None else Amount.of(text)


audit_option = click.option(
    "--audit",
    metavar="N|off|all",
    callback=_amount,
    help="How much is read again by another way: N steps and states. [default: what half a second or a tenth of the time allows]",
)
"""`--audit`: gives the command an `Amount`, or None for off."""


def pairs(texts: Sequence[str], option: str, example: str) -> dict[str, str]:
    """`KNOB=VALUE` texts as a mapping.

    Raises:
        FlushproofError: a text without `=`, or the same name twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value):
            raise FlushproofError(f"{option} {text}: write it as {example}")
        if name in found:
            raise FlushproofError(f"{option} gives '{name}' twice: {found[name]} and {value}")
        found[name] = value
    return found


_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def memory(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """A size of memory in bytes: a number with an optional unit, as in 500M or 2GiB (a callback for an option)."""
    if value is None:
        return None
    text = value.strip().lower().removesuffix("b").removesuffix("i")
    number, unit = (text[:-1], text[-1]) if text[-1:].isalpha() else (text, "")
    try:
        found = int(float(number) * _UNITS[unit])
    except (ValueError, KeyError, OverflowError):
        found = 0
    if found <= 0:
        raise click.BadParameter(f"'{value}' is no size of memory: write it as 500M or 2G", ctx, param)
    return found


def warn(warnings: Sequence[str], told: frozenset[str] = frozenset()) -> frozenset[str]:
    """Says on standard error what was not told before; all that was told by now."""
    for warning in warnings:
        if warning not in told:
            click.echo(f"flushproof: warning: {warning}", err=True)
    return told | {*warnings}


def look(elsewhere: int = 100) -> Look:
    """How a report on this standard output should look: as wide as the terminal (or as `elsewhere` where there is none), in
    colour unless that is unwanted."""
    width = shutil.get_terminal_size((elsewhere, 24)).columns
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    context = click.get_current_context(silent=True)
    return Look(width, colour, every_step=context is not None and context.meta.get(_LONG, False))


def try_path(path: Path) -> None:
    """Sees to it, before a long search, that a file that a user asked for can be written; what is there stays.

    Raises:
        FlushproofError: it cannot.
    """
    there = path.exists()
    try:
        with path.open("a"):
            pass
        if not there:
            path.unlink()
    except OSError as error:
        raise FlushproofError(f"{path}: {error.strerror}") from None


def folder(path: Path) -> None:
    """Makes a folder that a user asked for, if it is not there.

    Raises:
        FlushproofError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FlushproofError(f"{path}: {error.strerror}") from None


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Inside, SIGTERM is what Ctrl-C is: what there is by then is reported."""

    def interrupt(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def write(path: Path, text: str) -> None:
    """Writes a file that a user asked for.

    Raises:
        FlushproofError: it cannot be written.
    """
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise FlushproofError(f"{path}: {error.strerror}") from None
