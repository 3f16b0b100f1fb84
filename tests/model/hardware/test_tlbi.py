"""TLB invalidations: whom they reach, and when they are known to be complete."""

import pytest
from flushproof.model.hardware import Cpu, Invalidations, Scope
from flushproof.model.language.declare import Knob, Map, System, action, final, invariant, process, reachable, require

from .explored import named, violated


class Maintenance(System):
    """Every CPU holds a stale entry; one CPU, which has `started`, invalidates and then waits on its own PE or on another."""

    scope = Knob(Scope, Scope.BROADCAST, "of the TLBI")
    waits = Knob(bool, True, "DSB behind the TLBI")
    elsewhere = Knob(bool, False, "the DSB is executed by the other CPU")

    started: bool
    cleaned: Map[Cpu, bool]
    done: Map[Cpu, bool]

    def clean(self, cpu):
        self.cleaned[cpu] = True

    tlbi = Invalidations(perform=clean)

    @process(Cpu)
    def invalidates(self, cpu):
        yield "TLBI"
        require(not self.started)
        self.started = True
        self.tlbi.issue(cpu, self.scope)
        yield "DSB"
        if self.waits and not self.elsewhere:
            self.tlbi.barrier(cpu)
        self.done[cpu] = True

    @action
    def waits_elsewhere(self, cpu: Cpu):
        require(self.elsewhere and not self.done[cpu])
        self.tlbi.barrier(cpu)
        self.done[cpu] = True

    @final
    def nothing_is_left_to_do(self):
        return self.started

    @invariant(because="{cpu} is done, and {other} still holds the entry")
    def gone_everywhere(self):
        return all(self.cleaned[other] for cpu in Cpu for other in Cpu if self.done[cpu])

    @invariant(because="{cpu} is done, and still holds the entry itself")
    def gone_here(self):
        return all(self.cleaned[cpu] for cpu in Cpu if self.done[cpu])

    @reachable
    def one_is_ahead_of_another(self):
        return any(self.cleaned[a] and not self.cleaned[b] for a in Cpu for b in Cpu)


HERE, EVERYWHERE, AHEAD = "gone-here", "gone-everywhere", "one-is-ahead-of-another"


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        ({}, set()),
        ({"waits": False}, {HERE, EVERYWHERE}),
        ({"scope": "local"}, {EVERYWHERE}),
        ({"scope": "none"}, {HERE, EVERYWHERE, AHEAD}),
        ({"elsewhere": True}, {HERE, EVERYWHERE}),
    ],
    ids=named,
)
def test_complete_behind_the_issuers_barrier_alone(knobs: dict[str, object], expected: set[str]) -> None:
    assert violated(Maintenance, knobs) == expected
