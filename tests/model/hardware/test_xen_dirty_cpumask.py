"""Who is in dirty_cpumask is flushed, and holds the copy of the root table that it should; who is not has nothing to flush."""

import pytest
from flushproof.model.hardware import Cpu, FlushIpi
from flushproof.model.hardware.xen_dirty_cpumask import Context, DirtyCpus, Scope
from flushproof.model.hardware.xen_pages import Frame, TypedPages
from flushproof.model.hardware.xen_root_copy import RootCopies
from flushproof.model.language.declare import (
    Knob,
    Map,
    System,
    action,
    at,
    choose,
    initially,
    invariant,
    process,
    reachable,
    require,
)

from .explored import named, violated


class Domain(DirtyCpus, RootCopies, TypedPages, System):
    """A domain whose root table is updated, by CPUs that run it, while others come and go."""

    sizes = {Cpu: 2, Frame: 2}

    scope = Knob(Scope, Scope.DIRTY, "which CPUs are flushed")
    root_others = Knob(bool, True, "the others are told that the root table has changed")
    set_first = Knob(bool, True, "a CPU is in dirty_cpumask before it loads the domain's CR3")
    clear_last = Knob(bool, True, "a CPU leaves dirty_cpumask after it has loaded another CR3")
    lazy = Knob(bool, True, "CPUs go idle and keep the domain's CR3")
    foreign = Knob(bool, True, "other domains run")
    xpti = Knob(bool, False, "the guest runs on a copy of its root table")
    pcid = Knob(bool, True, "TLB entries survive the CR3 writes of XPTI")
    sync_flushes = Knob(bool, False, "FLUSH_ROOT_PGTBL goes with a flush of the TLB")

    stale: Map[Cpu, Cpu, bool]
    in_guest: Map[Cpu, bool]
    scratch_cpumask: Map[Cpu, Cpu, bool]
    flush_tlb_flag: bool
    flush_root_flag: bool

    flush_ipi = FlushIpi()

    def flush_tlb(self, cpu):
        self.stale[:, cpu] = False

    @initially
    def runs_everywhere(self):
        root = choose(Frame)
        for cpu in Cpu:
            self.guest_table[cpu] = root
            self.cr3[cpu] = root
            self.dirty_cpumask[cpu] = True
            self.in_guest[cpu] = True

    @action
    def interrupt(self, cpu: Cpu):
        """With XPTI, the interrupt returns to the guest by way of restore_all_guest."""
        self.obey_flags(cpu)
        if self.xpti and self.executes_guest(cpu):
            self.copy_root(cpu)
        self.flush_ipi.acknowledge(cpu)

    @process(Cpu)
    def hypercall(self, cpu):
        yield "enter"
        if choose(bool):
            yield from self.context_switch(cpu)
        else:
            require(self.context[cpu] == Context.RUNNING)
            self.in_guest[cpu] = False
            root = self.guest_table[cpu]
            old = self.entry[root]
            self.entry[root] = choose(Frame, where=lambda f: f != old)
            for c in Cpu:
                self.stale[cpu, c] = self.cr3[c] is not None
            yield from self.flush_dirty(cpu, self.scope, True, False, self.xpti, self.xpti and self.root_others)
            yield "return"
            self.stale[cpu, :] = False
            self.restore_all_guest(cpu)

    @invariant(because="the update on {cpu} returns, and {other} may still use what it overwrote")
    def all_are_flushed(self):
        return all(not self.stale[cpu, other] for cpu in Cpu for other in Cpu if at(self.hypercall, cpu, "return"))

    @invariant(because="{cpu} runs the guest on an old copy of its root table")
    def copies_are_current(self):
        return all(
            self.copy_is_current(cpu)
            for cpu in Cpu
            if self.xpti and self.executes_guest(cpu) and all(at(self.hypercall, c, "enter") for c in Cpu)
        )

    def copy_is_current(self, cpu):
        root = self.guest_table[cpu]
        return root is not None and self.root_copy[cpu] == self.entry[root]

    @reachable
    def a_lazy_cpu_is_flushed(self):
        return any(self.context[cpu] == Context.LAZY and self.flush_ipi.flush_cpumask[cpu] for cpu in Cpu)

    @reachable
    def a_cpu_elsewhere_is_spared(self):
        return any(self.context[cpu] == Context.AWAY and self.flush_ipi.flush_lock not in (None, cpu) for cpu in Cpu)


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        ({}, set()),
        ({"set_first": False}, {"all-are-flushed"}),
        ({"clear_last": False}, {"all-are-flushed"}),
        ({"scope": Scope.LOCAL}, {"all-are-flushed", "a-lazy-cpu-is-flushed", "a-cpu-elsewhere-is-spared"}),
        ({"xpti": True}, set()),
        ({"xpti": True, "root_others": False}, {"copies-are-current"}),
    ],
    ids=named,
)
def test_each_ingredient(knobs: dict[str, object], expected: set[str]) -> None:
    assert violated(Domain, knobs) == expected
