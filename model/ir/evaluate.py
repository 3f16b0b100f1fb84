"""The meaning of expressions and actions, as plainly as it can be said: slow, obvious, and what the fast readings are
tested against.

Values are what people mean by them, not codes: a bool is `True` or `False`, an enumeration's member its name, an
integer itself, an element of a scalarset and a counter's value a number from 0, and an option `None` or the value that
it holds.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Union, assert_never

from .instance import Instance, State
from .system import (
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
    Negated,
    Not,
    OptionSort,
    Or,
    Plus,
    Quant,
    Read,
    Scalarset,
    Some,
    Sort,
    The,
    Var,
    default_value,
)

Value = Union[bool, int, str, None]
Env = Mapping[Var, Value]


def decode(sort: Sort, code: int) -> Value:
    """The value that a code stands for."""
    match sort:
        case BoolSort():
            return bool(code)
        case EnumSort():
            return sort.members[code]
        case IntSort():
            return sort.lo + code
        case OptionSort():
            return None if code == 0 else decode(sort.base, code - 1)
        case Scalarset() | CounterSort():
            return code
        case _:
            assert_never(sort)


def encode(sort: Sort, value: Value) -> int:
    """The code of a value; the inverse of `decode`."""
    match sort:
        case EnumSort():
            return sort.members.index(str(value))
        case IntSort():
            assert isinstance(value, int)
            return value - sort.lo
        case OptionSort():
            return 0 if value is None else 1 + encode(sort.base, value)
        case BoolSort() | Scalarset() | CounterSort():
            assert isinstance(value, int)
            return int(value)
        case _:
            assert_never(sort)


def evaluate(expr: Expr, env: Env, state: State, instance: Instance) -> Value:
    """The value of `expr` in `state`, its free variables having the values in `env`."""

    def value(e: Expr) -> Value:
        return evaluate(e, env, state, instance)

    match expr:
        case Lit():
            return expr.value
        case Var():
            return env[expr]
        case Read():
            index = tuple(encode(a.sort, value(a)) for a in expr.args)
            return decode(expr.sort, state[instance.slot(expr.name, index)])
        case Not():
            return not value(expr.arg)
        case And():
            return all(map(value, expr.args))
        case Or():
            return any(map(value, expr.args))
        case Eq():
            return value(expr.left) == value(expr.right)
        case Less():
            return _rank(expr.left.sort, value(expr.left)) < _rank(expr.right.sort, value(expr.right))
        case Ite():
            return value(expr.then) if value(expr.cond) else value(expr.other)
        case Some():
            return value(expr.arg)
        case The():
            held = value(expr.arg)
            return decode(expr.sort, 0) if held is None else held
        case Plus():
            return sum(_integer(value(a)) for a in expr.args)
        case Negated():
            return -_integer(value(expr.arg))
        case Narrow():
            return min(max(_integer(value(expr.arg)), expr.of.lo), expr.of.hi)
        case Quant():
            bodies = (
                evaluate(expr.body, {**env, expr.var: decode(expr.var.of, code)}, state, instance)
                for code in instance.codes(expr.var.of)
            )
            return all(bodies) if expr.kind == "forall" else any(bodies)
        case _:
            assert_never(expr)


def _integer(value: Value) -> int:
    assert isinstance(value, int)
    return value


def _rank(sort: Sort, value: Value) -> int:
    """Where a value stands in the order of its sort."""
    return sort.members.index(str(value)) if isinstance(sort, EnumSort) else _integer(value)


def transitions(action: Action, state: State, instance: Instance) -> Iterator[tuple[tuple[int, ...], State]]:
    """Every way in which the action is possible in the state: the codes of its parameters, and the next state."""
    for codes in instance.assignments(tuple(p.of for p in action.params)):
        env = environment(action, codes, state, instance)
        if evaluate(action.guard, env, state, instance):
            yield codes, renamed(updated(action, env, state, instance), instance)


def environment(action: Action, codes: Iterable[int], state: State, instance: Instance) -> Env:
    """The values of an action's parameters, given by their codes, and of its fresh ones."""
    env: dict[Var, Value] = {p: decode(p.of, c) for p, c in zip(action.params, codes, strict=True)}
    env.update({var: _highest(var.of, state, instance) + 1 + i for i, var in enumerate(action.fresh)})
    return env


def updated(action: Action, env: Env, state: State, instance: Instance) -> State:
    """The state after the action, counters not renamed."""
    after = list(state)
    for update in action.updates:
        sort = instance.system.variable[update.var].sort
        for codes in instance.assignments(tuple(b.of for b in update.binders)):
            scope = {**env, **{b: decode(b.of, c) for b, c in zip(update.binders, codes, strict=True)}}
            if evaluate(update.cond, scope, state, instance):
                index = tuple(encode(a.sort, evaluate(a, scope, state, instance)) for a in update.args)
                value = evaluate(update.value, scope, state, instance)
                after[instance.slot(update.var, index)] = encode(sort, value)
    return tuple(after)


def costs(action: Action, codes: Iterable[int], state: State, instance: Instance) -> Iterator[tuple[str, int | None]]:
    """What the action, with these codes of its parameters, costs in `state`: each name, with the slot of a dropped entry."""
    env = environment(action, codes, state, instance)
    for cost in action.costs:
        for binding in instance.assignments(tuple(b.of for b in cost.binders)):
            scope = {**env, **{b: decode(b.of, c) for b, c in zip(cost.binders, binding, strict=True)}}
            if evaluate(cost.cond, scope, state, instance):
                slot = None
                if cost.entry is not None:
                    index = tuple(encode(a.sort, evaluate(a, scope, state, instance)) for a in cost.entry.args)
                    slot = instance.slot(cost.entry.name, index)
                yield cost.name, slot


def _counters(state: State, instance: Instance) -> Iterator[tuple[int, CounterSort, int, bool]]:
    """Each slot that holds a counter's value: its number, the counter, the value, and whether the slot is an option."""
    for number, slot in enumerate(instance.slots):
        match slot.sort:
            case CounterSort():
                yield number, slot.sort, state[number], False
            case OptionSort(CounterSort() as counter) if state[number]:
                yield number, counter, state[number] - 1, True


def _highest(counter: Sort, state: State, instance: Instance) -> int:
    return max((value for _, sort, value, _ in _counters(state, instance) if sort == counter), default=0)


def renamed(state: State, instance: Instance) -> State:
    """The state with every counter's values renamed by rank: 0 stays, the others become 1, 2, ... in order.

    Nothing but equality, order and "greater than all" is ever asked of a counter, so the two states behave alike.
    """
    found = list(_counters(state, instance))
    after = list(state)
    for counter in {sort for _, sort, _, _ in found}:
        values = sorted({0, *(value for _, sort, value, _ in found if sort == counter)})
        for number, sort, value, optional in found:
            if sort == counter:
                after[number] = values.index(value) + optional
    return tuple(after)


def initial_states(instance: Instance) -> Iterator[State]:
    """Every initial state, possibly several times."""
    choices = [
        range(instance.cardinality(slot.sort))
        if instance.system.variable[slot.var].free
        else (encode(slot.sort, default_value(slot.sort)),)
        for slot in instance.slots
    ]
    for state in itertools.product(*choices):
        for _, after in transitions(instance.system.init, renamed(state, instance), instance):
            yield after
