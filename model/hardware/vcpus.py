"""The host's scheduler, as far as it matters to translations: which vcpu is on which CPU, and who was there before.

Follows virt/kvm/kvm_main.c (vcpu_load, vcpu_put) and arch/arm64/kvm/arm.c (kvm_arch_vcpu_load, `last_vcpu_ran`).

`Vcpus` is a part; `VcpuThreads` and `LastRan` are kinds of systems: a system inherits them, and their state is its own.
"""

from typing import Annotated, Optional

from flushproof.model.language.declare import Map, Part, View, choose, occurs, process

from .events import MIGRATION, VCPU_LOAD
from .sorts import Cpu, Vcpu


class Vcpus(Part):
    """The vcpu whose thread each CPU runs, from vcpu_load to vcpu_put.  Any vcpu may come next, anywhere; none is on two
    CPUs at once."""

    loaded: Annotated[Map[Cpu, Optional[Vcpu]], View("context", "loaded")]

    def load(self, cpu):
        """vcpu_load: the vcpu that comes next."""
        occurs(VCPU_LOAD)
        vcpu = choose(Vcpu, where=lambda v: all(self.loaded[c] != v for c in Cpu))
        self.loaded[cpu] = vcpu
        return vcpu

    def put(self, cpu):
        """vcpu_put"""
        self.loaded[cpu] = None


class VcpuThreads:
    """A system whose CPUs run vcpus, of whom each may enter the guest once before it is put.

    vcpu_load(cpu) is the steps of vcpu_load, with the choice of the vcpu (`vcpus.load`); run(cpu) those in and out of the guest
    (`guest_context`); vcpu_put(cpu) those of vcpu_put.  The next vcpu may be any, so also the same one.
    """

    vcpus = Vcpus()

    @process(Cpu)
    def vcpu_thread(self, cpu):
        """{cpu} runs vcpus"""
        yield from self.vcpu_load(cpu)
        if self.enters(cpu):
            yield from self.run(cpu)
        yield from self.vcpu_put(cpu)
        self.vcpus.put(cpu)

    def enters(self, cpu):
        """Whether the thread comes to the guest before it is preempted."""
        return True


class LastRan:
    """A system that remembers which vcpu of a VM ran on a CPU last, `last_vcpu_ran`, and where a vcpu ran last, `last_cpu`.

    It has the part `vcpus`, and says with vm_index(vcpu) under which VM `last_vcpu_ran` has the vcpu: with () if there is one VM.
    """

    def load(self, cpu):
        """vcpu_load: the vcpu that comes next, from here or from another CPU."""
        vcpu = self.vcpus.load(cpu)
        if self.last_cpu[vcpu] not in (None, cpu):
            occurs(MIGRATION)
        return vcpu

    def ran_last(self, cpu, vcpu):
        """The vcpu of this vcpu's VM that ran here last."""
        return self.last_vcpu_ran[*self.vm_index(vcpu), cpu]

    def moved(self, cpu, vcpu):
        """Whether it ran on another CPU last, or never."""
        return self.last_cpu[vcpu] != cpu

    def note(self, cpu, vcpu):
        """It runs here now."""
        self.last_vcpu_ran[*self.vm_index(vcpu), cpu] = vcpu
        self.last_cpu[vcpu] = cpu
