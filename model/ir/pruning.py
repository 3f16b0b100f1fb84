"""What can change no verdict, taken away: steps that no program counter reaches, and variables on which nothing depends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from .system import TRUE, Action, Clause, EnumSort, Expr, Ite, Lit, Read, StateVar, System, default_value
from .terms import fix_knobs, reads


def prune(system: System) -> System:
    """The system without what can change no verdict: steps that no program counter reaches, variables that keep their first
    value, and variables on which no guard, no property and no variable that is kept depends (with the updates that write them)."""
    system = _without_constants(without_dead_steps(system))
    return _restricted_to(system, cone_of_influence(system))


def _restricted_to(system: System, used: set[str]) -> System:
    return replace(
        system,
        variables=tuple(v for v in system.variables if v.name in used),
        init=_restricted(system.init, used),
        actions=tuple(_restricted(a, used) for a in system.actions),
        settle=_restricted(system.settle, used),
    )


def _restricted(action: Action, used: set[str]) -> Action:
    named = tuple((name, expr) for name, expr in action.named if reads(expr) <= used)
    return replace(action, updates=tuple(u for u in action.updates if u.var in used), named=named)


def without_dead_steps(system: System) -> System:
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


def _reached(system: System, action: Action, labels: Mapping[str, set[Any] | None]) -> bool:
    pc = system.variable.get(f"{action.process}.pc")
    if action.process is None or pc is None or not isinstance(pc.sort, EnumSort) or pc.free:
        return True
    assigned = labels.get(pc.name, set())
    return (
        assigned is None
        or action.label in assigned
        or action.label == pc.sort.members[0]
        or action.label not in pc.sort.members
    )


def _without_constants(system: System) -> System:
    """Makes constants of the variables that no step changes, such as what a part has for other systems than this one.

    What a property, a lemma or a cost speaks of stays a variable, and so does what makes a step impossible: that nothing comes of
    it is for reports to say.
    """
    spoken = reads(system.final, *(e for clause in _clauses(system) for e in clause.exprs))
    spoken |= reads(
        *(h.expr for h in system.hints), *(c.entry for a in system.actions for c in a.costs if c.entry is not None)
    )
    system = replace(system, actions=tuple(map(_as_it_ends, system.actions)))
    while True:
        updates = [u for a in (system.init, *system.actions, system.settle) for u in a.updates]
        kept = spoken | {u.var for u in updates if not _is_default(system.variable[u.var], u.value)}
        values = {
            v.name: Lit(default_value(v.sort), v.sort)
            for v in system.variables
            if v.kind == "state" and not v.free and v.name not in kept and not v.name.endswith(".pc")
        }
        if not values:
            return system
        fixed = fix_knobs(system, values)
        possible = {a.name for a in fixed.actions}
        impossible = reads(*(a.guard for a in system.actions if a.name not in possible))
        if impossible & set(values):
            spoken |= impossible
        else:
            system = _restricted_to(fixed, {v.name for v in fixed.variables})


def _as_it_ends(action: Action) -> Action:
    """The action without the updates of locations that it writes again in any case: the last write counts."""
    last: dict[tuple[object, ...], int] = {}
    for number, u in enumerate(action.updates):
        if u.cond is TRUE:
            last[u.var, u.binders, u.args] = number
    kept = (u for number, u in enumerate(action.updates) if last.get((u.var, u.binders, u.args), -1) <= number)
    return replace(action, updates=tuple(kept))


def _clauses(system: System) -> Iterator[Clause]:
    for prop in (*system.properties, *system.lemmas):
        yield from prop.clauses
    yield from system.undefined


def _is_default(variable: StateVar, value: Expr) -> bool:
    return not variable.free and value is Lit(default_value(variable.sort), variable.sort)


def _literals(expr: Expr) -> set[Any] | None:
    """The values that an expression may have, if they are all literals."""
    match expr:
        case Lit():
            return {expr.value}
        case Ite():
            then, other = _literals(expr.then), _literals(expr.other)
            return None if then is None or other is None else then | other
        case Read():
            return set()  # a program counter that is copied brings no new label
        case _:
            return None


def cone_of_influence(system: System) -> set[str]:
    """The variables that a guard, a property, an obligation or a cost reads, and those that their new values are made of."""
    actions = (system.init, *system.actions)
    used = set(reads(system.final, *(a.guard for a in actions)))
    used |= reads(*(e for clause in _clauses(system) for e in clause.exprs))
    used |= reads(*(h.expr for h in system.hints))
    used |= reads(*(e for a in actions for o in a.obligations for e in (o.when, o.expr)))
    used |= reads(*(c.cond for a in actions for c in a.costs))
    updates = [u for a in actions for u in a.updates]
    while True:
        more = {name for u in updates if u.var in used for name in reads(u.cond, u.value, *u.args)} - used
        if not more:
            return used
        used |= more
