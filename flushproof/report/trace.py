"""A trace for a terminal: one column for each element that acts, one row for each step, and a last row that says what is wrong.

Three layouts: a table with a column for the caches of their own or with caches among the changes, whichever fits and is shorter;
and lines.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import click
from tabulate import MIN_PADDING, tabulate

from flushproof.model.ir.trace import Trace
from flushproof.report.telling import FIXED, Act, Entries, Told, beginning, cache_titles, tell
from flushproof.report.words import Story, cost_words

NARROWEST, COMFORTABLE = 16, 22
"""Columns narrower than this are not worth having, or worth avoiding if another layout has wider ones."""

MANY = 200
"""A table of more rows is not made shorter column by column."""

STEPS = (1, 2, 4, 8, 12, 16, 24)
"""So much room may go from one column to another at once."""

LINES = 80
"""Up to this width a trace is lines, not a table."""

INDENT = "  "

Paint = Callable[[str], str]


@dataclass(frozen=True)
class Look:
    """How wide a report may be, whether it has colours, and whether each step of a trace has a row of its own."""

    width: int = 100
    colour: bool = False
    every_step: bool = False

    def paint(self, **style: object) -> Paint:
        """A function that styles one line."""
        return lambda text: click.style(text, **style) if self.colour and style else text  # type: ignore[arg-type]

    @property
    def bad(self) -> Paint:
        return self.paint(fg="red", bold=True)

    @property
    def good(self) -> Paint:
        return self.paint(fg="green", bold=True)

    @property
    def unsure(self) -> Paint:
        return self.paint(fg="yellow", bold=True)

    @property
    def faint(self) -> Paint:
        return self.paint(dim=True)

    @property
    def strong(self) -> Paint:
        return self.paint(bold=True)

    def wrapped(self, text: str, indent: str = "", first: str | None = None) -> str:
        """A paragraph no wider than the report."""
        return wrapped(text, max(self.width, 40), indent, indent if first is None else first)


def trace_text(trace: Trace, look: Look) -> str:
    """The whole trace."""
    story = Story(trace)
    rows = tell(story, look.every_step)
    found = _start(story, look)
    if rows:
        found.append((_table(story, rows, look) if look.width > LINES else None) or lines(rows, look))
    paint = look.bad if story.violates else look.strong
    found.append(paint(look.wrapped(story.sentence, indent="     ", first=f"  {story.mark}  ")))
    if story.rests_on:
        held = "; ".join(line.replace(" ", FIXED) for line in story.rests_on)
        found.append(look.faint(look.wrapped(f"At the end: {held}.", indent="     ")))
    if spent := cost_words(story.costs):
        found.append(look.faint(look.wrapped(f"Cost of these steps: {spent}.", indent="     ")))
    return "\n".join(found)


def _start(story: Story, look: Look) -> list[str]:
    """The initial values that matter, in one paragraph."""
    values = ", ".join(value.replace(" ", FIXED) for value in beginning(story))
    return [look.faint(look.wrapped(f"{values}.", indent="  ", first="At the start: ")), ""] if values else []


# ---------------------------------------------------------------------------------------------------------------- table


@dataclass(frozen=True)
class _Column:
    """A column's title and its cells, each a list of paragraphs."""

    title: str
    cells: list[list[str]]
    paint: list[Paint]
    known: dict[int, list[int]] = field(default_factory=dict)

    @property
    def natural(self) -> int:
        return max(len(self.title) + MIN_PADDING, *(len(line) for cell in self.cells for line in cell), 0)

    def heights(self, width: int) -> list[int]:
        """How many lines each cell has at this width."""
        if width not in self.known:
            self.known[width] = [sum(_lines(text, width) for text in cell) for cell in self.cells]
        return self.known[width]

    @property
    def narrowest(self) -> int:
        """What its longest word needs."""
        words = (len(word) for cell in self.cells for line in cell for word in _kept(line.replace(FIXED, " ")).split(" "))
        return max(len(self.title) + MIN_PADDING, max(words, default=0) + len(INDENT))


def _table(story: Story, rows: list[Told], look: Look) -> str | None:
    """The trace as a table, or None where the terminal is too narrow for one."""
    plain = [look.bad if row.event else look.paint() for row in rows]
    faint = [look.faint] * len(rows)
    number = _Column("", [[row.number] for row in rows], faint)
    acts = [
        _Column(lane, [[str(act) for act in row.acts if act.actor == lane] for row in rows], plain) for lane in story.lanes
    ]
    title = "what it reads and changes" if any(row.reads for row in rows) else "what changes"
    news = _Column(title, [_held(row) for row in rows], faint)
    caches = _caches(cache_titles(story), rows, plain)
    joined = _Column(title, [[*_held(row), *_by_title(row)] for row in rows], plain)
    found = []
    for columns, least in (([number, *acts, news, caches], COMFORTABLE), ([number, *acts, joined], NARROWEST)):
        used = [c for c in columns if any(c.cells)]
        space = look.width - 2 * (len(used) - 1)
        widths = _widths(used, space, least)
        if widths is not None:
            found.append((used, _shorter(used, widths, space, least) if len(rows) <= MANY else widths))
    best = min(found, key=lambda table: _height(*table), default=None)
    return None if best is None else _draw(*best)


def _held(row: Told) -> list[str]:
    """What a row read and changed; each comparison is held together."""
    reads = [f"reads {'; '.join(line.replace(' ', FIXED) for line in row.reads)}"] if row.reads else []
    return [*reads, *row.changes]


def _caches(titles: set[str], rows: list[Told], paint: list[Paint]) -> _Column:
    """What happens to caches: of one kind their owners suffice."""
    if len(titles) == 1:
        (title,) = titles
        return _Column(f"in each {title}", [[line for entry in row.caches for line in _owned(entry)] for row in rows], paint)
    return _Column("in the caches", [_by_title(row) for row in rows], paint)


def _owned(entry: Entries) -> list[str]:
    """A line for each entry, the first with its owner."""
    first, *others = entry.texts
    return [f"{entry.whose}: {first}", *(" " * len(f"{entry.whose}: ") + other for other in others)]


def _by_title(row: Told) -> list[str]:
    return [str(entry) for entry in row.caches]


def _widths(columns: list[_Column], space: int, least: int) -> list[int] | None:
    """How wide each column is, so that the sum fits: the widest give way first, none below `least` or its longest word."""
    natural = [c.natural for c in columns]
    if sum(natural) <= space:
        return natural
    narrowest = [min(c.natural, max(c.narrowest, least)) for c in columns]
    for cap in range(max(natural), least - 1, -1):
        widths = [max(min(n, cap), low) for n, low in zip(natural, narrowest, strict=True)]
        if sum(widths) <= space:
            return widths
    return None


def _shorter(columns: list[_Column], widths: list[int], space: int, least: int) -> list[int]:
    """Widths with which the table has fewer lines: room goes from one column to another as long as that helps."""
    while True:
        shift = range(1, max(space - sum(widths), 0) + 1)
        ways = [[*widths[:j], widths[j] + step, *widths[j + 1 :]] for j in range(len(widths)) for step in shift]
        for i, giver in enumerate(columns):
            for step in STEPS:
                if widths[i] - step >= max(giver.narrowest, min(least, giver.natural)):
                    for j in range(len(columns)):
                        if j != i:
                            ways.append([w - step * (n == i) + step * (n == j) for n, w in enumerate(widths)])
        best = min(ways, key=lambda way: _height(columns, way), default=widths)
        if _height(columns, best) >= _height(columns, widths):
            return widths
        widths = best


def _height(columns: list[_Column], widths: list[int]) -> int:
    """How many lines the rows have."""
    heights = (column.heights(width) for column, width in zip(columns, widths, strict=True))
    return sum(map(max, zip(*heights, strict=True)))


def _draw(columns: list[_Column], widths: list[int]) -> str:
    rows = [
        [_cell(column.cells[i], width, column.paint[i]) for column, width in zip(columns, widths, strict=True)]
        for i in range(len(columns[0].cells))
    ]
    table: str = tabulate(
        rows,
        [c.title for c in columns],
        tablefmt="simple",
        disable_numparse=True,
        colalign=["right"] + ["left"] * (len(columns) - 1),
    )
    return table


@cache
def _lines(text: str, width: int) -> int:
    return wrapped(text, width, INDENT).count("\n") + 1


def _cell(paragraphs: list[str], width: int, paint: Paint) -> str:
    return "\n".join(paint(line) for text in paragraphs for line in wrapped(text, width, INDENT).split("\n"))


# ---------------------------------------------------------------------------------------------------------------- lines


def lines(rows: list[Told], look: Look) -> str:
    """A few lines for each step, for a narrow terminal or for very many actors."""
    found: list[str] = []
    wide = max(len(row.number) for row in rows) + 2
    for row in rows:
        for number, act in enumerate(_spoken(row)):
            first = f"{'' if number else row.number:>{wide}}  "
            text = look.wrapped(act, indent=" " * (wide + 4), first=first)
            found.append(look.bad(text) if row.event else text)
        inner = " " * (wide + 4)
        for read, news in ((True, row.reads), (False, row.changes)):
            if news:
                text = ("reads " if read else "") + "; ".join(line.replace(" ", FIXED) for line in news)
                found.append(look.faint(look.wrapped(text, indent=inner + INDENT, first=inner)))
        found += [look.wrapped(line, indent=inner + INDENT, first=inner) for line in _by_title(row)]
    return "\n".join(found)


def _spoken(row: Told) -> list[str]:
    """Who does what, one after another; what one actor does next, in its line."""
    found: dict[tuple[str, str], list[Act]] = {}
    for act in row.acts:
        found.setdefault((act.actor, act.by), []).append(act)
    return [_named(acts[0], "; then ".join(act.words for act in acts)) for acts in found.values()]


def _named(act: Act, words: str) -> str:
    """The words behind who acts, unless they say that themselves."""
    if act.by:
        return f"{act.actor} {act.by}: {words}"
    return words if act.said else f"{act.actor}: {words}"


# ------------------------------------------------------------------------------------------------------------- wrapping


def wrapped(text: str, width: int, indent: str, first: str = "") -> str:
    """A paragraph of lines that end where words do.

    What is held together is one word, and if that is wider than a line by itself, a location still is.
    """
    room = width - len(indent)
    words = [w if len(w) <= room else _kept(_loosened(w)) for w in _kept(text).split(" ")]
    kept = " ".join(w if len(w) <= room else w.replace(FIXED, " ") for word in words for w in word.split(" "))
    lines = textwrap.fill(
        kept, max(width, 1), initial_indent=first, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
    )
    return lines.replace(FIXED, " ")


def _loosened(word: str) -> str:
    """The words of what is held together; no line ends with the `+` of an entry."""
    return re.sub(f"(?<![+−±]){FIXED}", " ", word)


def _kept(text: str) -> str:
    """The text with what stands in brackets held together."""
    return re.sub(r"\[[^\]]*\]", lambda found: found[0].replace(" ", FIXED), text)
