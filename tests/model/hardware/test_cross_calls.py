"""Cross-calls: who is called executes the function once for each call, and has returned from it when the caller goes on."""

from typing import Optional

import pytest
from flushproof.model.hardware import Cpu, CrossCalls, Execution, Lock, Page, Tasks
from flushproof.model.language.declare import (
    Knob,
    Map,
    Policy,
    System,
    action,
    at,
    choose,
    invariant,
    lemma,
    process,
    reachable,
    require,
)
from flushproof.model.language.instantiate import instantiate, knob_values
from flushproof.search.explore import explore

from flushproof.agreement import Agreement
from flushproof.proving import prove

from .explored import named, violated


def agrees(cls: type[System], **knobs: object) -> None:
    Agreement(cls, instantiate(cls, None, knobs), knob_values(cls, None, knobs)).compare(300, None)


class Shootdown(System):
    """munmap() of one address space flushes the CPUs that use it, and frees the page.

    A CPU that enters the address space later finds the page gone; who is not in it has no entries of it.
    """

    sends_to_users = Knob(
        bool, True, "the call goes to mm_cpumask, rather than to the CPUs that are busy in the kernel now"
    )
    waits = Knob(bool, True, "wait until all have flushed")
    stays_in_mask = Knob(bool, True, "a CPU leaves mm_cpumask only when it flushes")
    whole = Knob(bool, True, "the handler flushes all pages, rather than the one that it is told")
    policies = {
        "mask": Policy("The call goes to all CPUs of the mask.", {}, "holds"),
        "operand": Policy("The handler flushes the page that it is told.", {"whole": False}, "holds"),
        "forgets-a-cpu": Policy("A CPU leaves the mask with entries.", {"stays_in_mask": False}, "no-freed-page"),
        "wrong-mask": Policy("The wrong CPUs are called.", {"sends_to_users": False}, "no-freed-page"),
        "hasty": Policy("Nobody waits.", {"waits": False}, "no-freed-page"),
    }

    cpus = Execution()
    calls = CrossCalls(cpus, Page)
    mmap_lock = Lock()
    uses: Map[Cpu, bool]
    mm_cpumask: Map[Cpu, bool]
    mapped: Map[Page, bool]
    freed: Map[Page, bool]
    cached: Map[Cpu, Page, bool]

    @action
    def mmap(self, page: Page):
        require(not self.mapped[page] and all(not self.cpus.task.inside[cpu] for cpu in Cpu))
        self.mapped[page] = True
        self.freed[page] = False

    @action
    def switch_mm(self, cpu: Cpu):
        with self.cpus.task(cpu):
            self.uses[cpu] = not self.uses[cpu]
            self.mm_cpumask[cpu] = self.uses[cpu] or (self.stays_in_mask and self.mm_cpumask[cpu])

    @action
    def fill(self, cpu: Cpu, page: Page):
        require(self.uses[cpu] and self.mapped[page])
        self.cached[cpu, page] = True

    @process(Cpu)
    def flush_tlb_func(self, cpu):
        caller, page = choose(Cpu), choose(Page)
        with self.calls(cpu, caller, page):
            yield "flushes, and returns"
            if self.whole:
                self.cached[cpu, :] = False
                self.mm_cpumask[cpu] = self.uses[cpu]
            else:
                self.cached[cpu, page] = False

    @process(Cpu)
    def munmap(self, cpu):
        with self.cpus.task(cpu), self.mmap_lock(cpu):
            require(self.uses[cpu])
            page = choose(Page, where=lambda p: self.mapped[p])
            self.mapped[page] = False
            self.cached[cpu, page] = False
            yield "smp_call_function_many"
            self.calls.call(
                cpu, page, to=lambda c: self.mm_cpumask[c] if self.sends_to_users else self.cpus.task.inside[c]
            )
            if self.waits:
                yield "csd_lock_wait"
                self.calls.wait(cpu)
            yield "frees the page"
            self.freed[page] = True

    @invariant("{cpu} has an entry for {page}, which is free")
    def no_freed_page(self):
        return all(not (self.freed[page] and self.cached[cpu, page] and self.uses[cpu]) for cpu in Cpu for page in Page)

    @reachable
    def nobody_is_called(self):
        return any(
            at(self.munmap, cpu, "frees the page") and all(not self.mm_cpumask[c] for c in Cpu if c is not cpu)
            for cpu in Cpu
        )


@pytest.mark.parametrize("policy", Shootdown.policies)
@pytest.mark.parametrize("cpus", [2, 3])
def test_a_shootdown_of_a_mask(policy: str, cpus: int) -> None:
    outcome = explore(instantiate(Shootdown, policy, {}, {"cpu": cpus, "page": 1 if cpus == 3 else 2}))
    assert (outcome.property or outcome.verdict) == Shootdown.policies[policy].expect


def test_python_agrees() -> None:
    agrees(Shootdown)
    agrees(Debts)
    agrees(RemoteFence)


class Debts(System):
    """Each CPU calls another one now and then, with a page, and it is noted down who owes whom; each works with interrupts off."""

    waits = Knob(bool, True, "wait until the other has returned from the function")
    masks = Knob(bool, True, "the work is done with interrupts off")

    cpus = Execution()
    calls = CrossCalls(cpus, Page)
    owed: Map[Cpu, Cpu, Page, bool]
    serves: Map[Cpu, Optional[Cpu]]
    works: Map[Cpu, bool]
    spurious: bool
    missed: bool
    disturbed: bool

    @process(Cpu)
    def function(self, cpu):
        caller, page = choose(Cpu), choose(Page)
        with self.calls(cpu, caller, page):
            self.disturbed = self.works[cpu]
            self.spurious = not self.owed[cpu, caller, page]
            self.owed[cpu, caller, page] = False
            self.serves[cpu] = caller
            yield "returns"
            self.serves[cpu] = None

    @process(Cpu)
    def caller(self, cpu):
        with self.cpus.task(cpu):
            other, page = choose(Cpu, where=lambda c: c is not cpu), choose(Page)
            self.owed[other, cpu, page] = True
            self.calls.call(cpu, page, to=lambda c: c is other)
            if self.waits:
                yield "waits"
                self.calls.wait(cpu)
                self.missed = any(self.serves[c] == cpu or self.owed[c, cpu, p] for c in Cpu for p in Page)
            yield "works"
            if self.masks:
                self.cpus.local_irq_disable(cpu)
            self.works[cpu] = True
            yield "has worked"
            self.works[cpu] = False
            self.cpus.local_irq_enable(cpu)

    @invariant("a function is executed that nobody has called")
    def no_call_is_invented(self):
        return not self.spurious

    @invariant("{cpu} owes {caller} an execution for {page}, and knows nothing of it")
    def no_call_is_lost(self):
        return all(
            self.calls.pending_ipi[cpu, caller, page]
            for cpu in Cpu
            for caller in Cpu
            for page in Page
            if self.owed[cpu, caller, page]
        )

    @invariant("somebody goes on, and has not been answered")
    def who_waits_is_answered(self):
        return not self.missed

    @invariant("somebody is called while interrupts are off")
    def work_is_not_interrupted(self):
        return not self.disturbed

    @lemma
    def what_is_queued_is_owed(self):
        return all(
            self.calls.pending_ipi[cpu, caller, page] == self.owed[cpu, caller, page]
            for cpu in Cpu
            for caller in Cpu
            for page in Page
        )

    @lemma
    def whom_it_serves(self):
        return all(self.serves[cpu] == self.calls.executing[cpu] for cpu in Cpu)

    @lemma
    def who_works_has_interrupts_off(self):
        return all(self.cpus.irqs_off[cpu] for cpu in Cpu if self.works[cpu])

    @reachable
    def a_call_waits_for_interrupts(self):
        return any(
            self.calls.pending_ipi[cpu, caller, page] and self.cpus.irqs_off[cpu]
            for cpu in Cpu
            for caller in Cpu
            for page in Page
        )


class Forgetful(CrossCalls):
    """A call that replaces the one before, as if there were one place for all callers."""

    def call(self, cpu, *operand, to=None):
        for other in Cpu:
            for caller in Cpu:
                for earlier in Page:
                    if self.concerns(cpu, other, to):
                        self.pending_ipi[other, caller, earlier] = caller is cpu and earlier in operand


class Repeating(CrossCalls):
    """A call that stays queued when it is taken."""

    def acquire(self, cpu, caller, *operand):
        self.cpus.hardirq.acquire(cpu)
        require(self.pending_ipi[cpu, caller, *operand])

    def release(self, cpu, caller, *operand):
        self.cpus.hardirq.release(cpu)


class Early(CrossCalls):
    """The caller goes on once its call was taken, and not when the function has returned."""

    def wait(self, cpu):
        require(all(not self.is_queued(other, cpu) for other in Cpu))


@pytest.mark.parametrize(
    ("calls", "knobs", "cpus", "expected"),
    [
        (CrossCalls, {}, 2, set()),
        (CrossCalls, {"waits": False}, 2, set()),
        (CrossCalls, {"masks": False}, 2, {"work-is-not-interrupted", "a-call-waits-for-interrupts"}),
        (Forgetful, {}, 3, {"no-call-is-lost", "who-waits-is-answered"}),
        (Repeating, {}, 2, {"no-call-is-invented", "a-call-waits-for-interrupts"}),
        (Early, {}, 2, {"who-waits-is-answered"}),
    ],
    ids=named,
)
def test_no_call_is_lost(calls: type[CrossCalls], knobs: dict[str, bool], cpus: int, expected: set[str]) -> None:
    machine = Execution()
    system = {"cpus": machine, "calls": calls(machine, Page), "__module__": __name__}
    assert violated(type("Debts", (Debts,), system), knobs, cpu=cpus, page=2 if cpus == 2 else 1) == expected


def test_no_call_is_lost_for_any_size() -> None:
    proved = prove(Debts, by="induction", audit=None)
    wanted = {"no-call-is-invented", "no-call-is-lost", "who-waits-is-answered", "work-is-not-interrupted"}
    assert (proved.wrong_lemmas, set(proved.proved) & wanted) == ((), wanted)


@pytest.mark.parametrize("part", [CrossCalls, Tasks])
def test_what_executes_comes_first(part: type[CrossCalls] | type[Tasks]) -> None:
    with pytest.raises(TypeError, match=r"cpus = Execution\(\)"):
        part(Page)


class RemoteFence(System):
    """One hart makes the others' firmware fence, whether or not they run a guest, with interrupts on or off: nobody exits."""

    maskable = Knob(bool, False, "the fence is an interrupt that the host takes, rather than the firmware")

    cpus = Execution()
    firmware = CrossCalls(cpus, maskable=False)
    ipi = CrossCalls(cpus)
    stale: Map[Cpu, bool]
    stays: Map[Cpu, bool]

    @process(Cpu)
    def vcpu_run(self, cpu):
        with self.cpus.task(cpu):
            with self.cpus.guest(cpu):
                yield "exits"
                self.stays[cpu] = False
            yield "is back"

    @action
    def fence(self, cpu: Cpu, caller: Cpu):
        with self.firmware(cpu, caller):
            self.stale[cpu] = False

    @action
    def interrupt(self, cpu: Cpu, caller: Cpu):
        with self.ipi(cpu, caller):
            self.stale[cpu] = False

    @process(Cpu)
    def changes(self, cpu):
        """changes the tables"""
        with self.cpus.task(cpu):
            for other in Cpu:
                self.stale[other] = other is not cpu
                self.stays[other] = self.cpus.in_guest(other)
            yield "sbi_remote_hfence_gvma"
            if self.maskable:
                self.ipi.call(cpu)
            else:
                self.firmware.call(cpu)
            yield "is answered"
            self.ipi.wait(cpu)
            self.firmware.wait(cpu)
            self.stale[cpu] = False
            yield "goes on"

    @invariant("{other} has not fenced, though {cpu} goes on")
    def all_have_fenced(self):
        return all(
            not self.stale[other] or any(at(self.changes, c, "sbi_remote_hfence_gvma", "is answered") for c in Cpu)
            for cpu in Cpu
            for other in Cpu
            if at(self.changes, cpu, "goes on")
        )

    @reachable
    def a_guest_goes_on_behind_the_fence(self):
        return any(
            at(self.changes, cpu, "goes on") and self.cpus.in_guest(other) and self.stays[other]
            for cpu in Cpu
            for other in Cpu
        )


def test_firmware_fences_under_the_guest() -> None:
    """A call that cannot be masked does not make a guest exit; one that the host takes does."""
    assert violated(RemoteFence) == set()
    assert violated(RemoteFence, {"maskable": True}) == {"a-guest-goes-on-behind-the-fence"}


class CallsUnderLock(System):
    """Each CPU calls the others with a lock held, and takes the lock with interrupts off or on: who spins cannot be called then."""

    irqs_off = Knob(bool, True, "interrupts are off while it waits for the lock, and calls")
    spins = Knob(
        bool, True, "turning interrupts off and taking the lock are two steps, as they are in spin_lock_irqsave"
    )
    enables = Knob(bool, True, "interrupts are on again for the call")

    cpus = Execution()
    calls = CrossCalls(cpus)
    lock = Lock()
    flushed: Map[Cpu, bool]

    @action
    def flush(self, cpu: Cpu, caller: Cpu):
        with self.calls(cpu, caller):
            self.flushed[cpu] = True

    @process(Cpu)
    def works(self, cpu):
        with self.cpus.task(cpu):
            flags = self.cpus.local_irq_save(cpu) if self.irqs_off else False
            if self.spins:
                yield "spins"
            with self.lock(cpu):
                yield "calls"
                if self.enables:
                    self.cpus.local_irq_enable(cpu)
                self.flushed[...] = False
                self.calls.call(cpu)
                yield "waits"
                self.calls.wait(cpu)
            self.cpus.local_irq_restore(cpu, flags)

    @reachable
    def everyone_flushes(self):
        return any(self.flushed[cpu] for cpu in Cpu)


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        ({"irqs_off": False}, set()),
        ({}, {"no-deadlock"}),
        ({"spins": False}, set()),
        ({"spins": False, "enables": False}, set()),
    ],
    ids=named,
)
def test_who_spins_with_interrupts_off_is_not_called(knobs: dict[str, bool], expected: set[str]) -> None:
    """The deadlock is there only if the waiting is a step of its own, as `locks` says."""
    assert violated(CallsUnderLock, knobs) == expected
