"""Questions about source text and the core: who binds a name, where steps end, what lives across one."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

from . import core
from .core import Atom, Local, Star, Statement

SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef, ast.GeneratorExp)


def class_name(function: Callable[..., Any]) -> str:
    """The class in whose body a function stands, without leading underscores; "" if there is none."""
    # Of the code: a decorator may call its own function as the one that it wraps.
    above = function.__code__.co_qualname.rpartition(".")[0]
    last = above.rpartition(".")[2]
    return "" if last in ("", "<locals>") else last.lstrip("_")


def every_argument(arguments: ast.arguments) -> Iterator[ast.arg]:
    yield from (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    yield from (a for a in (arguments.vararg, arguments.kwarg) if a is not None)


def bound_names(node: ast.FunctionDef | ast.Lambda | ast.GeneratorExp) -> list[str]:
    """The names that a function, a lambda or a generator expression binds itself, as the rules of Python's scopes say."""
    found: dict[str, None] = {}

    def visit(n: ast.AST) -> None:
        match n:
            case ast.Name(id, ast.Store() | ast.Del()):
                found[id] = None
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                found[n.name] = None
                for outside in (*n.decorator_list, *(n.args.defaults if not isinstance(n, ast.ClassDef) else ())):
                    visit(outside)
                return
            case ast.Lambda():
                for default in (*n.args.defaults, *(d for d in n.args.kw_defaults if d)):
                    visit(default)
                return
            case ast.GeneratorExp() | ast.ListComp() | ast.SetComp() | ast.DictComp():
                visit(n.generators[0].iter)
                for inside in ast.walk(n):
                    if isinstance(inside, ast.NamedExpr):
                        found[inside.target.id] = None
                return
        for child in ast.iter_child_nodes(n):
            visit(child)

    if isinstance(node, ast.GeneratorExp):
        for generator in node.generators:
            visit(generator.target)
    else:
        found.update(dict.fromkeys(a.arg for a in every_argument(node.args)))
        for part in [node.body] if isinstance(node, ast.Lambda) else node.body:
            visit(part)
    return list(found)


def own(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function or statement that are not inside of another function."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, SCOPES):
            yield child
            yield from own(child)


def stops(node: ast.AST) -> bool:
    """Whether a function takes several steps."""
    return any(isinstance(n, (ast.Yield, ast.YieldFrom)) for n in own(node))


def walrus(node: ast.AST) -> bool:
    return any(isinstance(n, ast.NamedExpr) for n in ast.walk(node))


def operands(condition: ast.expr) -> Iterator[ast.expr]:
    """An expression of which it is only asked whether it holds, and those inside of it of which nothing else is asked then."""
    yield condition
    match condition:
        case ast.BoolOp(_, inside):
            parts = inside
        case ast.IfExp(_, body, orelse):
            parts = [body, orelse]
        case _:
            return
    for part in parts:
        yield from operands(part)


def does_something(node: ast.expr) -> bool:
    """Whether an expression may do more than give a value."""
    deeds = (ast.Call, ast.NamedExpr, ast.Yield, ast.YieldFrom, ast.Await)
    return any(isinstance(n, deeds) for n in ast.walk(node))


def listed(node: ast.expr, *kinds: type[ast.expr]) -> ast.expr:
    """What is gone through: a list that stands there itself is as good as a tuple."""
    if isinstance(node, (ast.List, *kinds)):
        return ast.copy_location(ast.Tuple(node.elts, ast.Load()), node)  # type: ignore[attr-defined]
    return node


def among(node: ast.Compare, number: int) -> ast.expr:
    """The right operand of a comparison."""
    operand = node.comparators[number]
    return listed(operand, ast.Set) if isinstance(node.ops[number], (ast.In, ast.NotIn)) else operand


def is_plain(node: ast.expr) -> bool:
    """Whether an expression is one operation, once its operands are evaluated."""
    if isinstance(node, ast.Compare):
        return len(node.ops) == 1
    return not isinstance(node, (ast.BoolOp, ast.IfExp, ast.NamedExpr, ast.YieldFrom, ast.Lambda, ast.GeneratorExp))


def leaves(statement: Statement) -> bool:
    """Whether control can leave this statement other than at its end."""
    match statement:
        case core.Break() | core.Continue() | core.Return() | core.Stop() | core.Delegate() | core.Loop():
            return True
        case core.If():
            return statement.leaves
        case core.For() | core.With():
            return any(map(leaves, statement.body))
    return False


def assigned(block: core.Block) -> Iterator[Local]:
    """The variables that these statements give a value."""
    for statement in block:
        match statement:
            case core.Set() | core.Declare() | core.Delegate() | core.Define():
                yield statement.target
            case core.Unpack():
                yield from statement.targets
            case core.If():
                yield from assigned((*statement.body, *statement.other))
            case core.Loop() | core.With():
                yield from assigned(statement.body)
            case core.For():
                yield from statement.assigned


def statements(block: core.Block) -> Iterator[Statement]:
    """These statements and those inside of them, but for those of functions of their own."""
    for statement in block:
        yield statement
        for name in ("body", "other"):
            yield from statements(getattr(statement, name, ()))


def gone_through(block: core.Block) -> Iterator[str]:
    """The variables that the loops among these statements give their elements to."""
    for statement in statements(block):
        if isinstance(statement, core.For):
            yield from statement.names


def kept(block: core.Block) -> frozenset[Local]:
    """The temporaries of a method that are given a value before a place where its step may end, and used behind it."""
    made: dict[Local, int] = {}
    used: dict[Local, int] = {}
    ends: list[int] = []
    time = 0

    def use(*things: object) -> None:
        for thing in things:
            match thing:
                case Atom(Local() as local):
                    used[local] = time
                case Star(atom):
                    use(atom)
                case tuple():
                    use(*thing)
                case core.Attribute() | core.Subscript() | core.Slice() | core.Call() | core.Binary() | core.Compare():
                    use(*vars(thing).values())
                case core.Unary() | core.Pack() | core.Use():
                    use(*vars(thing).values())

    def visit(statements: core.Block) -> None:
        nonlocal time
        for s in statements:
            time += 1
            for name, part in vars(s).items():
                if name not in ("body", "other", "function"):
                    use(part)
            if isinstance(s, (core.Stop, core.Delegate)):
                ends.append(time)
            if isinstance(s, core.Define):
                visit(s.function.body)
            for name in ("body", "other"):
                visit(getattr(s, name, ()))
            time += 1
            if isinstance(s, core.With):
                use(s.manager)
            if isinstance(s, core.For):
                use(s.iterable)
            for local in assigned((s,)):
                made.setdefault(local, time if isinstance(s, core.Delegate) else time - 1)

    visit(block)
    return frozenset(
        x for x, last in used.items() if x.temporary and any(made.get(x, 0) <= end <= last for end in ends)
    )
