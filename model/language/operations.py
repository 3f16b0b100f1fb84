"""Symbolic execution of the core's operations: each takes values, and gives one."""

from __future__ import annotations

import ast
import enum
import functools
import inspect
import types
from collections.abc import Mapping, Set
from typing import Annotated, Any, NoReturn, Optional

from flushproof.model.errors import nearest

from . import core, declare
from .conversions import items_of
from .core import Atom
from .objects import Objects
from .values import (
    Closure,
    Generated,
    Held,
    Keyed,
    MapRef,
    Method,
    Object,
    Path,
    Scope,
    Static,
    Tup,
    Value,
    articled,
    is_number,
)
from .wording import function_hint

MAX_DEPTH = 40
SETTLED = ("invariant", "reachable", "lemma", "hint", "axiom", "final")
"""The kinds of methods that say something of one state."""


class Operations(Objects):
    """Executes operations on a path; what they call may write to it."""

    # ------------------------------------------------------------------------------------------------ to be completed

    def word(
        self, call: core.Call, function: Static, node: ast.AST, path: Path, at: Scope, target: str
    ) -> Value | None:
        """The value of a call of one of the language's own words; None if it is none."""
        raise NotImplementedError

    # -------------------------------------------------------------------------------------------------------- operations

    def operate(self, operation: core.Operation, node: ast.AST, path: Path, at: Scope, target: str = "") -> Value:
        """The value of an operation.

        target: the user's name for the variable that gets it, for who reads a trace.
        """
        match operation:
            case core.Use(atom):
                return self.ev(atom, path, at)
            case core.Attribute():
                return self.attribute(self.ev(operation.owner, path, at), operation, node, path, at)
            case core.Subscript():
                return self.subscript(operation, node, path, at)
            case core.Slice():
                return self.slice(operation, node, path, at)
            case core.Call():
                return self.call(operation, node, path, at, target)
            case core.Binary():
                return self.binary(operation, node, path, at)
            case core.Compare():
                left, right = self.ev(operation.left, path, at), self.ev(operation.right, path, at)
                return self.compare(operation.operator, left, right, node, path, at)
            case core.Unary():
                return self.unary(operation, node, path, at)
            case core.Pack(items):
                return Tup(tuple(v for _, v in self.items(items, path, at)))
            case core.Super():
                return self.super(node, path, at)

    # -------------------------------------------------------------------------------------------------- reading a state

    def subscript(self, operation: core.Subscript, node: ast.AST, path: Path, at: Scope) -> Value:
        value = self.ev(operation.owner, path, at)
        owner = operation.owner.node
        if isinstance(value, MapRef):
            args = self.index(owner, operation.index, value.variable, node, path, at)
            if None in args:
                at.source.fail(node, "a slice can only be written", "Read with all(...) or any(...) over the sort.")
            return self.read(value.variable, tuple(a for a in args if a is not None), node, path, at)
        position: Value | None = None
        if all(isinstance(part, Atom) for part in operation.index):
            given = tuple(self.ev(part, path, at) for part in operation.index if isinstance(part, Atom))
            position = constant(given[0] if operation.single else Tup(given))
        parts = items_of(value)
        if parts is not None:
            if (
                isinstance(position, Static)
                and is_number(position.value)
                and -len(parts) <= position.value < len(parts)
            ):
                chosen: Value = parts[position.value]
                return chosen
            hint = f"It has {len(parts)} parts; where it depends on the state which is meant, write `if`, or `... if ... else ...`."
            at.source.fail(node, "a tuple is indexed by a constant number", hint)
        if isinstance(value, Static) and value.value is tuple:
            hint = "Choose each part: `page, dirty = choose(Page), choose(bool)`."
            at.source.fail(node, f"{at.source.text(node)} is no single value", hint)
        if isinstance(value, Static) and value.value in (Optional, Annotated):
            return self.annotated(value.value, operation, node, path, at)
        if isinstance(value, Static) and isinstance(position, Static):
            names: Mapping[Any, Any] | None = value.value if isinstance(value.value, Mapping) else None
            if isinstance(value.value, type) and issubclass(value.value, enum.Enum):
                names = value.value.__members__
            if names is not None:
                try:
                    return Static(names[position.value])
                except KeyError:
                    at.source.fail(
                        node,
                        f"{at.source.text(owner)} has no {position.value!r}",
                        nearest(str(position.value), list(map(str, names)), "names"),
                    )
        hint = "Declare it as Map[...] to index it."
        if isinstance(value, Static) and isinstance(value.value, list):
            hint = "Make it a tuple, which is indexed by a constant; a list may change."
            if any(isinstance(part, declare.Part) for part in value.value):
                hint = "Give each part a name of its own: `first = Lock()`, and write self.first."
        elif isinstance(value, Static) and isinstance(value.value, Mapping):
            hint = "It is indexed by a constant; for what depends on the state declare a Map[...], or write `if`."
        elif isinstance(value, Keyed):
            hint = "Name the parameters."
        at.source.fail(node, f"{at.source.text(owner)} is not a map", hint)

    def annotated(self, form: Any, operation: core.Subscript, node: ast.AST, path: Path, at: Scope) -> Value:
        """``Optional[Cpu]`` or ``Annotated[int, Range(0, 3)]``, as it stands in `choose` and `each`."""
        given = [self.ev(part, path, at) if isinstance(part, Atom) else None for part in operation.index]
        parts = [v.value for v in given if isinstance(v, Static)]
        try:
            if len(parts) == len(given):
                return Static(form[parts[0] if operation.single else tuple(parts)])
        except TypeError:
            pass
        at.source.fail(
            node, f"{at.source.text(node)} is not a sort", "Write Optional[Cpu], or Annotated[int, Range(0, 3)]."
        )

    def slice(self, operation: core.Slice, node: ast.AST, path: Path, at: Scope) -> Value:
        value = self.ev(operation.owner, path, at)
        parts = items_of(value)
        if parts is None:
            at.source.fail(node, "a slice of a map takes no bounds", "Write `:` for all elements.")
        bounds = [None if b is None else self.ev(b, path, at) for b in operation.bounds]
        if not all(b is None or (isinstance(b, Static) and is_number(b.value)) for b in bounds):
            at.source.fail(node, "the bounds of a tuple's slice are constants")
        lower, upper, step = (b.value if isinstance(b, Static) else None for b in bounds)
        if step == 0:
            at.source.fail(node, "the step of a slice is not 0")
        return Tup(parts[lower:upper:step])

    # ------------------------------------------------------------------------------------------------------------- calls

    def call(self, operation: core.Call, node: ast.AST, path: Path, at: Scope, target: str) -> Value:
        function = self.ev(operation.function, path, at)
        if isinstance(function, Static) and callable(function.value):
            found = self.word(operation, function, node, path, at, target)
            if found is not None:
                return found
            if inspect.isfunction(function.value):
                function = Method(function.value, None)
        args = [v for _, v in self.items(operation.args, path, at)]
        keywords = self.keywords(operation, path, at)
        if isinstance(function, Object):
            if keywords:
                at.source.fail(node, "what is held takes no keywords", "Write `with self.lock(cpu):`.")
            return Held(function, Tup(tuple(args)))
        if isinstance(function, Static) and isinstance(function.value, type) and issubclass(function.value, enum.Enum):
            return self.enumeration(function.value, args, node, at)
        if not isinstance(function, (Method, Closure)):
            self.not_callable(function, operation, node, at)
        if isinstance(function, Method):
            role = declare.role_of(function.function)
            if role is not None and role.kind not in ("closure", "hint") and self.declared.happens(function):
                at.source.fail(
                    node,
                    f"'{function.function.__name__}' is {articled(role.word)} and happens by itself",
                    "Move what both need into a plain method.",
                )
        elif function.function.generator:
            return Generated(function, args[0])
        return self.invoke(function, args, keywords, operation, node, path, at)

    def keywords(self, operation: core.Call, path: Path, at: Scope) -> dict[str, Value]:
        """Keyword arguments; a constant mapping behind `**` is taken apart."""
        found: dict[str, Value] = {}
        for name, atom in operation.keywords:
            value = self.ev(atom, path, at)
            if name is not None:
                given: Mapping[str, Value] = {name: value}
            elif isinstance(value, Keyed):
                given = dict(value.items)
            elif isinstance(value, Static) and isinstance(value.value, Mapping):
                given = {str(k): Static(v) for k, v in value.value.items()}
            else:
                at.source.fail(atom.node, "only a constant mapping can be unpacked here, or what a `**` parameter was given")
            for key in given.keys() & found.keys():
                at.source.fail(atom.node, f"the argument '{key}' is given twice")
            found.update(given)
        return found

    def not_callable(self, function: Value, operation: core.Call, node: ast.AST, at: Scope) -> NoReturn:
        text = at.source.text(operation.function.node)
        hint = f"Call the system's own methods, or one of: {', '.join(self.words())}."
        if isinstance(called := function.value if isinstance(function, Static) else None, type):
            if issubclass(called, declare.Counter):
                hint = f"Write fresh({text}); the first value is 0."
            elif issubclass(called, declare.Sort):
                number = ", or a number" if called.ordered else ""
                hint = f"Write choose({text}), or use a parameter{number}."
            elif called.__module__ != "builtins":
                hint = f"Make one in the class or the module, where it is a constant: `given = {text}(...)`."
        elif isinstance(called, types.MethodType):
            hint = f"Call it in the class or the module, where its value is a constant: `known = {text}(...)`."
            if isinstance(called.__self__, enum.Enum):
                member, _, name = text.rpartition(".")
                hint = f"Write {type(called.__self__).__name__}.{name}({member})."
        elif isinstance(called, types.BuiltinMethodType) and isinstance(called.__self__, str):
            hint = "A text is a constant, and its braces name parameters and variables."
        elif isinstance(called, types.BuiltinMethodType) and isinstance(called.__self__, (tuple, Mapping, Set)):
            made = f"tuple({text}())" if isinstance(called.__self__, Mapping) else f"{text}(...)"
            hint = f"Call it in the class or the module, where its value is a constant: `known = {made}`."
            if called.__name__ == "get":
                hint = f"Write {text.removesuffix('.get')}[...] of a constant; for what depends on the state write `if`."
        elif isinstance(called, functools.partial):
            hint = "Write a function that gives the arguments."
        at.source.fail(node, f"{text} cannot be called in a model", function_hint(called) or hint)

    def words(self) -> list[str]:
        raise NotImplementedError

    def enumeration(self, cls: type[enum.Enum], args: list[Value], node: ast.AST, at: Scope) -> Value:
        """``Kind(1)``: the member with this value."""
        if len(args) == 1 and isinstance(args[0], Static):
            try:
                return Static(cls(args[0].value))
            except ValueError:
                at.source.fail(node, f"{cls.__name__} has no member with the value {args[0].value!r}")
        at.source.fail(
            node, f"{cls.__name__}(...) takes a constant", f"Name the member: {cls.__name__}.{next(iter(cls)).name}."
        )


def constant(value: Value) -> Value:
    """A tuple of constants as a constant; any other value as it is."""
    parts = tuple(map(constant, items_of(value) or ()))
    if isinstance(value, Tup) and all(isinstance(part, Static) for part in parts):
        return Static(tuple(part.value for part in parts if isinstance(part, Static)))
    return value
