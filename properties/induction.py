"""Inductive invariants for any number of elements: one question for each action and conjunct.

All conjuncts are assumed before the step, and one is denied after it.  An action that writes nothing that the
conjunct reads need not be asked about.  A question that Z3 answers "cannot be" is proved, and its core says which
conjuncts it needed.  When Z3 does not answer quickly, the question most likely has a counterexample, which is looked
for at small sizes; only if there is none does Z3 get more time, with other random seeds.

Conjuncts that fail are dropped, and what was proved with their help is asked again: what remains in the end is the
largest inductive part, which holds in every reachable state whether or not it suffices for the properties.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from flushproof.model.language.ir import Action, Property, System
from flushproof.model.language.terms import reads

from .conjuncts import Conjunct, conjuncts, rigid_axioms
from .counterexample import Counterexample, Reachable, SmallInduction, small_instances
from .domain import Formula, any_number, negation
from .first_order import Reader, SymbolicState, Symbols, Transition, initially, parameters, transition
from .solver import Answer, Question

INITIALLY = "initially"

Verdict = Literal["proved", "untouched", "failed", "unknown"]


@dataclass(frozen=True)
class Limits:
    """Seconds for one question: at first; for one search at small sizes; and for each retry.

    largest: the most elements of each sort in a search for a counterexample.
    """

    first: float = 0.5
    small: float = 2.0
    retries: tuple[float, ...] = (2.0, 10.0)
    largest: int = 3


@dataclass(frozen=True)
class Result:
    """The answer to one question: does `action` (or "initially" the initial state) keep `conjunct`?

    core: the conjuncts that the proof needed before the step; seconds: Z3's time.
    """

    action: str
    conjunct: str
    verdict: Verdict
    seconds: float = 0.0
    core: tuple[str, ...] = ()
    counterexample: Counterexample | None = None


@dataclass(frozen=True)
class Proof:
    """What is known about an invariant.

    conjuncts: all that were claimed.
    results: the answers for the largest inductive part, one for each action and conjunct.
    failures: why the other conjuncts were dropped.  The first ones failed with everything assumed, later ones perhaps
    only
        because something that they needed had been dropped: `rounds` says in which round each failed, from 0.
    vacuous: actions that are never possible where the invariant holds, at the small sizes that were tried.
    """

    system: System
    conjuncts: tuple[Conjunct, ...]
    results: tuple[Result, ...]
    failures: tuple[Result, ...] = ()
    rounds: tuple[int, ...] = ()
    vacuous: tuple[str, ...] = ()

    @property
    def inductive(self) -> tuple[Conjunct, ...]:
        """The conjuncts that hold in every reachable state, for any number of elements."""
        dropped = {r.conjunct for r in self.failures}
        return tuple(c for c in self.conjuncts if c.name not in dropped)

    @property
    def properties(self) -> Mapping[str, bool]:
        """For each property whether it is proved."""
        proved = {c.name for c in self.inductive}
        verdicts: dict[str, bool] = {}
        for c in self.conjuncts:
            if c.role == "property":
                verdicts[c.of] = verdicts.get(c.of, True) and c.name in proved
        return verdicts

    @property
    def proved(self) -> bool:
        """Whether every property is proved: it holds in every reachable state, for any number of elements."""
        return all(self.properties.values())

    @property
    def seconds(self) -> float:
        """Z3's time for all questions that were answered."""
        return sum(r.seconds for r in (*self.results, *self.failures))

    def needs(self) -> Mapping[str, frozenset[str]]:
        """For each inductive conjunct the others that some step needed to keep it, by the unsatisfiable cores."""
        needed: dict[str, set[str]] = {c.name: set() for c in self.inductive}
        for result in self.results:
            needed[result.conjunct].update(c for c in result.core if c != result.conjunct)
        return {name: frozenset(others) for name, others in needed.items()}

    def used(self) -> frozenset[str]:
        """The conjuncts that the proved properties rest on, themselves included."""
        needs, proved = self.needs(), self.properties
        found: set[str] = set()
        frontier = [c.name for c in self.inductive if c.role == "property" and proved[c.of]]
        while frontier:
            name = frontier.pop()
            if name not in found:
                found.add(name)
                frontier.extend(needs[name])
        return frozenset(found)


class AnyNumber:
    """The induction's questions for any number of elements."""

    def __init__(self, system: System, assumed: Sequence[Conjunct]) -> None:
        self.system = system
        self.domain = any_number(system)
        self.symbols = Symbols(self.domain)
        self.reader = Reader(self.domain, self.symbols)
        self.assumed = {c.name: self.reader.holds(c.formula) for c in assumed}
        self.always = (
            *(self.reader.holds(e) for e in rigid_axioms(system)),
            *self.symbols.ranges(),
        )
        self._steps: dict[str, Transition] = {}

    def initiation(self, conjunct: Conjunct) -> Question:
        """Can an initial state deny the conjunct?"""
        if INITIALLY not in self._steps:
            self._steps[INITIALLY] = initially(self.domain)
        step = self._steps[INITIALLY]
        return Question(self.domain, {}, (*step.facts, *self._denied(conjunct, step.after)))

    def consecution(self, action: Action, conjunct: Conjunct) -> Question:
        """Can the action lead from a state with all that is assumed to one that denies the conjunct?"""
        if action.name not in self._steps:
            self._steps[action.name] = transition(self.domain, self.symbols, action)
        step = self._steps[action.name]
        return Question(self.domain, self.assumed, (*self.always, *step.facts, *self._denied(conjunct, step.after)))

    def _denied(self, conjunct: Conjunct, state: SymbolicState) -> list[Formula]:
        env, facts = parameters(self.domain, conjunct.clause.params, "witness")
        reader = Reader(self.domain, state)
        return [
            *facts,
            reader.holds(conjunct.clause.guard, env),
            negation(reader.holds(conjunct.clause.expr, env)),
        ]


def touches(action: Action, conjunct: Conjunct) -> bool:
    """Whether the action writes something that the conjunct reads."""
    return not reads(conjunct.formula).isdisjoint(u.var for u in action.updates)


class Prover:
    """Asks the questions of one invariant, and finds counterexamples for those that fail."""

    def __init__(self, system: System, parts: Sequence[Conjunct], limits: Limits = Limits()) -> None:
        self.system, self.parts, self.limits = system, tuple(parts), limits
        self.questions = AnyNumber(system, parts)
        self._small: dict[int, SmallInduction] = {}

    def initiation(self, conjunct: Conjunct) -> Result:
        return self._decide(
            INITIALLY,
            conjunct,
            self.questions.initiation(conjunct),
            lambda small: small.starts_wrong(conjunct, self.limits.small),
        )

    def consecution(self, action: Action, conjunct: Conjunct) -> Result:
        if not touches(action, conjunct):
            return Result(action.name, conjunct.name, "untouched")
        return self._decide(
            action.name,
            conjunct,
            self.questions.consecution(action, conjunct),
            lambda small: small.breaks(action, conjunct, self.limits.small),
        )

    def vacuous(self) -> Iterator[str]:
        """Actions that are impossible wherever the invariant holds, with up to two elements of each sort."""
        for action in self.system.actions:
            if all(small.possible(action, self.limits.small) is False for small in self.small(2)):
                yield action.name

    def small(self, largest: int) -> Iterator[SmallInduction]:
        """The same questions at small sizes, smallest first."""
        for size, instance in enumerate(small_instances(self.system, largest), 1):
            if size not in self._small:
                self._small[size] = SmallInduction(instance, self.parts)
            yield self._small[size]

    def _decide(
        self,
        action: str,
        conjunct: Conjunct,
        question: Question,
        search: Callable[[SmallInduction], Counterexample | None],
    ) -> Result:
        answer = question.ask(self.limits.first)
        seconds = answer.seconds
        if answer.outcome != "unsatisfiable":
            for small in self.small(self.limits.largest):
                found = search(small)
                if found is not None:
                    return Result(action, conjunct.name, "failed", seconds, counterexample=found)
            for seed, limit in enumerate(self.limits.retries, 1):
                if answer.outcome == "unknown":
                    answer = question.ask(limit, seed, tracked=False)
                    seconds += answer.seconds
        return Result(action, conjunct.name, _verdict(answer), seconds, answer.core)


def _verdict(answer: Answer) -> Verdict:
    if answer.outcome == "unsatisfiable":
        return "proved"
    return "failed" if answer.outcome == "satisfiable" else "unknown"


def prove(
    system: System,
    properties: Iterable[Property],
    lemmas: Iterable[Property] = (),
    *,
    limits: Limits = Limits(),
    reachable: Reachable | None = None,
    progress: Callable[[Result], None] | None = None,
) -> Proof:
    """Finds the largest inductive part of the properties and lemmas, for any number of elements.

    reachable: tells of a counterexample whether its first state can be reached.
    progress: called with each result.
    """
    claimed = (*conjuncts(properties, "property"), *conjuncts(lemmas, "lemma"))
    remaining = claimed
    done: dict[tuple[str, str], Result] = {}
    failures: list[tuple[int, Result]] = []
    for number in itertools.count():
        prover = Prover(system, remaining, limits)
        names = {c.name for c in remaining}
        wrong: list[Result] = []
        for ask, key in _questions(prover):
            if key in done and names.issuperset(done[key].core):
                continue
            done[key] = result = _with_reachability(ask(), reachable)
            if result.verdict in ("failed", "unknown"):
                wrong.append(result)
            if progress is not None:
                progress(result)
        if not wrong:
            break
        failures += ((number, r) for r in wrong)
        dropped = {r.conjunct for r in wrong}
        remaining = tuple(c for c in remaining if c.name not in dropped)
        done = {key: result for key, result in done.items() if key[1] not in dropped}
    rounds, failed = zip(*failures, strict=True) if failures else ((), ())
    return Proof(system, claimed, tuple(done.values()), failed, rounds, tuple(prover.vacuous()))


def _questions(prover: Prover) -> Iterator[tuple[Callable[[], Result], tuple[str, str]]]:
    for conjunct in prover.parts:
        yield partial(prover.initiation, conjunct), (INITIALLY, conjunct.name)
        for action in prover.system.actions:
            yield partial(prover.consecution, action, conjunct), (action.name, conjunct.name)


def _with_reachability(result: Result, reachable: Reachable | None) -> Result:
    example = result.counterexample
    if example is None or example.before is None or reachable is None:
        return result
    return replace(result, counterexample=replace(example, reachable=reachable(example.instance, example.before)))
