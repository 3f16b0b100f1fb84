"""Where the native engine's time goes, measured by doing parts of a search alone.

    python -m benchmarks.parts kvm-vmid-generation fixed Vmid=2

After a search, the step functions run over all its states again, without looking anything up; then the whole loop does, which
finds every successor known; and another search has no properties to check.  Seconds are of the processor.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass

from flushproof.model.language.instance import Instance
from flushproof.model.language.ir import Property
from flushproof.search.explore import ask
from flushproof.search.native.library import Library
from flushproof.search.native.store import Store
from flushproof.search.reference import Reference
from tabulate import tabulate

from .subject import Subject


@dataclass(frozen=True)
class Parts:
    """Seconds of one search and of what was done again afterwards.

    whole: the search; again: all states expanded once more; steps: the step functions alone; bare: a search without properties;
    growing: what that one took to grow its table.
    """

    states: int
    transitions: int
    state_bytes: int
    table_bytes: int
    whole: float
    again: float
    steps: float
    bare: float
    growing: float

    def rows(self) -> list[list[str]]:
        shares = {
            "step functions": self.steps,
            "hashing and looking up successors": self.again - self.steps,
            "storing new states": self.bare - self.again - self.growing,
            "growing the table": self.growing,
            "properties of new states": self.whole - self.bare,
            "all": self.whole,
        }
        return [
            [name, f"{seconds / self.states * 1e9:.0f}", f"{seconds / self.transitions * 1e9:.0f}"]
            for name, seconds in shares.items()
        ]


def parts(instance: Instance) -> Parts:
    """Searches twice, and repeats parts of the first search."""
    asked = ask(instance, None)
    whole, _, store = _search(instance, (*asked.invariants, *asked.reachables))
    transitions = store.transitions
    worker = store.workers[0]
    started = time.process_time()
    done = store.expand(0, store.count)
    again = time.process_time() - started
    assert done == store.count, "the second time, the table has no room"
    # No state has all bits set: each successor is compared with it, and none is equal.
    worker.buffer[store.batch - 1] = 2**64 - 1
    worker.set(head=0, end=store.count, limit=store.batch - 1)
    started = time.process_time()
    assert store.library.predecessor(worker.address) == store.count
    steps = time.process_time() - started
    sizes = (store.count, transitions, store.layout.state_bytes, store.table_bytes)
    store.close()
    bare, growing, other = _search(instance, ())
    other.close()
    return Parts(*sizes, whole, again, steps, bare, growing)


def _search(instance: Instance, properties: Sequence[Property]) -> tuple[float, float, Store]:
    """Explores everything, whatever is violated; the seconds it took, without compiling, and those for growing the table."""
    store = Store(Library(instance, properties), None)
    store.add(list(dict.fromkeys(Reference(instance).initial_states())))
    head, growing = 0, 0.0
    started = time.process_time()
    while head < store.count:
        head = store.expand(head, store.count)
        before = time.process_time()
        store.grow()
        growing += time.process_time() - before
    return time.process_time() - started, growing, store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("subject", nargs="+", metavar="SYSTEM [POLICY] [SORT=N ...]")
    found = parts(Subject.parse(parser.parse_args().subject).instance())
    print(
        f"{found.states} states of {found.state_bytes} bytes, {found.transitions} transitions, "
        f"a table of {found.table_bytes} bytes"
    )
    print(tabulate(found.rows(), ["", "ns/state", "ns/transition"], disable_numparse=True))


if __name__ == "__main__":
    main()
