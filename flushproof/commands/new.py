"""`flushproof new`: a first system to edit."""

from __future__ import annotations

import re
from keyword import iskeyword
from pathlib import Path

import click

from flushproof.model.errors import FlushproofError

FIRST = '''"""What the mechanism does, the bug that it may have, what is left out, and where that is written down."""

from typing import Annotated, Optional

from flushproof.model.hardware import Cpu, Tlb, Vm
from flushproof.model.language import Knob, Map, Policy, System, View, check, choose, event, process, reachable, require


class CLASS(System):
    """Guests take turns on a CPU, and their TLB entries have no tag that tells them apart."""

    # What a policy chooses.  Try: flushproof check FILE:CLASS --set flush=off
    flush = Knob(bool, True, "flush the TLB before another guest is entered")

    # The state: who runs on each CPU, and who ran there last.
    running: Annotated[Map[Cpu, Optional[Vm]], View("context", "in the guest")]
    last: Map[Cpu, Optional[Vm]]

    def walkable(self, cpu, vm):
        """The walker may cache a translation of the guest that runs."""
        return self.running[cpu] == vm

    # `holds` remembers whose entry it is; nothing in `tag`, so the hardware does not compare it.
    tlb = Tlb(tag=(), holds=(Vm,), walk=walkable)

    @process(Cpu)
    def run(self, cpu):
        """Each CPU, again and again.  Between two `yield`s nobody else can act."""
        yield "the scheduler picks a guest"
        vm = choose(Vm, where=lambda v: all(self.running[c] != v for c in Cpu))
        if self.flush and self.last[cpu] != vm:
            yield "flushes the TLB"
            self.tlb.drop_all(cpu)
        yield "enters the guest"
        self.running[cpu] = vm
        yield "exits the guest"
        self.running[cpu] = None
        self.last[cpu] = vm

    @event
    def hit(self, cpu: Cpu, vm: Vm, owner: Vm):
        """{vm} uses an entry of {owner}"""
        require(self.running[cpu] == vm and self.tlb.entry[cpu, owner])
        check("no-foreign-hit", vm == owner, "On {cpu}, {vm} reaches the memory of {owner} through the TLB.")

    @reachable
    def guests_take_turns(self):
        """A guest runs where another one ran last."""
        return any(
            self.running[cpu] is not None and self.last[cpu] is not None and self.running[cpu] != self.last[cpu]
            for cpu in Cpu
        )

    # Each with the verdict that it must give: flushproof check FILE --all
    policies = {
        "fixed": Policy("flush when another guest ran here last", {"flush": True}, "holds"),
        "broken": Policy("never flush", {"flush": False}, "no-foreign-hit"),
    }
'''


@click.command("new", short_help="Write a first system of your own, to be edited.")
@click.argument("file", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
def new_command(file: Path) -> None:
    """Writes a small system with a bug, its fix and a property into FILE, and says what to do with it.

    \b
    flushproof new my_system.py
    flushproof check my_system.py:MySystem --policy broken
    """
    name = "".join(part.capitalize() for part in re.split(r"[^a-zA-Z0-9]+", file.stem))
    if file.suffix != ".py" or not name.isidentifier() or iskeyword(name):
        raise FlushproofError(f"{file}: a system is a Python file; call it my_system.py, say")
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(FIRST.replace("FILE", file.name).replace("CLASS", name))
    except FileExistsError:
        raise FlushproofError(f"{file} is there already, and is not written over") from None
    except OSError as error:
        raise FlushproofError(f"{file}: {error.strerror}") from None
    click.echo(
        f"{file} has the system {name}, with a policy that is broken and one that is fixed. Next:\n\n"
        f"  flushproof check {file}:{name} --policy broken   # the shortest way to break it\n"
        f"  flushproof check {file}:{name} --all             # every policy against its verdict\n"
        f"  flushproof prove {file}:{name} --policy fixed    # for any number of CPUs and VMs\n\n"
        "Then change it. docs/tutorial.md explains each part of it."
    )
