"""Local variables across the steps of a process: what of each is certain at a label, and what becomes state.

Of each variable that exists at a label, `Kept` says what is known of it there on *every* way to the label: one value that is the
same on all of them, or a value of some sort, which a state variable then keeps; of a tuple, the same of each part.  It only ever
grows, until all ways agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Union, assert_never

from flushproof.model import ir
from flushproof.model.ir import terms

from .conversions import NONE, Conversions, join, widen
from .intervals import within
from .values import Bad, Closure, Generated, Held, Keyed, Name, Object, Once, Path, Static, Tup, Value, same, sort_in

PATIENCE = 3
"""A range that has grown so often at one label is widened to the next bound that the system names."""


@dataclass(frozen=True)
class Fixed:
    """The same value on every way to the label; no state and no choice goes into it.  plain: as in `Stored`."""

    value: Value
    plain: bool = False


@dataclass(frozen=True)
class Stored:
    """A value of this sort, kept in the state; ghost: of ghost state; plain: an element that Python may hold as a number."""

    sort: ir.Sort
    ghost: bool = False
    plain: bool = False


@dataclass(frozen=True)
class Parts:
    """A tuple, or the arguments with which a part is held."""

    items: tuple[Kept, ...]
    held: Object | None = None


Kept = Union[Fixed, Stored, Parts, Bad]

Leaf = tuple[Name, tuple[int, ...]]
"""A variable, and which of its parts."""

UNLIKE = Bad("is not the same kind of thing on each way to this label", "Give each kind a variable of its own.")


class Locals:
    """What is kept of the variables of one process.

    me: the variables that say which instance runs; numbers: the whole numbers that its text mentions.
    """

    def __init__(self, x: Conversions, me: tuple[ir.Var, ...], process: str, numbers: frozenset[int]) -> None:
        self.x, self.me, self.process, self.numbers = x, me, process, numbers
        self.variables: dict[Any, ir.StateVar] = {}
        self.growth: dict[Any, int] = {}

    # ------------------------------------------------------------------------------------------------------ what is known

    def of(self, value: Value, path: Path) -> Kept:
        """What is kept of a value with which one path reaches a label."""
        match value:
            case Tup() | Once():  # of the latter only temporaries, through which a loop goes
                return Parts(tuple(self.of(v, path) for v in value.items))
            case Static(tuple() as items):
                return Parts(tuple(Fixed(Static(v)) for v in items))
            case Held():
                return Parts(tuple(self.of(v, path) for v in value.args.items), value.part)
            case ir.Node():
                plain = value in self.x.step.numbers
                if value in self.me or isinstance(value, ir.Lit):
                    return Fixed(value, plain)
                ghost = bool(terms.reads(value) & self.x.ghosts)
                return Stored(within(value, path) if isinstance(value.sort, ir.IntSort) else value.sort, ghost, plain)
            case Closure():
                fixed = all(isinstance(self.of(v, path), Fixed) for _, v in value.defaults)
                return (
                    Fixed(value) if fixed else Bad("is a function that keeps a value of this step", "Make it a method.")
                )
            case Generated():
                return Bad("is a generator, which goes no further than this step")
            case Keyed():
                return Bad("is what a `**` parameter was given, which goes no further than this step", "Name the parameters.")
            case Bad():
                return value
        return Fixed(value)

    def join(self, name: Any, one: Kept, other: Kept) -> Kept:
        """What is known on two ways; `name` tells this variable at this label from others."""
        match one, other:
            case (Bad(), _):
                return one
            case (_, Bad()):
                return other
            case (Parts(), Parts()):
                alike = len(one.items) == len(other.items) and (
                    one.held is other.held
                    or (one.held is not None and other.held is not None and one.held.path == other.held.path)
                )
                if not alike:
                    return UNLIKE
                pairs = enumerate(zip(one.items, other.items, strict=True))
                return Parts(tuple(self.join((name, i), a, b) for i, (a, b) in pairs), one.held)
            case (Fixed(), Fixed()) if same(one.value, other.value):
                return one if one.plain or not other.plain else replace(one, plain=True)
            case (Fixed() | Stored(), Fixed() | Stored()):
                return self.stored(name, one, other)
        return UNLIKE

    def stored(self, name: Any, one: Fixed | Stored, other: Fixed | Stored) -> Kept:
        sorts = [self.sort_of(k) for k in (one, other)]
        if any(s is None for s in sorts):
            return UNLIKE
        sort = self.with_number(one, other, sorts) or join(*sorts)  # type: ignore[arg-type]
        if sort is None or sort is NONE:
            return UNLIKE
        ghost = any(isinstance(k, Stored) and k.ghost for k in (one, other))
        if isinstance(one, Stored) and one.sort != sort and isinstance(sort_in(sort), ir.IntSort):
            sort = self.widened(name, one.sort, sort)
        plain = any(k.plain or (isinstance(k, Fixed) and self.x.is_plain(k.value, sort)) for k in (one, other))
        return Stored(sort, ghost, plain)

    def sort_of(self, kept: Fixed | Stored) -> ir.Sort | None:
        return kept.sort if isinstance(kept, Stored) else self.x.sort_of(kept.value)

    def with_number(self, one: Fixed | Stored, other: Fixed | Stored, sorts: Any) -> ir.Sort | None:
        """A constant number beside an ordered sort's element, or beside a counter, is one of those."""
        for kept, sort in ((one, sorts[1]), (other, sorts[0])):
            constant = isinstance(kept, Fixed) and isinstance(kept.value, Static) and sort is not NONE
            if constant and not isinstance(sort_in(sort), ir.IntSort) and self.x.static(kept.value.value, sort) is not None:  # type: ignore[union-attr]
                return sort  # type: ignore[no-any-return]
        return None

    def widened(self, name: Any, old: ir.Sort, new: ir.Sort) -> ir.Sort:
        """The new range, or where it has grown for long the next larger one that the system names."""
        self.growth[name] = self.growth.get(name, 0) + 1
        if self.growth[name] <= PATIENCE:
            return new
        was, now = sort_in(old), sort_in(new)
        assert isinstance(now, ir.IntSort)
        lo, hi = (was.lo, was.hi) if isinstance(was, ir.IntSort) else (now.lo, now.hi)
        ranges = [sort_in(v.sort) for v in self.x.variables.values()]
        bounds = {b for r in ranges if isinstance(r, ir.IntSort) for b in (r.lo, r.hi)}
        bounds |= {n for b in self.numbers for n in (b - 1, b, b + 1)}
        low = now.lo if now.lo >= lo else max((b for b in bounds if b <= now.lo), default=None)
        high = now.hi if now.hi <= hi else min((b for b in bounds if b >= now.hi), default=None)
        if low is None or high is None:
            raise Endless
        found = ir.IntSort(low, high)
        return ir.OptionSort(found) if isinstance(new, ir.OptionSort) else found

    # ------------------------------------------------------------------------------------------------------ as state

    def variable(self, leaf: Leaf, kept: Stored) -> ir.StateVar:
        """The state variable that keeps this part of a local of this sort.

        One for each variable of the text, each chain of helpers that leads to it, and each sort: a helper that is called from two
        places has its locals once, since it is in one of them at a time.
        """
        (scope, local), parts = leaf
        functions = []
        caller = scope
        while caller.caller is not None:
            functions.append(caller.function)
            caller = caller.caller
        key = (tuple(functions), local, parts, kept.sort, kept.ghost)
        found = self.variables.get(key)
        if found is None:
            index = tuple(v.of for v in self.me)
            name = f"{self.process}.{local.shown}@{len(self.variables)}"  # until `named` gives it its own
            found = ir.StateVar(name, index, self.kept_sort(kept.sort), "ghost" if kept.ghost else "state")
            self.variables[key] = found
            if kept.ghost:
                self.x.ghosts.add(name)
        return found

    def named(self, leaves: Iterable[tuple[Leaf, Stored]], taken: Iterable[str]) -> dict[str, str]:
        """The names of the variables that are really kept: the process, the helpers on the way, and what the user calls it."""
        names: dict[str, str] = {}
        used = set(taken)
        for leaf, kept in leaves:
            variable = self.variable(leaf, kept)
            if variable.name not in names:
                shown = name = ".".join([self.process, called(leaf)])
                count = 2
                while name in used:  # a name with ~ cannot be spelled by a user
                    name, count = f"{shown}~{count}", count + 1
                used.add(name)
                names[variable.name] = name
        return names

    def kept_sort(self, sort: ir.Sort) -> ir.Sort:
        """The sort of the state that keeps a local: an option where the sort has no default."""
        return ir.OptionSort(sort) if isinstance(sort, ir.Scalarset) and not sort.ordered else sort

    def read(self, leaf: Leaf, kept: Stored) -> ir.Read:
        variable = self.variable(leaf, kept)
        return ir.Read(variable.name, self.me, variable.sort)

    def load(self, name: Name, kept: Kept, parts: tuple[int, ...] = ()) -> Value:
        """The variable's value at the beginning of a step."""
        match kept:
            case Fixed():
                value = kept.value
            case Bad():
                return kept
            case Stored():
                read = self.read((name, parts), kept)
                value = read if read.sort == kept.sort else terms.the(read)
            case Parts():
                items = tuple(self.load(name, k, (*parts, i)) for i, k in enumerate(kept.items))
                return Tup(items) if kept.held is None else Held(kept.held, Tup(items))
            case _:
                assert_never(kept)
        if kept.plain and isinstance(value, ir.Node):
            self.x.step.numbers.add(value)
        return value

    def leaves(self, name: Name, kept: Kept, parts: tuple[int, ...] = ()) -> Iterator[tuple[Leaf, Stored]]:
        """The parts that are state."""
        if isinstance(kept, Stored):
            yield (name, parts), kept
        elif isinstance(kept, Parts):
            for i, item in enumerate(kept.items):
                yield from self.leaves(name, item, (*parts, i))

    def part(self, value: Value, parts: tuple[int, ...]) -> Value:
        """One part of a value with which a path reaches a label."""
        for number in parts:
            match value:
                case Held():
                    value = value.args.items[number]
                case Tup() | Once():
                    value = value.items[number]
                case Static(tuple() as items):
                    value = Static(items[number])
        return value

    def stored_value(self, value: Value, kept: Stored) -> ir.Expr:
        """The value as the state keeps it."""
        sort = kept.sort
        if isinstance(value, Static):
            made = self.x.static(value.value, sort)
            assert made is not None
        else:
            assert isinstance(value, ir.Node)
            if isinstance(sort, ir.IntSort) and isinstance(value.sort, ir.IntSort):
                made = terms.narrow(value, sort)  # it fits: `within` saw to that
            else:
                made = widen(value, sort)
        if self.kept_sort(sort) == sort:
            return made
        return made.arg if isinstance(made, ir.The) else terms.some(made)  # an option that was unwrapped becomes itself


def called(leaf: Leaf) -> str:
    """How a user names a local: `vcpu`, `helper.vcpu`, and `pair.0` for a part of a tuple."""
    (scope, local), parts = leaf
    return ".".join([*scope.names, local.shown, *map(str, parts)])


class Endless(Exception):
    """A local grows without a bound that can be seen."""
