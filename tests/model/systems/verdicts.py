"""Policies and what they must give, for the tests of every system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flushproof.model.language.declare import Expect, Knob, System
from flushproof.model.language.instantiate import instantiate
from flushproof.search.explore import explore
from flushproof.search.native.engine import NativeEngine
from flushproof.search.outcome import Outcome


@dataclass(frozen=True)
class Cell:
    """A policy under further settings."""

    policy: str
    expect: Expect

    def __str__(self) -> str:
        settings = [f"{k}={Knob.text(v)}" for k, v in self.expect.knobs.items()]
        return " ".join([self.policy, *settings, *(f"{k}={n}" for k, n in self.expect.sizes.items())])


def cells(cls: type[System]) -> list[Cell]:
    """All verdicts that the system promises."""
    return [Cell(name, e) for name, policy in cls.policies.items() for e in (Expect(policy.expect), *policy.also)]


def found(
    cls: type[System],
    cell: Cell,
    knobs: Mapping[str, Any] | None = None,
    sizes: Mapping[str, int] | None = None,
    symmetry: bool = True,
) -> Outcome:
    """What exploring gives, with more knobs and sizes if wanted; a violation is looked for until the expected one is met.

    The engine that is fast takes what should hold, and the default sizes; the one that starts at once takes the rest.
    """
    instance = instantiate(
        cls, cell.policy, {**cell.expect.knobs, **(knobs or {})}, {**cell.expect.sizes, **(sizes or {})}
    )
    wanted = cell.expect.verdict
    focus = None if wanted == "holds" else wanted
    engine = NativeEngine() if focus is None or sizes is None else None
    return explore(instance, focus=focus, symmetry=symmetry, engine=engine)


def verdict(outcome: Outcome) -> str:
    """ "holds" if all that must be reached is, or the violated property."""
    if outcome.verdict == "holds":
        return f"unreached: {outcome.not_reached[0]}" if outcome.not_reached else "holds"
    return outcome.property or outcome.verdict
