"""The cost of a state as the visited set grows, in one search.

    python -m benchmarks.scale kvm-vmid-generation fixed Vmid=4 Vm=3 Vcpu=4 --states 100000000

Seconds are of the processor; bytes are those of the states and of the visited set.
"""

from __future__ import annotations

import argparse
import time

from flushproof.search.explore import ask
from flushproof.search.native.library import Library
from flushproof.search.native.store import Store
from flushproof.search.reference.interpreter import Reference
from tabulate import tabulate

from .subject import Subject


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("subject", nargs="+", metavar="SYSTEM [POLICY] [SORT=N ...]")
    parser.add_argument("--states", type=int, default=10_000_000, help="stop at so many")
    asked = parser.parse_args()
    instance = Subject.parse(asked.subject).instance()
    properties = ask(instance, None)
    store = Store(Library(instance, (*properties.invariants, *properties.reachables), optimised=True), None)
    store.add(list(Reference(instance).initial_states()))
    rows, head, mark = [], 0, 100_000.0
    before, counted, made = time.process_time(), 0, 0
    while head < store.count and store.count < asked.states:
        head = store.expand(head, min(store.count, head + (1 << 16)))
        store.grow()
        if store.count >= mark:
            spent = time.process_time() - before
            states, transitions = store.count - counted, store.transitions - made
            size = store.layout.state_bytes + store.table_bytes / store.count
            nanoseconds = spent / transitions * 1e9
            bar = "#" * round(nanoseconds / 4)
            rows.append([store.count, f"{states / spent / 1e6:.2f}", f"{size:.1f}", f"{nanoseconds:.0f}", bar])
            before, counted, made = time.process_time(), store.count, store.transitions
            mark *= 10**0.5
    print(tabulate(rows, ["states", "M states/s", "bytes/state", "ns/transition", ""], disable_numparse=True))
    store.close()


if __name__ == "__main__":
    main()
