"""Checking a system: load, instantiate, explore, certify.  The command line and the Python API are both made of this."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from flushproof.auditing import DEFAULT, Amount, Auditor
from flushproof.engines import DEFAULT_ENGINE, Resources, engine_of
from flushproof.model import ir
from flushproof.model.errors import FlushproofError, of_type, whole
from flushproof.model.ir.instance import Instance, State
from flushproof.model.ir.trace import Trace
from flushproof.model.ir.waits import NO_STUCK
from flushproof.model.language.compile import compile_system
from flushproof.model.language.declare import Expect, Knob, System, by_name, system_name
from flushproof.model.language.instantiate import (
    given_system,
    instantiate,
    knob_named,
    knob_values,
    policy_of,
    settings,
    sizes_of,
    switched_off,
    unread,
    warnings_of,
)
from flushproof.model.language.load import is_shipped, load_system, shipped
from flushproof.model.language.policies import check_declared
from flushproof.processes import each
from flushproof.properties.confirmation.certify import View, certify, forever
from flushproof.properties.confirmation.decide import decide, reads_slots
from flushproof.result import (
    HOLDS,
    INCONCLUSIVE,
    VIOLATED,
    CertificateError,
    Followed,
    NoVerdict,
    Result,
    result_or_reason,
)
from flushproof.search.explore import ask, asked_names, explore, property_names
from flushproof.search.outcome import Outcome
from flushproof.search.replay import ReplayError
from flushproof.search.stuck import followed
from flushproof.search.task import WELL_DEFINED, Limits, Progress
from flushproof.search.vacuity import Never
from flushproof.sizing import hints

BY_Z3 = 200
"""In so many states behind a wait without an end Z3 confirms it."""


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
    audit: how much of it is read again by another way; None for nothing.
    progress: called a few times a second.
    """

    system: type[System]
    policy: str | None = None
    knobs: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[Any, str | int] = field(default_factory=dict)
    properties: tuple[str, ...] = ()
    expect: str | None = None
    symmetry: bool = True
    fuse: bool = False
    compact: bool = False
    bound: int | None = None
    engine: str = DEFAULT_ENGINE
    resources: Resources = field(default_factory=Resources)
    decide_with_z3: bool = False
    audit: Amount | None = DEFAULT
    limits: Limits = field(default_factory=Limits)
    progress: Callable[[Progress], None] | None = None

    def __post_init__(self) -> None:
        if not (isinstance(self.system, type) and issubclass(self.system, System)):
            raise FlushproofError(f"{self.system!r} is no system: give a class that inherits from System, or a name")
        of_type("the policy", self.policy, str, type(None))
        of_type("`knobs`", self.knobs, Mapping)
        of_type("`sizes`", self.sizes, Mapping)
        object.__setattr__(self, "sizes", by_name(self.sizes))
        names_in(self.properties)
        of_type("`expect`", self.expect, str, type(None))
        for name in ("symmetry", "fuse", "compact", "decide_with_z3"):
            of_type(f"`{name}`", getattr(self, name), bool)
        if self.bound is not None:
            whole("the bound", self.bound, 1)
        of_type("the engine", self.engine, str)
        of_type("`resources`", self.resources, Resources)
        of_type("`limits`", self.limits, Limits)

    def __str__(self) -> str:
        """`kvm-vcpu-switch last-ran fb=off`."""
        return " ".join(filter(None, [system_name(self.system), self.policy, settings(self.knobs, self.sizes)]))


def check(
    system: str | type[System],
    policy: str | None = None,
    *,
    knobs: Mapping[str, Any] | None = None,
    sizes: Mapping[Any, str | int] | None = None,
    properties: Sequence[str] = (),
    symmetry: bool = True,
    fuse: bool = False,
    compact: bool = False,
    bound: int | None = None,
    engine: str = DEFAULT_ENGINE,
    resources: Resources = Resources(),  # noqa: B008 - frozen
    decide_with_z3: bool = False,
    audit: Amount | None = DEFAULT,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    progress: Callable[[Progress], None] | None = None,
) -> Result:
    """Explores every interleaving of a system under one policy; see `Request` for the arguments.

    system: a class, the name of a shipped system, or `path/to/file.py:Class`.

    Raises:
        FlushproofError: a name or value that does not exist, a system that does not compile.
        CertificateError: Z3 did not confirm the trace that was found.
        AuditError: two readings of the system differ.
    """
    cls = given_system(system)
    return run(
        Request(
            cls,
            policy,
            {} if knobs is None else knobs,
            {} if sizes is None else sizes,
            names_in(properties),
            symmetry=symmetry,
            fuse=fuse,
            compact=compact,
            bound=bound,
            engine=engine,
            resources=resources,
            decide_with_z3=decide_with_z3,
            audit=audit,
            limits=limits,
            progress=progress,
        )
    )


def names_in(properties: object) -> tuple[str, ...]:
    """Names of properties.

    Raises:
        FlushproofError: they are no sequence of texts.
    """
    if isinstance(properties, str) or not isinstance(properties, Sequence):
        raise FlushproofError(
            f"`properties` is {properties!r}, and must be a sequence of names, such as ['no-deadlock']"
        )
    for name in properties:
        of_type("a property's name", name, str)
    return tuple(properties)


def run(request: Request, on_state: Callable[[State], None] | None = None) -> Result:
    """Carries out a request; see `check`.  on_state: as in `explore`, for who does not let Z3 decide.

    Long because it is the list of what a result tells.
    """
    instance = instantiate(request.system, request.policy, request.knobs, request.sizes)
    names = looked_for(request.properties) or asked_names(instance)
    collected = Collected(instance, names) if request.decide_with_z3 else None
    auditor: Auditor | None = None
    if request.audit:
        limit = request.limits.memory_bytes
        auditor = Auditor(request.system, instance, request.policy, request.knobs, request.audit, limit)
        auditor.walk()
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
        audit=auditor.stored if auditor else None,
        watch=True,
    )
    decided = collected.decide({v.property for v in outcome.violations}, outcome.reached) if collected else None
    not_reached = outcome.not_reached if outcome.complete else ()
    missing = next((name for name in not_reached if name in request.properties), None)
    off = switched_off(request.system, instance)
    never = outcome.never or Never()
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
        followed=None if outcome.trace is None else followed_on(outcome.trace),
        waits=outcome.waits,
        also_violated=tuple(v.property for v in outcome.violations if v.property != outcome.property),
        not_reached=not_reached,
        vacuous=tuple(name for name in (*never.properties, *not_reached) if name not in off.properties),
        never_possible=(*off.never, *never.actions) if outcome.complete else (),
        never_came=tuple(event for event in never.events if event not in off.events),
        unwatched=outcome.unwatched,
        unread=tuple(unread(request.system, instance.sizes)),
        switched_off=(*off.steps, *off.events, *off.properties),
        warnings=warnings_of(request.system, request.policy, instance.sizes),
        hints=(*elsewhere(request, outcome), *hints(instance, compiled(request))),
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
        audit=auditor.done() if auditor else None,
        not_permuted=outcome.fixed,
    )


def looked_for(properties: Sequence[str]) -> tuple[str, ...] | None:
    """The names of what is looked for where these properties are asked for; None, as in `explore`, where none is named.

    Where a step reads what is not there, no other verdict means anything: "well-defined" is always among them.
    """
    return tuple(dict.fromkeys((*properties, WELL_DEFINED))) if properties else None


def certified(trace: Trace, view: View | None = None) -> Trace:
    """The trace, once Z3 has confirmed its initial state, every step and the violation.

    view: of the trace's instance, for who has many traces of it.

    Raises:
        CertificateError: it did not.
    """
    certificate = certify(trace, view=view)
    if not certificate.ok:
        raise CertificateError(certificate.refusal(f"the trace to '{trace.property}'"))
    return trace


def followed_on(trace: Trace) -> Followed | None:
    """How far it was looked at again that the wait at the end of a trace never ends; None where it is no trace to such a wait.

    Raises:
        CertificateError: it may have an end.
    """
    if trace.property != NO_STUCK:
        return None
    try:
        ways, everything = followed(trace)
    except ReplayError as error:
        raise CertificateError(f"{error}") from None
    certificate, by_z3 = forever(trace, ways, BY_Z3)
    if not certificate.ok:
        raise CertificateError(f"Z3 does not confirm that the wait has no end: {certificate.reason}")
    return Followed(len(ways), everything, by_z3)


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
        check_declared(cls)
        for name, policy in cls.policies.items():
            for expect in (Expect(policy.expect), *policy.also):
                yield Request(cls, name, expect.knobs, expect.sizes, expect=expect.verdict)


def is_wrong(result: Result) -> bool:
    """Whether a result is not what its policy declares: another verdict, or a violation that it declares for no settings at all."""
    if result.as_expected is False:
        return True
    if result.expected is not None or result.violated is None:
        return False
    policy = load_system(result.source).policies[result.instance.policy or ""]
    return result.violated not in {policy.expect, *(also.verdict for also in policy.also)}


def with_settings(
    cases: Sequence[Request],
    policy: str | None,
    knobs: Mapping[str, Any],
    sizes: Mapping[Any, str | int],
    properties: tuple[str, ...],
) -> list[Request]:
    """The cases of this policy, with these knobs, sizes and properties in addition; each once.

    Where there are several systems, those are left out that lack something of it.  What is expected is then what the policy
    declares for just these settings, if anything.

    Raises:
        FlushproofError: no system has all of it; the message is about the first that lacks something.
    """
    if policy is None and not knobs and not sizes and not properties:
        return list(cases)
    found: dict[str, Request] = {}
    lacking: list[FlushproofError] = []
    for cls in dict.fromkeys(case.system for case in cases):
        try:
            if policy is not None:
                policy_of(cls, policy)
            instance = instantiate(cls, policy, knobs, sizes)
            ask(instance, properties)
        except FlushproofError as error:
            lacking.append(error)
            continue
        for case in cases:
            if case.system is cls and policy in (None, case.policy):
                given = {**_by_key(cls, case.policy, case.knobs), **_by_key(cls, case.policy, knobs)}
                sized = {**{n.lower(): s for n, s in case.sizes.items()}, **{n.lower(): s for n, s in sizes.items()}}
                changed = replace(case, knobs=given, sizes=sized, properties=properties, expect=None)
                changed = replace(changed, expect=expected(changed))
                found.setdefault(f"{source_of(cls)} {changed}", changed)
    if not found:
        raise lacking[0]
    return list(found.values())


def _by_key(cls: type[System], policy: str | None, knobs: Mapping[str, Any]) -> dict[str, str]:
    """Knobs by their own names, with their values as texts."""
    values = knob_values(cls, policy, knobs)
    return {name: Knob.text(values[name]) for name in (knob_named(cls, given) for given in knobs)}


def run_all(requests: Sequence[Request], jobs: int = 1) -> Iterator[Result | NoVerdict]:
    """The result of each request, in order, or what is wrong with it.

    jobs: how many processes; with more than one, the requests' `progress` is not called.
    """
    if jobs == 1:
        yield from (result_or_reason(run, request) for request in requests)
        return
    # A class from a user's file does not exist in another process until that has loaded the file, nor do its enumerations.
    alone = [
        (source_of(request.system), replace(request, system=System, progress=None, knobs=_as_texts(request.knobs)))
        for request in requests
    ]
    for found in each(_loaded_result_or_reason, alone, jobs):
        yield NoVerdict(found) if isinstance(found, str) else found


def _as_texts(knobs: Mapping[str, Any]) -> dict[str, Any]:
    return {n: Knob.text(v) if isinstance(v, (bool, enum.Enum)) else v for n, v in knobs.items()}


def _loaded_result_or_reason(sent: tuple[str, Request]) -> Result | NoVerdict:
    source, request = sent
    return result_or_reason(run, replace(request, system=load_system(source)))


def expected(request: Request) -> str | None:
    """The verdict that the policy declares for exactly these knobs and sizes, if it does: the first one that is about what is
    asked for (a policy that breaks several properties says so with several)."""
    if request.expect is not None:
        return request.expect
    here = _sizes(request, request.sizes)
    return next((e.verdict for e in _declared(request) if _sizes(request, e.sizes) == here), None)


def elsewhere(request: Request, outcome: Outcome) -> list[str]:
    """What the policy declares for these knobs at other sizes, where that is another verdict than the one found."""
    declared = list(_declared(request))
    violated = outcome.property
    if outcome.verdict == INCONCLUSIVE or expected(request) is not None:
        return []
    if not declared or any(e.verdict == (violated or HOLDS) for e in declared):
        return []
    at = settings({}, _sizes(request, declared[0].sizes))
    says = "every property holds" if declared[0].verdict == "holds" else f"'{declared[0].verdict}' is violated"
    here = f"'{declared[0].verdict}' holds" if violated is None else f"'{violated}' is violated"
    return [f"The policy '{request.policy}' declares that {says} at {at}; at the size of this check, {here}."]


def _declared(request: Request) -> Iterator[Expect]:
    """The verdicts that the policy declares for these knobs, about what is asked for, at whatever sizes."""
    if request.policy is None:
        return
    policy = policy_of(request.system, request.policy)
    asked = knob_values(request.system, request.policy, request.knobs)
    for expect in (Expect(policy.expect), *policy.also):
        about = not request.properties or expect.verdict in ("holds", *request.properties)
        if about and knob_values(request.system, request.policy, expect.knobs) == asked:
            yield expect


def compiled(request: Request) -> ir.System:
    return compile_system(request.system, knobs=knob_values(request.system, request.policy, request.knobs))


def _sizes(request: Request, sizes: Mapping[Any, str | int]) -> dict[str, int]:
    return sizes_of(compiled(request), sizes)


def source_of(cls: type[System]) -> str:
    """How to load a system again: its name if it is shipped, or else `path/to/file.py:Class`."""
    if is_shipped(cls):
        return system_name(cls)
    return f"{Path(inspect.getsourcefile(cls) or '').resolve()}:{cls.__name__}"


def _focus(request: Request, instance: Instance) -> str | None:
    """The property whose violation the trace is to show: the one that the discussion about this policy was about."""
    if request.policy is None or request.properties:
        return None
    verdict = expected(request) or policy_of(request.system, request.policy).expect
    return verdict if verdict in property_names(instance) else None
