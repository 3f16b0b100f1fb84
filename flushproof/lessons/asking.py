"""What a directive asks: a system, a policy, knobs and sizes, and the run that answers it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from flushproof.checking import Request, run
from flushproof.model.errors import FlushproofError, nearest
from flushproof.model.ir.trace import Trace
from flushproof.model.language.declare import System
from flushproof.model.language.instantiate import settings
from flushproof.model.language.load import load_system
from flushproof.report.cause import links
from flushproof.report.words import Story, many
from flushproof.result import HOLDS, VIOLATED, Result

SYSTEMS = "flushproof.model.lessons"
"""The package of the lessons' own systems."""

Asked_ = TypeVar("Asked_", bound="Asked")


@dataclass(frozen=True)
class Asked(ABC):
    """What a directive asks of one instance of a system: a shipped one by its name, or one of the lessons' own as `file.py`.

    place: the lesson and the line where it is asked for; knobs, sizes: as in `instantiate`.
    """

    place: str
    system: str
    policy: str | None = None
    knobs: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """How the system is loaded."""
        return str(own_system(self.system)) if self.system.endswith(".py") else self.system

    @property
    def loaded(self) -> type[System]:
        """The system."""
        return load_system(self.source)

    @property
    def command(self) -> str:
        """What one types to ask the same."""
        said = [f"--policy {self.policy}"] if self.policy else []
        said += [f"--set {name}={value}" for name, value in self.knobs.items()]
        said += [f"--size {name}={value}" for name, value in self.sizes.items()]
        return " ".join([self.system, *said])

    def result(self, knobs: Mapping[str, str] | None = None, policy: str | None = None) -> Result:
        """The verdict, with further knobs or another policy.

        Raises:
            FlushproofError: there is none, or what holds does so vacuously: a lesson must not ask what is not decided.
        """
        request = Request(self.loaded, policy or self.policy, {**self.knobs, **(knobs or {})}, self.sizes)
        found = run(request)
        if found.verdict not in (HOLDS, VIOLATED):
            raise FlushproofError(f"{self.place}: {request} gives no verdict: {found.reason or found.verdict}")
        if found.verdict == HOLDS and found.vacuous:
            raise FlushproofError(f"{self.place}: {request} holds vacuously: {', '.join(found.vacuous)}")
        return found

    def trace(self) -> Trace:
        """The shortest trace to a violation.

        Raises:
            FlushproofError: nothing is violated.
        """
        found = self.result()
        if found.trace is None:
            raise FlushproofError(f"{self.place}: nothing is violated, so there is no trace: {self} holds")
        return found.trace

    @abstractmethod
    def html(self) -> str:
        """What stands in the directive's place."""

    def __str__(self) -> str:
        return " ".join(filter(None, [self.system, self.policy, settings(self.knobs, self.sizes)]))


def own_system(file: str) -> Path:
    """The file of one of the lessons' own systems."""
    return Path(str(files(SYSTEMS) / file))


def own_systems() -> list[Path]:
    """All of the lessons' own systems."""
    return sorted(Path(str(f)) for f in files(SYSTEMS).iterdir() if f.name.endswith(".py") and f.name != "__init__.py")


def read(kind: Callable[..., Asked_], said: Mapping[str, Any], place: str) -> Asked_:
    """A directive from what its block says.

    Raises:
        FlushproofError: a key that this kind does not have, or one is missing.
    """
    known = [f.name for f in fields(kind) if f.name != "place"]  # type: ignore[arg-type]
    for key in said:
        if key not in known:
            raise FlushproofError(f"{place}: there is no '{key}' here. {nearest(key, known, 'keys')}")
    try:
        return kind(place, **said)
    except TypeError as error:
        raise FlushproofError(f"{place}: {error}. {nearest('', known, 'keys')}") from None


def outcome(result: Result) -> dict[str, Any]:
    """What a run came to, for a page: its verdict, a sentence, the steps of its trace, and the story of the entry that is hit."""
    if result.trace is None:
        return {"verdict": HOLDS, "text": f"Holds: in none of {many(result.states, 'reachable state')} is anything violated."}
    story = Story(result.trace)
    steps = [f"{row.actor.name}: {row.words}" for row in story.rows]
    text = f"Violated in {many(len(steps), 'step')}: {story.sentence}"
    return {"verdict": VIOLATED, "text": text, "steps": steps, "story": [link.text for link in links(story)]}


def all_of(kind: str, wanted: Sequence[str], given: Sequence[str], place: str) -> None:
    """That each of the names given is known.

    Raises:
        FlushproofError: one is not.
    """
    for name in given:
        if name not in wanted:
            raise FlushproofError(f"{place}: there is no {kind} '{name}'. {nearest(name, wanted, kind + 's')}")
