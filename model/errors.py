"""What is wrong with a model or a request: one message with the place, the reason and the nearest valid form."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True)
class Place:
    """Where in the user's source something stands; `line` and `column` count from 1."""

    file: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class FlushproofError(Exception):
    """Bad input of any kind; the command line prints it without a traceback and exits with status 2."""


class ModelError(FlushproofError):
    """A system that does not compile.

    place: file and line; source: the offending line's text, with `column` (from 1) for a caret; hint: what to write instead.
    within: where it came up, if that is in a part that the user's line uses.
    """

    def __init__(
        self, message: str, place: Place | None = None, source: str = "", hint: str = "", within: Place | None = None
    ) -> None:
        self.message, self.place, self.source, self.hint, self.within = message, place, source, hint, within
        super().__init__(str(self))

    def __str__(self) -> str:
        lines = [f"{self.place}: {self.message}" if self.place else self.message]
        if self.source and self.place:
            lines += [f"    {self.source}", "    " + " " * (self.place.column - 1) + "^"]
        if self.within:
            lines.append(f"  It came up at {self.within}.")
        if self.hint:
            lines.append(f"  {self.hint}")
        return "\n".join(lines)


def nearest(name: str, known: Iterable[str], what: str) -> str:
    """A sentence with the nearest valid choice and the list of all: "Did you mean ...? The knobs are: ..."."""
    known = sorted(set(known))
    by_lower = {k.lower(): k for k in known}
    close = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    guess = f"Did you mean '{by_lower[close[0]]}'? " if close else ""
    return f"{guess}The {what} are: {', '.join(known)}." if known else f"There are no {what}."


def whole(what: str, value: object, least: int) -> int:
    """The value, which must be a whole number, `least` or more.

    Raises:
        FlushproofError: it is not.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise FlushproofError(f"{what} is {value!r}, and must be a whole number, {least} or more")
    return value


def seconds(what: str, value: object) -> float:
    """The value, which must be a number, 0 or more.

    Raises:
        FlushproofError: it is not, as NaN is not.
    """
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not value >= 0:
        raise FlushproofError(f"{what} is {value!r}, and must be a number of seconds, 0 or more")
    return value


def of_type(what: str, value: object, *types: type) -> None:
    """That the value is of one of these types.

    Raises:
        FlushproofError: it is not.
    """
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        names = " or ".join("None" if t is type(None) else t.__name__ for t in types)
        raise FlushproofError(f"{what} is the {type(value).__name__} {value!r}, and must be of type {names}")
