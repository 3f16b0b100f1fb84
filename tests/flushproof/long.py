"""A system whose only trace has a thousand steps, for pages of long traces; its words would end a script if they could."""

from __future__ import annotations

from typing import Annotated

from flushproof.model.language import Map, Range, Sort, System, View, action, invariant, require


class Cpu(Sort):
    """A CPU."""


class Count(System):
    """Counts to a thousand.

    </script><b>not bold</b>
    """

    count: Annotated[int, Range(0, 1000)]
    seen: Annotated[Map[Cpu, bool], View("cache", "TLB")]

    @action
    def step(self, cpu: Cpu) -> None:
        """</script><b>{cpu}</b> counts & goes on"""
        require(self.count < 1000)
        self.count = self.count + 1
        self.seen[cpu] = True

    @invariant("the count is full: <i>1000</i>")
    def not_full(self) -> bool:
        return self.count < 1000
