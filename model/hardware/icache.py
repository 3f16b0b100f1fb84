"""Instruction fetch on arm64: one line of code in memory, in the I-cache of each PE and in its pipeline.

Rules followed (Arm ARM DDI 0487, B2 "Caches and memory hierarchy", "Concurrent modification and execution of instructions",
D7 "Cache support", and CTR_EL0):

- A store reaches the D-side, which is coherent among all PEs.  An instruction fetch does not look there: it sees memory at
  the *Point of Unification* (PoU), or, with the stage-1 MMU off, possibly at the *Point of Coherency* (PoC).  Each of the
  two may show older bytes until the line has been cleaned to it (DC CVAU, DC CVAC).
- With CTR_EL0.IDC a store reaches the PoU without a DC; with CTR_EL0.DIC the I-cache follows what reaches the PoU without
  an IC.
- A PE may fetch for the context that is live on it at any moment, speculatively, and may allocate what it gets in its
  I-cache; it may drop a line at any moment.  IC IVAU and IC IALLUIS invalidate the I-caches of all PEs of the
  inner-shareable domain, IC IALLU that of one PE.  Nothing invalidates an I-cache but these (a TLBI does not).
- DC and IC operations take effect at some time, on each PE for itself, between being issued and the end of a DSB *of the
  same PE*.  Two of them without a DSB in between take effect in any order.
- A VPIPT I-cache tags its lines with the VMID.  Executed at EL1, an IC by VA concerns the lines of the current VMID;
  executed at EL2, and for IC IALLU, it concerns all.
- The pipeline keeps instructions that were fetched before; an ISB, an exception and its return drop them.

**Any number of patches.**  Bytes are either the newest ones that any PE stored, or older.  A store makes all bytes older;
so the model needs no version numbers, and a search covers any number of stores.

**What may be cached.**  Software never reads an I-cache, lines only matter by being hit, and to hold more can never prevent
a hit; hence filling at once and never dropping is exact for all properties about hits (`Fill.EAGER`, as for a TLB).
`Fill.LAZY` makes each fetch a step, `Fill.LITERAL` each eviction too; tests hold that the verdicts are the same.  That a
dirty line may be written back to the PoU or the PoC by itself is left out for the same reason: newer bytes prevent no hit
on older ones.

**The private machine.**  The ghosts `own_...` are a machine on which each vcpu has a PE of its own, always live: its
I-cache and pipeline are emptied by nothing but the guest's own maintenance, as far as the architecture makes that reach
another PE.  What a vcpu executes there is what the architecture allows it to see; a hypervisor that multiplexes vcpus must
not show it anything else.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Annotated, Any, Optional

from flushproof.model.language.declare import Ghost, Knob, Map, Part, View, action, closure, dropped, require

from .sorts import Cpu, Vcpu
from .tlb import Fill
from .tlbi import Invalidations, Scope


class Bytes(enum.Enum):
    """The content of the line, as compared with all stores so far."""

    NEWEST = "what was stored last"
    OLDER = "something that was there before"


class Point(enum.Enum):
    """Where an instruction fetch looks at memory."""

    POU = "point of unification: where the I-side and the D-side of a PE meet"
    POC = "point of coherency: memory, for all that matters here"


class Mmu(enum.Enum):
    """A vcpu's stage-1 translation."""

    OFF = "SCTLR_EL1.M is 0"
    ENABLING = "SCTLR_EL1.M is 1, the I-cache not yet cleaned of what was fetched before"
    ON = "SCTLR_EL1.M is 1"


class Cleaned(enum.Enum):
    """How far whoever copied bytes into the line has cleaned it: DC CVAU, DC CVAC, a DSB behind either."""

    NOT = "not at all"
    TO_POU = "to the point of unification"
    TO_POC = "to the point of coherency"


class InstructionSide(Part):
    """Memory, I-caches and pipelines for one line of code.

    context: the vcpu whose guest context is live on a PE, or None (the host runs).
    sees: from which point a vcpu's fetches come, as its translation regime is now.
    executable: whether stage 2 lets guests fetch the line at all.
    """

    fill = Knob(
        Fill, Fill.EAGER, "eager: all fetches happen at once; lazy: each is a step; literal: evictions too", toggle=True
    )
    idc = Knob(bool, False, "CTR_EL0.IDC: a store reaches the PoU without DC CVAU", toggle=True)
    fwb = Knob(bool, False, "FEAT_S2FWB: stage 2 forces cacheable data accesses; implies IDC", toggle=True)
    dic = Knob(bool, False, "CTR_EL0.DIC: the I-caches follow the PoU without IC IVAU", toggle=True)

    vpipt = Knob(
        bool,
        False,
        "VPIPT: lines carry the VMID of who fetched them, and an IC by VA at EL1 concerns the current VMID's alone",
        toggle=True,
    )

    older: Annotated[Map[Point, bool], View("table", "older bytes in memory")]
    cleaning: Annotated[Map[Cpu, Point, bool], View("pending", "DC")]
    line: Annotated[Map[Cpu, Bytes, bool], View("cache", "I-cache")]
    pipeline: Annotated[Map[Cpu, Bytes, bool], View("cache", "pipeline")]
    own_line: Ghost[Map[Vcpu, bool]]
    own_doomed: Ghost[Map[Vcpu, Vcpu, bool]]
    own_pipeline: Ghost[Map[Vcpu, bool]]

    def __init__(
        self,
        context: Callable[[Any, Any], Optional[Vcpu]],
        sees: Callable[[Any, Any], Point],
        executable: Callable[[Any], bool],
    ) -> None:
        self.context = context
        self.sees = sees
        self.executable = executable

    # ------------------------------------------------------------------------------------------------ what a PE executes

    def store(self, cpu: Cpu) -> None:
        """STR: new bytes on the D-side; whatever was fetched before is older now.

        With IDC the store is on its way to the PoU; a DSB waits for it.  A DC that is under way cleaned what was there before.
        """
        self.older[:] = True
        for pe in Cpu:
            for point in Point:
                self.cleaning[pe, point] = pe == cpu and point == Point.POU and not self.needs_dc()
            self.line[pe, Bytes.OLDER] = self.line[pe, Bytes.OLDER] or self.line[pe, Bytes.NEWEST]
            self.pipeline[pe, Bytes.OLDER] = self.pipeline[pe, Bytes.OLDER] or self.pipeline[pe, Bytes.NEWEST]
            self.line[pe, Bytes.NEWEST] = False
            self.pipeline[pe, Bytes.NEWEST] = False
        self.own_line[:] = True
        self.own_doomed[...] = False
        self.own_pipeline[:] = True

    def copied(self, cleaned: Cleaned) -> None:
        """Bytes were copied into the line, and cleaned as far, while no I-cache had anything of it."""
        self.older[Point.POU] = cleaned == Cleaned.NOT and self.needs_dc()
        self.older[Point.POC] = cleaned != Cleaned.TO_POC

    def needs_dc(self) -> bool:
        """Whether a store needs DC CVAU to reach the PoU; FWB comes with CLIDR_EL1.LoUU = LoUIS = 0, which says the same as IDC."""
        return not (self.idc or self.fwb)

    def dc_cvau(self, cpu: Cpu) -> None:
        """DC CVAU: clean the line to the PoU; complete after a DSB of this PE."""
        self.cleaning[cpu, Point.POU] = True

    def dc_cvac(self, cpu: Cpu) -> None:
        """DC CVAC: clean the line to the PoC, and with that to the PoU; complete after a DSB of this PE."""
        self.cleaning[cpu, Point.POC] = True

    def ic(self, cpu: Cpu, scope: Scope) -> None:
        """Invalidate the line in the I-cache of this PE (IC IALLU) or of every PE (IC IVAU, IC IALLUIS)."""
        self.invalidations.issue(cpu, scope)

    def dsb(self, cpu: Cpu) -> None:
        """DSB ISH: waits for every DC and IC that this PE has issued."""
        require(all(not self.cleaning[cpu, point] for point in Point))
        self.invalidations.barrier(cpu)

    def dsb_nsh(self, cpu: Cpu) -> None:
        """DSB NSH: waits for what this PE has issued to take effect on this PE; of a broadcast it awaits no other PE."""
        require(all(not self.cleaning[cpu, point] for point in Point))
        require(not self.invalidations.pending[cpu, cpu])

    def synchronize(self, cpu: Cpu) -> None:
        """ISB, an exception, or the return from one: the pipeline forgets what it has fetched."""
        self.pipeline[cpu, :] = False

    # ------------------------------------------------------------------------------------------------ what hardware does

    @action
    def reaches(self, cpu: Cpu, point: Point) -> None:
        """the line that {cpu} cleans reaches the {point}"""
        require(self.cleaning[cpu, point])
        self.cleaning[cpu, point] = False
        self.older[Point.POU] = False
        if point == Point.POC:
            self.older[Point.POC] = False
        if self.dic:
            self.line[:, Bytes.OLDER] = False
            self.own_line[:] = False

    def replace(self, reaches_guests: bool) -> None:
        """The host writes other bytes into the page while no guest maps it, cleans them to the PoC, and invalidates by VA.

        reaches_guests: whether its IC concerns lines that guests fetched.  All that a guest may see from now on is new.  If not,
        a PE that has a line of the page that goes has a stale one of the page that comes, which the guest executed there too: a
        line has a physical tag, and that of the old page would not be hit.  Pipelines are empty of it behind the TLBI and its DSB.
        """
        self.older[:] = False
        self.cleaning[...] = False
        for pe in Cpu:
            stale = self.line[pe, Bytes.OLDER] or self.line[pe, Bytes.NEWEST]
            self.line[pe, Bytes.OLDER] = stale and not reaches_guests
            self.line[pe, Bytes.NEWEST] = False
        self.pipeline[...] = False
        self.own_line[:] = False
        self.own_doomed[...] = False
        self.own_pipeline[:] = False

    def drop_line(self, cpu: Cpu) -> None:
        """An IC takes effect on this PE."""
        for content in Bytes:
            dropped(self.line[cpu, content])
            self.line[cpu, content] = False

    invalidations = Invalidations(perform=drop_line, title="IC")

    def fetches(self, vcpu: Vcpu, content: Bytes) -> bool:
        """Whether a fetch of this vcpu that misses the I-cache may get these bytes."""
        return self.older[self.sees(vcpu)] == (content == Bytes.OLDER)

    def allocates(self, cpu: Cpu, content: Bytes) -> bool:
        """Whether these bytes may enter the I-cache of this PE now."""
        vcpu = self.context(cpu)
        return vcpu is not None and self.executable() and self.fetches(vcpu, content)

    def issues(self, cpu: Cpu, content: Bytes) -> bool:
        """Whether these bytes may enter the pipeline of this PE now, from its I-cache or past it."""
        hit = self.context(cpu) is not None and self.executable() and self.line[cpu, content]
        return hit or self.allocates(cpu, content)

    @closure
    def fetch_all(self) -> None:
        if self.fill == Fill.EAGER:
            for cpu in Cpu:
                for content in Bytes:
                    if self.allocates(cpu, content):
                        self.line[cpu, content] = True
                    if self.issues(cpu, content):
                        self.pipeline[cpu, content] = True

    @action
    def fetch(self, cpu: Cpu, content: Bytes) -> None:
        """{cpu} fetches the line into its I-cache: the {content} bytes"""
        require(self.fill != Fill.EAGER and self.allocates(cpu, content) and not self.line[cpu, content])
        self.line[cpu, content] = True

    @action
    def issue(self, cpu: Cpu, content: Bytes) -> None:
        """the {content} bytes enter the pipeline of {cpu}"""
        require(self.fill != Fill.EAGER and self.issues(cpu, content) and not self.pipeline[cpu, content])
        self.pipeline[cpu, content] = True

    @action
    def evict(self, cpu: Cpu, content: Bytes) -> None:
        """the I-cache of {cpu} drops the {content} bytes"""
        require(self.fill == Fill.LITERAL and self.line[cpu, content])
        self.line[cpu, content] = False

    # ---------------------------------------------------------------------------------------------- the private machine

    def own_invalidate(self, vcpu: Vcpu, broadcast: bool) -> None:
        """The vcpu issued an IC: what was fetched before it may be hit until its DSB, and what is fetched after it later on."""
        for other in Vcpu:
            if broadcast or other == vcpu:
                self.own_doomed[vcpu, other] = self.own_line[other]

    def own_dsb(self, vcpu: Vcpu) -> None:
        """A DSB of the vcpu ended: what it invalidated, and nobody fetched since, is gone."""
        for other in Vcpu:
            if self.own_doomed[vcpu, other]:
                self.own_line[other] = False
        self.own_doomed[vcpu, :] = False

    def own_synchronize(self, vcpu: Vcpu) -> None:
        """A context synchronization event that the guest can rely on."""
        self.own_pipeline[vcpu] = False

    @closure
    def fetch_privately(self) -> None:
        for vcpu in Vcpu:
            if self.fetches(vcpu, Bytes.OLDER):
                self.own_line[vcpu] = True
                self.own_doomed[:, vcpu] = False
            if self.own_line[vcpu] or self.fetches(vcpu, Bytes.OLDER):
                self.own_pipeline[vcpu] = True
