"""The TLB of each CPU, with everything that it may hold.

Rules followed (Arm ARM DDI 0487, chapter D8, "Translation Lookaside Buffers" and "TLB maintenance"):

- A translation may be cached at any time while its context is the current one, whether or not an instruction needs it.
- A cached translation may be dropped at any time, and may be kept until it is invalidated.
- A translation that faults is not cached.
- An entry is used when its tag matches the current context; only invalidation takes it away for certain.
"""

import enum

from flushproof.model.language.declare import Knob, Map, Part, View, action, closure, dropped, each, require

from .sorts import Cpu


class Fill(enum.Enum):
    """How the walker acts in the model.

    EAGER: it fills at once whatever it may, and nothing is evicted.  Software never reads a TLB, so its steps do not depend
        on the content; filling and invalidating treat each entry by itself and keep the order "holds more than".  The
        largest content that a TLB can have is thus itself reachable, and an entry can be hit if and only if it is in there.
    LAZY: filling is a step of its own; nothing is evicted.
    LITERAL: filling and evicting are steps of their own, as the architecture tells it.
    """

    EAGER = 0
    LAZY = 1
    LITERAL = 2


class Tlb(Part):
    """One TLB per CPU.

    tag: the sorts of what an entry is matched by (VMID, ASID, virtual page); holds: the sorts of what it holds or remembers
    (output page, the vcpu or VM that created it); walk(cpu, *tag, *holds): whether the CPU's walker may cache this entry now.
    The tag must be what the hardware compares: an owner is remembered for properties and is never part of it.
    by: which of the sorts in `holds` tell who created an entry.
    title: what it is called where it is shown; an x86 walk caches tables in paging-structure caches, for one.
    """

    fill = Knob(
        Fill,
        Fill.EAGER,
        "eager: each TLB holds all that it may; lazy: filling is a step; literal: filling and evicting are steps",
        toggle=True,
    )

    def __init__(self, *, tag, holds, walk, by=(), title="TLB"):
        self.sorts = (*tag, *holds)
        self.holds = holds
        self.walk = walk
        made_by = tuple(i for i, sort in enumerate(self.sorts, 1) if i > len(tag) and sort in by)
        self.entry = Map(Cpu, *tag, *holds, bool, view=View("cache", title, tag=len(tag), by=made_by))

    @closure
    def fill_at_once(self):
        if self.fill == Fill.EAGER:
            for cpu in Cpu:
                for entry in each(*self.sorts):
                    if self.walk(cpu, *entry):
                        self.entry[cpu, *entry] = True

    @action
    def walker_fills(self, cpu: Cpu, *entry):
        """the walker caches a translation"""
        require(self.fill != Fill.EAGER)
        require(self.walk(cpu, *entry) and not self.entry[cpu, *entry])
        self.entry[cpu, *entry] = True

    @action
    def evicts(self, cpu: Cpu, *entry):
        """the TLB evicts an entry"""
        require(self.fill == Fill.LITERAL and self.entry[cpu, *entry])
        self.entry[cpu, *entry] = False

    def drop_all(self, cpu):
        """Remove every entry from the TLB of this CPU."""
        for entry in each(*self.sorts):
            dropped(self.entry[cpu, *entry])
            self.entry[cpu, *entry] = False

    def drop_tagged(self, cpu, *tag):
        """Remove the entries with this tag from the TLB of this CPU."""
        for held in each(*self.holds):
            dropped(self.entry[cpu, *tag, *held])
            self.entry[cpu, *tag, *held] = False
