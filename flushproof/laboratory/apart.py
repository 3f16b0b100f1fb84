"""A laboratory for a system whose versions differ by its knobs, so that it can only be compiled once they are known.

Each policy is an instance of its own.  A trace then tells of its own policy alone, and policies are left out only where a declared
order decides them.
"""

from __future__ import annotations

from collections.abc import Sequence

from flushproof.auditing import DEFAULT, Auditor
from flushproof.laboratory.deciding import Laboratory
from flushproof.laboratory.lattice import Point
from flushproof.model.ir.trace import Trace
from flushproof.search.explore import explore
from flushproof.search.outcome import Outcome
from flushproof.search.task import Limits


class Apart(Laboratory):
    """Decides policies one instance at a time."""

    _last: Point

    def _explored(self, points: Sequence[Point], limits: Limits) -> Outcome:
        """One after the other, as far as they are safe: what is said of the last one is so of all before it, or it is not safe."""
        lattice = self.decided.lattice
        for point in points:
            self._last, instance = point, lattice.at(point)
            auditor = Auditor(lattice.system, instance, lattice.policy, lattice.set(point), DEFAULT, limits.memory_bytes)
            outcome = explore(
                instance,
                properties=self.properties,
                limits=limits,
                engine=self.engine,
                audit=auditor.stored,
            )
            if outcome.verdict != "holds":
                break
        return outcome

    def _replay(self, trace: Trace) -> None:
        self._found_alone(self._last, trace)
