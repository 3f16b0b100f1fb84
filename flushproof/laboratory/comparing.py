"""Two policies side by side: one trace under both, and the first step where they part; named policies on each other's traces.

The trace is the shortest violation of one of the two.  Under the other policy the same steps are taken, as far as
they are possible.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flushproof.checking import Request, looked_for, run
from flushproof.laboratory.deciding import confirmed, judging_by, raise_interrupt
from flushproof.laboratory.lattice import Lattice, Point, lattice_of
from flushproof.model.errors import FlushproofError
from flushproof.model.ir.instance import State
from flushproof.model.ir.trace import Step, Trace
from flushproof.model.language.declare import System, system_name
from flushproof.model.language.instantiate import knob_values
from flushproof.result import HOLDS, VIOLATED, CertificateError, Result
from flushproof.search.explore import Asked, ask, explore
from flushproof.search.family import Families, Followed
from flushproof.search.native.engine import NativeEngine
from flushproof.search.outcome import Outcome
from flushproof.search.task import Limits, Points


@dataclass(frozen=True)
class Moment:
    """One step of the trace: the state after it under its own policy, and what becomes of it under the other one."""

    step: Step
    mine: State
    other: Followed


@dataclass(frozen=True)
class Compared:
    """Two policies.

    lattice: of the knobs in which they differ; names: the policies; results: what `check` says of each.
    trace: a shortest violation of one of them, `broken` its number (0 or 1); None where both hold.
    moments: the trace under both; parts: the number of the first step at which they part, counted from 0, None if they do not.
    violated: which invariants are violated at the end under the other policy as well; told: whether the trace's property is one, so
        that this tells of it.
    """

    lattice: Lattice
    names: tuple[str, str]
    results: tuple[Result, Result]
    trace: Trace | None = None
    broken: int = 0
    moments: tuple[Moment, ...] = ()
    parts: int | None = None
    violated: tuple[str, ...] = ()
    told: bool = True


@dataclass(frozen=True)
class Versions:
    """All named policies of one situation, on each other's traces.

    names: of the policies; traces: of each that is violated, its shortest trace; shared: for each of those, which invariants are
    violated at the end of the same steps under each policy, in order, and under its own what it is a trace to.
    untold: the policies whose traces are to something else than an invariant, of which the same steps do not tell under others.
    undecided: the policies whose search a limit stopped, or an interrupt, which stops them all.
    """

    lattice: Lattice
    names: tuple[str, ...]
    traces: Mapping[str, Trace]
    shared: Mapping[str, tuple[tuple[str, ...], ...]]
    untold: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    interrupted: bool = False


def compare(
    system: type[System],
    names: tuple[str, str],
    sizes: Mapping[str, str | int] | None = None,
    properties: Sequence[str] = (),
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> Compared:
    """One trace under two named policies.

    Raises:
        FlushproofError: there is no such policy, or they do not differ.
        CertificateError: two readings of the system differ.
    """
    ours, theirs = (knob_values(system, name, {}) for name in names)
    differ = [knob for knob in ours if ours[knob] is not theirs[knob]]
    if not differ:
        raise FlushproofError(f"{system_name(system)}: the policies '{names[0]}' and '{names[1]}' set the same knobs")
    lattice = lattice_of(system, names[0], sizes=sizes, free=differ)
    points = lattice.base, lattice_of(system, names[1], sizes=sizes, free=differ).base
    asked = (Request(system, n, sizes=sizes or {}, properties=tuple(properties), limits=limits) for n in names)
    pair = _checked(next(asked)), _checked(next(asked))
    broken = 1 if pair[0].verdict != VIOLATED and pair[1].verdict == VIOLATED else 0
    wanted = looked_for([pair[broken].violated or ""])
    trace = _searched(lattice, points[broken], wanted, limits).trace if pair[broken].verdict == VIOLATED else None
    if trace is None:
        return Compared(lattice, names, pair)
    families = _families(lattice, ask(lattice.instance, looked_for(properties)))
    found = _side_by_side(Compared(lattice, names, pair, trace, broken), families, points[1 - broken])
    if found.violated and pair[1 - broken].verdict == HOLDS:
        raise CertificateError(
            f"check says that '{names[1 - broken]}' holds, and a trace under it violates {found.violated[0]}"
        )
    return found


def _side_by_side(found: Compared, families: Families, other: Point) -> Compared:
    assert found.trace is not None
    steps = [step for step in found.trace.steps if not step.event]
    moments = tuple(
        Moment(step, step.state, followed)
        for step, followed in zip(steps, families.follow(found.trace, other), strict=True)
    )
    parts = next((n for n, moment in enumerate(moments) if _parts(found.lattice, moment)), None)
    last = moments[-1].other.state if moments else families.under(found.trace.initial, other)
    return Compared(
        found.lattice,
        found.names,
        found.results,
        found.trace,
        found.broken,
        moments,
        parts,
        tuple(families.violated(last)),
        families.tells_of(found.trace.property),
    )


def differences(lattice: Lattice, moment: Moment) -> list[int]:
    """The slots that are not the same under the other policy: no knobs, and nothing of where processes stand."""
    processes = tuple(f"{action.process}." for action in lattice.instance.system.actions if action.process is not None)
    return [
        number
        for number, slot in enumerate(lattice.instance.slots)
        if moment.mine[number] != moment.other.state[number]
        and slot.var not in lattice.names
        and not slot.var.startswith(processes)
    ]


def _parts(lattice: Lattice, moment: Moment) -> bool:
    """Whether something else happens under the other policy."""
    return bool(moment.other.first) or not moment.other.possible or bool(differences(lattice, moment))


def versions(
    system: type[System],
    sizes: Mapping[str, str | int] | None = None,
    properties: Sequence[str] = (),
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> Versions:
    """All named policies of the default situation: the shortest trace of each, under each other one; an interrupt ends it early,
    and is not raised.

    Raises:
        FlushproofError: the system has fewer than two such policies; as `judging_by`.
    """
    lattice = lattice_of(system, sizes=sizes)
    named = lattice.named()
    if len(named) < 2:
        raise FlushproofError(
            f"{system_name(system)} has no two named policies that differ in knobs alone that are no toggles"
        )
    families, traces, shared = _families(lattice, judging_by(lattice, properties)), dict[str, Trace](), {}
    engine = NativeEngine()
    undecided, interrupted = list(named), False
    try:
        for name, point in named.items():
            outcome = _searched(lattice, point, looked_for(properties), limits, engine)
            if outcome.trace is not None:
                shared[name] = tuple(tuple(_shared(families, outcome.trace, point, other)) for other in named.values())
                traces[name] = outcome.trace
            if outcome.trace is not None or outcome.verdict == HOLDS:
                undecided.remove(name)
    except KeyboardInterrupt:
        interrupted = True
    untold = tuple(name for name, trace in traces.items() if not families.tells_of(trace.property))
    return Versions(lattice, tuple(named), traces, shared, untold, tuple(undecided), interrupted)


def _shared(families: Families, trace: Trace, own: Point, point: Point) -> list[str]:
    """What is violated at the end of the trace of one policy under another, or the same."""
    taken = families.follow(trace, point)
    found = families.violated(taken[-1].state if taken else families.under(trace.initial, point))
    return found if point != own or trace.property in found else [trace.property, *found]


def _families(lattice: Lattice, asked: Asked) -> Families:
    return Families(lattice.instance, lattice.names, asked.invariants)


def _searched(
    lattice: Lattice, point: Point, names: Sequence[str] | None, limits: Limits, engine: NativeEngine | None = None
) -> Outcome:
    """What a search finds under one policy; Z3 has confirmed its trace, a shortest one to a violation."""
    points = Points(lattice.names, (point,))
    outcome = explore(lattice.instance, properties=names, limits=limits, engine=engine or NativeEngine(), points=points)
    raise_interrupt(outcome)
    if outcome.trace is not None:
        confirmed(outcome.trace)
    return outcome


def _checked(request: Request) -> Result:
    """What `check` says.

    Raises:
        KeyboardInterrupt: it came.
    """
    result = run(request)
    if result.interrupted:
        raise KeyboardInterrupt
    return result
