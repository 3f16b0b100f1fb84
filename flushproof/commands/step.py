"""`flushproof step`: a terminal in which you pick each step."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from flushproof.checking import source_of
from flushproof.commands.options import along_option, settings_options, system_argument
from flushproof.commands.trace import begun_by
from flushproof.model.errors import FlushproofError
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.model.language.questions import condition_of

MOST = 100_000
"""Among how many states one is looked for, if not asked otherwise: a few seconds."""


@click.command("step", short_help="Pick each step, in the terminal.")
@system_argument()
@settings_options
@along_option("to go on from its end")
@click.option(
    "--max-states",
    metavar="N",
    type=click.IntRange(min=1),
    default=MOST,
    show_default=True,
    help="Among how many states / looks for one.",
)
def step_command(
    system: str, policy: str | None, knobs: dict[str, str], sizes: dict[str, str], along: Path | None, max_states: int
) -> None:
    """Walks through SYSTEM in the terminal: it shows what can happen next, what each step would change, and what is violated.

    \b
    flushproof step kvm-vcpu-switch --policy none
    flushproof step kvm-vcpu-switch --policy none --from trace.json

    Enter takes a step, ← goes back. / looks for the nearest state in which a condition holds, written as in the system's own
    methods: vttbr[cpu0] == vm1. s writes the walk to a file, for `flushproof view` and `flushproof trace`.
    """
    cls = load_system(system)
    instance = instantiate(cls, policy, knobs, sizes)
    begun = None if along is None else begun_by(along, system, instance)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise FlushproofError("step needs a terminal; `flushproof explore` writes a page in which you pick each step")
    from flushproof.report.stepper import Stepper  # Textual takes a quarter of a second to load

    Stepper(instance, source_of(cls), [*knobs], lambda text: condition_of(cls, instance, text), max_states, begun).run()
