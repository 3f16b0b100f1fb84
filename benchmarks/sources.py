"""A system's source and that of the kinds of systems that it inherits, as one file, so that each statement can be changed."""

from __future__ import annotations

import ast
import inspect
import sys
from graphlib import TopologicalSorter
from pathlib import Path

from flushproof.model.language.declare import System

KINDS = "flushproof.model.hardware."
"""Where the classes are; the language stays as it is, and a system that another one inherits is judged by itself."""


def source(cls: type[System]) -> str:
    return Path(inspect.getsourcefile(cls) or "").read_text()


def kinds(cls: type[System]) -> set[str]:
    """The modules of the kinds of systems that it inherits."""
    return {b.__module__ for b in cls.__mro__[1:] if b.__module__.startswith(KINDS)} - {cls.__module__}


def whole_source(cls: type[System]) -> str:
    """The files of the system and of its kinds: all that they import, and then what they define, which hides it, kinds first."""
    modules = kinds(cls)
    texts = {m: Path(sys.modules[m].__file__ or "").read_text() for m in sorted(modules)}
    parts = {m: _imports_and_rest(text, m.rpartition(".")[0]) for m, text in texts.items()}
    uses = {m: {n for n in modules if f"from {n} import" in imports} for m, (imports, _) in parts.items()}
    files = [*(parts[m] for m in TopologicalSorter(uses).static_order()), _imports_and_rest(source(cls), "")]
    imports = [line for imports, _ in files for line in imports.splitlines(keepends=True)]
    future = [line for line in imports if line.startswith("from __future__")]
    return "".join([*future[:1], *(line for line in imports if line not in future), *(rest for _, rest in files)])


def _imports_and_rest(text: str, package: str) -> tuple[str, str]:
    """A file's imports, each in one line and by full names, and the file without them."""
    lines = text.splitlines(keepends=True)
    imports = []
    for node in ast.parse(text).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            lines[node.lineno - 1 : node.end_lineno] = [""] * (node.end_lineno - node.lineno + 1)  # type: ignore[operator]
            if isinstance(node, ast.ImportFrom) and node.level:
                node.module, node.level = f"{package}.{node.module}", 0
            imports.append(ast.unparse(node) + "\n")
    return "".join(imports), "".join(lines)
