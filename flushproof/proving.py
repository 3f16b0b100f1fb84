"""Proving for any number of elements: lemmas checked by exploring, the induction asked of Z3, and what is left said plainly.

A proof is one of three kinds, and never called by another's name: "any-size" (an inductive invariant, for every number of CPUs,
VMs and whatever else the system counts), "finite" (every reachable state at the sizes of one instance), "bounded" (every state
within so many steps of an initial one, at these sizes).

Long because every way to prove ends in one result, and each says what it leaves open.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any, Literal

from flushproof.audit_proof import Audited, audit
from flushproof.auditing import DEFAULT, Amount, Audit, Auditor
from flushproof.checking import certified, source_of
from flushproof.engines import engine_of
from flushproof.model import ir
from flushproof.model.errors import FlushproofError, nearest
from flushproof.model.ir import Property
from flushproof.model.ir.instance import Instance, State
from flushproof.model.language.declare import Expect, Knob, System, by_name, system_name
from flushproof.model.language.instantiate import given_system, instantiate, knob_values, settings
from flushproof.model.language.load import shipped
from flushproof.processes import each
from flushproof.properties.formulas.conjuncts import AT_REST, named_elements, resting
from flushproof.properties.induction import certificates
from flushproof.properties.induction.counterexample import where_it_begins
from flushproof.properties.induction.induction import Proof, sizes_to_begin_with
from flushproof.properties.induction.induction import Result as Answered
from flushproof.properties.induction.induction import prove as induction
from flushproof.properties.induction.unrolling import Bounded, check_bounded, k_induction
from flushproof.properties.lemmas.search import INTERRUPTED, Effort, Inference, Sample, infer, sample_sizes
from flushproof.result import HOLDS, INCONCLUSIVE, VIOLATED, NoVerdict, Verdict, result_or_reason
from flushproof.search.explore import Searched, explore, never_takes_over, takes_over
from flushproof.search.native.library import MOST_PROPERTIES
from flushproof.search.outcome import Outcome, Violated
from flushproof.search.reductions.symmetry import Symmetry
from flushproof.search.reference.interpreter import Reference
from flushproof.search.task import NO_DEADLOCK, WELL_DEFINED, Limits, Progress

Kind = Literal["any-size", "finite", "bounded"]
KINDS: tuple[Kind, ...] = ("any-size", "finite", "bounded")
"""From the strongest to the weakest."""

Means = Literal["induction", "exploring", "k-induction", "bounded model checking"]
Way = Literal["auto", "induction", "k-induction", "bounded"]

def of_one_size(system: ir.System) -> str:
    """Why nothing is proved for any size of a system that speaks of sizes."""
    names = ", ".join(sorted(system.sized))
    return (
        f"the system speaks of how many elements there are of {names} (a Range that ends at a size, size(), count(), sum(), or "
        "next()), so it is another system at each size, and nothing is proved for any size; any(...) and all(...) speak of no size"
    )


REMEMBERED = 500_000
"""States of one size that are kept, to tell whether the one of a counterexample is among them."""

ALL_LEMMAS = "all"

SECONDS_TO_BEGIN = 10.0
"""For Z3, to find an initial state at one size."""

SAMPLE_STATES, SAMPLE_SECONDS = 50_000, 5.0
"""Of each sample of reachable states for the search for lemmas."""


@dataclass(frozen=True)
class ProofRequest:
    """What is to be proved: a system under one policy, its properties by name (all invariants, if none is named).

    by: "induction" explores, and proves for any size; "auto" has Z3 unroll steps as well, where neither comes to an end;
        "k-induction" and "bounded" have it do so at once, without exploring.
    sizes: at which the policy and the lemmas are explored, or steps unrolled; limits: of that exploring, and how many seconds to
        unroll.
    depth: how many steps are unrolled at most.
    infer: how many seconds to look for lemmas, where those that the system has do not suffice; None or 0 for not at all.
    without: lemmas of the system, by name, that are not used; `ALL_LEMMAS` stands for every one that somebody wrote.
    told: is told what is done, in a few words, every now and then.
    audit: how much is read again by another way; None for nothing.
    """

    system: type[System]
    policy: str | None = None
    knobs: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[Any, str | int] = field(default_factory=dict)
    properties: tuple[str, ...] = ()
    limits: Limits = field(default_factory=lambda: Limits(seconds=120.0))
    infer: float | None = None
    by: Way = "auto"
    depth: int = 20
    without: tuple[str, ...] = ()
    progress: Callable[[Progress], None] | None = None
    told: Callable[[str], None] | None = None
    audit: Amount | None = DEFAULT

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", by_name(self.sizes))

    def __str__(self) -> str:
        return " ".join(filter(None, [system_name(self.system), self.policy, settings(self.knobs, self.sizes)]))


@dataclass(frozen=True)
class Shown:
    """What was shown of one property, and by which means.

    depth: for "bounded", the steps from an initial state within which nothing violates it; for k-induction, k.
    """

    kind: Kind
    by: Means
    depth: int | None = None


@dataclass(frozen=True)
class ProofResult:
    """What became of it.

    verdict: "holds" for any size, or at these sizes where k-induction was asked for; "violated" with a trace; otherwise
        "inconclusive", and `shown` says what is known all the same.
    shown: the strongest that was shown of each property; without those of which nothing was.
    violated: the violated property with its trace, if one is.
    explored: the search at the instance's sizes, of the properties and the lemmas together; None if none was asked for.
    wrong_lemmas: lemmas with a trace to a reachable state in which they do not hold.
    proof: the induction; None where the policy is violated, and where it was not asked for.
    inference: the search for lemmas, where one was made; `proof` is then its proof.
    settings: what was asked for besides the policy, as on the command line: `fb=off cpu=3`.
    audit: what was read again by another way, and agreed; None where nothing was to be.
    given: the knobs that have other values than the policy says.
    reason: why there is no verdict, or no more than there is: no initial state, an interrupt, a system of one size.
    elements: what is proved for any size is proved for at least so many elements of these sorts, which literals name.
    audited: how what is proved for any size was looked at again; None where it was not.
    source: how to load the system again: its name, or `path/to/file.py:Class`.
    lemmas: those that somebody wrote, by name, but for those that were to be left out.
    """

    instance: Instance
    verdict: Verdict
    properties: tuple[str, ...]
    shown: Mapping[str, Shown]
    violated: Violated | None
    explored: Outcome | None
    wrong_lemmas: tuple[Violated, ...]
    proof: Proof | None
    seconds: float
    inference: Inference | None = None
    settings: str = ""
    audit: Audit | None = None
    given: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None
    elements: Mapping[str, int] = field(default_factory=dict)
    audited: Audited | None = None
    source: str = ""
    lemmas: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """`<ProofResult: kvm-vcpu-switch last-ran: holds (any-size)>`."""
        what = " ".join(filter(None, [self.instance.system.name, self.instance.policy, self.settings]))
        return f"<ProofResult: {what}: {self.verdict}{f' ({self.kind})' if self.kind else ''}>"

    def _repr_html_(self) -> str:
        """The page of the proof, for a notebook."""
        # Reports stand above what they report: the page is found by name, once a notebook asks for it.
        return str(import_module("flushproof.objects").framed(self))

    @property
    def kind(self) -> Kind | None:
        """The weakest of what was shown of the properties; None where nothing was shown of one."""
        if self.violated is not None or not all(name in self.shown for name in self.properties):
            return None
        return max((s.kind for s in self.shown.values()), key=KINDS.index, default=None)

    @property
    def proved(self) -> tuple[str, ...]:
        """The properties that hold for any number of elements."""
        return tuple(n for n in self.properties if n in self.shown and self.shown[n].kind == "any-size")

    @property
    def not_needed(self) -> tuple[str, ...]:
        """Where all is proved: the written lemmas that no property rests on, without those that are wrong."""
        if self.proof is None or not self.proof.proved:
            return ()
        used = {c.of for c in self.proof.used()} | {v.property for v in self.wrong_lemmas}
        return tuple(name for name in self.lemmas if name not in used)


def prove(
    system: str | type[System],
    policy: str | None = None,
    *,
    knobs: Mapping[str, Any] | None = None,
    sizes: Mapping[Any, str | int] | None = None,
    properties: Sequence[str] = (),
    limits: Limits = Limits(seconds=120.0),  # noqa: B008 - frozen
    seconds_to_infer: float | None = None,
    by: Way = "auto",
    depth: int = 20,
    progress: Callable[[Progress], None] | None = None,
    audit: Amount | None = DEFAULT,
) -> ProofResult:
    """Proves a system's properties for any number of elements, or says what is missing; see `ProofRequest`.

    Raises:
        FlushproofError: a name or value that does not exist, a system that does not compile.
    """
    cls = given_system(system)
    return run(
        ProofRequest(
            cls,
            policy,
            knobs or {},
            sizes or {},
            tuple(properties),
            limits,
            infer=seconds_to_infer,
            by=by,
            depth=depth,
            progress=progress,
            audit=audit,
        )
    )


def run(request: ProofRequest) -> ProofResult:
    """Carries out a request; see `prove`.

    Raises:
        FlushproofError: a name or value that does not exist, a system that does not compile.
    """
    return _Run(request).result()


class _Run:
    """One request, way by way: each looks at the properties that are left."""

    def __init__(self, request: ProofRequest) -> None:
        self.request = request
        self.started = time.monotonic()
        self.told = request.told or (lambda _: None)
        self.instance = instantiate(request.system, request.policy, request.knobs, request.sizes, lemmas=True)
        self.wanted = _wanted(self.instance, request.properties)
        self.lemmas = _lemmas(self.instance, request.without)
        self.auditor = (
            Auditor(request.system, self.instance, request.policy, request.knobs, request.audit)
            if request.audit
            else None
        )
        self.given = _given(request.system, self.instance)
        self.shown: dict[str, Shown] = {}
        self.violated: Violated | None = None
        self.explored: Outcome | None = None
        self.wrong: tuple[Violated, ...] = ()
        self.refuted: list[Property] = []
        self.proof: Proof | None = None
        self.inference: Inference | None = None
        self.reason: str | None = None
        self.audited: Audited | None = None
        self.doing = ""

    def result(self) -> ProofResult:
        if self.auditor:
            self.auditor.walk()
        try:
            self._carry_out()
        except KeyboardInterrupt:
            self.reason = f"interrupted while {self.doing}"
        return ProofResult(
            self.instance,
            self._verdict(),
            tuple(p.name for p in self.wanted),
            self.shown,
            self.violated,
            self.explored,
            self.wrong,
            None if self.violated is not None else self.proof,
            time.monotonic() - self.started,
            self.inference,
            settings(self.request.knobs, self.request.sizes),
            self.auditor.done() if self.auditor else None,
            self.given,
            self.reason,
            {} if self.proof is None else named_elements(self.instance.system, self.proof.inductive),
            self.audited,
            source_of(self.request.system),
            tuple(lemma.name for lemma in self.lemmas if written(lemma.name)),
        )

    def _carry_out(self) -> None:
        by = self.request.by
        self._now("looking for an initial state")
        others = () if self.instance.system.sized else sizes_to_begin_with(self.instance.system)
        where = where_it_begins(self.instance.system, (self.instance, *others), SECONDS_TO_BEGIN)
        if where is None:
            self.reason = (
                "no initial state: what is asked of the rigid maps and of `init` cannot be met, at these or other small sizes"
            )
            return
        if self.instance.system.handover is not None and not takes_over(self.instance, engine_of(), self.request.limits):
            self.reason = never_takes_over(self.instance)
            return
        if by in ("auto", "induction"):
            self._now("exploring")
            self._explore()
        if self.violated is None and self.instance.system.sized and by != "bounded":
            self.reason = of_one_size(self.instance.system)
        elif self.violated is None and by != "bounded":
            self._now("asking Z3 about any size")
            self._by_induction()
        if self.violated is None and by != "induction":
            self._now("unrolling steps")
            self._unroll()
        proved = [name for name, shown in self.shown.items() if shown.kind == "any-size"]
        if self.violated is None and proved and self.request.audit:
            assert self.proof is not None
            self._now("auditing the proof")
            certificate = certificates.certificate(self.proof, self.instance, self.given)
            self.audited = audit(self.instance, proved, certificate, source_of(self.request.system))

    def _now(self, doing: str) -> None:
        self.doing = doing
        self.told(doing)

    def _verdict(self) -> Verdict:
        if self.violated is not None:
            return VIOLATED
        enough = ("any-size", "finite") if self.request.by == "k-induction" else ("any-size",)
        done = all(p.name in self.shown and self.shown[p.name].kind in enough for p in self.wanted)
        return HOLDS if done else INCONCLUSIVE

    def _left(self) -> list[Property]:
        """The properties that hold neither for any size nor in all reachable states at these sizes, as far as is known."""
        return [p for p in self.wanted if p.name not in self.shown or self.shown[p.name].kind == "bounded"]

    def _explore(self) -> None:
        claims = (*self.wanted, *self.lemmas)
        audit_stored = self.auditor.stored if self.auditor else None
        self.explored, met = _explored(self.instance, claims, self.request, audit_stored)
        # Where the model itself makes no sense, nothing that it says is a proof; nor where it comes to a halt, unless that was
        # not asked about.
        built_in = [WELL_DEFINED] if self.request.properties else [WELL_DEFINED, NO_DEADLOCK]
        decisive = [*(v for claim, v in met if claim in self.wanted), *(v for _, v in met if v.property in built_in)]
        self.violated = next(iter(decisive), None)
        self.refuted = [claim for claim, _ in met if claim is not None and claim not in self.wanted]
        self.wrong = tuple(v for claim, v in met if claim in self.refuted)
        for prop in self.wanted if self.violated is None else ():
            if self.explored.complete:
                self.shown[prop.name] = Shown("finite", "exploring")
            elif self.explored.depth > 0:  # states of the last level were not all found
                self.shown[prop.name] = Shown("bounded", "exploring", self.explored.depth - 1)
        if "an interrupt" in (self.explored.reason or ""):
            raise KeyboardInterrupt

    def _by_induction(self) -> None:
        system, request = self.instance.system, self.request
        right = tuple(lemma for lemma in self.lemmas if lemma not in self.refuted)
        reached = Reached(request.limits).includes
        told = _Counted(self.told).answered
        searching = bool(request.infer) and request.by != "k-induction"
        # a search begins with the same questions at small sizes: asked of Z3 first they only cost time where nothing was written
        if not searching or any(written(p.name) for p in right):
            self._conclude(induction(system, self.wanted, right, reachable=None if searching else reached, progress=told))
        # With these, counterexamples are states in which the hardware has done what it does by itself; where nothing is missing
        # they only cost time.
        right += tuple(resting(system))
        if not searching and self.proof is not None and not self.proof.proved and system.settle.updates:
            self._conclude(induction(system, self.wanted, right, reachable=reached, progress=told))
        if searching and (self.proof is None or not self.proof.proved):
            seconds = request.infer or 0.0
            self._now("looking for lemmas")
            found = infer(
                system,
                self.wanted,
                samples(system, seconds),
                right,
                effort=Effort(seconds=seconds),
                progress=request.told,
            )
            self.inference = found
            if found.ended == INTERRUPTED:
                raise KeyboardInterrupt
            if found.proof is not None and found.proof.proved:
                self._conclude(found.proof)
            else:  # say of each counterexample whether it is reached
                self._now("asking Z3 about any size")
                with_them = found.lemmas if found.proof is not None else right
                self._conclude(induction(system, self.wanted, with_them, reachable=reached, progress=told))

    def _conclude(self, proof: Proof) -> None:
        # a search that has given up lemmas may end with fewer than it was given: what was proved before stays proved
        if self.proof is None or sum(proof.properties.values()) >= sum(self.proof.properties.values()):
            self.proof = proof
        for name, proved in proof.properties.items():
            if proved:
                self.shown[name] = Shown("any-size", "induction")

    def _unroll(self) -> None:
        """Z3 unrolls the steps from the initial states, and by k-induction, at these sizes."""
        deadline = time.monotonic() + (self.request.limits.seconds or 120.0)
        left = self._left()
        for number, prop in enumerate(left):
            seconds = (deadline - time.monotonic()) / (len(left) - number)
            found = self._unrolled(prop, seconds)
            if found.trace is not None:
                self.violated = Violated(prop.name, found.depth, certified(found.trace))
                return
            known = self.shown.get(prop.name)
            if found.kind == "finite":
                self.shown[prop.name] = Shown("finite", "k-induction", found.depth)
            elif found.depth >= 0 and (known is None or (known.depth or 0) < found.depth):
                self.shown[prop.name] = Shown("bounded", "bounded model checking", found.depth)

    def _unrolled(self, prop: Property, seconds: float) -> Bounded:
        depth = self.request.depth

        def told(step: int) -> None:
            self.told(f"{prop.name}: unrolling {step} steps")

        if self.request.by == "bounded":
            return check_bounded(self.instance, prop, depth, seconds, told)
        known = [] if self.proof is None else [Property(c.name, (c.clause,)) for c in self.proof.inductive]
        return k_induction(self.instance, prop, depth, known, seconds, told)


def _given(cls: type[System], instance: Instance) -> dict[str, str]:
    usual = knob_values(cls, instance.policy, {})
    return {name: text for name, text in instance.knobs.items() if text != Knob.text(usual[name])}


class _Counted:
    """Tells how many questions of an induction are answered."""

    def __init__(self, told: Callable[[str], None]) -> None:
        self.told, self.count = told, 0

    def answered(self, result: Answered) -> None:
        self.count += 1
        self.told(f"{self.count} questions answered, now at {result.conjunct.name}")


def samples(system: ir.System, seconds: float = 60.0) -> Iterator[Sample]:
    """Reachable states at small sizes, from which lemmas are guessed and by which wrong guesses are caught.

    seconds: of the whole search for lemmas, of which no sample takes more than a part.
    """
    for sizes in sample_sizes(system):
        instance, states = Instance(system, sizes), list[State]()
        limits = Limits(states=SAMPLE_STATES, seconds=min(SAMPLE_SECONDS, seconds / 12))
        found = explore(instance, properties=[], limits=limits, on_state=states.append, engine=engine_of())
        if "an interrupt" in (found.reason or ""):
            raise KeyboardInterrupt
        yield Sample(instance, states)


def written(lemma: str) -> bool:
    """Whether somebody wrote the lemma of this name, rather than that it holds by construction: of a process's stored local, or of
    what hardware does by itself."""
    return not lemma.endswith(AT_REST) and not ("." in lemma and lemma.endswith(("-set", "-unset")))


def _lemmas(instance: Instance, without: Sequence[str]) -> tuple[Property, ...]:
    known = instance.system.lemmas
    for name in without:
        if name != ALL_LEMMAS and all(name != lemma.name for lemma in known):
            hint = nearest(name, [lemma.name for lemma in known], "lemmas")
            raise FlushproofError(f"{instance.system.name} has no lemma '{name}' to leave out. {hint}")
    everything = ALL_LEMMAS in without
    return tuple(p for p in known if p.name not in without and not (everything and written(p.name)))


def _wanted(instance: Instance, names: Sequence[str]) -> tuple[Property, ...]:
    invariants = {p.name: p for p in instance.system.properties if p.kind == "invariant"}
    for name in names:
        if name not in invariants:
            hint = nearest(name, invariants, "properties that can be proved")
            raise FlushproofError(f"{instance.system.name} has no invariant '{name}'. {hint}")
    if not invariants:
        raise FlushproofError(
            f"{instance.system.name} has no invariants, and no events that check anything: nothing to prove"
        )
    return tuple(invariants[name] for name in dict.fromkeys(names or invariants))


def _explored(
    instance: Instance,
    claims: Sequence[Property],
    request: ProofRequest,
    audit: Callable[[Searched], None] | None,
) -> tuple[Outcome, list[tuple[Property | None, Violated]]]:
    """Every reachable state at the instance's sizes, looked at for all claims: the first violation of each, certified; of what is
    built in, with None for the claim.

    One search watches a limited number of them; the others are looked at in further ones, of the same states. A search tells
    properties apart by their names, and a lemma may have that of another or of a property: so they get names of their own.
    """
    at_once = MOST_PROPERTIES - 2
    named = {f"claim {number}": claim for number, claim in enumerate(claims)}
    names = list(named)
    parts = [names[first : first + at_once] for first in range(0, len(names), at_once)]
    # "no-deadlock" as the focus keeps the search going after the violation of a claim, so that each gets its own trace.
    found = []
    for part in parts:
        system = replace(instance.system, properties=tuple(replace(named[n], name=n) for n in part), lemmas=())
        outcome = explore(
            replace(instance, system=system),
            properties=[*part, WELL_DEFINED, NO_DEADLOCK],
            focus=NO_DEADLOCK,
            limits=request.limits,
            progress=request.progress,
            audit=audit if part is parts[0] else None,
            engine=engine_of(),
        )
        found.append(outcome)
        if "an interrupt" in (outcome.reason or ""):
            break
    more = [v for outcome in found[1:] for v in outcome.violations if v.property in named]
    shallowest = min(found, key=lambda outcome: (outcome.complete, outcome.depth))
    met = [_under_its_name(v, named.get(v.property)) for v in (*found[0].violations, *more)]
    return replace(shallowest, violations=tuple(v for _, v in met)), met


def _under_its_name(violated: Violated, claim: Property | None) -> tuple[Property | None, Violated]:
    """The violation, certified, under the name that the claim has in the system."""
    trace = certified(violated.trace)
    if claim is None:
        return None, replace(violated, trace=trace)
    alone = replace(trace.instance, system=replace(trace.instance.system, properties=(claim,)))
    return claim, replace(violated, property=claim.name, trace=replace(trace, instance=alone, property=claim.name))


class Reached:
    """Whether a state can be reached: explored once for each size that is asked about."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._known: dict[tuple[tuple[str, int], ...], tuple[set[State], bool, Reference, Symmetry]] = {}

    def includes(self, instance: Instance, state: State) -> bool | None:
        """True or False; None where exploring did not come to an end in time."""
        key = tuple(sorted(instance.sizes.items()))
        if key not in self._known:
            states: set[State] = set()
            limits = Limits(states=REMEMBERED, seconds=min(10.0, self.limits.seconds or 10.0))
            outcome = explore(instance, properties=[], limits=limits, on_state=states.add)
            self._known[key] = (states, outcome.complete, Reference(instance), Symmetry(instance))
        states, complete, reference, symmetry = self._known[key]
        if symmetry.canonical(reference.renamed(state)) in states:
            return True
        return False if complete else None


def run_all(requests: Sequence[ProofRequest], jobs: int = 1, *, apart: bool = False) -> Iterator[ProofResult | NoVerdict]:
    """The result of each request, in order, or what is wrong with it.

    jobs: how many processes; apart: one for each request.  With more than one, nobody is told how far a request has come.
    """
    if jobs == 1 and not apart:
        yield from map(_result_or_reason, requests)
        return
    alone = [replace(request, progress=None, told=None) for request in requests]
    for found in each(_result_or_reason, alone, jobs, apart=apart):
        yield NoVerdict(found) if isinstance(found, str) else found


def _result_or_reason(request: ProofRequest) -> ProofResult | NoVerdict:
    return result_or_reason(run, request)


def promises() -> Iterator[ProofRequest]:
    """Every shipped policy that is said to hold, under each setting that it gives a verdict for."""
    for cls in shipped().values():
        for name, policy in cls.policies.items():
            for expect in (Expect(policy.expect), *policy.also):
                if expect.verdict == "holds":
                    yield ProofRequest(cls, name, expect.knobs, expect.sizes)
