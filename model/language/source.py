"""The source text of a model's functions, so that every message can show the place."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn, TypeVar

from flushproof.model.errors import ModelError
from flushproof.model.ir import Place

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Source:
    """One function: its tree, with line numbers of the whole file, and the lines to quote."""

    name: str
    file: str
    tree: ast.FunctionDef
    lines: tuple[str, ...]
    first: int
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

    def at(self, node: ast.AST, work: Callable[[], T]) -> T:
        """What the work returns; a complaint of its gets this place."""
        try:
            return work()
        except ModelError as error:
            raise self.error(node, error.message, error.hint) from None

    def text(self, node: ast.AST) -> str:
        """The expression as it is written."""
        return ast.unparse(node)


def parsed(text: str) -> ast.stmt | None:
    """The statement with this text, however it is indented; None if it is not one.

    What stands at the margin, such as a comment or a line of a string, is left as it is.
    """
    indented = text[:1].isspace()
    try:
        tree = ast.parse(f"if True:\n{text}" if indented else text)
    except SyntaxError:
        return None
    if not indented:
        return tree.body[0]
    (around,) = tree.body
    assert isinstance(around, ast.If)
    for node in ast.walk(around):
        if hasattr(node, "lineno"):
            node.lineno -= 1
    return around.body[0]


@cache
def source_of(function: Callable[..., Any]) -> Source:
    """The source of a function that was defined in a file.

    Raises:
        ModelError: Python has no source for it (it was made by `exec`, or is built in).
    """
    code = getattr(function, "__code__", None)
    name = getattr(function, "__qualname__", repr(function))
    try:
        # Of the code, not of the function: a decorator's wrapper may say that it is the function which it wraps.
        lines, first = inspect.getsourcelines(code)  # type: ignore[arg-type]
    except (OSError, TypeError):
        where = Place(code.co_filename, code.co_firstlineno) if code else None
        raise ModelError(
            f"there is no source text for {name}",
            where,
            hint="Write the system in a file; its source is what is compiled.",
        ) from None
    tree = parsed("".join(lines))
    if not isinstance(tree, ast.FunctionDef) or tree.name != getattr(code, "co_name", None):
        raise ModelError(
            f"{name} is not a plain function",
            Place(inspect.getsourcefile(code) or "?", first),
            lines[0].rstrip("\n"),
            "Use `def`; a lambda is read only where it stands inside of a method.",
        )
    for node in ast.walk(tree):
        if isinstance(node, (ast.stmt, ast.expr, ast.arg, ast.keyword)):
            node.lineno += first - 1
    return Source(
        name,
        inspect.getsourcefile(code) or "?",
        tree,
        tuple(line.rstrip("\n") for line in lines),
        first,
        function,
    )
