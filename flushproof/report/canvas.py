"""A picture in SVG while it is drawn, from top to bottom: lines of text, what is beside them, and its size in the end."""

from __future__ import annotations

import textwrap
from xml.etree.ElementTree import Element, SubElement, indent, tostring

SIZE, LEADING, WIDTH = 12, 16, 7.25
"""Of the text, in pixels: its size, the distance of lines, the width of a character."""
INK, SOFT, BAD, UNSURE, BOX, EDGE = "#1b1f24", "#555d68", "#b3161b", "#7a4b00", "#eef3f9", "#9db4cf"


class Canvas:
    """A picture so wide, with such a margin, in pixels; `y` is how far down it is drawn."""

    def __init__(self, width: float, margin: float) -> None:
        self.width, self.margin = width, margin
        self.root = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "font-family": "'DejaVu Sans Mono', monospace"})
        self.root.set("font-size", str(SIZE))
        self.y = float(margin)

    def begin(self, title: str, description: str = "") -> None:
        """What it is called, and shows, for whoever cannot see it; and the paper."""
        SubElement(self.root, "title").text = title
        if description:
            SubElement(self.root, "desc").text = description
        SubElement(self.root, "rect", {"width": "100%", "height": "100%", "fill": "#ffffff"})

    def line(self, x: float, y: float, text: str, colour: str, anchor: str = "start", bold: bool = False) -> None:
        at = {"x": px(x), "y": px(y + SIZE), "fill": colour, "text-anchor": anchor}
        SubElement(self.root, "text", {**at, **({"font-weight": "bold"} if bold else {})}).text = text

    def paragraph(self, text: str, colour: str, bold: bool = False) -> None:
        for part in textwrap.wrap(text, int((self.width - 2 * self.margin) / WIDTH), break_on_hyphens=False):
            self.line(self.margin, self.y, part, colour, bold=bold)
            self.y += LEADING

    def end(self, below: float) -> str:
        """The whole as text, with so many pixels below what is drawn."""
        height = self.y + below
        self.root.set("viewBox", f"0 0 {px(self.width)} {px(height)}")
        self.root.set("width", px(self.width))
        self.root.set("height", px(height))
        indent(self.root)
        return tostring(self.root, encoding="unicode")


def px(number: float) -> str:
    """Pixels as SVG has them."""
    return f"{number:.1f}"
