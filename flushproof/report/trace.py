"""A trace for a terminal: one column for each element that acts, one row for each step, and a last row that says what is wrong.

Three layouts, the widest that fits: a column for the TLBs of their own; TLBs among the changes; a plain list of steps.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import click
from tabulate import MIN_PADDING, tabulate

from flushproof.model.ir.trace import Trace
from flushproof.report.words import Row, Story, assignments, cost_words, location

NARROWEST, COMFORTABLE = 16, 22
"""Columns narrower than this are not worth having, or worth avoiding if another layout has wider ones."""

Paint = Callable[[str], str]


@dataclass(frozen=True)
class Look:
    """How wide a report may be, and whether it has colours."""

    width: int = 100
    colour: bool = False

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
        return textwrap.fill(
            text,
            max(self.width, 40),
            initial_indent=indent if first is None else first,
            subsequent_indent=indent,
            break_on_hyphens=False,
        )


def trace_text(trace: Trace, look: Look) -> str:
    """The whole trace."""
    story = Story(trace)
    lines = [*_start(story, look)]
    lines.append(_table(story, look) or _list(story, look))
    lines.append(look.bad(look.wrapped(story.sentence, indent="     ", first="  ✗  ")))
    if spent := cost_words(story.costs):
        lines.append(look.faint(look.wrapped(f"Cost of these steps: {spent}.", indent="     ")))
    return "\n".join(lines)


def _start(story: Story, look: Look) -> list[str]:
    """The initial values that matter, in one paragraph."""
    values = [f"{location(story.instance, c.slot)} = {story.instance.show(c.slot.sort, c.after)}" for c in story.start]
    if not values:
        return []
    return [look.faint(look.wrapped(", ".join(values) + ".", indent="  ", first="At the start: ")), ""]


# ---------------------------------------------------------------------------------------------------------------- table


@dataclass(frozen=True)
class _Column:
    """A column's title and its cells, each a list of paragraphs."""

    title: str
    cells: list[list[str]]
    paint: list[Paint]

    @property
    def natural(self) -> int:
        return max(len(self.title) + MIN_PADDING, *(len(line) for cell in self.cells for line in cell), 0)


def _table(story: Story, look: Look) -> str | None:
    """The trace as a table, or None where the terminal is too narrow for one."""
    acts, changed, tlbs = _actors(story, look), _changed(story, look), _tlbs(story, look)
    number = _Column("", [[f"{row.number}"] for row in story.rows], [look.faint] * len(story.rows))
    apart = [number, *acts, changed, tlbs] if tlbs else [number, *acts, changed]
    joined = [number, *acts, _joined(changed, tlbs)] if tlbs else apart
    for columns, narrowest in ((apart, COMFORTABLE), (joined, NARROWEST)):
        used = [c for c in columns if c.title != changed.title or any(c.cells)]
        widths = _widths([c.natural for c in used], look.width - 2 * (len(used) - 1), narrowest)
        if widths is not None:
            return _draw(used, widths)
    return None


def _actors(story: Story, look: Look) -> list[_Column]:
    """One column for each element that acts."""
    paints = [look.bad if row.event else look.paint() for row in story.rows]
    return [
        _Column(name, [[row.words] if row.actor.name == name else [] for row in story.rows], paints)
        for name in story.lanes
    ]


def _changed(story: Story, look: Look) -> _Column:
    cells = [assignments(story.instance, row) for row in story.rows]
    return _Column("what changes", cells, [look.faint] * len(cells))


def _tlbs(story: Story, look: Look) -> _Column | None:
    """The contents of the TLBs wherever they changed, and at the end."""
    cells: list[list[str]] = []
    before = story.tlbs(story.trace.initial)
    for row in story.rows:
        now = story.tlbs(row.state)
        differ = [cpu for cpu in now if now[cpu] != before[cpu]]
        cells.append(_contents(now, [cpu for cpu in now if now[cpu]] if row.number == len(story.rows) else differ))
        before = now
    paints = [look.bad if row.event else look.paint() for row in story.rows]
    return _Column("in the TLBs", cells, paints) if any(cells) else None


def _contents(tlbs: dict[str, list[str]], cpus: Sequence[str]) -> list[str]:
    """One line for each entry, the first of each CPU with its name."""
    lines = []
    for cpu in cpus:
        first, *others = tlbs[cpu] or ["empty"]
        lines += [f"{cpu}: {first}", *(" " * len(f"{cpu}: ") + entry for entry in others)]
    return lines


def _joined(changed: _Column, tlbs: _Column) -> _Column:
    cells = [left + _of_tlb(right) for left, right in zip(changed.cells, tlbs.cells, strict=True)]
    return _Column(changed.title, cells, tlbs.paint)


def _of_tlb(lines: list[str]) -> list[str]:
    return [(" " * 7 if line.startswith(" ") else "TLB of ") + line for line in lines]


def _widths(natural: list[int], space: int, narrowest: int) -> list[int] | None:
    """How wide each column is, so that the sum fits: the widest give way first, but not below `narrowest`."""
    if sum(natural) <= space:
        return natural
    for cap in range(max(natural), narrowest - 1, -1):
        widths = [min(n, cap) for n in natural]
        if sum(widths) <= space:
            return widths
    return None


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


def _cell(paragraphs: list[str], width: int, paint: Paint) -> str:
    return "\n".join(paint(line) for text in paragraphs for line in _Wrapper(max(width, 1)).wrap(text))


class _Wrapper(textwrap.TextWrapper):
    """Wraps between words, and within a location only behind `.` and `[`."""

    wordsep_simple_re = re.compile(r"(\s+)|(?<=[.\[])")

    def __init__(self, width: int) -> None:
        super().__init__(width, subsequent_indent="  ", break_on_hyphens=False)


# ----------------------------------------------------------------------------------------------------------------- list


def _list(story: Story, look: Look) -> str:
    """One paragraph for each step, for a narrow terminal or for very many CPUs."""
    lines: list[str] = []
    before = story.tlbs(story.trace.initial)
    for row in story.rows:
        now = story.tlbs(row.state)
        last = row.number == len(story.rows)
        lines.append(_listed(story, row, look))
        lines += [
            look.faint(look.wrapped(text, indent="         ", first="       "))
            for text in assignments(story.instance, row)
        ]
        shown = [cpu for cpu in now if (now[cpu] if last else now[cpu] != before[cpu])]
        lines += [look.wrapped(text, indent="         ", first="       ") for text in _of_tlb(_contents(now, shown))]
        before = now
    return "\n".join(lines)


def _listed(story: Story, row: Row, look: Look) -> str:
    text = look.wrapped(f"{row.actor.name}: {row.words}", indent="     ", first=f"{row.number:>3}  ")
    return look.bad(text) if row.event else text
