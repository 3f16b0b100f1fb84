"""Walking through an instance step by step: where to begin, what is possible, what is violated, and where a condition holds."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from flushproof.model.errors import FlushproofError
from flushproof.model.ir import Property
from flushproof.model.ir.instance import Instance, State
from flushproof.model.ir.terms import well_defined
from flushproof.model.ir.trace import Step, Trace

from .reductions.symmetry import Symmetry
from .reference.interpreter import Reference
from .replay import binding, violating_trace
from .task import NO_DEADLOCK


@dataclass(frozen=True)
class Way:
    """What a search for a state came to.

    steps: a shortest way to one, None if none was found; states: how many were looked at; everything: whether those were all.
    """

    steps: tuple[Step, ...] | None
    states: int
    everything: bool


class Walks:
    """One instance, to be walked through."""

    def __init__(self, instance: Instance) -> None:
        self.instance, self.reference = instance, Reference(instance)
        invariants = [p for p in instance.system.properties if p.kind == "invariant"]
        self._properties: tuple[Property, ...] = (*invariants, well_defined(instance.system))

    def starts(self, most: int, first: Iterable[State] = ()) -> list[State]:
        """The initial states, of those that differ in names alone one: these ones first, and not more than `most`.

        Raises:
            FlushproofError: there is none.
        """
        canonical = Symmetry(self.instance).canonical
        one_of: dict[State, State] = {}
        for state in itertools.chain(first, self.reference.initial_states()):
            one_of.setdefault(canonical(state), state)
            if len(one_of) >= most:
                break
        if not one_of:
            sizes = " ".join(f"{name}={size}" for name, size in self.instance.sizes.items())
            name = self.instance.system.name
            raise FlushproofError(f"{name} has no initial state at {sizes}: what it asks of them cannot be met; give other sizes")
        return list(one_of.values())

    def possible(self, state: State) -> tuple[Step, ...]:
        """Every step from a state, in order of declaration."""
        return tuple(
            Step(action.name, binding(action.params, codes), after)
            for action, codes, after in self.reference.successors(state)
        )

    def violated(self, initial: State, steps: Sequence[Step] = ()) -> Iterator[Trace]:
        """A trace to each property that the last state of a walk violates.

        Left out is what is about all that can follow: waits without an end, and progress.
        """
        asked = [*((p.name, p) for p in self._properties), (NO_DEADLOCK, None)]
        found = (violating_trace(self.reference, name, prop, initial, steps) for name, prop in asked)
        return (trace for trace in found if trace is not None)

    def nearest(self, state: State, holds: Callable[[State], bool], most: int) -> Way:
        """A shortest way from a state to another one in which a condition holds, among so many states."""
        before: dict[State, tuple[State, Step] | None] = {state: None}
        waiting = [state]  # grows while it is gone through
        for here in waiting:
            for step in self.possible(here):
                if step.state in before:
                    continue
                before[step.state] = here, step
                if holds(step.state):
                    return Way(_back(before, step.state), len(before), False)
                if len(before) >= most:
                    return Way(None, len(before), False)
                waiting.append(step.state)
        return Way(None, len(before), True)


def _back(before: dict[State, tuple[State, Step] | None], state: State) -> tuple[Step, ...]:
    """The steps that lead to a state."""
    steps: list[Step] = []
    while (came := before[state]) is not None:
        state, step = came
        steps.append(step)
    return tuple(reversed(steps))
