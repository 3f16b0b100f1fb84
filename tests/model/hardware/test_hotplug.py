"""CPUs that are offline while others invalidate: what they come back with."""

import pytest
from flushproof.model.hardware import Cpu, Invalidations, Scope
from flushproof.model.hardware.hotplug import Hotplug, HotpluggedCpus
from flushproof.model.language.declare import (
    Knob,
    Map,
    System,
    action,
    at,
    invariant,
    process,
    reachable,
    require,
)

from .explored import named, violated


class Rollovers(HotpluggedCpus, System):
    """One CPU at a time invalidates what all have cached, and relies on it."""

    hotplug = Knob(Hotplug, Hotplug.EMPTIED, "whether CPUs go offline")

    offline: Map[Cpu, bool]
    entry: Map[Cpu, bool]

    def flush_guests(self, cpu):
        self.entry[cpu] = False

    tlbi = Invalidations(perform=flush_guests)

    @process(Cpu)
    def rollover(self, cpu):
        yield "TLBI"
        require(not self.offline[cpu] and all(at(self.rollover, c, "TLBI") for c in Cpu))
        self.issue_to_online(cpu, Scope.BROADCAST)
        yield "DSB"
        self.tlbi.barrier(cpu)
        yield "relies on it"

    @action
    def caches(self, cpu: Cpu):
        require(not self.offline[cpu] and all(at(self.rollover, c, "TLBI") for c in Cpu))
        self.entry[cpu] = True

    @action
    def goes_offline(self, cpu: Cpu):
        self.go_offline(cpu, stopped=all(at(self.rollover, c, "TLBI") for c in Cpu))
        self.reset(cpu)

    @action
    def comes_online(self, cpu: Cpu):
        self.come_online(cpu)

    @invariant(because="{cpu} is online with an entry that was invalidated")
    def nothing_is_left(self):
        return all(
            not self.entry[cpu]
            for cpu in Cpu
            for c in Cpu
            if not self.offline[cpu] and at(self.rollover, c, "relies on it")
        )

    @invariant(because="{cpu} is offline in the middle of its rollover")
    def who_is_offline_is_idle(self):
        return all(at(self.rollover, cpu, "TLBI") for cpu in Cpu if self.offline[cpu])

    @reachable
    def one_is_offline(self):
        return any(self.offline[cpu] and at(self.rollover, c, "relies on it") for cpu in Cpu for c in Cpu)


class ReachesAll(Rollovers):
    """A broadcast reaches CPUs that are offline."""

    def issue_to_online(self, cpu, scope):
        self.tlbi.issue(cpu, scope)


@pytest.mark.parametrize(
    ("cls", "knobs", "expected"),
    [
        (Rollovers, {}, set()),
        (Rollovers, {"hotplug": Hotplug.KEPT}, {"nothing-is-left"}),
        (Rollovers, {"hotplug": Hotplug.NEVER}, {"one-is-offline"}),
        (ReachesAll, {"hotplug": Hotplug.KEPT}, set()),
    ],
    ids=named,
)
def test_what_a_reset_leaves(cls: type[System], knobs: dict[str, object], expected: set[str]) -> None:
    assert violated(cls, knobs) == expected
