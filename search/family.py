"""A trace replayed under many policies at once: which of them allow it, or something like it, to a violation as well.

Policies are the values of open knobs (rigid variables without index).  A step reads few knobs, so that the interpreter is asked
once for each combination of their values.  Policies part where a step leads them to different states; one under which a step is not
possible goes on without it.  So each violation that is found is one of the interpreter's own, with a trace of its own, and with
conditions on the knobs under which it is one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from flushproof.model.ir import Action, EnumSort, Expr, Property
from flushproof.model.ir.instance import Instance, State
from flushproof.model.ir.terms import deciding, reads
from flushproof.model.ir.trace import Condition, Open, Step, Trace

from .reference.interpreter import Codes, Reference
from .replay import binding, violating_trace

Policies: TypeAlias = npt.NDArray[np.bool_]
Rows: TypeAlias = npt.NDArray[np.int8]

MOST_GROUPS = 24
"""So many sets of policies that have parted are followed, the largest ones."""

MOST_FIRST, MOST_LOOKED_AT = 8, 5000
"""So many steps a process goes on by itself, until it can do what a trace says; so many states are looked at for that."""


MOST_LEADS = 200_000
"""So many steps are remembered with where they lead."""


@dataclass(frozen=True)
class Shared:
    """A violation, and the policies that share it: `trace` is one under each of them, once its knobs have their values.

    open: the policies, as conditions, whatever set was asked about.
    """

    trace: Trace
    open: Open


@dataclass(frozen=True)
class Followed:
    """A step of a trace under another policy.

    first: what happens before it there; possible: whether it can be taken then, or is left out; state: after all of that.
    """

    first: tuple[Step, ...]
    possible: bool
    state: State


_Some: TypeAlias = npt.NDArray[np.intp]


@dataclass(frozen=True)
class _Group:
    """Policies that are in one state by one way.

    state: with the first value of each knob; conditions: who came here; policies: those of them that were asked about, as numbers
    of rows in order.
    """

    state: State
    policies: _Some
    initial: State
    conditions: tuple[Condition, ...]
    steps: tuple[Step, ...] = ()


class Families:
    """Replays traces of one instance under all values of some knobs.

    knobs: names of rigid variables without index; shape: how many values each has.
    properties: the violation of any of these invariants counts.
    """

    def __init__(self, instance: Instance, knobs: Sequence[str], properties: Sequence[Property]) -> None:
        self.instance, self.knobs = instance, tuple(knobs)
        self.reference = Reference(instance)
        self.slots = tuple(map(instance.slot, knobs))
        self.shape = tuple(instance.cardinality(instance.system.variable[name].sort) for name in knobs)
        self.properties = tuple(properties)
        self._checks = [self.reference.checker(p) for p in properties]
        self._leads: dict[tuple[State, str, Codes, Codes], State | None] = {}
        self._steps = {action.name: (action, run) for action, run in self.reference.steps}
        self._of_action = {a.name: self._axes(*deciding(a)) for a in instance.system.actions}
        self._of_init = self._axes(*deciding(instance.system.init))
        self._of_property = [self._axes(*(e for c in p.clauses for e in (c.guard, c.expr))) for p in properties]

    def share(self, trace: Trace, among: Rows) -> list[Shared]:
        """Every violation along the trace that some of the policies `among` share: the first is the trace's own.

        trace: one that this `tells_of`; among: one row of codes for each policy.
        """
        own = np.array([self.values(trace.initial)], dtype=np.int8)
        self._columns = np.concatenate([own, among]).astype(np.intp).T.copy()
        groups = self._begun(trace.initial, np.arange(len(among) + 1))
        for step in trace.steps:
            if not step.event:
                groups = [after for group in groups for after in self._after(group, step)]
                # The first row is the trace's own policy, which goes all the way.
                groups.sort(key=lambda g: (g.policies[0] != 0, -len(g.policies)))
                del groups[MOST_GROUPS:]
        return [shared for group in groups for shared in self._violations(group)]

    def follow(self, trace: Trace, values: Codes) -> list[Followed]:
        """The trace under another policy, step by step.

        Where a step is not possible, who takes it goes on alone first, as the other policy has it, until it is; a step that does
        not become possible so is left out.
        """
        state = self.under(trace.initial, values)
        followed: list[Followed] = []
        for step in trace.steps:
            if not step.event:
                first, after = self._caught_up(state, step)
                state = after or state
                followed.append(Followed(first, after is not None, state))
        return followed

    def _caught_up(self, state: State, step: Step) -> tuple[tuple[Step, ...], State | None]:
        """The fewest steps of the same process, or of the hardware, after which a step is possible, and the state after it."""
        action, run = self._steps[step.action]
        codes = tuple(step.binding[p.name] for p in action.params)
        ways: list[tuple[State, tuple[Step, ...]]] = [(state, ())]
        seen = {state}
        for here, way in ways:
            after = next((s for c, s in run(here) if c == codes), None)
            if after is not None:
                return way, after
            if action.process is None or len(way) == MOST_FIRST or len(seen) > MOST_LOOKED_AT:
                continue
            for other, theirs, following in self.reference.successors(here):
                mine = binding(other.params, theirs)
                alike = other.process == action.process and _same(mine, step.binding) and not self._begins(other)
                if (alike or other.process is None) and following not in seen:
                    seen.add(following)
                    ways.append((following, (*way, Step(other.name, mine, following))))
        return (), None

    def _begins(self, action: Action) -> bool:
        """Whether a step is the first one of its process, which it takes for a new purpose."""
        pc = self.instance.system.variable.get(f"{action.process}.pc")
        return pc is not None and isinstance(pc.sort, EnumSort) and action.label == pc.sort.members[0]

    def tells_of(self, name: str) -> bool:
        """Whether a replay tells of a property: of these invariants.

        A deadlock, or what never comes, is about all that is possible under a policy: a trace to it is that policy's alone.
        """
        return any(p.name == name for p in self.properties)

    def violated(self, state: State) -> list[str]:
        """The names of the invariants that do not hold in a state."""
        return [p.name for p, check in zip(self.properties, self._checks, strict=True) if check(state) is not None]

    def members(self, policies: Open) -> Policies:
        """The policies that meet all of the conditions: an array of truth values with one axis for each knob."""
        met: dict[tuple[int, ...], frozenset[Codes]] = {}
        for condition in policies.conditions:
            axes = tuple(map(self.knobs.index, condition.names))
            met[axes] = met.get(axes, condition.values) & condition.values
        chosen = np.ones([1] * len(self.shape), dtype=np.bool_)
        for axes, values in sorted(met.items()):  # so that it grows late: the array may be large
            table = np.zeros([size if axis in axes else 1 for axis, size in enumerate(self.shape)], dtype=np.bool_)
            for codes in values:
                place = [0] * len(self.shape)
                for axis, code in zip(axes, codes, strict=True):
                    place[axis] = code
                table[tuple(place)] = True
            chosen = chosen & table
        return np.broadcast_to(chosen, self.shape)

    def values(self, state: State) -> Codes:
        """The knobs' values in a state."""
        return tuple(state[slot] for slot in self.slots)

    def under(self, state: State, values: Codes) -> State:
        """The state with these values of the knobs."""
        return self._with(state, range(len(self.slots)), values)

    # ----------------------------------------------------------------------------------------------------- one step of all

    def _axes(self, *exprs: Expr) -> tuple[int, ...]:
        names = reads(*exprs)
        return tuple(axis for axis, name in enumerate(self.knobs) if name in names)

    def _begun(self, initial: State, among: _Some) -> list[_Group]:
        plain = self.under(initial, (0,) * len(self.knobs))
        axes = self._of_init
        parts = [
            (combination, some)
            for combination, some in self._parts(among, axes)
            if self.reference.is_initial(self._with(plain, axes, combination))
        ]
        return [
            _Group(plain, _joined([p for _, p in parts]), plain, self._conditions(axes, {c for c, _ in parts}))
        ]

    def _after(self, group: _Group, step: Step) -> Iterator[_Group]:
        axes = self._of_action[step.action]
        action, _ = self._steps[step.action]
        codes = tuple(step.binding[p.name] for p in action.params)
        led: dict[State | None, list[tuple[Codes, _Some]]] = {}
        for combination, some in self._parts(group.policies, axes):
            led.setdefault(self._led(group.state, action, codes, combination), []).append((combination, some))
        for state, parts in led.items():
            policies = _joined([some for _, some in parts])
            if state is None:  # not possible: they go on without it, whatever the values are that forbid it
                yield replace(group, policies=policies)
            else:
                taken = Step(step.action, binding(action.params, codes), state)
                conditions = (*group.conditions, *self._conditions(axes, {c for c, _ in parts}))
                yield _Group(state, policies, group.initial, conditions, (*group.steps, taken))

    def _led(self, state: State, action: Action, codes: Codes, combination: Codes) -> State | None:
        """Where a step leads with these values of the knobs that it reads, if it is possible; traces have beginnings in common."""
        key = (state, action.name, codes, combination)
        if key not in self._leads:
            if len(self._leads) >= MOST_LEADS:
                self._leads.clear()
            here = self._with(state, self._of_action[action.name], combination)
            after = next((s for c, s in self._steps[action.name][1](here) if c == codes), None)
            self._leads[key] = None if after is None else self.under(after, (0,) * len(self.knobs))
        return self._leads[key]

    def _violations(self, group: _Group) -> Iterator[Shared]:
        for prop, check, axes in zip(self.properties, self._checks, self._of_property, strict=True):
            for combination, some in self._parts(group.policies, axes):
                if check(self._with(group.state, axes, combination)) is not None:
                    conditions = (*group.conditions, *self._conditions(axes, {combination}))
                    yield Shared(self._trace(group, prop, int(some[0])), Open(self.knobs, conditions))

    def _conditions(self, axes: tuple[int, ...], met: set[Codes]) -> tuple[Condition, ...]:
        """That the knobs on these axes have one of these combinations of values; nothing, where they may have any."""
        if len(met) == math.prod(self.shape[axis] for axis in axes):
            return ()
        return (Condition(tuple(self.knobs[axis] for axis in axes), frozenset(met)),)

    def _trace(self, group: _Group, prop: Property, row: int) -> Trace:
        """The trace under one of the policies."""
        values = tuple(map(int, self._columns[:, row]))
        steps = [replace(step, state=self.under(step.state, values)) for step in group.steps]
        trace = violating_trace(self.reference, prop.name, prop, self.under(group.initial, values), steps)
        assert trace is not None
        return trace

    def _parts(self, among: _Some, axes: tuple[int, ...]) -> Iterator[tuple[Codes, _Some]]:
        """The policies by their values on these axes: each combination that occurs, with the policies that have it."""
        number = np.zeros(len(among), dtype=np.intp)
        for axis in axes:
            number = number * self.shape[axis] + self._columns[axis][among]
        every = (number == number[0]).all()  # mostly
        for one in number[:1] if every else np.unique(number):
            some = among if every else among[number == one]
            yield tuple(int(self._columns[axis][some[0]]) for axis in axes), some

    def _with(self, state: State, axes: Sequence[int], values: Codes) -> State:
        """The state with these values of the knobs on some axes."""
        changed = list(state)
        for axis, code in zip(axes, values, strict=True):
            changed[self.slots[axis]] = code
        return tuple(changed)


def _same(one: Mapping[str, int], other: Mapping[str, int]) -> bool:
    """Whether parameters that both have have the same values."""
    return all(other.get(name, code) == code for name, code in one.items())


def _joined(parts: Sequence[_Some]) -> _Some:
    """All of these policies, in order."""
    return parts[0] if len(parts) == 1 else np.sort(np.concatenate(parts))
