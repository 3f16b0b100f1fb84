"""Expressions of the IR as LLVM code over the words of a packed state.

Compiling is partial evaluation: what is known (a literal, an unrolled parameter) is a Python integer, and folds.  The
rest is computed once for each expression and values of its variables: what was computed is remembered for as long as
the code that computed it is certain to have run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import assert_never

from flushproof.model.ir import (
    BOOL,
    And,
    Eq,
    Expr,
    IntSort,
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
    Sort,
    The,
    Var,
    children,
    terms,
)
from flushproof.model.ir.instance import Instance

from ..reductions.counters import counters
from .code import Code, Value
from .layout import Layout, Piece

# A quantifier becomes code for each element as long as that stays this small (in nodes), and a loop otherwise.
UNROLLED = 400


class Expressions:
    """Compiles expressions into `code`, where `words` are the words of the present state.

    env: the values of the variables in scope.
    """

    def __init__(self, code: Code, layout: Layout, words: Sequence[Value], unrolled: int = UNROLLED) -> None:
        self.code = code
        self.layout = layout
        self.instance: Instance = layout.instance
        self.words = tuple(words)
        self.unrolled = unrolled
        self.env: dict[Var, Value] = {}
        self._known: dict[object, Value] = {}
        self._order: list[object] = []
        self._variables: dict[Expr, tuple[Var, ...]] = {}
        self._sizes: dict[Expr, int] = {}

    # -------------------------------------------------------------------------------------------------------- scope

    @contextmanager
    def scope(self) -> Iterator[None]:
        """What is computed inside may not run, so that it is forgotten afterwards."""
        mark = len(self._order)
        yield
        while len(self._order) > mark:
            del self._known[self._order.pop()]

    @contextmanager
    def bound(self, var: Var, value: Value) -> Iterator[None]:
        """`var` has the value with this code inside."""
        before = self.env.get(var)
        self.env[var] = self.code.truth(value) if var.of == BOOL else value
        yield
        if before is None:
            del self.env[var]
        else:
            self.env[var] = before

    @contextmanager
    def when(self, cond: Value) -> Iterator[None]:
        """What is written inside happens only if `cond` holds."""
        with self.code.when(cond), self.scope():
            yield

    def _remember(self, key: object, value: Value) -> Value:
        self._known[key] = value
        self._order.append(key)
        return value

    def variables(self, expr: Expr) -> tuple[Var, ...]:
        """The free variables, in a fixed order."""
        found = self._variables.get(expr)
        if found is None:
            found = self._variables[expr] = tuple(sorted(terms.free_vars(expr), key=lambda v: v.name))
        return found

    def substituted(self, expr: Expr, values: dict[Var, Lit]) -> Expr:
        """The expression with variables replaced by their values, and simplified."""
        if not any(var in self.variables(expr) for var in values):
            return expr
        return terms.substitute(expr, dict(values))

    def size(self, expr: Expr) -> int:
        """How many nodes the expression has, with its quantifiers unrolled."""
        size = self._sizes.get(expr)
        if size is None:
            times = self.instance.cardinality(expr.var.of) if isinstance(expr, Quant) else 1
            size = self._sizes[expr] = 1 + times * sum(map(self.size, children(expr)))
        return size

    # -------------------------------------------------------------------------------------------------- expressions

    def __call__(self, expr: Expr) -> Value:
        """The code (see `instance`) of the expression; of a Bool, its truth value."""
        if isinstance(expr, Lit):
            return self.instance.code(expr)
        if isinstance(expr, Var):
            return self.env[expr]
        key = (expr, *[self.env[v] for v in self.variables(expr)])
        known = self._known.get(key)
        return known if known is not None else self._remember(key, self._compute(expr))

    def number(self, expr: Expr) -> Value:
        """The code of the expression as a 64-bit number."""
        value = self(expr)
        return self.code.number(value) if expr.sort == BOOL else value

    def all(self, exprs: Sequence[Expr]) -> Value:
        """Whether all of them hold."""
        result: Value = 1
        for expr in exprs:
            result = self.code.both(result, self(expr))
            if result == 0:
                break
        return result

    def highest(self, sort: Sort) -> Value:
        """The highest value of a counter in the present state, at least 0."""
        key = ("highest", sort)
        if key not in self._known:
            counted = next(c for c in counters(self.instance) if c.sort == sort)
            result: Value = 0
            for slot in counted.plain:
                result = self.code.larger(result, self.slot(slot))
            for slot in counted.optional:
                result = self.code.larger(result, self.code.sub(self.slot(slot), 1))
            self._remember(key, result)
        return self._known[key]

    def _compute(self, expr: Expr) -> Value:
        code = self.code
        match expr:
            case Lit() | Var():
                raise AssertionError(expr)
            case Read():
                return self._read(expr)
            case Not():
                return code.negation(self(expr.arg))
            case And():
                return self.all(expr.args)
            case Or():
                result: Value = 0
                for arg in expr.args:
                    result = code.either(result, self(arg))
                    if result == 1:
                        break
                return result
            case Eq():
                if expr.left.sort == BOOL:
                    return code.same_truth(self(expr.left), self(expr.right))
                return code.equal(*self._comparable(expr))
            case Less():
                return code.less(*self._comparable(expr))
            case Ite():
                cond = self(expr.cond)
                if isinstance(cond, int):
                    return self(expr.then if cond else expr.other)
                kind = "i1" if expr.sort == BOOL else "i64"
                return code.choose(cond, self(expr.then), self(expr.other), kind)
            case Some():
                return code.add(self.number(expr.arg), 1)
            case The():
                held = code.sub(code.larger(self(expr.arg), 1), 1)
                return code.truth(held) if expr.sort == BOOL else held
            case Plus():
                total: Value = 0
                for arg in expr.args:
                    total = code.add(total, self(arg))
                return total
            case Negated(arg):
                assert isinstance(arg.sort, IntSort)
                return code.sub(arg.sort.hi - arg.sort.lo, self(arg))
            case Narrow():
                shifted = code.add(self(expr.arg), _shift(expr.arg.sort, expr.of))
                return code.smaller(code.larger(shifted, 0), expr.of.hi - expr.of.lo)
            case Quant():
                return self._quantifier(expr)
            case _:
                assert_never(expr)

    def _comparable(self, expr: Eq | Less) -> tuple[Value, Value]:
        """Both sides as codes of the right side's sort."""
        left, right = self.number(expr.left), self.number(expr.right)
        return self.code.add(left, _shift(expr.left.sort, expr.right.sort)), right

    def _quantifier(self, expr: Quant) -> Value:
        code, forall = self.code, expr.kind == "forall"
        count = self.instance.cardinality(expr.var.of)
        join = code.both if forall else code.either
        result: Value = int(forall)
        if self.size(expr) <= self.unrolled:
            for value in range(count):
                with self.bound(expr.var, value):
                    result = join(result, self(expr.body))
                if result == int(not forall):
                    break
            return result
        so_far = code.variable("i1", result)
        with code.loop(count) as loop, self.scope(), self.bound(expr.var, loop.index):
            code.set(so_far, join(code.get(so_far, "i1"), self(expr.body)), "i1")
        return code.get(so_far, "i1")

    # -------------------------------------------------------------------------------------------------------- state

    def _read(self, expr: Read) -> Value:
        value = self.location(expr.name, self.index(expr.name, expr.args))
        return self.code.truth(value) if expr.of == BOOL else value

    def index(self, variable: str, args: Sequence[Expr]) -> Value:
        """The number of a location among those of its variable."""
        index: Value = 0
        for arg, stride in zip(args, self.instance.strides(variable), strict=True):
            index = self.code.add(index, self.code.mul(self.number(arg), stride))
        return index

    def location(self, variable: str, index: Value) -> Value:
        """What the present state holds there."""
        first = self.instance.offsets[variable]
        if isinstance(index, int):
            return self.slot(first + index)
        key = ("location", variable, index)
        known = self._known.get(key)
        if known is None:
            known = self._remember(key, dynamic_read(self.code, self.words, self.layout.pieces[variable], first, index))
        return known

    def slot(self, slot: int) -> Value:
        """What the present state holds in a slot."""
        key = ("slot", slot)
        known = self._known.get(key)
        if known is None:
            known = self._remember(key, read_field(self.code, self.words, self.layout, slot))
        return known


def read_field(code: Code, words: Sequence[Value], layout: Layout, slot: int) -> Value:
    """The code in a slot of the state with these words."""
    field = layout.fields[slot]
    if field.bits == 0:
        return 0
    return code.bits_and(code.right(words[field.word], field.shift), (1 << field.bits) - 1)


def dynamic_read(code: Code, words: Sequence[Value], pieces: Sequence[Piece], first: int, index: Value) -> Value:
    """The code in slot `first + index` of the variable that lies in these pieces."""
    result: Value = 0
    for piece in reversed(pieces):
        start = piece.first - first
        shift = code.add(code.mul(code.sub(index, start), piece.bits), piece.shift)
        if piece is not pieces[0] or len(pieces) > 1:
            shift = code.bits_and(shift, 63)
        value: Value = 0
        if piece.bits:
            value = code.bits_and(code.right(words[piece.word], shift), (1 << piece.bits) - 1)
        result = code.choose(code.less(index, start + piece.count), value, result) if result != 0 else value
    return result


def dynamic_write(
    code: Code, words: list[Value], pieces: Sequence[Piece], first: int, index: Value, value: Value, cond: Value
) -> None:
    """Changes the words so that slot `first + index` holds `value` if `cond` does."""
    for piece in pieces:
        if not piece.bits:
            continue
        start = piece.first - first
        here = cond
        if len(pieces) > 1:
            here = code.both(here, code.both(code.less(start - 1, index), code.less(index, start + piece.count)))
        shift = code.add(code.mul(code.sub(index, start), piece.bits), piece.shift)
        if len(pieces) > 1:
            shift = code.bits_and(shift, 63)
        mask = code.left((1 << piece.bits) - 1, shift)
        kept = code.op(f"and i64 {words[piece.word]}, {code.op(f'xor i64 {mask}, -1')}")
        written = code.bits_or(kept, code.left(value, shift))
        words[piece.word] = code.choose(here, written, words[piece.word])


def _shift(left: Sort, right: Sort) -> int:
    """What turns a code of `left` into one of `right` where both are ranges of integers."""
    return left.lo - right.lo if isinstance(left, IntSort) and isinstance(right, IntSort) else 0
