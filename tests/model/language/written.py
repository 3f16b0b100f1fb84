"""Random systems as source text: every construct of the language, in programs that make sense.

`source(seed)` is the text of a module with a class `Generated`; `write(seed, folder)` imports it from a file of its own, since
the compiler reads the source.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from .grammar import load

HEADER = '''
import enum
from typing import Annotated, Optional

from flushproof.model.language.declare import *


class A(Sort):
    """Elements."""


class B(Sort):
    """Others."""


class G(Counter):
    """Generations."""


class E(enum.Enum):
    RED = 0
    GREEN = 1
    BLUE = 2


class Lock(Part):
    holder: Optional[A]

    def acquire(self, who):
        require(self.holder is None)
        self.holder = who

    def release(self, who):
        self.holder = None


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


class Generated(System):
    flag: bool
    on: Map[A, bool]
    owner: Map[B, Optional[A]]
    held: Map[A, B, Optional[B]]
    color: Map[A, E]
    count: Annotated[int, Range(0, 2)]
    now: G
    seen: Map[A, G]
    home: Rigid[Map[B, A]]
    where: Map[B, A]
    secret: Ghost[Map[A, bool]]
    knob = Knob(bool, True, "a choice")
    lock = Lock()
    policies = {}

    def walkable(self, a, b):
        return self.owner[b] == a and self.on[a]

    cache = Cache(B, walk=walkable)

    def busy(self, a):
        if self.on[a]:
            return True
        return any(self.owner[b] == a for b in B)

    def mark(self, a):
        if self.flag:
            return None
        self.flag = True
        return a

    def two_steps(self, a, b):
        self.owner[b] = a
        yield "middle"
        return self.owner[b]
'''


class Writer:
    """Writes one class body; `scope` maps local names to their sorts."""

    def __init__(self, seed: int) -> None:
        self.r = random.Random(seed)
        self.counting = random.Random(f"costs {seed}")
        self.lines: list[str] = []
        self.labels = 0
        self.names = 0

    def pick(self, *ways: Any) -> Any:
        return self.r.choice(ways)

    def of(self, scope: dict[str, str], sort: str) -> list[str]:
        return [name for name, s in scope.items() if s == sort]

    def a(self, scope: dict[str, str]) -> str:
        ways = self.of(scope, "A") + [f"self.home[{b}]" for b in self.of(scope, "B")]
        ways += [f"self.where[{b}]" for b in self.of(scope, "B")]
        return self.pick(*ways) if ways else "choose(A)"

    def b(self, scope: dict[str, str]) -> str:
        ways = self.of(scope, "B")
        return self.pick(*ways) if ways else "choose(B)"

    def cond(self, scope: dict[str, str], depth: int = 2) -> str:
        """A condition that chooses nothing."""
        atoms = ["self.flag", "self.count < 2", "self.count == 1", "self.knob", "self.lock.holder is None"]
        for a in self.of(scope, "A"):
            atoms += [f"self.on[{a}]", f"self.color[{a}] == E.{self.pick('RED', 'GREEN', 'BLUE')}", f"self.busy({a})"]
            atoms += [
                f"self.seen[{a}] == self.now",
                f"self.seen[{a}] < self.now",
                f"self.color[{a}] in (E.RED, E.BLUE)",
            ]
            atoms += [f"any(self.owner[y] == {a} for y in B)", f"self.lock.holder == {a}"]
            for b in self.of(scope, "B"):
                atoms += [f"self.owner[{b}] == {a}", f"self.held[{a}, {b}] is not None", f"self.home[{b}] == {a}"]
                atoms += [f"self.cache.entry[{a}, {b}]", f"self.where[{b}] != {a}"]
        for b in self.of(scope, "B"):
            atoms += [f"self.owner[{b}] is None", f"self.owner[{b}] is not None and self.on[self.owner[{b}]]"]
        atoms += ["all(self.on[x] for x in A)", "any(self.held[x, y] == y for x in A for y in B if self.on[x])"]
        for name in self.of(scope, "bool"):
            atoms.append(name)
        for name in self.of(scope, "Optional[A]"):
            atoms += [f"{name} is None", f"{name} is not None and self.on[{name}]"]
        if depth == 0 or self.r.random() < 0.4:
            return str(self.pick(*atoms))
        left, right = self.cond(scope, depth - 1), self.cond(scope, depth - 1)
        return str(
            self.pick(
                f"({left} and {right})", f"({left} or {right})", f"(not {left})", f"({left} if {right} else self.flag)"
            )
        )

    def put(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    def write(self, depth: int, scope: dict[str, str], free: set[str]) -> None:
        """One assignment to state that was not written before."""
        if not free:
            self.put(depth, "pass")
            return
        name = self.r.choice(sorted(free))
        free.discard(name)
        a, b = self.a(scope), self.b(scope)
        color = self.pick("RED", "GREEN", "BLUE")
        match name:
            case "flag":
                self.put(depth, f"self.flag = {self.cond(scope)}")
            case "on":
                self.put(depth, self.pick(f"self.on[{a}] = {self.cond(scope)}", "self.on[...] = False"))
            case "owner":
                self.put(
                    depth,
                    self.pick(
                        f"self.owner[{b}] = {a}",
                        f"self.owner[{b}] = None",
                        f"self.owner[{b}] = {a} if self.flag else None",
                    ),
                )
            case "held":
                self.put(
                    depth,
                    self.pick(f"self.held[{a}, :] = None", f"self.held[{a}, {b}] = {b}", f"self.held[:, {b}] = {b}"),
                )
            case "color":
                self.put(depth, f"self.color[{a}] = E.{color}")
            case "count":
                if self.r.random() < 0.3:
                    self.put(depth, f"self.count = 2 if {self.cond(scope, 0)} else 1")
                    return
                self.put(depth, "if self.count < 2:")
                self.put(depth + 1, "self.count += 1")
                self.put(depth, "else:")
                self.put(depth + 1, "self.count = 0")
            case "now":
                self.put(depth, "self.now = fresh(G)")
            case "seen":
                self.put(depth, f"self.seen[{a}] = {self.pick('self.now', '0')}")
            case "where":
                self.put(depth, f"self.where[{b}] = {a}")
            case "secret":
                self.put(
                    depth, f"self.secret[{a}] = {self.pick('self.secret[' + a + ']', 'True', self.cond(scope, 0))}"
                )

    def cost(self, depth: int, scope: dict[str, str]) -> None:
        """Something that is counted, under conditions that are a loop's, a branch's or none."""
        a, b = self.of(scope, "A"), self.of(scope, "B")
        match self.counting.randrange(4):
            case 0:
                self.put(depth, f'cost("{self.counting.choice(("bc_tag", "ipi"))}")')
            case 1 if a and b:
                self.put(depth, f"dropped(self.cache.entry[{self.counting.choice(a)}, {self.counting.choice(b)}])")
            case 2 if a:
                self.put(depth, "for y in B:")
                self.put(depth + 1, f"if self.owner[y] == {self.counting.choice(a)}:")
                self.put(depth + 2, 'cost("ipi")')
            case _:
                self.put(depth, "for x, y in each(A, B):")
                self.put(depth + 1, "dropped(self.cache.entry[x, y])")

    def statement(self, depth: int, scope: dict[str, str], free: set[str], nesting: int) -> None:
        if self.counting.random() < 0.3:
            self.cost(depth, scope)
        roll = self.r.random()
        if roll < 0.15 and nesting:
            inside = dict(scope)
            self.put(depth, f"if {self.cond(scope)}:")
            self.body(depth + 1, inside, free, nesting - 1)
            if self.r.random() < 0.6:
                self.put(depth, "else:")
                self.body(depth + 1, dict(scope), free, nesting - 1)
        elif roll < 0.25:
            self.put(depth, f"require({self.cond(scope)})")
        elif roll < 0.4:
            self.names += 1
            name = f"v{self.names}"
            ways = [
                ("A", self.a(scope)),
                ("bool", self.cond(scope)),
                ("B", "choose(B, where=lambda z: self.owner[z] is None)"),
            ]
            ways += [("Optional[A]", f"self.owner[{b}]") for b in self.of(scope, "B")]
            sort, value = self.pick(*ways)
            self.put(depth, f"{name} = {value}")
            scope[name] = sort
        elif roll < 0.5 and "on" in free:
            free.discard("on")
            self.put(depth, "for x in A:")
            # Rounds happen at once: a condition may not read what other rounds write.
            test = self.pick("self.on[x]", "self.flag", "self.home[choice] == x", "self.color[x] == E.RED", "self.knob")
            test = test.replace("choice", self.pick(*self.of(scope, "B"))) if self.of(scope, "B") else "self.flag"
            self.put(depth + 1, f"if {test}:")
            self.put(depth + 2, f"self.on[x] = {self.pick('True', 'False', 'not self.on[x]', 'self.flag')}")
        elif roll < 0.55 and "flag" in free:
            free.discard("flag")
            self.names += 1
            self.put(depth, f"v{self.names} = self.mark({self.a(scope)})")
            scope[f"v{self.names}"] = "Optional[A]"
        else:
            self.write(depth, scope, free)

    def body(self, depth: int, scope: dict[str, str], free: set[str], nesting: int) -> None:
        for _ in range(self.r.randint(1, 3)):
            self.statement(depth, scope, free, nesting)

    STATE = frozenset({"flag", "on", "owner", "held", "color", "count", "now", "seen", "where", "secret"})

    def label(self, depth: int) -> set[str]:
        self.labels += 1
        self.put(depth, f'yield "step {self.labels}"')
        return set(self.STATE)

    def action(self, number: int) -> None:
        params = self.pick({}, {"a": "A"}, {"b": "B"}, {"a": "A", "b": "B"}, {"a": "A", "flag": "bool"})
        given = "".join(f", {n}: {s}" for n, s in params.items())
        self.put(1, "@action")
        self.put(1, f"def act{number}(self{given}):")
        self.body(2, dict(params), set(self.STATE), 2)

    def process(self) -> None:
        self.put(1, "@process(A)")
        self.put(1, "def run(self, a):")
        scope = {"a": "A"}
        free = set(self.STATE)
        if self.r.random() < 0.5:
            free = self.label(2)
        self.put(2, "b = choose(B)")
        scope["b"] = "B"
        self.body(2, scope, free, 1)
        way = self.r.randint(0, 4)
        if way == 0:
            self.put(2, "with self.lock(a):")
            self.body(3, dict(scope), free, 1)
            free = self.label(3)
            self.put(3, f"if {self.cond(scope)}:")
            self.put(4, "return")
            self.body(3, dict(scope), free, 0)
        elif way == 1:
            self.put(2, f"while {self.cond(scope)}:")
            free = self.label(3)
            self.put(3, f"if {self.cond(scope)}:")
            self.put(4, "break")
            self.body(3, dict(scope), free, 0)
        elif way == 2:
            free = self.label(2)
            self.put(2, "got = yield from self.two_steps(a, b)")
            self.put(2, "if got is not None:")
            self.put(3, "self.on[got] = True")
            self.label(2)
        elif way == 3:
            self.put(2, f"if {self.cond(scope)}:")
            free = self.label(3)
            self.body(3, dict(scope), free, 0)
            self.put(2, "else:")
            self.put(3, "pass")
            free = set()
        free = self.label(2)
        self.body(2, scope, free, 1)

    def text(self) -> str:
        for number in range(self.r.randint(1, 2)):
            self.action(number)
        if self.r.random() < 0.8:
            self.process()
        if self.r.random() < 0.4:
            self.put(1, "@initially")
            self.put(1, "def boot(self):")
            self.put(2, self.pick("self.on[...] = True", "self.count = 1", "self.lock.holder = choose(A)"))
        if self.r.random() < 0.4:
            self.put(1, "@axiom")
            self.put(1, "def homes(self):")
            self.put(2, "return any(self.home[b] != self.home[c] for b in B for c in B)")
        self.put(1, '@invariant(because="it is wrong")')
        self.put(1, "def quiet(self):")
        self.put(2, f"return all({self.cond({'a': 'A'})} for a in A)")
        self.put(1, "@event")
        self.put(1, "def hit(self, a: A, b: B):")
        self.put(2, f"require({self.cond({'a': 'A', 'b': 'B'}, 1)})")
        self.put(2, f'check("no-hit", {self.cond({"a": "A", "b": "B"}, 1)}, "{{a}} hits {{b}}")')
        return HEADER + "\n" + "\n".join(self.lines) + "\n"


def source(seed: int) -> str:
    """The text of one module."""
    return Writer(seed).text()


def write(seed: int, folder: Path) -> Any:
    """The class `Generated` of that module."""
    return load(source(seed), folder, f"generated_{seed}")
