"""Cases for `test_kinds`: counting, sums, ranges that end at a sort's size, bits, and the element after another."""

from __future__ import annotations

import textwrap

from .kinds import Case, Violated, bad, breaks, fine, refused


def outside(text: str, steps: int, python: bool = True) -> Case:
    """A step leaves a range, or uses what is not there: the shortest trace has so many steps, that one among them."""
    return Case(text, Violated("well-defined", steps), python)


_FLAGS = """
    flags: Digit
    on: bool
    @action
    def on_(self):
        self.on = True
    @action
    def more(self):
        require(self.flags < 2)
        self.flags += 1
"""
"""Whoever needs the flag 2 and the truth value has taken three steps."""

_ASKED = {
    "an if": "if self.on and self.flags & 2: self.bad = True",
    "the other way of an if": "if not (self.on and self.flags & 2):\n        pass\n    else:\n        self.bad = True",
    "a while": "while self.on and self.flags & 2:\n        self.bad = True\n        break",
    "a requirement": "require(self.on and self.flags & 2)\n    self.bad = True",
    "a requirement by its name": "require(condition=self.on and self.flags & 2)\n    self.bad = True",
    "a conditional expression": "self.bad = True if self.on and self.flags & 2 else self.bad",
    "a question about all": "self.bad = all(self.on and self.flags & 2 for k in Kind)",
    "the condition of a comprehension": "self.bad = any(k == Kind.A for k in Kind if self.on and self.flags & 2)",
    "a choice": "k = choose(Cpu, where=lambda c: self.on and self.flags & 2)\n    self.bad = True",
    "a condition that names one of its numbers": "require((n := self.flags & 2) and self.on and n > 1)\n    self.bad = True",
    "a choice that names one of its numbers": (
        "k = choose(Cpu, where=lambda c: (n := self.flags & 2) and self.on and n > 1)\n    self.bad = True"
    ),
    "what bool() makes of it": "self.bad = bool(self.on and self.flags & 2)",
    "a question about a fixed group": "self.bad = all((self.on, self.flags & 2))",
    "a loop that goes on": "for k in range(2):\n        if not self.on or self.flags < 2: continue\n        self.bad = True",
}

NUMBERS: dict[str, dict[str, Case]] = {
    "counts and sums over a sort": {
        "of conditions": bad(
            """
            on: Map[Cpu, bool]

            @action
            def a(self, c: Cpu):
                self.on[c] = True
                if count(self.on[x] for x in Cpu) == 2:
                    self.bad = True
            """,
            2,
        ),
        "of elements": bad(
            """
            on: Map[Cpu, bool]

            @action
            def a(self, c: Cpu):
                self.on[c] = True
                self.bad = count(x for x in Cpu if self.on[x] and x is not c) > 0
            """,
            2,
        ),
        "sum of ones": bad(
            """
            on: Map[Cpu, Page, bool]

            @action
            def a(self, c: Cpu, p: Page):
                self.on[c, p] = True
                self.bad = sum(1 for x in Cpu for q in Page if self.on[x, q]) >= 3
            """,
            3,
        ),
        "sum of truth values": bad(
            """
            on: Map[Cpu, bool]

            @action
            def a(self, c: Cpu):
                self.on[c] = True
                self.bad = sum(self.on[x] for x in Cpu) == size(Cpu)
            """,
            2,
        ),
        "sum of numbers of unlike ranges": bad(
            """
            n: Map[Cpu, Digit]
            b: Bit

            @action
            def a(self, c: Cpu):
                require(self.n[c] < 2)
                self.n[c] += 1
                self.bad = sum(self.n[x] if self.b == 0 else 0 - self.n[x] for x in Cpu) == 4

            @action
            def turn(self):
                self.b = 1 - self.b
            """,
            4,
        ),
        "over pairs": bad(
            """
            on: Map[Cpu, Page, bool]

            @action
            def a(self, c: Cpu):
                self.on[c, :] = True
                self.bad = count(self.on[x, p] for x, p in each(Cpu, Page)) == 4
            """,
            2,
        ),
        "of a fixed group": bad(
            """
            n: Digit
            m: Digit

            @action
            def a(self):
                require(self.n < 3)
                self.n, self.m = self.n + 1, self.n
                self.bad = sum((self.n, self.m, 1)) == 6 and count((self.n == 3, self.m == 3)) == 1
            """,
            3,
        ),
        "the largest and the least": bad(
            """
            n: Map[Cpu, Digit]

            @action
            def a(self, c: Cpu):
                require(self.n[c] < 2)
                self.n[c] += 1
                self.bad = max(self.n[x] for x in Cpu) == 2 and min(self.n[x] for x in Cpu) == 1
            """,
            3,
        ),
        "a count in another": bad(
            """
            on: Map[Cpu, Page, bool]

            @action
            def a(self, c: Cpu, p: Page):
                self.on[c, p] = True
                self.bad = count(count(self.on[x, q] for q in Page) == 1 for x in Cpu) == 2
            """,
            2,
        ),
        "where a value is undefined": outside(
            """
            who: Optional[Cpu]
            on: Map[Cpu, bool]

            @action
            def a(self):
                self.on[...] = count(self.on[self.who] for c in Cpu if self.on[c]) == 0

            @invariant("never")
            def counted(self):
                return not self.bad
            """,
            2,
        ),
        "as a local across a step": bad(
            """
            on: Map[Cpu, bool]

            @process(Cpu)
            def p(self, c):
                yield "turn on"
                self.on[c] = True
                n = count(self.on[x] for x in Cpu)
                yield "look"
                self.bad = n == 2
            """,
            3,
        ),
        "numbers are not counted": refused(
            "n: Map[Cpu, Digit]\n@action\ndef a(self):\n    self.bad = count(self.n[c] for c in Cpu) == 1",
            "count() counts conditions that hold, or elements",
            "sum(...)",
        ),
        "what may be None is not counted": refused(
            "m: Map[Cpu, Optional[Page]]\n@action\ndef a(self):\n    self.bad = count(self.m[c] for c in Cpu) == 1",
            "count() counts conditions that hold, or elements",
            "is not None",
        ),
        "the largest of nothing at all": refused(
            "n: Map[Cpu, Digit]\n@action\ndef a(self):\n"
            "    self.bad = max(self.n[c] for c in Cpu if self.n[c] > 2) == 3",
            "max() of what may be nothing at all",
        ),
        "fresh values in some order of elements": refused(
            "g: Gen\n@action\ndef a(self):\n    self.bad = count(fresh(Gen) > self.g for c in Cpu) == 1",
            "takes no fresh value",
        ),
        "the length of a map": refused(
            "on: Map[Cpu, bool]\n@action\ndef a(self):\n    self.bad = len(self.on) == 1", "count(self.on[c] for c in Cpu)"
        ),
        "the length of a sort": refused("@action\ndef a(self):\n    self.bad = len(Cpu) == 1", "Write size(Cpu)"),
        "a total in a loop over a sort": refused(
            "n: Map[Cpu, Bit]\n@action\ndef a(self):\n    t = 0\n    for c in Cpu:\n        t += self.n[c]\n"
            "    self.bad = t == 1",
            "whose rounds all happen at once",
            "sum(...)",
        ),
    },
    "ranges that end at a size": {
        "in state": fine(
            """
            on: Map[Cpu, bool]
            n: Annotated[int, Range(0, size(Cpu))]

            @action
            def a(self, c: Cpu):
                require(not self.on[c])
                self.on[c] = True
                self.n += 1

            @invariant("counted")
            def counted(self):
                return self.n == count(self.on[c] for c in Cpu)
            """
        ),
        "one too small": outside(
            """
            on: Map[Cpu, bool]
            n: Annotated[int, Range(0, size(Cpu) - 1)]

            @action
            def a(self, c: Cpu):
                require(not self.on[c])
                self.on[c] = True
                self.n += 1
            """,
            2,
        ),
        "rigid, ghost and optional": bad(
            """
            r: Rigid[Annotated[int, Range(1, size(Cpu))]]
            g: Ghost[Annotated[int, Range(0, size(Cpu) + size(Page))]]
            o: Optional[Annotated[int, Range(-1, 2 * size(Cpu))]]
            m: Rigid[Map[Page, Bit]]

            @action
            def a(self):
                self.g = self.r + size(Page)
                self.o = -1 if self.o is None else self.o + 5
                if self.o == 4 and self.m[choose(Page)] == 1 and self.r == 2:
                    self.bad = True

            @invariant("never")
            def small(self):
                return self.g <= 4
            """,
            2,
        ),
        "in a part": outside(
            """
            class Count(Part):
                n: Annotated[int, Range(0, size(Cpu))]

                def up(self):
                    self.n += 1


            class Generated(System):
                users = Count()

                @action
                def a(self):
                    self.users.up()

                @invariant("few")
                def few(self):
                    return self.users.n <= size(Cpu)
            """,
            3,
        ),
        "in a choice and as a local": bad(
            """
            @action
            def a(self):
                n = choose(Annotated[int, Range(1, size(Level))])
                k: Annotated[int, Range(0, size(Level))] = n
                self.bad = k == 3
            """,
            1,
        ),
        "that is a product of sizes": outside(
            "n: Annotated[int, Range(0, size(Cpu) * (size(Page) - 1) + 1)]\n@action\ndef a(self):\n    self.n += 1", 4
        ),
        "of no sort": refused(
            "n: Annotated[int, Range(0, size(Kind))]\n@action\ndef a(self):\n    self.n = 1", "size() takes a Sort class"
        ),
        "of a counter": refused(
            "@action\ndef a(self):\n    self.bad = size(Gen) == 1", "size() takes a Sort class, and Gen is none"
        ),
        "that is empty": refused(
            "n: Annotated[int, Range(3, size(Cpu))]\n@action\ndef a(self):\n    self.n = 3", "Range(3, 2) is empty"
        ),
    },
    "arithmetic": {
        "sums and differences of numbers of the state": bad(
            """
            n: Digit
            m: Digit

            @action
            def a(self):
                require(self.n < 4)
                self.n, self.m = self.n + 1, self.n + self.m
                self.bad = self.m - self.n == 2 and -self.n + self.m + +self.m == 8
            """,
            4,
        ),
        "bits": bad(
            """
            n: Annotated[int, Range(0, 15)]

            @action
            def a(self, i: Annotated[int, Range(0, 3)]):
                require(not self.n & (1 << i))
                self.n |= 1 << i
                self.bad = self.n >> 1 == 7 and self.n ^ 15 == 1 and self.n & ~8 == 6
            """,
            3,
        ),
        "the least of a number and a constant": bad(
            "n: Digit\n@action\ndef a(self):\n    self.n = min(self.n + 2, 3)\n    self.bad = self.n == 3", 2
        ),
        "a number as a condition": bad(
            """
            n: Annotated[int, Range(0, 3)]
            k: Annotated[int, Range(1, 2)]

            @action
            def a(self):
                require(self.k and not self.n & 2)
                self.bad = self.n == 1 and not (self.n and self.n - 1)
                self.n += 1

            @initially
            def start(self):
                self.k = 1
            """,
            2,
        ),
        "numbers and truth values": refused(
            "n: Digit\n@action\ndef a(self):\n    self.bad = self.n & self.bad", "and not one with the other"
        ),
        "a wrapping clock": bad(
            """
            n: Digit
            k: Annotated[int, Range(1, 3)]

            @initially
            def start(self):
                self.k = 3

            @action
            def a(self):
                self.n = (self.n + 2) % self.k
                self.bad = self.n == 0
            """,
            3,
        ),
        "more than the range has": outside(
            """
            n: Bit
            m: Bit

            @action
            def a(self):
                self.n = self.n + 1 - self.m
            """,
            2,
        ),
        "less than the range has": outside(
            "n: Digit\nm: Bit\n@action\ndef a(self):\n    self.n -= self.m\n    self.m = 1", 2
        ),
        "division by zero": outside(
            "n: Bit\nm: Bit\n@action\ndef a(self):\n    self.bad = 2 // (1 - self.n) == 3\n    self.n = 1", 2
        ),
        "a shift by less than 0": outside(
            "n: Bit\n@action\ndef a(self):\n    self.bad = 1 << (0 - self.n) == 3\n    self.n = 1", 2
        ),
        "ranges that do not meet are compared": bad(
            """
            n: Annotated[int, Range(0, 2)]
            m: Annotated[int, Range(2, 4)]

            @action
            def a(self):
                self.bad = self.n == self.m and not self.n < self.m
                self.n = choose(Annotated[int, Range(0, 2)])
            """,
            2,
        ),
        "a power": refused("n: Bit\n@action\ndef a(self):\n    self.n = self.n ** 2", "+ - * // % & | ^ << and >> only"),
    },
    "the element after another": {
        "next": bad(
            """
            l: Level

            @action
            def a(self):
                require(self.l < 2)
                self.l = next(self.l)
                self.bad = self.l == 2
            """,
            2,
        ),
        "behind the last": outside("l: Level\n@action\ndef a(self):\n    self.l = next(self.l)", 3),
        "in a process": outside(
            "l: Level\n@process(One)\ndef p(self, o):\n    yield 'a'\n    self.l = next(self.l)\n    yield 'b'", 5
        ),
        "in a condition": Case(
            """
            l: Level

            @action
            def a(self):
                require(self.l < 2)
                self.l += 1

            @invariant("the last has no next")
            def after(self):
                return any(next(self.l) == x for x in Level)
            """,
            Violated("after", 2),
        ),
        "around": bad(
            """
            l: Level
            n: Digit

            @action
            def a(self):
                require(self.n < 4)
                self.n += 1
                self.l = next(self.l, 0)
                self.bad = self.l == 1 and self.n == 4
            """,
            4,
        ),
        "or None": bad(
            """
            l: Level
            o: Optional[Level]

            @action
            def a(self):
                self.o = next(self.l, None)
                self.bad = self.o is None
                self.l = 2
            """,
            2,
        ),
        "of an enumeration": bad(
            """
            class Mode(OrderedEnum):
                IDLE = 5
                BUSY = 1
                DONE = 3


            class Generated(System):
                mode: Mode

                @action
                def a(self):
                    self.mode = next(self.mode, Mode.IDLE)

                @invariant("never done")
                def never(self):
                    return self.mode != Mode.DONE
            """,
            2,
        ),
        "so many further": bad(
            """
            l: Level

            @action
            def a(self):
                require(self.l == 0)
                self.l = self.l + 2
                self.bad = self.l - 1 == 1
            """,
            1,
        ),
        "before the first": outside("l: Level\n@action\ndef a(self):\n    self.l = self.l - 1", 1),
        "of a counter": refused("g: Gen\n@action\ndef a(self):\n    self.g = next(self.g)", "Write fresh(Gen)"),
        "of a sort without an order": refused(
            "c: Cpu\n@action\ndef a(self):\n    self.c = next(self.c)", "next() takes an element that has a next one"
        ),
        "of an enumeration without an order": refused(
            "k: Kind\n@action\ndef a(self):\n    self.k = next(self.k)", "have no order"
        ),
        "of a generator": refused(
            "@action\ndef a(self):\n    self.bad = next(c for c in Cpu) is None", "next() takes an element that has a next one"
        ),
        "twice": bad(
            """
            l: Level

            @action
            def a(self):
                self.l = next(self.l, 0)
                self.l = next(self.l, 0)
                self.bad = self.l == 2
            """,
            1,
        ),
        "of what is a number on one way": refused(
            "l: Level\n@action\ndef a(self):\n    self.l = next(1 if self.bad else self.l, 0)", "on which it is a Level"
        ),
        "further than a number on one way": refused(
            "l: Level\n@action\ndef a(self):\n    x = 1 if self.bad else self.l\n    self.bad = x + 1 == 2", "it is a Level"
        ),
        "of the number behind the last": refused(
            "l: Level\n@action\ndef a(self):\n    x = next(self.l, 0)\n    self.l = next(x, 0)", "x may be a plain number"
        ),
        "of a number that is annotated": refused(
            "l: Level\n@action\ndef a(self):\n    x: Level = 1\n    self.l = next(x, 0)", "x may be a plain number"
        ),
        "of a number from a step before": refused(
            """
            l: Level

            @process(Cpu)
            def run(self, c):
                x: Optional[Level] = self.l
                yield "waits"
                if self.bad:
                    x = 0
                yield "waits more"
                self.l = next(x, 0)
            """,
            "x may be a plain number",
        ),
        "what the state was given as a number is an element": bad(
            """
            l: Level
            other: Level

            @action
            def a(self):
                self.l = 1 if self.bad else self.l
                self.bad = self.l is self.other and next(self.l) == 1 and self.l + 2 == 2
            """,
            1,
        ),
        "a number on one way is no object of the state": refused(
            "l: Level\n@action\ndef a(self):\n    x = 1 if self.bad else self.l\n    self.bad = x is self.l", "Write == or !="
        ),
        "by a number of the state": refused(
            "l: Level\nn: Bit\n@action\ndef a(self):\n    self.l = self.l + self.n", "how far must be a constant"
        ),
    },
    "what a location holds": {
        "an optional tag": bad(
            """
            class Cache(Part):
                def __init__(self, *sorts):
                    self.sorts = sorts
                    self.entry = Map(*sorts, bool)

                @action
                def fill(self, *entry):
                    self.entry[*entry] = True

                def empty(self):
                    for entry in each(*self.sorts):
                        self.entry[*entry] = False


            class Generated(System):
                bad: bool
                cache = Cache(Optional[Page], Cpu)

                @action
                def look(self, c: Cpu):
                    self.bad = self.cache.entry[None, c] and any(self.cache.entry[p, c] for p in Page)
                    self.cache.empty()

                @invariant("bad")
                def never(self):
                    return not self.bad
            """,
            3,
        ),
        "a tuple": refused(
            "pair: tuple[Page, bool]\n@action\ndef a(self):\n    self.bad = True",
            "tuple[Page, bool] is no single value",
            "declare each part",
        ),
        "a tuple of a map": refused(
            "pair: Map[Cpu, tuple[Page, bool]]\n@action\ndef a(self):\n    self.bad = True", "is no single value"
        ),
        "a tuple that is chosen": refused("@action\ndef a(self):\n    x = choose(tuple[Page, bool])", "Choose each part"),
        "a tuple as a local, across a step": bad(
            """
            @process(Cpu)
            def p(self, c):
                yield "choose"
                pair = (choose(Page), choose(Bit))
                yield "use"
                self.bad = pair == (pair[0], 1)
            """,
            2,
        ),
    },
    "numbers are conditions": {
        **{
            f"among others, in {where}": bad(_FLAGS + textwrap.indent(f"@action\ndef a(self):\n    {text}", " " * 4), 4)
            for where, text in _ASKED.items()
        },
        **{
            f"{condition}": bad(_FLAGS + f"    @action\n    def a(self):\n        if {condition}:\n            self.bad = True", 4)
            for condition in (
                "self.flags & 2 and self.on",
                "not (not self.on or not self.flags & 2)",
                "(self.flags & 2 if self.on else self.on)",
                "(self.on or self.flags < 0) and (self.flags < 0 or self.flags & 2)",
                "self.on and self.flags // 2 and 3",
            )
        },
        "that a property returns": breaks(
            _FLAGS
            + """
    @invariant("x")
    def p(self):
        if self.on:
            return not self.on or self.flags ^ 2
        return self.on or True
""",
            "p",
            3,
        ),
        "that a check demands": breaks(
            _FLAGS
            + """
    @event
    def e(self):
        require(self.on and self.flags)
        check("p", self.flags & 1 or not self.on, because="x")
""",
            "p",
            4,
        ),
        "a value is no condition": refused(
            _FLAGS + "    @action\n    def a(self):\n        self.on = self.on and self.flags",
            "is not the same kind of thing on each way to here",
            "n != 0",
        ),
        "nor is the argument of a function of one's own": refused(
            _FLAGS
            + """
    def require(self, condition):
        self.flags = condition
    @action
    def a(self):
        self.require(self.on and self.flags)
""",
            "is not the same kind of thing on each way to here",
        ),
        "an element that may be None is none": refused(
            _FLAGS + "    o: Optional[Cpu]\n    @action\n    def a(self):\n        self.on = not (self.on and self.o)",
            "self.o is an Optional[Cpu], not a condition",
        ),
    },
}
