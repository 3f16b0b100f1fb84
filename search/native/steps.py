"""The actions of a system as one LLVM function that writes all successors of a state.

    ptr @step(i64 word0, ..., ptr out)      writes each successor's words from `out` on; returns the end of the last
    ptr @start(i64 word0, ..., ptr out)     the same for the initial action

Parameters are unrolled as long as the code stays small, and looped over otherwise.  Each conjunct of a guard is tested as
soon as its parameters are chosen, and only a step that is possible computes its successor: the words of the present
state with the changed fields replaced.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
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
    Not,
    OptionSort,
    Or,
    Some,
    Sort,
    Update,
    Var,
    terms,
)

from ..moves import Kinds
from ..reductions.counters import Counted, counters
from .code import ONES, Code, TooLong, Value
from .expressions import Expressions, dynamic_write, read_field
from .layout import Layout

# A budget for actions below this makes the same code as none.
_LEAST = 300
# Of a sort whose values a model names, so many are told apart in the code, whatever the budget.
_MOST_CASES = 12


@dataclass(frozen=True)
class Budget:
    """How much code may be made, in nodes of the IR, before loops are preferred.

    action: for all bindings of one action; update: for all elements of a bulk update; quantifier: for all elements.
    lines: of LLVM's language, for the whole function; None for any number.
    """

    action: int = 2000
    update: int = 600
    quantifier: int = 400
    lines: int | None = None

    def smaller(self) -> Budget:
        """A third of it, or nothing where a third makes no difference."""
        if self.action < _LEAST:
            return replace(self, action=0, update=0, quantifier=0)
        return replace(self, action=self.action // 3, update=self.update // 3, quantifier=self.quantifier // 3)


def within(lines: int, budget: Budget, write: Callable[[Budget], str]) -> str:
    """The code that `write` makes with as much of the budget as keeps it within so many lines, if any does."""
    while budget.action:
        try:
            return write(replace(budget, lines=lines))
        except TooLong:
            budget = budget.smaller()
    return write(budget)


def step_function(
    layout: Layout, name: str, actions: Sequence[Action], budget: Budget, kinds: Kinds | None = None
) -> str:
    """A function that makes all successors by these actions; kinds: after the words of each it writes its kind."""
    words = [f"%word{i}" for i in range(layout.words)]
    code = Code(name, "ptr", [*(f"i64 {w}" for w in words), "ptr %out"], "noinline nounwind", budget.lines)
    out = code.variable("ptr", "%out")
    steps = _Steps(code, layout, words, out, budget, kinds)
    for action in actions:
        steps.action(action)
    code.line(f"ret ptr {code.get(out, 'ptr')}")
    return code.text()


def rename_functions(layout: Layout) -> str:
    """What step functions call to rename counters."""
    counted = counters(layout.instance)
    kinds = dict.fromkeys(_wide_enough(layout, c) for c in counted)
    declared = [f"declare {kind} @llvm.ctpop.{kind}({kind})" for kind in kinds]
    renames = [_rename(layout, number, c) for number, c in enumerate(counted)]
    return "\n".join([*declared, *renames])


def bind_fresh(expressions: Expressions, fresh: Sequence[Var]) -> None:
    """Gives fresh variables the values that follow the highest in the present state."""
    made: Counter[object] = Counter()
    for var in fresh:
        made[var.of] += 1
        expressions.env[var] = expressions.code.add(expressions.highest(var.of), made[var.of])


def choices(
    expressions: Expressions,
    params: Sequence[Var],
    conjuncts: Sequence[Expr],
    unrolled: int,
    then: Callable[[], None],
) -> None:
    """Writes `then` for every value of the parameters for which the conjuncts hold.

    A parameter that a conjunct says to be equal to something known takes that value; another is unrolled or looped over.
    Where it is unrolled, the conjuncts are simplified for each of its values, so that they decide on others sooner.

    unrolled: how many bindings may have code of their own.
    """
    ready = [c for c in conjuncts if _known(expressions, c)]
    rest = [c for c in conjuncts if c not in ready]
    ready.sort(key=expressions.size)

    def tested() -> None:
        if not params:
            then()
            return
        decided = _decided(expressions, params, rest)
        if decided is not None:
            _take(expressions, decided, params, rest, unrolled, then)
            return
        var = max(params, key=lambda v: _decides(expressions, v, rest))
        others = [p for p in params if p is not var]
        count = expressions.instance.cardinality(var.of)
        cases = _has_cases(var.of) and count <= _MOST_CASES and unrolled > 0
        if cases or count <= unrolled:
            for value in range(count):
                simpler = _with_value(expressions, rest, var, value)
                with expressions.bound(var, value):
                    choices(expressions, others, simpler, unrolled if cases else unrolled // count, then)
        else:
            with expressions.code.loop(count) as loop, expressions.scope(), expressions.bound(var, loop.index):
                choices(expressions, others, rest, unrolled, then)

    tests(expressions, ready, tested)


def _has_cases(sort: Sort) -> bool:
    """Whether a model names single values of the sort, so that each value simplifies what it stands in."""
    base = sort.base if isinstance(sort, OptionSort) else sort
    return isinstance(base, (BoolSort, EnumSort))


def _known(expressions: Expressions, expr: Expr) -> bool:
    """Whether all variables of the expression have values."""
    return all(v in expressions.env for v in expressions.variables(expr))


@dataclass(frozen=True)
class _Decided:
    """A parameter that can only be `value`, or, with `some`, what the option `value` holds."""

    param: Var
    value: Expr
    some: bool
    conjunct: Expr


def _decided(expressions: Expressions, params: Sequence[Var], conjuncts: Sequence[Expr]) -> _Decided | None:
    """A parameter whose value some conjunct determines, if there is one."""
    for conjunct in conjuncts:
        match conjunct:
            case Var() if conjunct in params:
                return _Decided(conjunct, TRUE, False, conjunct)
            case Not(Var() as var) if var in params:
                return _Decided(var, FALSE, False, conjunct)
            case Eq(left, right):
                for side, other in ((left, right), (right, left)):
                    if side.sort != other.sort or not _known(expressions, other):
                        continue
                    if isinstance(side, Var) and side in params:
                        return _Decided(side, other, False, conjunct)
                    if isinstance(side, Some) and isinstance(side.arg, Var) and side.arg in params:
                        return _Decided(side.arg, other, True, conjunct)
    return None


def _take(
    expressions: Expressions,
    decided: _Decided,
    params: Sequence[Var],
    conjuncts: Sequence[Expr],
    unrolled: int,
    then: Callable[[], None],
) -> None:
    """Writes `then` with the only value that a parameter can have."""
    code, var = expressions.code, decided.param
    others = [p for p in params if p is not var]
    rest = [c for c in conjuncts if c is not decided.conjunct]
    value = expressions.number(decided.value)
    exists: Value = 1
    if decided.some:
        exists, value = code.truth(value), code.sub(value, 1)
    if exists == 0:
        return
    if isinstance(value, int):
        rest = _with_value(expressions, rest, var, value)
    with expressions.when(exists), expressions.bound(var, value):
        choices(expressions, others, rest, unrolled, then)


def _with_value(expressions: Expressions, conjuncts: Sequence[Expr], var: Var, value: int) -> list[Expr]:
    """The conjuncts where the variable has the value with this code, simplified, and those cut that always hold."""
    values = {var: terms.literal(var.of, value)}
    return conjuncts_of(*(expressions.substituted(c, values) for c in conjuncts))


def tests(expressions: Expressions, conjuncts: Sequence[Expr], then: Callable[[], None]) -> None:
    """Writes `then` under the condition of all conjuncts: cheap ones in one test, dear ones only after those."""
    if not conjuncts:
        then()
        return
    first, cost = 1, expressions.size(conjuncts[0])
    while first < len(conjuncts) and cost + expressions.size(conjuncts[first]) <= 30:
        cost += expressions.size(conjuncts[first])
        first += 1
    cond = expressions.all(conjuncts[:first])
    if cond == 0:
        return
    if cond == 1:
        tests(expressions, conjuncts[first:], then)
        return
    with expressions.when(cond):
        tests(expressions, conjuncts[first:], then)


def _decides(expressions: Expressions, var: Var, conjuncts: Sequence[Expr]) -> tuple[float, int]:
    """How soon it pays to choose a parameter: first those of whose values fewest are left by the conjuncts that can be tested
    then, and among equals those of which most conjuncts speak."""
    known = {*expressions.env, var}
    left = float(expressions.instance.cardinality(var.of))
    for conjunct in conjuncts:
        if known.issuperset(expressions.variables(conjunct)):
            left *= _share(expressions, conjunct)
    return -left, sum(var in expressions.variables(c) for c in conjuncts)


def _share(expressions: Expressions, expr: Expr) -> float:
    """Of how many states an expression holds, roughly."""
    match expr:
        case Eq(left, _):
            return 1 / expressions.instance.cardinality(left.sort)
        case Not(arg):
            return 1 - _share(expressions, arg)
        case And(args):
            return math.prod(_share(expressions, arg) for arg in args)
        case Or(args):
            return min(1.0, sum(_share(expressions, arg) for arg in args))
        case _:
            return 0.5


def conjuncts_of(*exprs: Expr) -> list[Expr]:
    """What must hold together, one by one."""
    parts = [part for e in exprs for part in (e.args if isinstance(e, And) else (e,))]
    return [part for part in dict.fromkeys(parts) if part is not TRUE]


class _Steps:
    """Writes actions into one function."""

    def __init__(
        self, code: Code, layout: Layout, words: Sequence[Value], out: str, budget: Budget, kinds: Kinds | None
    ) -> None:
        self.code, self.layout, self.out, self.budget, self.kinds = code, layout, out, budget, kinds
        self.instance = layout.instance
        self.expressions = Expressions(code, layout, words, budget.quantifier)
        self.counters = counters(layout.instance)

    def action(self, action: Action) -> None:
        """All steps of one action."""
        expressions = self.expressions
        bind_fresh(expressions, action.fresh)
        size = 1 + expressions.size(action.guard) + sum(self._update_size(u) for u in action.updates)
        conjuncts = conjuncts_of(action.guard)
        with expressions.scope():
            choices(
                expressions,
                action.params,
                conjuncts,
                max(1, self.budget.action // size) if self.budget.action else 0,
                lambda: self._successor(action),
            )

    def _update_size(self, update: Update) -> int:
        size = sum(map(self.expressions.size, (*update.args, update.cond, update.value)))
        elements = math.prod(self.instance.cardinality(b.of) for b in update.binders)
        return size * elements if size * elements <= self.budget.update else size

    def _successor(self, action: Action) -> None:
        after = _After(self.expressions, self.budget)
        for update in action.updates:
            after.apply(update)
        after.settle()
        code = self.code
        out = code.get(self.out, "ptr")
        for number, word in enumerate(after.words):
            code.set(code.address(out, 8 * number), word)
        for number, counted in enumerate(self.counters):
            if any(_holds(self.instance.system.variable[u.var].sort, counted.sort) for u in action.updates):
                code.line(f"call void @rename{number}(ptr {out})")
        written = len(after.words)
        if self.kinds is not None:
            first, weights = self.kinds.weights(action)
            kind: Value = first
            for param, weight in zip(action.params, weights, strict=False):
                kind = code.add(kind, code.mul(self.expressions.env[param], weight))
            code.set(code.address(out, 8 * written), kind)
            written += 1
        code.set(self.out, code.address(out, 8 * written), "ptr")


def _holds(sort: object, counter: CounterSort) -> bool:
    return sort == counter or (isinstance(sort, OptionSort) and sort.base == counter)


class _After:
    """The next state under construction.

    words: as changed so far; _changed: what is known of single slots, not yet written into the words.
    """

    def __init__(self, expressions: Expressions, budget: Budget) -> None:
        self.expressions, self.code, self.budget = expressions, expressions.code, budget
        self.layout, self.instance = expressions.layout, expressions.instance
        self.words: list[Value] = list(expressions.words)
        self._changed: dict[int, Value] = {}

    def apply(self, update: Update) -> None:
        """One update, after those before it."""
        expressions = self.expressions
        size = 1 + sum(map(expressions.size, (*update.args, update.cond, update.value)))
        elements = math.prod(self.instance.cardinality(b.of) for b in update.binders)
        if elements * size > self.budget.update:
            self.settle()
        self._elements(update, list(update.binders), elements * size <= self.budget.update)

    def _elements(self, update: Update, binders: list[Var], unroll: bool) -> None:
        expressions = self.expressions
        if not binders:
            cond = expressions(update.cond)
            if cond != 0:
                index = expressions.index(update.var, update.args)
                self._write(update.var, index, expressions.number(update.value), cond)
            return
        var, *others = binders
        count = self.instance.cardinality(var.of)
        if unroll:
            for value in range(count):
                with expressions.bound(var, value):
                    self._elements(update, others, unroll)
            return
        with self.code.loop(count, self.words) as loop, expressions.scope(), expressions.bound(var, loop.index):
            self.words = list(loop.carried)
            self._elements(update, others, unroll)
            self.settle()
            loop.next = self.words
        self.words = loop.after

    def _write(self, variable: str, index: Value, value: Value, cond: Value) -> None:
        first = self.instance.offsets[variable]
        if isinstance(index, int):
            slot = first + index
            self._changed[slot] = self.code.choose(cond, value, self._slot(slot)) if cond != 1 else value
            return
        self.settle()
        dynamic_write(self.code, self.words, self.layout.pieces[variable], first, index, value, cond)

    def _slot(self, slot: int) -> Value:
        """What the next state holds in a slot so far."""
        if slot in self._changed:
            return self._changed[slot]
        if self.words == list(self.expressions.words):
            return self.expressions.slot(slot)
        return read_field(self.code, self.words, self.layout, slot)

    def settle(self) -> None:
        """Writes what is known of single slots into the words."""
        write_fields(self.code, self.words, self.layout, self._changed)
        self._changed = {}


def write_fields(code: Code, words: list[Value], layout: Layout, changed: dict[int, Value]) -> None:
    """Puts the values into their slots."""
    for number in range(len(words)):
        mask, constant = 0, 0
        parts: list[Value] = []
        for slot, value in changed.items():
            field = layout.fields[slot]
            if field.word != number or not field.bits:
                continue
            mask |= field.mask
            if isinstance(value, int):
                constant |= value << field.shift
            else:
                parts.append(code.left(value, field.shift))
        if mask:
            word = code.bits_or(code.bits_and(words[number], ONES & ~mask), constant)
            for part in parts:
                word = code.bits_or(word, part)
            words[number] = word


def _rename(layout: Layout, number: int, counted: Counted) -> str:
    """`void @renameN(ptr state)`: renames the values of a counter by rank, in the words at `state`.

    The values in use are a set of bits; the rank of a value is how many bits up to its own are set.
    """
    code = Code(f"rename{number}", "void", ["ptr %state"])
    words: list[Value] = [code.get(code.address("%state", 8 * i)) for i in range(layout.words)]
    kind = _wide_enough(layout, counted)
    slots = {slot: read_field(code, words, layout, slot) for slot in (*counted.plain, *counted.optional)}
    wide = {
        slot: value if kind == "i64" or isinstance(value, int) else code.op(f"zext i64 {value} to {kind}")
        for slot, value in slots.items()
    }
    used: Value = 1
    for slot in counted.plain:
        used = code.op(f"or {kind} {used}, {code.op(f'shl {kind} 1, {wide[slot]}')}")
    for slot in counted.optional:
        one = code.op(f"lshr {kind} {code.op(f'shl {kind} 1, {wide[slot]}')}, 1")
        used = code.op(f"or {kind} {used}, {one}")
    gaps = code.op(f"and {kind} {used}, {code.op(f'add {kind} {used}, 1')}")
    with code.when(code.op(f"icmp ne {kind} {gaps}, 0")):
        others = code.op(f"and {kind} {used}, -2")
        renamed: dict[int, Value] = {}
        for slot in slots:
            plain = slot in counted.plain
            upper = code.op(f"shl {kind} {2 if plain else 1}, {wide[slot]}")
            below = code.op(f"and {kind} {others}, {code.op(f'add {kind} {upper}, -1')}")
            rank = code.op(f"call {kind} @llvm.ctpop.{kind}({kind} {below})")
            if kind != "i64":
                rank = code.op(f"trunc {kind} {rank} to i64")
            renamed[slot] = rank if plain else code.add(rank, code.number(code.truth(slots[slot])))
        after = list(words)
        write_fields(code, after, layout, renamed)
        for word in range(layout.words):
            if after[word] != words[word]:
                code.set(code.address("%state", 8 * word), after[word])
    code.line("ret void")
    return code.text()


def _wide_enough(layout: Layout, counted: Counted) -> str:
    """The kind of integer with a bit for each value, and one to spare."""
    most = max((layout.fields[slot].bits for slot in (*counted.plain, *counted.optional)), default=1)
    width = next((n for n in (64, 128, 256, 512, 1024) if (1 << most) + 2 <= n), 1 << (most + 1))
    return f"i{width}"
