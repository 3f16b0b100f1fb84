"""From a system's class to one finite instance of it.

A policy's knobs are applied first, then the user's, then the defaults of the rest; they become constants.  What they made
dead is pruned: a step that no program counter can reach, a variable that nothing depends on.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from flushproof.model import ir
from flushproof.model.errors import FlushproofError, ModelError, nearest
from flushproof.model.ir.instance import Begun, Instance
from flushproof.model.ir.pruning import cone_of_influence, prune, without_dead_steps
from flushproof.model.ir.terms import exprs_of, fix_knobs

from .compile import compile_system, forget_compiled, too_deep
from .declare import Knob, Policy, System, by_name, is_text, system_name
from .handover import in_force, reached_by, told
from .load import is_shipped, load_system, proof_of
from .mistakes import forgotten
from .policies import check_declared, check_verdicts, knobs_of, plain, same_as, unread_knobs

MOST_LOCATIONS = 1_000_000
"""An instance with more locations than this in one state is refused: it would not fit, whatever searches it."""

MOST_WAYS = 1_000_000
"""An instance in which a step chooses among more values than this is refused: each is a way of its own, in every state."""

_ON, _OFF = ("on", "true", "yes", "1"), ("off", "false", "no", "0")


def given_system(system: str | type[System]) -> type[System]:
    """The class that a program gives, or names.  What it was when it was asked about before plays no role: a notebook gives a name
    another value, or a class another method.

    Raises:
        FlushproofError: as `load_system`.
    """
    if isinstance(system, str):
        return load_system(system)
    if isinstance(system, type) and issubclass(system, System) and not is_shipped(system):
        forget_compiled()
    return system


def instantiate(
    cls: type[System],
    policy: str | None = None,
    knobs: Mapping[str, Any] | None = None,
    sizes: Mapping[Any, str | int] | None = None,
    *,
    lemmas: bool = False,
    free: Collection[str] = (),
    events: bool = False,
) -> Instance:
    """The system under one policy, with its sorts at given sizes.

    policy: a name in `cls.policies`, or None for the knobs' defaults.
    knobs: name -> value, or its text as on the command line; they win over the policy's.  A knob of the part `tlb` is called
        `tlb.name`.
    sizes: the name of a sort, in any case -> its number of elements; the rest have the system's own sizes.
    lemmas: keep the lemmas and hints, and with them the ghosts that nothing else reads: for proofs.
    free: knobs that stay open, as rigid state that may begin with any of its values; one on which nothing depends is no state.
    events: keep what steps say of events of the world, and what that depends on: for who counts by them.

    Raises:
        FlushproofError: a name or a value that the system does not have.
        ModelError: the system does not compile.
    """
    check_declared(cls)
    values = knob_values(cls, policy, knobs or {})
    before = knobs_before(cls, values)
    source = proof_of(cls) if lemmas else cls
    values = {name: value for name, value in values.items() if name not in free}
    known = {name: value for name, value in values.items() if before.get(name, value) is value}
    system, sized = _at_sizes(source, sizes or {}, proofs=lemmas, knobs=known, events=events)
    own = [p.name for p in system.properties] + [p.name for p in system.progress]
    check_verdicts(cls, (*own, "no-deadlock", "well-defined", *system.asks))
    try:
        fixed = fix_knobs(system if lemmas else replace(system, lemmas=()), _meant(system, values, before, free))
        _refuse_what_is_not_there(fixed, sized)
        pruned = prune(fixed)
    except RecursionError:
        raise too_deep(cls) from None
    texts = {name: Knob.text(value) for name, value in values.items()}
    begun = _begun(cls, system, texts, before)
    instance = Instance(told(pruned, policy) if begun else pruned, sized, texts, policy, begun)
    _refuse_giants(fixed, instance)
    return instance


def _at_sizes(
    cls: type[System],
    asked: Mapping[Any, str | int],
    *,
    proofs: bool = False,
    knobs: Mapping[str, Any] | None = None,
    events: bool = False,
) -> tuple[ir.System, dict[str, int]]:
    """The system as it is at these sizes, and the number of elements of every sort.

    At other sizes of the sorts that it speaks of it may speak of more of them.
    """
    system, mine = compile_system(cls, proofs=proofs, knobs=knobs), dict[str, int]()
    sized = sizes_of(system, asked)
    while any(sized[name] != system.sizes[name] for name in system.sized):
        mine |= {name: sized[name] for name in system.sized}
        system = compile_system(cls, proofs=proofs, knobs=knobs, sizes=mine)
        sized = sizes_of(system, asked)
    return system if events else _without_events(system), sized


def _without_events(system: ir.System) -> ir.System:
    """The system for who asks what can happen, and not how often."""
    if all(not c.event for a in system.actions for c in a.costs):
        return system
    actions = (replace(a, costs=tuple(c for c in a.costs if not c.event)) for a in system.actions)
    return replace(system, actions=tuple(actions))


def _open(cls: type[System], sizes: Mapping[str, int]) -> ir.System | None:
    """The system at these sizes with all its knobs open; None where it can only be compiled once they are known."""
    try:
        return _at_sizes(cls, sizes)[0]
    except FlushproofError:
        return None


def warnings_of(
    cls: type[System], policy: str | None = None, sizes: Mapping[str, int] = MappingProxyType({})
) -> tuple[str, ...]:
    """What does nothing, though it looks like a step or a choice: methods that nothing uses, knobs that nothing reads, and policies
    that are one system with this.

    sizes: those at which the system is looked at, where they are not its own.
    """
    system = _open(cls, sizes)
    if system is None:
        return tuple(forgotten(cls))
    found = forgotten(cls)
    found += [
        f"the knob '{name}' is read by no step, no property and no cost: all its values are one system"
        for name in unread(cls, sizes)
    ]
    if policy is not None:
        values = {}
        for name in cls.policies:
            with suppress(FlushproofError):  # a mistake in another policy is told to who asks for that one
                values[name] = literals_of(system.variable, knob_values(cls, name, {}))
        for other, knobs in same_as(cls, system, policy, values):
            why = (
                f"they differ in {', '.join(knobs)}, on which nothing depends then"
                if knobs
                else "they set the same knobs"
            )
            one, two = sorted((policy, other))
            found.append(f"the policies '{one}' and '{two}' are one system: {why}")
    return tuple(found)


@dataclass(frozen=True)
class SwitchedOff:
    """What a system's knobs leave without any effect, from the text alone.

    steps, events, properties: those that exist under other knobs; never: steps that are possible under none.
    """

    steps: tuple[str, ...]
    events: tuple[str, ...]
    properties: tuple[str, ...]
    never: tuple[str, ...]


def switched_off(cls: type[System], instance: Instance) -> SwitchedOff:
    """What this instance of the system does without because of its knobs."""
    system, here = _open(cls, instance.sizes), {a.name for a in instance.system.actions if a.guard is not ir.FALSE}
    if system is None:
        return SwitchedOff((), (), (), ())
    possible = {a.name for a in without_dead_steps(system).actions if a.guard is not ir.FALSE}
    whole = {p.name: p for p in system.properties}
    coming = _coming(instance.system)
    return SwitchedOff(
        tuple(a.name for a in system.actions if a.name in possible - here),
        tuple(event for event in _coming(system) if event not in coming),
        tuple(p.name for p in instance.system.properties if _is_off(p) and not _is_off(whole[p.name])),
        tuple(a.name for a in system.actions if a.name not in possible),
    )


def _coming(system: ir.System) -> dict[str, None]:
    """The events that may come to one of their checks."""
    clauses = [c for p in system.properties for c in p.clauses if c.guard is not ir.FALSE]
    return dict.fromkeys(c.event for c in clauses if c.event is not None)


def _is_off(prop: ir.Property) -> bool:
    """Whether no state can reach it, or none can come to a check of it."""
    if prop.kind == "reachable":
        return all(c.expr is ir.FALSE for c in prop.clauses)
    return all(c.event is not None and c.guard is ir.FALSE for c in prop.clauses)


def unread(cls: type[System], sizes: Mapping[str, int] = MappingProxyType({})) -> list[str]:
    """The knobs on which nothing depends, at these sizes."""
    system = _open(cls, sizes)
    return [] if system is None else unread_knobs(system, cone_of_influence(system))


# ---------------------------------------------------------------------------------------------------------------- knobs


def literals_of(variables: Mapping[str, ir.StateVar], values: Mapping[str, Any]) -> dict[str, ir.Lit]:
    """The values of knobs, by their names."""
    return {
        name: ir.Lit(value.name if isinstance(value, enum.Enum) else value, variables[name].sort)
        for name, value in values.items()
        if name in variables
    }


def policy_of(cls: type[System], name: str) -> Policy:
    """The named policy.

    Raises:
        FlushproofError: there is none of this name.
    """
    if name not in cls.policies:  # a defaultdict would make one
        raise FlushproofError(f"{system_name(cls)} has no policy '{name}'. {nearest(name, cls.policies, 'policies')}")
    return cls.policies[name]


def knob_values(cls: type[System], policy: str | None, knobs: Mapping[str, Any]) -> dict[str, Any]:
    """The value of every knob: the user's, or else the policy's, or else its default."""
    known = knobs_of(cls)
    values = {name: knob.default for name, knob in known.items()}
    asked = [(f"policy '{policy}': ", policy_of(cls, policy).knobs)] if policy is not None else []
    for where, given in (*asked, ("", knobs)):
        found = [_knob_value(cls, known, name, value, where) for name, value in given.items()]
        _refuse_twice([name for name, _ in found], list(given), f"{where}the knob")
        values.update(found)
    return values


def knobs_before(cls: type[System], values: Mapping[str, Any]) -> dict[str, Any]:
    """What the policy in whose states this one begins has for knobs, as far as it says; nothing where there is no such policy.

    What the hardware does and which situation it is (toggles) is the same under both, unless knobs are given one by one.

    Raises:
        FlushproofError: there is no such policy, knob or value.
    """
    given = reached_by(cls)
    if not isinstance(given, (str, Mapping)):  # neither is a mistake, which is told where the system is compiled
        return {}
    try:
        if isinstance(given, str):
            toggles = {name for name, knob in knobs_of(cls).items() if knob.toggle}
            return {name: value for name, value in knob_values(cls, given, {}).items() if name not in toggles}
        named = {knob_named(cls, name) for name in given}
        return {name: value for name, value in {**values, **knob_values(cls, None, given)}.items() if name in named}
    except FlushproofError as error:
        raise FlushproofError(f"@initially(reached_by=...): {error}") from None


def _meant(
    system: ir.System, values: Mapping[str, Any], before: Mapping[str, Any], free: Collection[str]
) -> Mapping[str, ir.Expr]:
    """What each knob that is not open is: a constant, unless the policy begins where another one is."""
    mine = literals_of(system.variable, values)
    return in_force(system, mine, literals_of(system.variable, before), free) if system.handover else mine


def _begun(
    cls: type[System], system: ir.System, texts: Mapping[str, str], before: Mapping[str, Any]
) -> Begun | None:
    """Where the policy begins, for people."""
    if system.handover is None:
        return None
    given, others = reached_by(cls), {name: Knob.text(value) for name, value in before.items()}
    differ = {name: text for name, text in others.items() if texts.get(name) != text}
    return Begun(given if isinstance(given, str) else None, differ, system.handover)


def _refuse_twice(names: Sequence[str], spelled: Sequence[str], what: str) -> None:
    """That no two spellings mean one name."""
    for number, name in enumerate(names):
        if name in names[:number]:
            first = spelled[names.index(name)]
            raise FlushproofError(f"{what} '{name}' is given twice: as '{first}' and as '{spelled[number]}'")


def knob_named(cls: type[System], name: Any, where: str = "") -> str:
    """A knob's own name, possibly given in another spelling.

    Raises:
        FlushproofError: there is no such knob; `where` stands in front of the message.
    """
    known = knobs_of(cls)
    key = next((k for k in known if plain(k) == plain(name)), None) if isinstance(name, str) else None
    if key is None:
        raise FlushproofError(f"{where}{system_name(cls)} has no knob '{name}'. {nearest(str(name), known, 'knobs')}")
    return key


def _knob_value(cls: type[System], known: Mapping[str, Knob], name: str, value: Any, where: str) -> tuple[str, Any]:
    """The knob's own name and its value, each possibly given in another spelling."""
    key = knob_named(cls, name, where)
    values = known[key].values()
    if is_text(value):
        text = value.strip().lower().replace("_", "-")
        if known[key].sort is bool:
            text = "on" if text in _ON else "off" if text in _OFF else text
        match = next((v for v in values if Knob.text(v) == text), None)
    else:
        match = next((v for v in values if v is value), None)
    if match is None:
        text = value if is_text(value) else repr(value)
        raise FlushproofError(
            f"{where}knob '{key}' has no value '{text}'. {nearest(text, map(Knob.text, values), 'values')}"
        )
    return key, match


def settings(knobs: Mapping[str, Any], sizes: Mapping[str, Any] | None = None) -> str:
    """Knobs and sizes as on the command line: `fb=off cpu=3`."""
    texts = [f"{name}={Knob.text(value)}" for name, value in knobs.items()]
    return " ".join(texts + [f"{name.lower()}={size}" for name, size in (sizes or {}).items()])


# ---------------------------------------------------------------------------------------------------------------- sizes


def sizes_of(system: ir.System, asked: Mapping[Any, str | int]) -> dict[str, int]:
    """The number of elements of every sort: the user's, or else the system's own.

    Raises:
        FlushproofError: there is no such sort, or its size is no whole number above 0.
    """
    sized = {s.name: s for s in system.sorts if isinstance(s, ir.Scalarset)}
    by_lower = {name.lower(): name for name in sized}
    sizes = {name: system.sizes[name] for name in sized}
    keys = []
    for name, value in by_name(asked).items():
        key = by_lower.get(name.lower()) if isinstance(name, str) else None
        if key is None:
            name = getattr(name, "__name__", str(name))
            counter = next((s for s in system.sorts if s.name.lower() == name.lower()), None)
            reason = (
                "is a counter: it has no size, any number of values is explored"
                if counter
                else "is not one of its sorts"
            )
            raise FlushproofError(f"{system.name}: '{name}' {reason}. {nearest(name, sized, 'sorts')}")
        keys.append(key)
        sizes[key] = size_of(key, value)
    _refuse_twice(keys, list(asked), "the size of")
    return sizes


def size_of(name: str, value: str | int) -> int:
    """A number of elements, possibly as its text.

    Raises:
        FlushproofError: it is no whole number above 0.
    """
    text = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if not re.fullmatch(r"0*[1-9][0-9]{0,9}", text.strip(), re.ASCII):
        raise FlushproofError(
            f"the size of {name} is '{value}', but it must be a whole number, 1 or more, as in {name.lower()}=2"
        )
    return int(text)


def _refuse_what_is_not_there(system: ir.System, sizes: Mapping[str, int]) -> None:
    """That every element that the model names exists.

    Raises:
        ModelError: an ordered sort has fewer elements.
    """
    named = {n.literal for n in system.named}
    parts: list[tuple[ir.Place | None, list[ir.Expr]]] = [(n.place, [n.literal]) for n in system.named]
    parts += [(a.place, exprs_of(a)) for a in (system.init, *system.actions, system.settle)]
    parts += [(c.place or p.place, [c.guard, c.expr]) for p in (*system.properties, *system.lemmas) for c in p.clauses]
    parts += [(c.place, [c.guard, c.expr]) for c in system.undefined]
    parts += [(None, [system.final]), *((None, [h.expr]) for h in system.hints)]
    for place, exprs in parts:
        for expr in ir.walk(*exprs):
            if not isinstance(expr, ir.Lit) or expr.value is None:
                continue
            sort = expr.of.base if isinstance(expr.of, ir.OptionSort) else expr.of
            if isinstance(sort, ir.Scalarset) and not 0 <= int(expr.value) < sizes[sort.name]:
                number, size = int(expr.value) + sort.first, sizes[sort.name]
                raise ModelError(
                    f"{sort.name} {number} does not exist: {sort.name} has {size} element{'' if size == 1 else 's'} at this size",
                    place if expr in named else system.spelled.get(expr, place),
                    hint=f"Give {sort.name.lower()}={int(expr.value) + 1} or more as its size.",
                )


def _refuse_giants(system: ir.System, instance: Instance) -> None:
    """Refuse what no search gets through.

    system: with what plays no role, which Python has all the same.
    """
    sizes = ", ".join(f"{name.lower()}={size}" for name, size in instance.sizes.items())
    large = f"{system.name} is too large with {sizes}" if sizes else f"{system.name} is too large"
    total = 0
    for var in system.variables:
        total += instance.locations(var)
        if total > MOST_LOCATIONS:
            raise FlushproofError(
                f"{large}: '{var.name}' alone has {instance.locations(var):,} locations, "
                f"and a state may have {MOST_LOCATIONS:,}. Choose smaller sizes."
            )
    tried = [(f"what '{action.name}' chooses", p.of) for action in (system.init, *system.actions) for p in action.params]
    tried += [(f"'{var.name}', which starts with any value,", var.sort) for var in system.variables if var.free]
    for what, sort in tried:
        ways = instance.cardinality(sort)
        if ways > MOST_WAYS:
            raise FlushproofError(f"{large}: {what} is one of {ways:,} values, each of which is tried; {MOST_WAYS:,} are the most.")
