"""`flushproof costs`: what policies cost, side by side."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import click

from flushproof.checking import Request
from flushproof.commands.options import (
    HOLDS,
    INCONCLUSIVE,
    look,
    settings_options,
    system_argument,
    text_or_json,
    workload_option,
)
from flushproof.commands.progress import shown
from flushproof.costing import Bill, bills
from flushproof.model.language.load import load_system
from flushproof.report.costs import costs_json, costs_text
from flushproof.search.chances import Workload
from flushproof.search.task import Limits


@click.command("costs", short_help="Compare what policies cost: flushes, IPIs, waits, entries dropped for nothing.")
@system_argument()
@settings_options
@click.option("--symmetry", type=click.Choice(["on", "off"]), default="on", show_default=True)
@click.option(
    "--max-seconds",
    metavar="S",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="For each policy: of exploring, and of counting.",
)
@workload_option
@click.option("--per", metavar="EVENT", help="Count by this event, as in vcpu_load, instead of by all of them.")
@text_or_json
def costs_command(
    system: str,
    policy: str | None,
    knobs: dict[str, str],
    sizes: dict[str, str],
    symmetry: str,
    max_seconds: float,
    workload: Workload | None,
    per: str | None,
    form: str,
) -> None:
    """Counts the operations of each of SYSTEM's policies (or of one) over all that can happen, per event of the world (a vcpu_load,
    a trap, a rollover): local and broadcast invalidations, IPIs, waits, guest exits; and the cached entries that are dropped, and
    how many of those for nothing.

    Without a --workload all events are as frequent. The numbers are exact: nothing is sampled.

    Exit status: 0 everything was counted, 3 a limit or Ctrl-C stopped it (what is counted by then is printed), 2 bad input.
    """
    request = Request(
        load_system(system),
        policy,
        knobs,
        sizes,
        symmetry=symmetry == "on",
        limits=Limits(seconds=max_seconds),
    )
    found: list[Bill] = []
    interrupted = False
    with shown("exploring, and counting") as progress:
        try:
            for bill in bills(replace(request, progress=progress), workload, progress):
                found.append(bill)
        except KeyboardInterrupt:
            if not found:
                raise
            interrupted = True
    if form == "json":
        click.echo(json.dumps(costs_json(found), indent=1))
    else:
        click.echo(costs_text(found, look(), per, interrupted), color=True)
    whole = all(b.costs.complete and not b.costs.undecided for b in found)
    sys.exit(HOLDS if whole and not interrupted else INCONCLUSIVE)
