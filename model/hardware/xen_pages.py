"""Xen's page types and type counts: what a PV guest's frames are in use as, and by how many references.

Follows xen/arch/x86/mm.c.  A frame has one type at a time, which it keeps while its type count (PGT_count_mask) is not 0.  The
first reference to a page table validates it, which takes a reference to what its entries refer to; the last one drops these.
page_lock is a bit in the same word, and holds a reference, so that a page keeps its type while its entries are written; who
drops a reference waits rather than leave that of the lock the last.

Each table is a frame with one entry, the one for the address in question.  Taking the lock and the new reference is one step,
and so is dropping the old one with what it holds further down: others find the lock bit set or the validated bit clear
meanwhile, and wait.

This is a kind of system rather than a part of one: a system inherits it, and its state is its own.
"""

import enum
from typing import Annotated, Optional

from flushproof.model.language.declare import Map, Range, Sort, View, choose, require

MOST_REFERENCES = 6
"""The largest type count; Xen's is 2**55 - 1 (PGT_count_mask)."""


class Frame(Sort, size=5):
    """A machine frame of the domain."""


class PageType(enum.Enum):
    """What Xen lets a frame be used as; the guest may write only to a WRITABLE one."""

    WRITABLE = 0
    L1 = 1
    L2 = 2
    L4 = 3


class Retype(enum.Enum):
    """When get_page_type flushes for a page that changes its type: never, before it takes the page for the new type (until
    2022), or after it (8cc5036bc3)."""

    NO_FLUSH = 0
    FLUSH_THEN_TAKE = 1
    TAKE_THEN_FLUSH = 2


RETYPE = ((Retype.NO_FLUSH, Retype.FLUSH_THEN_TAKE), (Retype.NO_FLUSH, Retype.TAKE_THEN_FLUSH))
"""A flush is more than none; when it is best is another question."""


class TypedPages:
    """A system whose frames have types.  `validating` is the validated bit, inverted; `entry` a table's content."""

    type: Map[Frame, PageType]
    refs: Map[Frame, Annotated[int, Range(0, MOST_REFERENCES)]]
    pinned: Map[Frame, bool]
    locked: Annotated[Map[Frame, bool], View("lock", "page_lock")]
    validating: Map[Frame, bool]
    entry: Annotated[Map[Frame, Optional[Frame]], View("table", "page table")]

    def page_lock(self, page):
        """Spins on the lock bit; the lock holds a type reference, so that the page keeps its type."""
        require(not self.locked[page])
        self.locked[page] = True
        self.add_reference(page)

    def page_unlock(self, page):
        self.locked[page] = False
        self.refs[page] = self.refs[page] - 1

    def get_same_type(self, page):
        """A type reference to a page of the wanted type; the first one validates it, which takes one further down."""
        require(not self.validating[page])
        below = self.entry[page]
        if self.refs[page] == 0 and below is not None:
            require(self.type[below] == PageType.L1 and not self.validating[below])
            self.add_reference(below)
        self.add_reference(page)

    def add_reference(self, page):
        """Xen refuses what would make a type count overflow."""
        require(self.refs[page] < MOST_REFERENCES)
        self.refs[page] = self.refs[page] + 1

    def put_page_type(self, page):
        """Drop a type reference; the last one drops the one further down.  It waits rather than leave page_lock the last."""
        require(not (self.locked[page] and self.refs[page] == 2))
        below = self.entry[page]
        if self.refs[page] == 1 and below is not None:
            require(not (self.locked[below] and self.refs[below] == 2))
            self.refs[below] = self.refs[below] - 1
        self.refs[page] = self.refs[page] - 1

    def get_page_type(self, cpu):
        """A page that is in use as nothing gets another type; the guest may write to it, or have used it as a table."""
        page = choose(Frame, where=lambda f: self.refs[f] == 0 and not self.validating[f])
        type = choose(PageType, where=lambda t: t not in (self.type[page], PageType.L4))
        old = self.type[page]
        if self.retype == Retype.TAKE_THEN_FLUSH:
            self.validating[page] = True
        if self.retype != Retype.NO_FLUSH:
            yield from self.flush_users(cpu)
        yield "get_page_type: {page} has its new type"
        if self.retype == Retype.TAKE_THEN_FLUSH or (self.refs[page] == 0 and self.type[page] == old):
            self.type[page] = type
            self.entry[page] = None
        self.validating[page] = False

    def hooked(self, page):
        """Whether something refers to the page besides its lock, which is held, and its pin."""
        return self.refs[page] > 2 or (self.refs[page] == 2 and not self.pinned[page])
