"""The table of `test_kinds`: kinds of idioms, each with small systems and what is right."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Union

HEAD = '''
import enum
import functools
from typing import Annotated, Optional

from flushproof.model.language.declare import *


class Cpu(Sort):
    """A CPU."""


class Page(Sort):
    """A page."""


class One(Sort, size=1):
    """A single one."""


class Level(Sort, ordered=True, size=3):
    """Levels with an order."""


class Gen(Counter):
    """A generation."""


class Kind(enum.Enum):
    A = 0
    B = 1
    C = 2


Bit = Annotated[int, Range(0, 1)]
Digit = Annotated[int, Range(0, 9)]


class Lock(Part):
    holder: Optional[Cpu]

    def acquire(self, who):
        require(self.holder is None)
        self.holder = who

    def release(self, who):
        self.holder = None


'''


@dataclass(frozen=True)
class Violated:
    """This property is, and a shortest trace has so many steps; an event is one."""

    prop: str
    steps: int


@dataclass(frozen=True)
class Holds:
    """All properties hold."""


@dataclass(frozen=True)
class Refused:
    """A message says all of these words."""

    words: tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """text: a class body, or a module that defines `Generated`.

    python: Python's own run is compared.
    """

    text: str
    right: Union[Violated, Holds, Refused]
    python: bool = True


NEVER = """
    bad: bool

    @invariant("bad")
    def never(self):
        return not self.bad

    @action
    def idle(self):
        pass
"""


def module(text: str) -> str:
    """The whole text of a case.

    A body has the state `bad`, the invariant that it is never set, and a step that does nothing.
    """
    text = textwrap.dedent(text)
    if "class Generated" in text:
        return HEAD + text
    return HEAD + "class Generated(System):" + NEVER + textwrap.indent(text, "    ")


def bad(text: str, steps: int, python: bool = True) -> Case:
    """The invariant `never` is violated."""
    return Case(text, Violated("never", steps), python)


def breaks(text: str, prop: str, steps: int, python: bool = True) -> Case:
    """Another property is violated."""
    return Case(text, Violated(prop, steps), python)


def fine(text: str, python: bool = True) -> Case:
    return Case(text, Holds(), python)


def refused(text: str, *words: str) -> Case:
    return Case(text, Refused(words))


KINDS: dict[str, dict[str, Case]] = {
    "targets are assigned from left to right": {
        "an index before the name that it uses": bad(
            """
            m: Map[Cpu, bool]

            @action
            def a(self, i: Cpu, j: Cpu):
                require(i != j)
                old = i
                self.m[i], i = True, j
                self.bad = self.m[old] and not self.m[i]
            """,
            1,
        ),
        "a name before the index that uses it": fine(
            """
            m: Map[Cpu, bool]

            @action
            def a(self, i: Cpu, j: Cpu):
                require(all(not self.m[c] for c in Cpu))
                old = i
                i, self.m[i] = j, True
                self.bad = self.m[old] and old != j
            """
        ),
        "a tuple that one of the targets replaces": bad(
            """
            x: bool
            y: bool

            @action
            def a(self):
                t = (True, False)
                t, u = v = t
                self.bad = v == (True, False) and t and not u
            """,
            1,
        ),
        "in a loop's target": bad(
            """
            m: Map[Cpu, Bit]

            @action
            def a(self, c: Cpu, d: Cpu):
                require(c != d)
                i = c
                for self.m[i], i in ((1, d), (0, c)):
                    pass
                self.bad = self.m[c] == 1 and self.m[d] == 0
            """,
            1,
        ),
    },
    "what goes through once": {
        "a generator twice": refused(
            """
            m: Map[Cpu, bool]

            @action
            def a(self):
                g = (self.m[c] for c in Cpu)
                if any(g) or not all(g):
                    self.bad = True
            """,
            "'g'",
            "once",
        ),
        "a zip twice": refused(
            """
            m: Map[Cpu, Bit]

            @action
            def a(self, c: Cpu, d: Cpu):
                pairs = zip((c, d), (0, 1))
                for x, n in pairs:
                    self.m[x] = n
                for x, n in pairs:
                    self.bad = True
            """,
            "'pairs'",
            "once",
        ),
        "each() in a helper": refused(
            """
            m: Map[Cpu, Page, bool]

            def twice(self, pairs):
                for c, p in pairs:
                    self.m[c, p] = True
                if any(True for c, p in pairs):
                    self.bad = True

            @action
            def a(self):
                self.twice(each(Cpu, Page))
            """,
            "'pairs'",
            "once",
        ),
        "enumerate and reversed": refused(
            """
            @action
            def a(self, c: Cpu, d: Cpu):
                r = reversed((c, d))
                self.bad = r == (d, c)
            """,
            "'r'",
        ),
        "a zip is no tuple": refused(
            """
            @action
            def a(self, c: Cpu, d: Cpu):
                self.bad = zip((c,), (d,)) == ((c, d),)
            """,
            "tuple(",
        ),
        "a tuple goes through often": bad(
            """
            m: Map[Cpu, Bit]

            @action
            def a(self, c: Cpu, d: Cpu):
                pairs = tuple(zip((c, d), (0, 1)))
                for x, n in pairs:
                    self.m[x] = n
                for x, n in pairs:
                    self.bad = n == 1 and x is d
            """,
            1,
        ),
    },
    "what a short circuit does not evaluate": {
        "require in any() of a tuple": bad(
            """
            m: Map[Cpu, bool]
            n: Map[Cpu, bool]

            def ok(self, c):
                require(self.n[c])
                return self.m[c]

            @action
            def set(self, c: Cpu):
                require(all(not self.m[d] for d in Cpu))
                self.m[c] = True
                self.n[c] = True

            @action
            def a(self, c: Cpu, d: Cpu):
                require(c is not d and self.m[c] and not self.n[d])
                if any(self.ok(x) for x in (c, d)):
                    self.bad = True
            """,
            2,
        ),
        "require in all() of a tuple": bad(
            """
            n: Map[Cpu, bool]

            def ok(self, c):
                require(self.n[c])
                return False

            @action
            def set(self, c: Cpu):
                require(all(not self.n[d] for d in Cpu))
                self.n[c] = True

            @action
            def a(self, c: Cpu, d: Cpu):
                require(not self.n[d])
                if not all(self.ok(x) for x in (c, d)):
                    self.bad = True
            """,
            2,
        ),
        "check in any() of a tuple": Case(
            """
            class Generated(System):
                m: Map[Cpu, bool]

                def seen(self, c):
                    check("none", not self.m[c], because="set")
                    return True

                @action
                def a(self, c: Cpu):
                    require(all(not self.m[d] for d in Cpu))
                    self.m[c] = True

                @action
                def idle(self):
                    pass

                @event
                def e(self, c: Cpu, d: Cpu):
                    require(not self.m[c])
                    if any(self.seen(x) for x in (c, d)):
                        return
            """,
            Holds(),
        ),
        "check in any() of a sort": refused(
            """
            m: Map[Cpu, bool]

            def seen(self, c):
                check("none", not self.m[c], because="set")
                return True

            @event
            def e(self, c: Cpu):
                if any(self.seen(x) for x in Cpu):
                    return
            """,
            "check",
        ),
        "require in an operand of and": bad(
            """
            m: Map[Cpu, bool]

            def ok(self, c):
                require(self.m[c])
                return True

            @action
            def a(self, c: Cpu):
                x = self.m[c] and self.ok(c)
                self.bad = not x
            """,
            1,
        ),
        "choose in a branch that is not taken": bad(
            """
            x: bool
            m: Map[Cpu, bool]

            @action
            def a(self):
                c = choose(Cpu, where=lambda c: self.m[c]) if self.x else None
                self.bad = c is None
            """,
            1,
        ),
        "require in a chain of comparisons": bad(
            """
            n: Digit

            def more(self):
                require(False)
                return 9

            @action
            def a(self):
                self.bad = not (1 < self.n < self.more())
            """,
            1,
        ),
        "the element of a None": bad(
            """
            o: Optional[Bit]

            @action
            def a(self):
                self.bad = self.o is None or self.o + 1 == 2
            """,
            1,
        ),
        "the element of a None behind a yield": bad(
            """
            o: Map[One, Optional[Bit]]

            @process(One)
            def p(self, c: One):
                yield "reads"
                o = self.o[c]
                yield "looks"
                self.bad = o is None or o + 1 == 2
            """,
            2,
        ),
        "a property asks where it is defined only": fine(
            """
            o: Optional[Digit]

            @action
            def a(self):
                self.o = 3

            @invariant("small")
            def small(self):
                return self.o is None or self.o > 2
            """
        ),
        "a require in an event": Case(
            """
            class Generated(System):
                m: Map[Cpu, bool]
                f: bool

                def ok(self, c):
                    require(self.m[c])
                    return True

                @action
                def a(self):
                    self.f = True

                @event
                def looks(self, c: Cpu):
                    if not self.m[c] or self.ok(c):
                        check("two", not self.f, because="f")
            """,
            Violated("two", 2),
        ),
        "cost in an operand": bad(
            """
            x: bool

            def pays(self):
                cost("flush")
                return True

            @action
            def a(self):
                if self.x and self.pays():
                    return
                self.bad = True
            """,
            1,
        ),
        "a require in a where": refused(
            """
            m: Map[Cpu, bool]

            def ok(self, c):
                require(self.m[c])
                return True

            @action
            def a(self):
                c = choose(Cpu, where=lambda c: self.ok(c))
                self.m[c] = True
            """,
            "`where` cannot require",
        ),
    },
    "decorators": {
        "one that passes on arguments by their names": bad(
            """
            def twice(f):
                @functools.wraps(f)
                def g(self, *args, **kw):
                    if self.bad:
                        return 0
                    return f(self, *args, **kw) + f(self, 1, **kw)
                return g

            class Generated(System):
                bad: bool

                @twice
                def add(self, n, m=2, *, k):
                    return n + m + k

                @action
                def a(self, n: Digit):
                    self.bad = self.add(n, m=n, k=0) == 28

                @invariant("bad")
                def never(self):
                    return not self.bad
            """,
            1,
        ),
        "one that passes them on to a helper with steps": bad(
            """
            def add(self, n, m=0):
                yield "adds"
                return n + m
            def through(self, *args, **kw):
                return (yield from self.add(*args, **kw))
            @process(One)
            def p(self, o):
                yield "a"
                x = choose(Digit)
                self.bad = (yield from self.through(1, m=x)) == 10
            """,
            2,
        ),
        "one that passes them on in a later step": refused(
            """
            def add(self, n, m=0):
                return n + m
            def through(self, **kw):
                yield "later"
                return self.add(**kw)
            @process(One)
            def p(self, o):
                yield "a"
                self.bad = (yield from self.through(n=choose(Digit))) == 9
            """,
            "'kw' is what a `**` parameter was given",
            "Name the parameters.",
        ),
        "one that passes on what it does not name, of a step": refused(
            """
            def once(f):
                @functools.wraps(f)
                def g(self, *args, **kw):
                    return f(self, *args, **kw)
                return g

            class Generated(System):
                @process(Cpu)
                @once
                def p(self, c):
                    yield "a"
            """,
            "'*args' has no meaning here",
            "Name the parameters: def g(self, c).",
        ),
        "a property around an action": refused(
            """
            @property
            @action
            def a(self):
                self.bad = True
            """,
            "property",
        ),
        "a cached property around an action": refused(
            """
            @functools.cached_property
            @action
            def a(self):
                self.bad = True
            """,
            "cached_property",
        ),
        "one that hides a step": refused(
            """
            def twice(f):
                def g(self):
                    f(self)
                    f(self)

                return g


            class Generated(System):
                bad: bool

                @twice
                @action
                def a(self):
                    self.bad = True

                @invariant("bad")
                def never(self):
                    return not self.bad
            """,
            "decorator",
            "'a'",
        ),
        "one that wraps": bad(
            """
            def only_c(f):
                @functools.wraps(f)
                def g(self, k):
                    return f(self, Kind.C)

                return g


            class Generated(System):
                m: Map[Kind, bool]

                @only_c
                def put(self, k):
                    self.m[k] = True

                @action
                def a(self):
                    self.put(Kind.A)

                @invariant("C")
                def never(self):
                    return not self.m[Kind.C]
            """,
            1,
        ),
        "one with an argument, below the role": bad(
            """
            def times(n):
                def around(f):
                    @functools.wraps(f)
                    def g(self):
                        for i in range(n):
                            f(self)

                    return g

                return around


            class Generated(System):
                n: Digit

                @action
                @times(3)
                def a(self):
                    require(self.n < 3)
                    self.n += 1

                @invariant("three")
                def never(self):
                    return self.n != 3
            """,
            1,
        ),
        "one that is given a lambda": refused(
            """
            def when(cond):
                def around(f):
                    @functools.wraps(f)
                    def g(self):
                        if cond(self):
                            f(self)

                    return g

                return around


            class Generated(System):
                on: bool
                bad: bool

                @action
                @when(lambda self: self.on)
                def a(self):
                    self.bad = True

                @invariant("bad")
                def never(self):
                    return not self.bad
            """,
            "lambda",
            "def",
        ),
        "two roles": refused(
            """
            @action
            @event
            def a(self):
                self.bad = True
            """,
            "two roles",
        ),
        "a static method": bad(
            """
            m: Map[Cpu, bool]

            @staticmethod
            def third(a, b, c):
                return c

            @action
            def a(self):
                self.bad = self.third(False, False, True)
            """,
            1,
        ),
        "a static method that is a step": refused(
            """
            @staticmethod
            @action
            def a():
                pass
            """,
            "staticmethod",
        ),
        "a class method": refused(
            """
            @classmethod
            def one(cls):
                return True

            @action
            def a(self):
                self.bad = self.one()
            """,
            "classmethod",
        ),
        "a property": bad(
            """
            x: bool

            @property
            def off(self):
                return not self.x

            @action
            def a(self):
                self.bad = self.off
            """,
            1,
        ),
        "a cache": refused(
            """
            x: bool

            @functools.cache
            def off(self):
                return not self.x

            @action
            def a(self):
                self.bad = self.off()
            """,
            "lru_cache",
        ),
        "a partial": refused(
            """
            def put(self, v):
                self.bad = v

            on = functools.partialmethod(put, True)

            @action
            def a(self):
                self.on()
            """,
            "partialmethod",
        ),
    },
    "inheritance": {
        "super with arguments": bad(
            """
            class Base(System):
                bad: bool

                def put(self, v):
                    self.bad = v


            class Generated(Base):
                def put(self, v):
                    super().put(not v)

                @action
                def a(self):
                    self.put(False)

                @invariant("bad")
                def never(self):
                    return not self.bad
            """,
            1,
        ),
        "an overriding step that calls the overridden one": bad(
            """
            class Base(System):
                m: Map[Cpu, bool]
                bad: bool

                @action
                def a(self, c: Cpu):
                    self.m[c] = True


            class Generated(Base):
                @action
                def a(self, c: Cpu):
                    super().a(c)
                    self.bad = self.m[c]

                @invariant("bad")
                def never(self):
                    return not self.bad
            """,
            1,
        ),
        "an overriding process": bad(
            """
            class Base(System):
                bad: bool
                m: Map[One, Bit]

                @process(One)
                def p(self, c: One):
                    yield "one"
                    self.m[c] = 1


            class Generated(Base):
                @process(One)
                def p(self, c: One):
                    yield from super().p(c)
                    yield "two"
                    self.bad = self.m[c] == 1

                @invariant("bad")
                def never(self):
                    return not self.bad
            """,
            2,
        ),
        "an override that is no step any more": refused(
            """
            class Base(System):
                bad: bool

                @action
                def a(self):
                    self.bad = True


            class Generated(Base):
                def a(self):
                    self.bad = True

                @invariant("bad")
                def never(self):
                    return not self.bad
            """,
            "'a'",
            "@action",
        ),
        "a mixin with a step": bad(
            """
            class Mixin:
                @action
                def a(self):
                    self.bad = True


            class Generated(System, Mixin):
                bad: bool

                @invariant("bad")
                def never(self):
                    return not self.bad
            """,
            1,
        ),
        "a diamond": bad(
            """
            class Base(System):
                n: Digit

                def up(self):
                    self.n += 1


            class Left(Base):
                def up(self):
                    super().up()
                    self.n += 1


            class Right(Base):
                def up(self):
                    super().up()
                    self.n += 2


            class Generated(Left, Right):
                @action
                def a(self):
                    require(self.n == 0)
                    self.up()

                @invariant("four")
                def never(self):
                    return self.n != 4
            """,
            1,
        ),
        "a system's __init__": refused(
            """
            def __init__(self):
                self.bad = True

            @action
            def a(self):
                pass
            """,
            "__init__",
            "@initially",
        ),
        "a part's state given a value in __init__": refused(
            """
            class Flag(Part):
                on: bool

                def __init__(self):
                    self.on = True


            class Generated(System):
                flag = Flag()

                @action
                def a(self):
                    pass

                @invariant("on")
                def never(self):
                    return not self.flag.on
            """,
            "on",
            "@initially",
        ),
        "a class attribute that shadows state": refused(
            """
            class Base(System):
                bad: bool

                @action
                def a(self):
                    pass


            class Generated(Base):
                bad = True

                @invariant("bad")
                def never(self):
                    return not self.bad
            """,
            "state",
        ),
        "a part's attribute that is None": bad(
            """
            class Watch(Part):
                limit = 3

                def __init__(self, limit):
                    self.limit = limit


            class Generated(System):
                bad: bool
                watch = Watch(None)

                @action
                def a(self):
                    self.bad = self.watch.limit is None

                @invariant("bad")
                def never(self):
                    return not self.bad
            """,
            1,
        ),
        "a part with an order of calling of its own": refused(
            """
            class Odd(Part):
                on: bool

                def __call__(self):
                    self.on = True


            class Generated(System):
                odd = Odd()

                @action
                def a(self):
                    self.odd()

                @invariant("on")
                def never(self):
                    return not self.odd.on
            """,
            "__call__",
        ),
        "a lock without with": refused(
            """
            lock = Lock()

            @action
            def a(self, c: Cpu):
                self.lock(c)
                self.bad = True
            """,
            "with",
        ),
        "mangled names": bad(
            """
            class Base(System):
                __x: bool

                def turn(self):
                    self.__x = True


            class Generated(Base):
                __x: bool
                bad: bool

                @action
                def a(self):
                    self.turn()
                    self.bad = not self.__x

                @invariant("bad")
                def never(self):
                    return not self.bad
            """,
            1,
        ),
        "an alias of a process": refused(
            """
            @process(One)
            def p(self, c: One):
                yield "a"

            q = p
            """,
            "'q'",
        ),
    },
    "special methods": {
        "an enumeration with an equality of its own": refused(
            """
            class Loose(enum.Enum):
                A = 0
                B = 1

                def __eq__(self, other):
                    return True

                __hash__ = object.__hash__


            class Generated(System):
                k: Loose

                @action
                def a(self, k: Loose):
                    self.k = k

                @invariant("B")
                def never(self):
                    return self.k == Loose.A
            """,
            "__eq__",
            "Loose",
        ),
        "steps in a loop over a sort with an order": refused(
            """
            @process(Cpu)
            def a(self, cpu: Cpu):
                for level in Level:
                    yield "next"
                    self.bad = level == 2
            """,
            "Write range(size(Level))",
        ),
        "steps in a loop over its numbers": bad(
            """
            done: Map[Level, bool]

            @process(Cpu)
            def a(self, cpu: Cpu):
                for level in range(size(Level)):
                    yield "next"
                    self.done[level] = True
                yield "ends"
                self.bad = all(self.done[level] for level in Level)
            """,
            4,
        ),
        "a sort with an order of its own": refused(
            """
            class Down(Sort, ordered=True):
                def __lt__(self, other):
                    return self.index > other.index


            class Generated(System):
                x: Down
                y: Down

                @action
                def a(self, x: Down):
                    self.x = x

                @invariant("less")
                def never(self):
                    return not self.x < self.y
            """,
            "__lt__",
            "Down",
        ),
        "a counter with an equality of its own": refused(
            """
            class Round(Counter):
                def __eq__(self, other):
                    return True


            class Generated(System):
                x: Round

                @action
                def a(self):
                    self.x = fresh(Round)

                @invariant("x")
                def never(self):
                    return self.x == 0
            """,
            "__eq__",
            "Round",
        ),
        "an ordered enumeration compares as listed": bad(
            """
            class Scope(OrderedEnum):
                ALL = 3
                ONE = 1
                NONE = 2


            class Generated(System):
                x: Scope

                @action
                def a(self, x: Scope):
                    self.x = x

                @invariant("ALL is the least")
                def never(self):
                    return not Scope.ALL < self.x
            """,
            1,
        ),
        "an IntEnum listed by value": bad(
            """
            class Scope(enum.IntEnum):
                ONE = 1
                ALL = 3


            class Generated(System):
                x: Scope

                @action
                def a(self, x: Scope):
                    self.x = x

                @invariant("ALL")
                def never(self):
                    return not Scope.ONE < self.x
            """,
            1,
            python=False,
        ),
        "an IntEnum listed otherwise": refused(
            """
            class Scope(enum.IntEnum):
                ALL = 3
                ONE = 1


            class Generated(System):
                x: Scope

                @action
                def a(self, x: Scope):
                    self.x = x

                @invariant("ALL")
                def never(self):
                    return not Scope.ONE < self.x
            """,
            "not listed in the order",
        ),
        "a plain enumeration has no order": refused(
            """
            k: Kind

            @action
            def a(self):
                self.bad = self.k < Kind.C
            """,
            "have no order",
            "OrderedEnum",
        ),
        "a StrEnum is no string": refused(
            """
            class Word(enum.StrEnum):
                YES = "yes"
                NO = "no"


            class Generated(System):
                x: Word

                @action
                def a(self):
                    self.x = Word.NO

                @invariant("no")
                def never(self):
                    return self.x == "yes"
            """,
            "'yes' is no Word",
        ),
        "a Flag": refused(
            """
            class Bits(enum.Flag):
                A = 1
                B = 2


            class Generated(System):
                x: Bits

                @invariant("no")
                def never(self):
                    return self.x is Bits.A
            """,
            "Bits is a Flag",
        ),
        "an alias of a member": bad(
            """
            class Scope(enum.Enum):
                A = 0
                B = 1
                ALIAS = 1


            class Generated(System):
                x: Scope

                @action
                def a(self):
                    self.x = Scope.ALIAS

                @invariant("B")
                def never(self):
                    return self.x is not Scope.B
            """,
            1,
        ),
        "a member by its value and its name": bad(
            """
            m: Map[Kind, bool]

            @action
            def a(self):
                self.m[Kind["B"]] = True
                self.bad = self.m[Kind(1)] and Kind.B.value == 1
            """,
            1,
        ),
        "an element is no number": refused(
            """
            x: Level

            @action
            def a(self):
                self.bad = self.x is 0
            """,
            "one object",
        ),
        "1 is True": fine(
            """
            @action
            def a(self):
                one = 1
                self.bad = one is True
            """
        ),
        "1 == True": refused(
            """
            @action
            def a(self):
                self.bad = 1 == True
            """,
            "different kinds",
        ),
        "a truth value is no number": refused(
            """
            x: bool

            @action
            def a(self):
                self.bad = self.x == 0
            """,
            "0 is no bool",
        ),
    },
    "indices": {
        "a tuple among others": refused(
            """
            m: Map[Cpu, Page, One, bool]

            @action
            def a(self, c: Cpu, p: Page, o: One):
                pair = (c, p)
                self.m[pair, o] = True
            """,
            "*pair",
        ),
        "a tuple alone": bad(
            """
            m: Map[Cpu, Page, bool]

            @action
            def a(self, c: Cpu, p: Page):
                pair = (c, p)
                self.m[pair] = True
                self.bad = self.m[c, p]
            """,
            1,
        ),
        "a star": bad(
            """
            m: Map[One, Cpu, Page, bool]

            @action
            def a(self, c: Cpu, p: Page, o: One):
                pair = (c, p)
                self.m[o, *pair] = True
                self.bad = self.m[(o, *pair)]
            """,
            1,
        ),
    },
    "source text": {
        "a docstring and comments at the margin": bad(
            '''
            class Generated(System):
                bad: bool

                @action
                def a(self):
                    """sets it
            at the margin
                    """
            # a comment at the margin
                    self.bad = True

                @invariant("bad")
                def never(self):
                    return not self.bad
            ''',
            1,
        ),
        "tabs": bad(
            "class Generated(System):\n\tbad: bool\n\n\t@action\n\tdef a(self):\n\t\tself.bad = True\n\n"
            "\t@invariant('bad')\n\tdef never(self):\n\t\treturn not self.bad\n",
            1,
        ),
        "one line": bad(
            "class Generated(System):\n    bad: bool\n    @action\n    def a(self): self.bad = True\n"
            "    @invariant('bad')\n    def never(self): return not self.bad\n",
            1,
        ),
        "a callback that is a lambda": refused(
            """
            class Probe(Part):
                def __init__(self, **rules):
                    self.rule = rules["rule"]


            class Generated(System):
                bad: bool
                probe = Probe(**{
                    "rule": lambda self, c: True,
                })

                @action
                def a(self, c: Cpu):
                    self.bad = self.probe.rule(c)

                @invariant("bad")
                def never(self):
                    return not self.bad
            """,
            "lambda",
        ),
        "a default that is a lambda": refused(
            """
            def pick(self, f, rule=lambda self, f, rule: True):
                return rule(self, f, rule)

            @action
            def a(self):
                self.bad = self.pick(False)
            """,
            "lambda",
        ),
        "a class attribute that is a lambda": refused(
            """
            rule = lambda self: True

            @action
            def a(self):
                self.bad = self.rule()
            """,
            "lambda",
            "def",
        ),
        "deep expressions": bad(
            "on: bool\n\n@action\ndef a(self):\n    self.bad = " + "not (" * 81 + "self.on" + ")" * 81, 1
        ),
        "a thousand operations": refused(
            "n: Digit\n\n@action\ndef a(self):\n    self.n = " + "self.n" + " + 1" * 1500,
            "deep",
        ),
        "a thousand branches": refused(
            "n: Digit\non: Map[Digit, bool]\n\n@action\ndef a(self):\n    x = 0\n"
            + "".join(f"    if self.on[{i % 10}]:\n        x = {i % 10}\n" for i in range(1000))
            + "    self.bad = x == 0\n",
            "deep",
        ),
        "names and labels of all the world": bad(
            """
            größe: Bit

            @process(One)
            def läuft(self, µ: One):
                yield "wartet auf größere ﬁles"
                ﬁ = self.größe
                yield "日本"
                self.bad = fi == 0
            """,
            2,
        ),
        "a system in a function": bad(
            """
            def made(limit, sort):
                first = True

                class Inner(System):
                    m: Map[sort, Digit]

                    @action
                    def a(self, c: sort):
                        x: Annotated[int, Range(0, 9)] = limit
                        self.m[c] = x

                    @invariant("limit")
                    def never(self):
                        return all(self.m[c] != limit or not first for c in sort)

                return Inner


            Generated = made(4, Page)
            """.replace("Generated = made", "class Generated(made").replace(
                "(4, Page)", "(4, Page)):\n                pass"
            ),
            1,
        ),
        "an annotation by a variable around": bad(
            """
            def made(sort):
                class Inner(System):
                    o: Map[One, Optional[sort]]
                    bad: bool

                    @process(One)
                    def p(self, c: One):
                        x: Optional[sort] = None
                        yield "a"
                        self.bad = x is None
                        x = choose(sort)

                    @invariant("bad")
                    def never(self):
                        return not self.bad

                return Inner


            class Generated(made(Cpu)):
                pass
            """,
            1,
        ),
    },
}
KINDS.update(
    {
        "locals that hold tuples": {
            "whole, over a yield": bad(
                """
                x: Bit
                y: Bit

                @action
                def up(self):
                    self.x = 1

                @process(One)
                def p(self, c: One):
                    yield "reads"
                    old = (self.x, self.y)
                    yield "looks"
                    self.bad = old != (self.x, self.y)
                """,
                3,
            ),
            "nested, with a part that is replaced": bad(
                """
                x: Bit
                k: Kind

                @action
                def up(self):
                    self.x, self.k = 1, Kind.C

                @process(One)
                def p(self, c: One):
                    yield "reads"
                    old = (self.x, (self.k, c))
                    yield "replaces"
                    old = (1, old[1])
                    yield "looks"
                    self.bad = old[0] == 1 and old[1][0] == Kind.C
                """,
                4,
            ),
            "given to a helper that takes steps": bad(
                """
                x: Bit

                @action
                def up(self):
                    self.x = 1

                def later(self, pair):
                    yield "later"
                    a, b = pair
                    return a

                @process(One)
                def p(self, c: One):
                    yield "reads"
                    got = yield from self.later((self.x, c))
                    yield "looks"
                    self.bad = got == 1
                """,
                4,
            ),
        },
        "the arguments of a with statement": {
            "state that changes in the block": fine(
                """
                who: Map[One, Cpu]
                lock = Lock()
                done: bool

                @process(One)
                def p(self, o: One):
                    yield "takes"
                    self.done = False
                    with self.lock(self.who[o]):
                        yield "moves on"
                        self.who[o] = choose(Cpu)
                        yield "lets go"
                    self.done = True

                @invariant("held")
                def free(self):
                    return not self.done or self.lock.holder is None
                """
            ),
            "a local that changes in the block": fine(
                """
                lock = Lock()

                @process(One)
                def p(self, o: One):
                    yield "takes"
                    c = choose(Cpu)
                    with self.lock(c):
                        yield "moves on"
                        c = choose(Cpu)
                    yield "looks"
                    self.bad = self.lock.holder is not None
                """
            ),
            "a return in the block": bad(
                """
                lock = Lock()
                x: bool

                def held(self, c):
                    with self.lock(c):
                        return self.lock.holder is c

                @action
                def a(self, c: Cpu):
                    self.bad = self.held(c) and self.lock.holder is None
                """,
                1,
                python=False,
            ),
        },
        "what is held says when a step may be taken": {
            "the steps of the block, and no others": bad(
                """
        class Gate(Part):
            shut: bool
            inside: Map[One, bool]

            def acquire(self, who):
                self.inside[who] = True

            def resume(self, who):
                require(not self.shut)

            def release(self, who):
                self.inside[who] = False

        class Generated(System):
            gate = Gate()
            bad: bool
            seen: bool

            @invariant("bad")
            def never(self):
                return not self.bad

            @action
            def shuts(self):
                self.gate.shut = True

            @process(One)
            def p(self, c: One):
                yield "before"
                with self.gate(c):
                    yield "in"
                    self.seen = self.gate.shut
                    yield "in again"
                yield "after"
                self.bad = self.gate.shut and not self.gate.inside[c]
        """,
                5,
            ),
            "and never while it says no": fine("""
        class Gate(Part):
            shut: bool

            def acquire(self):
                pass

            def resume(self):
                require(not self.shut)

            def release(self):
                pass

        class Generated(System):
            gate = Gate()
            bad: bool

            @invariant("bad")
            def never(self):
                return not self.bad

            @action
            def turns(self):
                self.gate.shut = not self.gate.shut

            def helper(self):
                yield "in the helper"
                self.bad = self.gate.shut

            @process(One)
            def p(self, c: One):
                with self.gate():
                    yield "in"
                    yield from self.helper()
        """),
            "with the arguments that it was given": fine("""
        class Gate(Part):
            resumed: Map[Cpu, bool]

            def acquire(self, who):
                pass

            def resume(self, who):
                self.resumed[who] = True

            def release(self, who):
                self.resumed[who] = False

        class Generated(System):
            gate = Gate()
            bad: bool

            @invariant("bad")
            def never(self):
                return not self.bad

            @process(One)
            def p(self, c: One):
                yield "a"
                me = choose(Cpu)
                with self.gate(me):
                    first = me
                    me = choose(Cpu, where=lambda x: x is not first)
                    yield "b"
                    self.bad = self.gate.resumed[me] or not self.gate.resumed[first]
        """),
            "of two, the second finds what the first has done": bad(
                """
        class Outer(Part):
            on: bool

            def acquire(self):
                pass

            def resume(self):
                self.on = True

            def release(self):
                pass

        class Inner(Part):
            saw: bool

            def __init__(self, outer):
                self.outer = outer

            def acquire(self):
                pass

            def resume(self):
                self.saw = self.outer.on

            def release(self):
                pass

        class Generated(System):
            outer = Outer()
            inner = Inner(outer)
            bad: bool

            @invariant("bad")
            def never(self):
                return not self.bad

            @process(One)
            def p(self, c: One):
                yield "a"
                with self.outer(), self.inner():
                    yield "b"
                    self.bad = self.inner.saw
        """,
                2,
            ),
            "an early return leaves it": fine("""
        class Gate(Part):
            shut: bool
            count: Digit

            def acquire(self):
                self.count = 1

            def resume(self):
                require(not self.shut)

            def release(self):
                self.count = 0

        class Generated(System):
            gate = Gate()
            bad: bool
            x: bool

            @invariant("bad")
            def never(self):
                return not self.bad

            @action
            def turns(self):
                self.gate.shut = not self.gate.shut
                self.x = True

            @process(One)
            def p(self, c: One):
                yield "a"
                self.bad = self.gate.count == 1
                with self.gate():
                    yield "b"
                    if self.x:
                        return
                    yield "c"
        """),
        },
        "locals and parameters of several sorts": {
            "a local": bad(
                """
                big: Digit
                small: Bit

                @process(One)
                def p(self, c: One):
                    yield "a"
                    self.big = 7
                    g = self.big
                    yield "b"
                    self.bad = g == 7
                    g = self.small
                    yield "c"
                    self.small = g
                """,
                2,
            ),
            "an optional and a plain one": bad(
                """
                o: Map[One, Optional[Cpu]]

                @process(One)
                def p(self, c: One):
                    yield "a"
                    x = self.o[c]
                    yield "b"
                    self.bad = x is None
                    x = choose(Cpu)
                    yield "c"
                    self.o[c] = x
                """,
                2,
                python=False,
            ),
            "one helper for two sorts": bad(
                """
                k: Kind
                n: Digit

                def same(self, a, b):
                    yield "in the helper"
                    return a == b

                @process(One)
                def p(self, c: One):
                    yield "a"
                    one = yield from self.same(self.k, Kind.A)
                    yield "b"
                    two = yield from self.same(self.n, 0)
                    yield "c"
                    self.bad = one and two
                """,
                5,
            ),
            "a helper with two returns": bad(
                """
                big: Digit
                o: Optional[Bit]
                f: bool

                def get(self):
                    if self.f:
                        return self.big
                    return self.o

                @action
                def turn(self):
                    self.f, self.big = True, 6

                @action
                def a(self):
                    self.bad = self.get() == 6
                """,
                2,
            ),
            "a conditional expression": bad(
                """
                big: Digit
                o: Optional[Bit]

                @action
                def a(self, f: bool):
                    self.big = 7
                    x = self.big if f else self.o
                    self.bad = x == 7
                """,
                1,
            ),
        },
        "names": {
            "a local called pc": bad(
                """
                m: Map[One, bool]

                @process(One)
                def p(self, c: One):
                    yield "one"
                    self.m[c] = True
                    pc = self.m[c]
                    yield "two"
                    self.bad = pc
                """,
                2,
            ),
            "a label with a number": Case(
                """
                class Generated(System):
                    n: bool

                    @process(One)
                    def p(self, c: One):
                        yield "wait"
                        x = 1
                        yield "wait"
                        x = 2
                        yield "wait (2)"
                        require(self.n)

                    @invariant("n")
                    def never(self):
                        return not self.n
                """,
                Violated("no-deadlock", 2),
                python=False,
            ),
            "labels that differ in blanks": bad(
                """
                @process(One)
                def p(self, c: One):
                    yield "wait"
                    yield "wait "
                    self.bad = True
                """,
                2,
            ),
            "an action called initially": bad(
                """
                @action
                def initially(self):
                    self.bad = True
                """,
                1,
            ),
            "locals called x and x2": bad(
                """
                @action
                def a(self):
                    x = choose(Bit)
                    x2 = choose(Bit)
                    x, y = choose(Bit), x
                    self.bad = x == 1 and y == 0 and x2 == 1
                """,
                1,
            ),
            "at() with a label that stands twice": Case(
                """
                class Generated(System):
                    x: Map[One, bool]

                    @process(One)
                    def p(self, c: One):
                        yield "waits"
                        self.x[c] = True
                        yield "waits"
                        self.x[c] = False

                    @invariant("on")
                    def off(self):
                        return all(not at(self.p, c, "waits") or not self.x[c] for c in One)
                """,
                Violated("off", 1),
            ),
            "at() with the label start": Case(
                """
                class Generated(System):
                    @process(One)
                    def p(self, c: One):
                        yield "start"
                        x = 1
                        yield "goes"

                    @invariant("goes")
                    def starts(self):
                        return all(at(self.p, c, "start") for c in One)
                """,
                Violated("starts", 1),
                python=False,
            ),
            "a reachable named like a check": refused(
                """
                m: bool

                @event
                def e(self, c: Cpu):
                    check("set", not self.m, because="set")

                @reachable
                def set(self):
                    return self.m
                """,
                "'set' is the name of a @reachable and of another property",
            ),
            "two methods of one name": refused(
                """
                @action
                def a(self):
                    self.bad = True

                @action
                def a(self):
                    pass
                """,
                "two methods called 'a'",
            ),
            "two parts' helpers of one name": bad(
                """
                class Adder(Part):
                    n: Digit

                    def put(self, x):
                        yield "adds"
                        self.n = x


                class Setter(Part):
                    k: Kind

                    def put(self, x):
                        yield "sets"
                        self.k = x


                class Generated(System):
                    one = Adder()
                    two = Setter()

                    @process(One)
                    def p(self, c: One):
                        yield "one"
                        yield from self.one.put(choose(Digit))
                        yield "two"
                        yield from self.two.put(choose(Kind))

                    @invariant("both")
                    def never(self):
                        return not (self.one.n == 9 and self.two.k is Kind.C)
                """,
                4,
                python=False,  # the choice is in a helper's local, which the comparison does not see
            ),
            "an alias of all": bad(
                """
                every = all


                class Generated(System):
                    m: Map[Cpu, bool]

                    @action
                    def a(self, c: Cpu):
                        self.m[c] = True

                    @invariant("all")
                    def never(self):
                        return not every(self.m[c] for c in Cpu)
                """,
                2,
            ),
        },
        "closures of Python": {
            "a lambda's name beside a loop's": bad(
                """
                m: Map[Cpu, Page, bool]

                @action
                def a(self, cpu: Cpu, page: Page):
                    own = lambda p: self.m[cpu, p]
                    self.m[cpu, page] = True
                    self.bad = all(own(page) for cpu in Cpu)
                """,
                1,
            ),
            "a lambda sees what its variable becomes": bad(
                """
                @action
                def a(self):
                    x = False
                    f = lambda: x
                    x = True
                    self.bad = f()
                """,
                1,
            ),
            "a lambda with a default does not": fine(
                """
                @action
                def a(self):
                    x = False
                    f = lambda x=x: x
                    x = True
                    self.bad = f()
                """
            ),
            "a local beside a global": bad(
                """
                limit = False


                class Generated(System):
                    bad: bool

                    def seen(self):
                        return limit

                    @action
                    def a(self):
                        limit = True
                        f = lambda: limit
                        self.bad = f() and not self.seen()

                    @invariant("bad")
                    def never(self):
                        return not self.bad
                """,
                1,
            ),
            "keywords of a mapping": bad(
                """
                OPTIONS = {"flag": True}


                class Generated(System):
                    bad: bool

                    def put(self, *, flag=False):
                        self.bad = flag

                    @action
                    def a(self):
                        self.put(**OPTIONS)

                    @invariant("bad")
                    def never(self):
                        return not self.bad
                """,
                1,
            ),
        },
        "loops over a sort": {
            "fresh": refused(
                """
                g: Map[Cpu, Gen]

                @action
                def a(self):
                    for c in Cpu:
                        self.g[c] = fresh(Gen)
                """,
                "fresh",
            ),
            "the loop's variable behind it": refused(
                """
                m: Map[Cpu, bool]

                @action
                def a(self, c: Cpu):
                    for c in Cpu:
                        self.m[c] = True
                    self.m[c] = False
                """,
                "'c'",
                "all happen at once",
            ),
            "rounds that meet": refused(
                """
                m: Map[Cpu, Cpu, bool]

                @action
                def a(self):
                    for c, d in each(Cpu, Cpu):
                        self.m[c, d] = True
                        self.m[d, c] = False
                """,
                "rounds",
            ),
            "a diagonal": bad(
                """
                m: Map[Cpu, Cpu, bool]

                @action
                def a(self, x: Cpu, y: Cpu):
                    require(x != y)
                    for c in Cpu:
                        self.m[c, c] = True
                    self.bad = not self.m[x, y] and self.m[x, x]
                """,
                1,
            ),
            "all rounds write one constant": bad(
                """
                m: Map[Cpu, bool]

                @action
                def set(self, c: Cpu):
                    self.m[c] = True

                @action
                def a(self):
                    for c in Cpu:
                        if self.m[c]:
                            self.bad = True
                """,
                2,
            ),
            "a round reads what another writes": refused(
                """
                m: Map[Cpu, bool]

                @action
                def a(self):
                    for c in Cpu:
                        self.m[c] = any(self.m[d] for d in Cpu)
                """,
                "a round of this loop reads 'm'",
            ),
            "a check for each element": Case(
                """
                class Generated(System):
                    m: Map[Cpu, bool]

                    @action
                    def a(self, c: Cpu):
                        self.m[c] = True

                    @event
                    def e(self):
                        for c in Cpu:
                            check("none", not self.m[c], because="set")
                """,
                Violated("none", 2),
            ),
        },
        "choices": {
            "an index that is chosen once": fine(
                """
                m: Map[Kind, Bit]

                @action
                def a(self):
                    require(all(self.m[k] == 0 for k in Kind))
                    self.m[choose(Kind)] += 1

                @invariant("one")
                def one(self):
                    return self.m[Kind.A] == 0 or self.m[Kind.B] == 0
                """
            ),
            "an optional": bad(
                """
                @action
                def a(self):
                    c = choose(Optional[Cpu])
                    self.bad = c is None
                """,
                1,
            ),
            "two parts that choose at the start": Case(
                """
                class Owned(Part):
                    owner: Optional[Cpu]

                    @initially
                    def start(self):
                        x = choose(Cpu)
                        self.owner = x


                class Generated(System):
                    a = Owned()
                    b = Owned()

                    @action
                    def idle(self):
                        pass

                    @invariant("they differ")
                    def same(self):
                        return self.a.owner == self.b.owner
                """,
                Violated("same", 0),
            ),
            "a sort that only a quantifier names": fine(
                """
                @invariant("never")
                def one(self):
                    return all(a == a for a in Page)
                """
            ),
        },
        "parts": {
            "one under two names": bad(
                """
                shared = Lock()


                class Generated(System):
                    bad: bool
                    one = shared
                    two = shared

                    @action
                    def a(self, c: Cpu):
                        self.one.acquire(c)
                        self.bad = self.two.holder == c

                    @invariant("bad")
                    def never(self):
                        return not self.bad
                """,
                1,
                python=False,
            ),
            "one in two others": bad(
                """
                class User(Part):
                    def __init__(self, lock):
                        self.lock = lock


                shared = Lock()


                class Generated(System):
                    bad: bool
                    one = User(shared)
                    two = User(shared)

                    @action
                    def a(self, c: Cpu):
                        self.one.lock.acquire(c)
                        self.bad = self.two.lock.holder is not None

                    @invariant("bad")
                    def never(self):
                        return not self.bad
                """,
                1,
                python=False,
            ),
            "cyclic ones": Case(
                """
                class Knot(Part):
                    on: bool


                knot = Knot()
                knot.me = knot


                class Generated(System):
                    knot = knot

                    @action
                    def a(self):
                        self.knot.me.on = True

                    @invariant("on")
                    def never(self):
                        return not self.knot.on
                """,
                Violated("never", 1),
                python=False,
            ),
        },
        "closures of the hardware": {
            "in a chain": bad(
                """
                a: bool
                b: bool

                @closure
                def second(self):
                    if self.b:
                        self.bad = True

                @closure
                def first(self):
                    if self.a:
                        self.b = True

                @action
                def set(self):
                    self.a = True
                """,
                1,
                python=False,
            ),
            "that requires": refused(
                """
                @closure
                def first(self):
                    require(self.bad)
                """,
                "a closure cannot require",
            ),
            "that toggles": refused(
                """
                @closure
                def first(self):
                    self.bad = not self.bad
                """,
                "no constant truth value",
            ),
            "that takes a fresh value": refused(
                """
                g: Gen

                @closure
                def first(self):
                    self.g = fresh(Gen)
                """,
                "a closure takes no fresh value",
            ),
            "that reads a ghost": refused(
                """
                secret: Ghost[bool]

                @closure
                def first(self):
                    if self.secret:
                        self.bad = True
                """,
                "ghost 'secret'",
            ),
            "whose index is a closure's": refused(
                """
                on: bool
                x: bool
                m: Map[bool, bool]

                @closure
                def first(self):
                    self.m[self.on] = True

                @closure
                def second(self):
                    if self.x:
                        self.on = True
                """,
                "monotone",
            ),
        },
        "ghosts over a yield": {
            "a local": refused(
                """
                secret: Ghost[bool]

                @process(One)
                def p(self, c: One):
                    yield "a"
                    x = self.secret
                    yield "b"
                    require(x)
                """,
                "the ghost",
                "guard",
            ),
            "a part of a tuple": refused(
                """
                secret: Ghost[bool]

                @process(One)
                def p(self, c: One):
                    yield "a"
                    x = (c, self.secret)
                    yield "b"
                    self.bad = x[1]
                """,
                "the ghost",
            ),
            "which branch was taken": refused(
                """
                secret: Ghost[bool]

                @process(One)
                def p(self, c: One):
                    yield "a"
                    x = 0
                    if self.secret:
                        x = 1
                    yield "b"
                    require(x == 1)
                """,
                "the ghost",
            ),
        },
        "what is declared": {
            "reversed bounds": refused("x: Annotated[int, Range(3, 0)]", "Range(3, 0) is empty", "Range(0, 3)"),
            "bounds that are strings": refused("x: Annotated[int, Range('a', 'b')]", "no bound"),
            "bounds that are floats": refused("x: Annotated[int, Range(0.0, 1.5)]", "no bound"),
            "a huge range": refused("x: Annotated[int, Range(0, 10 ** 30)]", "too many values"),
            "a map without an index": refused("x: Map[bool]", "a Map needs an index and a value"),
            "a counter as an index": refused("x: Map[Gen, bool]", "cannot be indexed by the counter"),
            "a knob over a range": refused("k = Knob(Annotated[int, Range(0, 3)], 0, 'k')", "'k'", "Knob"),
            "a knob over a sort": refused("k = Knob(Cpu, None, 'k')", "'k'", "Knob"),
            "a knob over a string": refused("k = Knob('on', 'on', 'k')", "'k'", "Knob"),
            "a size of zero": refused(
                "class Small(Sort, size=0):\n    pass\n\n\nclass Generated(System):\n    m: Map[Small, bool]\n",
                "size 0",
            ),
            "an async step": refused("@action\nasync def a(self):\n    self.bad = True", "not a plain function"),
            "a yield without a label": refused("@process(One)\ndef p(self, c: One):\n    yield", "names the step"),
            "a process without a yield": refused(
                "@process(One)\ndef p(self, c: One):\n    self.bad = True", "'p'", "yield", "@action"
            ),
            "recursion": refused(
                "def f(self):\n    return self.f()\n\n@action\ndef a(self):\n    self.bad = self.f()", "calls itself"
            ),
            "None + 1": refused("@action\ndef a(self):\n    self.bad = None + 1 == 2", "None"),
            "a counting loop": fine(
                """
                m: Map[One, Bit]

                @process(One)
                def p(self, c: One):
                    i = 0
                    while i < 2:
                        yield "round"
                        self.m[c] = i
                        i += 1
                """
            ),
            "a counting loop without a bound": refused(
                """
                @process(One)
                def p(self, c: One):
                    i = 0
                    while True:
                        yield "round"
                        i += 1
                """,
                "no bound",
                "Annotated",
            ),
            "a helper without return": refused(
                """
                def ok(self):
                    self.bad = False

                @action
                def a(self):
                    require(self.ok())
                """,
                "always None",
                "return",
            ),
            "a walrus": bad(
                """
                m: Map[One, Digit]

                @action
                def a(self, c: One):
                    self.m[c] = 4
                    if (n := self.m[c]) > 3:
                        self.bad = n == 4
                """,
                1,
            ),
            "zip, range and enumerate": bad(
                """
                m: Map[Digit, Kind]

                @action
                def a(self):
                    for i, k in enumerate((Kind.B, Kind.C)):
                        self.m[i] = k
                    for i, k in zip(range(2, 4), (Kind.C, Kind.B)):
                        self.m[i] = k
                    self.bad = self.m[1] == self.m[2] and self.m[0] == self.m[3]
                """,
                1,
            ),
        },
    }
)

KINDS.update(
    {
        "what Python has and a model has not, and the order of evaluation": {
            "an operand before a helper that changes it": bad(
                """
            n: Digit
            def up(self):
                self.n += 1
                return True

            @action
            def a(self):
                require(self.n == 0)
                old = (self.n, self.up(), self.n)
                self.bad = old == (0, True, 1)
            """,
                1,
            ),
            "augmented with a helper that changes the target": bad(
                """
            x: bool
            def clear(self):
                self.x = True
                return False

            @action
            def a(self):
                self.x = False
                self.x |= self.clear()
                self.bad = not self.x
            """,
                1,
            ),
            "helper in a comparison chain once": bad(
                """
            n: Digit
            def up(self):
                self.n += 1
                return self.n

            @action
            def a(self):
                require(self.n == 0)
                self.bad = 0 < self.up() < 5 and self.n == 1
            """,
                1,
            ),
            "effects in an or": bad(
                """
            x: bool
            def set(self):
                self.x = True
                return False

            @action
            def a(self, f: bool):
                self.x = False
                if f or self.set():
                    self.bad = not self.x
            """,
                1,
            ),
            "conditional effects then read": bad(
                """
            m: Map[Cpu, bool]
            def put(self, c):
                self.m[c] = True

            @action
            def a(self, c: Cpu, f: bool):
                require(not self.m[c])
                self.put(c) if f else None
                self.bad = self.m[c] == f
            """,
                1,
            ),
            "return in nested loop over tuple": bad(
                """
            def first(self, items, wanted):
                i = 0
                for x in items:
                    if x == wanted:
                        return i
                    i += 1
                return 9

            @action
            def a(self, c: Cpu, d: Cpu):
                self.bad = c != d and self.first((c, d), d) == 1
            """,
                1,
            ),
            "break and continue": bad(
                """
            n: Digit
            @action
            def a(self):
                total = 0
                for i in range(5):
                    if i == 1:
                        continue
                    if i == 4:
                        break
                    total += i
                self.n = total
                self.bad = self.n == 5
            """,
                1,
            ),
            "while with constants": bad(
                """
            @action
            def a(self):
                i = 3
                while i > 0:
                    i -= 1
                self.bad = i == 0
            """,
                1,
            ),
            "negative floor and mod": bad(
                """
            @action
            def a(self):
                self.bad = -7 // 2 == -4 and -7 % 3 == 2
            """,
                1,
            ),
            "two fresh values": fine("""
            x: Gen
            y: Gen
            @action
            def a(self):
                g = fresh(Gen)
                h = fresh(Gen)
                self.x = g
                self.y = h
                self.bad = not g <= h
            """),
            "del": refused("@action\ndef a(self):\n    x = 1\n    del x", "del"),
            "f-string": refused("@action\ndef a(self):\n    x = f'{1}'", "f-string"),
            "match": refused(
                "k: Kind\n@action\ndef a(self):\n    match self.k:\n        case Kind.A:\n            pass", "match"
            ),
            "try": refused("@action\ndef a(self):\n    try:\n        pass\n    finally:\n        pass", "try"),
            "list": refused("@action\ndef a(self):\n    x = [1]", "list"),
            "set literal": refused("@action\ndef a(self):\n    x = {1}", "set"),
            "dict literal": refused("@action\ndef a(self):\n    x = {1: 2}", "dictionary"),
            "matmul": refused("n: Digit\n@action\ndef a(self):\n    x = self.n @ 2"),
            "pow": refused("n: Digit\n@action\ndef a(self):\n    self.n = 2 ** 3"),
            "tuple times tuple": refused("@action\ndef a(self):\n    x = (1,) * (3,)"),
            "min with a key": refused("n: Digit\n@action\ndef a(self):\n    self.n = min(self.n, 3, key=None)", "min"),
            "sorted": refused("@action\ndef a(self):\n    x = sorted((2, 1))", "sorted"),
            "print": refused("@action\ndef a(self):\n    print(self.bad)", "print"),
            "global": refused("@action\ndef a(self):\n    global zz\n    zz = 1", "global"),
            "nonlocal": refused(
                "@action\ndef a(self):\n    x = 1\n    def f():\n        nonlocal x\n        x = 2\n    f()", "nonlocal"
            ),
            "import": refused("@action\ndef a(self):\n    import os", "import"),
            "class in method": refused("@action\ndef a(self):\n    class X: pass", "class"),
            "yield in action": refused("@action\ndef a(self):\n    yield 'a'", "process"),
            "yield from generator": refused("@process(One)\ndef p(self, c: One):\n    yield from (x for x in (1, 2))"),
            "yield value": refused("@process(One)\ndef p(self, c: One):\n    x = yield 'a'"),
            "yield global label": refused("@process(One)\ndef p(self, c: One):\n    yield c", "label"),
            "return a value in process": fine("@process(One)\ndef p(self, c: One):\n    yield 'a'\n    return 3"),
            "while else": refused(
                "@action\ndef a(self):\n    while False:\n        pass\n    else:\n        self.bad = True", "else"
            ),
            "starred target": refused("@action\ndef a(self, c: Cpu):\n    a, *b = (c, c)"),
            "process star args": refused("@process(One)\ndef p(self, *c):\n    yield 'a'"),
            "process default": refused("@process(One)\ndef p(self, c: One, d: Cpu):\n    yield 'a'"),
            "no self": refused("@action\ndef a():\n    pass", "self"),
            "this for self": refused("@action\ndef a(this):\n    this.bad = True", "self"),
            "action kwonly": bad("@action\ndef a(self, *, c: Cpu):\n    self.bad = True", 1),
            "kwargs action": refused("@action\ndef a(self, **kw):\n    pass", "kw"),
            "invariant with parameter": refused(
                "@invariant('x')\ndef inv(self, c: Cpu):\n    return True", "parameter"
            ),
            "invariant with nothing": refused("@invariant('x')\ndef inv(self):\n    pass", "return"),
            "invariant changes": refused(
                "@invariant('x')\ndef inv(self):\n    self.bad = True\n    return True", "change"
            ),
            "event changes": refused(
                "@event\ndef e(self):\n    self.bad = True\n    check('a', True, because='')", "change"
            ),
            "state called name": refused("name: bool\n@action\ndef a(self):\n    self.name = True"),
            "state called sizes": refused(
                "sizes: Map[Cpu, bool]\n@action\ndef a(self, c: Cpu):\n    self.sizes[c] = True"
            ),
            "state called policies": refused("policies: bool\n@action\ndef a(self):\n    self.policies = True"),
            "list of parts": refused(
                "locks = [Lock(), Lock()]\n@action\ndef a(self, c: Cpu):\n    with self.locks[0](c):\n        pass"
            ),
            "tuple of parts": refused(
                "locks = (Lock(), Lock())\n@action\ndef a(self, c: Cpu):\n    with self.locks[0](c):\n        pass"
            ),
            "attribute of element": refused("@action\ndef a(self, c: Cpu):\n    self.bad = c.index == 0", "index"),
            "state attr value": refused("k: Kind\n@action\ndef a(self):\n    self.bad = self.k.value == 0"),
            "repr": refused("@action\ndef a(self, c: Cpu):\n    self.bad = str(c) == 'cpu0'", "str"),
            "hash": refused("@action\ndef a(self, c: Cpu):\n    self.bad = hash(c) == 1", "hash"),
            "huge tuple": bad(
                "@action\ndef a(self):\n    t = (" + "self.bad, " * 400 + ")\n    self.bad = t[399] == t[0]", 1
            ),
            "index of string": refused("@action\ndef a(self):\n    x = 'abc'[1]"),
            "call a constant": refused("X = 3\n@action\ndef a(self):\n    self.X()", "called"),
            "call a tuple": refused("@action\ndef a(self):\n    (1, 2)()", "called"),
            "list unhashable call": refused("@action\ndef a(self):\n    [].append(1)"),
            "attribute of None": refused("@action\ndef a(self):\n    None.x"),
            "division by zero": refused("@action\ndef a(self):\n    self.bad = 1 // 0 == 1", "zero"),
            "range step zero": refused("@action\ndef a(self):\n    for i in range(0, 3, 0):\n        pass"),
            "unhashable key": refused("T = {'a': 1}\n@action\ndef a(self):\n    x = self.T[(1, 2)]"),
            "kind with list": refused("@action\ndef a(self):\n    x = Kind(())"),
            "kind subscript int": refused("@action\ndef a(self):\n    x = Kind[1]"),
            "zip of nothing": refused("@action\ndef a(self):\n    for a, b in zip(3, 4):\n        pass"),
            "enumerate arg string": refused(
                "@action\ndef a(self):\n    for a, b in enumerate((1,), 'x'):\n        pass"
            ),
            "reversed two": refused("@action\ndef a(self):\n    for a in reversed((1,), (2,)):\n        pass"),
            "tuple two": refused("@action\ndef a(self):\n    x = tuple((1,), (2,))"),
            "slice step zero": refused("@action\ndef a(self):\n    x = (1, 2)[::0]"),
            "bad template": refused("@action\ndef a(self):\n    '''{c'''\n    pass"),
            "attr error prop": refused(
                """
                class P:
                    @property
                    def x(self):
                        raise ValueError

                OBJ = P()

                class Generated(System):
                    bad: bool
                    @action
                    def a(self):
                        self.bad = OBJ.x
                """,
                "OBJ",
            ),
            "eq raising": refused(
                """
                class P:
                    def __eq__(self, o):
                        raise ValueError

                OBJ = P()

                class Generated(System):
                    bad: bool
                    @action
                    def a(self):
                        self.bad = OBJ == OBJ
                """,
                "OBJ",
            ),
            "choose a tuple": refused("@action\ndef a(self, c: Cpu):\n    x = choose((c, c))", "sort"),
            "choose int": refused("@action\ndef a(self, c: Cpu):\n    x = choose(3)", "sort"),
            "choose where not lambda": refused(
                "@action\ndef a(self, c: Cpu):\n    x = choose(Cpu, where=True)", "where"
            ),
            "choose where wrong arity": refused(
                "@action\ndef a(self, c: Cpu):\n    x = choose(Cpu, where=lambda: True)"
            ),
            "nested optional": refused("o: Map[Optional[Gen], bool]", "counter"),
            "map of map": refused("o: Map[Cpu, Map[Cpu, bool]]"),
            "bare map": refused("o: Map", "Map"),
            "list state": refused("o: list[bool]", "sort"),
            "int state": refused("o: int", "Range"),
            "literal string": refused("o: 'Nope'", "Nope"),
        },
    }
)


KINDS.update(
    {
        "processes, loops and maps, one inside of another": {
            "recursive helper with constant depth over yields": bad(
                """
        n: Map[One, Digit]
        def h(self, c, k):
            x = self.n[c]
            yield "in"
            if k > 0:
                yield from self.h(c, k - 1)
            self.n[c] = x + 1

        @process(One)
        def p(self, c: One):
            yield "a"
            self.n[c] = 3
            yield from self.h(c, 2)
            yield "b"
            self.bad = self.n[c] == 4
            self.n[c] = 0
        """,
                5,
                python=False,
            ),
            "same part class twice, both in helper": bad(
                """
        class Store(Part):
            n: Digit
            def put(self, x):
                yield "puts"
                self.n = x

        class Generated(System):
            a = Store()
            b = Store()
            @process(One)
            def p(self, c: One):
                yield "x"
                yield from self.a.put(3)
                yield "y"
                yield from self.b.put(4)
            @invariant("x")
            def never(self):
                return not (self.a.n == 3 and self.b.n == 4)
        """,
                4,
                python=False,
            ),
            "loop over tuple with yields": bad(
                """
        m: Map[Cpu, bool]
        @process(One)
        def p(self, o: One):
            yield "a"
            c = choose(Cpu)
            d = choose(Cpu)
            for i, x in enumerate((c, d)):
                yield "marks"
                self.m[x] = i == 1
            self.bad = c != d and self.m[d] and not self.m[c]
        """,
                3,
                python=False,
            ),
            "nested loops with break over a yield": bad(
                """
        n: Digit
        @process(One)
        def p(self, o: One):
            yield "a"
            total = 0
            for i in range(3):
                for j in range(3):
                    if j == 2:
                        break
                    yield "in"
                    total += 1
            self.bad = total == 6
        """,
                7,
            ),
            "lambda over a yield": bad(
                """
        x: Bit
        @process(One)
        def p(self, o: One):
            yield "a"
            n = 0
            f = lambda: n + self.x
            yield "b"
            n = 1
            self.x = 1
            yield "c"
            self.bad = n == 1 and f() == 2
        """,
                3,
            ),
            "lambda over a yield 2": bad(
                """
        x: bool
        @process(One)
        def p(self, o: One):
            yield "a"
            n = False
            f = lambda: n and self.x
            yield "b"
            n = True
            self.x = True
            yield "c"
            self.bad = f()
        """,
                3,
            ),
            "process parameter reassigned": bad(
                """
        m: Map[Cpu, bool]
        @process(Cpu)
        def p(self, c: Cpu):
            yield "a"
            me = c
            c = choose(Cpu)
            yield "b"
            self.bad = c != me
        """,
                2,
            ),
            "with in with": bad(
                """
        a = Lock()
        b = Lock()
        x: bool
        @process(Cpu)
        def p(self, c: Cpu):
            yield "a"
            with self.a(c), self.b(c):
                yield "in"
                self.bad = self.a.holder == c and self.b.holder == c
        """,
                2,
            ),
            "with and return over yield": fine("""
        a = Lock()
        def h(self, c):
            with self.a(c):
                yield "in"
                return True

        @process(Cpu)
        def p(self, c: Cpu):
            yield "a"
            x = yield from self.h(c)
            self.bad = x and self.a.holder == c
        """),
            "with and break": fine("""
        a = Lock()
        @process(Cpu)
        def p(self, c: Cpu):
            yield "a"
            while True:
                with self.a(c):
                    yield "in"
                    break
            self.bad = self.a.holder == c
        """),
            "two returns in process": bad(
                """
        x: bool
        @process(One)
        def p(self, c: One):
            yield "a"
            if self.x:
                self.bad = True
                return
            self.x = True
            yield "b"
        """,
                3,
            ),
            "no first label: initial work": bad(
                """
        x: Map[One, bool]
        @process(One)
        def p(self, c: One):
            if self.x[c]:
                self.bad = True
            yield "a"
            self.x[c] = True
        """,
                3,
                python=False,
            ),
            "local before first label": bad(
                """
        x: Map[One, bool]
        @process(One)
        def p(self, c: One):
            n = 3
            k = Kind.B
            yield "a"
            self.bad = n == 3 and k == Kind.B
        """,
                1,
                python=False,
            ),
            "helper result through a tuple and slice": bad(
                """
        def three(self):
            return 1, 2, 3

        @action
        def a(self):
            x, y = self.three()[1:]
            (p, q), r = (x, y), self.three()[-1]
            self.bad = (p, q, r) == (2, 3, 3)
        """,
                1,
            ),
            "map slices": bad(
                """
        m: Map[Cpu, Page, bool]
        @action
        def a(self, c: Cpu):
            self.m[...] = False
            self.m[c, :] = True
            self.bad = all(self.m[c, p] for p in Page) and any(not self.m[d, p] for d in Cpu for p in Page)
        """,
                1,
            ),
            "row then element": bad(
                """
        m: Map[Cpu, Page, bool]
        @action
        def a(self, c: Cpu, p: Page):
            self.m[c, p] = True
            self.m[c, :] = False
            self.m[:, p] = True
            self.bad = self.m[c, p] and any(not self.m[c, q] for q in Page)
        """,
                1,
            ),
            "loop then read other index": bad(
                """
        m: Map[Cpu, bool]
        n: Map[Cpu, bool]
        @action
        def a(self, c: Cpu, d: Cpu):
            self.n[c] = True
            for x in Cpu:
                self.m[x] = self.n[x]
            self.bad = self.m[c] and not self.m[d]
        """,
                1,
            ),
            "conditional writes in loop": bad(
                """
        m: Map[Cpu, Kind]
        n: Map[Cpu, bool]
        @action
        def a(self, c: Cpu):
            for x in Cpu:
                if self.n[x]:
                    self.m[x] = Kind.B
                else:
                    self.m[x] = Kind.C
                    self.n[x] = True
            self.bad = self.m[c] == Kind.B
        """,
                2,
            ),
            "local in loop": bad(
                """
        m: Map[Cpu, bool]
        n: Map[Cpu, bool]
        @action
        def a(self):
            for x in Cpu:
                old = self.m[x]
                self.m[x] = not old
                self.n[x] = old
            self.bad = any(self.n[x] and not self.m[x] for x in Cpu)
        """,
                2,
            ),
            "counter in loop": refused(
                """
        n: Digit
        m: Map[Cpu, bool]
        @action
        def a(self):
            total = 0
            for x in Cpu:
                if self.m[x]:
                    total += 1
            self.n = total
        """,
                "total",
            ),
            "state counter in loop": refused(
                """
        n: Digit
        m: Map[Cpu, bool]
        @action
        def a(self):
            for x in Cpu:
                self.n += 1
        """,
                "n",
            ),
            "found in loop": refused(
                """
        m: Map[Cpu, bool]
        @action
        def a(self):
            found = False
            for x in Cpu:
                if self.m[x]:
                    found = True
            self.bad = found
        """,
                "found",
            ),
            "last wins constant per branch": refused(
                """
        k: Kind
        m: Map[Cpu, bool]
        @action
        def a(self):
            for x in Cpu:
                if self.m[x]:
                    self.k = Kind.B
                else:
                    self.k = Kind.C
        """,
                "k",
            ),
            "agreed with read of itself": refused(
                """
        x: bool
        m: Map[Cpu, bool]
        @action
        def a(self):
            for c in Cpu:
                if not self.x:
                    self.x = True
                    self.m[c] = True
        """,
                "x",
            ),
            "agreed write read later in the loop": refused(
                """
        x: bool
        m: Map[Cpu, bool]
        @action
        def a(self):
            for c in Cpu:
                self.m[c] = self.x
                self.x = True
        """,
                "x",
            ),
            "agreed in condition over written map": refused(
                """
        x: bool
        m: Map[Cpu, bool]
        @action
        def a(self):
            for c in Cpu:
                if any(self.m[d] for d in Cpu):
                    self.bad = True
                self.m[c] = True
        """,
                "m",
            ),
            "loop reads state via helper": refused(
                """
        m: Map[Cpu, bool]
        def other(self):
            return all(self.m[d] for d in Cpu)
        @action
        def a(self):
            for c in Cpu:
                self.m[c] = self.other()
        """,
                "m",
            ),
            "loop over sort with option index": refused("""
        m: Map[Cpu, bool]
        o: Map[Cpu, Cpu]
        @action
        def a(self):
            for c in Cpu:
                self.m[self.o[c]] = True
                self.m[c] = False
        """),
            "loop writes through a map, constant": refused("""
        m: Map[Cpu, bool]
        o: Map[Cpu, Cpu]
        @action
        def a(self):
            for c in Cpu:
                self.m[self.o[c]] = self.m[c]
        """),
            "knobs in loops and helper default": bad(
                """
        k = Knob(bool, True, "k")
        def f(self, v=Kind.B):
            return v == Kind.B
        @action
        def a(self):
            if self.k and self.f():
                self.bad = True
        """,
                1,
                python=False,
            ),
            "optional arithmetic": bad(
                """
        o: Optional[Digit]
        @action
        def a(self):
            self.o = 3
            self.o = self.o + 2
            self.bad = self.o == 5
        """,
                1,
            ),
            "optional less": bad(
                """
        o: Optional[Digit]
        @action
        def a(self):
            self.o = 3
            self.bad = self.o < 5
        """,
                1,
            ),
            "owed in short circuit event": fine("""
        o: Map[Cpu, Optional[Digit]]
        @action
        def a(self, c: Cpu):
            self.o[c] = 3
        @event
        def e(self, c: Cpu):
            if self.o[c] is not None and self.o[c] > 2:
                check("three", self.o[c] == 3, because="x")
        """),
            "initially with loop and choice": bad(
                """
        m: Map[Cpu, bool]
        @initially
        def start(self):
            c = choose(Cpu)
            for d in Cpu:
                self.m[d] = d != c
        @action
        def a(self, c: Cpu, d: Cpu):
            self.bad = self.m[c] and not self.m[d]
        """,
                1,
            ),
            "initially out of range": Case(
                """
        class Generated(System):
            n: Bit
            o: Optional[Digit]
            @initially
            def start(self):
                self.n = self.o
            @action
            def idle(self):
                pass
        """,
                Violated("well-defined", 0),
                python=False,
            ),
            "out of range": Case(
                """
        class Generated(System):
            n: Bit
            @action
            def up(self):
                self.n += 1
        """,
                Violated("well-defined", 2),
                python=False,
            ),
            "axiom": bad(
                """
        home: Rigid[Map[Cpu, Page]]
        @axiom
        def away(self):
            return any(self.home[c] != self.home[d] for c in Cpu for d in Cpu)
        @action
        def a(self, c: Cpu, d: Cpu):
            self.bad = self.home[c] != self.home[d]
        """,
                1,
            ),
            "bool map index": bad(
                """
        m: Map[bool, Bit]
        @action
        def a(self):
            self.m[self.m[True] == 0] = 1
            self.bad = self.m[True] == 1
        """,
                1,
            ),
            "enum with same-named members as labels": bad(
                """
        class E(enum.Enum):
            start = 0
            pc = 1
        class Generated(System):
            e: E
            @process(One)
            def pc(self, c: One):
                yield "pc"
                self.e = E.pc
            @invariant("x")
            def never(self):
                return self.e is not E.pc
        """,
                1,
            ),
            "ordered level": bad(
                """
        x: Level
        @action
        def a(self, l: Level):
            self.x = l
            self.bad = self.x > 1
        """,
                1,
                python=False,
            ),
            "conditional lambda": refused("""
        @action
        def a(self, f: bool):
            g = (lambda: True) if f else (lambda: False)
            self.bad = g()
        """),
            "late binding in tuple of lambdas": bad(
                """
        @action
        def a(self):
            fs = ()
            for i in range(2):
                fs = fs + (lambda: i,)
            self.bad = fs[0]() == 1
        """,
                1,
            ),
            "default binding in tuple of lambdas": bad(
                """
        @action
        def a(self):
            fs = ()
            for i in range(2):
                fs = fs + (lambda i=i: i,)
            self.bad = fs[0]() == 0
        """,
                1,
            ),
            "local function": bad(
                """
        n: Digit
        @action
        def a(self):
            def put(x, *, y=2):
                self.n = x
                return y
            self.bad = put(3) == 2 and self.n == 3
        """,
                1,
            ),
            "for over helper call": bad(
                """
        def two(self, c, d):
            return c, d
        m: Map[Cpu, bool]
        @action
        def a(self, c: Cpu, d: Cpu):
            for x in self.two(c, d):
                self.m[x] = not self.m[x]
            self.bad = c == d and not self.m[c]
        """,
                1,
            ),
            "iterating over a changed variable": bad(
                """
        @action
        def a(self):
            t = (1, 2)
            n = 0
            for x in t:
                t = (5, 6, 7)
                n += x
            self.bad = n == 3
        """,
                1,
            ),
        },
    }
)

KINDS.update(
    {
        "what is forgotten, declared twice or used as what it is not": {
            "forgotten action in a part": refused(
                """
        class P(Part):
            on: bool
            def turn(self, c: Cpu):
                self.on = True

        class Generated(System):
            p = P()
            @action
            def idle(self):
                pass
            @invariant("x")
            def never(self):
                return not self.p.on
        """,
                "nothing uses 'turn'",
            ),
            "forgotten action in a base": refused(
                """
        class B(System):
            on: bool
            def turn(self, c: Cpu):
                self.on = True

        class Generated(B):
            @action
            def idle(self):
                pass
            @invariant("x")
            def never(self):
                return not self.on
        """,
                "nothing uses 'turn'",
            ),
            "forgotten action in a mixin": refused(
                """
        class B:
            def turn(self, c: Cpu):
                self.on = True

        class Generated(System, B):
            on: bool
            @action
            def idle(self):
                pass
            @invariant("x")
            def never(self):
                return not self.on
        """,
                "nothing uses 'turn'",
            ),
            "overridden part step": refused(
                """
        class P(Part):
            on: bool
            @action
            def turn(self, c: Cpu):
                self.on = True
        class Q(P):
            def turn(self, c):
                self.on = False

        class Generated(System):
            p = Q()
            @invariant("x")
            def never(self):
                return not self.p.on
        """,
                "overrides an action",
            ),
            "a step taken away": bad(
                """
        class B(System):
            bad: bool
            @action
            def turn(self, c: Cpu):
                self.bad = True
            @invariant("x")
            def never(self):
                return not self.bad

        class Generated(B):
            turn = None
            @action
            def other(self):
                self.bad = True
        """,
                1,
            ),
            "two enumerations of one name": refused(
                """
        Other = enum.Enum("Kind", "A B C")
        class Generated(System):
            k: Kind
            o: Other
            @action
            def a(self):
                self.k = Kind.A
        """,
                "two enumerations called Kind",
            ),
            "two sorts of one name": refused(
                """
        class Holder:
            class Cpu(Sort):
                pass
        class Generated(System):
            k: Map[Cpu, bool]
            o: Map[Holder.Cpu, bool]
            @action
            def a(self):
                pass
        """,
                "two sorts called Cpu",
            ),
            "two sorts of one name, one only chosen": refused(
                """
        class Holder:
            class Cpu(Sort):
                pass
        class Generated(System):
            k: Map[Cpu, bool]
            @action
            def a(self):
                c = choose(Holder.Cpu)
        """,
                "two sorts called Cpu",
            ),
            "functional enumeration": bad(
                """
        Dyn = enum.Enum("Dyn", "A B C")
        class Generated(System):
            k: Dyn
            @action
            def a(self):
                self.k = Dyn.C
            @invariant("x")
            def never(self):
                return self.k != Dyn.C
        """,
                1,
            ),
            "enum with auto and a member called mro-like": bad(
                """
        class Dyn(enum.Enum):
            a = enum.auto()
            b = enum.auto()
        class Generated(System):
            k: Dyn
            @action
            def a(self):
                self.k = Dyn(2)
            @invariant("x")
            def never(self):
                return self.k != Dyn.b
        """,
                1,
            ),
            "an enum with unicode members": bad(
                """
        class Dyn(enum.Enum):
            größe = 0
            日本 = 1
        class Generated(System):
            k: Dyn
            @action
            def a(self):
                self.k = Dyn.日本
            @invariant("x")
            def never(self):
                return self.k != Dyn.日本
        """,
                1,
            ),
            "sort subclass": bad(
                """
        class Big(Cpu):
            pass
        class Generated(System):
            k: Map[Big, bool]
            @action
            def a(self, b: Big):
                self.k[b] = True
            @invariant("x")
            def never(self):
                return all(not self.k[b] for b in Big)
        """,
                1,
            ),
            "sort size string": refused(
                """
                class S(Sort, size='2'):
                    pass

                class Generated(System):
                    m: Map[S, bool]
                    @action
                    def a(self):
                        pass
                """,
                "size",
            ),
            "sort size true": refused(
                """
                class S(Sort, size=True):
                    pass

                class Generated(System):
                    m: Map[S, bool]
                    @action
                    def a(self):
                        pass
                """,
                "size",
            ),
            "Rigid written": refused(
                "h: Rigid[Map[Cpu, bool]]\n@action\ndef a(self, c: Cpu):\n    self.h[c] = True", "rigid"
            ),
            "knob written": refused(
                "k = Knob(bool, True, '')\n@action\ndef a(self, c: Cpu):\n    self.k = True", "knob"
            ),
            "dunder all": refused("@action\ndef a(self, c: Cpu):\n    self.__class__.x = 1"),
            "self dict": refused("@action\ndef a(self, c: Cpu):\n    self.__dict__['bad'] = True"),
            "setattr": refused("@action\ndef a(self, c: Cpu):\n    setattr(self, 'bad', True)", "setattr"),
            "getattr": refused("@action\ndef a(self, c: Cpu):\n    self.bad = getattr(self, 'bad')", "getattr"),
            "vars of system": refused("@action\ndef a(self):\n    x = self.sizes['a']"),
            "assign class constant": refused("LIMIT = 3\n@action\ndef a(self):\n    self.LIMIT = 4", "LIMIT"),
            "assign method": refused("@action\ndef a(self):\n    self.a = 4", "a"),
            "part method as value": refused(
                "lock = Lock()\n@action\ndef a(self):\n    self.bad = self.lock.acquire", "must be called"
            ),
            "with system": refused("@action\ndef a(self):\n    with self:\n        pass", "with"),
            "with keyword": refused(
                "lock = Lock()\n@action\ndef a(self, c: Cpu):\n    with self.lock(who=c):\n        pass"
            ),
            "with as": refused(
                "lock = Lock()\n@action\ndef a(self, c: Cpu):\n    with self.lock(c) as l:\n        pass", "with"
            ),
            "at on action": refused(
                "@action\ndef a(self):\n    pass\n@invariant('x')\ndef i(self):\n    return at(self.a, 'x')", "process"
            ),
            "at unknown label": refused(
                """
                @process(One)
                def p(self, c: One):
                    yield 'a'
                @invariant('x')
                def i(self):
                    return all(at(self.p, c, 'b') for c in One)
                """,
                "no label 'b'",
            ),
            "at no label": refused(
                """
                @process(One)
                def p(self, c: One):
                    yield 'a'
                @invariant('x')
                def i(self):
                    return all(at(self.p, c) for c in One)
                """,
            ),
            "check dynamic name": refused("@event\ndef e(self):\n    check(self.bad, True, because='')", "string"),
            "check two names": refused("@event\ndef e(self):\n    check('no-deadlock', True, because='')", "built in"),
            "require string": refused("@action\ndef a(self):\n    require('x')", "always"),
            "require tuple": refused("@action\ndef a(self, c: Cpu):\n    require((c is None, 'message'))"),
            "require two": refused("@action\ndef a(self):\n    require(True, 'message')", "require takes"),
            "event decorated parens": refused("@process\ndef p(self, c: One):\n    yield 'a'", "@process"),
            "process of a class": refused("@process(int)\ndef p(self, c):\n    yield 'a'", "sort"),
            "process of a counter": refused("@process(Gen)\ndef p(self, c):\n    yield 'a'", "counter"),
            "process over bool": bad("@process(bool)\ndef p(self, c):\n    yield 'a'\n    self.bad = c", 1),
            "process over range": bad(
                "@process(Bit)\ndef p(self, c):\n    yield 'a'\n    self.bad = c == 1", 1, python=False
            ),
            "two processes, param twins": refused("@process(One)\ndef p(self, c, d):\n    yield 'a'", "parameter"),
            "two parameters of one sort": bad(
                "@process(Cpu, Cpu)\ndef p(self, c, d):\n    yield 'a'\n    self.bad = c != d", 1
            ),
            "nested system class attr": bad(
                """
        class Generated(System):
            bad: bool
            class E(enum.Enum):
                X = 0
                Y = 1
            @action
            def a(self):
                self.bad = self.E.X != self.E.Y
            @invariant("x")
            def never(self):
                return not self.bad
        """,
                1,
            ),
            "self.cls attribute": refused("@action\ndef a(self):\n    self.bad = type(self) is None", "type"),
            "conditional method in class body": bad(
                """
        FLAG = True
        class Generated(System):
            bad: bool
            if FLAG:
                @action
                def a(self):
                    self.bad = True
            else:
                @action
                def a(self):
                    pass
            @invariant("x")
            def never(self):
                return not self.bad
        """,
                1,
            ),
            "class twice": bad(
                """
        class Generated(System):
            bad: bool
            def turn(self, c: Cpu):
                self.bad = True
            @invariant("x")
            def never(self):
                return not self.bad

        class Generated(System):
            bad: bool
            @action
            def turn(self):
                self.bad = True
            @invariant("x")
            def never(self):
                return not self.bad
        """,
                1,
            ),
            "property on mixed": refused(
                """
                @property
                def x(self, c: Cpu):
                    return True
                @action
                def a(self, c: Cpu):
                    self.bad = self.x
                """,
                "parameter",
            ),
            "slots": bad(
                """
        class P(Part):
            __slots__ = ()
            on: bool
            @action
            def turn(self):
                self.on = True
        class Generated(System):
            p = P()
            @invariant("x")
            def never(self):
                return not self.p.on
        """,
                1,
            ),
            "aliased helper": bad(
                """
        def put(self):
            self.bad = True
        set = put
        @action
        def a(self):
            self.set()
        """,
                1,
            ),
            "aliased invariant": refused("again = None\n@action\ndef a(self):\n    self.again()", "called"),
            "wait label multi": refused("@process(One)\ndef p(self, c: One):\n    yield 'a', 'b'", "label"),
            "option of counter fresh": bad(
                """
        o: Map[Cpu, Optional[Gen]]
        @action
        def a(self, c: Cpu):
            self.o[c] = fresh(Gen)
            self.bad = any(self.o[d] is not None and self.o[d] < self.o[c] for d in Cpu)
        """,
                2,
            ),
            "three counters compare": fine("""
        now: Gen
        @action
        def a(self):
            g = fresh(Gen)
            self.bad = not self.now < g
            self.now = g
        """),
        },
    }
)

KINDS.update(
    {
        "super, callbacks, generators, ghosts and closures: relatives": {
            "override twice in chain": bad(
                """
        class A(System):
            n: Digit
            @initially
            def start(self):
                self.n = 2
        class B(A):
            @initially
            def start(self):
                super().start()
                self.n += 1
        class Generated(B):
            @action
            def idle(self):
                pass
            @invariant("x")
            def never(self):
                return self.n != 3
        """,
                0,
            ),
            "overridden invariant called": bad(
                """
        class A(System):
            n: Bit
            @invariant("x")
            def never(self):
                return self.n == 0
        class Generated(A):
            @invariant("x")
            def never(self):
                return super().never()
            @action
            def up(self):
                self.n = 1
        """,
                1,
            ),
            "class as base name call": bad(
                """
        class A(System):
            bad: bool
            def put(self):
                self.bad = True
        class Generated(A):
            def put(self):
                A.put(self)
            @action
            def up(self):
                self.put()
            @invariant("x")
            def never(self):
                return not self.bad
        """,
                1,
            ),
            "module function with self": bad(
                """
        def put(system, v):
            system.bad = v
        class Generated(System):
            bad: bool
            @action
            def up(self):
                put(self, True)
            @invariant("x")
            def never(self):
                return not self.bad
        """,
                1,
            ),
            "helper given a map": bad(
                """
        m: Map[Cpu, bool]
        def fill(self, m, c):
            m[c] = True
        @action
        def a(self, c: Cpu):
            self.fill(self.m, c)
            self.bad = self.m[c]
        """,
                1,
            ),
            "part callback into owner": bad(
                """
        class P(Part):
            def __init__(self, rule):
                self.rule = rule
            @action
            def go(self, c: Cpu):
                require(self.rule(c))
        class Generated(System):
            m: Map[Cpu, bool]
            def allowed(self, c):
                self.m[c] = True
                return True
            p = P(allowed)
            @invariant("x")
            def never(self):
                return all(not self.m[c] for c in Cpu)
        """,
                1,
            ),
            "two loops in generator with filter order": bad(
                """
        m: Map[Cpu, Page, bool]
        @action
        def a(self, c: Cpu, p: Page):
            self.m[c, p] = True
            others = any(self.m[x, y] for x in Cpu if x != c for y in Page)
            self.bad = not others and any(self.m[x, y] for x in Cpu for y in Page if y == p)
        """,
                1,
            ),
            "generator variable shadows": bad(
                """
        m: Map[Cpu, bool]
        @action
        def a(self, c: Cpu):
            self.m[c] = True
            x = any(not self.m[c] for c in Cpu)
            self.bad = x and self.m[c]
        """,
                1,
            ),
            "generator first iterable evaluated outside": bad(
                """
        @action
        def a(self):
            x = (1, 2)
            self.bad = any(x == 2 for x in x)
        """,
                1,
            ),
            "nested quantifier same name": bad(
                """
        m: Map[Cpu, bool]
        @action
        def a(self, c: Cpu):
            self.m[c] = True
            self.bad = any(all(self.m[c] == self.m[c] for c in Cpu) and self.m[c] for c in Cpu)
        """,
                1,
            ),
            "where with changed state": bad(
                """
        m: Map[Cpu, bool]
        @action
        def a(self, c: Cpu):
            require(all(not self.m[d] for d in Cpu))
            self.m[c] = True
            d = choose(Cpu, where=lambda x: self.m[x])
            self.bad = d == c
        """,
                1,
            ),
            "where closes over loop variable": bad(
                """
        @action
        def a(self, c: Cpu, e: Cpu):
            require(c != e)
            last = c
            for x in (c, e):
                last = choose(Cpu, where=lambda y: y == x)
            self.bad = last == e
        """,
                1,
            ),
            "ghost through with args": refused(
                """
        who: Ghost[Map[One, Cpu]]
        lock = Lock()
        @process(One)
        def p(self, c: One):
            yield "a"
            with self.lock(self.who[c]):
                yield "b"
        """,
                "ghost",
            ),
            "ghost through helper return": refused(
                """
        secret: Ghost[bool]
        def h(self):
            x = self.secret
            yield "h"
            return x
        @process(One)
        def p(self, c: One):
            yield "a"
            x = yield from self.h()
            require(x)
        """,
                "ghost",
            ),
            "ghost in loop bound": refused(
                """
        secret: Ghost[Map[Cpu, bool]]
        m: Map[Cpu, bool]
        @action
        def a(self):
            for c in Cpu:
                if self.secret[c]:
                    self.m[c] = True
        """,
                "ghost",
            ),
            "ghost in a choice": refused(
                """
        secret: Ghost[Map[Cpu, bool]]
        m: Map[Cpu, bool]
        @action
        def a(self):
            c = choose(Cpu, where=lambda c: self.secret[c])
        """,
                "ghost",
            ),
            "ghost decides a return": refused(
                """
        secret: Ghost[bool]
        @process(One)
        def p(self, c: One):
            yield "a"
            if self.secret:
                return
            yield "b"
        """,
                "ghost",
            ),
            "ghost index of plain write": refused(
                """
        secret: Ghost[Cpu]
        m: Map[Cpu, bool]
        @action
        def a(self):
            self.m[self.secret] = True
        """,
                "ghost",
            ),
            "ghost initially": refused(
                """
        secret: Ghost[Cpu]
        m: Map[Cpu, bool]
        @initially
        def a(self):
            self.m[self.secret] = True
        """,
                "ghost",
            ),
            "a rigid number": bad(
                """
        limit: Rigid[Digit]
        @action
        def a(self):
            self.bad = self.limit == 9
        """,
                1,
                python=False,
            ),
            "a ghost number that decides a return": refused(
                """
        n: Ghost[Map[Cpu, Digit]]
        m: Ghost[Digit]
        def small(self):
            if self.m > 3:
                return False
            return True
        @action
        def a(self):
            require(self.small())
        """,
                "ghost",
            ),
            "rigid and ghost": refused("x: Rigid[Ghost[bool]]", "not both"),
            "a ghost that is not there": Case(
                """
        secret: Ghost[Optional[Digit]]
        g: Ghost[Digit]
        @action
        def a(self):
            self.g = self.secret
        """,
                Violated("well-defined", 1),
                python=False,
            ),
            "ghost in fresh": refused(
                """
        secret: Ghost[bool]
        x: Gen
        @action
        def a(self):
            g = fresh(Gen)
            if self.secret:
                self.x = g
        """,
                "ghost",
            ),
            "reachable is checked": fine("""
        @reachable
        def a_state(self):
            return self.bad
        """),
            "axiom that changes": refused("@axiom\ndef ax(self):\n    self.bad = True\n    return True"),
            "closure across elements": refused("""
        m: Map[Cpu, bool]
        n: Map[Cpu, Cpu, bool]
        @closure
        def f(self):
            for c, d in each(Cpu, Cpu):
                if self.m[c] and self.n[c, d]:
                    self.m[d] = True
        """),
            "closure over quantifier": refused("""
        m: Map[Cpu, bool]
        @closure
        def f(self):
            for c in Cpu:
                if any(self.m[d] for d in Cpu):
                    self.m[c] = True
        """),
            "closure negative": refused("""
        m: Map[Cpu, bool]
        @closure
        def f(self):
            if not self.bad:
                self.m[...] = True
        @closure
        def g(self):
            if any(self.m[c] for c in Cpu):
                self.bad = True
        """),
            "closure that clears, chain of three reversed": bad(
                """
        a: bool
        b: bool
        c: bool
        @closure
        def third(self):
            if self.c:
                self.bad = True
        @closure
        def second(self):
            if self.b:
                self.c = True
        @closure
        def first(self):
            if self.a:
                self.b = True
        @action
        def go(self):
            self.a = True
        """,
                1,
                python=False,
            ),
            "closure at the start": bad(
                """
        a: bool
        @initially
        def go(self):
            self.a = True
        @closure
        def first(self):
            if self.a:
                self.bad = True
        """,
                0,
            ),
            "closure over a process step": bad(
                """
        a: bool
        @closure
        def first(self):
            if self.a:
                self.bad = True
        @process(One)
        def p(self, c: One):
            yield "x"
            self.a = True
        """,
                1,
            ),
            "closure reading a pc local": bad(
                """
        m: Map[Cpu, bool]
        @closure
        def first(self):
            for c in Cpu:
                if self.m[c]:
                    self.bad = True
        @process(Cpu)
        def p(self, c: Cpu):
            yield "x"
            x = c
            yield "y"
            self.m[x] = True
        """,
                2,
            ),
        }
    }
)
