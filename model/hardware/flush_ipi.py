"""Xen's TLB flushes of other CPUs: flush_area_mask() and the interrupt that it sends.

Follows xen/arch/x86/smp.c.  `flush_lock` serialises all flushes of other CPUs in the machine.  Under it the sender publishes what is to
be flushed, sends the interrupt to a mask of CPUs and spins, with interrupts on, until each has cleared its bit in
`flush_cpumask`.  A CPU clears its bit when it has flushed, within the interrupt handler and thus with interrupts off.

Why it is two steps: nobody but the lock's holder writes the mask and the flags, and nobody reads them before the interrupt
arrives, so that taking the lock, publishing and sending are one step; the spinning ends in a step of its own.
"""

from typing import Optional

from flushproof.model.language.declare import Map, Part, action, require

from .sorts import Cpu


class FlushIpi(Part):
    """The machine's one flush in progress.  handler(cpu): what the interrupted CPU does."""

    holder: Optional[Cpu]
    pending: Map[Cpu, bool]

    def __init__(self, *, handler):
        self.handler = handler

    def send(self, cpu, mask):
        """Take flush_lock and interrupt the CPUs other than `cpu` in the row `mask[cpu, ...]`."""
        require(self.holder is None)
        self.holder = cpu
        for other in Cpu:
            if other != cpu and mask[cpu, other]:
                self.pending[other] = True

    def wait(self, cpu):
        """Every CPU has flushed: release flush_lock."""
        require(self.holder == cpu and all(not self.pending[other] for other in Cpu))
        self.holder = None

    @action
    def invalidate_interrupt(self, cpu: Cpu):
        """{cpu} takes the flush interrupt and acknowledges it"""
        require(self.pending[cpu])
        self.handler(cpu)
        self.pending[cpu] = False
