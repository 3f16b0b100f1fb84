"""Cases for `test_kinds`: a check in the middle of a step, and steps that ask where a process waits."""

from __future__ import annotations

from .kinds import Case, Violated, bad, fine, refused


def wrong(prop: str, text: str, steps: int) -> Case:
    """A step breaks its check; it is the last of a shortest trace of so many."""
    return Case(text, Violated(prop, steps))


CHECKS: dict[str, dict[str, Case]] = {
    "a check in the middle of a step": {
        "of an action": wrong(
            "alone",
            """
            on: Map[Cpu, bool]

            @action
            def a(self, c: Cpu):
                check("alone", not any(self.on[x] for x in Cpu if x is not c), "{c} is not alone")
                self.on[c] = True
            """,
            2,
        ),
        "behind what the step writes": wrong(
            "few",
            """
            n: Digit

            @action
            def a(self):
                require(self.n < 4)
                self.n += 1
                check("few", self.n < 3, "too many")
            """,
            3,
        ),
        "of a process, with a local": wrong(
            "same",
            """
            on: Map[Cpu, bool]

            @process(Cpu)
            def p(self, c):
                yield "look"
                before = self.on[c]
                yield "look again"
                check("same", self.on[c] == before, "{c} saw another value")

            @action
            def turn(self, c: Cpu):
                self.on[c] = not self.on[c]
            """,
            3,
        ),
        "in one branch": wrong(
            "never",
            """
            n: Bit

            @action
            def a(self):
                if self.n == 1:
                    check("never", False, "it is one property with the invariant of this name")
                self.n = 1
            """,
            2,
        ),
        "where no step comes": fine(
            """
            n: Bit

            @action
            def a(self):
                require(self.n == 0)
                check("never-here", self.n == 0, "wrong")
                self.n = 0
                if self.n == 1:
                    check("never-here", False, "wrong")
            """
        ),
        "of a step that is not possible": fine(
            """
            n: Bit

            @action
            def a(self):
                check("odd", self.n == 1, "it is even")
                require(self.n == 1)
            """
        ),
        "of what a step chooses": wrong(
            "small",
            """
            @action
            def a(self):
                n = choose(Annotated[int, Range(0, 3)], where=lambda x: x != 2)
                check("small", n < 3, "3 is chosen")
            """,
            1,
        ),
        "of a ghost": wrong(
            "unseen",
            """
            seen: Ghost[Map[Cpu, bool]]

            @action
            def a(self, c: Cpu):
                check("unseen", not self.seen[c], "{c} is seen twice")
                self.seen[c] = True
            """,
            2,
        ),
        "in a helper and in a loop": wrong(
            "off",
            """
            on: Map[Cpu, bool]

            def looks(self, c):
                check("off", not self.on[c], "{x} is on")

            @action
            def a(self, c: Cpu):
                for x in Cpu:
                    self.looks(x)
                self.on[c] = True
            """,
            2,
        ),
        "where a value is not there": Case(
            """
            who: Optional[Cpu]
            on: Map[Cpu, bool]

            @action
            def a(self):
                check("on", self.on[self.who], "it is off")
            """,
            Violated("well-defined", 1),
        ),
        "of what is fresh in the step": refused(
            "g: Gen\n@action\ndef a(self):\n    new = fresh(Gen)\n    check('more', new > self.g, 'no')",
            "fresh in the same step",
        ),
        "in an invariant": refused(
            "@invariant('x')\ndef i(self):\n    check('more', True, 'no')\n    return True", "belongs in an event or a step"
        ),
    },
    "steps that ask where a process waits": {
        "in a guard": fine(
            """
            @process(Cpu)
            def first(self, c):
                yield "idle"
                require(all(at(self.second, x, "idle") for x in Cpu))
                yield "at work"
                self.bad = any(at(self.second, x, "at work") for x in Cpu)

            @process(Cpu)
            def second(self, c):
                yield "idle"
                require(not any(at(self.first, x, "at work") for x in Cpu))
                yield "at work"
            """
        ),
        "in another step's check": wrong(
            "apart",
            """
            @process(Cpu)
            def first(self, c):
                yield "idle"
                yield "at work"
                check("apart", not at(self.second, c, "at work"), "both work on {c}")

            @process(Cpu)
            def second(self, c):
                yield "idle"
                yield "at work"
            """,
            3,
        ),
        "of itself": fine(
            """
            @process(Cpu)
            def p(self, c):
                yield "one"
                self.bad = not at(self.p, c, "one")
                yield "two"
                require(at(self.p, c, "two", "one"))
            """
        ),
        "in a branch and in an action": bad(
            """
            n: Bit

            @action
            def a(self, c: Cpu):
                if at(self.p, c, "two"):
                    self.bad = True

            @process(Cpu)
            def p(self, c):
                yield "one"
                yield "two"
                if not at(self.p, c, "two"):
                    yield "three"
            """,
            2,
        ),
        "of a label that is none": refused(
            "@process(Cpu)\ndef p(self, c):\n    yield 'one'\n    require(at(self.q, c, 'tow'))\n"
            "@process(Cpu)\ndef q(self, c):\n    yield 'two'",
            "q has no label 'tow'",
            "Did you mean 'two'?",
        ),
        "of what is no process": refused(
            "@action\ndef p(self, c: Cpu):\n    pass\n@process(Cpu)\ndef q(self, c):\n    yield 'two'\n"
            "    require(at(self.p, c, 'two'))",
            "'p' is not a process",
        ),
    },
}
