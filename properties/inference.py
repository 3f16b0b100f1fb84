"""Finding lemmas: counterexamples to induction, each excluded by a clause that all reachable states satisfy.

The search starts from the properties (and whatever lemmas there are).  As long as some step leads from a state with all
conjuncts to one without, that state is unreachable, or so one hopes: a clause in the system's own vocabulary is
looked for that is false there and true in every reachable state at small sizes.  Short clauses that no step breaks
come first.  When nothing fails at small sizes, Z3 is asked for any number of elements; its counterexamples steer the
search on.

What is found is only ever a candidate until `induction.prove` has proved it; what the properties do not need is
dropped.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from flushproof.model.language.instance import Instance, State
from flushproof.model.language.ir import Action, Clause, Property, Scalarset, System

from .columns import Columns
from .conjuncts import Conjunct, conjuncts
from .counterexample import Counterexample, SmallInduction, small_instances
from .cubes import LITERAL, Cube, Lexicon
from .induction import INITIALLY, AnyNumber, Limits, Proof, prove, touches
from .printing import show
from .vocabulary import Vocabulary, signatures


@dataclass(frozen=True)
class Sample:
    """States of one instance that are reachable; all of them, if the search for them was complete."""

    instance: Instance
    states: Sequence[State]


def sample_sizes(system: System) -> Iterator[Mapping[str, int]]:
    """Sizes at which it is worth to look at the reachable states: two of everything, three of one sort, three of
    everything.

    A fact that depends on there being no third element is then not taken for a lemma.  Where the whole state space is
    too large, random walks through it serve nearly as well: what counts is that the states differ.
    """
    names = [s.name for s in system.sorts if isinstance(s, Scalarset)]
    yield dict.fromkeys(names, 1)
    yield dict.fromkeys(names, 2)
    for name in names:
        yield {**dict.fromkeys(names, 2), name: 3}
    yield dict.fromkeys(names, 3)


@dataclass(frozen=True)
class Effort:
    """How long and how far to search.

    seconds: in all; variables: in one clause; literals: in one clause, a set of program points counting as one;
    states: of each sample to look at first (a clause is then compared with all of them).
    alternatives: how many right clauses to compare before one is chosen; at_once: how many to add for one
    counterexample, if
        no step breaks them.
    """

    seconds: float = 120.0
    variables: int = 4
    literals: int = 5
    states: int = 400
    alternatives: int = 20
    at_once: int = 3
    seed: int = 0


@dataclass(frozen=True)
class Inference:
    """What was found.

    lemmas: those that the proof needs, new ones among them; proof: of the properties and these lemmas.
    found: the new ones; stuck: a counterexample that nothing in the vocabulary excludes, if the search ended so.
    tried: how many candidates were looked at; seconds: of searching and proving.
    """

    lemmas: tuple[Property, ...]
    found: tuple[Property, ...]
    proof: Proof
    stuck: Counterexample | None
    tried: int
    seconds: float


Progress = Callable[[str], None]


def infer(
    system: System,
    properties: Sequence[Property],
    samples: Sequence[Sample],
    lemmas: Sequence[Property] = (),
    *,
    effort: Effort = Effort(),
    limits: Limits = Limits(),  # noqa: B008
    progress: Progress | None = None,
) -> Inference:
    """Looks for lemmas that make the properties inductive for any number of elements.

    samples: reachable states at small sizes: the more and the larger, the fewer wrong candidates.
    lemmas: what is already there; none of them need be right.
    """
    return _Search(system, properties, samples, lemmas, effort, limits, progress or (lambda _: None)).run()


class _Search:
    def __init__(
        self,
        system: System,
        properties: Sequence[Property],
        samples: Sequence[Sample],
        lemmas: Sequence[Property],
        effort: Effort,
        limits: Limits,
        progress: Progress,
    ) -> None:
        self.system, self.properties, self.effort, self.limits = system, tuple(properties), effort, limits
        self.given, self.progress = tuple(lemmas), progress
        self.rng = random.Random(effort.seed)
        self.started = time.monotonic()
        self.full = [Columns(s.instance, list(s.states)) for s in samples]
        self.active = [self.rng.sample(list(s.states), min(len(s.states), effort.states)) for s in samples]
        self.samples = list(samples)
        self.vocabulary = Vocabulary(replace(system, lemmas=()))
        self.lexicon = self._lexicon()
        self.parts = [*conjuncts(properties, "property"), *conjuncts(lemmas, "lemma")]
        self.found: dict[str, Property] = {}
        self.kept: set[tuple[str, str]] = set()
        self.proved: dict[tuple[str, str], frozenset[str]] = {}
        self.banned: set[Clause] = set()
        self.small: list[SmallInduction] = []
        self.doubtful: Conjunct | None = None
        self.tried = 0
        self._rebuild()

    # --------------------------------------------------------------------------------------------------------------
    # loop

    def run(self) -> Inference:
        stuck: Counterexample | None = None
        while stuck is None and not self._late():
            example = self._next_counterexample()
            if example is None:
                if self.doubtful is None:
                    break
                # neither proved nor refuted: a lemma like this helps nobody
                self._drop(self.doubtful)
                self.doubtful = None
                continue
            if not self._answer(example) and not self._late():
                stuck = example
        return self._result(stuck)

    def _late(self) -> bool:
        return time.monotonic() - self.started > self.effort.seconds

    def _answer(self, example: Counterexample) -> bool:
        """Excludes the counterexample by new lemmas, or gives up the lemma that it breaks."""
        cubes = [] if example.before is None else self._best_cubes(example)
        if cubes:
            for cube in cubes:
                self._add(cube)
            return True
        if example.conjunct.role == "property" or self._late():
            return False
        self._drop(example.conjunct)
        return True

    def _next_counterexample(self) -> Counterexample | None:
        """A step that breaks a conjunct which the properties rest on, as far as is known from the cores of what is
        proved.
        """
        questions = AnyNumber(self.system, self.parts)
        by_name = {part.name: part for part in self.parts}
        needed = [part.name for part in self.parts if part.role == "property"]
        for name in needed:
            part = by_name[name]
            for action in (None, *(a for a in self.system.actions if touches(a, part))):
                key = (INITIALLY if action is None else action.name, name)
                if key not in self.proved:
                    example = self._ask(questions, key, part, action)
                    if example is not None or self.doubtful is not None or self._late():
                        return example
                needed += sorted(self.proved.get(key, frozenset()).difference(needed))
        return None

    def _ask(
        self, questions: AnyNumber, key: tuple[str, str], part: Conjunct, action: Action | None
    ) -> Counterexample | None:
        """A counterexample to one step, at small sizes first; where Z3 proves that there is none, its core is kept."""
        if key not in self.kept:
            for small in self.small:
                example = self._breaks(small, action, part)
                if example is not None:
                    return example
            self.kept.add(key)
        question = questions.initiation(part) if action is None else questions.consecution(action, part)
        answer = question.ask(self.limits.first, small_core=True)
        if answer.outcome == "unsatisfiable":
            self.proved[key] = frozenset(answer.core)
            return None
        for sizes in itertools.islice(sample_sizes(self.system), 2, None):
            example = self._breaks(SmallInduction(Instance(self.system, sizes), self.parts), action, part)
            if example is not None:
                return example
        for seed, limit in enumerate(self.limits.retries, 1):
            answer = question.ask(limit, seed)
            if answer.outcome == "unsatisfiable":
                self.proved[key] = frozenset(answer.core)
                return None
        if part.role == "lemma":
            self.doubtful = part
        return None

    def _breaks(self, small: SmallInduction, action: Action | None, part: Conjunct) -> Counterexample | None:
        if action is None:
            return small.starts_wrong(part, self.limits.small)
        return small.breaks(action, part, self.limits.small)

    # ------------------------------------------------------------------------------------------------------------
    # lemmas

    def _best_cubes(self, example: Counterexample) -> list[Cube]:
        """Cubes that the state has and no reachable state: the best that no step breaks, or else the best one.

        Those that no step breaks cost nothing more to prove, so that several are taken at once.
        """
        assert example.before is not None
        state = Columns(example.instance, [example.before])
        while not self._late():
            cubes = self._excluding(state)
            right = list(itertools.islice(filter(self._holds_everywhere, cubes), self.effort.alternatives))
            if right or not cubes:
                self.tried += len(right)
                broken = {cube: self._breaking(cube) for cube in right}
                kept = [cube for cube in right if not broken[cube]]
                # of clauses that other lemmas must help to keep, the one that fewest actions break needs the fewest
                return kept[: self.effort.at_once] or sorted(right, key=lambda c: broken[c])[:1]
        return []

    def _excluding(self, state: Columns) -> list[Cube]:
        """Cubes of the state that no active state has, the best first."""
        ranked: dict[object, Cube] = {}
        best = LITERAL * self.effort.literals + self.effort.variables
        for variables in signatures(self.system, self.effort.variables):
            # a cube has a literal at least: with many variables it would cost more than what is already there
            if len(variables) + LITERAL > best or self._late():
                break
            table = self.lexicon.table(variables)
            most = min(self.effort.literals, (best - len(variables)) // LITERAL)
            for values in table.observed(state):
                for cube in table.cubes(values, most, self.banned, self.rng):
                    ranked.setdefault(cube.clause, cube)
                    best = min(best, cube.cost[0] + LITERAL)
        return sorted(ranked.values(), key=lambda c: c.cost)

    def _holds_everywhere(self, cube: Cube) -> bool:
        """Whether all known states satisfy the clause; if not, some that do not are looked at from now on."""
        expr = Conjunct("", cube.clause, "", "lemma").formula
        for number, columns in enumerate(self.full):
            wrong = (~columns.holds(expr, {})).nonzero()[0]
            columns.forget()
            if len(wrong):
                states = self.samples[number].states
                chosen = self.rng.sample(list(wrong), min(len(wrong), 32))
                self.active[number] += [states[int(i)] for i in chosen]
                self.lexicon = self._lexicon()
                return False
        return True

    def _lexicon(self) -> Lexicon:
        known = [Columns(s.instance, states) for s, states in zip(self.samples, self.active, strict=True)]
        return Lexicon(self.vocabulary, known)

    def _breaking(self, cube: Cube) -> int:
        """How many actions break the clause at small sizes, given all conjuncts so far."""
        part = Conjunct("candidate", cube.clause, "candidate", "lemma")
        return sum(
            self.small[-1].breaks(action, part, self.limits.small, assuming=True) is not None
            for action in self.system.actions
            if touches(action, part)
        )

    def _add(self, cube: Cube) -> None:
        name = f"lemma-{len(self.banned) + len(self.found) + 1}"
        prop = Property(name, (cube.clause,))
        (part,) = conjuncts([prop], "lemma")
        self.found[name] = prop
        self.parts.append(part)
        for small in self.small:
            small.assume(part)
        self.progress(f"{name}: {show(part.formula)}")

    def _drop(self, part: Conjunct) -> None:
        self.progress(f"{part.name} is given up")
        self.banned.add(part.clause)
        self.found.pop(part.name, None)
        self.parts = [p for p in self.parts if p is not part]
        self.proved = {key: core for key, core in self.proved.items() if key[1] != part.name and part.name not in core}
        self._rebuild()

    def _rebuild(self) -> None:
        """Starts the small inductions afresh: they no longer assume what was dropped."""
        self.kept.clear()
        self.small = [SmallInduction(i, self.parts) for i in small_instances(self.system, 2)]

    # -------------------------------------------------------------------------------------------------------------
    # proof

    def _lemmas(self) -> tuple[Property, ...]:
        names = {p.of for p in self.parts}
        return tuple(p for p in (*self.given, *self.found.values()) if p.name in names)

    def _result(self, stuck: Counterexample | None) -> Inference:
        lemmas = self._lemmas()
        quick = replace(self.limits, retries=())
        proof = prove(self.system, self.properties, lemmas, limits=quick)
        if proof.proved:
            lemmas, proof = minimal(self.system, self.properties, lemmas, proof, self.limits)
        found = tuple(p for p in lemmas if p.name in self.found)
        return Inference(lemmas, found, proof, stuck, self.tried, time.monotonic() - self.started)


def minimal(
    system: System, properties: Sequence[Property], lemmas: Sequence[Property], proof: Proof, limits: Limits
) -> tuple[tuple[Property, ...], Proof]:
    """The lemmas that a proof rests on, by its cores and then by leaving out one after the other, long ones first.

    Where one is left out, only those steps are asked about again whose core had it.
    """
    used = proof.used()
    parts = [c for c in proof.inductive if c.name in used]
    cores = {(r.action, r.conjunct): frozenset(r.core) for r in proof.results if r.conjunct in used}
    for lemma in sorted((p for p in lemmas if any(c.of == p.name for c in parts)), key=_size, reverse=True):
        fewer = [c for c in parts if c.of != lemma.name or c.role == "property"]
        left = {c.name for c in fewer}
        known = {key: core for key, core in cores.items() if key[1] in left}
        again = _asked_again(system, fewer, [key for key, core in known.items() if not core <= left], limits)
        if again is not None:
            parts, cores = fewer, {**known, **again}
    names = {c.of for c in parts}
    kept = tuple(p for p in lemmas if p.name in names)
    return kept, prove(system, properties, kept, limits=limits)


def _asked_again(
    system: System, parts: Sequence[Conjunct], keys: Sequence[tuple[str, str]], limits: Limits
) -> dict[tuple[str, str], frozenset[str]] | None:
    """The cores of these steps with only these conjuncts; None if Z3 does not prove one of them at once."""
    questions = AnyNumber(system, parts)
    by_name = {c.name: c for c in parts}
    actions = {a.name: a for a in system.actions}
    cores = {}
    for action, name in keys:
        answer = questions.consecution(actions[action], by_name[name]).ask(limits.first)
        if answer.outcome != "unsatisfiable":
            return None
        cores[action, name] = frozenset(answer.core)
    return cores


def _size(prop: Property) -> int:
    return sum(len(str(c.expr)) for c in prop.clauses)
