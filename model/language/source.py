"""The source text of a model's functions, so that every message can show the place."""

from __future__ import annotations

import ast
import inspect
import linecache
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from types import CodeType
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

    def error(self, node: ast.AST, message: str, hint: str = "", within: Place | None = None) -> ModelError:
        """A message about `node`, with its line and a caret under it."""
        place = self.place(node)
        index = place.line - self.first
        text = self.lines[index] if 0 <= index < len(self.lines) else ""
        return ModelError(message, place, text, hint, within)

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


@cache
def source_of(function: Callable[..., Any]) -> Source:
    """The source of a function that was defined in a file.

    Raises:
        ModelError: Python has no source for it (it was made by `exec`, or is built in), or it is no plain function.
    """
    # Of the code, not of the function: a decorator's wrapper may say that it is the function which it wraps.
    code: Any = getattr(function, "__code__", None)
    name = getattr(function, "__qualname__", repr(function))
    try:
        file = inspect.getsourcefile(code) or "?"
        linecache.checkcache(file)
        if not (lines := linecache.getlines(file, function.__globals__)):
            raise OSError
        first = code.co_firstlineno
        tree = functions_of("".join(lines)).get((first, code.co_name))
    except (OSError, TypeError, SyntaxError):
        raise ModelError(
            f"there is no source text for {name}",
            Place(code.co_filename, code.co_firstlineno) if code else None,
            hint="Write the system in a file; its source is what is compiled.",
        ) from None
    if not isinstance(tree, ast.FunctionDef):
        raise ModelError(
            f"{name} is not a plain function",
            Place(file, first),
            lines[first - 1].rstrip("\n") if first <= len(lines) else "",
            "Use `def`; lambdas are allowed inside of methods.",
        )
    if not _is_of(code, codes_of("".join(lines)).get((first, code.co_name))):
        raise ModelError(
            f"the source text of {name} is not what Python runs",
            Place(file, first),
            hint="Was the file edited after it was imported? Import it again, or give it as path/to/file.py:Class. "
            "Or was its code rewritten, as pytest does with `assert`?",
        )
    last = tree.end_lineno or first
    return Source(name, file, tree, tuple(line.rstrip("\n") for line in lines[first - 1 : last]), first, function)


def class_source(cls: type) -> tuple[str, ast.ClassDef] | None:
    """The file of a class, and where it stands there; None where there is no source."""
    try:
        file = inspect.getsourcefile(cls) or ""
    except (OSError, TypeError):
        return None
    module = sys.modules.get(cls.__module__)
    lines = linecache.getlines(file, vars(module) if module is not None else None)
    try:
        node = classes_of("".join(lines)).get(cls.__qualname__)
    except SyntaxError:
        return None
    return None if node is None else (file, node)


def class_place(cls: type) -> Place | None:
    found = class_source(cls)
    return None if found is None else Place(found[0], found[1].lineno)


def attribute_place(cls: type, name: str) -> tuple[Place, str] | None:
    """Where a class gives this attribute its value, and the text of that line; None where it does not."""
    for c in cls.__mro__:
        file, tree = class_source(c) or ("", None)
        for node in tree.body if tree is not None else ():
            targets = node.targets if isinstance(node, ast.Assign) else []
            if any(isinstance(t, ast.Name) and t.id == name for t in targets):
                return Place(file, node.lineno, node.col_offset + 1), linecache.getline(file, node.lineno).rstrip("\n")
    return None


@cache
def parsed(text: str) -> ast.Module:
    return ast.parse(text)


@cache
def functions_of(text: str) -> dict[tuple[int, str], ast.AST]:
    """All functions in a file, by the line of the first decorator, as Python counts, and the name."""
    found: dict[tuple[int, str], ast.AST] = {}

    def visit(node: ast.AST) -> None:
        for child in blocks(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                found[min([child.lineno, *(d.lineno for d in child.decorator_list)]), child.name] = child
            visit(child)

    visit(parsed(text))
    return found


@cache
def codes_of(text: str) -> dict[tuple[int, str], CodeType]:
    """What Python makes of all functions in a file, by first line and name."""
    found: dict[tuple[int, str], CodeType] = {}

    def visit(code: CodeType) -> None:
        for inner in code.co_consts:
            if isinstance(inner, CodeType):
                found[inner.co_firstlineno, inner.co_name] = inner
                visit(inner)

    visit(compile(text, "?", "exec", dont_inherit=True))
    return found


def _is_of(code: CodeType, text: CodeType | None) -> bool:
    """Whether what Python runs is what it makes of a text."""
    if text is None or (code.co_code, code.co_names, code.co_varnames) != (text.co_code, text.co_names, text.co_varnames):
        return False
    return len(code.co_consts) == len(text.co_consts) and all(
        _is_of(a, b) if isinstance(a, CodeType) and isinstance(b, CodeType) else (type(a), a) == (type(b), b)
        for a, b in zip(code.co_consts, text.co_consts, strict=True)
    )


def blocks(node: ast.AST) -> Iterator[ast.AST]:
    """What is directly inside of a node and may have a function or a class in it: none is inside of an expression."""
    return (c for c in ast.iter_child_nodes(node) if isinstance(c, (ast.stmt, ast.ExceptHandler, ast.match_case)))


@cache
def classes_of(text: str) -> dict[str, ast.ClassDef]:
    """All classes in a file, by their qualified names; of several with one name the last, which is Python's."""
    found: dict[str, ast.ClassDef] = {}

    def visit(node: ast.AST, above: str) -> None:
        for child in blocks(node):
            if isinstance(child, ast.ClassDef):
                found[above + child.name] = child
                visit(child, f"{above}{child.name}.")
            elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                visit(child, f"{above}{child.name}.<locals>.")
            else:
                visit(child, above)

    visit(parsed(text), "")
    return found


def import_hint(name: str | None) -> str:
    """How to import a word of the language; nothing if the name is none."""
    from . import __all__ as words

    return f"Import it: from flushproof.model.language import {name}" if name in words else ""
