"""The shipped systems, changed in one place at a time: does a verdict notice?

    python -m benchmarks.mutation [--only SYSTEM ...] [--jobs N] [--json FILE] [--saved FILE ...] [--write]

Each mutant of `benchmarks.operators` is explored under one policy that holds, and where that goes on to hold, under
the further settings, at the same sizes, for which the policy promises a verdict; or where its subject says.  It is noticed
if any of these verdicts is another one, or a state that makes the system interesting is no longer reached.  Of what nobody
notices `benchmarks.survivors` says why that is right.  `--write` makes docs/mutation.md.  With `--json FILE` each mutant that
was judged is a line of that file at once (an object: system, operator, name, by), and a run that was stopped goes on where
`--saved` ends.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Container, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from flushproof.model.errors import FlushproofError
from flushproof.model.ir.instance import Instance
from flushproof.model.language.declare import Expect, Knob, System
from flushproof.model.language.load import load_system
from flushproof.search.explore import asked_names, explore
from flushproof.search.native.engine import NativeEngine
from flushproof.search.replay import ReplayError
from flushproof.search.task import Limits
from tabulate import tabulate

from flushproof.processes import each

from .operators import OPERATORS, Mutant, Operator, Setting, mutants
from .survivors import reason

DOCS = Path(__file__).resolve().parents[1] / "docs" / "mutation.md"

STATES = 200_000
"""Where a mutant holds in as many states and there are more, it counts as one that nobody notices."""

NOBODY = ""
NO_REASON = "No reason is known."


@dataclass(frozen=True)
class Place:
    """Where a policy that holds is explored: its further knobs and sizes.

    unasked: properties that are not asked for there.
    states: the limit there, if not the subject's.
    """

    knobs: tuple[tuple[str, Any], ...] = ()
    sizes: tuple[tuple[str, int], ...] = ()
    unasked: tuple[str, ...] = ()
    states: int | None = None


@dataclass(frozen=True)
class Subject:
    """A system under one policy that holds.

    environment: what is left as it is (see `operators.mutants`).
    states: the limit of each search.
    places: where it is explored, one after the other, until somebody notices.
    further: where it is explored besides, if nobody does, as under the policy's further settings.
    """

    system: str
    policy: str
    environment: tuple[str, ...] = ()
    states: int = STATES
    places: tuple[Place, ...] = (Place(),)
    further: tuple[Place, ...] = ()

    def cls(self) -> type[System]:
        return load_system(self.system)

    def setting(self, place: Place) -> Setting:
        return Setting(self.policy, place.knobs, place.sizes)

    def mutants(self, folder: Path, one_of: int = 1, known: Container[tuple[Operator, str]] = ()) -> Iterator[Mutant]:
        """Those that are other systems than the system itself, as the known are; of so many neighbouring changes one is made."""
        setting = Setting(self.policy)
        for mutant in islice(mutants(self.cls(), setting, folder, self.environment), 0, None, one_of):
            if (mutant.operator, mutant.name) in known or mutant.made(setting) is not None:
                yield mutant


UNMAPPING_OFF = (("unmapping", "off"),)
TWO_CPUS = (("cpu", 2),)
NONE_IS_FREE = ("EmptySlots", "no-deadlock")
"""What is not asked of tla-asidalloc where a rollover may leave no number: who finds none waits, with the lock."""

ASIDS = Subject(
    "tla-asidalloc",
    "spec",
    states=3_000_000,
    places=(Place(), Place(UNMAPPING_OFF, TWO_CPUS, NONE_IS_FREE), Place((), TWO_CPUS, NONE_IS_FREE)),
    further=(Place(UNMAPPING_OFF, (*TWO_CPUS, ("task", 4), ("asid", 4)), states=50_000_000),),
)
"""With one CPU nobody else reserves.  With two: all that is reachable without unmapping, and the beginning of what is with it; and
where a number is always free behind a rollover, all that is without it."""

SUBJECTS = (
    Subject("kvm-icache", "ic-iallu", ("patch", "enable_mmu", "disable_mmu")),
    Subject("kvm-trapped-tlbi", "exact", ("remap", "preempts")),
    Subject("kvm-vcpu-switch", "last-ran", ("guest_",)),
    Subject("kvm-vmid-allocator", "fixed", ("vm_is_replaced",)),
    Subject("kvm-vmid-generation", "fixed", ("vm_is_replaced",)),
    Subject("kvm-world-switch", "both", ("guest_",)),
    ASIDS,
    Subject("tla-vmidalloc", "put", states=2_000_000),
    Subject("xen-pv-paging", "per-batch"),
    Subject("xen-tlbflush-clock", "invalidate-first"),
)


@dataclass(frozen=True)
class Judged:
    """A mutant and who noticed it: a property, a state that is no longer reached, a setting; "" for nobody."""

    system: str
    operator: Operator
    name: str
    by: str

    @property
    def reason(self) -> str | None:
        """Why it is right that nobody notices, or that this must be one step; None where none is given."""
        return reason(self.system, self.operator, self.name, self.by != NOBODY)


def noticed(mutant: Mutant, subject: Subject) -> str:
    """Who notices a mutant first: under the policy itself, then under its further settings."""
    more = mutant.operator in ("split", "actor")  # they add steps: who is violated stays so
    for place in (*subject.places, *(subject.further if not more else ())):
        instance = mutant.made(subject.setting(place))
        if instance is not None:
            found = _other_than(instance, "holds", place.states or subject.states, place.unasked)
            if found != NOBODY:
                return found
    for expect in subject.cls().policies[subject.policy].also if not more else ():
        if expect.sizes:
            continue
        setting = _setting(subject.policy, expect)
        there = mutant.made(setting)
        if there is not None and (by := _other_than(there, expect.verdict, subject.states)) != NOBODY:
            words = " ".join(f"{name}={value}" for name, value in setting.knobs)
            return f"{by}, with {words}" if words else by
    return NOBODY


def _setting(policy: str, expect: Expect) -> Setting:
    """Values as text: a changed source has enumerations of its own."""
    return Setting(policy, tuple((name, Knob.text(value)) for name, value in expect.knobs.items()))


def _other_than(instance: Instance, verdict: str, states: int, unasked: Container[str] = ()) -> str:
    """What gives away that the verdict is no longer this one."""
    focus = None if verdict == "holds" else verdict
    asked = [name for name in asked_names(instance) if name not in unasked]
    try:
        engine, limits = NativeEngine(optimised=False), Limits(states=states)
        outcome = explore(instance, properties=asked, focus=focus, engine=engine, limits=limits)
    except ReplayError:  # it reads a local that was never written: an element that symmetry knows nothing of
        return "no verdict"
    except FlushproofError as error:
        return f"refused: {error}"
    if focus is not None:
        return NOBODY if outcome.property == focus or not outcome.complete else f"no longer {focus}"
    if outcome.property is not None:
        return outcome.property
    return f"unreached: {outcome.not_reached[0]}" if outcome.complete and outcome.not_reached else NOBODY


@dataclass(frozen=True)
class Work:
    """A system whose mutants are judged.

    saved: what is judged already, and is not made anew.
    lines: a file that gets a line for each mutant as soon as it is judged.
    """

    subject: Subject
    saved: tuple[Judged, ...]
    lines: Path | None

    def judge(self) -> list[Judged]:
        """Every mutant of the system, in their order."""
        known = {(j.operator, j.name): j for j in self.saved if j.system == self.subject.system}
        with tempfile.TemporaryDirectory() as folder:
            return [
                known.get((m.operator, m.name)) or self._judged(m) for m in self.subject.mutants(Path(folder), known=known)
            ]

    def _judged(self, mutant: Mutant) -> Judged:
        judged = Judged(self.subject.system, mutant.operator, mutant.name, noticed(mutant, self.subject))
        print(f"  {mutant.operator}: {mutant.name}: {judged.by or 'nobody'}", flush=True)
        if self.lines:
            with self.lines.open("a") as file:
                file.write(json.dumps(asdict(judged)) + "\n")
        return judged


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", nargs="+", choices=[s.system for s in SUBJECTS], help="these systems alone")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--json", type=Path, help="a file that gets each result as a line")
    parser.add_argument(
        "--saved", type=Path, nargs="+", default=[], help="such files: the mutants in them are not judged anew"
    )
    parser.add_argument("--write", action="store_true", help=f"into {DOCS.name}")
    asked = parser.parse_args()
    saved = tuple(Judged(**json.loads(line)) for file in asked.saved for line in file.read_text().splitlines())
    subjects = [s for s in SUBJECTS if asked.only is None or s.system in asked.only]
    judged: list[Judged] = []
    work = [Work(s, saved, asked.json) for s in subjects]
    for subject, found in zip(subjects, each(Work.judge, work, asked.jobs), strict=True):
        assert not isinstance(found, str), found
        judged += found
        print(f"{subject.system}: {score(found)}", flush=True)
        for one in found:
            if one.by == NOBODY and one.reason is None:
                print(f"  nobody notices, and no reason is given: {one.operator}: {one.name}", flush=True)
    if asked.write:
        DOCS.write_text(page(judged, DOCS.read_text()))


def score(judged: Sequence[Judged]) -> str:
    return f"{sum(j.by != NOBODY for j in judged)} of {len(judged)} mutants are noticed"


# ------------------------------------------------------------------------------------------------------------- the page

INTRODUCTION = """# Mutants of the systems

Each shipped system is changed in one place, in every place and in four ways, and judged again: does a verdict notice?
(`python -m benchmarks.mutation --jobs 2 --write` makes this page; the tests take a sample of it again, and hold that
whoever is not noticed has a reason here. Mutants of the checker itself are in [soundness](soundness.md).)

{operators}

A mutant is noticed if the policy named here, or one of the further settings for which that policy promises a verdict
at the same sizes, gets another verdict, or if a state that makes the system interesting is no longer reached. (What adds
steps, a split or an actor, is judged under the policy alone.) Changes that make no difference in the compiled system are
not counted: two statements of one step that do not depend on each other, a step whose second half no other process and
no property can see. Neither are those that the language refuses. Statements are changed where they stand: in the system, and in
the kinds of systems in `model/hardware` that it inherits. Left as they are: what the
environment may do (guests by the book, VMs that come and go), and the statements of the parts in `model/hardware`, which have
tests of their own.

What nobody notices is one of two things: a part of the model that the verdict does not need, or a verdict that needs
more than the model says. Each has its reason below. Splits and actors that nobody notices mostly speak for the
policy: it holds with more interleavings than the code has. A dash: not judged in full yet. tla-vmidalloc is somebody
else's specification, label by label: what must be one step there is one label. So is tla-asidalloc, where with one CPU, as it is
shipped, nobody else reserves: it is judged with two as well, to the end without unmapping and for its first 3,000,000 states with
it; and what is left out or reordered also where a number is always free behind a rollover (4 tasks, ASIDS = 4: 23,856,024 states).

"""


def page(judged: Sequence[Judged], before: str) -> str:
    """docs/mutation.md.

    before: the page as it is: of a system that was not judged it stays so.
    """
    rows, sections = [], []
    for subject in SUBJECTS:
        mine = [j for j in judged if j.system == subject.system]
        rows.append(_row(subject, mine) if mine else _row_before(subject, before))
        sections.append(_section(subject, mine) if mine else _section_before(subject, before))
    rows.append(["all", "", *(_sum(cells) for cells in list(zip(*rows, strict=True))[2:])])
    table = tabulate(rows, ["system", "policy", *OPERATORS, "noticed"], tablefmt="github", disable_numparse=True)
    operators = "\n".join(f"- *{operator}*: {meaning}." for operator, meaning in OPERATORS.items())
    return INTRODUCTION.format(operators=operators) + table + "\n" + "".join(sections)


def _row(subject: Subject, mine: Sequence[Judged]) -> list[str]:
    of = [[j for j in mine if j.operator == operator] for operator in OPERATORS]
    return [f"`{subject.system}`", f"`{subject.policy}`", *(_counts(j) for j in (*of, mine))]


def _row_before(subject: Subject, before: str) -> list[str]:
    for line in before.splitlines():
        if line.startswith(f"| `{subject.system}` "):
            return [cell.strip() for cell in line.strip("|").split("|")]
    return [f"`{subject.system}`", f"`{subject.policy}`", *("-" for _ in (*OPERATORS, ""))]


def _counts(judged: Sequence[Judged]) -> str:
    return f"{sum(j.by != NOBODY for j in judged)} of {len(judged)}" if judged else "-"


def _sum(cells: Sequence[str]) -> str:
    counts = [tuple(map(int, cell.split(" of "))) for cell in cells if cell != "-"]
    return f"{sum(n for n, _ in counts)} of {sum(n for _, n in counts)}"


def _section(subject: Subject, mine: Sequence[Judged]) -> str:
    """What nobody notices in a system, by reason, and what must be one step."""
    text = f"\n## {subject.system}\n\n"
    text += _reasons([j for j in mine if j.by == NOBODY])
    together = [j for j in mine if j.by != NOBODY and j.operator == "split"]
    if together:
        text += "\nMust be one step, and is:\n\n" + _reasons(together)
    return text


def _section_before(subject: Subject, before: str) -> str:
    heading = f"\n## {subject.system}\n"
    _, found, behind = before.partition(heading)
    return heading + behind.partition("\n## ")[0] if found else ""


def _reasons(judged: Sequence[Judged]) -> str:
    lines = []
    for why in dict.fromkeys(j.reason for j in judged):
        lines.append(f"- {why or NO_REASON}")
        for one in (j for j in judged if j.reason == why):
            lines.append(f"    - {one.operator}: `{one.name}`" + (f": {one.by}" if one.by != NOBODY else ""))
    return "\n".join(lines) + "\n"


def unnoticed_in(text: str) -> dict[str, set[tuple[str, str]]]:
    """From the page: by system, the operators and names of the mutants that nobody notices."""
    found: dict[str, set[tuple[str, str]]] = {}
    for line in text.splitlines():
        if line.startswith("## "):
            mine = found.setdefault(line.removeprefix("## "), set())
        elif line.startswith("    - "):
            operator, _, name = line.removeprefix("    - ").partition(": ")
            if name.endswith("`"):  # else it is noticed, and must be one step
                mine.add((operator, name.strip("`")))
    return found


if __name__ == "__main__":
    main()
