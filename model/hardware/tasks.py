"""Threads, and the scheduler that preempts them and moves them from one CPU to another.

For kernel code that may be preempted: a process for each thread rather than for each CPU, whose CPU may be another one after
each `yield`::

    tasks = Tasks(cpus)

    @process(Thread)
    def munmap(self, thread):
        with self.tasks(thread):
            yield "flushes its CPU"
            self.cached[self.tasks.smp_processor_id(thread), :] = False

A thread takes its steps only while it is on a CPU, and nothing interrupts it there.  Follows Linux: preempt_disable(),
migrate_disable(), smp_processor_id().  A thread that waits may be preempted like any other, so a sleeping lock is one that is
taken with preemption on.
"""

from typing import Annotated, Optional

from flushproof.model.language.declare import Map, Part, Range, View, action, require

from .execution import Execution
from .sections import Section
from .sorts import Cpu, Thread

DEEPEST = 3
"""So many sections without preemption may be nested."""


class Tasks(Part):
    """The threads, and where they are.

    cpus: the `Execution` of the machine; switch(cpu, thread): what the system does when a CPU switches to a thread, such as
    switch_mm(), within that step.
    """

    on: Annotated[Map[Thread, Optional[Cpu]], View("context", "CPU")]
    inside: Annotated[Map[Thread, bool], View("inside", "kernel")]
    pinned: Map[Thread, Optional[Cpu]]
    preempt_count: Map[Cpu, Annotated[int, Range(0, DEEPEST)]]

    def __init__(self, cpus, *, switch=None):
        if not isinstance(cpus, Execution):
            raise TypeError("Tasks are given what executes them: Tasks(cpus) with cpus = Execution()")
        self.cpus, self.switch = cpus, switch
        self.preempt_disabled = Section(type(self).preempt_disable, type(self).preempt_enable)
        self.migrate_disabled = Section(type(self).migrate_disable, type(self).migrate_enable)

    @action
    def switch_in(self, cpu: Cpu, thread: Thread):
        """{cpu} switches to {thread}"""
        require(self.on[thread] is None and all(self.on[other] != cpu for other in Thread))
        require(self.pinned[thread] in (None, cpu) and self.cpus.task.goes_on(cpu))
        self.on[thread] = cpu
        if self.switch is not None:
            self.switch(cpu, thread)

    @action
    def switch_out(self, cpu: Cpu, thread: Thread):
        """{thread} is preempted on {cpu}"""
        require(self.on[thread] == cpu and self.cpus.task.goes_on(cpu))
        require(self.preempt_count[cpu] == 0 and not self.cpus.irqs_off[cpu])
        self.on[thread] = None

    # ------------------------------------------------------------------------------------------------------ a thread's own code

    def smp_processor_id(self, thread):
        """The CPU on which the thread is now; it may be another one after the next `yield`, where preemption is on."""
        return self.on[thread]

    def executes(self, thread):
        """It is on a CPU, and nothing interrupts it there."""
        return self.on[thread] is not None and self.cpus.task.goes_on(self.on[thread])

    def in_user(self, thread):
        """It executes, and not in the kernel."""
        return self.executes(thread) and not self.inside[thread]

    def acquire(self, thread):
        """The thread enters the kernel, in which it does one thing at a time."""
        self.resume(thread)
        require(not self.inside[thread])
        self.inside[thread] = True

    def resume(self, thread):
        require(self.executes(thread))

    def release(self, thread):
        self.inside[thread] = False

    # -------------------------------------------------------------------------------------------------- preemption on and off

    def preempt_disable(self, thread):
        """The thread stays on its CPU, and nobody else executes there but interrupts.  It may be nested."""
        self.preempt_count[self.on[thread]] += 1

    def preempt_enable(self, thread):
        self.preempt_count[self.on[thread]] -= 1

    def migrate_disable(self, thread):
        """The thread may be preempted, and comes back to the CPU on which it is."""
        self.pinned[thread] = self.on[thread]

    def migrate_enable(self, thread):
        self.pinned[thread] = None
