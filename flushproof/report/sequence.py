"""A trace as a sequence diagram in SVG or PNG: for a paper, a commit message, an issue.

Lifelines and steps are laid out here, in characters of a fixed width, since an SVG cannot ask how wide its text is.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from xml.etree.ElementTree import Element, SubElement

from flushproof.model.errors import FlushproofError
from flushproof.model.ir.trace import Trace
from flushproof.report.canvas import BAD, BOX, EDGE, INK, LEADING, SOFT, UNSURE, WIDTH, Canvas, px
from flushproof.report.cause import Link, links
from flushproof.report.telling import Told, tell
from flushproof.report.words import Row, Story, headline

LANE, NEWS, MARGIN = 33, 42, 16
"""The width of a lane and of what changes, in characters; the margin, in pixels."""


def svg(trace: Trace) -> str:
    """The diagram: one lifeline for each element that acts, one box for each step, the story of the entry that is hit."""
    return _Diagram(Story(trace)).text()


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


class _Diagram(Canvas):
    """One diagram while it is drawn, from top to bottom."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.lanes = {name: number for number, name in enumerate(story.lanes)}
        self.left = MARGIN + 4 * WIDTH
        self.news = self.left + len(self.lanes) * LANE * WIDTH
        super().__init__(self.news + NEWS * WIDTH + MARGIN, MARGIN)
        self.behind = Element("g")
        self.middle: dict[int, float] = {}
        self.box: dict[int, tuple[float, float]] = {}

    def text(self) -> str:
        title = headline(self.story.trace)
        self.begin(title)
        self.root.append(self.behind)
        self.paragraph(title, INK, bold=True)
        self.y += LEADING / 2
        for name, number in self.lanes.items():
            self.line(self.axis(number), self.y, name, INK, anchor="middle", bold=True)
        self.y += LEADING
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
        return self.end(MARGIN / 2)

    def axis(self, lane: int) -> float:
        return self.left + (lane + 0.5) * LANE * WIDTH

    def step(self, row: Row, told: Told) -> None:
        """One row: the number, the box on its lifeline, and what changed."""
        words = textwrap.wrap(str(told.acts[0]), LANE - 8, break_on_hyphens=False) or [""]
        changed = [*told.changes, *map(str, told.caches)]
        news = [line for text in changed for line in textwrap.wrap(text, NEWS, subsequent_indent="  ", break_on_hyphens=False)]
        height = max(len(words), len(news), 1) * LEADING + 10
        lane = self.lanes[row.actor.name]
        wide = (max(map(len, words)) + 2) * WIDTH
        frame = {"rx": "4", "fill": "#fdeceb" if row.event else BOX, "stroke": BAD if row.event else EDGE}
        place = {"x": px(self.axis(lane) - wide / 2), "y": px(self.y), "width": px(wide)}
        SubElement(self.root, "rect", {**place, "height": px(len(words) * LEADING + 4), **frame})
        self.line(MARGIN, self.y + 1, f"{row.number:>3}", SOFT)
        for number, text in enumerate(words):
            self.line(self.axis(lane), self.y + 1 + number * LEADING, text, BAD if row.event else INK, anchor="middle")
        for number, text in enumerate(news):
            self.line(self.news, self.y + 1 + number * LEADING, text, SOFT)
        self.box[row.number] = (self.axis(lane) - wide / 2, self.axis(lane) + wide / 2)
        self.middle[row.number] = self.y + LEADING / 2 + 2
        self.y += height

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
            x = self.left + owner * LANE * WIDTH + 9 + 9 * shift
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
