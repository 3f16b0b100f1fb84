"""Step fusion: a step that nobody else can see happens together with the step before it.

Between two of a process's steps, every other process may run.  Where the second one touches nothing that any of them
touches, and no property looks at, it makes no difference when it happens: doing it at once skips the states in between.
In the terms of partial-order reduction, the step is an ample set wherever it is possible.  It is *hidden* if

- it is deterministic: its one parameter `c` is who acts, at the label `pc[c] == L` that its guard asks for;
- all changing state that it reads or writes is `c`'s own: `v[c, ...]`;
- every other access to such a location that one of the two writes, in an action, an obligation or a clause, is that of a
  parameter `d` of which the guard asks `pc[d] == M` for another label M: where both could speak of the same element, only
  one of the two is possible.  So others can neither be disabled nor change their effect, nor can a property's value;
- it owes nothing (`Action.obligations`).

What is fused is a `System` again: each step that may lead to such a label is followed, under its guard, by the hidden
step, once.  Every engine explores it as it is.  Verdicts, deadlocks and what is reachable stay the same; there are fewer
states; and a trace is shortest in the number of fused steps only.  No step is put off for ever, since every state that
is stored is expanded in full.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import reduce

from flushproof.model.ir import (
    FALSE,
    Action,
    And,
    Clause,
    EnumSort,
    Eq,
    Expr,
    Lit,
    Property,
    Quant,
    Read,
    System,
    Update,
    Var,
    terms,
    walk,
)


@dataclass(frozen=True)
class Hidden:
    """A hidden step: `action` of the parameter `actor`, at `label` of the variable `pc`."""

    action: Action
    actor: Var
    pc: str
    label: Lit


@dataclass(frozen=True)
class Fused:
    """The system with its hidden steps fused into the ones before them; `hidden` are their names."""

    system: System
    hidden: tuple[str, ...] = ()


def fuse_hidden(system: System, properties: Iterable[Property]) -> Fused:
    """Fuses what is hidden from all other actions and from these properties."""
    hidden = tuple(_hidden(system, tuple(properties)))
    actions = tuple(reduce(_followed, hidden, action) for action in system.actions)
    return Fused(replace(system, actions=actions), tuple(h.action.name for h in hidden))


# --------------------------------------------------------------------------------------------------- what is hidden


@dataclass(frozen=True)
class _Access:
    """All that an action or a clause reads and writes, and the guard under which it does.

    params: those whose name always means the parameter: nothing inside binds it again.
    """

    params: frozenset[Expr]
    guard: Expr
    exprs: tuple[Expr, ...]
    updates: tuple[Update, ...] = ()
    action: Action | None = None

    @staticmethod
    def of_action(action: Action) -> _Access:
        exprs = tuple(terms.deciding(action))
        binders = {b for u in action.updates for b in u.binders}
        return _Access(_unhidden(action.params, exprs) - binders, action.guard, exprs, action.updates, action)

    @staticmethod
    def of_clause(clause: Clause) -> _Access:
        exprs = (clause.guard, clause.expr)
        return _Access(_unhidden(clause.params, exprs), clause.guard, exprs)

    def written(self) -> set[str]:
        return {u.var for u in self.updates}

    def touched(self) -> Iterator[tuple[str, tuple[Expr, ...]]]:
        """Every location that is read or written: the variable and its arguments."""
        for expr in walk(*self.exprs):
            if isinstance(expr, Read):
                yield expr.name, expr.args
        for update in self.updates:
            yield update.var, update.args

    def is_apart(self, hidden: Hidden, element: Expr) -> bool:
        """Whether an element is another one than the actor wherever both this and the hidden step are possible."""
        return element in self.params and any(
            pc == hidden.pc and who is element and label is not hidden.label for pc, who, label in _labels(self.guard)
        )


def _unhidden(params: tuple[Var, ...], exprs: tuple[Expr, ...]) -> frozenset[Expr]:
    return frozenset(params) - {e.var for e in walk(*exprs) if isinstance(e, Quant)}


def _labels(guard: Expr) -> Iterator[tuple[str, Var, Lit]]:
    """What the guard asks of program counters: the variable, who, and the label."""
    for part in guard.args if isinstance(guard, And) else (guard,):
        match part:
            case Eq(Read(pc, (Var() as who,)), Lit() as label) if isinstance(label.of, EnumSort):
                yield pc, who, label
            case Eq(Lit() as label, Read(pc, (Var() as who,))) if isinstance(label.of, EnumSort):
                yield pc, who, label


def _hidden(system: System, properties: tuple[Property, ...]) -> Iterator[Hidden]:
    changing = {u.var for a in system.actions for u in a.updates}
    accesses = [_Access.of_action(a) for a in system.actions]
    accesses += [_Access.of_clause(c) for p in properties for c in p.clauses]
    for action in system.actions:
        for pc, actor, label in _labels(action.guard):
            hidden = Hidden(action, actor, pc, label)
            if _is_hidden(hidden, changing, accesses):
                yield hidden
                break


def _is_hidden(hidden: Hidden, changing: set[str], accesses: list[_Access]) -> bool:
    action, actor = hidden.action, hidden.actor
    if action.params != (actor,) or action.fresh or action.obligations:
        return False
    own = _Access.of_action(action)
    if actor not in own.params:
        return False
    places: dict[str, int] = {}
    for name, args in own.touched():
        if name in changing and (actor not in args or places.setdefault(name, args.index(actor)) != args.index(actor)):
            return False
    for other in accesses:
        if other.action is not action:
            contested = own.written() | other.written()
            for name, args in other.touched():
                if name in places and name in contested and not other.is_apart(hidden, args[places[name]]):
                    return False
    return True


# ----------------------------------------------------------------------------------------------------------- fusing


def _followed(action: Action, hidden: Hidden) -> Action:
    """The action, and at once after it the hidden step of each parameter that it may lead to the hidden step's label."""
    actors = {u.args[0]: None for u in action.updates if u.var == hidden.pc and u.args[0] in action.params}
    for actor in actors:
        assert isinstance(actor, Var)
        action = _then(action, _renamed(hidden, actor, _variables(action)))
    return action


def _then(first: Action, second: Action) -> Action:
    """Both actions as one step, the second one only if its guard holds after the first."""
    after = _After(first.updates)
    guard = after(second.guard)
    updates = tuple(
        Update(u.var, u.binders, tuple(map(after, u.args)), cond, after(u.value))
        for u in second.updates
        if (cond := terms.and_(guard, after(u.cond))) is not FALSE
    )
    return replace(
        first, updates=(*first.updates, *updates), costs=()
    )  # traces are told, and costs counted, step by step


class _After:
    """Expressions about the state after some updates, told in terms of the state before."""

    def __init__(self, updates: tuple[Update, ...]) -> None:
        self.updates = updates
        self.memo: dict[Expr, Expr] = {}

    def __call__(self, expr: Expr) -> Expr:
        return terms.rewrite(expr, self._value, self.memo)

    def _value(self, expr: Expr) -> Expr | None:
        if not isinstance(expr, Read):
            return None
        value: Expr = expr
        for update in self.updates:
            if update.var == expr.name:
                binding = {b: expr.args[update.args.index(b)] for b in update.binders}
                here = [
                    terms.eq(written, read)
                    for written, read in zip(update.args, expr.args, strict=True)
                    if written not in update.binders
                ]
                cond = terms.and_(*here, terms.substitute(update.cond, binding))
                value = terms.ite(cond, terms.substitute(update.value, binding), value)
        return value


def _renamed(hidden: Hidden, actor: Var, taken: set[Var]) -> Action:
    """The hidden step of another actor, its bound variables none of the taken ones."""
    action = hidden.action
    used = taken | _variables(action)
    names: dict[Var, Var] = {}

    def fresh(var: Var) -> Var:
        if var not in names:
            names[var] = terms.fresh_var(var, used)
            used.add(names[var])
        return names[var]

    def rebind(expr: Expr) -> Expr | None:
        if not isinstance(expr, Quant):
            return None
        return Quant(expr.kind, fresh(expr.var), terms.substitute(expr.body, {expr.var: fresh(expr.var)}))

    def renamed(expr: Expr, binders: tuple[Var, ...] = ()) -> Expr:
        apart = terms.rewrite(expr, rebind)
        return terms.substitute(apart, {hidden.actor: actor, **{b: fresh(b) for b in binders}})

    updates = tuple(
        Update(
            u.var,
            tuple(map(fresh, u.binders)),
            tuple(renamed(a, u.binders) for a in u.args),
            renamed(u.cond, u.binders),
            renamed(u.value, u.binders),
        )
        for u in action.updates
    )
    return replace(action, params=(actor,), guard=renamed(action.guard), updates=updates)


def _variables(action: Action) -> set[Var]:
    """Every variable that the action mentions or binds."""
    exprs = terms.deciding(action)
    found = {e for e in walk(*exprs) if isinstance(e, Var)}
    found.update(e.var for e in walk(*exprs) if isinstance(e, Quant))
    return found | {*action.params, *action.fresh} | {b for u in action.updates for b in u.binders}
