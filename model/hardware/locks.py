"""Locks of the host kernel: spinlocks, bit locks, reader-writer locks; one, or one for each object.

Follows Linux: spin_lock(), spin_trylock(), bit_spin_lock(), read_lock(), write_lock(), and their sleeping relatives.  Who waits
is one step that is not possible yet; taking a lock orders what follows after what its last holder did.  The locks
know nothing of preemption and interrupts.  What spin_lock_irqsave() does, in its order, is::

    with self.cpus.irqs_disabled(cpu):
        yield "spin_lock"
        with self.lock(cpu):

Without the `yield` the CPU would wait with interrupts on, and the deadlock with a cross-call that it does not take would be missed.
"""

from typing import Optional

from flushproof.model.language.declare import Map, Part, View, require

from .sections import Section
from .sorts import Cpu


def as_tuple(per):
    """The sorts of the objects that have a lock each: one, several, or none if there is a single lock."""
    return per if isinstance(per, tuple) else (per,)


class Lock(Part):
    """A lock: ``with self.lock(cpu): ...``.

    per: the sort of what has a lock each, or a tuple of sorts: ``with self.ptl(cpu, page): ...``; by: the sort of who takes it.
    """

    def __init__(self, *, per=(), by=Cpu):
        self.single = not as_tuple(per)
        self.holder = Map(*as_tuple(per), Optional[by], view=View("lock", "lock"))

    def is_free(self, *which):
        return self.holder is None if self.single else self.holder[which] is None

    def acquire(self, who, *which):
        require(self.trylock(who, *which))

    def trylock(self, who, *which):
        """Take it if it is free; returns whether it was.  `release` gives it back."""
        free = self.is_free(*which)
        if free:
            self.hold(who, *which)
        return free

    def release(self, who, *which):
        self.hold(None, *which)

    def hold(self, who, *which):
        if self.single:
            self.holder = who
        else:
            self.holder[which] = who

    def acquire_and_release(self, *which):
        """Hold it for one step only: what the step reads and writes is then protected, and nobody sees it held."""
        require(self.is_free(*which))


class BitLock(Part):
    """A lock that is a bit, such as a page's: ``with self.page_lock(page): ...``.

    Nobody notes who holds it, so that processes of any kind may.  per: as for a `Lock`.
    """

    def __init__(self, *, per=()):
        self.single = not as_tuple(per)
        self.held = Map(*as_tuple(per), bool, view=View("lock", "lock"))

    def is_free(self, *which):
        return not (self.held if self.single else self.held[which])

    def acquire(self, *which):
        require(self.trylock(*which))

    def trylock(self, *which):
        """Take it if it is free; returns whether it was.  `release` gives it back."""
        free = self.is_free(*which)
        if free:
            self.hold(True, *which)
        return free

    def release(self, *which):
        self.hold(False, *which)

    def hold(self, held, *which):
        if self.single:
            self.held = held
        else:
            self.held[which] = held


class RwLock(Part):
    """Readers together, or one writer: ``with self.lock.read(cpu): ...``, ``with self.lock.write(cpu): ...``."""

    def __init__(self, *, per=(), by=Cpu):
        self.by = by
        self.reads = Map(*as_tuple(per), by, bool, view=View("lock", "lock for reading"))
        self.writer = Lock(per=per, by=by)
        self.read = Section(type(self).read_lock, type(self).read_unlock)
        self.write = Section(type(self).write_lock, type(self).write_unlock)

    def read_lock(self, who, *which):
        require(self.read_trylock(who, *which))

    def read_trylock(self, who, *which):
        """Take it for reading if nobody writes; returns whether it was so."""
        free = self.writer.is_free(*which)
        if free:
            self.reads[*which, who] = True
        return free

    def read_unlock(self, who, *which):
        self.reads[*which, who] = False

    def write_lock(self, who, *which):
        require(self.write_trylock(who, *which))

    def write_trylock(self, who, *which):
        """Take it for writing if nobody reads or writes; returns whether it was so."""
        if any(self.reads[*which, other] for other in self.by):
            return False
        return self.writer.trylock(who, *which)

    def write_unlock(self, who, *which):
        self.writer.release(who, *which)
