"""The store buffer of an x86 CPU, as far as page tables are concerned: a PTE that was cleared, and is not seen to be yet.

Rules followed (Intel SDM volume 3A, 8.2.3.4 and 8.2.5): a load may pass an older store to another place, and a walk of the page
tables is a load; a locked or serializing instruction waits until the CPU's stores are visible.

The store might become visible earlier, and then walkers find less: the entries that a TLB may have are the most that there can be.
For the same reason a store that sets a PTE is not delayed.

This is a kind of system rather than a part of one: a system inherits it, and its state is its own.
"""


class StoreBuffers:
    """A system with PTEs that each CPU has, `pte`, the cleared one that waits in each CPU's `store_buffer`, and the knob `tso`."""

    def clear_pte(self, cpu, page):
        """A plain store."""
        if self.tso:
            self.store_buffer[cpu] = page
        else:
            self.pte[cpu, page] = False

    def drain(self, cpu):
        """What a locked or serializing instruction waits for."""
        page = self.store_buffer[cpu]
        if page is not None:
            self.pte[cpu, page] = False
            self.store_buffer[cpu] = None
