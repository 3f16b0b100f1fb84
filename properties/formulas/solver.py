"""Questions to Z3, and its answers in terms of the model.

A `Question` is a set of named formulas: can all of them be true at once?  An `Answer` says yes (with a model), no
(with the names that a proof needed), or unknown within the limit.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import z3  # type: ignore[import-untyped]
from flushproof.model.ir import CounterSort, IntSort, OptionSort, Scalarset, Sort, Var
from flushproof.model.ir.instance import Instance
from flushproof.model.ir.instance import State as Codes

from .domain import YES, Domain, Env, Formula, Maybe, Value, conjunction
from .first_order import SymbolicState
from .slots import Locations

Outcome = Literal["satisfiable", "unsatisfiable", "unknown"]

STEPS_PER_SECOND = 5_000_000
"""Z3's own count of its work (`rlimit`) that a limit of one second stands for: about what one core does."""

PATIENCE = 5.0
"""By how much a question may exceed its limit on the clock, before it is given up on a machine that is busy or slow."""


class OutOfTime(Exception):
    """The time for all of it is over; see `until`."""


_DEADLINE: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def until(deadline: float) -> Iterator[None]:
    """Inside, whatever asks a question (or calls `in_time`) after this `time.monotonic()` ends with `OutOfTime`."""
    token = _DEADLINE.set(deadline)
    try:
        yield
    finally:
        _DEADLINE.reset(token)


def in_time() -> float | None:
    """How many seconds there are left; None where there is no deadline.

    Raises:
        OutOfTime: none.
    """
    deadline = _DEADLINE.get()
    left = None if deadline is None else deadline - time.monotonic()
    if left is not None and left <= 0:
        raise OutOfTime
    return left


def _limited(solver: z3.Solver, seconds: float | None, patience: float = PATIENCE) -> None:
    """Limits the next answer by Z3's count of its work, so that other load changes no answer; and by the deadline."""
    left = in_time()
    solver.set("rlimit", 0 if seconds is None else max(1, min(int(seconds * STEPS_PER_SECOND), 2**32 - 1)))
    clock = 2**32 - 1 if seconds is None else max(1, int(seconds * 1000 * patience))
    solver.set("timeout", clock if left is None else max(1, min(clock, int(left * 1000))))


def uninterrupted(solver: z3.Solver, result: z3.CheckSatResult) -> z3.CheckSatResult:
    """The answer that Z3 gave; an interrupt, which Z3 takes for itself, is raised, and so is that the time is over."""
    if result == z3.unknown:
        if "interrupted from keyboard" in solver.reason_unknown():
            raise KeyboardInterrupt
        in_time()
    return result


def _outcome(result: z3.CheckSatResult) -> Outcome:
    if result == z3.sat:
        return "satisfiable"
    return "unsatisfiable" if result == z3.unsat else "unknown"


class Model:
    """A way to make the formulas of a domain true; values and states can be asked for in a finite one."""

    def __init__(self, domain: Domain, model: z3.ModelRef) -> None:
        self._domain, self._model = domain, model

    def code(self, value: Value, sort: Sort) -> int:
        """The code (see `instance`) of a term's value; a counter's is its number."""
        if isinstance(value, Maybe):
            assert isinstance(sort, OptionSort)
            if not self.truth(value.present):
                return 0
            assert value.element is not None
            return 1 + self.code(value.element, sort.base)
        found = self._model.eval(value, model_completion=True)
        match sort:
            case IntSort():
                return int(found.as_long()) - sort.lo
            case CounterSort():
                return int(found.as_long())
            case _:
                elements = self._domain.elements(sort)
                assert elements is not None
                return next(i for i, e in enumerate(elements) if not isinstance(e, Maybe) and e.eq(found))

    def sizes(self) -> dict[str, int]:
        """How many elements each scalarset has in a model of any number."""
        sorts = [s for s in self._domain.system.sorts if isinstance(s, Scalarset)]
        universes = {s.name: self._model.get_universe(self._domain.sort(s)) for s in sorts}
        return {name: len(elements or (None,)) for name, elements in universes.items()}

    def truth(self, formula: Formula) -> bool:
        return bool(z3.is_true(self._model.eval(formula, model_completion=True)))

    def state(self, instance: Instance, state: SymbolicState) -> Codes:
        """The whole state, its counters renamed by rank (0 stays 0)."""
        locations = Locations(instance, self._domain)
        codes = [self.code(locations.value(state, i), slot.sort) for i, slot in enumerate(instance.slots)]
        return ranked(instance, codes)

    def binding(self, env: Env, params: Iterable[Var]) -> dict[str, int]:
        return {p.name: self.code(env[p], p.of) for p in params}


def ranked(instance: Instance, codes: Sequence[int]) -> Codes:
    """The state with the values of each counter renamed by rank, 0 staying 0."""
    result = list(codes)
    counters: dict[CounterSort, list[tuple[int, int]]] = {}
    for i, slot in enumerate(instance.slots):
        if isinstance(slot.sort, CounterSort):
            counters.setdefault(slot.sort, []).append((i, 0))
        elif isinstance(slot.sort, OptionSort) and isinstance(slot.sort.base, CounterSort) and codes[i]:
            counters.setdefault(slot.sort.base, []).append((i, 1))
    for places in counters.values():
        ranks = {v: r for r, v in enumerate(sorted({0, *(codes[i] - shift for i, shift in places)}))}
        for i, shift in places:
            result[i] = shift + ranks[codes[i] - shift]
    return tuple(result)


@dataclass(frozen=True)
class Answer:
    """What Z3 says to a question.

    core: for "unsatisfiable", keys of formulas that cannot be true together; seconds: of this thread's processor time.
    """

    outcome: Outcome
    seconds: float
    core: tuple[Any, ...] = ()
    model: Model | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Question:
    """Can these formulas be true at once?  The keys of `hypotheses` appear in an answer's core; `facts` do not."""

    domain: Domain
    hypotheses: Mapping[Any, Formula]
    facts: Sequence[Formula]

    def _solver(self, plain: bool = False) -> z3.Solver:
        solver = z3.SimpleSolver() if plain else z3.Solver()
        solver.add(*(f for f in self.facts if f is not YES))
        for axiom in self.domain.axioms():
            solver.add(axiom)
        return solver

    def only(self, names: Container[Any]) -> Question:
        """The question with only these hypotheses: where it cannot be, it cannot be with all of them."""
        return replace(self, hypotheses={n: f for n, f in self.hypotheses.items() if n in names})

    def ask(
        self, limit: float, seed: int = 0, *, small_core: bool = False, tracked: bool = True, plain: bool = False
    ) -> Answer:
        """The answer within `limit` seconds of Z3's work.

        small_core: spend some of them on leaving out of the core what can be.
        tracked: find out what the proof needed.  Where it does not matter, Z3 may simplify the hypotheses, and proves
        some
            things at once that it does not prove otherwise; the core is then all of them.
        plain: without preprocessing, which costs an easy question half of its time, and often makes a hard one possible.
        """
        solver = self._solver(plain)
        _limited(solver, limit)
        solver.set("core.minimize", small_core)
        if seed:
            solver.set("random_seed", seed)
        marks = {key: z3.Bool(f"use {number}") for number, key in enumerate(self.hypotheses)} if tracked else {}
        for name, formula in self.hypotheses.items():
            solver.add(z3.Implies(marks[name], formula) if tracked else formula)
        answer = _asked(self.domain, solver, marks)
        return answer if tracked or answer.outcome != "unsatisfiable" else replace(answer, core=tuple(self.hypotheses))

    def smtlib(self) -> str:
        """The question as an SMT-LIB 2 script that any solver reads; see `same_script`."""
        solver = self._solver()
        solver.add(*self.hypotheses.values())
        return f"(set-logic ALL)\n{solver.to_smt2()}"


class Checker:
    """An incremental solver over a finite domain: facts that stay, questions that come and go.

    Facts that are given with a key appear in the core of an answer, and can be taken back.

    patience: by how much an answer may exceed its limit on the clock.
    """

    def __init__(self, domain: Domain, patience: float = PATIENCE) -> None:
        self.domain, self.patience = domain, patience
        self._solver = z3.Solver()
        self._marks: dict[Any, Formula] = {}
        self._numbers = itertools.count()

    def tell(self, facts: Iterable[Formula]) -> None:
        self._solver.add(*facts)

    def suppose(self, key: Any, fact: Formula) -> None:
        self._marks[key] = z3.Bool(f"use {next(self._numbers)}")
        self._solver.add(z3.Implies(self._marks[key], fact))

    def take_back(self, key: Any) -> None:
        del self._marks[key]

    def can(
        self,
        facts: Iterable[Formula],
        limit: float | None = None,
        only: Container[Any] | None = None,
        *,
        small_core: bool = False,
        model: bool = True,
    ) -> Answer:
        """Whether the given facts can be true together with those that stay.

        only: of those with a key, only these; small_core: leave out of the core whatever can be; model: say how they can.
        """
        self._solver.push()
        self._solver.set("core.minimize", small_core)
        try:
            self._solver.add(conjunction(facts))
            _limited(self._solver, limit, self.patience)
            return _asked(
                self.domain, self._solver, {n: m for n, m in self._marks.items() if only is None or n in only}, model
            )
        finally:
            self._solver.pop()


def _asked(domain: Domain, solver: z3.Solver, marks: Mapping[Any, Formula], model: bool = True) -> Answer:
    start = time.thread_time()
    outcome = _outcome(uninterrupted(solver, solver.check(*marks.values())))
    core = {c.decl().name() for c in solver.unsat_core()} if marks and outcome == "unsatisfiable" else set()
    seconds = time.thread_time() - start
    if outcome == "satisfiable":
        return Answer(outcome, seconds, model=Model(domain, solver.model()) if model else None)
    return Answer(outcome, seconds, core=tuple(n for n, m in marks.items() if m.decl().name() in core))


def answer_script(script: str, limit: float) -> Outcome:
    """Z3's answer to an SMT-LIB 2 script; "unknown" too for what it cannot read.

    limit: seconds for each attempt: without preprocessing (and little time), with it, and once more without.
    """
    for make, seconds in ((z3.SimpleSolver, limit / 10), (z3.Solver, limit), (z3.SimpleSolver, limit)):
        solver = make(ctx=z3.Context())
        solver.set("timeout", max(1, int(seconds * 1000)))
        try:
            solver.from_string(script)
        except z3.Z3Exception:
            return "unknown"
        outcome = _outcome(uninterrupted(solver, solver.check()))
        if outcome != "unknown":
            return outcome
    return "unknown"


_TOKEN = re.compile(r"\(|\)|\|[^|]*\||\"(?:[^\"]|\"\")*\"|[^\s()|\";]+|;[^\n]*")


def same_script(one: str, other: str) -> bool:
    """Whether two scripts have the same commands, up to what they abbreviate by `let`.

    What Z3 abbreviates depends on everything that it has seen before. It does not read these scripts: one comes from a file,
    and a script may hold any command.
    """
    shapes: dict[tuple[Any, ...], int] = {}
    try:
        left, right = ([_shape(command, {}, shapes) for command in _commands(script)] for script in (one, other))
    except (RecursionError, ValueError):
        return False
    return left == right


def _commands(script: str) -> list[Any]:
    """The commands as nested lists of tokens.

    Raises:
        ValueError: the brackets do not match.
    """
    stack: list[list[Any]] = [[]]
    for token in _TOKEN.findall(script):
        if token == "(":
            stack.append([])
        elif token == ")":
            if len(stack) == 1:
                raise ValueError("a bracket too many")
            done = stack.pop()
            stack[-1].append(done)
        elif not token.startswith(";"):
            stack[-1].append(token)
    if len(stack) > 1:
        raise ValueError("a bracket too few")
    return stack[0]


def _shape(term: Any, lets: Mapping[str, int], shapes: dict[tuple[Any, ...], int]) -> int:
    """A number for the term, the same for terms that differ in abbreviations only."""
    while isinstance(term, list) and len(term) == 3 and term[0] == "let" and isinstance(term[1], list):
        values = {}
        for bound in term[1]:
            if not isinstance(bound, list) or len(bound) != 2 or not isinstance(bound[0], str):
                raise ValueError("a let that binds nothing")
            values[bound[0]] = _shape(bound[1], lets, shapes)
        lets, term = {**lets, **values}, term[2]
    if isinstance(term, str):
        found = lets.get(term)
        return shapes.setdefault((term,), len(shapes)) if found is None else found
    if len(term) == 3 and term[0] in ("forall", "exists") and isinstance(term[1], list):  # what it binds is no abbreviation
        hidden = {pair[0] for pair in term[1] if isinstance(pair, list) and pair and isinstance(pair[0], str)}
        lets = {name: shape for name, shape in lets.items() if name not in hidden}
    return shapes.setdefault(tuple([_shape(part, lets, shapes) for part in term]), len(shapes))


def second_opinion(script: str, limit: float) -> Outcome | None:
    """cvc5's answer to an SMT-LIB 2 script, within `limit` seconds for each of two ways to instantiate quantifiers;
    None where cvc5 is not installed."""
    try:
        import cvc5  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError:
        return None
    outcome: Outcome = "unknown"
    for options in ({}, {"enum-inst": "true"}):
        solver = cvc5.Solver()
        for option, value in {"tlimit-per": str(int(limit * 1000)), **options}.items():
            solver.setOption(option, value)
        parser = cvc5.InputParser(solver)
        parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, script, "question")
        answers = []
        while not (command := parser.nextCommand()).isNull():
            answers.append(str(command.invoke(solver, parser.getSymbolManager())).strip())
        outcome = {"sat": "satisfiable", "unsat": "unsatisfiable"}.get(answers[-1], "unknown")  # type: ignore[assignment]
        if outcome != "unknown":
            break
    return outcome
