"""The instruction side: what a PE may still execute after code was patched, and which instruction sees to what."""

from typing import Optional

import pytest
from flushproof.model.hardware import Cpu, Scope, Vcpu
from flushproof.model.hardware.icache import Bytes, InstructionSide, Point
from flushproof.model.language.declare import (
    Knob,
    Map,
    System,
    action,
    choose,
    final,
    invariant,
    process,
    reachable,
    require,
)

from .explored import named, violated


class Patching(System):
    """Each PE runs a vcpu that never leaves it; one of them patches the line once."""

    dc = Knob(bool, True, "DC CVAU behind the store")
    first_dsb = Knob(bool, True, "DSB behind the DC")
    ic = Knob(Scope, Scope.BROADCAST, "of the IC")
    second_dsb = Knob(bool, True, "DSB behind the IC")
    isb = Knob(bool, True, "ISB at the end")
    other_sees_poc = Knob(bool, False, "who does not patch has its MMU off")

    runs: Map[Cpu, Optional[Vcpu]]
    patcher: Optional[Vcpu]
    done: Map[Cpu, bool]

    def context(self, cpu):
        return self.runs[cpu]

    def sees(self, vcpu):
        return Point.POC if self.other_sees_poc and self.patcher != vcpu else Point.POU

    def executable(self):
        return True

    side = InstructionSide(context=context, sees=sees, executable=executable)

    @process(Cpu)
    def patches(self, cpu):
        yield "load"
        vcpu = choose(Vcpu, where=lambda v: all(self.runs[c] != v for c in Cpu))
        self.runs[cpu] = vcpu
        yield "STR"
        require(self.patcher is None)
        self.patcher = vcpu
        self.side.store(cpu)
        yield "DC CVAU"
        if self.dc:
            self.side.dc_cvau(cpu)
        yield "DSB"
        if self.first_dsb:
            self.side.dsb(cpu)
        yield "IC"
        self.side.ic(cpu, self.ic)
        if self.ic != Scope.NONE:
            self.side.own_invalidate(vcpu, self.ic == Scope.BROADCAST)
        yield "DSB"
        if self.second_dsb:
            self.side.dsb(cpu)
        self.side.own_dsb(vcpu)
        yield "ISB"
        if self.isb:
            self.side.synchronize(cpu)
        self.side.own_synchronize(vcpu)
        self.done[cpu] = True
        yield "rest"
        require(False)

    @action
    def takes_exception(self, cpu: Cpu):
        require(self.runs[cpu] is not None and self.done[cpu])
        self.side.synchronize(cpu)

    @final
    def patched(self):
        return self.patcher is not None

    @invariant(because="{cpu} has patched the line and may execute the old bytes")
    def gone_here(self):
        return all(not self.side.pipeline[cpu, Bytes.OLDER] for cpu in Cpu if self.done[cpu])

    @invariant(because="{cpu} has patched the line, and {other} holds the old bytes")
    def gone_everywhere(self):
        return all(not self.side.line[other, Bytes.OLDER] for cpu in Cpu for other in Cpu if self.done[cpu])

    @invariant(because="{vcpu} executes on {cpu} what it could not on a machine of its own")
    def its_own_machine(self):
        return all(
            self.side.own_pipeline[vcpu]
            for cpu in Cpu
            for vcpu in Vcpu
            if self.runs[cpu] == vcpu and self.side.pipeline[cpu, Bytes.OLDER]
        )

    @reachable
    def old_and_new_are_there(self):
        return any(self.side.line[cpu, Bytes.OLDER] and self.side.line[cpu, Bytes.NEWEST] for cpu in Cpu)


HERE, EVERYWHERE, OWN = "gone-here", "gone-everywhere", "its-own-machine"


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        ({}, set()),
        ({"dc": False}, {HERE, EVERYWHERE}),
        ({"dc": False, "side.idc": True}, set()),
        ({"dc": False, "side.fwb": True}, set()),
        ({"first_dsb": False}, {HERE, EVERYWHERE}),
        ({"ic": "local"}, {EVERYWHERE}),
        ({"ic": "none"}, {HERE, EVERYWHERE}),
        ({"ic": "none", "side.dic": True}, set()),
        ({"second_dsb": False}, {HERE, EVERYWHERE, OWN}),
        ({"isb": False}, {HERE, OWN}),
        ({"other_sees_poc": True}, {EVERYWHERE}),
        ({"other_sees_poc": True, "side.dic": True}, {EVERYWHERE}),
    ],
    ids=named,
)
def test_each_instruction_of_the_sequence(knobs: dict[str, object], expected: set[str]) -> None:
    for fill in ("eager", "lazy", "literal"):
        assert violated(Patching, {**knobs, "side.fill": fill}) - {"old-and-new-are-there"} == expected


def test_old_and_new_bytes_are_there_together() -> None:
    assert "old-and-new-are-there" not in violated(Patching)
