"""A plot with logarithmic axes as SVG, which needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 720, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 120, 20, 50
# Okabe and Ito's colours, which the colour-blind tell apart.
_COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00")


@dataclass(frozen=True)
class Series:
    """Lines of one colour, each from point to point."""

    name: str
    lines: Sequence[Sequence[tuple[float, float]]]


@dataclass(frozen=True)
class _Axis:
    """From a value to a place on the page, by powers of ten."""

    low: int
    high: int
    start: float
    end: float

    @staticmethod
    def over(values: Sequence[float], start: float, end: float) -> _Axis:
        low = math.floor(math.log10(min(values)))
        return _Axis(low, max(low + 1, math.ceil(math.log10(max(values)))), start, end)

    def place(self, value: float) -> float:
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> Iterator[tuple[float, str]]:
        for power in range(self.low, self.high + 1):
            label = f"{10**power:,}".replace(",", " ") if power >= 0 else f"{10.0**power:.{-power}f}"
            yield self.place(10.0**power), label


def plot(series: Sequence[Series], across: str, up: str) -> str:
    """The series as an SVG picture; `across` and `up` are the axes' titles."""
    shown = [one for one in series if one.lines]
    points = [point for one in shown for line in one.lines for point in line]
    x = _Axis.over([p[0] for p in points], _LEFT, _WIDTH - _RIGHT)
    y = _Axis.over([p[1] for p in points], _HEIGHT - _BOTTOM, _TOP)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
    ]
    for at, label in x.ticks():
        lines.append(f'<path d="M{at:.1f} {y.start}V{y.end}" stroke="#ddd"/>')
        lines.append(_text(at, y.start + 18, label, "middle"))
    for at, label in y.ticks():
        lines.append(f'<path d="M{x.start} {at:.1f}H{x.end}" stroke="#ddd"/>')
        lines.append(_text(x.start - 8, at + 4, label, "end"))
    lines.append(_text((x.start + x.end) / 2, _HEIGHT - 12, across, "middle"))
    middle = (y.start + y.end) / 2
    lines.append(f'<g transform="rotate(-90 16 {middle})">{_text(16, middle, up, "middle")}</g>')
    for one, colour in zip(shown, _COLOURS, strict=False):
        drawn = [[(x.place(a), y.place(b)) for a, b in line] for line in one.lines]
        for places in drawn:
            path = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
            lines.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
            lines += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.5" fill="{colour}"/>' for a, b in places]
        a, b = max(place for places in drawn for place in places)
        lines.append(_text(a + 8, b + 4, one.name, "start", colour))
    return "\n".join([*lines, "</svg>", ""])


def _text(x: float, y: float, text: str, anchor: str, colour: str = "black") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'
