"""Symbolic execution of a model's statements: from a place in the code to the next `yield`, on every path.

What remains to be executed is an explicit stack of frames, so that it can be kept at a `yield` and taken up in the next step.
Two equal stacks are one place in the program: that is what a label names.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Union

from flushproof.model import ir
from flushproof.model.errors import ModelError
from flushproof.model.ir import terms

from . import declare
from .declarations import Member
from .expressions import MAX_DEPTH, Evaluator, articled, match_location, without
from .source import Source, source_of
from .types import to_sort
from .values import Closure, MapRef, Method, Object, Path, Scope, Static, Step, Tup, Value, same

# --------------------------------------------------------------------------------------------------------------- frames


@dataclass(frozen=True)
class Block:
    """The statements of `body` from number `next` on."""

    body: Sequence[ast.stmt] = field(compare=False)
    key: int
    next: int
    scope: Scope


@dataclass(frozen=True)
class Loop:
    """A `while`, about to test its condition."""

    node: ast.While
    scope: Scope


@dataclass(frozen=True)
class Exit:
    """The end of a `with`: the part's release."""

    release: Method = field(compare=False)
    args: tuple[Value, ...] = field(compare=False)
    node: ast.With
    scope: Scope


@dataclass(frozen=True)
class Return:
    """The place to which a call returns: the targets of its assignment, in the caller's scope."""

    targets: tuple[ast.expr, ...] = field(compare=False)
    node: ast.AST
    scope: Scope
    callee: Scope


Frame = Union[Block, Loop, Exit, Return]
Stack = tuple[Frame, ...]


@dataclass(frozen=True)
class Product:
    """What is looped over: the tuples of ``each(A, B)``, or the elements of one sort."""

    sorts: tuple[ir.Sort, ...]
    tuples: bool


@dataclass
class Outcome:
    """How one path through a step ended: at a yield (with its label and the stack that remains), or by returning."""

    kind: Literal["yield", "return"]
    path: Path
    value: Value = field(default_factory=lambda: Static(None))
    node: ast.AST | None = None
    label: str = ""
    stack: Stack = ()


STATEMENTS = {
    ast.Try: "A model has no exceptions; a step that is not possible says so with require(...).",
    ast.Raise: "A step that is not possible says so with require(...).",
    ast.Assert: "Use require(...) for a guard, and a property for what must hold.",
    ast.FunctionDef: "Make it a method of the system.",
    ast.ClassDef: "Define sorts and enumerations at module level.",
    ast.Delete: "Assign None or False.",
    ast.Import: "Import at module level.",
    ast.ImportFrom: "Import at module level.",
    ast.Global: "All state is declared in the class.",
    ast.Match: "Use if and elif.",
}


def block(body: Sequence[ast.stmt], scope: Scope) -> Block:
    return Block(body, id(body[0]) if body else 0, 0, scope)


def transfers(nodes: Sequence[ast.stmt]) -> bool:
    """Whether control can leave these statements other than at their end."""
    kinds = (ast.Yield, ast.YieldFrom, ast.Return, ast.Break, ast.Continue)
    return any(isinstance(n, kinds) for node in nodes for n in ast.walk(node))


class Executor(Evaluator):
    """Executes statements; see `run`."""

    def begin(self, member: Member) -> tuple[Source, Scope, Path]:
        """A new step for this method, with its parameters bound."""
        source = source_of(member.function)
        self.step = Step(kind=member.role.kind)
        scope = Scope(source.tree.name, source)
        path = Path()
        names = [a.arg for a in source.tree.args.args]
        if not names or names[0] != "self":
            source.fail(source.tree, f"'{source.tree.name}' needs `self` as its first parameter")
        path.env[scope.id, "self"] = member.owner
        return source, scope, path

    # ------------------------------------------------------------------------------------------------------- the machine

    def run(self, stack: Stack, path: Path) -> list[Outcome]:
        """Execute until every path has reached a yield or the end of the stack."""
        while stack:
            top, rest = stack[-1], stack[:-1]
            match top:
                case Block():
                    if top.next == len(top.body):
                        stack = rest
                        continue
                    statement = top.body[top.next]
                    stack = (*rest, Block(top.body, top.key, top.next + 1, top.scope))
                    result = self.statement(statement, stack, path, top.scope)
                    if isinstance(result, list):
                        return result
                    stack = result
                case Loop():
                    result = self.loop(top, rest, path)
                    if isinstance(result, list):
                        return result
                    stack = result
                case Exit():
                    self.inline(top.release, list(top.args), {}, top.node.items[0].context_expr, path, top.scope)
                    stack = rest
                case Return():
                    stack = rest
                    self.leave(top, Static(None), path)
        return [Outcome("return", path)]

    def statement(self, node: ast.stmt, stack: Stack, path: Path, at: Scope) -> Stack | list[Outcome]:
        """Execute one statement; the stack that then remains, or all outcomes where the path forks or stops."""
        match node:
            case ast.Pass():
                return stack
            case ast.Expr(ast.Constant()):
                return stack
            case ast.Expr(ast.Yield() as stop):
                return [self.at_yield(stop, stack, path, at)]
            case ast.Expr(ast.YieldFrom() as helper):
                return self.enter(helper, (), stack, path, at)
            case ast.Assign(targets, ast.YieldFrom() as helper):
                return self.enter(helper, tuple(targets), stack, path, at)
            case ast.Expr():
                self.ev(node.value, path, at)
                return stack
            case ast.Assign():
                self.target = node.targets[0].id if isinstance(node.targets[0], ast.Name) else ""
                value = self.ev(node.value, path, at)
                self.target = ""
                for target in node.targets:
                    self.assign(target, value, node, path, at)
                return stack
            case ast.AnnAssign(value=ast.expr() as expression):
                self.assign(node.target, self.annotated(node, expression, path, at), node, path, at)
                return stack
            case ast.AugAssign():
                reading = ast.copy_location(ast.BinOp(as_load(node.target), node.op, node.value), node)
                self.assign(node.target, self.ev(reading, path, at), node, path, at)
                return stack
            case ast.If():
                return self.branch(node, stack, path, at)
            case ast.While():
                if node.orelse:
                    at.source.fail(node.orelse[0], "the language has no `else` of a loop")
                return (*stack, Loop(node, at))
            case ast.For():
                self.bulk(node, path, at)
                return stack
            case ast.With():
                return self.acquire(node, stack, path, at)
            case ast.Return():
                value = self.ev(node.value, path, at) if node.value else Static(None)
                return self.unwind(stack, value, path)
            case ast.Break() | ast.Continue():
                return self.jump(node, stack, path, at)
        hint = STATEMENTS.get(type(node), "")
        at.source.fail(node, f"the language has no {type(node).__name__.lower()} statement", hint)

    def annotated(self, node: ast.AnnAssign, expression: ast.expr, path: Path, at: Scope) -> Value:
        annotation = self.ev(node.annotation, path, at) if not isinstance(node.annotation, ast.Subscript) else None
        value = self.ev(expression, path, at)
        if isinstance(annotation, Static):
            return self.expr(value, expression, at, to_sort(annotation.value), path)
        return value

    # ------------------------------------------------------------------------------------------------------ assignments

    def assign(self, target: ast.expr, value: Value, node: ast.stmt, path: Path, at: Scope) -> None:
        match target:
            case ast.Name():
                path.env[at.id, target.id] = value
                path.maybe -= {(at.id, target.id)}
            case ast.Tuple():
                items = value.items if isinstance(value, Tup) else None
                if isinstance(value, Static) and isinstance(value.value, tuple):
                    items = tuple(map(Static, value.value))
                if items is None or len(items) != len(target.elts):
                    at.source.fail(node, f"{len(target.elts)} values are needed here")
                for element, item in zip(target.elts, items, strict=True):
                    self.assign(element, item, node, path, at)
            case ast.Attribute():
                owner = self.ev(target.value, path, at)
                variable = self.variables.get(owner.path + target.attr) if isinstance(owner, Object) else None
                if variable is None:
                    self.ev(target, path, at)
                    at.source.fail(
                        target, f"'{at.source.text(target)}' is not state", "Only declared state can be assigned."
                    )
                if variable.index:
                    at.source.fail(
                        target,
                        f"'{variable.name}' is a map",
                        f"Write {at.source.text(target)}[...] = ... for all of it.",
                    )
                self.write(variable, (), value, node, path, at)
            case ast.Subscript():
                found = self.ev(target.value, path, at)
                if not isinstance(found, MapRef):
                    at.source.fail(target, f"{at.source.text(target.value)} is not a map", "Declare it as Map[...].")
                self.write_slice(found.variable, self.index(target, found.variable, path, at), value, node, path, at)
            case _:
                at.source.fail(target, "this cannot be assigned to")

    def write_slice(
        self, variable: ir.StateVar, index: list[ir.Expr | None], value: Value, node: ast.stmt, path: Path, at: Scope
    ) -> None:
        """Write the locations with these indices, all elements where one is None."""
        binders = [
            None if a is not None else self.step.variable("each", s) for a, s in zip(index, variable.index, strict=True)
        ]
        args = tuple(b if a is None else a for a, b in zip(index, binders, strict=True))
        self.write(variable, args, value, node, path, at, tuple(b for b in binders if b is not None))  # type: ignore[arg-type]

    def write(
        self,
        variable: ir.StateVar,
        args: tuple[ir.Expr, ...],
        value: Value,
        node: ast.stmt,
        path: Path,
        at: Scope,
        binders: tuple[ir.Var, ...] = (),
    ) -> None:
        if self.step.kind not in ("action", "process", "initially", "closure"):
            at.source.fail(
                node, f"{articled(self.step.kind)} changes no state", "Change state in an @action or a @process."
            )
        if variable.kind == "knob" or (variable.kind == "rigid" and self.step.kind != "initially"):
            what = "a knob" if variable.kind == "knob" else "rigid"
            at.source.fail(node, f"'{variable.name}' is {what} and never changes", "Drop Rigid[...] if it does.")
        target_node = node.value if isinstance(node, ast.Assign) else node
        new = self.expr(value, target_node, at, variable.sort, path)
        if variable.kind != "ghost":
            self.no_ghost(f"the plain state '{variable.name}'", node, at, new, *args, *path.conds)
        if self.step.kind != "closure":
            self.once(variable, args, binders, node, path, at)
        path.updates = (*path.updates, ir.Update(variable.name, binders, args, path.cond, new))

    def once(
        self,
        variable: ir.StateVar,
        args: tuple[ir.Expr, ...],
        binders: tuple[ir.Var, ...],
        node: ast.stmt,
        path: Path,
        at: Scope,
    ) -> None:
        """See to it that this location was not written before in this step."""
        text = variable.name if not args else f"{variable.name}[...]"
        for update in path.updates:
            if update.var == variable.name:
                match, bind = match_location(update, args)
                again = terms.and_(match, terms.substitute(update.cond, bind))
                again = without(again, (*path.conds, *path.facts))
                if again is ir.TRUE:
                    at.source.fail(
                        node,
                        f"'{text}' is assigned twice in one step",
                        "Put a yield between the two if they are two steps; else keep the last.",
                    )
                if again is not ir.FALSE:
                    self.owe(
                        path,
                        terms.close(binders, terms.not_(again)),
                        f"'{text}' is assigned twice in one step",
                        node,
                        at,
                    )

    # --------------------------------------------------------------------------------------------------------- branches

    def branch(self, node: ast.If, stack: Stack, path: Path, at: Scope) -> Stack | list[Outcome]:
        cond = self.truth(self.ev(node.test, path, at), node.test, at)
        if isinstance(cond, ir.Lit):
            body = node.body if cond.value else node.orelse
            return (*stack, block(body, at)) if body else stack
        yes, no = path.fork(cond), path.fork(terms.not_(cond))
        # Inside a loop over a sort, what follows is executed once for all paths; elsewhere only leaving the block forks it.
        if transfers(node.body) or transfers(node.orelse):
            return [
                *self.run((*stack, block(node.body, at)), yes),
                *self.run((*stack, block(node.orelse, at)), no),
            ]
        ends = [
            *self.run((block(node.body, at),), yes),
            *self.run((block(node.orelse, at),), no),
        ]
        path.become(self.merge(path, [(e.path, e.value) for e in ends], node, at)[0])
        return stack

    def merge(self, base: Path, ends: list[tuple[Path, Value]], node: ast.AST, at: Scope) -> tuple[Path, Value]:
        """One path for several that together cover `base`, and one value for the values they returned."""
        if len(ends) == 1:
            end, value = ends[0]
            return Path(end.env, base.conds, end.facts, end.updates, end.loops, base.binders, end.maybe), value
        merged = base.fork()
        relative = [terms.and_(*end.conds[len(base.conds) :]) for end, _ in ends]
        merged.maybe = merged.maybe.union(*(end.maybe for end, _ in ends))
        for key in dict.fromkeys(key for end, _ in ends for key in end.env):
            if all(key in end.env for end, _ in ends):
                merged.env[key] = self.select(relative, [end.env[key] for end, _ in ends], node, at, key[1])
            else:
                merged.env.pop(key, None)
                merged.maybe |= {key}
        count = len(base.updates)
        merged.updates = base.updates + tuple(u for end, _ in ends for u in end.updates[count:])
        merged.loops = base.loops.union(*(end.loops for end, _ in ends))
        for (end, _), cond in zip(ends, relative, strict=True):
            merged.facts += tuple(terms.implies(cond, f) for f in end.facts[len(base.facts) :])
        return merged, self.select(relative, [value for _, value in ends], node, at, "the result")

    def select(self, conds: list[ir.Expr], values: list[Value], node: ast.AST, at: Scope, name: str) -> Value:
        """The value of the one condition that holds."""
        result = values[-1]
        for cond, value in reversed(list(zip(conds, values, strict=True))[:-1]):
            if not same(value, result):
                if isinstance(value, (Object, Method, Closure, MapRef)) or isinstance(
                    result, (Object, Method, Closure, MapRef)
                ):
                    at.source.fail(node, f"'{name}' is not the same kind of thing on each way to here")
                result = self.choice(cond, value, result, node, at)
        return result

    # ------------------------------------------------------------------------------------------------------------ loops

    def loop(self, top: Loop, rest: Stack, path: Path) -> Stack | list[Outcome]:
        at = top.scope
        if top in path.loops:
            at.source.fail(
                top.node,
                "this loop may go round without a yield",
                'Put a `yield "label"` on each way round, so that others may run, or loop over a sort with `for`.',
            )
        path.loops |= {top}
        cond = self.truth(self.ev(top.node.test, path, at), top.node.test, at)
        inside = (*rest, top, block(top.node.body, at))
        if isinstance(cond, ir.Lit):
            return inside if cond.value else rest
        again, done = path.fork(cond), path.fork(terms.not_(cond))
        done.loops -= {top}
        return [*self.run(inside, again), *self.run(rest, done)]

    def bulk(self, node: ast.For, path: Path, at: Scope) -> None:
        """``for x in Sort``: all elements at once."""
        if node.orelse:
            at.source.fail(node.orelse[0], "the language has no `else` of a loop")
        iterated = self.iterated(node.iter, path, at)
        if isinstance(iterated, Tup):
            for item in iterated.items:
                self.assign(node.target, item, node, path, at)
                self.body_once(node, path, at)
            return
        binders = self.bind(node.target, iterated, node, at)
        inner = path.fork()
        inner.binders = (*path.binders, *(v for _, v in binders))
        for name, var in binders:
            inner.env[at.id, name] = var
        if iterated.tuples and isinstance(node.target, ast.Name):
            inner.env[at.id, node.target.id] = Tup(tuple(v for _, v in binders))
        reads, self.step.reads = self.step.reads, []
        self.body_once(node, inner, at)
        mine, self.step.reads = self.step.reads, reads + self.step.reads
        variables = tuple(v for _, v in binders)
        new = inner.updates[len(path.updates) :]
        self.independent(new, mine, variables, node, at)
        outer = {key for key, value in path.env.items() if key in inner.env and not same(value, inner.env[key])}
        targets = {name for name, _ in binders} | ({node.target.id} if isinstance(node.target, ast.Name) else set())
        for _, name in outer:
            if name not in targets:
                at.source.fail(
                    node,
                    f"the loop changes the local '{name}'",
                    "All rounds happen at once; use all(...) or any(...) to gather.",
                )
        path.updates += tuple(ir.Update(u.var, (*u.binders, *variables), u.args, u.cond, u.value) for u in new)

    def body_once(self, node: ast.For, path: Path, at: Scope) -> None:
        for inside in node.body:
            for n in ast.walk(inside):
                if isinstance(n, (ast.Yield, ast.YieldFrom, ast.Return, ast.Break, ast.Continue)):
                    what = "yield" if isinstance(n, (ast.Yield, ast.YieldFrom)) else type(n).__name__.lower()
                    hint = (
                        "Use `while` with a Map[..., bool] of what is done, choosing one element a round."
                        if what == "yield"
                        else ""
                    )
                    at.source.fail(n, f"a loop over a sort happens at once and cannot {what}", hint)
        ends = self.run((block(node.body, at),), path.fork())
        path.become(self.merge(path, [(e.path, e.value) for e in ends], node, at)[0])

    def independent(
        self, new: tuple[ir.Update, ...], reads: list[Any], variables: tuple[ir.Var, ...], node: ast.For, at: Scope
    ) -> None:
        """See to it that no round of a loop writes what another writes or reads."""
        for update in new:
            for var in variables:
                if var not in update.args:
                    at.source.fail(
                        node,
                        f"every round of this loop writes the same '{update.var}'",
                        f"Write a location of its own in each round: self.{update.var}[{var.name}, ...].",
                    )
            for read, place, scope in reads:
                if read.name == update.var:
                    positions = [i for i, a in enumerate(update.args) if a in variables]
                    if any(read.args[i] is not update.args[i] for i in positions):
                        scope.source.fail(
                            place,
                            f"a round of this loop reads '{read.name}' where another may write it",
                            "All rounds happen at once; read what was before into a local first, or split the step.",
                        )

    def iterated(self, node: ast.expr, path: Path, at: Scope) -> Product | Tup:
        """What is looped over: sorts, or a fixed tuple of values."""
        if isinstance(node, ast.Call):
            function = self.ev(node.func, path, at)
            if isinstance(function, Static) and function.value is declare.each:
                sorts = [self.finite(v, node, at) for a in node.args for v in self.spread(a, path, at)]
                return Product(tuple(sorts), True)
        value = self.ev(node, path, at)
        if isinstance(value, Tup):
            return value
        if isinstance(value, Static) and isinstance(value.value, tuple):
            return Tup(tuple(map(Static, value.value)))
        return Product((self.finite(value, node, at),), False)

    def finite(self, value: Value, node: ast.expr, at: Scope) -> ir.Sort:
        if isinstance(value, Static) and isinstance(value.value, type):
            try:
                sort = to_sort(value.value)
            except ModelError as error:
                raise at.source.error(node, error.message, error.hint) from None
            if not isinstance(sort, ir.CounterSort):
                return sort
            at.source.fail(node, f"the counter {sort.name} has no end to loop over")
        at.source.fail(
            node, f"{at.source.text(node)} is not a sort", "Loop over a Sort, an Enum, bool, each(A, B), or a tuple."
        )

    def bind(self, target: ast.expr, product: Product, node: ast.AST, at: Scope) -> list[tuple[str, ir.Var]]:
        """Loop variables for the names of a target."""
        sorts = product.sorts
        if isinstance(target, ast.Name):
            if not product.tuples:
                return [(target.id, self.step.variable(target.id, sorts[0]))]
            return [(f"{target.id}.{i}", self.step.variable(s.name.lower(), s)) for i, s in enumerate(sorts)]
        if isinstance(target, ast.Tuple) and len(target.elts) == len(sorts):
            names = [e.id for e in target.elts if isinstance(e, ast.Name)]
            if len(names) == len(sorts):
                return [(n, self.step.variable(n, s)) for n, s in zip(names, sorts, strict=True)]
        at.source.fail(node, f"{len(sorts)} loop variables are needed here")

    def quantify(self, generator: ast.GeneratorExp, kind: str, path: Path, at: Scope) -> ir.Expr:
        """``all(... for x in Sort if ...)`` and ``any(...)``."""
        inner = path.fork()
        result = self.generated(generator, 0, kind, inner, at)
        self.no_effects(inner, path, generator, at)
        return result

    def generated(self, generator: ast.GeneratorExp, number: int, kind: str, path: Path, at: Scope) -> ir.Expr:
        if number == len(generator.generators):
            return self.truth(self.ev(generator.elt, path, at), generator.elt, at)
        clause = generator.generators[number]
        iterated = self.iterated(clause.iter, path, at)
        if isinstance(iterated, Tup):
            parts = []
            for item in iterated.items:
                sub = path.fork()
                self.assign(clause.target, item, ast.Pass(), sub, at)
                parts.append(self.filtered(generator, number, kind, sub, at))
            return terms.and_(*parts) if kind == "all" else terms.or_(*parts)
        binders = self.bind(clause.target, iterated, generator, at)
        inner = path.fork()
        inner.binders = (*path.binders, *(v for _, v in binders))
        for name, var in binders:
            inner.env[at.id, name] = var
        if iterated.tuples and isinstance(clause.target, ast.Name):
            inner.env[at.id, clause.target.id] = Tup(tuple(v for _, v in binders))
        body = self.filtered(generator, number, kind, inner, at)
        self.no_effects(inner, path, generator, at)
        for _, var in reversed(binders):
            body = terms.forall(var, body) if kind == "all" else terms.exists(var, body)
        return body

    def filtered(self, generator: ast.GeneratorExp, number: int, kind: str, path: Path, at: Scope) -> ir.Expr:
        conds = []
        for test in generator.generators[number].ifs:
            cond = self.truth(self.ev(test, path, at), test, at)
            conds.append(cond)
            path.facts = (*path.facts, cond)
        body = self.generated(generator, number + 1, kind, path, at)
        cond = terms.and_(*conds)
        return terms.implies(cond, body) if kind == "all" else terms.and_(cond, body)

    # ------------------------------------------------------------------------------------------------ calls and returns

    def callee(
        self, method: Method, args: list[Value], keywords: dict[str, Value], node: ast.AST, path: Path, at: Scope
    ) -> tuple[Source, Scope]:
        """Bind a call's arguments in a new scope."""
        source = source_of(method.function)
        if at.depth >= MAX_DEPTH:
            at.source.fail(node, f"'{method.function.__name__}' calls itself", "A model has no recursion.")
        place = f"{getattr(node, 'lineno', 0)}.{getattr(node, 'col_offset', 0)}"
        scope = Scope(f"{at.id}/{source.tree.name}@{place}", source, at.depth + 1)
        first: list[Value] = [] if method.owner.python is None else [method.owner]
        try:
            bound = inspect.signature(method.function).bind(*first, *args, **keywords)
        except TypeError as error:
            at.source.fail(node, f"{method.function.__name__}: {error}")
        for name, parameter in inspect.signature(method.function).parameters.items():
            if name in bound.arguments:
                value = bound.arguments[name]
                path.env[scope.id, name] = Tup(value) if parameter.kind is parameter.VAR_POSITIONAL else value
            elif parameter.kind is parameter.VAR_POSITIONAL:
                path.env[scope.id, name] = Tup(())
            else:
                path.env[scope.id, name] = Static(parameter.default)
        return source, scope

    def inline(
        self, method: Method, args: list[Value], keywords: dict[str, Value], node: ast.AST, path: Path, at: Scope
    ) -> Value:
        target, self.target = self.target, ""
        source, scope = self.callee(method, args, keywords, node, path, at)
        if any(isinstance(n, (ast.Yield, ast.YieldFrom)) for n in ast.walk(source.tree)):
            text = at.source.text(node)
            at.source.fail(node, f"'{source.tree.name}' takes several steps", f"Write `yield from {text}`.")
        start = path.fork()
        ends = self.run((block(source.tree.body, scope),), start)
        merged, value = self.merge(path, [(e.path, e.value) for e in ends], node, at)
        merged.env = {key: v for key, v in merged.env.items() if key[0] != scope.id}
        path.become(merged)
        self.target = target
        return value

    def enter(self, node: ast.YieldFrom, targets: tuple[ast.expr, ...], stack: Stack, path: Path, at: Scope) -> Stack:
        """``yield from self.part.helper(...)``: go on in the helper."""
        if not isinstance(node.value, ast.Call):
            at.source.fail(node, "`yield from` takes the call of a helper")
        function = self.ev(node.value.func, path, at)
        if not isinstance(function, Method):
            at.source.fail(node, f"{at.source.text(node.value.func)} is not a method")
        args = [v for a in node.value.args for v in self.spread(a, path, at)]
        keywords = {k.arg: self.ev(k.value, path, at) for k in node.value.keywords if k.arg}
        source, scope = self.callee(function, args, keywords, node.value, path, at)
        return (*stack, Return(targets, node, at, scope), block(source.tree.body, scope))

    def leave(self, frame: Return, value: Value, path: Path) -> None:
        path.env = {key: v for key, v in path.env.items() if key[0] != frame.callee.id}
        for target in frame.targets:
            self.assign(target, value, ast.Pass(), path, frame.scope)

    def unwind(self, stack: Stack, value: Value, path: Path) -> Stack | list[Outcome]:
        """`return`: release what is held, and go on in the caller."""
        while stack:
            top, stack = stack[-1], stack[:-1]
            match top:
                case Exit():
                    self.inline(top.release, list(top.args), {}, top.node.items[0].context_expr, path, top.scope)
                case Return():
                    self.leave(top, value, path)
                    return stack
        return [Outcome("return", path, value)]

    def jump(self, node: ast.Break | ast.Continue, stack: Stack, path: Path, at: Scope) -> Stack:
        while stack:
            top, rest = stack[-1], stack[:-1]
            match top:
                case Loop():
                    if isinstance(node, ast.Break):
                        path.loops -= {top}
                    return rest if isinstance(node, ast.Break) else stack
                case Exit():
                    self.inline(top.release, list(top.args), {}, top.node.items[0].context_expr, path, top.scope)
            stack = rest
        at.source.fail(node, f"a {type(node).__name__.lower()} outside of a loop")

    def acquire(self, node: ast.With, stack: Stack, path: Path, at: Scope) -> Stack:
        """``with self.lock(cpu):`` is acquire(cpu), the body, release(cpu)."""
        for item in node.items:
            call = item.context_expr
            owner = self.ev(call.func, path, at) if isinstance(call, ast.Call) else None
            if not isinstance(owner, Object) or item.optional_vars is not None:
                at.source.fail(call, "`with` takes a part that can be held", "Write `with self.lock(cpu):`.")
            assert isinstance(call, ast.Call)
            methods = [getattr(type(owner.python), name, None) for name in ("acquire", "release")]
            if None in methods:
                at.source.fail(call, f"'{owner.path[:-1]}' has no acquire and release")
            args = tuple(v for a in call.args for v in self.spread(a, path, at))
            self.inline(Method(methods[0], owner), list(args), {}, call, path, at)  # type: ignore[arg-type]
            stack = (*stack, Exit(Method(methods[1], owner), args, node, at))  # type: ignore[arg-type]
        return (*stack, block(node.body, at))

    def at_yield(self, node: ast.Yield, stack: Stack, path: Path, at: Scope) -> Outcome:
        if self.step.kind != "process":
            at.source.fail(node, "only a process takes several steps", "Decorate it with @process(Cpu).")
        if not (isinstance(node.value, ast.Constant) and isinstance(node.value.value, str) and node.value.value):
            at.source.fail(node, "a yield names the step that follows", 'Write yield "label".')
        return Outcome("yield", path, node=node, label=node.value.value, stack=stack)


def as_load(target: ast.expr) -> ast.expr:
    """The target of an assignment as an expression that reads it."""
    match target:
        case ast.Name():
            return ast.copy_location(ast.Name(target.id, ast.Load()), target)
        case ast.Attribute():
            return ast.copy_location(ast.Attribute(target.value, target.attr, ast.Load()), target)
        case ast.Subscript():
            return ast.copy_location(ast.Subscript(target.value, target.slice, ast.Load()), target)
    return target
