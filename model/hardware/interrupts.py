"""Interrupts: masked and not, and calls from one CPU to the others that wait to be acknowledged.

Follows Linux: local_irq_disable/enable, and smp_call_function_many(..., wait=true), which returns once every other CPU has run
the function.  A CPU takes an interrupt as soon as it is unmasked.  A guest does not mask the host's interrupts (Arm ARM DDI
0487, D1, routing and masking of asynchronous exceptions: a physical IRQ that is routed to EL2 is taken whatever PSTATE.I is at
EL1), so a running guest exits first; the host, which entered it with interrupts masked, takes the interrupt when it unmasks them
after the exit.
"""

from typing import Annotated

from flushproof.model.language.declare import Map, Part, View, action, cost, require

from .costs import IPI
from .sorts import Cpu


class Interrupts(Part):
    """The interrupts of each CPU.  handler(cpu): what a call makes the called CPU do."""

    masked: Map[Cpu, bool]
    called: Annotated[Map[Cpu, Cpu, bool], View("pending", "IPI")]

    def __init__(self, *, handler):
        self.handler = handler

    def disable(self, cpu):
        """local_irq_disable"""
        self.masked[cpu] = True

    def enable(self, cpu):
        """local_irq_enable"""
        self.masked[cpu] = False

    def call_others(self, cpu):
        """Send an IPI to every other CPU."""
        for other in Cpu:
            if other != cpu:
                cost(IPI)
                self.called[other, cpu] = True

    @action
    def takes_ipi(self, cpu: Cpu, sender: Cpu):
        """{cpu} takes the IPI of {sender} and acknowledges it"""
        require(self.called[cpu, sender] and not self.masked[cpu])
        self.called[cpu, sender] = False
        self.handler(cpu)

    def wait_for_others(self, cpu):
        """Wait until every CPU that `cpu` has called acknowledged."""
        require(all(not self.called[other, cpu] for other in Cpu))
