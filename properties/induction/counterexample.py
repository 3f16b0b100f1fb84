"""Counterexamples to induction: two states at small sizes, which a reader can look at.

A failed induction has a state that satisfies all that is assumed, and an action that leads from it to a state that
does not. Quantified Z3 is bad at finding it ("unknown" after a long time); a finite domain of few elements is good at
it.  So the search goes through small sizes, with the quantifiers expanded over the elements, and what it finds is a
state of an `Instance`: exploring tells whether it can be reached.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from flushproof.model.ir import Action, Expr, Scalarset, System, Update, Var
from flushproof.model.ir.instance import Instance, State
from flushproof.model.ir.terms import reads

from ..formulas.conjuncts import Conjunct, named_elements, rigid_axioms
from ..formulas.domain import Formula, Value, finite, negation
from ..formulas.first_order import Reader, SymbolicState, Symbols, Transition, initially, parameters, transition
from ..formulas.solver import Checker, Model, Outcome


@dataclass(frozen=True)
class Counterexample:
    """A step that leaves an invariant.

    before: the state before the step, which satisfies every conjunct; None where the initial state breaks it.
    action, binding: the step (where `before` is None: the making of the initial state), and the codes of its parameters.
    after: the state after it, its counters renamed by rank.
    conjunct, witness: what does not hold there, and the codes of its parameters for which it does not.
    reachable: whether exploring reaches `before` at these sizes; None where nobody looked.
    """

    instance: Instance
    before: State | None
    action: Action
    binding: Mapping[str, int]
    after: State
    conjunct: Conjunct
    witness: Mapping[str, int]
    reachable: bool | None = None


@dataclass(frozen=True)
class Looked:
    """What a search at small sizes came to: a counterexample, or none (with the conjuncts that exclude it), or no
    answer in time.
    """

    outcome: Outcome
    seconds: float
    core: tuple[Conjunct, ...]
    example: Counterexample | None


class SmallInduction:
    """The induction's questions at fixed small sizes, with all conjuncts assumed in the state before."""

    def __init__(self, instance: Instance, assumed: Sequence[Conjunct]) -> None:
        self.instance, self.system = instance, instance.system
        self.domain = finite(instance, alike=True)
        self.symbols = Symbols(self.domain)
        self.reader = Reader(self.domain, self.symbols)
        self.checker = Checker(self.domain)
        self.checker.tell(self.symbols.ranges())
        self.checker.tell(self.reader.holds(e) for e in rigid_axioms(self.system))
        for part in assumed:
            self.assume(part)
        self._steps: dict[Action, Transition] = {}
        self._initial: tuple[Transition, Checker] | None = None

    def assume(self, part: Conjunct) -> None:
        """One more conjunct holds in the state before."""
        self.checker.suppose(part, self.reader.holds(part.formula))

    def forget(self, part: Conjunct) -> None:
        """This conjunct is no longer assumed."""
        self.checker.take_back(part)

    def step(self, action: Action) -> Transition:
        """The action, taken in the symbolic state."""
        if action not in self._steps:
            self._steps[action] = transition(self.domain, self.symbols, action)
        return self._steps[action]

    def possible(self, action: Action, limit: float | None = None) -> bool | None:
        """Whether some state satisfies all that is assumed and the action's guard."""
        outcome = self.checker.can(self.step(action).facts, limit).outcome
        return None if outcome == "unknown" else outcome == "satisfiable"

    def breaks(
        self, action: Action, conjunct: Conjunct, limit: float | None = None, *, assuming: bool = False
    ) -> Counterexample | None:
        """A step of the action after which the conjunct does not hold; `assuming`: it does before."""
        return self.look(action, conjunct, limit, assuming=assuming).example

    def starts_wrong(self, conjunct: Conjunct, limit: float | None = None) -> Counterexample | None:
        """An initial state in which the conjunct does not hold."""
        return self.look(None, conjunct, limit).example

    def look(
        self,
        action: Action | None,
        conjunct: Conjunct,
        limit: float | None = None,
        *,
        only: Container[Conjunct] | None = None,
        assuming: bool = False,
        small_core: bool = False,
    ) -> Looked:
        """Looks for a step of the action (None: for an initial state) after which the conjunct does not hold.

        only: the conjuncts that are assumed before the step; all, if None.  assuming: this conjunct too.  small_core: name
        none of them in vain.
        """
        step, checker = (self.step(action), self.checker) if action is not None else self._initially()
        env, facts = self._violated(conjunct, step.after)
        before = (self.reader.holds(conjunct.formula),) if assuming else ()
        asked = (*before, *step.facts, *facts)
        named = [(var.of, value) for values in (step.env, env) for var, value in values.items()]
        answer = checker.can((*asked, *self.domain.named_in_order(named)), limit, only, small_core=small_core)
        seconds, outcome, example = answer.seconds, answer.outcome, None
        if answer.model is not None and only is None:
            if not all(map(answer.model.truth, self.domain.as_in_a_run())):
                answer = checker.can((*asked, *self.domain.as_in_a_run()), limit)
                seconds, outcome = seconds + answer.seconds, answer.outcome
            if answer.model is not None:
                state = None if action is None else answer.model.state(self.instance, self.symbols)
                example = self._counterexample(answer.model, state, step, conjunct, env)
        return Looked(outcome, seconds, answer.core, example)

    def _initially(self) -> tuple[Transition, Checker]:
        if self._initial is None:
            self._initial = initially(self.domain), Checker(self.domain)
        return self._initial

    def _violated(self, conjunct: Conjunct, state: SymbolicState) -> tuple[Mapping[Var, Value], list[Formula]]:
        env, facts = parameters(self.domain, conjunct.clause.params, "witness")
        reader = Reader(self.domain, state)
        facts += [reader.holds(conjunct.clause.guard, env), negation(reader.holds(conjunct.clause.expr, env))]
        return env, facts

    def _counterexample(
        self, model: Model, before: State | None, step: Transition, conjunct: Conjunct, env: Mapping[Var, Value]
    ) -> Counterexample:
        return Counterexample(
            self.instance,
            before,
            step.action,
            model.binding(step.env, step.action.params),
            model.state(self.instance, step.after),
            conjunct,
            model.binding(env, conjunct.clause.params),
        )


def small_instances(system: System, largest: int = 3) -> Iterator[Instance]:
    """The system at growing sizes: one element of each sort, then two, and so on; more where it names more."""
    fewest = _fewest(system)
    for size in range(1, largest + 1):
        yield Instance(system, {name: max(size, least) for name, least in fewest.items()})


def uneven_instances(system: System) -> Iterator[Instance]:
    """The system with two elements of each sort but one, which has one or three; more where it names more."""
    fewest = _fewest(system)
    for size in (3, 1):
        for name in fewest:
            yield Instance(system, {n: max(size if n == name else 2, least) for n, least in fewest.items()})


def _fewest(system: System) -> dict[str, int]:
    """How many elements of each scalarset there must be for every literal to be one of them."""
    named = named_elements(system)
    return {s.name: named.get(s.name, 1) for s in system.sorts if isinstance(s, Scalarset)}


def where_it_begins(system: System, sizes: Iterable[Instance], limit: float) -> Instance | None:
    """The first of these instances for which Z3 does not show that there is no initial state; None where it does for all."""
    for instance in sizes:
        domain = finite(instance)
        if Checker(domain).can(initially(domain).facts, limit).outcome != "unsatisfiable":
            return instance
    return None


# ---------------------------------------------------------------------------------------------------------------
# picture


@dataclass(frozen=True)
class Picture:
    """A counterexample for people: what the two states say about everything that matters to the step or to the
    conjunct.

    headline: the step and what it breaks; rows: location, value before (empty for an initial state), value after;
    remark: whether the state before can be reached.
    """

    headline: str
    rows: tuple[tuple[str, str, str], ...]
    remark: str = ""
    columns: tuple[str, str, str] = field(default=("", "before", "after"))

    def __str__(self) -> str:
        widths = [max(len(r[i]) for r in (self.columns, *self.rows)) for i in range(3)]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in
                 (self.columns, *self.rows)]  # fmt: skip
        return "\n".join([self.headline, *(f"  {line}" for line in lines), *([self.remark] if self.remark else [])])


def picture(example: Counterexample) -> Picture:
    """The counterexample as a table of the locations that the step or the conjunct looks at, or that change."""
    instance = example.instance
    action = example.action
    clause = example.conjunct.clause
    rows = []
    for number in telling(example):
        slot = instance.slots[number]
        new = instance.show(slot.sort, example.after[number])
        old = "" if example.before is None else instance.show(slot.sort, example.before[number])
        index = ", ".join(
            instance.show(s, i) for s, i in zip(instance.system.variable[slot.var].index, slot.index, strict=True)
        )
        rows.append((f"{slot.var}[{index}]" if index else slot.var, old, "" if new == old else new))
    step = _call(instance, action.name, action.params, example.binding)
    broken = _call(instance, example.conjunct.name, clause.params, example.witness)
    headline = f"{step} breaks {broken}"
    if example.before is None:
        headline = f"the initial state breaks {broken}"
    return Picture(headline, tuple(rows), _remark(example))


def telling(example: Counterexample) -> list[int]:
    """The numbers of the locations that the step or the conjunct looks at, or that change."""
    action, clause = example.action, example.conjunct.clause
    matters = reads(action.guard, clause.guard, clause.expr, *(e for u in action.updates for e in _parts(u)))
    before = example.before or example.after
    return [n for n, s in enumerate(example.instance.slots) if s.var in matters or before[n] != example.after[n]]


def _parts(update: Update) -> tuple[Expr, ...]:
    return (*update.args, update.cond, update.value)


def _call(instance: Instance, name: str, params: Sequence[Var], codes: Mapping[str, int]) -> str:
    shown = ", ".join(f"{p.name}={instance.show(p.of, codes[p.name])}" for p in params)
    return f"{name}({shown})" if shown else name


def _remark(example: Counterexample) -> str:
    if example.before is None or example.reachable is None:
        return ""
    if example.reachable:
        return "The state before is reached at these sizes: what is claimed does not hold."
    return "The state before is not reached at these sizes: a lemma is missing that excludes it."


Reachable = Callable[[Instance, State], bool | None]
"""Whether exploring reaches a state of an instance; None where it cannot say.  Given by the layer above."""
