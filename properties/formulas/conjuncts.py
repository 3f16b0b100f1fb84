"""The parts of an invariant: named clauses, each of which is shown to be kept by each action."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from flushproof.model.ir import TRUE, And, Clause, Expr, Lit, OptionSort, Property, Read, Scalarset, System, Var, walk
from flushproof.model.ir.terms import and_, closed, eq, free_vars, ite, map_system, reads, substitute


@dataclass(frozen=True)
class Conjunct:
    """One clause of a property or lemma.  Two are told apart by all of this together, since users choose names.

    name: for people: the property's, with the clause's number where it has several.
    of: the name of the property or lemma; role: which of the two it is; number: of the clause among all clauses under that name,
        from 0.
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
    clauses: dict[str, list[Clause]] = {}
    for prop in properties:
        if prop.kind == "invariant":
            clauses.setdefault(prop.name, []).extend(prop.clauses)
    for of, parts in clauses.items():
        for number, clause in enumerate(parts):
            yield Conjunct(f"{of}#{number + 1}" if len(parts) > 1 else of, _complete(clause), of, role, number)


def _complete(clause: Clause) -> Clause:
    """The clause with everything that it mentions among its parameters: an obligation may name fresh values too."""
    missing = (free_vars(clause.guard) | free_vars(clause.expr)) - set(clause.params)
    more = tuple(sorted(missing, key=lambda v: v.name))
    return Clause((*clause.params, *more), clause.guard, clause.expr) if more else clause


def named_elements(system: System, more: Iterable[Conjunct] = ()) -> dict[str, int]:
    """How many elements of each ordered sort there must be for every literal to be one of them, where that is more than one.

    What is shown for any size is shown for at least so many: a literal stands for an element that exists.
    """
    fewest: dict[str, int] = {}

    def note(expr: Expr) -> Expr:
        for node in walk(expr):
            if isinstance(node, Lit) and isinstance(node.value, int):
                sort = node.of.base if isinstance(node.of, OptionSort) else node.of
                if isinstance(sort, Scalarset) and node.value:
                    fewest[sort.name] = max(fewest.get(sort.name, 1), node.value + 1)
        return expr

    map_system(system, note)
    for part in more:
        note(part.formula)
    return {s.name: fewest[s.name] for s in system.sorts if s.name in fewest}


AT_REST = " at rest"
"""How the names of the lemmas of `resting` end; no lemma that somebody writes has a blank in its name."""


def resting(system: System) -> Iterator[Property]:
    """That what the hardware does by itself would change nothing, for each variable that it writes.

    Every step ends with it, so this holds by construction; it is a lemma to be proved all the same.
    """
    settle = system.settle
    for name in dict.fromkeys(u.var for u in settle.updates):
        variable = system.variable[name]
        index = tuple(Var(f"at{number}", sort) for number, sort in enumerate(variable.index))
        before: Expr = Read(name, index, variable.sort)
        after = before
        for update in settle.updates:
            if update.var == name:
                pairs = list(zip(update.args, index, strict=True))
                bound: dict[Var, Expr] = {a: at for a, at in pairs if isinstance(a, Var) and a in update.binders}
                here = [eq(at, substitute(a, bound)) for a, at in pairs if a not in bound]
                after = ite(
                    and_(*here, substitute(update.cond, bound)), substitute(update.value, bound), after
                )
        yield Property(name + AT_REST, (Clause(index, TRUE, eq(before, after)),))


def rigid_axioms(system: System) -> tuple[Expr, ...]:
    """What the initial action's guard says about variables that never change: it holds in every state."""
    written = {u.var for u in system.init.updates}
    guard = system.init.guard
    parts = guard.args if isinstance(guard, And) else (guard,)
    fixed = {v.name for v in system.variables if v.kind in ("rigid", "knob")} - written
    names: set[Var] = {*system.init.params, *system.init.fresh}
    return tuple(p for p in parts if reads(p) <= fixed and not free_vars(p) & names)
