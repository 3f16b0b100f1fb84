"""Xen's type references, taken and dropped by CPUs, while others lock the pages."""

from flushproof.model.hardware import Cpu
from flushproof.model.hardware.xen_pages import Frame, PageType, TypedPages
from flushproof.model.language.declare import System, choose, initially, invariant, process, reachable

from .explored import violated


class References(TypedPages, System):
    """An L2 table whose entry refers to an L1 table; nothing refers to the L2 table but what CPUs take and drop."""

    sizes = {Cpu: 2, Frame: 2}

    @initially
    def tables(self):
        l2 = choose(Frame)
        for frame in Frame:
            self.type[frame] = PageType.L2 if frame == l2 else PageType.L1
        self.entry[l2] = choose(Frame, where=lambda f: f != l2)

    @process(Cpu)
    def uses(self, cpu):
        yield "takes"
        self.get_same_type(choose(Frame, where=lambda f: self.type[f] == PageType.L2))
        yield "drops"
        self.put_page_type(choose(Frame, where=lambda f: self.type[f] == PageType.L2))

    @process(Cpu)
    def writes(self, cpu):
        yield "locks"
        page = choose(Frame, where=lambda f: self.refs[f] > 0)
        self.page_lock(page)
        yield "unlocks"
        self.page_unlock(page)

    @invariant(because="{f} is in use though its table is not, or the other way round")
    def both_are_in_use(self):
        return all((self.refs[f] > 0) == (self.refs[g] > 0) for f in Frame for g in Frame)

    @invariant(because="{f} is locked, and its lock is its last reference")
    def no_lock_is_the_last_reference(self):
        return all(self.refs[f] >= 2 for f in Frame if self.locked[f])

    @invariant(because="{f} has more references than CPUs can have taken")
    def no_more_than_all_can_take(self):
        return all(self.refs[f] <= 3 for f in Frame)

    @reachable
    def something_else_refers_to_a_locked_table(self):
        return any(self.locked[f] and self.hooked(f) and self.type[f] == PageType.L2 for f in Frame)

    @reachable
    def an_l1_table_is_written(self):
        return any(self.locked[f] and self.type[f] == PageType.L1 for f in Frame)


class Hasty(References):
    """Who drops a reference does not look whether the rest is that of the lock."""

    def put_page_type(self, page):
        below = self.entry[page]
        if self.refs[page] == 1 and below is not None:
            self.refs[below] = self.refs[below] - 1
        self.refs[page] = self.refs[page] - 1


class Unvalidated(References):
    """The first reference takes none further down."""

    def get_same_type(self, page):
        self.add_reference(page)


class Unlocked(References):
    """The lock holds no reference."""

    def page_lock(self, page):
        self.locked[page] = True


def test_references_are_counted() -> None:
    assert violated(References) == set()


def test_who_drops_a_reference_must_wait_for_the_lock() -> None:
    assert "no-lock-is-the-last-reference" in violated(Hasty)


def test_the_first_reference_validates() -> None:
    assert "both-are-in-use" in violated(Unvalidated)


def test_the_lock_holds_a_reference() -> None:
    assert "no-lock-is-the-last-reference" in violated(Unlocked)
