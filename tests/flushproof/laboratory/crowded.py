"""A small system of which more policies are safe with two CPUs than with three."""

from __future__ import annotations

import enum

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
    occurs,
    require,
)


class Cpu(Sort):
    """A CPU with a TLB."""


class Told(OrderedEnum):
    """Whom an unmap tells."""

    NOBODY = 0
    ONE = 1
    ALL = 2


class Way(enum.Enum):
    """How others are told: by a mask, or one after the other until a list with room for one is full."""

    MASK = 0
    LIST = 1


class Crowded(System):
    """A page is unmapped, and other CPUs are told."""

    mapped: bool
    cached: Map[Cpu, bool]

    told = Knob(Told, Told.ALL, "how many of the other CPUs are told", order="rising")
    way = Knob(Way, Way.MASK, "how they are told")
    policies = {
        "nobody": Policy("None of them.", {"told": Told.NOBODY}, "no-stale-hit"),
        "one": Policy("One of them.", {"told": Told.ONE}, "holds"),
        "all": Policy("All of them.", {}, "holds"),
    }

    @action
    def map(self) -> None:
        """the page is mapped"""
        require(not self.mapped)
        self.mapped = True

    @action
    def fill(self, cpu: Cpu) -> None:
        """{cpu} caches it"""
        require(self.mapped)
        self.cached[cpu] = True

    @action
    def unmap(self, cpu: Cpu, other: Cpu) -> None:
        """{cpu} unmaps it"""
        require(self.mapped and cpu is not other)
        occurs("unmap")
        self.mapped = self.cached[cpu] = False
        if self.told is Told.ALL and self.way is Way.MASK:
            self.cached[...] = False
        elif self.told is not Told.NOBODY:
            self.cached[other] = False

    @event
    def hit(self, cpu: Cpu) -> None:
        """{cpu} hits"""
        require(self.cached[cpu])
        check("no-stale-hit", self.mapped, because="{cpu} hits what is not mapped.")
