"""A policy that begins where another one is: `@initially(reached_by=...)`.

The system starts under the other policy.  One step, the *handover*, is the method: it is possible where what it requires holds,
and from then on the policy under check is in force.  The states after it are the initial states of the policy under check; all
that it must do it owes from there on, while `well-defined` is owed all along.  So both parts are one transition system, and who
explores, proves, confirms or exports it needs to know of nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from flushproof.model import ir
from flushproof.model.errors import FlushproofError, ModelError
from flushproof.model.ir import TAKEN_OVER, terms

from .declarations import Member
from .declare import System, attributes, role_of
from .source import source_of

IN_FORCE = ir.Read(TAKEN_OVER, (), ir.BOOL)


def reached_by(cls: type[System]) -> str | Mapping[str, Any] | None:
    """The policy that reaches the initial states of every other, or knobs; None where a policy is in force from the beginning."""
    for value in attributes(cls).values():
        role = role_of(value)
        if role is not None and role.reached_by is not None:
            return role.reached_by
    return None


def handover_among(actions: Iterable[Member]) -> str | None:
    """The name of the one action that is a handover.

    Raises:
        ModelError: there are two; it is a part's; `reached_by` is neither a name nor knobs.
    """
    found = [m for m in actions if m.role.reached_by is not None]
    for number, member in enumerate(found):
        source, given = source_of(member.function), member.role.reached_by
        if not isinstance(given, (str, Mapping)):
            what = f"`reached_by` is {given!r}, and must be the name of a policy, or knobs with their values"
            source.fail(source.tree, what, 'Write @initially(reached_by="fixed"), or {"knob": value}.')
        if number:
            what = f"'{member.attribute}' is a second @initially(reached_by=...), after '{found[0].attribute}'"
            source.fail(source.tree, what, "A policy begins where one other is.")
        if member.owner.path:
            what = "a part has no policies: what reaches its initial states is the system's to say"
            source.fail(source.tree, what, "Write it in the system.")
    return found[0].name if found else None


def with_handover(system: ir.System, name: str | None) -> ir.System:
    """The system, with the action of this name as the step from which on its policy is in force, and owes what it owes."""
    if name is None:
        return system
    before = terms.not_(IN_FORCE)

    def action(a: ir.Action) -> ir.Action:
        if a.name != name:
            return replace(a, costs=tuple(replace(c, cond=terms.and_(IN_FORCE, c.cond)) for c in a.costs))
        owed = tuple(replace(o, when=terms.and_(before, o.when)) for o in a.obligations)
        takes_over = ir.Update(TAKEN_OVER, (), (), ir.TRUE, ir.TRUE)
        guard = terms.and_(before, a.guard)
        return replace(a, guard=guard, updates=(*a.updates, takes_over), obligations=owed, costs=())

    def owes(p: ir.Property) -> ir.Property:
        if p.kind == "reachable":
            return replace(p, clauses=tuple(replace(c, expr=terms.and_(IN_FORCE, c.expr)) for c in p.clauses))
        clauses = ((c, before if c.event == name else IN_FORCE) for c in p.clauses)
        return replace(p, clauses=tuple(replace(c, guard=terms.and_(part, c.guard)) for c, part in clauses))

    return replace(
        system,
        variables=(
            *system.variables,
            ir.StateVar(TAKEN_OVER, (), ir.BOOL, doc="whether the policy under check is in force"),
        ),
        actions=tuple(map(action, system.actions)),
        properties=tuple(map(owes, system.properties)),
        progress=tuple(replace(p, within=IN_FORCE) for p in system.progress),
        final=terms.or_(before, system.final),
        handover=name,
    )


def in_force(
    system: ir.System, knobs: Mapping[str, ir.Lit], before: Mapping[str, ir.Lit], free: Collection[str]
) -> Mapping[str, ir.Expr]:
    """What each knob is, now under the one policy and now under the other.

    knobs: under the policy under check; before: under the other one, where that says it; free: knobs that stay open.

    Raises:
        FlushproofError: the other policy leaves open what stays open.
        ModelError: what hardware does by itself depends on which policy is in force.
    """
    if unsaid := [name for name in free if name not in before and name in system.variable]:
        raise FlushproofError(
            f"{system.name}: its policies begin where another one is, the same one for all that are judged together; but "
            f"'{unsaid[0]}' stays open, and that policy does not say what it is. Give {unsaid[0]} a value."
        )
    found = meaning(knobs, before)
    moved = sorted(name for name in found if not isinstance(found[name], ir.Lit))
    closing = terms.reads(*terms.exprs_of(system.settle))
    for name in moved:
        if name in closing:
            raise ModelError(
                f"a @closure reads the knob '{name}', which changes when the policy under check takes over",
                system.variable[name].place,
                hint="What hardware does by itself is the same under all policies: make the knob a toggle.",
            )
    return found


def meaning(knobs: Mapping[str, ir.Lit], before: Mapping[str, ir.Lit]) -> dict[str, ir.Expr]:
    """What each knob is: the literal of the policy in force; of one that stays open there, its own."""
    later = {name: knobs.get(name) or ir.Read(name, (), old.of) for name, old in before.items()}
    return {**knobs, **{name: terms.ite(IN_FORCE, later[name], old) for name, old in before.items()}}


def told(system: ir.System, policy: str | None) -> ir.System:
    """The system in which the handover is told as what it is."""

    def action(a: ir.Action) -> ir.Action:
        if a.name != system.handover:
            return a
        who = f"the policy {policy!r}" if policy is not None else "the policy under check"
        words = f"{who.replace('{', '{{').replace('}', '}}')} takes over"
        return replace(a, doc=f"{words}: {a.doc}" if a.doc else words)

    return replace(system, actions=tuple(map(action, system.actions)))
