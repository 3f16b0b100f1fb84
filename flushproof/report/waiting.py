"""Who waits for what in a state, in the system's own words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from flushproof.model.ir import Action, And, Expr, Lit, Not, Or, Quant, Read, Scalarset, Sort, Var, terms, walk
from flushproof.model.ir.evaluate import Value, decode, evaluate
from flushproof.model.ir.instance import Instance, Slot, State
from flushproof.model.ir.waits import Wait, waits
from flushproof.properties.formulas.printing import show

MOST_WORDS = 160
"""A condition that takes more characters is not written out."""

MOST_ELEMENTS = 4
"""Of what is to hold for all elements, those for which it does not are named if they are no more."""


@dataclass(frozen=True)
class Waiting:
    """A process that stands at a label whose step is not possible.

    process: its name; who: whose it is, by the names of its parameters; label: where; begins: it starts there.
    conditions: what keeps the step from being possible: each is one that does not hold.
    """

    process: str
    who: Mapping[str, str]
    label: str
    begins: bool
    conditions: tuple[str, ...]

    @property
    def name(self) -> str:
        """`vcpu_thread of cpu0`"""
        return f"{self.process} of {', '.join(self.who.values())}" if self.who else self.process

    @property
    def text(self) -> str:
        """`vcpu_thread of cpu0 waits at "..." until not called[cpu1, cpu0]`"""
        return together([self])

    @property
    def until(self) -> str:
        """`until not called[cpu1, cpu0]`"""
        return f"until {' and '.join(self.conditions)}" if self.conditions else "for ever: no step begins there"


def together(alike: Sequence[Waiting]) -> str:
    """Processes that wait for the same thing at the same label: `tlb_flush of cpu0 and tlb_flush of cpu1 wait at "..." until ...`.

    Of a process that has not begun it is not said where it stands, since that is no label that anyone has written.
    """
    first = alike[0]
    where = "cannot begin" if first.begins else f'wait{"s" * (len(alike) == 1)} at "{fill(first.label, {})}"'
    until = f" {first.until}" if first.conditions else ", and no step begins there"
    return f"{' and '.join(w.name for w in alike)} {where}{until}"


def sentences(waits: Iterable[Waiting]) -> list[str]:
    """Who waits for what, each thing once."""
    alike: dict[tuple[str, str, tuple[str, ...]], list[Waiting]] = {}
    for wait in waits:
        alike.setdefault((wait.process, wait.label, wait.conditions), []).append(wait)
    return [f"{together(group)}." for group in alike.values()]


def fill(template: str, values: Mapping[str, str]) -> str:
    """A sentence with `{name}` replaced; a name without a value loses its braces, and two braces are one."""
    return re.sub(r"\{\{|\}\}|\{([^{}]+)\}", lambda m: values.get(m[1], m[1]) if m[1] else m[0][0], template)


def under_way(instance: Instance, states: Sequence[State]) -> list[dict[Slot, Waiting]]:
    """For each state the processes that have begun and cannot go on, by their program counters.

    Of a system in which that depends on a fresh value nothing is said.
    """
    try:
        found = [w for w in waits(instance.system) if not w.begins]
    except LookupError:
        return [{} for _ in states]
    stands = [
        (instance.slot(w.pc.name, codes), w.pc_code, w, codes)
        for w in found
        for codes in instance.assignments(tuple(v.of for v in w.who))
    ]
    return [
        {
            instance.slots[number]: waiting(instance, state, wait, codes)
            for number, code, wait, codes in stands
            if state[number] == code and evaluate(wait.waiting, _values(wait.who, codes), state, instance)
        }
        for state in states
    ]


def who_waits(instance: Instance, state: State) -> list[Waiting]:
    """Every process that cannot go on in a state; of those that stand where they start only if there is no other."""
    found = [
        waiting(instance, state, wait, codes)
        for wait in waits(instance.system)
        for codes in instance.assignments(tuple(v.of for v in wait.who))
        if evaluate(wait.waiting, _values(wait.who, codes), state, instance)
    ]
    return [w for w in found if not w.begins] or found


def waiting(instance: Instance, state: State, wait: Wait, codes: tuple[int, ...]) -> Waiting:
    """What the process of these elements waits for at this label."""
    who = {v.name: instance.show(v.of, c) for v, c in zip(wait.who, codes, strict=True)}
    reader = _Reader(instance, state)
    conditions: dict[str, None] = {}
    for action in wait.actions:
        conditions |= dict.fromkeys(reader.conditions(action, codes))
    return Waiting(wait.process, who, wait.label, wait.begins, tuple(conditions))


def _values(params: tuple[Var, ...], codes: tuple[int, ...]) -> dict[Var, Value]:
    return {p: decode(p.of, c) for p, c in zip(params, codes, strict=True)}


class _Reader:
    """What does not hold in a state, with elements under their names.  `env`: the elements by the variables that stand for them."""

    def __init__(self, instance: Instance, state: State) -> None:
        self.instance, self.state = instance, state
        self.env: dict[Var, Value] = {}

    def named(self, sort: Sort, code: int) -> Expr:
        """An element as an expression that is shown as its name."""
        if not isinstance(sort, Scalarset):
            value = decode(sort, code)
            return Lit(value, sort)
        var = Var(self.instance.show(sort, code), sort)
        self.env[var] = code
        return var

    def conditions(self, action: Action, codes: tuple[int, ...]) -> Iterator[str]:
        """What keeps the action from being possible for these values of its first parameters."""
        guard = terms.without_fresh(action.guard, action.fresh)
        mine, others = action.params[: len(codes)], action.params[len(codes) :]
        element = {p: self.named(p.of, c) for p, c in zip(mine, codes, strict=True)}
        guard = terms.substitute(guard, element)
        parts = guard.args if isinstance(guard, And) else (guard,)
        alone = [p for p in parts if not terms.free_vars(p) & {*others}]
        unmet = [u for p in alone for u in self.unmet(p)]
        if unmet:
            yield from map(self.text, unmet)
        else:
            together = terms.and_(*(p for p in parts if p not in alone))
            yield f"{self.text(together)} for some {', '.join(p.name for p in others)}"

    def unmet(self, expr: Expr) -> Iterator[Expr]:
        """The parts of a condition that do not hold."""
        if evaluate(expr, self.env, self.state, self.instance):
            return
        match expr:
            case And():
                for arg in expr.args:
                    yield from self.unmet(arg)
            case Quant("forall", var, body):
                each = [terms.substitute(body, {var: self.named(var.of, c)}) for c in self.instance.codes(var.of)]
                unmet = [e for e in each if not evaluate(e, self.env, self.state, self.instance)]
                if len(unmet) > MOST_ELEMENTS:
                    yield expr
                else:
                    for e in unmet:
                        yield from self.unmet(e)
            case Not(Quant("exists", var, body)):
                yield from self.unmet(Quant("forall", var, terms.not_(body)))
            case Not(Or(args)):
                yield from self.unmet(And(tuple(map(terms.not_, args))))
            case Not(And(args)):
                yield terms.not_(terms.and_(*self.of_state(args)))
            case Or(args):
                yield terms.or_(*self.of_state(args))
            case _:
                yield expr

    def of_state(self, parts: tuple[Expr, ...]) -> tuple[Expr, ...]:
        """Those that speak of the state; which elements are one is known."""
        return tuple(p for p in parts if any(isinstance(term, Read) for term in walk(p))) or parts

    def text(self, expr: Expr) -> str:
        """A condition as it is written in the language, without `self`."""
        text = re.sub(r"\bself\.", "", show(expr))
        return text if len(text) <= MOST_WORDS else "a longer condition holds"
