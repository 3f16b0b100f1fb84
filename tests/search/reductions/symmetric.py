"""Systems in which symmetry is easily got wrong, or has much to do."""

from __future__ import annotations

from typing import Optional

from flushproof.model.language import Map, Rigid, Sort, System, action, axiom, invariant, require


class Cpu(Sort):
    """A CPU."""


class SeenOrNone(System):
    """A map whose index may be None."""

    seen: Map[Optional[Cpu], bool]
    on: Map[Cpu, bool]

    @action
    def load(self, c: Cpu) -> None:
        """{c} is loaded"""
        require(all(not self.on[d] for d in Cpu))
        self.on[c] = True

    @action
    def put(self, c: Cpu) -> None:
        """{c} is put"""
        require(self.on[c])
        self.seen[c] = True
        self.on[c] = False

    @invariant("{d} is on, and {c} was seen.")
    def alone(self) -> bool:
        return all(not (self.seen[c] and self.on[d]) or c is d for c in Cpu for d in Cpu)


class Vcpu(Sort):
    """A virtual CPU."""


class Pairs(System):
    """Each CPU runs a vcpu of its own, and CPUs look at one another."""

    running: Map[Cpu, Optional[Vcpu]]
    looks: Map[Cpu, Optional[Cpu]]
    last: Map[Optional[Vcpu], Optional[Cpu]]
    sees: Map[Cpu, Cpu, bool]

    @action
    def run(self, c: Cpu, v: Vcpu) -> None:
        """{v} is put on {c}"""
        require(self.running[c] is None)
        require(all(self.running[d] is not v for d in Cpu))
        self.running[c] = v

    @action
    def look(self, c: Cpu, d: Cpu) -> None:
        """{c} looks at {d}"""
        self.looks[c] = d
        self.sees[c, d] = True
        self.last[self.running[d]] = c

    @invariant("{c} sees too much.")
    def apart(self) -> bool:
        return all(
            not (self.sees[c, d] and self.looks[c] is c and self.last[self.running[c]] is d) or c is d
            for c in Cpu
            for d in Cpu
        )


class Page(Sort):
    """A page."""


class TwoMaps(System):
    """Rigid maps over one sort: a permutation, and any map that comes to rest after two steps."""

    next: Rigid[Map[Page, Page]]
    rest: Rigid[Map[Page, Page]]
    at: Map[Page, bool]

    @axiom
    def one_to_one(self) -> bool:
        return all(self.next[p] is not self.next[q] or p is q for p in Page for q in Page)

    @axiom
    def come_to_rest(self) -> bool:
        return all(self.rest[self.rest[p]] is self.rest[p] for p in Page)

    @action
    def go(self, p: Page) -> None:
        """{p} goes on"""
        self.at[p] = False
        self.at[self.next[p]] = True
        self.at[self.rest[p]] = True

    @invariant("A page is reached that goes nowhere.")
    def goes_on(self) -> bool:
        return all(not self.at[p] or self.next[p] is not p or self.rest[p] is not p for p in Page)
