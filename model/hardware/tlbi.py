"""TLB invalidation instructions (TLBI), from their issue to the barrier that waits for them.

Rules followed (Arm ARM DDI 0487, chapter D8, "TLB maintenance instructions", and B2, "Data Synchronization Barrier"):

- A TLBI is performed on each PE in its scope at some time after it was issued.
- It is known to be complete, on all of them, only after a DSB that the same PE executes behind it.  A DSB on another PE
  completes nothing (this is what Linux commit 4b634918384c is about).
- A DSB NSH waits for what concerns the PE itself, a DSB ISH for the whole Inner Shareable domain.
- Invalidating more than was asked for is always allowed; it is not modelled, since it takes entries away that could be hit.
"""

from flushproof.model.language.declare import Map, OrderedEnum, Part, View, action, each, require

from .sorts import Cpu


class Scope(OrderedEnum):
    """Which PEs an invalidation concerns, weakest first."""

    NONE = 0
    LOCAL = 1
    BROADCAST = 2


class Invalidations(Part):
    """TLBIs that were issued and not yet performed everywhere.

    what: the sorts of the operand (a VMID; nothing, for TLBI ALL); perform(cpu, *what): what performing it does on a PE; title:
    the instruction.
    """

    def __init__(self, *what, perform, title="TLBI"):
        self.sorts = what
        self.perform = perform
        doc = "issuer, PE that has yet to perform it, operand"
        self.pending = Map(Cpu, Cpu, *what, bool, doc=doc, view=View("pending", title, of=1))

    def issue(self, cpu, scope, *what):
        """TLBI, executed by `cpu`."""
        for target in Cpu:
            if scope == Scope.BROADCAST or (scope == Scope.LOCAL and target == cpu):
                self.pending[cpu, target, *what] = True

    @action
    def performs_tlbi(self, cpu: Cpu, issuer: Cpu, *what):
        """{cpu} performs the invalidation of {issuer}"""
        require(self.pending[issuer, cpu, *what])
        self.pending[issuer, cpu, *what] = False
        self.perform(cpu, *what)

    def barrier(self, cpu):
        """DSB: wait until all that `cpu` has issued is performed."""
        require(all(not self.pending[cpu, target, *what] for target in Cpu for what in each(*self.sorts)))
