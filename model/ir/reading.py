"""Reading JSON that somebody else wrote: whatever is in the file, there is a value or one message."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from flushproof.model.errors import FlushproofError


def read_json(path: Path) -> Any:
    """The content of a JSON file, in which each name of an object stands once and each number is one.

    Raises:
        FlushproofError: it cannot be read, or is no such JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_object, parse_constant=_constant)
    except OSError as error:
        raise FlushproofError(f"{path}: {error.strerror}.") from None
    except RecursionError:
        raise FlushproofError(f"{path} is nested too deeply.") from None
    except ValueError as error:
        raise FlushproofError(f"{path} is not JSON: {error}.") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"'{twice}' stands twice in one object")
    return found


def _constant(text: str) -> Any:
    raise ValueError(f"{text} is no number")
