"""Inductive invariants for any number of elements: one question for each action and conjunct.

All conjuncts are assumed before the step, and one is denied after it.  An action that writes nothing that the
conjunct reads need not be asked about.

Each question is first put at small sizes, with the quantifiers expanded, where it takes milliseconds.  A counterexample
there is a state that can be shown.  If there is none, the core says which few of the conjuncts exclude it, and only
these are assumed when Z3 is asked for any number of elements: quantified hypotheses that do not matter are what costs
time.  Where they do not suffice, the next size has another core, and Z3's model tells at which sizes to look as well.
Assuming fewer conjuncts is sound, and those that sufficed are a true core.  Only if all this leads nowhere is
everything assumed, with more time and other random seeds.

Conjuncts that fail are dropped, and what was proved with their help is asked again: what remains in the end is the
largest inductive part, which holds in every reachable state whether or not it suffices for the properties.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from flushproof.model.ir import Action, Property, System
from flushproof.model.ir.instance import Instance
from flushproof.model.ir.terms import reads

from ..formulas.conjuncts import Conjunct, conjuncts, rigid_axioms
from ..formulas.domain import Formula, any_number, negation
from ..formulas.first_order import Reader, SymbolicState, Symbols, Transition, initially, parameters, transition
from ..formulas.solver import Answer, Question
from .counterexample import Counterexample, Looked, Reachable, SmallInduction, small_instances, uneven_instances

INITIALLY = "initially"
"""How the making of an initial state is called where people read it; an action may have this name too."""

FEW, MOST = 4, 6
"""Elements of a sort for which a question is expanded over all of them: at first, and where nothing else helps."""

ENOUGH = 3
"""Elements of each sort in a picture that is small enough."""

Verdict = Literal["proved", "untouched", "failed", "unknown"]


@dataclass(frozen=True)
class Limits:
    """Seconds for one question.

    small: for one search at small sizes.
    few: with the few hypotheses that suffice at two elements of each sort, at three, and so on.
    seeds: how many times (no seconds) it is asked again from three on, with fewer of them and other random seeds.
    first, retries: with everything assumed.
    """

    small: float = 2.0
    few: tuple[float, ...] = (0.015, 0.1, 0.15, 0.4, 1.0)
    seeds: int = 2
    first: float = 0.5
    retries: tuple[float, ...] = (2.0, 10.0)


@dataclass(frozen=True)
class Result:
    """The answer to one question: does the action (None: the making of an initial state) keep the conjunct?

    core: conjuncts that suffice before the step; seconds: Z3's time, with all searches at small sizes.
    """

    action: Action | None
    conjunct: Conjunct
    verdict: Verdict
    seconds: float = 0.0
    core: tuple[Conjunct, ...] = ()
    counterexample: Counterexample | None = None

    @property
    def step(self) -> str:
        """The action's name, for people."""
        return INITIALLY if self.action is None else self.action.name


@dataclass(frozen=True)
class Proof:
    """What is known about an invariant.

    conjuncts: all that were claimed.
    results: the answers for the largest inductive part, one for each action and conjunct.
    failures: why the other conjuncts were dropped.  The first ones failed with everything assumed, later ones perhaps
    only
        because something that they needed had been dropped: `rounds` says in which round each failed, from 0.
    vacuous: actions that are never possible where the invariant holds, whatever the sizes.
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
        return tuple(c for c in self.conjuncts if c not in dropped)

    @property
    def properties(self) -> Mapping[str, bool]:
        """For each property whether it is proved."""
        proved = set(self.inductive)
        verdicts: dict[str, bool] = {}
        for c in self.conjuncts:
            if c.role == "property":
                verdicts[c.of] = verdicts.get(c.of, True) and c in proved
        return verdicts

    @property
    def proved(self) -> bool:
        """Whether every property is proved: it holds in every reachable state, for any number of elements."""
        return all(self.properties.values())

    @property
    def seconds(self) -> float:
        """Z3's time for all questions that were answered."""
        return sum(r.seconds for r in (*self.results, *self.failures))

    def needs(self) -> Mapping[Conjunct, frozenset[Conjunct]]:
        """For each inductive conjunct the others that some step needed to keep it, by the unsatisfiable cores."""
        needed: dict[Conjunct, set[Conjunct]] = {c: set() for c in self.inductive}
        for result in self.results:
            needed[result.conjunct].update(c for c in result.core if c != result.conjunct)
        return {part: frozenset(others) for part, others in needed.items()}

    def used(self, by: Container[str] | None = None) -> frozenset[Conjunct]:
        """The conjuncts that the proved properties rest on, themselves included; `by`: only these properties."""
        needs, proved = self.needs(), self.properties
        found: set[Conjunct] = set()
        roots = [name for name, holds in proved.items() if holds and (by is None or name in by)]
        frontier = [c for c in self.inductive if c.role == "property" and c.of in roots]
        while frontier:
            part = frontier.pop()
            if part not in found:
                found.add(part)
                frontier.extend(needs[part])
        return frozenset(found)


class AnyNumber:
    """The induction's questions for any number of elements."""

    def __init__(self, system: System, assumed: Sequence[Conjunct]) -> None:
        self.system = system
        self.domain = any_number(system)
        self.symbols = Symbols(self.domain)
        self.reader = Reader(self.domain, self.symbols)
        self.assumed = {c: self.reader.holds(c.formula) for c in assumed}
        self.always = (
            *(self.reader.holds(e) for e in rigid_axioms(system)),
            *self.symbols.ranges(),
        )
        self._steps: dict[Action | None, Transition] = {}

    def initiation(self, conjunct: Conjunct) -> Question:
        """Can an initial state deny the conjunct?"""
        if None not in self._steps:
            self._steps[None] = initially(self.domain)
        step = self._steps[None]
        return Question(self.domain, {}, (*step.facts, *self._denied(conjunct, step.after)))

    def consecution(self, action: Action, conjunct: Conjunct) -> Question:
        """Can the action lead from a state with all that is assumed to one that denies the conjunct?"""
        step = self._step(action)
        return Question(self.domain, self.assumed, (*self.always, *step.facts, *self._denied(conjunct, step.after)))

    def possible(self, action: Action) -> Question:
        """Can the action be taken in a state with all that is assumed?"""
        return Question(self.domain, self.assumed, (*self.always, *self._step(action).facts))

    def _step(self, action: Action) -> Transition:
        if action not in self._steps:
            self._steps[action] = transition(self.domain, self.symbols, action)
        return self._steps[action]

    def _denied(self, conjunct: Conjunct, state: SymbolicState) -> list[Formula]:
        env, facts = parameters(self.domain, conjunct.clause.params, "witness")
        reader = Reader(self.domain, state)
        return [
            *facts,
            reader.holds(conjunct.clause.guard, env),
            negation(reader.holds(conjunct.clause.expr, env)),
        ]


def sizes_to_begin_with(system: System) -> Iterator[Instance]:
    """Small sizes, at one of which a system that makes sense has an initial state."""
    yield from small_instances(system, 4)
    yield from uneven_instances(system)


def touches(action: Action, conjunct: Conjunct) -> bool:
    """Whether the action writes something that the conjunct reads."""
    return not reads(conjunct.formula).isdisjoint(u.var for u in action.updates)


class Prover:
    """Answers the questions of one invariant: each with a proof, a counterexample or neither."""

    def __init__(self, system: System, parts: Sequence[Conjunct], limits: Limits = Limits()) -> None:
        self.system, self.parts, self.limits = system, tuple(parts), limits
        self.questions = AnyNumber(system, parts)
        self.even = tuple(small_instances(system, 1 + max(2, len(limits.few))))
        self.uneven = tuple(uneven_instances(system))
        self._small: dict[tuple[int, ...], SmallInduction] = {}

    def drop(self, wrong: Set[Conjunct]) -> None:
        """These conjuncts are no longer claimed, nor assumed."""
        self.parts = tuple(part for part in self.parts if part not in wrong)
        for part in wrong:
            del self.questions.assumed[part]
            for small in self._small.values():
                small.forget(part)

    def initiation(self, conjunct: Conjunct) -> Result:
        return self._decide(None, conjunct, self.questions.initiation(conjunct))

    def consecution(self, action: Action, conjunct: Conjunct) -> Result:
        if not touches(action, conjunct):
            return Result(action, conjunct, "untouched")
        return self._decide(action, conjunct, self.questions.consecution(action, conjunct))

    def vacuous(self) -> Iterator[str]:
        """Actions that are impossible wherever the invariant holds, for any number of elements.

        Small sizes refute most of it at once; they prove nothing, since an action may need more elements than they have.
        """
        for action in self.system.actions:
            if any(self._at(instance).possible(action, self.limits.small) for instance in self.even[1:3]):
                continue
            if self.questions.possible(action).ask(self.limits.first).outcome == "unsatisfiable":
                yield action.name

    def _at(self, instance: Instance) -> SmallInduction:
        """The same questions at the sizes of this instance."""
        key = tuple(instance.sizes.values())
        if key not in self._small:
            self._small[key] = SmallInduction(instance, self.parts)
        return self._small[key]

    def _decide(self, action: Action | None, conjunct: Conjunct, question: Question) -> Result:
        def look(instance: Instance, only: Set[Conjunct] | None, small_core: bool) -> Looked:
            return self._at(instance).look(action, conjunct, self.limits.small, only=only, small_core=small_core)

        smallest, *larger = self.even
        attempt = _Attempt(look, question, smallest)
        verdict = attempt.guided(larger, self.limits) or attempt.with_everything(self.uneven, self.limits)
        return Result(action, conjunct, verdict, attempt.seconds, attempt.core, attempt.example)


class _Attempt:
    """The way to one answer: what small sizes say tells which hypotheses matter, and which sizes to look at.

    look: searches for a counterexample at the sizes of an instance, with all hypotheses or only some, and says which exclude it,
    none of them in vain if that is asked for; question: the same for any number of elements; smallest: the system at the smallest
    sizes that there are.
    """

    def __init__(
        self, look: Callable[[Instance, Set[Conjunct] | None, bool], Looked], question: Question, smallest: Instance
    ) -> None:
        self.look, self.question, self.smallest = look, question, smallest
        self.seconds = 0.0
        self.core: tuple[Conjunct, ...] = ()
        self.example: Counterexample | None = None
        self.seen: set[tuple[int, ...]] = set()
        self.needed: set[Conjunct] | None = None

    def guided(self, sizes: Sequence[Instance], limits: Limits) -> Verdict | None:
        """The answer with few hypotheses, which exclude counterexamples at small sizes: more of both, and more time, as
        long as they do not suffice.
        """
        for number, (instance, limit) in enumerate(zip(sizes, limits.few, strict=False)):
            self._learn(instance)
            if self.example is None and self.needed is not None:
                answer = self._asked(limit, 0, self.needed, plain=not number)
                if number and answer.outcome == "unknown":
                    self._thin_out(instance)
                    for seed in range(1, 1 + limits.seeds):
                        if answer.outcome == "unknown":
                            answer = self._asked(limit, seed, self.needed)
                if answer.outcome == "unsatisfiable":
                    return "proved"
                for other in self._sizes_of(answer, FEW):
                    self._learn_more(other)
            if self.example is not None:
                self._shrink()
                return "failed"
        return None

    def _learn(self, instance: Instance) -> None:
        """Looks for a counterexample at these sizes; if there is none, the hypotheses that are needed exclude it."""
        looked = self._looked(instance)
        if looked is not None and looked.outcome == "unsatisfiable":
            self.needed = set(looked.core)

    def _thin_out(self, instance: Instance) -> None:
        """Leaves out hypotheses as long as the others exclude counterexamples at these sizes."""
        fewer = self.look(instance, self.needed, True)
        self.seconds += fewer.seconds
        if fewer.outcome == "unsatisfiable":
            self.needed = set(fewer.core)

    def _learn_more(self, instance: Instance) -> None:
        """The same at other sizes, where those that were needed before may suffice too."""
        looked = self._looked(instance)
        if looked is None or looked.outcome != "unsatisfiable":
            return
        assert self.needed is not None
        if not self.needed.issuperset(looked.core):
            fewer = self.look(instance, self.needed, False)
            self.seconds += fewer.seconds
            if fewer.outcome == "satisfiable":
                self.needed.update(looked.core)

    def with_everything(self, sizes: Sequence[Instance], limits: Limits) -> Verdict:
        """The answer with all hypotheses, and with more time; where there is none, at sizes that are less even."""
        for seed, limit in enumerate((limits.first, *limits.retries)):
            answer = self._asked(limit, seed)
            if answer.outcome == "unsatisfiable":
                self._leave_out(limits.first)
                return "proved"
            for instance in (*self._sizes_of(answer), *(() if seed else sizes)):
                self._looked(instance)
                if self.example is not None:
                    self._shrink()
                    return "failed"
            if answer.outcome == "satisfiable":
                return "failed"
        return "unknown"

    def _leave_out(self, limit: float) -> None:
        """Leaves out of the core what a proof does not need, if Z3 can tell."""
        everything, tracked = self.core, self.question.ask(limit)
        self.seconds += tracked.seconds
        if tracked.outcome != "unsatisfiable" or self._asked(limit, only=set(tracked.core)).outcome != "unsatisfiable":
            self.core = everything

    def _shrink(self) -> None:
        """A smaller picture, if there is one: of the smallest sizes, or else of a counterexample with many elements."""
        self._looked(self.smallest)
        assert self.example is not None
        sizes = dict(self.example.instance.sizes)
        for name in sizes if max(sizes.values(), default=0) > ENOUGH else ():
            while sizes[name] > self.smallest.sizes[name]:
                looked = self._looked(replace(self.smallest, sizes={**sizes, name: sizes[name] - 1}))
                if looked is None or looked.example is None:
                    break
                sizes[name] -= 1

    def _looked(self, instance: Instance) -> Looked | None:
        """What a search at these sizes comes to; None where they were looked at before."""
        key = tuple(instance.sizes.values())
        if key in self.seen:
            return None
        self.seen.add(key)
        looked = self.look(instance, None, False)
        self.seconds += looked.seconds
        self.example = looked.example or self.example
        return looked

    def _asked(self, limit: float, seed: int = 0, only: Set[Conjunct] | None = None, *, plain: bool = False) -> Answer:
        # Without having to say what it used, Z3 may simplify the hypotheses; what it was given is a core all the same.
        question = self.question if only is None else self.question.only(only)
        answer = question.ask(limit, seed, tracked=False, plain=plain)
        self.seconds += answer.seconds
        self.core = answer.core
        return answer

    def _sizes_of(self, answer: Answer, most: int = MOST) -> list[Instance]:
        """Where Z3 has a model for any number of elements: the system at that model's sizes, if they are small."""
        found = {} if answer.model is None else answer.model.sizes()
        sizes = {name: max(size, self.smallest.sizes[name]) for name, size in found.items()}
        return [replace(self.smallest, sizes=sizes)] if 0 < max(sizes.values(), default=0) <= most else []


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
    claimed = tuple(dict.fromkeys((*conjuncts(properties, "property"), *conjuncts(lemmas, "lemma"))))
    prover = Prover(system, claimed, limits)
    done: dict[tuple[Action | None, Conjunct], Result] = {}
    failures: list[tuple[int, Result]] = []
    for number in itertools.count():
        present = set(prover.parts)
        wrong: list[Result] = []
        for ask, key in _questions(prover):
            if key in done and present.issuperset(done[key].core):
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
        prover.drop(dropped)
        done = {key: result for key, result in done.items() if key[1] not in dropped}
    rounds, failed = zip(*failures, strict=True) if failures else ((), ())
    return Proof(system, claimed, tuple(done.values()), failed, rounds, tuple(prover.vacuous()))


def _questions(prover: Prover) -> Iterator[tuple[Callable[[], Result], tuple[Action | None, Conjunct]]]:
    for conjunct in prover.parts:
        yield partial(prover.initiation, conjunct), (None, conjunct)
        for action in prover.system.actions:
            yield partial(prover.consecution, action, conjunct), (action, conjunct)


def _with_reachability(result: Result, reachable: Reachable | None) -> Result:
    example = result.counterexample
    if example is None or example.before is None or reachable is None:
        return result
    return replace(result, counterexample=replace(example, reachable=reachable(example.instance, example.before)))
