"""Checking a system: load, instantiate, explore, certify.  The command line and the Python API are both made of this."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from flushproof.engines import DEFAULT_ENGINE, Resources, engine_of
from flushproof.model.errors import FlushproofError
from flushproof.model.ir.instance import Instance, State
from flushproof.model.ir.trace import Trace
from flushproof.model.language.declare import Expect, System, system_name
from flushproof.model.language.instantiate import instantiate, knob_values, policy_of, settings
from flushproof.model.language.load import is_shipped, load_system, shipped
from flushproof.processes import each
from flushproof.properties.confirmation.certify import certify
from flushproof.properties.confirmation.decide import decide, reads_slots
from flushproof.result import VIOLATED, Result
from flushproof.search.explore import explore, property_names
from flushproof.search.task import WELL_DEFINED, Limits, Progress


class CertificateError(Exception):
    """Z3 did not confirm a trace: a bug in flushproof, and no verdict about the system."""


@dataclass(frozen=True)
class Request:
    """What is to be checked, and how.

    policy, knobs, sizes: as in `instantiate`.
    properties: their names; all of the system's and the built-in ones if there are none.
    expect: the verdict that is expected ("holds" or a property); None: what the policy declares for these settings.
    symmetry: explore one state of each class of states that differ in the names of interchangeable elements only.
    fuse: take steps that no one else can see together with the one before them: fewer states, but a trace need not be a
        shortest one.
    compact: keep fingerprints of states, where those are smaller; a verdict is then one of high probability.
    bound: do not rename counters by rank, and explore so many of their values only.
    engine: one of `ENGINES`; resources: what it may use of the machine.
    decide_with_z3: let Z3 decide each property as well, on what it reads of each reachable state.
    progress: called a few times a second.
    """

    system: type[System]
    policy: str | None = None
    knobs: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[str, str | int] = field(default_factory=dict)
    properties: tuple[str, ...] = ()
    expect: str | None = None
    symmetry: bool = True
    fuse: bool = False
    compact: bool = False
    bound: int | None = None
    engine: str = DEFAULT_ENGINE
    resources: Resources = field(default_factory=Resources)
    decide_with_z3: bool = False
    limits: Limits = field(default_factory=Limits)
    progress: Callable[[Progress], None] | None = None

    def __str__(self) -> str:
        """`kvm-vcpu-switch last-ran fb=off`."""
        return " ".join(filter(None, [system_name(self.system), self.policy, settings(self.knobs, self.sizes)]))


def check(
    system: str | type[System],
    policy: str | None = None,
    *,
    knobs: Mapping[str, Any] | None = None,
    sizes: Mapping[str, str | int] | None = None,
    properties: Sequence[str] = (),
    symmetry: bool = True,
    fuse: bool = False,
    compact: bool = False,
    bound: int | None = None,
    engine: str = DEFAULT_ENGINE,
    resources: Resources = Resources(),  # noqa: B008 - frozen
    decide_with_z3: bool = False,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    progress: Callable[[Progress], None] | None = None,
) -> Result:
    """Explores every interleaving of a system under one policy; see `Request` for the arguments.

    system: a class, the name of a shipped system, or `path/to/file.py:Class`.

    Raises:
        FlushproofError: a name or value that does not exist, a system that does not compile.
        CertificateError: Z3 did not confirm the trace that was found.
    """
    cls = load_system(system) if isinstance(system, str) else system
    return run(
        Request(
            cls,
            policy,
            knobs or {},
            sizes or {},
            tuple(properties),
            symmetry=symmetry,
            fuse=fuse,
            compact=compact,
            bound=bound,
            engine=engine,
            resources=resources,
            decide_with_z3=decide_with_z3,
            limits=limits,
            progress=progress,
        )
    )


def run(request: Request, on_state: Callable[[State], None] | None = None) -> Result:
    """Carries out a request; see `check`.  on_state: as in `explore`, for who does not let Z3 decide."""
    instance = instantiate(request.system, request.policy, request.knobs, request.sizes)
    # Where a step reads what is not there, no other verdict means anything: "well-defined" is always among the properties.
    names = (
        tuple(dict.fromkeys((*request.properties, WELL_DEFINED))) if request.properties else property_names(instance)
    )
    collected = Collected(instance, names) if request.decide_with_z3 else None
    outcome = explore(
        instance,
        properties=names,
        focus=_focus(request, instance),
        symmetry=request.symmetry,
        fuse=request.fuse,
        bound=request.bound,
        engine=engine_of(request.engine, request.resources, request.compact),
        limits=request.limits,
        progress=request.progress,
        on_state=collected.add if collected else on_state,
    )
    decided = collected.decide({v.property for v in outcome.violations}, outcome.reached) if collected else None
    not_reached = outcome.not_reached if outcome.complete else ()
    missing = next((name for name in not_reached if name in request.properties), None)
    return Result(
        instance=instance,
        source=source_of(request.system),
        verdict=VIOLATED if missing else outcome.verdict,
        checked=names,
        states=outcome.states,
        transitions=outcome.transitions,
        depth=outcome.depth,
        seconds=outcome.seconds,
        violated=outcome.property or missing,
        trace=None if outcome.trace is None else certified(outcome.trace),
        certified=None if outcome.trace is None else True,
        also_violated=tuple(v.property for v in outcome.violations if v.property != outcome.property),
        not_reached=not_reached,
        reason=outcome.reason,
        expected=expected(request),
        symmetry=outcome.symmetry,
        permutations=outcome.group,
        unreduced=outcome.unreduced,
        omission=outcome.omission,
        bound=outcome.bound,
        shortest=outcome.shortest,
        compile_seconds=outcome.compile_seconds,
        fused=outcome.fused,
        engine=outcome.engine,
        decided=decided,
        settings=settings(request.knobs, request.sizes),
        not_permuted=outcome.fixed,
    )


def certified(trace: Trace) -> Trace:
    """The trace, once Z3 has confirmed its initial state, every step and the violation.

    Raises:
        CertificateError: it did not.
    """
    certificate = certify(trace)
    if not certificate.ok:
        where = "" if certificate.step is None else f" at step {certificate.step}"
        raise CertificateError(f"Z3 does not confirm the trace to '{trace.property}'{where}: {certificate.reason}")
    return trace


class Collected:
    """The distinct projections of reachable states onto what each property reads, for Z3 to decide about."""

    def __init__(self, instance: Instance, names: Sequence[str]) -> None:
        self.instance = instance
        self.properties = tuple(p for p in instance.system.properties if p.name in names)
        self._slots = {p.name: reads_slots(instance, p) for p in self.properties}
        self._seen: dict[str, set[tuple[int, ...]]] = {p.name: set() for p in self.properties}

    def add(self, state: State) -> None:
        """Notes a state."""
        for name, slots in self._slots.items():
            self._seen[name].add(tuple([state[i] for i in slots]))

    def decide(self, violated: Collection[str], reached: Collection[str]) -> int:
        """Lets Z3 decide each property; the number of projections.

        Raises:
            CertificateError: it says otherwise than the explorer, which found these violated and those reached.
        """
        for prop in self.properties:
            holds = decide(self.instance, prop, self._seen[prop.name]).holds
            explored = prop.name in reached if prop.kind == "reachable" else prop.name not in violated
            if holds != explored:
                said = "holds" if holds else "does not hold"
                raise CertificateError(
                    f"Z3 decides that '{prop.name}' {said} on the explored states, and the explorer says otherwise"
                )
        return sum(map(len, self._seen.values()))


def expectations(systems: Mapping[str, type[System]] | None = None) -> Iterator[Request]:
    """What every shipped system promises: each policy as it is, and under each further setting that it gives a verdict for."""
    for cls in (shipped() if systems is None else systems).values():
        for name, policy in cls.policies.items():
            for expect in (Expect(policy.expect), *policy.also):
                yield Request(cls, name, expect.knobs, expect.sizes, expect=expect.verdict)


def run_all(requests: Sequence[Request], jobs: int = 1) -> Iterator[Result | str]:
    """The result of each request, in order, or what is wrong with it.

    jobs: how many processes; with more than one, the requests' `progress` is not called.
    """
    if jobs == 1:
        yield from map(_result_or_reason, requests)
        return
    # A class from a user's file does not exist in another process until that has loaded the file.
    alone = [(source_of(request.system), replace(request, system=System, progress=None)) for request in requests]
    yield from each(_loaded_result_or_reason, alone, jobs)


def _result_or_reason(request: Request) -> Result | str:
    try:
        return run(request)
    except FlushproofError as error:
        return str(error)


def _loaded_result_or_reason(sent: tuple[str, Request]) -> Result | str:
    source, request = sent
    return _result_or_reason(replace(request, system=load_system(source)))


def expected(request: Request) -> str | None:
    """The verdict that the policy declares for exactly these knobs and sizes, if it does: the first one that is about what is
    asked for (a policy that breaks several properties says so with several)."""
    if request.expect is not None or request.policy is None:
        return request.expect
    policy = policy_of(request.system, request.policy)
    asked = knob_values(request.system, request.policy, request.knobs)
    sizes = {name.lower(): int(size) for name, size in request.sizes.items()}
    for expect in (Expect(policy.expect), *policy.also):
        about = not request.properties or expect.verdict in ("holds", *request.properties)
        same_knobs = knob_values(request.system, request.policy, expect.knobs) == asked
        if about and same_knobs and {name.lower(): size for name, size in expect.sizes.items()} == sizes:
            return expect.verdict
    return None


def source_of(cls: type[System]) -> str:
    """How to load a system again: its name if it is shipped, or else `path/to/file.py:Class`."""
    if is_shipped(cls):
        return system_name(cls)
    return f"{Path(inspect.getsourcefile(cls) or '').resolve()}:{cls.__qualname__}"


def _focus(request: Request, instance: Instance) -> str | None:
    """The property whose violation the trace is to show: the one that the discussion about this policy was about."""
    if request.policy is None or request.properties:
        return None
    verdict = expected(request) or policy_of(request.system, request.policy).expect
    return verdict if verdict in property_names(instance) else None
