"""Locks of the host kernel."""

from typing import Annotated, Optional

from flushproof.model.language.declare import Part, View, require

from .sorts import Cpu


class Lock(Part):
    """A spinlock: ``with self.lock(cpu): ...``.  Waiting for it does not mask interrupts (spin_lock, not spin_lock_irqsave);
    taking it orders what follows after what its last holder did."""

    holder: Annotated[Optional[Cpu], View("lock", "lock")]

    def acquire(self, cpu):
        require(self.holder is None)
        self.holder = cpu

    def release(self, cpu):
        self.holder = None

    def acquire_and_release(self):
        """Hold it for one step only: what the step reads and writes is then protected, and nobody sees it held.  The read side of
        a reader-writer lock is held like this too, where its section is one step: readers do not exclude each other."""
        require(self.holder is None)
