"""A trace as a sequence diagram in SVG or PNG: for a paper, a commit message, an issue.

Lifelines and steps are laid out here, in characters of a fixed width, since an SVG cannot ask how wide its text is.
"""

from __future__ import annotations

import textwrap
from abc import ABC, abstractmethod
from collections.abc import Iterator
from xml.etree.ElementTree import Element, SubElement

from flushproof.model.errors import FlushproofError
from flushproof.model.ir.trace import Trace
from flushproof.report.canvas import BAD, BOX, EDGE, INK, LEADING, SOFT, UNSURE, WIDTH, Canvas, px
from flushproof.report.cause import Link, links
from flushproof.report.news import Row
from flushproof.report.telling import Told, tell
from flushproof.report.words import Story, headline

LANE, NEWS, MARGIN = 33, 42, 16
"""The width of a lane and of what changes, in characters; the margin, in pixels."""

PHONE, TRACKS, TRACK, EDGES = 336, 112, 28, 4
"""The narrow form, in pixels: its width, the most of it for lifelines and for one of them, the margin."""


def svg(trace: Trace, narrow: bool = False) -> str:
    """The diagram: one lifeline for each element that acts, one box for each step, the story of the entry that is hit.

    narrow: for a phone: lifelines without room for words, which all stand below each other to their right.
    """
    return (_Narrow if narrow else _Wide)(Story(trace)).text()


def png(trace: Trace) -> bytes:
    """The same as pixels, two for each of the SVG's.

    Raises:
        FlushproofError: the package that draws it is not installed.
    """
    try:
        from resvg_py import svg_to_bytes
    except ImportError:
        raise FlushproofError("a PNG is drawn by resvg-py: pip install 'flushproof[png]', or ask for .svg") from None
    return bytes(svg_to_bytes(svg_string=svg(trace), zoom=2, monospace_family="DejaVu Sans Mono"))


class _Diagram(Canvas, ABC):
    """One diagram while it is drawn, from top to bottom.

    lanes: the number of each actor's; middle: how far down a step is, by its number; box: where its words, or its mark,
        begin and end.
    """

    def __init__(self, story: Story, width: float, margin: float) -> None:
        super().__init__(width, margin)
        self.story = story
        self.lanes = {name: number for number, name in enumerate(story.lanes)}
        self.behind = Element("g")
        self.middle: dict[int, float] = {}
        self.box: dict[int, tuple[float, float]] = {}

    @abstractmethod
    def axis(self, lane: int) -> float:
        """Where the lifeline of a lane is."""

    @abstractmethod
    def beside(self, lane: int) -> float:
        """Where the first entry that belongs to a lane is drawn."""

    @abstractmethod
    def heads(self) -> None:
        """What stands above the lifelines."""

    @abstractmethod
    def step(self, row: Row, told: Told) -> None:
        """One row: the number, the box, and what changed."""

    def text(self) -> str:
        title = headline(self.story.trace)
        self.begin(title)
        self.root.append(self.behind)
        self.paragraph(title, INK, bold=True)
        self.y += LEADING / 2
        self.heads()
        top = self.y
        self.middle[0] = top
        for row, told in zip(self.story.rows, tell(self.story, every_step=True), strict=True):
            self.step(row, told)
        for number in range(len(self.lanes)):
            x = px(self.axis(number))
            SubElement(self.behind, "line", {"x1": x, "x2": x, "y1": px(top - 4), "y2": px(self.y), "stroke": "#c5cbd3"})
        self.entries()
        self.y += LEADING / 2
        self.paragraph(f"{self.story.mark} {self.story.sentence}", BAD if self.story.violates else INK, bold=True)
        return self.end(self.margin / 2)

    def frame(self, x: float, wide: float, lines: int, event: bool) -> None:
        """The box around the words of a step."""
        colours = {"fill": "#fdeceb" if event else BOX, "stroke": BAD if event else EDGE}
        place = {"x": px(x), "y": px(self.y), "width": px(wide), "height": px(lines * LEADING + 4)}
        SubElement(self.root, "rect", {**place, "rx": "4", **colours})

    def entries(self) -> None:
        """The story of each entry: from the step that made it down to the one that hits it, past those that missed it."""
        told: dict[str, list[Link]] = {}
        for link in links(self.story):
            if link.part != "wrote":
                told.setdefault(str(link.slot), []).append(link)
        for shift, found in enumerate(told.values()):
            owner = next(self._owners(found), None)
            if owner is None:
                continue
            x = self.beside(owner) + 9 * shift
            made = next(self.middle[link.step] for link in found if link.part == "made")
            end = max(self.middle[link.step] for link in found)
            hit = any(link.part in ("hit", "used") for link in found)
            SubElement(self.root, "path", {"d": f"M{px(x)} {px(made)}V{px(end)}", "stroke": BAD, "stroke-width": "2"})
            SubElement(self.root, "circle", {"cx": px(x), "cy": px(made), "r": "4", "fill": BAD})
            if hit:
                head = f"M{px(x - 5)} {px(end - 4)}h10l-5 8z"
                SubElement(self.root, "path", {"d": head, "fill": BAD})
            for link in found:
                if link.part in ("missed", "pending", "early") and link.step:
                    self.missed(x, link.step)

    def missed(self, x: float, number: int) -> None:
        """A step that does not reach the entry whose line is at `x`: a dashed line to a cross."""
        y, stroke = self.middle[number], {"stroke": UNSURE, "stroke-width": "2", "fill": "none"}
        left, right = self.box[number]
        start, end = (x + 8, left) if x < left else (right, x - 8)
        if start + 4 < end:
            dashed = {"d": f"M{px(start)} {px(y)}H{px(end)}", "stroke-dasharray": "5 4"}
            self.behind.append(Element("path", {**dashed, **stroke, "stroke-width": "1.2"}))
        SubElement(self.root, "path", {"d": f"M{px(x - 5)} {px(y - 5)}l10 10m0 -10l-10 10", **stroke})

    def _owners(self, found: list[Link]) -> Iterator[int]:
        """The lane of whom the entry belongs to, if that one acts."""
        for link in found:
            sort = self.story.instance.system.variable[link.slot.var].index[0]
            name = self.story.instance.show(sort, link.slot.index[0])
            if name in self.lanes:
                yield self.lanes[name]


class _Wide(_Diagram):
    """The words of each step on its lifeline, and what changed beside all of them."""

    def __init__(self, story: Story) -> None:
        self.left = MARGIN + 4 * WIDTH
        self.news = self.left + len(story.lanes) * LANE * WIDTH
        super().__init__(story, self.news + NEWS * WIDTH + MARGIN, MARGIN)

    def axis(self, lane: int) -> float:
        return self.left + (lane + 0.5) * LANE * WIDTH

    def beside(self, lane: int) -> float:
        return self.left + lane * LANE * WIDTH + 9

    def heads(self) -> None:
        for name, number in self.lanes.items():
            self.line(self.axis(number), self.y, name, INK, anchor="middle", bold=True)
        self.y += LEADING

    def step(self, row: Row, told: Told) -> None:
        words = _wrapped(str(told.acts[0]), LANE - 8) or [""]
        news = [line for text in _news(told) for line in _wrapped(text, NEWS, "  ")]
        axis = self.axis(self.lanes[row.actor.name])
        wide = (max(map(len, words)) + 2) * WIDTH
        self.frame(axis - wide / 2, wide, len(words), row.event)
        self.line(MARGIN, self.y + 1, f"{row.number:>3}", SOFT)
        for number, text in enumerate(words):
            self.line(axis, self.y + 1 + number * LEADING, text, BAD if row.event else INK, anchor="middle")
        for number, text in enumerate(news):
            self.line(self.news, self.y + 1 + number * LEADING, text, SOFT)
        self.box[row.number] = (axis - wide / 2, axis + wide / 2)
        self.middle[row.number] = self.y + LEADING / 2 + 2
        self.y += max(len(words), len(news), 1) * LEADING + 10


class _Narrow(_Diagram):
    """Who acts is a mark on a lifeline and the first word of a step; what changed stands below it."""

    def __init__(self, story: Story) -> None:
        self.left = EDGES + 3 * WIDTH
        self.track = min(TRACK, TRACKS / len(story.lanes))
        self.words = self.left + len(story.lanes) * self.track + 8
        super().__init__(story, PHONE, EDGES)

    def axis(self, lane: int) -> float:
        return self.left + lane * self.track + 7

    def beside(self, lane: int) -> float:
        return self.axis(lane) + 0.4 * self.track

    def heads(self) -> None:
        """Nothing: each step says whose it is."""

    def step(self, row: Row, told: Told) -> None:
        room = PHONE - EDGES - self.words
        chars = int(room / WIDTH) - 1
        words = _wrapped(f"{row.actor.name}: {told.acts[0]}", chars)
        axis, colour = self.axis(self.lanes[row.actor.name]), BAD if row.event else INK
        self.frame(self.words, room, len(words), row.event)
        self.line(EDGES, self.y + 1, f"{row.number:>2}", SOFT)
        self.middle[row.number] = y = self.y + LEADING / 2 + 2
        self.box[row.number] = (axis - 5, axis + 5)
        SubElement(self.behind, "line", {"x1": px(axis), "x2": px(self.words), "y1": px(y), "y2": px(y), "stroke": EDGE})
        SubElement(self.root, "circle", {"cx": px(axis), "cy": px(y), "r": "4", "fill": BOX, "stroke": colour})
        for text in words:
            self.line(self.words + WIDTH / 2, self.y + 1, text, colour)
            self.y += LEADING
        self.y += 5
        for text in (line for news in _news(told) for line in _wrapped(news, chars, "  ")):
            self.line(self.words + WIDTH / 2, self.y, text, SOFT)
            self.y += LEADING
        self.y += 5


def _news(told: Told) -> list[str]:
    """What a step changed, and what came into caches and left them."""
    return [*told.changes, *map(str, told.caches)]


def _wrapped(text: str, width: int, further: str = "") -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent=further, break_on_hyphens=False)
