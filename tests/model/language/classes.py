"""Cases for `test_kinds`: what stands around the methods of a system: classes, members, annotations, constants."""

from __future__ import annotations

from .kinds import Case, bad, breaks, fine, refused

_ABOVE = """
class Above(System):
    bad: bool
    on: Map[Cpu, bool]

    def odd(self, c):
        return self.on[c]

    @action
    def turn(self, c: Cpu):
        self.on[c] = not self.on[c]

    @invariant("bad")
    def never(self):
        return not self.bad

class Generated(Above):
    def odd(self, c):
        return False

    @action
    def a(self, c: Cpu):
"""


CLASSES: dict[str, dict[str, Case]] = {
    "what a class does with those below it": {
        "an attribute from __init_subclass__": bad(
            """
            class Sized(System):
                def __init_subclass__(cls, most=1, **more):
                    super().__init_subclass__(**more)
                    cls.most = most

            class Generated(Sized, most=4):
                bad: bool

                @action
                def a(self):
                    self.bad = self.most == 4

                @invariant("bad")
                def never(self):
                    return not self.bad
            """,
            1,
        ),
        "a class below gives a knob one value": bad(
            """
            class Slow(System):
                bad: bool
                fast = Knob(bool, False, "x")

                @action
                def a(self):
                    self.bad = self.fast

                @invariant("bad")
                def never(self):
                    return not self.bad

            class Generated(Slow):
                fast = True
            """,
            1,
        ),
        "an overridden step by its class's name": bad(
            """
            class Counts(System):
                bad: bool
                n: Digit

                @action
                def a(self):
                    self.n += 1

                @invariant("bad")
                def never(self):
                    return not self.bad

            class Generated(Counts):
                @action
                def a(self):
                    Counts.a(self)
                    Counts.a(self)
                    self.bad = self.n == 2
            """,
            1,
        ),
        "a step that is not overridden, by its class's name": refused(
            """
            class Counts(System):
                n: Digit

                @action
                def a(self):
                    self.n = 1

            class Generated(Counts):
                @action
                def b(self):
                    Counts.a(self)
            """,
            "'a' is an action and happens by itself",
        ),
        "a metaclass that says what there is": refused(
            """
            class Fewer(type(Sort)):
                def __iter__(cls):
                    return iter(list(super().__iter__())[:1])

            class Few(Sort, metaclass=Fewer):
                pass

            class Generated(System):
                m: Map[Few, bool]

                @action
                def a(self):
                    for f in Few:
                        self.m[f] = True
            """,
            "made by Fewer, whose __iter__ is not read",
        ),
        "a metaclass of an enumeration": refused(
            """
            class Backwards(enum.EnumMeta):
                def __iter__(cls):
                    return reversed(list(super().__iter__()))

            class Way(enum.Enum, metaclass=Backwards):
                IN = 0
                OUT = 1

            class Generated(System):
                way: Way

                @action
                def a(self):
                    self.way = Way.OUT
            """,
            "made by Backwards",
        ),
    },
    "a knob where no policy is known": {
        "as a condition": refused(
            "fast = Knob(bool, False, 'x')\nif fast:\n    @action\n    def a(self):\n        self.bad = True",
            "a knob has no value while the class is made",
        ),
        "in a conditional expression": refused(
            "fast = Knob(bool, False, 'x')\nMOST = 3 if fast else 1", "a knob has no value while the class is made"
        ),
        "compared with a member": refused(
            "kind = Knob(Kind, Kind.B, 'x')\nMOST = 3 if kind == Kind.A else 1", "a knob has no value while the class is made"
        ),
        "as a default": refused(
            "fast = Knob(bool, False, 'x')\ndef h(self, on=fast):\n    return on\n@action\ndef a(self):\n    self.bad = self.h()",
            "on is a knob without its system, which gives it a value",
        ),
    },
    "members whose values are tuples": {
        "compared and stored": bad(
            """
            class Way(tuple, enum.Enum):
                IN = (0, 1)
                OUT = (0, 2)

            class Generated(System):
                bad: bool
                way: Way
                m: Map[Way, bool]

                @action
                def a(self):
                    other = Way.OUT if self.way is Way.IN else Way.IN
                    for w in Way:
                        self.m[w] = w == other
                    self.m[Way.IN] = not self.m[Way.IN]
                    self.bad = other is Way.OUT and self.m[Way.IN] and self.m[other] and self.way in (Way.IN,)

                @invariant("bad")
                def never(self):
                    return not self.bad
            """,
            1,
        ),
        "with names for their parts": bad(
            """
            import typing

            class Pair(typing.NamedTuple):
                x: int
                y: int

            class Way(Pair, enum.Enum):
                IN = 0, 1
                OUT = 0, 2

            class Generated(System):
                bad: bool
                way: Way

                @process(One)
                def p(self, o):
                    yield "reads"
                    way = Way.OUT
                    if self.way != Way.OUT:
                        way = Way.IN
                    yield "compares"
                    self.bad = way is Way.IN and Way.OUT.y == 2

                @invariant("bad")
                def never(self):
                    return not self.bad
            """,
            2,
        ),
    },
    "what is many": {
        "values of state": bad(
            """
            Long = Annotated[int, Range(0, (1 << 32) - 2)]

            class Generated(System):
                n: Long
                o: Optional[Long]

                @invariant("bad")
                def never(self):
                    return self.n != 4000000000 or self.o is None

                @process(Cpu)
                def p(self, c):
                    yield "rises"
                    k = self.n + 2000000000
                    yield "stores"
                    if k <= 4000000000:
                        self.n = self.o = k
                    yield "ends"
            """,
            4,
        ),
        "values of an argument": refused(
            "@action\ndef a(self, n: Annotated[int, Range(0, 1 << 31)]):\n    pass", "'a' chooses", "1,000,000 are the most"
        ),
        "values that are chosen": refused(
            "@action\ndef a(self):\n    self.bad = choose(Annotated[int, Range(0, 1 << 31)]) == 5",
            "'a' chooses",
            "1,000,000 are the most",
        ),
        "values at the start": refused(
            "n: Rigid[Annotated[int, Range(0, 1 << 31)]]\n@action\ndef a(self):\n    self.bad = self.n == 5",
            "'n', which starts with any value",
        ),
        "locations of what plays no role": refused(
            "m: Map[Annotated[int, Range(0, 1 << 31)], bool]\n@action\ndef a(self):\n    self.m[4] = True",
            "'m' alone",
            "1,000,000",
        ),
        "in a range of any length": bad(
            """
            n: Digit
            o: Optional[Digit]

            @action
            def a(self):
                no = self.n + 3 not in range(0, 9, 4) and self.n not in range(0) and self.o not in range(5)
                yes = self.n in range(-5, 1 << 60) and self.n in range(10, -1, -1) and self.n + 4 in range(0, 9, 4)
                self.bad = no and yes and self.n not in range(1, 1 << 60) and self.n not in range(10, 20) and 3 in range(4)
            """,
            1,
        ),
        "an option in a range": bad(
            """
            o: Optional[Digit]

            @action
            def down(self):
                self.o = 9 if self.o is None else self.o - 1

            @action
            def a(self):
                require(self.o != 9)
                self.bad = self.o in range(8, 10)
            """,
            3,
        ),
        "an element in a range": refused(
            "l: Level\n@action\ndef a(self):\n    self.bad = self.l in range(1 << 60)", "more than 1,024 values"
        ),
        "an option in a long range": refused(
            "o: Optional[Digit]\n@action\ndef a(self):\n    self.bad = self.o in range(1 << 60)", "more than 1,024 values"
        ),
        "a step of a range that is long": refused(
            "n: Digit\n@action\ndef a(self):\n    self.bad = self.n in range(0, 1 << 60, 2)", "more than 1,024 values"
        ),
        "a loop": refused("@action\ndef a(self):\n    for i in range(1 << 60):\n        self.bad = True", "more than 1,024 values"),
        "a length": refused("@action\ndef a(self):\n    self.bad = len(range(1 << 70)) > 1", "more than 1,024 values"),
        "a star": refused("@action\ndef a(self):\n    self.bad = (*range(1 << 60), 1)[0] == 0", "more than 1,024 values"),
        "products": refused(
            "@action\ndef a(self):\n    x = 3\n    for i in range(99):\n        x = x * x\n    self.bad = x > 1", "1,024 bits"
        ),
        "a shift": refused("@action\ndef a(self):\n    self.bad = 1 << (1 << 60) > 1", "1,024 bits"),
    },
    "what is few": {
        "the members of an enumeration, in their order": bad(
            """
            m: Map[Kind, Digit]

            @action
            def a(self):
                for i, k in enumerate(Kind):
                    self.m[k] = i
                for k, v in zip(reversed(tuple(Kind)), (5, 6, 7)):
                    self.m[k] += v + k.value
                self.bad = tuple(self.m[k] for k in tuple(Kind)) == (7, 8, 9) and len(Kind) == 3
            """,
            1,
        ),
        "the value of a member that depends on the state": refused(
            "m: Map[Kind, Digit]\n@action\ndef a(self):\n    for k in Kind:\n        self.m[k] = k.value",
            "'value' of Kind is known of its members only",
        ),
        "a star of a range": bad("@action\ndef a(self):\n    self.bad = (*range(3), 4) == (0, 1, 2, 4)", 1),
        "a dictionary with pairs as keys": bad(
            """
            TABLE = {(Kind.A, True): 1, (Kind.B, False): 2}

            @action
            def a(self):
                self.bad = self.TABLE[Kind.B, False] == 2 and self.TABLE[(Kind.A, True)] == 1
            """,
            1,
        ),
        "a list by its number": refused("L = [1, 2]\n@action\ndef a(self):\n    self.bad = self.L[0] == 1", "Make it a tuple"),
        "what Python does not go through": refused(
            "@action\ndef a(self):\n    self.bad = any(c is None for c in Optional[Cpu])", "for (x,) in each(Optional[Cpu])"
        ),
        "a member where a number is needed": refused("n: Digit\n@action\ndef a(self):\n    self.n = Kind.B", "Write Kind.B.value"),
    },
    "constants of classes with ways of their own": {
        "a dictionary that has everything": refused(
            """
            class Full(dict):
                def __contains__(self, key):
                    return True

            FULL = Full({Kind.A: 1})

            class Generated(System):
                on: bool

                @action
                def a(self):
                    self.on = Kind.C in FULL
            """,
            "FULL is a Full, whose __contains__ is not read",
        ),
        "a tuple that is longer than it is": refused(
            """
            class Long(tuple):
                def __len__(self):
                    return 9

            class Generated(System):
                on: bool
                parts = Long((1, 2))

                @action
                def a(self):
                    self.on = len(self.parts) == 9
            """,
            "self.parts is a Long, whose __len__ is not read",
        ),
        "a number that equals all": refused(
            """
            class Joker(int):
                def __eq__(self, other):
                    return True

            class Generated(System):
                n: Digit
                on: bool

                @action
                def a(self):
                    self.on = self.n == self.three

                three = Joker(3)
            """,
            "self.three is a Joker, whose __eq__ is not read",
        ),
        "plain ones with names, and a default": bad(
            """
            import collections
            import typing

            class Pair(typing.NamedTuple):
                x: int
                y: int

                def total(self):
                    return self.x + self.y

            class Generated(System):
                bad: bool
                pair = Pair(3, 4)
                table = collections.defaultdict(lambda: 7, {Kind.A: 1})

                @action
                def a(self):
                    x, y = self.pair
                    self.bad = (x, y) == self.pair == (3, 4) and self.pair.y == 4 and self.table[Kind.C] == 7

                @invariant("bad")
                def never(self):
                    return not self.bad
            """,
            1,
        ),
    },
    "a part that is reached past the system": {
        "a global": refused(
            """
            shared = Lock()

            class Generated(System):
                lock = shared

                @action
                def a(self, c: Cpu):
                    shared.acquire(c)
            """,
            "shared is a part",
            "self.lock",
        ),
        "one that the system has not": refused(
            """
            shared = Lock()

            class Generated(System):
                on: bool

                @action
                def a(self, c: Cpu):
                    self.on = shared.holder is c
            """,
            "shared is a part",
        ),
        "an annotation": refused("lock: Lock = Lock()\n", "Lock is not a sort", "without an annotation"),
        "a class": refused("lock = Lock\n@action\ndef a(self):\n    self.bad = self.lock.holder is None", "no part", "lock = Lock"),
        "a default": refused(
            "lock = Lock()\ndef h(self, c, lock=lock):\n    lock.acquire(c)\n@action\ndef a(self, c: Cpu):\n    self.h(c)",
            "lock is a part",
            "self.lock",
        ),
    },
    "what an annotation says": {
        "a range in a range": refused("n: Annotated[Digit, Range(0, 3)]", "with one Range"),
        "a range of what is no number": refused("l: Annotated[Level, Range(0, 1)]", "Annotated[Level, ...] is no sort"),
        "something else": refused("on: Annotated[bool, 'a remark']", "Annotated[bool, ...] is no sort"),
        "a name that is not there": refused("@action\ndef a(self, c: 'Cpus'):\n    pass", "name 'Cpus' is not defined", "kinds.py"),
        "a sort that reads like another": refused(
            """
            class CPU(Sort):
                pass

            class Generated(System):
                m: Map[Cpu, CPU, bool]

                @action
                def a(self, c: Cpu, d: CPU):
                    self.m[c, d] = True
            """,
            "Cpu and CPU are both written 'cpu'",
        ),
        "private state of two classes": bad(
            """
            class Above(System):
                bad: bool
                __n: Digit

                def count(self):
                    self.__n += 1
                    return self.__n

                @invariant("bad")
                def never(self):
                    return not self.bad

            class Generated(Above):
                __n: Digit

                @action
                def a(self):
                    self.bad = self.count() == 1 and self.__n == 0
            """,
            1,
        ),
    },
    "super() where Python does not find the class above": {
        **{
            f"in {where}": refused(_ABOVE + f"        self.bad = {text}\n", "super() stands inside of a function of its own")
            for where, text in {
                "a comprehension": "any(super().odd(c) for c in Cpu)",
                "its condition": "any(self.bad for c in Cpu if super().odd(c))",
                "its second loop": "any(c is d for c in Cpu for d in Cpu if super().odd(c))",
                "a lambda": "(lambda: super().odd(c))()",
                "a choice": "super().odd(choose(Cpu, where=lambda c: super().odd(c)))",
            }.items()
        },
        "a method above that has a name": bad(
            _ABOVE + "        odd = super().odd\n        self.bad = any(odd(c) for c in Cpu)\n", 2
        ),
        "what a comprehension goes through first": bad(_ABOVE + "        self.bad = any(x for x in (super().odd(c),))\n", 2),
    },
    "steps that choose often": {
        "more often than Python nests loops": bad(
            "m: Map[Cpu, Cpu, bool]\n@action\ndef a(self, c: Cpu):\n    o = choose(One)\n"
            + "    o = choose(One, where=lambda x: x is o)\n" * 20
            + "    d = choose(Cpu, where=lambda x: x is not c)\n    self.m[c, :] = True\n"
            + "    self.bad = self.m[c, d] and not self.m[d, c] and any(x is o for x in One)\n",
            1,
        ),
        "an event with more parameters than Python nests loops": breaks(
            "on: Map[Cpu, bool]\n@action\ndef turn(self, c: Cpu):\n    self.on[c] = True\n@event\ndef look(self, "
            + "".join(f"o{i}: One, " for i in range(20))
            + "c: Cpu, d: Cpu):\n    require(c is not d and o0 is o19)\n"
            + "    check('one', not (self.on[c] and self.on[d]), 'both')\n",
            "one",
            3,
        ),
        "a map with more indices than Python nests loops": bad(
            f"""
            m: Map[{"One, " * 21}Cpu, bool]

            @action
            def a(self, o: One, c: Cpu):
                self.m[..., c] = True
                self.bad = any(self.m[{"o, " * 21}d] for d in Cpu) and not all(self.m[{"o, " * 21}d] for d in Cpu)
            """,
            1,
        ),
        "too often": refused(
            """
            @action
            def a(self):
                for _ in range(65):
                    choose(One)
            """,
            "a step chooses 64 times at the most",
        ),
    },
    "an order asks for None": {
        f"{text}, in a property": breaks(
            f"""
            class Scope(OrderedEnum):
                ALL = 5
                NONE = 1

            class Generated(System):
                scope: Optional[Scope]

                @invariant("i")
                def i(self):
                    return {text}

                @action
                def a(self):
                    pass
            """,
            "i",
            0,
        )
        for text in ("self.scope > Scope.ALL", "Scope.ALL <= self.scope", "max(self.scope, Scope.NONE) is Scope.NONE")
    },
    "an ordered sort that is shown from 1": {
        "compared with a number": refused(
            """
            class Stage(Sort, ordered=True, first=1):
                pass

            class Generated(System):
                stage: Stage

                @action
                def a(self):
                    self.stage = 1
            """,
            "Stage is ordered, so that its first element is written 0 and not 1",
            "Leave out first=1",
        ),
        "only chosen": refused(
            """
            class Stage(Sort, ordered=True, first=2):
                pass

            class Generated(System):
                bad: bool

                @action
                def a(self):
                    self.bad = choose(Stage) > 0
            """,
            "its first element is written 0 and not 2",
        ),
        "without an order": fine(
            """
            class Vmid(Sort, first=1):
                pass

            class Generated(System):
                vmid: Vmid

                @action
                def a(self):
                    self.vmid = choose(Vmid)
            """
        ),
    },
    "words under the name of their module": {
        "with numbers among the conditions": bad(
            """
            import builtins

            import flushproof.model.language as words

            class Generated(words.System):
                bad: bool
                on: bool
                n: Digit

                @words.action
                def a(self, c: Cpu):
                    words.require(not self.on or self.n & 1)
                    d = words.choose(Cpu, where=lambda x: x is not c and (not self.on or self.n))
                    self.bad = builtins.bool(d is not c and (self.n == 0 or self.n & 2))

                @words.invariant("bad")
                def never(self):
                    return not self.bad
            """,
            1,
        ),
    },
    "parts and steps without a name of their own": {
        **{
            f"{what}": refused(
                f"""
                class Box(Part):
                    full: bool

                    @event
                    def look(self, c: Cpu):
                        check("k", False, "always")

                class Shelf(Part):
                    def __init__(self):
                        self.boxes = (Box(), Box())

                class Generated(System):
                    on: bool
                    {text}

                    @action
                    def a(self):
                        self.on = True

                    @invariant("i")
                    def i(self):
                        return self.on or not self.on
                """,
                f"holds {held}, which has no name of its own and does not happen",
            )
            for what, text, held in (
                ("a tuple", "boxes = (Box(), Box())", "a Box"),
                ("a list in a dictionary", "boxes = {'left': [Box()]}", "a Box"),
                ("a part's tuple", "shelf = Shelf()", "a Box"),
                ("an event in a tuple", "events = (event(lambda self: check('k', False, 'always')),)", "an event"),
                (
                    "an event in a class",
                    "class Inner:\n" + " " * 24 + "@event\n" + " " * 24 + "def e(self):\n" + " " * 28 + "check('k', self.on, '')",
                    "an event",
                ),
            )
        },
        "with one": fine(
            """
            class Generated(System):
                on: bool
                first, second = Lock(), Lock()
                both = (first, second)

                @action
                def a(self):
                    self.on = True

                steps = (a,)

                class Plain:
                    LIMIT = 3

                @invariant("i")
                def i(self):
                    return self.on or self.Plain.LIMIT == 3
            """
        ),
    },
    "a decorator with an argument that it does not take": {
        kind: refused(f"on: bool\n@{kind}('it is on')\ndef p(self):\n    return self.on", f"@{kind} takes no argument", "alone")
        for kind in ("action", "event", "reachable", "final", "axiom", "closure", "initially", "lemma", "hint")
    },
    "a process's parameter that is annotated": {
        "as what it is": bad("@process(Cpu)\ndef p(self, c: Cpu):\n    yield 'a'\n    self.bad = c is c", 1),
        "as something else": refused(
            "@process(Cpu)\ndef p(self, c: Page):\n    yield 'a'\n    self.bad = True",
            "'c' is a Cpu of this process, and annotated as a Page",
        ),
    },
    "a knob where it has no value": {
        what: refused(
            f"""
            KNOB = Knob(bool, True, "")

            class Box(Part):
                def __init__(self, knob):
                    self.knob = knob

                def asked(self):
                    return self.knob

            class Generated(System):
                bad: bool
                on = KNOB
                both = (on, True)
                box = Box(on)

                def off(self, of=on):
                    return not of

                @action
                def a(self):
                    self.bad = {text}
            """,
            f"{shown} is a knob without its system",
            "Write self.on in a method of Generated.",
        )
        for what, text, shown in (
            ("a default", "self.off()", "of"),
            ("of the class", "Generated.on", "Generated.on"),
            ("of the module", "KNOB", "KNOB"),
            ("in a tuple", "self.both[0]", "self.both[0]"),
            ("that a part was given", "self.box.asked()", "self.knob"),
        )
    },
    "one name for two things of a class": {
        **{
            f"{what}": refused(
                f"k: Digit\n{first}\n{second}\n@action\ndef other(self):\n    self.bad = self.k == 0\n",
                "Generated has two things called",
                "Rename one of them",
            )
            for what, first, second in (
                ("a part and a process", "p = Lock()", "@process(One)\ndef p(self, o):\n    yield 'a'\n    self.bad = True"),
                ("a step and a constant", "@action\ndef p(self):\n    self.bad = True", "p = 3"),
                ("a step and a knob", "@action\ndef p(self):\n    self.bad = True", 'p = Knob(bool, True, doc="")'),
                ("two knobs", 'p = Knob(bool, False, doc="")', 'p = Knob(bool, True, doc="")'),
                ("two states", "p: bool", "p: Digit"),
                ("two constants", "p = 3", "p = (4,)"),
                ("policies twice", 'policies = {"a": Policy("", {}, "never")}', 'policies = {"b": Policy("", {}, "holds")}'),
                ("an invariant by its name and a method", "p = Lock.release", "def p(self):\n    return True"),
                ("of several targets", "p, q = Lock(), Lock()", "q = 3"),
                ("a walrus", "@action\ndef p(self):\n    self.bad = True", "three = (p := 3)"),
                ("a loop's variable", "@action\ndef p(self):\n    self.bad = True", "for p in (1, 2):\n    pass"),
                ("an import", "@action\ndef p(self):\n    self.bad = True", "from os import path as p"),
                ("a class", "@action\ndef p(self):\n    self.bad = True", "class p(enum.Enum):\n    A = 0"),
                ("on one way", "if len((1, 2)) > 1:\n    p = Lock()\nelse:\n    p = 3", "p = 4"),
            )
        },
        **{
            f"{kind.partition('(')[0]}, which a class below replaces by {second.partition(' = ')[2] or 'a method'}": refused(
                f"""
                class Base(System):
                    bad: bool

                    @action
                    def step(self):
                        self.bad = True

                    @{kind}
                    def p(self):
                        return not self.bad

                    @invariant("i")
                    def i(self):
                        return not self.bad

                class Generated(Base):
                    {second}
                """,
                f"'p' overrides a{'n' * (kind[0] in 'aeiou')} {kind.partition('(')[0]}, and is none",
                "`p = None` takes it away",
            )
            for kind in ("action", 'invariant("p")', "axiom", "reachable", "final")
            for second in ('p = Knob(bool, True, "")', "p = Lock()", "p = 3", "def p(self): return True")
        },
        "a closure that a part's own object replaces": refused(
            """
            class Cache(Part):
                def __init__(self):
                    self.p = Map(Cpu, bool)

                @closure
                def p(self):
                    pass

            class Generated(System):
                cache = Cache()
            """,
            "'p' overrides a closure, and is none",
        ),
        "a step that a class below takes away": fine(
            """
            class Base(System):
                bad: bool

                @action
                def step(self):
                    self.bad = True

                @action
                def idle(self):
                    pass

                @invariant("i")
                def i(self):
                    return not self.bad

            class Generated(Base):
                step = None
            """
        ),
        "the second is made of the first": bad(
            """
            def odd(x):
                return x % 2
            odd = staticmethod(odd)
            kinds = tuple(Kind)
            kinds = tuple(reversed(kinds))
            limit = 3
            limit += 1
            for each_kind in kinds:
                if each_kind is Kind.A:
                    first = each_kind
                else:
                    later = each_kind
            for each_kind in reversed(kinds):
                pass

            @property
            def last(self):
                return self.kinds[0]

            @last.getter
            def last(self):
                return self.kinds[-1]

            @action
            def a(self):
                self.bad = self.odd(3) == 1 and self.last is Kind.A and self.limit == 4 and self.first is Kind.A
            """,
            1,
        ),
        "a check without a name": refused(
            """
            @event
            def look(self):
                check(" ", not self.bad, "it is bad")
            """,
            "check() takes the property's name",
        ),
    },
    "constants of a class made of whole numbers": {
        "stored, compared and kept": bad(
            """
            class Count(int):
                pass

            class Generated(System):
                bad: bool
                n: Digit
                level: Level
                on: Map[Level, bool]
                ONE, TWO = Count(1), Count(2)

                @process(One)
                def p(self, o):
                    kept = self.TWO
                    yield "stores"
                    self.n = self.level = kept
                    self.on[self.TWO] = True
                    yield "compares"
                    self.bad = self.n == self.TWO == kept and self.level == self.TWO and self.on[2] and self.level - self.ONE < 2

                @invariant("bad")
                def never(self):
                    return not self.bad
            """,
            2,
        ),
        "that has ways of its own": refused(
            """
            class Count(int):
                def __add__(self, other):
                    return 0

            class Generated(System):
                n: Digit
                TWO = Count(2)

                @action
                def a(self):
                    self.n = self.TWO
            """,
            "__add__ is not read",
        ),
    },
    "a sort that inherits from another, or says in its body what it is": {
        "its size": bad(
            """
            class Many(Sort, size=3):
                pass

            class Few(Many):
                pass

            class Generated(System):
                bad: bool
                on: Map[Few, bool]

                @action
                def a(self, f: Few):
                    self.on[f] = True
                    self.bad = count(self.on[x] for x in Few) == 3

                @invariant("bad")
                def never(self):
                    return not self.bad
            """,
            3,
        ),
        "its order, and a size of its own": bad(
            """
            class Steps(Sort, ordered=True, size=3):
                pass

            class Stairs(Steps, size=4):
                pass

            class Generated(System):
                bad: bool
                at: Stairs

                @action
                def a(self):
                    self.at = next(self.at, 0)
                    self.bad = self.at == 3

                @invariant("bad")
                def never(self):
                    return not self.bad
            """,
            3,
        ),
        "its size in its body": bad(
            """
            class Many(Sort):
                size = 3

            class Generated(System):
                bad: bool
                on: Map[Many, bool]

                @action
                def a(self):
                    self.bad = size(Many) == 3

                @invariant("bad")
                def never(self):
                    return not self.bad
            """,
            1,
        ),
        "a number that is none": refused(
            """
            class Named(Sort, first="a"):
                pass

            class Generated(System):
                on: Map[Named, bool]

                @action
                def a(self, n: Named):
                    self.on[n] = True
            """,
            "the sort Named has first='a'",
            "Write class Named(Sort, first=1)",
        ),
    },
    "state with the name of what every system has": {
        word: refused(
            f"{word}: Rigid[Optional[One]]\n@action\ndef a(self, o: One):\n    self.bad = self.{word} is o",
            f"Generated.{word} is state, and in every system '{word}' is something else",
        )
        for word in ("proves", "asks", "name", "sizes", "policies")
    },
    "what stands around the class": {
        "a generic class above": bad(
            """
            T = TypeVar("T")

            class Above(System, Generic[T]):
                bad: bool

                @action
                def a(self):
                    self.bad = True

                @invariant("bad")
                def never(self):
                    return not self.bad

            class Generated(Above[bool]):
                pass
            """,
            1,
        ),
        "a class that Python makes no object of": refused(
            """
            import abc

            class Generated(System, abc.ABC):
                bad: bool

                @abc.abstractmethod
                def rule(self):
                    pass

                @action
                def a(self):
                    self.bad = True
            """,
            "Generated is abstract",
            "nothing defines rule",
        ),
        "a metaclass that answers to every name": refused(
            """
            class Any(type):
                def __getattr__(cls, name):
                    return Kind.B

            class Generated(System, metaclass=Any):
                bad: bool

                @action
                def a(self):
                    self.bad = True
            """,
            "cannot be read",
        ),
        "sizes that are no dictionary": refused(
            "sizes = [3]\n@action\ndef a(self):\n    self.bad = True", "Generated.sizes is the list [3]"
        ),
        "a size that is no whole number": refused(
            "on: Map[One, bool]\nsizes = {One: 3.0}\n@action\ndef a(self):\n    self.bad = True",
            "Generated.sizes gives One the size 3.0",
        ),
        "a knob with an annotation": refused(
            "fast: bool = Knob(bool, True, 'x')\n@action\ndef a(self):\n    self.bad = self.fast",
            "A knob has no annotation: write fast = Knob(...)",
        ),
        "a knob that a part gives another value in __init__": refused(
            """
            class Tlb(Part):
                eager = Knob(bool, False, "x")

                def __init__(self, eager):
                    self.eager = eager

            class Generated(System):
                tlb = Tlb(True)

                @action
                def a(self):
                    require(self.tlb.eager)
            """,
            "Tlb.eager is a knob, and its value in __init__ is not read",
            "Write a class for it: class Mine(Tlb)",
        ),
        "a Map in a Map": refused(
            "m: Map[One, Map[One, bool]]\n@action\ndef a(self):\n    self.bad = True", "All indices stand in one Map"
        ),
        "a Map of tuples": refused(
            "m: Map[tuple[One, One], bool]\n@action\ndef a(self):\n    self.bad = True",
            "Each part of an index stands by itself",
        ),
    },
    "annotations of locals": {
        "a text": bad("@action\ndef a(self):\n    n: 'Digit' = 3\n    self.bad = n == 3", 1),
    },
    "an ordered sort and a number": {
        "compared": refused(
            "level: Level\nn: Digit\n@action\ndef a(self):\n    self.bad = self.level == self.n",
            "Declare both as Level, or both as Annotated[int, Range(0, size(Level) - 1)]",
        ),
        "stored": refused(
            "level: Level\nn: Digit\n@action\ndef a(self):\n    self.level = self.n",
            "Declare both as Level, or both as Annotated[int, Range(0, size(Level) - 1)]",
        ),
    },
}
