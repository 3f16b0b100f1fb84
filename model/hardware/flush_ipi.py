"""Xen's TLB flushes of other CPUs: flush_mask() and the interrupt that it sends.

Follows xen/arch/x86/smp.c.  `flush_lock` serialises all flushes of other CPUs in the machine.  Under it the sender
publishes what is to be flushed, interrupts a mask of CPUs and spins, with interrupts on, until each has cleared its bit in
`flush_cpumask`.  A CPU does so when it has flushed, within the interrupt handler and thus with interrupts off.

Unlike the calls of `cross_calls`, of which each caller may have one under way, the machine has a single mask, and the lock for it.

Why taking the lock, publishing and sending are one step: nobody but the lock's holder writes the mask and the flags, and
nobody reads them before the interrupt arrives.  The spinning ends in a step of its own.  A handler may flush and acknowledge
in one step: interrupts are off in between, and a walker that refills there may as well refill behind it.
"""

from typing import Annotated, Optional

from flushproof.model.language.declare import Map, Part, View, cost, require

from .costs import IPI
from .sorts import Cpu


def nothing(under_way):
    """No flags say what is to be flushed: every handler does the same."""


class FlushIpi(Part):
    """The machine's one flush of other CPUs in progress.  The system says what the handler does."""

    flush_lock: Annotated[Optional[Cpu], View("lock", "flush_lock")]
    flush_cpumask: Annotated[Map[Cpu, bool], View("pending", "IPI")]

    def flush(self, cpu, mask, publish=nothing):
        """Have the CPUs other than `cpu` in the row `mask[cpu, ...]` flush, if there are any, and wait for them.

        publish(under_way): stores flush_flags for the handlers, and clears them when they have flushed.
        """
        if any(mask[cpu, other] for other in Cpu if other != cpu):
            yield "flush_mask: take flush_lock and interrupt the others"
            self.send(cpu, mask)
            publish(True)
            yield "flush_mask: wait until they have flushed"
            self.wait(cpu)
            publish(False)

    def send(self, cpu, mask):
        """Take flush_lock and interrupt the CPUs other than `cpu` in the row `mask[cpu, ...]`."""
        require(self.flush_lock is None)
        self.flush_lock = cpu
        for other in Cpu:
            if other != cpu and mask[cpu, other]:
                cost(IPI)
            self.flush_cpumask[other] = other != cpu and mask[cpu, other]

    def acknowledge(self, cpu):
        """The interrupted CPU has flushed: cpumask_clear_cpu(cpu, &flush_cpumask)."""
        self.flush_cpumask[cpu] = False

    def wait(self, cpu):
        """Every CPU has flushed: release flush_lock."""
        require(self.flush_lock == cpu and all(not self.flush_cpumask[other] for other in Cpu))
        self.flush_lock = None
