"""What a proof notes down in its ghosts before and after the steps of a system."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from flushproof.model.errors import nearest

from .declarations import Member
from .declare import System
from .source import source_of
from .types import hints

When = Literal["before", "after"]


def noted_by(cls: type[System]) -> frozenset[str]:
    """The state that a proof has besides that of its system: its own ghosts.  A system that is no proof has none."""
    return frozenset(hints(cls).keys() - hints(cls.proves).keys()) if cls.proves is not None else frozenset()


class Notes:
    """The @before and @after methods of a proof, by the labels that they name, and the ghosts that are its own."""

    def __init__(self, members: Iterable[Member] = (), ghosts: Iterable[str] = ()) -> None:
        self.ghosts = frozenset(ghosts)
        self.by_label: dict[tuple[str, str], list[Member]] = {}
        for member in members:
            for label in member.role.sorts:
                self.by_label.setdefault((member.role.kind, label), []).append(member)
        self.known: set[str] = set()
        self.noted: set[tuple[Member, str]] = set()
        self.lacking: dict[tuple[Member, str], tuple[str, list[str]]] = {}

    def of(self, when: When, names: set[str]) -> dict[Member, list[str]]:
        """What is noted down at a step with these names (its label, its action's, its process's), each with those it names."""
        self.known |= names
        found: dict[Member, list[str]] = {}
        for name in sorted(names):
            for member in self.by_label.get((when, name), ()):
                found.setdefault(member, []).append(name)
        return found

    def refuse_unused(self) -> None:
        """See to it that there is a step for every label, and a way through it that has the variables."""
        for (_, label), members in self.by_label.items():
            for member in members:
                source = source_of(member.function)
                if label not in self.known:
                    guess = nearest(label, sorted(self.known), "labels")
                    source.fail(source.tree, f"no step begins at '{label}'", guess)
                if (member, label) not in self.noted and (member, label) in self.lacking:
                    name, others = self.lacking[member, label]
                    guess = nearest(name, others, "its variables")
                    source.fail(source.tree, f"the step '{label}' has no variable '{name}'", guess)
