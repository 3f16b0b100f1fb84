"""The steps of an instance as exported models write them: taken apart into cases, with few updates, sharing what occurs often.

A step evaluates everything in the state before it: what it reads after having written it is saved first.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from flushproof.model.ir import (
    FALSE,
    TRUE,
    Action,
    And,
    BoolSort,
    CounterSort,
    EnumSort,
    Eq,
    Expr,
    Lit,
    Not,
    OptionSort,
    Or,
    Quant,
    Read,
    Sort,
    Update,
    Var,
    children,
    default_value,
    terms,
    walk,
)
from flushproof.model.ir.instance import Instance

# An action with more bindings than this is written as several steps, one for each case of what its guard names.
_SPLIT = 100
# What occurs several times is computed once if it has at least so many nodes.
_SHARED = 5


@dataclass(frozen=True)
class Step:
    """A case of an action: those parameters whose codes are `chosen` are gone.  Its guard mentions no fresh values."""

    action: Action
    chosen: Mapping[Var, int]

    def title(self, instance: Instance) -> str:
        """The action's name and the chosen values, for people."""
        shown = ", ".join(f"{p.name}={instance.show(p.of, code)}" for p, code in self.chosen.items())
        return f"{self.action.name} ({shown})" if shown else self.action.name


def steps(instance: Instance) -> Iterator[Step]:
    """All steps, in order of declaration."""
    for action in instance.system.actions:
        bindings = math.prod(instance.cardinality(p.of) for p in action.params)
        if bindings <= _SPLIT:
            yield Step(_simplified(replace(action, guard=guard_of(action))), {})
        else:
            for chosen, case in cases(instance, action):
                yield Step(_simplified(case), chosen)


def beginning(instance: Instance) -> Action:
    """The action that makes an initial state out of the default one; what it reads of variables that are not free is known."""

    def known(expr: Expr) -> Expr | None:
        if isinstance(expr, Read) and not instance.system.variable[expr.name].free:
            return Lit(default_value(expr.of), expr.of)
        return None

    init = instance.system.init
    return _simplified(terms.map_action(replace(init, guard=guard_of(init)), lambda e: terms.rewrite(e, known)))


def guard_of(action: Action) -> Expr:
    """The guard without mention of fresh values."""
    return terms.without_fresh(action.guard, action.fresh)


# --------------------------------------------------------------------------------------------------------------------- cases


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
            value = {var: terms.literal(var.of, code)}
            yield from split({**chosen, var: code}, rest, terms.substitute(guard, value))

    for chosen, guard in split({}, action.params, guard_of(action)):
        values = {var: terms.literal(var.of, code) for var, code in chosen.items()}
        simpler = terms.map_action(action, lambda e, values=values: terms.substitute(e, values))  # type: ignore[misc]
        yield chosen, replace(simpler, params=tuple(p for p in action.params if p not in chosen), guard=guard)


def conjuncts(expr: Expr) -> tuple[Expr, ...]:
    """What must hold together."""
    return expr.args if isinstance(expr, And) else () if expr is TRUE else (expr,)


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


# ------------------------------------------------------------------------------------------------------------- fewer updates


def _simplified(action: Action) -> Action:
    return replace(action, updates=fewest(action.updates))


def fewest(updates: Sequence[Update]) -> tuple[Update, ...]:
    """Fewer updates that do the same: those that write the same to the same place on different paths become one.

    An update moves forward only over updates that happen on other paths than itself.
    """
    kept: list[tuple[Update, _Paths]] = []
    for update in updates:
        paths = _Paths.of(update.cond)
        for place in reversed(range(len(kept))):
            earlier, theirs = kept[place]
            if earlier.var != update.var:
                continue
            renamed = _with_binders_of(update, earlier)
            if renamed is not None and (renamed.args, renamed.value) == (earlier.args, earlier.value):
                kept[place] = (earlier, theirs.joined(_Paths.of(renamed.cond)))
                break
            if not theirs.excludes(paths, {*earlier.binders, *update.binders}):
                kept.append((update, paths))
                break
        else:
            kept.append((update, paths))
    return tuple(replace(update, cond=paths.expr()) for update, paths in kept)


def _with_binders_of(update: Update, other: Update) -> Update | None:
    """The update with the other's binders instead of its own, if they are of the same sorts."""
    if [b.of for b in update.binders] != [b.of for b in other.binders]:
        return None
    if update.binders == other.binders:
        return update
    parts = (*update.args, update.cond, update.value)
    if any(b in terms.free_vars(e) for e in parts for b in other.binders if b not in update.binders):
        return None
    names = dict(zip(update.binders, other.binders, strict=True))
    args = tuple(terms.substitute(a, names) for a in update.args)
    return Update(
        update.var,
        other.binders,
        args,
        terms.substitute(update.cond, names),
        terms.substitute(update.value, names),
    )


@dataclass(frozen=True)
class _Paths:
    """A condition: at least one of the paths is taken, on each of which everything holds."""

    paths: tuple[tuple[Expr, ...], ...]

    @staticmethod
    def of(cond: Expr) -> _Paths:
        return _Paths(tuple(conjuncts(c) for c in (cond.args if isinstance(cond, Or) else (cond,))))

    def excludes(self, other: _Paths, binders: set[Var]) -> bool:
        """Whether both cannot hold at once, whatever the binders of either stand for."""

        def contradict(mine: tuple[Expr, ...], theirs: tuple[Expr, ...]) -> bool:
            return any(terms.not_(e) in theirs and not terms.free_vars(e) & binders for e in mine)

        return all(contradict(mine, theirs) for mine in self.paths for theirs in other.paths)

    def joined(self, other: _Paths) -> _Paths:
        """Either condition, as short as is easy to see."""
        paths = list(dict.fromkeys((*self.paths, *other.paths)))
        while (change := _shorter(paths)) is not None:
            paths = change
        return _Paths(tuple(paths))

    def expr(self) -> Expr:
        return terms.or_(*(terms.and_(*path) for path in self.paths))


def _shorter(paths: Sequence[tuple[Expr, ...]]) -> list[tuple[Expr, ...]] | None:
    """The paths without one that another one includes; or where p & a and !p & b are and b implies a, with b for the latter."""
    for one, other in itertools.permutations(paths, 2):
        if set(one) <= set(other):
            return [path for path in paths if path is not other]
        for e in one:
            against = terms.not_(e)
            if against in other and {x for x in one if x is not e} <= set(other):
                rest = tuple(x for x in other if x is not against)
                return list(dict.fromkeys(rest if path is other else path for path in paths))
    return None


# -------------------------------------------------------------------------------------------------- what is computed beforehand


def nested(variables: Sequence[Var], cond: Expr) -> list[tuple[Var | None, Expr]]:
    """The variables in an order in which the condition is tested early: each with what can be tested once it is known.

    The first entry is for no variable: what can be tested before all of them.
    """
    rest, left, known = list(conjuncts(cond)), list(variables), set[Var]()

    def ready(more: Iterable[Var]) -> list[Expr]:
        open_variables = {*variables} - known - {*more}
        return [c for c in rest if not terms.free_vars(c) & open_variables]

    result: list[tuple[Var | None, Expr]] = []
    chosen: Var | None = None
    while True:
        tests = ready(())
        rest = [c for c in rest if c not in tests]
        result.append((chosen, terms.and_(*tests)))
        if not left:
            return result
        chosen = min(left, key=lambda var: min((rest.index(c) for c in ready((var,))), default=len(rest)))
        left.remove(chosen)
        known.add(chosen)


def shared(exprs: Iterable[Expr], scope: Iterable[Var], binders: Iterable[Var] = ()) -> list[Expr]:
    """What occurs several times and depends on nothing but the state and the variables in scope, smallest first."""
    exprs = tuple(exprs)
    everything = tuple(walk(*exprs))
    uses = Counter(exprs)
    for expr in everything:
        uses.update(children(expr))
    bound = {*binders, *(e.var for e in everything if isinstance(e, Quant))}
    outer = frozenset(scope) - bound
    sizes: dict[Expr, int] = {}

    def size(expr: Expr) -> int:
        if expr not in sizes:
            sizes[expr] = 1 + sum(map(size, children(expr)))
        return sizes[expr]

    found = [e for e in everything if uses[e] > 1 and size(e) >= _SHARED and terms.free_vars(e) <= outer]
    return sorted(found, key=size)


def expressions(updates: Iterable[Update]) -> list[Expr]:
    """Everything that the updates evaluate."""
    return [e for u in updates for e in (*u.args, u.cond, u.value)]


def shared_of(action: Action) -> list[Expr]:
    """What the action's updates have in common."""
    binders = [b for u in action.updates for b in u.binders]
    return shared(expressions(action.updates), (*action.params, *action.fresh), binders)


def saved_variables(updates: Sequence[Update], known: Iterable[Expr]) -> list[str]:
    """The state variables that must be saved, since an update reads them after one has written to them, other than in what
    is `known`, computed before."""
    written: set[str] = set()
    saved: dict[str, None] = {}
    done = frozenset(known)
    for update in updates:
        read = _reads((*update.args, update.cond, update.value), done)
        clash = written | ({update.var} if update.binders else set())
        saved.update(dict.fromkeys(sorted(read & clash)))
        written.add(update.var)
    return list(saved)


def _reads(exprs: Iterable[Expr], known: frozenset[Expr]) -> set[str]:
    found: set[str] = set()
    stack = list(exprs)
    seen: set[Expr] = set()
    while stack:
        expr = stack.pop()
        if expr in known or expr in seen:
            continue
        seen.add(expr)
        if isinstance(expr, Read):
            found.add(expr.name)
        stack.extend(children(expr))
    return found


# ------------------------------------------------------------------------------------------------------------------ counters


def counters(instance: Instance) -> list[CounterSort]:
    """The counters of the instance."""
    return [s for s in instance.system.sorts if isinstance(s, CounterSort)]


def counters_written(instance: Instance, action: Action) -> list[CounterSort]:
    """The counters whose values the action may change: to be renamed after it."""
    found: dict[CounterSort, None] = {}
    for update in action.updates:
        sort = instance.system.variable[update.var].sort
        base = sort.base if isinstance(sort, OptionSort) else sort
        if isinstance(base, CounterSort):
            found[base] = None
    return list(found)


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
    extra = 0
    if isinstance(base, CounterSort):
        actions = (instance.system.init, *instance.system.actions)
        extra = max(sum(v.of == base for v in a.fresh) for a in actions)
    return instance.cardinality(sort) - 1 + extra


def numbered(fresh: Iterable[Var]) -> Iterator[tuple[Var, int]]:
    """The fresh values, and how far each is above the highest value of its counter."""
    made: Counter[Sort] = Counter()
    for var in fresh:
        made[var.of] += 1
        yield var, made[var.of]
