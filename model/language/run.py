"""A system run by Python itself: the plain, slow, obvious reading, against which the compiled one is audited.

A `Machine` holds the declared state in a dictionary and each process as a live generator; it takes one step at a time by calling
the system's own methods.  It knows nothing of how the compiler reads them.  A step of an action can be taken back; a generator
cannot be copied, and one that was refused a step is spent: a state in which it lives is reached again by taking the same steps
anew.

Long because it says in one place what every word of the language does when Python runs it.
"""

from __future__ import annotations

import contextlib
import copy
import enum
import functools
import inspect
import itertools
import random
import types
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, get_args, get_origin

from flushproof.model import ir
from flushproof.model.errors import FlushproofError

from .declare import (
    Counter,
    Kind,
    Knob,
    Map,
    NoElement,
    NotEnabled,
    Part,
    Role,
    Sort,
    System,
    attributes,
    is_number,
    role_of,
    running,
)
from .types import hints, of_sorts, to_declared, to_sort, without

Key = tuple[str, tuple[Any, ...]]
"""A variable at an index, or a process and its instance."""


class Undefined(FlushproofError):
    """The step used a value that it does not have, such as the element of a None."""


class Foreign(FlushproofError):
    """The step stored something that is no value of the variable's sort."""


class Restless(FlushproofError):
    """What stands in front of a process's first label does something."""


UNDEFINED = "undefined"
FIRST = "start"
"""The label of a process that has not begun."""

TAKEN_OVER: Key = (ir.TAKEN_OVER, ())


class _Truths(type):
    def __iter__(cls) -> Iterator[bool]:
        return iter((False, True))

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, bool)


class Truth(metaclass=_Truths):
    """Stands for `bool` in a system's methods: ``for q in bool`` is the language's, and not Python's."""

    def __new__(cls, value: object = False) -> Any:
        return bool(value)


class Made:
    """Stands above what a machine makes of a class, so that what the user's own does with each class below it is not done again."""

    def __init_subclass__(cls, **_: Any) -> None:
        pass


@dataclass
class Script:
    """Which way each choice of a step goes.

    given: the ways of the first choices, by number; wishes: values (in `plain` form) that are taken where a choice offers them,
    each once, in order; beyond both a way at random, or without `random` the first one.
    taken: the way of each choice, and how many there were.
    """

    given: tuple[int, ...] = ()
    wishes: tuple[Any, ...] = ()
    random: random.Random | None = None
    taken: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._left = list(self.wishes)

    def next(self, values: list[Any]) -> int:
        """The way of the next choice, among these values."""
        number = len(self.taken)
        way = self.given[number] if number < len(self.given) else self._wished(values)
        if way is None:
            way = self.random.randrange(len(values)) if self.random else 0
        self.taken.append((way, len(values)))
        return way

    def _wished(self, values: list[Any]) -> int | None:
        offered: dict[Any, int] = {plain(value): way for way, value in reversed(list(enumerate(values)))}
        for wish in self._left:
            if wish in offered:
                self._left.remove(wish)
                return offered[wish]
        return None

    @property
    def ways(self) -> tuple[int, ...]:
        """What was taken, to be given again."""
        return tuple(way for way, _ in self.taken)

    def following(self) -> tuple[int, ...] | None:
        """The script that comes next in lexicographic order, or None after the last."""
        ways = list(self.taken)
        while ways:
            way, count = ways.pop()
            if way + 1 < count:
                return (*(w for w, _ in ways), way + 1)
        return None


def plain(value: Any) -> Any:
    """A value of the language in a form that tells sorts apart: `("Cpu", 0)`, `("Scope", "ALL")`, `("int", 1)`."""
    match value:
        case None:
            return None
        case Sort():
            return (type(value).__name__, value.index)
        case Counter():
            return (type(value).__name__, value.value)
        case enum.Enum():
            return (type(value).__name__, value.name)
        case tuple():
            return tuple(map(plain, value))
    return ("int", int(value)) if is_number(value) else (type(value).__name__, value)


def key_of(index: Any) -> tuple[Any, ...]:
    """The parts of an index; a member of an enumeration is one, whatever its value is."""
    return index if isinstance(index, tuple) and not isinstance(index, enum.Enum) else (index,)


class View:
    """A state map while a system runs."""

    def __init__(self, machine: Machine, name: str, sorts: tuple[Any, ...], value: Any) -> None:
        self.machine, self.name, self.sorts = machine, name, sorts
        self.convert = machine.converter(value, name)

    def __getitem__(self, index: Any) -> Any:
        try:
            return self.machine.store[self.name, key_of(index)]
        except (KeyError, TypeError):
            raise Undefined(f"{self.name} is read at {index}, where it has no value") from None

    def __setitem__(self, index: Any, value: Any) -> None:
        machine = self.machine
        machine.touched = True
        key = key_of(index)
        value = self.convert(value)
        for location in self._locations(key) if any(k is ... or isinstance(k, slice) for k in key) else [key]:
            if (self.name, location) not in machine.store:
                raise Undefined(f"{self.name} is written at {location}, which it does not have")
            machine.store[self.name, location] = value

    def _locations(self, key: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        """All locations of a key with slices or an ellipsis."""
        if any(k is ... for k in key):
            at = next(i for i, k in enumerate(key) if k is ...)
            key = (*key[:at], *[slice(None)] * (len(self.sorts) - len(key) + 1), *key[at + 1 :])
        if len(key) != len(self.sorts):
            raise Foreign(f"{self.name} is asked for {key}, and has {len(self.sorts)} indices")
        ways = [self.machine.domain(s) if isinstance(k, slice) else [k] for k, s in zip(key, self.sorts, strict=True)]
        return itertools.product(*ways)


@dataclass(frozen=True)
class Options(Sequence[Any]):
    """None, and all values of a sort."""

    held: Sequence[Any]

    def __len__(self) -> int:
        return 1 + len(self.held)

    def __getitem__(self, code: Any) -> Any:
        return self.held[code - 1] if code else None

    def __iter__(self) -> Iterator[Any]:
        yield None
        yield from self.held

    def index(self, value: Any, *bounds: Any) -> int:
        return 0 if value is None else 1 + self.held.index(value)


@dataclass
class Process:
    """A process: its method and the sorts of its instances."""

    method: Callable[..., Any]
    sorts: tuple[Any, ...]


@dataclass(frozen=True)
class Variable:
    """Declared state: its index sorts and its value's sort, as annotated."""

    index: tuple[Any, ...]
    value: Any


class Machine:
    """One run of a system.

    store: (variable, index) -> value; live: (process, instance) -> its generator; waiting: -> its label; holds: -> what it holds.
    held: what whoever takes the present step holds.
    aliases: where a part that has a name already is met again -> that name; one part is one state, under whatever names.
    costs: how many of each operation the last step cost.
    primed: the processes that start by running to their first label, because nothing happens before it; None: all of which that
        is so.  An extra step that does nothing is no difference; a step that was left out is (`Restless`).
    like: another run of the same system, whose elements are these: what is one in the one `is` the same one in the other.
    before: what knobs are until the policy takes over (`@initially(reached_by=...)`), where they differ.
    handover: the step with which it does; None where it is in force from the beginning.
    """

    def __init__(
        self,
        cls: type[System],
        sizes: Mapping[str, int],
        knobs: Mapping[str, Any],
        primed: frozenset[str] | None = None,
        like: Machine | None = None,
        before: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.cls, self.sizes, self.knobs, self.primed = cls, sizes, knobs, primed
        self.before = {**knobs, **before}
        self.handover: str | None = None
        self.store: dict[Key, Any] = {}
        self.script = Script()
        self.broken: list[str] = []
        self.owing = True
        self.fresh = 0
        self.touched = False
        self.costs: dict[str, int] = {}
        self.members: list[tuple[str, Role, Callable[..., Any]]] = []
        self.arguments: dict[str, tuple[Any, ...]] = {}
        self.variables: dict[str, Variable] = {}
        self.aliases: dict[str, str] = {}
        self.free: list[tuple[str, tuple[Any, ...], Any]] = []
        self.processes: dict[str, Process] = {}
        self.objects: list[Any] = []
        self._paths: dict[int, str] = {}
        self._parts: dict[int, tuple[Any, Any]] = {}
        self._elements: dict[Any, list[Any]] = {} if like is None else like._elements
        self._domains: dict[Any, Sequence[Any]] = {} if like is None else like._domains
        self._modules: list[dict[str, Any]] = []
        with self.running():
            self.system = self.build("", cls, None)
        if self.handover is not None:
            self.variables[ir.TAKEN_OVER], self.store[TAKEN_OVER] = Variable((), bool), False
        self._blank = dict(self.store)
        for name, role, method in self.members:
            if role.kind == "process":
                self.processes[name] = Process(method, role.sorts)
            elif role.kind in ("action", "event"):
                self.arguments[name] = argument_sorts(method)
        self._modules = list({id(g): g for g in self._speaking_of_bool()}.values())
        self.live: dict[Key, Generator[Any, Any, Any]] = {}
        self.waiting: dict[Key, Any] = {}
        self.held: list[tuple[Part, tuple[Any, ...]]] = []
        self.holds: dict[Key, list[tuple[Part, tuple[Any, ...]]]] = {}
        self._silent: dict[str, bool] = {}

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """This machine is the one that sorts, choices and knobs ask."""
        token = running.set(self)
        for module in self._modules:
            module["bool"] = Truth
        try:
            yield
        finally:
            for module in self._modules:
                del module["bool"]
            running.reset(token)

    def _speaking_of_bool(self) -> Iterator[dict[str, Any]]:
        """The globals of functions that name `bool`, where that is Python's own."""
        for made in self.objects:
            for cls in type(made).__mro__:
                for value in vars(cls).values():
                    function = inspect.unwrap(value) if callable(value) else None
                    if isinstance(function, types.FunctionType) and "bool" not in function.__globals__:
                        yield from [function.__globals__] if _names_bool(function.__code__) else []

    # ------------------------------------------------------------------------------------------------- sorts and choices

    def elements(self, sort: Any) -> list[Any]:
        """All elements of a sort: each is one object, so that `is` means what it says."""
        found = self._elements.get(sort)
        if found is None:
            size = self.sizes.get(sort.__name__, self.cls.sizes.get(sort, sort.size))
            found = self._elements[sort] = [sort(i) for i in range(size)]
        return found

    def size_of(self, sort: Any) -> int:
        return len(self.elements(sort))

    def domain(self, annotation: Any) -> Sequence[Any]:
        """All values of a sort, as Python has them, in the order of their codes."""
        found = self._domains.get(annotation)
        if found is None:
            found = self._domains[annotation] = self._domain(annotation)
        return found

    def _domain(self, annotation: Any) -> Sequence[Any]:
        if annotation is bool or annotation is Truth:
            return [False, True]
        if isinstance(annotation, type) and issubclass(annotation, Sort):
            return self.elements(annotation)
        if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
            return list(annotation)
        sort = to_sort(annotation, self.size_of)
        if isinstance(sort, ir.OptionSort):
            return Options(self.domain(_held(annotation)))
        if not isinstance(sort, ir.IntSort):
            raise FlushproofError(f"{sort.name} has no end to choose from")
        return range(sort.lo, sort.hi + 1)

    def converter(self, annotation: Any, name: str) -> Callable[[Any], Any]:
        """What makes of a value that is stored the one that is kept: literals become elements, and elements the one object."""
        sort = to_sort(annotation, self.size_of)

        def foreign(value: Any) -> FlushproofError:
            if value is None:  # an option was used as what it holds
                return Undefined(f"{name} is given None, and is a {sort.name}")
            return Foreign(f"{name} is given {value!r}, and is a {sort.name}")

        def element(value: Any) -> Any:
            if isinstance(value, annotation) or (annotation.ordered and is_number(value)):
                number = int(value.index if isinstance(value, annotation) else value)
                elements = self.elements(annotation)
                if not 0 <= number < len(elements):
                    raise Undefined(
                        f"{name} is given {value!r}, and {annotation.__name__} has {len(elements)} elements"
                    )
                return elements[number]
            raise foreign(value)

        def integer(value: Any) -> Any:
            if not is_number(value):
                raise foreign(value)
            assert isinstance(sort, ir.IntSort)
            if not sort.lo <= value <= sort.hi:
                raise Undefined(f"{name} is given {value}, and is {sort.name}")
            return int(value)

        def counter(value: Any) -> Any:
            if isinstance(value, annotation):
                return value
            if is_number(value) and value == 0:
                return annotation(0)
            raise foreign(value)

        def member(value: Any) -> Any:
            if type(value) is bool if sort == ir.BOOL else isinstance(value, annotation):
                return value
            raise foreign(value)

        match sort:
            case ir.OptionSort():
                inner = self.converter(_held(annotation), name)
                return lambda value: None if value is None else inner(value)
            case ir.Scalarset():
                return element
            case ir.IntSort():
                return integer
            case ir.CounterSort():
                return counter
        return member

    def choice(self, sort: Any, where: Callable[[Any], Any] | None) -> Any:
        """What `choose` returns: the script says which."""
        self.touched = True
        values = [v for v in self.domain(sort) if where is None or where(v)]
        if not values:
            raise NotEnabled
        return values[self.script.next(values)]

    def checked(self, name: str, condition: Any) -> None:
        """A `check` in an event or a step."""
        if not condition and self.owing:
            self.broken.append(name)

    def fresh_value(self, counter: Any) -> Any:
        """What `fresh` returns: more than every value anywhere."""
        self.touched = True
        self.fresh += 1
        return counter(self.fresh)

    def counted(self, name: str) -> None:
        """What `cost` and `dropped` do."""
        self.touched = True
        if self.in_force:
            self.costs[name] = self.costs.get(name, 0) + 1

    def occurred(self, name: str) -> None:
        """What `occurs` does."""
        self.touched = True

    def waits_at(self, process: Any, *where: Any) -> bool:
        """What `at` returns."""
        self.touched = True
        name = self._paths[id(process.__self__)] + process.__func__.__name__
        count = len(self.processes[name].sorts)
        return self.waiting[name, where[:count]] in where[count:]

    # ---------------------------------------------------------------------------------------------------------- building

    def build(self, path: str, thing: Any, owner: Any) -> Any:
        """An object for a system's class or a part, whose state lives in the store; a part that was met before is the same one."""
        if owner is not None and id(thing) in self._parts:
            made, _ = self._parts[id(thing)]
            self.aliases[path] = self._paths[id(made)]
            return made
        cls = thing if isinstance(thing, type) else type(thing)
        space: dict[str, Any] = {}
        for name, annotation in hints(cls).items():
            if name in hints(System if owner is None else Part):
                continue
            declared = to_declared(annotation, self.size_of)
            if declared is not None:
                self.declare(space, path, name, annotation, declared)
        found = attributes(cls)
        for name, value in found.items():
            if isinstance(value, Knob):  # a class below may give it one value for good
                space[name] = self.knob_property(path + name)
        sub = type(cls.__name__, (Made, cls), space)
        made = object.__new__(sub)
        self._paths[id(made)] = path
        self.objects.append(made)
        if owner is not None:
            self._parts[id(thing)] = made, thing
            made.__dict__.update(copy.copy(vars(thing)))
        for name, value in found.items():
            if isinstance(value, Part):
                made.__dict__[name] = self.build(f"{path}{name}.", value, made)
            elif (role := role_of(value)) is not None:
                self.members.append((path + name, role, value.__get__(made)))
                if role.reached_by is not None:
                    self.handover = path + name
        for name, value in vars(thing).items() if owner is not None else ():
            if isinstance(value, Map):
                index, kept = value.sorts[:-1], value.sorts[-1]
                self.known(path + name, index, kept, of_sorts(value.sorts, size_of=self.size_of))
                if index:
                    made.__dict__[name] = View(self, path + name, index, kept)
                else:  # a single value, as if its sort were annotated
                    setattr(sub, name, self.scalar_property((path + name, ()), kept))
                    del made.__dict__[name]
            elif isinstance(value, Part):
                made.__dict__[name] = self.build(f"{path}{name}.", value, made)
            elif isinstance(value, tuple) and any(isinstance(v, Part) for v in value):
                made.__dict__[name] = tuple(
                    self.build(f"{path}{name}.{i}.", v, made) if isinstance(v, Part) else v for i, v in enumerate(value)
                )
            elif inspect.isfunction(value):
                made.__dict__[name] = value.__get__(owner)
        return made

    def declare(self, space: dict[str, Any], path: str, name: str, annotation: Any, declared: Any) -> None:
        full = path + name
        sorts = self.plain(annotation)
        self.known(full, sorts[:-1], sorts[-1], declared)
        if len(sorts) == 1:
            space[name] = self.scalar_property((full, ()), sorts[-1])
        else:
            view = View(self, full, sorts[:-1], sorts[-1])
            space[name] = property(lambda _: view)

    def scalar_property(self, key: Key, annotation: Any) -> property:
        """Reads and writes a location without an index."""
        convert = self.converter(annotation, key[0])

        def read(_: Any) -> Any:
            return self.store[key]

        def write(_: Any, value: Any) -> None:
            self.touched = True
            self.store[key] = convert(value)

        return property(read, write)

    def knob_property(self, name: str) -> property:
        return property(lambda _: (self.knobs if self.in_force else self.before)[name])

    @property
    def in_force(self) -> bool:
        """Whether the policy is in force by now."""
        return self.store.get(TAKEN_OVER, True) is True

    def plain(self, annotation: Any) -> tuple[Any, ...]:
        """The index sorts and the value's sort of an annotation, as written."""
        for extra in (Kind, ir.View):
            annotation, _ = without(annotation, extra)
        return get_args(annotation) if get_origin(annotation) is Map else (annotation,)

    def known(self, name: str, index: tuple[Any, ...], value: Any, declared: Any) -> None:
        """Give every location its default, or note down that it may start with anything."""
        self.variables[name] = Variable(index, value)
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
            case ir.CounterSort():
                return annotation(0)
            case ir.Scalarset():
                return self.elements(annotation)[0]
        return ir.default_value(sort)

    def primary(self, name: str) -> str:
        """The name under which a variable or a step is known here, by whichever of its part's names it is called."""
        for alias in sorted(self.aliases, key=len, reverse=True):
            if name.startswith(alias):
                return self.primary(self.aliases[alias] + name[len(alias) :])
        return name

    # ---------------------------------------------------------------------------------------------------------- stepping

    def start(self, free: tuple[Any, ...], script: Script) -> None:
        """The initial state, given the values of the locations that start with any.

        Raises:
            NotEnabled: an axiom does not hold.
        """
        with self.running():
            for (
                generator
            ) in self.live.values():  # what holds a lock releases it now, and not when the garbage is collected
                with contextlib.suppress(Exception):
                    generator.close()
            self.live, self.waiting = {}, {}
            self.script, self.fresh, self.costs = script, 0, {}
            self.store = dict(self._blank)
            for (name, location, _), value in zip(self.free, free, strict=True):
                self.store[name, location] = value
            for name, process in self.processes.items():
                for instance in itertools.product(*map(self.domain, process.sorts)):
                    self.restart(name, instance)
            for _, role, method in self.members:
                if role.kind == "axiom" and not self.true(method):
                    raise NotEnabled
            for _, role, method in self.members:
                if role.kind == "initially":
                    with undefined_in_python():
                        method()
            self.close()

    def restart(self, name: str, instance: tuple[Any, ...]) -> None:
        """The process begins.

        Raises:
            Restless: it is said to begin at its first label, and something happens before that.
        """
        generator = self.live[name, instance] = procedure(self.processes[name].method, instance)
        self.waiting[name, instance] = FIRST
        self.held = self.holds[name, instance] = []
        if name not in self._silent:
            self._silent[name] = self.silent(name, instance)
        if name in self.primed if self.primed is not None else self._silent[name]:
            if not self._silent[name]:
                raise Restless(f"{name} is said to begin at its first label, and does something before it")
            self.waiting[name, instance] = next(generator)

    def silent(self, name: str, instance: tuple[Any, ...]) -> bool:
        """Whether nothing happens before the process's first label: nothing is written, chosen or counted."""
        before, fresh, costs, touched = self.store, self.fresh, self.costs, self.touched
        self.store, self.touched = dict(before), False
        script, self.script = self.script, Script()
        held, self.held = self.held, []
        generator = procedure(self.processes[name].method, instance)
        try:
            next(generator)
            return not self.touched
        except Exception:
            return False
        finally:
            generator.close()
            self.store, self.fresh, self.costs, self.touched, self.script = before, fresh, costs, touched, script
            self.held = held

    def close(self) -> None:
        """What hardware does by itself, until there is nothing more to do."""
        closures = [method for _, role, method in self.members if role.kind == "closure"]
        while closures:
            before = dict(self.store)
            for method in closures:
                method()
            if before == self.store:
                return

    def take(self, name: str, args: tuple[Any, ...], script: Script) -> None:
        """One step: of an action with these arguments, or of the process instance with this name.

        Raises:
            NotEnabled: it is not possible here; what it has done until then is to be taken back (`undone`).
            Undefined, Foreign: the model does not say what happens; likewise.
        """
        with self.running():
            self.script, self.costs, self.broken = script, {}, []
            self.owing = self.in_force or name == self.handover
            with undefined_in_python():
                if name in self.processes:
                    self.held = self.holds[name, args]
                    for part, given in tuple(self.held):
                        if (resume := getattr(part, "resume", None)) is not None:
                            resume(*given)
                    try:
                        self.waiting[name, args] = next(self.live[name, args])
                    except StopIteration:
                        self.restart(name, args)
                else:
                    self.held = []
                    if name == self.handover and self.in_force:
                        raise NotEnabled
                    performed(next(method for full, _, method in self.members if full == name), args)
                    if name == self.handover:
                        self.store[TAKEN_OVER] = True
                self.close()

    @contextlib.contextmanager
    def undone(self) -> Iterator[None]:
        """What happens to the state meanwhile is taken back; a generator that took a step has taken it."""
        store, fresh, waiting = dict(self.store), self.fresh, dict(self.waiting)
        try:
            yield
        finally:
            self.store, self.fresh, self.waiting = store, fresh, waiting

    def steps(self) -> list[Key]:
        """Every step that may be possible: actions for all arguments, and process instances."""
        found: list[Key] = []
        for name, role, _ in self.members:
            if role.kind == "action":
                found += [(name, args) for args in itertools.product(*map(self.domain, self.arguments[name]))]
        return [*found, *self.live]

    def frames(self, process: str, instance: tuple[Any, ...]) -> list[Mapping[str, Any]]:
        """The local variables of a process that waits: its own, then those of the helpers in which it waits."""
        found: list[Mapping[str, Any]] = []
        generator: Any = self.live[process, instance]
        while generator is not None and getattr(generator, "gi_frame", None) is not None:
            found.append(dict(generator.gi_frame.f_locals))
            generator = generator.gi_yieldfrom
        return found[1:]  # the first frame is that of `procedure`

    # -------------------------------------------------------------------------------------------------------- properties

    def violated(self) -> set[str]:
        """The names of the invariants and checks that do not hold now; `UNDEFINED` if an event reads what is not there."""
        with self.running():
            bad = set()
            for name, role, method in self.members:
                if role.kind == "invariant" and self.in_force and not self.true(method):
                    bad.add(title(name))
                elif role.kind == "event":
                    for args in itertools.product(*map(self.domain, self.arguments[name])):
                        bad |= self.shown(method, args)
            return bad

    def shown(self, event: Callable[..., Any], args: tuple[Any, ...]) -> set[str]:
        """The checks that an event breaks, whatever it chooses."""
        bad: set[str] = set()
        ways: tuple[int, ...] | None = ()
        while ways is not None:
            self.broken, self.script, self.owing = [], Script(ways), self.in_force
            try:
                with undefined_in_python():
                    performed(event, args)
            except NotEnabled:
                pass
            except Undefined:
                self.broken.append(UNDEFINED)
            bad |= set(self.broken)
            ways = self.script.following()
        return bad

    def reached(self) -> set[str]:
        """The names of the states to be reached that this one is."""
        with self.running():
            asked = [(name, method) for name, role, method in self.members if role.kind == "reachable" and self.in_force]
            return {title(name) for name, method in asked if self.true(method)}

    def final(self) -> bool:
        """Whether it is right that nothing more happens."""
        with self.running():
            return not self.in_force or any(role.kind == "final" and self.true(method) for _, role, method in self.members)

    def true(self, condition: Callable[[], Any]) -> bool:
        """Whether a condition holds; where it is undefined, it does not."""
        try:
            with undefined_in_python():
                return bool(condition())
        except Undefined:
            return False


@contextlib.contextmanager
def undefined_in_python() -> Iterator[None]:
    """What Python cannot do with None, such as comparing it by `<`, is undefined; so is the element behind the last, dividing by 0
    and shifting by less.

    Raises:
        Undefined: that was done.
    """
    try:
        yield
    except (NoElement, StopIteration, ZeroDivisionError) as error:
        raise Undefined(str(error)) from error
    except RuntimeError as error:
        if not isinstance(error.__cause__, StopIteration):  # what `next` raises in a process or a comprehension
            raise
        raise Undefined(str(error)) from error
    except (TypeError, AttributeError, ValueError) as error:
        if "NoneType" not in str(error) and "negative shift count" not in str(error):
            raise
        raise Undefined(str(error)) from error


def argument_sorts(method: Any) -> tuple[Any, ...]:
    """The sorts of the arguments of a step or an event; ``*entry`` stands for the part's `sorts`."""
    found: list[Any] = []
    for name, parameter in inspect.signature(method).parameters.items():
        found += method.__self__.sorts if parameter.kind is parameter.VAR_POSITIONAL else [hints(method)[name]]
    return tuple(found)


def performed(method: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """The method called with an argument for each of its parameters, in their order."""
    named = keyword_only(getattr(method, "__func__", method))
    count = len(args) - len(named)
    return method(*args[:count], **dict(zip(named, args[count:], strict=True)))


@functools.cache
def keyword_only(function: Callable[..., Any]) -> tuple[str, ...]:
    """The parameters that are given by their names."""
    return tuple(n for n, p in inspect.signature(function).parameters.items() if p.kind is p.KEYWORD_ONLY)


def procedure(method: Callable[..., Any], args: tuple[Any, ...]) -> Generator[Any, Any, Any]:
    """A process from its beginning; one without a `yield` is one step."""
    result = performed(method, args)
    if inspect.isgenerator(result):
        yield from result


def title(name: str) -> str:
    """The name of a property: its method's with hyphens, without its part's."""
    return name.rpartition(".")[2].replace("_", "-")


def _held(annotation: Any) -> Any:
    """What an Optional is of."""
    return next(a for a in get_args(annotation) if a is not type(None))


def _names_bool(code: types.CodeType) -> bool:
    inner = (c for c in code.co_consts if isinstance(c, types.CodeType))
    return "bool" in code.co_names or any(map(_names_bool, inner))
