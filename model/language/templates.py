"""Sentences with names in braces, which a trace shows: what they may name, and which value of a step a name stands for."""

from __future__ import annotations

import ast
import inspect
import string
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flushproof.model import ir
from flushproof.model.errors import nearest
from flushproof.model.ir import terms

from .conversions import NONE, Conversions
from .source import Source
from .values import Bad, Name, Scope, Static, Value

Way = tuple[ir.Expr, Mapping[Name, Value]]
"""One way through a step: under which condition, and the variables at its end."""


@dataclass(frozen=True)
class Template:
    """A sentence, and where it stands."""

    text: str
    source: Source
    node: ast.AST

    def names(self) -> list[str]:
        """What it names, in order.

        Raises:
            ModelError: its braces do not match.
        """
        try:
            parts = [part for part in string.Formatter().parse(self.text) if part[1] is not None]
        except ValueError as error:
            hint = "Write {{ and }} for braces themselves."
            self.source.fail(self.node, f"“{self.text}” cannot be read: {error}", hint)
        for _, field, form, conversion in parts:
            if form or conversion:
                reason = f"“{self.text}” says how '{field}' is written, which a trace decides"
                self.source.fail(self.node, reason, f"Write {{{field}}}.")
        return [str(field) for _, field, _, _ in parts]

    def check(self, known: Iterable[str]) -> None:
        """See to it that it names only what it can name."""
        names = list(known)
        for name in self.names():
            if name not in names:
                self.unknown(name, names)

    def unknown(self, name: str, known: Iterable[str]) -> None:
        self.source.fail(self.node, f"“{self.text}” names '{{{name}}}'", nearest(name, known, "names that it can use"))

    def meanings(
        self,
        x: Conversions,
        params: Iterable[ir.Var],
        scope: Scope,
        before: Mapping[Name, Value],
        ways: Sequence[Way],
    ) -> Iterator[tuple[str, ir.Expr, Name | None]]:
        """What its names stand for, but for parameters of the step: values in the state before it, of the variables that have one
        when the step begins, and otherwise of those that the step gives one.

        scope: the function in which the sentence stands; before: the variables at the beginning; ways: all ways through the step.
        With each comes the variable, if it has its value from the beginning.

        Raises:
            ModelError: there is no such variable, or it is no single value.
        """
        known = {p.name: p for p in params}
        for name in dict.fromkeys(self.names()):
            found = variable(name, scope, before)
            ends = [(cond, env[end]) for cond, env in ways if (end := variable(name, scope, env)) is not None]
            if found is not None:
                value = before[found]
            elif len(ends) == len(ways) > 0:
                conds, values = zip(*ends, strict=True)
                value = x.select(conds, values)
            elif name in known:
                continue
            elif ends:
                self.source.fail(self.node, f"'{{{name}}}' has no value on each way through this step")
            else:
                self.unknown(name, {*known, *(n for env in (before, *(env for _, env in ways)) for n in names_in(scope, env))})
            expr = self.expr(x, name, value)
            if expr is not known.get(name):
                yield name, expr, found

    def values(
        self, x: Conversions, scope: Scope, env: Mapping[Name, Value], fresh: Collection[ir.Var]
    ) -> Iterator[tuple[str, ir.Expr]]:
        """What its names stand for, of those that are variables here and no parameters of that name.

        Raises:
            ModelError: a variable is no single value, or has one that is fresh in this step.
        """
        for name in dict.fromkeys(self.names()):
            found = variable(name, scope, env)
            if found is None:
                continue
            expr = self.expr(x, name, env[found])
            if terms.free_vars(expr) & set(fresh):
                reason = f"“{self.text}” names '{{{name}}}', which is fresh in this step"
                self.source.fail(self.node, reason, "Check it in an @event, or a step later.")
            if not (isinstance(expr, ir.Var) and expr.name == name):
                yield name, expr

    def expr(self, x: Conversions, name: str, value: Value) -> ir.Expr:
        """A variable's value as a term."""
        sort = x.sort_of(value)
        if sort is NONE:
            return ir.Lit(None, ir.OptionSort(ir.BOOL))
        found = x.static(value.value, sort) if isinstance(value, Static) and sort is not None else value
        if isinstance(found, ir.Node):
            return found
        reason, hint = "is no single value", "Name a variable that is one."
        if isinstance(value, Bad):
            reason, hint = value.message, value.hint
        self.source.fail(self.node, f"“{self.text}” names '{{{name}}}', which {reason}", hint)


def first_line(function: Any) -> str:
    """What a docstring says in its first line."""
    return (inspect.getdoc(function) or "").split("\n")[0]


def names_in(scope: Scope, env: Mapping[Name, Value]) -> list[str]:
    """The variables of this function, but for the system itself."""
    return [local.shown for at, local in env if at is scope and not local.temporary and local.shown != "self"]


def variable(name: str, scope: Scope, env: Mapping[Name, Value]) -> Name | None:
    """The variable that a text in this function calls so."""
    return next((key for key in env if key[0] is scope and key[1].shown == name and not key[1].temporary), None)


def label_of(label: str, scopes: Sequence[Scope]) -> tuple[Scope, ast.AST]:
    """Where a label stands: in which of these functions, the innermost last, and its `yield`."""
    for scope in reversed(scopes):
        for node in ast.walk(scope.function.node):
            if isinstance(node, ast.Yield) and isinstance(node.value, ast.Constant) and node.value.value == label:
                return scope, node
    return scopes[0], scopes[0].function.node
