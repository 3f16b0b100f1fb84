"""Small systems whose policies break something else than an invariant: a deadlock, what never comes, what must be reached."""

from __future__ import annotations

from flushproof.model.language import Knob, Map, Policy, Sort, System, action, progress, reachable, require, size


class Cpu(Sort):
    """A CPU."""


class Halts(System):
    """Each CPU ticks, on and on or once."""

    flag: Map[Cpu, bool]
    other: Map[Cpu, bool]

    again = Knob(bool, True, "a CPU that has ticked may do it again", order="rising")
    policies = {"again": Policy("on and on", {}, "holds"), "once": Policy("once", {"again": False}, "no-deadlock")}

    @action
    def tick(self, cpu: Cpu) -> None:
        """ticks"""
        require(self.again or not self.flag[cpu])
        self.flag[cpu] = not self.flag[cpu]

    @reachable
    def nothing_does_this(self):
        """The other flag is raised."""
        return any(self.other[cpu] for cpu in Cpu)


class Crowd(System):
    """Each CPU ticks, on and on or once; in a crowd nobody asks."""

    flag: Map[Cpu, bool]

    again = Knob(bool, True, "a CPU that has ticked may do it again, where there are two of them", order="rising")
    policies = {"again": Policy("on and on", {}, "holds"), "once": Policy("once", {"again": False}, "no-deadlock")}

    @action
    def tick(self, cpu: Cpu) -> None:
        """ticks"""
        require(self.again or size(Cpu) > 2 or not self.flag[cpu])
        self.flag[cpu] = not self.flag[cpu]


class Starves(System):
    """Each CPU is served, or only ticks."""

    flag: Map[Cpu, bool]
    served: Map[Cpu, bool]

    serves = Knob(bool, True, "serves, instead of ticking", order="rising")
    policies = {"yes": Policy("serves", {}, "holds"), "no": Policy("ticks", {"serves": False}, "someone-is-served")}

    @action
    def tick(self, cpu: Cpu) -> None:
        """ticks"""
        require(not self.serves)
        self.flag[cpu] = not self.flag[cpu]

    @action
    def serve(self, cpu: Cpu) -> None:
        """is served"""
        require(self.serves)
        self.served[cpu] = not self.served[cpu]

    @progress("serve")
    def someone_is_served(self):
        """someone is served"""
