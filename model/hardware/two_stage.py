"""Translation in two stages, and what a TLB may hold of it: combined entries and stage-2 entries.

Rules followed (Arm ARM DDI 0487, chapter D8, "Translation Lookaside Buffers", "TLB maintenance instructions", "Ordering and
completion of TLB maintenance instructions"):

- For a guest's access a TLB may hold a *combined* entry, from VA to PA, made from a stage-1 and a stage-2 descriptor.  It
  may also hold the stage-2 translation alone, from IPA to PA, and use it to make combined entries later.
- TLBI by IPA (IPAS2E1) removes what was cached of stage 2 alone; it need not remove combined entries.  TLBI of stage 1
  (VAE1, ASIDE1, VMALLE1) removes combined entries, and need not remove what was cached of stage 2 alone.  TLBI VMALLS12E1
  removes both.
- A walker that reads a descriptor that was just stored may read the old one, until a DSB of the storing PE has ended.
- Walks, fills and evictions may happen at any time while the context is live.

**Any number of changes.**  A descriptor that was read is either the current one or an old one, whichever; a store makes all
that was read before old.

One guest page (a VA, its IPA and PA) and one VMID.  Entries under other tags are what `operands` is about.
"""

import enum
from typing import Annotated

from flushproof.model.language.declare import Knob, Map, Part, View, action, closure, dropped, each, require

from .sorts import Cpu
from .tlb import Fill
from .tlbi import Invalidations


class Age(enum.Enum):
    """Whether a cached descriptor is still the one in memory."""

    CURRENT = 0
    OLD = 1


class Stage(enum.Enum):
    """Whose descriptor: the guest's, or the hypervisor's."""

    STAGE1 = 0
    STAGE2 = 1


class Kind(enum.Enum):
    """What a TLBI removes of the page, if it applies to it."""

    STAGE1 = 0
    STAGE2 = 1
    STAGE12 = 2


class Descriptors(Part):
    """The page's two descriptors in memory."""

    old: Annotated[Map[Stage, bool], View("table", "old descriptor in memory")]
    storing: Annotated[Map[Cpu, Stage, bool], View("pending", "store")]

    def store(self, cpu, stage):
        """A PE changes a descriptor."""
        self.old[stage] = True
        for pe in Cpu:
            self.storing[pe, stage] = pe == cpu

    @action
    def store_is_seen(self, cpu: Cpu, stage: Stage):
        """all walkers see the {stage} descriptor that {cpu} stored"""
        require(self.storing[cpu, stage])
        self.storing[cpu, stage] = False
        self.old[stage] = False

    def reads(self, stage, age):
        """Whether a walker may read a descriptor of this age."""
        return age == Age.CURRENT or self.old[stage]

    def barrier(self, cpu):
        """DSB ISHST: wait until all walkers see what this PE stored."""
        require(all(not self.storing[cpu, stage] for stage in Stage))


class TwoStageTlb(Part):
    """The TLB of each CPU.  walks(cpu): whether the guest's two-stage translation is live on this CPU."""

    fill = Knob(Fill, Fill.EAGER, "as for any TLB: eager, lazy or literal", toggle=True)

    combined: Annotated[Map[Cpu, Age, Age, bool], View("cache", "combined TLB", holds=("stage 1", "stage 2"))]
    stage2: Annotated[Map[Cpu, Age, bool], View("cache", "stage-2 TLB")]
    descriptors = Descriptors()

    def __init__(self, *, walks):
        self.walks = walks

    def store_stage1(self, cpu):
        """The guest changes its descriptor: what was made of it before is old."""
        self.descriptors.store(cpu, Stage.STAGE1)
        for pe in Cpu:
            for age in Age:
                self.combined[pe, Age.OLD, age] = self.combined[pe, Age.OLD, age] or self.combined[pe, Age.CURRENT, age]
                self.combined[pe, Age.CURRENT, age] = False

    def store_stage2(self, cpu):
        """The hypervisor changes its descriptor."""
        self.descriptors.store(cpu, Stage.STAGE2)
        for pe in Cpu:
            self.stage2[pe, Age.OLD] = self.stage2[pe, Age.OLD] or self.stage2[pe, Age.CURRENT]
            self.stage2[pe, Age.CURRENT] = False
            for age in Age:
                self.combined[pe, age, Age.OLD] = self.combined[pe, age, Age.OLD] or self.combined[pe, age, Age.CURRENT]
                self.combined[pe, age, Age.CURRENT] = False

    def store_barrier(self, cpu):
        """DSB ISHST"""
        self.descriptors.barrier(cpu)

    # ------------------------------------------------------------------------------------------------------------- walks

    def may_fill_stage2(self, cpu, age):
        return self.walks(cpu) and self.descriptors.reads(Stage.STAGE2, age)

    def may_fill(self, cpu, age1, age2):
        """Whether a combined entry may be made, from memory or from a stage-2 entry."""
        stage2 = self.descriptors.reads(Stage.STAGE2, age2) or self.stage2[cpu, age2]
        return self.walks(cpu) and self.descriptors.reads(Stage.STAGE1, age1) and stage2

    @closure
    def fill_at_once(self):
        if self.fill == Fill.EAGER:
            for cpu in Cpu:
                for age in Age:
                    if self.may_fill_stage2(cpu, age):
                        self.stage2[cpu, age] = True
                for age1, age2 in each(Age, Age):
                    if self.may_fill(cpu, age1, age2):
                        self.combined[cpu, age1, age2] = True

    @action
    def walker_fills(self, cpu: Cpu, age1: Age, age2: Age):
        """{cpu} caches a combined entry: stage 1 {age1}, stage 2 {age2}"""
        require(self.fill != Fill.EAGER and self.may_fill(cpu, age1, age2) and not self.combined[cpu, age1, age2])
        self.combined[cpu, age1, age2] = True

    @action
    def walker_fills_stage2(self, cpu: Cpu, age: Age):
        """{cpu} caches the {age} stage-2 translation"""
        require(self.fill != Fill.EAGER and self.may_fill_stage2(cpu, age) and not self.stage2[cpu, age])
        self.stage2[cpu, age] = True

    @action
    def evicts(self, cpu: Cpu, age1: Age, age2: Age):
        """the TLB of {cpu} evicts a combined entry"""
        require(self.fill == Fill.LITERAL and self.combined[cpu, age1, age2])
        self.combined[cpu, age1, age2] = False

    @action
    def evicts_stage2(self, cpu: Cpu, age: Age):
        """the TLB of {cpu} evicts a stage-2 entry"""
        require(self.fill == Fill.LITERAL and self.stage2[cpu, age])
        self.stage2[cpu, age] = False

    # ------------------------------------------------------------------------------------------------------ invalidations

    def perform(self, cpu, kind):
        if kind != Kind.STAGE2:
            for age1, age2 in each(Age, Age):
                dropped(self.combined[cpu, age1, age2])
                self.combined[cpu, age1, age2] = False
        if kind != Kind.STAGE1:
            for age in Age:
                dropped(self.stage2[cpu, age])
                self.stage2[cpu, age] = False

    tlbi = Invalidations(Kind, perform=perform)

    def barrier(self, cpu):
        """DSB ISH: wait for every store and every TLBI of this PE, on all PEs."""
        self.store_barrier(cpu)
        self.tlbi.barrier(cpu)

    def barrier_nsh(self, cpu):
        """DSB NSH: of a broadcast TLBI it awaits no other PE."""
        self.store_barrier(cpu)
        require(all(not self.tlbi.pending[cpu, cpu, kind] for kind in Kind))
