"""What a proof notes down in its ghosts after the steps of a system."""

from __future__ import annotations

from collections.abc import Iterable

from flushproof.model.errors import nearest

from .declarations import Member
from .source import source_of


class Notes:
    """The @after methods of a proof, by the labels that they name."""

    def __init__(self, members: Iterable[Member]) -> None:
        self.by_label: dict[str, list[Member]] = {}
        for member in members:
            for label in member.role.sorts:
                self.by_label.setdefault(label, []).append(member)
        self.used: set[str] = set()
        self.known: set[str] = set()

    def of(self, names: set[str]) -> list[Member]:
        """What is noted down after a step with one of these names: its label, its action's, its process's."""
        self.known |= names
        self.used |= names & self.by_label.keys()
        return list(dict.fromkeys(m for name in sorted(names) for m in self.by_label.get(name, ())))

    def refuse_unused(self) -> None:
        """See to it that there is a step for every label."""
        for label in self.by_label.keys() - self.used:
            source = source_of(self.by_label[label][0].function)
            source.fail(source.tree, f"no step begins at '{label}'", nearest(label, sorted(self.known), "labels"))
