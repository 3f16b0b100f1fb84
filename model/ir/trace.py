"""A trace: the way from an initial state to the violation of a property, in terms of one `Instance`."""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from .evaluate import renamed
from .instance import Instance, State


@dataclass(frozen=True)
class Step:
    """One atomic step.

    action: the name of an `Action`, or of an event when `event` is true; an event leaves the state as it is.
    binding: the code of each parameter, by the parameter's name (for an action: without the fresh ones).
    state: the state after the step.
    """

    action: str
    binding: Mapping[str, int]
    state: State
    event: bool = False


@dataclass(frozen=True)
class Trace:
    """A violation: `initial`, then `steps`; or a walk, which claims nothing of its end.

    property: what is violated in the last state; "no-deadlock" and "well-defined" are built in, and `WALK` is none.
    clause: the number of the violated clause in `Property.clauses`, None for a deadlock.
    witness: the codes of that clause's parameters that violate it.
    cycle: where what is violated is progress, the number of steps after which the others repeat for ever; else None.
    """

    instance: Instance
    initial: State
    steps: tuple[Step, ...]
    property: str
    clause: int | None = None
    witness: Mapping[str, int] | None = None
    cycle: int | None = None

    @builtins.property
    def states(self) -> tuple[State, ...]:
        """All states in order, the initial one first."""
        return (self.initial, *(s.state for s in self.steps))

    def transitions(self) -> Iterator[tuple[State, Step]]:
        """Each step with the state before it."""
        return zip(self.states, self.steps, strict=False)


WALK = ""
"""What stands for the property in a trace that claims nothing of its last state: no property has this name."""


def walked(instance: Instance, initial: State, steps: tuple[Step, ...] = ()) -> Trace:
    """These steps as a trace that claims no violation."""
    return Trace(instance, initial, steps, WALK)


def restricted(trace: Trace, instance: Instance) -> Trace:
    """The walk of a trace in an instance of the same system that has less state: without what only a proof reads, say."""
    kept = [trace.instance.slot(slot.var, slot.index) for slot in instance.slots]

    def of(state: State) -> State:
        return renamed(tuple(state[number] for number in kept), instance)

    steps = tuple(replace(step, state=of(step.state)) for step in trace.steps if not step.event)
    return walked(instance, of(trace.initial), steps)


@dataclass(frozen=True)
class Condition:
    """That some variables without index, which never change, have one of these combinations of values, as codes."""

    names: tuple[str, ...]
    values: frozenset[tuple[int, ...]]


@dataclass(frozen=True)
class Open:
    """Policies: all values of some knobs (variables without index that never change) that meet all of the conditions."""

    knobs: tuple[str, ...]
    conditions: tuple[Condition, ...] = ()
