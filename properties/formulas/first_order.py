"""The first-order reading of the intermediate representation: one translation to Z3, for every domain.

A state variable is a function from its index to its value, an option a truth value (is there an element?) plus an
element. Quantifiers are expanded over sorts whose elements can be listed, and kept over the others.  The state after
an action is *substituted*: reading one of its variables gives a term over the state before (if-then-else over the
updates), so that there are no frame axioms, no second copy of the symbols and no quantified equations, and a bulk
update costs nothing.

This file, `domain`, `slots` and `solver` are the only ones that know Z3; others handle a `Formula` or a `Value` as an
opaque thing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, assert_never

import z3  # type: ignore[import-untyped]
from flushproof.model.ir import (
    BOOL,
    Action,
    And,
    CounterSort,
    Eq,
    Expr,
    IntSort,
    Ite,
    Less,
    Lit,
    Narrow,
    Negated,
    Not,
    OptionSort,
    Or,
    Plus,
    Quant,
    Read,
    Some,
    Sort,
    StateVar,
    The,
    Update,
    Var,
    default_value,
)
from flushproof.model.ir.terms import free_vars

from .domain import NO, YES, Domain, Env, Formula, Maybe, Term, Value, choice, conjunction, disjunction, negation

# ------------------------------------------------------------------------------------------------------------- states


class SymbolicState(Protocol):
    """A state whose variables can be read as terms."""

    def read(self, name: str, args: tuple[Value, ...]) -> Value: ...


class Symbols:
    """An arbitrary state: each variable is a function symbol, with the suffix behind its name.  Rigid variables have no
    suffix: all states share them."""

    def __init__(self, domain: Domain, suffix: str = "") -> None:
        self.domain, self.suffix = domain, suffix
        self._functions: dict[tuple[str, str], z3.FuncDeclRef] = {}
        self._read: dict[tuple[Any, ...], tuple[Value, tuple[Value, ...]]] = {}

    def read(self, name: str, args: tuple[Value, ...]) -> Value:
        key = (name, *map(id, args))
        done = self._read.get(key)
        if done is None:
            done = self._read[key] = (self._apply(self.domain.system.variable[name], args), args)
        return done[0]

    def _apply(self, var: StateVar, args: tuple[Value, ...]) -> Value:
        terms = [t for value, sort in zip(args, var.index, strict=True) for t in self._flat(value, sort)]
        if isinstance(var.sort, OptionSort):
            present = self._function(var, "?some", z3.BoolSort())(*terms)
            return Maybe(present, self._function(var, "?the", self.domain.sort(var.sort.base))(*terms))
        return self._function(var, "", self.domain.sort(var.sort))(*terms)

    def _flat(self, value: Value, sort: Sort) -> tuple[Term, ...]:
        """The arguments that stand for one index; an absent option always comes with the same element."""
        if not isinstance(value, Maybe):
            return (value,)
        assert isinstance(sort, OptionSort)
        none = self.domain.anything(sort.base)
        element = none if value.element is None else choice(value.present, value.element, none)
        assert not isinstance(element, Maybe)
        return value.present, element

    def _function(self, var: StateVar, part: str, value: z3.SortRef) -> z3.FuncDeclRef:
        key = (var.name, part)
        if key not in self._functions:
            sorts = [
                s
                for sort in var.index
                for s in (
                    (z3.BoolSort(), self.domain.sort(sort.base))
                    if isinstance(sort, OptionSort)
                    else (self.domain.sort(sort),)
                )
            ]
            suffix = "" if var.kind in ("rigid", "knob") else self.suffix
            self._functions[key] = z3.Function(f"{var.name}{part}{suffix}", *sorts, value)
        return self._functions[key]

    def ranges(self) -> Iterator[Formula]:
        """That integers are in their ranges and counters not below 0, at every location of every variable."""
        for var in self.domain.system.variables:
            yield every(
                self.domain,
                var.index,
                lambda args, var=var: self.domain.within(self.read(var.name, args), var.sort),
            )


@dataclass(frozen=True)
class Defaults:
    """The state before the `init` action: default values, and symbols for what is free."""

    domain: Domain
    symbols: Symbols

    def read(self, name: str, args: tuple[Value, ...]) -> Value:
        var = self.domain.system.variable[name]
        return (
            self.symbols.read(name, args) if var.free else self.domain.literal(Lit(default_value(var.sort), var.sort))
        )


class After:
    """The state after an action that was taken in the state `before`, with the parameters' values in `env`."""

    def __init__(self, domain: Domain, before: SymbolicState, action: Action, env: Env) -> None:
        self.domain, self.before, self.action, self.env = domain, before, action, env
        self._reader = Reader(domain, before)
        self._updates: dict[str, list[Update]] = {}
        for update in action.updates:
            self._updates.setdefault(update.var, []).append(update)
        self._read: dict[tuple[Any, ...], tuple[Value, tuple[Value, ...]]] = {}

    def read(self, name: str, args: tuple[Value, ...]) -> Value:
        key = (name, *map(id, args))
        done = self._read.get(key)
        if done is None:
            value = self.before.read(name, args)
            for update in self._updates.get(name, ()):
                value = self._updated(update, args, value)
            done = self._read[key] = (value, args)
        return done[0]

    def _updated(self, update: Update, args: tuple[Value, ...], value: Value) -> Value:
        binders = set(update.binders)
        env = dict(self.env)
        pairs = list(zip(update.args, args, strict=True))
        env.update((own, arg) for own, arg in pairs if isinstance(own, Var) and own in binders)
        here = [
            self.domain.equal(arg, self._reader.value(own, env))
            for own, arg in pairs
            if not (isinstance(own, Var) and own in binders)
        ]
        cond = conjunction(here)
        if cond is not NO:
            cond = conjunction((cond, self._reader.holds(update.cond, env)))
        return value if cond is NO else choice(cond, self._reader.value(update.value, env), value)


# -------------------------------------------------------------------------------------------------------- translation


class Reader:
    """Reads expressions in one state."""

    def __init__(self, domain: Domain, state: SymbolicState) -> None:
        self.domain, self.state = domain, state
        self._memo: dict[tuple[Any, ...], tuple[Value, tuple[Value, ...]]] = {}

    def holds(self, expr: Expr, env: Env | None = None) -> Formula:
        """The formula that the truth value `expr` holds."""
        value = self.value(expr, env or {})
        assert isinstance(value, z3.BoolRef)
        return value

    def value(self, expr: Expr, env: Env) -> Value:
        values = tuple(env[v] for v in free_vars(expr))
        key = (expr, *map(id, values))
        done = self._memo.get(key)
        if done is None:
            done = self._memo[key] = (self._value(expr, env), values)
        return done[0]

    def _term(self, expr: Expr, env: Env) -> Term:
        value = self.value(expr, env)
        assert not isinstance(value, Maybe)
        return value

    def _value(self, expr: Expr, env: Env) -> Value:
        match expr:
            case Lit():
                return self.domain.literal(expr)
            case Var():
                return env[expr]
            case Read():
                return self.state.read(expr.name, tuple(self.value(a, env) for a in expr.args))
            case Not():
                return negation(self.holds(expr.arg, env))
            case And():
                return conjunction(self.holds(a, env) for a in expr.args)
            case Or():
                return disjunction(self.holds(a, env) for a in expr.args)
            case Eq():
                return self.domain.equal(self.value(expr.left, env), self.value(expr.right, env))
            case Less():
                return self.domain.before(expr.left.sort, self._term(expr.left, env), self._term(expr.right, env))
            case Ite():
                return choice(self.holds(expr.cond, env), self.value(expr.then, env), self.value(expr.other, env))
            case Some():
                return Maybe(YES, self._term(expr.arg, env))
            case The():
                return self.domain.the(self.value(expr.arg, env), expr.sort)
            case Plus():
                return self.domain.sum([self._term(a, env) for a in expr.args])
            case Negated():
                return self.domain.negated(self._term(expr.arg, env))
            case Narrow():
                assert isinstance(expr.arg.sort, IntSort)
                return self.domain.narrowed(self._term(expr.arg, env), expr.arg.sort, expr.of)
            case Quant():
                return self._quantified(expr, env)
        assert_never(expr)

    def _quantified(self, expr: Quant, env: Env) -> Formula:
        elements = self.domain.elements(expr.var.of)
        if elements is not None:
            join = conjunction if expr.kind == "forall" else disjunction
            return join(self.holds(expr.body, {**env, expr.var: e}) for e in elements)
        bound: list[Term] = []
        body: Expr = expr
        inner = dict(env)
        # one quantifier for a whole prefix, so that Z3 can find patterns that cover all of its variables
        while isinstance(body, Quant) and body.kind == expr.kind and self.domain.elements(body.var.of) is None:
            inner[body.var] = self._bound(body.var, bound)
            body = body.body
        formula = self.holds(body, inner)
        if formula is YES or formula is NO:
            return formula
        return z3.ForAll(bound, formula) if expr.kind == "forall" else z3.Exists(bound, formula)

    def _bound(self, var: Var, bound: list[Term]) -> Value:
        """A value for a bound variable, whose symbols are added to `bound`."""
        if isinstance(var.of, OptionSort):
            present = self.domain.fresh_constant(var.name, BOOL)
            assert isinstance(present, z3.BoolRef)
            element = self.domain.fresh_constant(var.name, var.of.base)
            bound += present, element
            return Maybe(present, element)
        bound.append(self.domain.fresh_constant(var.name, var.of))
        return bound[-1]


def every(domain: Domain, sorts: Sequence[Sort], says: Any) -> Formula:
    """That `says(args)` holds for all tuples of values of the given sorts."""
    listed: list[Sequence[Value]] = []
    bound: list[Term] = []
    for sort in sorts:
        elements = domain.elements(sort)
        if elements is not None:
            listed.append(elements)
        elif isinstance(sort, OptionSort):
            term = domain.fresh_constant(sort.base.name.lower(), sort.base)
            bound.append(term)
            listed.append([Maybe(NO, None), Maybe(YES, term)])
        else:
            term = domain.fresh_constant(sort.name.lower(), sort)
            bound.append(term)
            listed.append([term])
    formula = conjunction(says(args) for args in itertools.product(*listed))
    return z3.ForAll(bound, formula) if bound and formula is not YES and formula is not NO else formula


# --------------------------------------------------------------------------------------------------------------- steps


def parameters(domain: Domain, params: Iterable[Var], of: str) -> tuple[dict[Var, Value], list[Formula]]:
    """Symbols for the parameters of something, and what holds of them."""
    env = {p: domain.constant(f"{of}!{p.name}", p.of) for p in params}
    return env, [domain.within(value, p.of) for p, value in env.items()]


def fresh_facts(domain: Domain, state: SymbolicState, action: Action, env: Env) -> Iterator[Formula]:
    """That the fresh values of an action are above every value of that counter in the state, and increase in order."""
    last: dict[Sort, Term] = {}
    for var in action.fresh:
        new, sort = env[var], var.of
        assert isinstance(sort, CounterSort) and not isinstance(new, Maybe)
        if sort in last:
            yield domain.before(sort, last[sort], new)
        else:
            zero = domain.literal(Lit(0, sort))
            assert not isinstance(zero, Maybe)
            yield domain.before(sort, zero, new)
            yield from (_all_below(domain, state, v, new) for v in domain.system.variables if _stores(v, sort))
        last[sort] = new


def _stores(var: StateVar, sort: CounterSort) -> bool:
    return var.sort == sort or (isinstance(var.sort, OptionSort) and var.sort.base == sort)


def _all_below(domain: Domain, state: SymbolicState, var: StateVar, new: Term) -> Formula:
    def below(args: tuple[Value, ...]) -> Formula:
        value = state.read(var.name, args)
        if isinstance(value, Maybe):
            assert isinstance(var.sort, OptionSort)
            if value.element is None:
                return negation(value.present)
            return disjunction((negation(value.present), domain.before(var.sort.base, value.element, new)))
        return domain.before(var.sort, value, new)

    return every(domain, var.index, below)


@dataclass(frozen=True)
class Transition:
    """An action taken in a state: what must hold for it (`facts`), and the state after it."""

    action: Action
    env: Env
    facts: tuple[Formula, ...]
    after: SymbolicState


def transition(
    domain: Domain, before: SymbolicState, action: Action, env: Env | None = None, of: str = "step"
) -> Transition:
    """The action in the state `before`: with the parameters given in `env`, or else with any (symbols `prefix` +
    name).
    """
    given = dict(env or {})
    missing = [v for v in (*action.params, *action.fresh) if v not in given]
    symbols, facts = parameters(domain, missing, of)
    given.update(symbols)
    facts += fresh_facts(domain, before, action, given)
    facts.append(Reader(domain, before).holds(action.guard, given))
    return Transition(action, given, tuple(f for f in facts if f is not YES), After(domain, before, action, given))


def initially(domain: Domain, of: str = "init") -> Transition:
    """The `init` action in the state of default values: its `after` is an arbitrary initial state."""
    symbols = Symbols(domain)
    step = transition(domain, Defaults(domain, symbols), domain.system.init, of=of)
    return Transition(step.action, step.env, (*step.facts, *_free_ranges(domain, symbols)), step.after)


def _free_ranges(domain: Domain, symbols: Symbols) -> Iterator[Formula]:
    for var in domain.system.variables:
        if var.free:
            yield every(domain, var.index, lambda args, v=var: domain.within(symbols.read(v.name, args), v.sort))
