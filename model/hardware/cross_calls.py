"""Cross-calls: one CPU makes others execute a function, and may wait until they have.

Follows smp_call_function_many() in kernel/smp.c.  The caller queues the call for each CPU of the mask but itself, and sends an
IPI to each; a CPU takes it when its interrupts are on (or at once, where it is not maskable: firmware, such as OpenSBI's remote
fences in M-mode, or an NMI), and executes the function within that interrupt.  The caller that waits spins until all of
them have returned from it.  A call that a CPU has not taken yet keeps the next one from the same caller waiting (csd_lock).

What the function does is the system's to say: an action if it is one step, a process if it is several.  Either is the
call's while it holds it::

    calls = CrossCalls(cpus, Page)

    @action
    def flush_tlb_func(self, cpu: Cpu, caller: Cpu, page: Page):
        with self.calls(cpu, caller, page):
            self.cached[cpu, page] = False
"""

from typing import Annotated, Optional

from flushproof.model.language.declare import Map, Part, View, cost, each, require

from .costs import IPI
from .execution import Execution
from .sorts import Cpu


class CrossCalls(Part):
    """Calls of one function.

    cpus: the `Execution` of the machine; operand: the sorts of what the function is given, none or several; maskable:
    whether a CPU that has its interrupts off takes the call later, rather than at once.
    """

    executing: Annotated[Map[Cpu, Optional[Cpu]], View("context", "executes the call of")]

    def __init__(self, cpus, *operand, maskable=True):
        if not isinstance(cpus, Execution):
            raise TypeError(
                "CrossCalls are given what executes them first: CrossCalls(cpus, ...) with cpus = Execution()"
            )
        self.cpus, self.sorts, self.maskable = cpus, operand, maskable
        self.pending_ipi = Map(
            Cpu, Cpu, *operand, bool, view=View("pending", "IPI"), doc="the CPU called, the caller, the operand"
        )

    def call(self, cpu, *operand, to=None):
        """Call the other CPUs for which `to(other)` holds, or all others.  Waits while they have not taken the call before."""
        require(all(not (self.concerns(cpu, other, to) and self.is_queued(other, cpu)) for other in Cpu))
        for other in Cpu:
            if self.concerns(cpu, other, to):
                cost(IPI)
                self.pending_ipi[other, cpu, *operand] = True

    def concerns(self, cpu, other, to):
        return other != cpu and (to is None or to(other))

    def is_queued(self, cpu, caller):
        return any(self.pending_ipi[cpu, caller, *operand] for operand in each(*self.sorts))

    def wait(self, cpu):
        """Every CPU that `cpu` has called has returned from the function."""
        require(all(self.executing[other] != cpu and not self.is_queued(other, cpu) for other in Cpu))

    def acquire(self, cpu, caller, *operand):
        """The interrupt: take the call."""
        if self.maskable:
            self.cpus.hardirq.acquire(cpu)
        else:
            self.cpus.nmi.acquire(cpu)
        require(self.pending_ipi[cpu, caller, *operand])
        self.pending_ipi[cpu, caller, *operand] = False
        self.executing[cpu] = caller

    def resume(self, cpu, caller, *operand):
        require(not self.maskable or self.cpus.not_in_nmi(cpu))

    def release(self, cpu, caller, *operand):
        """The function has returned, and so has the interrupt."""
        self.executing[cpu] = None
        if self.maskable:
            self.cpus.hardirq.release(cpu)
        else:
            self.cpus.nmi.release(cpu)
