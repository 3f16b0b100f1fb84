"""A counterexample to induction as a picture in SVG: the machine before a step and after it, side by side."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from xml.etree.ElementTree import SubElement

from flushproof.model.ir.instance import State
from flushproof.model.ir.trace import Step, walked
from flushproof.properties.induction.counterexample import Counterexample, picture, telling
from flushproof.report.caches import entry, is_cache, is_set
from flushproof.report.canvas import BAD, BOX, EDGE, INK, LEADING, SOFT, WIDTH, Canvas, px
from flushproof.report.locations import location
from flushproof.report.machine import Machine
from flushproof.report.news import shown
from flushproof.report.words import Story, by_whom, explained

PAD, GAP = 6, 14
"""Around the picture and inside of a card; between the two columns: in pixels."""
NARROW, WIDE = 20, 44
"""A card is so wide, in characters: the least and the most."""


@dataclass(frozen=True)
class Line:
    """A line of a card: what is there before the step and after it, and whether the step changes it."""

    before: str
    after: str
    title: bool = False

    @property
    def changed(self) -> bool:
        return self.before != self.after


def svg(example: Counterexample) -> str:
    """Each element's part of what matters, before the step and after it; an initial state alone where that is what is wrong."""
    return _Drawing(example).text()


class _Drawing(Canvas):
    """One picture while it is drawn, from top to bottom."""

    def __init__(self, example: Counterexample) -> None:
        self.example = example
        self.story = _story(example)
        self.cards = _cards(example, Machine(self.story))
        longest = max((len(s) for lines in self.cards.values() for x in lines for s in (x.before, x.after)), default=0)
        self.chars = min(max(longest, NARROW), WIDE)
        self.card = self.chars * WIDTH + 2 * PAD
        self.columns = 1 if example.before is None else 2
        super().__init__(2 * PAD + self.columns * self.card + (self.columns - 1) * GAP, PAD)

    def text(self) -> str:
        said = picture(self.example)
        self.begin(said.headline, str(said))
        if self.columns == 2:
            row = self.story.rows[0]
            self.paragraph(f"The step: {by_whom(row.actor, row.words)}", INK, bold=True)
        self.y += PAD
        for number, head in enumerate(("before", "after")[-self.columns :]):
            self.line(self.left(number) + self.card / 2, self.y, head if self.columns == 2 else "at the start", SOFT, "middle")
        if self.columns == 2:
            y, end = self.y + LEADING / 2 + 2, self.left(1) + self.card / 2 - 4 * WIDTH
            arrow = f"M{self.left(0) + self.card / 2 + 4 * WIDTH:.1f} {y:.1f}H{end:.1f}m-6 -4l6 4l-6 4"
            SubElement(self.root, "path", {"d": arrow, "stroke": SOFT, "fill": "none"})
        self.y += LEADING + PAD
        for name, lines in self.cards.items():
            self.element(name, lines)
        self.paragraph(f"✗ {_broken(self.example)}", BAD, bold=True)
        if said.remark:
            self.paragraph(said.remark, INK)
        return self.end(PAD)

    def left(self, column: int) -> float:
        return PAD + column * (self.card + GAP)

    def element(self, name: str, lines: list[Line]) -> None:
        """The two cards of one element, their lines beside each other."""
        rows = [[(self.wrapped(text), line) for text in (line.before, line.after)[-self.columns :]] for line in lines]
        height = (1 + sum(max(len(parts) for parts, _ in row) for row in rows)) * LEADING + 2 * PAD
        for column in range(self.columns):
            place = {"x": px(self.left(column)), "y": px(self.y), "width": px(self.card)}
            SubElement(self.root, "rect", {**place, "height": px(height), "rx": "4", "fill": BOX, "stroke": EDGE})
            self.line(self.left(column) + PAD, self.y + PAD, name, INK, bold=True)
        self.y += PAD + LEADING
        for row in rows:
            for column, (parts, line) in enumerate(row):
                news = column == 1 and line.changed
                colour = SOFT if line.title else BAD if news else INK
                for number, part in enumerate(parts):
                    self.line(self.left(column) + PAD, self.y + number * LEADING, part, colour, bold=news)
            self.y += max(len(parts) for parts, _ in row) * LEADING
        self.y += 2 * PAD

    def wrapped(self, text: str) -> list[str]:
        return textwrap.wrap(text, self.chars, subsequent_indent="  ", break_on_hyphens=False) or [""]


def _story(example: Counterexample) -> Story:
    if example.before is None:
        return Story(walked(example.instance, example.after))
    step = Step(example.action.name, example.binding, example.after)
    return Story(walked(example.instance, example.before, (step,)))


def _broken(example: Counterexample) -> str:
    """What does not hold after the step, in a sentence where it has one."""
    text = explained(example.instance, example.conjunct.clause, example.witness, example.after)
    return f"{example.conjunct.name} does not hold. {text}".strip()


def _cards(example: Counterexample, machine: Machine) -> dict[str, list[Line]]:
    """The lines of each element's card."""
    instance = example.instance
    cards: dict[str, list[Line]] = {owner: [] for owner in machine.owners()}
    caches: dict[tuple[str, str], list[int]] = {}
    after = example.after
    before = example.before or after
    for number in telling(example):
        slot = instance.slots[number]
        var = instance.system.variable[slot.var]
        said = machine.slot(slot)
        if is_cache(var):
            caches.setdefault((said["of"], said["title"]), []).append(number)
            continue
        name = said["title"] if said.get("what") == "context" else location(instance, slot)
        if said.get("what") == "at":
            name = f"next in {said['title']}:"
        old, new = (f"{name} {shown(instance, slot, state[number])}" for state in (before, after))
        cards[said["of"]].append(Line(old, new))
    for (owner, title), numbers in caches.items():
        cards[owner].append(Line(f"{title}:", f"{title}:", title=True))
        entries = [Line(_entry(example, n, before), _entry(example, n, after)) for n in numbers]
        cards[owner] += [line for line in entries if line.before or line.after] or [Line("empty", "empty")]
    return {owner or "memory and kernel": lines for owner, lines in cards.items() if lines}


def _entry(example: Counterexample, number: int, state: State) -> str:
    """An entry of a cache, or nothing where there is none."""
    slot, code = example.instance.slots[number], state[number]
    return f"▪ {entry(example.instance, slot, code)}" if is_set(slot, code) else ""
