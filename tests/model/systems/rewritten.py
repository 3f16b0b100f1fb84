"""A shipped system with a piece of its source replaced: what a programmer would leave out."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from flushproof.model.language.declare import System
from flushproof.model.language.load import load_system, proof_of

from benchmarks.sources import kinds, whole_source

COSTS = re.compile(r"^ +cost\(\w+\)\n", re.MULTILINE)


def rewritten(cls: type[System], old: str, new: str, folder: Path, *, lemmas: bool = False) -> type[System]:
    """The class from a copy of its file, without the lines that count costs, in which `old`, which stands there once, is `new`.

    The files of the classes that it inherits are copied into it.

    lemmas: with its proof, beside it; lemmas name labels and locals that may be gone with `old`.

    Raises:
        AssertionError: `old` does not stand there exactly once.
    """
    text = whole_source(cls)
    if lemmas:
        proof = Path(inspect.getsourcefile(proof_of(cls)) or "").read_text()
        here = "|".join(map(re.escape, (cls.__module__, *sorted(kinds(cls)))))
        text += re.sub(rf"^from (?:{here}) import (\(.*?\)|.*?)\n", "", proof, flags=re.MULTILINE | re.DOTALL)
    words = "from flushproof.model.language.declare import "
    text = text.replace(words, f"{words}at, local, reachable\n{words}", 1)  # for a claim, where the system has none
    text = COSTS.sub("", text)
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {cls.__name__}"
    copy = folder / "rewritten.py"
    copy.write_text(text.replace(old, new))
    return load_system(f"{copy}:{cls.__name__}")


def claiming(cls: type[System], state: str, folder: Path) -> type[System]:
    """The class with one more state that must be reached."""
    claim = f'    @reachable\n    def interesting(self):\n        """As the test says."""\n        return {state}\n\n'
    return rewritten(cls, "    policies = {\n", claim + "    policies = {\n", folder)
