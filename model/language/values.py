"""What a variable may stand for while the core is executed symbolically, and the paths through a step."""

from __future__ import annotations

import ast
import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Union

from flushproof.model import ir
from flushproof.model.ir.terms import and_

from .core import Function, Local
from .declare import is_number as is_number
from .source import Source


@dataclass(eq=False)
class Scope:
    """One call of a function, by the place of the call: the same call in another path or step has the same scope.

    caller: the scope of the call, and site: where it stands there; outer: of a lambda or a generator expression the scope where it
    was written.
    """

    function: Function
    caller: Scope | None = None
    outer: Scope | None = None
    depth: int = 0
    site: ast.AST | None = None
    _inner: dict[Any, Scope] = field(default_factory=dict, repr=False)

    @property
    def source(self) -> Source:
        return self.function.source

    def inner(self, call: object, function: Function, outer: Scope | None, site: ast.AST | None = None) -> Scope:
        """The scope of a call that stands here."""
        key = (call, function, outer)
        found = self._inner.get(key)
        if found is None:
            found = self._inner[key] = Scope(function, self, outer, self.depth + 1, site)
        return found

    def of(self, local: Local) -> Scope:
        """The scope in which a variable lives that is read here."""
        scope: Scope | None = self
        while scope is not None and scope.function is not local.owner:
            scope = scope.outer
        assert scope is not None
        return scope

    @property
    def names(self) -> tuple[str, ...]:
        """The helpers through which the calls led here."""
        return () if self.caller is None else (*self.caller.names, self.function.name)


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
    """A function with the object that it belongs to; None where it belongs to none."""

    function: Callable[..., Any]
    owner: Object | None


@dataclass(frozen=True, eq=False)
class Tup:
    """Several values."""

    items: tuple[Value, ...]


@dataclass(frozen=True, eq=False)
class Keyed:
    """Several values with names: what ``**kw`` was given."""

    items: tuple[tuple[str, Value], ...]


@dataclass(frozen=True, eq=False)
class Closure:
    """A lambda, a local function or a generator expression, in the scope where it stands."""

    function: Function
    scope: Scope
    defaults: tuple[tuple[Local, Value], ...] = ()


@dataclass(frozen=True, eq=False)
class Generated:
    """A generator expression that was given what its first `for` goes through."""

    closure: Closure
    through: Value


@dataclass(frozen=True, eq=False)
class Once:
    """Values that Python goes through once, as `zip`, `enumerate` and `reversed` give them."""

    items: tuple[Value, ...]


@dataclass(frozen=True, eq=False)
class Product:
    """All elements of sorts, to be gone through: tuples for ``each(A, B)``, else elements of one sort."""

    sorts: tuple[ir.Sort, ...]
    tuples: bool


@dataclass(frozen=True, eq=False)
class Held:
    """A part that `with` holds, with the arguments of its acquiring and releasing."""

    part: Object
    args: Tup


@dataclass(frozen=True, eq=False)
class Above:
    """``super()``: the classes after `cls` in the order in which Python looks."""

    owner: Object
    cls: type


@dataclass(frozen=True, eq=False)
class Bad:
    """What a variable has where it has no value that can be used: reading it is an error."""

    message: str
    hint: str = ""


Value = Union[ir.Expr, Static, Object, MapRef, Method, Tup, Keyed, Closure, Generated, Once, Product, Held, Above, Bad]


def same(left: Value, right: Value) -> bool:
    """Whether two values are certainly one."""
    if left is right:
        return True
    match left, right:
        case (Static(), Static()):
            return left.value is right.value or (
                type(left.value) is type(right.value) and bool(left.value == right.value)
            )
        case (Tup(), Tup()):
            return len(left.items) == len(right.items) and all(map(same, left.items, right.items))
        case (Object(), Object()):
            return left.path == right.path
        case (MapRef(), MapRef()):
            return left.variable is right.variable
        case (Method(), Method()):
            return left.function is right.function and (
                left.owner is right.owner
                or (left.owner is not None and right.owner is not None and same(left.owner, right.owner))
            )
        case (Closure(), Closure()):
            return (
                left.function is right.function
                and left.scope is right.scope
                and all(same(a, b) for (_, a), (_, b) in zip(left.defaults, right.defaults, strict=True))
            )
        case (Generated(), Generated()):
            return same(left.closure, right.closure) and same(left.through, right.through)
        case (Product(), Product()):
            return left.sorts == right.sorts and left.tuples == right.tuples
        case (Held(), Held()):
            return same(left.part, right.part) and same(left.args, right.args)
        case (Above(), Above()):
            return left.cls is right.cls and same(left.owner, right.owner)
        case (Bad(), Bad()):
            return left.message == right.message
    return False


def is_once(value: Value) -> bool:
    """Whether a value can be gone through once only, so that a name for it would be a trap."""
    if isinstance(value, Tup):
        return any(map(is_once, value.items))
    return isinstance(value, (Once, Generated)) or (isinstance(value, Product) and value.tuples)


Name = tuple[Scope, Local]
"""A variable of one call."""


@dataclass
class Path:
    """One way through a step, as far as it has been executed.

    conds: the branches taken; facts: what is known besides (all requirements so far); env: the local variables; updates: what was
    written, in order, each under its own full condition; loops: for each loop entered in this step how often it went round and
    how many branches had been taken then; binders: the variables of the loops over sorts around.
    """

    env: dict[Name, Value] = field(default_factory=dict)
    conds: tuple[ir.Expr, ...] = ()
    facts: tuple[ir.Expr, ...] = ()
    updates: tuple[ir.Update, ...] = ()
    loops: dict[Any, tuple[int, int]] = field(default_factory=dict)
    binders: tuple[ir.Var, ...] = ()

    def fork(self, cond: ir.Expr = ir.TRUE) -> Path:
        """A copy on which `cond` was found true."""
        conds = self.conds if cond is ir.TRUE else (*self.conds, cond)
        return Path(dict(self.env), conds, self.facts, self.updates, dict(self.loops), self.binders)

    @staticmethod
    def written(paths: Iterable[Path]) -> tuple[ir.Update, ...]:
        """What several paths that parted wrote.  What was written before stands in each of them, and is written once: in front of
        what they wrote apart."""
        return tuple({id(update): update for path in paths for update in path.updates}.values())

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
class Access:
    """A read of state in a loop over a sort, or a write: where, and in which text."""

    variable: str
    args: tuple[ir.Expr, ...]
    node: ast.AST
    at: Scope
    writes: bool = False


@dataclass
class Step:
    """What one atomic step gathers, whichever path it takes.

    kind: of the method ("action", "process", "event", ...); names: of its variables, each of which is used once.
    accesses: reads and writes inside of loops over sorts.
    numbers: the elements of ordered sorts that are plain numbers for Python, on one of the ways to them at least.
    """

    kind: str = "action"
    params: list[ir.Var] = field(default_factory=list)
    fresh: list[ir.Var] = field(default_factory=list)
    guards: list[ir.Expr] = field(default_factory=list)
    obligations: list[ir.Obligation] = field(default_factory=list)
    costs: list[ir.Cost] = field(default_factory=list)
    clauses: list[tuple[str, ir.Clause]] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    accesses: list[Access] = field(default_factory=list)
    numbers: set[ir.Expr] = field(default_factory=set)

    def variable(self, name: str, sort: ir.Sort) -> ir.Var:
        """A new variable with this name, or one like it."""
        unique, count = name, 2
        while unique in self.names:
            unique, count = f"{name}{count}", count + 1
        self.names.add(unique)
        return ir.Var(unique, sort)


def static_literal(value: Any) -> ir.Lit | None:
    """The literal for a Python constant whose sort is certain: a truth value, or a member of an enumeration."""
    match value:
        case bool():
            return ir.Lit(value, ir.BOOL)
        case enum.Enum() if not isinstance(value, enum.Flag):
            return ir.Lit(value.name, ir.EnumSort(type(value).__name__, tuple(m.name for m in type(value))))
    return None


def articled(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeioAEIO' else 'a'} {noun}"


def named_after(sort: ir.Sort) -> str:
    """What a variable of this sort is called where nobody gave it a name."""
    return sort_in(sort).name.lower()


def sort_in(sort: ir.Sort) -> ir.Sort:
    """The sort of an option's elements, or the sort itself."""
    return sort.base if isinstance(sort, ir.OptionSort) else sort


def is_none(value: Value) -> bool:
    return isinstance(value, Static) and value.value is None


def is_token(value: Any) -> bool:
    """Whether it is an `object()`, which is like nothing else, and is there to be asked for with `is`."""
    return type(value) is object


def acting(params: Iterable[ir.Var]) -> ir.Var | None:
    """The parameter that is the acting CPU."""
    return next((p for p in params if isinstance(p.of, ir.Scalarset) and p.of.name == "Cpu"), None)
