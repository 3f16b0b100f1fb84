"""A condition on states that somebody types in, in the system's own words: `vttbr[cpu0] == vm1`."""

from __future__ import annotations

import ast
import builtins
import linecache
import sys
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Any

from flushproof.model import ir, language
from flushproof.model.errors import FlushproofError, ModelError
from flushproof.model.ir.evaluate import decode, evaluate
from flushproof.model.ir.instance import Instance, State
from flushproof.model.ir.terms import rewrite

from .compile import compile_condition
from .declarations import Declarations
from .declare import System
from .handover import meaning
from .instantiate import knob_values, knobs_before, literals_of
from .scopes import every_argument

NAME = "asked"
"""Of the function that is made of what was typed."""


def condition_of(cls: type[System], instance: Instance, text: str) -> Callable[[State], bool]:
    """Whether a condition holds in a state of an instance of a system; where it is undefined, it does not.

    text: an expression as in the system's own methods, where `self.` may be left out, an element is called as reports call it
        (`cpu0`), and so is a member of an enumeration (`LOCAL`).

    Raises:
        FlushproofError: it is no such condition; the message says why.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError) as error:
        raise FlushproofError(f"{text}: not a condition: {getattr(error, 'msg', error)}") from None
    sizes = {name: instance.sizes[name] for name in instance.system.sized}
    declared, knobs = Declarations(cls, sizes), knob_values(cls, instance.policy, instance.knobs)
    try:
        asked = _Names(declared, instance, tree)
        function = _function(asked)
        try:
            hint = compile_condition(cls, function, None, sizes)
        except ModelError:
            hint = compile_condition(cls, function, knobs, sizes)  # as `compile_system` does
    except ModelError as error:
        raise FlushproofError("\n  ".join(filter(None, [f"{text}: {error.message}", error.hint]))) from None
    before = literals_of(declared.variables, knobs_before(cls, knobs))
    meant = meaning(literals_of(declared.variables, knobs), before)
    expr = rewrite(hint.expr, lambda e: meant.get(e.name) if isinstance(e, ir.Read) else None)
    for read in (e for e in ir.walk(expr) if isinstance(e, ir.Read)):
        var = instance.system.variable.get(read.name)
        if var is None or var.sort != read.sort:
            raise FlushproofError(
                f"{text}: nothing that matters depends on '{read.name}' under these knobs, and so it is no part of the states"
            )
    env = {p: decode(p.of, asked.elements[p.name][1]) for p in hint.params}
    return lambda state: bool(evaluate(expr, env, state, instance))


class _Names(ast.NodeTransformer):
    """What was typed, with each name as a method of the system would write it.

    elements: those that it names, each with its sort's name and its code; they become the function's parameters.
    """

    def __init__(self, declared: Declarations, instance: Instance, tree: ast.Expression) -> None:
        self.declared = declared
        self.known = {instance.show(s, c): (s.name, c) for s in _sorts(instance) for c in instance.codes(s)}
        self.members = _members(declared)
        self.scope = _scope(declared)
        self.bound = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
        self.bound |= {a.arg for n in ast.walk(tree) if isinstance(n, ast.Lambda) for a in every_argument(n.args)}
        self.elements: dict[str, tuple[str, int]] = {}
        for name in sorted(self.bound & self.known.keys()):
            raise ModelError(f"'{name}' is an element of {self.known[name][0]}", hint="Call what runs through them otherwise.")
        self.body = self.visit(tree).body

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        """Of a process a report shows where it waits and its locals as state; the language has words for those."""
        for member in self.declared.of_kind("process"):
            if ast.unparse(node.value).removeprefix("self.") == member.name:
                of = ", ".join([member.name, *(f"{sort.__name__.lower()}0" for sort in member.role.sorts)])
                asks = f'at({of}, "label")' if node.attr == "pc" else f'local({of}, "{node.attr}")'
                raise ModelError(f"'{member.name}' is a process", hint=f"Write {asks}.")
        return self.generic_visit(node)  # type: ignore[return-value]

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """A name that nothing in the expression binds: an element, the system's own, or a member of an enumeration."""
        name = node.id
        if name in self.bound or name == "self":
            return node
        if name in self.known:
            self.elements[name] = self.known[name]
            return node
        if name in self.declared.variables or hasattr(self.declared.cls, name):
            return ast.Attribute(ast.Name("self", ast.Load()), name, ast.Load())
        if name in self.members:
            return ast.Attribute(ast.Name(self.members[name], ast.Load()), name, ast.Load())
        if name not in self.scope and not hasattr(builtins, name):
            close = get_close_matches(name, [*self.known, *self.declared.variables], n=1)
            raise ModelError(f"there is no '{name}' here", hint=f"Did you mean '{close[0]}'?" if close else "")
        return node


def _sorts(instance: Instance) -> Iterator[ir.Scalarset]:
    return (s for s in instance.system.sorts if isinstance(s, ir.Scalarset))


def _members(declared: Declarations) -> dict[str, str]:
    """The members of enumerations that one enumeration alone has, with its name."""
    found: dict[str, list[str]] = {}
    for name, enumeration in declared.enumerations.items():
        for member in enumeration:
            found.setdefault(member.name, []).append(name)
    return {member: names[0] for member, names in found.items() if len(names) == 1}


def _scope(declared: Declarations) -> dict[str, Any]:
    """What a name means that is neither: the words of the language, and what the system's file has."""
    home = vars(sys.modules[declared.cls.__module__])
    return {**vars(language), **home, **declared.classes, **declared.enumerations}


def _function(asked: _Names) -> Callable[..., Any]:
    """A function of the system and of the elements that are named, whose source can be read as a file's."""
    params = ", ".join(["self", *(f"{name}: {sort}" for name, (sort, _) in asked.elements.items())])
    text = f"def {NAME}({params}):\n    return {ast.unparse(asked.body)}\n"
    file = f"<{text}>"
    # Python's own way to give text without a file a source: an entry without a time is never looked for on disk.
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    scope = {**asked.scope}
    exec(compile(text, file, "exec"), scope)
    function: Callable[..., Any] = scope[NAME]
    return function
