"""Symbolic execution of the core's statements: from a place in the code to the next `yield`, on every path."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Sequence
from typing import Any, assert_never

from flushproof.model import ir
from flushproof.model.errors import ModelError
from flushproof.model.ir import terms

from . import core, declare
from .assignments import Assignments
from .atoms import UNSET
from .core import Atom, Function, Local
from .declarations import Member
from .frames import Block, Exit, Items, Outcome, Return, Rounds, Stack, block
from .normalise import core_of
from .notes import Notes, When
from .operations import MAX_DEPTH
from .source import attribute_place, class_place
from .values import (
    Closure,
    Held,
    Keyed,
    Method,
    Name,
    Path,
    Product,
    Scope,
    Static,
    Step,
    Tup,
    Value,
    articled,
)
from .wording import name_them

MOST_ROUNDS = 1000
"""A loop without a yield whose conditions are all constant may go round so often."""


class Executor(Assignments):
    """Executes statements; see `run`."""

    def __init__(self, declared: Any) -> None:
        super().__init__(declared)
        self.roots: dict[tuple[str, Any], Scope] = {}
        self.notes = Notes()

    def begin(self, member: Member) -> tuple[Function, Scope, Path]:
        """A new step for this method, with `self` bound; its other parameters are the caller's to bind."""
        function = core_of(member.function)
        self.step = Step(kind=member.role.kind)
        scope = self.roots.setdefault((member.owner.path, member.function), Scope(function))
        if not function.parameters or function.parameters[0][0].shown != "self":
            function.source.fail(function.node, f"'{function.name}' needs `self` as its first parameter")
        for local, parameter in function.parameters[1:]:
            several = parameter.kind is parameter.VAR_POSITIONAL and member.role.kind == "process"
            if parameter.default is not parameter.empty:
                hint = "Leave it out: the step is possible for each value; a constant is a class attribute."
                function.source.fail(
                    function.node, f"the parameter '{local.shown}' of {articled(member.role.kind)} has a default", hint
                )
            if parameter.kind is parameter.VAR_KEYWORD or several:
                stars = "*" if several else "**"
                function.source.fail(function.node, f"'{stars}{local.shown}' has no meaning here", name_them(member.function))
        path = Path()
        path.env[scope, function.parameters[0][0]] = member.owner
        return function, scope, path

    def no_parameters(self, function: Function, what: str) -> None:
        """See to it that a method which happens by itself takes none."""
        if len(function.parameters) > 1:
            function.source.fail(function.node, f"{what} takes no parameters", "Use all(... for x in Sort).")

    def note(
        self, when: When, names: set[str], ways: list[Outcome], before: dict[Name, Value], scopes: Sequence[Scope]
    ) -> None:
        """Let a proof note down what a step finds or did.

        names: those of the step; ways: through it, so far; before: its variables at its beginning, in these scopes, the
        innermost last.
        """
        for member, labels in self.notes.of(when, names).items():
            function = core_of(member.function)
            wanted = [local.shown for local, _ in function.parameters[1:]]
            for way in ways:
                running = list(dict.fromkeys([*scopes, *(frame.scope for frame in way.stack)]))
                seen = {**before, **{k: v for k, v in way.path.env.items() if k[0] in running}}
                known = {
                    local.shown: v for s in running for (at, local), v in seen.items() if at is s and not local.temporary
                }
                lacking = next((name for name in wanted if name not in known), None)
                if lacking is not None:
                    others = [name for name in known if name != "self"]
                    self.notes.lacking.update(dict.fromkeys(((member, label) for label in labels), (lacking, others)))
                    continue
                self.notes.noted |= {(member, label) for label in labels}
                args = [known[name] for name in wanted]
                kind, self.step.kind = self.step.kind, when
                self.invoke(
                    Method(member.function, member.owner), args, {}, member.function, function.node, way.path, scopes[0]
                )
                self.step.kind = kind

    # ------------------------------------------------------------------------------------------------------- the machine

    def run(self, stack: Stack, path: Path) -> list[Outcome]:
        """Execute until every path has reached a yield or the end of the stack."""
        while stack:
            top, rest = stack[-1], stack[:-1]
            result: Stack | list[Outcome]
            try:
                match top:
                    case Block():
                        if top.next == len(top.body):
                            stack = rest
                            continue
                        after = (*rest, Block(top.body, top.key, top.next + 1, top.scope))
                        statement = top.body[top.next]
                        result = self.statement(statement, after, path, top.scope)
                        for local in top.scope.function.spent.get(statement, ()):
                            path.env.pop((top.scope, local), None)
                    case Rounds():
                        result = self.round(top, rest, path)
                    case Items():
                        result = self.item(top, rest, path)
                    case Exit():
                        self.release(top, path)
                        result = rest
                    case Return():
                        self.leave(top, Static(None), path)
                        result = rest
                    case _:
                        assert_never(top)
            except ModelError as error:
                raise self.at_the_user(error, top.scope) from None
            if isinstance(result, list):
                return result
            stack = result
        return [Outcome("return", path)]

    def at_the_user(self, error: ModelError, scope: Scope) -> ModelError:
        """What is wrong in another file, a part's, as something wrong at the line of the system that led there."""
        home = class_place(self.declared.cls)
        if error.within or error.place is None or home is None or error.place.file == home.file:
            return error
        while scope.caller is not None:
            if scope.caller.source.file == home.file and scope.site is not None:
                return scope.caller.source.error(scope.site, error.message, error.hint, error.place)
            scope = scope.caller
        owner = next((path for (path, _), root in self.roots.items() if root is scope), "")
        here = attribute_place(self.declared.cls, owner.partition(".")[0])  # a step of the part's own
        return error if here is None else ModelError(error.message, *here, error.hint, error.place)

    def block_once(self, body: core.Block, path: Path, at: Scope) -> None:
        if body:
            ends = self.run((block(body, at),), path.fork())
            path.become(self.merge(path, [(e.path, e.value) for e in ends])[0])

    def statement(self, s: core.Statement, stack: Stack, path: Path, at: Scope) -> Stack | list[Outcome]:
        """Execute one statement; the stack that then remains, or all outcomes where the path forks or stops."""
        match s:
            case core.Set():
                self.assign(s.target, self.operate(s.operation, s.node, path, at, named(s.target)), s.node, path, at)
            case core.Do():
                if isinstance(self.operate(s.operation, s.node, path, at), Held):
                    text = at.source.text(s.node)
                    at.source.fail(s.node, f"{text} alone takes nothing", f"Write `with {text}:`.")
            case core.If():
                return self.branch(s, stack, path, at)
            case core.Unpack():
                self.unpack(s, path, at)
            case core.SetAttribute():
                self.set_attribute(s, path, at)
            case core.SetItem():
                self.set_item(s, path, at)
            case core.Define():
                defaults = tuple((local, self.ev(atom, path, at)) for local, atom in s.defaults)
                path.env[at.of(s.target), s.target] = Closure(s.function, at, defaults)
            case core.Declare():
                pass  # every assignment looks for it: see `assign`
            case core.For():
                return self.loop_over(s, stack, path, at)
            case core.Loop():
                return (*stack, Rounds(s, at))
            case core.With():
                self.acquire(s, path, at)
                return (*stack, Exit(s, at), block(s.body, at))
            case core.Return():
                value = self.ev(s.value, path, at) if s.value is not None else Static(None)
                return self.unwind(stack, value, path)
            case core.Break() | core.Continue():
                return self.jump(s, stack, path)
            case core.Stop():
                return [self.stop(s, stack, path, at)]
            case core.Delegate():
                return self.enter(s, stack, path, at)
            case core.Emit():
                raise AssertionError("only a generator expression emits values")
            case _:
                assert_never(s)
        return stack

    # ---------------------------------------------------------------------------------------------------------- branches

    def branch(self, s: core.If, stack: Stack, path: Path, at: Scope) -> Stack | list[Outcome]:
        cond = self.truth(self.ev(s.test, path, at), s.test.node, at)
        if isinstance(cond, ir.Lit):
            body = s.body if cond.value else s.other
            return (*stack, block(body, at)) if body else stack
        yes, no = path.fork(cond), path.fork(terms.not_(cond))
        if s.leaves:
            return [
                *self.run((*stack, block(s.body, at)), yes),
                *self.run((*stack, block(s.other, at)), no),
            ]
        ends = [*self.run((block(s.body, at),), yes), *self.run((block(s.other, at),), no)]
        path.become(self.merge(path, [(e.path, e.value) for e in ends])[0])
        return stack

    def merge(self, base: Path, ends: list[tuple[Path, Value]]) -> tuple[Path, Value]:
        """One path for several that together cover `base`, and one value for the values they returned."""
        if len(ends) == 1:
            end, value = ends[0]
            return Path(end.env, base.conds, end.facts, end.updates, end.loops, base.binders), value
        merged = base.fork()
        relative = [terms.and_(*end.conds[len(base.conds) :]) for end, _ in ends]
        first, *others = [end.env for end, _ in ends]
        merged.env = {}
        for key in {**first, **{k: None for env in others for k in env}}:
            values = [env.get(key, UNSET) for env in (first, *others)]
            if all(v is values[0] for v in values):
                merged.env[key] = values[0]
            else:
                merged.env[key] = self.select(relative, values)
        merged.updates = Path.written(end for end, _ in ends)
        for end, _ in ends:
            merged.loops.update(end.loops)
        for (end, _), cond in zip(ends, relative, strict=True):
            merged.facts += tuple(terms.implies(cond, f) for f in end.facts[len(base.facts) :])
        return merged, self.select(relative, [value for _, value in ends])

    # ------------------------------------------------------------------------------------------------------------- loops

    def round(self, top: Rounds, rest: Stack, path: Path) -> Stack:
        """Begin one more round.  Without a yield in it a loop may go round again only where no branch depended on the state."""
        rounds, branches = path.loops.get(top, (0, len(path.conds)))
        node = top.loop.node
        if rounds and branches != len(path.conds):
            top.scope.source.fail(
                node,
                "this loop may go round without a yield",
                'Put a `yield "label"` on each way round, so that others may run, or loop over a sort with `for`.',
            )
        if rounds > MOST_ROUNDS:
            top.scope.source.fail(node, f"this loop goes round more than {MOST_ROUNDS:,} times without a yield")
        path.loops[top] = (rounds + 1, len(path.conds))
        return (*rest, top, block(top.loop.body, top.scope))

    def loop_over(self, s: core.For, stack: Stack, path: Path, at: Scope) -> Stack:
        value = self.ev(s.iterable, path, at)
        iterated = self.iterated(value, s.iterable.node, at)
        if isinstance(iterated, Product):
            self.at_once(s, iterated, path, at)
            return stack
        return (*stack, Items(s, 0, at))

    def item(self, top: Items, rest: Stack, path: Path) -> Stack:
        iterable = top.loop.iterable
        items = self.iterated(self.ev(iterable, path, top.scope), iterable.node, top.scope)
        assert not isinstance(items, Product)
        if top.next == len(items):
            return rest
        self.assign(top.loop.target, items[top.next], top.loop.node, path, top.scope)
        return (*rest, Items(top.loop, top.next + 1, top.scope), block(top.loop.body, top.scope))

    def jump(self, s: core.Break | core.Continue, stack: Stack, path: Path) -> Stack | list[Outcome]:
        """Leave a loop, or its round."""
        while stack:
            top, rest = stack[-1], stack[:-1]
            match top:
                case Rounds() | Items():
                    if isinstance(s, core.Break):
                        path.loops.pop(top, None)
                        return rest
                    return stack
                case Exit():
                    self.release(top, path)
            stack = rest
        assert isinstance(s, core.Continue), "Python has no break outside of a loop, and none leaves one over a sort"
        return [Outcome("return", path)]  # the round is over, and the loop's rounds happen at once

    # ------------------------------------------------------------------------------------------------- calls and returns

    def invoke(
        self,
        function: Value,
        args: list[Value],
        keywords: dict[str, Value],
        call: object,
        node: ast.AST,
        path: Path,
        at: Scope,
    ) -> Value:
        scope = self.callee(function, args, keywords, call, node, path, at)
        if scope.function.stops:
            text = at.source.text(node)
            at.source.fail(node, f"'{scope.function.name}' takes several steps", f"Write `yield from {text}`.")
        start = path.fork()
        ends = self.run((block(scope.function.body, scope),), start)
        merged, value = self.merge(path, [(e.path, e.value) for e in ends])
        if isinstance(value, Closure) and value.scope is scope:
            at.source.fail(node, "a helper's lambda has no meaning outside of the helper", "Make it a method.")
        merged.env = {key: v for key, v in merged.env.items() if key[0] is not scope}
        path.become(merged)
        return value

    def callee(
        self,
        function: Value,
        args: list[Value],
        keywords: dict[str, Value],
        call: object,
        node: ast.AST,
        path: Path,
        at: Scope,
    ) -> Scope:
        """Bind a call's arguments in its scope."""
        if isinstance(function, Method):
            target, outer = core_of(function.function, called=True), None
            first: list[Value] = [] if function.owner is None else [function.owner]
            name = function.function.__name__
        else:
            assert isinstance(function, Closure)
            target, outer, first, name = function.function, function.scope, [], function.function.name
        if at.depth >= MAX_DEPTH:
            at.source.fail(node, f"'{name}' calls itself", "Constants must say where that ends; else write a loop.")
        signature = inspect.Signature([p for _, p in target.parameters])
        try:
            bound = signature.bind(*first, *args, **keywords)
        except TypeError as error:
            at.source.fail(node, f"{name}: {error}")
        scope = at.inner(call, target, outer, node)
        defaults = dict(function.defaults) if isinstance(function, Closure) else {}
        for local, parameter in target.parameters:
            given = bound.arguments.get(parameter.name, inspect.Parameter.empty)
            if parameter.kind is parameter.VAR_POSITIONAL:
                value: Value = Tup(given if given is not inspect.Parameter.empty else ())
            elif parameter.kind is parameter.VAR_KEYWORD:
                value = Static({}) if given is inspect.Parameter.empty else Keyed(tuple(given.items()))
            elif given is not inspect.Parameter.empty:
                value = given
            else:
                value = defaults[local] if local in defaults else Static(parameter.default)
            self.refuse_once(local.shown, value, node, at)
            path.env[scope, local] = value
        return scope

    def enter(self, s: core.Delegate, stack: Stack, path: Path, at: Scope) -> Stack:
        """``yield from self.part.helper(...)``: go on in the helper."""
        function = self.ev(s.call.function, path, at)
        if isinstance(function, Static) and inspect.isfunction(function.value):
            function = Method(function.value, None)
        if not isinstance(function, Method):
            at.source.fail(s.node, f"{at.source.text(s.call.function.node)} is not a method")
        args = [v for _, v in self.items(s.call.args, path, at)]
        scope = self.callee(function, args, self.keywords(s.call, path, at), s, s.node, path, at)
        if not scope.function.stops:
            text = at.source.text(s.call.function.node)
            at.source.fail(
                s.node,
                f"'{scope.function.name}' takes no step of its own",
                f"Call it without `yield from`: {text}(...).",
            )
        if declare.role_of(function.function) is not None and self.declared.happens(function):
            kind = articled(declare.role_of(function.function).kind)  # type: ignore[union-attr]
            at.source.fail(s.node, f"'{scope.function.name}' is {kind} and happens by itself")
        return (*stack, Return(s.target, s.node, at, scope), block(scope.function.body, scope))

    def leave(self, frame: Return, value: Value, path: Path) -> None:
        path.env = {key: v for key, v in path.env.items() if key[0] is not frame.callee}
        self.assign(frame.target, value, frame.node, path, frame.scope)

    def unwind(self, stack: Stack, value: Value, path: Path) -> Stack | list[Outcome]:
        """`return`: release what is held, and go on in the caller."""
        while stack:
            top, stack = stack[-1], stack[:-1]
            match top:
                case Exit():
                    self.release(top, path)
                case Return():
                    self.leave(top, value, path)
                    return stack
        return [Outcome("return", path, value)]

    # -------------------------------------------------------------------------------------------------------- with, yield

    def held(self, atom: Atom, path: Path, at: Scope) -> Held:
        found = self.ev(atom, path, at)
        if not isinstance(found, Held):
            at.source.fail(atom.node, "`with` takes a part that can be held", "Write `with self.lock(cpu):`.")
        return found

    def acquire(self, s: core.With, path: Path, at: Scope) -> None:
        held = self.held(s.manager, path, at)
        text = at.source.text(s.manager.node).partition("(")[0]
        for name in ("acquire", "release"):
            method = getattr(type(held.part.python), name, None)
            if method is None:
                hint = "`with` calls both: acquire at its beginning, release at its end."
                at.source.fail(s.manager.node, f"'{held.part.path[:-1]}' has no {name}", hint)
            if core_of(method).stops:
                hint = f"Write `yield from {text}.acquire(...)` and {text}.release(...), with what is done in between."
                at.source.fail(s.manager.node, f"'{held.part.path[:-1]}' takes several steps to {name}", hint)
        self.hold("acquire", held, s, path, at)

    def release(self, frame: Exit, path: Path) -> None:
        self.hold("release", self.held(frame.held.manager, path, frame.scope), frame.held, path, frame.scope)

    def resume(self, stack: Stack, path: Path) -> None:
        """What is held where a step begins says whether it may be taken, the outermost first."""
        for frame in stack:
            if isinstance(frame, Exit):
                held = self.held(frame.held.manager, path, frame.scope)
                if getattr(type(held.part.python), "resume", None) is not None:
                    self.hold("resume", held, frame.held, path, frame.scope)

    def hold(self, name: str, held: Held, s: core.With, path: Path, at: Scope) -> None:
        method = Method(getattr(type(held.part.python), name), held.part)
        self.invoke(method, list(held.args.items), {}, (s, name), s.manager.node, path, at)

    def stop(self, s: core.Stop, stack: Stack, path: Path, at: Scope) -> Outcome:
        if self.step.kind != "process":
            at.source.fail(s.node, "only a process takes several steps", "Decorate it with @process(Cpu).")
        label = s.value.value if isinstance(s.value, ast.Constant) else None
        if not (isinstance(label, str) and label):
            hint = 'Write yield "label".'
            if isinstance(s.value, (ast.JoinedStr, ast.Name, ast.Attribute, ast.BinOp)):
                hint = 'A label is a plain string, and may have variables in braces: yield "flushes {page}".'
            at.source.fail(s.node, "a yield names the step that follows", hint)
        return Outcome("yield", path, node=s.node, label=label, stack=stack)


def named(target: Local) -> str:
    """The user's name for what gets a value."""
    return target.hint if target.temporary else target.shown
