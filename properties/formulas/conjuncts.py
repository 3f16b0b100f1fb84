"""The parts of an invariant: named clauses, each of which is shown to be kept by each action."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from flushproof.model.ir import And, Clause, Expr, Property, System, Var
from flushproof.model.ir.terms import closed, free_vars, reads


@dataclass(frozen=True)
class Conjunct:
    """One clause of a property or lemma.  Two are told apart by all of this together, since users choose names.

    name: for people: the property's, with the clause's number where it has several.
    of: the name of the property or lemma; role: which of the two it is; number: of the clause in it, from 0.
    """

    name: str
    clause: Clause
    of: str
    role: Literal["property", "lemma"]
    number: int = 0

    @property
    def formula(self) -> Expr:
        """The clause as one closed formula."""
        return closed(self.clause)


def conjuncts(properties: Iterable[Property], role: Literal["property", "lemma"]) -> Iterator[Conjunct]:
    """The clauses of all the given invariants."""
    for prop in properties:
        if prop.kind == "invariant":
            several = len(prop.clauses) > 1
            for number, clause in enumerate(prop.clauses):
                name = f"{prop.name}#{number + 1}" if several else prop.name
                yield Conjunct(name, _complete(clause), prop.name, role, number)


def _complete(clause: Clause) -> Clause:
    """The clause with everything that it mentions among its parameters: an obligation may name fresh values too."""
    missing = (free_vars(clause.guard) | free_vars(clause.expr)) - set(clause.params)
    more = tuple(sorted(missing, key=lambda v: v.name))
    return Clause((*clause.params, *more), clause.guard, clause.expr) if more else clause


def rigid_axioms(system: System) -> tuple[Expr, ...]:
    """What the initial action's guard says about variables that never change: it holds in every state."""
    written = {u.var for u in system.init.updates}
    guard = system.init.guard
    parts = guard.args if isinstance(guard, And) else (guard,)
    fixed = {v.name for v in system.variables if v.kind in ("rigid", "knob")} - written
    names: set[Var] = {*system.init.params, *system.init.fresh}
    return tuple(p for p in parts if reads(p) <= fixed and not free_vars(p) & names)
