"""Finding lemmas: counterexamples to induction, each excluded by a clause that all reachable states satisfy.

The search starts from the properties (and whatever lemmas there are).  As long as some step at small sizes leads from
a state with all conjuncts to one without, that state is unreachable, or so one hopes.  What of it makes the step go
wrong is worked out first (`steps`); then a clause in the system's own vocabulary is looked for that denies just this,
and is true in every reachable state that is known (`cubes`).  Short clauses that no step breaks come first.

Where nothing in the vocabulary excludes the state, the lemma that led there is given up, and the state that the step
leads to counts as reachable from then on: no other lemma may exclude it, and none is tried that would.  So the search
through one size comes to an end, with the properties proved there or with a state that nothing excludes.

Only then is Z3 asked for any number of elements; where it finds a counterexample at other sizes, these are searched
as well.  What is found is only ever a candidate until `induction.prove` has proved it; what the properties do not
need is dropped.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from flushproof.model.ir import Clause, Property, Scalarset, System
from flushproof.model.ir.instance import Instance, State

from ..formulas.conjuncts import Conjunct, conjuncts
from ..formulas.printing import show
from ..formulas.solver import OutOfTime, until
from ..formulas.steps import Step, Steps
from ..induction.induction import Limits, Proof, Result, prove
from .columns import Columns
from .cubes import Cube, Excluder, Known
from .vocabulary import Vocabulary, usual_variables


@dataclass(frozen=True)
class Sample:
    """States of one instance that are reachable; all of them, if the search for them was complete."""

    instance: Instance
    states: Sequence[State]


def sample_sizes(system: System) -> Iterator[Mapping[str, int]]:
    """Sizes at which it is worth to look at the reachable states, the most telling first: one, two, three of everything, and
    three of one sort.

    A fact that depends on there being no third element is then not taken for a lemma.  Where the whole state space is
    too large, a part of it serves nearly as well: what counts is that the states differ.
    """
    names = [s.name for s in system.sorts if isinstance(s, Scalarset)]
    for size in (1, 2, 3):
        yield dict.fromkeys(names, size)
    for name in names:
        yield {**dict.fromkeys(names, 2), name: 3}


@dataclass(frozen=True)
class Effort:
    """How long and how far to search.

    seconds: on the clock, in all; the last tenth of them is for a proof with what is there by then.
    patience: after how many counterexamples one more sample is looked at; they are counted, and not timed, so that a
    search that has time enough finds the same on any machine.
    each: how many elements of a sort a clause speaks about.
    literals: in one clause, a set of program points counting as one; anything: the same for clauses about what has nothing
    to do with the counterexample.
    states: how many of each sample to look at; alternatives: how many right clauses to compare before one is chosen.
    setbacks: after giving up how many conjuncts the search is begun again with the next seed: at first; twice as many each time.
    seed: of the choices among them; tries: how many searches may come to an end without a proof.
    """

    seconds: float = 120.0
    patience: int = 8
    each: int = 2
    literals: int = 5
    anything: int = 3
    states: int = 50_000
    alternatives: int = 8
    setbacks: int = 2
    seed: int = 0
    tries: int = 3


@dataclass(frozen=True)
class Inference:
    """What was found.

    lemmas: those that the proof needs, new ones among them; proof: of the properties and these lemmas, None where the search
        was stopped before there was one.
    found: the new ones; candidates, that nobody has proved, where there is no proof.
    tried: how many candidates were looked at; seconds: on the clock, for searching and proving.
    ended: why the search ended.
    """

    lemmas: tuple[Property, ...]
    found: tuple[Property, ...]
    proof: Proof | None
    tried: int
    seconds: float
    ended: str = ""

    @property
    def proved(self) -> bool:
        return self.proof is not None and self.proof.proved


Progress = Callable[[str], None]


def infer(
    system: System,
    properties: Sequence[Property],
    samples: Iterable[Sample],
    lemmas: Sequence[Property] = (),
    *,
    effort: Effort = Effort(),
    limits: Limits = Limits(),  # noqa: B008
    progress: Progress | None = None,
) -> Inference:
    """Looks for lemmas that make the properties inductive for any number of elements.

    samples: reachable states at small sizes: the more and the larger, the fewer wrong candidates.  The first three are looked
    at from the beginning, the others once that does not lead to a proof quickly.
    lemmas: what is already there; none of them need be right.

    Which of many right clauses is taken is left to chance, and so is whether they come to a proof: most searches that do never
    give up a conjunct, and those that give up some seldom find one.  A search that ends without a proof is begun again
    with the next seed, as long as there is time.
    """
    started = time.monotonic()
    looking = _Looking(system, tuple(properties), samples, tuple(lemmas), effort, limits, progress or (lambda _: None))
    try:
        with until(started + effort.seconds):
            ended = looking.run()
    except OutOfTime:
        ended = f"the {effort.seconds:g} seconds for it were over"
    except KeyboardInterrupt:
        ended = INTERRUPTED
    return replace(looking.best(), tried=looking.tried, seconds=time.monotonic() - started, ended=ended)


INTERRUPTED = "it was interrupted"


class _Looking:
    """One search after the other, each with its seed, and what came of them."""

    def __init__(
        self,
        system: System,
        properties: tuple[Property, ...],
        samples: Iterable[Sample],
        lemmas: tuple[Property, ...],
        effort: Effort,
        limits: Limits,
        told: Progress,
    ) -> None:
        self.system, self.properties, self.lemmas = system, properties, lemmas
        self.effort, self.limits, self.told = effort, limits, told
        self.until = time.monotonic() + 0.9 * effort.seconds
        self.rest, self.looked_at = iter(samples), list[Sample]()
        self.searches: list[_Search] = []
        self.ended: list[Inference] = []

    def run(self) -> str:
        """Why there is no more to try."""
        for number in itertools.count():
            left = replace(
                self.effort,
                seed=self.effort.seed + number,
                seconds=self.until - time.monotonic(),
                setbacks=self.effort.setbacks << number,
            )
            if self.ended and left.seconds <= 0:
                return f"the {self.effort.seconds:g} seconds for it were over"
            if len(self.ended) == self.effort.tries:
                return f"{self.effort.tries} searches came to an end without a proof: the system's own words say no more"
            samples = _from(self.looked_at, self.rest)
            search = _Search(self.system, self.properties, samples, self.lemmas, left, self.limits, self.told)
            self.searches.append(search)
            found = search.run()
            if found is not None:
                self.ended.append(found)
                if found.proved:
                    return "there is a proof"
            self.told(f"not found with seed {left.seed}")
        raise AssertionError("there is always a next number")

    @property
    def tried(self) -> int:
        return sum(search.tried for search in self.searches)

    def best(self) -> Inference:
        """What proves most; where there is nothing yet, the candidates of the last search."""
        if not self.ended:
            found = tuple(self.searches[-1].found.values()) if self.searches else ()
            return Inference(self.lemmas, found, None, 0, 0.0)
        return max(self.ended, key=lambda found: sum(found.proof.properties.values()) if found.proof else 0)


def _from(looked_at: list[Sample], rest: Iterator[Sample]) -> Iterator[Sample]:
    """The samples from the first one on, each made once."""
    yield from looked_at
    for sample in rest:
        looked_at.append(sample)
        yield sample


class _Search:
    def __init__(
        self,
        system: System,
        properties: Sequence[Property],
        samples: Iterable[Sample],
        lemmas: Sequence[Property],
        effort: Effort,
        limits: Limits,
        progress: Progress,
    ) -> None:
        self.system, self.properties, self.effort, self.limits = system, tuple(properties), effort, limits
        self.given, self.progress = tuple(lemmas), progress
        self.started = time.monotonic()
        self.rng = random.Random(effort.seed)
        self.samples = iter(samples)
        known = [self._known(s) for s in itertools.islice(self.samples, 3)]
        vocabulary = Vocabulary(replace(system, lemmas=()))
        self.excluder = Excluder(vocabulary, usual_variables(system, effort.each), known, effort.seed)
        self.parts = [*conjuncts(properties, "property"), *conjuncts(lemmas, "lemma")]
        self.found: dict[Conjunct, Property] = {}
        self.names: dict[Clause, str] = {}
        taken = {p.name for p in (*properties, *lemmas)}
        self.unused = (name for number in itertools.count(1) if (name := f"lemma-{number}") not in taken)
        self.cores: dict[Conjunct, frozenset[Conjunct]] = {}
        self.hopeless: set[Conjunct] = set()
        self.steps: list[Steps] = []
        self.assumed: list[Known] = []
        self.answered = self.tried = self.setbacks = 0
        self._look_at(dict.fromkeys((s.name for s in system.sorts if isinstance(s, Scalarset)), 2))

    def _known(self, sample: Sample) -> Known:
        return Known(sample.instance, self.rng.sample(sample.states, min(len(sample.states), self.effort.states)))

    def _look_at(self, sizes: Mapping[str, int]) -> None:
        """Counterexamples are looked for at this size too from now on."""
        instance = Instance(self.system, sizes)
        self.steps.append(Steps(instance))
        self.assumed.append(Known(instance, []))
        self.excluder.known.append(self.assumed[-1])
        self.cores.clear()

    # --------------------------------------------------------------------------------------------------------------
    # loop

    def run(self) -> Inference | None:
        """What was found when the search came to an end, or was late; None where it is better begun again."""
        while not self._late():
            if self.setbacks > self.effort.setbacks:
                return None
            found = self._next_counterexample()
            if found is not None:
                self._answer(*found)
                self.answered += 1
                if self.answered % self.effort.patience == 0:
                    self._look_at_more_states()
                continue
            lean = self._lean()
            proof = self._attempt(lean)
            sizes = None if isinstance(proof, Proof) else proof
            if sizes is None or any(sizes == steps.instance.sizes for steps in self.steps):
                return self._result(proof if isinstance(proof, Proof) else self._proof(lean))
            self._look_at(sizes)
        return self._result(self._proof(self._needed()))

    def _attempt(self, parts: Sequence[Conjunct]) -> Proof | Mapping[str, int] | None:
        """The proof with these parts; or else, at the first question that fails, the size of its counterexample."""

        class Failed(Exception):
            pass

        failed: list[Result] = []

        def stop_at_failure(result: Result) -> None:
            if result.verdict in ("failed", "unknown"):
                failed.append(result)
                raise Failed

        try:
            return self._proof(parts, stop_at_failure)
        except Failed:
            example = failed[0].counterexample
            return None if example is None else example.instance.sizes

    def spent(self) -> float:
        return time.monotonic() - self.started

    def _late(self) -> bool:
        return self.spent() > self.effort.seconds

    def _look_at_more_states(self) -> None:
        """Lemmas that are wrong in the next sample are dropped, and no such lemma is made from now on."""
        sample = next(self.samples, None)
        if sample is not None and sample.states:
            known = self._known(sample)
            self.excluder.known.append(known)
            wrong = [p for p in self.parts if p in self.found and not known.columns.holds(p.formula, {}).all()]
            known.columns.forget()
            if wrong:
                self._drop(wrong)

    def _needed(self) -> list[Conjunct]:
        """The conjuncts that the properties rest on, as far as is known from the cores."""
        needed = [p for p in self.parts if p.role == "property" and p not in self.hopeless]
        for part in needed:
            more = self.cores.get(part, frozenset()).difference(needed, self.hopeless)
            needed += sorted(more, key=lambda p: (p.name, p.role, p.of))
        return needed

    def _next_counterexample(self) -> tuple[Conjunct, int, Step] | None:
        """A step that breaks a needed conjunct, and the number of the size where it was found."""
        while (part := next((p for p in self._needed() if p not in self.cores), None)) is not None:
            core: set[Conjunct] = set()
            for number, steps in enumerate(self.steps):
                needed = steps.keep(part, self.parts)
                if needed is None:
                    return part, number, steps.breaking(part)
                core |= needed
            self.cores[part] = frozenset(core)
        return None

    def _answer(self, part: Conjunct, number: int, step: Step) -> None:
        """Excludes the counterexample by a new lemma, or gives up what it breaks."""
        cubes = self._cubes(number, step)
        if cubes:
            self._add(self._best(cubes))
            return
        self.setbacks += 1
        if part.role == "property":
            self.hopeless.add(part)
            self._drop([part])
            self.progress(f"{part.name}: nothing excludes a step of {step.action.name}")
        else:
            # no other lemma may exclude the state that it leads to: in all that can be said it is like a reachable one
            self.assumed[number].add(step.after)
            after = Columns(self.steps[number].instance, [step.after])
            lost = [p for p in self.parts if p.role == "lemma" and not after.holds(p.formula, {}).all()]
            self._drop([part, *(p for p in lost if p is not part)])

    def _cubes(self, number: int, step: Step) -> list[Cube]:
        """Cubes that exclude the state before the step: of what made the step go wrong, or else of anything."""
        steps, effort = self.steps[number], self.effort
        found = self.excluder.cubes(
            steps.instance,
            step.before,
            effort.literals,
            effort.alternatives,
            step.kept,
            lambda claims: steps.implied(step, self.parts, claims),
        )
        return found or self.excluder.cubes(
            steps.instance, step.before, effort.anything, effort.alternatives, step.kept
        )

    def _best(self, cubes: Sequence[Cube]) -> Cube:
        """The first that no step breaks, or else the first."""
        self.tried += len(cubes)
        for cube in cubes:
            part = self._conjunct(cube)
            if all(s.keep(part, [*self.parts, part]) is not None for s in self.steps):
                return cube
        return cubes[0]

    # ------------------------------------------------------------------------------------------------------------
    # lemmas

    def _conjunct(self, cube: Cube) -> Conjunct:
        name = self.names.get(cube.clause) or next(self.unused)
        self.names[cube.clause] = name
        (part,) = conjuncts([Property(name, (cube.clause,))], "lemma")
        return part

    def _add(self, cube: Cube) -> None:
        part = self._conjunct(cube)
        self.found[part] = Property(part.name, (cube.clause,))
        self.parts.append(part)
        self.progress(f"{part.name}: {show(part.formula)}")

    def _drop(self, parts: Sequence[Conjunct]) -> None:
        self.progress(f"given up: {', '.join(sorted(p.name for p in parts))}")
        for part in parts:
            self.found.pop(part, None)
        self.parts = [p for p in self.parts if p not in parts]
        self.cores = {p: core for p, core in self.cores.items() if p not in parts and core.isdisjoint(parts)}

    # -------------------------------------------------------------------------------------------------------------
    # proof

    def _lean(self) -> list[Conjunct]:
        """Conjuncts that keep each other at the sizes that were looked at, with the properties among them: none can be left
        out."""
        parts = self._needed()
        afresh = [Steps(s.instance) for s in self.steps]  # without what is left of all earlier questions
        cores = {p: self.cores[p] for p in parts}
        for part in sorted((p for p in parts if p.role == "lemma"), key=lambda p: len(str(p.clause)), reverse=True):
            fewer = [p for p in parts if p is not part]
            again: dict[Conjunct, frozenset[Conjunct]] = {}
            for other in fewer:
                if part in cores[other]:
                    found = [s.keep(other, fewer) for s in afresh]
                    if None in found:
                        break
                    again[other] = frozenset().union(*(f for f in found if f is not None))
            else:
                parts, cores = fewer, {**cores, **again}
        return parts

    def _proof(self, parts: Sequence[Conjunct], progress: Callable[[Result], None] | None = None) -> Proof:
        kept = {p for p in parts if p.role == "lemma"}
        given = (p for p in self.given if any(p.name == part.of for part in kept))
        self.lemmas = (*given, *(p for part, p in self.found.items() if part in kept))
        self.progress(f"proving with {len(self.lemmas)} lemmas")
        return prove(self.system, self.properties, self.lemmas, limits=self.limits, progress=progress)

    def _result(self, proof: Proof) -> Inference:
        found = tuple(self.found[c] for c in proof.inductive if c in self.found)
        return Inference(self.lemmas, found, proof, self.tried, self.spent())
