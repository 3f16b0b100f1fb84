"""What properties see of the reachable states: an observer for `explore(on_state=...)`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter

from flushproof.model.language.instance import State

Projection = tuple[int, ...]


class Projections:
    """Collects the distinct projections of all states onto some slots, for each property by its name.

    With symmetry on, it sees one state of each orbit.  That is enough to decide a property, which holds in all states
    of an orbit or in none.  Only a complete search shows all of them.
    """

    def __init__(self, slots: Mapping[str, tuple[int, ...]]) -> None:
        self.found: dict[str, set[Projection]] = {name: set() for name in slots}
        self._project = [(self.found[name], _projection(numbers)) for name, numbers in slots.items()]

    def __call__(self, state: State) -> None:
        for found, project in self._project:
            found.add(project(state))


def _projection(slots: tuple[int, ...]) -> Callable[[State], Projection]:
    if len(slots) > 1:
        return itemgetter(*slots)
    return lambda state: tuple(state[i] for i in slots)
