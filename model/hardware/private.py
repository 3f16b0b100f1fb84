"""The private machine: a ghost in which every vcpu is a PE of its own.

On real hardware a TLB is private to its PE, and only invalidations reach other PEs.  A guest is written for that machine.  So
each vcpu has here a TLB of its own, which holds whatever the vcpu's own tables ever allowed and loses it only by the
invalidations that reach that vcpu by the architecture's rules.  Sharing real CPUs is *transparent* when no vcpu hits on the
shared machine what it could not have hit on this one.
"""

from flushproof.model.language.declare import Map, Part, View, closure, each

from .sorts import Vcpu


class PrivateMachine(Part):
    """The private TLB of each vcpu, always with the largest content that it may have.

    holds: the sorts of what an entry holds; walk(vcpu, *holds): whether the vcpu's own tables hold this translation now.
    """

    def __init__(self, *, holds, walk):
        self.sorts = holds
        self.walk = walk
        self.entry = Map(Vcpu, *holds, bool, ghost=True, view=View("cache", "TLB of its own"))

    @closure
    def fill_at_once(self):
        for vcpu in Vcpu:
            for held in each(*self.sorts):
                if self.walk(vcpu, *held):
                    self.entry[vcpu, *held] = True

    def invalidate(self, vcpu):
        """An invalidation of this vcpu's PE is complete."""
        for held in each(*self.sorts):
            self.entry[vcpu, *held] = False

    def could_hit(self, vcpu, *held):
        """Whether the vcpu might use this translation on a machine of its own."""
        return self.entry[vcpu, *held]
