"""More idioms of Python programmers, by what they are about: the second table of `test_kinds`."""

from __future__ import annotations

from .kinds import Case, bad, breaks, fine, refused

_NEVER_ABOVE = """
class Base(System):
    on: bool

    @action
    def up(self):
        self.on = True

    @invariant("bad")
    def never(self):
        return {}

class Generated(Base):
    @invariant("bad")
    def never(self):
        return {}
"""

HABITS: dict[str, dict[str, Case]] = {
    "statements that do nothing": {
        "comparison statement instead of assignment": refused(
            """
            @action
            def a(self):
                self.bad == True
            """,
            "the value of self.bad == True is not used",
        ),
        "method named as a statement without a call": refused(
            """
            n: Digit
            def flush(self):
                self.n = 0
            @action
            def a(self):
                self.n = 1
                self.flush
            """,
            "the value of self.flush is not used",
        ),
        "part method as statement without a call": refused(
            """
            lock = Lock()
            @action
            def a(self, c: Cpu):
                self.lock.acquire
            """,
            "the value of self.lock.acquire is not used",
        ),
        "require without call": refused(
            """
            @action
            def a(self, c: Cpu):
                require
                self.bad = True
            """,
            "the value of require is not used",
        ),
    },
    "undefined before it is forbidden": {
        "undefined then denied": breaks(
            """
            o: Optional[Cpu]
            m: Map[Cpu, bool]
            @action
            def a(self):
                self.m[self.o] = True
                require(False)
            """,
            "well-defined",
            1,
        ),
        "undefined then choice without way": breaks(
            """
            o: Optional[Cpu]
            m: Map[Cpu, bool]
            @action
            def a(self):
                self.m[self.o] = True
                c = choose(Cpu, where=lambda c: False)
            """,
            "well-defined",
            1,
        ),
        "undefined then denied on some ways": breaks(
            """
            o: Optional[Cpu]
            m: Map[Cpu, bool]
            @action
            def a(self, d: Cpu):
                self.m[self.o] = True
                c = choose(Cpu)
                require(c is d)
            """,
            "well-defined",
            1,
        ),
        "undefined init then impossible choice": breaks(
            """
            o: Optional[Cpu]
            m: Map[Cpu, bool]
            @initially
            def a(self):
                self.m[self.o] = True
                c = choose(Cpu, where=lambda c: False)
            """,
            "well-defined",
            0,
            python=False,
        ),
        "undefined init then fine choice": breaks(
            """
            o: Optional[Cpu]
            m: Map[Cpu, bool]
            @initially
            def a(self):
                self.m[self.o] = True
                c = choose(Cpu)
            """,
            "well-defined",
            0,
            python=False,
        ),
        "undefined init then require some": breaks(
            """
            o: Optional[Cpu]
            m: Map[Cpu, bool]
            @initially
            def a(self):
                c = choose(Optional[Cpu])
                self.m[c] = True
                require(c is not None)
            """,
            "well-defined",
            0,
        ),
        "process that never begins": fine(
            """
            def slow(self):
                require(False)
                yield "wait"

            @process(Cpu)
            def p(self, c):
                yield from self.slow()
                while True:
                    yield "wait "
                    yield "go"
            """,
        ),
        "undefined in a process then denied": breaks(
            """
            o: Optional[Cpu]
            m: Map[Cpu, bool]
            @process(Cpu)
            def p(self, c):
                yield "one"
                self.m[self.o] = True
                require(False)
                yield "two"
            """,
            "well-defined",
            1,
        ),
        "undefined in a process then denied by state": breaks(
            """
            o: Optional[Cpu]
            m: Map[Cpu, bool]
            @process(Cpu)
            def p(self, c):
                yield "one"
                self.m[self.o] = True
                require(self.m[c])
                yield "two"
            """,
            "well-defined",
            1,
        ),
    },
    "initial states and axioms": {
        "initially with choose and require": bad(
            """
            x: Optional[Cpu]
            y: Optional[Cpu]

            @initially
            def start(self):
                self.x = choose(Cpu)
                self.y = choose(Cpu)
                require(self.x is not self.y)

            @action
            def a(self):
                self.bad = self.x is not self.y
            """,
            1,
        ),
        "initially calls a helper with state": bad(
            """
            n: Digit

            def up(self, k):
                self.n += k

            @initially
            def start(self):
                self.up(1)
                self.up(2)

            @action
            def a(self):
                self.bad = self.n == 3
            """,
            1,
        ),
        "initially reads what another initially wrote, in order of definition": bad(
            """
            n: Digit
            k: Digit

            @initially
            def first(self):
                self.n = 2

            @initially
            def second(self):
                self.k = self.n + 1

            @action
            def a(self):
                self.bad = self.k == 3
            """,
            1,
        ),
        "initially reading a rigid": bad(
            """
            home: Rigid[Map[Cpu, Bit]]
            n: Bit

            @initially
            def start(self):
                c = choose(Cpu)
                self.n = self.home[c]

            @action
            def a(self):
                self.bad = self.n == 1
            """,
            1,
        ),
        "initially with yield": refused(
            """
            @initially
            def start(self):
                yield "x"
            """,
            "only a process takes several steps",
        ),
        "subclass overrides an initially": bad(
            """
            class Base(System):
                n: Bit
                bad: bool

                @initially
                def start(self):
                    self.n = 1

                @action
                def up(self):
                    self.bad = self.n == 0

                @invariant("bad")
                def never(self):
                    return not self.bad

            class Generated(Base):
                @initially
                def start(self):
                    pass
            """,
            1,
        ),
        "subclass initially with super": bad(
            """
            class Base(System):
                n: Digit
                bad: bool

                @initially
                def start(self):
                    self.n = 1

                @action
                def up(self):
                    self.bad = self.n == 3

                @invariant("bad")
                def never(self):
                    return not self.bad

            class Generated(Base):
                @initially
                def start(self):
                    super().start()
                    self.n += 2
            """,
            1,
        ),
        "order of initially base then sub": bad(
            """
            class Base(System):
                n: Digit
                bad: bool

                @initially
                def one(self):
                    self.n = 1

                @action
                def up(self):
                    self.bad = self.n == 2

                @invariant("bad")
                def never(self):
                    return not self.bad

            class Generated(Base):
                @initially
                def two(self):
                    self.n += 1
            """,
            1,
        ),
        "rigid assigned in initially": fine(
            """
            r: Rigid[Map[Cpu, Bit]]
            @initially
            def start(self):
                for c in Cpu:
                    self.r[c] = 1
            @action
            def a(self, c: Cpu):
                self.bad = self.r[c] == 0
            """,
        ),
        "axiom restricts": fine(
            """
            r: Rigid[Map[Cpu, Bit]]
            @axiom
            def all_one(self):
                return all(self.r[c] == 1 for c in Cpu)
            @action
            def a(self, c: Cpu):
                self.bad = self.r[c] == 0
            """,
        ),
        "axiom with a helper and chain": fine(
            """
            r: Rigid[Map[Cpu, Digit]]
            def small(self, c):
                return 0 < self.r[c] <= 2
            @axiom
            def fact(self):
                return all(self.small(c) for c in Cpu)
            @action
            def a(self, c: Cpu):
                self.bad = self.r[c] > 2
            """,
        ),
        "axiom over state": refused(
            """
            n: Digit
            @axiom
            def fact(self):
                return self.n == 0
            """,
            "an axiom says something of rigid maps, and 'n' is given values",
        ),
        "unset initial scalarset choice": bad(
            """
            c: Cpu
            @action
            def a(self, d: Cpu):
                self.bad = self.c is d
            """,
            1,
        ),
        "optional initial None": fine(
            """
            c: Optional[Cpu]
            @action
            def a(self):
                self.bad = self.c is not None
            """,
        ),
        "enum initial first": fine(
            """
            k: Kind
            @action
            def a(self):
                self.bad = self.k is not Kind.A
            """,
        ),
        "range initial is 0 or lo": bad(
            """
            n: Annotated[int, Range(2, 4)]
            @action
            def a(self):
                self.bad = self.n == 2
            """,
            1,
        ),
        "axiom reads what initially writes": refused(
            """
            n: Digit
            @initially
            def start(self):
                self.n = 1
            @axiom
            def fact(self):
                return self.n == 1
            @action
            def a(self):
                self.bad = True
            """,
            "an axiom says something of rigid maps, and 'n' is given values",
        ),
        "axiom on a rigid that initially writes": refused(
            """
            r: Rigid[Map[Cpu, Bit]]
            @axiom
            def zero(self):
                return all(self.r[c] == 0 for c in Cpu)
            @initially
            def start(self):
                self.r[...] = 1
            """,
            "an axiom says something of rigid maps, and 'r' is given values",
        ),
        "axiom with a knob": fine(
            """
            k = Knob(bool, True, doc="x")
            r: Rigid[Map[Cpu, Bit]]
            @axiom
            def zero(self):
                return self.k and all(self.r[c] == 0 for c in Cpu)
            @action
            def a(self, c: Cpu):
                self.bad = self.r[c] == 1
            """,
        ),
        "axiom forbids what the start owes": fine(
            """
            r: Rigid[Map[Cpu, Optional[Page]]]
            m: Map[Page, bool]
            @axiom
            def some(self):
                return all(self.r[c] is not None for c in Cpu)
            @initially
            def start(self):
                c = choose(Cpu)
                self.m[self.r[c]] = True
            @action
            def a(self, c: Cpu):
                self.bad = self.r[c] is None
            """,
        ),
    },
    "walrus": {
        "walrus in while": bad(
            """
            n: Digit

            @process(One)
            def p(self, o):
                while (k := self.n) < 2:
                    yield "again"
                    self.n = k + 1
                self.bad = k == 2
            """,
            3,
        ),
        "walrus in an elif": bad(
            """
            n: Bit

            @action
            def a(self):
                if (k := self.n) == 1:
                    pass
                elif (k := k + 1) == 1:
                    self.bad = k == 1
            """,
            1,
        ),
        "walrus in call args order": bad(
            """
            def f(self, a, b):
                return a == 1 and b == 2

            @action
            def a(self):
                k = 1
                self.bad = self.f(k, (k := 2))
            """,
            1,
        ),
        "walrus in a comparison's right side after left read": bad(
            """
            @action
            def a(self):
                k = 1
                self.bad = k < (k := 2) and k == 2
            """,
            1,
        ),
        "walrus in a comprehension's condition": refused(
            """
            m: Map[Cpu, Bit]

            @action
            def a(self):
                self.bad = any((k := self.m[c]) == 1 for c in Cpu)
            """,
            "a comprehension gives no variable of the function a value",
        ),
        "walrus in short circuit unbound": refused(
            """
            n: Bit

            @action
            def a(self):
                if self.n == 0 or (k := self.n) == 1:
                    self.bad = k == 1
            """,
            "'k' is set on some ways to this place only",
        ),
        "invariant with walrus": breaks(
            """
            n: Digit
            @action
            def a(self):
                self.n = 2
            @invariant("p")
            def p(self):
                return (k := self.n) < 2 or k > 5
            """,
            "p",
            1,
        ),
    },
    "parts as objects": {
        "property in a part": bad(
            """
            class Box(Part):
                n: Digit

                @property
                def full(self):
                    return self.n > 0

                def put(self):
                    self.n += 1


            class Generated(System):
                bad: bool
                box = Box()

                @action
                def a(self):
                    require(not self.box.full)
                    self.box.put()
                    self.bad = self.box.full

                @invariant("bad")
                def never(self):
                    return not self.bad
            """,
            1,
        ),
        "part without release": refused(
            """
            class Half(Part):
                on: bool

                def acquire(self):
                    self.on = True

            class Generated(System):
                half = Half()

                @process(One)
                def p(self, o):
                    yield "x"
                    with self.half():
                        yield "y"
            """,
            "'half' has no release",
        ),
        "two parts share a third and one writes": bad(
            """
            class Cell(Part):
                n: Bit

            class User(Part):
                def __init__(self, cell):
                    self.cell = cell

                def put(self):
                    self.cell.n = 1

                def get(self):
                    return self.cell.n

            class Generated(System):
                bad: bool
                cell = Cell()
                a = User(cell)
                b = User(cell)

                @action
                def put(self):
                    require(self.b.get() == 0)
                    self.a.put()

                @action
                def look(self):
                    self.bad = self.b.get() == 1 and self.cell.n == 1

                @invariant("bad")
                def never(self):
                    return not self.bad
            """,
            2,
        ),
        "part with an action, two instances": bad(
            """
            class Cell(Part):
                n: Digit

                @action
                def up(self):
                    require(self.n < 2)
                    self.n += 1

            class Generated(System):
                one = Cell()
                two = Cell()

                @invariant("x")
                def never(self):
                    return not (self.one.n == 1 and self.two.n == 1)
            """,
            2,
        ),
        "part with a process, two instances with at()": bad(
            """
            class Cell(Part):
                n: Digit

                @process(One)
                def up(self, o):
                    yield "a"
                    yield "b"

            class Generated(System):
                one = Cell()
                two = Cell()

                @invariant("x")
                def never(self):
                    return not any(at(self.one.up, o, "b") and at(self.two.up, o, "b") for o in One)
            """,
            2,
        ),
        "part given a lambda of the system": bad(
            """
            class Cell(Part):
                def __init__(self, ok):
                    self.ok = ok

                def ask(self, c):
                    return self.ok(c)

            class Generated(System):
                bad: bool
                m: Map[Cpu, bool]

                def good(self, c):
                    return not self.m[c]

                cell = Cell(good)

                @action
                def look(self, c: Cpu):
                    self.bad = self.cell.ask(c)

                @invariant("bad")
                def never(self):
                    return not self.bad
            """,
            1,
        ),
        "part subclass overriding a helper": bad(
            """
            class Base(Part):
                n: Bit

                def value(self):
                    return 0

                def put(self):
                    self.n = self.value()

            class Sub(Base):
                def value(self):
                    return super().value() + 1

            class Generated(System):
                bad: bool
                cell = Sub()

                @action
                def look(self):
                    self.cell.put()
                    self.bad = self.cell.n == 1

                @invariant("bad")
                def never(self):
                    return not self.bad
            """,
            1,
        ),
        "part attribute number": bad(
            """
            class Cell(Part):
                def __init__(self, limit):
                    self.limit = limit
                n: Digit

            class Generated(System):
                bad: bool
                cell = Cell(3)

                @action
                def look(self):
                    self.cell.n = self.cell.limit
                    self.bad = self.cell.n == 3

                @invariant("bad")
                def never(self):
                    return not self.bad
            """,
            1,
        ),
        "part with a mutable list attribute": refused(
            """
            class Cell(Part):
                def __init__(self):
                    self.limits = [1, 2]

            class Generated(System):
                bad: bool
                cell = Cell()

                @action
                def look(self):
                    for k in self.cell.limits:
                        if k == 2:
                            self.bad = True

                @invariant("bad")
                def never(self):
                    return not self.bad
            """,
            "self.cell.limits is not a sort",
        ),
        "compare parts": bad(
            """
            class Cell(Part):
                n: Bit

            class Generated(System):
                bad: bool
                one = Cell()
                two = Cell()

                @action
                def look(self):
                    self.bad = self.one is not self.two

                @invariant("bad")
                def never(self):
                    return not self.bad
            """,
            1,
        ),
        "pick part by condition": refused(
            """
            class Cell(Part):
                n: Bit

            class Generated(System):
                bad: bool
                one = Cell()
                two = Cell()

                @action
                def look(self, on: bool):
                    cell = self.one if on else self.two
                    cell.n = 1
            """,
            "self.one if on else self.two is not the same kind of thing on each way to here",
        ),
        "parts in a tuple loop": bad(
            """
            class Cell(Part):
                n: Bit

            class Generated(System):
                bad: bool
                one = Cell()
                two = Cell()

                @action
                def look(self):
                    for cell in (self.one, self.two):
                        cell.n = 1
                    self.bad = self.one.n == 1 and self.two.n == 1

                @invariant("bad")
                def never(self):
                    return not self.bad
            """,
            1,
        ),
        "part helper with parameters named as state": bad(
            """
            class Cell(Part):
                n: Bit

                def put(self, n):
                    self.n = n

            class Generated(System):
                bad: bool
                n: Digit
                one = Cell()

                @action
                def look(self):
                    self.one.put(n=1)
                    self.bad = self.one.n == 1 and self.n == 0

                @invariant("bad")
                def never(self):
                    return not self.bad
            """,
            1,
        ),
        "part alias over a yield": bad(
            """
            lock = Lock()
            @process(Cpu)
            def p(self, c):
                yield "a"
                l = self.lock
                with l(c):
                    yield "b"
                    self.bad = l.holder is c
            """,
            2,
        ),
        "with of a local part": bad(
            """
            lock = Lock()
            lock2 = Lock()
            @process(Cpu)
            def p(self, c):
                yield "a"
                for l in (self.lock, self.lock2):
                    with l(c):
                        yield "b"
                self.bad = self.lock.holder is None
            """,
            3,
        ),
        "yield from a part's helper": bad(
            """
            class Box(Part):
                n: Digit
                def work(self, k):
                    yield "deep"
                    self.n = k

            class Generated(System):
                bad: bool
                box = Box()
                @process(One)
                def p(self, o):
                    yield "a"
                    yield from self.box.work(3)
                    self.bad = self.box.n == 3

                @invariant("b")
                def never(self):
                    return not self.bad
            """,
            2,
        ),
        "two parts' helpers with labels": bad(
            """
            class Box(Part):
                n: Digit
                def work(self, k):
                    yield "deep"
                    self.n += k

            class Generated(System):
                bad: bool
                one = Box()
                two = Box()
                @process(One)
                def p(self, o):
                    yield "a"
                    yield from self.one.work(1)
                    yield from self.two.work(2)
                    yield "b"
                    self.bad = self.one.n == 1 and self.two.n == 2

                @invariant("b")
                def never(self):
                    return not self.bad
            """,
            4,
        ),
    },
    "class attributes, inheritance and super": {
        "class attribute constant": bad(
            """
            LIMIT = 3

            @action
            def a(self):
                self.bad = self.LIMIT == 3
            """,
            1,
        ),
        "class attribute overridden by subclass": bad(
            """
            class Base(System):
                bad: bool
                LIMIT = 3

                def limit(self):
                    return self.LIMIT

                @action
                def a(self):
                    self.bad = self.limit() == 4

                @invariant("bad")
                def never(self):
                    return not self.bad


            class Generated(Base):
                LIMIT = 4
            """,
            1,
        ),
        "super in a process": bad(
            """
            class Base(System):
                bad: bool
                n: Digit

                @process(One)
                def p(self, o):
                    self.n = 1
                    yield "mid"
                    self.n += 1

                @invariant("bad")
                def never(self):
                    return not self.bad


            class Generated(Base):
                @process(One)
                def p(self, o):
                    yield "first"
                    yield from super().p(o)
                    self.bad = self.n == 2
            """,
            2,
        ),
        "super in a helper with steps": bad(
            """
            class Base(System):
                bad: bool
                n: Digit

                def work(self, o):
                    self.n = 1
                    yield "mid"
                    self.n += 1
                    return self.n

                @invariant("bad")
                def never(self):
                    return not self.bad


            class Generated(Base):
                def work(self, o):
                    got = yield from super().work(o)
                    return got + 1

                @process(One)
                def p(self, o):
                    yield "first"
                    k = yield from self.work(o)
                    yield "last"
                    self.bad = k == 3
            """,
            3,
        ),
        "property with require": bad(
            """
            m: Digit

            @property
            def free(self):
                require(self.m == 0)
                return True

            @action
            def a(self):
                self.bad = self.free
            """,
            1,
        ),
        "enum with a property on a constant": bad(
            """
            class Num(enum.Enum):
                ONE = 1
                TWO = 2

                @property
                def big(self):
                    return self is Num.TWO

            class Generated(System):
                bad: bool

                @action
                def a(self):
                    self.bad = Num.TWO.big

                @invariant("b")
                def never(self):
                    return not self.bad
            """,
            1,
        ),
        "subclass overrides an invariant": fine(
            """
            class Base(System):
                bad: bool

                @action
                def up(self):
                    self.bad = True

                @invariant("bad")
                def never(self):
                    return not self.bad

            class Generated(Base):
                @invariant("bad")
                def never(self):
                    return True
            """,
        ),
        "invariant super": breaks(
            """
            class Base(System):
                n: Digit
                bad: bool

                @action
                def up(self):
                    self.n = 2
                    self.bad = True

                @invariant("bad")
                def never(self):
                    return not self.bad

            class Generated(Base):
                @invariant("bad")
                def never(self):
                    return self.n == 2 or super().never()
                @invariant("also")
                def never2(self):
                    return super().never()
            """,
            "never2",
            1,
        ),
        "what an invariant above returns is a number": bad(_NEVER_ABOVE.format("2 if self.on else 1", "1 & super().never()"), 1),
        "what an invariant above returns is a number on one way": refused(
            _NEVER_ABOVE.format("not self.on or 2", "True & super().never()"),
            "not self.on or 2 is not the same kind of thing on each way",
        ),
        "action called by action via super of another name": refused(
            """
            class Base(System):
                n: Digit
                bad: bool

                @action
                def up(self):
                    self.bad = True

                @invariant("bad")
                def never(self):
                    return not self.bad

            class Generated(Base):
                @action
                def down(self):
                    super().up()
            """,
            "'up' is an action and happens by itself",
        ),
        "lambda stored in the class": refused(
            """
            rule = lambda self, c: c is not None
            @action
            def a(self, c: Cpu):
                self.bad = self.rule(c)
            """,
            "Generated.<lambda> is not a plain function",
        ),
        "functools.partial method": refused(
            """
            def f(self, k):
                return k == 1
            g = functools.partialmethod(f, 1)
            @action
            def a(self, c: Cpu):
                self.bad = self.g()
            """,
            "the language has no partialmethod around a method",
        ),
    },
    "locks and with": {
        "process with two parameters": bad(
            """
            @process(Cpu, Page)
            def p(self, c, g):
                yield "one"
                x = c
                yield "two"
                self.bad = x is c
            """,
            2,
        ),
        "lock and exception like early return": bad(
            """
            lock = Lock()
            n: Digit

            @process(Cpu)
            def p(self, c):
                yield "one"
                with self.lock(c):
                    yield "two"
                    if self.n == 0:
                        self.n = 1
                        return
                    yield "three"
                self.bad = self.lock.holder is None and self.n == 1
            """,
            5,
        ),
        "lock and continue": bad(
            """
            lock = Lock()
            n: Digit

            @process(One)
            def p(self, c):
                while self.n < 2:
                    yield "one"
                    with self.held():
                        yield "two"
                        self.n += 1
                        if self.n == 1:
                            continue
                        self.bad = True

            def held(self):
                return self.lock(choose(Cpu))
            """,
            5,
        ),
        "with a plain helper": refused(
            """
            def f(self):
                return None

            @process(One)
            def p(self, o):
                yield "x"
                with self.f():
                    yield "y"
            """,
            "`with` takes a part that can be held",
        ),
        "acquire that returns a value": bad(
            """
            class L2(Part):
                on: bool

                def acquire(self):
                    require(not self.on)
                    self.on = True
                    return self.on

                def release(self):
                    self.on = False
                    return 3

            class Generated(System):
                bad: bool
                half = L2()

                @process(One)
                def p(self, o):
                    yield "x"
                    with self.half():
                        yield "y"
                        self.bad = self.half.on

                @invariant("b")
                def never(self):
                    return not self.bad
            """,
            2,
        ),
        "acquire that takes steps": refused(
            """
            class L2(Part):
                on: bool

                def acquire(self):
                    yield "spin"
                    self.on = True

                def release(self):
                    self.on = False

            class Generated(System):
                bad: bool
                half = L2()

                @process(One)
                def p(self, o):
                    yield "x"
                    with self.half():
                        yield "y"
                        self.bad = self.half.on
            """,
            "'half' takes several steps to acquire",
        ),
        "acquire with default": bad(
            """
            class L2(Part):
                on: Map[Cpu, bool]

                def acquire(self, c, shared=True):
                    self.on[c] = shared

                def release(self, c, shared=False):
                    self.on[c] = shared

            class Generated(System):
                bad: bool
                half = L2()

                @process(Cpu)
                def p(self, c):
                    yield "x"
                    with self.half(c):
                        yield "y"
                        self.bad = self.half.on[c]

                @invariant("b")
                def never(self):
                    return not self.bad
            """,
            2,
        ),
        "while with two counters": refused(
            """
            @process(One)
            def p(self, o):
                yield "a"
                i, j = 0, 3
                while i < j:
                    yield "b"
                    i += 1
                    j -= 1
                self.bad = i == 2
            """,
            "'i' changes in each round, and no bound of it can be seen",
        ),
        "nested locks order": bad(
            """
            one = Lock()
            two = Lock()
            @process(Cpu)
            def p(self, c):
                yield "a"
                with self.one(c), self.two(c):
                    yield "b"
                    self.bad = self.one.holder is c and self.two.holder is c
                    yield "c"
            """,
            2,
        ),
        "with two items released in reverse": bad(
            """
            class Log(Part):
                n: Digit
                def acquire(self, k):
                    self.n = self.n * 2 + k
                def release(self, k):
                    self.n = self.n * 2 + k

            class Generated(System):
                bad: bool
                log = Log()
                @process(One)
                def p(self, o):
                    yield "a"
                    with self.log(0), self.log(1):
                        yield "b"
                        self.log.n = 0
                    self.bad = self.log.n == 2

                @invariant("b")
                def never(self):
                    return not self.bad
            """,
            2,
        ),
        "with evaluated argument once": bad(
            """
            class Log(Part):
                n: Digit
                def acquire(self, k):
                    self.n = k
                def release(self, k):
                    self.n = k

            class Generated(System):
                bad: bool
                log = Log()
                m: Digit
                @process(One)
                def p(self, o):
                    yield "a"
                    with self.log(self.m + 1):
                        yield "b"
                        self.m = 5
                    self.bad = self.log.n == 1

                @invariant("b")
                def never(self):
                    return not self.bad
            """,
            2,
        ),
    },
    "sorts as values": {
        "in a sort": refused(
            """
            c: Optional[Cpu]
            @action
            def a(self):
                self.bad = self.c in Cpu
            """,
            "`in` asks nothing of Cpu: sorts are known when compiling",
        ),
        "zip of sorts": refused(
            """
            m: Map[Cpu, bool]
            @action
            def a(self):
                for c, p in zip(Cpu, Page):
                    self.m[c] = True
            """,
            "zip() takes a fixed number of values, and a sort has any number of elements",
        ),
        "enumerate of a sort": refused(
            """
            m: Map[Cpu, Digit]
            @action
            def a(self):
                for i, c in enumerate(Cpu):
                    self.m[c] = i
            """,
            "enumerate() takes a fixed number of values, and a sort has any number of elements",
        ),
        "reversed level": refused(
            """
            m: Map[Level, bool]
            @action
            def a(self):
                for l in reversed(Level):
                    self.m[l] = True
            """,
            "reversed() takes a fixed number of values, and a sort has any number of elements",
        ),
        "sorted": refused(
            """
            m: Map[Level, bool]
            @action
            def a(self):
                for l in sorted(Level):
                    self.m[l] = True
            """,
            "sorted cannot be called in a model",
        ),
        "tuple of a sort": refused(
            """
            @action
            def a(self):
                t = tuple(Cpu)
                self.bad = t[0] is t[1]
            """,
            "tuple() takes a fixed number of values, and a sort has any number of elements",
        ),
        "star of a sort": refused(
            """
            @action
            def a(self):
                t = (*Cpu,)
                self.bad = t[0] is t[1]
            """,
            "only a tuple can be unpacked here",
        ),
        "unpack a sort": refused(
            """
            @action
            def a(self):
                x, y = Cpu
                self.bad = x is y
            """,
            "2 values are needed here, and Cpu is no tuple",
        ),
        "Cpu(0)": refused(
            """
            @action
            def a(self):
                self.bad = Cpu(0) is Cpu(1)
            """,
            "Cpu cannot be called in a model",
        ),
        "Level(0)": refused(
            """
            l: Level
            @action
            def a(self):
                self.bad = self.l == Level(0)
            """,
            "Level cannot be called in a model",
        ),
        "Gen(0)": refused(
            """
            l: Gen
            @action
            def a(self):
                self.bad = self.l == Gen(0)
            """,
            "Gen cannot be called in a model",
        ),
        "Cpu.size": refused(
            """
            @action
            def a(self):
                self.bad = Cpu.size == 2
            """,
            "Cpu.size is its default, and not how many elements there are",
        ),
        "Cpu as value": refused(
            """
            c: Optional[Cpu]
            @action
            def a(self):
                self.c = Cpu
            """,
            "the sort Cpu is no element of it",
        ),
        "isinstance": refused(
            """
            c: Optional[Cpu]
            @action
            def a(self):
                self.bad = isinstance(self.c, Cpu)
            """,
            "sorts are known when compiling: isinstance() is not needed",
        ),
        "type()": refused(
            """
            c: Optional[Cpu]
            @action
            def a(self):
                self.bad = type(self.c) is Cpu
            """,
            "type cannot be called in a model",
        ),
    },
    "loops over a sort, and what their rounds write": {
        "continue skips": fine(
            """
            n: Digit

            @action
            def a(self, c: Cpu, d: Cpu):
                require(self.n == 0)
                for x in (c, d, c):
                    if x is d:
                        continue
                    self.n += 1
                self.bad = c is d and self.n != 0
            """,
        ),
        "lambda default captures loop variable": bad(
            """
            n: Map[Cpu, Digit]
            @action
            def a(self, c: Cpu, d: Cpu):
                fs = tuple((lambda k=k: k) for k in (1, 2))
                self.bad = fs[0]() == 1 and fs[1]() == 2
            """,
            1,
        ),
        "for loop with unpack of helper": bad(
            """
            def pairs(self, c, d):
                return (c, 1), (d, 2)
            @action
            def a(self, c: Cpu, d: Cpu):
                for x, k in self.pairs(c, d):
                    if k == 2 and x is c:
                        self.bad = True
            """,
            1,
        ),
        "for over enum": bad(
            """
            m: Map[Kind, bool]
            @action
            def a(self):
                for k in Kind:
                    self.m[k] = k is not Kind.B
                self.bad = self.m[Kind.A] and not self.m[Kind.B]
            """,
            1,
        ),
        "for over bool": bad(
            """
            m: Map[bool, bool]
            @action
            def a(self):
                for k in bool:
                    self.m[k] = not k
                self.bad = self.m[False] and not self.m[True]
            """,
            1,
        ),
        "ordered sort loop at once order dependent": refused(
            """
            l: Map[Level, Bit]
            n: Digit
            @action
            def a(self):
                for x in Level:
                    self.n = 1 if self.l[x] == 1 else 0
            """,
            "every round of this loop writes the same 'n'",
        ),
        "while with counter and early continue": bad(
            """
            @process(One)
            def p(self, o):
                yield "a"
                k = 0
                while k < 3:
                    yield "b"
                    k += 1
                    if k == 2:
                        continue
                self.bad = k == 3
            """,
            4,
        ),
        "retry loop with limit state": bad(
            """
            LIMIT = 2
            n: Digit
            @process(One)
            def p(self, o):
                yield "a"
                tries = 0
                while tries < self.LIMIT and self.n == 0:
                    yield "b"
                    tries += 1
                self.bad = tries == 2
            """,
            3,
        ),
        "loop at once: swap rows": refused(
            """
            m: Map[Cpu, Cpu, bool]
            @action
            def a(self):
                for c in Cpu:
                    for d in Cpu:
                        self.m[c, d] = self.m[d, c]
            """,
            "a round of this loop reads 'm' where another may write it",
        ),
        "loop at once: nested each": bad(
            """
            m: Map[Cpu, Cpu, bool]
            @action
            def a(self):
                for c, d in each(Cpu, Cpu):
                    self.m[c, d] = c is d
                self.bad = all(self.m[c, c] for c in Cpu)
            """,
            1,
        ),
        "loop at once with helper writing": bad(
            """
            m: Map[Cpu, bool]
            def set(self, c):
                self.m[c] = True
            @action
            def a(self):
                for c in Cpu:
                    self.set(c)
                self.bad = all(self.m[c] for c in Cpu)
            """,
            1,
        ),
        "loop at once with helper that reads all": refused(
            """
            m: Map[Cpu, bool]
            def set(self, c):
                if not any(self.m[d] for d in Cpu):
                    self.m[c] = True
            @action
            def a(self):
                for c in Cpu:
                    self.set(c)
            """,
            "a round of this loop reads 'm' where another may write it",
        ),
        "loop at once with guard on own": bad(
            """
            m: Map[Cpu, bool]
            @action
            def a(self, d: Cpu):
                for c in Cpu:
                    if c is d:
                        continue
                    self.m[c] = True
                self.bad = not self.m[d] and any(self.m[c] for c in Cpu)
            """,
            1,
        ),
        "loop at once if instead of continue": bad(
            """
            m: Map[Cpu, bool]
            @action
            def a(self, d: Cpu):
                for c in Cpu:
                    if c is not d:
                        self.m[c] = True
                self.bad = not self.m[d] and any(self.m[c] for c in Cpu)
            """,
            1,
        ),
        "loop at once with local computed": bad(
            """
            m: Map[Cpu, bool]
            home: Rigid[Map[Cpu, Page]]
            p: Map[Page, bool]
            @action
            def a(self):
                for c in Cpu:
                    g = self.home[c]
                    self.m[c] = not self.p[g]
                self.bad = all(self.m[c] for c in Cpu)
            """,
            1,
        ),
        "loop at once write via rigid index": refused(
            """
            home: Rigid[Map[Cpu, Page]]
            p: Map[Page, Digit]
            @action
            def a(self):
                for c in Cpu:
                    self.p[self.home[c]] += 1
            """,
            "every round of this loop may write the same place of 'p'",
        ),
        "loop at once write constant via rigid index": bad(
            """
            home: Rigid[Map[Cpu, Page]]
            p: Map[Page, bool]
            @action
            def a(self):
                for c in Cpu:
                    self.p[self.home[c]] = True
                self.bad = all(self.p[self.home[c]] for c in Cpu)
            """,
            1,
        ),
        "loop at once conditional constants conflict": refused(
            """
            p: Bit
            m: Map[Cpu, bool]
            @action
            def a(self):
                for c in Cpu:
                    if self.m[c]:
                        self.p = 1
                    else:
                        self.p = 0
            """,
            "every round of this loop writes the same 'p'",
        ),
        "loop at once sets flag then reads behind": bad(
            """
            m: Map[Cpu, bool]
            f: bool
            @action
            def on(self, c: Cpu):
                self.m[c] = True
            @action
            def a(self):
                self.f = False
                for c in Cpu:
                    if self.m[c]:
                        self.f = True
                self.bad = self.f
            """,
            2,
        ),
        "loop variable used behind": refused(
            """
            m: Map[Cpu, bool]
            @action
            def a(self):
                for c in Cpu:
                    self.m[c] = True
                self.bad = self.m[c]
            """,
            "'c' is given a value in a loop whose rounds all happen at once",
        ),
        "loop variable existing before": refused(
            """
            m: Map[Cpu, bool]
            @action
            def a(self, c: Cpu):
                for c in Cpu:
                    self.m[c] = True
                self.bad = self.m[c]
            """,
            "'c' is given a value in a loop whose rounds all happen at once",
        ),
        "loop with a cost": fine(
            """
            m: Map[Cpu, bool]
            @action
            def a(self):
                for c in Cpu:
                    if self.m[c]:
                        cost("ipi")
            """,
        ),
        "loop with pass only": fine(
            """
            @action
            def a(self):
                for c in Cpu:
                    pass
            """,
        ),
        "loop over each with one": fine(
            """
            m: Map[Cpu, bool]
            @action
            def a(self):
                for c, in each(Cpu):
                    self.m[c] = True
            """,
        ),
        "loop over each unpacked to one name": bad(
            """
            m: Map[Cpu, Page, bool]
            @action
            def a(self):
                for pair in each(Cpu, Page):
                    self.m[pair] = True
                self.bad = all(self.m[c, p] for c in Cpu for p in Page)
            """,
            1,
        ),
        "const via rigid": bad(
            """
            home: Rigid[Map[Cpu, Page]]
            p: Map[Page, bool]
            @action
            def a(self):
                for c in Cpu:
                    self.p[self.home[c]] = True
                self.bad = all(self.p[self.home[c]] for c in Cpu) and not all(self.p[g] for g in Page)
            """,
            1,
        ),
        "const via rigid conditional": bad(
            """
            home: Rigid[Map[Cpu, Page]]
            on: Map[Cpu, bool]
            p: Map[Page, bool]
            @action
            def sw(self, c: Cpu):
                self.on[c] = True
            @action
            def a(self):
                for c in Cpu:
                    if self.on[c]:
                        self.p[self.home[c]] = True
                self.bad = any(self.p[g] for g in Page)
            """,
            2,
        ),
        "const via rigid other value": refused(
            """
            home: Rigid[Map[Cpu, Page]]
            p: Map[Page, bool]
            @action
            def a(self):
                for c in Cpu:
                    self.p[self.home[c]] = True
                    self.p[self.home[c]] = False
            """,
            "every round of this loop may write the same place of 'p'",
        ),
        "value of round": refused(
            """
            home: Rigid[Map[Cpu, Page]]
            p: Map[Page, Optional[Cpu]]
            @action
            def a(self):
                for c in Cpu:
                    self.p[self.home[c]] = c
            """,
            "every round of this loop may write the same place of 'p'",
        ),
        "const via optional": breaks(
            """
            home: Map[Cpu, Optional[Page]]
            p: Map[Page, bool]
            @action
            def sw(self, c: Cpu, g: Page):
                self.home[c] = g
            @action
            def a(self):
                require(any(self.home[c] is not None for c in Cpu))
                for c in Cpu:
                    self.p[self.home[c]] = True
            """,
            "well-defined",
            2,
        ),
        "const via optional guarded": bad(
            """
            home: Map[Cpu, Optional[Page]]
            p: Map[Page, bool]
            @action
            def sw(self, c: Cpu, g: Page):
                self.home[c] = g
            @action
            def a(self):
                for c in Cpu:
                    if self.home[c] is not None:
                        self.p[self.home[c]] = True
                self.bad = any(self.p[g] for g in Page)
            """,
            2,
        ),
        "const via two indexes": bad(
            """
            home: Map[Cpu, Page]
            p: Map[Page, Cpu, bool]
            @action
            def sw(self, c: Cpu, g: Page):
                self.home[c] = g
            @action
            def a(self):
                for c in Cpu:
                    self.p[self.home[c], c] = True
                self.bad = any(self.p[g, c] for g in Page for c in Cpu if self.home[c] is not g)
            """,
            3,
        ),
        "clear then set rows": bad(
            """
            home: Map[Cpu, Page]
            p: Map[Page, bool]
            @action
            def sw(self, c: Cpu, g: Page):
                self.home[c] = g
            @action
            def a(self):
                self.p[...] = False
                for c in Cpu:
                    self.p[self.home[c]] = True
                self.bad = not all(self.p[g] for g in Page)
            """,
            1,
        ),
        "nested loops const": bad(
            """
            owner: Rigid[Map[Cpu, Level, Page]]
            p: Map[Page, bool]
            @action
            def a(self):
                for c in Cpu:
                    for l in Level:
                        self.p[self.owner[c, l]] = True
                self.bad = not all(self.p[g] for g in Page)
            """,
            1,
        ),
        "nested loops const inner own": bad(
            """
            owner: Rigid[Map[Cpu, Page]]
            p: Map[Page, Level, bool]
            @action
            def a(self):
                for c in Cpu:
                    for l in Level:
                        self.p[self.owner[c], l] = True
                self.bad = not all(self.p[g, 0] for g in Page)
            """,
            1,
        ),
        "continue nested": bad(
            """
            m: Map[Cpu, Page, bool]
            @action
            def a(self, x: Cpu, y: Page):
                for c in Cpu:
                    if c is x:
                        continue
                    for g in Page:
                        if g is y:
                            continue
                        self.m[c, g] = True
                    if c is not x:
                        self.m[c, y] = False
                some = any(self.m[c, g] for c in Cpu for g in Page)
                self.bad = some and not any(self.m[x, g] for g in Page) and not any(self.m[c, y] for c in Cpu)
            """,
            1,
        ),
        "continue in a with in loop": refused(
            """
            lock = Lock()
            m: Map[Cpu, bool]
            @action
            def a(self, x: Cpu):
                for c in Cpu:
                    with self.lock(c):
                        continue
            """,
            "a loop cannot require",
        ),
        "continue inside tuple loop in sort loop": bad(
            """
            m: Map[Cpu, bool]
            @action
            def a(self, x: Cpu):
                for c in Cpu:
                    for k in (1, 2):
                        if k == 1:
                            continue
                        if c is x:
                            break
                        self.m[c] = True
                self.bad = not self.m[x] and any(self.m[c] for c in Cpu)
            """,
            1,
        ),
        "continue in helper at once": bad(
            """
            m: Map[Cpu, bool]
            def all_but(self, x):
                for c in Cpu:
                    if c is x:
                        continue
                    self.m[c] = True
                return True
            @action
            def a(self, x: Cpu):
                self.bad = self.all_but(x) and not self.m[x] and any(self.m[c] for c in Cpu)
            """,
            1,
        ),
        "continue then a cost": fine(
            """
            m: Map[Cpu, bool]
            @action
            def a(self, x: Cpu):
                for c in Cpu:
                    if self.m[c]:
                        continue
                    cost("ipi")
                    self.m[c] = True
            """,
        ),
        "check behind continue": breaks(
            """
            m: Map[Cpu, bool]
            @action
            def a(self, x: Cpu):
                self.m[x] = True
            @event
            def e(self):
                for c in Cpu:
                    if not self.m[c]:
                        continue
                    check("p", False, because="x")
            """,
            "p",
            2,
        ),
        "continue in a process step": bad(
            """
            m: Map[Cpu, bool]
            @process(One)
            def p(self, o):
                yield "a"
                for c in Cpu:
                    if self.m[c]:
                        continue
                    self.m[c] = True
                yield "b"
                self.bad = all(self.m[c] for c in Cpu)
            """,
            2,
        ),
    },
    "loops, else and break": {
        "counting down until nothing is left": bad(
            """
            @process(One)
            def p(self, o):
                yield "a"
                k = 3
                while k:
                    yield "b"
                    k -= 1
                self.bad = k == 0
            """,
            4,
        ),
        "counting up until it is a number": bad(
            """
            @process(One)
            def p(self, o):
                yield "a"
                k = 0
                while k != 3:
                    yield "b"
                    k += 1
                self.bad = k == 3
            """,
            4,
        ),
        "counting past the number that ends it": refused(
            """
            @process(One)
            def p(self, o):
                yield "a"
                k = 1
                while k != 4:
                    yield "b"
                    k += 2
                self.bad = True
            """,
            "'k' changes in each round, and no bound of it can be seen",
        ),
        "counting down with an early end": bad(
            """
            n: Bit
            @action
            def up(self):
                require(self.n == 0)
                self.n = 1
            @process(One)
            def p(self, o):
                yield "a"
                tries = 2
                while tries and self.n == 0:
                    yield "b"
                    tries -= 1
                self.bad = tries == 2
            """,
            2,
        ),
        "while else": refused(
            """
            n: Bit

            @process(One)
            def p(self, o):
                while self.n == 0:
                    yield "w"
                    self.n = 1
                else:
                    self.bad = True
            """,
            "the language has no `else` of a loop",
        ),
        "for else": refused(
            """
            @action
            def a(self, c: Cpu, d: Cpu):
                for x in (c, d):
                    if x is c:
                        break
                else:
                    self.bad = True
            """,
            "the language has no `else` of a loop",
        ),
        "break with else-like flag": bad(
            """
            @action
            def a(self, c: Cpu, d: Cpu):
                found = False
                for x in (c, d):
                    if x is not c:
                        found = True
                        break
                self.bad = found
            """,
            1,
        ),
        "process while True": bad(
            """
            n: Digit

            @process(One)
            def p(self, o):
                while True:
                    yield "one"
                    require(self.n < 3)
                    self.n += 1
                    self.bad = self.n == 2
            """,
            2,
        ),
        "return inside while True": bad(
            """
            n: Digit

            @process(One)
            def p(self, o):
                while True:
                    yield "one"
                    if self.n == 1:
                        self.bad = True
                        return
                    self.n += 1
            """,
            2,
        ),
        "for over bool literal tuple": bad(
            """
            m: Map[bool, bool]
            @action
            def a(self):
                for k in (False, True):
                    self.m[k] = not k
                self.bad = self.m[False] and not self.m[True]
            """,
            1,
        ),
        "for over range with state map": bad(
            """
            m: Map[Level, bool]
            @action
            def a(self):
                for k in range(2):
                    self.m[k] = True
                self.bad = self.m[0] and self.m[1] and not self.m[2]
            """,
            1,
        ),
        "for over range beyond the sort": refused(
            """
            m: Map[Level, bool]
            @action
            def a(self):
                for k in range(9):
                    self.m[k] = True
            """,
            "Level 3 does not exist: Level has 3 elements at this size",
        ),
        "local set in a while": refused(
            """
            n: Digit
            @process(One)
            def p(self, o):
                yield "a"
                while self.n < 2:
                    x = self.n
                    yield "b"
                    self.n += 1
                self.bad = x == 1
            """,
            "'x' is set on some ways to this place only",
        ),
        "for over tuple with yield and break": bad(
            """
            @process(One)
            def p(self, o):
                yield "a"
                for k in (1, 2, 3):
                    yield "b"
                    if k == 2:
                        break
                self.bad = k == 2
            """,
            3,
        ),
        "for range in process with yields": bad(
            """
            @process(One)
            def p(self, o):
                yield "a"
                total = 0
                for k in range(3):
                    yield "b"
                    total += k
                self.bad = total == 3
            """,
            4,
        ),
        "while counting down with comparison": bad(
            """
            @process(One)
            def p(self, o):
                yield "a"
                k = 3
                while k > 0:
                    yield "b"
                    k -= 1
                self.bad = k == 0
            """,
            4,
        ),
        "while with step 2": refused(
            """
            @process(One)
            def p(self, o):
                yield "a"
                i = 0
                while i != 4:
                    yield "b"
                    i += 2
                self.bad = True
            """,
            "'i' changes in each round, and no bound of it can be seen",
        ),
        "counter multiplied": bad(
            """
            @process(One)
            def p(self, o):
                yield "a"
                i = 1
                while i < 8:
                    yield "b"
                    i = i * 2
                self.bad = i == 8
            """,
            4,
        ),
        "counter with modulo": bad(
            """
            n: Digit
            @process(One)
            def p(self, o):
                yield "a"
                i = 0
                while True:
                    yield "b"
                    i = (i + 1) % 3
                    self.bad = i == 0
            """,
            4,
        ),
        "retry against knob range": refused(
            """
            limit = Knob(Digit, 2, doc="x")
            @process(One)
            def p(self, o):
                yield "a"
                tries = 0
                while tries < self.limit:
                    yield "b"
                    tries += 1
                self.bad = tries == 2
            """,
            "knob 'limit': its sort is Annotated, and must be bool or an enumeration",
        ),
        "choose in while process": bad(
            """
            m: Map[Cpu, bool]
            @process(One)
            def p(self, o):
                yield "a"
                while not all(self.m[c] for c in Cpu):
                    c = choose(Cpu, where=lambda c: not self.m[c])
                    self.m[c] = True
                    yield "b"
                self.bad = True
            """,
            3,
        ),
        "invariant with for over tuple and local": breaks(
            """
            n: Digit
            @action
            def a(self):
                self.n = 2
            @invariant("p")
            def p(self):
                total = 0
                for k in (1, 2):
                    total += k
                return self.n < total - 1
            """,
            "p",
            1,
        ),
    },
    "lambdas, comprehensions and functions inside of functions": {
        "a lambda's walrus is the lambda's own": bad(
            """
            n: Map[Cpu, Digit]

            @action
            def a(self, c: Cpu):
                self.n[c] = 1
                x = 5
                f = lambda y: (x := y + 1) * x
                z = f(1)
                d = choose(Cpu, where=lambda e: (k := self.n[e]) == 1 and k < 2)
                self.bad = z == 4 and x == 5 and d is c and (lambda y: (y := y + 1) * y)(2) == 9
            """,
            1,
        ),
        "fresh in a default of a lambda": bad(
            """
            g: Gen

            @action
            def a(self):
                f = lambda x=fresh(Gen): x
                y = f()
                z = f()
                self.g = y
                self.bad = y == z
            """,
            1,
        ),
        "choose in a lambda called twice": bad(
            """
            @action
            def a(self):
                f = lambda: choose(Cpu)
                x = f()
                y = f()
                self.bad = x is not y
            """,
            1,
        ),
        "len of a generator": refused(
            """
            m: Map[Cpu, bool]
            @action
            def b(self):
                self.bad = len([c for c in Cpu if self.m[c]]) == 1
            """,
            "the language has no list comprehension",
        ),
        "any without generator": refused(
            """
            m: Map[Cpu, bool]
            @action
            def b(self):
                self.bad = any(self.m)
            """,
            "any() takes a generator",
        ),
        "next of a generator": refused(
            """
            m: Map[Cpu, bool]
            @action
            def b(self):
                c = next((c for c in Cpu if self.m[c]), None)
                self.bad = c is not None
            """,
            "next() takes an element that has a next one",
        ),
        "filter map": refused(
            """
            m: Map[Cpu, bool]
            @action
            def b(self):
                self.bad = any(map(lambda c: self.m[c], Cpu))
            """,
            "map cannot be called in a model",
        ),
        "nested generator inner uses outer variable": bad(
            """
            m: Map[Cpu, Page, bool]
            @action
            def a(self, c: Cpu, p: Page):
                self.m[c, p] = True
                self.bad = any(any(self.m[x, y] for y in Page) for x in Cpu)
            """,
            1,
        ),
        "nested generator inner shadows outer variable": bad(
            """
            m: Map[Cpu, bool]
            @action
            def a(self, c: Cpu):
                self.m[c] = True
                self.bad = all(any(self.m[x] for x in Cpu) for x in Cpu)
            """,
            1,
        ),
        "generator second iterable depends on first": bad(
            """
            @action
            def a(self, c: Cpu, d: Cpu):
                self.bad = any(y is d for x in ((c, d), (c, c)) for y in x)
            """,
            1,
        ),
        "lambda late binding over loop": bad(
            """
            @action
            def a(self):
                fs = ()
                for k in (1, 2):
                    fs = (*fs, lambda: k)
                self.bad = fs[0]() == 2
            """,
            1,
        ),
        "lambda in a generator late binding": refused(
            """
            @action
            def a(self):
                fs = tuple(lambda: k for k in (1, 2))
                self.bad = fs[0]() == 2
            """,
            "'k' is a variable of a comprehension, which is over",
        ),
        "lambda returning lambda": refused(
            """
            @action
            def a(self):
                add = lambda x: lambda y: x + y
                self.bad = add(1)(2) == 3
            """,
            "a helper's lambda has no meaning outside of the helper",
        ),
        "curried local functions": refused(
            """
            @action
            def a(self):
                def add(x):
                    def inner(y):
                        return x + y
                    return inner
                one = add(1)
                two = add(2)
                self.bad = one(1) == 2 and two(1) == 3
            """,
            "a helper's lambda has no meaning outside of the helper",
        ),
        "closure in a helper returned": refused(
            """
            def add(self, x):
                return lambda y: x + y

            @action
            def a(self):
                self.bad = self.add(1)(2) == 3
            """,
            "a helper's lambda has no meaning outside of the helper",
        ),
        "a helper given a lambda that reads a caller's local": bad(
            """
            def apply(self, f, x):
                y = 5
                return f(x)

            @action
            def a(self):
                y = 1
                self.bad = self.apply(lambda x: x + y, 2) == 3
            """,
            1,
        ),
        "a helper given a bound method": bad(
            """
            def inc(self, x):
                return x + 1

            def apply(self, f, x):
                return f(x)

            @action
            def a(self):
                self.bad = self.apply(self.inc, 2) == 3
            """,
            1,
        ),
        "local function uses later-defined": bad(
            """
            @action
            def a(self):
                def f(x):
                    return g(x) + 1
                def g(x):
                    return x
                self.bad = f(1) == 2
            """,
            1,
        ),
        "local function recursion": bad(
            """
            @action
            def a(self):
                def f(x):
                    return 0 if x == 0 else f(x - 1)
                self.bad = f(2) == 0
            """,
            1,
        ),
        "local function with default that is state": bad(
            """
            n: Bit
            @action
            def a(self):
                require(self.n == 0)
                def f(x=self.n):
                    return x
                self.n = 1
                self.bad = f() == 1 and self.n == 1
            @action
            def b(self):
                require(self.n == 1)
                def f(x=self.n):
                    return x
                self.n = 0
                self.bad = f() == 1
            """,
            2,
        ),
        "local function shadowing a method name": bad(
            """
            def f(self):
                return 1
            @action
            def a(self):
                def f():
                    return 2
                self.bad = f() == 2 and self.f() == 1
            """,
            1,
        ),
        "conditional function definition": refused(
            """
            @action
            def a(self, on: bool):
                if on:
                    def f():
                        return 1
                else:
                    def f():
                        return 2
                self.bad = f() == 2
            """,
            "'f' is not the same kind of thing on each way to here",
        ),
        "function variable over a yield": bad(
            """
            n: Bit
            @process(One)
            def p(self, o):
                yield "a"
                f = lambda: self.n
                yield "b"
                self.bad = f() == 0
            """,
            2,
        ),
        "lambda over a yield capturing local that changes": bad(
            """
            @process(One)
            def p(self, o):
                yield "a"
                x = 1
                f = lambda: x
                x = 2
                yield "b"
                self.bad = f() == 2
            """,
            2,
        ),
        "conditional lambda call": bad(
            """
            @action
            def a(self, on: bool):
                self.bad = (lambda: True)() if on else (lambda: False)()
            """,
            1,
        ),
        "invariant with a lambda": breaks(
            """
            n: Digit
            @action
            def a(self):
                self.n = 2
            @invariant("p")
            def p(self):
                f = lambda x: x < 2
                return f(self.n)
            """,
            "p",
            1,
        ),
    },
    "what processes remember and get back": {
        "two places of one label, told apart by a choice": bad(
            """
            held: bool

            @process(Cpu)
            def p(self, pc):
                yield "wait (2)"
                while True:
                    yield "wait"
                    if choose(Cpu) is not pc:
                        break
                self.held = True
                yield "wait"
                self.held = False
                self.bad = True
            """,
            3,
        ),
        "an element that a process keeps is the one of its choice": bad(
            """
            @process(Cpu)
            def p(self, me):
                yield "a"
                c = choose(Cpu)
                yield "b"
                d = choose(Cpu)
                self.bad = c is d is me
            """,
            2,
        ),
        "yield from return value none": refused(
            """
            def work(self):
                yield "mid"

            @process(One)
            def p(self, o):
                yield "first"
                k = yield from self.work()
                self.bad = k
            """,
            "None is no bool",
        ),
        "yield from return value is None compared": bad(
            """
            def work(self):
                yield "mid"

            @process(One)
            def p(self, o):
                yield "first"
                k = yield from self.work()
                yield "then"
                self.bad = k is None
            """,
            3,
        ),
        "yield from two return values": bad(
            """
            n: Bit

            def work(self):
                if self.n == 0:
                    yield "zero"
                    return 0
                yield "one"
                return 1

            @action
            def flip(self):
                require(self.n == 0)
                self.n = 1

            @process(One)
            def p(self, o):
                yield "first"
                k = yield from self.work()
                self.bad = k == 1
            """,
            3,
        ),
        "yield from in an if condition": bad(
            """
            def work(self):
                yield "mid"
                return True

            @process(One)
            def p(self, o):
                yield "first"
                if (yield from self.work()):
                    self.bad = True
            """,
            2,
        ),
        "yield from as argument": bad(
            """
            def work(self, k):
                yield "mid"
                return k

            def plus(self, a, b):
                return a + b

            @process(One)
            def p(self, o):
                yield "first"
                self.bad = self.plus(1, (yield from self.work(2))) == 3
            """,
            2,
        ),
        "yield from with operands before": bad(
            """
            n: Digit

            def work(self):
                yield "mid"
                return 1

            @action
            def set(self):
                require(self.n == 0)
                self.n = 5

            @process(One)
            def p(self, o):
                yield "first"
                k = self.n + (yield from self.work())
                self.bad = self.n == 5 and k == 1
            """,
            3,
        ),
        "augmented with yield from": bad(
            """
            n: Digit

            def work(self):
                yield "mid"
                return 1

            @action
            def set(self):
                require(self.n == 0)
                self.n = 5

            @process(One)
            def p(self, o):
                yield "first"
                self.n += yield from self.work()
                self.bad = self.n == 1
            """,
            2,
        ),
        "process parameter with annotation": bad(
            """
            @process(Cpu)
            def p(self, c: Cpu):
                yield "one"
                yield "two"
                self.bad = True
            """,
            2,
        ),
        "process ends and is not repeated": bad(
            """
            n: Digit

            @process(One)
            def p(self, o):
                yield "one"
                self.n += 1
                self.bad = self.n == 2
            """,
            2,
        ),
        "map aliased in a local": bad(
            """
            m: Map[Cpu, bool]
            @action
            def a(self, c: Cpu):
                m = self.m
                m[c] = True
                self.bad = self.m[c]
            """,
            1,
        ),
        "yield without being in process: action": refused(
            """
            @action
            def a(self):
                yield
            """,
            "only a process takes several steps",
        ),
        "local over a yield then overwritten": bad(
            """
            n: Digit
            @action
            def up(self):
                require(self.n < 2)
                self.n += 1
            @process(One)
            def p(self, o):
                yield "a"
                x = self.n
                yield "b"
                y = x
                x = self.n
                self.bad = y == 0 and x == 1
            """,
            3,
        ),
        "tuple of state over a yield": bad(
            """
            n: Digit
            @action
            def up(self):
                require(self.n < 2)
                self.n += 1
            @process(One)
            def p(self, o):
                yield "a"
                t = (self.n, o)
                yield "b"
                self.bad = t[0] == 0 and self.n == 1
            """,
            3,
        ),
        "map alias over a yield": bad(
            """
            m: Map[Cpu, bool]
            @action
            def up(self, c: Cpu):
                require(not self.m[c])
                self.m[c] = True
            @process(One)
            def p(self, o):
                yield "a"
                m = self.m
                yield "b"
                self.bad = any(m[c] for c in Cpu)
            """,
            3,
        ),
        "process helper with same local name": bad(
            """
            n: Digit
            def work(self):
                x = 5
                yield "deep"
                return x
            @process(One)
            def p(self, o):
                yield "a"
                x = 1
                y = yield from self.work()
                yield "b"
                self.bad = x == 1 and y == 5
            """,
            3,
        ),
        "process helper called twice with other args": bad(
            """
            def work(self, k):
                yield "deep"
                return k
            @process(One)
            def p(self, o):
                yield "a"
                x = yield from self.work(1)
                y = yield from self.work(2)
                yield "b"
                self.bad = x == 1 and y == 2
            """,
            4,
        ),
        "process helper in a loop": bad(
            """
            def work(self, k):
                yield "deep"
                return k
            @process(One)
            def p(self, o):
                yield "a"
                t = 0
                for k in (1, 2):
                    t += yield from self.work(k)
                self.bad = t == 3
            """,
            3,
        ),
        "process helper with early return before a yield": bad(
            """
            n: Bit
            def work(self):
                if self.n == 0:
                    return 7
                yield "deep"
                return 8
            @process(One)
            def p(self, o):
                yield "a"
                k = yield from self.work()
                self.bad = k == 7
            """,
            1,
        ),
        "process yields in both branches": bad(
            """
            @process(One)
            def p(self, o):
                yield "a"
                if choose(bool):
                    yield "b"
                    x = 1
                else:
                    yield "c"
                    x = 2
                self.bad = x == 2
            """,
            2,
        ),
        "process nested ifs with yields": bad(
            """
            n: Bit
            @action
            def flip(self):
                self.n = 1
            @process(One)
            def p(self, o):
                yield "a"
                if self.n == 0:
                    yield "b"
                    if self.n == 1:
                        self.bad = True
            """,
            3,
        ),
        "yield in a with in a helper": bad(
            """
            lock = Lock()
            def locked(self, c):
                with self.lock(c):
                    yield "in"
                    return self.lock.holder is c
            @process(Cpu)
            def p(self, c):
                yield "a"
                ok = yield from self.locked(c)
                yield "b"
                self.bad = ok and self.lock.holder is None
            """,
            3,
        ),
    },
    "assignments, one after another": {
        "chained assignment to state and local": bad(
            """
            m: Map[Cpu, Bit]

            @action
            def a(self, c: Cpu, d: Cpu):
                require(c != d)
                x = self.m[c] = self.m[d] = 1
                self.bad = self.m[c] == 1 and self.m[d] == 1 and x == 1
            """,
            1,
        ),
        "chained assignment evaluated once": fine(
            """
            n: Digit

            def tick(self):
                self.n += 1
                return self.n

            m: Map[Cpu, Digit]

            @action
            def a(self, c: Cpu, d: Cpu):
                require(self.n == 0 and c != d)
                self.m[c] = self.m[d] = self.tick()
                self.bad = self.n != 1 or self.m[c] != self.m[d]
            """,
        ),
        "swap of state": bad(
            """
            m: Map[Cpu, Kind]

            @action
            def set(self, c: Cpu):
                require(all(self.m[x] is Kind.A for x in Cpu))
                self.m[c] = Kind.B

            @action
            def a(self, c: Cpu, d: Cpu):
                require(self.m[c] is Kind.B and self.m[d] is Kind.A)
                self.m[c], self.m[d] = self.m[d], self.m[c]
                self.bad = self.m[d] is Kind.B and self.m[c] is Kind.A
            """,
            2,
        ),
        "swap on the diagonal": fine(
            """
            m: Map[Cpu, Cpu, bool]

            @action
            def a(self, c: Cpu, d: Cpu):
                before = self.m[c, d], self.m[d, c]
                self.m[c, d], self.m[d, c] = self.m[d, c], self.m[c, d]
                self.bad = (self.m[d, c], self.m[c, d]) != before
            """,
        ),
        "rotate three": bad(
            """
            x: Digit
            y: Digit
            z: Digit

            @initially
            def start(self):
                self.x, self.y, self.z = 1, 2, 3

            @action
            def a(self):
                self.x, self.y, self.z = self.y, self.z, self.x
                self.bad = (self.x, self.y, self.z) == (2, 3, 1)
            """,
            1,
        ),
        "augmented on nested maps": bad(
            """
            m: Map[Cpu, Level, Digit]

            @action
            def a(self, c: Cpu, l: Level):
                require(all(self.m[x, y] < 2 for x in Cpu for y in Level))
                self.m[c, l] += 1
                self.bad = self.m[c, l] == 2
            """,
            2,
        ),
        "augmented on a boolean with and": bad(
            """
            m: Map[Cpu, bool]

            @action
            def on(self, c: Cpu):
                require(not any(self.m[x] for x in Cpu))
                self.m[c] |= True

            @action
            def a(self, c: Cpu):
                t = True
                t &= self.m[c]
                self.bad = t
            """,
            2,
        ),
        "augmented xor with a number": refused(
            """
            @action
            def a(self):
                self.bad ^= 1
            """,
            "&, | and ^ combine truth values, or numbers, and not one with the other",
        ),
        "minus equals to negative": breaks(
            """
            n: Digit

            @action
            def a(self):
                self.n -= 1
            """,
            "well-defined",
            1,
        ),
        "choose as an augmented index": bad(
            """
            m: Map[Cpu, Digit]

            @action
            def a(self):
                self.m[choose(Cpu)] += 1
                self.bad = any(self.m[c] == 2 for c in Cpu)
            """,
            2,
        ),
        "slices of tuples": bad(
            """
            @action
            def a(self, c: Cpu, d: Cpu):
                t = (c, d, c)
                self.bad = t[1:] == (d, c) and t[:-1] == (c, d) and t[::-1] == t
            """,
            1,
        ),
        "tuple concatenation and star": refused(
            """
            @action
            def a(self, c: Cpu, d: Cpu):
                t = (c,) + (d,)
                u = (*t, c)
                x, *rest = (1, 2), 3
                self.bad = u == (c, d, c)
            """,
            "a starred target takes any number of values",
        ),
        "nested unpack": bad(
            """
            @action
            def a(self, c: Cpu, d: Cpu):
                (x, y), z = (c, 1), d
                self.bad = x is c and y == 1 and z is d
            """,
            1,
        ),
        "unpack wrong count": refused(
            """
            @action
            def a(self, c: Cpu, d: Cpu):
                x, y = c, d, c
                self.bad = True
            """,
            "2 values are needed here, not 3",
        ),
        "unpack of an element": refused(
            """
            @action
            def a(self, c: Cpu):
                x, y = c
                self.bad = True
            """,
            "2 values are needed here, and c is no tuple",
        ),
        "assignment of tuple to state": refused(
            """
            n: Digit
            @action
            def a(self):
                self.n = 1,
            """,
            "(1,) is not a value that a state can hold",
        ),
        "annotation without a value": refused(
            """
            @action
            def a(self, c: Cpu):
                x: bool
                self.bad = True
            """,
            "Give a variable its first value where it is declared.",
        ),
        "docstring with braces": refused(
            """
            @action
            def a(self, c: Cpu):
                '''{c} sets {x}'''
                self.bad = True
            """,
            "“{c} sets {x}” names '{x}'",
        ),
        "check with swapped arguments": refused(
            """
            @event
            def e(self):
                check(True, "p", because="x")
            """,
            "check() takes the property's name and the explanation as plain strings",
        ),
        "local set in both ways": bad(
            """
            @action
            def a(self, on: bool):
                if on:
                    x = 1
                else:
                    x = 2
                self.bad = x == 2
            """,
            1,
        ),
        "local set in both with different sorts": refused(
            """
            @action
            def a(self, on: bool, c: Cpu):
                if on:
                    x = 1
                else:
                    x = c
                self.bad = x == 2
            """,
            "'x' is not the same kind of thing on each way to here",
        ),
    },
    "helpers and their arguments": {
        "early return in loop in helper": bad(
            """
            n: Digit

            def first(self, c, d):
                for x, k in ((c, 1), (d, 2)):
                    self.n = k
                    if x is d:
                        return k
                return 9

            @action
            def a(self, c: Cpu, d: Cpu):
                k = self.first(c, d)
                self.bad = c is not d and k == 2 and self.n == 2
            """,
            1,
        ),
        "early return and the rest not executed": fine(
            """
            n: Digit

            def first(self, c, d):
                for x in (c, d):
                    if x is c:
                        return 1
                    self.n += 1
                return 2

            @action
            def a(self, c: Cpu, d: Cpu):
                self.bad = self.first(c, d) == 2 or self.n != 0
            """,
        ),
        "nested helper same parameter names": bad(
            """
            m: Map[Cpu, bool]

            def inner(self, c, d):
                return self.m[d]

            def outer(self, c, d):
                return self.inner(d, c)

            @action
            def a(self, c: Cpu, d: Cpu):
                self.m[c] = True
                self.m[d] = False
                self.bad = c is not d and self.outer(c, d)
            """,
            1,
        ),
        "mutual use of a helper within its own argument": bad(
            """
            def inc(self, n):
                return n + 1

            @action
            def a(self):
                self.bad = self.inc(self.inc(self.inc(0))) == 3
            """,
            1,
        ),
        "helper changes its parameter": fine(
            """
            def f(self, n):
                n += 1
                return n

            @action
            def a(self):
                n = 1
                k = self.f(n)
                self.bad = n != 1 or k != 2
            """,
        ),
        "keyword-only in action default": refused(
            """
            @action
            def a(self, *, on: bool = True):
                self.bad = on
            """,
            "the parameter 'on' of an action has a default",
        ),
        "star args helper with index": bad(
            """
            def last(self, *args):
                return args[-1]

            @action
            def a(self, c: Cpu, d: Cpu):
                self.bad = self.last(c, c, d) is d and c is not d
            """,
            1,
        ),
        "star args empty": bad(
            """
            def count(self, *args):
                return len(args)

            @action
            def a(self):
                self.bad = self.count() == 0 and self.count(1, 2) == 2
            """,
            1,
        ),
        "keyword args in other order, evaluated in order of writing": bad(
            """
            n: Digit

            def tick(self):
                self.n += 1
                return self.n

            def f(self, x, y):
                return x == 2 and y == 1

            @action
            def a(self):
                require(self.n == 0)
                self.bad = self.f(y=self.tick(), x=self.tick())
            """,
            1,
        ),
        "default argument is shared and evaluated once": bad(
            """
            LIMIT = 3

            def f(self, x=LIMIT):
                return x == 3

            LIMIT = LIMIT + 1

            @action
            def a(self):
                self.bad = self.f()
            """,
            1,
        ),
        "event writes in a helper": refused(
            """
            def set(self):
                self.bad = True
                return True

            @event
            def e(self):
                check("p", self.set(), because="x")
            """,
            "an event changes no state",
        ),
        "invariant calls helper with require": refused(
            """
            def ok(self):
                require(self.bad)
                return True

            @invariant("p")
            def p(self):
                return self.ok()
            """,
            "a property cannot require",
        ),
        "invariant calls helper with choose": refused(
            """
            def ok(self):
                return choose(Cpu) is not None

            @invariant("p")
            def p(self):
                return self.ok()
            """,
            "an invariant cannot choose",
        ),
        "invariant with early return and loops": breaks(
            """
            m: Map[Cpu, bool]

            @action
            def a(self, c: Cpu):
                self.m[c] = True

            @invariant("p")
            def p(self):
                for k in (1, 2):
                    if any(self.m[c] for c in Cpu):
                        return k == 3
                return True
            """,
            "p",
            1,
        ),
        "at() of a helper's label": breaks(
            """
            def work(self):
                yield "deep"
                yield "deeper"

            @process(Cpu)
            def p(self, c):
                yield "one"
                yield from self.work()

            @invariant("q")
            def q(self):
                return not any(at(self.p, c, "deeper") for c in Cpu)
            """,
            "q",
            2,
        ),
        "helper returns a tuple or None": refused(
            """
            m: Map[Cpu, bool]
            def find(self, c):
                if self.m[c]:
                    return c, 1
                return None

            @action
            def a(self, c: Cpu):
                found = self.find(c)
                self.bad = found is None
            """,
            "'found' is not the same kind of thing on each way to here",
        ),
        "helper returns enum or None": bad(
            """
            m: Map[Cpu, bool]
            def find(self, c):
                if self.m[c]:
                    return Kind.B
                return None

            @action
            def a(self, c: Cpu):
                found = self.find(c)
                self.bad = found is None
            """,
            1,
        ),
        "helper returns bool or None used as condition": refused(
            """
            m: Map[Cpu, bool]
            def find(self, c):
                if self.m[c]:
                    return True

            @action
            def a(self, c: Cpu):
                if self.find(c):
                    self.bad = True
            """,
            "self.find(c) is an Optional[bool], not a condition",
        ),
        "helper without return on a way stored": fine(
            """
            m: Map[Cpu, bool]
            o: Optional[Cpu]
            def find(self, c):
                if self.m[c]:
                    return c

            @action
            def a(self, c: Cpu):
                self.o = self.find(c)
                self.bad = self.o is c and not self.m[c]
            """,
        ),
        "ghost in a helper used by both": refused(
            """
            s: Ghost[Map[Cpu, bool]]
            def seen(self, c):
                return self.s[c]
            @action
            def a(self, c: Cpu):
                if self.seen(c):
                    self.bad = True
            """,
            "the ghost 's' is read by the plain state 'bad'",
        ),
        "helper result used twice is evaluated once": bad(
            """
            n: Digit
            def tick(self):
                self.n += 1
                return self.n
            @action
            def a(self):
                require(self.n == 0)
                k = self.tick()
                self.bad = k + k == 2 and self.n == 1
            """,
            1,
        ),
        "check in helper": breaks(
            """
            def look(self, c):
                check("p", c is not c, because="b")
            @event
            def e(self, c: Cpu):
                self.look(c)
            """,
            "p",
            1,
        ),
        "reachable by a helper": fine(
            """
            n: Bit
            @action
            def a(self):
                self.n = 1
            @reachable
            def r(self):
                return self.n == 1
            """,
        ),
    },
    "None, options and comparisons": {
        "what a helper returns, where it is not None": bad(
            """
            def pick(self, c, first):
                return c if first else None
            @action
            def a(self, c: Cpu):
                who = self.pick(c, True)
                self.bad = who is not None and self.pick(c, False) is None and self.pick(c, True) is not None
            """,
            1,
        ),
        "what a helper that takes steps returns, where it is not None": bad(
            """
            def pick(self, c):
                if choose(bool):
                    return None
                yield "picks"
                return c
            @process(Cpu)
            def p(self, c):
                yield "a"
                if (who := (yield from self.pick(c))) is not None:
                    self.bad = who is c
            """,
            2,
        ),
        "what the tuple that a helper returns holds, where it is not None": bad(
            """
            def pick(self, c, first):
                return (c, True) if first else (None, False)
            @action
            def a(self, c: Cpu):
                who, found = self.pick(c, True)
                both = self.pick(c, True)
                self.bad = who is not None and both[0] is not None and found
            """,
            1,
        ),
        "a helper and a property of a class above that may return None": bad(
            """
            class Base(System):
                bad: bool
                home: Cpu

                def pick(self, c):
                    return None

                @property
                def other(self):
                    return None

                @action
                def a(self, c: Cpu):
                    self.bad = self.pick(c) is not None and self.other is not None

                @invariant("bad")
                def never(self):
                    return not self.bad


            class Generated(Base):
                def pick(self, c):
                    return c

                @property
                def other(self):
                    return self.home
            """,
            1,
        ),
        "state that a local is given, asked for None": refused(
            "home: Map[Cpu, Cpu]\n@action\ndef a(self, c: Cpu):\n    who = self.home[c]\n    self.bad = who is None",
            "a Cpu is never None",
        ),
        "what is chosen, asked for None": refused(
            "@action\ndef a(self):\n    self.bad = (who := choose(Cpu)) is None", "a Cpu is never None"
        ),
        "a default that is like nothing else": bad(
            """
            MISSING = object()
            def given(self, c=MISSING, d=MISSING):
                return 0 if c is self.MISSING else 1 if d is self.MISSING else 2
            @action
            def a(self, c: Cpu, o: Optional[Cpu]):
                self.bad = self.given() == 0 and self.given(o) == 1 and self.given(c, True) == 2
            """,
            1,
        ),
        "what is like nothing else, of an element": refused(
            "TOKEN = object()\n@action\ndef a(self, c: Cpu):\n    self.bad = c is self.TOKEN", "object() is no Cpu"
        ),
        "a method that is not called, compared": refused(
            "def h(self):\n    return 3\n@action\ndef a(self):\n    self.bad = self.h == 3", "Write self.h(...)."
        ),
        "a map without its index, compared": refused(
            "m: Map[Cpu, bool]\n@action\ndef a(self):\n    self.bad = True in (self.m, False)", "Write self.m[cpu]."
        ),
        "a default that is None": bad(
            """
            m: Map[Cpu, Digit]

            def counted(self, mine, other=None):
                if other is None:
                    other = mine
                self.m[other] += 1
                return other

            @action
            def a(self, c: Cpu, d: Cpu):
                require(c is not d and self.m[c] == 0 and self.m[d] == 0)
                self.bad = self.counted(c) is c and self.counted(c, d) is d and self.m[c] == 1 and self.m[d] == 1
            """,
            1,
        ),
        "a default that is None, asked in each way": bad(
            """
            n: Digit

            def asked(self, *, c=None):
                return c != None, None is c, not c == None

            def number(self, n=None):
                return 7 if n is None else n

            @action
            def a(self, c: Cpu):
                ask = lambda x=None: x is None
                self.bad = self.asked() == (False, True, False) and self.asked(c=c) == (True, False, True) and ask() and not ask(c)
                self.bad = self.bad and self.number() == 7 and self.number(self.n) == 0
            """,
            1,
        ),
        "a default that is None, over a yield": bad(
            """
            def other(self, c, d=None):
                yield "other"
                if d is None:
                    d = c
                return d

            @process(Cpu)
            def p(self, c):
                yield "chooses"
                e = choose(Cpu)
                x = yield from self.other(c)
                y = yield from self.other(c, e)
                self.bad = x is c and y is e and e is not c
                yield "end"
            """,
            3,
        ),
        "a None of one way, compared": bad(
            """
            def mine(self, c):
                yield "asks"
                if self.bad:
                    return None
                return c

            @process(Cpu)
            def p(self, c):
                found = yield from self.mine(c)
                self.bad = found is c and (found, 1) == (c, 1)
                yield "end"
            """,
            1,
        ),
        "an element asked for None": refused("@action\ndef a(self, c: Cpu):\n    self.bad = c is None", "a Cpu is never None"),
        "conditional None and int": bad(
            """
            n: Optional[Digit]
            on: bool

            @action
            def set(self):
                require(not self.on)
                self.on = True

            @action
            def a(self):
                self.n = 3 if self.on else None
                self.bad = self.n == 3
            """,
            2,
        ),
        "conditional None and int in a local then compare": bad(
            """
            on: bool

            @action
            def set(self):
                require(not self.on)
                self.on = True

            @action
            def a(self):
                n = 3 if self.on else None
                self.bad = n is not None and n > 2
            """,
            2,
        ),
        "conditional None and int, unguarded order": breaks(
            """
            on: bool

            @action
            def a(self):
                n = 3 if self.on else None
                self.bad = n > 2
            """,
            "well-defined",
            1,
        ),
        "chained comparisons over optional": bad(
            """
            n: Optional[Digit]

            @action
            def a(self):
                self.n = 2
                self.bad = 1 < self.n < 3
            """,
            1,
        ),
        "chained comparison with None first": fine(
            """
            n: Optional[Digit]

            @action
            def a(self):
                if self.n is not None and 0 <= self.n <= 3:
                    self.bad = True
            """,
        ),
        "equality chain": bad(
            """
            @action
            def a(self, c: Cpu, d: Cpu, e: Cpu):
                self.bad = c == d != e
            """,
            1,
        ),
        "if element": refused(
            """
            c: Optional[Cpu]
            @action
            def b(self):
                if self.c:
                    self.bad = True
            """,
            "self.c is an Optional[Cpu], not a condition",
        ),
        "or default": refused(
            """
            c: Optional[Cpu]
            @action
            def b(self, d: Cpu):
                x = self.c or d
                self.bad = x is d
            """,
            "self.c is an Optional[Cpu], not a condition",
        ),
        "and chain value": refused(
            """
            c: Optional[Cpu]
            m: Map[Cpu, bool]
            @action
            def b(self):
                self.bad = self.c and self.m[self.c]
            """,
            "self.c is an Optional[Cpu], not a condition",
        ),
        "tuple or None on ways": refused(
            """
            @action
            def a(self, on: bool):
                x = (1, 2) if on else None
                self.bad = x is not None and x[0] == 1
            """,
            "(1, 2) if on else None is not the same kind of thing on each way to here",
        ),
        "knob compare to None": refused(
            """
            k = Knob(bool, True, doc="x")
            @action
            def a(self):
                self.bad = self.k is None
            """,
            "a bool is never None",
        ),
        "Optional of bool": bad(
            """
            b: Optional[bool]
            @action
            def a(self):
                require(self.b is None)
                self.b = False
            @action
            def c(self):
                self.bad = self.b is False
            """,
            2,
        ),
        "Optional bool == False": bad(
            """
            b: Optional[bool]
            @action
            def a(self):
                require(self.b is None)
                self.b = False
            @action
            def c(self):
                self.bad = self.b == False
            """,
            2,
        ),
        "Optional bool not": refused(
            """
            b: Optional[bool]
            @action
            def c(self):
                self.bad = not self.b
            """,
            "self.b is an Optional[bool], not a condition",
        ),
        "map index by optional expression None": breaks(
            """
            o: Optional[Cpu]
            m: Map[Cpu, bool]
            @action
            def a(self):
                self.m[self.o] = True
            """,
            "well-defined",
            1,
        ),
        "map optional index": bad(
            """
            m: Map[Optional[Cpu], bool]
            @action
            def a(self):
                self.m[None] = True
                self.bad = self.m[None] and not any(self.m[c] for c in Cpu)
            """,
            1,
        ),
        "not of a comparison chain": bad(
            """
            n: Digit
            @action
            def a(self):
                self.bad = not 0 < self.n < 3
            """,
            1,
        ),
        "invariant None guarded": fine(
            """
            o: Optional[Cpu]
            m: Map[Cpu, bool]
            @invariant("p")
            def p(self):
                return self.o is None or not self.m[self.o]
            """,
        ),
        "invariant of an optional comparison": fine(
            """
            o: Map[Cpu, Optional[Page]]
            h: Rigid[Map[Cpu, Page]]
            @action
            def a(self, c: Cpu):
                self.o[c] = self.h[c]
            @invariant("p")
            def p(self):
                return all(self.o[c] in (None, self.h[c]) for c in Cpu)
            """,
        ),
        "None among what a loop goes through": bad(
            """
            @action
            def a(self, c: Cpu):
                n = 0
                for i, d in enumerate((c, None, c), start=1):
                    asked = lambda: d is None
                    n = n * 10 + (i if d is None else 0) + (5 if asked() else 0)
                self.bad = n == 70 and tuple(x is None for x in (c, None)) == (False, True)
            """,
            1,
        ),
        "one helper asks of an element, of an option and of None": bad(
            """
            o: Optional[Cpu]

            def kind(self, who):
                return 0 if who is None else 1

            @action
            def a(self, c: Cpu):
                self.bad = (self.kind(c), self.kind(self.o), self.kind(None)) == (1, 0, 0)
            """,
            1,
        ),
        "a local that is an element, and then None": bad(
            """
            @process(Cpu)
            def p(self, c):
                who = None
                for _ in range(3):
                    yield "turns"
                    who = c if who is None else None
                self.bad = who is c
            """,
            3,
        ),
        "a local that is one element": refused(
            """
            @action
            def a(self):
                who = choose(Cpu)
                self.bad = who is None
            """,
            "a Cpu is never None",
        ),
        "one helper that takes steps asks of an element and of None": bad(
            """
            def kind(self, who):
                yield "asks"
                return 0 if None == who else 1

            @process(Cpu)
            def p(self, c):
                x = yield from self.kind(c)
                y = yield from self.kind(None)
                self.bad = (x, y) == (1, 0)
            """,
            2,
        ),
        "None as a condition, of a conditional expression": refused(
            """
            n: Digit
            @action
            def a(self):
                if self.n if self.bad else None:
                    self.bad = True
            """,
            "None is always None, not a condition",
            "Write False.",
        ),
        "a loop over a sort asks its elements for None": refused(
            """
            @action
            def a(self):
                self.bad = any(c is None for c in Cpu)
            """,
            "a Cpu is never None",
        ),
        "an option as a condition, of a conditional expression": refused(
            """
            n: Digit
            @action
            def a(self):
                self.bad = (self.n if self.bad else None) and True
            """,
            "Write (self.n if self.bad else None) is not None.",
        ),
    },
    "choices and counters": {
        "choose in a tuple twice": bad(
            """
            @action
            def a(self):
                pair = choose(Cpu), choose(Cpu)
                self.bad = pair[0] is not pair[1]
            """,
            1,
        ),
        "require after choose": fine(
            """
            m: Map[Cpu, bool]

            @action
            def a(self):
                c = choose(Cpu)
                require(not self.m[c])
                self.m[c] = True
                self.bad = not self.m[c]
            """,
        ),
        "require after a write sees the write": fine(
            """
            n: Digit

            @action
            def a(self):
                self.n += 1
                require(self.n < 2)
                self.bad = self.n > 1
            """,
        ),
        "require false after writes takes them back": fine(
            """
            n: Digit

            @action
            def a(self):
                self.n = 5
                require(False)

            @invariant("n")
            def zero(self):
                return self.n == 0
            """,
        ),
        "counters compared": breaks(
            """
            g: Map[Cpu, Gen]
            @action
            def a(self, c: Cpu):
                self.g[c] = fresh(Gen)
            @event
            def e(self, c: Cpu, d: Cpu):
                check("p", self.g[c] <= self.g[d] or self.g[d] == 0, because="x")
            """,
            "p",
            3,
        ),
        "counter with literal": refused(
            """
            g: Gen
            @action
            def a(self):
                self.bad = self.g == 1
            """,
            "1 is no Gen",
        ),
        "counter max": fine(
            """
            g: Gen
            h: Gen
            @action
            def a(self):
                self.g = max(self.g, self.h)
            """,
        ),
        "fresh twice and order": bad(
            """
            g: Gen
            h: Gen
            @action
            def a(self):
                x = fresh(Gen)
                y = fresh(Gen)
                self.bad = x < y
            """,
            1,
        ),
        "fresh after store": bad(
            """
            g: Gen
            h: Gen
            @action
            def a(self):
                self.g = fresh(Gen)
                self.h = fresh(Gen)
                self.bad = self.g < self.h
            """,
            1,
        ),
        "fresh in a conditional expression": bad(
            """
            g: Gen
            @action
            def a(self, on: bool):
                self.g = fresh(Gen) if on else self.g
                self.bad = self.g != 0
            """,
            1,
        ),
        "ghost in require through a local": refused(
            """
            s: Ghost[bool]
            @action
            def a(self):
                x = self.s
                y = x
                require(not y)
            """,
            "the ghost 's' is read by a guard",
        ),
        "require of a tuple message": refused(
            """
            @action
            def a(self, c: Cpu):
                require(self.bad, "no")
            """,
            "require takes (condition)",
        ),
        "require with comma true": refused(
            """
            @action
            def a(self, c: Cpu):
                require((self.bad, True))
            """,
            "(self.bad, True) is a tuple, not a condition",
        ),
        "conditional require in expression": bad(
            """
            n: Digit
            def must(self):
                require(self.n == 0)
                return True
            @action
            def a(self, x: bool):
                self.bad = self.must() if x else True
            """,
            1,
        ),
        "require(x) where x a local bool": fine(
            """
            n: Digit
            @action
            def a(self):
                ok = self.n == 1
                require(ok)
                self.bad = True
            """,
        ),
        "two requires in loop over tuple": fine(
            """
            m: Map[Cpu, bool]
            @action
            def a(self, c: Cpu, d: Cpu):
                for x in (c, d):
                    require(self.m[x])
                self.bad = True
            """,
        ),
        "choose in a loop over tuple": bad(
            """
            @action
            def a(self):
                seen = ()
                for k in (1, 2):
                    seen = (*seen, choose(Cpu))
                self.bad = seen[0] is not seen[1]
            """,
            1,
        ),
        "choose where uses earlier choice": fine(
            """
            @action
            def a(self):
                c = choose(Cpu)
                d = choose(Cpu, where=lambda x: x is not c)
                self.bad = c is d
            """,
        ),
        "choose where named function": fine(
            """
            m: Map[Cpu, bool]
            def free(self, c):
                return not self.m[c]
            @action
            def a(self):
                c = choose(Cpu, where=self.free)
                self.bad = self.m[c]
            """,
        ),
        "choose where evaluated before later write": fine(
            """
            m: Map[Cpu, bool]
            @action
            def a(self):
                c = choose(Cpu, where=lambda c: not self.m[c])
                self.m[c] = True
                d = choose(Cpu, where=lambda c: self.m[c])
                self.bad = not self.m[d]
            """,
        ),
        "choose bool": bad(
            """
            @action
            def a(self):
                self.bad = choose(bool)
            """,
            1,
        ),
        "choose enum where": fine(
            """
            @action
            def a(self):
                k = choose(Kind, where=lambda k: k is not Kind.A)
                self.bad = k is Kind.A
            """,
        ),
        "choose in if only": bad(
            """
            @action
            def a(self, x: bool):
                c = None
                if x:
                    c = choose(Cpu)
                self.bad = c is not None
            """,
            1,
        ),
        "choose in both branches": bad(
            """
            @action
            def a(self, x: bool, e: Cpu):
                if x:
                    c = choose(Cpu)
                else:
                    c = choose(Cpu, where=lambda d: d is e)
                self.bad = not x and c is e
            """,
            1,
        ),
        "choose result thrown away": bad(
            """
            @action
            def a(self):
                choose(Cpu)
                self.bad = True
            """,
            1,
        ),
        "choose in an event": refused(
            """
            @event
            def e(self):
                c = choose(Cpu)
                check("p", c is None, because="x")
            """,
            "an event cannot choose",
        ),
        "choose of a tuple constant": refused(
            """
            @action
            def a(self):
                k = choose((1, 2))
            """,
            "(1, 2) is not a sort to choose from",
        ),
        "choose of a range": refused(
            """
            @action
            def a(self):
                k = choose(range(2))
            """,
            "range(2) is not a sort to choose from",
        ),
    },
    "enumerations": {
        "dict lookup by enum member": bad(
            """
            COST = {Kind.A: 1, Kind.B: 2}
            @action
            def a(self):
                self.bad = self.COST[Kind.B] == 2
            """,
            1,
        ),
        "IntEnum arithmetic": refused(
            """
            class Num(enum.IntEnum):
                ONE = 1
                TWO = 2

            class Generated(System):
                bad: bool
                k: Num

                @action
                def a(self):
                    self.bad = self.k + 1 == 2
            """,
            "a Num is no number to calculate with",
        ),
        "IntEnum compared with int": refused(
            """
            class Num(enum.IntEnum):
                ONE = 1
                TWO = 2

            class Generated(System):
                bad: bool
                k: Num

                @action
                def a(self):
                    self.bad = self.k == 1
            """,
            "1 is no Num",
        ),
        "IntEnum constants arithmetic": refused(
            """
            class Num(enum.IntEnum):
                ONE = 1
                TWO = 2

            class Generated(System):
                bad: bool

                @action
                def a(self):
                    self.bad = Num.ONE + Num.ONE == Num.TWO

                @invariant("b")
                def never(self):
                    return not self.bad
            """,
            "a Num is no number to calculate with",
        ),
        "IntEnum as truth": refused(
            """
            class Num(enum.IntEnum):
                ZERO = 0
                TWO = 2

            class Generated(System):
                bad: bool
                k: Num

                @action
                def a(self):
                    if self.k:
                        self.bad = True
            """,
            "self.k is a Num, not a condition",
        ),
        "enum with a method": refused(
            """
            class Num(enum.Enum):
                ONE = 1
                TWO = 2

                def big(self):
                    return self is Num.TWO

            class Generated(System):
                bad: bool
                k: Num

                @action
                def a(self):
                    self.bad = self.k.big()

                @invariant("b")
                def never(self):
                    return not self.bad
            """,
            "'big' of Num is known of its members only, and self.k depends on the state",
        ),
        "enum with custom __bool__": refused(
            """
            class Num(enum.Enum):
                ONE = 1
                TWO = 2

                def __bool__(self):
                    return False

            class Generated(System):
                bad: bool

                @action
                def a(self):
                    self.bad = not Num.ONE
            """,
            "Num.ONE is always Num.ONE, not a condition",
        ),
        "a sort as a condition": refused(
            """
            class Generated(System):
                bad: bool

                @invariant("b")
                def never(self):
                    return Cpu
            """,
            "Cpu is a sort, not a condition",
        ),
        "a field of an Optional": refused(
            """
            class Generated(System):
                b: Optional[Cpu]

                @action
                def a(self):
                    self.b.vm = None
            """,
            "an Optional[Cpu] has no 'vm'",
        ),
        "OrderedEnum member min max": fine(
            """
            class Num(OrderedEnum):
                ONE = 1
                TWO = 2

            class Generated(System):
                bad: bool
                k: Num

                @action
                def a(self):
                    self.bad = max(self.k, Num.TWO) is Num.TWO
            """,
        ),
        "knob enum": bad(
            """
            k = Knob(Kind, Kind.B, doc="x")
            @action
            def a(self):
                self.bad = self.k is Kind.B
            """,
            1,
        ),
    },
    "numbers and truth values": {
        "list literal loop": bad(
            """
            @action
            def a(self, c: Cpu):
                for x in [c]:
                    self.bad = True
            """,
            1,
        ),
        "in a list literal": bad(
            """
            k: Kind
            @action
            def a(self):
                self.bad = self.k in [Kind.A]
            """,
            1,
        ),
        "in a set literal": bad(
            """
            k: Kind
            @action
            def a(self):
                self.bad = self.k in {Kind.A}
            """,
            1,
        ),
        "in a module-level frozenset": bad(
            """
            SET = frozenset({Kind.A})
            k: Kind
            @action
            def a(self):
                self.bad = self.k in self.SET
            """,
            1,
        ),
        "bool arithmetic": refused(
            """
            @action
            def a(self):
                self.bad = True + True == 2
            """,
            "a bool is no number to calculate with",
        ),
        "bool state arithmetic": refused(
            """
            x: bool
            @action
            def a(self):
                self.bad = self.x + 1 == 2
            """,
            "a bool is no number to calculate with",
        ),
        "bool less": refused(
            """
            x: bool
            @action
            def a(self):
                self.bad = self.x < True
            """,
            "truth values have no order",
        ),
        "negative number ranges": bad(
            """
            n: Annotated[int, Range(-2, 2)]

            @initially
            def start(self):
                self.n = 0

            @action
            def a(self):
                require(self.n > -2)
                self.n -= 1

            @action
            def b(self):
                self.bad = self.n == -2 and self.n // 2 == -1 and self.n % 3 == 1
            """,
            3,
        ),
        "negating state": fine(
            """
            n: Annotated[int, Range(-2, 2)]

            @action
            def b(self):
                require(self.n == -2)
                k = -self.n
                self.bad = k == 2
            """,
        ),
        "minus minus": bad(
            """
            @action
            def b(self):
                k = 2
                self.bad = --k == 2
            """,
            1,
        ),
        "multiplication of state": bad(
            """
            n: Digit
            @action
            def a(self):
                require(self.n < 3)
                self.n += 1
            @action
            def b(self):
                self.bad = self.n * self.n == 4
            """,
            3,
        ),
        "power of constants": refused(
            """
            @action
            def b(self):
                self.bad = 2 ** 3 == 8
            """,
            "numbers are combined by + - * // % & | ^ << and >> only",
        ),
        "true division": refused(
            """
            n: Digit
            @action
            def b(self):
                self.bad = self.n / 2 == 1
            """,
            "numbers are combined by + - * // % & | ^ << and >> only",
        ),
        "abs": fine(
            """
            n: Annotated[int, Range(-2, 2)]
            @action
            def b(self):
                self.bad = abs(self.n) == 1
            """,
        ),
        "abs const": bad(
            """
            @action
            def b(self):
                self.bad = abs(-1) == 1
            """,
            1,
        ),
        "divmod": refused(
            """
            n: Digit
            @action
            def b(self):
                q, r = divmod(self.n, 2)
                self.bad = q == 1
            """,
            "divmod cannot be called in a model",
        ),
        "min of two states": fine(
            """
            n: Digit
            k: Digit
            @action
            def b(self):
                self.bad = min(self.n, self.k) == 1
            """,
        ),
        "int of bool": refused(
            """
            x: bool
            @action
            def b(self):
                self.bad = int(self.x) == 1
            """,
            "int cannot be called in a model",
        ),
        "bool of state": bad(
            """
            n: Digit
            @action
            def a(self):
                self.n = 2
            @action
            def b(self):
                self.bad = bool(self.n) and not bool(self.n - 2) and not bool()
            """,
            2,
        ),
        "bool of an element": refused(
            """
            owner: Optional[Cpu]
            @action
            def b(self):
                self.bad = bool(self.owner)
            """,
            "self.owner is an Optional[Cpu], not a condition",
            "is not None",
        ),
        "level compare with literal beyond": refused(
            """
            l: Level
            @action
            def a(self):
                self.bad = self.l < 7
            """,
            "Level 7 does not exist: Level has 3 elements at this size",
        ),
        "level literal beyond assigned under false": fine(
            """
            l: Level
            on: bool
            @action
            def a(self):
                if self.on and not self.on:
                    self.l = 7
            """,
        ),
        "range with negative lo initial": bad(
            """
            n: Annotated[int, Range(-2, 4)]
            @action
            def a(self):
                self.bad = self.n == -2
            @action
            def b(self):
                self.bad = self.n == 0
            """,
            1,
        ),
        "map over bool index with comparison": bad(
            """
            m: Map[bool, bool]
            @action
            def a(self, c: Cpu, d: Cpu):
                self.m[c is d] = True
                self.bad = self.m[False]
            """,
            1,
        ),
        "map indexed by number literal": bad(
            """
            m: Map[Digit, bool]
            @action
            def a(self):
                self.m[3] = True
                self.bad = self.m[3] and not self.m[4]
            """,
            1,
        ),
        "map indexed by number expression": bad(
            """
            m: Map[Digit, bool]
            n: Digit
            @action
            def a(self):
                require(self.n == 0)
                self.m[self.n + 1] = True
                self.n = 1
            @action
            def b(self):
                self.bad = self.m[self.n]
            """,
            2,
        ),
        "map indexed by negative": refused(
            """
            m: Map[Digit, bool]
            @action
            def a(self):
                self.m[-1] = True
            """,
            "-1 is not one of 0..9",
        ),
        "operator module": refused(
            """
            import operator
            @action
            def a(self, c: Cpu):
                self.bad = self.operator.add(1, 2) == 3
            """,
            "self.operator.add cannot be called in a model",
        ),
        "math constant from a module": refused(
            """
            import math
            @action
            def a(self, c: Cpu):
                self.bad = self.math.inf > 3
            """,
            "inf has no order",
        ),
        "and returns last value": bad(
            """
            k: Kind
            @action
            def a(self):
                x = self.k is Kind.A and self.k is not Kind.B
                self.bad = x is True
            """,
            1,
        ),
        "conditional expression nested": bad(
            """
            @action
            def a(self, x: bool, y: bool):
                k = 1 if x else 2 if y else 3
                self.bad = k == 3
            """,
            1,
        ),
        "conditional in index": bad(
            """
            m: Map[Cpu, bool]
            @action
            def a(self, x: bool, c: Cpu, d: Cpu):
                self.m[c if x else d] = True
                self.bad = self.m[d] and not self.m[c]
            """,
            1,
        ),
        "literal beyond vanishing": fine(
            """
            l: Level
            @action
            def a(self):
                self.bad = self.l == 7 and False
            """,
        ),
        "literal beyond vanishing 2": fine(
            """
            l: Level
            @action
            def a(self):
                x = self.l == 7
                self.bad = False
            """,
        ),
        "literal beyond vanishing 3": refused(
            """
            l: Map[Level, bool]
            @action
            def a(self):
                self.l[7] = True
                self.l[...] = False
            """,
            "Level 7 does not exist: Level has 3 elements at this size",
        ),
        "literal beyond vanishing 4": refused(
            """
            l: Level
            @action
            def a(self):
                self.l = 7
                self.l = 0
            """,
            "Level 7 does not exist: Level has 3 elements at this size",
        ),
        "literal beyond in dead code": fine(
            """
            l: Level
            on = Knob(bool, False, doc="x")
            @action
            def a(self):
                if self.on:
                    self.l = 7
            """,
        ),
    },
    "fixed groups of values": {
        "in a range": bad(
            """
            n: Digit
            @action
            def a(self):
                self.bad = self.n in range(3)
            """,
            1,
        ),
        "not in a string": refused(
            """
            k: Kind
            @action
            def a(self):
                self.bad = self.k in "abc"
            """,
            "`in` needs a tuple of values",
        ),
        "dict lookup by constant key": bad(
            """
            COST = {"a": 1, "b": 2}
            @action
            def a(self):
                self.bad = self.COST["b"] == 2
            """,
            1,
        ),
        "dict lookup by state": refused(
            """
            COST = {Kind.A: 1, Kind.B: 2, Kind.C: 3}
            k: Kind
            @action
            def a(self):
                self.bad = self.COST[self.k] == 2
            """,
            "self.COST is not a map",
        ),
        "dict get": refused(
            """
            COST = {Kind.A: 1, Kind.B: 2, Kind.C: 3}
            @action
            def a(self):
                self.bad = self.COST.get(Kind.A) == 1
            """,
            "self.COST.get cannot be called in a model",
        ),
        "dict items loop": refused(
            """
            COST = {Kind.A: 1, Kind.B: 2, Kind.C: 3}
            @action
            def a(self):
                for k, v in self.COST.items():
                    self.bad = True
            """,
            "self.COST.items cannot be called in a model",
        ),
        "any of a list comprehension": refused(
            """
            m: Map[Cpu, bool]
            @action
            def b(self):
                self.bad = any([self.m[c] for c in Cpu])
            """,
            "the language has no list comprehension",
        ),
        "f-string in check": refused(
            """
            @event
            def b(self, c: Cpu):
                check("p", True, because=f"{c}")
            """,
            "the language has no f-string",
        ),
        "f-string constant assigned": refused(
            """
            @action
            def b(self, c: Cpu):
                x = f"{c}"
            """,
            "the language has no f-string",
        ),
        "string concatenation": refused(
            """
            @action
            def a(self):
                x = "a" + "b"
                self.bad = x == "ab"
            """,
            "'a' is not a value that a state can hold",
        ),
        "string constant compare": bad(
            """
            @action
            def a(self):
                x = "a"
                self.bad = x == "a"
            """,
            1,
        ),
        "two strings on ways": refused(
            """
            @action
            def a(self, on: bool):
                x = "a" if on else "b"
                self.bad = x == "a"
            """,
            "'a' if on else 'b' is not the same kind of thing on each way to here",
        ),
        "tuple on ways compare": bad(
            """
            @action
            def a(self, on: bool):
                x = (1, 2) if on else (2, 1)
                self.bad = x[0] == 2
            """,
            1,
        ),
        "tuple in tuple membership": bad(
            """
            @action
            def a(self, c: Cpu, d: Cpu):
                self.bad = (c, d) in ((c, c), (c, d)) and c is not d
            """,
            1,
        ),
        "tuple comparison order": refused(
            """
            @action
            def a(self):
                self.bad = (1, 2) < (1, 3)
            """,
            "tuples have no order here",
        ),
        "tuple count index": refused(
            """
            @action
            def a(self, c: Cpu):
                self.bad = (c, c).count(c) == 2
            """,
            "(c, c) has no 'count'",
        ),
        "len of map": refused(
            """
            m: Map[Cpu, bool]
            @action
            def a(self):
                self.bad = len(self.m) == 2
            """,
            "a map has no length",
        ),
        "event with local and tuple loop": breaks(
            """
            m: Map[Cpu, bool]
            @action
            def a(self, c: Cpu):
                self.m[c] = True
            @event
            def e(self, c: Cpu, d: Cpu):
                for x in (c, d):
                    if self.m[x]:
                        check("p", x is not c, because="b")
            """,
            "p",
            2,
        ),
        "invariant returning a tuple": refused(
            """
            @invariant("p")
            def p(self):
                return True, "x"
            """,
            "(True, 'x') is a tuple, not a condition",
        ),
        "a tuple so many times": bad(
            """
            @action
            def a(self, c: Cpu):
                t = (c, None) * 2
                t *= 1
                self.bad = t[2] is c and t[3] is None and len(t) == 4 and 2 * (1,) == (1, 1) and (1,) * -1 == ()
            """,
            1,
        ),
        "a tuple as often as the state says": refused(
            """
            n: Digit
            @action
            def a(self):
                self.bad = (1,) * self.n == (1,)
            """,
            "how often a tuple is repeated is a constant",
        ),
        "a tuple as a condition": refused(
            """
            @action
            def a(self, c: Cpu):
                rest = (c,)[1:]
                self.bad = not rest
            """,
            "rest is a tuple, not a condition",
            "Write len(rest) > 0",
        ),
        "a sum from a start": bad("@action\ndef a(self):\n    self.bad = sum((1, 2), start=4) == 7", 1),
        "the least by a key": refused("@action\ndef a(self):\n    self.bad = min((1, 2), key=lambda x: -x) == 2", "no key= here"),
        "what a constant's method gives": refused(
            """
            class Mode(enum.Enum):
                ON = 1
                OFF = 2

                def other(self):
                    return Mode.ON if self is Mode.OFF else Mode.OFF

            class Generated(System):
                mode: Mode

                @action
                def a(self):
                    self.mode = Mode.ON.other()
            """,
            "Write Mode.other(Mode.ON).",
        ),
        "which is what that says": breaks(
            """
            class Mode(enum.Enum):
                ON = 1
                OFF = 2

                def other(self):
                    return Mode.ON if self is Mode.OFF else Mode.OFF

            class Generated(System):
                mode: Mode

                @action
                def a(self):
                    self.mode = Mode.other(self.mode)

                @invariant("it is off")
                def on(self):
                    return self.mode is Mode.ON
            """,
            "on",
            1,
        ),
        "parts in a list": refused(
            """
            locks = [Lock(), Lock()]
            @action
            def a(self, c: Cpu):
                with self.locks[0](c):
                    self.bad = True
            """,
            "Give each part a name of its own",
        ),
        "the class of an object": refused(
            """
            LIMIT = 1
            @action
            def a(self):
                self.bad = self.__class__.LIMIT == 1
            """,
            "the language has no __class__",
            "write self.name",
        ),
        "state of the class": refused(
            """
            n: Digit
            @action
            def a(self):
                self.bad = Generated.n == 0
            """,
            "'n' is state, which an object has and not Generated",
            "Write self.n.",
        ),
        "a label with a value": refused(
            """
            @process(Cpu)
            def p(self, c):
                yield f"waits on {c}"
                self.bad = True
            """,
            "A label is a plain string, and may have variables in braces",
        ),
    },
    "events and properties": {
        "event that writes": refused(
            """
            @event
            def e(self):
                self.bad = True
                check("p", True, because="x")
            """,
            "an event changes no state",
        ),
        "invariant loops over sort with return": refused(
            """
            m: Map[Cpu, bool]

            @invariant("p")
            def p(self):
                for c in Cpu:
                    if self.m[c]:
                        return False
                return True
            """,
            "a loop over a sort happens at once and cannot return",
        ),
        "invariant assigns locals in loop over sort": refused(
            """
            m: Map[Cpu, bool]

            @invariant("p")
            def p(self):
                ok = True
                for c in Cpu:
                    ok = ok and not self.m[c]
                return ok
            """,
            "'ok' is given a value in a loop whose rounds all happen at once",
        ),
        "at() in an event": breaks(
            """
            @process(Cpu)
            def p(self, c):
                yield "one"
                yield "two"

            @event
            def e(self, c: Cpu):
                require(at(self.p, c, "two"))
                check("q", False, because="here")
            """,
            "q",
            2,
        ),
        "at() inside an action": fine(
            """
            @process(Cpu)
            def p(self, c):
                yield "one"

            @action
            def a(self, c: Cpu):
                require(at(self.p, c, "one") and at(self.p, c, "one"))
            """,
        ),
        "at() with a label in a variable": breaks(
            """
            LABEL = "two"
            @process(Cpu)
            def p(self, c):
                yield "one"
                yield "two"

            @invariant("q")
            def q(self):
                return not any(at(self.p, c, self.LABEL) for c in Cpu)
            """,
            "q",
            1,
        ),
        "ghost in an invariant": breaks(
            """
            s: Ghost[bool]
            @action
            def a(self):
                self.s = True
            @invariant("p")
            def p(self):
                return not self.s
            """,
            "p",
            1,
        ),
        "final": bad(
            """
            @action
            def a(self):
                require(not self.bad)
                self.bad = True
            @final
            def done(self):
                return self.bad
            """,
            1,
        ),
        "final with undefined": fine(
            """
            o: Optional[Cpu]
            m: Map[Cpu, bool]
            @action
            def b(self, c: Cpu):
                require(self.o is None)
                self.o = c
            @final
            def done(self):
                return self.m[self.o] or True
            """,
        ),
        "check in an if": fine(
            """
            @event
            def e(self, c: Cpu):
                if self.bad:
                    check("p", False, because="b")
            """,
        ),
        "check after return": fine(
            """
            @event
            def e(self, c: Cpu):
                if not self.bad:
                    return
                check("p", False, because="b")
            """,
        ),
        "check after a failing check": breaks(
            """
            @event
            def e(self, c: Cpu):
                check("p", False, because="b")
                check("q", False, because="b")
            """,
            "p",
            1,
        ),
        "reachable not reached": fine(
            """
            @reachable
            def r(self):
                return self.bad
            """,
        ),
        "invariant with nested functions": breaks(
            """
            n: Digit
            @action
            def a(self):
                self.n = 2
            @invariant("p")
            def p(self):
                def f(x):
                    return x < 2
                return f(self.n)
            """,
            "p",
            1,
        ),
        "invariant returning all of implication": breaks(
            """
            m: Map[Cpu, bool]
            @action
            def a(self, c: Cpu):
                self.m[c] = True
            @invariant("p")
            def p(self):
                return all(not self.m[c] for c in Cpu for d in Cpu if c is not d)
            """,
            "p",
            1,
        ),
        "invariant <= as implication": refused(
            """
            m: Map[Cpu, bool]
            @invariant("p")
            def p(self):
                return all(self.m[c] <= True for c in Cpu)
            """,
            "truth values have no order",
        ),
        "invariant undefined": breaks(
            """
            o: Optional[Cpu]
            m: Map[Cpu, bool]
            @invariant("p")
            def p(self):
                return not self.m[self.o]
            """,
            "p",
            0,
        ),
        "invariant of `not in`": breaks(
            """
            k: Map[Cpu, Kind]
            @action
            def a(self, c: Cpu):
                self.k[c] = Kind.C
            @invariant("p")
            def p(self):
                return all(self.k[c] not in (Kind.B, Kind.C) for c in Cpu)
            """,
            "p",
            1,
        ),
    },
    "ghosts": {
        "ghost written from a ghost": fine(
            """
            s: Ghost[Map[Cpu, bool]]
            @action
            def a(self, c: Cpu):
                self.s[c] = not self.s[c]
            """,
        ),
        "ghost in an index": refused(
            """
            s: Ghost[Bit]
            m: Map[Bit, bool]
            @action
            def a(self):
                self.m[self.s] = True
            """,
            "the ghost 's' is read by the plain state 'm'",
        ),
        "ghost in a cost": fine(
            """
            s: Ghost[bool]
            @action
            def a(self):
                if self.s:
                    cost("x")
            """,
        ),
    },
    "knobs and rigid maps": {
        "knob assigned": refused(
            """
            k = Knob(bool, True, doc="x")
            @action
            def a(self):
                self.k = False
            """,
            "'k' is a knob and never changes",
        ),
        "rigid assigned": refused(
            """
            r: Rigid[Map[Cpu, Bit]]
            @action
            def a(self, c: Cpu):
                self.r[c] = 1
            """,
            "'r' is rigid and never changes",
        ),
    },
    "maps": {
        "map indexed beyond": breaks(
            """
            m: Map[Bit, bool]
            n: Digit
            @action
            def a(self):
                self.n = 5
                self.m[self.n] = True
            """,
            "well-defined",
            1,
        ),
        "map slice copied": refused(
            """
            m: Map[Cpu, Page, bool]
            @action
            def a(self, c: Cpu, d: Cpu):
                self.m[c, :] = self.m[d, :]
            """,
            "a slice can only be written",
        ),
        "map of map index twice": refused(
            """
            m: Map[Cpu, Page, bool]
            @action
            def a(self, c: Cpu, p: Page):
                self.m[c][p] = True
            """,
            "'m' has 2 indices (Cpu, Page), not 1",
        ),
        "map row all set": bad(
            """
            m: Map[Cpu, Page, bool]
            @action
            def a(self, c: Cpu):
                self.m[c, :] = True
                self.bad = all(self.m[c, p] for p in Page)
            """,
            1,
        ),
        "map whole assigned": refused(
            """
            m: Map[Cpu, bool]
            n: Map[Cpu, bool]
            @action
            def a(self):
                self.m = self.n
            """,
            "'m' is a map",
        ),
        "map in a condition": refused(
            """
            m: Map[Cpu, bool]
            @action
            def a(self, c: Cpu):
                if self.m == {}:
                    self.bad = True
            """,
            "the language has no dictionary",
        ),
        "map items": refused(
            """
            m: Map[Cpu, bool]
            @action
            def a(self):
                for c, on in self.m.items():
                    self.bad = True
            """,
            "self.m is a map of the state and has no 'items'",
        ),
        "iterate over map": refused(
            """
            m: Map[Cpu, bool]
            @action
            def a(self):
                for c in self.m:
                    self.bad = True
            """,
            "self.m is not a sort",
        ),
        "in map": refused(
            """
            m: Map[Cpu, bool]
            @action
            def a(self, c: Cpu):
                self.bad = c in self.m
            """,
            "'m' has a value for every index",
        ),
        "map get": refused(
            """
            m: Map[Cpu, bool]
            @action
            def a(self, c: Cpu):
                self.bad = self.m.get(c)
            """,
            "self.m is a map of the state and has no 'get'",
        ),
        "map pop/clear": refused(
            """
            m: Map[Cpu, bool]
            @action
            def a(self, c: Cpu):
                self.m.clear()
            """,
            "self.m is a map of the state and has no 'clear'",
        ),
    },
    "what Python has and a model has not": {
        "what a constant dictionary holds": refused(
            "D = {1: 2}\n@action\ndef a(self):\n    for k, v in self.D.items():\n        self.bad = k == v",
            "`known = tuple(self.D.items())`",
        ),
        "a constant dictionary with a default": refused(
            "D = {1: 2}\n@action\ndef a(self):\n    self.bad = self.D.get(1, 0) == 2", "Write self.D[...] of a constant"
        ),
        "a text that is made": refused(
            "@event\ndef e(self, c: Cpu):\n    check('p', True, 'on {}'.format(c))", "A text is a constant"
        ),
        "assert": refused(
            """
            @action
            def a(self):
                assert not self.bad
            """,
            "the language has no assert statement",
        ),
        "set of cpus": refused(
            """
            m: Map[Cpu, bool]
            @action
            def b(self):
                s = set()
                self.bad = len(s) == 0
            """,
            "set cannot be called in a model",
        ),
        "type hints of return": bad(
            """
            def f(self, c: Cpu) -> bool:
                return True

            @action
            def b(self, c: Cpu) -> None:
                self.bad = self.f(c)
            """,
            1,
        ),
        "unused import inside": refused(
            """
            @action
            def a(self):
                import os
                self.bad = True
            """,
            "the language has no import inside of a method",
        ),
        "undeclared attribute assigned": refused(
            """
            @action
            def a(self, c: Cpu):
                self.new = True
            """,
            "the system has no 'new'",
        ),
        "undeclared attribute read, near name": refused(
            """
            owner: Optional[Cpu]
            @action
            def a(self, c: Cpu):
                self.bad = self.ownr is c
            """,
            "the system has no 'ownr'",
        ),
        "typo in local": refused(
            """
            @action
            def a(self, c: Cpu):
                x = c
                self.bad = y is c
            """,
            "the name 'y' is unknown",
        ),
        "forgot self": refused(
            """
            n: Digit
            @action
            def a(self):
                n += 1
            """,
            "'n' is set on some ways to this place only",
        ),
        "forgot self read": refused(
            """
            owner: Optional[Cpu]
            @action
            def a(self, c: Cpu):
                self.bad = owner is c
            """,
            "the name 'owner' is unknown",
        ),
        "method called without self": refused(
            """
            def f(self):
                return True
            @action
            def a(self):
                self.bad = f()
            """,
            "the name 'f' is unknown",
        ),
        "method not called": refused(
            """
            def f(self):
                return True
            @action
            def a(self):
                self.bad = self.f
            """,
            "'f' is a method and must be called",
        ),
        "method not called in if": refused(
            """
            def f(self):
                return True
            @action
            def a(self):
                if self.f:
                    self.bad = True
            """,
            "'f' is a method and must be called",
        ),
        "local used after if only": refused(
            """
            @action
            def a(self, on: bool):
                if on:
                    x = 1
                self.bad = x == 1
            """,
            "'x' is set on some ways to this place only",
        ),
        "hasattr": refused(
            """
            @action
            def a(self):
                self.bad = hasattr(self, "x")
            """,
            "hasattr cannot be called in a model",
        ),
        "functools.reduce": refused(
            """
            @action
            def a(self, c: Cpu):
                self.bad = functools.reduce(lambda a, b: a + b, (1, 2)) == 3
            """,
            "functools.reduce cannot be called in a model",
        ),
        "short circuit with effect not evaluated": fine(
            """
            n: Digit
            def tick(self):
                self.n += 1
                return True
            @action
            def a(self):
                require(self.n == 0)
                if False and self.tick():
                    pass
                if self.bad or not self.bad or self.tick():
                    pass
                self.bad = self.n != 0
            """,
        ),
    },
    "elements that do not exist": {
        "a map read at an element that does not exist, for nothing": refused(
            """
            m: Map[Level, bool]
            @action
            def a(self):
                x = self.m[7]
                self.bad = False
            """,
            "does not exist: Level has 3 elements at this size",
        ),
        "an element beyond the sort that is overwritten": refused(
            """
            l: Level
            @action
            def a(self):
                self.l = 7
                self.l = 0
            """,
            "does not exist: Level has 3 elements at this size",
        ),
        "an element beyond the sort under a knob that is off": fine(
            """
            l: Level
            on = Knob(bool, False, doc="x")
            @action
            def a(self):
                if self.on:
                    self.l = 7
            """,
        ),
        "an element beyond the sort behind a short circuit": fine(
            """
            m: Map[Level, bool]
            on = Knob(bool, False, doc="x")
            @action
            def a(self):
                self.bad = self.on and self.m[7]
            """,
        ),
        "an element beyond the sort in an operand that plays no role": refused(
            """
            m: Map[Level, bool]
            @action
            def a(self):
                self.bad = self.m[7] and False
            """,
            "does not exist: Level has 3 elements at this size",
        ),
        "an element beyond the sort, compared for nothing": fine(
            """
            l: Level
            @action
            def a(self):
                x = self.l == 7
                self.bad = False
            """,
        ),
        "an element beyond the sort in a helper's default": refused(
            """
            m: Map[Level, bool]
            def f(self, k=5):
                return self.m[k]
            @action
            def a(self):
                self.f()
                self.bad = False
            """,
            "does not exist: Level has 3 elements at this size",
        ),
        "a loop through elements that do not exist": refused(
            """
            m: Map[Level, bool]
            @action
            def a(self):
                for k in range(4):
                    x = self.m[k]
            """,
            "does not exist: Level has 3 elements at this size",
        ),
        "an element beyond the sort, in a process": refused(
            """
            m: Map[Level, bool]
            @process(One)
            def p(self, o):
                yield "a"
                x = self.m[3]
                yield "b"
                self.bad = False
            """,
            "does not exist: Level has 3 elements at this size",
        ),
        "an element beyond the sort, or another": refused(
            """
            m: Map[Level, bool]
            @action
            def a(self):
                if self.m[choose(Level) if self.m[0] else 3]:
                    pass
            """,
            "does not exist: Level has 3 elements at this size",
        ),
        "an element beyond the sort, or None": refused(
            """
            m: Map[Level, bool]
            @action
            def a(self, o: Optional[Level]):
                x = 3 if self.bad else o
                if x is not None and self.m[x]:
                    pass
            """,
            "does not exist: Level has 3 elements at this size",
        ),
        "an element beyond the sort, or another, where it is no way": fine(
            """
            m: Map[Level, bool]
            eager = Knob(bool, True, "one")
            @action
            def a(self):
                if self.m[choose(Level) if self.eager else 3]:
                    pass
            """
        ),
        "an element beyond the sort, in an event": refused(
            """
            m: Map[Level, bool]
            @event
            def e(self):
                x = self.m[3]
                check("p", True, because="x")
            """,
            "does not exist: Level has 3 elements at this size",
        ),
    },
}
