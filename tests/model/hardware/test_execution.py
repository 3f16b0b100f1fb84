"""One thing at a time on a CPU: what is interrupted finds everything as it left it."""

import enum
from collections.abc import Callable

import pytest
from flushproof.model.hardware import Cpu, Execution
from flushproof.model.hardware.execution import Context
from flushproof.model.language.declare import (
    Knob,
    Map,
    System,
    action,
    check,
    event,
    invariant,
    process,
    reachable,
    require,
)
from flushproof.model.language.instantiate import instantiate, knob_values

from flushproof.agreement import Agreement

from .explored import named, violated


class User(enum.Enum):
    """Whose value is in the register."""

    NOBODY, TASK, SOFTIRQ, HARDIRQ, NMI = range(5)


class Register(System):
    """Code of each kind uses one register, and each handler saves it; a task has sections that handlers stay out of."""

    sizes = {Cpu: 1}
    register: Map[Cpu, User]
    section: Map[Cpu, bool]
    bh_section: Map[Cpu, bool]
    clobbered: Map[Cpu, bool]
    cpus = Execution()

    def uses(self, cpu, user):
        """Save the register, use it in two steps, restore it."""
        saved = self.register[cpu]
        self.register[cpu] = user
        yield "uses the register"
        self.clobbered[cpu] = self.register[cpu] is not user
        yield "restores the register"
        self.clobbered[cpu] = self.register[cpu] is not user
        self.register[cpu] = saved

    @process(Cpu)
    def task(self, cpu):
        with self.cpus.task(cpu):
            yield from self.uses(cpu, User.TASK)
            with self.cpus.irqs_disabled(cpu):
                self.section[cpu] = True
                yield "has interrupts off"
                self.section[cpu] = False
            yield "local_bh_disable"
            with self.cpus.bh_disabled(cpu):
                self.bh_section[cpu] = True
                yield "has softirqs off"
                self.bh_section[cpu] = False

    @process(Cpu)
    def other_task(self, cpu):
        with self.cpus.task(cpu):
            yield from self.uses(cpu, User.TASK)

    @process(Cpu)
    def softirq(self, cpu):
        with self.cpus.softirq(cpu):
            yield from self.uses(cpu, User.SOFTIRQ)

    @process(Cpu)
    def hardirq(self, cpu):
        with self.cpus.hardirq(cpu):
            yield from self.uses(cpu, User.HARDIRQ)

    @process(Cpu)
    def other_hardirq(self, cpu):
        with self.cpus.hardirq(cpu):
            yield from self.uses(cpu, User.HARDIRQ)

    @process(Cpu)
    def nmi(self, cpu):
        with self.cpus.nmi(cpu):
            yield from self.uses(cpu, User.NMI)

    @invariant("something has changed the register of {cpu} under who uses it")
    def what_is_interrupted_notices_nothing(self):
        return all(not self.clobbered[cpu] for cpu in Cpu)

    @invariant("{cpu} has taken an interrupt though they are off")
    def sections_are_not_interrupted(self):
        return all(
            not (self.section[cpu] and (self.cpus.hardirq.inside[cpu] or self.cpus.softirq.inside[cpu]))
            and not (self.bh_section[cpu] and self.cpus.softirq.inside[cpu])
            for cpu in Cpu
        )

    @event
    def user_space(self, cpu: Cpu):
        """user space runs"""
        require(self.cpus.in_user(cpu))
        check("the-kernel-is-left", self.register[cpu] is User.NOBODY, because="{cpu} is in user space too early.")

    @reachable
    def everything_is_nested(self):
        return any(
            self.cpus.task.inside[cpu]
            and self.cpus.softirq.inside[cpu]
            and self.cpus.hardirq.inside[cpu]
            and self.cpus.nmi.inside[cpu]
            for cpu in Cpu
        )

    @reachable
    def an_nmi_knows_no_off(self):
        return any(self.section[cpu] and self.cpus.nmi.inside[cpu] for cpu in Cpu)

    @reachable
    def interrupts_know_no_softirqs_off(self):
        return any(self.bh_section[cpu] and self.cpus.hardirq.inside[cpu] for cpu in Cpu)


CLOBBERED, INTERRUPTED = "what-is-interrupted-notices-nothing", "sections-are-not-interrupted"


class Reentrant(Context):
    """Code that begins while the same kind of code executes."""

    def acquire(self, cpu):
        require(self.begins(cpu) and self.goes_on(cpu))
        self.inside[cpu] = True


class Heedless(Context):
    """Code that goes on whatever interrupts it."""

    def resume(self, cpu):
        pass


MUTATIONS: dict[str, tuple[Callable[[Execution], None], str]] = {
    "interrupts are taken though they are off": (lambda c: let(c.hardirq, begins=Execution.always), INTERRUPTED),
    "softirqs are taken though they are off": (lambda c: let(c.softirq, begins=Execution.takes_irqs), INTERRUPTED),
    "an NMI does not stop a handler": (lambda c: let(c.hardirq, goes_on=Execution.always), CLOBBERED),
    "an interrupt does not stop a softirq": (lambda c: let(c.softirq, goes_on=Execution.not_in_nmi), CLOBBERED),
    "a softirq does not stop a task": (lambda c: let(c.task, goes_on=Execution.not_in_hardirq), CLOBBERED),
    "a task does not wait for the other": (lambda c: replace_by(c, "task", Reentrant), CLOBBERED),
    "a handler interrupts itself": (lambda c: replace_by(c, "hardirq", Reentrant), CLOBBERED),
    "a task goes on in its handler": (lambda c: replace_by(c, "task", Heedless), CLOBBERED),
}


def let(context: Context, **rules: Callable[..., bool]) -> None:
    vars(context).update(rules)


def replace_by(cpus: Execution, name: str, other: type[Context]) -> None:
    context = getattr(cpus, name)
    setattr(cpus, name, other(begins=context.begins, goes_on=context.goes_on))


def test_what_is_nested_is_undisturbed() -> None:
    assert violated(Register) == set()


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_each_rule_is_needed(mutation: str) -> None:
    change, broken = MUTATIONS[mutation]
    cpus = Execution()
    change(cpus)
    assert broken in violated(type("Register", (Register,), {"cpus": cpus, "__module__": __name__}))


def test_python_agrees() -> None:
    Agreement(Register, instantiate(Register), knob_values(Register, None, {})).compare(400, None)


class Guest(System):
    """A guest runs with interrupts on or off, and exits before the host takes one; firmware interrupts it as it is."""

    cpus = Execution()
    used: Map[Cpu, bool]
    handled: Map[Cpu, bool]

    @process(Cpu)
    def vcpu_run(self, cpu):
        with self.cpus.task(cpu):
            with self.cpus.guest(cpu):
                yield "exits"
                self.used[cpu] = False
            yield "has exited"

    @action
    def guest_code(self, cpu: Cpu):
        require(self.cpus.in_guest(cpu))
        self.used[cpu] = True

    @process(Cpu)
    def interrupt(self, cpu):
        with self.cpus.hardirq(cpu):
            yield "handled"

    @process(Cpu)
    def firmware(self, cpu):
        with self.cpus.nmi(cpu):
            self.handled[cpu] = self.used[cpu]
            yield "returns"
            self.handled[cpu] = False

    @invariant("{cpu} handles an interrupt though its guest has not exited")
    def the_guest_exits_first(self):
        return all(not (self.cpus.hardirq.inside[cpu] and self.cpus.guest.inside[cpu]) for cpu in Cpu)

    @event
    def user_space(self, cpu: Cpu):
        require(self.cpus.in_user(cpu))
        check("the-guest-is-left", not self.used[cpu], because="{cpu} has a guest's state in user space.")

    @reachable
    def firmware_interrupts_a_guest(self):
        return any(self.handled[cpu] for cpu in Cpu)


def test_a_guest_exits_before_an_interrupt_is_handled() -> None:
    assert violated(Guest) == set()
    cpus = Execution()
    let(cpus.hardirq, begins=Execution.always)
    assert violated(type("Guest", (Guest,), {"cpus": cpus, "__module__": __name__})) == {"the-guest-exits-first"}


class Saves(System):
    """Sections with interrupts off, one inside of the other: the inner one puts back what it found."""

    nested = Knob(bool, True, "the inner section saves and restores, rather than disabling and enabling")
    cpus = Execution()
    outer: Map[Cpu, bool]

    @process(Cpu)
    def task(self, cpu):
        with self.cpus.task(cpu), self.cpus.irqs_disabled(cpu):
            self.outer[cpu] = True
            yield "local_irq_save"
            flags = self.cpus.local_irq_save(cpu)
            yield "local_irq_restore"
            if self.nested:
                self.cpus.local_irq_restore(cpu, flags)
            else:
                self.cpus.local_irq_enable(cpu)
            yield "local_irq_enable"
            self.outer[cpu] = False

    @process(Cpu)
    def handler(self, cpu):
        with self.cpus.hardirq(cpu):
            yield "returns"

    @invariant("{cpu} takes an interrupt in a section")
    def sections_are_not_interrupted(self):
        return all(not (self.outer[cpu] and self.cpus.hardirq.inside[cpu]) for cpu in Cpu)


@pytest.mark.parametrize(("nested", "expected"), [(True, set()), (False, {INTERRUPTED})], ids=named)
def test_saved_flags_nest(nested: bool, expected: set[str]) -> None:
    assert violated(Saves, {"nested": nested}) == expected
