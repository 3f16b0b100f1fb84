"""What a decided lattice says to people: values that are safe, the weakest safe policies, and what of a policy is needed.

A policy that is named here was searched through once more by `check` itself, with its knobs folded away and with its audit; a step
down from it that is not safe has a shortest trace of its own, which Z3 has confirmed.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from flushproof.auditing import AuditError
from flushproof.checking import Request, looked_for, run_all
from flushproof.laboratory.apart import Apart
from flushproof.laboratory.decided import Decided, Told
from flushproof.laboratory.deciding import INTERRUPTED, Laboratory, confirmed, raise_interrupt
from flushproof.laboratory.lattice import Axis, Lattice, Point, lattice_of
from flushproof.model.errors import FlushproofError
from flushproof.model.ir.trace import Trace
from flushproof.model.language.instantiate import instantiate, settings, sizes_of
from flushproof.proving import ProofRequest
from flushproof.proving import run as prove
from flushproof.result import HOLDS, VIOLATED, CertificateError, NoVerdict, Result
from flushproof.search.chances import Workload
from flushproof.search.explore import explore
from flushproof.search.task import Limits, Points
from flushproof.workloads import refuse_strange

EXPLAINED = 4
"""Of so many of the weakest policies each step down is explained, and each is searched through by `check` once more."""

LARGER_STATES = 1_000_000
"""So many states are looked at, of each larger size, for all of the weakest policies together."""

Need = Literal["necessary", "can be weakened", "redundant", "a choice", "not known"]


@dataclass(frozen=True)
class Why:
    """One step from a policy: one knob with another value.

    safe: whether all properties hold after it; None where no limit let one say.
    trace: a shortest one that shows why not; None where a limit came before it was found.
    proved: with `any_size`, whether it was proved safe for any number of elements; None where that was not asked.
    breaks: the larger sizes at which the policy after it is not safe, where it is safe here.
    """

    knob: str
    value: str
    other: str
    point: Point
    safe: bool | None
    trace: Trace | None = None
    proved: bool | None = None
    breaks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Weakest:
    """Safe policies of which nothing can be weaker; several, if they differ in knobs without an order alone, and any value will do.

    values: of each knob, the values that it may have; points: the policies, the first of which stands for all.
    result: of `check` about the first, None where that was not asked; steps: down from it, with what is wrong there.
    breaks: the larger sizes at which it is not safe any more, or not all of the policies are.
    """

    values: Mapping[str, tuple[str, ...]]
    points: tuple[Point, ...]
    result: Result | None = None
    steps: tuple[Why, ...] = ()
    breaks: tuple[str, ...] = ()

    @property
    def point(self) -> Point:
        """The policy that stands for all."""
        return self.points[0]

    @property
    def text(self) -> str:
        """`flush=local way=any`."""
        return " ".join(f"{name}={some[0] if len(some) == 1 else 'any'}" for name, some in self.values.items())


@dataclass(frozen=True)
class Needed:
    """What a policy's value of one knob is for.

    need: "redundant": the weakest value is safe as well; "can be weakened": some weaker one is; "a choice": some other one is, that
        is declared to be neither weaker nor stronger; "necessary": none of these is; "not known": a limit left open whether one is.
    others: those other values; the ones that are declared to be weaker first.
    """

    knob: str
    value: str
    need: Need
    others: tuple[Why, ...]


@dataclass(frozen=True)
class Judgement:
    """One policy of the lattice: whether it is safe, with a shortest trace if not, and what each of its knobs is for.

    breaks: the larger sizes at which it is not safe any more.
    """

    point: Point
    result: Result
    needed: tuple[Needed, ...] = ()
    breaks: tuple[str, ...] = ()

    @property
    def redundant(self) -> tuple[str, ...]:
        """The knobs that may have a weaker value, by themselves."""
        return tuple(n.knob for n in self.needed if n.need in ("redundant", "can be weakened"))

    @property
    def unknown(self) -> tuple[str, ...]:
        """The knobs of which a limit left open whether they may have another value."""
        return tuple(n.knob for n in self.needed if n.need == "not known")


@dataclass(frozen=True)
class Larger:
    """A larger size at which the weakest policies were searched through again; the one that was asked about, too, and its others.

    states: how many were found; complete: whether those are all; rows: whether all policies of each row were searched through, and
        not the first ones alone; broken: the policies that are not safe there, with a trace.
    """

    sizes: Mapping[str, int]
    states: int
    complete: bool
    broken: Mapping[Point, Trace]
    rows: bool = True


@dataclass(frozen=True)
class Answer:
    """All that is said of a lattice.

    weakest: the weakest safe policies, the first few explained; judged: the policy that was asked about, if one was.
    larger: the next larger sizes.
    """

    decided: Decided
    properties: tuple[str, ...]
    weakest: tuple[Weakest, ...]
    judged: Judgement | None = None
    larger: tuple[Larger, ...] = ()
    interrupted: bool = field(default=False)

    @property
    def lattice(self) -> Lattice:
        return self.decided.lattice

    @property
    def complete(self) -> bool:
        return self.decided.reason is None and not self.interrupted

    @property
    def stopped_by_user(self) -> bool:
        """Whether an interrupt came first, so that nothing else is to be begun."""
        return self.interrupted


@dataclass(frozen=True)
class Question:
    """What is asked of a system's policies.

    system, policy, knobs, sizes, free: as in `lattice_of`; properties, limits: as in `Laboratory`.
    any_size: have the prover lift what is redundant to any number of elements.
    larger: how many states of each larger size to look at; 0 for none.
    workload: what costs are to be measured under afterwards; none is, here.
    """

    system: type[Any]
    policy: str | None = None
    knobs: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[str, str | int] = field(default_factory=dict)
    free: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    any_size: bool = False
    larger: int = LARGER_STATES
    workload: Workload | None = None

    def lattice(self) -> Lattice:
        """What it is about.

        Raises:
            FlushproofError: there is no such knob or policy; no open knob changes anything; nothing of the workload happens.
        """
        lattice = lattice_of(self.system, self.policy, self.knobs, self.sizes, self.free, apart=True)
        if not lattice.axes:
            raise FlushproofError(f"{lattice}: nothing depends on the open knobs here: {', '.join(lattice.idle)}")
        if self.workload is not None and not lattice.apart:  # before all that searching, and not only when it is measured
            counted = instantiate(self.system, self.policy, self.knobs, self.sizes, free=lattice.names, events=True)
            refuse_strange(self.workload, (counted,))
        return lattice


def answer(question: Question, told: Callable[[Told | str], None] | None = None) -> Answer:
    """Decides the lattice, and finds the reasons.

    told: is told how far it has come.

    Raises:
        FlushproofError: as `Question.lattice`; there is no such property.
        AuditError, CertificateError: two readings of the system differ.
    """
    return Judge(question, question.lattice(), told).answer()


class Judge:
    """Asks a laboratory, and `check`, about the policies of one lattice."""

    def __init__(self, question: Question, lattice: Lattice, told: Callable[[Told | str], None] | None) -> None:
        self.question, self.told = question, told
        kind = Apart if lattice.apart else Laboratory
        self.laboratory = kind(lattice, question.properties, question.limits, told, (os.cpu_count() or 1) > 1)

    def answer(self) -> Answer:
        try:
            return self._answer()
        finally:
            self.laboratory.close()

    def _answer(self) -> Answer:
        decided = self.laboratory.decide(certify=False)
        weakest = list(merged(decided.lattice, decided.weakest))
        judged: Judgement | None = None
        larger: list[Larger] = []
        interrupted = decided.reason == INTERRUPTED
        try:
            while not interrupted:
                refuted = len(decided.refuted)
                self._tell("searching through the weakest policies once more")
                for number, one in enumerate(self._explained(weakest[:EXPLAINED])):
                    weakest[number] = one
                if self.question.policy is not None:
                    self._tell("asking what of the policy is needed")
                    judged = self._judged(decided.lattice.base)
                if len(decided.refuted) == refuted:
                    break
                self.laboratory.decide(certify=False)  # what rested on an order that is refuted is open again
                weakest = list(merged(decided.lattice, decided.weakest))
                interrupted = decided.reason == INTERRUPTED
            if self.question.larger and not interrupted:
                points = list(_candidates(weakest, judged))
                larger.extend(self._larger(points, [p for one in weakest for p in one.points if p not in points]))
            if not interrupted and not decided.confirmed:
                self._tell("waiting for Z3 to confirm the traces")
                self.laboratory.certify()
        except KeyboardInterrupt:
            interrupted = True
        broken = tuple(self._broken(one, larger) for one in weakest)
        judged = None if judged is None else self._judged_at(judged, larger)
        return Answer(decided, self.question.properties, broken, judged, tuple(larger), interrupted)

    def _tell(self, text: str) -> None:
        if self.told is not None:
            self.told(text)

    @property
    def lattice(self) -> Lattice:
        return self.laboratory.decided.lattice

    # ------------------------------------------------------------------------------------------------------------- reasons

    def _explained(self, weakest: Sequence[Weakest]) -> Iterator[Weakest]:
        for one, result in zip(weakest, self.checked([w.point for w in weakest]), strict=True):
            steps = [self._why(one.point, below) for below in self.lattice.below(one.point)]
            yield replace(one, result=result, steps=tuple(steps))

    def checked(self, points: Sequence[Point]) -> list[Result]:
        """What `check` says of these policies.

        Raises:
            AuditError: it says something else than the laboratory.
            KeyboardInterrupt: one of them was interrupted.
        """
        found = []
        for point, result in zip(points, run_all([self._request(p) for p in points], _jobs(len(points))), strict=True):
            if isinstance(result, NoVerdict):
                raise CertificateError(result.reason) if result.internal else FlushproofError(result.reason)
            if result.interrupted:
                raise KeyboardInterrupt
            decided = self.laboratory.decided
            known = {HOLDS: not decided.unsafe[point], VIOLATED: not decided.safe[point]}
            if not known.get(result.verdict, True):
                raise AuditError(
                    f"check says of {self.lattice.text(point)} that it is {result.verdict}; the laboratory does not"
                )
            found.append(result)
        return found

    def _request(self, point: Point) -> Request:
        q, decided = self.question, self.laboratory.decided
        # The time is for what is not known: of these `check` finds out what was found out before.
        seconds = None if decided.safe[point] or decided.unsafe[point] else self.laboratory.seconds_left()
        return Request(
            q.system,
            q.policy,
            self.lattice.set(point),
            q.sizes,
            q.properties,
            limits=Limits(q.limits.states, q.limits.memory_bytes, seconds),
        )

    def _why(self, point: Point, other: Point) -> Why:
        trace = self.laboratory.explain(other)
        decided = self.laboratory.decided
        safe = True if decided.safe[other] else False if decided.unsafe[other] else None
        (knob, value), *_ = self.lattice.differs(point, other).items()
        return Why(knob, value, self.lattice.text(other)[knob], other, safe, trace)

    def _judged(self, point: Point) -> Judgement:
        (result,) = self.checked([point])
        if result.verdict != HOLDS:
            return Judgement(point, result)
        needed = (self._needed(point, n, a) for n, a in enumerate(self.lattice.axes))
        return Judgement(point, result, tuple(n for n in needed if n.others))

    def _needed(self, point: Point, number: int, axis: Axis) -> Needed:
        """What its value on one axis is for; without others where there is nothing but stronger ones."""
        value = point[number]
        weaker = sorted(axis.weaker[value] - {value}, key=axis.height, reverse=True)
        rest = [v for v in range(len(axis.texts)) if v not in axis.weaker[value] and value not in axis.weaker[v]]
        whys = {v: self._why(point, (*point[:number], v, *point[number + 1 :])) for v in (*weaker, *rest)}
        safe = [v for v in weaker if whys[v].safe]
        need: Need = "necessary"
        if safe:
            need = "redundant" if set(axis.weakest(value)) & set(safe) else "can be weakened"
        elif any(whys[v].safe is None for v in weaker):
            need = "not known"
        elif any(whys[v].safe for v in rest):
            need = "a choice"
        elif any(whys[v].safe is None for v in rest):
            need = "not known"
        if self.question.any_size:
            whys.update({v: replace(whys[v], proved=self._proved(whys[v])) for v in safe})
        return Needed(axis.name, axis.texts[value], need, tuple(whys.values()))

    def _proved(self, why: Why) -> bool:
        """Whether the prover shows for any number of elements that the policy after this step is safe."""
        q = self.question
        self._tell(f"proving {why.knob}={why.other} for any size")
        knobs = self.lattice.set(why.point)
        return prove(ProofRequest(q.system, q.policy, knobs, q.sizes, q.properties, by="induction")).kind == "any-size"

    # -------------------------------------------------------------------------------------------------------- larger sizes

    def _larger(self, points: Sequence[Point], others: Sequence[Point] = ()) -> Iterator[Larger]:
        """Each sort with one element more, in turn; the others with the states that are left of the limit."""
        sizes = sizes_of(self.lattice.instance.system, self.question.sizes)
        for sort, count in sizes.items() if points else ():
            if self.laboratory.late():
                yield Larger({**sizes, sort: count + 1}, 0, False, {})
                continue
            self._tell(f"searching through the weakest policies at {sort.lower()}={count + 1}")
            try:
                found = self._at({**sizes, sort: count + 1}, points, self.question.larger)
                left = self.question.larger - found.states
                if others and found.complete and left > 0 and not self.laboratory.late():
                    more = self._at(found.sizes, others, left)
                    broken = {**found.broken, **more.broken}
                    yield replace(found, states=found.states + more.states, rows=more.complete, broken=broken)
                else:
                    yield replace(found, rows=not others)
            except FlushproofError:  # too large for one state even
                continue

    def _at(self, sizes: Mapping[str, int], points: Sequence[Point], most: int) -> Larger:
        q, broken, states = self.question, dict[Point, Trace](), 0
        lattice = lattice_of(q.system, q.policy, q.knobs, sizes, self.lattice.names, apart=self.lattice.apart)
        if lattice.apart:
            return self._each_at(lattice, points, most)
        # A knob on which nothing depends at these sizes has no axis: policies that differ in it are one here.
        axes = [self.lattice.names.index(name) for name in lattice.names]
        there = {point: tuple(point[axis] for axis in axes) for point in points}
        left = list(dict.fromkeys(there.values()))
        while left:
            outcome = explore(
                lattice.instance,
                properties=looked_for(q.properties),
                limits=Limits(most, q.limits.memory_bytes, self.laboratory.seconds_left()),
                engine=self.laboratory.engine,
                points=Points(lattice.names, tuple(left)) if axes else None,
            )
            raise_interrupt(outcome)
            states = outcome.states
            if outcome.trace is None:
                return Larger(sizes, states, outcome.verdict == HOLDS, broken)
            own = tuple(outcome.trace.initial[lattice.instance.slot(name)] for name in lattice.names)
            left.remove(own)
            trace = confirmed(outcome.trace)
            broken.update({point: trace for point, at in there.items() if at == own})
        return Larger(sizes, states, True, broken)


    def _broken(self, one: Weakest, larger: Sequence[Larger]) -> Weakest:
        """The same, with the sizes at which it is not safe; where that is so of some of its policies, with the first of those."""
        breaks = []
        for at in larger:
            broken = [point for point in one.points if point in at.broken]
            some = self.lattice.text(broken[0]) if broken and len(broken) < len(one.points) else {}
            free = {name: text for name, text in some.items() if len(one.values[name]) > 1}
            if broken:
                breaks.append(settings({}, at.sizes) + (f" with {settings(free)}" if free else ""))
        return replace(one, breaks=tuple(breaks))

    def _judged_at(self, judged: Judgement, larger: Sequence[Larger]) -> Judgement:
        """The same, with the sizes at which it is not safe, or what may be instead is not.

        Raises:
            AuditError: something was proved for any size.
        """

        def breaks(point: Point) -> tuple[str, ...]:
            return tuple(settings({}, at.sizes) for at in larger if point in at.broken)

        def with_sizes(why: Why) -> Why:
            sizes = breaks(why.point)
            if why.proved and sizes:
                raise AuditError(f"{why.knob}={why.other} is proved safe for any size, and there is a trace at {sizes[0]}")
            return replace(why, breaks=sizes)

        needed = (replace(n, others=tuple(map(with_sizes, n.others))) for n in judged.needed)
        return replace(judged, needed=tuple(needed), breaks=breaks(judged.point))

    def _each_at(self, lattice: Lattice, points: Sequence[Point], most: int) -> Larger:
        """The same of policies each of which is an instance of its own."""
        q, broken, states, complete = self.question, dict[Point, Trace](), 0, True
        for point in points:
            outcome = explore(
                lattice.at(point),
                properties=looked_for(q.properties),
                limits=Limits(max(1, most - states), q.limits.memory_bytes, self.laboratory.seconds_left()),
                engine=self.laboratory.engine,
            )
            raise_interrupt(outcome)
            states += outcome.states
            complete = complete and outcome.verdict != "inconclusive"
            if outcome.trace is not None:
                broken[point] = confirmed(outcome.trace)
        return Larger(lattice.instance.sizes, states, complete, broken)


def _candidates(weakest: Sequence[Weakest], judged: Judgement | None) -> Iterator[Point]:
    """What is said to be safe, and is to be searched through at larger sizes; of each row the first policy."""
    found = [one.point for one in weakest]
    if judged is not None and judged.result.verdict == HOLDS:
        found += [judged.point, *(why.point for needed in judged.needed for why in needed.others if why.safe)]
    yield from dict.fromkeys(found)


def merged(lattice: Lattice, points: Sequence[Point]) -> Iterator[Weakest]:
    """Policies that differ only in knobs without an order, of which every value occurs, as one."""
    cubes = {tuple(frozenset({value}) for value in point): point for point in points}
    for number, axis in enumerate(lattice.axes):
        if axis.ordered:
            continue
        every = frozenset(range(len(axis.texts)))
        groups: dict[Any, dict[Any, Point]] = {}
        for cube, point in cubes.items():
            groups.setdefault((cube[:number], cube[number + 1 :]), {})[cube[number]] = point
        cubes = {}
        for (before, after), members in groups.items():
            whole = frozenset().union(*members) == every
            for values, point in [(every, min(members.values()))] if whole else members.items():
                cubes[(*before, values, *after)] = point
    base = lattice.base
    order = sorted(cubes.items(), key=lambda c: (sum(v != w for v, w in zip(c[1], base, strict=True)), c[1]))
    for cube, _ in order:
        values = {a.name: tuple(a.texts[v] for v in sorted(some)) for a, some in zip(lattice.axes, cube, strict=True)}
        yield Weakest(values, tuple(itertools.product(*map(sorted, cube))))


def values_that_are_safe(decided: Decided) -> Iterator[tuple[str, str, int, int]]:
    """Of each value of each knob: how many policies with it are safe, of how many."""
    holds = decided.holds
    for number, axis in enumerate(decided.lattice.axes):
        for value, text in enumerate(axis.texts):
            part = np.take(holds, value, axis=number)
            yield axis.name, text, int(np.count_nonzero(part)), part.size


def _jobs(things: int) -> int:
    return 1 if things < 3 else min(things, os.cpu_count() or 1)
