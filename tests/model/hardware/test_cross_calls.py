"""Interrupts: calls to other CPUs, and what masking them delays."""

from typing import Optional

import pytest
from flushproof.model.hardware import Cpu, Interrupts
from flushproof.model.language.declare import Knob, Map, System, invariant, process, reachable, require

from .explored import named, violated


class Calls(System):
    """One CPU at a time calls the others; each works now and then with interrupts masked, and must not be called meanwhile."""

    masks = Knob(bool, True, "mask interrupts before the work")
    unmasks = Knob(bool, True, "unmask them afterwards")
    waits = Knob(bool, True, "wait until the call was answered everywhere")

    busy: Map[Cpu, bool]
    interrupted: Map[Cpu, bool]
    answered: Map[Cpu, bool]
    caller: Optional[Cpu]
    returned: bool

    def handle(self, cpu):
        self.interrupted[cpu] = self.busy[cpu]
        self.answered[cpu] = True

    interrupts = Interrupts(handler=handle)

    @process(Cpu)
    def works(self, cpu):
        yield "starts to work"
        if self.masks:
            self.interrupts.disable(cpu)
        self.busy[cpu] = True
        yield "has worked"
        self.busy[cpu] = False
        if self.unmasks:
            self.interrupts.enable(cpu)
        yield "calls the others"
        require(self.caller is None)
        self.caller = cpu
        self.answered[...] = False
        self.interrupts.call_others(cpu)
        yield "goes on"
        if self.waits:
            self.interrupts.wait_for_others(cpu)
        self.returned = True
        yield "is done"
        self.returned = False
        self.caller = None

    @invariant(because="{cpu} was interrupted while it worked")
    def work_is_not_interrupted(self):
        return all(not self.interrupted[cpu] for cpu in Cpu)

    @invariant(because="{cpu} goes on, though {other} has not answered")
    def the_call_was_answered(self):
        return all(
            self.answered[other]
            for cpu in Cpu
            for other in Cpu
            if self.returned and self.caller == cpu and other != cpu
        )

    @reachable
    def a_call_waits_for_work(self):
        return any(self.interrupts.called[cpu, other] and self.busy[cpu] for cpu in Cpu for other in Cpu)


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        ({}, set()),
        ({"masks": False}, {"work-is-not-interrupted"}),
        ({"waits": False}, {"the-call-was-answered"}),
        ({"unmasks": False}, {"no-deadlock"}),
    ],
    ids=named,
)
def test_each_ingredient(knobs: dict[str, object], expected: set[str]) -> None:
    assert violated(Calls, knobs) == expected
