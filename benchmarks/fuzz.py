"""Generated systems in any number: whether all their readings agree, what they cover, and the smallest text that differs.

    python -m benchmarks.fuzz --count 1000 --jobs 2            seeds 0 to 999
    python -m benchmarks.fuzz --first 5000 --count 1000 --slow Rumur SPIN prove
    python -m benchmarks.fuzz --count 100000 --every 4 --slow prove --slowly 100    the dear readings of a share of them
    python -m benchmarks.fuzz --text found.py                  the readings of one file, and a smaller one if they differ

What is found is minimised and printed; `--keep` keeps the texts.  `--table` says which nodes of Python's syntax, and which pairs
of a node in another, the texts had that were compared.
"""

from __future__ import annotations

import argparse
import ast
import copy
import gc
import json
import math
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from flushproof.search.native.library import target
from tabulate import tabulate

from tests.model.language.grammar import HEADER, source
from tests.model.language.readings import Effort, Told, examine, readings

TRIVIAL = ("Load", "Store", "arguments", "Module")
"""Nodes of the syntax that say nothing."""


@dataclass
class Sum:
    """What became of many texts."""

    kinds: Counter[str] = field(default_factory=Counter)
    readings: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    nodes: Counter[str] = field(default_factory=Counter)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused_nodes: Counter[str] = field(default_factory=Counter)
    findings: dict[tuple[str, str, str], list[int]] = field(default_factory=dict)
    steps: int = 0
    states: int = 0

    def add(self, seed: int, text: str, told: Told) -> None:
        self.kinds[told.kind] += 1
        self.readings.update(told.done)
        self.steps += told.steps
        self.states += told.states
        nodes, pairs = covered(text)
        if told.kind == "refused":
            self.refusals[told.key[2]] += 1
            self.refused_nodes.update(nodes)
            return
        self.nodes.update(nodes)
        self.pairs.update(pairs)
        if told.found:
            self.findings.setdefault(told.key, []).append(seed)

    def table(self) -> str:
        """The coverage: each construct, in how many systems it was compared and refused, and what was seen inside of it."""
        rows = []
        for node, count in sorted(self.nodes.items()):
            inside = sorted(b for a, b in self.pairs if a == node)
            rows.append([f"`{node}`", count, self.refused_nodes[node], ", ".join(inside)])
        return tabulate(rows, ["construct", "compared", "refused", "directly inside of it"], tablefmt="github")


def covered(text: str) -> tuple[set[str], set[tuple[str, str]]]:
    """The nodes of the syntax in what was written at random, and the pairs of one directly inside of another."""
    tree = ast.parse(text[len(HEADER) :] if text.startswith(HEADER) else text)
    nodes, pairs = set(), set()
    for node in ast.walk(tree):
        name = type(node).__name__
        if name in TRIVIAL:
            continue
        nodes.add(name)
        for child in ast.iter_child_nodes(node):
            inner = type(child).__name__
            if inner not in TRIVIAL and not isinstance(child, (ast.operator, ast.cmpop, ast.boolop, ast.unaryop)):
                pairs.add((name, inner))
    return nodes, pairs


# --------------------------------------------------------------------------------------------------------- making it small


def smaller(text: str, still: Callable[[str], bool], seconds: float) -> str:
    """A text from which nothing more can be left out, of which `still` holds."""
    until = time.monotonic() + seconds
    best = ast.unparse(ast.parse(text))
    if not still(best):
        return text
    progress = True
    while progress and time.monotonic() < until:
        progress = False
        for edits in (statements, expressions):
            at = 0
            while time.monotonic() < until:
                tree = ast.parse(best)
                edit = next((e for i, e in enumerate(edits(tree)) if i == at), None)
                if edit is None:
                    break
                edit()
                try:
                    made = ast.unparse(ast.fix_missing_locations(tree))
                    compile(made, "made", "exec")
                except (SyntaxError, ValueError, TypeError, AttributeError):
                    at += 1
                    continue
                if len(made) < len(best) and still(made):
                    best, progress = made, True
                else:
                    at += 1
    return best


def statements(tree: ast.Module) -> Iterator[Callable[[], None]]:
    """Ways to leave out a statement, or to put what is inside of it in its place."""
    for node in ast.walk(tree):
        for name in ("body", "orelse"):
            block = getattr(node, name, None)
            if not isinstance(block, list):
                continue
            for number, statement in reversed(list(enumerate(block))):
                yield lambda block=block, number=number, name=name: left_out(block, number, name)  # type: ignore[misc]
                if isinstance(statement, (ast.If, ast.For, ast.While, ast.With)):
                    yield lambda block=block, number=number: put_in_place(block, number)  # type: ignore[misc]
                if isinstance(statement, ast.If) and statement.orelse:
                    yield lambda statement=statement: statement.orelse.clear()  # type: ignore[misc]
        if isinstance(node, ast.FunctionDef):
            for number in range(len(node.decorator_list)):
                yield lambda node=node, number=number: node.decorator_list.pop(number)  # type: ignore[misc]
        if isinstance(node, ast.arguments) and len(node.args) > 1:
            for number in range(1, len(node.args)):
                yield lambda node=node, number=number: node.args.pop(number)  # type: ignore[misc]


def left_out(block: list[ast.stmt], number: int, name: str) -> None:
    del block[number]
    if not block and name == "body":
        block.append(ast.Pass())


def put_in_place(block: list[ast.stmt], number: int) -> None:
    block[number : number + 1] = getattr(block[number], "body")  # noqa: B009


def expressions(tree: ast.Module) -> Iterator[Callable[[], None]]:
    """Ways to put something simpler in the place of an expression."""
    for node in ast.walk(tree):
        for name, value in ast.iter_fields(node):
            items = value if isinstance(value, list) else [value]
            for number, item in enumerate(items):
                if not isinstance(item, ast.expr):
                    continue
                put = placing(node, name, number if isinstance(value, list) else None)
                for simple in simpler(item):
                    yield lambda put=put, simple=simple: put(simple)  # type: ignore[misc]
                if isinstance(value, list) and len(value) > 1 and name in ("values", "elts", "args"):
                    yield lambda value=value, number=number: value.pop(number)  # type: ignore[misc]


def placing(node: ast.AST, name: str, number: int | None) -> Callable[[ast.expr], None]:
    def put(new: ast.expr) -> None:
        if number is None:
            setattr(node, name, new)
        else:
            getattr(node, name)[number] = new

    return put


def simpler(expression: ast.expr) -> Iterator[ast.expr]:
    if isinstance(expression, (ast.Constant, ast.Name)) or isinstance(getattr(expression, "ctx", None), ast.Store):
        return
    for constant in (True, False, None, 0):
        yield ast.Constant(constant)
    for child in ast.walk(expression):
        if (
            child is not expression
            and isinstance(child, ast.expr)
            and not isinstance(getattr(child, "ctx", None), ast.Store)
        ):
            yield copy.deepcopy(child)


# ------------------------------------------------------------------------------------------------------------------- all


@dataclass(frozen=True)
class Shares:
    """Which texts are read in which ways, by their seeds: one in `every` is explored; of those, one in `optimised` with native code
    as users have it, and one in `slowly` by the slow readings."""

    every: int = 1
    optimised: int = 10
    slowly: int = 1

    def of(self, seed: int, effort: Effort) -> Effort:
        number, rest = divmod(seed, self.every)
        if rest:
            return replace(effort, searches=False)
        return replace(
            effort, optimised=number % self.optimised == 0, slow=effort.slow if number % self.slowly == 0 else ()
        )


def prepared(folder: Path) -> None:
    """Loads here what the processes of all texts need, which are forked from this one: most of a text's time otherwise."""
    target()
    readings(source(0), folder, Effort(searches=False), "first")
    gc.collect()
    gc.freeze()


def examined(
    seeds: Sequence[int], effort: Effort, jobs: int, folder: Path, shares: Shares
) -> Iterator[tuple[int, str, Told]]:
    """What became of the text of each seed; each is examined in a process of its own."""
    prepared(folder)

    def one(seed: int) -> tuple[int, str, Told]:
        text = source(seed)
        told = examine(text, folder, shares.of(seed, effort), f"generated_{seed}")
        for made in folder.glob(f"generated_{seed}*.py"):
            made.unlink()
        return seed, text, told

    pool = ThreadPoolExecutor(jobs)
    try:
        yield from pool.map(one, seeds)
    finally:
        pool.shutdown(cancel_futures=True)  # whoever has seen enough does not wait for the rest


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=100, help="how many seeds")
    parser.add_argument("--jobs", type=int, default=1, help="processes at once")
    parser.add_argument("--steps", type=int, default=60, help="steps of Python's walks")
    parser.add_argument("--states", type=int, default=1500, help="states that are explored of each")
    parser.add_argument(
        "--slow", nargs="*", default=[], choices=("Rumur", "SPIN", "prove"), help="what is asked as well"
    )
    parser.add_argument(
        "--every", type=int, default=1, help="explore one in so many; of the others Python's walks are compared"
    )
    parser.add_argument(
        "--optimise", type=int, default=10, help="of those, one in so many with native code as users have it"
    )
    parser.add_argument("--slowly", type=int, default=1, help="of those, one in so many by what is slow")
    parser.add_argument("--minutes", type=float, default=math.inf, help="after which no further system is examined")
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="of the processor, after which a system is said to hang"
    )
    parser.add_argument("--no-native", action="store_true", help="without the native engine")
    parser.add_argument(
        "--minimise", type=float, default=120.0, help="seconds to make a finding small; 0 for not at all"
    )
    parser.add_argument("--text", type=Path, help="examine this file instead")
    parser.add_argument("--keep", type=Path, help="a folder for what is found")
    parser.add_argument("--table", type=Path, help="write the coverage here")
    asked = parser.parse_args()
    effort = Effort(asked.steps, asked.states, tuple(asked.slow), native=not asked.no_native, seconds=asked.seconds)
    folder = Path(tempfile.mkdtemp(prefix="fuzz"))
    total, begun = Sum(), time.monotonic()
    shares = Shares(asked.every, asked.optimise, asked.slowly)
    if asked.text:
        effort, shares = replace(effort, optimised=True), Shares(optimised=1)
        cases: Iterator[tuple[int, str, Told]] = iter([(0, t := asked.text.read_text(), examine(t, folder, effort))])
    else:
        cases = examined(range(asked.first, asked.first + asked.count), effort, asked.jobs, folder, shares)
    for number, (seed, text, told) in enumerate(cases, 1):
        new = told.found and told.key not in total.findings
        total.add(seed, text, told)
        if new:
            print(f"seed {seed}: {told.kind} ({told.reading}): {told.said}", flush=True)
            report(seed, text, told, shares.of(seed, effort), folder, asked.minimise, asked.keep)
        if number % 100 == 0:
            print(f"{number}: {dict(total.kinds)}, {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
        if time.monotonic() - begun > 60 * asked.minutes:
            break
    print(
        json.dumps(dict(total.kinds)), f"{total.steps} steps, {total.states} states, {time.monotonic() - begun:.0f} s"
    )
    print(tabulate(total.readings.most_common(), ["reading", "compared"]))
    print(tabulate(total.refusals.most_common(30), ["refused", "times"]))
    print(
        tabulate([[*k, len(v), v[:5]] for k, v in total.findings.items()], ["found", "reading", "", "times", "seeds"])
    )
    if asked.table:
        asked.table.write_text(total.table() + "\n")
    return 1 if total.findings else 0


def report(seed: int, text: str, told: Told, effort: Effort, folder: Path, seconds: float, keep: Path | None) -> None:
    """Prints the smallest text that shows the same, and keeps it."""
    narrow = replace(effort, only=told.reading, seconds=20.0) if told.reading else replace(effort, seconds=20.0)
    number = 0

    def still(made: str) -> bool:
        nonlocal number
        number += 1
        return examine(made, folder, narrow, f"smaller_{seed}_{number}").key == told.key

    small = smaller(text, still, seconds) if seconds else text
    print(small, flush=True)
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
        (keep / f"{seed}.py").write_text(small + "\n")


if __name__ == "__main__":
    sys.exit(main())
