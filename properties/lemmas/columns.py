"""Expressions evaluated on many states at once: a state is a column of a matrix, a value an array over all columns.

The finite reading of the intermediate representation, by numpy: what the search for lemmas asks of every reachable
state. Values are codes, as `instance` numbers them; `The` of None is the code 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias, assert_never

import numpy as np
import numpy.typing as npt
from flushproof.model.ir import (
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
    The,
    Var,
)
from flushproof.model.ir.instance import Instance, State
from flushproof.model.ir.terms import free_vars

Codes: TypeAlias = npt.NDArray[np.int32]
Truths: TypeAlias = npt.NDArray[np.bool_]


class Columns:
    """Many states of one instance."""

    def __init__(self, instance: Instance, states: Iterable[State] | npt.NDArray[Any]) -> None:
        self.instance = instance
        given = states if isinstance(states, np.ndarray) else list(states)
        rows = np.asarray(given, dtype=np.int32).reshape(len(given), len(instance.slots))  # also where a state is nothing
        self._set(np.ascontiguousarray(rows.T), {})

    def _set(self, matrix: Codes, bound: Mapping[Var, Codes]) -> None:
        self.matrix, self.bound = matrix, bound
        self.count = matrix.shape[1]
        self._all = np.arange(self.count)
        self._memo: dict[tuple[Expr, tuple[int, ...]], Codes] = {}

    def for_all(self, variables: Sequence[Var]) -> Columns:
        """A column for each state and each choice of values for the variables, which need no environment then."""
        choices = list(self.instance.assignments(tuple(v.of for v in variables)))
        wide = Columns.__new__(Columns)
        wide.instance = self.instance
        codes = np.array(choices, dtype=np.int32).reshape(len(choices), len(variables))
        bound = {v: np.repeat(codes[:, i], self.count) for i, v in enumerate(variables)}
        wide._set(np.tile(self.matrix, (1, len(choices))), bound)
        return wide

    def chosen(self, states: npt.NDArray[Any], bound: Mapping[Var, Codes]) -> Columns:
        """Columns for the states of these numbers, each with its own values of some variables."""
        some = Columns.__new__(Columns)
        some.instance = self.instance
        some._set(np.ascontiguousarray(self.matrix[:, states]), bound)
        return some

    def holds(self, expr: Expr, env: Mapping[Var, int]) -> Truths:
        """In which states the expression is true."""
        truths: Truths = self.value(expr, env).astype(np.bool_)
        return truths

    def value(self, expr: Expr, env: Mapping[Var, int]) -> Codes:
        """The code of the expression's value in each state; of an integer, its code in its own sort's range."""
        key = (expr, tuple(env.get(v, -1) for v in free_vars(expr)))
        done = self._memo.get(key)
        if done is None:
            done = self._memo[key] = self._value(expr, env)
        return done

    def forget(self) -> None:
        """Frees what was kept of earlier evaluations."""
        self._memo.clear()

    def _constant(self, code: int) -> Codes:
        return np.full(self.count, code, dtype=np.int32)

    def _value(self, expr: Expr, env: Mapping[Var, int]) -> Codes:
        match expr:
            case Lit():
                return self._constant(self.instance.code(expr))
            case Var():
                return self._constant(env[expr]) if expr in env else self.bound[expr]
            case Read():
                return self._read(expr, env)
            case Not():
                return 1 - self.value(expr.arg, env)
            case And():
                return self._joined(expr.args, env, np.logical_and, 1)
            case Or():
                return self._joined(expr.args, env, np.logical_or, 0)
            case Eq():
                same: Codes = (self._number(expr.left, env) == self._number(expr.right, env)).astype(np.int32)
                return same
            case Less():
                less: Codes = (self._number(expr.left, env) < self._number(expr.right, env)).astype(np.int32)
                return less
            case Ite():
                cond = self.holds(expr.cond, env)
                return np.where(cond, self.value(expr.then, env), self.value(expr.other, env))
            case Some():
                return self.value(expr.arg, env) + 1
            case The():
                return np.maximum(self.value(expr.arg, env) - 1, 0)
            case Plus():
                return self._reduced([self.value(a, env) for a in expr.args], np.add, 0)
            case Negated(arg):
                assert isinstance(arg.sort, IntSort)
                return arg.sort.hi - arg.sort.lo - self.value(arg, env)
            case Narrow():
                return self._narrowed(expr, env)
            case Quant():
                codes = self.instance.codes(expr.var.of)
                join, unit = (np.logical_and, 1) if expr.kind == "forall" else (np.logical_or, 0)
                return self._reduced([self.value(expr.body, {**env, expr.var: c}) for c in codes], join, unit)
        assert_never(expr)

    def _number(self, expr: Expr, env: Mapping[Var, int]) -> Codes:
        """What comparisons compare: integers of different ranges by their values, all else by code."""
        value = self.value(expr, env)
        return value + expr.sort.lo if isinstance(expr.sort, IntSort) else value

    def _narrowed(self, expr: Narrow, env: Mapping[Var, int]) -> Codes:
        codes: Codes = np.clip(self._number(expr.arg, env), expr.of.lo, expr.of.hi) - expr.of.lo
        return codes

    def _joined(self, args: tuple[Expr, ...], env: Mapping[Var, int], join: Any, unit: int) -> Codes:
        return self._reduced([self.value(a, env) for a in args], join, unit)

    def _reduced(self, values: list[Codes], join: Any, unit: int) -> Codes:
        result = self._constant(unit)
        for value in values:
            result = join(result, value).astype(np.int32)
        return result

    def _read(self, expr: Read, env: Mapping[Var, int]) -> Codes:
        first = self.instance.offsets[expr.name]
        strides = self.instance.strides(expr.name)
        fixed = first
        moving: Codes | None = None
        for arg, stride in zip(expr.args, strides, strict=True):
            if isinstance(arg, Var) and arg in env:
                fixed += env[arg] * stride
            elif isinstance(arg, Lit):
                fixed += self.instance.code(arg) * stride
            else:
                part = self.value(arg, env) * stride
                moving = part if moving is None else moving + part
        if moving is None:
            row: Codes = self.matrix[fixed]
            return row
        found: Codes = self.matrix[moving + fixed, self._all]
        return found
