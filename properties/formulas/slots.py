"""The slots of an `Instance` in the first-order reading: states given by codes, as facts about a symbolic state."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping

from flushproof.model.ir import CounterSort, Expr, Lit, OptionSort, System, Var, walk
from flushproof.model.ir.instance import Instance, State

from .domain import Domain, Formula, Maybe, Term, Value, integer, negation
from .first_order import SymbolicState


def binding(domain: Domain, params: Iterable[Var], codes: Mapping[str, int]) -> dict[Var, Value]:
    """The values of parameters given by their codes."""
    return {p: domain.coded(p.of, codes[p.name]) for p in params}


class Locations:
    """The slots of an instance as terms in a symbolic state."""

    def __init__(self, instance: Instance, domain: Domain) -> None:
        self.instance, self.domain = instance, domain
        self._index = [
            tuple(domain.coded(s, i) for s, i in zip(instance.system.variable[slot.var].index, slot.index, strict=True))
            for slot in instance.slots
        ]
        self._is: dict[tuple[int, int, int], tuple[Formula, SymbolicState]] = {}

    def value(self, state: SymbolicState, slot: int) -> Value:
        return state.read(self.instance.slots[slot].var, self._index[slot])

    def has(self, state: SymbolicState, slot: int, code: int) -> Formula:
        """That the slot has this code."""
        key = (id(state), slot, code)
        done = self._is.get(key)
        if done is None:
            is_so = self.domain.equal(self.value(state, slot), self.domain.coded(self.instance.slots[slot].sort, code))
            done = self._is[key] = (is_so, state)
        return done[0]

    def are(self, state: SymbolicState, codes: State) -> Iterator[Formula]:
        """That the whole state has these codes."""
        return (self.has(state, slot, code) for slot, code in enumerate(codes))

    def same(self, state: SymbolicState, codes: State, but: Collection[int] = ()) -> Iterator[Formula]:
        """That the state has these codes, but in some slots, up to an order-preserving renaming of its counters.

        The renaming keeps 0 if the system mentions the literal 0, and is free to move it if not.
        """
        counters: dict[CounterSort, list[tuple[int, Term]]] = {}
        for slot, code in enumerate(codes):
            if slot in but:
                continue
            sort, value = self.instance.slots[slot].sort, self.value(state, slot)
            if isinstance(sort, CounterSort):
                assert not isinstance(value, Maybe)
                counters.setdefault(sort, []).append((code, value))
            elif isinstance(sort, OptionSort) and isinstance(sort.base, CounterSort):
                assert isinstance(value, Maybe)
                yield value.present if code else negation(value.present)
                if code:
                    counters.setdefault(sort.base, []).append((code - 1, self.domain.the(value, sort.base)))
            else:
                yield self.has(state, slot, code)
        for counter, values in counters.items():
            yield from self._same_order(counter, values)

    def _same_order(self, counter: CounterSort, values: list[tuple[int, Term]]) -> Iterator[Formula]:
        if counter in zero_is_live(self.instance.system):
            values = [(0, integer(0)), *values]
        values.sort(key=lambda v: v[0])
        for (low, a), (high, b) in itertools.pairwise(values):
            yield self.domain.equal(a, b) if low == high else self.domain.before(counter, a, b)


@functools.lru_cache(maxsize=16)
def _zeros(expressions: tuple[Expr, ...]) -> frozenset[CounterSort]:
    return frozenset(
        sort
        for e in walk(*expressions)
        if isinstance(e, Lit) and e.value is not None
        for sort in (e.of.base if isinstance(e.of, OptionSort) else e.of,)
        if isinstance(sort, CounterSort)
    )


def zero_is_live(system: System) -> frozenset[CounterSort]:
    """The counters whose literal 0 is mentioned after the initial state, so that 0 can be told from other values."""
    actions = [
        e
        for a in system.actions
        for e in (
            a.guard,
            *(x for u in a.updates for x in (*u.args, u.cond, u.value)),
            *(o.expr for o in a.obligations),
        )
    ]
    clauses = [e for p in (*system.properties, *system.lemmas) for c in p.clauses for e in (c.guard, c.expr)]
    return _zeros((*actions, *clauses, system.final))
