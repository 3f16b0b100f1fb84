"""What never happens: actions that are possible in no reachable state, and checks that no event ever comes to.

A property that nothing could have violated holds of anything.  So a search that finds no violation also says what it never
met: each action's guard, and each condition under which an event checks a property, is looked for in every state until it is
true in one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from flushproof.model.ir import FALSE, Clause, Property, System, terms


@dataclass(frozen=True)
class Watched:
    """Something that a search looks for.

    action: the action that is to be possible; event: the event that is to come to a check of the property `checks`.
    formula: a property that is violated where it happens.
    """

    formula: Property
    action: str | None = None
    event: str | None = None
    checks: str | None = None


@dataclass(frozen=True)
class Never:
    """What never happened in any reachable state.

    actions: those never possible; events: those that came to none of their checks; properties: those that only events check,
    none of which ever did.
    """

    actions: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()


def watched(system: System, properties: Sequence[Property], but: Collection[str] = ()) -> tuple[Watched, ...]:
    """What to look for: each action but some, and each check of an event in these properties.

    Left out is what cannot be said without a fresh value.
    """
    return tuple(w for w in _all(system, properties) if w.action not in but and _closed(w.formula))


def _all(system: System, properties: Sequence[Property]) -> Iterator[Watched]:
    for action in system.actions:
        possible = Clause(action.params, terms.without_fresh(action.guard, action.fresh), FALSE)
        yield Watched(Property(action.name, (possible,)), action=action.name)
    for prop in properties:
        for clause in prop.clauses:
            if prop.kind == "invariant" and clause.event is not None:
                came = Clause(clause.params, clause.guard, FALSE)
                yield Watched(Property(prop.name, (came,)), event=clause.event, checks=prop.name)


def _closed(prop: Property) -> bool:
    return all(terms.free_vars(c.guard) <= {*c.params} for c in prop.clauses)


def never(looked_for: Sequence[Watched], happened: Collection[int], properties: Sequence[Property]) -> Never:
    """What of it never happened in a complete search; `happened` are the numbers of the others."""
    met = {w for number, w in enumerate(looked_for) if number in happened}
    came = {w.event for w in met}
    checked = {w.checks for w in met}
    by_events = [p for p in properties if p.kind == "invariant" and all(c.event is not None for c in p.clauses)]
    watched_events = dict.fromkeys(w.event for w in looked_for if w.event is not None)
    known = {w.checks for w in looked_for}
    return Never(
        tuple(w.action for w in looked_for if w.action is not None and w not in met),
        tuple(event for event in watched_events if event not in came),
        tuple(p.name for p in by_events if p.name in known and p.name not in checked),
    )
