"""Threads: one at a time on a CPU, on one CPU at a time, and moved wherever nothing forbids it."""

from typing import Optional

import pytest
from flushproof.model.hardware import Cpu, Execution, Lock, Tasks, Thread
from flushproof.model.language.declare import (
    Knob,
    Map,
    OrderedEnum,
    Policy,
    System,
    action,
    at,
    invariant,
    process,
    reachable,
    require,
)
from flushproof.model.language.instantiate import instantiate, knob_values
from flushproof.search.explore import explore

from flushproof.agreement import Agreement
from flushproof.proving import prove

from .explored import violated


class Stay(OrderedEnum):
    """What a thread forbids between reading its CPU's number and using it."""

    NOTHING, MIGRATION, PREEMPTION = range(3)


class LocalFlush(System):
    """A thread that has changed an entry of the CPU that it is on flushes that CPU: is it the same one still?"""

    stays = Knob(Stay, Stay.PREEMPTION, "what the thread forbids from smp_processor_id() to the flush")
    policies = {
        "preemptible": Policy("The thread may be moved.", {"stays": Stay.NOTHING}, "the-right-cpu-is-flushed"),
        "migrate-disable": Policy("The thread comes back.", {"stays": Stay.MIGRATION}, "holds"),
        "preempt-disable": Policy("The thread stays.", {"stays": Stay.PREEMPTION}, "holds"),
    }

    cpus = Execution()
    tasks = Tasks(cpus)
    stale: Map[Cpu, Optional[Thread]]
    """The thread whose change has made the TLB stale, until it flushes it."""

    @process(Thread)
    def changes(self, thread):
        with self.tasks(thread):
            if self.stays is Stay.PREEMPTION:
                self.tasks.preempt_disable(thread)
            elif self.stays is Stay.MIGRATION:
                self.tasks.migrate_disable(thread)
            cpu = self.tasks.smp_processor_id(thread)
            self.stale[cpu] = thread
            yield "flushes the CPU that it is on"
            self.stale[self.tasks.smp_processor_id(thread)] = None
            if self.stays is Stay.PREEMPTION:
                self.tasks.preempt_enable(thread)
            elif self.stays is Stay.MIGRATION:
                self.tasks.migrate_enable(thread)
            yield "goes on"

    @process(Cpu)
    def interrupt(self, cpu):
        with self.cpus.hardirq(cpu):
            yield "returns"

    @invariant("{thread} goes on, and {cpu} is stale")
    def the_right_cpu_is_flushed(self):
        return all(self.stale[cpu] != thread for cpu in Cpu for thread in Thread if at(self.changes, thread, "goes on"))


@pytest.mark.parametrize("policy", LocalFlush.policies)
def test_a_thread_that_migrates_flushes_the_wrong_cpu(policy: str) -> None:
    outcome = explore(instantiate(LocalFlush, policy))
    assert (outcome.property or outcome.verdict) == LocalFlush.policies[policy].expect


class Preemption(System):
    """Threads take turns on the CPUs, and have sections of each kind; each has a look at who else executes there."""

    cpus = Execution()
    tasks = Tasks(cpus)
    mutex = Lock(by=Thread)
    fixed: Map[Thread, Optional[Cpu]]
    alone: Map[Cpu, Optional[Thread]]
    first: Map[Thread, Optional[Cpu]]
    moved: bool
    preempted: bool
    disturbed: bool
    migrated: bool

    def looks(self, thread):
        """What a step finds: whether it is where it must be, and alone."""
        cpu = self.tasks.smp_processor_id(thread)
        self.moved = self.fixed[thread] is not None and self.fixed[thread] != cpu
        self.preempted = self.alone[cpu] is not None and self.alone[cpu] != thread
        self.disturbed = self.cpus.hardirq.inside[cpu]
        self.migrated = self.first[thread] is not None and self.first[thread] != cpu

    @process(Thread)
    def works(self, thread):
        with self.tasks(thread):
            self.looks(thread)
            self.first[thread] = self.tasks.smp_processor_id(thread)
            yield "mutex_lock"
            self.looks(thread)
            with self.mutex(thread):
                yield "migrate_disable"
                self.looks(thread)
                with self.tasks.migrate_disabled(thread):
                    self.fixed[thread] = self.tasks.smp_processor_id(thread)
                    yield "migrate_enable"
                    self.looks(thread)
                    self.fixed[thread] = None
            yield "preempt_disable"
            self.looks(thread)
            with self.tasks.preempt_disabled(thread), self.tasks.preempt_disabled(thread):
                cpu = self.tasks.smp_processor_id(thread)
                self.alone[cpu] = thread
                yield "preempt_enable"
                self.looks(thread)
                self.alone[cpu] = None
            yield "local_irq_disable"
            self.looks(thread)
            cpu = self.tasks.smp_processor_id(thread)
            with self.cpus.irqs_disabled(cpu):
                self.alone[cpu] = thread
                yield "local_irq_enable"
                self.looks(thread)
                self.alone[cpu] = None
            yield "returns"
            self.looks(thread)
            self.first[thread] = None

    @process(Cpu)
    def interrupt(self, cpu):
        with self.cpus.hardirq(cpu):
            yield "returns from the interrupt"

    @invariant("a thread that forbade it goes on elsewhere")
    def pinned_threads_come_back(self):
        return not self.moved

    @invariant("somebody executes where another one has preemption off")
    def who_is_not_preempted_is_alone(self):
        return not self.preempted and all(
            self.tasks.on[thread] == cpu for cpu in Cpu for thread in Thread if self.alone[cpu] == thread
        )

    @invariant("a thread executes in the middle of an interrupt")
    def interrupts_are_not_disturbed(self):
        return not self.disturbed

    @invariant("{a} and {b} are on one CPU")
    def one_thread_on_a_cpu(self):
        return all(
            a is b
            for a in Thread
            for b in Thread
            if self.tasks.on[a] is not None and self.tasks.on[a] == self.tasks.on[b]
        )

    @reachable
    def a_thread_migrates(self):
        return self.migrated

    @reachable
    def the_holder_of_the_mutex_is_preempted(self):
        return any(self.mutex.holder == thread and self.tasks.on[thread] is None for thread in Thread)


class Preempting(Tasks):
    """A scheduler that knows no preempt_disable."""

    @action
    def switch_out(self, cpu: Cpu, thread: Thread):
        require(self.on[thread] == cpu and self.cpus.task.goes_on(cpu) and not self.cpus.irqs_off[cpu])
        self.on[thread] = None


class Interrupting(Tasks):
    """A scheduler that switches though interrupts are off."""

    @action
    def switch_out(self, cpu: Cpu, thread: Thread):
        require(self.on[thread] == cpu and self.cpus.task.goes_on(cpu) and self.preempt_count[cpu] == 0)
        self.on[thread] = None


class Moving(Tasks):
    """A scheduler that knows no migrate_disable."""

    @action
    def switch_in(self, cpu: Cpu, thread: Thread):
        require(self.on[thread] is None and all(self.on[other] != cpu for other in Thread))
        self.on[thread] = cpu


class Crowding(Tasks):
    """A scheduler that puts a thread where another one is."""

    @action
    def switch_in(self, cpu: Cpu, thread: Thread):
        require(self.on[thread] is None and self.pinned[thread] in (None, cpu))
        self.on[thread] = cpu


class Heedless(Tasks):
    """Threads that go on whatever interrupts them."""

    def resume(self, thread):
        require(self.on[thread] is not None)


class Uncounted(Tasks):
    """Sections without preemption that do not nest."""

    def preempt_enable(self, thread):
        self.preempt_count[self.on[thread]] = 0


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        (Tasks, set()),
        (Interrupting, {"who-is-not-preempted-is-alone"}),
        (Moving, {"pinned-threads-come-back"}),
        (Crowding, {"one-thread-on-a-cpu", "who-is-not-preempted-is-alone", "well-defined"}),
        (Heedless, {"interrupts-are-not-disturbed"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_each_rule_of_the_scheduler(tasks: type[Tasks], expected: set[str]) -> None:
    machine = Execution()
    system = {"cpus": machine, "tasks": tasks(machine), "__module__": __name__}
    assert violated(type("Preemption", (Preemption,), system)) == expected


class Nested(System):
    """A section without preemption inside of another one."""

    cpus = Execution()
    tasks = Tasks(cpus)

    @process(Thread)
    def works(self, thread):
        with self.tasks(thread), self.tasks.preempt_disabled(thread):
            yield "the inner section"
            with self.tasks.preempt_disabled(thread):
                yield "ends"
            yield "the outer section ends"

    @invariant("{thread} is preempted in a section")
    def sections_are_not_preempted(self):
        return all(
            self.tasks.on[thread] is not None
            for thread in Thread
            if at(self.works, thread, "the inner section", "ends", "the outer section ends")
        )


@pytest.mark.parametrize("tasks", [Uncounted, Preempting])
def test_preempt_disable_is_counted(tasks: type[Tasks]) -> None:
    assert violated(Nested) == set()
    machine = Execution()
    system = {"cpus": machine, "tasks": tasks(machine), "__module__": __name__}
    assert "sections-are-not-preempted" in violated(type("Nested", (Nested,), system))


class Switches(System):
    """What the system does at a switch is part of it: each CPU walks the tables of the thread that it runs."""

    def switch_mm(self, cpu, thread):
        self.loaded[cpu] = thread

    cpus = Execution()
    tasks = Tasks(cpus, switch=switch_mm)
    loaded: Map[Cpu, Optional[Thread]]

    @process(Thread)
    def runs(self, thread):
        with self.tasks(thread):
            yield "goes on"

    @invariant("{cpu} runs {thread} with other tables")
    def tables_are_the_threads(self):
        return all(self.loaded[cpu] == thread for cpu in Cpu for thread in Thread if self.tasks.on[thread] == cpu)


def test_a_switch_calls_the_system() -> None:
    assert violated(Switches) == set()
    machine = Execution()
    system = {"cpus": machine, "tasks": Tasks(machine), "__module__": __name__}
    assert violated(type("Switches", (Switches,), system)) == {"tables-are-the-threads"}


class Calls(System):
    """Two system calls of each thread: one after the other, and user space runs in neither."""

    cpus = Execution()
    tasks = Tasks(cpus)

    @process(Thread)
    def munmap(self, thread):
        with self.tasks(thread):
            yield "unmaps"

    @process(Thread)
    def mprotect(self, thread):
        with self.tasks(thread):
            yield "protects"

    @invariant("{thread} is in two system calls")
    def one_call_at_a_time(self):
        return all(
            not (at(self.munmap, thread, "unmaps") and at(self.mprotect, thread, "protects")) for thread in Thread
        )

    @invariant("{thread} is in user space in the middle of a system call")
    def the_kernel_is_not_user_space(self):
        return all(
            not (self.tasks.in_user(thread) and (at(self.munmap, thread, "unmaps") or at(self.mprotect, thread, "protects")))
            for thread in Thread
        )


class Splitting(Tasks):
    """A thread may be in two system calls at once."""

    def acquire(self, thread):
        self.resume(thread)
        self.inside[thread] = True


def test_a_thread_is_in_one_system_call_at_a_time() -> None:
    assert violated(Calls) == set()
    machine = Execution()
    system = {"cpus": machine, "tasks": Splitting(machine), "__module__": __name__}
    assert violated(type("Calls", (Calls,), system)) == {"one-call-at-a-time", "the-kernel-is-not-user-space"}


def test_python_agrees() -> None:
    for cls in (LocalFlush, Preemption, Switches):
        Agreement(cls, instantiate(cls), knob_values(cls, None, {})).compare(300, None)


def test_one_thread_on_a_cpu_is_proved_for_any_size() -> None:
    proved = prove(Preemption, properties=["one-thread-on-a-cpu"], by="induction", audit=None)
    assert proved.proved == ("one-thread-on-a-cpu",)
