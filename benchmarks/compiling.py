"""How long each shipped system takes to compile, at its default sizes, with symmetry and all properties.

    python benchmarks/compiling.py

Prints a line for the slowest policy of each system: lines of LLVM's language, and seconds of the processor for code that is made
soon, and for code that is made fast; and how long its source took to become the instances of all its policies.
"""

from __future__ import annotations

import time

from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import shipped
from flushproof.search.explore import ask
from flushproof.search.native.library import Library
from tabulate import tabulate


def main() -> None:
    """Compiles everything once."""
    rows = []
    for name, cls in shipped().items():
        found = []
        started = time.process_time()
        instances = {policy: instantiate(cls, policy) for policy in cls.policies}
        reading = time.process_time() - started
        for policy, instance in instances.items():
            asked = ask(instance, None)
            taken = []
            for optimised in (True, False):
                started = time.process_time()
                library = Library(instance, (*asked.invariants, *asked.reachables), symmetry=True, optimised=optimised)
                taken.append(time.process_time() - started)
            found.append((*taken, policy, library.source.count("\n")))
        fast, soon, policy, lines = max(found)
        rows.append((name, len(found), f"{reading:.2f}", policy, lines, f"{soon:.2f}", f"{fast:.2f}"))
    rows.sort(key=lambda row: float(row[-1]), reverse=True)
    print(tabulate(rows, ["system", "policies", "read in seconds", "slowest", "lines", "seconds", "optimised"]))


if __name__ == "__main__":
    main()
