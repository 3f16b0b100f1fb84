"""Steps and clauses printed as Python source.

A step becomes a generator function over the state tuple `s`:

    def function(s):
        for v0 in range(2):                         # a parameter
            if not (s[3 + v0] == 1): continue       # the part of the guard that this parameter decides
            t0 = s[7]                               # what the updates share
            n = list(s)
            n[3 + v0] = 0
            yield (v0,), tuple(n)

A value is its code (see `instance`), so an option's element is the code less one, and of None it is code 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import assert_never

from flushproof.model.ir import (
    BOOL,
    TRUE,
    Action,
    And,
    Clause,
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
    The,
    Update,
    Var,
    children,
    terms,
    walk,
)
from flushproof.model.ir.instance import Instance

from ..reductions.counters import counters

# Python's parser gives up on some two hundred nested brackets; deeper expressions are cut into assignments.
_DEEPEST = 60
# Python nests twenty loops in one function; those that are deeper go into a function of their own inside of it.
_MOST_LOOPS = 16

# A quantifier becomes one line for each element as long as that stays this small (in nodes), a generator otherwise.
_UNROLLED = 300


def step_source(instance: Instance, action: Action) -> str:
    """`function(s)` yields, for each binding that makes the guard true, the codes of the parameters and the next state.

    It calls, for the counter numbered K in `counters`, `highestK(s)`: its highest value in `s`, and `renameK(n)`:
    renaming its values by rank in place.
    """
    source = _Source(instance)
    source.line("def function(s):")
    with source.block():
        source.bind_fresh(action.fresh)
        with source.choices(action.params, action.guard):
            source.updates(action.updates)
            for counter in sorted({c for c in map(source.counter_of, action.updates) if c is not None}):
                source.line(f"rename{counter}(n)")
            source.line(f"yield {source.codes(action.params)}, tuple(n)")
    return source.text()


def cost_source(instance: Instance, action: Action) -> str:
    """`function(s, p)` yields what the step with the codes `p` of its parameters costs in `s`: names, with the slots of dropped
    entries."""
    source = _Source(instance)
    source.line("def function(s, p):")
    with source.block():
        source.bind_fresh(action.fresh)
        for number, param in enumerate(action.params):
            source.names[param] = f"p[{number}]"
        for cost in action.costs:
            with source.scope(), source.choices(cost.binders, cost.cond):
                slot = source.location(cost.entry.name, cost.entry.args) if cost.entry else None
                source.line(f"yield {cost.name!r}, {slot}")
    return source.text()


def clause_source(instance: Instance, clause: Clause, fresh: tuple[Var, ...] = ()) -> str:
    """`function(s)` gives the codes of the parameters of the first witness that violates the clause, or None."""
    source = _Source(instance)
    source.line("def function(s):")
    source.call = "if (found := {}()): return found"
    with source.block():
        source.bind_fresh(fresh)
        with source.choices(clause.params, terms.and_(clause.guard, terms.not_(clause.expr))):
            source.line(f"return {source.codes(clause.params)}")
        source.line("return None")
    return source.text()


def expression_source(instance: Instance, expr: Expr) -> str:
    """`function(s)` gives the code of a closed expression in state `s`."""
    source = _Source(instance)
    source.line("def function(s):")
    with source.block():
        source.share((expr,), least=2)
        source.line(f"return {source.value(expr)}")
    return source.text()


class _Source:
    """Lines of source under construction, and which names stand for what at this point of them."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.counters = counters(instance)
        self.lines: list[str] = []
        self.indent = 0
        self.call = "yield from {}()"  # how a function goes on in one that is inside of it
        self.loops = 0
        self.names: dict[Var, str] = {}
        self.shared: dict[Expr, str] = {}
        self.count = 0
        self.sizes: dict[Expr, int] = {}
        self.quantified: frozenset[Var] = frozenset()

    # ---------------------------------------------------------------------------------------------------- statements

    def text(self) -> str:
        return "\n".join(self.lines)

    def line(self, text: str) -> None:
        self.lines.append(" " * self.indent + text)

    @contextmanager
    def block(self) -> Iterator[None]:
        """An indented block; what is named inside is forgotten after it."""
        with self.scope():
            self.indent += 1
            yield
            self.indent -= 1

    @contextmanager
    def scope(self) -> Iterator[None]:
        """What is named inside is forgotten after it."""
        names, shared = self.names.copy(), self.shared.copy()
        yield
        self.names, self.shared = names, shared

    def new(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def bind_fresh(self, fresh: Iterable[Var]) -> None:
        for offset, var in enumerate(fresh):
            self.names[var] = self.new("f")
            self.line(f"{self.names[var]} = highest{self.counter(var.of)}(s) + {offset + 1}")

    @contextmanager
    def choices(self, params: tuple[Var, ...], guard: Expr) -> Iterator[None]:
        """Loops over the parameters, with each conjunct of the guard tested as soon as its parameters are chosen."""
        conjuncts = guard.args if isinstance(guard, And) else (guard,)
        self.share(conjuncts, least=8)
        with self.bindings(params, [c for c in conjuncts if c is not TRUE]):
            yield

    @contextmanager
    def bindings(self, params: tuple[Var, ...], conjuncts: list[Expr]) -> Iterator[None]:
        ready = [c for c in conjuncts if self.closed(c)]
        rest = [c for c in conjuncts if c not in ready]
        with self.tests(ready, leaving=self.loops > 0):
            if not params:
                yield
                return
            with self.loop("v", params[0], self.call):
                self.share(rest, least=8)
                with self.bindings(params[1:], rest):
                    yield

    @contextmanager
    def loop(self, prefix: str, var: Var, call: str) -> Iterator[None]:
        """All values of a variable, one after the other; `call` is how to go on in a function inside of this one."""
        deeper = self.new("deeper") if self.loops % _MOST_LOOPS == _MOST_LOOPS - 1 else ""
        if deeper:
            self.line(f"def {deeper}():")
            self.indent += 1
        name = self.new(prefix)
        self.line(f"for {name} in range({self.instance.cardinality(var.of)}):")
        with self.block():
            self.names[var] = name
            self.loops += 1
            yield
            self.loops -= 1
        if deeper:
            self.indent -= 1
            self.line(call.format(deeper))

    @contextmanager
    def tests(self, conjuncts: list[Expr], leaving: bool = False) -> Iterator[None]:
        """What follows happens where these hold.

        leaving: it is all that is left of a loop's round, and needs no deeper indentation, of which Python has a hundred.
        """
        test = " and ".join(map(self.truth, conjuncts))
        if test and leaving:
            self.line(f"if not ({test}): continue")
        if not test or leaving:
            yield
            return
        self.line(f"if {test}:")
        with self.block():
            yield

    def updates(self, updates: tuple[Update, ...]) -> None:
        self.share([e for u in updates for e in (*u.args, u.cond, u.value)], least=2)
        self.line("n = list(s)")
        for update in updates:
            self.update(update, update.binders)

    def update(self, update: Update, binders: tuple[Var, ...]) -> None:
        if binders:
            with self.loop("b", binders[0], "{}()"):
                self.share((*update.args, update.cond, update.value), least=2)
                self.update(update, binders[1:])
        else:
            with self.tests([c for c in (update.cond,) if c is not TRUE]):
                self.line(f"n[{self.location(update.var, update.args)}] = {self.value(update.value)}")

    def counter_of(self, update: Update) -> int | None:
        """The number of the counter whose value the update writes, if it does."""
        match self.instance.system.variable[update.var].sort:
            case (CounterSort() as counter) | OptionSort(CounterSort() as counter):
                return self.counter(counter)
            case _:
                return None

    def counter(self, sort: Sort) -> int:
        return next(number for number, counted in enumerate(self.counters) if counted.sort == sort)

    # --------------------------------------------------------------------------------------------------- expressions

    def share(self, exprs: Iterable[Expr], least: int) -> None:
        """Gives a name to each subexpression that occurs several times, can be computed here, and has `least` nodes."""
        exprs = tuple(exprs)
        uses = Counter(exprs)
        everything = tuple(walk(*exprs))
        for expr in everything:
            uses.update(children(expr))
        for expr in sorted(everything, key=self.size):
            if uses[expr] > 1 and self.size(expr) >= least and expr not in self.shared and self.closed(expr):
                self.name(expr, self.expr(expr)[0])

    def name(self, expr: Expr, text: str) -> str:
        name = self.shared[expr] = self.new("t")
        self.line(f"{name} = {text}")
        return name

    def closed(self, expr: Expr) -> bool:
        """Whether an assignment before this line can compute it."""
        return terms.free_vars(expr) <= self.names.keys() - self.quantified

    def size(self, expr: Expr) -> int:
        """How many nodes the expression has as a tree with its quantifiers unrolled."""
        size = self.sizes.get(expr)
        if size is None:
            times = self.instance.cardinality(expr.var.of) if isinstance(expr, Quant) else 1
            size = self.sizes[expr] = 1 + times * sum(map(self.size, children(expr)))
        return size

    def codes(self, variables: tuple[Var, ...]) -> str:
        return f"({''.join(f'{self.names[v]}, ' for v in variables)})"

    def truth(self, expr: Expr) -> str:
        return self.expr(expr)[0]

    def value(self, expr: Expr) -> str:
        """As an integer: what can be stored in a state."""
        text = self.expr(expr)[0]
        return f"1 if {text} else 0" if expr.sort == BOOL and not isinstance(expr, (Lit, Var, Read)) else text

    def location(self, variable: str, args: tuple[Expr, ...]) -> str:
        """The number of the slot."""
        at = self.instance.offsets[variable]
        parts: list[str] = []
        for arg, stride in zip(args, self.instance.strides(variable), strict=True):
            text = self.expr(arg)[0]
            if text.isdecimal():
                at += int(text) * stride
            else:
                parts.append(text if stride == 1 else f"{stride}*{text}")
        return " + ".join([*([str(at)] if at or not parts else []), *parts])

    def expr(self, expr: Expr) -> tuple[str, int]:
        """The code of the expression, bracketed so that it can stand anywhere, and how deep its brackets nest."""
        name = self.names.get(expr) if isinstance(expr, Var) else self.shared.get(expr)
        if name is not None:
            return name, 0
        text, depth = self._expr(expr)
        if depth > _DEEPEST and self.closed(expr):
            return self.name(expr, text), 0
        return text, depth

    def _expr(self, expr: Expr) -> tuple[str, int]:
        match expr:
            case Lit():
                return str(int(self.instance.code(expr))), 0
            case Var():
                raise KeyError(expr.name)
            case Read():
                return f"s[{self.location(expr.name, expr.args)}]", 1 + len(expr.args)
            case Not():
                return self._join("(not {})", expr.arg)
            case And() | Or():
                if not expr.args:
                    return ("1" if isinstance(expr, And) else "0"), 0
                word = " and " if isinstance(expr, And) else " or "
                return self._join(f"({word.join(['{}'] * len(expr.args))})", *expr.args)
            case Eq():
                return self._join(f"({{}}{_shift(expr.left.sort, expr.right.sort)} == {{}})", expr.left, expr.right)
            case Less():
                return self._join(f"({{}}{_shift(expr.left.sort, expr.right.sort)} < {{}})", expr.left, expr.right)
            case Ite():
                return self._join("({} if {} else {})", expr.then, expr.cond, expr.other)
            case Some():
                return self._join("({} + 1)", expr.arg)
            case The():
                return self._join("(({} or 1) - 1)", expr.arg)
            case Plus():
                return self._join(f"({' + '.join(['{}'] * len(expr.args))})", *expr.args)
            case Negated(arg):
                assert isinstance(arg.sort, IntSort)
                return self._join(f"({arg.sort.hi - arg.sort.lo} - {{}})", arg)
            case Narrow():
                top = expr.of.hi - expr.of.lo
                return self._join(f"min(max({{}}{_shift(expr.arg.sort, expr.of)}, 0), {top})", expr.arg)
            case Quant():
                return self._quantifier(expr)
            case _:
                assert_never(expr)

    def _join(self, pattern: str, *exprs: Expr) -> tuple[str, int]:
        parts = [self.expr(e) for e in exprs]
        return pattern.format(*(text for text, _ in parts)), 1 + max(depth for _, depth in parts)

    def _quantifier(self, expr: Quant) -> tuple[str, int]:
        count = self.instance.cardinality(expr.var.of)
        unroll = self.size(expr) <= _UNROLLED
        name = self.new("q")
        bodies = [self._body(expr, value) for value in (map(str, range(count)) if unroll else (name,))]
        depth = 1 + max(depth for _, depth in bodies)
        if unroll:
            word = " and " if expr.kind == "forall" else " or "
            return f"({word.join(text for text, _ in bodies)})", depth
        word = "all" if expr.kind == "forall" else "any"
        return f"{word}({bodies[0][0]} for {name} in range({count}))", depth

    def _body(self, expr: Quant, value: str) -> tuple[str, int]:
        """The body where the bound variable has this value."""
        names, shared, quantified = self.names, self.shared, self.quantified
        self.names = {**names, expr.var: value}
        # A name shared outside may speak of an outer variable that this one hides.
        self.shared = {e: n for e, n in shared.items() if expr.var not in terms.free_vars(e)}
        self.quantified = quantified | {expr.var}
        body = self.expr(expr.body)
        self.names, self.shared, self.quantified = names, shared, quantified
        return body


def _shift(left: Sort, right: Sort) -> str:
    """What turns a code of `left` into one of `right` where both are ranges of integers."""
    if isinstance(left, IntSort) and isinstance(right, IntSort) and left.lo != right.lo:
        return f" {'+' if left.lo > right.lo else '-'} {abs(left.lo - right.lo)}"
    return ""
