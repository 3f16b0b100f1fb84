"""Proving for any number of elements: lemmas checked by exploring, the induction asked of Z3, and what is left said plainly.

A proof is one of three kinds, and never called by another's name: "any-size" (an inductive invariant, for every number of CPUs,
VMs and whatever else the system counts), "finite" (every reachable state at the sizes of one instance), "bounded" (every state
within so many steps).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from flushproof.checking import certified
from flushproof.engines import engine_of
from flushproof.model.language import ir
from flushproof.model.language.declare import Expect, System
from flushproof.model.language.errors import FlushproofError, nearest
from flushproof.model.language.instance import Instance, State
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.ir import Property
from flushproof.model.language.load import load_system, shipped
from flushproof.properties.induction import Proof
from flushproof.properties.induction import prove as induction
from flushproof.properties.inference import Effort, Inference, Sample, infer, sample_sizes
from flushproof.result import HOLDS, INCONCLUSIVE, VIOLATED, Verdict
from flushproof.search.explore import explore
from flushproof.search.outcome import Outcome, Violated
from flushproof.search.reference import Reference
from flushproof.search.symmetry import Symmetry
from flushproof.search.task import NO_DEADLOCK, Limits, Progress

Kind = Literal["any-size", "finite", "bounded"]

SAMPLE_STATES, SAMPLE_SECONDS = 50_000, 5.0
"""Of each sample of reachable states for the search for lemmas."""


@dataclass(frozen=True)
class ProofRequest:
    """What is to be proved: a system under one policy, its properties by name (all invariants, if none is named).

    sizes: at which the policy and the lemmas are explored first; limits: of that exploring.
    infer: how many seconds to look for lemmas, where those that the system has do not suffice; None or 0 for not at all.
    """

    system: type[System]
    policy: str | None = None
    knobs: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[str, str | int] = field(default_factory=dict)
    properties: tuple[str, ...] = ()
    limits: Limits = field(default_factory=lambda: Limits(seconds=120.0))
    infer: float | None = None
    progress: Callable[[Progress], None] | None = None
    told: Callable[[str], None] | None = None


@dataclass(frozen=True)
class ProofResult:
    """What became of it.

    verdict: "holds" for any size; "violated" with a trace; otherwise "inconclusive", and `kind` says what is known all the same.
    kind: the weakest of what was shown of the properties; None where nothing was.
    explored: the search at the instance's sizes, of the properties and the lemmas together.
    wrong_lemmas: lemmas with a trace to a reachable state in which they do not hold.
    proof: the induction; None where the policy is violated.
    inference: the search for lemmas, where one was made; `proof` is then its proof.
    """

    instance: Instance
    verdict: Verdict
    kind: Kind | None
    properties: tuple[str, ...]
    explored: Outcome
    wrong_lemmas: tuple[Violated, ...]
    proof: Proof | None
    seconds: float
    inference: Inference | None = None

    @property
    def violated(self) -> Violated | None:
        """The violated property, if one is."""
        return next((v for v in self.explored.violations if v.property in self.properties), None)

    @property
    def proved(self) -> tuple[str, ...]:
        """The properties that hold for any number of elements."""
        known = self.proof.properties if self.proof else {}
        return tuple(name for name in self.properties if known.get(name, False))


def prove(
    system: str | type[System],
    policy: str | None = None,
    *,
    knobs: Mapping[str, Any] | None = None,
    sizes: Mapping[str, str | int] | None = None,
    properties: Sequence[str] = (),
    limits: Limits = Limits(seconds=120.0),  # noqa: B008 - frozen
    seconds_to_infer: float | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> ProofResult:
    """Proves a system's properties for any number of elements, or says what is missing; see `ProofRequest`.

    Raises:
        FlushproofError: a name or value that does not exist, a system that does not compile.
    """
    cls = load_system(system) if isinstance(system, str) else system
    return run(
        ProofRequest(cls, policy, knobs or {}, sizes or {}, tuple(properties), limits, seconds_to_infer, progress)
    )


def run(request: ProofRequest) -> ProofResult:
    """Carries out a request; see `prove`."""
    started = time.monotonic()
    instance = instantiate(request.system, request.policy, request.knobs, request.sizes, lemmas=True)
    wanted = _wanted(instance, request.properties)
    lemmas = instance.system.lemmas
    explored = _explored(instance, (*wanted, *lemmas), request)
    names = tuple(p.name for p in wanted)
    claims = [v for v in explored.violations if v.property != NO_DEADLOCK]
    explored = replace(explored, violations=tuple(replace(v, trace=certified(v.trace)) for v in claims))
    wrong = tuple(v for v in explored.violations if v.property not in names)
    if any(v.property in names for v in explored.violations):
        return ProofResult(instance, VIOLATED, None, names, explored, wrong, None, time.monotonic() - started)
    right = [lemma for lemma in lemmas if lemma.name not in {v.property for v in wrong}]
    proof = induction(instance.system, wanted, right, reachable=Reached(request.limits).includes)
    inference = None
    if request.infer and not proof.proved:
        inference = infer(
            instance.system,
            wanted,
            samples(instance.system),
            right,
            effort=Effort(seconds=request.infer),
            progress=request.told,
        )
        proof = inference.proof
    kind: Kind = "any-size" if proof.proved else "finite" if explored.complete else "bounded"
    verdict: Verdict = HOLDS if proof.proved else INCONCLUSIVE
    return ProofResult(instance, verdict, kind, names, explored, wrong, proof, time.monotonic() - started, inference)


def samples(system: ir.System) -> list[Sample]:
    """Reachable states at small sizes, from which lemmas are guessed and by which wrong guesses are caught."""
    found = []
    for sizes in sample_sizes(system):
        instance, states = Instance(system, sizes), list[State]()
        limits = Limits(states=SAMPLE_STATES, seconds=SAMPLE_SECONDS)
        explore(instance, properties=[], limits=limits, on_state=states.append, engine=engine_of())
        if states:  # some sizes leave no initial state
            found.append(Sample(instance, states))
    return found


def _wanted(instance: Instance, names: Sequence[str]) -> tuple[Property, ...]:
    invariants = {p.name: p for p in instance.system.properties if p.kind == "invariant"}
    for name in names:
        if name not in invariants:
            hint = nearest(name, invariants, "properties that can be proved")
            raise FlushproofError(f"{instance.system.name} has no invariant '{name}'. {hint}")
    return tuple(invariants[name] for name in dict.fromkeys(names or invariants))


def _explored(instance: Instance, claims: Sequence[Property], request: ProofRequest) -> Outcome:
    """Every reachable state at the instance's sizes, looked at for all claims: the first violation of each."""
    claimed = replace(instance, system=replace(instance.system, properties=tuple(claims)))
    names = [p.name for p in claims]
    # "no-deadlock" as the focus keeps the search going after the violation of a claim, so that each gets its own trace.
    return explore(
        claimed,
        properties=[*names, NO_DEADLOCK],
        focus=NO_DEADLOCK,
        limits=request.limits,
        progress=request.progress,
        engine=engine_of(),
    )


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
            seconds = min(10.0, self.limits.seconds or 10.0)
            outcome = explore(instance, properties=[], limits=Limits(seconds=seconds), on_state=states.add)
            self._known[key] = (states, outcome.complete, Reference(instance), Symmetry(instance))
        states, complete, reference, symmetry = self._known[key]
        if symmetry.canonical(reference.renamed(state)) in states:
            return True
        return False if complete else None


def promises() -> Iterator[ProofRequest]:
    """Every shipped policy that is said to hold, under each setting that it gives a verdict for."""
    for cls in shipped().values():
        for name, policy in cls.policies.items():
            for expect in (Expect(policy.expect), *policy.also):
                if expect.verdict == "holds":
                    yield ProofRequest(cls, name, expect.knobs, expect.sizes)
