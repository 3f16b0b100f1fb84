"""flushproof, Rumur and SPIN on the same exported system, one after the other, one thread each.

    python benchmarks/compare.py kvm-vmid-generation fixed Vm=2 --timeout 600

Seconds are of the processor, so that other work on the machine disturbs them little; compiling is left out.  Symmetry and
partial order reduction are off everywhere.  Memory is the largest resident size of the whole process.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from flushproof.model.language.instance import Instance
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.search.explore import ask
from flushproof.search.export import export
from flushproof.search.native.engine import Search
from flushproof.search.native.library import Library
from flushproof.search.native.store import Store
from flushproof.search.task import Task
from tabulate import tabulate

SPIN_FLAGS = ["-O3", "-march=native", "-DSAFETY", "-DNOREDUCE", "-DBFS", "-DMEMLIM=100000", "-DVECTORSZ=4096", "-w"]
RUMUR_FLAGS = ["-O3", "-march=native", "-mcx16", "-w"]


@dataclass(frozen=True)
class Row:
    """What one checker did.  seconds: of the processor; bytes_per_state: of everything, by the largest resident size."""

    checker: str
    states: int
    transitions: int
    seconds: float
    compile_seconds: float
    bytes_per_state: float
    verdict: str

    @property
    def rate(self) -> float:
        """States per second."""
        return self.states / max(self.seconds, 1e-9)


class Unfinished(Exception):
    """A checker did not finish in time, or failed."""


def run(command: Sequence[str], where: Path, timeout: float) -> tuple[str, float, int]:
    """What a program prints, its processor seconds, and its largest resident size in bytes."""
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, cwd=where, stdout=out, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + timeout
        while True:
            pid, _, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > deadline:
                process.kill()
                os.wait4(process.pid, 0)
                raise Unfinished(f"{command[0]} did not finish within {timeout:g} seconds")
            time.sleep(0.02)
        out.seek(0)
        return out.read(), usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def flushproof(arguments: Sequence[str], timeout: float) -> Row:
    """In a process of its own, so that its memory can be told."""
    command = [sys.executable, __file__, *arguments, "--alone"]
    text, _, _ = run(command, Path.cwd(), timeout)
    return Row(**json.loads(text.splitlines()[-1]))


def alone(instance: Instance) -> Row:
    """flushproof in this process."""
    asked = ask(instance, None)
    task = Task(instance, asked.invariants, asked.reachables, asked.deadlock, symmetry=False)
    library = Library(instance, (*asked.invariants, *asked.reachables))
    store = Store(library, None)
    started = time.process_time()
    found = Search(task, store).run()
    seconds = time.process_time() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Row(
        "flushproof",
        found.states,
        found.transitions,
        seconds,
        library.seconds,
        memory / found.states,
        "violated" if found.violated else "holds",
    )


def rumur(instance: Instance, where: Path, timeout: float) -> Row:
    """Rumur, by way of C."""
    started = time.monotonic()
    model = _write(instance, "murphi", where)
    options = ["--symmetry-reduction", "off", "--deadlock-detection", "off", "--threads", "1"]
    _must(["rumur", "--output", "rumur.c", *options, model], where)
    _must(["gcc", *RUMUR_FLAGS, "-o", "rumur.exe", "rumur.c", "-lpthread"], where)
    compiled = time.monotonic() - started
    text, seconds, memory = run(["./rumur.exe"], where, timeout)
    found = re.search(r"(\d+) states, (\d+) rules", text)
    if not found:
        raise Unfinished(text[-300:])
    verdict = "holds" if "No error found" in text else "violated"
    states = int(found[1])
    return Row("Rumur", states, int(found[2]), seconds, compiled, memory / states, verdict)


def spin(instance: Instance, where: Path, timeout: float, table_bits: int) -> Row:
    """SPIN, by way of C, breadth-first."""
    started = time.monotonic()
    model = _write(instance, "promela", where)
    _must(["spin", "-a", model], where)
    _must(["gcc", *SPIN_FLAGS, "-o", "pan", "pan.c"], where)
    compiled = time.monotonic() - started
    text, seconds, memory = run(["./pan", "-E", f"-w{table_bits}", "-m1000"], where, timeout)
    stored, made = re.search(r"(\d+) states, stored", text), re.search(r"(\d+) transitions", text)
    if not stored or not made:
        raise Unfinished(text[-300:])
    verdict = "holds" if "errors: 0" in text else "violated"
    states = int(stored[1])
    return Row("SPIN", states, int(made[1]), seconds, compiled, memory / states, verdict)


def _write(instance: Instance, language: str, where: Path) -> str:
    files = export(instance, language)
    for name, text in files.items():
        (where / name).write_text(text)
    return next(iter(files))


def _must(command: Sequence[str], where: Path) -> None:
    done = subprocess.run(command, cwd=where, capture_output=True, text=True)
    if done.returncode:
        raise Unfinished(f"{' '.join(command)}: {(done.stdout + done.stderr)[-300:]}")


def show(rows: Sequence[Row]) -> str:
    """The rows as a table; ratios are flushproof's rate to the others', and the others' bytes to flushproof's."""
    first = rows[0]
    table = [
        [
            row.checker,
            row.verdict,
            row.states,
            row.transitions,
            f"{row.seconds:.2f}",
            f"{row.compile_seconds:.1f}",
            f"{row.rate / 1e6:.2f}",
            f"{row.bytes_per_state:.0f}",
            f"{first.rate / row.rate:.1f}",
            f"{row.bytes_per_state / first.bytes_per_state:.1f}",
        ]
        for row in rows
    ]
    heads = [
        "",
        "verdict",
        "states",
        "transitions",
        "CPU s",
        "compile s",
        "M states/s",
        "bytes/state",
        "faster",
        "smaller",
    ]
    return tabulate(table, heads, disable_numparse=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("system")
    parser.add_argument("policy", nargs="?")
    parser.add_argument("sizes", nargs="*", help="Sort=n")
    parser.add_argument("--timeout", type=float, default=600, help="seconds for each checker")
    parser.add_argument("--table-bits", type=int, default=24, help="SPIN's hash table has 2^N places")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    sizes = dict(pair.split("=", 1) for pair in asked.sizes)
    instance = instantiate(load_system(asked.system), asked.policy, sizes=sizes)
    if asked.alone:
        print(json.dumps(asdict(alone(instance))))
        return
    arguments = [asked.system, *([asked.policy] if asked.policy else []), *asked.sizes]
    where = Path(tempfile.mkdtemp(prefix="flushproof-compare-"))
    checkers: list[Callable[[], Row]] = [
        lambda: flushproof(arguments, asked.timeout),
        lambda: rumur(instance, where, asked.timeout),
        lambda: spin(instance, where, asked.timeout, asked.table_bits),
    ]
    rows = []
    for checker in checkers:
        try:
            rows.append(checker())
        except (Unfinished, FileNotFoundError) as problem:
            print(f"left out: {problem}", file=sys.stderr)
    shutil.rmtree(where)
    print(" ".join(arguments))
    print(show(rows))


if __name__ == "__main__":
    main()
