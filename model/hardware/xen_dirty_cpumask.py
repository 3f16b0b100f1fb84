"""dirty_cpumask: the CPUs on which a PV domain's translations may be cached, how they come to be in it, and how they are flushed.

Follows xen/arch/x86: context_switch and __context_switch in domain.c, write_ptbase and flush_area_mask's callers in mm.c and smp.c.
A CPU enters its domain's dirty_cpumask with the domain's CR3 and leaves it with another one; going idle changes neither (a lazy
context switch).  Flushing a domain is flushing the CPUs in the mask: this one by itself, the others by an interrupt (`flush_ipi`).

Interrupts are on in the context switch, where Xen masks them: more interleavings.  The mask is copied in the step that decides
to flush, since the code between the two reads nothing shared.

This is a kind of system rather than a part of one: a system inherits it, and its state is its own.
"""

import enum
from typing import Annotated, Optional

from flushproof.model.language.declare import Map, OrderedEnum, View, choose, require

from .sorts import Cpu
from .xen_pages import Frame


class Context(enum.Enum):
    """What a CPU does: run the domain, idle with the domain's CR3 still loaded, or something else."""

    RUNNING = 0
    LAZY = 1
    AWAY = 2


class Scope(OrderedEnum):
    """Which CPUs are flushed: this one, those in dirty_cpumask, all."""

    LOCAL = 0
    DIRTY = 1
    ALL = 2


class DirtyCpus:
    """A system with the state `scratch_cpumask`, `flush_tlb_flag` and `flush_root_flag`, which is whom each CPU is about to
    interrupt and what the interrupt is for, the part `flush_ipi`, what XPTI has (`xen_root_copy`), and the knobs `lazy`, `foreign`,
    `scope`, `set_first`, `clear_last` and `sync_flushes`; `flush_tlb(cpu)` is what the flush does on a CPU."""

    guest_table: Annotated[Map[Cpu, Optional[Frame]], View("context", "guest_table")]
    context: Annotated[Map[Cpu, Context], View("context", "runs")]
    cr3: Annotated[Map[Cpu, Optional[Frame]], View("context", "CR3")]
    dirty_cpumask: Map[Cpu, bool]

    def executes_guest(self, cpu):
        return self.in_guest[cpu] and self.context[cpu] == Context.RUNNING

    def context_switch(self, cpu):
        """To the idle vcpu, which leaves CR3 alone; to another domain, which loads its own; or back."""
        to = choose(Context, where=lambda c: c != self.context[cpu])
        require(self.lazy or (self.foreign and to != Context.LAZY))
        require(to != Context.LAZY or self.context[cpu] == Context.RUNNING)
        if to == Context.AWAY:
            self.context[cpu] = Context.AWAY
            if not self.clear_last:
                self.dirty_cpumask[cpu] = False
            yield "write_ptbase: load another domain's CR3"
            self.cr3[cpu] = None
            self.flush_tlb(cpu)
            if self.clear_last:
                yield "leave dirty_cpumask"
                self.dirty_cpumask[cpu] = False
        elif self.context[cpu] == Context.AWAY:
            if self.set_first:
                self.dirty_cpumask[cpu] = True
            yield "write_ptbase: load the domain's CR3"
            self.cr3[cpu] = self.guest_table[cpu]
            self.flush_tlb(cpu)
            self.root_pgt_changed[cpu] = self.xpti
            if not self.set_first:
                yield "enter dirty_cpumask"
                self.dirty_cpumask[cpu] = True
            yield from self.resume(cpu)
        elif to == Context.LAZY:
            self.context[cpu] = Context.LAZY
        else:
            yield from self.resume(cpu)

    def resume(self, cpu):
        """Run the guest again."""
        if self.xpti:
            yield "restore_all_guest, after a context switch"
            self.restore_all_guest(cpu)
        self.context[cpu] = Context.RUNNING

    def flush_dirty(self, cpu, scope, flush_linear_pt, spared, flush_root_pt_local, flush_root_pt_others):
        """Flush this CPU if it is in dirty_cpumask, then the others that are, and wait for them.

        spared: the TLB of this CPU is not flushed.
        """
        others = scope != Scope.LOCAL and (flush_linear_pt or flush_root_pt_others)
        if flush_linear_pt or flush_root_pt_local or flush_root_pt_others:
            for c in Cpu:
                self.scratch_cpumask[cpu, c] = c != cpu and others and (scope == Scope.ALL or self.dirty_cpumask[c])
            yield "flush_local"
            if self.flushes_itself(cpu):
                if flush_linear_pt and not spared:
                    self.flush_tlb(cpu)
                if flush_root_pt_local:
                    self.root_pgt_changed[cpu] = True
            yield from self.flush_ipi.flush(
                cpu,
                self.scratch_cpumask,
                lambda under_way: self.publish(under_way and flush_linear_pt, under_way and flush_root_pt_others),
            )
            self.scratch_cpumask[cpu, :] = False

    def flushes_itself(self, cpu):
        """Whether this CPU is among those that it flushes; one that runs the domain is."""
        return self.scope == Scope.ALL or self.dirty_cpumask[cpu]

    def publish(self, tlb, root):
        """flush_flags: FLUSH_TLB and FLUSH_ROOT_PGTBL."""
        self.flush_tlb_flag = tlb or (root and self.sync_flushes)
        self.flush_root_flag = root

    def obey_flags(self, cpu):
        """What the interrupt makes of flush_flags."""
        require(self.flush_ipi.flush_cpumask[cpu])
        if self.flush_tlb_flag:
            self.flush_tlb(cpu)
        if self.flush_root_flag:
            self.root_pgt_changed[cpu] = True

    def flush_users(self, cpu):
        """Flush the TLBs of the domain's CPUs."""
        yield from self.flush_dirty(cpu, Scope.DIRTY, True, False, False, False)
