"""`flushproof export`: the same transition system, for another checker."""

from __future__ import annotations

from pathlib import Path

import click

from flushproof.commands.options import settings_options, system_argument, write
from flushproof.model.errors import FlushproofError
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.search.export import LANGUAGES, export


@click.command("export", short_help="Write a system as a model for Rumur, SPIN or TLC.")
@system_argument()
@settings_options
@click.option(
    "--to", "language", type=click.Choice(list(LANGUAGES)), required=True, help="The other checker's language."
)
@click.option(
    "--scalarsets",
    is_flag=True,
    help="Unordered sorts become scalarsets, so that Rumur's own symmetry reduction applies (murphi alone).",
)
@click.option(
    "--output",
    "-o",
    "folder",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the files into this folder. Without it, print the model.",
)
def export_command(
    system: str,
    policy: str | None,
    knobs: dict[str, str],
    sizes: dict[str, str],
    language: str,
    scalarsets: bool,
    folder: Path | None,
) -> None:
    """Writes SYSTEM, under one policy and at one size, as a readable model of exactly the same transition system: Rumur (murphi),
    SPIN (promela) and TLC (tla, with a .cfg beside it) count the same distinct states as `check --symmetry off`. With --scalarsets,
    `rumur --symmetry-reduction exhaustive` counts the same as `check` with symmetry.
    """
    instance = instantiate(load_system(system), policy, knobs, sizes)
    files = export(instance, language, scalarsets)
    if folder is None:
        click.echo(next(iter(files.values())), nl=False)
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FlushproofError(f"{folder}: {error.strerror}") from None
    for name, text in files.items():
        write(folder / name, text.rstrip("\n"))
        click.echo(folder / name)
