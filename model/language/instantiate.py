"""From a system's class to one finite instance of it.

A policy's knobs are applied first, then the user's, then the defaults of the rest; they become constants.  What they made
dead is pruned: a step that no program counter can reach, a variable that nothing depends on.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from flushproof.model import ir
from flushproof.model.errors import FlushproofError, ModelError, nearest
from flushproof.model.ir.instance import Instance
from flushproof.model.ir.terms import fix_knobs, reads

from .compile import compile_system, too_deep
from .declarations import class_place
from .declare import Knob, Part, Policy, System, system_name

MOST_LOCATIONS = 1_000_000
"""An instance with more locations than this in one state is refused: it would not fit, whatever searches it."""

_ON, _OFF = ("on", "true", "yes", "1"), ("off", "false", "no", "0")


def instantiate(
    cls: type[System],
    policy: str | None = None,
    knobs: Mapping[str, Any] | None = None,
    sizes: Mapping[str, str | int] | None = None,
    *,
    lemmas: bool = False,
) -> Instance:
    """The system under one policy, with its sorts at given sizes.

    policy: a name in `cls.policies`, or None for the knobs' defaults.
    knobs: name -> value, or its text as on the command line; they win over the policy's.  A knob of the part `tlb` is called
        `tlb.name`.
    sizes: the name of a sort, in any case -> its number of elements; the rest have the system's own sizes.
    lemmas: keep the lemmas and hints, and with them the ghosts that nothing else reads: for proofs.

    Raises:
        FlushproofError: a name or a value that the system does not have.
        ModelError: the system does not compile.
    """
    system = compile_system(cls, proofs=lemmas)
    _check_declarations(cls, system)
    values = knob_values(cls, policy, knobs or {})
    literals = {
        name: ir.Lit(value.name if isinstance(value, enum.Enum) else value, system.variable[name].sort)
        for name, value in values.items()
        if name in system.variable
    }
    try:
        pruned = prune(fix_knobs(system if lemmas else replace(system, lemmas=()), literals))
    except RecursionError:
        raise too_deep(cls) from None
    instance = Instance(
        pruned,
        _sizes(system, sizes or {}),
        {name: Knob.text(value) for name, value in values.items()},
        policy,
    )
    _refuse_giants(instance)
    return instance


# ---------------------------------------------------------------------------------------------------------------- knobs


def knobs_of(cls: type[System]) -> dict[str, Knob]:
    """All knobs of a system and of its parts, by the names that users give them."""
    return dict(_knobs(cls, "", set()))


def _check_declarations(cls: type[System], system: ir.System) -> None:
    """That knobs have values and policies have verdicts that exist.

    Raises:
        ModelError: one does not.
    """
    place = class_place(cls)
    for name, knob in knobs_of(cls).items():
        if not any(knob.default is value for value in knob.values()):
            choices = ", ".join(map(Knob.text, knob.values()))
            raise ModelError(
                f"knob '{name}': its default {knob.default!r} is none of its values",
                place,
                hint=f"They are: {choices}.",
            )
    verdicts = ("holds", *(p.name for p in system.properties), "no-deadlock", "well-defined")
    for name, policy in cls.policies.items():
        if not isinstance(policy, Policy):
            raise ModelError(
                f"policy '{name}' is no Policy",
                place,
                hint='Write Policy("what it does", {"knob": value}, expect="holds").',
            )
        for verdict in (policy.expect, *(also.verdict for also in policy.also)):
            if verdict not in verdicts:
                raise ModelError(
                    f"policy '{name}' expects '{verdict}'", place, hint=nearest(verdict, verdicts, "verdicts")
                )


def _knobs(owner: Any, prefix: str, seen: set[int]) -> Iterator[tuple[str, Knob]]:
    """seen: the parts that have been met; a part under a second name is the same one."""
    classes = owner.__mro__ if isinstance(owner, type) else type(owner).__mro__
    found: dict[str, Any] = {}
    for cls in reversed(classes):
        found.update(vars(cls))
    if not isinstance(owner, type):
        found.update(vars(owner))
    for name, value in found.items():
        if isinstance(value, Knob):
            yield prefix + name, value
        elif isinstance(value, Part) and id(value) not in seen:
            seen.add(id(value))
            yield from _knobs(value, f"{prefix}{name}.", seen)


def policy_of(cls: type[System], name: str) -> Policy:
    """The named policy.

    Raises:
        FlushproofError: there is none of this name.
    """
    try:
        return cls.policies[name]
    except KeyError:
        raise FlushproofError(
            f"{system_name(cls)} has no policy '{name}'. {nearest(name, cls.policies, 'policies')}"
        ) from None


def knob_values(cls: type[System], policy: str | None, knobs: Mapping[str, Any]) -> dict[str, Any]:
    """The value of every knob: the user's, or else the policy's, or else its default."""
    known = knobs_of(cls)
    values = {name: knob.default for name, knob in known.items()}
    if policy is not None:
        for name, value in policy_of(cls, policy).knobs.items():
            values.update([_knob_value(cls, known, name, value, f"policy '{policy}': ")])
    for name, value in knobs.items():
        values.update([_knob_value(cls, known, name, value, "")])
    return values


def _knob_value(cls: type[System], known: Mapping[str, Knob], name: str, value: Any, where: str) -> tuple[str, Any]:
    """The knob's own name and its value, each possibly given in another spelling."""
    key = next((k for k in known if _plain(k) == _plain(name)), None)
    if key is None:
        raise FlushproofError(f"{where}{system_name(cls)} has no knob '{name}'. {nearest(name, known, 'knobs')}")
    values = known[key].values()
    if isinstance(value, str):
        text = value.strip().lower().replace("_", "-")
        if known[key].sort is bool:
            text = "on" if text in _ON else "off" if text in _OFF else text
        match = next((v for v in values if Knob.text(v) == text), None)
    else:
        match = next((v for v in values if v is value), None)
    if match is None:
        text = value if isinstance(value, str) else repr(value)
        raise FlushproofError(
            f"{where}knob '{key}' has no value '{text}'. {nearest(text, map(Knob.text, values), 'values')}"
        )
    return key, match


def settings(knobs: Mapping[str, Any], sizes: Mapping[str, Any] | None = None) -> str:
    """Knobs and sizes as on the command line: `fb=off cpu=3`."""
    texts = [f"{name}={value if isinstance(value, str) else Knob.text(value)}" for name, value in knobs.items()]
    return " ".join(texts + [f"{name.lower()}={size}" for name, size in (sizes or {}).items()])


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")


# ---------------------------------------------------------------------------------------------------------------- sizes


def _sizes(system: ir.System, asked: Mapping[str, str | int]) -> dict[str, int]:
    sized = {s.name: s for s in system.sorts if isinstance(s, ir.Scalarset)}
    by_lower = {name.lower(): name for name in sized}
    sizes = {name: system.sizes[name] for name in sized}
    for name, value in asked.items():
        key = by_lower.get(name.lower())
        if key is None:
            counter = next((s for s in system.sorts if s.name.lower() == name.lower()), None)
            reason = (
                "is a counter: it has no size, any number of values is explored"
                if counter
                else "is not one of its sorts"
            )
            raise FlushproofError(f"{system.name}: '{name}' {reason}. {nearest(name, sized, 'sorts')}")
        sizes[key] = _size(key, value)
    return sizes


def _size(name: str, value: str | int) -> int:
    try:
        number = int(value)
    except ValueError:
        number = 0
    if number < 1 or isinstance(value, bool):
        raise FlushproofError(
            f"the size of {name} is '{value}', but it must be a whole number, 1 or more, as in {name.lower()}=2"
        )
    return number


def _refuse_giants(instance: Instance) -> None:
    total = 0
    for var in instance.system.variables:
        total += instance.locations(var)
        if total > MOST_LOCATIONS:
            sizes = ", ".join(f"{name.lower()}={size}" for name, size in instance.sizes.items())
            raise FlushproofError(
                f"{instance.system.name} is too large with {sizes}: '{var.name}' alone has {instance.locations(var):,} locations, "
                f"and a state may have {MOST_LOCATIONS:,}. Choose smaller sizes."
            )


# -------------------------------------------------------------------------------------------------------------- pruning


def prune(system: ir.System) -> ir.System:
    """The system without what can change no verdict: steps that no program counter reaches, and variables on which no guard, no
    property and no variable that is kept depends (with the updates that write them)."""
    system = _without_dead_steps(system)
    used = _cone_of_influence(system)
    return replace(
        system,
        variables=tuple(v for v in system.variables if v.name in used),
        init=_restricted(system.init, used),
        actions=tuple(_restricted(a, used) for a in system.actions),
        settle=_restricted(system.settle, used),
    )


def _restricted(action: ir.Action, used: set[str]) -> ir.Action:
    return replace(action, updates=tuple(u for u in action.updates if u.var in used))


def _without_dead_steps(system: ir.System) -> ir.System:
    """Drops each step of a process that starts at a label which no update assigns, until no more can be dropped."""
    while True:
        labels: dict[str, set[Any] | None] = {}
        for action in (system.init, *system.actions):
            for update in action.updates:
                if not update.var.endswith(".pc"):
                    continue
                values = _literals(update.value)
                known = labels.setdefault(update.var, set())
                labels[update.var] = None if values is None or known is None else known | values
        live = tuple(a for a in system.actions if _reached(system, a, labels))
        if len(live) == len(system.actions):
            return system
        system = replace(system, actions=live)


def _reached(system: ir.System, action: ir.Action, labels: Mapping[str, set[Any] | None]) -> bool:
    pc = system.variable.get(f"{action.process}.pc")
    if action.process is None or pc is None or not isinstance(pc.sort, ir.EnumSort) or pc.free:
        return True
    assigned = labels.get(pc.name, set())
    return (
        assigned is None
        or action.label in assigned
        or action.label == pc.sort.members[0]
        or action.label not in pc.sort.members
    )


def _literals(expr: ir.Expr) -> set[Any] | None:
    """The values that an expression may have, if they are all literals."""
    match expr:
        case ir.Lit():
            return {expr.value}
        case ir.Ite():
            then, other = _literals(expr.then), _literals(expr.other)
            return None if then is None or other is None else then | other
        case ir.Read():
            return set()  # a program counter that is copied brings no new label
        case _:
            return None


def _cone_of_influence(system: ir.System) -> set[str]:
    """The variables that a guard, a property, an obligation or a cost reads, and those that their new values are made of."""
    actions = (system.init, *system.actions)
    used = set(reads(system.final, *(a.guard for a in actions)))
    for prop in (*system.properties, *system.lemmas):
        used |= reads(*(e for clause in prop.clauses for e in (clause.guard, clause.expr)))
    used |= reads(*(e for clause in system.undefined for e in (clause.guard, clause.expr)))
    used |= reads(*(h.expr for h in system.hints))
    used |= reads(*(e for a in actions for o in a.obligations for e in (o.when, o.expr)))
    used |= reads(*(c.cond for a in actions for c in a.costs))
    updates = [u for a in actions for u in a.updates]
    while True:
        more = {name for u in updates if u.var in used for name in reads(u.cond, u.value, *u.args)} - used
        if not more:
            return used
        used |= more
