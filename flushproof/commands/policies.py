"""`flushproof policies`: which policies are safe, which are the weakest, and what of one is needed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from flushproof.commands.options import (
    HOLDS,
    INCONCLUSIVE,
    VIOLATED,
    look,
    memory,
    settings_options,
    system_argument,
    text_or_json,
    try_path,
    workload_option,
)
from flushproof.commands.progress import shown
from flushproof.laboratory.decided import Told
from flushproof.laboratory.judging import LARGER_STATES, Answer, Question, answer
from flushproof.laboratory.measuring import STEPS, Measurement, measure, names_of
from flushproof.model.language.load import load_system
from flushproof.report.lattice import draw
from flushproof.report.measurement import draw_costs
from flushproof.report.plotting import refuse_picture
from flushproof.report.policies import policies_json, policies_text
from flushproof.result import HOLDS as WITHOUT_VIOLATION
from flushproof.result import VIOLATED as WITH_VIOLATION
from flushproof.search.chances import Workload
from flushproof.search.task import Limits

REDUNDANT = 4
"""Exit status of a policy that is safe, and of which something can be weaker."""


@click.command("policies", short_help="Decide all policies: the weakest safe ones, and why nothing of them can go.")
@system_argument()
@settings_options
@click.option(
    "--free",
    metavar="KNOB",
    multiple=True,
    help="A knob that is left open. Any number of times. Without it: all but toggles and those that are --set.",
)
@click.option(
    "--property", "properties", metavar="NAME", multiple=True, help="Ask for this alone. Any number of times."
)
@click.option("--any-size", is_flag=True, help="With --policy: have the prover lift what can be weaker to any size.")
@click.option("--traces", is_flag=True, help="Print every trace in full.")
@click.option(
    "--picture",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw the lattice into FILE.svg or FILE.png, too.",
)
@workload_option
@click.option(
    "--walk-steps",
    metavar="N",
    type=click.IntRange(min=1),
    default=STEPS,
    show_default=True,
    help="With --workload: how long each walk is.",
)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="With --workload: the same seed makes the same walks."
)
@click.option(
    "--cost-picture",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="With --workload: draw cost against safety into FILE.svg or FILE.png, too.",
)
@click.option(
    "--larger",
    metavar="N",
    type=click.IntRange(min=0),
    default=LARGER_STATES,
    show_default=True,
    help="Search through the weakest policies at the next sizes, this many states for each; 0 for not at all.",
)
@click.option(
    "--max-seconds", metavar="S", type=click.FloatRange(min=0, min_open=True), help="Stop deciding after this time."
)
@click.option("--max-states", metavar="N", type=click.IntRange(min=1), help="Of each search.")
@click.option("--max-memory", metavar="SIZE", callback=memory, help="Of each search, as in 500M or 2G.")
@text_or_json
def policies_command(
    system: str,
    policy: str | None,
    knobs: dict[str, str],
    sizes: dict[str, str],
    free: tuple[str, ...],
    properties: tuple[str, ...],
    any_size: bool,
    traces: bool,
    picture: Path | None,
    workload: Workload | None,
    walk_steps: int,
    seed: int,
    cost_picture: Path | None,
    larger: int,
    max_seconds: float | None,
    max_states: int | None,
    max_memory: int | None,
    form: str,
) -> None:
    """Decides every policy of SYSTEM that its open knobs make: which values are safe, the weakest safe policies, and for each
    step below one of them the shortest trace that shows why it is not safe.

    \b
    flushproof policies kvm-vcpu-switch
    flushproof policies kvm-vcpu-switch --policy always
    flushproof policies kvm-vmid-allocator --free flush --free wait_for_flush --free defer
    flushproof policies my_system.py:MySystem --format json

    With --workload: what the safe policies cost, measured; the cheapest first.

    With --policy: is it safe, and what of it is necessary, can be weakened, or is redundant?

    Exit status: 0 everything was decided and, with --policy, it is safe and nothing of it can be weaker; 1 that policy is not
    safe; 4 it is safe, and something of it can be weaker; 3 a limit or Ctrl-C stopped it; 2 bad input.
    """
    question = Question(
        load_system(system),
        policy,
        knobs,
        sizes,
        free,
        properties,
        Limits(max_states, max_memory, max_seconds),
        any_size,
        larger,
        workload,
    )
    if any_size and policy is None:
        raise click.UsageError("--any-size is about what a policy does without: give a --policy with it.")
    if cost_picture is not None and workload is None:
        raise click.UsageError("--cost-picture draws what is measured under a workload: give a --workload with it.")
    for path in filter(None, (picture, cost_picture)):
        refuse_picture(path)
        try_path(path)
    with shown("deciding policies") as progress:

        def told(what: Told | str) -> None:
            if progress is not None:
                progress(what if isinstance(what, str) else _words(what))

        found = answer(question, told)
        measured = None
        if workload is not None and not found.stopped_by_user:
            measured = measure(found.decided, names_of(found), workload, steps=walk_steps, seed=seed, told=told)
    click.echo(
        json.dumps(policies_json(found, measured), indent=1)
        if form == "json"
        else policies_text(found, look(), traces, measured),
        color=True,
    )
    if picture is not None:
        draw(found, picture)
    if cost_picture is not None and measured is not None:
        draw_costs(measured, found.lattice, cost_picture)
    sys.exit(_status(found, measured))


def _words(told: Told) -> str:
    return f"{told.searched:,} searches, {told.pruned:,} policies decided without one, {told.left:,} left"


def _status(found: Answer, measured: Measurement | None = None) -> int:
    judged = found.judged
    if judged is not None and judged.result.verdict == WITH_VIOLATION:
        return VIOLATED
    if measured is not None and not measured.complete:
        return INCONCLUSIVE
    if not found.complete or (judged is not None and judged.result.verdict != WITHOUT_VIOLATION):
        return INCONCLUSIVE
    if judged is not None and judged.redundant:
        return REDUNDANT
    return INCONCLUSIVE if judged is not None and judged.unknown else HOLDS
