"""What happens next, and how often: the law by which walks are made and costs are counted.

An *event* of the world (a vcpu_load, a fault) is taken at the rate that a workload has for it; all else that can be done, by the
host, by guests and by hardware, at the workload's pace.  Among what is possible in a state, each event and each other action is
taken with a chance in proportion to that, and then one of the steps that are this event or this action, all with the same chance.
So nothing depends on how many states a situation is told apart into, and under every policy the world is the same.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flushproof.model.errors import FlushproofError
from flushproof.model.ir import Action
from flushproof.model.ir.instance import Instance, State

from .reference.interpreter import Codes, Reference


@dataclass(frozen=True)
class Workload:
    """How often things happen, in proportion to each other.

    rates: of events, and of operations that an event consists of (`guest_exits`): name -> how often; 0 is never.
    pace: how often any other action is taken that is possible.
    """

    name: str
    doc: str = ""
    rates: Mapping[str, float] = field(default_factory=dict)
    pace: float = 1.0


# How often to guess values of free variables before the initial states are enumerated instead.
_GUESSES = 1000
_ENUMERATED = 10_000

PACE = 1000.0
"""So much more often than any event the host, guests and hardware go on with what they do: what an event leads to is over, mostly,
before the next one; and still everything happens, if seldom, at the same time as everything else."""

EVEN = Workload("even", "every action that is possible has the same chance")
"""The law where nobody says anything else; every step counts as an action."""


ALIKE = "alike"
WITHOUT_ASKING = (EVEN.name, ALIKE)
"""The names of what holds where nobody names a workload."""


def alike(instance: Instance) -> Workload:
    """All events that the instance's steps can be, one as often as the other; `EVEN` if there are none."""
    events = sorted({c.name for a in instance.system.actions for c in a.costs if c.event})
    return Workload(ALIKE, "every event as often as every other", dict.fromkeys(events, 1.0), PACE) if events else EVEN


@dataclass(frozen=True)
class Way:
    """One possible step, and what it leads to."""

    action: Action
    codes: Codes
    after: State


@dataclass(frozen=True)
class Choices:
    """What is possible in a state: groups of steps that have a weight together, and within which all have the same chance."""

    groups: tuple[Sequence[Way], ...]
    weights: tuple[float, ...]

    def chances(self) -> list[tuple[Way, float]]:
        """Each step with its chance."""
        total = sum(self.weights)
        return [
            (way, weight / total / len(group))
            for group, weight in zip(self.groups, self.weights, strict=True)
            for way in group
        ]

    def pick(self, rng: random.Random) -> Way | None:
        """A step at random; None if nothing can be done."""
        if not self.groups:
            return None
        even = len({*self.weights}) == 1
        return rng.choice(rng.choice(self.groups) if even else rng.choices(self.groups, self.weights)[0])


class Law:
    """What may happen next in the states of an instance, and how likely it is.

    declared: the names of the events that its steps can be; events: those, and of all else that the workload has a rate for.
    """

    def __init__(self, reference: Reference, workload: Workload = EVEN) -> None:
        self.reference, self.workload = reference, workload
        self.declared = frozenset(c.name for a in reference.actions for c in a.costs if c.event)
        self.events = self.declared | set(workload.rates)

    def choices(self, state: State) -> Choices:
        """What can be done here; nothing, if all that is possible has the rate 0."""
        rates, pace = self.workload.rates, self.workload.pace
        groups: dict[tuple[str, bool], list[Way]] = {}
        for action, codes, after in self.reference.successors(state):
            counted = self.reference.costs(action, codes, state) if rates else ()
            event = min((n for n, _ in counted if n in rates), key=rates.__getitem__, default=None)
            key = (action.name, False) if event is None else (event, True)
            groups.setdefault(key, []).append(Way(action, codes, after))
        weights = {key: rates[key[0]] if key[1] else pace for key in groups}
        likely = [key for key in groups if weights[key] > 0]
        return Choices(tuple(groups[key] for key in likely), tuple(weights[key] for key in likely))

    def counted(self, state: State, way: Way) -> list[tuple[str, int | None]]:
        """What a step from a state costs and is, by names, with the slots of dropped entries.

        An entry that hardware has cached again by the end of the step is not dropped: nobody can miss it.
        """
        found = self.reference.costs(way.action, way.codes, state)
        return [(name, slot) for name, slot in found if slot is None or not way.after[slot]]


def random_initial_state(reference: Reference, rng: random.Random) -> State:
    """A random initial state: guessed, or from an enumeration where a guess seldom fits.

    Raises:
        FlushproofError: there is none.
    """
    for _ in range(_GUESSES):
        state = reference.guess_initial_state(rng)
        if state is not None:
            return state
    found = list(itertools.islice(reference.initial_states(), _ENUMERATED))
    if not found:
        raise FlushproofError(f"{reference.instance.system.name} has no initial state at this size")
    return rng.choice(found)
