"""Instances written as models of other checkers: the same states, steps and properties, readable.

Where to read: `printer` (expressions), `steps` and `common` (what all have in common), then one file for each language.
"""

from __future__ import annotations

from collections.abc import Mapping

from flushproof.model.errors import FlushproofError, nearest
from flushproof.model.ir.instance import Instance

from .murphi import murphi
from .promela import promela
from .tla import tla

LANGUAGES = {"murphi": murphi, "promela": promela, "tla": tla}
"""By name, what writes an instance in that language: file name -> text, the model itself first."""


def export(instance: Instance, to: str) -> Mapping[str, str]:
    """The instance in another checker's language: file name -> text, the model itself first.

    Raises:
        FlushproofError: there is no such language, or the instance has too many initial states to list.
    """
    try:
        write = LANGUAGES[to]
    except KeyError:
        raise FlushproofError(f"nothing is known of '{to}'. {nearest(to, LANGUAGES, 'languages')}") from None
    return write(instance)
