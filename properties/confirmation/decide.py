"""Z3 decides a property on the projections of reachable states onto the slots that it reads.

The explorer's own check is compiled code; this is an independent second opinion.  The caller collects the distinct
projections of all reachable states; Z3 is asked of one chunk of them after the other: is one of these a violation?
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from flushproof.model.ir import Property
from flushproof.model.ir.instance import Instance
from flushproof.model.ir.terms import formula, reads

from ..formulas.domain import Formula, Value, conjunction, disjunction, finite, negation
from ..formulas.first_order import Reader, Symbols, parameters
from ..formulas.slots import Locations
from ..formulas.solver import Checker

Projection = tuple[int, ...]

CHUNK = 256


@dataclass(frozen=True)
class Decision:
    """What Z3 says of a property, given the projections of all reachable states.

    holds: every projection satisfies it (a "reachable" one: some projection does).
    projection: a violating one (or the one that is reached), as codes of `reads_slots`; None if there is none.
    clause, witness: the violated clause, and the codes of its parameters.
    """

    holds: bool
    projection: Projection | None = None
    clause: int | None = None
    witness: Mapping[str, int] | None = None


def reads_slots(instance: Instance, prop: Property) -> tuple[int, ...]:
    """The numbers of the slots that the property's value depends on: all of each variable that it reads."""
    names = reads(formula(prop))
    return tuple(i for i, slot in enumerate(instance.slots) if slot.var in names)


def decide(instance: Instance, prop: Property, projections: Iterable[Projection]) -> Decision:
    """Decides the property on states that are given by their projections onto `reads_slots(instance, prop)`."""
    decider = _Decider(instance, prop)
    source = iter(projections)
    while chunk := list(itertools.islice(source, CHUNK)):
        found = decider.find(chunk)
        if found is not None:
            return found
    return Decision(prop.kind == "invariant")


class _Decider:
    def __init__(self, instance: Instance, prop: Property) -> None:
        self.instance, self.prop = instance, prop
        self.slots = reads_slots(instance, prop)
        self.domain = finite(instance)
        self.symbols = Symbols(self.domain)
        self.locations = Locations(instance, self.domain)
        self.checker = Checker(self.domain)
        reader = Reader(self.domain, self.symbols)
        self.cases: list[Formula] = []
        self.values: list[dict[str, Value]] = []
        for number, clause in enumerate(prop.clauses):
            env, facts = parameters(self.domain, clause.params, f"clause{number}")
            says = reader.holds(clause.expr, env)
            if prop.kind == "invariant":
                says = conjunction((reader.holds(clause.guard, env), negation(says)))
            self.cases.append(conjunction((*facts, says)))
            self.values.append({p.name: v for p, v in env.items()})
        self.checker.tell([disjunction(self.cases)])

    def find(self, chunk: Sequence[Projection]) -> Decision | None:
        """The first violation that Z3 finds among these (the first projection that a "reachable" property asks for)."""
        answer = self.checker.can([self._one_of(chunk, 0)])
        if answer.outcome == "unsatisfiable":
            return None
        assert answer.model is not None, "there is no time limit, and everything is finite"
        model, slots = answer.model, self.instance.slots
        projection = tuple(model.code(self.locations.value(self.symbols, s), slots[s].sort) for s in self.slots)
        clause = next(i for i, case in enumerate(self.cases) if model.truth(case))
        params = self.prop.clauses[clause].params
        witness = {p.name: model.code(self.values[clause][p.name], p.of) for p in params}
        return Decision(self.prop.kind == "reachable", projection, clause, witness)

    def _one_of(self, chunk: Sequence[Projection], depth: int) -> Formula:
        """That the state is one of the chunk, as a tree over the slots: what projections share is said once."""
        if depth == len(self.slots):
            return conjunction(())
        branches: dict[int, list[Projection]] = {}
        for projection in chunk:
            branches.setdefault(projection[depth], []).append(projection)
        return disjunction(
            conjunction((self.locations.has(self.symbols, self.slots[depth], code), self._one_of(rest, depth + 1)))
            for code, rest in branches.items()
        )
