"""A small system for tests of the command line: vcpus of one VM that share the TLB of a CPU."""

from __future__ import annotations

from typing import Annotated, Any, Optional

from flushproof.model.language import (
    Expect,
    Knob,
    Map,
    Part,
    Policy,
    Sort,
    System,
    View,
    action,
    check,
    cost,
    dropped,
    event,
    invariant,
    process,
    reachable,
    require,
)


class Cpu(Sort):
    """A physical CPU."""


class Vcpu(Sort):
    """A virtual CPU; all of them belong to one VM."""


class SmallTlb(Part):
    """Who created the entries in each CPU's TLB."""

    entry: Annotated[Map[Cpu, Vcpu, bool], View("cache", "TLB")]


class Switch(System):
    """Vcpus of one VM share the TLB of a CPU.

    Leaves out everything else.
    """

    running: Map[Cpu, Optional[Vcpu]]
    tlb = SmallTlb()
    flush = Knob(bool, False, doc="flush the TLB when a vcpu is loaded")
    policies = {
        "none": Policy("No flush at all.", {}, expect="no-foreign-hit", also=(Expect("holds", sizes={"Vcpu": 1}),)),
        "always": Policy("A flush at each load.", {"flush": True}, expect="holds"),
        "wrong": Policy(
            "A policy that declares a verdict that it does not have.", {"flush": True}, expect="no-foreign-hit"
        ),
    }

    @action
    def load(self, cpu: Cpu, vcpu: Vcpu) -> None:
        """{vcpu} is loaded"""
        require(self.running[cpu] is None)
        if self.flush:
            cost("local_all")
            for owner in Vcpu:
                dropped(self.tlb.entry[cpu, owner])
                self.tlb.entry[cpu, owner] = False
        self.running[cpu] = vcpu

    @action
    def put(self, cpu: Cpu) -> None:
        """its vcpu is put"""
        require(self.running[cpu] is not None)
        self.running[cpu] = None

    @action
    def fill(self, cpu: Cpu, vcpu: Vcpu) -> None:
        """the walker fills an entry for {vcpu}"""
        require(self.running[cpu] is vcpu)
        self.tlb.entry[cpu, vcpu] = True

    @event
    def hit(self, cpu: Cpu, vcpu: Vcpu, owner: Vcpu) -> None:
        """{vcpu} hits"""
        require(self.running[cpu] is vcpu and self.tlb.entry[cpu, owner])
        check("no-foreign-hit", vcpu is owner, because="{vcpu} on {cpu} hits an entry that {owner} created.")

    @reachable
    def two_at_once(self) -> bool:
        """Two CPUs run a vcpu at the same time."""
        return any(self.running[a] is not None and self.running[b] is not None and a is not b for a in Cpu for b in Cpu)


class Stuck(Switch):
    """The same, where nothing is ever loaded: what must be reached is not."""

    policies = {}

    @action
    def load(self, cpu: Cpu, vcpu: Vcpu) -> None:
        """nothing is loaded"""
        require(self.running[cpu] is vcpu)


class Idle(Switch):
    """The same, on so few CPUs that what must be reached is not."""

    sizes = {Cpu: 1}
    policies = {}
    flush = Knob(bool, True, doc="flush the TLB when a vcpu is loaded")


class Unreached(Idle):
    """The same, with a policy that says that all is well."""

    policies = {"always": Policy("", {}, expect="holds")}


class Late(Idle):
    """The same, where nobody may ever be loaded again after another one was."""

    @invariant("{vcpu} ran, and its entry is gone")
    def nothing_is_dropped(self) -> bool:
        return all(not self.gone[vcpu] for vcpu in Vcpu)

    gone: Map[Vcpu, bool]

    @action
    def load(self, cpu: Cpu, vcpu: Vcpu) -> None:
        """{vcpu} is loaded"""
        require(self.running[cpu] is None)
        cost("local_all")
        for owner in Vcpu:
            dropped(self.tlb.entry[cpu, owner])
            if self.tlb.entry[cpu, owner]:
                self.gone[owner] = True
            self.tlb.entry[cpu, owner] = False
        self.running[cpu] = vcpu


class Nothing(System):
    """Nothing is asked, and nothing is read."""

    on: Map[Cpu, bool]

    @action
    def go(self, cpu: Cpu) -> None:
        """goes"""
        self.on[cpu] = True


class Undefined(System):
    """What is asked for holds, and a step reads what is not there."""

    last: Optional[Cpu]
    ran: Map[Cpu, bool]

    @action
    def go(self) -> None:
        """goes"""
        self.ran[self.last] = True  # type: ignore[index]

    @invariant("{cpu} is last")
    def nobody_is_last(self) -> bool:
        return all(self.last is not cpu for cpu in Cpu)


class Twice(Switch):
    """The same, with a second property that is broken sooner."""

    policies = {"none": Policy("", {}, expect="no-foreign-hit", also=(Expect("one-at-a-time"),))}

    @invariant("{a} and {b} both run.")
    def one_at_a_time(self) -> bool:
        return all(self.running[a] is None or self.running[b] is None or a is b for a in Cpu for b in Cpu)


class Endless(System):
    """More states than anyone explores: a counter of Booleans."""

    bit: Map[Cpu, bool]
    sizes = {Cpu: 40}

    @process(Cpu)
    def flip(self, cpu: Cpu) -> Any:
        """flips"""
        self.bit[cpu] = not self.bit[cpu]
        yield "again"
