"""The checker itself, broken in small ways, one at a time: who notices?

    python -m benchmarks.mutants [--only NUMBER ...] [--area AREA ...] [--jobs N] [--seed N] [--save FILE] [--write]

Each mutant of `benchmarks.faults` is put into a copy of this checkout.  First small systems are checked there as a user would
(`benchmarks.audited`): the audit says that two readings differ, or a verdict is another one, or a part of flushproof finds that
another part is wrong.  Where all is as ever, the tests of that part of the code are run until one fails.  `--write` puts the
figures into docs/soundness.md.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import queue
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

from tabulate import tabulate

from .faults import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("flushproof", "model", "properties", "search", "tests", "benchmarks", "docs")
FILES = ("pyproject.toml", "README.md", "CONTRIBUTING.md")
DOCS = ROOT / "docs" / "soundness.md"
HEAD = "## Mutants of the checker"

AUDIT_LIMIT, TEST_LIMIT = 60, 200
"""Seconds of the processor for all systems, and for each file or folder of tests.  Who has not noticed by then has not noticed."""

PATIENCE = 20
"""How many times as long it may take on the clock: a busy machine changes no result."""


@dataclass(frozen=True)
class Noticers:
    """Whom to ask about a part of the code, in order: systems of `benchmarks.audited`, and arguments of pytest."""

    systems: tuple[str, ...]
    tests: tuple[str, ...]


BY_AREA: Mapping[str, Noticers] = {
    "front end": Noticers(
        (
            "swapping",
            "diagonal",
            "unset",
            "fresh-rounds",
            "owing",
            "expressions",
            "steps",
            "more",
            "details",
            "choosing",
            "lambdas",
            "ends",
        ),
        (
            "tests/model/language/test_kinds.py::test_it_is_read_as_python_reads_it",
            "tests/model/language",
            "tests/flushproof/test_auditing.py",
        ),
    ),
    "loading": Noticers((), ("tests/model/test_load.py", "tests/model/test_instantiate.py")),
    "terms": Noticers(
        ("owing", "details", "expressions", "steps", "more", "counting", "ends"),
        (
            "tests/model/test_terms.py",
            "tests/search/reference",
            "tests/model/language",
            "tests/search/reductions/test_fusion.py",
        ),
    ),
    "interpreter": Noticers(
        ("owing", "expressions", "counting", "ends", "wide"),
        ("tests/search/reference", "tests/search/test_explore.py", "tests/flushproof/test_auditing.py"),
    ),
    "canonical form": Noticers(
        ("symmetric", "calm", "steps", "wide"),
        ("tests/search/reductions/test_symmetry.py", "tests/search/native/test_native.py"),
    ),
    "engine": Noticers(
        ("ends", "owing", "lambdas", "details", "fresh", "kept", "counting", "wide", "calm", "expressions"),
        ("tests/search/native/test_native.py", "tests/search/test_explore.py"),
    ),
    "reductions": Noticers(
        ("ends", "counting", "steps", "fused"),
        (
            "tests/model/test_terms.py",
            "tests/search/reductions/test_after.py",
            "tests/search/reductions/test_labels.py",
            "tests/search/reductions/test_fusion.py",
            "tests/search/export",
        ),
    ),
    "formulas": Noticers(
        ("owing", "expressions", "counting", "ends"),
        ("tests/properties/formulas", "tests/properties/confirmation", "tests/properties/induction/test_induction.py"),
    ),
    "induction": Noticers(
        (),
        (
            "tests/properties/induction/test_induction.py",
            "tests/flushproof/test_prove_honest.py",
            "tests/flushproof/test_prove.py",
        ),
    ),
    "confirmation": Noticers(
        ("owing", "ends"),
        ("tests/properties/confirmation", "tests/flushproof/test_forged.py", "tests/flushproof/laboratory/test_deciding.py"),
    ),
    "certificates": Noticers(
        (),
        (
            "tests/properties/induction/test_certificates.py",
            "tests/flushproof/test_forged.py::test_a_clause_that_is_left_out_is_named",
            "tests/flushproof/test_forged.py::test_crafted_proofs_are_not_verified",
            "tests/flushproof/test_forged.py",
        ),
    ),
    "exporters": Noticers((), ("tests/search/export/test_names.py", "tests/search/export")),
    "cycles": Noticers((), ("tests/search/test_cycles.py",)),
    "audit": Noticers(
        (), ("tests/flushproof/test_auditing.py", "tests/model/language/test_found.py", "tests/search/test_explore.py")
    ),
}


@dataclass(frozen=True)
class Noticed:
    """number: of the mutant; by: `audit`, `verdict`, `crash`, `refusal`, `test`, or `nobody`; who: the system and what it said, or
    the test."""

    number: int
    by: str
    who: str
    seconds: float


class Checkout:
    """A copy of this checkout, in which one file at a time is broken."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in FOLDERS:
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in FILES:
            shutil.copy(ROOT / name, folder / name)
        self.times = itertools.count(int(time.time()) - 1_000_000)
        self.see_that_it_is_read()

    def see_that_it_is_read(self) -> None:
        """See to it that Python, started here, imports this copy and not the checkout that is installed."""
        names = sorted({module_of(m.file) for m in MUTANTS})
        text = f"import importlib.util as u\nfor n in {names}: print(u.find_spec(n).origin)"
        found, _ = self.run([sys.executable, "-c", text], 60)
        strange = [line for line in found.splitlines() if not Path(line).is_relative_to(self.folder)]
        if strange or len(found.splitlines()) != len(names):
            raise SystemExit(f"not the copy is imported, but {strange or found}")

    def run(self, command: Sequence[str], limit: int) -> tuple[str, int | None]:
        """What a command printed, and its exit status; None where it took more of the processor, in seconds, than it may."""
        env = {**os.environ, "PYTHONPATH": str(self.folder)}
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5)),
        )
        try:
            found = process.communicate(timeout=limit * PATIENCE)[0]
            return found, None if process.returncode == -signal.SIGXCPU else process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return process.communicate()[0], None

    def put(self, file: str, text: str) -> None:
        """Writes a file, at a time that no file of bytecode has."""
        path = self.folder / file
        path.write_text(text)
        at = next(self.times)
        os.utime(path, (at, at))

    def noticed(self, mutant: Mutant) -> Noticed:
        """Who notices the mutant first."""
        began = time.monotonic()
        original = (ROOT / mutant.file).read_text()
        self.put(mutant.file, mutant.applied(original))
        by, who = "nobody", ""
        for by, who in self.answers(BY_AREA[mutant.area]):
            if by != "test":
                break
            self.put(mutant.file, original)
            if self.tested(who)[0] == 0:  # the test notices the mutant, and nothing else
                break
            self.put(mutant.file, mutant.applied(original))
            by, who = "nobody", ""
        self.put(mutant.file, original)
        return Noticed(mutant.number, by, who, round(time.monotonic() - began, 1))

    def answers(self, noticers: Noticers) -> Iterator[tuple[str, str]]:
        if noticers.systems:
            found, status = self.run([sys.executable, "-m", "benchmarks.audited", *noticers.systems], AUDIT_LIMIT)
            last = found.strip().splitlines()[-1] if found.strip() else ""
            if status:
                yield kind_of(last), last[:120]
        for test in noticers.tests:
            status, found = self.tested(test)
            if status in (1, 2):
                failed = re.search(r"^(?:FAILED|ERROR) (.*?)(?: - |$)", found, re.MULTILINE)
                yield "test", failed[1] if failed else test

    def tested(self, test: str) -> tuple[int | None, str]:
        """Pytest's exit status, and what it prints; a test that is named is not sampled."""
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "-p",
            "no:cacheprovider",
            f"--basetemp={self.folder}/tmp",
        ]
        found, status = self.run([*command, *(["--whole"] if "::" in test else []), test], TEST_LIMIT)
        return status, found


def kind_of(said: str) -> str:
    """What kind of difference `benchmarks.audited` speaks of."""
    what = said.partition(": ")[2]
    if what.startswith("AuditError"):
        return "audit"
    if re.match(r"\w+Error|\w+Exception|Endless", what) or not what:
        return "crash"
    return "refusal" if what == "refused" else "verdict"


def module_of(file: str) -> str:
    """The module that a file is."""
    name = file.removesuffix(".py").replace("/", ".")
    return name if name.startswith("flushproof.") else f"flushproof.{name}"


def results(mutants: Sequence[Mutant], jobs: int) -> Iterator[Noticed]:
    """Who notices each, as it comes."""
    with tempfile.TemporaryDirectory(prefix="flushproof-mutants-") as folder:
        free: queue.Queue[Checkout] = queue.Queue()
        for number in range(jobs):
            free.put(Checkout(Path(folder) / str(number)))

        def look(mutant: Mutant) -> Noticed:
            checkout = free.get()
            try:
                return checkout.noticed(mutant)
            finally:
                free.put(checkout)

        with ThreadPoolExecutor(jobs) as pool:
            for future in as_completed([pool.submit(look, mutant) for mutant in mutants]):
                yield future.result()


def table(found: Iterable[Noticed], fmt: str = "plain") -> str:
    """One row for each mutant."""
    by_number = {m.number: m for m in MUTANTS}
    rows = []
    for n in sorted(found, key=lambda n: n.number):
        mutant = by_number[n.number]
        who = n.who.removeprefix("tests/") if n.by == "test" else n.who.partition(":")[0]
        row = [f"{n.number}{'*' * mutant.before}", mutant.file, mutant.meaning, n.by, who]
        rows.append([cell.replace("|", "\\|") for cell in row])
    return tabulate(rows, ["", "file", "what it does", "noticed by", "which"], tablefmt=fmt, disable_numparse=True)


def score(found: Sequence[Noticed]) -> str:
    """How many were noticed, and by whom."""
    count = Counter(n.by for n in found)
    noticed = len(found) - count["nobody"]
    kinds = ", ".join(f"{count[k]} by {words}" for k, words in SAID.items() if count[k])
    return f"{noticed} of {len(found)} mutants are noticed: {kinds}."


SAID = {
    "audit": "the audit",
    "verdict": "another verdict or number of states of a small system",
    "crash": "a part of flushproof that refuses what another part says",
    "refusal": "a message where there was none",
    "test": "a test",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", type=int, nargs="+", metavar="NUMBER")
    parser.add_argument("--area", nargs="+", choices=BY_AREA)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0, help="of the order in which mutants are tried")
    parser.add_argument("--save", type=Path, help="results as JSON; what is there already is kept")
    parser.add_argument("--write", action="store_true", help="put what is saved into docs/soundness.md, and try nothing")
    asked = parser.parse_args()
    known: dict[int, Noticed] = {}
    if asked.save and asked.save.exists():
        known = {n["number"]: Noticed(**n) for n in json.loads(asked.save.read_text())}
    mutants = [
        m for m in MUTANTS if (not asked.only or m.number in asked.only) and (not asked.area or m.area in asked.area)
    ]
    mutants = [] if asked.write else [m for m in mutants if asked.only or m.number not in known]
    random.Random(asked.seed).shuffle(mutants)
    for noticed in results(mutants, asked.jobs) if mutants else ():
        print(f"{noticed.number:3} {noticed.by:8} {noticed.seconds:5.1f} s  {noticed.who}", flush=True)
        known[noticed.number] = noticed
        if asked.save:
            asked.save.write_text(json.dumps([asdict(n) for n in known.values()], indent=1))
    found = [known[number] for number in sorted(known)]
    print(table(found))
    print(score(found))
    if asked.write:
        write(found)


def write(found: Sequence[Noticed]) -> None:
    """Puts the score and the table into the section of docs/soundness.md, which begins there if it is not there yet."""
    text = DOCS.read_text() if DOCS.exists() else "# Soundness\n"
    begin, end = "<!-- mutants -->", "<!-- end of mutants -->"
    if begin not in text:
        text = f"{text.rstrip()}\n\n{HEAD}\n\n{begin}\n{end}\n"
    before, rest = text.split(begin)
    after = rest.split(end)[1]
    DOCS.write_text(f"{before}{begin}\n{score(found)}\n\n{table(found, 'github')}\n{end}{after}")


if __name__ == "__main__":
    main()
