"""From source text to the core: each construct of Python as the few that it is made of, in Python's order of evaluation.

Names are Python's: what a function binds is its own (parameters, assignments, loop variables), what a lambda, local function or
comprehension binds is theirs, and everything else is looked up where the text stands, outwards.  What Python itself found when
it compiled the function (`__code__`) must be the same, or the function is refused.

Long because it is one walk through Python's syntax, construct by construct.
"""

from __future__ import annotations

import ast
import builtins
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from types import ModuleType, NoneType
from typing import Any, NoReturn

from . import core
from .core import Atom, Constant, Function, Local, Open, Operation, Star, Statement
from .declare import check, choose, require, role_of
from .scopes import (
    among,
    assigned,
    bound_names,
    class_name,
    does_something,
    is_plain,
    kept,
    leaves,
    listed,
    operands,
    stops,
    walrus,
)
from .source import Source, source_of
from .wording import EXPRESSIONS, STATEMENTS, named

CONDITIONS = ("axiom", "final", "hint", "invariant", "lemma", "reachable")
"""The roles of methods that return whether something holds."""

_CONDITIONS = ((require, (0, "condition")), (check, (1, "condition")), (bool, (0,)))
"""Words of the language, and of Python's, and which of their arguments are conditions."""


def core_of(function: Callable[..., Any], called: bool = False) -> Function:
    """The function in the core.

    called: by another one, as `super().safe()` calls a property: what it returns is a value, and not only asked whether it holds.

    Raises:
        ModelError: it has something that the language has not.
    """
    role = role_of(function)
    return normalised(function, role is not None and role.kind in CONDITIONS and not called)


@cache
def normalised(function: Callable[..., Any], is_condition: bool) -> Function:
    source = source_of(function)
    try:
        return Normaliser(source, is_condition).method()
    except RecursionError:
        source.fail(source.tree, f"'{source.tree.name}' is nested too deeply", "Give its parts names of their own.")


class Normaliser:
    """Rewrites one function and those inside of it; is_condition: of what it returns nothing is asked but whether it holds."""

    def __init__(self, source: Source, is_condition: bool) -> None:
        self.source, self.is_condition = source, is_condition
        self.code = source.function.__code__
        names = (n for n in ast.walk(source.tree) if isinstance(n, (ast.Name, ast.arg)))
        self.taken = {n.id if isinstance(n, ast.Name) else n.arg for n in names}
        self.function = Function(source.tree.name, source, source.tree, python=source.function)
        self.out: list[Statement] = []
        self.inner_class = class_name(source.function)
        self.hint = ""
        self.made: list[Local] = []
        self.conditions: set[ast.expr] = set()

    def method(self) -> Function:
        tree = self.source.tree
        function = self.function
        for name in bound_names(tree):
            function.locals[self.mangled(name)] = Local(self.mangled(name), name, function)
        signature = inspect.signature(self.source.function, follow_wrapped=False)
        function.parameters = tuple((function.locals[name], p) for name, p in signature.parameters.items())
        function.body = self.block(tree.body)
        function.stops = stops(tree)
        function.kept = kept(function.body)
        self.as_python_has_it(function)
        return function

    def as_python_has_it(self, function: Function) -> None:
        """See to it that Python found the same variables."""
        theirs = {*self.code.co_varnames, *self.code.co_cellvars}
        if set(function.locals) != theirs:
            differ = ", ".join(sorted(theirs ^ set(function.locals)))
            bare = any(isinstance(n, ast.AnnAssign) and n.value is None for n in ast.walk(self.source.tree))
            hint = "Give a variable its first value where it is declared." if bare else ""
            self.fail(self.source.tree, f"the variables of '{function.name}' are not understood: {differ}", hint)

    def fail(self, node: ast.AST, message: str, hint: str = "") -> NoReturn:
        self.source.fail(node, message, hint)

    # ------------------------------------------------------------------------------------------------------------- names

    def mangled(self, name: str) -> str:
        """`__name` inside of a class is `_Class__name`."""
        if self.inner_class and name.startswith("__") and not name.endswith("__"):
            return f"_{self.inner_class}{name}"
        return name

    def fresh(self, name: str) -> str:
        """A name like this one that nothing in the method has."""
        unique, count = name, 2
        while unique in self.taken or hasattr(builtins, unique) or unique in self.source.function.__globals__:
            unique, count = f"{name}{count}", count + 1
        self.taken.add(unique)
        return unique

    def temporary(self, shown: str = "value", asked: bool = False) -> Local:
        local = Local(self.fresh("t"), shown, self.function, temporary=True, hint=self.hint, asked=asked)
        self.made.append(local)
        return local

    def resolve(self, node: ast.Name) -> core.Name:
        name = self.mangled(node.id)
        scope: Function | None = self.function
        while scope is not None:
            if (found := scope.local(name)) is not None:
                return found
            scope = scope.outer
        python = self.source.function
        if name in self.code.co_freevars and python.__closure__:
            cell = python.__closure__[self.code.co_freevars.index(name)]
            try:
                return Constant(cell.cell_contents, name)
            except ValueError:  # the enclosing function has not given it a value yet
                return core.Unknown(node.id)
        for space in (python.__globals__, vars(builtins)):
            if name in space:
                return Constant(space[name], name)
        return core.Unknown(node.id)

    def is_super(self, node: ast.Name) -> bool:
        found = self.resolve(node)
        return isinstance(found, Constant) and found.value is super

    def target(self, node: ast.Name) -> Local:
        found = self.resolve(node)
        if not isinstance(found, Local) or found not in self.function.locals.values():
            self.fail(node, f"'{node.id}' is a variable of the function around this one")
        return found

    # -------------------------------------------------------------------------------------------------------- statements

    def block(self, body: Iterable[ast.stmt]) -> core.Block:
        return self.gathered(lambda: self.statements(body))

    def gathered(self, work: Callable[[], object]) -> core.Block:
        """The statements that this work emits."""
        before, self.out = self.out, []
        work()
        made, self.out = tuple(self.out), before
        return made

    def statements(self, body: Iterable[ast.stmt]) -> None:
        for node in body:
            before, self.made = self.made, []
            self.statement(node)
            last = self.out[-1] if self.out else None
            if not isinstance(last, (core.With, core.For, core.Loop, core.Delegate, NoneType)):
                self.function.spent[last] = tuple(self.made)
            self.made = before

    def emit(self, statement: Statement) -> None:
        self.out.append(statement)

    def statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Pass() | ast.Expr(ast.Constant()):
                return
            case ast.Expr(ast.Yield() as stop):
                self.emit(core.Stop(stop.value, stop))
            case ast.Expr(ast.YieldFrom() as helper):
                self.delegate(helper, self.temporary("result"))
            case ast.Expr(value):
                self.used(value)
                self.perform(value)
            case ast.Assign([ast.Name() as name], value):
                self.assign_name(name, value, node)
            case ast.Assign(targets, value):
                atom = self.atom(value, keep=len(targets) > 1 or any(map(walrus, targets)))
                for target in targets:
                    self.assign(target, atom, node)
            case ast.AnnAssign():
                self.annotated(node)
            case ast.AugAssign():
                self.augmented(node)
            case ast.If():
                test = self.atom(self.asked(node.test))
                self.emit(self.branch(test, self.block(node.body), self.block(node.orelse), node))
            case ast.While() | ast.For():
                self.loop(node)
            case ast.With():
                self.held(node, list(node.items))
            case ast.Return(value):
                if value and self.is_condition and self.function.outer is None:
                    self.asked(value)
                self.emit(core.Return(self.atom(value) if value else None, node))
            case ast.Break():
                self.emit(core.Break(node))
            case ast.Continue():
                self.emit(core.Continue(node))
            case ast.FunctionDef():
                self.local_function(node)
            case _:
                what, hint = named(node, STATEMENTS)
                self.fail(node, f"the language has no {what}", hint)

    def branch(self, test: Atom, body: core.Block, other: core.Block, node: ast.AST) -> core.If:
        return core.If(test, body, other, node, leaves=any(map(leaves, (*body, *other))))

    def used(self, node: ast.expr) -> None:
        """Refuse a statement that Python evaluates for nothing: a call without its parentheses, `==` where `=` was meant."""
        if does_something(node):
            return
        text = self.source.text(node)
        match node:
            case ast.Attribute() | ast.Name():
                hint = f"Write {text}(...) to call it."
            case ast.Compare(ops=[ast.Eq()]):
                hint = "Write `=` to assign, `return` for a result, or require(...) for a guard."
            case _:
                hint = "Assign it, or write require(...) for a guard."
        self.fail(node, f"the value of {text} is not used", hint)

    def perform(self, node: ast.expr) -> None:
        """Evaluate an expression for what it does."""
        if is_plain(node):
            self.emit(core.Do(self.operation(node), node))
        else:
            self.atom(node)

    def assign_name(self, target: ast.Name, value: ast.expr, node: ast.stmt) -> None:
        local = self.target(target)
        before, self.hint = self.hint, local.shown
        match value:
            case ast.YieldFrom():
                self.delegate(value, local)
            case ast.Lambda():
                self.define(value, local)
            case _:
                self.emit(core.Set(local, self.value(value), value))
        self.hint = before

    def assign(self, target: ast.expr, value: Atom, node: ast.stmt) -> None:
        match target:
            case ast.Name():
                self.emit(core.Set(self.target(target), core.Use(value), node))
            case ast.Tuple() | ast.List():
                self.unpack(target, value, node)
            case ast.Attribute():
                owner = self.atom(target.value)
                self.emit(core.SetAttribute(owner, target.attr, self.mangled(target.attr), value, node, target))
            case ast.Subscript():
                owner = self.atom(target.value)
                index, single = self.index(target)
                self.emit(core.SetItem(owner, index, single, value, node, target))
            case ast.Starred():
                self.fail(target, "a starred target takes any number of values", "Name each of the tuple's parts.")
            case _:
                self.fail(target, "this cannot be assigned to")

    def unpack(self, target: ast.Tuple | ast.List, value: Atom, node: ast.stmt) -> None:
        for element in target.elts:
            if isinstance(element, ast.Starred):
                self.assign(element, value, node)
        names = [e for e in target.elts if isinstance(e, ast.Name)]
        if len(names) == len(target.elts):
            self.emit(core.Unpack(tuple(map(self.target, names)), value, node))
            return
        # An index may use a name that another target gives a value: all of them are assigned from left to right.
        parts = [self.temporary() for _ in target.elts]
        self.emit(core.Unpack(tuple(parts), value, node))
        for element, local in zip(target.elts, parts, strict=True):
            self.assign(element, Atom(local, element), node)

    def annotated(self, node: ast.AnnAssign) -> None:
        if not isinstance(node.target, ast.Name):
            self.fail(node.target, "only a local variable is annotated here", "State is declared in the class.")
        local = self.target(node.target)
        self.function.declared[local] = node.annotation
        self.emit(core.Declare(local, node.annotation, node))
        if node.value is not None:
            self.assign_name(node.target, node.value, node)

    def augmented(self, node: ast.AugAssign) -> None:
        target = node.target
        match target:
            case ast.Name():
                old = self.atom(ast.copy_location(ast.Name(target.id, ast.Load()), target), keep=walrus(node.value))
                result = core.Binary(old, node.op, self.atom(node.value))
                self.emit(core.Set(self.target(target), result, node))
            case ast.Attribute():
                owner = self.atom(target.value)
                read = core.Attribute(owner, target.attr, self.mangled(target.attr))
                value = self.changed(read, node)
                self.emit(core.SetAttribute(owner, target.attr, self.mangled(target.attr), value, node, target))
            case ast.Subscript():
                owner = self.atom(target.value, keep=walrus(node.value))
                index, single = self.index(target, keep=walrus(node.value))
                value = self.changed(core.Subscript(owner, index, single), node)
                self.emit(core.SetItem(owner, index, single, value, node, target))

    def changed(self, read: Operation, node: ast.AugAssign) -> Atom:
        """The new value of an augmented assignment, whose target is read once and before the operand is evaluated."""
        old = self.stored(read, node.target)
        return self.stored(core.Binary(old, node.op, self.atom(node.value)), node)

    def loop(self, node: ast.While | ast.For) -> None:
        if node.orelse:
            hint = "Set a truth value in front of each `break`, and ask it behind the loop."
            self.fail(node.orelse[0], "the language has no `else` of a loop", hint)
        if isinstance(node, ast.While):

            def body() -> None:
                if not (isinstance(node.test, ast.Constant) and node.test.value is True):
                    test = self.atom(self.asked(node.test))
                    self.emit(self.branch(test, (), (core.Break(node),), node))
                self.statements(node.body)

            self.emit(core.Loop(self.gathered(body), node))
        else:
            iterable = self.atom(listed(node.iter))
            self.each(node.target, iterable, lambda: self.statements(node.body), node)

    def each(self, target: ast.expr, iterable: Atom, work: Callable[[], object], node: ast.AST) -> None:
        """``for target in iterable: work``."""
        local = self.target(target) if isinstance(target, ast.Name) else self.temporary("element")
        if isinstance(iterable.of, Local) and not iterable.of.temporary:  # the body may give it another value
            iterable = self.stored(core.Use(iterable), iterable.node)

        def body() -> None:
            if not isinstance(target, ast.Name):
                self.assign(target, Atom(local, target), node)  # type: ignore[arg-type]
            work()

        made = self.gathered(body)
        parts = target.elts if isinstance(target, ast.Tuple) else [target]
        names = tuple(e.id for e in parts if isinstance(e, ast.Name))
        self.emit(core.For(local, iterable, made, node, names, frozenset({local, *assigned(made)})))

    def held(self, node: ast.With, items: list[ast.withitem]) -> None:
        item, *rest = items
        if item.optional_vars is not None:
            self.fail(item.optional_vars, "`with` gives no value", "Write `with self.lock(cpu):`.")
        manager = self.stored(core.Use(self.atom(item.context_expr)), item.context_expr, "held")
        body = self.gathered(lambda: self.held(node, rest)) if rest else self.block(node.body)
        self.emit(core.With(manager, body, node))

    def delegate(self, node: ast.YieldFrom, target: Local) -> None:
        if not isinstance(node.value, ast.Call):
            self.fail(node, "`yield from` takes the call of a helper")
        self.emit(core.Delegate(target, self.call(node.value), node))

    # ------------------------------------------------------------------------------------------------------- expressions

    def stored(self, operation: Operation, node: ast.AST, shown: str = "value") -> Atom:
        """The operation's value in a variable of its own."""
        local = self.temporary(shown)
        self.emit(core.Set(local, operation, node))
        return Atom(local, node)

    def atom(self, node: ast.expr, keep: bool = False) -> Atom:
        """The value of an expression.

        keep: it must be the value that it has now, though a later part of the same expression gives the variable another.
        """
        match node:
            case ast.Constant():
                return Atom(Constant(node.value, repr(node.value)), node)
            case ast.Name():
                atom = Atom(self.resolve(node), node)
                return self.stored(core.Use(atom), node) if keep and isinstance(atom.of, Local) else atom
            case ast.BoolOp():
                return self.junction(node)
            case ast.IfExp():
                return self.conditional(node)
            case ast.Compare() if len(node.ops) > 1:
                return self.chain(node)
            case ast.NamedExpr():
                if self.function.generator:
                    hint = "Write the expression where it is used, or ask a helper."
                    self.fail(node, "a comprehension gives no variable of the function a value", hint)
                self.assign_name(node.target, node.value, node)  # type: ignore[arg-type]
                return self.atom(ast.copy_location(ast.Name(node.target.id, ast.Load()), node), keep)
            case ast.YieldFrom():
                local = self.temporary("result")
                self.delegate(node, local)
                return Atom(local, node)
            case ast.Lambda():
                local = self.temporary("lambda")
                self.define(node, local)
                return Atom(local, node)
            case ast.GeneratorExp():
                return self.generator(node)
        return self.stored(self.operation(node), node)

    def value(self, node: ast.expr) -> Operation:
        """The last operation that an expression comes to."""
        return self.operation(node) if is_plain(node) else core.Use(self.atom(node))

    def operation(self, node: ast.expr) -> Operation:
        match node:
            case ast.Attribute():
                return core.Attribute(self.atom(node.value), node.attr, self.mangled(node.attr))
            case ast.Subscript(_, ast.Slice() as bounds) if bounds.lower or bounds.upper or bounds.step:
                owner = self.atom(node.value)
                lower, upper, step = (self.atom(b) if b else None for b in (bounds.lower, bounds.upper, bounds.step))
                return core.Slice(owner, (lower, upper, step))
            case ast.Subscript():
                owner = self.atom(node.value, keep=walrus(node.slice))
                index, single = self.index(node)
                return core.Subscript(owner, index, single)
            case ast.Call(ast.Name() as name, [], []) if self.is_super(name):
                if self.function.outer is not None:
                    what = "super() stands inside of a function of its own, in which Python does not find the class above"
                    self.fail(node, what, "Call it in the method itself, or give what it finds there a name: above = super().name")
                return core.Super()
            case ast.Call():
                return self.call(node)
            case ast.BinOp():
                left, right = self.atoms([node.left, node.right])
                return core.Binary(left, node.op, right)
            case ast.Compare():
                left, right = self.atoms([node.left, among(node, 0)])
                return core.Compare(left, node.ops[0], right)
            case ast.UnaryOp(ast.USub(), ast.Constant(int() as value)):
                return core.Use(Atom(Constant(-value, repr(-value)), node))
            case ast.UnaryOp(ast.Not()):
                return core.Unary(node.op, self.atom(self.asked(node.operand)))
            case ast.UnaryOp():
                return core.Unary(node.op, self.atom(node.operand))
            case ast.Tuple():
                return core.Pack(tuple(self.items(node.elts)))
            case ast.Constant() | ast.Name():
                return core.Use(self.atom(node))
        what, hint = named(node, EXPRESSIONS)
        self.fail(node, f"the language has no {what}", hint)

    def atoms(self, nodes: Sequence[ast.expr]) -> list[Atom]:
        """Several expressions, from left to right."""
        return [self.atom(n, keep=any(map(walrus, nodes[i + 1 :]))) for i, n in enumerate(nodes)]

    def items(self, nodes: Sequence[ast.expr]) -> Iterator[core.Item]:
        """Elements of a tuple, or arguments, each possibly starred."""
        atoms = self.atoms([n.value if isinstance(n, ast.Starred) else n for n in nodes])
        for node, atom in zip(nodes, atoms, strict=True):
            yield Star(atom) if isinstance(node, ast.Starred) else atom

    def index(self, node: ast.Subscript, keep: bool = False) -> tuple[tuple[core.Item | Open, ...], bool]:
        """The parts of an index, and whether it is written without a comma."""
        single = not isinstance(node.slice, ast.Tuple)
        nodes = [node.slice] if single else node.slice.elts  # type: ignore[attr-defined]
        parts: list[core.Item | Open] = []
        for i, part in enumerate(nodes):
            later = keep or any(map(walrus, nodes[i + 1 :]))
            match part:
                case ast.Slice():
                    if part.lower or part.upper or part.step:
                        self.fail(part, "a slice of a map takes no bounds", "Write `:` for all elements.")
                    parts.append(Open(":", part))
                case ast.Constant(value) if value is ...:
                    parts.append(Open("...", part))
                case ast.Starred():
                    parts.append(Star(self.atom(part.value, later)))
                case _:
                    parts.append(self.atom(part, later))
        return tuple(parts), single

    def call(self, node: ast.Call) -> core.Call:
        function = self.atom(node.func, keep=any(walrus(a) for a in (*node.args, *node.keywords)))
        for condition in self.asked_by(self.called(node.func), node):
            self.asked(condition)
        values = [*node.args, *(k.value for k in node.keywords)]
        items = list(self.items(values))
        count = len(node.args)
        keywords = tuple((k.arg, a) for k, a in zip(node.keywords, items[count:], strict=True))
        return core.Call(function, tuple(items[:count]), keywords)  # type: ignore[arg-type]

    def asked(self, condition: ast.expr) -> ast.expr:
        """Note down that nothing is done with this expression but to ask whether it holds."""
        self.conditions.update(operands(condition))
        return condition

    def called(self, function: ast.expr) -> object:
        """The function that a name means, or a name in a module; None for any other."""
        match function:
            case ast.Name():
                found = self.resolve(function)
                return found.value if isinstance(found, Constant) else None
            case ast.Attribute(value, name) if isinstance(module := self.called(value), ModuleType):
                return getattr(module, name, None)
        return None

    def asked_by(self, called: object, node: ast.Call) -> Iterator[ast.expr]:
        """The arguments of a call of a word of the language, or of Python's, that are conditions."""
        given: list[tuple[int | str | None, ast.expr]] = [*enumerate(node.args), *((k.arg, k.value) for k in node.keywords)]
        for place, argument in given:
            if any(called is word and place in places for word, places in _CONDITIONS):
                yield argument
            if called is choose and isinstance(argument, ast.Lambda):
                yield argument.body
            if (called is all or called is any) and isinstance(argument, ast.GeneratorExp):
                yield argument.elt

    def junction(self, node: ast.BoolOp) -> Atom:
        """``t = a; if t: t = b``, and with `or` ``if t: pass; else: t = b``."""
        result = self.temporary("condition", asked=node in self.conditions)

        def operand(number: int) -> None:
            value = node.values[number]
            self.emit(core.Set(result, self.value(value), value))
            if number + 1 < len(node.values):
                rest = self.gathered(lambda: operand(number + 1))
                body, other = (rest, ()) if isinstance(node.op, ast.And) else ((), rest)
                self.emit(self.branch(Atom(result, value), body, other, node))

        operand(0)
        return Atom(result, node)

    def conditional(self, node: ast.IfExp) -> Atom:
        result = self.temporary("value", asked=node in self.conditions)
        test = self.atom(self.asked(node.test))

        def way(value: ast.expr) -> core.Block:
            return self.gathered(lambda: self.emit(core.Set(result, self.value(value), value)))

        self.emit(self.branch(test, way(node.body), way(node.orelse), node))
        return Atom(result, node)

    def chain(self, node: ast.Compare) -> Atom:
        """``a < b < c``: `b` is evaluated once, and `c` only where the first comparison holds."""
        result = self.temporary("condition")

        def link(left: Atom, number: int) -> None:
            later = node.comparators[number + 1 :]
            right = self.atom(among(node, number), keep=any(map(walrus, later)))
            self.emit(core.Set(result, core.Compare(left, node.ops[number], right), node))
            if later:
                rest = self.gathered(lambda: link(right, number + 1))
                self.emit(self.branch(Atom(result, node), rest, (), node))

        link(self.atom(node.left, keep=any(map(walrus, node.comparators))), 0)
        return Atom(result, node)

    # -------------------------------------------------------------------------------------------------- functions inside

    def inner(self, name: str, node: ast.AST, names: Iterable[str], work: Callable[[Function], object]) -> Function:
        """A function inside of this one that binds these names."""
        function = Function(name, self.source, node, outer=self.function)
        for bound in names:
            unique = self.fresh(bound) if isinstance(self.resolve(ast.Name(bound)), Local) else self.mangled(bound)
            function.locals[self.mangled(bound)] = Local(unique, bound, function)
        before, self.function = self.function, function
        function.body = self.gathered(lambda: work(function))
        self.function = before
        return function

    def define(self, node: ast.Lambda, target: Local) -> None:
        def body(function: Function) -> None:
            self.emit(core.Return(self.atom(node.body), node.body))

        self.closure(node, node.args, bound_names(node), body, target)

    def local_function(self, node: ast.FunctionDef) -> None:
        if node.decorator_list:
            self.fail(node, "a local function has no decorator")
        if stops(node):
            self.fail(node, "a local function takes no steps of its own", "Make it a method of the system.")
        target = self.target(ast.copy_location(ast.Name(node.name, ast.Load()), node))

        def body(function: Function) -> None:
            self.statements(node.body)

        self.closure(node, node.args, bound_names(node), body, target)

    def closure(
        self,
        node: ast.Lambda | ast.FunctionDef,
        arguments: ast.arguments,
        names: Iterable[str],
        body: Callable[[Function], object],
        target: Local,
    ) -> None:
        for unusual in (arguments.vararg, arguments.kwarg):
            if unusual is not None:
                self.fail(unusual, "a function inside of another takes a fixed number of arguments")
        given = [(a, d) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if d is not None]
        positional = [*arguments.posonlyargs, *arguments.args]
        given += zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True)
        values = [(a.arg, self.atom(d)) for a, d in given]
        function = self.inner(target.shown, node, names, body)
        kinds: dict[str, Any] = {a.arg: inspect.Parameter.POSITIONAL_ONLY for a in arguments.posonlyargs}
        kinds |= {a.arg: inspect.Parameter.POSITIONAL_OR_KEYWORD for a in arguments.args}
        kinds |= {a.arg: inspect.Parameter.KEYWORD_ONLY for a in arguments.kwonlyargs}
        defaulted = {name for name, _ in values}
        function.parameters = tuple(
            (
                function.locals[self.mangled(name)],
                inspect.Parameter(name, kind, default=None if name in defaulted else inspect.Parameter.empty),
            )
            for name, kind in kinds.items()
        )
        defaults = tuple((function.locals[self.mangled(name)], atom) for name, atom in values)
        self.emit(core.Define(target, function, defaults, node))

    def generator(self, node: ast.GeneratorExp) -> Atom:
        """A generator expression is a function of what its first `for` goes through, which is evaluated at once."""
        first = self.atom(listed(node.generators[0].iter))
        names = bound_names(node)

        def body(function: Function) -> None:
            function.generator = True
            through = Local(self.fresh("through"), "through", function, temporary=True)
            function.locals[" through"] = through  # no user can spell it
            function.parameters = ((through, inspect.Parameter("through", inspect.Parameter.POSITIONAL_OR_KEYWORD)),)
            clause(0, Atom(through, node.generators[0].iter))

        def clause(number: int, iterable: Atom) -> None:
            generator = node.generators[number]
            if generator.is_async:
                self.fail(node, "the language has no async")

            def tests(left: list[ast.expr]) -> None:
                if left:
                    test = self.atom(self.asked(left[0]))
                    rest = self.gathered(lambda: tests(left[1:]))
                    self.emit(self.branch(test, rest, (), left[0]))
                elif number + 1 < len(node.generators):
                    clause(number + 1, self.atom(listed(node.generators[number + 1].iter)))
                else:
                    self.emit(core.Emit(self.atom(node.elt), node.elt))

            self.each(generator.target, iterable, lambda: tests(generator.ifs), node)

        function = self.inner("generator", node, names, body)
        maker = self.temporary("generator")
        self.emit(core.Define(maker, function, (), node))
        return self.stored(core.Call(Atom(maker, node), (first,), ()), node)
