"""Certificates: Z3 re-checks every step of a trace, so that a bug in the explorer cannot invent one.

What is checked, each as a question that must have the answer "no, it cannot be otherwise" (the initial state: "yes"):

- the first state is an initial one;
- in each state the action's guard holds for the given parameters, and every slot of the next state has the value that
  the action gives it, up to an order-preserving renaming of counters;
- an event's guard holds, and the event changes nothing;
- in the last state the property is violated by the given witness; a deadlock: no action is possible, and `final` does
  not hold; a wait without an end: the process stands at the label, its step is not possible, and `final` does not hold
  (`forever` is about what comes after);
- a walk claims nothing of its last state;
- an execution without progress: the last state is the one at which the steps begin that repeat, none of them is progress, and
  whoever takes none of them cannot take one in some state on the way.

For a "reachable" property a trace is a witness, and its last state must satisfy it.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Literal, assert_never

from flushproof.model.ir import Action, Clause, Progress, Property, Var, terms
from flushproof.model.ir.evaluate import decode, evaluate
from flushproof.model.ir.fairness import Chance, Unit, chances, unit_of
from flushproof.model.ir.instance import Instance, State
from flushproof.model.ir.terms import well_defined
from flushproof.model.ir.trace import WALK, Condition, Open, Step, Trace
from flushproof.model.ir.waits import NO_STUCK, Wait, waits

from ..formulas.domain import Formula, conjunction, disjunction, finite, negation
from ..formulas.first_order import After, Reader, SymbolicState, Symbols, fresh_facts, initially, parameters, transition
from ..formulas.slots import Locations, binding
from ..formulas.solver import Checker
from ..formulas.steps import Steps

_Part = Literal["guard", "expr", "violation"]

DEADLOCK = "no-deadlock"
WELL_DEFINED = "well-defined"


@dataclass(frozen=True)
class Certificate:
    """Whether Z3 confirms a trace; `reason` says what it does not confirm, `step` where (0 is the initial state)."""

    ok: bool
    reason: str = ""
    step: int | None = None

    def refusal(self, what: str) -> str:
        """That Z3 does not confirm this, where, and why."""
        where = "" if self.step is None else f" at step {self.step}"
        return f"Z3 does not confirm {what}{where}: {self.reason}"


class _Refuted(Exception):
    """A part of a trace is not what it claims to be."""

    def __init__(self, reason: str, step: int) -> None:
        super().__init__(reason)
        self.reason, self.step = reason, step


def certify(trace: Trace, policies: Open | None = None, view: View | None = None) -> Certificate:
    """Re-checks a trace from its first state to the violation in its last.

    policies: under all of them at once, whatever values the states of the trace have for these knobs; only where a state alone
        violates the property: of deadlocks, waits and executions without progress nothing is certified so.
    view: of the trace's instance, for who has many traces of it certified.
    """
    try:
        certifier = _Certifier(trace, policies, view or View(trace.instance))
        certifier.check_shape()
        certifier.check_initial()
        for number, (state, step) in enumerate(trace.transitions(), 1):
            certifier.check_step(number, state, step)
        certifier.check_violation()
    except _Refuted as refuted:
        return Certificate(False, refuted.reason, refuted.step)
    return Certificate(True)


def find_property(instance: Instance, name: str) -> Property | None:
    """The property, lemma or built-in property of this name; None for an unknown name and for "no-deadlock"."""
    if name == WELL_DEFINED:
        return well_defined(instance.system)
    return next((p for p in (*instance.system.properties, *instance.system.lemmas) if p.name == name), None)


def forever(trace: Trace, ways: Mapping[State, Collection[State]], most: int) -> tuple[Certificate, int]:
    """Whether Z3 confirms, of the first states that can follow a trace to a wait without an end, that the process waits in each and
    that it has no other successors than these; and in how many it does, of those that it was asked about."""
    certifier, steps = _Certifier(trace, None, View(trace.instance)), Steps(trace.instance)
    assert trace.clause is not None
    wait, confirmed, last = waits(trace.instance.system)[trace.clause], 0, len(trace.steps)
    for state in list(ways)[:most]:
        if not certifier.waits_in(wait, state):
            return Certificate(False, f"'{wait.process}' does not wait in a state that can follow", last), confirmed
        with suppress(LookupError):  # its counters can be numbered in too many ways
            if steps.other(state, ways[state]) is not None:
                return Certificate(False, "a state that can follow has another successor", last), confirmed
            confirmed += 1
    return Certificate(True), confirmed


class View:
    """Z3's view of an instance: a state of symbols that is told the values of one state after another, and what steps come to."""

    def __init__(self, instance: Instance) -> None:
        self.instance, self.domain = instance, finite(instance)
        self.symbols = Symbols(self.domain)
        self.reader = Reader(self.domain, self.symbols)
        self.locations = Locations(instance, self.domain)
        self.checker = Checker(self.domain)
        self.actions: Mapping[str, Action] = {a.name: a for a in instance.system.actions}
        self.steps: dict[Hashable, list[frozenset[int]]] = {}
        self._conditions: dict[Condition, int] = {}
        self._taken: dict[tuple[str, tuple[int, ...]], tuple[tuple[Formula, ...], Formula, After]] = {}

    def met(self, condition: Condition) -> int:
        """The number by which it can be supposed that a condition is met in the present state."""
        if condition not in self._conditions:
            number = self._conditions[condition] = len(self._conditions)
            self.checker.suppose(number, self.meets(condition, self.symbols))
        return self._conditions[condition]

    def meets(self, condition: Condition, state: SymbolicState) -> Formula:
        """That a condition is met in a state."""
        slots = tuple(map(self.locations.instance.slot, condition.names))
        return disjunction(
            conjunction(self.locations.has(state, s, code) for s, code in zip(slots, codes, strict=True))
            for codes in sorted(condition.values)
        )

    def taken(self, action: Action, codes: Mapping[str, int]) -> tuple[tuple[Formula, ...], Formula, After]:
        """What a step's fresh values are, whether it is possible, and the state after it."""
        key = (action.name, tuple(codes[p.name] for p in action.params))
        known = self._taken.get(key)
        if known is None:
            env = binding(self.domain, action.params, codes)
            env.update(parameters(self.domain, action.fresh, "fresh")[0])
            facts = tuple(fresh_facts(self.domain, self.symbols, action, env))
            after = After(self.domain, self.symbols, action, env)
            known = self._taken[key] = facts, self.reader.holds(action.guard, env), after
        return known


class _Certifier:
    """One trace."""

    def __init__(self, trace: Trace, policies: Open | None, view: View) -> None:
        self.policies = policies or Open(())
        self.trace, self.instance, self.system = trace, trace.instance, trace.instance.system
        self.view, self.domain, self.symbols, self.actions = view, view.domain, view.symbols, view.actions
        self.reader, self.locations, self.checker = view.reader, view.locations, view.checker
        self.open = frozenset(map(trace.instance.slot, self.policies.knobs))
        self.met = frozenset(map(view.met, self.policies.conditions))
        self.property = find_property(self.instance, trace.property)
        self.progress = next((p for p in self.system.progress if p.name == trace.property), None)

    # ------------------------------------------------------------------------------------------------------ shape

    def check_shape(self) -> None:
        """That every state has a code for each slot, in its sort's range."""
        counts = [self.instance.cardinality(s.sort) for s in self.instance.slots]
        for number, state in enumerate(self.trace.states):
            if len(state) != len(counts):
                raise _Refuted(f"a state has {len(counts)} slots, this one {len(state)}", number)
            for code, count, slot in zip(state, counts, self.instance.slots, strict=True):
                if not 0 <= code < count:
                    raise _Refuted(f"{slot.var}{list(slot.index)} cannot have the code {code}", number)

    def values(self, params: tuple[Var, ...], codes: Mapping[str, int], number: int) -> None:
        """That the codes are a value for each parameter and for nothing else."""
        if {p.name for p in params} != set(codes):
            raise _Refuted(f"expected values for {[p.name for p in params]}, got {sorted(codes)}", number)
        for p in params:
            if not 0 <= codes[p.name] < self.instance.cardinality(p.of):
                raise _Refuted(f"{p.name} cannot have the code {codes[p.name]}", number)

    # ------------------------------------------------------------------------------------------------------ steps

    def check_initial(self) -> None:
        start = initially(self.domain)
        facts = (*start.facts, *self._same(start.after, self.trace.initial))
        for given in self._openings(start.after):
            if self.checker.can((*facts, *given), only=(), model=False).outcome != "satisfiable":
                raise _Refuted("the first state is not an initial one", 0)

    def _openings(self, start: SymbolicState) -> Iterator[tuple[Formula, ...]]:
        """Each combination that the policies have of values on which the initial action depends."""
        variable, read = self.system.variable, terms.reads(*terms.deciding(self.system.init))
        names = [name for name in self.policies.knobs if name in read]
        meant = tuple(self.view.meets(condition, start) for condition in self.policies.conditions)
        for codes in self.instance.assignments(tuple(variable[name].sort for name in names)):
            given = tuple(
                self.locations.has(start, self.instance.slot(n), c) for n, c in zip(names, codes, strict=True)
            )
            if not names or self.checker.can((*meant, *given), only=(), model=False).outcome != "unsatisfiable":
                yield given

    def check_step(self, number: int, state: State, step: Step) -> None:
        if step.event:
            self._check_event(number, state, step)
            return
        action = self.actions.get(step.action)
        if action is None:
            raise _Refuted(f"there is no action '{step.action}'", number)
        self.values(action.params, step.binding, number)
        codes = (step.binding[p.name] for p in action.params)
        same = (self.open, action.name, *codes, *map(self._fixed, (state, step.state)))
        known = self.view.steps.setdefault(same, [])
        if any(enough <= self.met for enough in known):
            return  # another trace has this step, and under all of these policies
        fresh, guard, after = self.view.taken(action, step.binding)
        given, leads = (*self._are(state), *fresh), conjunction(self._same(after, step.state))
        enough = self._enough(given, conjunction((guard, leads)))
        if enough is not None:
            known.append(enough)
        elif not self._follows(given, guard):
            raise _Refuted(f"the guard of '{action.name}' does not hold", number)
        else:
            raise _Refuted(f"'{action.name}' does not lead to this state", number)

    def _check_event(self, number: int, state: State, step: Step) -> None:
        if step.state != state:
            raise _Refuted(f"the event '{step.action}' changes the state", number)
        clauses = [c for c in self._clauses() if (c.event or self.trace.property) == step.action]
        if not clauses:
            raise _Refuted(f"'{step.action}' is not an event of '{self.trace.property}'", number)
        fitting = [c for c in clauses if {p.name for p in c.params} == set(step.binding)]
        for clause in fitting or clauses:
            self.values(clause.params, step.binding, number)
        if not any(self._follows(*self._claim(c, state, step.binding, "guard")) for c in fitting):
            raise _Refuted(f"the event '{step.action}' is not possible here", number)

    def _clauses(self) -> Iterator[Clause]:
        if self.property is not None:
            yield from self.property.clauses

    # -------------------------------------------------------------------------------------------------- violation

    def check_violation(self) -> None:
        last = len(self.trace.steps)
        if self.trace.property == WALK:
            self._check_walk(last)
            return
        if self.trace.cycle is not None and self.progress is None:
            raise _Refuted(f"'{self.trace.property}' is not about steps that repeat", last)
        about_all = self.trace.property in (DEADLOCK, NO_STUCK) or self.progress is not None
        assert not (about_all and self.policies.knobs), "what is about all that can follow is certified for one policy"
        if self.trace.property == DEADLOCK:
            self._check_deadlock(last)
            return
        if self.trace.property == NO_STUCK:
            self._check_wait(last)
            return
        if self.progress is not None:
            self._check_cycle(self.progress, last)
            return
        if self.property is None:
            raise _Refuted(f"there is no property '{self.trace.property}'", last)
        if self.trace.clause is None or not 0 <= self.trace.clause < len(self.property.clauses):
            raise _Refuted(f"'{self.trace.property}' has no clause {self.trace.clause}", last)
        clause, witness = self.property.clauses[self.trace.clause], self.trace.witness or {}
        self.values(clause.params, witness, last)
        event = self.trace.steps[-1] if self.trace.steps and self.trace.steps[-1].event else None
        if event is not None and (event.binding != witness or event.action != (clause.event or self.trace.property)):
            raise _Refuted("the last step is another event than the one that violates the property", last)
        part: _Part = "expr" if self.property.kind == "reachable" else "violation"
        if not self._follows(*self._claim(clause, self.trace.states[-1], witness, part)):
            raise _Refuted(f"the last state does not violate '{self.trace.property}'", last)

    def _check_walk(self, last: int) -> None:
        if self.trace.clause is not None or self.trace.witness is not None or self.trace.cycle is not None:
            raise _Refuted("a walk, which claims nothing of its end, comes with a claim", last)

    def _check_deadlock(self, last: int) -> None:
        given = tuple(self.locations.are(self.symbols, self.trace.states[-1]))
        if not self._follows(given, negation(self.reader.holds(self.system.final))):
            raise _Refuted("the last state is a final one", last)
        for action in self.system.actions:
            step = transition(self.domain, self.symbols, action, of=action.name)
            if self.checker.can((*given, *step.facts), only=(), model=False).outcome != "unsatisfiable":
                raise _Refuted(f"'{action.name}' is possible in the last state", last)

    def _check_wait(self, last: int) -> None:
        labels = waits(self.system)
        if self.trace.clause is None or not 0 <= self.trace.clause < len(labels):
            raise _Refuted(f"'{self.trace.property}' has no label {self.trace.clause}", last)
        wait = labels[self.trace.clause]
        self.values(wait.who, self.trace.witness or {}, last)
        if wait.begins:
            raise _Refuted(f"'{wait.process}' begins at '{wait.label}', and waits for nothing", last)
        if not self.waits_in(wait, self.trace.states[-1]):
            raise _Refuted(f"'{wait.process}' does not wait at '{wait.label}' in the last state, or that is final", last)

    def _check_cycle(self, progress: Progress, last: int) -> None:
        cycle = self.trace.cycle
        if self.trace.clause is not None:
            raise _Refuted(f"'{progress.name}' has no clauses", last)
        if cycle is None or not 0 <= cycle < last:
            raise _Refuted("the trace says of no steps that they repeat", last)
        if self.trace.states[cycle] != self.trace.states[-1]:
            raise _Refuted("the last state is not the one at which the steps begin that repeat", last)
        for number, state in enumerate(self.trace.states[cycle:], cycle):
            given = tuple(self.locations.are(self.symbols, state))
            if not self._follows(given, self.reader.holds(progress.within)):
                raise _Refuted(f"a state that repeats owes no '{progress.name}'", number)
        taken: set[Unit] = set()
        for number, step in enumerate(self.trace.steps[cycle:], cycle + 1):
            action = self.actions[step.action]
            if action.name in progress.actions:
                raise _Refuted(f"'{action.name}', which repeats, is a step of '{progress.name}'", number)
            taken.add(unit_of(self.system, action, [step.binding[p.name] for p in action.params]))
        for chance in chances(self.instance):
            if chance.unit not in taken and not any(map(partial(self._cannot, chance), self.trace.states[cycle:-1])):
                raise _Refuted(f"'{chance.unit[0]}' could always take a step, and takes none of those that repeat", last)

    def _cannot(self, chance: Chance, state: State) -> bool:
        """Whether who it is has no step in a state."""
        codes = {p.name: code for p, code in zip(chance.params, chance.unit[1], strict=True)}
        env = {p: decode(p.of, codes[p.name]) for p in chance.params}
        if evaluate(chance.possible, env, state, self.instance):
            return False  # no need to ask Z3
        given = tuple(self.locations.are(self.symbols, state))
        return self._follows(given, negation(self.reader.holds(chance.possible, binding(self.domain, chance.params, codes))))

    def waits_in(self, wait: Wait, state: State) -> bool:
        """Whether the process of the witness waits in a state that is not final."""
        env = binding(self.domain, wait.who, self.trace.witness or {})
        given = tuple(self.locations.are(self.symbols, state))
        claim = conjunction(
            (self.reader.holds(wait.waiting, env), negation(self.reader.holds(self.system.final)))
        )
        return self._follows(given, claim)

    # --------------------------------------------------------------------------------------------------- questions

    def _are(self, state: State) -> tuple[Formula, ...]:
        """That the present state has these codes, apart from the knobs'."""
        return tuple(self.locations.has(self.symbols, i, code) for i, code in enumerate(state) if i not in self.open)

    def _fixed(self, state: State) -> State:
        """The codes of a state, apart from the knobs'."""
        return tuple(code for i, code in enumerate(state) if i not in self.open) if self.open else state

    def _same(self, after: SymbolicState, codes: State) -> Iterator[Formula]:
        """That a state has these codes, apart from the knobs' and up to a renaming of counters."""
        return self.locations.same(after, codes, self.open)

    def _claim(
        self, clause: Clause, state: State, codes: Mapping[str, int], part: _Part
    ) -> tuple[tuple[Formula, ...], Formula]:
        """What is known in the state, and the claim about one instance of a clause there."""
        env = binding(self.domain, clause.params, codes)
        given = self._are(state)
        action = self.actions.get(clause.event or "")
        if self.trace.property == WELL_DEFINED and action is not None:
            # an obligation may mention the fresh values that its action would take
            env.update(parameters(self.domain, action.fresh, "fresh")[0])
            given += tuple(fresh_facts(self.domain, self.symbols, action, env))
        guard, expr = self.reader.holds(clause.guard, env), self.reader.holds(clause.expr, env)
        match part:
            case "guard":
                return given, guard
            case "expr":
                return given, expr
            case "violation":
                return given, conjunction((guard, negation(expr)))
        assert_never(part)

    def _follows(self, given: tuple[Formula, ...], claim: Formula) -> bool:
        return self._enough(given, claim) is not None

    def _enough(self, given: tuple[Formula, ...], claim: Formula) -> frozenset[int] | None:
        """Which conditions on the policies it takes for a claim to follow; None if it does not follow."""
        answer = self.checker.can((*given, negation(claim)), only=self.met, model=False)
        return frozenset(answer.core) if answer.outcome == "unsatisfiable" else None
