"""The words in which a system is written.

A system is a Python class.  Its annotations declare state over sorts; its decorated methods are steps, processes, events and
properties; its class attributes are knobs, policies and hardware parts::

    class Switch(System):
        running: Map[Cpu, Optional[Vcpu]]
        flush = Knob(bool, False, doc="flush the TLB when another vcpu is loaded")

        @action
        def load(self, cpu: Cpu, vcpu: Vcpu):
            require(self.running[cpu] is None)
            self.running[cpu] = vcpu

The same class is run by Python itself (`run`) and compiled into the intermediate representation (`compile`).  This file holds
what both need: the declarations.  What the statements mean when Python runs them is in `run`.

Long because it is the list of the language's words, each with what it says.
"""

from __future__ import annotations

import contextlib
import enum
import itertools
import math
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Generic, Protocol, TypeGuard, TypeVar, TypeVarTuple, overload

from flushproof.model.errors import FlushproofError, ModelError
from flushproof.model.ir import DROPPED, Place, View

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
Ts = TypeVarTuple("Ts")


class NotEnabled(Exception):
    """A `require` that does not hold: the step is not possible."""


class NoElement(Exception):
    """An ordered sort has no element so many after one, or before it."""


class Runtime(Protocol):
    """What runs a system in plain Python (see `run`), and is asked by the words below.

    held: the parts that whoever takes the step holds, with the arguments they were given, the outermost first.
    """

    held: list[tuple[Part, tuple[Any, ...]]]

    def elements(self, sort: Any) -> list[Any]: ...

    def domain(self, annotation: Any) -> Sequence[Any]: ...

    def choice(self, sort: Any, where: Callable[[Any], Any] | None) -> Any: ...

    def checked(self, name: str, condition: Any) -> None: ...

    def fresh_value(self, counter: Any) -> Any: ...

    def counted(self, name: str) -> None: ...

    def occurred(self, name: str) -> None: ...

    def waits_at(self, process: Any, *where: Any) -> bool: ...


running: ContextVar[Runtime] = ContextVar("running")
"""What runs the system at present."""


def _runtime() -> Runtime:
    found = running.get(None)
    if found is None:
        raise FlushproofError("sorts, choices and checks mean something only while a system is checked or run")
    return found


# ---------------------------------------------------------------------------------------------------------------- sorts


class _SortMeta(type):
    """Makes a sort iterable: ``for cpu in Cpu``, over as many elements as the running instance has."""

    def __iter__(cls) -> Iterator[Any]:
        return iter(_runtime().elements(cls))


def is_number(value: Any) -> bool:
    """Whether a constant is a whole number, and neither a truth value nor a member of an enumeration."""
    return isinstance(value, int) and not isinstance(value, (bool, enum.Enum))


def is_text(value: Any) -> TypeGuard[str]:
    """Whether a knob's value is given as it is spelled: a member of a StrEnum is a member."""
    return isinstance(value, str) and not isinstance(value, enum.Enum)


class Sort(metaclass=_SortMeta):
    """A set of interchangeable elements; subclass it and say in the docstring what an element is.

    size: the default number of elements; ordered: the elements are compared with `<` and are not interchangeable;
    first: the number that the first element is shown with; of an ordered sort it is 0, as it is written.
    """

    size: ClassVar[int] = 2
    ordered: ClassVar[bool] = False
    first: ClassVar[int] = 0

    def __init_subclass__(
        cls, *, size: int | None = None, ordered: bool | None = None, first: int | None = None
    ) -> None:
        super().__init_subclass__()
        for name, value in (("size", size), ("ordered", ordered), ("first", first)):
            if value is not None:  # else as the class above has it, or the class's body says
                setattr(cls, name, value)

    def __init__(self, index: int) -> None:
        self.index = index

    def __eq__(self, other: object) -> bool:
        if type(self) is type(other):
            return self.index == getattr(other, "index", None)
        return self.ordered and is_number(other) and self.index == other

    def __hash__(self) -> int:
        return hash(self.index)  # as the literal of an ordered sort, to which the element is equal

    def __lt__(self, other: Any) -> bool:
        return self.index < self._number(other)

    def __le__(self, other: Any) -> bool:
        return self.index <= self._number(other)

    def __gt__(self, other: Any) -> bool:
        return self.index > self._number(other)

    def __ge__(self, other: Any) -> bool:
        return self.index >= self._number(other)

    def _number(self, other: Any) -> int:
        """The number of another element, or a literal."""
        if type(self) is type(other):
            return int(other.index)
        if self.ordered and is_number(other):
            return int(other)
        raise TypeError(f"{type(self).__name__} is compared with {type(other).__name__}")

    def __add__(self, distance: int) -> Any:
        """Of an ordered sort: the element that comes so many after this one."""
        elements = _runtime().elements(type(self))
        if not self.ordered or not is_number(distance):
            return NotImplemented
        if not 0 <= self.index + distance < len(elements):
            raise NoElement(f"{type(self).__name__} has no element {distance} after {self!r}")
        return elements[self.index + distance]

    def __sub__(self, distance: int) -> Any:
        return self + -distance if is_number(distance) else NotImplemented

    def __next__(self) -> Any:
        """``next(level)``: the element after this one; ``next(level, 0)`` starts again behind the last."""
        try:
            return self + 1
        except NoElement:
            raise StopIteration from None

    def __repr__(self) -> str:
        return f"{type(self).__name__.lower()}{self.first + self.index}"


class Counter:
    """A fresh counter, such as a generation number: compared, and advanced with `fresh`.  Any number of times: exploring
    keeps only the order of the values that are still stored somewhere."""

    def __init__(self, value: int = 0) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return self._same(other) and self.value == self._number(other)

    def __hash__(self) -> int:
        return hash(self.value)

    def __lt__(self, other: Any) -> bool:
        return self.value < self._number(other)

    def __le__(self, other: Any) -> bool:
        return self.value <= self._number(other)

    def __gt__(self, other: Any) -> bool:
        return self.value > self._number(other)

    def __ge__(self, other: Any) -> bool:
        return self.value >= self._number(other)

    def _same(self, other: object) -> bool:
        return type(self) is type(other) or isinstance(other, int)

    def _number(self, other: Any) -> int:
        """The value of another counter, or the literal 0."""
        return other if isinstance(other, int) else int(other.value)

    def __repr__(self) -> str:
        return f"{type(self).__name__.lower()} {self.value}"


class OrderedEnum(enum.Enum):
    """An enumeration whose members are compared in the order in which they are listed, such as a scope of a flush."""

    def __lt__(self, other: Any) -> bool:
        if not isinstance(other, type(self)):
            return NotImplemented
        members = list(type(self))
        return members.index(self) < members.index(other)

    def __le__(self, other: Any) -> bool:
        return self is other or self < other

    def __next__(self) -> Any:
        """``next(scope)``: the member that is listed after this one; ``next(scope, Scope.NONE)`` starts again behind the last."""
        members = list(type(self))
        behind = members[members.index(self) + 1 :]
        if not behind:
            raise StopIteration
        return behind[0]


@dataclass(frozen=True)
class Size:
    """A number that the sizes of a run decide: so many times a product of sorts' sizes, for each of `products`, added up."""

    products: tuple[tuple[tuple[Any, ...], int], ...]

    def at(self, size_of: Callable[[Any], int]) -> int:
        return sum(times * math.prod(map(size_of, sorts)) for sorts, times in self.products)

    @property
    def sorts(self) -> tuple[Any, ...]:
        return tuple(sort for sorts, _ in self.products for sort in sorts)

    def __add__(self, other: Any) -> Size:
        return Size((*self.products, *_size(other).products))

    def __mul__(self, other: Any) -> Size:
        pairs = itertools.product(self.products, _size(other).products)
        return Size(tuple(((*a, *b), m * n) for (a, m), (b, n) in pairs))

    def __neg__(self) -> Size:
        return self * -1

    def __sub__(self, other: Any) -> Size:
        return self + -_size(other)

    def __rsub__(self, other: Any) -> Size:
        return _size(other) - self

    __radd__, __rmul__ = __add__, __mul__


def _size(number: Any) -> Size:
    """A number, or one that sizes decide, as the latter."""
    if not isinstance(number, Size) and type(number) is not int:
        raise TypeError(f"sizes and whole numbers are calculated with, and {number!r} is none")
    return number if isinstance(number, Size) else Size((((), number),))


@dataclass(frozen=True)
class Range:
    """``Annotated[int, Range(0, 3)]``: an integer from `lo` to `hi`, both included.  A bound may speak of a sort's size:
    ``Range(0, 2 * size(Cpu) - 1)``."""

    lo: int | Size
    hi: int | Size


# ---------------------------------------------------------------------------------------------------------------- state


class Map(Generic[*Ts]):
    """A total map: ``Map[Vm, Cpu, Optional[Vcpu]]`` leads from a VM and a CPU to a vcpu or None.

    The last argument is the value's sort, the others are the index.  ``m[vm, cpu]`` reads and ``m[vm, cpu] = v`` writes a
    location; ``m[vm, :] = v`` writes all of a row, ``m[...] = v`` everything.  A part that is built for given sorts makes its
    maps itself: ``self.entry = Map(Cpu, *tag, bool)``; without an index it is a variable like any other.

    view: what it is in the machine, for pictures of it; state that an annotation declares says so by
    ``Annotated[Map[Cpu, Vm, bool], View("cache", "TLB", tag=1)]``.
    """

    def __init__(self, *sorts: Any, ghost: bool = False, doc: str = "", view: View | None = None) -> None:
        self.sorts, self.ghost, self.doc, self.view = sorts, ghost, doc, view

    def __getitem__(self, index: Any) -> Any:
        raise TypeError("a map is read inside a system's methods")

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError("a map is written inside a system's methods")


class Kind(enum.Enum):
    """How a declared state variable may be used."""

    RIGID = "rigid"
    GHOST = "ghost"


Rigid = Annotated[T, Kind.RIGID]
"""``Rigid[Map[Vcpu, Vm]]``: never changes; starts with any value that the axioms allow."""

Ghost = Annotated[T, Kind.GHOST]
"""``Ghost[Map[Cpu, bool]]``: for properties alone; no guard and no other state depends on it."""


def _too_early() -> ModelError:
    """What is said of a knob that is asked for its value where there is none yet."""
    frame = sys._getframe(2)
    return ModelError(
        "a knob has no value while the class is made: a policy gives it one",
        Place(frame.f_code.co_filename, frame.f_lineno),
        hint="Ask self.<knob> in a method.",
    )


@dataclass(frozen=True, eq=False)
class Knob:
    """A choice that a policy makes once and for all: a flush's scope, an order of stores, a hardware assumption.

    sort: `bool`, or an `enum.Enum` class; default: its value where neither the policy nor the user sets it;
    toggle: it is an assumption about the hardware, or a situation, rather than a choice of the software.
    order: which values do all that others do, and more, so that nothing that those prevent is possible under them: "rising" if
        each does more than those listed before it, "falling" if it does less, pairs (weaker, stronger) of values where not all
        can be compared; None where no such thing is claimed.
    """

    sort: type
    default: Any
    doc: str
    toggle: bool = False
    order: str | tuple[tuple[Any, Any], ...] | None = None

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self

    def __bool__(self) -> bool:
        raise _too_early()

    def __eq__(self, other: object) -> bool:
        if other is None or isinstance(other, (bool, enum.Enum)):
            raise _too_early()
        return self is other

    __hash__ = object.__hash__

    def values(self) -> tuple[Any, ...]:
        """All values, as they are listed."""
        return (False, True) if self.sort is bool else tuple(self.sort)  # type: ignore[arg-type]

    @staticmethod
    def text(value: Any) -> str:
        """A value as it is written on the command line, where it is not: `on`, `off`, `inner-shareable`."""
        if isinstance(value, bool):
            return "on" if value else "off"
        return value if is_text(value) else str(value.name).lower().replace("_", "-")


@dataclass(frozen=True)
class Expect:
    """The verdict that a policy must give under further settings: "holds", or the name of the violated property.

    sizes: by the sorts' names, or given by the sorts themselves.
    """

    verdict: str
    knobs: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[Any, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", by_name(self.sizes))


def by_name(sizes: Any) -> Any:
    """Sizes by the names of their sorts, where some are given by the sorts themselves: `{Cpu: 3}`."""
    if not isinstance(sizes, Mapping):
        return sizes
    return {k.__name__ if isinstance(k, type) and issubclass(k, Sort) else k: size for k, size in sizes.items()}


@dataclass(frozen=True)
class Policy:
    """A named set of knobs, with the verdict that it must give.

    expect: "holds", or the property that is violated: the one that the discussion was about, whose shortest violation is the
        trace that is shown, even if another property can be violated sooner.
    also: verdicts under other settings, such as the opposite hardware assumption.
    """

    doc: str
    knobs: Mapping[str, Any]
    expect: str
    also: tuple[Expect, ...] = ()


# ------------------------------------------------------------------------------------------------------ steps, properties


@dataclass(frozen=True)
class Role:
    """What a decorated method is."""

    kind: str
    sorts: tuple[Any, ...] = ()
    name: str = ""
    because: str = ""
    reached_by: str | Mapping[str, Any] | None = field(default=None, hash=False)

    @property
    def word(self) -> str:
        """What is written above the method, without its arguments."""
        return self.kind if self.reached_by is None else "initially"


def attributes(cls: type) -> dict[str, Any]:
    """What a class has under each name, inherited or its own, as it was written: the names of the base classes come first."""
    return {name: value for c in reversed(cls.__mro__) for name, value in vars(c).items()}


def role_of(function: Any) -> Role | None:
    """The role that a decorator gave to a method."""
    found = getattr(function, "__flushproof__", None)
    return found if isinstance(found, Role) else None


def _mark(function: F, role: Role) -> F:
    if not hasattr(function, "__get__"):  # the decorator was called with something else than the method below it
        frame, hint = sys._getframe(2), f"Write @{role.kind} alone."
        raise ModelError(f"@{role.kind} takes no argument", Place(frame.f_code.co_filename, frame.f_lineno), hint=hint)
    other = role_of(function)
    if other is not None:
        code = getattr(function, "__code__", None)
        raise ModelError(
            f"'{getattr(function, '__name__', function)}' has two roles: {other.kind} and {role.kind}",
            Place(code.co_filename, code.co_firstlineno) if code else None,
            hint="Write one decorator above it.",
        )
    function.__flushproof__ = role  # type: ignore[attr-defined]
    return function


def _not_bare(given: tuple[Any, ...], bare: str, form: str) -> None:
    """Refuse a decorator that was given the method itself, since its parentheses were forgotten."""
    if given and isinstance(given[0], types.FunctionType):
        code = given[0].__code__
        raise ModelError(
            f"{bare} needs an argument", Place(code.co_filename, code.co_firstlineno), hint=f"Write {form}."
        )


def action(function: F) -> F:
    """An atomic step.  It may happen whenever all that it `require`s holds, for any values of its parameters.

    The first line of its docstring is what a trace says, with parameters and variables in braces.
    """
    return _mark(function, Role("action"))


def process(*sorts: Any) -> Callable[[F], F]:
    """A procedure in several atomic steps, one running instance for each element of the sorts (``@process(Cpu)``).

    A step ends at each ``yield "label"``, where anything else may happen, and the label names the step that follows.  A trace
    shows what stands in its braces (``yield "frees {page}"``): parameters, and variables, as they are at the label or, if they
    have no value there, as the step makes them.  The procedure starts over when it returns.
    """
    _not_bare(sorts, "@process", "@process(Cpu)")
    return lambda function: _mark(function, Role("process", sorts))


def event(function: F) -> F:
    """Something that changes no state but may show a violation, such as a TLB hit: it `check`s properties, for all values of
    its parameters, and becomes the last step of a trace.  The first docstring line is what a trace says."""
    return _mark(function, Role("event"))


def invariant(because: str) -> Callable[[F], F]:
    """A property of every reachable state: the method returns whether it holds.  Its name is the method's, with hyphens.

    because: the sentence that explains a violation, with the variables of the outermost `all(...)` in braces.
    """
    _not_bare((because,), "@invariant", '@invariant("what is wrong")')
    return lambda function: _mark(function, Role("invariant", because=because))


def reachable(function: F) -> F:
    """A state that must be reached in at least one interleaving, or else the model does less than it claims."""
    return _mark(function, Role("reachable"))


def progress(*labels: str) -> Callable[[F], F]:
    """Steps that get something done: those that begin at one of these labels, or the actions of these names.  In every execution
    without an end one of them is taken again and again, as long as whoever could go on all the time does so in the end.  The method
    has a docstring only, which says what gets done."""
    _not_bare(labels, "@progress", '@progress("the step\'s label")')
    return lambda function: _mark(function, Role("progress", labels))


def lemma(function: F) -> F:
    """An auxiliary invariant for proofs."""
    return _mark(function, Role("lemma"))


def hint(function: F) -> F:
    """A condition on its parameters that is worth speaking of when lemmas are looked for; it need never hold.  It may still
    be called as a helper."""
    return _mark(function, Role("hint"))


def after(*labels: str) -> Callable[[F], F]:
    """In a proof: what its ghosts note down at the end of each step that begins at one of these labels, or of the action,
    process or @initially of that name.  The parameters are the step's own variables, by their names: parameters, choices and
    locals.  Where a step goes on in several ways, it is noted down on those that have these variables at their end."""
    _not_bare(labels, "@after", '@after("the step\'s label")')
    return lambda function: _mark(function, Role("after", labels))


def before(*labels: str) -> Callable[[F], F]:
    """In a proof: the same at the beginning of each of these steps, when all is as the step finds it."""
    _not_bare(labels, "@before", '@before("the step\'s label")')
    return lambda function: _mark(function, Role("before", labels))


@overload
def initially(function: F) -> F: ...


@overload
def initially(*, reached_by: str | Mapping[str, Any]) -> Callable[[F], F]: ...


def initially(function: Any = None, *, reached_by: str | Mapping[str, Any] | None = None) -> Any:
    """Sets the initial state, where the defaults (None, False, the first member, any element) do not fit.

    ``@initially(reached_by="fixed")``: the policy under check begins in any state that this policy of the system reaches, or that
    it reaches itself with other knobs (``reached_by={"flush": Scope.ALL}``).  The method is the step with which it takes over: it
    is possible where what it `require`s holds (a steady state, say), and may set state.  Its docstring is what a trace says.
    """
    if reached_by is None:
        return _mark(function, Role("initially"))
    return lambda method: _mark(method, Role("action", reached_by=reached_by))


def axiom(function: F) -> F:
    """A fact about rigid maps: the method returns whether it holds."""
    return _mark(function, Role("axiom"))


def final(function: F) -> F:
    """A state in which it is right that nothing more can happen: no deadlock."""
    return _mark(function, Role("final"))


def closure(function: F) -> F:
    """Hardware that acts by itself within every step, after it: what the method does is done again after each step.

    It must be monotone (it only adds what *may* be cached), so that doing it at once is the worst case.
    """
    return _mark(function, Role("closure"))


# -------------------------------------------------------------------------------------------------------------- statements


def require(condition: Any) -> None:
    """The step is possible only where this holds."""
    if not condition:
        raise NotEnabled


def choose(sort: Any, where: Callable[[Any], Any] | None = None) -> Any:
    """Any element of the sort (for which `where` holds); the step is possible for each."""
    return _runtime().choice(sort, where)


def check(name: str, condition: Any, because: str) -> None:
    """In an event or a step: the property `name` demands this wherever Python comes here.  `because` explains a violation, with
    parameters in braces."""
    _runtime().checked(name, condition)


def fresh(counter: type[T]) -> T:
    """A value greater than every value of this counter that is stored anywhere."""
    found: T = _runtime().fresh_value(counter)
    return found


def cost(name: str) -> None:
    """The step executes an operation that costs something: one more `name`, such as `bc_tag`, in what traces and explorations
    count (`flushproof.model.hardware.costs` lists the names in use).  It changes no state."""
    _runtime().counted(name)


def occurs(name: str) -> None:
    """The step is an event of the world, such as a `vcpu_load`: what costs are counted by, and what a workload has rates for
    (`flushproof.model.hardware.events` lists the names in use).  It changes no state, and no trace shows it."""
    _runtime().occurred(name)


def dropped(entry: Any) -> None:
    """The step drops this cached entry, a location of a Map[..., bool], if it is there: counted like an operation, and
    `flushproof costs` says whether any property required it."""
    if entry:
        _runtime().counted(DROPPED)


def size(sort: Any) -> Any:
    """How many elements the sort has: a number inside of methods; in the class, what a `Range` may end at."""
    runtime = running.get(None)
    return Size((((sort,), 1),)) if runtime is None else len(runtime.elements(sort))


def count(values: Iterable[Any]) -> int:
    """How many of these conditions hold, ``count(self.on[c] for c in Cpu)``, or elements there are,
    ``count(c for c in Cpu if self.on[c])``."""
    return sum(1 for value in values if value is not False)


def at(process: Any, *where: Any) -> bool:
    """``at(self.vcpu_run, cpu, "label", ...)``: whether that process waits at one of these labels."""
    return _runtime().waits_at(process, *where)


def local(process: Any, *where: Any) -> Any:
    """``local(self.vcpu_run, cpu, "vcpu")``: that process's local variable, for lemmas; a helper's is ``"helper.name"``.

    It is what the process keeps in its state: defined only at the labels from which the variable may still be read, and elsewhere
    the default of its sort.  So Python itself has no such value, and only formulas can tell of it.
    """
    raise TypeError("a local variable is read inside lemmas only")


def each(*sorts: Any) -> Iterator[tuple[Any, ...]]:
    """All tuples of elements: ``for entry in each(Vmid, Vcpu)``."""
    return itertools.product(*map(_runtime().domain, sorts))


# ----------------------------------------------------------------------------------------------------- parts and systems


class Part:
    """A piece of hardware or software with state, steps and helpers of its own, used as a class attribute of a system.

    A function among its attributes is a callback into the owner: the system's rule for what the part cannot know.
    A part with `acquire` and `release` can be held: ``with self.lock(cpu):``.  If it has `resume` as well, that is called with the
    same arguments at the beginning of each step within the block: what it requires, each of them requires.
    """

    @contextlib.contextmanager
    def __call__(self, *args: Any) -> Iterator[None]:
        self.acquire(*args)  # type: ignore[attr-defined]
        held = _runtime().held
        held.append((self, args))
        try:
            yield
        finally:
            held.pop()
            self.release(*args)  # type: ignore[attr-defined]


class System:
    """What is checked: state, steps, properties, knobs and named policies.

    name: as on the command line (by default made from the class's name); sizes: default number of elements of each sort.

    ``class SwitchProof(Switch, proof=True)`` is no other system but the proof of `Switch`: lemmas, hints, and the ghosts that only
    they read, which @before and @after note down.  `prove` alone reads it.
    """

    name: ClassVar[str] = ""
    sizes: ClassVar[Mapping[Any, int]] = {}
    policies: ClassVar[Mapping[str, Policy]] = {}

    asks: ClassVar[tuple[str, ...]] = ()
    """Built-in properties that are looked for besides those that always are: ``asks = ("no-stuck",)``."""

    proves: ClassVar[type[System] | None] = None
    """Of a proof, the system that it is about."""

    def __init_subclass__(cls, *, proof: bool = False) -> None:
        super().__init_subclass__()
        cls.proves = cls.__base__ if proof else None
        for name, value in vars(cls).items():
            if name != "policies" and isinstance(value, dict) and any(isinstance(p, Policy) for p in value.values()):
                frame = sys._getframe(1)
                raise ModelError(
                    f"{cls.__name__}.{name} holds policies, and nothing reads it",
                    Place(frame.f_code.co_filename, frame.f_lineno),
                    hint="Did you mean 'policies'?",
                )


def system_name(cls: type[System]) -> str:
    """`kvm-vcpu-switch`; without a `name`, `VcpuSwitch` is called `vcpu-switch`."""
    if cls.proves is not None:
        return system_name(cls.proves)
    if cls.name:
        return cls.name
    return "".join("-" + c.lower() if c.isupper() and i else c.lower() for i, c in enumerate(cls.__name__))
