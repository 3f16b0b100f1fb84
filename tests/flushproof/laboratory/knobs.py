"""A small system with a lattice of policies: vcpus of one VM share the TLB of a CPU, which may be flushed here or there."""

from __future__ import annotations

import enum
from typing import Optional

from flushproof.model.language import (
    Knob,
    Map,
    OrderedEnum,
    Policy,
    Sort,
    System,
    action,
    check,
    event,
    require,
)


class Cpu(Sort):
    """A physical CPU."""


class Vcpu(Sort):
    """A virtual CPU; all of them belong to one VM."""


class Scope(OrderedEnum):
    """What a flush reaches."""

    NONE = 0
    LOCAL = 1
    ALL = 2


class Which(enum.Enum):
    """Which of two ways that make no difference to anyone's safety."""

    ONE = 0
    OTHER = 1


class Flushes(System):
    """A TLB is flushed when a vcpu is loaded, or when it is put."""

    running: Map[Cpu, Optional[Vcpu]]
    entry: Map[Cpu, Vcpu, bool]
    tries: Map[Cpu, bool]

    at_load = Knob(Scope, Scope.LOCAL, "what is flushed when a vcpu is loaded", order="rising")
    at_put = Knob(bool, False, "flush when a vcpu is put", order="rising")
    lazy = Knob(bool, False, "declared to do more, and does less: there is no flush at the load", order="rising")
    way = Knob(Which, Which.ONE, "nothing depends on it that anyone asks about")
    unused = Knob(bool, False, "nothing reads it")
    policies = {
        "none": Policy("No flush at all.", {"at_load": Scope.NONE}, expect="no-foreign-hit"),
        "load": Policy("A flush at each load.", {}, expect="holds"),
        "both": Policy("A flush at each load and at each put.", {"at_put": True}, expect="holds"),
    }

    @action
    def load(self, cpu: Cpu, vcpu: Vcpu) -> None:
        """{vcpu} is loaded"""
        require(self.running[cpu] is None)
        self.tries[cpu] = self.way is Which.ONE
        if not self.lazy:
            if self.at_load is Scope.ALL:
                self.entry[...] = False
            elif self.at_load is Scope.LOCAL:
                self.entry[cpu, :] = False
        self.running[cpu] = vcpu

    @action
    def put(self, cpu: Cpu) -> None:
        """its vcpu is put"""
        require(self.running[cpu] is not None)
        if self.at_put:
            self.entry[cpu, :] = False
        self.running[cpu] = None

    @action
    def fill(self, cpu: Cpu, vcpu: Vcpu) -> None:
        """the walker fills an entry for {vcpu}"""
        require(self.running[cpu] is vcpu and (self.tries[cpu] or self.way is Which.OTHER))
        self.entry[cpu, vcpu] = True

    @event
    def hit(self, cpu: Cpu, vcpu: Vcpu, owner: Vcpu) -> None:
        """{vcpu} hits"""
        require(self.running[cpu] is vcpu and self.entry[cpu, owner])
        check("no-foreign-hit", vcpu is owner, because="{vcpu} on {cpu} hits an entry that {owner} created.")
