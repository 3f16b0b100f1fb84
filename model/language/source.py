"""The source text of a model's functions, so that every message can show the place."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn

from flushproof.model.errors import ModelError
from flushproof.model.ir import Place


@dataclass(frozen=True, eq=False)
class Source:
    """One function: its tree, with line numbers of the whole file, and the lines to quote."""

    name: str
    file: str
    tree: ast.FunctionDef
    lines: tuple[str, ...]
    first: int
    indent: int
    function: Callable[..., Any]

    def place(self, node: ast.AST) -> Place:
        line = getattr(node, "lineno", self.tree.lineno)
        return Place(self.file, line, getattr(node, "col_offset", 0) + 1)

    def error(self, node: ast.AST, message: str, hint: str = "") -> ModelError:
        """A message about `node`, with its line and a caret under it."""
        place = self.place(node)
        index = place.line - self.first
        text = self.lines[index] if 0 <= index < len(self.lines) else ""
        return ModelError(message, place, text, hint)

    def fail(self, node: ast.AST, message: str, hint: str = "") -> NoReturn:
        raise self.error(node, message, hint)

    def text(self, node: ast.AST) -> str:
        """The expression as it is written."""
        return ast.unparse(node)


@cache
def source_of(function: Callable[..., Any]) -> Source:
    """The source of a function that was defined in a file.

    Raises:
        ModelError: Python has no source for it (it was made by `exec`, or is built in).
    """
    code = getattr(function, "__code__", None)
    name = getattr(function, "__qualname__", repr(function))
    try:
        lines, first = inspect.getsourcelines(function)
    except (OSError, TypeError):
        where = Place(code.co_filename, code.co_firstlineno) if code else None
        raise ModelError(
            f"there is no source text for {name}",
            where,
            hint="Write the system in a file; its source is what is compiled.",
        ) from None
    text = "".join(lines)
    dedented = textwrap.dedent(text)
    tree = ast.parse(dedented).body[0]
    if not isinstance(tree, ast.FunctionDef):
        raise ModelError(
            f"{name} is not a plain function",
            Place(inspect.getsourcefile(function) or "?", first),
            lines[0].rstrip("\n"),
            "Use `def`; lambdas are allowed only as the `where` of choose().",
        )
    indent = len(lines[0]) - len(lines[0].lstrip())
    for node in ast.walk(tree):
        if isinstance(node, (ast.stmt, ast.expr, ast.arg, ast.keyword)):
            node.lineno += first - 1
            node.col_offset += indent
    return Source(
        name,
        inspect.getsourcefile(function) or "?",
        tree,
        tuple(line.rstrip("\n") for line in lines),
        first,
        indent,
        function,
    )


def import_hint(name: str | None) -> str:
    """How to import a word of the language; nothing if the name is none."""
    from . import __all__ as words

    return f"Import it: from flushproof.model.language import {name}" if name in words else ""
