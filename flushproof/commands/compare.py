"""`flushproof compare` and `flushproof repair`: two policies on one trace, and what makes an unsafe one safe."""

from __future__ import annotations

import json
import sys

import click

from flushproof.commands.options import (
    HOLDS,
    INCONCLUSIVE,
    VIOLATED,
    look,
    settings_options,
    sizes_option,
    system_argument,
    text_or_json,
    workload_option,
)
from flushproof.commands.progress import shown
from flushproof.laboratory.comparing import compare, versions
from flushproof.laboratory.decided import Told
from flushproof.laboratory.judging import Question
from flushproof.laboratory.measuring import measure, repairs_of
from flushproof.laboratory.repairing import MOST, repair
from flushproof.model.language.load import load_system
from flushproof.report.comparison import (
    compared_json,
    compared_text,
    repaired_json,
    repaired_text,
    versions_json,
    versions_text,
)
from flushproof.result import INCONCLUSIVE as CUT_SHORT
from flushproof.search.chances import Workload
from flushproof.search.task import Limits


@click.command("compare", short_help="One trace under two policies side by side, or every policy on every other's.")
@system_argument()
@click.argument("policies", metavar="[POLICY POLICY]", nargs=-1)
@click.option("--versions", "all_versions", is_flag=True, help="Every named policy on the traces of every other one.")
@sizes_option
@click.option(
    "--property", "properties", metavar="NAME", multiple=True, help="Ask for this alone. Any number of times."
)
@click.option("--max-states", metavar="N", type=click.IntRange(min=1), help="Of each search.")
@text_or_json
def compare_command(
    system: str,
    policies: tuple[str, ...],
    all_versions: bool,
    sizes: dict[str, str],
    properties: tuple[str, ...],
    max_states: int | None,
    form: str,
) -> None:
    """Takes a shortest trace that breaks one of two policies of SYSTEM through both, and says where they part.

    \b
    flushproof compare kvm-vcpu-switch none last-ran
    flushproof compare kvm-vcpu-switch --versions

    Exit status: 0 there is a trace (with --versions: any), or the policies hold; 3 a limit or Ctrl-C came first; 2 bad input.
    """
    limits = Limits(max_states)
    if all_versions:
        if policies:
            raise click.UsageError("--versions is about all policies: give no names with it.")
        every = versions(load_system(system), sizes, properties, limits)
        click.echo(
            json.dumps(versions_json(every), indent=1) if form == "json" else versions_text(every, look()), color=True
        )
        sys.exit(INCONCLUSIVE if every.interrupted or (every.undecided and not every.traces) else HOLDS)
    if len(policies) != 2:
        raise click.UsageError("Give the names of two policies, or --versions. `flushproof show SYSTEM` lists them.")
    found = compare(load_system(system), (policies[0], policies[1]), sizes, properties, limits)
    click.echo(
        json.dumps(compared_json(found), indent=1) if form == "json" else compared_text(found, look()), color=True
    )
    sys.exit(INCONCLUSIVE if found.trace is None and any(r.verdict == CUT_SHORT for r in found.results) else HOLDS)


@click.command("repair", short_help="The smallest sets of knob changes that make a policy safe.")
@system_argument()
@settings_options
@click.option(
    "--free", metavar="KNOB", multiple=True, help="A knob that may be changed. Without it: all but toggles and --set."
)
@click.option(
    "--property", "properties", metavar="NAME", multiple=True, help="Ask for this alone. Any number of times."
)
@click.option(
    "--most", metavar="N", type=click.IntRange(min=1), default=MOST, show_default=True, help="So many are looked for."
)
@workload_option
@click.option("--max-seconds", metavar="S", type=click.FloatRange(min=0, min_open=True), help="Stop after this time.")
@click.option("--max-states", metavar="N", type=click.IntRange(min=1), help="Of each search.")
@text_or_json
def repair_command(
    system: str,
    policy: str | None,
    knobs: dict[str, str],
    sizes: dict[str, str],
    free: tuple[str, ...],
    properties: tuple[str, ...],
    most: int,
    workload: Workload | None,
    max_seconds: float | None,
    max_states: int | None,
    form: str,
) -> None:
    """Finds the smallest sets of changes of knobs that make a policy of SYSTEM safe, the fewest changes first; with --workload,
    what each of them costs.

    \b
    flushproof repair kvm-vcpu-switch --policy on-migration
    flushproof repair kvm-vmid-allocator --policy no-flush --free flush --free defer

    Exit status: 0 there is a repair, or nothing to repair; 1 no values of the open knobs make it safe; 3 a limit or Ctrl-C
    came first; 2 bad input.
    """
    limits = Limits(max_states, seconds=max_seconds)
    question = Question(load_system(system), policy, knobs, sizes, free, properties, limits, workload=workload)
    with shown("looking for repairs") as progress:

        def told(what: Told | str) -> None:
            if progress is not None:
                progress(what if isinstance(what, str) else f"{what.searched:,} searches, {what.left:,} policies left")

        found = repair(question, most, told)
        measured = measure(found.decided, repairs_of(found), workload, told=told) if workload is not None else None
    click.echo(
        json.dumps(repaired_json(found, measured), indent=1)
        if form == "json"
        else repaired_text(found, look(), measured),
        color=True,
    )
    if measured is not None and not measured.complete:
        sys.exit(INCONCLUSIVE)
    if found.repairs or found.before.verdict == "holds":
        sys.exit(HOLDS)
    sys.exit(VIOLATED if found.everything else INCONCLUSIVE)
