"""What is proved of the shipped policies that hold, how, and with how many lemmas: the table in `docs/proofs.md`.

    python benchmarks/proofs.py --write         a few minutes
    python benchmarks/proofs.py kvm-icache      only this system, on the terminal

A row is one kind of proof of one policy.  Lemmas are counted that the properties of the row rest on, by the unsatisfiable
cores: those that were written into the system, those that hold of stored locals by construction, and those that the tool
found in this run (`--infer`).  Z3's seconds are of the processor, for all questions of the policy, which has a process of its own.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from flushproof.model.language.declare import system_name
from flushproof.search.task import Limits

from flushproof.proving import KINDS, Kind, ProofResult, promises, run_all
from flushproof.report.proof import lemmas_needed
from flushproof.result import NoVerdict

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "proofs.md"
HEAD = (
    "system",
    "policy",
    "properties",
    "kind",
    "lemmas: written",
    "by construction",
    "found",
    "Z3",
    "slowest question",
)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("systems", metavar="SYSTEM", nargs="*", help="only these")
    options.add_argument(
        "--infer", metavar="S", type=float, default=0.0, help="seconds to look for lemmas, for each policy"
    )
    options.add_argument(
        "--max-seconds", metavar="S", type=float, default=60.0, help="seconds to explore, for each policy"
    )
    options.add_argument("--jobs", metavar="N", type=int, default=1, help="how many at once")
    options.add_argument("--write", action="store_true", help=f"into {DOCUMENT.name}")
    asked = options.parse_args()
    requests = [
        replace(r, limits=Limits(seconds=asked.max_seconds), infer=asked.infer, audit=False)
        for r in promises()
        if not asked.systems or system_name(r.system) in asked.systems
    ]
    rows = []
    for line in table(run_all(requests, asked.jobs, apart=True)):
        print(line, flush=True)
        rows.append(line)
    if asked.write:
        made = "\n".join(rows)
        marked = re.compile(r"(<!-- proofs -->\n).*(<!-- /proofs -->)", re.DOTALL)
        DOCUMENT.write_text(marked.sub(lambda m: f"{m[1]}{made}\n{m[2]}", DOCUMENT.read_text()))


def table(results: Iterable[ProofResult | NoVerdict]) -> Iterator[str]:
    """The rows in Markdown."""
    yield f"| {' | '.join(HEAD)} |"
    yield f"| {' | '.join('---' for _ in HEAD)} |"
    for result in results:
        if isinstance(result, NoVerdict):
            sys.exit(str(result))
        for kind in (*KINDS, None):
            names = [n for n in result.properties if (result.shown[n].kind if n in result.shown else None) == kind]
            if names:
                yield f"| {' | '.join(row(result, kind, names))} |"


def row(result: ProofResult, kind: Kind | None, names: list[str]) -> tuple[str, ...]:
    """The cells of one row: `names` are the properties that are proved in this way."""
    policy = " ".join(filter(None, [result.instance.policy, result.settings]))
    start = (f"`{result.instance.system.name}`", policy, ", ".join(names))
    if kind != "any-size" or result.proof is None:
        depth = min((result.shown[n].depth or 0 for n in names if n in result.shown), default=0)
        return (*start, f"bounded, depth {depth}" if kind == "bounded" else kind or "nothing shown", "", "", "", "", "")
    lemmas = lemmas_needed(result, names)
    slowest = max(r.seconds for r in (*result.proof.results, *result.proof.failures))
    counts = (str(lemmas["written"]), str(lemmas["construction"]), str(lemmas["found"]))
    return (*start, kind, *counts, f"{result.proof.seconds:.1f} s", f"{slowest:.2f} s")


if __name__ == "__main__":
    main()
