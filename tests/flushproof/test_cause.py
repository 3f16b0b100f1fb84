"""Why an entry is there to be hit: which step made it, which invalidations missed it and why, from the parts' own declarations."""

from __future__ import annotations

import enum
from typing import Annotated, Optional

from flushproof.model.hardware import Cpu, Invalidations, Scope, Tlb, Vm
from flushproof.model.language import Ghost, Map, System, View, action, dropped, event, invariant, require
from flushproof.model.language import check as demand

from flushproof.checking import check
from flushproof.report.cause import Link, links
from flushproof.report.sequence import svg
from flushproof.report.telling import FIXED, tell
from flushproof.report.words import Story


def story_of(system: str | type[System], policy: str | None = None, **knobs: str) -> tuple[Link, ...]:
    trace = check(system, policy, knobs=knobs, audit=None).trace
    assert trace is not None
    return links(Story(trace))


def parts(found: tuple[Link, ...]) -> list[tuple[int, str]]:
    return [(link.step, link.part) for link in found]


def test_an_entry_that_two_invalidations_on_another_cpu_miss() -> None:
    found = story_of("kvm-vcpu-switch", "last-ran", fb="off")
    assert parts(found) == [(8, "made"), (9, "wrote"), (15, "missed"), (21, "missed"), (22, "wrote"), (28, "hit")]
    assert "brought vm0 → page0, by vcpu0, into the TLB of cpu0" in found[0].text
    assert "in the TLB of cpu1; the entry is in that of cpu0; issued in step 14 (cpu1: TLBI VMALLE1)" in found[2].text
    assert "stores an invalid descriptor) wrote invalid[vcpu0] = True." in found[1].text


def test_where_nothing_is_invalidated_that_is_said() -> None:
    found = story_of("kvm-vcpu-switch", "none")
    assert parts(found) == [(3, "made"), (3, "untouched"), (9, "hit")]


def test_an_entry_of_one_cache_came_from_an_entry_of_another() -> None:
    found = story_of("kvm-icache", "on-migration")
    caches = [link.slot.var for link in found if link.part == "made"]
    assert caches == ["icache.line", "icache.pipeline"], "in the order in which they were made"
    assert (found[0].part, found[0].slot.var) == ("early", "icache.line")


def test_a_violation_without_a_cache_is_told_by_what_it_read() -> None:
    found = story_of("kvm-vmid-generation", "v4.17")
    assert {link.part for link in found} == {"wrote"} and len(found) == 2
    assert "live_vmid[cpu" in found[0].text


class Stage(enum.Enum):
    """How far the only thread is."""

    START = 0
    CACHED = 1
    FLUSHED = 2


class Tagged(System):
    """An entry of one VM, and a flush of another one's."""

    stage: Stage
    live: Annotated[Map[Cpu, Optional[Vm]], View("context", "VTTBR_EL2")]
    sizes = {Cpu: 1, Vm: 2}

    def walkable(self, cpu, vm):
        return self.live[cpu] == vm

    tlb = Tlb(tag=(Vm,), holds=(), walk=walkable)

    @action
    def enters(self, cpu: Cpu, vm: Vm):
        """{vm} runs on {cpu}"""
        require(self.stage == Stage.START)
        self.live[cpu] = vm
        self.stage = Stage.CACHED

    @action
    def flushes(self, cpu: Cpu, vm: Vm):
        """{cpu} flushes the entries of {vm}"""
        require(self.stage == Stage.CACHED and self.live[cpu] != vm)
        self.live[cpu] = None
        self.tlb.drop_tagged(cpu, vm)
        self.stage = Stage.FLUSHED

    @event
    def hit(self, cpu: Cpu, vm: Vm):
        """the entry of {vm} is used on {cpu}"""
        require(self.stage == Stage.FLUSHED and self.tlb.entry[cpu, vm])
        demand("no-hit", False, "{cpu} hits the entry of {vm}")


def test_an_invalidation_by_another_tag_misses_it() -> None:
    found = story_of(Tagged)
    assert parts(found) == [(1, "made"), (2, "missed"), (3, "hit")]
    assert "with the tag vm1; the entry has vm0" in found[1].text


class Unawaited(System):
    """A flush of everything that nobody waits for."""

    live: Map[Cpu, bool]
    flushed: bool
    sizes = {Cpu: 2}

    def walkable(self, cpu):
        return self.live[cpu]

    def flush(self, cpu):
        self.tlb.drop_all(cpu)

    tlb = Tlb(tag=(), holds=(), walk=walkable)
    tlbi = Invalidations(perform=flush)

    @action
    def enters(self, cpu: Cpu):
        """{cpu} enters the guest"""
        require(not self.live[cpu] and not self.flushed)
        self.live[cpu] = True

    @action
    def flushes(self, cpu: Cpu):
        """{cpu} executes TLBI ALLE1IS and does not wait"""
        require(not self.flushed and any(self.live[c] for c in Cpu) and not self.live[cpu])
        self.live[:] = False
        self.tlbi.issue(cpu, Scope.BROADCAST)
        self.flushed = True

    @invariant("{cpu} still holds an entry")
    def no_entry_behind_the_flush(self):
        return all(not self.flushed or not self.tlb.entry[cpu] for cpu in Cpu)


def test_an_invalidation_that_is_not_performed_yet_is_pending() -> None:
    found = story_of(Unawaited)
    assert [link.part for link in found] == ["made", "pending", "hit"]
    assert "(TLBI) is not performed on cpu" in found[1].text
    assert found[2].text == "After step 2 it is still there."


class Refilled(System):
    """A flush while the walker still may walk: the entry is back at once."""

    live: Map[Cpu, bool]
    flushed: bool
    own: Ghost[Annotated[Map[Cpu, bool], View("cache", "TLB of its own")]]
    sizes = {Cpu: 1}

    def walkable(self, cpu):
        return self.live[cpu]

    tlb = Tlb(tag=(), holds=(), walk=walkable)

    @action
    def enters(self, cpu: Cpu):
        """{cpu} enters the guest"""
        require(not self.live[cpu])
        self.live[cpu] = True
        self.own[cpu] = True

    @action
    def flushes(self, cpu: Cpu):
        """{cpu} flushes before it leaves the guest"""
        require(self.live[cpu] and not self.flushed)
        self.tlb.drop_all(cpu)
        self.flushed = True

    @event
    def hit(self, cpu: Cpu):
        """{cpu} uses the entry"""
        require(self.flushed and self.tlb.entry[cpu] and self.own[cpu])
        demand("no-hit", False, "{cpu} hits it")


def test_an_entry_that_is_back_at_once_was_made_by_the_flush_itself() -> None:
    found = story_of(Refilled)
    assert parts(found) == [(2, "made"), (2, "untouched"), (3, "hit")]
    assert "again in the same step as it was removed" in found[0].text
    trace = check(Refilled, audit=None).trace
    assert trace is not None
    told = [[str(entries).replace(FIXED, " ") for entries in row.caches] for row in tell(Story(trace))]
    assert told == [["cpu0 TLB: + entry"], ["cpu0 TLB: ± entry, refilled at once"], ["cpu0 TLB: entry"]]
    assert all(link.slot.var == "tlb.entry" for link in found), "the private machine explains nothing"


class Bare(System):
    """A map that is no cache to anybody, and is emptied without a word."""

    entry: Annotated[Map[Cpu, bool], View("cache", "TLB")]
    sizes = {Cpu: 1}

    @action
    def fills(self, cpu: Cpu):
        """{cpu} fills"""
        require(not self.entry[cpu])
        self.entry[cpu] = True

    @event
    def hit(self, cpu: Cpu):
        """{cpu} uses the entry"""
        require(self.entry[cpu])
        demand("no-hit", False, "{cpu} hits it")


def test_of_a_cache_that_no_step_is_said_to_empty_nothing_is_claimed() -> None:
    assert parts(story_of(Bare)) == [(1, "made"), (1 + 1, "hit")]


class Freed(System):
    """A page that is freed while an entry leads to it; whoever enters and leaves changes nothing about that."""

    entry: Annotated[Map[Cpu, bool], View("cache", "TLB")]
    inside: Map[Cpu, bool]
    refs: bool
    sizes = {Cpu: 2}

    @action
    def enters(self, cpu: Cpu):
        """{cpu} enters"""
        self.inside[cpu] = self.refs = True

    @action
    def fills(self, cpu: Cpu):
        """{cpu} fills"""
        require(self.inside[cpu])
        self.entry[cpu] = True

    @action
    def frees(self):
        """the page is freed"""
        self.refs = False

    @event
    def hit(self, cpu: Cpu):
        """{cpu} uses the entry"""
        require(self.inside[cpu] and self.entry[cpu])
        demand("no-use-after-free", self.refs, "the page of {cpu} is free")


class Twice(System):
    """Two entries that must not be there at once."""

    entry: Annotated[Map[Cpu, Vm, bool], View("cache", "TLB")]
    sizes = {Cpu: 1, Vm: 2}

    @action
    def fills(self, cpu: Cpu, vm: Vm):
        """{cpu} fills for {vm}"""
        self.entry[cpu, vm] = True

    @invariant("two at once")
    def one_at_a_time(self):
        return not all(self.entry[cpu, vm] for cpu in Cpu for vm in Vm)


def test_what_was_written_behind_the_entry_and_makes_the_hit_wrong_is_told() -> None:
    found = story_of(Freed)
    assert parts(found) == [(2, "made"), (3, "wrote"), (4, "hit")]
    assert "the page is freed) wrote refs = False." in found[1].text


def test_of_two_entries_the_one_that_was_made_first_is_told_first() -> None:
    assert parts(story_of(Twice)) == [(1, "made"), (2, "hit"), (2, "made"), (2, "hit")]


class OtherFlushes(System):
    """Whoever comes first flushes its own TLB, and not that of the other one."""

    entry: Annotated[Map[Cpu, bool], View("cache", "TLB")]
    first: Optional[Cpu]
    flushed: bool
    sizes = {Cpu: 2}

    @action
    def comes(self, cpu: Cpu):
        """{cpu} comes first"""
        require(self.first is None)
        self.first = cpu
        self.entry[cpu] = True

    @action
    def fills(self, cpu: Cpu):
        """{cpu} fills"""
        require(self.first is not None and self.first is not cpu and not self.flushed)
        self.entry[cpu] = True

    @action
    def flushes(self, cpu: Cpu):
        """{cpu} flushes"""
        require(self.first is cpu)
        dropped(self.entry[cpu])
        self.entry[cpu] = False
        self.flushed = True

    @event
    def hit(self, cpu: Cpu):
        """{cpu} uses the entry"""
        require(self.entry[cpu])
        demand("no-hit", not self.flushed, "{cpu} hits it")


def test_an_invalidation_that_misses_is_drawn_to_the_entry_from_either_side() -> None:
    for system, policy, knobs in ((OtherFlushes, None, {}), ("kvm-vcpu-switch", "last-ran", {"fb": "off"})):
        trace = check(system, policy, knobs=knobs, audit=None).trace
        assert trace is not None
        count = [link.part for link in links(Story(trace))].count("missed")
        assert svg(trace).count("stroke-dasharray") == count > 0
