"""What a CPU executes: one thing at a time, and nested.

Without this part the processes of a system interleave freely, those of one CPU too: an interrupt handler goes on in the middle of
another one's, and a task in the middle of the handler that interrupted it.  On a CPU there is one flow of control:

| code | interrupts | begins where |
| --- | --- | --- |
| `guest` | | the task enters it; an interrupt has to wait until the guest has exited |
| `task` | | no other task of this CPU is in the kernel |
| `softirq` | task | softirqs and interrupts are on |
| `hardirq` | task, softirq | interrupts are on, and no guest runs |
| `nmi` | everything | always: an NMI, or firmware in a mode of its own (M-mode, EL3, SMM) |

What is interrupted stands still until the handler has returned.  Each process says around all that it does what it is::

    cpus = Execution()

    @process(Cpu)
    def munmap(self, cpu):
        with self.cpus.task(cpu):
            yield "flushes"

Follows Linux: in_hardirq(), in_serving_softirq(), in_nmi() in include/linux/preempt.h, local_irq_disable() and local_bh_disable();
handlers run with interrupts off and do not nest.  Which interrupts a guest masks does not matter (Arm ARM DDI 0487, D1: a
physical IRQ that is routed to EL2 is taken whatever PSTATE.I is at EL1; VT-x: external-interrupt exiting).

A task in the kernel is not preempted here: the next one begins when it has returned, as in a kernel without preemption.  Threads
that are preempted, sleep and migrate are another part (`tasks`); whose registers a CPU has loaded is in `guest_context`.
"""

from typing import Annotated

from flushproof.model.language.declare import Map, Part, View, require

from .sections import Section
from .sorts import Cpu


class Context(Part):
    """One kind of code on each CPU: ``with self.cpus.task(cpu): ...``.

    begins(cpu): whether it may, as far as the rest of the CPU is concerned; goes_on(cpu): whether nothing that interrupts it
    executes, which each of its steps requires.
    """

    inside: Map[Cpu, bool]

    def __init__(self, *, begins, goes_on):
        self.begins, self.goes_on = begins, goes_on

    def acquire(self, cpu):
        require(not self.inside[cpu] and self.begins(cpu) and self.goes_on(cpu))
        self.inside[cpu] = True

    def resume(self, cpu):
        require(self.goes_on(cpu))

    def release(self, cpu):
        self.inside[cpu] = False


class TaskContext(Context):
    """The kernel's code for a task, of which its steps show that it is executed."""

    inside: Annotated[Map[Cpu, bool], View("inside", "task")]


class Execution(Part):
    """The CPUs, each of which executes one thing at a time."""

    irqs_off: Map[Cpu, bool]
    bh_off: Map[Cpu, bool]

    def __init__(self):
        of = type(self)
        self.nmi = Context(begins=of.always, goes_on=of.always)
        self.hardirq = Context(begins=of.takes_irqs, goes_on=of.not_in_nmi)
        self.softirq = Context(begins=of.takes_softirqs, goes_on=of.not_in_hardirq)
        self.task = TaskContext(begins=of.always, goes_on=of.not_in_interrupt)
        self.guest = Context(begins=of.always, goes_on=of.not_in_interrupt)
        self.irqs_disabled = Section(of.local_irq_disable, of.local_irq_enable)
        self.bh_disabled = Section(of.local_bh_disable, of.local_bh_enable)

    # ------------------------------------------------------------------------------------------------ what may begin or go on

    def always(self, cpu):
        return True

    def takes_irqs(self, cpu):
        """Interrupts are on, and no guest has to exit first."""
        return not (self.irqs_off[cpu] or self.guest.inside[cpu])

    def takes_softirqs(self, cpu):
        return self.takes_irqs(cpu) and not self.bh_off[cpu]

    def not_in_nmi(self, cpu):
        return not self.nmi.inside[cpu]

    def not_in_hardirq(self, cpu):
        return self.not_in_nmi(cpu) and not self.hardirq.inside[cpu]

    def not_in_interrupt(self, cpu):
        """No handler executes, so that the task or its guest does."""
        return self.not_in_hardirq(cpu) and not self.softirq.inside[cpu]

    def in_guest(self, cpu):
        """A guest executes."""
        return self.guest.inside[cpu] and self.not_in_interrupt(cpu)

    def in_user(self, cpu):
        """The kernel executes nothing, and no guest runs: user space does.  Of threads `Tasks` knows that."""
        return self.not_in_interrupt(cpu) and not self.task.inside[cpu] and not self.guest.inside[cpu]

    # ------------------------------------------------------------------------------------------------- interrupts on and off

    def local_irq_disable(self, cpu):
        self.irqs_off[cpu] = True

    def local_irq_enable(self, cpu):
        self.irqs_off[cpu] = False

    def local_irq_save(self, cpu):
        """local_irq_disable, which may be nested: returns the flags that local_irq_restore puts back."""
        flags = self.irqs_off[cpu]
        self.irqs_off[cpu] = True
        return flags

    def local_irq_restore(self, cpu, flags):
        self.irqs_off[cpu] = flags

    def local_bh_disable(self, cpu):
        """Softirqs are off; they are not counted, so that this is not nested."""
        self.bh_off[cpu] = True

    def local_bh_enable(self, cpu):
        self.bh_off[cpu] = False
