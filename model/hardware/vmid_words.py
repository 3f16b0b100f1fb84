"""Words that hold a generation and a number, as arm64's allocators of VMIDs and ASIDs keep them.

Follows arch/arm64/kvm/vmid.c: `kvm->arch.vmid.id`, and the active and the reserved VMID of each CPU, are 64-bit words with the
generation in the upper bits.  They are read and written whole, atomically; a word that is 0 has neither.
"""

from typing import Optional

from flushproof.model.language.declare import Counter, Map, Part, View

from .sorts import Vmid


class Generation(Counter):
    """A generation of VMIDs; 0 is the first."""


class VmidWords(Part):
    """Words ``generation | number``, one for each element of the sort: 0 is (None, None).

    number: what a number is; where that is an ordered sort with a 0 of its own, the word 0 is (None, 0).
    """

    def __init__(self, sort, number=Optional[Vmid]):
        self.generation = Map(sort, Optional[Generation], view=View("slots", "generation"))
        self.number = Map(sort, number, view=View("slots", "number"))

    def get(self, x):
        return self.generation[x], self.number[x]

    def set(self, x, generation, number):
        self.generation[x] = generation
        self.number[x] = number

    def is_zero(self, x):
        return self.generation[x] is None
