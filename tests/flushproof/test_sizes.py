"""Nothing grows without saying why: the lengths of files and functions."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LONGEST_FILE, LONGEST_FUNCTION = 500, 60
REASON = "Long because"
EXEMPT = (
    "model/systems",  # a mechanism is read from top to bottom, with its story and its policies
    "model/proofs",  # so are its lemmas
)


def code_files() -> list[Path]:
    found = (p for folder in ("flushproof", "model", "properties", "search") for p in (ROOT / folder).rglob("*.py"))
    return sorted(p for p in found if not str(p.relative_to(ROOT)).startswith(EXEMPT))


def lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How long a function is, its docstring and decorators apart: a command's are its help and its options."""
    length = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        length -= (first.end_lineno or first.lineno) - first.lineno + 1
    return length


def too_long(text: str) -> list[str]:
    """The file, if it is too long, and its functions that are, unless their docstrings give a reason."""
    tree = ast.parse(text)
    found = []
    if len(text.splitlines()) > LONGEST_FILE and REASON not in (ast.get_docstring(tree) or ""):
        found.append(f"the file has {len(text.splitlines())} lines")
    for node in ast.walk(tree):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if lines(node) > LONGEST_FUNCTION and REASON not in (ast.get_docstring(node) or ""):
            found.append(f"{node.name} has {lines(node)} lines")
    return found


def test_files_and_functions_are_short_or_say_why() -> None:
    found = {str(p.relative_to(ROOT)): too_long(p.read_text()) for p in code_files()}
    assert len(found) > 100
    wrong = {name: long for name, long in found.items() if long}
    assert wrong == {}, f'shorten these, or begin a sentence of the docstring with "{REASON}"'


def test_what_is_long_is_found() -> None:
    body = "    x = 1\n" * LONGEST_FUNCTION
    assert too_long(f"def f():\n{body}") == ["f has 61 lines"]
    assert too_long(f'def f():\n    """Does it.  {REASON} it is a table."""\n{body}') == []
    assert too_long("x = 1\n" * (LONGEST_FILE + 1)) == ["the file has 501 lines"]
    assert too_long(f'"""{REASON} it is a table."""\n' + "x = 1\n" * LONGEST_FILE) == []
