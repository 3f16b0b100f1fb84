"""The parts of an invariant, and what may be assumed for ever."""

from __future__ import annotations

from flushproof.model.ir import terms
from flushproof.model.language import (
    Map,
    Rigid,
    Sort,
    System,
    action,
    axiom,
    check,
    event,
    initially,
    invariant,
    require,
)
from flushproof.model.language.instantiate import instantiate
from flushproof.properties.formulas.conjuncts import conjuncts, rigid_axioms
from flushproof.properties.induction.induction import prove


class Cpu(Sort):
    """A CPU."""


class Page(Sort):
    """A page."""


class Homes(System):
    """Pages have homes; at first nothing is on, and no page is marked."""

    home: Rigid[Map[Page, Cpu]]
    on: Map[Cpu, bool]
    marked: Map[Page, bool]

    @axiom
    def apart(self) -> bool:
        return all(self.home[p] is not self.home[q] or p is q for p in Page for q in Page)

    @initially
    def start(self) -> None:
        require(all(not self.on[c] for c in Cpu))

    @action
    def switch(self, cpu: Cpu, page: Page) -> None:
        """{cpu} is switched on"""
        require(not self.marked[page])
        self.on[cpu] = True

    @event
    def looks(self, page: Page) -> None:
        """looks"""
        check("calm", not self.marked[page], "{page} is marked")
        check("calm", not self.on[self.home[page]], "the home of {page} is on")

    @invariant("one home for two pages")
    def homes(self) -> bool:
        return all(self.home[p] is not self.home[q] or p is q for p in Page for q in Page)


def test_every_clause_is_a_conjunct() -> None:
    system = instantiate(Homes).system
    parts = [c for c in conjuncts(system.properties, "property") if c.of == "calm"]
    assert [(c.name, c.number) for c in parts] == [("calm#1", 0), ("calm#2", 1)]


def test_only_what_never_changes_is_assumed_for_ever() -> None:
    axioms = rigid_axioms(instantiate(Homes).system)
    assert axioms and all(terms.reads(e) == {"home"} for e in axioms)


def test_what_holds_initially_is_no_proof() -> None:
    system = instantiate(Homes).system
    assert prove(system, system.properties).properties == {"calm": False, "homes": True}


class Leaning(System):
    """`b` is never set as long as `a` is not, and `a` may be."""

    a: bool
    b: bool

    @action
    def sets(self) -> None:
        """a"""
        self.a = True

    @action
    def follows(self) -> None:
        """b"""
        if self.a:
            self.b = True

    @invariant("a")
    def not_a(self) -> bool:
        return not self.a

    @invariant("b")
    def not_b(self) -> bool:
        return not self.b


def test_what_rests_on_a_lemma_that_fails_is_not_proved() -> None:
    system = instantiate(Leaning).system
    lemma, wanted = system.properties
    assert prove(system, [wanted], [lemma]).properties == {"not-b": False}
