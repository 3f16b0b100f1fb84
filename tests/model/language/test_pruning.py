"""What is left out of an instance: variables that keep their first value, and writes that the same step writes over."""

from __future__ import annotations

from typing import Optional

import pytest
from flushproof.model.language.declare import (
    Map,
    Part,
    Sort,
    System,
    action,
    initially,
    invariant,
    lemma,
    process,
    reachable,
    require,
)
from flushproof.model.language.instantiate import instantiate, knob_values
from flushproof.search.explore import explore

from flushproof.agreement import Agreement


class Cpu(Sort):
    """A CPU."""


class Box(Part):
    """A part that can do more than is asked of it."""

    on: Map[Cpu, bool]
    locked: Map[Cpu, bool]
    user: Map[Cpu, Optional[Cpu]]

    def turn(self, cpu):
        require(not self.locked[cpu] and self.user[cpu] is None)
        self.on[cpu] = not self.on[cpu]

    def lock(self, cpu):
        self.locked[cpu] = True


class Turns(System):
    """Uses the part, but not all of it."""

    box = Box()

    @action
    def turn(self, cpu: Cpu):
        """turns it on or off, and has it for the time of the step"""
        self.box.user[cpu] = cpu
        require(self.box.user[cpu] is cpu)
        self.box.user[cpu] = None
        self.box.turn(cpu)

    @reachable
    def everything_is_on(self):
        return all(self.box.on[cpu] for cpu in Cpu)


class Spoken(Turns):
    """A property speaks of what never changes."""

    @invariant("locked")
    def nothing_is_locked(self):
        return all(not self.box.locked[cpu] for cpu in Cpu)

    @reachable
    def something_is_locked(self):
        return any(self.box.locked[cpu] for cpu in Cpu)


class Locks(Turns):
    """One step does change it."""

    @action
    def locks(self, cpu: Cpu):
        self.box.lock(cpu)


class Set(Turns):
    """The initial state does."""

    @initially
    def one_is_locked(self):
        for cpu in Cpu:
            self.box.locked[cpu] = True


class Waits(Turns):
    """A step waits for what never comes."""

    @action
    def unlocks(self, cpu: Cpu):
        require(self.box.locked[cpu])
        self.box.on[cpu] = False


class InTurn(Turns):
    """Of two variables each changes only where the other has."""

    first: bool
    second: bool

    @action
    def one(self):
        if self.second:
            self.first = True

    @action
    def other(self):
        if self.first:
            self.second = True


class Proves(Turns):
    """A lemma speaks of it."""

    @lemma
    def nothing_is_locked(self):
        return all(not self.box.locked[cpu] for cpu in Cpu)


class OverAndOver(System):
    """A location is written several times in a step: always, now and then, and another one in between."""

    count: Map[Cpu, bool]
    last: Map[Cpu, bool]

    @process(Cpu)
    def writes(self, cpu):
        yield "writes"
        self.count[cpu] = True
        if self.last[cpu]:
            self.count[cpu] = False
        self.last[cpu] = True
        self.last[cpu] = not self.count[cpu]

    @reachable
    def both(self):
        return any(self.count[a] and self.last[b] and a is not b for a in Cpu for b in Cpu)


def variables(cls: type[System], lemmas: bool = False) -> set[str]:
    return {v.name for v in instantiate(cls, lemmas=lemmas).system.variables}


@pytest.mark.parametrize(
    ("cls", "kept"),
    [
        (Turns, {"box.on"}),
        (Spoken, {"box.on", "box.locked"}),
        (Locks, {"box.on", "box.locked"}),
        (Set, {"box.on", "box.locked"}),
        (Waits, {"box.on", "box.locked"}),
        (InTurn, {"box.on"}),
        (Proves, {"box.on"}),
    ],
)
def test_what_never_changes_is_a_constant(cls: type[System], kept: set[str]) -> None:
    assert variables(cls) == kept


def test_a_lemma_keeps_its_variable() -> None:
    assert variables(Proves, lemmas=True) == {"box.on", "box.locked"}


def test_what_is_not_reached_is_said() -> None:
    """A state that no step comes to is no question of knobs, and a step that never happens is not left out."""
    assert explore(instantiate(Spoken)).not_reached == ("something-is-locked",)
    assert any(a.name == "unlocks" for a in instantiate(Waits).system.actions)


@pytest.mark.parametrize("cls", [Turns, Spoken, Locks, Set, Waits, InTurn, OverAndOver])
def test_python_agrees(cls: type[System]) -> None:
    Agreement(cls, instantiate(cls), knob_values(cls, None, {})).compare(200, None)


def test_the_last_write_counts() -> None:
    (step,) = instantiate(OverAndOver).system.actions
    assert [u.var for u in step.updates] == ["count", "count", "last"]
