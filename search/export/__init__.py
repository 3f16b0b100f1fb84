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


def export(instance: Instance, to: str, scalarsets: bool = False) -> Mapping[str, str]:
    """The instance in another checker's language: file name -> text, the model itself first.

    scalarsets: unordered scalarsets are the language's own, for a checker that knows their symmetry.

    Raises:
        FlushproofError: there is no such language, it has no scalarsets, or the instance has too many initial states to list.
    """
    if scalarsets and to in LANGUAGES:
        if to != "murphi":
            raise FlushproofError(f"{to} has no scalarsets: of the languages, murphi has them.")
        return murphi(instance, scalarsets=True)
    try:
        write = LANGUAGES[to]
    except KeyError:
        raise FlushproofError(f"nothing is known of '{to}'. {nearest(to, LANGUAGES, 'languages')}") from None
    return write(instance)
