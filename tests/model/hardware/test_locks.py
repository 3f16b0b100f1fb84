"""Locks: whom they exclude and whom they let in, for one and for each object, at every way out."""

from collections.abc import Callable

import pytest
from flushproof.model.hardware import BitLock, Cpu, Lock, Page, RwLock, Thread
from flushproof.model.language.declare import (
    Map,
    System,
    at,
    choose,
    invariant,
    lemma,
    local,
    process,
    reachable,
    require,
)
from flushproof.model.language.instantiate import instantiate, knob_values

from flushproof.agreement import Agreement
from flushproof.proving import prove

from .explored import violated


def agrees(cls: type[System]) -> None:
    Agreement(cls, instantiate(cls), knob_values(cls, None, {})).compare(300, None)


class PageTableLocks(System):
    """Each page has a lock; who takes one may leave early, or only try."""

    ptl = Lock(per=Page)
    inside: Map[Cpu, Page, bool]
    dirty: Map[Page, bool]
    failed: Map[Cpu, bool]

    @process(Cpu)
    def faults(self, cpu):
        """takes the page's lock"""
        page = choose(Page)
        with self.ptl(cpu, page):
            self.inside[cpu, page] = True
            yield "has the lock"
            self.inside[cpu, page] = False
            if self.dirty[page]:
                return
            yield "goes on with it"
            self.dirty[page] = True

    @process(Cpu)
    def reclaims(self, cpu):
        """tries the page's lock"""
        page = choose(Page)
        self.failed[cpu] = False
        if not self.ptl.trylock(cpu, page):
            self.failed[cpu] = True
            return
        self.inside[cpu, page] = True
        yield "has tried it"
        self.inside[cpu, page] = False
        self.dirty[page] = False
        self.ptl.release(cpu, page)

    @invariant("{a} and {b} have the lock of {page} at once")
    def one_holder(self):
        return all(a == b for a in Cpu for b in Cpu for page in Page if self.inside[a, page] and self.inside[b, page])

    @invariant("{page} is locked, and nobody works on it")
    def a_lock_is_given_back(self):
        return all(
            self.ptl.holder[page] is None
            or any(
                at(self.faults, cpu, "has the lock", "goes on with it") or at(self.reclaims, cpu, "has tried it")
                for cpu in Cpu
            )
            for page in Page
        )

    def faulting(self, cpu, page, *labels):
        return at(self.faults, cpu, *labels) and local(self.faults, cpu, "page") == page

    def reclaiming(self, cpu, page):
        return at(self.reclaims, cpu, "has tried it") and local(self.reclaims, cpu, "page") == page

    @lemma
    def who_is_inside(self):
        return all(
            self.inside[cpu, page] == (self.faulting(cpu, page, "has the lock") or self.reclaiming(cpu, page))
            for cpu in Cpu
            for page in Page
        )

    @lemma
    def who_holds_it(self):
        return all(
            (self.ptl.holder[page] == cpu)
            == (self.faulting(cpu, page, "has the lock", "goes on with it") or self.reclaiming(cpu, page))
            for cpu in Cpu
            for page in Page
        )

    @lemma
    def the_page_is_the_one_that_was_locked(self):
        return all(
            local(self.faults, cpu, "page") == local(self.faults, cpu, "held.1")
            for cpu in Cpu
            if at(self.faults, cpu, "has the lock", "goes on with it")
        )

    @lemma
    def one_process_of_a_cpu_holds_it(self):
        return all(
            not (self.faulting(cpu, page, "has the lock", "goes on with it") and self.reclaiming(cpu, page))
            for cpu in Cpu
            for page in Page
        )

    @reachable
    def both_are_inside_for_different_pages(self):
        return any(
            self.inside[a, p] and self.inside[b, q] and a != b and p != q
            for a in Cpu
            for b in Cpu
            for p in Page
            for q in Page
        )

    @reachable
    def someone_fails(self):
        return any(self.failed[cpu] for cpu in Cpu)


class Open(Lock):
    """A lock that is always free."""

    def is_free(self, *which):
        return True


class Common(Lock):
    """A lock that is free only if all of them are."""

    def is_free(self, *which):
        return all(self.holder[page] is None for page in Page)


class Kept(Lock):
    """A lock that nobody gives back."""

    def release(self, who, *which):
        pass


@pytest.mark.parametrize(
    ("lock", "expected"),
    [
        (Lock(per=Page), set()),
        (Open(per=Page), {"one-holder", "someone-fails"}),
        (Common(per=Page), {"both-are-inside-for-different-pages"}),
        (Kept(per=Page), {"a-lock-is-given-back"}),
    ],
    ids=["as it is", "always free", "one for all", "never given back"],
)
def test_a_lock_for_each_object(lock: Lock, expected: set[str]) -> None:
    assert violated(type("PageTableLocks", (PageTableLocks,), {"ptl": lock, "__module__": __name__})) == expected


def test_python_agrees() -> None:
    agrees(PageTableLocks)
    agrees(MmapLock)
    agrees(PageFlags)
    agrees(Mutex)


class MmapLock(System):
    """Faults read what a change of the mappings writes, each in two steps."""

    mmap_lock = RwLock()
    reads: Map[Cpu, bool]
    writes: Map[Cpu, bool]

    @process(Cpu)
    def faults(self, cpu):
        with self.mmap_lock.read(cpu):
            self.reads[cpu] = True
            yield "reads"
            self.reads[cpu] = False

    @process(Cpu)
    def changes(self, cpu):
        yield "mmap_write_lock"
        with self.mmap_lock.write(cpu):
            self.writes[cpu] = True
            yield "writes"
            self.writes[cpu] = False

    @invariant("{a} writes while {b} reads or writes")
    def writers_are_alone(self):
        return all(not self.reads[b] and (not self.writes[b] or a == b) for a in Cpu for b in Cpu if self.writes[a])

    @lemma
    def readers_are_noted_down(self):
        return all(self.reads[cpu] == self.mmap_lock.reads[cpu] for cpu in Cpu)

    @lemma
    def the_writer_is_noted_down(self):
        return all(self.writes[cpu] == (self.mmap_lock.writer.holder == cpu) for cpu in Cpu)

    @lemma
    def where_they_are(self):
        return all(
            self.reads[cpu] == at(self.faults, cpu, "reads") and self.writes[cpu] == at(self.changes, cpu, "writes")
            for cpu in Cpu
        )

    @reachable
    def two_read(self):
        return all(self.reads[cpu] for cpu in Cpu)

    @reachable
    def one_writes(self):
        return any(self.writes[cpu] for cpu in Cpu)


def read_anyway(self, who, *which):
    self.reads[*which, who] = True


def write_among_readers(self, who, *which):
    return self.writer.trylock(who, *which)


def write_among_writers(self, who, *which):
    return not any(self.reads[*which, other] for other in self.by)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("read_lock", read_anyway),
        ("write_trylock", write_among_readers),
        ("write_trylock", write_among_writers),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_each_rule_of_readers_and_writers(name: str, other: Callable[..., object]) -> None:
    assert violated(MmapLock) == set()
    wrong = type("Wrong", (RwLock,), {name: other, "__module__": __name__})
    assert "writers-are-alone" in violated(
        type("MmapLock", (MmapLock,), {"mmap_lock": wrong(), "__module__": __name__})
    )


class PageFlags(System):
    """PG_locked is taken by threads and by CPUs, and the lock of the list by each as well."""

    page_lock = BitLock(per=Page)
    list_lock = BitLock()
    by_cpu: Map[Cpu, Page, bool]
    by_thread: Map[Thread, Page, bool]
    in_list: Map[Thread, bool]
    list_by: Map[Cpu, bool]

    @process(Cpu)
    def completes_io(self, cpu):
        page = choose(Page)
        with self.page_lock(page):
            self.by_cpu[cpu, page] = True
            yield "unlocks the page"
            self.by_cpu[cpu, page] = False
        if self.list_lock.trylock():
            self.list_by[cpu] = True
            yield "unlocks the list"
            self.list_by[cpu] = False
            self.list_lock.release()

    @process(Thread)
    def reads(self, thread):
        page = choose(Page)
        with self.page_lock(page):
            self.by_thread[thread, page] = True
            yield "unlocks the page"
            self.by_thread[thread, page] = False
            with self.list_lock():
                self.in_list[thread] = True
                yield "unlocks the list"
                self.in_list[thread] = False

    @invariant("{cpu} and {thread} have locked {page}")
    def one_has_the_page(self):
        return all(
            not (self.by_cpu[cpu, page] and self.by_thread[thread, page])
            for cpu in Cpu
            for thread in Thread
            for page in Page
        )

    @invariant("{cpu} and {thread} have locked the list")
    def one_has_the_list(self):
        return all(not (self.list_by[cpu] and self.in_list[thread]) for cpu in Cpu for thread in Thread)

    @reachable
    def each_has_a_page(self):
        return any(
            self.by_cpu[cpu, a] and self.by_thread[thread, b]
            for cpu in Cpu
            for thread in Thread
            for a in Page
            for b in Page
        )

    @reachable
    def either_has_the_list(self):
        return any(self.list_by[cpu] for cpu in Cpu)


class OpenBit(BitLock):
    """A bit that nobody looks at."""

    def is_free(self, *which):
        return True


@pytest.mark.parametrize(("name", "broken"), [("page_lock", "one-has-the-page"), ("list_lock", "one-has-the-list")])
def test_a_bit_excludes_all_kinds_of_processes(name: str, broken: str) -> None:
    assert violated(PageFlags) == set()
    lock = OpenBit(per=Page if name == "page_lock" else ())
    assert broken in violated(type("PageFlags", (PageFlags,), {name: lock, "__module__": __name__}))


class Mutex(System):
    """A lock whose holder is a thread."""

    mutex = Lock(by=Thread)
    inside: Map[Thread, bool]

    @process(Thread)
    def works(self, thread):
        yield "mutex_lock"
        with self.mutex(thread):
            self.inside[thread] = True
            yield "mutex_unlock"
            self.inside[thread] = False
        require(self.mutex.holder is None)

    @invariant("{a} and {b} are both inside")
    def one_inside(self):
        return all(a == b for a in Thread for b in Thread if self.inside[a] and self.inside[b])

    @lemma
    def who_is_inside_holds_it(self):
        return all(
            self.inside[thread] == (self.mutex.holder == thread) == at(self.works, thread, "mutex_unlock")
            for thread in Thread
        )

    @reachable
    def each_may_be_inside(self):
        return any(self.inside[thread] for thread in Thread)


def test_a_thread_is_the_holder() -> None:
    assert violated(Mutex) == set()
    lock = Open(by=Thread)
    assert violated(type("Mutex", (Mutex,), {"mutex": lock, "__module__": __name__})) == {"one-inside"}


@pytest.mark.parametrize(
    ("cls", "name"),
    [(PageTableLocks, "one-holder"), (MmapLock, "writers-are-alone"), (Mutex, "one-inside")],
    ids=["Lock(per=...)", "RwLock", "Lock(by=...)"],
)
def test_exclusion_is_proved_for_any_size(cls: type[System], name: str) -> None:
    proved = prove(cls, by="induction", audit=None)
    assert (proved.wrong_lemmas, name in proved.proved) == ((), True)
