"""A process ends on arm64: TLBI, DSB and ISB before its page tables are freed.

Left out: ASIDs (the entries are known to be the process's), and stores to page tables, which nobody changes any more.  Rules: Arm
ARM DDI 0487, D8 "TLB maintenance instructions" (when a TLBI is complete) and B2 "Context synchronization event" (a write of a
system register need not be seen before one; until then either value may be used).  Try it:

    flushproof check exit_mmap.py --policy no-isb
"""

from typing import Annotated

from flushproof.model.hardware import Cpu, Invalidations, Scope, Tlb
from flushproof.model.language import (
    Knob,
    Map,
    Policy,
    System,
    View,
    action,
    final,
    initially,
    invariant,
    process,
    require,
)


class ExitMmap(System):
    """Threads of a process ran on every CPU; each CPU leaves it, and one of them frees its page tables."""

    name = "exit-mmap"
    sizes = {Cpu: 2}

    isb = Knob(bool, True, "ISB after TTBR0_EL1 is written: from then on the walker uses the new value only", order="rising")
    tlbi = Knob(Scope, Scope.BROADCAST, "the TLBs that TLBI concerns: none, this CPU's, all", order="rising")
    dsb = Knob(bool, True, "DSB: wait until the TLBI was performed wherever it must be", order="rising")
    policies = {
        "all": Policy("By the book.", {}, "holds"),
        "no-isb": Policy("The new TTBR0_EL1 is seen some time later.", {"isb": False}, "no-walk-after-free"),
        "local": Policy("TLBI for this CPU alone.", {"tlbi": Scope.LOCAL}, "no-stale-entry"),
        "no-dsb": Policy("Nobody waits for the TLBI.", {"dsb": False}, "no-stale-entry"),
    }

    written: Annotated[Map[Cpu, bool], View("context", "TTBR0_EL1 written")]
    walks: Annotated[Map[Cpu, bool], View("context", "walker may use the old tables")]
    left: Map[Cpu, bool]
    freed: bool

    def walkable(self, cpu):
        """The walker may still use the process's tables."""
        return self.walks[cpu]

    def flush_all(self, cpu):
        self.tlb.drop_all(cpu)

    tlb = Tlb(tag=(), holds=(), walk=walkable)
    invalidations = Invalidations(perform=flush_all)

    @initially
    def the_process_runs_everywhere(self):
        self.walks[...] = True

    @process(Cpu)
    def leave(self, cpu):
        """TTBR0_EL1 := another process"""
        require(not self.written[cpu])
        self.written[cpu] = True
        if self.isb:
            yield "ISB"
            self.walks[cpu] = False
        yield "leaves mm_cpumask"
        self.left[cpu] = True
        yield "TLBI, once no CPU is left in mm_cpumask"
        require(not self.freed and all(self.left[c] for c in Cpu))
        self.invalidations.issue(cpu, self.tlbi)
        if self.dsb:
            yield "DSB"
            self.invalidations.barrier(cpu)
        yield "frees the page tables"
        self.freed = True

    @action
    def synchronizes(self, cpu: Cpu):
        """{cpu} takes an exception: a context synchronization event"""
        require(self.written[cpu] and self.walks[cpu])
        self.walks[cpu] = False

    @invariant("{cpu} may still walk the page tables, which are free: it would take whatever is there now for page tables.")
    def no_walk_after_free(self):
        return all(not (self.freed and self.walks[cpu]) for cpu in Cpu)

    @invariant("The TLB of {cpu} still has entries of the process, whose memory is free.")
    def no_stale_entry(self):
        return all(not (self.freed and self.tlb.entry[cpu]) for cpu in Cpu)

    @final
    def all_is_done(self):
        return self.freed
