"""Which lemmas of a system the search finds again when they are left out: the measurement behind `docs/proofs.md`.

    python benchmarks/inference.py kvm-vmid-allocator fixed                  each lemma on its own
    python benchmarks/inference.py kvm-vmid-allocator fixed --at-once 2 4    several, chosen at random, with the seed given
    python benchmarks/inference.py kvm-vcpu-switch last-ran --all            every lemma that was written

A row is one search: what was left out, what became of the properties that are proved with all lemmas, how many lemmas
were found, and the processor's seconds for searching and proving (the samples of reachable states are made once).
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

from flushproof.model import ir
from flushproof.model.ir import Property
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.properties.induction.induction import prove
from flushproof.properties.lemmas.search import Effort, Sample, infer
from tabulate import tabulate

from flushproof.proving import samples, written

HEAD = ("left out", "proved", "found", "s")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("system")
    options.add_argument("policy")
    options.add_argument("--lemma", action="append", default=[], help="only this one; any number of times")
    options.add_argument("--at-once", nargs="*", type=int, default=[], help="so many at random")
    options.add_argument("--all", action="store_true", help="all that were written")
    options.add_argument("--seconds", type=float, default=60.0, help="of searching, for each row")
    options.add_argument("--seed", type=int, default=0)
    asked = options.parse_args()
    system = instantiate(load_system(asked.system), asked.policy, lemmas=True).system
    lemmas = system.lemmas
    own = [p.name for p in lemmas if written(p.name)]
    known = prove(system, [p for p in system.properties if p.kind == "invariant"], lemmas).properties
    properties = [p for p in system.properties if known.get(p.name, False)]
    rng = random.Random(asked.seed)
    groups = [rng.sample(own, count) for count in asked.at_once] + ([own] if asked.all else [])
    groups += [[name] for name in asked.lemma] or ([] if groups else [[name] for name in own])
    bare = replace(system, lemmas=())
    rows = []
    for row in _rows(bare, properties, lemmas, groups, list(samples(bare)), Effort(asked.seconds)):
        print("  ".join(row), flush=True)
        rows.append(row)
    print(tabulate(rows, HEAD, tablefmt="pipe"))


def _rows(
    system: ir.System,
    properties: Sequence[Property],
    lemmas: Sequence[Property],
    groups: Sequence[Sequence[str]],
    known: Sequence[Sample],
    effort: Effort,
) -> Iterator[tuple[str, str, str, str]]:
    for group in groups:
        kept = [p for p in lemmas if p.name not in group]
        name = ", ".join(group) if len(group) < 6 else f"{len(group)} lemmas"
        if prove(system, properties, kept).proved:
            yield name, "without it", "0", "0"
            continue
        result = infer(system, properties, known, kept, effort=effort)
        proved = result.proof.properties if result.proof is not None else {}
        outcome = "all" if result.proved else f"{sum(proved.values())} of {len(properties)}"
        yield name, outcome, str(len(result.found)), f"{result.seconds:.1f}"


if __name__ == "__main__":
    main()
