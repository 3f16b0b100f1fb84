"""What remains where no inductive invariant is known: bounded model checking and k-induction, at fixed sizes.

- *Bounded*: no violation within so many steps of an initial state.  A violation comes with a trace.
- *k-induction*: no violation within k steps of an initial state, and no k + 1 different states in a row of which only
  the last violates the property.  Then it holds in every reachable state at these sizes: a finite proof.

The steps are unrolled, each with symbols of its own for the state that it leads to; which action is taken is a symbol
too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from flushproof.model.ir import EnumSort, Property
from flushproof.model.ir.instance import Instance
from flushproof.model.ir.terms import formula
from flushproof.model.ir.trace import Step, Trace

from ..formulas.conjuncts import rigid_axioms
from ..formulas.domain import Formula, Value, choice, conjunction, disjunction, finite, negation
from ..formulas.first_order import Reader, SymbolicState, Symbols, Transition, initially, transition
from ..formulas.slots import Locations
from ..formulas.solver import Checker, Model


@dataclass(frozen=True)
class Bounded:
    """What was shown of a property at the sizes of one instance.

    kind: "violated", with a trace; "finite": it holds in all reachable states, by k-induction; "bounded": it holds in
    all
        states within `depth` steps of an initial one, and nothing is said of the others.
    depth: how many steps were looked at; -1 if not even the initial states were decided in time.
    """

    kind: Literal["violated", "finite", "bounded"]
    depth: int
    seconds: float
    trace: Trace | None = None


Told = Callable[[int], None]
"""Is told the number of steps that is looked at now."""


def check_bounded(
    instance: Instance, prop: Property, depth: int, seconds: float = 60.0, told: Told | None = None
) -> Bounded:
    """Looks for a violation within `depth` steps of an initial state, for no longer than `seconds`."""
    start = time.monotonic()
    base = _Unrolled(instance, prop, from_initial=True)
    for step in range(depth + 1):
        if told is not None:
            told(step)
        remaining = seconds - (time.monotonic() - start)
        found = base.violated_at(step, remaining) if remaining > 0 else None
        if found is None:
            return Bounded("bounded", step - 1, time.monotonic() - start)
        if isinstance(found, Trace):
            return Bounded("violated", step, time.monotonic() - start, found)
    return Bounded("bounded", depth, time.monotonic() - start)


def k_induction(
    instance: Instance,
    prop: Property,
    most: int,
    lemmas: Sequence[Property] = (),
    seconds: float = 60.0,
    told: Told | None = None,
) -> Bounded:
    """Tries k-induction for k = 0, 1, ..., `most`, for no longer than `seconds`.

    lemmas: what is known to hold in every reachable state; it is assumed, not shown.
    """
    start = time.monotonic()
    base = _Unrolled(instance, prop, from_initial=True)
    induction = _Unrolled(instance, prop, from_initial=False, lemmas=lemmas)
    result = Bounded("bounded", -1, 0.0)
    for k in range(most + 1):
        if told is not None:
            told(k)
        remaining = seconds - (time.monotonic() - start)
        if remaining <= 0:
            break
        found = base.violated_at(k, remaining)
        spent = time.monotonic() - start
        if found is None:
            break
        if isinstance(found, Trace):
            return Bounded("violated", k, spent, found)
        result = Bounded("bounded", k, spent)
        # at most half of what is left: the way from the initial states goes on even where this leads nowhere
        if induction.violated_at(k + 1, max(0.001, (seconds - spent) / 2)) is False:
            return Bounded("finite", k, time.monotonic() - start)
    return Bounded(result.kind, result.depth, time.monotonic() - start)


class _Unrolled:
    """A growing row of states, each a successor of the one before.

    from_initial: the first state is an initial one; otherwise it is any state, and the states are all different.
    """

    def __init__(self, instance: Instance, prop: Property, from_initial: bool, lemmas: Sequence[Property] = ()) -> None:
        self.instance, self.prop, self.from_initial = instance, prop, from_initial
        self.lemmas = [formula(p) for p in lemmas]
        self.domain = finite(instance)
        self.locations = Locations(instance, self.domain)
        self.checker = Checker(self.domain, patience=1.0)  # here a limit is one of the whole, in the user's time
        self.which = EnumSort("action", tuple(map(str, range(len(instance.system.actions)))))
        self.states: list[SymbolicState] = []
        self.chosen: list[tuple[Value, list[Transition]]] = []
        if from_initial:
            start = initially(self.domain)
            self.checker.tell(start.facts)
            self.states.append(start.after)
        else:
            self._add_state(Symbols(self.domain, "@0"))
        self.holds = formula(prop)

    def violated_at(self, step: int, seconds: float) -> Trace | bool | None:
        """A row of states of which only the last violates the property: the trace, False if there is none, True if
        there is one but no trace to show (from any state), None if that was not decided in time."""
        while len(self.states) <= step:
            self.checker.tell([self._good(self.states[-1])])
            self._extend()
        answer = self.checker.can([negation(self._good(self.states[step]))], seconds)
        if answer.outcome == "unknown":
            return None
        if answer.model is None:
            return False
        return self._trace(answer.model, step) if self.from_initial else True

    def _good(self, state: SymbolicState) -> Formula:
        return Reader(self.domain, state).holds(self.holds)

    def _add_state(self, state: Symbols) -> None:
        self.checker.tell(state.ranges())
        reader = Reader(self.domain, state)
        self.checker.tell(reader.holds(e) for e in (*rigid_axioms(self.instance.system), *self.lemmas))
        if not self.from_initial:
            self.checker.tell(self._differ(state, earlier) for earlier in self.states)
        self.states.append(state)

    def _differ(self, one: SymbolicState, other: SymbolicState) -> Formula:
        slots = range(len(self.instance.slots))
        same = (self.domain.equal(self.locations.value(one, s), self.locations.value(other, s)) for s in slots)
        return disjunction(negation(f) for f in same)

    def _extend(self) -> None:
        number, before = len(self.states), self.states[-1]
        actions = self.instance.system.actions
        which = self.domain.constant(f"which!@{number}", self.which)
        steps = [transition(self.domain, before, a, of=f"{i}!@{number}") for i, a in enumerate(actions)]
        taken = [self.domain.equal(which, self.domain.coded(self.which, i)) for i in range(len(actions))]
        self.checker.tell([disjunction(taken)])
        self.checker.tell(disjunction((negation(t), conjunction(s.facts))) for t, s in zip(taken, steps, strict=True))
        after = Symbols(self.domain, f"@{number}")
        self.checker.tell(self._moved(before, after, steps, taken))
        self.chosen.append((which, steps))
        self._add_state(after)

    def _moved(
        self, before: SymbolicState, after: Symbols, steps: list[Transition], taken: list[Formula]
    ) -> Iterator[Formula]:
        """That each slot has the value that the chosen action gives it."""
        for number, slot in enumerate(self.instance.slots):
            if self.instance.system.variable[slot.var].kind in ("rigid", "knob") and not self._writes(slot.var):
                continue
            value = self.locations.value(before, number)
            for step, chosen in zip(steps, taken, strict=True):
                if any(u.var == slot.var for u in step.action.updates):
                    value = choice(chosen, self.locations.value(step.after, number), value)
            yield self.domain.equal(self.locations.value(after, number), value)

    def _writes(self, name: str) -> bool:
        return any(u.var == name for a in self.instance.system.actions for u in a.updates)

    def _trace(self, model: Model, length: int) -> Trace:
        steps = []
        for number, (which, choices) in enumerate(self.chosen[:length], 1):
            taken = choices[model.code(which, self.which)]
            binding = model.binding(taken.env, taken.action.params)
            steps.append(Step(taken.action.name, binding, model.state(self.instance, self.states[number])))
        initial = model.state(self.instance, self.states[0])
        clause, witness = self._violation(model, self.states[length])
        event = self.prop.clauses[clause].event
        if event is not None:  # the access that shows it is a step too, as in every trace
            steps.append(Step(event, witness, steps[-1].state if steps else initial, event=True))
        return Trace(self.instance, initial, tuple(steps), self.prop.name, clause, witness)

    def _violation(self, model: Model, state: SymbolicState) -> tuple[int, dict[str, int]]:
        """Which clause the last state violates, and for which values of its parameters."""
        reader = Reader(self.domain, state)
        for number, clause in enumerate(self.prop.clauses):
            for codes in self.instance.assignments(tuple(p.of for p in clause.params)):
                env = {p: self.domain.coded(p.of, c) for p, c in zip(clause.params, codes, strict=True)}
                if model.truth(reader.holds(clause.guard, env)) and not model.truth(reader.holds(clause.expr, env)):
                    return number, dict(zip((p.name for p in clause.params), codes, strict=True))
        raise AssertionError("Z3's model violates no clause")
