"""A system at given sizes: a finite transition system with numbered state slots.

A state is a tuple of small integers, one for each slot; a slot is one location of one state variable.  All finite engines,
and the traces that they write, share this numbering:

- bool: 0 or 1; enum: the member's position; scalarset: the element's number from 0; int: value - lo;
- counter: a rank from 0 (see `search`), with 0 for the literal 0 alone if `zero` is live;
- option: 0 for None, otherwise 1 + the code of the element.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from .system import BoolSort, CounterSort, EnumSort, IntSort, Lit, OptionSort, Scalarset, Sort, StateVar, System

State = tuple[int, ...]


@dataclass(frozen=True)
class Slot:
    """One location: `var` at `index` (codes of the index sorts)."""

    var: str
    index: tuple[int, ...]
    sort: Sort


@dataclass(frozen=True)
class Begun:
    """Where a policy begins: in what another one reaches.

    policy: that one's name, None where it is the same policy with other knobs; knobs: those of its knobs that differ, as shown
    to people; step: the action with which the policy under check takes over.
    """

    policy: str | None
    knobs: Mapping[str, str]
    step: str

    def __str__(self) -> str:
        """`policy all`, or `flush=all`."""
        return f"policy {self.policy}" if self.policy else " ".join(f"{n}={v}" for n, v in self.knobs.items())


@dataclass(frozen=True)
class Instance:
    """`system`, its fixed knobs folded away, with `sizes` elements in each scalarset.

    knobs: the values that were fixed, as shown to people (name -> text).
    policy: the named policy that was asked for, if one was.
    begun: what reaches its initial states, where that is not what the system sets.

    Raises:
        ValueError: the system speaks of the number of elements of a sort, and means another one.
    """

    system: System
    sizes: Mapping[str, int]
    knobs: Mapping[str, str] = field(default_factory=dict)
    policy: str | None = None
    begun: Begun | None = None

    def __post_init__(self) -> None:
        for name in self.system.sized:
            if self.sizes[name] != self.system.sizes[name]:
                raise ValueError(f"the system is of {self.system.sizes[name]} {name}, and not of {self.sizes[name]}")

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """All locations, variable by variable in declaration order, indices in row-major order."""
        return tuple(
            Slot(v.name, index, v.sort)
            for v in self.system.variables
            for index in itertools.product(*(range(self.cardinality(s)) for s in v.index))
        )

    @cached_property
    def offsets(self) -> Mapping[str, int]:
        """The number of each variable's first slot."""
        offsets, at = {}, 0
        for v in self.system.variables:
            offsets[v.name] = at
            at += self.locations(v)
        return offsets

    def locations(self, var: StateVar) -> int:
        """How many slots `var` has."""
        total = 1
        for sort in var.index:
            total *= self.cardinality(sort)
        return total

    def strides(self, var: str) -> tuple[int, ...]:
        """What one step in each index adds to the slot's number."""
        sizes = [self.cardinality(s) for s in self.system.variable[var].index]
        strides = [1] * len(sizes)
        for i in reversed(range(len(sizes) - 1)):
            strides[i] = strides[i + 1] * sizes[i + 1]
        return tuple(strides)

    def slot(self, var: str, index: tuple[int, ...] = ()) -> int:
        """The number of the slot of `var` at `index`."""
        return self.offsets[var] + sum(i * s for i, s in zip(index, self.strides(var), strict=True))

    def cardinality(self, sort: Sort) -> int:
        """How many codes a sort has.  Of a counter: one for each slot that stores it, and one for the literal 0, since more
        values are never told apart."""
        match sort:
            case BoolSort():
                return 2
            case EnumSort():
                return len(sort.members)
            case IntSort():
                return sort.hi - sort.lo + 1
            case Scalarset():
                return self.sizes[sort.name]
            case OptionSort():
                return 1 + self.cardinality(sort.base)
            case CounterSort():
                return 1 + sum(
                    self.locations(v)
                    for v in self.system.variables
                    if v.sort == sort or (isinstance(v.sort, OptionSort) and v.sort.base == sort)
                )

    def codes(self, sort: Sort) -> range:
        return range(self.cardinality(sort))

    def code(self, literal: Lit) -> int:
        """The code of a literal."""
        return self._code(literal.of, literal.value)

    def _code(self, sort: Sort, value: bool | int | str | None) -> int:
        match sort:
            case EnumSort():
                return sort.members.index(str(value))
            case IntSort():
                assert isinstance(value, int)
                return value - sort.lo
            case OptionSort():
                return 0 if value is None else 1 + self._code(sort.base, value)
            case _:
                assert isinstance(value, int)
                return int(value)

    def show(self, sort: Sort, code: int) -> str:
        """A value for people: `cpu0`, `vmid1`, `LOCAL`, `True`, `None`."""
        match sort:
            case BoolSort():
                return str(bool(code))
            case EnumSort():
                return sort.members[code]
            case IntSort():
                return str(sort.lo + code)
            case CounterSort():
                return str(code)
            case Scalarset():
                return f"{sort.name.lower()}{sort.first + code}"
            case OptionSort():
                return "None" if code == 0 else self.show(sort.base, code - 1)

    def json(self, sort: Sort, code: int) -> bool | int | str | None:
        """A value for machines: as `show`, but truth values, numbers and None as JSON has them."""
        match sort:
            case BoolSort():
                return bool(code)
            case IntSort():
                return sort.lo + code
            case CounterSort():
                return code
            case OptionSort():
                return None if code == 0 else self.json(sort.base, code - 1)
            case _:
                return self.show(sort, code)

    def assignments(self, sorts: tuple[Sort, ...]) -> Iterator[tuple[int, ...]]:
        """Every tuple of codes of the given sorts, in lexicographic order."""
        return itertools.product(*map(self.codes, sorts))
