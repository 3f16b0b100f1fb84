"""What a name may stand for while a model's code is executed symbolically, and the paths through a step."""

from __future__ import annotations

import ast
import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Union

from flushproof.model import ir
from flushproof.model.ir.terms import and_

from .source import Source


@dataclass(frozen=True)
class Scope:
    """One inlined call of a function: its source, what `self` is, and a name that is unique in the step."""

    id: str
    source: Source = field(compare=False)
    depth: int = field(default=0, compare=False)


@dataclass(frozen=True, eq=False)
class Static:
    """A Python value that is known while compiling: a constant, a sort, a function."""

    value: Any


@dataclass(frozen=True, eq=False)
class Object:
    """The system (path "") or a part (path "tlb."); `python` is the class of the system or the part itself."""

    path: str
    python: Any


@dataclass(frozen=True, eq=False)
class MapRef:
    """A state variable with an index, not yet subscripted."""

    variable: ir.StateVar


@dataclass(frozen=True, eq=False)
class Method:
    """A function with the object that it belongs to."""

    function: Callable[..., Any]
    owner: Object


@dataclass(frozen=True, eq=False)
class Tup:
    """Several values."""

    items: tuple[Value, ...]


@dataclass(frozen=True, eq=False)
class Closure:
    """A lambda in the scope where it stands."""

    node: ast.Lambda
    scope: Scope


Value = Union[ir.Expr, Static, Object, MapRef, Method, Tup, Closure]

EXPRESSIONS = ir.Node


def same(left: Value, right: Value) -> bool:
    """Whether two values are certainly one."""
    match left, right:
        case (Static(), Static()):
            return left.value is right.value or (type(left.value) is type(right.value) and left.value == right.value)
        case (Tup(), Tup()):
            return len(left.items) == len(right.items) and all(map(same, left.items, right.items))
        case (Object(), Object()):
            return left.path == right.path
        case (MapRef(), MapRef()):
            return left.variable is right.variable
        case (Method(), Method()):
            return left.function is right.function and left.owner.path == right.owner.path
        case (Closure(), Closure()):
            return left.node is right.node and left.scope == right.scope
        case _:
            return left is right


def static_literal(value: Any) -> ir.Lit | None:
    """The literal for a Python constant whose sort is certain: a truth value, or a member of an enumeration."""
    match value:
        case bool():
            return ir.Lit(value, ir.BOOL)
        case enum.Enum():
            return ir.Lit(value.name, ir.EnumSort(type(value).__name__, tuple(m.name for m in type(value))))
    return None


Name = tuple[str, str]
"""A local variable: the scope's id and the name."""


@dataclass
class Path:
    """One way through a step, as far as it has been executed.

    conds: the branches taken; facts: what is known besides (all requirements so far); env: the local variables;
    updates: what was written, in order, each under its own full condition; loops: the loops entered in this step;
    binders: the variables of the parallel loops around; maybe: locals that only some of the merged paths have set.
    """

    env: dict[Name, Value] = field(default_factory=dict)
    conds: tuple[ir.Expr, ...] = ()
    facts: tuple[ir.Expr, ...] = ()
    updates: tuple[ir.Update, ...] = ()
    loops: frozenset[Any] = frozenset()
    binders: tuple[ir.Var, ...] = ()
    maybe: frozenset[Name] = frozenset()

    def fork(self, cond: ir.Expr = ir.TRUE) -> Path:
        """A copy on which `cond` was found true."""
        conds = self.conds if cond is ir.TRUE else (*self.conds, cond)
        return Path(dict(self.env), conds, self.facts, self.updates, self.loops, self.binders, self.maybe)

    def become(self, other: Path) -> None:
        """Go on as `other`."""
        self.__dict__.update(other.__dict__)

    @property
    def cond(self) -> ir.Expr:
        return and_(*self.conds)

    @property
    def known(self) -> ir.Expr:
        return and_(*self.conds, *self.facts)


@dataclass
class Step:
    """What one atomic step gathers, whichever path it takes."""

    params: list[ir.Var] = field(default_factory=list)
    fresh: list[ir.Var] = field(default_factory=list)
    guards: list[ir.Expr] = field(default_factory=list)
    obligations: list[ir.Obligation] = field(default_factory=list)
    costs: list[ir.Cost] = field(default_factory=list)
    clauses: list[tuple[str, ir.Clause]] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    reads: list[tuple[ir.Read, ast.AST, Scope]] = field(default_factory=list)
    kind: str = "action"

    def variable(self, name: str, sort: ir.Sort) -> ir.Var:
        """A new variable with this name, or one like it."""
        unique, count = name, 2
        while unique in self.names:
            unique, count = f"{name}{count}", count + 1
        self.names.add(unique)
        return ir.Var(unique, sort)
