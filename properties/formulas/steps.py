"""All steps of a finite instance in one propositional question, which is asked again and again.

The search for lemmas asks thousands of times: is there a step from a state with all of these conjuncts to one without
that one?  Here the step relation is translated once; every conjunct has a switch, and a question is a choice of
switches, so that Z3 keeps what it has learned.  Slots are constants over finite domains, counters bit vectors: with
room for one more value than can be stored nothing is lost, since only the order of values matters.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import z3  # type: ignore[import-untyped]
from flushproof.model.ir import Action, BoolSort, CounterSort, Expr, IntSort, Lit, OptionSort, Sort, System, Var, walk
from flushproof.model.ir.instance import Instance, State
from flushproof.model.ir.terms import exprs_of, free_vars

from .conjuncts import Conjunct, rigid_axioms
from .domain import NO, YES, Domain, Formula, Maybe, Term, Value, choice, conjunction, disjunction, negation
from .first_order import Reader, Transition, transition
from .solver import OutOfTime, in_time, ranked, uninterrupted

INTEGER_BITS = 24
"""Enough for every integer of most models, and for a sum on the way; `bits_of` says how many a model needs beyond that."""


def bits_of(system: System) -> int:
    """How wide the integers of a system are, with those that are calculated on the way."""
    exprs = [e for a in (system.init, *system.actions, system.settle) for e in exprs_of(a)]
    exprs += [e for p in (*system.properties, *system.lemmas) for c in p.clauses for e in (c.guard, c.expr)]
    sorts = [v.sort for v in system.variables] + [e.sort for e in walk(*exprs)]
    bases = [s.base if isinstance(s, OptionSort) else s for s in sorts]
    return max((max(-s.lo, s.hi).bit_length() + 1 for s in bases if isinstance(s, IntSort)), default=0)


class Bits(Domain):
    """A finite domain in which everything is a bit vector: an integer's value, a counter's rank, of all else the code."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance.system, instance.sizes)
        self.instance = instance
        self._ranks: dict[Sort, tuple[Term, ...]] = {}
        self._integers: dict[int, Term] = {}
        self._width = max(INTEGER_BITS, bits_of(instance.system))

    def _count(self, sort: Sort) -> int:
        """How many values there are.  Counters get room for one more than can be stored, and for what a step adds:
        only the order of values matters."""
        if not isinstance(sort, CounterSort):
            return self.instance.cardinality(sort)
        return self.instance.cardinality(sort) + max(sum(v.of == sort for v in a.fresh) for a in self.system.actions)

    def _make_sort(self, sort: Sort) -> z3.SortRef:
        if isinstance(sort, BoolSort):
            return super()._make_sort(sort)
        if isinstance(sort, IntSort):
            return z3.BitVecSort(self._width)
        width = max(1, (self._count(sort) - 1).bit_length())
        numbers = tuple(z3.BitVecVal(code, width) for code in range(self._count(sort)))
        if isinstance(sort, CounterSort):
            self._ranks[sort] = numbers
            return numbers[0].sort()
        return self._listed(sort, numbers[0].sort(), numbers)

    def integer(self, value: int) -> Term:
        found = self._integers.get(value)
        if found is None:
            found = self._integers[value] = z3.BitVecVal(value, self._width)
            self._known[id(found)] = found
        return found

    def coded(self, sort: Sort, code: int) -> Value:
        if isinstance(sort, CounterSort):
            self.sort(sort)
            return self._ranks[sort][code]
        return super().coded(sort, code)

    def literal(self, literal: Lit) -> Value:
        match literal.of:
            case CounterSort():
                return self.coded(literal.of, 0)
            case _:
                return super().literal(literal)

    def within(self, value: Value, sort: Sort) -> Formula:
        match sort:
            case BoolSort():
                return YES
            case OptionSort():
                return super().within(value, sort)
            case IntSort():
                return z3.And(self.integer(sort.lo) <= value, value <= self.integer(sort.hi))
            case _:
                count = self._count(sort)
                return YES if count == 1 << self.sort(sort).size() else z3.ULT(value, count)

    def before(self, sort: Sort, left: Term, right: Term) -> Formula:
        if left is right:
            return NO
        return left < right if isinstance(sort, IntSort) else z3.ULT(left, right)

    def sum(self, values: Sequence[Term]) -> Term:
        return functools.reduce(operator.add, values)

    def negated(self, value: Term) -> Term:
        return -value

    def narrowed(self, value: Term, source: IntSort, target: IntSort) -> Term:
        low, high = self.integer(target.lo), self.integer(target.hi)
        return z3.If(value < low, low, z3.If(high < value, high, value))

    def number(self, found: z3.ExprRef, sort: Sort) -> int:
        """The code of a value in a model."""
        match sort:
            case BoolSort():
                return int(z3.is_true(found))
            case IntSort():
                return int(found.as_signed_long()) - sort.lo
            case _:
                return int(found.as_long())

    def the(self, value: Value, sort: Sort) -> Term:
        """The element of an option; of None it may be any, so that no step seems to depend on it."""
        assert isinstance(value, Maybe)
        return self.anything(sort) if value.element is None else value.element


class Constants:
    """An arbitrary state of an instance: a constant for each slot; an index that is not known chooses among them."""

    def __init__(self, domain: Domain, instance: Instance, before: Constants | None = None) -> None:
        self.domain = domain
        self.slots: dict[tuple[str, tuple[int, ...]], Value] = {}
        for slot in instance.slots:
            key = (slot.var, slot.index)
            if before is not None and instance.system.variable[slot.var].kind in ("rigid", "knob"):
                self.slots[key] = before.slots[key]
            else:
                name = f"{slot.var}[{','.join(map(str, slot.index))}]{'' if before is None else chr(39)}"
                self.slots[key] = domain.constant(name, slot.sort)
        self._read: dict[tuple[object, ...], tuple[Value, tuple[Value, ...]]] = {}

    def within(self) -> Iterator[Formula]:
        """That every value belongs to its sort."""
        for (name, _), value in self.slots.items():
            yield self.domain.within(value, self.domain.system.variable[name].sort)

    def read(self, name: str, args: tuple[Value, ...]) -> Value:
        key = (name, *map(id, args))
        done = self._read.get(key)
        if done is None:
            done = self._read[key] = (self._choose(name, args, ()), args)
        return done[0]

    def _choose(self, name: str, args: tuple[Value, ...], codes: tuple[int, ...]) -> Value:
        if len(codes) == len(args):
            return self.slots[name, codes]
        arg, elements = args[len(codes)], self.domain.elements(self.domain.system.variable[name].index[len(codes)])
        assert elements is not None
        possible = [(self.domain.equal(arg, e), code) for code, e in enumerate(elements)]
        sure = next((code for here, code in possible if here is YES), None)
        if sure is not None:
            return self._choose(name, args, (*codes, sure))
        # a value is always one of the elements: the last one needs no condition
        *conditional, (_, last) = [(here, code) for here, code in possible if here is not NO]
        result = self._choose(name, args, (*codes, last))
        for here, code in reversed(conditional):
            result = choice(here, self._choose(name, args, (*codes, code)), result)
        return result


@dataclass(frozen=True)
class Step:
    """A step that breaks a conjunct: the states before and after it, their counters renamed by rank, and the action.

    raw: the state before, its counters with the values that Z3 chose; kept: slots whose values there suffice for the step to
    break the conjunct.
    """

    before: State
    after: State
    action: Action
    raw: tuple[int, ...]
    kept: frozenset[int]


class Steps:
    """The steps of one instance, and which conjuncts they keep."""

    def __init__(self, instance: Instance) -> None:
        self.instance, self.system = instance, instance.system
        self.domain = Bits(instance)
        self.before = Constants(self.domain, instance)
        self.after = Constants(self.domain, instance, self.before)
        self.reader, self.reader_after = Reader(self.domain, self.before), Reader(self.domain, self.after)
        self.solver = z3.SolverFor("QF_FD")
        self._assumed: dict[Conjunct, Formula] = {}
        self._denied: dict[Conjunct, Formula] = {}
        self._rigid = [
            i for i, slot in enumerate(instance.slots) if self.system.variable[slot.var].kind in ("rigid", "knob")
        ]
        self._states = States(instance)
        self._slot: dict[tuple[int, int], Formula] = {}
        self._count = 0
        self._translate()

    # ------------------------------------------------------------------------------------------------ questions

    def keep(self, conjunct: Conjunct, assumed: Iterable[Conjunct]) -> frozenset[Conjunct] | None:
        """Those of what is assumed with which every step keeps the conjunct; None if some step breaks it."""
        switches = {self._assume(c): c for c in assumed}
        left = in_time()
        self.solver.set("timeout", 2**32 - 1 if left is None else max(1, int(left * 1000)))
        if _can(self.solver, self._obey, self._deny(conjunct), *switches):
            return None
        core = {c.get_id() for c in self.solver.unsat_core()}
        return frozenset(c for switch, c in switches.items() if switch.get_id() in core)

    def breaking(self, conjunct: Conjunct) -> Step:
        """The step that was found when `keep` said None."""
        return self._step(self.solver.model(), conjunct)

    def other(self, state: State, known: Collection[State], most: int = 400) -> State | None:
        """A successor of the state, counters renamed by rank, that is none of those that are known; None if there is none.

        Raises:
            LookupError: there are more ways than `most` to number the counters of those that are known.
            OutOfTime: Z3 gave up.
        """
        here = [self._has(slot, code) for slot, code in enumerate(state)]
        asked, ranks = self._mark("other"), {ranked(self.instance, after) for after in known}
        for after in ranks:
            self.solver.add(z3.Implies(asked, z3.Not(self._is_after(after))))
        for _ in range(most):
            if not _can(self.solver, self._obey, asked, *here):
                return None
            raw = self._codes(self.solver.model(), self.after)
            found = ranked(self.instance, raw)
            if found not in ranks:
                return found
            self.solver.add(z3.Implies(asked, z3.Not(self._is_after(raw))))
        raise LookupError

    def _is_after(self, codes: Sequence[int]) -> Formula:
        """That these are the codes after the step."""
        return conjunction(
            self.domain.equal(self.after.slots[slot.var, slot.index], self.domain.coded(slot.sort, code))
            for slot, code in zip(self.instance.slots, codes, strict=True)
        )

    # ---------------------------------------------------------------------------------------------- translation

    def _mark(self, what: str) -> Formula:
        self._count += 1
        return z3.Bool(f"{what}!{self._count}")

    def _defined(self, what: str, formula: Formula) -> Formula:
        mark = self._mark(what)
        self.solver.add(mark == formula)
        return mark

    def _assume(self, conjunct: Conjunct) -> Formula:
        switch = self._assumed.get(conjunct)
        if switch is None:
            switch = self._assumed[conjunct] = self._mark("assume")
            self.solver.add(z3.Implies(switch, self.reader.holds(conjunct.formula)))
        return switch

    def _deny(self, conjunct: Conjunct) -> Formula:
        mark = self._denied.get(conjunct)
        if mark is None:
            clause = conjunct.clause
            denials = (
                conjunction(
                    (self.reader_after.holds(clause.guard, env), negation(self.reader_after.holds(clause.expr, env)))
                )
                for env in self.domain.in_order(clause.params)
            )
            mark = self._denied[conjunct] = self._defined("deny", disjunction(denials))
        return mark

    def _translate(self) -> None:
        for state in (self.before, self.after):
            self.solver.add(*state.within())
        self.solver.add(*(self.reader.holds(e) for e in rigid_axioms(self.system)))
        self._obey = self._mark("obey")
        self._taken: list[tuple[Formula, Formula, Transition]] = []
        for number, action in enumerate(self.system.actions):
            step = transition(self.domain, self.before, action, of=f"step{number}")
            enabled = self._defined("enabled", conjunction(step.facts))
            taken = self._mark("taken")
            self.solver.add(z3.Implies(z3.And(taken, self._obey), enabled))
            self._taken.append((taken, enabled, step))
        marks = [t for t, _, _ in self._taken]
        self.solver.add(z3.PbEq([(m, 1) for m in marks], 1))
        writes = [(taken, {u.var for u in step.action.updates}, step.after) for taken, _, step in self._taken]
        for (name, index), value in self.before.slots.items():
            if self.after.slots[name, index] is value:
                continue
            args = tuple(self.domain.coded(sort, code) for sort, code in zip(self._index(name), index, strict=True))
            for taken, written, after in writes:
                if name in written:
                    value = choice(taken, after.read(name, args), value)
            self.solver.add(self.domain.equal(self.after.slots[name, index], value))

    def _index(self, name: str) -> tuple[Sort, ...]:
        return self.system.variable[name].index

    # -------------------------------------------------------------------------------------------------- answers

    def _step(self, model: z3.ModelRef, conjunct: Conjunct) -> Step:
        chosen = next(x for x in self._taken if z3.is_true(model.eval(x[0], model_completion=True)))
        raw, after = self._codes(model, self.before), self._codes(model, self.after)
        kept = self._needed(model, raw, chosen, conjunct)
        return Step(ranked(self.instance, raw), ranked(self.instance, after), chosen[2].action, raw, kept)

    def _codes(self, model: z3.ModelRef, state: Constants) -> State:
        values = zip(state.slots.values(), self.instance.slots, strict=True)
        return tuple(self._code(model, value, slot.sort) for value, slot in values)

    def _code(self, model: z3.ModelRef, value: Value, sort: Sort) -> int:
        if isinstance(value, Maybe):
            assert isinstance(sort, OptionSort) and value.element is not None
            present = z3.is_true(model.eval(value.present, model_completion=True))
            return 1 + self._code(model, value.element, sort.base) if present else 0
        found = model.eval(value, model_completion=True)
        return self.domain.number(found, sort)

    def _needed(
        self, model: z3.ModelRef, raw: Sequence[int], chosen: tuple[Formula, Formula, Transition], conjunct: Conjunct
    ) -> frozenset[int]:
        """Slots whose values in the state before suffice for the step, as it chose, to break the conjunct."""
        taken, enabled, step = chosen
        marks = {i: self._exactly(model, i, code) for i, code in enumerate(raw)}
        chose = self._defined("chose", conjunction(self._as_in(model, value, p.of) for p, value in step.env.items()))
        kept = self._core((taken, chose, z3.Not(enabled)), marks, frozenset())
        return kept | self._core((taken, chose, z3.Not(self._deny(conjunct))), marks, kept)

    def implied(
        self, step: Step, assumed: Iterable[Conjunct], claims: Sequence[tuple[Expr, Mapping[Var, int]]]
    ) -> list[int]:
        """Which of the claims, all true before the step, are true wherever all that is assumed is, and the slots that the
        step kept are as they are before it."""
        return self._states.implied([(i, step.raw[i]) for i in step.kept], assumed, claims)

    def _core(self, goal: tuple[Formula, ...], marks: Mapping[int, Formula], free: frozenset[int]) -> frozenset[int]:
        """Few slots whose values exclude the goal, in addition to those that cost nothing."""
        needed = set(marks)
        if _can(self.solver, *goal, *marks.values()):
            raise AssertionError("a step is what its choices and its state make it")
        for slot in self._rigid:
            if not _can(self.solver, *goal, *(marks[i] for i in needed if i != slot)):
                needed.discard(slot)
        needed = self._fewer(goal, marks, needed) or needed
        for slot in sorted(needed - free):
            if slot in needed:
                needed = self._fewer(goal, marks, needed - {slot}) or needed
        return frozenset(needed)

    def _fewer(self, goal: tuple[Formula, ...], marks: Mapping[int, Formula], slots: set[int]) -> set[int] | None:
        """Those of the slots that exclude the goal already; None where all of them do not."""
        if _can(self.solver, *goal, *(marks[i] for i in slots)):
            return None
        core = {c.get_id() for c in self.solver.unsat_core()}
        return {i for i in slots if marks[i].get_id() in core}

    def _exactly(self, model: z3.ModelRef, slot: int, code: int) -> Formula:
        """That the slot has this code, and where that is None, the same element of None as in the model."""
        where = self.instance.slots[slot]
        value = self.before.slots[where.var, where.index]
        if not isinstance(value, Maybe) or code:
            return self._has(slot, code)
        assert isinstance(where.sort, OptionSort) and value.element is not None
        key = (slot, -1 - self._code(model, value.element, where.sort.base))
        if key not in self._slot:
            self._slot[key] = self._defined("has", self._as_in(model, value, where.sort))
        return self._slot[key]

    def _as_in(self, model: z3.ModelRef, value: Value, sort: Sort) -> Formula:
        """That the value is that of the model; where that is None, its element too."""
        same = self.domain.equal(value, self.domain.coded(sort, self._code(model, value, sort)))
        if not isinstance(value, Maybe):
            return same
        assert isinstance(sort, OptionSort) and value.element is not None
        return conjunction((same, self._as_in(model, value.element, sort.base)))

    def _has(self, slot: int, code: int) -> Formula:
        key = (slot, code)
        if key not in self._slot:
            where = self.instance.slots[slot]
            value = self.before.slots[where.var, where.index]
            self._slot[key] = self._defined("has", self.domain.equal(value, self.domain.coded(where.sort, code)))
        return self._slot[key]


class States:
    """The states of one instance, and what some of them have in common."""

    def __init__(self, instance: Instance) -> None:
        self.instance, self.domain = instance, Bits(instance)
        self.state = Constants(self.domain, instance)
        self.reader = Reader(self.domain, self.state)
        self.solver = z3.SolverFor("QF_FD")
        self.solver.set("phase", "random")
        self.solver.add(*self.state.within())
        self.solver.add(*(self.reader.holds(e) for e in rigid_axioms(instance.system)))
        self._marks: dict[object, Formula] = {}
        self._count = 0

    def implied(
        self,
        codes: Iterable[tuple[int, int]],
        assumed: Iterable[Conjunct],
        claims: Sequence[tuple[Expr, Mapping[Var, int]]],
    ) -> list[int]:
        """Which claims are true wherever all that is assumed is and the slots have the given codes; all of them are
        somewhere."""
        given = [self._mark(c.clause, partial(self.reader.holds, c.formula)) for c in assumed]
        given += [self._mark(key, partial(self._has, *key)) for key in codes]
        marks = [self._claim(*claim) for claim in claims]
        in_time()
        outcome, found = self.solver.consequences(given, [m for m in marks if m is not YES])
        assert _answered(self.solver, outcome), "some state is as this one"
        sure = {c.arg(1).get_id() for c in found}
        return [i for i, m in enumerate(marks) if m is YES or m.get_id() in sure]

    def _mark(self, key: object, formula: Callable[[], Formula]) -> Formula:
        if key not in self._marks:
            made = formula()
            mark = made if made is YES else z3.Bool(f"mark!{len(self._marks)}")
            if made is not YES:
                self.solver.add(mark == made)
            self._marks[key] = mark
        return self._marks[key]

    def _claim(self, expr: Expr, env: Mapping[Var, int]) -> Formula:
        key = (expr, tuple(sorted((v.name, c) for v, c in env.items() if v in free_vars(expr))))
        values = {v: self.domain.coded(v.of, c) for v, c in env.items()}
        return self._mark(key, partial(self.reader.holds, expr, values))

    def _has(self, slot: int, code: int) -> Formula:
        where = self.instance.slots[slot]
        value = self.state.slots[where.var, where.index]
        return self.domain.equal(value, self.domain.coded(where.sort, code))


def _can(solver: z3.Solver, *assumptions: Formula) -> bool:
    """Whether all of it can be true at once.

    Raises:
        OutOfTime: Z3 gave up; where everything is finite, nothing but a limit makes it do so.
    """
    return _answered(solver, solver.check(*assumptions))


def _answered(solver: z3.Solver, result: z3.CheckSatResult) -> bool:
    result = uninterrupted(solver, result)
    if result == z3.unknown:
        raise OutOfTime
    return bool(result == z3.sat)
