"""What a page needs to draw the machine in any state of a trace: its locations, what each is, and how each step changes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flushproof.model.ir import Scalarset, StateVar
from flushproof.model.ir.instance import Instance, Slot, State
from flushproof.report.actors import CPU
from flushproof.report.caches import entry, is_cache
from flushproof.report.cause import Link
from flushproof.report.locations import location
from flushproof.report.news import Row, comparison, shown
from flushproof.report.waiting import under_way
from flushproof.report.words import Story, cost_words

MEMORY = ""
"""Whose the state is that belongs to no element."""


class Machine:
    """The machine of one trace, as the script of a page reads it.

    Values are written once, in `values`, and named by their number; a state is the initial one with the changes of each step.
    """

    def __init__(self, story: Story) -> None:
        self.story = story
        self.instance = story.instance
        self._values: dict[str, int] = {}
        self._processes = {a.process for a in self.instance.system.actions if a.process is not None}

    def data(self, links: tuple[Link, ...]) -> dict[str, Any]:
        """All that the script gets."""
        story, instance = self.story, self.instance
        found: dict[str, Any] = {
            "lanes": list(story.lanes),
            "owners": self.owners(),
            "slots": [self.slot(slot) for slot in instance.slots],
            "initial": [self._value(s, code) for s, code in zip(instance.slots, story.states[0], strict=True)],
            "steps": [self._step(row) for row in story.rows],
            "waits": self.waits(story.states),
            "links": [self._link(link) for link in links],
        }
        return {**found, "values": self.values()}

    def owners(self) -> list[str]:
        """Whose state there is: CPUs, other elements, and what belongs to none."""
        sorts = [s for s in self.instance.system.sorts if isinstance(s, Scalarset)]
        names = [
            self.instance.show(s, code)
            for s in sorted(sorts, key=lambda s: s.name != CPU)
            for code in self.instance.codes(s)
        ]
        return [*names, MEMORY]

    def values(self) -> list[str]:
        """The values that were named so far."""
        return list(self._values)

    def difference(self, before: State | None, after: State) -> list[int]:
        """The locations in which two states differ, each followed by its value after; all of them where there is none before."""
        return [
            number
            for i, slot in enumerate(self.instance.slots)
            if before is None or before[i] != after[i]
            for number in (i, self._value(slot, after[i]))
        ]

    def waits(self, states: Sequence[State]) -> dict[str, dict[str, int]]:
        """Until what processes wait that have begun: by the numbers of the state and of the program counter, as a value."""
        found = enumerate(under_way(self.instance, states))
        return {
            str(number): {str(self.instance.slot(slot.var, slot.index)): self._named(wait.until) for slot, wait in waiting.items()}
            for number, waiting in found
            if waiting
        }

    def _value(self, slot: Slot, code: int) -> int:
        return self._named(shown(self.instance, slot, code))

    def _named(self, text: str) -> int:
        return self._values.setdefault(text, len(self._values))

    def slot(self, slot: Slot) -> dict[str, Any]:
        """One location: its name, whose it is, what it is, and of a cache its tag, what it holds, and who made it.

        `empty` is the value with which there is nothing in it, for what is a cache or pending.
        """
        var = self.instance.system.variable[slot.var]
        said: dict[str, Any] = {"name": location(self.instance, slot), "of": self._owner(var, slot)}
        if var.kind in ("ghost", "rigid"):
            said["kind"] = var.kind
        if var.name.removesuffix(".pc") in self._processes:
            return {**said, "what": "at", "title": var.name.removesuffix(".pc")}
        if any(var.name.startswith(f"{process}.") for process in self._processes):
            return {**said, "what": "local"}
        if var.view is None:
            return said
        said |= {"what": var.view.what, "title": var.view.title}
        if is_cache(var):
            # With a code of 0 the content is shown by the script: it is the value itself, then.
            found = entry(self.instance, slot, 1)
            said |= {"tag": found.tag, "held": found.held if not self._holds_value(var) else "", "empty": self._empty(slot)}
            said["by"] = found.by
        elif var.view.what == "pending":
            said |= {"held": self._issued(var, slot, var.view.of), "empty": self._empty(slot)}
        return said

    def _issued(self, var: StateVar, slot: Slot, of: int) -> str:
        """Who issued what, of what is pending: `vmid1 from cpu1`."""
        rest = [(s, i) for n, (s, i) in enumerate(zip(var.index, slot.index, strict=True)) if n != of]
        operand = [self.instance.show(s, i) for s, i in rest if s != var.index[of]]
        issuer = [f"from {self.instance.show(s, i)}" for s, i in rest if s == var.index[of]]
        return " ".join([*operand, *issuer])

    def _holds_value(self, var: StateVar) -> bool:
        return var.sort.name != "bool"

    def _empty(self, slot: Slot) -> int:
        return self._value(slot, 0)

    def _owner(self, var: StateVar, slot: Slot) -> str:
        """The element whose location this is: the one that the view names, or else the only one in the index."""
        position = var.view.of if var.view is not None else 0
        if not var.index or not isinstance(var.index[position], Scalarset) or (var.view is None and len(var.index) > 1):
            return MEMORY
        if var.view is not None and var.view.what == "table":
            return MEMORY
        return self.instance.show(var.index[position], slot.index[position])

    def _step(self, row: Row) -> dict[str, Any]:
        story, instance = self.story, self.instance
        return {
            "lane": story.lanes.index(row.actor.name),
            "changes": [
                [
                    instance.slot(c.slot.var, c.slot.index),
                    self._value(c.slot, c.before),
                    self._value(c.slot, c.after),
                ]
                for c in row.changes
            ],
            "others": story.told(story.enabled[row.number - 1], row.number - 1),
            "costs": cost_words(row.costs),
            "process": " ".join(filter(None, [row.process, row.runs and f"of {row.runs}"])),
        }

    def _link(self, link: Link) -> dict[str, Any]:
        return {
            "step": link.step,
            "part": link.part,
            "slot": self.instance.slot(link.slot.var, link.slot.index),
            "lane": self._owner(self.instance.system.variable[link.slot.var], link.slot),
        }


def read_words(instance: Instance, row: Row) -> list[str]:
    """The comparisons that decided a step, as they came out."""
    return list(dict.fromkeys(comparison(instance, fact, row) for fact in row.reads))
