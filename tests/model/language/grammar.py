"""Random systems as source text, from a grammar of everything that the language has, in all nestings.

`source(seed)` is the text of a module with a class `Generated`; `load(text, folder, name)` imports it from a file of its own, since
the compiler reads the source.  Names are chosen badly on purpose, labels recur, and some texts are wrong: a system may be refused,
but must never be read otherwise than Python reads it.
"""

from __future__ import annotations

import importlib.util
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

Type = str
"""`bool`, `int`, the name of a sort, enumeration or counter, `?` and one of these for an optional, `(A,B)` for a tuple."""

SORTS, ENUMS = ("A", "B", "L"), {"E": ("RED", "GREEN", "BLUE"), "O": ("LOW", "MID", "HIGH"), "I": ("ONE", "TWO")}
ORDERED = ("int", "L", "O", "I", "G")
PLAIN = ("bool", "int", *SORTS, *ENUMS)
INDICES = ("A", "A", "B", "B", "L", "E", "bool", "?A", "I")
STATE_NAMES = (
    "on",
    "owner",
    "m",
    "pc",
    "start",
    "value",
    "count",
    "x2",
    "held",
    "home",
    "each",
    "choice",
    "run2",
    "level",
)
LOCAL_NAMES = (
    "a",
    "b",
    "c",
    "x",
    "y",
    "v",
    "w",
    "pc",
    "value",
    "x2",
    "t",
    "t2",
    "got",
    "this",
    "each1",
    "element",
    "start",
)
RARE_NAMES = ("len", "max", "zip", "on", "Other", "self2", "_", "initially", "sum")
LABELS = ("wait", "wait", "wait (2)", "go", "step", "wait  ", "x", "pc", "done", "go (2)")

HEADER = '''\
import enum
from typing import Annotated, Optional

from flushproof.model.language import *


class A(Sort):
    """Elements."""


class Other(Sort):
    """What B is one of."""


class B(Other):
    """Others."""


class Ordered(Sort, ordered=True):
    """What L is one of."""


class L(Ordered):
    """Levels."""


class G(Counter):
    """Generations."""


class E(enum.StrEnum):
    RED = "GREEN"
    GREEN = "RED"
    BLUE = "blue"


class O(OrderedEnum):
    LOW = 2
    MID = 0
    HIGH = 1


class I(enum.IntEnum):
    ONE = 1
    TWO = 2


class Words(int):
    """A number of a class of its own."""


THRESHOLD, PAIR = 2, Words(2)


def apart(x, y):
    return x != y


class Lock(Part):
    holder: Optional[A]

    def acquire(self, who):
        require(self.holder is None)
        self.holder = who

    def release(self, who):
        self.holder = None


class Ticket(Lock):
    turn: bool

    def acquire(self, who):
        require(not self.turn)
        super().acquire(who)
        self.turn = self.holder is not None

    def release(self, who):
        super().release(who)
        self.turn = False


class Locks(Part):
    taken: Map[B, bool]
    turn: Map[B, bool]

    def acquire(self, b, *more):
        require(not self.taken[b])
        self.taken[b] = True

    def resume(self, b, *more):
        require(self.taken[b])
        self.turn[b] = not self.turn[b]

    def release(self, b, *more):
        self.taken[b] = False


class Cache(Part):
    def __init__(self, *sorts, walk):
        self.sorts = sorts
        self.walk = walk
        self.entry = Map(A, *sorts, bool)

    @closure
    def fill(self):
        for a in A:
            for e in each(*self.sorts):
                if self.walk(a, *e):
                    self.entry[a, *e] = True

    def drop(self, a, *entry):
        self.entry[a, *entry] = False


shared = Lock()
Small = Annotated[int, Range(0, 3)]
MaybeA, MaybeB, MaybeE, MaybeL, MaybeI, MaybeO = (Optional[s] for s in (A, B, E, L, I, O))
MaybeSmall, Maybebool = Optional[Small], Optional[bool]
'''


class NoWay(Exception):
    """Nothing in scope makes such an expression."""


@dataclass(frozen=True)
class State:
    """Declared state: how a method reaches it, its index and its sort."""

    text: str
    index: tuple[Type, ...]
    type: Type
    kind: str = "state"


@dataclass(frozen=True)
class Helper:
    """A method to call: its parameters with those that have a default, what it returns, whether it takes steps or has effects, and
    what stands between its parentheses."""

    text: str
    params: tuple[tuple[str, Type], ...]
    result: Type | None
    steps: bool = False
    effects: bool = False
    keyword: str = ""
    star: bool = False
    header: str = ""

    @property
    def above(self) -> Helper:
        """The one that a method of the same name in a class below finds above itself."""
        return replace(self, text=self.text.replace("self.", "super().", 1))


def annotation(type: Type) -> str:
    if type.startswith("?"):
        return f"Optional[{annotation(type[1:])}]"
    return "Annotated[int, Range(0, 3)]" if type == "int" else type


def parts(type: Type) -> tuple[Type, ...]:
    return tuple(type[1:-1].split(","))


class Writer:
    """Writes one module.

    members: the methods of this class so far.
    scope: local names with their types; mode: "step" (may choose and change state) or "pure"; avoid: state that is not to be read;
    written: what this member has written, with how it said where, and the names that were in scope there.
    """

    def __init__(self, seed: int) -> None:
        self.r = random.Random(seed)
        self.lines: list[str] = []
        self.depth = 0
        self.state: list[State] = []
        self.helpers: list[Helper] = []
        self.scope: dict[str, Type] = {}
        self.mode = "pure"
        self.avoid: set[str] = set()
        self.written: dict[State, tuple[str, dict[str, Type]]] = {}
        self.looping = 0
        self.inner = 0
        self.process = False
        self.lock: list[tuple[str, tuple[Type, ...]]] = []
        self.ghostly = False
        self.where = False
        self.used = 0
        self.result: Type | None = None
        self.name_of_class = "Generated"
        self.members: set[str] = set()
        self.constants: list[tuple[str, Type]] = []
        self.selfless = False
        self.actions: list[Helper] = []
        self.processes: list[tuple[Helper, str]] = []

    # ------------------------------------------------------------------------------------------------------------- small

    def maybe(self, chance: float) -> bool:
        return self.r.random() < chance

    def pick(self, ways: Any) -> Any:
        return self.r.choice(list(ways))

    def put(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    @contextmanager
    def block(self, text: str) -> Iterator[None]:
        """An indented block, in which new names are as good as unknown behind it."""
        self.put(text)
        self.depth += 1
        scope, count = dict(self.scope), len(self.lines)
        yield
        if len(self.lines) == count:
            self.put("pass")
        self.depth -= 1
        self.scope = {n: t for n, t in self.scope.items() if scope.get(n) == t}

    @contextmanager
    def inside(self, names: dict[str, Type]) -> Iterator[None]:
        """An expression's own scope, in which nothing is chosen."""
        scope, mode = self.scope, self.mode
        self.scope, self.mode = {**scope, **names}, "pure"
        self.inner += 1
        try:
            yield
        finally:
            self.scope, self.mode = scope, mode
            self.inner -= 1

    def name(self) -> str:
        return self.pick(RARE_NAMES if self.maybe(0.03) else LOCAL_NAMES)

    def any_type(self, tuples: bool = False) -> Type:
        roll = self.r.random()
        if roll < 0.12 and tuples:
            return f"({self.any_type()},{self.any_type()})"
        if roll < 0.3:
            return "?" + self.pick(("A", "B", "int", "E", "A"))
        return self.pick((*PLAIN, "A", "B", "bool"))

    # ------------------------------------------------------------------------------------------------------- expressions

    def e(self, type: Type, depth: int) -> str:
        """An expression of this type."""
        scope = dict(self.scope)
        for _ in range(8):
            try:
                return self.pick(self.ways(type, depth))()
            except NoWay:
                self.scope = dict(scope)
        for way in (lambda: self.variable(type), lambda: self.literal(type), lambda: self.read(type, -1)):
            try:
                return way()
            except NoWay:
                continue
        raise NoWay

    def ways(self, type: Type, depth: int) -> list[Callable[[], str]]:
        simple: list[Callable[[], str]] = [lambda: self.variable(type), lambda: self.literal(type)]
        simple += [lambda: self.read(type, depth - 1)] * 2
        if self.mode == "step" and not self.looping:
            simple.append(lambda: self.chosen(type, depth))
        if depth <= 0:
            return simple
        if type.startswith("("):
            return [*simple, lambda: f"({self.e(parts(type)[0], depth - 1)}, {self.e(parts(type)[1], depth - 1)})"]
        found = [*simple, *simple, lambda: self.conditional(type, depth), lambda: self.called(type, depth)]
        found += [lambda: self.of_lambda(type, depth), lambda: self.from_tuple(type, depth)]
        if type.startswith("?"):
            found += [lambda: self.e(type[1:], depth - 1)] * 2
        elif self.maybe(0.15) and type != "bool":
            found.append(lambda: self.unwrapped(type, depth))
        if type == "bool":
            found += [lambda: self.comparison(depth)] * 5 + [lambda: self.junction(depth)] * 3
            found += [lambda: self.quantified(depth)] * 2 + [lambda: f"(not {self.e('bool', depth - 1)})"]
            found += [lambda: self.chain(depth), lambda: self.member(depth), lambda: self.bits(depth)]
            found += [lambda: self.tuples(depth)]
        if type == "int":
            found += [lambda: self.arithmetic(depth)] * 2
        if type in ORDERED and self.maybe(0.2):
            found.append(lambda: self.extreme(type, depth))
        if type in ("L", "O") and self.maybe(0.3):
            found.append(lambda: self.following(type, depth))
        if self.mode == "step" and not self.looping and not self.inner and not type.startswith("("):
            found.append(lambda: self.walrus(type, depth))
        return found

    def simple(self, type: Type) -> str:
        """A variable or a literal."""
        try:
            return self.variable(type)
        except NoWay:
            return self.literal(type)

    def optional(self, type: Type, depth: int) -> str:
        """Something that may really be None."""
        ways = [lambda: self.variable(type), lambda: self.read(type, depth - 1), lambda: self.read(type, depth - 1)]
        if depth > 0:
            ways += [lambda: self.called(type, depth - 1), lambda: self.conditional(type, depth - 1)]
        scope = dict(self.scope)
        for _ in range(4):
            try:
                return str(self.pick(ways)())
            except NoWay:
                self.scope = dict(scope)
        raise NoWay

    def variable(self, type: Type) -> str:
        mine = [n for n, t in self.scope.items() if t == type]
        mine += [f"{n}[{i}]" for n, t in self.scope.items() if t[0] == "(" for i, p in enumerate(parts(t)) if p == type]
        if not mine:
            raise NoWay
        return self.pick(mine)

    def literal(self, type: Type) -> str:
        mine = [n for n, t in self.constants if t == type and not (self.selfless and n.startswith("self."))]
        if mine and self.maybe(0.4):
            return self.pick(mine)
        match type:
            case "bool":
                simple = self.selfless or self.maybe(0.3)
                return self.pick(("True", "False")) if simple else self.pick(("self.knob", "self.on_off"))
            case "int":
                return self.pick(("0", "1", "2", "3", "THRESHOLD", "PAIR") if self.maybe(0.95) else ("4", "-1", "len((1, 2))"))
            case "E" | "O" | "I":
                name = self.pick(ENUMS[type])
                return f'{type}["{name}"]' if self.maybe(0.1) else f"{type}.{name}"
            case "L":
                return self.pick("01" if self.maybe(0.98) else "2")
            case "G":
                return "0"
        if type.startswith("?"):
            return "None" if self.maybe(0.4) else self.literal(type[1:])
        raise NoWay

    def read(self, type: Type, depth: int) -> str:
        mine = [s for s in self.state if s.type == type and s.text not in self.avoid]
        mine = [s for s in mine if s.kind != "ghost" or self.ghostly]
        if not mine:
            raise NoWay
        return self.place(self.pick(mine), depth)

    def place(self, state: State, depth: int) -> str:
        if not state.index:
            return state.text
        if depth < 0:
            return f"{state.text}[{', '.join(self.simple(i) for i in state.index)}]"
        whole = f"({','.join(state.index)})"
        if len(state.index) == 2 and self.maybe(0.3):
            named = [n for n, t in self.scope.items() if t == whole]
            if named:
                return f"{state.text}[{self.pick(('', '*'))}{self.pick(named)}]"
        return f"{state.text}[{', '.join(self.e(i, min(depth, 1)) for i in state.index)}]"

    def chosen(self, type: Type, depth: int) -> str:
        if self.used > 3:
            raise NoWay
        self.used += 1
        if type == "G":
            return "fresh(G)"
        if type.startswith("(") or type == "?G":
            raise NoWay
        if depth > 0 and self.maybe(0.4):
            name = self.name()
            with self.inside({name: type}):
                return f"choose({self.domain(type)}, where=lambda {name}: {self.condition(depth - 1)})"
        return f"choose({self.domain(type)})"

    def domain(self, type: Type) -> str:
        """A sort as `choose` and `each` take it."""
        if (type.startswith("?") or type == "int") and self.maybe(0.9):
            return {"int": "Small", "?int": "MaybeSmall"}.get(type, f"Maybe{type[1:]}")
        return annotation(type)

    def conditional(self, type: Type, depth: int) -> str:
        return f"({self.e(type, depth - 1)} if {self.condition(depth - 1)} else {self.e(type, depth - 1)})"

    def condition(self, depth: int) -> str:
        """What stands where it is only asked whether it holds: numbers may be among it."""
        if self.maybe(0.88):
            return self.e("bool", depth)
        number = self.e("int", max(depth - 1, 0))
        if self.maybe(0.3):
            return number
        both = [number, self.e("bool", max(depth - 1, 0))]
        self.r.shuffle(both)
        text = f"({both[0]} {self.pick(('and', 'or'))} {both[1]})"
        return f"(not {text})" if self.maybe(0.2) else text

    def called(self, type: Type, depth: int) -> str:
        mine = [h for h in self.helpers if h.result == type and not h.steps]
        mine = [h for h in mine if not (self.inner and h.text.startswith("super"))]  # which Python looks for in the method alone
        mine = [h for h in mine if not h.effects or (self.mode == "step" and not self.looping)]
        if not mine:
            raise NoWay
        return self.call(self.pick(mine), depth)

    def call(self, helper: Helper, depth: int) -> str:
        given = []
        for name, wanted in helper.params:
            type = wanted
            if wanted == "*":  # of any sort
                type = self.pick(("A", "B", "?A", "int", "E"))
            text = self.e(type, min(depth - 1, 1))
            given.append(f"{name}={text}" if given and self.maybe(0.15) and "=" not in name else text)
            if given[-1] is text and any(
                "=" in g and g.split("=")[0].isidentifier() and "==" not in g for g in given[:-1]
            ):
                given[-1] = f"{name}={text}"
        if len(given) == 2 and self.maybe(0.1) and not any("=" in g for g in given):
            given = [f"*({', '.join(given)})"]
        if helper.keyword and self.maybe(0.5):
            given.append(f"{helper.keyword}={self.e('bool', 0)}")
        elif helper.star and self.maybe(0.5) and not any("=" in g for g in given):
            given.append(self.e("A", 0))
        return f"{helper.text}({', '.join(given)})"

    def of_lambda(self, type: Type, depth: int) -> str:
        name, mine = self.name(), self.any_type()
        argument = self.e(mine, depth - 1)
        if self.maybe(0.3):
            other, second = self.name(), self.any_type()
            if other != name:
                default = self.e(second, 0)
                with self.inside({name: mine, other: second}):
                    return f"(lambda {name}, {other}={default}: {self.e(type, depth - 1)})({argument})"
        with self.inside({name: mine}):
            return f"(lambda {name}: {self.e(type, depth - 1)})({argument})"

    def from_tuple(self, type: Type, depth: int) -> str:
        at = self.r.randrange(2)
        if self.maybe(0.15):
            return f"(({self.e(type, depth - 1)},) * 2)[{at}]"
        both = [self.e(type, depth - 1), self.e(self.any_type(), 0)]
        return f"({both[at]}, {both[1 - at]})[{at if self.maybe(0.7) else at - 2}]"

    def unwrapped(self, type: Type, depth: int) -> str:
        maybe = self.optional("?" + type, 0)
        return maybe if self.maybe(0.3) else f"({maybe} if {maybe} is not None else {self.e(type, depth - 1)})"

    def comparison(self, depth: int) -> str:
        type = self.any_type()
        if type == "bool" or self.maybe(0.25):
            type = self.pick(("A", "B", "?A", "int", "L", "O", "I", "G", "E"))
        operator = self.pick(("==", "!=", "is", "is not", "=="))
        if type in ORDERED and self.maybe(0.6):
            operator = self.pick(("<", "<=", ">", ">="))
        if type in ("int", "I", "G", "?int") and operator.startswith("is"):
            operator = "=="
        if type == "L" and self.maybe(0.7):  # where either may be a number it is refused
            operator = "=="
        left = self.optional(type, depth - 1) if type.startswith("?") else self.e(type, depth - 1)
        if type.startswith("?") and self.maybe(0.6):
            return f"({left} {self.pick(('is', 'is not', '=='))} None)"
        if type == "A" and left.startswith("self.h") and self.maybe(0.3):
            return f"({left} {self.pick(('is', 'is not'))} None)"
        right = self.e(type[1:] if type.startswith("?") and self.maybe(0.5) else type, depth - 1)
        return f"({left} {operator} {right})"

    def junction(self, depth: int) -> str:
        operator = self.pick(("and", "or"))
        some = [n for n, t in self.scope.items() if t.startswith("?")]
        if some and self.maybe(0.4):
            name = self.pick(some)
            scope = self.scope
            self.scope = {**scope, name: scope[name][1:]}
            try:
                rest = self.e("bool", depth - 1)
            finally:
                self.scope = scope
            return f"({name} is not None and {rest})" if operator == "and" else f"({name} is None or {rest})"
        count = 2 if self.maybe(0.8) else 3
        return f"({f' {operator} '.join(self.e('bool', depth - 1) for _ in range(count))})"

    def chain(self, depth: int) -> str:
        type = self.pick((*ORDERED, "A", "E"))
        operators = ("<", "<=", ">", ">=", "==", "!=") if type in ORDERED else ("==", "!=")
        if type in ("A", "E"):
            operators = (*operators, "is", "is not")
        text = self.e(type, depth - 1)
        for _ in range(self.r.randint(2, 3)):
            text += f" {self.pick(operators)} {self.e(type, depth - 1)}"
        return f"({text})"

    def member(self, depth: int) -> str:
        type = self.any_type()
        if type == "int" and self.maybe(0.5):
            numbers = self.pick(("range(2)", "range(1, 1 << 40)", "range(3, -1, -2)", "range(0)"))
            return f"({self.e(type, depth - 1)} {self.pick(('in', 'not in'))} {numbers})"
        items = ", ".join(self.e(type, depth - 1) for _ in range(self.r.randint(1, 3)))
        left, right = self.pick(("()", "()", "[]", "{}"))
        return f"({self.e(type, depth - 1)} {self.pick(('in', 'not in'))} {left}{items},{right})"

    def bits(self, depth: int) -> str:
        return f"({self.e('bool', depth - 1)} {self.pick('&|^')} {self.e('bool', depth - 1)})"

    def tuples(self, depth: int) -> str:
        type = f"({self.any_type()},{self.any_type()})"
        return f"({self.e(type, depth - 1)} {self.pick(('==', '!='))} {self.e(type, depth - 1)})"

    def arithmetic(self, depth: int) -> str:
        return self.pick(
            (
                lambda: f"({self.e('int', depth - 1)} {self.pick('+-')} 1)",
                lambda: f"(1 + {self.e('int', depth - 1)})",
                lambda: f"(({self.e('int', depth - 1)} {self.pick('+-*')} {self.e('int', depth - 1)}) % {self.pick('234')})",
                lambda: f"({self.e('int', depth - 1)} // {self.pick('12')})",
                lambda: f"abs(-{self.e('int', depth - 1)})",
                lambda: f"(sum(({self.e('int', depth - 1)}, {self.e('int', 0)}){self.start()}) % 4)",
                lambda: self.pick(("min(1, 2)", "max((1, 2))", "sum((1, 1))", "(THRESHOLD - 1)", "len((1, 2))")),
            )
        )()

    def start(self) -> str:
        """Where `enumerate` and `sum` begin, if it is said."""
        return self.pick(("", "", ", 1", ", start=1", ", start=PAIR"))

    def following(self, type: Type, depth: int) -> str:
        """The element or member behind one, or the first behind the last."""
        first = "0" if type == "L" else f"{type}.{ENUMS[type][0]}"
        return f"next({self.e(type, depth - 1)}{f', {first}' if self.maybe(0.9) else ''})"

    def extreme(self, type: Type, depth: int) -> str:
        """The smaller or the larger of two."""
        return f"{self.pick(('min', 'max'))}({self.e(type, depth - 1)}, {self.e(type, depth - 1)})"

    def walrus(self, type: Type, depth: int) -> str:
        name = self.name()
        value = self.e(type, depth - 1)
        self.scope[name] = type
        return f"({name} := {value})"

    def iterable(self, depth: int) -> tuple[str, str, dict[str, Type]]:
        """A target, what it goes through, and the variables with their types."""
        one, two = self.name(), self.name()
        while one == two:
            two = self.name()
        match self.r.randrange(12):
            case 0 | 1 | 2 | 3:
                type = self.pick((*SORTS, "A", "B"))
                return one, type, {one: type}
            case 4:
                type = self.pick((*ENUMS, "bool"))
                return one, type, {one: type}
            case 5 | 6:
                types = [self.pick(("A", "B", "E")) for _ in range(2)]
                return f"{one}, {two}", f"each({types[0]}, {types[1]})", {one: types[0], two: types[1]}
            case 7:
                type = self.any_type()
                if self.maybe(0.2):
                    return one, f"({self.e(type, depth - 1)},) * {self.pick('012')}", {one: type}
                left, right = self.pick(("()", "[]"))
                return one, f"{left}{self.e(type, depth - 1)}, {self.e(type, depth - 1)}{right}", {one: type}
            case 8:
                return one, self.pick(("range(2)", "range(1, 3)")), {one: "int"}
            case 9:
                types = [self.any_type(), self.any_type()]
                both = [f"({self.e(t, 0)}, {self.e(t, 0)})" for t in types]
                return f"{one}, {two}", f"zip({both[0]}, {both[1]})", {one: types[0], two: types[1]}
            case 10 if self.maybe(0.3):
                type = self.pick(ENUMS)
                through = self.pick((f"enumerate({type})", f"zip(range(3), {type})", f"enumerate(tuple({type}))"))
                return f"{one}, {two}", through, {one: "int", two: type}
            case 10:
                type = self.any_type()
                inner = f"({self.e(type, 0)}, {self.e(type, 0)})"
                return f"{one}, {two}", f"enumerate({inner}{self.start()})", {one: "int", two: type}
            case _:
                type = f"{self.pick('AB')}"
                return one, f"each({type})", {one: f"({type},{type})"} if self.maybe(0.1) else {}

    def quantified(self, depth: int) -> str:
        target, through, names = self.iterable(depth)
        with self.inside(names):
            clauses = f"for {target} in {through}"
            if self.maybe(0.3):
                clauses += f" if {self.condition(depth - 1)}"
            if self.maybe(0.3):
                more, through, names = self.iterable(depth - 1)
                self.scope = {**self.scope, **names}
                clauses += f" for {more} in {through}"
            if self.maybe(0.15):
                clauses += f" if {self.e('bool', depth - 1)}"
            return f"{self.pick(('any', 'all'))}({self.condition(depth - 1)} {clauses})"

    # -------------------------------------------------------------------------------------------------------- statements

    def body(self, most: int, nesting: int) -> None:
        for _ in range(self.r.randint(1, most)):
            lines, scope = len(self.lines), dict(self.scope)
            depth, looping, avoid = self.depth, self.looping, set(self.avoid)
            try:
                self.statement(nesting)
            except NoWay:
                del self.lines[lines:]
                self.scope, self.depth, self.looping, self.avoid = scope, depth, looping, avoid

    def statement(self, nesting: int) -> None:
        ways: list[Callable[[], None]] = (
            [self.write] * 6 + [self.local] * 3 + [self.augmented, self.effect, self.unpacked]
        )
        if not self.looping:
            ways += [self.require, self.function]
            if self.maybe(0.5):
                ways.append(self.leave)
        if nesting:
            ways += [lambda: self.branch(nesting)] * 3 + [lambda: self.loop(nesting)] * 2
            if self.process and not self.looping:
                ways += [lambda: self.while_(nesting), lambda: self.held(nesting), self.delegate, self.stop]
        elif self.process and not self.looping:
            ways += [self.stop]
        self.pick(ways)()

    def writable(self) -> State:
        mine = [s for s in self.state if s.kind in ("state", "ghost")]
        if self.looping:
            loops = set(self.loop_names.values())
            mine = [s for s in mine if loops <= set(s.index)] or (mine if self.maybe(0.3) else [])
        again = [s for s in self.written if s in mine]
        if again and self.maybe(0.3):  # the last write counts, of those that happen
            return self.pick(again)
        if not mine:
            raise NoWay
        return self.pick(mine)

    def target(self, state: State) -> str:
        if not state.index:
            return state.text
        before, scope = self.written.get(state, ("", {}))
        if before and not self.looping and scope.items() <= self.scope.items() and self.maybe(0.5):
            return before
        if self.looping and self.maybe(0.9):
            left = dict(self.loop_names)
            given = []
            for wanted in state.index:
                name = next((n for n, t in left.items() if t == wanted), None)
                if name is not None and self.scope.get(name) == wanted:
                    left.pop(name)
                    given.append(name)
                else:
                    given.append(self.e(wanted, 1))
            self.avoid.add(state.text)
            return f"{state.text}[{', '.join(given)}]"
        roll = self.r.random()
        if roll < 0.08:
            return f"{state.text}[...]"
        given = [":" if self.maybe(0.12) else self.e(i, 1) for i in state.index]
        if roll < 0.2 and len(state.index) == 2 and state.index[0] == state.index[1]:
            given[1] = given[0]
        return f"{state.text}[{', '.join(given)}]"

    def write(self) -> None:
        state = self.writable()
        if state.kind == "ghost":
            self.ghostly = True
        target = self.target(state)
        value = self.e(state.type, 2)
        if self.looping and not all(name in target for name in self.loop_names) and self.maybe(0.8):
            value = self.literal(state.type)  # one value, wherever the rounds meet
        self.ghostly = False
        if self.maybe(0.05) and not self.looping:
            other = self.pick([s for s in self.state if s.type == state.type and s.kind == state.kind])
            target += f" = {self.target(other)}"
        elif not self.looping:
            self.written[state] = target, dict(self.scope)
        self.put(f"{target} = {value}")

    def augmented(self) -> None:
        mine = [s for s in self.state if s.type == "int" and s.kind == "state"]
        if not mine:
            raise NoWay
        state = self.pick(mine)
        target = self.target(state)
        if self.maybe(0.7):
            with self.block(f"if {self.place(state, 0) if '[' not in target or 'choose' in target else target} < 3:"):
                self.put(f"{target} += 1")
        else:
            self.put(f"{target} {self.pick('+-')}= 1")

    def local(self) -> None:
        name = self.name()
        type = self.scope[name] if name in self.scope and self.maybe(0.5) else self.any_type(tuples=True)
        value = self.e(type, 2)
        if self.maybe(0.2) and (type == "bool" or (type.startswith("?") and type != "?int")):  # which narrows nothing
            self.put(f"{name}: {annotation(type)} = {value}")
        else:
            self.put(f"{name} = {value}")
        self.scope[name] = type

    def unpacked(self) -> None:
        one, two = self.name(), self.name()
        if one == two:
            raise NoWay
        types = [self.any_type(), self.any_type()]
        values = [self.e(t, 1) for t in types]
        self.put(f"{one}, {two} = {values[0]}, {values[1]}")
        self.scope.update({one: types[0], two: types[1]})

    def effect(self) -> None:
        roll = self.r.random()
        if roll < 0.2:
            self.put('cost("ipi")')
        elif roll < 0.3 and any(s.text == "self.cache.entry" for s in self.state):
            self.put(f"dropped({self.place(State('self.cache.entry', ('A', 'B'), 'bool'), 0)})")
        else:
            mine = [h for h in self.helpers if h.effects and not h.steps]
            if not mine or self.looping:
                raise NoWay
            call = self.call(self.pick(mine), 2)
            self.put(f"_ = {call}" if self.maybe(0.1) else call)

    def require(self) -> None:
        self.put(f"require({self.condition(2)})")

    def function(self) -> None:
        """A lambda or a local function that captures what is in scope, and is called."""
        name = self.name()
        mine, type = self.any_type(), self.any_type()
        argument = self.name()
        with self.inside({argument: mine}):
            value = self.e(type, 2)
        if self.maybe(0.6):
            self.put(f"{name} = lambda {argument}: {value}")
        else:
            self.put(f"def {name}({argument}):")
            self.put(f"    return {value}")
        self.scope.pop(name, None)
        given = self.e(mine, 1)
        if self.maybe(0.3):
            self.local()
            if name in self.scope:
                return
        result = self.name()
        if result != name:
            self.put(f"{result} = {name}({given})")
            self.scope[result] = type

    def leave(self) -> None:
        with self.block(f"if {self.condition(2)}:"):
            self.returned()

    def returned(self) -> None:
        self.put(f"return {self.e(self.result, 1)}" if self.result else "return")

    def branch(self, nesting: int) -> None:
        scope = dict(self.scope)
        before = set(self.avoid)
        some = [n for n, t in self.scope.items() if t.startswith("?")]
        narrowed: dict[str, Type] = {}
        if some and self.maybe(0.4):
            name = self.pick(some)
            test, narrowed = f"{name} is not None", {name: self.scope[name][1:]}
        else:
            test = self.condition(2)
        scope = dict(self.scope)
        with self.block(f"if {test}:"):
            self.scope.update(narrowed)
            self.way(nesting)
        after = self.scope
        self.scope = {n: t for n, t in scope.items()}
        if self.maybe(0.2):
            with self.block(f"elif {self.condition(1)}:"):
                self.way(nesting)
        if self.maybe(0.5):
            with self.block("else:"):
                self.way(nesting)
        self.scope = {n: t for n, t in self.scope.items() if after.get(n) == t or n in narrowed}
        self.avoid |= before

    def way(self, nesting: int) -> None:
        """One of a branch's ways, which may end here."""
        self.body(2, nesting - 1)
        if not self.looping and self.maybe(0.2):
            self.returned()

    loop_names: dict[str, Type] = {}

    def loop(self, nesting: int) -> None:
        target, through, names = self.iterable(2)
        fixed = through[0] in "([" or through.startswith(("range", "zip", "enumerate"))
        before = self.loop_names, self.avoid
        with self.block(f"for {target} in {through}:"):
            self.scope.update(names)
            if not fixed:
                self.looping += 1
                self.loop_names = {**self.loop_names, **names}
                self.avoid = set(self.avoid)
                if self.maybe(0.2):
                    with self.block(f"if {self.e('bool', 1)}:"):
                        self.put("continue")
            self.body(2, nesting - 1)
            if fixed and self.maybe(0.2) and not self.looping:
                with self.block(f"if {self.e('bool', 1)}:"):
                    self.put(self.pick(("break", "continue", "return" if self.result is None else "break")))
            if not fixed:
                self.looping -= 1
        self.loop_names, self.avoid = before
        if not fixed or self.maybe(0.5):
            for name in names:
                self.scope.pop(name, None)

    # --------------------------------------------------------------------------------------------------------- processes

    def stop(self) -> None:
        self.put(f'yield "{self.pick(LABELS)}"')
        self.used = 0

    def while_(self, nesting: int) -> None:
        if self.maybe(0.3):  # a count
            name = self.name()
            self.put(f"{name} = {self.pick('01')}")
            self.scope[name] = "int"
            test = f"{name} < {self.pick(('2', '3', 'THRESHOLD'))}"
        else:
            name, test = "", self.pick(("True", "")) or self.condition(1)
        with self.block(f"while {test}:"):
            self.stop()
            self.body(2, nesting - 1)
            if test == "True" or self.maybe(0.3):
                with self.block(f"if {self.e('bool', 1)}:"):
                    self.put(self.pick(("break", "break", "continue")))
            if name:
                self.put(f"{name} += 1")
                self.scope[name] = "int"

    def held(self, nesting: int) -> None:
        if not self.lock:
            raise NoWay
        lock, types = self.pick(self.lock)
        with self.block(f"with {lock}({', '.join(self.e(t, 1) for t in types)}):"):
            self.body(2, nesting - 1)
            self.stop()
            self.body(2, nesting - 1)

    def delegate(self) -> None:
        mine = [h for h in self.helpers if h.steps]
        if not mine:
            raise NoWay
        helper = self.pick(mine)
        call = self.call(helper, 1)
        self.used = 0
        if helper.result is None or self.maybe(0.2):
            self.put(f"yield from {call}")
        else:
            name = self.name()
            self.put(f"{name} = yield from {call}")
            self.scope[name] = helper.result

    # ----------------------------------------------------------------------------------------------------------- members

    def member_of(
        self, header: str, params: dict[str, Type], mode: str, write: Callable[[], None], *decorators: str
    ) -> None:
        name = header.partition("(")[0]
        if name in self.members:
            raise NoWay
        for decorator in decorators:
            self.put(decorator)
        self.scope, self.mode, self.avoid, self.looping, self.used = dict(params), mode, set(), 0, 0
        self.loop_names, self.written = {}, {}
        with self.block(header):
            write()
        self.scope = {}
        self.members.add(name)

    def declarations(self) -> None:
        names = self.r.sample(STATE_NAMES, self.r.randint(3, 6))
        for number, name in enumerate(names):
            type = "bool" if number == 0 else self.any_type()
            if self.maybe(0.08):
                type = self.pick(("G", "?G"))
            index = tuple(self.pick(INDICES) for _ in range(self.pick((0, 0, 1, 1, 1, 2))))
            if index.count("?A") == 2 or (len(index) == 2 and type in ("int", "E", "?int")):
                index = index[:1]
            kind = "state"
            text = annotation(type) if not index else f"Map[{', '.join(map(annotation, (*index, type)))}]"
            if self.maybe(0.1) and "G" not in type:
                kind, text = "rigid", f"Rigid[{text}]"
            elif self.maybe(0.08):
                kind, text = "ghost", f"Ghost[{text}]"
            self.put(f"{name}: {text}")
            self.state.append(State(f"self.{name}", index, type, kind))
        self.put('knob = Knob(bool, True, "a choice")')
        self.put(f'on_off = Knob(bool, {self.pick(("True", "False"))}, "another")')
        self.put(f"lock = {'Lock' if self.maybe(0.85) else 'Ticket'}()")
        self.lock = [("self.lock", ("A",))]
        self.state.append(State("self.lock.holder", (), "?A", "part"))
        if self.maybe(0.2):
            self.put("twin = lock")
            self.lock.append(("self.twin", ("A",)))
            self.state.append(State("self.twin.holder", (), "?A", "part"))
        if self.maybe(0.15):
            self.put("one = shared")
            self.put("two = shared")
            self.state += [State("self.one.holder", (), "?A"), State("self.two.holder", (), "?A")]
        if self.maybe(0.3):
            self.put("locks = Locks()")
            self.lock.append(("self.locks", ("B",)))
            self.lock.append(("self.locks", ("B", "A")))

    def part(self) -> None:
        """A part with state, helpers and a part of its own; the system has one or two of it."""
        self.depth, keep = 0, self.state
        self.state = []
        inherits = self.maybe(0.4)
        self.put(f"class {'Crate' if inherits else 'Box'}(Part):")
        self.depth = 1
        self.put('knob = Knob(bool, True, "a choice")')
        self.put('on_off = Knob(bool, True, "a choice")')
        for name in self.r.sample(STATE_NAMES, self.r.randint(1, 2)):
            type = self.any_type()
            index = tuple(self.pick(("A", "B")) for _ in range(self.r.randint(0, 1)))
            text = annotation(type) if not index else f"Map[{', '.join(map(annotation, (*index, type)))}]"
            self.put(f"{name}: {text}")
            self.state.append(State(f"self.{name}", index, type))
        self.put("inner = Lock()")
        self.state.append(State("self.inner.holder", (), "?A"))
        mine, self.helpers = self.helpers, []
        self.helper("get", False)
        self.helper("put", True)
        if self.maybe(0.5):
            self.helper("slow", True, steps=True)
        if self.maybe(0.4):
            self.member_of("def boot(self):", {}, "step", lambda: self.body(2, 1), "@initially")
        if self.maybe(0.4):
            self.member_of("def acts(self, a: A):", {"a": "A"}, "step", lambda: self.body(2, 1), "@action")
        if inherits:
            self.class_below("Box", "Crate")
            self.constants = []
        self.put("")
        self.box_state, self.box_helpers = self.state, self.helpers
        self.state, self.helpers = keep, mine

    box_state: list[State] = []
    box_helpers: list[Helper] = []

    def use_parts(self) -> None:
        for name in self.r.sample(("box", "box2"), self.r.randint(1, 2)):
            self.put(f"{name} = Box()")
            self.state += [
                State(s.text.replace("self.", f"self.{name}.", 1), s.index, s.type, "part") for s in self.box_state
            ]
            for h in self.box_helpers:
                text = h.text.replace("self.", f"self.{name}.", 1)
                self.helpers.append(replace(h, text=text))

    def helper(self, name: str, effects: bool, steps: bool = False) -> None:
        count = self.r.randint(0, 2)
        params = {self.name() if self.maybe(0.5) else "ab"[i]: self.any_type() for i in range(count)}
        params.pop("self2", None)
        result = None if effects and self.maybe(0.3) else self.any_type()
        header = ", ".join(["self", *params])
        keyword = ""
        star = False
        if self.maybe(0.15):
            keyword, header = "deep", header + f", *, deep={self.pick(('True', 'False'))}"
        elif self.maybe(0.1):
            star, header = True, header + ", *more"
        elif self.maybe(0.15):
            keyword, header = "deep", header + ", deep=False"
        generic = not effects and bool(params) and self.maybe(0.15)
        types = tuple((n, "*" if generic else t) for n, t in params.items())
        helper = Helper(
            f"self.{name}", types, "bool" if generic else result, steps, effects, keyword, star, header
        )
        if self.method(name, helper):
            self.helpers.append(helper)

    def method(self, name: str, helper: Helper, *decorators: str) -> bool:
        """Writes a helper, or one that takes its place in a class below; whether there was a way to."""
        effects, result = helper.effects, helper.result
        self.result, self.process = result, helper.steps
        generic = any(t == "*" for _, t in helper.params)
        scope = {n: t for n, t in helper.params if t != "*"} | ({"deep": "bool"} if helper.keyword else {})

        def write() -> None:
            if generic:
                one = helper.params[0][0]
                self.put(f"return {one} {self.pick(('==', '!=', 'is', 'is not'))} {self.pick((one, 'None'))}")
                return
            if effects:
                self.body(3, 1)
            elif self.maybe(0.4):
                self.local()
            if helper.steps:
                self.stop()
                self.body(2, 1)
            if self.maybe(0.3) and not effects:
                self.leave()
            if result is not None:
                self.returned()

        lines = len(self.lines)
        try:
            self.member_of(f"def {name}({helper.header}):", scope, "step" if effects else "pure", write, *decorators)
        except NoWay:
            del self.lines[lines:]
            self.depth = 1
            return False
        finally:
            self.result, self.process = None, False
        return True

    def action(self, number: int) -> None:
        params = {
            self.name(): self.pick(("A", "B", "E", "bool", "L", "?A", "int")) for _ in range(self.r.randint(0, 2))
        }
        given = "".join(f", {n}: {annotation(t)}" for n, t in params.items())
        if params and self.maybe(0.1):
            given = f", *{given}"
        name = self.pick((f"act{number}", f"act{number}", f"initially{number}", f"x{number}"))
        self.member_of(f"def {name}(self{given}):", params, "step", lambda: self.body(4, 2), "@action")
        self.actions.append(Helper(f"self.{name}", tuple(params.items()), None, effects=True, header=f"self{given}"))

    def run_process(self, name: str) -> None:
        sort = self.pick(("A", "B", "A"))
        one = self.name()
        self.process = True

        def write() -> None:
            if self.maybe(0.5):
                self.stop()
            for _ in range(self.r.randint(1, 3)):
                self.body(3, 2)
                self.stop()
            self.body(2, 1)

        self.member_of(f"def {name}(self, {one}):", {one: sort}, "step", write, f"@process({sort})")
        self.process = False
        made = Helper(f"self.{name}", ((one, sort),), None, steps=True, effects=True, header=f"self, {one}")
        self.processes.append((made, sort))

    def property(self, name: str, decorator: str) -> None:
        def write() -> None:
            if self.maybe(0.15):
                self.local()
            if self.maybe(0.1):
                self.result = "bool"
                self.leave()
                self.result = None
            self.put(f"return {self.condition(3)}")

        self.ghostly = decorator.startswith("@inv")
        self.member_of(f"def {name}(self):", {}, "pure", write, decorator)
        self.ghostly = False

    def event(self) -> None:
        params = {self.name(): self.pick(("A", "B", "bool")) for _ in range(self.r.randint(0, 2))}
        given = "".join(f", {n}: {t}" for n, t in params.items())

        def write() -> None:
            if self.maybe(0.5):
                self.require()
            if self.maybe(0.3):
                self.local()
            if self.maybe(0.3):
                target, through, names = self.iterable(1)
                with self.block(f"for {target} in {through}:"):
                    self.scope.update(names)
                    self.put(f'check("looped", {self.e("bool", 2)}, "loop")')
            if self.maybe(0.2):
                self.leave()
            self.put(f'check("no-hit", {self.condition(2)}, "hit")')
            if self.maybe(0.3):
                self.put(f'check("quiet", {self.e("bool", 1)}, "again")')

        self.ghostly = True
        self.member_of(f"def hit(self{given}):", params, "pure", write, "@event")
        self.ghostly = False

    def closure(self, number: int) -> None:
        mine = [s for s in self.state if s.type == "bool" and s.index and s.kind == "state"]
        if not mine:
            return
        state = self.pick(mine)

        def write() -> None:
            names = [f"k{i}" for i in range(len(state.index))]
            with self.block(
                f"for {', '.join(names)}{',' if len(names) == 1 else ''} in each({', '.join(map(self.domain, state.index))}):"
            ):
                self.scope.update(zip(names, state.index, strict=True))
                self.avoid = {state.text}
                with self.block(f"if {self.e('bool', 1)}:"):
                    self.put(f"{state.text}[{', '.join(names)}] = True")

        self.member_of(f"def fill{number}(self):", {}, "pure", write, "@closure")

    def attempt(self, write: Callable[[], None]) -> None:
        lines = len(self.lines)
        try:
            write()
        except NoWay:
            del self.lines[lines:]
        self.depth = 1

    # ------------------------------------------------------------------------------------------------------- inheritance

    def descend(self, name: str) -> None:
        """Goes on in a class below the one that was written so far: alone, beside a plain class, or as the foot of a diamond."""
        above, self.name_of_class = self.name_of_class, name
        roll = self.r.random()
        if roll < 0.3:
            mixin = f"Mixin{len(self.lines)}"
            self.class_below(mixin, "")
            above = self.pick((f"{mixin}, {above}", f"{above}, {mixin}"))
        elif roll < 0.5:
            sides = [f"{side}{len(self.lines)}" for side in ("Left", "Right")]
            for side in sides:
                self.class_below(side, above)
            above = ", ".join(sides)
        self.class_below(name, above)

    def class_below(self, name: str, above: str) -> None:
        """A class that has some members of its own, and some in the place of those that it inherits."""
        self.depth = 0
        self.put("")
        self.put(f"class {name}({above}):" if above else f"class {name}:")
        self.depth = 1
        self.put(f'"""Inherits from {above or "nothing"}."""')
        before, self.name_of_class, self.members = self.name_of_class, name, set()
        for _ in range(self.r.randint(1, 4)):
            ways = [self.constant, self.more_state, self.static, self.property_to_read, self.one_more, self.again, self.again]
            self.attempt(self.pick([*ways, self.again, self.act_again, self.run_again, self.decided]))
        self.name_of_class = before

    def constant(self) -> None:
        """A constant of the class, or one that hides that of a class above."""
        type = self.pick(("int", "bool", "E", "?A"))
        name = {"int": "LIMIT", "bool": "EAGER", "E": "FIRST", "?A": "NOBODY"}[type]
        self.put(f"{name} = {'None' if type == '?A' else self.plain_literal(type)}")
        if (f"self.{name}", type) not in self.constants:
            self.constants.append((f"self.{name}", type))
        self.constants.append((f"{self.name_of_class}.{name}", type))

    def plain_literal(self, type: Type) -> str:
        self.selfless, constants, self.constants = True, self.constants, []
        try:
            return self.literal(type)
        finally:
            self.selfless, self.constants = False, constants

    def more_state(self) -> None:
        name, type = f"more{len(self.lines)}", self.any_type()
        index = tuple(self.pick(("A", "B")) for _ in range(self.r.randint(0, 1)))
        self.put(f"{name}: " + (annotation(type) if not index else f"Map[{', '.join(map(annotation, (*index, type)))}]"))
        self.state.append(State(f"self.{name}", index, type))

    def one_more(self) -> None:
        self.helper(f"h{len(self.lines)}", effects=self.maybe(0.5))

    def static(self) -> None:
        """A helper that knows no system."""
        name, type = f"s{len(self.lines)}", self.any_type()
        params = {n: self.any_type() for n in self.r.sample("abxy", self.r.randint(0, 2))}
        made = Helper(f"self.{name}", tuple(params.items()), type, header=", ".join(params))
        keep = self.state, self.helpers
        self.state, self.helpers, self.selfless = [], [], True
        written = self.method(name, made, "@staticmethod")
        (self.state, self.helpers), self.selfless = keep, False
        if written:
            self.helpers.append(made if self.maybe(0.7) else replace(made, text=f"{self.name_of_class}.{name}"))

    def property_to_read(self) -> None:
        """A property, or one in the place of another: none of them reads one, or two might read each other."""
        mine = [s for s in self.state if s.kind == "property"]
        name, type = f"p{len(self.lines)}", self.any_type()
        if mine and self.maybe(0.5):
            one = self.pick(mine)
            name, type = one.text.removeprefix("self."), one.type
        keep = self.state, self.helpers
        self.state, self.helpers = [s for s in self.state if s.kind != "property"], []
        if (mine := [s for s in keep[0] if s.text == f"self.{name}"]) and self.maybe(0.5):
            self.state.append(replace(mine[0], text=f"super().{name}"))
        made = Helper(f"self.{name}", (), type, header="self")
        written = self.method(name, made, "@property")
        self.state, self.helpers = keep
        if written and not mine:
            self.state.append(State(f"self.{name}", (), type, "property"))

    def again(self) -> None:
        """A helper in the place of the one above, which calls it or not; of others those that were there before it."""
        mine = [h for h in self.helpers if h.text.count(".") == 1 and h.text.startswith("self.") and h.header.startswith("self")]
        if not mine:
            raise NoWay
        helper = self.pick(mine)
        before = self.helpers
        self.helpers = [*before[: before.index(helper)], helper.above, helper.above]
        if not self.method(helper.text.removeprefix("self."), helper):
            self.helpers = before
            raise NoWay
        self.helpers = before

    def act_again(self) -> None:
        """An action in the place of the one above."""
        if not self.actions:
            raise NoWay
        action = self.pick(self.actions)
        before = self.helpers
        self.helpers = before if "*" in action.header else [*before, action.above, action.above, action.above]
        try:
            name = action.text.removeprefix("self.")
            decorators = ("@action",) if self.maybe(0.95) else ()
            self.member_of(f"def {name}({action.header}):", dict(action.params), "step", lambda: self.body(3, 2), *decorators)
        finally:
            self.helpers = before

    def run_again(self) -> None:
        """A process in the place of the one above, which goes through it or not."""
        if not self.processes:
            raise NoWay
        process, sort = self.pick(self.processes)
        before, self.process = self.helpers, True
        self.helpers = [*before, process.above, process.above]

        def write() -> None:
            self.body(2, 1)
            self.stop()
            self.delegate() if self.maybe(0.7) else self.body(2, 2)

        try:
            name = process.text.removeprefix("self.")
            self.member_of(f"def {name}({process.header}):", dict(process.params), "step", write, f"@process({sort})")
        finally:
            self.helpers, self.process = before, False

    def decided(self) -> None:
        """A knob that a class below decides, or has another default for."""
        self.put(self.pick(("knob = True", "knob = False", 'on_off = Knob(bool, False, "another")')))

    def text(self) -> str:
        boxed = self.maybe(0.35)
        if boxed:
            self.part()
        self.depth = 0
        below = self.r.sample(("helpers", "steps", "properties"), self.pick((0, 0, 0, 1, 1, 2)))
        names = ["Generated", *(f"Base{i}" for i in range(len(below)))]
        self.name_of_class = names.pop()
        self.put(f"class {self.name_of_class}(System):")
        self.depth, self.members = 1, set()
        self.declarations()
        if boxed:
            self.use_parts()
        for number in range(self.r.randint(0, 3)):
            self.helper(f"h{number}", effects=False)
        for number in range(self.r.randint(0, 2)):
            self.helper(f"do{number}", effects=True)
        if self.maybe(0.3):
            self.put("def walkable(self, a, b):")
            self.scope, self.mode = {"a": "A", "b": "B"}, "pure"
            self.put(f"    return {self.e('bool', 1)}")
            self.put("cache = Cache(B, walk=walkable)")
            self.state.append(State("self.cache.entry", ("A", "B"), "bool", "part"))
        for number in range(self.r.randint(0, 2)):
            self.helper(f"slow{number}", effects=True, steps=True)
        if "helpers" in below:
            self.descend(names.pop())
        for number in range(self.r.randint(1, 2)):
            self.attempt(lambda number=number: self.action(number))  # type: ignore[misc]
        if self.maybe(0.6):
            self.attempt(lambda: self.run_process("run"))
        if self.maybe(0.15):
            self.attempt(lambda: self.run_process("go"))
        if "steps" in below:
            self.descend(names.pop())
        for number in range(self.pick((0, 0, 0, 1, 1, 2))):
            self.attempt(
                lambda number=number: self.member_of(  # type: ignore[misc]
                    f"def boot{number}(self):", {}, "step", lambda: self.body(2, 1), "@initially"
                )
            )
        for number in range(self.pick((0, 0, 0, 1, 2))):
            if any(s.kind == "rigid" for s in self.state):
                keep, self.state = self.state, [s for s in self.state if s.kind == "rigid"]
                helpers, self.helpers = self.helpers, []
                self.attempt(lambda number=number: self.property(f"fact{number}", "@axiom"))  # type: ignore[misc]
                self.state, self.helpers = keep, helpers
        for number in range(self.pick((0, 0, 0, 0, 1, 2))):
            self.attempt(lambda number=number: self.closure(number))  # type: ignore[misc]
        self.attempt(lambda: self.property("quiet", '@invariant("it is wrong")'))
        if "properties" in below:
            if self.maybe(0.3):
                self.attempt(self.event)
            self.descend(names.pop())
            if self.maybe(0.5):
                quiet = Helper("super().quiet", (), "bool")
                self.helpers += [quiet, quiet]
                self.attempt(lambda: self.property("quiet", '@invariant("it is wrong")'))
                self.helpers = [h for h in self.helpers if h is not quiet]
        if self.maybe(0.6):
            self.attempt(self.event)
        if self.maybe(0.2):
            self.attempt(lambda: self.property("seen", "@reachable"))
        return HEADER + "\n\n" + "\n".join(self.lines) + "\n"


def source(seed: int) -> str:
    """The text of one module."""
    return Writer(seed).text()


def load(text: str, folder: Path, name: str) -> Any:
    """The class `Generated` of a module with this text."""
    path = folder / f"{name}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module.Generated
