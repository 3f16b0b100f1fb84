"""The straightforward interpreter: a system's steps and clauses as Python functions over state tuples.

Each step and clause is printed as Python source (`python_source`) and run.  The nodes' meaning is in `ir`;
`model.language.evaluate` says the same more slowly, and a test holds that both agree.  Faster engines are tested
against this one, and every trace is replayed on it.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import CodeType
from typing import Any

from flushproof.model.ir import Action, Clause, Lit, Property, Var, default_value
from flushproof.model.ir.instance import Instance, State

from ..reductions.counters import counters
from ..task import WELL_DEFINED, Points
from .python_source import clause_source, cost_source, expression_source, step_source

Codes = tuple[int, ...]


@dataclass(frozen=True)
class Violation:
    """Which clause of a property a state violates, and the codes of the clause's parameters that show it."""

    clause: int
    witness: Codes


class Reference:
    """The transition relation of one instance, and its properties; points: what it may begin with, see `Task`."""

    def __init__(self, instance: Instance, points: Points | None = None) -> None:
        self.instance, self.points = instance, points
        self.actions = instance.system.actions
        self._printed = _printed(_Same(instance))
        self._counters, self._init, self._final = self._printed.counters, self._printed.init, self._printed.final
        self.steps = self._printed.steps

    def initial_states(self) -> Iterator[State]:
        """Every initial state, possibly several times."""
        return (after for _, _, after in self.beginnings())

    def beginnings(self) -> Iterator[tuple[State, Codes, State]]:
        """Every way to begin: the state before the initial action, the codes of its parameters, and the initial state."""
        for before in self._befores(self._unconstrained, self._rows):
            for codes, after in self._init(before):
                yield before, codes, after

    @property
    def choices(self) -> int:
        """How many ways there are to choose values before the initial action."""
        return math.prod(map(len, self._unconstrained)) * len(self._rows)

    def is_initial(self, state: State) -> bool:
        """Whether the state, its counters renamed by rank, is an initial one."""
        written = {update.var for update in self.instance.system.init.updates}
        counted = {slot for c in self._counters for slot in (*c.plain, *c.optional)}
        choices = [
            tuple(code for code in codes if code == state[i])
            if slot.var not in written and i not in counted and i not in self._begun
            else codes
            for i, (slot, codes) in enumerate(zip(self.instance.slots, self._unconstrained, strict=True))
        ]
        rows = [row for row in self._rows if row == tuple(state[slot] for slot in self._begun)]
        return any(after == state for before in self._befores(choices, rows) for _, after in self._init(before))

    def guess_initial_state(self, rng: random.Random) -> State | None:
        """A random initial state, or None if the guessed values of the free variables are not possible."""
        found = list(self.begun(self.guess(rng)))
        return rng.choice(found) if found else None

    def guess(self, rng: random.Random) -> State:
        """Any state before the initial action: random values of the free variables, and defaults of the others."""
        state = tuple(map(rng.choice, self._unconstrained))
        return self.renamed(self._with(state, rng.choice(self._rows)))

    def begun(self, before: State) -> Iterator[State]:
        """The initial states that are made of a state before the initial action."""
        return (after for _, after in self._init(before))

    def successors(self, state: State) -> Iterator[tuple[Action, Codes, State]]:
        """Every possible step: the action, the codes of its parameters, and the next state.

        Actions come in order of declaration, parameters in lexicographic order.
        """
        for action, step in self.steps:
            for codes, after in step(state):
                yield action, codes, after

    def costs(self, action: Action, codes: Codes, state: State) -> Iterator[tuple[str, int | None]]:
        """What a step from `state` costs: names such as `bc_tag`, and `dropped` with the slot of the entry."""
        if not action.costs:
            return iter(())
        return self._printed.costs(action)(state, codes)

    def settled(self, state: State) -> State:
        """The state once hardware has done what it does by itself: any reachable state is settled."""
        return next(after for _, after in self._printed.settle(state))

    def checker(self, prop: Property) -> Callable[[State], Violation | None]:
        """A function that finds the first clause of the property that a state violates, with the first witness."""
        clauses = [self._printed.clause(clause, self._fresh(prop, clause)) for clause in prop.clauses]

        def violation(state: State) -> Violation | None:
            for number, clause in enumerate(clauses):
                witness = clause(state)
                if witness is not None:
                    return Violation(number, witness)
            return None

        return violation

    def holds(self, prop: Property, state: State) -> bool:
        """Whether the property's formula is true in the state (of a "reachable" one: whether it is reached here)."""
        return self.checker(prop)(state) is None

    def is_final(self, state: State) -> bool:
        """Whether having no successor is all right here."""
        return bool(self._final(state))

    def renamed(self, state: State) -> State:
        """The state with each counter's values renamed by rank (see `counters`)."""
        after = list(state)
        for counted in self._counters:
            counted.rename(after)
        return tuple(after)

    @cached_property
    def _unconstrained(self) -> tuple[Sequence[int], ...]:
        """What each slot may hold before the initial action: anything if its variable is free, else its default; nothing yet
        where a search begins with points."""
        instance = self.instance
        choices: list[Sequence[int]] = []
        for i, slot in enumerate(instance.slots):
            if i in self._begun:
                choices.append((0,))
            elif instance.system.variable[slot.var].free:
                choices.append(instance.codes(slot.sort))
            else:
                choices.append((instance.code(Lit(default_value(slot.sort), slot.sort)),))
        return tuple(choices)

    def _befores(self, choices: Sequence[Sequence[int]], rows: Sequence[Codes]) -> Iterator[State]:
        """Every state that has one of these codes in each slot, and one of the rows where a search begins with points."""
        return (self.renamed(self._with(state, row)) for state in itertools.product(*choices) for row in rows)

    def _with(self, state: State, row: Codes) -> State:
        """The state with the values of a point."""
        if not row:
            return state
        changed = list(state)
        for slot, code in zip(self._begun, row, strict=True):
            changed[slot] = code
        return tuple(changed)

    @cached_property
    def _begun(self) -> tuple[int, ...]:
        """The slots of the points."""
        return () if self.points is None else tuple(map(self.instance.slot, self.points.names))

    @cached_property
    def _rows(self) -> tuple[Codes, ...]:
        """The points; one that says nothing where there are none."""
        return ((),) if self.points is None else self.points.rows

    def _fresh(self, prop: Property, clause: Clause) -> tuple[Var, ...]:
        """What an obligation may mention besides parameters: the fresh values of its action."""
        if prop.name != WELL_DEFINED:
            return ()
        return next((a.fresh for a in self.actions if a.name == clause.event), ())


class _Printed:
    """An instance's steps and clauses as functions of Python, each made once; those that few ask for when they are asked for."""

    def __init__(self, instance: Instance) -> None:
        self.instance, system = instance, instance.system
        self.counters = counters(instance)
        self.init = self._compiled(step_source(instance, system.init))
        self.steps = [(action, self._compiled(step_source(instance, action))) for action in system.actions]
        self.final = self._compiled(expression_source(instance, system.final))
        self._costs: dict[str, Callable[..., Iterator[tuple[str, int | None]]]] = {}
        self._clauses: dict[tuple[Clause, tuple[Var, ...]], Callable[[State], Codes | None]] = {}

    @cached_property
    def settle(self) -> Callable[[State], Iterator[tuple[Codes, State]]]:
        return self._compiled(step_source(self.instance, self.instance.system.settle))

    def costs(self, action: Action) -> Callable[..., Iterator[tuple[str, int | None]]]:
        function = self._costs.get(action.name)
        if function is None:
            function = self._costs[action.name] = self._compiled(cost_source(self.instance, action))
        return function

    def clause(self, clause: Clause, fresh: tuple[Var, ...]) -> Callable[[State], Codes | None]:
        function = self._clauses.get((clause, fresh))
        if function is None:
            function = self._clauses[clause, fresh] = self._compiled(clause_source(self.instance, clause, fresh))
        return function

    def _compiled(self, source: str) -> Callable[..., Any]:
        scope: dict[str, Any] = {}
        for number, counted in enumerate(self.counters):
            scope[f"highest{number}"] = counted.highest
            scope[f"rename{number}"] = counted.rename
        exec(_code(source, self.instance.system.name), scope)
        function: Callable[..., Any] = scope["function"]
        return function


class _Same:
    """An instance as a key: the same object is meant, and not one that is equal, which takes long to find out."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.instance is self.instance

    def __hash__(self) -> int:
        return id(self.instance)


@lru_cache(maxsize=4)
def _printed(same: _Same) -> _Printed:
    """Searches of one instance come one after the other, each with interpreters of its own for a replay and an audit."""
    return _Printed(same.instance)


@lru_cache(maxsize=1 << 12)
def _code(source: str, name: str) -> CodeType:
    """The source for Python's machine; several interpreters of one instance have it in common."""
    return compile(source, f"<{name}>", "exec")
