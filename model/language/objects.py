"""Symbolic execution of what is asked of the system, its parts and its state: attributes, and locations as a step has left them."""

from __future__ import annotations

import ast
import inspect
import types
from typing import Any, NoReturn

from flushproof.model import ir
from flushproof.model.errors import nearest
from flushproof.model.ir import terms

from . import core, declare
from .comparisons import Comparisons
from .conversions import items_of
from .core import Atom, Open, Star
from .types import hints
from .values import (
    Above,
    Access,
    MapRef,
    Method,
    Object,
    Path,
    Scope,
    Static,
    Value,
    articled,
)


class Objects(Comparisons):
    """Reads attributes and state."""

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
        """The value of a call, whose effects go to `path`; `call` is the place that tells its scope from others."""
        raise NotImplementedError

    def super(self, node: ast.AST, path: Path, at: Scope) -> Value:
        method: Scope | None = at
        while method is not None and method.outer is not None:
            method = method.outer
        assert method is not None
        function = method.source.function
        free = function.__code__.co_freevars
        first = next(iter(method.function.parameters), (None, None))[0]
        owner = path.env.get((method, first)) if first is not None else None
        if "__class__" not in free or not isinstance(owner, Object):
            at.source.fail(node, "super() has a meaning in a method only")
        cells: Any = function.__closure__
        cls: type = cells[free.index("__class__")].cell_contents
        return Above(owner, cls)

    def attribute(self, value: Value, operation: core.Attribute, node: ast.AST, path: Path, at: Scope) -> Value:
        found: Value | None = None
        name = operation.mangled
        match value:
            case Object():
                found = self.member(value, name, node, path, at)
            case Above():
                mro = (value.owner.python if isinstance(value.owner.python, type) else type(value.owner.python)).__mro__
                above = next((c for c in mro[mro.index(value.cls) + 1 :] if name in vars(c)), None)
                if above is not None:
                    found = self.bound(vars(above)[name], value.owner, node, path, at)
            case Static(type() as sort) if issubclass(sort, declare.Sort) and name == "size":
                reason = f"{sort.__name__}.size is its default, and not how many elements there are"
                at.source.fail(node, reason, f"Write size({sort.__name__}).")
            case Static(declare.Part() as part):
                known = self.declared.parts.get(id(part))
                hint = "Give it to the system, or to a part, under a name of its own: `lock = Lock()`, and write self.lock."
                if known is not None:
                    hint = f"Write self.{known.path[:-1]}."
                text = at.source.text(operation.owner.node)
                at.source.fail(node, f"{text} is a part, which is reached through `self` only", hint)
            case Static():
                try:
                    found = Static(getattr(value.value, name))
                except AttributeError:
                    pass
                except Exception as error:  # it is the user's own code
                    owner = at.source.text(operation.owner.node)
                    at.source.fail(node, f"{owner}.{operation.name} raises {type(error).__name__}: {error}")
        return found if found is not None else self.no_attribute(value, operation, node, at)

    def no_attribute(self, value: Value, operation: core.Attribute, node: ast.AST, at: Scope) -> NoReturn:
        """Say what there is instead."""
        name, owner = operation.name, at.source.text(operation.owner.node)
        match value:
            case Object():
                members = [n[len(value.path) :].split(".")[0] for n in self.variables if n.startswith(value.path)]
                members += [n for n in dir(value.python) if not n.startswith("_")]
                what = value.path[:-1] or "the system"
                at.source.fail(node, f"{what} has no '{name}'", nearest(name, members, f"members of {what}"))
            case Above():
                at.source.fail(node, f"no class above {value.cls.__name__} has '{name}'")
            case Static(type() as part) if issubclass(part, declare.Part):
                hint = f"A part is made by calling its class: `lock = {part.__name__}(...)`."
                at.source.fail(node, f"{owner} is the class of a part, and no part", hint)
            case Static(type() as cls) if issubclass(cls, declare.System) and name in hints(cls):
                at.source.fail(node, f"'{name}' is state, which an object has and not {owner}", f"Write self.{name}.")
            case Static():
                names = [n for n in dir(value.value) if not n.startswith("_")]
                at.source.fail(node, f"{owner} has no '{name}'", nearest(name, names, f"members of {owner}"))
            case ir.Node():
                sort = value.sort.name
                if isinstance(value.sort, ir.EnumSort):
                    if hasattr(next(iter(self.declared.enumerations[sort])), name):
                        hint = f"Make it a helper of the system that takes {articled(sort)}, and compares."
                        what = f"'{name}' of {sort} is known of its members only, and {owner} depends on the state"
                        at.source.fail(node, what, hint)
                    hint = f"A member is compared as it is: {owner} == {sort}.{value.sort.members[0]}."
                else:
                    hint = f"Facts about {articled(str(sort))} are kept in maps: self.{name}[{owner}]."
                at.source.fail(node, f"{articled(str(sort))} has no '{name}'", hint)
            case MapRef():
                hint = f"Read it at an index, {owner}[...]; ask all(...) or any(...) of the sort that it is indexed by."
                at.source.fail(node, f"{owner} is a map of the state and has no '{name}'", hint)
            case Method():
                at.source.fail(node, f"{owner} is a method and has no '{name}'", f"Write {owner}(...) to call it.")
        at.source.fail(node, f"{owner} has no '{name}'", "Of a tuple there are its parts and slices; of a text nothing.")

    def member(self, owner: Object, name: str, node: ast.AST, path: Path, at: Scope) -> Value | None:
        """What ``self.name`` is: state, a knob, a part, a method, a constant."""
        variable = self.variables.get(owner.path + name)
        if variable is not None:
            if variable.name in self.fixed:
                return self.fixed[variable.name]
            return MapRef(variable) if variable.index else self.read(variable, (), node, path, at)
        if isinstance(owner.python, declare.Part) and name in vars(owner.python):
            own = vars(owner.python)[name]
            if isinstance(own, declare.Part):
                return self.declared.part(own)
            if inspect.isfunction(own):
                return Method(own, self.declared.parent(owner))
            return Static(own)
        cls = owner.python if isinstance(owner.python, type) else type(owner.python)
        try:
            found = inspect.getattr_static(cls, name)
        except AttributeError:
            return None
        return self.bound(found, owner, node, path, at)

    def bound(self, found: Any, owner: Object, node: ast.AST, path: Path, at: Scope) -> Value:
        """What a class attribute is of an object of the class."""
        match found:
            case declare.Part():
                return self.declared.part(found)
            case staticmethod():
                return Static(found.__func__)
            case classmethod():
                at.source.fail(node, "the language has no classmethod", "Make it a plain method, or a staticmethod.")
            case property():
                if found.fget is None:
                    at.source.fail(node, "this property cannot be read")
                return self.invoke(Method(found.fget, owner), [], {}, node, node, path, at)
            case declare.Knob():
                return Static(found)
        if inspect.isfunction(found):
            return Method(found, owner)
        if isinstance(found, types.GetSetDescriptorType):
            name = found.__name__
            at.source.fail(node, f"the language has no {name}", "What the system has is known when compiling: write self.name.")
        if hasattr(type(found), "__get__"):
            name = type(found).__name__.strip("_")
            at.source.fail(node, f"the language has no {name} around a method", "Write a plain method.")
        return Static(found)

    def read(self, variable: ir.StateVar, args: tuple[ir.Expr, ...], node: ast.AST, path: Path, at: Scope) -> ir.Expr:
        """The value of a location as the step has left it so far."""
        if path.binders:
            self.step.accesses.append(Access(variable.name, args, node, at))
        value: ir.Expr = ir.Read(variable.name, args, variable.sort)
        for update in path.updates:
            if update.var == variable.name:
                match, bind = match_location(update, args)
                written = terms.and_(match, terms.substitute(update.cond, bind))
                written = without(written, path.conds)
                value = terms.ite(written, terms.substitute(update.value, bind), value)
        return value

    def index(
        self,
        owner: ast.AST,
        parts: tuple[core.Item | Open, ...],
        variable: ir.StateVar,
        node: ast.AST,
        path: Path,
        at: Scope,
    ) -> list[ir.Expr | None]:
        """The index of a location as terms; None for each position that a `:` or `...` leaves open."""
        found: list[tuple[ast.AST, Value | None]] = []
        for part in parts:
            match part:
                case Open(":"):
                    found.append((part.node, None))
                case Open():
                    found += [(part.node, None)] * (len(variable.index) - len(parts) + 1)
                case Star():
                    found += [(part.atom.node, v) for v in self.starred(part, path, at)]
                case Atom():
                    value = self.ev(part, path, at)
                    several = items_of(value)
                    if several is not None and len(parts) > 1:
                        at.source.fail(part.node, "a tuple is no index", f"Write *{at.source.text(part.node)}.")
                    found += [(part.node, v) for v in (value,) if several is None]
                    found += [(part.node, v) for v in several or ()]
        if len(found) != len(variable.index):
            self.wrong_index(owner, found, variable, node, at)
        return [
            None if value is None else self.expr(value, where, at, sort, path)
            for (where, value), sort in zip(found, variable.index, strict=True)
        ]

    def wrong_index(
        self, owner: ast.AST, found: list[tuple[ast.AST, Value | None]], variable: ir.StateVar, node: ast.AST, at: Scope
    ) -> NoReturn:
        count = f"{len(variable.index)} {'index' if len(variable.index) == 1 else 'indices'}"
        wanted = ", ".join(s.name for s in variable.index)
        given = [at.source.text(n) if value is not None else ":" for n, value in found[: len(variable.index)]]
        form = ", ".join([*given, *":" * (len(variable.index) - len(given))])
        where = ", where `:` stands for all elements" if ":" in form else ""
        at.source.fail(
            node,
            f"'{variable.name}' has {count} ({wanted}), not {len(found)}",
            f"Write {at.source.text(owner)}[{form}]{where}.",
        )


def match_location(update: ir.Update, args: tuple[ir.Expr, ...]) -> tuple[ir.Expr, dict[ir.Var, ir.Expr]]:
    """When `update` writes the location `args` (its own condition aside), and what its binders then are."""
    bind = {mine: given for mine, given in zip(update.args, args, strict=True) if mine in update.binders}
    fixed = [
        terms.eq(terms.substitute(mine, bind), given)
        for mine, given in zip(update.args, args, strict=True)
        if mine not in update.binders
    ]
    return terms.and_(*fixed), bind


def without(cond: ir.Expr, known: tuple[ir.Expr, ...]) -> ir.Expr:
    """`cond` with those of its conjuncts left out that are known to hold."""
    facts = {part for k in known for part in terms.conjuncts(k)}
    parts = terms.conjuncts(cond)
    if any(terms.not_(p) in facts for p in parts):
        return ir.FALSE
    return terms.and_(*(p for p in parts if p not in facts))
