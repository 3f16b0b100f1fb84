"""A system run by Python itself: the plain, slow, obvious reading, against which the compiled one is tested.

A `Machine` holds the declared state in a dictionary and each process as a live generator; it takes one step at a time by calling
the system's own methods.  Since a generator cannot be copied, a state is reached again by taking the same steps anew.
"""

from __future__ import annotations

import contextlib
import copy
import enum
import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, get_args, get_origin

from flushproof.model import ir
from flushproof.model.errors import FlushproofError

from .declare import Counter, Knob, Map, NotEnabled, Part, Sort, System, role_of, running
from .types import hints, of_sorts, to_declared, to_sort


class Undefined(FlushproofError):
    """The step used a value that it does not have, such as the element of a None."""


def argument_sorts(method: Any) -> list[Any]:
    """The sorts of the arguments of a step or an event; ``*entry`` stands for the part's `sorts`."""
    found: list[Any] = []
    for name, parameter in inspect.signature(method).parameters.items():
        found += method.__self__.sorts if parameter.kind is parameter.VAR_POSITIONAL else [hints(method)[name]]
    return found


UNDEFINED = "undefined"


@dataclass
class Script:
    """Which way each choice of a step goes; beyond its end the first way, noted down."""

    given: tuple[int, ...] = ()
    taken: list[tuple[int, int]] = field(default_factory=list)

    def next(self, count: int) -> int:
        number = len(self.taken)
        way = self.given[number] if number < len(self.given) else 0
        self.taken.append((way, count))
        return way

    def following(self) -> tuple[int, ...] | None:
        """The script that comes next in lexicographic order, or None after the last."""
        ways = list(self.taken)
        while ways:
            way, count = ways.pop()
            if way + 1 < count:
                return (*(w for w, _ in ways), way + 1)
        return None


class View:
    """A state map while a system runs."""

    def __init__(self, machine: Machine, name: str, sorts: tuple[Any, ...], value: Any) -> None:
        self.machine, self.name, self.sorts, self.value = machine, name, sorts, value

    def _key(self, index: Any) -> tuple[Any, ...]:
        key = index if isinstance(index, tuple) else (index,)
        if ... in [k for k in key if k is ...]:
            at = next(i for i, k in enumerate(key) if k is ...)
            key = (*key[:at], *[slice(None)] * (len(self.sorts) - len(key) + 1), *key[at + 1 :])
        return key

    def __getitem__(self, index: Any) -> Any:
        key = self._key(index)
        if (self.name, key) not in self.machine.store:
            raise Undefined(f"{self.name} is read at {key}, where it has no value")
        return self.machine.store[self.name, key]

    def __setitem__(self, index: Any, value: Any) -> None:
        key = self._key(index)
        ways = [self.machine.domain(s) if isinstance(k, slice) else [k] for k, s in zip(key, self.sorts, strict=True)]
        for location in itertools.product(*ways):
            if (self.name, location) not in self.machine.store:
                raise Undefined(f"{self.name} is written at {location}, which it does not have")
            self.machine.store[self.name, location] = as_counter(self.value, value)


def as_counter(annotation: Any, value: Any) -> Any:
    """The literal 0 as the counter's first value, where a counter is stored."""
    classes = [c for c in (annotation, *get_args(annotation)) if isinstance(c, type) and issubclass(c, Counter)]
    return classes[0](value) if classes and isinstance(value, int) else value


@dataclass
class Process:
    """A process: its method, the sorts of its instances, and whether it starts by running to its first label."""

    method: Callable[..., Any]
    sorts: tuple[Any, ...]
    primed: bool


class Machine:
    """One run of a system.

    store: (variable, index) -> value; live: (process, instance) -> its generator; waiting: -> its label.
    costs: how many of each operation the last step cost.
    """

    def __init__(
        self, cls: type[System], sizes: Mapping[str, int], knobs: Mapping[str, Any], primed: Mapping[str, bool]
    ) -> None:
        self.sizes, self.knobs = sizes, knobs
        self.store: dict[tuple[str, tuple[Any, ...]], Any] = {}
        self.script = Script()
        self.broken: list[str] = []
        self.fresh = 0
        self.costs: dict[str, int] = {}
        self.members: list[tuple[str, Any, Callable[..., Any]]] = []
        self.paths: dict[int, str] = {}
        self.free: list[tuple[str, tuple[Any, ...], Any]] = []
        self.processes: dict[str, Process] = {}
        with self.running():
            self.system = self.build("", cls, None)
        for name, role, method in self.members:
            if role.kind == "process":
                self.processes[name] = Process(method, role.sorts, primed[name])
        self.live: dict[tuple[str, tuple[Any, ...]], Iterator[str]] = {}
        self.waiting: dict[tuple[str, tuple[Any, ...]], str] = {}

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """This machine is the one that sorts, choices and knobs ask."""
        token = running.set(self)
        try:
            yield
        finally:
            running.reset(token)

    def elements(self, sort: Any) -> list[Any]:
        """All elements of a sort."""
        return [sort(i) for i in range(self.sizes[sort.__name__])]

    def domain(self, annotation: Any) -> list[Any]:
        """All values of a sort, as Python has them."""
        if annotation is bool:
            return [False, True]
        if isinstance(annotation, type) and issubclass(annotation, (Sort, enum.Enum)):
            return list(annotation)
        sort = to_sort(annotation)
        if isinstance(sort, ir.OptionSort):
            return [None, *self.domain(next(a for a in get_args(annotation) if a is not type(None)))]
        assert isinstance(sort, ir.IntSort)
        return list(range(sort.lo, sort.hi + 1))

    def choice(self, sort: Any, where: Callable[[Any], Any] | None) -> Any:
        """What `choose` returns: the script says which."""
        values = [v for v in self.domain(sort) if where is None or where(v)]
        if not values:
            raise NotEnabled
        return values[self.script.next(len(values))]

    def checked(self, name: str, condition: Any) -> None:
        """A `check` in an event."""
        if not condition:
            self.broken.append(name)

    def fresh_value(self, counter: Any) -> Any:
        """What `fresh` returns: more than every value anywhere."""
        self.fresh += 1
        return counter(self.fresh)

    def counted(self, name: str) -> None:
        """What `cost` and `dropped` do."""
        self.costs[name] = self.costs.get(name, 0) + 1

    def waits_at(self, process: Any, *where: Any) -> bool:
        """What `at` returns."""
        name = self.path_of(process.__self__) + process.__func__.__name__
        count = len(self.processes[name].sorts)
        return self.label(name, where[:count]) in where[count:]

    # ---------------------------------------------------------------------------------------------------------- building

    def build(self, path: str, thing: Any, owner: Any) -> Any:
        """An object for a system's class or a part, whose state lives in the store."""
        cls = thing if isinstance(thing, type) else type(thing)
        space: dict[str, Any] = {}
        for name, annotation in hints(cls).items():
            if name in hints(System if owner is None else Part):
                continue
            declared = to_declared(annotation)
            if declared is not None:
                self.declare(space, path, name, annotation, declared)
        for base in reversed(cls.__mro__):
            for name, value in vars(base).items():
                if isinstance(value, Knob):
                    space[name] = self.knob_property(path + name)
        sub = type(cls.__name__, (cls,), space)
        made: Any = object.__new__(sub)
        self.paths[id(made)] = path
        if owner is not None:
            made.__dict__.update(copy.copy(vars(thing)))
            for name, value in vars(thing).items():
                if isinstance(value, Map):
                    declared = of_sorts(value.sorts)
                    made.__dict__[name] = View(self, path + name, value.sorts[:-1], value.sorts[-1])
                    self.fill(path + name, value.sorts[:-1], value.sorts[-1], declared)
                elif isinstance(value, Part):
                    made.__dict__[name] = self.build(f"{path}{name}.", value, made)
                elif inspect.isfunction(value):
                    made.__dict__[name] = value.__get__(owner)
        for name in dict.fromkeys(n for c in reversed(cls.__mro__) for n in vars(c)):
            value = inspect.getattr_static(cls, name)
            if isinstance(value, Part):
                made.__dict__[name] = self.build(f"{path}{name}.", value, made)
            elif (role := role_of(value)) is not None:
                self.members.append((path + name, role, value.__get__(made)))
        return made

    def declare(self, space: dict[str, Any], path: str, name: str, annotation: Any, declared: Any) -> None:
        full = path + name
        sorts = self.plain(annotation)
        self.fill(full, sorts[:-1], sorts[-1], declared)
        if len(sorts) == 1:
            space[name] = self.scalar_property((full, ()), sorts[-1])
        else:
            view = View(self, full, sorts[:-1], sorts[-1])
            space[name] = property(lambda _: view)

    def scalar_property(self, key: tuple[str, tuple[Any, ...]], annotation: Any) -> property:
        """Reads and writes a location without an index."""

        def write(_: Any, value: Any) -> None:
            self.store[key] = as_counter(annotation, value)

        return property(lambda _: self.store[key], write)

    def knob_property(self, name: str) -> property:
        return property(lambda _: self.knobs[name])

    def plain(self, annotation: Any) -> tuple[Any, ...]:
        """The index sorts and the value's sort of an annotation, as written."""
        from .declare import Kind

        if get_origin(annotation) is Annotated and any(isinstance(a, Kind) for a in get_args(annotation)):
            annotation = get_args(annotation)[0]
        return get_args(annotation) if get_origin(annotation) is Map else (annotation,)

    def fill(self, name: str, index: tuple[Any, ...], value: Any, declared: Any) -> None:
        """Give every location its default, or note down that it may start with anything."""
        scalarset = isinstance(declared.sort, ir.Scalarset) and not declared.sort.ordered
        for location in itertools.product(*map(self.domain, index)):
            if scalarset or declared.kind == "rigid":
                self.free.append((name, location, value))
                self.store[name, location] = self.domain(value)[0]
            else:
                self.store[name, location] = self.default(value, declared.sort)

    def default(self, annotation: Any, sort: ir.Sort) -> Any:
        match sort:
            case ir.EnumSort():
                return next(iter(annotation))
            case ir.CounterSort() | ir.Scalarset():
                return annotation(0)
        return ir.default_value(sort)

    # ---------------------------------------------------------------------------------------------------------- stepping

    def path_of(self, thing: Any) -> str:
        return self.paths[id(thing)]

    def label(self, process: str, instance: tuple[Any, ...]) -> str:
        return self.waiting[process, tuple(instance)]

    def start(self, free: tuple[Any, ...], script: Script) -> None:
        """The initial state, given the values of the locations that start with any.

        Raises:
            NotEnabled: an axiom does not hold.
        """
        with self.running():
            self.script = script
            for (name, location, _), value in zip(self.free, free, strict=True):
                self.store[name, location] = value
            for _, role, method in self.members:
                if role.kind == "initially":
                    method()
            for _, role, method in self.members:
                if role.kind == "axiom" and not method():
                    raise NotEnabled
            for name, process in self.processes.items():
                for instance in itertools.product(*map(self.domain, process.sorts)):
                    self.restart(name, instance)
            self.close()

    def restart(self, name: str, instance: tuple[Any, ...]) -> None:
        process = self.processes[name]
        generator = process.method(*instance)
        self.live[name, instance] = generator
        self.waiting[name, instance] = next(generator) if process.primed else "start"

    def close(self) -> None:
        for _, role, method in self.members:
            if role.kind == "closure":
                method()

    def take(self, name: str, args: tuple[Any, ...], script: Script) -> None:
        """One step: of an action with these arguments, or of the process instance with this name.

        Raises:
            NotEnabled: it is not possible here; the machine is then spent.
            Undefined: the model does not say what happens; likewise.
        """
        with self.running():
            self.script, self.costs = script, {}
            if name in self.processes:
                try:
                    self.waiting[name, args] = next(self.live[name, args])
                except StopIteration:
                    self.restart(name, args)
            else:
                next(method for full, _, method in self.members if full == name)(*args)
            self.close()

    def steps(self) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """Every step that may be possible: actions for all arguments, and process instances."""
        with self.running():
            found = []
            for name, role, method in self.members:
                if role.kind == "action":
                    found += [(name, args) for args in itertools.product(*map(self.domain, argument_sorts(method)))]
            found += list(self.live)
        return iter(found)

    def violated(self) -> set[str]:
        """The names of the invariants and checks that do not hold now; `UNDEFINED` if an event reads what is not there."""
        with self.running():
            bad = set()
            for name, role, method in self.members:
                if role.kind == "invariant" and not self.true(method):
                    bad.add(name.rpartition(".")[2].replace("_", "-"))
                elif role.kind == "event":
                    for args in itertools.product(*map(self.domain, argument_sorts(method))):
                        self.broken = []
                        try:
                            method(*args)
                        except NotEnabled:
                            pass
                        except Undefined:
                            self.broken.append(UNDEFINED)
                        bad |= set(self.broken)
            return bad

    def true(self, condition: Callable[[], Any]) -> bool:
        """Whether a condition holds; where it is undefined, it does not."""
        try:
            return bool(condition())
        except Undefined:
            return False

    def snapshot(self) -> Mapping[tuple[str, tuple[Any, ...]], Any]:
        """The declared state, with each counter's values renamed by rank (0 stays 0)."""
        ranks: dict[type, dict[int, int]] = {}
        for value in self.store.values():
            if isinstance(value, Counter):
                ranks.setdefault(type(value), {})[value.value] = 0
        for values in ranks.values():
            for rank, value in enumerate(sorted(v for v in values if v), start=1):
                values[value] = rank
        return {
            key: type(value)(ranks[type(value)][value.value]) if isinstance(value, Counter) else value
            for key, value in self.store.items()
        }
