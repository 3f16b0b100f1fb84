"""Vcpus take turns on CPUs, and whoever comes after another one flushes: why does that suffice, for any number of CPUs?

Try it:

    flushproof prove last_ran.py --policy last-ran --without left-by-who-ran-last
"""

from typing import Annotated, Optional

from flushproof.model.hardware import Cpu, Vcpu
from flushproof.model.language import Knob, Map, Policy, System, View, action, check, event, lemma, reachable, require


class LastRan(System):
    """Vcpus of one VM share the TLBs of the CPUs that they run on."""

    name = "last-ran"
    sizes = {Cpu: 1, Vcpu: 2}

    flush = Knob(bool, True, "flush when another vcpu ran here last", order="rising")
    policies = {
        "none": Policy("No flush.", {"flush": False}, "no-foreign-hit"),
        "last-ran": Policy("Flush when another vcpu ran here last.", {}, "holds"),
    }

    running: Annotated[Map[Cpu, Optional[Vcpu]], View("context", "runs")]
    last_ran: Map[Cpu, Optional[Vcpu]]
    cached: Annotated[Map[Cpu, Vcpu, bool], View("cache", "TLB", by=(1,))]

    @action
    def load(self, cpu: Cpu, vcpu: Vcpu):
        """{vcpu} is loaded"""
        require(self.running[cpu] is None and all(self.running[c] is not vcpu for c in Cpu))
        if self.flush and self.last_ran[cpu] is not vcpu:
            self.cached[cpu, :] = False
        self.running[cpu] = self.last_ran[cpu] = vcpu

    @action
    def fill(self, cpu: Cpu, vcpu: Vcpu):
        """the walker caches an entry of {vcpu}"""
        require(self.running[cpu] is vcpu)
        self.cached[cpu, vcpu] = True

    @action
    def put(self, cpu: Cpu):
        """the vcpu leaves"""
        require(self.running[cpu] is not None)
        self.running[cpu] = None

    @event
    def hit(self, cpu: Cpu, vcpu: Vcpu, owner: Vcpu):
        """{vcpu} uses the entry of {owner}"""
        require(self.running[cpu] is vcpu and self.cached[cpu, owner])
        check("no-foreign-hit", vcpu is owner, "On {cpu}, {vcpu} hits what {owner} left in the TLB.")

    @reachable
    def an_entry_waits(self):
        """An entry is in a TLB while nobody runs there."""
        return any(self.cached[cpu, vcpu] and self.running[cpu] is None for cpu in Cpu for vcpu in Vcpu)


class LastRanProof(LastRan, proof=True):
    """Why it holds: what is in a TLB was left there by who ran there last."""

    @lemma
    def runs_now_ran_last(self):
        return all(self.last_ran[cpu] is self.running[cpu] for cpu in Cpu if self.running[cpu] is not None)

    @lemma
    def left_by_who_ran_last(self):
        return all(self.last_ran[cpu] is vcpu for cpu in Cpu for vcpu in Vcpu if self.cached[cpu, vcpu])

    @lemma
    def of_one_vcpu(self):
        return all(a is b for cpu in Cpu for a in Vcpu for b in Vcpu if self.cached[cpu, a] and self.cached[cpu, b])
