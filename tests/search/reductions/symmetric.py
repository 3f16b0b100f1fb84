"""Systems in which symmetry is easily got wrong, or has much to do."""

from __future__ import annotations

from typing import Optional

from flushproof.model.language import Map, Sort, System, action, invariant, require


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
