"""What pruning saves `flushproof policies`: the default question of each shipped system, about all knobs that are no toggles.

    .venv/bin/python -m benchmarks.policies [SYSTEM ...]

For each: how many policies there are, how many searches that took, what decided the others (a trace of another policy that they
allow, or a declared order alone), and the time; `processor` is what this process and its children had of it.
"""

from __future__ import annotations

import os
import sys
import time

import numpy as np
from flushproof.model.language.load import load_system, shipped
from tabulate import tabulate

from flushproof.laboratory.judging import Question, answer

HEADERS = ["system", "policies", "safe", "searches", "saved", "by a trace", "by order", "states", "processor s", "wall s"]


def row(name: str) -> list[str]:
    """One question, asked."""
    begun, used = time.monotonic(), sum(os.times()[:4])
    found = answer(Question(load_system(name)))
    decided = found.decided
    policies, safe = found.lattice.count, int(np.count_nonzero(decided.holds))
    alone = int(np.count_nonzero(decided.holds & ~decided.safe) + np.count_nonzero(decided.fails & ~decided.unsafe))
    left = int(np.count_nonzero(decided.left))
    traced = max(0, policies - left - alone - decided.searches)
    return [
        name + (f", {left:,} left" if left else ""),
        f"{policies:,}",
        f"{safe:,}",
        f"{decided.searches:,}",
        f"{100 * (1 - decided.searches / policies):.1f} %",
        f"{traced:,}",
        f"{alone:,}",
        f"{decided.states:,}",
        f"{sum(os.times()[:4]) - used:.0f}",
        f"{time.monotonic() - begun:.0f}",
    ]


def main(names: list[str]) -> None:
    """Prints a row for each system as it comes, and the table at the end."""
    rows = []
    for name in names or list(shipped()):
        rows.append(row(name))
        print(*rows[-1], sep="  ", flush=True)
    print(tabulate(rows, HEADERS, disable_numparse=True))


if __name__ == "__main__":
    main(sys.argv[1:])
