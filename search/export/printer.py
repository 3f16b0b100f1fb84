"""Expressions in another checker's language.

A value is written as its code (see `model.language.instance`), truth values excepted; so None is 0 and Some(x) is x + 1.
An enumeration's members are named constants.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import assert_never

from flushproof.model.ir import (
    BOOL,
    And,
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
    Or,
    Plus,
    Quant,
    Read,
    Some,
    Sort,
    The,
    Var,
    terms,
)
from flushproof.model.ir.instance import Instance

from .names import Names, distinct, identifier


class Printer:
    """Prints expressions; each language says how its operators look.

    called: what the instance's parts are called; names: what stands for the variables in scope; shared: what stands for
    expressions that were computed before; saved: state variables that are read from a copy made before the step, and the
    copy's name; some: options that are known not to be None, since a test of it stands before; taken: names that no variable gets.
    """

    true, false = "true", "false"

    def __init__(self, instance: Instance, called: Names, taken: Sequence[str] = ()) -> None:
        self.instance, self.called = instance, called
        self.names: Mapping[Var, str] = {}
        self.shared: Mapping[Expr, str] = {}
        self.saved: Mapping[str, str] = {}
        self.some: frozenset[Expr] = frozenset()
        self.taken = {*taken, *called.taken}

    @contextmanager
    def scope(self, names: Mapping[Var, str]) -> Iterator[None]:
        """Inside, these names stand for these variables too; what is learned inside is forgotten after it."""
        before, shared, some = self.names, self.shared, self.some
        self.names = {**before, **names}
        self.some = frozenset(e for e in some if not terms.free_vars(e) & names.keys())
        yield
        self.names, self.shared, self.some = before, shared, some

    def learn(self, cond: Expr) -> None:
        """What is printed from now on is evaluated only where this holds."""
        match cond:
            case And():
                for part in cond.args:
                    self.learn(part)
            case Not(Or() as either):
                for part in either.args:
                    self.learn(terms.not_(part))
            case Not(Eq(option, Lit(None)) | Eq(Lit(None), option)) | Eq(option, Some()) | Eq(Some(), option):
                self.some |= {option}

    def in_order(self, parts: Sequence[Expr], holding: bool) -> list[str]:
        """Parts that are evaluated one after the other, each only where all before it hold (or none of them does)."""
        result = []
        with self.scope({}):
            for part in parts:
                result.append(self(part))
                self.learn(part if holding else terms.not_(part))
        return result

    def branch(self, cond: Expr, expr: Expr) -> str:
        """An expression that is evaluated only under this condition."""
        with self.scope({}):
            self.learn(cond)
            return self(expr)

    def new_names(self, variables: Sequence[Var]) -> dict[Var, str]:
        """A name for each of the variables that nothing in scope has."""
        taken = {*self.taken, *self.names.values(), *self.shared.values()}
        return dict(zip(variables, distinct([identifier(v.name) for v in variables], taken), strict=True))

    # ----------------------------------------------------------------------------------- what a language may do its own way

    def value(self, sort: Sort, code: int) -> str:
        """A known value."""
        return (self.true if code else self.false) if sort == BOOL else str(code)

    def conjunction(self, parts: Sequence[str]) -> str:
        return f"({' & '.join(parts)})"

    def disjunction(self, parts: Sequence[str]) -> str:
        return f"({' | '.join(parts)})"

    def negation(self, part: str) -> str:
        return f"!{part}"

    def equal(self, left: str, right: str, truth: bool) -> str:
        return f"({left} = {right})"

    def unequal(self, left: str, right: str) -> str:
        return f"({left} != {right})"

    def less(self, left: str, right: str) -> str:
        return f"({left} < {right})"

    def choice(self, cond: str, then: str, other: str) -> str:
        return f"({cond} ? {then} : {other})"

    def number(self, truth: str) -> str:
        """A truth value as 0 or 1."""
        return self.choice(truth, "1", "0")

    def element(self, option: str, known: bool) -> str:
        """What an option holds; of None, the first element.  known: that it is not None."""
        if known:
            return f"({option} - 1)"
        return self.choice(self.equal(option, "0", truth=False), "0", f"({option} - 1)")

    def location(self, variable: str, args: Sequence[Expr]) -> str:
        """A location of a state variable."""
        raise NotImplementedError

    def quantified(self, expr: Quant, name: str, body: str) -> str:
        raise NotImplementedError

    # ------------------------------------------------------------------------------------------------------- expressions

    def __call__(self, expr: Expr) -> str:
        """The expression: a truth value if its sort is Bool, its code otherwise."""
        if expr in self.shared:
            return self.shared[expr]
        match expr:
            case Lit():
                if expr.of == BOOL:
                    return self.true if expr.value else self.false
                if isinstance(expr.of, EnumSort):
                    return self.called.members[expr.of, str(expr.value)]
                return str(self.instance.code(expr))
            case Var():
                return self.names[expr]
            case Read():
                return self.location(expr.name, expr.args)
            case Not(Eq() as equation) if equation.left.sort != BOOL and equation not in self.shared:
                return self.unequal(*self._comparable(equation))
            case Not():
                return self.negation(self(expr.arg))
            case And():
                return self.conjunction(self.in_order(expr.args, True)) if expr.args else self.true
            case Or():
                return self.disjunction(self.in_order(expr.args, False)) if expr.args else self.false
            case Eq():
                if expr.left.sort == BOOL:
                    return self.equal(self(expr.left), self(expr.right), truth=True)
                return self.equal(*self._comparable(expr), truth=False)
            case Less():
                return self.less(*self._comparable(expr))
            case Ite():
                other = self.branch(terms.not_(expr.cond), expr.other)
                return self.choice(self(expr.cond), self.branch(expr.cond, expr.then), other)
            case Some():
                return f"({self.code(expr.arg)} + 1)"
            case The():
                option = self(expr.arg)
                if expr.sort == BOOL:
                    return self.equal(option, "2", truth=False)
                return self.element(option, expr.arg in self.some)
            case Plus():
                parts = [self(a) for a in expr.args]
                parts = [p for p in parts if p != "0"] or ["0"]
                return parts[0] if len(parts) == 1 else f"({' + '.join(parts)})"
            case Negated(arg):
                assert isinstance(arg.sort, IntSort)
                return f"({arg.sort.hi - arg.sort.lo} - {self(arg)})"
            case Narrow():
                return self._narrowed(expr)
            case Quant():
                names = self.new_names([expr.var])
                with self.scope(names):
                    return self.quantified(expr, names[expr.var], self(expr.body))
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
        if not isinstance(source, IntSort) or not isinstance(target, IntSort) or source.lo == target.lo:
            return text
        distance = source.lo - target.lo
        if text.isdecimal() and int(text) + distance >= 0:
            return str(int(text) + distance)
        return f"({text} {'+' if distance > 0 else '-'} {abs(distance)})"

    def _narrowed(self, expr: Narrow) -> str:
        source, target = expr.arg.sort, expr.of
        assert isinstance(source, IntSort)
        text, top = self._moved(self(expr.arg), source, target), str(target.hi - target.lo)
        if source.hi > target.hi:
            text = self.choice(self.less(top, text), top, text)
        if source.lo < target.lo:
            text = self.choice(self.less(text, "0"), "0", text)
        return text
