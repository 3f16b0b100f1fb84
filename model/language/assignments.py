"""Symbolic execution of assignments: to variables, to tuples of them, and to state, of which the last write in a step counts."""

from __future__ import annotations

import ast
from types import CellType
from typing import Any

from flushproof.model import ir

from . import core
from .conversions import items_of
from .core import Local
from .loops import Loops
from .notes import Notes
from .values import (
    Access,
    MapRef,
    Object,
    Once,
    Path,
    Scope,
    Value,
    articled,
    is_once,
)


class Assignments(Loops):
    """Executes assignments; notes: what a proof notes down, and which ghosts are its own."""

    notes: Notes

    def assign(self, target: Local, value: Value, node: ast.AST, path: Path, at: Scope) -> None:
        if not target.temporary:
            self.refuse_once(target.shown, value, node, at)
        if target.asked:  # so numbers and truth values may come together in it
            value = self.truth(value, node, at)
        sort = self.annotation(target, at)
        if sort is not None:
            plain = self.is_plain(value, sort)
            value = self.expr(value, node, at, sort, path)
            if plain:
                self.step.numbers.add(value)
        path.env[at.of(target), target] = value

    def annotation(self, target: Local, at: Scope) -> ir.Sort | None:
        """The sort that the function declares for a variable."""
        declared = at.function.declared
        if target not in declared:
            return None
        found = declared[target]
        if isinstance(found, ast.expr):
            try:
                names = at.source.function.__globals__, around(at.source.function)
                value = eval(ast.unparse(found), *names)
                value = eval(value, *names) if isinstance(value, str) else value
            except Exception:
                at.source.fail(found, f"the annotation of '{target.shown}' cannot be read", "Name a sort.")
            found = declared[target] = at.source.at(found, lambda: self.declared.sort(value))
        sort: ir.Sort = found
        return sort

    def unpack(self, s: core.Unpack, path: Path, at: Scope) -> None:
        value = self.ev(s.value, path, at)
        items = value.items if isinstance(value, Once) else items_of(value)
        if items is None or len(items) != len(s.targets):
            count = f"{len(s.targets)} values are needed here"
            if items is None:
                text = at.source.text(s.value.node)
                at.source.fail(s.node, f"{count}, and {text} is no tuple", "Only a tuple is taken apart.")
            at.source.fail(s.node, f"{count}, not {len(items)}")
        for target, item in zip(s.targets, items, strict=True):
            self.assign(target, item, s.value.node, path, at)

    def set_attribute(self, s: core.SetAttribute, path: Path, at: Scope) -> None:
        owner = self.ev(s.owner, path, at)
        variable = self.variables.get(owner.path + s.mangled) if isinstance(owner, Object) else None
        text = at.source.text(s.target)
        if variable is None:
            self.attribute(owner, core.Attribute(s.owner, s.name, s.mangled), s.target, path, at)
            at.source.fail(s.target, f"'{text}' is not state", "Only declared state can be assigned.")
        if variable.index:
            at.source.fail(s.target, f"'{variable.name}' is a map", f"Write {text}[...] = ... for all of it.")
        self.write(variable, (), self.ev(s.value, path, at), s.value.node, s.node, path, at)

    def set_item(self, s: core.SetItem, path: Path, at: Scope) -> None:
        """Write the locations with these indices, all elements where one is open."""
        found = self.ev(s.owner, path, at)
        if not isinstance(found, MapRef):
            text = at.source.text(s.owner.node)
            at.source.fail(s.target, f"{text} is not a map", "Declare it as Map[...].")
        variable = found.variable
        index = self.index(s.owner.node, s.index, variable, s.target, path, at)
        binders = [
            None if a is not None else self.step.variable("each", i) for a, i in zip(index, variable.index, strict=True)
        ]
        args = tuple(b if a is None else a for a, b in zip(index, binders, strict=True))
        all_of = tuple(b for b in binders if b is not None)
        self.write(variable, args, self.ev(s.value, path, at), s.value.node, s.node, path, at, all_of)  # type: ignore[arg-type]

    def write(
        self,
        variable: ir.StateVar,
        args: tuple[ir.Expr, ...],
        value: Value,
        value_node: ast.AST,
        node: ast.AST,
        path: Path,
        at: Scope,
        binders: tuple[ir.Var, ...] = (),
    ) -> None:
        """What is written last to a location in a step is what it has after it."""
        if self.step.kind not in ("action", "process", "initially", "closure", "before", "after"):
            at.source.fail(
                node, f"{articled(self.step.kind)} changes no state", "Change state in an @action or a @process."
            )
        if variable.kind == "knob" or (variable.kind == "rigid" and self.step.kind != "initially"):
            knob = variable.kind == "knob"
            what = "a knob" if knob else "rigid"
            hint = "A policy chooses it once and for all; declare state if it changes." if knob else "Drop Rigid[...] if it does."
            at.source.fail(node, f"'{variable.name}' is {what} and never changes", hint)
        if self.step.kind in ("before", "after") and variable.name not in self.notes.ghosts:
            at.source.fail(node, f"'{variable.name}' is the system's own state", "A proof notes down its own ghosts only.")
        new = self.expr(value, value_node, at, variable.sort, path)
        if variable.kind != "ghost":
            self.no_ghost(f"the plain state '{variable.name}'", node, at, new, *args, *path.conds)
        update = ir.Update(variable.name, binders, args, path.cond, new)
        if path.binders:
            self.step.accesses.append(Access(variable.name, args, node, at, writes=True))
        path.updates = (*path.updates, update)

    def refuse_once(self, shown: str, value: Value, node: ast.AST, at: Scope) -> None:
        """A name for what can be gone through once would look like one for a tuple."""
        if is_once(value):
            hint = "Write it where it is used, or tuple(...) around a fixed number of values."
            at.source.fail(node, f"'{shown}' would be something that can be gone through only once", hint)


def around(function: Any) -> dict[str, Any]:
    """The variables of the functions around this one that it uses."""
    return {
        name: cell.cell_contents
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        if cell != CellType()
    }
