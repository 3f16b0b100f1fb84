"""Where the native engine's time goes, measured by doing parts of a search alone.

    python -m benchmarks.parts kvm-vmid-generation fixed Vmid=2

After a search, the step functions run over all its states again, without looking anything up; then the whole loop does, which
finds every successor known; and another search has no properties to check.  Seconds are of the processor.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

from flushproof.model.ir.instance import Instance
from flushproof.search.explore import ask
from flushproof.search.native.library import Library
from flushproof.search.native.store import Store
from flushproof.search.reference.interpreter import Reference
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
    whole, _, store = search(compiled(instance))
    transitions = store.transitions
    started = time.process_time()
    repeat(store)
    again = time.process_time() - started
    started = time.process_time()
    step(store)
    steps = time.process_time() - started
    sizes = (store.count, transitions, store.layout.state_bytes, store.table_bytes)
    store.close()
    bare, growing, other = search(Library(instance, (), optimised=True))
    other.close()
    return Parts(*sizes, whole, again, steps, bare, growing)


def compiled(instance: Instance) -> Library:
    """The code for the instance and all its properties."""
    asked = ask(instance, None)
    return Library(instance, (*asked.invariants, *asked.reachables), optimised=True)


def search(library: Library) -> tuple[float, float, Store]:
    """Explores everything, whatever is violated; the seconds it took, without compiling, and those for growing the table."""
    store = Store(library, None)
    store.add(list(dict.fromkeys(Reference(library.layout.instance).initial_states())))
    head, growing = 0, 0.0
    started = time.process_time()
    while head < store.count:
        head = store.expand(head, store.count)
        before = time.process_time()
        store.grow()
        growing += time.process_time() - before
    return time.process_time() - started, growing, store


def repeat(store: Store) -> None:
    """The whole loop once more: every successor is known."""
    assert store.expand(0, store.count) == store.count, "the second time, the table has no room"


def step(store: Store) -> None:
    """The step functions once more: all successors of all states, and nothing is looked up."""
    worker = store.workers[0]
    # No state has all bits set: each successor is compared with it, and none is equal.
    worker.buffer[store.batch - 1] = 2**64 - 1
    worker.set(head=0, end=store.count, limit=store.batch - 1)
    assert store.library.predecessor(worker.address) == store.count


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
