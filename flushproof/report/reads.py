"""What a step read where that decided it: the comparisons on which its branches, and its being possible, rest.

Of a condition only as much is told as decides it: of a conjunction that is false the first part that is, of one that is true each
part.  The values themselves are `evaluate`'s.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Literal, assert_never

from flushproof.model.ir import (
    Action,
    And,
    BoolSort,
    Clause,
    Eq,
    Expr,
    Ite,
    Less,
    Lit,
    Narrow,
    Negated,
    Not,
    Or,
    Plus,
    Quant,
    Read,
    Some,
    The,
    Update,
    Var,
    walk,
)
from flushproof.model.ir.evaluate import Env, decode, encode, evaluate
from flushproof.model.ir.instance import Instance, Slot, State

Kind = Literal["branch", "guard"]

JOINED: Mapping[frozenset[str], str] = {
    frozenset("≥≠"): ">",
    frozenset("≤≠"): "<",
    frozenset("<≠"): "<",
    frozenset(">≠"): ">",
    frozenset("≥="): "=",
    frozenset("≤="): "=",
    frozenset("≤≥"): "=",
}
"""Two comparisons of the same two that are one."""

TURNED: Mapping[str, str] = {"<": ">", ">": "<", "≤": "≥", "≥": "≤", "=": "=", "≠": "≠"}
"""What a comparison is with its sides exchanged."""


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a location with its value and what is added to that, or else a value alone; as shown."""

    slot: Slot | None
    value: str
    plus: int = 0


@dataclass(frozen=True)
class Fact:
    """One comparison as it came out.

    kind: "branch" if it decided what the step does, "guard" if the step is possible because of it; left, sign, right: the
    comparison as it came out, with a location on the left; values: the codes in its locations; found: whether they have what was
    asked for (not: have something else).
    """

    kind: Kind
    left: Side
    sign: str
    right: Side
    values: Mapping[Slot, int]
    found: bool


@dataclass(frozen=True)
class Reader:
    """What conditions rest on in one state."""

    instance: Instance
    state: State

    def guard(self, acts: Action | Clause, env: Env, process: str | None = None) -> tuple[Fact, ...]:
        """What makes a step of a process, or an event, possible; but for where the process is, which it knows."""
        found = self.facts("guard", self.deciding(acts.guard, env))
        return tuple(f for f in found if process is None or f.left.slot is None or f.left.slot.var != f"{process}.pc")

    def facts_of(self, acts: Action | Clause, env: Env, process: str | None = None) -> tuple[Fact, ...]:
        """What made a step, or an event, possible, and what decided between a step's branches."""
        branches = self.branches(acts, env) if isinstance(acts, Action) else ()
        return (*self.guard(acts, env, process), *self.facts("branch", branches))

    def facts(self, kind: Kind, atoms: Iterable[tuple[Expr, Env]]) -> Iterator[Fact]:
        """Those comparisons in which there is a location, each once; several of one location with constants are its value, and
        several of two locations are one."""
        made: list[Fact] = []
        constants: dict[Side, set[str]] = {}
        signs: dict[tuple[Side, Side], set[str]] = {}
        for atom, env in atoms:
            fact = self.fact(kind, atom, env)
            if fact is None:
                continue
            if (fact.right, fact.left) in signs:
                fact = replace(fact, left=fact.right, sign=TURNED[fact.sign], right=fact.left)
            made.append(fact)
            signs.setdefault((fact.left, fact.right), set()).add(fact.sign)
            if fact.right.slot is None:
                constants.setdefault(fact.left, set()).add(fact.sign + fact.right.value)
        several = {left for left, found in constants.items() if len(found) > 1}
        told = (
            replace(f, left=replace(f.left, plus=0), sign="=", right=Side(None, f.left.value))
            if f.right.slot is None and f.left in several
            else replace(f, sign=JOINED.get(frozenset(signs[f.left, f.right]), f.sign))
            for f in made
        )
        yield from {(f.left, f.sign, f.right): f for f in told}.values()

    def branches(self, action: Action, env: Env) -> Iterator[tuple[Expr, Env]]:
        """What decides which updates a step makes, and which of several values it writes.

        Left out is what only properties see, and what hardware does by itself with many locations at once (the closures).
        """
        ways = [[*self.deciding_update(update, scope)] for update, scope in self.updates(action, env)]
        yield from in_order([*ways, *([*self.missed(action, update, env)] for update in action.updates)])

    def updates(self, action: Action, env: Env) -> Iterator[tuple[Update, Env]]:
        """Each update, for each of the locations that it may write."""
        system = self.instance.system
        settled = {u.var for u in system.settle.updates}
        for update in action.updates:
            if system.variable[update.var].kind == "ghost" or (update.binders and update.var in settled):
                continue
            for scope in self.scopes(update, env):
                yield update, scope

    def scopes(self, update: Update, env: Env) -> Iterator[Env]:
        """The values of an update's binders, beside those of the step's parameters."""
        for codes in self.instance.assignments(tuple(b.of for b in update.binders)):
            yield {**env, **{b: decode(b.of, c) for b, c in zip(update.binders, codes, strict=True)}}

    def written(self, acts: Action | Clause, env: Env) -> tuple[str, ...]:
        """What a step writes, in the order of its code."""
        updates = self.updates(acts, env) if isinstance(acts, Action) else ()
        return tuple(dict.fromkeys(update.var for update, scope in updates if self.value(update.cond, scope)))

    def deciding_update(self, update: Update, scope: Env) -> Iterator[tuple[Expr, Env]]:
        """What decides whether an update is made, and what is written where."""
        yield from self.deciding(update.cond, scope)
        if self.value(update.cond, scope):
            for term in (*update.args, update.value):
                yield from self.chosen(term, scope)

    def missed(self, action: Action, update: Update, env: Env) -> Iterator[tuple[Expr, Env]]:
        """Where a write went that changes nothing, as far as that was read: a flush that drops nothing may name the wrong VMID."""
        var = self.instance.system.variable[update.var]
        if var.kind == "ghost" or any((update.var, update.value) == (u.var, u.value) for u in self.instance.system.settle.updates):
            return
        written = [scope for scope in self.scopes(update, env) if self.value(update.cond, scope)]
        place = Read(update.var, update.args, var.sort)
        if all(self.value(place, scope) == self.value(update.value, scope) for scope in written):
            for arg in update.args if written else ():
                inner = _held(arg)
                if isinstance(inner, Read) and not (action.process and inner.name.startswith(f"{action.process}.")):
                    yield inner, written[0]

    def value(self, expr: Expr, env: Env) -> object:
        return evaluate(expr, env, self.state, self.instance)

    # ---------------------------------------------------------------------------------------------------- what decides it

    def deciding(self, expr: Expr, env: Env) -> Iterator[tuple[Expr, Env]]:
        """The comparisons that decide a condition, and those that decide which values they compare."""
        match expr:
            case Lit() | Var():
                return
            case Not():
                yield from self.deciding(expr.arg, env)
            case And() | Or():
                yield from self.of_many([(arg, env) for arg in expr.args], isinstance(expr, Or))
            case Quant():
                scopes = [{**env, expr.var: decode(expr.var.of, code)} for code in self.instance.codes(expr.var.of)]
                yield from self.of_many([(expr.body, scope) for scope in scopes], expr.kind == "exists")
            case Ite():
                yield from self.deciding(expr.cond, env)
                yield from self.deciding(expr.then if self.value(expr.cond, env) else expr.other, env)
            case Eq(left, right) if isinstance(left.sort, BoolSort) and not isinstance(right, Lit):
                yield from self.deciding(left, env)
                yield from self.deciding(right, env)
            case Eq() | Less():
                yield from self.chosen(expr.left, env)
                yield from self.chosen(expr.right, env)
                yield expr, env
            case Read() | Some() | The() | Plus() | Negated() | Narrow():
                yield from self.chosen(expr, env)
                if isinstance(expr.sort, BoolSort):
                    yield expr, env
            case _:
                assert_never(expr)

    def of_many(self, parts: list[tuple[Expr, Env]], one_suffices: bool) -> Iterator[tuple[Expr, Env]]:
        """Of a disjunction that is true, or a conjunction that is false, the first part that makes it so; else all parts."""
        for part, env in parts:
            if self.value(part, env) == one_suffices:
                yield from self.deciding(part, env)
                return
        for part, env in parts:
            yield from self.deciding(part, env)

    def chosen(self, expr: Expr, env: Env) -> Iterator[tuple[Expr, Env]]:
        """The comparisons that decide which of several values a term stands for; of a condition, whether it is true."""
        match expr:
            case Ite():
                if not _same_location(expr):
                    yield from self.deciding(expr.cond, env)
                yield from self.chosen(expr.then if self.value(expr.cond, env) else expr.other, env)
            case Some() | The() | Negated() | Narrow():
                yield from self.chosen(expr.arg, env)
            case Read() | Plus():
                for arg in expr.args:
                    yield from self.chosen(arg, env)
            case And() | Or() | Not() | Quant() | Eq() | Less():
                yield from self.deciding(expr, env)

    # ------------------------------------------------------------------------------------------------------------- facts

    def fact(self, kind: Kind, atom: Expr, env: Env) -> Fact | None:
        """A comparison as it came out, the location on its left; None where no location is compared."""
        if isinstance(atom, Eq | Less):
            left, right = self.side(atom.left, env), self.side(atom.right, env)
            true = bool(self.value(atom, env))
            nothing = any(isinstance(side, Lit) and side.value is None for side in (atom.left, atom.right))
            found = isinstance(atom, Eq) and true != nothing
            signs = ("=", "≠") if isinstance(atom, Eq) else ("<", "≥")
            sign = signs[0] if true else signs[1]
            if left.slot is None:
                left, right = right, left
                sign = TURNED[sign]
            if right.slot is None and isinstance(atom, Eq) and left.plus == 0:
                sign, right = "=", Side(None, left.value)
        else:
            left, sign = self.side(atom, env), "="
            right = Side(None, left.value)
            found = bool(self.value(atom, env))
        slots = [s.slot for s in (left, right) if s.slot is not None]
        if not slots:
            return None
        return Fact(kind, left, sign, right, {s: self.state[self.numbers[s]] for s in slots}, found)

    def side(self, expr: Expr, env: Env) -> Side:
        """A term, as far as it is a location: behind what turns one kind of value into another."""
        match expr:
            case Ite():
                return self.side(expr.then if self.value(expr.cond, env) else expr.other, env)
            case Some() | The() | Narrow():
                return self.side(expr.arg, env)
            case Plus((arg, Lit(int() as offset))):
                inner = self.side(arg, env)
                shown = self.shown(expr, env)
                return Side(inner.slot, inner.value, inner.plus + offset) if inner.slot else Side(None, shown)
            case Read():
                index = tuple(encode(a.sort, self.value(a, env)) for a in expr.args)  # type: ignore[arg-type]
                return Side(self.instance.slots[self.instance.slot(expr.name, index)], self.shown(expr, env))
        return Side(None, self.shown(expr, env))

    def shown(self, expr: Expr, env: Env) -> str:
        return self.instance.show(expr.sort, encode(expr.sort, self.value(expr, env)))  # type: ignore[arg-type]

    @cached_property
    def numbers(self) -> dict[Slot, int]:
        return {slot: number for number, slot in enumerate(self.instance.slots)}


def in_order(ways: Sequence[Sequence[tuple[Expr, Env]]]) -> list[tuple[Expr, Env]]:
    """The comparisons of several ways through one step's code, each as often as it comes, in an order that is that of each way: a
    way asks in the order of the code, and leaves out what does not concern it."""
    atoms: dict[Hashable, tuple[Expr, Env]] = {}
    behind: dict[Hashable, set[Hashable]] = {}
    for way in ways:
        keys = [_key(*atom) for atom in way]
        for key, atom in zip(keys, way, strict=True):
            atoms.setdefault(key, atom)
            behind.setdefault(key, set())
        for before, key in pairwise(keys):
            behind[key].add(before)
    found: dict[Hashable, None] = {}
    while len(found) < len(atoms):
        left = [key for key in atoms if key not in found]
        found[next((key for key in left if behind[key] <= found.keys()), left[0])] = None
    return [atoms[key] for key in found]


def _key(expr: Expr, env: Env) -> Hashable:
    """What makes two comparisons one: the same question about the same elements."""
    return expr, tuple((var, env[var]) for var in sorted((v for v in walk(expr) if isinstance(v, Var)), key=str) if var in env)


def _same_location(expr: Ite) -> bool:
    """Whether a term asks, among others, if what it reads was written before in this step: no question that its author asked."""
    questions = expr.cond.args if isinstance(expr.cond, And) else (expr.cond,)
    indices = {_held(arg) for read in walk(expr.then, expr.other) if isinstance(read, Read) for arg in read.args}
    return any(isinstance(q, Eq) and {_held(q.left), _held(q.right)} & indices for q in questions)


def _held(expr: Expr) -> Expr:
    """A term without what makes an option of its value, or takes it out of one."""
    return _held(expr.arg) if isinstance(expr, Some | The) else expr
