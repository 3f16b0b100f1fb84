"""What the exported models have in common.

A value is written as its code (see `model.language.instance`), truth values excepted; so None is 0 and Some(x) is x + 1.
An enumeration's members are named constants.  A step evaluates everything in the state before it: what it reads after
having written it is saved first.  After a step, counters are renamed by rank, so that the model has exactly the states
that flushproof explores.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import assert_never

from flushproof.model.language import terms
from flushproof.model.language.errors import FlushproofError
from flushproof.model.language.instance import Instance, State
from flushproof.model.language.ir import (
    BOOL,
    FALSE,
    Action,
    And,
    BoolSort,
    CounterSort,
    EnumSort,
    Eq,
    Expr,
    IntSort,
    Ite,
    Less,
    Lit,
    Narrow,
    Not,
    OptionSort,
    Or,
    Plus,
    Property,
    Quant,
    Read,
    Some,
    Sort,
    The,
    Update,
    Var,
    walk,
)

from ..literals import literal
from ..reference import Reference

MOST_INITIAL = 20_000
"""An exported model lists its initial states one by one, if there are no more than this."""


class Printer:
    """Prints expressions; each language says how its operators look.

    names: what stands for the variables in scope; saved: state variables that are read from a copy made before the step,
    and the copy's name.
    """

    true, false = "true", "false"

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.names: dict[Var, str] = {}
        self.saved: Mapping[str, str] = {}

    # ----------------------------------------------------------------------------------- what a language may do its own way

    def conjunction(self, parts: Sequence[str]) -> str:
        return f"({' & '.join(parts)})"

    def disjunction(self, parts: Sequence[str]) -> str:
        return f"({' | '.join(parts)})"

    def negation(self, part: str) -> str:
        return f"!{part}"

    def equal(self, left: str, right: str, truth: bool) -> str:
        return f"({left} = {right})"

    def less(self, left: str, right: str) -> str:
        return f"({left} < {right})"

    def choice(self, cond: str, then: str, other: str) -> str:
        return f"({cond} ? {then} : {other})"

    def number(self, truth: str) -> str:
        """A truth value as 0 or 1."""
        return self.choice(truth, "1", "0")

    def location(self, variable: str, args: Sequence[Expr]) -> str:
        """A location of a state variable."""
        raise NotImplementedError

    def quantifier(self, expr: Quant) -> str:
        raise NotImplementedError

    # ------------------------------------------------------------------------------------------------------- expressions

    def __call__(self, expr: Expr) -> str:
        """The expression: a truth value if its sort is Bool, its code otherwise."""
        match expr:
            case Lit():
                if expr.of == BOOL:
                    return self.true if expr.value else self.false
                if isinstance(expr.of, EnumSort):
                    return member(expr.of, str(expr.value))
                return str(self.instance.code(expr))
            case Var():
                return self.names[expr]
            case Read():
                return self.location(expr.name, expr.args)
            case Not():
                return self.negation(self(expr.arg))
            case And():
                return self.conjunction([self(a) for a in expr.args]) if expr.args else self.true
            case Or():
                return self.disjunction([self(a) for a in expr.args]) if expr.args else self.false
            case Eq():
                if expr.left.sort == BOOL:
                    return self.equal(self(expr.left), self(expr.right), truth=True)
                return self.equal(*self._comparable(expr), truth=False)
            case Less():
                return self.less(*self._comparable(expr))
            case Ite():
                return self.choice(self(expr.cond), self(expr.then), self(expr.other))
            case Some():
                return f"({self.code(expr.arg)} + 1)"
            case The():
                option = self(expr.arg)
                if expr.sort == BOOL:
                    return self.equal(option, "2", truth=False)
                return self.choice(self.equal(option, "0", truth=False), "0", f"({option} - 1)")
            case Plus():
                return self(expr.arg)
            case Narrow():
                return self._narrowed(expr)
            case Quant():
                return self.quantifier(expr)
            case _:
                assert_never(expr)

    def code(self, expr: Expr) -> str:
        """The expression's code as a number."""
        text = self(expr)
        if expr.sort != BOOL:
            return text
        return {self.true: "1", self.false: "0"}.get(text) or self.number(text)

    def _comparable(self, expr: Eq | Less) -> tuple[str, str]:
        """Both sides as codes of one range; the smaller numbers are raised, so that none becomes negative."""
        left, right = expr.left.sort, expr.right.sort
        if isinstance(left, IntSort) and isinstance(right, IntSort) and left.lo < right.lo:
            return self.code(expr.left), self._moved(self.code(expr.right), right, left)
        return self._moved(self.code(expr.left), left, right), self.code(expr.right)

    def _moved(self, text: str, source: Sort, target: Sort) -> str:
        """A code of one range of integers as a code of another."""
        if isinstance(source, IntSort) and isinstance(target, IntSort) and source.lo != target.lo:
            sign = "+" if source.lo > target.lo else "-"
            return f"({text} {sign} {abs(source.lo - target.lo)})"
        return text

    def _narrowed(self, expr: Narrow) -> str:
        source, target = expr.arg.sort, expr.of
        assert isinstance(source, IntSort)
        text, top = self._moved(self(expr.arg), source, target), str(target.hi - target.lo)
        if source.hi > target.hi:
            text = self.choice(self.less(top, text), top, text)
        if source.lo < target.lo:
            text = self.choice(self.less(text, "0"), "0", text)
        return text


# ------------------------------------------------------------------------------------------------------------------ names


def identifier(name: str) -> str:
    """A name that any of the languages takes."""
    plain = re.sub(r"\W+", "_", name).strip("_")
    return f"{plain}_" if plain.lower() in _RESERVED or not plain or plain[0].isdigit() else plain


def member(sort: EnumSort, name: str) -> str:
    """The constant that stands for a member of an enumeration."""
    return identifier(f"{sort.name}_{name}")


def enumerations(instance: Instance) -> list[EnumSort]:
    """Every enumeration in the instance."""
    system = instance.system
    exprs = [e for a in system.actions for e in _expressions(a)]
    exprs += [e for p in system.properties for c in p.clauses for e in (c.guard, c.expr)]
    sorts: dict[Sort, None] = {}
    for variable in system.variables:
        sorts.update(dict.fromkeys((*variable.index, variable.sort)))
    for action in system.actions:
        sorts.update(dict.fromkeys(p.of for p in action.params))
    for expr in walk(*exprs, system.final):
        sorts[expr.sort] = None
        if isinstance(expr, Quant):
            sorts[expr.var.of] = None
    plain = (s.base if isinstance(s, OptionSort) else s for s in sorts)
    return list(dict.fromkeys(s for s in plain if isinstance(s, EnumSort)))


def _expressions(action: Action) -> Iterable[Expr]:
    yield action.guard
    for update in action.updates:
        yield from (*update.args, update.cond, update.value)
    for obligation in action.obligations:
        yield from (obligation.when, obligation.expr)


# ---------------------------------------------------------------------------------------------------------------- the steps


def cases(instance: Instance, action: Action, everything: bool = False) -> Iterator[tuple[dict[Var, int], Action]]:
    """The action, taken apart by the values of those parameters whose values the model names (all: with `everything`).

    For each possible choice of their codes, the action with the rest of its parameters, simplified.
    """

    def split(chosen: dict[Var, int], params: tuple[Var, ...], guard: Expr) -> Iterator[tuple[dict[Var, int], Expr]]:
        if guard is FALSE:
            return
        decided = next((d for c in conjuncts(guard) if (d := _decided(instance, c, params))), None)
        var = decided[0] if decided else next((p for p in params if everything or _has_cases(p.of)), None)
        if var is None:
            yield chosen, guard
            return
        rest = tuple(p for p in params if p is not var)
        for code in [decided[1]] if decided else instance.codes(var.of):
            value = {var: literal(var.of, code)}
            yield from split({**chosen, var: code}, rest, terms.substitute(guard, value))

    for chosen, guard in split({}, action.params, guard_of(action)):
        values = {var: literal(var.of, code) for var, code in chosen.items()}
        simpler = terms.map_action(action, lambda e, values=values: terms.substitute(e, values))  # type: ignore[misc]
        yield chosen, replace(simpler, params=tuple(p for p in action.params if p not in chosen), guard=guard)


def conjuncts(guard: Expr) -> tuple[Expr, ...]:
    """What must hold together."""
    return guard.args if isinstance(guard, And) else (guard,)


def _decided(instance: Instance, conjunct: Expr, params: tuple[Var, ...]) -> tuple[Var, int] | None:
    """A parameter and the only code that it can have by this conjunct."""
    match conjunct:
        case Var() if conjunct in params:
            return conjunct, 1
        case Not(Var() as var) if var in params:
            return var, 0
        case Eq(Var() as var, Lit() as value) | Eq(Lit() as value, Var() as var) if var in params:
            return (var, instance.code(value)) if var.of == value.of else None
    return None


def _has_cases(sort: Sort) -> bool:
    base = sort.base if isinstance(sort, OptionSort) else sort
    return isinstance(base, (BoolSort, EnumSort))


def saved_variables(updates: Sequence[Update]) -> list[str]:
    """The state variables that must be saved, since an update reads them after one has written to them."""
    written: set[str] = set()
    saved: dict[str, None] = {}
    for update in updates:
        read = terms.reads(*update.args, update.cond, update.value)
        clash = written | ({update.var} if update.binders else set())
        saved.update(dict.fromkeys(sorted(read & clash)))
        written.add(update.var)
    return list(saved)


def counters_written(instance: Instance, action: Action) -> list[CounterSort]:
    """The counters whose values the action may change: to be renamed after it."""
    found: dict[CounterSort, None] = {}
    for update in action.updates:
        sort = instance.system.variable[update.var].sort
        base = sort.base if isinstance(sort, OptionSort) else sort
        if isinstance(base, CounterSort):
            found[base] = None
    return list(found)


def without_fresh(expr: Expr, fresh: Sequence[Var]) -> Expr:
    """An expression as it is for fresh values: they are above all others, in order."""
    order: dict[Expr, int] = {var: place for place, var in enumerate(fresh)}

    def change(e: Expr) -> Expr | None:
        if isinstance(e, (Eq, Less)) and (e.left in order or e.right in order):
            left, right = order.get(e.left, -1), order.get(e.right, -1)
            return terms.lit(left == right if isinstance(e, Eq) else left < right)
        return None

    return terms.rewrite(expr, change) if fresh else expr


def most_fresh(instance: Instance, counter: CounterSort) -> int:
    """How many fresh values one step may add to a counter."""
    return max((sum(v.of == counter for v in a.fresh) for a in instance.system.actions), default=0)


def counter_variables(instance: Instance, counter: CounterSort) -> list[tuple[str, bool]]:
    """The state variables that hold values of a counter, and whether as options."""
    return [
        (v.name, v.sort != counter)
        for v in instance.system.variables
        if v.sort == counter or v.sort == OptionSort(counter)
    ]


def largest(instance: Instance, sort: Sort) -> int:
    """The largest code that a location of this sort holds, even before counters are renamed."""
    base = sort.base if isinstance(sort, OptionSort) else sort
    extra = most_fresh(instance, base) if isinstance(base, CounterSort) else 0
    return instance.cardinality(sort) - 1 + extra


def initial_states(instance: Instance) -> list[State]:
    """Every initial state once.

    Raises:
        FlushproofError: there are none, or more than `MOST_INITIAL`.
    """
    found = dict.fromkeys(itertools.islice(Reference(instance).initial_states(), 50 * MOST_INITIAL))
    if not found:
        raise FlushproofError(f"{instance.system.name} has no initial state at these sizes.")
    if len(found) > MOST_INITIAL:
        raise FlushproofError(
            f"{instance.system.name} has more than {MOST_INITIAL} initial states at these sizes, too many to write down; "
            "choose smaller sizes."
        )
    return list(found)


def all_properties(instance: Instance) -> list[Property]:
    """The system's properties, and that its steps are well defined, where there is anything to define."""
    built_in = terms.well_defined(instance.system)
    return [*instance.system.properties, *([built_in] if built_in.clauses else [])]


def property_formula(instance: Instance, prop: Property) -> Expr:
    """What holds in each state (of a "reachable" property: what is to be reached), closed."""
    if prop.name != "well-defined":
        return terms.formula(prop)
    fresh = {a.name: a.fresh for a in instance.system.actions}
    parts = []
    for clause in prop.clauses:
        body = without_fresh(terms.implies(clause.guard, clause.expr), fresh.get(clause.event or "", ()))
        parts.append(terms.close(clause.params, body))
    return terms.and_(*parts)


def guard_of(action: Action) -> Expr:
    """The guard without mention of fresh values."""
    return without_fresh(action.guard, action.fresh)


# Murphi, Promela, C and TLA+ keep these for themselves.
_WORDS = """
    alias array assert assume assumption begin boolean bool by case clear const cover do else elsif end endalias endexists
    endfor endforall endfunction endif endprocedure endrecord endrule endruleset endstartstate endswitch endwhile enum error
    exists false for forall from function if in interface invariant ismember isundefined liveness multiset multisetadd
    multisetcount multisetremove of procedure process program property put record return rule ruleset scalarset startstate
    switch then to traceuntil true type undefine union var while
    active atomic bit break byte chan d_step d_proctype empty enabled eval fi full goto hidden init inline int len local
    ltl mtype nempty never nfull notrace np_ od pc_value pid printf priority proctype provided run select short show skip
    timeout trace typedef unless unsigned xr xs
    auto char continue default double extern float long register signed sizeof static struct void volatile main now
    variable variables constant constants extends instance module except domain subset union unchanged choose let next spec
    step
"""
_RESERVED = frozenset(_WORDS.split())
