"""`flushproof simulate`: random walks."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from flushproof.auditing import Amount, Auditor
from flushproof.checking import certified, source_of
from flushproof.commands.options import (
    INCONCLUSIVE,
    VIOLATED,
    audit_option,
    draw_if_any,
    html_option,
    long_option,
    look,
    picture_option,
    settings_options,
    system_argument,
    text_or_json,
    try_path,
    write,
)
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.report.page import simulation_page
from flushproof.report.simulation import simulation_json, simulation_text
from flushproof.search.simulate import Simulation, simulate
from flushproof.search.task import Limits


@click.command("simulate", short_help="Walk at random, through sizes that no search finishes.")
@system_argument()
@settings_options
@click.option(
    "--property", "properties", metavar="NAME", multiple=True, help="Look for this only. Any number of times."
)
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed makes the same walks.")
@click.option("--walks", type=click.IntRange(min=1), default=100, show_default=True, help="How many walks.")
@click.option("--steps", type=click.IntRange(min=0), default=1000, show_default=True, help="How long each may be.")
@click.option("--max-seconds", metavar="S", type=click.FloatRange(min=0, min_open=True), help="Stop after this time.")
@click.option(
    "--save",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the result as JSON, for `flushproof trace FILE`.",
)
@html_option
@picture_option
@long_option
@audit_option
@text_or_json
def simulate_command(
    system: str,
    policy: str | None,
    knobs: dict[str, str],
    sizes: dict[str, str],
    properties: tuple[str, ...],
    seed: int,
    walks: int,
    steps: int,
    max_seconds: float | None,
    save: Path | None,
    html: Path | None,
    picture: Path | None,
    audit: Amount | None,
    form: str,
) -> None:
    """Walks through SYSTEM at random: what a walk meets is real, and what no walk meets may exist all the same.

    A violation comes with the shortest trace among the walks (`flushproof check` finds a shortest one of all), and Z3 confirms
    it. Without one the verdict is "inconclusive": walking proves nothing.

    Exit status: 1 violated, 3 inconclusive, 2 bad input.
    """
    cls = load_system(system)
    instance = instantiate(cls, policy, knobs, sizes)
    for path in filter(None, (save, html, picture)):
        try_path(path)
    auditor = Auditor(cls, instance, policy, knobs, audit) if audit else None
    if auditor:
        auditor.walk()
    found = simulate(
        instance,
        seed=seed,
        walks=walks,
        steps=steps,
        properties=properties or None,
        limits=Limits(seconds=max_seconds),
    )
    for violated in found.violations:
        certified(violated.trace)
    agreed = auditor.done() if auditor else None
    data = json.dumps(simulation_json(instance, source_of(cls), knobs, found, agreed), indent=1)
    if save is not None:
        write(save, data)
    if html is not None:
        write(html, simulation_page(instance, source_of(cls), found, agreed))
    draw_if_any(found.violations[0].trace if found.violations else None, picture)
    click.echo(data if form == "json" else simulation_text(instance, found, look(), agreed), color=True)
    sys.exit(status(found))


def status(found: Simulation) -> int:
    """Walks that meet no violation say nothing about those that were not made."""
    return VIOLATED if found.violations else INCONCLUSIVE
