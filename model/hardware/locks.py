"""Locks of the host kernel."""

from typing import Optional

from flushproof.model.language.declare import Part, require

from .sorts import Cpu


class Lock(Part):
    """A spinlock: ``with self.lock(cpu): ...``.  Waiting for it does not mask interrupts (spin_lock, not spin_lock_irqsave);
    taking it orders what follows after what its last holder did."""

    holder: Optional[Cpu]

    def acquire(self, cpu):
        require(self.holder is None)
        self.holder = cpu

    def release(self, cpu):
        self.holder = None

    def is_free(self):
        """Whether nobody holds it: what a reader waits for where this is the writers' side of a reader-writer lock."""
        return self.holder is None
