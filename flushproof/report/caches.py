"""What caches hold, entry by entry: which state is a cache, and what of it is a tag, the parts of the machine say (`View`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flushproof.model.ir import BoolSort, EnumSort, OptionSort, Sort, StateVar
from flushproof.model.ir.instance import Instance, Slot, State

Caches = Mapping[tuple[str, str], list[str]]
"""By whose it is and what it is called (`cpu0`, `TLB`): the entries of a cache, as they are written."""


@dataclass(frozen=True)
class Entry:
    """A location of a cache in words: whose it is, what the hardware compares, what it holds, and who made it."""

    owner: str
    cache: str
    tag: str
    held: str
    by: str = ""

    def __str__(self) -> str:
        """`vm0 → page0, by vcpu0`"""
        text = " → ".join(filter(None, [self.tag, self.held])) or "entry"
        return f"{text}, by {self.by}" if self.by else text

    @property
    def place(self) -> str:
        return f"the {self.cache} of {self.owner}"


def is_cache(var: StateVar) -> bool:
    """Whether the locations of a variable are entries of a cache."""
    return var.view is not None and var.view.what == "cache"


def is_real_cache(var: StateVar) -> bool:
    """Whether they are entries of a cache that the machine has, and not one that only properties know."""
    return is_cache(var) and var.kind != "ghost"


def entry(instance: Instance, slot: Slot, code: int) -> Entry:
    """A location of a cache that has this value."""
    var = instance.system.variable[slot.var]
    view = var.view
    assert view is not None
    shown = [instance.show(s, i) for s, i in zip(var.index, slot.index, strict=True)]
    behind = [n for n, sort in enumerate(var.index) if n != view.of and not _is_placeholder(sort)]
    tag = [shown[n] for n in behind if n <= view.tag]
    content = [n for n in range(len(var.index)) if n > view.tag and n not in view.by and n != view.of]
    called = dict(zip(content, view.holds, strict=False))
    held = [f"{called[n]} {shown[n]}" if n in called else shown[n] for n in content if n in behind]
    if not isinstance(var.sort, BoolSort):
        held.append(instance.show(var.sort, code))
    between = ", " if called else " "
    return Entry(shown[view.of], view.title, " ".join(tag), between.join(held), " ".join(shown[n] for n in view.by))


def owner_of(instance: Instance, slot: Slot) -> str:
    """Whose cache a location is in."""
    return entry(instance, slot, 0).owner


def is_set(slot: Slot, code: int) -> bool:
    """Whether there is something in a location of a cache, or something pending in it."""
    return bool(code) if isinstance(slot.sort, BoolSort | OptionSort) else True


def cached(instance: Instance, state: State) -> Caches:
    """The entries of each cache of the machine."""
    found: dict[tuple[str, str], list[str]] = {}
    for slot, code in zip(instance.slots, state, strict=True):
        if is_real_cache(instance.system.variable[slot.var]):
            made = entry(instance, slot, code)
            found.setdefault((made.owner, made.cache), []).extend([str(made)] if is_set(slot, code) else [])
    return found


def _is_placeholder(sort: Sort) -> bool:
    return isinstance(sort, EnumSort) and len(sort.members) == 1
