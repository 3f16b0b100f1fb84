"""What is measured: a system under a policy at a size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flushproof.model.ir.instance import Instance
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_system


@dataclass(frozen=True)
class Subject:
    """A system, its policy (None: the defaults), and sizes by sort."""

    system: str
    policy: str | None
    sizes: Mapping[str, str]

    @staticmethod
    def parse(words: Sequence[str]) -> Subject:
        """From words as on the command line: the system, its policy if one is given, sizes as in Cpu=3."""
        named = [word for word in words if "=" not in word]
        sizes = dict(word.split("=", 1) for word in words if "=" in word)
        return Subject(named[0], named[1] if len(named) > 1 else None, sizes)

    def words(self) -> list[str]:
        return [self.system, *([self.policy] if self.policy else []), *(f"{k}={v}" for k, v in self.sizes.items())]

    def instance(self) -> Instance:
        return instantiate(load_system(self.system), self.policy, sizes=self.sizes)
