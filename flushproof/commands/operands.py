"""`flushproof operands`: the second layer of kvm-trapped-tlbi, about all operands at once."""

from __future__ import annotations

import json
import sys
from typing import TypeVar

import click

from flushproof.commands.options import HOLDS, INCONCLUSIVE, VIOLATED, look, text_or_json
from flushproof.model.errors import FlushproofError, nearest
from flushproof.properties.operands.encodings import Emulation, Op
from flushproof.properties.operands.questions import FACTS, assume, review
from flushproof.report.operands import operands_json, operands_text

E = TypeVar("E", Emulation, Op)
STATUS = {"holds": HOLDS, "violated": VIOLATED, "inconclusive": INCONCLUSIVE}


@click.command(
    "operands",
    short_help="Trapped TLBIs: which operands does an emulation get wrong?",
    epilog="Assumptions: " + "; ".join(f"{name}: {fact}" for name, fact in FACTS.items()) + ".",
)
@click.option("--policy", "policies", metavar="NAME", multiple=True, help="One way to emulate. Any number of times.")
@click.option("--op", "ops", metavar="NAME", multiple=True, help="One operation, as in VAE1. Any number of times.")
@click.option("--assume", "facts", metavar="FACT", multiple=True, help="Take this for granted. Any number of times.")
@text_or_json
def operands_command(policies: tuple[str, ...], ops: tuple[str, ...], facts: tuple[str, ...], form: str) -> None:
    """What a trapped TLB invalidation of a guest does with the 64 bits of its operand, when a hypervisor emulates it.

    `flushproof check kvm-trapped-tlbi` asks who does what when; this asks Z3 about all operands, contexts and TLB entries at
    once, in their real encodings. An answer is a proof, or the value of each register and one entry that should be removed and
    is not.

    \b
    flushproof operands
    flushproof operands --policy raw
    flushproof operands --policy sanitised --assume own-granule --assume no-top-byte

    Exit status, with --policy: 0 all named ones hold, 1 one is violated, 3 inconclusive. Without: 0.
    """
    emulations = [_named(name, Emulation, "policies") for name in policies] or list(Emulation)
    chosen = [_named(name, Op, "operations") for name in ops] or list(Op)
    assumptions = assume(facts)
    reviews = [review(emulation, assumptions, chosen) for emulation in emulations]
    if form == "json":
        click.echo(json.dumps(operands_json(reviews, facts), indent=1))
    else:
        click.echo(operands_text(reviews, facts, bool(policies), look()), color=True)
    if policies:
        sys.exit(max((STATUS[r.verdict] for r in reviews), key=[HOLDS, INCONCLUSIVE, VIOLATED].index))


def _named(name: str, kind: type[E], what: str) -> E:
    found = {member.name.lower(): member for member in kind}
    if name.lower() not in found:
        names = list(found) if kind is Emulation else [member.name for member in kind]
        raise FlushproofError(f"There is no '{name}'. {nearest(name, names, what)}")
    return found[name.lower()]
