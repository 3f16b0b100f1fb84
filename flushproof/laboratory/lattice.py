"""The lattice of a system's policies: one axis for each open knob, ordered where the knob declares an order.

A point is a policy: a number on each axis, of the value in the order in which the knob lists its values.  A set of policies is an
array of truth values, so that what lies above or below it costs a few operations on arrays, however many policies there are.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from flushproof.model.errors import FlushproofError, ModelError
from flushproof.model.ir.instance import Instance
from flushproof.model.language.declare import Knob, System, system_name
from flushproof.model.language.instantiate import instantiate, knob_named, knob_values, settings
from flushproof.model.language.policies import at_most, knobs_of

Policies: TypeAlias = npt.NDArray[np.bool_]
Point: TypeAlias = tuple[int, ...]

MOST_POINTS = 1 << 24
"""A lattice with more policies than this is refused."""


@dataclass(frozen=True)
class Axis:
    """One open knob.

    texts: its values, as on the command line, in the order in which they are listed.
    weaker: of each value, which ones are declared to be as weak or weaker, itself included.
    """

    name: str
    texts: tuple[str, ...]
    weaker: tuple[frozenset[int], ...]

    @property
    def ordered(self) -> bool:
        """Whether any two values are compared."""
        return any(len(below) > 1 for below in self.weaker)

    def below(self, value: int) -> list[int]:
        """The values one step weaker than this one."""
        under = self.weaker[value] - {value}
        return sorted(v for v in under if not any(v in self.weaker[w] - {w} for w in under))

    def weakest(self, value: int) -> list[int]:
        """The weakest values that are as weak as this one or weaker."""
        return sorted(v for v in self.weaker[value] if len(self.weaker[v]) == 1)

    def height(self, value: int) -> int:
        """How many steps lie under this value, at most."""
        return max((1 + self.height(v) for v in self.below(value)), default=0)


@dataclass(frozen=True)
class Lattice:
    """The policies of a system that differ in some knobs alone.

    policy, knobs, sizes: as in `instantiate`: the policy that gives the other knobs, what the user changed of it, and the sizes.
    axes: the open knobs; idle: those on which nothing depends here, which have no axis.
    instance: the system with its axes open, as rigid state.
    base: the values of the open knobs under the policy.
    apart: the system can only be compiled once these knobs are known: each policy is an instance of its own (`at`), the one of
        `base` stands for what all have in common, and no state has their values.
    """

    system: type[System]
    policy: str | None
    knobs: Mapping[str, Any]
    sizes: Mapping[str, str | int]
    axes: tuple[Axis, ...]
    idle: tuple[str, ...]
    instance: Instance = field(repr=False)
    base: Point
    apart: bool = False

    def at(self, point: Point) -> Instance:
        """The system under this policy alone."""
        return instantiate(self.system, self.policy, self.set(point), self.sizes)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(len(axis.texts) for axis in self.axes)

    @property
    def count(self) -> int:
        """How many policies there are."""
        return math.prod(self.shape)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(axis.name for axis in self.axes)

    def point(self, number: int) -> Point:
        """The policy of this number, counted through the array."""
        return tuple(int(n) for n in np.unravel_index(number, self.shape))

    def none(self) -> Policies:
        """No policy at all, as a set."""
        return np.zeros(self.shape, dtype=np.bool_)

    def text(self, point: Point) -> dict[str, str]:
        """The values of the open knobs, as on the command line."""
        return {axis.name: axis.texts[value] for axis, value in zip(self.axes, point, strict=True)}

    def set(self, point: Point) -> dict[str, Any]:
        """The knobs that the user sets, for this policy: as in `instantiate`, next to `policy`."""
        return {**self._others, **self.text(point)}

    def differs(self, point: Point, other: Point) -> dict[str, str]:
        """Where a policy differs from another one, and the values that it has there."""
        return {axis.name: axis.texts[v] for axis, v, w in zip(self.axes, point, other, strict=True) if v != w}

    def named(self) -> dict[str, Point]:
        """The system's named policies that are points of this lattice, by their names."""
        mine = knob_values(self.system, self.policy, self._others)
        found = {}
        for name in self.system.policies:
            theirs = knob_values(self.system, name, {})
            if all(theirs[knob] == mine[knob] for knob in mine if knob not in (*self.names, *self.idle)):
                found[name] = self._point(theirs)
        return found

    def without_order(self, knob: str) -> Lattice:
        """The same lattice, but no two values of a knob are compared any more."""
        axes = tuple(
            replace(a, weaker=tuple(frozenset({v}) for v in range(len(a.texts)))) if a.name == knob else a
            for a in self.axes
        )
        return replace(self, axes=axes)

    # -------------------------------------------------------------------------------------------------------------- order

    def below(self, point: Point) -> Iterator[Point]:
        """The policies one step weaker: one knob has the next weaker value."""
        for number, (axis, value) in enumerate(zip(self.axes, point, strict=True)):
            for less in axis.below(value):
                yield (*point[:number], less, *point[number + 1 :])

    def is_below(self, one: Point, other: Point) -> bool:
        """Whether a policy is as weak as another one, or weaker, in every knob."""
        return all(v in axis.weaker[w] for axis, v, w in zip(self.axes, one, other, strict=True))

    def upward(self, policies: Policies) -> Policies:
        """These and all stronger ones."""
        return self._closed(
            policies, [[(v, w) for w in range(len(a.texts)) for v in a.weaker[w] - {w}] for a in self.axes]
        )

    def downward(self, policies: Policies) -> Policies:
        """These and all weaker ones."""
        return self._closed(
            policies, [[(w, v) for w in range(len(a.texts)) for v in a.weaker[w] - {w}] for a in self.axes]
        )

    def _closed(self, policies: Policies, pairs: list[list[tuple[int, int]]]) -> Policies:
        done = _compact(policies).copy()
        for number, steps in enumerate(pairs):
            if not steps or policies.strides[number] == 0:
                continue
            along = np.moveaxis(done, number, 0)
            before = along.copy()
            for source, target in steps:
                along[target] |= before[source]
        return np.broadcast_to(done, self.shape)

    def above(self, point: Point) -> tuple[npt.NDArray[np.intp], ...]:
        """Where in a set this policy is, and all stronger ones."""
        return np.ix_(*([w for w, below in enumerate(a.weaker) if v in below] for a, v in zip(self.axes, point, strict=True)))

    def under(self, point: Point) -> tuple[npt.NDArray[np.intp], ...]:
        """Where in a set this policy is, and all weaker ones."""
        return np.ix_(*(sorted(axis.weaker[v]) for axis, v in zip(self.axes, point, strict=True)))

    def edges(self, lower: Policies, upper: Policies) -> Iterator[tuple[str, Point, Point]]:
        """Each single step from one of the lower policies up to one of the upper ones: the knob, the weaker, the stronger."""
        for number, axis in enumerate(self.axes):
            for value, less in ((v, w) for v in range(len(axis.texts)) for w in axis.below(v)):
                both = np.take(lower, less, axis=number) & np.take(upper, value, axis=number)
                for rest in map(tuple, np.argwhere(both)):
                    place = tuple(map(int, rest))
                    yield (
                        axis.name,
                        (*place[:number], less, *place[number:]),
                        (*place[:number], value, *place[number:]),
                    )

    @cached_property
    def heights(self) -> npt.NDArray[np.int16]:
        """Of each policy, how many steps lie under it."""
        total = np.zeros(self.shape, dtype=np.int16)
        for number, axis in enumerate(self.axes):
            shape = [1] * len(self.axes)
            shape[number] = len(axis.texts)
            total += np.array([axis.height(v) for v in range(len(axis.texts))], dtype=np.int16).reshape(shape)
        return total

    # ------------------------------------------------------------------------------------------------------------ internals

    @property
    def _others(self) -> dict[str, Any]:
        """What the user set of the knobs that are not open."""
        return {name: value for name, value in self.knobs.items() if knob_named(self.system, name) not in self.names}

    def _point(self, values: Mapping[str, Any]) -> Point:
        return tuple(axis.texts.index(Knob.text(values[axis.name])) for axis in self.axes)

    def __str__(self) -> str:
        """`kvm-vcpu-switch last-ran fb=off`."""
        return " ".join(filter(None, [system_name(self.system), self.policy, settings(self._others, self.sizes)]))


def lattice_of(
    system: type[System],
    policy: str | None = None,
    knobs: Mapping[str, Any] | None = None,
    sizes: Mapping[str, str | int] | None = None,
    free: Collection[str] = (),
    apart: bool = False,
) -> Lattice:
    """The lattice of the policies that differ in the free knobs alone.

    policy, knobs, sizes: as in `instantiate`; they also say what a policy to be judged has for the free knobs.
    free: names of knobs; all that are no toggles and that the user does not set, if none is named.
    apart: take a system that does not compile with its knobs open, too.

    Raises:
        FlushproofError: there is no such knob or none at all, or there are too many policies.
        ModelError: the system does not compile with its knobs open (with `apart`: not under the policy either).
    """
    known = knobs_of(system)
    values = knob_values(system, policy, knobs or {})
    given = {knob_named(system, name) for name in knobs or {}}
    chosen = [knob_named(system, name) for name in free] or [
        name for name, knob in known.items() if not knob.toggle and name not in given
    ]
    if not chosen:
        raise FlushproofError(
            f"{system_name(system)} has no knob that is left open: there is one policy, and `check` is for it"
        )
    try:
        instance, alone = instantiate(system, policy, knobs, sizes, free=chosen), False
        read = {v.name for v in instance.system.variables}
    except ModelError:
        if not apart:
            raise
        found = instantiate(system, policy, knobs, sizes)
        instance, alone = replace(found, knobs={k: v for k, v in found.knobs.items() if k not in chosen}), True
        read = set(chosen)
    axes = tuple(_axis(name, known[name]) for name in known if name in chosen and name in read)
    total = math.prod(len(axis.texts) for axis in axes)
    if total > MOST_POINTS:
        raise FlushproofError(
            f"{system_name(system)} has {total:,} policies with these knobs, and the laboratory takes {MOST_POINTS:,}: "
            "name fewer with --free, or fix some with --set"
        )
    base = tuple(axis.texts.index(Knob.text(values[axis.name])) for axis in axes)
    idle = tuple(name for name in known if name in chosen and name not in read)
    return Lattice(system, policy, knobs or {}, sizes or {}, axes, idle, instance, base, alone)


def _axis(name: str, knob: Knob) -> Axis:
    weaker = at_most(knob)
    numbers = range(len(weaker))
    return Axis(
        name,
        tuple(map(Knob.text, knob.values())),
        tuple(frozenset(j for j in numbers if weaker[j][i]) for i in numbers),
    )


def number_of(policies: Policies) -> int:
    """How many policies a set has."""
    compact = _compact(policies)
    return int(np.count_nonzero(compact)) * (policies.size // compact.size)


def block(policies: Policies) -> tuple[slice, ...]:
    """A part of the lattice outside of which a set has nothing: of each knob, the values from the first to the last that occurs.

    What is done with a set is done there alone: a few conditions on knobs leave little of a large lattice.
    """
    compact, place = _compact(policies), []
    for axis, stride in enumerate(policies.strides):
        met = np.flatnonzero(compact.any(axis=tuple(a for a in range(compact.ndim) if a != axis)))
        part = slice(int(met[0]), int(met[-1]) + 1) if len(met) else slice(0)
        compact = compact[(slice(None),) * axis + (part,)]
        place.append(slice(None) if stride == 0 and len(met) else part)
    return tuple(place)


def _compact(policies: Policies) -> Policies:
    """One value of each axis along which all are alike, as conditions on few knobs leave most of them."""
    return policies[tuple(slice(1) if stride == 0 else slice(None) for stride in policies.strides)]


def combinations(lattice: Lattice) -> Iterator[Point]:
    """Every policy."""
    return itertools.product(*map(range, lattice.shape))
