"""Cleared PTEs in store buffers: who still walks them, and what drains a buffer."""

from typing import Optional

import pytest
from flushproof.model.hardware import Cpu, Page
from flushproof.model.hardware.store_buffers import StoreBuffers
from flushproof.model.language.declare import Knob, Map, System, at, choose, initially, invariant, process, reachable

from .explored import named, violated


class Unmaps(StoreBuffers, System):
    """Each CPU clears a PTE of its own, and goes on to what must not happen while somebody walks it."""

    locked = Knob(bool, True, "a locked instruction comes in between")
    tso = Knob(bool, True, "stores wait in the store buffer")

    pte: Map[Cpu, Page, bool]
    store_buffer: Map[Cpu, Optional[Page]]

    @initially
    def mapped(self):
        self.pte[...] = True

    @process(Cpu)
    def unmap(self, cpu):
        yield "clear"
        self.clear_pte(cpu, choose(Page, where=lambda p: self.pte[cpu, p]))
        yield "locked instruction"
        if self.locked:
            self.drain(cpu)
        yield "go on"
        self.drain(cpu)
        self.pte[cpu, :] = True

    @invariant(because="{cpu} goes on, and the PTE that it cleared is still walked")
    def what_was_cleared_is_not_walked(self):
        return all(any(not self.pte[cpu, p] for p in Page) for cpu in Cpu if at(self.unmap, cpu, "go on"))

    @reachable
    def a_load_may_pass_the_store(self):
        return any(at(self.unmap, cpu, "locked instruction") and all(self.pte[cpu, p] for p in Page) for cpu in Cpu)


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        ({}, set()),
        ({"locked": False}, {"what-was-cleared-is-not-walked"}),
        ({"tso": False, "locked": False}, {"a-load-may-pass-the-store"}),
    ],
    ids=named,
)
def test_what_a_load_passes(knobs: dict[str, object], expected: set[str]) -> None:
    assert violated(Unmaps, knobs) == expected
