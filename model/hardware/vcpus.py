"""The host's scheduler, as far as it matters to translations: which vcpu is on which CPU."""

from typing import Annotated, Optional

from flushproof.model.language.declare import Map, Part, View, choose

from .sorts import Cpu, Vcpu


class Vcpus(Part):
    """The vcpu whose thread each CPU runs, from vcpu_load to vcpu_put.  Any vcpu may come next, anywhere; none is on two
    CPUs at once."""

    loaded: Annotated[Map[Cpu, Optional[Vcpu]], View("context", "loaded")]

    def load(self, cpu):
        """vcpu_load: the vcpu that comes next."""
        vcpu = choose(Vcpu, where=lambda v: all(self.loaded[c] != v for c in Cpu))
        self.loaded[cpu] = vcpu
        return vcpu

    def put(self, cpu):
        """vcpu_put"""
        self.loaded[cpu] = None
