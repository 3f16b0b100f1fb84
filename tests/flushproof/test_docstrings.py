"""Examples in docstrings: what they show is what happens."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from flushproof.model import hardware, language
from flushproof.model.language import declare
from flushproof.model.language.instantiate import instantiate
from flushproof.model.language.load import load_file, systems_in

import flushproof

WORDS = """
from typing import *
from flushproof.model.language import *
from flushproof.model.hardware import *
"""


def modules_with_examples() -> Iterator[ModuleType]:
    """Every module in whose source a prompt stands."""
    package = Path(flushproof.__file__).parent
    for room in (package, *(package.parent / name for name in ("model", "properties", "search"))):
        for file in sorted(room.rglob("*.py")):
            if re.search(r"^ *>>> ", file.read_text(), re.MULTILINE):
                parts = file.relative_to(room).with_suffix("").parts
                name = ".".join(["flushproof", *([] if room is package else [room.name]), *parts])
                yield importlib.import_module(name.removesuffix(".__init__"))


def test_examples_with_a_prompt_print_what_they_say() -> None:
    attempted = 0
    for module in modules_with_examples():
        found = doctest.testmod(module)
        assert found.failed == 0, module.__name__
        attempted += found.attempted
    assert attempted >= 3


def systems_shown(module: ModuleType) -> list[str]:
    """The systems that stand in the docstrings of a module and of what it defines, as indented blocks."""
    docs = [
        inspect.getdoc(module),
        *(inspect.getdoc(v) for v in vars(module).values() if inspect.isclass(v) and v.__module__ == module.__name__),
    ]
    blocks = [b for doc in docs for b in re.findall(r"(?:^|\n\n)((?:    .*\n?(?:\n(?=    ))?)+)", doc or "")]
    return [text for text in map(textwrap.dedent, blocks) if text.startswith("class ")]


@pytest.mark.parametrize("module", [declare, language, hardware], ids=lambda m: m.__name__)
def test_systems_in_docstrings_are_systems(module: ModuleType, tmp_path: Path) -> None:
    for number, text in enumerate(systems_shown(module)):
        ast.parse(text)
        file = tmp_path / f"shown_{number}.py"
        file.write_text(WORDS + text)
        (system,) = systems_in(load_file(file))
        assert instantiate(system).system.actions


def test_the_language_shows_a_system() -> None:
    assert systems_shown(declare)
