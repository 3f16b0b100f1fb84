"""A system whose versions differ by a knob, so that it cannot be compiled before that knob is known."""

from __future__ import annotations

from typing import Optional

from flushproof.model.language import Knob, Map, OrderedEnum, Policy, Sort, System, action, check, event, require


class Cpu(Sort):
    """A physical CPU."""


class Vcpu(Sort):
    """A virtual CPU; all of them belong to one VM."""


class Scope(OrderedEnum):
    """What a flush reaches."""

    NONE = 0
    LOCAL = 1
    ALL = 2


class Versions(System):
    """A TLB is flushed when a vcpu is loaded; the newer version looks first who ran last."""

    running: Map[Cpu, Optional[Vcpu]]
    last: Map[Cpu, Optional[Vcpu]]
    entry: Map[Cpu, Vcpu, bool]

    newer = Knob(bool, True, "flush only if another vcpu ran last")
    scope = Knob(Scope, Scope.LOCAL, "what is flushed", order="rising")
    policies = {
        "none": Policy("No flush at all.", {"scope": Scope.NONE}, expect="no-foreign-hit"),
        "older": Policy("A flush at each load.", {"newer": False}, expect="holds"),
        "newer": Policy("A flush after another vcpu.", {}, expect="holds"),
    }

    @action
    def load(self, cpu: Cpu, vcpu: Vcpu) -> None:
        """{vcpu} is loaded"""
        require(all(self.running[c] is not vcpu for c in Cpu) and self.running[cpu] is None)
        if self.newer:
            before = self.last[cpu]
        flush = self.scope != Scope.NONE
        if self.newer:
            flush = flush and before is not vcpu  # set under one value of the knob, and read under it again
        if flush:
            for c in Cpu:
                if c is cpu or self.scope == Scope.ALL:
                    self.entry[c, ...] = False
        self.last[cpu] = vcpu
        self.running[cpu] = vcpu
        self.entry[cpu, vcpu] = True

    @action
    def put(self, cpu: Cpu) -> None:
        """its vcpu is put"""
        require(self.running[cpu] is not None)
        self.running[cpu] = None

    @event
    def hit(self, cpu: Cpu, vcpu: Vcpu, owner: Vcpu) -> None:
        """{vcpu} uses the entry of {owner}"""
        require(self.running[cpu] is vcpu and self.entry[cpu, owner])
        check("no-foreign-hit", owner is vcpu, "{vcpu} hits what {owner} left on {cpu}")
